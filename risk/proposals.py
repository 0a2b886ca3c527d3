"""Proposals of margin parameters from forecasts: within bounds and steps, never imposed.

What comes back is a list of changes with their reasons, for whoever governs the market to sign or
leave. Nothing here reaches the law by itself. Volatilities are expected to be floored already
(`risk.volatility.floored`), so that proposals do not chase every calm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from clearing.units import PPM

__all__ = ["Bounds", "Market", "Policy", "Proposal", "TierParameters", "propose"]

Field = Literal[
    "initial_ppm", "maintenance_ppm", "open_interest_lower", "open_interest_upper", "position_cap"
]
FIELDS: Final[tuple[Field, ...]] = (
    "initial_ppm", "maintenance_ppm", "open_interest_lower", "open_interest_upper", "position_cap",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TierParameters:
    """A tier as it is: fractions in ppm of notional, open interest and caps in micro-quote."""

    initial_ppm: int
    maintenance_ppm: int
    open_interest_lower: int
    open_interest_upper: int
    position_cap: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Least and greatest legal value of a parameter, and how far one proposal may move it.

    `step_ppm` is relative to the value before, 0 .. 10^6.
    """

    least: int
    greatest: int
    step_ppm: int


@dataclass(frozen=True, slots=True)
class Market:
    """What is known of a tier's market.

    Attributes:
        deviation: forecast daily deviation of its riskiest member, above 0.
        tail_ratio: expected shortfall of standardised losses, in deviations, above 0.
        open_interest: micro-quote, not below 0.
        daily_volume: micro-quote traded on a usual day, not below 0: its depth.
    """

    deviation: float
    tail_ratio: float
    open_interest: int
    daily_volume: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How forecasts become parameters.

    Attributes:
        initial_days: days over which initial margin covers the expected shortfall.
        maintenance_part_ppm: maintenance margin as part of initial, below 10^6.
        lower_days, upper_days: of usual volume, between which initial margin grows with open
            interest; lower is below upper.
        cap_days: of usual volume, one position's most.
    """

    initial_days: float = 2.0
    maintenance_part_ppm: int = 600_000
    lower_days: float = 0.5
    upper_days: float = 1.5
    cap_days: float = 0.1


@dataclass(frozen=True, slots=True)
class Proposal:
    """One parameter: what it is, what it might be, and why."""

    field: Field
    before: int
    after: int
    reason: str


def propose(
    current: TierParameters,
    market: Market,
    bounds: Mapping[str, Bounds],
    policy: Policy | None = None,
) -> list[Proposal]:
    """Return a proposal for every parameter that should change, in the order of the fields.

    Initial margin covers `tail_ratio * deviation * sqrt(initial_days)`, rounded up. A parameter
    moves towards its target by at most its step and stays within its bounds; maintenance stays
    below initial and the lower open interest below the upper.

    Raises:
        ValueError: a forecast is not finite and above 0, or a bound is missing or empty.
    """
    policy = policy or Policy()
    for name, value in (("deviation", market.deviation), ("tail_ratio", market.tail_ratio)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be finite and above 0, but is {value}")
    shortfall = market.tail_ratio * market.deviation
    initial = math.ceil(shortfall * math.sqrt(policy.initial_days) * PPM)
    depth = max(market.daily_volume, 0)
    covers = f"shortfall {shortfall:.2%} a day over {policy.initial_days:g} days"
    volume = f"of a usual day's volume of {depth} micro-quote"
    busy = f"{volume}; open interest is {market.open_interest}"
    targets: dict[Field, tuple[int, str]] = {
        "initial_ppm": (initial, covers),
        "maintenance_ppm": (
            -(-initial * policy.maintenance_part_ppm // PPM),
            f"{policy.maintenance_part_ppm} ppm of initial: {covers}",
        ),
        "open_interest_lower": (int(depth * policy.lower_days), f"{policy.lower_days:g} {busy}"),
        "open_interest_upper": (int(depth * policy.upper_days), f"{policy.upper_days:g} {busy}"),
        "position_cap": (int(depth * policy.cap_days), f"{policy.cap_days:g} {volume}"),
    }
    moved = {}
    for name in FIELDS:
        if name not in bounds:
            raise ValueError(f"no bounds for {name}")
        moved[name] = _moved(name, getattr(current, name), *targets[name], bounds[name])
    _ordered(moved, "maintenance_ppm", "initial_ppm", current)
    _ordered(moved, "open_interest_lower", "open_interest_upper", current)
    return [
        Proposal(name, getattr(current, name), after, reason)
        for name, (after, reason) in moved.items()
        if after != getattr(current, name)
    ]


def _moved(name: Field, before: int, target: int, reason: str, bounds: Bounds) -> tuple[int, str]:
    """Return the value after one step towards the target, and the reason with what held it."""
    if bounds.least > bounds.greatest or not 0 <= bounds.step_ppm <= PPM:
        raise ValueError(f"bounds of {name} are empty or its step is not 0 .. {PPM} ppm: {bounds}")
    if not bounds.least <= before <= bounds.greatest:
        raise ValueError(f"{name} is {before}, outside {bounds.least} .. {bounds.greatest}")
    step = before * bounds.step_ppm // PPM
    after = min(max(target, before - step, bounds.least), before + step, bounds.greatest)
    if after != target:
        limit = "bound" if after in (bounds.least, bounds.greatest) else "step"
        reason += f"; the target {target} is beyond the {limit}"
    return after, reason


def _ordered(
    moved: dict[Field, tuple[int, str]], lower: Field, upper: Field, current: TierParameters
) -> None:
    """Leave a pair as it is where a step would put the lower at or above the upper."""
    if moved[lower][0] >= moved[upper][0]:
        for name in (lower, upper):
            moved[name] = (getattr(current, name), "")
