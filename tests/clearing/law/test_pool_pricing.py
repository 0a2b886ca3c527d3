"""A pool against exact fractions: impact, borrowing, value, and shares that never profit."""

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.compiler import checked
from clearing.formulas import FormulaError, evaluate
from clearing.pool_pricing import add_within, share_price
from clearing.units import MICRO, PPM

YEAR = 31_536_000
FACTOR = 10**18
sides = st.integers(0, 1 << 50)
factors = st.integers(0, 10**12)
rates = st.integers(0, 10**12)
ppm = st.integers(0, PPM)


def one(name, **arguments):
    (value,) = evaluate(name, arguments).values()
    return value


def impact(before, after, positive=2 * 10**10, negative=4 * 10**10):
    """Impact in micro-quote between (long, short) in quote; factors 2e-8 and 4e-8 per quote."""
    return one(
        "pool_price_impact",
        long_before=before[0] * MICRO,
        short_before=before[1] * MICRO,
        long_after=after[0] * MICRO,
        short_after=after[1] * MICRO,
        positive_factor=positive,
        negative_factor=negative,
    )


@pytest.mark.parametrize(
    ("before", "after", "quote"),
    [
        # Away from balance: 4e-8 * (200_000^2 - 0).
        ((0, 0), (200_000, 0), -1_600),
        # Towards balance: 2e-8 * (200_000^2 - 50_000^2).
        ((200_000, 0), (200_000, 150_000), 750),
        # Across balance: 2e-8 * 100_000^2 earned, 4e-8 * 50_000^2 paid.
        ((100_000, 0), (100_000, 150_000), 100),
        ((0, 100_000), (200_000, 100_000), -200),
        ((70_000, 70_000), (70_000, 70_000), 0),
    ],
)
def test_impact_is_the_difference_of_squared_imbalances(before, after, quote):
    assert impact(before, after) == quote * MICRO


def test_a_positive_factor_above_the_negative_one_counts_as_it():
    assert impact((200_000, 0), (100_000, 0), positive=9 * 10**10) == 1_200 * MICRO


@given(sides, sides, sides, sides, factors, factors)
def test_impact_is_exact_and_rounds_against_the_trader(la, sa, lb, sb, positive, negative):
    x, y = abs(la - sa), abs(lb - sb)
    up, down = Fraction(min(positive, negative), FACTOR), Fraction(negative, FACTOR)
    if (la <= sa) != (lb <= sb):
        exact = floor(up * x * x / MICRO) + floor(-down * y * y / MICRO)
    else:
        exact = floor((up if y < x else down) * (x * x - y * y) / MICRO)
    arguments = {
        "long_before": la,
        "short_before": sa,
        "long_after": lb,
        "short_after": sb,
        "positive_factor": positive,
        "negative_factor": negative,
    }
    if abs(exact) < 1 << 61:
        assert one("pool_price_impact", **arguments) == exact


@given(sides, sides, sides, sides, factors, factors)
def test_there_and_back_never_pays(la, sa, lb, sb, positive, negative):
    names = ("long_before", "short_before", "long_after", "short_after")
    rest = {"positive_factor": positive, "negative_factor": negative}
    try:
        there = one("pool_price_impact", **dict(zip(names, (la, sa, lb, sb), strict=True)), **rest)
        back = one("pool_price_impact", **dict(zip(names, (lb, sb, la, sa), strict=True)), **rest)
    except FormulaError:
        return
    assert there + back <= 0


@pytest.mark.parametrize(
    ("price_impact", "pool", "capped", "claimable"),
    [
        (900, 10_000, 500, 0),
        (900, 300, 300, 0),
        (400, 10_000, 400, 0),
        (-900, 0, -900, 0),
        (-3_000, 0, -1_001, 1_999),
        (-1_001, 0, -1_001, 0),
    ],
)
def test_positive_impact_comes_from_the_pool_and_negative_has_a_share_of_the_size(
    price_impact, pool, capped, claimable
):
    # Half a percent of 100_001 is 500.005, and one percent 1_000.01: down to earn, up to pay.
    result = evaluate(
        "pool_price_impact_capped",
        {
            "price_impact": price_impact,
            "size": 100_001,
            "impact_pool": pool,
            "positive_max_ppm": 5_000,
            "negative_max_ppm": 10_000,
        },
    )
    assert result == {"price_impact": capped, "claimable": claimable}


@pytest.mark.parametrize(
    ("reserved", "cap", "used"),
    [(0, 0, 0), (1, 3, 333_334), (3, 3, PPM), (6, 3, 2 * PPM), (1, 0, 1_000 * PPM)],
)
def test_utilisation_is_reserved_over_the_cap_and_rounds_up(reserved, cap, used):
    assert one("pool_utilisation", reserved=reserved, cap=cap) == used


def test_reserves_fit_up_to_their_share_of_the_side_that_pays_them():
    limit = {"pool_side_value": 1_000, "reserve_factor_ppm": 500_000}
    assert one("pool_reserve_fits", reserved=500, **limit)
    assert not one("pool_reserve_fits", reserved=501, **limit)


def test_the_kink_rate_bends_at_the_optimum():
    # 60 % a year at full use of the first line, 150 % of the second, optimum 75 %.
    base, above = 6 * 10**17 // YEAR, 15 * 10**17 // YEAR
    terms = {"optimal_ppm": 750_000, "base_rate": base, "above_rate": above}
    assert one("pool_borrow_rate", utilisation_ppm=500_000, **terms) == ceil(Fraction(base, 2))
    assert one("pool_borrow_rate", utilisation_ppm=PPM, **terms) == above
    half = ceil(Fraction(base * 7, 8)) + ceil(Fraction(above - base, 2))
    assert one("pool_borrow_rate", utilisation_ppm=875_000, **terms) == half


@given(ppm, ppm, rates, rates)
def test_the_kink_rate_never_falls_with_use(used, optimal, base, above):
    terms = {"optimal_ppm": optimal, "base_rate": base, "above_rate": above}
    low = one("pool_borrow_rate", utilisation_ppm=used // 2, **terms)
    high = one("pool_borrow_rate", utilisation_ppm=used, **terms)
    assert low <= high <= max(base, above) + 1


@pytest.mark.parametrize(("used", "rate"), [(0, 20_000), (850_000, 88_000), (PPM, 223_000)])
def test_the_slope_rate_is_steeper_beyond_the_kink(used, rate):
    # 2 % + 8 % a full use up to 85 %, 90 % beyond: the lending terms of a cash market.
    terms = {
        "kink_ppm": 850_000,
        "minimum_ppm": 20_000,
        "slope_ppm": 80_000,
        "high_slope_ppm": 900_000,
    }
    assert one("pool_borrow_rate_slope", utilisation_ppm=used, **terms) == rate


@given(st.integers(0, 1 << 45), st.integers(1, 1 << 50), st.integers(0, 10**6), st.integers(1, 2))
def test_the_power_rate_is_exact(reserved, pool, factor, exponent):
    exact = ceil(Fraction(factor * reserved**exponent, pool * MICRO ** (exponent - 1)))
    if exact < 1 << 62:
        assert exact == one(
            "pool_borrow_rate_power",
            reserved=reserved,
            pool_value=pool,
            factor=factor,
            exponent=exponent,
        )


def test_slopes_and_index_changes_round_up():
    terms = {"kink_ppm": 10, "minimum_ppm": 0, "slope_ppm": 1, "high_slope_ppm": 1}
    assert one("pool_borrow_rate_slope", utilisation_ppm=10, **terms) == 1
    assert one("pool_borrow_rate_slope", utilisation_ppm=11, **terms) == 2
    assert one("pool_borrow_index_change", borrow_rate=1, elapsed_ms=1) == 1


def test_at_the_optimum_the_second_line_has_not_begun():
    terms = {"base_rate": 1_000, "above_rate": 5_000}
    used = {"utilisation_ppm": PPM}
    assert one("pool_borrow_rate", optimal_ppm=PPM, **used, **terms) == 1_000
    assert one("pool_borrow_rate", optimal_ppm=0, **used, **terms) == 5_000
    assert one("pool_borrow_rate", optimal_ppm=0, **used, **terms | {"above_rate": 999}) == 1_000


def test_a_year_of_borrowing_costs_its_rate():
    # 10 % a year on 1_000 quote; the rate per second is cut at 1e-18.
    rate = 10**17 // YEAR
    change = one("pool_borrow_index_change", borrow_rate=rate, elapsed_ms=YEAR * 1_000)
    fee = one("pool_borrow_fee", size=1_000 * MICRO, index_change=change)
    assert fee == 100 * MICRO


@given(st.integers(0, 1 << 60), st.integers(0, 10**14))
def test_a_borrow_fee_rounds_up(size, change):
    exact = ceil(Fraction(size * change, 10**15))
    assert one("pool_borrow_fee", size=size, index_change=change) == exact


@pytest.mark.parametrize(
    ("profit", "capped", "exceeds"),
    [(-700, -700, False), (500, 500, False), (501, 500, True), (0, 0, False)],
)
def test_profit_counts_up_to_its_cap(profit, capped, exceeds):
    # Half of 1_001 is 500.5, cut.
    result = evaluate(
        "pool_profit_cap", {"profit": profit, "side_value": 1_001, "profit_max_ppm": 500_000}
    )
    assert result == {"capped_profit": capped, "exceeds": exceeds}


@pytest.mark.parametrize(("value", "supply"), [((1 << 62) + 1, 1 << 62), (1 << 62, (1 << 62) + 1)])
def test_a_pool_beyond_what_it_counts_to_has_no_share_price(value, supply):
    with checked():
        # 10^9 * (2^62 + 1) / (2^62 + 1000), cut.
        assert share_price(1 << 62, 1 << 62) == (999_999_999, True)
        assert share_price(value, supply) == (0, False)


def test_the_pool_is_worth_its_tokens_and_fees_less_profits_and_the_impact_pool():
    tokens = [
        # 10 * 2_000 with a profit capped at half; 30_000 * 1 whose traders lost 400.
        {"amount": 10, "price": 2_000, "profit": 90_000},
        {"amount": 30_000, "price": 1, "profit": -400},
    ]
    value = one(
        "pool_value",
        tokens=tokens,
        profit_max_ppm=500_000,
        pending_borrow=101,
        receiver_ppm=370_000,
        impact_pool=250,
    )
    # 101 * 63 % = 63.63, rounded down.
    assert value == 20_000 - 10_000 + 30_000 + 400 + 63 - 250


def test_a_pool_beyond_its_numbers_is_refused_not_wrapped():
    huge = {"amount": 1 << 30, "price": 1 << 31, "profit": 0}
    assert one("pool_value", tokens=[huge]) == 1 << 61
    with pytest.raises(FormulaError, match="64 bits"):
        one("pool_value", tokens=[huge, huge, {**huge, "amount": 1}])


edges = st.sampled_from([0, 1, (1 << 61) - 1, 1 << 61, (1 << 62) - 1, 1 << 62])


@given(edges, edges, st.integers(-1, 1), st.integers(-1, 1))
def test_a_sum_fits_exactly_within_its_bound(total, part, sign, other):
    numbers: Any = (np.int64(sign * total), np.int64(other * part))
    with checked():
        result, fits = add_within(*numbers)
    exact = sign * total + other * part
    assert fits == (abs(exact) <= 1 << 62)
    assert result == (exact if fits else 0)


@given(st.integers(0, 1 << 60), st.integers(0, 1 << 61), st.integers(1, 1 << 61))
def test_redemptions_and_share_prices_are_exact_and_round_down(shares, value, supply):
    exact = Fraction(value + 1, supply + 1_000)
    shares = min(shares, supply)
    pool = {"pool_value": value, "supply": supply}
    if exact * 10**9 < 1 << 62:
        assert one("pool_share_price", **pool) == floor(exact * 10**9)
    if shares * exact < 1 << 62:
        assert one("pool_share_redeem", shares=shares, **pool) == floor(shares * exact)


def test_the_first_deposit_gets_a_thousand_shares_a_micro_quote():
    assert one("pool_share_mint", deposit=5 * MICRO, pool_value=0, supply=0) == 5_000 * MICRO
    assert one("pool_share_price", pool_value=0, supply=0) == MICRO
    assert one("pool_share_price", pool_value=5 * MICRO, supply=5_000 * MICRO) == MICRO


def test_a_donation_before_the_second_deposit_does_not_pay():
    # The first depositor holds 1_000 shares of one micro-quote and donates 10 quote.
    value, supply = 1 + 10 * MICRO, 1_000
    minted = one("pool_share_mint", deposit=10 * MICRO, pool_value=value, supply=supply)
    assert minted > 0
    kept = one(
        "pool_share_redeem", shares=1_000, pool_value=value + 10 * MICRO, supply=supply + minted
    )
    assert kept < 10 * MICRO


@given(st.integers(0, 1 << 25), st.integers(0, 1 << 50), st.integers(0, 1 << 36))
def test_a_round_trip_never_profits_and_never_lowers_the_price_for_others(deposit, value, supply):
    minted = one("pool_share_mint", deposit=deposit, pool_value=value, supply=supply)
    assert minted == floor(Fraction(deposit * (supply + 1_000), value + 1))
    after = {"pool_value": value + deposit, "supply": supply + minted}
    paid = one("pool_share_redeem", shares=minted, **after)
    assert paid <= deposit
    before = Fraction(value + 1, supply + 1_000)
    assert Fraction(value + deposit + 1, supply + minted + 1_000) >= before
    assert Fraction(value + deposit - paid + 1, supply + 1_000) >= before


def test_a_pool_below_zero_mints_nothing_and_pays_nothing():
    with pytest.raises(FormulaError, match="expected pool_value of 0 or more"):
        one("pool_share_mint", deposit=1, pool_value=-1, supply=5)
    assert one("pool_share_redeem", shares=5, pool_value=-1, supply=5) == 0


def test_nobody_redeems_more_shares_than_there_are():
    with pytest.raises(FormulaError, match="expected shares of at most the supply"):
        one("pool_share_redeem", shares=6, pool_value=10, supply=5)


def test_deposits_stop_at_the_cap_and_shares_wait_for_their_lock():
    assert one("pool_deposit_allowed", pool_value=90, deposit=10, value_cap=100)
    assert not one("pool_deposit_allowed", pool_value=90, deposit=11, value_cap=100)
    assert one("pool_lock_passed", clock=1_500, deposit_time=500, lock_ms=1_000)
    assert not one("pool_lock_passed", clock=1_499, deposit_time=500, lock_ms=1_000)
