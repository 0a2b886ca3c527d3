"""Inbox: messages that the base layer forces in, in the order it received them.

Whatever a message says it is consumed, so that an impossible one can neither block the queue nor
be skipped. A deposit that cannot be credited appends a refund withdrawal to its owner. Any other
message acts for the account that it names, if its sender is the account's owner (or the key that
took the owner's place), with the account's own risk as for anybody's signed request:
- withdraw: pays the requested amount or what of it may leave (clearing.actions.withdraw);
- cancel all: kills every order up to a sequence, and a forced close's offer;
- close position: offers lots of a position to keepers (clearing.actions.close_position);
- liquidate: takes lots of a failing account as a keeper does, so that no operator can spare it.
A price acts for nobody: its observations carry the signatures of a quorum, whoever sends them, and
are judged as those of a price action (clearing.actions.price), so that no operator can let marks go
stale. What the law rejects of a message, or while the law is halted all but deposits and
withdrawals, is consumed without effect.
"""

from clearing.accumulators import extend_inbox
from clearing.actions.close_position import offer_position, withdraw_offer
from clearing.actions.liquidate import take_failing
from clearing.actions.price import price
from clearing.actions.withdraw import (
    WITHDRAWALS_MAX,
    append_withdrawal,
    change_custody,
    force_withdrawal,
)
from clearing.authority import OWNER_KEY, clear_keys, is_rotated
from clearing.calls import clear_call_order
from clearing.codes import Code, InboxKind, Status
from clearing.compiler import law
from clearing.drafts import FIRST, commit_account, draft_account, store_account, touch_account
from clearing.gates import count_inflow, value_of
from clearing.holdings import add_units, check_credit, is_collateral
from clearing.layout import Grid, Rows
from clearing.lookup import MISSING, find_account, find_instrument, same_word
from clearing.records import Account, Action, Observation, State
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
ASSET_ACTIVE = 0


@law
def inbox(state: State, action: Action, observations: Rows[Observation], signers: Grid) -> int:
    """Consume the next message. Only a message out of order is rejected."""
    totals = state.globals[0]
    if action.inbox_index != totals.inbox_count:
        return Code.INBOX_ORDER
    if action.kind_of_message == InboxKind.PRICE:
        code = force_price(state, action, observations, signers)
    else:
        code = act(state, action)
    if code == Code.INVARIANT and (
        state.scratch[0].missing_kind != 0 or totals.status == Status.ACTIVE
    ):
        return code
    totals.inbox_count += 1
    extend_inbox(state, action.digest)
    return Code.APPLIED


@law
def force_price(
    state: State, action: Action, observations: Rows[Observation], signers: Grid
) -> int:
    """Judge and apply the observations of a message as those of a price action."""
    if state.globals[0].status != Status.ACTIVE:
        return Code.HALTED
    return price(state, action, observations, signers)


@law
def act(state: State, action: Action) -> int:
    """Do what a message asks of the account that it names."""
    row = find_account(state, action.account)
    if row == MISSING:
        return Code.INVARIANT
    if action.kind_of_message == InboxKind.DEPOSIT:
        return deposit(state, action, row)
    if row >= 0 and is_sender(state.accounts[row], action):
        return force(state, action, row)
    return Code.NO_ACCOUNT


@law
def is_sender(account: Account, action: Action) -> bool:
    """Tell whether the message's sender may act for the account as its owner may."""
    if is_rotated(account):
        return same_word(account.keys[0].address, action.address)
    return same_word(account.owner, action.address)


@law
def force(state: State, action: Action, row: int) -> int:
    """Do what the account's owner asks for; any rejection has changed nothing."""
    kind = action.kind_of_message
    if kind == InboxKind.WITHDRAW:
        return force_withdrawal(state, action, row)
    if state.globals[0].status != Status.ACTIVE:
        return Code.HALTED
    if kind == InboxKind.CANCEL_ALL:
        return cancel_all(state, action, row)
    if kind == InboxKind.CLOSE_POSITION:
        return offer_position(state, action, row)
    if kind == InboxKind.LIQUIDATE:
        return force_liquidation(state, action, row)
    return Code.UNKNOWN_KIND


@law
def cancel_all(state: State, action: Action, row: int) -> int:
    """Kill every order up to the sequence that stands as amount, and the offer of a position."""
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    account.order_floor = max(account.order_floor, action.amount)
    withdraw_offer(account)
    store_account(state, FIRST, row)
    return Code.APPLIED


@law
def force_liquidation(state: State, action: Action, row: int) -> int:
    """Take lots of the failing account as `take_failing` does, for the sender's account."""
    failing_row = find_account(state, action.counterparty)
    instrument_row = find_instrument(state, action.instrument)
    if failing_row == MISSING or instrument_row == MISSING:
        return Code.INVARIANT
    if failing_row < 0:
        return Code.NO_ACCOUNT
    if instrument_row < 0:
        return Code.NO_INSTRUMENT
    return take_failing(state, action, row, failing_row, instrument_row, OWNER_KEY)


@law
def deposit(state: State, action: Action, known_row: int) -> int:
    """Credit a deposit, opening its account if it is the first; refund what cannot be credited."""
    totals = state.globals[0]
    row = known_row
    # The base layer has spent this id. Whatever becomes of the money the account must exist, or
    # every later id would be a foreign one.
    if action.account == totals.account_count and action.account < ACCOUNTS_MAX:
        open_account(state, action)
        row = find_account(state, action.account)
    if row >= 0 and is_creditable(state, state.accounts[row], action):
        return credit(state, action, row)
    return refund(state, action)


@law
def is_creditable(state: State, account: Account, action: Action) -> bool:
    """The account is the depositor's, and no bound or cap of cash, custody or asset is exceeded."""
    if not same_word(account.owner, action.address) or account.subaccount != action.subaccount:
        return False
    if action.asset == SETTLEMENT_ASSET:
        return (
            account.cash + action.amount <= AMOUNT_MAX
            and state.globals[0].custody + action.amount <= CUSTODY_MAX
        )
    if not is_collateral(state, action.asset):
        return False
    asset = state.assets[action.asset]
    return (
        asset.status == ASSET_ACTIVE
        and asset.held + action.amount <= asset.cap
        and check_credit(account, asset, action.amount) == Code.APPLIED
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
    account.hold_until = 0
    account.hold_instrument = 0
    account.hold_group = 0
    clear_call_order(account)
    withdraw_offer(account)
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
    """Add the deposit to the account and to custody."""
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    count_inflow(state, value_of(state, action.asset, action.amount))
    if action.asset == SETTLEMENT_ASSET:
        account.cash += action.amount
        return commit_account(state, row, action.amount)
    add_units(account, action.asset, action.amount)
    store_account(state, FIRST, row)
    change_custody(state, action.asset, action.amount)
    return Code.APPLIED


@law
def refund(state: State, action: Action) -> int:
    """Send the deposit home: a withdrawal of what was never credited. Custody nets to zero.

    Without a leaf left the message is consumed all the same: it must not block the queue.
    """
    if state.globals[0].withdrawal_count >= WITHDRAWALS_MAX:
        return Code.APPLIED
    append_withdrawal(state, action.asset, action.amount, action.account, action.address)
    return Code.APPLIED
