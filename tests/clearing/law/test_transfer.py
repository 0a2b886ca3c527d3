"""Transfer: cash moves between two accounts by order of the sender's owner."""

import pytest

from clearing.codes import Code, Status
from clearing.genesis import GenesisAsset
from clearing.units import AMOUNT_MAX, SHARES_BASE, VALUE_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, START_MS, Trader, World


class Transfer(Case):
    """Alice sends a half to Bob."""

    def prepare(self):
        self.sender = self.signer = self.world.trader("alice")
        self.recipient = self.world.trader("bob")
        self.amount = DEPOSIT // 2
        self.changes = {"sequence": 7}

    def action(self):
        forged = Trader(self.signer.name, self.sender.account)
        return self.world.transfer(forged, self.recipient, self.amount, **self.changes)


def no_recipient(case):
    case.recipient = Trader("bob", 99)


def forged(case):
    case.signer = Trader("mallory", 0)


def stale(case):
    case.world.account(Trader("alice", 0)).request_sequence = 7


def to_self(case):
    case.recipient = case.sender


def greedy(case):
    case.amount = AMOUNT_MAX


def overflowing(case):
    case.world.account(Trader("bob", 1)).cash = AMOUNT_MAX
    case.world.account(Trader("alice", 0)).cash += DEPOSIT
    case.world.check_conservation = lambda: None


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: no_recipient,
    Code.NO_ASSET: lambda case: case.changes.update(asset=1),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
    Code.TRANSFER_MARGIN: greedy,
    Code.CASH_BOUND: overflowing,
}


def fault(*codes):
    return outcome(Transfer, FAULTS, *codes)


def test_a_transfer_moves_cash_and_nothing_else():
    world = World()
    alice, bob = world.trader("alice", 500), world.trader("bob", 30)
    request = world.transfer(alice, bob, 200)
    assert world.apply(request) == Code.APPLIED
    assert (world.account(alice).cash, world.account(bob).cash) == (300, 230)
    assert world.account(alice).request_sequence == request.sequence
    assert world.account(bob).request_sequence == 0
    assert world.totals.custody == 530


def test_a_transfer_to_an_account_that_does_not_exist_is_rejected_clr_act_006():
    assert fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_a_transfer_of_another_asset_is_rejected_clr_act_008():
    assert fault(Code.NO_ASSET) == Code.NO_ASSET


def test_an_expired_transfer_is_rejected_clr_act_009():
    assert fault(Code.EXPIRED) == Code.EXPIRED


def test_a_transfer_signed_by_a_stranger_is_rejected_clr_sig_001():
    assert fault(Code.BAD_SIGNATURE) == Code.BAD_SIGNATURE


def test_the_recipient_cannot_sign_for_the_sender_clr_sig_001():
    case = Transfer()
    case.signer = case.recipient
    assert case.outcome() == Code.BAD_SIGNATURE


def test_a_transfer_with_a_used_sequence_is_rejected_clr_sig_002():
    assert fault(Code.STALE_SEQUENCE) == Code.STALE_SEQUENCE


def test_withdrawals_and_transfers_share_one_sequence_clr_sig_002():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.withdraw(alice, 1, sequence=7)) == Code.APPLIED
    assert world.apply(world.transfer(alice, bob, 1, sequence=7)) == Code.STALE_SEQUENCE
    assert world.apply(world.transfer(alice, bob, 1, sequence=8)) == Code.APPLIED


def test_a_transfer_to_oneself_is_rejected_clr_trd_001():
    case = Transfer()
    to_self(case)
    assert case.outcome() == Code.SELF_TRADE


def test_a_transfer_to_oneself_is_judged_after_its_request_and_before_its_margin():
    case = Transfer()
    to_self(case)
    stale(case)
    assert case.outcome() == Code.STALE_SEQUENCE
    case = Transfer()
    to_self(case)
    greedy(case)
    assert case.outcome() == Code.SELF_TRADE


def test_a_transfer_between_two_accounts_of_one_owner_is_legal():
    world = World()
    first, second = world.trader("alice"), world.trader("alice", subaccount=1)
    assert world.apply(world.transfer(first, second, DEPOSIT)) == Code.APPLIED


def test_a_transfer_of_more_than_there_is_is_rejected_clr_mrg_002():
    assert fault(Code.TRANSFER_MARGIN) == Code.TRANSFER_MARGIN


def test_a_transfer_beyond_the_recipients_bound_is_rejected_clr_mrg_003():
    assert fault(Code.CASH_BOUND) == Code.CASH_BOUND


@pytest.mark.parametrize(
    ("amount", "expected"), [(AMOUNT_MAX - 500, Code.APPLIED), (AMOUNT_MAX, Code.CASH_BOUND)]
)
def test_the_recipients_bound_is_exact_clr_mrg_003(amount, expected):
    world = World()
    alice, bob = world.trader("alice", AMOUNT_MAX), world.trader("bob", 500)
    assert world.apply(world.transfer(alice, bob, amount)) == expected
    assert world.totals.status == Status.ACTIVE


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_a_transfer_must_leave_the_senders_margin_clr_mrg_002():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 10)) == Code.APPLIED
    kept = 10 * MARK // 10
    over = world.transfer(alice, bob, DEPOSIT - kept + 1)
    assert world.apply(over) == Code.TRANSFER_MARGIN
    assert world.apply(world.transfer(alice, bob, DEPOSIT - kept)) == Code.APPLIED


def test_a_transfer_may_rescue_a_failing_account():
    world = World()
    alice, bob = world.trader("alice", 3 * MARK), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 50)) == Code.APPLIED
    world.move_price(MARK * 96 // 100)
    assert world.apply(world.transfer(bob, alice, 3 * MARK)) == Code.APPLIED
    assert world.apply(world.liquidate(bob, alice)) == Code.HEALTHY


# Collateral

ASSET = GenesisAsset(haircut_ppm=100_000, initial_haircut_ppm=0, cap=1 << 60, scale=1 << 60)


def rich_world():
    """Alice and Bob have cash; Alice has a thousand units of asset 1, a quote each."""
    world = World(assets=(ASSET, ASSET))
    world.price_asset(1, 10**12)
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.deposit(alice, 1_000, asset=1)) == Code.APPLIED
    return world, alice, bob


def test_collateral_moves_as_cash_does():
    world, alice, bob = rich_world()
    assert world.apply(world.transfer(alice, bob, 400, asset=1)) == Code.APPLIED
    assert (world.units(alice, 1), world.units(bob, 1)) == (600, 400)
    assert world.apply(world.transfer(alice, bob, 600, asset=1)) == Code.APPLIED
    assert (world.account(alice).collateral_count, world.units(bob, 1)) == (0, 1_000)
    assert world.state.assets[1].held == 1_000


def test_nobody_transfers_collateral_that_he_does_not_have_clr_mrg_002():
    world, alice, bob = rich_world()
    assert world.apply(world.transfer(alice, bob, 1_001, asset=1)) == Code.TRANSFER_MARGIN
    assert world.apply(world.transfer(alice, bob, 1, asset=2)) == Code.TRANSFER_MARGIN


def test_collateral_that_margin_rests_on_stays_clr_mrg_002():
    world, alice, bob = rich_world()
    assert world.apply(world.transfer(alice, bob, DEPOSIT - MARK)) == Code.APPLIED
    # Alice: cash 50, collateral 900 of the thousand. 20 lots need 100.
    assert world.apply(world.trade(alice, bob, 20)) == Code.APPLIED
    assert world.apply(world.transfer(alice, bob, 945, asset=1)) == Code.TRANSFER_MARGIN
    assert world.apply(world.transfer(alice, bob, 944, asset=1)) == Code.APPLIED


@pytest.mark.parametrize("asset", [3, SHARES_BASE])
def test_what_is_not_listed_is_not_transferred_clr_act_008(asset):
    world, alice, bob = rich_world()
    assert world.apply(world.transfer(alice, bob, 1, asset=asset)) == Code.NO_ASSET


def test_a_recipient_holds_no_more_of_an_asset_than_a_position_may_be_worth_clr_col_001():
    world, alice, bob = rich_world()
    world.price_asset(1, VALUE_MAX * 10**6 // 500)
    assert world.apply(world.transfer(alice, bob, 501, asset=1)) == Code.COLLATERAL_CAP
    assert world.apply(world.transfer(alice, bob, 500, asset=1)) == Code.APPLIED
