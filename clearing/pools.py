"""Pools of liquidity providers: which account trades where, what a pool is worth, what it reserves.

A pool has two accounts, which nobody owns: its own, the only counterparty in the pool's markets,
and its sleeve, which takes over failing positions of other markets with capital of its own. Both
are margined like any account. Amounts are micro-quote.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.funding_models import YEAR_MS
from clearing.lookup import find_account, find_instrument, lots_of
from clearing.margin import NO_DRAFT, measure
from clearing.marks import mark_price
from clearing.oracle import Use
from clearing.pool_pricing import (
    FACTOR_SCALE,
    add_within,
    price_impact,
    profit_exceeds,
    reserve_fits,
    slope_borrow_rate_ppm,
    utilisation_ppm,
)
from clearing.price_gates import allows, price_doubts
from clearing.records import Account, Instrument, Pool, State
from clearing.units import FUNDING_PERIOD_MS, PPM
from clearing.wide import mul_div_ceil, mul_div_floor

NOBODY = -1
POSITIVE_DIVISOR = 2  # balancing a pool earns half of what unbalancing it costs
PERIODS_A_YEAR = YEAR_MS // FUNDING_PERIOD_MS


@law
def is_pool_account(state: State, account: int) -> bool:
    """Tell whether an account belongs to a pool."""
    for i in range(state.globals[0].pool_count):
        if account == state.pools[i].account or account == state.pools[i].sleeve:
            return True
    return False


@law
def holder_of(pool: Pool, instrument: Instrument) -> int:
    """Return which of the pool's accounts holds positions in a market, or NOBODY.

    Its own account in the pool's markets, the sleeve in those of order books.
    """
    if instrument.pool == pool.id + 1:
        return pool.account
    return pool.sleeve if instrument.pool == 0 else NOBODY


@law
def pool_worth(
    state: State, pool: Pool, own: Account, sleeve: Account, drafted: int
) -> tuple[int, int, bool]:
    """Return (value of the pool to its shares, gross notional of its own account, valid).

    Equity of its own account less the impact pot, which traders paid for balance, plus the
    sleeve's equity as far as there is any: what the sleeve owes beyond it, it owes alone. The first
    `drafted` instrument drafts stand for their markets.
    """
    equity, _, _, gross, valid = measure(state, own, drafted)
    if not valid:
        return 0, 0, False
    aside, _, _, _, valid = measure(state, sleeve, drafted)
    value, fits = add_within(0, equity)
    value, less_fits = add_within(value, -pool.impact_pot)
    value, more_fits = add_within(value, max(0, aside))
    return value, gross, valid and fits and less_fits and more_fits


@law
def check_pool_prices(state: State, account: Account) -> int:
    """Return why a pool's account cannot be valued for coming and going now, or APPLIED.

    OPERATION_OPEN while a sweep over one of its markets runs; PRICE_STALE if a mark is not good
    enough to open risk at: nobody buys or leaves shares at the old price.
    """
    for i in range(account.position_count):
        row = find_instrument(state, account.positions[i].instrument)
        if row < 0:
            return Code.INVARIANT
        instrument = state.instruments[row]
        if instrument.operation != 0:
            return Code.OPERATION_OPEN
        if not allows(price_doubts(state, instrument), Use.OPEN):
            return Code.PRICE_STALE
    return Code.APPLIED


@law
def traders_profit(state: State, own: Account) -> tuple[int, bool]:
    """Return (what the pool's counterparties have won and not been paid, fits): cost less value."""
    profit = 0
    for i in range(own.position_count):
        position = own.positions[i]
        row = find_instrument(state, position.instrument)
        if row < 0:
            return 0, False
        value, fits = mul_div_floor(position.lots, mark_price(state, state.instruments[row]), 1)
        if not fits:
            return 0, False
        profit, fits = add_within(profit, position.entry_cost - value)
        if not fits:
            return 0, False
    return profit, True


@law
def check_shares(state: State, pool: Pool, own: Account, sleeve: Account) -> tuple[int, int, bool]:
    """Return (code, value, valid): whether shares may be bought or sold now, and their whole value.

    Prices first, then POOL_PROFIT while traders' unpaid profit exceeds the cap: then nobody comes
    or goes, because what the pool is worth rests on what it may have to pay.
    """
    code = check_pool_prices(state, own)
    if code == Code.APPLIED:
        code = check_pool_prices(state, sleeve)
    if code != Code.APPLIED:
        return code, 0, code != Code.INVARIANT
    value, _, valid = pool_worth(state, pool, own, sleeve, NO_DRAFT)
    profit, fits = traders_profit(state, own)
    if not (valid and fits):
        return Code.INVARIANT, 0, False
    if profit_exceeds(profit, value, pool.profit_cap_ppm):
        return Code.POOL_PROFIT, value, True
    return Code.APPLIED, value, True


@law
def keeps_reserve(
    state: State, pool: Pool, own: Account, sleeve: Account, drafted: int
) -> tuple[bool, bool]:
    """Return (whether the pool's own account covers its initial margin and positions, valid).

    Gross notional at most `reserve_ppm` of the pool's value.
    """
    value, gross, valid = pool_worth(state, pool, own, sleeve, drafted)
    equity, initial, _, _, measured = measure(state, own, drafted)
    if not (valid and measured):
        return False, False
    return equity >= initial and reserve_fits(gross, max(0, value), pool.reserve_ppm), True


@law
def impact_of(
    impact_ppm: int, value: int, price: int, lots_before: int, lots_after: int
) -> tuple[int, bool]:
    """Return (impact, whether it can be told): above zero the trader is paid, below it pays.

    Going from balance to an imbalance as large as the pool costs `impact_ppm` of it, and the cost
    grows with the square; going back earns half. `lots` are the pool's, `value` the pool's.
    """
    if impact_ppm == 0:
        return 0, True
    before, before_fits = mul_div_floor(abs(lots_before), price, 1)
    after, after_fits = mul_div_floor(abs(lots_after), price, 1)
    if not (before_fits and after_fits):
        return 0, False
    unbalances = after > before or (lots_before < 0) != (lots_after < 0)
    negative, fits = mul_div_ceil(impact_ppm, FACTOR_SCALE, max(1, value))
    if value <= 0 or not fits:
        # A pool worth nothing pays nobody for balance, and nobody can unbalance it.
        return 0, not unbalances or lots_after == 0
    return price_impact(
        before if lots_before > 0 else 0,
        before if lots_before < 0 else 0,
        after if lots_after > 0 else 0,
        after if lots_after < 0 else 0,
        negative // POSITIVE_DIVISOR,
        negative,
    )


@law
def borrow_rate_ppm(state: State, instrument: Instrument) -> int:
    """Return what longs of a pool's market pay for the pool, in ppm a funding period.

    Negative: what shorts pay. The side that the pool stands against pays, by how much of the
    pool's reserve positions use, rounded up; everybody on the other side receives, above all the
    pool. 0 in a balanced market, in one of an order book, and if the pool cannot be valued. A
    witness without the pool's accounts is void.
    """
    if instrument.pool == 0:
        return 0
    pool = state.pools[instrument.pool - 1]
    own_row = find_account(state, pool.account)
    sleeve_row = find_account(state, pool.sleeve)
    if own_row < 0 or sleeve_row < 0:
        return 0
    own = state.accounts[own_row]
    held = lots_of(own, instrument.id)
    value, gross, valid = pool_worth(state, pool, own, state.accounts[sleeve_row], NO_DRAFT)
    if held == 0 or not valid:
        return 0
    reserve, _ = mul_div_floor(max(0, value), pool.reserve_ppm, PPM)
    used = min(PPM, utilisation_ppm(gross, reserve))
    yearly = slope_borrow_rate_ppm(
        used,
        pool.borrow_optimal_ppm,
        pool.borrow_base_ppm,
        pool.borrow_slope_ppm,
        pool.borrow_steep_ppm,
    )
    rate = -(-yearly // PERIODS_A_YEAR)
    return rate if held < 0 else -rate
