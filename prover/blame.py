"""What is wrong with a committed root: the leaves that differ from the law's, where that is known.

A root says that a state is another one, not where; its leaves are known to whoever forged it alone.
But most forgeries are simple: a leaf left as it was, a change made twice or with the wrong sign,
money given to one account, a rule that was not applied. Each of them is made here out of the law's
own state, and the one whose root is the committed one is what was committed: no two states have one
root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from clearing.decode import Columns
from clearing.keccak import to_bytes
from clearing.layout import pieces_of
from clearing.records import State
from prover.engine import Engine
from prover.forge import Preparation, with_forged_signatures, without_margin
from prover.tree import Pieces

Value: TypeAlias = int | bytes

ACCOUNTS_TRIED_MAX = 4_096  # accounts in which surplus custody is looked for
_WORD_PIECES = 4
# Working memory of the law, and what follows from other fields.
_NOT_IN_LEAVES = frozenset(("page_rows", "digest", "known", "cells"))
# By which field the elements of a list are told apart; of other lists by their place.
_KEYS = {"positions": "instrument", "collaterals": "asset", "series": "expiry"}
_TABLES = {
    "account": "accounts",
    "page": "pages",
    "instrument": "instruments",
    "underlying": "underlyings",
    "asset": "assets",
    "fund": "funds",
    "pool": "pools",
    "params": "params",
    "globals": "globals",
}
_BROKEN_RULES: tuple[tuple[str, Preparation], ...] = (
    ("no position needed margin in this step", without_margin),
    ("every owner and venue had signed this step", with_forged_signatures),
)


class Leaf(NamedTuple):
    """A leaf: its kind, and its row in the table of that kind, which is its id but for pages."""

    kind: str
    row: int


@dataclass(frozen=True, slots=True)
class Change:
    """A field before the step and after it by the law; None where the field was not there.

    ``value`` is an integer in the units of ``clearing.records``, or the 32 bytes of a word. ``id``
    of a page is its account's.
    """

    kind: str
    id: int
    field: str
    before: Value | None
    law: Value | None


@dataclass(frozen=True, slots=True)
class Wrong:
    """A field that was committed with another value than the law's."""

    kind: str
    id: int
    field: str
    before: Value | None
    committed: Value | None
    law: Value | None


@dataclass(frozen=True, slots=True)
class Blame:
    """What the law changes in a step, and what was committed instead.

    ``how`` says in words what the proposer did, empty if it is not known; ``tried`` counts the
    states that were compared. A step that was left out is known without a wrong field.
    """

    changes: tuple[Change, ...]
    wrong: tuple[Wrong, ...]
    how: str
    tried: int


class _Edit(NamedTuple):
    """New pieces for a part of a row."""

    leaf: Leaf
    first: int
    pieces: Pieces


class _Candidate(NamedTuple):
    how: str
    edits: tuple[_Edit, ...]


_Rows: TypeAlias = dict[Leaf, Pieces]


def find_wrong(
    engine: Engine,
    columns: Columns,
    time: int,
    part: tuple[int, int],
    committed: bytes,
    custody_surplus: int,
) -> Blame:
    """Look for the state of root ``committed`` near the one that the law makes of a step.

    ``engine`` stands before the step and is left there; ``part`` is (first action, how many).
    ``custody_surplus`` is the committed custody beyond the law's, in micro-quote, where it is
    known, else 0.
    """
    first, count = part
    prior = engine.root()
    point = engine.checkpoint(columns)
    engine.replay_step(columns, time, first, count)
    leaves = _touched(engine)
    law = _copy(engine.state, leaves)
    engine.rollback(point)
    before = _copy(engine.state, leaves)
    changes = tuple(_changes(engine.state, before, law))
    if committed == prior:
        return Blame(changes, (), "left the step out: the root is that of the state before it", 1)
    tried = 1
    for how, prepare in _BROKEN_RULES:
        tried += 1
        found = _with_broken_rule(engine, columns, time, part, prepare, committed)
        if found is not None:
            both = _copy(engine.state, list(found | law))
            broken = _wrong(engine.state, both | before, both | found, both | law)
            return Blame(changes, tuple(broken), f"ran it as if {how}", tried)
    point = engine.checkpoint(columns)
    engine.replay_step(columns, time, first, count)
    named = [leaf.row for leaf in leaves if leaf.kind == "account"]
    candidates = [*_surpluses(engine, named, custody_surplus), *_slips(before, law)]
    match = _search(engine, candidates, committed)
    wrong: list[Wrong] = []
    if match is not None:
        touched = list({edit.leaf for edit in candidates[match].edits} | set(law))
        made = _copy(engine.state, touched)
        liar = {leaf: pieces.copy() for leaf, pieces in made.items()}
        for edit in candidates[match].edits:
            liar[edit.leaf][edit.first : edit.first + edit.pieces.shape[0]] = edit.pieces
        wrong = list(_wrong(engine.state, made | before, liar, made))
    engine.rollback(point)
    how = "" if match is None else candidates[match].how
    tried += len(candidates) if match is None else match + 1
    return Blame(changes, tuple(wrong), how, tried)


def _with_broken_rule(
    engine: Engine,
    columns: Columns,
    time: int,
    part: tuple[int, int],
    prepare: Preparation,
    committed: bytes,
) -> _Rows | None:
    """Return the rows that the step leaves if a rule is broken and the root is the committed."""
    params, signers = cast(Any, engine.state.params).copy(), columns.signers.copy()
    point = engine.checkpoint(columns)
    prepare(engine.state, columns)
    _, root = engine.replay_step(columns, time, *part)
    cast(Any, engine.state.params)[:] = params
    found = _copy(engine.state, _touched(engine)) if root == committed else None
    columns.signers[:] = signers
    engine.rollback(point)
    return found


def _touched(engine: Engine) -> list[Leaf]:
    """Return the leaves that the last step may have changed."""
    state, totals = cast(Any, engine.state), engine.totals
    scratch = state.scratch[0]
    lists = ("account", "page", "instrument", "underlying")
    found = [
        Leaf(kind, int(row))
        for kind in lists
        for row in getattr(state, f"touched_{_TABLES[kind]}")[: scratch[f"touched_{_TABLES[kind]}"]]
    ]
    for kind in ("fund", "asset", "pool"):
        found += [Leaf(kind, row) for row in range(int(totals[f"{kind}_count"]))]
    return [*dict.fromkeys(found), Leaf("params", 0), Leaf("globals", 0)]


def _pieces(state: State, leaf: Leaf) -> Pieces:
    table: Pieces = pieces_of(getattr(state, _TABLES[leaf.kind]))
    row: Pieces = table[leaf.row]
    return row


def _copy(state: State, leaves: Sequence[Leaf]) -> _Rows:
    return {leaf: _pieces(state, leaf).copy() for leaf in leaves}


def _fields(
    dtype: Any, pieces: Pieces, first: int = 0, path: str = ""
) -> Iterator[tuple[str, Value]]:
    """Yield (path, value) of a record; elements of lists that are zero throughout are not there."""
    for name in dtype.names:
        kind, offset = dtype.fields[name][:2]
        if name in _NOT_IN_LEAVES:
            continue
        base, shape = kind.subdtype or (kind, (1,))
        size, place = base.itemsize // 8, first + offset // 8
        if base.names is None and (kind.subdtype is None or shape[0] == _WORD_PIECES):
            part = pieces[place : place + shape[0]]
            yield f"{path}{name}", int(part[0]) if kind.subdtype is None else to_bytes(part)
            continue
        for index in range(shape[0]):
            start = place + size * index
            if not pieces[start : start + size].any():
                continue
            if base.names is None:
                yield f"{path}{name}[{index}]", int(pieces[start])
                continue
            key = base.fields[_KEYS[name]][1] // 8 if name in _KEYS else None
            label = index if key is None else int(pieces[start + key])
            yield from _fields(base, pieces, start, f"{path}{name}[{label}].")


def _fields_of(state: State, leaf: Leaf, pieces: Pieces) -> dict[str, Value]:
    return dict(_fields(cast(Any, getattr(state, _TABLES[leaf.kind])).dtype, pieces))


def _name(state: State, leaf: Leaf) -> tuple[int, str]:
    """Return the id of a leaf, and what stands before the names of its fields."""
    if leaf.kind != "page":
        return leaf.row, ""
    page = cast(Any, state.pages)[leaf.row]
    return int(page.account), f"page[{int(page.number)}]."


def _changes(state: State, before: _Rows, law: _Rows) -> Iterator[Change]:
    for leaf, pieces in law.items():
        if (before[leaf] == pieces).all():
            continue
        old, new = _fields_of(state, leaf, before[leaf]), _fields_of(state, leaf, pieces)
        id, prefix = _name(state, leaf)
        for path in dict.fromkeys((*old, *new)):
            was, made = old.get(path), new.get(path)
            if was != made:
                yield Change(leaf.kind, id, prefix + path, was, made)


def _wrong(state: State, before: _Rows, liar: _Rows, law: _Rows) -> Iterator[Wrong]:
    for leaf, pieces in liar.items():
        if (law[leaf] == pieces).all():
            continue
        rows = before[leaf], pieces, law[leaf]
        old, lied, made = (_fields_of(state, leaf, row) for row in rows)
        id, prefix = _name(state, leaf)
        for path in dict.fromkeys((*lied, *made)):
            was, wants = lied.get(path), made.get(path)
            if was != wants:
                yield Wrong(leaf.kind, id, prefix + path, old.get(path), was, wants)


def _surpluses(engine: Engine, named: Sequence[int], surplus: int) -> Iterator[_Candidate]:
    """Yield states in which one account has the surplus of the custody, as the totals have."""
    if surplus == 0:
        return
    state, count = engine.state, int(engine.totals.account_count)
    totals = Leaf("globals", 0)
    others = [row for row in range(count) if row not in set(named)]
    for row in [*named, *others][:ACCOUNTS_TRIED_MAX]:
        edits = [_shifted(state, Leaf("account", row), "cash", surplus)]
        edits += [_shifted(state, totals, name, surplus) for name in ("cash_total", "custody")]
        if all(edit is not None for edit in edits):
            verb = "gave" if surplus > 0 else "took from"
            yield _Candidate(
                f"{verb} account {row} {abs(surplus)} micro-quote, and changed the totals so that "
                "the books balance",
                tuple(edit for edit in edits if edit is not None),
            )


def _shifted(state: State, leaf: Leaf, name: str, amount: int) -> _Edit | None:
    """Return a field's value moved by ``amount``, None if no field holds so much."""
    table = cast(Any, getattr(state, _TABLES[leaf.kind]))
    first = table.dtype.fields[name][1] // 8
    return _number(leaf, first, int(_pieces(state, leaf)[first]) + amount)


def _number(leaf: Leaf, first: int, value: int) -> _Edit | None:
    if not -(1 << 63) <= value < 1 << 63:
        return None
    return _Edit(leaf, first, np.array([value], np.int64))


def _slips(before: _Rows, law: _Rows) -> Iterator[_Candidate]:
    """Yield states that differ from the law's in one leaf: left as it was, or one number wrong."""
    for leaf, pieces in law.items():
        old = before[leaf]
        changed = [int(place) for place in np.flatnonzero(old != pieces)]
        if changed:
            yield _Candidate(f"left the {leaf.kind} leaf as it was", (_Edit(leaf, 0, old),))
        for place in changed:
            was, made = int(old[place]), int(pieces[place])
            for how, value in (
                ("left one number as it was", was),
                ("changed one number the wrong way", 2 * was - made),
                ("changed one number twice", 2 * made - was),
            ):
                edit = _number(leaf, place, value)
                if edit is not None:
                    yield _Candidate(how, (edit,))


def _search(engine: Engine, candidates: Sequence[_Candidate], committed: bytes) -> int | None:
    """Return the place of the candidate with the committed root; the law's state stays."""
    for place, candidate in enumerate(candidates):
        leaves = [edit.leaf for edit in candidate.edits]
        kept = _copy(engine.state, leaves)
        for edit in candidate.edits:
            _pieces(engine.state, edit.leaf)[edit.first :][: edit.pieces.shape[0]] = edit.pieces
        root = _recommit(engine, leaves)
        for leaf, pieces in kept.items():
            _pieces(engine.state, leaf)[:] = pieces
        _recommit(engine, leaves)
        if root == committed:
            return place
    return None


def _recommit(engine: Engine, leaves: Sequence[Leaf]) -> bytes:
    rows = {kind: [leaf.row for leaf in leaves if leaf.kind == kind] for kind in _TABLES}
    owners = [int(cast(Any, engine.state.pages)[row].account) for row in rows["page"]]
    return engine.recommit(
        *(
            np.unique(np.array(part, np.int64))
            for part in (
                rows["account"] + owners,
                rows["instrument"],
                rows["page"],
                rows["underlying"],
            )
        )
    )
