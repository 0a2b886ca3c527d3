"""Risk rows: what one lot of each option is worth at every point of a stress grid, as integers.

Rows of one expiry are made together, because the law checks neighbours in strike. Everything is
in micro-quote per lot: strikes, the forward, and the values. At a point the forward moves by
`forward * shock`, rounded to nearest, and each strike's volatility by the expiry's shock (sticky
strike); the discount stays.

Values are made legal and not only close. Of the Black-76 values of all calls at one point, the
highest convex sequence of integers below them is taken that is the upper envelope of lines with
integer slope per unit of strike, the unit being what all strikes' gaps are multiples of. The
maximum of such lines is an integer at every strike, convex and non-increasing by construction,
exactly and whatever the gaps. A second set of lines keeps the values at or above the discounted
intrinsic value. Puts likewise. Where the smile itself allows arbitrage, this removes it; `repair` says how
far any value was moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearing.units import PPM, PRICE_MAX
from risk import black76
from risk.black76 import Floats
from risk.grid import CENTRE, STRESS_GRID, GridPoint, volatility_shocks_ppm

__all__ = ["Integers", "RiskRows", "option_rows", "row_faults"]

Integers = NDArray[np.int64]

ROW_MAX: Final = 1 << 50
DISCOUNT_SCALE: Final = 10**9
DAYS_PER_YEAR: Final = 365


@dataclass(frozen=True, slots=True)
class RiskRows:
    """Rows of one expiry.

    Attributes:
        strike: micro-quote per lot, in the order given.
        is_call: boolean.
        values: (options, points) micro-quote per lot, 0 .. 2^50.
        forward: micro-quote per lot.
        discount: value now of 10^9 at expiry.
        points: the grid.
        repair: largest distance of any value from its model value, micro-quote per lot.
        parity_residual: largest |call - put - discount * (forward - strike)| where both are there.
    """

    strike: Integers
    is_call: NDArray[np.bool_]
    values: Integers
    forward: int
    discount: int
    points: tuple[GridPoint, ...]
    repair: int
    parity_residual: int

    @property
    def marks(self) -> Integers:
        """Values at the stress grid's centre, where nothing moves."""
        return np.asarray(self.values[:, CENTRE])


def option_rows(
    forward: int,
    discount: int,
    years: float,
    strike: ArrayLike,
    is_call: ArrayLike,
    volatility: ArrayLike,
    *,
    points: Sequence[GridPoint] = STRESS_GRID,
    volatility_shocks: tuple[int, int, int] | None = None,
) -> RiskRows:
    """Return the rows of one expiry's options.

    Args:
        forward: micro-quote per lot, 1 .. 2^48.
        discount: value now of 10^9 at expiry, 1 .. 2 * 10^9.
        years: to expiry, above 0.
        strike: micro-quote per lot, 1 .. 2^48, in any order.
        is_call: boolean, of the same length.
        volatility: of each option; a call and a put of one strike must have the same one.
        points: the grid.
        volatility_shocks: ppm for (down, none, up); without it, those of the days to expiry.

    Raises:
        ValueError: an argument is out of its bounds, or a contract stands twice.
    """
    strikes, calls = np.asarray(strike, np.int64), np.asarray(is_call)
    sigma = np.asarray(volatility, np.float64)
    _check(forward, discount, years, strikes, calls, sigma)
    listed, first, place = np.unique(strikes, return_index=True, return_inverse=True)
    smile = sigma[first]
    if not np.array_equal(smile[place], sigma):
        raise ValueError("a call and a put of the same strike must have the same volatility")
    shocks = volatility_shocks or volatility_shocks_ppm(years * DAYS_PER_YEAR)
    forwards = np.array([forward + _share(forward, point.price_ppm) for point in points])
    factors = np.array([1 + shocks[point.volatility] / PPM for point in points])
    factor = discount / DISCOUNT_SCALE
    models, made = [], []
    for call in (True, False):
        model = black76.price(
            forwards[:, None],
            listed,
            years,
            smile * factors[:, None],
            factor,
            call,
        )
        models.append(model)
        made.append(_legal(model, listed, forwards, discount, call))
    side = np.where(calls, 0, 1)
    values = np.stack(made)[side, :, place]
    if values.max(initial=0) > ROW_MAX:
        raise ValueError(f"a value leaves 0 .. 2^50 micro-quote: {values.max()}; use a smaller lot")
    parity = made[0] - made[1] - factor * (forwards[:, None] - listed)
    paired = np.isin(listed, strikes[calls]) & np.isin(listed, strikes[~calls])
    return RiskRows(
        strike=strikes,
        is_call=calls,
        values=values,
        forward=forward,
        discount=discount,
        points=tuple(points),
        repair=int(np.ceil(np.abs(values - np.stack(models)[side, :, place]).max(initial=0))),
        parity_residual=int(np.ceil(np.abs(parity[:, paired]).max(initial=0))),
    )


def _check(
    forward: int,
    discount: int,
    years: float,
    strikes: Integers,
    calls: NDArray[np.bool_],
    sigma: Floats,
) -> None:
    if not 1 <= forward <= PRICE_MAX:
        raise ValueError(f"forward must be 1 .. {PRICE_MAX} micro-quote per lot, but is {forward}")
    if not 1 <= discount <= 2 * DISCOUNT_SCALE:
        raise ValueError(f"discount must be 1 .. {2 * DISCOUNT_SCALE}, but is {discount}")
    if not years > 0:
        raise ValueError(f"years must be above 0, but are {years}")
    if calls.dtype != np.bool_:
        raise ValueError(f"is_call must be boolean, but its type is {calls.dtype}")
    if strikes.ndim != 1 or not strikes.shape == calls.shape == sigma.shape or not len(strikes):
        raise ValueError("strike, is_call and volatility must be of one length, at least 1")
    if strikes.min() < 1 or strikes.max() > PRICE_MAX:
        raise ValueError(f"strikes must be 1 .. {PRICE_MAX} micro-quote per lot")
    if not (np.isfinite(sigma) & (sigma > 0)).all():
        raise ValueError("every volatility must be finite and above 0")
    if len(set(zip(strikes.tolist(), calls.tolist(), strict=True))) < len(strikes):
        raise ValueError("a contract (strike, is_call) stands twice")


def _share(amount: int, ppm: int) -> int:
    """Return `amount * ppm / 10^6` rounded to nearest, halves up."""
    return (2 * amount * ppm + PPM) // (2 * PPM)


def _legal(
    model: Floats, strikes: Integers, forwards: Integers, discount: int, call: bool
) -> Integers:
    """Return integers near `model` (points, strikes): convex, monotone, not below intrinsic."""
    if len(strikes) == 1:
        nearest = np.rint(model).astype(np.int64)
        return np.maximum(nearest, np.maximum(_intrinsic(strikes, forwards, discount, call), 0))
    unit = int(np.gcd.reduce(np.diff(strikes)))
    place = (strikes - strikes[0]) // unit
    intrinsic = _intrinsic(strikes, forwards, discount, call)
    slope = (-1 if call else 1) * discount * unit / DISCOUNT_SCALE
    floors = np.array([np.floor(slope), np.ceil(slope)], np.int64)
    # A call never rises with the strike and never falls faster than the discount; a put mirrors it.
    low, high = min(0, int(floors[0])), max(0, int(floors[1]))
    legal = np.empty(model.shape, np.int64)
    for at, (values, least) in enumerate(zip(model, intrinsic, strict=True)):
        secants = np.clip(np.diff(values) / np.diff(place), low, high)
        slopes = np.unique(np.concatenate([np.floor(secants), np.ceil(secants), [low, high]]))
        line = _envelope(values, place, slopes.astype(np.int64))
        bound = _envelope(least.astype(np.float64), place, floors)
        bound += max(0, int((least - bound).max()))
        legal[at] = np.maximum(line, bound)
    return legal


def _intrinsic(strikes: Integers, forwards: Integers, discount: int, call: bool) -> Integers:
    """Return the least integers not below `discount * (forward - strike)`, negated for puts.

    Amounts are below 2^51 and the discount below 2^31: exact in two limbs of 10^9.
    """
    gap = (forwards[:, None] - strikes) * (1 if call else -1)
    whole, part = np.divmod(gap, DISCOUNT_SCALE)
    return np.asarray(whole * discount - (-part * discount) // DISCOUNT_SCALE)


def _envelope(values: Floats, place: Integers, slopes: Integers) -> Integers:
    """Return the highest of the lines with these slopes that lie below `values`, rounded to them.

    Intercepts are rounded to nearest, so that a value may be passed by half a micro-quote.
    """
    rise = slopes[:, None] * place
    intercepts = np.floor((values - rise).min(axis=1) + 0.5).astype(np.int64)
    return np.asarray((intercepts[:, None] + rise).max(axis=0))


def row_faults(rows: RiskRows, parity_epsilon: int) -> list[str]:
    """Return what in the rows breaks the law's checks, in exact integers; empty if nothing does.

    Args:
        parity_epsilon: micro-quote per lot by which parity may be missed.
    """
    faults = []
    sides = {True: np.flatnonzero(rows.is_call), False: np.flatnonzero(~rows.is_call)}
    for at, point in enumerate(rows.points):
        moved = rows.forward + _share(rows.forward, point.price_ppm)
        by_side: dict[bool, dict[int, int]] = {}
        for call, indices in sides.items():
            held = sorted((int(rows.strike[i]), int(rows.values[i, at])) for i in indices)
            by_side[call] = dict(held)
            name = f"point {at}, {'calls' if call else 'puts'}"
            for strike, value in held:
                gap = (moved - strike) * (1 if call else -1)
                if value < 0 or value * DISCOUNT_SCALE < rows.discount * gap:
                    faults.append(f"{name}: {value} at {strike} is below intrinsic")
            faults += [f"{name}: {fault}" for fault in _shape_faults(held, call)]
        for strike in by_side[True].keys() & by_side[False].keys():
            residual = DISCOUNT_SCALE * (by_side[True][strike] - by_side[False][strike])
            residual -= rows.discount * (moved - strike)
            if abs(residual) > parity_epsilon * DISCOUNT_SCALE:
                faults.append(
                    f"point {at}: parity at {strike} is missed by {residual / DISCOUNT_SCALE}"
                )
    return faults


def _shape_faults(held: list[tuple[int, int]], call: bool) -> list[str]:
    faults = []
    for (strike, value), (following, next_value) in pairwise(held):
        if (next_value - value) * (-1 if call else 1) < 0:
            faults.append(f"not monotone between {strike} and {following}")
    for (k1, v1), (k2, v2), (k3, v3) in zip(held, held[1:], held[2:], strict=False):
        if (v2 - v1) * (k3 - k2) > (v3 - v2) * (k2 - k1):
            faults.append(f"not convex at {k2}")
    return faults
