"""Invariants of what stands: each function looks at one thing and raises what is broken there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clearing.codes import Kind
from clearing.forms import FORMS
from node.events import Publish
from node.log import RECORDS_OFFSET, Log
from node.margins import margin_of, position_numbers
from node.shell import fold
from simulator.broken import require
from verifier.base.interface import BatchView
from verifier.header import Header

if TYPE_CHECKING:
    from simulator.node import NodeActor
    from simulator.world import World

# How long an account may fail while its node runs and its keeper can act. A keeper looks every
# 0.7 s, at one of those who fail, over a wire that loses and delays.
GRACE_MS = 25_000
PAUSE_MS_MAX = 1_000  # between two frames: what is longer, the node was down or nobody asked it
LATE_TICKS_MAX = 30  # of the node, in which a beat has to be taken down
PLACES_MAX = 40  # positions that one action settles at most, each rounded by less than a unit
# What names a failing account, and in which field.
ATTEMPTS = {
    Kind.LIQUIDATE: "account",
    Kind.AUCTION_START: "account",
    Kind.AUCTION_BID: "account",
    Kind.POOL_TAKEOVER: "account",
    Kind.CONVERT: "account",
}


def check_variation(state: Any) -> None:
    """I3: at every mark the winners of a market win what its losers lose, and funding is covered.

    What accounts owe the pot and what is in it is never below zero, nor above what roundings left.
    """
    totals = state.globals[0]
    count = int(totals.instrument_count)
    worth, owed = [0] * count, [0] * count
    values = np.zeros(state.accounts["positions"].shape[1], np.int64)
    due = np.zeros_like(values)
    for row in range(int(totals.account_count)):
        account = state.accounts[row]
        position_numbers(state, row, values, due)
        for place in range(int(account.position_count)):
            market = int(account.positions[place].instrument)
            worth[market] += int(values[place])
            owed[market] += int(due[place])
    touches = PLACES_MAX * (int(totals.sequenced_count) + int(totals.inbox_count) + 1)
    for market in range(count):
        row = state.instruments[market]
        # Lots that settlement closed were paid out of the pot at the settlement price.
        settled = int(row.settled_lots) * int(row.settle_price)
        require(
            "I3",
            worth[market] + settled == 0,
            f"market {market}: gains and losses sum to {worth[market] + settled}",
        )
        left = int(row.pot) + settled + owed[market]
        require("I3", 0 <= left <= touches, f"market {market}: {left} left of funding")


def check_chain(views: Sequence[BatchView], generation: int) -> None:
    """I11: batches follow one another in number, name and state; generations only grow; and in
    each of them one key posts."""
    headers = [Header.decode(view.record.header) for view in views if view.record.number]
    posters: dict[int, bytes] = {}
    for before, header in zip([None, *headers], headers, strict=False):
        text = f"batch {header.number} of generation {header.generation}"
        if before is not None:
            require("I11", header.number == before.number + 1, f"{text} follows {before.number}")
            require("I11", header.parent_id == before.batch_id(), f"{text} has another parent")
            require("I11", header.pre_root == before.post_root, f"{text} begins elsewhere")
            require("I11", header.generation >= before.generation, f"{text} goes back")
        require("I11", header.generation <= generation, f"{text} is ahead of {generation}")
        poster = posters.setdefault(header.generation, header.proposer)
        require("I11", poster == header.proposer, f"{text} is of a second sequencer")


class Graces:
    """I13: nobody fails maintenance for longer than the grace without an attempt to liquidate.

    Only time in which the node ran and the keeper had an account is counted.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._failing: Counter[int] = Counter()
        self._seen_ms = 0

    def look(self, effect: Publish, state: Any, actions: Iterable[bytes]) -> None:
        """Look at the state after a frame, and at what the frame tried."""
        passed = min(effect.frame.time_ms - self._seen_ms, PAUSE_MS_MAX)
        self._seen_ms = effect.frame.time_ms
        tried = {named_by(action) for action in actions}
        can_act = self._world.traders.keeper.account is not None
        for row in range(int(state.globals[0].account_count)):
            margin = margin_of(state, row)
            fails = margin.valid and margin.equity < margin.maintenance
            if not fails or row in tried:
                del self._failing[row]
            elif can_act and not self._world.keeper.finished:
                self._failing[row] += passed
                waited = self._failing[row]
                require("I13", waited <= GRACE_MS, f"account {row} fails for {waited} ms")


class Beating:
    """I19: while a node runs, its clock is carried on, whether or not anybody wants anything."""

    def __init__(self) -> None:
        self._late = 0

    def look(self, lag_ms: int, beat_ms: int) -> None:
        """Look at a tick of a node that runs, at its law's lag behind its own clock."""
        self._late = self._late + 1 if lag_ms > beat_ms else 0
        require("I19", self._late <= LATE_TICKS_MAX, f"the law's clock lags by {lag_ms} ms")


def named_by(action: bytes) -> int | None:
    """Return the failing account that an action is after, None if it is after none."""
    kind = action[0] if action else 0
    if kind not in ATTEMPTS:
        return None
    offset = 1
    for field in FORMS[Kind(kind)].fields:
        if field.name == ATTEMPTS[Kind(kind)]:
            return int.from_bytes(action[offset : offset + field.size], "big")
        offset += field.size
    raise AssertionError(f"kind {kind} names nobody")


def check_limits(node: NodeActor) -> None:
    """I14: queue, requests and segments stay within what is declared."""
    sequencer, limits = node.sequencer, node.limits
    if sequencer is not None:
        queued = sequencer.queued_actions
        require("I14", queued <= limits.queue_actions_max, f"{queued} actions queued")
        # Whoever waits has an action in the queue or in one of two frames.
        waiting, most = node.waiting, limits.queue_actions_max + 2 * limits.frame_actions_max
        require("I14", waiting <= most, f"{waiting} requests wait")
    disk = node.disks.log
    most = max(node.segment_bytes_max, RECORDS_OFFSET + 2 * limits.frame_bytes_max)
    for name in disk.names():
        require("I14", disk.size(name) <= most, f"{name} has {disk.size(name)} bytes")


def check_frame(effect: Publish, node: NodeActor) -> None:
    """I14: a frame is as large as declared at most."""
    frame, limits = effect.frame, node.limits
    # Messages of the base layer come beside what the queue holds.
    count, size = frame.count - frame.inbox_count, len(frame.blob)
    require("I14", count <= limits.frame_actions_max, f"a frame of {count} actions")
    require("I14", size <= limits.frame_bytes_max, f"a frame of {size} bytes")


def check_view(found: Iterable[tuple[bytes, bytes]], log: Log) -> None:
    """I18: the view is what the log's records fold to, no more and no less."""
    expected: dict[bytes, bytes] = {}
    for record in log.records():
        expected.update(fold(record))
    there = dict(found)
    wrong = [
        key.hex() for key in expected.keys() | there.keys() if expected.get(key) != there.get(key)
    ]
    require("I18", not wrong, f"{len(wrong)} keys of the view are not the log's: {wrong[:1]}")
