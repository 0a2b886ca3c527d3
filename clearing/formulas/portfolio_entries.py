"""Portfolio and option margin as entries that take and give plain integers and lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from clearing import charges, greeks, grid, portfolio
from clearing.charges import LINEAR, Rates
from clearing.compiler import law_entry
from clearing.formulas.columns import array, column
from clearing.formulas.quantities import FormulaError
from clearing.grid import AXIS, DISCOUNT_SCALE, POINTS
from clearing.layout import Grid, Rows
from clearing.portfolio import (
    SCENARIOS_MAX,
    TAIL_MAX,
    UNDERLYINGS_MAX,
    Book,
    Terms,
    Workspace,
    new_workspace,
)
from clearing.units import PPM
from clearing.wide import mul_div_floor

EXPIRIES_MAX = 32
SPAN_POINTS = 16
Row = dict[str, Any]


def empty(*shape: int) -> Any:
    """Return a zeroed int64 array."""
    return np.zeros(shape, np.int64)


def rights(rows: Sequence[Row], net_calls_with_puts: int) -> Rows[int]:
    """Return the rights of options, all alike if calls count against puts of a strike."""
    return array([0 if net_calls_with_puts else row["is_call"] for row in rows])


def same_length(name: str, values: Sequence[int], points: int) -> Rows[int]:
    """Return a list as an array. Raises FormulaError unless it has one value a point."""
    if len(values) != points:
        raise FormulaError(f"{name}: expected {points} values, one a point; was {len(values)}")
    return array(values)


def row_grid(rows: Sequence[Row], points: int) -> Grid:
    """Return the column `row` of a table, one risk row below the other."""
    table = empty(len(rows), points)
    for i, row in enumerate(rows):
        table[i] = same_length("row", row["row"], points)
    return cast("Grid", table)


# ---- rows and the grid


@law_entry
def _linear_row(row: Rows[int], mark_price: int, shocks: Rows[int], points: int) -> None:
    grid.linear_row(row, mark_price, shocks, points)


@law_entry
def shocked_forward(variable: int, fixed: int, shock_ppm: int) -> int:
    """Return ``grid.shocked_forward``."""
    return grid.shocked_forward(variable, fixed, shock_ppm)


@law_entry
def discounted(value: int, long_discount: int, short_discount: int) -> int:
    """Return ``grid.discounted``."""
    return grid.discounted(value, long_discount, short_discount)


@law_entry
def lerp(low: int, high: int, weight: int) -> int:
    """Return ``grid.lerp``."""
    return grid.lerp(low, high, weight)


@law_entry
def _interpolate(
    axis: Rows[int], vector: Rows[int], prices: Rows[int], volatilities: Rows[int], at: Rows[int]
) -> tuple[int, int, int, int]:
    cell = grid.derive_cell(at[0], at[1], prices, volatilities)
    grid.unfold(axis, vector)
    value = grid.valued(axis, cell)
    return (
        value,
        grid.cell_first(cell),
        grid.cell_price_weight(cell),
        grid.cell_volatility_weight(cell),
    )


@law_entry
def _cell(price: int, volatility: int, prices: Rows[int], volatilities: Rows[int]) -> int:
    return grid.derive_cell(price, volatility, prices, volatilities)


@law_entry
def _ordered(prices: Rows[int], damps: Rows[int], volatilities: Rows[int]) -> bool:
    return grid.grid_is_ordered(prices, damps, volatilities)


@law_entry
def _worst(vector: Rows[int], damps: Rows[int], points: int, basis: int) -> tuple[int, int]:
    return portfolio.worst_scenario(vector, damps, points, basis)


def linear_risk_row(mark_price: int, price_shock_ppm: Sequence[int]) -> list[int]:
    """Return ``grid.linear_row``."""
    row = empty(len(price_shock_ppm))
    _linear_row(row, mark_price, array(price_shock_ppm), len(price_shock_ppm))
    return cast("list[int]", row.tolist())


def worst_scenario(
    scenario_pnl: Sequence[int], damp_ppm: Sequence[int], basis: int
) -> tuple[int, int]:
    """Return ``portfolio.worst_scenario``."""
    points = len(scenario_pnl)
    return _worst(array(scenario_pnl), same_length("damp_ppm", damp_ppm, points), points, basis)


def interpolate_scenario(
    vector: Sequence[int],
    price_shock_ppm: Sequence[int],
    volatility_down_ppm: int,
    volatility_up_ppm: int,
    scenario_price_ppm: int,
    scenario_volatility_ppm: int,
) -> tuple[int, int, int, int, int]:
    """Return (value, price node, volatility level, weights) of ``grid.valued``."""
    value, first, price_weight, volatility_weight = _interpolate(
        empty(AXIS),
        same_length("vector", vector, POINTS),
        same_length("price_shock_ppm", price_shock_ppm, POINTS),
        array([volatility_down_ppm, 0, volatility_up_ppm]),
        array([scenario_price_ppm, scenario_volatility_ppm]),
    )
    node, level = divmod(first, grid.VOLATILITY_LEVELS)
    return value, node, level, price_weight, volatility_weight


def grid_is_legal(
    price_shock_ppm: Sequence[int],
    damp_ppm: Sequence[int],
    volatility_down_ppm: int,
    volatility_up_ppm: int,
) -> bool:
    """Return ``grid.grid_is_ordered``."""
    return _ordered(
        same_length("price_shock_ppm", price_shock_ppm, POINTS),
        same_length("damp_ppm", damp_ppm, POINTS),
        array([volatility_down_ppm, 0, volatility_up_ppm]),
    )


@law_entry
def _greeks(
    vector: Rows[int], prices: Rows[int], volatility_down: int, volatility_up: int
) -> tuple[int, int, int]:
    return greeks.account_greeks(vector, prices, volatility_down, volatility_up)


def account_greeks(
    vector: Sequence[int],
    price_shock_ppm: Sequence[int],
    volatility_down_ppm: int,
    volatility_up_ppm: int,
) -> tuple[int, int, int]:
    """Return ``greeks.account_greeks``."""
    return _greeks(
        same_length("vector", vector, POINTS),
        same_length("price_shock_ppm", price_shock_ppm, POINTS),
        volatility_down_ppm,
        volatility_up_ppm,
    )


# ---- losses


@law_entry
def _tail(losses: Rows[int], tail: int, largest: Rows[int]) -> tuple[int, int, int]:
    total, edge = portfolio.largest_losses(losses, losses.shape[0], tail, largest)
    return total, portfolio.expected_shortfall(total, tail), edge


@law_entry
def shortfall_covered(equity: int, tail: int, tail_sum: int) -> bool:
    """Return ``portfolio.es_at_least`` in micro-quote."""
    return portfolio.es_at_least(equity, tail, tail_sum, 0)


@law_entry
def measured_risk(
    method: int, worst: int, expected: int, blend_ppm: int, offset_cap_ppm: int
) -> int:
    """Return ``portfolio.measured_risk``."""
    return portfolio.measured_risk(method, worst, expected, blend_ppm, offset_cap_ppm)


@law_entry
def requirement(
    risk: int,
    initial_ppm: int,
    maintenance_ppm: int,
    charges_both: int,
    initial_charges: int,
    short_option_minimum: int,
) -> tuple[int, int]:
    """Return ``charges.requirement``."""
    return charges.requirement(
        risk, initial_ppm, maintenance_ppm, charges_both, initial_charges, short_option_minimum
    )


def tail_losses(losses: Sequence[int], tail: int) -> tuple[int, int, int]:
    """Return (sum, Expected Shortfall, value at risk) of ``portfolio.largest_losses``."""
    return _tail(array(losses), min(tail, len(losses)), empty(TAIL_MAX))


# ---- a portfolio


@law_entry
def _risk(
    space: Workspace,
    book: Book,
    terms: Terms,
    count: int,
    points: int,
    scenarios: int,
    tail: int,
    guard: int,
) -> tuple[int, int, int, int]:
    return portfolio.portfolio_risk(space, book, terms, count, points, scenarios, tail, guard)


@law_entry
def _measured(
    units: Rows[int], tail: int, shift: int, method: int, blend_ppm: int, cap_ppm: int
) -> tuple[int, int, int, int]:
    """Return (worst, Expected Shortfall, value at risk, risk) in micro-quote."""
    expected = portfolio.expected_shortfall(units[1], tail)
    risk = portfolio.measured_risk(method, units[0], expected, blend_ppm, cap_ppm)
    return (
        charges.scaled(units[0], shift),
        charges.scaled(expected, shift),
        charges.scaled(units[2], shift),
        charges.scaled(risk, shift),
    )


@law_entry
def _scale(values: Rows[int], shift: int) -> None:
    for i in range(values.shape[0]):
        values[i] = charges.scaled(values[i], shift)


@law_entry
def confidence_missing(confidence_ppm: int, threshold_ppm: int) -> int:
    """Return ``charges.confidence_missing``."""
    return charges.confidence_missing(confidence_ppm, threshold_ppm)


@law_entry
def _charges(
    lots: Rows[int],
    underlying: Rows[int],
    expiry: Rows[int],
    strike: Rows[int],
    right: Rows[int],
    price: Rows[int],
    missing_ppm: Rows[int],
    rates: Rates,
) -> tuple[int, int, int, int]:
    return charges.portfolio_charges(
        lots, underlying, expiry, strike, right, price, missing_ppm, lots.shape[0], rates
    )


def _positions(options: Sequence[Row], linear: Sequence[Row], shocks: Sequence[int]) -> list[Row]:
    """Return options and linear positions in one list, by underlying, then by expiry."""
    lone = {"expiry": LINEAR, "value": 0, "strike": 0, "is_call": 0}
    rows = list(options)
    for each in linear:
        mark = each["mark_price"]
        rows.append({**each, **lone, "index_price": mark, "row": linear_risk_row(mark, shocks)})
    return sorted(rows, key=lambda row: (row["underlying"], row["expiry"]))


def _terms(expiries: Sequence[Row], damps: Rows[int], points: int, cells: Grid) -> Terms:
    """Return the terms of expiries, those not given neither discounted nor with basis."""
    one = {"long_discount": DISCOUNT_SCALE, "short_discount": DISCOUNT_SCALE, "basis_ppm": 0}
    rows = [*expiries, *[one] * (EXPIRIES_MAX - len(expiries))]
    table = empty(UNDERLYINGS_MAX, points)
    table[:] = damps
    return Terms(
        column(rows, "long_discount"),
        column(rows, "short_discount"),
        column(rows, "basis_ppm"),
        cast("Grid", table),
        cells,
    )


def _cells(
    scenarios: Sequence[Row], shocks: Rows[int], volatilities: Rows[int], points: int
) -> tuple[Grid, int]:
    """Return the cells and the number of joint scenarios; who is not named does not move."""
    cells = empty(UNDERLYINGS_MAX, SCENARIOS_MAX)
    if points != POINTS or not scenarios:
        return cast("Grid", cells), 0
    cells[:] = _cell(0, 0, shocks, volatilities)
    for row in scenarios:
        cells[row["underlying"], row["scenario"]] = _cell(
            row["price_shock_ppm"], row["volatility_shock_ppm"], shocks, volatilities
        )
    return cast("Grid", cells), 1 + max(row["scenario"] for row in scenarios)


def portfolio_margin(
    options: Sequence[Row],
    linear: Sequence[Row],
    price_shock_ppm: Sequence[int],
    damp_ppm: Sequence[int],
    volatility_down_ppm: int,
    volatility_up_ppm: int,
    expiries: Sequence[Row],
    scenarios: Sequence[Row],
    method: int,
    tail: int,
    blend_ppm: int,
    offset_cap_ppm: int,
    initial_ppm: int,
    maintenance_ppm: int,
    guard: int,
    confidence_threshold_ppm: int,
    net_calls_with_puts: int,
    **rates: int,
) -> tuple[Any, ...]:
    """Return margins by ``portfolio.portfolio_risk`` and ``charges``, and what led to them."""
    points = len(price_shock_ppm)
    shocks = array(price_shock_ppm)
    rows = _positions(options, linear, price_shock_ppm)
    expiry, underlying, lots = (column(rows, name) for name in ("expiry", "underlying", "lots"))
    cells, count = _cells(
        scenarios, shocks, array([volatility_down_ppm, 0, volatility_up_ppm]), points
    )
    damps = same_length("damp_ppm", damp_ppm, points)
    space: Any = new_workspace()
    worst, total, edge, shift = _risk(
        space,
        Book(lots, underlying, expiry, column(rows, "value"), row_grid(rows, points)),
        _terms(expiries, damps, points, cells),
        len(rows),
        points,
        count,
        tail,
        guard,
    )
    used = max(1, min(tail, count))
    found = _measured(array([worst, total, edge]), used, shift, method, blend_ppm, offset_cap_ppm)
    confidence = rates.pop("confidence_ppm")
    missing = confidence_missing(confidence, confidence_threshold_ppm)
    fees = _charges(
        lots,
        underlying,
        expiry,
        column(rows, "strike"),
        rights(rows, net_calls_with_puts),
        column(rows, "index_price"),
        array([missing] * len(rows)),
        Rates(**rates),
    )
    margins = requirement(found[3], initial_ppm, maintenance_ppm, *fees[:3])
    groups = sorted(set(cast(Any, underlying).tolist()))
    by_group = [space.worst[groups], space.worst_point[groups], space.basis[groups]]
    losses = space.losses[:count].copy()
    vectors = space.vectors[groups][:, :points].flatten()
    for values in (by_group[0], by_group[2], losses, vectors):
        _scale(values, shift)
    return (*margins, *found, *fees, *by_group, losses, vectors)


def grid_vector(positions: Sequence[Row]) -> tuple[list[int]]:
    """Return the sum of lots * row, as ``portfolio.underlying_vector`` adds it."""
    points = len(positions[0]["row"]) if positions else POINTS
    vector, _, _ = _undamped(positions, points)
    return (vector.tolist(),)


def _undamped(positions: Sequence[Row], points: int) -> tuple[Any, int, int]:
    """Return (vector, worst loss, its point) of gains, nothing discounted or damped."""
    rows = [{**row, "expiry": LINEAR, "underlying": 0} for row in positions]
    book = Book(
        column(rows, "lots"),
        column(rows, "underlying"),
        column(rows, "expiry"),
        array([0] * len(rows)),
        row_grid(rows, points),
    )
    space: Any = new_workspace()
    terms = _terms([], array([PPM] * points), points, empty(UNDERLYINGS_MAX, SCENARIOS_MAX))
    worst, _, _, shift = _risk(space, book, terms, len(rows), points, 0, 1, 0)
    found = np.append(space.vectors[0, :points], worst)
    _scale(found, shift)
    return found[:points], int(found[points]), int(space.worst_point[0]) if rows else -1


# ---- SPAN


@law_entry
def _span_points(
    prices: Rows[int],
    volatilities: Rows[int],
    covered: Rows[int],
    price_scan: int,
    volatility_scan: int,
    extreme_ppm: int,
    extreme_covered_ppm: int,
) -> None:
    charges.span_points(
        prices,
        volatilities,
        covered,
        price_scan,
        volatility_scan,
        extreme_ppm,
        extreme_covered_ppm,
    )


@law_entry
def span_requirement(
    scan_risk: int,
    spread_charge: int,
    delivery_charge: int,
    spread_credit: int,
    short_option_minimum: int,
    net_option_value: int,
) -> tuple[int, int]:
    """Return ``charges.span_requirement``."""
    return charges.span_requirement(
        scan_risk,
        spread_charge,
        delivery_charge,
        spread_credit,
        short_option_minimum,
        net_option_value,
    )


@law_entry
def _composite_delta(deltas: Rows[int], weights: Rows[int]) -> int:
    return charges.composite_delta(deltas, weights, deltas.shape[0])


@law_entry
def capped_share(amount: int, numerator: int, denominator: int) -> int:
    """Return ``charges.capped_share``."""
    return charges.capped_share(amount, numerator, denominator)


@law_entry
def _nearest(value: int, numerator: int, denominator: int) -> int:
    # Of a magnitude, so that both extremes round alike.
    share, _ = mul_div_floor(2 * abs(value), numerator, denominator)
    return (share + 1) // 2 if value > 0 else -((share + 1) // 2)


def span_scan_points(
    price_scan: int, volatility_scan: int, extreme_ppm: int, extreme_covered_ppm: int
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return ``charges.span_points``, and the gains of one lot whose value moves as the price."""
    prices, volatilities, covered = (empty(SPAN_POINTS) for _ in range(3))
    _span_points(
        prices,
        volatilities,
        covered,
        price_scan,
        volatility_scan,
        extreme_ppm,
        extreme_covered_ppm,
    )
    moves, parts = prices.tolist(), covered.tolist()
    gains = [_nearest(move, part, PPM) for move, part in zip(moves, parts, strict=True)]
    return moves, volatilities.tolist(), parts, gains


def composite_delta(delta_ppm: Sequence[int], weight_ppm: Sequence[int]) -> int:
    """Return ``charges.composite_delta``."""
    return _composite_delta(array(delta_ppm), same_length("weight_ppm", weight_ppm, len(delta_ppm)))


def span_margin(
    positions: Sequence[Row],
    spread_charge: int,
    delivery_charge: int,
    spread_credit: int,
    short_option_minimum: int,
) -> tuple[Any, ...]:
    """Return SPAN margin from arrays of gains: the worst point is found on undamped vectors."""
    vector, scan, where = _undamped(positions, SPAN_POINTS)
    short = sum(max(-row["lots"], 0) for row in positions if row["is_option"])
    minimum = capped_share(short, short_option_minimum, 1)
    held = sum(row["lots"] * row["option_value"] for row in positions)
    risk, margin = span_requirement(
        scan, spread_charge, delivery_charge, spread_credit, minimum, narrow(held)
    )
    delta = sum(row["lots"] * row["composite_delta_ppm"] for row in positions)
    return scan, where, minimum, held, risk, margin, narrow(delta), vector


@law_entry
def _spreads(delta: Rows[int]) -> tuple[int, int]:
    return charges.span_spreads(delta, delta.shape[0])


@law_entry
def _leg_spreads(delta: int, ratio: int, other_side: int, first: int) -> int:
    return charges.span_leg_spreads(delta, ratio, other_side != 0, first)


@law_entry
def _leg_credit(risk: int, delta: int, used: int, credit_ppm: int) -> int:
    return charges.span_leg_credit(risk, delta, used, credit_ppm)


def intra_commodity_charge(deltas: Sequence[int], charge_per_spread: int) -> tuple[int, int, int]:
    """Return (charge, spreads, net delta) of ``charges.span_spreads``."""
    spreads, net = _spreads(array(deltas))
    return capped_share(spreads, charge_per_spread, PPM), spreads, net


def inter_commodity_credit(
    legs: Sequence[Row], credit_ppm: int
) -> tuple[int, int, list[int], list[int]]:
    """Return (credit, spreads, credit of each leg, delta that each has left)."""
    first = legs[0]["delta"] if legs else 0
    formed = [_leg_spreads(leg["delta"], leg["ratio"], leg["side"], first) for leg in legs]
    spreads = min(formed, default=0) if len(legs) > 1 else 0
    used = [spreads * leg["ratio"] for leg in legs]
    credits = [
        _leg_credit(leg["scan_risk"], leg["delta"], part, credit_ppm)
        for leg, part in zip(legs, used, strict=True)
    ]
    left = [
        leg["delta"] - part if leg["delta"] > 0 else leg["delta"] + part
        for leg, part in zip(legs, used, strict=True)
    ]
    return narrow(sum(credits)), spreads, credits, left


def narrow(value: int) -> int:
    """Return a sum of products of plain integers. Raises OverflowError beyond REQUIREMENT_MAX."""
    if abs(value) > charges.REQUIREMENT_MAX:
        raise OverflowError("expected a sum of 64 bits")
    return value
