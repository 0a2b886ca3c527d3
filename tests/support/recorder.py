"""Examples of steps as tests of the law take them, for the court to judge the whole way.

    with recording() as examples:
        ...                      # whatever runs worlds
    examples[Code.MARGIN].prove()

Of every code one step is kept that came to it, and of every kind one that applied an action of it
and nothing else: the state before, the actions and the time. `prove` takes the step in an engine of
its own, posts it with the root that it comes to and with the roots of other outcomes, and has the
court judge each on nothing but header and encoded evidence.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from clearing.codes import Code, Fund, Kind, Status
from clearing.genesis import Genesis
from clearing.layout import pieces_of
from clearing.records import State
from prover.engine import Engine
from prover.forge import BatchForge, Mutation, Place, Posting
from prover.witness import build_evidence
from tests.support.world import BOOKKEEPING, LASTING, World
from verifier.evidence import check_bad_step

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, b"\x03" * 20)
COUNTED = (
    ("accounts", "account_count"),
    ("instruments", "instrument_count"),
    ("withdrawals", "withdrawal_count"),
)
STEP = 1  # an empty step stands before it


@dataclass(frozen=True)
class Example:
    """A step that a world took: `before` are the rows of the state, by name."""

    genesis: Genesis
    before: dict[str, Any]
    actions: list[bytes]
    time: int
    codes: list[Code]

    def prove(self) -> None:
        """The court acquits the step with its own root, and convicts it with any other's."""
        assert not self._convicted(None)
        assert self._convicted(_other_status)
        if any(code in (Code.APPLIED, Code.INVARIANT) for code in self.codes):
            assert self._convicted(self._rejected)
        else:
            assert self._convicted(_paid)

    def _convicted(self, mutate: Mutation | None) -> bool:
        engine, posting, forge = self._post(mutate)
        judged = build_evidence(
            engine, posting.header, forge.pairs, STEP, forge.steps[STEP].encode()
        )
        return check_bad_step(posting.header, judged.encode())

    def _post(self, mutate: Mutation | None) -> tuple[Engine, Posting, BatchForge]:
        """Return a batch with the step in it, and an engine that stands right before the step."""
        engine = self._engine()
        forge = BatchForge(engine)
        forge.forged([], int(self.before["globals"][0].clock))
        codes = forge.forged(self.actions, self.time, None, mutate)
        assert [Code(int(code)) for code in codes] == self.codes
        posting = forge.finish(PLACE)
        again = self._engine()
        BatchForge(again).forged([], int(self.before["globals"][0].clock))
        return again, posting, forge

    def _engine(self) -> Engine:
        """Return an engine at the state before the step."""
        engine = Engine(self.genesis, 64)
        rooms = {name: rows.shape[0] for name, rows in self.before.items()}
        engine.make_room(
            rooms["accounts"], rooms["withdrawals"], rooms["instruments"], rooms["pages"]
        )
        engine.edit(self._restore)
        return engine

    def _restore(self, state: State) -> None:
        for name, rows in self.before.items():
            held = getattr(state, name)
            pieces_of(held)[:] = 0
            held[: rows.shape[0]] = rows

    def _rejected(self, state: State) -> None:
        """Claim that nothing was applied: only the clock and the count of actions moved on."""
        totals = cast(Any, state.globals)[0]
        kept = {name: totals[name].copy() for name in BOOKKEEPING}
        self._restore(state)
        for name, value in kept.items():
            totals[name] = value


def _paid(state: State) -> None:
    """Claim that what was rejected was applied and moved money."""
    cast(Any, state.funds)[Fund.INSURANCE].balance += 1
    cast(Any, state.globals)[0].custody += 1


def _other_status(state: State) -> None:
    """Claim that the step halted the law, or that it goes on although it is halted."""
    totals = cast(Any, state.globals)[0]
    totals.status = Status.ACTIVE + Status.HALTED - totals.status


class Recorder:
    """Keeps the first example of every code, and of every kind that applied."""

    def __init__(self) -> None:
        self.codes: dict[Code, Example] = {}
        self.kinds: dict[Kind, Example] = {}

    def before(self, world: World) -> dict[str, Any]:
        """Return what a step of the world may change."""
        return {
            name: getattr(world.state, name).copy() for name in (*LASTING, "globals", "scratch")
        }

    def after(
        self, world: World, before: dict[str, Any], actions: list[bytes], codes: list[Code]
    ) -> None:
        """Keep the step that a world has just taken if it shows what none before it did."""
        totals = before["globals"][0]
        # A test may claim that a tree is full without filling it: no root commits to that.
        if any(totals[count] > before[name].shape[0] for name, count in COUNTED):
            return
        example = Example(world.genesis, before, actions, world.time, codes)
        for code in codes:
            if code != Code.APPLIED:
                self.codes.setdefault(code, example)
        if codes == [Code.APPLIED] and changed(before, world.state):
            self.codes.setdefault(Code.APPLIED, example)
            self.kinds.setdefault(Kind(actions[0][0]), example)


def changed(before: dict[str, Any], state: Any) -> bool:
    """Tell whether anything but the clock and the count of actions is another than before."""
    totals = [before["globals"].copy(), state.globals.copy()]
    for rows in totals:
        for name in BOOKKEEPING:
            rows[name] = 0
    return bool(totals[0].tobytes() != totals[1].tobytes()) or any(
        before[name].tobytes() != getattr(state, name).tobytes() for name in LASTING
    )


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record the steps of all worlds of this process."""
    World.recorder = Recorder()
    try:
        yield World.recorder
    finally:
        World.recorder = None
