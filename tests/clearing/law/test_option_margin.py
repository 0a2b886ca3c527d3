"""Options: payoff, standard margin, losses at expiry, checks of risk rows, PMRM."""

from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.formulas import evaluate
from clearing.units import LOTS_MAX, PPM, PRICE_MAX

SPOT = 2_000 * 10**6
UNIT = 10**9
prices = st.integers(1, 1 << 34)
lots = st.integers(-(1 << 20), 1 << 20)
calls = st.integers(0, 1)


def one(name, **arguments):
    """The one result of a formula."""
    (value,) = evaluate(name, arguments).values()
    return value


def pays(is_call, strike, price):
    return max(price - strike if is_call else strike - price, 0)


# ---- payoff


@given(lots, calls, prices, prices, st.integers(1, 10**6))
def test_a_payoff_is_rounded_against_its_holder(lots, is_call, strike, price, scale):
    payoff = floor(Fraction(lots * pays(is_call, strike, price), scale))
    common = {"is_call": is_call, "strike": strike}
    assert payoff == one(
        "option_payoff", lots=lots, settlement_price=price, price_scale=scale, **common
    )
    assert one("option_intrinsic", price=price, **common) == pays(is_call, strike, price)


def test_what_longs_get_never_exceeds_what_shorts_pay():
    common = {"is_call": 1, "strike": 100, "settlement_price": 105, "price_scale": 2}
    assert one("option_payoff", lots=3, **common) == 7
    assert one("option_payoff", lots=-3, **common) == -8


# ---- standard margin


def standard(lots, is_call, strike, mark, spot=SPOT, **changes):
    return evaluate(
        "standard_option_margin",
        {
            "lots": lots,
            "is_call": is_call,
            "strike": strike,
            "spot_price": spot,
            "mark_price": mark,
        }
        | changes,
    )


@pytest.mark.parametrize(
    ("is_call", "strike", "mark", "initial", "maintenance"),
    [
        # At the money: 15 % and 7.5 % of 2,000 beside the value of 100.
        (1, 2_000, 100, 100 + 300, 100 + 150),
        # 5 % out of the money leaves 10 %; further out the minimum of 10 % holds.
        (1, 2_040, 80, 80 + 260, 80 + 150),
        (1, 2_100, 60, 60 + 200, 60 + 150),
        (1, 3_000, 5, 5 + 200, 5 + 150),
        # In the money nothing is taken off.
        (1, 1_500, 550, 550 + 300, 550 + 150),
        (0, 2_000, 100, 100 + 300, 100 + 150),
        (0, 1_960, 80, 80 + 260, 80 + 150),
        # A put worth 4,000: 7.5 % of its value beats that of spot; 1.05 of it beats 15 % of spot.
        (0, 6_000, 4_000, 4_515, 4_300),
    ],
)
def test_margins_of_one_short_option(is_call, strike, mark, initial, maintenance):
    found = standard(-3, is_call, strike * 10**6, mark * 10**6)
    assert found == {
        "value": -3 * mark * 10**6,
        "initial_margin": -3 * initial * 10**6,
        "maintenance_margin": -3 * maintenance * 10**6,
        "initial_requirement": 3 * (initial - mark) * 10**6,
        "maintenance_requirement": 3 * (maintenance - mark) * 10**6,
    }


def test_a_long_option_is_paid_in_full_and_gives_no_credit():
    found = standard(3, 1, SPOT, 100)
    assert (found["value"], found["initial_requirement"]) == (300, 300)
    assert (found["initial_margin"], found["maintenance_margin"]) == (0, 0)


@settings(max_examples=200)
@given(st.integers(-(1 << 20), -1), calls, prices, prices, prices)
def test_a_short_option_in_exact_fractions(lots, is_call, strike, spot, mark):
    found = standard(lots, is_call, strike, mark, spot)
    short, value = -lots, lots * mark
    otm = Fraction(pays(not is_call, strike, spot), spot)
    most = max(Fraction(10, 100), Fraction(15, 100) - otm) * spot * short
    least = Fraction(75, 1000) * spot * short
    if not is_call:
        least = max(least, Fraction(75, 1000) * -value)
    maintenance = value - ceil(least)
    initial = value - ceil(most)
    if not is_call:
        initial = min(initial, floor(Fraction(105 * maintenance, 100)))
    assert found["maintenance_margin"] == maintenance
    assert found["initial_margin"] == min(initial, maintenance)


def test_options_at_their_bounds_saturate():
    found = standard(-LOTS_MAX, 0, PRICE_MAX, PRICE_MAX, PRICE_MAX)
    assert set(found.values()) == {-(1 << 62), 0}


# ---- one expiry


def at_expiry(options):
    rows = [{"lots": q, "is_call": c, "strike": k} for q, c, k in options]
    return evaluate("expiry_max_loss", {"options": rows, "forward_price": SPOT})


@pytest.mark.parametrize(
    ("options", "initial", "maintenance", "where", "unpaired"),
    [
        # A call spread and a put spread lose the width; a box nothing.
        ([(-2, 1, 100), (2, 1, 110)], -20, -20, 110, 0),
        ([(-2, 0, 110), (2, 0, 100)], -20, -20, 0, 0),
        ([(1, 1, 100), (-1, 1, 110), (1, 0, 110), (-1, 0, 100)], 0, 0, 0, 0),
        # A butterfly's worst is where it began.
        ([(1, 1, 90), (-2, 1, 100), (1, 1, 110)], 0, 0, 0, 0),
        ([(-1, 1, 90), (2, 1, 100), (-1, 1, 110)], -10, -10, 100, 0),
        # Unpaired calls count 1.2 and 1.1 of the forward, on top of the worst payoff.
        ([(-3, 1, 110), (1, 1, 100)], -24 * SPOT // 10, -22 * SPOT // 10, 0, 2),
        ([(-3, 0, 100)], -300, -300, 0, 0),
        ([(5, 1, 100), (5, 0, 100)], 0, 0, 0, 0),
    ],
)
def test_the_largest_loss_of_an_expiry(options, initial, maintenance, where, unpaired):
    assert at_expiry(options) == {
        "initial_margin": initial,
        "maintenance_margin": maintenance,
        "settlement_price": where,
        "unpaired_calls": unpaired,
    }


paired = st.lists(st.tuples(st.integers(-50, 50), calls, st.integers(0, 60)), max_size=6)


@given(paired, st.integers(0, 100))
def test_no_settlement_price_loses_more_than_the_margin_of_paired_calls(options, price):
    net = sum(q for q, is_call, _ in options if is_call)
    options = [*options, (max(0, -net), 1, 30)]
    found = at_expiry(options)
    assert found["unpaired_calls"] == 0
    payoff = sum(q * pays(is_call, strike, price) for q, is_call, strike in options)
    assert payoff >= found["maintenance_margin"]


# ---- charges


def test_naked_shorts_net_within_a_series_only():
    rows = [
        {"lots": -5, "strike": 100, "is_call": 1},
        {"lots": 3, "strike": 100, "is_call": 1},
        {"lots": 9, "strike": 100, "is_call": 0},
        {"lots": 9, "strike": 110, "is_call": 1},
        {"lots": -4, "strike": 100, "is_call": 1, "expiry": 1},
    ]
    arguments: dict[str, Any] = {"options": rows, "index_price": 333, "rate_ppm": 5_000}
    apart = evaluate("naked_shorts", arguments | {"net_calls_with_puts": 0})
    assert apart == {"naked_lots": 6, "charge": 10}
    assert evaluate("naked_shorts", arguments) == {"naked_lots": 4, "charge": 7}


shares = st.integers(0, 10 * PPM)


@settings(max_examples=200)
@given(st.integers(-LOTS_MAX, LOTS_MAX), st.integers(1, PRICE_MAX), shares, st.integers(0, PPM))
def test_charges_are_exact_or_rounded_up_a_lot_and_saturate(lots, price, rate, level):
    def expect(found, lots, rate):
        exact = ceil(abs(lots) * price * rate)
        most = exact if abs(lots) * price < 1 << 63 else abs(lots) * ceil(price * rate)
        assert found == min(1 << 62, most)
        assert found >= min(1 << 62, exact)

    common = {"lots": lots, "price": price, "rate_ppm": rate}
    part = Fraction(rate, PPM)
    expect(one("linear_contingency", **common), lots, part)
    beyond = max(abs(lots) - 1_000, 0)
    expect(one("concentration_charge", threshold_lots=1_000, **common), beyond, part)
    found = one("confidence_charge", confidence_ppm=level, **common)
    expect(found, lots, part * (1 - Fraction(level, PPM)) if level < 550_000 else Fraction(0))
    found = one("depeg_charge", peg_ppm=level, **common)
    expect(found, lots, part * Fraction(max(980_000 - level, 0), PPM))


# ---- rows

SHOCKS = [-500_000, -100_000, 0, 100_000, 1_000_000]
STRIKES = [90_000, 100_000, 130_000]
FORWARD = 100_000
FACTOR = 98 * UNIT // 100


def priced(is_call, strike):
    """A row within its bounds: the mean of both."""
    row = []
    for shock in SHOCKS:
        forward = FORWARD + FORWARD * shock // PPM
        most = forward if is_call else strike
        row.append((pays(is_call, strike, forward) + most) * FACTOR // (2 * UNIT))
    return row


def bounds(row, is_call, strike):
    return evaluate(
        "row_check_bounds",
        {
            "row": row,
            "price_shock_ppm": SHOCKS,
            "is_call": is_call,
            "strike": strike,
            "forward_price": FORWARD,
            "discount": FACTOR,
        },
    )


@pytest.mark.parametrize("is_call", [0, 1])
@pytest.mark.parametrize("strike", STRIKES)
def test_a_value_below_intrinsic_or_above_the_forward_is_found(is_call, strike):
    row = priced(is_call, strike)
    assert bounds(row, is_call, strike) == {"legal": True, "point": -1}
    for point, shock in enumerate(SHOCKS):
        forward = FORWARD + FORWARD * shock // PPM
        least = floor(Fraction(pays(is_call, strike, forward) * FACTOR, UNIT))
        most = floor(Fraction((forward if is_call else strike) * FACTOR, UNIT)) + 1
        for value, legal in [
            (least - 1, least > 0),
            (least - 2, False),
            (most + 1, True),
            (most + 2, False),
        ]:
            if value >= 0:
                changed = [*row[:point], value, *row[point + 1 :]]
                assert bounds(changed, is_call, strike)["legal"] is legal
                assert bounds(changed, is_call, strike)["point"] == (-1 if legal else point)


@pytest.mark.parametrize(
    ("lower", "upper", "is_call", "legal"),
    [
        (100, 60, 1, True),
        (100, 101, 1, True),
        (100, 102, 1, False),
        (100, 49, 1, True),
        (100, 47, 1, False),
        (60, 100, 0, True),
        (60, 58, 0, False),
        (10, 63, 0, False),
    ],
)
def test_calls_fall_and_puts_rise_by_at_most_the_gap(lower, upper, is_call, legal):
    found = evaluate(
        "row_check_monotone",
        {
            "lower_row": [7, lower],
            "upper_row": [7, upper],
            "is_call": is_call,
            "strike_gap": 51,
            "discount": FACTOR,
        },
    )
    assert found == {"legal": legal, "point": -1 if legal else 1}


values = st.integers(0, 1 << 50)


@settings(max_examples=200)
@given(
    st.lists(st.integers(1, PRICE_MAX), min_size=3, max_size=3, unique=True),
    st.lists(st.tuples(values, values, values), min_size=1, max_size=4),
    st.integers(0, 3),
)
def test_convexity_is_exact_for_any_spacing(strikes, rows, epsilon):
    low, middle, high = sorted(strikes)
    faults = [
        (high - middle) * a + (middle - low) * c + (high - low) * epsilon < (high - low) * b
        for a, b, c in rows
    ]
    columns = [list(each) for each in zip(*rows, strict=True)]
    found = evaluate(
        "row_check_convex",
        {
            "lower_row": columns[0],
            "middle_row": columns[1],
            "upper_row": columns[2],
            "lower_strike": low,
            "strike": middle,
            "upper_strike": high,
            "epsilon": epsilon,
        },
    )
    assert found == {
        "legal": not any(faults),
        "point": faults.index(True) if any(faults) else -1,
    }


def test_values_on_a_line_are_convex_and_a_quantum_above_it_is_forgiven_once():
    rows: dict[str, Any] = {
        "lower_row": [400],
        "upper_row": [100],
        "lower_strike": 10,
        "upper_strike": 40,
    }
    for value, legal in [(300, True), (301, True), (302, False)]:
        found = evaluate("row_check_convex", rows | {"middle_row": [value], "strike": 20})
        assert found["legal"] is legal


@given(prices, prices, prices, prices, st.integers(0, UNIT))
def test_parity_is_call_less_put_less_the_discounted_forward_less_strike(
    call, put, strike, forward, discount
):
    expected = call - put - floor(Fraction((forward - strike) * discount, UNIT))
    assert expected == one(
        "put_call_parity",
        call=call,
        put=put,
        strike=strike,
        forward_price=forward,
        discount=discount,
    )


def test_parity_is_checked_at_every_shocked_forward():
    calls = [pays(1, FORWARD, FORWARD + FORWARD * shock // PPM) + 50 for shock in SHOCKS]
    puts = [pays(0, FORWARD, FORWARD + FORWARD * shock // PPM) + 50 for shock in SHOCKS]
    arguments: dict[str, Any] = {
        "call_row": calls,
        "put_row": puts,
        "price_shock_ppm": SHOCKS,
        "strike": FORWARD,
        "forward_price": FORWARD,
        "epsilon": 2,
    }
    assert evaluate("row_check_parity", arguments)["legal"] is True
    for off, legal in [(2, True), (3, False), (-2, True), (-3, False)]:
        arguments["put_row"] = [*puts[:3], puts[3] + off, puts[4]]
        assert evaluate("row_check_parity", arguments) == {
            "legal": legal,
            "point": -1 if legal else 3,
        }


def test_a_row_may_jump_by_a_share_of_the_index():
    common: dict[str, Any] = {"old_row": [100, 100], "index_price": 999, "jump_ppm": 10_000}
    for value, point in [(109, -1), (110, 1), (91, -1), (90, 1)]:
        found = evaluate("row_check_jump", {"new_row": [100, value]} | common)
        assert found == {"legal": point < 0, "point": point}


@pytest.mark.parametrize(
    ("age", "rung", "initial"),
    [(0, 0, 101), (10, 0, 101), (11, 1, 127), (21, 2, 127), (31, 3, 127)],
)
def test_a_row_ages_down_a_ladder(age, rung, initial):
    found = evaluate(
        "row_age",
        {
            "age_ms": age,
            "aging_ms": 10,
            "reduce_only_ms": 20,
            "fallback_ms": 30,
            "initial_margin": 101,
        },
    )
    assert found == {"rung": rung, "initial_margin": initial}


def test_a_row_too_old_falls_back_to_intrinsic_against_its_holder():
    shocks = [0] * 12 + [-100_000, 0, 100_000, 1_000_000, -500_000]
    common = {"price_shock_ppm": shocks, "is_call": 1, "strike": 900, "forward_price": 1_000}
    long = one("fallback_row", is_short=0, mark_price=150, **common)
    assert long == [100] * 12 + [0, 100, 200, 1_100, 0]
    short = one("fallback_row", is_short=1, mark_price=150, **common)
    assert short == [1_100] * 13 + [150] + [1_100] * 3
    put = one("fallback_row", is_short=1, mark_price=1, **(common | {"is_call": 0}))
    assert put == [400] * 13 + [1] + [400] * 3


# ---- PMRM

PMRM: dict[str, Any] = {
    "linear": [],
    "collateral": [],
    "spot_price": 1_000,
    "price_shock_ppm": [-100_000, 0, 100_000, 500_000],
    "damp_ppm": [PPM, PPM, PPM, 250_000],
    "skew": [0, 1, 0, 0],
    "expiries": [{"long_discount": 95 * UNIT // 100, "short_discount": 101 * UNIT // 100}],
}
SHORT = {
    "lots": -10,
    "value": 100,
    "row": [60, 104, 150, 510],
    "strike": 1_000,
    "is_call": 1,
    "basis_above": 125,
    "basis_below": 78,
}


def pmrm(options, **changes):
    return evaluate("pmrm_margin", PMRM | {"options": options} | changes)


def test_a_short_call_under_pmrm_by_hand():
    found = pmrm([SHORT], cash=3_000)
    # Debts are worth 1.01; skew counts -|discounted value at it - value now|.
    assert found["scenario_pnl"] == [394, -51, -515, -4_151]
    assert found["damped_pnl"] == [394, -51, -515, -1_038]
    assert (found["worst_pnl"], found["worst_scenario"]) == (-1_038, 3)
    assert (found["option_value"], found["mark_to_market"]) == (-1_000, 2_000)
    assert found["initial_margin"] == 2_000 - 1_038
    assert found["maintenance_margin"] == 2_000 - 831


def test_assets_are_discounted_and_skew_counts_against_longs_too():
    found = pmrm([SHORT | {"lots": 10}])
    assert found["scenario_pnl"] == [570 - 1_000, -12, 1_425 - 1_000, 4_845 - 1_000]
    assert found["worst_pnl"] == -430


def test_basis_is_the_worst_if_it_loses_more_than_any_scenario():
    terms = [{"basis_ppm": 2 * PPM}]
    flat = SHORT | {"row": [100, 100, 100, 100]}
    found = pmrm([flat], expiries=terms)
    assert (found["basis_contingency"], found["worst_pnl"]) == (-500, -500)
    assert found["worst_scenario"] == 4
    found = pmrm([flat | {"lots": 10}], expiries=terms)
    assert found["basis_contingency"] == -440


def test_perpetuals_collateral_and_contingencies_under_pmrm_by_hand():
    found = pmrm(
        [SHORT, SHORT | {"lots": 4, "strike": 1_200}, SHORT | {"lots": 2}],
        linear=[{"lots": 20, "mark_price": 1_010, "unrealised": -77}],
        collateral=[
            {"value": 5_000, "haircut_ppm": 100_000, "initial_haircut_ppm": 50_000},
            {"value": 700, "cancels_risk": 1},
        ],
        cash=10_000,
        skew=[0] * 4,
        expiries=[],
        naked_maintenance_ppm=3_000,
        naked_initial_ppm=2_000,
        linear_maintenance_ppm=15_000,
        linear_initial_ppm=5_000,
        confidence_ppm=400_000,
        confidence_rate_ppm=100_000,
        peg_ppm=900_000,
    )
    # Down 10 %: 20 * -101 of the perpetual, -70 of the collateral, 4 * 40 of four net short calls.
    assert found["scenario_pnl"] == [-1_930, -16, 1_890, 8_810]
    assert (found["naked_short_lots"], found["naked_maintenance"]) == (8, 24)
    assert (found["naked_initial"], found["linear_maintenance"]) == (16, 300)
    assert (found["linear_initial"], found["haircut"], found["initial_haircut"]) == (100, 500, 250)
    # Of sixteen options, twenty perpetuals and both assets.
    assert found["confidence_contingency"] == 960 + 1_200 + 300 + 42
    assert found["initial_factor_ppm"] == 1_160_000
    assert found["mark_to_market"] == 10_000 - 400 - 77 + 5_700
    assert found["maintenance_margin"] == 15_223 - 1_544 - 24 - 300 - 500
    initial = ceil(Fraction(1_930 * 116, 100))
    assert found["initial_margin"] == 15_223 - initial - 824 - 16 - 100 - 250 - 2_502


def test_contingencies_are_of_spot_and_gains_of_a_perpetual_of_its_own_mark():
    # One perpetual at 2,500 while spot is 3,000; who publishes is sure of it by a tenth.
    found = pmrm(
        [],
        linear=[{"lots": 1, "mark_price": 2_500, "unrealised": -610}],
        spot_price=3_000,
        price_shock_ppm=[-180_000, 180_000],
        damp_ppm=[PPM, PPM],
        skew=[0, 0],
        linear_maintenance_ppm=15_000,
        linear_initial_ppm=5_000,
        confidence_ppm=100_000,
    )
    assert found["worst_pnl"] == -450
    assert (found["linear_maintenance"], found["linear_initial"]) == (45, 15)
    assert found["confidence_contingency"] == 2_700
    assert found["maintenance_margin"] == -610 - 360 - 45
    assert found["initial_margin"] == -610 - 450 - 45 - 15 - 2_700


def test_an_account_without_risk_needs_nothing():
    found = pmrm([], cash=5)
    assert (found["initial_margin"], found["maintenance_margin"]) == (5, 5)
    assert (found["worst_pnl"], found["worst_scenario"]) == (0, -1)
