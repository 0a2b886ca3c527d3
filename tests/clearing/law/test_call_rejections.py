"""Orders and fills of a call that are rejected, and the order in which they are judged."""

from itertools import combinations

import pytest

from clearing.calls import close_call
from clearing.codes import Code, InstrumentStatus, Kind, Operation, Phase, Scope
from clearing.compiler import checked
from clearing.keccak import pieces
from clearing.units import LOTS_MAX, PRICE_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.calls import BUY, GAP, LOW, SELL, TOP, CallWorld, price_of
from tests.support.world import START_MS, address_of, key_of


def market(**values):
    def fault(case):
        for name, value in values.items():
            setattr(case.world.instrument(), name, value)

    return fault


class Ordering(Case):
    """Alice orders ten lots; carol may come to sign as her session key."""

    def prepare(self):
        self.call = CallWorld("alice", "bob")
        self.world = self.call.world
        self.row = self.call.entry("alice")
        self.changes = {"sequence": 1_000, "price": price_of(20)}
        self.signer = "alice"

    def action(self):
        fields = {"account": 0, "instrument": 0, "side": BUY, "lots": 10}
        return self.world.request(Kind.CALL_ORDER, key_of(self.signer), **fields | self.changes)


def by_key(case, **bounds):
    key = case.row.keys[0]
    if case.row.key_count == 0:
        case.row.key_count = 1
        key.address = pieces(bytes(12) + address_of("carol"))
        key.scope, key.limit, key.expiry = int(Scope.TRADE), 1 << 60, case.world.time * 2
        key.last_instrument = 1 << 20
    for name, value in bounds.items():
        key[name] = value
    if case.signer == "alice":
        case.signer = "carol"


def standing(case):
    case.row.call_instrument, case.row.call_lots = 1, 1
    case.row.call_until = case.world.time + 1


def poor(case):
    """Ten lots at level 20 need 28.75 and cost less than the mark."""
    taken = int(case.row.cash) - 10**7
    case.row.cash -= taken
    case.call.entry("bob").cash += taken


def forged(case):
    case.signer = "mallory"


ORDER_FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: lambda case: case.changes.update(account=99),
    Code.NO_INSTRUMENT: lambda case: case.changes.update(instrument=3),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.KEY_SCOPE: lambda case: by_key(case, scope=int(Scope.CANCEL)),
    Code.STALE_SEQUENCE: lambda case: setattr(case.row, "request_sequence", 1_000),
    Code.INSTRUMENT_STATUS: market(status=InstrumentStatus.ACTIVE),
    Code.AUCTION_CLOSED: market(auction_end=START_MS),
    Code.OPERATION_OPEN: market(operation=Operation.DELEVERAGE),
    Code.ORDER_STANDS: standing,
    Code.PRICE_STALE: market(price_time=START_MS - 60_001),
    Code.OFF_TICK: lambda case: case.changes.update(price=case.changes["price"] + 1),
    Code.PRICE_BAND: lambda case: case.changes.update(price=10 + case.changes["price"] % 10),
    Code.POSITION_CAP: market(position_cap=9),
    Code.OPEN_INTEREST_CAP: market(open_interest_cap=9),
    Code.MARGIN: poor,
    Code.KEY_CAP: lambda case: by_key(case, limit=10 * price_of(20) - 1),
}
ORDER_PRECEDENCE = list(ORDER_FAULTS)


@pytest.mark.parametrize("code", ORDER_PRECEDENCE)
def test_an_order_that_breaks_one_rule_is_rejected_with_its_code(code):
    assert outcome(Ordering, ORDER_FAULTS, code) == code


@pairs(ORDER_FAULTS, ORDER_PRECEDENCE)
def test_of_two_broken_rules_of_an_order_the_first_is_named(first, second):
    assert outcome(Ordering, ORDER_FAULTS, second, first) == first


def test_an_order_is_given_once_and_one_at_a_time_clr_auc_003():
    call = CallWorld("alice")
    order = call.order("alice", BUY, 1, level=20)
    assert call.world.apply(order) == Code.APPLIED
    assert call.world.apply(order) == Code.STALE_SEQUENCE
    assert call.world.apply(call.order("alice", SELL, 1, level=20)) == Code.ORDER_STANDS


@pytest.mark.parametrize(
    ("side", "price", "expected"),
    [
        (BUY, LOW - 10, Code.PRICE_BAND),
        (BUY, LOW, Code.APPLIED),
        (BUY, PRICE_MAX - 6, Code.APPLIED),
        (SELL, price_of(TOP) + 10, Code.PRICE_BAND),
        (SELL, price_of(TOP), Code.APPLIED),
        (SELL, 10, Code.APPLIED),
    ],
)
def test_an_order_that_reaches_no_level_is_refused_clr_trd_010(side, price, expected):
    call = CallWorld("alice")
    assert PRICE_MAX % 10 == 6
    assert call.world.apply(call.order("alice", side, 1, price)) == expected


def test_a_side_takes_no_more_than_could_be_opened_clr_trd_015():
    call = CallWorld("alice", "bob", "carol")
    call.market.open_interest_cap = 9
    call.enter(("alice", BUY, 9, 20))
    assert call.world.apply(call.order("bob", BUY, 1, level=20)) == Code.OPEN_INTEREST_CAP
    assert call.world.apply(call.order("bob", SELL, 10, level=20)) == Code.OPEN_INTEREST_CAP
    assert call.world.apply(call.order("bob", SELL, 9, level=20)) == Code.APPLIED


def test_no_side_of_a_book_holds_more_lots_than_a_market_may_have_clr_trd_015():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 1, 20))
    # Whatever a market's own cap is: the sums over a book's levels stay inside their width.
    call.market.open_interest_cap = 4 * LOTS_MAX
    call.market.rows[0].values[5] = LOTS_MAX - 2
    assert call.world.apply(call.order("bob", BUY, 2, level=20)) == Code.OPEN_INTEREST_CAP
    assert call.world.apply(call.order("bob", BUY, 1, level=20)) == Code.APPLIED


def test_an_owners_limit_binds_orders_of_a_call_clr_trd_016():
    call = CallWorld("alice", owner_limit=10 * GAP)
    assert call.world.apply(call.order("alice", BUY, 11, level=20)) == Code.OWNER_LIMIT
    assert call.world.apply(call.order("alice", BUY, 10, level=20)) == Code.APPLIED


def test_an_account_that_is_held_orders_nothing_that_grows_clr_trd_016():
    call = CallWorld("alice")
    call.entry("alice").hold_until = call.world.time + 1
    assert call.world.apply(call.order("alice", BUY, 1, level=20)) == Code.OWNER_LIMIT
    call.world.wait(1)
    assert call.world.apply(call.order("alice", BUY, 1, level=20)) == Code.APPLIED


def test_a_pools_market_has_no_call():
    call = CallWorld("alice")
    call.market.pool = 1
    assert call.world.apply(call.order("alice", BUY, 1, level=20)) == Code.INSTRUMENT_STATUS


class Filling(Case):
    """Alice bought and bob sold in a call that found its price."""

    def prepare(self):
        self.call = CallWorld("alice", "bob")
        self.world = self.call.world
        self.call.enter(("alice", BUY, 10, 20), ("bob", SELL, 10, 18))
        self.call.strike()
        self.row = self.call.entry("alice")
        self.changes = {}

    def action(self):
        fields = {"buyer": 0, "seller": 1, "instrument": 0}
        return self.world.request(Kind.CALL_FILL, **fields | self.changes)


def test_a_seller_is_filled_within_his_own_cap_clr_trd_014():
    call = CallWorld("alice", "bob", "carol")
    call.enter(("alice", BUY, 10, 20), ("carol", BUY, 5, 20), ("bob", SELL, 15, 18))
    call.strike()
    assert call.fill("carol", "bob") == Code.APPLIED
    # Alice buys the ten that she may have; for bob they come on top of five.
    call.market.position_cap = 14
    assert call.fill("alice", "bob") == Code.POSITION_CAP
    call.market.position_cap = 15
    assert call.fill("alice", "bob") == Code.APPLIED
    assert call.held("alice", "bob", "carol") == [10, -15, 5]


def test_a_new_order_has_none_of_the_fills_of_one_that_lapsed():
    call = CallWorld("alice")
    # Of a call that is over: its order binds no longer, and nobody cleared it.
    call.entry("alice").call_filled = 4
    call.enter(("alice", BUY, 5, 20))
    assert (call.entry("alice").call_lots, call.entry("alice").call_filled) == (5, 0)


def test_fills_take_a_market_to_its_own_cap_clr_trd_015():
    call = CallWorld("alice", "bob")
    call.enter(("alice", BUY, 10, 20), ("bob", SELL, 10, 18))
    call.strike()
    call.market.open_interest_cap = 9
    assert call.fill("alice", "bob") == Code.OPEN_INTEREST_CAP
    call.market.open_interest_cap = 10
    assert call.fill("alice", "bob") == Code.APPLIED
    assert call.market.open_interest == 10


def without_call(case):
    with checked():
        close_call(case.world.instrument())


def with_itself(case):
    case.call.entry("bob").owner = case.row.owner


FILL_FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: lambda case: case.changes.update(seller=99),
    Code.NO_INSTRUMENT: lambda case: case.changes.update(instrument=3),
    Code.NO_OPERATION: without_call,
    Code.OPERATION_PHASE: market(phase=Phase.TALLY),
    Code.AUCTION_CLOSED: lambda case: market(deadline=case.world.time)(case),
    Code.SELF_TRADE: with_itself,
    Code.ORDER_DEAD: lambda case: setattr(case.call.entry("bob"), "call_filled", 10),
    Code.INSTRUMENT_STATUS: market(status=InstrumentStatus.ACTIVE),
    Code.PRICE_STALE: market(price_time=START_MS - 60_001),
    Code.POSITION_CAP: market(position_cap=9),
    Code.OPEN_INTEREST_CAP: market(open_interest_cap=9),
    Code.MARGIN: poor,
}
FILL_PRECEDENCE = list(FILL_FAULTS)


@pytest.mark.parametrize("code", FILL_PRECEDENCE)
def test_a_fill_that_breaks_one_rule_is_rejected_with_its_code(code):
    assert outcome(Filling, FILL_FAULTS, code) == code


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pair
        for pair in combinations(FILL_PRECEDENCE, 2)
        # Without a call nothing else of it can be wrong.
        if Code.NO_OPERATION not in pair
    ],
)
def test_of_two_broken_rules_of_a_fill_the_first_is_named(first, second):
    assert outcome(Filling, FILL_FAULTS, second, first) == first
