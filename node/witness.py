"""What a node promised, noted outside of its log: a log that lacks it is not served.

A log proves of itself that nothing in its middle is gone, and by its marks that its end is there.
Files that are gone altogether, or that were restored from an older copy, prove nothing: an emptied
directory looks like a new log, an older copy like a younger node. So two others are asked before
anything is served: the *witness*, a file in a directory of its own (best on another device), which
holds the durable tail, and the base layer, which holds every batch that was posted.

The tail is written after every sync of the log, without a sync of its own, into one of two
blocks: that which does not hold the note that was synced last. It is synced when the node starts,
with every sealed batch, when a segment is full, and at a clean close. So a process that dies leaves
it exact, and a machine that dies at least as new as the last sealed batch. What remains: if the
machine dies *and* a copy of the log is restored that is newer than that, its end is not missed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Self

from node.disk import Disk
from node.errors import LogBehind, LogCorrupt
from node.log import BLOCK_BYTES, EMPTY_TAIL, Tail, block, block_is_whole
from node.records import SealRecord
from verifier.base.interface import BaseLayer

NAME = "promised"

_NOTE = struct.Struct(">4sQ32s")
_MAGIC = b"NovP"
_LOST = (
    "restore the newest copy of the log; if there is none that has this, acknowledged actions are "
    "lost, and this key must not sign again (docs/operations.md, 'The node's log is behind')"
)


class Witness:
    """The durable tail of a log, on a disk beside it. Used by whoever syncs the log."""

    def __init__(self, disk: Disk, tail: Tail | None, slot: int) -> None:
        """Use `Witness.open`."""
        self.tail = tail
        self._disk = disk
        self._durable_slot = slot
        self._synced = True

    @classmethod
    def open(cls, disk: Disk) -> Self:
        """Read what was promised; `tail` is None where no log was ever served.

        Raises `LogCorrupt` when both notes are damaged, `DiskFailed` when the disk fails.
        """
        if NAME not in disk.names():
            return cls(disk, None, 0)
        content = disk.read(NAME, 0, 2 * BLOCK_BYTES)
        found = []
        for slot in range(2):
            note = content[slot * BLOCK_BYTES :][:BLOCK_BYTES]
            if block_is_whole(note) and note.startswith(_MAGIC):
                _, sequence, tail_hash = _NOTE.unpack_from(note)
                found.append((Tail(sequence, tail_hash), slot))
        if not found:
            raise LogCorrupt(
                NAME,
                0,
                "at least one note with a right CRC",
                "two damaged",
                "compare the log with its copies by novatio inspect log; if it is the newest, "
                "remove this file and start",
            )
        # Only one note is ever unsynced, so that no loss of power can tear both.
        disk.sync(NAME)
        return cls(disk, *max(found))

    def note(self, tail: Tail) -> None:
        """Write down that everything up to `tail` may be acknowledged. Does not sync."""
        content = block(_NOTE.pack(_MAGIC, tail.sequence, tail.hash))
        if self.tail is None:
            self._disk.replace(NAME, 2 * content)
        else:
            self._disk.overwrite(NAME, (1 - self._durable_slot) * BLOCK_BYTES, content)
            self._synced = False
        self.tail = tail

    def sync(self) -> None:
        """Make what was noted last durable."""
        if not self._synced:
            self._disk.sync(NAME)
            self._durable_slot = 1 - self._durable_slot
            self._synced = True

    def require(self, hash_at: Callable[[int], bytes | None]) -> None:
        """Raise `LogBehind` unless the log, of which `hash_at` tells, has the noted record."""
        tail = EMPTY_TAIL if self.tail is None else self.tail
        known = hash_at(tail.sequence)
        if known != tail.hash:
            raise LogBehind(
                "the witness",
                f"record {tail.sequence} with hash {tail.hash.hex()}",
                "no such record" if known is None else f"hash {known.hex()}",
                _LOST,
            )


def require_posted(base: BaseLayer, seals: tuple[SealRecord, ...]) -> None:
    """Raise `LogBehind` if the court holds a batch that these do not lead to.

    A batch beyond the last sealed one means that the log lost its end, that others posted in open
    posting, or that somebody has the key. In each case what this node acknowledges now could never
    be posted. The first final batch that differs means the same for good; an open one of somebody
    who has the key will fall, and the node that runs waits for it.
    """
    head = base.head()
    sealed = {seal.number: seal for seal in seals}
    last = max(sealed, default=0)
    final = min(base.heads(head.hash).finalised_number, last)
    if final:
        for view in base.batches(final, 1, head.hash):
            ours, theirs = sealed[final].post_root.hex(), view.record.post_root.hex()
            if ours != theirs:
                raise LogBehind("the base layer", f"batch {final} with root {theirs}", ours, _LOST)
    for view in base.batches(last + 1, 1, head.hash):
        raise LogBehind(
            "the base layer",
            f"batch {view.record.number} with root {view.record.post_root.hex()}",
            f"a log that ends with batch {last}",
            _LOST + "; if somebody else posted it, start again when it fell",
        )
