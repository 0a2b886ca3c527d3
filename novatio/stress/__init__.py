"""Stress tests of the law: known incidents and plausible disasters, run through the law itself.

    from novatio.stress import SCENARIOS, run
    report = run(SCENARIOS["gap-50"], seed=1)
    assert report.passed

Each scenario opens a small market, lets prices take their course, has keepers and anybody else do
what the waterfall prescribes, and reports who paid. The same seed gives the same report.
"""

from novatio.stress.crashes import CRASHES
from novatio.stress.manipulation import MANIPULATIONS
from novatio.stress.outages import OUTAGES
from novatio.stress.pools import POOLS
from novatio.stress.scenario import (
    Report,
    Scenario,
    Tick,
    judge,
    read_prices,
    run,
    ticks_of_bars,
    ticks_of_prices,
)

__all__ = [
    "SCENARIOS",
    "Report",
    "Scenario",
    "Tick",
    "judge",
    "read_prices",
    "run",
    "ticks_of_bars",
    "ticks_of_prices",
]

SCENARIOS = {one.name: one for one in (*MANIPULATIONS, *CRASHES, *OUTAGES, *POOLS)}
