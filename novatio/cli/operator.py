"""``novatio operator``: who runs the house and posts for it, and the calls that change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Noun, address, pass_app
from novatio.cli.freeze import standing_record
from novatio.cli.withdraw import WAIT
from novatio.errors import BadRequest

if TYPE_CHECKING:
    from verifier.base.interface import BaseLayer
    from verifier.base.transactions import Body

operator = Noun("operator", help="Who runs the house: rotate, hand over, announce, close posting.")
COMMANDS = [operator]

NOBODY = bytes(20)
_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1


def _stakes(base: BaseLayer, whose: dict[str, bytes]) -> list[dict[str, Any]]:
    """Return a row for each address that has, or had, a part in running the house."""
    roles: dict[bytes, list[str]] = {}
    for role, one in whose.items():
        roles.setdefault(one, []).append(role)
    rows = []
    for one, named in roles.items():
        stake = base.stake(one)
        rows.append(
            {
                "address": one,
                "role": ",".join(named),
                "balance_gwei": base.account(one).native,
                "stake_gwei": stake.amount,
                "stake_generation": stake.generation if stake.amount else None,
                "last_batch": stake.last_number or None,
                "answers_until_block": stake.answers_until or None,
            }
        )
    return rows


@operator.command("status")
@pass_app
def show_status(app: App) -> None:
    """Show who posts, offers, stakes, lag, mode and announced laws, from the base layer alone."""
    base = app.base()
    record, heads, config = standing_record(base), base.heads(), base.config()
    found = base.standing()
    former = base.receipt_signer(heads.generation - 1) if heads.generation else None
    whose = {"operator": found.operator, "sequencer": found.sequencer}
    if any(found.successor):
        whose["successor"] = found.successor
    if former is not None and former not in (NOBODY, found.sequencer):
        whose["former"] = former
    rows = _stakes(base, whose)
    record |= {
        "generation": heads.generation,
        "tip_batch": heads.tip_number,
        "finalised_batch": heads.finalised_number,
        "stake_size_gwei": config.receipt_stake,
        "bond_gwei": config.bond,
    }
    if app.form == "json":
        app.show(record | {"keys": rows})
        return
    app.show(record)
    app.show_rows("keys", rows)
    for text in _advice(record, rows):
        app.note(text)


def _advice(record: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Return what somebody ought to look at."""
    found = []
    by_role = {role: row for row in rows for role in row["role"].split(",")}
    if record["successor"] is not None:
        found.append(
            f"the house is offered, and its node acknowledges nothing; from block "
            f"{record['accepts_block']} on its successor may run: novatio operator accept"
        )
    if record["mode"] == "open" and record["lag_ms"] <= record["open_lag_ms"]:
        found.append("the clock is back; the sequencer may run: novatio operator close")
    if record["mode"] == "sequencer" and not by_role["sequencer"]["stake_gwei"]:
        found.append("nothing backs the sequencer's receipts: novatio bond stake")
    if by_role["sequencer"]["balance_gwei"] < record["bond_gwei"]:
        found.append("the sequencer cannot pay the next bond: fund its address")
    return found


@operator.command("rotate", params=[WAIT])
@click.argument("sequencer")
@pass_app
def rotate(app: App, sequencer: str, wait_seconds: float) -> None:
    """Let the key of address SEQUENCER post from now on; signed with the operator's key.

    Receipts of the former key go on binding: start the node with the new key on the same log.
    """
    from verifier.base.transactions import RotateSequencer

    _send(app, RotateSequencer(address(sequencer)), wait_seconds)
    app.note("next: start the node with the new key, and novatio bond stake with it")


@operator.command("handover", params=[WAIT])
@click.argument("successor", required=False)
@click.option("--withdraw", is_flag=True, help="Take the offer back instead.")
@pass_app
def hand_over(app: App, successor: str | None, withdraw: bool, wait_seconds: float) -> None:
    """Offer the house to the address SUCCESSOR; signed with the operator's key.

    While the offer stands the node acknowledges nothing and posts what it has, because receipts for
    what is not posted are void once the successor accepts, which he may after a reveal window.
    """
    from verifier.base.transactions import NameSuccessor

    if withdraw == (successor is not None):
        raise BadRequest(
            "successor: expected an address, or --withdraw without one, was "
            + ("both" if withdraw else "neither"),
            next_step="novatio operator status",
        )
    name = NOBODY if successor is None else address(successor)
    if successor is not None and name == NOBODY:
        raise BadRequest(
            "successor: expected an address that somebody has the key of, was zero",
            next_step="novatio operator handover --withdraw",
        )
    found = _send(app, NameSuccessor(name), wait_seconds)
    if not withdraw:
        app.note(
            f"from block {found.accepts_block} on he may run: novatio operator accept; until then, "
            "wait until novatio heads shows everything posted"
        )


@operator.command("accept", params=[WAIT])
@pass_app
def accept(app: App, wait_seconds: float) -> None:
    """Take the house that was offered to the key in use: it is operator and sequencer then."""
    from verifier.base.transactions import AcceptHandover

    _send(app, AcceptHandover(), wait_seconds)
    app.note("next: start a node with this key on the former one's log, and novatio bond stake")


@operator.command("announce", params=[WAIT])
@click.argument("version", type=click.IntRange(1, _U32))
@click.argument("batch", type=click.IntRange(1, _U64))
@pass_app
def announce(app: App, version: int, batch: int, wait_seconds: float) -> None:
    """Announce that law VERSION judges from BATCH on; signed with the operator's key.

    Replaces an announcement whose batch has not come. The batch waits for the law delay.
    """
    from verifier.base.transactions import AnnounceLaw

    _send(app, AnnounceLaw(version, batch), wait_seconds)


@operator.command("close", params=[WAIT])
@pass_app
def close(app: App, wait_seconds: float) -> None:
    """End open posting, once the clock is back within the open lag; with the sequencer's key.

    A running node does this by itself.
    """
    from verifier.base.transactions import ClosePosting

    _send(app, ClosePosting(), wait_seconds)


def _send(app: App, body: Body, wait_seconds: float) -> Any:
    """Send a call of the operator's, show what it changed, and return the standing after it."""
    from novatio.base import send, wait_for

    base = app.base()
    receipt = wait_for(base, send(base, app.signer(), body), wait_seconds)
    found, heads = base.standing(), base.heads()
    app.show(
        {
            "mode": found.mode.name.lower(),
            "operator": found.operator,
            "sequencer": found.sequencer,
            "successor": found.successor if any(found.successor) else None,
            "accepts_block": found.accepts_block or None,
            "generation": heads.generation,
            "law_version": found.law_version,
            "next_law_version": found.next_law_version or None,
            "next_law_batch": found.next_law_number or None,
            "next_law_time_ms": found.next_law_ms or None,
            "transaction_hash": receipt.transaction_hash,
            "block": receipt.block_number,
        }
    )
    return found
