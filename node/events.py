"""What goes into the sequencer and what comes out of it: plain values, no I/O anywhere.

Times are milliseconds of the law's clock. A *request* is a number that the shell chose for one
submission; a *token* is a sequence number of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from clearing.decode import Columns
from node.receipts import Receipt
from node.records import FrameRecord, OutcomeRecord, RecordKind, SealRecord

Pieces = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Submitted:
    """Actions that a client wants sequenced. `lengths` int64[n], n >= 1, add up to the blob."""

    request: int
    blob: bytes
    lengths: Pieces
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """The columns that the last `Prepare` asked for, with their signers recovered."""

    columns: Columns


@dataclass(frozen=True, slots=True)
class Synced:
    """Every record up to `token` is durable."""

    token: int


@dataclass(frozen=True, slots=True)
class InboxArrived:
    """Messages of finalised base-layer blocks, their bytes, from index `first` on."""

    first: int
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GenerationMoved:
    """The base layer's tip is in this generation now.

    `closed` tells why nothing may be acknowledged, if so: this node could not keep its word.
    `away` if nothing of this node's is posted any more.
    """

    generation: int
    closed: str = ""
    away: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Take nothing new; what is here already still gets its answer."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The disk or the log failed: nothing that is unanswered may be acknowledged any more."""

    reason: str


Event: TypeAlias = (
    Submitted | Prepared | Synced | InboxArrived | GenerationMoved | Tick | Stopping | Failed
)


@dataclass(frozen=True, slots=True)
class Prepare:
    """Decode these actions and recover their signers, on any thread, then say `Prepared`."""

    blob: Bytes
    offsets: Pieces


@dataclass(frozen=True, slots=True)
class Append:
    """Append a record; its sequence in the log is `token`."""

    token: int
    kind: RecordKind
    payload: bytes


@dataclass(frozen=True, slots=True)
class Sync:
    """Make everything appended durable, then say `Synced`."""

    token: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one action of a request was rejected."""

    index: int
    code: int
    message: str
    operands: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a request: columns int64[n]; `own_first` and `own_count` are its place among
    the sequenced actions of the receipt's frame. No receipt when everything was a repeat."""

    request: int
    codes: Pieces
    sequences: Pieces
    repeats: Pieces
    explanations: tuple[Explanation, ...]
    receipt: Receipt | None
    own_first: int
    own_count: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """A request was not looked at, or (OUTCOME_UNKNOWN) nobody knows. `reason` is UPPER_SNAKE.

    `retry_after_ms` is 0 when trying again here is useless.
    """

    request: int
    reason: str
    message: str
    operands: Mapping[str, str] = field(default_factory=dict)
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Publish:
    """A frame was applied."""

    token: int
    frame: FrameRecord
    outcome: OutcomeRecord


@dataclass(frozen=True, slots=True)
class Sealed:
    """A batch ended, durably; `token` is that of its record."""

    token: int
    seal: SealRecord


Effect: TypeAlias = Prepare | Append | Sync | Reply | Refuse | Publish | Sealed
