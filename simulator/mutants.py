"""Test the tests: delete one check of law, court or challenger at a time, and see who notices.

`mutants.toml` declares each: a line that is in its file exactly once, what stands there instead,
why somebody would be robbed, and the tests that must notice. Each runs in a copy of the repository
and interpreted, so that nothing is compiled. A mutant that no test can notice, because it changes
nothing that anyone can see, says so with `equivalent`, and is counted neither as killed nor in the
total. What each met is kept by `simulator.mutant_record`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DECLARED = Path(__file__).with_name("mutants.toml")
# What the tests of law and court import or read.
COPIED = ("clearing", "verifier", "prover", "node", "risk", "simulator", "novatio", "tests", "docs")
TEST_SECONDS_MAX = 900
PASSED, FAILED = 0, 1  # exit codes of pytest
TIMED_OUT = -1
KILLED = "killed by"
NO_KILLERS: Mapping[str, str] = {}


class MutantError(Exception):
    """A declaration that fits the repository no longer, or no repository around this package."""


@dataclass(frozen=True)
class Mutant:
    """One deleted check. `line` and `instead` are whole lines but for their indentation."""

    name: str
    file: str
    line: str
    instead: str
    why: str
    tests: tuple[str, ...]
    equivalent: str = ""

    def applied(self, source: str) -> str:
        """Return the file's text with the mutant in it. Raises MutantError if it does not fit."""
        lines = source.split("\n")
        places = [place for place, text in enumerate(lines) if text.strip() == self.line]
        if len(places) != 1:
            raise MutantError(
                f"mutant {self.name}: expected one line of {self.file} to be {self.line!r}, was "
                f"{len(places)}; declare it anew in {DECLARED.name}"
            )
        text = lines[places[0]]
        indentation = text[: len(text) - len(text.lstrip())]
        lines[places[0]] = indentation + self.instead if self.instead else ""
        return "\n".join(lines)


def load_mutants(path: Path = DECLARED) -> list[Mutant]:
    """Return the declared mutants that are not equivalent to the code as it is."""
    return [one for one in declared_mutants(path) if not one.equivalent]


def declared_mutants(path: Path = DECLARED) -> list[Mutant]:
    """Return all declared mutants."""
    declared = tomllib.loads(path.read_text("utf-8"))
    return [
        Mutant(**(values | {"name": name, "tests": tuple(values["tests"])}))
        for name, values in declared.items()
    ]


def run_mutants(
    mutants: Sequence[Mutant],
    note: Callable[[str], None],
    root: Path = ROOT,
    killers: Mapping[str, str] = NO_KILLERS,
    keep: Callable[[Mutant, str], None] | None = None,
) -> int:
    """Run every mutant and return how many were killed: by a test that failed because of it.

    A test counts that passes without the mutant. `killers` names the test by which a mutant died
    before: those are run without any mutant together, and each is tried first. `keep` is told of
    each mutant and its killer ("": none) at once.
    Raises MutantError if a mutant does not fit.
    """
    if not (root / "tests").is_dir():
        raise MutantError(f"expected the repository around {root.name}, was none; clone it")
    killed = 0
    sound: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="novatio-mutants-") as folder:
        copy = Path(folder)
        _copy_tree(root, copy)
        for mutant in mutants:
            mutant.applied((copy / mutant.file).read_text("utf-8"))
        known = sorted({killers[one.name] for one in mutants if killers.get(one.name)})
        if known and _run_tests(copy, known)[0] == PASSED:
            sound.update(known)
        for place, mutant in enumerate(mutants, 1):
            verdict, test = _attempt(copy, mutant, killers.get(mutant.name, ""), place)
            if test and test not in sound:
                if _run_tests(copy, (test,))[0] == PASSED:
                    sound.add(test)
                else:
                    verdict = "NOT RUN, its test fails without it too"
            killed += verdict == KILLED
            note(f"[{place}/{len(mutants)}] {mutant.name}: {verdict} {test}".rstrip())
            if keep is not None:
                keep(mutant, test if verdict == KILLED else "")
    return killed


def _attempt(copy: Path, mutant: Mutant, killer: str, place: int) -> tuple[str, str]:
    """Return what became of a mutant, and the test that noticed."""
    path = copy / mutant.file
    source = path.read_text("utf-8")
    stat = path.stat()
    try:
        path.write_text(mutant.applied(source), "utf-8")
        # Python knows a compiled file by the second and size of its source: each mutant its own.
        os.utime(path, (stat.st_atime, int(stat.st_mtime) + place))
        code, failed = _run_tests(copy, (killer,)) if killer else (PASSED, "")
        if code != FAILED:
            code, failed = _run_tests(copy, mutant.tests)
    finally:
        path.write_text(source, "utf-8")
        os.utime(path, (stat.st_atime, stat.st_mtime))
    if code == FAILED and failed:
        return KILLED, failed
    # No test failed, or none ran: neither shows that somebody would notice.
    return ("LIVED" if code == PASSED else f"NOT RUN, code {code}"), ""


def _copy_tree(root: Path, copy: Path) -> None:
    for name in COPIED:
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
        shutil.copy2(root / name, copy / name)


def _run_tests(copy: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Run tests up to the first that fails; return pytest's exit code and that test's name."""
    options = ["-x", "-q", "--no-header", "-p", "no:xdist", "-o", "cache_dir=.pytest_cache"]
    failures = copy / ".pytest_cache" / "v" / "cache" / "lastfailed"
    failures.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *options, *tests]
    # The interpreted law needs no compiler, and what a test starts must import the copy as well.
    environment = os.environ | {
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(copy),
    }
    # What the copy compiles once serves every mutant.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TEST_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TIMED_OUT, ""
    failed = json.loads(failures.read_text("utf-8")) if failures.exists() else {}
    return done.returncode, next(iter(failed), "")
