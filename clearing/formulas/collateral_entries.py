"""The law of collateral as entries that take and give plain integers, for ``clearing.formulas``."""

from __future__ import annotations

from collections.abc import Sequence

from clearing import collateral
from clearing.compiler import law_entry
from clearing.formulas.columns import array, column, empty
from clearing.formulas.trading_entries import checked
from clearing.layout import Rows


@law_entry
def value(units: int, price: int, stable_price: int, haircut_ppm: int) -> int:
    """Return ``collateral.haircut_value``."""
    worth, fits = collateral.haircut_value(units, price, stable_price, haircut_ppm)
    return checked(worth, fits)


@law_entry
def liability(units: int, price: int, stable_price: int, markup_ppm: int) -> int:
    """Return ``collateral.liability_value``."""
    owed, fits = collateral.liability_value(units, price, stable_price, markup_ppm)
    return checked(owed, fits)


@law_entry
def weight(weight_ppm: int, deposits: int, scale_start: int) -> int:
    """Return ``collateral.concentrated_weight_ppm``."""
    return collateral.concentrated_weight_ppm(weight_ppm, deposits, scale_start)


@law_entry
def liability_weight(weight_ppm: int, borrows: int, scale_start: int) -> int:
    """Return ``collateral.concentrated_liability_ppm``."""
    scaled, fits = collateral.concentrated_liability_ppm(weight_ppm, borrows, scale_start)
    return checked(scaled, fits)


@law_entry
def size_asset_weight(weight_ppm: int, size: int, factor_ppm: int) -> int:
    """Return ``collateral.size_asset_weight_ppm``."""
    return collateral.size_asset_weight_ppm(weight_ppm, size, factor_ppm)


@law_entry
def size_liability_weight(weight_ppm: int, size: int, factor_ppm: int) -> int:
    """Return ``collateral.size_liability_weight_ppm``."""
    scaled, fits = collateral.size_liability_weight_ppm(weight_ppm, size, factor_ppm)
    return checked(scaled, fits)


@law_entry
def depeg(notional: int, peg_price: int, threshold: int, multiplier_ppm: int) -> tuple[int, int]:
    """Return (``collateral.depeg_penalty``, ``collateral.depeg_factor_ppm``)."""
    penalty, fits = collateral.depeg_penalty(notional, peg_price, threshold, multiplier_ppm)
    factor = collateral.depeg_factor_ppm(peg_price, threshold, multiplier_ppm)
    return checked(penalty, fits), factor


@law_entry
def conversion(
    shortfall: int, held_units: int, price: int, discount_ppm: int
) -> tuple[int, int, int]:
    """Return ``collateral.conversion_units`` and what of the shortfall is left."""
    units, proceeds, fits = collateral.conversion_units(shortfall, held_units, price, discount_ppm)
    return units, checked(proceeds, fits), max(0, shortfall - proceeds)


@law_entry
def _order(haircuts_ppm: Rows[int], order: Rows[int]) -> None:
    collateral.conversion_order(haircuts_ppm, order)


def conversion_order(haircuts_ppm: Sequence[int]) -> tuple[Rows[int]]:
    """Return ``collateral.conversion_order``."""
    order = empty(len(haircuts_ppm))
    _order(array(haircuts_ppm), order)
    return (order,)


@law_entry
def _pledge(
    required: int,
    values: Rows[int],
    haircuts_ppm: Rows[int],
    costs_ppm: Rows[int],
    pledged: Rows[int],
) -> tuple[int, int]:
    return collateral.pledge_cheapest(required, values, haircuts_ppm, costs_ppm, pledged)


def optimise(required: int, assets: Sequence[dict[str, int]]) -> tuple[Rows[int], int, int, bool]:
    """Return ``collateral.pledge_cheapest`` of rows (value, haircut_ppm, cost_ppm)."""
    pledged = empty(len(assets))
    covered, cost = _pledge(required, *_columns(assets), pledged)
    return pledged, covered, cost, covered >= required


@law_entry
def _set(
    required: int, values: Rows[int], haircuts_ppm: Rows[int], costs_ppm: Rows[int]
) -> tuple[int, int, int]:
    return collateral.cheapest_set(required, values, haircuts_ppm, costs_ppm)


def optimise_whole(required: int, assets: Sequence[dict[str, int]]) -> tuple[int, int, int, bool]:
    """Return ``collateral.cheapest_set`` of rows (value, haircut_ppm, cost_ppm)."""
    members, covered, cost = _set(required, *_columns(assets))
    return members, covered, cost, covered >= required


def _columns(assets: Sequence[dict[str, int]]) -> tuple[Rows[int], Rows[int], Rows[int]]:
    return column(assets, "value"), column(assets, "haircut_ppm"), column(assets, "cost_ppm")
