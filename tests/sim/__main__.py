"""`python -m tests.sim --seed n`: one line a seed; what broke, and how to see it again."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from tests.sim.world import Options, again, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds that were asked for; return the number of those that broke, at most 125."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from the first one on")
    parser.add_argument("--frauds", type=int, help="forged batches, instead of drawing how many")
    parser.add_argument("--no-challenger", action="store_true", help="nobody watches")
    parser.add_argument("--no-faults", action="store_true", help="nothing goes wrong")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    asked = parser.parse_args(arguments)
    options = Options(
        challenger=not asked.no_challenger, frauds=asked.frauds, faults=not asked.no_faults
    )
    reports = []
    for seed in range(asked.seed, asked.seed + asked.seeds):
        report = attempt(seed, options)
        reports.append(report)
        if asked.output == "text":
            print(line(report), flush=True)
    if asked.output == "json":
        print(json.dumps(reports, indent=2))
    return min(sum("broken" in report for report in reports), 125)


def attempt(seed: int, options: Options) -> dict[str, Any]:
    """Run a seed and return its report, or what broke."""
    began = time.perf_counter()
    try:
        report = run(seed, options)
    except Exception as error:
        report = {
            "seed": seed,
            "broken": f"{type(error).__name__}: {error}",
            "notes": list(getattr(error, "__notes__", [])),
        }
        report["again"] = again(seed, options)
        print(f"seed {seed} broke: {report['broken']}", *report["notes"], sep="\n", file=sys.stderr)
    return report | {"seconds": round(time.perf_counter() - began, 2)}


def line(report: dict[str, Any]) -> str:
    """Return a report as one line."""
    if "broken" in report:
        return f"seed {report['seed']} BROKEN {report['broken']}; again: {report['again']}"
    return (
        f"seed {report['seed']} ok: {report['events']} events in {report['seconds']} s, "
        f"{report['acknowledged']} acknowledged, {report['batches']} batches, "
        f"node lives {report['node_lives']}; faults {counts(report['faults'])}; "
        f"frauds {counts(report['frauds'])}, reverted {sum(report['reverted'].values())} "
        f"and {report['descendants']} descendants within {report['revert_blocks_max']} blocks; "
        f"applied {counts(report['applied'])}; rejects {counts(report['rejects'])}; "
        f"root {report['root'][:16]}"
    )


def counts(found: dict[str, int]) -> str:
    """Return counts as text."""
    return ", ".join(f"{name} {count}" for name, count in found.items()) or "none"


if __name__ == "__main__":
    sys.exit(main())
