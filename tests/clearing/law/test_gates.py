"""Gates: how fast value leaves, the freeze, and how long a gate may hold anybody up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import gates
from clearing.codes import Code, InboxKind
from clearing.compiler import checked
from clearing.genesis import GenesisAsset
from clearing.units import AMOUNT_MAX, GATE_PASS_MS, PPM
from tests.support.world import DEPOSIT, World

PERIOD_MS = 86_400_000
FREEZE_MS = 3_600_000
TENTH = 100_000
BITCOIN = GenesisAsset(haircut_ppm=100_000, initial_haircut_ppm=0, cap=1 << 60, scale=1 << 60)


def gated_world(**changes):
    """Alice and Bob hold a position; a tenth of what is locked may leave in a day."""
    world = World(gate_ppm=TENTH, gate_minimum=0, gate_period_ms=PERIOD_MS, **changes)
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    # The deposits themselves have been added to the capacity: let it fall back to its baseline.
    world.wait(PERIOD_MS)
    assert world.apply(world.price(0, 50_000_000)) == Code.APPLIED
    assert capacity(world) == 2 * DEPOSIT // 10
    return world, alice, bob


def freeze(world, ends_in_ms=FREEZE_MS):
    world.totals.freeze_until = world.time + ends_in_ms


def capacity(world):
    """What the rate limit lets out now."""
    with checked():
        return int(gates.capacity_now(world.state))


def paid(world):
    rows = world.state.withdrawals[: world.totals.withdrawal_count]
    return [int(row.amount) for row in rows]


def test_what_leaves_uses_the_capacity_up_and_no_more_may_leave_clr_gat_002():
    world, alice, bob = gated_world()
    tenth = 2 * DEPOSIT // 10
    assert world.apply(world.withdraw(alice, tenth + 1)) == Code.RATE_LIMIT
    assert world.apply(world.withdraw(alice, tenth)) == Code.APPLIED
    assert world.apply(world.withdraw(bob, 1)) == Code.RATE_LIMIT
    assert (world.totals.gate_capacity, world.totals.gate_time) == (0, world.time)


def test_what_leaves_counts_at_its_price_up_to_a_whole_micro_quote():
    world = World(assets=(BITCOIN,))
    world.price_asset(1, 1_500_000)
    with checked():
        # One and a half micro-quote a unit.
        assert [gates.value_of(world.state, 1, units) for units in (0, 1, 2)] == [0, 2, 3]


def test_time_fills_the_capacity_up_again_clr_gat_002():
    world, alice, _ = gated_world()
    tenth = 2 * DEPOSIT // 10
    assert world.apply(world.withdraw(alice, tenth)) == Code.APPLIED
    world.wait(PERIOD_MS // 2)
    assert world.apply(world.price(0, 50_000_000)) == Code.APPLIED
    # A tenth of what is left in custody, half of it in half a period.
    half = (2 * DEPOSIT - tenth) // 10 // 2
    assert world.apply(world.withdraw(alice, half + 1)) == Code.RATE_LIMIT
    assert world.apply(world.withdraw(alice, half)) == Code.APPLIED


def test_what_comes_in_may_leave_again():
    world, alice, bob = gated_world()
    assert world.apply(world.withdraw(alice, 2 * DEPOSIT // 10)) == Code.APPLIED
    assert world.apply(world.deposit(bob, 70)) == Code.APPLIED
    assert world.apply(world.withdraw(alice, 71)) == Code.RATE_LIMIT
    assert world.apply(world.withdraw(alice, 70)) == Code.APPLIED


def test_an_account_without_positions_is_never_gated_but_counts():
    world, alice, _ = gated_world()
    carol = world.trader("carol", 2 * DEPOSIT)
    freeze(world)
    assert world.apply(world.withdraw(carol, 2 * DEPOSIT)) == Code.APPLIED
    assert capacity(world) == 2 * DEPOSIT // 10
    dora = world.trader("dora", 5)
    assert world.apply(world.transfer(alice, dora, DEPOSIT // 2)) == Code.APPLIED
    assert world.apply(world.withdraw(dora, DEPOSIT // 2)) == Code.APPLIED
    assert capacity(world) == 0


def test_nobody_with_positions_leaves_during_a_freeze_clr_gat_001():
    world, alice, _ = gated_world()
    freeze(world, 10)
    assert world.apply(world.withdraw(alice, 1)) == Code.GATED
    world.wait(9)
    assert world.apply(world.withdraw(alice, 1)) == Code.GATED
    world.wait(1)
    assert world.apply(world.withdraw(alice, 1)) == Code.APPLIED


def test_margin_is_judged_before_the_freeze_and_the_freeze_before_the_limit():
    world, alice, _ = gated_world()
    freeze(world)
    assert world.apply(world.withdraw(alice, AMOUNT_MAX)) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, DEPOSIT // 2)) == Code.GATED


def test_transfers_are_not_gated():
    world, alice, bob = gated_world()
    freeze(world)
    assert world.apply(world.transfer(alice, bob, DEPOSIT // 2)) == Code.APPLIED


def test_assets_count_at_their_price():
    world = World(gate_ppm=TENTH, gate_minimum=0, assets=(BITCOIN,))
    world.price_asset(1, 3_000_000)
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.deposit(alice, DEPOSIT, asset=1)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    world.wait(PERIOD_MS)
    world.price_asset(1, 3_000_000)
    assert world.apply(world.price(0, 50_000_000)) == Code.APPLIED
    tenth = (2 + 3) * DEPOSIT // 10
    assert capacity(world) == tenth
    assert world.apply(world.withdraw(alice, tenth // 3 + 1, asset=1)) == Code.RATE_LIMIT
    assert world.apply(world.withdraw(alice, tenth // 3, asset=1)) == Code.APPLIED
    assert capacity(world) <= 2


# Forced withdrawals


def test_a_forced_withdrawal_pays_what_the_limit_lets_out():
    world, alice, _ = gated_world()
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, DEPOSIT // 2)) == Code.APPLIED
    assert paid(world) == [2 * DEPOSIT // 10]
    assert world.account(alice).not_before == world.time + FREEZE_MS


def test_a_gate_holds_a_forced_withdrawal_up_once_and_for_no_longer_than_a_freeze():
    world, alice, _ = gated_world()
    freeze(world, 100 * FREEZE_MS)
    message = (InboxKind.WITHDRAW, alice, DEPOSIT // 2)
    assert world.apply(world.forced(*message)) == Code.APPLIED
    begun = world.time
    world.wait(FREEZE_MS - 1)
    assert world.apply(world.price(0, 50_000_000)) == Code.APPLIED
    assert world.apply(world.forced(*message)) == Code.APPLIED
    assert paid(world) == []
    assert world.account(alice).not_before == begun + FREEZE_MS
    world.wait(1)
    assert world.apply(world.withdraw(alice, 1)) == Code.GATED
    assert world.apply(world.forced(*message)) == Code.APPLIED
    assert paid(world) == [DEPOSIT // 2]
    assert world.account(alice).not_before == 0


def test_a_pass_is_void_when_nobody_came_for_so_long_that_it_would_serve_for_another_freeze():
    world, alice, _ = gated_world()
    freeze(world)
    message = (InboxKind.WITHDRAW, alice, DEPOSIT // 2)
    assert world.apply(world.forced(*message)) == Code.APPLIED
    world.wait(FREEZE_MS + GATE_PASS_MS + 1)
    freeze(world)
    assert world.apply(world.price(0, 50_000_000)) == Code.APPLIED
    assert world.apply(world.forced(*message)) == Code.APPLIED
    assert paid(world) == []
    assert world.account(alice).not_before == world.time + FREEZE_MS


def test_a_forced_withdrawal_that_no_gate_holds_up_ends_the_wait():
    world, alice, _ = gated_world()
    freeze(world, 10)
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 5)) == Code.APPLIED
    assert world.account(alice).not_before > 0
    world.wait(10)
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 5)) == Code.APPLIED
    assert (paid(world), world.account(alice).not_before) == ([5], 0)


def test_what_margin_holds_up_gets_no_pass():
    world, alice, bob = gated_world()
    freeze(world)
    kept = 50_000_000 // 10
    assert world.apply(world.transfer(alice, bob, DEPOSIT - kept)) == Code.APPLIED
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 5)) == Code.APPLIED
    assert (paid(world), world.account(alice).not_before) == ([], 0)


def test_a_forced_withdrawal_that_margin_forbids_ends_no_wait():
    world, alice, bob = gated_world()
    freeze(world)
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 5)) == Code.APPLIED
    begun = int(world.account(alice).not_before)
    assert begun == world.time + FREEZE_MS
    # A tenth of two hundred marks is all that she has.
    assert world.apply(world.trade(alice, bob, 199)) == Code.APPLIED
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 5)) == Code.APPLIED
    assert (paid(world), world.account(alice).not_before) == ([], begun)


@pytest.mark.parametrize("price", [0, 1, 3, 10**6, 1 << 48])
def test_units_worth_a_value_are_worth_no_more(price):
    world = World(assets=(BITCOIN,))
    world.price_asset(1, price)
    for value in (0, 1, 10**6 + 1, (1 << 61) - 1):
        with checked():
            units = gates.units_worth(world.state, 1, value)
        if price:
            assert units == min(value * 10**6 // price, 1 << 62)
        else:
            assert units == 1 << 62


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["in", "out", "wait"]),
            st.integers(1, DEPOSIT),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_accounts_with_positions_take_no_more_in_a_day_than_its_tenth_and_what_came_in(script):
    world, alice, bob = gated_world()
    begun, allowed, took = world.time, 2 * DEPOSIT // 10, 0
    for act, number in script:
        if act == "wait":
            world.wait(number % (PERIOD_MS // 16))
            assert world.apply(world.price(0, 50_000_000, time=world.time + 1)) == Code.APPLIED
        elif act == "in":
            assert world.apply(world.deposit(bob, number)) == Code.APPLIED
            allowed += number
        elif world.apply(world.withdraw(alice, number)) == Code.APPLIED:
            took += number
    elapsed = world.time - begun
    refilled = (2 * DEPOSIT + allowed) * TENTH // PPM * elapsed // PERIOD_MS
    assert took <= allowed + refilled
