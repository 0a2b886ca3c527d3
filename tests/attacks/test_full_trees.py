"""A tree that is full stops what would append to it, and nothing else: no stall, no lost proof."""

import pytest

from clearing.codes import Code, Status
from clearing.decode import pack
from clearing.units import AMOUNT_MAX
from tests.attacks.arena import Arena
from tests.support.world import DEPOSIT, World

FULL = 4**20


def full_world(left: int) -> World:
    """A world whose withdrawals tree has so many leaves left."""
    world = World()
    world.totals.withdrawal_count = FULL - left
    world.state.scratch[0].withdrawal_base = FULL - left
    return world


def test_the_last_withdrawal_leaf_is_used_and_the_next_withdrawal_is_rejected() -> None:
    world = full_world(left=1)
    alice = world.trader("alice")
    assert world.apply(world.withdraw(alice, 5)) == Code.APPLIED
    assert world.apply(world.withdraw(alice, 5)) == Code.CASH_BOUND
    assert world.totals.withdrawal_count == FULL
    assert world.totals.status == Status.ACTIVE


def test_trading_and_deposits_go_on_when_the_withdrawals_tree_is_full() -> None:
    world = full_world(left=0)
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    assert world.apply(world.deposit(alice, 7)) == Code.APPLIED
    assert world.account(bob).cash > DEPOSIT


def test_a_deposit_without_a_leaf_for_its_refund_cannot_block_the_inbox() -> None:
    world = full_world(left=0)
    alice = world.trader("alice")
    count = int(world.totals.inbox_count)
    assert world.apply(world.deposit(alice, AMOUNT_MAX)) == Code.APPLIED
    assert world.totals.inbox_count == count + 1
    assert world.totals.withdrawal_count == FULL
    assert world.account(alice).cash == DEPOSIT


def test_inbox_actions_out_of_order_near_the_last_account_do_not_stop_the_replica(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arena = Arena()
    engine = arena.engine
    kinds = engine.decode(*pack([arena.deposit(6)] * 8))
    # Whoever posts can always name more openings than there are leaves left.
    engine.totals.account_count = 4**12 - 3
    grown: list[int] = []
    monkeypatch.setattr(engine, "_reserve_accounts", grown.append)
    engine.reserve(kinds)
    assert grown == [4**12]
