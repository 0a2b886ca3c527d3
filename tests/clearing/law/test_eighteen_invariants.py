"""The eighteen invariants hold whatever anybody does in a whole house, and each can fail.

A machine lets anybody do anything; stories make sure that every kind of action is among it. After
each act all eighteen are asked (`tests.clearing.law.eighteen`). Then the law is sabotaged, one line
at a time, and the invariant that guards the line must find it out.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from clearing.codes import InboxKind, Kind, Operation
from tests.clearing.law import chapters, eighteen
from tests.clearing.law.sabotage import FOUND, HELD, SABOTAGES
from tests.support.house import (
    BTC,
    CALL,
    COIN,
    FAST,
    FLAT,
    FUTURE,
    HOUR,
    KEEPER,
    LINEAR,
    NAMES,
    POOLED,
    PUT,
    TAIL,
    House,
)
from tests.support.options import IN_ORDER
from tests.support.world import DEPOSIT, MARK

COURT_EVERY = 4  # steps of the machine that the court judges too
ROOT = Path(__file__).parents[3]
SMALL_ONES = st.integers(0, len(NAMES) - 1)
ACTORS = st.integers(0, len(NAMES) + 1)
ANYONE = st.integers(0, FLAT)
BOOKS = st.sampled_from([BTC, BTC, FUTURE, TAIL, CALL, PUT, IN_ORDER[0], IN_ORDER[-1]])
MARKETS = st.sampled_from(LINEAR)
LOTS = st.integers(1, 12) | st.integers(20, 99)
AMOUNTS = st.integers(1, 3 * MARK) | st.integers(1, DEPOSIT)
FEES = st.sampled_from([(0, 0), (-100, 300), (300, -300), (-300, 100), (1_000, 1_000)])
PPMS = st.integers(1, 1_000_000)


class Anybody(RuleBasedStateMachine):
    """Acts of a house in any order."""

    @initialize(
        lots=st.lists(st.integers(20, 95), min_size=2, max_size=2),
        hedged=st.booleans(),
        price=st.integers(-60_000, 60_000),
    )
    def begin(self, lots, hedged, price):
        self.house = House(eighteen.check, COURT_EVERY)
        self.house.trade(0, 1, BTC, lots[0])
        self.house.trade(2, 3, FUTURE, lots[1])
        if hedged:
            self.house.scenarios()
            self.house.publish()
            self.house.set_mode(5, 2)
            self.house.set_mode(6, 2)
            self.house.trade(5, 6, CALL, 20)
            self.house.trade(5, 4, BTC, 10, buys=False)
        self.house.price(BTC, price)

    def teardown(self):
        if hasattr(self, "house"):
            self.house.replay()

    @rule(
        first=ACTORS,
        second=ACTORS,
        market=BOOKS,
        lots=LOTS,
        off=st.integers(-40_000, 40_000),
        buys=st.booleans(),
        fees=FEES,
        alive=st.sampled_from([True, True, False]),
    )
    def trade(self, first, second, market, lots, off, buys, fees, alive):
        self.house.trade(first, second, market, lots, off, buys, fees, alive)

    @rule(pair=st.permutations(range(5)), lots=LOTS, fees=FEES, amount=AMOUNTS, out=st.booleans())
    def two_at_once(self, pair, lots, fees, amount, out):
        house = self.house
        first = house.trade_of(pair[0], pair[1], BTC, lots, fees=fees)
        if out:
            second = house.world.withdraw(house.actor(pair[2]), amount)
        else:
            second = house.trade_of(pair[2], pair[3], TAIL, lots, fees=fees)
        house.permute(first, second)

    @rule(who=ACTORS, place=st.integers(0, 19))
    def cancel(self, who, place):
        self.house.cancel(who, place)

    @rule(who=ANYONE, amount=AMOUNTS, asset=st.sampled_from([0, COIN]))
    def deposit(self, who, amount, asset):
        self.house.deposit(who, amount, asset)

    @rule(who=ANYONE, amount=AMOUNTS, asset=st.sampled_from([0, 0, COIN]))
    def withdraw(self, who, amount, asset):
        self.house.withdraw(who, amount, asset)

    @rule(who=ANYONE, other=ANYONE, amount=AMOUNTS, asset=st.sampled_from([0, 0, COIN]))
    def transfer(self, who, other, amount, asset):
        self.house.transfer(who, other, amount, asset)

    @rule(
        who=ACTORS,
        kind=st.sampled_from([InboxKind.WITHDRAW, InboxKind.CLOSE_POSITION, InboxKind.LIQUIDATE]),
        amount=LOTS | AMOUNTS,
        asset=st.sampled_from([0, COIN]),
        other=ANYONE,
    )
    def force(self, who, kind, amount, asset, other):
        failing = self.house.actor(other).account if kind == InboxKind.LIQUIDATE else 0
        self.house.force(who, kind, amount, asset, failing)

    @rule(market=MARKETS, move=st.integers(-140_000, 140_000), basis=st.integers(-5_000, 5_000))
    def price(self, market, move, basis):
        self.house.price(market, move, basis)

    @rule(market=MARKETS, elapsed=st.sampled_from([0, HOUR, 9 * HOUR]))
    def funding(self, market, elapsed):
        self.house.funding(market, elapsed)

    @rule(extra=st.integers(5_000, 4_000_000))
    def publish(self, extra):
        self.house.publish(extra)

    @rule(who=ACTORS)
    def mark_to_market(self, who):
        self.house.mark_to_market(who)

    @rule(keeper=ANYONE, who=ACTORS, market=BOOKS, lots=LOTS, move=st.integers(-150_000, 150_000))
    def liquidate(self, keeper, who, market, lots, move):
        if market in LINEAR:
            self.house.price(market, move)
        self.house.liquidate(keeper, who, market, lots)

    @rule(who=SMALL_ONES, bidder=ANYONE, fraction=PPMS, wait=st.sampled_from([0, FAST, HOUR]))
    def auction(self, who, bidder, fraction, wait):
        self.house.auction(who)
        self.house.wait(wait)
        self.house.bid(bidder, who, fraction)

    @rule(
        move=st.integers(60_000, 340_000),
        long=st.booleans(),
        size=st.integers(1, 6),
        bidder=st.sampled_from([None, KEEPER, KEEPER, 4]),
        fraction=PPMS,
    )
    def crisis(self, move, long, size, bidder, fraction):
        """The market turns on whoever is weakest, down to the last step of the waterfall."""
        house, side = self.house, 1 if long else -1
        house.price(BTC, -side * min(move, 190_000))
        weakest = house.weakest(BTC, side)
        if weakest is None:
            return
        if bidder is None:
            house.liquidate(KEEPER, weakest, BTC)
        house.auction(weakest)
        house.wait(FAST)
        if bidder is not None:
            house.bid(bidder, weakest, fraction)
        house.sweep(weakest, BTC, Operation.DELEVERAGE, size)
        house.takeover(weakest, BTC)
        house.sweep(weakest, BTC, Operation.SOCIALISE, size)

    @rule(who=ACTORS, market=st.sampled_from([BTC, FUTURE, TAIL]))
    def takeover(self, who, market):
        self.house.takeover(who, market)

    @rule(keeper=st.sampled_from([KEEPER, 4]), who=ACTORS, move=st.integers(-90_000, 90_000))
    def convert(self, keeper, who, move):
        self.house.price_coin(move)
        self.house.convert(keeper, who)

    @rule(who=ANYONE, amount=AMOUNTS, wait=st.sampled_from([0, HOUR]), share=PPMS)
    def come_and_go(self, who, amount, wait, share):
        self.house.pool_deposit(who, amount)
        self.house.wait(wait)
        self.house.pool_withdraw(who, share)

    @rule(who=ACTORS, market=st.sampled_from([POOLED, POOLED, BTC]), lots=LOTS, buys=st.booleans())
    def pool_trade(self, who, market, lots, buys):
        self.house.pool_trade(who, market, lots, buys)

    @rule(who=ACTORS, mode=st.integers(0, 2))
    def set_mode(self, who, mode):
        self.house.set_mode(who, mode)

    @rule(who=ACTORS, other=ANYONE, amount=AMOUNTS, limit=AMOUNTS, revoke=st.booleans())
    def keys(self, who, other, amount, limit, revoke):
        self.house.grant(who, limit=limit)
        self.house.by_key(who, other, amount)
        if revoke:
            self.house.revoke(who)

    @rule(who=ACTORS, market=st.sampled_from([TAIL, TAIL, BTC]))
    def owner_check(self, who, market):
        self.house.owner_check(who, market)

    @rule(who=ACTORS)
    def rotate(self, who):
        self.house.rotate(who)

    @rule(act=st.sampled_from(["halt", "set_params", "set_market", "set_asset", "set_grid"]))
    def govern(self, act):
        getattr(self.house, act)(*([TAIL] if act == "set_market" else []))

    @rule()
    @precondition(lambda self: self.house.applied.total() > 25)
    @precondition(lambda self: self.house.applied[Kind.EXPIRE] == 0)
    def expire(self):
        """The one expiry there is, not before something has happened."""
        self.house.expire()
        for who in range(len(self.house.actors)):
            for market in self.house.held_by(who):
                self.house.settle(who, market)


TestAnybody = Anybody.TestCase
TestAnybody.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)


@pytest.fixture(scope="module")
def told():
    """How often each kind was applied over all stories."""
    return Counter()


@pytest.mark.parametrize("chapter", chapters.CHAPTERS, ids=lambda chapter: chapter.__name__)
def test_all_eighteen_hold_through_the_story(chapter, told):
    house = House(eighteen.check, court_every=2)
    chapter(house)
    told.update(house.applied)
    assert house.applied


def test_the_stories_pass_through_every_kind_of_action(told):
    assert [kind.name for kind in Kind if not told[kind]] == []


@pytest.fixture(scope="module")
def verdicts():
    """What each sabotage came to, told in a process where the law is interpreted."""
    command = [sys.executable, "-m", "tests.clearing.law.sabotage"]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.id)
def test_an_invariant_finds_out_the_law_that_breaks_it(sabotage, verdicts):
    honest, broken = verdicts[sabotage.id]
    assert honest == HELD
    assert broken == FOUND


def test_every_invariant_is_tried_by_a_sabotage():
    assert sorted({one.invariant for one in SABOTAGES}) == list(range(1, 19))


def test_the_protocol_names_all_eighteen_and_their_tests():
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \| `(invariant_\w+)` \|$", text, re.M)
    assert [int(number) for number, _, _ in rows] == list(range(1, 19))
    assert [name for _, _, name in rows] == [each.__name__ for each in eighteen.INVARIANTS]
    for number, sentence, name in rows:
        assert name.startswith(f"invariant_{int(number):02}_")
        assert sentence.endswith(".")
