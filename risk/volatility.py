"""Volatility forecasts from daily returns: EWMA and GARCH(1,1), and the floors of margin use.

Conventions: returns are natural logarithms of price ratios, in time order; `deviation[t]` is the
forecast for return t made from the returns before it, and there is one more forecast than returns,
the last being tomorrow's. Deviations are per period (multiply by the root of periods a year).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.special import gammaln

from risk.black76 import Floats

__all__ = [
    "EWMA_DECAY",
    "Garch",
    "InnovationLaw",
    "ewma",
    "fit_garch",
    "floored",
    "log_returns",
]

EWMA_DECAY: Final = 0.94  # RiskMetrics' daily decay
WARM_UP: Final = 25
GARCH_RETURNS_MIN: Final = 100
PERSISTENCE_MAX: Final = 0.9999
FREEDOM_RANGE: Final = (2.1, 200.0)
DECAY_PPM: Final = 100_000  # a margin volatility falls at most 10 % a day
FLOOR_QUANTILE: Final = 0.25

InnovationLaw = Literal["normal", "student"]


def log_returns(prices: ArrayLike) -> Floats:
    """Return ln(price[t + 1] / price[t]); every price must be finite and above 0."""
    series = np.asarray(prices, np.float64)
    if series.ndim != 1 or len(series) < 2:
        raise ValueError("at least two prices in one row are needed")
    if not (np.isfinite(series) & (series > 0)).all():
        raise ValueError("every price must be finite and above 0")
    return np.diff(np.log(series))


def _returns(returns: ArrayLike, least: int) -> Floats:
    series = np.asarray(returns, np.float64)
    if series.ndim != 1 or len(series) < least:
        raise ValueError(f"at least {least} returns in one row are needed, not {series.shape}")
    if not np.isfinite(series).all():
        raise ValueError("every return must be finite")
    return series


def _filtered(start: float, constant: float, weight: float, decay: float, r: Floats) -> Floats:
    """Return variances v[0] = start, v[t + 1] = constant + weight * r[t]^2 + decay * v[t]."""
    shocks = constant + weight * r * r
    tail, _ = lfilter([1.0], [1.0, -decay], shocks, zi=[decay * start])
    return np.concatenate([[start], tail])


def ewma(returns: ArrayLike, decay: float = EWMA_DECAY) -> Floats:
    """Return exponentially weighted deviations, one more than returns.

    The first forecast is the root mean square of the first 25 returns, which is therefore known
    to nobody on those days: leave them out of a back-test. `decay` is in 0 .. 1, exclusive.
    """
    if not 0 < decay < 1:
        raise ValueError(f"decay must be between 0 and 1, but is {decay}")
    series = _returns(returns, 1)
    start = float(np.mean(series[:WARM_UP] ** 2))
    return np.sqrt(_filtered(start, 0.0, 1 - decay, decay, series))


@dataclass(frozen=True, slots=True)
class Garch:
    """`v[t + 1] = omega + alpha * (r[t] - mean)^2 + beta * v[t]` (T. Bollerslev, 1986).

    Attributes:
        omega: above 0, in squared return.
        alpha, beta: not below 0, their sum below 1.
        mean: of the returns.
        freedom: degrees of the Student law of the innovations (scaled to variance 1), or infinity
            for the normal law.
        log_likelihood: of the returns fitted to.
    """

    omega: float
    alpha: float
    beta: float
    mean: float
    freedom: float
    log_likelihood: float

    @property
    def long_run(self) -> float:
        """Deviation that forecasts return to."""
        return float(np.sqrt(self.omega / (1 - self.alpha - self.beta)))

    def deviations(self, returns: ArrayLike) -> Floats:
        """Return the forecasts for these returns and the one after them."""
        series = _returns(returns, 1) - self.mean
        start = self.long_run**2
        return np.sqrt(_filtered(start, self.omega, self.alpha, self.beta, series))


def fit_garch(returns: ArrayLike, law: InnovationLaw = "normal") -> Garch:
    """Return the GARCH(1,1) of the greatest likelihood, for normal or Student innovations.

    Raises ValueError for fewer than 100 returns or returns that never move.
    """
    series = _returns(returns, GARCH_RETURNS_MIN)
    mean, scale = float(series.mean()), float(series.std())
    if scale == 0:
        raise ValueError("the returns never move: there is no volatility to fit")
    standard = (series - mean) / scale

    def unpack(free: Floats) -> tuple[float, float, float, float]:
        """Long-run variance, alpha, beta (sum below one) and freedom from free numbers."""
        persistence = PERSISTENCE_MAX / (1 + np.exp(-free[1]))
        alpha = persistence / (1 + np.exp(-free[2]))
        low, high = FREEDOM_RANGE
        freedom = low + (high - low) / (1 + np.exp(-free[3])) if law == "student" else np.inf
        return float(np.exp(free[0])), float(alpha), float(persistence - alpha), float(freedom)

    def loss(free: Floats) -> float:
        variance, alpha, beta, freedom = unpack(free)
        filtered = _filtered(variance, variance * (1 - alpha - beta), alpha, beta, standard)[:-1]
        return -_log_likelihood(standard, filtered, freedom)

    size = 4 if law == "student" else 3
    starts = [np.array([0.0, p, a, -3.5][:size]) for p, a in ((4.0, -2.5), (2.0, -1.5), (1.0, 0.0))]
    bounds = [(-5.0, 5.0), (-10.0, 12.0), (-10.0, 10.0), (-12.0, 10.0)][:size]
    found = [minimize(loss, start, method="SLSQP", bounds=bounds) for start in starts]
    best = min(found, key=lambda result: float(result.fun))
    variance, alpha, beta, freedom = unpack(best.x)
    omega = variance * (1 - alpha - beta) * scale**2
    likelihood = -float(best.fun) - len(series) * float(np.log(scale))
    return Garch(omega, alpha, beta, mean, freedom, likelihood)


def _log_likelihood(standard: Floats, variance: Floats, freedom: float) -> float:
    """Return the log-likelihood of innovations with these variances."""
    squared = standard**2 / variance
    if np.isinf(freedom):
        return float(-0.5 * np.sum(np.log(2 * np.pi * variance) + squared))
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2)
    constant -= 0.5 * np.log(np.pi * (freedom - 2))
    tail = (freedom + 1) / 2 * np.log1p(squared / (freedom - 2))
    return float(np.sum(constant - 0.5 * np.log(variance) - tail))


def floored(
    deviations: ArrayLike,
    *,
    floor_quantile: float = FLOOR_QUANTILE,
    decay_ppm: int = DECAY_PPM,
    history: int = WARM_UP,
) -> Floats:
    """Return forecasts fit for margins: up at once, down slowly, never below a long-run quantile.

    `out[t] = max(deviation[t], (1 - decay) * out[t - 1], quantile of deviations up to t)`. So a
    calm never lets margin fall by more than 10 % a day, nor below what is usual, and a storm after
    a calm asks for less new margin at once.

    Args:
        floor_quantile: of all forecasts so far, 0 .. 1.
        decay_ppm: largest fall a period, 0 .. 10^6.
        history: forecasts that must be there before the quantile counts.
    """
    raw = np.asarray(deviations, np.float64)
    if not 0 <= floor_quantile <= 1 or not 0 <= decay_ppm <= 1_000_000:
        raise ValueError("floor_quantile must be 0 .. 1 and decay_ppm 0 .. 10^6")
    keep = 1 - decay_ppm / 1_000_000
    out = raw.copy()
    for t in range(1, len(raw)):
        out[t] = max(raw[t], keep * out[t - 1])
        if t >= history:
            out[t] = max(out[t], np.quantile(raw[: t + 1], floor_quantile))
    return out
