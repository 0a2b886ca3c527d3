"""Forced close: the base layer offers an account's position to keepers, at a rising penalty.

The inbox message of the account's owner opens the offer; a liquidation of the account, which is
otherwise healthy, then fills it, in any market that liquidations are open in. It is legal if
1. the offer is open: it ends with its lots, its position, or the slow part of an auction;
2. the keeper's position fits its caps, his account makes a legal transition, and the limit of his
   session key suffices, if one signed;
3. the closing account still covers its maintenance margin.
The penalty rises from nothing to the tier's maintenance fraction within the fast part of an
auction: what a lot costs at most is the margin that it frees, so a fill never makes the account
fail. What no keeper takes a pool may, at the dearest penalty (`pool_takeover`). An operator who
ignores an owner's orders can thus hold nobody in a position.
"""

from clearing.caps import open_interest_after, position_fits
from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import (
    FIRST,
    SECOND,
    commit_novation,
    draft_account,
    draft_funds,
    draft_instrument,
    store_account,
)
from clearing.lookup import lots_of
from clearing.margin import check_transition, measure
from clearing.marks import mark_price
from clearing.orders import spend_opened
from clearing.positions import move_lots
from clearing.records import Account, Action, State
from clearing.units import PPM
from clearing.wide import mul_div_ceil, mul_div_floor

KEEPER = FIRST
CLOSING = SECOND


@law
def offer_position(state: State, action: Action, row: int) -> int:
    """Offer `action.amount` lots, at most all, of the account's position; it replaces an offer."""
    held = lots_of(state.accounts[row], action.asset)
    if held == 0:
        return Code.NO_POSITION
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    lots = min(action.amount, abs(held))
    account.close_instrument = action.asset
    account.close_lots = lots if held > 0 else -lots
    account.close_time = state.globals[0].clock
    store_account(state, FIRST, row)
    return Code.APPLIED


@law
def withdraw_offer(account: Account) -> None:
    """End the account's offer, if it has one."""
    account.close_instrument = 0
    account.close_lots = 0
    account.close_time = 0


@law
def take_off_offer(account: Account, signed_lots: int) -> None:
    """Take filled lots off the account's offer."""
    account.close_lots -= signed_lots
    if account.close_lots == 0:
        withdraw_offer(account)


@law
def lots_offered(state: State, account: Account, instrument: int) -> int:
    """Return the signed lots of the instrument that the account offers now; zero: none."""
    age = state.globals[0].clock - account.close_time
    if account.close_instrument != instrument or age > state.params[0].auction_slow_ms:
        return 0
    return lots_unfilled(account)


@law
def lots_left_over(state: State, account: Account, instrument: int) -> int:
    """Return the signed lots that no keeper took of an offer, for a second slow part behind it."""
    age = state.globals[0].clock - account.close_time
    slow = state.params[0].auction_slow_ms
    if account.close_instrument != instrument or not slow < age <= 2 * slow:
        return 0
    return lots_unfilled(account)


@law
def lots_unfilled(account: Account) -> int:
    """Return the signed lots of the account's offer, at most those it holds on that side."""
    held = lots_of(account, account.close_instrument)
    if account.close_lots > 0:
        return max(0, min(held, account.close_lots))
    return min(0, max(held, account.close_lots))


@law
def close_penalty_ppm(elapsed_ms: int, ramp_ms: int, penalty_max_ppm: int) -> int:
    """Return the penalty of a forced close after `elapsed_ms`: linear up to its maximum, up."""
    if elapsed_ms >= ramp_ms:
        return penalty_max_ppm
    penalty, _ = mul_div_ceil(penalty_max_ppm, elapsed_ms, ramp_ms)
    return penalty


@law
def close_price(mark: int, penalty_ppm: int, signed_lots: int) -> int:
    """Return the mark less the penalty for a long (at least 1), plus it for a short."""
    penalty, _ = mul_div_floor(mark, penalty_ppm, PPM)
    return max(1, mark - penalty) if signed_lots > 0 else mark + penalty


@law
def fill_offer(
    state: State,
    action: Action,
    keeper_row: int,
    closing_row: int,
    instrument_row: int,
    place: int,
) -> int:
    """Let the keeper take lots of a healthy account's offer; HEALTHY if there is none.

    `place` is that of the key whose limit pays for what he opens, or OWNER_KEY.
    """
    offered = lots_offered(state, state.accounts[closing_row], action.instrument)
    if offered == 0:
        return Code.HEALTHY
    draft_account(state, KEEPER, keeper_row)
    draft_account(state, CLOSING, closing_row)
    draft_instrument(state, instrument_row)
    draft_funds(state)
    lots = min(action.lots, abs(offered))
    signed_lots = lots if offered > 0 else -lots
    code = move_offered(state, action, keeper_row, signed_lots)
    if code != Code.APPLIED:
        return code
    mark = mark_price(state, state.instrument_drafts[0])
    keeper = state.account_drafts[KEEPER]
    if not spend_opened(keeper, place, action.instrument, signed_lots, mark):
        return Code.KEY_CAP
    return commit_novation(state, keeper_row, closing_row, instrument_row)


@law
def move_offered(state: State, action: Action, keeper_row: int, signed_lots: int) -> int:
    """Move the lots on drafts at the offer's price; judge both accounts."""
    keeper = state.account_drafts[KEEPER]
    closing = state.account_drafts[CLOSING]
    instrument = state.instrument_drafts[0]
    held = lots_of(keeper, instrument.id)
    if not position_fits(state, keeper, instrument, signed_lots):
        return Code.POSITION_CAP
    instrument.open_interest = open_interest_after(instrument, keeper, closing, signed_lots)
    params = state.params[0]
    elapsed = state.globals[0].clock - closing.close_time
    maximum = params.tiers[instrument.tier].maintenance_ppm
    penalty = close_penalty_ppm(elapsed, params.auction_fast_ms, maximum)
    price = close_price(mark_price(state, instrument), penalty, signed_lots)
    keeper.request_sequence = max(keeper.request_sequence, action.sequence)
    if not move_lots(closing, instrument, -signed_lots, price):
        return Code.INVARIANT
    if not move_lots(keeper, instrument, signed_lots, price):
        return Code.INVARIANT
    take_off_offer(closing, signed_lots)
    equity, _, maintenance, _, valid = measure(state, closing, 1)
    if not valid:
        return Code.INVARIANT
    if equity < maintenance:
        return Code.MARGIN
    return check_transition(state, state.accounts[keeper_row], keeper, held, held + signed_lots)
