"""A market whose price has left its band, and traders who send orders to its call auction."""

from clearing.codes import Code, InstrumentStatus, Kind, Side
from tests.support.world import DEPOSIT, World

AUCTION_MS = 300_000
GAP = 57_500_000
# Stable price 50,002,778 and mark 57,500,000, each widened by five in a hundred: 47,502,639.1 to
# 60,375,000. The lowest level is 47,502,640; 32 steps of 402,270 end at 60,375,280, so the highest
# level is the one below, 59,973,010.
LOW, STEP, TOP = 47_502_640, 402_270, 31


def price_of(level):
    return LOW + level * STEP


BUY, SELL = Side.BUY, Side.SELL


def banded(**changes):
    """A tenth of a band around a stable price that moves by a fifth of itself in an hour."""
    return World(**{"band_ppm": 100_000, "stable_rate_ppm": 200_000, **changes})


class CallWorld:
    """A market whose price has left its band, and traders who send orders to its call."""

    def __init__(self, *names, amount=DEPOSIT, **changes):
        self.world = banded(**changes)
        self.traders = {name: self.world.trader(name, amount) for name in names}
        self.world.wait(1_000)
        assert self.world.apply(self.world.price(0, GAP)) == Code.APPLIED
        assert self.market.status == InstrumentStatus.AUCTION

    @property
    def market(self):
        return self.world.instrument()

    def order(self, name, side, lots, price=None, level=None, **changes):
        trader = self.traders[name]
        fields = {
            "account": trader.account,
            "instrument": 0,
            "side": side,
            "lots": lots,
            "price": price_of(level) if price is None else price,
        }
        return self.world.request(Kind.CALL_ORDER, trader.key, **fields | changes)

    def enter(self, *orders):
        for name, side, lots, level in orders:
            assert self.world.apply(self.order(name, side, lots, level=level)) == Code.APPLIED

    def fill(self, buyer, seller):
        accounts = {"buyer": self.traders[buyer].account, "seller": self.traders[seller].account}
        return self.world.apply(self.world.request(Kind.CALL_FILL, instrument=0, **accounts))

    def tick(self, mark=GAP, wait=0):
        self.world.wait(wait)
        return self.world.apply(self.world.price(0, mark))

    def strike(self, mark=GAP):
        """Let the auction's time pass, and a price find the call's."""
        assert self.tick(mark, AUCTION_MS) == Code.APPLIED
        return (int(self.market.price), int(self.market.total))

    def held(self, *names):
        return [self.world.lots(self.traders[name]) for name in names]

    def entry(self, name):
        return self.world.account(self.traders[name])
