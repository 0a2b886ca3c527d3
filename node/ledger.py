"""The books: a copy of the state that follows the log and writes down what changed whose cash.

The law keeps no history, so history is derived: the copy runs every frame of the log through the
law, without trees and recoveries, and what each action changed becomes lines (``node.lines``).
Nothing of this runs beside the sequencer's own work: the copy moves when somebody asks, on the
thread of who asks.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any, cast

import numpy as np

from clearing.codes import Code, Status
from clearing.compiler import law, law_entry
from clearing.decode import Columns
from clearing.genesis import Genesis
from clearing.layout import Grid, Rows, new_rows
from clearing.records import Account, Action, Observation, State
from clearing.step import apply_action, begin_step, end_step
from node.events import Publish
from node.lines import (
    BASE,
    LINE,
    LINES,
    LINES_PER_ACTION_MAX,
    NEXT,
    OPEN,
    STEP,
    Line,
    Memory,
    Passage,
    write_action,
)
from prover.engine import Engine

_LINES_ROOM = 16 * LINES_PER_ACTION_MAX
_ACCOUNTS_CAPACITY = 1024


@law_entry
def run_passage(
    state: State,
    actions: Rows[Action],
    observations: Rows[Observation],
    payload: Rows[int],
    signers: Grid,
    memory: Memory,
    passage: Passage,
    time: int,
    stop: int,
) -> None:
    """Apply the actions up to `stop`, or until `lines` has no room; opens the step of `stop`.

    Raises ArithmeticError out of an action, with nothing of it committed, like the law itself.
    """
    progress = passage.progress
    last = passage.bounds.shape[0] - 1
    while True:
        k = progress[NEXT]
        if progress[OPEN] == 1 and k == passage.bounds[progress[STEP] + 1]:
            end_step(state, actions, passage.bounds[progress[STEP]], k)
            progress[STEP] += 1
            progress[OPEN] = 0
        if progress[OPEN] == 0 and progress[STEP] < last:
            begin_step(state, time)
            progress[OPEN] = 1
        if k >= stop or memory.lines.shape[0] - progress[LINES] < LINES_PER_ACTION_MAX:
            return
        touched = state.scratch[0].touched_accounts
        touched_instruments = state.scratch[0].touched_instruments
        passage.codes[k] = apply_action(state, actions, observations, payload, signers, k)
        write_action(state, actions[k], memory, passage, touched, touched_instruments)
        note_tables(state, memory)
        progress[NEXT] = k + 1


@law
def note_tables(state: State, memory: Memory) -> None:
    """Note that the open step changed something that concerns accounts nobody named."""
    scratch = state.scratch[0]
    touched = scratch.touched_underlyings + scratch.touched_assets
    if touched + scratch.touched_pools + scratch.touched_params != 0:
        memory.tables[0] = 1


class LineStore:
    """Lines in a file without a name, by their place: derived data that ends with the process."""

    def __init__(self, directory: Path | None) -> None:
        """Keep the lines on the file system of `directory` (None: of temporary files)."""
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115
        self.close = weakref.finalize(self, self._file.close)
        self.count = 0

    def append(self, lines: Any) -> None:
        """Append rows of LINE. Raises OSError when the disk is full."""
        data = lines.tobytes()
        if os.pwrite(self._file.fileno(), data, self.count * LINE.itemsize) != len(data):
            raise OSError("statements: the disk took a part of the lines only; free some of it")
        self.count += lines.shape[0]

    def read(self, place: int) -> Any:
        """Return one row of LINE."""
        return self.read_rows(place, 1)[0]

    def read_rows(self, place: int, count: int) -> Any:
        """Return up to `count` rows of LINE from a place on, in the order they were written."""
        data = os.pread(self._file.fileno(), count * LINE.itemsize, place * LINE.itemsize)
        return np.frombuffer(data, LINE)


class Ledger:
    """The copy. Give it every frame of the log in order: `take` one, or `begin` it and `run_to`.

    For one thread at a time. After an exception it stands nowhere: make another one.
    """

    def __init__(self, genesis: Genesis, store: LineStore | None = None) -> None:
        """Stand at genesis. Without a `store` the lines are forgotten."""
        self.engine = Engine(genesis, _ACCOUNTS_CAPACITY)
        self.token = 1
        self.sequence = 0
        self._store = store
        self._count = 0
        count = _ACCOUNTS_CAPACITY
        self.memory = Memory(
            new_rows(Account, count),
            np.zeros(count, np.int64),
            np.ones(count, np.int64),
            np.ones(1, np.int64),
            new_rows(Line, _LINES_ROOM),
            # What genesis gave is no line, but where the first line begins.
            cast(Any, self.state.funds)["balance"].copy(),
            cast(Any, self.state.instruments)["pot"].copy(),
        )
        cast(Any, self.memory.before)[:] = cast(Any, self.state.accounts)[:count]

    @property
    def state(self) -> State:
        """The state after the last action."""
        return self.engine.state

    def take(self, publish: Publish) -> None:
        """Run one frame. Raises AssertionError if the law's codes are not those of the log."""
        columns, passage = self.begin(publish)
        self.run_to(publish, columns, passage, publish.frame.count)
        self.end(publish, passage)

    def begin(self, publish: Publish) -> tuple[Columns, Passage]:
        """Decode a frame and make room for it."""
        frame, outcome = publish.frame, publish.outcome
        blob = np.frombuffer(bytearray(frame.blob), np.uint8)
        columns = self.engine.decode(blob, frame.offsets())
        columns.signers[: columns.signature_count] = frame.signers
        self.engine.reserve(columns)
        self._grow()
        counts = outcome.step_counts.astype(np.int64)
        places = np.arange(frame.count, dtype=np.int64) + 1 - frame.inbox_count
        return columns, Passage(
            bounds=np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))),
            sequences=frame.sequence_before + np.maximum(places, 0),
            codes=np.zeros(frame.count, np.int64),
            progress=np.array([0, 0, 0, 0, self._count], np.int64),
        )

    def run_to(self, publish: Publish, columns: Columns, passage: Passage, stop: int) -> None:
        """Apply the actions of a frame up to `stop`, and write their lines."""
        progress = passage.progress
        arrays = (columns.actions, columns.observations, columns.payload, columns.signers)
        done = False
        while not done:
            try:
                run_passage(self.state, *arrays, self.memory, passage, publish.frame.time_ms, stop)
                done = bool(progress[NEXT] >= stop)
            except ArithmeticError:
                passage.codes[progress[NEXT]] = Code.INVARIANT
                self.engine.totals.status = Status.HALTED
                progress[NEXT] += 1
            lines = int(progress[LINES])
            if self._store is not None and lines:
                self._store.append(cast(Any, self.memory.lines)[:lines])
            self._count += lines
            progress[BASE] += lines
            progress[LINES] = 0

    def end(self, publish: Publish, passage: Passage) -> None:
        """Note that a frame is done."""
        if (passage.codes != publish.outcome.codes).any():
            raise AssertionError(
                f"frame {publish.token}: expected the codes of the log when it runs again, was "
                "others; run the version of the node that wrote this log"
            )
        self.token = publish.token + 1
        self.sequence = publish.frame.sequence

    def _grow(self) -> None:
        """Have a row for each account and market that the state has room for."""
        listed = int(cast(Any, self.state.instruments).shape[0])
        if listed > self.memory.pots.shape[0]:
            more = np.zeros(listed - self.memory.pots.shape[0], np.int64)
            self.memory = self.memory._replace(pots=np.append(self.memory.pots, more))
        needed, memory = int(cast(Any, self.state.accounts).shape[0]), self.memory
        if needed > memory.newest.shape[0]:
            before = new_rows(Account, needed)
            cast(Any, before)[: memory.newest.shape[0]] = memory.before
            self.memory = memory._replace(
                before=before,
                newest=np.append(
                    memory.newest, np.zeros(needed - memory.newest.shape[0], np.int64)
                ),
                dirty=np.append(memory.dirty, np.ones(needed - memory.dirty.shape[0], np.int64)),
            )
