"""Portfolio margin: full checks of one core, and a price tick over accounts of options."""

from __future__ import annotations

import statistics
from typing import Any, cast

import numpy as np

from bench.load import CHAIN_ID, MICRO, PRICE_MICRO, SETTLEMENT, TIME_MS
from bench.table import Row, at_most, plain, progress, seconds_of
from clearing.codes import InstrumentKind, Mode
from clearing.genesis import (
    Genesis,
    GenesisInstrument,
    GenesisTier,
    GenesisUnderlying,
    genesis_state,
)
from clearing.layout import new_rows
from clearing.scenarios import derive_cells
from clearing.sweep import MarketTerms, margin_sweep
from clearing.units import PPM, SCENARIOS_MAX
from risk.rows import option_rows

DAY_MS = 86_400_000
EXPIRIES = (TIME_MS + 30 * DAY_MS, TIME_MS + 91 * DAY_MS)
STRIKES = tuple(PRICE_MICRO * percent // 100 for percent in range(80, 120, 5))
CHECKED = 1_024  # accounts of one timed run: few enough to stay in the processor's caches
TICKED = 100_000
CASH_MICRO = 1_500 * MICRO
FAILING = 0.01  # part of the accounts that a tick finds
OPTIONS = 1_000


def markets() -> tuple[GenesisInstrument, ...]:
    """A perpetual, a future of each expiry, and calls and puts at eight strikes of each."""
    caps = (1, 1_000_000, 1 << 46, 1 << 40)
    found = [GenesisInstrument("P", 0, *caps)]
    for series in range(len(EXPIRIES)):
        future = InstrumentKind.FUTURE
        found.append(GenesisInstrument(f"F{series}", 0, *caps, kind=future, series=series))
        found += [
            GenesisInstrument(
                f"{kind.name[0]}{series}-{strike}",
                0,
                *caps,
                kind=kind,
                strike=strike,
                series=series,
            )
            for strike in STRIKES
            for kind in (InstrumentKind.CALL, InstrumentKind.PUT)
        ]
    return tuple(found)


def portfolios(accounts: int, positions: int, scenarios: int) -> Any:
    """Return a state of portfolio accounts with this many positions each."""
    genesis = Genesis(
        chain_id=CHAIN_ID,
        settlement=SETTLEMENT,
        time_ms=TIME_MS,
        publishers=(b"\x01" * 20,),
        price_quorum=1,
        tiers=(GenesisTier(50_000, 30_000, 1 << 58, 1 << 60),),
        instruments=markets(),
        underlyings=(GenesisUnderlying(expiries=EXPIRIES),),
    )
    state: Any = genesis_state(genesis, accounts, 1, 1)
    numbers = np.random.default_rng(5)
    quote(state, scenarios, numbers)
    state.globals[0].account_count = accounts
    rows = state.accounts
    rows["id"] = np.arange(accounts)
    rows["mode"] = int(Mode.PORTFOLIO)
    rows["cash"] = CASH_MICRO
    ranks = np.argsort(numbers.random((accounts, len(genesis.instruments))), axis=1)
    held = rows["positions"]
    held["instrument"][:, :positions] = np.sort(ranks[:, :positions], axis=1)
    held["lots"][:, :positions] = numbers.integers(-2_000, 2_000, (accounts, positions)) | 1
    rows["position_count"] = positions
    return state


def quote(state: Any, scenarios: int, numbers: np.random.Generator) -> None:
    """Set prices, active rows of every option and joint scenarios."""
    underlying = state.underlyings[0]
    underlying.index_price, underlying.price_time = PRICE_MICRO, TIME_MS
    for series in underlying.series[: len(EXPIRIES)]:
        series.active_number, series.active_time = 1, TIME_MS
        series.reference_price = PRICE_MICRO
        series.discount_long_ppm, series.discount_short_ppm = PPM - 9_000, PPM + 9_000
        series.confidence_ppm = PPM
    shocked = PRICE_MICRO + PRICE_MICRO * underlying.prices // PPM
    for instrument in state.instruments:
        instrument.mark_price = instrument.index_price = PRICE_MICRO
        instrument.price_time = TIME_MS
        sign = 1 if instrument.kind == InstrumentKind.CALL else -1
        away = abs(shocked - instrument.strike)
        instrument.rows[1].number = 1
        instrument.rows[1].values[:] = np.maximum(0, sign * (shocked - instrument.strike)) + (
            np.maximum(0, PRICE_MICRO // 10 - away // 4)
        )
    underlying.scenario_count = scenarios
    prices = numbers.integers(-300_000, 300_000, scenarios)
    volatilities = numbers.integers(-200_000, 400_000, scenarios)
    underlying.shocks[:scenarios] = (prices << 32) | (volatilities & 0xFFFFFFFF)
    derive_cells(underlying)


def check_rows() -> list[Row]:
    """Full checks: 33 points alone, and with 500 joint scenarios, by number of positions."""
    found = []
    for scenarios, goal in ((0, 3.0), (SCENARIOS_MAX, 15.0)):
        for positions in (10, 30, 32):
            progress(f"portfolio margin, {positions} positions, {scenarios} scenarios")
            state = portfolios(CHECKED, positions, scenarios)
            seconds = statistics.median(sweep_seconds(state, CHECKED, 9) for _ in range(5))
            name = f"portfolio check, {positions} positions, 33 points"
            name += f" and {scenarios} scenarios" if scenarios else ""
            cost = seconds / CHECKED * 1e6
            found.append(
                at_most(name, cost, "us", goal) if positions == 30 else plain(name, cost, "us")
            )
            found.append(plain(f"{name}, a second and core", 1e6 / cost, "checks"))
    return found


def tick_rows() -> list[Row]:
    """A price tick over 10^5 portfolio accounts: all that may be liquidated are found."""
    progress(f"price tick over {TICKED:,} portfolios")
    state = portfolios(TICKED, 10, SCENARIOS_MAX)
    _, equity, maintenance = measured(state, TICKED)
    state.accounts["cash"] += np.quantile(maintenance - equity, 1 - FAILING).astype(np.int64)
    seconds = sweep_seconds(state, TICKED, 3)
    failing = sweep(state, TICKED)
    if not 0 < failing <= 2 * FAILING * TICKED:
        raise RuntimeError(f"expected about {FAILING:.0%} of the accounts to fail, was {failing}")
    return [
        plain(f"price tick over {TICKED:,} portfolios of 10 options, one thread", seconds, "s"),
        plain("of them found below maintenance margin", failing, "accounts"),
    ]


def measured(state: Any, accounts: int) -> tuple[int, Any, Any]:
    """Return how many accounts fail, and the equity and maintenance margin of each."""
    terms = new_rows(MarketTerms, state.instruments.shape[0])
    equity, initial, maintenance = (np.zeros(accounts, np.int64) for _ in range(3))
    failing = margin_sweep(state, 0, accounts, terms, *cast(Any, (equity, initial, maintenance)))
    return failing, equity, maintenance


def sweep(state: Any, accounts: int) -> int:
    """Measure all accounts once; return how many fail."""
    return measured(state, accounts)[0]


def risk_rows() -> list[Row]:
    """Rows of many options of one expiry, as the risk service computes them at each update."""
    progress(f"risk rows of {OPTIONS:,} options")
    strikes = np.repeat(np.linspace(PRICE_MICRO // 2, 2 * PRICE_MICRO, OPTIONS // 2, dtype=int), 2)
    is_call = np.arange(OPTIONS) % 2 == 0
    volatility = np.full(OPTIONS, 0.6)

    def compute() -> None:
        option_rows(PRICE_MICRO, 10**9, 0.25, strikes, is_call, volatility)

    return [at_most(f"risk rows of {OPTIONS:,} options computed", seconds_of(compute), "s", 1)]


def sweep_seconds(state: Any, accounts: int, repeats: int) -> float:
    """Return the median seconds of measuring all accounts."""
    return seconds_of(lambda: sweep(state, accounts), repeats)


def portfolio_rows() -> list[Row]:
    """Everything about portfolio margin."""
    return [*check_rows(), *tick_rows(), *risk_rows()]
