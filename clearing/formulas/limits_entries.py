"""The law of outflow limits as entries that take and give plain integers."""

from __future__ import annotations

from typing import Any, cast

from clearing import gates, owner_groups, rate_limit
from clearing.codes import Code
from clearing.compiler import law_entry
from clearing.genesis import empty_state
from clearing.records import State
from clearing.units import PPM
from clearing.wide import mul_div_floor


@law_entry
def baseline(total_value: int, baseline_min: int, baseline_ppm: int) -> int:
    """Return ``rate_limit.baseline``."""
    return rate_limit.baseline(total_value, baseline_min, baseline_ppm)


@law_entry
def capacity(
    capacity: int,
    total_value: int,
    baseline_min: int,
    baseline_ppm: int,
    elapsed_ms: int,
    period_ms: int,
) -> int:
    """Return ``rate_limit.capacity_after`` towards ``rate_limit.baseline``."""
    base = rate_limit.baseline(total_value, baseline_min, baseline_ppm)
    return rate_limit.capacity_after(capacity, base, elapsed_ms, period_ms)


@law_entry
def flow(capacity: int, deposited: int, withdrawn: int) -> tuple[int, bool]:
    """Return ``rate_limit.capacity_withdrawn`` after ``rate_limit.capacity_deposited``."""
    return rate_limit.capacity_withdrawn(
        rate_limit.capacity_deposited(capacity, deposited), withdrawn
    )


@law_entry
def two_limits(
    requested: int,
    total_value: int,
    hourly_capacity: int,
    daily_capacity: int,
    elapsed_ms: int,
    clock: int,
    frozen_until: int,
    is_flat: int,
) -> int:
    """Return ``rate_limit.allowed_outflow`` after both capacities moved for `elapsed_ms`."""
    hourly = rate_limit.capacity_after(
        hourly_capacity,
        rate_limit.baseline(total_value, 0, rate_limit.HOURLY_PPM),
        elapsed_ms,
        rate_limit.HOUR_MS,
    )
    daily = rate_limit.capacity_after(
        daily_capacity,
        rate_limit.baseline(total_value, 0, rate_limit.DAILY_PPM),
        elapsed_ms,
        rate_limit.DAY_MS,
    )
    return rate_limit.allowed_outflow(requested, hourly, daily, clock, frozen_until, is_flat != 0)


@law_entry
def owner_group(position_cap: int, owner_group_ppm: int) -> int:
    """Return ``owner_groups.group_limit``."""
    return owner_groups.group_limit(position_cap, owner_group_ppm)[0]


@law_entry
def maintenance_fraction(initial_ppm: int, maintenance_of_initial_ppm: int) -> int:
    """Return initial * part of it, rounded down."""
    return mul_div_floor(initial_ppm, maintenance_of_initial_ppm, PPM)[0]


@law_entry
def _released(state: State, requested: int) -> tuple[int, bool]:
    account = state.accounts[0]
    return (
        min(requested, gates.released(state, account)),
        gates.check_gates(state, account, requested) == Code.APPLIED,
    )


def withdrawal(
    requested: int,
    total_value: int,
    capacity: int,
    elapsed_ms: int,
    gate_minimum: int,
    gate_ppm: int,
    gate_period_ms: int,
    clock: int,
    frozen_until: int,
    not_before: int,
    is_flat: int,
) -> tuple[int, bool]:
    """Return (what ``gates.released`` lets out, whether ``gates.check_gates`` lets all out)."""
    state: Any = empty_state(1, 0, 0, 0)
    totals, params, account = state.globals[0], state.params[0], state.accounts[0]
    totals.custody, totals.gate_capacity = total_value, capacity
    totals.clock, totals.gate_time, totals.freeze_until = clock, clock - elapsed_ms, frozen_until
    params.gate_minimum, params.gate_ppm, params.gate_period_ms = (
        gate_minimum,
        gate_ppm,
        gate_period_ms,
    )
    account.position_count, account.not_before = 1 - is_flat, not_before
    return _released(cast(State, state), requested)
