"""Following the node: the newest events in memory, everything older from the log.

A token is a sequence of the log. Whoever has seen the event of token t resumes at t + 1, after a
restart of either side too.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from node.events import Publish
from node.log import Log
from node.records import FrameRecord, OutcomeRecord, RecordKind, SealRecord


@dataclass(frozen=True, slots=True)
class BatchMoved:
    """A batch was sealed, at `token`, or its stage changed after that of `token`."""

    token: int
    seal: SealRecord


Happening: TypeAlias = Publish | BatchMoved


class TailLagged(Exception):
    """A consumer fell further behind than the ring holds; it resumes from its last token."""


class TailRing:
    """The newest happenings. One thread writes, any number read, each at its own place."""

    def __init__(self, size: int, last_token: int) -> None:
        """Hold `size` happenings, all of them after `last_token`."""
        self._last_token = last_token
        self._happenings: deque[Happening] = deque(maxlen=size)
        self._first = 0
        self._changed = threading.Condition()
        self._closed = False

    def put(self, happening: Happening) -> None:
        """Append a happening; the oldest falls out when the ring is full."""
        with self._changed:
            if len(self._happenings) == self._happenings.maxlen:
                self._first += 1
            self._happenings.append(happening)
            self._last_token = happening.token
            self._changed.notify_all()

    def put_moved(self, seal: SealRecord) -> None:
        """Append that a batch's stage changed, which is in no log: it has the last token again."""
        with self._changed:
            self.put(BatchMoved(self._last_token, seal))

    def close(self) -> None:
        """Wake every reader and let it end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    def place_of(self, token: int, log_next: int) -> int | None:
        """Return the place of the first happening at or after `token`, or None if it may be gone.

        `log_next` is the token that the log gives next: nothing before it is missing if the ring is
        empty and `token` is not below it.
        """
        with self._changed:
            end = self._first + len(self._happenings)
            for back, happening in enumerate(reversed(self._happenings)):
                if happening.token < token:
                    return end - back
            if self._happenings and self._happenings[0].token == token:
                return self._first
            return end if token >= log_next else None

    def end(self) -> int:
        """Return the place of what happens next."""
        with self._changed:
            return self._first + len(self._happenings)

    def read(self, place: int, timeout_seconds: float) -> tuple[list[Happening], int]:
        """Return what happened from `place` on, and the next place; waits if there is nothing yet.

        Raises `TailLagged` when `place` fell out.
        """
        with self._changed:
            if place < self._first:
                raise TailLagged
            if place == self._first + len(self._happenings) and not self._closed:
                self._changed.wait(timeout_seconds)
            if place < self._first:
                raise TailLagged
            found = [
                self._happenings[index - self._first]
                for index in range(place, self._first + len(self._happenings))
            ]
            return found, place + len(found)


class LogReader:
    """Reads what the log says has happened from a token on, up to its durable tail.

    Afterwards `token` is where to go on: behind the tail, or at a frame that has no outcome yet.
    """

    def __init__(self, log: Log, token: int) -> None:
        self.token = max(token, 1)
        self._log = log

    def __iter__(self) -> Iterator[Happening]:
        """Yield the happenings. Raises `LogCorrupt`."""
        frame: FrameRecord | None = None
        for record in self._log.records(self.token):
            if record.kind == RecordKind.FRAME:
                frame = FrameRecord.decode(record.payload)
                continue
            self.token = record.sequence + 1
            if record.kind == RecordKind.OUTCOME and frame is not None:
                outcome = OutcomeRecord.decode(record.payload)
                yield Publish(outcome.frame_token, frame, outcome)
                frame = None
            elif record.kind == RecordKind.SEAL:
                yield BatchMoved(record.sequence, SealRecord.decode(record.payload))
