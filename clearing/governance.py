"""What a change of parameters must satisfy, and what the law itself would propose.

Governance cannot surprise: a parameter moves by a bounded share, after a timelock, and a set of
parameters that contradicts itself is refused as a whole. Fractions and rates are ppm.
"""

from enum import IntEnum

from clearing.compiler import law
from clearing.layout import Rows
from clearing.units import PPM
from clearing.wide import mul_div_ceil, mul_div_floor, product_at_least


class ParameterFault(IntEnum):
    """Why a change of parameters is refused, in order of precedence; zero if it is not."""

    NONE = 0
    TIMELOCK = 1
    STEP = 2
    MARGIN_ORDER = 3
    FEE_SUM = 4
    HAIRCUT_ORDER = 5


@law
def step_within(old: int, new: int, step_ppm: int) -> bool:
    """Tell whether a parameter (0 .. 2**62) moves by at most a share of its old value.

    From zero any value may be reached: there is no share of nothing.
    """
    return old == 0 or product_at_least(old, step_ppm, abs(new - old), PPM)


@law
def timelock_passed(announced: int, clock: int, timelock_ms: int) -> bool:
    """Tell whether a change announced at a law time may take effect."""
    return clock - announced >= timelock_ms


@law
def margins_ordered(initial_ppm: int, maintenance_ppm: int) -> bool:
    """Tell whether 0 < maintenance < initial <= 1: an opening must not be liquidated at once."""
    return 0 < maintenance_ppm < initial_ppm <= PPM


@law
def fees_cover(maker_ppm: Rows[int], taker_ppm: Rows[int]) -> bool:
    """Tell whether the lowest maker fee and the lowest taker fee sum to 0 or more.

    Any maker may meet any taker, so the pair of the same tier is not enough.
    """
    maker = maker_ppm[0]
    taker = taker_ppm[0]
    for i in range(1, maker_ppm.shape[0]):
        maker = min(maker, maker_ppm[i])
    for i in range(1, taker_ppm.shape[0]):
        taker = min(taker, taker_ppm[i])
    return maker + taker >= 0


@law
def haircuts_ordered(haircuts_ppm: Rows[int]) -> bool:
    """Tell whether haircuts, from the smallest size up, are 0 .. 1 and never fall."""
    last = 0
    for i in range(haircuts_ppm.shape[0]):
        if haircuts_ppm[i] < last or haircuts_ppm[i] > PPM:
            return False
        last = haircuts_ppm[i]
    return True


@law
def parameter_fault(
    is_timely: bool, is_small: bool, is_ordered: bool, is_covered: bool, is_monotone: bool
) -> int:
    """Return the first ``ParameterFault`` of a change whose parts were judged so."""
    if not is_timely:
        return ParameterFault.TIMELOCK
    if not is_small:
        return ParameterFault.STEP
    if not is_ordered:
        return ParameterFault.MARGIN_ORDER
    if not is_covered:
        return ParameterFault.FEE_SUM
    if not is_monotone:
        return ParameterFault.HAIRCUT_ORDER
    return ParameterFault.NONE


@law
def fee_tier(volume: int, thresholds: Rows[int]) -> int:
    """Return the last tier whose threshold (ascending, the first is the base) `volume` reaches."""
    tier = 0
    for i in range(1, thresholds.shape[0]):
        if volume < thresholds[i]:
            break
        tier = i
    return tier


@law
def initial_target_ppm(
    volatility_ppm: int,
    multiplier_ppm: int,
    open_interest: int,
    depth: int,
    low_ppm: int,
    high_ppm: int,
) -> int:
    """Return volatility * multiplier * (1 + open interest / depth), up, within low .. high.

    `volatility_ppm` is that of one liquidation horizon, `depth` the micro-quote that the market
    takes without a move (above zero); `open_interest` is micro-quote too.
    """
    base, fits = mul_div_ceil(volatility_ppm, multiplier_ppm, PPM)
    crowding, crowding_fits = mul_div_ceil(base, open_interest, depth)
    # Both are compared before they are added: the sum might leave 64 bits.
    if not (fits and crowding_fits) or base > PPM or crowding > PPM:
        return high_ppm
    return max(low_ppm, min(high_ppm, base + crowding))


@law
def proposed_initial_ppm(current_ppm: int, target_ppm: int, step_ppm: int) -> int:
    """Return the target, or the nearest fraction to it that one bounded step reaches."""
    reach, fits = mul_div_floor(current_ppm, step_ppm, PPM)
    if not fits or current_ppm == 0:
        return target_ppm
    return max(current_ppm - reach, min(current_ppm + reach, target_ppm))
