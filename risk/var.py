"""Value at Risk and Expected Shortfall, and the tests of whether forecasts of them held.

Losses are positive. At level p over n losses the tail is the `k = ceil(n (1 - p))` largest; Value
at Risk is the k-th largest, Expected Shortfall the mean of the k largest, as in the law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from risk.black76 import Floats

__all__ = [
    "ESTest",
    "LikelihoodRatio",
    "acerbi_szekely",
    "conditional_coverage",
    "expected_shortfall",
    "independence",
    "kupiec",
    "tail_count",
    "value_at_risk",
]

# The 5 % critical value of Z2 at level 0.975 over 250 days, near the same for any law of returns
# (Acerbi and Szekely, 2014). Over more days it is a stricter test, at 0.99 a laxer one.
Z2_CRITICAL: Final = -0.70


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A test: its statistic, the chance of one at least as large if forecasts are right."""

    statistic: float
    p_value: float
    degrees: int


@dataclass(frozen=True, slots=True)
class ESTest:
    """Acerbi-Szekely Z2: 0 expected, negative if shortfalls were worse than forecast.

    `rejected` tells whether it is below -0.70, the 5 % critical value.
    """

    statistic: float
    rejected: bool


def tail_count(count: int, level: float) -> int:
    """Return how many of `count` losses are the tail at a level in 0 .. 1, at least one."""
    if count < 1 or not 0 < level < 1:
        raise ValueError(f"count must be at least 1 and level in 0 .. 1, not {count}, {level}")
    # 0.99 is not 99 hundredths in binary; the decimal that was written is meant.
    return max(1, math.ceil(count * (1 - Fraction(str(level)))))


def _tail(losses: ArrayLike, level: float) -> Floats:
    series = np.asarray(losses, np.float64)
    if series.ndim != 1 or not np.isfinite(series).all():
        raise ValueError("losses must be one row of finite numbers")
    return np.sort(series)[::-1][: tail_count(len(series), level)]


def value_at_risk(losses: ArrayLike, level: float) -> float:
    """Return the smallest loss of the tail."""
    return float(_tail(losses, level)[-1])


def expected_shortfall(losses: ArrayLike, level: float) -> float:
    """Return the mean loss of the tail; never below Value at Risk."""
    return float(_tail(losses, level).mean())


def _hits(exceedances: ArrayLike) -> list[bool]:
    hits = np.asarray(exceedances)
    if hits.ndim != 1 or hits.dtype != np.bool_ or len(hits) < 2:
        raise ValueError("exceedances must be one row of at least two booleans")
    return [bool(hit) for hit in hits]


def _bernoulli(misses: int, hits: int, chance: float) -> float:
    """Return the log-likelihood of independent outcomes, with 0 ln 0 = 0."""
    total = 0.0
    if misses:
        total += misses * math.log1p(-chance) if chance < 1 else -math.inf
    if hits:
        total += hits * math.log(chance) if chance > 0 else -math.inf
    return total


def _ratio(restricted: float, free: float, degrees: int) -> LikelihoodRatio:
    statistic = max(0.0, -2 * (restricted - free))
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, degrees)), degrees)


def kupiec(exceedances: ArrayLike, level: float) -> LikelihoodRatio:
    """Test the proportion of failures: were there as many exceedances as 1 - level promises?

    `LR = -2 ln[(1-q)^(n-x) q^x / ((1-x/n)^(n-x) (x/n)^x)]`, chi-squared with 1 degree (P. Kupiec,
    1995); q is 1 - level.
    """
    hits = _hits(exceedances)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, but is {level}")
    x, n = sum(hits), len(hits)
    return _ratio(_bernoulli(n - x, x, 1 - level), _bernoulli(n - x, x, x / n), 1)


def independence(exceedances: ArrayLike) -> LikelihoodRatio:
    """Test whether an exceedance makes one on the next day likelier (P. Christoffersen, 1998).

    Compares one chance for all days with one after a quiet day and another after an exceedance;
    chi-squared with 1 degree. Without any exceedance before the last day it cannot tell: 0.
    """
    hits = _hits(exceedances)
    counts = [[0, 0], [0, 0]]
    for before, after in pairwise(hits):
        counts[before][after] += 1
    (n00, n01), (n10, n11) = counts
    overall = (n01 + n11) / (len(hits) - 1)
    free = sum(
        _bernoulli(misses, x, x / (misses + x))
        for misses, x in ((n00, n01), (n10, n11))
        if misses + x
    )
    return _ratio(_bernoulli(n00 + n10, n01 + n11, overall), free, 1)


def conditional_coverage(exceedances: ArrayLike, level: float) -> LikelihoodRatio:
    """Test the number and the independence of exceedances together: the sum, with 2 degrees."""
    statistic = kupiec(exceedances, level).statistic + independence(exceedances).statistic
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, 2)), 2)


def acerbi_szekely(
    losses: ArrayLike, value_at_risk: ArrayLike, shortfall: ArrayLike, level: float
) -> ESTest:
    """Test forecasts of Expected Shortfall: `Z2 = 1 - sum(loss / ES over exceedances) / (n q)`.

    Args:
        losses: of each day, positive.
        value_at_risk, shortfall: forecasts for the same days, above 0.
        level: of both.
    """
    lost, bound, expected = np.broadcast_arrays(
        *(np.asarray(series, np.float64) for series in (losses, value_at_risk, shortfall))
    )
    if lost.ndim != 1 or not len(lost) or not (expected > 0).all():
        raise ValueError("losses and forecasts must be rows of one length, shortfalls above 0")
    beyond = lost > bound
    statistic = 1 - float((lost[beyond] / expected[beyond]).sum() / (len(lost) * (1 - level)))
    return ESTest(statistic, statistic < Z2_CRITICAL)
