"""Set mode: an owner chooses how the account is margined: cross, isolated or portfolio.

A change is legal if
1. the owner signed it, unexpired, with a request sequence above the last;
2. it is a change, and the account is neither in an auction nor one of a pool's;
3. an isolated account would hold no more than one position;
4. every mark that the account is measured by still counts for margin;
5. equity covers initial margin under the new mode.
"""

from clearing.authority import NO_INSTRUMENT, check_request
from clearing.codes import Code, Mode, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, commit_account, draft_account
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account
from clearing.margin import NO_DRAFT, check_marks, measure
from clearing.records import Account, Action, State


@law
def set_mode(state: State, action: Action, signers: Grid) -> int:
    """Judge one change of mode and apply it."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    account = state.accounts[row]
    code, _ = check_request(state, account, action, signers, Scope.ROOT, NO_INSTRUMENT)
    if code != Code.APPLIED:
        return code
    code = check_shape(state, account, action.mode)
    if code == Code.APPLIED:
        code = check_marks(state, account)
    if code != Code.APPLIED:
        return code
    draft_account(state, FIRST, row)
    draft = state.account_drafts[FIRST]
    draft.mode = action.mode
    draft.request_sequence = action.sequence
    equity, initial, _, _, valid = measure(state, draft, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    if equity < initial:
        return Code.MARGIN
    return commit_account(state, row, 0)


@law
def check_shape(state: State, account: Account, mode: int) -> int:
    """ACCOUNT_MODE if the account may not go there, POSITION_CAP if its positions do not fit."""
    if mode == account.mode or account.auction_time != 0:
        return Code.ACCOUNT_MODE
    for i in range(state.globals[0].pool_count):
        if account.id == state.pools[i].account or account.id == state.pools[i].sleeve:
            return Code.ACCOUNT_MODE
    if mode == Mode.ISOLATED and account.position_count > 1:
        return Code.POSITION_CAP
    return Code.APPLIED
