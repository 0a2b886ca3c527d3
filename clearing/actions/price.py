"""Price: q-of-n signed observations; the law takes the true lower median by counting.

A price is accepted if
1. the market exists and is no option (whose price is the centre of its row); or, of instrument
   number 2^31 + a, asset a exists and is not the settlement asset;
2. enough distinct publishers signed;
3. no observation lies in the future, and the median time is newer than the last price;
4. neither index nor mark jumps beyond the bound while the last price still counts for margin.
It moves the stable price and tells by how much the publishers disagree. A mark beyond the band
around the stable price opens a call auction of the market, see `judge_band`. The first price after
an outage gives people time before they are liquidated. The price of an underlying's reference
market moves its index.
"""

from clearing.calls import judge_call, reopen
from clearing.codes import Code, InstrumentKind, InstrumentStatus
from clearing.compiler import law
from clearing.drafts import (
    draft_assets,
    draft_instrument,
    draft_underlying,
    store_assets,
    store_instrument,
    store_underlying,
)
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_instrument, find_underlying
from clearing.marks import is_option
from clearing.price_gates import confidence_of, is_beyond_band, stable_after
from clearing.quorum import check_quorum, latest_time
from clearing.records import Action, Instrument, Observation, Params, State
from clearing.settlement import move_index
from clearing.units import PPM, SETTLEMENT_ASSET
from clearing.wide import mul_div_floor, product_at_least

INDEX = 0
MARK = 1
TIME = 2
ASSET_PRICES = 1 << 31  # instrument number of asset 0's price


@law
def price(state: State, action: Action, observations: Rows[Observation], signers: Grid) -> int:
    """Judge one price action and apply it."""
    if action.instrument >= ASSET_PRICES:
        return asset_price(state, action, observations, signers)
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    instrument = state.instruments[row]
    underlying_row = find_underlying(state, instrument.underlying)
    if underlying_row < 0:
        return Code.INVARIANT
    if is_option(instrument):
        return Code.INSTRUMENT_STATUS
    code = check_quorum(state, action, signers)
    if code != Code.APPLIED:
        return code
    first = action.signature_first
    count = action.signature_count
    index_price = median(observations, first, count, INDEX)
    mark_price = median(observations, first, count, MARK)
    time = median(observations, first, count, TIME)
    code = check_times(state, observations, first, count, instrument.price_time)
    if code != Code.APPLIED:
        return code
    if does_count(state, instrument.price_time) and (
        jumps(instrument.index_price, index_price, state.params[0].price_jump_ppm)
        or jumps(instrument.mark_price, mark_price, state.params[0].price_jump_ppm)
    ):
        return Code.PRICE_JUMP
    draft_instrument(state, row)
    draft = state.instrument_drafts[0]
    draft.confidence_ppm = min(
        confidence(observations, first, count, INDEX, index_price),
        confidence(observations, first, count, MARK, mark_price),
    )
    take_price(state, draft, index_price, mark_price, time)
    store_instrument(state, row)
    if state.underlyings[underlying_row].reference == instrument.id:
        draft_underlying(state, underlying_row)
        window = state.params[0].settlement_window_ms
        move_index(state.underlying_drafts[0], index_price, time, window)
        store_underlying(state, underlying_row)
    return Code.APPLIED


@law
def take_price(
    state: State, instrument: Instrument, index_price: int, mark_price: int, time: int
) -> None:
    """Write an accepted price into the market's draft, with all that follows from it."""
    params = state.params[0]
    clock = state.globals[0].clock
    # The first price ever follows no outage.
    if instrument.mark_price != 0 and not does_count(state, instrument.price_time):
        instrument.grace_until = clock + params.restart_grace_ms
    instrument.stable_price = stable_after(
        instrument.stable_price, mark_price, time - instrument.stable_time, params.stable_rate_ppm
    )
    instrument.stable_time = time
    instrument.index_price = index_price
    instrument.mark_price = mark_price
    instrument.price_time = time
    judge_band(params, instrument, clock)
    # Prices of an auction are nobody's yet, and only perpetuals have funding.
    if (
        instrument.kind == InstrumentKind.PERPETUAL
        and instrument.status != InstrumentStatus.AUCTION
    ):
        instrument.premium_sum += premium_ppm(mark_price, index_price)
        instrument.premium_samples += 1


@law
def judge_band(params: Params, instrument: Instrument, clock: int) -> None:
    """Open, extend or end the call auction of a market whose price was just taken.

    A mark beyond the band opens it (an active market only). When its time is over, the first price
    inside the band ends it. A price still beyond the band extends it once; the next one ends it
    all the same and becomes the stable price: nobody is spared by a gap for ever. If the call's
    orders cross, the first price finds theirs instead, and the market waits for the fills.
    `auction_price` is the price that opened the auction, 0 once it was extended.
    """
    beyond = is_beyond_band(instrument.mark_price, instrument.stable_price, params.band_ppm)
    if instrument.status == InstrumentStatus.ACTIVE:
        if beyond:
            instrument.status = InstrumentStatus.AUCTION
            instrument.auction_end = clock + params.band_auction_ms
            instrument.auction_price = instrument.mark_price
    elif instrument.status == InstrumentStatus.AUCTION and clock >= instrument.auction_end:
        if judge_call(params, instrument, clock):
            return
        if beyond and instrument.auction_price != 0:
            instrument.auction_end = clock + params.band_auction_ms
            instrument.auction_price = 0
        else:
            reopen(instrument, instrument.mark_price if beyond else instrument.stable_price)


@law
def asset_price(
    state: State, action: Action, observations: Rows[Observation], signers: Grid
) -> int:
    """Judge the price of a collateral asset, the median index price, and apply it."""
    id = action.instrument - ASSET_PRICES
    if id == SETTLEMENT_ASSET or id >= state.globals[0].asset_count:
        return Code.NO_ASSET
    code = check_quorum(state, action, signers)
    if code != Code.APPLIED:
        return code
    first = action.signature_first
    count = action.signature_count
    now = median(observations, first, count, INDEX)
    time = median(observations, first, count, TIME)
    asset = state.assets[id]
    code = check_times(state, observations, first, count, asset.price_time)
    if code != Code.APPLIED:
        return code
    params = state.params[0]
    if does_count(state, asset.price_time) and jumps(asset.price, now, params.price_jump_ppm):
        return Code.PRICE_JUMP
    draft_assets(state)
    draft = state.asset_drafts[id]
    draft.stable_price = stable_after(
        asset.stable_price, now, time - asset.price_time, params.stable_rate_ppm
    )
    draft.price = now
    draft.price_time = time
    store_assets(state)
    return Code.APPLIED


@law
def check_times(
    state: State, observations: Rows[Observation], first: int, count: int, last: int
) -> int:
    """Return PRICE_TIME if an observation lies in the future or the median is not new."""
    latest = latest_time(state)
    for i in range(first, first + count):
        if observations[i].time > latest:
            return Code.PRICE_TIME
    if median(observations, first, count, TIME) <= last:
        return Code.PRICE_TIME
    return Code.APPLIED


@law
def does_count(state: State, time: int) -> bool:
    """Tell whether a price of this time still counts for margin.

    Against one that does not no jump is judged: a true gap must not lock the market for ever.
    """
    return state.globals[0].clock - time <= state.params[0].price_stale_margin_ms


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
def confidence(
    observations: Rows[Observation], first: int, count: int, field: int, middle: int
) -> int:
    """Return how far the observations of a price agree, see ``confidence_of``."""
    lowest = middle
    highest = middle
    for i in range(first, first + count):
        value = field_of(observations[i], field)
        lowest = min(lowest, value)
        highest = max(highest, value)
    return confidence_of(lowest, middle, highest)


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
