"""Inbox: messages that the base layer forces in, in the order it received them.

Whatever a message says it is consumed, so that an impossible one can neither block the queue nor
be skipped. A deposit that cannot be credited appends a refund withdrawal to its owner.
"""

from clearing.accumulators import extend_inbox
from clearing.actions.withdraw import WITHDRAWALS_MAX, append_withdrawal
from clearing.authority import clear_keys
from clearing.codes import Code, InboxKind
from clearing.compiler import law
from clearing.drafts import FIRST, commit_account, draft_account, touch_account
from clearing.lookup import MISSING, find_account, same_word
from clearing.records import Account, Action, State
from clearing.units import (
    ACCOUNTS_DEPTH,
    AMOUNT_MAX,
    COLLATERALS_MAX,
    CUSTODY_MAX,
    PAGES_MAX,
    POSITIONS_MAX,
    SETTLEMENT_ASSET,
)

ACCOUNTS_MAX = 4**ACCOUNTS_DEPTH


@law
def inbox(state: State, action: Action) -> int:
    """Consume the next message. Only a message out of order is rejected."""
    totals = state.globals[0]
    if action.inbox_index != totals.inbox_count:
        return Code.INBOX_ORDER
    row = find_account(state, action.account)
    if row == MISSING:
        return Code.INVARIANT
    # The base layer has spent this id. Whatever becomes of the money the account must exist, or
    # every later id would be a foreign one.
    if (
        action.kind_of_message == InboxKind.DEPOSIT
        and action.account == totals.account_count
        and action.account < ACCOUNTS_MAX
    ):
        open_account(state, action)
        row = find_account(state, action.account)
    if row >= 0 and is_creditable(totals.custody, state.accounts[row], action):
        code = credit(state, action, row)
    else:
        code = refund(state, action)
    if code != Code.APPLIED:
        return code
    totals.inbox_count += 1
    extend_inbox(state, action.digest)
    return Code.APPLIED


@law
def is_creditable(custody: int, account: Account, action: Action) -> bool:
    """The account is the depositor's, and neither its cash nor custody outgrows its bound."""
    return (
        action.kind_of_message == InboxKind.DEPOSIT
        and action.asset == SETTLEMENT_ASSET
        and same_word(account.owner, action.address)
        and account.subaccount == action.subaccount
        and 0 < action.amount <= AMOUNT_MAX
        and account.cash + action.amount <= AMOUNT_MAX
        and custody + action.amount <= CUSTODY_MAX
    )


@law
def open_account(state: State, action: Action) -> None:
    """Append an empty account. In a witness its row is the first one without a leaf."""
    totals = state.globals[0]
    id = totals.account_count
    row = id if state.account_ids.shape[0] == 0 else state.scratch[0].spare_account
    account = state.accounts[row]
    clear_account(account)
    account.id = id
    account.subaccount = action.subaccount
    for i in range(4):
        account.owner[i] = action.address[i]
    if state.account_ids.shape[0] != 0:
        state.account_ids[row] = id
        state.scratch[0].spare_account += 1
    totals.account_count += 1
    touch_account(state, id)


@law
def clear_account(account: Account) -> None:
    """Zero what an account row may hold from an earlier life (a rolled-back one)."""
    account.mode = 0
    account.cash = 0
    account.order_floor = 0
    account.request_sequence = 0
    account.position_count = 0
    account.page_mask = 0
    account.auction_time = 0
    account.recent_profit = 0
    account.recent_time = 0
    account.not_before = 0
    clear_collaterals(account)
    clear_keys(account)
    for i in range(PAGES_MAX):
        account.page_rows[i] = -1
    for i in range(POSITIONS_MAX):
        position = account.positions[i]
        position.instrument = 0
        position.lots = 0
        position.entry_cost = 0
        position.index_high = 0
        position.index_low = 0


@law
def clear_collaterals(account: Account) -> None:
    """Zero every collateral row."""
    account.collateral_count = 0
    for i in range(COLLATERALS_MAX):
        account.collaterals[i].asset = 0
        account.collaterals[i].amount = 0
        account.collaterals[i].unlock_time = 0


@law
def credit(state: State, action: Action, row: int) -> int:
    """Add the deposit to the account's cash and to custody."""
    draft_account(state, FIRST, row)
    state.account_drafts[FIRST].cash += action.amount
    return commit_account(state, row, action.amount)


@law
def refund(state: State, action: Action) -> int:
    """Send the deposit home: a withdrawal of what was never credited. Custody nets to zero.

    Without a leaf left the message is consumed all the same: it must not block the queue.
    """
    if state.globals[0].withdrawal_count >= WITHDRAWALS_MAX:
        return Code.APPLIED
    append_withdrawal(state, action.asset, action.amount, action.account, action.address)
    return Code.APPLIED
