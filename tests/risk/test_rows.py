"""Risk rows: near the model, and legal in exact integers whatever the strikes and the smile."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import grid as law
from risk import black76
from risk.chain import read_chain
from risk.grid import CENTRE, POINTS, STRESS_GRID, VOLATILITY_LEVELS, span_grid
from risk.rows import EPSILON, option_rows, row_faults
from risk.surface import fit_surface
from tests.risk.market import SPX_CHAINS

FORWARD = 2_040_000_000  # one lot of an index at 2,040
DISCOUNT = 998_612_000
YEARS = 58 / 365


def both_sides(strikes):
    strikes = np.asarray(strikes, dtype=np.int64)
    return np.repeat(strikes, 2), np.tile([True, False], len(strikes))


def test_values_are_black_76_rounded_to_nearest_on_a_flat_smile():
    strike, is_call = both_sides(np.arange(1000, 3000, 25) * 1_000_000)
    rows = option_rows(FORWARD, DISCOUNT, YEARS, strike, is_call, np.full(len(strike), 0.2))
    assert rows.values.shape == (len(strike), 33) and rows.values.dtype == np.int64
    model = black76.price(FORWARD, strike, YEARS, 0.2, DISCOUNT / 1e9, is_call)
    assert np.abs(rows.marks - model).max() <= 0.5 + 1e-5
    assert rows.repair.max() <= 1
    assert not row_faults(rows)


def test_a_point_shocks_the_forward_and_the_volatility():
    strike, is_call = both_sides([1_900_000_000, 2_040_000_000, 2_200_000_000])
    sigma = np.full(6, 0.25)
    shocks = (-300_000, 0, 600_000)
    rows = option_rows(FORWARD, DISCOUNT, YEARS, strike, is_call, sigma, volatility_shocks=shocks)
    for at, point in enumerate(STRESS_GRID):
        moved = FORWARD * (1 + point.price_ppm / 1e6)
        shocked = 0.25 * (1 + shocks[point.volatility] / 1e6)
        model = black76.price(moved, strike, YEARS, shocked, DISCOUNT / 1e9, is_call)
        assert np.abs(rows.values[:, at] - model).max() <= 1


def test_the_default_volatility_shocks_are_those_of_the_days_to_expiry():
    arguments = (FORWARD, DISCOUNT, 30 / 365, [FORWARD], [True], [0.2])
    default = option_rows(*arguments)
    spelled = option_rows(*arguments, volatility_shocks=(-275_000, 0, 500_000))
    assert np.array_equal(default.values, spelled.values)


def test_a_lone_option_is_rounded_to_nearest():
    rows = option_rows(FORWARD, DISCOUNT, YEARS, [2_100_000_000], [True], [0.2])
    model = black76.price(FORWARD, 2_100_000_000, YEARS, 0.2, DISCOUNT / 1e9, True)
    assert abs(int(rows.marks[0]) - float(model)) <= 0.5


def test_a_smile_full_of_arbitrage_still_gives_legal_rows_and_says_so():
    strike, is_call = both_sides(np.arange(1500, 2600, 50) * 1_000_000)
    wild = np.repeat(np.random.default_rng(5).uniform(0.05, 1.5, len(strike) // 2), 2)
    rows = option_rows(FORWARD, DISCOUNT, YEARS, strike, is_call, wild)
    assert not row_faults(rows)
    assert rows.repair[CENTRE] > 10_000_000


@settings(max_examples=60, deadline=None)
@given(
    forward=st.integers(10**5, 10**11),
    discount=st.integers(500_000_000, 1_100_000_000),
    years=st.floats(1 / 3650, 5),
    strikes=st.lists(st.integers(1, 400), min_size=1, max_size=25, unique=True),
    step=st.integers(1_000, 10**9),
    data=st.data(),
)
def test_rows_are_legal_for_any_strikes_and_volatilities(
    forward, discount, years, strikes, step, data
):
    strike, is_call = both_sides([multiple * step for multiple in strikes])
    sigma = data.draw(st.lists(st.floats(0.01, 3), min_size=len(strikes), max_size=len(strikes)))
    rows = option_rows(forward, discount, years, strike, is_call, np.repeat(sigma, 2))
    assert not row_faults(rows)
    assert rows.values.min() >= 0


@pytest.mark.parametrize(
    ("option", "point", "change", "word"),
    [
        (2, CENTRE, 100_000_000, "convex"),
        (0, CENTRE, -200_000_000, "intrinsic"),
        (5, 0, 3_000_000_000, "monotone"),
        (4, 32, 10, "parity"),
    ],
)
def test_the_check_of_rows_sees_a_broken_value(option, point, change, word):
    strike, is_call = both_sides([1_700_000_000, 1_800_000_000, 2_000_000_000, 2_400_000_000])
    rows = option_rows(FORWARD, DISCOUNT, YEARS, strike, is_call, np.full(8, 0.2))
    assert not row_faults(rows)
    values = rows.values.copy()
    values[option, point] += change
    assert any(word in fault for fault in row_faults(replace(rows, values=values)))


def test_spans_points_are_valued_as_well():
    rows = option_rows(
        FORWARD, DISCOUNT, YEARS, [FORWARD], [True], [0.2], points=span_grid(120_000)
    )
    assert rows.values.shape == (1, 16)
    up_up, up_down = rows.values[0, [10, 11]]
    assert up_up > up_down > rows.values[0, 1]


def test_the_laws_own_checks_accept_the_rows():
    strike, is_call = both_sides(np.arange(1500, 2600, 50) * 1_000_000)
    smile = 0.2 + 0.3 * np.log(strike / FORWARD) ** 2
    rows = option_rows(FORWARD, DISCOUNT, YEARS, strike, is_call, smile)
    shocks = np.array([point.price_ppm for point in STRESS_GRID])
    for call in (True, False):
        own = rows.values[is_call == call]
        listed = [int(k) for k in strike[is_call == call]]
        for k, row in zip(listed, own, strict=True):
            assert law.check_row_bounds(row, 33, call, k, FORWARD, DISCOUNT, shocks, EPSILON) == -1
        for at in range(len(listed) - 1):
            gap = listed[at + 1] - listed[at]
            assert (
                law.check_strike_pair(own[at], own[at + 1], 33, call, gap, DISCOUNT, EPSILON) == -1
            )
        for at in range(len(listed) - 2):
            low, middle, high = listed[at : at + 3]
            assert (
                law.check_strike_neighbours(
                    low, own[at], middle, own[at + 1], high, own[at + 2], 33, EPSILON
                )
                == -1
            )
    for at in range(0, len(strike), 2):
        assert law.check_parity(
            rows.values[at], rows.values[at + 1], 33, int(strike[at]), FORWARD, DISCOUNT, shocks,
            EPSILON,
        ) == -1  # fmt: skip


def test_the_presets_have_the_structure_of_the_law():
    assert (POINTS, CENTRE, VOLATILITY_LEVELS) == (law.POINTS, law.CENTRE, law.VOLATILITY_LEVELS)
    assert all(abs(point.price_ppm) <= law.SHOCK_MAX for point in STRESS_GRID)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"forward": 0}, "forward"),
        ({"discount": 0}, "discount"),
        ({"years": 0.0}, "years"),
        ({"strike": [0, 5]}, "strikes"),
        ({"strike": [7, 7]}, "stands twice"),
        ({"is_call": [1, 0]}, "boolean"),
        ({"volatility": [0.2, math.nan]}, "volatility"),
        ({"volatility": [0.2]}, "length"),
        ({"strike": [7, 7], "is_call": [True, False], "volatility": [0.2, 0.3]}, "same volatility"),
        ({"forward": 1 << 48}, "smaller lot"),
    ],
)
def test_an_argument_out_of_bounds_is_named(change, word):
    legal = {
        "forward": 100,
        "discount": DISCOUNT,
        "years": 0.5,
        "strike": [90, 110],
        "is_call": [True, True],
        "volatility": [0.2, 0.2],
    }
    with pytest.raises(ValueError, match=word):
        option_rows(**(legal | change))


@pytest.mark.parametrize("path", SPX_CHAINS, ids=lambda path: path.name[12:22])
def test_the_real_chains_give_legal_rows_close_to_their_surface(path):
    chain = read_chain(path)
    surface = fit_surface(chain)
    for terms in chain.terms:
        at = chain.rows_of(terms)
        strike = np.rint(chain.strike[at] * 1_000_000).astype(np.int64)
        rows = option_rows(
            round(terms.forward * 1_000_000),
            round(terms.discount * 1e9),
            terms.years,
            strike,
            chain.is_call[at],
            surface.volatility(chain.strike[at], terms.years),
        )
        assert not row_faults(rows)
        # Of 2,040 quote: half a one at the mark, where five parameters meet stale quotes, and five
        # under a volatility shock that lets the smile itself cross its own wings.
        assert rows.repair[CENTRE] < 500_000
        assert rows.repair.max() < 5_000_000
