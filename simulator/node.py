"""The node of the world: the real sequencer, log and poster, on a disk that can lose power."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from clearing.decode import recover_signers
from node.batcher import BatchPolicy
from node.errors import DiskFailed, LogBehind, LogCorrupt
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
from node.replay import Recovered, recover
from node.runner import BEATS_PER_OPEN_LAG
from node.sequencer import Limits, Sequencer
from node.witness import Witness, require_posted
from simulator.base import Wire
from simulator.broken import require
from simulator.damage import Damages, Disks
from simulator.disk import SimDisk, SimulatedCrash
from simulator.index import Index
from simulator.market import DOMAIN, OPEN_LAG_MS, OPERATOR, genesis, key_of
from simulator.standing import Beating, check_limits
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
POLICY = BatchPolicy(
    steps_max=256,
    bytes_max=1 << 20,
    interval_ms=2_000,
    beat_ms=OPEN_LAG_MS // BEATS_PER_OPEN_LAG,
)
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


class Opened(NamedTuple):
    """A log that may be served, and the sequencer at its end."""

    log: Log
    recovered: Recovered


class NodeActor:
    """Performs the sequencer's effects; dies and comes back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("node")
        self.disks = Disks(SimDisk(world.chance("disk")), SimDisk(world.chance("witness disk")))
        self.damages = Damages(world)
        self.index = Index()
        self.limits = LIMITS
        self.policy = POLICY
        self.beats = 0
        self._beating = Beating()
        self.segment_bytes_max = SEGMENT_BYTES_MAX
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

    @property
    def waiting(self) -> int:
        """How many requests have no answer."""
        return len(self._requests)

    def start(self) -> None:
        """Start the process on whatever the disk holds."""
        self._life += 1
        self.lives += 1
        self._beating = Beating()
        if self._happens("node-crash-while-recovering"):
            self._any_disk().crash_at(self._chance.randint(1, 6))
        wire = Wire(self._world, self._world.base.layer, "node-crash-while-posting")
        try:
            opened = self.open(self.disks, cast(BaseLayer, wire))
        except SimulatedCrash:
            self._die("crashed while recovering")
            return
        except VerifierError as error:
            self._die(f"did not start: {type(error).__name__}")
            return
        except LogBehind as error:
            # Somebody who has the key posted more than this log holds.
            self._world.invariants.on_held_back(error)
            self._die("did not start: waits for a batch to fall")
            return
        except LogCorrupt as error:
            # These disks lose only what was not synced, so nothing may look damaged.
            self._world.invariants.on_unreadable(error)
        for disk in self.disks:
            disk.crash_at(None)
        self.log, recovered = opened.log, opened.recovered
        self.sequencer = recovered.sequencer
        self._world.note("node", f"up at {self.sequencer.engine.root()[:4].hex()}")
        self._world.invariants.on_restart(self.log)
        self.index.open(self.log)
        self.damages.backup = self.disks.log.twin()
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

    def open(self, disks: Disks, layer: BaseLayer) -> Opened:
        """Do what a node does before it serves: verify, replay, compare with what was promised."""
        witness = Witness.open(disks.witness)
        log = Log.open(disks.log, segment_bytes_max=SEGMENT_BYTES_MAX, witness=witness)
        signer = receipt_signer(key_of(OPERATOR), DOMAIN)
        recovered = recover(log, genesis(), LIMITS, self.policy, signer, accounts_capacity=8)
        require_posted(layer, recovered.seals)
        return Opened(log, recovered)

    def rest(self) -> None:
        """Carry no clock on any more: the world ends, and a beat would be a batch to wait for."""
        self.policy = replace(self.policy, beat_ms=0)
        if self.sequencer is not None:
            self.sequencer.batcher.policy = self.policy

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
        self.disks.restart(power_loss)
        self.index.die(power_loss)
        self.sequencer = self.log = self.poster = None
        self._requests.clear()
        self._life += 1
        down_ms = self._chance.randint(100, 2_000)
        if self._happens("node-down-for-long"):
            down_ms += self._chance.randint(10_000, 30_000)
        self._world.after(down_ms, "node", "start", self.start)
        if not power_loss and self.damages.backup is not None:
            self.damages.happen(self.disks)
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

    def _any_disk(self) -> SimDisk:
        return self._chance.choice(self.disks)

    def _tick(self) -> None:
        self._later(TICK_MS, "tick", self._tick)
        if self._happens("node-crash-between-events"):
            self._die("crashed")
            return
        if self._happens("node-crash-at-a-write"):
            self._any_disk().crash_at(self._chance.randint(1, 8))
        if self._happens("clock-jump"):
            self._skew_ms = self._chance.randint(-SKEW_MS_MAX, SKEW_MS_MAX)
        if self._happens("sync-failure"):
            self._any_disk().fail_sync_at(1)
        self._handle(Tick())
        if self.sequencer is not None and self.policy.beat_ms:
            self._beating.look(self._now_ms - self.sequencer.clock_ms, self.policy.beat_ms)

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
            check_limits(self)
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
                require("I6", appended == token, f"record {appended} where {token} was meant")
                self.index.append(token, kind, payload)
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
                self.beats += effect.frame.count == 0
                self._world.invariants.on_publish(effect, self.sequencer.engine)
            case Sealed(_, seal):
                assert self.poster is not None
                self._world.note("node", f"sealed batch {seal.number}")
                self.log.sync_witness()
                self.index.check(self.log)
                self.poster.add(seal)

    def _sync(self) -> None:
        assert self.log is not None
        try:
            tail = self.log.sync()
        except SimulatedCrash:
            self._die("crashed at a write")
            return
        except DiskFailed as error:
            self._fail(error)
            return
        self.index.synced(tail)
        self._handle(Synced(tail.sequence))

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
