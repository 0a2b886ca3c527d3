"""Sweep apply: the holders who were tallied bear their shares, from the lowest id up.

Anyone may send it, chunk by chunk as they were tallied. It is legal if
1. a sweep over the market for the account is open, and tallied whole;
2. the payload is the chunk on top of the hash stack: its accounts in ascending order, then the
   stack as it was before them.
A holder's share is the difference of two rounded running shares, so that the shares sum to the
whole exactly and depend on nobody's haste. Deleverage closes that many lots of the holder and of
the bankrupt account against each other at the price that the sweep began at, and the holder pays
its share of the debt, at most its profit; it never ends up on the other side. Socialise takes the
share out of the holder's profit. Accounts that do not hold the market are never touched.
"""

from clearing.actions.sweep_tally import weight_of
from clearing.codes import Code, Operation, Phase
from clearing.compiler import law
from clearing.drafts import begin_drafts, commit_drafts, open_account, open_instrument
from clearing.failure import hash_chunk, is_swept, unrealised
from clearing.layout import Rows
from clearing.lookup import ABSENT, find_account, find_instrument, find_position, same_word
from clearing.positions import move_lots
from clearing.records import Account, Action, Instrument, State
from clearing.shares import portion, prefix_share

STACK_PIECES = 4  # of the payload's end


@law
def sweep_apply(state: State, action: Action, payload: Rows[int]) -> int:
    """Judge one chunk of an apply phase and apply it."""
    bankrupt_row = find_account(state, action.account)
    if bankrupt_row == ABSENT:
        return Code.NO_ACCOUNT
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if bankrupt_row < 0 or row < 0:
        return Code.INVARIANT
    market = state.instruments[row]
    if not is_swept(market) or market.bankrupt != action.account:
        return Code.NO_OPERATION
    if market.phase != Phase.APPLY:
        return Code.OPERATION_PHASE
    count = action.payload_count - STACK_PIECES
    first = action.payload_first
    if count <= 0 or not is_top(state, market, payload, first, count):
        return Code.OPERATION_ORDER
    begin_drafts(state)
    instrument = state.instrument_drafts[open_instrument(state, row)]
    bankrupt = state.account_drafts[open_account(state, bankrupt_row)]
    for k in range(first, first + count):
        code = bear(state, instrument, bankrupt, payload[k])
        if code != Code.APPLIED:
            return code
    for i in range(STACK_PIECES):
        instrument.chunks[i] = payload[first + count + i]
    return commit_drafts(state, 0)


@law
def is_top(state: State, market: Instrument, payload: Rows[int], first: int, count: int) -> bool:
    """Tell whether the payload is the chunk that was put on the stack last."""
    hash_chunk(state, payload[first + count :], payload, first, count, True)
    return same_word(state.hash_digest, market.chunks)


@law
def bear(state: State, instrument: Instrument, bankrupt: Account, id: int) -> int:
    """Let one holder bear its share, on drafts."""
    row = find_account(state, id)
    if row < 0:
        return Code.INVARIANT
    holder = state.accounts[row]
    place = find_position(holder, instrument.id)
    if place < 0:
        return Code.INVARIANT
    weight = weight_of(instrument, holder, place)
    if instrument.weight == instrument.counted and instrument.operation == Operation.DELEVERAGE:
        weight = abs(holder.positions[place].lots)
    before = instrument.running
    instrument.running = before + weight
    if weight == 0:
        return Code.APPLIED
    draft = state.account_drafts[open_account(state, row)]
    if instrument.operation == Operation.DELEVERAGE:
        return deleverage(instrument, bankrupt, draft, place, before)
    socialise(instrument, bankrupt, draft, place, before)
    return Code.APPLIED


@law
def deleverage(
    instrument: Instrument, bankrupt: Account, holder: Account, place: int, before: int
) -> int:
    """Close the holder's share of lots against the bankrupt account; it pays its share of debt."""
    position = holder.positions[place]
    profit = unrealised(position.lots, instrument.price, position.entry_cost)
    closed_before = portion(instrument.total, before, instrument.weight)
    closed_after = portion(instrument.total, instrument.running, instrument.weight)
    due = prefix_share(instrument.spare, closed_before, closed_after, instrument.total)
    paid = min(due, max(0, profit))
    lots = closed_after - closed_before
    if lots == 0:
        return Code.APPLIED
    signed_lots = lots if instrument.side > 0 else -lots
    if not move_lots(holder, instrument, -signed_lots, instrument.price):
        return Code.INVARIANT
    if not move_lots(bankrupt, instrument, signed_lots, instrument.price):
        return Code.INVARIANT
    instrument.open_interest -= lots
    holder.cash -= paid
    bankrupt.cash += paid
    return Code.APPLIED


@law
def socialise(
    instrument: Instrument, bankrupt: Account, holder: Account, place: int, before: int
) -> None:
    """Let the holder pay its share of the debt out of its unrealised profit."""
    # Weights are in units of 2^spare; their sum may be worth less than the debt.
    shared = instrument.total
    if instrument.weight <= instrument.total >> instrument.spare:
        shared = instrument.weight << instrument.spare
    paid = prefix_share(shared, before, instrument.running, instrument.weight)
    holder.cash -= paid
    holder.positions[place].entry_cost += paid
    bankrupt.cash += paid
    instrument.debt = max(0, instrument.debt - paid)
