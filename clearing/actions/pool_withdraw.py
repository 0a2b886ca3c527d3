"""Pool withdraw: shares of a pool become cash of the account, at what they are worth now.

A withdrawal is legal if
1. the account and the pool exist, and the account is no pool's;
2. its owner or a session key with the scope POOL signed it, unexpired, with a request sequence
   above the last;
3. the account holds that many shares, and their lock has passed;
4. no sweep runs over a market of the pool, and its marks are fresh enough to open risk at;
5. traders' unpaid profit does not exceed the pool's cap;
6. the cash, rounded down, is no less than the signed limit;
7. what is left in the pool covers its initial margin and the reserve of its positions.
"""

from clearing.authority import NO_INSTRUMENT, check_request
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import begin_drafts, commit_drafts, draft_pools, open_account, store_pools
from clearing.holdings import find_holding, take_units
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account
from clearing.margin import NO_DRAFT
from clearing.pool_pricing import shares_redeemed
from clearing.pools import check_shares, is_pool_account, keeps_reserve
from clearing.records import Account, Action, State
from clearing.units import AMOUNT_MAX, SHARES_BASE


@law
def pool_withdraw(state: State, action: Action, signers: Grid) -> int:
    """Judge one withdrawal and apply it: `amount` in shares, `limit` the least cash."""
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
    account = state.accounts[row]
    code, _ = check_request(state, account, action, signers, Scope.POOL, NO_INSTRUMENT)
    if code != Code.APPLIED:
        return code
    if is_pool_account(state, action.account):
        return Code.SELF_TRADE
    if not has_unlocked(state, account, action):
        return Code.POOL_LOCKED
    code, value, _ = check_shares(state, pool, state.accounts[own_row], state.accounts[sleeve_row])
    if code != Code.APPLIED:
        return code
    cash, fits = shares_redeemed(action.amount, value, pool.shares)
    if not fits:
        return Code.POOL_CAP
    if cash < action.limit:
        return Code.SLIPPAGE
    return sell_shares(state, action, row, own_row, sleeve_row, cash)


@law
def has_unlocked(state: State, account: Account, action: Action) -> bool:
    """Tell whether the account holds as many shares, and they are not locked any more."""
    place = find_holding(account, SHARES_BASE + action.pool)
    if place < 0 or account.collaterals[place].amount < action.amount:
        return False
    return state.globals[0].clock >= account.collaterals[place].unlock_time


@law
def sell_shares(
    state: State, action: Action, row: int, own_row: int, sleeve_row: int, cash: int
) -> int:
    """Burn the shares and move the cash on drafts; judge what is left in the pool; commit."""
    begin_drafts(state)
    draft_pools(state)
    account = state.account_drafts[open_account(state, row)]
    own = state.account_drafts[open_account(state, own_row)]
    pool = state.pool_drafts[action.pool]
    account.request_sequence = action.sequence
    account.cash += cash
    own.cash -= cash
    pool.shares -= action.amount
    if not take_units(account, SHARES_BASE + action.pool, action.amount):
        return Code.INVARIANT
    if account.cash > AMOUNT_MAX:
        return Code.CASH_BOUND
    kept, valid = keeps_reserve(state, pool, own, state.accounts[sleeve_row], NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    if not kept:
        return Code.POOL_CAP
    code = commit_drafts(state, 0)
    if code == Code.APPLIED:
        store_pools(state)
    return code
