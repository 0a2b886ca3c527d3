"""Formulas of governance: what a change of parameters must satisfy, and a proposal."""

from __future__ import annotations

from clearing.formulas.governance_entries import (
    fee_tier,
    propose_initial,
    set_allowed,
    step_allowed,
)
from clearing.formulas.quantities import (
    YES_OR_NO,
    Formula,
    Quantity,
    Series,
    micro,
    ppm,
)
from clearing.governance import ParameterFault
from clearing.units import FEE_PPM_MAX, PPM, TIME_MAX

TIERS_MAX = 16
FAULTS = ", ".join(f"{fault.value} {fault.name.lower()}" for fault in ParameterFault)


def _time(name: str, default: int | None = None) -> Quantity:
    return Quantity(name, "milliseconds", 0, TIME_MAX, default)


_FEE = ppm("fee_ppm", -FEE_PPM_MAX, FEE_PPM_MAX)
_VERDICT = (Quantity("allowed", YES_OR_NO), Quantity("fault", FAULTS))

FORMULAS = (
    Formula(
        "parameter_step_check",
        "Whether a parameter moves by a share of its old value or by one, after its timelock.",
        (
            Quantity("old_value", "any unit", 0),
            Quantity("new_value", "any unit", 0),
            ppm("step_ppm"),
            _time("announced", 0),
            _time("clock", 0),
            _time("timelock_ms", 0),
        ),
        _VERDICT,
        step_allowed,
        note="From zero, and from an amount's greatest (no limit), it may become anything.",
        law=("governance.timelock_passed", "parameter_checks.number_may_move"),
    ),
    Formula(
        "parameter_set_check",
        "Whether parameters agree: maintenance below initial, fees cover rebates, haircuts rise.",
        (
            ppm("initial_ppm"),
            ppm("maintenance_ppm"),
            Series("maker_fees_ppm", _FEE, TIERS_MAX),
            Series("taker_fees_ppm", _FEE, TIERS_MAX),
            Series("haircuts_ppm", ppm("haircut_ppm"), TIERS_MAX),
        ),
        _VERDICT,
        set_allowed,
    ),
    Formula(
        "fee_tier",
        "The last fee tier whose threshold (ascending, the first is the base) a volume reaches.",
        (micro("volume", 0), Series("thresholds", micro("threshold", 0), TIERS_MAX)),
        (Quantity("tier", "index of a tier"),),
        fee_tier,
    ),
    Formula(
        "initial_margin_proposal",
        "volatility * multiplier * (1 + open interest / depth) in bounds, and one step towards it.",
        (
            ppm("current_ppm"),
            ppm("volatility_ppm", 0, 100 * PPM),
            ppm("multiplier_ppm", 0, 100 * PPM),
            micro("open_interest", 0),
            micro("depth", 1),
            ppm("low_ppm"),
            ppm("high_ppm"),
            ppm("step_ppm"),
        ),
        (ppm("target_ppm"), ppm("proposed_ppm")),
        propose_initial,
    ),
)
