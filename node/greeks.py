"""What an account stands to gain and to lose: reported, and no margin by themselves.

Its Greeks in any mode, and of a portfolio the tail of its losses over the historical scenarios that
its underlyings share: Value at Risk and Expected Shortfall. All in micro-quote.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np

from clearing.charges import LINEAR, scaled
from clearing.codes import Mode
from clearing.compiler import law, law_entry
from clearing.greeks import GREEK_MAX, GREEKS, state_greeks
from clearing.grid import CENTRE, POINTS
from clearing.layout import Rows
from clearing.margin import NO_DRAFT
from clearing.portfolio import TAIL_MAX, expected_shortfall, portfolio_risk
from clearing.portfolio_account import GUARD, KEYS, PLACE_BITS, arrange, desk_of, gather
from clearing.records import State
from clearing.units import PPM, UNDERLYINGS_MAX
from clearing.wide import mul_div_floor, multiply

DAY_MS = 86_400_000
_SCENARIOS, _TAIL, _VALUE_AT_RISK, _SHORTFALL = range(4)


class Greeks(NamedTuple):
    """Sensitivities of an account to one underlying, micro-quote, within +-``GREEK_MAX``.

    Delta is the gain when the price rises by 1 %, gamma by how much delta rises then, vega the gain
    when volatility rises by 1 % of itself (``clearing.greeks``). Theta is the gain when a day
    passes and forwards and volatility stay; see ``decay``.
    """

    underlying: int
    delta: int
    gamma: int
    vega: int
    theta: int


class Tail(NamedTuple):
    """The ``losses`` largest losses of a portfolio over ``scenarios``, micro-quote.

    Value at Risk is the smallest of them (below zero if even that is a gain), Expected Shortfall
    their mean, rounded up and not below zero.
    """

    scenarios: int
    losses: int
    value_at_risk: int
    expected_shortfall: int


@law
def decay(lots: int, higher: int, lower: int, span_ppm: int, left_ms: int) -> int:
    """Return what lots of an option gain when a day passes, rounded down, within +-GREEK_MAX.

    Its value at given forward and discount depends on volatility and time only through
    volatility^2 * time, so a share of the time left is worth half that share of volatility, which
    the row prices: ``higher`` and ``lower`` are its values ``span_ppm`` of volatility apart. To
    first order; of what is left if that is less than a day.
    """
    gain, gain_fits = multiply(lots, lower - higher)
    whole, whole_fits = mul_div_floor(gain, PPM, span_ppm)
    if not (gain_fits and whole_fits):
        return GREEK_MAX if (lots > 0) == (lower > higher) else -GREEK_MAX
    passed, _ = mul_div_floor(whole, DAY_MS, 2 * max(left_ms, DAY_MS))
    return max(-GREEK_MAX, min(passed, GREEK_MAX))


@law_entry
def greek_numbers(state: State, row: int, found: Rows[int], thetas: Rows[int]) -> int:
    """Write GREEKS numbers and theta of each underlying of the account in `row`; return how many.

    A row too old to be trusted tells nothing of volatility, hence of time.
    """
    account = state.accounts[row]
    groups = state_greeks(state, account, found)
    if groups == 0:
        return 0
    desk = desk_of(state.workspace)
    # The rows are on the desk already; this counts the positions that they belong to.
    count, _, _, _, _, _ = gather(state, account, NO_DRAFT, desk)
    for group in range(groups):
        thetas[group] = 0
    for k in range(count):
        if desk.book.expiry[k] != LINEAR:
            group = desk.book.underlying[k]
            underlying = state.underlyings[desk.groups[group]]
            series = underlying.series[(desk.order[k] >> PLACE_BITS) % KEYS - 1]
            risk = desk.book.rows[k]
            gain = decay(
                desk.book.lots[k],
                risk[CENTRE + 1],
                risk[CENTRE - 1],
                underlying.volatility_up_ppm - underlying.volatility_down_ppm,
                series.expiry - state.globals[0].clock,
            )
            thetas[group] = max(-GREEK_MAX, min(thetas[group] + gain, GREEK_MAX))
    return groups


def greeks_of(state: State, row: int) -> list[Greeks]:
    """Return the sensitivities of the account in `row`, one for each underlying that it holds."""
    found = np.zeros(GREEKS * UNDERLYINGS_MAX, np.int64)
    thetas = np.zeros(UNDERLYINGS_MAX, np.int64)
    count = int(greek_numbers(state, row, cast(Any, found), cast(Any, thetas)))
    numbers = found.reshape(UNDERLYINGS_MAX, GREEKS)[:count].tolist()
    return [Greeks._make([*numbers[group], thetas[group].item()]) for group in range(count)]


@law_entry
def tail_numbers(state: State, row: int, out: Rows[int]) -> bool:
    """Set out[0..3] to the fields of a `Tail`; return whether the account in `row` has one."""
    account = state.accounts[row]
    if account.mode != Mode.PORTFOLIO:
        return False
    desk = desk_of(state.workspace)
    count, _, _, _, _, valid = gather(state, account, NO_DRAFT, desk)
    if not valid or count == 0:
        return False
    scenarios, partial, _, _ = arrange(state, account, desk, count)
    if partial or scenarios == 0:
        return False
    tail = max(1, min(state.params[0].shortfall_count, TAIL_MAX, scenarios))
    _, total, edge, shift = portfolio_risk(
        desk.space, desk.book, desk.terms, count, POINTS, scenarios, tail, GUARD
    )
    out[_SCENARIOS] = scenarios
    out[_TAIL] = tail
    out[_VALUE_AT_RISK] = scaled(edge, shift)
    out[_SHORTFALL] = scaled(expected_shortfall(total, tail), shift)
    return True


def tail_of(state: State, row: int) -> Tail | None:
    """Return the tail of the account in `row`; None unless it is a portfolio with scenarios.

    None also while scenarios are being written: the law then measures by two bounds instead.
    """
    out = np.zeros(4, np.int64)
    if not tail_numbers(state, row, cast(Any, out)):
        return None
    return Tail(*out.tolist())
