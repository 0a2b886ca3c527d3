"""From the rows that a step touched to the step's root: leaves, hash sweep, trees, state root.

Everything here runs inside one kernel after each step, on working memory that the caller owns.
Formats: docs/protocol.md, sections 2 and 3; ``clearing.leaves`` writes the leaves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from clearing.codes import Tag
from clearing.compiler import by_reference, kernel, kernel_entry
from clearing.keccak import hash_pieces, hash_rows
from clearing.leaves import (
    ACCOUNT_PIECES_MAX,
    ASSET_FIELDS,
    GLOBALS_PIECES,
    INSTRUMENT_PIECES_MAX,
    PARAMS_PIECES,
    POOL_FIELDS,
    UNDERLYING_FIELDS,
    UNDERLYING_PIECES,
    encode_account,
    encode_fields,
    encode_fund,
    encode_globals,
    encode_instrument,
    encode_page,
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
    NODE_PIECES,
    TREE_SHIFT,
    Forest,
    Pieces,
    sort_distinct,
    store_leaf,
    sweep,
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
    """The state's trees and the working memory of a commit.

    nodes int64[n, 4], offsets int64[7, levels], depths int64[7]: a ``Forest`` of accounts,
    instruments, funds, withdrawals, underlyings, assets and pools. For ``rows`` leaves in flight:
    keys int64[rows], groups int64[rows, 16], digests int64[rows, 4], leaves int64[rows, 284],
    lengths int64[rows]. ``long_leaf`` int64[872] is for one underlying.
    ``words`` int64[36], nine words, stands under the state root; ``root`` int64[4] is it.
    ``globals_leaf`` int64[40] is the leaf under it; ``withdrawals`` int64[1] counts the withdrawals
    that are in the tree.
    """

    nodes: Pieces
    offsets: Pieces
    depths: Pieces
    keys: Pieces
    groups: Pieces
    digests: Pieces
    leaves: Pieces
    lengths: Pieces
    long_leaf: Pieces
    words: Pieces
    root: Pieces
    globals_leaf: Pieces
    withdrawals: Pieces


def new_book(forest: Forest, rows: int) -> Book:
    """Return a book over ``forest`` with room for ``rows`` leaves a commit."""
    return Book(
        nodes=forest.nodes,
        offsets=forest.offsets,
        depths=forest.depths,
        keys=np.zeros(rows, np.int64),
        groups=np.zeros((rows, NODE_PIECES), np.int64),
        digests=np.zeros((rows, HASH_PIECES), np.int64),
        leaves=np.zeros((rows, LEAF_PIECES), np.int64),
        lengths=np.zeros(rows, np.int64),
        long_leaf=np.zeros(UNDERLYING_PIECES, np.int64),
        words=np.zeros(ROOT_PIECES, np.int64),
        root=np.zeros(HASH_PIECES, np.int64),
        globals_leaf=np.zeros(GLOBALS_PIECES, np.int64),
        withdrawals=np.zeros(1, np.int64),
    )


@kernel
def commit_step(state: State, book: Book) -> None:
    """Bring the trees and ``book.root`` up to the state, from the touched lists of the step.

    The lists are sorted in place. Also writes the withdrawals root into the globals, which the
    state root covers.
    """
    hash_touched_pages(state, book)
    count = put_accounts(state, book)
    count = put_instruments(state, book, count)
    if state.scratch[0].touched_funds > 0:
        count = put_funds(state, book, count)
    count = put_withdrawals(state, book, count)
    if is_wide(state):
        count = put_tables(state, book, count)
    sweep(book.nodes, book.offsets, book.depths, book.keys, count, book.groups, book.digests)
    seal(state, book)


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
def put_accounts(state: State, book: Book) -> int:
    """Store the touched accounts' leaves; return how many keys now wait for the sweep."""
    count = sort_distinct(state.touched_accounts, state.scratch[0].touched_accounts)
    for place in range(count):
        account = state.accounts[state.touched_accounts[place]]
        book.lengths[place] = encode_account(account, state.pages, book.leaves[place])
        book.keys[place] = state.touched_accounts[place]
    store_leaves(book, 0, count, TAG_ACCOUNT)
    return count


@kernel
def put_instruments(state: State, book: Book, first: int) -> int:
    """Store the touched instruments' leaves behind ``first`` keys; return the new number."""
    count = sort_distinct(state.touched_instruments, state.scratch[0].touched_instruments)
    for place in range(count):
        instrument = state.instruments[state.touched_instruments[place]]
        book.lengths[place] = encode_instrument(instrument, book.leaves[place])
        book.keys[first + place] = (INSTRUMENTS << TREE_SHIFT) | state.touched_instruments[place]
    store_leaves(book, first, count, TAG_INSTRUMENT)
    return first + count


@kernel
def put_funds(state: State, book: Book, first: int) -> int:
    """Store every fund's leaf behind ``first`` keys; return the new number."""
    count = state.globals[0].fund_count
    for place in range(count):
        book.lengths[place] = encode_fund(state.funds[place], book.leaves[place])
        book.keys[first + place] = (FUNDS << TREE_SHIFT) | place
    store_leaves(book, first, count, TAG_FUND)
    return first + count


@kernel
def put_withdrawals(state: State, book: Book, first: int) -> int:
    """Store the withdrawals that are not in the tree yet; return the new number of keys."""
    start: int = book.withdrawals[0]
    count = state.globals[0].withdrawal_count - start
    base = state.scratch[0].withdrawal_base
    for place in range(count):
        withdrawal = state.withdrawals[start + place - base]
        book.lengths[place] = encode_withdrawal(withdrawal, book.leaves[place])
        book.keys[first + place] = (WITHDRAWALS << TREE_SHIFT) | (start + place)
    store_leaves(book, first, count, TAG_WITHDRAWAL)
    book.withdrawals[0] = start + count
    return first + count


@kernel
def is_wide(state: State) -> bool:
    """Tell whether the step touched underlyings, assets, pools or params: few steps do."""
    scratch = state.scratch[0]
    touched = scratch.touched_underlyings + scratch.touched_assets
    return touched + scratch.touched_pools + scratch.touched_params > 0


@kernel
def put_tables(state: State, book: Book, first: int) -> int:
    """Store the touched underlyings, all assets and all pools; renew the params' hash."""
    count = sort_distinct(state.touched_underlyings, state.scratch[0].touched_underlyings)
    for place in range(count):
        id = state.touched_underlyings[place]
        length = encode_fields(state.underlying_pieces[id], UNDERLYING_FIELDS, book.long_leaf)
        hash_pieces(book.long_leaf, length, TAG_UNDERLYING, book.digests[0])
        book.keys[first + place] = (UNDERLYINGS << TREE_SHIFT) | id
        store_leaf(book.nodes, book.offsets, book.keys[first + place], book.digests[0])
    first += count
    if state.scratch[0].touched_assets > 0:
        count = state.globals[0].asset_count
        for place in range(count):
            book.lengths[place] = encode_fields(
                state.asset_pieces[place], ASSET_FIELDS, book.leaves[place]
            )
            book.keys[first + place] = (ASSETS << TREE_SHIFT) | place
        store_leaves(book, first, count, TAG_ASSET)
        first += count
    if state.scratch[0].touched_pools > 0:
        count = state.globals[0].pool_count
        for place in range(count):
            book.lengths[place] = encode_fields(
                state.pool_pieces[place], POOL_FIELDS, book.leaves[place]
            )
            book.keys[first + place] = (POOLS << TREE_SHIFT) | place
        store_leaves(book, first, count, TAG_POOL)
        first += count
    if state.scratch[0].touched_params > 0:
        hash_params(state, book)
    return first


@kernel
def hash_params(state: State, book: Book) -> None:
    """Renew the params' hash, which is its own sub-root."""
    params = state.params[0]
    length = encode_params(
        state.params_pieces[0], params.tier_count, params.publisher_count, book.leaves[0]
    )
    hash_pieces(book.leaves[0], length, TAG_PARAMS, book.words[HASH_PIECES * PARAMS_WORD :])


@kernel
def store_leaves(book: Book, first: int, count: int, tag: int) -> None:
    """Hash the encoded rows 0 .. count and store them under the keys behind ``first``."""
    hash_rows(book.leaves, book.lengths, count, tag, book.digests)
    for place in range(count):
        store_leaf(book.nodes, book.offsets, book.keys[first + place], book.digests[place])


@kernel
def seal(state: State, book: Book) -> None:
    """Write the withdrawals root into the globals and make the state root of sub-roots."""
    copy_root(book, WITHDRAWALS, state.globals[0].withdrawals_root, 0)
    copy_root(book, ACCOUNTS, book.words, ACCOUNTS_WORD)
    copy_root(book, INSTRUMENTS, book.words, INSTRUMENTS_WORD)
    copy_root(book, FUNDS, book.words, FUNDS_WORD)
    copy_root(book, UNDERLYINGS, book.words, UNDERLYINGS_WORD)
    copy_root(book, ASSETS, book.words, ASSETS_WORD)
    copy_root(book, POOLS, book.words, POOLS_WORD)
    length = encode_globals(state.globals[0], book.globals_leaf)
    hash_pieces(book.globals_leaf, length, TAG_GLOBALS, book.words[:HASH_PIECES])
    hash_pieces(book.words, ROOT_PIECES, TAG_STATE, book.root)


@kernel
def copy_root(book: Book, tree: int, words: Any, place: int) -> None:
    """Copy a tree's root to word ``place`` of ``words``."""
    row = book.offsets[tree, book.depths[tree]]
    for piece in range(HASH_PIECES):
        words[HASH_PIECES * place + piece] = book.nodes[row, piece]


@kernel_entry
def commit_touched(state: State, book: Book) -> None:
    """``commit_step`` on its own: for states that were loaded, restored or edited."""
    commit_step(state, book)


@kernel_entry
def reseal(state: State, book: Book) -> None:
    """Recompute the params leaf and the state root from trees that stand."""
    hash_params(state, book)
    seal(state, book)
