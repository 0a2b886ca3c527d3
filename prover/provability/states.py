"""Rows for the state: every field of every record, changed behind the law's back.

The fields come from the records themselves, so a new one has a row at once. A word or an array
counts as one field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from clearing.codes import Kind
from clearing.keccak import pieces
from clearing.layout import pieces_of
from clearing.messages import Cancel, Funding
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
from clearing.requests import Request
from prover.forge import BatchForge, Posting
from prover.provability.house import Caught, House, Outcome, offer_of
from prover.provability.market import AUCTIONED, FULL, OPTION
from prover.provability.table import Part, Row
from verifier.batch import SUB_ROOTS, Opening, Pair

STEP = "BAD_STEP(1)"  # the forged step comes behind an honest one


class Record(NamedTuple):
    """A record of the state: its rows, which of them is changed, and a step that reads it."""

    name: str
    dtype: Any
    rows: str
    row: int
    actions: tuple[bytes, ...] = ()


# Nobody signed this: it is rejected, and the step reads the account and its page all the same.
_READ_ACCOUNT = (Cancel(FULL, 0, 1).encode(),)
_READ_GRID = (Request.of(Kind.ENACT_GRID, underlying=0).encode(),)
RECORDS = (
    Record("globals", GLOBALS, "globals", 0),
    Record("params", PARAMS, "params", 0),
    Record("account", ACCOUNT, "accounts", FULL, _READ_ACCOUNT),
    Record("page", PAGE, "pages", 0, _READ_ACCOUNT),
    Record("instrument", INSTRUMENT, "instruments", OPTION, (Funding(OPTION).encode(),)),
    Record("call", INSTRUMENT, "instruments", AUCTIONED, (Funding(AUCTIONED).encode(),)),
    Record("underlying", UNDERLYING, "underlyings", 0, _READ_GRID),
    Record("asset", ASSET, "assets", 1),
    Record("pool", POOL, "pools", 0),
    Record("fund", FUND, "funds", 1),
    Record("withdrawal", WITHDRAWAL, "withdrawals", 0),
)
# Derived from what the leaves hold, and in no leaf themselves: a change of one changes no root.
DERIVED = {
    "account.page_rows": "where the engine keeps the account's pages",
    "page.known": "whether a witness holds the page or its hash",
    "page.digest": "hash of the page's own leaf",
    "underlying.cells": "where each shock lies in the grid",
}
# Refused already when the batch is posted: the court knows better than the opening.
_OPENED = {
    "law_version": "OPENED_LAW_VERSION",
    "inbox_count": "WRONG_INBOX_ACCUMULATOR",
    "inbox_accumulator": "WRONG_INBOX_ACCUMULATOR",
}


def fields_of(dtype: Any, base: int = 0, name: str = "") -> Iterator[tuple[str, int]]:
    """Yield (dotted name, a piece of it) of each field: a word's and a list's last piece.

    Of a list of records it is the first record, which is there whenever one is.
    """
    if dtype.subdtype is not None:
        dtype, (length,) = dtype.subdtype
        base += length - 1 if dtype.names is None else 0
    if dtype.names is None:
        yield name, base
        return
    for part in dtype.names:
        kind, offset = dtype.fields[part][:2]
        yield from fields_of(kind, base + offset // 8, f"{name}.{part}" if name else part)


def state_rows() -> Iterator[Row]:
    """Yield the rows of all records."""
    for record in RECORDS:
        for field, piece in fields_of(record.dtype):
            if f"{record.name}.{field}" in DERIVED:
                continue
            if record.name == "globals":
                yield _globals_row(field, piece)
            else:
                yield _record_row(record, field, piece)
    yield from _root_rows()


def _record_row(record: Record, field: str, piece: int) -> Row:
    change = changing(record, field, piece)
    return Row(
        Part.STATE,
        record.name,
        field,
        "the step also turns it over" if field == "side" else "the step also flips a bit",
        Caught.BAD_STEP,
        STEP,
        partial(_forged, record.actions, change),
        partial(_forged, record.actions, partial(_twice, change)),
    )


def changing(record: Record, field: str, piece: int) -> Callable[[State], None]:
    """Return what changes a field of a record's row, and changes it back the next time."""
    # A side is kept as its sign alone.
    flip = _turned if field == "side" else _flipped
    return partial(flip, record.rows, record.row, piece)


def _forged(actions: tuple[bytes, ...], change: Callable[[State], None], house: House) -> Outcome:
    forge = _begun(house)
    forge.forged(actions, house.time_ms, mutate=change)
    return house.offer(offer_of(forge.finish(house.place())))


def _begun(house: House) -> BatchForge:
    forge = house.forge()
    forge.forged([house.market.trade(0, 1)], house.time_ms)
    return forge


def _flipped(rows: str, row: int, piece: int, state: State) -> None:
    pieces_of(getattr(state, rows))[row, piece] ^= np.int64(1)


def _turned(rows: str, row: int, piece: int, state: State) -> None:
    pieces_of(getattr(state, rows))[row, piece] *= np.int64(-1)


def _twice(change: Callable[[State], None], state: State) -> None:
    change(state)
    change(state)


def _globals_row(field: str, piece: int) -> Row:
    """Return a row of the globals leaf, which is changed as it is opened."""
    code = _OPENED.get(field)
    return Row(
        Part.STATE,
        "globals",
        field,
        "the root commits to a flipped bit",
        Caught.BAD_STEP if code is None else Caught.POSTING,
        STEP if code is None else code,
        partial(_reopened, partial(_flip_leaf, piece)),
        partial(_reopened, lambda opening: opening),
    )


def _reopened(change: Callable[[Opening], Opening], house: House) -> Outcome:
    """Offer a batch whose last root, header and opening all commit to a changed opening."""
    forge = _begun(house)
    forge.forged([], house.time_ms)
    opening = change(forge.engine.opening())
    return house.offer(offer_of(reopened(forge, house, opening)))


def reopened(forge: BatchForge, house: House, opening: Opening) -> Posting:
    """Return the forged batch with another opening, to which everything is committed anew."""
    forge.pairs[-1] = Pair(forge.pairs[-1].step_hash, opening.state_root())
    return replace(forge.finish(house.place()), opening=opening)


def _flip_leaf(piece: int, opening: Opening) -> Opening:
    words = pieces(opening.globals_leaf).copy()
    words[piece] ^= np.int64(1)
    return replace(opening, globals_leaf=words.astype(">i8").tobytes())


def _root_rows() -> Iterator[Row]:
    """Yield the rows of what the state root is made of."""
    for place, name in enumerate(SUB_ROOTS):
        yield Row(
            Part.STATE,
            "root",
            name,
            "the root commits to another sub-root",
            Caught.BAD_STEP,
            STEP,
            partial(_reopened, partial(_flip_sub_root, place)),
            partial(_reopened, lambda opening: opening),
        )


def _flip_sub_root(place: int, opening: Opening) -> Opening:
    roots = list(opening.sub_roots)
    roots[place] = flip_bytes(roots[place])
    return replace(opening, sub_roots=tuple(roots))


def flip_bytes(data: bytes) -> bytes:
    """Return the bytes with their last bit flipped."""
    return data[:-1] + bytes([data[-1] ^ 1])
