"""The trading floor as a thread: submits each minute's trades as the law's clock passes it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from clearing.codes import Code
from novatio.client import Client
from novatio.demo.flow import Flow
from novatio.errors import Overloaded, Unavailable
from novatio.world import MINUTE_MS

__all__ = ["Trading"]

PAUSE_SECONDS: Final = 0.01
ACTIONS_PER_SUBMISSION: Final = 400


class Trading:
    """Submits the trades of `minutes` in order, never before their time.

    `start_ms` is the law's time at which minute 0 begins. `failure` holds what ended it, if
    anything did; `codes` counts the outcomes.
    """

    def __init__(
        self,
        client: Client,
        flow: Flow,
        clock: Callable[[], int],
        start_ms: int,
        minutes: int,
        minute_ms: int = MINUTE_MS,
    ) -> None:
        """A minute takes `minute_ms` of the law's time."""
        self.codes: Counter[str] = Counter()
        self.submitted = 0
        self.minute = 0
        self.failure: Exception | None = None
        self._client = client
        self.flow = flow
        self._clock = clock
        self._start_ms = start_ms
        self._minutes = minutes
        self._minute_ms = minute_ms
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trading", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End early, and wait for the end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def done(self) -> bool:
        """Whether the last trade has its outcome. Raises what ended the thread, if it failed."""
        if self.failure is not None:
            raise self.failure
        return not self._thread.is_alive()

    def trade_minute(self) -> None:
        """Submit the next minute's trades at once. Only once the replay is over."""
        law_ms = self._clock()
        self._submit(self.flow.trades(self.minute, law_ms))
        self.minute += 1

    def _run(self) -> None:
        try:
            self._replay()
        except Exception as error:
            # Kept for the director, whose thread can end the whole world.
            self.failure = error

    def _replay(self) -> None:
        ready: deque[bytes] = deque()
        while not self._stop.is_set() and (self.minute < self._minutes or ready):
            ended = (self._clock() - self._start_ms) // self._minute_ms
            while self.minute < min(ended, self._minutes) and len(ready) < ACTIONS_PER_SUBMISSION:
                law_ms = self._start_ms + (self.minute + 1) * self._minute_ms
                ready.extend(self.flow.trades(self.minute, law_ms))
                self.minute += 1
            if ready:
                self._submit([ready.popleft() for _ in range(len(ready))])
            else:
                self._stop.wait(PAUSE_SECONDS)

    def _submit(self, actions: list[bytes]) -> None:
        while True:
            try:
                outcomes = self._client.submit(actions)
                break
            except (Overloaded, Unavailable):
                # Nothing was looked at; the same bytes may come again.
                if self._stop.wait(PAUSE_SECONDS):
                    return
        self.submitted += len(actions)
        self.codes.update(outcome.code.name for outcome in outcomes)

    @property
    def applied(self) -> int:
        """Trades applied."""
        return self.codes[Code.APPLIED.name]

    def rejected(self) -> dict[str, int]:
        """Return the rejections by code."""
        return {
            name: count for name, count in sorted(self.codes.items()) if name != Code.APPLIED.name
        }
