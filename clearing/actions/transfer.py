"""Transfer: cash moves between two accounts by order of the sender's owner.

A transfer is legal as a withdrawal is, and a session key with the scope TRANSFER may sign it as far
as its limit goes; the recipient must exist and stay within the cash bound.
"""

from clearing.authority import NO_INSTRUMENT, check_request, spend_limit
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, SECOND, commit_pair, draft_account
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account
from clearing.margin import check_outflow
from clearing.records import Action, State
from clearing.units import AMOUNT_MAX, SETTLEMENT_ASSET


@law
def transfer(state: State, action: Action, signers: Grid) -> int:
    """Judge one transfer and apply it."""
    sender_row = find_account(state, action.account)
    recipient_row = find_account(state, action.counterparty)
    if sender_row == ABSENT or recipient_row == ABSENT:
        return Code.NO_ACCOUNT
    if sender_row < 0 or recipient_row < 0:
        return Code.INVARIANT
    if action.asset != SETTLEMENT_ASSET:
        return Code.NO_ASSET
    code, place = check_request(
        state, state.accounts[sender_row], action, signers, Scope.TRANSFER, NO_INSTRUMENT
    )
    if code != Code.APPLIED:
        return code
    if sender_row == recipient_row:
        return Code.SELF_TRADE
    draft_account(state, FIRST, sender_row)
    draft_account(state, SECOND, recipient_row)
    sender = state.account_drafts[FIRST]
    recipient = state.account_drafts[SECOND]
    sender.request_sequence = action.sequence
    sender.cash -= action.amount
    recipient.cash += action.amount
    code = check_outflow(state, sender)
    if code != Code.APPLIED:
        return code
    if recipient.cash > AMOUNT_MAX:
        return Code.CASH_BOUND
    if not spend_limit(sender, place, action.amount):
        return Code.KEY_CAP
    return commit_pair(state, sender_row, recipient_row)
