"""A step: the clock, the budget, the accumulator, totality, and what a halted law still does."""

from dataclasses import replace

import numpy as np
import pytest

from clearing import step
from clearing.codes import Code, Status
from clearing.codes import Fund as FundId
from clearing.genesis import GenesisInstrument
from clearing.keccak import to_bytes
from clearing.messages import Funding, action_hash, sequenced_accumulator, sequenced_root
from clearing.step import ACCOUNT_WORDS, INSTRUMENT_WORDS, OPTION_WORDS, UNDERLYING_WORDS
from clearing.units import (
    ACTIONS_PER_STEP,
    LOTS_MAX,
    POSITIONS_MAX,
    STEP_CELLS,
    STEP_RECOVERIES,
    STEP_WORDS,
)
from tests.support.world import MARK, START_MS, World

MARKET = INSTRUMENT_WORDS + OPTION_WORDS  # of the market that an action names
HELD = 1 + INSTRUMENT_WORDS  # a position in a perpetual, and its market


@pytest.fixture
def market():
    world = World()
    return world, world.trader("alice"), world.trader("bob")


def test_the_clock_follows_the_step_and_never_runs_backwards(market):
    world, _, _ = market
    world.time = START_MS + 7
    world.step([])
    assert world.totals.clock == START_MS + 7
    world.time = START_MS + 6
    world.step([])
    assert world.totals.clock == START_MS + 7


def test_an_order_expires_by_the_clock_and_not_by_the_step_clr_act_009(market):
    world, alice, bob = market
    trade = world.trade(alice, bob, taker=world.order(bob, expiry=START_MS + 5))
    world.time = START_MS + 6
    world.step([])
    world.time = START_MS
    assert world.apply(trade) == Code.EXPIRED


@pytest.mark.parametrize("kind", [0, 62, 63, 64, 128, 255])
def test_a_kind_that_this_law_does_not_run_is_rejected_clr_act_002(market, kind):
    world, _, _ = market
    assert world.apply(bytes([kind]) + bytes(40)) == Code.UNKNOWN_KIND


@pytest.mark.parametrize("data", [b"", b"\x07", b"\x07" + bytes(5), b"\x04", bytes([255]) * 2_049])
def test_bytes_that_are_no_action_are_rejected_clr_act_001(market, data):
    world, _, _ = market
    assert world.apply(data) == Code.MALFORMED


def test_an_unknown_kind_is_named_before_anything_else_clr_act_002(market):
    world, _, _ = market
    world.totals.status = Status.HALTED
    assert world.apply(bytes([200]), starved=True) == Code.UNKNOWN_KIND
    assert world.apply(b"\x04", starved=True) == Code.MALFORMED


def test_actions_of_a_step_see_each_others_effects_in_order(market):
    world, alice, bob = market
    carol = world.trader("carol", 1)
    actions = [
        world.withdraw(carol, 2),
        world.deposit(carol, 1),
        world.withdraw(carol, 2),
        world.trade(alice, bob, 3),
        world.transfer(bob, carol, 5),
        b"",
    ]
    assert world.step(actions) == [
        Code.TRANSFER_MARGIN,
        Code.APPLIED,
        Code.APPLIED,
        Code.APPLIED,
        Code.APPLIED,
        Code.MALFORMED,
    ]
    assert world.account(carol).cash == 5


def test_the_accumulator_binds_all_actions_but_the_inbox_whatever_their_outcome(market):
    world, alice, bob = market
    count, before = int(world.totals.sequenced_count), to_bytes(world.totals.sequenced_accumulator)
    actions = [world.trade(alice, bob), world.deposit(alice, 1), b"nonsense", world.cancel(bob, 9)]
    world.step(actions)
    hashes = [action_hash(a if type(a) is bytes else a.encode()) for a in actions]
    del hashes[1]
    assert world.totals.sequenced_count == count + 3
    expected = sequenced_accumulator(before, sequenced_root(hashes))
    assert to_bytes(world.totals.sequenced_accumulator) == expected


def test_a_step_of_inbox_messages_alone_leaves_the_accumulator(market):
    world, alice, _ = market
    before = to_bytes(world.totals.sequenced_accumulator)
    world.step([world.deposit(alice, 1)])
    world.step([])
    assert to_bytes(world.totals.sequenced_accumulator) == before


def touched(world):
    scratch = world.state.scratch[0]
    return (
        set(world.state.touched_accounts[: scratch.touched_accounts].tolist()),
        set(world.state.touched_instruments[: scratch.touched_instruments].tolist()),
        {
            int(world.state.pages[row].account)
            for row in world.state.touched_pages[: scratch.touched_pages]
        },
        scratch.touched_funds > 0,
    )


def test_a_step_names_what_it_touched(market):
    world, alice, bob = market
    world.step([world.trade(alice, bob, instrument=1, maker_fee=1)])
    assert touched(world) == ({0, 1}, {1}, {0, 1}, True)
    world.step([world.cancel(alice, 1), world.withdraw(bob, 10**12)])
    assert touched(world) == ({0}, set(), set(), False)
    world.step([world.cancel(alice, 10**6, 3)])
    assert touched(world) == ({0}, set(), {0}, False)
    world.wait(1_000)
    world.step([world.price(2, MARK)])
    assert touched(world) == (set(), {2}, set(), False)
    carol = replace(bob, name="carol", account=2)
    world.step([world.deposit(carol, 1)])
    assert touched(world) == ({2}, set(), set(), False)


def budget(world):
    scratch = world.state.scratch[0]
    return (
        STEP_WORDS - int(scratch.words_left),
        STEP_CELLS - int(scratch.cells_left),
        STEP_RECOVERIES - int(scratch.recoveries_left),
    )


def test_the_budget_is_charged_by_names_whatever_the_outcome(market):
    world, alice, bob = market
    trade = world.trade(alice, bob)
    world.step([trade])
    assert budget(world) == (2 * ACCOUNT_WORDS + MARKET, 2, 2)
    # Each now has a page and a position.
    world.step([trade])
    assert budget(world) == (2 * (ACCOUNT_WORDS + 1 + HELD) + MARKET, 4, 2)
    world.step([b"", bytes([200])])
    assert budget(world) == (0, 0, 0)
    world.step([world.price(0, MARK), Funding(0)])
    assert budget(world) == (2 * (MARKET + UNDERLYING_WORDS), 0, 3)
    world.step([world.cancel(alice, 1), world.withdraw(bob, 1)])
    assert budget(world) == (2 * (ACCOUNT_WORDS + 1 + HELD + MARKET), 4, 2)
    stranger = replace(alice, account=99)
    world.step([world.transfer(alice, stranger, 1)])
    assert budget(world) == (ACCOUNT_WORDS + 1 + HELD + ACCOUNT_WORDS + MARKET, 3, 1)


def test_a_step_without_room_rejects_what_does_not_fit_and_takes_what_does_clr_act_003():
    count = POSITIONS_MAX
    market = GenesisInstrument("M", 0, 10, 1, LOTS_MAX, LOTS_MAX)
    world = World(prices=(MARK,) * count, instruments=(market,) * count, rooms=(8, 256, 8))
    alice, bob = world.trader("alice", 1 << 40), world.trader("bob", 1 << 40)
    for instrument in range(count):
        for maker, slot in ((alice, 16 * (instrument % 16)), (bob, 16 * (instrument % 16))):
            order = world.order(maker, slot=slot)
            other = bob if maker is alice else alice
            taker = world.order(other, slot=slot)
            trade = world.trade(
                maker, other, 2 - (maker is bob), instrument=instrument, maker=order, taker=taker
            )
            assert world.apply(trade) == Code.APPLIED
    # The largest trade there can be: two accounts full of positions and pages.
    words = 2 * (ACCOUNT_WORDS + 16 + HELD * 32) + MARKET
    fitting = STEP_WORDS // words
    assert 1 < fitting < ACTIONS_PER_STEP
    trades = [world.trade(alice, bob) for _ in range(fitting + 1)]
    assert world.step(trades) == [*[Code.APPLIED] * fitting, Code.STEP_FULL]
    assert world.apply(trades[-1]) == Code.APPLIED


def test_recoveries_are_budgeted_too_clr_act_003():
    names = tuple(f"publisher {i}" for i in range(16))
    keys = World(prices=(0, 0, 0)).genesis.publishers
    assert len(keys) < len(names)
    world = World(prices=(0, 0, 0))
    full = [world.price(0, MARK, publishers=names) for _ in range(5)]
    codes = world.step(full)
    assert codes == [Code.PUBLISHER] * 4 + [Code.STEP_FULL]


def test_a_step_takes_eight_actions_of_the_widest_kind(market):
    world, alice, bob = market
    trades = [
        world.trade(
            alice,
            bob,
            maker=world.order(alice, slot=16 * i),
            taker=world.order(bob, slot=16 * i),
        )
        for i in range(ACTIONS_PER_STEP)
    ]
    assert world.step(trades) == [Code.APPLIED] * ACTIONS_PER_STEP
    assert world.state.scratch[0].page_count == 2 * ACTIONS_PER_STEP


def break_the_fee_fund(world):
    """Fill the fee fund to the brim, so that the next fee leaves 64 bits."""
    world.state.funds[FundId.FEES].balance = (1 << 63) - 1
    world.check_conservation = lambda: None


def test_an_overflow_undoes_its_action_and_halts_the_law_clr_act_005(market):
    world, alice, bob = market
    break_the_fee_fund(world)
    before = world.image()
    assert world.apply(world.trade(alice, bob, maker_fee=1)) == Code.INVARIANT
    assert world.totals.status == Status.HALTED
    world.totals.status = Status.ACTIVE
    assert world.image() == before


def test_a_broken_invariant_undoes_its_action_and_halts_the_law_clr_act_005(market):
    world, alice, bob = market
    # Open interest that the accounts do not add up to: closing would take it below zero.
    assert world.apply(world.trade(alice, bob, 3)) == Code.APPLIED
    world.instrument().open_interest = 2
    world.check_conservation = lambda: None
    before = world.image()
    assert world.apply(world.trade(bob, alice, 3)) == Code.INVARIANT
    assert world.totals.status == Status.HALTED
    world.totals.status = Status.ACTIVE
    assert world.image() == before


def test_after_a_halt_the_rest_of_the_step_goes_on_with_exits_alone_clr_act_004(market):
    world, alice, bob = market
    break_the_fee_fund(world)
    actions = [
        world.trade(alice, bob),
        world.trade(alice, bob, maker_fee=1),
        world.deposit(alice, 5),
        world.withdraw(bob, 7),
        world.trade(alice, bob),
        world.cancel(alice, 10**6),
        world.transfer(alice, bob, 1),
        Funding(0),
    ]
    assert world.step(actions) == [
        Code.APPLIED,
        Code.INVARIANT,
        Code.APPLIED,
        Code.APPLIED,
        *[Code.HALTED] * 4,
    ]
    assert world.totals.sequenced_count >= len(actions) - 1


def test_independent_actions_commute():
    images = []
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        world = World()
        alice, bob, carol, dave = (world.trader(n) for n in ("alice", "bob", "carol", "dave"))
        actions = [
            world.trade(alice, bob, 3),
            world.trade(carol, dave, 5, instrument=1),
            world.cancel(dave, 1),
        ]
        assert world.step([actions[i] for i in order]) == [Code.APPLIED] * 3
        rows = world.state.accounts[:4].copy()
        # Which row of the node's memory a page stands in is no part of the state.
        rows["page_rows"] = rows["page_rows"] >= 0
        images.append((rows.tobytes(), world.state.instruments.tobytes()))
    assert images[0] == images[1] == images[2]


def test_a_replay_of_the_same_steps_gives_the_same_bytes():
    images = []
    for _ in range(2):
        world = World()
        alice, bob = world.trader("alice"), world.trader("bob")
        for lots in (3, 10**6, 5):
            world.step([world.trade(alice, bob, lots), world.withdraw(bob, lots)])
        images.append(b"".join(np.ascontiguousarray(part).tobytes() for part in world.state))
    assert images[0] == images[1]


def test_a_part_of_the_actions_runs_alone(market):
    world, alice, bob = market
    columns = world.columns([world.trade(alice, bob, lots) for lots in (1, 2, 4)])
    codes = np.full(3, -1, np.int64)
    step.transition(world.state, columns, 1, 2, world.time, codes)
    assert codes.tolist() == [-1, 0, -1]
    assert world.lots(alice) == 2
