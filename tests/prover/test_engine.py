"""The engine's roots, steps, growth and rollback."""

import copy
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, Status, Tag
from clearing.keccak import tagged_hash, to_bytes
from clearing.messages import action_hash, sequenced_accumulator, sequenced_root, step_hash
from clearing.units import ACTIONS_PER_STEP
from prover.engine import Engine
from tests.prover.market import START_MS, Market, columns_of
from verifier.multiproof import dense_root
from verifier.witness_leaves import (
    ACCOUNT,
    ASSET,
    FUND,
    INSTRUMENT,
    PARAMS,
    POOL,
    UNDERLYING,
    WITHDRAWAL,
    leaf_bytes,
)


def small_engine(market, **capacity):
    return Engine(market.genesis, **({"accounts_capacity": 4} | capacity))


def plain_root(engine):
    """The state root of docs/protocol.md, section 3, from the leaves alone."""

    def tree(depth, tag, kind, count):
        leaves = leaf_bytes(engine.state, kind, range(int(count)))
        return dense_root(depth, [tagged_hash(tag, leaf) for leaf in leaves])

    totals = engine.totals
    withdrawals = tree(20, Tag.WITHDRAWAL, WITHDRAWAL, totals.withdrawal_count)
    assert to_bytes(totals.withdrawals_root) == withdrawals
    return tagged_hash(
        Tag.STATE,
        tagged_hash(Tag.GLOBALS, engine.opening().globals_leaf)
        + tree(12, Tag.ACCOUNT, ACCOUNT, totals.account_count)
        + tree(5, Tag.INSTRUMENT, INSTRUMENT, totals.instrument_count)
        + tree(3, Tag.UNDERLYING, UNDERLYING, totals.underlying_count)
        + tree(3, Tag.ASSET, ASSET, totals.asset_count)
        + tree(3, Tag.FUND, FUND, totals.fund_count)
        + tree(3, Tag.POOL, POOL, totals.pool_count)
        + bytes(32)
        + tagged_hash(Tag.PARAMS, leaf_bytes(engine.state, PARAMS, [0])[0]),
    )


def run(engine, actions, time=START_MS):
    return engine.advance(columns_of(engine, actions), time)


def snapshot(engine):
    """Everything that must be as before after a rollback."""
    totals = engine.totals
    state = engine.state
    return (
        engine.root(),
        state.accounts[: totals.account_count].tobytes(),
        state.pages[: state.scratch[0].page_count].tobytes(),
        state.instruments[: totals.instrument_count].tobytes(),
        state.funds.tobytes(),
        state.globals.tobytes(),
        state.withdrawals[: totals.withdrawal_count].tobytes(),
    )


def test_the_genesis_root_is_that_of_its_leaves():
    engine = small_engine(Market())
    assert engine.root() == plain_root(engine) == engine.opening().state_root()


def test_every_action_of_an_opening_is_applied():
    market = Market()
    engine = small_engine(market)
    actions = [*market.opening(), market.trade(0, 1), market.withdraw(2), market.transfer(2, 3)]
    steps = run(engine, actions)
    assert steps.codes.tolist() == [Code.APPLIED] * len(actions)
    assert engine.root() == plain_root(engine) == to_bytes(steps.post_roots[-1])


def test_a_step_holds_at_most_eight_actions_and_hashes_them():
    market = Market()
    engine = small_engine(market)
    actions = [market.deposit(i) for i in range(19)]
    steps = run(engine, actions)
    assert np.diff(steps.firsts).tolist() == [8, 8, 3]
    hashes = [action_hash(action) for action in actions]
    assert to_bytes(steps.step_hashes[1]) == step_hash(START_MS, hashes[8:16])


def test_sequenced_actions_are_folded_in_step_by_step():
    market = Market()
    engine = small_engine(market)
    run(engine, market.opening())
    count, accumulator = int(engine.totals.sequenced_count), engine.totals.sequenced_accumulator
    before = to_bytes(accumulator)
    actions = [market.trade(0, 1), market.deposit(0), b"\xff"]
    run(engine, actions)
    hashes = [action_hash(actions[0]), action_hash(actions[2])]
    assert engine.totals.sequenced_count == count + 2
    assert to_bytes(engine.totals.sequenced_accumulator) == sequenced_accumulator(
        before, sequenced_root(hashes)
    )


def test_the_budget_closes_a_step_before_it_is_full():
    market = Market(instruments=32)
    engine = Engine(market.genesis, accounts_capacity=16)
    run(engine, market.opening(accounts=16))
    for maker in range(0, 16, 2):
        run(engine, [market.trade(maker, maker + 1, m, 1) for m in range(32)])
    steps = run(engine, [market.trade(i, i + 1, 0, 1) for i in range(0, 16, 2)])
    assert steps.codes.tolist() == [Code.APPLIED] * 8
    assert max(np.diff(steps.firsts)) < ACTIONS_PER_STEP


def test_arrays_grow_before_they_are_needed():
    market = Market()
    engine, roomy = small_engine(market), Engine(market.genesis, accounts_capacity=512)
    actions = [market.deposit(i) for i in range(100)]
    actions += [market.deposit(0, owner=b"\x01" * 20) for _ in range(300)]
    assert run(engine, actions).codes.tolist() == run(roomy, actions).codes.tolist()
    assert engine.totals.account_count == 100
    assert engine.totals.withdrawal_count == 300
    assert engine.root() == roomy.root() == plain_root(engine)


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_after_random_actions_the_root_is_that_of_the_leaves_and_of_a_replay(seed):
    market, chance = Market(), random.Random(seed)
    engine, other = small_engine(market), small_engine(market)
    actions = market.opening() + [market.anything(chance, 6) for _ in range(40)]
    columns = columns_of(engine, actions)
    steps = engine.advance(columns, START_MS + 10)
    assert engine.root() == plain_root(engine)
    replayed = other.replay(
        columns, np.full(len(steps.firsts) - 1, START_MS + 10), steps.firsts.copy()
    )
    assert replayed.codes.tolist() == steps.codes.tolist()
    assert replayed.post_roots.tolist() == steps.post_roots.tolist()
    assert replayed.step_hashes.tolist() == steps.step_hashes.tolist()


def test_steps_replayed_one_by_one_reach_the_same_roots():
    market = Market()
    engine, other = small_engine(market), small_engine(market)
    columns = columns_of(engine, [*market.opening(), market.trade(0, 1), market.trade(1, 2)])
    steps = engine.advance(columns, START_MS)
    for index in range(len(steps.firsts) - 1):
        first, stop = int(steps.firsts[index]), int(steps.firsts[index + 1])
        codes, root = other.replay_step(columns, START_MS, first, stop - first)
        assert codes.tolist() == steps.codes[first:stop].tolist()
        assert root == to_bytes(steps.post_roots[index])


def test_an_empty_step_moves_the_clock_alone():
    market = Market()
    engine = small_engine(market)
    columns = columns_of(engine, [])
    engine.replay_step(columns, START_MS + 5, 0, 0)
    assert engine.totals.clock == START_MS + 5
    assert engine.root() == plain_root(engine)


def test_a_rejected_action_changes_nothing_but_the_sequence():
    market = Market()
    engine = small_engine(market)
    run(engine, market.opening())
    accounts = engine.opening().sub_root("accounts")
    steps = run(engine, [market.trade(0, 1, signers=(3, 1))])
    assert steps.codes.tolist() == [Code.BAD_SIGNATURE]
    assert engine.opening().sub_root("accounts") == accounts


def test_an_overflow_undoes_its_action_halts_the_law_and_the_run_goes_on():
    market = Market()
    engine = small_engine(market)
    run(engine, market.opening())

    def near_the_edge(state):
        state.globals[0].cash_total = 2**63 - 10

    engine.edit(near_the_edge)
    cash = int(engine.state.accounts[0].cash)
    steps = run(engine, [market.trade(1, 2), market.deposit(0), market.trade(1, 2)])
    assert steps.codes.tolist() == [Code.APPLIED, Code.INVARIANT, Code.HALTED]
    assert engine.totals.status == Status.HALTED
    assert engine.state.accounts[0].cash == cash
    assert engine.root() == plain_root(engine)


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_rolling_back_restores_every_byte_and_checkpoints_stack(seed):
    market, chance = Market(), random.Random(seed)
    engine = small_engine(market)
    run(engine, market.opening() + [market.anything(chance, 6) for _ in range(20)])
    known, points = [], []
    for _ in range(3):
        actions = [market.anything(chance, 6) for _ in range(12)]
        actions.append(market.deposit(int(engine.totals.account_count)))
        columns = columns_of(engine, actions)
        known.append(snapshot(engine))
        points.append(engine.checkpoint(columns))
        engine.advance(columns, START_MS + 10)
    back = chance.randrange(3)
    engine.rollback(points[back])
    assert snapshot(engine) == known[back]
    assert engine.root() == plain_root(engine)
    with pytest.raises(ValueError, match="live checkpoints"):
        engine.rollback(points[back])


def test_a_released_checkpoint_takes_the_earlier_ones_with_it():
    market = Market()
    engine = small_engine(market)
    points = []
    for i in range(3):
        columns = columns_of(engine, [market.deposit(i)])
        points.append(engine.checkpoint(columns))
        engine.advance(columns, START_MS)
    engine.release(points[1])
    assert engine.checkpoints == [points[2]]
    engine.rollback(points[2])
    assert engine.totals.account_count == 2


def test_a_copy_of_an_engine_goes_the_way_of_the_original_and_leaves_it_alone():
    market = Market()
    engine = small_engine(market)
    run(engine, market.opening())
    before = snapshot(engine)
    copied = copy.deepcopy(engine)
    # A price reaches the leaf of its underlying, which is encoded through a view.
    actions = [market.price(0, 1_100), market.trade(0, 1)]
    run(copied, actions)
    assert copied.root() == plain_root(copied)
    assert snapshot(engine) == before
    run(engine, actions)
    assert engine.root() == copied.root()


def test_rebuilding_from_rows_gives_the_same_root():
    market = Market()
    engine = small_engine(market)
    actions = [*market.opening(accounts=100), market.trade(0, 1), market.withdraw(3)]
    actions += [market.deposit(0, owner=b"\x01" * 20) for _ in range(20)]
    run(engine, actions)
    root = engine.root()
    engine.rebuild()
    assert engine.root() == root == plain_root(engine)
