"""The seam between the log and a directory of files, and its implementation on a real one.

`Disk` is what the log needs and no more, so that a simulated disk can drop, tear and reorder
everything that was not synced. Names are flat (no directories), offsets and lengths are bytes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from node.direct import DIRECT_BYTES_MIN, DirectWriter
from node.errors import DirectoryInUse, DiskFailed

LOCK_NAME = "lock"
TEMPORARY_SUFFIX = ".temporary"
# Linux takes at most this many buffers in one writev (IOV_MAX).
BUFFERS_PER_WRITE_MAX = 1024


class Disk(Protocol):
    """A flat directory of files whose writes are durable only after `sync`.

    Contract: a write that was not synced may, after a power loss, be there, be gone, be there in
    part, or be there while an earlier one is not. `replace` and `remove` are durable and atomic
    when they return. Any failure to write or sync raises `DiskFailed`, and after that every
    mutating call raises `DiskFailed` again: nobody can retry a sync by accident.
    """

    def append(self, name: str, buffers: Sequence[bytes]) -> None:
        """Write `buffers` one after the other at the end of an existing file."""

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        """Write `data` over bytes that exist already; the size does not change."""

    def sync(self, name: str) -> None:
        """Make every write to `name` so far durable."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the file."""

    def size(self, name: str) -> int:
        """Return the size of `name` in bytes."""

    def names(self) -> list[str]:
        """Return the names of all files, sorted."""

    def truncate(self, name: str, length: int) -> None:
        """Cut `name` down to `length` bytes; durable after the next `sync`."""

    def replace(self, name: str, data: bytes) -> None:
        """Create or replace a small file: after a crash it is the old one or the new one whole."""

    def remove(self, name: str) -> None:
        """Remove `name` durably."""

    def close(self) -> None:
        """Let go of all files and of the lock. Syncs nothing."""


class OsDisk:
    """`Disk` on a directory of the operating system, locked against a second opener.

    One thread mutates; any thread may read. `read_only=True` takes no lock, creates nothing and
    refuses every mutating call: it is for inspecting the files of a node, also of a running one.
    """

    def __init__(self, directory: str | os.PathLike[str], *, read_only: bool = False) -> None:
        """Open `directory`, creating it unless read-only.

        Raises `DirectoryInUse` when another `OsDisk` holds it, `DiskFailed` when the operating
        system refuses.
        """
        self.directory = Path(directory)
        self.read_only = read_only
        self._descriptors: dict[str, int] = {}
        self._direct = DirectWriter()
        self._lock_descriptor = -1
        self._failure: DiskFailed | None = None
        if not read_only:
            self._open_writable()

    def append(self, name: str, buffers: Sequence[bytes]) -> None:
        """Write `buffers` at the end of `name` with as few system calls as possible."""
        descriptor = self._writable("append", name)
        try:
            large = sum(map(len, buffers)) >= DIRECT_BYTES_MIN
            if large and self._direct.append(self.directory / name, descriptor, buffers):
                return
            for first in range(0, len(buffers), BUFFERS_PER_WRITE_MAX):
                _write_all(descriptor, buffers[first : first + BUFFERS_PER_WRITE_MAX])
        except OSError as error:
            raise self._fail("append", name, error) from error

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        """Write `data` at `offset`, inside the file. O_APPEND would ignore the offset, so the
        descriptors are opened without it and `append` seeks to the end once, on opening."""
        descriptor = self._writable("overwrite", name)
        try:
            if offset + len(data) > os.fstat(descriptor).st_size:
                raise ValueError(f"overwrite of {name!r} reaches past its end")
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            raise self._fail("overwrite", name, error) from error

    def sync(self, name: str) -> None:
        """fdatasync, which also makes a changed file size durable."""
        descriptor = self._writable("sync", name)
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            raise self._fail("sync", name, error) from error

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Read with a descriptor of its own, so that readers never disturb the writer."""
        try:
            with open(self.directory / name, "rb", buffering=0) as file:
                return _read_all(file.fileno(), offset, length)
        except OSError as error:
            raise DiskFailed("read", name, str(error)) from error

    def size(self, name: str) -> int:
        """Return the size of `name` in bytes."""
        try:
            return (self.directory / name).stat().st_size
        except OSError as error:
            raise DiskFailed("size", name, str(error)) from error

    def names(self) -> list[str]:
        """Return the names of all plain files but the lock and unfinished replacements."""
        try:
            return sorted(
                entry.name
                for entry in os.scandir(self.directory)
                if entry.is_file()
                and entry.name != LOCK_NAME
                and not entry.name.endswith(TEMPORARY_SUFFIX)
            )
        except OSError as error:
            raise DiskFailed("listing", str(self.directory), str(error)) from error

    def truncate(self, name: str, length: int) -> None:
        """Cut `name` down to `length` bytes and move the place of the next append there."""
        descriptor = self._writable("truncate", name)
        try:
            os.ftruncate(descriptor, length)
            os.lseek(descriptor, length, os.SEEK_SET)
        except OSError as error:
            raise self._fail("truncate", name, error) from error

    def replace(self, name: str, data: bytes) -> None:
        """Write beside, sync, rename over, sync the directory."""
        self._require_writable("replace", name)
        self._forget(name)
        temporary = self.directory / (name + TEMPORARY_SUFFIX)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                _write_all(descriptor, [data])
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, self.directory / name)
            self._sync_directory()
        except OSError as error:
            raise self._fail("replace", name, error) from error

    def remove(self, name: str) -> None:
        """Unlink `name` and sync the directory."""
        self._require_writable("remove", name)
        self._forget(name)
        try:
            os.unlink(self.directory / name)
            self._sync_directory()
        except OSError as error:
            raise self._fail("remove", name, error) from error

    def close(self) -> None:
        """Close all descriptors; closing the lock's descriptor releases it. May be repeated."""
        for name in list(self._descriptors):
            self._forget(name)
        if self._lock_descriptor >= 0:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1
        self.read_only = True

    def _open_writable(self) -> None:
        name = str(self.directory)
        try:
            if not self.directory.exists():
                self.directory.mkdir(parents=True)
                # The entry of a directory lives in its parent.
                _sync_path(self.directory.resolve().parent)
            self._take_lock()
            for entry in self.directory.glob(f"*{TEMPORARY_SUFFIX}"):
                entry.unlink()
            self._sync_directory()
        except OSError as error:
            self.close()
            raise DiskFailed("open", name, str(error)) from error

    def _take_lock(self) -> None:
        path = self.directory / LOCK_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # flock belongs to the open file, so a second OsDisk of this process is refused too,
            # and the kernel releases it when the process dies, however it dies.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise DirectoryInUse(self.directory, holder or "an unknown process") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}\n".encode("ascii"), 0)
        self._lock_descriptor = descriptor

    def _writable(self, operation: str, name: str) -> int:
        self._require_writable(operation, name)
        descriptor = self._descriptors.get(name)
        if descriptor is None:
            try:
                descriptor = os.open(self.directory / name, os.O_RDWR | os.O_CLOEXEC)
                os.lseek(descriptor, 0, os.SEEK_END)
            except OSError as error:
                raise self._fail(operation, name, error) from error
            self._descriptors[name] = descriptor
        return descriptor

    def _require_writable(self, operation: str, name: str) -> None:
        if self._failure is not None:
            raise self._failure
        if self.read_only:
            raise DiskFailed(operation, name, "the disk is open for reading only, or closed")

    def _forget(self, name: str) -> None:
        descriptor = self._descriptors.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def _sync_directory(self) -> None:
        _sync_path(self.directory)

    def _fail(self, operation: str, name: str, error: OSError) -> DiskFailed:
        self._failure = DiskFailed(operation, name, str(error))
        return self._failure


def _sync_path(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, buffers: Sequence[bytes]) -> None:
    """Write all of at most BUFFERS_PER_WRITE_MAX buffers; a short write continues, not repeats."""
    written = os.writev(descriptor, buffers)
    for buffer in buffers:
        if written >= len(buffer):
            written -= len(buffer)
            continue
        rest = memoryview(buffer)[written:]
        written = 0
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _read_all(descriptor: int, offset: int, length: int) -> bytes:
    """Read up to the end of the file; the kernel may hand over large reads in several pieces."""
    data = os.pread(descriptor, length, offset)
    if len(data) == length or not data:
        return data
    pieces = [data]
    total = len(data)
    while total < length and (piece := os.pread(descriptor, length - total, offset + total)):
        pieces.append(piece)
        total += len(piece)
    return b"".join(pieces)
