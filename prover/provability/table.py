"""What a row of the provability table is, and how rows are run.

A row changes one thing that a proposer, a committee or a challenger could change, and says what
catches it. Its twin goes the same way without the change, and must not be caught.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from prover.provability.house import Caught, House, Outcome
from verifier.errors import VerifierError


class Part(StrEnum):
    """What a row changes a field of."""

    HEADER = "header"
    OPENING = "opening"
    DATA = "data"
    CALL = "call"  # who posts, when, with what bond, after what
    ACTION = "action"
    STATE = "state"
    EVIDENCE = "evidence"
    COMMITTEE = "committee"
    CLAIM = "claim"
    EXIT = "exit"
    REWARD = "reward"  # commitments to proofs, and what proofs earn
    REGISTRY = "registry"  # who runs the house, under which law
    SNAPSHOT = "snapshot"
    FRAUD = "fraud"  # a kind of fraud, not a field


Attempt = Callable[[House], Outcome]


@dataclass(frozen=True)
class Row:
    """One way to cheat, what catches it (`code` names the rule), and how to try it.

    `subject` is the record, form or message, `field` the field of it, dotted where it is nested.
    """

    part: Part
    subject: str
    field: str
    mutation: str
    caught: Caught
    code: str
    attack: Attempt
    twin: Attempt

    @property
    def name(self) -> str:
        """The row's name, which no other row has."""
        return f"{self.part} {self.subject}.{self.field}: {self.mutation}"


class Result(NamedTuple):
    """What became of a row: of the change, and of its twin."""

    row: Row
    attack: Outcome
    twin: Outcome

    @property
    def holds(self) -> bool:
        """Whether the change was caught as the row says, and its twin was not."""
        expected = Outcome(self.row.caught, self.row.code)
        return self.attack == expected and self.twin.caught is Caught.NOTHING

    def explain(self) -> str:
        """Return what was expected of the row, and what became of it and of its twin."""
        row = self.row
        return (
            f"{row.name}: expected {row.caught} {row.code}, was {self.attack.caught} "
            f"{self.attack.code}; expected its twin caught by nothing, was {self.twin.caught} "
            f"{self.twin.code}"
        )


def run_rows(house: House, rows: Iterable[Row]) -> Iterator[Result]:
    """Try every row and its twin on `house`, which stands afterwards where it stood."""
    for row in rows:
        yield Result(row, _try(house, row.attack), _try(house, row.twin))


def _try(house: House, attempt: Attempt) -> Outcome:
    with house.apart():
        try:
            return attempt(house)
        except (VerifierError, ValueError, AssertionError) as error:
            # One row that cannot be run must not hide what the others say.
            return Outcome(Caught.FAILED, f"{type(error).__name__}: {error}")
