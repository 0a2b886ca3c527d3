"""Funding: longs pay shorts (or the reverse) through one index in the instrument.

Nobody signs it, because the law recomputes everything: the rate is the mean premium of mark over
index since the last funding, clamped, for the law time that has passed; in a pool's market the rate
for the use of the pool comes on top. Accounts settle when they are next touched.
"""

from clearing.codes import Code, InstrumentKind, InstrumentStatus, Operation
from clearing.compiler import law
from clearing.drafts import draft_instrument, store_instrument
from clearing.lookup import ABSENT, find_instrument
from clearing.oracle import Use
from clearing.pools import borrow_rate_ppm
from clearing.price_gates import allows, price_doubts
from clearing.records import Action, Instrument, Params, State
from clearing.units import FUNDING_ELAPSED_MS_MAX, FUNDING_PERIOD_MS, INDEX_SCALE, PPM
from clearing.wide import mul_div_floor_wide, wide_add

INDEX_HIGH_MAX = 1 << 32  # the index stays within the 96 bits of its leaf


@law
def funding(state: State, action: Action) -> int:
    """Judge one funding action and apply it."""
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    params = state.params[0]
    instrument = state.instruments[row]
    clock = state.globals[0].clock
    if (
        instrument.kind != InstrumentKind.PERPETUAL
        or instrument.status >= InstrumentStatus.SETTLING
    ):
        return Code.INSTRUMENT_STATUS
    if instrument.operation != Operation.NONE:
        return Code.OPERATION_OPEN
    elapsed = clock - instrument.funding_time
    if elapsed < params.funding_interval_ms or instrument.premium_samples == 0:
        return Code.FUNDING_EARLY
    if not allows(price_doubts(state, instrument), Use.FUNDING):
        return Code.PRICE_STALE
    draft_instrument(state, row)
    draft = state.instrument_drafts[0]
    rate = market_rate_ppm(params, instrument) + borrow_rate_ppm(state, instrument)
    high, low, fits = funding_index_change(
        rate, instrument.mark_price, min(elapsed, FUNDING_ELAPSED_MS_MAX)
    )
    if fits:
        high, low = wide_add(instrument.funding_high, instrument.funding_low, high, low)
        if -INDEX_HIGH_MAX < high < INDEX_HIGH_MAX:
            draft.funding_high = high
            draft.funding_low = low
    draft.funding_time = clock
    draft.premium_sum = 0
    draft.premium_samples = 0
    store_instrument(state, row)
    return Code.APPLIED


@law
def market_rate_ppm(params: Params, instrument: Instrument) -> int:
    """Return what longs of a market pay a funding period, in ppm: the clamped mean premium."""
    return funding_rate_ppm(
        instrument.premium_sum, instrument.premium_samples, params.funding_cap_ppm
    )


@law
def funding_rate_ppm(premium_sum: int, samples: int, cap_ppm: int) -> int:
    """Return the mean premium in ppm per funding period, rounded towards zero and clamped."""
    mean = abs(premium_sum) // samples
    mean = min(mean, cap_ppm)
    return mean if premium_sum >= 0 else -mean


@law
def funding_index_change(rate_ppm: int, mark_price: int, elapsed_ms: int) -> tuple[int, int, bool]:
    """Return (high, low, fits): floor(rate * mark * elapsed * 10^12 / (10^6 * 8 h)) as limbs."""
    return mul_div_floor_wide(
        rate_ppm * elapsed_ms, mark_price, INDEX_SCALE // PPM, FUNDING_PERIOD_MS
    )
