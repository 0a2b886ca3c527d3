"""The simulated base layer as a gRPC service, with a timer that builds blocks.

One lock guards the chain: every call holds it while it reads or writes, so that a call sees one
state. The service speaks plain text and therefore listens on loopback only.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from verifier.base import wire
from verifier.base.chain import Clock, SimulatedChain
from verifier.base.errors import BaseLayerUnavailable
from verifier.base.interface import InProcessBaseLayer
from verifier.base.remote import CHANNEL_OPTIONS
from verifier.errors import VerifierError
from verifier.v1 import verifier_pb2 as pb
from verifier.v1 import verifier_pb2_grpc

T = TypeVar("T")
M = TypeVar("M")

WORKERS = 16
WATCHERS_MAX = 8  # a watcher holds a worker for as long as it listens
WATCH_BATCH = 256
WATCH_POLL_SECONDS = 0.5  # how soon a watcher that went away is noticed
MINE_MAX = 10_000
ADVANCE_MS_MAX = 10 * 365 * 86_400_000
STOP_SECONDS = 2.0


class SteppedClock:
    """A clock that runs like `source` (ms since 1970) and can be moved forward."""

    def __init__(self, source: Clock) -> None:
        self._source = source
        self._ahead = 0

    def __call__(self) -> int:
        """Return ms since 1970, plus what was added."""
        return self._source() + self._ahead

    def advance(self, milliseconds: int) -> None:
        """Move forward by `milliseconds` >= 0."""
        self._ahead += milliseconds


class _Shared:
    """The chain, the lock around it, and a bell that rings when the head moved."""

    def __init__(self, chain: SimulatedChain, clock: SteppedClock) -> None:
        self.chain = chain
        self.clock = clock
        self.base = InProcessBaseLayer(chain)
        self.moved = threading.Condition(threading.RLock())
        self.stopping = threading.Event()
        self.watchers = threading.BoundedSemaphore(WATCHERS_MAX)

    def answer(self, context: grpc.ServicerContext, read: Callable[[], T]) -> T:
        """Run `read` under the lock; a failure of ours ends the call with its status."""
        try:
            with self.moved:
                return read()
        except VerifierError as error:
            context.abort_with_status(rpc_status.to_status(wire.status_of(error)))
            raise

    def move(self, change: Callable[[], object]) -> None:
        """Change the head under the lock and ring the bell."""
        with self.moved:
            change()
            self.moved.notify_all()


class _BaseLayerServicer(verifier_pb2_grpc.BaseLayerServiceServicer):
    """Submissions and reads: `wire.READS` below, and one stream.

    The comments of the calls stand in verifier.proto.
    """

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._base = shared.base

    def Watch(self, request: Any, context: Any) -> Iterator[Any]:
        """Stream changes of the head until the caller or the service stops."""
        shared, after = self._shared, request.after
        if not shared.watchers.acquire(blocking=False):
            text = f"expected at most {WATCHERS_MAX} watchers, was one more; poll ListHeadChanges"
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        try:
            while context.is_active() and not shared.stopping.is_set():
                with shared.moved:
                    changes = self._base.changes(after, WATCH_BATCH)
                    if not changes:
                        shared.moved.wait(WATCH_POLL_SECONDS)
                for change in changes:
                    after = change.sequence
                    yield pb.WatchResponse(change=wire.to_message(pb.HeadChange, change))
        finally:
            shared.watchers.release()


def _serve(rpc: str, read: wire.Read) -> Callable[[_BaseLayerServicer, Any, Any], Any]:
    """Return the handler of a call: its request's fields are the arguments of the method."""
    response = getattr(pb, f"{rpc}Response")

    def handle(self: _BaseLayerServicer, request: Any, context: Any) -> Any:
        arguments = {name: getattr(request, name) for name in request.DESCRIPTOR.fields_by_name}
        if "at_block" in arguments:
            arguments["at"] = arguments.pop("at_block") or None
        method = getattr(self._base, read.method)
        return wire.respond(
            response, read, self._shared.answer(context, lambda: method(**arguments))
        )

    return handle


for _rpc, _one in wire.READS.items():
    setattr(_BaseLayerServicer, _rpc, _serve(_rpc, _one))


class _SimulatorServicer(verifier_pb2_grpc.SimulatorServiceServicer):
    """What only a simulation can do."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared

    def Mine(self, request: Any, context: Any) -> Any:
        """Build blocks."""
        _at_most(context, "count", request.count, MINE_MAX)
        return pb.MineResponse(head=self._moved(context, lambda: self._mine(request.count)))

    def Reorg(self, request: Any, context: Any) -> Any:
        """Drop blocks."""
        dropped = frozenset(request.dropped)
        head = self._moved(context, lambda: self._shared.chain.reorg(request.depth, dropped))
        return pb.ReorgResponse(head=head)

    def Advance(self, request: Any, context: Any) -> Any:
        """Move the clock."""
        _at_most(context, "milliseconds", request.milliseconds, ADVANCE_MS_MAX)
        with self._shared.moved:
            self._shared.clock.advance(request.milliseconds)
            return pb.AdvanceResponse(time_ms=self._shared.clock())

    def _mine(self, count: int) -> object:
        return self._shared.chain.mine(count)

    def _moved(self, context: Any, change: Callable[[], object]) -> Any:
        def move() -> Any:
            self._shared.move(change)
            return wire.to_message(pb.Head, self._shared.base.head())

        return self._shared.answer(context, move)


class BaseLayerServer:
    """A chain served at `address` (loopback host:port; port 0 takes a free one).

    `clock` must be the chain's own. With `block_time_ms` a block is built whenever so much wall
    time has passed; with 0 only `Mine` builds. `failure` holds what stopped the timer, if anything
    did. Raises ValueError for an address that is not loopback, BaseLayerUnavailable if it is taken.
    """

    def __init__(
        self,
        chain: SimulatedChain,
        clock: SteppedClock,
        address: str = "127.0.0.1:0",
        *,
        block_time_ms: int = 0,
    ) -> None:
        host = _loopback(address)
        self.failure: Exception | None = None
        self._block_seconds = block_time_ms / 1_000
        self._shared = _Shared(chain, clock)
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(WORKERS, thread_name_prefix="base-layer"),
            options=(*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)),
        )
        verifier_pb2_grpc.add_BaseLayerServiceServicer_to_server(
            _BaseLayerServicer(self._shared), self._server
        )
        verifier_pb2_grpc.add_SimulatorServiceServicer_to_server(
            _SimulatorServicer(self._shared), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        services = [service.full_name for service in pb.DESCRIPTOR.services_by_name.values()]
        reflection.enable_server_reflection(
            (*services, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise BaseLayerUnavailable("listen", f"{address} is taken: {error}") from error
        self.address = f"{host}:{port}"
        self._timer = threading.Thread(target=self._run, name="base-layer-blocks", daemon=True)

    def start(self) -> None:
        """Serve, and build blocks if there is a block time."""
        self._server.start()
        self._set_health(health_pb2.HealthCheckResponse.SERVING)
        if self._block_seconds:
            self._timer.start()

    def stop(self) -> None:
        """Finish the calls that run, stop the timer, and let go of the port."""
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._shared.stopping.set()
        self._shared.move(lambda: None)
        if self._timer.is_alive():
            self._timer.join()
        self._server.stop(STOP_SECONDS).wait()

    def _run(self) -> None:
        """Build a block a block time. What fails here is a defect or a full disk: stop serving."""
        while not self._shared.stopping.wait(self._block_seconds):
            try:
                self._shared.move(self._shared.chain.mine)
            except Exception as error:
                self.failure = error
                self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
                raise

    def _set_health(self, status: Any) -> None:
        for service in ("", *(one.full_name for one in pb.DESCRIPTOR.services_by_name.values())):
            self._health.set(service, status)


def _loopback(address: str) -> str:
    """Return the host of a loopback address. Raises ValueError for any other."""
    host, _, port = address.rpartition(":")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback or not port.isdecimal():
        raise ValueError(
            f"expected a loopback address such as 127.0.0.1:7700, was {address}; "
            "plain text does not leave the machine"
        )
    return host


def _maybe(value: T | None, convert: Callable[[T], M]) -> M | None:
    return None if value is None else convert(value)


def _at_most(context: Any, name: str, value: int, value_max: int) -> None:
    if value > value_max:
        text = f"expected {name} of at most {value_max}, was {value}; ask for less"
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
