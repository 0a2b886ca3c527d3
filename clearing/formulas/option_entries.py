"""Options, checks of risk rows, and the PMRM requirement, as entries over plain integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from clearing import charges, grid, option_margin, portfolio
from clearing.compiler import law, law_entry
from clearing.formulas.columns import array, column
from clearing.formulas.portfolio_entries import (
    EXPIRIES_MAX,
    Row,
    empty,
    narrow,
    rights,
    same_length,
)
from clearing.grid import DISCOUNT_SCALE
from clearing.layout import Rows
from clearing.units import PPM
from clearing.wide import mul_div_floor


@law
def checked(value: int, fits: bool) -> int:
    """Return `value`; OverflowError if it did not fit."""
    if not fits:
        raise OverflowError("expected a result of 64 bits")
    return value


# ---- one option


@law_entry
def option_intrinsic(is_call: int, strike: int, price: int) -> int:
    """Return ``grid.intrinsic``."""
    return grid.intrinsic(is_call != 0, strike, price)


@law_entry
def option_payoff(
    lots: int, is_call: int, strike: int, settlement_price: int, price_scale: int
) -> int:
    """Return ``option_margin.option_payoff``."""
    payoff, fits = option_margin.option_payoff(
        lots, is_call != 0, strike, settlement_price, price_scale
    )
    return checked(payoff, fits)


@law_entry
def _standard(numbers: Rows[int]) -> tuple[int, int, int]:
    return option_margin.standard_option_margin(
        numbers[0],
        numbers[1] != 0,
        numbers[2],
        numbers[3],
        numbers[4],
        numbers[5],
        numbers[6],
        numbers[7],
        numbers[8],
        numbers[9],
    )


def standard_option_margin(*numbers: int) -> tuple[int, int, int, int, int]:
    """Return ``option_margin.standard_option_margin`` and the two requirements beside value."""
    value, initial, maintenance = _standard(array(numbers))
    return value, initial, maintenance, value - initial, value - maintenance


@law_entry
def _max_loss(
    lots: Rows[int],
    right: Rows[int],
    strike: Rows[int],
    forward: int,
    unpaired_ppm: int,
) -> tuple[int, int, int]:
    return option_margin.expiry_max_loss(lots, right, strike, lots.shape[0], forward, unpaired_ppm)


def expiry_max_loss(
    options: Sequence[Row],
    forward_price: int,
    unpaired_initial_ppm: int,
    unpaired_maintenance_ppm: int,
) -> tuple[int, int, int, int]:
    """Return (initial, maintenance, price, unpaired calls) of ``option_margin.expiry_max_loss``."""
    book = (column(options, "lots"), column(options, "is_call"), column(options, "strike"))
    initial, where, unpaired = _max_loss(*book, forward_price, unpaired_initial_ppm)
    maintenance, _, _ = _max_loss(*book, forward_price, unpaired_maintenance_ppm)
    return initial, maintenance, where, unpaired


# ---- charges


@law_entry
def _naked(lots: Rows[int], expiry: Rows[int], strike: Rows[int], right: Rows[int]) -> int:
    return charges.naked_short_lots(lots, expiry, strike, right, 0, lots.shape[0])


@law_entry
def notional_share(lots: int, price: int, rate_ppm: int) -> int:
    """Return ``charges.notional_share``."""
    return charges.notional_share(lots, price, rate_ppm)


@law_entry
def concentration_charge(lots: int, threshold_lots: int, price: int, rate_ppm: int) -> int:
    """Return ``charges.concentration_charge``."""
    return charges.concentration_charge(lots, threshold_lots, price, rate_ppm)


@law_entry
def confidence_share(
    lots: int, price: int, confidence_ppm: int, threshold_ppm: int, rate_ppm: int
) -> int:
    """Return ``charges.shortfall_charge`` of what confidence lacks."""
    missing = charges.confidence_missing(confidence_ppm, threshold_ppm)
    return charges.shortfall_charge(lots, price, missing, rate_ppm)


@law_entry
def depeg_charge(lots: int, price: int, peg_ppm: int, threshold_ppm: int, rate_ppm: int) -> int:
    """Return ``charges.shortfall_charge`` of what a peg lacks of its threshold."""
    return charges.shortfall_charge(lots, price, threshold_ppm - peg_ppm, rate_ppm)


def naked_shorts(
    options: Sequence[Row], index_price: int, rate_ppm: int, net_calls_with_puts: int
) -> tuple[int, int]:
    """Return (naked short lots, charge)."""
    lots = _naked(
        column(options, "lots"),
        column(options, "expiry"),
        column(options, "strike"),
        rights(options, net_calls_with_puts),
    )
    return lots, notional_share(lots, index_price, rate_ppm)


# ---- checks of rows


@law_entry
def _bounds(
    row: Rows[int], shocks: Rows[int], is_call: int, strike: int, forward: int, discount: int,
    epsilon: int,
) -> int:  # fmt: skip
    return grid.check_row_bounds(
        row, row.shape[0], is_call != 0, strike, forward, discount, shocks, epsilon
    )


@law_entry
def _pair(
    lower: Rows[int], upper: Rows[int], is_call: int, gap: int, discount: int, epsilon: int
) -> int:
    return grid.check_strike_pair(
        lower, upper, lower.shape[0], is_call != 0, gap, discount, epsilon
    )


@law_entry
def _convex(
    lower: Rows[int], middle: Rows[int], upper: Rows[int], strikes: Rows[int], epsilon: int
) -> int:
    return grid.check_strike_neighbours(
        strikes[0], lower, strikes[1], middle, strikes[2], upper, lower.shape[0], epsilon
    )


@law_entry
def _parity(
    call: Rows[int], put: Rows[int], shocks: Rows[int], strike: int, forward: int, discount: int,
    epsilon: int,
) -> int:  # fmt: skip
    return grid.check_parity(call, put, call.shape[0], strike, forward, discount, shocks, epsilon)


@law_entry
def parity_residual(call: int, put: int, strike: int, forward_price: int, discount: int) -> int:
    """Return ``grid.parity_residual``."""
    return grid.parity_residual(call, put, strike, forward_price, discount)


@law_entry
def _jump(old: Rows[int], new: Rows[int], index_price: int, jump_ppm: int) -> int:
    return grid.check_row_jump(old, new, 0, old.shape[0], index_price, jump_ppm)


@law_entry
def row_age(
    age_ms: int,
    aging_ms: int,
    reduce_only_ms: int,
    fallback_ms: int,
    initial_margin: int,
    aged_ppm: int,
) -> tuple[int, int]:
    """Return (rung, initial margin on it) of ``grid.row_age`` and ``grid.aged_initial``."""
    rung = grid.row_age(age_ms, aging_ms, reduce_only_ms, fallback_ms)
    initial, fits = grid.aged_initial(initial_margin, rung, aged_ppm)
    return rung, checked(initial, fits)


@law_entry
def _fallback(
    row: Rows[int], shocks: Rows[int], is_short: int, is_call: int, strike: int, forward: int,
    mark_price: int,
) -> None:  # fmt: skip
    grid.fallback_row(
        row, row.shape[0], is_short != 0, is_call != 0, strike, forward, mark_price, shocks
    )


@law_entry
def carried_forward(index_price: int, forward: int, reference: int, highest: int) -> int:
    """Return ``grid.carried_forward``."""
    return grid.carried_forward(index_price, forward, reference, highest != 0)


def verdict(point: int) -> tuple[bool, int]:
    """Return (whether no point is at fault, the first at fault or -1)."""
    return point < 0, point


def check_bounds(
    row: Sequence[int], price_shock_ppm: Sequence[int], *numbers: int
) -> tuple[bool, int]:
    """Return the verdict of ``grid.check_row_bounds``."""
    shocks = same_length("price_shock_ppm", price_shock_ppm, len(row))
    return verdict(_bounds(array(row), shocks, *numbers))


def check_monotone(
    lower_row: Sequence[int], upper_row: Sequence[int], *numbers: int
) -> tuple[bool, int]:
    """Return the verdict of ``grid.check_strike_pair``."""
    upper = same_length("upper_row", upper_row, len(lower_row))
    return verdict(_pair(array(lower_row), upper, *numbers))


def check_convex(
    lower_row: Sequence[int],
    middle_row: Sequence[int],
    upper_row: Sequence[int],
    lower_strike: int,
    strike: int,
    upper_strike: int,
    epsilon: int,
) -> tuple[bool, int]:
    """Return the verdict of ``grid.check_strike_neighbours``."""
    points = len(lower_row)
    rows = (
        array(lower_row),
        same_length("middle_row", middle_row, points),
        same_length("upper_row", upper_row, points),
    )
    return verdict(_convex(*rows, array([lower_strike, strike, upper_strike]), epsilon))


def check_parity(
    call_row: Sequence[int], put_row: Sequence[int], price_shock_ppm: Sequence[int], *numbers: int
) -> tuple[bool, int]:
    """Return the verdict of ``grid.check_parity``."""
    points = len(call_row)
    put = same_length("put_row", put_row, points)
    shocks = same_length("price_shock_ppm", price_shock_ppm, points)
    return verdict(_parity(array(call_row), put, shocks, *numbers))


def check_jump(
    old_row: Sequence[int], new_row: Sequence[int], index_price: int, jump_ppm: int
) -> tuple[bool, int]:
    """Return the verdict of ``grid.check_row_jump``."""
    new = same_length("new_row", new_row, len(old_row))
    return verdict(_jump(array(old_row), new, index_price, jump_ppm))


def fallback_row(price_shock_ppm: Sequence[int], *numbers: int) -> list[int]:
    """Return ``grid.fallback_row``."""
    row = empty(len(price_shock_ppm))
    _fallback(row, array(price_shock_ppm), *numbers)
    return cast("list[int]", row.tolist())


# ---- PMRM


@law_entry
def _expiry_pnl(
    pnl: Rows[int],
    held: Rows[int],
    skew: Rows[int],
    now: int,
    long_discount: int,
    short_discount: int,
) -> None:
    for point in range(pnl.shape[0]):
        then = grid.discounted(held[point], long_discount, short_discount)
        pnl[point] += portfolio.skew_loss(then, now) if skew[point] != 0 else then - now


@law_entry
def _add_row(vector: Rows[int], row: Rows[int], lots: int) -> None:
    for point in range(vector.shape[0]):
        vector[point] += lots * row[point]


@law_entry
def _linear_pnl(pnl: Rows[int], shocks: Rows[int], lots: int, price: int, cancelling: int) -> None:
    for point in range(pnl.shape[0]):
        gain, fits = mul_div_floor(cancelling, shocks[point], PPM)
        pnl[point] += lots * grid.linear_pnl(price, shocks[point]) + checked(gain, fits)


@law_entry
def _damped(pnl: Rows[int], damps: Rows[int]) -> None:
    for point in range(pnl.shape[0]):
        pnl[point] = grid.damped(pnl[point], damps[point])


@law_entry
def _pmrm_worst(pnl: Rows[int], whole: Rows[int], basis: int) -> tuple[int, int]:
    return portfolio.worst_scenario(pnl, whole, pnl.shape[0], basis)


@law_entry
def basis_loss(above: int, below: int, now: int, basis_ppm: int) -> int:
    """Return ``portfolio.basis_loss``."""
    return portfolio.basis_loss(above, below, now, basis_ppm)


@law_entry
def _pmrm_margins(
    worst: int,
    initial_ppm: int,
    maintenance_ppm: int,
    contingency: int,
    initial_contingency: int,
    mark_to_market: int,
) -> tuple[int, int]:
    initial = charges.capped_share(-worst, initial_ppm, PPM)
    maintenance = charges.capped_share(-worst, maintenance_ppm, PPM)
    return (
        mark_to_market - contingency - initial_contingency - initial,
        mark_to_market - contingency - maintenance,
    )


def _sums(rows: Sequence[Row], name: str) -> int:
    return narrow(sum(row["lots"] * row[name] for row in rows))


def _pmrm_expiry(pnl: Any, skew: Rows[int], rows: Sequence[Row], terms: Row) -> int:
    """Add the gains of one expiry's options at each scenario; return its basis contingency."""
    held = empty(len(pnl))
    for row in rows:
        _add_row(held, same_length("row", row["row"], len(pnl)), row["lots"])
    now = _sums(rows, "value")
    _expiry_pnl(pnl, held, skew, now, terms["long_discount"], terms["short_discount"])
    return basis_loss(
        _sums(rows, "basis_above"), _sums(rows, "basis_below"), now, terms["basis_ppm"]
    )


def _pmrm_contingencies(
    options: Sequence[Row],
    linear: Sequence[Row],
    collateral: Sequence[Row],
    expiries: Sequence[Row],
    rates: dict[str, int],
) -> list[int]:
    """Return naked lots, (maintenance, initial) of shorts, linear, collateral, then confidence."""
    spot = rates["spot_price"]
    naked, naked_cost = naked_shorts(
        options, spot, rates["naked_maintenance_ppm"], rates["net_calls_with_puts"]
    )
    found = [naked, naked_cost, notional_share(naked, spot, rates["naked_initial_ppm"])]
    for name in ("linear_maintenance_ppm", "linear_initial_ppm"):
        found.append(sum(notional_share(row["lots"], spot, rates[name]) for row in linear))
    for name in ("haircut_ppm", "initial_haircut_ppm"):
        found.append(sum(charges_share(row["value"], row[name]) for row in collateral))
    found.append(_pmrm_doubt(options, linear, collateral, expiries, rates))
    narrow(sum(found))
    return found


def _pmrm_doubt(
    options: Sequence[Row],
    linear: Sequence[Row],
    collateral: Sequence[Row],
    expiries: Sequence[Row],
    rates: dict[str, int],
) -> int:
    """Return what low confidence costs; the account's is the most of an expiry's or asset's."""
    spot, most = rates["spot_price"], rates["confidence_ppm"]
    of_expiry = [min(most, row["confidence_ppm"]) for row in expiries]
    of_expiry += [most] * EXPIRIES_MAX
    priced = [(row["lots"], spot, of_expiry[row["expiry"]]) for row in options]
    priced += [(row["lots"], spot, most) for row in linear]
    priced += [(row["value"], 1, min(most, row["confidence_ppm"])) for row in collateral]
    limits = rates["confidence_threshold_ppm"], rates["confidence_rate_ppm"]
    return sum(
        confidence_share(lots, price, confidence, *limits) for lots, price, confidence in priced
    )


@law_entry
def charges_share(value: int, rate_ppm: int) -> int:
    """Return ``charges.capped_share`` in ppm."""
    return charges.capped_share(value, rate_ppm, PPM)


def pmrm_margin(
    options: Sequence[Row],
    linear: Sequence[Row],
    collateral: Sequence[Row],
    cash: int,
    price_shock_ppm: Sequence[int],
    damp_ppm: Sequence[int],
    skew: Sequence[int],
    expiries: Sequence[Row],
    initial_ppm: int,
    maintenance_ppm: int,
    peg_ppm: int,
    peg_threshold_ppm: int,
    peg_factor_ppm: int,
    **rates: int,
) -> tuple[Any, ...]:
    """Return margins of one underlying in the manner of PMRM, and every number on the way."""
    points = len(price_shock_ppm)
    shocks = array(price_shock_ppm)
    flags = same_length("skew", skew, points)
    pnl = empty(points)
    for row in linear:
        _linear_pnl(pnl, shocks, row["lots"], row["mark_price"], 0)
    for row in collateral:
        _linear_pnl(pnl, shocks, 0, 1, row["value"] if row["cancels_risk"] else 0)
    basis = 0
    plain = {"long_discount": DISCOUNT_SCALE, "short_discount": DISCOUNT_SCALE, "basis_ppm": 0}
    for expiry in sorted({row["expiry"] for row in options}):
        terms = expiries[expiry] if expiry < len(expiries) else plain
        held = [row for row in options if row["expiry"] == expiry]
        basis += _pmrm_expiry(pnl, flags, held, terms)
    undamped = pnl.tolist()
    _damped(pnl, same_length("damp_ppm", damp_ppm, points))
    worst, where = _pmrm_worst(pnl, array([PPM] * points), narrow(basis))
    option_value = _sums(options, "value")
    own = cash + option_value + sum(row["unrealised"] for row in linear)
    own += sum(row["value"] for row in collateral)
    parts = _pmrm_contingencies(options, linear, collateral, expiries, rates)
    factor = initial_ppm + max(0, peg_threshold_ppm - peg_ppm) * peg_factor_ppm // PPM
    initial, maintenance = _pmrm_margins(
        worst, factor, maintenance_ppm, sum(parts[1:6:2]), sum(parts[2:7:2]) + parts[7], narrow(own)
    )
    return (initial, maintenance, own, option_value, worst, where, basis, *parts, factor,
            undamped, pnl.tolist())  # fmt: skip
