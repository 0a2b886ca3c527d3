"""The loop: events in order of time, three phases, and the report."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from structlog.testing import capture_logs

from prover.proofs import withdrawal_proof
from simulator.base import BaseActor
from simulator.book import Book
from simulator.brains import Brains, check_stake
from simulator.broken import InvariantBroken, require
from simulator.challenger import ChallengerActor
from simulator.claimer import Claimer
from simulator.crash import Crash
from simulator.exit import check_exit
from simulator.explorer import Explorer
from simulator.faults import Faults
from simulator.feed import Feed
from simulator.follower import Follower
from simulator.invariants import Invariants, actions_of, frames_of
from simulator.keeper import Keeper
from simulator.left_out import check_left_out
from simulator.liar import Liar
from simulator.market import (
    CHALLENGER,
    CLAIMER,
    GAMBLERS,
    GOLD,
    GOLD_UNITS,
    GUESTS,
    KEEPER,
    LIAR,
    OPERATOR,
    START_MS,
    SUCCESSOR,
    TRADERS,
    WHALE_CASH,
    WHALES,
    address,
    genesis,
)
from simulator.node import NodeActor
from simulator.rogue import Rogue
from simulator.rotation import check_rotation
from simulator.shrink import command_of
from simulator.traders import Traders
from verifier.base.transactions import ClaimWithdrawal, Faucet, PutStake
from verifier.batch import BatchData
from verifier.header import Header

FAULTS_MS = 60_000
HEALED_MS = 10_000
LIVENESS_MS = 180_000
CHECK_MS = 1_000
TRACE_EVENTS = 30
EVERYONE = (
    OPERATOR,
    SUCCESSOR,
    CHALLENGER,
    KEEPER,
    LIAR,
    CLAIMER,
    *TRADERS,
    *GUESTS,
    *GAMBLERS,
    *WHALES,
)
NATIVE = 10**15
TOKEN = 10**14
QUIET_CHANCE = 0.5  # that everybody pauses for a while
QUIET_FROM_MS, QUIET_MS = (20_000, 40_000), (9_000, 13_000)


@dataclass(frozen=True)
class Options:
    """What a run may be told beside its seed.

    `frauds` is the number of forged batches, None: drawn from the seed. Without a `challenger` at
    least one is posted whatever it says, and the run fails: either that batch becomes final, or
    none could be posted, and the run has shown nothing. `seconds` is how long things go wrong, in
    simulated time, None: a minute. Kinds of faults and of frauds in `without` never happen.
    """

    challenger: bool = True
    frauds: int | None = None
    faults: bool = True
    seconds: int | None = None
    without: frozenset[str] = frozenset()

    def less(self, kinds: frozenset[str]) -> Options:
        """Return the same options without more kinds."""
        return replace(self, without=self.without | kinds)

    @property
    def faults_ms(self) -> int:
        """How long things go wrong, ms."""
        return FAULTS_MS if self.seconds is None else 1_000 * self.seconds


class World:
    """One run of one seed. `run` raises `InvariantBroken`; `trace` tells what came before."""

    def __init__(self, seed: int, options: Options = Options()) -> None:
        self.seed = seed
        self.options = options
        self.now = START_MS
        self._ended: int | None = None
        self.events = 0
        self.trace: deque[str] = deque(maxlen=TRACE_EVENTS)
        self.refusals: Counter[str] = Counter()
        self.decoded: dict[bytes, Any] = {}
        self._digest = hashlib.sha256()
        self._heap: list[tuple[int, int, str, str, Callable[[], None]]] = []
        self._order = 0
        self.faults = Faults(seed, options.without)
        if not options.faults:
            self.faults.heal()
        self.invariants = Invariants(self)
        self.book = Book(self)
        self.base = BaseActor(self)
        self.invariants.auditor = Follower(genesis(), self.invariants.known, self.decoded)
        self.node = NodeActor(self)
        self.traders = Traders(self)
        self.feed = Feed(self)
        self.keeper = Keeper(self)
        self.explorer = Explorer(self)
        self.crash = Crash(self)
        self.challenger = ChallengerActor(self) if options.challenger else None
        frauds = options.frauds
        if frauds is None:
            frauds = self.chance("frauds").randint(0, 3)
        if not options.challenger:
            frauds = max(frauds, 1)
        self.rogue = Rogue(self, frauds)
        self.brains = Brains(self)
        self.liar = Liar(self)
        self.claimer = Claimer(self)
        self._quiet = self._siesta()

    def chance(self, name: str) -> Random:
        """Return the dice of one actor; nobody else's throws change them."""
        return Random(f"{self.seed}/{name}")

    def _siesta(self) -> range:
        dice = self.chance("siesta")
        if dice.random() >= QUIET_CHANCE:
            return range(0)
        begins = START_MS + dice.randint(*QUIET_FROM_MS)
        return range(begins, begins + dice.randint(*QUIET_MS))

    @property
    def is_quiet(self) -> bool:
        """Whether everybody pauses: then only its heartbeat carries the house's clock on."""
        return self.now in self._quiet

    @property
    def _busy(self) -> tuple[Any, ...]:
        """Who brings business, each through a client of his own."""
        return (self.traders, self.feed, self.keeper, self.explorer, self.crash)

    def after(self, delay_ms: int, actor: str, label: str, action: Callable[[], None]) -> None:
        """Let something happen later. Equal times happen in the order they were asked for."""
        self._order += 1
        heapq.heappush(self._heap, (self.now + delay_ms, self._order, actor, label, action))

    def note(self, actor: str, text: str) -> None:
        """Write down what happened: into the trace, and into the hash of the run."""
        line = f"{self.now - START_MS:>7} {actor:<10} {text}"
        self.trace.append(line)
        self._digest.update(line.encode() + b"\n")

    @property
    def digest(self) -> str:
        """A hash of everything that happened, in order."""
        return self._digest.hexdigest()

    def run(self) -> dict[str, Any]:
        """Play all three phases and return the report."""
        with capture_logs():
            try:
                self.begin()
                self.until(START_MS + self.options.faults_ms)
                self._heal()
                self.until(START_MS + self.options.faults_ms + HEALED_MS)
                self._settle()
                self._check_end()
            finally:
                self.node.index.stop()
                if self.challenger is not None:
                    self.challenger.stop()
        return self.report()

    def report(self) -> dict[str, Any]:
        """Return what there is to say about the run so far, in plain values."""
        invariants, heads = self.invariants, self.base.chain.court.heads()
        return {
            "seed": self.seed,
            "events": self.events,
            "simulated_ms": (self._ended or self.now) - START_MS,
            "faults": dict(sorted(self.faults.hits.items())),
            "frauds": dict(sorted(invariants.frauds.items())),
            "reverted": dict(sorted(invariants.reverted.items())),
            "descendants": invariants.descendants,
            "revert_blocks_max": invariants.revert_blocks_max,
            "applied": dict(sorted(invariants.applied.items())),
            "rejects": dict(sorted(invariants.rejects.items())),
            "refusals": dict(sorted(self.refusals.items())),
            "acknowledged": len(invariants.acknowledged),
            "receipts_broken": invariants.receipts_broken,
            "honest_reverts": invariants.honest_reverts,
            "lost_acknowledged": invariants.lost_acknowledged,
            "batches": heads.finalised_number,
            "node_lives": self.node.lives,
            "beats": self.node.beats,
            "root": heads.tip_root.hex(),
            "digest": self.digest,
        }

    # Phases.

    def begin(self) -> None:
        """Give everyone money and let everyone start."""
        for name in EVERYONE:
            token = WHALE_CASH if name in WHALES else TOKEN
            self.base.send(name, Faucet(address(name), NATIVE, token))
        self.base.mine_one()
        for name in WHALES:
            self.base.send(name, Faucet(address(name), 0, GOLD_UNITS, GOLD))
        self.base.send(OPERATOR, PutStake())
        self.base.mine_one()
        self.base.start()
        self.brains.start()
        self.node.start()
        for actor in (*self._busy, self.rogue, self.liar, self.claimer):
            actor.start()
        if self.challenger is not None:
            self.challenger.start()

    def until(self, time_ms: int) -> None:
        """Let everything happen up to a time."""
        while self._heap and self._heap[0][0] <= time_ms:
            self.now, order, actor, label, action = heapq.heappop(self._heap)
            self.events += 1
            self._digest.update(f"{self.now} {order} {actor} {label}\n".encode())
            action()

    def _heal(self) -> None:
        """Nothing goes wrong any more; who was down comes up; trade goes on for a while."""
        self.note("world", "healed")
        self.faults.heal()
        # Whom nobody watches has time until he gets away with it.
        self.rogue.finished = self.options.challenger
        for disk in self.node.disks:
            disk.crash_at(None)

    def _settle(self) -> None:
        """No new business; everything that was promised has to become final in time."""
        self.note("world", "last orders")
        for actor in (*self._busy, self.liar, self.claimer):
            actor.finished = True
        self.node.rest()
        limit = self.now + LIVENESS_MS
        while self._unsettled():
            name = "L1" if self.options.challenger else "I7"
            require(name, self.now < limit, f"still {self._unsettled()}")
            self.until(self.now + CHECK_MS)

    def _unsettled(self) -> str:
        """Say what is left to happen; empty when nothing is.

        Without a challenger it ends with an invalid batch that is final, which `Invariants` raises.
        """
        if not self.options.challenger:
            landed = self.rogue.landed()
            return f"nobody watches, {landed} forged batches on the base layer and none final"
        waiting = sum(len(actor.client.waiting) for actor in self._busy)
        court, node = self.base.chain.court, self.node
        if self.brains.found is not None and court.stakes.of(address(OPERATOR)).amount:
            return "a broken receipt to be proven"
        if waiting:
            return f"{waiting} requests without an answer"
        if not self.traders.deposits_done():
            return "deposits on their way"
        if not node.idle():
            return "the node at work"
        assert node.sequencer is not None
        if node.sequencer.inbox_next != court.inbox.count:
            return f"{court.inbox.count - node.sequencer.inbox_next} deposits not consumed"
        heads, sealed = court.heads(), node.sequencer.batcher.number - 1
        if heads.finalised_number != sealed:
            error = "" if node.poster is None else node.poster.status.error
            return f"batch {heads.finalised_number} final of {sealed} ({error})"
        challenger = self.challenger
        if challenger is not None and (
            challenger.process is None or challenger.process.challenger.replica.number != sealed
        ):
            return "the challenger behind"
        return ""

    # The end.

    def _check_end(self) -> None:
        """Compare node, court, auditor and challenger, and have every withdrawal paid."""
        node, court = self.node, self.base.chain.court
        assert node.log is not None and node.sequencer is not None
        root = node.sequencer.engine.root()
        heads = court.heads()
        require("I6", heads.tip_root == root, "node and court end on different roots")
        if self.challenger is not None and self.challenger.process is not None:
            followed = self.challenger.process.challenger.replica.engine.root()
            require("I6", followed == root, "node and challenger end on different roots")
        follower = Follower(genesis(), self.invariants.known, {})
        require(
            "I6", follower.stand_after(heads.tip_id).root() == root, "the auditor ends elsewhere"
        )
        self.book.check(node.sequencer.engine.state, self.now - START_MS)
        # A cleanly closed log, read by nobody but the disk, says the same again.
        node.log.close()
        log = node.open(node.disks, self.base.layer).log
        node.index.check(log)
        self.invariants.on_restart(log)
        logged = [action for frame, _, _ in frames_of(log) for action in actions_of(frame)]
        final: list[bytes] = []
        for view in court.batches(1, heads.finalised_number):
            data = court.batch_data(view.record.batch_id)
            assert data is not None
            steps = BatchData.decode(data, Header.decode(view.record.header).step_count).steps
            final.extend(action for step in steps for action in step.actions)
        require("L1", final == logged, "the final batches hold other actions than the log")
        check_stake(self)
        self._claim_all()
        if not check_left_out(self):
            check_rotation(self)
        self._ended = self.now
        check_exit(self)

    def _claim_all(self) -> None:
        """Every withdrawal is paid, once."""
        assert self.node.sequencer is not None
        chain, engine = self.base.chain, self.node.sequencer.engine
        heads = chain.court.heads()
        count = int(engine.totals.withdrawal_count)
        nonce = chain.ledger.account(address(KEEPER)).nonce
        unpaid = [index for index in range(count) if not chain.court.escrow.is_claimed(index)]
        for place, index in enumerate(unpaid):
            proof = withdrawal_proof(engine, index, count)
            body = ClaimWithdrawal(heads.finalised_id, index, proof.leaf, proof.siblings)
            self.base.send(KEEPER, body, nonce + place)
        # As many as a block holds at a time; a minute of blocks is plenty.
        for _ in range(60):
            self.base.mine_one()
        paid = sum(chain.court.escrow.is_claimed(index) for index in range(count))
        require("L1", paid == count, f"{paid} of {count} withdrawals were paid")
        left = chain.court.solvency()
        require("I1", left.holds and left.unclaimed == 0, f"{left}")


def run(seed: int, options: Options = Options()) -> dict[str, Any]:
    """Run a seed. Raises `InvariantBroken` with the last events in its notes."""
    world = World(seed, options)
    try:
        return world.run()
    except BaseException as error:
        error.add_note("\n".join(["last events:", *world.trace]))
        error.add_note(f"again: {command_of(seed, options)}")
        raise


__all__ = ["InvariantBroken", "Options", "World", "run"]
