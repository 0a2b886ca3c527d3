"""``novatio governance``: the law's parameters, announced and enacted; halts; new markets."""

from __future__ import annotations

import json
from typing import Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.cli.trade import show_outcomes
from novatio.errors import BadRequest

governance = Noun("governance", help="Parameters of the law, halts and listings.")
COMMANDS = [governance]

_NUMBER = click.IntRange(0, (1 << 62) - 1)
_KINDS = ("perpetual", "future", "call", "put")


def _record(app: App) -> Any:
    from novatio.governance import params_record

    return params_record(app.client().params().record)


def _changes(file: Any) -> dict[str, Any]:
    try:
        found = json.load(file)
    except ValueError as error:
        raise BadRequest(f"changes: expected a JSON object, but {error}") from error
    if not isinstance(found, dict):
        raise BadRequest(f"changes: expected a JSON object, was {found!r}")
    return found


def _rows(before: Any, after: Any) -> list[dict[str, Any]]:
    from novatio.governance import differences

    return [
        {"parameter": path, "before": old, "after": new}
        for path, old, new in differences(before, after)
    ]


@governance.command("show")
@pass_app
def show_parameters(app: App) -> None:
    """Show every parameter in force, and what is pending."""
    from novatio.governance import flat

    rows = [{"parameter": name, "value": value} for name, value in flat(_record(app)).items()]
    app.show_rows("parameters", rows, ("parameter", "value"))


@governance.command("propose")
@click.argument("tier", type=click.IntRange(0, 7))
@click.option("--deviation", type=float, required=True, help="Forecast daily deviation, 0.04.")
@click.option("--tail-ratio", type=float, required=True, help="Expected shortfall in deviations.")
@click.option("--open-interest", type=_NUMBER, required=True, help="Micro-quote.")
@click.option("--daily-volume", type=_NUMBER, required=True, help="Micro-quote on a usual day.")
@click.option("--write", type=click.File("w"), help="Write the changes here, for submit.")
@pass_app
def propose_parameters(
    app: App, tier: int, deviation: float, tail_ratio: float, open_interest: int,
    daily_volume: int, write: Any,
) -> None:  # fmt: skip
    """Propose the numbers of TIER from forecasts, within one legal step. Nothing is submitted."""
    from novatio.governance import propose
    from risk.proposals import Market

    try:
        market = Market(deviation, tail_ratio, open_interest, daily_volume)
        found = propose(_record(app), tier, market)
    except ValueError as error:
        raise BadRequest(f"forecast: {error}") from error
    rows = [
        {
            "parameter": f"tiers.{tier}.{one.field}",
            "before": one.before,
            "after": one.after,
            "reason": one.reason,
        }
        for one in found
    ]
    app.show_rows("proposals", rows, ("parameter", "before", "after", "reason"))
    if write is not None:
        json.dump({row["parameter"]: row["after"] for row in rows}, write, indent=2)
        write.write("\n")
        app.note(f"next: novatio governance submit {write.name}")


@governance.command("submit")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Show before and after; submit nothing.")
@pass_app
def submit_parameters(app: App, file: Any, dry_run: bool) -> None:
    """Announce the changes in FILE, a JSON object of parameters; they wait for the timelock.

    \b
    {"price_band_ppm": 60000, "tiers.0.initial_ppm": 62500}
    """
    from clearing.codes import Kind
    from novatio.governance import changed_params, payload_of

    before = _record(app)
    after = changed_params(before, _changes(file))
    if dry_run:
        app.show_rows("changes", _rows(before, after), ("parameter", "before", "after"))
        return
    outcome = app.client().govern(Kind.SET_PARAMS, payload=payload_of(after), signer=app.signer())
    show_outcomes(app, [outcome])
    app.note(f"next, after {int(before.timelock_ms)} ms: novatio governance enact {file.name}")


@governance.command("enact")
@click.argument("file", type=click.File("rb"))
@pass_app
def enact_parameters(app: App, file: Any) -> None:
    """Enact the changes in FILE that were announced before; anybody may, after the timelock."""
    from clearing.codes import Kind
    from clearing.requests import Request
    from novatio.governance import changed_params, payload_of

    after = changed_params(_record(app), _changes(file))
    request = Request.of(Kind.ENACT, payload=payload_of(after))
    show_outcomes(app, [app.client().submit_request(request)])


@governance.command("halt")
@pass_app
def halt_law(app: App) -> None:
    """Stop everything but exits, with the key of governance or guardian."""
    from clearing.codes import Kind

    show_outcomes(app, [app.client().govern(Kind.HALT, signer=app.signer())])


@governance.command("resume")
@pass_app
def resume_law(app: App) -> None:
    """End a halt, with the key of governance."""
    from clearing.codes import Kind

    show_outcomes(app, [app.client().govern(Kind.RESUME, signer=app.signer())])


@governance.command("list-market")
@click.argument("symbol")
@click.option(
    "--kind", type=click.Choice(_KINDS), default="perpetual", show_default=True, help="What it is."
)
@click.option("--underlying", type=_NUMBER, default=0, help="Number of the underlying.")
@click.option("--tier", type=click.IntRange(0, 7), default=0, help="Margin tier.")
@click.option("--series", type=click.IntRange(0, 15), default=0, help="Place of its expiry.")
@click.option("--expiry-ms", type=_NUMBER, default=0, help="Law time in milliseconds.")
@click.option("--strike-micro", type=_NUMBER, default=0, help="Micro-quote per lot.")
@click.option("--tick-micro", type=_NUMBER, required=True, help="Micro-quote per lot.")
@click.option("--lot-size-nano", type=_NUMBER, required=True, help="1e-9 of the underlying.")
@click.option("--open-interest-cap", type=_NUMBER, required=True, help="Lots of one side.")
@click.option("--position-cap", type=_NUMBER, required=True, help="Lots of one account.")
@click.option("--pool", type=_NUMBER, default=0, help="1 + the pool that trades it, 0 none.")
@pass_app
def list_market(app: App, /, symbol: str, kind: str, underlying: int, **terms: int) -> None:
    """List a market under SYMBOL, with the key of governance."""
    from clearing.codes import Kind
    from novatio.governance import market_payload

    order = ("tier", "series", "expiry_ms", "strike_micro", "tick_micro", "lot_size_nano",
             "open_interest_cap", "position_cap", "pool")  # fmt: skip
    numbers = [1 + _KINDS.index(kind), *(terms[name] for name in order)]
    client = app.client()
    outcome = client.govern(
        Kind.LIST,
        payload=market_payload(symbol, numbers),
        signer=app.signer(),
        instrument=len(client.instruments()),
        underlying=underlying,
    )
    show_outcomes(app, [outcome])
