"""Transfer: cash or collateral moves between two accounts by order of the sender.

A transfer is legal as a withdrawal is, though a session key with the scope may sign it, within its
limit, and no gate holds it up: nothing leaves the house. The recipient must exist and stay within
the bounds of cash, or have an entry free for the collateral and hold no more of it than a position
may be worth.
"""

from clearing.actions.withdraw import is_known
from clearing.authority import NO_INSTRUMENT, check_request, spend_limit
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, SECOND, commit_pair, draft_account
from clearing.gates import value_of
from clearing.holdings import add_units, check_credit, take_units
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account
from clearing.margin import check_outflow
from clearing.records import Account, Action, State
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
    if not is_known(state, action.asset):
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
    sender.request_sequence = action.sequence
    code = move(state, sender, state.account_drafts[SECOND], action.asset, action.amount)
    if code != Code.APPLIED:
        return code
    if not spend_limit(sender, place, value_of(state, action.asset, action.amount)):
        return Code.KEY_CAP
    return commit_pair(state, sender_row, recipient_row)


@law
def move(state: State, sender: Account, recipient: Account, asset: int, amount: int) -> int:
    """Move an amount between two drafted accounts and judge what the sender is left with."""
    if asset == SETTLEMENT_ASSET:
        sender.cash -= amount
        recipient.cash += amount
    elif not take_units(sender, asset, amount):
        return Code.TRANSFER_MARGIN
    code = check_outflow(state, sender)
    if code != Code.APPLIED:
        return code
    if asset == SETTLEMENT_ASSET:
        return Code.APPLIED if recipient.cash <= AMOUNT_MAX else Code.CASH_BOUND
    code = check_credit(recipient, state.assets[asset], amount)
    if code == Code.APPLIED:
        add_units(recipient, asset, amount)
    return code
