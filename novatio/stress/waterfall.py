"""What keepers and anybody else do about failing accounts, in the order that the law prescribes.

1. keepers take lots at mark less the penalty; 2. a Dutch auction of slices; 3. collateral is sold;
4. insurance pays (inside the actions of the others); 5. a pool's sleeve takes the position over;
6. winners are deleveraged; 7. winners pay. Every function offers an action and looks at what the
law said; none decides anything that the law decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clearing.codes import Code, Kind, Operation, Phase
from clearing.units import AMOUNT_MAX, LOTS_MAX, PPM, SHARES_BASE, SWEEP_ACCOUNTS_MAX
from novatio.stress.scenario import Tick
from novatio.stress.world import MINUTE_MS, Actor, World

__all__ = ["Rescue", "follow", "publish", "settle"]

HOUR_MS: Final = 60 * MINUTE_MS
QUIET_MS: Final = 4 * MINUTE_MS
PARTS: Final = (1, 8, 64)  # of a position, that are asked for in turn
BID_PPM: Final = 970_000  # of what an account is worth: what bidders pay at most


# What a keeper with more capital, or less of the position, might still do.
TOO_LARGE: Final = (Code.MARGIN, Code.POSITION_CAP, Code.OWNER_LIMIT)


@dataclass(slots=True)
class Rescue:
    """Who stands by: keepers with capital, bidders, and traders who buy what keepers took over."""

    keepers: Sequence[Actor] = ()
    bidders: Sequence[Actor] = ()
    buyers: Sequence[Actor] = ()
    pools: Sequence[int] = ()
    _full: set[int] = field(default_factory=set)  # who can carry no more in this round

    def round(self, world: World) -> None:
        """Offer every failing account what is due to it now, and let keepers sell."""
        self._full.clear()
        for account in world.failing():
            self.partial_close(world, account)
        for account in world.failing():
            self.auction(world, account)
        for account in world.owing():
            self.convert(world, account)
        for account in world.failing():
            self.take_over(world, account)
        for account in world.failing():
            share_out(world, account)
        self.sell_inventory(world)

    def partial_close(self, world: World, account: int) -> None:
        """Keepers take over lots, largest position first, until the account is healthy."""
        for market in world.markets_of(account):
            for keeper in self._able(self.keepers, account):
                if not world.is_failing(account):
                    return
                if self._liquidate(world, keeper, account, market) not in TOO_LARGE:
                    break

    def _able(self, actors: Sequence[Actor], account: int) -> list[Actor]:
        return [a for a in actors if a.account != account and a.account not in self._full]

    def _liquidate(self, world: World, keeper: Actor, account: int, market: int) -> Code:
        """Offer to take all; a keeper with too little capital then asks for less."""
        lots = min(abs(world.lots(account, market)), LOTS_MAX)
        code = Code.MARGIN
        for part in PARTS:
            if code not in TOO_LARGE:
                return code
            offer = world.request(
                Kind.LIQUIDATE,
                keeper.key,
                keeper=keeper.account,
                account=account,
                instrument=market,
                lots=max(1, lots // part),
            )
            code = world.apply(offer, "partial_close", (keeper.account, account), (market,))
        if code in TOO_LARGE:
            self._full.add(keeper.account)
        return code

    def auction(self, world: World, account: int) -> None:
        """Open an account's auction, and bid for as much of it as a bidder can carry."""
        if not world.markets_of(account):
            return
        if not world.account(account).auction_time:
            start = world.request(Kind.AUCTION_START, account=account)
            if world.apply(start, "auction", (account,)) != Code.APPLIED:
                return
        for bidder in self._able(self.bidders, account):
            code = Code.MARGIN
            for part in PARTS:
                if code not in TOO_LARGE or not world.is_failing(account):
                    return
                code = self._bid(world, bidder, account, PPM // part)
            if code in TOO_LARGE:
                self._full.add(bidder.account)

    def _bid(self, world: World, bidder: Actor, account: int, fraction_ppm: int) -> Code:
        bid = world.request(
            Kind.AUCTION_BID,
            bidder.key,
            bidder=bidder.account,
            account=account,
            fraction_ppm=fraction_ppm,
            limit=max(0, world.equity(account)) * BID_PPM // PPM,
        )
        return world.apply(bid, "auction", (bidder.account, account))

    def convert(self, world: World, account: int) -> None:
        """Keepers buy the collateral of an account that owes cash."""
        row = world.account(account)
        assets = [int(one.asset) for one in row.collaterals[: row.collateral_count]]
        for asset in assets:
            if asset >= SHARES_BASE:
                continue
            for keeper in self.keepers:
                sale = world.request(
                    Kind.CONVERT,
                    keeper.key,
                    keeper=keeper.account,
                    account=account,
                    asset=asset,
                    amount=AMOUNT_MAX,
                )
                code = world.apply(sale, "collateral", (keeper.account, account))
                if code != Code.TRANSFER_MARGIN:
                    break

    def take_over(self, world: World, account: int) -> None:
        """Let the pools' sleeves take what the auction has not sold."""
        for pool in self.pools:
            for market in world.markets_of(account):
                if world.is_failing(account):
                    parties = (account, *world.pool_accounts(pool))
                    action = world.request(
                        Kind.POOL_TAKEOVER, account=account, pool=pool, instrument=market
                    )
                    world.apply(action, "sleeve", parties, (market,))

    def sell_inventory(self, world: World) -> None:
        """Keepers close what they hold against traders whose own positions shrink by it."""
        for keeper in self.keepers:
            held = [(m, lots) for (a, m), lots in world.now.lots.items() if a == keeper.account]
            for market, lots in held:
                for buyer in self.buyers:
                    lots = world.lots(keeper, market)
                    against = world.lots(buyer, market)
                    if lots * against >= 0:
                        continue
                    size = min(abs(lots), abs(against))
                    if lots > 0:
                        world.trade(buyer, keeper, size, instrument=market)
                    else:
                        world.trade(keeper, buyer, size, instrument=market)


def share_out(world: World, account: int) -> None:
    """Deleverage winners against a bankrupt account; once it is flat, let winners pay its debt."""
    for market in world.markets_of(account):
        if world.equity(account) < 0:
            _sweep(world, account, market, Operation.DELEVERAGE)
    if world.equity(account) < 0 and not world.markets_of(account):
        for market in range(int(world.totals.instrument_count)):
            if world.equity(account) < 0:
                _sweep(world, account, market, Operation.SOCIALISE)


def _sweep(world: World, account: int, market: int, operation: Operation) -> None:
    """Open a sweep, tally all holders from the highest id down, apply chunk by chunk, close."""
    stage = operation.name.lower()
    named: dict[str, Any] = {"instrument": market, "account": account}

    def act(kind: Kind, payload: Sequence[int] = (), **fields: int) -> Code:
        action = world.request(kind, payload=payload, **fields)
        return world.apply(action, stage, (account,), (market,))

    opened = act(Kind.SWEEP_OPEN, **named, mode=operation)
    if opened != Code.APPLIED or not world.instrument(market).operation:
        return
    world.audit.open_sweep(market, account)
    chunks = _tally(world, market, act)
    while chunks:
        ids, stack = chunks.pop()
        before = world.now
        act(Kind.SWEEP_APPLY, [*reversed(ids), *stack], **named)
        world.audit.close_lots(market, account, before)
    act(Kind.SWEEP_CLOSE, **named)


def _tally(
    world: World, market: int, act: Callable[..., Code]
) -> list[tuple[list[int], list[int]]]:
    """Tally until the law has seen every holder; return each chunk and the stack below it."""
    chunks: list[tuple[list[int], list[int]]] = []
    row = world.instrument(market)
    while row.phase == Phase.TALLY:
        stack = [int(piece) for piece in row.chunks]
        if not any(stack):
            chunks.clear()  # the law began the tally again with coarser weights
        side, cursor = int(row.side), int(row.cursor)
        holders = [
            holder
            for (holder, instrument), lots in world.now.lots.items()
            if instrument == market and lots * side > 0 and holder < cursor
        ]
        ids = sorted(holders, reverse=True)[:SWEEP_ACCOUNTS_MAX]
        if act(Kind.SWEEP_TALLY, ids, instrument=market) != Code.APPLIED:
            break
        chunks.append((ids, stack))
    return chunks


def publish(world: World, tick: Tick, start: int, instrument: int = 0) -> Code:
    """Let time pass and publish a tick of a course that began at ``start``."""
    world.wait(tick.wait_ms)
    return world.price(max(1, start * tick.price_ppm // PPM), instrument)


def follow(world: World, course: Sequence[Tick], rescue: Rescue, instrument: int = 0) -> None:
    """Publish a course of prices; the rescue has its round after each."""
    start = world.mark(instrument)
    for tick in course:
        publish(world, tick, start, instrument)
        rescue.round(world)


def settle(world: World, rescue: Rescue, hours: int = 1) -> int:
    """Repeat the last price every four minutes until nobody fails; return the rounds it took.

    The prices are never so far apart that the law would see an outage.
    """
    most = hours * HOUR_MS // QUIET_MS
    for rounds in range(most):
        if not world.failing():
            return rounds
        world.wait(QUIET_MS)
        world.price(world.mark())
        rescue.round(world)
    return most
