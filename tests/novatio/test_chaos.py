"""What real processes do when they are killed, stopped, starved of disk, or find damage."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from clearing.keys import address_of
from node.config import genesis_text
from novatio import Client, LocalSigner
from novatio.cli import main
from novatio.errors import NovatioError
from tests.novatio.house import PUBLISHER, SEQUENCER, WAIT_SECONDS, genesis

COMMAND = "from novatio.cli import main; main()"
STARVED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); " + COMMAND
DISK_BYTES = 96 << 10  # what a file may have on the full disk


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def cli(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


class Town:
    """Processes of one directory, each with a log file; all are killed in the end."""

    def __init__(self, directory):
        self.directory = directory
        self.base, self.node = free_address(), free_address()
        self.log = directory / "node.log"
        self.chain = (f"chain.genesis={directory / 'genesis.json'}", "chain.court=test")
        self.started = []
        self.clients = []
        (directory / "genesis.json").write_text(genesis_text(genesis()))
        key = directory / "sequencer.key"
        key.touch(mode=0o600)
        key.write_text(SEQUENCER.hex())

    def start(self, name, *sets, disk_bytes=None):
        """Start a process; its log is written anew."""
        options = [part for one in sets for part in ("--set", one)]
        code = COMMAND if disk_bytes is None else STARVED.format(disk_bytes)
        with (self.directory / f"{name}.log").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", code, name, *options], stdout=said, stderr=said
            )
        self.started.append(process)
        return process

    def start_node(self, *sets, base="", listen=None, disk_bytes=None):
        return self.start(
            "node",
            *self.chain,
            f"node.listen={listen or self.node}",
            f"node.data_dir={self.directory / 'data'}",
            f"node.key_file={self.directory / 'sequencer.key'}",
            f"base.address={base}",
            "base.poll_ms=50",
            "limits.request_actions_max=64",
            "limits.request_bytes_max=65536",
            "batch.frame_actions_max=128",
            "batch.bytes_max=1048576",
            "batch.interval_ms=100",
            *sets,
            disk_bytes=disk_bytes,
        )

    def start_base(self, *sets):
        return self.start(
            "base",
            *self.chain,
            f"layer.listen={self.base}",
            f"layer.journal={self.directory / 'chain'}",
            f"layer.sequencer=0x{address_of(SEQUENCER).hex()}",
            "layer.block_ms=50",
            *sets,
        )

    def start_challenger(self):
        return self.start(
            "challenger",
            f"challenger.base={self.base}",
            f"challenger.genesis={self.directory / 'genesis.json'}",
            f"challenger.data_dir={self.directory / 'challenger'}",
        )

    def client(self, deadline=20.0):
        made = Client(self.node, deadline=deadline)
        self.clients.append(made)
        return made

    def serving(self, process):
        """Return a client of a node once it answers."""
        client = self.client()
        until(lambda: answers(client), process)
        return client

    def end(self):
        for client in self.clients:
            client.close()
        for process in self.started:
            process.kill()
            process.wait()


def answers(client):
    try:
        return client.heads()
    except NovatioError:
        return None


def until(holds, process):
    """Wait for a condition, as long as ``process`` lives."""
    end = time.monotonic() + WAIT_SECONDS
    while not (found := holds()):
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def publish(client, count=1, first=4_000):
    """Have prices sequenced; return the sequence of the last one."""
    actions = []
    for price in range(first, first + count):
        seen = client.observation("BTC-PERP", price, price, signer=LocalSigner(PUBLISHER))
        actions.append(client.price("BTC-PERP", [seen]))
    return client.submit(actions)[-1].sequence


def events(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def remains(tmp_path_factory):
    """What a node left that was asked to stop, and the sequence that it had come to."""
    town = Town(tmp_path_factory.mktemp("remains"))
    process = town.start_node()
    client = town.serving(process)
    reached = [publish(client, 8, 4_000 + 8 * part) for part in range(6)][-1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == 0
    town.end()
    return town.directory, reached


@pytest.fixture
def heir(town, remains):
    """A town of its own with a copy of these remains."""
    directory, reached = remains
    shutil.copy(directory / "genesis.json", town.directory)
    shutil.copytree(directory / "data", town.directory / "data")
    town.reached = reached
    return town


def test_a_killed_node_comes_back_with_everything_that_it_acknowledged(town):
    process = town.start_node()
    client = town.serving(process)
    reached = [publish(client, 4, 4_000 + 4 * part) for part in range(4)][-1]
    root = client.heads().sequenced.state_root
    process.send_signal(signal.SIGKILL)
    process.wait()
    client = town.serving(town.start_node())
    heads = client.heads()
    assert (heads.sequenced.sequence, heads.sequenced.state_root) == (reached, root)
    assert publish(client, 1, 5_000) == reached + 1


def test_a_node_that_stands_still_loses_nothing_and_goes_on(heir):
    process = heir.start_node()
    client = heir.serving(process)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(NovatioError):
        heir.client(deadline=0.5).heads()
    process.send_signal(signal.SIGCONT)
    assert until(lambda: answers(client), process).sequenced.sequence == heir.reached
    assert publish(client, 1, 5_000) == heir.reached + 1


def test_a_node_waits_for_its_base_layer_and_outlives_its_death(town):
    node = town.start_node(base=town.base)
    waiting = "waiting for the base layer; nothing is served until it answers"
    challenger = town.start_challenger()
    until(lambda: waiting in town.log.read_text(), node)
    watching = town.directory / "challenger.log"
    until(lambda: waiting in watching.read_text(), challenger)
    bottom = town.start_base()
    until(lambda: '"event": "watching"' in watching.read_text(), challenger)
    client = town.serving(node)
    [waited] = [one for one in events(town.log) if one["event"] == waiting]
    assert waited["address"] == town.base
    until(lambda: client.heads().base_block > 0, node)

    bottom.send_signal(signal.SIGKILL)
    bottom.wait()
    until(lambda: client.heads().posting_error, node)
    reached = publish(client, 3)
    seen = client.heads().base_block
    town.start_base()
    until(lambda: client.heads().base_block > seen, node)
    # It never had money for a bond, and says so instead of the outage.
    until(lambda: "fund the address" in client.heads().posting_error, node)
    assert client.heads().sequenced.sequence == reached


def test_a_second_node_on_a_directory_is_refused_by_name_of_the_first(heir):
    first = heir.start_node()
    client = heir.serving(first)
    shutil.move(heir.log, heir.directory / "first.log")
    second = heir.start_node(listen=free_address())
    assert second.wait(WAIT_SECONDS) == 1
    said = heir.log.read_text()
    assert f"{heir.directory / 'data' / 'log'}, was: held by process {first.pid}" in said
    assert "stop that node, or give this one a data directory of its own" in said
    assert client.heads().sequenced.sequence == heir.reached


def test_a_node_on_a_full_disk_stops_and_keeps_what_it_acknowledged(town):
    process = town.start_node(disk_bytes=DISK_BYTES)
    client = town.serving(process)
    reached = 0
    with pytest.raises(NovatioError):
        for part in range(100):
            reached = publish(client, 32, 4_000 + 32 * part)
    assert process.wait(WAIT_SECONDS) == 1
    [failure] = [one for one in events(town.log) if one["event"] == "node failed"]
    assert "File too large" in failure["reason"]
    assert "check the device and its free space" in failure["reason"]
    # There is room again.
    client = town.serving(town.start_node())
    assert client.heads().sequenced.sequence >= reached > 0
    assert publish(client, 1, 9_000) > reached


def test_a_flipped_bit_in_the_log_is_refused_with_file_and_offset(heir):
    [segment] = sorted((heir.directory / "data" / "log").glob("log-*"))
    last = json.loads(cli("inspect", "log", heir.directory / "data", "--records", 9, "-o", "json")
                      .stdout)["last"]  # fmt: skip
    record = last[0]
    flip(segment, record["offset"] + 60)
    damaged = segment.read_bytes()
    process = heir.start_node()
    assert process.wait(WAIT_SECONDS) == 7
    said = heir.log.read_text()
    assert f"log: {segment.name} at byte {record['offset']}: expected CRC" in said
    assert said.strip().splitlines()[-1] == "next: novatio inspect log <directory>"
    looked = cli("inspect", "log", heir.directory / "data")
    assert looked.exit_code == 7
    assert f"at byte {record['offset']}" in looked.stderr
    assert segment.read_bytes() == damaged


def test_a_damaged_view_is_named_and_made_again_from_the_log(heir):
    view = heir.directory / "data" / "view"
    for path in view.iterdir():
        if path.suffix in (".log", ".ldb"):
            for offset in range(8, path.stat().st_size, 64):
                flip(path, offset)
    process = heir.start_node()
    client = heir.serving(process)
    [recovered] = [one for one in events(heir.log) if one["event"] == "recovered"]
    assert "expected" in recovered["view_rebuilt_because"]
    assert client.heads().sequenced.sequence == heir.reached
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == 0
    found = json.loads(cli("inspect", "view", heir.directory / "data", "-o", "json").stdout)
    assert found["verified"] is True
    assert found["frames"] > 0
