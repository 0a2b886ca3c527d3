"""What a keeper does with what it took over: it closes it, and never at any price.

In this order: against signed orders that it was given, as files in a directory; against a pool; and
in the call of a market that is in auction. Everything only reduces, and no lot goes for worse than
the mark less (a short: plus) the loss that the keeper bears at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from clearing.codes import InstrumentStatus, Kind, Side
from clearing.units import PPM
from node.v1 import node_pb2 as pb
from novatio.client import Client
from novatio.errors import BadRequest, NovatioError
from novatio.keeper_duties import View
from novatio.orders import SignedOrder
from novatio.tradefile import OrderFile, signed_order

__all__ = ["OfferedOrder", "OrderFileOfMarket", "at_auction", "at_pools", "fitting", "read_orders"]

_ORDER_LIFE_MS = 600_000


class OrderFileOfMarket(OrderFile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signed order that anyone may fill: an order of a trade file, and its market."""

    instrument: str | int


@dataclass(frozen=True)
class OfferedOrder:
    """A counterparty's order and the file it stands in."""

    path: Path
    order: SignedOrder


def read_orders(
    client: Client, directory: Path, spent: set[Path]
) -> Iterator[OfferedOrder | BadRequest]:
    """Yield the orders in a directory's JSON files, or why one is none, which then is spent too."""
    for path in sorted(directory.glob("*.json")):
        if path in spent:
            continue
        try:
            file = msgspec.json.decode(path.read_bytes(), type=OrderFileOfMarket, strict=False)
            if file.signature is None:
                raise BadRequest("expected a signature, was none")
            yield OfferedOrder(path, signed_order(client, file.instrument, file, None))
        except (OSError, msgspec.DecodeError, NovatioError) as error:
            spent.add(path)
            yield BadRequest(f"order in {path}: {error}", next_step="novatio trade offer --help")


def worst_price(market: pb.Instrument, lots: int, loss_ppm: int) -> int:
    """Return the worst price on the tick at which lots held are closed: a long's lowest."""
    loss = market.mark_price_micro * loss_ppm // PPM
    tick = market.tick_micro
    if lots > 0:
        return max(tick, -(-(market.mark_price_micro - loss) // tick) * tick)
    return (market.mark_price_micro + loss) // tick * tick


def fitting(
    position: pb.Position, worst_micro: int, keeper: int, offered: Iterable[OfferedOrder]
) -> list[OfferedOrder]:
    """Return the orders that would close lots of a position no worse than a price, best first."""
    side = Side.BUY if position.lots > 0 else Side.SELL
    sign = 1 if position.lots > 0 else -1
    fit = [
        one
        for one in offered
        if one.order.instrument == position.instrument
        and one.order.order.account != keeper
        and one.order.side == side
        and (one.order.order.limit_price - worst_micro) * sign >= 0
    ]
    return sorted(fit, key=lambda one: -sign * one.order.order.limit_price)


def at_pools(
    view: View, position: pb.Position, worst_micro: int
) -> Iterator[tuple[Kind, Mapping[str, int]]]:
    """Yield trades with pools that close lots: all in a pool's market, else what a sleeve holds."""
    market = view.markets[position.instrument]
    accounts = {account.id: account for account in view.accounts}
    left = abs(position.lots)
    for pool in view.pools:
        lots = left
        if market.pool == 0:
            held = accounts[pool.sleeve].positions if pool.sleeve in accounts else ()
            sleeve = sum(leg.lots for leg in held if leg.instrument == market.id)
            lots = min(left, abs(sleeve)) if sleeve * position.lots < 0 else 0
        elif market.pool != pool.id + 1:
            continue
        if lots:
            left -= lots
            side = Side.SELL if position.lots > 0 else Side.BUY
            yield (
                Kind.POOL_TRADE,
                {
                    "pool": pool.id,
                    "instrument": market.id,
                    "side": int(side),
                    "lots": lots,
                    "price": worst_micro,
                },
            )


def at_auction(
    view: View, keeper: pb.Account, position: pb.Position, worst_micro: int
) -> Iterator[tuple[Kind, Mapping[str, int]]]:
    """Yield the order that closes a position in its market's call, unless one stands."""
    market = view.markets[position.instrument]
    open_until = market.auction_end_ms
    if (
        market.status == InstrumentStatus.AUCTION
        and not market.pool
        and view.clock_ms < open_until
        and not keeper.HasField("call_order")
    ):
        side = Side.SELL if position.lots > 0 else Side.BUY
        yield (
            Kind.CALL_ORDER,
            {
                "instrument": market.id,
                "side": int(side),
                "lots": abs(position.lots),
                "price": worst_micro,
            },
        )
