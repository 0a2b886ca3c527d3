"""Filtered historical simulation: days stay together, sizes become today's."""

import numpy as np
import pytest

from risk.scenarios import PriceHistory, align, ewma_correlation, filtered_scenarios
from risk.volatility import ewma, log_returns

START = np.datetime64("2020-01-01")


def walk(seed, days=400, size=0.02, common=None):
    own = np.random.default_rng(seed).normal(0, size, days - 1)
    returns = own if common is None else common
    return 100 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))


def history(prices, skip=(), volatility=None):
    days = START + np.arange(len(prices))
    keep = ~np.isin(np.arange(len(prices)), skip)
    implied = None if volatility is None else volatility[keep]
    return PriceHistory(days[keep], prices[keep], implied)


def test_days_that_one_market_lacks_are_taken_from_all():
    aligned = align({"A": history(walk(1)), "B": history(walk(2), skip=(3, 4, 100))})
    assert np.array_equal(aligned["A"].days, aligned["B"].days)
    assert len(aligned["A"].days) == 397
    assert START + 4 not in aligned["A"].days


def test_scenarios_are_of_the_same_days_for_every_underlying():
    prices = {"A": walk(1), "B": walk(2)}
    prices["A"][250:] *= 0.7
    prices["B"][250:] *= 1.2
    made = filtered_scenarios(
        {"A": history(prices["A"], skip=(30, 180)), "B": history(prices["B"], skip=(90,))}
    )
    crash = int(np.flatnonzero(made.days == START + 250)[0])
    assert made.price_ppm[:, 0].argmin() == made.price_ppm[:, 1].argmax() == crash
    assert made.price_ppm.dtype == made.volatility_ppm.dtype == np.int64


def test_a_scenario_is_the_days_return_at_todays_volatility():
    prices = walk(3)
    made = filtered_scenarios({"A": history(prices)}, 100)
    returns, forecasts = log_returns(prices), ewma(log_returns(prices))
    expected = np.expm1(returns / forecasts[:-1] * forecasts[-1])[-100:]
    assert made.price_ppm[:, 0] == pytest.approx(np.rint(expected * 1e6), abs=1)
    assert made.days[-1] == START + 399
    changes = (forecasts[1:] / forecasts[:-1] - 1)[-100:]
    assert made.volatility_ppm[:, 0] == pytest.approx(np.rint(changes * 1e6), abs=1)


def test_a_calm_past_gives_shocks_of_todays_size():
    rng = np.random.default_rng(4)
    returns = np.concatenate([rng.normal(0, 0.01, 300), rng.normal(0, 0.05, 60)])
    made = filtered_scenarios({"A": history(walk(0, 361, common=returns))}, 330)
    calm = made.price_ppm[:250, 0] / 1e6
    assert calm.std() == pytest.approx(float(made.deviations[0]), rel=0.25)
    assert made.deviations[0] > 0.03


def test_an_implied_volatility_gives_the_volatility_shocks():
    implied = np.full(400, 0.5)
    implied[300:] = 0.8
    made = filtered_scenarios({"A": history(walk(5), volatility=implied)})
    assert made.volatility_ppm[:, 0].max() == 600_000
    assert made.days[made.volatility_ppm[:, 0].argmax()] == START + 300
    assert np.count_nonzero(made.volatility_ppm) == 1


@pytest.mark.parametrize("model", ["ewma", "garch"])
def test_at_most_the_count_and_only_what_the_past_holds(model):
    made = filtered_scenarios({"A": history(walk(6))}, 500, model=model)
    assert len(made.days) == 399 - 25
    assert len(filtered_scenarios({"A": history(walk(6))}, 7, model=model).days) == 7


def test_a_given_volatility_and_a_longer_horizon_scale_the_shocks():
    series = {"A": history(walk(7))}
    one = filtered_scenarios(series, 50, deviations={"A": 0.01})
    four = filtered_scenarios(series, 50, deviations={"A": 0.01}, horizon_days=4)
    logs = [np.log1p(made.price_ppm[:, 0] / 1e6) for made in (one, four)]
    assert logs[1] == pytest.approx(2 * logs[0], abs=3e-6)


def test_shocks_stay_in_the_laws_bounds():
    prices = walk(8)
    prices[200:] *= 1e6
    prices[300:] /= 1e6
    made = filtered_scenarios({"A": history(prices)}, deviations={"A": 5.0})
    assert made.price_ppm.min() >= -999_999
    assert made.price_ppm.max() == 10_000_000


def test_correlation_is_found_and_weighs_the_last_days_most():
    rng = np.random.default_rng(10)
    first, noise = rng.standard_normal((2, 4_000))
    joint = np.column_stack([first, 0.6 * first + 0.8 * noise])
    assert ewma_correlation(joint, 0.999)[0, 1] == pytest.approx(0.6, abs=0.05)
    turned = np.vstack([joint, joint * [1, -1]])
    assert ewma_correlation(turned, 0.99)[0, 1] < -0.4
    matrix = ewma_correlation(rng.standard_normal((300, 5)))
    assert np.allclose(matrix, matrix.T) and np.array_equal(np.diag(matrix), np.ones(5))
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_the_correlation_of_the_scenarios_is_that_of_the_standardised_days():
    common = np.random.default_rng(11).normal(0, 0.02, 399)
    twins = {"A": history(walk(0, common=common)), "B": history(walk(0, common=-common))}
    assert filtered_scenarios(twins).correlation[0, 1] == pytest.approx(-1)


@pytest.mark.parametrize(
    ("series", "arguments", "word"),
    [
        ({}, {}, "at least one"),
        ({"A": history(walk(1, 20))}, {}, "too few"),
        ({"A": history(np.full(100, 5.0))}, {}, "does not move"),
        ({"A": history(walk(1))}, {"count": 501}, "count"),
        ({"A": history(walk(1))}, {"model": "magic"}, "model"),
        ({"A": history(walk(1))}, {"horizon_days": 0}, "horizon"),
    ],
)
def test_what_gives_no_scenarios_is_refused(series, arguments, word):
    with pytest.raises(ValueError, match=word):
        filtered_scenarios(series, **arguments)


def test_histories_without_common_days_are_refused():
    late = PriceHistory(START + 1000 + np.arange(50), walk(1, 50))
    with pytest.raises(ValueError, match="in common"):
        align({"A": history(walk(1)), "B": late})


@pytest.mark.parametrize(
    ("days", "prices"),
    [([0, 0], [1.0, 2.0]), ([1, 0], [1.0, 2.0]), ([0, 1], [1.0, 0.0]), ([0], [])],
)
def test_an_illegal_history_is_refused(days, prices):
    with pytest.raises(ValueError, match="day"):
        PriceHistory(START + np.array(days), np.array(prices))
