"""Price: q-of-n signed observations; the law takes the true lower median by counting.

A price is accepted if enough distinct publishers signed, no observation lies in the future, its
median time is newer than the last price, and neither index nor mark jumps beyond the bound
while the last price still counts for margin.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import draft_instrument, store_instrument
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_instrument, signed_by
from clearing.records import Action, Observation, State
from clearing.units import OBSERVATIONS_MAX, PPM
from clearing.wide import mul_div_floor, product_at_least

INDEX = 0
MARK = 1
TIME = 2


@law
def price(state: State, action: Action, observations: Rows[Observation], signers: Grid) -> int:
    """Judge one price action and apply it."""
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    params = state.params[0]
    count = action.signature_count
    first = action.signature_first
    if count < params.price_quorum or count > OBSERVATIONS_MAX or count == 0:
        return Code.QUORUM
    if not are_distinct_publishers(state, signers, first, count):
        return Code.PUBLISHER
    instrument = state.instruments[row]
    index_price = median(observations, first, count, INDEX)
    mark_price = median(observations, first, count, MARK)
    time = median(observations, first, count, TIME)
    latest = state.globals[0].clock + params.price_drift_ms
    for i in range(first, first + count):
        if observations[i].time > latest:
            return Code.PRICE_TIME
    if time <= instrument.price_time:
        return Code.PRICE_TIME
    # Against a stale price no jump is judged: a true gap must not lock the market for ever.
    age = state.globals[0].clock - instrument.price_time
    if age <= params.price_stale_margin_ms and (
        jumps(instrument.index_price, index_price, params.price_jump_ppm)
        or jumps(instrument.mark_price, mark_price, params.price_jump_ppm)
    ):
        return Code.PRICE_JUMP
    draft_instrument(state, row)
    draft = state.instrument_drafts[0]
    draft.index_price = index_price
    draft.mark_price = mark_price
    draft.price_time = time
    draft.premium_sum += premium_ppm(mark_price, index_price)
    draft.premium_samples += 1
    store_instrument(state, row)
    return Code.APPLIED


@law
def are_distinct_publishers(state: State, signers: Grid, first: int, count: int) -> bool:
    """Every signer is a publisher and none signs twice."""
    params = state.params[0]
    seen = 0
    for i in range(first, first + count):
        known = False
        for j in range(params.publisher_count):
            if signed_by(signers, i, params.publishers[j].address):
                if seen & (1 << j) != 0:
                    return False
                seen |= 1 << j
                known = True
                break
        if not known:
            return False
    return True


@law
def field_of(observation: Observation, field: int) -> int:
    """Return the index price, mark price or time of an observation."""
    if field == INDEX:
        return observation.index_price
    if field == MARK:
        return observation.mark_price
    return observation.time


@law
def median(observations: Rows[Observation], first: int, count: int, field: int) -> int:
    """Return element (count - 1) / 2 of the sorted values: the lower median, found by counting."""
    wanted = (count - 1) // 2
    for i in range(first, first + count):
        candidate = field_of(observations[i], field)
        below = 0
        not_above = 0
        for j in range(first, first + count):
            value = field_of(observations[j], field)
            if value < candidate:
                below += 1
            if value <= candidate:
                not_above += 1
        if below <= wanted < not_above:
            return candidate
    return 0


@law
def premium_ppm(mark_price: int, index_price: int) -> int:
    """Return the premium of mark over index, rounded towards zero and within -10^6 .. 10^6."""
    sample, fits = mul_div_floor(abs(mark_price - index_price), PPM, index_price)
    if not fits or sample > PPM:
        sample = PPM
    return sample if mark_price >= index_price else -sample


@law
def jumps(last: int, now: int, jump_ppm: int) -> bool:
    """Tell whether a price moved further than the bound; the first price ever may be any."""
    return last != 0 and not product_at_least(last, jump_ppm, abs(now - last), PPM)
