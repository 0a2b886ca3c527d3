"""The court: the settlement contract as a plain deterministic object that a base layer executes.

A batch is named by its content hash in every call. A rollback moves the tip and begins a new
generation, whatever it undoes; bonds are of one size, so what falls with a batch is a product.
Nothing here pushes money: payouts wait to be pulled. Every public call either raises Refused, and
then the base layer undoes what it did, or answers the event that tells what happened.
"""

from __future__ import annotations

from collections.abc import Sequence

from clearing.codes import InboxKind
from clearing.units import ASSETS_MAX
from verifier import events, receipts
from verifier.batch import Opening
from verifier.batches import BatchRecord, BatchStatus, record_of
from verifier.codec import NOBODY
from verifier.committee import split_posted
from verifier.errors import CourtError, refused, require
from verifier.evidence import EvidenceError
from verifier.exit_claim import ExitClaim, worth_of
from verifier.exit_opening import terms_of
from verifier.freeze import Mode
from verifier.header import HEADER_BYTES, Header
from verifier.host import gas
from verifier.host.call import Call
from verifier.inbox import ForcedRequest
from verifier.multiproof import ProofError
from verifier.posting import Posting, check_data, check_rules
from verifier.rewards import Reward
from verifier.stakes import stake_subject
from verifier.state import CourtState
from verifier.withheld import Wanted


class Court(CourtState):
    """The calls of the settlement contract; each is one kind of transaction."""

    # Money in, and what owners force

    def deposit(
        self, call: Call, owner: bytes, subaccount: int, asset: int, amount: int
    ) -> events.Deposited:
        """Take an amount of an asset from the sender into escrow for (owner, sub-account)."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS + gas.hashing(256, 2))
        block = call.block
        message = self.inbox.deposit(owner, subaccount, asset, amount, block.number, block.time_ms)
        self._ledger.take_token(call.sender, amount, asset)
        self.escrow.receive(asset, amount)
        return events.Deposited(message.index, message.account, owner, subaccount, asset, amount)

    def force(self, call: Call, request: ForcedRequest) -> events.Forced:
        """Force what the sender asks for into the inbox: the law does it in time."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.forcing(len(request.observations)))
        block = call.block
        message = self.inbox.force(call.sender, request, block.number, block.time_ms)
        return events.Forced(
            message.index,
            message.kind,
            call.sender,
            message.account,
            request.number,
            request.other,
            message.amount,
        )

    # Batches: posted, proven wrong, final

    def post_batch(
        self, call: Call, bond: int, header: bytes, opening: bytes, data: bytes
    ) -> events.BatchPosted:
        """Make a batch the new tip (docs/protocol.md, section 9), for `bond` gwei of the sender.

        Raises Refused(PostError) of the first rule broken.
        """
        decoded, opened = Header.decode(header), Opening.decode(opening)
        data, attestation = split_posted(decoded, data)
        tip = self._tip_record()
        posting = Posting(
            config=self.config,
            call=call,
            bond=bond,
            tip=tip,
            generation=self._generation.value,
            unfinalised=self._unfinalised(),
            mode=self.emergency.mode,
            sequencer=self.registry.sequencer,
            law=self.laws.switch_of(tip.number + 1),
            inbox=self.inbox,
            header=decoded,
            opening=opened,
            opened=opened.globals(),
            data=data,
            attestation=attestation,
        )
        check_rules(posting)
        check_data(posting)
        record = record_of(
            decoded.batch_id(), decoded, decoded.post_root, posting.opened, call.block.number
        )
        self._batches[record.batch_id] = record
        self._canonical[record.number] = record.batch_id
        self._tip.value = record.number
        self._data[decoded.data_hash] = data
        self._ledger.take_native(call.sender, bond)
        self.bonds.lock()
        self.stakes.note_posted(call.sender, record.number)
        return events.BatchPosted(record.batch_id, record.number, record.generation, call.sender)

    def prove_fraud(
        self, call: Call, batch_id: bytes, evidence: bytes
    ) -> events.BatchReverted | events.Revealed:
        """Take back a batch and its descendants if `evidence` shows a step that the law refutes.

        Open until the batch is finalised, window or not: an error found late is still an error.
        Once another did that, whoever committed to evidence before him shows it here again.
        """
        self._check_length(evidence)
        rewards, record, reward = self.rewards, self._batches.get(batch_id), None
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
            raise refused(CourtError.INVALID_EVIDENCE, error) from error
        expected = f"a step of batch {batch_id.hex()} that the law refutes"
        advice = "check against the canonical data"
        require(fraud, CourtError.NO_FRAUD, expected, "it confirms", advice)
        if reward is not None:
            return self._reveal(reward)
        step = int.from_bytes(evidence[HEADER_BYTES : HEADER_BYTES + 4], "big")
        return self._roll_back(record, step, call, call.sender, evidence)

    def finalise(self, call: Call, batch_id: bytes) -> events.BatchFinalised:
        """Make the oldest open batch final once its window has passed; anyone may call this."""
        record = self._live(batch_id)
        call.meter.spend(gas.CALL_GAS)
        expected = self._finalised.value + 1
        require(record.number == expected, CourtError.NOT_NEXT_TO_FINALISE, expected, record.number)
        closes, block = self._closes(record), call.block.number
        require(block > closes, CourtError.CHALLENGE_WINDOW_OPEN, closes, block)
        self.withheld.check_none_open(batch_id)
        self._finalised.value = record.number
        proposer = Header.decode(record.header).proposer
        self.bonds.release(proposer)
        return events.BatchFinalised(batch_id, record.number, proposer, self.config.bond)

    def prolong(self, call: Call) -> events.WindowsProlonged:
        """Let the open batches wait longer, each once; all that the guardian can do."""
        call.meter.spend(gas.CALL_GAS)
        tip = self._tip_record()
        newest = tip.posted_block if self._unfinalised() else 0
        return events.WindowsProlonged(tip.number, self._guardian.delay(call.sender, newest))

    # Steps that a committee keeps back

    def ask_step(self, call: Call, batch_id: bytes, wanted: Wanted) -> events.StepAsked:
        """Ask for the bytes of a step that a committee holds, and prepay the dearest answer."""
        return self.withheld.ask(call, self._live(batch_id), wanted)

    def answer_step(
        self, call: Call, batch_id: bytes, step: int, step_bytes: bytes
    ) -> events.StepAnswered:
        """Answer an ask; anyone who has the bytes may, and is paid what the answer cost."""
        return self.withheld.answer(call, self._live(batch_id), step, step_bytes)

    def settle_ask(
        self, call: Call, batch_id: bytes, step: int
    ) -> tuple[events.BatchReverted | events.AskReturned, ...]:
        """End an ask that nobody answered in time; anyone may call this.

        A batch that still stands falls as by fraud, with the asker as prover. The asker gets his
        prepayment back, now or, for further asks about a batch that fell, by calls of their own.
        """
        call.meter.spend(gas.CALL_GAS)
        view = self.batch(batch_id)
        if view is not None and view.status == BatchStatus.REVERTED:
            return (self.withheld.give_back(batch_id, step),)
        record = self._live(batch_id)
        asker = self.withheld.check_unanswered(record, step, call.block.number)
        returned = self.withheld.give_back(batch_id, step)
        return self._roll_back(record, step, call, asker, None), returned

    # Who is paid what

    def claim_withdrawal(
        self, call: Call, batch_id: bytes, index: int, leaf: bytes, siblings: Sequence[bytes]
    ) -> events.WithdrawalClaimed:
        """Pay withdrawal `index` of a finalised batch to its recipient; anyone may call this."""
        view = self.batch(batch_id)
        if view is None:
            raise refused(CourtError.NO_SUCH_BATCH, batch_id)
        final = view.status == BatchStatus.FINALISED
        require(final, CourtError.NOT_FINALISED, batch_id, view.status.name)
        size = len(siblings)
        call.meter.spend(gas.CALL_GAS + gas.hashing(64 + 32 * size, size + 1))
        record = view.record
        paid = self.escrow.claim(
            record.withdrawals_root, record.withdrawal_count, index, leaf, siblings
        )
        self._ledger.add_token(paid.recipient, paid.amount, paid.asset)
        return events.WithdrawalClaimed(batch_id, index, paid.recipient, paid.amount, paid.asset)

    def commit(self, call: Call, commitment: bytes) -> events.Committed:
        """Remember that the sender commits to evidence, for a price that is burned."""
        call.meter.spend(gas.CALL_GAS)
        self._ledger.take_native(call.sender, self.rewards.price)
        place = self.rewards.commit(call.sender, commitment)
        return events.Committed(call.sender, commitment, place, self.rewards.price)

    def settle_reward(self, call: Call, generation: int, subject: bytes) -> events.RewardSettled:
        """Make a reward that waited long enough its winner's credit; anyone may call this."""
        call.meter.spend(gas.CALL_GAS)
        settled = self.rewards.settle((generation, subject), call.block.number)
        return events.RewardSettled(generation, subject, settled.winner, settled.amount)

    def claim_credit(self, call: Call) -> events.CreditClaimed:
        """Pay out what the sender has earned."""
        call.meter.spend(gas.CALL_GAS)
        amount = self.bonds.pull(call.sender)
        self._ledger.add_native(call.sender, amount)
        return events.CreditClaimed(call.sender, amount)

    # What backs receipts

    def put_stake(self, call: Call) -> events.Staked:
        """Lock a stake of the sender behind the receipts that he signs from now on.

        Not while a reward for his last one waits: it is shown to whoever committed to the evidence
        first under the number of the stake that was lost.
        """
        call.meter.spend(gas.CALL_GAS)
        lost = self.stakes.of(call.sender).serial, stake_subject(call.sender)
        self.rewards.check_waits_no_more(lost, call.block.number)
        self._ledger.take_native(call.sender, self.stakes.size)
        serial = self.stakes.put(call.sender, self._generation.value)
        return events.Staked(call.sender, serial, self.stakes.size)

    def take_stake(self, call: Call) -> events.StakeReturned:
        """Make the stake of a former sequencer his credit, once nothing can be held against it."""
        call.meter.spend(gas.CALL_GAS)
        posts = call.sender == self.registry.sequencer and self.emergency.mode != Mode.FROZEN
        final, tip = self._finalised.value, self._tip.value
        amount = self.stakes.take_back(call.sender, posts, final, tip, call.block.number)
        return events.StakeReturned(call.sender, amount)

    def prove_receipt(self, call: Call, evidence: bytes) -> events.ReceiptBroken | events.Revealed:
        """Take the stake of whom `evidence` shows to have broken a receipt.

        Once another did that, whoever committed to evidence before him shows it here again.
        """
        self._check_length(evidence)
        call.meter.spend(gas.proving_receipt(len(evidence)))
        try:
            signer, generation = self._breaker_of(receipts.decode_evidence(evidence))
        except EvidenceError as error:
            raise refused(CourtError.INVALID_EVIDENCE, error) from error
        stake = self.stakes.of(signer)
        name, block = (stake.serial, stake_subject(signer)), call.block.number
        if stake.amount == 0 and self.rewards.reward(*name) is not None:
            return self._reveal(self.rewards.check_older(name, call.sender, evidence, block))
        self.stakes.check_there(signer, generation)
        rewarded, burned = self.stakes.slash(signer)
        self.rewards.open(name, rewarded, call.sender, evidence, block)
        return events.ReceiptBroken(signer, stake.serial, call.sender, rewarded, burned)

    # Who runs the house

    def rotate_sequencer(self, call: Call, sequencer: bytes) -> events.SequencerChanged:
        """Let another key of the operator post, from the next generation on."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        former = self.registry.sequencer
        self.registry.rotate(call.sender, sequencer)
        self.stakes.carry(former, sequencer)
        return self._sequencer_changed(call, former, True)

    def name_successor(self, call: Call, successor: bytes) -> events.SuccessorNamed:
        """Offer the house to a successor, who may accept a reveal window later."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        opens = call.block.number + self.config.reveal_window_blocks
        self.registry.name(call.sender, successor, opens)
        return events.SuccessorNamed(self.registry.operator, successor)

    def accept_handover(self, call: Call) -> events.SequencerChanged:
        """Make the named successor operator and sequencer, from the next generation on.

        Nobody answers for another operator; who is the operator already only takes the key back.
        """
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        registry = self.registry
        former, same = registry.sequencer, call.sender == registry.operator
        registry.accept(call.sender, call.block.number)
        self.stakes.carry(former if same else NOBODY, call.sender)
        return self._sequencer_changed(call, former, same)

    def announce_law(self, call: Call, version: int, number: int) -> events.LawAnnounced:
        """Let another law hold from batch `number` on, a timelock from now at the earliest."""
        self.emergency.check_not_frozen()
        call.meter.spend(gas.CALL_GAS)
        self.registry.check_operator(call.sender)
        ready_ms = call.block.time_ms + self.config.law_delay_ms
        made = self.laws.announce(version, number, self._tip.value, ready_ms)
        return events.LawAnnounced(made.version, made.number, made.ready_ms)

    def open_posting(self, call: Call) -> events.PostingChanged:
        """Let everyone post, because the clock lags; anyone may call this."""
        call.meter.spend(gas.CALL_GAS)
        lag_ms = self._lag_ms(call.block.time_ms)
        self.emergency.open(lag_ms)
        return events.PostingChanged(True, lag_ms, self._next_generation())

    def close_posting(self, call: Call) -> events.PostingChanged:
        """Let the sequencer alone post again, once the clock lags no more; only it may call."""
        call.meter.spend(gas.CALL_GAS)
        sequencer, advice = self.registry.sequencer, "posting is open to everyone until it is back"
        expected = f"the sequencer {sequencer.hex()}"
        require(call.sender == sequencer, CourtError.NOT_OPERATOR, expected, call.sender, advice)
        lag_ms = self._lag_ms(call.block.time_ms)
        self.emergency.close(lag_ms)
        return events.PostingChanged(False, lag_ms, self._next_generation())

    # The way out without an operator

    def freeze(self, call: Call) -> events.Frozen:
        """End all posting for ever, because nobody brings the clock up; anyone may call this."""
        call.meter.spend(gas.CALL_GAS)
        lag_ms = self._lag_ms(call.block.time_ms)
        self.emergency.freeze(lag_ms)
        return events.Frozen(self._tip.value, lag_ms, self._next_generation())

    def begin_exit(self, call: Call, opening: bytes) -> events.ExitBegun:
        """Fix the terms of the exit at the last batch, once what was posted has run out.

        Escrow for the exit is what the state has in custody: claims on withdrawals and deposits
        that no batch consumed stay aside.
        """
        self.emergency.check_frozen()
        call.meter.spend(gas.WIDE_CALL_GAS + gas.hashing(len(opening), 32))
        unfinalised = self._unfinalised()
        require(unfinalised == 0, CourtError.BATCHES_OPEN, unfinalised)
        block, config = call.block.number, self.config
        tip = self._tip_record()
        try:
            terms = terms_of(
                tip, opening, block + config.exit_claim_blocks, block + config.exit_end_blocks
            )
        except ProofError as error:
            raise refused(CourtError.INVALID_EXIT_PROOF, error) from error
        escrow = [0] * ASSETS_MAX
        for asset, listed in enumerate(terms.assets):
            waiting = self._unconsumed(tip, asset)
            escrow[asset] = max(0, min(listed.custody, self.escrow.held(asset) - waiting))
        self.exit.begin(terms, tuple(escrow))
        return events.ExitBegun(
            tip.batch_id, tip.number, tuple(escrow), terms.claims_close, terms.ends
        )

    def claim_exit(self, call: Call, claim: bytes) -> events.ExitFiled:
        """File the claim of any account; anyone may call this, the owner is paid."""
        call.meter.spend(gas.claiming(len(claim)))
        try:
            worth = worth_of(self.exit.terms, ExitClaim.decode(claim))
        except ProofError as error:
            raise refused(CourtError.INVALID_EXIT_PROOF, error) from error
        filed = self.exit.file(worth, call.block.number)
        return events.ExitFiled(
            worth.account, worth.recipient, worth.senior, worth.junior, filed.late
        )

    def pay_exit(self, call: Call, account: int) -> events.ExitPaid:
        """Pay a filed claim to its owner; anyone may call this once claims are closed."""
        call.meter.spend(gas.WIDE_CALL_GAS)
        worth, amounts = self.exit.pay(account, call.block.number)
        for asset, amount in enumerate(amounts):
            self._pay_out(worth.recipient, amount, asset)
        return events.ExitPaid(account, worth.recipient, amounts)

    def take_surplus(self, call: Call, asset: int) -> events.SurplusTaken:
        """Pay what is left of an asset to the beneficiary, after the exit has ended."""
        call.meter.spend(gas.CALL_GAS)
        amount = self.exit.take_rest(asset, call.block.number)
        self._pay_out(self.config.beneficiary, amount, asset)
        return events.SurplusTaken(self.config.beneficiary, asset, amount)

    def refund_deposit(self, call: Call, index: int) -> events.DepositRefunded:
        """Give back a deposit that the exit root has not consumed, to whom it was for."""
        call.meter.spend(gas.CALL_GAS)
        terms, entry = self.exit.terms, self.inbox.entry(index)
        if entry is None or index < terms.inbox_count or entry.message.kind != InboxKind.DEPOSIT:
            raise refused(CourtError.NOT_REFUNDABLE, terms.inbox_count, index)
        message = entry.message
        self.escrow.refund(index, message.asset, message.amount)
        self._ledger.add_token(message.owner, message.amount, message.asset)
        return events.DepositRefunded(index, message.owner, message.asset, message.amount)

    # Parts

    def _check_length(self, evidence: bytes) -> None:
        length, length_max = len(evidence), self.config.evidence_bytes_max
        require(length <= length_max, CourtError.EVIDENCE_TOO_LONG, length_max, length)

    def _reveal(self, reward: Reward) -> events.Revealed:
        """Let a reward wait for whom `Rewards.check_older` found, his evidence being good."""
        self.rewards.reveal(reward)
        return events.Revealed(reward.generation, reward.subject, reward.winner, reward.place)

    def _breaker_of(self, evidence: receipts.Evidence) -> tuple[bytes, int]:
        """Return who broke a receipt of which generation.

        Raises EvidenceError, or Refused if nobody did.
        """
        signer = receipts.signer_of(evidence, self._domain)
        if isinstance(evidence, receipts.TwoReceipts):
            generation = evidence.first.generation
            reason = receipts.why_both_hold(evidence.first, evidence.second)
        else:
            generation = evidence.receipt.generation
            posted = self._posted(evidence.batch_id)
            reason = receipts.why_kept(evidence.receipt, posted, evidence.roots)
        if reason is None and self.stakes.signer_of(generation) != signer:
            reason = f"it binds nobody: generation {generation} was not {signer.hex()}'s alone"
        was, advice = f"may be kept: {reason}", "novatio receipt check tells more"
        require(reason is None, CourtError.NO_FRAUD, "a broken receipt", was, advice)
        return signer, generation

    def _sequencer_changed(
        self, call: Call, former: bytes, goes_on: bool
    ) -> events.SequencerChanged:
        """Begin a generation that another key posts in; it `goes_on` with the same operator: the
        former sequencer's word binds it too."""
        until = call.block.number + self.config.final_after_blocks
        self.stakes.note_left(former, until)
        registry = self.registry
        return events.SequencerChanged(
            registry.operator, registry.sequencer, self._next_generation(goes_on)
        )

    def _next_generation(self, goes_on: bool = False) -> int:
        self._generation.value += 1
        alone = self.emergency.mode == Mode.SEQUENCER
        signer = self.registry.sequencer if alone else NOBODY
        self.stakes.begin(self._generation.value, signer, goes_on)
        return self._generation.value

    def _pay_out(self, recipient: bytes, amount: int, asset: int) -> None:
        if amount:
            self.escrow.release(asset, amount)
            self._ledger.add_token(recipient, amount, asset)

    def _roll_back(
        self, record: BatchRecord, step: int, call: Call, prover: bytes, evidence: bytes | None
    ) -> events.BatchReverted:
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
            self.rewards.open(name, rewarded, prover, evidence, call.block.number)
        forfeited = self.stakes.forfeit(Header.decode(record.header).proposer)
        generation = self._generation.value
        event = events.BatchReverted(
            batch_id=record.batch_id,
            number=record.number,
            generation=generation,
            step=step,
            prover=prover,
            slashed=rewarded + burned,
            rewarded=rewarded,
            burned=burned,
            block=call.block.number,
            forfeited=forfeited,
        )
        self._reverts[generation] = event
        self._tip.value = record.number - 1
        self._next_generation()
        return event
