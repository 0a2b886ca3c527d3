"""The way out: withdrawals are paid from the escrow against finalised batches, each once."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from clearing.units import SETTLEMENT_ASSET, WITHDRAWALS_DEPTH
from verifier.errors import CourtError, Refused
from verifier.multiproof import ProofError, root_from
from verifier.undo import Cell, Table, UndoLog

_LEAF = struct.Struct(">qqqq12s20s")
LEAF_BYTES = _LEAF.size
_NO_BYTES = bytes(12)


@dataclass(frozen=True, slots=True)
class WithdrawalLeaf:
    """A withdrawal as it stands in the state: two words (docs/protocol.md, section 3)."""

    index: int
    asset: int
    amount: int  # micro-quote
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
    """What the escrow owes by the last opened state, in micro-quote.

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
    """The escrow in micro-quote, and which withdrawals were paid out of it."""

    def __init__(self, log: UndoLog, escrow: int) -> None:
        self._escrow: Cell[int] = Cell(log, escrow)
        self._paid: Cell[int] = Cell(log, 0)
        self._claimed: Table[int, bool] = Table(log)

    @property
    def escrow(self) -> int:
        """Micro-quote in the court's hands."""
        return self._escrow.value

    @property
    def paid(self) -> int:
        """Micro-quote of all withdrawals paid."""
        return self._paid.value

    def is_claimed(self, index: int) -> bool:
        """Say whether withdrawal `index` was paid."""
        return index in self._claimed

    def receive(self, amount: int) -> None:
        """Take a deposit into the escrow."""
        self._escrow.value += amount

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
        if leaf.asset != SETTLEMENT_ASSET:
            raise Refused(
                CourtError.UNKNOWN_ASSET,
                f"expected asset {SETTLEMENT_ASSET}, was {leaf.asset}; the escrow has no other",
            )
        if not 0 <= leaf.amount <= self.escrow:
            raise Refused(
                CourtError.ESCROW_SHORT,
                f"expected an amount of 0 to {self.escrow} in escrow, was {leaf.amount}; "
                "stop: a wrong state was finalised",
            )
        self._claimed[index] = True
        self._escrow.value -= leaf.amount
        self._paid.value += leaf.amount
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
