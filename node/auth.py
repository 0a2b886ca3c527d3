"""Who may submit, and how much: API keys or client certificates, a token bucket a venue."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.config import Venue

KEY_METADATA = "x-novatio-key"
ANONYMOUS = "anonymous"

# Seconds of a clock that never goes back.
Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a caller is not served; `unauthenticated` tells an unknown one from a known one."""

    unauthenticated: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class OverQuota:
    """A venue asked for more than its quota; again after `retry_after_ms`."""

    reason: str
    message: str
    operands: dict[str, str]
    retry_after_ms: int


class Quota:
    """A venue's bucket and its submissions in flight. For many threads."""

    def __init__(self, name: str, rate: int, burst: int, in_flight_max: int, now: Monotonic):
        """Start with a full bucket of `burst` actions that refills with `rate` a second."""
        self.name = name
        self.in_flight_max = in_flight_max
        self._rate = rate
        self._burst = burst
        self._now = now
        self._level = float(burst)
        self._filled = now()
        self._in_flight = 0
        self._lock = threading.Lock()

    @property
    def in_flight(self) -> int:
        """Submissions without an answer."""
        return self._in_flight

    def take(self, actions: int) -> OverQuota | None:
        """Take `actions` out of the bucket and a place in flight, or neither."""
        with self._lock:
            if self._in_flight >= self.in_flight_max:
                return OverQuota(
                    "TOO_MANY_IN_FLIGHT",
                    f"expected at most {self.in_flight_max} submissions of {self.name} at the same "
                    f"time, was {self._in_flight + 1}; wait for an answer, then submit again",
                    {"in_flight": str(self._in_flight), "in_flight_max": str(self.in_flight_max)},
                    10,
                )
            now = self._now()
            self._level = min(self._burst, self._level + (now - self._filled) * self._rate)
            self._filled = now
            if self._level < actions:
                retry_ms = int((actions - self._level) * 1000 / self._rate) + 1
                return OverQuota(
                    "QUOTA_EXCEEDED",
                    f"expected at most {self._rate} actions a second of {self.name}, was more; "
                    f"submit the same bytes in {retry_ms} ms",
                    {
                        "actions_per_second_max": str(self._rate),
                        "burst_max": str(self._burst),
                        "actions": str(actions),
                    },
                    retry_ms,
                )
            self._level -= actions
            self._in_flight += 1
            return None

    def give_back(self) -> None:
        """End a submission that `take` let in."""
        with self._lock:
            self._in_flight -= 1


class Doorkeeper:
    """Knows the venues by the hash of their key or the name on their certificate."""

    def __init__(self, venues: Sequence[Venue], in_flight_max: int, now: Monotonic) -> None:
        """Without venues everybody is the venue `anonymous`; the configuration allows that on
        plain loopback only."""
        self.quotas = {
            venue.name: Quota(
                venue.name, venue.actions_per_second, venue.burst, venue.in_flight_max, now
            )
            for venue in venues
        }
        self._keys = [
            (bytes.fromhex(venue.key_sha256), venue.name) for venue in venues if venue.key_sha256
        ]
        self._certificates = {
            venue.certificate_name: venue.name for venue in venues if venue.certificate_name
        }
        if not venues:
            unlimited = 2**40
            self.quotas[ANONYMOUS] = Quota(ANONYMOUS, unlimited, unlimited, in_flight_max, now)

    def identify(self, key: str | None, certificate_names: Sequence[str]) -> Quota | Denied:
        """Return the caller's quota."""
        if ANONYMOUS in self.quotas:
            return self.quotas[ANONYMOUS]
        for name in certificate_names:
            if name in self._certificates:
                return self.quotas[self._certificates[name]]
        if key is None:
            return Denied(
                True,
                "NO_CREDENTIALS",
                f"expected an API key in the metadata {KEY_METADATA}, or a client certificate of a "
                "venue, was neither; ask the operator for one",
            )
        digest = hashlib.sha256(key.encode("utf-8")).digest()
        found = None
        # All of them are compared, each in constant time: the time tells nothing about any key.
        for known, name in self._keys:
            if hmac.compare_digest(known, digest):
                found = name
        if found is None:
            return Denied(
                True,
                "UNKNOWN_KEY",
                "expected the API key of a venue, was an unknown one; check it with the operator",
            )
        return self.quotas[found]
