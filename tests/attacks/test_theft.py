"""Colluders and rounding: whoever trades with himself takes nothing but what the rules hand out."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import keys
from clearing.codes import Code, Side
from clearing.codes import Fund as FundId
from clearing.eip712 import digest
from clearing.units import PPM
from tests.support.world import DEPOSIT, MARK, World

PENALTY_PPM = 10_000
LOTS = 20


def equity(world, *traders):
    """What the accounts are worth together at the mark: one market, no funding."""
    mark = int(world.instrument().mark_price)
    return sum(int(world.account(t).cash) + world.lots(t) * mark for t in traders)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_trading_to_and_fro_between_colluders_makes_no_money(seed):
    chance = random.Random(seed)
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    before = equity(world, alice, bob)
    for _ in range(6):
        rebate = chance.choice([0, 1, 333, 1_000])
        price = MARK + 10 * chance.randrange(-200_000, 200_000)
        trade = world.trade(
            alice,
            bob,
            lots=chance.randrange(1, 9),
            price=price,
            side=chance.choice([Side.BUY, Side.SELL]),
            maker_fee=-rebate,
            taker_fee=rebate,
        )
        assert world.apply(trade) == Code.APPLIED
    assert equity(world, alice, bob) + world.fund(FundId.FEES) == before
    assert world.fund(FundId.FEES) >= 0


@pytest.mark.parametrize("fall_ppm", [30_001, 40_000, 45_000, 49_000, 60_000, 150_000])
def test_colluders_take_from_insurance_no_more_than_a_debt_and_the_keepers_penalty(fall_ppm):
    # Long, short and keeper are one person in three accounts; only a stranger's money is at stake.
    world = World()
    margin = LOTS * MARK * 50_000 // PPM
    long, short = world.trader("long", margin), world.trader("short", margin)
    keeper = world.trader("keeper", DEPOSIT)
    world.endow(FundId.INSURANCE, DEPOSIT)
    before = equity(world, long, short, keeper)
    assert world.apply(world.trade(long, short, LOTS)) == Code.APPLIED
    mark = MARK - MARK * fall_ppm // PPM
    world.move_price(mark)
    debt = max(0, -equity(world, long))
    while world.apply(world.liquidate(keeper, long)) == Code.APPLIED:
        pass
    gain = equity(world, long, short, keeper) - before
    assert gain == DEPOSIT - world.fund(FundId.INSURANCE)
    assert gain <= debt + -(-LOTS * mark * PENALTY_PPM // PPM)
    assert world.fund(FundId.INSURANCE) >= 0


def test_equity_that_covers_the_penalty_costs_insurance_nothing():
    world = World()
    margin = LOTS * MARK * 50_000 // PPM
    long, short = world.trader("long", margin), world.trader("short", margin)
    keeper = world.trader("keeper", DEPOSIT)
    world.endow(FundId.INSURANCE, DEPOSIT)
    assert world.apply(world.trade(long, short, LOTS)) == Code.APPLIED
    world.move_price(MARK * 965 // 1000)
    assert equity(world, long) > LOTS * MARK * PENALTY_PPM // PPM
    assert world.apply(world.liquidate(keeper, long)) == Code.APPLIED
    assert world.fund(FundId.INSURANCE) >= DEPOSIT


@pytest.mark.parametrize("discount_ppm", [49_000, 21_000, 20_000, 10_000])
def test_an_account_below_margin_cannot_be_milked_below_zero_by_trades_off_the_mark(discount_ppm):
    world = World()
    margin = LOTS * MARK * 50_000 // PPM
    long, friend = world.trader("long", margin), world.trader("friend")
    assert world.apply(world.trade(long, friend, LOTS)) == Code.APPLIED
    mark = MARK * 97 // 100
    world.move_price(mark)
    low = mark * (PPM - discount_ppm) // PPM // 10 * 10
    codes = set()
    for lots in (1, 2, 5, 12):
        codes.add(world.apply(world.trade(friend, long, lots, price=low)))
        assert equity(world, long) >= 0
    # The account's equity is 2.06% of its position: below that it may sell at a loss.
    assert codes == {Code.APPLIED if discount_ppm <= 20_000 else Code.MARGIN}


def test_a_signature_with_the_other_s_or_another_v_moves_nothing():
    world = World()
    alice = world.trader("alice")
    request = world.withdraw(alice, 5)
    r, s, v = request.signature[:32], request.signature[32:64], request.signature[64]
    high = (keys.ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    for twin in (
        r + high + bytes([55 - v]),
        r + s + bytes([55 - v]),
        r + s + bytes([v - 27]),
        r + high + bytes([v]),
    ):
        assert world.apply(replace(request, signature=twin)) == Code.BAD_SIGNATURE
    assert world.apply(request) == Code.APPLIED
    assert world.apply(request) == Code.STALE_SEQUENCE


def test_a_request_signed_for_another_chain_or_settlement_moves_nothing():
    world = World()
    alice = world.trader("alice")
    for changes in ({"chain_id": 31_338}, {"settlement": bytes(range(2, 22))}):
        other = World(prices=(), **changes)
        struct = replace(world.withdraw(alice, 5), signature=bytes(65))
        signature = keys.sign(alice.key, digest(other.domain, struct.struct_hash()))
        assert world.apply(replace(struct, signature=signature)) == Code.BAD_SIGNATURE


def test_a_filled_order_cannot_be_filled_again_whatever_happens_to_its_slot():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    first = world.order(alice, lots=2, slot=3)
    second = replace(first, sequence=first.sequence + 1)

    def fill(order, lots):
        trade = replace(world.trade(alice, bob, lots), maker=order)
        return world.apply(world.sign_trade(trade, alice.key, bob.key))

    assert fill(first, 2) == Code.APPLIED
    assert fill(first, 1) == Code.OVERFILL
    assert fill(second, 1) == Code.APPLIED
    assert fill(first, 1) == Code.ORDER_DEAD
    assert fill(second, 2) == Code.OVERFILL
    assert world.apply(world.cancel(alice, second.sequence, slot=3)) == Code.APPLIED
    assert fill(second, 1) == Code.ORDER_DEAD
    assert world.apply(world.cancel(alice, first.sequence, slot=3)) == Code.STALE_SEQUENCE
    assert fill(replace(second, slot=4), 1) == Code.APPLIED
