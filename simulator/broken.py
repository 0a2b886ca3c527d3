"""How a broken invariant is said."""

from __future__ import annotations


class InvariantBroken(AssertionError):
    """`name` is I1 .. I18, or L1: see `simulator.invariants`."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        super().__init__(f"{name}: {text}")


def require(name: str, holds: bool, text: str) -> None:
    """Raise `InvariantBroken` unless it holds."""
    if not holds:
        raise InvariantBroken(name, text)
