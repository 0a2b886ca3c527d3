"""Sweep close: a sweep that is done, or that nobody drives, gives its market free again.

Anyone may send it. It is legal if
1. a sweep over the market for the account is open;
2. it is applied whole, or its deadline passed before it was tallied whole: then nothing was done.
What a flat account still owes after deleverage is paid by insurance as far as that goes, and else
stands as the market's debt. What it owes after socialise nobody in the market can pay: beyond the
tolerated deficit the law halts, because claims then exceed what the house holds.
"""

from clearing.codes import Code, Operation, Phase, Status
from clearing.compiler import law
from clearing.drafts import begin_drafts, open_account, open_instrument
from clearing.failure import clear_operation, commit_failure, cover_debt, is_swept
from clearing.lookup import ABSENT, find_account, find_instrument, is_zero
from clearing.margin import measure
from clearing.records import Action, Instrument, State


@law
def sweep_close(state: State, action: Action) -> int:
    """Judge the closing of a sweep and apply it."""
    account_row = find_account(state, action.account)
    if account_row == ABSENT:
        return Code.NO_ACCOUNT
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if account_row < 0 or row < 0:
        return Code.INVARIANT
    market = state.instruments[row]
    operation = market.operation
    if not is_swept(market) or market.bankrupt != action.account:
        return Code.NO_OPERATION
    done = is_done(market)
    if not done and (market.phase == Phase.APPLY or state.globals[0].clock <= market.deadline):
        return Code.OPERATION_PHASE
    begin_drafts(state)
    instrument = state.instrument_drafts[open_instrument(state, row)]
    account = state.account_drafts[open_account(state, account_row)]
    clear_operation(instrument)
    equity, _, maintenance, _, valid = measure(state, account, 1)
    if not valid:
        return Code.INVARIANT
    if equity >= maintenance:
        account.auction_time = 0
    elif done and operation == Operation.DELEVERAGE and account.position_count == 0:
        cover_debt(state, account, -equity)
    code = commit_failure(state)
    if code != Code.APPLIED:
        return code
    unpaid = -equity if done and operation == Operation.SOCIALISE else 0
    if unpaid > state.params[0].deficit_tranche:
        state.globals[0].status = Status.HALTED
    return Code.APPLIED


@law
def is_done(market: Instrument) -> bool:
    """Tell whether all who were tallied bore their shares."""
    return market.phase == Phase.APPLY and is_zero(market.chunks)
