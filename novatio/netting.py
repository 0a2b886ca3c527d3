"""Settlement cycles: what all cash and lots of one net to, checked to sum to zero.

The node adds up the lines of its books; every sum is made again here, from the legs to the totals.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.v1 import node_pb2 as pb
from novatio.errors import VerificationFailed

if TYPE_CHECKING:
    from novatio._flows import Flow, Flows

__all__ = ["NetLeg", "Netting", "party_of"]

PPM = 1_000_000
FUNDS = ("dust fund", "insurance fund", "fees fund")
NO_INSTRUMENT = -1


@dataclass(frozen=True, slots=True)
class NetLeg:
    """What a party got and paid in a cycle over all instruments, in micro-quote."""

    party: str
    account: int | None
    received_micro: int
    paid_micro: int

    @property
    def net_micro(self) -> int:
        """Its one leg: positive when it is paid."""
        return self.received_micro - self.paid_micro


@dataclass(frozen=True, slots=True)
class Netting:
    """A settlement cycle from ``from_time_ms`` to before ``to_time_ms`` of the law's time.

    ``closed`` says that nothing is added to it any more; ``sequence`` counts the actions up to
    where it was drawn up. ``legs`` are one a party and instrument, ``positions`` and ``trades``
    what the cycle's trades come down to.
    """

    from_time_ms: int
    to_time_ms: int
    closed: bool
    sequence: int
    total: pb.NettingFigures
    instruments: tuple[pb.InstrumentNetting, ...]
    legs: tuple[pb.NettingLeg, ...]
    positions: tuple[pb.CompressedPosition, ...]
    trades: tuple[pb.CompressedTrade, ...]

    @property
    def net_legs(self) -> list[NetLeg]:
        """One leg a party, netted over all instruments: accounts first, then the house's."""
        sums: dict[tuple[bool, int, str], list[int]] = defaultdict(lambda: [0, 0])
        for leg in self.legs:
            is_account = leg.HasField("account")
            name = party_of(leg)
            total = sums[not is_account, leg.account if is_account else 0, name]
            total[0] += leg.received_micro
            total[1] += leg.paid_micro
        return [
            NetLeg(name, None if house else account, *amounts)
            for (house, account, name), amounts in sorted(sums.items())
        ]


def party_of(leg: pb.NettingLeg) -> str:
    """Return who a leg is of, for example ``account 7``, ``fees fund`` or ``pot 0``."""
    if leg.HasField("account"):
        return f"account {leg.account}"
    if leg.HasField("pot"):
        return f"pot {leg.pot}"
    return FUNDS[leg.fund] if leg.fund < len(FUNDS) else f"fund {leg.fund}"


def netting(flows: Flows, cycle_ms: int, time_ms: int) -> Flow[Netting]:
    """Gather the pieces of a cycle's report, and check that its sums are right."""
    request = pb.GetNettingRequest(cycle_ms=cycle_ms, time_ms=time_ms)
    pieces = yield from flows.call("GetNetting", request, streams=True)
    summary = pieces[0].summary
    found = Netting(
        summary.from_time_ms,
        summary.to_time_ms,
        summary.closed,
        summary.sequence,
        summary.total,
        tuple(summary.instruments),
        tuple(leg for piece in pieces for leg in piece.legs),
        tuple(position for piece in pieces for position in piece.positions),
        tuple(trade for piece in pieces for trade in piece.trades),
    )
    check_netting(found)
    return found


def check_netting(found: Netting) -> None:
    """Make every sum of a cycle again. Raises VerificationFailed at the first that is off."""
    grouped: dict[int, list[pb.NettingLeg]] = defaultdict(list)
    for leg in found.legs:
        _require(leg.net_micro, leg.received_micro - leg.paid_micro, party_of(leg))
        grouped[leg.instrument if leg.HasField("instrument") else NO_INSTRUMENT].append(leg)
    figures = {
        one.instrument if one.HasField("instrument") else NO_INSTRUMENT: one
        for one in found.instruments
    }
    _require(set(figures), set(grouped), "instruments with legs")
    for instrument, one in figures.items():
        _check_figures(one.cash, grouped[instrument], f"instrument {instrument}")
        if one.HasField("compression"):
            _check_compression(found, instrument, one.compression)
    _check_figures(found.total, found.net_legs, "the cycle")


def _check_figures(figures: pb.NettingFigures, legs: list[Any], what: str) -> None:
    nets = [leg.net_micro for leg in legs]
    gross = sum(leg.received_micro for leg in legs)
    net = sum(max(0, each) for each in nets)
    _require(sum(nets), 0, f"sum of the net legs of {what}")
    _require(figures.gross_micro, gross, f"gross turnover of {what}")
    _require(figures.net_micro, net, f"net turnover of {what}")
    ratio = (gross - net) * PPM // gross if gross else 0
    _require(figures.netting_ratio_ppm, ratio, f"netting ratio of {what}")


def _check_compression(found: Netting, instrument: int, told: pb.Compression) -> None:
    what = f"instrument {instrument}"
    lots: dict[int, int] = defaultdict(int)
    for trade in found.trades:
        if trade.instrument == instrument:
            lots[trade.buyer] += trade.lots
            lots[trade.seller] -= trade.lots
    positions = [one for one in found.positions if one.instrument == instrument]
    for one in positions:
        _require(one.net_lots, one.bought_lots - one.sold_lots, f"lots of account {one.account}")
        _require(lots.pop(one.account, 0), one.net_lots, f"compressed lots of {one.account}")
        moved = one.cash_micro + one.net_lots * told.uniform_price_micro
        _require(one.variation_micro, moved, f"variation of account {one.account}")
    _require(dict(lots), {}, f"compressed lots of others in {what}")
    _require(sum(one.net_lots for one in positions), 0, f"net lots of {what}")
    _require(sum(one.variation_micro for one in positions), 0, f"variation of {what}")
    _require(told.gross_lots, sum(one.bought_lots for one in positions), f"gross lots of {what}")
    _require(told.positions_kept, True, f"positions of {what} kept")


def _require(was: Any, expected: Any, what: str) -> None:
    if was != expected:
        raise VerificationFailed(
            f"netting: {what}: expected {expected}, was {was}",
            next_step="ask another node, or replay the batches: novatio batch verify",
        )
