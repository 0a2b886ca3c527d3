"""The operator's own calls at the command line: who may make them, and what they change."""

import json

import pytest
from click.testing import CliRunner

from clearing.recovery import address_of
from clearing.units import LAW_VERSION
from novatio.cli import main
from novatio.errors import NotReady
from tests.novatio.house import SEQUENCER as HOUSE_KEY
from tests.verifier.court_world import (
    ALICE,
    BOB,
    SEQUENCER,
    World,
    judge,
    make_config,
    opening_of,
)
from tests.verifier.court_world import GENESIS_GLOBALS as GENESIS
from verifier.base.chain import SimulatedChain
from verifier.base.service import BaseLayerServer, SteppedClock

OPERATOR = bytes([0] * 31 + [9])
NEXT_LAW = LAW_VERSION + 1


class Seat:
    """A court on the wire whose operator is not its sequencer, and a key file for everybody."""

    def __init__(self, folder):
        self.folder = folder
        self.world = World(make_config(operator=address_of(OPERATOR)))
        self.world.chain = SimulatedChain(
            self.world.config,
            opening_of(GENESIS),
            clock=self.world.clock,
            laws={LAW_VERSION: judge, NEXT_LAW: judge},
        )
        self.world.court = self.world.chain.court
        self.world.opened = {self.world.court.heads().tip_id: GENESIS}
        self.world.fund(OPERATOR, SEQUENCER, ALICE, BOB)
        self.world.post()
        self.serve()

    def serve(self):
        """Let blocks come by themselves from now on."""
        clock = SteppedClock(self.world.clock)
        self.world.chain.clock = clock
        self.server = BaseLayerServer(self.world.chain, clock, block_time_ms=5)
        self.server.start()

    def run(self, *arguments, key=None):
        options = ["--base", self.server.address, "-o", "json"]
        if key is not None:
            file = self.folder / f"{key[-1]}.key"
            file.write_text(key.hex())
            file.chmod(0o600)
            options += ["--key", str(file)]
        return CliRunner().invoke(main, ["operator", *map(str, arguments), *options])

    def shown(self, *arguments, key=None):
        result = self.run(*arguments, key=key)
        assert result.exit_code == 0, (result.stdout, result.stderr)
        return json.loads(result.stdout)

    def refused(self, *arguments, key=None, code=1):
        """Run what must fail; return the reason, and the next step that it names."""
        result = self.run(*arguments, key=key)
        assert result.exit_code == code, (result.stdout, result.stderr)
        first, *_, last = result.stderr.strip().splitlines()
        return first, last

    def until_block(self, number):
        while self.world.chain.head().number < number:
            pass


@pytest.fixture
def seat(tmp_path):
    made = Seat(tmp_path)
    yield made
    made.server.stop()


def hexed(key):
    return "0x" + address_of(key).hex()


def test_the_status_tells_who_runs_the_house_what_backs_him_and_how_late_it_is(seat):
    shown = seat.shown("status")
    assert (shown["operator"], shown["sequencer"]) == (hexed(OPERATOR), hexed(SEQUENCER))
    assert (shown["mode"], shown["successor"], shown["next_law_version"]) == (
        "sequencer", None, None,
    )  # fmt: skip
    assert (shown["generation"], shown["tip_batch"], shown["finalised_batch"]) == (0, 1, 0)
    config = seat.world.config
    assert shown["lag_ms"] < config.open_lag_ms == shown["open_lag_ms"]
    by_role = {row["role"]: row for row in shown["keys"]}
    assert by_role["sequencer"]["stake_gwei"] == "0" and by_role["sequencer"]["last_batch"] == 1
    base = ["--base", seat.server.address]
    table = CliRunner().invoke(main, ["operator", "status", *base])
    assert "nothing backs the sequencer's receipts: novatio bond stake" in table.stderr


def test_the_operator_rotates_the_key_and_nobody_else_does(seat):
    first, last = seat.refused("rotate", hexed(BOB), key=SEQUENCER)
    assert "NOT_OPERATOR" in first and address_of(OPERATOR).hex() in first
    assert last == "next: novatio operator status"
    shown = seat.shown("rotate", hexed(BOB), key=OPERATOR)
    assert (shown["sequencer"], shown["generation"]) == (hexed(BOB), 1)
    rows = {row["role"]: row for row in seat.shown("status")["keys"]}
    until = shown["block"] + seat.world.config.final_after_blocks
    assert rows["former"]["address"] == hexed(SEQUENCER)
    assert rows["former"]["answers_until_block"] == until
    first, _ = seat.refused("rotate", hexed(BOB), key=OPERATOR)
    assert "INVALID_ADDRESS" in first


def test_a_house_is_offered_withdrawn_and_taken_over_after_its_notice(seat):
    first, _ = seat.refused("accept", key=ALICE)
    assert "NOT_SUCCESSOR" in first
    offered = seat.shown("handover", hexed(ALICE), key=OPERATOR)
    assert offered["successor"] == hexed(ALICE)
    notice = seat.world.config.reveal_window_blocks
    assert offered["accepts_block"] == offered["block"] + notice
    assert seat.shown("handover", "--withdraw", key=OPERATOR)["successor"] is None
    first, _ = seat.refused("accept", key=ALICE)
    assert "NOT_SUCCESSOR" in first
    offered = seat.shown("handover", hexed(ALICE), key=OPERATOR)
    seat.until_block(offered["accepts_block"])
    taken = seat.shown("accept", key=ALICE)
    assert taken["operator"] == taken["sequencer"] == hexed(ALICE)
    assert taken["successor"] is None and taken["generation"] == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("rotate", "0x12"), "expected 20 bytes in hex, was '0x12'"),
        (("handover", "zz"), "expected 20 bytes in hex, was 'zz'"),
        (("handover",), "--withdraw without one, was neither"),
        (("handover", "0x" + "11" * 20, "--withdraw"), "was both"),
        (("handover", "0x" + "00" * 20), "was zero"),
        (("announce", "0", "3"), "0 is not in the range"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(seat, arguments, text):
    result = seat.run(*arguments, key=OPERATOR)
    assert result.exit_code == 2 and text in result.stderr and "next: " in result.stderr


def test_a_law_is_announced_and_shown_with_its_time(seat):
    first, last = seat.refused("announce", NEXT_LAW + 5, 9, key=OPERATOR)
    assert "UNKNOWN_LAW" in first and str(NEXT_LAW) in first
    assert last == "next: novatio operator status"
    first, _ = seat.refused("announce", NEXT_LAW, 2, key=OPERATOR)
    assert "LAW_TOO_SOON" in first and "after 2" in first
    shown = seat.shown("announce", NEXT_LAW, 3, key=OPERATOR)
    assert (shown["next_law_version"], shown["next_law_batch"]) == (NEXT_LAW, 3)
    status = seat.shown("status")
    assert status["next_law_time_ms"] == shown["next_law_time_ms"] > seat.world.now


def test_open_posting_is_closed_by_the_sequencer_once_the_clock_is_back(seat):
    first, _ = seat.refused("close", key=SEQUENCER)
    assert "POSTING_MODE" in first
    seat.world.now += seat.world.config.open_lag_ms + 60_000
    options = ["--base", seat.server.address, "--key", str(seat.folder / "1.key")]
    opened = CliRunner().invoke(main, ["freeze", "open", *options])
    assert opened.exit_code == 0, opened.stderr
    first, _ = seat.refused("close", key=SEQUENCER)
    assert "STILL_LAGGING" in first
    first, _ = seat.refused("close", key=OPERATOR)
    assert "NOT_OPERATOR" in first
    seat.server.stop()
    seat.world.chain.clock = seat.world.clock
    seat.world.post()
    seat.serve()
    shown = seat.shown("close", key=SEQUENCER)
    assert (shown["mode"], shown["generation"]) == ("sequencer", 2)


def test_whoever_cannot_pay_the_gas_is_told_at_once_instead_of_waiting(seat):
    first, last = seat.refused("accept", key=bytes([0] * 31 + [77]))
    assert "NO_GAS_MONEY" in first and "was 0" in first
    assert last == "next: fund the address, or use another --key"


def test_while_a_house_is_offered_its_running_node_acknowledges_nothing(house):
    successor = hexed(BOB)
    offered = house.cli("operator", "handover", successor, key=HOUSE_KEY)
    assert offered.exit_code == 0, offered.stderr
    assert "he may run: novatio operator accept" in offered.stderr

    def closed():
        try:
            house.publish("4001")
        except NotReady as error:
            return error.reason == "HOUSE_CLOSED" and address_of(BOB).hex() in str(error)
        return False

    house.until(closed)
    assert house.cli("operator", "handover", "--withdraw", key=HOUSE_KEY).exit_code == 0
    house.until(lambda: not closed())
    house.until(lambda: house.client.heads().posted.sequence > 0)


def test_without_a_base_layer_the_error_names_its_address():
    result = CliRunner().invoke(main, ["operator", "status", "--base", "127.0.0.1:1"])
    assert result.exit_code == 5 and "127.0.0.1:1" in result.stderr
