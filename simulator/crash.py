"""Gamblers on a market that leaps: gaps, calls, bankrupts, auctions of accounts, and sweeps.

Its price mostly drifts and now and then runs, by more than margins bear and beyond the band, so
that all that the law knows of failure happens in ordinary seeds: also too early, and twice.
What the gamblers do stays on their market, as with the guests of `simulator.explorer`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from clearing.codes import Code, InstrumentStatus, Kind, Operation, Phase, Side, Tag
from clearing.keccak import pieces, tagged_hash
from clearing.units import PPM
from node.events import Reply
from node.margins import margin_of
from simulator.client import Client
from simulator.market import (
    CRASH,
    FAR_MS,
    PUBLISHERS,
    QUORUM,
    WIDE_PRICE,
    Member,
    asked,
    on_tick,
    order_of,
    price_action,
    trade,
)

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 500
PRICE_EVERY_MS = 1_000
RUN_CHANCE = 0.15
RUN_PPM = (50_000, 60_000, 70_000, 80_000, 120_000, 170_000)  # below the jump that the law takes
DRIFT_PPM = 15_000
LEVERAGE = 10
FACTOR_MAX = 8
STAKES = (10**8, 10**9)
POOR = 2 * 10**7
REFILL_CHANCE = 0.3
CALLED_PPM = 40_000  # how far beyond the mark an order in a call goes
NAMED_MAX = 16  # newest tallies that an apply may be about
EMPTY = (0, 0, 0, 0)
Actions = tuple[bytes, ...]


class Crash:
    """Prices, trades and chores of the one market."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("crash")
        self.client = Client(world, "crash")
        self.price = WIDE_PRICE
        self.finished = False
        self._run: list[int] = []
        self._named: list[tuple[int, ...]] = []

    def start(self) -> None:
        """Begin to publish and to gamble."""
        self._world.after(40, "crash", "publish", self._publish)
        self._world.after(PACE_MS, "crash", "act", self._act)

    def _publish(self) -> None:
        if self.finished:
            return
        self._world.after(PRICE_EVERY_MS, "crash", "publish", self._publish)
        if self._world.is_quiet:
            return
        if not self._run and self._chance.random() < RUN_CHANCE:
            way = self._chance.choice([-1, 1])
            steps = self._chance.randint(1, 4)
            self._run = [way * self._chance.choice(RUN_PPM) for _ in range(steps)]
        drift = self._chance.randint(-DRIFT_PPM, DRIFT_PPM)
        moved = self.price * (PPM + (self._run.pop() if self._run else drift)) // PPM
        price = on_tick(min(max(moved, WIDE_PRICE // FACTOR_MAX), WIDE_PRICE * FACTOR_MAX))
        names = list(PUBLISHERS[:QUORUM])
        action = price_action(CRASH, price, [price] * QUORUM, self._world.now, names)
        self.client.submit(action, done=partial(self._published, price))

    def _published(self, price: int, reply: Reply) -> None:
        if reply.codes[0] == Code.APPLIED:
            self.price = price

    def _act(self) -> None:
        if self.finished:
            return
        self._world.after(self._chance.randint(1, 2 * PACE_MS), "crash", "act", self._act)
        sequencer, traders = self._world.node.sequencer, self._world.traders
        if sequencer is None or self._world.is_quiet:
            return
        # A node that lay down may not know whom the base layer knows.
        known = int(sequencer.engine.totals.account_count)
        everyone = (*traders.gamblers, *traders.guests)
        if any(one.account is None or one.account >= known for one in everyone):
            return
        state = cast(Any, sequencer.engine.state)
        market = state.instruments[CRASH]
        if market.operation in (Operation.DELEVERAGE, Operation.SOCIALISE):
            self._submit(self._swept(state, market))
        elif market.status == InstrumentStatus.AUCTION:
            self._submit(self._called(state, market))
        else:
            self._submit(self._gamble(state))
        self._submit(self._failing(state))

    def _submit(self, actions: Iterator[bytes]) -> None:
        for action in actions:
            self.client.submit(action)

    def _of(self, one: Member, kind: Kind, fields: dict[str, int], field: str = "account") -> bytes:
        common = {field: one.id, "sequence": one.next_sequence(), "expiry": FAR_MS}
        return asked(kind, one.name, payload=(), **common | fields)

    # Trading

    def _gamble(self, state: Any) -> Iterator[bytes]:
        """One who always buys and one who always sells, as much as the poorer one's margin bears.

        Who has nothing left brings more.
        """
        gamblers = self._world.traders.gamblers
        pair = [self._chance.choice(gamblers[::2]), self._chance.choice(gamblers[1::2])]
        margins = [margin_of(state, one.id) for one in pair]
        for one, margin in zip(pair, margins, strict=True):
            if margin.equity < POOR and self._chance.random() < REFILL_CHANCE:
                self._world.traders.deposit(one, self._chance.choice(STAKES))
        free = min(int(margin.equity - margin.initial) for margin in margins)
        share = self._chance.randint(30, 98)
        lots = max(free, 0) * LEVERAGE * share // (100 * self.price)
        yield self._trade(pair, max(lots, 1))

    def _trade(self, pair: list[Member], lots: int) -> bytes:
        orders = [order_of(one, lots, self.price, 7) for one in pair]
        sides = (pair[0].name, orders[0]), (pair[1].name, orders[1])
        return trade(*sides, instrument=CRASH, lots=lots, price=self.price, maker_side=Side.BUY)

    def _called(self, state: Any, market: Any) -> Iterator[bytes]:
        """Orders for the call, one too many, their fills, and what has to wait meanwhile."""
        gamblers = self._world.traders.gamblers
        for place, one in enumerate(gamblers):
            if self._chance.random() < 0.5:
                side, way = (Side.BUY, 1) if place % 2 else (Side.SELL, -1)
                limit = on_tick(self.price * (PPM + way * CALLED_PPM) // PPM)
                lots = self._chance.randint(1, 3)
                fields = {"instrument": CRASH, "side": side, "lots": lots, "price": limit}
                yield self._of(one, Kind.CALL_ORDER, fields)
        if market.operation == Operation.CALL:
            buyers, sellers = gamblers[1::2], gamblers[::2]
            for buyer in buyers:
                seller = self._chance.choice(sellers)
                yield asked(Kind.CALL_FILL, buyer=buyer.id, seller=seller.id, instrument=CRASH)
        match self._chance.randrange(3):
            case 0:
                names = PUBLISHERS[:QUORUM]
                fields = {"instrument": CRASH, "price": self.price, "time": self._world.now}
                yield asked(Kind.UNCROSS, *names, payload=(), **fields)
            case 1:
                guest, other = self._world.traders.guests[0], self._chance.choice(gamblers)
                fields = {"account": other.id, "instrument": CRASH, "lots": 1}
                yield self._of(guest, Kind.LIQUIDATE, fields, "keeper")
            case _:
                yield self._trade(self._chance.sample(gamblers, 2), 1)

    # Failure

    def _failing(self, state: Any) -> Iterator[bytes]:
        """A step against each who fails: mostly the next one of the waterfall, or any other."""
        traders = self._world.traders
        for one in traders.gamblers:
            margin = margin_of(state, one.id)
            if not margin.valid or margin.equity >= margin.maintenance:
                continue
            row = state.accounts[one.id]
            if self._chance.random() < 0.3:
                # Whatever follows, everybody sees that somebody is after him.
                yield asked(Kind.AUCTION_START, account=one.id)
            if not row.position_count:
                yield asked(Kind.SWEEP_OPEN, instrument=CRASH, account=one.id, mode=2)
                continue
            bidder = self._chance.choice(traders.guests)
            match self._chance.randrange(6):
                case 0:
                    yield asked(Kind.AUCTION_START, account=one.id)
                case 1 | 2:
                    limit = self._chance.choice([0, 0, 10**12])
                    fields = {"account": one.id, "fraction_ppm": PPM // 4, "limit": limit}
                    yield self._of(bidder, Kind.AUCTION_BID, fields, "bidder")
                case 3:
                    fields = {"account": one.id, "pool": 0, "instrument": CRASH}
                    yield asked(Kind.POOL_TAKEOVER, payload=(), **fields)
                case _:
                    yield asked(Kind.SWEEP_OPEN, instrument=CRASH, account=one.id, mode=1)

    # Sweeps

    def _swept(self, state: Any, market: Any) -> Iterator[bytes]:
        """The next step of the sweep, and one that is not its turn."""
        holders = self._holders(state, int(market.side))
        steps = [self._tally(holders), self._apply(market), self._trade_now()]
        if market.phase == Phase.TALLY:
            yield from self._tally(holders)
        else:
            yield from self._apply(market)
        yield from self._chance.choice(steps)
        yield asked(Kind.SWEEP_CLOSE, instrument=CRASH, account=int(market.bankrupt))

    def _trade_now(self) -> Iterator[bytes]:
        yield self._trade(self._chance.sample(self._world.traders.gamblers, 2), 1)

    def _holders(self, state: Any, side: int) -> tuple[int, ...]:
        """Return who holds a side of the market, from the highest id down."""
        found = [
            row
            for row in range(int(state.globals[0].account_count))
            for one in state.accounts[row].positions[: int(state.accounts[row].position_count)]
            if int(one.instrument) == CRASH and int(one.lots) * side > 0
        ]
        return tuple(reversed(found))

    def _tally(self, holders: tuple[int, ...]) -> Iterator[bytes]:
        # Few hold the market; whom one tally cannot name, the next one does.
        payload = holders[:6]
        if payload:
            self._named = [*self._named[-NAMED_MAX:], payload]
            yield asked(Kind.SWEEP_TALLY, payload=payload, instrument=CRASH)

    def _apply(self, market: Any) -> Iterator[bytes]:
        """The chunk on top of the market's stack, if it is one of those that were named lately."""
        top = tuple(int(piece) for piece in market.chunks)
        below = [EMPTY, *(stacked(EMPTY, chunk) for chunk in self._named)]
        for chunk in reversed(self._named):
            for before in below:
                if stacked(before, chunk) == top:
                    yield self._applied(int(market.bankrupt), (*reversed(chunk), *before))
                    return
        if self._named and market.phase == Phase.TALLY:
            yield self._applied(int(market.bankrupt), (*self._named[-1], *EMPTY))

    def _applied(self, bankrupt: int, payload: tuple[int, ...]) -> bytes:
        return asked(Kind.SWEEP_APPLY, payload=payload, instrument=CRASH, account=bankrupt)


def stacked(before: tuple[int, ...], chunk: tuple[int, ...]) -> tuple[int, ...]:
    """Return the top of a sweep's hash stack after a chunk was put on it."""
    words = b"".join(piece.to_bytes(8, "big", signed=True) for piece in (*before, *chunk))
    return tuple(int(piece) for piece in pieces(tagged_hash(Tag.SWEEP, words)))
