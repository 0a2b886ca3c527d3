"""Kernels against what one would use without them: Keccak, trees, margin sweeps; portfolios."""

from __future__ import annotations

import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import sha3

from bench.load import INSTRUMENTS, populated
from bench.portfolios import portfolio_rows
from bench.table import Row, at_least, at_most, plain, progress, seconds_of
from clearing.keccak import hash_rows
from clearing.layout import new_rows
from clearing.sweep import MarketTerms, margin_sweep
from prover.tree import Forest

MESSAGES = 8_192
NODE_BYTES = 128
FILL_LEAVES = 1_024
STEP_LEAVES = 16  # a full step of trades touches sixteen accounts
STEPS = 256


def keccak_rows() -> list[Row]:
    """Hash 128-byte messages (one tree node each) by the kernel and by safe-pysha3."""
    progress("keccak")
    numbers = np.random.default_rng(3).integers(-(1 << 62), 1 << 62, (MESSAGES, NODE_BYTES // 8))
    lengths = np.full(MESSAGES, NODE_BYTES // 8, np.int64)
    digests = np.zeros((MESSAGES, 4), np.int64)
    messages = [row.astype(">i8").tobytes() + b"\0" for row in numbers]

    def kernel() -> None:
        hash_rows(numbers, lengths, MESSAGES, 0, digests)

    def library() -> None:
        for message in messages:
            sha3.keccak_256(message).digest()

    ratios = [seconds_of(library, 1) / seconds_of(kernel, 3) for _ in range(5)]
    return [at_least("batched keccak against safe-pysha3", statistics.median(ratios), "x", 10)]


def tree_rows() -> list[Row]:
    """Update 16 random leaves at a time, as a step does, of trees of 10^3 to 10^6 accounts."""
    costs: dict[int, float] = {}
    for size in (1_000, 10_000, 100_000, 1_000_000):
        progress(f"tree of {size:,} leaves")
        forest = Forest([12], [size])
        numbers = np.random.default_rng(size)
        everything = numbers.integers(1, 1 << 62, (size, 4))
        for start in range(0, size, FILL_LEAVES):
            stop = min(start + FILL_LEAVES, size)
            forest.put_keys(np.arange(start, stop), everything[start:stop])
        steps = [numbers.choice(size, STEP_LEAVES, replace=False) for _ in range(STEPS)]
        leaves = numbers.integers(1, 1 << 62, (STEP_LEAVES, 4))

        def update(forest: Forest = forest, steps: Any = steps, leaves: Any = leaves) -> None:
            for keys in steps:
                forest.put_keys(keys.copy(), leaves)

        costs[size] = seconds_of(update, 9) / (STEPS * STEP_LEAVES) * 1e6
    growth = costs[1_000_000] / costs[1_000]
    rows = [plain(f"tree update, {size:,} leaves", cost, "us/leaf") for size, cost in costs.items()]
    allowed = math.log(1_000_000) / math.log(1_000)
    return [*rows, at_most("growth of that cost from 10^3 to 10^6", growth, "x", allowed)]


def sweep_rows(accounts: int = 100_000, positions: int = 12) -> list[Row]:
    """A price tick over all accounts: the law's sweep against the same formulas in NumPy."""
    progress(f"margin sweep of {accounts:,} accounts with {positions} positions")
    engine = populated(accounts, positions)
    state = cast(Any, engine.state)
    state.instruments["funding_low"] = 7 * 10**12
    columns = [np.zeros(accounts, np.int64) for _ in range(3)]
    workers = ThreadPoolExecutor(2)

    def sweep(first: int, stop: int) -> None:
        margin_sweep(engine.state, first, stop, new_rows(MarketTerms, INSTRUMENTS), *columns)

    def two_threads() -> None:
        half = accounts // 2
        other = workers.submit(sweep, 0, half)
        sweep(half, accounts)
        other.result()

    expected = numpy_sweep(state, accounts, positions)
    sweep(0, accounts)
    for column, wanted in zip(columns, expected, strict=True):
        if not np.array_equal(column, wanted):
            raise RuntimeError("expected equal margins from the law and from NumPy")
    alone, doubled = [], []
    for _ in range(5):
        library = seconds_of(lambda: numpy_sweep(state, accounts, positions), 1)
        alone.append(library / seconds_of(lambda: sweep(0, accounts), 3))
        doubled.append(library / seconds_of(two_threads, 3))
    cost = seconds_of(lambda: sweep(0, accounts), 5) / accounts * 1e9
    workers.shutdown()
    return [
        plain("margin sweep, one thread", cost, "ns/account"),
        at_least("margin sweep against NumPy, one thread", statistics.median(alone), "x", 3),
        at_least("margin sweep against NumPy, two threads", statistics.median(doubled), "x", 5),
    ]


def numpy_sweep(state: Any, accounts: int, positions: int) -> tuple[Any, Any, Any]:
    """Equity, initial and maintenance margin of every account, as one would write it in NumPy."""
    held = state.accounts["positions"][:accounts, :positions]
    instrument, lots = held["instrument"], held["lots"]
    markets, tiers = state.instruments, state.params["tiers"][0]
    value = lots * markets["mark_price"][instrument]
    change = markets["funding_low"][instrument] - held["index_low"]
    owed = -((-lots * change) // 10**12)
    gross = np.abs(value)
    initial_ppm = tiers["initial_ppm"][markets["tier"]][instrument]
    maintenance_ppm = tiers["maintenance_ppm"][markets["tier"]][instrument]
    initial = (-((-gross * initial_ppm) // 10**6)).sum(1)
    maintenance = (-((-gross * maintenance_ppm) // 10**6)).sum(1)
    return state.accounts["cash"][:accounts] + (value - owed).sum(1), initial, maintenance


def rows() -> list[Row]:
    """Measure all kernels."""
    begun = time.perf_counter()
    result = [*keccak_rows(), *tree_rows(), *sweep_rows(), *portfolio_rows()]
    progress(f"kernels took {time.perf_counter() - begun:.0f} s")
    return result
