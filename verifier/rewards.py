"""Who is paid for a proof: the oldest commitment to it that is revealed in time, else its sender.

A proof takes effect at once, but whoever reads it in the mempool can send a copy that comes first.
So its reward waits one reveal window. Whoever committed to evidence before he showed it shows it
again meanwhile, and the oldest commitment takes the place of a younger one. A sender who has none
has the place of one that he would have made as he showed it: what others commit to once they have
read the proof comes too late. What was committed says nothing to others, moves no deadline, and
costs a price that is burned.

A reward has a name: (generation, batch id) of a batch that fell, (serial, signer) of a receipts'
stake that was lost.
"""

from __future__ import annotations

from typing import NamedTuple

from clearing.codes import Tag
from clearing.keccak import keccak256, tagged_hash
from verifier.bonds import Bonds
from verifier.errors import CourtError, refused, require
from verifier.host.storage import Cell, Table, UndoLog

COMMITMENTS_MAX = 16  # of one committer at a time; one more takes the place of his oldest
PRICE_SHARE = 256  # of a bond, which half a bond pays 128 times
SUBJECT_BYTES = 32
NO_PLACE = (1 << 62) - 1  # younger than every commitment


class Commitment(NamedTuple):
    """What somebody committed to; `place` counts all commitments of the court."""

    hash: bytes
    place: int


class Reward(NamedTuple):
    """What a proof earned in gwei. `winner` gets it after block `closes_block` if `place`, that of
    his commitment, stays the oldest; a sender without one has that of the next to be made."""

    generation: int
    subject: bytes
    amount: int
    sender: bytes
    winner: bytes
    place: int
    closes_block: int
    paid: bool


def commitment_of(committer: bytes, generation: int, subject: bytes, evidence: bytes) -> bytes:
    """Return H(1a, committer || generation || subject || keccak(evidence)), the address and the
    generation as in a leaf. `subject` is 32 bytes."""
    if len(subject) != SUBJECT_BYTES:
        raise ValueError(f"expected a subject of {SUBJECT_BYTES} bytes, was {len(subject)}")
    word = bytes(12) + committer + generation.to_bytes(8, "big")
    return tagged_hash(Tag.COMMITMENT, word + subject + keccak256(evidence))


class Rewards:
    """Commitments and rewards, on an undo log. The money lies with `bonds`."""

    def __init__(self, log: UndoLog, bonds: Bonds, window_blocks: int) -> None:
        self._bonds = bonds
        self._window = window_blocks
        self._commitments: Table[tuple[bytes, int], Commitment] = Table(log)
        self._counts: Table[bytes, int] = Table(log)
        self._rewards: Table[tuple[int, bytes], Reward] = Table(log)
        self._places: Cell[int] = Cell(log, 0)

    @property
    def price(self) -> int:
        """What a commitment costs, in gwei."""
        return max(self._bonds.bond // PRICE_SHARE, 1)

    # Calls

    def commit(self, sender: bytes, commitment: bytes) -> int:
        """Remember a commitment of `sender` and return its place; the price is his to pay.

        Raises Refused(ALREADY_COMMITTED): an older one is worth more than the same again.
        """
        known = self._find(sender, commitment)
        require(known is None, CourtError.ALREADY_COMMITTED, commitment)
        place, count = self._places.value, self._counts.get(sender) or 0
        self._commitments[sender, count % COMMITMENTS_MAX] = Commitment(commitment, place)
        self._counts[sender] = count + 1
        self._places.value = place + 1
        self._bonds.hold(self.price)
        self._bonds.burn(self.price)
        return place

    def open(
        self, name: tuple[int, bytes], amount: int, sender: bytes, evidence: bytes, block: int
    ) -> Reward:
        """Let what a proof earned wait; `amount` gwei of what is held."""
        place = min(self._place_of(sender, name, evidence), self._places.value)
        made = Reward(*name, amount, sender, sender, place, block + self._window, False)
        self._rewards[name] = made
        return made

    def check_older(
        self, name: tuple[int, bytes], sender: bytes, evidence: bytes, block: int
    ) -> Reward:
        """Return the reward as it would be if this evidence is good.

        Raises Refused(REWARD_SETTLED) without a reward that waits, NO_OLDER_COMMITMENT if the
        sender has none to this evidence that is older than the winner's.
        """
        reward = self._rewards.get(name)
        if reward is None or block > reward.closes_block:
            waiting = f"a reward that waits for older commitments at block {block}"
            raise refused(CourtError.REWARD_SETTLED, waiting, "none", "nothing is left to do")
        place = self._place_of(sender, name, evidence)
        was = "none" if place == NO_PLACE else place
        require(place < reward.place, CourtError.NO_OLDER_COMMITMENT, sender, reward.place, was)
        return reward._replace(winner=sender, place=place)

    def reveal(self, reward: Reward) -> None:
        """Take in what `check_older` returned."""
        self._rewards[reward.generation, reward.subject] = reward

    def check_waits_no_more(self, name: tuple[int, bytes], block: int) -> None:
        """Raise Refused(REWARD_WAITS) while a reward of that name waits for older commitments."""
        reward = self._rewards.get(name)
        if reward is not None:
            closes = reward.closes_block
            require(block > closes, CourtError.REWARD_WAITS, closes, block)

    def settle(self, name: tuple[int, bytes], block: int) -> Reward:
        """Make a reward its winner's credit, once its window has passed; anyone may ask.

        Raises Refused(NO_SUCH_REWARD, REWARD_WAITS or REWARD_SETTLED).
        """
        reward = self._rewards.get(name)
        if reward is None:
            raise refused(CourtError.NO_SUCH_REWARD, *name)
        self.check_waits_no_more(name, block)
        require(
            not reward.paid,
            CourtError.REWARD_SETTLED,
            "an unpaid reward",
            f"one that {reward.winner.hex()} got",
            "pull the credit",
        )
        self._rewards[name] = reward._replace(paid=True)
        self._bonds.give(reward.winner, reward.amount)
        return reward

    # Views

    def reward(self, generation: int, subject: bytes) -> Reward | None:
        """Return a reward by its name, or None."""
        return self._rewards.get((generation, subject))

    def commitments(self, committer: bytes) -> list[Commitment]:
        """Return the commitments of an address that stand, oldest first."""
        count = self._counts.get(committer) or 0
        first = max(count - COMMITMENTS_MAX, 0)
        return [self._commitments[committer, k % COMMITMENTS_MAX] for k in range(first, count)]

    # Parts

    def _find(self, committer: bytes, commitment: bytes) -> Commitment | None:
        standing = self.commitments(committer)
        return next((one for one in standing if one.hash == commitment), None)

    def _place_of(self, sender: bytes, name: tuple[int, bytes], evidence: bytes) -> int:
        found = self._find(sender, commitment_of(sender, *name, evidence))
        return NO_PLACE if found is None else found.place
