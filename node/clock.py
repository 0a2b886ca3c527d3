"""The law's time: the wall clock, or one that is shifted and scaled for a demonstration."""

from __future__ import annotations

import time
from collections.abc import Callable

from node.config import ClockSection

Clock = Callable[[], int]


def wall_clock() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def law_clock(section: ClockSection, wall: Clock = wall_clock) -> Clock:
    """Return the law's clock: the wall's, or one that runs `rate` times as fast from an origin."""
    if section.rate == 0:
        return wall
    return lambda: section.origin_ms + section.rate * (wall() - section.started_ms)
