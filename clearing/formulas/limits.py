"""Formulas of limits: how fast money may leave, and margin that grows with open interest."""

from __future__ import annotations

from clearing.formulas.limits_entries import (
    baseline,
    capacity,
    flow,
    maintenance_fraction,
    owner_group,
    two_limits,
    withdrawal,
)
from clearing.formulas.quantities import (
    CASH_MAX,
    YES_OR_NO,
    Formula,
    Quantity,
    lots,
    micro,
    ppm,
)
from clearing.formulas.trading_entries import fraction_ppm, outflow
from clearing.units import GROUP_PPM_MAX, TIME_MAX

_ELAPSED = Quantity("elapsed_ms", "milliseconds", 0, TIME_MAX)
_TOTAL = micro("total_value", 0)
_BASE = (
    _TOTAL,
    micro("baseline_min", 0),
    ppm("baseline_ppm"),
)


def _scaled_margin(
    notional: int,
    initial_ppm: int,
    open_interest: int,
    open_interest_lower: int,
    open_interest_upper: int,
) -> tuple[int, int]:
    if open_interest_upper == 0:
        open_interest_lower, open_interest_upper = CASH_MAX - 1, CASH_MAX
    # A mark of one makes open interest in micro-quote of open interest in lots.
    fraction = fraction_ppm(initial_ppm, open_interest_lower, open_interest_upper, open_interest, 1)
    return fraction, outflow(0, notional, fraction)


FORMULAS = (
    Formula(
        "owner_group_limit",
        "The lots of a market that the accounts of one owner may hold together, without sign.",
        (lots("position_cap", 1), ppm("owner_group_ppm", 1, GROUP_PPM_MAX)),
        (lots("limit", 0),),
        owner_group,
        law=("owner_groups.group_limit",),
    ),
    Formula(
        "open_interest_scaled_margin",
        "The initial margin fraction scaled by open interest, and the margin of a notional at it.",
        (
            micro("notional", 0),
            ppm("initial_ppm"),
            micro("open_interest", 0),
            micro("open_interest_lower", 0, CASH_MAX - 1),
            micro("open_interest_upper", 0),
        ),
        (ppm("fraction_ppm"), micro("initial_margin")),
        _scaled_margin,
        note="An upper cap of 0 scales nothing. The fraction is rounded down to whole ppm first. "
        "The law scales by open interest at the mark: initial_fraction_ppm.",
    ),
    Formula(
        "maintenance_fraction_ppm",
        "The maintenance margin fraction as a part of the unscaled initial one, rounded down.",
        (ppm("initial_ppm"), ppm("maintenance_of_initial_ppm")),
        (ppm("fraction_ppm"),),
        maintenance_fraction,
        note="The law keeps both fractions as parameters of their own.",
    ),
    Formula(
        "rate_limit_baseline",
        "The larger of a minimum and a share of the total value locked.",
        _BASE,
        (micro("baseline"),),
        baseline,
        law=("rate_limit.baseline",),
    ),
    Formula(
        "rate_limit_capacity",
        "What may still leave after time moved the capacity towards its baseline.",
        (
            micro("capacity", 0),
            *_BASE,
            _ELAPSED,
            Quantity("period_ms", "milliseconds", 1, TIME_MAX),
        ),
        (micro("capacity"),),
        capacity,
        note="Amounts have 62 bits: of a token of 18 decimals give 1e-6 of it, as the law holds.",
        law=(
            "rate_limit.baseline",
            "rate_limit.capacity_after",
        ),
    ),
    Formula(
        "rate_limit_flow",
        "The capacity after a deposit and a withdrawal, unchanged by one that it does not allow.",
        (micro("capacity", 0), micro("deposited", 0), micro("withdrawn", 0)),
        (micro("capacity"), Quantity("allowed", YES_OR_NO)),
        flow,
        law=(
            "rate_limit.capacity_deposited",
            "rate_limit.capacity_withdrawn",
        ),
    ),
    Formula(
        "withdrawal_allowed",
        "What of a forced withdrawal may leave now, and whether all of one not forced may.",
        (
            micro("requested", 0),
            _TOTAL,
            micro("capacity", 0),
            _ELAPSED,
            micro("gate_minimum", 0),
            ppm("gate_ppm"),
            Quantity("gate_period_ms", "milliseconds", 1, TIME_MAX),
            Quantity("clock", "milliseconds", 0, TIME_MAX, 0),
            Quantity("frozen_until", "milliseconds", 0, TIME_MAX, 0),
            Quantity("not_before", "milliseconds", 0, TIME_MAX, 0),
            Quantity("is_flat", YES_OR_NO, 0, 1, 0),
        ),
        (micro("allowed"), Quantity("whole", YES_OR_NO)),
        withdrawal,
        note="Gates alone; margin decides too. `not_before` is the time from which no gate binds a "
        "forced withdrawal that one held up, for two days; 0 if none did.",
        law=("gates.released", "gates.check_gates"),
    ),
    Formula(
        "withdrawal_allowed_two_limits",
        "What of a withdrawal may leave by limits of 1 % an hour and 10 % a day, and a freeze.",
        (
            micro("requested", 0),
            _TOTAL,
            micro("hourly_capacity", 0),
            micro("daily_capacity", 0),
            _ELAPSED,
            Quantity("clock", "milliseconds", 0, TIME_MAX, 0),
            Quantity("frozen_until", "milliseconds", 0, TIME_MAX, 0),
            Quantity("is_flat", YES_OR_NO, 0, 1, 0),
        ),
        (micro("allowed"),),
        two_limits,
        note="The law has one limit, of its parameters: withdrawal_allowed.",
    ),
)
