"""Funding as other venues reckon it, against numbers worked by hand and exact fractions."""

from fractions import Fraction
from math import ceil, floor, trunc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clearing.formulas import evaluate
from clearing.units import PPM, PRICE_MAX

HOUR = 3_600_000
DAY = 24 * HOUR
YEAR = 365 * DAY
PPB = 10**9
prices = st.integers(1, PRICE_MAX)
sizes = st.integers(0, 1 << 13)


def one(name, **arguments):
    (value,) = evaluate(name, arguments).values()
    return value


def clamp(value, low, high):
    return max(low, min(high, value))


def impact_price(levels, notional, is_bid):
    rows = [{"price": price, "lots": lots} for price, lots in levels]
    arguments = {"levels": rows, "impact_notional": notional, "is_bid": is_bid}
    return tuple(evaluate("impact_price", arguments).values())


@pytest.mark.parametrize(
    ("levels", "notional", "is_bid", "expected"),
    [
        ([(100, 10)], 1_000, 1, (100, True)),
        ([(100, 10)], 1_001, 1, (0, False)),
        ([], 1, 1, (0, False)),
        # 1_000 at 100 and 450 at 90 are 15 lots for 1_450: 96.67 each.
        ([(100, 10), (90, 10)], 1_450, 1, (96, True)),
        ([(100, 10), (90, 10)], 1_450, 0, (97, True)),
        ([(100, 0), (90, 10)], 90, 1, (90, True)),
    ],
)
def test_an_impact_price_is_the_mean_of_walking_the_book(levels, notional, is_bid, expected):
    assert impact_price(levels, notional, is_bid) == expected


@given(st.lists(st.tuples(prices, sizes), max_size=5), st.integers(1, 1 << 61), st.booleans())
@example([(1, 0), (61, 1)], 5, False)
def test_an_impact_price_is_exact(levels, notional, is_bid):
    left, base = Fraction(notional), Fraction(0)
    for price, lots in levels:
        taken = min(left, Fraction(price * lots))
        left -= taken
        base += taken / price
        if left == 0:
            break
    expected = (0, False)
    if left == 0:
        expected = (floor(notional / base) if is_bid else ceil(notional / base), True)
    assert impact_price(levels, notional, int(is_bid)) == expected


@pytest.mark.parametrize(
    ("bid", "ask", "premium"),
    [(100_500, 101_000, 5_000_000), (98_000, 99_000, -10_000_000), (99_000, 101_000, 0)],
)
def test_a_premium_is_zero_inside_the_spread(bid, ask, premium):
    book = {"impact_bid": bid, "impact_ask": ask, "index_price": 100_000}
    assert one("funding_premium", **book) == premium


@given(prices, prices, prices)
def test_a_premium_is_cut_towards_zero(bid, ask, index):
    exact = trunc(Fraction((max(0, bid - index) - max(0, index - ask)) * PPB, index))
    if abs(exact) <= 1 << 60:
        assert exact == one("funding_premium", impact_bid=bid, impact_ask=ask, index_price=index)


@pytest.mark.parametrize(
    ("samples", "least", "default", "rate"),
    [
        ([1_000] * 60, 60, 0, 1_000),
        # Missing minutes count as zero.
        ([1_000] * 30, 60, 0, 500),
        ([1_000] * 30, 60, 100, 600),
        ([-5, -6], 0, 0, -5),
        ([5, 6], 0, 0, 5),
        # 600 % of 5 % less 3 %.
        ([900_000], 0, 0, 120_000),
        ([-900_000], 0, 0, -120_000),
    ],
)
def test_the_dydx_rate_is_the_padded_mean_within_its_clamp(samples, least, default, rate):
    assert rate == one(
        "funding_rate_dydx",
        premium_samples=samples,
        samples_min=least,
        default_funding_ppm=default,
        initial_ppm=50_000,
        maintenance_ppm=30_000,
    )


def test_the_bound_of_the_dydx_rate_is_cut():
    # One ppm between the margins, times one and a half.
    terms = {"initial_ppm": 3, "maintenance_ppm": 2, "clamp_factor_ppm": 1_500_000}
    assert one("funding_rate_dydx", premium_samples=[900], samples_min=0, **terms) == 1
    assert one("funding_rate_dydx", premium_samples=[-900], samples_min=0, **terms) == -1


@given(st.integers(-PPM, PPM), st.integers(1, 1 << 40), st.integers(0, 1 << 20))
def test_the_dydx_index_change_is_cut_towards_zero(rate, price, elapsed):
    exact = trunc(Fraction(rate * price * elapsed, 28_800))
    got = one("funding_index_change_dydx", rate_ppm=rate, price=price, elapsed_seconds=elapsed)
    assert got == exact


def test_an_hour_of_a_tenth_of_a_percent_costs_an_eighth_of_it():
    change = one(
        "funding_index_change_dydx", rate_ppm=1_000, price=30_000_000_000, elapsed_seconds=3_600
    )
    long = {"lots": 2, "index_change": change}
    assert one("funding_settlement", positions=[long]) == -2 * 3_750_000
    assert one("funding_settlement", positions=[{**long, "lots": -2}]) == 2 * 3_750_000


moves = st.tuples(st.integers(-(1 << 47), 1 << 47), st.integers(-(1 << 30), 1 << 30))


@given(st.lists(moves, max_size=8))
def test_a_settlement_rounds_the_sum_down(positions):
    rows = [{"lots": lots, "index_change": change} for lots, change in positions]
    exact = floor(Fraction(-sum(lots * change for lots, change in positions), PPM))
    assert one("funding_settlement", positions=rows) == exact


def test_two_sides_of_a_settlement_never_receive_more_than_is_paid():
    row = {"lots": 3, "index_change": 333_333}
    pays = one("funding_settlement", positions=[row])
    receives = one("funding_settlement", positions=[{**row, "lots": -3}])
    assert (pays, receives) == (-1, 0)


@pytest.mark.parametrize(
    ("premium", "rate", "hourly"),
    [
        # 0.05 % premium: interest pulls by at most 0.05 %, here 0.04 %.
        (500_000, 100_000, 12_500),
        (0, 100_000, 12_500),
        (1_000_000, 500_000, 62_500),
        (-1_000_000, -500_000, -62_500),
        (500_000_000, 499_500_000, 40_000_000),
    ],
)
def test_the_hyperliquid_rate_is_pulled_to_the_interest(premium, rate, hourly):
    result = evaluate("funding_rate_hyperliquid", {"premium_ppb": premium})
    assert result == {"rate_ppb": rate, "hourly_rate_ppb": hourly}


@pytest.mark.parametrize(
    ("bid", "ask", "rate"),
    [
        # Half a percent over eight hours, and 0.00125 % an hour.
        (100_500, 101_000, 625_000 + 12_500),
        (99_900, 100_100, 12_500),
        (98_000, 99_000, -1_250_000 + 12_500),
        (150_000, 160_000, 4_000_000),
        (40_000, 50_000, -4_000_000),
    ],
)
def test_the_derive_rate_is_an_eighth_of_the_premium_and_interest(bid, ask, rate):
    book = {"impact_bid": bid, "impact_ask": ask, "index_price": 100_000}
    assert one("funding_premium_derive", **book) == rate


@pytest.mark.parametrize(
    ("changes", "payment"),
    [
        ({}, 10_000),
        # Interest of 1 % a year over half a year, clamped to 0.2 %.
        ({"interest_ppm": 10_000, "clamp_high_ppm": 2_000, "clamp_low_ppm": -2_000}, 8_000),
        ({"interest_ppm": 10_000, "clamp_high_ppm": PPM, "clamp_low_ppm": -PPM}, 5_000),
        ({"auction_ms": YEAR // 8}, 7_500),
        ({"auction_ms": YEAR}, 0),
        ({"scaling_ppm": 500_000}, 5_000),
        ({"rate_high_ppm": 3_000}, 3_000),
        ({"mark_twap": 990_000}, -10_000),
        ({"mark_twap": 990_000, "rate_low_ppm": -3_000}, -3_000),
    ],
)
def test_the_vega_payment_is_the_gap_with_clamped_interest(changes, payment):
    arguments = {"mark_twap": 1_010_000, "index_twap": 1_000_000, "elapsed_ms": YEAR // 2}
    assert one("funding_payment_vega", **(arguments | changes)) == payment


shares = st.integers(-PPM, PPM)


@given(prices, prices, shares, st.integers(1, 1 << 40), shares, shares)
def test_the_vega_payment_is_exact_but_for_whole_micro_quote(mark, index, rate, elapsed, a, b):
    low, high = min(a, b), max(a, b)
    interest = (1 + Fraction(rate * elapsed, PPM * YEAR)) * index - mark
    exact = mark - index + clamp(interest, Fraction(low * index, PPM), Fraction(high * index, PPM))
    got = one(
        "funding_payment_vega",
        mark_twap=mark,
        index_twap=index,
        interest_ppm=rate,
        elapsed_ms=elapsed,
        clamp_low_ppm=low,
        clamp_high_ppm=high,
    )
    # The rate itself is bounded by a thousand times the index.
    assert abs(got - clamp(exact, -1_000 * index, 1_000 * index)) < 1


@pytest.mark.parametrize(
    ("mark", "rate"),
    [
        # (100.5 - 100 + 0.02) / 24 in 1e-3 micro-quote.
        (100_500_000, 21_666_666),
        (99_500_000, -20_000_000),
        (200_000_000, 125_000_000),
        (1, -125_000_000),
    ],
)
def test_the_drift_rate_is_a_day_th_of_the_clamped_spread(mark, rate):
    arguments = {"mark_twap": mark, "oracle_twap": 100_000_000, "divergence_max_ppm": 30_000}
    assert one("funding_rate_drift", **arguments) == rate


@pytest.mark.parametrize(
    ("skew", "velocity", "rate"),
    [(50, 45_000_000, 22_500_000), (-50, -45_000_000, -22_500_000), (900, 90_000_000, 45_000_000)],
)
def test_the_synthetix_rate_moves_with_the_skew(skew, velocity, rate):
    result = evaluate(
        "funding_velocity_synthetix",
        {"skew": skew, "skew_scale": 100, "velocity_max_ppb": 90_000_000, "elapsed_ms": DAY // 2},
    )
    assert result == {"velocity_ppb": velocity, "rate_ppb": rate}


def test_what_accrues_is_the_mean_of_both_rates():
    # From 1 % to 3 % a day over half a day at 1_000 quote: 1 %.
    owed = one(
        "funding_accrued_synthetix",
        last_rate_ppb=10_000_000,
        rate_ppb=30_000_000,
        price=1_000_000_000,
        elapsed_ms=DAY // 2,
    )
    assert owed == 10_000_000 * PPM
