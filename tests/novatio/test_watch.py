"""Watching a base layer without a key, and explaining a batch that fell."""

import json
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner

from node.config import genesis_text
from novatio.cli import main
from novatio.watch import Watch
from prover.challenger_process import ChallengerProcess
from prover.forge import mint
from tests.prover.chain_world import PROVER, ChainWorld
from verifier.base.remote import RemoteBaseLayer
from verifier.base.service import BaseLayerServer, SteppedClock


class Served:
    """A chain world behind the service that the command talks to."""

    def __init__(self, directory):
        self.world = ChainWorld()
        self.world.opening_batch()
        self.world.forged_batch(mint(1, 1_000), honest=3)
        self.world.chain.clock = self.clock = SteppedClock(lambda: self.world.now)
        self.start("127.0.0.1:0")
        (directory / "genesis.json").write_text(genesis_text(self.world.market.genesis))
        self.settings = directory / "client.toml"
        self.settings.write_text(
            f'[client]\nbase = "{self.server.address}"\ngenesis = "genesis.json"\n'
        )

    def start(self, address):
        self.server = BaseLayerServer(self.world.chain, self.clock, address)
        self.server.start()

    def run(self, *arguments):
        named = ("--config", self.settings, *arguments)
        return CliRunner().invoke(main, [str(argument) for argument in named])

    def prove(self):
        """Let a challenger have the forged batch reverted."""
        process = ChallengerProcess(self.world.base, self.world.replica(), PROVER)
        for _ in range(2):
            process.tick()
            self.world.mine()
        assert self.world.base.heads().generation == 1


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path)
    yield made
    made.server.stop()


def test_observing_needs_no_key_and_says_what_must_be_proven(served):
    result = served.run("watch", "--once")
    assert result.exit_code == 6
    assert "batch 1: valid" in result.stdout
    assert "batch 2: INVALID, step 1 breaks the law; see: novatio batch diff 2" in result.stdout
    assert "ALERT: batch 2: somebody must prove" in result.stdout
    assert "batch 2 posted, 0 final, generation 0" in result.stdout


def test_what_stays_as_it_is_is_said_once(served):
    said: list[str] = []
    world = served.world
    watch = Watch(world.base, world.replica(), None, None, "table", said.append)
    for _ in range(3):
        watch.look()
        world.mine()
    assert len([line for line in said if "somebody must prove" in line]) == 1
    assert len(said) == len(set(said)) == 4


def test_programs_get_an_object_a_line(served):
    result = served.run("watch", "--once", "-o", "json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["verdict", "verdict", "action", "heads"]
    assert [(one["number"], one["verdict"]) for one in events[:2]] == [(1, "valid"), (2, "invalid")]
    assert events[2] == {"event": "action", "what": "prove", "number": 2, "done": False}
    assert (events[3]["tip"], events[3]["generation"]) == (2, 0)


def test_defending_without_a_key_is_refused(served):
    result = served.run("watch", "--mode", "defend", "--once")
    assert result.exit_code == 2
    assert "key" in result.stderr


def test_defending_has_the_batch_taken_back(served):
    said: list[str] = []
    world = served.world
    watch = Watch(world.base, world.replica(), PROVER, None, "table", said.append)
    for _ in range(3):
        watch.look()
        world.mine()
    assert "batch 2: sending a transaction to commit to a proof" in said
    assert "batch 2: sending a transaction to prove" in said
    assert any(line.endswith("batch 1 posted, 0 final, generation 1") for line in said)


def test_a_base_layer_that_goes_away_is_said_and_asked_until_it_is_back(served):
    said: list[dict[str, Any]] = []
    stop = Event()
    base = RemoteBaseLayer(served.server.address)

    def say(line):
        said.append(json.loads(line))
        if said[-1]["event"] == "heads":
            stop.set()
        elif said[-1]["event"] == "unreachable" and len(said) == 1:
            served.start(served.server.address)

    watch = Watch(base, served.world.replica(), None, None, "json", say)
    served.server.stop()
    watch.follow(stop, 0.01)
    base.close()
    assert said[0]["event"] == "unreachable" and served.server.address in said[0]["reason"]
    assert [one["verdict"] for one in said if one["event"] == "verdict"] == ["valid", "invalid"]


def test_a_diff_names_the_account_that_was_given_money(served):
    found = json.loads(served.run("batch", "diff", 2, "-o", "json").stdout)
    wrong = {(one["leaf"], one["id"], one["field"]): one for one in found["wrong"]}
    cash = wrong["account", 1, "cash"]
    assert int(cash["committed"]) - int(cash["law"]) == 1_000
    assert "gave account 1 1000 micro-quote" in found["how"]
    words = served.run("batch", "diff", 2)
    assert "  account 1, cash: before " in words.stdout
    assert f"committed {cash['committed']}, by the law {cash['law']}" in words.stdout


def test_a_dispute_is_explained_after_the_batch_is_gone(served):
    served.prove()
    assert served.run("batch", "verify", 2).exit_code == 3
    found = json.loads(served.run("dispute", "show", 0, "-o", "json").stdout)
    assert (found["number"], found["step"]) == (2, 1)
    assert {(one["leaf"], one["id"]) for one in found["wrong"]} == {("account", 1), ("globals", 0)}
    words = served.run("dispute", "show", 0).stdout
    assert "Batch 2 of generation 0 fell in block" in words
    assert "The proposer gave account 1 1000 micro-quote" in words
    assert "account 1, cash: before " in words


def test_a_dispute_is_shown_briefly_without_the_genesis(served, tmp_path):
    served.prove()
    (tmp_path / "genesis.json").unlink()
    assert served.run("dispute", "show", 0).exit_code == 2
    result = served.run("dispute", "show", 0, "--brief")
    assert result.exit_code == 0
    assert "burned" in result.stdout and "by the law" not in result.stdout
