"""Prices: medians by counting, means over time, the stable price, the ladder and its matrix."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.compiler import checked
from clearing.formulas import evaluate
from clearing.oracle import Use, Validity, lower_median
from clearing.units import PRICE_MAX

HOUR = 3_600_000
prices = st.integers(1, PRICE_MAX)
values = st.lists(st.integers(-9, 9) | st.integers(-(1 << 61), 1 << 61), min_size=1, max_size=20)


def one(name, **arguments):
    (value,) = evaluate(name, arguments).values()
    return value


@given(values)
def test_the_lower_median_is_the_lower_middle_and_verifies(some):
    with checked():
        median = int(lower_median(np.array(some, dtype=np.int64)))
    assert median == sorted(some)[(len(some) - 1) // 2]
    assert one("median_verify", values=some, median=median)


@given(values, st.integers(-10, 10))
def test_a_median_lies_between_the_two_middle_values(some, claimed):
    ordered = sorted(some)
    low, high = ordered[(len(some) - 1) // 2], ordered[len(some) // 2]
    assert one("median_verify", values=some, median=claimed) is (low <= claimed <= high)


@pytest.mark.parametrize(
    ("signers", "quorum", "reached"),
    [([1, 4, 9], 3, True), ([1, 4, 9], 4, False), ([1, 4, 4], 2, False), ([4, 1], 2, False)],
)
def test_a_quorum_is_of_distinct_signers_in_order(signers, quorum, reached):
    assert one("quorum_reached", signers=signers, quorum=quorum) is reached


def twap(samples, start, end):
    rows = [{"price": price, "time": time} for price, time in samples]
    return tuple(evaluate("twap", {"samples": rows, "start": start, "end": end}).values())


@pytest.mark.parametrize(
    ("samples", "start", "end", "mean"),
    [
        # 10 for a quarter, 20 for a half, 50 for the last quarter.
        ([(10, 0), (20, 25), (50, 75)], 0, 100, 25),
        # The last price is frozen, and the first counts from its own time.
        ([(10, 50), (30, 75)], 0, 100, 20),
        ([(7, 0)], 500, 600, 7),
        # What lies outside of the window does not count.
        ([(1_000, 0), (10, 50), (2_000, 100)], 50, 100, 10),
        ([(10, 0), (11, 50)], 0, 100, 10),
    ],
)
def test_a_price_weighs_as_long_as_it_held(samples, start, end, mean):
    assert twap(samples, start, end) == (mean, True)


@pytest.mark.parametrize("samples", [[], [(5, 100)], [(5, 50), (6, 40)]])
def test_without_a_price_in_the_window_or_in_disorder_there_is_no_mean(samples):
    assert twap(samples, 0, 100) == (0, False)


@given(st.lists(st.tuples(prices, st.integers(0, 1 << 44)), min_size=1, max_size=8))
def test_the_mean_over_time_is_exact(samples):
    samples = sorted(samples, key=lambda sample: sample[1])
    end = samples[-1][1] + 1
    until_times = [time for _, time in samples[1:]] + [end]
    weighed = sum(p * (until - t) for (p, t), until in zip(samples, until_times, strict=True))
    assert twap(samples, 0, end) == (weighed // (end - samples[0][1]), True)


@given(prices, prices, st.integers(0, 1 << 40), st.integers(1, 1 << 40))
def test_an_exponential_mean_moves_by_the_share_of_its_period(mean, price, elapsed, period):
    share = Fraction(min(elapsed, period), period)
    exact = floor(abs(price - mean) * share)
    expected = mean + exact if price >= mean else mean - exact
    got = one("exponential_mean", last_mean=mean, price=price, elapsed_ms=elapsed, period_ms=period)
    assert got == expected


@pytest.mark.parametrize(
    ("stable", "delayed", "price", "seconds", "after"),
    [
        # 0.03 % a second for 60 seconds at the delayed price: 1.8 %.
        (1_000_000, 1_000_000, 10_000_000, 60, 1_018_000),
        (1_000_000, 1_000_000, 1, 60, 982_000),
        (1_000_000, 1_000_000, 1_010_000, 60, 1_010_000),
        # Twice the delayed price: a quarter of the pace, up and down alike.
        (2_000_000, 1_000_000, 9_000_000, 60, 2_009_000),
        (1_000_000, 2_000_000, 9_000_000, 60, 1_004_500),
        # Less than ten seconds are ignored, more than ten minutes count as ten.
        (1_000_000, 1_000_000, 9_000_000, 9, 1_000_000),
        (1_000_000, 1_000_000, 9_000_000, 9_999, 1_180_000),
        # The smallest price still moves, and never to zero.
        (1, 1, 9, 10, 2),
        (1, 1, 1, 10, 1),
    ],
)
def test_the_stable_price_follows_slowly(stable, delayed, price, seconds, after):
    assert after == one(
        "stable_price_mango",
        stable_price=stable,
        delayed_price=delayed,
        price=price,
        elapsed_ms=seconds * 1_000,
    )


@given(prices, prices, prices, st.integers(10_000, 1 << 40))
def test_the_stable_price_stays_within_its_exact_reach(stable, delayed, price, elapsed):
    ratio = Fraction(min(stable, delayed), max(stable, delayed))
    reach = Fraction(stable * 3 * min(elapsed, 600_000), 10**7) * ratio**2
    after = one(
        "stable_price_mango",
        stable_price=stable,
        delayed_price=delayed,
        price=price,
        elapsed_ms=elapsed,
    )
    assert abs(after - stable) <= min(abs(price - stable), reach + 3)
    # Each of the three steps rounds up.
    small, large = min(stable, delayed), max(stable, delayed)
    whole = ceil(Fraction(stable * 3 * min(elapsed, 600_000), 10**7))
    whole = ceil(Fraction(ceil(Fraction(whole * small, large)) * small, large))
    assert after == max(max(1, stable - whole), min(stable + whole, price))


@pytest.mark.parametrize(
    ("last", "mean", "after"), [(100, 150, 106), (100, 50, 94), (100, 103, 103), (1, 9, 2)]
)
def test_the_delayed_price_moves_by_six_in_a_hundred_an_interval(last, mean, after):
    assert one("delayed_price_mango", last_delayed_price=last, interval_mean=mean) == after


def path(updates, start_price=1_000_000):
    rows = [{"time": time, "price": price} for time, price in updates]
    result = evaluate(
        "stable_price_path_mango", {"updates": rows, "start_price": start_price, "start_time": 0}
    )
    return result["stable_price"], result["delayed_price"]


def every(step, count, price):
    return [(step * 1_000 * (i + 1), price) for i in range(count)]


def test_a_tenfold_price_moves_the_stable_price_by_four_fifths_in_an_hour():
    stable, delayed = path(every(60, 60, 10_000_000))
    assert 1_700_000 < stable < 1_900_000
    assert delayed == 1_000_000


def test_a_day_later_the_delayed_price_has_risen_by_six_in_a_hundred():
    # One update every ten minutes: 145 of them reach ten minutes into the second day.
    _, delayed = path(every(600, 145, 10_000_000))
    assert delayed == 1_060_000


def test_a_price_that_rests_changes_nothing():
    assert path(every(600, 300, 1_000_000)) == (1_000_000, 1_000_000)


def test_an_interval_counts_with_its_mean():
    # Half an hour at 1.00, half an hour at 1.04; the next 24 hours at 1.02.
    updates = every(60, 30, 1_000_000)
    updates += [(1_800_000 + 60_000 * (i + 1), 1_040_000) for i in range(30)]
    updates += [(HOUR + 600_000 * (i + 1), 1_020_000) for i in range(139)]
    assert path(updates)[1] == 1_020_000


def test_days_of_silence_are_one_interval():
    stable, delayed = path([(100 * HOUR, 2_000_000)])
    # The mean of the one interval, within 6 %, fills all delays; the stable price has ten minutes:
    # 180_000 / 1.06^2 = 160_199.4, rounded up.
    assert delayed == 1_060_000
    assert stable == 1_000_000 + 160_200


def test_skipped_intervals_keep_their_places():
    # Intervals 0, 1 and 2 hold 1.06; the next update, a day on, reads interval 2.
    assert path([(3 * HOUR, 2_000_000), (26 * HOUR, 1_000_000)])[1] == 1_060_000


def test_what_is_held_counts_at_the_lower_price_and_what_is_owed_at_the_higher():
    pair = {"price": 90, "stable_price": 100}
    assert one("conservative_price", lots=5, **pair) == 90
    assert one("conservative_price", lots=0, **pair) == 90
    assert one("conservative_price", lots=-5, **pair) == 100


def validity(price=100, mean=100, **rest):
    return one("oracle_validity", price=price, mean_price=mean, **rest)


@pytest.mark.parametrize(
    ("arguments", "rung"),
    [
        ({}, Validity.VALID),
        ({"age_ms": 5_000, "confidence": 2}, Validity.VALID),
        ({"age_ms": 5_001}, Validity.STALE_OPEN),
        ({"age_ms": 60_001}, Validity.STALE_MARGIN),
        ({"confidence": 3}, Validity.UNCERTAIN),
        ({"price": 500}, Validity.VALID),
        ({"price": 501}, Validity.VOLATILE),
        ({"price": 20}, Validity.VALID),
        ({"price": 19}, Validity.VOLATILE),
        ({"price": 0}, Validity.NON_POSITIVE),
        ({"price": -1}, Validity.NON_POSITIVE),
        # The worst rung wins.
        ({"age_ms": 60_001, "confidence": 3}, Validity.UNCERTAIN),
        ({"age_ms": 60_001, "confidence": 300, "price": 501}, Validity.VOLATILE),
        ({"age_ms": 60_001, "confidence": 300, "price": 0}, Validity.NON_POSITIVE),
    ],
)
def test_a_price_stands_on_its_worst_rung(arguments, rung):
    assert validity(**arguments) == rung


WORST = {
    Use.OPEN: Validity.VALID,
    Use.REDUCE: Validity.VOLATILE,
    Use.LIQUIDATE: Validity.UNCERTAIN,
    Use.FUNDING: Validity.STALE_OPEN,
    Use.SETTLE: Validity.STALE_OPEN,
    Use.WITHDRAW: Validity.STALE_OPEN,
    Use.EXPIRE: Validity.STALE_OPEN,
    Use.DELEVERAGE: Validity.UNCERTAIN,
    Use.ROW_CHECK: Validity.STALE_OPEN,
}


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize("rung", Validity)
def test_each_use_has_a_worst_rung(use, rung):
    allowed = one("oracle_action_allowed_ladder", validity=int(rung), use=int(use))
    assert allowed is (rung <= WORST[use])


@pytest.mark.parametrize(
    ("reference", "band", "bounds"),
    [(1_000, 50_000, (950, 1_050)), (999, 50_000, (950, 1_048)), (5, 1_000_000, (1, 10))],
)
def test_a_band_is_as_wide_on_both_sides(reference, band, bounds):
    result = evaluate("price_bounds", {"reference_price": reference, "band_ppm": band})
    assert tuple(result.values()) == bounds


@pytest.mark.parametrize(
    ("last", "clock", "until", "after"),
    [(0, 299_999, 0, 0), (0, 300_000, 0, 600_000), (0, 300_000, 900_000, 900_000), (9, 8, 5, 5)],
)
def test_after_an_outage_liquidations_wait(last, clock, until, after):
    assert after == one("restart_grace_by_clock", last_clock=last, clock=clock, grace_until=until)
