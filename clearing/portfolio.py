"""Portfolio margin: stress grid, Expected Shortfall over joint scenarios, and charges.

    vector of an expiry      V[s] = sum of lots * row[s]
    vector of an underlying  P[s] = sum over expiries of (discounted V[s] - V now)
                                    + sum of linear lots * gain[s] - guard
    worst of an underlying   min(0, basis, min over s of floor(damp[s] * P[s]))
    loss of a scenario       - sum over underlyings of P interpolated at the scenario's cell

Sources: SPAN (risk arrays), Derive PMRM (discounts, damped tails, basis), SPAN 2 (the blend of
historical and stress risk). All numbers are micro-quote unless a name says otherwise.

*Width.* Dot products are plain int64: the largest conceivable gross value of the account is
bounded first, in 128 bits. An account beyond GROSS_MAX is not computed wide but in coarse units of
2^shift micro-quote: every term is rounded against the account (by at most 2 units a position,
under 2^-47 of its gross), and results are scaled back, saturating at REQUIREMENT_MAX. So no lots up
to 2^48 and no row up to 2^52 can overflow, and inner loops need no traps.
"""

from enum import IntEnum
from typing import Any, NamedTuple, cast

import numpy as np

from clearing.charges import LINEAR, REQUIREMENT_MAX
from clearing.compiler import kernel, law
from clearing.grid import (
    AXIS,
    DISCOUNT_SCALE,
    LEVEL_ABOVE,
    LEVEL_BELOW,
    POINTS,
    damped,
    unfold,
    valued,
)
from clearing.layout import Grid, Rows
from clearing.units import POSITIONS_MAX, PPM
from clearing.wide import mul_div_ceil, mul_div_floor, product_at_least

SCENARIOS_MAX = 500
TAIL_MAX = 64  # losses that an Expected Shortfall may sum
UNDERLYINGS_MAX = POSITIONS_MAX
BASIS_PPM_MAX = 10 * PPM
GROSS_MAX = 1 << 54  # units; TAIL_MAX losses of three times this still sum within 64 bits
_GROSS_UNIT = 1 << 44  # so coarse that POSITIONS_MAX * 2^48 lots * 2^52 sum within 64 bits


class Method(IntEnum):
    """How risk is measured."""

    WORST = 0
    EXPECTED_SHORTFALL = 1
    BLEND = 2


class Book(NamedTuple):
    """The positions of one account, those of an underlying together, those of an expiry too."""

    lots: Rows[int]  # signed, up to 2^48
    underlying: Rows[int]  # 0 .. UNDERLYINGS_MAX - 1
    expiry: Rows[int]  # index of its Terms, LINEAR for perpetuals and futures
    value: Rows[int]  # of one lot now: the mark of an option, 0 of a linear instrument
    rows: Grid  # position by point: value of one lot, or gain of one lot if linear


class Terms(NamedTuple):
    """What the law's parameters say of expiries, underlyings and points."""

    long_discount: Rows[int]  # of an expiry, 1 / DISCOUNT_SCALE
    short_discount: Rows[int]  # of an expiry, 1 / DISCOUNT_SCALE
    basis_ppm: Rows[int]  # of an expiry, 0 .. BASIS_PPM_MAX
    damp_ppm: Grid  # underlying by point
    cells: Grid  # underlying by scenario, made by `derive_cell`


class Workspace(NamedTuple):
    """Scratch of one measurement, and what it found on the way."""

    expiry: Rows[int]  # POINTS: vector of the expiry at hand
    vectors: Grid  # UNDERLYINGS_MAX by POINTS
    worst: Rows[int]  # UNDERLYINGS_MAX: worst of each, at most 0
    worst_point: Rows[int]  # UNDERLYINGS_MAX: its point, -1 for none, the count of points for basis
    basis: Rows[int]  # UNDERLYINGS_MAX: basis of each, at most 0
    axis: Rows[int]  # AXIS
    losses: Rows[int]  # SCENARIOS_MAX
    largest: Rows[int]  # TAIL_MAX


WORKSPACE_SHAPES = (
    (POINTS,),
    (UNDERLYINGS_MAX, POINTS),
    (UNDERLYINGS_MAX,),
    (UNDERLYINGS_MAX,),
    (UNDERLYINGS_MAX,),
    (AXIS,),
    (SCENARIOS_MAX,),
    (TAIL_MAX,),
)


def new_workspace() -> Workspace:
    """Return a zeroed workspace; one serves any number of measurements, one at a time."""
    return Workspace(*(cast(Any, np.zeros(shape, np.int64)) for shape in WORKSPACE_SHAPES))


@kernel
def _magnitude(rows: Grid, position: int, points: int) -> int:
    """Return max |row[s]|. No step can overflow: rows are within 2^52."""
    row = rows[position]
    if points > row.shape[0]:
        raise IndexError("expected a row as long as the grid")
    most = 0
    for point in range(points):
        most = max(most, row[point], -row[point])
    return most


@kernel
def _rough_magnitude(rows: Grid, position: int, points: int) -> int:
    """Return a number of max |row[s]| .. 2 * max |row[s]| + 1, from all bits of the row together.

    Unlike a maximum it vectorises.
    """
    row = rows[position]
    if points > row.shape[0]:
        raise IndexError("expected a row as long as the grid")
    bits = 0
    for point in range(points):
        bits |= row[point] ^ (row[point] >> 63)
    # Of a negative number the bits are those of its magnitude less one.
    return bits + 1


@kernel
def _clear(values: Rows[int], count: int) -> None:
    for i in range(count):
        values[i] = 0


@kernel
def _add_row(vector: Rows[int], row: Rows[int], lots: int, points: int) -> None:
    """Add lots * row. `unit_shift` found that the whole account's sum is within GROSS_MAX."""
    # Comparing once lets the compiler drop the check of each index, and vectorise.
    if points > vector.shape[0] or points > row.shape[0]:
        raise IndexError("expected a row as long as the grid")
    for point in range(points):
        vector[point] += lots * row[point]


@law
def _add_row_coarse(vector: Rows[int], row: Rows[int], lots: int, points: int, unit: int) -> None:
    for point in range(points):
        term, _ = mul_div_floor(lots, row[point], unit)
        vector[point] += term


@law
def _gross_units(book: Book, count: int, points: int, rough: bool) -> int:
    """Return the sum of |lots| * (max |row| + 1) in units of 2^44, its terms rounded up."""
    gross = 0
    for i in range(count):
        if rough:
            largest = _rough_magnitude(book.rows, i, points)
        else:
            largest = _magnitude(book.rows, i, points)
        term, _ = mul_div_ceil(abs(book.lots[i]), max(largest, abs(book.value[i])) + 1, _GROSS_UNIT)
        gross += term
    return gross


@law
def unit_shift(book: Book, count: int, points: int) -> int:
    """Return the least shift for which the account's gross value is within GROSS_MAX units.

    Gross is the sum of |lots| * (max |row| + 1), its terms rounded up; zero for any account below
    18 thousand million of quote.
    """
    most = GROSS_MAX // _GROSS_UNIT
    # Nearly every account is far below, which is cheap to see.
    if _gross_units(book, count, points, True) < most:
        return 0
    gross = _gross_units(book, count, points, False)
    shift = 0
    while gross >> shift >= most:
        shift += 1
    return shift


@kernel
def _settle_vector(
    vector: Rows[int],
    held: Rows[int],
    now: int,
    long_discount: int,
    short_discount: int,
    points: int,
) -> None:
    """Add discounted held - now. |held| and |now| are within GROSS_MAX, so nothing overflows."""
    if points > vector.shape[0] or points > held.shape[0]:
        raise IndexError("expected a row as long as the grid")
    if long_discount == DISCOUNT_SCALE and short_discount == DISCOUNT_SCALE:
        for point in range(points):
            vector[point] += held[point] - now
        return
    for point in range(points):
        value = held[point]
        factor = short_discount if value < 0 else long_discount
        whole = value // DISCOUNT_SCALE
        rest = value - whole * DISCOUNT_SCALE
        vector[point] += whole * factor + rest * factor // DISCOUNT_SCALE - now


@law
def basis_loss(above: int, below: int, now: int, basis_ppm: int) -> int:
    """Return the basis contingency of an expiry, at most 0: a share of its worse small move.

    floor(min(above - now, below - now, 0) * basis_ppm / 10^6), volatility unchanged.
    """
    loss, fits = mul_div_floor(min(above - now, below - now, 0), basis_ppm, PPM)
    return loss if fits else -REQUIREMENT_MAX


@law
def underlying_vector(
    vector: Rows[int],
    held: Rows[int],
    book: Book,
    terms: Terms,
    first: int,
    end: int,
    points: int,
    shift: int,
    guard: int,
) -> int:
    """Write P of positions first .. end - 1, all of one underlying; return its basis, at most 0.

    `guard` (0 or 1 micro-quote) is charged at every point for each lot, because rows are rounded
    to nearest. Numbers are in units of 2^shift micro-quote, rounded down.
    """
    unit = 1 << shift
    _clear(vector, points)
    basis = 0
    charge = 0
    i = first
    while i < end:
        expiry = book.expiry[i]
        now = 0
        if expiry != LINEAR:
            _clear(held, points)
        # Positions of one expiry stand together.
        while i < end and book.expiry[i] == expiry:
            lots = book.lots[i]
            target = vector if expiry == LINEAR else held
            if shift == 0:
                # No division: the gross value bounds every product.
                _add_row(target, book.rows[i], lots, points)
                now += lots * book.value[i]
                charge += abs(lots) * guard
            else:
                _add_row_coarse(target, book.rows[i], lots, points, unit)
                worth, _ = mul_div_ceil(lots, book.value[i], unit)
                now += worth
                cost, _ = mul_div_ceil(abs(lots), guard, unit)
                charge += cost
            i += 1
        if expiry != LINEAR:
            _settle_vector(
                vector,
                held,
                now,
                terms.long_discount[expiry],
                terms.short_discount[expiry],
                points,
            )
            if points == POINTS:
                basis += basis_loss(
                    held[LEVEL_ABOVE], held[LEVEL_BELOW], now, terms.basis_ppm[expiry]
                )
        elif now != 0:
            _shift_vector(vector, now, points)
    _shift_vector(vector, charge, points)
    return basis


@law
def _shift_vector(vector: Rows[int], amount: int, points: int) -> None:
    for point in range(points):
        vector[point] -= amount


@law
def worst_scenario(
    vector: Rows[int], damp_ppm: Rows[int], points: int, basis: int
) -> tuple[int, int]:
    """Return (min(0, basis, damped vector), where): a point, `points` for basis, -1 if none loses.

    The first of equal points counts.
    """
    worst = min(0, basis)
    where = points if basis < 0 else -1
    for point in range(points):
        if vector[point] < worst:
            value = damped(vector[point], damp_ppm[point])
            if value < worst:
                worst = value
                where = point
    return worst, where


@kernel
def add_scenario_losses(losses: Rows[int], axis: Rows[int], cells: Rows[int], count: int) -> None:
    """Subtract the unfolded vector's value at each cell from `losses`.

    Values are within 3 * GROSS_MAX over all underlyings together, far inside `interpolated`.
    """
    if count > losses.shape[0] or count > cells.shape[0]:
        raise IndexError("expected as many cells as losses")
    for i in range(count):
        losses[i] -= valued(axis, cells[i])


@law
def largest_losses(losses: Rows[int], count: int, tail: int, largest: Rows[int]) -> tuple[int, int]:
    """Return (sum of the `tail` largest losses, the smallest of them); `largest` holds them sorted.

    The sum is at least 0. 1 <= tail <= min(count, TAIL_MAX); losses within 2^56.
    """
    held = 0
    for i in range(count):
        loss = losses[i]
        if held == tail and loss <= largest[tail - 1]:
            continue
        place = min(held, tail - 1)
        while place > 0 and largest[place - 1] < loss:
            largest[place] = largest[place - 1]
            place -= 1
        largest[place] = loss
        held = min(held + 1, tail)
    total = 0
    for i in range(tail):
        total += largest[i]
    return max(total, 0), largest[tail - 1]


@law
def expected_shortfall(total: int, tail: int) -> int:
    """Return ceil(total / tail) of the sum of `tail` losses; for display and for the blend."""
    return -(-total // tail)


@law
def es_at_least(equity: int, tail: int, total: int, shift: int) -> bool:
    """Tell whether equity covers the Expected Shortfall: tail * equity >= total * 2^shift.

    0 <= shift < 62.
    """
    return product_at_least(tail, equity, total, 1 << shift)


@law
def blend(expected: int, worst: int, blend_ppm: int) -> int:
    """Return ceil((x * expected + (1 - x) * worst)), x in ppm; both of 0 .. REQUIREMENT_MAX."""
    # worst + x * (expected - worst) is the same sum, and fits.
    part, _ = mul_div_ceil(expected - worst, blend_ppm, PPM)
    return worst + part


@law
def measured_risk(
    method: int, worst: int, expected: int, blend_ppm: int, offset_cap_ppm: int
) -> int:
    """Return the risk of a portfolio by `method`.

    `worst` is the sum over underlyings, positive; joint scenarios may save at most
    `offset_cap_ppm` of it.
    """
    if method == Method.WORST:
        return worst
    risk = expected if method == Method.EXPECTED_SHORTFALL else blend(expected, worst, blend_ppm)
    floor, _ = mul_div_ceil(worst, PPM - offset_cap_ppm, PPM)
    return max(risk, floor)


@law
def portfolio_risk(
    space: Workspace,
    book: Book,
    terms: Terms,
    count: int,
    points: int,
    scenarios: int,
    tail: int,
    guard: int,
) -> tuple[int, int, int, int]:
    """Return (worst, sum of tail losses, loss at the edge of the tail, shift) of `count` positions.

    Worst is the sum over underlyings, positive. All three are in units of 2^shift micro-quote (see
    the module); `scaled` brings them back. Without scenarios, or on a list of points without
    lattice, the two losses are 0. The workspace then holds vectors, worst points and losses.
    """
    shift = unit_shift(book, count, points)
    joint = scenarios > 0 and points == POINTS
    if joint:
        _clear(space.losses, scenarios)
    worst = 0
    first = 0
    while first < count:
        group = book.underlying[first]
        end = first
        while end < count and book.underlying[end] == group:
            end += 1
        vector = space.vectors[group]
        basis = underlying_vector(
            vector, space.expiry, book, terms, first, end, points, shift, guard
        )
        least, where = worst_scenario(vector, terms.damp_ppm[group], points, basis)
        space.worst[group] = least
        space.worst_point[group] = where
        space.basis[group] = basis
        worst -= least
        if joint:
            unfold(space.axis, vector)
            add_scenario_losses(space.losses, space.axis, terms.cells[group], scenarios)
        first = end
    if not joint:
        return worst, 0, 0, shift
    total, edge = largest_losses(space.losses, scenarios, min(tail, scenarios), space.largest)
    return worst, total, edge, shift


@law
def skew_loss(held: int, now: int) -> int:
    """Return -|value at a skew point - value now|: skew counts against the account both ways."""
    return -abs(held - now)
