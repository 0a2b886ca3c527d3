"""How far an account is from liquidation, and what moves it: for reads of one account."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, cast

import numpy as np

from clearing.codes import InstrumentStatus, Mode
from clearing.compiler import law, law_entry
from clearing.layout import Rows
from clearing.margin import measure
from clearing.marks import is_option
from clearing.records import State
from clearing.units import PPM, PRICE_MAX
from node.greeks import greeks_of, tail_of
from node.margins import margin_of
from node.v1 import node_pb2

VALUE_MAX = 1 << 58  # micro-quote of a position that is still measured: sums stay within 64 bits
_RATIO_MAX = (1 << 63) - 1


class Absence(IntEnum):
    """Why a position has no liquidation price; the numbers are those of the wire."""

    NONE = 0
    SAFE = 1
    OPTION = 2
    TIED = 3
    PORTFOLIO = 4
    SETTLING = 5
    OVERFLOW = 6


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
def absence_of(state: State, row: int, place: int) -> int:
    """Return why no single mark of the position's market tells when the account fails, or NONE.

    A price is told only where the mark is all that margin reads of the market, and a worse mark is
    never the better one.
    """
    account = state.accounts[row]
    market = state.instruments[account.positions[place].instrument]
    if market.status >= InstrumentStatus.SETTLING:
        return Absence.SETTLING
    if is_option(market):
        return Absence.OPTION
    for i in range(account.position_count):
        other = state.instruments[account.positions[i].instrument]
        if is_option(other) and other.underlying == market.underlying:
            return Absence.TIED
    if account.mode == Mode.PORTFOLIO and account.position_count > 1:
        return Absence.PORTFOLIO
    return Absence.NONE


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
def liquidation_prices(state: State, row: int, prices: Rows[int], absences: Rows[int]) -> None:
    """Set the liquidation price of each position of the account in `row`, 0 and why without one."""
    for place in range(state.accounts[row].position_count):
        absences[place] = absence_of(state, row, place)
        if absences[place] == Absence.NONE:
            prices[place] = liquidation_price(state, row, place)
            if prices[place] == 0:
                absences[place] = Absence.SAFE


def risk_message(state: State, row: int) -> Any:
    """Return how far the account in `row` is from what it may not do, and what moves it."""
    account, margin = cast(Any, state.accounts)[row], margin_of(state, row)
    count = int(account.position_count)
    prices, absences = np.zeros((2, max(count, 1)), np.int64)
    try:
        liquidation_prices(state, row, cast(Any, prices), cast(Any, absences))
    except ArithmeticError:
        # No mark can be named.
        prices.fill(0)
        absences.fill(Absence.OVERFLOW)
    message = node_pb2.AccountRisk(free_collateral_micro=margin.equity - margin.initial)
    if margin.maintenance:
        ratio = margin.equity * PPM // margin.maintenance
        if abs(ratio) <= _RATIO_MAX:
            message.margin_ratio_ppm = ratio
    for place in range(count):
        entry = message.liquidation_prices.add(instrument=int(account.positions[place].instrument))
        if prices[place]:
            entry.price_micro = int(prices[place])
        entry.absence = cast(Any, int(absences[place]))
    for each in greeks_of(state, row):
        message.greeks.add(
            underlying=each.underlying,
            delta_micro=each.delta,
            gamma_micro=each.gamma,
            vega_micro=each.vega,
            theta_micro=each.theta,
        )
    tail = tail_of(state, row)
    if tail is not None:
        message.tail.CopyFrom(
            node_pb2.ScenarioTail(
                scenarios=tail.scenarios,
                losses=tail.losses,
                value_at_risk_micro=tail.value_at_risk,
                expected_shortfall_micro=tail.expected_shortfall,
            )
        )
    return message
