"""What the node's tests stand on: a small genesis, signed actions, a node in one thread."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from clearing import eip712
from clearing.decode import recover_signers
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.keys import address_of, sign
from clearing.messages import (
    Authorisation,
    InboxMessage,
    Order,
    Price,
    PriceObservation,
    Trade,
    Withdraw,
)
from node.batcher import BatchPolicy
from node.events import (
    Append,
    Effect,
    Event,
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
)
from node.log import Log
from node.receipts import receipt_signer
from node.replay import Recovered, recover
from node.sequencer import Limits
from simulator.disk import SimDisk

CHAIN_ID = 31_337
SETTLEMENT = bytes(19) + b"\x01"
START_MS = 1_700_000_000_000
PRICE = 50_000_000
TICK = 1_000
FAR = 1 << 61

SEQUENCER_KEY = bytes(31) + b"\x11"
PUBLISHER_KEY = bytes(31) + b"\x12"
ALICE_KEY = bytes(31) + b"\x13"
BOB_KEY = bytes(31) + b"\x14"
DOMAIN = eip712.domain_separator(CHAIN_ID, SETTLEMENT)

LIMITS = Limits(
    queue_actions_max=1_000,
    queue_bytes_max=1_000_000,
    frame_actions_max=256,
    frame_bytes_max=400_000,
    inbox_per_frame_max=8,
    actions_per_ms=10,
)
POLICY = BatchPolicy(steps_max=512, bytes_max=1 << 20, interval_ms=1_000)


def genesis() -> Genesis:
    """One market, one publisher, no funding for a while."""
    return Genesis(
        chain_id=CHAIN_ID,
        settlement=SETTLEMENT,
        time_ms=START_MS,
        publishers=(address_of(PUBLISHER_KEY),),
        price_quorum=1,
        tiers=(GenesisTier(100_000, 50_000, 1 << 60, 1 << 61),),
        instruments=(
            GenesisInstrument(
                "BTC-PERP", 0, TICK, 1_000_000, open_interest_cap=1 << 40, position_cap=1 << 40
            ),
        ),
    )


def deposit(index: int, account: int, key: bytes, amount: int = 10**12) -> bytes:
    return InboxMessage(
        kind=1,
        index=index,
        account=account,
        owner=address_of(key),
        subaccount=0,
        asset=0,
        amount=amount,
    ).encode()


DEPOSITS = (deposit(0, 0, ALICE_KEY), deposit(1, 1, BOB_KEY))


def price(time_ms: int, mark: int = PRICE) -> bytes:
    """A price action of the one publisher."""
    struct = eip712.hash_struct(eip712.PRICE_TYPE, 0, mark, mark, time_ms)
    signature = sign(PUBLISHER_KEY, eip712.digest(DOMAIN, struct))
    return Price(0, (PriceObservation(mark, mark, time_ms, signature),)).encode()


def trade(sequence: int, lots: int = 10, at: int = PRICE, slot: int = 0) -> bytes:
    """Alice (account 0) sells `lots` to Bob (account 1), each order only as large as the fill."""

    def order(account: int) -> Order:
        return Order(
            account=account,
            lots=lots,
            limit_price=at,
            slot=slot,
            sequence=sequence,
            expiry=FAR,
            max_fee=1_000,
            flags=0,
        )

    bare = Trade(
        instrument=0,
        lots=lots,
        price=at,
        maker_fee=0,
        taker_fee=500,
        venue=bytes(20),
        maker_side=2,
        maker=order(0),
        taker=order(1),
    )
    maker, taker = (
        Authorisation(sign(key, digest))
        for key, (digest, _) in zip((ALICE_KEY, BOB_KEY), bare.signed(DOMAIN), strict=True)
    )
    return replace(bare, maker_authorisation=maker, taker_authorisation=taker).encode()


def withdraw(sequence: int, amount: int = 10**6, account: int = 0) -> bytes:
    bare = Withdraw(account, 0, amount, sequence, FAR)
    (digest, _) = bare.signed(DOMAIN)[0]
    return replace(bare, signature=sign(ALICE_KEY, digest)).encode()


def submission(request: int, *actions: bytes, deadline_ms: int = FAR) -> Submitted:
    lengths = np.array([len(action) for action in actions], np.int64)
    return Submitted(request, b"".join(actions), lengths, deadline_ms)


class Shell:
    """Performs the sequencer's effects on a disk, in one thread, in the order they come."""

    def __init__(
        self,
        disk: Any | None = None,
        limits: Limits = LIMITS,
        policy: BatchPolicy = POLICY,
        segment_bytes_max: int = 1 << 20,
    ) -> None:
        self.disk = disk if disk is not None else SimDisk(random.Random(1))
        self.log = Log.open(self.disk, segment_bytes_max=segment_bytes_max)
        self.recovered: Recovered = recover(
            self.log, genesis(), limits, policy, receipt_signer(SEQUENCER_KEY, DOMAIN)
        )
        self.sequencer = self.recovered.sequencer
        self.now_ms = START_MS
        self.replies: dict[int, Reply] = {}
        self.refusals: dict[int, Refuse] = {}
        self.seals = list(self.recovered.seals)
        self.published: list[Publish] = []
        self.held: list[Prepare] = []
        self.hold = False

    @property
    def engine(self) -> Any:
        return self.sequencer.engine

    def send(self, event: Event) -> None:
        """Handle an event and everything that follows from it."""
        queue: deque[Effect] = deque(self.sequencer.handle(self.now_ms, event))
        while queue:
            queue.extend(self._perform(queue.popleft()))

    def release(self) -> None:
        """Finish the preparations that were held back."""
        self.hold = False
        while self.held:
            self.send(self._prepared(self.held.pop(0)))

    def submit(self, request: int, *actions: bytes) -> Reply:
        self.send(submission(request, *actions))
        return self.replies[request]

    def fund(self) -> None:
        """Two deposits and a price."""
        self.send(InboxArrived(0, DEPOSITS))
        self.submit(10**6, price(self.now_ms))

    def _prepared(self, effect: Prepare) -> Prepared:
        columns = self.engine.decode(effect.blob, effect.offsets)
        recover_signers(columns)
        return Prepared(columns)

    def _perform(self, effect: Effect) -> list[Effect]:
        match effect:
            case Prepare() if self.hold:
                self.held.append(effect)
            case Prepare():
                return self.sequencer.handle(self.now_ms, self._prepared(effect))
            case Append(token, kind, payload):
                assert self.log.append(kind, payload) == token
            case Sync():
                tail = self.log.sync()
                return self.sequencer.handle(self.now_ms, Synced(tail.sequence))
            case Reply(request):
                assert request not in self.replies
                self.replies[request] = effect
            case Refuse(request):
                self.refusals[request] = effect
            case Publish():
                self.published.append(effect)
            case Sealed(_, seal):
                self.seals.append(seal)
        return []
