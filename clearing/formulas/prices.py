"""Formulas of the law's own gates of prices: stable price, doubts, band, settlement, carry."""

from __future__ import annotations

from clearing.formulas.oracle import SAMPLES, UPDATES_MAX, USES, VALIDITY
from clearing.formulas.prices_entries import (
    action_allowed,
    price_band_breached,
    price_confidence,
    restart_grace,
    row_carry,
    settlement_price,
    stable_price,
)
from clearing.formulas.quantities import (
    PRICE,
    YES_OR_NO,
    Demand,
    Formula,
    Quantity,
    Table,
    ppm,
    price,
)
from clearing.grid import DISCOUNT_MAX, DISCOUNT_SCALE
from clearing.oracle import Use
from clearing.units import PPM, PRICE_MAX, TIME_MAX

WINDOW_MAX = 1 << 40


def _time(name: str, low: int = 0, high: int = TIME_MAX, default: int | None = None) -> Quantity:
    return Quantity(name, "milliseconds", low, high, default)


_ORDERED = Demand(
    "times above zero that rise from update to update",
    lambda given: all(
        before < after
        for before, after in zip(
            [0, *(row["time"] for row in given["updates"])],
            [row["time"] for row in given["updates"]],
            strict=False,
        )
    ),
)

FORMULAS = (
    Formula(
        "stable_price",
        "The stable price after a price: it moves by at most a rate an hour, ten minutes a step.",
        (
            Quantity("stable_price", PRICE, 0, PRICE_MAX),
            price("price"),
            _time("elapsed_ms"),
            ppm("rate_ppm", 0, 100 * PPM),
        ),
        (price("stable_price"),),
        stable_price,
        law=("price_gates.stable_after",),
    ),
    Formula(
        "price_confidence",
        "One less the spread of the publishers' prices over their median, in ppm, at least 0.",
        (price("lowest"), price("median"), price("highest")),
        (Quantity("confidence_ppm", "ppm", 0, PPM),),
        price_confidence,
        law=("price_gates.confidence_of",),
    ),
    Formula(
        "price_band_breached",
        "Whether a mark lies further from the stable price than the band; 10^6 is no band.",
        (price("mark_price"), price("stable_price"), ppm("band_ppm")),
        (Quantity("breached", YES_OR_NO),),
        price_band_breached,
        law=("price_gates.is_beyond_band",),
    ),
    Formula(
        "oracle_action_allowed",
        "Whether a price in this doubt may be used so; one in several doubts if each allows it.",
        (VALIDITY, Quantity("use", USES, int(Use.OPEN), int(Use.ROW_CHECK))),
        (Quantity("allowed", YES_OR_NO),),
        action_allowed,
        law=("price_gates.allows",),
    ),
    Formula(
        "restart_grace",
        "Until when liquidations wait in a market after a price that follows one too old.",
        (
            _time("last_price_time"),
            _time("clock"),
            _time("grace_until", default=0),
            _time("price_stale_ms", 1, WINDOW_MAX, 300_000),
            _time("grace_ms", 0, WINDOW_MAX, 60_000),
        ),
        (Quantity("grace_until", "milliseconds"),),
        restart_grace,
        law=("actions.price.take_price",),
    ),
    Formula(
        "settlement_price",
        "What an expiry settles at: the time-weighted mean from the first price in its window.",
        (
            Table("updates", SAMPLES, UPDATES_MAX),
            _time("expiry", 1),
            _time("window_ms", 1, WINDOW_MAX, 1_800_000),
        ),
        (Quantity("price", PRICE), Quantity("exists", YES_OR_NO)),
        settlement_price,
        (_ORDERED,),
        note="The first price at or after expiry freezes it; it counts alone if there was none.",
        law=("settlement.move_index",),
    ),
    Formula(
        "row_carry_check",
        "Whether a set of risk rows has a forward and a discount that carry allows.",
        (
            price("reference_price"),
            price("forward_price"),
            Quantity("discount", "1e-9", 1, DISCOUNT_MAX, DISCOUNT_SCALE),
            _time("left_ms", 1, WINDOW_MAX),
            ppm("carry_ppm"),
            Quantity("active_reference", PRICE, 0, PRICE_MAX, 0),
            Quantity("active_forward", PRICE, 0, PRICE_MAX, 0),
            Quantity("active_discount", "1e-9", 1, DISCOUNT_MAX, DISCOUNT_SCALE),
            Quantity("parity_ppm", "ppm", 0, PPM, 1_000),
        ),
        (Quantity("within", YES_OR_NO), Quantity("allowed", YES_OR_NO)),
        row_carry,
        note="Within: not further from the reference price, and from one, than a year's share. "
        "Allowed: nor from the active set's, if there is one (active_reference above 0).",
        law=("actions.risk_rows.check_carry",),
    ),
)
