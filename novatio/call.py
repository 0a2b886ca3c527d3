"""Orders for the call auction of a market, in the units that people use.

    client.submit_owned(order(client.market("BTC-PERP"), 3, "buy", "0.25", limit="4010"))
    client.submit_request(fill(client.market("BTC-PERP"), buyer=3, seller=5))

A call is open while a market that left its price band is in auction. An order is binding until the
call is over; once the law found the price, anyone may fill a buyer and a seller against each other.
"""

from __future__ import annotations

from clearing.codes import Kind, Side
from clearing.requests import Request
from novatio.errors import BadRequest
from novatio.orders import Market, Number
from novatio.pool import Owned

__all__ = ["fill", "order"]


def order(market: Market, account: int, side: str, size: Number, limit: Number) -> Owned:
    """Order ``size`` of a market's underlying at ``limit`` or better, for the call that is open.

    ``side`` is buy or sell. Raises BadRequest for another, for a size that is not whole lots, or a
    limit that is not on the tick.
    """
    if side not in ("buy", "sell"):
        raise BadRequest(f"side: expected buy or sell, was {side!r}")
    values = {
        "account": account,
        "instrument": market.instrument,
        "side": int(Side.BUY if side == "buy" else Side.SELL),
        "lots": market.lots(size),
        "price": market.price_micro(limit),
    }
    return Owned(Kind.CALL_ORDER, values)


def fill(market: Market, buyer: int, seller: int) -> Request:
    """Fill the orders of two accounts against each other, as far as the call's price executes."""
    return Request.of(Kind.CALL_FILL, buyer=buyer, seller=seller, instrument=market.instrument)
