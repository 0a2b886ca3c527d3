"""Metrics: gauges of the present and counters of what happened, in base units."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from node.status import BaseStatus

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5)


class Metrics:
    """All metrics of one node, in a registry of its own, so that several can live in a process."""

    def __init__(self) -> None:
        """Register everything."""
        self.registry = CollectorRegistry()
        self.calls = Histogram(
            "novatio_call_seconds",
            "Time to answer a call, by method.",
            ["method"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.refusals = Counter(
            "novatio_refusals_total",
            "Calls and stream messages refused, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.foreign_batch = self._gauge(
            "novatio_foreign_batch", "1 while the base layer's tip holds a batch of somebody else."
        )
        self.posting_failures = Counter(
            "novatio_posting_failures_total",
            "Transactions to the base layer that failed.",
            registry=self.registry,
        )
        self.postings = Counter(
            "novatio_postings_total", "Batches sent to the base layer.", registry=self.registry
        )

    def watch(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Register a gauge that reads its value when it is asked for."""
        self._gauge(name, help_text).set_function(read)

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(name, help_text, registry=self.registry)


class BaseWatcher(Protocol):
    """Whoever looks at the base layer."""

    @property
    def status(self) -> BaseStatus:
        """What was seen last."""

    @property
    def seen_at(self) -> float:
        """When that was, in seconds of the monotonic clock."""


# Name -> (help, what it is of a status). All are as of the last look at the base layer.
_BASE_GAUGES: dict[str, tuple[str, Callable[[BaseStatus], float]]] = {
    "novatio_posted_batch": (
        "Number of the last batch on the base layer.",
        lambda status: status.posted,
    ),
    "novatio_safe_batch": (
        "Number of the last batch in a justified block.",
        lambda status: status.safe,
    ),
    "novatio_finalised_batch": (
        "Number of the last final batch.",
        lambda status: status.finalised,
    ),
    "novatio_withdrawable_batch": (
        "Number of the last batch that is final in a final block.",
        lambda status: status.withdrawable,
    ),
    "novatio_posting_mode": (
        "Who may post: 1 the sequencer, 2 everyone, 3 nobody; 0 before the first look.",
        lambda status: status.mode,
    ),
    "novatio_generation": ("Generation of the tip.", lambda status: status.generation),
    "novatio_base_block": ("Number of the base layer's newest block.", lambda s: s.base_block),
    "novatio_unfinalised_batches": (
        "Posted batches that are not final.",
        lambda status: status.unfinalised,
    ),
    "novatio_window_blocks_left": (
        "Blocks until the oldest of them may be made final; 0 without one.",
        lambda status: status.window_blocks_left,
    ),
    "novatio_clock_lag_ms": (
        "By how much the clock of the posted tip is behind the base layer's.",
        lambda status: status.lag_ms,
    ),
    "novatio_inbox_age_ms": (
        "For how long the oldest message waits that no posted batch has consumed.",
        lambda status: status.inbox_age_ms,
    ),
    "novatio_bonds_gwei": ("Bonds of our batches that are not final.", lambda s: s.bonds),
    "novatio_balance_gwei": (
        "What the sequencer's address has for bonds and fees.",
        lambda status: status.balance,
    ),
    "novatio_posting_error": (
        "1 while the last look ended in an error; novatio heads has its text.",
        lambda status: bool(status.error),
    ),
}


def watch_base(metrics: Metrics, watcher: BaseWatcher) -> None:
    """Register the gauges of the base layer."""
    for name, (help_text, read) in _BASE_GAUGES.items():
        metrics.watch(name, help_text, _reading(watcher, read))
    metrics.watch(
        "novatio_base_unseen_seconds",
        "Seconds since the base layer was last looked at without an error of its own.",
        lambda: time.monotonic() - watcher.seen_at,
    )


def _reading(watcher: BaseWatcher, read: Callable[[BaseStatus], float]) -> Callable[[], float]:
    return lambda: read(watcher.status)
