"""Collateral: haircuts, weights, the peg, conversion, and the cheapest pledge."""

from fractions import Fraction
from itertools import product
from math import ceil, floor, isqrt, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.collateral import integer_root
from clearing.compiler import checked
from clearing.formulas import evaluate
from clearing.units import PPM

units = st.integers(0, 1 << 40)
prices = st.integers(1, 1 << 36)
ppm = st.integers(0, PPM)


def results(name, arguments):
    return evaluate(name, arguments)


def one(name, **arguments):
    (value,) = results(name, arguments).values()
    return value


def test_collateral_counts_at_the_lower_price_less_its_haircut():
    # 2 units of 10^6 at min(3_000, 2_900) quote less 10 %.
    pair = {"units": 2_000_000, "price": 3_000_000_000, "stable_price": 2_900_000_000}
    assert one("collateral_value", haircut_ppm=100_000, **pair) == 5_220_000_000
    assert one("liability_value", markup_ppm=100_000, **pair) == 6_600_000_000


@given(units, prices, prices, ppm)
def test_assets_round_down_and_liabilities_up_once(amount, price, stable, fraction):
    pair = {"units": amount, "price": price, "stable_price": stable}
    asset = Fraction(amount * min(price, stable) * (PPM - fraction), 10**12)
    debt = Fraction(amount * max(price, stable) * (PPM + fraction), 10**12)
    assert one("collateral_value", haircut_ppm=fraction, **pair) == floor(asset)
    assert one("liability_value", markup_ppm=fraction, **pair) == ceil(debt)


@pytest.mark.parametrize(
    ("total", "asset", "debt"),
    [(0, 900_000, 1_200_000), (100, 900_000, 1_200_000), (150, 600_000, 1_800_000)],
)
def test_weights_worsen_once_the_market_holds_more_than_the_start(total, asset, debt):
    assert one("collateral_weight", weight_ppm=900_000, deposits=total, scale_start=100) == asset
    assert one("liability_weight", weight_ppm=1_200_000, borrows=total, scale_start=100) == debt


@given(ppm, st.integers(1, 1 << 60), st.integers(1, 1 << 60))
def test_deposits_together_never_count_for_more_than_at_the_start(weight, deposits, start):
    scaled = one("collateral_weight", weight_ppm=weight, deposits=deposits, scale_start=start)
    assert scaled <= weight
    if deposits > start:
        assert scaled * deposits <= weight * start < (scaled + 1) * deposits


def root(value):
    number: Any = np.int64(value)
    with checked():
        return int(integer_root(number))


@given(st.integers(0, (1 << 62) - 1))
def test_the_integer_root_is_exact(value):
    assert root(value) == isqrt(value)


@pytest.mark.parametrize("value", [0, 1, 3, 4, (1 << 62) - 1, ((1 << 31) - 1) ** 2])
def test_the_integer_root_holds_at_its_edges(value):
    assert root(value) == isqrt(value)


@pytest.mark.parametrize(
    ("size", "asset", "debt"),
    [
        (0, 800_000, 1_200_000),
        # 10_000 of an asset and a factor of 0.1 %: 1.1 / (1 + 0.1 * 1) and 0.96 + 0.1 * 1.
        (10_000, 800_000, 1_200_000),
        (1_000_000, 550_000, 1_960_000),
    ],
)
def test_weights_worsen_with_the_root_of_the_size(size, asset, debt):
    terms = {"size": size * 10**9, "factor_ppm": 1_000}
    assert one("collateral_weight_by_size", weight_ppm=800_000, **terms) == asset
    assert one("liability_weight_by_size", weight_ppm=1_200_000, **terms) == debt


@given(st.integers(0, 1 << 58), st.integers(1, PPM))
def test_weights_by_size_follow_the_real_formula(size, factor):
    root = sqrt(size / 10**9)
    terms = {"size": size, "factor_ppm": factor}
    asset = one("collateral_weight_by_size", weight_ppm=PPM, **terms)
    debt = one("liability_weight_by_size", weight_ppm=PPM, **terms)
    assert asset == pytest.approx(min(PPM, 1_100_000 / (1 + factor * root / PPM)), abs=20)
    assert debt == pytest.approx(max(PPM, 800_000 + factor * root), abs=20)


def test_without_a_factor_size_does_not_matter():
    assert one("collateral_weight_by_size", weight_ppm=7, size=1 << 58, factor_ppm=0) == 7
    # Not even for what counts above par, though 1.1 / (1 + 0) is less.
    big = one("collateral_weight_by_size", weight_ppm=1_100_001, size=1 << 58, factor_ppm=0)
    assert big == 1_100_001


def test_the_weight_of_a_debt_by_size_takes_a_fifth_down_so_that_the_rest_is_up():
    # 0.8 * 9 ppm is 7.2, up 8; a premium of 0.1 * 1 (10_000 of an asset, a factor of 0.1 %).
    terms = {"size": 10_000 * 10**9, "factor_ppm": 1_000}
    assert one("liability_weight_by_size", weight_ppm=9, **terms) == 8 + 100_000


@pytest.mark.parametrize(
    ("peg", "penalty", "factor"),
    [(1_000_000, 0, 0), (980_000, 0, 0), (970_000, 12_000, 12_000), (0, 1_176_000, 1_176_000)],
)
def test_a_lost_peg_adds_to_initial_margin(peg, penalty, factor):
    result = results(
        "depeg_penalty",
        {
            "notional": 1_000_000,
            "peg_price": peg,
            "threshold": 980_000,
            "multiplier_ppm": 1_200_000,
        },
    )
    assert result == {"penalty": penalty, "factor_ppm": factor}


@given(st.integers(0, 1 << 50), st.integers(0, PPM), st.integers(0, 4 * PPM))
def test_a_peg_penalty_rounds_up_once(notional, peg, multiplier):
    result = results(
        "depeg_penalty",
        {
            "notional": notional,
            "peg_price": peg,
            "threshold": 990_000,
            "multiplier_ppm": multiplier,
        },
    )
    exact = Fraction(notional * multiplier * max(0, 990_000 - peg), 10**12)
    assert result["penalty"] == ceil(exact)


@given(st.lists(st.integers(0, 9) | ppm, min_size=1, max_size=16))
def test_the_steadiest_asset_is_sold_first(haircuts):
    order = one("collateral_conversion_order", haircuts_ppm=haircuts)
    assert order == sorted(range(len(haircuts)), key=lambda i: (haircuts[i], i))


def test_as_many_units_are_sold_as_the_shortfall_needs():
    # 100 quote at 2_000 a unit less 5 %: 100 / 1_900 of 10^6 units is 52_631.6.
    result = results(
        "collateral_conversion",
        {
            "shortfall": 100_000_000,
            "held_units": 1_000_000,
            "price": 2_000_000_000,
            "discount_ppm": 50_000,
        },
    )
    assert result == {"units": 52_632, "proceeds": 100_000_800, "uncovered": 0}


@given(st.integers(0, 1 << 55), units, prices, ppm)
def test_the_units_sold_are_the_fewest_that_cover(shortfall, held, price, discount):
    result = results(
        "collateral_conversion",
        {
            "shortfall": shortfall,
            "held_units": held,
            "price": price,
            "discount_ppm": discount,
        },
    )

    def brings(amount):
        return floor(Fraction(amount * price * (PPM - discount), 10**12))

    sold = result["units"]
    assert result["proceeds"] == brings(sold)
    assert result["uncovered"] == max(0, shortfall - brings(sold))
    assert sold == held or brings(sold) >= shortfall
    assert sold == 0 or brings(sold - 1) < shortfall


def assets(*rows):
    return [{"value": v, "haircut_ppm": h, "cost_ppm": c} for v, h, c in rows]


def test_the_cheapest_pledge_takes_what_costs_least_for_what_it_counts():
    # Cost per micro-quote that counts: 2 %, 1.25 %, 3 %.
    result = results(
        "optimise_collateral",
        {
            "required": 1_500,
            "assets": assets((1_000, 0, 20_000), (1_000, 200_000, 10_000), (9_000, 0, 30_000)),
        },
    )
    assert result == {"pledged": [700, 1_000, 0], "covered": 1_500, "cost": 24, "covers": True}


def test_a_pledge_that_cannot_cover_is_everything_that_counts():
    result = results(
        "optimise_collateral",
        {"required": 1_500, "assets": assets((1_000, 500_000, 0), (700, 1_000_000, 0))},
    )
    assert result == {"pledged": [1_000, 0], "covered": 500, "cost": 0, "covers": False}


def test_a_pledge_of_a_part_of_a_micro_quote_costs_a_whole_one():
    # 5 micro-quote at 10 %: half of one, up.
    result = results(
        "optimise_collateral", {"required": 5, "assets": assets((7, 0, 100_000), (9, 0, 200_000))}
    )
    assert result == {"pledged": [5, 0], "covered": 5, "cost": 1, "covers": True}


def test_what_would_take_more_than_64_bits_to_cover_is_pledged_whole():
    # 2^60 at a haircut of all but one ppm would take 10^6 * 2^60.
    result = results(
        "optimise_collateral", {"required": 1 << 60, "assets": assets((10**6, 999_999, 0))}
    )
    assert result == {"pledged": [10**6], "covered": 1, "cost": 0, "covers": False}


small = st.tuples(st.integers(0, 6), st.sampled_from([0, 250_000, 500_000]), st.integers(0, PPM))


@given(st.integers(0, 12), st.lists(small, min_size=1, max_size=3))
def test_no_other_pledge_is_cheaper_but_for_rounding(required, rows):
    scale = 10_000
    rows = [(value * scale, haircut, cost) for value, haircut, cost in rows]
    required *= scale
    result = results("optimise_collateral", {"required": required, "assets": assets(*rows)})
    assert all(0 <= p <= row[0] for p, row in zip(result["pledged"], rows, strict=True))
    whole = sum(value * (PPM - haircut) // PPM for value, haircut, _ in rows)
    assert result["covers"] is (whole >= required)
    for shares in product(range(7), repeat=len(rows)):
        amounts = [min(share * scale, row[0]) for share, row in zip(shares, rows, strict=True)]
        counts = sum(Fraction(a * (PPM - r[1]), PPM) for a, r in zip(amounts, rows, strict=True))
        if result["covers"] and counts >= required:
            cost = sum(Fraction(a * r[2], PPM) for a, r in zip(amounts, rows, strict=True))
            assert result["cost"] <= cost + 2 * len(rows)


@given(st.integers(0, 40), st.lists(st.tuples(st.integers(0, 9), ppm, ppm), max_size=6))
def test_the_cheapest_set_is_the_cheapest_of_all_sets(required, rows):
    rows = [(value * 1_000, haircut, cost) for value, haircut, cost in rows]
    required *= 1_000
    result = results("optimise_collateral_whole", {"required": required, "assets": assets(*rows)})

    def terms(members):
        chosen = [row for i, row in enumerate(rows) if members >> i & 1]
        covered = sum(v * (PPM - h) // PPM for v, h, _ in chosen)
        return covered, sum(ceil(Fraction(v * c, PPM)) for v, _, c in chosen)

    covering = [m for m in range(1 << len(rows)) if terms(m)[0] >= required]
    best = min(
        covering,
        key=lambda m: (terms(m)[1], -terms(m)[0], m),
        default=(1 << len(rows)) - 1,
    )
    covered, cost = terms(best)
    assert result == {
        "members": best,
        "covered": covered,
        "cost": cost,
        "covers": covered >= required,
    }
