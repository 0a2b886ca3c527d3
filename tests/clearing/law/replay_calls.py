"""Tell one random story of gaps, orders of a call and their fills, and print what became of it.

A process of its own, like ``tests.clearing.law.replay``:
python -m tests.clearing.law.replay_calls SEED STEPS
"""

import json
import random
import sys
from collections import Counter
from hashlib import sha256

from clearing.codes import InstrumentStatus, Kind
from tests.clearing.law.replay import all_leaves, digests_of
from tests.support.world import DEPOSIT, MARK, World

NAMES = "abcdef"


class Story:
    """A market whose mark leaps about, and traders who mostly do what may be done just now."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.world = World(band_ppm=50_000, band_auction_ms=20_000, stable_rate_ppm=500_000)
        self.traders = [self.world.trader(name, DEPOSIT) for name in NAMES]
        self.mark = MARK

    def price(self):
        move = self.chance.choice([-4_000_000, -10_000, 0, 0, 0, 10_000, 4_000_000])
        self.mark = max(40_000_000, min(60_000_000, self.mark + move))
        return self.world.price(0, self.mark)

    def order(self):
        trader = self.chance.choice(self.traders)
        price = self.mark + self.chance.randint(-40, 40) * 10**5
        return self.world.request(
            Kind.CALL_ORDER,
            trader.key,
            account=trader.account,
            instrument=0,
            side=self.chance.choice([1, 2]),
            lots=self.chance.choice([1, 7, 20, 60, 200]),
            price=price + self.chance.choice([0, 0, 0, 1]),
        )

    def fill(self):
        buyer, seller = self.chance.sample(self.traders, 2)
        accounts = {"buyer": buyer.account, "seller": seller.account}
        return self.world.request(Kind.CALL_FILL, instrument=0, **accounts)

    def other(self):
        one, two = self.chance.sample(self.traders, 2)
        kind = self.chance.randrange(4)
        if kind == 0:
            return self.world.trade(one, two, self.chance.randint(1, 30), self.mark)
        if kind == 1:
            return self.world.liquidate(one, two)
        if kind == 2:
            return self.world.withdraw(one, self.chance.randint(1, DEPOSIT // 4))
        return self.world.published(
            Kind.UNCROSS, instrument=0, price=self.mark, time=self.world.time
        )

    def step(self):
        """Judge a few actions at one moment; return their codes."""
        market = self.world.instrument()
        self.world.wait(self.chance.choice([1_000, 3_000, 9_000]))
        likely = self.other
        if market.status == InstrumentStatus.AUCTION:
            likely = self.fill if market.price else self.order
        actions = [self.price()]
        for _ in range(6):
            told = self.chance.random()
            unlikely = self.chance.choice([self.order, self.fill, self.other])
            actions.append(likely() if told < 0.8 else unlikely())
        return list(zip((a.encode()[0] for a in actions), self.world.step(actions), strict=True))


def run(seed, steps):
    """Return how often each kind came to each code, and digests of state and leaves."""
    story = Story(seed)
    found = [pair for _ in range(steps) for pair in story.step()]
    state = story.world.state
    counts = Counter(f"{Kind(kind).name} {code.name}" for kind, code in found)
    return {
        "counts": dict(sorted(counts.items())),
        "codes": sha256(bytes(int(code) for _, code in found)).hexdigest(),
        "state": digests_of(state),
        "leaves": [sha256(leaf.tobytes()).hexdigest() for leaf in all_leaves(state)],
    }


if __name__ == "__main__":
    json.dump(run(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
