"""Call fill: two orders of a call are filled against each other at its uniform price.

Anyone may send it, naming buyer and seller. It is legal if
1. both accounts and the market exist;
2. a call over the market found its price, and its deadline has not come;
3. the accounts have different owners, and the price executes lots of both orders that nobody
   filled: as many as both have left are filled;
4. the mark is fresh;
5. the positions, the value and open interest stay within their caps;
6. both accounts make a legal transition.
No fee is due. The fill that leaves nothing of what the price executes reopens the market.
"""

from clearing.actions.trade import TRADE_VALUE_MAX
from clearing.calls import check_calling, clear_call_order, lots_left, reopen_called
from clearing.caps import open_interest_after, position_fits
from clearing.codes import Code, Operation, Phase, Side
from clearing.compiler import law
from clearing.drafts import (
    FIRST,
    SECOND,
    commit_novation,
    draft_account,
    draft_funds,
    draft_instrument,
)
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of, same_word
from clearing.margin import check_transition, grows
from clearing.positions import move_lots
from clearing.records import Account, Action, Instrument, State
from clearing.shares import portion
from clearing.wide import mul_div_floor

WITHOUT_FILL = 2  # the account draft that keeps as much margin as the one that is judged


@law
def call_fill(state: State, action: Action) -> int:
    """Judge one fill of a call and apply it."""
    buyer_row = find_account(state, action.account)
    seller_row = find_account(state, action.counterparty)
    if buyer_row == ABSENT or seller_row == ABSENT:
        return Code.NO_ACCOUNT
    instrument_row = find_instrument(state, action.instrument)
    if instrument_row == ABSENT:
        return Code.NO_INSTRUMENT
    if buyer_row < 0 or seller_row < 0 or instrument_row < 0:
        return Code.INVARIANT
    buyer = state.accounts[buyer_row]
    seller = state.accounts[seller_row]
    instrument = state.instruments[instrument_row]
    code = check_filling(state, instrument)
    if code != Code.APPLIED:
        return code
    if same_word(buyer.owner, seller.owner):
        return Code.SELF_TRADE
    bought = lots_left(buyer, instrument, Side.BUY)
    sold = lots_left(seller, instrument, Side.SELL)
    lots = min(bought, sold)
    if lots <= 0:
        return Code.ORDER_DEAD
    code = check_caps(state, instrument, buyer, seller, lots)
    if code != Code.APPLIED:
        return code
    return fill(state, buyer_row, seller_row, instrument_row, lots, bought, sold)


@law
def check_filling(state: State, instrument: Instrument) -> int:
    """A call over the market found its price, and there is time left to fill its orders."""
    if instrument.operation != Operation.CALL:
        return Code.NO_OPERATION
    if instrument.phase != Phase.APPLY:
        return Code.OPERATION_PHASE
    if state.globals[0].clock >= instrument.deadline:
        return Code.AUCTION_CLOSED
    return Code.APPLIED


@law
def check_caps(
    state: State, instrument: Instrument, buyer: Account, seller: Account, lots: int
) -> int:
    """The mark is good enough, and the caps of each position that grows hold."""
    bought = lots_of(buyer, instrument.id)
    sold = lots_of(seller, instrument.id)
    opens = grows(bought, bought + lots) or grows(sold, sold - lots)
    code = check_calling(state, instrument, opens)
    if code != Code.APPLIED:
        return code
    value, fits = mul_div_floor(lots, instrument.price, 1)
    if not fits or value > TRADE_VALUE_MAX:
        return Code.POSITION_CAP
    if not position_fits(state, buyer, instrument, lots):
        return Code.POSITION_CAP
    if not position_fits(state, seller, instrument, -lots):
        return Code.POSITION_CAP
    interest = open_interest_after(instrument, buyer, seller, lots)
    if interest > instrument.open_interest and interest > instrument.open_interest_cap:
        return Code.OPEN_INTEREST_CAP
    return Code.APPLIED


@law
def fill(
    state: State,
    buyer_row: int,
    seller_row: int,
    instrument_row: int,
    lots: int,
    bought: int,
    sold: int,
) -> int:
    """Move the lots on drafts, judge both transitions, commit. The last fill ends the call."""
    draft_account(state, FIRST, buyer_row)
    draft_account(state, SECOND, seller_row)
    draft_instrument(state, instrument_row)
    draft_funds(state)
    buyer = state.account_drafts[FIRST]
    seller = state.account_drafts[SECOND]
    instrument = state.instrument_drafts[0]
    instrument.open_interest = open_interest_after(instrument, buyer, seller, lots)
    if not move_lots(buyer, instrument, lots, instrument.price):
        return Code.INVARIANT
    if not move_lots(seller, instrument, -lots, instrument.price):
        return Code.INVARIANT
    count_fill(buyer, lots, bought)
    count_fill(seller, lots, sold)
    code = check_side(state, FIRST, buyer_row, instrument.id)
    if code == Code.APPLIED:
        code = check_side(state, SECOND, seller_row, instrument.id)
    if code != Code.APPLIED:
        return code
    instrument.running += lots
    if instrument.running == instrument.total:
        reopen_called(state.params[0], instrument)
    return commit_novation(state, buyer_row, seller_row, instrument_row)


@law
def count_fill(account: Account, lots: int, left: int) -> None:
    """Count a fill on the order of an account's draft, and keep that much less margin for it."""
    if lots == left:
        clear_call_order(account)
        return
    account.call_filled += lots
    account.call_margin -= portion(account.call_margin, lots, left)


@law
def check_side(state: State, draft: int, row: int, instrument: int) -> int:
    """The account of a draft makes a legal transition; margin that is kept for the rest of its
    order counts on both sides of the comparison."""
    after = state.account_drafts[draft]
    draft_account(state, WITHOUT_FILL, row)
    before = state.account_drafts[WITHOUT_FILL]
    before.call_margin = after.call_margin
    held = lots_of(before, instrument)
    return check_transition(state, before, after, held, lots_of(after, instrument))
