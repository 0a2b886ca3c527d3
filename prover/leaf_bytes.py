"""Leaves of chosen rows as bytes: what witnesses and proofs are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clearing.account_leaves import encode_account, encode_page
from clearing.compiler import kernel_entry
from clearing.keccak import to_bytes
from clearing.leaves import (
    ASSET_FIELDS,
    POOL_FIELDS,
    UNDERLYING_FIELDS,
    UNDERLYING_PIECES,
    encode_fields,
    encode_fund,
    encode_instrument,
    encode_params,
    encode_withdrawal,
)
from clearing.records import State
from prover.tree import Pieces

PARAMS, FUND, ACCOUNT, PAGE, INSTRUMENT, WITHDRAWAL, ASSET, POOL, UNDERLYING = range(9)


def leaf_bytes(state: State, kind: int, rows: Sequence[int]) -> tuple[bytes, ...]:
    """Return the leaves of these rows of one kind; ``rows`` are row numbers, not ids."""
    encoded = np.zeros((len(rows), UNDERLYING_PIECES), np.int64)
    lengths = np.zeros(len(rows), np.int64)
    encode_rows(state, kind, np.array(rows, np.int64), encoded, lengths)
    return tuple(to_bytes(encoded[i, : lengths[i]]) for i in range(len(rows)))


@kernel_entry
def encode_rows(state: State, kind: int, rows: Pieces, encoded: Any, lengths: Pieces) -> None:
    """Write leaf ``rows[i]`` of the kind into ``encoded[i]`` and its length into ``lengths[i]``.

    ``encoded`` is int64[n, UNDERLYING_PIECES]: no leaf is longer than an underlying's.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        if kind == PARAMS:
            lengths[i] = encode_params(
                state.params_pieces[row],
                state.params[row].tier_count,
                state.params[row].publisher_count,
                encoded[i],
            )
        elif kind == ASSET:
            lengths[i] = encode_fields(state.asset_pieces[row], ASSET_FIELDS, encoded[i])
        elif kind == POOL:
            lengths[i] = encode_fields(state.pool_pieces[row], POOL_FIELDS, encoded[i])
        elif kind == UNDERLYING:
            lengths[i] = encode_fields(state.underlying_pieces[row], UNDERLYING_FIELDS, encoded[i])
        elif kind == FUND:
            lengths[i] = encode_fund(state.funds[row], encoded[i])
        elif kind == ACCOUNT:
            lengths[i] = encode_account(state.accounts[row], state.pages, encoded[i])
        elif kind == PAGE:
            lengths[i] = encode_page(state.pages[row], encoded[i])
        elif kind == INSTRUMENT:
            lengths[i] = encode_instrument(state.instruments[row], encoded[i])
        else:
            lengths[i] = encode_withdrawal(state.withdrawals[row], encoded[i])
