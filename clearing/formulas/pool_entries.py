"""The law of pools as entries that take and give plain integers, for ``clearing.formulas``."""

from __future__ import annotations

from collections.abc import Sequence

from clearing import pool_pricing
from clearing.compiler import law_entry
from clearing.formulas.columns import column
from clearing.formulas.trading_entries import checked
from clearing.layout import Rows


@law_entry
def price_impact(
    long_before: int,
    short_before: int,
    long_after: int,
    short_after: int,
    positive_factor: int,
    negative_factor: int,
) -> int:
    """Return ``pool_pricing.price_impact``."""
    impact, fits = pool_pricing.price_impact(
        long_before, short_before, long_after, short_after, positive_factor, negative_factor
    )
    return checked(impact, fits)


@law_entry
def capped_price_impact(
    impact: int, size: int, impact_pool: int, positive_max_ppm: int, negative_max_ppm: int
) -> tuple[int, int]:
    """Return ``pool_pricing.capped_price_impact``."""
    return pool_pricing.capped_price_impact(
        impact, size, impact_pool, positive_max_ppm, negative_max_ppm
    )


@law_entry
def utilisation(reserved: int, cap: int) -> int:
    """Return ``pool_pricing.utilisation_ppm``."""
    return pool_pricing.utilisation_ppm(reserved, cap)


@law_entry
def reserve_fits(reserved: int, pool_side_value: int, reserve_factor_ppm: int) -> bool:
    """Return ``pool_pricing.reserve_fits``."""
    return pool_pricing.reserve_fits(reserved, pool_side_value, reserve_factor_ppm)


@law_entry
def kink_rate(utilisation_ppm: int, optimal_ppm: int, base_rate: int, above_rate: int) -> int:
    """Return ``pool_pricing.kink_borrow_rate``."""
    rate, fits = pool_pricing.kink_borrow_rate(utilisation_ppm, optimal_ppm, base_rate, above_rate)
    return checked(rate, fits)


@law_entry
def slope_rate(
    utilisation_ppm: int, kink_ppm: int, minimum_ppm: int, slope_ppm: int, high_slope_ppm: int
) -> int:
    """Return ``pool_pricing.slope_borrow_rate_ppm``."""
    return pool_pricing.slope_borrow_rate_ppm(
        utilisation_ppm, kink_ppm, minimum_ppm, slope_ppm, high_slope_ppm
    )


@law_entry
def power_rate(reserved: int, pool_value: int, factor: int, exponent: int) -> int:
    """Return ``pool_pricing.power_borrow_rate``."""
    rate, fits = pool_pricing.power_borrow_rate(reserved, pool_value, factor, exponent)
    return checked(rate, fits)


@law_entry
def borrow_index_change(rate: int, elapsed_ms: int) -> int:
    """Return ``pool_pricing.borrow_index_change``."""
    change, fits = pool_pricing.borrow_index_change(rate, elapsed_ms)
    return checked(change, fits)


@law_entry
def borrow_fee(size: int, index_change: int) -> int:
    """Return ``pool_pricing.borrow_fee``."""
    fee, fits = pool_pricing.borrow_fee(size, index_change)
    return checked(fee, fits)


@law_entry
def profit_cap(profit: int, side_value: int, profit_max_ppm: int) -> tuple[int, bool]:
    """Return (``pool_pricing.capped_profit``, ``pool_pricing.profit_exceeds``)."""
    return (
        pool_pricing.capped_profit(profit, side_value, profit_max_ppm),
        pool_pricing.profit_exceeds(profit, side_value, profit_max_ppm),
    )


@law_entry
def _value(
    amounts: Rows[int],
    prices: Rows[int],
    profits: Rows[int],
    profit_max_ppm: int,
    pending_borrow: int,
    receiver_ppm: int,
    impact_pool: int,
) -> int:
    value, fits = pool_pricing.pool_value(
        amounts, prices, profits, profit_max_ppm, pending_borrow, receiver_ppm, impact_pool
    )
    return checked(value, fits)


def pool_value(
    tokens: Sequence[dict[str, int]],
    profit_max_ppm: int,
    pending_borrow: int,
    receiver_ppm: int,
    impact_pool: int,
) -> int:
    """Return ``pool_pricing.pool_value`` of rows (amount, price, profit)."""
    return _value(
        column(tokens, "amount"),
        column(tokens, "price"),
        column(tokens, "profit"),
        profit_max_ppm,
        pending_borrow,
        receiver_ppm,
        impact_pool,
    )


@law_entry
def share_mint(deposit: int, pool_value: int, supply: int) -> int:
    """Return ``pool_pricing.shares_minted``."""
    shares, fits = pool_pricing.shares_minted(deposit, pool_value, supply)
    return checked(shares, fits)


@law_entry
def share_redeem(shares: int, pool_value: int, supply: int) -> int:
    """Return ``pool_pricing.shares_redeemed``."""
    paid, fits = pool_pricing.shares_redeemed(shares, pool_value, supply)
    return checked(paid, fits)


@law_entry
def share_price(pool_value: int, supply: int) -> int:
    """Return ``pool_pricing.share_price``."""
    price, fits = pool_pricing.share_price(pool_value, supply)
    return checked(price, fits)


@law_entry
def deposit_allowed(pool_value: int, deposit: int, value_cap: int) -> bool:
    """Return ``pool_pricing.deposit_fits``."""
    return pool_pricing.deposit_fits(pool_value, deposit, value_cap)


@law_entry
def lock_passed(clock: int, deposit_time: int, lock_ms: int) -> bool:
    """Return ``pool_pricing.lock_passed``."""
    return pool_pricing.lock_passed(clock, deposit_time, lock_ms)
