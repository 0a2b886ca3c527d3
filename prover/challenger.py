"""The challenger: follows the base layer, and proves wrong what is wrong.

``Challenger`` is a state machine without I/O: ``handle(event) -> effects``. What it wants follows
from what it sees, not from what it did, so a lost transaction or a reorganisation needs no special
case: the next observation wants the same again. ``prover.challenger_process`` gives it hands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from prover.pursuit import NO_CLAIMS, Accusation, Claims, CommitTo, Prove, Pursuit, Settle
from prover.replica import Judgement, Replica, Verdict
from verifier.base.interface import BatchView, Head, Heads
from verifier.batches import BatchStatus
from verifier.evidence import EvidenceError, check_bad_step
from verifier.header import Header
from verifier.withheld import answer_closes, ask_closes

FINALISE_MAX = 16  # batches that one observation asks to finalise
FINALISE_AFTER_BLOCKS = 4  # that whoever posts has to make his batch final himself
ASKS_MAX = 64  # steps of one batch that are asked for
ASKS_AT_ONCE = 16  # steps that one observation asks for
VERDICTS_KEPT = 4_096  # newest verdicts that are remembered


@dataclass(frozen=True)
class Observed:
    """What the base layer shows at one block: every read is pinned to ``head.hash``.

    ``batches`` are the canonical ones after ``Challenger.watch_after``, without a gap;
    ``settled_number`` is the court's last final batch as of the finalised block, so it cannot go;
    ``claims`` is what is our own.
    """

    head: Head
    heads: Heads
    settled_number: int
    batches: tuple[BatchView, ...]
    credit: int
    claims: Claims = NO_CLAIMS


@dataclass(frozen=True)
class DataFetched:
    """The data of a batch, or None if nobody shows them all.

    Of a committee's batch ``missing`` are the steps without bytes, ``asked`` those that somebody
    asked for.
    """

    batch_id: bytes
    data: bytes | None
    missing: tuple[int, ...] = ()
    asked: frozenset[int] = frozenset()


Event: TypeAlias = Observed | DataFetched


@dataclass(frozen=True)
class FetchData:
    """Read the data of a batch, from members if they hold them."""

    batch_id: bytes


@dataclass(frozen=True)
class AskSteps:
    """Ask the base layer for steps of a batch that no member shows."""

    batch_id: bytes
    number: int
    steps: tuple[int, ...]


@dataclass(frozen=True)
class SettleAsks:
    """Take back a batch whose steps were asked for in vain."""

    batch_id: bytes
    number: int


@dataclass(frozen=True)
class FinaliseBatch:
    """Make a batch final whose window has passed."""

    batch_id: bytes
    number: int


@dataclass(frozen=True)
class ClaimReward:
    """Pull what the court owes us, in gwei."""

    amount: int


@dataclass(frozen=True)
class Report:
    """A verdict, made for the first time."""

    judgement: Judgement


@dataclass(frozen=True)
class Alert:
    """Something that a person must look at."""

    text: str


Effect: TypeAlias = (
    FetchData
    | AskSteps
    | SettleAsks
    | CommitTo
    | Prove
    | FinaliseBatch
    | Settle
    | ClaimReward
    | Report
    | Alert
)


class Challenger:
    """Judges batch after batch; acts on INVALID alone.

    ``window_blocks`` is the court's challenge window. ``known`` holds verdicts of an earlier life,
    by batch id: reaching another one now raises an alert; ``accused`` the accusations of one.
    ``address`` is who sends; None only observes.
    ``commits`` says whether to commit to a proof before it is shown (``prover.pursuit``),
    ``asks_max`` bounds what is spent on a batch that members withhold.
    """

    def __init__(
        self,
        replica: Replica,
        window_blocks: int,
        known: dict[bytes, Verdict] | None = None,
        accused: dict[bytes, Accusation] | None = None,
        *,
        address: bytes | None = None,
        commits: bool = True,
        asks_max: int = ASKS_MAX,
    ) -> None:
        self.replica = replica
        self.verdicts: dict[bytes, Verdict] = dict(known or {})
        self.pursuit = Pursuit(address, commits, accused or {})
        self._window = window_blocks
        self._asks_max = asks_max
        self._views: dict[int, BatchView] = {}
        self._seen: Observed | None = None
        self._judged: dict[bytes, Judgement] = {}
        self._waiting: set[bytes] = set()

    @property
    def seen(self) -> Observed | None:
        """What the base layer showed last."""
        return self._seen

    @property
    def watch_after(self) -> int:
        """Number after which ``Observed.batches`` must begin."""
        return self.replica.released_number

    def handle(self, event: Event) -> list[Effect]:
        """Take in an event and return what to do, in order."""
        if isinstance(event, Observed):
            return list(self._observe(event))
        return list(self._judge(event))

    def _observe(self, seen: Observed) -> Iterator[Effect]:
        self._seen = seen
        self._views = {view.record.number: view for view in seen.batches}
        self._waiting.clear()
        self.replica.roll_back(self._common_number())
        self.replica.release(min(seen.settled_number, self.replica.number))
        canonical = {view.record.batch_id for view in seen.batches}
        self._judged = {id: made for id, made in self._judged.items() if id in canonical}
        yield from self._next()
        yield from self._unanswered()
        yield from self.pursuit.follow_up(seen.head, seen.claims)
        yield from self._finalisable()
        if seen.credit > 0:
            yield ClaimReward(seen.credit)

    def _common_number(self) -> int:
        """Return the newest followed batch that the base layer still has."""
        number = self.replica.number
        while number > self.replica.released_number:
            view = self._views.get(number)
            if view is not None and view.record.batch_id == self.replica.id_of(number):
                break
            number -= 1
        return number

    def _next(self) -> Iterator[Effect]:
        """Want the next batch's data, or its end if it is bad."""
        view = self._views.get(self.replica.number + 1)
        if view is None:
            return
        batch_id = view.record.batch_id
        judged = self._judged.get(batch_id)
        if judged is None:
            if batch_id not in self._waiting:
                self._waiting.add(batch_id)
                yield FetchData(batch_id)
        elif judged.verdict is Verdict.INVALID:
            yield from self._accuse(view, judged)

    def _accuse(self, view: BatchView, judged: Judgement) -> Iterator[Effect]:
        if view.status == BatchStatus.FINALISED:
            yield Alert(
                f"batch {judged.number} is final although its step {judged.step} breaks the law; "
                "nothing can take it back: leave, and tell everyone"
            )
            return
        # The court's own check, before anything is paid for.
        try:
            fraud = check_bad_step(Header.decode(view.record.header), judged.evidence)
        except EvidenceError as error:
            yield Alert(f"own evidence against batch {judged.number} is not well-made: {error}")
            return
        if fraud:
            assert self._seen is not None
            yield self.pursuit.accuse(view, judged.evidence, self._seen.head, self._seen.claims)
        else:
            yield Alert(
                f"own evidence against step {judged.step} of batch {judged.number} shows no fraud; "
                "engine and court disagree: report it with the batch"
            )

    def _unanswered(self) -> Iterator[Effect]:
        """Want the oldest batch taken back whose steps nobody showed in time."""
        assert self._seen is not None
        for number in sorted(self._views):
            view = self._views[number]
            closes = answer_closes(self._window, view.record.posted_block)
            if view.open_asks and self._seen.head.number + 1 > closes:
                yield SettleAsks(view.record.batch_id, number)
                return

    def _finalisable(self) -> Iterator[Effect]:
        """Want final what was found valid, has outlived its window, and is left open since.

        Of two who asked for it at once one would pay for a call that fails.
        """
        assert self._seen is not None
        first = self._seen.heads.finalised_number + 1
        for number in range(first, min(self.replica.number + 1, first + FINALISE_MAX)):
            view = self._views.get(number)
            if view is None or view.record.batch_id != self.replica.id_of(number):
                return
            # The transaction lands in the next block at the earliest.
            if self._seen.head.number + 1 <= view.closes_block + FINALISE_AFTER_BLOCKS:
                return
            yield FinaliseBatch(view.record.batch_id, number)

    def _ask(self, view: BatchView, fetched: DataFetched) -> Iterator[Effect]:
        """Want the steps that nobody shows, while they may be asked for."""
        assert self._seen is not None
        if self._seen.head.number + 1 > ask_closes(self._window, view.record.posted_block):
            return
        room = min(self._asks_max - len(fetched.asked), ASKS_AT_ONCE)
        steps = [step for step in fetched.missing if step not in fetched.asked][: max(room, 0)]
        if steps:
            yield AskSteps(fetched.batch_id, view.record.number, tuple(steps))

    def _judge(self, fetched: DataFetched) -> Iterator[Effect]:
        self._waiting.discard(fetched.batch_id)
        view = self._views.get(self.replica.number + 1)
        if view is None or view.record.batch_id != fetched.batch_id:
            return
        made = self.replica.judge(Header.decode(view.record.header), fetched.data)
        known = self.verdicts.get(made.batch_id)
        if made.verdict is Verdict.UNAVAILABLE:
            # Not remembered: the next observation asks again.
            yield Report(made)
            yield from self._ask(view, fetched)
            return
        self._judged[made.batch_id] = made
        self.verdicts[made.batch_id] = made.verdict
        while len(self.verdicts) > VERDICTS_KEPT:
            del self.verdicts[next(iter(self.verdicts))]
        if known is None:
            yield Report(made)
        elif known is not made.verdict:
            yield Alert(
                f"batch {made.number} was found {known.value} before and {made.verdict.value} now; "
                "the law must not change under a chain: compare the versions"
            )
        yield from self._next()
