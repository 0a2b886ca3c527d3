"""WITHHELD: asking for one step of a committee's batch, answering, and what follows from silence.

The challenge window has three thirds. In the first anyone asks for the preimage of a step hash and
prepays the dearest answer; in the first two anyone answers and is paid what the answer cost him,
the rest going back to the asker; an unanswered ask then takes the batch back like fraud. The last
third is left for BAD_STEP against what was answered. A batch with an open ask cannot become final.

Answering is never worth more than it costs, so nobody gains by making others ask; and a committee's
batch has so few steps that all of them can be answered in time, so nobody brings an honest batch
down by asking much.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, NamedTuple

from clearing.messages import MalformedStep, action_hash, decode_step, step_hash
from clearing.units import STEPS_DEPTH
from verifier.batch import STEP_BYTES_MAX, step_record_hash
from verifier.batches import BatchRecord
from verifier.bonds import Bonds
from verifier.codec import HASH_BYTES, U32, Hash, Integer, Many, Raw
from verifier.config import CourtConfig
from verifier.errors import CourtError, refused, require
from verifier.events import AskReturned, StepAnswered, StepAsked
from verifier.header import DATA_COMMITTEE, Header
from verifier.host import gas
from verifier.host.call import Call
from verifier.host.ledger import Ledger
from verifier.host.storage import Table, UndoLog
from verifier.multiproof import ProofError, root_from


class AskStatus(IntEnum):
    """What became of an ask."""

    OPEN = 1
    ANSWERED = 2
    RETURNED = 3  # its batch fell, and the money went back


class Ask(NamedTuple):
    """Somebody wants the bytes behind `step_hash`; `block` is when he asked."""

    step: int
    asker: bytes
    block: int
    step_hash: bytes
    status: AskStatus


class Wanted(NamedTuple):
    """A step of a batch by the record that the batch committed to, and its proof."""

    step: U32
    step_hash: Hash
    post_root: Hash
    siblings: Annotated[tuple[bytes, ...], Many(Integer(1), Raw(HASH_BYTES))]


def ask_closes(window_blocks: int, posted_block: int) -> int:
    """Return the last block in which steps of a batch may be asked for."""
    return posted_block + window_blocks // 3


def answer_closes(window_blocks: int, posted_block: int) -> int:
    """Return the last block in which asks about a batch may be answered."""
    return posted_block + 2 * window_blocks // 3


def prepayment(config: CourtConfig) -> int:
    """Return what is prepaid with an ask, in gwei: the longest answer at the fee of a proof."""
    return gas.answering_max(STEP_BYTES_MAX) * config.proof_fee_per_gas


class Withheld:
    """All asks and answers, on an undo log."""

    def __init__(self, config: CourtConfig, ledger: Ledger, bonds: Bonds, log: UndoLog) -> None:
        self._config = config
        self.prepayment = prepayment(config)
        self._ledger = ledger
        self._bonds = bonds
        self._asks: Table[tuple[bytes, int], Ask] = Table(log)
        self._answers: Table[tuple[bytes, int], bytes] = Table(log)
        # The steps of a batch in the order in which they were asked for, and how many are open.
        self._places: Table[tuple[bytes, int], int] = Table(log)
        self._counts: Table[bytes, int] = Table(log)
        self._open: Table[bytes, int] = Table(log)

    # Calls

    def ask(self, call: Call, record: BatchRecord, wanted: Wanted) -> StepAsked:
        """Ask for a step of a batch, for the dearest answer's cost, prepaid.

        Raises Refused(CourtError), each rule with its own.
        """
        call.meter.spend(gas.asking())
        header, batch_id, block = Header.decode(record.header), record.batch_id, call.block.number
        require(header.data_kind == DATA_COMMITTEE, CourtError.DATA_ARE_INLINE, batch_id)
        closes = ask_closes(self._config.challenge_window_blocks, record.posted_block)
        require(block <= closes, CourtError.ASK_WINDOW_CLOSED, closes, block)
        _check_record(header, wanted)
        key = batch_id, wanted.step
        require(key not in self._asks, CourtError.ALREADY_ASKED, wanted.step)
        self._ledger.take_native(call.sender, self.prepayment)
        self._bonds.hold(self.prepayment)
        count = self._counts.get(batch_id) or 0
        self._asks[key] = Ask(wanted.step, call.sender, block, wanted.step_hash, AskStatus.OPEN)
        self._places[batch_id, count] = wanted.step
        self._counts[batch_id] = count + 1
        self._open[batch_id] = self.open_asks(batch_id) + 1
        return StepAsked(batch_id, wanted.step, call.sender, self.prepayment)

    def answer(self, call: Call, record: BatchRecord, step: int, step_bytes: bytes) -> StepAnswered:
        """Answer an open ask; the sender gets what the answer cost him, the asker the rest."""
        call.meter.spend(gas.answering(len(step_bytes)))
        cost = call.meter.spent * call.fee_per_gas
        ask = self._open_ask(record.batch_id, step)
        closes = answer_closes(self._config.challenge_window_blocks, record.posted_block)
        block = call.block.number
        require(block <= closes, CourtError.ANSWER_WINDOW_CLOSED, closes, block)
        hashed = _hash_of(step_bytes)
        problem = f"expected bytes of step hash {ask.step_hash.hex()}, was {hashed.hex()}"
        require(hashed == ask.step_hash, CourtError.WRONG_ANSWER, problem)
        paid = min(cost, self.prepayment)
        returned = self.prepayment - paid
        self._close(record.batch_id, ask, AskStatus.ANSWERED)
        self._answers[record.batch_id, step] = step_bytes
        self._bonds.give(call.sender, paid)
        self._bonds.give(ask.asker, returned)
        return StepAnswered(record.batch_id, step, call.sender, paid, returned)

    def check_unanswered(self, record: BatchRecord, step: int, block: int) -> bytes:
        """Return who asked in vain. Raises Refused unless there is an ask and its time is over."""
        ask = self._open_ask(record.batch_id, step)
        closes = answer_closes(self._config.challenge_window_blocks, record.posted_block)
        require(block > closes, CourtError.ANSWER_WINDOW_OPEN, closes, block)
        return ask.asker

    def give_back(self, batch_id: bytes, step: int) -> AskReturned:
        """Return an ask's money to its asker: its batch fell. Raises Refused(NO_OPEN_ASK)."""
        ask = self._open_ask(batch_id, step)
        self._close(batch_id, ask, AskStatus.RETURNED)
        self._bonds.give(ask.asker, self.prepayment)
        return AskReturned(batch_id, step, ask.asker, self.prepayment)

    def check_none_open(self, batch_id: bytes) -> None:
        """Raise Refused(ASKS_OPEN) while a step of the batch is asked for in vain."""
        count = self.open_asks(batch_id)
        require(count == 0, CourtError.ASKS_OPEN, count)

    # Views

    def open_asks(self, batch_id: bytes) -> int:
        """Return how many steps of a batch are asked for and not answered."""
        return self._open.get(batch_id) or 0

    def asks(self, batch_id: bytes, first: int, limit: int) -> list[Ask]:
        """Return the asks about a batch from place `first` on, in the order of their coming."""
        start = max(first, 0)
        stop = min(self._counts.get(batch_id) or 0, start + max(limit, 0))
        steps = (self._places[batch_id, place] for place in range(start, stop))
        return [self._asks[batch_id, step] for step in steps]

    def answered(self, batch_id: bytes, step: int) -> bytes | None:
        """Return the bytes of a step that were answered, or None."""
        return self._answers.get((batch_id, step))

    # Parts

    def _open_ask(self, batch_id: bytes, step: int) -> Ask:
        ask = self._asks.get((batch_id, step))
        if ask is None or ask.status != AskStatus.OPEN:
            was = "never asked for" if ask is None else ask.status.name
            raise refused(CourtError.NO_OPEN_ASK, step, batch_id, was)
        return ask

    def _close(self, batch_id: bytes, ask: Ask, status: AskStatus) -> None:
        self._asks[batch_id, ask.step] = ask._replace(status=status)
        self._open[batch_id] = self.open_asks(batch_id) - 1


def _check_record(header: Header, wanted: Wanted) -> None:
    """Check that the batch committed to this record. Raises Refused(INVALID_STEP_PROOF)."""
    record = step_record_hash(wanted.step, wanted.step_hash, wanted.post_root)
    try:
        if wanted.step >= header.step_count:
            raise ProofError(f"expected a step below {header.step_count}, was {wanted.step}")
        root = root_from(STEPS_DEPTH, header.step_count, [wanted.step], [record], wanted.siblings)
        if root != header.steps_root:
            raise ProofError(
                f"expected a proof of steps root {header.steps_root.hex()}, was of {root.hex()}; "
                "take the pairs of the batch that is named"
            )
    except ProofError as error:
        raise refused(CourtError.INVALID_STEP_PROOF, error) from error


def _hash_of(step_bytes: bytes) -> bytes:
    try:
        time, actions = decode_step(step_bytes)
    except MalformedStep as error:
        raise refused(CourtError.WRONG_ANSWER, f"step bytes, {error}") from error
    return step_hash(time, [action_hash(action) for action in actions])
