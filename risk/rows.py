"""Risk rows: what one lot of each option is worth at every point of a stress grid, as integers.

Rows of one expiry are made together, because the law checks neighbours in strike. Everything is
in micro-quote per lot: strikes, the forward, and the values. At a point the forward moves by
`forward * shock`, rounded to nearest, and each strike's volatility by the expiry's shock (sticky
strike); the discount stays.

Values are legal and not only close: of the Black-76 values of all calls at one point, the greatest
function below them is taken that is convex in the strike and falls neither with it nor faster than
the discount; puts follow by parity, and both are rounded to nearest. So each check of the law
holds with `EPSILON`, the one micro-quote that roundings cost. Where the smile, or the smile under a
shock, allows arbitrage, this removes it; `repair` says how far any value was lowered for it.
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

__all__ = ["EPSILON", "Integers", "RiskRows", "option_rows", "row_faults"]

Integers = NDArray[np.int64]

# Doubles are exact to well below one micro-quote up to here; the law allows somewhat more.
VALUE_MAX: Final = 1 << 49
EPSILON: Final = 1  # micro-quote that values rounded to nearest may miss the law's checks by
DISCOUNT_SCALE: Final = 10**9
DAYS_PER_YEAR: Final = 365


@dataclass(frozen=True, slots=True)
class RiskRows:
    """Rows of one expiry.

    Attributes:
        strike: micro-quote per lot, in the order given.
        is_call: boolean.
        values: (options, points) micro-quote per lot, 0 .. 2^49.
        forward: micro-quote per lot.
        discount: value now of 10^9 at expiry.
        points: the grid.
        repair: of each point, how far any value was lowered to be legal, micro-quote per lot.
    """

    strike: Integers
    is_call: NDArray[np.bool_]
    values: Integers
    forward: int
    discount: int
    points: tuple[GridPoint, ...]
    repair: Integers

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
    model = black76.price(forwards[:, None], listed, years, smile * factors[:, None], factor, True)
    legal = _legal(model, listed, factor)
    parity = factor * (forwards[:, None] - listed)
    by_side = np.rint([legal, np.maximum(legal - parity, 0.0)]).astype(np.int64)
    values = by_side[np.where(calls, 0, 1), :, place]
    if values.max() > VALUE_MAX:
        raise ValueError(f"a value leaves 0 .. 2^49 micro-quote: {values.max()}; use a smaller lot")
    return RiskRows(
        strike=strikes,
        is_call=calls,
        values=values,
        forward=forward,
        discount=discount,
        points=tuple(points),
        repair=np.ceil((model - legal).max(axis=1)).astype(np.int64),
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


def _legal(model: Floats, strikes: Integers, factor: float) -> Floats:
    """Return the greatest legal calls below `model` (points, strikes); real numbers."""
    falling = np.minimum.accumulate(model, axis=1)
    # Not steeper than the discount: with it added, values must rise with the strike.
    risen = falling + factor * strikes
    gentle = np.minimum.accumulate(risen[:, ::-1], axis=1)[:, ::-1] - factor * strikes
    return np.array([_convex(row, strikes) for row in gentle])


def _convex(values: Floats, strikes: Integers) -> Floats:
    """Return the greatest convex function below the values (a lower hull, from left to right)."""
    corners: list[tuple[int, float]] = []
    for x, y in zip(strikes.tolist(), values.tolist(), strict=True):
        while len(corners) > 1:
            (x1, y1), (x2, y2) = corners[-2:]
            if (y2 - y1) * (x - x2) <= (y - y2) * (x2 - x1):
                break
            corners.pop()
        corners.append((x, y))
    return np.asarray(np.interp(strikes, *np.array(corners).T))


def row_faults(rows: RiskRows, epsilon: int = EPSILON) -> list[str]:
    """Return what in the rows breaks the law's checks, in exact integers; empty if nothing does.

    Args:
        epsilon: micro-quote by which intrinsic value, shape and parity may be missed.
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
                gap = max((moved - strike) * (1 if call else -1), 0)
                if value < 0 or (value + epsilon) * DISCOUNT_SCALE < rows.discount * gap:
                    faults.append(f"{name}: {value} at {strike} is below intrinsic")
            shape = _shape_faults(held, 1 if call else -1, rows.discount, epsilon)
            faults += [f"{name}: {fault}" for fault in shape]
        for strike in by_side[True].keys() & by_side[False].keys():
            residual = by_side[True][strike] - by_side[False][strike]
            residual -= rows.discount * (moved - strike) // DISCOUNT_SCALE
            if abs(residual) > epsilon:
                faults.append(f"point {at}: parity at {strike} is missed by {residual}")
    return faults


def _shape_faults(held: list[tuple[int, int]], side: int, discount: int, epsilon: int) -> list[str]:
    """Return the faults of one side by rising strike; `side` is 1 for calls, -1 for puts."""
    faults = []
    for (strike, value), (following, next_value) in pairwise(held):
        fall = side * (value - next_value)
        if fall < -epsilon:
            faults.append(f"not monotone between {strike} and {following}")
        if (fall - 1 - epsilon) * DISCOUNT_SCALE > discount * (following - strike):
            faults.append(f"steeper than the discount between {strike} and {following}")
    for (k1, v1), (k2, v2), (k3, v3) in zip(held, held[1:], held[2:], strict=False):
        if (k3 - k2) * v1 + (k2 - k1) * v3 + (k3 - k1) * epsilon < (k3 - k1) * v2:
            faults.append(f"not convex at {k2}")
    return faults
