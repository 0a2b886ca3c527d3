"""What a batch may change, found from its names and kept small enough to hold hundreds of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clearing.codes import Kind
from clearing.compiler import kernel_entry
from clearing.decode import Columns
from clearing.forms import LISTS
from clearing.layout import dtype_of, pieces_of
from clearing.records import ACCOUNT, Position
from clearing.units import PAGE_SLOTS, SLOTS_MAX
from prover.tree import Pieces
from verifier.read_set import listed

ROW_PIECES = ACCOUNT.itemsize // 8
POSITION_PIECES = dtype_of(Position).itemsize // 8
COUNT_PIECE = cast(Any, ACCOUNT.fields)["position_count"][1] // 8
POSITIONS_PIECE = cast(Any, ACCOUNT.fields)["positions"][1] // 8


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a batch may change, as it was before. Made by ``Engine.checkpoint``.

    ``accounts`` int64[n] holds the rows of ``account_ids`` without their unused positions; ``rows``
    the pages of ``page_rows`` and the small arrays whole; ``leaves`` the hashes by tree: of these
    accounts, and of all instruments, funds, underlyings, assets and pools, int64[:, 4] each.
    """

    root: bytes
    account_ids: Pieces
    accounts: Pieces
    page_rows: Pieces
    rows: dict[str, Any]
    leaves: dict[int, Pieces]


def named_accounts(columns: Columns, count: int, pools: Any) -> Pieces:
    """Return the sorted ids below ``count`` of the accounts that any action names or pools own."""
    actions = cast(Any, columns.actions)[: columns.action_count]
    swept = [listed(action, columns.payload) for action in actions[np.isin(actions["kind"], LISTS)]]
    named = np.concatenate(
        [
            pools["account"],
            pools["sleeve"],
            *swept,
            actions["account"],
            actions["counterparty"],
            actions["maker"]["account"],
            actions["taker"]["account"],
        ]
    )
    distinct = np.unique(named)
    return np.ascontiguousarray(distinct[(distinct >= 0) & (distinct < count)])


def named_pages(columns: Columns, accounts: Any, count: int) -> Pieces:
    """Return the sorted rows of the existing fill pages that any order or cancel names."""
    actions = cast(Any, columns.actions)[: columns.action_count]
    trades = actions[actions["kind"] == Kind.TRADE]
    cancels = actions[(actions["kind"] == Kind.CANCEL) & (actions["slot"] < SLOTS_MAX)]
    owners = [trades["maker"]["account"], trades["taker"]["account"], cancels["account"]]
    slots = [trades["maker"]["slot"], trades["taker"]["slot"], cancels["slot"]]
    owner, slot = np.concatenate(owners), np.concatenate(slots)
    known = (owner >= 0) & (owner < count)
    rows = accounts["page_rows"][owner[known], slot[known] // PAGE_SLOTS]
    return np.ascontiguousarray(np.unique(rows[rows >= 0]))


def pack_accounts(accounts: Any, ids: Pieces) -> Pieces:
    """Return the rows of ``ids`` without their unused positions, one behind the other."""
    positions = int(accounts["position_count"][ids].sum())
    packed = np.zeros(POSITIONS_PIECE * ids.shape[0] + POSITION_PIECES * positions, np.int64)
    pack_rows(pieces_of(accounts), ids, packed)
    return packed


def unpack_accounts(accounts: Any, ids: Pieces, packed: Pieces) -> None:
    """Write back what ``pack_accounts`` returned for ``ids``; other positions become zero."""
    unpack_rows(pieces_of(accounts), ids, packed)


@kernel_entry
def pack_rows(table: Pieces, ids: Pieces, packed: Pieces) -> None:
    """Copy rows of ``table`` int64[:, ROW_PIECES] into ``packed``."""
    place = 0
    for id in ids:
        used = POSITIONS_PIECE + POSITION_PIECES * table[id, COUNT_PIECE]
        for piece in range(used):
            packed[place + piece] = table[id, piece]
        place += used


@kernel_entry
def unpack_rows(table: Pieces, ids: Pieces, packed: Pieces) -> None:
    """Inverse of ``pack_rows``."""
    place = 0
    for id in ids:
        used = POSITIONS_PIECE + POSITION_PIECES * packed[place + COUNT_PIECE]
        for piece in range(used):
            table[id, piece] = packed[place + piece]
        for piece in range(used, ROW_PIECES):
            table[id, piece] = 0
        place += used
