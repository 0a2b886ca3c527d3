"""Appending past the page cache.

A page that is taken for bytes nobody reads again costs more than writing them: on a machine that
gives its free memory back, several times as much. The end of a file is rarely that of a block, so
its last part block goes through the page cache as ever, and the next append writes it again in
front of its own bytes. The kernel keeps both ways coherent; what `sync` promises is the same.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

BLOCK_BYTES = 4096  # direct writes begin and end on such a block, in the file and in memory
STAGE_BYTES = 2**20
DIRECT_BYTES_MIN = 2**17  # less gains nothing


class DirectWriter:
    """Appends to files by direct writes. One thread at a time."""

    def __init__(self) -> None:
        """Take the memory that bytes are laid out in; a map begins on a page."""
        self._stage = memoryview(mmap.mmap(-1, STAGE_BYTES))

    def append(self, path: Path, descriptor: int, buffers: Sequence[bytes]) -> bool:
        """Write `buffers` from the position of `descriptor`, which is the end of the file `path`.

        Returns False, and has written nothing that counts, where the file system knows no direct
        writes. Raises OSError.
        """
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            direct = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False
            raise
        try:
            end = self._write(direct, descriptor, end, buffers)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False
            raise
        finally:
            os.close(direct)
        os.lseek(descriptor, end, os.SEEK_SET)
        return True

    def _write(self, direct: int, descriptor: int, end: int, buffers: Sequence[bytes]) -> int:
        """Write whole blocks directly, the rest through the cache; return the new end."""
        stage = self._stage
        start = end - end % BLOCK_BYTES
        filled = end - start
        stage[:filled] = os.pread(descriptor, filled, start)
        for buffer in buffers:
            left = memoryview(buffer)
            while left:
                part = left[: STAGE_BYTES - filled]
                stage[filled : filled + len(part)] = part
                filled += len(part)
                left = left[len(part) :]
                if filled == STAGE_BYTES:
                    _write_at(direct, stage, start)
                    start, filled = start + filled, 0
        whole = filled - filled % BLOCK_BYTES
        _write_at(direct, stage[:whole], start)
        _write_at(descriptor, stage[whole:filled], start + whole)
        return start + filled


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of `data`; a short write continues."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
