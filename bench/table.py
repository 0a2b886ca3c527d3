"""Rows of the goals table, as text and as JSON."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

LATEST = Path(__file__).resolve().parent / "latest.json"


@dataclass(frozen=True)
class Row:
    """One measured figure. `goal` is in words; `reached` is None for a figure without a goal."""

    name: str
    value: float
    unit: str
    goal: str
    reached: bool | None


def at_least(name: str, value: float, unit: str, goal: float) -> Row:
    """Return a row whose goal is a lower bound."""
    return Row(name, round(value, 4), unit, f">= {goal:g}", value >= goal)


def at_most(name: str, value: float, unit: str, goal: float) -> Row:
    """Return a row whose goal is an upper bound."""
    return Row(name, round(value, 4), unit, f"<= {goal:g}", value <= goal)


def plain(name: str, value: float, unit: str) -> Row:
    """Return a row that is only reported."""
    return Row(name, round(value, 4), unit, "", None)


def seconds_of(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the median seconds of `work`, after one run that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def machine() -> str:
    """Return one line about where the figures come from."""
    model = "unknown processor"
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
        model = next(line for line in text.splitlines() if line.startswith("model name"))
        model = model.split(":", 1)[1].strip()
    except (OSError, StopIteration):
        pass
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    version = platform.python_version()
    return f"{model}, Python {version}, commit {commit or 'unknown'}"


def progress(text: str) -> None:
    """Say on stderr what is being measured."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def show(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | measured | goal | reached |", "|---|---|---|---|"]
    for row in rows:
        mark = {True: "yes", False: "**no**", None: ""}[row.reached]
        lines.append(f"| {row.name} | {row.value:,g} {row.unit} | {row.goal} | {mark} |")
    return "\n".join(lines)


def save(rows: list[Row]) -> None:
    """Write `bench/latest.json`."""
    LATEST.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")
