"""The thread around the sequencer: it performs effects and feeds back what became of them.

Everything that touches the engine runs on this one thread, reads too, so that no reader ever sees
half a step. Decoding and recovery run beside it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import structlog

from clearing.decode import recover_signers
from node.clock import Clock
from node.errors import StorageError
from node.events import (
    Append,
    Effect,
    Event,
    Failed,
    Prepare,
    Prepared,
    Publish,
    Refuse,
    Reply,
    Sealed,
    Stopping,
    Submitted,
    Sync,
    Synced,
    Tick,
)
from node.log import Log, Record, Tail
from node.records import FrameRecord, RecordKind, SealRecord
from node.sequencer import Pieces, Sequencer
from node.tail import BatchMoved, TailRing
from node.view import Put, View
from prover.signer_cache import SignerCache

Answer: TypeAlias = Reply | Refuse
T = TypeVar("T")

TICK_SECONDS = 0.02
_FRAME_PREFIX = b"f"
_BATCH_PREFIX = b"b"

_log = structlog.get_logger("node.shell")


def frame_key(sequence: int) -> bytes:
    """Return the view's key of the frame that ends with `sequence`; its value is the token."""
    return _FRAME_PREFIX + sequence.to_bytes(8, "big")


def batch_key(number: int) -> bytes:
    """Return the view's key of a batch; its value is the seal record."""
    return _BATCH_PREFIX + number.to_bytes(8, "big")


def fold(record: Record) -> Iterable[Put]:
    """Return what a record of the log adds to the view."""
    if record.kind == RecordKind.FRAME:
        frame = FrameRecord.decode(record.payload)
        if frame.count > frame.inbox_count:
            yield frame_key(frame.sequence), record.sequence.to_bytes(8, "big")
    elif record.kind == RecordKind.SEAL:
        yield batch_key(int.from_bytes(record.payload[:8], "big")), record.payload


@dataclass(slots=True)
class _Call:
    """Something to run on the sequencer's thread."""

    function: Callable[[], Any]
    future: Future[Any]


class ShellStopped(RuntimeError):
    """The sequencer's thread has ended."""


class Shell:
    """Owns the sequencer, its thread and its log. `start` once, `stop` once."""

    def __init__(
        self,
        sequencer: Sequencer,
        log: Log,
        view: View | None,
        clock: Clock,
        *,
        recovery_threads: int = 2,
        ring_size: int = 4096,
    ) -> None:
        """Take over `sequencer`, which stands at the end of `log`."""
        self.sequencer = sequencer
        self.log = log
        self.view = view
        self.clock = clock
        self.ring = TailRing(ring_size, log.tail.sequence)
        self.sealed: list[Callable[[Sealed], None]] = []
        self.frames = 0
        self.actions = 0
        self._recovery_threads = recovery_threads
        self._signers = SignerCache()
        self._preparer = ThreadPoolExecutor(1, "prepare")
        self._recoverers = ThreadPoolExecutor(max(recovery_threads - 1, 1), "recover")
        self._queue: queue.SimpleQueue[Event | _Call | None] = queue.SimpleQueue()
        self._requests: dict[int, Future[Answer]] = {}
        self._requests_lock = threading.Lock()
        self._next_request = 0
        self._unindexed: deque[Record] = deque()
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def submit(self, blob: bytes, lengths: Pieces, deadline_ms: int) -> Future[Answer]:
        """Hand in actions; the future holds a Reply or a Refuse. `deadline_ms` is the law's."""
        future: Future[Answer] = Future()
        with self._requests_lock:
            self._next_request += 1
            request = self._next_request
            self._requests[request] = future
        self._queue.put(Submitted(request, blob, lengths, deadline_ms))
        return future

    def send(self, event: Event) -> None:
        """Hand in an event of the outside world."""
        self._queue.put(event)

    def call(self, function: Callable[[], T], timeout_seconds: float) -> T:
        """Run `function` between two events and return its result.

        Raises what it raises, TimeoutError, or `ShellStopped`.
        """
        if not self._thread.is_alive():
            raise ShellStopped("expected a running sequencer, was stopped")
        future: Future[T] = Future()
        self._queue.put(_Call(function, future))
        return future.result(timeout_seconds)

    def batch_moved(self, seal: SealRecord) -> None:
        """Tell the tails that a batch's stage changed."""
        self._queue.put(_Call(lambda: self.ring.put_moved(seal), Future()))

    @property
    def alive(self) -> bool:
        """Whether the sequencer's thread runs."""
        return self._thread.is_alive()

    def stop(self, drain_seconds: float) -> bool:
        """Refuse what is new, answer what is here, sync, and end. Returns whether all was drained.

        The log is closed, unless the disk failed; the disk belongs to the caller.
        """
        self._queue.put(Stopping())
        limit = time.monotonic() + drain_seconds
        while not self.sequencer.idle and not self.sequencer.failure and time.monotonic() < limit:
            time.sleep(TICK_SECONDS)
        drained = self.sequencer.idle
        self._queue.put(None)
        self._thread.join(drain_seconds)
        self.ring.close()
        self._preparer.shutdown()
        self._recoverers.shutdown()
        if not self.sequencer.failure:
            self.log.close()
        return drained

    # The thread.

    def _run(self) -> None:
        next_tick = time.monotonic()
        while True:
            try:
                item = self._queue.get(timeout=max(next_tick - time.monotonic(), 0))
            except queue.Empty:
                item = Tick()
                next_tick = time.monotonic() + TICK_SECONDS
            if item is None:
                self._abandon()
                return
            if isinstance(item, _Call):
                self._answer_call(item)
            else:
                self._handle(item)

    def _handle(self, event: Event) -> None:
        """Handle an event and everything that follows from it at once."""
        effects: deque[Effect] = deque()
        try:
            effects.extend(self.sequencer.handle(self.clock(), event))
            while effects:
                effects.extend(self._perform(effects.popleft()))
            self._index()
        except StorageError as error:
            self._fail(str(error))
        except Exception as error:
            # An invariant of ours broke. What was acknowledged is in the log; nothing more is.
            _log.exception("sequencer stopped", event_kind=type(event).__name__)
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        _log.error("node failed", reason=reason)
        # Whoever hears of it and asks again gets the sequencer's answer, so they are not in here.
        with self._requests_lock:
            left = list(self._requests)
        for effect in self.sequencer.handle(self.clock(), Failed(reason)):
            if isinstance(effect, Refuse):
                self._resolve(effect.request, effect)
        self._abandon_requests(left)

    def _perform(self, effect: Effect) -> list[Effect]:
        match effect:
            case Prepare():
                self._preparer.submit(self._prepare, effect)
            case Append(token, kind, payload):
                if self.log.append(kind, payload) != token:
                    raise AssertionError(f"log: expected record {token}, was {self.log.tail}")
                self._unindexed.append(Record(token, kind, payload, b"", "", 0))
            case Sync():
                return self.sequencer.handle(self.clock(), Synced(self.log.sync().sequence))
            case Reply(request) | Refuse(request):
                self._resolve(request, effect)
            case Publish():
                self.frames += 1
                self.actions += effect.frame.count
                self.ring.put(effect)
            case Sealed(token, seal):
                self.log.sync_witness()
                self.ring.put(BatchMoved(token, seal))
                for listener in self.sealed:
                    listener(effect)
        return []

    def _prepare(self, effect: Prepare) -> None:
        try:
            columns = self.sequencer.engine.decode(effect.blob, effect.offsets)
            pool = self._recoverers if self._recovery_threads > 1 else None
            recover_signers(columns, pool, self._recovery_threads, self._signers)
            self._queue.put(Prepared(columns))
        except Exception as error:
            _log.exception("preparing failed")
            self._queue.put(Failed(f"preparing a frame: {type(error).__name__}: {error}"))

    def _resolve(self, request: int, answer: Answer) -> None:
        with self._requests_lock:
            future = self._requests.pop(request, None)
        if future is not None:
            future.set_result(answer)

    def _index(self) -> None:
        """Bring what became durable into the view; the view is only ever behind the log."""
        durable = self.log.durable_tail
        puts: list[Put] = []
        count = 0
        while self._unindexed and self._unindexed[0].sequence <= durable.sequence:
            puts.extend(fold(self._unindexed.popleft()))
            count += 1
        if count and self.view is not None:
            self.view.apply(puts, Tail(durable.sequence, durable.hash))

    @staticmethod
    def _answer_call(call: _Call) -> None:
        try:
            call.future.set_result(call.function())
        except Exception as error:
            call.future.set_exception(error)

    def _abandon(self) -> None:
        """Answer whoever is left when the thread ends."""
        with self._requests_lock:
            left = list(self._requests)
        self._abandon_requests(left)
        while not self._queue.empty():
            item = self._queue.get()
            if isinstance(item, _Call):
                item.future.set_exception(ShellStopped("the node is stopping"))

    def _abandon_requests(self, requests: Sequence[int]) -> None:
        text = "the node stopped before the outcome was known; submit the same bytes again"
        for request in requests:
            self._resolve(request, Refuse(request, "OUTCOME_UNKNOWN", text))
