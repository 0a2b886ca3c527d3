"""Takeovers: a pool takes what an auction could not sell, at the price of bankruptcy."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import clearing
from clearing.codes import Code, InboxKind, InstrumentStatus, Operation, Side
from clearing.codes import Fund as FundId
from clearing.genesis import GenesisPool
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.pools import OWN, PAID_IN, POOL, SLEEVE, PoolWorld
from tests.support.world import DEPOSIT, MARK, START_MS, TIERS, Trader

FAST = 200_000  # shorter than an outage of prices, after which nobody is liquidated for a while
UNKNOWN = 99


def failing_world(mark, lots=40, deposit=200_000_000, side=Side.BUY, instrument=1, **changes):
    """Alice holds lots on 200 of cash, the mark moved, and the fast part of her auction is over."""
    world = PoolWorld(auction_fast_ms=FAST, **changes)
    alice, bob = world.trader("alice", deposit), world.trader("bob", 10 * DEPOSIT)
    if instrument == 0:
        # The account's cash may go below zero on the impact; there is none in these worlds.
        world.pool.impact_ppm = 0
        opened = world.pool_trade(alice, lots, side)
    else:
        opened = world.trade(alice, bob, lots, side=side, instrument=instrument)
    assert world.apply(opened) == Code.APPLIED
    world.move_price(mark, instrument)
    world.account(alice).auction_time = world.time
    world.wait(FAST)
    world.move_price(mark, instrument)
    return world, alice


class Takeover(Case):
    """Alice's forty lots stand on 20 of equity; the sleeve takes them."""

    def prepare(self):
        self.world, self.alice = failing_world(MARK - 4_500_000)
        self.world.move_price(MARK, 2)
        self.values = {}

    def action(self):
        return self.world.pool_takeover(self.alice, **{"instrument": 1} | self.values)


def nobody(case):
    case.alice = Trader("alice", UNKNOWN)


def of_a_pool(case):
    if case.alice.account != UNKNOWN:
        case.alice = Trader("the pool", OWN)


def market(**values):
    def fault(case):
        for instrument in (1, 2):
            for name, value in values.items():
                setattr(case.world.instrument(instrument), name, value)

    return fault


def rich(case):
    case.world.state.accounts[3].cash += DEPOSIT
    case.world.state.accounts[4].cash -= DEPOSIT


def early(case):
    case.world.state.accounts[3].auction_time += 4_000


def without_room(case):
    case.world.pool.sleeve_cap = MARK // 2


def without_capital(case):
    case.world.own.cash -= PAID_IN - 100_000_000
    case.world.state.accounts[2].cash += PAID_IN - 100_000_000


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: nobody,
    Code.NO_INSTRUMENT: lambda case: case.values.update(instrument=3),
    Code.NO_POOL: lambda case: case.values.update(pool=1),
    Code.SELF_TRADE: of_a_pool,
    Code.INSTRUMENT_STATUS: market(status=InstrumentStatus.SETTLING),
    Code.PRICE_STALE: market(price_time=START_MS - 300_001),
    Code.GATED: market(grace_until=START_MS * 2),
    Code.OPERATION_OPEN: market(operation=Operation.DELEVERAGE),
    Code.NO_POSITION: lambda case: case.values.update(instrument=case.values.get("instrument", 2)),
    Code.HEALTHY: rich,
    Code.WATERFALL_ORDER: early,
    Code.POOL_CAP: without_room,
    Code.MARGIN: without_capital,
}
ORDER = list(FAULTS)


def fault(*codes):
    return outcome(Takeover, FAULTS, *codes)


def test_the_sleeve_takes_a_position_with_the_equity_that_was_left():
    world, alice = failing_world(MARK - 4_500_000)
    # 200 - 40 * 4.5 = 20 of equity, 40 * 45.5 = 1,820 of notional, 91 needed for maintenance.
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    assert (world.account(alice).cash, world.lots(alice, 1)) == (0, 0)
    assert world.account(alice).auction_time == 0
    assert world.held(SLEEVE, 1) == 40
    # Initial margin of 182, of which Alice's equity pays 20.
    assert world.sleeve.cash + 40 * 45_500_000 == 182_000_000
    assert world.own.cash == PAID_IN - 162_000_000


@pytest.mark.parametrize(("side", "mark"), [(Side.BUY, 44_000_000), (Side.SELL, 56_000_000)])
def test_of_a_bankrupt_account_insurance_pays_first_and_the_pool_the_rest(side, mark):
    tier = replace(TIERS[1], insurance_cap=15_000_000)
    world, alice = failing_world(mark, side=side, tiers=(TIERS[0], tier, TIERS[2]))
    world.endow(FundId.INSURANCE, 100_000_000)
    # Forty lots lost 240 of 200: 40 are missing, 15 of which the market's tranche pays.
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    assert world.account(alice).cash == 0
    assert world.fund(FundId.INSURANCE) == 85_000_000
    assert world.instrument(1).insurance_used == 15_000_000
    lots = 40 if side == Side.BUY else -40
    initial = 4 * mark
    assert world.sleeve.cash + lots * mark == initial
    assert world.own.cash == PAID_IN - initial - 25_000_000


@pytest.mark.parametrize(("tolerated", "frozen"), [(15_000_000, False), (14_999_999, True)])
def test_what_a_takeover_draws_beyond_the_deficit_tranche_freezes_withdrawals(tolerated, frozen):
    tier = replace(TIERS[1], insurance_cap=15_000_000)
    tiers = (TIERS[0], tier, TIERS[2])
    world, alice = failing_world(44_000_000, tiers=tiers, deficit_tranche=tolerated)
    world.endow(FundId.INSURANCE, 100_000_000)
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    assert world.instrument(1).insurance_used == 15_000_000
    assert (world.totals.freeze_until > world.time) == frozen
    assert (world.totals.freeze_last == world.time) == frozen


def test_a_tranche_that_is_used_up_pays_nothing_more_until_its_window_is_over():
    tier = replace(TIERS[1], insurance_cap=15_000_000)
    world, alice = failing_world(44_000_000, tiers=(TIERS[0], tier, TIERS[2]))
    world.endow(FundId.INSURANCE, 100_000_000)
    world.instrument(1).insurance_used = 15_000_000
    world.instrument(1).insurance_time = world.time
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    assert world.fund(FundId.INSURANCE) == 100_000_000


def test_the_sleeve_takes_as_many_lots_as_its_cap_leaves_room_for():
    world, alice = failing_world(MARK - 4_500_000)
    world.pool.sleeve_cap = 10 * 45_500_000 + 45_499_999
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    assert (world.held(SLEEVE, 1), world.lots(alice, 1)) == (10, 30)
    # A quarter of the margin is freed, and a quarter of the equity goes with it.
    assert world.account(alice).cash + 30 * 45_500_000 == 20_000_000 - 20_000_000 * 10 // 40
    assert world.account(alice).auction_time != 0
    assert world.apply(world.pool_takeover(alice, 1)) == Code.POOL_CAP


def test_lots_against_the_sleeves_own_need_no_room():
    world, alice = failing_world(MARK - 4_500_000)
    carol, dora = world.trader("carol", DEPOSIT), world.trader("dora", DEPOSIT)
    trade = world.trade(carol, dora, 10, MARK - 4_500_000, Side.SELL, instrument=1)
    assert world.apply(trade) == Code.APPLIED
    row = world.account(carol)
    world.sleeve.positions[0] = row.positions[0]
    world.sleeve.position_count, row.position_count = 1, 0
    world.sleeve.cash, row.cash = row.cash, world.sleeve.cash
    world.pool.sleeve_cap = 10 * 45_500_000
    # Short ten: ten lots close it, ten more fill the cap.
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    assert world.held(SLEEVE, 1) == 10


def test_in_its_own_market_a_pool_closes_against_itself():
    world, alice = failing_world(46_000_000, instrument=0)
    assert world.held(OWN) == -40
    # 200 - 160 = 40 of equity, 55.2 of maintenance margin.
    assert world.apply(world.pool_takeover(alice, 0)) == Code.APPLIED
    assert (world.account(alice).cash, world.held(OWN)) == (0, 0)
    assert world.own.cash == PAID_IN + 200_000_000
    assert world.sleeve.cash == 0


def test_a_pool_takes_nothing_in_another_pools_market():
    world, alice = failing_world(46_000_000, instrument=0, pools=(POOL, GenesisPool()))
    assert world.apply(world.pool_takeover(alice, 0, pool=1)) == Code.NO_POOL


def test_what_the_sleeve_took_can_be_bought_from_it():
    world, alice = failing_world(MARK - 4_500_000)
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    carol = world.trader("carol")
    assert world.apply(world.pool_trade(carol, 40, instrument=1)) == Code.APPLIED
    assert (world.sleeve.cash, world.sleeve.position_count) == (0, 0)
    assert world.own.cash == PAID_IN + 20_000_000


def test_nobody_comes_or_goes_at_an_old_price_of_what_the_sleeve_holds_clr_trd_005():
    world, alice = failing_world(MARK - 4_500_000)
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED
    world.wait(60_001)
    # The pool's own market is fresh; market 1 is older than it may be, and as old.
    world.instrument(1).price_time = world.time - 60_001
    assert world.apply(world.price(0, MARK)) == Code.APPLIED
    coming = world.pool_deposit(world.polly, 1_000_000)
    assert world.apply(coming) == Code.PRICE_STALE
    world.instrument(1).price_time = world.time - 60_000
    assert world.apply(coming) == Code.APPLIED


def test_nothing_is_taken_before_the_auction_was_opened_or_while_collateral_is_left():
    world, alice = failing_world(MARK - 4_500_000)
    began = int(world.account(alice).auction_time)
    world.account(alice).auction_time = 0
    assert world.apply(world.pool_takeover(alice, 1)) == Code.WATERFALL_ORDER
    world.account(alice).auction_time = began
    world.account(alice).collateral_count = 1
    world.account(alice).collaterals[0].asset = 64
    world.check_conservation = lambda: None
    assert world.apply(world.pool_takeover(alice, 1)) == Code.APPLIED


@pytest.mark.parametrize("code", [Code.MALFORMED, Code.STEP_FULL, Code.HALTED])
def test_what_stops_every_action_stops_a_takeover(code):
    assert fault(code) == code


def test_a_takeover_of_what_does_not_exist_is_rejected_clr_act_006_clr_act_007_clr_act_012():
    for code in (Code.NO_ACCOUNT, Code.NO_INSTRUMENT, Code.NO_POOL):
        assert fault(code) == code


def test_a_pool_takes_nothing_from_a_pool_clr_trd_001():
    assert fault(Code.SELF_TRADE) == Code.SELF_TRADE


def test_a_pool_takes_nothing_where_nothing_trades_clr_trd_004_clr_trd_005_clr_gat_001():
    for code in (Code.INSTRUMENT_STATUS, Code.PRICE_STALE, Code.GATED, Code.OPERATION_OPEN):
        assert fault(code) == code


def test_a_pool_takes_only_failing_positions_clr_liq_001_clr_liq_002():
    for code in (Code.NO_POSITION, Code.HEALTHY):
        assert fault(code) == code


def test_a_pool_comes_after_the_auction_clr_wtf_002():
    assert fault(Code.WATERFALL_ORDER) == Code.WATERFALL_ORDER


def test_the_sleeve_has_a_cap_clr_pol_002():
    assert fault(Code.POOL_CAP) == Code.POOL_CAP


def test_the_pool_keeps_its_own_margin_and_reserve_clr_mrg_001():
    assert fault(Code.MARGIN) == Code.MARGIN


@pairs(FAULTS, ORDER)
def test_a_takeover_is_judged_in_order(first, second):
    assert fault(first, second) == first


@settings(max_examples=30, deadline=None)
@given(
    st.integers(41_000_000, 59_000_000),
    st.sampled_from([Side.BUY, Side.SELL]),
    st.integers(1, 3 * 10**9),
    st.integers(0, 10**8),
)
def test_a_takeover_leaves_the_account_neither_debt_nor_gain(mark, side, cap, insured):
    world, alice = failing_world(mark, side=side)
    world.endow(FundId.INSURANCE, insured)
    world.pool.sleeve_cap = cap
    lots = world.lots(alice, 1)
    before = int(world.account(alice).cash) + lots * mark
    code = world.apply(world.pool_takeover(alice, 1))
    assert code in (Code.APPLIED, Code.HEALTHY, Code.POOL_CAP)
    if code != Code.APPLIED:
        return
    after = int(world.account(alice).cash) + world.lots(alice, 1) * mark
    assert min(before, 0) <= after <= max(before, 0)
    assert world.lots(alice, 1) != 0 or after == 0
    assert abs(world.held(SLEEVE, 1)) * mark <= cap
    assert world.sleeve.cash + world.held(SLEEVE, 1) * mark >= 0


SLOW = 90_000
DEAREST_PPM = 50_000  # the maintenance fraction, which the penalty rises to


def left_over_world(wait=SLOW + 1, side=Side.BUY, lots=40, instrument=1, **changes):
    """Alice holds forty lots, has offered `lots` of them, and no keeper came for `wait` ms."""
    world = PoolWorld(auction_fast_ms=60_000, auction_slow_ms=SLOW, **changes)
    alice, bob = world.trader("alice"), world.trader("bob", 10 * DEPOSIT)
    traded = world.trade(alice, bob, 40, side=side, instrument=instrument)
    assert world.apply(traded) == Code.APPLIED
    offer = world.forced(InboxKind.CLOSE_POSITION, alice, lots, asset=instrument)
    assert world.apply(offer) == Code.APPLIED
    world.wait(wait - 2_000)  # each of the two prices lets a second pass
    for market in (1, 2):
        world.move_price(MARK, market)
    return world, alice


@pytest.mark.parametrize(("side", "sign"), [(Side.BUY, 1), (Side.SELL, -1)])
def test_the_sleeve_takes_what_no_keeper_took_of_an_offer_at_the_dearest_penalty(side, sign):
    world, alice = left_over_world(side=side, lots=30)
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.APPLIED
    paid = MARK - sign * MARK * DEAREST_PPM // 1_000_000
    assert (world.lots(alice, 1), world.held(SLEEVE, 1)) == (10 * sign, 30 * sign)
    assert world.account(alice).cash == DEPOSIT - sign * 40 * MARK + sign * 30 * paid
    assert world.account(alice).close_lots == 0
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.HEALTHY


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (SLOW, Code.HEALTHY),
        (SLOW + 1, Code.APPLIED),
        (2 * SLOW, Code.APPLIED),
        (2 * SLOW + 1, Code.HEALTHY),
    ],
)
def test_keepers_come_first_and_an_old_offer_is_none_clr_liq_002(wait, expected):
    world, alice = left_over_world(wait)
    assert world.apply(world.pool_takeover(alice, instrument=1)) == expected
    assert world.lots(alice, 1) == (0 if expected == Code.APPLIED else 40)


def test_of_an_offer_the_sleeve_takes_what_its_cap_leaves_room_for_and_more_later():
    world, alice = left_over_world()
    world.pool.sleeve_cap = 15 * MARK
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.APPLIED
    assert (world.lots(alice, 1), world.account(alice).close_lots) == (25, 25)
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.POOL_CAP
    world.pool.sleeve_cap = 20 * MARK
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.APPLIED
    assert world.lots(alice, 1) == 20


def test_an_offer_that_was_taken_back_or_is_of_another_market_leaves_nothing_clr_liq_002():
    world, alice = left_over_world()
    bob = world.trader("carol")
    assert world.apply(world.trade(alice, bob, 5, instrument=2)) == Code.APPLIED
    assert world.apply(world.pool_takeover(alice, instrument=2)) == Code.HEALTHY
    assert world.apply(world.forced(InboxKind.CANCEL_ALL, alice, 1)) == Code.APPLIED
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.HEALTHY
    assert (world.lots(alice, 1), world.lots(alice, 2)) == (40, 5)


def test_a_failing_account_is_taken_over_after_its_auction_whatever_it_offered_clr_wtf_002():
    world, alice = left_over_world()
    world.account(alice).cash -= DEPOSIT - 4_000_000
    world.own.cash += DEPOSIT - 4_000_000
    assert world.apply(world.pool_takeover(alice, instrument=1)) == Code.WATERFALL_ORDER


def test_insurance_is_drawn_in_one_place_and_every_action_that_draws_may_freeze():
    sources = {path: path.read_text() for path in Path(clearing.__file__).parent.rglob("*.py")}
    spends = re.compile(r"insurance_used = |FUND\.INSURANCE\]\.balance -=", re.IGNORECASE)
    assert {p.name for p, text in sources.items() if spends.search(text)} == {
        "failure.py",
        "leaves.py",  # the decoder
    }
    draws = re.compile(r"\b(draw_insurance|cover_debt|check_relief)\(")
    actions = {p.name: t for p, t in sources.items() if p.parent.name == "actions"}
    drawing = {name for name, text in actions.items() if draws.search(text)}
    assert {"pool_takeover.py", "auction_bid.py", "liquidate.py", "settle.py"} <= drawing
    for name in drawing:
        assert "commit_failure(state)" in actions[name], name
        assert "commit_drafts(" not in actions[name], name
