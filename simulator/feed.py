"""The price feed: publishers who mostly agree, and the clock of funding."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clearing.codes import Code
from clearing.messages import Funding
from node.events import Reply
from simulator.client import Client
from simulator.market import FIRST_PRICES, PUBLISHERS, QUORUM, on_tick, price_action, wander

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 1_200
FUNDING_EVERY = 10
OLD_MS = 60_000


class Feed:
    """`prices` are the marks that the node last took, as far as the feed heard of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("feed")
        self.client = Client(world, "feed")
        self.prices = list(FIRST_PRICES)
        self.finished = False
        self._rounds = 0
        self._silent_rounds = 0

    def start(self) -> None:
        """Begin to publish."""
        self._world.after(20, "feed", "publish", self._publish)

    def _publish(self) -> None:
        if self.finished:
            return
        self._world.after(PACE_MS, "feed", "publish", self._publish)
        if self._world.is_quiet:
            return
        self._rounds += 1
        if self._happens("oracle-silence"):
            self._silent_rounds = self._chance.randint(5, 25)
        if self._silent_rounds:
            self._silent_rounds -= 1
            return
        now = self._world.now
        for instrument, price in enumerate(self.prices):
            names = self._chance.sample(PUBLISHERS, QUORUM)
            time = now
            if self._happens("oracle-one-publisher"):
                names = names[:1]
            elif self._happens("oracle-same-publisher-twice"):
                names = [names[0], names[0]]
            if self._happens("oracle-stale"):
                time = now - OLD_MS
            elif self._happens("oracle-future"):
                time = now + OLD_MS
            if self._happens("oracle-jump"):
                price = price * 2
            else:
                price = wander(self._chance, price, FIRST_PRICES[instrument])
            index = price * self._chance.randint(995, 1_005) // 1_000
            marks = [price] * len(names)
            if self._happens("oracle-conflict"):
                # The law takes the lower median, which is the lower one of two.
                marks[-1] = on_tick(price * self._chance.randint(1_010, 3_000) // 1_000)
            action = price_action(instrument, index, marks, time, names)
            self.client.submit(action, done=partial(self._answered, instrument, price))
            if self._rounds % FUNDING_EVERY == 0:
                self.client.submit(Funding(instrument).encode())

    def _happens(self, kind: str) -> bool:
        return self._world.faults.happens(kind, self._world.now)

    def _answered(self, instrument: int, price: int, reply: Reply) -> None:
        if reply.codes[0] == Code.APPLIED:
            self.prices[instrument] = price
