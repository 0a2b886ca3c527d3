"""Liquidate: a keeper takes lots of a failing account at mark less a penalty.

A liquidation is legal if
1. the keeper's owner (or session key) signed it, unexpired, with a request sequence above the last;
2. the market is not closed, its mark price counts for margin, no gap is being auctioned, and
   people had time to answer after an outage;
3. the account's equity is below its maintenance margin and it holds the instrument;
4. no more lots move than restore maintenance plus the buffer (closed form);
5. the keeper's own account makes a legal transition.
The failing account pays an insurance fee from equity that stays above zero. If it is left without
positions and with negative cash, the insurance fund pays as far as it goes.
"""

from clearing.authority import check_request
from clearing.caps import open_interest_after, position_fits
from clearing.codes import Code, Fund, Scope
from clearing.compiler import law
from clearing.drafts import (
    FIRST,
    SECOND,
    commit_novation,
    draft_account,
    draft_funds,
    draft_instrument,
)
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of
from clearing.margin import NO_DRAFT, check_transition, liquidation_lots, measure
from clearing.marks import mark_price
from clearing.positions import move_lots
from clearing.price_gates import check_liquidating
from clearing.records import Account, Action, Instrument, State
from clearing.units import PPM
from clearing.wide import mul_div_ceil, mul_div_floor

KEEPER = FIRST
FAILING = SECOND


@law
def liquidate(state: State, action: Action, signers: Grid) -> int:
    """Judge one liquidation and apply it."""
    keeper_row = find_account(state, action.account)
    failing_row = find_account(state, action.counterparty)
    if keeper_row == ABSENT or failing_row == ABSENT:
        return Code.NO_ACCOUNT
    instrument_row = find_instrument(state, action.instrument)
    if instrument_row == ABSENT:
        return Code.NO_INSTRUMENT
    if keeper_row < 0 or failing_row < 0 or instrument_row < 0:
        return Code.INVARIANT
    code, _ = check_request(
        state, state.accounts[keeper_row], action, signers, Scope.KEEPER, action.instrument
    )
    if code != Code.APPLIED:
        return code
    if keeper_row == failing_row:
        return Code.SELF_TRADE
    instrument = state.instruments[instrument_row]
    code = check_liquidating(state, instrument)
    if code != Code.APPLIED:
        return code
    failing = state.accounts[failing_row]
    held = lots_of(failing, action.instrument)
    if held == 0:
        return Code.NO_POSITION
    equity, _, maintenance, _, valid = measure(state, failing, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    if equity >= maintenance:
        return Code.HEALTHY
    lots = min(action.lots, lots_to_move(state, instrument, equity, maintenance, abs(held)))
    signed_lots = lots if held > 0 else -lots
    return take_over(state, action, keeper_row, failing_row, instrument_row, signed_lots)


@law
def lots_to_move(
    state: State, instrument: Instrument, equity: int, maintenance: int, held: int
) -> int:
    """Return the largest number of lots that may move from the failing account."""
    params = state.params[0]
    return liquidation_lots(
        equity,
        maintenance,
        mark_price(state, instrument),
        params.tiers[instrument.tier].maintenance_ppm,
        params.liquidation_buffer_ppm,
        params.liquidation_penalty_ppm + params.insurance_fee_ppm,
        held,
    )


@law
def liquidation_price(mark: int, penalty_ppm: int, signed_lots: int) -> int:
    """Return mark less the penalty for a long (at least 1), plus it for a short."""
    penalty, _ = mul_div_ceil(mark, penalty_ppm, PPM)
    return max(1, mark - penalty) if signed_lots > 0 else mark + penalty


@law
def take_over(
    state: State,
    action: Action,
    keeper_row: int,
    failing_row: int,
    instrument_row: int,
    signed_lots: int,
) -> int:
    """Move the lots on drafts, charge the insurance fee, cover a deficit, judge the keeper."""
    draft_account(state, KEEPER, keeper_row)
    draft_account(state, FAILING, failing_row)
    draft_instrument(state, instrument_row)
    draft_funds(state)
    keeper = state.account_drafts[KEEPER]
    failing = state.account_drafts[FAILING]
    instrument = state.instrument_drafts[0]
    held = lots_of(keeper, instrument.id)
    if not position_fits(state, keeper, instrument, signed_lots):
        return Code.POSITION_CAP
    instrument.open_interest = open_interest_after(instrument, keeper, failing, signed_lots)
    penalty_ppm = state.params[0].liquidation_penalty_ppm
    price = liquidation_price(mark_price(state, instrument), penalty_ppm, signed_lots)
    keeper.request_sequence = action.sequence
    if not move_lots(failing, instrument, -signed_lots, price):
        return Code.INVARIANT
    if not move_lots(keeper, instrument, signed_lots, price):
        return Code.INVARIANT
    if not settle_failure(state, failing, instrument, abs(signed_lots)):
        return Code.INVARIANT
    code = check_transition(state, state.accounts[keeper_row], keeper, held, held + signed_lots)
    if code != Code.APPLIED:
        return code
    return commit_novation(state, keeper_row, failing_row, instrument_row)


@law
def settle_failure(state: State, failing: Account, instrument: Instrument, lots: int) -> bool:
    """Charge the insurance fee out of equity above zero; cover what a flat account still owes."""
    equity, _, _, _, valid = measure(state, failing, 1)
    if not valid:
        return False
    insurance = state.fund_drafts[Fund.INSURANCE]
    value, fits = mul_div_floor(lots, mark_price(state, instrument), 1)
    if not fits:
        return False
    fee, _ = mul_div_floor(value, state.params[0].insurance_fee_ppm, PPM)
    charged = max(0, min(fee, equity))
    failing.cash -= charged
    insurance.balance += charged
    if failing.position_count == 0 and failing.cash < 0:
        covered = min(-failing.cash, insurance.balance)
        failing.cash += covered
        insurance.balance -= covered
    return True
