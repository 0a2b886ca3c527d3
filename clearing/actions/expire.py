"""Expire: a future or option stops trading and is worth what it will be paid.

Anyone may send it, once
1. the instrument has an expiry and has not expired before;
2. the law's clock is at or past the expiry;
3. its underlying's price over the settlement window is frozen (``clearing.settlement``), which the
   first price at or after expiry does.
A market that nobody holds is closed at once; a series whose markets all expired leaves its place.
"""

from clearing.calls import close_call
from clearing.codes import Code, InstrumentKind, InstrumentStatus
from clearing.compiler import law
from clearing.drafts import (
    draft_instrument,
    draft_underlying,
    store_instrument,
    store_underlying,
)
from clearing.failure import is_swept
from clearing.lookup import ABSENT, find_instrument, find_underlying
from clearing.records import Action, State
from clearing.settlement import payoff


@law
def expire(state: State, action: Action) -> int:
    """Judge one expiry and apply it."""
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    instrument = state.instruments[row]
    underlying_row = find_underlying(state, instrument.underlying)
    if underlying_row < 0:
        return Code.INVARIANT
    if (
        instrument.kind == InstrumentKind.PERPETUAL
        or instrument.status >= InstrumentStatus.SETTLING
    ):
        return Code.INSTRUMENT_STATUS
    # A sweep goes over positions as they are; it has a deadline, so it will not last. A call only
    # waits for trades, of which there are no more.
    if is_swept(instrument):
        return Code.OPERATION_OPEN
    if state.globals[0].clock < instrument.expiry:
        return Code.NOT_EXPIRED
    settle_price = state.underlyings[underlying_row].series[instrument.series].settle_price
    if settle_price == 0:
        return Code.SETTLEMENT_WINDOW
    draft_underlying(state, underlying_row)
    state.underlying_drafts[0].series[instrument.series].market_count -= 1
    store_underlying(state, underlying_row)
    draft_instrument(state, row)
    draft = state.instrument_drafts[0]
    close_call(draft)
    draft.settle_price = payoff(draft, settle_price)
    draft.status = InstrumentStatus.SETTLING
    if draft.open_interest == 0:
        draft.status = InstrumentStatus.CLOSED
    store_instrument(state, row)
    return Code.APPLIED
