"""Multilateral netting: what the lines of one settlement cycle come down to, and its trades.

A settlement cycle is a window of the law's time. It is not a batch, whose seams the operator
chooses, and not the time between two markings to market, which anybody sends for one account at a
time; but its length is, unless another one is asked for, the cycle in which the law lets such
profit ripen. A window that the law's clock has passed never changes again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import grpc
import numpy as np

from clearing import netting as law_of_netting
from clearing.compiler import law_entry
from clearing.layout import Rows
from node.follower import Follower, seconds_of
from node.gate import Refused, malformed, not_found
from node.ledger import Ledger, LineStore
from node.lines import NONE, LineKind
from node.v1 import node_pb2

DAY_MS = 86_400_000
TIME_MS_MAX = 1 << 62
GROSS_MAX = (1 << 63) - 1
LINES_PER_READ = 1 << 15
ENTRIES_PER_PIECE = 4096
# Money that comes from outside or goes there, or that owners give each other: nothing was cleared.
_PAYMENTS = (LineKind.DEPOSIT, LineKind.WITHDRAWAL, LineKind.TRANSFER)

# A party is an account by its number; the house's follow below zero.
POT = -1
_FUNDS = -2  # and down: fund f is -2 - f
_PARTY_BASE = 1 << 10
_INSTRUMENT_BITS = 20


class Key(NamedTuple):
    """A party, and an instrument or NONE."""

    party: int
    instrument: int


@dataclass(slots=True)
class Sums:
    """What a party got and paid in an instrument, in micro-quote, over so many lines."""

    received: int = 0
    paid: int = 0
    lines: int = 0

    @property
    def net(self) -> int:
        """Its one leg."""
        return self.received - self.paid


@dataclass(slots=True)
class Traded:
    """Lots that an account bought and sold in trades, and micro-quote that it spent and earned."""

    bought: int = 0
    sold: int = 0
    spent: int = 0
    earned: int = 0

    @property
    def net(self) -> int:
        """Lots bought less lots sold."""
        return self.bought - self.sold


class Match(NamedTuple):
    """A compressed trade."""

    buyer: int
    seller: int
    lots: int


@dataclass(slots=True)
class Books:
    """The lines of a cycle, added up."""

    legs: dict[Key, Sums] = field(default_factory=dict)
    traded: dict[Key, Traded] = field(default_factory=dict)
    trades: Counter[int] = field(default_factory=Counter)

    def add(self, lines: Any) -> None:
        """Add rows of LINE."""
        lines = lines[~np.isin(lines["kind"], _PAYMENTS)]
        house = np.where(lines["fund"] == NONE, POT, _FUNDS - lines["fund"])
        party = np.where(lines["account"] == NONE, house, lines["account"])
        amounts = lines["amount"]
        for key, got, paid, count in _grouped(party, lines["instrument"], amounts):
            sums = self.legs.setdefault(key, Sums())
            sums.received += got
            sums.paid += paid
            sums.lines += count
        fills = lines[lines["kind"] == LineKind.FILL]
        pairs = (fills["account"], fills["instrument"])
        self.trades.update(fills["instrument"][fills["lots"] > 0].tolist())
        for key, bought, sold, _ in _grouped(*pairs, fills["lots"]):
            traded = self.traded.setdefault(key, Traded())
            traded.bought += bought
            traded.sold += sold
        for key, earned, spent, _ in _grouped(*pairs, fills["amount"]):
            self.traded[key].earned += earned
            self.traded[key].spent += spent


def _grouped(party: Any, instrument: Any, amounts: Any) -> Iterator[tuple[Key, int, int, int]]:
    """Yield (key, sum of what is above zero, minus the sum of what is below, how many), exactly."""
    packed = ((party + _PARTY_BASE) << _INSTRUMENT_BITS) + instrument - NONE
    keys, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    halves = []
    for part in (np.maximum(amounts, 0), np.maximum(-amounts, 0)):
        # In halves of 32 bits no sum of a read leaves 64.
        high, low = np.zeros((2, keys.shape[0]), np.int64)
        np.add.at(high, places, part >> 32)
        np.add.at(low, places, part & 0xFFFF_FFFF)
        halves.append(
            [(h << 32) + rest for h, rest in zip(high.tolist(), low.tolist(), strict=True)]
        )
    for row, (above, below) in enumerate(zip(*halves, strict=True)):
        number = int(keys[row])
        instrument_of = (number & ((1 << _INSTRUMENT_BITS) - 1)) + NONE
        key = Key((number >> _INSTRUMENT_BITS) - _PARTY_BASE, instrument_of)
        yield key, above, below, int(counts[row])


@law_entry
def net_terms(gross: int, nets: Rows[int]) -> tuple[int, int, bool]:
    """Return (net turnover, share of the gross that netting saved in ppm, whether nets balance)."""
    net = law_of_netting.turnover(nets)
    ratio = law_of_netting.netting_ratio_ppm(gross, net)
    return net, ratio, law_of_netting.is_balanced(nets)


def figures(sums: Sequence[Sums], nets: Sequence[int]) -> Any:
    """Return gross and net turnover of legs whose parties' nets are `nets`, as a message.

    Raises `Refused` beyond 64 bits, AssertionError if the legs do not sum to zero.
    """
    gross = sum(each.received for each in sums)
    if gross > GROSS_MAX:
        raise Refused(
            grpc.StatusCode.OUT_OF_RANGE,
            "CYCLE_TOO_LARGE",
            f"expected a gross turnover of at most {GROSS_MAX} micro-quote, was {gross}; ask for a "
            "shorter cycle",
            {"gross_micro": gross, "gross_micro_max": GROSS_MAX},
        )
    paid = sum(each.paid for each in sums)
    if gross != paid:
        raise AssertionError(
            f"netting: expected as much paid as received, was {paid} and {gross} micro-quote"
        )
    net, ratio, balanced = net_terms(gross, cast(Any, np.array(nets, np.int64)))
    if not balanced:
        raise AssertionError("netting: expected net legs that sum to zero")
    return node_pb2.NettingFigures(
        lines=sum(each.lines for each in sums),
        gross_micro=gross,
        net_micro=int(net),
        netting_ratio_ppm=int(ratio),
        parties=len(nets),
    )


def matches(nets: dict[int, int]) -> list[Match]:
    """Return trades that give every account its net lots: at most one fewer than accounts.

    Buyers and sellers meet in the order of their numbers, each until it is done.
    """
    buyers = sorted(account for account, lots in nets.items() if lots > 0)
    left = dict(nets)
    found = []
    place = 0
    for seller in sorted(account for account, lots in nets.items() if lots < 0):
        while left[seller] < 0:
            buyer = buyers[place]
            lots = min(left[buyer], -left[seller])
            found.append(Match(buyer, seller, lots))
            left[buyer] -= lots
            left[seller] += lots
            if left[buyer] == 0:
                place += 1
    return found


def uniform_price(traded: Sequence[Traded], tick: int) -> int:
    """Return the mean price of the lots in micro-quote, rounded down to the tick, at least one."""
    mean = sum(each.spent for each in traded) // sum(each.bought for each in traded)
    return max(tick, mean // tick * tick)


def compress(instrument: int, tick: int, traded: dict[int, Traded]) -> tuple[Any, Any, Any]:
    """Return (figures, positions, trades) of one instrument's trades by account, as messages."""
    nets = {account: each.net for account, each in traded.items()}
    found = matches(nets)
    price = uniform_price(list(traded.values()), tick)
    after = dict.fromkeys(nets, 0)
    for match in found:
        after[match.buyer] += match.lots
        after[match.seller] -= match.lots
    summary = node_pb2.Compression(
        compressed_trades=len(found),
        gross_lots=sum(each.bought for each in traded.values()),
        compressed_lots=sum(match.lots for match in found),
        uniform_price_micro=price,
        positions_kept=after == nets,
    )
    positions = [
        node_pb2.CompressedPosition(
            account=account,
            instrument=instrument,
            bought_lots=each.bought,
            sold_lots=each.sold,
            net_lots=each.net,
            cash_micro=each.earned - each.spent,
            variation_micro=each.earned - each.spent + each.net * price,
        )
        for account, each in sorted(traded.items())
    ]
    trades = [
        node_pb2.CompressedTrade(
            instrument=instrument,
            buyer=match.buyer,
            seller=match.seller,
            lots=match.lots,
            price_micro=price,
        )
        for match in found
    ]
    return summary, positions, trades


@dataclass(slots=True)
class Report:
    """A cycle's report, as messages."""

    summary: Any
    legs: list[Any] = field(default_factory=list)
    positions: list[Any] = field(default_factory=list)
    trades: list[Any] = field(default_factory=list)

    def pieces(self) -> Iterator[Any]:
        """Yield the summary, then the rest in pieces that fit a message."""
        yield node_pb2.GetNettingResponse(summary=self.summary)
        for name in ("legs", "positions", "trades"):
            entries = getattr(self, name)
            for first in range(0, len(entries), ENTRIES_PER_PIECE):
                part = entries[first : first + ENTRIES_PER_PIECE]
                yield node_pb2.GetNettingResponse(**{name: part})


def report_of(books: Books, ticks: Sequence[int], summary: Any) -> Report:
    """Return the report of a cycle's books; `summary` says which cycle, `ticks` are by instrument.

    Raises as `figures`.
    """
    report = Report(summary)
    by_party: dict[int, int] = {}
    for key, sums in books.legs.items():
        by_party[key.party] = by_party.get(key.party, 0) + sums.net
    summary.total.CopyFrom(figures(list(books.legs.values()), list(by_party.values())))
    legs = sorted(books.legs.items(), key=lambda item: (item[0].instrument, item[0].party))
    for instrument in sorted({key.instrument for key in books.legs}):
        own = [each for key, each in legs if key.instrument == instrument]
        entry = summary.instruments.add(cash=figures(own, [each.net for each in own]))
        if instrument == NONE:
            continue
        entry.instrument = instrument
        traded = {k.party: each for k, each in books.traded.items() if k.instrument == instrument}
        if traded:
            compression, positions, trades = compress(instrument, ticks[instrument], traded)
            compression.trades = books.trades[instrument]
            entry.compression.CopyFrom(compression)
            report.positions += positions
            report.trades += trades
    report.legs = [_leg(key, each) for key, each in legs]
    return report


def _leg(key: Key, sums: Sums) -> Any:
    message = node_pb2.NettingLeg(
        received_micro=sums.received, paid_micro=sums.paid, net_micro=sums.net
    )
    if key.party >= 0:
        message.account = key.party
    elif key.party == POT:
        message.pot = key.instrument
    else:
        message.fund = _FUNDS - key.party
    if key.instrument != NONE:
        message.instrument = key.instrument
    return message


class Netting:
    """Serves GetNetting."""

    def __init__(self, follower: Follower) -> None:
        """Read the books of `follower`."""
        self._follower = follower

    def get_netting(self, request: Any, context: Any) -> Iterator[Any]:
        """Serve GetNetting."""
        if request.cycle_ms > TIME_MS_MAX or request.time_ms > TIME_MS_MAX:
            raise malformed(
                "OUT_OF_RANGE",
                f"expected a cycle and a time of at most {TIME_MS_MAX} ms, was {request.cycle_ms} "
                f"and {request.time_ms}",
                cycle_ms=request.cycle_ms,
                time_ms=request.time_ms,
            )
        limit = time.monotonic() + seconds_of(context)
        with self._follower.now(limit - time.monotonic()) as (ledger, store):
            summary = _cycle(request, ledger)
            books = Books()
            for lines in _between(store, summary.from_time_ms, summary.to_time_ms):
                books.add(lines)
                if time.monotonic() > limit:
                    raise _too_slow()
            count = int(ledger.engine.totals.instrument_count)
            ticks = cast(Any, ledger.state.instruments)["tick"][:count].tolist()
        yield from report_of(books, ticks, summary).pieces()


def _cycle(request: Any, ledger: Ledger) -> Any:
    """Return which cycle a request is about. Raises `Refused` if it has not begun."""
    clock = int(ledger.engine.totals.clock)
    ripening = int(cast(Any, ledger.state.params)[0].profit_cycle_ms)
    length = request.cycle_ms or ripening or DAY_MS
    first = (request.time_ms or clock) // length * length
    if first > clock:
        raise not_found(
            "NO_SUCH_CYCLE",
            f"expected a cycle that began at {clock} ms or before, was one of {first} ms",
            clock_ms=clock,
            time_ms=first,
        )
    return node_pb2.NettingSummary(
        from_time_ms=first,
        to_time_ms=first + length,
        closed=clock >= first + length,
        sequence=ledger.sequence,
    )


def _between(store: LineStore, first: int, stop: int) -> Iterator[Any]:
    """Yield the lines of law times first .. stop - 1, many at a time: they stand in that order."""
    place, end = _first_at(store, first), _first_at(store, stop)
    while place < end:
        lines = store.read_rows(place, min(LINES_PER_READ, end - place))
        place += lines.shape[0]
        yield lines


def _first_at(store: LineStore, moment: int) -> int:
    """Return the place of the first line at a law time or later."""
    low, high = 0, store.count
    while low < high:
        middle = (low + high) // 2
        if store.read(middle).time < moment:
            low = middle + 1
        else:
            high = middle
    return low


def _too_slow() -> Refused:
    return Refused(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        "expected to add up the lines of the cycle within the deadline, was busy; ask for a "
        "shorter cycle, or with more time",
    )
