"""What the risk service believes of each market: its files, read once, and what follows from them.

A market's prices come from bars (replayed) or, without any, stand at the spot of its chain. Its
volatility comes from an option chain, else from one number, else from its history.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

import numpy as np

from clearing.units import PPM
from novatio.errors import NovatioError
from novatio.feed import AssetSection, MarketSection
from novatio.market import SYMBOLS, Bars, MarketDataError, load_bars, load_bars_csv
from risk.chain import ChainError, read_chain
from risk.listed import FlatSurface, Smiles
from risk.proposals import Market
from risk.scenarios import PriceHistory, align, filtered_scenarios
from risk.surface import fit_surface
from risk.var import expected_shortfall
from risk.volatility import WARM_UP, ewma, floored, log_returns

__all__ = [
    "AssetModel",
    "MarketModel",
    "ModelUnusable",
    "Shock",
    "load_asset",
    "load_market",
    "market_of",
    "shocks_of",
]

T = TypeVar("T")

DAYS_PER_YEAR: Final = 365
TAIL_LEVEL: Final = 0.99
VOLUME_DAYS: Final = 30
VOLUME_SCALE: Final = 10**8  # of the volume in bars


class ModelUnusable(NovatioError):
    """A market's files or settings give no model; the text names file, line and column."""

    default_reason: ClassVar[str] = "MODEL_UNUSABLE"
    default_next: ClassVar[str] = "correct the file, then: novatio feed --check"
    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Shock:
    """One scenario: its slot in the law's list, and how far price and volatility move, in ppm."""

    slot: int
    price_ppm: int
    volatility_ppm: int


@dataclass(frozen=True, slots=True)
class MarketModel:
    """A market's files as numbers. `surface` is None where nothing tells a volatility."""

    section: MarketSection
    bars: Bars | None
    surface: Smiles | None
    history: Bars | None

    def quote(self, place: Callable[[int], int]) -> tuple[int, int]:
        """Return index and mark, micro-quote per unit, at the bar that `place(bars)` picks."""
        if self.bars is not None:
            return _quote(self.bars, place)
        assert self.surface is not None
        spot = round(self.surface.spot * PPM)
        return spot, spot


@dataclass(frozen=True, slots=True)
class AssetModel:
    """An asset's price, micro-quote of one unit (10^6 of the law's)."""

    section: AssetSection
    bars: Bars | None

    def quote(self, place: Callable[[int], int]) -> int:
        """Return the price at the bar that `place(bars)` picks."""
        return self.section.price_micro if self.bars is None else _quote(self.bars, place)[1]


def _quote(bars: Bars, place: Callable[[int], int]) -> tuple[int, int]:
    at = place(len(bars))
    mean = int(bars.open[at] + bars.high[at] + bars.low[at] + bars.close[at]) // 4
    return mean, int(bars.close[at])


def load_market(section: MarketSection) -> MarketModel:
    """Read a market's files. Raises ModelUnusable."""
    if not (section.bars or section.chain):
        raise ModelUnusable(
            f"market of underlying {section.underlying}: expected bars or a chain to take prices "
            "from, was neither",
            next_step="set bars or chain in its [[market]]",
        )
    history = _bars(section.history)
    return MarketModel(section, _bars(section.bars), _surface(section, history), history)


def load_asset(section: AssetSection) -> AssetModel:
    """Read an asset's file. Raises ModelUnusable."""
    if not (section.bars or section.price_micro):
        raise ModelUnusable(
            f"asset {section.asset}: expected a price or bars to take it from, was neither",
            next_step="set price_micro or bars in its [[asset]]",
        )
    return AssetModel(section, _bars(section.bars))


def _bars(source: str) -> Bars | None:
    if not source:
        return None
    if source in SYMBOLS:
        return load_bars(source)
    return _read(source, lambda: load_bars_csv(source), "correct the line")


def _surface(section: MarketSection, history: Bars | None) -> Smiles | None:
    if section.chain:
        chain = _read(
            section.chain,
            lambda: read_chain(section.chain, strict=section.strict),
            "correct or drop the line, or set strict = false in [[market]] to leave such rows out",
        )
        return _read(section.chain, lambda: fit_surface(chain), "add quotes near the money")
    if section.volatility_ppm:
        return FlatSurface(1.0, section.volatility_ppm / PPM)
    if history is None:
        return None
    deviation, _ = _forecast(history)
    return FlatSurface(1.0, deviation * float(np.sqrt(DAYS_PER_YEAR)))


def _read(source: str, read: Callable[[], T], help: str) -> T:
    try:
        return read()
    except OSError as error:
        raise ModelUnusable(
            f"{source}: expected a readable file, was: {error.strerror or error}",
            next_step="check the path; it is relative to where the feed was started",
        ) from error
    except (ChainError, MarketDataError) as error:
        raise ModelUnusable(str(error), next_step=f"{help}, then: novatio feed --check") from error


def _daily(bars: Bars, name: str) -> PriceHistory:
    """Return the last close of each day (UTC), quote per unit."""
    days = bars.time_ms.astype("datetime64[ms]").astype("datetime64[D]")
    last = np.append(days[1:] != days[:-1], True)
    history = PriceHistory(days[last], bars.close[last] / PPM)
    if len(history.days) <= WARM_UP + 1:
        raise ModelUnusable(
            f"{name}: expected more than {WARM_UP + 1} days of history, was {len(history.days)}",
            next_step="name a longer file of daily bars as history",
        )
    return history


def shocks_of(models: Sequence[MarketModel], count: int) -> dict[int, list[Shock]]:
    """Return up to `count` joint scenarios by underlying, oldest first, aligned by day.

    A day's slot is its number among the common days that can be used, modulo `count`: once there
    are that many, a new day takes the place of the oldest one. Markets without history have none.
    Raises ModelUnusable.
    """
    with_history = [model for model in models if model.history is not None]
    if not with_history:
        return {}
    histories = {
        str(model.section.underlying): _daily(model.history, model.section.history)
        for model in with_history
        if model.history is not None
    }
    try:
        found = filtered_scenarios(histories, count)
        common = len(next(iter(align(histories).values())).days) - 1
    except ValueError as error:
        raise ModelUnusable(f"history: {error}") from error
    usable = common - WARM_UP
    slots = [day % count for day in range(usable - len(found.days), usable)]
    return {
        int(name): [
            Shock(slot, int(price), int(volatility))
            for slot, price, volatility in zip(
                slots, found.price_ppm[:, at], found.volatility_ppm[:, at], strict=True
            )
        ]
        for at, name in enumerate(found.underlyings)
    }


def _forecast(history: Bars) -> tuple[float, float]:
    """Return tomorrow's floored deviation a day, and the shortfall of its tails in deviations."""
    returns = log_returns(_daily(history, history.symbol).prices)
    forecasts = ewma(returns)
    residuals = (returns / forecasts[:-1])[WARM_UP:]
    tail = max(expected_shortfall(side, TAIL_LEVEL) for side in (-residuals, residuals))
    return float(floored(forecasts)[-1]), float(tail)


def _daily_volume(history: Bars) -> int:
    """Return what is traded on a usual day, micro-quote."""
    volume = history.volume[-VOLUME_DAYS:].astype(object) * history.close[-VOLUME_DAYS:]
    return int(sorted(volume.tolist())[len(volume) // 2]) // VOLUME_SCALE


def market_of(models: Sequence[MarketModel], open_interest: int) -> Market:
    """Return what is known of the riskiest of these markets, all of which have a history.

    `open_interest` is that of all of them, micro-quote.
    """
    histories = [model.history for model in models if model.history is not None]
    worst = max(histories, key=lambda history: math.prod(_forecast(history)))
    return Market(*_forecast(worst), open_interest, _daily_volume(worst))
