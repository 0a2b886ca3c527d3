"""Evidence against a step, built from an engine that stands right before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from clearing.decode import pack
from clearing.messages import decode_step
from clearing.units import (
    ACCOUNTS_DEPTH,
    INSTRUMENTS_DEPTH,
    STEPS_DEPTH,
    WITHDRAWALS_DEPTH,
)
from prover.commit import ACCOUNTS, INSTRUMENTS, UNDERLYINGS, WITHDRAWALS
from prover.engine import Engine
from prover.tree import Forest
from verifier.batch import step_record_hash
from verifier.codec import HASH_BYTES
from verifier.evidence import Evidence
from verifier.header import Header
from verifier.read_set import (
    accounts_read,
    instruments_read,
    names_of,
    targets,
    underlyings_read,
)
from verifier.witness_leaves import (
    ACCOUNT,
    ASSET,
    FUND,
    INSTRUMENT,
    PAGE,
    PARAMS,
    POOL,
    UNDERLYING,
    leaf_bytes,
)


def build_evidence(
    engine: Engine,
    header: Header,
    pairs: Sequence[tuple[bytes, bytes]],
    index: int,
    step_bytes: bytes,
) -> Evidence:
    """Return BAD_STEP(index) for a batch with these (step hash, post root) pairs.

    ``engine`` stands in the batch's state before step ``index``, and still does afterwards.
    ``step_bytes`` is the step as posted. Whether the step is bad is for the court to say. Raises
    ValueError if the engine stands elsewhere.
    """
    prior_hash, prior_root = pairs[index - 1] if index else (bytes(HASH_BYTES), header.pre_root)
    if engine.root() != prior_root:
        raise ValueError(
            f"expected an engine at root {prior_root.hex()}, before step {index}, was at "
            f"{engine.root().hex()}; replay the steps before it first"
        )
    _, actions = decode_step(step_bytes)
    columns = engine.decode(*pack(actions))
    names = names_of(columns, 0, columns.action_count)
    totals, state = engine.totals, engine.state
    pools = cast(Any, state.pools)[: int(totals.pool_count)]
    instrument_count = int(totals.instrument_count)
    named = cast(Any, state.instruments)[instruments_read(names, instrument_count, ())]
    full, accounts = accounts_read(names, int(totals.account_count), pools, named)
    valued = cast(Any, state.accounts)[full]
    instruments = instruments_read(names, instrument_count, valued)
    underlying_count = int(totals.underlying_count)
    underlyings = underlyings_read(
        names, underlying_count, valued, cast(Any, state.instruments)[instruments]
    )
    account_count, withdrawal_count = int(totals.account_count), int(totals.withdrawal_count)
    account_targets = accounts + targets(
        frozenset(), account_count, names.openings, 4**ACCOUNTS_DEPTH
    )
    instrument_targets = instruments + targets(
        frozenset(), instrument_count, names.listings, 4**INSTRUMENTS_DEPTH
    )
    withdrawal_targets = targets(
        frozenset(), withdrawal_count, names.withdrawals, 4**WITHDRAWALS_DEPTH
    )
    forest = engine.forest
    return Evidence(
        header=header.encode(),
        step=index,
        prior_step_hash=prior_hash,
        prior_root=prior_root,
        post_root=pairs[index][1],
        record_siblings=record_siblings(pairs, index),
        step_bytes=step_bytes,
        globals_leaf=engine.opening().globals_leaf,
        params_leaf=leaf_bytes(state, PARAMS, [0])[0],
        funds=leaf_bytes(state, FUND, range(int(totals.fund_count))),
        accounts=leaf_bytes(state, ACCOUNT, accounts),
        pages=leaf_bytes(state, PAGE, _page_rows(engine, sorted(names.pages))),
        instruments=leaf_bytes(state, INSTRUMENT, instruments),
        assets=leaf_bytes(state, ASSET, range(int(totals.asset_count))),
        pools=leaf_bytes(state, POOL, range(int(totals.pool_count))),
        underlyings=leaf_bytes(state, UNDERLYING, underlyings),
        account_siblings=tuple(forest.siblings(ACCOUNTS, account_count, account_targets)),
        instrument_siblings=tuple(
            forest.siblings(INSTRUMENTS, instrument_count, instrument_targets)
        ),
        underlying_siblings=tuple(forest.siblings(UNDERLYINGS, underlying_count, underlyings)),
        withdrawal_siblings=tuple(
            forest.siblings(WITHDRAWALS, withdrawal_count, withdrawal_targets)
        ),
    )


def record_siblings(pairs: Sequence[tuple[bytes, bytes]], index: int) -> tuple[bytes, ...]:
    """Return the siblings of records ``index - 1`` and ``index`` in the batch's steps tree."""
    forest = Forest([STEPS_DEPTH], [len(pairs)])
    leaves = [step_record_hash(place, *pair) for place, pair in enumerate(pairs)]
    forest.put(0, range(len(leaves)), leaves)
    return tuple(forest.siblings(0, len(pairs), [index - 1, index] if index else [index]))


def _page_rows(engine: Engine, pages: Sequence[tuple[int, int]]) -> list[int]:
    """Return the rows of the pages that exist, of (account, number)."""
    accounts = cast(Any, engine.state.accounts)
    count = int(engine.totals.account_count)
    rows = [int(accounts[id].page_rows[number]) for id, number in pages if 0 <= id < count]
    return [row for row in rows if row >= 0]
