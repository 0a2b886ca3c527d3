"""Exact encodings of integers within bounds: what ``clearing.messages`` is written in.

A value has one encoding; bytes that are not it are refused with the place and the expectation.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_integer
from typing import Any, NamedTuple


class MalformedBytes(ValueError):
    """Bytes that are not the encoding of anything: at ``offset``, ``expected`` against ``was``."""

    def __init__(self, offset: int, expected: str, was: object) -> None:
        super().__init__(f"byte {offset}: expected {expected}, was {was}")
        self.offset = offset
        self.expected = expected
        self.was = was


class Field(NamedTuple):
    """One integer of an encoding: ``size`` bytes, big-endian, within low .. high."""

    name: str
    size: int
    low: int
    high: int
    also: int | None = None  # one more value that is legal

    def allows(self, value: int) -> bool:
        """Return whether ``value`` is legal."""
        return self.low <= value <= self.high or value == self.also

    def bound(self) -> str:
        """Return the name and the legal values, for errors."""
        return f"{self.name} {self.low}..{self.high}" + (f" or {self.also}" if self.also else "")

    def encode(self, value: Any) -> bytes:
        """Return the bytes of any integral ``value``. Raises ValueError if it is not legal."""
        number = as_integer(value)
        if not self.allows(number):
            raise ValueError(f"expected {self.bound()}, was {number}")
        return number.to_bytes(self.size, "big", signed=self.low < 0)


class Reader:
    """A cursor over bytes that must be used up exactly; raises ``error`` where they do not fit."""

    def __init__(self, data: bytes, error: type[MalformedBytes]) -> None:
        self.data = data
        self.offset = 0
        self.error = error

    def raw(self, name: str, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        end = self.offset + size
        if end > len(self.data):
            raise self.error(
                self.offset, f"{size} bytes of {name}", f"{len(self.data) - self.offset} bytes"
            )
        value = self.data[self.offset : end]
        self.offset = end
        return value

    def integer(self, field: Field) -> int:
        """Return the next integer, which must be legal for ``field``."""
        start = self.offset
        value = int.from_bytes(self.raw(field.name, field.size), "big", signed=field.low < 0)
        if not field.allows(value):
            raise self.error(start, field.bound(), value)
        return value

    def integers(self, fields: Sequence[Field]) -> dict[str, int]:
        """Return the next integers by name."""
        return {field.name: self.integer(field) for field in fields}

    def end(self) -> None:
        """Check that nothing is left."""
        if self.offset != len(self.data):
            raise self.error(self.offset, "the end", f"{len(self.data) - self.offset} more bytes")


def integers(fields: Sequence[Field], record: object) -> bytes:
    """Return the bytes of the attributes of ``record`` that ``fields`` name, side by side."""
    return b"".join(field.encode(getattr(record, field.name)) for field in fields)


def raw(name: str, value: bytes, size: int) -> bytes:
    """Return ``value``. Raises ValueError unless it is ``size`` bytes."""
    if not isinstance(value, bytes) or len(value) != size:
        raise ValueError(f"expected {name} of {size} bytes, was {value!r}")
    return value
