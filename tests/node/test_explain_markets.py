"""Whoever is rejected about prices, rows or expiry learns what was expected and what it was."""

import pytest

from clearing.codes import Code, Kind
from clearing.genesis import GenesisAsset
from node.explain import explain
from tests.clearing.law.test_grids import TIMELOCK, GridWorld
from tests.support.options import CALLS, FUTURE, OptionWorld
from tests.support.world import MARK

ASSET_PRICE = (1 << 31) + 1


def explained(world, action):
    """(code, sentence, operands) of a rejected action."""
    columns = world.columns([action])
    code = world.apply(action)
    return code, *explain(world.state, columns.actions[0], code, action.encode())


@pytest.fixture
def world():
    asset = GenesisAsset(50_000, 0, 10**12, 10**12)
    made = OptionWorld(assets=(asset,))
    made.wait(1_000)
    return made


@pytest.mark.parametrize(
    ("make", "code", "operand", "value"),
    [
        (lambda w: w.price(CALLS[0], MARK), Code.INSTRUMENT_STATUS, "kind", "3"),
        (lambda w: w.price(ASSET_PRICE, 7, 7, time=0), Code.PRICE_TIME, "price_time_ms", "0"),
        (lambda w: w.price(0, 2 * MARK), Code.PRICE_JUMP, "mark_micro", str(MARK)),
        (lambda w: w.row_action(w.rows(), series=3), Code.NO_SERIES, None, None),
        (lambda w: w.row_action(w.rows(), time=1), Code.ROW_TIME, "time_ms", "1"),
        (lambda w: w.row_action(w.rows()[::-1]), Code.ROW_ORDER, "staged_call", "-1"),
        (lambda w: w.row_action(w.rows(), price=MARK // 2), Code.ROW_BOUND, None, None),
        (
            lambda w: w.row_action(w.rows(), forward=2 * MARK),
            Code.ROW_BOUND,
            "carry_ppm",
            "300000",
        ),
        (lambda w: w.activation(time=1), Code.ROW_TIME, "staged_time", "0"),
        (lambda w: w.request(Kind.EXPIRE, instrument=FUTURE), Code.NOT_EXPIRED, "expiry_ms", None),
        (lambda w: w.funding(FUTURE), Code.INSTRUMENT_STATUS, "status", "0"),
        (
            lambda w: w.published(Kind.UNCROSS, instrument=0, price=MARK, time=w.time),
            Code.INSTRUMENT_STATUS,
            "status",
            "0",
        ),
    ],
)
def test_a_rejection_names_what_it_was_judged_by(world, make, code, operand, value):
    found, sentence, operands = explained(world, make(world))
    assert found == code
    assert sentence
    if operand is not None:
        assert operand in operands
        assert value is None or operands[operand] == value


def test_rows_whose_carry_jumps_are_told_what_the_active_set_was_computed_with(world):
    world.publish_rows()
    world.wait(1_000)
    action = world.row_action(world.rows(), forward=MARK + 50_003)
    found, sentence, operands = explained(world, action)
    assert found == Code.ROW_JUMP
    assert "smaller moves" in sentence
    assert operands["active_forward"] == str(MARK)
    assert operands["forward"] == str(MARK + 50_003)


def test_who_enacts_a_grid_too_early_learns_what_it_waits_for():
    world = GridWorld()
    enact = world.request(Kind.ENACT_GRID, underlying=0)
    found, _, operands = explained(world, enact)
    assert found == Code.TIMELOCK
    assert operands["next_time_ms"] == str(int(world.underlying.next_time))
    world.wait(TIMELOCK)
    found, sentence, operands = explained(world, enact)
    assert found == Code.ROW_INCOMPLETE
    assert operands == {"series": "0", "oldest_ms": str(world.time)}
    assert "stage them" in sentence


def test_a_shock_beyond_its_bounds_is_told_so(world):
    fields = {"underlying": 0, "first": 0, "rest": 0, "time": world.time}
    action = world.published(Kind.SCENARIOS, [1 << 62], **fields)
    found, sentence, operands = explained(world, action)
    assert (found, operands) == (Code.ROW_BOUND, {})
    assert "shock" in sentence


def test_what_waits_for_rows_or_for_a_price_says_for_what(world):
    world.stage(world.rows()[:4])
    found, sentence, operands = explained(world, world.activation())
    assert (found, operands) == (Code.ROW_INCOMPLETE, {"staged": "4", "options": "6"})
    assert "4 of the 6" in sentence
    world.time = int(world.instrument(FUTURE).expiry)
    found, sentence, operands = explained(world, world.request(Kind.EXPIRE, instrument=FUTURE))
    assert found == Code.SETTLEMENT_WINDOW
    assert operands["reference"] == "0"


def test_a_flat_account_is_told_that_it_holds_nothing(world):
    trader = world.trader("flat")
    action = world.request(Kind.MARK_TO_MARKET, account=trader.account)
    found, sentence, _ = explained(world, action)
    assert found == Code.NO_POSITION
    assert f"account {trader.account}" in sentence
