"""Lines of the books: every change of cash has a name, and says to whom it went."""

import random

from clearing.codes import Code, Fund, Kind, Operation, Side
from node.lines import LineKind, Role
from tests.clearing.law.test_auctions_of_accounts import bid, start
from tests.clearing.law.test_auctions_of_accounts import failing_world as auctioned_world
from tests.clearing.law.test_convert import WILD_ID, convert, owing_world
from tests.clearing.law.test_expiry import go_to, holding, settled
from tests.clearing.law.test_pool_takeover import failing_world as taken_world
from tests.clearing.law.test_sweeps import bankrupt_world, debtor_world
from tests.support.books import Book, Entry
from tests.support.crisis import Crisis
from tests.support.options import EXPIRY_MS, FUTURE
from tests.support.pools import OWN, SLEEVE, PoolWorld
from tests.support.sweeps import Driver
from tests.support.world import DEPOSIT, MARK

MILLION = 1_000_000


def test_a_bid_moves_lots_at_the_mark_and_is_rewarded_by_the_failing_account():
    world, alice, _, kate = auctioned_world()
    assert start(world, alice) == Code.APPLIED
    book = Book(world)
    assert world.apply(bid(world, kate, alice)) == Code.APPLIED
    moved, reward = [one for one in book.entries if one.account == kate.account]
    assert (moved.kind, moved.role, moved.counterparty) == (
        LineKind.AUCTION, Role.BIDDER, alice.account,
    )  # fmt: skip
    assert (moved.price, moved.amount) == (48 * MILLION, -moved.lots * 48 * MILLION)
    # Fifty of equity on 50 lots: the fraction of it that goes with the lots, less its price.
    assert (reward.kind, reward.counterparty, reward.fund) == (
        LineKind.AUCTION_REWARD, alice.account, None,
    )  # fmt: skip
    assert 0 < reward.amount < 50 * MILLION * moved.lots // 50
    assert book.of(alice.account) == [
        (LineKind.AUCTION, -moved.amount),
        (LineKind.AUCTION_REWARD, -reward.amount),
    ]


def test_a_bid_for_an_account_without_equity_is_paid_by_the_insurance_fund():
    # Bankrupt by 50, and half of the slow part is over.
    world, alice, _, kate = auctioned_world(mark=46 * MILLION)
    assert start(world, alice) == Code.APPLIED
    world.endow(Fund.INSURANCE, DEPOSIT)
    world.wait(21_600_000)
    book = Book(world)
    assert world.apply(bid(world, kate, alice)) == Code.APPLIED
    moved, cover = [one for one in book.entries if one.account == kate.account]
    assert (moved.kind, moved.lots) == (LineKind.AUCTION, 50)
    # Half of the maintenance margin, which is 3 % of 50 * 46.
    assert (cover.kind, cover.amount) == (LineKind.INSURANCE_COVER, 34_500_000)
    assert (cover.fund, cover.counterparty) == (Fund.INSURANCE, None)
    assert book.of(alice.account) == [
        (LineKind.AUCTION, -moved.amount),
        (LineKind.INSURANCE_COVER, 50 * MILLION),
    ]
    assert [one.amount for one in book.entries if one.account is None] == [-84_500_000]


def test_a_deleveraging_names_lots_at_its_price_and_each_holders_share_of_the_loss():
    world, alice, (first, second) = bankrupt_world()
    book = Book(world)
    Driver(world, alice.account).run()
    # Alice owes 100 on 50 lots: two a lot, beside lots at 45.
    for winner, lots in ((first, 20), (second, 30)):
        assert [one for one in book.entries if one.account == winner.account] == [
            Entry(
                winner.account, LineKind.DELEVERAGE, -lots * 45 * MILLION, lots, 45 * MILLION, 0,
                alice.account, None, 0,
            ),
            Entry(
                winner.account, LineKind.LOSS_SHARE, -lots * 2 * MILLION, 0, 0, 0,
                alice.account, None, 0,
            ),
        ]  # fmt: skip
    assert book.of(alice.account) == [
        (LineKind.DELEVERAGE, 50 * 45 * MILLION),
        (LineKind.LOSS_SHARE, 100 * MILLION),
    ]


def test_what_insurance_pays_as_a_sweep_opens_is_a_cover_by_the_fund():
    world, alice, _ = bankrupt_world()
    world.endow(Fund.INSURANCE, 60 * MILLION)
    book = Book(world)
    Driver(world, alice.account).run()
    assert [one for one in book.entries if one.kind == LineKind.INSURANCE_COVER] == [
        Entry(
            alice.account, LineKind.INSURANCE_COVER, 60 * MILLION, 0, 0, 0, None,
            Fund.INSURANCE, 0,
        )
    ]  # fmt: skip


def test_a_socialised_loss_is_shared_without_lots():
    world, alice, (first, second), _ = debtor_world()
    book = Book(world)
    Driver(world, alice.account).run(Operation.SOCIALISE)
    assert book.kinds() == {LineKind.LOSS_SHARE}
    # Both are short at 50, 20 and 30 lots: 100 is shared as 40 and 60.
    assert book.of(first.account) == [(LineKind.LOSS_SHARE, -40 * MILLION)]
    assert book.of(second.account) == [(LineKind.LOSS_SHARE, -60 * MILLION)]
    assert book.of(alice.account) == [(LineKind.LOSS_SHARE, 100 * MILLION)]


def test_a_pool_trade_is_lots_at_the_mark_and_an_impact_paid_to_the_pool():
    world = PoolWorld()
    alice = world.trader("alice", 2 * DEPOSIT)
    book = Book(world)
    assert world.apply(world.pool_trade(alice, 10)) == Code.APPLIED
    moved, impact = [one for one in book.entries if one.account == alice.account]
    assert (moved.kind, moved.amount, moved.price, moved.counterparty) == (
        LineKind.POOL_TRADE, -10 * MARK, MARK, OWN,
    )  # fmt: skip
    assert (impact.kind, impact.counterparty, impact.instrument) == (LineKind.POOL_IMPACT, OWN, 0)
    assert impact.amount == -int(world.pool.impact_pot) < 0
    assert book.of(OWN) == [
        (LineKind.POOL_TRADE, 10 * MARK),
        (LineKind.POOL_IMPACT, -impact.amount),
    ]
    assert {one.role for one in book.entries if one.account == OWN} == {Role.POOL}


def test_cash_for_shares_of_a_pool_has_its_own_kind_both_ways():
    world = PoolWorld()
    book = Book(world)
    assert world.apply(world.pool_deposit(world.polly, 5 * MILLION)) == Code.APPLIED
    world.wait(3_600_000)
    for market in range(3):
        world.move_price(MARK, market)
    # A share began at a thousandth of a micro-quote.
    assert world.apply(world.pool_withdraw(world.polly, 5 * 10**9)) == Code.APPLIED
    assert book.of(world.polly.account) == [
        (LineKind.POOL_SHARES, -5 * MILLION),
        (LineKind.POOL_SHARES, 5 * MILLION),
    ]
    assert [one.counterparty for one in book.entries] == [OWN, world.polly.account] * 2


def test_a_takeover_splits_lots_equity_and_what_fills_the_sleeve():
    world, alice = taken_world(MARK - 4_500_000)
    book = Book(world)
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.APPLIED
    # Forty lots at 45.5 and the 20 of equity that are left go to the sleeve, which needs 10 % of
    # 40 * 45.5 as initial margin: the pool lends the rest.
    assert book.of(alice.account) == [
        (LineKind.POOL_TAKEOVER, 40 * 45_500_000),
        (LineKind.POOL_EQUITY, -20 * MILLION),
    ]
    lent = 182 * MILLION - 20 * MILLION
    assert book.of(SLEEVE) == [
        (LineKind.POOL_TAKEOVER, -40 * 45_500_000),
        (LineKind.POOL_EQUITY, 20 * MILLION),
        (LineKind.POOL_SLEEVE, lent),
    ]
    assert book.of(OWN) == [(LineKind.POOL_SLEEVE, -lent)]
    sleeve = [one.counterparty for one in book.entries if one.kind == LineKind.POOL_SLEEVE]
    assert set(sleeve) == {OWN, SLEEVE}
    # What the sleeve sells again sends home what it needs no more.
    bob = world.trader("buyer", 10 * DEPOSIT)
    book.entries.clear()
    assert world.apply(world.pool_trade(bob, 40, Side.BUY, instrument=1)) == Code.APPLIED
    assert book.of(bob.account) == [(LineKind.POOL_TRADE, -40 * 45_500_000)]
    assert [kind for kind, _ in book.of(SLEEVE)] == [LineKind.POOL_TRADE, LineKind.POOL_SLEEVE]
    assert book.of(OWN) == [(LineKind.POOL_SLEEVE, -book.of(SLEEVE)[1][1])]


def test_collateral_that_a_keeper_buys_is_a_conversion_between_the_two():
    world, alice, keeper = owing_world()
    book = Book(world)
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.APPLIED
    # Half a mark is owed, and units are whole.
    assert [(one.account, one.amount, one.counterparty) for one in book.entries] == [
        (keeper.account, -25_000_001, alice.account),
        (alice.account, 25_000_001, keeper.account),
    ]
    assert book.kinds() == {LineKind.CONVERSION}


def test_what_expires_is_settled_at_its_price_through_the_pot_of_its_market():
    world, long, short = holding()
    go_to(world, EXPIRY_MS, MARK + 500)
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    price = int(world.instrument(FUTURE).settle_price)
    book = Book(world)
    for trader, lots in ((long, 10), (short, -10)):
        assert world.apply(settled(world, trader)) == Code.APPLIED
        [line] = [one for one in book.entries if one.account == trader.account]
        assert (line.kind, line.lots, line.price, line.amount) == (
            LineKind.SETTLEMENT, -lots, price, lots * price,
        )  # fmt: skip
    pot = [one.amount for one in book.entries if one.account is None]
    assert pot == [-10 * price, 10 * price]


def test_in_a_crisis_every_change_has_a_name_and_nothing_is_made_of_nothing():
    # Every step of the waterfall is met by one of the seeds; the book checks each action.
    found = set()
    for seed in range(6):
        crisis, chance = Crisis(), random.Random(seed)
        book = Book(crisis.world)
        for _ in range(120):
            crisis.step(chance)
        found |= book.kinds()
    assert found >= {
        LineKind.FILL,
        LineKind.LIQUIDATION,
        LineKind.AUCTION,
        LineKind.AUCTION_REWARD,
        LineKind.INSURANCE_COVER,
    }
