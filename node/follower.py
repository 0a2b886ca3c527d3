"""Whoever reads the books first brings them up to date; the others wait for it, or come again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from node.events import Publish
from node.gate import Refused
from node.ledger import Ledger, LineStore
from node.shell import Shell
from node.tail import Happening, LogReader, TailLagged

RETRY_MS = 200
# What is left of a deadline for the answer itself.
MARGIN_SECONDS = 0.2
SECONDS_MAX = 60.0

Observer = Callable[[Publish, Ledger], None]


def happenings(shell: Shell, token: int) -> Iterator[Happening]:
    """Yield what happened from `token` on up to now: from the log, then from memory.

    Raises `LogCorrupt` and `ShellStopped`.
    """
    reader = LogReader(shell.log, token)
    while True:
        place = shell.ring.place_of(reader.token, shell.log.tail.sequence + 1)
        if place is None:
            yield from reader
            place = shell.ring.place_of(reader.token, shell.log.tail.sequence + 1)
        if place is None:
            # A frame is durable but not yet applied: it will be in the ring in a moment.
            shell.call(lambda: None, SECONDS_MAX)
            continue
        try:
            found, _ = shell.ring.read(place, 0)
        except TailLagged:
            continue
        yield from (happening for happening in found if happening.token >= reader.token)
        return


def seconds_of(context: Any) -> float:
    """Return how long a call may work before its answer is due."""
    remaining = context.time_remaining()
    if remaining is None or remaining > SECONDS_MAX:
        return SECONDS_MAX
    return max(float(remaining) * 0.9 - MARGIN_SECONDS, 0.05)


class Follower:
    """Owns the one ledger that statements and margin calls are read from."""

    def __init__(self, shell: Shell, directory: Path | None) -> None:
        """Follow `shell`'s node; lines are kept on the file system of `directory`."""
        self.observers: list[Observer] = []
        self._shell = shell
        self._directory = directory
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None
        self._store: LineStore | None = None

    @contextmanager
    def now(self, seconds: float) -> Iterator[tuple[Ledger, LineStore]]:
        """Give the ledger, up to date, to one thread at a time.

        Raises `Refused` when that takes longer than `seconds`; what was done is kept.
        """
        limit = time.monotonic() + seconds
        if not self._lock.acquire(timeout=seconds):
            raise self._behind()
        try:
            ledger, store = self._opened()
            self._advance(ledger, limit)
            yield ledger, store
        finally:
            self._lock.release()

    def _opened(self) -> tuple[Ledger, LineStore]:
        if self._ledger is None or self._store is None:
            if self._store is not None:
                self._store.close()
            self._store = LineStore(self._directory)
            self._ledger = Ledger(self._shell.sequencer.engine.genesis, self._store)
        return self._ledger, self._store

    def _advance(self, ledger: Ledger, limit: float) -> None:
        for happening in happenings(self._shell, ledger.token):
            if isinstance(happening, Publish):
                # Should it fail half-way, the next call begins with a new one.
                self._ledger = None
                ledger.take(happening)
                for observer in self.observers:
                    observer(happening, ledger)
                self._ledger = ledger
                if time.monotonic() > limit:
                    raise self._behind()

    def _behind(self) -> Refused:
        token = 0 if self._ledger is None else self._ledger.token
        newest = self._shell.log.tail.sequence + 1
        return Refused(
            grpc.StatusCode.UNAVAILABLE,
            "BOOKS_CATCHING_UP",
            f"expected the books to stand at token {newest}, was {token}: they are drawn up when "
            "they are asked for; ask again, what was done is kept",
            {"token": token, "newest": newest},
            RETRY_MS,
        )
