"""Which law judges which batch: the table of announced versions (docs/protocol.md, section 11).

The court has the code of every law in `laws` and never gives one up, so a batch is judged by the
law that it names for as long as it can fall. From which batch on another one holds is announced by
the operator, a timelock before: long enough for everybody to leave first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from clearing.units import LAW_VERSION
from verifier.errors import CourtError, require
from verifier.evidence import check_bad_step
from verifier.header import Header
from verifier.host.storage import Cell, Table, UndoLog

EvidenceCheck = Callable[[Header, bytes], bool]

# The laws that this court has, by version: True is fraud, False none, EvidenceError the sender's.
LAWS: Mapping[int, EvidenceCheck] = {LAW_VERSION: check_bad_step}


class Switch(NamedTuple):
    """From batch `number` on law `version` holds; no such batch before `ready_ms`."""

    version: int
    number: int
    ready_ms: int


class LawTable:
    """The switches so far, in their order; the first one is genesis."""

    def __init__(self, log: UndoLog, first: int, laws: Mapping[int, EvidenceCheck]) -> None:
        self._laws = laws
        self._switches: Table[int, Switch] = Table(log)
        self._switches[0] = Switch(first, 0, 0)
        self._count: Cell[int] = Cell(log, 1)

    @property
    def last(self) -> Switch:
        """The newest switch, announced or in force."""
        return self._switches[self._count.value - 1]

    def switch_of(self, number: int) -> Switch:
        """Return the switch that batch `number` stands under."""
        place = self._count.value - 1
        while self._switches[place].number > number:
            place -= 1
        return self._switches[place]

    def check(self, version: int) -> EvidenceCheck:
        """Return the judge of a version that a posted batch names."""
        return self._laws[version]

    def announce(self, version: int, number: int, tip_number: int, ready_ms: int) -> Switch:
        """Let law `version` hold from batch `number` on, which none may be before `ready_ms`.

        Replaces an announcement whose batch has not come. Raises Refused(UNKNOWN_LAW or
        LAW_TOO_SOON).
        """
        pending = self.last.number > tip_number
        in_force = self.switch_of(tip_number)
        offered = version in self._laws and version > in_force.version
        known = ", ".join(map(str, sorted(self._laws)))
        require(offered, CourtError.UNKNOWN_LAW, in_force.version, known, version)
        require(number > tip_number + 1, CourtError.LAW_TOO_SOON, tip_number + 1, number)
        made = Switch(version, number, ready_ms)
        place = self._count.value - 1 if pending else self._count.value
        self._switches[place] = made
        self._count.value = place + 1
        return made
