"""Rejections of orders and fills of a call come with their operands."""

import pytest

from clearing.codes import Code, Kind, Side
from node.explain import explain
from tests.support.calls import AUCTION_MS, BUY, GAP, LOW, SELL, CallWorld, price_of


def explained(call, action):
    """(code, sentence, operands) of an action that the law rejects."""
    columns = call.world.columns([action])
    (code,) = call.world.judge([action])
    return code, *explain(call.world.state, columns.actions[0], code, action.encode())


def fill(call, buyer=0, seller=1):
    return call.world.request(Kind.CALL_FILL, buyer=buyer, seller=seller, instrument=0)


def test_an_order_that_stands_is_told():
    call = CallWorld("alice")
    call.enter(("alice", BUY, 3, 20))
    code, sentence, operands = explained(call, call.order("alice", BUY, 3, level=20))
    assert code == Code.ORDER_STANDS
    assert operands["account_0_lots"] == "3"
    assert sentence == (
        "account 0 has an order of 3 lots in the call over instrument 0, 0 filled, which binds it "
        f"until {call.market.deadline} ms"
    )


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, LOW - 10), (Side.SELL, price_of(32))])
def test_a_limit_beyond_the_book_comes_with_its_ends(side, price):
    call = CallWorld("alice")
    code, sentence, operands = explained(call, call.order("alice", side, 1, price))
    assert code == Code.PRICE_BAND
    assert operands["lowest_micro"] == str(LOW)
    assert f"at most {price_of(31)}" in sentence


def test_the_course_of_a_call_is_told():
    call = CallWorld("alice", "bob")
    code, sentence, _ = explained(call, fill(call))
    assert code == Code.NO_OPERATION
    assert "orders are taken while its auction lasts" in sentence
    call.enter(("alice", BUY, 3, 20), ("bob", SELL, 2, 20))
    code, sentence, _ = explained(call, fill(call))
    assert code == Code.OPERATION_PHASE
    assert f"takes orders until {call.market.auction_end} ms" in sentence
    call.strike()
    code, sentence, operands = explained(call, fill(call, 1, 0))
    assert code == Code.ORDER_DEAD
    assert operands["executed_lots"] == "2"
    assert "account 1 has an order of -2 lots" in sentence
    assert f"found the price {price_of(20)}: 0 of 2 lots are filled" in sentence
    code, sentence, operands = explained(call, call.order("alice", BUY, 1, level=20))
    assert (code, operands["filled_lots"]) == (Code.AUCTION_CLOSED, "0")
    fields = {"instrument": 0, "price": GAP, "time": call.world.time}
    code, sentence, _ = explained(call, call.world.published(Kind.UNCROSS, **fields))
    assert code == Code.OPERATION_OPEN
    assert "found the price" in sentence
    call.world.wait(AUCTION_MS)
    assert explained(call, fill(call))[0] == Code.AUCTION_CLOSED


def test_a_side_that_cannot_bear_its_fill_is_told():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 10, 20), ("bob", SELL, 10, 20))
    call.strike()
    row = call.entry("bob")
    row.cash -= 10**9 - 10**6
    call.entry("alice").cash += 10**9 - 10**6
    code, _, operands = explained(call, fill(call))
    assert code == Code.MARGIN
    assert operands["account_1_equity_micro"] == str(10**6)
