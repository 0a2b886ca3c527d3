"""What a set of parameters must satisfy, by itself and beside the set that it would replace.

Every piece of the record has bounds within which no rule of the law can leave 64 bits. Numbers move
by bounded steps; addresses, counts of tiers and publishers and the version are no numbers in that
sense: they wait for the timelock alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from clearing.compiler import law
from clearing.governance import margins_ordered, step_within
from clearing.layout import Rows
from clearing.leaves import PARAMS_FIELDS, PARAMS_PUBLISHERS, PARAMS_TIERS, TIER_FIELDS
from clearing.lookup import is_zero, same_word
from clearing.records import PARAMS, Params, Tier
from clearing.units import (
    AMOUNT_MAX,
    GROUP_PPM_MAX,
    HOLD_MAX_MS,
    LOTS_MAX,
    PPM,
    PUBLISHERS_MAX,
    SCENARIOS_MAX,
    SEQUENCE_MAX,
    TIERS_MAX,
)

WINDOW_MAX = 1 << 40  # milliseconds
INTEREST_MAX = (1 << 62) - 1  # micro-quote
PIECE_MAX = (1 << 63) - 1
ADDRESS_TOP_MAX = (1 << 32) - 1  # of the second piece of an address; the first is zero
MULTIPLE_MAX = 4 * PPM

_AMOUNTS = ("owner_limit", "profit_cap", "deficit_tranche", "gate_minimum")
_MAY_BE_ZERO = ("restart_grace_ms",)
_BOUNDS = {
    "version": (1, SEQUENCE_MAX),
    "tier_count": (1, TIERS_MAX),
    "publisher_count": (1, PUBLISHERS_MAX),
    "price_quorum": (1, PUBLISHERS_MAX),
    "shortfall_count": (1, SCENARIOS_MAX),
    "pending_time": (0, 0),
    "portfolio_initial_ppm": (1, MULTIPLE_MAX),
    "portfolio_maintenance_ppm": (1, MULTIPLE_MAX),
    "row_age_ppm": (PPM, MULTIPLE_MAX),
    "option_value_ppm": (PPM, MULTIPLE_MAX),
    "stable_rate_ppm": (0, 100 * PPM),
    "owner_group_ppm": (0, GROUP_PPM_MAX),
    "owner_hold_ms": (1, HOLD_MAX_MS),
}
_TIER_BOUNDS = {
    "open_interest_lower": (0, INTEREST_MAX),
    "open_interest_upper": (0, INTEREST_MAX),
    "insurance_cap": (0, AMOUNT_MAX),
    "depth": (0, AMOUNT_MAX),
    "concentration_lots": (0, LOTS_MAX),
}
# What is at most the other: a set that says otherwise contradicts itself.
_ORDERED = (
    ("price_quorum", "publisher_count"),
    ("row_age_warn_ms", "row_age_reduce_ms"),
    ("row_age_reduce_ms", "row_age_fallback_ms"),
    ("portfolio_maintenance_ppm", "portfolio_initial_ppm"),
    ("auction_fast_ppm", "auction_start_ppm"),
    ("option_maintenance_ppm", "option_initial_floor_ppm"),
    ("option_initial_floor_ppm", "option_initial_ppm"),
)
_SET_WHOLE = ("version", "tier_count", "publisher_count", "price_quorum")


def _bounds_of(name: str) -> tuple[int, int]:
    if name in _BOUNDS:
        return _BOUNDS[name]
    if name in _AMOUNTS:
        return 0, AMOUNT_MAX
    if name.endswith("_ms"):
        return 0 if name in _MAY_BE_ZERO else 1, WINDOW_MAX
    if name.endswith("_ppm"):
        return 0, PPM
    raise TypeError(f"Params.{name} has no bounds; give it some in clearing.parameter_checks")


def _tier_bounds_of(name: str) -> tuple[int, int]:
    return _TIER_BOUNDS.get(name, (0, PPM))


def faults_of(numbers: Mapping[str, int], tiers: Sequence[Mapping[str, int]]) -> list[str]:
    """Return what the law would not let governance announce of these numbers, by field name.

    For declarations that no act of governance brought about: each text names the field, its bound
    and what it was. Tiers are those in use; fields that are not declared are not judged.
    """
    found = []

    def judge(name: str, value: int, bounds: tuple[int, int]) -> None:
        if not bounds[0] <= value <= bounds[1]:
            found.append(f"{name}: {bounds[0]} .. {bounds[1]}, was {value}")

    for name, value in numbers.items():
        judge(name, value, _bounds_of(name))
    for low, high in _ORDERED:
        if low in numbers and high in numbers and numbers[low] > numbers[high]:
            found.append(f"{low}: at most {high}, {numbers[high]}, was {numbers[low]}")
    fee = numbers["insurance_fee_ppm"]
    for i, tier in enumerate(tiers):
        for name, value in tier.items():
            judge(f"tier {i}: {name}", value, _tier_bounds_of(name))
        initial, maintenance = tier["initial_ppm"], tier["maintenance_ppm"]
        cost = max(numbers["liquidation_penalty_ppm"], tier["penalty_max_ppm"]) + fee
        lower, upper = tier["open_interest_lower"], tier["open_interest_upper"]
        if not maintenance < initial:
            found.append(
                f"tier {i}: maintenance_ppm below initial_ppm {initial}, was {maintenance}"
            )
        if not cost < maintenance:
            found.append(
                f"tier {i}: liquidation costs (the larger penalty and the insurance fee) below "
                f"maintenance_ppm {maintenance}, was {cost}"
            )
        if not lower < upper:
            found.append(f"tier {i}: open_interest_lower below open_interest_upper, was {lower}")
    return found


def _tables() -> tuple[Any, Any, Any]:
    """Return (least, greatest, 1 if it moves by steps) of every piece of the record."""
    least = np.zeros(PARAMS_FIELDS, np.int64)
    greatest = np.zeros(PARAMS_FIELDS, np.int64)
    stepped = np.zeros(PARAMS_FIELDS, np.int64)
    fields = cast(Any, PARAMS.fields)

    def number(place: int, bounds: tuple[int, int], moves_by_steps: bool) -> None:
        least[place], greatest[place] = bounds
        stepped[place] = moves_by_steps

    def address(place: int) -> None:
        greatest[place + 1] = ADDRESS_TOP_MAX
        least[place + 2 : place + 4] = -PIECE_MAX - 1
        greatest[place + 2 : place + 4] = PIECE_MAX

    for name, (dtype, offset, *_) in fields.items():
        place = offset // 8
        if name == "tiers":
            for tier in range(TIERS_MAX):
                for part, (_, inner, *_) in dtype.base.fields.items():
                    bounds = _tier_bounds_of(part)
                    number(place + (tier * dtype.base.itemsize + inner) // 8, bounds, True)
        elif name == "publishers":
            for publisher in range(PUBLISHERS_MAX):
                address(place + 4 * publisher)
        elif name in ("governance", "guardian"):
            address(place)
        elif name != "pending_hash":
            number(place, _bounds_of(name), name not in _SET_WHOLE and name != "pending_time")
    return least, greatest, stepped


LEAST, GREATEST, STEPPED = _tables()
LOWER, HIGHER = (
    np.array([cast(Any, PARAMS.fields)[pair[side]][1] // 8 for pair in _ORDERED])
    for side in range(2)
)


@law
def within_bounds(pieces: Rows[int]) -> bool:
    """Tell whether every piece of a set of parameters is within its bounds."""
    beyond = 0
    for i in range(PARAMS_FIELDS):
        if pieces[i] < LEAST[i] or pieces[i] > GREATEST[i]:
            beyond += 1
    return beyond == 0


@law
def within_steps(old: Rows[int], new: Rows[int], step_ppm: int) -> bool:
    """Tell whether no number of a set within its bounds moves by more than a step."""
    for i in range(PARAMS_FIELDS):
        if STEPPED[i] == 1 and not number_may_move(old[i], new[i], step_ppm):
            return False
    return True


@law
def number_may_move(old: int, new: int, step_ppm: int) -> bool:
    """Tell whether a number (0 .. 2**62) may become another in one act of governance.

    By a share of itself or by one, for a small one has no shares. An amount at its greatest is a
    limit that is switched off, and like zero may become anything.
    """
    return abs(new - old) <= 1 or old == AMOUNT_MAX or step_within(old, new, step_ppm)


@law
def are_ordered(pieces: Rows[int]) -> bool:
    """Tell whether no number of a set is above the one that bounds it."""
    above = 0
    for i in range(LOWER.shape[0]):
        if pieces[LOWER[i]] > pieces[HIGHER[i]]:
            above += 1
    return above == 0


@law
def is_consistent(params: Params, pieces: Rows[int], old: Params) -> bool:
    """Tell whether a set within its bounds agrees with itself and follows upon `old`.

    `pieces` are those of `params`. A tier that was in use stays so: markets may stand in it.
    """
    if params.version != old.version + 1 or not are_ordered(pieces):
        return False
    if params.tier_count < old.tier_count:
        return False
    for i in range(params.tier_count):
        if not is_tier_legal(params, params.tiers[i]):
            return False
    return are_publishers_legal(params)


@law
def are_unused_tiers_zero(pieces: Rows[int], tier_count: int) -> bool:
    """Tell whether the tiers beyond the count, which the leaf leaves out, are zero."""
    present = 0
    for i in range(PARAMS_TIERS + TIER_FIELDS * tier_count, PARAMS_PUBLISHERS):
        present |= pieces[i]
    return present == 0


@law
def is_tier_legal(params: Params, tier: Tier) -> bool:
    """Tell whether 0 < maintenance < initial, above what a liquidation costs, and scales rise."""
    penalty = max(params.liquidation_penalty_ppm, tier.penalty_max_ppm)
    return (
        margins_ordered(tier.initial_ppm, tier.maintenance_ppm)
        and penalty + params.insurance_fee_ppm < tier.maintenance_ppm
        and tier.open_interest_lower < tier.open_interest_upper
    )


@law
def are_publishers_legal(params: Params) -> bool:
    """Tell whether the publishers that count are distinct addresses, and no others stand there."""
    for i in range(PUBLISHERS_MAX):
        address = params.publishers[i].address
        if is_zero(address) == (i < params.publisher_count):
            return False
        for other in range(min(i, params.publisher_count)):
            if i < params.publisher_count and same_word(address, params.publishers[other].address):
                return False
    return True
