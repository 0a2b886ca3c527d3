"""Who runs the house: the operator, the key that it posts with, and whom it hands over to."""

from __future__ import annotations

from verifier.errors import CourtError, Refused
from verifier.host.storage import Cell, UndoLog

NOBODY = bytes(20)


class Registry:
    """The operator names the sequencer; a successor becomes both when he accepts."""

    def __init__(self, log: UndoLog, operator: bytes, sequencer: bytes) -> None:
        self._operator: Cell[bytes] = Cell(log, operator)
        self._sequencer: Cell[bytes] = Cell(log, sequencer)
        self._successor: Cell[bytes] = Cell(log, NOBODY)

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

    def check_operator(self, sender: bytes) -> None:
        """Raise Refused(NOT_OPERATOR) unless the operator calls."""
        if sender != self.operator:
            raise Refused(
                CourtError.NOT_OPERATOR,
                f"expected the operator {self.operator.hex()}, was {sender.hex()}; "
                "sign with its key",
            )

    def rotate(self, sender: bytes, sequencer: bytes) -> None:
        """Let another key post from now on. Raises Refused(NOT_OPERATOR or INVALID_ADDRESS)."""
        self.check_operator(sender)
        if sequencer in (NOBODY, self.sequencer):
            raise Refused(
                CourtError.INVALID_ADDRESS,
                f"expected an address other than {self.sequencer.hex()} and zero, "
                f"was {sequencer.hex()}; name the new key's",
            )
        self._sequencer.value = sequencer

    def name(self, sender: bytes, successor: bytes) -> None:
        """Offer the house to somebody, or with NOBODY to none any more.

        Raises Refused(NOT_OPERATOR).
        """
        self.check_operator(sender)
        self._successor.value = successor

    def accept(self, sender: bytes) -> None:
        """Make the named successor operator and sequencer. Raises Refused(NOT_SUCCESSOR)."""
        if sender == NOBODY or sender != self.successor:
            raise Refused(
                CourtError.NOT_SUCCESSOR,
                f"expected {self.successor.hex()}, whom the operator named, was {sender.hex()}; "
                "have him name you first",
            )
        self._operator.value = self._sequencer.value = sender
        self._successor.value = NOBODY
