"""The law's own margin arithmetic, callable for one account: for reads, not for the hot path."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np

from clearing.compiler import law_entry
from clearing.layout import Rows, new_rows
from clearing.lookup import lots_of
from clearing.margin import NO_DRAFT, grows, is_legal, measure
from clearing.marks import mark_price
from clearing.orders import fee_micro
from clearing.positions import move_lots, pending_funding
from clearing.records import Account, State
from clearing.wide import mul_div_floor, multiply

Pieces = np.ndarray[Any, np.dtype[np.int64]]

FILLS_MAX = 64
_VALID, _EQUITY, _INITIAL, _MAINTENANCE, _GROSS = range(5)


class Margin(NamedTuple):
    """Margin of an account in micro-quote at mark prices, pending funding counted.

    Not valid when a number leaves 64 bits; the others are zero then.
    """

    equity: int
    initial: int
    maintenance: int
    notional: int
    valid: bool


class WhatIf(NamedTuple):
    """Margin before and after some fills; `possible` is False when they do not fit the account."""

    before: Margin
    after: Margin
    legal: bool
    possible: bool


@law_entry
def measure_row(state: State, row: int, out: Rows[int]) -> None:
    """Measure the account in `row`: out[0..4] = valid, equity, initial, maintenance, notional."""
    equity, initial, maintenance, gross, valid = measure(state, state.accounts[row], NO_DRAFT)
    out[0] = 1 if valid else 0
    out[1] = equity
    out[2] = initial
    out[3] = maintenance
    out[4] = gross


@law_entry
def position_numbers(state: State, row: int, values: Rows[int], owed: Rows[int]) -> None:
    """Set value and pending funding (what it owes) of each position of the account in `row`."""
    account = state.accounts[row]
    for i in range(account.position_count):
        position = account.positions[i]
        instrument = state.instruments[position.instrument]
        value, _ = multiply(position.lots, mark_price(state, instrument))
        due, _ = pending_funding(position, instrument)
        values[i] = value
        owed[i] = due


@law_entry
def try_fills(
    state: State,
    row: int,
    instruments: Rows[int],
    lots: Rows[int],
    prices: Rows[int],
    fees: Rows[int],
    drafts: Rows[Account],
    out: Rows[int],
) -> bool:
    """Make the fills on a copy of the account; return whether they fit it.

    out[0..4] as `measure_row`, of the copy; out[5] = whether the change is a legal transition.
    Open interest, and with it the scaling of initial margin, stays as it is.
    """
    before = state.accounts[row]
    drafts[0] = before
    account = drafts[0]
    grown = False
    for k in range(lots.shape[0]):
        state.instrument_drafts[0] = state.instruments[instruments[k]]
        value, fits = mul_div_floor(abs(lots[k]), prices[k], 1)
        if not fits or not move_lots(account, state.instrument_drafts[0], lots[k], prices[k]):
            return False
        account.cash -= fee_micro(value, fees[k])
    for k in range(lots.shape[0]):
        held = lots_of(before, instruments[k])
        grown = grown or grows(held, lots_of(account, instruments[k]))
    equity, initial, maintenance, gross, valid = measure(state, account, NO_DRAFT)
    old_equity, old_initial, old_maintenance, _, old_valid = measure(state, before, NO_DRAFT)
    out[0] = 1 if valid else 0
    out[1] = equity
    out[2] = initial
    out[3] = maintenance
    out[4] = gross
    legal = is_legal(
        account.mode,
        grown,
        (old_equity, old_initial, old_maintenance),
        (equity, initial, maintenance),
    )
    out[5] = 1 if valid and old_valid and legal else 0
    return True


def margin_of(state: State, row: int) -> Margin:
    """Return the margin of the account in `row`."""
    out = np.zeros(5, np.int64)
    measure_row(state, row, cast(Any, out))
    return _margin(out)


def what_if(state: State, row: int, fills: Pieces) -> WhatIf:
    """Return the margin with `fills` int64[n, 4] made: instrument, signed lots, price, fee ppm.

    Instruments have to exist; |lots| * price of each and their sums may not: `possible` tells.
    """
    out = np.zeros(6, np.int64)
    columns = [np.ascontiguousarray(fills[:, column]) for column in range(4)]
    try:
        possible = bool(cast(Any, try_fills)(state, row, *columns, new_rows(Account, 1), out))
    except ArithmeticError:
        # The law would end such a trade as INVARIANT; here it is only a question.
        possible = False
    before = margin_of(state, row)
    if not possible:
        return WhatIf(before, Margin(0, 0, 0, 0, False), False, False)
    return WhatIf(before, _margin(out), bool(out[5]), True)


def _margin(out: Pieces) -> Margin:
    return Margin(
        int(out[_EQUITY]),
        int(out[_INITIAL]),
        int(out[_MAINTENANCE]),
        int(out[_GROSS]),
        bool(out[_VALID]),
    )
