"""A guardian who can delay, and nothing else.

He may let every batch that is open wait some blocks more before it is final, each batch once. So a
defect that somebody found has time to be proven; what was wrong still falls by a proof alone, and
nobody's money moves at his word. A court without a guardian is the default.
"""

from __future__ import annotations

from verifier.codec import NOBODY
from verifier.errors import CourtError, require
from verifier.host.storage import Cell, UndoLog


class Guardian:
    """Who may delay, by how many blocks, and what he has delayed so far."""

    def __init__(self, log: UndoLog, address: bytes, delay_blocks: int) -> None:
        self._address = address
        self._delay = delay_blocks
        self._through: Cell[int] = Cell(log, 0)

    def extra_blocks(self, posted_block: int) -> int:
        """Return by how many blocks the window of a batch posted in that block is longer."""
        return self._delay if posted_block <= self._through.value else 0

    def delay(self, sender: bytes, newest_block: int) -> int:
        """Prolong the windows of all open batches, the newest one posted in `newest_block`.

        Returns by how many blocks. Raises Refused(NOT_GUARDIAN), or NOTHING_TO_DELAY if the newest
        one was delayed before, or none is open (block 0).
        """
        may = sender == self._address != NOBODY
        require(may, CourtError.NOT_GUARDIAN, self._address, sender)
        require(newest_block > self._through.value, CourtError.NOTHING_TO_DELAY)
        self._through.value = newest_block
        return self._delay
