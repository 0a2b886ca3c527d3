"""The node of the world: the real sequencer, log and poster, on a disk that can lose power."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from clearing.decode import recover_signers
from node.batcher import BatchPolicy
from node.errors import DiskFailed, LogCorrupt
from node.events import (
    Append,
    Effect,
    Event,
    Failed,
    GenerationMoved,
    InboxArrived,
    Prepare,
    Prepared,
    Publish,
    Refuse,
    Reply,
    Sealed,
    Submitted,
    Sync,
    Synced,
    Tick,
)
from node.log import Log
from node.poster import Poster
from node.receipts import receipt_signer
from node.replay import recover
from node.sequencer import Limits, Sequencer
from simulator.base import Wire
from simulator.disk import SimDisk, SimulatedCrash
from simulator.invariants import InvariantBroken
from simulator.market import DOMAIN, OPERATOR, genesis, key_of
from verifier.base.interface import BaseLayer
from verifier.errors import VerifierError

if TYPE_CHECKING:
    from simulator.world import World

LIMITS = Limits(
    queue_actions_max=200,
    queue_bytes_max=100_000,
    frame_actions_max=48,
    frame_bytes_max=40_000,
    inbox_per_frame_max=8,
    actions_per_ms=10,
)
POLICY = BatchPolicy(steps_max=256, bytes_max=1 << 20, interval_ms=2_000)
SEGMENT_BYTES_MAX = 64 * 1024
TICK_MS = 100
POLL_MS = 600
DEADLINE_MS = 5_000
SKEW_MS_MAX = 5_000


@dataclass(frozen=True)
class Request:
    """Actions on their way, and where the answer goes."""

    actions: tuple[bytes, ...]
    answer: Callable[[Reply | Refuse], None]


class NodeActor:
    """Performs the sequencer's effects; dies and comes back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("node")
        self.disk = SimDisk(world.chance("disk"))
        self.log: Log | None = None
        self.sequencer: Sequencer | None = None
        self.poster: Poster | None = None
        self.lives = 0
        self._life = 0
        self._next_request = 0
        self._requests: dict[int, Request] = {}
        self._generation = -1
        self._skew_ms = 0

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self.sequencer is not None

    def start(self) -> None:
        """Start the process on whatever the disk holds."""
        self._life += 1
        self.lives += 1
        if self._happens("node-crash-while-recovering"):
            self.disk.crash_at(self._chance.randint(1, 6))
        try:
            self.log = Log.open(self.disk, segment_bytes_max=SEGMENT_BYTES_MAX)
            recovered = recover(
                self.log,
                genesis(),
                LIMITS,
                POLICY,
                receipt_signer(key_of(OPERATOR), DOMAIN),
                accounts_capacity=8,
            )
        except SimulatedCrash:
            self._die("crashed while recovering")
            return
        except LogCorrupt as error:
            # This disk loses only what was not synced, so nothing may look damaged.
            self._world.invariants.on_unreadable(error)
        self.disk.crash_at(None)
        self.sequencer = recovered.sequencer
        self._world.note("node", f"up at {self.sequencer.engine.root()[:4].hex()}")
        self._world.invariants.on_restart(self.log)
        wire = Wire(self._world, self._world.base.layer, "node-crash-while-posting")
        self.poster = Poster(
            cast(BaseLayer, wire),
            wire.config(),
            key_of(OPERATOR),
            1,
            self.log,
            recovered.seals,
        )
        self._generation = -1
        skewed = self._happens("clock-skew")
        self._skew_ms = self._chance.randint(-SKEW_MS_MAX, SKEW_MS_MAX) if skewed else 0
        self._later(TICK_MS, "tick", self._tick)
        self._later(POLL_MS, "poll", self._poll)

    def receive(self, request: Request) -> None:
        """Take a request from the wire; a dead node hears nothing."""
        if not self.is_up:
            return
        self._next_request += 1
        self._requests[self._next_request] = request
        lengths = np.array([len(action) for action in request.actions], np.int64)
        deadline = self._now_ms + DEADLINE_MS
        self._handle(Submitted(self._next_request, b"".join(request.actions), lengths, deadline))

    # The process.

    @property
    def _now_ms(self) -> int:
        return self._world.now + self._skew_ms

    def _happens(self, kind: str) -> bool:
        return self._world.faults.happens(kind, self._world.now)

    def _later(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Do something later if the process still lives then."""
        life = self._life

        def if_alive() -> None:
            if life == self._life and self.is_up:
                action()

        self._world.after(delay_ms, "node", label, if_alive)

    def _die(self, why: str) -> None:
        """Forget everything but the disk, and come back after a while."""
        self._world.note("node", why)
        stale = self.poster
        power_loss = self._happens("power-loss")
        self.disk.restart(power_loss=power_loss)
        self.sequencer = self.log = self.poster = None
        self._requests.clear()
        self._life += 1
        down_ms = self._chance.randint(100, 2_000)
        if self._happens("node-down-for-long"):
            down_ms += self._chance.randint(10_000, 30_000)
        self._world.after(down_ms, "node", "start", self.start)
        if not power_loss and self._happens("log-bit-flipped"):
            self.check_damage("log-bit-flipped", self.flip_bit)
        if not power_loss and self._happens("log-cut-short"):
            self.check_damage("log-cut-short", self.cut)
        if not power_loss and self._happens("log-segment-lost"):
            self.check_damage("log-segment-lost", self.lose_segment)
        if stale is not None and self._happens("stale-poster-resumes"):
            self._resume(stale, self._chance.randint(1, 8))

    def _resume(self, stale: Poster, steps: int) -> None:
        """Let the poster of a dead process, which was only paused, go on beside its successor."""
        try:
            news = stale.step(self._world.base.chain.court.inbox.count)
            self._world.note("node", f"a stale poster posts in generation {news.generation}")
        except (SimulatedCrash, VerifierError) as error:
            self._world.note("node", f"stale poster: {type(error).__name__}")
        if steps and not self._world.faults.healed:
            wait = self._chance.randint(POLL_MS, 4 * POLL_MS)
            self._world.after(wait, "stale", "poll", lambda: self._resume(stale, steps - 1))

    def check_damage(self, kind: str, damage: Callable[[SimDisk], str]) -> None:
        """Damage a copy of the disk: whoever opens it must find all that was promised, or stop."""
        disk = self.disk.twin()
        text = damage(disk)
        try:
            log = Log.open(disk, segment_bytes_max=SEGMENT_BYTES_MAX)
            self._world.invariants.on_restart(log)
        except LogCorrupt:
            self._world.note("node", f"{kind}: {text}: refused")
            return
        except InvariantBroken as error:
            raise InvariantBroken("I16", f"{kind}: {text}: served, and {error}") from error
        self._world.note("node", f"{kind}: {text}: harmless")

    def _any_file(self, disk: SimDisk) -> tuple[str, int]:
        name = self._chance.choice(disk.names())
        return name, disk.size(name)

    def flip_bit(self, disk: SimDisk) -> str:
        """Damage a disk by a bit; say where."""
        name, size = self._any_file(disk)
        offset = self._chance.randrange(max(size, 1))
        disk.flip_bit(name, offset, self._chance.randrange(8))
        return f"{name} at byte {offset}"

    def cut(self, disk: SimDisk) -> str:
        """Cut a file of a disk short; say where."""
        name, size = self._any_file(disk)
        length = self._chance.randrange(max(size, 1))
        disk.cut(name, length)
        return f"{name} to {length} bytes"

    def lose_segment(self, disk: SimDisk) -> str:
        """Delete a file of a disk; say which. One that was alone stays: that looks like new."""
        name, _ = self._any_file(disk)
        if len(disk.names()) == 1:
            return "nothing"
        disk.delete(name)
        return name

    def _tick(self) -> None:
        self._later(TICK_MS, "tick", self._tick)
        if self._happens("node-crash-between-events"):
            self._die("crashed")
            return
        if self._happens("node-crash-at-a-write"):
            self.disk.crash_at(self._chance.randint(1, 8))
        if self._happens("clock-jump"):
            self._skew_ms = self._chance.randint(-SKEW_MS_MAX, SKEW_MS_MAX)
        if self._happens("sync-failure"):
            self.disk.fail_sync_at(1)
        self._handle(Tick())

    def _poll(self) -> None:
        """What the poster's thread does, once."""
        self._later(POLL_MS, "poll", self._poll)
        sequencer, poster = self.sequencer, self.poster
        assert sequencer is not None and poster is not None
        try:
            news = poster.step(sequencer.inbox_next)
        except SimulatedCrash:
            self._die("crashed while posting")
            return
        except VerifierError as error:
            self._world.note("node", f"poll failed: {type(error).__name__}")
            return
        if news.generation != self._generation:
            self._generation = news.generation
            self._handle(GenerationMoved(news.generation))
        if news.inbox and self.is_up:
            self._handle(InboxArrived(news.inbox_first, news.inbox))

    def _handle(self, event: Event) -> None:
        """Handle an event and everything that follows from it at once."""
        assert self.sequencer is not None
        try:
            queue = deque(self.sequencer.handle(self._now_ms, event))
            while queue:
                self._perform(queue.popleft())
        except SimulatedCrash:
            self._die("crashed at a write")
        except DiskFailed as error:
            self._fail(error)

    def _perform(self, effect: Effect) -> None:
        assert self.log is not None and self.sequencer is not None
        match effect:
            case Prepare():
                columns = self.sequencer.engine.decode(effect.blob, effect.offsets)
                recover_signers(columns)
                prepared = Prepared(columns)
                delay = self._chance.randint(0, 3)
                self._later(delay, "prepared", lambda: self._handle(prepared))
            case Append(token, kind, payload):
                appended = self.log.append(kind, payload)
                self._world.invariants.require(
                    "I6", appended == token, f"record {appended} where {token} was meant"
                )
            case Sync():
                slow = self._happens("slow-disk")
                delay = self._chance.randint(100, 900) if slow else self._chance.randint(1, 4)
                self._later(delay, "sync", self._sync)
            case Reply(request):
                asked = self._requests.pop(request)
                self._world.invariants.on_reply(asked.actions, effect, self.log)
                asked.answer(effect)
            case Refuse(request):
                self._requests.pop(request).answer(effect)
            case Publish(token, _, outcome):
                root = outcome.post_root[:4].hex()
                self._world.note("node", f"frame {token}: {outcome.codes.shape[0]} to {root}")
                self._world.invariants.on_publish(effect, self.sequencer.engine)
            case Sealed(_, seal):
                assert self.poster is not None
                self._world.note("node", f"sealed batch {seal.number}")
                self.poster.add(seal)

    def _sync(self) -> None:
        assert self.log is not None
        try:
            token = self.log.sync().sequence
        except SimulatedCrash:
            self._die("crashed at a write")
            return
        except DiskFailed as error:
            self._fail(error)
            return
        self._handle(Synced(token))

    def _fail(self, error: DiskFailed) -> None:
        """Say to everyone who waits that nobody knows, and stop."""
        assert self.sequencer is not None
        for effect in self.sequencer.handle(self._now_ms, Failed(str(error))):
            self._perform(effect)
        self._die("stopped: the disk failed")

    def idle(self) -> bool:
        """Whether the node lives, has answered everything, and has sealed everything."""
        sequencer: Any = self.sequencer
        return sequencer is not None and sequencer.idle and sequencer.batcher.empty
