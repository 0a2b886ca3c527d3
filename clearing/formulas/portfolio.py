"""Formulas of portfolio margin: stress grid, joint scenarios, SPAN.

Discounts are in 1e-9. `expiry` is an index into the table of expiries; `row` holds what one lot is
worth at each point of the grid, profit positive. A position's `value` is what one lot is worth now.
"""

from __future__ import annotations

from clearing.formulas.portfolio_entries import (
    EXPIRIES_MAX,
    SPAN_POINTS,
    account_greeks,
    composite_delta,
    discounted,
    grid_is_legal,
    grid_vector,
    inter_commodity_credit,
    interpolate_scenario,
    intra_commodity_charge,
    lerp,
    linear_risk_row,
    measured_risk,
    portfolio_margin,
    requirement,
    shocked_forward,
    shortfall_covered,
    span_margin,
    span_requirement,
    span_scan_points,
    tail_losses,
    worst_scenario,
)
from clearing.formulas.quantities import (
    CASH_MAX,
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
from clearing.greeks import GREEK_MAX
from clearing.grid import (
    DISCOUNT_MAX,
    DISCOUNT_SCALE,
    NODES,
    ONE,
    POINTS,
    ROW_MAX,
    SHOCK_MAX,
    VALUE_LIMIT,
)
from clearing.portfolio import (
    BASIS_PPM_MAX,
    SCENARIOS_MAX,
    TAIL_MAX,
    UNDERLYINGS_MAX,
    Method,
)
from clearing.units import LOTS_MAX, POSITIONS_MAX, PPM, PRICE_MAX

RATE_MAX = 10 * PPM
PRODUCT_MAX = 1 << 60
DELTA = "1e-6 lots"
DELTA_MAX = 1 << 55
DELTAS_MAX = 64
LEGS_MAX = 8


def rate(name: str, default: int | None = None, high: int = RATE_MAX) -> Quantity:
    """A rate or multiple in ppm that may exceed one."""
    return Quantity(name, PPMS, 0, high, default)


def each(name: str, unit: str, low: int, high: int, length: int = POINTS) -> Series:
    """A list with one value a point."""
    return Series(name, Quantity("each", unit, low, high), length)


def index(name: str, count: int, default: int | None = None) -> Quantity:
    """A place in a list of `count`."""
    return Quantity(name, "index", 0, count - 1, default)


def discount(name: str) -> Quantity:
    """A discount factor; none by default."""
    return Quantity(name, "1e-9", 0, DISCOUNT_MAX, DISCOUNT_SCALE)


SHOCKS = each("price_shock_ppm", PPMS, -PPM, SHOCK_MAX)
DAMPS = each("damp_ppm", PPMS, 0, PPM)
VOLATILITY = (
    Quantity("volatility_down_ppm", PPMS, -SHOCK_MAX, 0, -275_000),
    Quantity("volatility_up_ppm", PPMS, 0, SHOCK_MAX, 500_000),
)
ROW = each("row", MICRO, -ROW_MAX, ROW_MAX)
IS_CALL = Quantity("is_call", "1 call, 0 put", 0, 1)
STRIKE = Quantity("strike", "micro-quote per lot", 0, PRICE_MAX, 0)
GUARD = Quantity("guard", "micro-quote per lot", 0, 1, 1)
EXPIRIES = Table(
    "expiries",
    (
        discount("long_discount"),
        discount("short_discount"),
        Quantity("basis_ppm", PPMS, 0, BASIS_PPM_MAX, 0),
    ),
    EXPIRIES_MAX,
    (),
)
OPTIONS = Table(
    "options",
    (
        lots("lots"),
        Quantity("value", "micro-quote per lot", 0, PRICE_MAX),
        ROW,
        index("expiry", EXPIRIES_MAX, 0),
        index("underlying", UNDERLYINGS_MAX, 0),
        STRIKE,
        Quantity("is_call", "1 call, 0 put", 0, 1, 0),
        Quantity("index_price", "micro-quote per lot", 0, PRICE_MAX, 0),
    ),
    POSITIONS_MAX,
    (),
)
LINEAR_POSITIONS = Table(
    "linear",
    (lots("lots"), price("mark_price"), index("underlying", UNDERLYINGS_MAX, 0)),
    POSITIONS_MAX,
    (),
)
SCENARIOS = Table(
    "scenarios",
    (
        index("scenario", SCENARIOS_MAX),
        index("underlying", UNDERLYINGS_MAX, 0),
        Quantity("price_shock_ppm", PPMS, -PPM, SHOCK_MAX),
        Quantity("volatility_shock_ppm", PPMS, -PPM, SHOCK_MAX, 0),
    ),
    4 * SCENARIOS_MAX,
    (),
)
METHOD = Quantity(
    "method", "0 worst, 1 expected shortfall, 2 blend", 0, len(Method) - 1, Method.WORST.value
)
TAIL = Quantity("tail", "losses", 1, TAIL_MAX, 13)
LOSSES = Series("losses", micro("loss", -(1 << 56), 1 << 56), SCENARIOS_MAX)
BLEND = (ppm("blend_ppm"), Quantity("offset_cap_ppm", PPMS, 0, PPM, PPM))
HALF = (Quantity("blend_ppm", PPMS, 0, PPM, PPM // 2), BLEND[1])
MARGIN_RATES = (rate("initial_ppm", PPM), rate("maintenance_ppm", 800_000))
MINIMUM = Quantity("short_option_minimum", "micro-quote per short lot", 0, PRICE_MAX, 0)
CHARGES = (
    rate("naked_initial_ppm", 0),
    rate("naked_maintenance_ppm", 0),
    rate("linear_initial_ppm", 0),
    rate("linear_maintenance_ppm", 0),
    Quantity("concentration_lots", LOT, 0, LOTS_MAX, LOTS_MAX),
    rate("concentration_ppm", 0),
)
CONFIDENCE = (
    Quantity("confidence_ppm", PPMS, 0, PPM, PPM),
    Quantity("confidence_threshold_ppm", PPMS, 0, PPM, 550_000),
)
NETTING = Quantity("net_calls_with_puts", "1 in naked shorts of a strike, 0 not", 0, 1, 1)
MARGINS = (micro("initial_margin"), micro("maintenance_margin"))

GRID_FORMULAS = (
    Formula(
        "grid_vector",
        "The account's value at each point of the grid: the sum of lots * row.",
        (Table("positions", (lots("lots"), ROW), POSITIONS_MAX),),
        (Series("vector", micro("each"), POINTS),),
        grid_vector,
        law=(
            "charges.scaled",
            "portfolio.portfolio_risk",
        ),
    ),
    Formula(
        "linear_risk_row",
        "The gain of one lot at each price shock, rounded to nearest.",
        (price("mark_price"), SHOCKS),
        (Series("row", micro("each"), POINTS),),
        lambda **arguments: (linear_risk_row(**arguments),),
        law=("grid.linear_row",),
    ),
    Formula(
        "shocked_forward",
        "A forward after a price shock; its settled part does not move.",
        (
            Quantity("variable", "micro-quote per lot", 0, PRICE_MAX),
            Quantity("fixed", "micro-quote per lot", 0, PRICE_MAX, 0),
            Quantity("shock_ppm", PPMS, -PPM, SHOCK_MAX),
        ),
        (micro("forward"),),
        shocked_forward,
        law=("grid.shocked_forward",),
    ),
    Formula(
        "discounted_value",
        "A value times the discount of assets or, if negative, of debts, rounded down.",
        (
            micro("value", -VALUE_LIMIT, VALUE_LIMIT),
            discount("long_discount"),
            discount("short_discount"),
        ),
        (micro("discounted"),),
        discounted,
        law=("grid.discounted",),
    ),
    Formula(
        "worst_scenario",
        "The worst damped loss over points and basis, and where: the count of points is basis.",
        (
            each("scenario_pnl", MICRO, -VALUE_LIMIT, VALUE_LIMIT),
            DAMPS,
            Quantity("basis", MICRO, -VALUE_LIMIT, 0, 0),
        ),
        (micro("worst"), Quantity("worst_point", "index, -1 for none")),
        worst_scenario,
        law=("portfolio.worst_scenario",),
    ),
    Formula(
        "lerp",
        "The value between two, at a weight in 2^-20, rounded down.",
        (
            micro("low", -VALUE_LIMIT, VALUE_LIMIT),
            micro("high", -VALUE_LIMIT, VALUE_LIMIT),
            Quantity("weight", "2^-20", 0, ONE),
        ),
        (micro("value"),),
        lerp,
    ),
    Formula(
        "interpolate_scenario",
        "A grid vector at a joint scenario: by volatility, then by price, clamped at the ends.",
        (
            each("vector", MICRO, -(1 << 60), 1 << 60),
            SHOCKS,
            *VOLATILITY,
            Quantity("scenario_price_ppm", PPMS, -PPM, SHOCK_MAX),
            Quantity("scenario_volatility_ppm", PPMS, -PPM, SHOCK_MAX, 0),
        ),
        (
            micro("value"),
            Quantity("price_node", "index", 0, NODES - 2),
            Quantity("volatility_level", "index", 0, 1),
            Quantity("price_weight", "2^-20", 0, ONE),
            Quantity("volatility_weight", "2^-20", 0, ONE),
        ),
        interpolate_scenario,
    ),
    Formula(
        "account_greeks",
        "Delta, gamma and vega of a grid vector: gains per 1 % of price, of delta, of volatility.",
        (each("vector", MICRO, -GREEK_MAX, GREEK_MAX), SHOCKS, *VOLATILITY),
        (micro("delta"), micro("gamma"), micro("vega")),
        account_greeks,
    ),
    Formula(
        "grid_is_legal",
        "Whether shocks and damping make a stress grid of nine by three points and six tails.",
        (SHOCKS, DAMPS, *VOLATILITY),
        (Quantity("legal", YES_OR_NO),),
        grid_is_legal,
    ),
)

RISK_FORMULAS = (
    Formula(
        "expected_shortfall",
        "The mean of the largest losses, rounded up, and the sum that margin compares.",
        (LOSSES, TAIL),
        (micro("tail_sum"), micro("expected_shortfall"), micro("value_at_risk")),
        tail_losses,
        law=(
            "portfolio.expected_shortfall",
            "portfolio.largest_losses",
        ),
    ),
    Formula(
        "value_at_risk",
        "The smallest of the largest losses; reported only.",
        (LOSSES, TAIL),
        (micro("value_at_risk"),),
        lambda losses, tail: tail_losses(losses, tail)[2],
        note="The law measures by expected_shortfall.",
    ),
    Formula(
        "expected_shortfall_covered",
        "Whether equity covers the Expected Shortfall: tail * equity >= sum of tail losses.",
        (micro("equity"), TAIL, micro("tail_sum", 0)),
        (Quantity("covered", YES_OR_NO),),
        shortfall_covered,
    ),
    Formula(
        "blend_margin",
        "Risk as x * Expected Shortfall + (1 - x) * worst, rounded up, offsets capped.",
        (micro("worst_loss", 0), micro("expected_shortfall", 0), *BLEND),
        (micro("risk"),),
        lambda worst_loss, expected_shortfall, blend_ppm, offset_cap_ppm: measured_risk(
            Method.BLEND.value, worst_loss, expected_shortfall, blend_ppm, offset_cap_ppm
        ),
        law=("portfolio.measured_risk",),
    ),
    Formula(
        "risk_requirement",
        "Initial and maintenance margin of a risk and charges, with the short-option minimum.",
        (
            micro("risk", 0),
            *MARGIN_RATES,
            Quantity("charges", MICRO, 0, CASH_MAX, 0),
            Quantity("initial_charges", MICRO, 0, CASH_MAX, 0),
            Quantity("short_option_minimum", MICRO, 0, CASH_MAX, 0),
        ),
        MARGINS,
        lambda risk, initial_ppm, maintenance_ppm, charges, initial_charges, short_option_minimum: (
            requirement(
                risk, initial_ppm, maintenance_ppm, charges, initial_charges, short_option_minimum
            )
        ),
        law=("charges.requirement",),
    ),
    Formula(
        "portfolio_margin",
        "Margins of a portfolio account on a grid and over joint scenarios, with every step.",
        (
            OPTIONS,
            LINEAR_POSITIONS,
            SHOCKS,
            DAMPS,
            *VOLATILITY,
            EXPIRIES,
            SCENARIOS,
            METHOD,
            TAIL,
            *HALF,
            *MARGIN_RATES,
            GUARD,
            *CHARGES,
            *CONFIDENCE,
            NETTING,
            Quantity("confidence_rate_ppm", PPMS, 0, RATE_MAX, 0),
            MINIMUM,
        ),
        (
            *MARGINS,
            micro("worst_loss"),
            micro("expected_shortfall"),
            micro("value_at_risk"),
            micro("risk"),
            micro("charges"),
            micro("initial_charges"),
            micro("short_option_minimum"),
            Quantity("naked_short_lots", LOT),
            Series("worst", micro("of an underlying"), UNDERLYINGS_MAX),
            Series("worst_point", Quantity("of an underlying", "index"), UNDERLYINGS_MAX),
            Series("basis", micro("of an underlying"), UNDERLYINGS_MAX),
            Series("losses", micro("of a scenario"), SCENARIOS_MAX),
            Series("vectors", micro("of an underlying"), UNDERLYINGS_MAX * POINTS),
        ),
        portfolio_margin,
        note="The law measures risk and requirement by the same functions, but sums the charges of "
        "an account itself, with rates of its tiers and underlyings.",
    ),
)

SPAN_FORMULAS = (
    Formula(
        "span_scan_points",
        "SPAN's sixteen points: thirds of the scan, volatility up and down; the array of a future.",
        (
            Quantity("price_scan", "any unit", 0, PRICE_MAX),
            Quantity("volatility_scan", "any unit", 0, PRICE_MAX),
            rate("extreme_move_multiplier_ppm", 3 * PPM),
            Quantity("extreme_move_covered_fraction_ppm", PPMS, 0, PPM, 330_000),
        ),
        (
            each("price_shock", "as price_scan", -CASH_MAX, CASH_MAX, SPAN_POINTS),
            each("volatility_shock", "as volatility_scan", -CASH_MAX, CASH_MAX, SPAN_POINTS),
            each("covered_ppm", PPMS, 0, PPM, SPAN_POINTS),
            each("linear_row", "as price_scan", -CASH_MAX, CASH_MAX, SPAN_POINTS),
        ),
        lambda **arguments: span_scan_points(*arguments.values()),
        note="Arrays here are profit positive; SPAN's files store losses as positive numbers.",
    ),
    Formula(
        "span_composite_delta",
        "The weighted mean of deltas, rounded to nearest.",
        (
            each("delta_ppm", PPMS, -RATE_MAX, RATE_MAX),
            each("weight_ppm", PPMS, 0, PPM),
        ),
        (Quantity("composite_delta_ppm", PPMS),),
        composite_delta,
    ),
    Formula(
        "span_intra_commodity_charge",
        "The charge of spreads between months: deltas that stand on both sides, times a rate, up.",
        (
            each("deltas", DELTA, -DELTA_MAX, DELTA_MAX, DELTAS_MAX),
            Quantity("charge_per_spread", MICRO, 0, PRICE_MAX),
        ),
        (
            micro("intra_commodity_charge"),
            Quantity("spreads", "1e-6 spreads"),
            Quantity("net_delta", DELTA),
        ),
        intra_commodity_charge,
        note="One tier: months are not paired by priority; give each tier's deltas by itself.",
    ),
    Formula(
        "span_inter_commodity_credit",
        "The credit of a spread between commodities: risk per delta * delta used * rate, down.",
        (
            Table(
                "legs",
                (
                    micro("scan_risk", 0, PRODUCT_MAX),
                    Quantity("delta", DELTA, -DELTA_MAX, DELTA_MAX),
                    Quantity("ratio", "deltas a spread", 1, LOTS_MAX, 1),
                    Quantity("side", "0 A, 1 B", 0, 1),
                ),
                LEGS_MAX,
            ),
            ppm("credit_ppm"),
        ),
        (
            micro("inter_commodity_credit"),
            Quantity("spreads", "1e-6 spreads"),
            Series("credits", micro("of a leg"), LEGS_MAX),
            Series("deltas_left", Quantity("of a leg", DELTA), LEGS_MAX),
        ),
        inter_commodity_credit,
        note="Side B must stand opposite to side A. The risk is what is given: SPAN takes "
        "volatility and time out of scan risk first.",
    ),
    Formula(
        "span_requirement",
        "SPAN's requirement from scan risk, spread and delivery charges, credit and minimum.",
        (
            micro("scan_risk", 0, PRODUCT_MAX),
            Quantity("intra_commodity_charge", MICRO, 0, PRODUCT_MAX, 0),
            Quantity("delivery_charge", MICRO, 0, PRODUCT_MAX, 0),
            Quantity("inter_commodity_credit", MICRO, 0, PRODUCT_MAX, 0),
            Quantity("short_option_minimum", MICRO, 0, PRODUCT_MAX, 0),
            Quantity("net_option_value", MICRO, -PRODUCT_MAX, PRODUCT_MAX, 0),
        ),
        (micro("risk_requirement"), micro("margin")),
        lambda **arguments: span_requirement(*arguments.values()),
    ),
    Formula(
        "span_margin",
        "SPAN margin of arrays of gains per lot (profit positive), with charges and credit.",
        (
            Table(
                "positions",
                (
                    lots("lots"),
                    each("row", MICRO, -ROW_MAX, ROW_MAX, SPAN_POINTS),
                    Quantity("option_value", "micro-quote per lot", 0, PRICE_MAX, 0),
                    Quantity("composite_delta_ppm", PPMS, -RATE_MAX, RATE_MAX, 0),
                    Quantity("is_option", "1 option, 0 not", 0, 1, 0),
                ),
                POSITIONS_MAX,
            ),
            Quantity("intra_commodity_charge", MICRO, 0, PRODUCT_MAX, 0),
            Quantity("delivery_charge", MICRO, 0, PRODUCT_MAX, 0),
            Quantity("inter_commodity_credit", MICRO, 0, PRODUCT_MAX, 0),
            MINIMUM,
        ),
        (
            micro("scan_risk"),
            Quantity("worst_point", "index, -1 for none"),
            micro("short_option_minimum"),
            micro("net_option_value"),
            micro("risk_requirement"),
            micro("margin"),
            Quantity("composite_delta", "1e-6 lots"),
            Series("vector", micro("each"), SPAN_POINTS),
        ),
        lambda **arguments: span_margin(*arguments.values()),
        note="The short-option minimum counts every short option lot, calls and puts alike.",
    ),
)

FORMULAS = (*GRID_FORMULAS, *RISK_FORMULAS, *SPAN_FORMULAS)
