"""Prices that the base layer forces in: the rule of the price action, whoever sends them."""

from dataclasses import replace

import pytest

from clearing.codes import Code, InboxKind, Status
from clearing.genesis import GenesisAsset
from clearing.units import STEP_RECOVERIES
from tests.support.options import CALLS, OptionWorld
from tests.support.world import MARK, PUBLISHERS, QUORUM, World

ASSET_PRICE = (1 << 31) + 1
STALE_MS = 10**9


def asset_world():
    return World(assets=(GenesisAsset(100_000, 0, 1 << 50, 1 << 50),))


@pytest.mark.parametrize("instrument", [0, ASSET_PRICE])
def test_a_forced_price_does_to_the_state_what_a_price_action_does(instrument):
    forced, sent = asset_world(), asset_world()
    for world in (forced, sent):
        world.price_asset(1, MARK)
        world.wait(1_000)
    price = sent.price(instrument, MARK + 70, MARK + 50)
    assert sent.apply(price) == Code.APPLIED
    assert forced.apply(forced.forced_price(price)) == Code.APPLIED
    for name in ("instruments", "underlyings", "assets", "accounts", "funds"):
        assert getattr(forced.state, name).tobytes() == getattr(sent.state, name).tobytes(), name
    assert (int(forced.totals.inbox_count), int(sent.totals.inbox_count)) == (1, 0)
    assert int(sent.totals.sequenced_count) == int(forced.totals.sequenced_count) + 1


def unsigned(price):
    first, *rest = price.observations
    return replace(price, observations=(replace(first, signature=bytes(65)), *rest))


# What is wrong with a price, and the code that the same price action would end in.
WRONG = {
    "too few": (lambda world: world.price(0, MARK, publishers=PUBLISHERS[: QUORUM - 1]), "QUORUM"),
    "a stranger": (
        lambda world: world.price(0, MARK, publishers=("mallory", *PUBLISHERS)),
        "PUBLISHER",
    ),
    "no signature": (lambda world: unsigned(world.price(0, MARK)), "PUBLISHER"),
    "another's": (lambda world: replace(world.price(0, MARK), instrument=1), "PUBLISHER"),
    "old": (lambda world: world.price(0, MARK, time=world.time - 1_000), "PRICE_TIME"),
    "to come": (lambda world: world.price(0, MARK, time=world.time + 10**9), "PRICE_TIME"),
    "a jump": (lambda world: world.price(0, 9 * MARK), "PRICE_JUMP"),
    "no market": (lambda world: world.price(99, MARK), "NO_INSTRUMENT"),
    "no asset": (lambda world: world.price((1 << 31) + 7, MARK), "NO_ASSET"),
    "cash": (lambda world: world.price(1 << 31, MARK), "NO_ASSET"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_forced_price_that_the_law_rejects_is_consumed_without_effect(case):
    make, code = WRONG[case]
    world = World()
    world.move_price(MARK)
    world.wait(1_000)
    price = make(world)
    before = world.state.instruments.tobytes(), world.state.underlyings.tobytes()
    assert world.apply(price) == Code[code]
    assert world.apply(world.forced_price(price)) == Code.APPLIED
    assert (world.state.instruments.tobytes(), world.state.underlyings.tobytes()) == before
    assert int(world.totals.inbox_count) == 1
    # The queue goes on.
    assert world.apply(world.forced_price(world.price(0, MARK + 10))) == Code.APPLIED
    assert int(world.state.instruments[0].mark_price) == MARK + 10


def test_an_option_takes_no_forced_price_either():
    world = OptionWorld()
    world.wait(1_000)
    before = world.state.instruments.tobytes()
    assert world.apply(world.forced_price(world.price(CALLS[0], MARK))) == Code.APPLIED
    assert world.state.instruments.tobytes() == before


def test_a_forced_price_out_of_its_turn_is_rejected():
    """CLR-INB-001."""
    world = World()
    world.wait(1_000)
    message = world.forced_price(world.price(0, MARK + 10))
    later = replace(message, message=replace(message.message, index=1))
    assert world.apply(later) == Code.INBOX_ORDER
    assert int(world.state.instruments[0].mark_price) == MARK


def test_a_halted_law_takes_no_prices():
    world = World()
    world.wait(1_000)
    world.totals.status = Status.HALTED
    assert world.apply(world.forced_price(world.price(0, MARK + 10))) == Code.APPLIED
    assert int(world.state.instruments[0].mark_price) == MARK
    assert int(world.totals.inbox_count) == 1


def test_with_forced_prices_whoever_fails_is_liquidated_though_the_operator_sends_none():
    world = World()
    alice, bob = world.trader("alice", 3 * MARK), world.trader("bob")
    keeper = world.trader("keeper")
    assert world.apply(world.trade(alice, bob, 50)) == Code.APPLIED
    world.wait(STALE_MS)
    liquidation = {"asset": 0, "other": alice.account}
    world.apply(world.forced(InboxKind.LIQUIDATE, keeper, 2, **liquidation))
    assert world.lots(keeper) == 0
    assert world.apply(world.forced_price(world.price(0, MARK * 96 // 100))) == Code.APPLIED
    world.wait(int(world.state.params[0].restart_grace_ms))
    world.apply(world.forced(InboxKind.LIQUIDATE, keeper, 2, **liquidation))
    assert world.lots(keeper) == 2


def test_with_forced_prices_a_forced_withdrawal_pays_though_the_operator_sends_none():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    world.wait(STALE_MS)
    world.apply(world.forced(InboxKind.WITHDRAW, alice, 5))
    assert int(world.totals.withdrawal_count) == 0
    world.apply(world.forced_price(world.price(0, MARK)))
    world.apply(world.forced(InboxKind.WITHDRAW, alice, 5))
    assert int(world.totals.withdrawal_count) == 1


def test_a_step_takes_as_many_forced_prices_as_it_may_recover_signatures_of():
    """CLR-ACT-003."""
    world = World()
    world.wait(1_000)
    full = world.price(0, MARK, publishers=(*PUBLISHERS, *("x" * i for i in range(1, 14))))
    full = replace(full, observations=full.observations[:16])
    fitting = STEP_RECOVERIES // 16
    messages = [world.forced_price(full) for _ in range(fitting + 1)]
    numbered = [
        replace(one, message=replace(one.message, index=i)) for i, one in enumerate(messages)
    ]
    codes = world.step(numbered)
    assert codes == [Code.APPLIED] * fitting + [Code.STEP_FULL]
    assert int(world.totals.inbox_count) == fitting
