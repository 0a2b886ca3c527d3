"""Black-76 against what must hold of any price, finite differences and known values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.black76 import greeks, implied_volatility, price, spot_greeks

CASES = [
    # forward, strike, years, volatility, discount
    (100.0, 100.0, 0.5, 0.2, 0.99),
    (100.0, 80.0, 1.0, 0.35, 0.95),
    (100.0, 130.0, 0.25, 0.5, 1.0),
    (2040.0, 1500.0, 0.1, 0.4, 0.999),
    (60000.0, 90000.0, 2.0, 0.9, 1.02),
]
SIDES = [True, False]


def central(function, at, step):
    return (function(at + step) - function(at - step)) / (2 * step)


def test_the_price_of_hulls_example_is_what_the_textbook_says():
    # J. Hull, options on futures: a put, F = K = 20, r = 9 %, s = 25 %, four months: 1.12.
    value = price(20, 20, 4 / 12, 0.25, math.exp(-0.09 * 4 / 12), False)
    assert round(float(value), 2) == 1.12


def test_the_spot_price_of_hulls_example_is_what_the_textbook_says():
    # S = 42, K = 40, r = 10 %, s = 20 %, half a year: call 4.76, put 0.81.
    call = spot_greeks(42, 40, 0.5, 0.2, 0.1, 0.0, True)
    put = spot_greeks(42, 40, 0.5, 0.2, 0.1, 0.0, False)
    assert (round(float(call.price), 2), round(float(put.price), 2)) == (4.76, 0.81)


@pytest.mark.parametrize("case", CASES)
def test_a_call_less_a_put_is_the_discounted_forward_less_the_strike(case):
    forward, strike, years, volatility, discount = case
    call, put = price(forward, strike, years, volatility, discount, SIDES)
    parity = call - put
    assert parity == pytest.approx(discount * (forward - strike), rel=1e-13, abs=1e-11)


@pytest.mark.parametrize("is_call", SIDES)
@pytest.mark.parametrize("case", CASES)
def test_greeks_of_the_forward_are_the_finite_differences_of_the_price(case, is_call):
    f, k, t, s, d = case
    rate = -math.log(d) / t
    g = greeks(f, k, t, s, d, is_call)
    h = 1e-4 * f

    def at(forward=f, years=t, sigma=s, zero=rate):
        return greeks(forward, k, years, sigma, math.exp(-zero * years), is_call)

    close = {"rel": 2e-6, "abs": 1e-9 * f}
    assert g.price == pytest.approx(price(f, k, t, s, d, is_call))
    assert g.delta == pytest.approx(central(lambda x: at(forward=x).price, f, h), **close)
    assert g.gamma == pytest.approx(central(lambda x: at(forward=x).delta, f, h), rel=2e-6)
    assert g.vega == pytest.approx(central(lambda x: at(sigma=x).price, s, 1e-4), **close)
    assert g.theta == pytest.approx(-central(lambda x: at(years=x).price, t, 1e-5), **close)
    assert g.rho == pytest.approx(central(lambda x: at(zero=x).price, rate, 1e-4), **close)
    assert g.vanna == pytest.approx(central(lambda x: at(sigma=x).delta, s, 1e-5), rel=2e-6)
    assert g.volga == pytest.approx(central(lambda x: at(sigma=x).vega, s, 1e-5), **close)


@pytest.mark.parametrize("is_call", SIDES)
@pytest.mark.parametrize("case", CASES)
def test_greeks_of_the_spot_are_the_finite_differences_of_the_price(case, is_call):
    s0, k, t, s, _ = case
    rate, dividends = 0.04, 0.015

    def at(spot=s0, years=t, sigma=s, r=rate):
        return spot_greeks(spot, k, years, sigma, r, dividends, is_call)

    g, h = at(), 1e-4 * s0
    close = {"rel": 2e-6, "abs": 1e-9 * s0}
    assert g.delta == pytest.approx(central(lambda x: at(spot=x).price, s0, h), **close)
    assert g.gamma == pytest.approx(central(lambda x: at(spot=x).delta, s0, h), rel=2e-6)
    assert g.vega == pytest.approx(central(lambda x: at(sigma=x).price, s, 1e-4), **close)
    assert g.theta == pytest.approx(-central(lambda x: at(years=x).price, t, 1e-5), **close)
    assert g.rho == pytest.approx(central(lambda x: at(r=x).price, rate, 1e-4), **close)
    assert g.vanna == pytest.approx(central(lambda x: at(sigma=x).delta, s, 1e-5), rel=2e-6)
    assert g.volga == pytest.approx(central(lambda x: at(sigma=x).vega, s, 1e-5), **close)


@given(
    forward=st.floats(1e-3, 1e6),
    moneyness=st.floats(-2.0, 2.0),
    years=st.floats(1 / 365, 10),
    volatility=st.floats(0.01, 4.0),
    rate=st.floats(-0.05, 0.2),
    is_call=st.booleans(),
)
def test_the_implied_volatility_gives_the_price_back(
    forward, moneyness, years, volatility, rate, is_call
):
    strike, discount = forward * math.exp(moneyness), math.exp(-rate * years)
    terms = (forward, strike, years)
    value = price(*terms, volatility, discount, is_call)
    if value < discount * (forward if is_call else strike):
        found = implied_volatility(value, *terms, discount, is_call)
        again = price(*terms, found, discount, is_call)
        assert again == pytest.approx(float(value), rel=1e-10, abs=1e-12 * max(forward, strike))


def test_the_implied_volatility_is_found_exactly_far_from_the_money():
    strikes = 100 * np.exp(np.linspace(-1.5, 1.5, 61))
    sigma = np.linspace(0.15, 2.0, 40)[:, None]
    value = price(100, strikes, 0.5, sigma, 0.98, strikes >= 100)
    found = implied_volatility(value, 100, strikes, 0.5, 0.98, strikes >= 100)
    assert found == pytest.approx(np.broadcast_to(sigma, found.shape), rel=1e-10)


def test_a_price_at_intrinsic_has_no_volatility_and_one_below_is_refused():
    assert implied_volatility(20 * 0.99, 120, 100, 1.0, 0.99, True) == 0
    with pytest.raises(ValueError, match=r"element 1.*intrinsic value 19\.8"):
        implied_volatility([25, 19.5], 120, 100, 1.0, 0.99, True)
    with pytest.raises(ValueError, match=r"below 118\.8"):
        implied_volatility(118.8, 120, 100, 1.0, 0.99, True)
    loose = implied_volatility([25, 19.5, 118.8, math.nan], 120, 100, 1, 0.99, True, strict=False)
    assert np.isnan(loose).tolist() == [False, True, True, True]


def test_without_volatility_or_time_an_option_is_its_intrinsic_value():
    assert price(120, 100, 1.0, 0.0, 0.9, [True, False]).tolist() == pytest.approx([18, 0])
    assert price([100, 90], 100, 0.0, 0.3, 1.0, False).tolist() == pytest.approx([0, 10])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((0, 100, 1, 0.2, 1, True), "forward"),
        ((100, -1, 1, 0.2, 1, True), "strike"),
        ((100, 100, -1, 0.2, 1, True), "years"),
        ((100, 100, 1, math.nan, 1, True), "volatility"),
        ((100, 100, 1, 0.2, math.inf, True), "discount"),
        ((100, 100, 1, 0.2, 1, 1), "is_call"),
    ],
)
def test_an_argument_out_of_its_domain_is_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        price(*arguments)


def test_greeks_at_expiry_are_refused():
    with pytest.raises(ValueError, match="years"):
        greeks(100, 100, 0, 0.2, 1, True)
