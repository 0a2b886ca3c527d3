"""The stakes behind receipts: what a sequencer loses by breaking one, or by voiding them all.

A stake is of one flat size and belongs to the key that signs receipts. It comes back when the last
batch that its owner posted is final, he posts no more, and his successor did for as long as a
batch is open; so whoever holds a receipt has a whole challenge window to compare it with what was
posted. An operator who only changes his key takes nothing of his word back: the next key's batches
are held against it as if they were the former one's. For another operator's nobody answers.
"""

from __future__ import annotations

from typing import NamedTuple

from verifier.bonds import Bonds
from verifier.codec import NOBODY
from verifier.errors import CourtError, require
from verifier.host.storage import Table, UndoLog


class Stake(NamedTuple):
    """The stake of an address: which of its stakes, counted from 1, gwei that are there, the
    generation that it was put in, the number of the last batch that the address posted, and the
    last block in which it answers for what those post whom it left its seat to."""

    serial: int
    amount: int
    generation: int
    last_number: int
    answers_until: int


def stake_subject(signer: bytes) -> bytes:
    """Return what names a signer's stake beside its serial: the address as a word."""
    return bytes(12) + signer


class Stakes:
    """Stakes by address, and whose receipts bind in which generation, on an undo log."""

    def __init__(self, log: UndoLog, bonds: Bonds, size: int) -> None:
        self.size = size
        self._bonds = bonds
        self._stakes: Table[bytes, Stake] = Table(log)
        self._signers: Table[int, bytes] = Table(log)
        self._terms: Table[int, int] = Table(log)
        self._answering: Table[bytes, bytes] = Table(log)

    def of(self, address: bytes) -> Stake:
        """Return the stake of an address; zeros if it never had one."""
        return self._stakes.get(address) or Stake(0, 0, 0, 0, 0)

    def signer_of(self, generation: int) -> bytes | None:
        """Return whose receipts bind in a generation, NOBODY if posting was open to all; None
        before it has begun."""
        return self._signers.get(generation)

    def first_bound(self, generation: int) -> int:
        """Return the first generation whose receipts the batches of `generation` have to keep."""
        return self._terms.get(generation) or 0

    def begin(self, generation: int, signer: bytes, goes_on: bool = False) -> None:
        """Let the receipts of `signer` bind in a generation that begins; NOBODY for none.

        It `goes_on` if nothing ended but which key of the operator posts: then those of the one
        before bind here too.
        """
        self._signers[generation] = signer
        self._terms[generation] = self.first_bound(generation - 1) if goes_on else generation

    def carry(self, former: bytes, successor: bytes) -> None:
        """Let the stake of a key that was rotated away answer for its successor without one."""
        staked = self.of(former).amount > 0
        self._answering[successor] = former if staked else self._answering.get(former) or NOBODY

    def note_left(self, address: bytes, until: int) -> None:
        """Let who left his seat answer until block `until` for what is posted after him."""
        self._stakes[address] = self.of(address)._replace(answers_until=until)

    def note_posted(self, proposer: bytes, number: int) -> None:
        """Remember the last batch of a proposer."""
        self._stakes[proposer] = self.of(proposer)._replace(last_number=number)

    def put(self, sender: bytes, generation: int) -> int:
        """Lock a stake of `sender` behind his receipts from `generation` on; returns its serial.

        Raises Refused(ALREADY_STAKED).
        """
        stake = self.of(sender)
        require(stake.amount == 0, CourtError.ALREADY_STAKED, sender, stake.amount)
        self._stakes[sender] = stake._replace(
            serial=stake.serial + 1, amount=self.size, generation=generation
        )
        self._bonds.hold(self.size)
        return stake.serial + 1

    def take_back(self, sender: bytes, posts: bool, finalised: int, tip: int, block: int) -> int:
        """Return the stake of `sender` as a credit, and its gwei, in `block`; `posts` says if he
        is the sequencer still.

        Raises Refused(NO_STAKE or STAKE_LOCKED).
        """
        stake = self.of(sender)
        self.check_there(sender, stake.generation)
        last, until = min(stake.last_number, tip), stake.answers_until
        free = not posts and finalised >= last and block > until
        who = "the sequencer" if posts else "one"
        require(free, CourtError.STAKE_LOCKED, last, until, who, finalised, block)
        self._stakes[sender] = stake._replace(amount=0)
        self._bonds.give(sender, stake.amount)
        return stake.amount

    def check_there(self, signer: bytes, generation: int) -> None:
        """Raise Refused(NO_STAKE) unless something backs the signer's receipts of a generation."""
        stake = self.of(signer)
        backs = stake.amount > 0 and stake.generation <= generation
        require(backs, CourtError.NO_STAKE, signer, generation)

    def slash(self, signer: bytes) -> tuple[int, int]:
        """Take a stake for a broken receipt. Returns (held for the prover, burned) in gwei."""
        amount = self._empty(signer)
        rewarded = amount // 2
        self._bonds.burn(amount - rewarded)
        return rewarded, amount - rewarded

    def forfeit(self, proposer: bytes) -> int:
        """Burn the stake, if any, of whose batch was proven wrong; returns its gwei.

        The fraud voids every receipt of its generation, so it must not cost less than breaking one,
        of which a prover gets half back. Nor must it cost less by a key without a stake: for that
        answers the key that the operator took the seat from.
        """
        amount = self._empty(proposer) or self._empty(self._answering.get(proposer) or NOBODY)
        self._bonds.burn(amount)
        return amount

    def _empty(self, address: bytes) -> int:
        stake = self.of(address)
        if stake.amount:
            self._stakes[address] = stake._replace(amount=0)
        return stake.amount
