"""Records whose fields say how they are written: one declaration is encoder, decoder and layout.

    class Answer(Canonical):
        batch_id: Hash
        step: U32
        step_bytes: Rest

is 32 bytes, a big-endian u32, and whatever follows. A field's annotation carries its `Part`; fields
stand side by side in their order, and decoding uses the bytes up exactly, so a record has one
encoding and bytes have one meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Protocol, Self, TypeVar, get_args, get_type_hints

from clearing.encoding import Field, MalformedBytes, Reader, raw

T = TypeVar("T")

HASH_BYTES = 32
ADDRESS_BYTES = 20
NOBODY = bytes(ADDRESS_BYTES)


class Part(Protocol):
    """How one field is written; `name` is the field's, for errors."""

    def encode(self, name: str, value: Any) -> bytes:
        """Return the bytes. Raises ValueError for a value that does not fit."""

    def read(self, name: str, reader: Reader) -> Any:
        """Take the value from the reader. Raises MalformedBytes."""


@dataclass(frozen=True, slots=True)
class Integer:
    """An unsigned big-endian integer of `size` bytes, low .. high (all that fits without)."""

    size: int
    low: int = 0
    high: int | None = None

    def encode(self, name: str, value: Any) -> bytes:
        """Return the bytes. Raises ValueError out of bounds."""
        return self._field(name).encode(value)

    def read(self, name: str, reader: Reader) -> int:
        """Take the integer from the reader. Raises MalformedBytes out of bounds."""
        return reader.integer(self._field(name))

    def _field(self, name: str) -> Field:
        high = (1 << 8 * self.size) - 1 if self.high is None else self.high
        return Field(name, self.size, self.low, high)


@dataclass(frozen=True, slots=True)
class Raw:
    """Exactly `size` bytes."""

    size: int

    def encode(self, name: str, value: Any) -> bytes:
        """Return the bytes. Raises ValueError for another length."""
        return raw(name, value, self.size)

    def read(self, name: str, reader: Reader) -> bytes:
        """Take the bytes from the reader."""
        return reader.raw(name, self.size)


@dataclass(frozen=True, slots=True)
class Remainder:
    """All bytes that are left."""

    def encode(self, name: str, value: Any) -> bytes:
        """Return the bytes."""
        return raw(name, value, len(value))

    def read(self, name: str, reader: Reader) -> bytes:
        """Take the bytes from the reader."""
        return reader.raw(name, len(reader.data) - reader.offset)


@dataclass(frozen=True, slots=True)
class Words:
    """A count of words of `size` bytes (1: a length), within its bounds, then these words."""

    count: Integer
    size: int = 1

    def encode(self, name: str, value: Any) -> bytes:
        """Return count and bytes. Raises ValueError unless these are whole words."""
        words, rest = divmod(len(value), self.size)
        if rest:
            raise ValueError(
                f"expected {name} of whole words of {self.size} bytes, was {len(value)} bytes"
            )
        return self.count.encode(name, words) + raw(name, value, len(value))

    def read(self, name: str, reader: Reader) -> bytes:
        """Take count and bytes from the reader."""
        return reader.raw(name, self.size * self.count.read(name, reader))


@dataclass(frozen=True, slots=True)
class Many:
    """`count` how many parts there are, then these, as a tuple."""

    count: Integer
    part: Part

    def encode(self, name: str, value: Any) -> bytes:
        """Return the count and the parts, each by its own rules."""
        parts = (self.part.encode(name, one) for one in value)
        return self.count.encode(name, len(value)) + b"".join(parts)

    def read(self, name: str, reader: Reader) -> tuple[Any, ...]:
        """Take the count and the parts from the reader."""
        return tuple(self.part.read(name, reader) for _ in range(self.count.read(name, reader)))


@dataclass(frozen=True, slots=True)
class Through:
    """Records with a reader of their own, as many as there are up to the end."""

    record: type[Any]

    def encode(self, name: str, value: Any) -> bytes:
        """Return the records, side by side."""
        return b"".join(one.encode() for one in value)

    def read(self, name: str, reader: Reader) -> tuple[Any, ...]:
        """Take records from the reader until nothing is left."""
        found = []
        while reader.offset < len(reader.data):
            found.append(self.record.read(reader))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Nested:
    """A record within a record, its parts side by side like the others."""

    record: type[Any]

    def encode(self, name: str, value: Any) -> bytes:
        """Return the parts of the record."""
        return encode_parts(value)

    def read(self, name: str, reader: Reader) -> Any:
        """Take the record from the reader."""
        return read_parts(self.record, reader)


@dataclass(frozen=True)
class Canonical:
    """A frozen dataclass that is encoded as its fields, side by side."""

    def encode(self) -> bytes:
        """Return the canonical bytes. Raises ValueError if a field does not fit its place."""
        return encode_parts(self)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Inverse of `encode`. Raises MalformedBytes unless the bytes are used up exactly."""
        reader = Reader(data, MalformedBytes)
        record = read_parts(cls, reader)
        reader.end()
        return record


def encode_parts(record: Any) -> bytes:
    """Return the fields of a record, a dataclass or a named tuple, side by side."""
    cls: Any = type(record)
    return b"".join(part.encode(name, getattr(record, name)) for name, part in parts_of(cls))


def read_parts(record: type[T], reader: Reader) -> T:
    """Take a record from the reader. Raises MalformedBytes."""
    cls: Any = record
    read: T = cls(*(part.read(name, reader) for name, part in parts_of(cls)))
    return read


@cache
def parts_of(record: Any) -> tuple[tuple[str, Part], ...]:
    """Return name and part of every field of a class. Raises TypeError for one without a part."""
    hints = get_type_hints(record, include_extras=True)
    names = getattr(record, "_fields", None) or tuple(field.name for field in fields(record))
    return tuple((name, _part_of(record, name, hints[name])) for name in names)


def _part_of(record: Any, name: str, hint: Any) -> Part:
    parts = [extra for extra in get_args(hint)[1:] if hasattr(extra, "read")]
    if len(parts) != 1:
        raise TypeError(f"expected one part for {record.__name__}.{name}, was {hint!r}")
    part: Part = parts[0]
    return part


U8 = Annotated[int, Integer(1)]
U32 = Annotated[int, Integer(4)]
U64 = Annotated[int, Integer(8)]
Hash = Annotated[bytes, Raw(HASH_BYTES)]
Address = Annotated[bytes, Raw(ADDRESS_BYTES)]
Rest = Annotated[bytes, Remainder()]
