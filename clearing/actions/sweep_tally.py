"""Sweep tally: holders are named from the highest id down, and weighed.

Anyone may send it, for up to six holders. It is legal if
1. a sweep over the market is open and being tallied;
2. each account exists, its id is below the last one named, and it holds the side in question.
Since the lots of a side sum to the open interest, the side has been seen whole exactly when the
lots counted reach it; nobody can be left out. Deleverage weighs the lots of those who are in profit
after their share of the debt; if they hold fewer than must be closed, everybody's. Socialise sees
longs, then shorts, and weighs unrealised profit.
"""

from clearing.codes import Code, Operation, Phase
from clearing.compiler import law
from clearing.drafts import draft_instrument, store_instrument
from clearing.failure import begin_tally, hash_chunk, is_swept, lots_on_side, unrealised
from clearing.layout import Rows
from clearing.lookup import ABSENT, find_account, find_instrument, find_position
from clearing.records import Account, Action, Instrument, State
from clearing.wide import mul_div_ceil

WEIGHT_MAX = 1 << 61
COARSER = 8  # bits that weights lose when their sum would leave the law's numbers


@law
def sweep_tally(state: State, action: Action, payload: Rows[int]) -> int:
    """Judge one chunk of a tally and apply it."""
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    if not is_swept(state.instruments[row]):
        return Code.NO_OPERATION
    if state.instruments[row].phase != Phase.TALLY:
        return Code.OPERATION_PHASE
    draft_instrument(state, row)
    instrument = state.instrument_drafts[0]
    for k in range(action.payload_first, action.payload_first + action.payload_count):
        code = count_holder(state, instrument, payload[k])
        if code != Code.APPLIED:
            return code
    if instrument.weight >= WEIGHT_MAX:
        begin_tally(state, instrument)
        instrument.side = 1
        instrument.spare += COARSER
    else:
        count = action.payload_count
        hash_chunk(state, instrument.chunks, payload, action.payload_first, count, False)
        for i in range(4):
            instrument.chunks[i] = state.hash_digest[i]
        finish_side(state, instrument)
    store_instrument(state, row)
    return Code.APPLIED


@law
def count_holder(state: State, instrument: Instrument, id: int) -> int:
    """Count one account on the draft of the market, or return why it may not be the next."""
    row = find_account(state, id)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    if id >= instrument.cursor:
        return Code.OPERATION_ORDER
    account = state.accounts[row]
    place = find_position(account, instrument.id)
    if place < 0 or (account.positions[place].lots > 0) != (instrument.side > 0):
        return Code.NO_POSITION
    instrument.cursor = id
    instrument.counted += abs(account.positions[place].lots)
    instrument.weight = min(WEIGHT_MAX, instrument.weight + weight_of(instrument, account, place))
    return Code.APPLIED


@law
def weight_of(instrument: Instrument, account: Account, place: int) -> int:
    """Return the weight of a holder at the price that the sweep began at, 0 .. 2^61."""
    position = account.positions[place]
    profit = unrealised(position.lots, instrument.price, position.entry_cost)
    if instrument.operation == Operation.SOCIALISE:
        return min(WEIGHT_MAX, max(0, profit) >> instrument.spare)
    lots = abs(position.lots)
    due, fits = mul_div_ceil(instrument.spare, lots, instrument.total)
    return lots if fits and profit > due else 0


@law
def finish_side(state: State, instrument: Instrument) -> None:
    """Go on to the other side, or to the apply phase, once all lots of a side were counted."""
    if instrument.counted < lots_on_side(instrument, instrument.side):
        return
    if instrument.operation == Operation.SOCIALISE and instrument.side > 0:
        instrument.side = -1
        instrument.counted = 0
        instrument.cursor = state.globals[0].account_count
        if lots_on_side(instrument, instrument.side) > 0:
            return
    elif instrument.operation == Operation.DELEVERAGE and instrument.weight < instrument.total:
        instrument.weight = instrument.counted
    instrument.phase = Phase.APPLY
