"""Dealing with pools of liquidity providers: requests in the units that people use.

    client.submit_owned(deposit(account=3, pool=0, amount="250"))
    client.submit_owned(trade(client.market("BTC-PERP"), 3, 0, "buy", "0.25", limit="4010"))

Amounts are of the settlement asset, sizes and prices of the underlying; shares are counted in
ones, a thousand of them a micro-quote in an empty pool.
"""

from __future__ import annotations

from typing import NamedTuple

from clearing.codes import Kind, Side
from clearing.units import PRICE_MAX
from novatio.errors import BadRequest
from novatio.orders import Market, Number, micro

__all__ = ["Owned", "deposit", "trade", "withdraw"]


class Owned(NamedTuple):
    """A request of an account's owner, but for its sequence, its expiry and its signature."""

    kind: Kind
    values: dict[str, int]


def deposit(account: int, pool: int, amount: Number, min_shares: int = 0) -> Owned:
    """Buy shares of a pool for an amount; fewer than ``min_shares`` are refused by the law."""
    values = {"account": account, "pool": pool, "amount": micro(amount), "limit": min_shares}
    return Owned(Kind.POOL_DEPOSIT, values)


def withdraw(account: int, pool: int, shares: int, min_amount: Number = 0) -> Owned:
    """Sell shares of a pool; less than ``min_amount`` is refused by the law."""
    limit = micro(min_amount) if min_amount else 0
    values = {"account": account, "pool": pool, "amount": shares, "limit": limit}
    return Owned(Kind.POOL_WITHDRAW, values)


def trade(
    market: Market, account: int, pool: int, side: str, size: Number, limit: Number | None = None
) -> Owned:
    """Trade with a pool at the mark and the price impact, no worse than ``limit`` on average.

    ``side`` is buy or sell. Raises BadRequest for another, or for a size that is not whole lots.
    """
    if side not in ("buy", "sell"):
        raise BadRequest(f"side: expected buy or sell, was {side!r}")
    any_price = PRICE_MAX if side == "buy" else 1
    price = any_price if limit is None else market.price_micro(limit, whole_ticks=False)
    values = {
        "account": account,
        "pool": pool,
        "instrument": market.instrument,
        "side": int(Side.BUY if side == "buy" else Side.SELL),
        "lots": market.lots(size),
        "price": price,
    }
    return Owned(Kind.POOL_TRADE, values)
