"""``novatio inbox``: what the base layer forces in, what of it still waits, and forcing more in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from novatio.cli._app import NATURAL, POSITIVE, App, Noun, pass_app
from novatio.cli.withdraw import WAIT

if TYPE_CHECKING:
    from verifier.base.interface import BaseLayer
    from verifier.events import Forced

inbox = Noun("inbox", help="Messages that the base layer forces in, past the operator.")
force = Noun("force", help="Force a message in through the base layer, past the operator.")
inbox.add_command(force)
COMMANDS = [inbox]

_ACCOUNT = NATURAL


@inbox.command("list")
@click.option("--first", type=NATURAL, help="From this index on; else the newest.")
@click.option("--limit", type=click.IntRange(1, 1024), default=20, help="Most to list.")
@click.option("--waiting", is_flag=True, help="Only what no batch has consumed yet.")
@pass_app
def list_inbox(app: App, first: int | None, limit: int, waiting: bool) -> None:
    """List inbox messages with the time by which a batch must have consumed each."""
    from clearing.codes import InboxKind

    base = app.base()
    heads, config = base.heads(), base.config()
    tip = base.batch(heads.tip_id)
    consumed = tip.record.inbox_count if tip else 0
    if waiting:
        first = max(first or 0, consumed)
    if first is None:
        first = max(_count(base) - limit, 0)
    kinds = {int(kind): kind.name.lower() for kind in InboxKind}
    rows = [
        {
            "index": entry.message.index,
            "kind": kinds.get(entry.message.kind, str(entry.message.kind)),
            "account": entry.message.account,
            "owner": entry.message.owner,
            "number": entry.message.asset,
            "amount": entry.message.amount,
            "block": entry.block,
            "time_ms": entry.time_ms,
            "due_time_ms": entry.time_ms + config.forced_delay_ms,
            "consumed": entry.message.index < consumed,
        }
        for entry in base.inbox(first, limit)
    ]
    columns = ("index", "kind", "account", "number", "amount", "due_time_ms", "consumed")
    app.show_rows("messages", rows, columns)


def _count(base: BaseLayer) -> int:
    """Return how many messages there are, found by halving: the base layer only lists them."""
    low, high = 0, 1
    while base.inbox(high - 1, 1):
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if base.inbox(middle, 1):
            low = middle + 1
        else:
            high = middle
    return low


def _send(
    app: App, request: Any, wait_seconds: float, note: str = "for the account's owner"
) -> None:
    from novatio.base import send, wait_for
    from verifier.base.transactions import Force

    base = app.base()
    receipt = wait_for(base, send(base, app.signer(), Force(request)), wait_seconds)
    app.show(
        {
            "account": request.account,
            "inbox_index": cast("Forced", receipt.events[0]).index,
            "transaction_hash": receipt.transaction_hash,
            "block": receipt.block_number,
        }
    )
    app.note(f"the law acts once the block is final, {note}: novatio heads")


@force.command("withdraw", params=[WAIT])
@click.argument("account", type=_ACCOUNT)
@click.argument("amount")
@click.option("--asset", type=NATURAL, default=0, help="Of this asset, not of cash.")
@pass_app
def force_withdrawal(app: App, account: int, amount: str, asset: int, wait_seconds: float) -> None:
    """Take up to AMOUNT out of ACCOUNT, as far as margin and gates allow."""
    from novatio.collateral import forced_withdrawal

    _send(app, forced_withdrawal(account, amount, asset), wait_seconds)


@force.command("cancel", params=[WAIT])
@click.argument("account", type=_ACCOUNT)
@click.argument("sequence", type=POSITIVE)
@pass_app
def force_cancel(app: App, account: int, sequence: int, wait_seconds: float) -> None:
    """Kill the orders of ACCOUNT up to SEQUENCE, and end its forced close."""
    from novatio.collateral import forced_cancel

    _send(app, forced_cancel(account, sequence), wait_seconds)


@force.command("close", params=[WAIT])
@click.argument("account", type=_ACCOUNT)
@click.argument("instrument")
@click.argument("size")
@pass_app
def force_close(app: App, account: int, instrument: str, size: str, wait_seconds: float) -> None:
    """Offer SIZE of the position of ACCOUNT to keepers, at a penalty that rises."""
    from novatio.collateral import forced_close

    _send(app, forced_close(app.client().market(instrument), account, size), wait_seconds)


@force.command("liquidate", params=[WAIT])
@click.argument("keeper", type=_ACCOUNT)
@click.argument("account", type=_ACCOUNT)
@click.argument("instrument")
@click.argument("size")
@pass_app
def force_liquidation(
    app: App, keeper: int, account: int, instrument: str, size: str, wait_seconds: float
) -> None:
    """Take up to SIZE of the position of the failing ACCOUNT over to KEEPER."""
    from novatio.collateral import forced_liquidation

    market = app.client().market(instrument)
    _send(app, forced_liquidation(market, keeper, account, size), wait_seconds)


@force.command("price", params=[WAIT])
@click.argument("action")
@pass_app
def force_price(app: App, action: str, wait_seconds: float) -> None:
    """Bring in the signed price ACTION, in hex: what publishers sent, and the operator left out."""
    from clearing.encoding import MalformedBytes
    from clearing.messages import Price, decode_action
    from novatio.collateral import forced_price

    try:
        price = decode_action(bytes.fromhex(action.removeprefix("0x")))
    except (ValueError, MalformedBytes) as error:
        raise click.BadParameter(f"no action in hex: {error}", param_hint="ACTION") from error
    if not isinstance(price, Price):
        raise click.BadParameter(f"expected a price, was kind {price.encode()[0]}")
    request = forced_price(price.instrument, price.observations)
    _send(app, request, wait_seconds, "if a quorum signed and the price is newer than the last")
