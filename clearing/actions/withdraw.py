"""Withdraw: cash or collateral leaves an account as a claim against the base-layer escrow.

A withdrawal is legal if
1. the asset is cash or a listed collateral;
2. the account's owner signed it (no session key can), unexpired, with a sequence above the last;
3. the account has it, and the equity left covers max(initial margin, transfer margin) at fresh
   marks, and cash and positions what they owe without the help of collateral;
4. custody holds the amount, and the withdrawals tree has a leaf left;
5. no gate holds the account up: a freeze, or the rate limit (clearing.gates).
It goes to the owner's address, or to that of the key which took the owner's place. It also runs
when halted. A forced one comes from the inbox and takes as much as 3 to 5 let out.
"""

from clearing.authority import NO_INSTRUMENT, check_request, is_rotated
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import (
    FIRST,
    commit_account,
    draft_account,
    draft_assets,
    store_account,
    store_assets,
)
from clearing.gates import (
    check_gates,
    count_outflow,
    released,
    units_worth,
    value_of,
)
from clearing.holdings import PRICED_UNITS, is_collateral, take_units, units_held
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_account
from clearing.margin import NO_DRAFT, check_marks, check_outflow, measure, outflow_margin
from clearing.products import triple_floor
from clearing.records import Account, Action, State
from clearing.units import GATE_PASS_MS, PPM, SETTLEMENT_ASSET, WITHDRAWALS_DEPTH
from clearing.valuation import collateral_value

WITHDRAWALS_MAX = 4**WITHDRAWALS_DEPTH
ROUNDING = 2  # micro-quote that rounding may add to what a unit of collateral carries


@law
def withdraw(state: State, action: Action, signers: Grid) -> int:
    """Judge one withdrawal and apply it."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    if not is_known(state, action.asset):
        return Code.NO_ASSET
    code, _ = check_request(state, state.accounts[row], action, signers, Scope.ROOT, NO_INSTRUMENT)
    if code != Code.APPLIED:
        return code
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    account.request_sequence = action.sequence
    code = take_out(state, account, action.asset, action.amount)
    if code != Code.APPLIED:
        return code
    value = value_of(state, action.asset, action.amount)
    code = check_gates(state, account, value)
    if code != Code.APPLIED:
        return code
    return commit_payment(state, row, action.asset, action.amount)


@law
def is_known(state: State, asset: int) -> bool:
    """Tell whether `asset` is cash or a listed collateral."""
    return asset == SETTLEMENT_ASSET or is_collateral(state, asset)


@law
def take_out(state: State, account: Account, asset: int, amount: int) -> int:
    """Take an amount out of a drafted account; judge what is left, and the claim's backing."""
    if asset == SETTLEMENT_ASSET:
        account.cash -= amount
    elif not take_units(account, asset, amount):
        return Code.TRANSFER_MARGIN
    code = check_outflow(state, account)
    if code != Code.APPLIED:
        return code
    # Where others are bankrupt, equity may exceed what is there: a claim must have its backing,
    # and a leaf to stand in: beyond the tree no step could be proven wrong.
    if amount > custody_of(state, asset):
        return Code.CASH_BOUND
    if state.globals[0].withdrawal_count >= WITHDRAWALS_MAX:
        return Code.CASH_BOUND
    return Code.APPLIED


@law
def custody_of(state: State, asset: int) -> int:
    """Return what is in custody of an asset."""
    if asset == SETTLEMENT_ASSET:
        return state.globals[0].custody
    return state.assets[asset].custody


@law
def commit_payment(state: State, row: int, asset: int, amount: int) -> int:
    """Commit the account's draft, custody less the amount, and the claim to it."""
    account = state.account_drafts[FIRST]
    delta = -amount if asset == SETTLEMENT_ASSET else 0
    if account.cash - state.accounts[row].cash != delta:
        return Code.INVARIANT
    count_outflow(state, value_of(state, asset, amount))
    if asset == SETTLEMENT_ASSET:
        code = commit_account(state, row, -amount)
        if code != Code.APPLIED:
            return code
    else:
        store_account(state, FIRST, row)
        change_custody(state, asset, -amount)
    append_payment(state, account, asset, amount)
    return Code.APPLIED


@law
def change_custody(state: State, asset: int, units: int) -> None:
    """Count units of collateral that came into custody and into an account, or left both."""
    draft_assets(state)
    state.asset_drafts[asset].custody += units
    state.asset_drafts[asset].held += units
    store_assets(state)


@law
def force_withdrawal(state: State, action: Action, row: int) -> int:
    """Pay what may leave of a withdrawal that the base layer forces in, perhaps nothing.

    A gate that holds up what margin would let go sets the time from which no gate may.
    """
    if not is_known(state, action.asset):
        return Code.NO_ASSET
    allowed = min(action.amount, free_units(state, state.accounts[row], action.asset))
    if allowed <= 0:
        return Code.TRANSFER_MARGIN
    account = state.accounts[row]
    amount = min(allowed, units_worth(state, action.asset, released(state, account)))
    draft_account(state, FIRST, row)
    draft = state.account_drafts[FIRST]
    note_gate(state, draft, amount < allowed)
    if amount <= 0:
        store_account(state, FIRST, row)
        return Code.APPLIED
    code = take_out(state, draft, action.asset, amount)
    if code != Code.APPLIED:
        return code
    return commit_payment(state, row, action.asset, amount)


@law
def note_gate(state: State, account: Account, held_up: bool) -> None:
    """Begin the wait of an account that a gate holds up, unless it waits; end it if none does."""
    clock = state.globals[0].clock
    if not held_up:
        account.not_before = 0
    elif account.not_before == 0 or clock > account.not_before + GATE_PASS_MS:
        account.not_before = clock + state.params[0].freeze_ms


@law
def free_units(state: State, account: Account, asset: int) -> int:
    """Return how much of an asset margin and custody would let out now; not positive: nothing.

    What `check_outflow` allows in closed form: all that equity has above what must stay. A unit of
    collateral carries at most its price after the haircut of it.
    """
    if check_marks(state, account) != Code.APPLIED:
        return 0
    equity, initial, _, gross, valid = measure(state, account, NO_DRAFT)
    kept, fits = outflow_margin(initial, gross, state.params[0].transfer_margin_ppm)
    if not (valid and fits):
        return 0
    spare = equity - kept
    if asset == SETTLEMENT_ASSET:
        # Cash does not leave on the credit of collateral.
        value, _, _ = collateral_value(state, account)
        return min(spare, equity - value, custody_of(state, asset))
    held = min(units_held(account, asset), custody_of(state, asset))
    if account.position_count == 0:
        return held
    row = state.assets[asset]
    units, fits = triple_floor(
        spare - ROUNDING, PRICED_UNITS, PPM, row.price, PPM - row.haircut_ppm
    )
    return min(held, units) if fits else held


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
