"""Margin as actions feel it: scaled openings, improvements below margin, several markets."""

from math import ceil

import pytest

from clearing.codes import Code, Mode, Side
from clearing.compiler import checked
from clearing.margin import is_improvement, is_legal
from clearing.units import PPM
from tests.support.world import DEPOSIT, MARK, TIERS, World

TAIL = 2


@pytest.mark.parametrize(
    ("lots", "fraction"),
    # Open interest is these lots: 20 % up to ten, all of it from thirty on.
    [(5, 200_000), (10, 200_000), (15, 400_000), (20, 600_000), (30, PPM), (40, PPM)],
)
def test_the_margin_of_an_opening_scales_with_the_open_interest_it_makes_clr_mrg_001(
    lots, fraction
):
    margin = lots * MARK * fraction // PPM
    for missing, expected in [(1, Code.MARGIN), (0, Code.APPLIED)]:
        world = World()
        alice, bob = world.trader("alice", margin - missing), world.trader("bob", 3 * DEPOSIT)
        assert world.apply(world.trade(alice, bob, lots, instrument=TAIL)) == expected


def test_scaled_margin_liquidates_nobody_clr_liq_002():
    world = World()
    alice, bob = world.trader("alice", MARK), world.trader("bob", 9 * DEPOSIT)
    carol = world.trader("carol", 9 * DEPOSIT)
    assert world.apply(world.trade(alice, bob, 5, instrument=TAIL)) == Code.APPLIED
    assert world.apply(world.trade(carol, bob, 50, instrument=TAIL)) == Code.APPLIED
    assert world.apply(world.withdraw(alice, 1)) == Code.TRANSFER_MARGIN
    assert world.apply(world.liquidate(carol, alice, instrument=TAIL)) == Code.HEALTHY


def test_margin_rounds_up_clr_mrg_001():
    # One lot at 50,000,010 needs 2,500,000.5.
    price = MARK + 10
    for cash, expected in [(2_500_000, Code.MARGIN), (2_500_001, Code.APPLIED)]:
        world = World(prices=(price, 0, 0))
        alice, bob = world.trader("alice", cash), world.trader("bob")
        assert world.apply(world.trade(alice, bob, 1, price)) == expected


def test_the_margins_of_all_positions_add_up_and_their_profits_offset_clr_mrg_001():
    world = World()
    alice, bob = world.trader("alice", 4 * MARK), world.trader("bob", 9 * DEPOSIT)
    assert world.apply(world.trade(alice, bob, 30, instrument=0)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, 26, instrument=1)) == Code.MARGIN
    assert world.apply(world.trade(alice, bob, 25, instrument=1)) == Code.APPLIED
    world.move_price(MARK * 102 // 100, instrument=0)
    # A gain of 0.6 lots' worth, less 0.03 that thirty lots now need more.
    assert world.apply(world.trade(alice, bob, 6, instrument=1)) == Code.MARGIN
    assert world.apply(world.trade(alice, bob, 5, instrument=1)) == Code.APPLIED


def test_a_trade_off_the_mark_is_judged_at_the_mark_clr_mrg_001():
    price = MARK * 104 // 100
    lots = 10
    worse = lots * (price - MARK)
    margin = lots * MARK // 20
    for missing, expected in [(1, Code.MARGIN), (0, Code.APPLIED)]:
        world = World()
        alice, bob = world.trader("alice", margin + worse - missing), world.trader("bob")
        assert world.apply(world.trade(alice, bob, lots, price)) == expected


def short_of_margin(mark, lots=50, deposit=3 * MARK):
    """Alice is long below initial margin; Bob and Carol are rich."""
    world = World()
    alice, bob = world.trader("alice", deposit), world.trader("bob", 9 * DEPOSIT)
    carol = world.trader("carol", 9 * DEPOSIT)
    assert world.apply(world.trade(alice, bob, lots)) == Code.APPLIED
    world.move_price(mark)
    return world, alice, carol


def test_below_initial_margin_a_position_may_shrink_at_the_mark_but_not_grow_clr_mrg_001():
    mark = 48_500_000
    world, alice, carol = short_of_margin(mark)
    assert world.apply(world.trade(alice, carol, 1, mark)) == Code.MARGIN
    assert world.apply(world.trade(alice, carol, 10, mark, Side.SELL)) == Code.APPLIED
    assert world.lots(alice) == 40


def test_below_initial_margin_a_flip_is_no_shrinking_clr_mrg_001():
    mark = 48_500_000
    world, alice, carol = short_of_margin(mark, deposit=126 * 10**6)
    # Equity is 51 million: a short of one lot would be margined, one of 30 would not.
    assert world.apply(world.trade(alice, carol, 80, mark, Side.SELL)) == Code.MARGIN
    assert world.apply(world.trade(alice, carol, 51, mark, Side.SELL)) == Code.APPLIED
    assert world.lots(alice) == -1


def test_a_shrinking_may_give_away_equity_in_proportion_and_no_more_clr_mrg_001():
    # Equity 75, maintenance 72.75 and initial margin 121.25 million at 48.5 a lot. Closing ten
    # lots takes a fifth of the maintenance, so no more than a fifth of equity may go: 1.5 a lot.
    mark = 48_500_000
    world, alice, carol = short_of_margin(mark)
    worse = world.trade(alice, carol, 10, mark - 1_500_010, Side.SELL)
    assert world.apply(worse) == Code.MARGIN
    exact = world.trade(alice, carol, 10, mark - 1_500_000, Side.SELL)
    assert world.apply(exact) == Code.APPLIED


def test_a_fee_may_spoil_an_improvement_clr_mrg_001():
    mark = 48_500_000
    for fee, expected in [(0, Code.APPLIED), (1, Code.MARGIN)]:
        world, alice, carol = short_of_margin(mark)
        price = mark - 1_500_000
        trade = world.trade(alice, carol, 10, price, Side.SELL, maker_fee=fee)
        assert world.apply(trade) == expected


def test_a_bankrupt_account_cannot_shrink_at_the_mark_nor_close_with_a_debt_clr_mrg_001():
    mark = 45_000_000
    world, alice, carol = short_of_margin(mark)
    # Equity is -100 million: every lot that goes must take its share of the debt along.
    assert world.apply(world.trade(alice, carol, 10, mark, Side.SELL)) == Code.MARGIN
    better = world.trade(alice, carol, 25, 47_000_000, Side.SELL)
    assert world.apply(better) == Code.APPLIED
    # What is left owes 50 million; 25 lots at 2 million above the mark would bring just that.
    assert world.apply(world.trade(alice, carol, 25, 46_999_990, Side.SELL)) == Code.MARGIN
    assert world.apply(world.trade(alice, carol, 25, 47_000_000, Side.SELL)) == Code.APPLIED
    assert world.account(alice).cash == 0


def test_both_sides_are_judged_clr_mrg_001():
    margin = ceil(10 * MARK * TIERS[0].initial_ppm / PPM)
    for side in (Side.BUY, Side.SELL):
        world = World()
        rich, poor = world.trader("rich"), world.trader("poor", margin - 1)
        assert world.apply(world.trade(rich, poor, 10, side=side)) == Code.MARGIN
        assert world.apply(world.trade(poor, rich, 10, side=side)) == Code.MARGIN


def test_a_debt_without_positions_forbids_every_opening_clr_mrg_001():
    world = World()
    alice, bob = world.trader("alice", 1), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 1)) == Code.MARGIN


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # (equity, maintenance): 75 over 100 is as good as 60 over 80, and better than 59 over 80.
        ((75, 100), (60, 80), True),
        ((75, 100), (59, 80), False),
        # What a bankrupt account owes looks smaller over a larger maintenance: no improvement.
        ((-10, 100), (-10, 101), False),
        ((-10, 100), (-10, 100), True),
        ((-10, 100), (-5, 50), True),
        ((-10, 100), (-6, 50), False),
        # Without maintenance equity must grow.
        ((-10, 0), (-10, 0), False),
        ((-10, 0), (-9, 0), True),
        ((5, 0), (6, 1), False),
    ],
)
def test_an_improvement_needs_no_more_maintenance_and_has_no_less_equity_for_it_clr_mrg_001(
    old, new, expected
):
    with checked():
        assert is_improvement(*old, *new) == expected


@pytest.mark.parametrize(
    ("mode", "grown", "new", "expected"),
    # Before: equity 50, initial margin 100, maintenance 80.
    [
        (Mode.CROSS, True, (99, 99, 79), True),
        (Mode.CROSS, True, (98, 99, 79), False),
        (Mode.CROSS, False, (50, 99, 80), True),
        (Mode.PORTFOLIO, True, (50, 99, 79), True),
        (Mode.PORTFOLIO, True, (50, 100, 79), False),
        (Mode.PORTFOLIO, True, (50, 99, 80), False),
        (Mode.PORTFOLIO, False, (50, 100, 80), True),
    ],
)
def test_only_a_portfolio_may_grow_below_initial_margin_and_only_if_both_margins_fall_clr_mrg_001(
    mode, grown, new, expected
):
    with checked():
        assert is_legal(mode, grown, (50, 100, 80), new) == expected
