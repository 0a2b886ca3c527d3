"""Stress grids: the points at which every instrument is valued, as plain integers.

This module is the only source of the presets. The law knows no preset: it reads the points from
its state, where this module's integers were put at genesis or by a change of parameters.

The stress grid has 33 points. The first 27 are a lattice of nine price levels and three levels of
volatility, `index = price level * 3 + volatility level` with volatility down, none, up; then come
six tails at unchanged volatility, whose losses count in part (damped). Point 13 is the mark.
SPAN's 16 points are sixteenths of another kind: thirds of one price range, each with volatility up
and down, and two extremes whose losses count for a third.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clearing.units import PPM

__all__ = [
    "CENTRE",
    "LATTICE_PRICES_PPM",
    "POINTS",
    "STRESS_GRID",
    "TAILS_PPM",
    "VOLATILITY_LEVELS",
    "GridPoint",
    "span_grid",
    "volatility_shocks_ppm",
]

DOWN: Final = 0
NONE: Final = 1
UP: Final = 2
VOLATILITY_LEVELS: Final = 3

LATTICE_PRICES_PPM: Final = (
    -180_000, -135_000, -90_000, -45_000, 0, 45_000, 90_000, 135_000, 180_000,
)  # fmt: skip
# (price shock, damping): low tails the more extreme first, then high tails ascending.
TAILS_PPM: Final = (
    (-660_000, 210_000),
    (-330_000, 420_000),
    (500_000, 277_200),
    (1_000_000, 138_600),
    (2_000_000, 69_300),
    (4_000_000, 34_650),
)
POINTS: Final = len(LATTICE_PRICES_PPM) * VOLATILITY_LEVELS + len(TAILS_PPM)
CENTRE: Final = len(LATTICE_PRICES_PPM) // 2 * VOLATILITY_LEVELS + NONE

# Volatility moves more the nearer the expiry: shock * (30 / days)^power.
REFERENCE_DAYS: Final = 30
VOLATILITY_UP_PPM: Final = 500_000
VOLATILITY_DOWN_PPM: Final = 275_000
NEAR_POWER: Final = 0.30
FAR_POWER: Final = 0.13

SPAN_THIRDS: Final = (0, 1, -1, 2, -2, 3, -3)
EXTREME_MULTIPLE: Final = 3
EXTREME_COVERED_PPM: Final = 330_000


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One point: relative price shock, volatility level, and the part of its loss that counts.

    Attributes:
        price_ppm: relative shock of the price, above -10^6.
        volatility: 0 down, 1 none, 2 up.
        damping_ppm: part of the loss that counts, 1 .. 10^6.
    """

    price_ppm: int
    volatility: int
    damping_ppm: int


STRESS_GRID: Final[tuple[GridPoint, ...]] = (
    *(
        GridPoint(price, level, PPM)
        for price in LATTICE_PRICES_PPM
        for level in (DOWN, NONE, UP)
    ),
    *(GridPoint(price, NONE, damping) for price, damping in TAILS_PPM),
)  # fmt: skip


def volatility_shocks_ppm(days_to_expiry: float) -> tuple[int, int, int]:
    """Return the relative volatility shocks (down, none, up) of an expiry, in ppm.

    Up is `0.5 * (30 / days)^p`, down `0.275 * (30 / days)^p`, with p = 0.3 up to 30 days and 0.13
    beyond; less than one day counts as one. Down stays above -10^6. Raises ValueError below zero.
    """
    if not days_to_expiry >= 0:
        raise ValueError(f"days to expiry must not be below 0, but are {days_to_expiry}")
    days = max(float(days_to_expiry), 1.0)
    power = NEAR_POWER if days <= REFERENCE_DAYS else FAR_POWER
    scale = (REFERENCE_DAYS / days) ** power
    return -round(VOLATILITY_DOWN_PPM * scale), 0, round(VOLATILITY_UP_PPM * scale)


def span_grid(
    price_scan_ppm: int,
    extreme_multiple: int = EXTREME_MULTIPLE,
    extreme_covered_ppm: int = EXTREME_COVERED_PPM,
) -> tuple[GridPoint, ...]:
    """Return SPAN's 16 points for a price scan range; volatility moves by its own scan range.

    Points 1 to 14 are 0, +1/3, -1/3, +2/3, -2/3, +1 and -1 of the range, each with volatility up,
    then down; 15 and 16 are the extremes, up then down, at unchanged volatility.

    Args:
        price_scan_ppm: price scan range, relative; the extreme must stay above -10^6.
        extreme_multiple: of the range, at least 1.
        extreme_covered_ppm: part of an extreme's loss that counts, 1 .. 10^6.
    """
    if not 0 < price_scan_ppm * extreme_multiple < PPM or extreme_multiple < 1:
        raise ValueError(
            f"price scan range {price_scan_ppm} ppm times {extreme_multiple} must lie between "
            f"0 and {PPM} ppm"
        )
    if not 1 <= extreme_covered_ppm <= PPM:
        raise ValueError(f"covered part must be 1 .. {PPM} ppm, but is {extreme_covered_ppm}")
    inner = [
        GridPoint(_third(price_scan_ppm * thirds), level, PPM)
        for thirds in SPAN_THIRDS
        for level in (UP, DOWN)
    ]
    extreme = price_scan_ppm * extreme_multiple
    outer = [GridPoint(sign * extreme, NONE, extreme_covered_ppm) for sign in (1, -1)]
    return (*inner, *outer)


def _third(value: int) -> int:
    """Return a third, rounded to nearest and alike for both signs (a third is never half-way)."""
    nearest = (2 * abs(value) + 3) // 6
    return nearest if value >= 0 else -nearest
