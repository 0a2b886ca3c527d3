"""Funding models as entries that take and give plain integers, for ``clearing.formulas``."""

from __future__ import annotations

from collections.abc import Sequence

from clearing import funding_models
from clearing.compiler import law_entry
from clearing.formulas.columns import array, column
from clearing.formulas.trading_entries import checked
from clearing.layout import Rows


@law_entry
def _impact(prices: Rows[int], sizes: Rows[int], notional: int, is_bid: int) -> tuple[int, bool]:
    return funding_models.impact_price(prices, sizes, notional, is_bid != 0)


def impact_price(
    levels: Sequence[dict[str, int]], impact_notional: int, is_bid: int
) -> tuple[int, bool]:
    """Return ``funding_models.impact_price`` of rows (price, lots)."""
    return _impact(column(levels, "price"), column(levels, "lots"), impact_notional, is_bid)


@law_entry
def premium(impact_bid: int, impact_ask: int, index_price: int) -> int:
    """Return ``funding_models.impact_premium_ppb``."""
    value, fits = funding_models.impact_premium_ppb(impact_bid, impact_ask, index_price)
    return checked(value, fits)


@law_entry
def _dydx(
    samples: Rows[int],
    count_min: int,
    default_ppm: int,
    initial_ppm: int,
    maintenance_ppm: int,
    clamp_ppm: int,
) -> int:
    return funding_models.dydx_rate_ppm(
        samples, count_min, default_ppm, initial_ppm, maintenance_ppm, clamp_ppm
    )


def dydx_rate(
    premium_samples: Sequence[int],
    samples_min: int,
    default_funding_ppm: int,
    initial_ppm: int,
    maintenance_ppm: int,
    clamp_factor_ppm: int,
) -> int:
    """Return ``funding_models.dydx_rate_ppm``."""
    return _dydx(
        array(premium_samples),
        samples_min,
        default_funding_ppm,
        initial_ppm,
        maintenance_ppm,
        clamp_factor_ppm,
    )


@law_entry
def dydx_index_change(rate_ppm: int, price: int, elapsed_seconds: int) -> int:
    """Return ``funding_models.dydx_index_change``."""
    change, fits = funding_models.dydx_index_change(rate_ppm, price, elapsed_seconds)
    return checked(change, fits)


@law_entry
def _settlement(lots: Rows[int], index_changes: Rows[int]) -> int:
    received, fits = funding_models.funding_settlement(lots, index_changes)
    return checked(received, fits)


def settlement(positions: Sequence[dict[str, int]]) -> int:
    """Return ``funding_models.funding_settlement`` of rows (lots, index_change)."""
    return _settlement(column(positions, "lots"), column(positions, "index_change"))


@law_entry
def hyperliquid_rates(
    premium_ppb: int, interest_ppb: int, clamp_ppb: int, hourly_cap_ppb: int
) -> tuple[int, int]:
    """Return ``funding_models.hyperliquid_rates_ppb``."""
    return funding_models.hyperliquid_rates_ppb(
        premium_ppb, interest_ppb, clamp_ppb, hourly_cap_ppb
    )


@law_entry
def derive_rate(
    impact_bid: int, impact_ask: int, index_price: int, interest_ppb: int, hourly_cap_ppb: int
) -> int:
    """Return ``funding_models.derive_rate_ppb``."""
    rate, fits = funding_models.derive_rate_ppb(
        impact_bid, impact_ask, index_price, interest_ppb, hourly_cap_ppb
    )
    return checked(rate, fits)


@law_entry
def vega_payment(
    mark_twap: int,
    index_twap: int,
    interest_ppm: int,
    elapsed_ms: int,
    clamp_low_ppm: int,
    clamp_high_ppm: int,
    auction_ms: int,
    scaling_ppm: int,
    rate_low_ppm: int,
    rate_high_ppm: int,
) -> int:
    """Return ``funding_models.vega_bounded_payment`` of ``funding_models.vega_payment``."""
    payment, fits = funding_models.vega_payment(
        mark_twap, index_twap, interest_ppm, elapsed_ms, clamp_low_ppm, clamp_high_ppm
    )
    due, due_fits = funding_models.vega_bounded_payment(
        payment, index_twap, auction_ms, elapsed_ms, scaling_ppm, rate_low_ppm, rate_high_ppm
    )
    return checked(due, fits and due_fits)


@law_entry
def drift_rate(
    mark_twap: int, oracle_twap: int, offset_divisor: int, divergence_max_ppm: int
) -> int:
    """Return ``funding_models.drift_rate``."""
    rate, fits = funding_models.drift_rate(
        mark_twap, oracle_twap, offset_divisor, divergence_max_ppm
    )
    return checked(rate, fits)


@law_entry
def synthetix(
    skew: int, skew_scale: int, velocity_max_ppb: int, last_rate_ppb: int, elapsed_ms: int
) -> tuple[int, int]:
    """Return (velocity, rate) of ``funding_models`` for Synthetix."""
    velocity = funding_models.synthetix_velocity_ppb(skew, skew_scale, velocity_max_ppb)
    rate, fits = funding_models.synthetix_rate_ppb(last_rate_ppb, velocity, elapsed_ms)
    return velocity, checked(rate, fits)


@law_entry
def synthetix_accrued(last_rate_ppb: int, rate_ppb: int, price: int, elapsed_ms: int) -> int:
    """Return ``funding_models.synthetix_accrued``."""
    owed, fits = funding_models.synthetix_accrued(last_rate_ppb, rate_ppb, price, elapsed_ms)
    return checked(owed, fits)
