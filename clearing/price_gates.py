"""What a price is good for: a ladder of doubts, and a matrix of who may act in spite of which.

| doubt | open | reduce | liquidate | funding | withdraw | deleverage | rows |
|---|---|---|---|---|---|---|---|
| stale for opening | no | | | | | | |
| stale for margin | no | no | no | | no | no | no |
| uncertain | no | | | no | no | | |
| volatile | no | | no | no | no | no | |
| not positive | no | no | no | no | no | no | no |

Stale: the mark (an option's rows, or index) is older than the age for opening or for margin; for
opening also if the index has left the reference of an option's rows. Uncertain: publishers
disagree, so confidence is below its floor. Volatile: in a call auction, or beyond the band around
the stable price. Not positive: there is no price yet.

An empty cell is allowed. Whoever fails may have caused the doubt, so that publishers who disagree
do not spare him; a gap of the market does, until its auction is over. Settling and expiring need
no present price: what they pay is frozen.
"""

from clearing.codes import Code, InstrumentKind, InstrumentStatus, Operation
from clearing.compiler import law
from clearing.lookup import find_underlying
from clearing.marks import is_option
from clearing.oracle import STABLE_STEP_MS_MAX, Use, Validity
from clearing.records import Instrument, Series, State, Underlying
from clearing.units import PPM
from clearing.wide import mul_div_ceil, product_at_least

HOUR_MS = 3_600_000
REFERENCE_MOVE_PPM = 22_500  # half the smallest price step of the stress grid
STALE_OPEN = 1 << Validity.STALE_OPEN
STALE_MARGIN = 1 << Validity.STALE_MARGIN
UNCERTAIN = 1 << Validity.UNCERTAIN
VOLATILE = 1 << Validity.VOLATILE
NON_POSITIVE = 1 << Validity.NON_POSITIVE


@law
def price_doubts(state: State, instrument: Instrument) -> int:
    """Return the doubts about an instrument's mark as bits 1 << Validity; 0 if it is valid.

    What settles is beyond doubt. Of an option the underlying is read.
    """
    if instrument.status >= InstrumentStatus.SETTLING:
        return 0
    if is_option(instrument):
        return option_doubts(state, instrument)
    if instrument.mark_price == 0:
        return NON_POSITIVE
    params = state.params[0]
    age = state.globals[0].clock - instrument.price_time
    doubts = age_doubts(age, params.price_stale_open_ms, params.price_stale_margin_ms)
    if instrument.confidence_ppm < params.confidence_floor_ppm:
        doubts |= UNCERTAIN
    if instrument.status == InstrumentStatus.AUCTION or is_beyond_band(
        instrument.mark_price, instrument.stable_price, params.band_ppm
    ):
        doubts |= VOLATILE
    return doubts


@law
def option_doubts(state: State, instrument: Instrument) -> int:
    """Return the doubts about an option's mark: about its rows, and the index they rest on."""
    row = find_underlying(state, instrument.underlying)
    if row < 0:
        return NON_POSITIVE
    underlying = state.underlyings[row]
    series = underlying.series[instrument.series]
    number = series.active_number
    if number == 0 or instrument.rows[number % 2].number != number:
        return NON_POSITIVE
    params = state.params[0]
    clock = state.globals[0].clock
    doubts = age_doubts(
        clock - series.active_time, params.row_age_reduce_ms, params.row_age_fallback_ms
    )
    doubts |= age_doubts(
        clock - underlying.price_time, params.price_stale_open_ms, params.price_stale_margin_ms
    )
    if has_left_reference(underlying, series):
        doubts |= STALE_OPEN
    if series.confidence_ppm < params.confidence_floor_ppm:
        doubts |= UNCERTAIN
    return doubts


@law
def age_doubts(age_ms: int, open_ms: int, margin_ms: int) -> int:
    """Return the doubts of age: none, stale for opening, or stale for margin as well."""
    if age_ms > margin_ms:
        return STALE_OPEN | STALE_MARGIN
    return STALE_OPEN if age_ms > open_ms else 0


@law
def has_left_reference(underlying: Underlying, series: Series) -> bool:
    """Tell whether the index moved further from the rows' reference than half a step of the grid.

    Until the next set of rows such options may only be reduced.
    """
    reference = series.reference_price
    moved = abs(underlying.index_price - reference)
    return not product_at_least(reference, REFERENCE_MOVE_PPM, moved, PPM)


@law
def is_beyond_band(mark_price: int, stable_price: int, band_ppm: int) -> bool:
    """Tell whether a mark lies further from the stable price than the band; 10^6 is no band."""
    if band_ppm >= PPM or stable_price == 0:
        return False
    return not product_at_least(stable_price, band_ppm, abs(mark_price - stable_price), PPM)


@law
def allows(doubts: int, use: int) -> bool:
    """Tell whether a price with these doubts may be used so (``oracle.Use``)."""
    return doubts & forbidding(use) == 0


@law
def forbidding(use: int) -> int:
    """Return the doubts that forbid a use: a column of the matrix."""
    if use == Use.SETTLE or use == Use.EXPIRE:
        return 0
    if use == Use.OPEN:
        return STALE_OPEN | STALE_MARGIN | UNCERTAIN | VOLATILE | NON_POSITIVE
    if use == Use.REDUCE or use == Use.ROW_CHECK:
        return STALE_MARGIN | NON_POSITIVE
    if use == Use.LIQUIDATE or use == Use.DELEVERAGE:
        return STALE_MARGIN | VOLATILE | NON_POSITIVE
    if use == Use.FUNDING:
        return UNCERTAIN | VOLATILE | NON_POSITIVE
    return STALE_MARGIN | UNCERTAIN | VOLATILE | NON_POSITIVE


@law
def check_trading(state: State, instrument: Instrument, opens: bool) -> int:
    """Return INSTRUMENT_STATUS, PRICE_STALE or OPERATION_OPEN if the market may not trade so now.

    `opens`: a side grows. After expiry nothing trades, whether or not it settles yet.
    """
    status = instrument.status
    if status > InstrumentStatus.REDUCE_ONLY or (opens and status == InstrumentStatus.REDUCE_ONLY):
        return Code.INSTRUMENT_STATUS
    if instrument.kind != InstrumentKind.PERPETUAL and state.globals[0].clock >= instrument.expiry:
        return Code.INSTRUMENT_STATUS
    doubts = price_doubts(state, instrument)
    if doubts != 0 and not allows(doubts, Use.OPEN if opens else Use.REDUCE):
        return Code.PRICE_STALE
    if instrument.operation != Operation.NONE:
        return Code.OPERATION_OPEN
    return Code.APPLIED


@law
def check_liquidating(state: State, instrument: Instrument) -> int:
    """Return why nobody may be liquidated in this market now, or APPLIED.

    INSTRUMENT_STATUS if it settles or is closed; PRICE_STALE without a price that counts for
    margin; GATED while a gap is auctioned, and until people had time to answer after an outage;
    OPERATION_OPEN while a sweep goes over it.
    """
    if instrument.status > InstrumentStatus.AUCTION:
        return Code.INSTRUMENT_STATUS
    doubts = price_doubts(state, instrument)
    if doubts & (STALE_MARGIN | NON_POSITIVE) != 0:
        return Code.PRICE_STALE
    if not allows(doubts, Use.LIQUIDATE) or state.globals[0].clock < instrument.grace_until:
        return Code.GATED
    if instrument.operation != Operation.NONE:
        return Code.OPERATION_OPEN
    return Code.APPLIED


@law
def stable_after(stable: int, price: int, elapsed_ms: int, rate_ppm: int) -> int:
    """Return the stable price after `elapsed_ms` at a price; 0 is none yet.

    It moves by rate_ppm of itself an hour at most, rounded up; more than ten minutes count as ten.
    A rate of 10^6 or more: it is the price. Prices 1 .. 2^48.
    """
    if stable == 0 or rate_ppm >= PPM:
        return price
    weight = rate_ppm * max(0, min(elapsed_ms, STABLE_STEP_MS_MAX))
    reach, _ = mul_div_ceil(stable, weight, PPM * HOUR_MS)
    return max(max(1, stable - reach), min(stable + reach, price))


@law
def confidence_of(lowest: int, middle: int, highest: int) -> int:
    """Return 10^6 less the spread of prices over their median, in ppm; at least 0."""
    spread, fits = mul_div_ceil(highest - lowest, PPM, middle)
    return max(0, PPM - spread) if fits else 0
