"""A pool as counterparty: price impact, utilisation, borrowing, its value and its shares.

A trade that leaves the pool more lopsided pays impact = f * y^2 - f * x^2 (x the imbalance before,
y after, in quote); one that balances it is paid from the impact pool alone. Impact factors are
1e-18 per quote, borrow rates 1e-18 per second, the borrow index 1e-15. What a user pays is rounded
up, what a user receives down; shares carry a virtual offset, so that no first deposit or donation
can move the price of a later one. Every function answers for all int64 arguments within the units
of docs/protocol.md, with ``fits`` False where a result leaves 2**62.
"""

from clearing.compiler import law
from clearing.layout import Rows
from clearing.products import triple_ceil, triple_floor
from clearing.units import MICRO, PPM
from clearing.wide import mul_div_ceil, mul_div_floor

FACTOR_SCALE = 10**18  # impact factor units in 1 per quote; borrow rate units in 1 per second
BORROW_INDEX_SCALE = 10**15  # borrow index units in one micro-quote per micro-quote of size
VIRTUAL_SHARES = 1_000
VIRTUAL_MICRO = 1
SHARE_UNIT = 10**9  # shares that cost one quote in an empty pool
UTILISATION_MAX = 1_000 * PPM
POOL_MAX = 1 << 62  # micro-quote, shares and index units that a pool counts to


@law
def quadratic_floor(factor: int, left: int, right: int) -> tuple[int, bool]:
    """Return (floor(factor * left * right), fits) in micro-quote; left and right are micro-quote.

    `factor` is 1e-18 per quote, 0 or more.
    """
    return triple_floor(factor, left, right, FACTOR_SCALE, MICRO)


@law
def imbalance_crosses(
    first_before: int, second_before: int, first_after: int, second_after: int
) -> bool:
    """Tell whether the larger of the two sides changed."""
    return (first_before <= second_before) != (first_after <= second_after)


@law
def price_impact(
    first_before: int,
    second_before: int,
    first_after: int,
    second_after: int,
    positive_factor: int,
    negative_factor: int,
) -> tuple[int, bool]:
    """Return (impact in micro-quote, fits): above zero the trader is paid, below it pays.

    The sides are long and short open interest, or the worth of two pool tokens, in micro-quote
    (0 .. 2**60). A trade that changes the larger side is priced in two legs: down to balance at
    the positive factor, out of it at the negative one. A positive factor above the negative one
    counts as the negative one, or a trade and its inverse would profit.
    """
    before = abs(first_before - second_before)
    after = abs(first_after - second_after)
    positive = min(positive_factor, negative_factor)
    if imbalance_crosses(first_before, second_before, first_after, second_after):
        earned, earned_fits = quadratic_floor(positive, before, before)
        paid, paid_fits = quadratic_floor(negative_factor, -after, after)
        return earned + paid, earned_fits and paid_fits
    factor = positive if after < before else negative_factor
    # x^2 - y^2 = (x - y) * (x + y): one rounding, against the trader on either side of zero.
    return quadratic_floor(factor, before - after, before + after)


@law
def capped_price_impact(
    impact: int,
    size: int,
    impact_pool: int,
    positive_max_ppm: int,
    negative_max_ppm: int,
) -> tuple[int, int]:
    """Return (impact after caps, how much of a negative impact the cap spared), micro-quote.

    Positive impact never exceeds the impact pool nor a share of the trade's `size`; negative
    impact never exceeds a share of the size, and what lies beyond it may be claimed back.
    """
    if impact >= 0:
        most, _ = mul_div_floor(size, positive_max_ppm, PPM)
        return min(impact, max(0, min(most, impact_pool))), 0
    # Up, because it is the trader's debit.
    most, _ = mul_div_ceil(size, negative_max_ppm, PPM)
    if -impact <= most:
        return impact, 0
    return -most, -impact - most


@law
def utilisation_ppm(reserved: int, cap: int) -> int:
    """Return reserved over cap in ppm, rounded up; at most 1000 times the cap."""
    if reserved <= 0:
        return 0
    used, fits = mul_div_ceil(reserved, PPM, cap)
    return min(used, UTILISATION_MAX) if fits else UTILISATION_MAX


@law
def reserve_fits(reserved: int, pool_side_value: int, reserve_factor_ppm: int) -> bool:
    """Tell whether what positions may win is at most a share of the pool's side that pays it."""
    most, fits = mul_div_floor(pool_side_value, reserve_factor_ppm, PPM)
    return reserved <= most or not fits


@law
def kink_borrow_rate(
    used_ppm: int, optimal_ppm: int, base_rate: int, above_rate: int
) -> tuple[int, bool]:
    """Return (borrow rate, fits), rounded up, in the unit of `base_rate`.

    usage * base, plus (above - base) * (usage - optimal) / (1 - optimal) beyond the optimum: base
    and above are the rates at which full use would be charged by each line.
    """
    rate, fits = mul_div_ceil(used_ppm, base_rate, PPM)
    if used_ppm <= optimal_ppm or optimal_ppm >= PPM or above_rate <= base_rate:
        return rate, fits
    extra, extra_fits = mul_div_ceil(
        above_rate - base_rate, used_ppm - optimal_ppm, PPM - optimal_ppm
    )
    if not (fits and extra_fits and rate <= POOL_MAX and extra <= POOL_MAX):
        return 0, False
    return rate + extra, rate + extra <= POOL_MAX


@law
def slope_borrow_rate_ppm(
    used_ppm: int, kink_ppm: int, minimum_ppm: int, slope_ppm: int, high_slope_ppm: int
) -> int:
    """Return minimum + slope * usage up to the kink, and the high slope beyond it; ppm, up.

    Rates and slopes are ppm per year, at most 10**9.
    """
    low, _ = mul_div_ceil(min(used_ppm, kink_ppm), slope_ppm, PPM)
    high, _ = mul_div_ceil(max(0, used_ppm - kink_ppm), high_slope_ppm, PPM)
    return minimum_ppm + low + high


@law
def power_borrow_rate(
    reserved: int, pool_value: int, factor: int, exponent: int
) -> tuple[int, bool]:
    """Return (factor * reserved^exponent / pool value, fits), rounded up; exponent 1 or 2.

    With exponent 2 the factor is per quote reserved. An empty pool with reserves does not fit.
    """
    if reserved <= 0 or factor <= 0:
        return 0, True
    if exponent == 1:
        return mul_div_ceil(reserved, factor, pool_value)
    if exponent != 2:
        return 0, False
    return triple_ceil(factor, reserved, reserved, pool_value, MICRO)


@law
def borrow_index_change(rate: int, elapsed_ms: int) -> tuple[int, bool]:
    """Return how far the borrow index moves (1e-15), rounded up, and whether it fits.

    `rate` is 1e-18 per second.
    """
    # 1e-18 a second over milliseconds is 1e-21; the index counts 1e-15.
    return mul_div_ceil(rate, elapsed_ms, 10**6)


@law
def borrow_fee(size: int, index_change: int) -> tuple[int, bool]:
    """Return the micro-quote that a position of `size` micro-quote owes, rounded up."""
    return mul_div_ceil(size, index_change, BORROW_INDEX_SCALE)


@law
def capped_profit(profit: int, side_value: int, profit_max_ppm: int) -> int:
    """Return the traders' profit that counts against a pool: at most a share of its tokens.

    `profit` (negative if traders lose) and `side_value` are micro-quote.
    """
    if profit <= 0:
        return profit
    most, fits = mul_div_floor(side_value, profit_max_ppm, PPM)
    return min(profit, most) if fits else profit


@law
def profit_exceeds(profit: int, pool_value: int, profit_max_ppm: int) -> bool:
    """Tell whether traders' profit over the pool's value exceeds a cap: then its action waits."""
    if profit <= 0:
        return False
    most, fits = mul_div_floor(max(0, pool_value), profit_max_ppm, PPM)
    return fits and profit > most


@law
def add_within(total: int, part: int) -> tuple[int, bool]:
    """Return (total + part, True), or (0, False) beyond +-2**62; `total` is within."""
    if total >= 0:
        fits = part <= POOL_MAX - total and total + part >= -POOL_MAX
    else:
        fits = part >= -POOL_MAX - total and total + part <= POOL_MAX
    return (total + part if fits else 0), fits


@law
def pool_value(
    amounts: Rows[int],
    prices: Rows[int],
    profits: Rows[int],
    profit_max_ppm: int,
    pending_borrow: int,
    receiver_ppm: int,
    impact_pool: int,
) -> tuple[int, bool]:
    """Return (value of a pool in micro-quote, fits); negative if traders won more than there is.

    Tokens * price + pending borrow fees * (1 - receiver) - traders' profit - impact pool. Each
    token (units, micro-quote per unit) backs one side, whose profit is capped by its own tokens.
    The caller picks each price against the user: the higher for a deposit, the lower for a
    withdrawal. Profits and the impact pool are within +-2**62.
    """
    value, fits = mul_div_floor(pending_borrow, PPM - receiver_ppm, PPM)
    value, within = add_within(0, value)
    fits = fits and within
    for i in range(amounts.shape[0]):
        tokens, tokens_fit = mul_div_floor(amounts[i], prices[i], 1)
        value, within = add_within(value, tokens)
        fits = fits and tokens_fit and within
        value, within = add_within(value, -capped_profit(profits[i], tokens, profit_max_ppm))
        fits = fits and within
    value, within = add_within(value, -impact_pool)
    return value, fits and within


@law
def shares_minted(deposit: int, value: int, supply: int) -> tuple[int, bool]:
    """Return (shares for a deposit, fits), rounded down.

    `value` is the pool's micro-quote before it, `supply` its shares. A pool below zero mints none.
    """
    if value < 0 or value >= POOL_MAX or supply > POOL_MAX:
        return 0, False
    return mul_div_floor(deposit, supply + VIRTUAL_SHARES, value + VIRTUAL_MICRO)


@law
def shares_redeemed(shares: int, value: int, supply: int) -> tuple[int, bool]:
    """Return (micro-quote for shares given back, fits), rounded down; a pool below zero pays 0."""
    if value < 0:
        return 0, True
    if value > POOL_MAX or supply > POOL_MAX or shares > supply:
        return 0, False
    return mul_div_floor(shares, value + VIRTUAL_MICRO, supply + VIRTUAL_SHARES)


@law
def share_price(value: int, supply: int) -> tuple[int, bool]:
    """Return (micro-quote per 10^9 shares, fits), rounded down; 10^6 in an empty pool."""
    if value > POOL_MAX or supply > POOL_MAX:
        return 0, False
    return mul_div_floor(SHARE_UNIT, max(0, value) + VIRTUAL_MICRO, supply + VIRTUAL_SHARES)


@law
def lock_passed(clock: int, deposit_time: int, lock_ms: int) -> bool:
    """Tell whether shares that came with a deposit at `deposit_time` may leave at `clock`."""
    return clock - deposit_time >= lock_ms


@law
def deposit_fits(value: int, deposit: int, value_cap: int) -> bool:
    """Tell whether a pool stays within its cap after a deposit; all micro-quote, 0 or more."""
    return deposit <= value_cap - value
