"""A contract's storage: tables whose every change can be taken back.

One log serves three needs: a transaction that fails leaves no trace, a reorganisation restores the
state of an older block, and a read can be pinned to an older block that is still retained.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from verifier.errors import VerifierError

K = TypeVar("K")
V = TypeVar("V")

_MISSING: Any = object()


class UndoLog:
    """What the changed entries were before, in order. A mark is a place in this log."""

    def __init__(self) -> None:
        self._entries: list[tuple[dict[Any, Any], Any, Any]] = []
        self._forgotten = 0

    def record(self, values: dict[Any, Any], key: Any) -> None:
        """Remember `values[key]`, or that it was missing, before it is changed."""
        self._entries.append((values, key, values.get(key, _MISSING)))

    def mark(self) -> int:
        """Return the present place, never less than an earlier one unless that was undone."""
        return self._forgotten + len(self._entries)

    def undo_to(self, mark: int) -> None:
        """Take back every change after `mark`."""
        for _ in range(self.mark() - self._retained(mark)):
            _swap(self._entries.pop())

    def forget_before(self, mark: int) -> None:
        """Give up the means to go back beyond `mark`."""
        count = self._retained(mark) - self._forgotten
        del self._entries[:count]
        self._forgotten += count

    @contextmanager
    def at(self, mark: int) -> Iterator[None]:
        """Let the caller read the tables as they were at `mark`; nothing may be written."""
        first = self._retained(mark) - self._forgotten
        changes = self._entries[first:]
        later = [_swap(entry) for entry in reversed(changes)]
        try:
            yield
        finally:
            for entry in reversed(later):
                _swap(entry)

    def _retained(self, mark: int) -> int:
        if not self._forgotten <= mark <= self.mark():
            raise VerifierError(
                f"undo log: expected a mark of {self._forgotten} to {self.mark()}, was {mark}. "
                "Next: report this; the caller kept a mark beyond its life."
            )
        return mark


class Table(Generic[K, V]):
    """A dictionary on an undo log. Values are immutable; replace them, never change them."""

    def __init__(self, log: UndoLog) -> None:
        self._log = log
        self._values: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        return self._values[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._log.record(self._values, key)
        self._values[key] = value

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """Return the value of `key`, or None."""
        return self._values.get(key)

    def values(self) -> Iterator[V]:
        """Iterate over the values in the order in which their keys were first set."""
        return iter(self._values.values())


class Cell(Generic[V]):
    """One value on an undo log."""

    def __init__(self, log: UndoLog, value: V) -> None:
        self._log = log
        self._values: dict[None, V] = {None: value}

    @property
    def value(self) -> V:
        """The present value."""
        return self._values[None]

    @value.setter
    def value(self, value: V) -> None:
        self._log.record(self._values, None)
        self._values[None] = value


def _swap(entry: tuple[dict[Any, Any], Any, Any]) -> tuple[dict[Any, Any], Any, Any]:
    """Put the remembered value back; answer the entry that undoes this."""
    values, key, before = entry
    now = values.get(key, _MISSING)
    if before is _MISSING:
        del values[key]
    else:
        values[key] = before
    return values, key, now
