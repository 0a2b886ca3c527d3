"""Auction bid: a bidder takes a pro-rata slice of a failing account at the schedule's price.

A bid is legal if
1. the bidder's owner signed it, unexpired, with a sequence above the last, or a session key whose
   instruments are all that the bid takes, and whose limit pays for what it opens;
2. an auction of the account is open, and each of its markets that lives may be liquidated in;
3. the account's equity is below its maintenance margin;
4. the schedule's price of the slice is not above the bidder's limit;
5. the slice fits the bidder's caps, brings the account no further from its maintenance margin, and
   the bidder's account makes a legal transition over all its legs.
The slice is a fraction of every leg, each rounded up to whole lots, and of all else the account
has: legs move at mark, and the bidder is paid in cash what the price lies below the fraction of
equity. No more is sold than heals the account with a buffer (closed form). An account without
equity costs nothing, and the markets' tranches of insurance pay the bidder up to the fraction of
maintenance margin, more the longer it takes.
"""

from clearing.auctions import (
    auction_fraction,
    bid_cost,
    bid_price,
    buffer_margin,
    discount_ppm,
    insolvent_payout,
    payout_part,
)
from clearing.authority import NO_INSTRUMENT, OWNER_KEY, check_request
from clearing.codes import Code, InstrumentStatus, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, SECOND, begin_drafts, open_account, open_instrument
from clearing.failure import (
    check_relief,
    check_taker,
    commit_failure,
    draw_insurance,
    move_leg,
)
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of
from clearing.margin import NO_DRAFT, measure
from clearing.marks import mark_price
from clearing.orders import spend_opened
from clearing.price_gates import check_liquidating
from clearing.records import Account, Action, Params, State
from clearing.units import PPM
from clearing.waterfall import lots_to_close
from clearing.wide import mul_div_floor

BIDDER = FIRST
FAILING = SECOND


@law
def auction_bid(state: State, action: Action, signers: Grid) -> int:
    """Judge one bid and apply it."""
    bidder_row = find_account(state, action.account)
    failing_row = find_account(state, action.counterparty)
    if bidder_row == ABSENT or failing_row == ABSENT:
        return Code.NO_ACCOUNT
    if bidder_row < 0 or failing_row < 0:
        return Code.INVARIANT
    code, place = check_request(
        state, state.accounts[bidder_row], action, signers, Scope.KEEPER, NO_INSTRUMENT
    )
    if code != Code.APPLIED:
        return code
    failing = state.accounts[failing_row]
    if not covers_legs(state, state.accounts[bidder_row], place, failing):
        return Code.KEY_SCOPE
    if bidder_row == failing_row:
        return Code.SELF_TRADE
    if failing.auction_time == 0:
        return Code.AUCTION_CLOSED
    code = check_legs(state, failing)
    if code != Code.APPLIED:
        return code
    equity, _, maintenance, _, valid = measure(state, failing, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    if equity >= maintenance:
        return Code.HEALTHY
    elapsed = state.globals[0].clock - failing.auction_time
    fraction, price, reward, payout = terms_of(
        state.params[0], elapsed, equity, maintenance, action.long_ppm
    )
    if price > action.limit:
        return Code.UNDERPRICED
    begin_drafts(state)
    code = take_slice(state, action, bidder_row, failing_row, fraction)
    if code != Code.APPLIED:
        return code
    pay_bidder(state, reward, payout)
    code = check_relief(state, state.account_drafts[FAILING], equity, maintenance)
    if code != Code.APPLIED:
        return code
    code = check_taker(state, state.accounts[bidder_row], state.account_drafts[BIDDER])
    if code != Code.APPLIED:
        return code
    if not spend_legs(state, place):
        return Code.KEY_CAP
    return commit_failure(state)


@law
def covers_legs(state: State, bidder: Account, place: int, failing: Account) -> bool:
    """Tell whether the instruments of the bidder's key, if one signed, are all that he takes."""
    if place == OWNER_KEY:
        return True
    key = bidder.keys[place]
    for i in range(failing.position_count):
        id = failing.positions[i].instrument
        row = find_instrument(state, id)
        if row < 0 or state.instruments[row].status >= InstrumentStatus.SETTLING:
            continue
        if not key.first_instrument <= id <= key.last_instrument:
            return False
    return True


@law
def spend_legs(state: State, place: int) -> bool:
    """Take what the bidder's draft opened in all legs, at mark, from the limit of his key."""
    if place == OWNER_KEY:
        return True
    bidder = state.account_drafts[BIDDER]
    before = state.accounts[state.account_draft_rows[BIDDER]]
    for draft in range(state.scratch[0].instrument_draft_count):
        leg = state.instrument_drafts[draft]
        signed_lots = lots_of(bidder, leg.id) - lots_of(before, leg.id)
        if not spend_opened(bidder, place, leg.id, signed_lots, mark_price(state, leg)):
            return False
    return True


@law
def check_legs(state: State, failing: Account) -> int:
    """Return why a leg of the account may not be sold now, or APPLIED; NO_POSITION without legs.

    What settles is no leg: it bears no risk, and is paid by itself.
    """
    legs = 0
    for i in range(failing.position_count):
        row = find_instrument(state, failing.positions[i].instrument)
        if row < 0:
            return Code.INVARIANT
        instrument = state.instruments[row]
        if instrument.status < InstrumentStatus.SETTLING:
            code = check_liquidating(state, instrument)
            if code != Code.APPLIED:
                return code
            legs += 1
    return Code.APPLIED if legs > 0 else Code.NO_POSITION


@law
def terms_of(
    params: Params, elapsed: int, equity: int, maintenance: int, wanted_ppm: int
) -> tuple[int, int, int, int]:
    """Return (fraction sold in ppm, its price, the bidder's reward, payout asked of insurance).

    `elapsed` is the age of the auction in ms. With equity: the price is the fraction of it at the
    discount, rounded up, and the reward what the fraction is worth beyond. Without: both are zero.
    """
    if equity <= 0:
        whole = insolvent_payout(elapsed, params.auction_slow_ms, -maintenance, 0)
        return wanted_ppm, 0, 0, payout_part(whole, wanted_ppm)
    discount = discount_ppm(
        elapsed,
        params.auction_start_ppm,
        params.auction_fast_ppm,
        params.auction_fast_ms,
        params.auction_slow_ms,
    )
    buffer = buffer_margin(equity - maintenance, equity, params.auction_buffer_ppm)
    most, _, _ = auction_fraction(buffer, equity, 0, discount, 1)
    fraction = min(wanted_ppm, most)
    price = bid_cost(bid_price(equity, 0, discount), fraction)
    worth, _ = mul_div_floor(equity, fraction, PPM)
    return fraction, price, max(0, worth - price), 0


@law
def take_slice(
    state: State, action: Action, bidder_row: int, failing_row: int, fraction_ppm: int
) -> int:
    """Move the fraction of every leg on drafts."""
    bidder = state.account_drafts[open_account(state, bidder_row)]
    failing = state.account_drafts[open_account(state, failing_row)]
    bidder.request_sequence = action.sequence
    held = state.accounts[failing_row]
    for i in range(held.position_count):
        row = find_instrument(state, held.positions[i].instrument)
        if state.instruments[row].status < InstrumentStatus.SETTLING:
            instrument = state.instrument_drafts[open_instrument(state, row)]
            lots = lots_to_close(held.positions[i].lots, fraction_ppm)
            code = move_leg(state, bidder, failing, instrument, lots)
            if code != Code.APPLIED:
                return code
    return Code.APPLIED


@law
def pay_bidder(state: State, reward: int, payout: int) -> None:
    """Pay the reward out of the failing account, the payout out of its markets' tranches."""
    bidder = state.account_drafts[BIDDER]
    bidder.cash += reward
    state.account_drafts[FAILING].cash -= reward
    left = payout
    for draft in range(state.scratch[0].instrument_draft_count):
        left -= draw_insurance(state, state.instrument_drafts[draft], left)
    bidder.cash += payout - left
