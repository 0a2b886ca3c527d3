"""Withdraw: cash leaves for the base layer as far as margin and custody allow."""

import pytest

from clearing.actions.withdraw import WITHDRAWALS_MAX
from clearing.codes import Code, Side, Status
from clearing.genesis import GenesisAsset
from clearing.keccak import to_bytes
from clearing.units import AMOUNT_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, START_MS, Trader, World


class Withdraw(Case):
    """Alice takes out a half."""

    def prepare(self):
        self.owner = self.signer = self.world.trader("alice")
        self.amount = DEPOSIT // 2
        self.changes = {"sequence": 7}

    def action(self):
        forged = Trader(self.signer.name, self.owner.account)
        return self.world.withdraw(forged, self.amount, **self.changes)


def missing(case):
    case.owner = Trader("alice", 99)


def forged(case):
    case.signer = Trader("mallory", 0)


def stale(case):
    case.world.account(Trader("alice", 0)).request_sequence = 7


def greedy(case):
    case.amount = DEPOSIT + 1


def unbacked(case):
    case.world.totals.custody = DEPOSIT // 2 - 1
    case.world.check_conservation = lambda: None


FAULTS = {
    Code.MALFORMED: COMMON[Code.MALFORMED],
    Code.STEP_FULL: COMMON[Code.STEP_FULL],
    Code.NO_ACCOUNT: missing,
    Code.NO_ASSET: lambda case: case.changes.update(asset=1),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
    Code.TRANSFER_MARGIN: greedy,
    Code.CASH_BOUND: unbacked,
}


def fault(*codes):
    return outcome(Withdraw, FAULTS, *codes)


def test_a_withdrawal_takes_cash_out_of_custody_and_leaves_a_claim():
    world = World()
    alice = world.trader("alice", 500)
    request = world.withdraw(alice, 200)
    assert world.apply(request) == Code.APPLIED
    assert world.account(alice).cash == 300
    assert world.account(alice).request_sequence == request.sequence
    assert world.totals.custody == 300
    claim = world.state.withdrawals[0]
    assert (claim.index, claim.asset, claim.amount, claim.account) == (0, 0, 200, 0)
    assert to_bytes(claim.recipient) == bytes(12) + alice.address
    assert world.apply(world.withdraw(alice, 300)) == Code.APPLIED
    assert world.totals.withdrawal_count == 2
    assert world.state.withdrawals[1].index == 1


def test_a_withdrawal_that_no_leaf_is_left_for_is_rejected_clr_mrg_003():
    world = World()
    alice = world.trader("alice")
    world.totals.withdrawal_count = WITHDRAWALS_MAX
    assert world.apply(world.withdraw(alice, 1)) == Code.CASH_BOUND


def test_a_withdrawal_with_a_byte_too_many_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_a_withdrawal_that_the_step_has_no_room_for_is_rejected_clr_act_003():
    assert fault(Code.STEP_FULL) == Code.STEP_FULL


def test_a_withdrawal_from_an_account_that_does_not_exist_is_rejected_clr_act_006():
    assert fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_a_withdrawal_of_another_asset_is_rejected_clr_act_008():
    assert fault(Code.NO_ASSET) == Code.NO_ASSET


def test_an_expired_withdrawal_is_rejected_clr_act_009():
    assert fault(Code.EXPIRED) == Code.EXPIRED


def test_a_withdrawal_is_alive_in_the_last_millisecond_of_its_expiry():
    world = World()
    alice = world.trader("alice")
    assert world.apply(world.withdraw(alice, 1, expiry=world.time)) == Code.APPLIED


def test_a_withdrawal_signed_by_a_stranger_is_rejected_clr_sig_001():
    assert fault(Code.BAD_SIGNATURE) == Code.BAD_SIGNATURE


def test_a_withdrawal_with_a_used_sequence_is_rejected_clr_sig_002():
    assert fault(Code.STALE_SEQUENCE) == Code.STALE_SEQUENCE


def test_a_withdrawal_cannot_be_replayed_clr_sig_002():
    world = World()
    alice = world.trader("alice")
    request = world.withdraw(alice, 1)
    assert world.apply(request) == Code.APPLIED
    assert world.apply(request) == Code.STALE_SEQUENCE


def test_a_withdrawal_of_more_than_there_is_is_rejected_clr_mrg_002():
    assert fault(Code.TRANSFER_MARGIN) == Code.TRANSFER_MARGIN


def test_a_withdrawal_that_custody_cannot_back_is_rejected_clr_mrg_003():
    assert fault(Code.CASH_BOUND) == Code.CASH_BOUND


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_withdrawals_run_in_a_halted_law():
    world = World()
    alice = world.trader("alice")
    world.totals.status = Status.HALTED
    assert world.apply(world.withdraw(alice, DEPOSIT)) == Code.APPLIED


def test_the_largest_amount_does_not_wrap():
    world = World()
    alice = world.trader("alice", AMOUNT_MAX)
    bob = world.trader("bob", 1)
    assert world.apply(world.withdraw(bob, AMOUNT_MAX)) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, AMOUNT_MAX)) == Code.APPLIED
    assert world.apply(world.withdraw(alice, AMOUNT_MAX)) == Code.TRANSFER_MARGIN
    assert world.totals.status == Status.ACTIVE


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize(
    ("instrument", "kept"),
    [
        # Ten lots at 50 each: 5 % initial is less than the 10 % of every transfer.
        (0, 10 * MARK // 10),
        # 20 % initial is more.
        (2, 10 * MARK // 5),
    ],
)
def test_what_stays_covers_initial_and_transfer_margin_clr_mrg_002(side, instrument, kept):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    trade = world.trade(alice, bob, 10, side=side, instrument=instrument)
    assert world.apply(trade) == Code.APPLIED
    too_much = world.withdraw(alice, DEPOSIT - kept + 1)
    assert world.apply(too_much) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, DEPOSIT - kept)) == Code.APPLIED


def test_profit_may_be_withdrawn_and_a_loss_may_not_clr_mrg_002():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 10)) == Code.APPLIED
    world.move_price(MARK * 11 // 10)
    gain, kept = MARK, 10 * (MARK * 11 // 10) // 10
    over = world.withdraw(alice, DEPOSIT + gain - kept + 1)
    assert world.apply(over) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, DEPOSIT + gain - kept)) == Code.APPLIED
    over = world.withdraw(bob, DEPOSIT - gain - kept + 1)
    assert world.apply(over) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(bob, DEPOSIT - gain - kept)) == Code.APPLIED


@pytest.mark.parametrize(
    ("age_ms", "expected"), [(0, Code.APPLIED), (1, Code.PRICE_STALE)], ids=["fresh", "stale"]
)
def test_nobody_leaves_a_position_at_a_stale_mark_clr_trd_005(age_ms, expected):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    world.wait(world.params.price_stale_margin_ms + age_ms)
    assert world.apply(world.withdraw(alice, 1)) == expected
    assert world.apply(world.transfer(bob, alice, 1)) == expected


def test_an_account_without_positions_leaves_whatever_the_marks_are():
    world = World()
    alice = world.trader("alice")
    world.wait(100 * world.params.price_stale_margin_ms)
    assert world.apply(world.withdraw(alice, DEPOSIT)) == Code.APPLIED


def test_collateral_leaves_as_a_claim_on_that_asset():
    asset = GenesisAsset(haircut_ppm=100_000, initial_haircut_ppm=0, cap=1 << 60, scale=1 << 60)
    world = World(assets=(asset, asset))
    world.price_asset(1, 10**6)
    alice = world.trader("alice", 500)
    assert world.apply(world.deposit(alice, 70, asset=1)) == Code.APPLIED
    assert world.apply(world.withdraw(alice, 71, asset=1)) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, 1, asset=2)) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, 1, asset=3)) == Code.NO_ASSET
    assert world.apply(world.withdraw(alice, 30, asset=1)) == Code.APPLIED
    assert (world.units(alice, 1), world.account(alice).cash) == (40, 500)
    claim = world.state.withdrawals[0]
    assert (claim.index, claim.asset, claim.amount, claim.account) == (0, 1, 30, 0)
    assert (world.state.assets[1].held, world.state.assets[1].custody) == (40, 40)


def test_cash_does_not_leave_on_the_credit_of_collateral_clr_mrg_002():
    asset = GenesisAsset(haircut_ppm=100_000, initial_haircut_ppm=0, cap=1 << 60, scale=1 << 60)
    world = World(assets=(asset,))
    world.price_asset(1, 10**6)
    alice, _ = world.trader("alice", 500), world.trader("bob", 500)
    assert world.apply(world.deposit(alice, 10**9, asset=1)) == Code.APPLIED
    assert world.apply(world.withdraw(alice, 501)) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, 500)) == Code.APPLIED
