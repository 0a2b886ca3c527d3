"""Runs posted batches through the law: the auditor's oracle, and where a forger starts from."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis
from clearing.keccak import to_bytes
from prover.engine import Engine
from verifier.batch import BatchData
from verifier.header import Header


@dataclass(frozen=True)
class Posted:
    """A batch as the base layer holds it."""

    header: Header
    data: bytes


class Follower:
    """An engine that can be put after any batch whose ancestors are known and valid."""

    def __init__(self, genesis: Genesis, known: dict[bytes, Posted], decoded: dict[bytes, Any]):
        """`known` holds batches by id, `decoded` remembers columns by data, both shared."""
        self._genesis = genesis
        self._known = known
        self._decoded = decoded
        self._path: list[bytes] = []
        # What the law says to the actions of the last step that it refuted.
        self.codes: list[int] = []
        self.engine = Engine(genesis, 16)

    def stand_after(self, batch_id: bytes) -> Engine:
        """Bring the engine to the state after a valid batch, or to genesis; return it."""
        path: list[bytes] = []
        while batch_id in self._known:
            path.append(batch_id)
            batch_id = self._known[batch_id].header.parent_id
        path.reverse()
        if path[: len(self._path)] != self._path:
            self.engine = Engine(self._genesis, 16)
            self._path = []
        for each in path[len(self._path) :]:
            assert self.first_bad_step(self._known[each], self.engine) is None
            self._path.append(each)
        return self.engine

    def branch_after(self, batch_id: bytes) -> Engine:
        """Return an engine of the caller's own, in the state after a valid batch."""
        return copy.deepcopy(self.stand_after(batch_id))

    def judge(self, batch: Posted) -> int | None:
        """Return the first bad step of a batch whose ancestors are valid; None: the law agrees."""
        branch = self.branch_after(batch.header.parent_id)
        bad = self.first_bad_step(batch, branch)
        if bad is None:
            # The next batch most likely stands on this one.
            self.engine = branch
            self._path.append(batch.header.batch_id())
        return bad

    def first_bad_step(self, batch: Posted, engine: Engine) -> int | None:
        """Run a batch on an engine that stands before it, which moves along."""
        data, columns, times, bounds = self._columns(batch)
        steps = engine.replay(columns, times, bounds)
        roots = to_bytes(steps.post_roots)
        for place, pair in enumerate(data.pairs):
            if roots[32 * place :][:32] != pair.post_root:
                self.codes = steps.codes[bounds[place] : bounds[place + 1]].tolist()
                return place
        return None

    def _columns(self, batch: Posted) -> Any:
        found = self._decoded.get(batch.header.data_hash)
        if found is None:
            data = BatchData.decode(batch.data, batch.header.step_count)
            columns = self.engine.decode(*pack([a for step in data.steps for a in step.actions]))
            recover_signers(columns)
            bounds = np.zeros(len(data.steps) + 1, np.int64)
            np.cumsum([len(step.actions) for step in data.steps], out=bounds[1:])
            times = np.array([step.time for step in data.steps], np.int64)
            found = self._decoded[batch.header.data_hash] = (data, columns, times, bounds)
        return found
