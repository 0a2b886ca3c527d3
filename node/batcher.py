"""When a batch ends, and what its data are.

A batch is a run of whole frames. Its data are never stored twice: they are put together from the
log's FRAME and OUTCOME records whenever someone asks, in the one way that recovery also takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clearing.byte_runs import copy_bytes
from clearing.compiler import kernel, kernel_entry
from node.log import Log, Record
from node.records import (
    PAIR_BYTES,
    FrameRecord,
    OutcomeRecord,
    RecordKind,
    RecordMalformed,
    SealRecord,
)

Pieces = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

STEP_HEAD_BYTES = 9  # u64 time, u8 count
ACTION_HEAD_BYTES = 2  # u16 length


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """When to end a batch: at most so many steps and bytes of data, after so long.

    `steps_max` and `bytes_max` are at most the court's caps; `interval_ms` counts from the batch's
    first frame. When the law's clock is `beat_ms` behind and nothing is to be sequenced, a step
    without actions carries it on; 0: never.
    """

    steps_max: int
    bytes_max: int
    interval_ms: int
    beat_ms: int = 0

    def frame_actions_max(self) -> int:
        """Return how many actions a frame may have and still fit, were each a step of its own."""
        return self.steps_max

    def frame_bytes_max(self, actions_max: int) -> int:
        """Return how many action bytes a frame of `actions_max` actions may have and still fit."""
        return self.bytes_max - actions_max * (PAIR_BYTES + STEP_HEAD_BYTES + ACTION_HEAD_BYTES)


def data_bytes_of(action_bytes: int, actions: int, steps: int) -> int:
    """Return the bytes that actions in steps take in a batch's data."""
    return action_bytes + actions * ACTION_HEAD_BYTES + steps * (PAIR_BYTES + STEP_HEAD_BYTES)


class Batcher:
    """The batch that is being filled. Knows no time but what it is told."""

    def __init__(self, policy: BatchPolicy, genesis_root: bytes) -> None:
        """Start with batch 1 on the genesis root."""
        self.policy = policy
        self.genesis_root = genesis_root
        self.number = 1
        self.pre_root = genesis_root
        self.sequence_before = 0
        self._first_token = 0
        self._last_token = 0
        self._steps = 0
        self._bytes = 0
        self._deadline_ms = 0

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be sealed."""
        return self._steps == 0

    def must_seal_before(self, action_bytes: int, actions: int) -> bool:
        """Return whether a frame could break the caps, were each of its actions a step."""
        if self.empty:
            return False
        worst = self._bytes + data_bytes_of(action_bytes, actions, actions)
        return self._steps + actions > self.policy.steps_max or worst > self.policy.bytes_max

    def is_due(self, now_ms: int) -> bool:
        """Return whether the batch has waited long enough."""
        return not self.empty and now_ms >= self._deadline_ms

    def add(self, token: int, frame: FrameRecord, steps: int, now_ms: int) -> None:
        """Count an applied frame in."""
        if self.empty:
            self._first_token = token
            self._deadline_ms = now_ms + self.policy.interval_ms
        self._last_token = token
        self._steps += steps
        self._bytes += data_bytes_of(len(frame.blob), frame.count, steps)

    def seal(
        self, post_root: bytes, opening: bytes, sequence: int, withdrawals: int, time_ms: int
    ) -> SealRecord:
        """End the batch on `post_root` and begin the next one."""
        record = SealRecord(
            number=self.number,
            first_token=self._first_token,
            last_token=self._last_token,
            step_count=self._steps,
            data_bytes=self._bytes,
            sequence_before=self.sequence_before,
            sequence=sequence,
            withdrawal_count=withdrawals,
            time_ms=time_ms,
            pre_root=self.pre_root,
            post_root=post_root,
            opening=opening,
        )
        self.number += 1
        self.pre_root = post_root
        self.sequence_before = sequence
        self._steps = self._bytes = 0
        return record


@kernel
def _put_integer(out: Bytes, place: int, value: int, size: int) -> int:
    for byte in range(size):
        out[place + byte] = (value >> (8 * (size - 1 - byte))) & 0xFF
    return place + size


@kernel_entry
def _write_steps(
    blob: Bytes, offsets: Pieces, step_counts: Pieces, time_ms: int, out: Bytes
) -> int:
    """Write the steps' encodings (docs/protocol.md, section 4) into `out`; return the bytes."""
    place = 0
    action = 0
    for step in range(step_counts.shape[0]):
        place = _put_integer(out, place, time_ms, 8)
        place = _put_integer(out, place, step_counts[step], 1)
        for _ in range(step_counts[step]):
            length = offsets[action + 1] - offsets[action]
            place = _put_integer(out, place, length, 2)
            copy_bytes(out, place, blob, offsets[action], length)
            place += length
            action += 1
    return place


def encode_steps(frame: FrameRecord, step_counts: Bytes) -> bytearray:
    """Return the bytes of a frame's steps, back to back."""
    counts = step_counts.astype(np.int64)
    size = data_bytes_of(len(frame.blob), frame.count, 0) + STEP_HEAD_BYTES * counts.shape[0]
    out = bytearray(size)
    blob = np.frombuffer(frame.blob, np.uint8)
    rows = np.frombuffer(out, np.uint8)
    written = _write_steps(blob, frame.offsets(), counts, frame.time_ms, rows)
    if written != size:
        raise RecordMalformed(f"steps: expected {size} bytes, was {written}")
    return out


def frames_of(records: Iterable[Record]) -> Iterable[tuple[int, FrameRecord, OutcomeRecord]]:
    """Yield (token, frame, outcome) of each frame among `records`, which follow each other."""
    frame: FrameRecord | None = None
    for record in records:
        if record.kind == RecordKind.FRAME:
            frame = FrameRecord.decode(record.payload)
        elif record.kind == RecordKind.OUTCOME:
            outcome = OutcomeRecord.decode(record.payload)
            if frame is not None:
                yield outcome.frame_token, frame, outcome
            frame = None


def batch_data(log: Log, seal: SealRecord) -> bytes:
    """Put a sealed batch's data together from the log: the pairs of all steps, then the steps.

    Raises `LogCorrupt`, or `RecordMalformed` when the frames are not those of the seal.
    """
    pairs: list[bytes] = []
    steps: list[bytearray] = []
    for token, frame, outcome in frames_of(log.records(seal.first_token)):
        if token > seal.last_token:
            break
        pairs.append(outcome.pairs)
        steps.append(encode_steps(frame, outcome.step_counts))
        if token == seal.last_token:
            break
    data = b"".join((*pairs, *steps))
    found = pairs[-1][-32:] if pairs else b""
    if len(data) != seal.data_bytes or found != seal.post_root:
        raise RecordMalformed(
            f"batch {seal.number}: expected {seal.data_bytes} bytes of data that end on "
            f"{seal.post_root.hex()}, was {len(data)} and {found.hex()}"
        )
    return data
