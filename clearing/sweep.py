"""Sweeps over all accounts after a price tick: who is below maintenance margin.

Reading only, and of a node's state only (row = id); rows may be split over threads. The fractions
are computed once an instrument instead of once a position; the terms are the law's own.
"""

from typing import Any, cast

import numpy as np

from clearing._prefetch import prefetch
from clearing.compiler import law, law_entry
from clearing.layout import Rows
from clearing.margin import initial_fraction_ppm, position_terms
from clearing.records import Account, State

ROWS_AHEAD = 2
LINES_AHEAD = 10  # header and twelve positions


@law_entry
def margin_sweep(
    state: State,
    first: int,
    stop: int,
    fractions_ppm: Rows[int],
    equity_micro: Rows[int],
    initial_micro: Rows[int],
    maintenance_micro: Rows[int],
) -> int:
    """Measure accounts `first .. stop`; return how many may be liquidated.

    Writes equity, initial and maintenance margin in micro-quote at each account's row.
    `fractions_ppm` is working memory, one number an instrument. Raises ArithmeticError if a
    number leaves 64 bits.
    """
    for id in range(state.globals[0].instrument_count):
        instrument = state.instruments[id]
        tier = state.params[0].tiers[instrument.tier]
        fractions_ppm[id] = initial_fraction_ppm(
            tier, instrument.open_interest, instrument.mark_price
        )
    failing = 0
    for row in range(first, stop):
        if row + ROWS_AHEAD < stop:
            prefetch(state.accounts[row + ROWS_AHEAD], LINES_AHEAD)
        equity, initial, maintenance = sweep_account(state, state.accounts[row], fractions_ppm)
        equity_micro[row] = equity
        initial_micro[row] = initial
        maintenance_micro[row] = maintenance
        failing += 1 if equity < maintenance else 0
    return failing


@law
def sweep_account(state: State, account: Account, fractions_ppm: Rows[int]) -> tuple[int, int, int]:
    """Return (equity, initial, maintenance) of one account from prepared fractions."""
    equity = account.cash
    initial = 0
    maintenance = 0
    for i in range(account.position_count):
        position = account.positions[i]
        id = position.instrument
        instrument = state.instruments[id]
        worth, initial_part, maintenance_part, _, fits = position_terms(
            position,
            instrument,
            fractions_ppm[id],
            state.params[0].tiers[instrument.tier].maintenance_ppm,
        )
        if not fits:
            raise OverflowError
        equity += worth
        initial += initial_part
        maintenance += maintenance_part
    return equity, initial, maintenance


def margins(state: State) -> tuple[Any, Any, Any, int]:
    """Return (equity, initial, maintenance) int64[accounts] in micro-quote, and how many fail."""
    totals = cast(Any, state.globals)[0]
    count = int(totals.account_count)
    columns = [np.zeros(count, np.int64) for _ in range(3)]
    fractions = np.zeros(int(totals.instrument_count), np.int64)
    failing = int(margin_sweep(state, 0, count, fractions, *columns))
    return columns[0], columns[1], columns[2], failing
