"""Formulas of marking to market, forced closes, trusted profit and the debt of a deleverage."""

from __future__ import annotations

from clearing.formulas.marking_entries import debt_share, forced_close, profit_excess, variation
from clearing.formulas.quantities import (
    MICRO,
    PRICE,
    Demand,
    Formula,
    Quantity,
    lots,
    micro,
    ppm,
    price,
)
from clearing.formulas.trading import POSITIONS
from clearing.units import AMOUNT_MAX, POSITIONS_MAX, PRICE_MAX, TIME_MAX


def _time(name: str, low: int = 0, default: int | None = None) -> Quantity:
    return Quantity(name, "milliseconds", low, TIME_MAX, default)


_HELD = Demand(
    "the number of a position, from 0",
    lambda given: (
        given["position"] < len(given["positions"])
        and all(row["lots"] != 0 for row in given["positions"])
    ),
)

FORMULAS = (
    Formula(
        "variation",
        "The gain of a position at the stable price, and what of it moves between cost and pot.",
        (
            lots("lots"),
            micro("entry_cost"),
            Quantity("stable_price", PRICE, 0, PRICE_MAX),
            Quantity("variation_pot", MICRO, 0, AMOUNT_MAX, 0),
            Quantity("uncovered", MICRO, 0, AMOUNT_MAX, 0),
        ),
        (micro("variation"), micro("moved"), micro("entry_cost"), micro("variation_pot")),
        variation,
        note="`uncovered` is what the account cannot cover of its losses. A profit is paid out of "
        "the pot, once a cycle; a loss goes into it. moved is negative for a loss.",
        law=(
            "actions.mark_to_market.variation",
            "actions.mark_to_market.take_loss",
            "actions.mark_to_market.pay_profit",
        ),
    ),
    Formula(
        "forced_close_penalty",
        "What a forced close costs after so long, up to the maintenance fraction, and its price.",
        (
            lots("held_lots"),
            price("mark_price"),
            _time("elapsed_ms"),
            _time("ramp_ms", 1),
            ppm("maintenance_ppm"),
        ),
        (ppm("penalty_ppm"), Quantity("price", PRICE)),
        forced_close,
        note="The ramp is auction_fast_ms of the parameters.",
        law=("actions.close_position.close_penalty_ppm", "actions.close_position.close_price"),
    ),
    Formula(
        "profit_excess",
        "The unrealised profit beyond the cap, which counts for no new risk.",
        (
            micro("unrealised"),
            micro("profit_cap", 0, AMOUNT_MAX),
            Quantity("recent_profit", MICRO, 0, AMOUNT_MAX, 0),
            _time("recent_age_ms", default=0),
            _time("profit_cycle_ms", 1, 28_800_000),
        ),
        (micro("excess"),),
        profit_excess,
        note="What marking paid within the last cycle (recent_profit) counts as unrealised still.",
        law=("valuation.profit_excess",),
    ),
    Formula(
        "deleverage_debt_share",
        "The part of a bankrupt account's debt that falls on the market of one position.",
        (
            micro("cash"),
            POSITIONS,
            Quantity("position", "number of a position", 0, POSITIONS_MAX - 1),
        ),
        (micro("debt"), micro("share")),
        debt_share,
        (_HELD,),
        note="As much of it as of the maintenance margin that closing the position frees; all "
        "if that is the last one. Without a debt both are 0.",
        law=("actions.sweep_open.share_of_debt", "margin.measure"),
    ),
)
