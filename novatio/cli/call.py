"""``novatio call``: the call auction of a market, orders for it, and their fills."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.cli.trade import show_outcomes

call = Noun("call", help="Call auctions of markets that left their price band.")
COMMANDS = [call]

_ACCOUNT = NATURAL


def record_of(item: Any, time_ms: int) -> dict[str, Any]:
    """Return the record of an instrument's call at a time of the law's clock, best bid first."""
    from novatio.orders import Market

    market = Market(item.id, item.symbol, item.tick_micro, item.lot_size_nano)
    one = item.call
    until = one.deadline_ms if one.found else one.orders_until_ms
    return {
        "instrument": item.id,
        "symbol": item.symbol,
        "phase": "fills" if one.found else "orders",
        "price": str(market.price(one.price_micro)) if one.price_micro else None,
        "price_micro": one.price_micro or None,
        "executed_lots": one.executed_lots,
        "imbalance_lots": one.imbalance_lots,
        "filled_lots": one.filled_lots,
        "opened_ms": one.opened_ms,
        "orders_until_ms": one.orders_until_ms,
        "deadline_ms": one.deadline_ms,
        "left_ms": max(0, until - time_ms),
        "levels": [
            {
                "price": str(market.price(one.low_micro + level * one.step_micro)),
                "price_micro": one.low_micro + level * one.step_micro,
                "bid_lots": bid,
                "ask_lots": ask,
            }
            for level, (bid, ask) in enumerate(zip(one.bid_lots, one.ask_lots, strict=True))
        ],
    }


@call.command("show")
@click.argument("instrument")
@pass_app
def show(app: App, instrument: str) -> None:
    """Show INSTRUMENT's call: its book by price level, and the price that it makes so far.

    Before the price is found, price, executed and imbalance tell what it would be now; a positive
    imbalance is lots that would buy and find no seller. left_ms is the time left for orders, and
    once the price is found for fills.
    """
    from novatio.errors import NotFound

    client = app.client()
    item = client.instrument(int(instrument) if instrument.isdecimal() else instrument)
    if not item.HasField("call"):
        raise NotFound(
            f"call of {item.symbol}: expected one, was none; the first order of a market's auction "
            f"opens it, and the auction ends at {item.auction_end_ms} ms",
            reason="NO_CALL",
            metadata={"instrument": str(item.id), "auction_end_ms": str(item.auction_end_ms)},
            next_step=f"novatio instrument show {item.symbol}",
        )
    app.show(record_of(item, client.heads().sequenced.time_ms))


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
