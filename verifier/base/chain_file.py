"""The durable file of the simulated chain: what happened, in order, appended and synced.

A record is a head of 16 bytes (magic, payload length, CRC-32 of these two, CRC-32 of kind and
payload), a kind byte and the payload. Since the head is checked by itself, a damaged length is not
taken for the end of the file: what is cut short at the end was being written when the process died
and is cut off; anything else that does not check is corruption and is refused with its place.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from verifier.base.errors import ChainFileCorrupt
from verifier.errors import VerifierError

MAGIC = b"NVCF"
_HEAD = struct.Struct(">4sI")
_CHECKS = struct.Struct(">II")
HEAD_BYTES = _HEAD.size + _CHECKS.size
# A crash may leave the file longer than what reached it; the rest reads as zeros.
_ZEROS_READ = 1 << 20


class RecordKind(IntEnum):
    """What a record says."""

    GENESIS = 1
    BLOCK = 2
    REORG = 3


class Record(NamedTuple):
    """One record and the byte at which it begins."""

    kind: RecordKind
    payload: bytes
    offset: int


class ChainFile:
    """An append-only file of records, held by one process. Any failure to write is fatal."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or create the file. Raises VerifierError if another process holds it."""
        self.path = Path(path)
        created = not self.path.exists()
        self._file: BinaryIO = open(self.path, "a+b", buffering=0)  # noqa: SIM115
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise VerifierError(
                f"base layer file {self.path}: expected to be its only user, was held by another "
                "process. Next: stop that one, or use a file of its own."
            ) from error
        if created:
            _sync_directory(self.path.resolve().parent)

    def records(self) -> Iterator[Record]:
        """Yield what was written, oldest first, and cut off a torn tail at the end.

        Raises ChainFileCorrupt, changing nothing.
        """
        size, offset = os.fstat(self._file.fileno()).st_size, 0
        while offset < size:
            record = self._read(offset, size)
            if record is None:
                os.ftruncate(self._file.fileno(), offset)
                os.fsync(self._file.fileno())
                return
            yield record
            offset += HEAD_BYTES + 1 + len(record.payload)

    def append(self, kind: RecordKind, payload: bytes) -> None:
        """Write a record and make it durable before returning."""
        body = bytes([kind]) + payload
        head = _HEAD.pack(MAGIC, len(payload))
        view = memoryview(head + _CHECKS.pack(zlib.crc32(head), zlib.crc32(body)) + body)
        while view:
            view = view[self._file.write(view) :]
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and its lock."""
        self._file.close()

    def _read(self, offset: int, size: int) -> Record | None:
        """Return the record at `offset`, or None if the file ends within it."""
        if size - offset < HEAD_BYTES:
            return None
        head = self._pread(HEAD_BYTES, offset)
        magic, length = _HEAD.unpack_from(head)
        head_check, body_check = _CHECKS.unpack_from(head, _HEAD.size)
        if magic != MAGIC or head_check != zlib.crc32(head[: _HEAD.size]):
            if self._zeros(offset, size):
                return None
            raise self._corrupt(offset, "the head of a record", head.hex())
        end = offset + HEAD_BYTES + 1 + length
        if end > size:
            return None
        body = self._pread(1 + length, offset + HEAD_BYTES)
        if zlib.crc32(body) != body_check or body[0] not in RecordKind._value2member_map_:
            if self._zeros(offset + HEAD_BYTES, size):
                return None
            was = f"{zlib.crc32(body):08x}"
            raise self._corrupt(offset, f"a record with checksum {body_check:08x}", was)
        return Record(RecordKind(body[0]), body[1:], offset)

    def _pread(self, length: int, offset: int) -> bytes:
        parts = []
        while length and (part := os.pread(self._file.fileno(), length, offset)):
            parts.append(part)
            length, offset = length - len(part), offset + len(part)
        return b"".join(parts)

    def _zeros(self, offset: int, size: int) -> bool:
        while offset < size:
            part = self._pread(min(_ZEROS_READ, size - offset), offset)
            if any(part):
                return False
            offset += len(part)
        return True

    def _corrupt(self, offset: int, expected: str, was: str) -> ChainFileCorrupt:
        return ChainFileCorrupt(str(self.path), offset, expected, was)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
