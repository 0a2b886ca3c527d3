"""How everyone outside talks to the node: over a lossy wire, repeating until there is an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.events import Refuse, Reply
from simulator.node import Request

if TYPE_CHECKING:
    from simulator.world import World

TIMEOUT_MS = 2_500

Done = Callable[[Reply], None]


@dataclass(eq=False)
class Call:
    """One submission of a client, until it is answered."""

    actions: tuple[bytes, ...]
    done: Done | None


class Client:
    """Sends the same bytes again and again: idempotency makes that safe."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._chance = world.chance(f"client {name}")
        self.waiting: dict[int, Call] = {}
        self._next = 0

    def submit(self, *actions: bytes, done: Done | None = None) -> None:
        """Have actions sequenced together; `done` hears the first answer."""
        self._next += 1
        self.waiting[self._next] = Call(actions, done)
        self._send(self._next)

    def _send(self, number: int) -> None:
        call = self.waiting.get(number)
        if call is None:
            return
        request = Request(call.actions, lambda answer: self._answer(number, answer))
        self._carry("request", lambda: self._deliver(request))
        wait = TIMEOUT_MS + self._chance.randint(0, 500)
        self._world.after(wait, self._name, "timeout", lambda: self._send(number))

    def _deliver(self, request: Request) -> None:
        self._world.book.ask(request.actions)
        self._world.node.receive(request)

    def _answer(self, number: int, answer: Reply | Refuse) -> None:
        """Called as the answer leaves the node."""
        actions = self.waiting[number].actions if number in self.waiting else ()
        self._carry("reply", lambda: self._receive(number, actions, answer))

    def _receive(self, number: int, actions: tuple[bytes, ...], answer: Reply | Refuse) -> None:
        if isinstance(answer, Refuse):
            self._world.refusals[answer.reason] += 1
            return
        if actions:
            self._world.book.hear(actions, answer)
        call = self.waiting.pop(number, None)
        if call is not None and call.done is not None:
            call.done(answer)

    def _carry(self, what: str, deliver: Callable[[], None]) -> None:
        """Bring a message to the other end: not at all, once, twice, soon or late."""
        faults, now = self._world.faults, self._world.now
        if faults.happens(f"{what}-dropped", now):
            return
        copies = 2 if faults.happens(f"{what}-repeated", now) else 1
        for _ in range(copies):
            delay = self._chance.randint(1, 8)
            if faults.happens(f"{what}-delayed", now):
                delay += self._chance.randint(50, 4_000)
            self._world.after(delay, self._name, what, deliver)
