"""The law of parameter changes as entries that take and give plain integers."""

from __future__ import annotations

from collections.abc import Sequence

from clearing import governance, parameter_checks
from clearing.compiler import law_entry
from clearing.formulas.columns import array
from clearing.layout import Rows


@law_entry
def step_allowed(
    old_value: int, new_value: int, step_ppm: int, announced: int, clock: int, timelock_ms: int
) -> tuple[bool, int]:
    """Return (allowed, fault) of a number by its timelock and ``number_may_move``."""
    fault = governance.ParameterFault.NONE
    if not governance.timelock_passed(announced, clock, timelock_ms):
        fault = governance.ParameterFault.TIMELOCK
    elif not parameter_checks.number_may_move(old_value, new_value, step_ppm):
        fault = governance.ParameterFault.STEP
    return fault == governance.ParameterFault.NONE, fault


@law_entry
def _set_fault(
    initial_ppm: int,
    maintenance_ppm: int,
    makers: Rows[int],
    takers: Rows[int],
    haircuts: Rows[int],
) -> int:
    return governance.parameter_fault(
        True,
        True,
        governance.margins_ordered(initial_ppm, maintenance_ppm),
        governance.fees_cover(makers, takers),
        governance.haircuts_ordered(haircuts),
    )


def set_allowed(
    initial_ppm: int,
    maintenance_ppm: int,
    maker_fees_ppm: Sequence[int],
    taker_fees_ppm: Sequence[int],
    haircuts_ppm: Sequence[int],
) -> tuple[bool, int]:
    """Return (allowed, fault) of a set of parameters by itself."""
    fault = _set_fault(
        initial_ppm,
        maintenance_ppm,
        array(maker_fees_ppm),
        array(taker_fees_ppm),
        array(haircuts_ppm),
    )
    return fault == 0, fault


@law_entry
def _tier(volume: int, thresholds: Rows[int]) -> int:
    return governance.fee_tier(volume, thresholds)


def fee_tier(volume: int, thresholds: Sequence[int]) -> int:
    """Return ``governance.fee_tier``."""
    return _tier(volume, array(thresholds))


@law_entry
def propose_initial(
    current_ppm: int,
    volatility_ppm: int,
    multiplier_ppm: int,
    open_interest: int,
    depth: int,
    low_ppm: int,
    high_ppm: int,
    step_ppm: int,
) -> tuple[int, int]:
    """Return (target, proposed) initial fraction."""
    target = governance.initial_target_ppm(
        volatility_ppm, multiplier_ppm, open_interest, depth, low_ppm, high_ppm
    )
    return target, governance.proposed_initial_ppm(current_ppm, target, step_ppm)
