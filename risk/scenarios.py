"""Joint historical scenarios by filtered simulation, and correlation, as the law stores them.

Each day of the past gives one scenario for all underlyings at once, which keeps what moved
together together. A day's return is divided by the volatility forecast of that day and multiplied
by today's forecast, so that a calm past still gives shocks of today's size (Barone-Adesi et al.,
1999). The law gets integers: a relative price shock and a relative volatility shock in ppm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clearing.units import PPM
from risk.black76 import Floats
from risk.volatility import WARM_UP, ewma, fit_garch, log_returns

__all__ = [
    "SCENARIOS_MAX",
    "PriceHistory",
    "Scenarios",
    "align",
    "ewma_correlation",
    "filtered_scenarios",
]

SCENARIOS_MAX: Final = 500
# A shock of the law is a part of the price: it falls by less than all and rises at most tenfold.
PRICE_SHOCK_MIN: Final = -PPM + 1
SHOCK_MAX: Final = 10 * PPM
CORRELATION_DECAY: Final = 0.97


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Daily prices of one underlying: days ascending without repeats, prices above 0.

    `volatility`, if given, is the implied volatility of the same days; without it the model's own
    forecast stands for it.
    """

    days: NDArray[np.datetime64]
    prices: Floats
    volatility: Floats | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless the series are legal."""
        if len(self.days) != len(self.prices):
            raise ValueError(f"{len(self.days)} days, but {len(self.prices)} prices")
        if (np.diff(self.days.astype("datetime64[D]").astype(np.int64)) <= 0).any():
            raise ValueError("days must ascend without repeats")
        for name, series in (("price", self.prices), ("volatility", self.volatility)):
            if series is None:
                continue
            if len(series) != len(self.days) or not (np.isfinite(series) & (series > 0)).all():
                raise ValueError(f"every day needs a {name}, finite and above 0")


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Joint scenarios, the oldest first.

    Attributes:
        days: of each scenario, the end of its return.
        underlyings: names, in the order of the columns.
        price_ppm: (scenarios, underlyings) relative price shocks.
        volatility_ppm: (scenarios, underlyings) relative volatility shocks.
        deviations: today's forecast of each underlying, per day.
        correlation: (underlyings, underlyings), exponentially weighted.
    """

    days: NDArray[np.datetime64]
    underlyings: tuple[str, ...]
    price_ppm: NDArray[np.int64]
    volatility_ppm: NDArray[np.int64]
    deviations: Floats
    correlation: Floats


def align(histories: Mapping[str, PriceHistory]) -> dict[str, PriceHistory]:
    """Return the histories cut to the days that all of them have, ascending.

    A return between two common days is then over the same days for every underlying, also where
    one market was closed. Raises ValueError if fewer than two days are common.
    """
    if not histories:
        raise ValueError("at least one underlying is needed")
    sets = [history.days.astype("datetime64[D]") for history in histories.values()]
    common = sets[0]
    for days in sets[1:]:
        common = np.intersect1d(common, days)
    if len(common) < 2:
        raise ValueError(f"{', '.join(histories)} have fewer than two days in common")
    cut = {}
    for name, history in histories.items():
        at = np.isin(history.days.astype("datetime64[D]"), common)
        implied = None if history.volatility is None else history.volatility[at]
        cut[name] = PriceHistory(common, history.prices[at], implied)
    return cut


def filtered_scenarios(
    histories: Mapping[str, PriceHistory],
    count: int = SCENARIOS_MAX,
    *,
    model: str = "ewma",
    deviations: Mapping[str, float] | None = None,
    horizon_days: float = 1.0,
) -> Scenarios:
    """Return up to `count` joint scenarios for the next `horizon_days`.

    Args:
        histories: by underlying; aligned by day here.
        count: the most recent days to use, 1 .. 500; fewer come back if the past is shorter.
        model: "ewma" or "garch" (Student innovations), the filter of the returns.
        deviations: today's daily deviation by underlying in place of the model's own, so that a
            floored forecast can be used.
        horizon_days: above 0; shocks grow with its root.

    Raises:
        ValueError: arguments out of bounds, or a past too short for the model.
    """
    if not 1 <= count <= SCENARIOS_MAX:
        raise ValueError(f"count must be 1 .. {SCENARIOS_MAX}, but is {count}")
    if not horizon_days > 0:
        raise ValueError(f"horizon_days must be above 0, but is {horizon_days}")
    aligned = align(histories)
    days = next(iter(aligned.values())).days[1:]
    standard, shocks, today = [], [], []
    for name, history in aligned.items():
        returns = log_returns(history.prices)
        forecasts = _forecasts(returns, model, name)
        residual = returns / forecasts[:-1]
        now = float(forecasts[-1]) if deviations is None else deviations[name]
        logs = np.minimum(residual * now * np.sqrt(horizon_days), np.log1p(SHOCK_MAX / PPM))
        standard.append(residual)
        today.append(now)
        shocks.append((_ppm(np.expm1(logs)), _ppm(_volatility_moves(history, forecasts))))
    # The first forecasts know the returns that they forecast.
    usable = slice(max(WARM_UP, len(days) - count), None)
    if len(days) <= WARM_UP:
        raise ValueError(f"{len(days)} common returns are too few: more than {WARM_UP} are needed")
    residuals = np.column_stack(standard)
    return Scenarios(
        days=days[usable],
        underlyings=tuple(aligned),
        price_ppm=np.column_stack([price for price, _ in shocks])[usable],
        volatility_ppm=np.column_stack([volatility for _, volatility in shocks])[usable],
        deviations=np.array(today),
        correlation=ewma_correlation(residuals[WARM_UP:]),
    )


def _forecasts(returns: Floats, model: str, name: str) -> Floats:
    if model == "ewma":
        forecasts = ewma(returns)
    elif model == "garch":
        forecasts = fit_garch(returns, "student").deviations(returns)
    else:
        raise ValueError(f'model must be "ewma" or "garch", but is "{model}"')
    if not (forecasts > 0).all():
        raise ValueError(f"{name} does not move over its first days: no volatility to divide by")
    return forecasts


def _volatility_moves(history: PriceHistory, forecasts: Floats) -> Floats:
    """Return each day's relative change of the implied volatility, or of the forecast."""
    series = forecasts if history.volatility is None else history.volatility
    return series[1:] / series[:-1] - 1


def _ppm(relative: Floats) -> NDArray[np.int64]:
    return np.clip(np.rint(relative * PPM), PRICE_SHOCK_MIN, SHOCK_MAX).astype(np.int64)


def ewma_correlation(returns: ArrayLike, decay: float = CORRELATION_DECAY) -> Floats:
    """Return the exponentially weighted correlation of the columns, the last row weighing most.

    Means are taken as zero. Symmetric, with ones on the diagonal, and positive semi-definite.
    """
    table = np.asarray(returns, np.float64)
    if table.ndim != 2 or not len(table) or not np.isfinite(table).all():
        raise ValueError("returns must be a table (days, underlyings) of finite numbers")
    if not 0 < decay < 1:
        raise ValueError(f"decay must be between 0 and 1, but is {decay}")
    weights = decay ** np.arange(len(table) - 1, -1, -1.0)
    covariance = (table * weights[:, None]).T @ table
    deviation = np.sqrt(np.diag(covariance))
    if not (deviation > 0).all():
        raise ValueError("a column never moves: it has no correlation")
    correlation = covariance / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)
