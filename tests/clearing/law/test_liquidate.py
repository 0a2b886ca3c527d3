"""Liquidate: who fails, how much moves, at what price, and who pays for what is missing."""

from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, InstrumentStatus, Operation, Side
from clearing.codes import Fund as FundId
from clearing.units import LOTS_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, START_MS, TIERS, Trader, World

MAINTENANCE = TIERS[0].maintenance_ppm
BUFFER, PENALTY, INSURANCE = 150_000, 10_000, 5_000


def failing_world(
    deposit=3 * MARK, lots=50, mark=MARK * 96 // 100, side=Side.BUY, keeper=None, **genesis
):
    """Alice opened `lots` at MARK against Bob, then the mark moved; Kate keeps."""
    world = World(**genesis)
    alice, bob = world.trader("alice", deposit), world.trader("bob", 10 * DEPOSIT)
    kate = world.trader("kate", 10 * DEPOSIT if keeper is None else keeper)
    assert world.apply(world.trade(alice, bob, lots, side=side)) == Code.APPLIED
    world.move_price(mark)
    return world, alice, bob, kate


class Liquidation(Case):
    """Alice's fifty lots have lost four per cent; Kate takes what it needs."""

    def prepare(self):
        self.world, self.alice, self.bob, self.kate = failing_world()
        self.failing, self.signer = self.alice, self.kate
        self.changes = {"sequence": 7, "instrument": 0}

    def action(self):
        forged = Trader(self.signer.name, self.kate.account)
        return self.world.liquidate(forged, self.failing, **self.changes)


def no_account(case):
    case.failing = Trader("alice", 99)


def forged(case):
    case.signer = Trader("mallory", 0)


def stale(case):
    case.world.account(case.kate).request_sequence = 7


def of_oneself(case):
    case.failing = case.kate


def in_both_markets(**values):
    def fault(case):
        for instrument in (0, 1):
            for name, value in values.items():
                setattr(case.world.instrument(instrument), name, value)

    return fault


def rescued(case):
    deposit = case.world.deposit(case.alice, DEPOSIT)
    assert case.world.apply(deposit) == Code.APPLIED


def poor_keeper(case):
    request = case.world.withdraw(case.kate, 10 * DEPOSIT, sequence=1)
    assert case.world.apply(request) == Code.APPLIED


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: no_account,
    Code.NO_INSTRUMENT: lambda case: case.changes.update(instrument=3),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.STALE_SEQUENCE: stale,
    Code.SELF_TRADE: of_oneself,
    Code.INSTRUMENT_STATUS: in_both_markets(status=InstrumentStatus.SETTLING),
    Code.PRICE_STALE: in_both_markets(price_time=START_MS - 300_001),
    Code.NO_POSITION: lambda case: case.changes.update(instrument=1),
    Code.HEALTHY: rescued,
    Code.POSITION_CAP: in_both_markets(position_cap=1),
    Code.MARGIN: poor_keeper,
}
# How many lots the keeper takes depends on the failing account, so that is judged first.
LAST = [Code.NO_POSITION, Code.HEALTHY, Code.POSITION_CAP, Code.MARGIN]
ORDER = [*sorted(set(FAULTS) - set(LAST)), *LAST]


def fault(*codes):
    return outcome(Liquidation, FAULTS, *codes)


def test_a_liquidation_with_a_byte_too_many_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_a_liquidation_in_a_halted_law_is_rejected_clr_act_004():
    assert fault(Code.HALTED) == Code.HALTED


def test_a_liquidation_of_an_account_that_does_not_exist_is_rejected_clr_act_006():
    assert fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_a_liquidation_in_an_unknown_instrument_is_rejected_clr_act_007():
    assert fault(Code.NO_INSTRUMENT) == Code.NO_INSTRUMENT


def test_an_expired_liquidation_is_rejected_clr_act_009():
    assert fault(Code.EXPIRED) == Code.EXPIRED


def test_a_liquidation_that_the_keeper_did_not_sign_is_rejected_clr_sig_001():
    assert fault(Code.BAD_SIGNATURE) == Code.BAD_SIGNATURE


def test_a_liquidation_with_a_used_sequence_is_rejected_clr_sig_002():
    assert fault(Code.STALE_SEQUENCE) == Code.STALE_SEQUENCE


def test_a_liquidation_of_oneself_is_rejected_clr_trd_001():
    assert fault(Code.SELF_TRADE) == Code.SELF_TRADE


def test_a_liquidation_in_a_settling_market_is_rejected_clr_trd_004():
    assert fault(Code.INSTRUMENT_STATUS) == Code.INSTRUMENT_STATUS


def test_a_liquidation_runs_where_nothing_may_be_opened():
    case = Liquidation()
    case.world.instrument().status = InstrumentStatus.REDUCE_ONLY
    assert case.outcome() == Code.APPLIED


def test_a_liquidation_at_a_stale_mark_is_rejected_clr_trd_005():
    assert fault(Code.PRICE_STALE) == Code.PRICE_STALE


@pytest.mark.parametrize(
    ("age", "expected"), [(300_000, Code.APPLIED), (300_001, Code.PRICE_STALE)]
)
def test_a_liquidation_takes_an_older_mark_than_a_trade_clr_trd_005(age, expected):
    case = Liquidation()
    case.world.wait(age)
    assert case.outcome() == expected


def test_a_keeper_beyond_the_position_cap_is_rejected_clr_trd_014():
    assert fault(Code.POSITION_CAP) == Code.POSITION_CAP


def test_a_keeper_without_margin_is_rejected_clr_mrg_001():
    assert fault(Code.MARGIN) == Code.MARGIN


def test_a_liquidation_of_no_position_is_rejected_clr_liq_001():
    assert fault(Code.NO_POSITION) == Code.NO_POSITION


def test_a_healthy_account_cannot_be_liquidated_clr_liq_002():
    assert fault(Code.HEALTHY) == Code.HEALTHY


@pairs(FAULTS, ORDER)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_equity_at_maintenance_is_healthy_and_one_micro_below_is_not_clr_liq_002():
    # At 48 the loss is 100 and maintenance 72, of a million micro each.
    maintenance = 72_000_000
    for below, expected in [(0, Code.HEALTHY), (1, Code.APPLIED)]:
        world, alice, _, kate = failing_world(100_000_000 + maintenance - below)
        assert world.apply(world.liquidate(kate, alice)) == expected


def test_a_long_moves_to_the_keeper_below_the_mark():
    world, alice, bob, kate = failing_world()
    # equity 50, maintenance 72, target 82.8; a lot frees 3.45 % - 1.5 % of 48 = 0.936: 36 lots.
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert (world.lots(alice), world.lots(kate), world.lots(bob)) == (14, 36, -50)
    price, fee = 47_520_000, 36 * 48_000_000 * INSURANCE // 10**6
    assert world.account(kate).cash == 10 * DEPOSIT - 36 * price
    assert world.account(alice).cash == 3 * MARK - 50 * MARK + 36 * price - fee
    assert world.fund(FundId.INSURANCE) == fee
    assert world.instrument().open_interest == 50


def test_a_short_moves_to_the_keeper_above_the_mark():
    world, alice, bob, kate = failing_world(mark=52_000_000, side=Side.SELL)
    # equity 50, maintenance 78, target 89.7; a lot frees 1.95 % of 52 = 1.014: 40 lots.
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert (world.lots(alice), world.lots(kate), world.lots(bob)) == (-10, -40, 50)
    assert world.account(kate).cash == 10 * DEPOSIT + 40 * 52_520_000
    assert world.instrument().open_interest == 50


def test_a_keeper_on_the_other_side_lowers_open_interest():
    world, alice, bob, _ = failing_world()
    assert world.apply(world.liquidate(bob, alice)) == Code.APPLIED
    assert (world.lots(alice), world.lots(bob)) == (14, -14)
    assert world.instrument().open_interest == 14


def test_a_keeper_takes_no_more_than_it_asks_for():
    world, alice, _, kate = failing_world()
    assert world.apply(world.liquidate(kate, alice, lots=5)) == Code.APPLIED
    assert (world.lots(alice), world.lots(kate)) == (45, 5)


def test_what_was_liquidated_enough_is_healthy_clr_liq_002():
    world, alice, _, kate = failing_world()
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.apply(world.liquidate(kate, alice)) == Code.HEALTHY


def state_of(world, trader, mark):
    """(equity, maintenance target with the buffer) of an account with one position."""
    lots = world.lots(trader)
    maintenance = -(-abs(lots) * mark * MAINTENANCE // 10**6)
    target = -(-maintenance * (10**6 + BUFFER) // 10**6)
    return int(world.account(trader).cash) + lots * mark, target


@settings(max_examples=60)
@given(
    st.integers(1, 400),
    st.integers(0, 400),
    st.integers(4_200_000, 5_799_999),
    st.sampled_from([Side.BUY, Side.SELL]),
)
def test_the_lots_moved_restore_the_buffer_and_one_fewer_would_not(lots, spare, tens, side):
    initial = lots * MARK * TIERS[0].initial_ppm // 10**6
    mark = 10 * tens
    world, alice, _, kate = failing_world(initial + spare * MARK // 100, lots, mark, side)
    equity, target = state_of(world, alice, mark)
    held = abs(world.lots(alice))
    code = world.apply(world.liquidate(kate, alice))
    maintenance = -(-held * mark * MAINTENANCE // 10**6)
    assert code == (Code.HEALTHY if equity >= maintenance else Code.APPLIED)
    if code != Code.APPLIED:
        return
    freed = Fraction(MAINTENANCE * (10**6 + BUFFER), 10**12) - Fraction(PENALTY + INSURANCE, 10**6)
    wanted = ceil(Fraction(target - equity) / (mark * freed))
    moved = held - abs(world.lots(alice))
    assert moved == min(held, wanted)
    if moved < held:
        after, goal = state_of(world, alice, mark)
        # The price of a lot rounds by less than one micro, the two margins by two in all.
        assert after >= goal - moved - 2
        assert equity - (moved - 1) * mark * Fraction(PENALTY + INSURANCE, 10**6) < (
            (held - moved + 1) * mark * Fraction(MAINTENANCE * (10**6 + BUFFER), 10**12) + 2
        )


def test_a_bankrupt_account_loses_everything_at_the_mark_and_pays_nobody():
    world, alice, _, kate = failing_world(mark=45_000_000)
    # It lost 250 of 150: neither penalty nor fee may deepen the debt.
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.account(alice).position_count == 0
    assert world.account(alice).cash == 150_000_000 - 250_000_000
    assert world.account(kate).cash == 10 * DEPOSIT - 50 * 45_000_000
    assert world.fund(FundId.INSURANCE) == 0
    assert world.instrument().debt == 100_000_000


@pytest.mark.parametrize(
    ("insurance", "cash", "left"),
    [
        (200_000_000, 0, 100_000_000),
        (100_000_000, 0, 0),
        (99_999_999, -1, 0),
        (50_000_000, -50_000_000, 0),
    ],
)
def test_insurance_pays_what_a_bankrupt_account_owes_as_far_as_it_goes(insurance, cash, left):
    world, alice, _, kate = failing_world(mark=45_000_000)
    world.endow(FundId.INSURANCE, insurance)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.account(alice).cash == cash
    assert world.fund(FundId.INSURANCE) == left
    assert world.instrument().debt == -cash
    assert world.instrument().insurance_used == min(insurance, 100_000_000)


def test_insurance_pays_nothing_while_a_position_is_left():
    world, alice, _, kate = failing_world(mark=45_000_000)
    world.endow(FundId.INSURANCE, DEPOSIT)
    assert world.apply(world.liquidate(kate, alice, lots=49)) == Code.APPLIED
    assert world.account(alice).cash < 0
    assert world.fund(FundId.INSURANCE) == DEPOSIT
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.account(alice).cash == 0
    assert world.fund(FundId.INSURANCE) == DEPOSIT - 100_000_000


def test_the_insurance_fee_takes_no_more_than_the_equity_above_zero():
    # Five lots at 48 with an equity of 2.5: one per cent of penalty leaves 0.1 for the fee.
    world, alice, _, kate = failing_world(12_500_000, 5)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.account(alice).cash == 0
    assert world.account(alice).position_count == 0
    assert world.fund(FundId.INSURANCE) == 100_000


def test_a_flat_account_with_a_debt_can_neither_trade_nor_withdraw_but_may_be_paid():
    world, alice, bob, kate = failing_world(mark=45_000_000)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    debt = -int(world.account(alice).cash)
    mark = 45_000_000
    assert world.apply(world.trade(alice, bob, 1, mark)) == Code.MARGIN
    assert world.apply(world.withdraw(alice, 1)) == Code.TRANSFER_MARGIN
    assert world.apply(world.liquidate(kate, alice)) == Code.NO_POSITION
    assert world.apply(world.deposit(alice, debt + 1)) == Code.APPLIED
    assert world.apply(world.withdraw(alice, 1)) == Code.APPLIED


def test_a_keeper_below_its_margin_may_still_take_what_it_is_short_of():
    world, alice, bob, _ = failing_world()
    # Bob's market rose elsewhere: he is below initial margin, but every lot helps him.
    world.account(bob).cash -= 10 * DEPOSIT + 80_000_000
    world.totals.cash_total -= 10 * DEPOSIT + 80_000_000
    world.endow(FundId.DUST, 10 * DEPOSIT + 80_000_000)
    world.totals.custody -= 10 * DEPOSIT + 80_000_000
    kept = int(world.account(bob).cash) + world.lots(bob) * 48_000_000
    assert 0 < kept < 50 * 48_000_000 * TIERS[0].initial_ppm // 10**6
    assert world.apply(world.liquidate(bob, alice, lots=LOTS_MAX)) == Code.APPLIED


def test_a_keeper_that_reaches_the_position_cap_may_fill_it():
    world, alice, _, kate = failing_world()
    world.instrument().position_cap = 36
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    world, alice, _, kate = failing_world()
    world.instrument().position_cap = 35
    assert world.apply(world.liquidate(kate, alice)) == Code.POSITION_CAP
    assert world.apply(world.liquidate(kate, alice, lots=35)) == Code.APPLIED


def test_a_penalty_takes_no_more_than_the_equity():
    # Fifty lots at 47.05 with an equity of 2.5; one per cent of them would be 23.5.
    world, alice, _, kate = failing_world(mark=47_050_000)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.account(alice).cash == 0
    assert world.account(kate).cash == 10 * DEPOSIT - 50 * 47_050_000 + 2_500_000
    assert world.fund(FundId.INSURANCE) == 0
    assert world.instrument().debt == 0


@pytest.mark.parametrize("insurance", [0, 40_000_000, DEPOSIT])
@pytest.mark.parametrize("mark", [48_000_000, 47_050_000, 45_000_000])
def test_two_accounts_of_one_person_gain_nothing_by_liquidating_each_other(mark, insurance):
    equity = 150_000_000 - 50 * (MARK - mark)
    funds = []
    for stranger in (False, True):
        world, alice, _, kate = failing_world(mark=mark)
        second = world.trader("alice", 10 * DEPOSIT, subaccount=1)
        world.endow(FundId.INSURANCE, insurance)
        assert world.apply(world.liquidate(kate if stranger else second, alice)) == Code.APPLIED
        funds.append(world.fund(FundId.INSURANCE))
        kept = sum(
            max(0, int(world.account(trader).cash) + world.lots(trader) * mark)
            for trader in (alice, second)
        )
        # The two keep no more than was theirs, whatever the fund holds.
        assert kept <= max(0, equity) + 10 * DEPOSIT
    # And the fund pays as much whoever keeps: the debt at the mark.
    assert funds[0] == funds[1] >= insurance - max(0, -equity)


def test_cheap_lots_are_not_overcharged():
    world = World(prices=(50, 50, 50))
    alice, bob, kate = world.trader("a", 2_500_000), world.trader("b"), world.trader("k")
    assert world.apply(world.trade(alice, bob, 10**6, 50)) == Code.APPLIED
    world.move_price(48)
    assert world.apply(world.liquidate(kate, alice, lots=100_000)) == Code.APPLIED
    # One per cent of 48 is half a micro-quote a lot, which would double if it rounded by the lot.
    assert world.account(kate).cash == 10**9 - 100_000 * 48 + 48_000


def test_the_penalty_grows_with_the_position_against_the_depth_of_the_market():
    tiers = (replace(TIERS[0], depth=9_600_000_000, penalty_max_ppm=20_000), *TIERS[1:])
    world, alice, _, kate = failing_world(tiers=tiers)
    # 2,400 of 9,600 of depth: 1 % and a quarter of another. A lot frees 3.45 % - 1.75 %: 41 lots.
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.lots(kate) == 41
    assert world.account(kate).cash == 10 * DEPOSIT - 41 * 48_000_000 + 41 * 600_000


def test_a_penalty_beyond_the_maintenance_margin_is_cut_so_that_closing_heals():
    tiers = (replace(TIERS[0], depth=1), *TIERS[1:])
    world, alice, _, kate = failing_world(tiers=tiers)
    # Beyond what genesis and governance let anybody announce.
    world.state.params[0].tiers[0].penalty_max_ppm = 900_000
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    # Maintenance is 3 %, the fee 0.5 %: the penalty is 24,999 ppm of all lots, at most equity.
    assert world.lots(kate) == 50
    assert world.account(alice).cash == 0


def test_a_sweep_over_the_market_stops_liquidations_clr_swp_001():
    world, alice, _, kate = failing_world()
    world.instrument().operation = Operation.DELEVERAGE
    assert world.apply(world.liquidate(kate, alice)) == Code.OPERATION_OPEN


def test_nobody_is_liquidated_before_people_could_answer_an_outage_clr_gat_001():
    world, alice, _, kate = failing_world()
    world.instrument().grace_until = world.time + 1
    assert world.apply(world.liquidate(kate, alice)) == Code.GATED
    world.wait(1)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED


@pytest.mark.parametrize(("cap", "paid"), [(0, 0), (30_000_000, 30_000_000)])
def test_insurance_pays_no_more_than_the_tranche_of_the_market_in_a_window(cap, paid):
    tiers = (replace(TIERS[0], insurance_cap=cap), *TIERS[1:])
    world, alice, _, kate = failing_world(mark=45_000_000, tiers=tiers)
    world.endow(FundId.INSURANCE, DEPOSIT)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    assert world.fund(FundId.INSURANCE) == DEPOSIT - paid
    assert world.instrument().debt == 100_000_000 - paid


@pytest.mark.parametrize(("tolerated", "frozen"), [(99_999_999, True), (100_000_000, False)])
def test_a_deficit_beyond_the_tolerated_freezes_withdrawals_once_a_day(tolerated, frozen):
    world, alice, _, kate = failing_world(mark=45_000_000, deficit_tranche=tolerated)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    until = int(world.totals.freeze_until)
    assert until == (world.time + 3_600_000 if frozen else 0)
    assert (world.totals.freeze_last == world.time) == frozen
