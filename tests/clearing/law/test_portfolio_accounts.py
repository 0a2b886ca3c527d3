"""Accounts of every mode measured from the state: against a twin, by hand, and by their laws."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import InstrumentKind, InstrumentStatus, Mode
from clearing.genesis import GenesisTier
from clearing.grid import CENTRE
from clearing.sweep import margins, with_workspace
from clearing.units import LOTS_MAX, PPM
from node.greeks import greeks_of
from node.margins import margin_of
from tests.clearing.law.margin_twin import (
    EXPIRIES,
    book_state,
    future,
    hold,
    margin_twin,
    option,
    perpetual,
    set_scenarios,
)
from tests.support.world import START_MS

INDEX = 1_000_000
CALL, PUT = InstrumentKind.CALL, InstrumentKind.PUT
# 0 perpetual, 1 future, 2 call at the money, 3 put at the money, 4 call above, 5 put of later
MARKETS = (
    perpetual(INDEX),
    future(1_010_000),
    option(CALL, INDEX),
    option(PUT, INDEX),
    option(CALL, 1_200_000),
    option(PUT, 900_000, series=1),
)
OTHERS = (*MARKETS, perpetual(50_000, 1), option(CALL, 50_000, 1), option(PUT, 45_000, 1, 1))
SHOCKS = ((-100_000, 200_000), (50_000, -50_000), (-400_000, 500_000), (20_000, 0), (0, 300_000))
PLAIN: dict[str, Any] = {"shortfall_weight_ppm": 0}


def measured(state):
    """(equity, initial, maintenance, gross) of account 0 by the law."""
    margin = margin_of(state, 0)
    assert margin.valid
    return tuple(margin[:4])


def agrees(state):
    found = measured(state)
    assert found == margin_twin(state, state.accounts[0])
    equity, initial, maintenance, _ = margins(state)
    assert (equity[0], initial[0], maintenance[0]) == found[:3]
    return found


@st.composite
def books(draw, modes=tuple(Mode)):
    """A state whose account holds anything, at any age, price, parameter and confidence."""
    ppm = st.integers(0, PPM)
    markets = [
        {
            **market,
            "status": draw(st.sampled_from([0, 0, 0, InstrumentStatus.SETTLING])),
            "settle": draw(st.integers(0, 2 * INDEX)),
            "stable": draw(st.sampled_from([0, 40_000, 900_000, 1_300_000])),
        }
        for market in OTHERS
    ]
    tier = GenesisTier(
        draw(st.integers(40_000, PPM)),
        30_000,
        10**7,
        10**9,
        concentration_lots=draw(st.sampled_from([0, 7])),
        concentration_ppm=draw(ppm),
    )
    state: Any = book_state(
        markets,
        (INDEX, 50_000),
        (tier,),
        assets=(10**6,),
        scenarios=(SHOCKS, SHOCKS[::-1] if draw(st.booleans()) else ()),
        shortfall_weight_ppm=draw(ppm),
        shortfall_count=draw(st.integers(1, 8)),
        portfolio_offset_ppm=draw(ppm),
        profit_cap=draw(st.sampled_from([0, 10**5, 1 << 61])),
    )
    state.globals[0].clock = START_MS + draw(
        st.sampled_from([0, 60_000, 60_001, 300_001, 3_600_001, EXPIRIES[0] - START_MS + 5])
    )
    for instrument in state.instruments:
        instrument.open_interest = draw(st.integers(0, 2_000))
        instrument.confidence_ppm = draw(st.sampled_from([PPM, 300_000]))
    for underlying in state.underlyings:
        underlying.series[0].discount_long_ppm = draw(st.integers(900_000, PPM))
        underlying.series[0].discount_short_ppm = draw(st.integers(PPM, 2 * PPM))
        underlying.series[0].confidence_ppm = draw(st.sampled_from([PPM, 549_999]))
        underlying.scenario_rest = draw(st.sampled_from([0, 0, 1, 3]))
        underlying.scenario_time = START_MS
    asset = state.assets[1]
    asset.price = draw(st.integers(0, 2 * PPM))
    asset.stable_price = draw(st.sampled_from([0, PPM]))
    asset.held = draw(st.integers(1, 3 * 10**6))
    asset.peg_price = draw(st.sampled_from([0, PPM]))
    asset.peg_factor_ppm = 2 * PPM
    mode = draw(st.sampled_from(modes))
    lots = st.integers(-1_000, 1_000).filter(bool)
    held = draw(
        st.dictionaries(
            st.integers(0, len(OTHERS) - 1), lots, max_size=1 if mode == Mode.ISOLATED else 9
        )
    )
    costs = {i: draw(st.integers(-(10**8), 10**8)) for i in held}
    account = hold(state, held, draw(st.integers(-(10**9), 10**9)), mode, costs)
    account.recent_profit = draw(st.integers(0, 10**6))
    account.recent_time = START_MS
    if draw(st.booleans()):
        account.collateral_count = 2
        account.collaterals[0].asset = 1
        account.collaterals[0].amount = draw(st.integers(0, 10**9))
        account.collaterals[1].asset = 64
        account.collaterals[1].amount = 5
    return state


@given(books())
@settings(max_examples=150, deadline=None)
def test_the_law_and_its_twin_measure_every_account_alike_and_so_does_the_sweep(state):
    agrees(state)


def test_a_covered_call_needs_only_what_the_covered_side_can_lose():
    # Short a call at the money, long the perpetual: upwards they cancel but for the guard of two
    # micro-quote, downwards the perpetual loses 66 % at the tail, of which 21 % count.
    state = book_state(MARKETS, **PLAIN)
    hold(state, {0: 1, 2: -1}, mode=Mode.PORTFOLIO)
    equity, initial, maintenance, gross = agrees(state)
    assert equity == INDEX - 100
    assert gross == 2 * INDEX
    # P at the -66 % tail: -660,000 + 100 - 100 - 2 of guard; -33 %: 42 % of -330,002 = -138,601.
    # The lattice loses most at -18 %, volatility up: -180,000 - 125 + 100 - 2.
    worst = 180_027
    tail = -(-660_002 * 210_000 // PPM)
    assert (worst, tail) == (180_027, 138_601)
    linear, naked = 5_000, 5_000
    assert initial == worst + linear + naked
    assert maintenance == -(-worst * 8 // 10) + linear + naked


def test_a_spread_of_options_is_worth_less_margin_in_a_portfolio_than_alone():
    state = book_state(MARKETS, **PLAIN)
    margin = {}
    for mode in (Mode.CROSS, Mode.PORTFOLIO):
        hold(state, {2: 10, 4: -10}, mode=mode)
        _, margin[mode], _, _ = agrees(state)
    # Alone: the long call's value, and 10 % of the index a short call (5 points beyond OTM).
    assert margin[Mode.CROSS] == 10 * 100 + 10 * 100_000
    assert margin[Mode.PORTFOLIO] < margin[Mode.CROSS] // 10


def test_a_long_option_outside_a_portfolio_lends_nothing_and_needs_its_value():
    state = book_state(MARKETS)
    for mode in (Mode.CROSS, Mode.ISOLATED):
        hold(state, {3: 7}, cash=-700, mode=mode)
        assert agrees(state) == (0, 700, 700, 700)


@pytest.mark.parametrize(
    ("market", "initial", "maintenance"),
    [
        (2, 150_000, 75_000),  # at the money: 15 % and 7.5 % of the index
        (4, 100_000, 75_000),  # 20 % out of the money: the floor of 10 %
        (3, 150_000, 75_000),  # a put worth 100: 105 % of that is less
    ],
)
def test_a_short_option_outside_a_portfolio_needs_the_standard_margin(market, initial, maintenance):
    state = book_state(MARKETS)
    hold(state, {market: -4})
    equity, *found = agrees(state)
    assert equity == -400
    assert found == [4 * initial, 4 * maintenance, 4 * INDEX]


def test_a_short_put_deep_in_the_money_needs_more_than_its_value():
    state = book_state([option(PUT, 3 * INDEX)])
    hold(state, {0: -1})
    equity, initial, maintenance, _ = agrees(state)
    value = 2 * INDEX + 100
    assert equity == -value
    assert maintenance == 105 * value // 100
    assert initial == -(-105 * (value + maintenance) // 100) - value


@pytest.mark.parametrize(("age", "factor"), [(60_000, 100), (60_001, 125), (300_001, 125)])
def test_rows_that_age_raise_initial_margin_and_leave_maintenance(age, factor):
    for mode in (Mode.CROSS, Mode.PORTFOLIO):
        state: Any = book_state(MARKETS, **PLAIN)
        hold(state, {2: -8}, mode=mode)
        _, initial, maintenance, _ = agrees(state)
        state.globals[0].clock += age
        _, aged, kept, _ = agrees(state)
        assert (aged, kept) == (-(-initial * factor // 100), maintenance)


def test_rows_beyond_the_last_rung_give_way_to_a_fallback_against_the_holder():
    for lots in (5, -5):
        state = book_state(MARKETS, **PLAIN)
        hold(state, {2: lots}, mode=Mode.PORTFOLIO)
        _, _, before, _ = agrees(state)
        state.globals[0].clock += 3_600_001
        _, _, after, _ = agrees(state)
        assert after > before
    # A short call owes its gain at the highest tail, + 400 %, undamped.
    assert after >= 5 * 4 * INDEX * 8 // 10


@pytest.mark.parametrize("mode", [Mode.CROSS, Mode.PORTFOLIO])
@pytest.mark.parametrize("lots", [5, -5])
@pytest.mark.parametrize("kind", [CALL, PUT])
@pytest.mark.parametrize("carry_ppm", [-200_000, 200_000])
def test_carry_and_discount_count_against_the_holder_of_a_fallback(mode, lots, kind, carry_ppm):
    wings = [option(kind, INDEX + INDEX // 10), option(kind, INDEX - INDEX // 10)]
    state = book_state([*wings, perpetual(INDEX)])
    # A long alone loses all it is worth; beside a hedge it matters how much it is worth elsewhere.
    hedge = {2: (-2 if kind == CALL else 2) * lots} if lots > 0 else {}
    hold(state, {0: lots, 1: lots, **hedge}, mode=mode)
    state.globals[0].clock += 3_600_001
    _, initial, without, _ = agrees(state)
    series = state.underlyings[0].series[0]
    series.reference_price = INDEX // 2
    series.forward_price = INDEX // 2 * (PPM + carry_ppm) // PPM
    series.discount_nano = 10**9
    _, carried_initial, carried, _ = agrees(state)
    against = (carry_ppm > 0) == ((kind == CALL) == (lots < 0))
    needs = lots < 0 or mode == Mode.PORTFOLIO
    assert carried >= without and carried_initial >= initial
    assert (carried > without) == (against and needs)
    series.discount_nano = 9 * 10**8
    _, _, discounted, _ = agrees(state)
    assert (discounted > carried) == (lots > 0 and mode == Mode.PORTFOLIO)


def test_what_settles_is_worth_its_settlement_and_needs_nothing():
    for mode in (Mode.CROSS, Mode.PORTFOLIO):
        market = {**option(CALL, INDEX), "status": InstrumentStatus.SETTLING, "settle": 77}
        state = book_state([market])
        hold(state, {0: -3}, cash=500, mode=mode)
        assert agrees(state) == (500 - 231, 0, 0, 0)


def test_an_underlying_without_scenarios_takes_the_whole_account_to_the_worst_points():
    state: Any = book_state(OTHERS, (INDEX, 50_000), scenarios=(SHOCKS, ()))
    hold(state, {0: 1, 6: 20}, mode=Mode.PORTFOLIO)
    _, alone, _, _ = agrees(state)
    state.params[0].shortfall_weight_ppm = 0
    assert agrees(state)[1] == alone
    state.params[0].shortfall_weight_ppm = PPM
    set_scenarios(state.underlyings[1], [(-volatility, price) for price, volatility in SHOCKS])
    assert agrees(state)[1] < alone


@pytest.mark.parametrize("writing", [0, 1])
def test_scenarios_that_are_being_written_liquidate_nobody_and_open_nothing(writing):
    """The lists of two underlyings are written one after the other; days mix in between."""
    whole = [(-volatility, price) for price, volatility in SHOCKS]
    state: Any = book_state(OTHERS, (INDEX, 50_000), scenarios=(SHOCKS, whole))
    hold(state, {0: 1, 6: 20}, mode=Mode.PORTFOLIO)
    _, initial, maintenance, _ = agrees(state)
    state.params[0].shortfall_weight_ppm = 0
    _, most_initial, most_maintenance, _ = agrees(state)
    state.params[0].shortfall_weight_ppm = 500_000
    row = state.underlyings[writing]
    row.scenario_rest, row.scenario_time = 1, START_MS
    # Whatever stands in the list meanwhile: the same crash on every day, or nothing at all.
    for shocks in ([(-400_000, 500_000)] * 5, [(0, 0)] * 5):
        set_scenarios(row, shocks)
        _, meanwhile_initial, meanwhile_maintenance, _ = agrees(state)
        assert meanwhile_maintenance <= maintenance
        assert meanwhile_initial >= most_initial >= initial
    # Nobody ends it: what offsets nobody vouches for count no more.
    for late, expected in ((0, meanwhile_maintenance), (1, most_maintenance)):
        state.globals[0].clock = START_MS + 3_600_000 + late
        for series in (s for u in state.underlyings for s in u.series[:2]):
            series.active_time = state.globals[0].clock
        assert agrees(state)[2] == expected
    set_scenarios(row, SHOCKS if writing == 0 else whole)
    row.scenario_rest = 0
    assert agrees(state)[1:3] == (initial, maintenance)


def test_stable_prices_raise_what_long_and_short_need_and_liquidate_nobody():
    for lots, stable in ((3, 950_000), (-3, 1_040_000)):
        for mode in (Mode.CROSS, Mode.PORTFOLIO):
            state: Any = book_state(MARKETS, **PLAIN)
            hold(state, {0: lots}, mode=mode)
            before = agrees(state)
            state.instruments[0].stable_price = stable
            after = agrees(state)
            assert after[1] - before[1] == 3 * abs(INDEX - stable)
            assert after[0::2] == before[0::2]
            state.instruments[0].stable_price = 2 * INDEX - stable
            assert agrees(state) == before


def test_unrealised_profit_beyond_the_cap_opens_nothing():
    state: Any = book_state(MARKETS, profit_cap=50_000)
    account = hold(state, {0: 1, 1: -1}, costs={0: 930_000, 1: -1_000_000})
    _, initial, _, _ = agrees(state)
    # A gain of 70,000 less a loss of 10,000 is 60,000, and 10,000 of it beyond the cap.
    assert initial == 50_000 + 50_500 + 10_000
    account.recent_profit, account.recent_time = 7, START_MS
    assert agrees(state)[1] == initial + 7
    state.globals[0].clock += 28_800_000
    assert agrees(state)[1] == initial


def test_collateral_counts_less_for_openings_than_for_maintenance():
    state: Any = book_state(MARKETS, assets=(10**6,))
    account = hold(state, {0: 1})
    account.collateral_count = 1
    account.collaterals[0].asset = 1
    account.collaterals[0].amount = 1_000_000
    asset = state.assets[1]
    asset.held = 1_000_000
    # 10 % haircut, and 5 % more for initial margin.
    assert agrees(state) == (INDEX + 900_000, 50_000 + 50_000, 30_000, INDEX)
    asset.held = 2_000_000  # twice the scale: half the weight
    assert agrees(state)[1] == 50_000 + 900_000 - 425_000
    state.globals[0].clock += 300_001  # a price too old for margin opens nothing
    assert agrees(state)[:2] == (INDEX + 900_000, 50_000 + 900_000)


def test_collateral_off_its_peg_counts_less_for_openings_alone():
    state: Any = book_state(MARKETS, assets=(10**6,))
    account = hold(state, {}, cash=0)
    account.collateral_count = 1
    account.collaterals[0].asset = 1
    account.collaterals[0].amount = 1_000_000
    asset = state.assets[1]
    asset.peg_price, asset.peg_threshold_ppm, asset.peg_factor_ppm = PPM, 20_000, 2 * PPM
    asset.price = asset.stable_price = 970_000
    # One per cent below the threshold, times two: the weight falls from 85 % to 83 %.
    assert agrees(state)[:2] == (873_000, 873_000 - 805_100)


# Invariant 14: value at risk <= Expected Shortfall <= worst where the grid covers the scenarios.


@given(
    st.dictionaries(st.integers(0, 5), st.integers(-50, 50).filter(bool), min_size=1),
    st.lists(
        st.tuples(st.integers(-180_000, 180_000), st.integers(-300_000, 500_000)),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 13),
)
@settings(max_examples=60, deadline=None)
def test_expected_shortfall_never_exceeds_the_worst_point_where_the_grid_covers_it(
    held, shocks, tail
):
    state: Any = book_state(MARKETS, scenarios=(shocks,), shortfall_count=tail,
                            portfolio_offset_ppm=PPM)  # fmt: skip
    hold(state, held, mode=Mode.PORTFOLIO)
    margin = []
    for weight in (1, PPM // 2, PPM, 0):
        state.params[0].shortfall_weight_ppm = weight
        margin.append(agrees(state)[1])
    *blends, worst = margin
    # A point between four of the lattice loses no more than the worst of them.
    assert sorted(blends, reverse=True) == blends
    assert blends[0] <= worst


# Invariant 15: monotone in the size of shocks for linear books, sub-additive, homogeneous.


@given(
    st.integers(-1_000, 1_000).filter(bool),
    st.integers(1, 10**7),
    st.integers(1, PPM),
    st.integers(1, PPM),
)
@settings(max_examples=60, deadline=None)
def test_larger_shocks_never_lower_the_margin_of_a_linear_book(lots, mark, first, second):
    found = []
    for share in sorted((first, second)):
        state: Any = book_state([perpetual(mark)], **PLAIN)
        prices = state.underlyings[0].prices
        prices[:] = [int(each) * share // PPM for each in prices]
        hold(state, {0: lots}, mode=Mode.PORTFOLIO)
        found.append(agrees(state)[1:3])
    assert found[0] <= found[1]
    assert found[0][1] <= found[1][1]


@given(
    st.dictionaries(st.integers(0, 8), st.integers(-300, 300).filter(bool)),
    st.dictionaries(st.integers(0, 8), st.integers(-300, 300).filter(bool)),
)
@settings(max_examples=80, deadline=None)
def test_two_accounts_together_never_need_more_than_apart(one, other):
    state: Any = book_state(OTHERS, (INDEX, 50_000), scenarios=(SHOCKS, SHOCKS[::-1]))
    both = {i: one.get(i, 0) + other.get(i, 0) for i in one | other}
    margin = []
    for held in (one, other, {i: lots for i, lots in both.items() if lots}):
        hold(state, held, mode=Mode.PORTFOLIO)
        margin.append(agrees(state)[1:3])
    first, second, together = margin
    # Roundings: damps, basis, blend and rates round twice apart and once together, or the reverse.
    slack = 12 + 4 * len(both)
    assert together[0] <= first[0] + second[0] + slack
    assert together[1] <= first[1] + second[1] + slack


@given(st.dictionaries(st.integers(0, 5), st.integers(-9, 9).filter(bool), min_size=1))
@settings(max_examples=40, deadline=None)
def test_margin_grows_in_proportion_to_the_book(held):
    state: Any = book_state(MARKETS, scenarios=(SHOCKS,))
    margin = []
    for times in (1, 1_000):
        book = {i: times * lots for i, lots in held.items()}
        hold(state, book, mode=Mode.PORTFOLIO)
        margin.append(agrees(state)[1])
    assert abs(margin[1] - 1_000 * margin[0]) <= 1_000 * (8 + 2 * len(held))


def test_no_legal_number_overflows_a_portfolio():
    # Positions opened at the bound of value, a move of 2^8 later; rows and stable price extreme.
    mark, extreme = 1 << 9, 1 << 48
    markets = [perpetual(mark), option(CALL, extreme), option(PUT, extreme, series=1)]
    for sign in (1, -1):
        state: Any = book_state(markets, (mark,), scenarios=(SHOCKS,))
        for instrument in state.instruments:
            instrument.rows[1].values[:] = 1 << 50
            instrument.rows[1].values[CENTRE] = mark
            instrument.stable_price = extreme if sign < 0 else 1
        hold(state, {i: sign * LOTS_MAX for i in range(3)}, mode=Mode.PORTFOLIO)
        margin = margin_of(state, 0)
        assert margin.valid
        assert margin.initial >= margin.maintenance > 0


def test_the_sweep_measures_portfolios_in_a_workspace_of_its_own():
    state: Any = book_state(MARKETS, scenarios=(SHOCKS,))
    hold(state, {0: 3, 2: -2, 5: 4}, cash=5, mode=Mode.PORTFOLIO)
    expected = measured(state)
    state.workspace[:] = -77
    equity, initial, maintenance, failing = margins(with_workspace(state))
    assert (equity[0], initial[0], maintenance[0]) == expected[:3]
    assert failing == (expected[0] < expected[2])
    assert (state.workspace == -77).all()


def test_the_centre_of_a_row_is_the_mark():
    state: Any = book_state(MARKETS)
    assert [int(i.rows[1].values[CENTRE]) for i in state.instruments[2:5]] == [100, 100, 100]


def test_a_perpetual_gains_its_value_in_per_cent_and_bends_nowhere():
    state: Any = book_state(OTHERS, (INDEX, 50_000))
    hold(state, {0: 7, 6: -3})
    first, second = greeks_of(state, 0)
    assert first == (0, 7 * INDEX // 100, 0, 0, 0)
    assert second == (1, -3 * 50_000 // 100, 0, 0, 0)


def test_a_straddle_gains_either_way_and_with_volatility():
    state: Any = book_state(MARKETS)
    hold(state, {2: 10, 3: 10}, mode=Mode.PORTFOLIO)
    ((underlying, delta, gamma, vega, theta),) = greeks_of(state, 0)
    # One level is 4.5 % of the index: a slope of 1 % of it on either side, per 4.5 %.
    assert (underlying, delta) == (0, 0)
    assert gamma == 2 * 100_000 * 10_000 // 45_000
    # 50 more of two options of 100 each, ten times, over 80 % of volatility.
    assert vega == 10 * 2 * 50 * 10_000 // 800_000
    # A day of 30 is a sixtieth of volatility: of 625 a call, as much a put, rounded down.
    assert theta == 2 * (-(10 * 50 * PPM // 800_000) // 60)
    hold(state, {2: -10, 3: -10})
    ((_, _, short_gamma, short_vega, short_theta),) = greeks_of(state, 0)
    assert short_gamma == -gamma - 1
    assert short_vega == -vega - 1
    assert short_theta == -theta - 2


def test_an_account_without_risk_has_no_greeks():
    state: Any = book_state(MARKETS)
    hold(state, {})
    assert greeks_of(state, 0) == []
