"""What the court knows, and what anybody may read of it.

The canonical batches are a table from number to name with a tip; whatever else stands in the table
of batches by name has fallen. Everything lies on one undo log, so a call that is refused leaves no
trace. The calls, which alone change anything, are in `verifier.court`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from clearing import eip712
from clearing.units import SETTLEMENT_ASSET
from verifier.batch import OpenedGlobals, Opening
from verifier.batches import BatchRecord, BatchStatus, BatchView, Heads, record_of
from verifier.bonds import Bonds
from verifier.config import CourtConfig
from verifier.errors import ConfigError, CourtError, refused, require
from verifier.escrow import Escrow, Solvency
from verifier.events import BatchReverted
from verifier.exit import Exit
from verifier.freeze import Emergency, Standing
from verifier.guardian import Guardian
from verifier.header import Header, genesis_batch_id
from verifier.host.ledger import Ledger
from verifier.host.storage import Cell, Table, UndoLog
from verifier.inbox import EMPTY_ACCUMULATOR, Inbox
from verifier.laws import LAWS, EvidenceCheck, LawTable
from verifier.receipts import Posted
from verifier.registry import Registry
from verifier.rewards import Rewards
from verifier.stakes import Stakes
from verifier.withheld import Withheld


class CourtState:
    """The storage of the settlement contract, and its views, which never raise.

    `genesis` opens the genesis root; its custody, if any, is taken to be in escrow. `laws` judge
    evidence against batches of their version. Raises ConfigError for a genesis that could not be
    one.
    """

    def __init__(
        self,
        config: CourtConfig,
        genesis: Opening,
        ledger: Ledger,
        log: UndoLog,
        laws: Mapping[int, EvidenceCheck] = LAWS,
    ) -> None:
        opened = genesis.globals()
        _check_genesis(config, opened)
        self.config = config
        self._ledger = ledger
        self._domain = eip712.domain_separator(config.chain_id, config.settlement)
        # The customers' money: deposits and forced messages, escrow and withdrawals, the one exit.
        self.inbox = Inbox(log, opened.account_count)
        self.escrow = Escrow(log, opened.custody)
        self.exit = Exit(log)
        self._genesis_custody = opened.custody
        # The money of the court's own game.
        self.bonds = Bonds(log, config.bond)
        self.rewards = Rewards(log, self.bonds, config.reveal_window_blocks)
        self.stakes = Stakes(log, self.bonds, config.receipt_stake)
        self.withheld = Withheld(config, ledger, self.bonds, log)
        # Who may do what, when, and under which law.
        self.registry = Registry(log, config.operator, config.sequencer)
        self.emergency = Emergency(log, config)
        self._guardian = Guardian(log, config.guardian, config.guardian_delay_blocks)
        self.laws = LawTable(log, config.law_version, laws)
        # Batches by name, the canonical name of a number, data by their hash, and how generations
        # ended that ended by a fall.
        self._batches: Table[bytes, BatchRecord] = Table(log)
        self._canonical: Table[int, bytes] = Table(log)
        self._data: Table[bytes, bytes] = Table(log)
        self._reverts: Table[int, BatchReverted] = Table(log)
        self._tip: Cell[int] = Cell(log, 0)
        self._finalised: Cell[int] = Cell(log, 0)
        self._generation: Cell[int] = Cell(log, 0)
        root = genesis.state_root()
        name = genesis_batch_id(config.chain_id, config.settlement, root)
        self._batches[name] = record_of(name, None, root, opened, 0)
        self._canonical[0] = name
        self.stakes.begin(0, config.sequencer)

    # Views

    def standing(self, time_ms: int) -> Standing:
        """Return who runs the house and what may happen when, at a time of the base layer."""
        tip, config, law = self._tip_record(), self.config, self.laws.last
        waiting = self.inbox.entry(tip.inbox_count)
        current = self.laws.switch_of(tip.number + 1)
        announced = law.number > tip.number
        terms = self.exit.terms if self.exit.begun else None
        return Standing(
            mode=self.emergency.mode,
            operator=self.registry.operator,
            sequencer=self.registry.sequencer,
            successor=self.registry.successor,
            clock_ms=tip.clock,
            lag_ms=self._lag_ms(time_ms),
            opens_ms=max(0, tip.clock + config.open_lag_ms + 1),
            freezes_ms=max(0, tip.clock + config.freeze_lag_ms + 1),
            waiting_index=tip.inbox_count,
            waiting_ms=waiting.time_ms if waiting else 0,
            law_version=current.version,
            next_law_version=law.version if announced else 0,
            next_law_number=law.number if announced else 0,
            next_law_ms=law.ready_ms if announced else 0,
            claims_close_block=terms.claims_close if terms else 0,
            exit_ends_block=terms.ends if terms else 0,
            accepts_block=self.registry.opens if any(self.registry.successor) else 0,
        )

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
        return BatchView(record, status, self.withheld.open_asks(batch_id), self._closes(record))

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
        """Return the falls that ended generations from `first_generation` on, at most `limit`."""
        first, last = max(first_generation, 0), self._generation.value
        # Handovers and changes of the mode end generations too, without a fall.
        ends = (self._reverts.get(generation) for generation in range(first, last))
        return list(islice((end for end in ends if end is not None), max(limit, 0)))

    def solvency(self, asset: int = SETTLEMENT_ASSET) -> Solvency:
        """Compare the escrow of an asset with what the last opened state owes."""
        tip = self._tip_record()
        inbox, paid = self.inbox, self.escrow.paid(asset)
        consumed = inbox.deposited_at(tip.inbox_count, asset)
        unconsumed = self._unconsumed(tip, asset)
        left = self.exit.totals().paid[asset]
        if asset != SETTLEMENT_ASSET:
            return Solvency(self.escrow.held(asset), consumed - paid - left, 0, unconsumed)
        unclaimed = self._genesis_custody + consumed - tip.custody - paid
        return Solvency(self.escrow.held(), tip.custody - left, unclaimed, unconsumed)

    # Parts

    def _tip_record(self) -> BatchRecord:
        return self._batches[self._canonical[self._tip.value]]

    def _lag_ms(self, time_ms: int) -> int:
        return max(0, time_ms - self._tip_record().clock)

    def _closes(self, record: BatchRecord) -> int:
        """Return the last block of a batch's windows."""
        posted = record.posted_block
        return posted + self.config.final_after_blocks + self._guardian.extra_blocks(posted)

    def _posted(self, batch_id: bytes) -> Posted:
        """Return what a batch, fallen or not, says of the sequence."""
        record = self._batches.get(batch_id)
        if record is None or not record.header:
            raise refused(CourtError.NO_SUCH_BATCH, batch_id)
        header = Header.decode(record.header)
        parent = self._batches[header.parent_id]
        return Posted(
            record.generation,
            self.stakes.first_bound(record.generation),
            parent.sequenced_count,
            parent.sequenced_accumulator,
            record.sequenced_count,
            record.sequenced_accumulator,
        )

    def _unconsumed(self, record: BatchRecord, asset: int) -> int:
        """Return the units of an asset in deposits that a state has not consumed."""
        inbox = self.inbox
        waiting = inbox.deposited_at(inbox.count, asset)
        waiting -= inbox.deposited_at(record.inbox_count, asset)
        return waiting - self.escrow.refunded(asset)

    def _unfinalised(self) -> int:
        return self._tip.value - self._finalised.value

    def _live(self, batch_id: bytes) -> BatchRecord:
        """Return a batch that can still fall. Raises Refused, naming what became of it."""
        view = self.batch(batch_id)
        if view is None:
            raise refused(CourtError.NO_SUCH_BATCH, batch_id)
        status, record = view.status, view.record
        fell, final = status == BatchStatus.REVERTED, status == BatchStatus.FINALISED
        require(not fell, CourtError.ALREADY_REVERTED, batch_id, record.generation)
        require(not final, CourtError.ALREADY_FINALISED, batch_id)
        return record


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
