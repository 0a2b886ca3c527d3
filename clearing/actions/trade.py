"""Trade: novation of two signed orders into two positions against the house.

A trade is legal if
1. both orders are signed by their owners or session keys, and the trade by their venue (zero:
   anyone), unexpired;
2. the market has a book (not a pool), is open for it, and its mark price is fresh;
3. each order is live, not overfilled, and the price is on the tick, within both limits and in the
   band around the mark;
4. fees are within both signed maxima and do not sum below zero;
5. position, value and open-interest caps hold wherever a position grows;
6. both accounts make a legal transition;
7. what opens stays within the limits of the session keys that signed.
Multilateral netting is the state itself: an account has one position per instrument.
"""

from clearing.caps import open_interest_after, position_fits
from clearing.codes import Code, Fund, OrderFlag, Side
from clearing.compiler import law
from clearing.drafts import (
    FIRST,
    SECOND,
    commit_novation,
    draft_account,
    draft_funds,
    draft_instrument,
)
from clearing.layout import Grid
from clearing.lookup import (
    ABSENT,
    find_account,
    find_instrument,
    find_underlying,
    lots_of,
    same_word,
)
from clearing.margin import check_transition, grows
from clearing.marks import is_option, mark_price
from clearing.orders import (
    KNOWN_FLAGS,
    check_authorised,
    check_fees,
    check_fills,
    check_reduce_only,
    fee_micro,
    record_fill,
    spend_keys,
    within_limit,
)
from clearing.positions import move_lots
from clearing.price_gates import check_trading
from clearing.records import Account, Action, Instrument, State
from clearing.units import PPM, VALUE_MAX
from clearing.wide import mul_div_floor

# A trade may close more than a position may open: what a price move of 2^8 made of the bound.
TRADE_VALUE_MAX = VALUE_MAX << 9


@law
def trade(state: State, action: Action, signers: Grid) -> int:
    """Judge one trade and apply it. Returns a Code; nothing changes unless it is APPLIED."""
    maker_row = find_account(state, action.maker.account)
    taker_row = find_account(state, action.taker.account)
    if maker_row == ABSENT or taker_row == ABSENT:
        return Code.NO_ACCOUNT
    instrument_row = find_instrument(state, action.instrument)
    if instrument_row == ABSENT:
        return Code.NO_INSTRUMENT
    if maker_row < 0 or taker_row < 0 or instrument_row < 0:
        return Code.INVARIANT
    maker = state.accounts[maker_row]
    taker = state.accounts[taker_row]
    instrument = state.instruments[instrument_row]
    signed_lots = action.lots if action.maker_side == Side.BUY else -action.lots
    code = check_authorised(state, action, signers, maker, taker)
    if code == Code.APPLIED:
        code = check_parties(action, maker, taker)
    if code == Code.APPLIED:
        code = check_market(state, instrument, maker, taker, signed_lots)
    if code == Code.APPLIED:
        code = check_fills(state, action, maker, taker)
    if code == Code.APPLIED:
        code = check_price(state, action, instrument)
    if code == Code.APPLIED:
        code = check_fees(action)
    if code == Code.APPLIED:
        code = check_caps(state, action, instrument, maker, taker, signed_lots)
    if code != Code.APPLIED:
        return code
    return novate(state, action, signers, maker_row, taker_row, instrument_row, signed_lots)


@law
def check_parties(action: Action, maker: Account, taker: Account) -> int:
    """Two different owners, and only flags that the law knows."""
    if maker.id == taker.id or same_word(maker.owner, taker.owner):
        return Code.SELF_TRADE
    if (action.maker.order_flags | action.taker.order_flags) & ~KNOWN_FLAGS != 0:
        return Code.UNKNOWN_FLAGS
    if action.taker.order_flags & OrderFlag.MAKER_ONLY != 0:
        return Code.MAKER_ONLY
    return Code.APPLIED


@law
def check_market(
    state: State,
    instrument: Instrument,
    maker: Account,
    taker: Account,
    signed_lots: int,
) -> int:
    """The instrument is open for this trade, and its price good enough: to reduce at, less so."""
    if instrument.pool != 0:
        return Code.INSTRUMENT_STATUS
    code = check_trading(state, instrument, True)
    if code == Code.APPLIED:
        return code
    maker_lots = lots_of(maker, instrument.id)
    taker_lots = lots_of(taker, instrument.id)
    if grows(maker_lots, maker_lots + signed_lots) or grows(taker_lots, taker_lots - signed_lots):
        return code
    return check_trading(state, instrument, False)


@law
def check_price(state: State, action: Action, instrument: Instrument) -> int:
    """On the tick, within both limits, inside the band around the mark."""
    if action.price % instrument.tick != 0:
        return Code.OFF_TICK
    taker_side = Side.SELL if action.maker_side == Side.BUY else Side.BUY
    if not within_limit(action.maker_side, action.maker.limit_price, action.price):
        return Code.LIMIT_PRICE
    if not within_limit(taker_side, action.taker.limit_price, action.price):
        return Code.LIMIT_PRICE
    mark = mark_price(state, instrument)
    base = band_base(state, instrument, mark)
    if not is_near(action.price, mark, base, state.params[0].price_band_ppm):
        return Code.PRICE_BAND
    return Code.APPLIED


@law
def band_base(state: State, instrument: Instrument, mark: int) -> int:
    """Return the price that the band is a share of: the mark, for an option the index.

    A share of a cheap option's own mark would be nothing.
    """
    if not is_option(instrument):
        return mark
    row = find_underlying(state, instrument.underlying)
    return state.underlyings[row].index_price if row >= 0 else 0


@law
def is_near(price: int, mark_price: int, base: int, band_ppm: int) -> bool:
    """Tell whether a price is no further from the mark than a share of a base, rounded down."""
    width, _ = mul_div_floor(base, band_ppm, PPM)
    return abs(price - mark_price) <= width


@law
def check_caps(
    state: State,
    action: Action,
    instrument: Instrument,
    maker: Account,
    taker: Account,
    signed_lots: int,
) -> int:
    """Reduce-only flags, and the caps of each position that grows."""
    if not check_reduce_only(maker, action.maker, instrument.id, signed_lots):
        return Code.REDUCE_ONLY
    if not check_reduce_only(taker, action.taker, instrument.id, -signed_lots):
        return Code.REDUCE_ONLY
    value, fits = mul_div_floor(action.lots, action.price, 1)
    if not fits or value > TRADE_VALUE_MAX:
        return Code.POSITION_CAP
    if not position_fits(state, maker, instrument, signed_lots):
        return Code.POSITION_CAP
    if not position_fits(state, taker, instrument, -signed_lots):
        return Code.POSITION_CAP
    interest = open_interest_after(instrument, maker, taker, signed_lots)
    if interest > instrument.open_interest and interest > instrument.open_interest_cap:
        return Code.OPEN_INTEREST_CAP
    return Code.APPLIED


@law
def novate(
    state: State,
    action: Action,
    signers: Grid,
    maker_row: int,
    taker_row: int,
    instrument_row: int,
    signed_lots: int,
) -> int:
    """Move the lots on drafts, charge the fees, judge both transitions, commit."""
    draft_account(state, FIRST, maker_row)
    draft_account(state, SECOND, taker_row)
    draft_instrument(state, instrument_row)
    draft_funds(state)
    maker = state.account_drafts[FIRST]
    taker = state.account_drafts[SECOND]
    instrument = state.instrument_drafts[0]
    maker_lots = lots_of(maker, instrument.id)
    taker_lots = lots_of(taker, instrument.id)
    instrument.open_interest = open_interest_after(instrument, maker, taker, signed_lots)
    if not move_lots(maker, instrument, signed_lots, action.price):
        return Code.INVARIANT
    if not move_lots(taker, instrument, -signed_lots, action.price):
        return Code.INVARIANT
    maker_fee = fee_micro(action.lots * action.price, action.maker_fee)
    taker_fee = fee_micro(action.lots * action.price, action.taker_fee)
    maker.cash -= maker_fee
    taker.cash -= taker_fee
    state.fund_drafts[Fund.FEES].balance += maker_fee + taker_fee
    before = state.accounts[maker_row]
    code = check_transition(state, before, maker, maker_lots, maker_lots + signed_lots)
    if code != Code.APPLIED:
        return code
    before = state.accounts[taker_row]
    code = check_transition(state, before, taker, taker_lots, taker_lots - signed_lots)
    if code != Code.APPLIED:
        return code
    if not spend_keys(state, action, signers, maker, taker, signed_lots):
        return Code.KEY_CAP
    return commit_fills(state, action, maker_row, taker_row, instrument_row)


@law
def commit_fills(
    state: State, action: Action, maker_row: int, taker_row: int, instrument_row: int
) -> int:
    """Commit the novation; the fills follow, because nothing can fail after the commit."""
    code = commit_novation(state, maker_row, taker_row, instrument_row)
    if code != Code.APPLIED:
        return code
    record_fill(state, FIRST, action.maker, action.lots)
    record_fill(state, SECOND, action.taker, action.lots)
    state.accounts[maker_row] = state.account_drafts[FIRST]
    state.accounts[taker_row] = state.account_drafts[SECOND]
    return Code.APPLIED
