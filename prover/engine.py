"""The whole state with its trees: runs actions through the law and commits every step to a root.

One Python call covers a frame of actions; nothing in here runs once a trade. Positions in the
sequence, roots and hashes are arrays of pieces; ``clearing.keccak.to_bytes`` makes bytes of a row.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np

from clearing.codes import Code, Kind, Status
from clearing.decode import Columns, decode
from clearing.genesis import INSTRUMENTS_MAX, Genesis, genesis_state, with_views
from clearing.keccak import hash_rows, to_bytes
from clearing.layout import pieces_of
from clearing.records import State
from clearing.units import ACCOUNTS_DEPTH, ACTIONS_PER_STEP, WITHDRAWALS_DEPTH
from prover.checkpoint import (
    Checkpoint,
    named_accounts,
    named_pages,
    pack_accounts,
    unpack_accounts,
)
from prover.commit import (
    ACCOUNTS,
    ASSETS,
    DEPTHS,
    FUNDS,
    INSTRUMENTS,
    POOLS,
    TAG_WITHDRAWAL,
    UNDERLYINGS,
    WITHDRAWALS,
    Book,
    commit_touched,
    new_book,
    reseal,
)
from prover.run import APPLYING, NEXT, PHASE, STEPS, Run, new_run, run_steps
from prover.tree import HASH_PIECES, LEAVES, TREE_SHIFT, Forest, Pieces, Trees
from verifier.batch import Opening

# Arrays that a checkpoint keeps whole.
SMALL = (
    "instruments",
    "funds",
    "underlyings",
    "assets",
    "pools",
    "globals",
    "params",
    "scratch",
)
NO_BOUNDS: Pieces = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Steps:
    """What a run did: n actions in s steps.

    codes int64[n]; firsts int64[s + 1]: first action of each step, and the end; step_hashes and
    post_roots int64[s, 4].
    """

    codes: Pieces
    firsts: Pieces
    step_hashes: Pieces
    post_roots: Pieces


class Engine:
    """The state of a chain, standing after some step.

    ``state`` is replaced when its arrays grow: read it afresh after each call.
    Not thread-safe; compiled runs release the GIL, so guard the engine if threads share it.
    """

    def __init__(
        self, genesis: Genesis, accounts_capacity: int = 1024, pages_capacity: int = 0
    ) -> None:
        """Stand at genesis, with room for this many accounts and fill pages before any growth.

        Raises GenesisError if ``genesis`` is not well-formed.
        """
        self.genesis = genesis
        pages = pages_capacity or accounts_capacity
        self.state: State = genesis_state(genesis, accounts_capacity, pages)
        capacities = (
            _rows(self.state.accounts),
            _rows(self.state.instruments),
            _rows(self.state.funds),
            _rows(self.state.withdrawals),
            _rows(self.state.underlyings),
            _rows(self.state.assets),
            _rows(self.state.pools),
        )
        touched = _rows(self.state.touched_accounts) + _rows(self.state.touched_instruments)
        touched += sum(map(_rows, (self.state.funds, self.state.assets, self.state.pools)))
        touched += 4 * ACTIONS_PER_STEP
        self.forest = Forest(DEPTHS, capacities, LEAVES + touched)
        self.book: Book = new_book(touched)
        self.checkpoints: list[Checkpoint] = []
        self.rebuild()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an engine at the same state that shares no array with this one."""
        made = object.__new__(type(self))
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        made.state = with_views(made.state)
        return made

    @property
    def totals(self) -> Any:
        """The globals record."""
        return cast(Any, self.state.globals)[0]

    def root(self) -> bytes:
        """Return the state root, 32 bytes."""
        return to_bytes(self.book.root)

    def opening(self) -> Opening:
        """Return what the base layer is shown of the root: globals leaf and sub-roots."""
        words = to_bytes(self.book.words)
        roots = tuple(words[start : start + 32] for start in range(32, len(words), 32))
        return Opening(to_bytes(self.book.globals_leaf), roots)

    def decode(self, blob: Any, offsets: Pieces) -> Columns:
        """Return the columns of actions ``blob[offsets[k]:offsets[k + 1]]``; signers not yet known.

        blob uint8[:], offsets int64[n + 1]. Malformed bytes become malformed actions.
        """
        return decode(blob, offsets, self.totals.domain.copy())

    def advance(self, columns: Columns, time: int) -> Steps:
        """Apply all actions at law time ``time`` (ms), in as few steps as the budget allows.

        Without any action that is one step, which carries the clock on.
        """
        times = np.array([time], np.int64)
        bounds = NO_BOUNDS if columns.action_count else np.zeros(2, np.int64)
        return self._run(columns, times, bounds, columns.action_count)

    def replay(self, columns: Columns, times: Pieces, bounds: Pieces) -> Steps:
        """Apply the steps as posted: step i is actions bounds[i] .. bounds[i + 1] at times[i].

        times int64[s], bounds int64[s + 1]; a step may be empty.
        """
        return self._run(columns, times, bounds, columns.action_count)

    def replay_step(
        self, columns: Columns, time: int, first: int, count: int
    ) -> tuple[Pieces, bytes]:
        """Apply exactly one step of ``count`` actions from ``first``: (codes, post root)."""
        bounds = np.array([first, first + count], np.int64)
        steps = self.replay(columns, np.array([time], np.int64), bounds)
        return steps.codes[first : first + count], to_bytes(steps.post_roots[0])

    def _run(self, columns: Columns, times: Pieces, bounds: Pieces, count: int) -> Steps:
        self.reserve(columns)
        run = new_run(times, bounds, columns.action_digests, count)
        arrays = (columns.actions, columns.observations, columns.payload, columns.signers)
        while not _run_until_overflow(self.state, self.forest.trees, self.book, run, arrays):
            self.totals.status = Status.HALTED
            run.codes[run.progress[NEXT]] = Code.INVARIANT
            run.progress[NEXT] += 1
        steps = int(run.progress[STEPS])
        return Steps(run.codes, run.firsts[: steps + 1], run.step_hashes[:steps], run.roots[:steps])

    def reserve(self, columns: Columns) -> None:
        """Make room for whatever the actions may append; the kernel never allocates.

        Never more than a tree holds: beyond that the law appends nothing, however many ask.
        """
        kinds = np.bincount(
            np.clip(cast(Any, columns.actions)["kind"][: columns.action_count], 0, 255),
            minlength=256,
        )
        inbox, trades = int(kinds[Kind.INBOX]), int(kinds[Kind.TRADE])
        totals, scratch = self.totals, cast(Any, self.state.scratch)[0]
        exits = inbox + int(kinds[Kind.WITHDRAW])
        self.make_room(
            min(int(totals.account_count) + inbox, 4**ACCOUNTS_DEPTH),
            min(int(totals.withdrawal_count) + exits, 4**WITHDRAWALS_DEPTH),
            min(int(totals.instrument_count) + int(kinds[Kind.LIST]), INSTRUMENTS_MAX),
            int(scratch.page_count) + 2 * trades + int(kinds[Kind.CANCEL]),
        )

    def make_room(self, accounts: int, withdrawals: int, instruments: int, pages: int) -> None:
        """Make room for so many of each in all, within what their trees hold."""
        self._reserve_accounts(accounts)
        self._reserve_withdrawals(withdrawals)
        if instruments > _rows(self.state.instruments):
            grown = _grown(self.state.instruments, instruments)
            self.state = self.state._replace(instruments=grown)
            self.forest.grow(INSTRUMENTS, _rows(self.state.instruments))
        if pages > _rows(self.state.pages):
            self.state = self.state._replace(pages=_grown(self.state.pages, pages))

    def _reserve_accounts(self, needed: int) -> None:
        if needed > _rows(self.state.accounts):
            self.state = self.state._replace(accounts=_grown(self.state.accounts, needed))
            self.forest.grow(ACCOUNTS, needed)

    def _reserve_withdrawals(self, needed: int) -> None:
        if needed > _rows(self.state.withdrawals):
            self.state = self.state._replace(withdrawals=_grown(self.state.withdrawals, needed))
            self.forest.grow(WITHDRAWALS, needed)

    def rebuild(self) -> None:
        """Recompute every leaf, node and root from the rows: after they were loaded or edited."""
        self.forest.nodes.fill(0)
        self.book.withdrawals[0] = int(self.totals.withdrawal_count)
        reseal(self.state, self.forest.trees, self.book)
        self._recommit(
            np.arange(int(cast(Any, self.state.scratch)[0].page_count), dtype=np.int64),
            np.arange(int(self.totals.account_count), dtype=np.int64),
            np.arange(int(self.totals.instrument_count), dtype=np.int64),
        )
        self._recommit_tables()
        self._recommit_withdrawals()

    def _recommit_tables(self) -> None:
        """Commit every underlying, asset and pool as if a step had touched them."""
        state, scratch = self.state, cast(Any, self.state.scratch)[0]
        self._touch(NO_BOUNDS, NO_BOUNDS, NO_BOUNDS)
        for id in range(int(self.totals.underlying_count)):
            cast(Any, state.touched_underlyings)[0] = id
            scratch.touched_underlyings = scratch.touched_assets = scratch.touched_pools = 1
            commit_touched(state, self.forest.trees, self.book)

    def _recommit(self, pages: Pieces, accounts: Pieces, instruments: Pieces) -> None:
        """Commit these rows, and all funds, as if a step had touched them."""
        state, scratch = self.state, cast(Any, self.state.scratch)[0]
        chunk = min(_rows(state.touched_pages), _rows(state.touched_accounts))
        chunk = min(chunk, _rows(state.touched_instruments))
        longest = max(pages.shape[0], 1)
        # Pages first and alone: an account's leaf carries the digests of its pages.
        for first in range(0, longest, chunk):
            self._touch(pages[first : first + chunk], NO_BOUNDS, NO_BOUNDS)
            scratch.touched_funds = 1
            commit_touched(state, self.forest.trees, self.book)
        for first in range(0, max(accounts.shape[0], instruments.shape[0]), chunk):
            stop = first + chunk
            self._touch(NO_BOUNDS, accounts[first:stop], instruments[first:stop])
            commit_touched(state, self.forest.trees, self.book)

    def _touch(self, pages: Pieces, accounts: Pieces, instruments: Pieces) -> None:
        state, scratch = cast(Any, self.state), cast(Any, self.state.scratch)[0]
        for name, ids in (("pages", pages), ("accounts", accounts), ("instruments", instruments)):
            getattr(state, f"touched_{name}")[: ids.shape[0]] = ids
            scratch[f"touched_{name}"] = ids.shape[0]
        scratch.touched_funds = scratch.touched_underlyings = scratch.touched_assets = 0
        scratch.touched_pools = scratch.touched_params = 0

    def _recommit_withdrawals(self) -> None:
        """Append all withdrawal leaves anew, a few a commit, as steps do."""
        totals = self.totals
        count = int(totals.withdrawal_count)
        self.book.withdrawals[0] = 0
        self._touch(NO_BOUNDS, NO_BOUNDS, NO_BOUNDS)
        for first in range(0, count, ACTIONS_PER_STEP):
            totals.withdrawal_count = min(first + ACTIONS_PER_STEP, count)
            commit_touched(self.state, self.forest.trees, self.book)
        commit_touched(self.state, self.forest.trees, self.book)

    def edit(self, mutate: Callable[[State], None]) -> None:
        """Let ``mutate`` change rows at will, then recompute everything.

        Only for forgeries and for loading states: no law judges the change.
        """
        mutate(self.state)
        self.rebuild()

    def recommit(self, rows: Mapping[str, Pieces]) -> bytes:
        """Return the root after rows were edited, named by table: int64[n] distinct each.

        Costs the rows, not the state. Like ``edit`` only for states that no law judges; a count in
        the globals may be any number, for no withdrawal is appended.
        """
        state, scratch = self.state, cast(Any, self.state.scratch)[0]
        withdrawals = rows.get("withdrawals", NO_BOUNDS)
        if withdrawals.shape[0]:
            self._rehash_withdrawals(withdrawals)
        self.book.withdrawals[0] = int(self.totals.withdrawal_count)
        pages, none = rows.get("pages", NO_BOUNDS), NO_BOUNDS
        if pages.shape[0]:
            # Pages first and alone: an account's leaf carries the digests of its pages.
            self._touch(pages, none, none)
            commit_touched(state, self.forest.trees, self.book)
        self._touch(none, rows.get("accounts", none), rows.get("instruments", none))
        underlyings = rows.get("underlyings", none)
        cast(Any, state.touched_underlyings)[: underlyings.shape[0]] = underlyings
        scratch.touched_underlyings = underlyings.shape[0]
        for name in ("funds", "assets", "pools", "params"):
            scratch[f"touched_{name}"] = rows.get(name, none).shape[0]
        commit_touched(state, self.forest.trees, self.book)
        return self.root()

    def _rehash_withdrawals(self, indices: Pieces) -> None:
        """Put the leaves of withdrawals that were edited into their tree: they are their rows."""
        leaves = pieces_of(self.state.withdrawals)[indices]
        count, width = leaves.shape
        digests = np.zeros((count, HASH_PIECES), np.int64)
        hash_rows(leaves, np.full(count, width, np.int64), count, TAG_WITHDRAWAL, digests)
        self._put(WITHDRAWALS, indices, digests)

    def checkpoint(self, columns: Columns) -> Checkpoint:
        """Remember what the actions of ``columns`` may change, on a stack. Costs the write set."""
        state, totals = cast(Any, self.state), self.totals
        count = int(totals.account_count)
        accounts = named_accounts(columns, count, state.pools[: int(totals.pool_count)])
        pages = named_pages(columns, state.accounts, count)
        kept = {"pages": state.pages[pages].copy()}
        for name in SMALL:
            kept[name] = getattr(state, name).copy()
        point = Checkpoint(
            self.root(),
            accounts,
            pack_accounts(state.accounts, accounts),
            pages,
            kept,
            {
                ACCOUNTS: self._leaves(ACCOUNTS, accounts),
                **{tree: self._leaves(tree, np.arange(size)) for tree, size in self._sizes()},
            },
        )
        self.checkpoints.append(point)
        return point

    def _sizes(self) -> list[tuple[int, int]]:
        """Return (tree, leaves in it) of the small trees."""
        totals = self.totals
        return [
            (INSTRUMENTS, int(totals.instrument_count)),
            (FUNDS, int(totals.fund_count)),
            (UNDERLYINGS, int(totals.underlying_count)),
            (ASSETS, int(totals.asset_count)),
            (POOLS, int(totals.pool_count)),
        ]

    def rollback(self, point: Checkpoint) -> None:
        """Stand where ``point`` was made; it and all later checkpoints are used up.

        Raises ValueError if it was used up before.
        """
        self._place(point)
        while True:
            last = self.checkpoints.pop()
            self._restore(last)
            if last is point:
                return

    def release(self, point: Checkpoint) -> None:
        """Forget ``point`` and all earlier checkpoints: what they guard is final."""
        del self.checkpoints[: self._place(point) + 1]

    def _place(self, point: Checkpoint) -> int:
        for place, known in enumerate(self.checkpoints):
            if known is point:
                return place
        raise ValueError(
            f"expected one of {len(self.checkpoints)} live checkpoints, was one already rolled "
            "back or released; rebuild from genesis instead"
        )

    def _restore(self, point: Checkpoint) -> None:
        state = cast(Any, self.state)
        counts = (int(self.totals.account_count), int(self.totals.withdrawal_count))
        listed, admitted = int(self.totals.instrument_count), int(self.totals.asset_count)
        pages = int(state.scratch[0].page_count)
        unpack_accounts(state.accounts, point.account_ids, point.accounts)
        state.pages[point.page_rows] = point.rows["pages"]
        for name in SMALL:
            rows = getattr(state, name)
            rows[: point.rows[name].shape[0]] = point.rows[name]
            rows[point.rows[name].shape[0] :] = np.zeros(1, rows.dtype)
        # Rows beyond the counts are zeroed, so that equal states are equal bytes.
        accounts, withdrawals = int(self.totals.account_count), int(self.totals.withdrawal_count)
        state.accounts[accounts : counts[0]] = np.zeros(1, state.accounts.dtype)
        state.withdrawals[withdrawals : counts[1]] = np.zeros(1, state.withdrawals.dtype)
        kept_pages = int(state.scratch[0].page_count)
        state.pages[kept_pages:pages] = np.zeros(1, state.pages.dtype)
        for tree, leaves in point.leaves.items():
            ids = point.account_ids if tree == ACCOUNTS else np.arange(leaves.shape[0])
            self._put(tree, ids, leaves)
        self._put(INSTRUMENTS, np.arange(int(self.totals.instrument_count), listed), None)
        self._put(ASSETS, np.arange(int(self.totals.asset_count), admitted), None)
        self._put(ACCOUNTS, np.arange(accounts, counts[0]), None)
        self._put(WITHDRAWALS, np.arange(withdrawals, counts[1]), None)
        self.book.withdrawals[0] = withdrawals
        reseal(self.state, self.forest.trees, self.book)
        if self.root() != point.root:
            raise AssertionError(
                f"expected root {point.root.hex()} after a rollback, was {self.root().hex()}; "
                "an action changed what it does not name: rebuild from genesis and report it"
            )

    def _leaves(self, tree: int, ids: Pieces) -> Pieces:
        leaves: Pieces = self.forest.nodes[int(self.forest.offsets[tree, 0]) + ids]
        return leaves

    def _put(self, tree: int, ids: Pieces, leaves: Pieces | None) -> None:
        """Store leaves (None: absent ones) and rehash, in chunks that the caches hold."""
        chunk = 4096
        for first in range(0, ids.shape[0], chunk):
            keys = ids[first : first + chunk].astype(np.int64) | (tree << TREE_SHIFT)
            if leaves is None:
                part = np.zeros((keys.shape[0], HASH_PIECES), np.int64)
            else:
                part = np.ascontiguousarray(leaves[first : first + chunk])
            self.forest.put_keys(keys, part)


def _run_until_overflow(
    state: State, trees: Trees, book: Book, run: Run, arrays: tuple[Any, ...]
) -> bool:
    """Return True when the run is finished, False when the action at NEXT overflowed."""
    try:
        run_steps(state, trees, book, run, *arrays)
    except ArithmeticError:
        if run.progress[PHASE] != APPLYING:
            raise
        return False
    return True


def _rows(array: Any) -> int:
    return int(array.shape[0])


def _grown(rows: Any, needed: int) -> Any:
    """Return a copy with room for ``needed`` rows, at least twice as many, all of it touched."""
    grown = np.zeros(max(needed, 2 * rows.shape[0]), rows.dtype)
    # The first write to a page of memory costs more than a step; it is paid here.
    grown.view(np.int64).fill(0)
    grown[: rows.shape[0]] = rows
    return grown
