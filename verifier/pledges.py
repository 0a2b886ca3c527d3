"""What the court keeps of pledges beside bonds: commitments to proofs, rewards, and stakes.

The calls here touch no batch: who earns what a proof took, and who answers for receipts with what.
"""

from __future__ import annotations

from collections.abc import Callable

from clearing import eip712
from verifier import receipts
from verifier.bonds import Bonds
from verifier.config import CourtConfig
from verifier.errors import CourtError, Refused
from verifier.events import (
    Committed,
    ReceiptBroken,
    Revealed,
    RewardSettled,
    Staked,
    StakeReturned,
)
from verifier.evidence import EvidenceError
from verifier.host import gas
from verifier.host.call import Call
from verifier.host.ledger import Ledger
from verifier.host.storage import UndoLog
from verifier.rewards import Reward, Rewards
from verifier.stakes import Stakes, stake_subject


class Pledges:
    """Rewards and stakes with the calls about them.

    `posted` tells what a batch that was ever posted says of the sequence; it raises Refused.
    """

    def __init__(
        self,
        config: CourtConfig,
        ledger: Ledger,
        bonds: Bonds,
        log: UndoLog,
        posted: Callable[[bytes], receipts.Posted],
    ) -> None:
        self.rewards = Rewards(log, bonds, config.reveal_window_blocks)
        self.stakes = Stakes(log, bonds, config.receipt_stake)
        self._config = config
        self._ledger = ledger
        self._posted = posted
        self._domain = eip712.domain_separator(config.chain_id, config.settlement)

    def commit(self, call: Call, commitment: bytes) -> Committed:
        """Remember that the sender commits to evidence, for a price that is burned."""
        call.meter.spend(gas.CALL_GAS)
        self._ledger.take_native(call.sender, self.rewards.price)
        place = self.rewards.commit(call.sender, commitment)
        return Committed(call.sender, commitment, place, self.rewards.price)

    def settle_reward(self, call: Call, generation: int, subject: bytes) -> RewardSettled:
        """Make a reward that waited long enough its winner's credit; anyone may call this."""
        call.meter.spend(gas.CALL_GAS)
        settled = self.rewards.settle((generation, subject), call.block.number)
        return RewardSettled(generation, subject, settled.winner, settled.amount)

    def put_stake(self, call: Call, generation: int) -> Staked:
        """Lock a stake of the sender behind the receipts that he signs from `generation` on."""
        call.meter.spend(gas.CALL_GAS)
        self._ledger.take_native(call.sender, self.stakes.size)
        serial = self.stakes.put(call.sender, generation)
        return Staked(call.sender, serial, self.stakes.size)

    def take_stake(self, call: Call, posts: bool, finalised: int, tip: int) -> StakeReturned:
        """Make the stake of a former sequencer his credit, once nothing can be held against it."""
        call.meter.spend(gas.CALL_GAS)
        amount = self.stakes.take_back(call.sender, posts, finalised, tip, call.block.number)
        return StakeReturned(call.sender, amount)

    def prove_receipt(self, call: Call, evidence: bytes) -> ReceiptBroken | Revealed:
        """Take the stake of whom `evidence` shows to have broken a receipt.

        Once another did that, whoever committed to evidence before him shows it here again.
        """
        self.check_length(evidence)
        call.meter.spend(gas.proving_receipt(len(evidence)))
        try:
            signer, generation = self._liar(receipts.decode_evidence(evidence))
        except EvidenceError as error:
            raise Refused(CourtError.INVALID_EVIDENCE, str(error)) from error
        stake = self.stakes.of(signer)
        name, block = (stake.serial, stake_subject(signer)), call.block.number
        if stake.amount == 0 and self.rewards.reward(*name) is not None:
            return self.reveal(self.rewards.check_older(name, call.sender, evidence, block))
        self.stakes.check_there(signer, generation)
        rewarded, burned = self.stakes.slash(signer)
        self.rewards.open(name, rewarded, call.sender, evidence, block)
        return ReceiptBroken(signer, stake.serial, call.sender, rewarded, burned)

    def reveal(self, reward: Reward) -> Revealed:
        """Let a reward wait for whom `Rewards.check_older` found, his evidence being good."""
        self.rewards.reveal(reward)
        return Revealed(reward.generation, reward.subject, reward.winner, reward.place)

    def check_length(self, evidence: bytes) -> None:
        """Raise Refused(EVIDENCE_TOO_LONG)."""
        length, length_max = len(evidence), self._config.evidence_bytes_max
        if length > length_max:
            raise Refused(
                CourtError.EVIDENCE_TOO_LONG,
                f"expected at most {length_max} bytes, was {length}; send the read set alone",
            )

    def _liar(self, evidence: receipts.Evidence) -> tuple[bytes, int]:
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
        if reason is not None:
            raise Refused(
                CourtError.NO_FRAUD,
                f"expected a broken receipt, was one that may be kept: {reason}; "
                "novatio receipt check tells more",
            )
        return signer, generation
