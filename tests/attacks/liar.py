"""A read endpoint that is behind, holds things back, or says what is not so: one lie at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from verifier.base.interface import BaseLayer, BlockView, Head

READS = tuple(
    name
    for name, method in inspect.getmembers(BaseLayer, inspect.isfunction)
    if not name.startswith("_") and name not in ("submit", "dry_run", "config")
)
BEHIND = 4  # blocks


class Lie(NamedTuple):
    """What is said instead of the answer of one read. `tell` makes it of the answer."""

    read: str
    name: str
    tell: Callable[[Any], Any]


@dataclass
class LyingBaseLayer:
    """Answers like `base`, but for what `lie` says of one read; a `stale` one shows an old block.

    Nothing that is sent is touched: whoever is lied to may still send.
    """

    base: Any
    lie: Lie | None = None
    stale: bool = False
    told: int = 0

    def __getattr__(self, name: str) -> Any:
        answer = getattr(self.base, name)
        if name not in READS:
            return answer

        def read(*arguments: Any, **keywords: Any) -> Any:
            if self.stale:
                return self._stale(name, *arguments, **keywords)
            said = answer(*arguments, **keywords)
            if self.lie is None or self.lie.read != name:
                return said
            self.told += 1
            return self.lie.tell(said)

        return read

    def _stale(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Answer as of some blocks ago, unless the caller pinned what he reads."""
        self.told += 1
        chain = self.base.chain
        old = chain.block(max(chain.head().number - BEHIND, 0))
        if name == "head":
            return self._head(chain.head(), old)
        method = getattr(self.base, name)
        if "at" not in inspect.signature(method).parameters:
            return method(*arguments, **keywords)
        bound = inspect.signature(method).bind(*arguments, **keywords)
        if bound.arguments.get("at") is None:
            bound.arguments["at"] = old.hash
        return method(*bound.args, **bound.kwargs)

    @staticmethod
    def _head(head: Head, old: BlockView) -> Head:
        return head._replace(
            number=old.number, hash=old.hash, parent=old.parent, time_ms=old.time_ms
        )


def lies_about(read: str, answer: Any) -> Iterator[Lie]:
    """Yield lies about a read: nothing, the wrong number of things, each field one off."""
    for name, tell in _lies(answer):
        yield Lie(read, name, tell)


def _lies(answer: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    if isinstance(answer, list):
        yield "none", lambda said: []
        if answer:
            yield "the first left out", lambda said: said[1:]
            yield "the last left out", lambda said: said[:-1]
            yield "the last twice", lambda said: [*said, *said[-1:]]
            yield "backwards", lambda said: said[::-1]
            for name, tell in _twists(answer[-1]):
                yield f"the last with {name}", partial(_at_end, tell)
        return
    if answer is None or not isinstance(answer, int | bytes | tuple):
        return
    yield from _twists(answer)


def _at_end(tell: Callable[[Any], Any], said: list[Any]) -> list[Any]:
    return [*said[:-1], *map(tell, said[-1:])]


def _instead(other: Any, said: Any) -> Any:
    return other


def _off_by(change: int, said: int) -> int:
    return max(0, said + change)


def _twists(answer: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield ways to change one field of an answer."""
    if isinstance(answer, Enum):
        for member in type(answer):
            if member is not answer:
                yield f"being {member.name}", partial(_instead, member)
    elif isinstance(answer, bool):
        yield "turned over", lambda said: not said
    elif isinstance(answer, int):
        for change in (-1, 1, 1_000):
            yield f"{change:+}", partial(_off_by, change)
    elif isinstance(answer, bytes) and answer:
        yield "a bit flipped", lambda said: said[:-1] + bytes([said[-1] ^ 1]) if said else said
        yield "cut short", lambda said: said[:-1]
    elif isinstance(answer, tuple) and hasattr(answer, "_fields"):
        for field in answer._fields:
            for name, tell in _twists(getattr(answer, field)):
                yield f"{field} {name}", _in_field(field, tell)


def _in_field(field: str, tell: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def change(said: Any) -> Any:
        return None if said is None else said._replace(**{field: tell(getattr(said, field))})

    return change
