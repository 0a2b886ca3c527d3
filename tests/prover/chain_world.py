"""A market on a simulated base layer, with a sequencer that can be made to cheat."""

from dataclasses import replace

from clearing.keys import address_of
from clearing.messages import Inbox
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.replica import Replica
from tests.prover.market import START_MS, Market, key_of
from tests.support.committee import WINDOWS
from verifier.base.chain import SimulatedChain
from verifier.base.interface import InProcessBaseLayer
from verifier.base.transactions import Deposit, Faucet, PostBatch, Transaction
from verifier.committee import NO_COMMITTEE
from verifier.config import CourtConfig
from verifier.header import Header
from verifier.laws import LAWS

SEQUENCER, PROVER = key_of(500), key_of(501)
GAS = 50_000_000


class ChainWorld:
    """The sequencer's engine moves with every batch made; ``rewind`` takes it back to a root."""

    def __init__(self, accounts=4, committee=NO_COMMITTEE, laws=LAWS):
        self.market = Market()
        genesis = self.market.genesis
        self.engine = Engine(genesis, accounts_capacity=8)
        self.config = CourtConfig.test(
            chain_id=genesis.chain_id,
            settlement=genesis.settlement,
            sequencer=address_of(SEQUENCER),
        )
        if committee.members:
            self.config = replace(self.config, committee=committee, **WINDOWS)
        self.now = START_MS
        self.chain = SimulatedChain(
            self.config, self.engine.opening(), clock=lambda: self.now, seed=7, laws=laws
        )
        self.base = InProcessBaseLayer(self.chain)
        for key in (SEQUENCER, PROVER):
            self.send(key, Faucet(address_of(key), 10**14, 0))
        for account in range(accounts):
            owner = address_of(key_of(account))
            self.send(key_of(account), Faucet(owner, 10**12, 10**12))
            self.send(key_of(account), Deposit(owner, 0, 0, 10**10))

    def replica(self):
        return Replica(self.market.genesis, 8)

    def mine(self, count=1):
        for _ in range(count):
            self.now += self.config.block_time_ms
            self.chain.mine()

    def send(self, key, body):
        nonce = self.base.account(address_of(key)).nonce
        config = self.config
        signed = Transaction(config.chain_id, config.settlement, nonce, GAS, 1, body).sign(key)
        sent = self.base.submit(signed)
        self.mine()
        receipt = self.base.receipt(sent)
        assert receipt is not None and receipt.error is None, receipt
        return receipt

    def deposits(self):
        """Inbox actions that the engine has not consumed."""
        entries = self.base.inbox(int(self.engine.totals.inbox_count), 100)
        return [Inbox(entry.message).encode() for entry in entries]

    def place(self):
        heads, head = self.base.heads(), self.base.head()
        return Place(
            heads.generation,
            heads.tip_number + 1,
            heads.tip_id,
            head.number,
            head.hash,
            address_of(SEQUENCER),
        )

    def post(self, posting):
        body = PostBatch(
            self.config.bond, posting.header.encode(), posting.opening.encode(), posting.data
        )
        self.send(SEQUENCER, body)
        return posting.header.batch_id()

    def opening_batch(self):
        """Post the batch that takes the deposits in and sets prices."""
        self.market.time = self.now
        forge = BatchForge(self.engine)
        prices = [self.market.price(i) for i in range(len(self.market.genesis.instruments))]
        steps = forge.honest([*self.deposits(), *prices], self.now)
        assert not steps.codes.any()
        return self.post(forge.finish(self.place()))

    def honest_batch(self, trades=10):
        forge = BatchForge(self.engine)
        actions = [self.market.trade(i % 3, i % 3 + 1) for i in range(trades)]
        steps = forge.honest(actions, self.now)
        assert not steps.codes.any()
        return self.post(forge.finish(self.place()))

    def forged_batch(self, mutate=None, prepare=None, actions=None, honest=10):
        """Post a batch whose last step is forged, behind ``honest`` honest trades."""
        forge = BatchForge(self.engine)
        if honest:
            forge.honest([self.market.trade(0, 1) for _ in range(honest)], self.now)
        forge.forged(actions or [self.market.trade(1, 2)], self.now, prepare, mutate)
        return self.post(forge.finish(self.place()))

    def rewind(self):
        """Rebuild the sequencer's engine from the base layer's canonical batches."""
        replica = self.replica()
        for view in self.base.batches(1, 1000):
            header = decode_header(view)
            replica.judge(header, self.base.batch_data(view.record.batch_id))
        self.engine = replica.engine


def decode_header(view):
    return Header.decode(view.record.header)
