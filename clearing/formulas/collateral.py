"""Formulas of collateral: its value, its weight, its conversion and its cheapest pledge."""

from __future__ import annotations

from clearing.collateral import ASSETS_MAX, SET_ASSETS_MAX
from clearing.formulas.collateral_entries import (
    conversion,
    conversion_order,
    depeg,
    liability,
    liability_weight,
    optimise,
    optimise_whole,
    size_asset_weight,
    size_liability_weight,
    value,
    weight,
)
from clearing.formulas.quantities import (
    YES_OR_NO,
    Formula,
    Quantity,
    Series,
    Table,
    micro,
    ppm,
)
from clearing.units import LOTS_MAX, PPM, PRICE_MAX

UNIT = "units of the asset"
UNIT_PRICE = "micro-quote per 10^6 units"
WEIGHT_PPM_MAX = 100 * PPM
PLEDGE_MAX = 1 << 56
SIZE_MAX = 1 << 58
PEG_MAX = 1 << 30

_UNITS = Quantity("units", UNIT, 0, LOTS_MAX)
_PRICES = (
    Quantity("price", UNIT_PRICE, 1, PRICE_MAX),
    Quantity("stable_price", UNIT_PRICE, 1, PRICE_MAX),
)
_SIZE = Quantity("size", "1e-9 of an asset", 0, SIZE_MAX)
_SCALE = micro("scale_start", 1)
_ASSET = (micro("value", 0, PLEDGE_MAX), ppm("haircut_ppm"), ppm("cost_ppm"))
_CHOICE = (micro("covered"), micro("cost"), Quantity("covers", YES_OR_NO))

FORMULAS = (
    Formula(
        "collateral_value",
        "units * min(price, stable price) * (1 - haircut), rounded down.",
        (_UNITS, *_PRICES, ppm("haircut_ppm")),
        (micro("value"),),
        value,
        law=("collateral.haircut_value",),
    ),
    Formula(
        "liability_value",
        "units * max(price, stable price) * (1 + markup), rounded up.",
        (_UNITS, *_PRICES, ppm("markup_ppm")),
        (micro("value"),),
        liability,
    ),
    Formula(
        "collateral_weight",
        "weight * scale start / deposits once all deposits exceed the start, rounded down.",
        (ppm("weight_ppm", 0, WEIGHT_PPM_MAX), micro("deposits", 0), _SCALE),
        (ppm("weight_ppm"),),
        weight,
        law=("collateral.concentrated_weight_ppm",),
    ),
    Formula(
        "liability_weight",
        "weight * borrows / scale start once all borrows exceed the start, rounded up.",
        (ppm("weight_ppm", 0, WEIGHT_PPM_MAX), micro("borrows", 0), _SCALE),
        (ppm("weight_ppm"),),
        liability_weight,
    ),
    Formula(
        "collateral_weight_by_size",
        "min(weight, 1.1 / (1 + factor * sqrt(size))), rounded down.",
        (ppm("weight_ppm", 0, WEIGHT_PPM_MAX), _SIZE, ppm("factor_ppm")),
        (ppm("weight_ppm"),),
        size_asset_weight,
    ),
    Formula(
        "liability_weight_by_size",
        "max(weight, 0.8 * weight + factor * sqrt(size)), rounded up.",
        (ppm("weight_ppm", 0, WEIGHT_PPM_MAX), _SIZE, ppm("factor_ppm")),
        (ppm("weight_ppm"),),
        size_liability_weight,
    ),
    Formula(
        "depeg_penalty",
        "notional * multiplier * max(0, threshold - peg), up, and the factor without the notional.",
        (
            micro("notional", 0),
            Quantity("peg_price", "micro-quote per quote", 0, PEG_MAX),
            Quantity("threshold", "micro-quote per quote", 0, PEG_MAX),
            ppm("multiplier_ppm", 0, 1_000 * PPM),
        ),
        (micro("penalty"), ppm("factor_ppm")),
        depeg,
    ),
    Formula(
        "collateral_conversion",
        "The fewest units to sell at a keeper's discount, what they bring, what stays short.",
        (
            micro("shortfall", 0),
            Quantity("held_units", UNIT, 0, LOTS_MAX),
            Quantity("price", UNIT_PRICE, 1, PRICE_MAX),
            ppm("discount_ppm"),
        ),
        (Quantity("units", UNIT), micro("proceeds"), micro("uncovered")),
        conversion,
        law=("collateral.conversion_units",),
    ),
    Formula(
        "collateral_conversion_order",
        "The indices of assets in the order of their sale: smallest haircut first.",
        (Series("haircuts_ppm", ppm("haircut_ppm"), ASSETS_MAX),),
        (Series("order", Quantity("index", "index of an asset"), ASSETS_MAX),),
        conversion_order,
    ),
    Formula(
        "optimise_collateral",
        "The cheapest pledge of divisible assets that counts for what is required.",
        (micro("required", 0), Table("assets", _ASSET, ASSETS_MAX)),
        (Series("pledged", micro("value"), ASSETS_MAX), *_CHOICE),
        optimise,
    ),
    Formula(
        "optimise_collateral_whole",
        "The cheapest set of whole assets (bit i for asset i) that counts for what is required.",
        (micro("required", 0), Table("assets", _ASSET, SET_ASSETS_MAX)),
        (Quantity("members", "bits of a set"), *_CHOICE),
        optimise_whole,
    ),
)
