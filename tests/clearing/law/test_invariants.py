"""A market that Hypothesis runs, and what must hold of it after every action.

Conservation (cash, pots and funds against custody; lots against lots) and "a rejection changes
nothing" are checked by the world itself after each `apply`. Here: no funding without a payer,
nothing paid out of unrealised profit but by margin, orders never overfilled, risk never opened
without margin, accounts below margin only improving, funds never negative, fees not below rebates,
and a replay that gives the same bytes.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clearing.codes import Code, Side
from clearing.codes import Fund as FundId
from clearing.formulas import evaluate
from clearing.messages import Funding
from clearing.units import ALL_SLOTS, PRICE_MAX
from tests.support.world import MARK, TIERS, World

NAMES = ("alice", "bob", "carol", "dave")
HOUR = 3_600_000
traders = st.integers(0, len(NAMES) - 1)
markets = st.integers(0, 2)
sizes = st.integers(1, 8) | st.integers(30, 120)


@dataclass
class Standing:
    """What margin says of an account."""

    equity: int
    initial: int
    maintenance: int
    lots: dict[int, int]

    @property
    def headroom(self):
        return self.equity - self.maintenance


def standing(world, trader):
    """Measure an account by the law's own formula, from plain numbers."""
    row = world.account(trader)
    positions = []
    for position in row.positions[: row.position_count]:
        instrument = world.instrument(int(position.instrument))
        tier = TIERS[int(instrument.tier)]
        change = (int(instrument.funding_high) - int(position.index_high)) << 62
        change += int(instrument.funding_low) - int(position.index_low)
        positions.append(
            {
                "lots": int(position.lots),
                "mark_price": int(instrument.mark_price),
                "initial_ppm": tier.initial_ppm,
                "maintenance_ppm": tier.maintenance_ppm,
                "open_interest_lower": tier.open_interest_lower,
                "open_interest_upper": tier.open_interest_upper,
                "open_interest": int(instrument.open_interest),
                "index_change": change,
            }
        )
    found = evaluate(
        "account_margin",
        {"cash": int(row.cash), "positions": positions, "transfer_margin_ppm": 100_000},
    )
    held = {int(p.instrument): int(p.lots) for p in row.positions[: row.position_count]}
    equity, initial, maintenance = (
        cast(int, found[name]) for name in ("equity", "initial_margin", "maintenance_margin")
    )
    return Standing(equity, initial, maintenance, held)


class Market(RuleBasedStateMachine):
    """Four traders, three markets, and whatever they may do."""

    @initialize()
    def open(self):
        self.steps = []
        self.world = World()
        self.traders = [self.world.trader(name, 6 * MARK) for name in NAMES]
        self.deposited = 6 * MARK * len(NAMES)
        self.withdrawn = 0
        self.filled = {}
        self.orders = {}
        alice, bob, carol, dave = self.traders
        assert self.apply(self.world.trade(alice, bob, 100)) == Code.APPLIED
        assert self.apply(self.world.trade(carol, dave, 50, instrument=1)) == Code.APPLIED
        assert self.apply(self.world.cancel(carol, self.world.next_sequence())) == Code.APPLIED

    def apply(self, action):
        self.steps.append((self.world.time, action))
        return self.world.apply(action)

    def order(self, account, slot, lots, side):
        """The live order of a slot, or a new one once that is filled; sides have slots apart."""
        key = account, slot + side - 1
        if key not in self.orders or self.filled.get(self.orders[key], 0) == self.orders[key].lots:
            limit = PRICE_MAX if side == Side.BUY else 1
            self.orders[key] = self.world.order(
                self.traders[account], slot=key[1], lots=2 * lots, limit_price=limit
            )
        return self.orders[key]

    @rule(
        pair=st.permutations(range(len(NAMES))),
        market=markets,
        lots=sizes,
        off=st.integers(-60, 60),
        side=st.sampled_from(Side),
        slots=st.tuples(st.sampled_from([0, 15]), st.sampled_from([0, 254])),
        fees=st.sampled_from([(0, 0), (-100, 300), (300, -300), (1_000, 1_000)]),
    )
    def trade(self, pair, market, lots, off, side, slots, fees):
        mark = int(self.world.instrument(market).mark_price)
        price = (mark + mark * off // 1_000) // 10 * 10
        first, second = pair[:2]
        maker, taker = self.traders[first], self.traders[second]
        orders = [
            self.order(who, slot, lots, its)
            for who, slot, its in zip(pair, slots, (side, 3 - side), strict=False)
        ]
        before = [standing(self.world, trader) for trader in (maker, taker)]
        fees_before = self.world.fund(FundId.FEES)
        action = self.world.trade(
            maker,
            taker,
            lots,
            price,
            side,
            market,
            maker=orders[0],
            taker=orders[1],
            maker_fee=fees[0],
            taker_fee=fees[1],
        )
        code = self.apply(action)
        if code != Code.APPLIED:
            return
        assert self.world.fund(FundId.FEES) >= fees_before
        for order in orders:
            self.filled[order] = self.filled.get(order, 0) + lots
            assert self.filled[order] <= order.lots
        for trader, old in zip((maker, taker), before, strict=True):
            self.legal(old, standing(self.world, trader), market)

    def legal(self, old, new, market):
        """With margin anything goes; without it nothing grows and the ratio does not fall."""
        if new.equity >= new.initial:
            return
        held, left = old.lots.get(market, 0), new.lots.get(market, 0)
        assert abs(left) <= abs(held) and held * left >= 0
        assert new.maintenance <= old.maintenance
        assert new.equity * old.maintenance >= old.equity * new.maintenance

    @rule(market=markets, move=st.integers(-150, 150), basis=st.integers(-5, 5))
    def price(self, market, move, basis):
        self.world.wait(1_000)
        mark = int(self.world.instrument(market).mark_price)
        mark += mark * move // 1_000
        index = mark + mark * basis // 1_000
        code = self.apply(self.world.price(market, mark, index))
        assert code in (Code.APPLIED, Code.PRICE_JUMP)

    @rule(market=markets, move=st.sampled_from([-140, 140]), times=st.integers(1, 4))
    def crash(self, market, move, times):
        for _ in range(times):
            self.price(market, move, 0)
        self.liquidate_whoever_is_worst(1, market, 40, True)

    @rule()
    def refresh_prices(self):
        self.world.wait(1_000)
        for market in range(3):
            row = self.world.instrument(market)
            action = self.world.price(market, int(row.mark_price), int(row.index_price))
            assert self.apply(action) == Code.APPLIED

    @rule(market=markets, elapsed=st.sampled_from([0, HOUR, 9 * HOUR]))
    def funding(self, market, elapsed):
        self.world.wait(elapsed)
        if self.apply(Funding(market)) == Code.APPLIED:
            self.refresh_prices()

    @rule(who=traders, amount=st.integers(1, 9 * MARK))
    def withdraw(self, who, amount):
        trader = self.traders[who]
        code = self.apply(self.world.withdraw(trader, amount))
        if code == Code.APPLIED:
            self.withdrawn += amount
            left = standing(self.world, trader)
            assert left.equity >= max(left.initial, 0)

    @rule(who=traders, other=traders, amount=st.integers(1, 9 * MARK))
    def transfer(self, who, other, amount):
        sender = self.traders[who]
        code = self.apply(self.world.transfer(sender, self.traders[other], amount))
        if code == Code.APPLIED:
            left = standing(self.world, sender)
            assert left.equity >= max(left.initial, 0)

    @rule(who=traders, amount=st.integers(1, MARK))
    def deposit(self, who, amount):
        assert self.apply(self.world.deposit(self.traders[who], amount)) == Code.APPLIED
        self.deposited += amount

    @rule(who=traders, slot=st.sampled_from([0, 15, ALL_SLOTS]))
    def cancel(self, who, slot):
        trader = self.traders[who]
        assert self.apply(self.world.cancel(trader, max(1, self.world.sequence), slot)) in (
            Code.APPLIED,
            Code.STALE_SEQUENCE,
        )
        for (account, its), order in list(self.orders.items()):
            if account == who and slot in (its, ALL_SLOTS):
                side = Side.BUY if order.limit_price == PRICE_MAX else Side.SELL
                other = self.traders[who - 1]
                dead = self.world.trade(trader, other, side=side, maker=order)
                assert self.apply(dead) in (Code.ORDER_DEAD, Code.PRICE_STALE)
                del self.orders[account, its]

    @rule(keeper=st.integers(1, 3), market=markets, lots=sizes, funded=st.booleans())
    def liquidate_whoever_is_worst(self, keeper, market, lots, funded):
        worst = min(self.traders, key=lambda trader: standing(self.world, trader).headroom)
        held = sorted(standing(self.world, worst).lots)
        keeper = (worst.account + keeper) % len(NAMES)
        if funded:
            self.deposit(keeper, 20 * MARK)
        self.liquidate(keeper, worst.account, held[market % len(held)] if held else market, lots)

    @rule(who=traders, other=traders, market=markets, lots=sizes)
    def liquidate(self, who, other, market, lots):
        keeper, failing = self.traders[who], self.traders[other]
        old, keepers = standing(self.world, failing), standing(self.world, keeper)
        insurance = self.world.fund(FundId.INSURANCE)
        code = self.apply(self.world.liquidate(keeper, failing, lots, market))
        if code == Code.HEALTHY:
            assert old.equity >= old.maintenance
        if code != Code.APPLIED:
            return
        new = standing(self.world, failing)
        assert old.equity < old.maintenance
        held, left = old.lots[market], new.lots.get(market, 0)
        assert abs(left) < abs(held) and held * left >= 0 and abs(held - left) <= lots
        assert new.maintenance <= old.maintenance
        # Who pays for the rest: the fund only for an account with nothing left.
        if new.lots:
            assert self.world.fund(FundId.INSURANCE) >= insurance
        else:
            assert new.equity <= 0 or self.world.fund(FundId.INSURANCE) >= insurance
        self.legal(keepers, standing(self.world, keeper), market)

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def custody_is_what_came_less_what_went(self):
        assert self.world.totals.custody == self.deposited - self.withdrawn
        claims = self.world.state.withdrawals["amount"].tolist()
        assert sum(claims) == self.withdrawn

    @invariant()
    @precondition(lambda self: hasattr(self, "world"))
    def equity_of_all_and_the_funds_are_custody_to_the_rounding_of_funding(self):
        equity = sum(standing(self.world, trader).equity for trader in self.traders)
        funds = sum(self.world.state.funds["balance"].tolist())
        # Each position rounds what it owes up by less than one, and the pots hold what they kept.
        shortfall = int(self.world.totals.custody) - equity - funds
        pots = int(self.world.totals.pot_total)
        positions = sum(int(self.world.account(t).position_count) for t in self.traders)
        owed = self.pending_over_all()
        assert shortfall == pots + owed
        assert 0 <= shortfall <= positions + self.settlements()

    def pending_over_all(self):
        """What all positions together owe their pots (negative: are owed)."""
        total = 0
        for trader in self.traders:
            row = self.world.account(trader)
            for position in row.positions[: row.position_count]:
                instrument = self.world.instrument(int(position.instrument))
                change = (int(instrument.funding_high) - int(position.index_high)) << 62
                change += int(instrument.funding_low) - int(position.index_low)
                arguments = {"lots": int(position.lots), "index_change": change}
                total += cast(int, evaluate("funding_payment", arguments)["owed"])
        return total

    def settlements(self):
        """At most two positions settle in an action, each keeping back less than one."""
        return 2 * len(self.steps)

    def teardown(self):
        if not hasattr(self, "world"):
            return
        again = World()
        for trader, name in zip(self.traders, NAMES, strict=True):
            assert again.trader(name, 6 * MARK) == trader
        for again.time, action in self.steps:
            again.apply(action)
        for one, two in zip(self.world.state, again.state, strict=True):
            assert np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(two).tobytes()


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=40, stateful_step_count=30)
