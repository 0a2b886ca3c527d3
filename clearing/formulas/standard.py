"""Formulas of an account under standard margin: rules a position, no scenarios."""

from __future__ import annotations

from clearing.formulas.options import (
    LIST_MAX,
    OPTION_MARK,
    SIGNED,
    SPOT,
    STANDARD_RATES,
    UNPAIRED_RATES,
)
from clearing.formulas.portfolio import CONFIDENCE, IS_CALL, STRIKE, index, rate
from clearing.formulas.portfolio_entries import EXPIRIES_MAX
from clearing.formulas.quantities import (
    MICRO,
    PPMS,
    Demand,
    Formula,
    Quantity,
    Series,
    Table,
    lots,
    micro,
    price,
)
from clearing.formulas.standard_entries import standard_margin
from clearing.units import POSITIONS_MAX, PPM

_SURE = CONFIDENCE[0]
_LISTED = Demand(
    "a forward price for each expiry that an option names",
    lambda given: all(row["expiry"] < len(given["forward_prices"]) for row in given["options"]),
)


def _expiries(name: str) -> Series:
    return Series(name, micro("of an expiry"), EXPIRIES_MAX)


FORMULAS = (
    Formula(
        "standard_margin",
        "Margins by rules: an expiry needs the less of isolated margins and its largest loss.",
        (
            Table(
                "options",
                (
                    lots("lots"),
                    IS_CALL,
                    STRIKE,
                    OPTION_MARK,
                    index("expiry", EXPIRIES_MAX, 0),
                    _SURE,
                ),
                LIST_MAX,
                (),
            ),
            Table(
                "linear",
                (
                    lots("lots"),
                    price("mark_price"),
                    Quantity("unrealised", MICRO, default=0),
                    _SURE,
                ),
                POSITIONS_MAX,
                (),
            ),
            Table(
                "collateral",
                (
                    micro("value", 0, 1 << 48),
                    Quantity("haircut_ppm", PPMS, 0, PPM, 0),
                    Quantity("initial_haircut_ppm", PPMS, 0, PPM, 0),
                    _SURE,
                ),
                POSITIONS_MAX,
                (),
            ),
            Quantity("cash", MICRO, default=0),
            SPOT,
            Series("forward_prices", price("of an expiry"), EXPIRIES_MAX),
            *STANDARD_RATES,
            *UNPAIRED_RATES,
            rate("linear_initial_ppm", 65_000),
            rate("linear_maintenance_ppm", 50_000),
            CONFIDENCE[1],
            rate("confidence_rate_ppm", 400_000),
            Quantity("peg_ppm", PPMS, 0, 2 * PPM, PPM),
            Quantity("peg_threshold_ppm", PPMS, 0, PPM, 980_000),
            rate("peg_factor_ppm", 1_200_000),
        ),
        (
            *SIGNED,
            micro("options_initial"),
            micro("options_maintenance"),
            micro("linear_initial"),
            micro("linear_maintenance"),
            micro("haircut"),
            micro("initial_haircut"),
            micro("confidence_contingency"),
            micro("depeg_contingency"),
            _expiries("isolated_initial"),
            _expiries("isolated_maintenance"),
            _expiries("largest_loss_initial"),
            _expiries("largest_loss_maintenance"),
        ),
        standard_margin,
        (_LISTED,),
        note="Signed, as Derive's standard manager has them. Low confidence counts for short "
        "options, linear positions and collateral, a lost peg for short options and linear ones.",
    ),
)
