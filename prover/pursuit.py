"""How a challenger gets what its proof is worth, whoever reads the mempool.

It commits to its evidence before it shows it, because it cannot know whether the mempool is
hostile: a commitment costs a 128th of the reward that a copied proof would lose. Safety does not
wait for that: a commitment that no block takes within a few blocks, or for which the window leaves
no time, is gone without. A batch that somebody else proved wrong first is proven again if our
commitment is the older one. All of it follows from what the base layer shows and from the evidence,
which is kept until nothing can come of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from verifier.base.interface import BatchView, Head, Reward
from verifier.rewards import commitment_of

PATIENCE_BLOCKS = 6  # that a proof waits for its commitment at most
ACCUSED_MAX = 64  # newest accusations that are kept


@dataclass(frozen=True)
class Accusation:
    """Evidence against a batch, and in which block it was first wanted on the base layer."""

    batch_id: bytes
    number: int
    generation: int
    evidence: bytes
    since_block: int


@dataclass(frozen=True)
class CommitTo:
    """Commit to evidence; the 32 bytes say nothing to others."""

    batch_id: bytes
    number: int
    commitment: bytes


@dataclass(frozen=True)
class Prove:
    """Show the court the evidence."""

    batch_id: bytes
    number: int
    evidence: bytes


@dataclass(frozen=True)
class Settle:
    """Make a reward that waited long enough our credit."""

    batch_id: bytes
    generation: int


@dataclass(frozen=True)
class Claims:
    """What the base layer shows of our own: places of our commitments by hash, and rewards for
    batches that we accuse, by name."""

    places: Mapping[bytes, int]
    rewards: Mapping[bytes, Reward]


NO_CLAIMS = Claims({}, {})


class Pursuit:
    """Accusations, and what to do about them. Without ``address`` nothing is committed to."""

    def __init__(
        self, address: bytes | None, commits: bool, accused: Mapping[bytes, Accusation]
    ) -> None:
        self.accused = dict(accused)
        self._address = address
        self._commits = commits and address is not None

    def accuse(
        self, view: BatchView, evidence: bytes, head: Head, claims: Claims
    ) -> CommitTo | Prove:
        """Return the next thing to do against a batch that stands."""
        record = view.record
        kept = self.accused.get(record.batch_id)
        if kept is None:
            kept = Accusation(
                record.batch_id, record.number, record.generation, evidence, head.number
            )
            self.accused[record.batch_id] = kept
            while len(self.accused) > ACCUSED_MAX:
                del self.accused[next(iter(self.accused))]
        waited = head.number - kept.since_block
        hurry = view.closes_block - head.number <= PATIENCE_BLOCKS
        if self._commits and not hurry and waited < PATIENCE_BLOCKS:
            commitment = self._commitment(kept)
            if commitment not in claims.places:
                return CommitTo(record.batch_id, record.number, commitment)
        return Prove(record.batch_id, record.number, kept.evidence)

    def follow_up(self, head: Head, claims: Claims) -> Iterator[Prove | Settle]:
        """Want the rewards for what fell, ours by the older commitment if somebody copied us."""
        for one in list(self.accused.values()):
            reward = claims.rewards.get(one.batch_id)
            if reward is None or self._address is None:
                continue
            if head.number >= reward.closes_block:
                if reward.winner == self._address and not reward.paid:
                    yield Settle(one.batch_id, one.generation)
                elif head.finalised_number > reward.closes_block:
                    del self.accused[one.batch_id]
            elif claims.places.get(self._commitment(one), reward.place) < reward.place:
                yield Prove(one.batch_id, one.number, one.evidence)

    def _commitment(self, one: Accusation) -> bytes:
        assert self._address is not None
        return commitment_of(self._address, one.generation, one.batch_id, one.evidence)
