"""The books: a copy of the state that follows the log and writes down what changed whose cash.

The law keeps no history, so history is derived: the copy runs every frame of the log through the
law, without trees and recoveries, and compares each account that an action touched with what it
was before. What the comparison finds are *lines*; those of an account add up to its cash exactly,
because the last line of an action is whatever the others leave over. Nothing of this runs beside
the sequencer's own work: the copy moves when somebody asks, on the thread of who asks.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from clearing.codes import Code, InboxKind, Kind, Status
from clearing.compiler import law, law_entry
from clearing.decode import Columns
from clearing.genesis import Genesis
from clearing.layout import Grid, Rows, dtype_of, new_rows
from clearing.lookup import find_position, lots_of
from clearing.positions import pending_funding
from clearing.records import Account, Action, Observation, State
from clearing.step import apply_action, begin_step, end_step
from clearing.units import ACTION_ACCOUNTS_MAX, POSITIONS_MAX
from node.events import Publish
from prover.engine import Engine

Pieces = np.ndarray[Any, np.dtype[np.int64]]

NONE = -1
# An action's accounts, each with funding and a move in all its positions, and what is left over.
LINES_PER_ACTION_MAX = ACTION_ACCOUNTS_MAX * (3 * POSITIONS_MAX + 1)
_LINES_ROOM = 16 * LINES_PER_ACTION_MAX
_ACCOUNTS_CAPACITY = 1024

# Places in `Passage.progress`.
NEXT = 0  # the action to apply next
STEP = 1  # the step that it is in
OPEN = 2  # 1 while that step is open
LINES = 3  # lines that wait in `Memory.lines`
BASE = 4  # lines that were written before those


class LineKind(IntEnum):
    """What a line is about; the numbers are those of the wire."""

    FILL = 1
    FEE = 2
    FUNDING = 3
    DEPOSIT = 4
    WITHDRAWAL = 5
    TRANSFER = 6
    LIQUIDATION = 7
    INSURANCE_FEE = 8
    INSURANCE_COVER = 9
    SETTLEMENT = 10


class Role(IntEnum):
    """The part that an account had in a line; the numbers are those of the wire."""

    UNSPECIFIED = 0
    MAKER = 1
    TAKER = 2
    KEEPER = 3
    LIQUIDATED = 4


class Line:
    """One change of an account's cash, in micro-quote; NONE where a number does not apply.

    `previous` is one more than the place of the account's line before, 0 before the first.
    """

    previous: int
    account: int
    sequence: int
    time: int
    action_kind: int
    kind: int
    instrument: int
    lots: int
    price: int
    amount: int
    cash: int
    counterparty: int
    role: int
    slot: int
    reference: int


LINE = dtype_of(Line)


class Memory(NamedTuple):
    """What the copy knows beside its state, a row an account.

    `before` is each account as the last action left it; `newest` is one more than the place of its
    last line; `dirty` is 1 once it was touched. `tables`, one number, is 1 once something changed
    that concerns accounts nobody named: parameters, underlyings, assets, pools. `lines` waits to be
    written.
    """

    before: Rows[Account]
    newest: Pieces
    dirty: Pieces
    tables: Pieces
    lines: Rows[Line]


class Passage(NamedTuple):
    """A frame on its way through the law: step i is the actions bounds[i] .. bounds[i + 1].

    `sequences` int64[n] counts the sequenced actions up to and including each. Result: `codes`.
    """

    bounds: Pieces
    sequences: Pieces
    codes: Pieces
    progress: Pieces


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
        passage.codes[k] = apply_action(state, actions, observations, payload, signers, k)
        write_action(state, actions[k], memory, passage, touched)
        note_tables(state, memory)
        progress[NEXT] = k + 1


@law
def write_action(
    state: State, action: Action, memory: Memory, passage: Passage, touched: int
) -> None:
    """Write the lines of every account that the action touched, from place `touched` on."""
    stop = state.scratch[0].touched_accounts
    if stop == touched:
        return
    deal = price_of(state, action, memory)
    for place in range(touched, stop):
        row = state.touched_accounts[place]
        write_account(state, action, memory, passage, row, deal)
        memory.before[row] = state.accounts[row]
        memory.dirty[row] = 1


@law
def note_tables(state: State, memory: Memory) -> None:
    """Note that the open step changed something that concerns accounts nobody named."""
    scratch = state.scratch[0]
    touched = scratch.touched_underlyings + scratch.touched_assets
    if touched + scratch.touched_pools + scratch.touched_params != 0:
        memory.tables[0] = 1


@law
def price_of(state: State, action: Action, memory: Memory) -> tuple[int, int]:
    """Return (price at which the action moved lots of its instrument, cash that moved with them).

    Both 0 if it moved none. A liquidation's cash is what its keeper paid (negative: got), penalty
    and all: nothing else changes a keeper's cash. Its price is that a lot, rounded down.
    """
    if action.kind == Kind.TRADE:
        return action.price, 0
    if not is_liquidation(action):
        return 0, 0
    old = memory.before[action.account]
    new = state.accounts[action.account]
    moved = lots_of(new, action.instrument) - lots_of(old, action.instrument)
    if moved == 0:
        return 0, 0
    owed = 0
    place = find_position(old, action.instrument)
    if place >= 0:
        owed, _ = pending_funding(old.positions[place], state.instruments[action.instrument])
    paid = old.cash - new.cash - owed
    return paid // moved, paid


@law
def is_liquidation(action: Action) -> bool:
    """Tell whether a keeper takes lots over, by his signature or past the operator."""
    forced = action.kind == Kind.INBOX and action.kind_of_message == InboxKind.LIQUIDATE
    return bool(forced or action.kind == Kind.LIQUIDATE)


@law
def write_account(
    state: State, action: Action, memory: Memory, passage: Passage, row: int, deal: tuple[int, int]
) -> None:
    """Write the lines of one account: funding, lots, and what is left of the change of cash."""
    old = memory.before[row]
    new = state.accounts[row]
    cash = old.cash
    for i in range(old.position_count):
        position = old.positions[i]
        if is_settled(new, position.instrument, position.index_high, position.index_low):
            owed, _ = pending_funding(position, state.instruments[position.instrument])
            if owed != 0:
                cash -= owed
                line = new_line(state, action, memory, passage, row)
                line.kind = LineKind.FUNDING
                line.instrument = position.instrument
                line.lots = position.lots
                line.amount = -owed
                line.cash = cash
    for i in range(old.position_count):
        id = old.positions[i].instrument
        moved = lots_of(new, id) - old.positions[i].lots
        cash = write_move(state, action, memory, passage, row, id, moved, deal, cash)
    for i in range(new.position_count):
        id = new.positions[i].instrument
        if find_position(old, id) < 0:
            moved = new.positions[i].lots
            cash = write_move(state, action, memory, passage, row, id, moved, deal, cash)
    if cash != new.cash:
        line = new_line(state, action, memory, passage, row)
        line.kind = kind_of_rest(action, new.cash - cash)
        if action.kind == Kind.TRADE or is_liquidation(action):
            line.instrument = action.instrument
        line.amount = new.cash - cash
        line.cash = new.cash


@law
def is_settled(account: Account, instrument: int, index_high: int, index_low: int) -> bool:
    """Tell whether a position is gone, or its funding index moved."""
    place = find_position(account, instrument)
    if place < 0:
        return True
    position = account.positions[place]
    return position.index_high != index_high or position.index_low != index_low


@law
def write_move(
    state: State,
    action: Action,
    memory: Memory,
    passage: Passage,
    row: int,
    instrument: int,
    moved: int,
    deal: tuple[int, int],
    cash: int,
) -> int:
    """Write the line of moved lots, if any, and return cash after it."""
    if moved == 0:
        return cash
    line = new_line(state, action, memory, passage, row)
    line.kind = LineKind.SETTLEMENT
    line.instrument = instrument
    line.lots = moved
    price, paid = deal
    if price != 0 and instrument == action.instrument:
        line.kind = LineKind.FILL if action.kind == Kind.TRADE else LineKind.LIQUIDATION
        line.price = price
        line.amount = -moved * price
        if is_liquidation(action):
            line.amount = -paid if row == action.account else paid
    cash += line.amount
    line.cash = cash
    return cash


@law
def kind_of_rest(action: Action, amount: int) -> int:
    """Return what a change of cash is that is neither funding nor the price of lots."""
    if action.kind == Kind.TRADE:
        return LineKind.FEE
    if is_liquidation(action):
        # An account that pays the fee out of its equity is not left with a debt.
        return LineKind.INSURANCE_FEE if amount < 0 else LineKind.INSURANCE_COVER
    if action.kind == Kind.INBOX and action.kind_of_message == InboxKind.DEPOSIT:
        return LineKind.DEPOSIT
    if action.kind == Kind.INBOX and action.kind_of_message == InboxKind.WITHDRAW:
        return LineKind.WITHDRAWAL
    if action.kind == Kind.WITHDRAW:
        return LineKind.WITHDRAWAL
    if action.kind == Kind.TRANSFER:
        return LineKind.TRANSFER
    return LineKind.SETTLEMENT


@law
def new_line(  # type: ignore[no-untyped-def]
    state: State,
    action: Action,
    memory: Memory,
    passage: Passage,
    row: int,
):
    """Return the next line with what it has from the action; its account's chain is continued."""
    progress = passage.progress
    line = memory.lines[progress[LINES]]
    progress[LINES] += 1
    line.previous = memory.newest[row]
    memory.newest[row] = progress[BASE] + progress[LINES]
    line.account = row
    line.sequence = passage.sequences[progress[NEXT]]
    line.time = state.globals[0].clock
    line.action_kind = action.kind
    line.instrument = NONE
    line.lots = 0
    line.price = 0
    line.amount = 0
    line.counterparty = NONE
    line.role = Role.UNSPECIFIED
    line.slot = NONE
    line.reference = action.sequence
    if action.kind == Kind.TRADE:
        if row == action.maker.account:
            line.counterparty = action.taker.account
            line.role = Role.MAKER
            line.slot = action.maker.slot
            line.reference = action.maker.sequence
        else:
            line.counterparty = action.maker.account
            line.role = Role.TAKER
            line.slot = action.taker.slot
            line.reference = action.taker.sequence
    elif action.kind == Kind.TRANSFER or is_liquidation(action):
        first = row == action.account
        line.counterparty = action.counterparty if first else action.account
        if is_liquidation(action):
            line.role = Role.KEEPER if first else Role.LIQUIDATED
    if action.kind == Kind.INBOX:
        line.reference = action.inbox_index
    return line


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
        data = os.pread(self._file.fileno(), LINE.itemsize, place * LINE.itemsize)
        return np.frombuffer(data, LINE)[0]


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
        )
        # What genesis gave is no line, but where the first line begins.
        cast(Any, self.memory.before)[:] = cast(Any, self.engine.state.accounts)[:count]

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
        """Have a row for each account that the state has room for."""
        needed, memory = int(cast(Any, self.state.accounts).shape[0]), self.memory
        if needed > memory.newest.shape[0]:
            before = new_rows(Account, needed)
            cast(Any, before)[: memory.newest.shape[0]] = memory.before
            self.memory = Memory(
                before,
                np.append(memory.newest, np.zeros(needed - memory.newest.shape[0], np.int64)),
                np.append(memory.dirty, np.ones(needed - memory.dirty.shape[0], np.int64)),
                memory.tables,
                memory.lines,
            )
