"""The data of a posted batch, wherever they are: on the base layer, with members, or in answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from clearing.units import STEPS_DEPTH
from prover.tree import Forest
from verifier.base.interface import LIST_MAX, Ask, BaseLayer
from verifier.batch import Pair, decode_pairs, step_record_hash
from verifier.header import DATA_COMMITTEE, Header
from verifier.withheld import AskStatus, Wanted


class StepSource(Protocol):
    """Where the step bytes of a committee's batch may be had."""

    def fetch(self, header: Header, pairs: bytes) -> bytes | None:
        """Return pairs and step bytes, checked against the header, or None."""


class Gathered(NamedTuple):
    """What was found: the data, or else the pairs and the steps whose bytes nobody shows.

    ``asked`` are the steps that somebody asked for on the base layer.
    """

    data: bytes | None
    pairs: tuple[Pair, ...] = ()
    missing: tuple[int, ...] = ()
    asked: frozenset[int] = frozenset()


def gather(
    base: BaseLayer, header: Header, at: bytes | None, source: StepSource | None = None
) -> Gathered:
    """Return the data of a batch as of block ``at``.

    Raises BlockUnknown or BaseLayerUnavailable like any read of the base layer.
    """
    batch_id = header.batch_id()
    posted = base.batch_data(batch_id, at)
    if posted is None or header.data_kind != DATA_COMMITTEE:
        return Gathered(posted)
    found = None if source is None else source.fetch(header, posted)
    if found is not None:
        return Gathered(found)
    asks = asks_of(base, batch_id, at)
    answers = {
        ask.step: base.answered(batch_id, ask.step, at)
        for ask in asks
        if ask.status == AskStatus.ANSWERED
    }
    steps = [answers.get(step) for step in range(header.step_count)]
    missing = tuple(step for step, answer in enumerate(steps) if answer is None)
    if not missing:
        return Gathered(posted + b"".join(step for step in steps if step is not None))
    pairs = decode_pairs(posted, header.step_count)
    return Gathered(None, pairs, missing, frozenset(ask.step for ask in asks))


def asks_of(base: BaseLayer, batch_id: bytes, at: bytes | None) -> list[Ask]:
    """Return all asks about a batch."""
    asks: list[Ask] = []
    while True:
        page = base.asks(batch_id, len(asks), LIST_MAX, at)
        asks.extend(page)
        if len(page) < LIST_MAX:
            return asks


def wanted_of(pairs: Sequence[Pair], step: int) -> Wanted:
    """Return what an ask for ``step`` of a batch with these pairs shows the court."""
    forest = Forest([STEPS_DEPTH], [len(pairs)])
    leaves = [step_record_hash(place, *pair) for place, pair in enumerate(pairs)]
    forest.put(0, range(len(leaves)), leaves)
    return Wanted(step, *pairs[step], tuple(forest.siblings(0, len(pairs), [step])))
