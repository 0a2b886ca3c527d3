"""What positions and collateral are worth, and what of that worth may carry new risk.

Equity is one number, at marks. Initial margin trusts less of it: long positions at the lower and
shorts at the higher of mark and stable price, net unrealised profit up to a cap, collateral after a
deeper haircut. What it does not trust is added to initial margin instead of taken from equity.
"""

from clearing.charges import REQUIREMENT_MAX, capped_sum
from clearing.codes import InstrumentKind, InstrumentStatus
from clearing.collateral import concentrated_weight_ppm, depeg_factor_ppm, haircut_value
from clearing.compiler import law, law_inline
from clearing.grid import FALLBACK, aged_initial, carried_forward, intrinsic, row_age
from clearing.lookup import find_underlying
from clearing.marks import mark_price
from clearing.option_margin import standard_option_margin
from clearing.positions import LinearMarket, pending_funding
from clearing.records import Account, Asset, Instrument, Params, Position, Series, State, Tier
from clearing.units import PPM, SHARES_BASE
from clearing.wide import mul_div_ceil, mul_div_floor, multiply

REDUCTION_MAX = 1 << 57  # of one position, so that the sum of an account's fits 64 bits


@law
def is_plain(instrument: Instrument) -> bool:
    """Tell whether the market is linear and lives: worth its mark price, margined by its tier."""
    return instrument.kind < InstrumentKind.CALL and instrument.status < InstrumentStatus.SETTLING


@law
def initial_fraction_ppm(tier: Tier, open_interest: int, mark_price: int) -> int:
    """Return the initial margin fraction in ppm at this open interest (lots) and mark price.

    base + (1 - base) * (OI - lower) / (upper - lower), clamped to base .. 1, rounded down.
    """
    notional, fits = multiply(open_interest, mark_price)
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


@law_inline
def position_terms(
    position: Position, instrument: LinearMarket, initial_ppm: int, maintenance_ppm: int
) -> tuple[int, int, int, int, bool]:
    """Return (value less funding owed, initial, maintenance, gross, fits) of a linear position."""
    value, value_fits = multiply(position.lots, instrument.mark_price)
    owed, owed_fits = pending_funding(position, instrument)
    gross = abs(value)
    initial, initial_fits = mul_div_ceil(gross, initial_ppm, PPM)
    maintenance, _ = mul_div_ceil(gross, maintenance_ppm, PPM)
    return value - owed, initial, maintenance, gross, value_fits and owed_fits and initial_fits


@law
def stable_reduction(lots: int, mark_price: int, stable_price: int) -> int:
    """Return what initial margin does not trust of a position's value, 0 .. REDUCTION_MAX.

    A long counts at min(mark, stable), a short at max(mark, stable); without stable price (0) both
    count at the mark.
    """
    ahead = mark_price - stable_price if stable_price != 0 else 0
    # Its sign is that of the lots where the mark runs ahead to the holder's profit.
    value, fits = multiply(lots, ahead)
    if not fits:
        return REDUCTION_MAX if (lots > 0) == (ahead > 0) else 0
    return min(max(0, value), REDUCTION_MAX)


@law
def profit_excess(params: Params, clock: int, account: Account, unrealised: int) -> int:
    """Return the net unrealised profit beyond the cap, which counts for no new risk; at least 0.

    Profit that mark to market paid within the last cycle counts as unrealised still.
    """
    if account.recent_profit != 0 and clock - account.recent_time < params.profit_cycle_ms:
        unrealised = min(unrealised, REQUIREMENT_MAX - account.recent_profit)
        unrealised += account.recent_profit
    return max(0, unrealised - params.profit_cap)


@law
def trusted(state: State, account: Account, initial: int, unrealised: int, reduction: int) -> int:
    """Return initial margin with what it does not trust of the equity of positions.

    `unrealised` is profit at marks, `reduction` what stable prices take of it.
    """
    if reduction == 0 and unrealised <= 0 and account.recent_profit == 0:
        return initial
    profit = unrealised - reduction if unrealised > 0 else min(unrealised, 0)
    excess = profit_excess(state.params[0], state.globals[0].clock, account, profit)
    return capped_sum(min(initial, REQUIREMENT_MAX), capped_sum(reduction, excess))


@law
def series_age(state: State, series: Series) -> int:
    """Return the rung of a series' active rows on the age ladder; without rows the last one."""
    params = state.params[0]
    if series.active_number == 0:
        return FALLBACK
    return row_age(
        state.globals[0].clock - series.active_time,
        params.row_age_warn_ms,
        params.row_age_reduce_ms,
        params.row_age_fallback_ms,
    )


@law
def option_gross(lots: int, mark: int, spot: int) -> tuple[int, bool]:
    """Return (what an option position exposes, fits): a long its value, a short lots * index."""
    return multiply(abs(lots), mark if lots > 0 else spot)


@law
def option_terms(
    state: State, position: Position, instrument: Instrument
) -> tuple[int, int, int, int, bool]:
    """Return (value, initial, maintenance, gross, fits) of an option outside a portfolio.

    A long is paid in full: it needs its own value, so it lends credit to nothing. A short needs
    the standard margin; with rows too old to believe it owes intrinsic value at least.
    """
    mark = mark_price(state, instrument)
    row = find_underlying(state, instrument.underlying)
    value, value_fits = multiply(position.lots, mark)
    if row < 0 or not value_fits:
        return 0, 0, 0, 0, False
    underlying = state.underlyings[row]
    spot = underlying.index_price
    gross, fits = option_gross(position.lots, mark, spot)
    if position.lots > 0:
        return value, value, value, gross, fits
    params = state.params[0]
    is_call = instrument.kind == InstrumentKind.CALL
    rung = series_age(state, underlying.series[instrument.series])
    owed = mark
    if rung == FALLBACK:
        series = underlying.series[instrument.series]
        forward = carried_forward(spot, series.forward_price, series.reference_price, is_call)
        owed = max(mark, intrinsic(is_call, instrument.strike, forward))
    _, initial_balance, maintenance_balance = standard_option_margin(
        position.lots,
        is_call,
        instrument.strike,
        spot,
        owed,
        params.option_initial_ppm,
        params.option_initial_floor_ppm,
        params.option_maintenance_ppm,
        params.option_value_ppm,
        params.option_value_ppm,
    )
    # Balances are what must be there beside the value; equity holds the value at the mark.
    initial, initial_fits = aged_initial(max(0, value - initial_balance), rung, params.row_age_ppm)
    if not initial_fits:
        initial = REQUIREMENT_MAX
    maintenance = max(0, value - maintenance_balance)
    return value, min(initial, REQUIREMENT_MAX), maintenance, gross, fits


@law
def special_terms(
    state: State, position: Position, instrument: Instrument
) -> tuple[int, int, int, int, int, bool]:
    """Return (worth, cost, initial, maintenance, gross, fits) of what is not plain.

    A position in a market that settles is worth what it will be paid less funding owed, and needs
    nothing. `cost` is what the worth was paid for; of a long option its value, because initial
    margin holds all of it already and none of its profit may be taken off twice.
    """
    if instrument.status >= InstrumentStatus.SETTLING:
        value, value_fits = multiply(position.lots, instrument.settle_price)
        owed, owed_fits = pending_funding(position, instrument)
        return value - owed, position.entry_cost, 0, 0, 0, value_fits and owed_fits
    value, initial, maintenance, gross, fits = option_terms(state, position, instrument)
    cost = value if position.lots > 0 else position.entry_cost
    return value, cost, initial, maintenance, gross, fits


@law
def pegged_haircut_ppm(asset: Asset) -> int:
    """Return what an asset off its peg loses beyond its haircuts, ppm: factor * (depth of the fall
    below 1 - threshold)."""
    if asset.peg_price == 0:
        return 0
    ratio_ppm, fits = mul_div_floor(asset.price, PPM, asset.peg_price)
    if not fits:
        return 0
    return min(
        PPM, depeg_factor_ppm(ratio_ppm, PPM - asset.peg_threshold_ppm, asset.peg_factor_ppm)
    )


@law
def initial_weight_ppm(asset: Asset) -> int:
    """Return the share of its lower price that an asset counts for in initial margin, ppm."""
    haircut = asset.haircut_ppm + asset.initial_haircut_ppm + pegged_haircut_ppm(asset)
    return concentrated_weight_ppm(max(0, PPM - haircut), asset.held, asset.scale)


@law
def collateral_value(state: State, account: Account) -> tuple[int, int, bool]:
    """Return (value that equity holds, value that initial margin trusts, fits) of all collateral.

    Equity: price after the haircut. Initial margin: the lower of price and stable price after both
    haircuts, less off the peg, less where the house holds much; nothing at a price too old for
    margin. Shares of pools are no collateral.
    """
    oldest = state.globals[0].clock - state.params[0].price_stale_margin_ms
    value = 0
    initial_value = 0
    for i in range(account.collateral_count):
        collateral = account.collaterals[i]
        if collateral.asset >= SHARES_BASE:
            continue
        asset = state.assets[collateral.asset]
        part, fits = haircut_value(collateral.amount, asset.price, asset.price, asset.haircut_ppm)
        if not fits:
            return 0, 0, False
        value += part
        if asset.price_time >= oldest:
            stable = asset.stable_price if asset.stable_price > 0 else asset.price
            lower, _ = haircut_value(
                collateral.amount, asset.price, stable, PPM - initial_weight_ppm(asset)
            )
            initial_value += min(lower, part)
    return value, initial_value, True
