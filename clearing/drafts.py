"""Drafts: an action works on copies and commits at its end, so nothing half-applied can exist.

Draft rows: accounts 0 and 1 (an action changes at most two), instrument 0, every fund. A commit
first proves that the action created and destroyed nothing.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.lookup import lots_of
from clearing.records import State

FIRST = 0
SECOND = 1


@law
def draft_account(state: State, draft: int, row: int) -> None:
    """Copy an account into a draft."""
    state.account_drafts[draft] = state.accounts[row]


@law
def draft_instrument(state: State, row: int) -> None:
    """Copy an instrument into the draft."""
    state.instrument_drafts[0] = state.instruments[row]


@law
def draft_funds(state: State) -> None:
    """Copy every fund into the drafts."""
    for i in range(state.globals[0].fund_count):
        state.fund_drafts[i] = state.funds[i]


@law
def commit_account(state: State, row: int, custody_delta: int) -> int:
    """Commit account draft 0. `custody_delta` is what entered (left) custody. See `commit`."""
    account = state.account_drafts[FIRST]
    cash_delta = account.cash - state.accounts[row].cash
    if cash_delta != custody_delta:
        return Code.INVARIANT
    totals = state.globals[0]
    cash_total = totals.cash_total + cash_delta
    custody = totals.custody + custody_delta
    totals.cash_total = cash_total
    totals.custody = custody
    store_account(state, FIRST, row)
    return Code.APPLIED


@law
def commit_pair(state: State, first_row: int, second_row: int) -> int:
    """Commit both account drafts after a transfer of cash between them."""
    first = state.account_drafts[FIRST].cash - state.accounts[first_row].cash
    second = state.account_drafts[SECOND].cash - state.accounts[second_row].cash
    if first + second != 0:
        return Code.INVARIANT
    store_account(state, FIRST, first_row)
    store_account(state, SECOND, second_row)
    return Code.APPLIED


@law
def commit_novation(state: State, first_row: int, second_row: int, instrument_row: int) -> int:
    """Commit both accounts, the instrument and the funds after lots have moved.

    Proves that value is conserved (cash + pots + funds) and that the lots of both sides sum to
    what they summed to before. Returns INVARIANT, with nothing changed, if not.
    """
    totals = state.globals[0]
    instrument = state.instrument_drafts[0]
    first_old = state.accounts[first_row]
    second_old = state.accounts[second_row]
    first_new = state.account_drafts[FIRST]
    second_new = state.account_drafts[SECOND]
    cash_delta = first_new.cash - first_old.cash + second_new.cash - second_old.cash
    pot_delta = instrument.pot - state.instruments[instrument_row].pot
    fund_delta = 0
    for i in range(totals.fund_count):
        if state.fund_drafts[i].balance < 0:
            return Code.INVARIANT
        fund_delta += state.fund_drafts[i].balance - state.funds[i].balance
    if cash_delta + pot_delta + fund_delta != 0:
        return Code.INVARIANT
    before = lots_of(first_old, instrument.id) + lots_of(second_old, instrument.id)
    after = lots_of(first_new, instrument.id) + lots_of(second_new, instrument.id)
    if before != after or instrument.open_interest < 0:
        return Code.INVARIANT
    cash_total = totals.cash_total + cash_delta
    pot_total = totals.pot_total + pot_delta
    totals.cash_total = cash_total
    totals.pot_total = pot_total
    store_account(state, FIRST, first_row)
    store_account(state, SECOND, second_row)
    store_instrument(state, instrument_row)
    store_funds(state)
    return Code.APPLIED


@law
def store_account(state: State, draft: int, row: int) -> None:
    """Write an account draft back and note that the account was touched."""
    state.accounts[row] = state.account_drafts[draft]
    touch_account(state, state.account_drafts[draft].id)


@law
def store_instrument(state: State, row: int) -> None:
    """Write the instrument draft back and note that the instrument was touched."""
    state.instruments[row] = state.instrument_drafts[0]
    scratch = state.scratch[0]
    state.touched_instruments[scratch.touched_instruments] = state.instrument_drafts[0].id
    scratch.touched_instruments += 1


@law
def store_funds(state: State) -> None:
    """Write the fund drafts back; the scratch record notes that some changed."""
    for i in range(state.globals[0].fund_count):
        if state.funds[i].balance != state.fund_drafts[i].balance:
            state.funds[i] = state.fund_drafts[i]
            state.scratch[0].touched_funds += 1


@law
def touch_account(state: State, id: int) -> None:
    """Note that an account's leaf changed in this step (repeats are harmless)."""
    scratch = state.scratch[0]
    state.touched_accounts[scratch.touched_accounts] = id
    scratch.touched_accounts += 1
