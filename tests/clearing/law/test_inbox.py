"""Inbox: messages are consumed in order, credited if possible, and sent home otherwise."""

import pytest

from clearing.codes import Code, Status
from clearing.keccak import to_bytes
from clearing.messages import inbox_accumulator
from clearing.units import ACCOUNTS_DEPTH, AMOUNT_MAX, CUSTODY_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import Trader, World, address_of


class Deposit(Case):
    """Alice's first deposit, out of turn if so told."""

    def prepare(self):
        self.changes = {}

    def action(self):
        return self.world.deposit(Trader("alice", 0), 500, **self.changes)


FAULTS = {
    Code.MALFORMED: COMMON[Code.MALFORMED],
    Code.STEP_FULL: COMMON[Code.STEP_FULL],
    Code.INBOX_ORDER: lambda case: case.changes.update(index=1),
}


def fault(*codes):
    return outcome(Deposit, FAULTS, *codes)


def withdrawals(world):
    rows = world.state.withdrawals[: world.totals.withdrawal_count]
    return [
        (int(w.index), int(w.asset), int(w.amount), int(w.account), to_bytes(w.recipient)[12:])
        for w in rows
    ]


def test_a_first_deposit_opens_the_next_account():
    world = World()
    alice = world.trader("alice", 500, subaccount=3)
    row = world.account(alice)
    assert (row.id, row.cash, row.subaccount) == (0, 500, 3)
    assert to_bytes(row.owner) == bytes(12) + address_of("alice")
    assert (world.totals.account_count, world.totals.custody) == (1, 500)
    assert (row.page_rows == -1).all()


def test_a_second_deposit_adds_to_the_account():
    world = World()
    alice = world.trader("alice", 500)
    assert world.apply(world.deposit(alice, 70)) == Code.APPLIED
    assert world.account(alice).cash == 570
    assert world.totals.account_count == 1


def test_a_message_out_of_order_is_rejected_clr_inb_001():
    assert fault(Code.INBOX_ORDER) == Code.INBOX_ORDER


def test_a_message_cannot_be_consumed_twice_clr_inb_001():
    world = World()
    message = world.deposit(Trader("alice", 0), 500)
    assert world.apply(message) == Code.APPLIED
    assert world.apply(message) == Code.INBOX_ORDER


def test_a_message_of_an_unlike_length_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_a_message_that_the_step_has_no_room_for_stays_in_the_queue_clr_act_003():
    assert fault(Code.STEP_FULL) == Code.STEP_FULL


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_deposits_are_taken_in_a_halted_law():
    world = World()
    world.totals.status = Status.HALTED
    assert world.apply(world.deposit(Trader("alice", 0), 500)) == Code.APPLIED


def test_the_accumulator_binds_every_message_in_order():
    world = World()
    accumulator = bytes(32)
    assert to_bytes(world.totals.inbox_accumulator) == accumulator
    for name, amount in [("alice", 5), ("bob", 6)]:
        action = world.deposit(Trader(name, int(world.totals.account_count)), amount)
        assert world.apply(action) == Code.APPLIED
        accumulator = inbox_accumulator(accumulator, action.message.message_hash())
        assert to_bytes(world.totals.inbox_accumulator) == accumulator
    assert world.totals.inbox_count == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"asset": 1},
        {"kind": 2},
        {"kind": 255},
        {"account": 2},
        {"account": 1 << 62},
        {"owner": address_of("mallory")},
        {"subaccount": 1},
    ],
)
def test_what_cannot_be_credited_is_consumed_and_sent_home(changes):
    world = World()
    alice = world.trader("alice", 500)
    message = world.deposit(alice, 70, **changes)
    assert world.apply(message) == Code.APPLIED
    assert world.account(alice).cash == 500
    assert (world.totals.account_count, world.totals.inbox_count) == (1, 2)
    sent = message.message
    assert withdrawals(world) == [(0, sent.asset, 70, sent.account, sent.owner)]
    assert world.totals.custody == 500


def test_a_first_deposit_that_is_sent_home_still_spends_its_account_id():
    world = World()
    first, second = Trader("alice", 0), Trader("bob", 1)
    assert world.apply(world.deposit(first, 70, asset=9)) == Code.APPLIED
    assert world.apply(world.deposit(second, 30)) == Code.APPLIED
    assert (world.account(first).cash, world.account(second).cash) == (0, 30)
    assert world.totals.account_count == 2
    assert len(withdrawals(world)) == 1


def test_an_account_that_the_tree_has_no_leaf_for_is_not_opened():
    world = World()
    last = 4**ACCOUNTS_DEPTH
    before = world.state.accounts.tobytes()
    world.totals.account_count = last
    assert world.judge([world.deposit(Trader("alice", last), 70)]) == [Code.APPLIED]
    assert world.totals.account_count == last
    assert world.state.accounts.tobytes() == before
    assert withdrawals(world) == [(0, 0, 70, last, address_of("alice"))]


@pytest.mark.parametrize(("amount", "credited"), [(AMOUNT_MAX - 500, True), (AMOUNT_MAX, False)])
def test_cash_beyond_its_bound_is_sent_home(amount, credited):
    world = World()
    alice = world.trader("alice", 500)
    assert world.apply(world.deposit(alice, amount)) == Code.APPLIED
    assert world.account(alice).cash == (500 + amount if credited else 500)
    assert len(withdrawals(world)) == (0 if credited else 1)


def test_no_number_of_deposits_carries_custody_beyond_its_bound():
    world = World()
    for i in range(5):
        deposit = world.deposit(Trader(f"whale {i}", i), AMOUNT_MAX)
        assert world.apply(deposit) == Code.APPLIED
    assert world.totals.custody == CUSTODY_MAX == 2 * AMOUNT_MAX
    assert world.totals.status == Status.ACTIVE
    assert (world.totals.account_count, len(withdrawals(world))) == (5, 3)
