"""Formulas of options: payoff, standard margin, charges, checks of risk rows, PMRM.

Discounts are in 1e-9; a signed margin is what the position leaves of an account: lower is worse.
"""

from __future__ import annotations

from clearing.formulas.option_entries import (
    carried_forward,
    check_bounds,
    check_convex,
    check_jump,
    check_monotone,
    check_parity,
    concentration_charge,
    confidence_share,
    depeg_charge,
    expiry_max_loss,
    fallback_row,
    naked_shorts,
    notional_share,
    option_intrinsic,
    option_payoff,
    parity_residual,
    pmrm_margin,
    row_age,
    standard_option_margin,
)
from clearing.formulas.portfolio import (
    CONFIDENCE,
    EXPIRIES,
    IS_CALL,
    MARGIN_RATES,
    NETTING,
    SHOCKS,
    STRIKE,
    discount,
    each,
    index,
    rate,
)
from clearing.formulas.portfolio_entries import EXPIRIES_MAX
from clearing.formulas.quantities import (
    LOT,
    MICRO,
    PPMS,
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
from clearing.grid import POINTS, ROW_MAX, SHOCK_MAX
from clearing.units import LOTS_MAX, POSITIONS_MAX, PPM, PRICE_MAX, TIME_MAX

LIST_MAX = 64
PER_LOT = "micro-quote per lot"
SPOT = price("spot_price")
_FORWARD = price("forward_price")
_INDEX = price("index_price")
OPTION_MARK = Quantity("mark_price", PER_LOT, 0, PRICE_MAX)
_HELD = (lots("lots"), price("price"))
STANDARD_RATES = (
    rate("initial_maximum_ppm", 150_000),
    rate("initial_minimum_ppm", 100_000),
    rate("maintenance_ppm", 75_000),
    rate("put_value_ppm", 75_000),
    rate("put_initial_ppm", 1_050_000),
)
UNPAIRED_RATES = (
    rate("unpaired_initial_ppm", 1_200_000),
    rate("unpaired_maintenance_ppm", 1_100_000),
)
_VERDICT = (Quantity("legal", YES_OR_NO), Quantity("point", "index of the first fault, or -1"))
_EPSILON = Quantity("epsilon", MICRO, 0, ROW_MAX, 1)
_DISCOUNT = discount("discount")
SIGNED = (micro("initial_margin"), micro("maintenance_margin"))


def row(name: str) -> Series:
    """A risk row of an option."""
    return each(name, MICRO, 0, ROW_MAX)


def ages(name: str, default: int | None = None) -> Quantity:
    """A time span."""
    return Quantity(name, "ms", 0, TIME_MAX, default)


OPTION_FORMULAS = (
    Formula(
        "option_intrinsic",
        "What one lot would pay at this price: max(S - K, 0) or max(K - S, 0).",
        (IS_CALL, STRIKE, price("price")),
        (Quantity("intrinsic", PER_LOT),),
        lambda is_call, strike, price: option_intrinsic(is_call, strike, price),
        law=("grid.intrinsic",),
    ),
    Formula(
        "option_payoff",
        "Cash that options receive at expiry: down for longs, up for what shorts pay.",
        (
            lots("lots"),
            IS_CALL,
            STRIKE,
            Quantity("settlement_price", PER_LOT, 0, PRICE_MAX),
            Quantity("price_scale", "units of both prices in a micro-quote", 1, 1 << 30, 1),
        ),
        (micro("payoff"),),
        option_payoff,
    ),
    Formula(
        "standard_option_margin",
        "Margins of one isolated option, signed; a long is paid in full and gives no credit.",
        (lots("lots"), IS_CALL, STRIKE, SPOT, OPTION_MARK, *STANDARD_RATES),
        (
            micro("value"),
            *SIGNED,
            micro("initial_requirement"),
            micro("maintenance_requirement"),
        ),
        lambda **arguments: standard_option_margin(*arguments.values()),
        note="Initial is never less than maintenance, whatever the parameters; Derive leaves that "
        "to them.",
        law=("option_margin.standard_option_margin",),
    ),
    Formula(
        "expiry_max_loss",
        "The largest loss of an expiry's options over payoffs at every strike and zero.",
        (
            Table("options", (lots("lots"), IS_CALL, STRIKE), LIST_MAX),
            _FORWARD,
            *UNPAIRED_RATES,
        ),
        (*SIGNED, Quantity("settlement_price", PER_LOT), Quantity("unpaired_calls", LOT)),
        lambda **arguments: expiry_max_loss(*arguments.values()),
    ),
    Formula(
        "naked_shorts",
        "Short options that no long of the same expiry and strike covers, and the charge.",
        (
            Table(
                "options",
                (
                    lots("lots"),
                    index("expiry", EXPIRIES_MAX, 0),
                    STRIKE,
                    Quantity("is_call", "1 call, 0 put", 0, 1, 0),
                ),
                LIST_MAX,
            ),
            _INDEX,
            rate("rate_ppm"),
            NETTING,
        ),
        (Quantity("naked_lots", LOT), micro("charge")),
        naked_shorts,
    ),
    Formula(
        "linear_contingency",
        "A share of a position's notional, rounded up.",
        (*_HELD, rate("rate_ppm")),
        (micro("charge"),),
        lambda lots, price, rate_ppm: notional_share(lots, price, rate_ppm),
        law=("charges.notional_share",),
    ),
    Formula(
        "concentration_charge",
        "A share of the notional of lots beyond a threshold, rounded up.",
        (
            lots("lots"),
            Quantity("threshold_lots", LOT, 0, LOTS_MAX),
            price("price"),
            rate("rate_ppm"),
        ),
        (micro("charge"),),
        concentration_charge,
        law=("charges.concentration_charge",),
    ),
    Formula(
        "confidence_charge",
        "(1 - confidence) * rate * notional once confidence is below a threshold, rounded up.",
        (*_HELD, ppm("confidence_ppm"), CONFIDENCE[1], rate("rate_ppm", 400_000)),
        (micro("charge"),),
        lambda **arguments: confidence_share(*arguments.values()),
        law=(
            "charges.confidence_missing",
            "charges.shortfall_charge",
        ),
    ),
    Formula(
        "depeg_charge",
        "(threshold - peg) * rate * notional once a stable asset is below the threshold, up.",
        (
            *_HELD,
            Quantity("peg_ppm", PPMS, 0, 2 * PPM),
            Quantity("threshold_ppm", PPMS, 0, PPM, 980_000),
            rate("rate_ppm", 1_200_000),
        ),
        (micro("charge"),),
        depeg_charge,
        note="The law takes a lost peg out of what the asset counts for as collateral.",
    ),
)

ROW_FORMULAS = (
    Formula(
        "row_check_bounds",
        "Whether a row lies between discounted intrinsic and discounted forward or strike.",
        (row("row"), SHOCKS, IS_CALL, STRIKE, _FORWARD, _DISCOUNT, _EPSILON),
        _VERDICT,
        lambda **arguments: check_bounds(*arguments.values()),
        law=("grid.check_row_bounds",),
    ),
    Formula(
        "row_check_monotone",
        "Whether two strikes agree: calls fall and puts rise, by at most the discounted gap.",
        (
            row("lower_row"),
            row("upper_row"),
            IS_CALL,
            Quantity("strike_gap", PER_LOT, 0, PRICE_MAX),
            _DISCOUNT,
            _EPSILON,
        ),
        _VERDICT,
        lambda **arguments: check_monotone(*arguments.values()),
        law=("grid.check_strike_pair",),
    ),
    Formula(
        "row_check_convex",
        "Whether three rising strikes are convex at every point, whatever their spacing.",
        (
            row("lower_row"),
            row("middle_row"),
            row("upper_row"),
            price("lower_strike"),
            price("strike"),
            price("upper_strike"),
            _EPSILON,
        ),
        _VERDICT,
        check_convex,
        law=("grid.check_strike_neighbours",),
    ),
    Formula(
        "row_check_parity",
        "Whether call less put is the discounted forward less strike at every point.",
        (row("call_row"), row("put_row"), SHOCKS, STRIKE, _FORWARD, _DISCOUNT, _EPSILON),
        _VERDICT,
        lambda **arguments: check_parity(*arguments.values()),
        law=("grid.check_parity",),
    ),
    Formula(
        "put_call_parity",
        "The residual of put-call parity: call - put - discount * (forward - strike).",
        (
            Quantity("call", PER_LOT, 0, PRICE_MAX),
            Quantity("put", PER_LOT, 0, PRICE_MAX),
            STRIKE,
            _FORWARD,
            _DISCOUNT,
        ),
        (micro("residual"),),
        parity_residual,
        law=("grid.parity_residual",),
    ),
    Formula(
        "row_check_jump",
        "Whether a new row moved by at most a share of the index price at every point.",
        (row("old_row"), row("new_row"), _INDEX, ppm("jump_ppm")),
        _VERDICT,
        check_jump,
        law=("grid.check_row_jump",),
    ),
    Formula(
        "row_age",
        "The rung of a row of this age (0 fresh, 1 aging, 2 reduce-only, 3 fallback) and margin.",
        (
            ages("age_ms"),
            ages("aging_ms"),
            ages("reduce_only_ms"),
            ages("fallback_ms"),
            Quantity("initial_margin", MICRO, 0, 1 << 62, 0),
            rate("aged_ppm", 1_250_000),
        ),
        (Quantity("rung", "index"), micro("initial_margin")),
        row_age,
        law=(
            "grid.aged_initial",
            "grid.row_age",
        ),
    ),
    Formula(
        "fallback_row",
        "What stands in for a row too old: intrinsic for longs, tail intrinsic for shorts.",
        (
            SHOCKS,
            Quantity("is_short", "1 short, 0 long", 0, 1),
            IS_CALL,
            STRIKE,
            _FORWARD,
            OPTION_MARK,
        ),
        (Series("row", micro("each"), POINTS),),
        lambda **arguments: (fallback_row(*arguments.values()),),
        law=("grid.fallback_row",),
    ),
    Formula(
        "carried_forward",
        "The higher or lower of an index and the forward that the last signed carry makes of it.",
        (
            _INDEX,
            Quantity("signed_forward", PER_LOT, 0, PRICE_MAX),
            Quantity("signed_reference", PER_LOT, 0, PRICE_MAX),
            Quantity("highest", "1 the higher, 0 the lower", 0, 1),
        ),
        (Quantity("forward_price", PER_LOT),),
        lambda **arguments: carried_forward(*arguments.values()),
        law=("grid.carried_forward",),
    ),
)

_PMRM_OPTIONS = Table(
    "options",
    (
        lots("lots"),
        Quantity("value", PER_LOT, 0, PRICE_MAX),
        each("row", MICRO, 0, ROW_MAX, LIST_MAX),
        index("expiry", EXPIRIES_MAX, 0),
        STRIKE,
        Quantity("is_call", "1 call, 0 put", 0, 1, 0),
        Quantity("basis_above", PER_LOT, 0, ROW_MAX),
        Quantity("basis_below", PER_LOT, 0, ROW_MAX),
    ),
    2 * LIST_MAX,
    (),
)

_PMRM_EXPIRIES = Table(
    "expiries", (*EXPIRIES.columns, CONFIDENCE[0]), EXPIRIES.length_max, EXPIRIES.default
)

PMRM_FORMULAS = (
    Formula(
        "pmrm_margin",
        "Margins of one underlying in the manner of PMRM, with every number on the way.",
        (
            _PMRM_OPTIONS,
            Table(
                "linear",
                (lots("lots"), price("mark_price"), Quantity("unrealised", MICRO, default=0)),
                POSITIONS_MAX,
                (),
            ),
            Table(
                "collateral",
                (
                    micro("value", 0, 1 << 60),
                    Quantity("haircut_ppm", PPMS, 0, PPM, 0),
                    Quantity("initial_haircut_ppm", PPMS, 0, PPM, 0),
                    Quantity("cancels_risk", "1 yes, 0 no", 0, 1, 0),
                    CONFIDENCE[0],
                ),
                POSITIONS_MAX,
                (),
            ),
            Quantity("cash", MICRO, default=0),
            SPOT,
            each("price_shock_ppm", PPMS, -PPM, SHOCK_MAX, LIST_MAX),
            each("damp_ppm", PPMS, 0, PPM, LIST_MAX),
            each("skew", "1 skew point, 0 not", 0, 1, LIST_MAX),
            _PMRM_EXPIRIES,
            *MARGIN_RATES,
            Quantity("peg_ppm", PPMS, 0, 2 * PPM, PPM),
            Quantity("peg_threshold_ppm", PPMS, 0, PPM, 980_000),
            rate("peg_factor_ppm", 2 * PPM),
            rate("naked_initial_ppm", 0),
            rate("naked_maintenance_ppm", 0),
            rate("linear_initial_ppm", 0),
            rate("linear_maintenance_ppm", 0),
            *CONFIDENCE,
            rate("confidence_rate_ppm", PPM),
            NETTING,
        ),
        (
            *SIGNED,
            micro("mark_to_market"),
            micro("option_value"),
            micro("worst_pnl"),
            Quantity("worst_scenario", "index; the count of scenarios is basis, -1 none"),
            micro("basis_contingency"),
            Quantity("naked_short_lots", LOT),
            micro("naked_maintenance"),
            micro("naked_initial"),
            micro("linear_maintenance"),
            micro("linear_initial"),
            micro("haircut"),
            micro("initial_haircut"),
            micro("confidence_contingency"),
            rate("initial_factor_ppm"),
            Series("scenario_pnl", micro("each"), LIST_MAX),
            Series("damped_pnl", micro("each"), LIST_MAX),
        ),
        pmrm_margin,
        note="Rows, discounts and the factor of the basis are given: who publishes rows shocks "
        "volatility and skew. Contingencies are of spot, gains of a linear position of its mark.",
    ),
)

FORMULAS = (*OPTION_FORMULAS, *ROW_FORMULAS, *PMRM_FORMULAS)
