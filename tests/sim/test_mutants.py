"""The declared mutants fit the code, and the runner tells the dead from the living."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from novatio.cli import main
from simulator.campaign import summary
from simulator.mutant_record import (
    Fate,
    Figures,
    commit_of,
    digest_of,
    figures_of,
    load_record,
    save_record,
    standing,
)
from simulator.mutants import (
    COPIED,
    ROOT,
    Mutant,
    MutantError,
    declared_mutants,
    load_mutants,
    run_mutants,
)

CHECK = "clearing/check.py"
TESTS = "tests/test_check.py"


def test_two_hundred_deleted_checks_and_more_are_declared_of_law_court_and_challenger():
    mutants = load_mutants()
    assert len(mutants) >= 200
    assert {one.file.partition("/")[0] for one in mutants} == {"clearing", "prover", "verifier"}
    assert len({(one.file, one.line, one.instead) for one in mutants}) == len(mutants)


@pytest.mark.parametrize("mutant", declared_mutants(), ids=lambda mutant: mutant.name)
def test_every_declared_mutant_is_a_line_of_the_code(mutant):
    changed = mutant.applied((ROOT / mutant.file).read_text("utf-8"))
    compile(changed, mutant.file, "exec")
    assert mutant.why
    assert all((ROOT / name).is_file() for name in mutant.tests)


def test_a_line_that_is_gone_or_there_twice_fits_no_mutant():
    mutant = _mutant("if below:", "if False:")
    with pytest.raises(MutantError, match="expected one line of"):
        mutant.applied("nothing")
    with pytest.raises(MutantError, match="was 2"):
        mutant.applied("if below:\n    pass\nif below:\n")
    assert mutant.applied("def f():\n    if below:\n") == "def f():\n    if False:\n"


def test_a_mutant_dies_of_a_test_that_passes_without_it_and_of_nothing_else(tmp_path: Path):
    for name in COPIED:
        (tmp_path / name).mkdir()
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / CHECK).write_text(
        "def allowed(amount):\n    if amount < 0:\n        return False\n    if amount > 9:\n"
        "        return False\n    return True\n"
    )
    (tmp_path / TESTS).write_text(
        "from clearing.check import allowed\n\n\ndef test_debts():\n    assert not allowed(-1)\n"
    )
    (tmp_path / "tests" / "test_broken.py").write_text("def test_it():\n    assert False\n")
    mutants = [
        _mutant("if amount < 0:", "if False:"),
        _mutant("if amount > 9:", "if False:"),
        _mutant("if amount > 9:", "if False:", "tests/test_broken.py"),
        _mutant("if amount > 9:", "if False:", "tests/test_missing.py"),
    ]
    told: list[str] = []
    assert run_mutants(mutants, told.append, tmp_path) == 1
    assert told == [
        f"[1/4] one: killed by {TESTS}::test_debts",
        "[2/4] one: LIVED",
        "[3/4] one: NOT RUN, its test fails without it too tests/test_broken.py::test_it",
        "[4/4] one: NOT RUN, code 4",
    ]
    assert json.dumps((tmp_path / CHECK).read_text()).count("if amount") == 2


def test_the_test_that_killed_a_mutant_before_is_tried_first(tmp_path: Path):
    for name in COPIED:
        (tmp_path / name).mkdir()
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / CHECK).write_text("def allowed(amount):\n    return amount >= 0\n")
    imported = "from clearing.check import allowed\n\n\n"
    gains = "def test_gains():\n    assert allowed(1)\n\n\n"
    (tmp_path / TESTS).write_text(
        imported + gains + "def test_debts():\n    assert not allowed(-1)\n"
    )
    other = "tests/test_other.py"
    (tmp_path / other).write_text(imported + "def test_zero():\n    assert allowed(-1) is False\n")
    mutant = _mutant("return amount >= 0", "return True")
    kept: list[tuple[str, str]] = []
    told: list[str] = []
    for killer in (f"{other}::test_zero", f"{TESTS}::test_gains", f"{TESTS}::test_gone"):
        run_mutants(
            [mutant],
            told.append,
            tmp_path,
            {"one": killer},
            lambda one, killed_by: kept.append((one.name, killed_by)),
        )
    debts = f"{TESTS}::test_debts"
    assert kept == [("one", f"{other}::test_zero"), ("one", debts), ("one", debts)]
    assert told[0] == f"[1/1] one: killed by {other}::test_zero"


def test_the_record_knows_of_every_mutant_as_it_is_declared_a_test_that_killed_it():
    record = load_record()
    mutants = load_mutants()
    known = standing(mutants, record)
    left = [one.name for one in mutants if one.name not in known or not known[one.name].killed_by]
    assert not left, "novatio sim mutants --left --record"
    assert set(record) == {one.name for one in mutants}
    for name, fate in known.items():
        file, _, test = fate.killed_by.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text("utf-8"), name
        assert fate.commit, name
    figures = figures_of(mutants, record)
    assert figures.killed == figures.total == len(mutants)


def test_a_campaign_counts_mutants_by_the_record_and_names_its_commits():
    done = CliRunner().invoke(main, ["sim", "mutants", "--left", "-o", "json"])
    assert (done.exit_code, done.stderr) == (0, "")
    total = len(load_mutants())
    assert json.loads(done.stdout) == {"mutants_total": total, "mutants_killed": total}
    figures = figures_of(load_mutants(), load_record())
    report = summary([], figures)
    assert (report["mutants_total"], report["mutants_killed"]) == (total, total)
    assert report["notes"]["mutants_commits"] == sorted(
        {one.commit for one in load_record().values()}
    )


def test_names_of_no_mutants_are_refused():
    done = CliRunner().invoke(main, ["sim", "mutants", "law-and-order"])
    assert done.exit_code == 2
    assert "was law-and-order" in done.stderr


def test_a_record_speaks_of_mutants_as_they_were_declared(tmp_path: Path):
    one, other = _mutant("if below:", "if False:"), _mutant("if above:", "if False:")
    path = tmp_path / "record.json"
    assert load_record(path) == {}
    fates = {
        "one": Fate(f"{TESTS}::test_debts", "abc", digest_of(one)),
        "gone": Fate("", "def", "0"),
    }
    save_record(fates, path)
    assert load_record(path) == fates
    assert path.read_text("utf-8").count("\n") == 4
    assert figures_of([one], fates) == Figures(1, 1, ("abc",))
    # The same name for another deletion, and one that lived, are not dead.
    assert figures_of([other], fates) == Figures(1, 0, ())
    lived = {"one": fates["one"]._replace(killed_by="")}
    assert figures_of([one], lived) == Figures(1, 0, ())


def test_without_a_repository_there_is_no_commit(tmp_path: Path):
    assert commit_of(tmp_path / "nowhere") == ""


def test_mutants_need_the_repository(tmp_path: Path):
    with pytest.raises(MutantError, match="clone it"):
        run_mutants([], print, tmp_path)


def _mutant(line: str, instead: str, tests: str = TESTS) -> Mutant:
    return Mutant("one", CHECK, line, instead, "because", (tests,))
