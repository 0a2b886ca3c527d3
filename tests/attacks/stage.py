"""A stage on which honest parties live through one life of the court, whatever the base layer does.

Everybody acts on what the head shows: whoever has something left to do tries it against the head
and sends it if that works. So nothing has to be told of a reorganisation, a lost transaction or a
censor: what was undone is wanted again.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from clearing.recovery import address_of
from clearing.units import LAW_VERSION
from tests.support.exits import ExitWorld
from tests.verifier.court_world import GAS, NATIVE, Batch, judge, make_config
from verifier.base.chain import Receipt, SimulatedChain
from verifier.base.chain_file import ChainFile
from verifier.base.mempool import Pending, Policy, first_come
from verifier.base.transactions import Body, SignedTransaction, Transaction, TransactionKind
from verifier.batch import OpenedGlobals, Step
from verifier.batches import BatchStatus, BatchView
from verifier.config import FINALITY_EPOCHS
from verifier.evidence import EvidenceError
from verifier.header import Header
from verifier.host import storage
from verifier.host.storage import Cell, Table, UndoLog

LIAR, GUARDIAN, COPYCAT = b"\x07" * 32, b"\x08" * 32, b"\x09" * 32
FEE = 1  # gwei per gas
FEE_MAX = NATIVE // (1_000 * GAS)


class Scene(NamedTuple):
    """A block as it came: the clock that it was mined at, and its transactions in order."""

    clock: int
    transactions: tuple[bytes, ...]


@dataclass(frozen=True)
class Move:
    """What somebody wants done: `done` sees it on the chain, `body` is what to send for it.

    Without a key nothing is sent: `body` moves the clock.
    """

    name: str
    key: bytes
    body: Callable[[Stage], Body | None]
    done: Callable[[Stage], bool]


@dataclass(frozen=True)
class Lifecycle:
    """One life: moves in groups, each group wanted once the one before it is done.

    `liars` are the only ones who may lose a bond or a stake. `patience` is for how many blocks
    anybody may be censored without loss. `changes` are to the stage's configuration.
    """

    name: str
    groups: tuple[tuple[Move, ...], ...]
    liars: tuple[bytes, ...] = ()
    patience: int = 9
    changes: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Stage], None] | None = None

    def wanted(self, stage: Stage) -> list[Move]:
        """Return what is left of the first group that is not done."""
        for group in self.groups:
            left = [move for move in group if not move.done(stage)]
            if left:
                return left
        return []


@dataclass
class Stage(ExitWorld):
    """A world whose batches have names, and whose blocks are remembered as they came."""

    batches: dict[str, list[Batch]] = field(default_factory=dict)
    wrong: set[bytes] = field(default_factory=set)  # batches that the law refutes
    scenes: list[Scene] = field(default_factory=list)
    papers: dict[str, bytes] = field(default_factory=dict)  # claims that are ready to be sent
    bids: bool = False  # whether whoever waits offers more
    pace_ms: int = 1_000
    skew_ms: int = 0  # by how much a proposer's clock leads the base layer's

    def __post_init__(self) -> None:
        self.check = self.judge
        super().__post_init__()

    # Time and blocks

    def tick(self) -> None:
        """Let the clock go on and build a block of what waits."""
        self.now += self.pace_ms
        self.mine_at(self.now)

    def mine_at(self, now: int) -> None:
        """Build a block when the clock shows this."""
        self.now = now
        (block,) = self.chain.mine()
        self.scenes.append(Scene(now, tuple(one.encoded for one in block.transactions)))

    def play(self, scene: Scene) -> None:
        """Build the block that came before, of the same transactions in the same order."""
        chosen = [SignedTransaction.decode(one).hash for one in scene.transactions]
        for encoded, name in zip(scene.transactions, chosen, strict=True):
            if name not in self.chain.mempool:
                self.chain.submit(encoded)
        with self.policy(only(chosen)):
            self.mine_at(scene.clock)

    def reorg(self, depth: int, drop: Sequence[bytes] = ()) -> list[Scene]:
        """Drop blocks, and these transactions with them; return what came in the blocks."""
        gone = self.scenes[-depth:]
        self.chain.reorg(depth, drop)
        del self.scenes[-depth:]
        return gone

    def depth_max(self) -> int:
        """Return how many blocks may be dropped, of those that were played."""
        head = self.chain.head()
        return min(head.number - head.finalised_number, len(self.scenes))

    def policy(self, policy: Policy) -> _Under:
        """Let a builder of blocks follow a policy for a while."""
        return _Under(self, policy)

    # Whoever has something left to do

    def act(self, lifecycle: Lifecycle) -> None:
        """Let everybody send what he wants now, if it works and he waits for nothing else."""
        for move in lifecycle.wanted(self):
            if not move.key:
                move.body(self)
            elif not self.waits(move.key):
                body = move.body(self)
                if body is not None and self.works(move.key, body):
                    self.chain.submit(self.sign(move.key, body))

    def waits(self, key: bytes) -> bool:
        """Say whether a transaction of the key could be in the next block; bid more for it."""
        address = address_of(key)
        nonce = self.chain.ledger.account(address).nonce
        mine = [
            one.signed
            for one in first_come(list(self.chain.mempool._waiting.values()), 0)
            if one.signed.sender == address and one.signed.transaction.nonce == nonce
        ]
        if mine and self.bids:
            dearest = max(mine, key=lambda one: one.transaction.fee_per_gas).transaction
            if dearest.fee_per_gas * 2 <= FEE_MAX:
                more = dearest.fee_per_gas * 2
                self.chain.submit(self.signed(key, dearest.body, nonce, more))
        return bool(mine)

    def works(self, key: bytes, body: Body) -> bool:
        """Say whether a call would do what it asks for in the next block."""
        return self.chain.dry_run(self.sign(key, body)).error is None

    def signed(self, key: bytes, body: Body, nonce: int, fee: int = FEE) -> bytes:
        """Return a signed transaction that pays so much for its gas."""
        config = self.config
        return Transaction(config.chain_id, config.settlement, nonce, GAS, fee, body).sign(key)

    def live(self, lifecycle: Lifecycle, blocks_max: int) -> int:
        """Let everybody act until nothing is left to do; return in how many blocks."""
        for count in range(blocks_max):
            if not lifecycle.wanted(self):
                return count
            self.act(lifecycle)
            self.tick()
        left = [move.name for move in lifecycle.wanted(self)]
        raise AssertionError(f"{lifecycle.name}: still wanted after {blocks_max} blocks: {left}")

    def happened(self, kind: TransactionKind, key: bytes = b"") -> bool:
        """Say whether a transaction, of the key if one is given, did what it asked for."""
        senders, number = [address_of(key)] if key else [], self.chain.head().number
        return any(
            receipt.kind == kind
            and receipt.error is None
            and (not senders or receipt.sender in senders)
            for block in range(number - len(self.scenes) + 1, number + 1)
            for receipt in receipts_in(self.chain, block)
        )

    # Batches

    def after(self, consumed: int | None = None, **changes: Any) -> OpenedGlobals:
        """Return the globals that an honest batch on the tip would end with, by its own clock."""
        clock = max(self.court_clock(), self.now + self.skew_ms)
        return super().after(consumed, **({"clock": clock} | changes))

    def make(
        self, name: str, opened: OpenedGlobals | None = None, lie: bool = False, **header: Any
    ) -> Batch:
        """Build a batch on the tip that names a final base block, as an honest poster's does."""
        head = self.chain.head()
        step = Step(self.court_clock(), (b"\x04" + name.encode(), b""))
        fields: dict[str, Any] = {
            "base_number": head.finalised_number, "base_hash": head.finalised_hash,
        }  # fmt: skip
        batch = self.build(opened, (step,), **(fields | header))
        return self.remember(name, batch, lie)

    def remember(self, name: str, batch: Batch, lie: bool = False) -> Batch:
        """Know a batch by its name from now on."""
        self.batches.setdefault(name, []).append(batch)
        self.opened[batch.id] = batch.opened
        if lie:
            self.wrong.add(batch.id)
        return batch

    def views(self, name: str) -> Iterator[tuple[Batch, BatchView]]:
        """Yield the batches of a name that the court knows."""
        for batch in self.batches.get(name, ()):
            view = self.court.batch(batch.id)
            if view is not None:
                yield batch, view

    def posted(self, name: str) -> Batch | None:
        """Return the batch of a name that was posted, standing or fallen, or None."""
        found = None
        for batch, view in self.views(name):
            if view.status != BatchStatus.REVERTED:
                return batch
            found = batch
        return found

    def stands(self, name: str) -> Batch | None:
        """Return the batch of a name that stands, or None."""
        for batch, view in self.views(name):
            if view.status != BatchStatus.REVERTED:
                return batch
        return None

    def is_final(self, name: str) -> bool:
        """Say whether a batch of that name is final."""
        return any(view.status == BatchStatus.FINALISED for _, view in self.views(name))

    def judge(self, header: Header, evidence: bytes) -> bool:
        """Judge by what is true, whatever the evidence says."""
        if not judge(header, evidence):
            return False
        if header.batch_id() not in self.wrong:
            raise EvidenceError("expected evidence that shows something, was a claim")
        return True


class _Under:
    def __init__(self, stage: Stage, policy: Policy) -> None:
        self._stage, self._policy = stage, policy

    def __enter__(self) -> None:
        self._before = self._stage.chain.mempool.policy
        self._stage.chain.mempool.policy = self._policy

    def __exit__(self, *_: object) -> None:
        self._stage.chain.mempool.policy = self._before


def only(chosen: Sequence[bytes]) -> Policy:
    """Return a policy that offers these transactions in this order, and nothing else."""

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        named = {pending.signed.hash: pending for pending in waiting}
        return [named[one] for one in chosen if one in named]

    return policy


Memory = dict[str, Table[Any, Any] | Cell[Any]]


def memory_of(chain: SimulatedChain) -> Memory:
    """Return all tables and cells of court and ledger, by where they stand."""
    found: Memory = {}
    _collect(chain, found, {})
    return found


def fixed_of(chain: SimulatedChain) -> dict[str, str]:
    """Return everything else that court and ledger hold, which no call may change."""
    fixed: dict[str, str] = {}
    _collect(chain, {}, fixed)
    return fixed


def _collect(chain: SimulatedChain, memory: Memory, fixed: dict[str, str]) -> None:
    seen: set[int] = set()
    _visit(chain.ledger, "ledger", memory, fixed, seen)
    _visit(chain.court, "court", memory, fixed, seen)


def _visit(thing: Any, where: str, memory: Memory, fixed: dict[str, str], seen: set[int]) -> None:
    if isinstance(thing, Table | Cell):
        memory.setdefault(where, thing)
    elif isinstance(thing, UndoLog) or callable(thing) or id(thing) in seen:
        return
    elif isinstance(thing, tuple) and any(isinstance(one, Table) for one in thing):
        for place, one in enumerate(thing):
            _visit(one, f"{where}[{place}]", memory, fixed, seen)
    elif type(thing).__module__.startswith("verifier.") and hasattr(thing, "__dict__"):
        seen.add(id(thing))
        for name, value in vars(thing).items():
            _visit(value, f"{where}.{name}", memory, fixed, seen)
    elif isinstance(thing, Mapping):
        fixed[where] = repr(sorted(thing))
    else:
        fixed[where] = repr(thing)


def state_of(chain: SimulatedChain) -> dict[str, dict[Any, Any]]:
    """Return everything that court and ledger remember, as it stands."""
    return {where: dict(one._values) for where, one in memory_of(chain).items()}


def receipts_of(chain: SimulatedChain) -> list[tuple[Any, ...]]:
    """Return what became of every transaction, but for the hashes of blocks."""
    return [
        (one.transaction_hash, one.block_number, one.index, one.error, one.gas_used, one.events)
        for number in range(chain.head().number + 1)
        for one in receipts_in(chain, number)
    ]


def receipts_in(chain: SimulatedChain, number: int) -> tuple[Receipt, ...]:
    """Return what became of the transactions of a block."""
    block = chain.block(number)
    assert block is not None
    return block.receipts


def begin(lifecycle: Lifecycle, file: ChainFile | None = None, like: Stage | None = None) -> Stage:
    """Return a stage before the first transaction of a life; what came before is final.

    It knows the batches of a stage on which the life was played already, if there is one.
    """
    changes = dict(lifecycle.changes)
    versions = changes.pop("versions", (LAW_VERSION,))
    stage = Stage(make_config(**changes), versions=versions, file=file)
    if lifecycle.prepare is None:
        stage.fund()
    else:
        lifecycle.prepare(stage)
    for key in (LIAR, GUARDIAN, COPYCAT):
        stage.fund(key)
    for _ in range(FINALITY_EPOCHS * stage.config.epoch_blocks):
        stage.tick()
    stage.scenes.clear()
    if like is not None:
        stage.batches, stage.wrong = copy.deepcopy(like.batches), set(like.wrong)
        stage.opened |= like.opened
    return stage


def fork(stage: Stage) -> Stage:
    """Return a stage that goes its own way from here."""
    return copy.deepcopy(stage, {id(storage._MISSING): storage._MISSING})
