"""Liquidate: a keeper takes lots of a failing account at mark, and is paid a penalty for it.

A liquidation is legal if
1. the keeper's owner (or session key) signed it, unexpired, with a request sequence above the last;
2. the market is not closed and no sweep is open over it, its mark price counts for margin, no gap
   is being auctioned, and people had time to answer after an outage;
3. the account's equity is below its maintenance margin and it holds the instrument;
4. no more lots move than restore maintenance plus the buffer (closed form), and the account is no
   further from its maintenance margin afterwards;
5. the keeper's own account makes a legal transition, and the limit of the session key that signed
   suffices for what he opens at mark.
Penalty and insurance fee come out of equity that stays above zero: of a bankrupt account lots move
at mark, and what more its takers are paid its auction decides, so nobody can turn his own failure
into a reward from the fund. An account left without positions and with a debt is paid by insurance
on the market's tranche.
"""

from clearing.actions.close_position import fill_offer
from clearing.authority import check_request
from clearing.codes import Code, Fund, Mode, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, begin_drafts, open_account, open_instrument
from clearing.failure import check_relief, commit_failure, move_leg, penalty_rate_ppm
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of
from clearing.margin import NO_DRAFT, check_transition, liquidation_lots, measure
from clearing.marks import mark_price
from clearing.orders import spend_opened
from clearing.price_gates import check_liquidating
from clearing.records import Account, Action, Instrument, State
from clearing.units import PPM
from clearing.valuation import is_plain
from clearing.waterfall import lots_to_close, partial_fraction
from clearing.wide import mul_div_ceil, mul_div_floor


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
    code, place = check_request(
        state, state.accounts[keeper_row], action, signers, Scope.KEEPER, action.instrument
    )
    if code != Code.APPLIED:
        return code
    return take_failing(state, action, keeper_row, failing_row, instrument_row, place)


@law
def take_failing(
    state: State,
    action: Action,
    keeper_row: int,
    failing_row: int,
    instrument_row: int,
    place: int,
) -> int:
    """Judge a liquidation whose keeper may act, signed or forced in by the base layer; apply it.

    `place` is that of the key whose limit pays for what the keeper opens, or OWNER_KEY.
    Of a healthy account it may fill a forced close.
    """
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
    equity, _, maintenance, gross, valid = measure(state, failing, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    if equity >= maintenance:
        return fill_offer(state, action, keeper_row, failing_row, instrument_row, place)
    penalty_ppm = penalty_rate_ppm(state, instrument, held)
    cost_ppm = penalty_ppm + state.params[0].insurance_fee_ppm
    most = lots_to_move(state, failing, instrument, (equity, maintenance, gross), cost_ppm)
    lots = min(action.lots, most)
    signed_lots = lots if held > 0 else -lots
    begin_drafts(state)
    rows = keeper_row, failing_row, instrument_row
    code = take_over(state, action, rows, (equity, maintenance), signed_lots, penalty_ppm)
    if code != Code.APPLIED:
        return code
    keeper = state.account_drafts[FIRST]
    mark = mark_price(state, instrument)
    if not spend_opened(keeper, place, instrument.id, signed_lots, mark):
        return Code.KEY_CAP
    return commit_failure(state)


@law
def lots_to_move(
    state: State,
    failing: Account,
    instrument: Instrument,
    measured: tuple[int, int, int],
    cost_ppm: int,
) -> int:
    """Return the most lots that may move from an account of (equity, maintenance, gross).

    A linear position that is margined by itself has a closed form. Elsewhere the fraction of the
    whole account that heals it is taken of this leg, and one lot more, because lots are whole.
    """
    equity, maintenance, gross = measured
    params = state.params[0]
    held = lots_of(failing, instrument.id)
    if failing.mode != Mode.PORTFOLIO and is_plain(instrument):
        return liquidation_lots(
            equity,
            maintenance,
            instrument.mark_price,
            params.tiers[instrument.tier].maintenance_ppm,
            params.liquidation_buffer_ppm,
            cost_ppm,
            abs(held),
        )
    close_cost, _ = mul_div_ceil(gross, cost_ppm, PPM)
    fraction_ppm, _, _ = partial_fraction(
        equity, maintenance, params.liquidation_buffer_ppm, close_cost
    )
    return min(abs(held), abs(lots_to_close(held, fraction_ppm)) + 1)


@law
def take_over(
    state: State,
    action: Action,
    rows: tuple[int, int, int],
    measured: tuple[int, int],
    signed_lots: int,
    penalty_ppm: int,
) -> int:
    """Move the lots on drafts, charge penalty and fee, judge both accounts.

    `rows` are those of keeper, failing account and market, `measured` is (equity, maintenance).
    """
    keeper_row, failing_row, instrument_row = rows
    keeper = state.account_drafts[open_account(state, keeper_row)]
    failing = state.account_drafts[open_account(state, failing_row)]
    instrument = state.instrument_drafts[open_instrument(state, instrument_row)]
    held = lots_of(keeper, instrument.id)
    keeper.request_sequence = max(keeper.request_sequence, action.sequence)
    equity, maintenance = measured
    code = move_leg(state, keeper, failing, instrument, signed_lots)
    if code != Code.APPLIED:
        return code
    value, fits = mul_div_floor(abs(signed_lots), mark_price(state, instrument), 1)
    if not fits:
        return Code.INVARIANT
    penalty, fee = penalty_and_fee(equity, value, penalty_ppm, state.params[0].insurance_fee_ppm)
    failing.cash -= penalty + fee
    keeper.cash += penalty
    state.fund_drafts[Fund.INSURANCE].balance += fee
    code = check_relief(state, failing, equity, maintenance)
    if code != Code.APPLIED:
        return code
    return check_transition(state, state.accounts[keeper_row], keeper, held, held + signed_lots)


@law
def penalty_and_fee(equity: int, value: int, penalty_ppm: int, fee_ppm: int) -> tuple[int, int]:
    """Return (keeper's penalty rounded up, insurance fee rounded down) on the value closed.

    Both come out of equity that stays above zero, the penalty first. The penalty is one rounding
    for all lots, so that cheap lots are not overcharged.
    """
    penalty, _ = mul_div_ceil(value, penalty_ppm, PPM)
    penalty = max(0, min(penalty, equity))
    fee, _ = mul_div_floor(value, fee_ppm, PPM)
    return penalty, max(0, min(fee, equity - penalty))
