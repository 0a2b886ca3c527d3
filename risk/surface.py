"""The volatility surface of a chain: a smile an expiry, interpolated in total variance.

Between two expiries total variance is interpolated on a straight line in time at the same
log-moneyness, so that two smiles free of calendar arbitrage stay so between them. Before the first
expiry and after the last, volatility is that of the nearest one at the same log-moneyness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk.black76 import Floats, greeks, implied_volatility
from risk.chain import Chain, ChainError
from risk.parity import ExpiryTerms
from risk.smile import POINTS_MIN, SVI, butterfly_minimum, check_range, fit_smile

__all__ = ["Slice", "Surface", "fit_surface"]

# An in-the-money quote tells a volatility only if its time value stands out of the noise.
TIME_VALUE_MIN: Final = 2e-4
VOLATILITY_RANGE: Final = (0.005, 5.0)


@dataclass(frozen=True, slots=True)
class Slice:
    """One expiry of the surface.

    Attributes:
        terms: forward and discount.
        smile: SVI in total variance over ln(strike / forward).
        quotes: quotes that it was fitted to.
        error: root of the mean squared difference to their volatilities, weighted by vega.
        borrowed: whether the shape is the nearest expiry's, because the quotes were too few.
    """

    terms: ExpiryTerms
    smile: SVI
    quotes: int
    error: float
    borrowed: bool


@dataclass(frozen=True, slots=True)
class Surface:
    """Slices in ascending order of time, at least one. `skipped` quotes told no volatility."""

    as_of: date
    spot: float
    slices: tuple[Slice, ...]
    skipped: int

    def forward(self, years: ArrayLike) -> Floats:
        """Return the forward, interpolated in its logarithm from the spot on."""
        times = np.array([0.0, *(one.terms.years for one in self.slices)])
        logs = np.log([self.spot, *(one.terms.forward for one in self.slices)])
        t = np.asarray(years, np.float64)
        beyond = np.maximum(t - times[-1], 0) * (logs[-1] - logs[-2]) / (times[-1] - times[-2])
        return np.asarray(np.exp(np.interp(t, times, logs) + beyond))

    def discount(self, years: ArrayLike) -> Floats:
        """Return the discount at the zero rate of the nearest expiries, interpolated."""
        times = [one.terms.years for one in self.slices]
        rates = [one.terms.rate for one in self.slices]
        t = np.asarray(years, np.float64)
        return np.asarray(np.exp(-np.interp(t, times, rates) * t))

    def total_variance(self, moneyness: ArrayLike, years: ArrayLike) -> Floats:
        """Return total variance at ln(strike / forward) and years above 0."""
        k, t = np.broadcast_arrays(np.asarray(moneyness, np.float64), np.asarray(years, np.float64))
        if not (t > 0).all():
            raise ValueError(f"years must be above 0, but one value is {t.min()}")
        times = np.array([one.terms.years for one in self.slices])
        levels = np.array([one.smile.variance(k) for one in self.slices])
        after = np.clip(np.searchsorted(times, t), 1, max(len(times) - 1, 1))
        inside = np.minimum(after, len(times) - 1)
        low = np.take_along_axis(levels, (after - 1)[None], 0)[0]
        high = np.take_along_axis(levels, inside[None], 0)[0]
        gap = times[inside] - times[after - 1]
        weight = np.where(gap > 0, (t - times[after - 1]) / np.where(gap > 0, gap, 1), 0)
        between = low + np.clip(weight, 0, 1) * (high - low)
        return np.asarray(
            np.where(t < times[0], levels[0] * t / times[0],
                     np.where(t > times[-1], levels[-1] * t / times[-1], between))
        )  # fmt: skip

    def volatility(self, strike: ArrayLike, years: ArrayLike) -> Floats:
        """Return the volatility at a strike (quote per unit, above 0) and years above 0."""
        k, t = np.asarray(strike, np.float64), np.asarray(years, np.float64)
        if not (k > 0).all():
            raise ValueError(f"strikes must be above 0, but one is {k.min()}")
        variance = self.total_variance(np.log(k / self.forward(t)), t)
        return np.asarray(np.clip(np.sqrt(np.maximum(variance, 0) / t), *VOLATILITY_RANGE))

    def butterfly(self) -> tuple[float, ...]:
        """Return each slice's least g within three deviations of its forward; < 0 is arbitrage."""
        return tuple(butterfly_minimum(one.smile, check_range(one.smile)) for one in self.slices)

    def calendar(self) -> tuple[float, ...]:
        """Return the least rise of total variance between neighbours; < 0 is arbitrage."""
        rises = []
        for one, following in zip(self.slices, self.slices[1:], strict=False):
            grid = check_range(one.smile)
            rises.append(float((following.smile.variance(grid) - one.smile.variance(grid)).min()))
        return tuple(rises)


def fit_surface(chain: Chain) -> Surface:
    """Fit a surface to a chain's prices.

    Each strike's out-of-the-money side is used where it is quoted, else the other side if its time
    value stands out. An expiry with fewer than five usable quotes takes the shape of the nearest
    that has enough, stretched by the root of time and levelled to its own quotes. Raises
    ChainError if no expiry has a usable quote.
    """
    quotes = [_quotes(chain, terms) for terms in chain.terms]
    full = [at for at, one in enumerate(quotes) if len(one[0]) >= POINTS_MIN]
    used = sum(len(one[0]) for one in quotes)
    if not used:
        raise ChainError(f"no quote of {chain.as_of} tells a volatility")
    smiles: dict[int, SVI] = {}
    for at in full:
        earlier = [smiles[before] for before in full if before < at]
        smiles[at] = fit_smile(*quotes[at], chain.terms[at].years, earlier[-1] if earlier else None)
    slices = []
    for at, terms in enumerate(chain.terms):
        k, sigma, weight = quotes[at]
        smile = smiles.get(at)
        if smile is None:
            smile = _borrowed(chain.terms, quotes, smiles, at)
        error = 0.0
        if len(k):
            missed = np.sqrt(np.maximum(smile.variance(k), 0) / terms.years) - sigma
            error = float(np.sqrt(np.average(missed**2, weights=weight)))
        slices.append(Slice(terms, smile, len(k), error, at not in smiles))
    return Surface(chain.as_of, chain.spot, tuple(slices), len(chain.price) - used)


def _quotes(chain: Chain, terms: ExpiryTerms) -> tuple[Floats, Floats, Floats]:
    """Return log-moneyness, volatility and vega of an expiry's usable quotes, one a strike."""
    rows = chain.rows_of(terms)
    strike, is_call, price = chain.strike[rows], chain.is_call[rows], chain.price[rows]
    sigma = implied_volatility(
        price, terms.forward, strike, terms.years, terms.discount, is_call, strict=False
    )
    out = is_call == (strike >= terms.forward)
    intrinsic = terms.discount * np.abs(terms.forward - strike) * ~out
    low, high = VOLATILITY_RANGE
    usable = np.isfinite(sigma) & (sigma > low) & (sigma < high)
    usable &= out | (price - intrinsic > TIME_VALUE_MIN * terms.forward)
    usable &= out | ~np.isin(strike, strike[out & usable])
    k, sigma = strike[usable], sigma[usable]
    if not len(k):
        return k, sigma, k
    vega = greeks(terms.forward, k, terms.years, sigma, terms.discount, is_call[usable]).vega
    # The wings' quotes are worth something too: otherwise the nearest ones alone shape the smile.
    weight = vega + 0.05 * vega.max()
    return np.log(k / terms.forward), sigma, weight * np.where(out[usable], 1.0, 0.1)


def _borrowed(
    terms: Sequence[ExpiryTerms],
    quotes: Sequence[tuple[Floats, Floats, Floats]],
    smiles: dict[int, SVI],
    at: int,
) -> SVI:
    """Return another expiry's smile at this one's time, levelled to its own quotes, if any."""
    years = terms[at].years
    if smiles:
        near = min(smiles, key=lambda other: abs(np.log(terms[other].years / years)))
        stretch = years / terms[near].years
        shape = smiles[near].scaled(stretch, float(np.sqrt(stretch)))
    else:
        everything = [np.concatenate([one[part] for one in quotes]) for part in (1, 2)]
        flat = float(np.average(everything[0], weights=everything[1]))
        shape = SVI(flat**2 * years, 0.0, 0.0, 0.0, 1.0)
    k, sigma, weight = quotes[at]
    if not len(k):
        return shape
    levels: NDArray[np.float64] = sigma**2 * years / shape.variance(k)
    return shape.scaled(float(np.average(levels, weights=weight)), 1.0)
