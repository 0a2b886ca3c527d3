"""One law: compiled, interpreted, and under another order of Python's sets, byte for byte."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from clearing.codes import Code

ROOT = Path(__file__).parents[3]
STEPS = 190  # of eight actions


@cache
def replay(seed, hash_seed="0", interpreted="0", script="replay"):
    """What the script of this seed comes to in a process of its own."""
    environment = {"PYTHONHASHSEED": hash_seed, "NUMBA_DISABLE_JIT": interpreted}
    command = [sys.executable, "-m", f"tests.clearing.law.{script}", str(seed), str(STEPS)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("seed", [11, 12])
def test_the_compiled_and_the_interpreted_law_agree_on_every_byte(seed):
    compiled = replay(seed)
    interpreted = replay(seed, hash_seed="2", interpreted="1")
    assert compiled == interpreted
    assert len(compiled["counts"]) > 12
    assert compiled["counts"][str(Code.APPLIED.value)] > STEPS
    assert compiled["counts"][str(Code.INVARIANT.value)] == 1
    assert compiled["counts"][str(Code.HALTED.value)] > 1
    assert {Code.APPLIED, Code.OWNER_LIMIT, Code.NOT_NEEDED} <= set(compiled["held"]["codes"])


@pytest.mark.parametrize("seed", [21, 22])
def test_they_agree_about_prices_rows_and_expiry_too(seed):
    compiled = replay(seed, script="replay_options")
    assert compiled == replay(seed, "2", "1", "replay_options")
    assert len(compiled["counts"]) > 14
    assert compiled["counts"][str(Code.APPLIED.value)] > STEPS // 2
    assert str(Code.INVARIANT.value) not in compiled["counts"]
    assert len(set(compiled["statuses"])) > 1


def test_they_agree_about_failing_accounts_too():
    compiled = replay(31, script="replay_failures")
    assert compiled == replay(31, "2", "1", "replay_failures")
    assert len(compiled["counts"]) > 9
    assert compiled["counts"][str(Code.APPLIED.value)] > 20
    assert str(Code.INVARIANT.value) not in compiled["counts"]


def test_they_agree_about_calls_and_their_fills_too():
    compiled = replay(41, script="replay_calls")
    assert compiled == replay(41, "2", "1", "replay_calls")
    counts = compiled["counts"]
    assert counts["CALL_ORDER APPLIED"] > 20
    assert counts["CALL_FILL APPLIED"] > 5
    assert not any("INVARIANT" in name for name in counts)


@pytest.mark.parametrize("seed", [31, 32])
def test_they_agree_about_portfolios_modes_and_sensitivities_too(seed):
    compiled = replay(seed, script="replay_portfolios")
    assert compiled == replay(seed, "2", "1", "replay_portfolios")
    assert len(compiled["counts"]) > 5
    assert Code.INVARIANT.name not in compiled["counts"]
    assert len(compiled["modes"]) > 1


def test_another_script_comes_to_something_else():
    assert replay(11)["state"] != replay(12)["state"]
