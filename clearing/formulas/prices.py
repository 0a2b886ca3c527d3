"""Formulas of the law's own gates of prices: stable price, confidence, band."""

from __future__ import annotations

from clearing.formulas.prices_entries import (
    law_stable_price,
    price_band_breached,
    price_confidence,
)
from clearing.formulas.quantities import YES_OR_NO, Formula, Quantity, ppm, price
from clearing.units import PPM, TIME_MAX

FORMULAS = (
    Formula(
        "law_stable_price",
        "The stable price after a price: it moves by at most a rate an hour, ten minutes a step.",
        (
            price("stable_price"),
            price("price"),
            Quantity("elapsed_ms", "milliseconds", 0, TIME_MAX),
            ppm("rate_ppm"),
        ),
        (price("stable_price"),),
        law_stable_price,
    ),
    Formula(
        "price_confidence",
        "One less the spread of the publishers' prices over their median, in ppm, at least 0.",
        (price("lowest"), price("median"), price("highest")),
        (Quantity("confidence_ppm", "ppm", 0, PPM),),
        price_confidence,
    ),
    Formula(
        "price_band_breached",
        "Whether a mark lies further from the stable price than the band; 10^6 is no band.",
        (price("mark_price"), price("stable_price"), ppm("band_ppm")),
        (Quantity("breached", YES_OR_NO),),
        price_band_breached,
    ),
)
