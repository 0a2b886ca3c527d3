"""The base layer of the world: a miner with bad habits, and the wire to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prover.engine import Engine
from simulator.disk import SimulatedCrash
from simulator.market import SETTLEMENT, address, court, genesis, key_of
from verifier.base.chain import SimulatedChain
from verifier.base.errors import BaseLayerUnavailable
from verifier.base.interface import InProcessBaseLayer
from verifier.base.mempool import censoring, delayed, first_come, shuffled
from verifier.base.transactions import Body, SignedTransaction, Transaction, TransactionKind

if TYPE_CHECKING:
    from simulator.world import World

GAS = 2_000_000
BLOCK_MS = 1_000
REORG_DEPTH_MAX = 4
CENSORED = {
    "proofs-censored": TransactionKind.PROVE_FRAUD,
    "batches-censored": TransactionKind.POST_BATCH,
    "deposits-censored": TransactionKind.DEPOSIT,
}


class BaseActor:
    """Builds a block a second. Everyone's transactions wait in its mempool."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("base")
        self.chain = SimulatedChain(
            court(),
            Engine(genesis(), 16).opening(),
            clock=lambda: world.now,
            seed=world.seed,
        )
        self.layer = InProcessBaseLayer(self.chain)

    def start(self) -> None:
        """Begin to build blocks."""
        self._world.after(BLOCK_MS, "base", "mine", self._mine)

    def send(self, name: str, body: Body, nonce: int | None = None, gas: int = GAS) -> bytes:
        """Submit a transaction of someone who sits beside the miner; return its bytes."""
        encoded = self.sign(name, body, nonce, gas)
        self.chain.submit(encoded)
        return encoded

    def sign(self, name: str, body: Body, nonce: int | None = None, gas: int = GAS) -> bytes:
        """Return a signed transaction, with the next nonce unless told."""
        if nonce is None:
            nonce = self.chain.ledger.account(address(name)).nonce
        config = self.chain.config
        transaction = Transaction(
            config.chain_id, SETTLEMENT, nonce, gas, config.fee_per_gas_min, body
        )
        return transaction.sign(key_of(name))

    def mine_one(self) -> None:
        """Build one block and look at what it did."""
        (block,) = self.chain.mine()
        self._world.note("base", f"block {block.number} {block.hash[:4].hex()}")
        self._world.invariants.on_block(block)

    def _mine(self) -> None:
        self._world.after(BLOCK_MS, "base", "mine", self._mine)
        self._evict()
        self._choose_policy()
        if self._happens("reorganisation"):
            self._reorganise()
        self.mine_one()

    def _happens(self, kind: str) -> bool:
        return self._world.faults.happens(kind, self._world.now)

    def _choose_policy(self) -> None:
        mempool = self.chain.mempool
        mempool.policy = first_come
        if self._happens("transactions-shuffled"):
            mempool.policy = shuffled(self._world.seed)
        if self._happens("transactions-delayed"):
            mempool.policy = delayed(1)
        for kind, censored in CENSORED.items():
            if self._happens(kind):
                mempool.policy = censoring(kinds=[censored])

    def _evict(self) -> None:
        mempool = self.chain.mempool
        waiting = mempool.offered(self.chain.head().number + 1)
        if waiting and self._happens("transaction-evicted"):
            mempool.remove(self._chance.choice(waiting).signed.hash)

    def _reorganise(self) -> None:
        head = self.chain.head()
        depth_max = min(head.number - head.finalised_number, REORG_DEPTH_MAX)
        if depth_max < 1:
            return
        depth = self._chance.randint(1, depth_max)
        blocks = [self.chain.block(head.number - i) for i in range(depth)]
        gone = [
            signed.hash
            for block in blocks
            if block is not None
            for signed in block.transactions
            # The faucet's money is where the world begins; nobody asks for it twice.
            if signed.transaction.body.kind != TransactionKind.FAUCET
            and self._happens("reorganised-for-ever")
        ]
        self.chain.reorg(depth, gone)
        self._world.note("base", f"reorganisation of {depth}, {len(gone)} transactions gone")
        self._world.invariants.on_reorg()
        for _ in range(depth):
            self.mine_one()


class Wire:
    """`BaseLayer` as somebody far away sees it: now and then it does not answer."""

    def __init__(self, world: World, layer: InProcessBaseLayer, crash: str) -> None:
        self._world = world
        self._layer = layer
        self._crash = crash

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._layer, name)

        def call(*arguments: Any) -> Any:
            self._fail_if("base-layer-unreachable", name)
            if name == "batch_data":
                self._fail_if("data-unavailable", name)
            return method(*arguments)

        return call

    def config(self) -> Any:
        """Read once at a start, from a file as it were."""
        return self._layer.config()

    def submit(self, transaction: bytes) -> bytes:
        """Submit, unless the way there or the way back is lost."""
        self._fail_if("base-layer-unreachable", "submit")
        if self._world.faults.happens("transaction-lost", self._world.now):
            # Taken by a server that forgets it: the caller believes that it waits.
            return SignedTransaction.decode(transaction).hash
        answer = self._layer.submit(transaction)
        if self._world.faults.happens(self._crash, self._world.now):
            raise SimulatedCrash
        self._fail_if("answer-lost", "submit")
        return answer

    def _fail_if(self, kind: str, method: str) -> None:
        if self._world.faults.happens(kind, self._world.now):
            raise BaseLayerUnavailable(method, f"simulated: {kind}")
