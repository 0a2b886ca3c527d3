"""Listed options valued by a model: from a surface in quotes per unit to the law's integers.

A surface is of one day and one spot; options are listed in micro-quote per lot and valued at
another time and price. The bridge is sticky moneyness: forward and strikes move with the price of
the underlying, volatility is read at the same strike over spot and at the years that are left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike

from clearing.units import PPM
from risk.black76 import Floats
from risk.grid import LATTICE_PRICES_PPM, NONE, VOLATILITY_LEVELS, GridPoint
from risk.rows import DISCOUNT_SCALE, RiskRows, option_rows
from risk.surface import Surface

__all__ = [
    "FlatSurface",
    "ListedRows",
    "Smiles",
    "carry_needed_ppm",
    "confidence_ppm",
    "grid_points",
    "listed_rows",
]

YEAR_MS: Final = 365 * 86_400_000
LATTICE: Final = len(LATTICE_PRICES_PPM) * VOLATILITY_LEVELS
# A smile that no quotes of its own expiry shaped: below what the law takes for certain by default.
BORROWED_PPM: Final = 500_000


class Smiles(Protocol):
    """What a surface has to tell: see `risk.surface.Surface`."""

    @property
    def spot(self) -> float:
        """Price that everything is relative to, quote per unit."""

    def forward(self, years: ArrayLike) -> Floats:
        """Return the forward, quote per unit."""

    def discount(self, years: ArrayLike) -> Floats:
        """Return the value now of one at that time."""

    def volatility(self, strike: ArrayLike, years: ArrayLike) -> Floats:
        """Return the volatility at a strike, quote per unit."""


@dataclass(frozen=True, slots=True)
class FlatSurface:
    """One volatility for everything, no carry and no interest: where no options are quoted."""

    spot: float
    level: float

    def forward(self, years: ArrayLike) -> Floats:
        """Return the spot."""
        return np.full(np.shape(years), self.spot)

    def discount(self, years: ArrayLike) -> Floats:
        """Return one."""
        return np.ones(np.shape(years))

    def volatility(self, strike: ArrayLike, years: ArrayLike) -> Floats:
        """Return the one volatility."""
        return np.full(np.broadcast(strike, years).shape, self.level)


@dataclass(frozen=True, slots=True)
class ListedRows:
    """Rows of one listed expiry, in the order of the options given, and what goes with them.

    Attributes:
        rows: integers in micro-quote per lot.
        reference: index price that they hold at, micro-quote per lot.
        discount_long_ppm, discount_short_ppm: what margin takes of long and owed values.
        confidence_ppm: how well the model knows them: its fit to the quotes, and how far its values
            had to be lowered to be legal.
    """

    rows: RiskRows
    reference: int
    discount_long_ppm: int
    discount_short_ppm: int
    confidence_ppm: int


def grid_points(prices_ppm: Sequence[int], dampings_ppm: Sequence[int]) -> tuple[GridPoint, ...]:
    """Return the points of a stress grid as the law holds it."""
    return tuple(
        GridPoint(price, at % VOLATILITY_LEVELS if at < LATTICE else NONE, damping)
        for at, (price, damping) in enumerate(zip(prices_ppm, dampings_ppm, strict=True))
    )


def listed_rows(
    surface: Smiles,
    reference: int,
    years: float,
    strike: ArrayLike,
    is_call: ArrayLike,
    *,
    points: Sequence[GridPoint],
    volatility_shocks: tuple[int, int, int],
    rate: float = 0.0,
    confidence: int = PPM,
) -> ListedRows:
    """Return rows of one expiry's options at an index price.

    Args:
        reference: index price, micro-quote per lot.
        years: to expiry, above 0.
        strike: micro-quote per lot, in any order.
        is_call: boolean, of the same length.
        points, volatility_shocks: the underlying's stress grid.
        rate: by which interest may be wrong, a year: long values are discounted by it once more,
            owed ones grow by it.
        confidence: the most confidence to have, ppm.

    Raises:
        ValueError: an argument is out of its bounds, see `risk.rows.option_rows`.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be 0 .. 1 a year, but is {rate}")
    scale = reference / surface.spot
    strikes = np.asarray(strike, np.int64)
    rows = option_rows(
        round(float(surface.forward(years)) * scale),
        round(float(surface.discount(years)) * DISCOUNT_SCALE),
        years,
        strikes,
        is_call,
        surface.volatility(strikes / scale, years),
        points=points,
        volatility_shocks=volatility_shocks,
    )
    return ListedRows(
        rows,
        reference,
        math.floor(math.exp(-rate * years) * PPM),
        min(2 * PPM, math.ceil(math.exp(rate * years) * PPM)),
        min(confidence, confidence_ppm(surface, years), _untouched_ppm(rows, reference)),
    )


def _untouched_ppm(rows: RiskRows, reference: int) -> int:
    """Return 10^6 less the largest repair as a part of the reference in ppm, at least 0.

    A smile that had to be bent so far to be legal does not know what it speaks of.
    """
    return max(0, PPM - int(rows.repair.max()) * PPM // reference)


def confidence_ppm(surface: Smiles, years: float) -> int:
    """Return how well the nearest expiry's smile meets its quotes, 0 .. 10^6.

    It is 10^6 less the fit's error as part of the volatility at the forward, and at most 500,000 if
    the smile is another expiry's. A flat surface claims nothing about quotes: 10^6.
    """
    if not isinstance(surface, Surface):
        return PPM
    near = min(surface.slices, key=lambda one: abs(math.log(one.terms.years / years)))
    at_forward = math.sqrt(max(float(near.smile.variance(0.0)), 1e-12) / near.terms.years)
    found = round(PPM * max(0.0, 1 - near.error / at_forward))
    return min(found, BORROWED_PPM) if near.borrowed else found


def carry_needed_ppm(found: ListedRows, left_ms: int) -> int:
    """Return the least carry parameter, ppm a year, with which the law takes these rows.

    Args:
        left_ms: time to the expiry, above 0.

    The law lets a forward leave the reference price, and a discount one, by that for the time
    left, rounded up.
    """
    moved = _share_up(found.rows.forward - found.reference, found.reference)
    moved = max(moved, _share_up(found.rows.discount - DISCOUNT_SCALE, DISCOUNT_SCALE))
    return (moved - 1) * YEAR_MS // left_ms + 1 if moved else 0


def _share_up(difference: int, whole: int) -> int:
    """Return what part of the whole a difference is, ppm, without its sign, rounded up."""
    return -(-abs(difference) * PPM // whole)
