"""Pool takeover: a pool takes a position over that found no buyer, failing or offered.

Nobody signs it. In the pool's own markets its own account takes the position, which it is the
other side of; in markets with a book the sleeve does. A takeover is legal if
1. the account, the market and the pool exist, and the market is the pool's or has a book;
2. the account is no pool's;
3. accounts may be liquidated in the market now, and no sweep runs over it;
4. the account has a position in it, and equity below its maintenance margin; or the position was
   offered by a forced close, and no keeper took all of it within the slow part of an auction;
5. a failing account's auction has passed the fast part, and it has no collateral left;
6. the pool has room: in the sleeve up to its cap, in its own account up to the reserve;
7. the pool can fund the sleeve up to its initial margin, by no more than the sleeve's cap, and
   keep its own margin and reserve; or its own account makes a legal transition.
As many lots move as there is room for, at the mark; beside it what closing in bankruptcy leaves to
either side: the account's equity falls by the share of the maintenance margin that is freed. Where
that is negative the account is paid it, first from the market's tranche of insurance, then by the
pool. Lots of an offer move at the mark less the dearest penalty of a forced close, and the account
must cover its maintenance margin afterwards; they may be taken for a second slow part.
"""

from clearing.actions.close_position import close_price, lots_left_over, take_off_offer
from clearing.caps import most_price, open_interest_after
from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import begin_drafts, open_account, open_instrument
from clearing.failure import commit_failure, draw_insurance, has_collateral
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of
from clearing.margin import NO_DRAFT, check_transition, measure
from clearing.marks import mark_price
from clearing.pools import NOBODY, holder_of, is_pool_account, keeps_reserve, pool_worth
from clearing.positions import move_lots
from clearing.price_gates import check_liquidating
from clearing.records import Account, Action, Instrument, Pool, State
from clearing.shares import portion
from clearing.units import LOTS_MAX, POSITIONS_MAX, PPM, VALUE_MAX
from clearing.wide import mul_div_floor


@law
def pool_takeover(state: State, action: Action) -> int:
    """Judge one takeover and apply it."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    instrument_row = find_instrument(state, action.instrument)
    if instrument_row == ABSENT:
        return Code.NO_INSTRUMENT
    if action.pool >= state.globals[0].pool_count:
        return Code.NO_POOL
    pool = state.pools[action.pool]
    own_row = find_account(state, pool.account)
    sleeve_row = find_account(state, pool.sleeve)
    if row < 0 or instrument_row < 0 or own_row < 0 or sleeve_row < 0:
        return Code.INVARIANT
    instrument = state.instruments[instrument_row]
    if holder_of(pool, instrument) == NOBODY:
        return Code.NO_POOL
    if is_pool_account(state, action.account):
        return Code.SELF_TRADE
    code = check_liquidating(state, instrument)
    if code != Code.APPLIED:
        return code
    account = state.accounts[row]
    held = lots_of(account, instrument.id)
    if held == 0:
        return Code.NO_POSITION
    equity, _, maintenance, _, valid = measure(state, account, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    failing = equity < maintenance
    given = held if failing else lots_left_over(state, account, instrument.id)
    if given == 0:
        return Code.HEALTHY
    if failing and not is_due(state, account):
        return Code.WATERFALL_ORDER
    lots = lots_with_room(
        state, pool, state.accounts[own_row], state.accounts[sleeve_row], instrument, given
    )
    if lots == 0:
        return Code.POOL_CAP
    signed_lots = lots if held > 0 else -lots
    return take_over(state, action, row, instrument_row, signed_lots, equity, maintenance)


@law
def is_due(state: State, account: Account) -> bool:
    """Tell whether the auction of the account has passed its fast part, and no collateral is left
    that can be sold."""
    fast = account.auction_time + state.params[0].auction_fast_ms
    if account.auction_time == 0 or state.globals[0].clock < fast:
        return False
    return not has_collateral(state, account)


@law
def lots_with_room(
    state: State, pool: Pool, own: Account, sleeve: Account, instrument: Instrument, held: int
) -> int:
    """Return how many of `held` lots (signed), or of those offered, a pool may take, 0 .. all.

    Lots against a position that it holds are always welcome; beyond them as many as the cap of
    its sleeve, or the reserve of its own account, and the bounds of a position leave.
    """
    value, gross, valid = pool_worth(state, pool, own, sleeve, NO_DRAFT)
    if not valid:
        return 0
    if holder_of(pool, instrument) == pool.sleeve:
        holder = sleeve
        _, _, _, gross, valid = measure(state, sleeve, NO_DRAFT)
        room = pool.sleeve_cap - gross if valid else 0
    else:
        holder = own
        reserve, _ = mul_div_floor(max(0, value), pool.reserve_ppm, PPM)
        room = reserve - gross
    mine = lots_of(holder, instrument.id)
    if mine == 0 and holder.position_count >= POSITIONS_MAX:
        return 0
    price = max(1, most_price(state, instrument))
    if (mine > 0) == (held > 0) or mine == 0:
        room = min(room, VALUE_MAX - abs(mine) * price)
        return max(0, min(abs(held), min(room // price, LOTS_MAX - abs(mine))))
    # What the opposite lots free becomes room again once they are closed.
    closed = abs(mine) * price
    beyond = max(0, min(room + closed, VALUE_MAX) // price)
    return min(abs(held), abs(mine) + beyond)


@law
def take_over(
    state: State,
    action: Action,
    row: int,
    instrument_row: int,
    signed_lots: int,
    equity: int,
    maintenance: int,
) -> int:
    """Move the lots on drafts, settle what goes with them, judge the pool, and commit.

    `equity` and `maintenance` are the account's before: it fails, or has offered the lots.
    """
    begin_drafts(state)
    pool = state.pools[action.pool]
    own_row = find_account(state, pool.account)
    sleeve_row = find_account(state, pool.sleeve)
    account = state.account_drafts[open_account(state, row)]
    own = state.account_drafts[open_account(state, own_row)]
    sleeve = state.account_drafts[open_account(state, sleeve_row)]
    instrument = state.instrument_drafts[open_instrument(state, instrument_row)]
    in_sleeve = holder_of(pool, instrument) == pool.sleeve
    holder_row = sleeve_row if in_sleeve else own_row
    holder = state.account_drafts[open_account(state, holder_row)]
    failing = equity < maintenance
    price = mark_price(state, instrument)
    if not failing:
        price = close_price(
            price, state.params[0].tiers[instrument.tier].maintenance_ppm, signed_lots
        )
    instrument.open_interest = open_interest_after(instrument, holder, account, signed_lots)
    if not move_lots(account, instrument, -signed_lots, price):
        return Code.INVARIANT
    if not move_lots(holder, instrument, signed_lots, price):
        return Code.INVARIANT
    left, _, kept, _, valid = measure(state, account, 1)
    if not valid:
        return Code.INVARIANT
    if failing:
        share = bankrupt_share(account, left, equity, maintenance, kept)
        insured = draw_insurance(state, instrument, -share)
        account.cash -= share
        holder.cash += share + insured
        if left - share >= kept:
            account.auction_time = 0
    else:
        take_off_offer(account, signed_lots)
        if left < kept:
            return Code.MARGIN
    if in_sleeve:
        code = fund_sleeve(state, pool, own, sleeve)
    else:
        now = lots_of(own, instrument.id)
        code = check_transition(state, state.accounts[own_row], own, now - signed_lots, now)
    # The limit of one owner does not bind a pool.
    if code != Code.APPLIED and code != Code.OWNER_LIMIT:
        return code
    return commit_failure(state)


@law
def bankrupt_share(
    account: Account, left: int, equity: int, maintenance: int, maintenance_left: int
) -> int:
    """Return the equity that goes with the lots: negative if the account is paid, rounded down.

    equity * maintenance freed / maintenance; of an account without positions all that is `left`,
    which pools' shares are no part of.
    """
    if account.position_count == 0:
        return left
    return portion(equity, max(0, maintenance - maintenance_left), maintenance)


@law
def fund_sleeve(state: State, pool: Pool, own: Account, sleeve: Account) -> int:
    """Move to the sleeve's draft what it lacks of its initial margin.

    POOL_CAP beyond the sleeve's cap, MARGIN unless the pool keeps its own margin and reserve.
    """
    equity, initial, _, _, valid = measure(state, sleeve, 1)
    if not valid:
        return Code.INVARIANT
    needed = max(0, initial - equity)
    if needed == 0:
        return Code.APPLIED
    if needed > pool.sleeve_cap:
        return Code.POOL_CAP
    sleeve.cash += needed
    own.cash -= needed
    kept, valid = keeps_reserve(state, pool, own, sleeve, 1)
    if not valid:
        return Code.INVARIANT
    return Code.APPLIED if kept else Code.MARGIN
