"""The court: the settlement contract as a plain deterministic object that the chain executes.

A batch is named by its content hash in every call. The canonical batches are a table from number to
name with a tip: a rollback moves the tip and begins a new generation, whatever it undoes. Bonds are
of one size, so what falls with a batch is a product. Nothing here pushes money: payouts wait to be
pulled. Every public call either raises Refused, and then the chain undoes what it did, or answers
the event that tells what happened. Views never raise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from clearing.units import SETTLEMENT_ASSET
from verifier import gas
from verifier.batch import OpenedGlobals, Opening
from verifier.bonds import Bonds
from verifier.committee import split_posted
from verifier.config import CourtConfig
from verifier.errors import ConfigError, CourtError, Refused
from verifier.events import (
    AskReturned,
    BatchFinalised,
    BatchPosted,
    BatchReverted,
    CreditClaimed,
    Deposited,
    Forced,
    StepAnswered,
    StepAsked,
    WithdrawalClaimed,
)
from verifier.evidence import EvidenceError, check_bad_step
from verifier.exits import Exits, Solvency
from verifier.header import HEADER_BYTES, Header, genesis_batch_id
from verifier.inbox import EMPTY_ACCUMULATOR, ForcedRequest, Inbox
from verifier.ledger import Ledger
from verifier.posting import BlockContext, Parent, Posting, check_data, check_rules
from verifier.undo import Cell, Table, UndoLog
from verifier.withheld import Wanted, Withheld

EvidenceCheck = Callable[[Header, bytes], bool]


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, in which block, what of the gas is left, and what each costs in gwei."""

    sender: bytes
    block: BlockContext
    meter: gas.GasMeter
    fee_per_gas: int


class BatchStatus(IntEnum):
    """How far a posted batch is."""

    POSTED = 1
    FINALISED = 2
    REVERTED = 3


class BatchRecord(NamedTuple):
    """What the court keeps of a batch; `header` is its 384 bytes, empty for genesis.

    Custody, counts and the withdrawals root are read from the opened post root.
    """

    batch_id: bytes
    generation: int
    number: int
    header: bytes
    post_root: bytes
    steps_root: bytes
    clock: int
    inbox_count: int
    custody: int
    withdrawal_count: int
    withdrawals_root: bytes
    posted_block: int


class BatchView(NamedTuple):
    """A record, its present status, and how many of its steps are asked for and not answered."""

    record: BatchRecord
    status: BatchStatus
    open_asks: int


class Heads(NamedTuple):
    """Where the court stands: the newest batch, the newest final one, and the generation."""

    tip_id: bytes
    tip_number: int
    tip_root: bytes
    finalised_id: bytes
    finalised_number: int
    generation: int


class Court:
    """The state and the calls of the settlement contract.

    `genesis` opens the genesis root; its custody, if any, is taken to be in escrow. `check` judges
    evidence: True is fraud, False is none, EvidenceError is the challenger's error. Raises
    ConfigError for a genesis that could not be one.
    """

    def __init__(
        self,
        config: CourtConfig,
        genesis: Opening,
        ledger: Ledger,
        log: UndoLog,
        check: EvidenceCheck = check_bad_step,
    ) -> None:
        opened = genesis.globals()
        _check_genesis(config, opened)
        self.config = config
        self.bonds = Bonds(log, config.bond)
        self.inbox = Inbox(log, opened.account_count)
        self.exits = Exits(log, opened.custody)
        self.withheld = Withheld(config, ledger, self.bonds, log)
        self._ledger = ledger
        self._check = check
        self._genesis_custody = opened.custody
        root = genesis.state_root()
        record = _record(
            genesis_batch_id(config.chain_id, config.settlement, root), None, root, opened, 0
        )
        self._batches: Table[bytes, BatchRecord] = Table(log)
        self._canonical: Table[int, bytes] = Table(log)
        self._data: Table[bytes, bytes] = Table(log)
        self._reverts: Table[int, BatchReverted] = Table(log)
        self._batches[record.batch_id] = record
        self._canonical[0] = record.batch_id
        self._tip: Cell[int] = Cell(log, 0)
        self._finalised: Cell[int] = Cell(log, 0)
        self._generation: Cell[int] = Cell(log, 0)

    # Calls

    def deposit(
        self, call: Call, owner: bytes, subaccount: int, asset: int, amount: int
    ) -> Deposited:
        """Take an amount of an asset from the sender into escrow for (owner, sub-account)."""
        call.meter.spend(gas.CALL_SLOTS * gas.STORAGE_GAS + gas.hashing(256, 2))
        block = call.block
        message = self.inbox.deposit(owner, subaccount, asset, amount, block.number, block.time_ms)
        self._ledger.take_token(call.sender, amount, asset)
        self.exits.receive(asset, amount)
        return Deposited(message.index, message.account, owner, subaccount, asset, amount)

    def force(self, call: Call, request: ForcedRequest) -> Forced:
        """Force what the sender asks for into the inbox: the law does it in time."""
        call.meter.spend(gas.forcing(len(request.observations)))
        block = call.block
        message = self.inbox.force(call.sender, request, block.number, block.time_ms)
        return Forced(
            message.index,
            message.kind,
            call.sender,
            message.account,
            request.number,
            request.other,
            message.amount,
        )

    def post_batch(
        self, call: Call, bond: int, header: bytes, opening: bytes, data: bytes
    ) -> BatchPosted:
        """Make a batch the new tip (docs/protocol.md, section 9), for `bond` gwei of the sender.

        Raises Refused(PostError) of the first rule broken.
        """
        decoded = Header.decode(header)
        opened = Opening.decode(opening)
        data, attestation = split_posted(decoded, data)
        tip = self._tip_record()
        parent = Parent(
            tip.batch_id, tip.number, tip.post_root, self._generation.value, self._unfinalised()
        )
        posting = Posting(
            self.config,
            call.sender,
            bond,
            call.block,
            parent,
            self.inbox,
            decoded,
            opened,
            opened.globals(),
            data,
            attestation,
        )
        check_rules(posting)
        check_data(posting, call.meter)
        record = _record(
            decoded.batch_id(), decoded, decoded.post_root, posting.opened, call.block.number
        )
        self._batches[record.batch_id] = record
        self._canonical[record.number] = record.batch_id
        self._tip.value = record.number
        self._data[decoded.data_hash] = data
        self._ledger.take_native(call.sender, bond)
        self.bonds.lock()
        return BatchPosted(record.batch_id, record.number, record.generation, call.sender)

    def prove_fraud(self, call: Call, batch_id: bytes, evidence: bytes) -> BatchReverted:
        """Take back a batch and its descendants if `evidence` shows a step that the law refutes.

        Open until the batch is finalised, window or not: an error found late is still an error.
        """
        record = self._live(batch_id)
        length, length_max = len(evidence), self.config.evidence_bytes_max
        if length > length_max:
            raise Refused(
                CourtError.EVIDENCE_TOO_LONG,
                f"expected at most {length_max} bytes, was {length}; send the read set alone",
            )
        call.meter.spend(gas.proving(length))
        header = Header.decode(record.header)
        try:
            fraud = self._check(header, evidence)
        except EvidenceError as error:
            raise Refused(CourtError.INVALID_EVIDENCE, str(error)) from error
        if not fraud:
            raise Refused(
                CourtError.NO_FRAUD,
                f"expected a step of batch {batch_id.hex()} that the law refutes, was one that it "
                "confirms; check against the canonical data",
            )
        step = int.from_bytes(evidence[HEADER_BYTES : HEADER_BYTES + 4], "big")
        return self._roll_back(record, step, call, call.sender)

    def ask_step(self, call: Call, batch_id: bytes, wanted: Wanted) -> StepAsked:
        """Ask for the bytes of a step that a committee holds, and prepay the dearest answer."""
        record = self._live(batch_id)
        call.meter.spend(gas.asking())
        header = Header.decode(record.header)
        return self.withheld.ask(
            call.sender, call.block.number, header, record.posted_block, wanted
        )

    def answer_step(
        self, call: Call, batch_id: bytes, step: int, step_bytes: bytes
    ) -> StepAnswered:
        """Answer an ask; anyone who has the bytes may, and is paid what the answer cost."""
        record = self._live(batch_id)
        call.meter.spend(gas.answering(len(step_bytes)))
        cost = call.meter.spent * call.fee_per_gas
        number = call.block.number
        return self.withheld.answer(
            call.sender, number, batch_id, record.posted_block, step, step_bytes, cost
        )

    def settle_ask(
        self, call: Call, batch_id: bytes, step: int
    ) -> tuple[BatchReverted | AskReturned, ...]:
        """End an ask that nobody answered in time; anyone may call this.

        A batch that still stands falls as by fraud, with the asker as prover. The asker gets his
        prepayment back, now or, for further asks about a batch that fell, by calls of their own.
        """
        call.meter.spend(gas.CALL_SLOTS * gas.STORAGE_GAS)
        view = self.batch(batch_id)
        if view is not None and view.status == BatchStatus.REVERTED:
            return (self.withheld.give_back(batch_id, step),)
        record = self._live(batch_id)
        asker = self.withheld.check_unanswered(
            batch_id, record.posted_block, step, call.block.number
        )
        returned = self.withheld.give_back(batch_id, step)
        return self._roll_back(record, step, call, asker), returned

    def finalise(self, call: Call, batch_id: bytes) -> BatchFinalised:
        """Make the oldest open batch final once its window has passed; anyone may call this."""
        record = self._live(batch_id)
        call.meter.spend(gas.CALL_SLOTS * gas.STORAGE_GAS)
        expected = self._finalised.value + 1
        if record.number != expected:
            raise Refused(
                CourtError.NOT_NEXT_TO_FINALISE,
                f"expected batch number {expected}, was {record.number}; finalise that one first",
            )
        closes = record.posted_block + self.config.challenge_window_blocks
        if call.block.number <= closes:
            raise Refused(
                CourtError.CHALLENGE_WINDOW_OPEN,
                f"expected a block after {closes}, was {call.block.number}; wait",
            )
        self.withheld.check_none_open(batch_id)
        self._finalised.value = record.number
        proposer = Header.decode(record.header).proposer
        self.bonds.release(proposer)
        return BatchFinalised(batch_id, record.number, proposer, self.config.bond)

    def claim_withdrawal(
        self, call: Call, batch_id: bytes, index: int, leaf: bytes, siblings: Sequence[bytes]
    ) -> WithdrawalClaimed:
        """Pay withdrawal `index` of a finalised batch to its recipient; anyone may call this."""
        view = self.batch(batch_id)
        if view is None:
            raise _no_such_batch(batch_id)
        if view.status != BatchStatus.FINALISED:
            raise Refused(
                CourtError.NOT_FINALISED,
                f"expected batch {batch_id.hex()} to be finalised, was {view.status.name}; "
                "claim against a finalised batch",
            )
        size = len(siblings)
        call.meter.spend(gas.CALL_SLOTS * gas.STORAGE_GAS + gas.hashing(64 + 32 * size, size + 1))
        record = view.record
        paid = self.exits.claim(
            record.withdrawals_root, record.withdrawal_count, index, leaf, siblings
        )
        self._ledger.add_token(paid.recipient, paid.amount, paid.asset)
        return WithdrawalClaimed(batch_id, index, paid.recipient, paid.amount, paid.asset)

    def claim_credit(self, call: Call) -> CreditClaimed:
        """Pay out what the sender has earned."""
        call.meter.spend(gas.CALL_SLOTS * gas.STORAGE_GAS)
        amount = self.bonds.pull(call.sender)
        self._ledger.add_native(call.sender, amount)
        return CreditClaimed(call.sender, amount)

    # Views

    def heads(self) -> Heads:
        """Return the tip, the last finalised batch and the generation."""
        tip, final = self._tip_record(), self._finalised.value
        return Heads(
            tip.batch_id,
            tip.number,
            tip.post_root,
            self._canonical[final],
            final,
            self._generation.value,
        )

    def batch(self, batch_id: bytes) -> BatchView | None:
        """Return the batch of that name, also a reverted one, or None."""
        record = self._batches.get(batch_id)
        if record is None:
            return None
        if record.number > self._tip.value or self._canonical[record.number] != batch_id:
            status = BatchStatus.REVERTED
        elif record.number <= self._finalised.value:
            status = BatchStatus.FINALISED
        else:
            status = BatchStatus.POSTED
        return BatchView(record, status, self.withheld.open_asks(batch_id))

    def batches(self, first_number: int, limit: int) -> list[BatchView]:
        """Return canonical batches from `first_number` on, at most `limit` of them."""
        first = max(first_number, 0)
        numbers = range(first, min(self._tip.value + 1, first + max(limit, 0)))
        views = (self.batch(self._canonical[number]) for number in numbers)
        return [view for view in views if view is not None]

    def batch_data(self, batch_id: bytes) -> bytes | None:
        """Return the data posted with the batch, also of a reverted one; None for genesis.

        Of a committee's batch these are the pairs.
        """
        record = self._batches.get(batch_id)
        if record is None or not record.header:
            return None
        return self._data.get(Header.decode(record.header).data_hash)

    def reverts(self, first_generation: int, limit: int) -> list[BatchReverted]:
        """Return what ended each generation from `first_generation` on, at most `limit` events."""
        first = max(first_generation, 0)
        last = min(self._generation.value, first + max(limit, 0))
        return [self._reverts[generation] for generation in range(first, last)]

    def solvency(self, asset: int = SETTLEMENT_ASSET) -> Solvency:
        """Compare the escrow of an asset with what the last opened state owes."""
        tip = self._tip_record()
        inbox, paid = self.inbox, self.exits.paid(asset)
        consumed = inbox.deposited_at(tip.inbox_count, asset)
        unconsumed = inbox.deposited_at(inbox.count, asset) - consumed
        if asset != SETTLEMENT_ASSET:
            return Solvency(self.exits.escrow(asset), consumed - paid, 0, unconsumed)
        unclaimed = self._genesis_custody + consumed - tip.custody - paid
        return Solvency(self.exits.escrow(), tip.custody, unclaimed, unconsumed)

    # Parts

    def _tip_record(self) -> BatchRecord:
        return self._batches[self._canonical[self._tip.value]]

    def _unfinalised(self) -> int:
        return self._tip.value - self._finalised.value

    def _live(self, batch_id: bytes) -> BatchRecord:
        """Return a batch that can still fall. Raises Refused, naming what became of it."""
        view = self.batch(batch_id)
        if view is None:
            raise _no_such_batch(batch_id)
        if view.status == BatchStatus.REVERTED:
            raise Refused(
                CourtError.ALREADY_REVERTED,
                f"expected batch {batch_id.hex()} to be open, was reverted with generation "
                f"{view.record.generation} or later; nothing is left to do",
            )
        if view.status == BatchStatus.FINALISED:
            raise Refused(
                CourtError.ALREADY_FINALISED,
                f"expected batch {batch_id.hex()} to be open, was finalised; nothing can move it",
            )
        return view.record

    def _roll_back(
        self, record: BatchRecord, step: int, call: Call, prover: bytes
    ) -> BatchReverted:
        """Move the tip before `record`; the same few writes however much falls with it."""
        fallen = self._tip.value - record.number + 1
        rewarded, burned = self.bonds.slash(prover, fallen)
        generation = self._generation.value
        event = BatchReverted(
            record.batch_id,
            record.number,
            generation,
            step,
            prover,
            rewarded + burned,
            rewarded,
            burned,
            call.block.number,
        )
        self._reverts[generation] = event
        self._tip.value = record.number - 1
        self._generation.value = generation + 1
        return event


def _record(
    batch_id: bytes, header: Header | None, post_root: bytes, opened: OpenedGlobals, block: int
) -> BatchRecord:
    return BatchRecord(
        batch_id,
        header.generation if header else 0,
        header.number if header else 0,
        header.encode() if header else b"",
        post_root,
        header.steps_root if header else bytes(32),
        opened.clock,
        opened.inbox_count,
        opened.custody,
        opened.withdrawal_count,
        opened.withdrawals_root,
        block,
    )


def _check_genesis(config: CourtConfig, opened: OpenedGlobals) -> None:
    expected = {
        "law_version": config.law_version,
        "inbox_count": 0,
        "inbox_accumulator": EMPTY_ACCUMULATOR,
        "withdrawal_count": 0,
    }
    problems = [
        f"expected {name} {value!r} in the genesis state, was {getattr(opened, name)!r}"
        for name, value in expected.items()
        if getattr(opened, name) != value
    ]
    if opened.custody < 0 or opened.account_count < 0:
        problems.append("expected custody and account count of the genesis state to be at least 0")
    if problems:
        raise ConfigError(problems)


def _no_such_batch(batch_id: bytes) -> Refused:
    return Refused(
        CourtError.NO_SUCH_BATCH,
        f"expected the name of a posted batch, was {batch_id.hex()}; it may have been reorganised "
        "away: read the heads again",
    )
