"""Typed exceptions of the node's storage: the environment's failures, never the client's.

Every text says what was expected, what it was, and what to do next. None of them may be answered
by carrying on: the node stops with its acknowledged records intact.
"""

from __future__ import annotations

from pathlib import Path


class StorageError(Exception):
    """Anything the disk, the log or the view can fail with."""


class DiskFailed(StorageError):
    """The operating system refused or lost a write.

    The caller must halt. A failed sync is never retried: the kernel may already have marked the
    lost pages clean, so that a second sync would report success for data that is not on the disk.
    """

    def __init__(self, operation: str, name: str, reason: str) -> None:
        self.operation = operation
        self.name = name
        self.reason = reason
        super().__init__(
            f"disk: expected {operation} of {name!r} to succeed, was: {reason}. "
            "The node has to stop here; nothing after the last successful sync was acknowledged. "
            "Next: check the device and its free space, then restart the node, "
            "which verifies the whole log."
        )


class DirectoryInUse(StorageError):
    """Another process (or another object in this one) holds the data directory."""

    def __init__(self, directory: Path, holder: str) -> None:
        self.directory = directory
        self.holder = holder
        super().__init__(
            f"disk: expected to be the only user of {directory}, was: held by {holder}. "
            "Next: stop that node, or give this one a data directory of its own."
        )


class LogCorrupt(StorageError):
    """A synced byte of the log is not what was written; nothing from there on is served."""

    def __init__(self, segment: str, offset: int, expected: str, was: str, next_step: str) -> None:
        self.segment = segment
        self.offset = offset
        self.expected = expected
        self.was = was
        self.next_step = next_step
        super().__init__(
            f"log: {segment} at byte {offset}: expected {expected}, was: {was}. Next: {next_step}"
        )


class LogBehind(StorageError):
    """A whole, undamaged log lacks what was promised out of it; nothing of it is served."""

    def __init__(self, promised_by: str, expected: str, was: str, next_step: str) -> None:
        self.promised_by = promised_by
        self.expected = expected
        self.was = was
        super().__init__(
            f"log: {promised_by} holds {expected}, expected it in the log, was: {was}. "
            f"Next: {next_step}; nothing was served"
        )


class ViewCorrupt(StorageError):
    """The rebuildable index returned something that was never put there."""

    def __init__(self, key: bytes | None, expected: str, was: str) -> None:
        self.key = key
        self.expected = expected
        self.was = was
        where = "the store itself" if key is None else f"key {key.hex()}"
        super().__init__(
            f"view: {where}: expected {expected}, was: {was}. "
            "Next: start the node again, which makes the view anew from the log and loses nothing."
        )
