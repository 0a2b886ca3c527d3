"""The money of the court's own game: bonds, rewards, what is burned, and who may pull what.

Always: paid + burned + held = deposited, in gwei.
"""

from __future__ import annotations

from typing import NamedTuple

from verifier.errors import CourtError, require
from verifier.host.storage import Cell, Table, UndoLog


class BondTotals(NamedTuple):
    """Sums since genesis in gwei; `held` is what is locked or waits, and credits."""

    deposited: int
    paid: int
    burned: int
    held: int


class Bonds:
    """Bonds of one flat size, locked, released or slashed; payouts are credits to be pulled."""

    def __init__(self, log: UndoLog, bond: int) -> None:
        self.bond = bond
        self._credits: Table[bytes, int] = Table(log)
        self._totals: Cell[BondTotals] = Cell(log, BondTotals(0, 0, 0, 0))

    @property
    def totals(self) -> BondTotals:
        """The four sums."""
        return self._totals.value

    def credit(self, address: bytes) -> int:
        """Return what `address` may pull."""
        return self._credits.get(address) or 0

    def lock(self) -> None:
        """Take in the bond of one more batch."""
        self.hold(self.bond)

    def hold(self, amount: int) -> None:
        """Take in `amount` gwei that are no bond."""
        deposited, paid, burned, held = self.totals
        self._totals.value = BondTotals(deposited + amount, paid, burned, held + amount)

    def give(self, address: bytes, amount: int) -> None:
        """Turn `amount` gwei of what is held into a credit of `address`."""
        self._credits[address] = self.credit(address) + amount

    def burn(self, amount: int) -> None:
        """Destroy `amount` gwei of what is held."""
        deposited, paid, burned, held = self.totals
        self._totals.value = BondTotals(deposited, paid, burned + amount, held - amount)

    def release(self, proposer: bytes) -> None:
        """Turn one bond into its proposer's credit."""
        self.give(proposer, self.bond)

    def slash(self, batches: int) -> tuple[int, int]:
        """Take the bonds of a wrong batch and of its descendants, `batches` in all; O(1).

        Half of one bond stays held for whoever earned it and everything else is burned, so whoever
        proves his own batch wrong loses half of it. Returns (rewarded, burned) in gwei.
        """
        rewarded = self.bond // 2
        lost = self.bond * batches - rewarded
        self.burn(lost)
        return rewarded, lost

    def pull(self, address: bytes) -> int:
        """Empty the credit of `address` and return it. Raises Refused(NO_CREDIT)."""
        amount = self.credit(address)
        require(amount > 0, CourtError.NO_CREDIT, address)
        self._credits[address] = 0
        deposited, paid, burned, held = self.totals
        self._totals.value = BondTotals(deposited, paid + amount, burned, held - amount)
        return amount
