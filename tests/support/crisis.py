"""A market in a crisis: anybody may do anything, and after each act the waterfall's promises hold.

The acts take plain integers, so that a property test may choose them as well as a seeded script.
"""

from dataclasses import replace
from typing import Any

from clearing.codes import Code, Kind, Operation, Phase, Side
from clearing.codes import Fund as FundId
from clearing.units import AMOUNT_MAX, PPM
from tests.support.sweeps import Driver, holders
from tests.support.world import DEPOSIT, MARK, TIERS, World

TRADERS = 6
CAP = 40_000_000  # of the insurance tranche
SMALL = DEPOSIT // 4


class Crisis:
    """Six small traders, a flat one and a keeper in one market, with a small insurance fund."""

    def __init__(self):
        tiers = (replace(TIERS[0], insurance_cap=CAP), *TIERS[1:])
        self.world = World(tiers=tiers, price_stale_margin_ms=1 << 39, price_stale_open_ms=1 << 39)
        self.traders = [self.world.trader(f"t{i}", SMALL) for i in range(TRADERS)]
        self.flat = self.world.trader("flat", SMALL)
        self.keeper = self.world.trader("keeper", 20 * DEPOSIT)
        self.everyone = [*self.traders, self.flat, self.keeper]
        self.world.endow(FundId.INSURANCE, 2 * CAP)
        self.mark = MARK
        self.driver: Any = None
        self.codes = []

    # What the promises are about

    def picture(self):
        """Of each account: lots, cash, equity, maintenance margin, entry cost, its bytes."""
        found = []
        for trader in self.everyone:
            row, lots = self.world.account(trader), self.world.lots(trader)
            equity = int(row.cash) + lots * self.mark
            maintenance = -(-abs(lots) * self.mark * TIERS[0].maintenance_ppm // PPM)
            cost = int(row.positions[0].entry_cost) if lots else 0
            found.append((lots, int(row.cash), equity, maintenance, cost, row.tobytes()))
        return found

    def act(self, action, check=None):
        """Apply an action; if the law did, hold it to its promises."""
        before = self.picture()
        code = self.world.apply(action)
        self.codes.append(code)
        assert code != Code.INVARIANT
        market = self.world.instrument()
        assert 0 <= market.insurance_used <= CAP
        assert market.debt >= 0
        if code == Code.APPLIED and check is not None:
            check(before, self.picture())
        return code

    def relieved(self, failing, keeper):
        """The failing account came no further from its margin, and the keeper may hold his."""

        def check(before, after):
            old, new = before[failing.account], after[failing.account]
            assert new[2] - new[3] >= old[2] - old[3]
            assert abs(new[0]) <= abs(old[0])
            assert new[0] * old[0] >= 0
            initial = -(-abs(after[keeper.account][0]) * self.mark * TIERS[0].initial_ppm // PPM)
            shrank = abs(after[keeper.account][0]) <= abs(before[keeper.account][0])
            assert after[keeper.account][2] >= initial or shrank

        return check

    def shared(self, before, after):
        """A sweep only reduces, touches nobody who holds nothing, and moves cash exactly."""
        bankrupt = self.driver.account
        # Of debts, entry costs show who paid how much; nobody pays more than his profit.
        for id, (old, new) in enumerate(zip(before, after, strict=True)):
            assert abs(new[0]) <= abs(old[0])
            assert new[0] * old[0] >= 0
            if old[0] == 0 and id != bankrupt:
                assert new[5] == old[5]
            profit = max(0, old[0] * self.price - old[4])
            if id != bankrupt:
                paid = old[1] - new[1] - (new[0] - old[0]) * self.price
                assert 0 <= paid <= profit
        # Lots move at one price, so what is left of the changes of cash is what was paid.
        assert sum(new[1] - old[1] for old, new in zip(before, after, strict=True)) == 0

    # Acts

    def trade(self, first, second, lots, buys):
        a, b = self.traders[first % TRADERS], self.traders[second % TRADERS]
        if a == b:
            return
        side = Side.BUY if buys else Side.SELL
        price = self.mark // 10 * 10
        self.act(self.world.trade(a, b, lots, price, side))

    def move(self, ppm):
        self.world.wait(1_000)
        mark = max(1_000_000, min(self.mark * (PPM + ppm) // PPM, 200_000_000))
        if self.world.apply(self.world.price(0, mark)) == Code.APPLIED:
            self.mark = mark

    def wait(self, milliseconds):
        self.world.wait(milliseconds)

    def liquidate(self, who, lots):
        failing = self.traders[who % TRADERS]
        action = self.world.liquidate(self.keeper, failing, lots)
        self.act(action, self.relieved(failing, self.keeper))

    def auction(self, who):
        account = self.traders[who % TRADERS].account
        self.act(self.world.request(Kind.AUCTION_START, account=account))

    def bid(self, bidder, who, fraction_ppm):
        failing = self.traders[who % TRADERS]
        taker = self.everyone[bidder % len(self.everyone)]
        action = self.world.request(
            Kind.AUCTION_BID,
            taker.key,
            bidder=taker.account,
            account=failing.account,
            fraction_ppm=fraction_ppm,
            limit=AMOUNT_MAX,
        )
        self.act(action, self.relieved(failing, taker))

    def open(self, who, socialise):
        """Open a sweep if the law allows it, and remember who drives it."""
        mode = Operation.SOCIALISE if socialise else Operation.DELEVERAGE
        account = self.traders[who % TRADERS].account
        action = self.world.request(Kind.SWEEP_OPEN, instrument=0, account=account, mode=int(mode))
        if self.act(action) == Code.APPLIED and self.world.instrument().operation:
            self.driver = Driver(self.world, account)
            self.price = int(self.world.instrument().price)

    def tally(self, size):
        market = self.world.instrument()
        if self.driver is None or market.phase != Phase.TALLY:
            return
        side, cursor = int(market.side), int(market.cursor)
        rest = [i for i in holders(self.world.state, 0, side) if i < cursor]
        assert self.driver.tally(rest[:size]) == Code.APPLIED

    def apply(self):
        if self.driver is None or self.world.instrument().phase != Phase.APPLY:
            return
        if self.driver.stack:
            previous, chunk = self.driver.stack[-1]
            code = self.act(self.driver.apply_action(chunk, previous), self.shared)
            assert code == Code.APPLIED
            self.driver.top, _ = self.driver.stack.pop()

    def close(self):
        if self.driver is not None:
            self.codes.append(self.driver.close())
            if self.codes[-1] == Code.APPLIED:
                self.driver = None

    def step(self, chance):
        """One act, chosen by a seeded generator."""
        who, other, size = chance.randrange(99), chance.randrange(99), chance.randrange(1, 60)
        acts = [
            lambda: self.trade(who, other, size, chance.random() < 0.5),
            lambda: self.trade(who, other, size, chance.random() < 0.5),
            lambda: self.move(chance.randrange(-120_000, 120_000)),
            lambda: self.liquidate(who, size),
            lambda: self.auction(who),
            lambda: self.bid(other, who, chance.randrange(1, PPM)),
            lambda: self.wait(chance.choice([1, 500_000, 900_000])),
            lambda: self.open(who, chance.random() < 0.5),
            lambda: self.tally(chance.randrange(1, 7)),
            self.apply,
            self.close,
        ]
        chance.choice(acts)()
