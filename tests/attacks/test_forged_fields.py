"""Whatever a step changes beyond the law is provable: each field of each record, one at a time."""

import random
from typing import Any

import numpy as np
import pytest

from clearing.keccak import pieces
from clearing.layout import pieces_of
from clearing.records import (
    ACCOUNT,
    ASSET,
    FUND,
    GLOBALS,
    INSTRUMENT,
    PAGE,
    PARAMS,
    UNDERLYING,
    WITHDRAWAL,
)
from prover.forge import BatchForge
from tests.attacks.arena import Arena
from verifier.batch import SUB_ROOTS, Opening, Pair

RECORDS = {
    "globals": GLOBALS,
    "params": PARAMS,
    "accounts": ACCOUNT,
    "pages": PAGE,
    "instruments": INSTRUMENT,
    "funds": FUND,
    "withdrawals": WITHDRAWAL,
    "underlyings": UNDERLYING,
    "assets": ASSET,
}
# Row numbers, marks and hashes that the trees are made of: no leaf holds them as they stand.
NOT_IN_A_LEAF = {"page_rows", "known", "digest", "withdrawals_root", "cells"}
# What this arena's accounts and markets have none of: no leaf names it then.
NONE_HERE = {
    "accounts": {
        "collaterals",
        "keys",
        "call_instrument",
        "call_level",
        "call_before",
        "call_filled",
        "call_margin",
        "call_opened",
        "call_until",
    },
    "instruments": {
        "rows",
        "phase",
        "deadline",
        "bankrupt",
        "total",
        "weight",
        "running",
        "cursor",
        "side",
        "price",
        "counted",
        "spare",
        "chunks",
    },
}
# Counts say how long a leaf or a tree is: a forger's own engine cannot build what they would claim.
SHAPES = {
    "account_count",
    "instrument_count",
    "fund_count",
    "withdrawal_count",
    "asset_count",
    "tier_count",
    "publisher_count",
    "pool_count",
    "underlying_count",
    "collateral_count",
    "key_count",
    "position_count",
    "page_mask",
}


def fields_of(dtype: Any, base: int = 0, name: str = "") -> list[tuple[str, int]]:
    """(dotted name, piece) of every int64 of a record, in order."""
    if dtype.subdtype is not None:
        item, (length,) = dtype.subdtype
        size = item.itemsize // 8
        return [
            field
            for i in range(length)
            for field in fields_of(item, base + i * size, f"{name}[{i}]")
        ]
    if dtype.names is None:
        return [(name, base)]
    found = []
    for part in dtype.names:
        kind, offset = dtype.fields[part][:2]
        found += fields_of(kind, base + offset // 8, f"{name}.{part}" if name else part)
    return found


def is_visible(record: str, name: str) -> bool:
    """Whether the leaves of this arena's state hold the field, and hold it as it stands."""
    head = name.split(".")[0].split("[")[0]
    last = name.split(".")[-1].split("[")[0]
    if head in NOT_IN_A_LEAF or last in SHAPES or (record == "pages" and head in ("account",)):
        return False
    if record == "params" and head == "publishers":
        return name.startswith(("publishers[0]", "publishers[1]"))
    if record == "params" and head == "tiers":
        return name.startswith("tiers[0]")
    if head in NONE_HERE.get(record, ()):
        return False
    if record == "accounts" and head == "positions":
        return name.startswith("positions[0]")
    return True


FIELDS = [
    (record, name, piece)
    for record, dtype in RECORDS.items()
    for name, piece in fields_of(dtype)
    if is_visible(record, name)
]


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena()


def flip(record: str, row: int, piece: int, bit: int) -> Any:
    def mutate(state: Any) -> None:
        pieces_of(getattr(state, record))[row, piece] ^= np.int64(1 << bit)

    return mutate


@pytest.mark.parametrize("record", RECORDS)
def test_a_step_that_also_changes_any_field_of_any_record_is_fraud(
    arena: Arena, record: str
) -> None:
    chance = random.Random(record)
    for _, name, piece in [field for field in FIELDS if field[0] == record]:
        # Account 2 holds positions; its page, fund, market and withdrawal exist as well.
        row = 0 if record in ("globals", "params", "underlyings", "assets") else 2
        bit = chance.randrange(8)
        forge = arena.fresh()
        forge.honest([arena.market.trade(0, 1)], arena.time)
        actions = chance.choice([[arena.market.trade(1, 2)], [], [arena.market.withdraw(3)]])
        forge.forged(actions, arena.time, mutate=flip(record, row, piece, bit))
        try:
            arena.convict(forge, 1)
        except AssertionError as error:
            raise AssertionError(f"{record}.{name} bit {bit} after {len(actions)}") from error


def test_the_same_steps_without_the_change_are_no_fraud(arena: Arena) -> None:
    for actions in ([arena.market.trade(1, 2)], [], [arena.market.withdraw(3)]):
        forge = arena.fresh()
        forge.honest([arena.market.trade(0, 1)], arena.time)
        forge.forged(actions, arena.time, mutate=lambda state: None)
        arena.acquit(forge)


def forge_root(forge: BatchForge, opening: Opening) -> None:
    """Let the last step claim the root that the opening has."""
    forge.pairs[-1] = Pair(forge.pairs[-1].step_hash, opening.state_root())


@pytest.mark.parametrize("name", SUB_ROOTS)
def test_any_other_sub_root_reserved_or_not_is_fraud(arena: Arena, name: str) -> None:
    for actions in ([], [arena.market.trade(1, 2)], [arena.deposit(6)]):
        forge = arena.fresh()
        forge.forged(actions, arena.time)
        honest = arena.engine.opening()
        roots = list(honest.sub_roots)
        place = SUB_ROOTS.index(name)
        for other in (b"\x01" * 32, bytes(32), arena.replica.engine.opening().sub_roots[place]):
            if other == honest.sub_roots[place]:
                continue
            roots[place] = other
            forge_root(forge, Opening(honest.globals_leaf, tuple(roots)))
            arena.convict(forge, 0)


@pytest.mark.parametrize("piece", range(40))
def test_any_other_piece_of_the_globals_leaf_is_fraud(arena: Arena, piece: int) -> None:
    for actions in ([], [arena.market.withdraw(2)], [arena.deposit(6)]):
        forge = arena.fresh()
        forge.forged(actions, arena.time)
        honest = arena.engine.opening()
        words = pieces(honest.globals_leaf)
        for value in (int(words[piece]) + 1, 0, -1, 1 << 62):
            changed = words.copy()
            changed[piece] = value
            leaf = changed.astype(">i8").tobytes()
            if leaf == honest.globals_leaf:
                continue
            forge_root(forge, Opening(leaf, honest.sub_roots))
            arena.convict(forge, 0)
