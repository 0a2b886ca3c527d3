"""Withdraw: cash leaves an account and becomes a claim against the base-layer escrow.

A withdrawal is legal if its owner signed it (no session key can), unexpired, with a request
sequence above the last; if the equity left covers max(initial margin, transfer margin); if custody
holds the amount; and if the withdrawals tree has a leaf left. It goes to the owner's address, or to
that of the key which took the owner's place. It also runs when halted.
"""

from clearing.authority import NO_INSTRUMENT, check_request, is_rotated
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, commit_account, draft_account
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_account
from clearing.margin import check_outflow
from clearing.records import Account, Action, State
from clearing.units import SETTLEMENT_ASSET, WITHDRAWALS_DEPTH

WITHDRAWALS_MAX = 4**WITHDRAWALS_DEPTH


@law
def withdraw(state: State, action: Action, signers: Grid) -> int:
    """Judge one withdrawal and apply it."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    if action.asset != SETTLEMENT_ASSET:
        return Code.NO_ASSET
    code, _ = check_request(state, state.accounts[row], action, signers, Scope.ROOT, NO_INSTRUMENT)
    if code != Code.APPLIED:
        return code
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    account.request_sequence = action.sequence
    account.cash -= action.amount
    code = check_outflow(state, account)
    if code != Code.APPLIED:
        return code
    # Where others are bankrupt, equity may exceed what is there: a claim must have its backing,
    # and a leaf to stand in: beyond the tree no step could be proven wrong.
    totals = state.globals[0]
    if action.amount > totals.custody or totals.withdrawal_count >= WITHDRAWALS_MAX:
        return Code.CASH_BOUND
    code = commit_account(state, row, -action.amount)
    if code != Code.APPLIED:
        return code
    append_payment(state, account, action.asset, action.amount)
    return Code.APPLIED


@law
def append_payment(state: State, account: Account, asset: int, amount: int) -> None:
    """Append a withdrawal to the account's owner, or to the key that took the owner's place."""
    if is_rotated(account):
        append_withdrawal(state, asset, amount, account.id, account.keys[0].address)
    else:
        append_withdrawal(state, asset, amount, account.id, account.owner)


@law
def append_withdrawal(
    state: State, asset: int, amount: int, account: int, recipient: Rows[int]
) -> None:
    """Append a withdrawal leaf; the caller settled custody and knows that the tree has room."""
    totals = state.globals[0]
    index = totals.withdrawal_count
    withdrawal = state.withdrawals[index - state.scratch[0].withdrawal_base]
    withdrawal.index = index
    withdrawal.asset = asset
    withdrawal.amount = amount
    withdrawal.account = account
    for i in range(4):
        withdrawal.recipient[i] = recipient[i]
    totals.withdrawal_count += 1
