"""Random trades, modes and prices of accounts that hold options, as digests; see ``replay``.

python -m tests.clearing.law.replay_portfolios SEED STEPS
"""

import json
import random
import sys
from collections import Counter
from hashlib import sha256
from typing import Any, cast

from clearing.codes import Code, Kind, Mode, Side
from clearing.genesis import GenesisAsset
from clearing.scenarios import derive_cells
from clearing.sweep import margins
from node.greeks import greeks_of, tail_of
from node.margins import margin_of
from tests.clearing.law.replay import digests_of
from tests.clearing.law.test_modes import CALL, FUTURE, PERPETUAL, PUT, market_world
from tests.support.world import DEPOSIT, MARK

NAMES = ("alice", "bob", "carol", "dave")


class PortfolioFuzz:
    """A few accounts of every mode that trade everything, at prices that move and rows that age."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.world = market_world(
            assets=(GenesisAsset(100_000, 50_000, 1 << 40, 1 << 40),),
            profit_cap=DEPOSIT // 10,
            stable_rate_ppm=50_000,
            owner_limit=60 * MARK,
        )
        self.traders = [
            self.world.trader(name, DEPOSIT // 4 * (i + 1)) for i, name in enumerate(NAMES)
        ]
        underlying: Any = self.world.state.underlyings[0]
        underlying.scenario_count = 20
        for i in range(20):
            price = self.random.randint(-400_000, 400_000)
            underlying.shocks[i] = (price << 32) | (self.random.randint(-300_000, 500_000) % 2**32)
        derive_cells(underlying)

    def step(self):
        """Take one random action; return its code."""
        world, chance = self.world, self.random
        one, other = chance.sample(self.traders, 2)
        kind = chance.choice(("trade",) * 6 + ("mode", "mode", "price", "wait", "withdraw", "move"))
        if kind == "wait":
            world.wait(chance.choice((1_000, 20_000, 70_000)))
        if kind in ("price", "wait"):
            now = int(world.instrument(PERPETUAL).mark_price)
            moved = now * chance.randint(970, 1_030) // 1_000 // 10 * 10
            world.wait(1_000)
            if chance.random() < 0.5:
                series: Any = world.state.underlyings[0].series[0]
                series.active_time = world.time
            return world.apply(world.price(chance.choice((PERPETUAL, FUTURE)), moved))
        if kind == "mode":
            mode = int(chance.choice(list(Mode)))
            request = world.request(Kind.SET_MODE, one.key, account=one.account, mode=mode)
            return world.apply(request)
        if kind == "withdraw":
            return world.apply(world.withdraw(one, chance.randint(1, DEPOSIT // 10)))
        if kind == "move":
            amount = chance.randint(1, DEPOSIT // 10)
            return world.apply(world.transfer(one, other, amount))
        return world.apply(self.trade(one, other))

    def trade(self, one, other):
        """A trade of any market at its mark."""
        world, chance = self.world, self.random
        instrument = chance.choice((PERPETUAL, FUTURE, CALL, PUT))
        mark = int(world.instrument(instrument).mark_price)
        price = 2_000_000 if instrument in (CALL, PUT) else mark // 10 * 10
        lots = chance.choice((1, 2, 5, 20, 90))
        side = chance.choice(list(Side))
        return world.trade(one, other, lots, price, side=side, instrument=instrument)


def run(seed, steps):
    """Return digests of codes, margins and state, how often each code occurred, Greeks, tails."""
    fuzz = PortfolioFuzz(seed)
    codes = []
    measured = []
    modes = set()
    for _ in range(steps):
        codes.append(int(fuzz.step()))
        state = fuzz.world.state
        measured.append([margin_of(state, trader.account) for trader in fuzz.traders])
        modes |= {int(cast(Any, state.accounts)[trader.account].mode) for trader in fuzz.traders}
    swept = [column.tolist() for column in margins(state)[:3]]
    rows = [trader.account for trader in fuzz.traders]
    assert swept == [[measured[-1][i][part] for i in rows] for part in range(3)]
    return {
        "codes": sha256(bytes(codes)).hexdigest(),
        "counts": {Code(code).name: count for code, count in sorted(Counter(codes).items())},
        "margins": sha256(json.dumps(measured).encode()).hexdigest(),
        "greeks": [greeks_of(state, row) for row in rows],
        "tails": [tail_of(state, row) for row in rows],
        "modes": sorted(modes),
        "state": digests_of(state),
    }


if __name__ == "__main__":
    json.dump(run(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
