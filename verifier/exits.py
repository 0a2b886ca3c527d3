"""The way out: withdrawals are paid from an asset's escrow against finalised batches, each once."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from clearing.units import SETTLEMENT_ASSET, WITHDRAWALS_DEPTH
from verifier.errors import CourtError, Refused
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
        """Inverse of `encode`. Raises Refused(INVALID_WITHDRAWAL_PROOF)."""
        if len(data) != LEAF_BYTES or data[32:44] != _NO_BYTES:
            raise Refused(
                CourtError.INVALID_WITHDRAWAL_PROOF,
                f"expected a withdrawal leaf of {LEAF_BYTES} bytes, its recipient right-aligned, "
                f"was {data.hex()}; take the leaf from the state",
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


class Exits:
    """The escrow of each asset, and which withdrawals were paid out of it.

    `escrow` is what of the settlement asset is there from the beginning.
    """

    def __init__(self, log: UndoLog, escrow: int) -> None:
        self._escrow: Table[int, int] = Table(log)
        self._paid: Table[int, int] = Table(log)
        self._claimed: Table[int, bool] = Table(log)
        self._refunded: Table[int, int] = Table(log)
        self._returned: Table[int, bool] = Table(log)
        self._escrow[SETTLEMENT_ASSET] = escrow

    def escrow(self, asset: int = SETTLEMENT_ASSET) -> int:
        """Units of an asset in the court's hands."""
        return self._escrow.get(asset) or 0

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
        self._escrow[asset] = self.escrow(asset) + amount

    def release(self, asset: int, amount: int) -> None:
        """Let units go to somebody whom an exit pays; there are as many."""
        self._escrow[asset] = self.escrow(asset) - amount

    def refund(self, index: int, asset: int, amount: int) -> None:
        """Give the deposit of inbox message `index` back. Raises Refused(ALREADY_PAID)."""
        if index in self._returned:
            raise Refused(
                CourtError.ALREADY_PAID,
                f"expected deposit {index} to be unpaid, was paid back; nothing is left to do",
            )
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
        if not 0 <= index < count:
            raise Refused(
                CourtError.NO_SUCH_WITHDRAWAL,
                f"expected an index below {count}, was {index}; name a later finalised batch",
            )
        if self.is_claimed(index):
            raise Refused(
                CourtError.ALREADY_CLAIMED,
                f"expected withdrawal {index} to be unpaid, was paid; nothing is left to do",
            )
        leaf = WithdrawalLeaf.decode(encoded)
        _check_proof(root, count, index, leaf, siblings)
        check_asset(leaf.asset)
        escrow = self.escrow(leaf.asset)
        if not 0 <= leaf.amount <= escrow:
            raise Refused(
                CourtError.ESCROW_SHORT,
                f"expected an amount of 0 to {escrow} of asset {leaf.asset} in escrow, "
                f"was {leaf.amount}; stop: a wrong state was finalised",
            )
        self._claimed[index] = True
        self._escrow[leaf.asset] = escrow - leaf.amount
        self._paid[leaf.asset] = self.paid(leaf.asset) + leaf.amount
        return leaf


def _check_proof(
    root: bytes, count: int, index: int, leaf: WithdrawalLeaf, siblings: Sequence[bytes]
) -> None:
    if leaf.index != index:
        raise Refused(
            CourtError.INVALID_WITHDRAWAL_PROOF,
            f"expected the leaf of withdrawal {index}, was that of {leaf.index}; send its own leaf",
        )
    try:
        proven = root_from(WITHDRAWALS_DEPTH, count, [index], [leaf.hash()], siblings)
    except ProofError as error:
        raise Refused(CourtError.INVALID_WITHDRAWAL_PROOF, str(error)) from error
    if proven != root:
        raise Refused(
            CourtError.INVALID_WITHDRAWAL_PROOF,
            f"expected a proof of root {root.hex()}, was of {proven.hex()}; "
            "prove against the state of the batch that is named",
        )
