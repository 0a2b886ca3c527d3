"""Sweep open: a market begins to share out what a bankrupt account cannot bear.

Anyone may send it. It is legal if
1. no sweep is open over the market, and (unless it settles) it may be liquidated in;
2. the account is bankrupt: with funding settled its equity is below zero;
3. deleverage: it holds the market, and its auction is past the fast part; socialise: it holds no
   position, and owes a debt that was left in this market;
4. it holds no collateral that can be sold.
The market's tranche of insurance pays first. Deleverage then closes all lots of the account against
holders of the other side at the mark of this moment, who pay the market's share of the debt: the
part of maintenance margin that the position needs, all of it if it is the last one. Socialise
shares the debt over all unrealised profit in the market; if insurance paid it all no sweep opens.
"""

from clearing.codes import Code, InstrumentStatus, Operation, Phase
from clearing.compiler import law
from clearing.drafts import begin_drafts, draft_account, open_account, open_instrument
from clearing.failure import begin_tally, commit_failure, draw_insurance, has_collateral
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of
from clearing.margin import NO_DRAFT, measure
from clearing.marks import mark_price
from clearing.positions import move_lots
from clearing.price_gates import check_liquidating
from clearing.records import Account, Action, Instrument, State
from clearing.shares import portion

WITHOUT_LEG = 2  # the account draft that shows what the margin would be without the position


@law
def sweep_open(state: State, action: Action) -> int:
    """Judge the opening of a sweep and apply it."""
    account_row = find_account(state, action.account)
    if account_row == ABSENT:
        return Code.NO_ACCOUNT
    instrument_row = find_instrument(state, action.instrument)
    if instrument_row == ABSENT:
        return Code.NO_INSTRUMENT
    if account_row < 0 or instrument_row < 0:
        return Code.INVARIANT
    instrument = state.instruments[instrument_row]
    account = state.accounts[account_row]
    if instrument.operation != Operation.NONE:
        return Code.OPERATION_OPEN
    if action.mode == Operation.DELEVERAGE or instrument.status < InstrumentStatus.SETTLING:
        code = check_liquidating(state, instrument)
        if code != Code.APPLIED:
            return code
    if action.mode == Operation.DELEVERAGE and lots_of(account, instrument.id) == 0:
        return Code.NO_POSITION
    equity, _, maintenance, _, valid = measure(state, account, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    if equity >= 0:
        return Code.NOT_BANKRUPT
    if not is_due(state, account, instrument, action.mode):
        return Code.WATERFALL_ORDER
    debt = min(-equity, instrument.debt)
    if action.mode == Operation.DELEVERAGE:
        debt = share_of_debt(state, account_row, instrument_row, equity, maintenance)
    if debt < 0:
        return Code.INVARIANT
    begin_drafts(state)
    draft = state.instrument_drafts[open_instrument(state, instrument_row)]
    bankrupt = state.account_drafts[open_account(state, account_row)]
    paid = draw_insurance(state, draft, debt)
    bankrupt.cash += paid
    begin_sweep(state, draft, bankrupt, action.mode, debt - paid)
    if action.mode == Operation.SOCIALISE:
        draft.debt -= paid
    return commit_failure(state)


@law
def is_due(state: State, account: Account, instrument: Instrument, mode: int) -> bool:
    """Tell whether all earlier steps of the waterfall were taken; see the module."""
    if has_collateral(state, account):
        return False
    if mode == Operation.SOCIALISE:
        return account.position_count == 0 and instrument.debt > 0
    age = state.globals[0].clock - account.auction_time
    return account.auction_time != 0 and age >= state.params[0].auction_fast_ms


@law
def share_of_debt(
    state: State, account_row: int, instrument_row: int, equity: int, maintenance: int
) -> int:
    """Return the part of a bankrupt account's debt that falls on one market, rounded down.

    The part of its maintenance margin that closing the position frees; all of it if that is its
    last position. -1 if a number leaves 64 bits.
    """
    if state.accounts[account_row].position_count == 1:
        return -equity
    begin_drafts(state)
    draft_account(state, WITHOUT_LEG, account_row)
    account = state.account_drafts[WITHOUT_LEG]
    instrument = state.instrument_drafts[open_instrument(state, instrument_row)]
    lots = lots_of(account, instrument.id)
    if not move_lots(account, instrument, -lots, mark_price(state, instrument)):
        return -1
    _, _, without, _, valid = measure(state, account, 1)
    if not valid:
        return -1
    return portion(-equity, max(0, maintenance - without), maintenance)


@law
def begin_sweep(
    state: State, instrument: Instrument, bankrupt: Account, mode: int, debt: int
) -> None:
    """Note the sweep in its market; nothing is left to tally where nobody holds it."""
    if mode == Operation.SOCIALISE and debt == 0:
        return
    lots = lots_of(bankrupt, instrument.id)
    instrument.operation = mode
    instrument.phase = Phase.TALLY if instrument.open_interest > 0 else Phase.APPLY
    instrument.deadline = state.globals[0].clock + state.params[0].auction_fast_ms
    instrument.bankrupt = bankrupt.id
    instrument.price = mark_price(state, instrument)
    begin_tally(state, instrument)
    if mode == Operation.DELEVERAGE:
        instrument.total = abs(lots)
        instrument.side = -1 if lots > 0 else 1
        instrument.spare = debt
    else:
        instrument.total = debt
        instrument.side = 1
        instrument.spare = 0
