"""The node's index: LevelDB as a view over the log, which can be thrown away and rebuilt.

The log decides; the view only answers faster. Each batch of puts carries the watermark of the
record that it came from, so that the two can be compared: a view whose watermark is not in the log
belongs to another log, one that lags is caught up, one that is damaged is rebuilt.

LevelDB checks its blocks only when told to, and by default drops what it cannot read. So it is
opened with `paranoid_checks` and read with `verify_checksums`, and every value carries a CRC-32 of
its key and itself, which also finds a value that ended up under another key.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import plyvel

from node.errors import DiskFailed, LogBehind, StorageError, ViewCorrupt
from node.log import EMPTY_TAIL, Log, Record, Tail

KEY_BYTES_MAX = 1024
VALUE_BYTES_MAX = 16 * 2**20

_VALUE_PREFIX = b"v"
_WATERMARK_KEY = b"watermark"
_WATERMARK = struct.Struct(">Q32s")
_CRC_BYTES = 4

Put = tuple[bytes, bytes]
Fold = Callable[[Record], Iterable[Put]]


class View:
    """An ordered map of bytes to bytes with a watermark, in a directory of its own.

    Writes are not synced: after a crash the watermark says from where to catch up. One thread
    writes, any thread may read.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Open or create the view. Raises `ViewCorrupt` or `DiskFailed`."""
        self.directory = Path(directory)
        self._store = _open_store(self.directory)

    def apply(self, puts: Iterable[Put], watermark: Tail) -> None:
        """Put all pairs and the watermark, or, after a crash, none of them.

        Keys have at most KEY_BYTES_MAX bytes and values VALUE_BYTES_MAX; the last put of a key
        wins.
        """
        with _mapped(self.directory, None):
            batch = self._store.write_batch()
            for key, value in puts:
                if len(key) > KEY_BYTES_MAX or len(value) > VALUE_BYTES_MAX:
                    raise ValueError(
                        f"put: expected a key of at most {KEY_BYTES_MAX} and a value of at most "
                        f"{VALUE_BYTES_MAX} bytes, was {len(key)} and {len(value)}"
                    )
                stored = _VALUE_PREFIX + key
                batch.put(stored, _seal(stored, value))
            value = _WATERMARK.pack(watermark.sequence, watermark.hash)
            batch.put(_WATERMARK_KEY, _seal(_WATERMARK_KEY, value))
            batch.write()

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`, or None. Raises `ViewCorrupt` when it is damaged."""
        return self._get(_VALUE_PREFIX + key, key)

    def scan(
        self, prefix: bytes = b"", start: bytes = b"", limit: int | None = None
    ) -> Iterator[Put]:
        """Yield up to `limit` pairs in key order: keys that begin with `prefix`, from `start` on.

        `start` is a whole key, not a part behind the prefix. Sees the view as it is at the first
        step. Raises `ViewCorrupt` in place of the first damaged pair.
        """
        if limit is not None and limit < 0:
            raise ValueError(f"limit: expected at least 0, was {limit}")
        low = _VALUE_PREFIX + max(prefix, start)
        high = _after_prefix(_VALUE_PREFIX + prefix)
        key: bytes | None = None
        count = 0
        with (
            _mapped(self.directory, None),
            self._store.iterator(start=low, stop=high, verify_checksums=True) as pairs,
        ):
            while (limit is None or count < limit) and (pair := next(pairs, None)) is not None:
                key = bytes(pair[0][1:])
                yield key, _unseal(pair[0], pair[1], key)
                count += 1

    def watermark(self) -> Tail:
        """Return the record that the view stands at; an empty view stands before the first."""
        value = self._get(_WATERMARK_KEY, _WATERMARK_KEY)
        return EMPTY_TAIL if value is None else Tail(*_WATERMARK.unpack(value))

    def destroy_and_recreate(self) -> None:
        """Throw everything away and begin empty."""
        self._store.close()
        destroy_view(self.directory)
        self._store = _open_store(self.directory)

    def close(self) -> None:
        """Close the store. May be repeated."""
        self._store.close()

    def _get(self, stored: bytes, key: bytes) -> bytes | None:
        with _mapped(self.directory, key):
            sealed = self._store.get(stored, verify_checksums=True)
        return None if sealed is None else _unseal(stored, sealed, key)


class CatchUp(NamedTuple):
    """How a view came to stand at the log's durable tail.

    `rebuilt_because` is None when what was there could be used; `records` counts the replayed.
    """

    rebuilt_because: str | None
    records: int


def open_view(directory: str | os.PathLike[str], log: Log, fold: Fold) -> tuple[View, CatchUp]:
    """Open the view of `log` and bring it to the log's durable tail.

    `fold` turns a record into puts. A damaged or foreign view is destroyed and rebuilt.
    Raises `LogCorrupt`, `DiskFailed`, and `LogBehind` when the view has seen more of the log than
    there is; never `ViewCorrupt` about what was there before.
    """
    reason: str | None = None
    try:
        view = View(directory)
    except ViewCorrupt as damage:
        reason = str(damage)
        destroy_view(directory)
        view = View(directory)
    try:
        found = catch_up(view, log, fold)
    except StorageError:
        view.close()
        raise
    return view, CatchUp(reason or found.rebuilt_because, found.records)


def catch_up(view: View, log: Log, fold: Fold) -> CatchUp:
    """Apply the log's records after the watermark; start over if the watermark is not the log's."""
    reason = _why_rebuild(view, log)
    if reason is not None:
        view.destroy_and_recreate()
    start = EMPTY_TAIL.sequence if reason is not None else view.watermark().sequence
    count = 0
    for record in log.records(start + 1):
        view.apply(fold(record), Tail(record.sequence, record.hash))
        count += 1
    return CatchUp(reason, count)


def destroy_view(directory: str | os.PathLike[str]) -> None:
    """Remove the store's own files from `directory`; it must not be open."""
    with _mapped(Path(directory), None):
        plyvel.destroy_db(os.fspath(directory))


def _why_rebuild(view: View, log: Log) -> str | None:
    try:
        mark = view.watermark()
    except ViewCorrupt as damage:
        return str(damage)
    known = log.hash_at(mark.sequence)
    if known == mark.hash:
        return None
    if known is None:
        # Only synced records come into the view: the log had this one, and it is gone.
        raise LogBehind(
            "the view",
            f"record {mark.sequence} with hash {mark.hash.hex()}",
            f"a log that ends with record {log.durable_tail.sequence}",
            f"restore the newest copy of the log, or, if {view.directory} is of another node, "
            "remove it",
        )
    return (
        f"view: expected the hash of the log's record {mark.sequence}: {known.hex()}, "
        f"was: {mark.hash.hex()}; the view is of another log"
    )


def _open_store(directory: Path) -> plyvel.DB:
    with _mapped(directory, None):
        directory.parent.mkdir(parents=True, exist_ok=True)
        return plyvel.DB(os.fspath(directory), create_if_missing=True, paranoid_checks=True)


def _seal(stored_key: bytes, value: bytes) -> bytes:
    return zlib.crc32(value, zlib.crc32(stored_key)).to_bytes(_CRC_BYTES, "big") + value


def _unseal(stored_key: bytes, sealed: bytes, key: bytes) -> bytes:
    value = sealed[_CRC_BYTES:]
    expected = sealed[:_CRC_BYTES].hex()
    computed = zlib.crc32(value, zlib.crc32(stored_key)).to_bytes(_CRC_BYTES, "big").hex()
    if expected != computed:
        raise ViewCorrupt(key, f"CRC {expected}", f"CRC {computed}")
    return value


def _after_prefix(prefix: bytes) -> bytes:
    """Return the first key after all keys with `prefix`, which begins with a byte below 255."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1])


@contextmanager
def _mapped(directory: Path, key: bytes | None) -> Iterator[None]:
    """Say in our own exceptions what LevelDB found."""
    try:
        yield
    except plyvel.CorruptionError as error:
        raise ViewCorrupt(key, "an undamaged store", str(error)) from error
    except (plyvel.IOError, OSError) as error:
        raise DiskFailed("the view", str(directory), str(error)) from error
