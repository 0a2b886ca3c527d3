"""Products of three numbers over two, with one rounding: factors of factors, haircuts of values.

Sums of such products are taken by their callers, so the results stay within +-2**62.
"""

from clearing.compiler import law
from clearing.wide import LIMB, div_wide_floor, mul_div_floor_wide


@law
def triple_floor(a: int, b: int, m: int, c: int, d: int) -> tuple[int, bool]:
    """Return (floor(a * b * m / (c * d)), True), or (0, False).

    It does not fit if c or d is below 1, a * b * m / c reaches 2**125 or the result 2**62; put the
    larger divisor first.
    """
    if d <= 0:
        return 0, False
    high, low, fits = mul_div_floor_wide(a, b, m, c)
    # Nested floors of positive divisors are one floor.
    high, low = div_wide_floor(high, low, d)
    if not fits or high < -1 or high > 0:
        return 0, False
    return (low if high == 0 else low - LIMB), True


@law
def triple_ceil(a: int, b: int, m: int, c: int, d: int) -> tuple[int, bool]:
    """Return (ceil(a * b * m / (c * d)), True), or (0, False), for a above -2**63."""
    quotient, fits = triple_floor(-a, b, m, c, d)
    return -quotient, fits
