"""Pool trade: an account trades with a pool at the mark price plus the price impact.

A pool's markets have no book: they are traded so and in no other way. In markets with a book a
pool trade takes what the pool's sleeve holds, at the mark, and can only reduce it. It is legal if
1. the account, the market and the pool exist, and the market is the pool's or has a book;
2. the owner or a session key with the scope TRADE signed it, unexpired, with a request sequence
   above the last; the account is no pool's;
3. the market is open for it, no sweep runs over it, and its mark is fresh;
4. a sleeve's position neither grows nor flips;
5. the account's position, the pool's and open interest stay within their caps;
6. if the account's position grows: the pool's positions stay within its reserve;
7. the account takes no more profit in one action than the pool's cap;
8. mark and impact together are no worse than the signed limit;
9. both sides make a legal transition, and the session key's limit suffices.
Impact moves between the account and the pool's own account; what the pool was paid stands apart
in the impact pot, and whoever balances the pool is paid from that pot alone. Once the pool holds no
position, what is left in the pot is the providers'.
"""

from clearing.actions.trade import TRADE_VALUE_MAX
from clearing.authority import check_request
from clearing.caps import most_price, open_interest_after, position_fits
from clearing.codes import Code, Scope, Side
from clearing.compiler import law
from clearing.drafts import (
    begin_drafts,
    commit_drafts,
    draft_pools,
    open_account,
    open_instrument,
    store_pools,
)
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account, find_instrument, find_position, lots_of
from clearing.margin import NO_DRAFT, check_transition, grows, measure
from clearing.marks import mark_price
from clearing.oracle import Use
from clearing.orders import opened_lots, spend_opened
from clearing.pool_pricing import profit_exceeds, reserve_fits
from clearing.pools import (
    NOBODY,
    holder_of,
    impact_of,
    is_pool_account,
    pool_worth,
)
from clearing.positions import move_lots
from clearing.price_gates import allows, check_trading, price_doubts
from clearing.records import Account, Action, Instrument, Pool, State
from clearing.units import LOTS_MAX, POSITIONS_MAX, VALUE_MAX
from clearing.wide import mul_div_floor, product_at_least


@law
def pool_trade(state: State, action: Action, signers: Grid) -> int:
    """Judge one trade with a pool and apply it."""
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
    account = state.accounts[row]
    instrument = state.instruments[instrument_row]
    if holder_of(pool, instrument) == NOBODY:
        return Code.NO_POOL
    code, place = check_request(state, account, action, signers, Scope.TRADE, action.instrument)
    if code != Code.APPLIED:
        return code
    if is_pool_account(state, action.account):
        return Code.SELF_TRADE
    signed_lots = action.lots if action.side == Side.BUY else -action.lots
    held = lots_of(account, action.instrument)
    code = check_open(state, instrument, grows(held, held + signed_lots))
    if code != Code.APPLIED:
        return code
    return trade_with(state, action, place, row, instrument_row, signed_lots)


@law
def check_open(state: State, instrument: Instrument, opens: bool) -> int:
    """The market is open for the trade, its mark good enough, and no sweep runs over it.

    To close at as well the mark must be good enough to open at: it is the price, and nobody on the
    pool's side agreed to it.
    """
    code = check_trading(state, instrument, opens)
    if code != Code.APPLIED:
        return code
    if not allows(price_doubts(state, instrument), Use.OPEN):
        return Code.PRICE_STALE
    return Code.OPERATION_OPEN if instrument.operation != 0 else Code.APPLIED


@law
def trade_with(
    state: State, action: Action, place: int, row: int, instrument_row: int, signed_lots: int
) -> int:
    """Move the lots and the impact on drafts; judge caps, profit, limit, margin; commit."""
    begin_drafts(state)
    draft_pools(state)
    pool = state.pool_drafts[action.pool]
    account = state.account_drafts[open_account(state, row)]
    own_row = find_account(state, pool.account)
    sleeve_row = find_account(state, pool.sleeve)
    own = state.account_drafts[open_account(state, own_row)]
    sleeve = state.account_drafts[open_account(state, sleeve_row)]
    instrument = state.instrument_drafts[open_instrument(state, instrument_row)]
    in_sleeve = holder_of(pool, instrument) == pool.sleeve
    holder_row = sleeve_row if in_sleeve else own_row
    holder = state.account_drafts[open_account(state, holder_row)]
    held = lots_of(holder, instrument.id)
    if in_sleeve and grows(held, held - signed_lots):
        return Code.REDUCE_ONLY
    code = check_caps(state, instrument, account, holder, signed_lots)
    if code != Code.APPLIED:
        return code
    value, _, valid = pool_worth(state, pool, own, sleeve, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    price = mark_price(state, instrument)
    impact_ppm = 0 if in_sleeve else pool.impact_ppm
    impact, fits = impact_of(impact_ppm, value, price, held, held - signed_lots)
    if not fits:
        return Code.POOL_CAP
    impact = min(impact, pool.impact_pot)
    account.request_sequence = action.sequence
    profit, fits = novate(account, holder, instrument, signed_lots, price)
    if not fits:
        return Code.INVARIANT
    account.cash += impact
    holder.cash -= impact
    pool.impact_pot -= impact
    now = lots_of(account, instrument.id)
    opened = opened_lots(now - signed_lots, now)
    code = check_pool_side(state, pool, own, sleeve, opened > 0 and not in_sleeve)
    if code != Code.APPLIED:
        return code
    if profit_exceeds(profit, value, pool.profit_cap_ppm):
        return Code.POOL_PROFIT
    if not within_limit(action, price, impact):
        return Code.SLIPPAGE
    code = check_sides(state, row, account, holder_row, holder, signed_lots)
    if code != Code.APPLIED:
        return code
    if not spend_opened(account, place, instrument.id, signed_lots, price):
        return Code.KEY_CAP
    if in_sleeve and not release(state, own, sleeve):
        return Code.INVARIANT
    if own.position_count == 0:
        pool.impact_pot = 0
    code = commit_drafts(state, 0)
    if code == Code.APPLIED:
        store_pools(state)
    return code


@law
def check_caps(
    state: State, instrument: Instrument, account: Account, holder: Account, signed_lots: int
) -> int:
    """Position caps of the account and of the pool, and the cap of open interest.

    The market's position cap does not bind the pool, which holds what all others do together.
    """
    value, fits = mul_div_floor(abs(signed_lots), mark_price(state, instrument), 1)
    if not fits or value > TRADE_VALUE_MAX:
        return Code.POSITION_CAP
    if not position_fits(state, account, instrument, signed_lots):
        return Code.POSITION_CAP
    held = lots_of(holder, instrument.id)
    if held == 0 and holder.position_count >= POSITIONS_MAX:
        return Code.POSITION_CAP
    if grows(held, held - signed_lots):
        lots = abs(held - signed_lots)
        value, fits = mul_div_floor(lots, most_price(state, instrument), 1)
        if not fits or value > VALUE_MAX or lots > LOTS_MAX:
            return Code.POSITION_CAP
    interest = open_interest_after(instrument, account, holder, signed_lots)
    if interest > instrument.open_interest and interest > instrument.open_interest_cap:
        return Code.OPEN_INTEREST_CAP
    return Code.APPLIED


@law
def novate(
    account: Account, holder: Account, instrument: Instrument, signed_lots: int, price: int
) -> tuple[int, bool]:
    """Move lots from the pool's draft to the account's; return (profit that it took, fits).

    Profit is what the closed part is worth beyond its entry cost.
    """
    cost = entry_cost(account, instrument.id)
    instrument.open_interest = open_interest_after(instrument, account, holder, signed_lots)
    if not move_lots(account, instrument, signed_lots, price):
        return 0, False
    if not move_lots(holder, instrument, -signed_lots, price):
        return 0, False
    return entry_cost(account, instrument.id) - cost - signed_lots * price, True


@law
def entry_cost(account: Account, instrument: int) -> int:
    """Return the signed entry cost of an account's position; zero without one."""
    place = find_position(account, instrument)
    return account.positions[place].entry_cost if place >= 0 else 0


@law
def check_pool_side(state: State, pool: Pool, own: Account, sleeve: Account, opens: bool) -> int:
    """Return POOL_CAP if risk was opened beyond what the pool reserves for it, else APPLIED."""
    if not opens:
        return Code.APPLIED
    value, gross, valid = pool_worth(state, pool, own, sleeve, 1)
    if not valid:
        return Code.INVARIANT
    if not reserve_fits(gross, max(0, value), pool.reserve_ppm):
        return Code.POOL_CAP
    return Code.APPLIED


@law
def within_limit(action: Action, price: int, impact: int) -> bool:
    """Tell whether all lots at the price, less what impact pays, keep the limit a lot."""
    if action.side == Side.BUY:
        return product_at_least(action.lots, action.price - price, -impact, 1)
    return product_at_least(action.lots, price - action.price, -impact, 1)


@law
def check_sides(
    state: State, row: int, account: Account, holder_row: int, holder: Account, signed_lots: int
) -> int:
    """Both accounts make a legal transition; the limit of one owner does not bind the pool."""
    instrument = state.instrument_drafts[0].id
    held = lots_of(account, instrument)
    code = check_transition(state, state.accounts[row], account, held - signed_lots, held)
    if code != Code.APPLIED:
        return code
    held = lots_of(holder, instrument)
    code = check_transition(state, state.accounts[holder_row], holder, held + signed_lots, held)
    return Code.APPLIED if code == Code.OWNER_LIMIT else code


@law
def release(state: State, own: Account, sleeve: Account) -> bool:
    """Return the sleeve's equity beyond its initial margin to the pool; False if it has none."""
    equity, initial, _, _, valid = measure(state, sleeve, 1)
    if not valid:
        return False
    spare = max(0, equity - initial)
    sleeve.cash -= spare
    own.cash += spare
    return True
