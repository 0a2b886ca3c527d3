"""Orders and their fills: replay, overfill, slot takeover, floor, and pages allocated on use."""

from dataclasses import replace

import pytest

from clearing.codes import Code
from tests.support.world import World


@pytest.fixture
def market():
    world = World()
    return world, world.trader("alice"), world.trader("bob")


def fill(market, lots, /, **order):
    """Let Alice's order, of ten lots unless said otherwise, be filled by a fresh one of Bob's."""
    world, alice, bob = market
    maker = world.order(alice, **{"lots": 10, "slot": 3, "sequence": 5, **order})
    return world.apply(world.trade(alice, bob, lots, maker=maker))


def test_an_order_may_be_filled_in_parts_up_to_its_lots_clr_trd_007(market):
    world, alice, _ = market
    assert fill(market, 4) == Code.APPLIED
    assert world.slot(alice, 3) == (5, 4)
    assert fill(market, 7) == Code.OVERFILL
    assert fill(market, 6) == Code.APPLIED
    assert world.slot(alice, 3) == (5, 10)
    assert fill(market, 1) == Code.OVERFILL


def test_a_takers_order_is_counted_like_a_makers_clr_trd_007(market):
    world, alice, bob = market
    order = world.order(bob, lots=10, slot=3, sequence=5)
    assert world.apply(world.trade(alice, bob, 4, taker=order)) == Code.APPLIED
    assert world.slot(bob, 3) == (5, 4)
    assert world.apply(world.trade(alice, bob, 7, taker=order)) == Code.OVERFILL
    assert world.apply(world.trade(alice, bob, 6, taker=order)) == Code.APPLIED


def test_a_new_page_keeps_nothing_of_what_stood_in_its_row(market):
    # A batch that was rolled back leaves the pages that it opened as they were.
    world, alice, _ = market
    for slot in world.state.pages[world.state.scratch[0].page_count].slots:
        slot.sequence, slot.filled = 9, 9
    assert fill(market, 4) == Code.APPLIED
    assert [world.slot(alice, slot) for slot in range(16)] == [
        (5, 4) if slot == 3 else (0, 0) for slot in range(16)
    ]


def test_the_same_trade_cannot_be_replayed_clr_trd_007(market):
    world, alice, bob = market
    order = world.order(alice, lots=1)
    trade = world.trade(alice, bob, maker=order)
    assert world.apply(trade) == Code.APPLIED
    assert world.apply(trade) == Code.OVERFILL


def test_one_slot_name_has_one_fill_whatever_else_the_order_says_clr_trd_007(market):
    assert fill(market, 10) == Code.APPLIED
    assert fill(market, 1, lots=10, max_fee=7) == Code.OVERFILL
    assert fill(market, 1, lots=11) == Code.APPLIED


def test_a_higher_sequence_takes_the_slot_over_and_kills_the_lower_clr_trd_006(market):
    world, alice, _ = market
    assert fill(market, 4, sequence=5) == Code.APPLIED
    assert fill(market, 2, sequence=9) == Code.APPLIED
    assert world.slot(alice, 3) == (9, 2)
    assert fill(market, 1, sequence=5) == Code.ORDER_DEAD
    assert fill(market, 1, sequence=8) == Code.ORDER_DEAD
    assert fill(market, 8, sequence=9) == Code.APPLIED


def test_what_an_older_order_of_the_slot_was_filled_is_not_the_new_ones_clr_trd_007(market):
    world, alice, _ = market
    assert fill(market, 8, sequence=5) == Code.APPLIED
    assert fill(market, 8, sequence=9) == Code.APPLIED
    assert world.slot(alice, 3) == (9, 8)
    assert fill(market, 3, sequence=9) == Code.OVERFILL


def test_slots_do_not_disturb_each_other(market):
    world, alice, _ = market
    assert fill(market, 4, slot=3) == Code.APPLIED
    assert fill(market, 5, slot=4, sequence=2) == Code.APPLIED
    assert (world.slot(alice, 3), world.slot(alice, 4)) == ((5, 4), (2, 5))


def test_the_takers_fill_counts_like_the_makers_clr_trd_007(market):
    world, alice, bob = market
    taker = world.order(bob, lots=2)
    assert world.apply(world.trade(alice, bob, 2, taker=taker)) == Code.APPLIED
    assert world.slot(bob, 0) == (taker.sequence, 2)
    assert world.apply(world.trade(alice, bob, 1, taker=taker)) == Code.OVERFILL


def test_life_is_judged_before_room_on_either_side_clr_trd_006(market):
    world, alice, bob = market
    spent, dead = world.order(alice, lots=1), world.order(bob)
    later = world.order(bob)
    assert world.apply(world.trade(alice, bob, maker=spent, taker=later)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, maker=spent, taker=dead)) == Code.ORDER_DEAD
    assert world.apply(world.trade(bob, alice, maker=dead, taker=spent)) == Code.ORDER_DEAD


def test_the_floor_kills_every_slot_up_to_it_clr_trd_006(market):
    world, alice, _ = market
    assert world.apply(world.cancel(alice, 5)) == Code.APPLIED
    assert fill(market, 1, slot=3, sequence=5) == Code.ORDER_DEAD
    assert fill(market, 1, slot=200, sequence=1) == Code.ORDER_DEAD
    assert fill(market, 1, slot=3, sequence=6) == Code.APPLIED


@pytest.mark.parametrize("slot", [0, 15, 16, 255])
def test_a_page_comes_into_being_with_its_first_slot(market, slot):
    world, alice, _ = market
    assert world.account(alice).page_mask == 0
    assert fill(market, 4, slot=slot) == Code.APPLIED
    row = world.account(alice)
    assert row.page_mask == 1 << slot // 16
    page = world.state.pages[row.page_rows[slot // 16]]
    assert (page.account, page.number, page.known) == (alice.account, slot // 16, 1)
    expected = [(5, 4) if i == slot % 16 else (0, 0) for i in range(16)]
    assert [(int(s.sequence), int(s.filled)) for s in page.slots] == expected
    assert [int(r) >= 0 for r in row.page_rows] == [i == slot // 16 for i in range(16)]


def test_pages_of_accounts_are_their_own_and_are_reused(market):
    world, alice, bob = market
    for slot in (0, 15, 16, 255, 0, 240):
        order = world.order(alice, slot=slot)
        assert world.apply(world.trade(alice, bob, maker=order)) == Code.APPLIED
    # Three pages of Alice's and one of Bob's, who always used slot 0.
    assert world.state.scratch[0].page_count == 4
    mine = {int(row) for row in world.account(alice).page_rows if row >= 0}
    his = {int(row) for row in world.account(bob).page_rows if row >= 0}
    assert (len(mine), len(his), mine & his) == (3, 1, set())


def test_a_rejected_trade_allocates_no_page(market):
    world, alice, bob = market
    trade = world.trade(alice, bob)
    beyond = replace(trade, lots=10**6)
    beyond = world.sign_trade(beyond, alice.key, bob.key)
    assert world.apply(beyond) == Code.MARGIN
    assert world.state.scratch[0].page_count == 0
