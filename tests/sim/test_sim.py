"""A few seeds of the simulator, that it repeats itself, and that it sees what it should."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from node.duplicates import Duplicates
from tests.sim.faults import CHANCES, ROUGH_ONLY, WEATHER_MS, Faults
from tests.sim.world import InvariantBroken, Options, run
from tests.support.sim_disk import SimDisk

ROOT = Path(__file__).parents[2]
SEEDS = (1, 2, 4, 6, 11)


def test_seeds_hold_every_invariant_and_meet_most_faults_and_frauds():
    met: Counter[str] = Counter()
    digests = set()
    for seed in SEEDS:
        report = run(seed)
        assert report["acknowledged"] > 300
        assert report["batches"] > 5
        digests.add(report["digest"])
        for name in ("faults", "frauds", "applied", "rejects"):
            met.update(report[name])
    assert len(digests) == len(SEEDS)
    assert len(met.keys() & CHANCES.keys()) >= len(CHANCES) * 3 // 4, sorted(met)
    assert len({"minted money", "garbage root", "forged withdrawal", "forged trade"} & set(met)) > 2
    assert {"TRADE", "PRICE", "FUNDING", "LIQUIDATE", "WITHDRAW", "TRANSFER", "CANCEL"} <= set(met)
    assert {"MARGIN", "OVERFILL", "BAD_SIGNATURE", "ORDER_DEAD", "STALE_SEQUENCE"} <= set(met)


def test_nothing_goes_wrong_where_no_fault_is():
    report = run(5, Options(faults=False, frauds=0))
    assert report["node_lives"] == 1
    assert report["faults"] == report["frauds"] == report["reverted"] == {}


def test_without_a_challenger_an_invalid_batch_becomes_final_and_the_simulator_says_so():
    with pytest.raises(InvariantBroken, match="became final") as broken:
        run(7, Options(challenger=False, frauds=1))
    assert broken.value.name == "I5"
    (events, again) = broken.value.__notes__
    assert events.startswith("last events:")
    assert "make sim SEED=7 ARGS='--no-challenger --frauds 1'" in again


def test_a_node_that_forgets_what_it_sequenced_is_found_out(monkeypatch):
    def forgetful(self, digests, eligible):
        self._sequences[:] = 0
        return honest(self, digests, eligible)

    honest = Duplicates.claim
    monkeypatch.setattr(Duplicates, "claim", forgetful)
    with pytest.raises(InvariantBroken) as broken:
        run(1, Options(frauds=0))
    assert broken.value.name == "I4"


def test_a_disk_that_syncs_nothing_is_found_out(monkeypatch):
    def pretend(self, name):
        self._begin()
        self._crash_if_due()

    monkeypatch.setattr(SimDisk, "sync", pretend)
    with pytest.raises(InvariantBroken) as broken:
        run(4, Options(frauds=0))
    assert broken.value.name == "I3"


def test_a_seed_is_the_same_run_again_whatever_the_hash_seed():
    def digest(hash_seed):
        command = [sys.executable, "-m", "tests.sim", "--seed", "2", "-o", "json"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        (report,) = json.loads(done.stdout)
        return report["digest"], report["root"], report["events"]

    assert digest("1") == digest("2")


def test_weather_leaves_time_to_reach_the_base_layer():
    faults = Faults(random.Random(1))
    kinds = sorted(ROUGH_ONLY & faults.enabled)
    assert kinds
    for kind in kinds:
        assert not any(faults.happens(kind, WEATHER_MS + place) for place in range(200))
        assert any(faults.happens(kind, place) for place in range(200))
    faults.heal()
    assert not any(faults.happens(kind, 0) for kind in CHANCES for _ in range(200))
