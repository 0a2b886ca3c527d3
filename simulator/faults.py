"""What goes wrong, how often, and when: drawn from the seed, counted as it happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from random import Random

# Chance of each kind at each occasion. A seed leaves out about half of them: some defects show only
# when another fault does *not* hide them.
CHANCES = {
    # The wire between clients and the node.
    "request-dropped": 0.08,
    "request-repeated": 0.08,
    "request-delayed": 0.15,
    "reply-dropped": 0.08,
    "reply-repeated": 0.08,
    "reply-delayed": 0.15,
    "overload": 0.01,
    # The node's process, its clock and its disk.
    "node-crash-at-a-write": 0.06,
    "node-crash-between-events": 0.02,
    "node-crash-while-posting": 0.01,
    "node-crash-while-recovering": 0.3,
    "node-down-for-long": 0.1,
    "clock-skew": 0.7,
    "clock-jump": 0.004,
    "power-loss": 0.6,
    "sync-failure": 0.01,
    "slow-disk": 0.05,
    "log-bit-flipped": 0.2,
    "log-cut-short": 0.2,
    "log-segment-lost": 0.1,
    "log-emptied": 0.1,
    "log-restored-from-an-old-copy": 0.2,
    "log-and-witness-lost": 0.1,
    "witness-bit-flipped": 0.1,
    "stale-poster-resumes": 0.4,
    "split-brain": 0.04,
    # The base layer and the wire to it.
    "base-layer-unreachable": 0.02,
    "transaction-lost": 0.1,
    "answer-lost": 0.1,
    "data-unavailable": 0.1,
    "transaction-evicted": 0.1,
    "transactions-shuffled": 0.2,
    "transactions-delayed": 0.15,
    "proofs-censored": 0.15,
    "batches-censored": 0.15,
    "deposits-censored": 0.15,
    "reorganisation": 0.1,
    "reorganised-for-ever": 0.3,
    # Whoever watches.
    "challenger-crash": 0.03,
    "challenger-crash-while-sending": 0.02,
    "challenger-cursor-lost": 0.3,
    # The price feed.
    "oracle-one-publisher": 0.03,
    "oracle-same-publisher-twice": 0.03,
    "oracle-stale": 0.03,
    "oracle-future": 0.03,
    "oracle-jump": 0.03,
    "oracle-conflict": 0.05,
    "oracle-silence": 0.03,
}
# Who watches over money needs to reach the base layer for some part of every window; these kinds
# happen in rough weather only, which alternates with calm.
ROUGH_ONLY = frozenset(
    {
        "base-layer-unreachable",
        "transaction-lost",
        "answer-lost",
        "data-unavailable",
        "transaction-evicted",
        "transactions-delayed",
        "proofs-censored",
        "reorganisation",
        "challenger-crash",
        "challenger-crash-while-sending",
    }
)
WEATHER_MS = 6_000


class Faults:
    """The dice of one seed, those of each kind its own: what one draws changes no other.

    Kinds in `without` never happen. After `heal` nothing goes wrong any more.
    """

    def __init__(self, seed: int, without: Collection[str] = ()) -> None:
        dice = {kind: Random(f"{seed}/faults/{kind}") for kind in CHANCES}
        self.enabled = frozenset(
            kind for kind in CHANCES if dice[kind].random() < 0.5 and kind not in without
        )
        self.hits: Counter[str] = Counter()
        self.healed = False
        self._dice = dice

    def happens(self, kind: str, now_ms: int) -> bool:
        """Say whether a fault of this kind happens at this occasion, and count it."""
        chance = CHANCES[kind]
        if self.healed or kind not in self.enabled:
            return False
        if kind in ROUGH_ONLY and now_ms // WEATHER_MS % 2:
            return False
        if self._dice[kind].random() >= chance:
            return False
        self.hits[kind] += 1
        return True

    def heal(self) -> None:
        """Let nothing go wrong from now on."""
        self.healed = True
