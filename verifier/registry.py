"""Who runs the house: the operator, the key that it posts with, and whom it hands over to."""

from __future__ import annotations

from verifier.codec import NOBODY
from verifier.errors import CourtError, require
from verifier.host.storage import Cell, UndoLog


class Registry:
    """The operator names the sequencer; a successor becomes both when he accepts, not at once.

    Between offer and acceptance whoever gives the house away posts what he has acknowledged.
    """

    def __init__(self, log: UndoLog, operator: bytes, sequencer: bytes) -> None:
        self._operator: Cell[bytes] = Cell(log, operator)
        self._sequencer: Cell[bytes] = Cell(log, sequencer)
        self._successor: Cell[bytes] = Cell(log, NOBODY)
        self._opens: Cell[int] = Cell(log, 0)

    @property
    def operator(self) -> bytes:
        """Who may rotate the key, hand over and announce laws."""
        return self._operator.value

    @property
    def sequencer(self) -> bytes:
        """Who posts while posting is not open."""
        return self._sequencer.value

    @property
    def successor(self) -> bytes:
        """Who may accept the handover; NOBODY without one."""
        return self._successor.value

    @property
    def opens(self) -> int:
        """The first block in which the successor may accept."""
        return self._opens.value

    def check_operator(self, sender: bytes) -> None:
        """Raise Refused(NOT_OPERATOR) unless the operator calls."""
        expected = f"the operator {self.operator.hex()}"
        advice = "sign with its key"
        require(sender == self.operator, CourtError.NOT_OPERATOR, expected, sender, advice)

    def rotate(self, sender: bytes, sequencer: bytes) -> None:
        """Let another key post from now on. Raises Refused(NOT_OPERATOR or INVALID_ADDRESS)."""
        self.check_operator(sender)
        new = sequencer not in (NOBODY, self.sequencer)
        require(new, CourtError.INVALID_ADDRESS, self.sequencer, sequencer)
        self._sequencer.value = sequencer

    def name(self, sender: bytes, successor: bytes, opens: int) -> None:
        """Offer the house to somebody, who may accept from block `opens` on; NOBODY: to none.

        Raises Refused(NOT_OPERATOR).
        """
        self.check_operator(sender)
        self._successor.value, self._opens.value = successor, opens

    def accept(self, sender: bytes, block: int) -> None:
        """Make the named successor operator and sequencer, in `block`.

        Raises Refused(NOT_SUCCESSOR or HANDOVER_TOO_SOON).
        """
        named = self.successor if any(self.successor) else "nobody yet"
        accepts = sender == self.successor != NOBODY
        require(accepts, CourtError.NOT_SUCCESSOR, named, sender)
        require(block >= self.opens, CourtError.HANDOVER_TOO_SOON, self.opens, block)
        self._operator.value = self._sequencer.value = sender
        self._successor.value = NOBODY
