"""Cancel: a slot or the floor is raised, never lowered."""

import pytest

from clearing.codes import Code, Status
from clearing.units import ALL_SLOTS, SEQUENCE_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import Trader, World


class Cancel(Case):
    """Alice cancels slot 3 up to sequence 7."""

    def prepare(self):
        self.owner = self.world.trader("alice")
        self.signer = self.owner

    def action(self):
        forged = Trader(self.signer.name, self.owner.account)
        return self.world.cancel(forged, 7, 3)


def missing(case):
    case.owner = Trader("alice", 99)


def forged(case):
    case.signer = Trader("mallory", 0)


def stale(case):
    assert case.world.apply(case.world.cancel(Trader("alice", 0), 7)) == Code.APPLIED


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: missing,
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
}


def fault(*codes):
    return outcome(Cancel, FAULTS, *codes)


@pytest.fixture
def market():
    world = World()
    return world, world.trader("alice"), world.trader("bob")


def test_a_cancel_kills_the_orders_of_its_slot_up_to_its_sequence(market):
    world, alice, bob = market
    assert world.apply(world.cancel(alice, 7, 3)) == Code.APPLIED
    assert world.slot(alice, 3) == (8, 0)
    for slot, sequence, expected in [
        (3, 7, Code.ORDER_DEAD),
        (4, 7, Code.APPLIED),
        (3, 8, Code.APPLIED),
    ]:
        order = world.order(alice, slot=slot, sequence=sequence)
        assert world.apply(world.trade(alice, bob, maker=order)) == expected


def test_a_cancel_for_an_account_that_does_not_exist_is_rejected_clr_act_006():
    assert fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_a_cancel_signed_by_a_stranger_is_rejected_clr_sig_001():
    assert fault(Code.BAD_SIGNATURE) == Code.BAD_SIGNATURE


def test_a_cancel_below_the_floor_raises_nothing_and_is_rejected_clr_sig_002():
    assert fault(Code.STALE_SEQUENCE) == Code.STALE_SEQUENCE


def test_a_cancel_of_an_unlike_length_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_a_cancel_in_a_halted_law_is_rejected_clr_act_004():
    assert fault(Code.HALTED) == Code.HALTED


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_a_replayed_cancel_is_rejected_clr_sig_002(market):
    world, alice, _ = market
    for slot in (3, ALL_SLOTS):
        cancel = world.cancel(alice, 7, slot)
        assert world.apply(cancel) == Code.APPLIED
        assert world.apply(cancel) == Code.STALE_SEQUENCE


def test_a_lower_cancel_cannot_revive_an_order_clr_sig_002(market):
    world, alice, bob = market
    assert world.apply(world.cancel(alice, 7, 3)) == Code.APPLIED
    assert world.apply(world.cancel(alice, 6, 3)) == Code.STALE_SEQUENCE
    order = world.order(alice, slot=3, sequence=7)
    assert world.apply(world.trade(alice, bob, maker=order)) == Code.ORDER_DEAD


def test_a_cancel_below_the_sequence_that_fills_a_slot_is_rejected_clr_sig_002(market):
    world, alice, bob = market
    order = world.order(alice, slot=3, sequence=9)
    assert world.apply(world.trade(alice, bob, maker=order)) == Code.APPLIED
    assert world.apply(world.cancel(alice, 8, 3)) == Code.STALE_SEQUENCE
    assert world.slot(alice, 3) == (9, 1)
    assert world.apply(world.cancel(alice, 9, 3)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, maker=order)) == Code.ORDER_DEAD


def test_a_cancel_of_all_raises_the_floor_and_no_slot(market):
    world, alice, _ = market
    assert world.apply(world.cancel(alice, 7)) == Code.APPLIED
    assert world.account(alice).order_floor == 7
    assert world.account(alice).page_mask == 0
    assert world.apply(world.cancel(alice, 6)) == Code.STALE_SEQUENCE
    assert world.apply(world.cancel(alice, 8)) == Code.APPLIED


@pytest.mark.parametrize("slot", [0, 255, ALL_SLOTS])
def test_the_largest_sequence_can_be_cancelled(market, slot):
    world, alice, bob = market
    assert world.apply(world.cancel(alice, SEQUENCE_MAX, slot)) == Code.APPLIED
    order = world.order(alice, slot=slot % 256, sequence=SEQUENCE_MAX)
    assert world.apply(world.trade(alice, bob, maker=order)) == Code.ORDER_DEAD
    assert world.totals.status == Status.ACTIVE
