"""Children of a small world: started in their own process groups, watched, and always ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

__all__ = ["Children", "ProcessFailed", "free_ports", "wait_until_serving"]

POLL_SECONDS: Final = 0.05
STOP_SECONDS: Final = 5.0
LOG_LINES: Final = 12


class ProcessFailed(RuntimeError):
    """A child ended by itself or did not get ready; the text holds the end of its log."""


@dataclass(slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    # Whether it may end by itself with exit code 0.
    finite: bool


class Children:
    """Starts processes whose output goes to `directory`/NAME.log; a context that ends them all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._children: list[_Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, arguments: Sequence[str], *, finite: bool = False) -> None:
        """Start `python -m ARGUMENTS` as `name`; a `finite` one may end by itself."""
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            # -P: a folder named like one of our packages must not hide it.
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                start_new_session=True,
            )
        self._children.append(_Child(name, process, log, finite))

    def check(self) -> None:
        """Raise ProcessFailed if a child ended that should not have."""
        for child in self._children:
            code = child.process.poll()
            if code is not None and not (child.finite and code == 0):
                raise ProcessFailed(
                    f"expected {child.name} to run, it ended with code {code}; the end of "
                    f"{child.log}:\n{_end_of(child.log)}"
                )

    def stop_one(self, name: str) -> None:
        """End one child by name, and expect it no more."""
        for child in [one for one in self._children if one.name == name]:
            _end([child])
            self._children.remove(child)

    def stop(self) -> None:
        """End all children, the last one started first: politely, then by force."""
        _end(self._children[::-1])
        self._children.clear()


def free_ports(count: int) -> list[int]:
    """Return distinct loopback ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def wait_until_serving(address: str, children: Children, seconds: float) -> None:
    """Wait until the gRPC health service at `address` says SERVING. Raises ProcessFailed."""
    limit = time.monotonic() + seconds
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while True:
            children.check()
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError as error:
                # Not there yet is the normal beginning; anything else shows when time is up.
                last = f"{error.code().name}: {error.details()}"
            else:
                last = f"status {answer.status}"
            if time.monotonic() > limit:
                raise ProcessFailed(
                    f"expected {address} to serve within {seconds} s, was {last}; "
                    f"see the logs in {children.directory}"
                )
            time.sleep(POLL_SECONDS)


def _end(children: Sequence[_Child]) -> None:
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        alive = [child for child in children if child.process.poll() is None]
        for child in alive:
            _signal(child, number)
        limit = time.monotonic() + seconds
        while any(child.process.poll() is None for child in alive) and time.monotonic() < limit:
            time.sleep(POLL_SECONDS)


def _signal(child: _Child, number: int) -> None:
    """Signal the child's whole group, which outlives a leader that has just ended."""
    try:
        os.killpg(child.process.pid, number)
    except ProcessLookupError:
        return


def _end_of(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return "\n".join("  " + line for line in lines[-LOG_LINES:])
