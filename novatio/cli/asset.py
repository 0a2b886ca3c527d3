"""``novatio asset`` and ``novatio force``: collateral assets, and what owners force in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from novatio.cli._app import NATURAL, POSITIVE, App, Noun, pass_app
from novatio.cli.withdraw import WAIT

if TYPE_CHECKING:
    from verifier.events import Forced

asset = Noun("asset", help="Collateral assets.")
force = Noun("force", help="Force a message in through the base layer, past the operator.")
COMMANDS = [asset, force]

_ACCOUNT = NATURAL


@asset.command("list")
@pass_app
def list_assets(app: App) -> None:
    """List the collateral assets with prices, haircuts and caps."""
    columns = ("id", "price_micro", "haircut_ppm", "initial_haircut_ppm", "held", "cap")
    rows = [
        {field.name: getattr(one, field.name) for field in one.DESCRIPTOR.fields}
        for one in app.client().assets()
    ]
    app.show_rows("assets", rows, columns)


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
