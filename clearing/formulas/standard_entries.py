"""A standard-margin account of one underlying, as an entry over plain integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clearing import charges
from clearing.compiler import law_entry
from clearing.formulas.option_entries import (
    charges_share,
    confidence_share,
    expiry_max_loss,
    notional_share,
    standard_option_margin,
)
from clearing.formulas.portfolio_entries import Row, narrow

ONE_OPTION = (
    "initial_maximum_ppm",
    "initial_minimum_ppm",
    "maintenance_ppm",
    "put_value_ppm",
    "put_initial_ppm",
)


@law_entry
def _depeg_charge(lots: int, price: int, missing_ppm: int, rate_ppm: int) -> int:
    return charges.shortfall_charge(lots, price, missing_ppm, rate_ppm)


def standard_margin(
    options: Sequence[Row],
    linear: Sequence[Row],
    collateral: Sequence[Row],
    cash: int,
    spot_price: int,
    forward_prices: Sequence[int],
    **rates: int,
) -> tuple[Any, ...]:
    """Return signed margins of an account by the standard rules, and every number on the way."""
    expiries = [
        _expiry([row for row in options if row["expiry"] == i], spot_price, forward, rates)
        for i, forward in enumerate(forward_prices)
    ]
    isolated = [each[:2] for each in expiries]
    bounded = [each[2:] for each in expiries]
    # Signed: the larger number is the smaller requirement.
    initial, maintenance = (
        sum(max(one[side], other[side]) for one, other in zip(isolated, bounded, strict=True))
        for side in (0, 1)
    )
    need, need_maintenance = (
        sum(notional_share(row["lots"], row["mark_price"], rates[name]) for row in linear)
        for name in ("linear_initial_ppm", "linear_maintenance_ppm")
    )
    haircut, more = (
        sum(charges_share(row["value"], row[name]) for row in collateral)
        for name in ("haircut_ppm", "initial_haircut_ppm")
    )
    doubt, depeg = _doubt(options, linear, collateral, spot_price, rates), 0
    exposed = sum(max(-row["lots"], 0) for row in options) + sum(abs(r["lots"]) for r in linear)
    if rates["peg_ppm"] < rates["peg_threshold_ppm"]:
        missing = rates["peg_threshold_ppm"] - rates["peg_ppm"]
        depeg = _depeg_charge(narrow(exposed), spot_price, missing, rates["peg_factor_ppm"])
    own = cash + sum(row["unrealised"] for row in linear)
    own += sum(row["value"] for row in collateral) - haircut
    return (
        narrow(own + initial - need - more - doubt - depeg),
        narrow(own + maintenance - need_maintenance),
        initial, maintenance, need, need_maintenance, haircut, more, doubt, depeg,
        *([row[side] for row in part] for part in (isolated, bounded) for side in (0, 1)),
    )  # fmt: skip


def _expiry(
    rows: Sequence[Row], spot: int, forward: int, rates: dict[str, int]
) -> tuple[int, int, int, int]:
    """Return (isolated initial, maintenance, largest loss initial, maintenance) of an expiry."""
    each = [
        standard_option_margin(
            row["lots"],
            row["is_call"],
            row["strike"],
            spot,
            row["mark_price"],
            *(rates[name] for name in ONE_OPTION),
        )
        for row in rows
    ]
    largest = expiry_max_loss(
        rows, forward, rates["unpaired_initial_ppm"], rates["unpaired_maintenance_ppm"]
    )
    return sum(one[1] for one in each), sum(one[2] for one in each), largest[0], largest[1]


def _doubt(
    options: Sequence[Row],
    linear: Sequence[Row],
    collateral: Sequence[Row],
    spot: int,
    rates: dict[str, int],
) -> int:
    """Return what low confidence costs: of short options, linear positions and collateral.

    An expiry is as sure as the least sure of its options.
    """
    sure = {
        expiry: min(row["confidence_ppm"] for row in options if row["expiry"] == expiry)
        for expiry in {row["expiry"] for row in options}
    }
    priced = [(max(-row["lots"], 0), spot, sure[row["expiry"]]) for row in options]
    priced += [(row["lots"], spot, row["confidence_ppm"]) for row in linear]
    priced += [(row["value"], 1, row["confidence_ppm"]) for row in collateral]
    limits = rates["confidence_threshold_ppm"], rates["confidence_rate_ppm"]
    return sum(
        confidence_share(lots, price, confidence, *limits) for lots, price, confidence in priced
    )
