"""``novatio freeze``: how late the house is, who may post, and ending it when nobody does."""

from __future__ import annotations

from typing import Any

from novatio.cli._app import App, Noun, pass_app
from novatio.cli.withdraw import WAIT

freeze = Noun("freeze", help="Lag of the law's clock, posting for everyone, and the freeze.")
COMMANDS = [freeze]


def standing_record(base: Any) -> dict[str, Any]:
    """Return the record of who runs the house and what may happen when."""
    found, head = base.standing(), base.head()
    config = base.config()
    return {
        "mode": found.mode.name.lower(),
        "operator": found.operator,
        "sequencer": found.sequencer,
        "successor": found.successor if any(found.successor) else None,
        "accepts_block": found.accepts_block or None,
        "clock_time_ms": found.clock_ms,
        "base_time_ms": head.time_ms,
        "lag_ms": found.lag_ms,
        "open_lag_ms": config.open_lag_ms,
        "freeze_lag_ms": config.freeze_lag_ms,
        "opens_time_ms": found.opens_ms,
        "freezes_time_ms": found.freezes_ms,
        "waiting_message": found.waiting_index if found.waiting_ms else None,
        "waiting_since_time_ms": found.waiting_ms or None,
        "waiting_due_time_ms": found.waiting_ms + config.forced_delay_ms
        if found.waiting_ms
        else None,
        "law_version": found.law_version,
        "next_law_version": found.next_law_version or None,
        "next_law_batch": found.next_law_number or None,
        "next_law_time_ms": found.next_law_ms or None,
        "claims_close_block": found.claims_close_block or None,
        "exit_ends_block": found.exit_ends_block or None,
        "base_block": head.number,
    }


@freeze.command("status")
@pass_app
def show_status(app: App) -> None:
    """Show mode, lag and deadlines as the base layer has them; needs no node."""
    record = standing_record(app.base())
    app.show(record)
    if record["mode"] == "frozen":
        app.note("next: novatio exit build --into <file>")
    elif record["base_time_ms"] >= record["freezes_time_ms"]:
        app.note("anyone may freeze the house: novatio freeze trigger")
    elif record["mode"] == "sequencer" and record["base_time_ms"] >= record["opens_time_ms"]:
        app.note("anyone may open posting: novatio freeze open")


@freeze.command("open", params=[WAIT])
@pass_app
def open_posting(app: App, wait_seconds: float) -> None:
    """Open posting to everyone, because the clock lags; the key in use pays the gas."""
    from verifier.base.transactions import OpenPosting

    _send(app, OpenPosting(), wait_seconds)


@freeze.command("trigger", params=[WAIT])
@pass_app
def trigger(app: App, wait_seconds: float) -> None:
    """End all posting for ever, because the clock lags beyond hope; the key pays the gas."""
    from verifier.base.transactions import Freeze

    _send(app, Freeze(), wait_seconds)


def _send(app: App, body: Any, wait_seconds: float) -> None:
    from novatio.base import send, wait_for

    base = app.base()
    receipt = wait_for(base, send(base, app.signer(), body), wait_seconds)
    event: Any = receipt.events[0]
    app.show(
        {
            "mode": base.standing().mode.name.lower(),
            "lag_ms": event.lag_ms,
            "generation": event.generation,
            "transaction_hash": receipt.transaction_hash,
            "block": receipt.block_number,
        }
    )
