"""The books of a test world: the lines of each of its actions, and that they add up."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearing.codes import Code
from clearing.compiler import checked
from clearing.layout import new_rows
from node.lines import (
    LINES,
    LINES_PER_ACTION_MAX,
    NONE,
    Line,
    LineKind,
    Memory,
    Passage,
    write_action,
)

PAYMENTS = (LineKind.DEPOSIT, LineKind.WITHDRAWAL)


@dataclass(frozen=True)
class Entry:
    """A line as plain integers; None where the number does not apply."""

    account: int | None
    kind: LineKind
    amount: int
    lots: int
    price: int
    instrument: int | None
    counterparty: int | None
    fund: int | None
    role: int

    @classmethod
    def of(cls, line):
        def known(number):
            return None if number == NONE else int(number)

        return cls(
            known(line.account),
            LineKind(int(line.kind)),
            int(line.amount),
            int(line.lots),
            int(line.price),
            known(line.instrument),
            known(line.counterparty),
            known(line.fund),
            int(line.role),
        )


class Book:
    """Writes down what a world does from now on, an action a step."""

    def __init__(self, world):
        self.world = world
        self.entries: list[Entry] = []
        self.rows: list[Any] = []
        self._judge = world.judge
        world.judge = self._judged

    def of(self, account):
        """(kind, amount) of an account's lines."""
        return [(one.kind, one.amount) for one in self.entries if one.account == account]

    def kinds(self):
        """Every kind of line that an account got."""
        return {one.kind for one in self.entries if one.account is not None}

    def _judged(self, actions):
        (action,) = actions
        state = self.world.state
        rows = state.accounts.shape[0]
        memory: Any = Memory(
            state.accounts.copy(),
            np.zeros(rows, np.int64),
            np.zeros(rows, np.int64),
            np.zeros(1, np.int64),
            new_rows(Line, LINES_PER_ACTION_MAX),
            state.funds["balance"].copy(),
            state.instruments["pot"].copy(),
        )
        before = memory.before.copy()
        codes = self._judge(actions)
        places = (np.array([0, 1]), np.array([len(self.rows)]), np.zeros(1, np.int64))
        passage = Passage(*places, np.zeros(5, np.int64))
        with checked():
            write_action(state, self.world.columns([action]).actions[0], memory, passage, 0, 0)
        found = memory.lines[: int(passage.progress[LINES])].copy()
        assert codes == [Code.APPLIED] or not len(found)
        self.rows += list(found)
        entries = [Entry.of(line) for line in found]
        self.check(before, entries)
        self.entries += entries
        return codes

    def check(self, before, entries):
        """Lines are what changed of each account, and nothing is made of nothing."""
        cash: dict[Any, int] = defaultdict(int)
        lots: dict[Any, int] = defaultdict(int)
        for one in entries:
            assert one.kind != LineKind.SETTLEMENT or one.lots != 0, "a change without a name"
            if one.account is not None:
                cash[one.account] += one.amount
                if one.kind not in (LineKind.FUNDING, LineKind.SETTLEMENT):
                    lots[one.account, one.instrument] += one.lots
        for row in range(before.shape[0]):
            now = self.world.state.accounts[row]
            assert cash.pop(row, 0) == now.cash - before[row].cash
            settled = [one for one in entries if one.kind == LineKind.SETTLEMENT]
            if not settled:
                for market in range(int(self.world.totals.instrument_count)):
                    moved = held(now, market) - held(before[row], market)
                    assert lots.pop((row, market), 0) == moved
        assert not cash
        if not any(one.kind in PAYMENTS for one in entries):
            assert sum(one.amount for one in entries) == 0


def held(account, instrument):
    """Signed lots of an account in a market."""
    rows = account.positions[: account.position_count]
    return sum(int(one.lots) for one in rows if one.instrument == instrument)
