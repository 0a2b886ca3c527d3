"""The way out by command: the node is gone, and the base layer is all there is."""

import json

import pytest
from click.testing import CliRunner

from clearing.keys import address_of
from node.config import genesis_text
from novatio.cli import main
from novatio.exits import BuiltExit, read_exit
from tests.attacks.test_exit_drill import HELPER, traded
from tests.prover.market import key_of
from verifier.base.service import BaseLayerServer, SteppedClock
from verifier.base.transactions import Faucet


class Ruin:
    """A house without a node: its base layer on the wire, and a helper with a key."""

    def __init__(self, folder):
        self.drill = traded()
        self.drill.send(HELPER, Faucet(address_of(HELPER), 10**15, 0))
        self.folder = folder
        genesis, key = folder / "genesis.json", folder / "helper.key"
        genesis.write_text(genesis_text(self.drill.market.genesis), "utf-8")
        key.write_text(HELPER.hex(), "ascii")
        key.chmod(0o600)
        clock = SteppedClock(lambda: self.drill.now)
        self.drill.chain.clock = clock
        # A block a moment: whoever waits for his transaction needs no help.
        self.server = BaseLayerServer(self.drill.chain, clock, block_time_ms=5)
        self.server.start()
        self.settings = folder / "novatio.toml"
        self.settings.write_text(
            f'[client]\nbase = "{self.server.address}"\ngenesis = "{genesis}"\n'
            f'key_file = "{key}"\n',
            "utf-8",
        )

    def run(self, *arguments):
        """Run a command; return its result."""
        command = ["--config", str(self.settings), "-o", "json", *map(str, arguments)]
        return CliRunner().invoke(main, command)

    def shown(self, *arguments):
        """Run a command that must do; return what it printed."""
        result = self.run(*arguments)
        assert result.exit_code == 0, (result.stdout, result.stderr)
        return json.loads(result.stdout)

    def fall_silent(self):
        self.drill.now += self.drill.config.freeze_lag_ms + 1


@pytest.fixture
def ruin(tmp_path):
    made = Ruin(tmp_path)
    yield made
    made.server.stop()


def test_everybody_leaves_by_command_with_the_node_gone(ruin):
    assert ruin.shown("freeze", "status")["mode"] == "sequencer"
    early = ruin.run("freeze", "trigger")
    assert early.exit_code == 1 and "NOT_LAGGING" in early.stderr
    ruin.fall_silent()
    assert ruin.shown("freeze", "open")["mode"] == "open"
    assert ruin.shown("freeze", "trigger")["mode"] == "frozen"
    status = ruin.shown("freeze", "status")
    assert status["lag_ms"] > status["freeze_lag_ms"]
    file = ruin.folder / "exit.json"
    ruin.shown("exit", "build", "--into", file)
    done = submit_until_paid(ruin, file)
    assert done["unpaid"] == 0
    totals = ruin.shown("exit", "status")
    assert totals["claims"] == totals["claims_paid"] == 4
    assert totals["paid"][0] == totals["senior"] + totals["junior"] > 0
    claim = ruin.shown("exit", "status", 2)
    worth = int(claim["senior_micro"]) + int(claim["junior_micro"])
    assert claim["paid_units"] == {"0": str(worth)}
    assert claim["recipient"] == "0x" + address_of(key_of(2)).hex()


def test_who_is_filed_late_by_command_is_paid_once_late_claims_are_closed(ruin):
    ruin.fall_silent()
    ruin.shown("freeze", "trigger")
    one, all_of_them = ruin.folder / "one.json", ruin.folder / "all.json"
    # What was posted is not final yet: the file is built again when it is.
    ruin.shown("exit", "build", "--into", one)
    assert submit_until_paid(ruin, one, "--account", 2)["paid"] == 1
    ruin.shown("exit", "build", "--into", all_of_them)
    done = ruin.shown("exit", "submit", all_of_them)
    assert (done["filed"], done["paid"], done["unpaid"]) == (3, 0, 3)
    status = ruin.shown("freeze", "status")
    closes = (status["claims_close_block"] + status["exit_ends_block"]) // 2
    assert done["waits_for_block"] == closes + 1
    assert submit_until_paid(ruin, all_of_them)["paid"] == 3
    totals = ruin.shown("exit", "status")
    assert totals["claims"] == totals["claims_paid"] == 4
    assert ruin.shown("exit", "status", 3)["late"]


def submit_until_paid(ruin, file, *which):
    """Submit again as long as there is something to wait for."""
    for _ in range(20):
        result = ruin.run("exit", "submit", file)
        if result.exit_code == 2 and "ANOTHER_BATCH" in result.stderr:
            # What was posted last became final since.
            ruin.shown("exit", "build", *which, "--into", file)
            continue
        assert result.exit_code == 0, result.stderr
        done = json.loads(result.stdout)
        if not done["waits_for_block"]:
            return done
        wait_for_block(ruin, done["waits_for_block"])
    raise AssertionError("the exit never ended")


def wait_for_block(ruin, block):
    while ruin.shown("freeze", "status")["base_block"] < block:
        pass


def test_an_exit_is_not_submitted_while_the_house_goes_on(ruin):
    file = ruin.folder / "exit.json"
    ruin.shown("exit", "build", "--into", file)
    result = ruin.run("exit", "submit", file)
    assert result.exit_code != 0
    assert "NOT_FROZEN" in result.stderr
    assert ruin.run("exit", "status", 3).exit_code == 3


def test_an_exit_file_is_read_as_it_was_written_and_anything_else_refused(ruin):
    built = BuiltExit(3, b"\x01" * 32, b"\x02\x03", ((4, b"\x05"), (6, b"")))
    assert read_exit(built.text()) == built
    file = ruin.folder / "broken.json"
    for text in ("", "[]", "{}", built.text().replace("05", "zz")):
        file.write_text(text, "utf-8")
        result = ruin.run("exit", "submit", file)
        assert result.exit_code == 2
        assert "MALFORMED_EXIT" in result.stderr
    assert ruin.run("exit", "build", "--account", 99, "--into", file).exit_code == 3


def test_the_state_is_rebuilt_and_a_snapshot_of_a_final_batch_verified(ruin):
    shown = ruin.shown("state", "rebuild", "--from-base", "--batch", 3)
    assert shown["number"] == 3
    assert shown["account_count"] == 4
    assert ruin.run("state", "rebuild").exit_code == 2
    file = ruin.folder / "state.snapshot"
    written = ruin.shown("state", "snapshot", "write", file, "--batch", 3)
    assert written["bytes"] == file.stat().st_size
    assert written["state_root"] == shown["state_root"]
    ruin.fall_silent()
    ruin.shown("freeze", "trigger")
    exit_file = ruin.folder / "exit.json"
    ruin.shown("exit", "build", "--into", exit_file)
    submit_until_paid(ruin, exit_file)
    verified = ruin.shown("state", "snapshot", "verify", file)
    assert (verified["verified"], verified["batch_status"]) == (True, "finalised")
    again = ruin.shown("state", "rebuild", "--from-base", "--snapshot", file)
    assert again["state_root"] == shown["state_root"]
    file.write_bytes(file.read_bytes()[:-1])
    assert ruin.run("state", "snapshot", "verify", file).exit_code == 6
