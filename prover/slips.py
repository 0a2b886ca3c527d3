"""States near the one that the law makes: what a forger who cheats simply has committed to.

A candidate is a few edits of rows of the state. Nothing in here changes how many elements a row
says that it has, unless the whole row or element goes with it: rows are hashed as far as they say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, combinations, permutations
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from clearing.layout import pieces_of
from clearing.records import (
    ACCOUNT,
    ASSET,
    FUND,
    GLOBALS,
    INSTRUMENT,
    PAGE,
    PARAMS,
    POOL,
    UNDERLYING,
    WITHDRAWAL,
    State,
)
from prover.engine import Engine
from prover.tree import Pieces

ACCOUNTS_TRIED_MAX = 4_096  # accounts in which surplus custody is looked for
OTHERS_MAX = 128  # accounts, pages and markets that the step does not touch, of each
WITHDRAWALS_MAX = 8  # of the latest
PAIRED_MAX = 24  # accounts of which every two are tried
TABLES = {
    "account": "accounts",
    "page": "pages",
    "instrument": "instruments",
    "underlying": "underlyings",
    "asset": "assets",
    "fund": "funds",
    "pool": "pools",
    "withdrawal": "withdrawals",
    "params": "params",
    "globals": "globals",
}
_RECORDS: dict[str, Any] = {
    "account": ACCOUNT,
    "page": PAGE,
    "instrument": INSTRUMENT,
    "underlying": UNDERLYING,
    "asset": ASSET,
    "fund": FUND,
    "pool": POOL,
    "withdrawal": WITHDRAWAL,
    "params": PARAMS,
    "globals": GLOBALS,
}
_WORD_PIECES = 4
# What says how long a leaf is or where its parts stand, and what is no part of it.
_COUNTS = ("position", "collateral", "key", "tier", "publisher", "fund", "asset", "pool")
_FIXED = frozenset(
    (*(f"{name}_count" for name in _COUNTS), "page_mask", "page_rows", "known", "digest", "cells")
)
_FIXED_OF_PAGES = frozenset(("account", "number"))
# Of whose lists an element is tried though it is zero: the first of each.
_ZEROS_COUNT = frozenset(("instrument", "page"))
_LATE = {"globals": 0, "instrument": 2, "underlying": 3}  # few numbers before many; others: 1


class Leaf(NamedTuple):
    """A leaf: its kind, and its row in the table of that kind, which is its id but for pages."""

    kind: str
    row: int


class Edit(NamedTuple):
    """New pieces for a part of a row."""

    leaf: Leaf
    first: int
    pieces: Pieces


class Candidate(NamedTuple):
    """What the proposer did, in words that follow "the proposer", and the edits that it means."""

    how: str
    edits: tuple[Edit, ...]


Leaves: TypeAlias = Mapping[Leaf, Pieces]


def pieces_at(state: State, leaf: Leaf) -> Pieces:
    """Return the row of a leaf, a view."""
    table: Pieces = pieces_of(getattr(state, TABLES[leaf.kind]))
    row: Pieces = table[leaf.row]
    return row


def candidates(
    engine: Engine, before: Leaves, law: Leaves, custody_surplus: int
) -> Iterator[Candidate]:
    """Yield states near the engine's, the likeliest first; some may be it, some come twice.

    ``law`` are the leaves that the step touches, ``before`` the same before it. The engine's rows
    must be as the step left them whenever the next one is asked for.
    """
    scene = _Scene(engine.state, tuple(law))
    yield from scene.surpluses(custody_surplus)
    yield from _left(before, law)
    yield from _slipped(before, law)
    yield from scene.transfers()
    yield from scene.lots()
    yield from scene.exchanges()
    yield from scene.resets()
    yield from scene.units(scene.tables)
    yield from scene.units([leaf for leaf in law if leaf.kind in ("account", "page")])
    yield from scene.wild(list(law))
    yield from scene.units([Leaf("account", row) for row in scene.others])
    yield from scene.units([leaf for leaf in scene.pages if leaf not in law])


def _left(before: Leaves, law: Leaves) -> Iterator[Candidate]:
    """Yield states in which leaves are as they were: one, or all of one or two kinds."""
    changed = [leaf for leaf, pieces in law.items() if (before[leaf] != pieces).any()]
    for leaf in changed:
        if leaf.kind != "withdrawal":
            yield Candidate(f"left the {leaf.kind} leaf as it was", (Edit(leaf, 0, before[leaf]),))
    kinds = sorted({leaf.kind for leaf in changed} - {"withdrawal"})
    for group in chain(combinations(kinds, 1), combinations(kinds, 2)):
        edits = tuple(Edit(leaf, 0, before[leaf]) for leaf in changed if leaf.kind in group)
        if len(edits) > 1:
            yield Candidate(f"left every {' and '.join(group)} leaf as it was", edits)


def _slipped(before: Leaves, law: Leaves) -> Iterator[Candidate]:
    """Yield states in which one number that the step changes has another value."""
    for leaf, pieces in law.items():
        old = before[leaf]
        for place, _ in _numbers(leaf.kind, pieces):
            was, made = int(old[place]), int(pieces[place])
            if was == made:
                continue
            for how, value in (
                ("left one number as it was", was),
                ("changed one number the wrong way", 2 * was - made),
                ("changed one number twice", 2 * made - was),
            ):
                yield from _one(how, _number(leaf, place, value))


class _Scene:
    """The state that the law makes, and the rows of it where forgers are looked for."""

    def __init__(self, state: State, touched: Sequence[Leaf]) -> None:
        self.state = state
        self._rows = cast(Any, state)
        totals, scratch = self._rows.globals[0], self._rows.scratch[0]
        count = int(totals.account_count)
        self.named = [leaf.row for leaf in touched if leaf.kind == "account"]
        known = set(self.named)
        self.all_others = (row for row in range(count) if row not in known)
        self.others = [row for row in range(min(count, OTHERS_MAX)) if row not in known]
        pages = [leaf for leaf in touched if leaf.kind == "page"]
        rest = (Leaf("page", row) for row in range(min(int(scratch.page_count), OTHERS_MAX)))
        self.pages = list(dict.fromkeys([*pages, *rest]))
        found = [leaf for leaf in touched if leaf.kind not in ("account", "page")]
        for kind in ("fund", "pool", "asset", "instrument", "underlying"):
            size = min(int(totals[f"{kind}_count"]), OTHERS_MAX)
            found += [Leaf(kind, row) for row in range(size)]
        paid = int(totals.withdrawal_count)
        latest = range(paid - 1, max(paid - 1 - WITHDRAWALS_MAX, -1), -1)
        found += [Leaf("withdrawal", row) for row in latest]
        self.tables = sorted(dict.fromkeys(found), key=lambda leaf: _LATE.get(leaf.kind, 1))

    def surpluses(self, surplus: int) -> Iterator[Candidate]:
        """Yield states in which one account has the surplus of custody, as the totals have."""
        if surplus == 0:
            return
        verb = "gave" if surplus > 0 else "took from"
        for place, row in enumerate(chain(self.named, self.all_others)):
            if place == ACCOUNTS_TRIED_MAX:
                return
            yield from _one(
                f"{verb} account {row} {abs(surplus)} micro-quote, and changed the totals so that "
                "the books balance",
                self._shifted(Leaf("account", row), "cash", surplus),
                self._shifted(Leaf("globals", 0), "cash_total", surplus),
                self._shifted(Leaf("globals", 0), "custody", surplus),
            )

    def transfers(self) -> Iterator[Candidate]:
        """Yield states in which one unit went from one balance to another."""
        totals = Leaf("globals", 0)
        funds = [leaf for leaf in self.tables if leaf.kind == "fund"]
        for source, target in permutations(funds, 2):
            yield from _one(
                f"moved one unit from fund {source.row} to fund {target.row}",
                self._shifted(source, "balance", -1),
                self._shifted(target, "balance", 1),
            )
        accounts = [*self.named, *self.others]
        for row, fund, amount in ((r, f, a) for r in accounts for f in funds for a in (1, -1)):
            edits = (
                self._shifted(Leaf("account", row), "cash", amount),
                self._shifted(fund, "balance", -amount),
            )
            whence = (f"fund {fund.row}", f"account {row}")[::amount]
            how = f"moved one unit from {whence[0]} to {whence[1]}"
            yield from _one(how, *edits, self._shifted(totals, "cash_total", amount))
            yield from _one(f"{how}, and not in the totals", *edits)
        for giver, taker in permutations(self._paired(), 2):
            yield from _one(
                f"moved one unit from account {giver} to account {taker}",
                self._shifted(Leaf("account", giver), "cash", -1),
                self._shifted(Leaf("account", taker), "cash", 1),
            )

    def lots(self) -> Iterator[Candidate]:
        """Yield states in which a position has one lot more or less, or is gone."""
        for row in [*self.named, *self.others]:
            account = self._rows.accounts[row]
            for place in range(int(account.position_count)):
                instrument = int(account.positions[place].instrument)
                for lots in (1, -1):
                    how = f"moved the position of account {row} in market {instrument} by one lot"
                    edit = self._shifted(
                        Leaf("account", row), "positions", lots, self._lots_piece(place)
                    )
                    yield from _one(how, edit)
                    for open in (1, -1):
                        market = Leaf("instrument", instrument)
                        moved = self._shifted(market, "open_interest", open)
                        yield from _one(f"{how}, and open interest with it", edit, moved)
                yield Candidate(
                    f"struck out the position of account {row} in market {instrument}",
                    (self._without_position(row, place),),
                )

    def exchanges(self) -> Iterator[Candidate]:
        """Yield states in which two accounts exchanged cash, or one has the other's owner."""
        for one, other in combinations(self._paired(), 2):
            leaves = Leaf("account", one), Leaf("account", other)
            amount = int(self._rows.accounts[other].cash) - int(self._rows.accounts[one].cash)
            yield from _one(
                f"exchanged the cash of accounts {one} and {other}",
                self._shifted(leaves[0], "cash", amount),
                self._shifted(leaves[1], "cash", -amount),
            )
        first = _first(self._rows.accounts, "owner")
        for one, other in permutations(self._paired(), 2):
            owner = pieces_at(self.state, Leaf("account", other))[first : first + _WORD_PIECES]
            edit = Edit(Leaf("account", one), first, owner.copy())
            yield Candidate(f"gave account {one} the owner of account {other}", (edit,))
        if any(leaf.kind == "withdrawal" for leaf in self.tables):
            yield from self._redirected(first)

    def _redirected(self, first: int) -> Iterator[Candidate]:
        place = _first(self._rows.withdrawals, "recipient")
        for leaf in self.tables:
            for row in [*self.named, *self.others] if leaf.kind == "withdrawal" else ():
                owner = pieces_at(self.state, Leaf("account", row))[first : first + _WORD_PIECES]
                how = f"paid withdrawal {leaf.row} to the owner of account {row}"
                yield Candidate(how, (Edit(leaf, place, owner.copy()),))

    def resets(self) -> Iterator[Candidate]:
        """Yield states that forgot the fills of a page, or the last request of an account."""
        for leaf in self.pages:
            rows = self._rows.pages[leaf.row : leaf.row + 1]
            for how, names in (
                ("forgot what was filled of the orders on", ("filled",)),
                ("forgot the orders on", ("filled", "sequence")),
            ):
                blank = rows.copy()
                for name in names:
                    blank["slots"][name] = 0
                text = f"{how} page {int(rows[0].number)} of account {int(rows[0].account)}"
                yield Candidate(text, (Edit(leaf, 0, pieces_of(blank)[0]),))
        for row in [*self.named, *self.others]:
            last = int(self._rows.accounts[row].request_sequence)
            edit = self._shifted(Leaf("account", row), "request_sequence", -last)
            yield from _one(f"forgot the last request of account {row}", edit)

    def units(self, leaves: Sequence[Leaf]) -> Iterator[Candidate]:
        """Yield states in which one number is one unit off."""
        for leaf in leaves:
            pieces = pieces_at(self.state, leaf).copy()
            for place, _ in _numbers(leaf.kind, pieces):
                for how, unit in (("one unit too high", 1), ("one unit too low", -1)):
                    edit = _number(leaf, place, int(pieces[place]) + unit)
                    yield from _one(f"made one number {how}", edit)

    def wild(self, leaves: Sequence[Leaf]) -> Iterator[Candidate]:
        """Yield states in which one number is zero, doubled, or has the wrong sign."""
        for leaf in leaves:
            pieces = pieces_at(self.state, leaf).copy()
            for place, is_word in _numbers(leaf.kind, pieces):
                value = int(pieces[place])
                if is_word or value == 0:
                    continue
                for how, wrong in (("zero", 0), ("double", 2 * value), ("negative", -value)):
                    yield from _one(f"made one number {how}", _number(leaf, place, wrong))

    def _paired(self) -> list[int]:
        return [*self.named, *self.others][:PAIRED_MAX]

    def _shifted(self, leaf: Leaf, name: str, amount: int, further: int = 0) -> Edit | None:
        """Return a field's value moved by ``amount``, None if no field holds so much."""
        place = _first(getattr(self._rows, TABLES[leaf.kind]), name) + further
        return _number(leaf, place, int(pieces_at(self.state, leaf)[place]) + amount)

    def _lots_piece(self, place: int) -> int:
        position = self._rows.accounts.dtype["positions"].base
        return int(position.itemsize * place + position.fields["lots"][1]) // 8

    def _without_position(self, row: int, place: int) -> Edit:
        rows = self._rows.accounts[row : row + 1].copy()
        positions, count = rows["positions"][0], int(rows["position_count"][0])
        positions[place : count - 1] = positions[place + 1 : count].copy()
        positions[count - 1] = np.zeros(1, positions.dtype)[0]
        rows["position_count"] = count - 1
        return Edit(Leaf("account", row), 0, pieces_of(rows)[0])


def _one(how: str, *edits: Edit | None) -> Iterator[Candidate]:
    """Yield the candidate unless one of its edits is of a value that no field holds."""
    kept = tuple(edit for edit in edits if edit is not None)
    if len(kept) == len(edits):
        yield Candidate(how, kept)


def _number(leaf: Leaf, first: int, value: int) -> Edit | None:
    if not -(1 << 63) <= value < 1 << 63:
        return None
    return Edit(leaf, first, np.array([value], np.int64))


def _first(table: Any, name: str) -> int:
    """Return the first piece of a field."""
    return int(table.dtype.fields[name][1]) // 8


def _numbers(kind: str, pieces: Pieces) -> Iterator[tuple[int, bool]]:
    """Yield (place, of a word) of the numbers that a leaf has, or may have."""
    for place, is_listed, is_first, is_word in _layout(kind):
        if not is_listed or pieces[place] != 0 or (is_first and kind in _ZEROS_COUNT):
            yield place, is_word


@cache
def _layout(kind: str) -> tuple[tuple[int, bool, bool, bool], ...]:
    """Return (place, in a list, first of its list, of a word) of the numbers of a record."""
    return tuple(
        _flat(_RECORDS[kind], _FIXED | (_FIXED_OF_PAGES if kind == "page" else frozenset()))
    )


def _flat(
    record: Any, skipped: frozenset[str], first: int = 0, in_list: bool = False
) -> Iterator[tuple[int, bool, bool, bool]]:
    for name in record.names:
        kind, offset = record.fields[name][:2]
        if name in skipped:
            continue
        base, shape = kind.subdtype or (kind, (1,))
        start, size = first + offset // 8, base.itemsize // 8
        is_word = base.names is None and shape[0] == _WORD_PIECES
        for index in range(shape[0]):
            if base.names is not None:
                yield from _flat(base, skipped, start + size * index, True)
            else:
                is_listed = in_list or (shape[0] > 1 and not is_word)
                yield start + index, is_listed, index == 0, is_word
