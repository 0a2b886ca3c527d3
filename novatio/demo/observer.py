"""An independent replica: rebuilds the state from base-layer bytes alone and judges every batch.

It shares nothing with the node or the challenger but the law. What the demo claims at its end, it
recomputes from this replica.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from clearing.codes import Code, Kind
from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis
from clearing.keccak import to_bytes
from prover.engine import Engine
from verifier.base.interface import BaseLayer, BatchView
from verifier.batch import BatchData
from verifier.header import Header

__all__ = ["Observer", "SeenBatch"]

BATCHES_PER_LOOK: Final = 8


@dataclass(slots=True)
class SeenBatch:
    """A batch as the observer judged it."""

    number: int
    batch_id: bytes
    steps: int
    actions: int
    honest: bool
    reverted: bool = False


class Observer:
    """Follows the court's canonical batches. Not safe for threads."""

    def __init__(self, base: BaseLayer, genesis: Genesis, accounts: int) -> None:
        self.engine = Engine(genesis, accounts_capacity=accounts)
        self.number = 0
        self.batches: list[SeenBatch] = []
        # (kind, code) of every action of the honest batches.
        self.outcomes: Counter[tuple[int, int]] = Counter()
        self._base = base
        self._recoverers = ThreadPoolExecutor(1, "observer")

    def close(self) -> None:
        """Let the threads end."""
        self._recoverers.shutdown()

    def root(self) -> bytes:
        """Return the state root that the replica stands at."""
        return self.engine.root()

    def follow(self) -> bool:
        """Judge the next few batches; return whether there was anything new.

        A batch that the law refutes is kept in `batches` as dishonest and not followed.
        """
        views = self._base.batches(self.number + 1, BATCHES_PER_LOOK)
        moved = False
        for view in views:
            if any(seen.batch_id == view.record.batch_id for seen in self.batches[-64:]):
                break
            honest = self._judge(view)
            moved = True
            if not honest:
                break
        return moved

    def judge(self, batch_id: bytes) -> bool:
        """Judge one batch by its name, which may have been taken back already; return if honest.

        It has to stand on the batch that the observer stands after; only an honest one is followed.
        """
        view = self._base.batch(batch_id)
        if view is None:
            raise AssertionError(f"expected batch {batch_id.hex()} on the base layer, was nothing")
        if any(seen.batch_id == batch_id for seen in self.batches):
            return next(seen.honest for seen in self.batches if seen.batch_id == batch_id)
        return self._judge(view)

    def note_reverts(self) -> None:
        """Mark the batches that the court has taken back."""
        for seen in self.batches:
            if not seen.honest and not seen.reverted:
                view = self._base.batches(seen.number, 1)
                seen.reverted = not view or view[0].record.batch_id != seen.batch_id

    def _judge(self, view: BatchView) -> bool:
        """Replay one batch; stand behind it if every root is right, else where it began."""
        record = view.record
        posted = self._base.batch_data(record.batch_id)
        if posted is None:
            raise AssertionError(f"expected the data of batch {record.batch_id.hex()}, was nothing")
        data = BatchData.decode(posted, Header.decode(record.header).step_count)
        actions = [action for step in data.steps for action in step.actions]
        columns = self.engine.decode(*pack(actions))
        recover_signers(columns, self._recoverers)
        times = np.array([step.time for step in data.steps], np.int64)
        bounds = np.cumsum([0, *(len(step.actions) for step in data.steps)]).astype(np.int64)
        point = self.engine.checkpoint(columns)
        steps = self.engine.replay(columns, times, bounds)
        roots = [to_bytes(root) for root in steps.post_roots]
        honest = roots == [pair.post_root for pair in data.pairs]
        if honest:
            self.number = record.number
            self.engine.release(point)
            kinds = cast(Any, columns.actions)["kind"][: len(actions)]
            codes = steps.codes[: len(actions)]
            self.outcomes.update(zip(kinds.tolist(), codes.tolist(), strict=True))
        else:
            self.engine.rollback(point)
        self.batches.append(
            SeenBatch(record.number, record.batch_id, len(data.steps), len(actions), honest)
        )
        return honest

    def liquidations(self) -> int:
        """Return how many liquidations were applied in honest batches."""
        return self.outcomes[(Kind.LIQUIDATE, Code.APPLIED)]
