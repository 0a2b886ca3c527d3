"""Leaves in and out of a state's rows: how a witness becomes rows, and rows become hashes again.

Every leaf must be the one encoding of its record, so that what is hashed and what the law sees
cannot differ. Layouts: docs/protocol.md, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clearing.account_leaves import (
    ACCOUNT_PIECES_MAX,
    PAGE_PIECES,
    encode_account,
    encode_page,
    load_account,
    load_page,
)
from clearing.codes import Tag
from clearing.compiler import kernel, kernel_entry
from clearing.keccak import hash_pieces, hash_rows, to_bytes
from clearing.leaves import (
    ASSET_FIELDS,
    ASSET_PIECES,
    FUND_PIECES,
    GLOBALS_PIECES,
    INSTRUMENT_PIECES_MAX,
    PARAMS_PIECES,
    POOL_FIELDS,
    POOL_PIECES,
    UNDERLYING_FIELDS,
    UNDERLYING_PIECES,
    WITHDRAWAL_PIECES,
    encode_fields,
    encode_fund,
    encode_globals,
    encode_instrument,
    encode_params,
    encode_withdrawal,
    load_fields,
    load_fund,
    load_globals,
    load_instrument,
    load_params,
)
from clearing.records import State
from clearing.scenarios import derive_cells
from clearing.units import PAGES_MAX
from verifier.codec import HASH_BYTES
from verifier.errors import VerifierError

Pieces = np.ndarray[Any, np.dtype[np.int64]]

PIECE_BYTES = 8
HASH_PIECES = 4
LOADED = -1
NOWHERE = -1

# The kinds of leaves in the order in which they are loaded: accounts before their pages.
GLOBALS, PARAMS, FUND, ACCOUNT, PAGE, INSTRUMENT, ASSET, POOL, UNDERLYING = range(9)
WITHDRAWAL = 9  # appended by a step, and in no witness
TAGS = (
    Tag.GLOBALS,
    Tag.PARAMS,
    Tag.FUND,
    Tag.ACCOUNT,
    Tag.PAGE,
    Tag.INSTRUMENT,
    Tag.ASSET,
    Tag.POOL,
    Tag.UNDERLYING,
    Tag.WITHDRAWAL,
)
PIECES_MAX = (
    GLOBALS_PIECES,
    PARAMS_PIECES,
    FUND_PIECES,
    ACCOUNT_PIECES_MAX,
    PAGE_PIECES,
    INSTRUMENT_PIECES_MAX,
    ASSET_PIECES,
    POOL_PIECES,
    UNDERLYING_PIECES,
    WITHDRAWAL_PIECES,
)
_TAG_PAGE = int(Tag.PAGE)


class WitnessError(VerifierError):
    """The leaves are not those that the step reads, or no law ever made them."""


@dataclass(frozen=True)
class WitnessLeaves:
    """Leaves as bytes: accounts and instruments by id, pages by (account, number), all sorted."""

    globals: bytes
    params: bytes
    funds: tuple[bytes, ...]
    accounts: tuple[bytes, ...]
    pages: tuple[bytes, ...]
    instruments: tuple[bytes, ...]
    assets: tuple[bytes, ...]
    pools: tuple[bytes, ...]
    underlyings: tuple[bytes, ...]

    def by_kind(self) -> tuple[tuple[bytes, ...], ...]:
        """Return the leaves of each kind, in the order of the kinds."""
        globals, params, *tables = (getattr(self, name) for name in self.__dataclass_fields__)
        return (globals,), (params,), *tables


def fill_state(state: State, leaves: WitnessLeaves) -> None:
    """Load leaves into the first rows of a state that has room for them.

    Its id arrays are written too. Raises WitnessError for a leaf that is not canonical or out of
    place.
    """
    scratch = cast(Any, state.scratch)[0]
    scratch.page_count = scratch.spare_account = scratch.spare_instrument = 0
    before = 0
    for kind, own in enumerate(leaves.by_kind()):
        rows, lengths = _to_rows(kind, own, before)
        place = load_leaves(state, kind, rows, lengths, np.zeros(PIECES_MAX[kind], np.int64))
        if place != LOADED:
            raise WitnessError(
                f"expected leaf {before + place} of the witness to be canonical and in place, was "
                "not; a state that the law made has only such leaves: prove the step that broke it"
            )
        before += len(own)
    scratch.withdrawal_base = cast(Any, state.globals)[0].withdrawal_count


def leaf_bytes(state: State, kind: int, places: Sequence[int]) -> tuple[bytes, ...]:
    """Return the leaves of these rows of a kind's table; ``places`` are row numbers, not ids."""
    rows, lengths = _encoded(state, kind, places)
    return tuple(to_bytes(row[:length]) for row, length in zip(rows, lengths, strict=True))


def leaf_hashes(state: State, kind: int, places: Sequence[int]) -> list[bytes]:
    """Return the hashes of the leaves of these rows of a kind's table."""
    rows, lengths = _encoded(state, kind, places)
    digests = np.zeros((len(places), HASH_PIECES), np.int64)
    if len(places):
        hash_rows(rows, lengths, len(places), int(TAGS[kind]), digests)
    data = to_bytes(digests)
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def _encoded(state: State, kind: int, places: Sequence[int]) -> tuple[Pieces, Pieces]:
    rows = np.zeros((len(places), PIECES_MAX[kind]), np.int64)
    lengths = np.zeros(len(places), np.int64)
    encode_leaves(state, kind, np.array(places, np.int64), rows, lengths)
    return rows, lengths


def _to_rows(kind: int, leaves: Sequence[bytes], before: int) -> tuple[Pieces, Pieces]:
    """Return (rows, lengths) of leaves of a kind; ``before`` others stand before them.

    The rows are int64[n, PIECES_MAX[kind]], the lengths int64[n].
    """
    rows = np.zeros((len(leaves), PIECES_MAX[kind]), np.int64)
    lengths = np.zeros(len(leaves), np.int64)
    for i, leaf in enumerate(leaves):
        size, rest = divmod(len(leaf), PIECE_BYTES)
        if rest or size > PIECES_MAX[kind]:
            most = PIECE_BYTES * PIECES_MAX[kind]
            raise WitnessError(f"expected leaf {before + i} of at most {most} bytes")
        rows[i, :size] = np.frombuffer(leaf, ">i8")
        lengths[i] = size
    return rows, lengths


@kernel_entry
def load_leaves(state: State, kind: int, rows: Pieces, lengths: Pieces, again: Pieces) -> int:
    """Load leaves of a kind, int64[n, PIECES_MAX[kind]], into their table; ``again`` is room.

    Returns LOADED, or the first that is out of place or not the encoding of what was read from it.
    """
    for i in range(rows.shape[0]):
        place = load_leaf(state, kind, i, rows[i], lengths[i], again)
        if place == NOWHERE:
            return i
        if not is_same(rows[i], again, lengths[i], encode_leaf(state, kind, place, again)):
            return i
    return LOADED


@kernel_entry
def encode_leaves(state: State, kind: int, places: Pieces, rows: Pieces, lengths: Pieces) -> None:
    """Write the leaves of these rows of a kind's table, and how many pieces each has."""
    for i in range(places.shape[0]):
        lengths[i] = encode_leaf(state, kind, places[i], rows[i])


@kernel
def encode_leaf(state: State, kind: int, place: int, row: Any) -> int:
    """Write the leaf of a row of a kind's table; returns how many pieces it has."""
    if kind == GLOBALS:
        return encode_globals(state.globals[0], row)
    if kind == PARAMS:
        params = state.params[0]
        return encode_params(state.params_pieces[0], params.tier_count, params.publisher_count, row)
    if kind == FUND:
        return encode_fund(state.funds[place], row)
    if kind == ACCOUNT:
        return encode_account(state.accounts[place], state.pages, row)
    if kind == PAGE:
        return encode_page(state.pages[place], row)
    if kind == INSTRUMENT:
        return encode_instrument(state.instruments[place], row)
    if kind == ASSET:
        return encode_fields(state.asset_pieces[place], ASSET_FIELDS, row)
    if kind == POOL:
        return encode_fields(state.pool_pieces[place], POOL_FIELDS, row)
    if kind == UNDERLYING:
        return encode_fields(state.underlying_pieces[place], UNDERLYING_FIELDS, row)
    return encode_withdrawal(state.withdrawals[place], row)


@kernel
def load_leaf(state: State, kind: int, i: int, row: Any, length: int, room: Pieces) -> int:
    """Load leaf ``i`` of a kind; returns its row in the table, or NOWHERE if it has none.

    Funds, assets and pools stand in the order of their ids, and none is left out.
    """
    if kind == GLOBALS:
        load_globals(row, state.globals[0])
    elif kind == PARAMS:
        return 0 if load_params(row, state.params_pieces[0]) else NOWHERE
    elif kind == FUND:
        load_fund(row, state.funds[i])
        return i if state.funds[i].id == i else NOWHERE
    elif kind == ACCOUNT:
        account, used = state.accounts[i], state.scratch[0].page_count
        pages = load_account(row, length, account, state.pages, used)
        if pages < 0:
            return NOWHERE
        state.scratch[0].page_count = used + pages
        state.scratch[0].spare_account = i + 1
        state.account_ids[i] = account.id
    elif kind == PAGE:
        return load_witness_page(state, row, length, room)
    elif kind == INSTRUMENT:
        if not load_instrument(row, length, state.instruments[i]):
            return NOWHERE
        state.scratch[0].spare_instrument = i + 1
        state.instrument_ids[i] = state.instruments[i].id
    elif kind == ASSET:
        load_fields(row, ASSET_FIELDS, state.asset_pieces[i])
        return i if state.assets[i].id == i else NOWHERE
    elif kind == POOL:
        load_fields(row, POOL_FIELDS, state.pool_pieces[i])
        return i if state.pools[i].id == i else NOWHERE
    else:
        load_fields(row, UNDERLYING_FIELDS, state.underlying_pieces[i])
        state.underlying_ids[i] = state.underlyings[i].id
        derive_cells(state.underlyings[i])
    return i


@kernel
def load_witness_page(state: State, row: Any, length: int, room: Pieces) -> int:
    """Load a fill page into the row that its account's leaf made, if that has its hash."""
    number = row[2]
    if length != PAGE_PIECES or number < 0 or number >= PAGES_MAX:
        return NOWHERE
    for i in range(state.scratch[0].spare_account):
        if state.accounts[i].id == row[1] and state.accounts[i].page_rows[number] >= 0:
            place = state.accounts[i].page_rows[number]
            load_page(row, state.pages[place])
            hash_pieces(row, length, _TAG_PAGE, room[:HASH_PIECES])
            same = is_same(state.pages[place].digest, room, HASH_PIECES, HASH_PIECES)
            return place if same else NOWHERE
    return NOWHERE


@kernel
def is_same(row: Any, again: Pieces, length: int, size: int) -> bool:
    """Tell whether a leaf of ``length`` pieces is what encoding its record again gave."""
    if length != size:
        return False
    difference = 0
    for piece in range(length):
        difference |= row[piece] ^ again[piece]
    return difference == 0
