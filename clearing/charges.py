"""What portfolio margin adds to risk, and the requirement that comes of both.

Charges round up and saturate at REQUIREMENT_MAX: whatever the numbers, nothing overflows and
nothing becomes cheaper. Amounts are micro-quote, prices micro-quote per lot, rates ppm.
"""

from typing import NamedTuple

from clearing.compiler import law
from clearing.layout import Rows
from clearing.units import PPM
from clearing.wide import div_wide_floor, mul_div_ceil, mul_div_floor, mul_div_floor_wide

REQUIREMENT_MAX = 1 << 62  # more than any account can own: a requirement that saturated
LINEAR = -1  # the expiry of a position without one


class Rates(NamedTuple):
    """The law's parameters of charges; initial rates are on top of maintenance rates."""

    naked_initial_ppm: int
    naked_maintenance_ppm: int
    linear_initial_ppm: int
    linear_maintenance_ppm: int
    concentration_lots: int  # of one position, free of charge
    concentration_ppm: int
    confidence_rate_ppm: int
    short_option_minimum: int  # micro-quote per short lot


@law
def scaled(units: int, shift: int) -> int:
    """Return units * 2^shift within +-REQUIREMENT_MAX, saturating."""
    limit = REQUIREMENT_MAX >> shift
    return max(-limit, min(units, limit)) << shift


@law
def capped_sum(a: int, b: int) -> int:
    """Return a + b, at most REQUIREMENT_MAX, of two numbers 0 .. REQUIREMENT_MAX."""
    return min(a, REQUIREMENT_MAX - b) + b


@law
def capped_share(amount: int, numerator: int, denominator: int) -> int:
    """Return ceil(amount * numerator / denominator), at most REQUIREMENT_MAX; none negative."""
    share, fits = mul_div_ceil(amount, numerator, denominator)
    return min(share, REQUIREMENT_MAX) if fits else REQUIREMENT_MAX


@law
def notional_share(lots: int, price: int, rate_ppm: int) -> int:
    """Return ceil(|lots| * price * rate), at most REQUIREMENT_MAX.

    A notional beyond 64 bits rounds the charge of each lot up instead.
    """
    notional, fits = mul_div_floor(abs(lots), price, 1)
    if fits:
        return capped_share(notional, rate_ppm, PPM)
    return capped_share(abs(lots), capped_share(price, rate_ppm, PPM), 1)


@law
def naked_short_lots(
    lots: Rows[int],
    expiry: Rows[int],
    strike: Rows[int],
    right: Rows[int],
    first: int,
    end: int,
) -> int:
    """Return the short option lots that no long of the same expiry, strike and right covers.

    Positions first .. end - 1; those with expiry LINEAR do not count. Rights that are all the
    same net calls with puts of a strike.
    """
    naked = 0
    for i in range(first, end):
        if expiry[i] == LINEAR:
            continue
        net = 0
        # A series counts where it stands first.
        seen = False
        for j in range(first, end):
            if expiry[j] == expiry[i] and strike[j] == strike[i] and right[j] == right[i]:
                net += lots[j]
                seen = seen or j < i
        if not seen:
            naked += max(-net, 0)
    return naked


@law
def short_option_lots(lots: Rows[int], expiry: Rows[int], count: int) -> int:
    """Return the sum of short option lots."""
    short = 0
    for i in range(count):
        if expiry[i] != LINEAR:
            short += max(-lots[i], 0)
    return short


@law
def concentration_charge(lots: int, threshold_lots: int, price: int, rate_ppm: int) -> int:
    """Return rate * notional of the lots beyond a threshold, up, saturating."""
    return notional_share(max(abs(lots) - threshold_lots, 0), price, rate_ppm)


@law
def shortfall_charge(lots: int, price: int, missing_ppm: int, rate_ppm: int) -> int:
    """Return missing * rate * notional, up, saturating: for low confidence and for a lost peg.

    `missing_ppm` is what confidence lacks of one, or the peg of its threshold; not above it
    (negative) charges nothing. missing up to 10^6, rate up to 10^7.
    """
    rate = max(missing_ppm, 0) * rate_ppm
    notional, fits = mul_div_floor(abs(lots), price, 1)
    if fits:
        return capped_share(notional, rate, PPM * PPM)
    return capped_share(abs(lots), capped_share(price, rate, PPM * PPM), 1)


@law
def confidence_missing(confidence_ppm: int, threshold_ppm: int) -> int:
    """Return 1 - confidence (ppm) if confidence is below the threshold, else 0."""
    return PPM - confidence_ppm if confidence_ppm < threshold_ppm else 0


@law
def portfolio_charges(
    lots: Rows[int],
    underlying: Rows[int],
    expiry: Rows[int],
    strike: Rows[int],
    right: Rows[int],
    price: Rows[int],
    missing_ppm: Rows[int],
    count: int,
    rates: Rates,
) -> tuple[int, int, int, int]:
    """Return (charges, initial charges, short-option minimum, naked short lots) of an account.

    `price` is the index of an option, the mark of a linear position, `missing_ppm` what the
    confidence in it lacks (see `confidence_missing`); positions of an underlying stand together.
    Charges count for both margins, initial charges for initial only.
    """
    both = 0
    initial = 0
    naked_total = 0
    first = 0
    while first < count:
        end = first
        index = 0
        while end < count and underlying[end] == underlying[first]:
            if expiry[end] == LINEAR:
                both = capped_sum(
                    both, notional_share(lots[end], price[end], rates.linear_maintenance_ppm)
                )
                initial = capped_sum(
                    initial, notional_share(lots[end], price[end], rates.linear_initial_ppm)
                )
            else:
                index = price[end]
            both = capped_sum(
                both,
                concentration_charge(
                    lots[end], rates.concentration_lots, price[end], rates.concentration_ppm
                ),
            )
            initial = capped_sum(
                initial,
                shortfall_charge(
                    lots[end], price[end], missing_ppm[end], rates.confidence_rate_ppm
                ),
            )
            end += 1
        naked = naked_short_lots(lots, expiry, strike, right, first, end)
        both = capped_sum(both, notional_share(naked, index, rates.naked_maintenance_ppm))
        initial = capped_sum(initial, notional_share(naked, index, rates.naked_initial_ppm))
        naked_total += naked
        first = end
    short = short_option_lots(lots, expiry, count)
    minimum = capped_share(short, rates.short_option_minimum, 1)
    return both, initial, minimum, naked_total


@law
def requirement(
    risk: int,
    initial_ppm: int,
    maintenance_ppm: int,
    charges: int,
    initial_charges: int,
    short_option_minimum: int,
) -> tuple[int, int]:
    """Return (initial margin, maintenance margin), rounded up, saturating at REQUIREMENT_MAX.

    `charges` count for both, `initial_charges` for initial only; the short-option minimum is a
    floor of each whole; initial is never below maintenance. Risk that saturated stays so.
    """
    if risk >= REQUIREMENT_MAX:
        return REQUIREMENT_MAX, REQUIREMENT_MAX
    maintenance = capped_sum(capped_share(risk, maintenance_ppm, PPM), charges)
    initial = capped_sum(capped_share(risk, initial_ppm, PPM), capped_sum(charges, initial_charges))
    maintenance = max(maintenance, short_option_minimum)
    return max(initial, maintenance), maintenance


@law
def span_points(
    price_shock: Rows[int],
    volatility_shock: Rows[int],
    covered_ppm: Rows[int],
    price_scan: int,
    volatility_scan: int,
    extreme_ppm: int,
    extreme_covered_ppm: int,
) -> None:
    """Write SPAN's sixteen points from its scan ranges (any unit; thirds rounded to nearest).

    No move, a third up, a third down, two thirds, three thirds, each with volatility up then down;
    then the extremes up and down, a multiple of the price scan, covered by a fraction.
    """
    for i in range(14):
        thirds = (i // 2 + 1) // 2
        move = (2 * thirds * price_scan + 3) // 6
        price_shock[i] = -move if i // 2 % 2 == 0 else move
        volatility_shock[i] = volatility_scan if i % 2 == 0 else -volatility_scan
        covered_ppm[i] = PPM
    extreme = capped_share(price_scan, extreme_ppm, PPM)
    for i in range(14, 16):
        price_shock[i] = extreme if i == 14 else -extreme
        volatility_shock[i] = 0
        covered_ppm[i] = extreme_covered_ppm


@law
def span_requirement(
    scan_risk: int,
    spread_charge: int,
    delivery_charge: int,
    spread_credit: int,
    short_option_minimum: int,
    net_option_value: int,
) -> tuple[int, int]:
    """Return (risk requirement, margin) of a SPAN combined commodity.

    risk = max(scan risk + intra-commodity spread charge + delivery charge - inter-commodity
    credit, short-option minimum); margin = risk - net option value, negative for an excess.
    Arguments but the last are 0 .. 2^60, the last within +-2^60.
    """
    gross = scan_risk + spread_charge + delivery_charge - spread_credit
    risk = max(gross, short_option_minimum)
    return risk, risk - net_option_value


@law
def span_spreads(delta: Rows[int], count: int) -> tuple[int, int]:
    """Return (spreads, net delta) of the months of a commodity, in units of the deltas.

    As many deltas as stand on both sides form spreads, whichever their months; |delta| up to 2^55,
    `count` up to 64.
    """
    above = 0
    below = 0
    for i in range(count):
        above += max(delta[i], 0)
        below += max(-delta[i], 0)
    return min(above, below), above - below


@law
def span_leg_spreads(delta: int, ratio: int, other_side: bool, first: int) -> int:
    """Return how many spreads a leg's delta forms at `ratio` a spread, rounded down.

    None if it does not stand as its side asks: the legs of side A on the side of `first`, the
    delta of the first leg, those of side B opposite.
    """
    if delta == 0 or first == 0 or ((delta > 0) == (first > 0)) == other_side:
        return 0
    return abs(delta) // ratio


@law
def span_leg_credit(risk: int, delta: int, used: int, credit_ppm: int) -> int:
    """Return risk / |delta| * delta used * credit rate, rounded down once; 0 without a delta.

    risk up to 2^60, used up to |delta|.
    """
    if delta == 0:
        return 0
    high, low, _ = mul_div_floor_wide(risk, used, credit_ppm, abs(delta))
    _, low = div_wide_floor(high, low, PPM)
    return low


@law
def composite_delta(delta_ppm: Rows[int], weight_ppm: Rows[int], count: int) -> int:
    """Return the weighted mean of an instrument's deltas (ppm), rounded to nearest; 0 weight is 0.

    `count` up to POINTS, |delta| up to 10^7, weights 0 .. 10^6.
    """
    total = 0
    weights = 0
    for i in range(count):
        total += delta_ppm[i] * weight_ppm[i]
        weights += weight_ppm[i]
    if weights == 0:
        return 0
    return (2 * total + weights) // (2 * weights)
