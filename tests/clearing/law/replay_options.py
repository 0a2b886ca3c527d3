"""Tell one random story of prices, rows, expiry and marking, and print what became of it.

A process of its own, like ``tests.clearing.law.replay``:
python -m tests.clearing.law.replay_options SEED STEPS
"""

import json
import random
import sys
from collections import Counter
from hashlib import sha256

import numpy as np

from clearing.codes import Kind
from clearing.genesis import GenesisAsset
from clearing.grid_preset import POINTS
from tests.support.options import (
    CALLS,
    EXPIRY_MS,
    FUTURE,
    IN_ORDER,
    PERPETUAL,
    SHOCKS,
    OptionWorld,
)
from tests.support.world import DEPOSIT, MARK, address_of, key_of

NAMES = "abcd"


class Story:
    """Random actions about one expiry: most legal, some not, time passing towards it."""

    def __init__(self, seed, steps):
        self.chance = random.Random(seed)
        asset = GenesisAsset(50_000, 0, 10**12, 10**12)
        self.world = OptionWorld(
            band_ppm=100_000,
            stable_rate_ppm=900_000,
            assets=(asset,),
            profit_cycle_ms=60_000,
            governance=address_of("governance"),
            timelock_ms=2_000,
        )
        self.traders = [self.world.trader(name, 10 * DEPOSIT) for name in NAMES]
        self.index = MARK
        self.steps = steps

    def price(self):
        move = self.chance.choice([-8_000_000, -50_000, -1_000, 0, 1_000, 50_000, 9_000_000])
        self.index = max(30_000_000, min(80_000_000, self.index + move))
        market = self.chance.choice([PERPETUAL, PERPETUAL, FUTURE, (1 << 31) + 1, CALLS[0]])
        mark = self.index + self.chance.randint(-900, 900)
        price = self.world.price(market, mark, self.index)
        return self.world.forced_price(price) if self.chance.random() < 0.2 else price

    def trade(self):
        buyer, seller = self.chance.sample(self.traders, 2)
        market = self.chance.choice([PERPETUAL, FUTURE, *IN_ORDER])
        price = self.index if market < CALLS[0] else self.chance.randint(1, 900) * 10_000
        price -= price % 10
        return self.world.trade(buyer, seller, self.chance.randint(1, 9), price, instrument=market)

    def rows(self):
        extra = self.chance.randint(0, 3_000_000)
        rows = self.world.rows(self.index, extra)
        if self.chance.random() < 0.2:
            rows[self.chance.randrange(6)][1][self.chance.randrange(33)] += self.chance.choice(
                [-(10**7), -5, 5, 10**5, 10**8]
            )
        if self.chance.random() < 0.1:
            self.chance.shuffle(rows)
        cut = self.chance.choice([6, 6, 4, 1])
        carry = {}
        if self.chance.random() < 0.3:
            carry["forward"] = self.index + self.chance.choice([-100_000, 40_000, 10**6, 1 << 40])
        if self.chance.random() < 0.3:
            carry["discount_nano"] = 10**9 + self.chance.choice([-999, 999, -(10**8), 10**9])
        return self.world.row_action(rows[:cut], price=self.index, **carry)

    def by_kind(self, kind):
        world = self.world
        trader = self.chance.choice(self.traders)
        market = self.chance.choice([PERPETUAL, FUTURE, *IN_ORDER])
        if kind == Kind.ACTIVATE:
            return world.activation(price=self.index)
        if kind == Kind.SCENARIOS:
            shocks = [self.chance.getrandbits(63) >> self.chance.choice([0, 9]) for _ in range(3)]
            first = self.chance.randrange(5)
            return world.published(
                kind, shocks, underlying=0, first=first, rest=first % 2, time=world.time
            )
        if kind == Kind.SET_GRID:
            # The same points again: rows of one grid are rows of the other.
            pieces = [-300_000, self.chance.choice([0, 500_000]), *SHOCKS]
            pieces += [damp for _, damp in POINTS]
            return world.request(kind, key_of("governance"), payload=pieces, underlying=0)
        if kind == Kind.ENACT_GRID:
            return world.request(kind, underlying=0)
        if kind == Kind.EXPIRE:
            return world.request(kind, instrument=market)
        if kind == Kind.SETTLE:
            return world.request(kind, account=trader.account, instrument=market)
        if kind == Kind.MARK_TO_MARKET:
            return world.request(kind, account=trader.account)
        if kind == Kind.UNCROSS:
            price = self.index - self.index % 10
            return world.published(kind, instrument=PERPETUAL, price=price, time=world.time)
        if kind == Kind.FUNDING:
            return world.funding(market)
        return world.liquidate(trader, self.chance.choice(self.traders), instrument=market)

    def step(self, number):
        """Judge a few actions at one moment; return their codes. The expiry comes in the end."""
        self.world.wait(self.chance.choice([0, 1_000, 1_000, 30_000]))
        if number == 2 * self.steps // 3:
            self.world.time = EXPIRY_MS - 300_000
        kinds = [
            Kind.ACTIVATE,
            Kind.SCENARIOS,
            Kind.EXPIRE,
            Kind.SETTLE,
            Kind.MARK_TO_MARKET,
            Kind.MARK_TO_MARKET,
            Kind.UNCROSS,
            Kind.FUNDING,
            Kind.LIQUIDATE,
            Kind.SET_GRID,
            *[Kind.ENACT_GRID] * 4,
        ]
        actions = [self.price(), self.rows(), self.by_kind(Kind.ACTIVATE)]
        for _ in range(3):
            told = self.chance.random()
            actions.append(self.trade() if told < 0.4 else self.by_kind(self.chance.choice(kinds)))
        return self.world.step(actions)


def run(seed, steps):
    """Return the codes' digest, how often each occurred, and a digest of each part of the state."""
    story = Story(seed, steps)
    codes = [int(code) for k in range(steps) for code in story.step(k)]
    state = story.world.state
    return {
        "codes": sha256(bytes(codes)).hexdigest(),
        "counts": {str(code): count for code, count in sorted(Counter(codes).items())},
        "statuses": state.instruments["status"].tolist(),
        "state": {
            name: sha256(np.ascontiguousarray(getattr(state, name)).tobytes()).hexdigest()
            for name in state._fields
        },
    }


if __name__ == "__main__":
    json.dump(run(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
