"""Value at Risk, Expected Shortfall and their tests, on planted losses with known answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.var import (
    acerbi_szekely,
    conditional_coverage,
    expected_shortfall,
    independence,
    kupiec,
    tail_count,
    value_at_risk,
)


def hits(days, *at):
    row = np.zeros(days, dtype=bool)
    row[list(at)] = True
    return row


@pytest.mark.parametrize(
    ("count", "level", "tail"),
    [
        (500, 0.975, 13),
        (500, 0.99, 5),
        (100, 0.99, 1),
        (1000, 0.99, 10),
        (10, 0.99, 1),
        (1, 0.5, 1),
    ],
)
def test_the_tail_is_what_the_level_leaves_rounded_up(count, level, tail):
    assert tail_count(count, level) == tail


def test_value_at_risk_is_the_last_loss_of_the_tail_and_shortfall_its_mean():
    losses = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
    assert value_at_risk(losses, 0.95) == 96
    assert expected_shortfall(losses, 0.95) == 98
    assert value_at_risk(losses, 0.975) == 98
    assert expected_shortfall(losses, 0.975) == 99


@given(
    losses=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200),
    level=st.sampled_from([0.5, 0.9, 0.975, 0.99]),
)
def test_shortfall_lies_between_value_at_risk_and_the_worst_loss(losses, level):
    bound, tail = value_at_risk(losses, level), expected_shortfall(losses, level)
    slack = 1e-9 * max(map(abs, losses))
    assert bound - slack <= tail <= max(losses) + slack


def test_kupiecs_ratio_is_the_one_worked_by_hand():
    # Six exceedances of 255 days at 99 %: LR = 2 [249 ln(249/255 / .99) + 6 ln(6/255 / .01)].
    expected = 2 * (249 * math.log(249 / 255 / 0.99) + 6 * math.log(6 / 255 / 0.01))
    found = kupiec(hits(255, 3, 50, 90, 140, 200, 250), 0.99)
    assert found.statistic == pytest.approx(expected)
    # One degree of freedom: p = erfc(sqrt(LR / 2)).
    assert found.p_value == pytest.approx(math.erfc(math.sqrt(expected / 2)))


def test_kupiecs_ratio_is_that_of_a_published_example():
    # P. Jorion, Value at Risk: 20 exceedances of 252 days at 95 % give LR = 3.91.
    found = kupiec(hits(252, *range(20)), 0.95)
    assert round(found.statistic, 2) == 3.91
    assert found.p_value == pytest.approx(0.0479, abs=1e-4)


@pytest.mark.parametrize(
    ("exceedances", "rejected"),
    # Kupiec's region of non-rejection at 5 %: fewer than 7 of 255.
    [(0, True), (1, False), (6, False), (7, True)],
)
def test_kupiecs_regions_of_a_year_at_99_per_cent(exceedances, rejected):
    found = kupiec(hits(255, *range(0, 2 * exceedances, 2)), 0.99)
    assert (found.p_value < 0.05) == rejected


def test_as_many_exceedances_as_promised_are_perfect():
    found = kupiec(hits(100, 7), 0.99)
    assert (found.statistic, found.p_value) == (pytest.approx(0, abs=1e-12), pytest.approx(1))


def test_days_of_nothing_but_exceedances_are_rejected():
    assert kupiec(np.ones(50, dtype=bool), 0.99).p_value < 1e-12


def test_independence_is_the_ratio_worked_by_hand():
    # 0 1 1 0 0 0 1 0 0 0 0: transitions 00: 5, 01: 2, 10: 2, 11: 1.
    row = np.array([0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], dtype=bool)
    free = 5 * math.log(5 / 7) + 2 * math.log(2 / 7) + 2 * math.log(2 / 3) + math.log(1 / 3)
    bound = 7 * math.log(7 / 10) + 3 * math.log(3 / 10)
    found = independence(row)
    assert found.statistic == pytest.approx(2 * (free - bound))
    assert found.p_value == pytest.approx(math.erfc(math.sqrt(found.statistic / 2)))


def test_clusters_are_rejected_and_the_same_number_scattered_is_not():
    clustered, scattered = hits(500, *range(100, 110)), hits(500, *range(0, 500, 50))
    assert independence(clustered).p_value < 1e-6
    assert independence(scattered).p_value > 0.4
    assert kupiec(clustered, 0.98).p_value > 0.9
    assert conditional_coverage(clustered, 0.98).p_value < 1e-5
    assert conditional_coverage(scattered, 0.98).p_value > 0.7


def test_conditional_coverage_is_the_sum_with_two_degrees():
    row = hits(300, 5, 6, 90, 200)
    both = conditional_coverage(row, 0.99)
    assert both.statistic == kupiec(row, 0.99).statistic + independence(row).statistic
    # Two degrees of freedom: p = exp(-LR / 2).
    assert both.p_value == pytest.approx(math.exp(-both.statistic / 2))
    assert both.degrees == 2


def test_without_an_exceedance_independence_cannot_tell():
    assert independence(hits(100)).p_value == 1
    assert independence(hits(100, 99)).p_value == pytest.approx(1, abs=0.9)


def test_the_tests_reject_a_true_model_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    rows = rng.random((2_000, 1_000)) < 0.025
    share = np.mean([kupiec(row, 0.975).p_value < 0.05 for row in rows])
    assert 0.03 < share < 0.07


def test_the_shortfall_test_is_its_sum():
    losses = np.array([0.0, 3.0, -1.0, 5.0])
    found = acerbi_szekely(losses, np.full(4, 2.0), np.full(4, 4.0), 0.5)
    # 1 - (3/4 + 5/4) / (4 * 0.5)
    assert found.statistic == pytest.approx(0)
    worse = acerbi_szekely(losses * 3, np.full(4, 2.0), np.full(4, 4.0), 0.5)
    assert worse.statistic == pytest.approx(-2) and worse.rejected


def test_the_shortfall_test_accepts_true_forecasts_and_rejects_half_of_them():
    rng = np.random.default_rng(3)
    losses = rng.standard_normal((200, 500))
    bound, tail = 1.959964, 2.337803
    true = [acerbi_szekely(row, bound, tail, 0.975) for row in losses]
    low = [acerbi_szekely(row, bound / 2, tail / 2, 0.975) for row in losses]
    assert np.mean([one.statistic for one in true]) == pytest.approx(0, abs=0.06)
    assert np.mean([one.rejected for one in true]) < 0.05
    assert all(one.rejected for one in low)


@pytest.mark.parametrize(
    "call",
    [
        lambda: value_at_risk([], 0.99),
        lambda: value_at_risk([1.0, math.nan], 0.99),
        lambda: value_at_risk([1.0], 1.0),
        lambda: kupiec([0, 1, 0], 0.99),
        lambda: kupiec(hits(10), 0.0),
        lambda: independence(hits(1)),
        lambda: acerbi_szekely([1.0], [1.0], [0.0], 0.99),
    ],
)
def test_what_is_no_row_of_losses_is_refused(call):
    with pytest.raises(ValueError, match="must be"):
        call()
