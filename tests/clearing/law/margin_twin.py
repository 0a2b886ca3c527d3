"""Margin once more, from the text of docs/protocol.md alone: plain integers and fractions, slow.

`book_state` makes a state of one account from plain dictionaries; `margin_twin` measures it.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Any

from clearing.codes import InstrumentKind, InstrumentStatus, Mode
from clearing.genesis import (
    Genesis,
    GenesisAsset,
    GenesisInstrument,
    GenesisTier,
    GenesisUnderlying,
    genesis_state,
)
from clearing.scenarios import derive_cells
from clearing.units import INDEX_SCALE, LOTS_MAX, PPM
from tests.support.world import START_MS

YEAR_MS = 365 * 86_400_000
EXPIRIES = (START_MS + 30 * 86_400_000, START_MS + 91 * 86_400_000)
MOST = 1 << 62
LATTICE = 27
TAILS = (27, 28, *range(1, 27, 3), 29, 30, 31, 32)  # points of unchanged volatility by price


def perpetual(mark, underlying=0, tier=0):
    return {"kind": InstrumentKind.PERPETUAL, "mark": mark, "underlying": underlying, "tier": tier}


def future(mark, underlying=0, series=0):
    return {**perpetual(mark, underlying), "kind": InstrumentKind.FUTURE, "series": series}


def option(kind, strike, underlying=0, series=0, extra=100):
    return {**perpetual(0, underlying), "kind": kind, "strike": strike, "series": series,
            "extra": extra}  # fmt: skip


def intrinsic(kind, strike, price):
    return max(0, price - strike if kind == InstrumentKind.CALL else strike - price)


def row_of(market, index, shocks):
    """What an option is worth at each point: intrinsic value, and something for the time left."""
    values = []
    for point, shock in enumerate(shocks):
        price = int(index) * (PPM + shock) // PPM
        level = point % 3 - 1 if point < LATTICE else 0
        extra = market["extra"] * (4 + level) // 4
        values.append(intrinsic(market["kind"], market["strike"], price) + extra)
    return values


def book_state(markets, indices=(1_000_000,), tiers=None, assets=(), scenarios=(), **changes):
    """A state with these markets and one empty account, rows fresh, prices of this moment."""
    genesis = Genesis(
        chain_id=1,
        settlement=bytes(range(1, 21)),
        time_ms=START_MS,
        publishers=(bytes(19) + b"\1",),
        price_quorum=1,
        tiers=tiers or (GenesisTier(50_000, 30_000, 1 << 60, 1 << 61),),
        instruments=tuple(
            GenesisInstrument(
                f"M{i}",
                market["tier"],
                1,
                1_000_000,
                LOTS_MAX,
                LOTS_MAX,
                underlying=market["underlying"],
                kind=int(market["kind"]),
                strike=market.get("strike", 0),
                series=market.get("series", 0),
            )
            for i, market in enumerate(markets)
        ),
        underlyings=tuple(GenesisUnderlying(expiries=EXPIRIES) for _ in indices),
        assets=tuple(GenesisAsset(100_000, 50_000, 1 << 40, scale) for scale in assets),
        **changes,
    )
    state: Any = genesis_state(genesis, 2, 2, 2)
    state.globals[0].account_count = 1
    for u, index in enumerate(indices):
        underlying = state.underlyings[u]
        underlying.index_price = index
        underlying.price_time = START_MS
        for series in underlying.series[:2]:
            series.active_number = 1
            series.active_time = START_MS
            series.discount_long_ppm = PPM
            series.discount_short_ppm = PPM
            series.confidence_ppm = PPM
        set_scenarios(underlying, scenarios[u] if scenarios else ())
    for i, market in enumerate(markets):
        instrument = state.instruments[i]
        instrument.mark_price = market["mark"]
        instrument.price_time = START_MS
        instrument.settle_price = market.get("settle", 0)
        instrument.status = market.get("status", 0)
        instrument.stable_price = market.get("stable", 0)
        if market["kind"] >= InstrumentKind.CALL:
            underlying = state.underlyings[market["underlying"]]
            risk = instrument.rows[1]
            risk.number = 1
            risk.values[:] = row_of(market, underlying.index_price, underlying.prices.tolist())
    for asset in state.assets[1 : 1 + len(assets)]:
        asset.price = asset.stable_price = PPM
        asset.price_time = START_MS
    return state


def set_scenarios(underlying, shocks):
    """Write joint scenarios, (price ppm, volatility ppm) each."""
    underlying.scenario_count = len(shocks)
    for i, (price, volatility) in enumerate(shocks):
        underlying.shocks[i] = (price << 32) | (volatility & 0xFFFFFFFF)
    derive_cells(underlying)


def hold(state, positions, cash=0, mode=Mode.CROSS, costs=None, row=0):
    """Give the account these positions, {instrument: lots}."""
    account = state.accounts[row]
    account.id = row
    account.cash = cash
    account.mode = mode
    account.position_count = len(positions)
    for i, (instrument, lots) in enumerate(sorted(positions.items())):
        position = account.positions[i]
        position.instrument = instrument
        position.lots = lots
        position.entry_cost = (costs or {}).get(instrument, 0)
        position.index_high = position.index_low = 0
    return account


def ppm_of(amount, rate):
    return ceil(Fraction(int(amount) * int(rate), PPM))


def exact_owed(state, position):
    """The funding that a position owes, before it is rounded up."""
    market = state.instruments[int(position.instrument)]
    change = (int(market.funding_high) - int(position.index_high)) << 62
    change += int(market.funding_low) - int(position.index_low)
    return Fraction(int(position.lots) * change, INDEX_SCALE)


def owed_of(state, position):
    return ceil(exact_owed(state, position))


def mark_of(state, instrument):
    if instrument.status >= InstrumentStatus.SETTLING:
        return int(instrument.settle_price)
    if instrument.kind < InstrumentKind.CALL:
        return int(instrument.mark_price)
    number = int(state.underlyings[instrument.underlying].series[instrument.series].active_number)
    row = instrument.rows[number % 2]
    return int(row.values[13]) if number and row.number == number else 0


def rung_of(state, instrument):
    if instrument.kind < InstrumentKind.CALL:
        return 0
    series = state.underlyings[instrument.underlying].series[instrument.series]
    params = state.params[0]
    age = int(state.globals[0].clock) - int(series.active_time)
    ages = (params.row_age_warn_ms, params.row_age_reduce_ms, params.row_age_fallback_ms)
    return sum(age > limit for limit in ages) if series.active_number else 3


def margin_twin(state, account):
    """(equity, initial, maintenance, gross) of one account."""
    rows = [
        (state.instruments[int(p.instrument)], int(p.lots), int(p.entry_cost))
        for p in account.positions[: account.position_count]
    ]
    equity = int(account.cash)
    gross = taken = profit = 0
    whole = account.mode == Mode.PORTFOLIO
    for position in account.positions[: account.position_count]:
        owed = owed_of(state, position)
        equity -= owed
        profit -= owed
    for instrument, lots, cost in rows:
        mark = mark_of(state, instrument)
        equity += lots * mark
        is_option = instrument.kind >= InstrumentKind.CALL
        settles = instrument.status >= InstrumentStatus.SETTLING
        if whole or not is_option or settles or lots < 0:
            profit += lots * mark - cost
        if settles:
            continue
        index = int(state.underlyings[instrument.underlying].index_price)
        gross += abs(lots) * (index if is_option and lots < 0 else mark)
        stable = int(instrument.stable_price)
        if stable and not (is_option and not whole):
            taken += min(1 << 57, max(0, lots * (mark - stable)))
    living = [row for row in rows if row[0].status < InstrumentStatus.SETTLING]
    initial, maintenance = (portfolio if whole else standard)(state, living)
    clock, params = int(state.globals[0].clock), state.params[0]
    recent = clock - int(account.recent_time) < params.profit_cycle_ms
    net = profit - taken if profit > 0 else profit
    counted = net + (int(account.recent_profit) if recent else 0)
    initial += taken + max(0, counted - int(params.profit_cap))
    for one in account.collaterals[: account.collateral_count]:
        value, trusted = collateral(state, int(one.asset), int(one.amount))
        equity += value
        initial += value - trusted
    return equity, min(initial, MOST), maintenance, gross


def collateral(state, number, units):
    if number >= 64:
        return 0, 0
    asset, clock, params = state.assets[number], int(state.globals[0].clock), state.params[0]
    price, stable = int(asset.price), int(asset.stable_price) or int(asset.price)
    value = floor(Fraction(units * price * (PPM - int(asset.haircut_ppm)), PPM * PPM))
    if int(asset.price_time) < clock - int(params.price_stale_margin_ms):
        return value, 0
    off = 0
    if asset.peg_price:
        depth = PPM - int(asset.peg_threshold_ppm) - price * PPM // int(asset.peg_price)
        off = min(PPM, ppm_of(max(0, depth), asset.peg_factor_ppm))
    weight = max(0, PPM - int(asset.haircut_ppm) - int(asset.initial_haircut_ppm) - off)
    if asset.held > asset.scale:
        weight = weight * int(asset.scale) // int(asset.held)
    return value, min(value, units * min(price, stable) * weight // (PPM * PPM))


def standard(state, rows):
    params, initial, maintenance = state.params[0], 0, 0
    for instrument, lots, _ in rows:
        mark, tier = mark_of(state, instrument), params.tiers[instrument.tier]
        if instrument.kind < InstrumentKind.CALL:
            interest, low, high = (
                int(instrument.open_interest) * mark,
                *map(int, (tier.open_interest_lower, tier.open_interest_upper)),
            )
            base = int(tier.initial_ppm)
            share = Fraction(min(max(interest - low, 0), high - low), high - low)
            initial += ppm_of(abs(lots) * mark, base + floor((PPM - base) * share))
            maintenance += ppm_of(abs(lots) * mark, tier.maintenance_ppm)
        elif lots > 0:
            initial += lots * mark
            maintenance += lots * mark
        else:
            first, second = short_option(state, instrument, -lots, mark)
            initial += first
            maintenance += second
    return initial, maintenance


def short_option(state, instrument, lots, mark):
    params, kind, strike = state.params[0], int(instrument.kind), int(instrument.strike)
    spot = int(state.underlyings[instrument.underlying].index_price)
    rung = rung_of(state, instrument)
    series = state.underlyings[instrument.underlying].series[instrument.series]
    owed = mark
    if rung == 3:
        carried = max(intrinsic(kind, strike, one) for one in (spot, carried_of(series, spot)))
        owed = max(mark, carried)
    other = InstrumentKind.PUT if kind == InstrumentKind.CALL else InstrumentKind.CALL
    out = intrinsic(other, strike, spot)
    initial = max(
        ppm_of(lots * spot, params.option_initial_floor_ppm),
        ppm_of(lots * spot, params.option_initial_ppm) - lots * out,
    )
    maintenance = ppm_of(lots * spot, params.option_maintenance_ppm)
    if kind == InstrumentKind.PUT:
        maintenance = max(maintenance, ppm_of(lots * owed, params.option_value_ppm))
        both = ppm_of(lots * owed + maintenance, params.option_value_ppm)
        initial = max(initial, both - lots * owed)
    initial = max(initial, maintenance)
    more = lots * (owed - mark)
    factor = params.row_age_ppm if rung else PPM
    return ppm_of(initial + more, factor), maintenance + more


def portfolio(state, rows):
    params, clock = state.params[0], int(state.globals[0].clock)
    worst_sum = charges = initial_charges = minimum = oldest = 0
    vectors = {}
    for u in sorted({int(row[0].underlying) for row in rows}):
        underlying = state.underlyings[u]
        mine = [row for row in rows if row[0].underlying == u]
        vectors[u], basis = vector_of(state, underlying, mine, clock)
        damped = [
            floor(Fraction(value * int(damp), PPM))
            for value, damp in zip(vectors[u], underlying.damps.tolist(), strict=True)
        ]
        worst_sum -= min(0, basis, *damped)
        index, short = int(underlying.index_price), 0
        for instrument, lots, _ in mine:
            tier, is_option = params.tiers[instrument.tier], instrument.kind >= 3
            series = underlying.series[instrument.series]
            oldest = max(oldest, rung_of(state, instrument))
            price = index if is_option else mark_of(state, instrument)
            sure = int(series.confidence_ppm if is_option else instrument.confidence_ppm)
            if is_option:
                short += max(0, -lots)
            else:
                charges += ppm_of(abs(lots) * price, tier.linear_ppm)
            if tier.concentration_lots:
                beyond = max(0, abs(lots) - int(tier.concentration_lots))
                charges += ppm_of(beyond * price, tier.concentration_ppm)
            if sure < params.confidence_floor_ppm:
                doubt = (PPM - sure) * int(params.confidence_ppm)
                initial_charges += ceil(Fraction(abs(lots) * price * doubt, PPM * PPM))
        charges += ppm_of(short * index, underlying.naked_ppm)
        minimum += ppm_of(short * index, underlying.short_minimum_ppm)
    risk = joint(state, vectors, worst_sum)
    least = risk
    joined = all(state.underlyings[u].scenario_count for u in vectors)
    if params.shortfall_weight_ppm and joined and any(unfinished(state, u) for u in vectors):
        risk = max(risk, worst_sum)
        least = ppm_of(worst_sum, PPM - int(params.portfolio_offset_ppm))
    if any(unfinished(state, u, params.row_age_fallback_ms) for u in vectors):
        risk = least = worst_sum
    initial = ppm_of(risk, params.portfolio_initial_ppm) + charges + initial_charges
    initial = max(initial, ppm_of(risk, params.portfolio_maintenance_ppm) + charges, minimum)
    maintenance = max(ppm_of(least, params.portfolio_maintenance_ppm) + charges, minimum)
    return ppm_of(initial, params.row_age_ppm if oldest else PPM), maintenance


def unfinished(state, u, age=-1):
    """Whether parts of the underlying's scenarios are to come, and were for longer than an age."""
    row = state.underlyings[u]
    return row.scenario_rest > 0 and state.globals[0].clock - row.scenario_time > age


def vector_of(state, underlying, rows, clock):
    """(P at each point, basis) of one underlying."""
    shocks = underlying.prices.tolist()
    vector, basis = [0] * 33, 0
    by_series: dict = {}
    for instrument, lots, _ in rows:
        if instrument.kind < InstrumentKind.CALL:
            mark = mark_of(state, instrument)
            gains = [floor(Fraction(mark * shock, PPM) + Fraction(1, 2)) for shock in shocks]
            vector = [v + lots * g - abs(lots) for v, g in zip(vector, gains, strict=True)]
        else:
            by_series.setdefault(int(instrument.series), []).append((instrument, lots))
    for number, held in by_series.items():
        series = underlying.series[number]
        now = sum(lots * mark_of(state, instrument) for instrument, lots in held)
        values = [0] * 33
        for instrument, lots in held:
            row = option_row(state, underlying, instrument, lots, shocks)
            values = [v + lots * each for v, each in zip(values, row, strict=True)]
            vector = [v - abs(lots) for v in vector]
        for point, value in enumerate(values):
            factor = int(series.discount_short_ppm if value < 0 else series.discount_long_ppm)
            vector[point] += floor(Fraction(value * factor, PPM)) - now
        rate = (
            int(underlying.basis_ppm)
            + int(underlying.basis_year_ppm) * max(0, int(series.expiry) - clock) // YEAR_MS
        )
        basis += floor(Fraction(min(values[16] - now, values[10] - now, 0) * rate, PPM))
    return vector, basis


def carried_of(series, index):
    """The forward that the last carry makes of an index; the index if none was signed."""
    forward, reference = int(series.forward_price), int(series.reference_price)
    return min(1 << 48, index * forward // reference) if forward and reference else index


def option_row(state, underlying, instrument, lots, shocks):
    number = int(underlying.series[instrument.series].active_number)
    row = instrument.rows[number % 2]
    if rung_of(state, instrument) < 3 and row.number == number:
        return row.values.tolist()
    mark, index = mark_of(state, instrument), int(underlying.index_price)
    kind, strike = int(instrument.kind), int(instrument.strike)
    series = underlying.series[instrument.series]
    both = (index, carried_of(series, index))
    each = [
        [f + floor(Fraction(f * shock, PPM) + Fraction(1, 2)) for shock in shocks] for f in both
    ]
    if lots > 0:
        factor = min(Fraction(1), Fraction(int(series.discount_nano) or 10**9, 10**9))
        pairs = [[intrinsic(kind, strike, one) for one in pair] for pair in zip(*each, strict=True)]
        return [floor(min(pair) * factor) if mark else 0 for pair in pairs]
    now = max(mark, *(intrinsic(kind, strike, one) for one in both))
    far = max(now, *(intrinsic(kind, strike, one) for at in each for one in (max(at), min(at))))
    return [now if point == 13 else far for point in range(33)]


def joint(state, vectors, worst):
    params = state.params[0]
    losses = losses_of(state, vectors)
    weight = int(params.shortfall_weight_ppm)
    if not losses or not weight:
        return worst
    tail = min(int(params.shortfall_count), len(losses))
    expected = ceil(Fraction(max(0, sum(losses[:tail])), tail))
    blend = worst + ppm_of(expected - worst, weight)
    return max(blend, ppm_of(worst, PPM - int(params.portfolio_offset_ppm)))


def losses_of(state, vectors):
    """The losses of all joint scenarios, largest first; none if an underlying has no scenarios."""
    count = min(int(state.underlyings[u].scenario_count) for u in vectors) if vectors else 0
    return sorted(
        (-sum(interpolate(state.underlyings[u], vectors[u], i) for u in vectors)
         for i in range(count)),
        reverse=True,
    )  # fmt: skip


def interpolate(underlying, vector, i):
    """P at a joint scenario: by volatility, then by price, weights of 20 bits, rounded down."""

    def between(low, high, weight):
        return low + ((high - low) * weight >> 20)

    def weight_of(shock, low, high):
        return min(max(((shock - low) << 20) // (high - low), 0), 1 << 20)

    shock = int(underlying.shocks[i])
    price, volatility = shock >> 32, ((shock & 0xFFFFFFFF) ^ (1 << 31)) - (1 << 31)
    down, up = int(underlying.volatility_down_ppm), int(underlying.volatility_up_ppm)
    side, low, high = (-1, down, 0) if volatility <= 0 else (0, 0, up)
    weight = weight_of(volatility, low, high)

    def at(point):
        if point >= LATTICE:
            return vector[point]
        return between(vector[point + side], vector[point + side + 1], weight)

    shocks = [int(underlying.prices[point]) for point in TAILS]
    node = 0
    while node < len(TAILS) - 2 and price > shocks[node + 1]:
        node += 1
    share = weight_of(price, shocks[node], shocks[node + 1])
    return between(at(TAILS[node]), at(TAILS[node + 1]), share)
