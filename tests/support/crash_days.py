"""Bad days as files of one-minute bars, made up."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

HEADER = "time_utc,open,high,low,close,volume"
FRIDAY = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def minutes(closes: Iterator[float], start: datetime, wild: float = 0.001) -> Iterator[str]:
    """Yield bars that go from close to close, the extremes a part beyond."""
    last = 0.0
    for place, close in enumerate(closes):
        opened = last or close
        high, low = max(opened, close) * (1 + wild), min(opened, close) * (1 - wild)
        when = start + timedelta(minutes=place)
        prices = ",".join(f"{price:.2f}" for price in (opened, high, low, close))
        yield f"{when:%Y-%m-%dT%H:%M:%SZ},{prices},1.5"
        last = close


def gap_and_recovery(chance: np.random.Generator) -> Iterator[str]:
    """A third and more is gone in one minute, and three quarters of it back within the hour."""
    closes = [4_000.0] * 10 + [2_600.0 + 1_050 * min(1, i / 50) for i in range(70)]
    noise = 1 + 0.004 * chance.standard_normal(len(closes))
    yield from minutes(iter(np.multiply(closes, noise)), FRIDAY)


def slow_bleed(chance: np.random.Generator) -> Iterator[str]:
    """A quarter bleeds away over two hours, and then the swings become ten times as wide."""
    calm = 4_000 * np.cumprod(1 - 0.0024 + 0.0015 * chance.standard_normal(110))
    wild = calm[-1] * np.cumprod(1 - 0.004 + 0.03 * chance.standard_normal(25))
    yield from minutes(iter([*calm, *wild]), FRIDAY, wild=0.02)


def weekend_gap(chance: np.random.Generator) -> Iterator[str]:
    """The feed stops on a Friday, stutters, and comes back on Monday a fifth lower."""
    friday = 4_000 * np.cumprod(1 + 0.001 * chance.standard_normal(30))
    yield from minutes(iter(friday), FRIDAY)
    yield from minutes(iter([float(friday[-1])] * 2), FRIDAY + timedelta(hours=3))
    monday = friday[-1] * 0.8 * np.cumprod(1 - 0.002 + 0.004 * chance.standard_normal(40))
    yield from minutes(iter(monday), FRIDAY + timedelta(hours=63))


DAYS: dict[str, Callable[[np.random.Generator], Iterator[str]]] = {
    each.__name__: each for each in (gap_and_recovery, slow_bleed, weekend_gap)
}


def write_day(folder: Path, name: str, seed: int) -> Path:
    """Write a day's bars and return the path."""
    path = folder / f"{name}.csv"
    path.write_text("\n".join([HEADER, *DAYS[name](np.random.default_rng(seed))]))
    return path
