"""Risk rows: what one lot of each option of an expiry is worth at each point of the stress grid.

Rows come in sets, one a time, each as many actions as it needs. A set is staged beside the active
one and never overwrites it; margin reads it once `clearing.actions.activate` made it the active
one. The rows of a set come in strike order, at one strike the call before the put, so each new row
can be held to those staged just before it, whoever signed it. The payload is four instruments, the
last two calls and the last two puts staged (-1: none), the later of each first; then for each row
its instrument and its 33 values.

Rows are accepted if
1. underlying and series exist;
2. enough distinct publishers signed;
3. the set is neither of the future nor too old, newer than the active one, not older than the
   staged one, before the expiry, and of one reference price, forward and discount; a newer time
   starts a new set;
4. the payload names what was staged last, and each instrument is an option of the series that
   comes after those before it;
5. each value is within its bounds: discounted intrinsic at the shocked forward, at most that
   forward (a call) or the strike (a put), discounted;
6. calls fall and puts rise with the strike, by no more than the strike does, discounted;
7. three strikes are convex;
8. call less put is forward less strike, discounted;
9. no value near the money has jumped from the active row, unless that is too old for opening, and
   the reference price is near the index.
A set has one forward and one discount, which publishers sign with it. They leave the reference
price and one by no more than the carry parameter's share for the time to expiry, else all rules
above would hold of rows around any price; and they follow the active set's within the parity
parameter's share, which 5 and 8 forgive too. One share for all three: what a carry may be moved by
is what a value may be off by.
"""

from clearing.actions.set_grid import is_of_next_grid
from clearing.codes import Code, InstrumentKind, InstrumentStatus
from clearing.compiler import law
from clearing.drafts import (
    begin_drafts,
    commit_drafts,
    draft_underlying,
    open_instrument,
    store_underlying,
)
from clearing.forms import CONTEXT, ROW_STRIDE
from clearing.funding_models import YEAR_MS
from clearing.grid import (
    CENTRE,
    DISCOUNT_SCALE,
    LATTICE,
    check_parity,
    check_row_bounds,
    check_row_jump,
    check_strike_neighbours,
    check_strike_pair,
)
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_instrument, find_underlying
from clearing.marks import is_option
from clearing.quorum import check_quorum, latest_time
from clearing.records import Action, Instrument, Series, State, Underlying
from clearing.units import POINTS_MAX, PPM, SERIES_MAX
from clearing.wide import mul_div_ceil, mul_div_floor, product_at_least

NONE = -1  # the draft of a neighbour that there is not
ROUNDING = 1  # micro-quote: values are rounded to nearest


@law
def risk_rows(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Judge one part of a set of rows and stage it."""
    count = action.payload_count
    if count < CONTEXT + ROW_STRIDE or (count - CONTEXT) % ROW_STRIDE != 0:
        return Code.MALFORMED
    underlying_row = find_underlying(state, action.underlying)
    if underlying_row == ABSENT:
        return Code.NO_UNDERLYING
    if underlying_row < 0:
        return Code.INVARIANT
    if not has_series(state.underlyings[underlying_row], action.series):
        return Code.NO_SERIES
    code = check_quorum(state, action, signers)
    if code != Code.APPLIED:
        return code
    draft_underlying(state, underlying_row)
    underlying = state.underlying_drafts[0]
    series = underlying.series[action.series]
    code = check_set(state, series, action)
    if code != Code.APPLIED:
        return code
    code = check_carry(state, series, action)
    if code != Code.APPLIED:
        return code
    if action.time > series.staged_time:
        begin_set(series, action)
    begin_drafts(state)
    code = open_context(state, series, payload, action.payload_first)
    for at in range(action.payload_first + CONTEXT, action.payload_first + count, ROW_STRIDE):
        if code == Code.APPLIED:
            code = stage_row(state, action, underlying, series, payload, at)
    if code == Code.APPLIED and not is_near_index(state, underlying, action.price):
        code = Code.ROW_JUMP
    if code != Code.APPLIED:
        return code
    code = commit_drafts(state, 0)
    if code == Code.APPLIED:
        store_underlying(state, underlying_row)
    return code


@law
def has_series(underlying: Underlying, series: int) -> bool:
    """Tell whether the underlying has such a series."""
    return series < SERIES_MAX and underlying.series[series].expiry != 0


@law
def check_set(state: State, series: Series, action: Action) -> int:
    """Return ROW_TIME unless rows of this time and reference may be staged now."""
    time = action.time
    age = state.globals[0].clock - time
    if time > latest_time(state) or age > state.params[0].row_age_reduce_ms:
        return Code.ROW_TIME
    if time <= series.active_time or time < series.staged_time or time >= series.expiry:
        return Code.ROW_TIME
    # A set goes on only while it is staged, or it would overwrite the active one.
    if time == series.staged_time and (
        action.price != series.staged_reference
        or action.limit != series.staged_forward
        or action.long_ppm != series.staged_discount
        or series.staged_number != series.active_number + 1
    ):
        return Code.ROW_TIME
    return Code.APPLIED


@law
def check_carry(state: State, series: Series, action: Action) -> int:
    """Return ROW_BOUND or ROW_JUMP if a set's forward or discount leaves what carry allows."""
    reference = action.price
    forward = action.limit
    discount = action.long_ppm
    left = series.expiry - action.time
    share, fits = mul_div_ceil(state.params[0].row_carry_ppm, left, YEAR_MS)
    most = min(share, PPM) if fits else PPM
    if not product_at_least(reference, most, abs(forward - reference), PPM):
        return Code.ROW_BOUND
    if not product_at_least(DISCOUNT_SCALE, most, abs(discount - DISCOUNT_SCALE), PPM):
        return Code.ROW_BOUND
    if not is_recent(state, series):
        return Code.APPLIED
    # The active set's forward at this reference price: carry moves, whatever the index does.
    carried, fits = mul_div_floor(series.forward_price, reference, series.reference_price)
    if not fits or abs(forward - carried) > tolerance(state, reference):
        return Code.ROW_JUMP
    if abs(discount - series.discount_nano) > tolerance(state, DISCOUNT_SCALE):
        return Code.ROW_JUMP
    return Code.APPLIED


@law
def is_recent(state: State, series: Series) -> bool:
    """Tell whether there is an active set and it is not too old for opening."""
    age = state.globals[0].clock - series.active_time
    return series.active_number != 0 and age <= state.params[0].row_age_reduce_ms


@law
def begin_set(series: Series, action: Action) -> None:
    """Start a set in the buffer that the active one does not use."""
    series.staged_number = series.active_number + 1
    series.staged_time = action.time
    series.staged_reference = action.price
    series.staged_forward = action.limit
    series.staged_discount = action.long_ppm
    series.staged_count = 0
    series.staged_call = 0
    series.staged_call_before = 0
    series.staged_put = 0
    series.staged_put_before = 0


@law
def is_near_index(state: State, underlying: Underlying, reference: int) -> bool:
    """Tell whether a reference price is within the jump bound of an index that still counts."""
    params = state.params[0]
    age = state.globals[0].clock - underlying.price_time
    if age > params.price_stale_margin_ms:
        return True
    moved = abs(reference - underlying.index_price)
    return product_at_least(underlying.index_price, params.row_jump_ppm, moved, PPM)


@law
def open_context(state: State, series: Series, payload: Rows[int], first: int) -> int:
    """Open the drafts of what was staged last; ROW_ORDER if the payload names something else."""
    if (
        payload[first] != series.staged_call - 1
        or payload[first + 1] != series.staged_call_before - 1
        or payload[first + 2] != series.staged_put - 1
        or payload[first + 3] != series.staged_put_before - 1
    ):
        return Code.ROW_ORDER
    for i in range(CONTEXT):
        if payload[first + i] >= 0:
            row = find_instrument(state, payload[first + i])
            if row < 0:
                return Code.INVARIANT
            open_instrument(state, row)
    return Code.APPLIED


@law
def draft_place(state: State, number: int) -> int:
    """Return the draft of the instrument that a series names as 1 + id; NONE for 0."""
    for draft in range(state.scratch[0].instrument_draft_count):
        if state.instrument_drafts[draft].id == number - 1:
            return draft
    return NONE


@law
def stage_row(
    state: State,
    action: Action,
    underlying: Underlying,
    series: Series,
    payload: Rows[int],
    at: int,
) -> int:
    """Judge the row at a place of the payload, and write it into its instrument's draft."""
    row = find_instrument(state, payload[at])
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    draft = open_instrument(state, row)
    instrument = state.instrument_drafts[draft]
    # Linear instruments are recomputed by the law, never believed.
    if not is_option(instrument):
        return Code.ROW_BOUND
    # A closed option counts no more: its row must not stand in for another's.
    if (
        instrument.underlying != underlying.id
        or instrument.series != action.series
        or instrument.status >= InstrumentStatus.SETTLING
    ):
        return Code.ROW_ORDER
    call = draft_place(state, series.staged_call)
    put = draft_place(state, series.staged_put)
    if not (comes_after(state, instrument, call) and comes_after(state, instrument, put)):
        return Code.ROW_ORDER
    number = series.staged_number
    risk = instrument.rows[number % 2]
    risk.number = number
    for point in range(POINTS_MAX):
        risk.values[point] = payload[at + 1 + point]
    is_call = instrument.kind == InstrumentKind.CALL
    last = call if is_call else put
    before = draft_place(state, series.staged_call_before if is_call else series.staged_put_before)
    code = check_bounds(state, series, underlying, draft)
    if code == Code.APPLIED:
        code = check_neighbours(state, series, underlying.point_count, before, last, draft)
    if code == Code.APPLIED and not is_call:
        code = check_call_parity(state, series, underlying, call, draft)
    if code == Code.APPLIED:
        code = check_jump(state, series, underlying, draft)
    note_staged(series, instrument)
    return code


@law
def note_staged(series: Series, instrument: Instrument) -> None:
    """Remember what was staged last and before it, of each right, and count it."""
    if instrument.kind == InstrumentKind.CALL:
        series.staged_call_before = series.staged_call
        series.staged_call = instrument.id + 1
    else:
        series.staged_put_before = series.staged_put
        series.staged_put = instrument.id + 1
    series.staged_count += 1


@law
def comes_after(state: State, instrument: Instrument, place: int) -> bool:
    """Tell whether an option comes after that of a draft: by strike, call before put, then id."""
    if place == NONE:
        return True
    other = state.instrument_drafts[place]
    if instrument.strike != other.strike:
        return instrument.strike > other.strike
    if instrument.kind != other.kind:
        return instrument.kind > other.kind
    return instrument.id > other.id


@law
def check_bounds(state: State, series: Series, underlying: Underlying, draft: int) -> int:
    """Return ROW_BOUND if a staged value is impossible at its shocked price."""
    instrument = state.instrument_drafts[draft]
    prices = underlying.prices
    if is_of_next_grid(underlying, series.staged_time):
        prices = underlying.next_prices
    point = check_row_bounds(
        instrument.rows[series.staged_number % 2].values,
        underlying.point_count,
        instrument.kind == InstrumentKind.CALL,
        instrument.strike,
        series.staged_forward,
        series.staged_discount,
        prices,
        tolerance(state, series.staged_reference),
    )
    return Code.APPLIED if point < 0 else Code.ROW_BOUND


@law
def tolerance(state: State, whole: int) -> int:
    """Return the parity parameter's share of a price or discount, and two roundings."""
    share, _ = mul_div_floor(whole, state.params[0].row_parity_ppm, PPM)
    return share + 2 * ROUNDING


@law
def check_neighbours(
    state: State, series: Series, points: int, before: int, last: int, draft: int
) -> int:
    """Return ROW_MONOTONE or ROW_CONVEX if a staged row breaks with those of the strikes below.

    The three drafts are of one right and of rising strikes; the lower two may be NONE.
    """
    if last == NONE:
        return Code.APPLIED
    buffer = series.staged_number % 2
    upper = state.instrument_drafts[draft]
    middle = state.instrument_drafts[last]
    point = check_strike_pair(
        middle.rows[buffer].values,
        upper.rows[buffer].values,
        points,
        upper.kind == InstrumentKind.CALL,
        upper.strike - middle.strike,
        series.staged_discount,
        ROUNDING,
    )
    if point >= 0:
        return Code.ROW_MONOTONE
    if before == NONE:
        return Code.APPLIED
    lower = state.instrument_drafts[before]
    point = check_strike_neighbours(
        lower.strike,
        lower.rows[buffer].values,
        middle.strike,
        middle.rows[buffer].values,
        upper.strike,
        upper.rows[buffer].values,
        points,
        ROUNDING,
    )
    return Code.APPLIED if point < 0 else Code.ROW_CONVEX


@law
def check_call_parity(
    state: State, series: Series, underlying: Underlying, call: int, draft: int
) -> int:
    """Return ROW_PARITY if a put disagrees with the call of its strike, where there is one."""
    put = state.instrument_drafts[draft]
    if call == NONE or state.instrument_drafts[call].strike != put.strike:
        return Code.APPLIED
    buffer = series.staged_number % 2
    prices = underlying.prices
    if is_of_next_grid(underlying, series.staged_time):
        prices = underlying.next_prices
    point = check_parity(
        state.instrument_drafts[call].rows[buffer].values,
        put.rows[buffer].values,
        underlying.point_count,
        put.strike,
        series.staged_forward,
        series.staged_discount,
        prices,
        tolerance(state, series.staged_reference),
    )
    return Code.APPLIED if point < 0 else Code.ROW_PARITY


@law
def check_jump(state: State, series: Series, underlying: Underlying, draft: int) -> int:
    """Return ROW_JUMP if a value near the money left the active row by more than the bound.

    Far tails move many times the index: they are held by their bounds and neighbours. Of rows of
    another grid only the centre is the same point.
    """
    instrument = state.instrument_drafts[draft]
    number = series.active_number
    active = instrument.rows[number % 2]
    if active.number != number or not is_recent(state, series):
        return Code.APPLIED
    first, points = 0, LATTICE
    if is_of_next_grid(underlying, series.staged_time):
        first, points = CENTRE, CENTRE + 1
    point = check_row_jump(
        active.values,
        instrument.rows[series.staged_number % 2].values,
        first,
        points,
        series.staged_reference,
        state.params[0].row_jump_ppm,
    )
    return Code.APPLIED if point < 0 else Code.ROW_JUMP
