"""Outflow limits: capacities that use fills, time moves to their baseline, and a freeze empties."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.formulas import evaluate
from clearing.units import PPM

HOUR = 3_600_000
DAY = 24 * HOUR
amounts = st.integers(0, 1 << 61)


def one(name, **arguments):
    (value,) = evaluate(name, arguments).values()
    return value


def capacity(now, elapsed, total=1_000_000, minimum=0):
    """The capacity of a limiter of 1 % an hour."""
    return one(
        "rate_limit_capacity",
        capacity=now,
        total_value=total,
        baseline_min=minimum,
        baseline_ppm=10_000,
        elapsed_ms=elapsed,
        period_ms=HOUR,
    )


@pytest.mark.parametrize(
    ("now", "elapsed", "after"),
    [
        (0, HOUR, 10_000),
        (0, HOUR // 4, 2_500),
        (9_000, HOUR // 4, 10_000),
        (10_000, DAY, 10_000),
        # Twice the baseline or less falls by the baseline an hour.
        (20_000, HOUR // 2, 15_000),
        # More than twice falls by its excess an hour.
        (50_000, HOUR // 4, 40_000),
        (50_000, HOUR, 10_000),
        (12_345, 0, 12_345),
        # One millisecond of 10_000 an hour is less than a micro-quote.
        (0, 1, 0),
    ],
)
def test_capacity_moves_to_its_baseline(now, elapsed, after):
    assert capacity(now, elapsed) == after


def test_a_small_venue_has_the_minimum():
    assert one("rate_limit_baseline", total_value=99, baseline_min=7, baseline_ppm=10_000) == 7
    assert one("rate_limit_baseline", total_value=799, baseline_min=7, baseline_ppm=10_000) == 7
    assert one("rate_limit_baseline", total_value=800, baseline_min=7, baseline_ppm=10_000) == 8


@given(amounts, amounts, st.integers(0, 1 << 40), st.integers(1, 1 << 40))
def test_capacity_never_passes_its_baseline(now, base, elapsed, period):
    after = one(
        "rate_limit_capacity",
        capacity=now,
        total_value=base,
        baseline_min=0,
        baseline_ppm=PPM,
        elapsed_ms=elapsed,
        period_ms=period,
    )
    move = floor(Fraction(max(base, now - base) * elapsed, period))
    expected = min(base, now + move) if now < base else max(base, now - move)
    assert after == expected


def test_a_capacity_never_outgrows_its_numbers():
    flow = {"capacity": (1 << 62) - 1, "deposited": 2, "withdrawn": 0}
    assert evaluate("rate_limit_flow", flow) == {"capacity": 1 << 62, "allowed": True}


@given(amounts, amounts, amounts)
def test_a_withdrawal_uses_capacity_up_and_a_deposit_gives_it_back(now, deposited, withdrawn):
    result = evaluate(
        "rate_limit_flow", {"capacity": now, "deposited": deposited, "withdrawn": withdrawn}
    )
    held = min(1 << 62, now + deposited)
    allowed = withdrawn <= held
    assert result == {"capacity": held - withdrawn * allowed, "allowed": allowed}


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        # Empty limiters of 1 % and 10 % after six minutes: a tenth of an hour, a 240th of a day.
        ({}, 416),
        ({"elapsed_ms": HOUR}, 4_166),
        ({"elapsed_ms": DAY}, 10_000),
        ({"elapsed_ms": DAY, "requested": 9}, 9),
        ({"daily_capacity": 100_000}, 1_000),
        ({"daily_capacity": 100_000, "clock": 99, "frozen_until": 100}, 0),
        ({"daily_capacity": 100_000, "clock": 100, "frozen_until": 100}, 1_000),
        ({"clock": 99, "frozen_until": 100, "is_flat": 1}, 50_000),
    ],
)
def test_a_withdrawal_is_paid_as_far_as_both_limiters_and_the_freeze_allow(changes, allowed):
    arguments = {
        "requested": 50_000,
        "total_value": 1_000_000,
        "hourly_capacity": 0,
        "daily_capacity": 0,
        "elapsed_ms": HOUR // 10,
    }
    assert one("withdrawal_allowed_two_limits", **(arguments | changes)) == allowed
