"""Wide arithmetic: the Python bodies and their compiled twins against Python integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing import wide
from clearing.compiler import checked, law

LOW, HIGH = -(2**63), 2**63 - 1
EDGES = [LOW, LOW + 1, -(2**62), -(2**48), -2, -1, 0, 1, 2, 3, 10**6, 2**48, 2**62, HIGH - 1, HIGH]
int64 = st.one_of(st.sampled_from(EDGES), st.integers(LOW, HIGH), st.integers(-(2**50), 2**50))
low_limb = st.one_of(st.sampled_from([0, 1, 2**62 - 1]), st.integers(0, 2**62 - 1))


@law
def compiled_multiply(a, b):
    return wide.multiply(a, b)


@law
def compiled_mul_div_floor(a, b, c):
    return wide.mul_div_floor(a, b, c)


@law
def compiled_mul_div_ceil(a, b, c):
    return wide.mul_div_ceil(a, b, c)


@law
def compiled_mul_div_wide_ceil(a, high, low, c):
    return wide.mul_div_wide_ceil(a, high, low, c)


@law
def compiled_mul_div_floor_wide(a, b, m, c):
    return wide.mul_div_floor_wide(a, b, m, c)


@law
def compiled_wide_from(a, b):
    return wide.wide_from(a, b)


@law
def compiled_div_wide_floor(high, low, c):
    return wide.div_wide_floor(high, low, c)


@law
def compiled_product_at_least(a, b, c, d):
    return wide.product_at_least(a, b, c, d)


@law
def compiled_wide_add(high, low, delta_high, delta_low):
    return wide.wide_add(high, low, delta_high, delta_low)


@law
def compiled_wide_subtract(high, low, delta_high, delta_low):
    return wide.wide_subtract(high, low, delta_high, delta_low)


def both(name):
    return [getattr(wide, name), globals()[f"compiled_{name}"]]


def narrow(quotient):
    return (quotient, True) if LOW <= quotient <= HIGH else (0, False)


def value(high, low):
    return high * 2**62 + low


def test_floor_and_ceiling_round_apart_on_both_sides_of_zero():
    assert [run(7, 1, 2) for run in both("mul_div_floor")] == [(3, True)] * 2
    assert [run(-7, 1, 2) for run in both("mul_div_floor")] == [(-4, True)] * 2
    assert [run(7, 1, 2) for run in both("mul_div_ceil")] == [(4, True)] * 2
    assert [run(-7, 1, 2) for run in both("mul_div_ceil")] == [(-3, True)] * 2


def test_a_quotient_beyond_int64_is_zero_and_does_not_fit():
    for run in both("mul_div_floor") + both("mul_div_ceil"):
        assert run(HIGH, 2, 1) == (0, False)


@pytest.mark.parametrize("divisor", [0, -1, LOW])
def test_a_divisor_that_is_not_positive_does_not_fit(divisor):
    for run in both("mul_div_floor") + both("mul_div_ceil"):
        assert run(6, 2, divisor) == (0, False)
    for run in both("mul_div_wide_ceil"):
        assert run(6, 0, 2, divisor) == (0, False)
    for run in both("mul_div_floor_wide"):
        assert run(6, 2, 1, divisor) == (0, 0, False)
    for run in both("div_wide_floor"):
        with pytest.raises(ZeroDivisionError):
            run(1, 0, divisor)


def test_an_index_change_at_its_bound_times_the_largest_position_is_exact():
    change, lots, divisor = 2**78 - 1, 2**48, HIGH
    high, low = divmod(change, 2**62)
    for run in both("mul_div_wide_ceil"):
        assert run(lots, high, low, divisor) == (0, False)
        assert run(lots // 2, high, low, divisor) == (-(-lots // 2 * change // divisor), True)


def test_the_funding_index_of_extreme_inputs_is_exact():
    rate, price, elapsed, unit = 10**6, 2**48, 2**40, 10**12
    expected = rate * price * (elapsed * unit % 2**63) // (10**6 * 28_800_000)
    for run in both("mul_div_floor_wide"):
        high, low, fits = run(rate, price, elapsed * unit % 2**63, 10**6 * 28_800_000)
        assert (value(int(high), int(low)), fits) == (expected, True)


def test_the_product_of_the_two_smallest_integers_overflows_the_limbs():
    for run in both("wide_from"):
        with pytest.raises(OverflowError):
            run(LOW, LOW)


def test_adding_beyond_the_limbs_raises():
    for run in both("wide_add"):
        with checked(), pytest.raises(ArithmeticError):
            run(np.int64(HIGH), np.int64(2**62 - 1), np.int64(0), np.int64(1))


def test_interpreted_results_are_numpy_integers_so_that_later_overflow_is_seen():
    assert isinstance(wide.mul_div_floor(3, 5, 7)[0], np.int64)
    assert isinstance(wide.mul_div_floor(3, 5, 0)[0], np.int64)
    assert all(isinstance(limb, np.int64) for limb in wide.wide_from(3, 5))
    assert all(isinstance(limb, np.int64) for limb in wide.mul_div_floor_wide(3, 5, 7, 2)[:2])


@given(int64, int64, st.one_of(st.sampled_from([1, 2, 3, 10**6, HIGH]), st.integers(1, HIGH)))
def test_products_divide_exactly(a, b, c):
    for run in both("mul_div_floor"):
        assert run(a, b, c) == narrow(a * b // c)
    for run in both("mul_div_ceil"):
        assert run(a, b, c) == narrow(-(-a * b // c))


@given(int64, int64, low_limb, st.one_of(st.sampled_from([1, 10**18]), st.integers(1, HIGH)))
def test_wide_products_divide_exactly_or_do_not_fit(a, high, low, c):
    product = a * value(high, low)
    inside = -(2**127) <= product < 2**127
    for run in both("mul_div_wide_ceil"):
        assert run(a, high, low, c) == (narrow(-(-product // c)) if inside else (0, False))


@given(int64, int64, int64, st.one_of(st.sampled_from([1, HIGH]), st.integers(1, HIGH)))
def test_products_of_three_divide_into_limbs_exactly(a, b, m, c):
    quotient = a * b * m // c
    inside = -(2**125) <= quotient < 2**125
    for run in both("mul_div_floor_wide"):
        high, low, fits = run(a, b, m, c)
        assert fits == inside
        assert value(int(high), int(low)) == (quotient if inside else 0)
        assert 0 <= low < 2**62


@given(int64, int64)
def test_a_product_is_exact_or_refused(a, b):
    expected = (a * b, True) if abs(a * b) <= HIGH else (0, False)
    for run in both("multiply"):
        assert run(a, b) == expected


@given(int64, int64, int64, int64)
def test_limbs_of_products_and_comparisons_of_products_are_exact(a, b, c, d):
    if abs(a * b) < 2**125:
        for run in both("wide_from"):
            high, low = run(a, b)
            assert value(int(high), int(low)) == a * b and 0 <= low < 2**62
    for run in both("product_at_least"):
        assert run(a, b, c, d) == (a * b >= c * d)
        assert run(a, b, b, a)


@given(st.integers(-(2**61), 2**61), low_limb, st.integers(-(2**61), 2**61), low_limb, int64)
def test_wide_sums_differences_and_quotients_are_exact(high, low, delta_high, delta_low, divisor):
    left, right = value(high, low), value(delta_high, delta_low)
    cases = [("wide_add", left + right), ("wide_subtract", left - right)]
    for name, expected in cases:
        for run in both(name):
            upper, lower = run(high, low, delta_high, delta_low)
            assert value(int(upper), int(lower)) == expected and 0 <= lower < 2**62
    if divisor > 0:
        for run in both("div_wide_floor"):
            upper, lower = run(high, low, divisor)
            assert value(int(upper), int(lower)) == left // divisor and 0 <= lower < 2**62
