"""How fast money may leave: refilling capacities over the value in custody, under a freeze.

A limiter has a baseline, a share of the total value locked, and a capacity that outflows use up,
inflows add to, and time moves back to the baseline. All of it is in law time: an operator who
chooses where batches end gains nothing.
"""

from clearing.compiler import law
from clearing.units import PPM
from clearing.wide import mul_div_floor

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
HOURLY_PPM = 10_000  # 1 % of the value locked an hour
DAILY_PPM = 100_000  # and 10 % a day
CAPACITY_MAX = 1 << 62


@law
def baseline(total_value: int, baseline_min: int, baseline_ppm: int) -> int:
    """Return max(minimum, share of the total value locked), micro-quote, the share down."""
    share, fits = mul_div_floor(total_value, baseline_ppm, PPM)
    return min(CAPACITY_MAX, max(baseline_min, share)) if fits else CAPACITY_MAX


@law
def capacity_after(capacity: int, base: int, elapsed_ms: int, period_ms: int) -> int:
    """Return the capacity after `elapsed_ms` without flows; both are 0 .. 2**62 micro-quote.

    It moves towards the baseline by max(baseline, capacity - baseline) * elapsed / period, down,
    and stops there: an empty limiter is full after one period, a swollen one sheds its excess.
    """
    move, fits = mul_div_floor(max(base, capacity - base), elapsed_ms, period_ms)
    if not fits or move >= abs(capacity - base):
        return base
    return capacity + move if capacity < base else capacity - move


@law
def capacity_withdrawn(capacity: int, amount: int) -> tuple[int, bool]:
    """Return (capacity after an outflow, whether it was enough); unchanged if it was not."""
    if amount > capacity:
        return capacity, False
    return capacity - amount, True


@law
def capacity_deposited(capacity: int, amount: int) -> int:
    """Return the capacity after an inflow, at most 2**62: what came in may leave again."""
    return CAPACITY_MAX if amount >= CAPACITY_MAX - capacity else capacity + amount


@law
def allowed_outflow(
    requested: int,
    hourly_capacity: int,
    daily_capacity: int,
    clock: int,
    frozen_until: int,
    is_flat: bool,
) -> int:
    """Return how much of a withdrawal may leave now: all, what both limiters have left, or none.

    A forced withdrawal pays this much. An account without positions (`is_flat`) is never gated.
    """
    if is_flat:
        return requested
    if clock < frozen_until:
        return 0
    return max(0, min(requested, min(hourly_capacity, daily_capacity)))
