"""Metrics: gauges of the present and counters of what happened, in base units."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
