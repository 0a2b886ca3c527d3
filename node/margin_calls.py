"""Margin calls: who falls below a multiple of a requirement, frame by frame, and by which market.

Read from the ledger, never from the sequencer's state, so that watching a hundred thousand accounts
costs the hot path nothing. After a frame only those accounts are measured that an action touched,
or that hold a market whose mark, funding or margin fraction moved.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, cast

import grpc
import numpy as np

from clearing.compiler import law, law_entry
from clearing.keccak import to_bytes
from clearing.layout import Rows, new_rows
from clearing.margin import NO_DRAFT, measure
from clearing.marks import mark_price
from clearing.records import Account, State
from clearing.units import PPM
from clearing.valuation import initial_fraction_ppm
from clearing.wide import mul_div_ceil
from node.events import Publish
from node.follower import RETRY_MS, SECONDS_MAX, Follower
from node.gate import Refused, malformed
from node.ledger import Ledger
from node.shell import Shell
from node.tail import TailLagged
from node.v1 import node_pb2

Pieces = np.ndarray[Any, np.dtype[np.int64]]

MULTIPLE_PPM_MAX = 100 * PPM
HEARTBEAT_MS = 1000
HEARTBEAT_MS_MIN = 100
WATCHES_SPARE = 8  # thresholds that are remembered beside those that somebody watches
FRAMES_KEPT = 4096  # frames with calls that a watch remembers


class Basis(IntEnum):
    """The requirement that equity is compared with; the numbers are those of the wire."""

    MAINTENANCE = 1
    INITIAL = 2


class CallStatus(IntEnum):
    """What a call says; the numbers are those of the wire."""

    RAISED = 1
    STANDING = 2
    MET = 3


class Market:
    """What an account's margin depends on in one instrument, and its mark at the last look."""

    mark_before: int
    mark: int
    index_high: int
    index_low: int
    initial_ppm: int
    moved: int


class Measures(NamedTuple):
    """Margin by account in micro-quote; `rows` are those measured last."""

    equity: Pieces
    initial: Pieces
    maintenance: Pieces
    rows: Pieces


@law_entry
def measure_moved(
    state: State,
    dirty: Rows[int],
    tables: Rows[int],
    markets: Rows[Market],
    measures: Measures,
) -> int:
    """Measure every account that is dirty or holds a market that moved; return how many.

    All of them if `tables` changed. Clears `dirty` and `tables`. An account whose numbers leave
    64 bits keeps its last ones.
    """
    anything = look_at_markets(state, markets)
    count = 0
    for row in range(state.globals[0].account_count):
        account = state.accounts[row]
        concerned = tables[0] == 1 or dirty[row] == 1
        if not concerned and not (anything and holds_moved(account, markets)):
            continue
        dirty[row] = 0
        equity, initial, maintenance, _, valid = measure(state, account, NO_DRAFT)
        if valid:
            measures.equity[row] = equity
            measures.initial[row] = initial
            measures.maintenance[row] = maintenance
            measures.rows[count] = row
            count += 1
    tables[0] = 0
    return count


@law
def look_at_markets(state: State, markets: Rows[Market]) -> bool:
    """Note what each market is now; return whether one moved."""
    anything = False
    for id in range(state.globals[0].instrument_count):
        instrument = state.instruments[id]
        market = markets[id]
        tier = state.params[0].tiers[instrument.tier]
        # The law scales by the mark that was published; an option's is the centre of its row.
        fraction = initial_fraction_ppm(tier, instrument.open_interest, instrument.mark_price)
        mark = mark_price(state, instrument)
        moved = (
            market.mark != mark
            or market.index_high != instrument.funding_high
            or market.index_low != instrument.funding_low
            or market.initial_ppm != fraction
        )
        market.mark_before = market.mark
        market.mark = mark
        market.index_high = instrument.funding_high
        market.index_low = instrument.funding_low
        market.initial_ppm = fraction
        market.moved = 1 if moved else 0
        anything = anything or moved
    return anything


@law
def holds_moved(account: Account, markets: Rows[Market]) -> bool:
    """Tell whether the account holds a market that moved."""
    for i in range(account.position_count):
        if markets[account.positions[i].instrument].moved == 1:
            return True
    return False


@law_entry
def find_crossings(
    measures: Measures,
    count: int,
    basis: int,
    multiple_ppm: int,
    below: Rows[int],
    crossed: Rows[int],
) -> int:
    """Judge the first `count` of `measures.rows`; list who crossed in `crossed`, return how many.

    `below` is 1 for an account whose equity does not cover the multiple of its requirement.
    """
    found = 0
    for k in range(count):
        row = measures.rows[k]
        requirement = measures.maintenance[row]
        if basis == Basis.INITIAL:
            requirement = measures.initial[row]
        threshold, fits = mul_div_ceil(requirement, multiple_ppm, PPM)
        now = 0 if fits and measures.equity[row] >= threshold else 1
        if now != below[row]:
            below[row] = now
            crossed[found] = row
            found += 1
    return found


@dataclass(slots=True)
class _Watch:
    """One threshold: who is below it, and the calls since `oldest`, each with its token."""

    basis: int
    multiple_ppm: int
    oldest: int
    below: Pieces
    calls: deque[tuple[int, list[Any]]] = field(default_factory=deque)
    used: float = 0.0

    def add(self, token: int, calls: list[Any]) -> None:
        self.calls.append((token, calls))
        if len(self.calls) > FRAMES_KEPT:
            self.oldest, _ = self.calls.popleft()


class MarginCalls:
    """Serves WatchMarginCalls; `streams` bounds how many calls may wait at the same time."""

    def __init__(
        self,
        shell: Shell,
        follower: Follower,
        streams: threading.BoundedSemaphore,
        streams_max: int,
    ) -> None:
        self._shell = shell
        self._follower = follower
        self._streams = streams
        self._streams_max = streams_max
        self._ledger: Ledger | None = None
        self._watches: dict[tuple[int, int], _Watch] = {}
        self._measures = _no_measures(0)
        self._markets = new_rows(Market, 0)
        follower.observers.append(self._observe)

    # What happens after a frame, on the thread that moves the ledger.

    def _observe(self, publish: Publish, ledger: Ledger) -> None:
        if ledger is not self._ledger or not self._watches:
            # Of another ledger nothing is known; whoever reads a watch finds it gone.
            self._watches.clear()
            return
        count = self._measure(ledger)
        token = publish.token + 1
        for watch in self._watches.values():
            rows = self._crossings(watch, count)
            if rows:
                watch.add(token, [self._call(watch, ledger, row, None) for row in rows])

    def _measure(self, ledger: Ledger) -> int:
        rows = int(ledger.memory.newest.shape[0])
        known = int(self._measures.rows.shape[0])
        if rows > known:
            more = np.zeros(rows - known, np.int64)
            self._measures = Measures(*(np.append(each, more) for each in self._measures))
            for watch in self._watches.values():
                watch.below = np.append(watch.below, more)
        listed = int(cast(Any, ledger.state.instruments).shape[0])
        if listed > int(cast(Any, self._markets).shape[0]):
            grown = new_rows(Market, listed)
            cast(Any, grown)[: cast(Any, self._markets).shape[0]] = self._markets
            self._markets = grown
        return _measured(ledger, self._markets, self._measures)

    def _crossings(self, watch: _Watch, count: int) -> list[int]:
        crossed = cast(Any, np.zeros(count, np.int64))
        below = cast(Any, watch.below)
        found = find_crossings(
            self._measures, count, watch.basis, watch.multiple_ppm, below, crossed
        )
        return sorted(crossed[:found].tolist())

    def _call(self, watch: _Watch, ledger: Ledger, row: int, status: CallStatus | None) -> Any:
        """Return the call of one account; `status` None means by what it is now."""
        account = cast(Any, ledger.state.accounts)[row]
        equity = int(self._measures.equity[row])
        initial = int(self._measures.initial[row])
        maintenance = int(self._measures.maintenance[row])
        requirement = initial if watch.basis == Basis.INITIAL else maintenance
        threshold = -(-requirement * watch.multiple_ppm // PPM)
        if status is None:
            status = CallStatus.RAISED if watch.below[row] else CallStatus.MET
        message = node_pb2.MarginCall(
            status=cast(Any, int(status)),
            account=row,
            owner=to_bytes(account.owner)[12:],
            sequence=ledger.sequence,
            time_ms=int(ledger.engine.totals.clock),
            equity_micro=equity,
            initial_micro=initial,
            maintenance_micro=maintenance,
            threshold_micro=min(threshold, (1 << 64) - 1),
            shortfall_micro=min(max(threshold - equity, 0), (1 << 64) - 1),
        )
        moved = self._moved_most(account) if status != CallStatus.STANDING else None
        if moved is not None:
            market = cast(Any, self._markets)[moved]
            message.moved_instrument = moved
            message.mark_before_micro = int(market.mark_before)
            message.mark_micro = int(market.mark)
        return message

    def _moved_most(self, account: Any) -> int | None:
        markets = cast(Any, self._markets)
        changes = [
            (
                abs(int(held.lots) * (int(market.mark) - int(market.mark_before))),
                -int(held.instrument),
            )
            for held in account.positions[: int(account.position_count)]
            for market in (markets[int(held.instrument)],)
        ]
        most, instrument = max(changes, default=(0, 0))
        return -instrument if most else None

    # Watches.

    def _watch(self, basis: int, multiple_ppm: int, ledger: Ledger) -> _Watch:
        """Return the watch of a threshold, begun now if nobody asked before."""
        if ledger is not self._ledger:
            self._watches.clear()
            self._ledger = ledger
        if not self._watches:
            rows = int(ledger.memory.newest.shape[0])
            markets = int(cast(Any, ledger.state.instruments).shape[0])
            self._measures = _no_measures(rows)
            self._markets = new_rows(Market, markets)
            ledger.memory.dirty.fill(1)
            self._measure(ledger)
        key = (basis, multiple_ppm)
        if key not in self._watches:
            self._make_room()
            count = int(ledger.engine.totals.account_count)
            self._measures.rows[:count] = np.arange(count)
            below = np.zeros(self._measures.rows.shape[0], np.int64)
            self._watches[key] = _Watch(basis, multiple_ppm, ledger.token, below)
            self._crossings(self._watches[key], count)
        watch = self._watches[key]
        watch.used = time.monotonic()
        return watch

    def _make_room(self) -> None:
        """Forget the threshold that was not asked for longest; who watches asks all the time."""
        if len(self._watches) >= self._streams_max + WATCHES_SPARE:
            del self._watches[min(self._watches, key=lambda key: self._watches[key].used)]

    def standing(self) -> float:
        """Return how many accounts are below their maintenance margin as far as the books are.

        Not a number while nobody watches that threshold: nothing is measured for nobody.
        """
        watch = self._watches.get((int(Basis.MAINTENANCE), PPM))
        return math.nan if watch is None else float(np.count_nonzero(watch.below))

    # The call.

    def watch(self, request: Any, context: Any) -> Iterator[Any]:
        """Serve WatchMarginCalls."""
        _check(request)
        newest = self._shell.log.tail.sequence + 1
        if request.token > newest:
            raise Refused(
                grpc.StatusCode.OUT_OF_RANGE,
                "TOKEN_AHEAD",
                f"expected a token up to {newest}, was {request.token}; this is not the node that "
                "gave it, or its log was lost",
                {"token": request.token, "newest": newest},
            )
        if not self._streams.acquire(blocking=False):
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "TOO_MANY_TAILS",
                f"expected at most {self._streams_max} tails and watches, was one more; try again "
                "later",
                {"tails_max": self._streams_max},
                1000,
            )
        try:
            yield from self._follow(request, context)
        finally:
            self._streams.release()

    def _follow(self, request: Any, context: Any) -> Iterator[Any]:
        heartbeat = max(request.heartbeat_ms or HEARTBEAT_MS, HEARTBEAT_MS_MIN) / 1000
        token = int(request.token)
        ring, spoken = self._shell.ring, 0.0
        place: int | None = None
        while context.is_active():
            if ring.closed:
                raise Refused(
                    grpc.StatusCode.UNAVAILABLE,
                    "SHUTTING_DOWN",
                    f"the node is shutting down; go on from token {token}",
                    {"token": token},
                    RETRY_MS,
                )
            # Taken before the news are gathered, so that nothing slips in between.
            place = ring.end() if place is None else place
            for message in self._news(request, token):
                token = message.token
                if message.calls or message.restarted:
                    spoken = time.monotonic()
                    yield message
            if time.monotonic() - spoken >= heartbeat:
                spoken = time.monotonic()
                yield node_pb2.WatchMarginCallsResponse(token=token)
            try:
                _, place = ring.read(place, heartbeat)
            except TailLagged:
                place = None

    def _news(self, request: Any, token: int) -> list[Any]:
        """Return what there is to say after `token`; the last message has the newest token."""
        key = (request.basis or Basis.MAINTENANCE, request.multiple_ppm or PPM)
        with self._follower.now(SECONDS_MAX) as (ledger, _):
            watch = self._watch(*key, ledger)
            if token < watch.oldest:
                below = np.flatnonzero(watch.below).tolist()
                standing = [self._call(watch, ledger, row, CallStatus.STANDING) for row in below]
                news = [(ledger.token, standing)]
            else:
                news = [(at, calls) for at, calls in watch.calls if at > token]
            restarted = token < watch.oldest
            if not news or news[-1][0] != ledger.token:
                news.append((ledger.token, []))
        return [
            node_pb2.WatchMarginCallsResponse(
                token=at,
                restarted=restarted,
                calls=[call for call in calls if call.owner == (request.owner or call.owner)],
            )
            for at, calls in news
        ]


def _no_measures(rows: int) -> Measures:
    return Measures(*(np.zeros(rows, np.int64) for _ in range(4)))


def _measured(ledger: Ledger, markets: Rows[Market], measures: Measures) -> int:
    dirty, tables = cast(Any, ledger.memory.dirty), cast(Any, ledger.memory.tables)
    return int(measure_moved(ledger.state, dirty, tables, markets, measures))


def rehearse_watch(ledger: Ledger) -> None:
    """Run the kernels once over a ledger without a watch."""
    rows = int(ledger.memory.newest.shape[0])
    measures = _no_measures(rows)
    markets = new_rows(Market, int(cast(Any, ledger.state.instruments).shape[0]))
    count = _measured(ledger, markets, measures)
    below, crossed = (cast(Any, np.zeros(rows, np.int64)) for _ in range(2))
    find_crossings(measures, count, Basis.MAINTENANCE, PPM, below, crossed)


def _check(request: Any) -> None:
    if len(request.owner) not in (0, 20):
        raise malformed(
            "MALFORMED_ADDRESS",
            f"expected an owner of 20 bytes, or none, was {len(request.owner)} bytes",
            bytes=len(request.owner),
        )
    if request.basis not in (0, *Basis) or request.multiple_ppm > MULTIPLE_PPM_MAX:
        raise malformed(
            "OUT_OF_RANGE",
            f"expected maintenance or initial margin and a multiple of at most {MULTIPLE_PPM_MAX} "
            f"ppm, was basis {request.basis} and {request.multiple_ppm} ppm",
            basis=request.basis,
            multiple_ppm=request.multiple_ppm,
        )
