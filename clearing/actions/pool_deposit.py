"""Pool deposit: cash of an account becomes shares of a pool, at what they are worth now.

A deposit is legal if
1. the account and the pool exist, and the account is no pool's;
2. its owner or a session key with the scope POOL signed it, unexpired, with a request sequence
   above the last;
3. no sweep runs over a market of the pool, and its marks are fresh enough to open risk at;
4. traders' unpaid profit does not exceed the pool's cap;
5. the pool stays within its deposit cap and is worth no less than nothing;
6. the shares, rounded down, are no fewer than the signed limit, and at least one;
7. the account has room for them;
8. what is left in the account covers its margin as after a withdrawal, and the limit of the
   session key that signed suffices.
The shares are locked: with them all that the account holds of the pool.
"""

from clearing.authority import NO_INSTRUMENT, check_request, spend_limit
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import begin_drafts, commit_drafts, draft_pools, open_account, store_pools
from clearing.holdings import UNITS_MAX, add_units, can_hold, find_holding
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account
from clearing.margin import check_outflow
from clearing.pool_pricing import deposit_fits, shares_minted
from clearing.pools import check_shares, is_pool_account
from clearing.records import Account, Action, Pool, State
from clearing.units import AMOUNT_MAX, SHARES_BASE


@law
def pool_deposit(state: State, action: Action, signers: Grid) -> int:
    """Judge one deposit and apply it: `amount` of cash, `limit` the fewest shares."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if action.pool >= state.globals[0].pool_count:
        return Code.NO_POOL
    pool = state.pools[action.pool]
    own_row = find_account(state, pool.account)
    sleeve_row = find_account(state, pool.sleeve)
    if row < 0 or own_row < 0 or sleeve_row < 0:
        return Code.INVARIANT
    code, place = check_request(
        state, state.accounts[row], action, signers, Scope.POOL, NO_INSTRUMENT
    )
    if code != Code.APPLIED:
        return code
    if is_pool_account(state, action.account):
        return Code.SELF_TRADE
    code, value, _ = check_shares(state, pool, state.accounts[own_row], state.accounts[sleeve_row])
    if code != Code.APPLIED:
        return code
    shares, fits = shares_minted(action.amount, value, pool.shares)
    if not fits or pool.shares > UNITS_MAX - shares:
        return Code.POOL_CAP
    if not deposit_fits(value, action.amount, pool.deposit_cap):
        return Code.POOL_CAP
    if shares < max(1, action.limit):
        return Code.SLIPPAGE
    return buy_shares(state, action, row, own_row, shares, place)


@law
def buy_shares(
    state: State, action: Action, row: int, own_row: int, shares: int, place: int
) -> int:
    """Move the cash and mint the shares on drafts; judge what is left; commit.

    `place` is that of the key whose limit pays the cash, or OWNER_KEY.
    """
    begin_drafts(state)
    draft_pools(state)
    account = state.account_drafts[open_account(state, row)]
    own = state.account_drafts[open_account(state, own_row)]
    pool = state.pool_drafts[action.pool]
    if not can_hold(account, SHARES_BASE + action.pool, shares):
        return Code.COLLATERAL_CAP
    account.request_sequence = action.sequence
    account.cash -= action.amount
    own.cash += action.amount
    hold_shares(state, account, pool, shares)
    code = check_outflow(state, account)
    if code != Code.APPLIED:
        return code
    if own.cash > AMOUNT_MAX:
        return Code.CASH_BOUND
    if not spend_limit(account, place, action.amount):
        return Code.KEY_CAP
    code = commit_drafts(state, 0)
    if code == Code.APPLIED:
        store_pools(state)
    return code


@law
def hold_shares(state: State, account: Account, pool: Pool, shares: int) -> None:
    """Mint shares to an account's draft and lock all that it holds of the pool."""
    asset = SHARES_BASE + pool.id
    add_units(account, asset, shares)
    place = find_holding(account, asset)
    account.collaterals[place].unlock_time = state.globals[0].clock + pool.lock_ms
    pool.shares += shares
