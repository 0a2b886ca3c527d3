"""The drill with processes: the node is killed, its disk is gone, and commands bring all home."""

import json
import shutil
import signal
import time

import pytest

from clearing.keys import address_of
from novatio import LocalSigner
from novatio.base import send, wait_for
from tests.novatio.house import BUYER, CASH_MICRO, SELLER, SEQUENCER, WAIT_SECONDS
from tests.novatio.test_chaos import Town, cli, publish, until
from verifier.base.remote import RemoteBaseLayer
from verifier.base.transactions import Deposit, Faucet

OWNERS = (SELLER, BUYER)
HELPER = bytes([7] * 31 + [99])  # who has no account, and brings everybody home
GAS_GWEI = 10**15
LAW_MS_PER_MS = 400  # beyond the freeze lag in two seconds, once nobody posts


class Drill:
    """A town with two owners in it, and what is left when the node is not."""

    def __init__(self, town):
        self.town = town
        self.bottom = town.start_base()
        self.base = RemoteBaseLayer(town.base)
        until(self.base_answers, self.bottom)
        for key in (SEQUENCER, HELPER):
            self.send(key, Faucet(address_of(key), GAS_GWEI, 0))
        for key in OWNERS:
            self.send(key, Faucet(address_of(key), GAS_GWEI, CASH_MICRO))
            self.send(key, Deposit(address_of(key), 0, 0, CASH_MICRO))
        self.key = town.directory / "helper.key"
        self.key.touch(mode=0o600)
        self.key.write_text(HELPER.hex())
        self.settings = town.directory / "client.toml"
        self.settings.write_text(
            f'[client]\nbase = "{town.base}"\nkey_file = "{self.key}"\n'
            f'genesis = "{town.directory / "genesis.json"}"\n'
        )

    def base_answers(self):
        return cli("root", "list", "--base", self.town.base).exit_code == 0

    def send(self, key, body):
        return wait_for(self.base, send(self.base, LocalSigner(key), body), WAIT_SECONDS)

    def live(self):
        """Trade back and forth until all of it is posted; return the node."""
        node = self.town.start_node(base=self.town.base)
        client = self.town.serving(node)
        until(lambda: client.heads().inbox_consumed == len(OWNERS), node)
        publish(client)
        for index, side in enumerate(("sell", "sell", "buy")):
            other = "buy" if side == "sell" else "sell"
            mine = client.order(
                0, "BTC-PERP", side, "0.7", "4000", slot=index, signer=LocalSigner(SELLER)
            )
            theirs = client.order(
                1, "BTC-PERP", other, "0.7", "4000", slot=index, signer=LocalSigner(BUYER)
            )
            [outcome] = client.submit([client.trade(mine, theirs)])
            outcome.raise_for_rejection()
        publish(client, first=4_100)
        reached = client.heads().sequenced.sequence
        until(lambda: client.heads().posted.sequence >= reached, node)
        return node

    def time_flies(self):
        """Let the base layer go on, on the same journal, with a clock that runs ahead."""
        self.bottom.send_signal(signal.SIGTERM)
        assert self.bottom.wait(WAIT_SECONDS) == 0
        now = time.time_ns() // 1_000_000
        self.bottom = self.town.start_base(
            f"clock.origin_ms={now}", f"clock.started_ms={now}", f"clock.rate={LAW_MS_PER_MS}"
        )
        until(self.base_answers, self.bottom)

    def run(self, *arguments):
        return cli("--config", self.settings, "-o", "json", *arguments)

    def shown(self, *arguments):
        """Run a command that must do; return what it printed."""
        result = self.run(*arguments)
        assert result.exit_code == 0, (result.stdout, result.stderr)
        return json.loads(result.stdout)

    def leave(self):
        """Build the exit, and submit it as often as it says, until everybody is paid."""
        file = self.town.directory / "exit.json"
        self.shown("exit", "build", "--into", file)
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            result = self.run("exit", "submit", file)
            if result.exit_code == 2 and "ANOTHER_BATCH" in result.stderr:
                # What was posted last became final since.
                self.shown("exit", "build", "--into", file)
                continue
            assert result.exit_code == 0, result.stderr
            block = json.loads(result.stdout)["waits_for_block"]
            if not block:
                return
            until(lambda: self.base.head().number >= block, self.bottom)  # noqa: B023
        raise AssertionError("the exit never ended")


@pytest.fixture
def drill(tmp_path):
    town = Town(tmp_path)
    try:
        made = Drill(town)
        yield made
        made.base.close()
    finally:
        town.end()


def test_drill_a_killed_node_without_a_disk_keeps_nobody_from_leaving(drill):
    node = drill.live()
    node.send_signal(signal.SIGKILL)
    node.wait()
    shutil.rmtree(drill.town.directory / "data")
    drill.time_flies()
    # The base layer's bytes alone say what the house owed.
    tip = drill.base.heads()
    found = drill.shown("state", "rebuild", "--from-base", "--batch", tip.tip_number)
    assert found["state_root"] == "0x" + tip.tip_root.hex()
    assert found["account_count"] == len(OWNERS)
    status = drill.shown("freeze", "status")
    until(lambda: drill.base.standing().lag_ms > status["freeze_lag_ms"], drill.bottom)
    assert drill.shown("freeze", "trigger")["mode"] == "frozen"
    drill.leave()

    rebuilt = drill.shown("state", "rebuild", "--from-base")
    heads = drill.base.heads()
    assert rebuilt["number"] == heads.finalised_number == heads.tip_number
    totals = drill.shown("exit", "status")
    assert totals["claims"] == totals["claims_paid"] == len(OWNERS)
    assert totals["escrow"][0] == 2 * CASH_MICRO == int(rebuilt["custody_micro"])
    assert totals["paid"][0] + totals["left"][0] == totals["escrow"][0]
    # Nobody is bankrupt: each has what he is worth, and fees alone are left.
    got = [drill.base.account(address_of(key)).token for key in OWNERS]
    claims = [drill.shown("exit", "status", account) for account in range(len(OWNERS))]
    assert got == [int(claim["senior_micro"]) + int(claim["junior_micro"]) for claim in claims]
    assert sum(got) == totals["paid"][0]
    # Who was short when the price rose lost to the other one.
    assert got[0] < CASH_MICRO < got[1]
