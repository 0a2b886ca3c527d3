"""What became of each declared mutant: the test that noticed it, and at which commit.

`mutant_record.json` is written by ``novatio sim mutants --record`` alone. What it says of a mutant
stands as long as the mutant is declared as it was, so the figures of a campaign need no hours: they
are those of the commits that they name, and the same command brings them up to date.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from simulator.mutants import Mutant

RECORD = Path(__file__).with_name("mutant_record.json")
DIGEST_CHARACTERS = 16
COMMIT_CHARACTERS = 12


class Fate(NamedTuple):
    """What became of a mutant: `killed_by` names a test, or is empty because it lived or did not
    run; `mutant` tells which deletion it was, `commit` of which code."""

    killed_by: str
    commit: str
    mutant: str


class Figures(NamedTuple):
    """How many mutants are declared, how many of them the record knows to be dead, and of which
    commits it tells."""

    total: int
    killed: int
    commits: tuple[str, ...]


NO_FIGURES = Figures(0, 0, ())


def digest_of(mutant: Mutant) -> str:
    """Return what changes with the deletion itself, not with its reasons, its tests or its file."""
    text = f"{mutant.line}\n{mutant.instead}"
    return sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def load_record(path: Path = RECORD) -> dict[str, Fate]:
    """Return the fates by name of mutant; none if nothing was ever recorded."""
    if not path.exists():
        return {}
    return {name: Fate(**fate) for name, fate in json.loads(path.read_text("utf-8")).items()}


def save_record(record: Mapping[str, Fate], path: Path = RECORD) -> None:
    """Write the fates, a line each, in the order of their names."""
    lines = (f"{json.dumps(name)}: {json.dumps(record[name]._asdict())}" for name in sorted(record))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def standing(mutants: Iterable[Mutant], record: Mapping[str, Fate]) -> dict[str, Fate]:
    """Return the fates of mutants that are declared as they were when they met them."""
    return {
        one.name: record[one.name]
        for one in mutants
        if one.name in record and record[one.name].mutant == digest_of(one)
    }


def figures_of(mutants: Sequence[Mutant], record: Mapping[str, Fate]) -> Figures:
    """Return the figures that the record vouches for."""
    known = standing(mutants, record)
    dead = [fate for fate in known.values() if fate.killed_by]
    commits = sorted({fate.commit for fate in dead if fate.commit})
    return Figures(len(mutants), len(dead), tuple(commits))


def commit_of(root: Path) -> str:
    """Return the commit of a repository, with a + if its files are not as committed; "" of none."""
    commit = _git(root, "rev-parse", f"--short={COMMIT_CHARACTERS}", "HEAD")
    # The record itself changes while it is written.
    changed = _git(
        root, "status", "--porcelain", "--", ".", f":!{RECORD.parent.name}/{RECORD.name}"
    )
    return f"{commit}+" if commit and changed else commit


def _git(root: Path, *arguments: str) -> str:
    """Return what git says of a repository; nothing if it knows none, or is not there."""
    try:
        done = subprocess.run(("git", *arguments), cwd=root, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
