"""From the rows that steps touched to the steps' roots: leaves, trees, state roots.

After each step its touched leaves are hashed and noted (`note_step`); a few dozen steps later the
trees climb for all of them at once and each step gets its root (`settle_steps`). Everything here
runs inside one kernel, on working memory that the caller owns. Formats: docs/protocol.md, sections
2 and 3; ``clearing.leaves`` writes the leaves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clearing.account_leaves import ACCOUNT_PIECES_MAX, encode_account, encode_page
from clearing.codes import Tag
from clearing.compiler import by_reference, kernel, kernel_entry
from clearing.keccak import hash_pieces, hash_rows
from clearing.layout import Rows
from clearing.leaves import (
    ASSET_FIELDS,
    GLOBALS_PIECES,
    INSTRUMENT_PIECES_MAX,
    PARAMS_PIECES,
    POOL_FIELDS,
    UNDERLYING_FIELDS,
    UNDERLYING_PIECES,
    WITHDRAWALS_ROOT_PIECE,
    encode_fields,
    encode_fund,
    encode_globals,
    encode_instrument,
    encode_params,
    encode_withdrawal,
)
from clearing.records import State
from clearing.units import (
    ACCOUNTS_DEPTH,
    ASSETS_DEPTH,
    FUNDS_DEPTH,
    INSTRUMENTS_DEPTH,
    POOLS_DEPTH,
    UNDERLYINGS_DEPTH,
    WITHDRAWALS_DEPTH,
)
from prover.tree import (
    HASH_PIECES,
    TREE_SHIFT,
    VERSIONS,
    Pieces,
    Trees,
    climb,
    note_leaf,
    sort_distinct,
)

ACCOUNTS = 0
INSTRUMENTS = 1
FUNDS = 2
WITHDRAWALS = 3
UNDERLYINGS = 4
ASSETS = 5
POOLS = 6
DEPTHS = (
    ACCOUNTS_DEPTH,
    INSTRUMENTS_DEPTH,
    FUNDS_DEPTH,
    WITHDRAWALS_DEPTH,
    UNDERLYINGS_DEPTH,
    ASSETS_DEPTH,
    POOLS_DEPTH,
)

LEAF_PIECES = max(ACCOUNT_PIECES_MAX, INSTRUMENT_PIECES_MAX, PARAMS_PIECES)  # underlyings apart
ROOT_PIECES = 9 * HASH_PIECES  # globals hash and eight sub-roots
# Places of the words under the state root.
ACCOUNTS_WORD = 1
INSTRUMENTS_WORD = 2
UNDERLYINGS_WORD = 3
ASSETS_WORD = 4
FUNDS_WORD = 5
POOLS_WORD = 6
PARAMS_WORD = 8

TAG_ACCOUNT = int(Tag.ACCOUNT)
TAG_INSTRUMENT = int(Tag.INSTRUMENT)
TAG_FUND = int(Tag.FUND)
TAG_WITHDRAWAL = int(Tag.WITHDRAWAL)
TAG_PAGE = int(Tag.PAGE)
TAG_UNDERLYING = int(Tag.UNDERLYING)
TAG_ASSET = int(Tag.ASSET)
TAG_POOL = int(Tag.POOL)
TAG_GLOBALS = int(Tag.GLOBALS)
TAG_PARAMS = int(Tag.PARAMS)
TAG_STATE = int(Tag.STATE)


@by_reference
class Book(NamedTuple):
    """The root of the state, and the working memory of the steps on their way to theirs.

    ``words`` int64[ROOT_PIECES] stands under the state root; ``root`` int64[4] is it;
    ``globals_leaf`` int64[GLOBALS_PIECES] is the leaf under it; ``withdrawals`` int64[1] counts the
    withdrawals that are noted. Of the ``steps`` int64[1] that are noted, up to 64, the same by
    step: step_words int64[64, ROOT_PIECES], step_roots int64[64, 4], step_globals
    int64[64, GLOBALS_PIECES]. For the n leaves that a step touches: leaves int64[n, LEAF_PIECES],
    lengths int64[n], digests int64[n, 4]; ``long_leaf`` int64[UNDERLYING_PIECES] is for one
    underlying.
    """

    words: Pieces
    root: Pieces
    globals_leaf: Pieces
    withdrawals: Pieces
    steps: Pieces
    step_words: Pieces
    step_roots: Pieces
    step_globals: Pieces
    leaves: Pieces
    lengths: Pieces
    digests: Pieces
    long_leaf: Pieces


def new_book(rows: int) -> Book:
    """Return a book with room for a step that touches ``rows`` leaves."""
    rows = max(rows, VERSIONS)

    def pieces(*shape: int) -> Pieces:
        return np.zeros(shape, np.int64)

    return Book(
        words=pieces(ROOT_PIECES),
        root=pieces(HASH_PIECES),
        globals_leaf=pieces(GLOBALS_PIECES),
        withdrawals=pieces(1),
        steps=pieces(1),
        step_words=pieces(VERSIONS, ROOT_PIECES),
        step_roots=pieces(VERSIONS, HASH_PIECES),
        step_globals=pieces(VERSIONS, GLOBALS_PIECES),
        leaves=pieces(rows, LEAF_PIECES),
        lengths=pieces(rows),
        digests=pieces(rows, HASH_PIECES),
        long_leaf=pieces(UNDERLYING_PIECES),
    )


@kernel
def note_step(state: State, trees: Trees, book: Book) -> None:
    """Hash the leaves that the step touched and note them, with all else that its root needs.

    The step's touched lists are sorted in place. There must be room: see `is_book_full`.
    """
    hash_touched_pages(state, book)
    note_accounts(state, trees, book)
    note_instruments(state, trees, book)
    if state.scratch[0].touched_funds > 0:
        note_funds(state, trees, book)
    note_withdrawals(state, trees, book)
    if is_wide(state):
        note_tables(state, trees, book)
    note_root(state, book)


@kernel
def note_root(state: State, book: Book) -> None:
    """Note what stands under the step's root beside the trees: globals and params."""
    step = book.steps[0]
    encode_globals(state.globals[0], book.step_globals[step])
    for piece in range(HASH_PIECES * PARAMS_WORD, ROOT_PIECES):
        book.step_words[step, piece] = book.words[piece]
    book.steps[0] = step + 1


@kernel
def is_book_full(trees: Trees, book: Book) -> bool:
    """Tell whether the noted steps must be settled before another is noted."""
    room = trees.entries.shape[0] - trees.noted[0]
    return bool(book.steps[0] == VERSIONS or room < book.lengths.shape[0])


@kernel
def settle_steps(state: State, trees: Trees, book: Book) -> None:
    """Make the roots of the noted steps, ``step_roots``.

    The book then stands at the last of them, whose withdrawals root goes into the globals.
    """
    count: int = book.steps[0]
    book.steps[0] = 0
    climb(trees, count)
    for step in range(count):
        for piece in range(HASH_PIECES):
            place = WITHDRAWALS_ROOT_PIECE + piece
            book.step_globals[step, place] = trees.roots[step, WITHDRAWALS, piece]
        copy_root(trees, book, step, ACCOUNTS, ACCOUNTS_WORD)
        copy_root(trees, book, step, INSTRUMENTS, INSTRUMENTS_WORD)
        copy_root(trees, book, step, FUNDS, FUNDS_WORD)
        copy_root(trees, book, step, UNDERLYINGS, UNDERLYINGS_WORD)
        copy_root(trees, book, step, ASSETS, ASSETS_WORD)
        copy_root(trees, book, step, POOLS, POOLS_WORD)
    hash_steps(book, count)
    last = count - 1
    for piece in range(HASH_PIECES):
        state.globals[0].withdrawals_root[piece] = trees.roots[last, WITHDRAWALS, piece]
        book.root[piece] = book.step_roots[last, piece]
    for piece in range(ROOT_PIECES):
        book.words[piece] = book.step_words[last, piece]
    for piece in range(GLOBALS_PIECES):
        book.globals_leaf[piece] = book.step_globals[last, piece]


@kernel
def copy_root(trees: Trees, book: Book, step: int, tree: int, word: int) -> None:
    """Copy a tree's root at a step to its word under the step's root."""
    for piece in range(HASH_PIECES):
        book.step_words[step, HASH_PIECES * word + piece] = trees.roots[step, tree, piece]


@kernel
def hash_steps(book: Book, count: int) -> None:
    """Hash the globals of ``count`` steps into their words, and the words to the roots."""
    for step in range(count):
        book.lengths[step] = GLOBALS_PIECES
    hash_rows(book.step_globals, book.lengths, count, TAG_GLOBALS, book.digests)
    for step in range(count):
        book.lengths[step] = ROOT_PIECES
        for piece in range(HASH_PIECES):
            book.step_words[step, piece] = book.digests[step, piece]
    hash_rows(book.step_words, book.lengths, count, TAG_STATE, book.step_roots)


@kernel
def hash_touched_pages(state: State, book: Book) -> None:
    """Refresh the digests of fill pages; their accounts' leaves carry them."""
    count = sort_distinct(state.touched_pages, state.scratch[0].touched_pages)
    for place in range(count):
        page = state.pages[state.touched_pages[place]]
        book.lengths[place] = encode_page(page, book.leaves[place])
    hash_rows(book.leaves, book.lengths, count, TAG_PAGE, book.digests)
    for place in range(count):
        page = state.pages[state.touched_pages[place]]
        for piece in range(HASH_PIECES):
            page.digest[piece] = book.digests[place, piece]


@kernel
def note_accounts(state: State, trees: Trees, book: Book) -> None:
    """Hash and note the leaves of the touched accounts."""
    count = sort_distinct(state.touched_accounts, state.scratch[0].touched_accounts)
    for place in range(count):
        account = state.accounts[state.touched_accounts[place]]
        book.lengths[place] = encode_account(account, state.pages, book.leaves[place])
    note_listed(trees, book, ACCOUNTS, TAG_ACCOUNT, state.touched_accounts, count)


@kernel
def note_instruments(state: State, trees: Trees, book: Book) -> None:
    """Hash and note the leaves of the touched instruments."""
    count = sort_distinct(state.touched_instruments, state.scratch[0].touched_instruments)
    for place in range(count):
        instrument = state.instruments[state.touched_instruments[place]]
        book.lengths[place] = encode_instrument(instrument, book.leaves[place])
    note_listed(trees, book, INSTRUMENTS, TAG_INSTRUMENT, state.touched_instruments, count)


@kernel
def note_funds(state: State, trees: Trees, book: Book) -> None:
    """Hash and note the leaf of every fund."""
    count = state.globals[0].fund_count
    for place in range(count):
        book.lengths[place] = encode_fund(state.funds[place], book.leaves[place])
    note_dense(trees, book, FUNDS, TAG_FUND, 0, count)


@kernel
def note_withdrawals(state: State, trees: Trees, book: Book) -> None:
    """Hash and note the withdrawals that are not noted yet."""
    start: int = book.withdrawals[0]
    count = state.globals[0].withdrawal_count - start
    base = state.scratch[0].withdrawal_base
    for place in range(count):
        withdrawal = state.withdrawals[start + place - base]
        book.lengths[place] = encode_withdrawal(withdrawal, book.leaves[place])
    note_dense(trees, book, WITHDRAWALS, TAG_WITHDRAWAL, start, count)
    book.withdrawals[0] = start + count


@kernel
def note_listed(
    trees: Trees, book: Book, tree: int, tag: int, indices: Rows[int], count: int
) -> None:
    """Hash the encoded leaves and note them under these indices, from the open step on."""
    hash_rows(book.leaves, book.lengths, count, tag, book.digests)
    for place in range(count):
        note(trees, book, tree, indices[place], place)


@kernel
def note_dense(trees: Trees, book: Book, tree: int, tag: int, first: int, count: int) -> None:
    """Hash the encoded leaves and note them under the indices from ``first`` on."""
    hash_rows(book.leaves, book.lengths, count, tag, book.digests)
    for place in range(count):
        note(trees, book, tree, first + place, place)


@kernel
def note(trees: Trees, book: Book, tree: int, index: int, place: int) -> None:
    """Note the digest at ``place`` as that of a leaf from the open step on."""
    note_leaf(trees, book.steps[0], (tree << TREE_SHIFT) | index, book.digests[place])


@kernel
def is_wide(state: State) -> bool:
    """Tell whether the step touched underlyings, assets, pools or params: few steps do."""
    scratch = state.scratch[0]
    touched = scratch.touched_underlyings + scratch.touched_assets
    return touched + scratch.touched_pools + scratch.touched_params > 0


@kernel
def note_tables(state: State, trees: Trees, book: Book) -> None:
    """Note the touched underlyings, all assets and all pools; renew the params' hash."""
    count = sort_distinct(state.touched_underlyings, state.scratch[0].touched_underlyings)
    for place in range(count):
        id = state.touched_underlyings[place]
        length = encode_fields(state.underlying_pieces[id], UNDERLYING_FIELDS, book.long_leaf)
        hash_pieces(book.long_leaf, length, TAG_UNDERLYING, book.digests[0])
        note(trees, book, UNDERLYINGS, id, 0)
    if state.scratch[0].touched_assets > 0:
        count = state.globals[0].asset_count
        for place in range(count):
            pieces = state.asset_pieces[place]
            book.lengths[place] = encode_fields(pieces, ASSET_FIELDS, book.leaves[place])
        note_dense(trees, book, ASSETS, TAG_ASSET, 0, count)
    if state.scratch[0].touched_pools > 0:
        count = state.globals[0].pool_count
        for place in range(count):
            pieces = state.pool_pieces[place]
            book.lengths[place] = encode_fields(pieces, POOL_FIELDS, book.leaves[place])
        note_dense(trees, book, POOLS, TAG_POOL, 0, count)
    if state.scratch[0].touched_params > 0:
        hash_params(state, book)


@kernel
def hash_params(state: State, book: Book) -> None:
    """Renew the params' hash, which is its own sub-root."""
    params = state.params[0]
    length = encode_params(
        state.params_pieces[0], params.tier_count, params.publisher_count, book.leaves[0]
    )
    hash_pieces(book.leaves[0], length, TAG_PARAMS, book.words[HASH_PIECES * PARAMS_WORD :])


@kernel_entry
def commit_touched(state: State, trees: Trees, book: Book) -> None:
    """Commit what is touched as one step: for states that were loaded, restored or edited."""
    note_step(state, trees, book)
    settle_steps(state, trees, book)


@kernel_entry
def reseal(state: State, trees: Trees, book: Book) -> None:
    """Recompute the params leaf and the state root from trees that stand."""
    hash_params(state, book)
    note_root(state, book)
    settle_steps(state, trees, book)
