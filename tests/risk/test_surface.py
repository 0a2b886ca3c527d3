"""Volatility surfaces: what was planted is found, and nothing in them is free."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from risk.black76 import price
from risk.chain import ChainError, read_chain, years_between
from risk.smile import SVI, butterfly_minimum, check_range, fit_smile
from risk.surface import fit_surface
from tests.risk.market import SPX_CHAINS

DAY = date(2020, 3, 16)
SPOT = 2386.0
EXPIRIES = [date(2020, 4, 17), date(2020, 6, 19), date(2020, 12, 18)]


def planted_volatility(strike, years):
    moneyness = math.log(strike / SPOT) / math.sqrt(years)
    return 0.45 - 0.12 * moneyness + 0.06 * moneyness**2


def lines(expiry, strikes):
    years = years_between(DAY, expiry)
    for strike in strikes:
        for right in "CP":
            sigma = planted_volatility(strike, years)
            value = price(SPOT, strike, years, sigma, 1.0, right == "C")
            yield f"{expiry:%Y%m%d},{strike},{right},{float(value):.6f}"


def chain_of(tmp_path, *groups):
    path = tmp_path / "chain_2020-03-16.csv"
    rows = [line for expiry, strikes in groups for line in lines(expiry, strikes)]
    path.write_text("\n".join(["expiry,strike,right,close", *rows]))
    return read_chain(path)


STRIKES = range(1400, 3400, 50)


def test_planted_volatilities_are_found_again(tmp_path):
    surface = fit_surface(chain_of(tmp_path, *((expiry, STRIKES) for expiry in EXPIRIES)))
    for expiry in EXPIRIES:
        years = years_between(DAY, expiry)
        for strike in (1800, 2100, 2386, 2600, 2900):
            found = float(surface.volatility(strike, years))
            assert found == pytest.approx(planted_volatility(strike, years), abs=0.004)
    assert min(surface.butterfly()) > -1e-3
    assert min(surface.calendar()) > -1e-5


def test_total_variance_is_straight_in_time_between_expiries(tmp_path):
    surface = fit_surface(chain_of(tmp_path, *((expiry, STRIKES) for expiry in EXPIRIES)))
    first, second, _ = (one.terms.years for one in surface.slices)
    for k in (-0.3, 0.0, 0.2):
        low, middle, high = surface.total_variance(
            k, np.array([first, (first + second) / 2, second])
        )
        assert middle == pytest.approx((low + high) / 2)


def test_before_the_first_expiry_and_after_the_last_volatility_is_the_nearest(tmp_path):
    surface = fit_surface(chain_of(tmp_path, *((expiry, STRIKES) for expiry in EXPIRIES)))
    first, last = surface.slices[0].terms.years, surface.slices[-1].terms.years
    for at, beyond in ((first, first / 10), (last, last * 3)):
        inside = surface.total_variance(0.1, at) / at
        assert surface.total_variance(0.1, beyond) / beyond == pytest.approx(float(inside))


def test_a_single_expiry_is_a_surface(tmp_path):
    surface = fit_surface(chain_of(tmp_path, (EXPIRIES[1], STRIKES)))
    years = years_between(DAY, EXPIRIES[1])
    found = float(surface.volatility(2386, years))
    assert found == pytest.approx(planted_volatility(2386, years), abs=0.004)
    assert np.isfinite(surface.volatility([100, 2386, 90000], [0.01, 1.0, 4.0])).all()


def test_an_expiry_with_few_quotes_borrows_the_shape_of_its_neighbour(tmp_path):
    surface = fit_surface(chain_of(tmp_path, (EXPIRIES[0], [2300, 2400]), (EXPIRIES[1], STRIKES)))
    few, full = surface.slices
    assert (few.borrowed, few.quotes, full.borrowed) == (True, 2, False)
    years = few.terms.years
    found = float(surface.volatility(2350, years))
    assert found == pytest.approx(planted_volatility(2350, years), abs=0.02)


def test_with_two_quotes_in_all_the_surface_is_flat(tmp_path):
    surface = fit_surface(chain_of(tmp_path, (EXPIRIES[0], [2386])))
    one, other = surface.volatility([2000, 2800], 0.3)
    assert one == pytest.approx(float(other))
    assert one == pytest.approx(0.45, abs=0.01)


def test_a_chain_whose_quotes_tell_no_volatility_is_refused(tmp_path):
    chain = chain_of(tmp_path, (EXPIRIES[0], [2386]))
    worthless = replace(chain, price=chain.price * 100)
    with pytest.raises(ChainError, match="volatility"):
        fit_surface(worthless)


@pytest.mark.parametrize("arguments", [(0.0, 0.5), (2000.0, 0.0)])
def test_a_strike_or_time_out_of_bounds_is_refused(tmp_path, arguments):
    surface = fit_surface(chain_of(tmp_path, (EXPIRIES[0], STRIKES)))
    with pytest.raises(ValueError, match="above 0"):
        surface.volatility(*arguments)


def test_a_smile_that_is_arbitrage_is_told_from_one_that_is_not():
    flat = SVI(0.04, 0.0, 0.0, 0.0, 1.0)
    steep = SVI(0.001, 1.5, -0.5, 0.0, 0.05)
    assert butterfly_minimum(flat, check_range(flat)) == pytest.approx(1.0)
    assert butterfly_minimum(steep, np.linspace(-1, 1, 101)) < 0


def test_a_fitted_smile_stays_above_the_earlier_one():
    k = np.linspace(-0.2, 0.2, 15)
    earlier = SVI(0.05, 0.02, -0.3, 0.0, 0.2)
    # Quotes of less total variance than the earlier expiry has.
    later = fit_smile(k, np.full(15, 0.2), np.ones(15), 0.5, earlier)
    grid = check_range(earlier)
    assert (later.variance(grid) - earlier.variance(grid)).min() > -1e-4


@pytest.mark.parametrize("path", SPX_CHAINS, ids=lambda path: path.name[12:22])
def test_the_real_chains_give_surfaces_near_their_quotes_and_free_of_arbitrage(path):
    surface = fit_surface(read_chain(path))
    # Five parameters cannot follow every stale quote far out: up to 1.6 volatility points.
    assert max(one.error for one in surface.slices) < 0.02
    assert min(surface.butterfly()) > -1e-3
    assert min(surface.calendar()) > -1e-5
    at_the_money = [float(surface.volatility(2040, one.terms.years)) for one in surface.slices]
    assert all(0.13 < sigma < 0.21 for sigma in at_the_money)
