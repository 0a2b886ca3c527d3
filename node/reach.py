"""Starting before the base layer does: wait for it, say so, and give up only when told to."""

from __future__ import annotations

import signal
from threading import Event

import structlog

from verifier.base.errors import BaseLayerUnavailable
from verifier.base.interface import BaseLayer
from verifier.config import CourtConfig

PAUSE_SECONDS = 0.5
SAID_EVERY = 60  # tries between two lines that say the same

_log = structlog.get_logger("node.reach")


def stop_on_signals() -> Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def court_when_reached(
    base: BaseLayer, address: str, stop: Event, pause_seconds: float = PAUSE_SECONDS
) -> CourtConfig | None:
    """Return the court's configuration once the base layer answers, None if ``stop`` came first."""
    tries = 0
    while not stop.is_set():
        try:
            court = base.config()
        except BaseLayerUnavailable as error:
            if tries % SAID_EVERY == 0:
                _log.warning(
                    "waiting for the base layer; nothing is served until it answers",
                    address=address,
                    reason=str(error),
                )
            tries += 1
            stop.wait(pause_seconds)
            continue
        if tries:
            _log.info("the base layer answers", address=address, tries=tries + 1)
        return court
    return None
