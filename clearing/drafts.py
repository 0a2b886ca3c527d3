"""Drafts: an action works on copies and commits at its end, so nothing half-applied can exist.

Most actions change at most two accounts and one market: draft rows 0 and 1, instrument draft 0.
What changes more opens its drafts one by one (`open_account`, `open_instrument`) and commits them
all at once. Funds, assets and pools are few and are drafted whole. A commit first proves that the
action created and destroyed nothing.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.lookup import lots_of
from clearing.records import Instrument, State

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
def begin_drafts(state: State) -> None:
    """Begin an action that opens its drafts one by one: none is open, funds are drafted."""
    state.scratch[0].account_draft_count = 0
    state.scratch[0].instrument_draft_count = 0
    draft_funds(state)


@law
def open_account(state: State, row: int) -> int:
    """Return the draft of the account in `row`, opening it if it is not open yet."""
    scratch = state.scratch[0]
    for draft in range(scratch.account_draft_count):
        if state.account_draft_rows[draft] == row:
            return draft
    draft = scratch.account_draft_count
    scratch.account_draft_count = draft + 1
    state.account_draft_rows[draft] = row
    state.account_drafts[draft] = state.accounts[row]
    return draft


@law
def open_instrument(state: State, row: int) -> int:
    """Return the draft of the instrument in `row`, opening it if it is not open yet."""
    scratch = state.scratch[0]
    for draft in range(scratch.instrument_draft_count):
        if state.instrument_draft_rows[draft] == row:
            return draft
    draft = scratch.instrument_draft_count
    scratch.instrument_draft_count = draft + 1
    state.instrument_draft_rows[draft] = row
    state.instrument_drafts[draft] = state.instruments[row]
    return draft


@law
def commit_drafts(state: State, custody_delta: int) -> int:
    """Commit every open account and instrument draft, and the funds.

    Proves that cash + pots + funds changed by `custody_delta` (what entered or left custody), and
    that the lots of each open market are what they were. Returns INVARIANT, with nothing changed,
    if not.
    """
    scratch = state.scratch[0]
    totals = state.globals[0]
    cash_delta = 0
    for draft in range(scratch.account_draft_count):
        row = state.account_draft_rows[draft]
        cash_delta += state.account_drafts[draft].cash - state.accounts[row].cash
    pot_delta = 0
    for draft in range(scratch.instrument_draft_count):
        row = state.instrument_draft_rows[draft]
        pot_delta += value_held(state.instrument_drafts[draft]) - value_held(state.instruments[row])
        if not lots_kept(state, draft, row):
            return Code.INVARIANT
        if state.instrument_drafts[draft].open_interest < 0:
            return Code.INVARIANT
    fund_delta = 0
    for i in range(totals.fund_count):
        if state.fund_drafts[i].balance < 0:
            return Code.INVARIANT
        fund_delta += state.fund_drafts[i].balance - state.funds[i].balance
    if cash_delta + pot_delta + fund_delta != custody_delta:
        return Code.INVARIANT
    cash_total = totals.cash_total + cash_delta
    pot_total = totals.pot_total + pot_delta
    custody = totals.custody + custody_delta
    totals.cash_total = cash_total
    totals.pot_total = pot_total
    totals.custody = custody
    for draft in range(scratch.account_draft_count):
        store_account(state, draft, state.account_draft_rows[draft])
    for draft in range(scratch.instrument_draft_count):
        store_instrument_draft(state, draft, state.instrument_draft_rows[draft])
    store_funds(state)
    return Code.APPLIED


@law
def value_held(instrument: Instrument) -> int:
    """Return the micro-quote that the market itself holds: its pot of what is settled lazily."""
    return instrument.pot


@law
def lots_kept(state: State, place: int, market: int) -> bool:
    """Tell whether the open account drafts hold as many lots of the market as before.

    The market is instrument draft `place` of row `market`. What settlement closed counts as held:
    its other side is still to be closed.
    """
    instrument = state.instrument_drafts[place].id
    before = state.instruments[market].settled_lots
    after = state.instrument_drafts[place].settled_lots
    for draft in range(state.scratch[0].account_draft_count):
        row = state.account_draft_rows[draft]
        before += lots_of(state.accounts[row], instrument)
        after += lots_of(state.account_drafts[draft], instrument)
    return before == after


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
    """Write the instrument draft 0 back and note that the instrument was touched."""
    store_instrument_draft(state, 0, row)


@law
def store_instrument_draft(state: State, draft: int, row: int) -> None:
    """Write an instrument draft back and note that the instrument was touched."""
    state.instruments[row] = state.instrument_drafts[draft]
    scratch = state.scratch[0]
    state.touched_instruments[scratch.touched_instruments] = state.instrument_drafts[draft].id
    scratch.touched_instruments += 1


@law
def draft_underlying(state: State, row: int) -> None:
    """Copy an underlying into the draft."""
    state.underlying_drafts[0] = state.underlyings[row]


@law
def store_underlying(state: State, row: int) -> None:
    """Write the underlying draft back and note that it was touched."""
    state.underlyings[row] = state.underlying_drafts[0]
    scratch = state.scratch[0]
    state.touched_underlyings[scratch.touched_underlyings] = state.underlying_drafts[0].id
    scratch.touched_underlyings += 1


@law
def draft_assets(state: State) -> None:
    """Copy every asset into the drafts."""
    for i in range(state.globals[0].asset_count):
        state.asset_drafts[i] = state.assets[i]


@law
def store_assets(state: State) -> None:
    """Write the asset drafts back; the scratch record notes it."""
    for i in range(state.globals[0].asset_count):
        state.assets[i] = state.asset_drafts[i]
    state.scratch[0].touched_assets += 1


@law
def draft_pools(state: State) -> None:
    """Copy every pool into the drafts."""
    for i in range(state.globals[0].pool_count):
        state.pool_drafts[i] = state.pools[i]


@law
def store_pools(state: State) -> None:
    """Write the pool drafts back; the scratch record notes it."""
    for i in range(state.globals[0].pool_count):
        state.pools[i] = state.pool_drafts[i]
    state.scratch[0].touched_pools += 1


@law
def store_params(state: State) -> None:
    """Write the params draft back; the scratch record notes it."""
    state.params[0] = state.params_draft[0]
    state.scratch[0].touched_params += 1


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
