"""Stories of a house that pass through every kind of action, good days and bad.

Each takes a fresh `House`. A story asserts only what it needs to be told: that its turning points
were applied. What must hold of every act the house asks itself.
"""

from clearing.codes import Code, InboxKind, Kind, Mode, Operation
from tests.support.house import (
    BTC,
    CALL,
    COIN,
    FUTURE,
    HOUR,
    KEEPER,
    POLLY,
    POOLED,
    PUT,
    SHOCKS,
    SMALL,
    TAIL,
)
from tests.support.options import CALLS, IN_ORDER, PUTS
from tests.support.world import DEPOSIT, MARK

REDUCE_ONLY = 1
AUCTION_MS = 300_000  # how long a call takes orders
STABLE_MS = 600_000  # the most time that a stable price makes up for at once


def trading(house):
    """Fills, rebates, replays and cancels; money in, across and out; two orders of two acts."""
    house.trade(0, 1, BTC, 20, fees=(-100, 300))
    house.trade(0, 1, BTC, 20, fees=(300, 300))
    assert house.trade(0, 1, BTC, 20, alive=False) == Code.OVERFILL
    assert house.trade(2, 3, TAIL, 10, fees=(-300, 200)) == Code.FEE_NEGATIVE
    house.permute(
        house.trade_of(0, 2, BTC, 7, fees=(333, 333)), house.trade_of(3, 4, TAIL, 7, fees=(77, 77))
    )
    house.permute(house.trade_of(1, 2, BTC, 3), house.world.withdraw(house.actor(4), 1_000_000))
    house.trade(0, 1, BTC, 10, buys=False)
    house.cancel(0, 2 * BTC)
    assert house.trade(0, 2, BTC, 1) == Code.ORDER_DEAD
    house.deposit(0, MARK)
    house.withdraw(0, MARK)
    for amount in (4 * MARK, 10 * SMALL):
        assert house.withdraw(0, amount) == Code.TRANSFER_MARGIN
    house.transfer(1, 2, MARK)
    house.force(2, InboxKind.WITHDRAW, MARK)
    house.force(3, InboxKind.CANCEL_ALL, house.world.next_sequence())
    house.force(3, InboxKind.CLOSE_POSITION, 5, asset=TAIL)
    house.liquidate(KEEPER, 3, TAIL)
    assert house.trade(4, 2, BTC, 120) == Code.MARGIN
    house.replay()


def funding(house):
    """Premiums are paid and received over hours, and profits and losses are marked to market."""
    house.trade(0, 1, BTC, 33)
    house.trade(2, 1, BTC, 17)
    house.pool_trade(3, POOLED, 7)
    for basis in (3_333, -777, 1_234):
        house.price(BTC, 7_000, basis)
        house.price(POOLED, 3_000, basis)
        house.funding(BTC)
        house.funding(POOLED, 0)
        house.trade(0, 2, BTC, 1)
        for who in range(4):
            house.mark_to_market(who)
    house.pool_trade(3, POOLED, 7, buys=False)
    house.wait(HOUR)
    house.price(BTC, 60_000)
    assert house.mark_to_market(1) == Code.APPLIED
    assert house.mark_to_market(0) == Code.APPLIED
    house.mark_to_market(2)
    house.withdraw(0, SMALL + MARK)


def winning(house):
    """A price rises for long; what winners may take out of it is capped."""
    house.trade(0, 1, BTC, 40)
    house.deposit(1, 10 * DEPOSIT)
    house.crash(BTC, 50_000, 6)
    assert house.withdraw(0, 5 * SMALL) == Code.TRANSFER_MARGIN
    for _ in range(6):
        house.wait(STABLE_MS)
        house.price(BTC)
    assert house.withdraw(0, SMALL + 3 * MARK) == Code.TRANSFER_MARGIN
    house.mark_to_market(1)
    house.mark_to_market(0)


def failing(house):
    """A keeper closes in part, an auction sells a slice, winners close the rest, and insurance."""
    house.trade(0, 1, BTC, 95)
    house.trade(2, 1, BTC, 60)
    house.trade(3, 4, FUTURE, 90)
    house.trade(3, 4, BTC, 5)
    house.crash(BTC, -37_000, 1)
    assert house.trade(0, 4, BTC, 10, -45_000, buys=False) == Code.MARGIN
    assert house.liquidate(KEEPER, 0, BTC) == Code.APPLIED
    house.liquidate(KEEPER, 2, BTC, 10)
    house.crash(FUTURE, -37_000, 1)
    house.auction(3)
    house.bid(KEEPER, 3, 400_000)
    house.crash(BTC, -100_000, 1)
    house.crash(FUTURE, -100_000, 1)
    for who in (0, 2, 3):
        house.auction(who)
    house.bid(KEEPER, 3, 10_000)
    house.wait(210_000)
    house.bid(KEEPER, 2, 1_000)
    house.sweep(2, BTC, size=1)
    house.sweep(3, FUTURE)
    house.sweep(3, BTC)
    for who in (0, 2, 3):
        house.sweep(who, BTC, Operation.SOCIALISE, size=2)
        house.sweep(who, FUTURE, Operation.SOCIALISE)
    assert house.applied[Kind.SWEEP_CLOSE] > 1


def socialising(house):
    """A whale is bankrupt, a keeper takes all of it, and what is owed is shared by winners."""
    house.trade(0, 1, BTC, 90)
    house.trade(2, 3, BTC, 20, buys=False)
    house.crash(BTC, -120_000, 2)
    assert house.liquidate(KEEPER, 0, BTC) == Code.APPLIED
    assert house.open(0, BTC, Operation.SOCIALISE) == Code.APPLIED
    for _ in range(4):
        house.tally(1)
    for _ in range(4):
        house.bear()
    house.close()


def draining(house):
    """Account after account is bankrupt in one market until its tranche is used up."""
    house.deposit(1, DEPOSIT)
    for who in (0, 2, 3):
        assert house.trade(who, 1, BTC, 60) == Code.APPLIED
    house.crash(BTC, -90_000, 1)
    for who in (0, 2, 3):
        house.auction(who)
        house.liquidate(KEEPER, who, BTC)
    house.wait(HOUR)
    house.trade(4, 1, BTC, 60)
    house.crash(BTC, -120_000, 1)
    house.liquidate(KEEPER, 4, BTC)
    house.wait(HOUR)
    house.trade(5, 1, BTC, 60)
    house.crash(BTC, -120_000, 1)
    house.liquidate(KEEPER, 5, BTC)


def taking_over(house):
    """The pool's sleeve takes what no auction sold."""
    house.trade(0, 1, BTC, 60)
    house.crash(BTC, -70_000, 1)
    house.auction(0)
    house.wait(210_000)
    assert house.takeover(0, BTC) == Code.APPLIED


def auctioning(house):
    """A price falls out of its band; publishers find the price at which the market reopens."""
    house.trade(0, 1, BTC, 10)
    house.crash(BTC, -200_000, 2)
    assert house.trade(0, 1, BTC, 1) == Code.INSTRUMENT_STATUS
    house.wait(400_000)
    assert house.uncross(BTC, 100_000) == Code.APPLIED
    house.auction(0)


def expiring(house):
    """Options and a future are traded, settle, and their markets close."""
    house.publish()
    house.trade(0, 1, FUTURE, 13)
    house.trade(2, 3, CALL, 7)
    house.trade(2, 1, PUT, 5, buys=False)
    house.price(BTC, -40_000)
    house.publish(3_000_000)
    house.trade(3, 4, CALL, 4)
    house.price(FUTURE, -41_000)
    house.expire()
    for market in (FUTURE, *IN_ORDER):
        for who in range(5):
            house.settle(who, market)
    assert house.applied[Kind.SETTLE] > 6


def pooling(house):
    """Providers come and go at odd prices, and traders unbalance the pool."""
    house.pool_trade(0, POOLED, 13)
    house.pool_trade(1, POOLED, 5, buys=False)
    house.price(POOLED, 12_345)
    assert house.pool_deposit(9, 33_333_333) == Code.APPLIED
    assert house.pool_withdraw(9, 500_000) == Code.POOL_LOCKED
    house.wait(HOUR)
    house.price(POOLED, -7_000)
    assert house.pool_withdraw(9, 333_333) == Code.APPLIED
    house.pool_withdraw(POLLY, 12_345)
    house.price(POOLED, 1_000)
    house.pool_withdraw(9, 1_000_000)
    house.replay()


def pledging(house):
    """Collateral keeps a loser, until a keeper buys it for what is owed."""
    house.deposit(0, 3_000_000, COIN)
    house.transfer(0, 1, 500_000, COIN)
    house.withdraw(0, 500_000, COIN)
    house.trade(0, 1, BTC, 60)
    house.price_coin(-20_000)
    house.crash(BTC, -90_000, 1)
    assert house.convert(KEEPER, 0) == Code.APPLIED
    house.withdraw(KEEPER, 100_000, COIN)
    house.replay()


def hedging(house):
    """Portfolios of options, futures and perpetuals under joint scenarios."""
    house.scenarios()
    house.publish()
    for who in (5, 6):
        house.set_mode(who, Mode.PORTFOLIO)
        house.deposit(who, DEPOSIT)
    house.trade(5, 6, CALL, 30)
    house.trade(5, 1, BTC, 25, buys=False)
    house.trade(6, 1, PUT, 20, buys=False)
    house.trade(5, 6, FUTURE, 12)
    house.trade(6, 2, IN_ORDER[0], 9)
    house.price(BTC, 30_000)
    house.publish()
    house.trade(5, 6, CALL, 15, buys=False)
    house.set_mode(0, Mode.ISOLATED)
    house.withdraw(5, SMALL)
    house.liquidate(KEEPER, 6, BTC)


def straddling(house):
    """One portfolio is short of a call at the money, another of the put; who buys has both."""
    house.scenarios()
    house.publish()
    for who in (5, 6):
        house.set_mode(who, Mode.PORTFOLIO)
    for who in (1, 5, 6):
        house.deposit(who, 10 * DEPOSIT)
    house.trade(1, 5, CALLS[1], 20)
    house.trade(1, 6, PUTS[1], 20)


def writing(house):
    """A list of scenarios is written in parts while portfolios trade, is left alone, and ended."""
    straddling(house)
    row = house.world.underlying
    for first, count, rest in ((0, 2, 2), (2, 3, 1)):
        house.world.wait(1_000)
        assert house.scenarios(first, count, rest) == Code.APPLIED
        assert row.scenario_rest == rest
        house.trade(1, 5, CALLS[2], 3)
        house.trade(5, 6, BTC, 4)
        house.withdraw(5, SMALL)
        house.price(BTC, 10_000 * rest)
    # A part that belongs to an earlier list, or leaves a hole, is none of this one.
    assert house.scenarios(len(SHOCKS) + 1, 1) == Code.ROW_ORDER
    house.world.wait(HOUR + 1)
    house.price(BTC)
    house.publish()
    house.trade(5, 6, BTC, 4, buys=False)
    house.liquidate(KEEPER, 5, CALLS[1])
    assert house.scenarios(5, 2) == Code.APPLIED
    assert row.scenario_rest == 0
    house.trade(1, 5, CALLS[1], 5, buys=False)
    house.withdraw(5, SMALL)
    house.replay()


def granting(house):
    """Keys are granted, used up, revoked; an owner changes his key."""
    house.grant(0, limit=MARK)
    assert house.by_key(0, 1, MARK // 2) == Code.APPLIED
    assert house.by_key(0, 1, MARK) == Code.KEY_CAP
    house.revoke(0)
    assert house.by_key(0, 1, 1) == Code.BAD_SIGNATURE
    house.rotate(2)
    assert house.withdraw(2, MARK) == Code.APPLIED


def grouping(house):
    """Who holds more than a share of the cap is held still, until he is within it again."""
    for who in (0, 1):
        house.deposit(who, 2 * DEPOSIT)
    assert house.trade(0, 1, TAIL, 25) == Code.APPLIED
    assert house.owner_check(0, TAIL) == Code.APPLIED
    assert house.trade(0, 1, TAIL, 1) == Code.OWNER_LIMIT
    house.trade(0, 1, TAIL, 10, buys=False)
    assert house.owner_check(0, TAIL) == Code.APPLIED
    assert house.trade(0, 1, TAIL, 1) == Code.APPLIED
    house.replay()


def calling(house):
    """A gap opens a call; orders meet at one price of the law's, and the market opens again."""
    house.trade(0, 1, BTC, 10)
    house.crash(BTC, 200_000, 2)
    assert house.trade(0, 1, BTC, 1) == Code.INSTRUMENT_STATUS
    for who, lots, buys in ((0, 6, True), (2, 3, True), (3, 4, False)):
        assert house.call_order(who, BTC, lots, buys) == Code.APPLIED
    house.wait(AUCTION_MS)
    house.price(BTC)
    for buyer in (0, 2):
        assert house.call_fill(buyer, 3, BTC) == Code.APPLIED
    assert house.trade(4, 3, BTC, 1) == Code.APPLIED
    house.replay()


def governing(house):
    """Parameters, markets and assets change in steps; a halt lets exits pass."""
    house.trade(0, 1, BTC, 10)
    assert house.set_params(price_band_ppm=60_000) == Code.APPLIED
    house.set_market(TAIL, open_interest_cap=150, position_cap=100)
    house.set_market(BTC, "guardian", status=REDUCE_ONLY)
    assert house.trade(0, 1, BTC, 10) == Code.INSTRUMENT_STATUS
    assert house.set_asset(haircut_ppm=110_000) == Code.APPLIED
    assert house.set_grid() == Code.APPLIED
    assert house.enact_grid() == Code.APPLIED
    house.halt()
    house.replay()
    assert house.listing() == Code.APPLIED
    house.price(10)
    house.trade(0, 2, 10, 5)


CHAPTERS = (
    trading,
    funding,
    winning,
    failing,
    socialising,
    draining,
    taking_over,
    auctioning,
    expiring,
    pooling,
    pledging,
    hedging,
    straddling,
    writing,
    granting,
    grouping,
    calling,
    governing,
)
