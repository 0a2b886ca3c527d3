"""Formulas of a pool as counterparty: impact, borrowing, value and shares."""

from __future__ import annotations

from clearing.formulas.pool_entries import (
    borrow_fee,
    borrow_index_change,
    capped_price_impact,
    deposit_allowed,
    kink_rate,
    lock_passed,
    pool_value,
    power_rate,
    price_impact,
    profit_cap,
    reserve_fits,
    share_mint,
    share_price,
    share_redeem,
    slope_rate,
    utilisation,
)
from clearing.formulas.quantities import (
    CASH_MAX,
    YES_OR_NO,
    Demand,
    Formula,
    Quantity,
    Table,
    micro,
    ppm,
    price,
)
from clearing.units import PPM, PRICE_MAX, TIME_MAX

SIDE_MAX = 1 << 60  # micro-quote of one side of a pool
RATE_PPM_MAX = 10**9  # ppm a year
SHARE = "shares"
FACTOR = "1e-18 per quote"
RATE = "1e-18 per second"
BORROW_INDEX = "1e-15 micro-quote per micro-quote"
_WORTH = Demand("pool_value of 0 or more", lambda given: bool(given["pool_value"] >= 0))
_ISSUED = Demand(
    "shares of at most the supply",
    lambda given: bool(given["pool_value"] < 0 or given["shares"] <= given["supply"]),
)

_SIDES = tuple(
    micro(name, 0, SIDE_MAX)
    for name in ("long_before", "short_before", "long_after", "short_after")
)
_FACTORS = (
    Quantity("positive_factor", FACTOR, 0),
    Quantity("negative_factor", FACTOR, 0),
)
_USED = ppm("utilisation_ppm", 0, 1_000 * PPM)
_VALUE = micro("pool_value")
_SUPPLY = Quantity("supply", SHARE, 0)
_TIME = Quantity("clock", "milliseconds", 0, TIME_MAX)

FORMULAS = (
    Formula(
        "pool_price_impact",
        "What a trade is paid (above zero) or pays for how it moves the imbalance, squared.",
        (*_SIDES, *_FACTORS),
        (micro("price_impact"),),
        price_impact,
        note="The exponent is 2; GMX lets each market choose its own.",
        law=("pool_pricing.price_impact",),
    ),
    Formula(
        "pool_price_impact_capped",
        "Price impact within the impact pool and its shares of the size, and what may be claimed.",
        (
            micro("price_impact"),
            micro("size", 0),
            micro("impact_pool", 0),
            ppm("positive_max_ppm"),
            ppm("negative_max_ppm"),
        ),
        (micro("price_impact"), micro("claimable")),
        lambda price_impact, size, impact_pool, positive_max_ppm, negative_max_ppm: (
            capped_price_impact(price_impact, size, impact_pool, positive_max_ppm, negative_max_ppm)
        ),
    ),
    Formula(
        "pool_utilisation",
        "Reserved over cap, rounded up.",
        (micro("reserved", 0), micro("cap", 0)),
        (ppm("utilisation_ppm"),),
        utilisation,
        law=("pool_pricing.utilisation_ppm",),
    ),
    Formula(
        "pool_reserve_fits",
        "Whether what positions may win is within a share of the pool's side that pays it.",
        (micro("reserved", 0), micro("pool_side_value", 0), ppm("reserve_factor_ppm")),
        (Quantity("fits", YES_OR_NO),),
        reserve_fits,
        law=("pool_pricing.reserve_fits",),
    ),
    Formula(
        "pool_borrow_rate",
        "Usage * base + (above - base) * (usage - optimal) / (1 - optimal), in the unit of base.",
        (
            _USED,
            ppm("optimal_ppm"),
            Quantity("base_rate", RATE, 0),
            Quantity("above_rate", RATE, 0),
        ),
        (Quantity("borrow_rate", RATE),),
        kink_rate,
    ),
    Formula(
        "pool_borrow_rate_slope",
        "Minimum + slope * usage up to the kink, the high slope beyond; per year.",
        (
            _USED,
            ppm("kink_ppm"),
            ppm("minimum_ppm", 0, RATE_PPM_MAX),
            ppm("slope_ppm", 0, RATE_PPM_MAX),
            ppm("high_slope_ppm", 0, RATE_PPM_MAX),
        ),
        (ppm("borrow_rate_ppm"),),
        slope_rate,
        law=("pool_pricing.slope_borrow_rate_ppm",),
    ),
    Formula(
        "pool_borrow_rate_power",
        "Factor * reserved^exponent / pool value, rounded up; exponent 1 or 2.",
        (
            micro("reserved", 0),
            micro("pool_value", 1),
            Quantity("factor", RATE, 0),
            Quantity("exponent", "power", 1, 2),
        ),
        (Quantity("borrow_rate", RATE),),
        power_rate,
    ),
    Formula(
        "pool_borrow_index_change",
        "How far the borrow index moves at a rate, rounded up.",
        (Quantity("borrow_rate", RATE, 0), Quantity("elapsed_ms", "milliseconds", 0, TIME_MAX)),
        (Quantity("index_change", BORROW_INDEX),),
        lambda borrow_rate, elapsed_ms: borrow_index_change(borrow_rate, elapsed_ms),
    ),
    Formula(
        "pool_borrow_fee",
        "What a position owes for a change of the borrow index, rounded up.",
        (micro("size", 0), Quantity("index_change", BORROW_INDEX, 0)),
        (micro("fee"),),
        borrow_fee,
    ),
    Formula(
        "pool_profit_cap",
        "Traders' profit that counts against a pool, and whether it exceeds the action's cap.",
        (micro("profit"), micro("side_value", 0), ppm("profit_max_ppm")),
        (micro("capped_profit"), Quantity("exceeds", YES_OR_NO)),
        profit_cap,
    ),
    Formula(
        "pool_value",
        "Tokens + pending borrow * (1 - receiver) - capped traders' profit - impact pool.",
        (
            Table(
                "tokens",
                (
                    Quantity("amount", "units of the token", 0),
                    price("price", PRICE_MAX),
                    Quantity("profit", "micro-quote won by the side", default=0),
                ),
                16,
            ),
            Quantity("profit_max_ppm", "ppm", 0, PPM, PPM),
            Quantity("pending_borrow", "micro-quote", 0, CASH_MAX, 0),
            Quantity("receiver_ppm", "ppm", 0, PPM, 0),
            Quantity("impact_pool", "micro-quote", 0, CASH_MAX, 0),
        ),
        (micro("pool_value"),),
        pool_value,
    ),
    Formula(
        "pool_share_mint",
        "Shares for a deposit, rounded down, with 1000 virtual shares and 1 virtual micro-quote.",
        (micro("deposit", 0), _VALUE, _SUPPLY),
        (Quantity("shares", SHARE),),
        share_mint,
        (_WORTH,),
        law=("pool_pricing.shares_minted",),
    ),
    Formula(
        "pool_share_redeem",
        "Micro-quote for shares given back, rounded down.",
        (Quantity("shares", SHARE, 0), _VALUE, _SUPPLY),
        (micro("amount"),),
        share_redeem,
        (_ISSUED,),
        law=("pool_pricing.shares_redeemed",),
    ),
    Formula(
        "pool_share_price",
        "Micro-quote per 10^9 shares, rounded down; 10^6 in an empty pool.",
        (_VALUE, _SUPPLY),
        (Quantity("share_price", "micro-quote per 10^9 shares"),),
        share_price,
    ),
    Formula(
        "pool_deposit_allowed",
        "Whether a pool stays within its cap after a deposit.",
        (micro("pool_value", 0), micro("deposit", 0), micro("value_cap", 0)),
        (Quantity("allowed", YES_OR_NO),),
        deposit_allowed,
        law=("pool_pricing.deposit_fits",),
    ),
    Formula(
        "pool_lock_passed",
        "Whether shares of a deposit may be given back by now.",
        (
            _TIME,
            Quantity("deposit_time", "milliseconds", 0, TIME_MAX),
            Quantity("lock_ms", "milliseconds", 0, TIME_MAX),
        ),
        (Quantity("passed", YES_OR_NO),),
        lock_passed,
    ),
)
