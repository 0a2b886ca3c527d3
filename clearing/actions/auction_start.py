"""Auction start: a failing account is put on offer at a price that falls with law time.

Anyone may send it, for any account that holds positions and has
1. equity below its maintenance margin, and no open auction: the auction begins at the law's clock;
2. equity above that again, and an open auction: the auction ends.
An open auction never begins anew: nobody can put its end off.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import FIRST, draft_account, store_account
from clearing.lookup import ABSENT, find_account
from clearing.margin import NO_DRAFT, measure
from clearing.records import Action, State


@law
def auction_start(state: State, action: Action) -> int:
    """Judge one start (or end) of an account's auction and apply it."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    account = state.accounts[row]
    if account.position_count == 0 and account.auction_time == 0:
        return Code.NO_POSITION
    equity, _, maintenance, _, valid = measure(state, account, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    fails = equity < maintenance
    if fails and account.auction_time != 0:
        return Code.NOT_NEEDED
    if not fails and account.auction_time == 0:
        return Code.HEALTHY
    draft_account(state, FIRST, row)
    state.account_drafts[FIRST].auction_time = max(1, state.globals[0].clock) if fails else 0
    store_account(state, FIRST, row)
    return Code.APPLIED
