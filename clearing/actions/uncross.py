"""Uncross: the uniform price of a market's call auction, found by its venues, ends the auction.

It stands in for the law's own call where nobody gave it an order. It is accepted if
1. the market is in a call auction, and no call with orders is on before its deadline;
2. the price is on the tick, and between the stable price and the mark, each widened by the band
   in which trades must be;
3. enough distinct publishers signed it, at a time after the end of the auction that is newer than
   the last price and not in the future.
The price becomes mark and stable price, and the market trades again.
"""

from clearing.calls import reopen
from clearing.codes import Code, InstrumentStatus, Operation
from clearing.compiler import law
from clearing.drafts import draft_instrument, store_instrument
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_instrument
from clearing.oracle import price_bounds
from clearing.quorum import check_quorum, latest_time
from clearing.records import Action, Instrument, State


@law
def uncross(state: State, action: Action, signers: Grid) -> int:
    """Judge one uncrossing and apply it."""
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    instrument = state.instruments[row]
    if instrument.status != InstrumentStatus.AUCTION:
        return Code.INSTRUMENT_STATUS
    if instrument.operation == Operation.CALL and state.globals[0].clock < instrument.deadline:
        return Code.OPERATION_OPEN
    if action.price % instrument.tick != 0:
        return Code.OFF_TICK
    if not is_inside(instrument, action.price, state.params[0].price_band_ppm):
        return Code.PRICE_BAND
    code = check_quorum(state, action, signers)
    if code != Code.APPLIED:
        return code
    time = action.time
    if time < instrument.auction_end or time <= instrument.price_time or time > latest_time(state):
        return Code.PRICE_TIME
    draft_instrument(state, row)
    draft = state.instrument_drafts[0]
    draft.mark_price = action.price
    draft.price_time = time
    draft.stable_time = time
    reopen(draft, action.price)
    store_instrument(state, row)
    return Code.APPLIED


@law
def is_inside(instrument: Instrument, price: int, band_ppm: int) -> bool:
    """Tell whether a price lies between stable price and mark, each widened by the band."""
    lowest, _ = price_bounds(min(instrument.stable_price, instrument.mark_price), band_ppm)
    _, highest = price_bounds(max(instrument.stable_price, instrument.mark_price), band_ppm)
    return lowest <= price <= highest
