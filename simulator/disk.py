"""An in-memory disk that loses, tears and reorders whatever was not synced, on a seed.

Each file has three layers: what a reader sees (`cached`), what the medium holds (`durable`), and
the writes in between (`pending`). A crash of the process keeps the cache; a loss of power throws
it away and leaves of each pending write all, nothing, or a prefix up to a sector, in any order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from node.errors import DiskFailed

SECTOR_BYTES = 512


class SimulatedCrash(BaseException):
    """The process dies here. Not an `Exception`, so that no handler can survive it."""


@dataclass
class _Write:
    offset: int
    data: bytes


@dataclass
class _Truncate:
    length: int


@dataclass
class _File:
    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[_Write | _Truncate] = field(default_factory=list)


def _apply(image: bytearray, change: _Write | _Truncate) -> None:
    if isinstance(change, _Truncate):
        del image[change.length :]
        return
    end = change.offset + len(change.data)
    if len(image) < end:
        # A later write may be kept while the one before it is gone: the gap reads as zeros.
        image.extend(bytes(end - len(image)))
    image[change.offset : end] = change.data


class SimDisk:
    """`node.disk.Disk` in memory. `operations` and `syncs` count the mutating calls so far.

    `crash_at=k` crashes in the k-th mutating call from now (1 is the next one), after its writes
    went to the cache but before a sync or a replacement is complete. `fail_sync_at=k` lets the
    k-th sync from now fail with EIO: some pending writes are lost for good, all stay visible.
    """

    def __init__(self, chance: random.Random) -> None:
        self.operations = 0
        self.syncs = 0
        self._chance = chance
        self._files: dict[str, _File] = {}
        self._crash_at: int | None = None
        self._fail_sync_at: int | None = None
        self._failure: DiskFailed | None = None

    # What a test can do to the disk.

    def crash_at(self, operation: int | None) -> None:
        """Crash in the `operation`-th mutating call from now; None calls it off."""
        self._crash_at = None if operation is None else self.operations + operation

    def fail_sync_at(self, sync: int) -> None:
        """Let the `sync`-th sync from now fail."""
        self._fail_sync_at = self.syncs + sync

    def restart(self, *, power_loss: bool) -> None:
        """Forget the process; with `power_loss` also the cache."""
        self._crash_at = self._fail_sync_at = self._failure = None
        for file in self._files.values():
            if power_loss:
                self._lose_power(file)

    def flip_bit(self, name: str, offset: int, bit: int) -> None:
        """Flip one bit, on the medium and in the cache."""
        for image in (self._files[name].cached, self._files[name].durable):
            if offset < len(image):
                image[offset] ^= 1 << bit

    def cut(self, name: str, length: int) -> None:
        """Lose everything behind `length` bytes, on the medium and in the cache."""
        for image in (self._files[name].cached, self._files[name].durable):
            del image[length:]

    def delete(self, name: str) -> None:
        """Lose a file."""
        del self._files[name]

    def twin(self) -> SimDisk:
        """Return an independent disk that a reader cannot tell from this one."""
        twin = SimDisk(random.Random(0))
        for name, file in self._files.items():
            twin._files[name] = _File(bytearray(file.cached), bytearray(file.cached))
        return twin

    def copy(self) -> SimDisk:
        """Return an independent disk with the same durable content and nothing pending."""
        twin = SimDisk(random.Random(self._chance.random()))
        for name, file in self._files.items():
            twin._files[name] = _File(bytearray(file.durable), bytearray(file.durable))
        return twin

    # The `Disk` protocol.

    def append(self, name: str, buffers: Sequence[bytes]) -> None:
        self._begin()
        file = self._file("append", name)
        self._write(file, _Write(len(file.cached), b"".join(buffers)))
        self._crash_if_due()

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        self._begin()
        file = self._file("overwrite", name)
        if offset + len(data) > len(file.cached):
            raise ValueError(f"overwrite of {name!r} reaches past its end")
        self._write(file, _Write(offset, data))
        self._crash_if_due()

    def sync(self, name: str) -> None:
        self._begin()
        self.syncs += 1
        file = self._file("sync", name)
        self._crash_if_due()
        if self.syncs == self._fail_sync_at:
            self._keep_some(file)
            self._failure = DiskFailed("sync", name, "[Errno 5] Input/output error (simulated)")
            raise self._failure
        for change in file.pending:
            _apply(file.durable, change)
        file.pending.clear()

    def read(self, name: str, offset: int, length: int) -> bytes:
        return bytes(self._file("read", name).cached[offset : offset + length])

    def size(self, name: str) -> int:
        return len(self._file("size", name).cached)

    def names(self) -> list[str]:
        return sorted(self._files)

    def truncate(self, name: str, length: int) -> None:
        self._begin()
        self._write(self._file("truncate", name), _Truncate(length))
        self._crash_if_due()

    def replace(self, name: str, data: bytes) -> None:
        self._begin()
        if self._crash_is_due() and self._chance.random() < 0.5:
            raise SimulatedCrash
        self._files[name] = _File(bytearray(data), bytearray(data))
        self._crash_if_due()

    def remove(self, name: str) -> None:
        self._begin()
        if self._crash_is_due() and self._chance.random() < 0.5:
            raise SimulatedCrash
        del self._files[name]
        self._crash_if_due()

    def close(self) -> None:
        """Nothing to let go of."""

    # How it works.

    def _begin(self) -> None:
        if self._failure is not None:
            raise self._failure
        self.operations += 1

    def _crash_is_due(self) -> bool:
        return self.operations == self._crash_at

    def _crash_if_due(self) -> None:
        if self._crash_is_due():
            raise SimulatedCrash

    def _file(self, operation: str, name: str) -> _File:
        if name not in self._files:
            raise DiskFailed(operation, name, "[Errno 2] No such file")
        return self._files[name]

    @staticmethod
    def _write(file: _File, change: _Write | _Truncate) -> None:
        file.pending.append(change)
        _apply(file.cached, change)

    def _lose_power(self, file: _File) -> None:
        self._keep_some(file)
        file.cached = bytearray(file.durable)

    def _keep_some(self, file: _File) -> None:
        """Carry a random part of the pending writes to the medium and forget the rest."""
        changes = file.pending
        file.pending = []
        if self._chance.random() < 0.5:
            self._chance.shuffle(changes)
        for change in changes:
            fate = self._chance.choice(("kept", "dropped", "torn"))
            if fate == "torn" and isinstance(change, _Write):
                change = self._tear(change)
            if fate != "dropped":
                _apply(file.durable, change)

    def _tear(self, write: _Write) -> _Write:
        """Keep a prefix that ends at a sector's edge, or anywhere if there is no edge in it."""
        first_edge = -(-write.offset // SECTOR_BYTES) * SECTOR_BYTES - write.offset
        edges = list(range(first_edge, len(write.data), SECTOR_BYTES))
        length = self._chance.choice(edges or [self._chance.randrange(len(write.data) + 1)])
        return _Write(write.offset, write.data[:length])
