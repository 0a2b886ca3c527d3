"""A few seeds of the simulator, that it repeats itself, and that it sees what it should."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.duplicates import Duplicates
from node.records import RecordKind
from node.witness import Witness
from novatio.cli import main
from simulator.campaign import CODES, run_seeds, summary
from simulator.damage import Damages
from simulator.disk import SimDisk
from simulator.faults import CHANCES, ROUGH_ONLY, WEATHER_MS, Faults
from simulator.frauds import FORGERIES, FRAUDS
from simulator.market import CHALLENGER, OPERATOR, START_MS, address
from simulator.shrink import command_of, smallest
from simulator.world import InvariantBroken, Options, World, run

ROOT = Path(__file__).parents[2]
SEEDS = (1, 2, 4, 6, 11)
LOSSY = 22  # a seed in which the node crashes and power is lost
KEYS = [
    "seeds",
    "failures",
    "simulated_days",
    "faults",
    "frauds",
    "rejects",
    "honest_reverts",
    "lost_acknowledged",
    "mutants_total",
    "mutants_killed",
    "notes",
]


def test_seeds_hold_every_invariant_and_meet_most_faults_and_frauds():
    attempts = run_seeds(SEEDS)
    assert not any(made.broken for made in attempts)
    met: Counter[str] = Counter()
    for made in attempts:
        assert made.report["acknowledged"] > 300
        assert made.report["batches"] > 5
        for name in ("faults", "frauds", "applied", "rejects"):
            met.update(made.report[name])
    assert len({made.report["digest"] for made in attempts}) == len(SEEDS)
    assert len(met.keys() & CHANCES.keys()) >= len(CHANCES) * 3 // 4, sorted(met)
    assert len(met.keys() & FORGERIES.keys()) > 2
    assert len(met.keys() & set(FRAUDS)) > 5
    assert {"TRADE", "PRICE", "FUNDING", "LIQUIDATE", "WITHDRAW", "TRANSFER", "CANCEL"} <= set(met)
    assert {"SWEEP_TALLY", "SWEEP_APPLY", "AUCTION_BID", "CALL_FILL", "EXPIRE"} <= set(met)
    assert {"MARGIN", "OVERFILL", "BAD_SIGNATURE", "ORDER_DEAD", "STALE_SEQUENCE"} <= set(met)
    assert len(met.keys() & set(CODES)) >= 68, sorted(set(CODES) - met.keys())
    report = summary(attempts)
    assert (report["seeds"], report["failures"]) == (len(SEEDS), 0)
    assert report["honest_reverts"] == report["lost_acknowledged"] == 0
    assert report["simulated_days"] > len(SEEDS) * 70 / 86_400


def test_nothing_goes_wrong_where_no_fault_is():
    world = World(5, Options(faults=False, frauds=0))
    report = world.run()
    assert report["node_lives"] == 1
    assert report["faults"] == report["frauds"] == report["reverted"] == {}
    # Nobody pays for a call that fails: what two want, one sends.
    sent = {address(OPERATOR): 0, address(CHALLENGER): 0}
    for number in range(world.base.chain.head().number + 1):
        block = world.base.chain.block(number)
        assert block is not None
        for receipt in block.receipts:
            if receipt.sender in sent:
                assert receipt.error is None, receipt
                sent[receipt.sender] += 1
    assert sent[address(OPERATOR)] > 20


def test_without_a_challenger_an_invalid_batch_becomes_final_and_the_simulator_says_so():
    with pytest.raises(InvariantBroken, match="became final") as broken:
        run(7, Options(challenger=False, frauds=1))
    assert broken.value.name == "I7"
    (events, again) = broken.value.__notes__
    assert events.startswith("last events:")
    assert again == "again: novatio sim repro 7 --no-challenger --frauds 1"


@pytest.mark.parametrize("seed", [6, 7, 15, 24])
def test_no_seed_holds_without_a_challenger_even_where_its_dice_want_no_fraud(seed):
    options = Options(challenger=False, faults=False, seconds=12)
    with pytest.raises(InvariantBroken, match="became final") as broken:
        run(seed, options)
    assert broken.value.name == "I7"


def test_the_command_fails_without_a_challenger_though_it_asks_for_no_fraud():
    command = ["sim", "run", "--seed", "6", "--no-challenger", "--no-faults", "--frauds", "0"]
    done = CliRunner().invoke(main, [*command, "--seconds", "12", "-o", "json"])
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert (report["seeds"], report["failures"]) == (1, 1)
    assert "BROKEN InvariantBroken: I7" in done.stderr


def test_a_run_without_a_challenger_in_which_no_forgery_lands_has_shown_nothing():
    options = Options(challenger=False, faults=False, seconds=5, without=frozenset(FRAUDS))
    with pytest.raises(InvariantBroken, match="0 forged batches on the base layer") as broken:
        run(6, options)
    assert broken.value.name == "I7"


def test_a_node_that_forgets_what_it_sequenced_is_found_out(monkeypatch):
    def forgetful(self, digests, eligible):
        self._sequences[:] = 0
        return honest(self, digests, eligible)

    honest = Duplicates.claim
    monkeypatch.setattr(Duplicates, "claim", forgetful)
    with pytest.raises(InvariantBroken) as broken:
        run(1, Options(frauds=0))
    assert broken.value.name == "I5"


def test_a_disk_that_syncs_nothing_is_found_out_and_its_seed_made_small(monkeypatch):
    def pretend(self, name):
        self._begin()
        self._crash_if_due()

    monkeypatch.setattr(SimDisk, "sync", pretend)
    happen = {"power-loss", "node-crash-between-events", "reply-delayed", "slow-disk"}
    without = frozenset((set(CHANCES) | set(FRAUDS)) - happen)
    options = Options(frauds=0, seconds=15, without=without)
    told: list[str] = []
    (made,) = run_seeds([LOSSY], options, told.append)
    assert made.invariant == "I4"
    assert made.report["lost_acknowledged"] > 0
    assert summary([made])["failures"] == 1
    needs = next(text for text in told if text.startswith("needs "))
    assert "power-loss" in needs and len(needs.split(", ")) < 4
    assert told[-1].startswith(
        f"again: novatio sim repro {LOSSY} --frauds 0 --seconds 15 --without"
    )


@pytest.fixture(scope="module")
def stood_still() -> World:
    """A world that went well, whose node is closed and whose disks hold all of it."""
    world = World(1, Options(faults=False, frauds=0, seconds=10))
    world.run()
    return world


def test_a_damaged_log_is_refused_or_whole(stood_still):
    world = stood_still
    disks = world.node.disks
    for damage in (Damages.flip_bit, Damages.cut, Damages.flip_witness_bit):
        for _ in range(8):
            world.node.damages.check("damage", damage, disks)
    refused = [line for line in world.trace if "refused" in line]
    assert len(refused) > 3
    assert any("harmless" in line for line in world.trace)


@pytest.mark.parametrize(
    "damage", [Damages.lose_segment, Damages.empty, Damages.restore, Damages.empty_all]
)
def test_a_log_that_lost_what_was_promised_is_refused(stood_still, damage):
    stood_still.node.damages.check("damage", damage, stood_still.node.disks)
    assert "refused by Log" in stood_still.trace[-1]


def test_a_node_that_does_not_ask_its_witness_is_found_out(stood_still, monkeypatch):
    monkeypatch.setattr(Witness, "require", lambda self, hash_at: None)
    monkeypatch.setattr("simulator.node.require_posted", lambda base, seals: None)
    for damage in (Damages.empty, Damages.restore, Damages.empty_all):
        with pytest.raises(InvariantBroken, match="served, and I") as broken:
            stood_still.node.damages.check("damage", damage, stood_still.node.disks)
        assert broken.value.name == "I16"


def test_a_log_that_ends_with_a_frame_whose_outcome_is_not_synced_has_lost_nothing():
    world = World(5, Options(faults=False, frauds=0, seconds=10))
    world.begin()
    node = world.node
    for time_ms in range(START_MS, START_MS + 10_000):
        world.until(time_ms)
        assert node.log is not None
        (last,) = node.log.records(node.log.durable_tail.sequence)
        if last.kind == RecordKind.FRAME and world.invariants.acknowledged:
            break
    else:
        raise AssertionError("expected a frame at the end of the log, was none")
    node.damages.check("damage", lambda damages, disks: "nothing", node.disks)
    assert world.trace[-1].endswith("harmless")
    node.index.stop()
    assert world.challenger is not None
    world.challenger.stop()


def test_the_smallest_set_of_faults_is_found_by_leaving_out():
    runs = []

    def breaks(left):
        runs.append(left)
        return {"b", "g"} <= left

    assert smallest("abcdefgh", breaks) == {"b", "g"}
    assert len(runs) < 30
    assert smallest("abc", lambda left: True) == frozenset()
    assert smallest("a", lambda left: bool(left)) == {"a"}


def test_a_command_says_all_that_a_run_was_told():
    options = Options(False, 2, False, 9, frozenset({"overload", "clock-skew"}))
    assert command_of(5, options) == (
        "novatio sim repro 5 --no-challenger --no-faults --frauds 2 --seconds 9 "
        "--without clock-skew --without overload"
    )


def test_a_seed_is_the_same_run_again_whatever_the_hash_seed():
    def digest(hash_seed):
        text = "from novatio.cli import main; main()"
        command = ["sim", "repro", "2", "--seconds", "20", "-o", "json"]
        done = subprocess.run(
            [sys.executable, "-c", text, *command],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        report = json.loads(done.stdout)
        return report["digest"], report["root"], report["events"]

    assert digest("1") == digest("2")


def test_the_report_of_many_seeds_names_every_kind_and_nothing_else():
    command = ["sim", "run", "--seed", "5", "--seconds", "5", "--no-faults", "--frauds", "0"]
    done = CliRunner().invoke(main, [*command, "-o", "json"])
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert list(report) == KEYS
    assert (report["seeds"], report["failures"]) == (1, 0)
    assert list(report["faults"]) == list(CHANCES)
    assert list(report["frauds"]) == list(FRAUDS)
    assert list(report["rejects"]) == list(CODES)
    assert sum(report["rejects"].values()) > 10
    counts = report["faults"] | report["frauds"] | report["rejects"]
    never = [name for name, count in counts.items() if not count]
    notes = report["notes"]
    assert list(notes) == ["uncovered", "justified", "mutants_commits"]
    assert notes["uncovered"] == [name for name in never if name != "INVARIANT"]
    assert {"wrong-post-root", "clock-jump", "STEP_FULL"} <= set(notes["uncovered"])
    assert list(notes["justified"]) == ["INVARIANT"]
    assert done.stderr.startswith("seed 5 ok")


def test_a_kind_that_nobody_knows_is_a_usage_error_that_names_those_there_are():
    done = CliRunner().invoke(main, ["sim", "repro", "1", "--without", "sunspots"])
    assert done.exit_code == 2
    assert "was sunspots" in done.stderr and "clock-skew" in done.stderr


def test_a_kind_that_is_left_out_changes_no_other_dice():
    every, fewer = Faults(3), Faults(3, ["clock-skew"])
    assert fewer.enabled == every.enabled - {"clock-skew"}
    kind = min(fewer.enabled - ROUGH_ONLY)
    assert [every.happens(kind, 0) for _ in range(200)] == [
        fewer.happens(kind, 0) for _ in range(200)
    ]


def test_weather_leaves_time_to_reach_the_base_layer():
    faults = Faults(1)
    kinds = sorted(ROUGH_ONLY & faults.enabled)
    assert kinds
    for kind in kinds:
        assert not any(faults.happens(kind, WEATHER_MS + place) for place in range(200))
        assert any(faults.happens(kind, place) for place in range(400))
    faults.heal()
    assert not any(faults.happens(kind, 0) for kind in CHANCES for _ in range(200))
