"""What the court keeps of batches, and what it shows of them."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from verifier.batch import OpenedGlobals
from verifier.header import Header


class BatchStatus(IntEnum):
    """How far a posted batch is."""

    POSTED = 1
    FINALISED = 2
    REVERTED = 3


class BatchRecord(NamedTuple):
    """What the court keeps of a batch; `header` is its 384 bytes, empty for genesis.

    Custody, counts, sequence and the withdrawals root are read from the opened post root.
    """

    batch_id: bytes
    generation: int
    number: int
    header: bytes
    post_root: bytes
    steps_root: bytes
    clock: int
    inbox_count: int
    custody: int
    withdrawal_count: int
    withdrawals_root: bytes
    posted_block: int
    sequenced_count: int
    sequenced_accumulator: bytes


class BatchView(NamedTuple):
    """A record, its present status, how many of its steps are asked for and not answered, and the
    last block of its windows: if it is open, it may be finalised in a later one."""

    record: BatchRecord
    status: BatchStatus
    open_asks: int
    closes_block: int


class Heads(NamedTuple):
    """Where the court stands: the newest batch, the newest final one, and the generation."""

    tip_id: bytes
    tip_number: int
    tip_root: bytes
    finalised_id: bytes
    finalised_number: int
    generation: int


def record_of(
    batch_id: bytes, header: Header | None, post_root: bytes, opened: OpenedGlobals, block: int
) -> BatchRecord:
    """Return the record of a batch posted in `block`; without a header, of genesis."""
    return BatchRecord(
        batch_id,
        header.generation if header else 0,
        header.number if header else 0,
        header.encode() if header else b"",
        post_root,
        header.steps_root if header else bytes(32),
        opened.clock,
        opened.inbox_count,
        opened.custody,
        opened.withdrawal_count,
        opened.withdrawals_root,
        block,
        opened.sequenced_count,
        opened.sequenced_accumulator,
    )
