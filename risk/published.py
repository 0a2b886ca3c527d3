"""Checking a chain's published Greeks against our own.

The distributor's convention is Black-Scholes on the spot with a flat continuous rate and no
dividends (others may use a yield), time counted in 365-day years from the quotes to the beginning
of the expiry day. Vega and rho are per percentage point, theta per calendar day. Its implied
volatility is that of one side of a strike, so a deep in-the-money quote need not follow from it;
the Greeks always should.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from risk.black76 import Floats, Greeks, spot_greeks
from risk.chain import CLOSE_HOURS, GAMMA_LEAST, HOURS_PER_YEAR, PUBLISHED, Chain

__all__ = ["GREEKS", "Comparison", "Convention", "compare_published", "fit_convention"]

GREEKS: Final = PUBLISHED[1:]
RATE: Final = 0.01
# What a unit of the published number is, in units of ours.
UNIT: Final = {"delta": 1.0, "gamma": 1.0, "vega": 0.01, "theta": 1 / 365, "rho": 0.01}
# Published numbers have seven decimals; a row whose delta is off by more than hundreds of their
# roundings was computed from another volatility than the one that stands beside it.
CONSISTENT_DELTA: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Convention:
    """What published Greeks were computed with: spot, rates per year, hours of the quotes' day."""

    spot: float
    rate: float = RATE
    dividend_yield: float = 0.0
    close_hours: float = CLOSE_HOURS


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against theirs, in the published units.

    Attributes:
        convention: what ours were computed with.
        compared: rows compared.
        incomplete: rows left out because a published number is missing or not positive.
        inconsistent: indices of the rows left out because their Greeks do not follow from their
            own volatility.
        largest: by Greek, the largest absolute difference over the rows compared.
    """

    convention: Convention
    compared: int
    incomplete: int
    inconsistent: NDArray[np.intp]
    largest: Mapping[str, float]


def fit_convention(chain: Chain) -> Convention:
    """Return spot, rates and time of the quotes that the published Greeks themselves tell.

    With Black-Scholes, `vega / (gamma * volatility * years)` is the squared spot; from there the
    four are fitted to delta, vega and rho, robustly. Raises ValueError if fewer than five rows
    have them.
    """
    usable = _complete(chain) & (chain.columns["gamma"] >= GAMMA_LEAST)
    if usable.sum() < 5:
        raise ValueError(f"{usable.sum()} rows have usable published Greeks; at least 5 are needed")
    sigma = chain.columns["implied_volatility"][usable]
    vega, gamma = chain.columns["vega"][usable], chain.columns["gamma"][usable]
    squared = vega / UNIT["vega"] / (gamma * sigma * chain.years[usable])
    start = float(np.sqrt(np.median(squared)))

    def convention(parameters: Floats) -> Convention:
        spot, rate, dividends, day = map(float, parameters)
        return Convention(spot * start, rate, dividends, day * 24)

    def residuals(parameters: Floats) -> Floats:
        ours = _ours(chain, convention(parameters), usable)
        theirs = {name: chain.columns[name][usable] for name in GREEKS}
        return np.concatenate(
            [
                (ours.delta - theirs["delta"]) * 1e4,
                (ours.vega * UNIT["vega"] / theirs["vega"] - 1) * 1e4,
                (ours.rho * UNIT["rho"] - theirs["rho"]) / start * 1e6,
            ]
        )

    fitted = least_squares(residuals, [1.0, RATE, 0.0, CLOSE_HOURS / 24], loss="soft_l1")
    return convention(fitted.x)


def compare_published(chain: Chain, convention: Convention) -> Comparison:
    """Compare every complete row's published Greeks with ours at its published volatility."""
    complete = _complete(chain)
    ours = _ours(chain, convention, complete)
    differences = {
        name: np.abs(getattr(ours, name) * UNIT[name] - chain.columns[name][complete])
        for name in GREEKS
    }
    consistent = differences["delta"] <= CONSISTENT_DELTA
    return Comparison(
        convention=convention,
        compared=int(consistent.sum()),
        incomplete=int((~complete).sum()),
        inconsistent=np.flatnonzero(complete)[~consistent],
        largest={
            name: float(difference[consistent].max(initial=0.0))
            for name, difference in differences.items()
        },
    )


def _complete(chain: Chain) -> NDArray[np.bool_]:
    finite = np.all([np.isfinite(chain.columns[name]) for name in PUBLISHED], axis=0)
    positive = (chain.columns["implied_volatility"] > 0) & (chain.columns["vega"] > 0)
    return np.asarray(finite & positive)


def _ours(chain: Chain, convention: Convention, rows: NDArray[np.bool_]) -> Greeks:
    days = (chain.expiry[rows] - np.datetime64(chain.as_of)).astype(np.float64)
    return spot_greeks(
        convention.spot,
        chain.strike[rows],
        (days * 24 - convention.close_hours) / HOURS_PER_YEAR,
        chain.columns["implied_volatility"][rows],
        convention.rate,
        convention.dividend_yield,
        chain.is_call[rows],
    )
