"""The part of the state that one step reads, rebuilt from leaves, run, and hashed again.

The law runs on it unchanged: ``clearing.lookup.find`` knows both kinds of state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from clearing.decode import Columns
from clearing.genesis import empty_state
from clearing.keccak import pieces, to_bytes
from clearing.records import State
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
from verifier.multiproof import ABSENT, dense_root, root_from
from verifier.read_set import (
    Names,
    accounts_read,
    instruments_read,
    targets,
    underlyings_read,
)
from verifier.witness_leaves import (
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
    WitnessError,
    WitnessLeaves,
    fill_state,
    leaf_bytes,
    leaf_hashes,
)

NO_ID = (1 << 63) - 1  # behind every real id, so that spare rows keep the ids sorted
NEW_PAGES_MAX = 2 * ACTIONS_PER_STEP


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
        self.state = _room_for(
            len(leaves.accounts), len(leaves.instruments), len(leaves.underlyings)
        )
        fill_state(self.state, leaves)
        totals = self._totals
        self._account_count = int(totals.account_count)
        self._instrument_count = int(totals.instrument_count)
        self._withdrawal_count = int(totals.withdrawal_count)
        for name in ("fund", "asset", "pool"):
            expected, was = int(totals[f"{name}_count"]), len(getattr(leaves, f"{name}s"))
            if expected != was:
                raise WitnessError(f"expected {expected} {name} leaves, was {was}; send all")

    @property
    def domain(self) -> bytes:
        """The EIP-712 domain separator of the globals leaf, 32 bytes."""
        return to_bytes(self._totals.domain)

    @property
    def law_version(self) -> int:
        """The law that the state says it stands under."""
        return int(self._totals.law_version)

    @property
    def _totals(self) -> Any:
        return cast(Any, self.state.globals)[0]

    def _rows(self, table: str) -> Any:
        """Return the rows that the witness's leaves of a table were loaded into."""
        return getattr(self.state, table)[: len(getattr(self._leaves, table))]

    def check_read_set(self, names: Names) -> None:
        """Compare accounts, instruments, underlyings and pages with what the step reads, as sets.

        Raises WitnessError naming the ids that are missing or surplus.
        """
        accounts, instruments = self._rows("accounts"), self._rows("instruments")
        full, every = accounts_read(names, self._account_count, self._rows("pools"), instruments)
        _compare("accounts", every, _ids(accounts))
        valued = [row for row in accounts if int(row.id) in full]
        wanted = instruments_read(names, self._instrument_count, valued)
        _compare("instruments", wanted, _ids(instruments))
        wanted = underlyings_read(names, int(self._totals.underlying_count), valued, instruments)
        _compare("underlyings", wanted, _ids(self._rows("underlyings")))
        existing = {int(row.id): int(row.page_mask) for row in accounts}
        pages = sorted(
            (account, number)
            for account, number in names.pages
            if existing.get(account, 0) >> number & 1
        )
        _compare("fill pages", pages, [_page_name(leaf) for leaf in self._leaves.pages])

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
        self._refresh_pages()
        roots = dict.fromkeys(SUB_ROOTS, ABSENT)
        roots["accounts"] = _grown_root(
            ACCOUNTS_DEPTH, self._account_count, _ids(self._rows("accounts")), names.openings,
            self._hashes(ACCOUNT, "account", self._account_count), siblings.accounts,
        )  # fmt: skip
        roots["instruments"] = _grown_root(
            INSTRUMENTS_DEPTH, self._instrument_count, _ids(self._rows("instruments")),
            names.listings, self._hashes(INSTRUMENT, "instrument", self._instrument_count),
            siblings.instruments,
        )  # fmt: skip
        withdrawals = self._hashes(WITHDRAWAL, "withdrawal", self._withdrawal_count)
        withdrawals_root = _grown_root(
            WITHDRAWALS_DEPTH, self._withdrawal_count, [],
            names.withdrawals, withdrawals, siblings.withdrawals,
        )  # fmt: skip
        self._set_withdrawals_root(withdrawals_root, appended=bool(withdrawals))
        underlyings = self._rows("underlyings")
        hashes = leaf_hashes(self.state, UNDERLYING, range(len(underlyings)))
        count = int(self._totals.underlying_count)
        roots["underlyings"] = root_from(
            UNDERLYINGS_DEPTH, count, _ids(underlyings), hashes, siblings.underlyings
        )
        assets = range(int(self._totals.asset_count))
        roots["assets"] = dense_root(ASSETS_DEPTH, leaf_hashes(self.state, ASSET, assets))
        for kind, table, depth in ((FUND, "funds", FUNDS_DEPTH), (POOL, "pools", POOLS_DEPTH)):
            rows = range(len(self._rows(table)))
            roots[table] = dense_root(depth, leaf_hashes(self.state, kind, rows))
        [roots["params"]] = leaf_hashes(self.state, PARAMS, [0])
        [globals_leaf] = leaf_bytes(self.state, GLOBALS, [0])
        return Opening(globals_leaf, tuple(roots.values())).state_root()

    def _hashes(self, kind: int, name: str, count: int) -> list[bytes]:
        """Return the hashes of a table's leaves: the witness's, then those that a step appended
        to the ``count`` that there were."""
        loaded = len(getattr(self._leaves, f"{name}s", ()))
        appended = int(self._totals[f"{name}_count"]) - count
        return leaf_hashes(self.state, kind, range(loaded + appended))

    def _refresh_pages(self) -> None:
        """Hash the pages that the step touched; their accounts' leaves carry the digests."""
        count = int(cast(Any, self.state.scratch)[0].touched_pages)
        touched = cast(Any, self.state.touched_pages)[:count].tolist()
        for place, digest in zip(touched, leaf_hashes(self.state, PAGE, touched), strict=True):
            cast(Any, self.state.pages)[place].digest = pieces(digest)

    def _set_withdrawals_root(self, root: bytes, appended: bool) -> None:
        if appended:
            self._totals.withdrawals_root = pieces(root)
        elif to_bytes(self._totals.withdrawals_root) != root:
            raise WitnessError(
                f"expected withdrawals root {to_bytes(self._totals.withdrawals_root).hex()}, "
                f"was {root.hex()}; send the siblings of that tree"
            )


def _ids(rows: Any) -> list[int]:
    return [int(row.id) for row in rows]


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
