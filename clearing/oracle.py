"""Prices that the law believes: medians, averages, the stable price, validity and restarts.

Prices are micro-quote per lot, 1 .. 2**48 (0 or below only where a price is being judged), times
and periods are milliseconds.
"""

from enum import IntEnum

from clearing.compiler import law
from clearing.layout import Rows
from clearing.units import PPM
from clearing.wide import (
    div_wide_floor,
    mul_div_ceil,
    mul_div_floor,
    product_at_least,
    wide_add,
    wide_from,
)

DELAY_BUCKETS = 24  # delayed prices, one an interval: the stable price sees a day back
DELAY_INTERVAL_MS = 3_600_000
STABLE_STEP_MS_MIN = 10_000  # updates in between are ignored, or many small ones would go further
STABLE_STEP_MS_MAX = 600_000  # and a long silence earns no leap
STABLE_PPM_PER_SECOND = 300
DELAY_PPM_PER_INTERVAL = 60_000


class Validity(IntEnum):
    """What a price is good for, from best to worst; the worst that holds is its validity."""

    VALID = 0
    STALE_OPEN = 1  # too old to open risk at
    STALE_MARGIN = 2  # too old to measure margin by
    UNCERTAIN = 3  # its confidence interval is wide
    VOLATILE = 4  # many times its own average, or a fraction of it
    NON_POSITIVE = 5


class Use(IntEnum):
    """What a price is wanted for."""

    OPEN = 0
    REDUCE = 1
    LIQUIDATE = 2
    FUNDING = 3
    SETTLE = 4
    WITHDRAW = 5
    EXPIRE = 6
    DELEVERAGE = 7
    ROW_CHECK = 8


@law
def lower_median(values: Rows[int]) -> int:
    """Return element (n - 1) / 2 of the sorted values, found by counting; 0 if there are none."""
    wanted = (values.shape[0] - 1) // 2
    for i in range(values.shape[0]):
        below, not_above = counts_around(values, values[i])
        if below <= wanted < not_above:
            return values[i]
    return 0


@law
def counts_around(values: Rows[int], candidate: int) -> tuple[int, int]:
    """Return (how many values are below the candidate, how many are not above it)."""
    below = 0
    not_above = 0
    for i in range(values.shape[0]):
        if values[i] < candidate:
            below += 1
        if values[i] <= candidate:
            not_above += 1
    return below, not_above


@law
def is_median(values: Rows[int], claimed: int) -> bool:
    """Tell whether 2 * #{<= claimed} >= n and 2 * #{>= claimed} >= n, for n > 0.

    Of an even number of values, everything between the two middle ones passes.
    """
    count = values.shape[0]
    below, not_above = counts_around(values, claimed)
    return count > 0 and 2 * not_above >= count and 2 * (count - below) >= count


@law
def is_quorum(signers: Rows[int], quorum: int) -> bool:
    """Tell whether at least `quorum` signers (ids, strictly ascending) signed."""
    for i in range(1, signers.shape[0]):
        if signers[i - 1] >= signers[i]:
            return False
    return signers.shape[0] >= quorum


@law
def time_weighted_mean(
    prices: Rows[int], times: Rows[int], start: int, end: int
) -> tuple[int, bool]:
    """Return (mean price over start .. end, rounded down, whether there is one).

    Each price holds from its time (ascending) to the next; the last one is frozen until `end`, and
    time before the first price does not count. None if no price was seen before `end` or the
    times are out of order.
    """
    high, low = wide_from(0, 0)
    weight = 0
    for i in range(prices.shape[0]):
        since = max(times[i], start)
        until = end
        if i + 1 < prices.shape[0]:
            if times[i + 1] < times[i]:
                return 0, False
            until = min(times[i + 1], end)
        if until > since:
            part_high, part_low = wide_from(prices[i], until - since)
            high, low = wide_add(high, low, part_high, part_low)
            weight += until - since
    if weight == 0:
        return 0, False
    _, mean = div_wide_floor(high, low, weight)
    return mean, True


@law
def exponential_mean(mean: int, price: int, elapsed_ms: int, period_ms: int) -> int:
    """Return the mean moved to the price by the share elapsed / period, at most wholly.

    The move is rounded towards the old mean, so that noise cannot drift it.
    """
    weight = min(elapsed_ms, period_ms)
    move, fits = mul_div_floor(abs(price - mean), weight, period_ms)
    if not fits:
        return price
    return mean + move if price >= mean else mean - move


@law
def clamp_growth(target: int, last: int, growth_ppm: int) -> int:
    """Return the target clamped to last * (1 +- growth); the reach is rounded up, at least 1."""
    reach, fits = mul_div_ceil(last, growth_ppm, PPM)
    if not fits:
        return target
    return max(max(1, last - reach), min(last + reach, target))


@law
def stable_growth(stable: int, delayed: int, elapsed_ms: int) -> int:
    """Return how far the stable price may move now, in micro-quote per lot, rounded up.

    stable * 300 ppm a second * (smaller / larger of stable and delayed)^2: the further it has
    left the price of a day ago, the slower it goes on.
    """
    small = min(stable, delayed)
    large = max(stable, delayed)
    elapsed = min(elapsed_ms, STABLE_STEP_MS_MAX)
    # Each step rounds up: at most 3 micro-quote above the exact reach.
    reach, _ = mul_div_ceil(stable, STABLE_PPM_PER_SECOND * elapsed, PPM * 1_000)
    reach, _ = mul_div_ceil(reach, small, large)
    reach, _ = mul_div_ceil(reach, small, large)
    return reach


@law
def stable_step(stable: int, delayed: int, price: int, elapsed_ms: int) -> int:
    """Return the stable price after `elapsed_ms` at `price`; all prices 1 .. 2**48.

    Unchanged below ten seconds; longer than ten minutes counts as ten minutes.
    """
    if elapsed_ms < STABLE_STEP_MS_MIN:
        return stable
    reach = stable_growth(stable, delayed, elapsed_ms)
    return max(max(1, stable - reach), min(stable + reach, price))


@law
def delayed_step(last: int, interval_mean: int) -> int:
    """Return the next delayed price: the mean of an interval within 6 % of the one before."""
    return clamp_growth(interval_mean, last, DELAY_PPM_PER_INTERVAL)


@law
def delay_update(
    delays: Rows[int], price: int, last_time: int, time: int, price_time_sum: int, time_sum: int
) -> tuple[int, int, int]:
    """Update 24 hourly delayed prices in place; return (delayed price, price * time sum, time sum).

    The sums average the price of the current interval, each update weighing at most ten minutes.
    When an interval begins, the mean of the last one, within 6 % of its forerunner, overwrites the
    oldest price (and those of intervals skipped). Times weigh in whole seconds; the sums start at
    zero and stay below 2**61.
    """
    weight = max(0, min(time - last_time, STABLE_STEP_MS_MAX)) // 1_000
    price_time_sum += price * weight
    time_sum += weight
    last_interval = last_time // DELAY_INTERVAL_MS
    interval = time // DELAY_INTERVAL_MS
    if interval > last_interval:
        newest = delays[(last_interval - 1) % DELAY_BUCKETS]
        if time_sum > 0:
            newest = delayed_step(newest, price_time_sum // time_sum)
        for i in range(min(interval - last_interval, DELAY_BUCKETS)):
            delays[(last_interval + i) % DELAY_BUCKETS] = newest
        price_time_sum = 0
        time_sum = 0
    return delays[interval % DELAY_BUCKETS], price_time_sum, time_sum


@law
def stable_update(
    delays: Rows[int],
    stable: int,
    price: int,
    last_time: int,
    time: int,
    price_time_sum: int,
    time_sum: int,
) -> tuple[int, int, int, int]:
    """Update the stable price and its delays (in place) to a price of `time`.

    Returns (stable price, time of the last update, price * time sum, time sum); all as they were
    if fewer than ten seconds passed. To start: 24 delays and stable at the price, sums zero.
    """
    if time - last_time < STABLE_STEP_MS_MIN:
        return stable, last_time, price_time_sum, time_sum
    delayed, price_time_sum, time_sum = delay_update(
        delays, price, last_time, time, price_time_sum, time_sum
    )
    stable = stable_step(stable, delayed, price, time - last_time)
    return stable, time, price_time_sum, time_sum


@law
def conservative_price(price: int, stable: int, lots: int) -> int:
    """Return the price that opens the least: the lower of two for what is held, else the higher."""
    return min(price, stable) if lots >= 0 else max(price, stable)


@law
def validity(
    price: int,
    mean_price: int,
    confidence: int,
    age_ms: int,
    open_age_ms_max: int,
    margin_age_ms_max: int,
    confidence_max_ppm: int,
    volatile_ratio: int,
) -> int:
    """Return the worst rung of the ladder that a price stands on, as a ``Validity``.

    Volatile beyond `volatile_ratio` (a whole number) times its mean or below that part of it;
    uncertain if its confidence interval exceeds its share of the price.
    """
    if price <= 0:
        return Validity.NON_POSITIVE
    small = max(1, min(price, mean_price))
    if not product_at_least(small, volatile_ratio, max(price, mean_price), 1):
        return Validity.VOLATILE
    if not product_at_least(price, confidence_max_ppm, confidence, PPM):
        return Validity.UNCERTAIN
    if age_ms > margin_age_ms_max:
        return Validity.STALE_MARGIN
    if age_ms > open_age_ms_max:
        return Validity.STALE_OPEN
    return Validity.VALID


@law
def worst_validity(use: int) -> int:
    """Return the worst rung at which a price may still be used so.

    Reducing waits for nothing but a price; whoever is liquidated or deleveraged may have caused
    the doubt, so doubt does not spare him; money leaves or settles at no price in doubt.
    """
    if use == Use.OPEN:
        return Validity.VALID
    if use == Use.REDUCE:
        return Validity.VOLATILE
    if use == Use.LIQUIDATE or use == Use.DELEVERAGE:
        return Validity.UNCERTAIN
    return Validity.STALE_OPEN


@law
def is_usable(rung: int, use: int) -> bool:
    """Tell whether a price of this validity may be used so: the action matrix."""
    return rung <= worst_validity(use)


@law
def price_bounds(reference: int, band_ppm: int) -> tuple[int, int]:
    """Return (lowest, highest) price within the band around a reference; the band is down."""
    width, _ = mul_div_floor(reference, band_ppm, PPM)
    return max(1, reference - width), reference + width


@law
def grace_after(
    last_clock: int, clock: int, grace_until: int, outage_ms: int, grace_ms: int
) -> int:
    """Return until when liquidations wait after law time moved from `last_clock` to `clock`.

    A gap of `outage_ms` or more is an outage: people get `grace_ms` to add margin before the
    prices that they could not answer count against them.
    """
    if clock - last_clock < outage_ms:
        return grace_until
    return max(grace_until, clock + grace_ms)
