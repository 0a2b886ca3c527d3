"""What the law lets anybody do and nobody does by itself: what a keeper sends without a signature.

Each duty looks at accounts and markets as a node tells them and returns the actions that are due;
the law decides whether they are. Clocks are in ms of the law's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clearing.codes import InstrumentKind, InstrumentStatus, Kind, Operation
from clearing.genesis import nobodys_address
from clearing.owner_groups import EVERYWHERE, group_limit
from clearing.requests import Request
from clearing.units import GROUP_ACCOUNTS_MAX
from node.v1 import node_pb2 as pb

__all__ = [
    "View",
    "auctions",
    "call_fills",
    "checks",
    "expiries",
    "fundings",
    "is_failing",
    "marks",
    "settlements",
    "shares",
    "takeovers",
]

# The feed funds its markets; the keeper those that it left for so long.
FUNDING_LATE_MS: Final = 600_000


@dataclass(frozen=True)
class View:
    """What a keeper sees in one look."""

    accounts: Sequence[pb.Account]
    markets: Mapping[int, pb.Instrument]
    params: Mapping[str, Any]  # the law's record, by field
    pools: Sequence[pb.Pool]
    clock_ms: int
    token: int  # of the log, up to which it was read at least


def is_failing(account: pb.Account) -> bool:
    """Tell whether an account is below its maintenance margin."""
    return account.margin.equity_micro < account.margin.maintenance_micro


def call_fills(view: View) -> list[Request]:
    """Return fills that execute all that the prices of open calls execute.

    Buyers and sellers are paired in order; two accounts of one owner are never filled against each
    other, but each against the next.
    """
    found = []
    for market in view.markets.values():
        if not market.HasField("call") or not market.call.found:
            continue
        buyers, sellers = ([one for one in _orders(view, market.id, s)] for s in (1, -1))
        found += [
            Request.of(Kind.CALL_FILL, buyer=buyer, seller=seller, instrument=market.id)
            for buyer, seller in _pairs(buyers, sellers)
        ]
    return found


def _orders(view: View, instrument: int, sign: int) -> Iterator[list[Any]]:
    for account in view.accounts:
        order = account.call_order
        if order.left_lots and order.instrument == instrument and order.lots * sign > 0:
            yield [account.id, bytes(account.owner), order.left_lots]


def _pairs(buyers: list[list[Any]], sellers: list[list[Any]]) -> Iterator[tuple[int, int]]:
    for buyer in buyers:
        for seller in sellers:
            if buyer[2] and seller[2] and buyer[1] != seller[1]:
                lots = min(buyer[2], seller[2])
                buyer[2] -= lots
                seller[2] -= lots
                yield buyer[0], seller[0]


def expiries(view: View) -> list[Request]:
    """Return an expiry for each dated market whose time has come."""
    return [
        Request.of(Kind.EXPIRE, instrument=market.id)
        for market in view.markets.values()
        if 0 < market.expiry_ms <= view.clock_ms and market.status < InstrumentStatus.SETTLING
    ]


def settlements(view: View) -> list[Request]:
    """Return a settlement for every position in a market that settles."""
    return [
        Request.of(Kind.SETTLE, account=account.id, instrument=position.instrument)
        for account in view.accounts
        for position in account.positions
        if view.markets[position.instrument].status == InstrumentStatus.SETTLING
    ]


def fundings(view: View) -> list[Request]:
    """Return a funding for each perpetual with positions that nobody funded for long.

    Only a price since the last one gives it a premium to go by.
    """
    late = int(view.params["funding_interval_ms"]) + FUNDING_LATE_MS
    return [
        Request.of(Kind.FUNDING, instrument=market.id)
        for market in view.markets.values()
        if market.kind == InstrumentKind.PERPETUAL
        and market.status <= InstrumentStatus.REDUCE_ONLY
        and market.open_interest_lots
        and market.price_time_ms > market.funding_time_ms
        and view.clock_ms - market.funding_time_ms >= late
    ]


def auctions(view: View) -> list[Request]:
    """Return an auction start for each failing account without one, and an end for the others."""
    return [
        Request.of(Kind.AUCTION_START, account=account.id)
        for account in view.accounts
        if account.positions and is_failing(account) != bool(account.auction_time_ms)
    ]


def _past_auction(view: View, account: pb.Account) -> bool:
    age = view.clock_ms - account.auction_time_ms
    return bool(account.auction_time_ms) and age >= int(view.params["auction_fast_ms"])


def _unsold(view: View, account: pb.Account, instrument: int) -> bool:
    if is_failing(account):
        return _past_auction(view, account)
    offer, slow = account.offered_close, int(view.params["auction_slow_ms"])
    age = view.clock_ms - offer.time_ms
    return bool(offer.lots) and offer.instrument == instrument and slow < age <= 2 * slow


def takeovers(view: View) -> list[Request]:
    """Return a takeover by each pool that might, of each leg that found no buyer: no auction sold
    it, or no keeper took it of a forced close."""
    return [
        Request.of(Kind.POOL_TAKEOVER, account=account.id, pool=pool, instrument=leg.instrument)
        for account in view.accounts
        for leg in account.positions
        if _unsold(view, account, leg.instrument)
        for pool in range(len(view.pools))
        if view.markets[leg.instrument].pool in (0, pool + 1)
    ]


def shares(view: View) -> list[Request]:
    """Return the sweeps to open for bankrupt accounts, one a market at most.

    Deleverage for the largest leg of one whose auction found nobody; socialise for one without
    positions, where debts stand.
    """
    found: dict[int, Request] = {}
    for account in view.accounts:
        if account.margin.equity_micro >= 0:
            continue
        mode, wanted = Operation.SOCIALISE, [m.id for m in view.markets.values() if m.debt_micro]
        if account.positions:
            if not _past_auction(view, account):
                continue
            largest = max(account.positions, key=lambda leg: abs(leg.value_micro))
            mode, wanted = Operation.DELEVERAGE, [largest.instrument]
        for instrument in wanted:
            if not view.markets[instrument].HasField("sweep") and instrument not in found:
                found[instrument] = Request.of(
                    Kind.SWEEP_OPEN, instrument=instrument, account=account.id, mode=int(mode)
                )
                break
    return list(found.values())


def marks(view: View) -> list[Request]:
    """Return a marking to market of every account that holds perpetuals or futures, losers first.

    What winners are paid is what losers were found to have lost.
    """
    holders = [
        (sum(leg.value_micro - leg.entry_cost_micro for leg in account.positions), account.id)
        for account in view.accounts
        if any(view.markets[leg.instrument].kind < InstrumentKind.CALL for leg in account.positions)
    ]
    return [Request.of(Kind.MARK_TO_MARKET, account=id) for _, id in sorted(holders)]


def checks(
    accounts: Iterable[pb.Account], caps: Mapping[int, int], group_ppm: int, until_ms: int
) -> list[Request]:
    """Return an owner check for every owner who holds more of a market than the limit.

    ``caps`` are position caps by market, ``group_ppm`` the owners' limit as a share of them. A
    check names up to 48 accounts, the largest first, and with room left also those that hold
    nothing there. Owners whose accounts are all held until ``until_ms`` or later are left out.
    """
    owned: dict[bytes, list[pb.Account]] = {}
    for account in accounts:
        if account.owner != nobodys_address(account.id):
            owned.setdefault(account.owner, []).append(account)
    found = []
    for mine in owned.values():
        held: dict[int, dict[int, int]] = {}
        for account in mine:
            for position in account.positions:
                held.setdefault(position.instrument, {})[account.id] = abs(position.lots)
        for instrument, lots in held.items():
            limit, _ = group_limit(caps[instrument], group_ppm)
            largest = sorted((-lots.get(one.id, 0), one.id) for one in mine)[:GROUP_ACCOUNTS_MAX]
            named = sorted(id for _, id in largest)
            if -sum(size for size, _ in largest) <= limit:
                continue
            due = [one for one in mine if _held_until(one, instrument) < until_ms]
            if any(one.id in named for one in due):
                found.append(Request.of(Kind.OWNER_CHECK, payload=named, instrument=instrument))
    return found


def _held_until(account: pb.Account, instrument: int) -> int:
    here = account.hold_instrument in (instrument, EVERYWHERE)
    return account.hold_until_ms if here else 0
