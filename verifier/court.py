"""The court: the settlement contract as a plain deterministic object that the chain executes.

A batch is named by its content hash in every call. The canonical batches are a table from number to
name with a tip: a rollback moves the tip and begins a new generation, whatever it undoes. Bonds are
of one size, so what falls with a batch is a product. Nothing here pushes money: payouts wait to be
pulled. Every public call either raises Refused, and then the chain undoes what it did, or answers
the event that tells what happened. Views never raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from clearing.codes import InboxKind
from clearing.units import ASSETS_MAX, SETTLEMENT_ASSET
from verifier.batch import OpenedGlobals, Opening
from verifier.batches import BatchRecord, BatchStatus, BatchView, Heads, record_of
from verifier.bonds import Bonds
from verifier.committee import split_posted
from verifier.config import CourtConfig
from verifier.errors import ConfigError, CourtError, Refused
from verifier.events import (
    AskReturned,
    BatchFinalised,
    BatchPosted,
    BatchReverted,
    Committed,
    CreditClaimed,
    Deposited,
    DepositRefunded,
    ExitBegun,
    ExitFiled,
    ExitPaid,
    Forced,
    Frozen,
    LawAnnounced,
    PostingChanged,
    ReceiptBroken,
    Revealed,
    RewardSettled,
    SequencerChanged,
    Staked,
    StakeReturned,
    StepAnswered,
    StepAsked,
    SuccessorNamed,
    SurplusTaken,
    WindowsProlonged,
    WithdrawalClaimed,
)
from verifier.evidence import EvidenceError
from verifier.exit_claim import CLAIM_BYTES_MAX, ExitClaim, worth_of
from verifier.exit_house import ExitHouse
from verifier.exit_opening import terms_of
from verifier.exits import Exits, Solvency
from verifier.freeze import Emergency, Mode, Standing
from verifier.guardian import Guardian
from verifier.header import HEADER_BYTES, Header, genesis_batch_id
from verifier.host import gas
from verifier.host.call import Call
from verifier.host.ledger import Ledger
from verifier.host.storage import Cell, Table, UndoLog
from verifier.inbox import EMPTY_ACCUMULATOR, ForcedRequest, Inbox
from verifier.laws import LAWS, EvidenceCheck, LawTable
from verifier.multiproof import ProofError
from verifier.pledges import Pledges
from verifier.posting import Admission, Parent, Posting, check_data, check_rules
from verifier.receipts import Posted
from verifier.registry import NOBODY, Registry
from verifier.withheld import Wanted, Withheld


class Court:
    """The state and the calls of the settlement contract.

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
        self.bonds = Bonds(log, config.bond)
        self.inbox = Inbox(log, opened.account_count)
        self.exits = Exits(log, opened.custody)
        self.withheld = Withheld(config, ledger, self.bonds, log)
        self.pledges = Pledges(config, ledger, self.bonds, log, self._posted)
        self._guardian = Guardian(log, config.guardian, config.guardian_delay_blocks)
        self.registry = Registry(log, config.operator, config.sequencer)
        self.emergency = Emergency(log, config)
        self.laws = LawTable(log, config.law_version, laws)
        self.house = ExitHouse(log)
        self._ledger = ledger
        self._genesis_custody = opened.custody
        root = genesis.state_root()
        record = record_of(
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
        self.pledges.stakes.begin(0, config.sequencer)

    # Calls

    def deposit(
        self, call: Call, owner: bytes, subaccount: int, asset: int, amount: int
    ) -> Deposited:
        """Take an amount of an asset from the sender into escrow for (owner, sub-account)."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS + gas.hashing(256, 2))
        block = call.block
        message = self.inbox.deposit(owner, subaccount, asset, amount, block.number, block.time_ms)
        self._ledger.take_token(call.sender, amount, asset)
        self.exits.receive(asset, amount)
        return Deposited(message.index, message.account, owner, subaccount, asset, amount)

    def force(self, call: Call, request: ForcedRequest) -> Forced:
        """Force what the sender asks for into the inbox: the law does it in time."""
        self.emergency.check_not_frozen()
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
            tip.batch_id,
            tip.number,
            tip.post_root,
            self._generation.value,
            self._unfinalised(),
            tip.inbox_count,
        )
        law = self.laws.switch_of(tip.number + 1)
        admission = Admission(self.emergency.mode, self.registry.sequencer, law)
        posting = Posting(
            self.config,
            call.sender,
            bond,
            call.block,
            parent,
            admission,
            self.inbox,
            decoded,
            opened,
            opened.globals(),
            data,
            attestation,
        )
        check_rules(posting)
        check_data(posting, call.meter)
        record = record_of(
            decoded.batch_id(), decoded, decoded.post_root, posting.opened, call.block.number
        )
        self._batches[record.batch_id] = record
        self._canonical[record.number] = record.batch_id
        self._tip.value = record.number
        self._data[decoded.data_hash] = data
        self._ledger.take_native(call.sender, bond)
        self.bonds.lock()
        self.pledges.stakes.note_posted(call.sender, record.number)
        return BatchPosted(record.batch_id, record.number, record.generation, call.sender)

    def prove_fraud(self, call: Call, batch_id: bytes, evidence: bytes) -> BatchReverted | Revealed:
        """Take back a batch and its descendants if `evidence` shows a step that the law refutes.

        Open until the batch is finalised, window or not: an error found late is still an error.
        Once another did that, whoever committed to evidence before him shows it here again.
        """
        self.pledges.check_length(evidence)
        rewards, record, reward = self.pledges.rewards, self._batches.get(batch_id), None
        if record is None or rewards.reward(record.generation, batch_id) is None:
            record = self._live(batch_id)
        else:
            name = record.generation, batch_id
            reward = rewards.check_older(name, call.sender, evidence, call.block.number)
        call.meter.spend(gas.proving(len(evidence)))
        header = Header.decode(record.header)
        try:
            fraud = self.laws.check(header.law_version)(header, evidence)
        except EvidenceError as error:
            raise Refused(CourtError.INVALID_EVIDENCE, str(error)) from error
        if not fraud:
            raise Refused(
                CourtError.NO_FRAUD,
                f"expected a step of batch {batch_id.hex()} that the law refutes, was one that it "
                "confirms; check against the canonical data",
            )
        if reward is not None:
            return self.pledges.reveal(reward)
        step = int.from_bytes(evidence[HEADER_BYTES : HEADER_BYTES + 4], "big")
        return self._roll_back(record, step, call, call.sender, evidence)

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
        call.meter.spend(gas.CALL_GAS)
        view = self.batch(batch_id)
        if view is not None and view.status == BatchStatus.REVERTED:
            return (self.withheld.give_back(batch_id, step),)
        record = self._live(batch_id)
        asker = self.withheld.check_unanswered(
            batch_id, record.posted_block, step, call.block.number
        )
        returned = self.withheld.give_back(batch_id, step)
        return self._roll_back(record, step, call, asker, None), returned

    def finalise(self, call: Call, batch_id: bytes) -> BatchFinalised:
        """Make the oldest open batch final once its window has passed; anyone may call this."""
        record = self._live(batch_id)
        call.meter.spend(gas.CALL_GAS)
        expected = self._finalised.value + 1
        if record.number != expected:
            raise Refused(
                CourtError.NOT_NEXT_TO_FINALISE,
                f"expected batch number {expected}, was {record.number}; finalise that one first",
            )
        closes = self._closes(record)
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
        call.meter.spend(gas.CALL_GAS + gas.hashing(64 + 32 * size, size + 1))
        record = view.record
        paid = self.exits.claim(
            record.withdrawals_root, record.withdrawal_count, index, leaf, siblings
        )
        self._ledger.add_token(paid.recipient, paid.amount, paid.asset)
        return WithdrawalClaimed(batch_id, index, paid.recipient, paid.amount, paid.asset)

    def prolong(self, call: Call) -> WindowsProlonged:
        """Let the open batches wait longer, each once; all that the guardian can do."""
        call.meter.spend(gas.CALL_GAS)
        tip = self._tip_record()
        newest = tip.posted_block if self._unfinalised() else 0
        return WindowsProlonged(tip.number, self._guardian.delay(call.sender, newest))

    def put_stake(self, call: Call) -> Staked:
        """Lock a stake of the sender behind the receipts that he signs."""
        return self.pledges.put_stake(call, self._generation.value)

    def take_stake(self, call: Call) -> StakeReturned:
        """Make the stake of who posts no more his credit, once his last batch is final."""
        frozen = self.emergency.mode == Mode.FROZEN
        posts = call.sender == self.registry.sequencer and not frozen
        return self.pledges.take_stake(call, posts, self._finalised.value, self._tip.value)

    def commit(self, call: Call, commitment: bytes) -> Committed:
        """Remember that the sender commits to evidence, for a price that is burned."""
        return self.pledges.commit(call, commitment)

    def settle_reward(self, call: Call, generation: int, subject: bytes) -> RewardSettled:
        """Make a reward that waited long enough its winner's credit; anyone may call this."""
        return self.pledges.settle_reward(call, generation, subject)

    def prove_receipt(self, call: Call, evidence: bytes) -> ReceiptBroken | Revealed:
        """Take the stake of whom `evidence` shows to have broken a receipt."""
        return self.pledges.prove_receipt(call, evidence)

    def claim_credit(self, call: Call) -> CreditClaimed:
        """Pay out what the sender has earned."""
        call.meter.spend(gas.CALL_GAS)
        amount = self.bonds.pull(call.sender)
        self._ledger.add_native(call.sender, amount)
        return CreditClaimed(call.sender, amount)

    # Who runs the house

    def rotate_sequencer(self, call: Call, sequencer: bytes) -> SequencerChanged:
        """Let another key of the operator post, from the next generation on."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        former = self.registry.sequencer
        self.registry.rotate(call.sender, sequencer)
        return self._sequencer_changed(call, former)

    def name_successor(self, call: Call, successor: bytes) -> SuccessorNamed:
        """Offer the house to a successor, who may accept a reveal window later."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        opens = call.block.number + self.config.reveal_window_blocks
        self.registry.name(call.sender, successor, opens)
        return SuccessorNamed(self.registry.operator, successor)

    def accept_handover(self, call: Call) -> SequencerChanged:
        """Make the named successor operator and sequencer, from the next generation on."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        former = self.registry.sequencer
        self.registry.accept(call.sender, call.block.number)
        return self._sequencer_changed(call, former)

    def announce_law(self, call: Call, version: int, number: int) -> LawAnnounced:
        """Let another law hold from batch `number` on, a timelock from now at the earliest."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        self.registry.check_operator(call.sender)
        ready_ms = call.block.time_ms + self.config.law_delay_ms
        made = self.laws.announce(version, number, self._tip.value, ready_ms)
        return LawAnnounced(made.version, made.number, made.ready_ms)

    def open_posting(self, call: Call) -> PostingChanged:
        """Let everyone post, because the clock lags; anyone may call this."""
        call.meter.spend(gas.CALL_GAS)
        lag_ms = self._lag_ms(call.block.time_ms)
        self.emergency.open(lag_ms)
        return PostingChanged(True, lag_ms, self._next_generation())

    def close_posting(self, call: Call) -> PostingChanged:
        """Let the sequencer alone post again, once the clock lags no more; only it may call."""
        call.meter.spend(gas.CALL_GAS)
        if call.sender != self.registry.sequencer:
            raise Refused(
                CourtError.NOT_OPERATOR,
                f"expected the sequencer {self.registry.sequencer.hex()}, was "
                f"{call.sender.hex()}; posting is open to everyone until it is back",
            )
        lag_ms = self._lag_ms(call.block.time_ms)
        self.emergency.close(lag_ms)
        return PostingChanged(False, lag_ms, self._next_generation())

    # The way out without an operator

    def freeze(self, call: Call) -> Frozen:
        """End all posting for ever, because nobody brings the clock up; anyone may call this."""
        call.meter.spend(gas.CALL_GAS)
        lag_ms = self._lag_ms(call.block.time_ms)
        self.emergency.freeze(lag_ms)
        return Frozen(self._tip.value, lag_ms, self._next_generation())

    def begin_exit(self, call: Call, opening: bytes) -> ExitBegun:
        """Fix the terms of the exit at the last batch, once what was posted has run out.

        Escrow for the exit is what the state has in custody: claims on withdrawals and deposits
        that no batch consumed stay aside.
        """
        self.emergency.check_frozen()
        call.meter.spend(gas.WIDE_CALL_GAS + gas.hashing(len(opening), 32))
        if self._unfinalised():
            raise Refused(
                CourtError.BATCHES_OPEN,
                f"expected every batch to be final, was {self._unfinalised()} open; finalise them, "
                "or prove them wrong",
            )
        block, config = call.block.number, self.config
        tip = self._tip_record()
        try:
            terms = terms_of(
                tip, opening, block + config.exit_claim_blocks, block + config.exit_end_blocks
            )
        except ProofError as error:
            raise Refused(CourtError.INVALID_EXIT_PROOF, str(error)) from error
        escrow = [0] * ASSETS_MAX
        for asset, listed in enumerate(terms.assets):
            waiting = self._unconsumed(tip, asset)
            escrow[asset] = max(0, min(listed.custody, self.exits.escrow(asset) - waiting))
        self.house.begin(terms, tuple(escrow))
        return ExitBegun(tip.batch_id, tip.number, tuple(escrow), terms.claims_close, terms.ends)

    def claim_exit(self, call: Call, claim: bytes) -> ExitFiled:
        """File the claim of any account; anyone may call this, the owner is paid."""
        if len(claim) > CLAIM_BYTES_MAX:
            raise Refused(
                CourtError.INVALID_EXIT_PROOF,
                f"expected a claim of at most {CLAIM_BYTES_MAX} bytes, was {len(claim)}; build it "
                "again",
            )
        call.meter.spend(gas.claiming(len(claim)))
        try:
            worth = worth_of(self.house.terms, ExitClaim.decode(claim))
        except ProofError as error:
            raise Refused(CourtError.INVALID_EXIT_PROOF, str(error)) from error
        filed = self.house.file(worth, call.block.number)
        return ExitFiled(worth.account, worth.recipient, worth.senior, worth.junior, filed.late)

    def pay_exit(self, call: Call, account: int) -> ExitPaid:
        """Pay a filed claim to its owner; anyone may call this once claims are closed."""
        call.meter.spend(gas.WIDE_CALL_GAS)
        worth, amounts = self.house.pay(account, call.block.number)
        for asset, amount in enumerate(amounts):
            self._pay_out(worth.recipient, amount, asset)
        return ExitPaid(account, worth.recipient, amounts)

    def take_surplus(self, call: Call, asset: int) -> SurplusTaken:
        """Pay what is left of an asset to the beneficiary, after the exit has ended."""
        call.meter.spend(gas.CALL_GAS)
        amount = self.house.take_rest(asset, call.block.number)
        self._pay_out(self.config.beneficiary, amount, asset)
        return SurplusTaken(self.config.beneficiary, asset, amount)

    def refund_deposit(self, call: Call, index: int) -> DepositRefunded:
        """Give back a deposit that the exit root has not consumed, to whom it was for."""
        call.meter.spend(gas.CALL_GAS)
        terms, entry = self.house.terms, self.inbox.entry(index)
        if entry is None or index < terms.inbox_count or entry.message.kind != InboxKind.DEPOSIT:
            raise Refused(
                CourtError.NOT_REFUNDABLE,
                f"expected a deposit from message {terms.inbox_count} on, was {index}; what was "
                "consumed before is part of an account's claim",
            )
        message = entry.message
        self.exits.refund(index, message.asset, message.amount)
        self._ledger.add_token(message.owner, message.amount, message.asset)
        return DepositRefunded(index, message.owner, message.asset, message.amount)

    # Views

    def standing(self, time_ms: int) -> Standing:
        """Return who runs the house and what may happen when, at a time of the base layer."""
        tip, config, law = self._tip_record(), self.config, self.laws.last
        waiting = self.inbox.entry(tip.inbox_count)
        current = self.laws.switch_of(tip.number + 1)
        announced = law.number > tip.number
        terms = self.house.terms if self.house.begun else None
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
        inbox, paid = self.inbox, self.exits.paid(asset)
        consumed = inbox.deposited_at(tip.inbox_count, asset)
        unconsumed = self._unconsumed(tip, asset)
        left = self.house.totals().paid[asset]
        if asset != SETTLEMENT_ASSET:
            return Solvency(self.exits.escrow(asset), consumed - paid - left, 0, unconsumed)
        unclaimed = self._genesis_custody + consumed - tip.custody - paid
        return Solvency(self.exits.escrow(), tip.custody - left, unclaimed, unconsumed)

    # Parts

    def _tip_record(self) -> BatchRecord:
        return self._batches[self._canonical[self._tip.value]]

    def _lag_ms(self, time_ms: int) -> int:
        return max(0, time_ms - self._tip_record().clock)

    def _sequencer_changed(self, call: Call, former: bytes) -> SequencerChanged:
        """Begin a generation that another posts in; the former sequencer's word binds him too."""
        until = call.block.number + self.config.final_after_blocks
        self.pledges.stakes.note_left(former, until)
        registry = self.registry
        return SequencerChanged(
            registry.operator, registry.sequencer, self._next_generation(goes_on=True)
        )

    def _next_generation(self, goes_on: bool = False) -> int:
        self._generation.value += 1
        alone = self.emergency.mode == Mode.SEQUENCER
        signer = self.registry.sequencer if alone else NOBODY
        self.pledges.stakes.begin(self._generation.value, signer, goes_on)
        return self._generation.value

    def _closes(self, record: BatchRecord) -> int:
        """Return the last block of a batch's windows."""
        posted = record.posted_block
        return posted + self.config.final_after_blocks + self._guardian.extra_blocks(posted)

    def _posted(self, batch_id: bytes) -> Posted:
        """Return what a batch, fallen or not, says of the sequence."""
        record = self._batches.get(batch_id)
        if record is None or not record.header:
            raise _no_such_batch(batch_id)
        header = Header.decode(record.header)
        parent = self._batches[header.parent_id]
        return Posted(
            record.generation,
            self.pledges.stakes.first_bound(record.generation),
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
        return waiting - self.exits.refunded(asset)

    def _pay_out(self, recipient: bytes, amount: int, asset: int) -> None:
        if amount:
            self.exits.release(asset, amount)
            self._ledger.add_token(recipient, amount, asset)

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
        self, record: BatchRecord, step: int, call: Call, prover: bytes, evidence: bytes | None
    ) -> BatchReverted:
        """Move the tip before `record`; the same few writes however much falls with it.

        The reward of evidence waits for older commitments; without any, for a step that nobody
        showed, it is the prover's at once.
        """
        fallen = self._tip.value - record.number + 1
        rewarded, burned = self.bonds.slash(fallen)
        name = record.generation, record.batch_id
        if evidence is None:
            self.bonds.give(prover, rewarded)
        else:
            self.pledges.rewards.open(name, rewarded, prover, evidence, call.block.number)
        forfeited = self.pledges.stakes.forfeit(Header.decode(record.header).proposer)
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
            forfeited,
        )
        self._reverts[generation] = event
        self._tip.value = record.number - 1
        self._next_generation()
        return event


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
