"""Many seeds: each attempted, the failing ones made small, everything counted in one report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from clearing.codes import Code
from simulator.broken import InvariantBroken
from simulator.faults import CHANCES
from simulator.frauds import FRAUDS
from simulator.mutant_record import NO_FIGURES, Figures
from simulator.shrink import command_of, smallest
from simulator.world import Options, World

DAY_MS = 86_400_000
DEFAULT = Options()
# What no world can meet, and why; that it is not met is itself looked at (I6).
JUSTIFIED = {
    Code.INVARIANT.name: "the law halts for a state that none of its actions leads to, or for a "
    "leaf that a witness lacks; a reply that carries it breaks a promise",
}
CODES = tuple(code.name for code in Code if code != Code.APPLIED)


@dataclass(frozen=True)
class Attempt:
    """One seed: its report, and what broke with the events before it, if anything did."""

    seed: int
    report: dict[str, Any]
    seconds: float
    broken: str = ""
    invariant: str = ""
    events: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the attempt as one line."""
        report = self.report
        if self.broken:
            return f"seed {self.seed} BROKEN {self.broken}"
        return (
            f"seed {self.seed} ok: {report['events']} events in {self.seconds:.1f} s, "
            f"{report['acknowledged']} acknowledged, {report['batches']} batches, "
            f"node lives {report['node_lives']}; faults {_text(report['faults'])}; "
            f"frauds {_text(report['frauds'])}, reverted {sum(report['reverted'].values())} "
            f"and {report['descendants']} descendants within {report['revert_blocks_max']} blocks; "
            f"applied {_text(report['applied'])}; rejects {_text(report['rejects'])}; "
            f"root {report['root'][:16]}"
        )

    def record(self) -> dict[str, Any]:
        """Return the attempt as plain values."""
        return self.report | {
            "seconds": round(self.seconds, 2),
            "broken": self.broken,
            "last_events": list(self.events),
        }


def attempt(seed: int, options: Options = DEFAULT) -> Attempt:
    """Run a seed and say what became of it; a defect of the simulator counts as broken too."""
    began = time.perf_counter()
    world = World(seed, options)
    broken = invariant = ""
    events: tuple[str, ...] = ()
    try:
        world.run()
    except Exception as error:
        broken = f"{type(error).__name__}: {error}"
        invariant = error.name if isinstance(error, InvariantBroken) else type(error).__name__
        events = tuple(world.trace)
    return Attempt(seed, world.report(), time.perf_counter() - began, broken, invariant, events)


def shrink(failed: Attempt, options: Options, note: Callable[[str], None]) -> str:
    """Find the fewest kinds of faults and frauds with which a seed breaks the same promise.

    Returns the command that shows it.
    """
    bare = replace(options, faults=False, frauds=0)
    if attempt(failed.seed, bare).invariant == failed.invariant:
        note("needs no fault at all")
        return command_of(failed.seed, bare)
    met = {kind for counts in ("faults", "frauds") for kind in failed.report[counts]}
    kinds = [kind for kind in (*CHANCES, *FRAUDS) if kind in met and kind not in options.without]
    others = (set(CHANCES) | set(FRAUDS)) - set(kinds)

    def breaks(left: frozenset[str]) -> bool:
        without = frozenset((set(kinds) | others) - left)
        again = attempt(failed.seed, options.less(without))
        note(f"with {len(left)} kinds: {again.broken or 'holds'}")
        return again.invariant == failed.invariant

    needed = smallest(kinds, breaks)
    dropped = [kind for kind in kinds if kind not in needed]
    note(f"needs {', '.join(sorted(needed)) or 'none of them alone'}")
    # Kinds that never happened need no mention, unless leaving others out lets them happen.
    again = attempt(failed.seed, options.less(frozenset(dropped)))
    without = dropped if again.invariant == failed.invariant else sorted(others | set(dropped))
    return command_of(failed.seed, options.less(frozenset(without)))


def run_seeds(
    seeds: Iterable[int],
    options: Options = DEFAULT,
    note: Callable[[str], None] = print,
) -> list[Attempt]:
    """Attempt every seed, telling of each, and shrink those that break."""
    attempts = []
    for seed in seeds:
        made = attempt(seed, options)
        attempts.append(made)
        note(made.line())
        if made.broken:
            note("\n".join(["last events:", *made.events]))
            note(f"again: {shrink(made, options, note)}")
    return attempts


def summary(attempts: Iterable[Attempt], mutants: Figures = NO_FIGURES) -> dict[str, Any]:
    """Return the one report of a campaign. Every kind is named: a zero was never met.

    `notes` only say more of what stands before them: the zeros once more, those that have a reason,
    and the commits at which mutants were counted.
    """
    attempts = list(attempts)
    met: dict[str, Counter[str]] = {name: Counter() for name in ("faults", "frauds", "rejects")}
    for made in attempts:
        for name, counter in met.items():
            counter.update(made.report[name])
    simulated_ms = sum(made.report["simulated_ms"] for made in attempts)
    return {
        "seeds": len(attempts),
        "failures": sum(bool(made.broken) for made in attempts),
        "simulated_days": round(simulated_ms / DAY_MS, 6),
        "faults": {kind: met["faults"][kind] for kind in CHANCES},
        "frauds": {kind: met["frauds"][kind] for kind in FRAUDS},
        "rejects": {code: met["rejects"][code] for code in CODES},
        "honest_reverts": sum(made.report["honest_reverts"] for made in attempts),
        "lost_acknowledged": sum(made.report["lost_acknowledged"] for made in attempts),
        "mutants_total": mutants.total,
        "mutants_killed": mutants.killed,
        "notes": {
            "uncovered": [
                *(kind for kind in CHANCES if not met["faults"][kind]),
                *(kind for kind in FRAUDS if not met["frauds"][kind]),
                *(code for code in CODES if not met["rejects"][code] and code not in JUSTIFIED),
            ],
            "justified": {code: why for code, why in JUSTIFIED.items() if not met["rejects"][code]},
            "mutants_commits": list(mutants.commits),
        },
    }


def _text(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.items()) or "none"
