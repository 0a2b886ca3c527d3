"""Formulas of funding as other venues reckon it; above zero longs pay shorts."""

from __future__ import annotations

from clearing.formulas.funding_models_entries import (
    derive_rate,
    drift_rate,
    dydx_index_change,
    dydx_rate,
    hyperliquid_rates,
    impact_price,
    premium,
    settlement,
    synthetix,
    synthetix_accrued,
    vega_payment,
)
from clearing.formulas.quantities import (
    LOT,
    PRICE,
    YES_OR_NO,
    Formula,
    Quantity,
    Series,
    Table,
    lots,
    micro,
    ppm,
    price,
)
from clearing.units import LOTS_MAX, POSITIONS_MAX, PPM, PRICE_MAX

PPBS = "parts per billion"
PPB_MAX = 10**15
CLAMP_PPM_MAX = (1 << 32) - 1
PPM_INDEX = "1e-6 micro-quote per lot"
LEVELS_MAX = 64
SAMPLES_MAX = 1_024
SECONDS_MAX = 1 << 31
ELAPSED_MS_MAX = 1 << 40


def _ppb(name: str, low: int = -PPB_MAX, default: int | None = None) -> Quantity:
    return Quantity(name, PPBS, low, PPB_MAX, default)


def _share(name: str, default: int | None = None) -> Quantity:
    return Quantity(name, "ppm", -1_000 * PPM, 1_000 * PPM, default)


_BOOK = (
    Quantity("impact_bid", PRICE, 0, PRICE_MAX),
    price("impact_ask"),
    price("index_price"),
)
_ELAPSED = Quantity("elapsed_ms", "milliseconds", 0, ELAPSED_MS_MAX)
_CHANGE = Quantity("index_change", PPM_INDEX)

FORMULAS = (
    Formula(
        "impact_price",
        "The mean price of trading a notional against one side of a book, best level first.",
        (
            Table("levels", (price("price"), Quantity("lots", LOT, 0, LOTS_MAX)), LEVELS_MAX),
            micro("impact_notional", 1),
            Quantity("is_bid", YES_OR_NO, 0, 1),
        ),
        (Quantity("impact_price", PRICE), Quantity("exists", YES_OR_NO)),
        impact_price,
    ),
    Formula(
        "funding_premium",
        "(max(0, bid - index) - max(0, index - ask)) / index, of impact prices.",
        _BOOK,
        (_ppb("premium_ppb"),),
        premium,
    ),
    Formula(
        "funding_rate_dydx",
        "Mean premium sample + default, within +-600 % of initial less maintenance; eight hours.",
        (
            Series("premium_samples", Quantity("sample", "ppm", -(1 << 48), 1 << 48), SAMPLES_MAX),
            Quantity("samples_min", "samples", 0, SAMPLES_MAX, 0),
            Quantity("default_funding_ppm", "ppm", -PPM, PPM, 0),
            ppm("initial_ppm"),
            ppm("maintenance_ppm"),
            Quantity("clamp_factor_ppm", "ppm", 0, CLAMP_PPM_MAX, 6 * PPM),
        ),
        (ppm("rate_ppm"),),
        dydx_rate,
    ),
    Formula(
        "funding_index_change_dydx",
        "rate * price * elapsed / 28800 s, towards zero.",
        (
            Quantity("rate_ppm", "ppm", -1_000 * PPM, 1_000 * PPM),
            price("price"),
            Quantity("elapsed_seconds", "seconds", 0, SECONDS_MAX),
        ),
        (_CHANGE,),
        dydx_index_change,
    ),
    Formula(
        "funding_settlement",
        "What an account receives for its positions: one rounding of the sum, downwards.",
        (Table("positions", (lots("lots"), _CHANGE), POSITIONS_MAX),),
        (micro("received"),),
        settlement,
    ),
    Formula(
        "funding_rate_hyperliquid",
        "P + clamp(interest - P, +-0.05 %) for eight hours, and the capped hourly eighth.",
        (
            _ppb("premium_ppb"),
            _ppb("interest_ppb", default=100_000),
            _ppb("clamp_ppb", 0, 500_000),
            _ppb("hourly_cap_ppb", 0, 40_000_000),
        ),
        (_ppb("rate_ppb"), _ppb("hourly_rate_ppb")),
        hyperliquid_rates,
    ),
    Formula(
        "funding_premium_derive",
        "The hourly rate: an eighth of the impact premium + interest, within +-0.4 %.",
        (*_BOOK, _ppb("interest_ppb", default=12_500), _ppb("hourly_cap_ppb", 0, 4_000_000)),
        (_ppb("hourly_rate_ppb"),),
        derive_rate,
    ),
    Formula(
        "funding_payment_vega",
        "f - s + clamp((1 + dt * r) * s - f), outside auctions, scaled, bounded; per long lot.",
        (
            price("mark_twap"),
            price("index_twap"),
            _share("interest_ppm", 0),
            Quantity("elapsed_ms", "milliseconds", 1, ELAPSED_MS_MAX),
            _share("clamp_low_ppm", 0),
            _share("clamp_high_ppm", 0),
            Quantity("auction_ms", "milliseconds", 0, ELAPSED_MS_MAX, 0),
            _share("scaling_ppm", PPM),
            _share("rate_low_ppm", -1_000 * PPM),
            _share("rate_high_ppm", 1_000 * PPM),
        ),
        (micro("payment"),),
        vega_payment,
    ),
    Formula(
        "funding_rate_drift",
        "clamp(mark TWAP - oracle TWAP + oracle / 5000, +-share of the oracle) / 24, hourly.",
        (
            price("mark_twap"),
            price("oracle_twap"),
            Quantity("offset_divisor", "a part of the oracle price", 1, 10**9, 5_000),
            ppm("divergence_max_ppm"),
        ),
        (Quantity("rate", "1e-3 micro-quote per lot"),),
        drift_rate,
    ),
    Formula(
        "funding_velocity_synthetix",
        "clamp(skew / scale, +-1) * velocity, and the daily rate that it leads to.",
        (
            lots("skew"),
            Quantity("skew_scale", LOT, 1, LOTS_MAX),
            _ppb("velocity_max_ppb", 0),
            _ppb("last_rate_ppb", default=0),
            _ELAPSED,
        ),
        (_ppb("velocity_ppb"), _ppb("rate_ppb")),
        synthetix,
    ),
    Formula(
        "funding_accrued_synthetix",
        "What one long lot owes: the mean of two daily rates * time * price.",
        (_ppb("last_rate_ppb"), _ppb("rate_ppb"), price("price"), _ELAPSED),
        (Quantity("owed", PPM_INDEX),),
        synthetix_accrued,
    ),
)
