"""The price feed: publishers who mostly agree, and the clock of funding."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from clearing.codes import Code
from clearing.messages import Funding
from node.events import Reply
from tests.sim.client import Client
from tests.sim.market import FIRST_PRICES, PUBLISHERS, QUORUM, price_action, wander

if TYPE_CHECKING:
    from tests.sim.world import World

PACE_MS = 1_200
FUNDING_EVERY = 10


class Feed:
    """`prices` are the marks that the node last took, as far as the feed heard of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("feed")
        self.client = Client(world, "feed")
        self.prices = list(FIRST_PRICES)
        self.finished = False
        self._rounds = 0

    def start(self) -> None:
        """Begin to publish."""
        self._world.after(20, "feed", "publish", self._publish)

    def _publish(self) -> None:
        if self.finished:
            return
        self._world.after(PACE_MS, "feed", "publish", self._publish)
        self._rounds += 1
        now = self._world.now
        for instrument, price in enumerate(self.prices):
            names = self._chance.sample(PUBLISHERS, QUORUM)
            time = now
            match self._chance.randrange(30):
                case 0:
                    names = names[:1]
                case 1:
                    names = [names[0], names[0]]
                case 2:
                    time = now - 60_000
                case 3:
                    price = price * 2
                case _:
                    price = wander(self._chance, price, FIRST_PRICES[instrument])
            index = price * self._chance.randint(995, 1_005) // 1_000
            action = price_action(instrument, index, price, time, names)
            self.client.submit(action, done=partial(self._answered, instrument, price))
            if self._rounds % FUNDING_EVERY == 0:
                self.client.submit(Funding(instrument).encode())

    def _answered(self, instrument: int, price: int, reply: Reply) -> None:
        if reply.codes[0] == Code.APPLIED:
            self.prices[instrument] = price
