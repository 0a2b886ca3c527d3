"""The court beside the law: every step that a test takes is taken again on its witness alone.

The leaves that the step reads are copied out before it, the law runs on them as the court runs it,
and what comes out must be what the whole state has become, leaf by leaf; whatever the witness does
not hold must not have changed. So each action and each rejection that any test shows is one that
the court can judge.
"""

from typing import Any

import numpy as np

from clearing.codes import Tag
from clearing.keccak import pieces, tagged_hash, to_bytes
from clearing.leaves import GLOBALS_PIECES, encode_globals
from verifier.read_set import accounts_read, instruments_read, names_of, underlyings_read
from verifier.witness_leaves import (
    ACCOUNT,
    ASSET,
    FUND,
    INSTRUMENT,
    PAGE,
    PARAMS,
    POOL,
    UNDERLYING,
    WitnessLeaves,
    leaf_bytes,
)
from verifier.witness_state import WitnessState

# Kind of leaf, rows of the state, and the count in the globals.
TABLES = (
    (ACCOUNT, "accounts", "account_count"),
    (INSTRUMENT, "instruments", "instrument_count"),
    (UNDERLYING, "underlyings", "underlying_count"),
    (FUND, "funds", "fund_count"),
    (ASSET, "assets", "asset_count"),
    (POOL, "pools", "pool_count"),
)
ROWS = {kind: name for kind, name, _ in TABLES}


class Witness:
    """What the court would be given of the step over `columns`, taken from the state before it."""

    def __init__(self, state: Any, columns: Any) -> None:
        self.state = state
        self.columns = columns
        hash_pages(state)
        self.before = {name: every_leaf(state, kind, count) for kind, name, count in TABLES}
        self.court = WitnessState(self.leaves())
        self.court.check_read_set(self.names)

    def leaves(self) -> WitnessLeaves:
        state, totals = self.state, self.state.globals[0]
        self.names = names_of(self.columns, 0, self.columns.action_count)
        pools = state.pools[: int(totals.pool_count)]
        named = instruments_read(self.names, int(totals.instrument_count), ())
        named = state.instruments[named]
        full, accounts = accounts_read(self.names, int(totals.account_count), pools, named)
        valued = state.accounts[full]
        instruments = instruments_read(self.names, int(totals.instrument_count), valued)
        markets = state.instruments[instruments]
        count = int(totals.underlying_count)
        underlyings = underlyings_read(self.names, count, valued, markets)
        self.ids = {"accounts": accounts, "instruments": instruments, "underlyings": underlyings}
        rows = [
            int(state.accounts[id].page_rows[number])
            for id, number in sorted(self.names.pages)
            if id in accounts and int(state.accounts[id].page_mask) >> number & 1
        ]
        return WitnessLeaves(
            globals=globals_leaf(state),
            params=leaf_bytes(state, PARAMS, [0])[0],
            funds=self.before["funds"],
            accounts=leaf_bytes(state, ACCOUNT, accounts),
            pages=leaf_bytes(state, PAGE, rows),
            instruments=leaf_bytes(state, INSTRUMENT, instruments),
            assets=self.before["assets"],
            pools=self.before["pools"],
            underlyings=leaf_bytes(state, UNDERLYING, underlyings),
        )

    def judge(self, time: int) -> None:
        """Run the step in court, and compare with what the whole state is now."""
        self.court.run(self.columns, time)
        theirs = self.court.state
        hash_pages(self.state)
        hash_pages(theirs)
        assert globals_leaf(theirs) == globals_leaf(self.state)
        assert leaf_bytes(theirs, PARAMS, [0]) == leaf_bytes(self.state, PARAMS, [0])
        for kind, name, count in TABLES:
            ours = every_leaf(self.state, kind, count)
            expected = [*ours]
            for id, leaf in enumerate(self.before[name]):
                expected[id] = leaf
            ids = self.ids.get(name, range(len(self.before[name])))
            opened = range(len(self.before[name]), len(ours))
            rows = leaf_bytes(theirs, kind, range(len(ids) + len(opened)))
            for id, leaf in zip([*ids, *opened], rows, strict=True):
                expected[id] = leaf
            assert [id for id, leaf in enumerate(ours) if leaf != expected[id]] == [], name


def every_leaf(state: Any, kind: int, count: str) -> tuple[bytes, ...]:
    # A test may claim that a tree is full without filling it.
    rows = min(int(state.globals[0][count]), getattr(state, ROWS[kind]).shape[0])
    return leaf_bytes(state, kind, range(rows))


def globals_leaf(state: Any) -> bytes:
    row = np.zeros(GLOBALS_PIECES, np.int64)
    encode_globals(state.globals[0], row)
    return to_bytes(row)


def hash_pages(state: Any) -> None:
    """Refresh the digests of all fill pages whose slots are known, as a commit would."""
    rows = [i for i in range(int(state.scratch[0].page_count)) if state.pages[i].known]
    for i, leaf in zip(rows, leaf_bytes(state, PAGE, rows), strict=True):
        state.pages[i].digest = pieces(tagged_hash(Tag.PAGE, leaf))
