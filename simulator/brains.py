"""Split brain: a second node of the same operator, on a copy of the disks, that serves as well.

Both sign receipts with one key, and both find their word kept by themselves. Whoever holds a
receipt of each shows the two to the court, which takes the operator's stake.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from clearing.codes import Kind
from clearing.decode import recover_signers
from node.errors import StorageError
from node.events import (
    Append,
    Effect,
    Event,
    GenerationMoved,
    Prepare,
    Prepared,
    Reply,
    Sealed,
    Submitted,
    Sync,
    Synced,
)
from node.receipts import Receipt
from node.records import SealRecord
from simulator.broken import require
from simulator.market import CLAIMER, OPERATOR, address, asked
from verifier.base.transactions import ProveReceipt
from verifier.errors import Refused
from verifier.receipts import SignedReceipt, TwoReceipts

if TYPE_CHECKING:
    from simulator.node import Opened
    from simulator.world import World

PACE_MS = 2_000
FRAMES = 8  # that the second node acknowledges before it is found and stopped
STRANGER = 10**6  # accounts that nobody has
PROOF_GAS = 20_000_000


class Brains:
    """Starts second nodes, and compares what they signed with what the first one signed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._second: dict[tuple[int, int], SignedReceipt] = {}
        self._asked = 0
        self.found: TwoReceipts | None = None

    def start(self) -> None:
        """Begin to go wrong, and to compare."""
        self._world.after(PACE_MS, "brains", "compare", self._compare)

    def _compare(self) -> None:
        self._world.after(PACE_MS, "brains", "compare", self._compare)
        node = self._world.node
        if node.sequencer is not None and self._world.faults.happens(
            "split-brain", self._world.now
        ):
            self._split()
        court = self._world.base.chain.court
        if self.found is None or court.stakes.of(address(OPERATOR)).amount == 0:
            self.found = self._contradiction()
        if self.found is not None and court.stakes.of(address(OPERATOR)).amount:
            try:
                body = ProveReceipt(self.found.encode())
                self._world.base.send(CLAIMER, body, gas=PROOF_GAS)
            except Refused as refused:
                self._world.note("brains", f"refused: {refused.code.name}")

    def _contradiction(self) -> TwoReceipts | None:
        first = self._world.invariants.receipts
        for place, receipt in self._second.items():
            if place in first and first[place].accumulator != receipt.accumulator:
                return TwoReceipts(first[place], receipt)
        return None

    def _split(self) -> None:
        """Let a second node acknowledge a few things that the first one never hears of."""
        world = self._world
        try:
            opened = world.node.open(world.node.disks.twins(), world.base.layer)
        except StorageError as error:
            world.note("brains", f"no second node: {type(error).__name__}")
            return
        sequence(opened, world.now, GenerationMoved(world.base.chain.court.heads().generation))
        for number in range(FRAMES):
            self._asked += 1
            action = asked(Kind.MARK_TO_MARKET, account=STRANGER + self._asked)
            lengths = np.array([len(action)], np.int64)
            request = Submitted(number, action, lengths, world.now + PACE_MS)
            for receipt in sequence(opened, world.now, request):
                self._second[receipt.generation, receipt.count] = SignedReceipt(
                    receipt.generation, receipt.count, receipt.accumulator, receipt.signature
                )
        world.note("brains", f"a second node signed {len(self._second)} receipts")


def check_stake(world: World) -> None:
    """I12: two receipts that contradict each other cost the stake, and nothing else does."""
    stake = world.base.chain.court.stakes.of(address(OPERATOR))
    caught = world.brains.found is not None
    require("I12", not caught or stake.amount == 0, "two brains, and the stake is still there")
    proven = world.invariants.receipts_broken
    require("I12", caught or not proven, "an honest operator was found to break receipts")


def sequence(
    opened: Opened, now_ms: int, event: Event, seals: list[SealRecord] | None = None
) -> list[Receipt]:
    """Handle an event and everything that follows from it; return the receipts that were given.

    Batches that are sealed are added to `seals`.
    """
    log, sequencer = opened.log, opened.recovered.sequencer
    receipts = []
    queue: deque[Effect] = deque(sequencer.handle(now_ms, event))
    while queue:
        match queue.popleft():
            case Prepare(blob, offsets):
                columns = sequencer.engine.decode(blob, offsets)
                recover_signers(columns)
                queue.extend(sequencer.handle(now_ms, Prepared(columns)))
            case Append(_, kind, payload):
                log.append(kind, payload)
            case Sync():
                queue.extend(sequencer.handle(now_ms, Synced(log.sync().sequence)))
            case Sealed(_, seal) if seals is not None:
                seals.append(seal)
            case Reply() as reply if reply.receipt is not None:
                receipts.append(reply.receipt)
            case _:
                pass
    return receipts
