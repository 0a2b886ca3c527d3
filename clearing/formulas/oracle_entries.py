"""The law of prices as entries that take and give plain integers, for ``clearing.formulas``."""

from __future__ import annotations

from collections.abc import Sequence

from clearing import oracle
from clearing.compiler import law_entry
from clearing.formulas.columns import array, column
from clearing.layout import Rows


@law_entry
def _is_median(values: Rows[int], claimed: int) -> bool:
    return oracle.is_median(values, claimed)


def median_verify(values: Sequence[int], median: int) -> bool:
    """Return ``oracle.is_median``."""
    return _is_median(array(values), median)


@law_entry
def _is_quorum(signers: Rows[int], quorum: int) -> bool:
    return oracle.is_quorum(signers, quorum)


def quorum_reached(signers: Sequence[int], quorum: int) -> bool:
    """Return ``oracle.is_quorum``."""
    return _is_quorum(array(signers), quorum)


@law_entry
def _mean(prices: Rows[int], times: Rows[int], start: int, end: int) -> tuple[int, bool]:
    return oracle.time_weighted_mean(prices, times, start, end)


def twap(samples: Sequence[dict[str, int]], start: int, end: int) -> tuple[int, bool]:
    """Return ``oracle.time_weighted_mean`` of rows (price, time)."""
    return _mean(column(samples, "price"), column(samples, "time"), start, end)


@law_entry
def exponential_mean(last_mean: int, price: int, elapsed_ms: int, period_ms: int) -> int:
    """Return ``oracle.exponential_mean``."""
    return oracle.exponential_mean(last_mean, price, elapsed_ms, period_ms)


@law_entry
def stable_price(stable_price: int, delayed_price: int, price: int, elapsed_ms: int) -> int:
    """Return ``oracle.stable_step``."""
    return oracle.stable_step(stable_price, delayed_price, price, elapsed_ms)


@law_entry
def delayed_price(last_delayed_price: int, interval_mean: int) -> int:
    """Return ``oracle.delayed_step``."""
    return oracle.delayed_step(last_delayed_price, interval_mean)


@law_entry
def _path(
    delays: Rows[int], prices: Rows[int], times: Rows[int], stable: int, last_time: int
) -> tuple[int, int]:
    price_time_sum = 0
    time_sum = 0
    for i in range(prices.shape[0]):
        stable, last_time, price_time_sum, time_sum = oracle.stable_update(
            delays, stable, prices[i], last_time, times[i], price_time_sum, time_sum
        )
    interval = last_time // oracle.DELAY_INTERVAL_MS
    return stable, delays[interval % oracle.DELAY_BUCKETS]


def stable_price_path(
    updates: Sequence[dict[str, int]], start_price: int, start_time: int
) -> tuple[int, int]:
    """Return (stable, delayed price) after ``oracle.stable_update`` of rows (price, time)."""
    delays = array([start_price] * oracle.DELAY_BUCKETS)
    prices, times = column(updates, "price"), column(updates, "time")
    return _path(delays, prices, times, start_price, start_time)


@law_entry
def conservative_price(price: int, stable_price: int, lots: int) -> int:
    """Return ``oracle.conservative_price``."""
    return oracle.conservative_price(price, stable_price, lots)


@law_entry
def oracle_validity(
    price: int,
    mean_price: int,
    confidence: int,
    age_ms: int,
    open_age_ms_max: int,
    margin_age_ms_max: int,
    confidence_max_ppm: int,
    volatile_ratio: int,
) -> int:
    """Return ``oracle.validity``."""
    return oracle.validity(
        price,
        mean_price,
        confidence,
        age_ms,
        open_age_ms_max,
        margin_age_ms_max,
        confidence_max_ppm,
        volatile_ratio,
    )


@law_entry
def action_allowed(validity: int, use: int) -> bool:
    """Return ``oracle.is_usable``."""
    return oracle.is_usable(validity, use)


@law_entry
def price_bounds(reference_price: int, band_ppm: int) -> tuple[int, int]:
    """Return ``oracle.price_bounds``."""
    return oracle.price_bounds(reference_price, band_ppm)


@law_entry
def restart_grace(
    last_clock: int, clock: int, grace_until: int, outage_ms: int, grace_ms: int
) -> int:
    """Return ``oracle.grace_after``."""
    return oracle.grace_after(last_clock, clock, grace_until, outage_ms, grace_ms)
