"""Signed receipts: one signature a frame, and columns that lead a client's actions to it.

The law folds every step's sequenced actions into one accumulator (docs/protocol.md, section 4). A
receipt signs it at the end of a frame, so it covers everything sequenced so far; whoever signs two
histories of the same length has signed the proof of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearing import eip712
from clearing.codes import Tag
from clearing.keccak import hash_rows, tagged_hash
from clearing.keys import sign
from node.records import FrameRecord, OutcomeRecord

Pieces = np.ndarray[Any, np.dtype[np.int64]]

HASH_BYTES = 32
HASH_PIECES = 4

# (generation, count, accumulator) -> 65 bytes.
ReceiptSigner = Callable[[int, int, bytes], bytes]


def receipt_digest(domain: bytes, generation: int, count: int, accumulator: bytes) -> bytes:
    """Return the 32 bytes that a receipt's signature signs."""
    struct_hash = eip712.hash_struct(eip712.RECEIPT_TYPE, generation, count, accumulator)
    return eip712.digest(domain, struct_hash)


def receipt_signer(private_key: bytes, domain: bytes) -> ReceiptSigner:
    """Return a signer that holds the sequencer's key in memory."""

    def signed(generation: int, count: int, accumulator: bytes) -> bytes:
        return sign(private_key, receipt_digest(domain, generation, count, accumulator))

    return signed


def next_accumulator(accumulator: bytes, root: bytes) -> bytes:
    """Return the accumulator after a step with that action root."""
    return tagged_hash(Tag.SEQUENCE, accumulator + root)


def step_roots(digests: Pieces, counts: Pieces) -> bytes:
    """Return the action root of each step, back to back.

    `digests` int64[n, 4] are the hashes of all sequenced actions; `counts` int64[s] of at least 1
    and at most 8 say how many belong to each step.
    """
    steps = counts.shape[0]
    if steps == 0:
        return b""
    width = int(counts.max()) * HASH_PIECES
    rows = np.zeros((steps, width), np.int64)
    # Row-major order of the filled part is the order of the digests.
    filled = np.arange(width)[None, :] < (counts * HASH_PIECES)[:, None]
    rows[filled] = digests.reshape(-1)
    roots = np.zeros((steps, HASH_PIECES), np.int64)
    hash_rows(rows, counts * HASH_PIECES, steps, int(Tag.SEQUENCED), roots)
    return roots.astype(">i8").tobytes()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A frame's receipt with the path to it; `hashes` are those of all its sequenced actions.

    `step_counts` int64[s] has no zeros: steps that hold inbox messages alone are not in it.
    """

    generation: int
    count: int
    accumulator: bytes
    signature: bytes
    count_before: int
    accumulator_before: bytes
    step_counts: Pieces
    roots: bytes
    hashes: bytes
    token: int

    def own(self, first: int, count: int) -> tuple[range, bytes]:
        """Return the steps that hold the frame's sequenced actions first .. first + count - 1.

        And the hashes of all actions of these steps, back to back.
        """
        if count == 0:
            return range(0), b""
        ends = np.cumsum(self.step_counts)
        low = int(np.searchsorted(ends, first, side="right"))
        high = int(np.searchsorted(ends, first + count - 1, side="right"))
        begin = int(ends[low]) - int(self.step_counts[low])
        return range(low, high + 1), self.hashes[begin * HASH_BYTES : int(ends[high]) * HASH_BYTES]


def receipt_of(frame: FrameRecord, outcome: OutcomeRecord, digests: Pieces) -> Receipt:
    """Return the receipt of a frame; `digests` int64[n, 4] are the hashes of all its actions."""
    ends = np.cumsum(outcome.step_counts, dtype=np.int64)
    firsts = np.concatenate((np.zeros(1, np.int64), ends))
    # Inbox messages come first and are not sequenced.
    counts = np.diff(np.maximum(firsts - frame.inbox_count, 0))
    counts = counts[counts > 0]
    sequenced = digests[frame.inbox_count :]
    return Receipt(
        generation=frame.generation,
        count=frame.sequence,
        accumulator=outcome.accumulator,
        signature=outcome.signature,
        count_before=frame.sequence_before,
        accumulator_before=outcome.accumulator_before,
        step_counts=counts,
        roots=step_roots(sequenced, counts),
        hashes=sequenced.astype(">i8").tobytes(),
        token=outcome.frame_token,
    )


class ReceiptRefused(ValueError):
    """A receipt that does not say what it should; keep it, it may be evidence."""


def check_receipt(receipt: Receipt) -> None:
    """Recompute a receipt's accumulator. Raises `ReceiptRefused`; does not check the signature."""
    accumulator = receipt.accumulator_before
    for start in range(0, len(receipt.roots), HASH_BYTES):
        accumulator = next_accumulator(accumulator, receipt.roots[start : start + HASH_BYTES])
    counted = receipt.count_before + int(receipt.step_counts.sum())
    if accumulator != receipt.accumulator or counted != receipt.count:
        raise ReceiptRefused(
            f"receipt: expected count {counted} and accumulator {accumulator.hex()}, was "
            f"{receipt.count} and {receipt.accumulator.hex()}; keep both, they may be evidence"
        )
