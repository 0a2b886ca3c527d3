"""Options in reads: their mark is the centre of their active row, and no price is made up."""

from typing import Any

import numpy as np
import pytest

from clearing.codes import Code, InstrumentStatus, Mode, Side
from clearing.layout import new_rows
from node.account_risk import risk_message
from node.explain import explain
from node.margin_calls import Market, Measures, measure_moved
from node.markets import instrument_message
from node.v1 import node_pb2 as pb
from novatio.cli.instrument import record_of
from tests.support.options import CALLS, FUTURE, PERPETUAL, PUTS, OptionWorld
from tests.support.world import MARK

EXTRA = 1_000_000
AT_THE_MONEY = CALLS[1]


@pytest.fixture
def world():
    """Rows of all options are active; Alice is long ten calls at the money, Bob short."""
    made: Any = OptionWorld(price_jump_ppm=1_000_000, price_band_ppm=100_000)
    made.wait(1_000)
    made.publish_rows(extra=EXTRA)
    made.alice, made.bob = made.trader("alice"), made.trader("bob")
    trade = made.trade(made.alice, made.bob, 10, EXTRA, Side.BUY, AT_THE_MONEY)
    assert made.apply(trade) == Code.APPLIED
    return made


def test_a_watch_sees_an_option_at_its_row_and_notes_when_the_row_moves(world):
    markets: Any = new_rows(Market, 8)
    rows = world.state.accounts.shape[0]
    measures = Measures(*(np.zeros(rows, np.int64) for _ in range(4)))

    def look():
        measure_moved(
            world.state, np.zeros(rows, np.int64), np.zeros(1, np.int64), markets, measures
        )
        return [(int(one.mark_before), int(one.mark), int(one.moved)) for one in markets]

    assert look()[AT_THE_MONEY] == (0, EXTRA, 1)
    assert look()[AT_THE_MONEY] == (EXTRA, EXTRA, 0)
    world.wait(1_000)
    world.publish_rows(extra=EXTRA + 700)
    assert look()[AT_THE_MONEY] == (EXTRA, EXTRA + 700, 1)
    assert look()[PERPETUAL] == (MARK, MARK, 0)


def test_a_trade_far_from_an_options_mark_is_explained_by_its_row_and_the_index(world):
    far = EXTRA + MARK // 10 + 10
    action = world.trade(world.alice, world.bob, 1, far, instrument=AT_THE_MONEY)
    code = world.apply(action)
    columns = world.columns([action])
    sentence, operands = explain(world.state, columns.actions[0], code, action.encode())
    assert code == Code.PRICE_BAND
    assert operands == {
        "price_micro": str(far),
        "mark_micro": str(EXTRA),
        "index_micro": str(MARK),
        "band_ppm": "100000",
    }
    assert f"100000 ppm of the index {MARK} from the mark {EXTRA}" in sentence


def test_an_option_without_a_fresh_row_is_explained_by_the_time_of_its_row(world):
    rows_from = int(world.series.active_time)
    world.wait(10**9)
    action = world.trade(world.alice, world.bob, 1, EXTRA, instrument=AT_THE_MONEY)
    code = world.apply(action)
    assert code == Code.PRICE_STALE
    columns = world.columns([action])
    _, operands = explain(world.state, columns.actions[0], code, action.encode())
    assert (operands["mark_price"], operands["price_time_ms"]) == (str(EXTRA), str(rows_from))


def absences(world, trader):
    return {
        entry.instrument: pb.NoLiquidationPrice.Name(entry.absence).removeprefix(
            "NO_LIQUIDATION_PRICE_"
        )
        for entry in risk_message(world.state, trader.account).liquidation_prices
        if not entry.HasField("price_micro")
    }


def test_an_option_has_no_liquidation_price_even_when_its_account_fails(world):
    assert absences(world, world.bob) == {AT_THE_MONEY: "OPTION"}
    row = world.account(world.bob)
    row.cash -= 970_000_000
    margin = risk_message(world.state, world.bob.account).margin_ratio_ppm
    assert margin < 1_000_000
    assert absences(world, world.bob) == {AT_THE_MONEY: "OPTION"}


def test_a_perpetual_beside_options_of_its_underlying_has_none_either(world):
    assert world.apply(world.trade(world.alice, world.bob, 5)) == Code.APPLIED
    assert absences(world, world.alice) == {PERPETUAL: "TIED", AT_THE_MONEY: "OPTION"}


def test_a_portfolio_of_two_linear_positions_has_none_and_of_one_it_has(world):
    carol = world.trader("carol", 30_000_000)
    world.account(carol).mode = Mode.PORTFOLIO
    assert world.apply(world.trade(carol, world.bob, 2)) == Code.APPLIED
    assert absences(world, carol) == {}
    opened = world.trade(carol, world.bob, 1, instrument=FUTURE, side=Side.SELL)
    assert world.apply(opened) == Code.APPLIED
    assert absences(world, carol) == {PERPETUAL: "PORTFOLIO", FUTURE: "PORTFOLIO"}


def test_what_settles_has_a_price_that_no_mark_moves(world):
    carol = world.trader("carol", 20_000_000)
    assert world.apply(world.trade(carol, world.bob, 2, instrument=FUTURE)) == Code.APPLIED
    assert absences(world, carol) == {}
    market = world.instrument(FUTURE)
    market.status, market.settle_price = InstrumentStatus.SETTLING, MARK
    assert absences(world, carol) == {FUTURE: "SETTLING"}


def test_a_position_that_its_market_cannot_fail_is_safe():
    made = OptionWorld()
    alice, bob = made.trader("alice"), made.trader("bob")
    assert made.apply(made.trade(alice, bob, 5)) == Code.APPLIED
    assert absences(made, alice) == {PERPETUAL: "SAFE"}


def test_an_option_that_its_row_says_is_worth_nothing_has_a_mark_of_zero(world):
    for id in (CALLS[2], PUTS[0]):
        world.instrument(id).rows[world.series.active_number % 2].values[:] = 0
        record = record_of(instrument_message(world.state, id))
        assert (record["mark"], record["mark_price_micro"]) == ("0", 0)
    fresh = OptionWorld()
    assert record_of(instrument_message(fresh.state, CALLS[0]))["mark"] is None
