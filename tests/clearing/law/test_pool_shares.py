"""Shares of a pool: bought and sold at what they are worth, locked, and nobody's free lunch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, Operation, Side
from clearing.genesis import GenesisPool
from clearing.units import AMOUNT_MAX, COLLATERALS_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.pools import OWN, PAID_IN, POOL, PoolWorld
from tests.support.world import DEPOSIT, MARK, START_MS, Trader

HOUR = 3_600_000
UNKNOWN = 99  # an account that does not exist


class Deposit(Case):
    """Alice pays a thousand into a pool that holds a position of ten lots."""

    def prepare(self):
        self.world = PoolWorld()
        self.alice = self.signer = self.world.trader("alice", 2 * DEPOSIT)
        self.taker = self.world.trader("bob")
        assert self.world.apply(self.world.pool_trade(self.taker, 10)) == Code.APPLIED
        self.values = {"amount": DEPOSIT, "limit": 1}
        self.changes = {"sequence": 1_000}

    def action(self):
        forged = Trader(self.signer.name, self.alice.account)
        return self.world.pool_deposit(forged, **self.values, **self.changes)


def nobody(case):
    case.alice = Trader("alice", UNKNOWN)


def forged(case):
    case.signer = Trader("mallory", 0)


def stale(case):
    for account in (OWN, 2, 3):
        case.world.state.accounts[account].request_sequence = 1_000


def of_the_pool(case):
    """The pool's own account, had anybody its key."""
    case.world.own.owner = case.world.state.accounts[3].owner
    if case.alice.account != UNKNOWN:
        case.alice = Trader("alice", OWN)


def old_mark(case):
    case.world.instrument(0).price_time = START_MS - 60_001


def swept(case):
    case.world.instrument(0).operation = Operation.DELEVERAGE


def winning(case):
    """Traders have won more than half of what is left: 6,700 of 10,000 - 6,700."""
    position = case.world.own.positions[0]
    position.entry_cost += 6_700_000_000
    case.world.own.cash -= 6_700_000_000
    case.world.check_conservation = lambda: None


def full(case):
    case.world.pool.deposit_cap = PAID_IN


def crowded(case):
    account = case.world.account(Trader("alice", 3))
    account.collateral_count = COLLATERALS_MAX
    for i in range(COLLATERALS_MAX):
        account.collaterals[i].asset = i + 1
        account.collaterals[i].amount = 1
    case.world.check_conservation = lambda: None


def overflowing(case):
    case.world.own.cash += AMOUNT_MAX - PAID_IN - DEPOSIT + 1
    case.world.pool.impact_pot += AMOUNT_MAX - PAID_IN - DEPOSIT + 1
    case.world.check_conservation = lambda: None


DEPOSIT_FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: nobody,
    Code.NO_POOL: lambda case: case.values.update(pool=1),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
    Code.SELF_TRADE: of_the_pool,
    Code.OPERATION_OPEN: swept,
    Code.PRICE_STALE: old_mark,
    Code.POOL_PROFIT: winning,
    Code.POOL_CAP: full,
    Code.SLIPPAGE: lambda case: case.values.update(limit=AMOUNT_MAX),
    Code.COLLATERAL_CAP: crowded,
    Code.TRANSFER_MARGIN: lambda case: case.values.update(amount=3 * DEPOSIT),
    Code.CASH_BOUND: overflowing,
}
DEPOSIT_ORDER = list(DEPOSIT_FAULTS)


def deposit_fault(*codes):
    return outcome(Deposit, DEPOSIT_FAULTS, *codes)


class Withdrawal(Case):
    """Polly takes a tenth of her shares back when the lock has passed."""

    def prepare(self):
        self.world = PoolWorld()
        self.signer = self.polly = self.world.polly
        self.taker = self.world.trader("bob")
        self.world.wait(HOUR)
        self.world.move_price(MARK)
        assert self.world.apply(self.world.pool_trade(self.taker, 10)) == Code.APPLIED
        self.values = {"shares": self.world.shares(self.polly) // 10, "limit": 1}
        self.changes = {"sequence": 1_000}

    def action(self):
        forged = Trader(self.signer.name, self.polly.account)
        return self.world.pool_withdraw(forged, **self.values, **self.changes)


def no_polly(case):
    case.polly = Trader("polly", UNKNOWN)


def polly_is_the_pool(case):
    case.world.own.owner = case.world.state.accounts[2].owner
    if case.polly.account != UNKNOWN:
        case.polly = Trader("polly", OWN)


def locked(case):
    case.world.account(Trader("polly", 2)).collaterals[0].unlock_time = case.world.time + 1


def reserved(case):
    case.world.pool.reserve_ppm = 50_000


def rich_polly(case):
    case.world.account(Trader("polly", 2)).cash = AMOUNT_MAX
    case.world.check_conservation = lambda: None


WITHDRAWAL_FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: no_polly,
    Code.NO_POOL: lambda case: case.values.update(pool=1),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
    Code.SELF_TRADE: polly_is_the_pool,
    Code.POOL_LOCKED: locked,
    Code.OPERATION_OPEN: swept,
    Code.PRICE_STALE: old_mark,
    Code.POOL_PROFIT: winning,
    Code.SLIPPAGE: lambda case: case.values.update(limit=PAID_IN),
    Code.CASH_BOUND: rich_polly,
    Code.POOL_CAP: reserved,
}
WITHDRAWAL_ORDER = list(WITHDRAWAL_FAULTS)


def withdrawal_fault(*codes):
    return outcome(Withdrawal, WITHDRAWAL_FAULTS, *codes)


def test_the_first_deposit_makes_a_thousand_shares_of_a_micro_quote():
    world = PoolWorld(paid_in=0)
    alice = world.trader("alice")
    assert world.apply(world.pool_deposit(alice, 5_000_000)) == Code.APPLIED
    assert world.shares(alice) == world.pool.shares == 5_000_000_000
    assert world.own.cash == 5_000_000
    assert world.account(alice).cash == DEPOSIT - 5_000_000
    assert world.account(alice).collaterals[0].unlock_time == START_MS + HOUR


def test_a_deposit_is_priced_by_what_the_pool_has_won():
    world = PoolWorld()
    bob, alice = world.trader("bob"), world.trader("alice", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(bob, 40)) == Code.APPLIED
    world.move_price(MARK * 95 // 100)
    # Bob lost 40 * 2.5; the 4 of impact that he paid are in the pot and no part of the value.
    assert world.pool.impact_pot == 4_000_000
    before, supply = PAID_IN + 100_000_000, 1_000 * PAID_IN
    assert world.apply(world.pool_deposit(alice, 1_000_000_000)) == Code.APPLIED
    assert world.shares(alice) == 1_000_000_000 * (supply + 1_000) // (before + 1)


def test_a_second_deposit_locks_all_shares_anew():
    world = PoolWorld()
    world.wait(HOUR - 1)
    assert world.apply(world.pool_deposit(world.polly, 1)) == Code.APPLIED
    world.wait(HOUR - 1)
    assert world.apply(world.pool_withdraw(world.polly, 1_000)) == Code.POOL_LOCKED
    world.wait(1)
    assert world.apply(world.pool_withdraw(world.polly, 1_000)) == Code.APPLIED


def test_all_shares_given_back_leave_an_empty_pool():
    world = PoolWorld()
    world.wait(HOUR)
    cash = int(world.account(world.polly).cash)
    assert world.apply(world.pool_withdraw(world.polly, 1_000 * PAID_IN)) == Code.APPLIED
    assert (world.own.cash, world.pool.shares, world.shares(world.polly)) == (0, 0, 0)
    assert world.account(world.polly).cash == cash + PAID_IN
    assert world.account(world.polly).collateral_count == 0


def test_shares_of_two_pools_stand_beside_each_other():
    world = PoolWorld(pools=(POOL, GenesisPool()))
    assert world.apply(world.pool_deposit(world.polly, 7, pool=1)) == Code.APPLIED
    assert (world.shares(world.polly), world.shares(world.polly, 1)) == (1_000 * PAID_IN, 7_000)
    assert world.state.accounts[2].cash == 7


def test_shares_carry_no_margin():
    world = PoolWorld()
    alice, bob = world.trader("alice", DEPOSIT), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 100, instrument=1)) == Code.APPLIED
    # A hundred lots need 500 at ten per cent, whatever stands in the pool.
    assert world.apply(world.pool_deposit(alice, DEPOSIT // 2 + 1)) == Code.TRANSFER_MARGIN
    assert world.apply(world.pool_deposit(alice, DEPOSIT // 2)) == Code.APPLIED


@pytest.mark.parametrize("code", [Code.MALFORMED, Code.STEP_FULL, Code.HALTED])
def test_what_stops_every_action_stops_those_of_providers(code):
    assert deposit_fault(code) == withdrawal_fault(code) == code


def test_an_unknown_account_has_no_shares_clr_act_006():
    assert deposit_fault(Code.NO_ACCOUNT) == withdrawal_fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_an_unknown_pool_sells_no_shares_clr_act_012():
    assert deposit_fault(Code.NO_POOL) == withdrawal_fault(Code.NO_POOL) == Code.NO_POOL


def test_shares_move_by_a_signature_in_time_only_once_clr_sig_001_clr_sig_002():
    for code in (Code.EXPIRED, Code.BAD_SIGNATURE, Code.STALE_SEQUENCE):
        assert deposit_fault(code) == withdrawal_fault(code) == code


def test_a_pool_buys_no_shares_of_itself_clr_trd_001():
    assert deposit_fault(Code.SELF_TRADE) == withdrawal_fault(Code.SELF_TRADE) == Code.SELF_TRADE


def test_nobody_comes_or_goes_while_a_market_of_the_pool_is_swept_clr_swp_001():
    code = Code.OPERATION_OPEN
    assert deposit_fault(code) == withdrawal_fault(code) == code


def test_nobody_comes_or_goes_at_an_old_price_clr_trd_005():
    assert deposit_fault(Code.PRICE_STALE) == withdrawal_fault(Code.PRICE_STALE) == Code.PRICE_STALE


def test_nobody_comes_or_goes_while_traders_profit_is_beyond_the_cap_clr_pol_003():
    assert deposit_fault(Code.POOL_PROFIT) == withdrawal_fault(Code.POOL_PROFIT) == Code.POOL_PROFIT


def test_a_pool_grows_to_its_cap_and_no_further_clr_pol_002():
    assert deposit_fault(Code.POOL_CAP) == Code.POOL_CAP
    world = PoolWorld()
    world.pool.deposit_cap = PAID_IN + 5
    assert world.apply(world.pool_deposit(world.polly, 6)) == Code.POOL_CAP
    assert world.apply(world.pool_deposit(world.polly, 5)) == Code.APPLIED


def test_a_withdrawal_leaves_the_reserve_of_the_pools_positions():
    assert withdrawal_fault(Code.POOL_CAP) == Code.POOL_CAP


def test_fewer_shares_or_less_cash_than_signed_for_are_refused_clr_pol_004():
    assert deposit_fault(Code.SLIPPAGE) == withdrawal_fault(Code.SLIPPAGE) == Code.SLIPPAGE


def test_an_account_with_eight_assets_has_no_room_for_shares_clr_col_001():
    assert deposit_fault(Code.COLLATERAL_CAP) == Code.COLLATERAL_CAP


def test_a_deposit_leaves_the_accounts_margin_clr_mrg_002():
    assert deposit_fault(Code.TRANSFER_MARGIN) == Code.TRANSFER_MARGIN


def test_neither_side_takes_cash_beyond_its_bound_clr_mrg_003():
    assert deposit_fault(Code.CASH_BOUND) == withdrawal_fault(Code.CASH_BOUND) == Code.CASH_BOUND


def test_locked_shares_stay_clr_pol_001():
    assert withdrawal_fault(Code.POOL_LOCKED) == Code.POOL_LOCKED


def test_more_shares_than_held_stay():
    world = PoolWorld()
    world.wait(HOUR)
    assert world.apply(world.pool_withdraw(world.polly, 1_000 * PAID_IN + 1)) == Code.POOL_LOCKED


@pairs(DEPOSIT_FAULTS, DEPOSIT_ORDER)
def test_a_deposit_is_judged_in_order(first, second):
    assert deposit_fault(first, second) == first


@pairs(WITHDRAWAL_FAULTS, WITHDRAWAL_ORDER)
def test_a_withdrawal_is_judged_in_order(first, second):
    assert withdrawal_fault(first, second) == first


amounts = st.integers(1, 10**9)


@settings(max_examples=40, deadline=None)
@given(amounts, amounts, amounts, st.integers(-(10**9), 10**9))
def test_a_round_trip_gains_nothing_and_takes_nothing_from_others(first, second, gift, won):
    world = PoolWorld(paid_in=first)
    alice = world.trader("alice", 10**10)
    # What the pool won or lost meanwhile, and what somebody gave it.
    change = max(-first, won) + gift
    world.own.cash += change
    world.account(world.polly).cash -= change
    world.account(alice).collateral_count = 0
    before, worth = int(world.account(alice).cash), share_worth(world)
    code = world.apply(world.pool_deposit(alice, second))
    if code != Code.APPLIED:
        assert code in (Code.SLIPPAGE, Code.POOL_CAP)
        return
    assert share_worth(world) >= worth
    world.wait(HOUR)
    code = world.apply(world.pool_withdraw(alice, world.shares(alice)))
    assert code == Code.APPLIED
    assert world.account(alice).cash <= before
    assert share_worth(world) >= worth


def share_worth(world):
    """Micro-quote of a share times 2^200, rounded down."""
    return ((int(world.own.cash) + 1) << 200) // (int(world.pool.shares) + 1_000)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 1_000), st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_gift_before_a_deposit_robs_the_giver(seed, gift, deposit):
    world = PoolWorld(paid_in=0)
    mallory, alice = world.trader("mallory", 10**10), world.trader("alice", 10**10)
    assert world.apply(world.pool_deposit(mallory, seed)) == Code.APPLIED
    pool = Trader("the pool", OWN)
    assert world.apply(world.transfer(mallory, pool, gift)) == Code.APPLIED
    before = int(world.account(alice).cash)
    code = world.apply(world.pool_deposit(alice, deposit))
    assert code in (Code.APPLIED, Code.SLIPPAGE)
    world.wait(HOUR)
    for trader in (alice, mallory):
        if world.shares(trader):
            taken = world.apply(world.pool_withdraw(trader, world.shares(trader)))
            assert taken == Code.APPLIED
    lost = before - int(world.account(alice).cash)
    paid = 10**10 - int(world.account(mallory).cash)
    # What the victim loses but for a micro-quote of each rounding, the giver loses as well.
    assert paid >= 0
    assert lost <= paid + 2
    assert world.shares(alice) == world.shares(mallory) == 0


def test_a_pool_that_lost_everything_sells_shares_and_pays_nothing_for_old_ones():
    world = PoolWorld(paid_in=100)
    world.own.cash -= 100
    world.account(world.polly).cash += 100
    world.wait(HOUR)
    assert world.apply(world.pool_withdraw(world.polly, 1_000, limit=1)) == Code.SLIPPAGE
    assert world.apply(world.pool_withdraw(world.polly, 1_000)) == Code.APPLIED
    assert world.own.cash == 0
    assert world.apply(world.pool_deposit(world.polly, 1)) == Code.APPLIED


def test_a_pool_in_debt_sells_no_shares():
    world = PoolWorld(paid_in=100)
    world.own.cash -= 101
    world.account(world.polly).cash += 101
    assert world.apply(world.pool_deposit(world.polly, 10**6)) == Code.POOL_CAP


def test_shares_stay_within_what_an_entry_holds():
    world = PoolWorld(paid_in=0)
    rich = world.trader("rich", 1 << 52)
    world.pool.deposit_cap = 1 << 60
    assert world.apply(world.pool_deposit(rich, 1 << 51)) == Code.POOL_CAP
    assert world.apply(world.pool_deposit(rich, 1 << 50)) == Code.APPLIED
    assert world.pool.shares == 1_000 << 50


def test_the_account_of_a_pool_is_nobodys():
    world = PoolWorld()
    assert [int(world.state.accounts[i].id) for i in range(2)] == [0, 1]
    assert bytes(world.own.owner) != bytes(world.sleeve.owner)
    assert world.polly.account == 2
    request = world.transfer(Trader("polly", OWN), world.polly, 1)
    assert world.apply(request) == Code.BAD_SIGNATURE


def test_impact_is_no_part_of_what_shares_are_worth_while_it_may_be_paid_back():
    world = PoolWorld()
    bob = world.trader("bob", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(bob, 100)) == Code.APPLIED
    assert world.apply(world.pool_trade(bob, 50, Side.SELL)) == Code.APPLIED
    pot = int(world.pool.impact_pot)
    assert int(world.own.cash) - 50 * MARK == PAID_IN + pot
    world.wait(HOUR)
    world.move_price(MARK)
    cash = int(world.account(world.polly).cash)
    assert world.apply(world.pool_withdraw(world.polly, 500 * PAID_IN)) == Code.APPLIED
    assert int(world.account(world.polly).cash) - cash == PAID_IN // 2
