"""How far an account is from liquidation, by the law's own measure: for reads of one account."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from clearing.compiler import law, law_entry
from clearing.layout import Rows
from clearing.margin import measure
from clearing.records import State
from clearing.units import PPM, PRICE_MAX
from node.margins import margin_of
from node.v1 import node_pb2

VALUE_MAX = 1 << 58  # micro-quote of a position that is still measured: sums stay within 64 bits
_RATIO_MAX = (1 << 63) - 1


@law
def fails_at(state: State, row: int, place: int, mark: int) -> bool:
    """Tell whether equity is below maintenance if the market of position `place` is at `mark`."""
    account = state.accounts[row]
    id = account.positions[place].instrument
    state.instrument_drafts[0] = state.instruments[id]
    state.instrument_drafts[0].mark_price = mark
    equity, _, maintenance, _, valid = measure(state, account, 1)
    return valid and equity < maintenance


@law
def liquidation_price(state: State, row: int, place: int) -> int:
    """Return the mark nearest to safety at which the account fails, 0 if there is none.

    Equity less maintenance rises with the mark of a long and falls with that of a short, so the
    highest (lowest) failing mark within 1 .. PRICE_MAX is found by halving.
    """
    lots = state.accounts[row].positions[place].lots
    worst = 1
    best = min(PRICE_MAX, VALUE_MAX // abs(lots))
    if lots < 0:
        worst, best = best, worst
    if not fails_at(state, row, place, worst):
        return 0
    if fails_at(state, row, place, best):
        return best
    while abs(best - worst) > 1:
        middle = (best + worst) // 2
        if fails_at(state, row, place, middle):
            worst = middle
        else:
            best = middle
    return worst


@law_entry
def liquidation_prices(state: State, row: int, prices: Rows[int]) -> None:
    """Set the liquidation price of each position of the account in `row`, 0 where there is none."""
    for place in range(state.accounts[row].position_count):
        prices[place] = liquidation_price(state, row, place)


def risk_message(state: State, row: int) -> Any:
    """Return how far the account in `row` is from what it may not do."""
    account, margin = cast(Any, state.accounts)[row], margin_of(state, row)
    count = int(account.position_count)
    prices = np.zeros(max(count, 1), np.int64)
    try:
        liquidation_prices(state, row, cast(Any, prices))
    except ArithmeticError:
        # Numbers beyond 64 bits: no mark can be named.
        prices.fill(0)
    message = node_pb2.AccountRisk(free_collateral_micro=margin.equity - margin.initial)
    if margin.maintenance:
        ratio = margin.equity * PPM // margin.maintenance
        if abs(ratio) <= _RATIO_MAX:
            message.margin_ratio_ppm = ratio
    for place in range(count):
        entry = message.liquidation_prices.add(instrument=int(account.positions[place].instrument))
        if prices[place]:
            entry.price_micro = int(prices[place])
    return message
