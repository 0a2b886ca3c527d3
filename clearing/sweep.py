"""Sweeps over all accounts after a price tick: who is below maintenance margin.

Reading only, and of a node's state only (row = id). The fractions are computed once an instrument
instead of once a position; the terms are the law's own, and so is the whole measurement of every
account that needs more than a sum over linear positions. Rows may be split over threads that each
have a workspace of their own (`with_workspace`).
"""

from typing import Any, cast

import numpy as np

from clearing.codes import Mode
from clearing.compiler import law, law_entry, law_inline
from clearing.layout import Rows, new_rows
from clearing.margin import NO_DRAFT, complete, measure
from clearing.prefetching import prefetch
from clearing.records import Account, Instrument, State
from clearing.valuation import initial_fraction_ppm, is_plain, position_terms, stable_reduction

ROWS_AHEAD = 2
HEADER_LINES = 2
POSITION_LINES = 9  # twelve positions, wherever in a line they begin
SPECIAL = -1  # the fraction of what is not plain: an account that holds it is measured whole


class MarketTerms:
    """What positions in one market are measured by, side by side: markets' rows lie far apart.

    Initial margin in ppm is SPECIAL where the market is not plain.
    """

    initial_ppm: int
    maintenance_ppm: int
    mark_price: int
    stable_price: int
    funding_high: int
    funding_low: int


@law_entry
def margin_sweep(
    state: State,
    first: int,
    stop: int,
    terms: Rows[MarketTerms],
    equity_micro: Rows[int],
    initial_micro: Rows[int],
    maintenance_micro: Rows[int],
) -> int:
    """Measure accounts `first .. stop`; return how many may be liquidated.

    Writes equity, initial and maintenance margin in micro-quote at each account's row.
    `terms` is working memory, one row an instrument. Raises ArithmeticError if a
    number leaves 64 bits.
    """
    for id in range(state.globals[0].instrument_count):
        prepare_terms(state, state.instruments[id], terms[id])
    failing = 0
    for row in range(first, stop):
        if row + ROWS_AHEAD < stop:
            prefetch(state.accounts[row + ROWS_AHEAD], HEADER_LINES)
            prefetch(state.accounts[row + ROWS_AHEAD].positions[0], POSITION_LINES)
        account = state.accounts[row]
        equity, initial, maintenance, done = sweep_account(state, account, terms)
        if not done:
            equity, initial, maintenance = measured_whole(state, account)
        equity_micro[row] = equity
        initial_micro[row] = initial
        maintenance_micro[row] = maintenance
        failing += 1 if equity < maintenance else 0
    return failing


@law
def prepare_terms(state: State, instrument: Instrument, terms: MarketTerms) -> None:
    """Write the terms of a market."""
    tier = state.params[0].tiers[instrument.tier]
    terms.initial_ppm = SPECIAL
    if is_plain(instrument):
        terms.initial_ppm = initial_fraction_ppm(
            tier, instrument.open_interest, instrument.mark_price
        )
    terms.maintenance_ppm = tier.maintenance_ppm
    terms.mark_price = instrument.mark_price
    terms.stable_price = instrument.stable_price
    terms.funding_high = instrument.funding_high
    terms.funding_low = instrument.funding_low


@law_inline
def sweep_account(
    state: State, account: Account, terms: Rows[MarketTerms]
) -> tuple[int, int, int, bool]:
    """Return (equity, initial, maintenance, True) from prepared fractions; False if they fail."""
    worth = 0
    cost = 0
    reduction = 0
    initial = 0
    maintenance = 0
    if account.mode == Mode.PORTFOLIO:
        return 0, 0, 0, False
    for i in range(account.position_count):
        position = account.positions[i]
        market = terms[position.instrument]
        if market.initial_ppm == SPECIAL:
            return 0, 0, 0, False
        part, initial_part, maintenance_part, _, fits = position_terms(
            position, market, market.initial_ppm, market.maintenance_ppm
        )
        if not fits:
            raise OverflowError
        worth += part
        cost += position.entry_cost
        reduction += stable_reduction(position.lots, market.mark_price, market.stable_price)
        initial += initial_part
        maintenance += maintenance_part
    equity, initial, valid = complete(state, account, worth, worth - cost, reduction, initial)
    if not valid:
        raise OverflowError
    return equity, initial, maintenance, True


@law
def measured_whole(state: State, account: Account) -> tuple[int, int, int]:
    """Return (equity, initial, maintenance) of any account by `measure`."""
    equity, initial, maintenance, _, valid = measure(state, account, NO_DRAFT)
    if not valid:
        raise OverflowError
    return equity, initial, maintenance


def with_workspace(state: State) -> State:
    """Return the same state with working memory of its own, for another thread's sweep."""
    return state._replace(workspace=cast(Any, np.zeros_like(cast(Any, state.workspace))))


def margins(state: State) -> tuple[Any, Any, Any, int]:
    """Return (equity, initial, maintenance) int64[accounts] in micro-quote, and how many fail."""
    totals = cast(Any, state.globals)[0]
    count = int(totals.account_count)
    columns = [np.zeros(count, np.int64) for _ in range(3)]
    terms = new_rows(MarketTerms, int(totals.instrument_count))
    failing = int(margin_sweep(state, 0, count, terms, *columns))
    return columns[0], columns[1], columns[2], failing
