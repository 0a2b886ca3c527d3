"""Forced close: an owner offers a position to keepers past the operator, at a rising penalty."""

import pytest

from clearing.actions import close_position
from clearing.codes import Code, InboxKind, InstrumentStatus, Mode, Side
from clearing.compiler import checked
from clearing.units import LOTS_MAX
from node.margins import margin_of
from tests.clearing.law.test_modes import PERPETUAL, PUT, market_world, take, to
from tests.support.world import DEPOSIT, MARK, World

FAST_MS = 60_000
SLOW_MS = 200_000
LOTS = 10


def offering_world(side=Side.BUY, lots=LOTS, **changes):
    """Alice holds ten lots and offers `lots` of them; a keeper stands by."""
    world = World(auction_fast_ms=FAST_MS, auction_slow_ms=SLOW_MS, **changes)
    alice, bob, keeper = (world.trader(name) for name in ("alice", "bob", "keeper"))
    assert world.apply(world.trade(alice, bob, LOTS, side=side)) == Code.APPLIED
    assert world.apply(world.forced(InboxKind.CLOSE_POSITION, alice, lots)) == Code.APPLIED
    return world, alice, keeper


def test_without_an_offer_a_healthy_account_is_left_alone_clr_liq_002():
    world, alice, keeper = offering_world(lots=1)
    assert world.apply(world.liquidate(keeper, alice)) == Code.APPLIED
    assert world.apply(world.liquidate(keeper, alice)) == Code.HEALTHY
    row = world.account(alice)
    assert (row.close_instrument, row.close_lots, row.close_time) == (0, 0, 0)


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
def test_a_keeper_takes_the_offered_lots_at_mark_at_once(side, sign):
    world, alice, keeper = offering_world(side)
    assert world.apply(world.liquidate(keeper, alice, 4)) == Code.APPLIED
    assert (world.lots(alice), world.lots(keeper)) == (6 * sign, 4 * sign)
    assert world.account(keeper).cash == DEPOSIT - 4 * sign * MARK
    assert world.account(alice).close_lots == 6 * sign
    assert world.apply(world.liquidate(keeper, alice)) == Code.APPLIED
    assert (world.lots(alice), world.lots(keeper)) == (0, 10 * sign)
    assert world.account(alice).cash == DEPOSIT


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
@pytest.mark.parametrize(
    ("elapsed_ms", "penalty_ppm"), [(FAST_MS // 3, 10_000), (FAST_MS, 30_000), (SLOW_MS, 30_000)]
)
def test_the_penalty_rises_to_the_maintenance_fraction(side, sign, elapsed_ms, penalty_ppm):
    world, alice, keeper = offering_world(side)
    world.wait(elapsed_ms)
    assert world.apply(world.liquidate(keeper, alice)) == Code.APPLIED
    paid = MARK - sign * MARK * penalty_ppm // 1_000_000
    assert world.account(keeper).cash == DEPOSIT - sign * LOTS * paid
    assert world.account(alice).cash == DEPOSIT + sign * LOTS * (paid - MARK)


def test_the_offer_ends_with_the_slow_part_of_an_auction_clr_liq_002():
    world, alice, keeper = offering_world()
    world.wait(SLOW_MS + 1)
    assert world.apply(world.liquidate(keeper, alice)) == Code.HEALTHY


def test_the_offer_is_of_no_more_than_is_left_and_of_that_side_alone_clr_liq_002():
    world, alice, keeper = offering_world()
    bob = world.trader("carol")
    assert world.apply(world.trade(bob, alice, 7)) == Code.APPLIED
    assert world.lots(alice) == 3
    assert world.apply(world.liquidate(keeper, alice)) == Code.APPLIED
    assert (world.lots(alice), world.lots(keeper)) == (0, 3)
    world, alice, keeper = offering_world()
    bob = world.trader("carol")
    assert world.apply(world.trade(bob, alice, 17)) == Code.APPLIED
    assert world.lots(alice) == -7
    assert world.apply(world.liquidate(keeper, alice)) == Code.HEALTHY


def test_an_offer_asks_for_a_position():
    world, alice, _ = offering_world(lots=LOTS_MAX)
    assert world.account(alice).close_lots == LOTS
    assert world.apply(world.forced(InboxKind.CLOSE_POSITION, alice, 5, asset=1)) == Code.APPLIED
    assert world.account(alice).close_instrument == 0
    assert world.account(alice).close_lots == LOTS


def test_a_forced_cancel_takes_the_offer_back_clr_liq_002():
    world, alice, keeper = offering_world()
    assert world.apply(world.forced(InboxKind.CANCEL_ALL, alice, 1)) == Code.APPLIED
    assert world.account(alice).close_lots == 0
    assert world.apply(world.liquidate(keeper, alice)) == Code.HEALTHY


def test_another_market_is_not_on_offer_clr_liq_001():
    world, alice, keeper = offering_world()
    assert world.apply(world.liquidate(keeper, alice, instrument=1)) == Code.NO_POSITION


def test_an_offer_of_one_market_offers_nothing_of_another_clr_liq_002():
    world, alice, keeper = offering_world()
    assert world.apply(world.trade(alice, keeper, 3, instrument=1)) == Code.APPLIED
    bob = world.trader("dave")
    assert world.apply(world.liquidate(bob, alice, instrument=1)) == Code.HEALTHY
    assert world.lots(alice, 1) == 3
    assert world.apply(world.liquidate(bob, alice)) == Code.APPLIED


def test_no_fill_of_a_hedge_makes_the_closing_account_fail_clr_mrg_001():
    world = market_world(shortfall_weight_ppm=0)
    alice, bob = world.trader("alice", 2 * DEPOSIT), world.trader("bob", 9 * DEPOSIT)
    carol = world.trader("carol", 9 * DEPOSIT)
    assert world.apply(world.trade(alice, bob, 100)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, 60, 2_000_000, instrument=PUT)) == Code.APPLIED
    assert world.apply(to(world, alice, Mode.PORTFOLIO)) == Code.APPLIED
    take(world, alice, margin_of(world.state, alice.account).maintenance)
    for market, expected in ((PUT, Code.MARGIN), (PERPETUAL, Code.APPLIED)):
        offer = world.forced(InboxKind.CLOSE_POSITION, alice, 10, asset=market)
        assert world.apply(offer) == Code.APPLIED
        assert world.apply(world.liquidate(carol, alice, 10, market)) == expected


def test_no_fill_goes_through_a_gap_clr_gat_001():
    world, alice, keeper = offering_world()
    world.instrument().status = InstrumentStatus.AUCTION
    assert world.apply(world.liquidate(keeper, alice)) == Code.GATED


def test_a_keepers_request_for_an_offer_serves_once_clr_sig_002():
    world, alice, keeper = offering_world()
    request = world.liquidate(keeper, alice, 4)
    assert world.apply(request) == Code.APPLIED
    assert world.account(keeper).request_sequence == request.sequence
    assert world.apply(request) == Code.STALE_SEQUENCE
    assert world.lots(keeper) == 4


def test_a_keeper_takes_an_offer_no_further_than_his_own_cap_clr_trd_014():
    world, alice, keeper = offering_world()
    world.instrument().position_cap = 3
    assert world.apply(world.liquidate(keeper, alice, 4)) == Code.POSITION_CAP
    assert world.apply(world.liquidate(keeper, alice, 3)) == Code.APPLIED
    assert (world.lots(alice), world.lots(keeper)) == (7, 3)


@pytest.mark.parametrize(("signed_lots", "price"), [(1, 99), (-1, 101)])
def test_the_penalty_in_the_price_is_cut_to_whole_micro_quote(signed_lots, price):
    # 1.5 % of 100 is one and a half.
    with checked():
        assert close_position.close_price(100, 15_000, signed_lots) == price


def test_a_keeper_must_be_able_to_carry_the_lots_clr_mrg_001():
    world, alice, _ = offering_world()
    poor = world.trader("poor", MARK // 100)
    assert world.apply(world.liquidate(poor, alice)) == Code.MARGIN


def test_a_fill_never_makes_the_closing_account_fail():
    world = World(auction_fast_ms=FAST_MS, auction_slow_ms=SLOW_MS)
    alice, bob = world.trader("alice", 3 * MARK), world.trader("bob")
    keeper = world.trader("keeper")
    assert world.apply(world.trade(alice, bob, 50)) == Code.APPLIED
    # Equity 1.6 marks, just above three per cent of what is left of fifty.
    world.move_price(MARK * 972 // 1000)
    assert world.apply(world.forced(InboxKind.CLOSE_POSITION, alice, LOTS_MAX)) == Code.APPLIED
    world.wait(FAST_MS)
    for _ in range(5):
        assert world.apply(world.liquidate(keeper, alice, 10)) == Code.APPLIED
        assert world.account(alice).cash >= -world.lots(alice) * MARK
    assert world.lots(alice) == 0
    assert world.account(alice).cash > 0


def test_the_penalty_is_linear_rounded_up_and_survives_a_ramp_of_nothing():
    with checked():
        ramp = [close_position.close_penalty_ppm(t, 3, 10) for t in range(5)]
        assert ramp == [0, 4, 7, 10, 10]
        assert close_position.close_penalty_ppm(0, 0, 10) == 10
        assert close_position.close_price(5, 1_000_000, 1) == 1


def test_a_forced_liquidation_fills_an_offer_too():
    world, alice, keeper = offering_world()
    message = world.forced(InboxKind.LIQUIDATE, keeper, 4, other=alice.account)
    assert world.apply(message) == Code.APPLIED
    assert (world.lots(alice), world.lots(keeper)) == (6, 4)
