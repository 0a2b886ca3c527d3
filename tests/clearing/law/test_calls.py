"""Call auctions of markets: orders in a book of levels, one price by the law, fills, the end."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.auctions import call_level, call_share
from clearing.calls import UNREACHED, binds, book_shape, level_of, stable_near
from clearing.codes import Code, InstrumentStatus, Kind, Operation, Phase, Scope
from clearing.compiler import checked
from clearing.formulas import evaluate
from clearing.margin import measure
from clearing.price_gates import is_beyond_band
from clearing.units import PPM, PRICE_MAX
from tests.support.calls import (
    AUCTION_MS,
    BUY,
    GAP,
    LOW,
    SELL,
    STEP,
    TOP,
    CallWorld,
    banded,
    price_of,
)
from tests.support.options import EXPIRY_MS, FUTURE, OptionWorld
from tests.support.world import DEPOSIT, MARK, address_of, key_of


def test_the_first_order_opens_a_book_of_levels_between_stable_price_and_mark():
    call = CallWorld("alice", "bob")
    assert call.market.stable_price == 50_002_778
    call.enter(("alice", BUY, 3, 20))
    market = call.market
    assert (market.operation, market.phase) == (Operation.CALL, Phase.TALLY)
    assert (market.rows[0].number, market.rows[1].number, market.counted) == (LOW, STEP, TOP)
    assert market.cursor == call.world.time
    assert market.deadline == market.auction_end + AUCTION_MS
    # A seller between two levels counts at the upper one, a buyer at the lower one.
    between = price_of(20) + 10
    assert call.world.apply(call.order("bob", SELL, 2, between)) == Code.APPLIED
    assert [int(lots) for lots in market.rows[0].values] == [3 * (i == 20) for i in range(33)]
    assert [int(lots) for lots in market.rows[1].values] == [2 * (i == 21) for i in range(33)]
    row = call.entry("bob")
    assert (row.call_instrument, row.call_level, row.call_lots, row.call_before) == (0, 21, -2, 0)
    assert (row.call_opened, row.call_until) == (market.cursor, market.deadline)


def test_the_law_finds_the_price_and_every_fill_is_at_it():
    call = CallWorld("alice", "bob", "carol", "dave", "erin")
    call.enter(
        ("alice", BUY, 6, 20),
        ("bob", BUY, 4, 18),
        ("carol", SELL, 5, 10),
        ("dave", SELL, 3, 19),
        ("erin", SELL, 2, 18),
    )
    # At level 18 ten are bid and seven asked; above six bid, below five asked.
    assert call.strike() == (price_of(18), 7)
    assert (call.market.status, call.market.phase) == (InstrumentStatus.AUCTION, Phase.APPLY)
    assert call.fill("alice", "dave") == Code.ORDER_DEAD
    assert call.fill("carol", "alice") == Code.ORDER_DEAD
    assert call.fill("alice", "carol") == Code.APPLIED
    assert call.fill("alice", "carol") == Code.ORDER_DEAD
    assert call.fill("bob", "erin") == Code.APPLIED
    # Bob had one lot at the price's level, of the four that he ordered.
    assert call.fill("bob", "erin") == Code.ORDER_DEAD
    assert call.market.status == InstrumentStatus.AUCTION
    assert call.fill("alice", "erin") == Code.APPLIED
    assert call.held("alice", "bob", "carol", "dave", "erin") == [6, 1, -5, 0, -2]
    assert [DEPOSIT - int(call.entry(name).cash) for name in call.traders] == [
        lots * price_of(18) for lots in (6, 1, -5, 0, -2)
    ]
    assert call.fill("alice", "erin") == Code.NO_OPERATION


def test_nobody_is_filled_on_the_side_that_he_did_not_sign_for():
    call = CallWorld("alice", "bob", "erin", "fred")
    call.enter(
        ("alice", BUY, 6, 20), ("bob", BUY, 4, 18), ("erin", SELL, 2, 18), ("fred", SELL, 5, 10)
    )
    # Seven execute at level 18: six of alice's, one at the level that erin sells at.
    assert call.strike() == (price_of(18), 7)
    assert call.fill("erin", "fred") == Code.ORDER_DEAD
    assert call.fill("alice", "bob") == Code.ORDER_DEAD
    assert call.held("alice", "bob", "erin", "fred") == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("side", "limit", "level"),
    [
        # Between two levels a buyer counts at the lower one and a seller at the upper one.
        (BUY, 109, 0),
        (BUY, 110, 1),
        (BUY, 111, 1),
        (SELL, 109, 1),
        (SELL, 110, 1),
        (SELL, 111, 2),
        # A buyer above the book and a seller below it reach all of it.
        (BUY, 1_000, 3),
        (SELL, 1, 0),
        (BUY, 99, UNREACHED),
        (SELL, 131, UNREACHED),
    ],
)
def test_an_order_counts_at_the_best_level_that_its_limit_allows(side, limit, level):
    # Levels at 100, 110, 120 and 130.
    with checked():
        assert level_of(side, limit, 100, 10, 3) == level


def test_orders_of_one_level_stand_behind_each_other_and_share_its_lots_without_rest():
    call = CallWorld("alice", "bob", "carol", "dave")
    call.enter(
        ("alice", BUY, 3, 20), ("bob", BUY, 3, 20), ("carol", BUY, 3, 20), ("dave", SELL, 5, 20)
    )
    assert [int(call.entry(name).call_before) for name in ("alice", "bob", "carol")] == [0, 3, 6]
    assert call.strike() == (price_of(20), 5)
    # 5 * 3 / 9, 5 * 6 / 9 and 5 * 9 / 9, cut: 1, 3 and 5 lots have gone after each of them.
    for name in ("alice", "bob", "carol"):
        assert call.fill(name, "dave") == Code.APPLIED
    assert call.held("alice", "bob", "carol", "dave") == [1, 2, 2, -5]


@pytest.mark.parametrize(
    ("stable", "expected"),
    [
        # 95 parts of 100 of the stable price are 47,502,639.1 and 47,502,641: on a tick of ten the
        # first level that the band holds is 47,502,640, and 47,502,650.
        (50_002_778, (47_502_640, STEP, TOP)),
        (50_002_780, (47_502_650, STEP, TOP)),
    ],
)
def test_no_level_of_a_book_lies_below_the_band(stable, expected):
    call = CallWorld()
    call.market.stable_price = stable
    with checked():
        assert book_shape(call.market, 50_000) == expected


def test_an_order_in_another_markets_call_binds_until_its_deadline_and_no_longer():
    call = CallWorld("alice")
    call.enter(("alice", BUY, 1, 20))
    alice, other = call.entry("alice"), call.world.instrument(1)
    deadline = int(alice.call_until)
    with checked():
        assert binds(alice, other, deadline - 1)
        assert not binds(alice, other, deadline)
        # Of its own market the call itself tells.
        assert binds(alice, call.market, deadline)


def test_the_last_fill_reopens_the_market_with_the_price_as_stable_price():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 2, 20), ("bob", SELL, 2, 18))
    assert call.strike() == (price_of(20), 2)
    assert call.fill("alice", "bob") == Code.APPLIED
    row = call.market
    assert (row.status, row.auction_end, row.auction_price) == (InstrumentStatus.ACTIVE, 0, 0)
    assert (row.mark_price, row.stable_price) == (GAP, price_of(20))
    names = row.dtype.names
    assert not any(row[name].any() for name in names[names.index("operation") : -1])
    assert not any(row.rows[i].number or row.rows[i].values.any() for i in range(2))
    assert [int(call.entry(name).call_until) for name in call.traders] == [0, 0]
    alice, bob = call.traders.values()
    assert call.world.apply(call.world.trade(alice, bob, price=GAP)) == Code.APPLIED


@pytest.mark.parametrize(
    ("mark", "levels", "expected"),
    [
        # A tenth around a stable price holds 57,500,000 from 52,272,728 to 63,888,888.
        (GAP, (2, 0), 52_272_728),
        (GAP, (31, 31), 59_973_010),
        # 49,000,000 is held from 44,545,455 to 54,444,444.
        (49_000_000, (31, 31), 54_444_444),
        (49_000_000, (15, 15), 53_536_690),
    ],
)
def test_the_calls_price_moves_the_stable_price_within_the_band_of_the_mark(mark, levels, expected):
    call = CallWorld("alice", "bob", price_jump_ppm=PPM)
    call.enter(("alice", BUY, 2, levels[0]), ("bob", SELL, 2, levels[1]))
    call.strike(mark)
    assert call.fill("alice", "bob") == Code.APPLIED
    assert (call.market.mark_price, call.market.stable_price) == (mark, expected)


@given(st.integers(1, PRICE_MAX), st.integers(1, PRICE_MAX), st.integers(0, PPM))
def test_after_a_call_the_mark_is_within_its_band_whatever_the_orders_were(price, mark, band):
    with checked():
        stable = int(stable_near(price, mark, band))
        assert not is_beyond_band(mark, stable, band)
        if not is_beyond_band(mark, price, band):
            assert stable == price


# The price


@pytest.mark.parametrize(
    ("bids", "asks", "reference", "expected"),
    [
        # Fifteen bid and four asked at 100, 15 and 12 at 110 and 120, 10 and 12 at 130: the
        # imbalance of 110 and 120 is the same, so the reference decides; halfway it is the lower.
        ([0, 0, 5, 10, 0], [4, 8, 0, 0, 3], 115, (110, 12, 15, 12)),
        ([0, 0, 5, 10, 0], [4, 8, 0, 0, 3], 116, (120, 12, 15, 12)),
        ([0, 0, 5, 10, 0], [4, 8, 0, 0, 3], 999, (120, 12, 15, 12)),
        # Ten execute everywhere; five more are bid at 100 alone, and then the reference decides.
        ([5, 0, 0, 0, 10], [10, 0, 0, 0, 0], 1, (110, 10, 10, 10)),
        ([5, 0, 0, 0, 10], [10, 0, 0, 0, 0], 131, (130, 10, 10, 10)),
        # Between all limits nothing is left over: 120, where nobody gave an order.
        ([0, 5, 0, 0, 10], [10, 0, 0, 5, 0], 100, (120, 10, 10, 10)),
        # More volume outweighs balance.
        ([0, 0, 9, 0, 3], [3, 0, 1, 0, 0], 140, (120, 4, 12, 4)),
        # Nothing crosses.
        ([5, 0, 0, 0, 0], [0, 5, 0, 0, 0], 100, (100, 0, 0, 0)),
        ([0, 0, 0, 0, 0], [1, 0, 0, 0, 0], 140, (100, 0, 0, 0)),
    ],
)
def test_the_price_executes_most_then_balances_then_is_nearest_then_lower(
    bids, asks, reference, expected
):
    levels = [{"bid_lots": bid, "ask_lots": ask} for bid, ask in zip(bids, asks, strict=True)]
    told = {"levels": levels, "lowest_price": 100, "step": 10, "reference_price": reference}
    assert tuple(evaluate("call_auction_price", told).values()) == expected


sides = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 20)), max_size=8)


def by_level(orders):
    totals = np.zeros(9, np.int64)
    for level, lots in orders:
        totals[level] += lots
    return totals


def shares_of(orders, buying, executed):
    """Each order's share, as the law gives it one at a time."""
    before = [0] * 9
    found = []
    with checked():
        for level, lots in orders:
            totals = by_level(orders)
            share = call_share(totals, 9, buying, executed, level, before[level], lots)
            found.append(int(share))
            before[level] += lots
    return found


@given(sides, sides, st.integers(1, 200))
def test_no_other_level_executes_more_and_both_sides_share_all_of_it(bids, asks, reference):
    bid, ask = by_level(bids), by_level(asks)
    with checked():
        found = call_level(bid, ask, 9, 100, 10, reference)
    level, executed = int(found[0]), int(found[1])

    def rank(at):
        bought, sold = sum(bid[at:]), sum(ask[: at + 1])
        return (-min(bought, sold), abs(bought - sold), abs(100 + 10 * at - reference), at)

    best = min(range(9), key=rank)
    assert executed == -rank(best)[0]
    assert level == (best if executed else 0)
    for orders, buying in ((bids, True), (asks, False)):
        shares = shares_of(orders, buying, executed)
        assert sum(shares) == executed
        for (at, lots), share in zip(orders, shares, strict=True):
            assert 0 <= share <= lots
            assert share == 0 or (at >= level if buying else at <= level)
            # Whoever gave a better price is served whole before.
            assert share == 0 or all(
                other_share == other_lots
                for (other, other_lots), other_share in zip(orders, shares, strict=True)
                if (other > at if buying else other < at)
            )


def test_at_the_last_level_orders_share_to_within_a_lot():
    levels = [{"lots": lots} for lots in (0, 12, 4)]
    told: dict[str, Any] = {"levels": levels, "buying": 1, "executed_lots": 11}
    # Four above are served; seven over 6, 3 and 3 are 3.5, 1.75 and 1.75.
    orders = [(2, 0, 4), (1, 0, 6), (1, 6, 3), (1, 9, 3)]
    found = [
        evaluate(
            "call_auction_share",
            told | {"level": level, "lots_before": before, "ordered_lots": lots},
        )["lots"]
        for level, before, lots in orders
    ]
    assert found == [4, 3, 2, 2]
    sold: dict[str, Any] = {"levels": levels, "buying": 0, "executed_lots": 11, "level": 2}
    assert evaluate("call_auction_share", sold | {"lots_before": 0, "ordered_lots": 4}) == {
        "lots": 0
    }


def test_orders_at_the_last_level_are_filled_pro_rata_whoever_came_first():
    call = CallWorld("alice", "bob", "carol", "dave")
    call.enter(("alice", BUY, 6, 18), ("bob", BUY, 3, 18), ("carol", BUY, 3, 18))
    call.enter(("dave", SELL, 7, 18))
    assert call.strike() == (price_of(18), 7)
    for name in ("carol", "bob", "alice"):
        assert call.fill(name, "dave") == Code.APPLIED
    assert call.held("alice", "bob", "carol", "dave") == [3, 2, 2, -7]
    assert call.market.status == InstrumentStatus.ACTIVE


# The course of a call


def test_until_the_time_is_over_prices_find_nothing_and_orders_may_come():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 2, 20), ("bob", SELL, 2, 18))
    assert call.fill("alice", "bob") == Code.OPERATION_PHASE
    assert call.tick(GAP, AUCTION_MS - 1) == Code.APPLIED
    assert (call.market.phase, call.market.price) == (Phase.TALLY, 0)
    assert call.tick(GAP, 1) == Code.APPLIED
    assert call.market.phase == Phase.APPLY
    # Later prices leave the price of the call alone.
    found = int(call.market.price)
    assert call.tick(GAP - 1_000_000, 1_000) == Code.APPLIED
    assert call.market.price == found


def test_while_orders_wait_nobody_trades_is_liquidated_or_uncrosses_clr_swp_001():
    call = CallWorld("alice", "bob")
    alice, bob = call.traders.values()
    call.enter(("alice", BUY, 2, 20))
    world = call.world

    def uncross():
        fields = {"instrument": 0, "price": 54_000_000, "time": world.time}
        return world.apply(world.published(Kind.UNCROSS, **fields))

    assert world.apply(world.trade(alice, bob)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.liquidate(alice, bob)) == Code.GATED
    world.wait(AUCTION_MS)
    assert uncross() == Code.OPERATION_OPEN
    world.wait(AUCTION_MS - 1)
    assert uncross() == Code.OPERATION_OPEN
    world.wait(1)
    assert uncross() == Code.APPLIED
    assert (call.market.status, call.market.operation) == (InstrumentStatus.ACTIVE, 0)
    assert not call.market.rows[0].values.any()


def test_a_book_that_does_not_cross_lapses_and_the_auction_goes_on_as_without_one():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 2, 18), ("bob", SELL, 2, 20))
    assert call.tick(58_000_000, AUCTION_MS) == Code.APPLIED
    row = call.market
    assert (row.status, row.auction_price, row.operation) == (InstrumentStatus.AUCTION, 0, 0)
    assert row.auction_end == call.world.time + AUCTION_MS
    # The same accounts may give new orders to the extension at once.
    call.world.wait(1_000)
    call.enter(("alice", BUY, 2, 20), ("bob", SELL, 2, 18))
    assert call.strike(58_000_000)[1] == 2
    assert call.fill("alice", "bob") == Code.APPLIED


def test_after_the_deadline_a_price_reopens_the_market_and_the_rest_lapses_clr_auc_001():
    call = CallWorld("alice", "bob", "carol")
    call.enter(("alice", BUY, 4, 20), ("bob", SELL, 2, 18), ("carol", SELL, 2, 18))
    assert call.strike() == (price_of(20), 4)
    assert call.fill("alice", "bob") == Code.APPLIED
    assert call.tick(GAP, AUCTION_MS - 1) == Code.APPLIED
    assert call.market.status == InstrumentStatus.AUCTION
    call.world.wait(1)
    assert call.fill("alice", "carol") == Code.AUCTION_CLOSED
    call.world.wait(1)
    assert call.tick() == Code.APPLIED
    assert (call.market.status, call.market.stable_price) == (
        InstrumentStatus.ACTIVE,
        price_of(20),
    )
    assert call.held("alice", "bob", "carol") == [2, -2, 0]
    assert call.fill("alice", "carol") == Code.NO_OPERATION


def test_a_call_that_no_price_came_for_in_time_is_over_at_its_deadline():
    call = CallWorld("alice", "bob", price_stale_margin_ms=3 * AUCTION_MS)
    call.enter(("alice", BUY, 4, 20), ("bob", SELL, 4, 18))
    assert call.tick(52_000_000, 2 * AUCTION_MS) == Code.APPLIED
    assert (call.market.status, call.market.operation) == (InstrumentStatus.ACTIVE, 0)
    assert call.fill("alice", "bob") == Code.NO_OPERATION


def test_sweeps_over_holders_know_nothing_of_a_call_clr_swp_002():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 2, 20), ("bob", SELL, 2, 18))
    world, nobody = call.world, {"instrument": 0, "account": 0}
    for _ in range(2):
        tally = world.request(Kind.SWEEP_TALLY, payload=(0,), instrument=0)
        apply = world.request(Kind.SWEEP_APPLY, payload=(0, 0, 0, 0, 0), **nobody)
        for action in (tally, apply, world.request(Kind.SWEEP_CLOSE, **nobody)):
            assert world.apply(action) == Code.NO_OPERATION
        call.strike()


# What is kept for an order


def free(call, name):
    with checked():
        equity, initial, _, _, _ = measure(call.world.state, call.entry(name), 0)
    return int(equity) - int(initial)


def test_margin_is_kept_for_an_order_until_it_is_filled():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 100, 31), ("bob", SELL, 40, 0))
    # Bought at 59,973,010, 100 lots would be worth 57,500,000 each, and need five in a hundred.
    kept = 100 * (59_973_010 - GAP) + 100 * GAP // 20
    assert call.entry("alice").call_margin == kept
    assert free(call, "alice") == DEPOSIT - kept
    # Sold at the lowest level nothing but the fall below the mark and the margin are needed.
    assert call.entry("bob").call_margin == 40 * (GAP - LOW) + 40 * GAP // 20
    world, alice = call.world, call.traders["alice"]
    assert world.apply(world.withdraw(alice, DEPOSIT - kept + 1)) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, DEPOSIT - kept)) == Code.APPLIED
    # Nearest to the mark of 57,500,000 is level 25; 40 of 100 lots are executed.
    assert call.strike() == (price_of(25), 40)
    assert call.fill("alice", "bob") == Code.APPLIED
    assert call.entry("alice").call_margin == 0
    assert call.held("alice") == [40]
    assert free(call, "alice") == kept - 40 * (price_of(25) - GAP) - 40 * GAP // 20


def test_what_is_kept_shrinks_with_each_fill():
    call = CallWorld("alice", "bob", "carol")
    call.enter(("alice", BUY, 90, 20), ("bob", SELL, 10, 20), ("carol", SELL, 20, 20))
    kept = int(call.entry("alice").call_margin)
    call.strike()
    assert call.fill("alice", "bob") == Code.APPLIED
    # A third of what is executed.
    assert call.entry("alice").call_margin == kept - kept // 3
    assert call.entry("alice").call_filled == 10
    assert call.fill("alice", "carol") == Code.APPLIED
    assert call.entry("alice").call_lots == 0


def test_the_money_behind_an_order_opens_nothing_else_until_the_call_is_over():
    call = CallWorld("alice", "bob", amount=10**8)
    alice, bob = call.traders.values()
    call.enter(("alice", BUY, 30, 24))
    world = call.world
    trade = world.trade(alice, bob, lots=20, instrument=1)
    assert world.apply(trade) == Code.MARGIN
    world.wait(2 * AUCTION_MS - 1)
    assert world.apply(world.price(1, MARK)) == Code.APPLIED
    assert world.apply(trade) == Code.MARGIN
    world.wait(1)
    assert world.apply(trade) == Code.APPLIED


def test_an_order_that_reduces_needs_nothing():
    world = banded()
    call = CallWorld.__new__(CallWorld)
    call.world = world
    call.traders = {name: world.trader(name, 10**8) for name in ("alice", "bob")}
    alice, bob = call.traders.values()
    assert world.apply(world.trade(alice, bob, lots=15)) == Code.APPLIED
    world.wait(1_000)
    assert world.apply(world.price(0, 45_000_000 - 10_000)) == Code.APPLIED
    assert world.instrument().status == InstrumentStatus.AUCTION
    # Alice fell below her initial margin; she may sell, and not buy.
    order = call.order("alice", BUY, 1, 45_000_000)
    assert world.apply(order) == Code.MARGIN
    assert world.apply(call.order("alice", SELL, 15, 45_000_000)) == Code.APPLIED
    assert call.entry("alice").call_margin == 0


def test_an_order_that_its_account_can_no_longer_bear_is_not_filled_clr_mrg_001():
    call = CallWorld("alice", "bob", amount=10**8, price_jump_ppm=PPM)
    assert call.world.apply(call.world.deposit(call.traders["bob"], DEPOSIT)) == Code.APPLIED
    call.enter(("alice", BUY, 30, 20), ("bob", SELL, 30, 18))
    call.strike(52_500_000)
    assert call.fill("alice", "bob") == Code.MARGIN
    assert call.tick(GAP, 1_000) == Code.APPLIED
    assert call.fill("alice", "bob") == Code.APPLIED


def test_a_seller_who_can_no_longer_bear_his_order_is_not_filled_either_clr_mrg_001():
    call = CallWorld("alice", "bob", amount=10**8, price_jump_ppm=PPM)
    assert call.world.apply(call.world.deposit(call.traders["alice"], DEPOSIT)) == Code.APPLIED
    call.enter(("alice", BUY, 15, 20), ("bob", SELL, 15, 18))
    # Sold at 55,548,040 and worth 62,500,000, fifteen lots lose 104 of bob's hundred million.
    assert call.strike(62_500_000) == (price_of(20), 15)
    assert call.fill("alice", "bob") == Code.MARGIN
    # At 57,500,000 they lose 29 and need 43.
    assert call.tick(GAP, 1_000) == Code.APPLIED
    assert call.fill("alice", "bob") == Code.APPLIED


def test_a_session_key_spends_what_its_order_would_open():
    call = CallWorld("alice", "bob")
    world, alice = call.world, call.traders["alice"]
    grant = {
        "account": alice.account,
        "key": int.from_bytes(address_of("bot"), "big"),
        "scope": int(Scope.TRADE),
        "first_instrument": 0,
        "last_instrument": 1,
        "limit": 3 * price_of(20),
        "key_expiry": world.time + AUCTION_MS,
    }
    assert world.apply(world.request(Kind.KEY_GRANT, alice.key, **grant)) == Code.APPLIED
    fields = {"account": alice.account, "instrument": 0, "side": BUY, "price": price_of(20)}

    def order(lots):
        return world.apply(world.request(Kind.CALL_ORDER, key_of("bot"), lots=lots, **fields))

    assert order(4) == Code.KEY_CAP
    assert order(3) == Code.APPLIED
    assert call.entry("alice").keys[0].limit == 0


def test_an_expiry_ends_a_call_clr_trd_004():
    world = OptionWorld(band_ppm=100_000, stable_rate_ppm=200_000, price_jump_ppm=PPM)
    alice, bob = world.trader("alice"), world.trader("bob")
    world.time = EXPIRY_MS - 2_000
    for market, mark in ((0, MARK), (FUTURE, MARK)):
        assert world.apply(world.price(market, mark)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, instrument=FUTURE)) == Code.APPLIED
    world.wait(1_000)
    assert world.apply(world.price(FUTURE, 60_000_000)) == Code.APPLIED
    order = {"instrument": FUTURE, "side": BUY, "lots": 1, "price": 55_000_000}
    order |= {"account": alice.account}
    assert world.apply(world.request(Kind.CALL_ORDER, alice.key, **order)) == Code.APPLIED
    world.wait(1_000)
    order |= {"account": bob.account}
    late = world.request(Kind.CALL_ORDER, bob.key, **order)
    assert world.apply(late) == Code.INSTRUMENT_STATUS
    assert world.apply(world.price(0, MARK)) == Code.APPLIED
    assert world.apply(world.request(Kind.EXPIRE, instrument=FUTURE)) == Code.APPLIED
    row = world.instrument(FUTURE)
    assert (row.status, row.operation) == (InstrumentStatus.SETTLING, 0)
    assert not row.rows[0].values.any()
