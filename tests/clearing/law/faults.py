"""Ways to break one rule at a time, so that each code and the precedence of any two can be shown.

A `Case` is a world and an action that would be applied. A *fault* changes it so that exactly one
rule does not hold; with two faults the law must name the one that comes first.
"""

from itertools import combinations
from typing import Any

import pytest

from clearing.codes import Code, Status
from tests.support.world import World


class Case:
    """A legal action in a world of its own; subclasses set the stage and sign the action."""

    prepare: Any
    action: Any
    world: Any

    def __init__(self, **genesis):
        self.world = World(**genesis)
        self.starved = False
        self.tail = b""
        self.prepare()

    def outcome(self):
        """What the law says."""
        return self.world.apply(self.action().encode() + self.tail, starved=self.starved)


def malformed(case):
    case.tail = b"\0"


def full(case):
    case.starved = True


def halted(case):
    case.world.totals.status = Status.HALTED


COMMON = {Code.MALFORMED: malformed, Code.STEP_FULL: full, Code.HALTED: halted}


def outcome(case_type, faults, *codes):
    """What the law says of the case with the faults of these codes."""
    case = case_type()
    for code in codes:
        faults[code](case)
    return case.outcome()


def pairs(faults, order=None):
    """Every two faults of a table, in precedence, as a parametrisation of (first, second).

    Precedence is that of the codes' numbers, or that of the list `order`.
    """
    found = list(combinations(order or sorted(faults), 2))
    names = [f"{first.name}-before-{second.name}" for first, second in found]
    return pytest.mark.parametrize(("first", "second"), found, ids=names)
