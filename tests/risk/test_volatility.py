"""Volatility models: planted parameters are found again, and margins do not chase every calm."""

import math

import numpy as np
import pytest

from risk.volatility import ewma, fit_garch, floored, log_returns


def simulated(omega, alpha, beta, count, seed, freedom=None):
    rng = np.random.default_rng(seed)
    if freedom is None:
        innovations = rng.standard_normal(count)
    else:
        innovations = rng.standard_t(freedom, count) * math.sqrt((freedom - 2) / freedom)
    variance, returns = omega / (1 - alpha - beta), np.empty(count)
    for t in range(count):
        returns[t] = math.sqrt(variance) * innovations[t]
        variance = omega + alpha * returns[t] ** 2 + beta * variance
    return returns


def test_returns_are_logarithms_of_price_ratios():
    assert log_returns([100, 110, 99]) == pytest.approx([math.log(1.1), math.log(0.9)])


@pytest.mark.parametrize("prices", [[100], [100, 0], [100, math.nan], [[1, 2]]])
def test_prices_that_have_no_returns_are_refused(prices):
    with pytest.raises(ValueError, match="price"):
        log_returns(prices)


def test_ewma_is_its_recursion():
    returns = np.random.default_rng(1).normal(0, 0.02, 60)
    variance = np.mean(returns[:25] ** 2)
    expected = [variance]
    for r in returns:
        variance = 0.94 * variance + 0.06 * r * r
        expected.append(variance)
    assert ewma(returns) ** 2 == pytest.approx(np.array(expected), rel=1e-12)


def test_garch_forecasts_are_its_recursion():
    garch = fit_garch(simulated(2e-6, 0.08, 0.9, 500, 2))
    returns = [0.01, -0.03, 0.0]
    variance = garch.long_run**2
    expected = [variance]
    for r in returns:
        variance = garch.omega + garch.alpha * (r - garch.mean) ** 2 + garch.beta * variance
        expected.append(variance)
    assert garch.deviations(returns) ** 2 == pytest.approx(np.array(expected), rel=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_garch_finds_planted_parameters_again(seed):
    omega, alpha, beta = 5e-6, 0.10, 0.85
    garch = fit_garch(simulated(omega, alpha, beta, 20_000, seed))
    assert garch.alpha == pytest.approx(alpha, abs=0.015)
    assert garch.beta == pytest.approx(beta, abs=0.025)
    assert garch.omega == pytest.approx(omega, rel=0.25)
    assert garch.long_run == pytest.approx(0.01, rel=0.06)


def test_garch_finds_fat_tails_again():
    garch = fit_garch(simulated(5e-6, 0.10, 0.85, 20_000, 4, freedom=5.0), "student")
    assert garch.freedom == pytest.approx(5, rel=0.12)
    assert garch.alpha == pytest.approx(0.10, abs=0.02)
    assert garch.beta == pytest.approx(0.85, abs=0.03)


def test_fat_tails_are_likelier_with_student_innovations_and_thin_ones_are_not():
    fat = simulated(5e-6, 0.10, 0.85, 3_000, 5, freedom=4.0)
    thin = simulated(5e-6, 0.10, 0.85, 3_000, 5)
    gains = [
        fit_garch(series, "student").log_likelihood - fit_garch(series).log_likelihood
        for series in (fat, thin)
    ]
    assert gains[0] > 50
    assert gains[1] < 5


def test_the_likelihood_is_that_of_a_normal_law_where_nothing_changes():
    returns = np.random.default_rng(7).normal(0, 0.01, 4_000)
    garch = fit_garch(returns)
    flat = -0.5 * len(returns) * (math.log(2 * math.pi * returns.var()) + 1)
    assert flat - 1 < garch.log_likelihood < flat + 6


def test_too_short_or_motionless_a_past_is_refused():
    with pytest.raises(ValueError, match="at least 100"):
        fit_garch(np.ones(99))
    with pytest.raises(ValueError, match="never move"):
        fit_garch(np.zeros(200))


def test_a_margin_volatility_rises_at_once_and_falls_by_a_tenth_a_day():
    raw = np.array([0.01, 0.05, 0.01, 0.01, 0.03])
    assert floored(raw, floor_quantile=0.0) == pytest.approx([0.01, 0.05, 0.045, 0.0405, 0.03645])


def test_a_margin_volatility_stays_above_its_long_run_quantile():
    raw = np.concatenate([np.full(50, 0.04), np.full(150, 0.01)])
    out = floored(raw, floor_quantile=0.5)
    # After a hundred days, half of them calm, the median falls, and only then the floor.
    assert out[90] == pytest.approx(0.04)
    assert out[-1] == pytest.approx(0.01)
    assert (out[1:] >= 0.9 * out[:-1] - 1e-15).all()
    assert (out >= raw).all()


def test_a_floor_uses_the_past_only():
    raw = np.random.default_rng(9).uniform(0.01, 0.05, 120)
    assert floored(raw)[:80] == pytest.approx(floored(raw[:80]))


@pytest.mark.parametrize("arguments", [{"floor_quantile": 1.5}, {"decay_ppm": 1_000_001}])
def test_floors_out_of_bounds_are_refused(arguments):
    with pytest.raises(ValueError, match="floor_quantile"):
        floored([0.1], **arguments)
