"""The part of the state that one step reads, rebuilt from leaves, run, and hashed again.

The law runs on it unchanged (``clearing.lookup.find`` knows both kinds of state). Every leaf must
be the one encoding of its record, so that what is hashed and what the law sees cannot differ.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

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
from clearing.decode import Columns
from clearing.genesis import empty_state
from clearing.keccak import hash_pieces, hash_rows, pieces, to_bytes
from clearing.leaves import (
    ASSET_FIELDS,
    GLOBALS_PIECES,
    INSTRUMENT_PIECES_MAX,
    PARAMS_PIECES,
    POOL_FIELDS,
    UNDERLYING_FIELDS,
    UNDERLYING_PIECES,
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
from clearing.step import transition
from clearing.units import (
    ACCOUNTS_DEPTH,
    ACTIONS_PER_STEP,
    ASSETS_DEPTH,
    FUNDS_DEPTH,
    INSTRUMENTS_DEPTH,
    PAGES_MAX,
    POOLS_DEPTH,
    UNDERLYINGS_DEPTH,
    WITHDRAWALS_DEPTH,
)
from verifier.batch import SUB_ROOTS, Opening
from verifier.errors import VerifierError
from verifier.multiproof import ABSENT, dense_root, root_from
from verifier.read_set import (
    Names,
    accounts_read,
    instruments_read,
    targets,
    underlyings_read,
)

Pieces = np.ndarray[Any, np.dtype[np.int64]]

ROW_PIECES = max(ACCOUNT_PIECES_MAX, INSTRUMENT_PIECES_MAX, PARAMS_PIECES)  # underlyings apart
HASH_PIECES = 4
NO_ID = (1 << 63) - 1  # behind every real id, so that spare rows keep the ids sorted
NEW_PAGES_MAX = 2 * ACTIONS_PER_STEP
LOADED = -1
DOMAIN_PIECE = 24  # where the globals leaf holds the EIP-712 domain separator

TAG_ACCOUNT = int(Tag.ACCOUNT)
TAG_INSTRUMENT = int(Tag.INSTRUMENT)
TAG_FUND = int(Tag.FUND)
TAG_PAGE = int(Tag.PAGE)
TAG_WITHDRAWAL = int(Tag.WITHDRAWAL)
TAG_ASSET = int(Tag.ASSET)
TAG_POOL = int(Tag.POOL)
TAG_PARAMS = int(Tag.PARAMS)
TAG_UNDERLYING = int(Tag.UNDERLYING)

assert max(ACCOUNT_PIECES_MAX, INSTRUMENT_PIECES_MAX, PARAMS_PIECES) <= ROW_PIECES
# Places in the counts of leaves.
FUNDS, ACCOUNTS, PAGES, INSTRUMENTS, ASSETS, POOLS, UNDERLYINGS = range(7)


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


class Multiproofs(NamedTuple):
    """The siblings in the accounts, instruments, underlyings and withdrawals trees."""

    accounts: Sequence[bytes]
    instruments: Sequence[bytes]
    underlyings: Sequence[bytes]
    withdrawals: Sequence[bytes]


class WitnessState:
    """A partial state: rows for the witness's leaves, and spare ones for what a step appends."""

    def __init__(self, leaves: WitnessLeaves) -> None:
        """Load the leaves. Raises WitnessError for one that is not canonical or out of place."""
        self._leaves = leaves
        self._counts = _counts(leaves)
        self.state = _room_for(
            len(leaves.accounts), len(leaves.instruments), len(leaves.underlyings)
        )
        fill_state(self.state, leaves)
        totals = self._totals
        self._account_count = int(totals.account_count)
        self._instrument_count = int(totals.instrument_count)
        self._withdrawal_count = int(totals.withdrawal_count)
        for name, count in (("fund", FUNDS), ("asset", ASSETS), ("pool", POOLS)):
            expected = int(totals[f"{name}_count"])
            if expected != self._counts[count]:
                raise WitnessError(
                    f"expected {expected} {name} leaves, was {self._counts[count]}; send all"
                )

    @property
    def domain(self) -> bytes:
        """The EIP-712 domain separator of the globals leaf, 32 bytes."""
        return self._leaves.globals[8 * DOMAIN_PIECE : 8 * (DOMAIN_PIECE + HASH_PIECES)]

    @property
    def law_version(self) -> int:
        """The law that the state says it stands under."""
        return int(self._totals.law_version)

    @property
    def _totals(self) -> Any:
        return cast(Any, self.state.globals)[0]

    def check_read_set(self, names: Names) -> None:
        """Compare accounts, pages and instruments with what the step reads, as sets.

        Raises WitnessError naming the ids that are missing or surplus.
        """
        rows = self._accounts()
        pools = cast(Any, self.state.pools)[: self._counts[POOLS]]
        instruments = self._instruments()
        full, every = accounts_read(names, self._account_count, pools, instruments)
        _compare("accounts", every, [int(row.id) for row in rows])
        valued = [row for row in rows if int(row.id) in full]
        wanted = instruments_read(names, self._instrument_count, valued)
        _compare("instruments", wanted, [int(row.id) for row in instruments])
        count = int(self._totals.underlying_count)
        wanted = underlyings_read(names, count, valued, instruments)
        underlyings = cast(Any, self.state.underlyings)[: self._counts[UNDERLYINGS]]
        _compare("underlyings", wanted, [int(row.id) for row in underlyings])
        existing = {int(row.id): int(row.page_mask) for row in self._accounts()}
        pages = sorted(
            (account, number)
            for account, number in names.pages
            if existing.get(account, 0) >> number & 1
        )
        _compare("fill pages", pages, [_page_name(leaf) for leaf in self._leaves.pages])

    def _accounts(self) -> Any:
        return cast(Any, self.state.accounts)[: self._counts[ACCOUNTS]]

    def _instruments(self) -> Any:
        return cast(Any, self.state.instruments)[: self._counts[INSTRUMENTS]]

    def run(self, columns: Columns, time: int) -> None:
        """Run the law's step over all of ``columns``, signers recovered, at law time ``time``.

        Raises WitnessError if the law asked for what the witness lacks.
        """
        codes = np.zeros(columns.action_count, np.int64)
        try:
            transition(self.state, columns, 0, columns.action_count, time, codes)
        except (IndexError, ArithmeticError) as error:
            # What an action overflows is caught inside; here the state before the step is absurd.
            raise WitnessError(
                f"expected a state that the law can make, was one that it cannot run on ({error}); "
                "prove the step that broke it"
            ) from error
        scratch = cast(Any, self.state.scratch)[0]
        if scratch.missing_kind != 0:
            raise WitnessError(
                f"expected all that the step reads, was without {int(scratch.missing_id)} of kind "
                f"{int(scratch.missing_kind)} (1 account, 2 instrument, 3 page, 4 underlying); "
                "add it"
            )

    def root(self, names: Names, siblings: Multiproofs) -> bytes:
        """Return the state root that the rows and the siblings stand for, before or after ``run``.

        Also writes the withdrawals root into the globals once the step has run. Raises ProofError
        for siblings that are not canonical; WitnessError if the globals hold another withdrawals
        root before the step.
        """
        accounts, instruments, funds, withdrawals, assets, pools = self._leaf_hashes()
        roots = dict.fromkeys(SUB_ROOTS, ABSENT)
        roots["accounts"] = _grown_root(
            ACCOUNTS_DEPTH, self._account_count, [int(row.id) for row in self._accounts()],
            names.openings, accounts, siblings.accounts,
        )  # fmt: skip
        roots["instruments"] = _grown_root(
            INSTRUMENTS_DEPTH, self._instrument_count, [int(row.id) for row in self._instruments()],
            names.listings, instruments, siblings.instruments,
        )  # fmt: skip
        withdrawals_root = _grown_root(
            WITHDRAWALS_DEPTH, self._withdrawal_count, [],
            names.withdrawals, withdrawals, siblings.withdrawals,
        )  # fmt: skip
        self._set_withdrawals_root(withdrawals_root, appended=bool(withdrawals))
        roots["underlyings"] = self._underlyings_root(siblings.underlyings)
        roots["assets"] = dense_root(ASSETS_DEPTH, assets)
        roots["funds"] = dense_root(FUNDS_DEPTH, funds)
        roots["pools"] = dense_root(POOLS_DEPTH, pools)
        roots["params"] = self._params_hash()
        row = np.zeros(GLOBALS_PIECES, np.int64)
        globals_row(self.state, row)
        return Opening(to_bytes(row), tuple(roots.values())).state_root()

    def _underlyings_root(self, siblings: Sequence[bytes]) -> bytes:
        rows = cast(Any, self.state.underlyings)[: self._counts[UNDERLYINGS]]
        hashes = np.zeros((len(rows), HASH_PIECES), np.int64)
        hash_underlyings(self.state, len(rows), np.zeros(UNDERLYING_PIECES, np.int64), hashes)
        return root_from(
            UNDERLYINGS_DEPTH,
            int(self._totals.underlying_count),
            [int(row.id) for row in rows],
            [to_bytes(one) for one in hashes],
            siblings,
        )

    def _params_hash(self) -> bytes:
        digest = np.zeros(HASH_PIECES, np.int64)
        hash_params(self.state, np.zeros(PARAMS_PIECES, np.int64), digest)
        return to_bytes(digest)

    def _set_withdrawals_root(self, root: bytes, appended: bool) -> None:
        if appended:
            self._totals.withdrawals_root = pieces(root)
        elif to_bytes(self._totals.withdrawals_root) != root:
            raise WitnessError(
                f"expected withdrawals root {to_bytes(self._totals.withdrawals_root).hex()}, "
                f"was {root.hex()}; send the siblings of that tree"
            )

    def _leaf_hashes(self) -> list[list[bytes]]:
        """Return the hashes of accounts, instruments, funds, new withdrawals, assets, pools."""
        totals = self._totals
        counts = np.array(
            (
                self._counts[ACCOUNTS] + int(totals.account_count) - self._account_count,
                self._counts[INSTRUMENTS] + int(totals.instrument_count) - self._instrument_count,
                self._counts[FUNDS],
                int(totals.withdrawal_count) - self._withdrawal_count,
                int(totals.asset_count),
                self._counts[POOLS],
            ),
            np.int64,
        )
        longest = max(int(counts.sum()), cast(Any, self.state.touched_pages).shape[0])
        rows = np.zeros((longest, ROW_PIECES), np.int64)
        digests = np.zeros((longest, HASH_PIECES), np.int64)
        hash_leaves(self.state, counts, rows, np.zeros(longest, np.int64), digests)
        data = to_bytes(digests)
        hashes = [data[start : start + 32] for start in range(0, len(data), 32)]
        ends = [0, *np.cumsum(counts).tolist()]
        return [hashes[first:stop] for first, stop in itertools.pairwise(ends)]


def fill_state(state: State, leaves: WitnessLeaves) -> None:
    """Load leaves into the first rows of a state that has room for them.

    Its id arrays are written too. Raises WitnessError for a leaf that is not canonical or out of
    place.
    """
    rows, lengths = _to_rows(leaves)
    counts = np.array(_counts(leaves), np.int64)
    place = load_leaves(state, rows, lengths, counts, np.zeros(ROW_PIECES, np.int64))
    if place != LOADED:
        raise WitnessError(
            f"expected leaf {place} of the witness to be canonical and in place, was not; a "
            "state that the law made has only such leaves: prove the step that broke it"
        )
    for i, leaf in enumerate(leaves.underlyings):
        row = np.frombuffer(leaf, ">i8").astype(np.int64)
        if not load_underlying(state, row, i, np.zeros(UNDERLYING_PIECES, np.int64)):
            raise WitnessError(
                f"expected underlying {i} of the witness to be canonical, was not; prove the "
                "step that broke it"
            )


def _counts(leaves: WitnessLeaves) -> tuple[int, ...]:
    """Return how many leaves of each kind there are, in the order of the places above."""
    return (
        len(leaves.funds),
        len(leaves.accounts),
        len(leaves.pages),
        len(leaves.instruments),
        len(leaves.assets),
        len(leaves.pools),
        len(leaves.underlyings),
    )


@kernel_entry
def load_leaves(state: State, rows: Pieces, lengths: Pieces, counts: Pieces, again: Pieces) -> int:
    """Load globals, params, funds, accounts, pages, instruments, assets, pools, in this order.

    ``rows`` are int64[n, ROW_PIECES], ``counts`` int64[7] says how many of each from funds on.
    Returns LOADED, or the first row that is not the encoding of what was read from it.
    """
    load_globals(rows[0], state.globals[0])
    if not is_same(rows[0], again, lengths[0], encode_globals(state.globals[0], again)):
        return 0
    if not load_params(rows[1], state.params_pieces[0]):
        return 1
    if not is_same(rows[1], again, lengths[1], params_leaf(state, again)):
        return 1
    place = 2
    for i in range(counts[FUNDS]):
        load_fund(rows[place], state.funds[i])
        size = encode_fund(state.funds[i], again)
        if state.funds[i].id != i or not is_same(rows[place], again, lengths[place], size):
            return place
        place += 1
    used = 0
    for i in range(counts[ACCOUNTS]):
        account = state.accounts[i]
        pages = load_account(rows[place], lengths[place], account, state.pages, used)
        if pages < 0:
            return place
        used += pages
        size = encode_account(account, state.pages, again)
        if not is_same(rows[place], again, lengths[place], size):
            return place
        state.account_ids[i] = account.id
        place += 1
    for _ in range(counts[PAGES]):
        if not load_witness_page(state, rows[place], lengths[place], counts[ACCOUNTS], again):
            return place
        place += 1
    for i in range(counts[INSTRUMENTS]):
        if not load_instrument(rows[place], lengths[place], state.instruments[i]):
            return place
        size = encode_instrument(state.instruments[i], again)
        if not is_same(rows[place], again, lengths[place], size):
            return place
        state.instrument_ids[i] = state.instruments[i].id
        place += 1
    place = load_tables(state, rows, lengths, counts, again, place)
    if place >= 0:
        return place
    state.scratch[0].page_count = used
    state.scratch[0].spare_account = counts[ACCOUNTS]
    state.scratch[0].spare_instrument = counts[INSTRUMENTS]
    state.scratch[0].withdrawal_base = state.globals[0].withdrawal_count
    return LOADED


@kernel
def load_tables(
    state: State, rows: Pieces, lengths: Pieces, counts: Pieces, again: Pieces, place: int
) -> int:
    """Load assets and pools from ``place``; return LOADED or the first row that is not its own."""
    for i in range(counts[ASSETS]):
        if not load_same(rows[place], lengths[place], ASSET_FIELDS, state.asset_pieces[i], again):
            return place
        if state.assets[i].id != i:
            return place
        place += 1
    for i in range(counts[POOLS]):
        if not load_same(rows[place], lengths[place], POOL_FIELDS, state.pool_pieces[i], again):
            return place
        if state.pools[i].id != i:
            return place
        place += 1
    return LOADED


@kernel
def load_same(row: Any, length: int, count: int, fields: Any, again: Pieces) -> bool:
    """Load a leaf that is its record; False if encoding it again gives other pieces."""
    load_fields(row, count, fields)
    return is_same(row, again, length, encode_fields(fields, count, again))


@kernel_entry
def load_underlying(state: State, row: Pieces, place: int, again: Pieces) -> bool:
    """Load an underlying's leaf into row ``place``; False if it is not canonical.

    ``row`` is int64[UNDERLYING_PIECES].
    """
    if not load_same(
        row, UNDERLYING_PIECES, UNDERLYING_FIELDS, state.underlying_pieces[place], again
    ):
        return False
    underlying = state.underlyings[place]
    state.underlying_ids[place] = underlying.id
    derive_cells(underlying)
    return True


@kernel
def load_witness_page(state: State, row: Pieces, length: int, accounts: int, again: Pieces) -> bool:
    """Load a fill page into the row that its account leaf made; False if that names another."""
    number = row[2]
    if length != PAGE_PIECES or number < 0 or number >= PAGES_MAX:
        return False
    for i in range(accounts):
        if state.accounts[i].id == row[1] and state.accounts[i].page_rows[number] >= 0:
            page = state.pages[state.accounts[i].page_rows[number]]
            load_page(row, page)
            if not is_same(row, again, length, encode_page(page, again)):
                return False
            hash_pieces(row, length, TAG_PAGE, again[:HASH_PIECES])
            return is_same(page.digest, again, HASH_PIECES, HASH_PIECES)
    return False


@kernel
def is_same(row: Any, again: Pieces, length: int, size: int) -> bool:
    """Tell whether a leaf of ``length`` pieces is what encoding its record again gave."""
    if length != size:
        return False
    difference = 0
    for piece in range(length):
        difference |= row[piece] ^ again[piece]
    return difference == 0


@kernel_entry
def hash_leaves(
    state: State, counts: Pieces, rows: Pieces, lengths: Pieces, digests: Pieces
) -> None:
    """Hash as many as ``counts`` says of the leaves that ``_leaf_hashes`` names.

    Into ``digests`` int64[n, 4], one behind the other; the others are working memory.
    """
    refresh_pages(state, rows, lengths, digests)
    for i in range(counts[0]):
        lengths[i] = encode_account(state.accounts[i], state.pages, rows[i])
    hash_rows(rows, lengths, counts[0], TAG_ACCOUNT, digests)
    first = counts[0]
    for i in range(counts[1]):
        lengths[i] = encode_instrument(state.instruments[i], rows[i])
    hash_rows(rows, lengths, counts[1], TAG_INSTRUMENT, digests[first:])
    first += counts[1]
    for i in range(counts[2]):
        lengths[i] = encode_fund(state.funds[i], rows[i])
    hash_rows(rows, lengths, counts[2], TAG_FUND, digests[first:])
    first += counts[2]
    for i in range(counts[3]):
        lengths[i] = encode_withdrawal(state.withdrawals[i], rows[i])
    hash_rows(rows, lengths, counts[3], TAG_WITHDRAWAL, digests[first:])
    first += counts[3]
    for i in range(counts[4]):
        lengths[i] = encode_fields(state.asset_pieces[i], ASSET_FIELDS, rows[i])
    hash_rows(rows, lengths, counts[4], TAG_ASSET, digests[first:])
    first += counts[4]
    for i in range(counts[5]):
        lengths[i] = encode_fields(state.pool_pieces[i], POOL_FIELDS, rows[i])
    hash_rows(rows, lengths, counts[5], TAG_POOL, digests[first:])


@kernel_entry
def hash_underlyings(state: State, count: int, row: Pieces, digests: Pieces) -> None:
    """Hash the leaves of the first ``count`` underlyings into ``digests`` int64[count, 4]."""
    for i in range(count):
        length = encode_fields(state.underlying_pieces[i], UNDERLYING_FIELDS, row)
        hash_pieces(row, length, TAG_UNDERLYING, digests[i])


@kernel_entry
def hash_params(state: State, row: Pieces, digest: Pieces) -> None:
    """Hash the params leaf into ``digest`` int64[4]."""
    hash_pieces(row, params_leaf(state, row), TAG_PARAMS, digest)


@kernel
def params_leaf(state: State, row: Pieces) -> int:
    """Write the params leaf; its counts are within their bounds, or loading had refused it."""
    params = state.params[0]
    return encode_params(state.params_pieces[0], params.tier_count, params.publisher_count, row)


@kernel
def refresh_pages(state: State, rows: Pieces, lengths: Pieces, digests: Pieces) -> None:
    """Hash the pages that the step touched; their accounts' leaves carry the digests."""
    count = state.scratch[0].touched_pages
    for i in range(count):
        lengths[i] = encode_page(state.pages[state.touched_pages[i]], rows[i])
    hash_rows(rows, lengths, count, TAG_PAGE, digests)
    for i in range(count):
        for piece in range(HASH_PIECES):
            state.pages[state.touched_pages[i]].digest[piece] = digests[i, piece]


@kernel_entry
def globals_row(state: State, row: Pieces) -> None:
    """Write the globals leaf into ``row``, int64[GLOBALS_PIECES]."""
    encode_globals(state.globals[0], row)


def _room_for(accounts: int, instruments: int, underlyings: int) -> State:
    spare = accounts + ACTIONS_PER_STEP
    listed = instruments + ACTIONS_PER_STEP
    state = empty_state(
        spare, listed, accounts * PAGES_MAX + NEW_PAGES_MAX, ACTIONS_PER_STEP, underlyings + 1
    )
    # An empty id array would mean "all rows are here", so there is always one that no id matches.
    return state._replace(
        account_ids=cast(Any, np.full(spare, NO_ID, np.int64)),
        instrument_ids=cast(Any, np.full(listed, NO_ID, np.int64)),
        underlying_ids=cast(Any, np.full(underlyings + 1, NO_ID, np.int64)),
    )


def _to_rows(leaves: WitnessLeaves) -> tuple[Pieces, Pieces]:
    """Return (rows, lengths) of all leaves but the underlyings, in order.

    The rows are int64[n, ROW_PIECES], the lengths int64[n].
    """
    every = [
        leaves.globals,
        leaves.params,
        *leaves.funds,
        *leaves.accounts,
        *leaves.pages,
        *leaves.instruments,
        *leaves.assets,
        *leaves.pools,
    ]
    rows = np.zeros((len(every), ROW_PIECES), np.int64)
    lengths = np.zeros(len(every), np.int64)
    for i, leaf in enumerate(every):
        size = len(leaf) // 8
        if size > ROW_PIECES or len(leaf) % 8:
            raise WitnessError(f"expected leaf {i} of at most {8 * ROW_PIECES} bytes")
        rows[i, :size] = np.frombuffer(leaf, ">i8")
        lengths[i] = size
    return rows, lengths


def _page_name(leaf: bytes) -> tuple[int, int]:
    """Return (account, number) of a page leaf that was loaded."""
    return int.from_bytes(leaf[8:16], "big"), int.from_bytes(leaf[16:24], "big")


def _grown_root(
    depth: int,
    count: int,
    ids: Sequence[int],
    room: int,
    hashes: Sequence[bytes],
    siblings: Sequence[bytes],
) -> bytes:
    """Return the root of a tree of ``count`` leaves that a step reads ``ids`` of and appends to.

    ``room`` is the most that the step can append; what of it is not there yet is absent.
    """
    at = [*ids, *targets(frozenset(), count, room, 4**depth)]
    leaves = [*hashes, *[ABSENT] * (len(at) - len(hashes))]
    return root_from(depth, count, at, leaves, siblings)


def _compare(what: str, expected: Sequence[Any], was: Sequence[Any]) -> None:
    if list(expected) != list(was):
        missing = [name for name in expected if name not in was]
        surplus = [name for name in was if name not in expected]
        raise WitnessError(
            f"expected {what} {list(expected)}, sorted, was {list(was)}; add {missing}, "
            f"drop {surplus}"
        )
