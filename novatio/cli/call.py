"""``novatio call``: orders for the call auction of a market, and their fills."""

from __future__ import annotations

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.cli.trade import show_outcomes

call = Noun("call", help="Call auctions of markets that left their price band.")
COMMANDS = [call]

_ACCOUNT = click.IntRange(0)


@call.command("order")
@click.argument("account", type=_ACCOUNT)
@click.argument("instrument")
@click.argument("side", type=click.Choice(("buy", "sell")))
@click.argument("size")
@click.argument("limit")
@pass_app
def order(app: App, account: int, instrument: str, side: str, size: str, limit: str) -> None:
    """Order SIZE of INSTRUMENT for ACCOUNT at LIMIT or better. It binds until the call is over."""
    from novatio import call as requests

    client = app.client()
    wanted = requests.order(client.market(instrument), account, side, size, limit)
    show_outcomes(app, [client.submit_owned(wanted, signer=app.signer())])


@call.command("fill")
@click.argument("instrument")
@click.argument("buyer", type=_ACCOUNT)
@click.argument("seller", type=_ACCOUNT)
@pass_app
def fill(app: App, instrument: str, buyer: int, seller: int) -> None:
    """Fill the orders of accounts BUYER and SELLER at the price of INSTRUMENT's call."""
    from novatio import call as requests

    client = app.client()
    wanted = requests.fill(client.market(instrument), buyer, seller)
    show_outcomes(app, [client.submit_request(wanted)])
