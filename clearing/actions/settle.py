"""Settle: one account's position in an expired market becomes cash.

Anyone may send it, for any account that holds the market, once the market settles and no sweep goes
over it. The account is paid lots * settlement price (a short pays it), which is what the position
was worth already, so no margin is judged. The market's pot stands between the two sides until both
are closed; the last one closes the market, and what roundings left in the pot goes to dust. What an
account is then left flat with and owes is paid by insurance on the market's tranche.
"""

from clearing.codes import Code, Fund, InstrumentStatus, Operation
from clearing.compiler import law
from clearing.drafts import begin_drafts, open_account, open_instrument
from clearing.failure import commit_failure, cover_debt
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of
from clearing.margin import measure
from clearing.positions import move_lots
from clearing.records import Action, Instrument, State
from clearing.units import AMOUNT_MAX
from clearing.wide import mul_div_floor


@law
def settle(state: State, action: Action) -> int:
    """Judge one settlement and apply it."""
    account_row = find_account(state, action.account)
    if account_row == ABSENT:
        return Code.NO_ACCOUNT
    instrument_row = find_instrument(state, action.instrument)
    if instrument_row == ABSENT:
        return Code.NO_INSTRUMENT
    if account_row < 0 or instrument_row < 0:
        return Code.INVARIANT
    instrument = state.instruments[instrument_row]
    if instrument.status != InstrumentStatus.SETTLING:
        return Code.INSTRUMENT_STATUS
    if instrument.operation != Operation.NONE:
        return Code.OPERATION_OPEN
    held = lots_of(state.accounts[account_row], instrument.id)
    if held == 0:
        return Code.NO_POSITION
    paid, fits = mul_div_floor(held, instrument.settle_price, 1)
    # Beyond what the house can hold nobody can be paid; others must not be stopped by it.
    if not fits or abs(paid) > AMOUNT_MAX:
        return Code.CASH_BOUND
    begin_drafts(state)
    account = state.account_drafts[open_account(state, account_row)]
    draft = state.instrument_drafts[open_instrument(state, instrument_row)]
    if abs(account.cash + paid) > 2 * AMOUNT_MAX:
        return Code.CASH_BOUND
    if not move_lots(account, draft, -held, draft.settle_price):
        return Code.INVARIANT
    draft.pot -= paid
    draft.settled_lots += held
    draft.open_interest -= max(held, 0)
    if account.position_count == 0:
        equity, _, _, _, valid = measure(state, account, 1)
        if not valid:
            return Code.INVARIANT
        if equity < 0:
            cover_debt(state, account, -equity)
    if draft.open_interest == 0 and draft.settled_lots == 0:
        close_market(state, draft)
    return commit_failure(state)


@law
def close_market(state: State, instrument: Instrument) -> None:
    """Close a market's draft after its last position, its pot to dust."""
    instrument.status = InstrumentStatus.CLOSED
    instrument.variation_pot = 0
    # A debt of the pot would be the house's: roundings favour it, so there is none to move.
    if instrument.pot > 0:
        state.fund_drafts[Fund.DUST].balance += instrument.pot
        instrument.pot = 0
