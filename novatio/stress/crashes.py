"""Crashes: a gap, a cascade, a fund without money, the largest members' default, a real day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from clearing.codes import Fund
from clearing.genesis import Genesis, GenesisTier
from clearing.units import MICRO, PPM
from novatio.market import Bars, load_bars
from novatio.stress.scenario import (
    UNLIMITED,
    Scenario,
    Tick,
    Verdict,
    declare,
    perpetual,
    ticks_of_bars,
    walk,
)
from novatio.stress.waterfall import Rescue, follow, publish, settle
from novatio.stress.world import MINUTE_MS, Actor, World

__all__ = ["CRASHES"]

DAY_MS: Final = 86_400_000
THOUSAND: Final = 1_000 * MICRO
TIER: Final = GenesisTier(100_000, 50_000, UNLIMITED, 2 * UNLIMITED)
LOT: Final = 10_000_000  # a hundredth of a coin
PRICE: Final = 3 * MICRO


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part in a crash: levered longs, deep shorts, and who takes over what fails."""

    longs: list[Actor]
    shorts: list[Actor]
    keepers: list[Actor]
    bidders: list[Actor]


def crash_genesis(seed: int, **changes: Any) -> Genesis:
    """Declare one perpetual whose prices may fall by three quarters at once."""
    changes = {"price_jump_ppm": 750_000, "auction_fast_ms": 5 * MINUTE_MS} | changes
    return declare(seed, [perpetual("ETH-PERP", LOT)], TIER, **changes)


def assemble(
    world: World,
    price: int,
    leverage_ppm: tuple[int, int],
    longs: int = 24,
    keeper_micro: int = 5_000 * THOUSAND,
    insurance_micro: int = 0,
) -> Cast:
    """Open accounts and positions at ``price``: each long with leverage drawn from the seed."""
    world.endow(Fund.INSURANCE, insurance_micro)
    deposits = [world.uniform(10, 100) * THOUSAND for _ in range(longs)]
    cast = Cast(
        longs=world.crowd("long", deposits),
        shorts=world.crowd("short", [4_000 * THOUSAND] * 6),
        keepers=world.crowd("keeper", [keeper_micro] * 2),
        bidders=world.crowd("bidder", [200 * THOUSAND] * 2),
    )
    world.crowd("saver", [50 * THOUSAND] * 4)
    world.price(price)
    for i, (actor, deposit) in enumerate(zip(cast.longs, deposits, strict=True)):
        value = deposit * world.uniform(*leverage_ppm) // PPM
        world.trade(actor, cast.shorts[i % len(cast.shorts)], max(1, value // price))
    return cast


def crash(
    world: World,
    course: Sequence[Tick],
    leverage_ppm: tuple[int, int] = (2 * PPM, 8 * PPM),
    selling: bool = True,
    **changes: Any,
) -> Verdict:
    """Let prices run their course over levered longs; the waterfall must leave nothing unpaid."""
    cast = assemble(world, PRICE, leverage_ppm, **changes)
    # Shorts who take profits buy what keepers took over; without them keepers only fill up.
    rescue = Rescue(cast.keepers, cast.bidders, cast.shorts if selling else ())
    before = world.now.insurance
    follow(world, course, rescue)
    rounds = settle(world, rescue)
    return Verdict(
        met=world.now.deficit == 0,
        operands={
            "insurance_before_micro": before,
            "insurance_after_micro": world.now.insurance,
            "failing_accounts": len(world.failing()),
            "rounds_to_settle": rounds,
        },
    )


def play_gap(world: World, course: Sequence[Tick]) -> Verdict:
    """A gap with a fund of half a million."""
    return crash(world, course, insurance_micro=500 * THOUSAND)


def play_unfunded(world: World, course: Sequence[Tick]) -> Verdict:
    """The same gap with no fund at all."""
    return crash(world, course)


def play_cascade(world: World, course: Sequence[Tick]) -> Verdict:
    """Highly levered longs, keepers with little capital, and nobody to sell to."""
    return crash(
        world,
        course,
        (5 * PPM, 9 * PPM),
        selling=False,
        longs=40,
        keeper_micro=300 * THOUSAND,
        insurance_micro=100 * THOUSAND,
    )


def play_day(world: World, course: Sequence[Tick]) -> Verdict:
    """A day of recorded prices."""
    return crash(world, course, (2 * PPM, 9 * PPM), insurance_micro=500 * THOUSAND)


def _cover(world: World, course: Sequence[Tick], count: int) -> Verdict:
    """Let the ``count`` largest members default; margin and insurance alone must pay for it.

    Everybody else answers a margin call at once, as members of a clearing house do.
    """
    world.endow(Fund.INSURANCE, 5_000 * THOUSAND)
    price = PRICE
    deposits = [4_000 * THOUSAND // (place + 1) for place in range(20)]
    members = world.crowd("member", deposits)
    shorts = world.crowd("short", [20_000 * THOUSAND] * 4)
    keepers = world.crowd("keeper", [20_000 * THOUSAND] * 2)
    world.price(price)
    for i, (member, deposit) in enumerate(zip(members, deposits, strict=True)):
        world.trade(member, shorts[i % len(shorts)], 9 * deposit // price)
    before = world.now
    defaulters = members[:count]
    rescue = Rescue(keepers, buyers=shorts)
    start = world.mark()
    for tick in course:
        publish(world, tick, start)
        for member in members[count:]:
            short = world.now.maintenance[member.account] - world.equity(member)
            if short > 0:
                world.deposit(member, 2 * short)
        rescue.round(world)
    settle(world, rescue)
    by_step = world.audit.by_step()
    beyond = {stage: by_step[stage] for stage in ("sleeve", "deleverage", "socialise", "halt")}
    return Verdict(
        met=not any(beyond.values()),
        operands={
            "prefunded_micro": before.insurance,
            "defaulters": [actor.name for actor in defaulters],
            "defaulters_equity_before_micro": sum(before.equity[a.account] for a in defaulters),
            "insurance_used_micro": max(0, before.insurance - world.now.insurance),
        },
    )


def play_cover_one(world: World, course: Sequence[Tick]) -> Verdict:
    """The largest member defaults."""
    return _cover(world, course, 1)


def play_cover_two(world: World, course: Sequence[Tick]) -> Verdict:
    """The two largest members default."""
    return _cover(world, course, 2)


def gap_course() -> list[Tick]:
    """Half of the price gone between two ticks, then ten minutes of nothing."""
    return [Tick(MINUTE_MS, 500_000)] + [Tick(MINUTE_MS, 500_000)] * 10


def cascade_course() -> list[Tick]:
    """Down by 3 % a minute to 40 % below, and half of the way back."""
    return walk([600_000, 800_000], 30_000)


def cover_course() -> list[Tick]:
    """An extreme but plausible day: down by an eighth at once, then by a quarter in all."""
    return [Tick(MINUTE_MS, 870_000), Tick(MINUTE_MS, 800_000), Tick(MINUTE_MS, 750_000)]


def crash_day() -> list[Tick]:
    """ETH on 4 September 2017, minute by minute."""
    bars = load_bars("ETH")
    day = np.flatnonzero(bars.time_ms >= bars.time_ms[0] + DAY_MS)
    columns = (bars.time_ms, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return ticks_of_bars(Bars("ETH", *(column[day] for column in columns)))


NOTHING_UNPAID: Final = "no deficit is left unpaid, nobody without a position pays"
CRASHES: Final = (
    Scenario(
        "gap-50",
        "half of the price gone in one tick, over levered longs, with an insurance fund",
        NOTHING_UNPAID,
        crash_genesis,
        gap_course,
        play_gap,
    ),
    Scenario(
        "insurance-zero",
        "the same gap with an empty insurance fund",
        NOTHING_UNPAID,
        crash_genesis,
        gap_course,
        play_unfunded,
    ),
    Scenario(
        "cascade-2025-10",
        "liquidations through falling marks, keepers that run out of capital, deleveraging",
        NOTHING_UNPAID + ", no lot is deleveraged beyond the shortfall",
        crash_genesis,
        cascade_course,
        play_cascade,
    ),
    Scenario(
        "cover-1",
        "the member with the largest position defaults in extreme but plausible prices",
        "margin and insurance pay; no sleeve, no deleveraging, no survivor pays",
        crash_genesis,
        cover_course,
        play_cover_one,
    ),
    Scenario(
        "cover-2",
        "the two members with the largest positions default together",
        "margin and insurance pay; no sleeve, no deleveraging, no survivor pays",
        crash_genesis,
        cover_course,
        play_cover_two,
    ),
    Scenario(
        "eth-2017-09-04",
        "a recorded day on which ETH lost a fifth, minute by minute",
        NOTHING_UNPAID,
        crash_genesis,
        crash_day,
        play_day,
    ),
)
