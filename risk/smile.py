"""One expiry's volatility smile: SVI, fitted so that no butterfly or calendar spread is free.

Total variance `w = volatility^2 * years` over log-moneyness `k = ln(strike / forward)` is
`w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2))` (J. Gatheral, 2004). A smile has no butterfly
arbitrage where `g = (1 - k w' / 2w)^2 - w'^2 / 4 (1 / w + 1 / 4) + w'' / 2` is not negative, and
no calendar arbitrage against an earlier one where its total variance is not smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from risk.black76 import Floats

__all__ = ["SVI", "butterfly_minimum", "check_range", "fit_smile"]

POINTS_MIN: Final = 5
# Of s, in standard deviations: below, a kink; above, a parabola that runs away beyond the quotes.
WIDTH_MIN: Final = 0.02
WIDTH_MAX: Final = 8.0
SLOPE_MAX: Final = 1.95  # the wings' limit is 2 (R. Lee's moment formula)
PENALTY: Final = 30.0
ROUNDS: Final = 4
REACH_DEVIATIONS: Final = 3.0
GRID_POINTS: Final = 81
# Where m and s may start, in standard deviations.
START_CENTRES: Final = (-3.0, -1.5, -0.75, 0.0, 0.5, 1.0, 1.5, 2.5, 4.0)
START_WIDTHS: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
STARTS: Final = 2


@dataclass(frozen=True, slots=True)
class SVI:
    """Raw SVI parameters; `a` and `b` in total variance, `m` and `s` in log-moneyness."""

    a: float
    b: float
    rho: float
    m: float
    s: float

    def variance(self, moneyness: ArrayLike) -> Floats:
        """Return total variance at log-moneyness."""
        x = np.asarray(moneyness, np.float64) - self.m
        return np.asarray(self.a + self.b * (self.rho * x + np.sqrt(x * x + self.s**2)))

    def scaled(self, variance: float, moneyness: float) -> SVI:
        """Return the smile with total variance and log-moneyness stretched by two factors."""
        b = self.b * variance / moneyness
        return SVI(self.a * variance, b, self.rho, self.m * moneyness, self.s * moneyness)


def butterfly_minimum(smile: SVI, moneyness: Floats) -> float:
    """Return the least value of g over these log-moneynesses; negative means arbitrage."""
    return float(_butterfly(smile, moneyness).min())


def check_range(smile: SVI) -> Floats:
    """Return log-moneynesses over three deviations to each side, where arbitrage is checked.

    Further out a smile is extrapolated, and another expiry must not be bent to its guess.
    """
    reach = REACH_DEVIATIONS * float(np.sqrt(smile.variance(0.0)))
    return np.linspace(-reach, reach, GRID_POINTS)


def _butterfly(smile: SVI, k: Floats) -> Floats:
    x = k - smile.m
    root = np.sqrt(x * x + smile.s**2)
    w = np.maximum(smile.variance(k), 1e-12)
    first = smile.b * (smile.rho + x / root)
    second = smile.b * smile.s**2 / root**3
    shape = (1 - k * first / (2 * w)) ** 2
    return np.asarray(shape - first**2 / 4 * (1 / w + 0.25) + second / 2)


def fit_smile(
    moneyness: Floats,
    volatility: Floats,
    weight: Floats,
    years: float,
    earlier: SVI | None = None,
) -> SVI:
    """Return the SVI smile nearest to the quotes in volatility, with both penalties.

    Args:
        moneyness: log-moneyness of the quotes, at least 5.
        volatility: implied, above 0.
        weight: of each quote, above 0 (its vega, say).
        years: to expiry, above 0.
        earlier: smile of the expiry before, which this one must not pass below.

    Raises:
        ValueError: fewer than 5 quotes.
    """
    if len(moneyness) < POINTS_MIN:
        raise ValueError(
            f"a smile needs at least {POINTS_MIN} quotes, but there are {len(moneyness)}"
        )
    level = float(np.average(volatility, weights=weight)) ** 2 * years
    reach = REACH_DEVIATIONS * np.sqrt(level)
    grid = np.linspace(min(-reach, moneyness.min()), max(reach, moneyness.max()), GRID_POINTS)
    calendar = check_range(earlier) if earlier is not None else grid
    root = np.sqrt(weight / weight.mean())
    pressure = PENALTY

    def residuals(parameters: Floats) -> Floats:
        smile = _smile(parameters, level)
        fitted = np.sqrt(np.maximum(smile.variance(moneyness), 1e-12) / years)
        lean = np.minimum(_butterfly(smile, grid), 0.0)
        parts = [root * (fitted - volatility), pressure * lean / np.sqrt(GRID_POINTS)]
        if earlier is not None:
            below = np.minimum(smile.variance(calendar) - earlier.variance(calendar), 0.0)
            parts.append(pressure * below / level / np.sqrt(GRID_POINTS))
        return np.concatenate(parts)

    starts = _starts(moneyness, volatility, root, years, level)
    results = [least_squares(residuals, start, max_nfev=200) for start in starts]
    parameters = min(results, key=lambda result: float(result.cost)).x
    # A penalty leaves a trace of what it forbids; a harder one wipes it out.
    for _ in range(ROUNDS):
        if (residuals(parameters)[len(moneyness) :] >= -1e-9).all():
            break
        pressure *= 10
        parameters = least_squares(residuals, parameters, max_nfev=300).x
    return _smile(parameters, level)


def _starts(
    moneyness: Floats, volatility: Floats, root: Floats, years: float, level: float
) -> list[Floats]:
    """Return the best free numbers over a lattice of (m, s): the rest of SVI is linear then."""
    variance = volatility**2 * years
    # A difference in variance, as one in volatility.
    scale = root / (2 * volatility * years)
    found: list[tuple[float, Floats]] = []
    for m, s in product(START_CENTRES, START_WIDTHS):
        x = moneyness - m * np.sqrt(level)
        columns = [np.ones_like(x), x, np.sqrt(x * x + s * s * level)]
        design = np.column_stack(columns) * scale[:, None]
        (a, tilt, b), *_ = np.linalg.lstsq(design, variance * scale, rcond=None)
        b = max(b, 1e-6)
        rho = float(np.clip(tilt / b, -0.99, 0.99))
        b = min(b, 0.95 * SLOPE_MAX / (1 + abs(rho)))
        least = max(a + b * s * np.sqrt(level * (1 - rho * rho)), 0.02 * level)
        opening = b * (1 + abs(rho)) / SLOPE_MAX
        free = [
            np.log(least / level),
            np.log(opening / (1 - opening)),
            np.arctanh(rho),
            m,
            np.log(s),
        ]
        start = np.array(free)
        fitted = np.sqrt(_smile(start, level).variance(moneyness) / years)
        found.append((float((((fitted - volatility) * root) ** 2).sum()), start))
    found.sort(key=lambda pair: pair[0])
    return [start for _, start in found[:STARTS]]


def _smile(free: Floats, level: float) -> SVI:
    """Map five free numbers to a legal smile: variance above 0, wings below the moment limit."""
    deviation = np.sqrt(level)
    rho = 0.999 * np.tanh(free[2])
    s = deviation * (WIDTH_MIN + np.exp(np.clip(free[4], -20, np.log(WIDTH_MAX))))
    b = SLOPE_MAX / (1 + np.exp(-np.clip(free[1], -30, 30))) / (1 + abs(rho))
    least = level * np.exp(np.clip(free[0], -20, 5))
    a = least - b * s * np.sqrt(1 - rho * rho)
    return SVI(float(a), float(b), float(rho), float(free[3] * deviation), float(s))
