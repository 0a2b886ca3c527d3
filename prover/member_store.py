"""Where a committee member keeps data: one file a batch, written once, never replaced.

The file is also the member's memory of what it signed: it is durable before the signature leaves,
and no second data can take its place.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import NamedTuple

from clearing.keccak import keccak256

MAGIC = b"NVDA"
LOCK_NAME = "lock"
CHAIN_NAME = "chain"
FRESH_SUFFIX = ".new"

_HEAD = struct.Struct(">4sI32s")


class StoreError(RuntimeError):
    """The directory is another's, of another chain, or holds what was never written."""


class HeldData(NamedTuple):
    """The data of a batch, pairs and step bytes, and how many steps they are."""

    step_count: int
    data: bytes


class MemberStore:
    """The data of one chain's batches in one directory, which one process uses at a time.

    Not safe for threads. Raises StoreError for a directory in use or of another chain.
    """

    def __init__(self, directory: Path, chain: str) -> None:
        """`chain` names the chain and the court that all data are of."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StoreError(
                f"{directory}: expected a directory that nobody uses, was one in use; stop the "
                "other member first"
            ) from error
        try:
            self._bind(chain)
        except StoreError:
            os.close(self._lock)
            raise
        for fresh in directory.glob(f"*{FRESH_SUFFIX}"):
            fresh.unlink()
        # What a crash left half-way is durable before anything is signed again.
        self._sync_directory()
        sizes = [path.stat().st_size - _HEAD.size for path in directory.glob("[0-9]*-[0-9]*")]
        self.batch_count = len(sizes)
        self.data_bytes = sum(sizes)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._lock)

    def put(self, generation: int, number: int, held: HeldData) -> HeldData:
        """Keep the data of a batch unless there are some, and return what is kept, durably."""
        name = self._name(generation, number)
        known = self.get(generation, number)
        if known is not None:
            return known
        fresh = self._directory / (name + FRESH_SUFFIX)
        self._write(fresh, _HEAD.pack(MAGIC, held.step_count, keccak256(held.data)) + held.data)
        # A link fails where a file is, a rename would replace it.
        os.link(fresh, self._directory / name)
        fresh.unlink()
        self._sync_directory()
        self.batch_count += 1
        self.data_bytes += len(held.data)
        return held

    def get(self, generation: int, number: int) -> HeldData | None:
        """Return the data of a batch, or None. Raises StoreError for a damaged file."""
        path = self._directory / self._name(generation, number)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        head, data = content[: _HEAD.size], content[_HEAD.size :]
        if len(head) == _HEAD.size:
            magic, step_count, checksum = _HEAD.unpack(head)
            if magic == MAGIC and checksum == keccak256(data):
                return HeldData(step_count, data)
        raise StoreError(
            f"{path}: expected the bytes that were written, was something else; restore the file "
            "from a copy or another member, and do not delete it: it says what was signed"
        )

    def _name(self, generation: int, number: int) -> str:
        return f"{generation}-{number}"

    def _bind(self, chain: str) -> None:
        path = self._directory / CHAIN_NAME
        if not path.exists():
            self._write(path, chain.encode())
            self._sync_directory()
        was = path.read_text()
        if was != chain:
            raise StoreError(
                f"{self._directory}: expected the data of {chain}, was those of {was}; "
                "use a directory a chain"
            )

    def _write(self, path: Path, content: bytes) -> None:
        with open(path, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _sync_directory(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
