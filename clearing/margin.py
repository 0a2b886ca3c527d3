"""Margin: equity, initial and maintenance margin in each mode, and the legal-transition rule.

Formulas: docs/protocol.md, section 8. Cross and isolated accounts need a sum over positions,
portfolio accounts what their positions may lose together. Initial margin scales with the market's
open interest, maintenance never does: growth of the market stops openings but liquidates nobody.
"""

from clearing.charges import REQUIREMENT_MAX, capped_sum
from clearing.codes import Code, Mode
from clearing.compiler import law
from clearing.lookup import draft_of, find_instrument
from clearing.oracle import Use
from clearing.owner_groups import is_held
from clearing.portfolio_account import portfolio_terms
from clearing.price_gates import allows, price_doubts
from clearing.records import Account, State
from clearing.units import PPM
from clearing.valuation import (
    collateral_value,
    initial_fraction_ppm,
    is_plain,
    position_terms,
    special_terms,
    stable_reduction,
    trusted,
)
from clearing.wide import mul_div_ceil, product_at_least

NO_DRAFT = 0


@law
def measure(state: State, account: Account, drafted: int) -> tuple[int, int, int, int, bool]:
    """Return (equity, initial margin, maintenance margin, gross notional, valid) in micro-quote.

    Equity holds pending funding and collateral. The first `drafted` rows of
    `state.instrument_drafts` stand for their instruments; NO_DRAFT: none. Not valid if a number
    leaves 64 bits or a witness lacks an instrument or an underlying.
    """
    if account.mode == Mode.PORTFOLIO:
        terms = portfolio_terms(state, account, drafted)
    else:
        terms = standard_terms(state, account, drafted)
    worth, unrealised, reduction, initial, maintenance, gross, valid = terms
    if not valid:
        return 0, 0, 0, 0, False
    equity, initial, valid = complete(state, account, worth, unrealised, reduction, initial)
    if not valid:
        return 0, 0, 0, 0, False
    return equity, initial, maintenance, gross, True


@law
def standard_terms(
    state: State, account: Account, drafted: int
) -> tuple[int, int, int, int, int, int, bool]:
    """Return (worth, unrealised profit, reduction, initial, maintenance, gross, valid) of a cross
    or isolated account: sums over its positions."""
    worth = 0
    cost = 0
    reduction = 0
    initial = 0
    maintenance = 0
    gross = 0
    for i in range(account.position_count):
        position = account.positions[i]
        draft = draft_of(state, position.instrument, drafted)
        if draft >= 0:
            instrument = state.instrument_drafts[draft]
        else:
            row = find_instrument(state, position.instrument)
            if row < 0:
                return 0, 0, 0, 0, 0, 0, False
            instrument = state.instruments[row]
        if is_plain(instrument):
            tier = state.params[0].tiers[instrument.tier]
            fraction = initial_fraction_ppm(tier, instrument.open_interest, instrument.mark_price)
            part, initial_part, maintenance_part, notional, fits = position_terms(
                position, instrument, fraction, tier.maintenance_ppm
            )
            cost += position.entry_cost
            reduction += stable_reduction(
                position.lots, instrument.mark_price, instrument.stable_price
            )
        else:
            part, spent, initial_part, maintenance_part, notional, fits = special_terms(
                state, position, instrument
            )
            cost += spent
        if not fits:
            return 0, 0, 0, 0, 0, 0, False
        worth += part
        initial += initial_part
        maintenance += maintenance_part
        gross += notional
    return worth, worth - cost, reduction, initial, maintenance, gross, True


@law
def complete(
    state: State, account: Account, worth: int, unrealised: int, reduction: int, initial: int
) -> tuple[int, int, bool]:
    """Return (equity, initial margin, valid) from the sums over an account's positions.

    Adds cash and collateral to what positions are worth, and to initial margin whatever of that
    equity it does not trust, and what an order in a call may need.
    """
    initial = trusted(state, account, initial, unrealised, reduction)
    if account.call_until > state.globals[0].clock:
        initial = capped_sum(min(initial, REQUIREMENT_MAX), account.call_margin)
    equity = account.cash + worth
    if account.collateral_count > 0:
        value, initial_value, valid = collateral_value(state, account)
        if not valid:
            return 0, 0, False
        equity += value
        initial = capped_sum(min(initial, REQUIREMENT_MAX), value - initial_value)
    return equity, initial, True


@law
def is_improvement(
    old_equity: int, old_maintenance: int, new_equity: int, new_maintenance: int
) -> bool:
    """Tell whether an account below initial margin became no worse.

    Maintenance must not grow and equity over maintenance must not fall, compared by
    cross-multiplication; an account without maintenance must gain equity.
    """
    if new_maintenance > old_maintenance:
        return False
    if old_maintenance == 0:
        return new_equity > old_equity
    return product_at_least(new_equity, old_maintenance, old_equity, new_maintenance)


@law
def grows(old_lots: int, new_lots: int) -> bool:
    """Tell whether a position grew or flipped."""
    return abs(new_lots) > abs(old_lots) or (old_lots > 0 > new_lots) or (old_lots < 0 < new_lots)


@law
def is_legal(
    mode: int,
    grown: bool,
    old: tuple[int, int, int],
    new: tuple[int, int, int],
) -> bool:
    """Tell whether an account may go from `old` to `new` (equity, initial, maintenance).

    Legal if (a) equity covers initial margin, or (b) it is an improvement and no position grew or
    flipped; a portfolio account may grow one if both margins strictly fall.
    """
    equity, initial, maintenance = new
    old_equity, old_initial, old_maintenance = old
    if equity >= initial:
        return True
    hedged = mode == Mode.PORTFOLIO and initial < old_initial and maintenance < old_maintenance
    if grown and not hedged:
        return False
    return is_improvement(old_equity, old_maintenance, equity, maintenance)


@law
def check_transition(
    state: State,
    before: Account,
    after: Account,
    old_lots: int,
    new_lots: int,
) -> int:
    """Return APPLIED if the account's change in one instrument is legal, else MARGIN or INVARIANT.

    OWNER_LIMIT if it is, but grew a position and is larger than one owner may be, or is held for
    what its owner has in other accounts. The instrument is draft 0. Case (a) first,
    because it is nearly always true and spares measuring the old account.
    """
    grown = grows(old_lots, new_lots)
    held = grown and is_held(state, after, state.instrument_drafts[0].id)
    return judge_change(state, before, after, 1, grown, held)


@law
def judge_change(
    state: State, before: Account, after: Account, drafted: int, grown: bool, held: bool
) -> int:
    """Return the code of an account's change over the first `drafted` market drafts.

    `grown`: one of its positions there grew; `held`: in a market in which it may only reduce.
    """
    equity, initial, maintenance, gross, valid = measure(state, after, drafted)
    if not valid:
        return Code.INVARIANT
    if equity < initial:
        if grown and after.mode != Mode.PORTFOLIO:
            return Code.MARGIN
        old_equity, old_initial, old_maintenance, _, valid = measure(state, before, NO_DRAFT)
        if not valid:
            return Code.INVARIANT
        if not is_legal(
            after.mode,
            grown,
            (old_equity, old_initial, old_maintenance),
            (equity, initial, maintenance),
        ):
            return Code.MARGIN
    limit = state.params[0].owner_limit
    if held or (grown and 0 < limit < gross):
        return Code.OWNER_LIMIT
    return Code.APPLIED


@law
def check_outflow(state: State, after: Account) -> int:
    """Return APPLIED if the account may hand out cash: equity covers max(initial, transfer).

    No mark that the equity rests on may be in doubt: nobody leaves at the old price. Without
    positions no mark matters. Nor does cash leave on the credit of collateral, or
    the house would lend what others deposited.
    """
    code = check_marks(state, after)
    if code != Code.APPLIED:
        return code
    equity, initial, _, gross, valid = measure(state, after, NO_DRAFT)
    kept, fits = outflow_margin(initial, gross, state.params[0].transfer_margin_ppm)
    if not (valid and fits):
        return Code.INVARIANT
    if equity < kept:
        return Code.TRANSFER_MARGIN
    if after.collateral_count > 0:
        value, _, _ = collateral_value(state, after)
        if equity < value:
            return Code.TRANSFER_MARGIN
    return Code.APPLIED


@law
def check_marks(state: State, account: Account) -> int:
    """Return PRICE_STALE if a mark that the account is measured by is in doubt, else APPLIED.

    Too doubtful to hand out money at: see the matrix of `clearing.price_gates`.
    """
    for i in range(account.position_count):
        row = find_instrument(state, account.positions[i].instrument)
        if row < 0:
            return Code.INVARIANT
        if not allows(price_doubts(state, state.instruments[row]), Use.WITHDRAW):
            return Code.PRICE_STALE
    return Code.APPLIED


@law
def outflow_margin(initial: int, gross: int, transfer_ppm: int) -> tuple[int, bool]:
    """Return what must stay in an account that hands out cash, and whether it fits."""
    transfer, fits = mul_div_ceil(gross, transfer_ppm, PPM)
    return max(initial, transfer), fits


@law
def liquidation_lots(
    equity: int,
    maintenance: int,
    mark_price: int,
    maintenance_ppm: int,
    buffer_ppm: int,
    cost_ppm: int,
    held: int,
) -> int:
    """Return the lots (positive) whose sale restores equity to maintenance plus the buffer.

    Selling one lot frees mark * maintenance * (1 + buffer) of the target and costs mark * cost,
    so lots = shortfall / (mark * (maintenance * (1 + buffer) - cost)), rounded up; all of `held`
    (positive) if selling costs more than it frees.
    """
    target, target_fits = mul_div_ceil(maintenance, PPM + buffer_ppm, PPM)
    if not target_fits:
        return held
    shortfall = target - equity
    freed = maintenance_ppm * (PPM + buffer_ppm) // PPM - cost_ppm
    if freed <= 0:
        return held
    # Nested ceilings equal one ceiling of the product, which would not fit.
    quotient, fits = mul_div_ceil(shortfall, PPM, mark_price)
    if not fits:
        return held
    return min(held, max(1, -(-quotient // freed)))
