"""Cancel: raise a slot, or the account's floor, so that orders up to a sequence are dead.

Raising is monotone, so a replayed cancel changes nothing and needs no sequence of its own.
"""

from clearing.authority import NO_INSTRUMENT, check_authority
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, draft_account, store_account
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account, find_page
from clearing.orders import open_slot
from clearing.records import Action, State
from clearing.units import ALL_SLOTS, PAGE_SLOTS


@law
def cancel(state: State, action: Action, signers: Grid) -> int:
    """Judge one cancel and apply it: orders with sequence <= `action.sequence` are dead."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    account = state.accounts[row]
    code, _ = check_authority(
        state.globals[0].clock,
        account,
        signers,
        action.signature_first,
        Scope.CANCEL,
        NO_INSTRUMENT,
    )
    if code != Code.APPLIED:
        return code
    if action.sequence <= account.order_floor:
        return Code.STALE_SEQUENCE
    if action.slot == ALL_SLOTS:
        draft_account(state, FIRST, row)
        state.account_drafts[FIRST].order_floor = action.sequence
        store_account(state, FIRST, row)
        return Code.APPLIED
    page = find_page(state, account, action.slot)
    if page >= 0:
        if action.sequence < state.pages[page].slots[action.slot % PAGE_SLOTS].sequence:
            return Code.STALE_SEQUENCE
    elif page != ABSENT:
        return Code.INVARIANT
    draft_account(state, FIRST, row)
    slot = open_slot(state, FIRST, action.slot)
    slot.sequence = action.sequence + 1
    slot.filled = 0
    store_account(state, FIRST, row)
    return Code.APPLIED
