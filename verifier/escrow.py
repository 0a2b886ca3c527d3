"""The customers' money: taken in by deposits, paid out against final batches, each leaf once."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from clearing.units import SETTLEMENT_ASSET, WITHDRAWALS_DEPTH
from verifier.errors import CourtError, refused, require
from verifier.host.ledger import check_asset
from verifier.host.storage import Table, UndoLog
from verifier.multiproof import ProofError, root_from

_LEAF = struct.Struct(">qqqq12s20s")
LEAF_BYTES = _LEAF.size
_NO_BYTES = bytes(12)


@dataclass(frozen=True, slots=True)
class WithdrawalLeaf:
    """A withdrawal as it stands in the state: two words (docs/protocol.md, section 3)."""

    index: int
    asset: int
    amount: int  # units of the asset
    account: int
    recipient: bytes

    def encode(self) -> bytes:
        """Return the 64 bytes of the leaf."""
        numbers = self.index, self.asset, self.amount, self.account
        return _LEAF.pack(*numbers, _NO_BYTES, self.recipient)

    def hash(self) -> bytes:
        """Return H(06, leaf)."""
        return tagged_hash(Tag.WITHDRAWAL, self.encode())

    @classmethod
    def decode(cls, data: bytes) -> WithdrawalLeaf:
        """Inverse of `encode`. Raises ProofError."""
        if len(data) != LEAF_BYTES or data[32:44] != _NO_BYTES:
            raise ProofError(
                f"expected a withdrawal leaf of {LEAF_BYTES} bytes, its recipient right-aligned, "
                f"was {data.hex()}; take the leaf from the state"
            )
        index, asset, amount, account, _, recipient = _LEAF.unpack(data)
        return cls(index, asset, amount, account, recipient)


class Solvency(NamedTuple):
    """What the escrow of one asset owes by the last opened state, in units of the asset.

    Of a collateral asset the opened globals do not tell the custody: withdrawals that are not yet
    paid count as custody there.
    `escrow = custody + unclaimed + unconsumed` holds by the law's conservation. A state for which
    it could not be true shows as a negative part: it claims more custody than was deposited, or has
    fewer withdrawals than were paid.
    """

    escrow: int
    custody: int
    unclaimed: int
    unconsumed: int

    @property
    def holds(self) -> bool:
        """Whether everything owed is there."""
        owed = self.custody + self.unclaimed + self.unconsumed
        return self.escrow == owed and min(self.custody, self.unclaimed, self.unconsumed) >= 0


class Escrow:
    """What customers have in the court's hands, by asset, and which withdrawals were paid of it.

    `custody` is what of the settlement asset is there from the beginning.
    """

    def __init__(self, log: UndoLog, custody: int) -> None:
        self._held: Table[int, int] = Table(log)
        self._paid: Table[int, int] = Table(log)
        self._claimed: Table[int, bool] = Table(log)
        self._refunded: Table[int, int] = Table(log)
        self._returned: Table[int, bool] = Table(log)
        self._held[SETTLEMENT_ASSET] = custody

    def held(self, asset: int = SETTLEMENT_ASSET) -> int:
        """Units of an asset in the court's hands."""
        return self._held.get(asset) or 0

    def paid(self, asset: int = SETTLEMENT_ASSET) -> int:
        """Units of an asset in all withdrawals paid."""
        return self._paid.get(asset) or 0

    def refunded(self, asset: int = SETTLEMENT_ASSET) -> int:
        """Units of an asset in all deposits given back."""
        return self._refunded.get(asset) or 0

    def is_claimed(self, index: int) -> bool:
        """Say whether withdrawal `index` was paid."""
        return index in self._claimed

    def receive(self, asset: int, amount: int) -> None:
        """Take a deposit into the escrow."""
        self._held[asset] = self.held(asset) + amount

    def release(self, asset: int, amount: int) -> None:
        """Let units go to somebody; there are as many."""
        self._held[asset] = self.held(asset) - amount

    def refund(self, index: int, asset: int, amount: int) -> None:
        """Give the deposit of inbox message `index` back. Raises Refused(ALREADY_PAID)."""
        new = index not in self._returned
        require(new, CourtError.ALREADY_PAID, f"deposit {index}", "paid back")
        self._returned[index] = True
        self._refunded[asset] = self.refunded(asset) + amount
        self.release(asset, amount)

    def claim(
        self, root: bytes, count: int, index: int, encoded: bytes, siblings: Sequence[bytes]
    ) -> WithdrawalLeaf:
        """Check the withdrawal against a finalised tree and take it out of the escrow.

        Raises Refused(NO_SUCH_WITHDRAWAL, ALREADY_CLAIMED, INVALID_WITHDRAWAL_PROOF, UNKNOWN_ASSET
        or ESCROW_SHORT).
        """
        require(0 <= index < count, CourtError.NO_SUCH_WITHDRAWAL, count, index)
        require(not self.is_claimed(index), CourtError.ALREADY_CLAIMED, index)
        try:
            leaf = _proven_leaf(root, count, index, encoded, siblings)
        except ProofError as error:
            raise refused(CourtError.INVALID_WITHDRAWAL_PROOF, error) from error
        check_asset(leaf.asset)
        held = self.held(leaf.asset)
        covered = 0 <= leaf.amount <= held
        require(covered, CourtError.ESCROW_SHORT, held, leaf.asset, leaf.amount)
        self._claimed[index] = True
        self._paid[leaf.asset] = self.paid(leaf.asset) + leaf.amount
        self.release(leaf.asset, leaf.amount)
        return leaf


def _proven_leaf(
    root: bytes, count: int, index: int, encoded: bytes, siblings: Sequence[bytes]
) -> WithdrawalLeaf:
    """Return the leaf at an index of a withdrawals tree. Raises ProofError."""
    leaf = WithdrawalLeaf.decode(encoded)
    if leaf.index != index:
        raise ProofError(
            f"expected the leaf of withdrawal {index}, was that of {leaf.index}; send its own leaf"
        )
    proven = root_from(WITHDRAWALS_DEPTH, count, [index], [leaf.hash()], siblings)
    if proven != root:
        raise ProofError(
            f"expected a proof of root {root.hex()}, was of {proven.hex()}; "
            "prove against the state of the batch that is named"
        )
    return leaf
