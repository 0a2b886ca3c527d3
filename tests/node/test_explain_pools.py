"""Rejections of pools' actions come with their operands."""

from clearing.codes import Code, Side
from clearing.layout import pieces_of
from node.explain import explain
from tests.support.pools import PAID_IN, PoolWorld
from tests.support.world import DEPOSIT, START_MS


def explained(world, action):
    """(code, sentence, operands) of an action that the law rejects."""
    columns = world.columns([action])
    (code,) = world.judge([action])
    row = columns.actions[0]
    assert pieces_of(columns.actions).shape[0] == 1
    return code, *explain(world.state, row, code, action.encode())


def test_a_pool_that_does_not_exist_is_named():
    world = PoolWorld()
    code, sentence, operands = explained(world, world.pool_deposit(world.polly, 1, pool=3))
    assert code == Code.NO_POOL
    assert operands == {"pool": "3", "pool_count": "1"}
    assert "pool 3 does not exist" in sentence


def test_a_cap_comes_with_what_the_pool_has():
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    code, sentence, operands = explained(world, world.pool_trade(alice, 161))
    assert code == Code.POOL_CAP
    assert operands["equity_micro"] == str(PAID_IN)
    assert operands["reserve_ppm"] == "800000"
    assert "reserves 800000 ppm" in sentence


def test_a_lock_comes_with_its_end():
    world = PoolWorld()
    code, sentence, operands = explained(world, world.pool_withdraw(world.polly, 7))
    assert code == Code.POOL_LOCKED
    assert operands["shares"] == "7"
    assert operands["shares_held"] == str(1_000 * PAID_IN)
    assert operands["unlock_time_ms"] == str(START_MS + 3_600_000)
    assert "locked until" in sentence


def test_a_limit_is_named_in_its_unit():
    world = PoolWorld()
    alice = world.trader("alice")
    code, _, operands = explained(world, world.pool_trade(alice, 1, Side.SELL, limit=1 << 40))
    assert (code, operands) == (Code.SLIPPAGE, {"limit_micro": str(1 << 40)})
    code, _, operands = explained(world, world.pool_deposit(alice, 1, limit=1 << 40))
    assert (code, operands) == (Code.SLIPPAGE, {"limit": str(1 << 40)})
