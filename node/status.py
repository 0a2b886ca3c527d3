"""What the poster last saw of the base layer: one value, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class BatchStage(IntEnum):
    """Where a batch stands; the numbers are those of the wire."""

    SEALED = 1
    POSTED = 2
    SAFE = 3
    FINALISED = 4
    WITHDRAWABLE = 5


@dataclass(frozen=True, slots=True)
class PostedBatch:
    """How a batch stands on the base layer, or was last sent there."""

    batch_id: bytes
    header: bytes
    postings: int


@dataclass(frozen=True, slots=True)
class BaseStatus:
    """Batch numbers of the heads, in falling order, and what else operators want to know.

    `mode` is the court's (`verifier.freeze.Mode`, 0 before the first look), times are ms.
    `posted_batches` are those that are not yet withdrawable, and the newest that is. `balance` and
    `bonds` (of our open batches) are gwei, `lag_ms` is by how much the tip's clock is behind the
    base layer, `inbox_age_ms` for how long the oldest message waits that the tip has not consumed,
    `window_blocks_left` how long until the oldest open batch may be made final.
    """

    posted: int = 0
    safe: int = 0
    finalised: int = 0
    withdrawable: int = 0
    generation: int = 0
    base_block: int = 0
    inbox_available: int = 0
    foreign_batch: bool = False
    error: str = ""
    reached: bool = False
    mode: int = 0
    lag_ms: int = 0
    opens_ms: int = 0
    freezes_ms: int = 0
    posted_batches: Mapping[int, PostedBatch] = field(default_factory=dict)
    balance: int = 0
    bonds: int = 0
    unfinalised: int = 0
    window_blocks_left: int = 0
    inbox_age_ms: int = 0

    def stage(self, number: int) -> BatchStage:
        """Return where batch `number` stands."""
        for stage, head in (
            (BatchStage.WITHDRAWABLE, self.withdrawable),
            (BatchStage.FINALISED, self.finalised),
            (BatchStage.SAFE, self.safe),
            (BatchStage.POSTED, self.posted),
        ):
            if number <= head:
                return stage
        return BatchStage.SEALED
