"""Inbox: messages are consumed in order, credited if possible, and sent home otherwise."""

from dataclasses import replace

import pytest

from clearing.codes import Code, InboxKind, Kind, Side, Status
from clearing.genesis import GenesisAsset
from clearing.keccak import to_bytes
from clearing.layout import pieces_of
from clearing.messages import inbox_accumulator
from clearing.units import (
    ACCOUNTS_DEPTH,
    AMOUNT_MAX,
    COLLATERALS_MAX,
    CUSTODY_MAX,
    LOTS_MAX,
    SHARES_BASE,
    VALUE_MAX,
)
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, Trader, World, address_of


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


def test_a_first_deposit_leaves_nothing_of_what_stood_in_the_accounts_row():
    # A batch that was rolled back leaves the rows of accounts that it opened as they were.
    clean, used = World(), World()
    pieces_of(used.state.accounts)[0] = 7
    for world in (clean, used):
        world.trader("alice", 500, subaccount=3)
    assert used.state.accounts[0].tobytes() == clean.state.accounts[0].tobytes()


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


BITCOIN = GenesisAsset(haircut_ppm=100_000, initial_haircut_ppm=50_000, cap=10_000, scale=10_000)
PRICE = 40_000_000_000  # micro-quote per 10^6 units: 40 cents a unit, so to say


def asset_world(**changes):
    world = World(assets=(BITCOIN, replace(BITCOIN, cap=1 << 60)), **changes)
    world.price_asset(1, PRICE)
    return world


def test_a_deposit_of_an_asset_is_held_beside_cash():
    world = asset_world()
    alice = world.trader("alice", 500)
    assert world.apply(world.deposit(alice, 70, asset=1)) == Code.APPLIED
    assert (world.units(alice, 1), world.account(alice).cash) == (70, 500)
    assert (world.state.assets[1].held, world.state.assets[1].custody) == (70, 70)
    assert world.totals.custody == 500
    assert world.apply(world.deposit(alice, 30, asset=1)) == Code.APPLIED
    assert (world.units(alice, 1), world.account(alice).collateral_count) == (100, 1)


def test_a_first_deposit_may_be_of_an_asset():
    world = asset_world()
    alice = Trader("alice", 0)
    assert world.apply(world.deposit(alice, 70, asset=1)) == Code.APPLIED
    assert (world.units(alice, 1), world.totals.account_count) == (70, 1)


def test_assets_stand_in_their_order_whatever_came_first():
    world = asset_world()
    world.price_asset(2, 1)
    alice = world.trader("alice", 500)
    for asset in (2, 1):
        assert world.apply(world.deposit(alice, 70 + asset, asset=asset)) == Code.APPLIED
    held = world.account(alice).collaterals[:3].tolist()
    assert [entry[:2] for entry in held] == [(1, 71), (2, 72), (0, 0)]


@pytest.mark.parametrize(("amount", "credited"), [(10_000, True), (10_001, False)])
def test_the_house_takes_no_more_of_an_asset_than_its_cap(amount, credited):
    world = asset_world()
    alice, bob = world.trader("alice", 500), world.trader("bob", 500)
    assert world.apply(world.deposit(bob, 1, asset=1)) == Code.APPLIED
    assert world.apply(world.deposit(alice, amount - 1, asset=1)) == Code.APPLIED
    assert world.units(alice, 1) == (amount - 1 if credited else 0)
    assert withdrawals(world) == (
        [] if credited else [(0, 1, amount - 1, alice.account, alice.address)]
    )


def withdraw_only(world):
    world.state.assets[1].status = 1


def unpriced(world):
    world.state.assets[1].price = 0


def entries_full(world):
    row = world.account(Trader("alice", 0))
    row.collateral_count = COLLATERALS_MAX
    for place in range(COLLATERALS_MAX):
        row.collaterals[place].asset = SHARES_BASE + place
    world.check_conservation = lambda: None


def dear(world):
    world.state.assets[1].price = VALUE_MAX * 10**6 // 70 + 10**6


@pytest.mark.parametrize("change", [withdraw_only, unpriced, entries_full, dear])
def test_an_asset_that_an_account_cannot_hold_is_sent_home(change):
    world = asset_world()
    alice = world.trader("alice", 500)
    change(world)
    assert world.apply(world.deposit(alice, 70, asset=1)) == Code.APPLIED
    assert world.units(alice, 1) == 0
    assert withdrawals(world) == [(0, 1, 70, alice.account, alice.address)]


# Forced messages


def test_a_forced_withdrawal_pays_what_was_asked_for():
    world = World()
    alice = world.trader("alice", 500)
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 200)) == Code.APPLIED
    assert (world.account(alice).cash, world.totals.custody) == (300, 300)
    assert world.account(alice).request_sequence == 0
    assert withdrawals(world) == [(0, 0, 200, alice.account, alice.address)]


def test_a_forced_withdrawal_of_more_than_there_is_pays_what_there_is():
    world = World()
    alice = world.trader("alice", 500)
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, AMOUNT_MAX)) == Code.APPLIED
    assert world.account(alice).cash == 0
    assert withdrawals(world) == [(0, 0, 500, alice.account, alice.address)]
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, AMOUNT_MAX)) == Code.APPLIED
    assert len(withdrawals(world)) == 1


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_forced_withdrawal_leaves_the_margin_of_positions(side):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 10, side=side)) == Code.APPLIED
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, AMOUNT_MAX)) == Code.APPLIED
    kept = 10 * MARK // 10  # ten per cent of the notional
    assert withdrawals(world) == [(0, 0, DEPOSIT - kept, alice.account, alice.address)]
    assert world.apply(world.withdraw(alice, 1)) == Code.TRANSFER_MARGIN


def test_a_forced_withdrawal_at_a_stale_mark_pays_nothing():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    world.wait(world.params.price_stale_margin_ms + 1)
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 5)) == Code.APPLIED
    assert (withdrawals(world), world.totals.inbox_count) == ([], 3)


def test_a_forced_withdrawal_of_an_asset_pays_that_asset():
    world = asset_world()
    alice = world.trader("alice", 500)
    assert world.apply(world.deposit(alice, 70, asset=1)) == Code.APPLIED
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 100, asset=1)) == Code.APPLIED
    assert (world.units(alice, 1), world.account(alice).collateral_count) == (0, 0)
    assert withdrawals(world) == [(0, 1, 70, alice.account, alice.address)]


def test_a_forced_withdrawal_pays_the_cash_that_is_there_and_none_on_the_credit_of_collateral():
    world = asset_world()
    alice, _ = world.trader("alice", 500), world.trader("bob")
    assert world.apply(world.deposit(alice, 1_000, asset=1)) == Code.APPLIED
    # Equity is 36 million above the cash, and custody holds bob's deposit.
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, AMOUNT_MAX)) == Code.APPLIED
    assert withdrawals(world) == [(0, 0, 500, alice.account, alice.address)]
    assert (world.account(alice).cash, world.units(alice, 1)) == (0, 1_000)


def test_a_forced_withdrawal_of_an_asset_leaves_the_margin_of_positions():
    world = asset_world()
    alice, bob = world.trader("alice", MARK), world.trader("bob")
    assert world.apply(world.deposit(alice, 1_000, asset=1)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, 12)) == Code.APPLIED
    # Ten per cent of the notional are 60e6; cash is 50e6, and each unit counts for 36e3.
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 1_000, asset=1)) == Code.APPLIED
    assert world.units(alice, 1) == 278
    assert world.apply(world.withdraw(alice, 1, asset=1)) == Code.TRANSFER_MARGIN
    assert withdrawals(world) == [(0, 1, 722, alice.account, alice.address)]


@pytest.mark.parametrize("kind", [*InboxKind, 0, 255])
@pytest.mark.parametrize("fault", ["stranger", "unknown account"])
def test_a_forced_message_of_whoever_does_not_own_the_account_does_nothing(kind, fault):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    if kind in (InboxKind.DEPOSIT, InboxKind.PRICE):
        return
    mallory = Trader("mallory", alice.account if fault == "stranger" else 9)
    before = world.state.accounts.tobytes(), world.state.instruments.tobytes()
    assert world.apply(world.forced(kind, mallory, 5)) == Code.APPLIED
    assert (world.state.accounts.tobytes(), world.state.instruments.tobytes()) == before
    assert (withdrawals(world), world.totals.inbox_count) == ([], 3)


@pytest.mark.parametrize("kind", [0, 7, 255])
def test_a_message_of_no_kind_that_the_law_knows_is_consumed_without_effect(kind):
    world = World()
    alice = world.trader("alice", 500)
    assert world.apply(world.forced(kind, alice, 5)) == Code.APPLIED
    assert (world.account(alice).cash, withdrawals(world)) == (500, [])
    assert world.totals.inbox_count == 2


def test_a_forced_cancel_kills_every_order_up_to_its_sequence():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    trade = world.trade(alice, bob)
    message = world.forced(InboxKind.CANCEL_ALL, alice, trade.maker.sequence)
    assert world.apply(message) == Code.APPLIED
    assert world.apply(trade) == Code.ORDER_DEAD
    assert world.apply(world.forced(InboxKind.CANCEL_ALL, alice, 1)) == Code.APPLIED
    assert world.account(alice).order_floor == trade.maker.sequence
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED


def failing_world():
    """Alice is long fifty lots and fails; the keeper is rich."""
    world = World()
    alice, bob = world.trader("alice", 3 * MARK), world.trader("bob")
    keeper = world.trader("keeper")
    assert world.apply(world.trade(alice, bob, 50)) == Code.APPLIED
    world.move_price(MARK * 96 // 100)
    return world, alice, keeper


def test_a_forced_liquidation_does_what_a_keepers_does():
    forced, alice, keeper = failing_world()
    message = forced.forced(InboxKind.LIQUIDATE, keeper, LOTS_MAX, other=alice.account)
    assert forced.apply(message) == Code.APPLIED
    signed, _, _ = failing_world()
    assert signed.apply(signed.liquidate(keeper, alice)) == Code.APPLIED
    for trader in (alice, keeper):
        assert forced.lots(trader) == signed.lots(trader)
        assert forced.account(trader).cash == signed.account(trader).cash
    assert forced.account(keeper).request_sequence == 0


def test_a_forced_liquidation_takes_no_more_lots_than_it_asks_for():
    world, alice, keeper = failing_world()
    assert world.apply(world.forced(InboxKind.LIQUIDATE, keeper, 2, other=0)) == Code.APPLIED
    assert (world.lots(alice), world.lots(keeper)) == (48, 2)


@pytest.mark.parametrize(("asset", "other"), [(0, 1), (0, 2), (0, 77), (1, 0), (99, 0)])
def test_a_forced_liquidation_that_the_law_rejects_is_consumed_without_effect(asset, other):
    world, alice, keeper = failing_world()
    message = world.forced(InboxKind.LIQUIDATE, keeper, 2, asset=asset, other=other)
    assert world.apply(message) == Code.APPLIED
    assert (world.lots(alice), world.lots(keeper), world.totals.inbox_count) == (50, 0, 4)


@pytest.mark.parametrize(
    "kind", [InboxKind.CANCEL_ALL, InboxKind.CLOSE_POSITION, InboxKind.LIQUIDATE]
)
def test_in_a_halted_law_only_withdrawals_have_an_effect(kind):
    world, alice, keeper = failing_world()
    world.totals.status = Status.HALTED
    before = world.state.accounts.tobytes()
    sender = keeper if kind == InboxKind.LIQUIDATE else alice
    assert world.apply(world.forced(kind, sender, 2)) == Code.APPLIED
    assert world.state.accounts.tobytes() == before
    assert world.apply(world.forced(InboxKind.WITHDRAW, keeper, 2)) == Code.APPLIED
    assert withdrawals(world) == [(0, 0, 2, keeper.account, keeper.address)]


def test_the_key_in_an_owners_place_forces_messages_and_the_owner_does_not():
    world = World()
    alice = world.trader("alice", 500)
    rotate = world.request(
        Kind.ROTATE_KEY,
        alice.key,
        account=alice.account,
        key=int.from_bytes(address_of("alice's new key"), "big"),
    )
    assert world.apply(rotate) == Code.APPLIED
    assert world.apply(world.forced(InboxKind.WITHDRAW, alice, 5)) == Code.APPLIED
    assert withdrawals(world) == []
    heir = Trader("alice's new key", alice.account)
    assert world.apply(world.forced(InboxKind.WITHDRAW, heir, 5)) == Code.APPLIED
    assert withdrawals(world) == [(0, 0, 5, alice.account, heir.address)]


def test_an_account_that_opens_where_a_rolled_back_one_was_inherits_nothing():
    clean, used = World(), World()
    pieces_of(used.state.accounts)[:] = 7
    opened = [world.trader("alice").account for world in (clean, used)]
    assert opened == [0, 0]
    assert clean.state.accounts[:1].tobytes() == used.state.accounts[:1].tobytes()
