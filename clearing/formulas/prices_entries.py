"""The law's gates of prices as entries that take and give plain integers."""

from __future__ import annotations

from clearing import price_gates
from clearing.compiler import law_entry


@law_entry
def law_stable_price(stable_price: int, price: int, elapsed_ms: int, rate_ppm: int) -> int:
    """Return ``price_gates.stable_after``."""
    return price_gates.stable_after(stable_price, price, elapsed_ms, rate_ppm)


@law_entry
def price_confidence(lowest: int, median: int, highest: int) -> int:
    """Return ``price_gates.confidence_of``."""
    return price_gates.confidence_of(lowest, median, highest)


@law_entry
def price_band_breached(mark_price: int, stable_price: int, band_ppm: int) -> bool:
    """Return ``price_gates.is_beyond_band``."""
    return price_gates.is_beyond_band(mark_price, stable_price, band_ppm)
