"""What is wrong with a committed root: the leaves that differ from the law's, where that is known.

A root says that a state is another one, not where; its leaves are known to whoever forged it alone.
But most forgeries are simple: a leaf left as it was, a change made twice or with the wrong sign,
money given to one account, a unit moved, a rule that was not applied. Each of them is made here out
of the law's own state, and the one whose root is the committed one is what was committed: no two
states have one root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from clearing.codes import Code, Kind
from clearing.decode import Columns
from clearing.keccak import hash_rows, to_bytes
from clearing.leaves import WITHDRAWALS_ROOT_PIECE
from clearing.records import State
from clearing.units import PPM
from prover.checkpoint import named_accounts
from prover.commit import TAG_GLOBALS, TAG_STATE
from prover.engine import Engine
from prover.forge import with_forged_signatures, without_margin
from prover.slips import TABLES, Candidate, Leaf, candidates, pieces_at
from prover.tree import Pieces

Value: TypeAlias = int | bytes
# Changes the state and the signers before the law runs this part of the columns: first, how many.
Breaking: TypeAlias = Callable[[State, Columns, tuple[int, int]], None]

STATES_TRIED_MAX = 12_000  # a few seconds
TOGETHER_MAX = 8  # leaves of a state that may be hashed with another's
_WORD_PIECES = 4
# Working memory of the law, and what follows from other fields.
_NOT_IN_LEAVES = frozenset(("page_rows", "digest", "known", "cells"))
# By which field the elements of a list are told apart; of other lists by their place.
_KEYS = {"positions": "instrument", "collaterals": "asset", "series": "expiry"}


class _Rule(NamedTuple):
    """A rule that the proposer may not have applied, and which fields were put back afterwards."""

    how: str
    breaking: Breaking
    put_back: tuple[tuple[str, str], ...] = ()


def _no_limits(state: State, columns: Columns, part: tuple[int, int]) -> None:
    without_margin(state, columns)
    cast(Any, state.params)[0].owner_limit = 0
    markets = cast(Any, state.instruments)
    markets["stable_price"] = markets["mark_price"]


def _all_unsound(state: State, columns: Columns, part: tuple[int, int]) -> None:
    for tier in cast(Any, state.params)[0].tiers:
        tier.initial_ppm = tier.maintenance_ppm = 8 * PPM


def _publishers_signed(state: State, columns: Columns, part: tuple[int, int]) -> None:
    publishers = cast(Any, state.params)[0].publishers
    for action in _part(columns, part):
        if action.code == Code.APPLIED and action.kind in (Kind.PRICE, Kind.RISK_ROWS):
            first, count = int(action.signature_first), int(action.signature_count)
            for place in range(min(count, publishers.shape[0])):
                columns.signers[first + place] = publishers[place].address


def _governance_signed(state: State, columns: Columns, part: tuple[int, int]) -> None:
    for action in _part(columns, part):
        if action.code == Code.APPLIED:
            first, count = int(action.signature_first), int(action.signature_count)
            columns.signers[first : first + count] = cast(Any, state.params)[0].governance


def _requests_forgotten(state: State, columns: Columns, part: tuple[int, int]) -> None:
    totals = cast(Any, state.globals)[0]
    pools = cast(Any, state.pools)[: int(totals.pool_count)]
    named = named_accounts(columns, int(totals.account_count), pools)
    cast(Any, state.accounts)["request_sequence"][named] = 0


def _inbox_set_back(state: State, columns: Columns, part: tuple[int, int]) -> None:
    for action in _part(columns, part):
        if action.code == Code.APPLIED and action.kind == Kind.INBOX:
            cast(Any, state.globals)[0].inbox_count = int(action.inbox_index)
            return


def _part(columns: Columns, part: tuple[int, int]) -> Any:
    return cast(Any, columns.actions)[part[0] : part[0] + part[1]]


_RULES = (
    _Rule(
        "no position needed margin in this step",
        lambda state, columns, part: without_margin(state, columns),
    ),
    _Rule(
        "every owner and venue had signed this step",
        lambda state, columns, part: with_forged_signatures(state, columns),
    ),
    _Rule("publishers had signed this step's prices", _publishers_signed),
    _Rule("governance had signed this step", _governance_signed),
    _Rule("no request of these accounts had been carried out before", _requests_forgotten),
    _Rule(
        "no position needed margin in this step, and no limit or price band held",
        _no_limits,
        (("instruments", "stable_price"),),
    ),
    _Rule("every position needed eight times its worth as margin", _all_unsound),
    _Rule(
        "the message of the base layer had not been consumed before",
        _inbox_set_back,
        (("globals", "inbox_count"), ("globals", "inbox_accumulator")),
    ),
)


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


_Rows: TypeAlias = dict[Leaf, Pieces]


def find_wrong(
    engine: Engine,
    columns: Columns,
    time: int,
    part: tuple[int, int],
    committed: bytes,
    custody_surplus: int,
    withdrawals_root: bytes,
) -> Blame:
    """Look for the state of root ``committed`` near the one that the law makes of a step.

    ``engine`` stands before the step and is left there; ``part`` is (first action, how many).
    Of the batch's end two things are known: ``custody_surplus`` is the committed custody beyond the
    law's, in micro-quote, and ``withdrawals_root`` the committed root of the withdrawals.
    """
    first, count = part
    prior, paid = engine.root(), int(engine.totals.withdrawal_count)
    point = engine.checkpoint(columns)
    engine.replay_step(columns, time, first, count)
    leaves = _touched(engine, paid)
    law = _copy(engine.state, leaves)
    engine.rollback(point)
    before = _copy(engine.state, leaves)
    changes = tuple(_changes(engine.state, before, law))
    if committed == prior:
        return Blame(changes, (), "left the step out: the root is that of the state before it", 1)
    tried = 1
    for rule in _RULES:
        tried += 1
        found = _with_broken_rule(engine, columns, time, part, rule, committed)
        if found is not None:
            both = _copy(engine.state, list(found | law))
            broken = _wrong(engine.state, both | before, both | found, both | law)
            return Blame(changes, tuple(broken), f"ran it as if {rule.how}", tried)
    point = engine.checkpoint(columns)
    engine.replay_step(columns, time, first, count)
    how, wrong, searched = _look_near(
        engine, before, law, committed, custody_surplus, withdrawals_root
    )
    engine.rollback(point)
    return Blame(changes, wrong, how, tried + searched)


def _look_near(
    engine: Engine,
    before: _Rows,
    law: _Rows,
    committed: bytes,
    custody_surplus: int,
    withdrawals_root: bytes,
) -> tuple[str, tuple[Wrong, ...], int]:
    """Return (how, wrong, tried) of a state near the engine's, which the law made."""
    totals, state = Leaf("globals", 0), engine.state
    near = candidates(engine, before, law, custody_surplus)
    paid_otherwise = _with_withdrawals(engine, withdrawals_root) == committed
    if paid_otherwise:
        near = (one for one in near if one.edits[0].leaf.kind == "withdrawal")
    match, searched = _search(engine, near, committed)
    if match is None and not paid_otherwise:
        return "", (), searched + 1
    if match is None:
        name = "withdrawals_root"
        was, made = (_fields_of(state, totals, rows[totals])[name] for rows in (before, law))
        how = "changed a withdrawal, left one out or added one, and nothing else"
        return how, (Wrong("globals", 0, name, was, withdrawals_root, made),), searched + 1
    ours = _copy(state, list({edit.leaf for edit in match.edits} | set(law)))
    liar = {leaf: pieces.copy() for leaf, pieces in ours.items()}
    for edit in match.edits:
        liar[edit.leaf][edit.first : edit.first + edit.pieces.shape[0]] = edit.pieces
    return match.how, tuple(_wrong(state, ours | before, liar, ours)), searched + 1


def _with_withdrawals(engine: Engine, root: bytes) -> bytes:
    """Return the state root if the withdrawals had this root and all else were as it is."""
    leaves, words = engine.book.globals_leaf[None].copy(), engine.book.words[None].copy()
    place = slice(WITHDRAWALS_ROOT_PIECE, WITHDRAWALS_ROOT_PIECE + _WORD_PIECES)
    leaves[0, place] = np.frombuffer(root, ">i8")
    for rows, tag in ((leaves, TAG_GLOBALS), (words, TAG_STATE)):
        made = np.zeros((1, _WORD_PIECES), np.int64)
        hash_rows(rows, np.array([rows.shape[1]]), 1, tag, made)
        words[:, :_WORD_PIECES] = made
    return to_bytes(made)


def _with_broken_rule(
    engine: Engine,
    columns: Columns,
    time: int,
    part: tuple[int, int],
    rule: _Rule,
    committed: bytes,
) -> _Rows | None:
    """Return the rows that the step leaves if a rule is broken and the root is the committed."""
    params, signers = cast(Any, engine.state.params).copy(), columns.signers.copy()
    paid = int(engine.totals.withdrawal_count)
    point = engine.checkpoint(columns)
    kept = [
        (table, name, cast(Any, getattr(engine.state, table))[name].copy())
        for table, name in rule.put_back
    ]
    rule.breaking(engine.state, columns, part)
    _, root = engine.replay_step(columns, time, *part)
    cast(Any, engine.state.params)[:] = params
    leaves = _touched(engine, paid)
    if kept:
        for table, name, values in kept:
            cast(Any, getattr(engine.state, table))[name][: values.shape[0]] = values
        root = _recommit(engine, leaves)
    found = _copy(engine.state, leaves) if root == committed else None
    columns.signers[:] = signers
    engine.rollback(point)
    return found


def _touched(engine: Engine, paid: int) -> list[Leaf]:
    """Return the leaves that the last step may have changed; ``paid`` withdrawals preceded it."""
    state, totals = cast(Any, engine.state), engine.totals
    scratch = state.scratch[0]
    lists = ("account", "page", "instrument", "underlying")
    found = [
        Leaf(kind, int(row))
        for kind in lists
        for row in getattr(state, f"touched_{TABLES[kind]}")[: scratch[f"touched_{TABLES[kind]}"]]
    ]
    for kind in ("fund", "asset", "pool"):
        found += [Leaf(kind, row) for row in range(int(totals[f"{kind}_count"]))]
    found += [Leaf("withdrawal", row) for row in range(paid, int(totals.withdrawal_count))]
    return [*dict.fromkeys(found), Leaf("params", 0), Leaf("globals", 0)]


def _copy(state: State, leaves: Sequence[Leaf]) -> _Rows:
    return {leaf: pieces_at(state, leaf).copy() for leaf in leaves}


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
    if leaf.kind == "withdrawal" and not pieces.any():
        return {}
    return dict(_fields(cast(Any, getattr(state, TABLES[leaf.kind])).dtype, pieces))


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


def _search(
    engine: Engine, near: Iterator[Candidate], committed: bytes
) -> tuple[Candidate | None, int]:
    """Return the candidate with the committed root, and how many were tried; the state stays."""
    match, tried, stale = None, 0, list[Leaf]()
    for candidate in islice(near, STATES_TRIED_MAX):
        tried += 1
        leaves = list(dict.fromkeys(edit.leaf for edit in candidate.edits))
        kept = _copy(engine.state, leaves)
        if len(leaves) > TOGETHER_MAX:
            _recommit(engine, stale)
            stale = []
        for edit in candidate.edits:
            pieces_at(engine.state, edit.leaf)[edit.first :][: edit.pieces.shape[0]] = edit.pieces
        # The trees still hold the last candidate's leaves: both are hashed at once.
        root = _recommit(engine, [*leaves, *stale])
        for leaf, pieces in kept.items():
            pieces_at(engine.state, leaf)[:] = pieces
        stale = leaves
        if root == committed:
            match = candidate
            break
    _recommit(engine, stale)
    return match, tried


def _recommit(engine: Engine, leaves: Sequence[Leaf]) -> bytes:
    rows: dict[str, set[int]] = {}
    for leaf in leaves:
        rows.setdefault(TABLES[leaf.kind], set()).add(leaf.row)
        if leaf.kind == "page":
            owner = int(cast(Any, engine.state.pages)[leaf.row].account)
            rows.setdefault("accounts", set()).add(owner)
    return engine.recommit({name: np.array(sorted(ids), np.int64) for name, ids in rows.items()})
