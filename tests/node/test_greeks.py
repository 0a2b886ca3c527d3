"""Greeks and the tail of scenarios: theta against the model of options, losses against a twin."""

from math import ceil
from typing import Any

import pytest

from clearing.codes import InstrumentKind, InstrumentStatus, Mode
from clearing.greeks import GREEK_MAX
from clearing.grid_preset import LEVELS, VOLATILITY_DOWN_PPM, VOLATILITY_UP_PPM
from clearing.units import LOTS_MAX, PPM
from node.account_risk import risk_message
from node.greeks import DAY_MS, Tail, decay, greeks_of, tail_of
from risk.black76 import greeks, price
from tests.clearing.law.margin_twin import (
    EXPIRIES,
    book_state,
    future,
    hold,
    losses_of,
    option,
    perpetual,
    set_scenarios,
    vector_of,
)
from tests.support.world import START_MS

INDEX = 60_000_000
CALL, PUT = InstrumentKind.CALL, InstrumentKind.PUT
# 0 perpetual, 1 future, 2 call and 3 put at the money, 4 call above, 5 put of later; 6, 7 others
MARKETS = (
    perpetual(INDEX),
    future(INDEX),
    option(CALL, INDEX),
    option(PUT, INDEX),
    option(CALL, INDEX * 11 // 10),
    option(PUT, INDEX, series=1),
    perpetual(INDEX // 20, 1),
    option(CALL, INDEX // 20, 1),
)
INDICES = (INDEX, INDEX // 20)
SHOCKS = ((-100_000, 200_000), (50_000, -50_000), (-400_000, 500_000), (20_000, 0), (0, 300_000))
OTHER = ((-300_000, 0), (90_000, 10_000), (-20_000, 0), (400_000, 0), (10_000, -90_000))
VOLATILITY = 0.6
YEAR_MS = 365 * DAY_MS
LATTICE = [(p, v) for p in LEVELS for v in (VOLATILITY_DOWN_PPM, 0, VOLATILITY_UP_PPM)]


def years_of(series):
    return (EXPIRIES[series] - START_MS) / YEAR_MS


def value(market, shock=(0, 0)):
    """What the model says that a lot of an option is worth after a shock."""
    forward, volatility = INDEX * (1 + shock[0] / PPM), VOLATILITY * (1 + shock[1] / PPM)
    years, is_call = years_of(market["series"]), market["kind"] == CALL
    return float(price(forward, market["strike"], years, volatility, 1.0, is_call))


def theta_of(market):
    """What the model says that a lot gains in a day."""
    years, is_call = years_of(market["series"]), market["kind"] == CALL
    found = greeks(INDEX, market["strike"], years, VOLATILITY, 1.0, is_call)
    return float(found.theta) / 365


@pytest.fixture
def state():
    """Rows of all options are those of the model."""
    made: Any = book_state(MARKETS, INDICES, scenarios=(SHOCKS, OTHER))
    for id, market in enumerate(MARKETS):
        if market["kind"] in (CALL, PUT) and market["underlying"] == 0:
            row = made.instruments[id].rows[1].values
            row[: len(LATTICE)] = [round(value(market, shock)) for shock in LATTICE]
    return made


@pytest.mark.parametrize("lots", [1, 1_000, -1_000])
@pytest.mark.parametrize(("id", "off"), [(2, 0.005), (3, 0.005), (5, 0.005), (4, 0.08)])
def test_theta_is_a_day_of_the_models_to_first_order(state, id, lots, off):
    """At the money vega is the same at any volatility; away from it three levels tell it coarsely.

    A difference over a wide step is not the slope at its middle.
    """
    hold(state, {id: lots})
    ((_, _, _, vega, theta),) = greeks_of(state, 0)
    assert theta == pytest.approx(lots * theta_of(MARKETS[id]), rel=off)
    assert (theta < 0) == (lots > 0) == (vega > 0)


def test_thetas_of_an_underlying_add_up_and_linear_positions_have_none(state):
    alone = []
    for id, lots in ((2, 300), (5, -70)):
        hold(state, {id: lots})
        alone.append(greeks_of(state, 0)[0].theta)
    hold(state, {0: 9, 1: -4, 2: 300, 5: -70, 6: 11}, mode=Mode.PORTFOLIO)
    first, second = greeks_of(state, 0)
    assert (first.underlying, first.theta) == (0, sum(alone))
    assert (second.underlying, second.vega, second.theta) == (1, 0, 0)


def test_theta_is_by_the_time_and_the_grid_of_the_options_own_underlying(state):
    hold(state, {7: 300})
    own = state.underlyings[1]
    # A lot gains 50 over 80 % of volatility, and a day of 30 is a sixtieth of all of it.
    assert greeks_of(state, 0)[0].theta == -(300 * 50 * PPM // 800_000) // 60
    own.series[0].expiry = START_MS + 60 * DAY_MS
    own.volatility_up_ppm = 700_000
    ((underlying, _, _, _, theta),) = greeks_of(state, 0)
    assert (underlying, theta) == (1, -300 * 50 // 120)


@pytest.mark.parametrize("mode", Mode)
def test_greeks_are_the_same_in_every_mode(state, mode):
    hold(state, {2: 300}, mode=mode)
    found = greeks_of(state, 0)
    hold(state, {2: 300})
    assert found == greeks_of(state, 0)


def test_the_last_day_loses_what_is_left_and_not_more():
    last = decay(300, 5_000, 3_000, 800_000, DAY_MS)
    # All of the time is half of volatility: 2,000 for 80 % of it are 2,500, of which a half.
    assert last == -300 * 1_250
    assert decay(300, 5_000, 3_000, 800_000, 1) == last
    assert decay(300, 5_000, 3_000, 800_000, -DAY_MS) == last
    assert decay(300, 5_000, 3_000, 800_000, 2 * DAY_MS) == last // 2


@pytest.mark.parametrize("sign", [1, -1])
def test_theta_saturates_on_the_side_where_it_leaves_its_width(sign):
    lots = sign * LOTS_MAX
    assert decay(lots, 1 << 52, 0, 1, DAY_MS) == -sign * GREEK_MAX
    assert decay(lots, 0, 1 << 52, 1, DAY_MS) == sign * GREEK_MAX
    assert decay(lots, 1 << 14, 0, 1, DAY_MS) == -sign * GREEK_MAX
    # What fits 64 bits is held to the same bound.
    assert decay(4 * sign, 1 << 40, 0, 1, DAY_MS) == -sign * GREEK_MAX


def test_rows_too_old_to_be_trusted_have_no_theta(state):
    hold(state, {2: 300})
    assert greeks_of(state, 0)[0].theta < 0
    state.globals[0].clock += int(state.params[0].row_age_fallback_ms) + 1
    for lots in (300, -300):
        hold(state, {2: lots})
        assert [(one.vega, one.theta) for one in greeks_of(state, 0)] == [(0, 0)]


def test_what_settles_has_no_greeks(state):
    hold(state, {0: 5, 2: 300})
    state.instruments[2].status = InstrumentStatus.SETTLING
    ((_, delta, _, vega, theta),) = greeks_of(state, 0)
    assert (delta, vega, theta) == (5 * INDEX // 100, 0, 0)


# The tail


def largest(state, positions):
    """Losses of all joint scenarios by the twin, largest first."""
    rows = [(state.instruments[id], lots, 0) for id, lots in sorted(positions.items())]
    clock = int(state.globals[0].clock)
    vectors = {
        u: vector_of(
            state, state.underlyings[u], [row for row in rows if row[0].underlying == u], clock
        )[0]
        for u in sorted({int(row[0].underlying) for row in rows})
    }
    return losses_of(state, vectors)


@pytest.mark.parametrize("count", [1, 2, 4, 13])
@pytest.mark.parametrize(
    "positions", [{0: 7}, {0: -7}, {0: 40, 2: -300, 5: 20}, {1: -3, 3: 500, 6: 900}]
)
def test_the_tail_is_that_of_the_joint_scenarios(state, positions, count):
    state.params[0].shortfall_count = count
    hold(state, positions, mode=Mode.PORTFOLIO)
    losses = largest(state, positions)
    counted = min(count, len(SHOCKS))
    worst = losses[:counted]
    expected = ceil(max(0, sum(worst)) / counted)
    assert tail_of(state, 0) == Tail(len(SHOCKS), counted, worst[-1], expected)


def test_the_tail_is_reported_where_margin_does_not_weigh_it(state):
    hold(state, {0: 7}, mode=Mode.PORTFOLIO)
    before = tail_of(state, 0)
    state.params[0].shortfall_weight_ppm = 0
    assert before is not None
    assert tail_of(state, 0) == before


def test_only_a_portfolio_with_scenarios_that_are_whole_has_a_tail(state):
    for mode in (Mode.CROSS, Mode.ISOLATED):
        hold(state, {0: 7}, mode=mode)
        assert tail_of(state, 0) is None
    hold(state, {}, mode=Mode.PORTFOLIO)
    assert tail_of(state, 0) is None
    hold(state, {0: 7, 6: 1}, mode=Mode.PORTFOLIO)
    assert tail_of(state, 0) is not None
    state.underlyings[1].scenario_rest = 1
    state.underlyings[1].scenario_time = state.globals[0].clock
    assert tail_of(state, 0) is None
    state.underlyings[1].scenario_rest = 0
    set_scenarios(state.underlyings[1], ())
    assert tail_of(state, 0) is None
    hold(state, {0: 7}, mode=Mode.PORTFOLIO)
    assert tail_of(state, 0) is not None


def test_reading_leaves_the_account_and_its_margin_as_they_are(state):
    hold(state, {0: 40, 2: -300, 5: 20}, cash=10**12, mode=Mode.PORTFOLIO)
    before = state.accounts.tobytes()
    first, again = risk_message(state, 0), risk_message(state, 0)
    assert first == again
    assert state.accounts.tobytes() == before


def test_the_answer_holds_greeks_and_tail_in_micro_quote(state):
    hold(state, {0: 40, 2: -300, 6: 3}, mode=Mode.PORTFOLIO)
    message, tail = risk_message(state, 0), tail_of(state, 0)
    assert tail is not None
    shown = [
        (one.underlying, one.delta_micro, one.gamma_micro, one.vega_micro, one.theta_micro)
        for one in message.greeks
    ]
    assert shown == [tuple(one) for one in greeks_of(state, 0)]
    told = message.tail
    assert tail == (
        told.scenarios, told.losses, told.value_at_risk_micro, told.expected_shortfall_micro,
    )  # fmt: skip
    hold(state, {0: 40, 2: -300, 6: 3})
    assert not risk_message(state, 0).HasField("tail")
