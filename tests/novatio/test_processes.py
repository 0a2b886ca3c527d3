"""Base layer, node and challenger as processes of the command, each by its own file."""

import json
import signal
import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from clearing.keys import address_of
from node.config import genesis_text
from novatio.cli import main
from tests.novatio.house import SEQUENCER, WAIT_SECONDS, genesis


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cli(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def processes(tmp_path):
    started = []

    def start(*arguments):
        code = "from novatio.cli import main; main()"
        log, out = (tmp_path / f"{arguments[0]}.{name}" for name in ("log", "out"))
        with log.open("wb") as said, out.open("wb") as answered:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *map(str, arguments)], stdout=answered, stderr=said
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(holds, process):
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert process.poll() is None, f"ended with {process.returncode}"
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_processes_find_each_other_and_stop_on_a_signal(tmp_path, processes):
    base, node = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    (tmp_path / "genesis.json").write_text(genesis_text(genesis()))
    key = tmp_path / "sequencer.key"
    key.touch(mode=0o600)
    key.write_text(SEQUENCER.hex())
    chain = f'[chain]\ngenesis = "{tmp_path / "genesis.json"}"\ncourt = "test"\n'
    (tmp_path / "base.toml").write_text(
        f'{chain}[layer]\nlisten = "{base}"\njournal = "{tmp_path / "chain"}"\n'
        f'sequencer = "0x{address_of(SEQUENCER).hex()}"\nblock_ms = 50\n'
    )
    (tmp_path / "node.toml").write_text(
        f'{chain}[node]\nlisten = "{node}"\ndata_dir = "{tmp_path / "data"}"\n'
        f'key_file = "{key}"\n[base]\naddress = "{base}"\n'
        "[limits]\nrequest_actions_max = 64\nrequest_bytes_max = 65536\n"
        "[batch]\nframe_actions_max = 128\nbytes_max = 1048576\n"
    )

    bottom = processes("base", "--config", tmp_path / "base.toml")
    until(lambda: cli("root", "list", "--base", base).exit_code == 0, bottom)
    middle = processes("node", "--config", tmp_path / "node.toml")
    until(lambda: cli("heads", "--node", node).exit_code == 0, middle)
    watcher = processes(
        "challenger",
        "--set", f"challenger.base={base}",
        "--set", f"challenger.genesis={tmp_path / 'genesis.json'}",
        "--set", f"challenger.data_dir={tmp_path / 'challenger'}",
    )  # fmt: skip
    until(lambda: "watching" in (tmp_path / "challenger.log").read_text(), watcher)

    heads = json.loads(cli("heads", "--node", node, "-o", "json").stdout)
    assert heads["status"] == "active"
    for process in (watcher, middle, bottom):
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
    # A log is for people and collectors; whoever reads standard output wants answers alone.
    for name in ("base", "node", "challenger"):
        assert (tmp_path / f"{name}.log").read_text()
        assert (tmp_path / f"{name}.out").read_text() == ""
    assert cli("inspect", "log", tmp_path / "data").exit_code == 0


def test_a_base_layer_without_a_sequencer_says_what_is_missing(tmp_path):
    result = cli("base", "--set", "layer.seed=1")
    assert result.exit_code == 2
    assert "layer.sequencer" in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("next: ")
