"""Pools at the edges of every bound: nothing overflows, nothing halts, nothing is created."""

import random
from dataclasses import replace

import pytest

from clearing.codes import Code, Side
from clearing.compiler import checked
from clearing.genesis import GenesisPool, GenesisTier
from clearing.pools import impact_of
from clearing.units import AMOUNT_MAX, LOTS_MAX, PRICE_MAX, VALUE_MAX
from tests.support.pools import PoolWorld
from tests.support.world import MARK, MARKETS, Trader

FOREVER = (1 << 40) - 1
POOLS = (
    GenesisPool(lock_ms=0, deposit_cap=AMOUNT_MAX, sleeve_cap=AMOUNT_MAX),
    GenesisPool(lock_ms=0, deposit_cap=1 << 40, reserve_ppm=1_000_000, impact_ppm=1_000_000),
)
UNSCALED = GenesisTier(20_000, 16_000, 1 << 60, 1 << 61)
MARKS = (1, 1 << 20, 1 << 48)
NAMES = ("polly", *(f"whale {i}" for i in range(4)))


class PoolFuzz:
    """A seeded stream of pool actions that keep to the bounds' edges and to what is just legal."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.world = PoolWorld(
            paid_in=0,
            pools=POOLS,
            prices=MARKS,
            instruments=tuple(
                replace(
                    market, pool=pool, tick=1, open_interest_cap=LOTS_MAX, position_cap=LOTS_MAX
                )
                for market, pool in zip(MARKETS, (1, 1, 2), strict=True)
            ),
            tiers=(UNSCALED,) * 3,
            price_stale_open_ms=FOREVER,
            price_stale_margin_ms=FOREVER,
            price_jump_ppm=1_000_000,
            auction_fast_ms=1_000,
        )
        self.marks = list(MARKS)
        wealth = (AMOUNT_MAX - 10**11, 1 << 52, 1 << 50, 1 << 40)
        self.traders = [Trader("polly", 4)]
        self.traders += [
            self.world.trader(name, amount) for name, amount in zip(NAMES[1:], wealth, strict=True)
        ]

    def some(self, *edges, low, high):
        """One of some values, or a number of any size, within bounds."""
        value = self.random.choice(
            [*edges, self.random.randint(low, high), 1 << self.random.randint(0, 61)]
        )
        return min(high, max(low, value))

    def action(self):
        """The next action."""
        world, trader = self.world, self.random.choice(self.traders)
        pool, market = self.random.randrange(2), self.random.randrange(3)
        cash = abs(int(world.account(trader).cash))
        kind = self.random.choices(
            ["deposit", "withdraw", "trade", "price", "takeover", "funding"], [3, 2, 8, 3, 1, 1]
        )[0]
        if kind == "deposit":
            amount = self.some(1, cash, cash // 2, low=1, high=AMOUNT_MAX)
            return world.pool_deposit(trader, amount, pool=pool)
        if kind == "withdraw":
            shares = world.shares(trader, pool)
            amount = self.some(1, shares, shares // 2, low=1, high=AMOUNT_MAX)
            return world.pool_withdraw(trader, amount, pool=pool)
        if kind == "trade":
            most = max(1, min(LOTS_MAX, VALUE_MAX // self.marks[market]))
            held = abs(world.lots(trader, market))
            lots = self.some(1, most, most // 2, held, held + 1, low=1, high=LOTS_MAX)
            side = self.random.choice([Side.BUY, Side.SELL])
            return world.pool_trade(trader, lots, side, instrument=market, pool=market // 2)
        if kind == "price":
            return self.price(market)
        if kind == "funding":
            world.wait(3_600_000)
            return world.funding(market)
        world.account(trader).auction_time = 1
        return world.pool_takeover(trader, market, market // 2)

    def price(self, market):
        """Any price within 2^7 of where risk was opened, in doublings at most."""
        last, first = self.marks[market], MARKS[market]
        low, high = max(1, first >> 7), min(PRICE_MAX, first << 7)
        mark = self.some(last, 2 * last, last // 3, last + 1, low=low, high=high)
        self.marks[market] = mark = max(1, min(mark, 2 * last))
        self.world.wait(1_000)
        return self.world.price(market, mark)

    def run(self, actions):
        """Return the codes of so many actions."""
        return [self.world.step([self.action()])[0] for _ in range(actions)]


@pytest.mark.parametrize("seed", range(3))
def test_at_the_bounds_nothing_overflows_and_nothing_halts(seed):
    fuzz = PoolFuzz(seed)
    codes = fuzz.run(400)
    assert Code.INVARIANT not in codes
    assert codes.count(Code.APPLIED) > 80
    assert fuzz.world.totals.status == 0


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (0, -1, False),
        (-5, -6, False),
        (-5, 3, False),
        (-5, -3, True),
        (-5, 0, True),
        (0, 0, True),
    ],
)
def test_a_pool_worth_nothing_is_not_unbalanced_and_pays_nobody_for_balance(before, after, told):
    with checked():
        for value in (0, -1_000_000):
            assert impact_of(10_000, value, MARK, before, after) == (0, told)
        # Without an impact there is nothing to tell.
        assert impact_of(0, 0, MARK, before, after) == (0, True)
