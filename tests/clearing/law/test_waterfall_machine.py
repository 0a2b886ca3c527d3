"""Whatever anybody does in a crisis, in whatever order, the waterfall keeps its promises.

Failing accounts may only improve; the fund is never below zero and pays no more than the tranche;
sweeps reduce, never flip, never touch who holds nothing, and move exactly what is owed. Each act is
also checked for conservation, and by the court on its witness alone.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from clearing.units import PPM
from tests.support.crisis import TRADERS, Crisis

WHO = st.integers(0, TRADERS - 1)
ANYONE = st.integers(0, TRADERS + 1)


class Waterfall(RuleBasedStateMachine):
    """Acts of a crisis in any order."""

    def __init__(self):
        super().__init__()
        self.crisis = Crisis()

    @initialize(lots=st.lists(st.integers(1, 95), min_size=3, max_size=3))
    def begin(self, lots):
        for place, size in enumerate(lots):
            self.crisis.trade(place, place + 3, size, place != 1)

    @rule(first=WHO, second=WHO, lots=st.integers(1, 60), buys=st.booleans())
    def trade(self, first, second, lots, buys):
        self.crisis.trade(first, second, lots, buys)

    @rule(ppm=st.integers(-150_000, 150_000))
    def move(self, ppm):
        self.crisis.move(ppm)

    @rule(milliseconds=st.sampled_from([1, 500_000, 900_000]))
    def wait(self, milliseconds):
        self.crisis.wait(milliseconds)

    @rule(who=WHO, lots=st.integers(1, 100))
    def liquidate(self, who, lots):
        self.crisis.liquidate(who, lots)

    @rule(who=WHO)
    def auction(self, who):
        self.crisis.auction(who)

    @rule(bidder=ANYONE, who=WHO, fraction=st.integers(1, PPM))
    def bid(self, bidder, who, fraction):
        self.crisis.bid(bidder, who, fraction)

    @rule(who=WHO, socialise=st.booleans())
    def open(self, who, socialise):
        self.crisis.open(who, socialise)

    @rule(size=st.integers(1, 6))
    def tally(self, size):
        self.crisis.tally(size)

    @rule()
    def apply(self):
        self.crisis.apply()

    @rule()
    def close(self):
        self.crisis.close()


TestWaterfall = Waterfall.TestCase
TestWaterfall.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
