"""A small world around the court: keys, a chain without a wall clock, and batches to order.

The states are made up (the court looks only at what it opens), and so is the judge: evidence is
header, step and one byte, `F` for fraud, `N` for none, anything else for an error of the sender.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from clearing.codes import Tag
from clearing.keccak import tagged_hash
from clearing.recovery import address_of
from clearing.units import LAW_VERSION
from verifier.base.chain import Receipt, SimulatedChain
from verifier.base.chain_file import ChainFile
from verifier.base.transactions import (
    Body,
    ClaimCredit,
    ClaimWithdrawal,
    Commit,
    Deposit,
    Faucet,
    Finalise,
    PostBatch,
    ProveFraud,
    SettleReward,
    Transaction,
)
from verifier.batch import (
    BatchData,
    OpenedGlobals,
    Opening,
    Pair,
    Step,
    data_hash,
    steps_root,
)
from verifier.config import CourtConfig
from verifier.escrow import WithdrawalLeaf
from verifier.evidence import EvidenceError
from verifier.header import HEADER_BYTES, Header
from verifier.host.gas import CALL_GAS, TRANSACTION_GAS
from verifier.laws import EvidenceCheck
from verifier.rewards import commitment_of

CHAIN_ID = 7_777
SETTLEMENT = b"\x05" * 20
SEQUENCER, PROVER, ALICE, BOB = (bytes([0] * 31 + [i]) for i in (1, 2, 3, 4))
START_MS = 1_700_000_000_000
GAS = 40_000_000
NATIVE = 10**14
TOKEN = 10**12

GENESIS_GLOBALS = OpenedGlobals(
    law_version=LAW_VERSION,
    status=0,
    clock=START_MS,
    account_count=3,
    instrument_count=0,
    fund_count=3,
    withdrawal_count=0,
    inbox_count=0,
    inbox_accumulator=bytes(32),
    sequenced_count=0,
    custody=0,
    cash_total=0,
    pot_total=0,
    sequenced_accumulator=bytes(32),
    withdrawals_root=bytes(32),
    domain=b"\x09" * 32,
)
SUB_ROOTS = tuple(bytes([i]) * 32 for i in range(1, 9))


def judge(header: Header, evidence: bytes) -> bool:
    """Say what the last byte of the evidence says."""
    verdict = evidence[HEADER_BYTES + 4 :]
    if evidence[:HEADER_BYTES] != header.encode() or verdict not in (b"F", b"N"):
        raise EvidenceError("expected evidence of this batch, was something else")
    return verdict == b"F"


def evidence(header: Header, step: int = 0, verdict: bytes = b"F") -> bytes:
    return header.encode() + step.to_bytes(4, "big") + verdict


def opening_of(opened: OpenedGlobals) -> Opening:
    return Opening(opened.encode(), SUB_ROOTS)


def make_config(**changes: object) -> CourtConfig:
    config = CourtConfig.test(
        chain_id=CHAIN_ID, settlement=SETTLEMENT, sequencer=address_of(SEQUENCER)
    )
    return replace(config, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Batch:
    """What a batch is posted with."""

    header: Header
    opened: OpenedGlobals
    data: bytes

    @property
    def id(self) -> bytes:
        return self.header.batch_id()

    def body(self, bond: int) -> PostBatch:
        opening = opening_of(self.opened).encode()
        return PostBatch(bond, self.header.encode(), opening, self.data)


@dataclass
class World:
    """A chain, its clock, and shorthand for what happens on it."""

    config: CourtConfig = field(default_factory=make_config)
    now: int = START_MS
    seed: int = 0
    file: ChainFile | None = None
    check: EvidenceCheck = judge
    versions: tuple[int, ...] = (LAW_VERSION,)
    opened: dict[bytes, OpenedGlobals] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chain = SimulatedChain(
            self.config,
            opening_of(GENESIS_GLOBALS),
            clock=self.clock,
            seed=self.seed,
            file=self.file,
            laws={version: self.check for version in self.versions},
        )
        self.court = self.chain.court
        self.opened[self.chain.court.heads().tip_id] = GENESIS_GLOBALS

    def clock(self) -> int:
        return self.now

    def court_clock(self) -> int:
        """The clock of the tip."""
        return self.opened[self.court.heads().tip_id].clock

    def sign(self, key: bytes, body: Body, *, nonce: int | None = None, gas: int = GAS) -> bytes:
        if nonce is None:
            nonce = self.chain.ledger.account(address_of(key)).nonce
        return Transaction(CHAIN_ID, SETTLEMENT, nonce, gas, 1, body).sign(key)

    def send(self, key: bytes, body: Body, *, gas: int = GAS) -> Receipt:
        """Submit, build one block, and return the receipt."""
        submitted = self.chain.submit(self.sign(key, body, gas=gas))
        self.chain.mine()
        receipt = self.chain.receipt(submitted)
        assert receipt is not None
        # Whatever the court did was paid for; a faucet is no call of it.
        if receipt.error is None and not isinstance(body, Faucet):
            assert receipt.gas_used >= TRANSACTION_GAS + CALL_GAS, type(body).__name__
        return receipt

    def fund(self, *keys: bytes) -> None:
        for key in keys or (SEQUENCER, PROVER, ALICE, BOB):
            receipt = self.send(key, Faucet(address_of(key), NATIVE, TOKEN))
            assert receipt.error is None

    def deposit(self, key: bytes = ALICE, amount: int = 1_000, subaccount: int = 0) -> Receipt:
        return self.send(key, Deposit(address_of(key), subaccount, 0, amount))

    def after(self, consumed: int | None = None, **changes: Any) -> OpenedGlobals:
        """Return the globals that an honest batch on the tip would end with."""
        before = self.opened[self.court.heads().tip_id]
        inbox = self.court.inbox
        count = inbox.count if consumed is None else consumed
        credited = inbox.deposited_at(count) - inbox.deposited_at(before.inbox_count)
        fields: dict[str, Any] = {
            "clock": max(before.clock, self.now),
            "inbox_count": count,
            "inbox_accumulator": inbox.accumulator_at(count),
            "custody": before.custody + credited,
        }
        return before._replace(**(fields | changes))

    def build(
        self,
        opened: OpenedGlobals | None = None,
        steps: tuple[Step, ...] | None = None,
        **header: object,
    ) -> Batch:
        """Return a batch on the tip; `header` overrides single fields."""
        opened = self.after() if opened is None else opened
        steps = (Step(self.now, (b"\x04abc", b"")),) if steps is None else steps
        heads, head = self.court.heads(), self.chain.head()
        post_root = opening_of(opened).state_root()
        last = len(steps) - 1
        pairs = tuple(
            Pair(step.hash(), post_root if i == last else bytes([i % 251]) * 32)
            for i, step in enumerate(steps)
        )
        data = BatchData(pairs, steps).encode()
        fields: dict[str, object] = {
            "law_version": LAW_VERSION,
            "chain_id": CHAIN_ID,
            "settlement": SETTLEMENT,
            "generation": heads.generation,
            "number": heads.tip_number + 1,
            "parent_id": heads.tip_id,
            "base_number": head.number,
            "base_hash": head.hash,
            "pre_root": heads.tip_root,
            "post_root": post_root,
            "steps_root": steps_root(pairs),
            "step_count": len(steps),
            "data_kind": 0,
            "data_hash": data_hash(data),
            "data_length": len(data),
            "proposer": address_of(SEQUENCER),
        }
        batch = Batch(Header(**(fields | header)), opened, data)  # type: ignore[arg-type]
        self.opened[batch.id] = opened
        return batch

    def post(self, batch: Batch | None = None) -> Batch:
        """Post a batch (an honest one unless told) and insist that it is taken."""
        batch = self.build() if batch is None else batch
        receipt = self.try_post(batch)
        assert receipt.error is None, receipt.text
        return batch

    def try_post(self, batch: Batch, key: bytes = SEQUENCER, bond: int | None = None) -> Receipt:
        return self.send(key, batch.body(self.config.bond if bond is None else bond))

    def prove(self, batch: Batch, key: bytes = PROVER, step: int = 0) -> Receipt:
        return self.send(key, ProveFraud(batch.id, evidence(batch.header, step)))

    def tip(self) -> Batch:
        """Return the newest batch."""
        view = self.court.batch(self.court.heads().tip_id)
        assert view is not None
        data = self.court.batch_data(view.record.batch_id) or b""
        opened = self.opened[view.record.batch_id]
        return Batch(Header.decode(view.record.header), opened, data)

    def commit(self, batch: Batch, key: bytes = PROVER, step: int = 0) -> Receipt:
        """Commit to evidence against a step of a batch."""
        sent = evidence(batch.header, step)
        name = batch.header.generation, batch.id
        return self.send(key, Commit(commitment_of(address_of(key), *name, sent)))

    def settle_reward(self, batch: Batch) -> Receipt:
        """Wait for older commitments to the proof against a batch, then settle its reward."""
        self.chain.mine(self.config.reveal_window_blocks)
        return self.send(BOB, SettleReward(batch.header.generation, batch.id))

    def pass_window(self) -> None:
        self.chain.mine(self.config.final_after_blocks + 1)


def withdrawals_tree(leaves: list[WithdrawalLeaf]) -> tuple[bytes, dict[int, tuple[bytes, ...]]]:
    """Return the root over at most four withdrawals and the siblings of each."""
    hashes = [leaf.hash() for leaf in leaves]
    node = tagged_hash(Tag.NODE, b"".join(hashes + [bytes(32)] * (4 - len(hashes))))
    for _ in range(19):
        node = tagged_hash(Tag.NODE, node + bytes(96))
    return node, {i: tuple(hashes[:i] + hashes[i + 1 :]) for i in range(len(hashes))}


def withdrawing(world: World, finalise: bool = True) -> tuple[Batch, list[ClaimWithdrawal]]:
    """Post (and finalise) a batch with two withdrawals of 300 and 400 to Bob."""
    world.deposit(ALICE, 1_000)
    leaves = [WithdrawalLeaf(i, 0, 300 + 100 * i, 3, address_of(BOB)) for i in range(2)]
    root, siblings = withdrawals_tree(leaves)
    batch = world.post(
        world.build(world.after(withdrawal_count=2, withdrawals_root=root, custody=300))
    )
    if finalise:
        world.pass_window()
        assert world.send(BOB, Finalise(batch.id)).error is None
    claims = [
        ClaimWithdrawal(batch.id, leaf.index, leaf.encode(), siblings[leaf.index])
        for leaf in leaves
    ]
    return batch, claims


def claim(world: World, key: bytes, ahead: int = 0, fee: int = 1) -> bytes:
    """Return a signed transaction that fails in the court: order is all that matters."""
    nonce = world.chain.ledger.account(address_of(key)).nonce + ahead
    return Transaction(CHAIN_ID, SETTLEMENT, nonce, 300_000, fee, ClaimCredit()).sign(key)
