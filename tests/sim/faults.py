"""What goes wrong, how often, and when: drawn from the seed, counted as it happens."""

from __future__ import annotations

from collections import Counter
from random import Random

# Chance of each kind at each occasion. A seed leaves out about half of them: some defects show only
# when another fault does *not* hide them.
CHANCES = {
    "request dropped": 0.08,
    "request repeated": 0.08,
    "request delayed": 0.15,
    "reply dropped": 0.08,
    "reply repeated": 0.08,
    "reply delayed": 0.15,
    "node crash at a write": 0.06,
    "node crash between events": 0.02,
    "node crash while posting": 0.01,
    "node crash while recovering": 0.3,
    "node down for long": 0.1,
    "clock skew": 0.7,
    "power loss": 0.6,
    "sync failure": 0.01,
    "slow disk": 0.05,
    "base layer unreachable": 0.02,
    "transaction lost": 0.1,
    "answer lost": 0.1,
    "transaction evicted": 0.1,
    "transactions shuffled": 0.2,
    "transactions delayed": 0.15,
    "proofs censored": 0.15,
    "reorganisation": 0.1,
    "reorganised for ever": 0.3,
    "challenger crash": 0.03,
    "challenger crash while sending": 0.02,
}
# Who watches over money needs to reach the base layer for some part of every window; these kinds
# happen in rough weather only, which alternates with calm.
ROUGH_ONLY = frozenset(
    {
        "base layer unreachable",
        "transaction lost",
        "answer lost",
        "transaction evicted",
        "transactions delayed",
        "proofs censored",
        "reorganisation",
        "challenger crash",
        "challenger crash while sending",
    }
)
WEATHER_MS = 6_000


class Faults:
    """The dice of one seed. After `heal` nothing goes wrong any more."""

    def __init__(self, chance: Random) -> None:
        self.enabled = frozenset(kind for kind in CHANCES if chance.random() < 0.5)
        self.hits: Counter[str] = Counter()
        self.healed = False
        self._chance = chance

    def happens(self, kind: str, now_ms: int) -> bool:
        """Say whether a fault of this kind happens at this occasion, and count it."""
        chance = CHANCES[kind]
        if self.healed or kind not in self.enabled:
            return False
        if kind in ROUGH_ONLY and now_ms // WEATHER_MS % 2:
            return False
        if self._chance.random() >= chance:
            return False
        self.hits[kind] += 1
        return True

    def heal(self) -> None:
        """Let nothing go wrong from now on."""
        self.healed = True
