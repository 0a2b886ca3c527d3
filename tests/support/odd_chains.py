"""Option chains as markets quote them on bad days, made up around one spot."""

import gzip
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from risk import black76

SPOT = 2_040.0
DAY = date(2026, 11, 20)
TICK = 0.05
CLOSE = "expiry,strike,right,open,high,low,close,volume,open_interest,implied_volatility"


def smile(level: float, moneyness: float, years: float) -> float:
    """A skewed smile, steeper the nearer the expiry."""
    x = np.log(moneyness) / np.sqrt(max(years, 1 / 365))
    return float(level * np.sqrt(max(0.05, 1 - 0.4 * x + 0.15 * x * x)))


def quoted(
    days: tuple[int, ...], strikes: object, level: Callable[[float], float], rate: float = 0.03
) -> Iterator[tuple[date, float, str, float]]:
    """Yield (expiry, strike, right, value) of European options."""
    for day in days:
        years = max((day * 24 - 15.25) / 8760, 1e-4)
        forward, discount = SPOT * np.exp(rate * years), np.exp(-rate * years)
        for strike in np.asarray(strikes, float):
            sigma = smile(level(years), strike / forward, years)
            for right in "CP":
                value = black76.price(forward, strike, years, sigma, discount, right == "C")
                yield DAY + timedelta(day), float(strike), right, float(value)


def crossed_quotes(chance: np.random.Generator) -> Iterator[str]:
    """Strikes missing, bids of zero in the wings, quotes crossed and locked."""
    yield "expiry,strike,right,bid,ask,volume,open_interest"
    for expiry, strike, right, value in quoted(
        (3, 10, 38, 101), np.arange(1_200, 3_000, 25), lambda _: 0.22
    ):
        half = max(TICK, 0.015 * value)
        bid, ask = max(0.0, value - half), value + half
        fate = chance.random()
        if fate < 0.25:
            bid, ask = ask, bid
        elif fate < 0.35:
            ask = bid
        elif fate < 0.5:
            bid = 0.0
        if chance.random() >= 0.35:
            yield f"{expiry},{strike},{right},{bid:.2f},{ask:.2f},7,"


def inverted_terms(chance: np.random.Generator) -> Iterator[str]:
    """An expiry in hours at five times the volatility of the last one; sold out wings."""
    yield f"#{CLOSE}"
    for expiry, strike, right, value in quoted(
        (1, 2, 9, 40, 200), np.arange(1_500, 2_600, 20), lambda t: 0.3 + 1.6 * np.exp(-60 * t)
    ):
        close = round(value / TICK) * TICK
        if close > 0 or chance.random() < 0.5:
            yield f"{expiry:%Y%m%d},{strike},{right},{close},{close},{close},{close:.2f},0,,"


def american_style(chance: np.random.Generator) -> Iterator[str]:
    """Early exercise: puts in the money cost their strike today, which no parity explains."""
    yield "expiry,strike,right,bid,ask"
    for expiry, strike, right, value in quoted(
        (5, 33, 96, 300), np.arange(1_400, 2_800, 25), lambda _: 0.28, rate=0.06
    ):
        early = max(value, strike - SPOT if right == "P" else SPOT - strike)
        early *= 1 + 0.01 * chance.standard_normal()
        half = max(TICK, 0.01 * early)
        yield f"{expiry:%Y%m%d},{strike},{right},{max(0.0, early - half):.2f},{early + half:.2f}"


def deep_wings(chance: np.random.Generator) -> Iterator[str]:
    """Strikes from a tenth of the spot to eight times it, all worth one tick at least."""
    yield "expiry,strike,right,close"
    parts = [0.1, 0.2, 0.4, 0.6, 0.8, 0.93, 0.97, 1.0, 1.03, 1.07, 1.2, 1.5, 2, 3, 5, 8]
    for expiry, strike, right, value in quoted(
        (7, 28, 180, 720), np.multiply(parts, SPOT), lambda _: 0.35
    ):
        yield f"{expiry:%Y%m%d},{strike:.2f},{right},{max(TICK, round(value / TICK) * TICK):.2f}"


def stale_closes(chance: np.random.Generator) -> Iterator[str]:
    """Closes of other days, rows that repeat or contradict, rows that are none, past expiries."""
    yield "\ufeff#Expiration, Strike ,Type,Close,Volume"
    for expiry, strike, right, value in quoted(
        (-3, 0, 4, 60, 61, 62), np.arange(1_700, 2_400, 25), lambda _: 0.2
    ):
        close = value * (chance.choice([0, 0.5, 0.9, 1.1, 2]) if chance.random() < 0.3 else 1)
        row = f"{expiry}, {strike},{'call' if right == 'C' else 'put'},{{:.3f}},3"
        yield row.format(close)
        fate = chance.random()
        if fate < 0.2:
            yield row.format(close)
        elif fate < 0.3:
            yield row.format(close * 1.3 + 0.1)
        elif fate < 0.33:
            yield "no,row,X,,"


CHAINS: dict[str, Callable[[np.random.Generator], Iterator[str]]] = {
    each.__name__: each
    for each in (crossed_quotes, inverted_terms, american_style, deep_wings, stale_closes)
}


def write_chain(folder: Path, name: str, seed: int) -> str:
    """Write a chain and return its path; the stale one is packed, with another end of lines."""
    lines = list(CHAINS[name](np.random.default_rng(seed)))
    if name == "stale_closes":
        path = folder / f"{name}_{DAY}.csv.gz"
        path.write_bytes(gzip.compress("\r\n".join([*lines, "", ""]).encode()))
    else:
        path = folder / f"{name}_{DAY}.csv"
        path.write_text("\n".join(lines))
    return str(path)
