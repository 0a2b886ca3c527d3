"""List: governance appends a market; one with an expiry joins its series or opens a new one.

A listing is legal if
1. the instrument is the next number, of which there are 4^5;
2. governance signed it, with a sequence above the last act's;
3. the underlying exists, and a market with an expiry has a place among its series: one of the same
   expiry, or one that no live market needs (NO_SERIES);
4. the pool, if one is named, exists;
5. kind, tier, strike, expiry, tick, lot, caps and symbol are within their bounds.
The market has no price yet, so nobody trades it before the publishers' first. An option that joins
a series makes the set of risk rows that was being staged begin anew: it lacks the newcomer.

Payload: kind, tier, series, expiry, strike, tick, lot size, open-interest cap, position cap, pool
(1 + its number, 0 none), symbol (4 pieces).
"""

from clearing.authority import check_governance
from clearing.codes import Code, InstrumentKind
from clearing.compiler import law
from clearing.drafts import draft_underlying, store_instrument, store_underlying
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_underlying
from clearing.records import Action, Instrument, Series, State, Underlying
from clearing.units import (
    INSTRUMENTS_DEPTH,
    LOTS_MAX,
    PPM,
    PRICE_MAX,
    SERIES_MAX,
    TIME_MAX,
)

INSTRUMENTS_MAX = 4**INSTRUMENTS_DEPTH
LOT_SIZE_MAX = 1 << 62
KIND, TIER, SERIES, EXPIRY, STRIKE, TICK, LOT_SIZE = range(7)
OPEN_INTEREST_CAP, POSITION_CAP, POOL, SYMBOL = range(7, 11)
PIECES = SYMBOL + 4


@law
def list_market(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Judge one listing and apply it."""
    totals = state.globals[0]
    if action.instrument != totals.instrument_count or action.instrument >= INSTRUMENTS_MAX:
        return Code.NO_INSTRUMENT
    code = check_governance(state, action, signers)
    if code != Code.APPLIED:
        return code
    underlying_row = find_underlying(state, action.underlying)
    if underlying_row == ABSENT:
        return Code.NO_UNDERLYING
    if underlying_row < 0:
        return Code.INVARIANT
    if action.payload_count != PIECES:
        return Code.PARAMETER_BOUND
    first = action.payload_first
    draft_underlying(state, underlying_row)
    kind = payload[first + KIND]
    if is_dated(kind) and not join_series(state, payload, first):
        return Code.NO_SERIES
    if not 0 <= payload[first + POOL] <= totals.pool_count:
        return Code.NO_POOL
    if not within_bounds(state, payload, first):
        return Code.PARAMETER_BOUND
    row = action.instrument
    if state.instrument_ids.shape[0] != 0:
        row = state.scratch[0].spare_instrument
        state.scratch[0].spare_instrument += 1
        state.instrument_ids[row] = action.instrument
    # The rows behind the last market are zero, in a node and in a witness.
    state.instrument_drafts[0] = state.instruments[row]
    fill_in(state.instrument_drafts[0], action, payload, totals.clock)
    store_instrument(state, row)
    if is_dated(kind):
        store_underlying(state, underlying_row)
    totals.instrument_count += 1
    totals.governance_sequence = action.sequence
    return Code.APPLIED


@law
def is_dated(kind: int) -> bool:
    """Tell whether markets of the kind expire."""
    return InstrumentKind.FUTURE <= kind <= InstrumentKind.PUT


@law
def is_option_kind(kind: int) -> bool:
    """Tell whether markets of the kind are options."""
    return bool(kind == InstrumentKind.CALL or kind == InstrumentKind.PUT)


@law
def join_series(state: State, payload: Rows[int], first: int) -> bool:
    """Count the market into its series in the underlying's draft; False if it has no place there.

    The place holds the same expiry, not settled yet, or no live market and the expiry stands
    nowhere else.
    """
    place = payload[first + SERIES]
    expiry = payload[first + EXPIRY]
    if not 0 <= place < SERIES_MAX:
        return False
    underlying = state.underlying_drafts[0]
    series = underlying.series[place]
    if series.expiry == expiry:
        if series.settle_price != 0:
            return False
    else:
        if series.market_count != 0 or holds_expiry(underlying, expiry):
            return False
        clear_series(series)
        series.expiry = expiry
    series.market_count += 1
    if is_option_kind(payload[first + KIND]):
        series.option_count += 1
        series.staged_count = 0
    return True


@law
def holds_expiry(underlying: Underlying, expiry: int) -> bool:
    """Tell whether some series of the underlying has the expiry."""
    found = False
    for i in range(SERIES_MAX):
        found = found or underlying.series[i].expiry == expiry
    return found


@law
def clear_series(series: Series) -> None:
    """Zero what the series that stood here before has left."""
    series.option_count = 0
    series.active_number = 0
    series.active_time = 0
    series.staged_number = 0
    series.staged_time = 0
    series.staged_count = 0
    series.staged_call = 0
    series.staged_call_before = 0
    series.staged_put = 0
    series.staged_put_before = 0
    series.reference_price = 0
    series.staged_reference = 0
    series.forward_price = 0
    series.staged_forward = 0
    series.discount_nano = 0
    series.staged_discount = 0
    series.discount_long_ppm = 0
    series.discount_short_ppm = 0
    series.confidence_ppm = 0
    series.open_high = 0
    series.open_low = 0
    series.open_time = 0
    series.settle_price = 0


@law
def within_bounds(state: State, payload: Rows[int], first: int) -> bool:
    """Tell whether the numbers of the market are such that the law can live with them."""
    kind = payload[first + KIND]
    tier = payload[first + TIER]
    expiry = payload[first + EXPIRY]
    strike = payload[first + STRIKE]
    if not InstrumentKind.PERPETUAL <= kind <= InstrumentKind.PUT:
        return False
    if not tier_exists(state, tier):
        return False
    if is_dated(kind):
        # The settlement window must lie ahead whole.
        opening = state.globals[0].clock + state.params[0].settlement_window_ms
        if not opening < expiry <= TIME_MAX:
            return False
    elif expiry != 0 or payload[first + SERIES] != 0:
        return False
    if is_option_kind(kind):
        if not 1 <= strike <= PRICE_MAX:
            return False
    elif strike != 0:
        return False
    return (
        1 <= payload[first + TICK] <= PRICE_MAX
        and 1 <= payload[first + LOT_SIZE] <= LOT_SIZE_MAX
        and caps_legal(payload[first + OPEN_INTEREST_CAP], payload[first + POSITION_CAP])
        and payload[first + SYMBOL] != 0
    )


@law
def tier_exists(state: State, tier: int) -> bool:
    """Tell whether markets may stand in the tier."""
    return bool(0 <= tier < state.params[0].tier_count)


@law
def caps_legal(open_interest_cap: int, position_cap: int) -> bool:
    """Tell whether 0 < position cap <= open-interest cap <= 2^48 lots."""
    return 0 < position_cap <= open_interest_cap <= LOTS_MAX


@law
def fill_in(market: Instrument, action: Action, payload: Rows[int], clock: int) -> None:
    """Write the listed numbers to the market's zeroed draft."""
    first = action.payload_first
    market.id = action.instrument
    market.underlying = action.underlying
    market.kind = payload[first + KIND]
    market.tier = payload[first + TIER]
    market.series = payload[first + SERIES]
    market.expiry = payload[first + EXPIRY]
    market.strike = payload[first + STRIKE]
    market.tick = payload[first + TICK]
    market.lot_size = payload[first + LOT_SIZE]
    market.open_interest_cap = payload[first + OPEN_INTEREST_CAP]
    market.position_cap = payload[first + POSITION_CAP]
    market.pool = payload[first + POOL]
    for i in range(4):
        market.symbol[i] = payload[first + SYMBOL + i]
    market.funding_time = clock
    market.confidence_ppm = PPM
