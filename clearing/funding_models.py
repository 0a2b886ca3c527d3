"""Funding as other venues reckon it, in integers, to compare with and to choose from.

Rates are parts per billion (ppb) unless a venue's own unit is ppm; above zero longs pay shorts.
Rates round towards zero, so that neither side is favoured; what an account receives rounds down.
"""

from clearing.compiler import law
from clearing.layout import Rows
from clearing.products import triple_floor
from clearing.units import PPM
from clearing.wide import (
    LIMB,
    div_wide_floor,
    mul_div_ceil,
    mul_div_floor,
    wide_add,
    wide_from,
)

PPB = 10**9
DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
FUNDING_PERIOD_SECONDS = 28_800
HOURS_IN_PERIOD = 8
HOURS_IN_DAY = 24
DRIFT_BUFFER = 1_000  # funding of 1e-3 micro-quote per lot


@law
def clamp(value: int, low: int, high: int) -> int:
    """Return the value within low .. high; low wins if they cross."""
    return max(low, min(high, value))


@law
def mul_div_trunc(a: int, b: int, c: int) -> tuple[int, bool]:
    """Return (a * b / c towards zero, True), or (0, False) beyond +-2**62 or if c <= 0."""
    if (a < 0) != (b < 0):
        quotient, fits = mul_div_ceil(a, b, c)
    else:
        quotient, fits = mul_div_floor(a, b, c)
    if not fits or quotient > LIMB or quotient < -LIMB:
        return 0, False
    return quotient, True


@law
def impact_price(
    prices: Rows[int], sizes: Rows[int], notional: int, is_bid: bool
) -> tuple[int, bool]:
    """Return (mean price of trading `notional` micro-quote against one side of a book, found).

    Levels (micro-quote per lot, lots) run from the best. Bids round down, asks up, so that the
    premium is never overstated. Not found if the book is thinner.
    """
    quote = 0
    base = 0
    for i in range(prices.shape[0]):
        if prices[i] <= 0 or sizes[i] < 0:
            return 0, False
        level, fits = mul_div_floor(prices[i], sizes[i], 1)
        left = notional - quote
        if not fits or level >= left:
            # notional / (base + left / price), with one rounding.
            bought, bought_fits = mul_div_floor(base, prices[i], 1)
            if not bought_fits or bought > LIMB - left:
                return 0, False
            if is_bid:
                return mul_div_floor(notional, prices[i], bought + left)
            return mul_div_ceil(notional, prices[i], bought + left)
        quote += level
        base += sizes[i]
    return 0, False


@law
def impact_premium_ppb(bid: int, ask: int, index_price: int) -> tuple[int, bool]:
    """Return ((max(0, bid - index) - max(0, index - ask)) / index in ppb, fits).

    Bid and ask are impact prices: inside their spread the premium is zero.
    """
    gap = max(0, bid - index_price) - max(0, index_price - ask)
    return mul_div_trunc(gap, PPB, index_price)


@law
def mean_sample(samples: Rows[int], count_min: int) -> int:
    """Return the mean towards zero; missing samples up to `count_min` count as zero.

    Samples are within +-2**48.
    """
    total = 0
    for i in range(samples.shape[0]):
        total += samples[i]
    count = max(1, max(samples.shape[0], count_min))
    return total // count if total >= 0 else -(-total // count)


@law
def dydx_rate_ppm(
    samples: Rows[int],
    count_min: int,
    default_ppm: int,
    initial_ppm: int,
    maintenance_ppm: int,
    clamp_ppm: int,
) -> int:
    """Return the eight-hour rate in ppm: mean premium + default, within +-k * (IMF - MMF).

    `clamp_ppm` is k, 6_000_000 for 600 %.
    """
    bound = max(0, initial_ppm - maintenance_ppm) * clamp_ppm // PPM
    return clamp(mean_sample(samples, count_min) + default_ppm, -bound, bound)


@law
def dydx_index_change(rate_ppm: int, price: int, elapsed_seconds: int) -> tuple[int, bool]:
    """Return (rate * price * elapsed / 8 h in 1e-6 micro-quote per lot, fits), towards zero."""
    scaled, fits = mul_div_floor(abs(rate_ppm), elapsed_seconds, 1)
    change, change_fits = mul_div_floor(scaled, price, FUNDING_PERIOD_SECONDS)
    if not (fits and change_fits):
        return 0, False
    return (change if rate_ppm >= 0 else -change), True


@law
def funding_settlement(lots: Rows[int], index_changes: Rows[int]) -> tuple[int, bool]:
    """Return (what an account receives in micro-quote, fits): -sum(lots * change) / 10^6, down.

    The sum is taken before the one rounding (towards minus infinity): never more than is due,
    and never more than one micro-quote less. Changes are 1e-6 micro-quote per lot.
    """
    high, low = wide_from(0, 0)
    for i in range(lots.shape[0]):
        part_high, part_low = wide_from(-lots[i], index_changes[i])
        high, low = wide_add(high, low, part_high, part_low)
    high, low = div_wide_floor(high, low, PPM)
    if high < -1 or high > 0:
        return 0, False
    return (low if high == 0 else low - LIMB), True


@law
def hyperliquid_rates_ppb(
    premium_ppb: int, interest_ppb: int, clamp_ppb: int, hourly_cap_ppb: int
) -> tuple[int, int]:
    """Return (eight-hour rate, hourly rate) in ppb: P + clamp(interest - P, +-c), and an eighth.

    The hourly rate is capped (4 % there). All within +-2**60.
    """
    rate = premium_ppb + clamp(interest_ppb - premium_ppb, -clamp_ppb, clamp_ppb)
    hourly = rate // HOURS_IN_PERIOD if rate >= 0 else -(-rate // HOURS_IN_PERIOD)
    return rate, clamp(hourly, -hourly_cap_ppb, hourly_cap_ppb)


@law
def derive_rate_ppb(
    bid: int, ask: int, index_price: int, interest_ppb: int, hourly_cap_ppb: int
) -> tuple[int, bool]:
    """Return (hourly rate in ppb, fits): an eighth of the impact premium + interest, capped.

    Interest and cap are ppb an hour, within +-2**61.
    """
    gap = max(0, bid - index_price) - max(0, index_price - ask)
    # An eighth within the one division: two roundings would lose a part.
    premium, fits = mul_div_trunc(gap, PPB // HOURS_IN_PERIOD, index_price)
    return clamp(premium + interest_ppb, -hourly_cap_ppb, hourly_cap_ppb), fits


@law
def vega_payment(
    mark_mean: int,
    index_mean: int,
    interest_ppm: int,
    elapsed_ms: int,
    clamp_low_ppm: int,
    clamp_high_ppm: int,
) -> tuple[int, bool]:
    """Return (what one long lot pays in micro-quote, fits), before auctions, scaling and bounds.

    f - s + clamp((1 + dt * r) * s - f, low * s, high * s), with f and s the means of mark and
    index and r the interest in ppm a year of 365 days.
    """
    grown, fits = triple_floor(index_mean, interest_ppm, elapsed_ms, YEAR_MS, PPM)
    low, low_fits = mul_div_trunc(index_mean, clamp_low_ppm, PPM)
    most, most_fits = mul_div_trunc(index_mean, clamp_high_ppm, PPM)
    if not (fits and low_fits and most_fits):
        return 0, False
    gap = mark_mean - index_mean
    return gap + clamp(grown - gap, low, most), True


@law
def vega_bounded_payment(
    payment: int,
    index_mean: int,
    auction_ms: int,
    period_ms: int,
    scaling_ppm: int,
    rate_low_ppm: int,
    rate_high_ppm: int,
) -> tuple[int, bool]:
    """Return (payment for the time outside auctions, scaled, within rate bounds, fits).

    Prices in an auction are nobody's, so that part of the period pays nothing; rates are over the
    index mean. Each step rounds towards zero.
    """
    due, fits = mul_div_trunc(payment, max(0, period_ms - auction_ms), period_ms)
    due, scaled_fits = mul_div_trunc(due, scaling_ppm, PPM)
    low, low_fits = mul_div_trunc(index_mean, rate_low_ppm, PPM)
    high, high_fits = mul_div_trunc(index_mean, rate_high_ppm, PPM)
    return clamp(due, low, high), fits and scaled_fits and low_fits and high_fits


@law
def drift_rate(
    mark_mean: int, oracle_mean: int, offset_divisor: int, divergence_max_ppm: int
) -> tuple[int, bool]:
    """Return (hourly funding in 1e-3 micro-quote per lot, fits).

    clamp(mark - oracle + oracle / 5000, +-share of the oracle) / 24, of time-weighted means.
    """
    bound, fits = mul_div_floor(oracle_mean, divergence_max_ppm, PPM)
    spread = mark_mean - oracle_mean + oracle_mean // max(1, offset_divisor)
    rate, rate_fits = mul_div_trunc(clamp(spread, -bound, bound), DRIFT_BUFFER, HOURS_IN_DAY)
    return rate, fits and rate_fits


@law
def synthetix_velocity_ppb(skew: int, skew_scale: int, velocity_max_ppb: int) -> int:
    """Return how fast the rate moves, in ppb per day per day: clamp(skew / scale, +-1) * most."""
    if abs(skew) >= skew_scale:
        return velocity_max_ppb if skew > 0 else -velocity_max_ppb
    velocity, _ = mul_div_trunc(skew, velocity_max_ppb, skew_scale)
    return velocity


@law
def synthetix_rate_ppb(rate_ppb: int, velocity_ppb: int, elapsed_ms: int) -> tuple[int, bool]:
    """Return (rate in ppb a day after `elapsed_ms` at a velocity, fits); it does not decay."""
    change, fits = mul_div_trunc(velocity_ppb, elapsed_ms, DAY_MS)
    if abs(change) > LIMB - abs(rate_ppb):
        return 0, False
    return rate_ppb + change, fits


@law
def synthetix_accrued(
    rate_before_ppb: int, rate_after_ppb: int, price: int, elapsed_ms: int
) -> tuple[int, bool]:
    """Return (what one long lot owes in 1e-6 micro-quote, fits): mean rate * time * price."""
    rates = rate_before_ppb + rate_after_ppb
    return triple_floor(rates, elapsed_ms, price, 2 * DAY_MS, PPB // PPM)
