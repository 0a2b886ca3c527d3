"""Call order: an owner's order enters the call auction of a market.

It is legal if
1. the account and the market exist;
2. the owner or a session key with the scope TRADE signed it, unexpired, with a request sequence
   above the last;
3. the market has a book and is in a call auction, whose time is not over, and no sweep is open;
4. the account has no other order in a call;
5. the mark is fresh;
6. the limit is on the tick, and within the book;
7. the position, the value and open interest would stay within their caps;
8. filled whole at the worst price of its level, the account would make a legal transition, and the
   session key's limit suffices.
It is for a call alone, so that no venue has a say and nothing else can fill it; and it is binding:
the initial margin that it would need is kept until it is filled or lapses.
"""

from clearing.actions.trade import TRADE_VALUE_MAX
from clearing.authority import check_request, spend_limit
from clearing.calls import (
    ASKS,
    BIDS,
    UNREACHED,
    binds,
    book_shape,
    check_calling,
    clear_call_order,
    level_of,
    lots_on_book,
    open_call,
    stable_near,
)
from clearing.caps import position_fits
from clearing.codes import Code, Operation, Scope, Side
from clearing.compiler import law
from clearing.drafts import (
    FIRST,
    SECOND,
    commit_account,
    draft_account,
    draft_instrument,
    store_instrument,
)
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of
from clearing.margin import grows, is_legal, measure
from clearing.orders import opened_lots
from clearing.owner_groups import is_held
from clearing.positions import move_lots
from clearing.records import Account, Action, Instrument, State
from clearing.units import LOTS_MAX
from clearing.wide import mul_div_floor


@law
def call_order(state: State, action: Action, signers: Grid) -> int:
    """Judge one order for a call and apply it."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    instrument_row = find_instrument(state, action.instrument)
    if instrument_row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0 or instrument_row < 0:
        return Code.INVARIANT
    account = state.accounts[row]
    instrument = state.instruments[instrument_row]
    code, place = check_request(state, account, action, signers, Scope.TRADE, action.instrument)
    if code != Code.APPLIED:
        return code
    signed_lots = action.lots if action.side == Side.BUY else -action.lots
    held = lots_of(account, instrument.id)
    code = check_taking(state, account, instrument, grows(held, held + signed_lots))
    if code != Code.APPLIED:
        return code
    if action.price % instrument.tick != 0:
        return Code.OFF_TICK
    low, step, top = book_shape(instrument, state.params[0].price_band_ppm)
    level = level_of(action.side, action.price, low, step, top)
    if level == UNREACHED:
        return Code.PRICE_BAND
    price = low + level * step
    code = check_room(state, account, instrument, signed_lots, price)
    if code != Code.APPLIED:
        return code
    code, kept = check_filled(state, row, instrument_row, signed_lots, price)
    if code != Code.APPLIED:
        return code
    return enter(state, action, row, instrument_row, place, level, price, kept)


@law
def check_taking(state: State, account: Account, instrument: Instrument, opens: bool) -> int:
    """The market's call takes orders now, and the account has none in a call."""
    clock = state.globals[0].clock
    code = check_calling(state, instrument, opens)
    if code == Code.INSTRUMENT_STATUS:
        return code
    if clock >= instrument.auction_end:
        return Code.AUCTION_CLOSED
    if instrument.operation != Operation.NONE and instrument.operation != Operation.CALL:
        return Code.OPERATION_OPEN
    if binds(account, instrument, clock):
        return Code.ORDER_STANDS
    return code


@law
def check_room(
    state: State, account: Account, instrument: Instrument, signed_lots: int, price: int
) -> int:
    """The caps of the position, and of open interest as if all lots of its side were opened."""
    lots = abs(signed_lots)
    value, fits = mul_div_floor(lots, price, 1)
    if not fits or value > TRADE_VALUE_MAX:
        return Code.POSITION_CAP
    if not position_fits(state, account, instrument, signed_lots):
        return Code.POSITION_CAP
    side = lots_on_book(instrument, BIDS if signed_lots > 0 else ASKS) + lots
    held = lots_of(account, instrument.id)
    most = instrument.open_interest_cap - instrument.open_interest
    if side > LOTS_MAX or (grows(held, held + signed_lots) and side > most):
        return Code.OPEN_INTEREST_CAP
    return Code.APPLIED


@law
def check_filled(
    state: State, row: int, instrument_row: int, signed_lots: int, price: int
) -> tuple[int, int]:
    """Return (MARGIN, OWNER_LIMIT or APPLIED for the order filled whole, margin to keep for it).

    As if the price of its level were the call's, and brought its stable price. What is kept is by
    how much that would lower equity beyond initial margin. Drafts are spoiled.
    """
    draft_account(state, FIRST, row)
    draft_account(state, SECOND, row)
    draft_instrument(state, instrument_row)
    after = state.account_drafts[FIRST]
    before = state.account_drafts[SECOND]
    clear_call_order(after)
    clear_call_order(before)
    instrument = state.instrument_drafts[0]
    instrument.stable_price = stable_near(price, instrument.mark_price, state.params[0].band_ppm)
    held = lots_of(before, instrument.id)
    old_equity, old_initial, old_maintenance, _, valid = measure(state, before, 1)
    if not valid or not move_lots(after, instrument, signed_lots, price):
        return Code.INVARIANT, 0
    equity, initial, maintenance, gross, valid = measure(state, after, 1)
    if not valid:
        return Code.INVARIANT, 0
    grown = grows(held, held + signed_lots)
    old = (old_equity, old_initial, old_maintenance)
    if not is_legal(after.mode, grown, old, (equity, initial, maintenance)):
        return Code.MARGIN, 0
    limit = state.params[0].owner_limit
    if grown and (0 < limit < gross or is_held(state, after, instrument.id)):
        return Code.OWNER_LIMIT, 0
    # Equity falls by no more than the bounded value of the order, margins are within 2^62.
    return Code.APPLIED, max(0, old_equity - equity + initial - old_initial)


@law
def enter(
    state: State,
    action: Action,
    row: int,
    instrument_row: int,
    place: int,
    level: int,
    price: int,
    kept: int,
) -> int:
    """Write the order into the account and the book; the first one opens the book."""
    draft_account(state, FIRST, row)
    draft_instrument(state, instrument_row)
    account = state.account_drafts[FIRST]
    instrument = state.instrument_drafts[0]
    clock = state.globals[0].clock
    signed_lots = action.lots if action.side == Side.BUY else -action.lots
    held = lots_of(account, instrument.id)
    if not spend_limit(account, place, opened_lots(held, held + signed_lots) * price):
        return Code.KEY_CAP
    if instrument.operation == Operation.NONE:
        open_call(state.params[0], instrument, clock)
    book = instrument.rows[BIDS if signed_lots > 0 else ASKS]
    account.request_sequence = action.sequence
    account.call_instrument = instrument.id
    account.call_level = level
    account.call_lots = signed_lots
    account.call_before = book.values[level]
    account.call_filled = 0
    account.call_margin = kept
    account.call_opened = instrument.cursor
    account.call_until = instrument.deadline
    book.values[level] += action.lots
    code = commit_account(state, row, 0)
    if code != Code.APPLIED:
        return code
    store_instrument(state, instrument_row)
    return Code.APPLIED
