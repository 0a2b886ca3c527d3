"""Cross margin: equity, initial and maintenance margin, and the legal-transition rule.

Formulas: docs/protocol.md, section 8. Initial margin scales with the market's open interest,
maintenance never does: growth of the market stops openings but liquidates nobody.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.lookup import find_instrument
from clearing.positions import pending_funding
from clearing.records import Account, Instrument, Position, State, Tier
from clearing.units import PPM
from clearing.wide import mul_div_ceil, mul_div_floor, product_at_least

NO_DRAFT = 0


@law
def initial_fraction_ppm(tier: Tier, open_interest: int, mark_price: int) -> int:
    """Return the initial margin fraction in ppm at this open interest (lots) and mark price.

    base + (1 - base) * (OI - lower) / (upper - lower), clamped to base .. 1, rounded down.
    """
    notional, fits = mul_div_floor(open_interest, mark_price, 1)
    if not fits or notional >= tier.open_interest_upper:
        return PPM
    if notional <= tier.open_interest_lower:
        return tier.initial_ppm
    scaled, _ = mul_div_floor(
        PPM - tier.initial_ppm,
        notional - tier.open_interest_lower,
        tier.open_interest_upper - tier.open_interest_lower,
    )
    return tier.initial_ppm + scaled


@law
def position_terms(
    position: Position, instrument: Instrument, initial_ppm: int, maintenance_ppm: int
) -> tuple[int, int, int, int, bool]:
    """Return (value less funding owed, initial, maintenance, gross, fits) of one position."""
    value, value_fits = mul_div_floor(position.lots, instrument.mark_price, 1)
    owed, owed_fits = pending_funding(position, instrument)
    gross = abs(value)
    initial, initial_fits = mul_div_ceil(gross, initial_ppm, PPM)
    maintenance, _ = mul_div_ceil(gross, maintenance_ppm, PPM)
    return value - owed, initial, maintenance, gross, value_fits and owed_fits and initial_fits


@law
def draft_of(state: State, instrument: int, drafted: int) -> int:
    """Return the row of the instrument's draft among the first `drafted`, or -1."""
    for draft in range(drafted):
        if state.instrument_drafts[draft].id == instrument:
            return draft
    return -1


@law
def measure(state: State, account: Account, drafted: int) -> tuple[int, int, int, int, bool]:
    """Return (equity, initial margin, maintenance margin, gross notional, valid) in micro-quote.

    Equity holds pending funding. The first `drafted` rows of `state.instrument_drafts` stand for
    their instruments; NO_DRAFT: none. Not valid if a number leaves 64 bits or a witness lacks an
    instrument.
    """
    equity = account.cash
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
                return 0, 0, 0, 0, False
            instrument = state.instruments[row]
        tier = state.params[0].tiers[instrument.tier]
        fraction = initial_fraction_ppm(tier, instrument.open_interest, instrument.mark_price)
        worth, initial_part, maintenance_part, notional, fits = position_terms(
            position, instrument, fraction, tier.maintenance_ppm
        )
        if not fits:
            return 0, 0, 0, 0, False
        equity += worth
        initial += initial_part
        maintenance += maintenance_part
        gross += notional
    return equity, initial, maintenance, gross, True


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
def check_transition(
    state: State,
    before: Account,
    after: Account,
    old_lots: int,
    new_lots: int,
) -> int:
    """Return APPLIED if the account's change in one instrument is legal, else MARGIN or INVARIANT.

    The instrument is draft 0.
    Case (a) first, because it is nearly always true and spares measuring the old account.
    """
    equity, initial, maintenance, _, valid = measure(state, after, 1)
    if not valid:
        return Code.INVARIANT
    if equity >= initial:
        return Code.APPLIED
    if grows(old_lots, new_lots):
        return Code.MARGIN
    old_equity, _, old_maintenance, _, old_valid = measure(state, before, NO_DRAFT)
    if not old_valid:
        return Code.INVARIANT
    if is_improvement(old_equity, old_maintenance, equity, maintenance):
        return Code.APPLIED
    return Code.MARGIN


@law
def check_outflow(state: State, after: Account) -> int:
    """Return APPLIED if the account may hand out cash: equity covers max(initial, transfer).

    Every mark that the equity rests on must still count for margin: nobody leaves at the old
    price. Without positions no mark matters.
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
    return Code.APPLIED


@law
def check_marks(state: State, account: Account) -> int:
    """Return PRICE_STALE if the mark of a position is too old for margin, else APPLIED."""
    oldest = state.globals[0].clock - state.params[0].price_stale_margin_ms
    for i in range(account.position_count):
        row = find_instrument(state, account.positions[i].instrument)
        if row < 0:
            return Code.INVARIANT
        if state.instruments[row].price_time < oldest:
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
