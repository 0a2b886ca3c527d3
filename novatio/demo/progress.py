"""What the demo is doing right now: written by the director, read by whatever shows it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from novatio.demo.observer import SeenBatch

__all__ = ["PHASES", "Dispute", "Heads", "Progress"]

PHASES = ("set-up", "replay", "rogue operator", "recovery", "withdrawal", "checks")


@dataclass(slots=True)
class Dispute:
    """One forged batch and what became of it."""

    forgery: str
    number: int
    posted_at: float
    proven_at: float = 0.0
    slashed: int = 0

    @property
    def seconds(self) -> float:
        """How long it stood, so far."""
        return (self.proven_at or time.monotonic()) - self.posted_at


@dataclass(frozen=True, slots=True)
class Heads:
    """Actions sequenced, posted, in justified blocks and final; batches; blocks."""

    sequenced: int = 0
    posted: int = 0
    safe: int = 0
    finalised: int = 0
    tip: int = 0
    final_batch: int = 0
    generation: int = 0
    block: int = 0


@dataclass(slots=True)
class Progress:
    """A picture that is always safe to read: every field is replaced or appended to as a whole."""

    minutes: int
    started: float = field(default_factory=time.monotonic)
    phase: str = PHASES[0]
    detail: str = ""
    law_ms: int = 0
    minute: int = 0
    trades: Counter[str] = field(default_factory=Counter)
    liquidations: int = 0
    heads: Heads = Heads()
    batches: list[SeenBatch] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.monotonic() - self.started

    def enter(self, phase: str, detail: str = "") -> None:
        """Begin a phase (one of PHASES)."""
        self.phase, self.detail = phase, detail
