"""Limits of session keys that keep: what they open, buy or pay in comes off, as a trader's does."""

import pytest

from clearing.codes import Code, InboxKind, Scope, Side
from clearing.units import AMOUNT_MAX, PPM
from tests.clearing.law import test_convert as conversions
from tests.clearing.law.test_auctions_of_accounts import bid, failing_world, start
from tests.clearing.law.test_forced_close import offering_world
from tests.clearing.law.test_keys import as_key, grant, limit_of
from tests.support.pools import PoolWorld
from tests.support.world import DEPOSIT, MARK

LOW = 48_000_000  # the mark at which Alice's fifty lots fail


def keeping(world, keeper, limit, scope=Scope.KEEPER, **changes):
    """The keeper's account in the hands of a session key with this limit."""
    assert world.apply(grant(world, keeper, "robot", scope, limit=limit, **changes)) == Code.APPLIED
    return as_key(keeper, "robot")


@pytest.mark.parametrize(("limit", "expected"), [(5 * LOW, Code.APPLIED), (5 * LOW - 1, 47)])
def test_a_liquidation_takes_what_it_opens_off_the_keepers_limit_clr_key_002(limit, expected):
    world, alice, _, kate = failing_world(LOW)
    robot = keeping(world, kate, limit)
    assert world.apply(world.liquidate(robot, alice, 5)) == expected
    assert limit_of(world, kate) == (0 if expected == Code.APPLIED else limit)
    # The owner has no limit, whatever his key has left.
    assert world.apply(world.liquidate(kate, alice, 5)) == Code.APPLIED


def test_what_a_keeper_closes_of_its_own_by_a_liquidation_is_free():
    world, alice, bob, kate = failing_world(MARK)
    assert world.apply(world.trade(kate, bob, 5, side=Side.SELL)) == Code.APPLIED
    world.move_price(LOW)
    robot = keeping(world, kate, 2 * LOW)
    assert world.apply(world.liquidate(robot, alice, 5)) == Code.APPLIED
    assert (world.lots(kate), limit_of(world, kate)) == (0, 2 * LOW)
    assert world.apply(world.liquidate(robot, alice, 2)) == Code.APPLIED
    assert limit_of(world, kate) == 0
    assert world.apply(world.liquidate(robot, alice, 1)) == Code.KEY_CAP


def test_an_offered_position_comes_off_the_keepers_limit_clr_key_002():
    world, alice, keeper = offering_world()
    robot = keeping(world, keeper, 4 * MARK)
    assert world.apply(world.liquidate(robot, alice, 5)) == Code.KEY_CAP
    assert world.apply(world.liquidate(robot, alice, 4)) == Code.APPLIED
    assert limit_of(world, keeper) == 0


def test_a_forced_liquidation_is_the_owners_and_knows_no_limit():
    world, alice, _, kate = failing_world(LOW)
    keeping(world, kate, 0)
    forced = world.forced(InboxKind.LIQUIDATE, kate, 5, other=alice.account)
    assert world.apply(forced) == Code.APPLIED
    assert world.lots(kate) == 5


def test_a_bid_takes_what_all_its_legs_open_off_the_bidders_limit_clr_key_002():
    world, alice, _, kate = failing_world(LOW, legs=(0, 1))
    assert start(world, alice) == Code.APPLIED
    # A tenth of fifty lots of each of two markets.
    need = 10 * LOW
    for limit, expected in ((need - 1, Code.KEY_CAP), (need, Code.APPLIED)):
        robot = keeping(world, kate, limit)
        assert world.apply(bid(world, robot, alice, PPM // 10)) == expected
    assert (world.lots(kate, 0), world.lots(kate, 1), limit_of(world, kate)) == (5, 5, 0)


def test_a_bid_takes_no_leg_outside_the_keys_instruments_clr_key_001():
    world, alice, _, kate = failing_world(LOW, legs=(0, 1))
    assert start(world, alice) == Code.APPLIED
    for first, last, expected in ((0, 0, Code.KEY_SCOPE), (1, 2, Code.KEY_SCOPE), (0, 1, 0)):
        only = {"first_instrument": first, "last_instrument": last}
        robot = keeping(world, kate, AMOUNT_MAX, **only)
        assert world.apply(bid(world, robot, alice, PPM // 10)) == expected


def test_a_conversion_takes_what_is_paid_off_the_keepers_limit_clr_key_002():
    world, alice, keeper = conversions.owing_world()
    robot = keeping(world, keeper, 949)
    buy = (alice, conversions.WILD_ID, 1_000)
    # A thousand units for 950.
    assert world.apply(conversions.convert(world, robot, *buy)) == Code.KEY_CAP
    keeping(world, keeper, 950)
    assert world.apply(conversions.convert(world, robot, *buy)) == Code.APPLIED
    assert limit_of(world, keeper) == 0


def test_a_deposit_in_a_pool_comes_off_the_limit_clr_key_002():
    world = PoolWorld()
    alice = world.trader("alice", 2 * DEPOSIT)
    robot = keeping(world, alice, DEPOSIT - 1, Scope.POOL)
    assert world.apply(world.pool_deposit(robot, amount=DEPOSIT)) == Code.KEY_CAP
    assert world.apply(world.pool_deposit(robot, amount=DEPOSIT - 1)) == Code.APPLIED
    assert limit_of(world, alice) == 0
