"""Sweeps: who bears what a bankrupt account cannot, exactly, and nobody else."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, InstrumentStatus, Kind, Operation, Phase, Side, Status
from clearing.codes import Fund as FundId
from clearing.genesis import GenesisAsset
from tests.support.sweeps import EMPTY, Driver, holders
from tests.support.world import DEPOSIT, MARK, TIERS, Trader, World

LASTING = {"price_stale_margin_ms": 1 << 39, "price_stale_open_ms": 1 << 39}
FAST = 900_000


def begin_auction(world, trader):
    return world.apply(world.request(Kind.AUCTION_START, account=trader.account))


def bankrupt_world(shorts=((20, MARK), (30, MARK)), mark=45_000_000, auctioned=True, **genesis):
    """Alice bought from shorts at their prices on 150; the mark moved; her auction found nobody.

    Her lots are the sum of theirs. At 45 fifty lots at 50 have lost 250 of the 150.
    """
    world = World(**LASTING | genesis)
    alice = world.trader("alice", 150_000_000)
    winners = []
    for place, (lots, price) in enumerate(shorts):
        winner = world.trader(f"winner {place}", DEPOSIT)
        assert world.apply(world.trade(alice, winner, lots, price)) == Code.APPLIED
        winners.append(winner)
    world.trader("flat", DEPOSIT)
    world.move_price(mark)
    if auctioned:
        assert begin_auction(world, alice) == Code.APPLIED
        world.wait(FAST)
    return world, alice, winners


def equity(world, trader, mark=45_000_000):
    return int(world.account(trader).cash) + world.lots(trader) * mark


def debtor_world(**genesis):
    """Alice is flat and owes 100 that Kate's liquidation left in market 0; two shorts won."""
    world, alice, winners = bankrupt_world(auctioned=False, **genesis)
    kate = world.trader("kate", 10 * DEPOSIT)
    assert world.apply(world.liquidate(kate, alice)) == Code.APPLIED
    return world, alice, winners, kate


# --- Deleverage ----------------------------------------------------------------------------------


def test_deleverage_closes_all_lots_at_the_price_at_which_nothing_is_left():
    world, alice, (first, second) = bankrupt_world()
    Driver(world, alice.account).run()
    # Alice owes 100: two micro-quote of value a lot, so they close at 47 instead of 45.
    assert (world.lots(alice), world.account(alice).cash) == (0, 0)
    assert world.account(first).cash == DEPOSIT + 20 * (MARK - 47_000_000)
    assert world.account(second).cash == DEPOSIT + 30 * (MARK - 47_000_000)
    assert (world.lots(first), world.lots(second), world.instrument().open_interest) == (0, 0, 0)
    assert world.instrument().debt == 0
    assert world.account(alice).auction_time == 0


def test_a_closed_sweep_leaves_nothing_in_its_market():
    world, alice, _ = bankrupt_world()
    Driver(world, alice.account).run()
    market = world.instrument()
    names = "operation phase deadline bankrupt total weight running cursor side price counted spare"
    assert [int(getattr(market, name)) for name in names.split()] == [0] * 12
    assert market.chunks.tolist() == [0] * 4


def test_insurance_pays_before_winners_do():
    world, alice, (first, _) = bankrupt_world()
    world.endow(FundId.INSURANCE, 60_000_000)
    Driver(world, alice.account).run()
    # 40 are left for 50 lots: 0.8 a lot.
    assert world.fund(FundId.INSURANCE) == 0
    assert world.account(first).cash == DEPOSIT + 20 * (MARK - 45_800_000)
    assert world.account(alice).cash == 0


def test_only_who_is_in_profit_after_his_share_is_deleveraged():
    # The second sold 60 at 46: at 47 that is a loss.
    world = World(**LASTING)
    alice, bob = world.trader("alice", 150_000_000), world.trader("bob", 10 * DEPOSIT)
    first, second = world.trader("first", DEPOSIT), world.trader("second", DEPOSIT)
    assert world.apply(world.trade(alice, first, 50, MARK)) == Code.APPLIED
    world.move_price(46_000_000)
    assert world.apply(world.trade(bob, second, 60, 46_000_000)) == Code.APPLIED
    world.move_price(45_000_000)
    assert begin_auction(world, alice) == Code.APPLIED
    world.wait(FAST)
    before = world.account(second).tobytes()
    Driver(world, alice.account).run()
    assert (world.lots(alice), world.lots(first), world.lots(second)) == (0, 0, -60)
    assert world.account(second).tobytes() == before
    assert world.account(first).cash == DEPOSIT + 50 * 3_000_000


def test_where_winners_hold_too_little_all_close_and_only_winners_pay():
    # Fifty were sold at 50; the buyer of twenty back at 45.5 is not in profit after his share.
    world = World(**LASTING)
    alice = world.trader("alice", 150_000_000)
    first, second = world.trader("first", DEPOSIT), world.trader("second", DEPOSIT)
    assert world.apply(world.trade(alice, first, 50, MARK)) == Code.APPLIED
    world.move_price(45_500_000)
    assert world.apply(world.trade(first, second, 20, 45_500_000)) == Code.APPLIED
    world.move_price(45_000_000)
    assert begin_auction(world, alice) == Code.APPLIED
    world.wait(FAST)
    Driver(world, alice.account).run()
    assert (world.lots(alice), world.lots(first), world.lots(second)) == (0, 0, 0)
    # Of the debt of 100, 60 fell on thirty lots and were paid. 40 fell on twenty lots whose profit
    # is half a quote each: 10 were paid, and 30 are the market's debt.
    assert world.account(second).cash == DEPOSIT + 20 * 500_000 - 10_000_000
    assert world.account(alice).cash == -30_000_000
    assert world.instrument().debt == 30_000_000


def test_a_bankrupt_short_is_deleveraged_against_longs():
    world = World(**LASTING)
    alice, bob = world.trader("alice", 150_000_000), world.trader("bob", DEPOSIT)
    assert world.apply(world.trade(alice, bob, 50, side=Side.SELL)) == Code.APPLIED
    world.move_price(55_000_000)
    assert begin_auction(world, alice) == Code.APPLIED
    world.wait(FAST)
    Driver(world, alice.account).run()
    assert world.account(alice).cash == 0
    assert world.account(bob).cash == DEPOSIT + 150_000_000


def test_of_several_positions_each_market_bears_its_part_of_the_debt():
    world = World(**LASTING)
    alice, bob = world.trader("alice", 380_000_000), world.trader("bob", 10 * DEPOSIT)
    for market in (0, 1):
        assert world.apply(world.trade(alice, bob, 50, instrument=market)) == Code.APPLIED
    for market in (0, 1):
        world.move_price(45_000_000, market)
    assert begin_auction(world, alice) == Code.APPLIED
    world.wait(FAST)
    # It owes 120; maintenance is 67.5 in one market and 112.5 in the other: 45 and 75.
    first = Driver(world, alice.account, 0)
    assert first.open() == Code.APPLIED
    assert world.instrument(0).spare == 45_000_000
    first.tally_all()
    first.apply_all()
    assert first.close() == Code.APPLIED
    assert world.account(alice).auction_time != 0
    Driver(world, alice.account, 1).run()
    assert (world.account(alice).cash, world.account(alice).position_count) == (0, 0)


def test_a_sweep_waits_for_the_fast_part_of_the_auction_clr_wtf_002():
    world, alice, _ = bankrupt_world(auctioned=False)
    driver = Driver(world, alice.account)
    assert driver.open() == Code.WATERFALL_ORDER
    assert begin_auction(world, alice) == Code.APPLIED
    world.wait(FAST - 1)
    assert driver.open() == Code.WATERFALL_ORDER
    world.wait(1)
    assert driver.open() == Code.APPLIED


def test_who_still_has_equity_is_not_swept_clr_wtf_001():
    world, alice, _ = bankrupt_world(mark=47_000_000)
    assert Driver(world, alice.account).open() == Code.NOT_BANKRUPT
    world.account(alice).cash -= 1
    world.account(Trader("flat", 3)).cash += 1
    assert Driver(world, alice.account).open() == Code.APPLIED


def test_opening_names_what_exists_and_a_position():
    world, alice, _ = bankrupt_world()
    assert Driver(world, 99).open() == Code.NO_ACCOUNT
    assert Driver(world, alice.account, 9).open() == Code.NO_INSTRUMENT
    assert Driver(world, alice.account, 1).open() == Code.NO_POSITION
    world.instrument().grace_until = world.time + 1
    assert Driver(world, alice.account).open() == Code.GATED
    world.instrument().status = InstrumentStatus.SETTLING
    assert Driver(world, alice.account).open() == Code.INSTRUMENT_STATUS


def test_a_second_sweep_of_a_market_is_rejected_clr_swp_001():
    world, alice, _ = bankrupt_world()
    driver = Driver(world, alice.account)
    assert driver.open() == Code.APPLIED
    assert driver.open() == Code.OPERATION_OPEN


def test_nothing_else_moves_the_positions_of_a_market_that_is_swept():
    world, alice, (first, second) = bankrupt_world()
    assert Driver(world, alice.account).open() == Code.APPLIED
    world.move_price(45_000_000)
    marking = world.request(Kind.MARK_TO_MARKET, account=first.account)
    for action in (
        world.trade(first, second, 1, 45_000_000),
        world.liquidate(first, alice),
        world.funding(),
        marking,
    ):
        assert world.apply(action) == Code.OPERATION_OPEN


def test_actions_on_a_market_that_is_not_swept_are_rejected_clr_swp_002():
    world, alice, (first, _) = bankrupt_world()
    driver = Driver(world, alice.account)
    assert driver.tally([first.account]) == Code.NO_OPERATION
    assert world.apply(driver.apply_action([first.account], EMPTY)) == Code.NO_OPERATION
    assert driver.close() == Code.NO_OPERATION
    assert driver.open() == Code.APPLIED
    other = Driver(world, first.account)
    assert world.apply(other.apply_action([first.account], EMPTY)) == Code.NO_OPERATION
    assert other.close() == Code.NO_OPERATION


def test_a_sweep_is_applied_once_it_is_tallied_and_closed_once_applied_clr_swp_003():
    world, alice, winners = bankrupt_world()
    driver = Driver(world, alice.account, size=1)
    assert driver.open() == Code.APPLIED
    assert driver.tally([winners[1].account]) == Code.APPLIED
    previous, chunk = driver.stack[-1]
    assert world.apply(driver.apply_action(chunk, previous)) == Code.OPERATION_PHASE
    assert driver.close() == Code.OPERATION_PHASE
    assert driver.tally([winners[0].account]) == Code.APPLIED
    assert world.instrument().phase == Phase.APPLY
    assert driver.tally([winners[0].account]) == Code.OPERATION_PHASE
    assert driver.close() == Code.OPERATION_PHASE
    assert driver.apply() == Code.APPLIED
    assert driver.close() == Code.OPERATION_PHASE
    assert driver.apply() == Code.APPLIED
    assert driver.close() == Code.APPLIED


def test_holders_are_tallied_from_the_highest_id_down_once_each_clr_swp_004():
    world, alice, (first, second) = bankrupt_world()
    driver = Driver(world, alice.account)
    assert driver.open() == Code.APPLIED
    assert driver.tally([first.account, second.account]) == Code.OPERATION_ORDER
    assert driver.tally([second.account, second.account]) == Code.OPERATION_ORDER
    assert driver.tally([99]) == Code.NO_ACCOUNT
    assert driver.tally([-1]) == Code.NO_ACCOUNT
    assert driver.tally([3]) == Code.NO_POSITION  # the flat one
    assert driver.tally([alice.account]) == Code.NO_POSITION  # the other side
    assert driver.tally([second.account]) == Code.APPLIED
    assert driver.tally([second.account]) == Code.OPERATION_ORDER


def test_only_the_chunk_on_top_of_the_stack_is_applied():
    world, alice, (first, second) = bankrupt_world()
    driver = Driver(world, alice.account, size=1)
    assert driver.open() == Code.APPLIED
    driver.tally_all()
    (_, _), (previous, _) = driver.stack
    for chunk, stack in [
        ([second.account], EMPTY),
        ([first.account], EMPTY),
        ([second.account], previous),
        ([second.account, first.account], EMPTY),
    ]:
        assert world.apply(driver.apply_action(chunk, stack)) == Code.OPERATION_ORDER
    assert world.apply(driver.apply_action([], previous)) == Code.OPERATION_ORDER
    driver.apply_all()


def test_a_sweep_that_nobody_tallies_is_cancelled_after_its_deadline():
    world, alice, winners = bankrupt_world()
    driver = Driver(world, alice.account)
    assert driver.open() == Code.APPLIED
    assert driver.tally([winners[1].account]) == Code.APPLIED
    world.wait(FAST)
    assert driver.close() == Code.OPERATION_PHASE
    world.wait(1)
    assert driver.close() == Code.APPLIED
    assert world.instrument().operation == Operation.NONE
    assert world.lots(alice) == 50
    again = Driver(world, alice.account)
    again.run()
    assert world.lots(alice) == 0


def test_a_tallied_sweep_cannot_be_cancelled():
    world, alice, _ = bankrupt_world()
    driver = Driver(world, alice.account)
    assert driver.open() == Code.APPLIED
    driver.tally_all()
    world.wait(10 * FAST)
    assert driver.close() == Code.OPERATION_PHASE
    driver.apply_all()
    assert driver.close() == Code.APPLIED


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 4)), min_size=1, max_size=9),
    st.integers(38_500_000, 46_000_000),
    st.integers(1, 6),
    st.integers(0, 200_000_000),
)
def test_deleverage_sums_exactly_reduces_only_and_touches_nobody_else(shorts, mark, size, fund):
    opened = [(lots, MARK + 10_000 * higher) for lots, higher in shorts]
    cost = sum(lots * price for lots, price in opened)
    world = World(**LASTING)
    alice = world.trader("alice", cost // 20 + 40_000 * sum(lots for lots, _ in opened) + 10**6)
    winners = [world.trader(f"w{i}", DEPOSIT) for i in range(len(opened))]
    flat = world.trader("flat", DEPOSIT)
    for winner, (lots, price) in zip(winners, opened, strict=True):
        assert world.apply(world.trade(alice, winner, lots, price)) == Code.APPLIED
    world.move_price(mark + (MARK - mark) // 2)
    world.move_price(mark)
    world.endow(FundId.INSURANCE, fund)
    debt = -equity(world, alice, mark)
    if debt <= 0:
        return
    assert begin_auction(world, alice) == Code.APPLIED
    world.wait(FAST)
    before = [int(world.account(w).cash) + world.lots(w) * mark for w in winners]
    untouched = world.account(flat).tobytes()
    Driver(world, alice.account, size=size).run()
    paid = min(debt, fund)
    losses = [b - int(world.account(w).cash) for b, w in zip(before, winners, strict=True)]
    assert sum(losses) == debt - paid
    total = sum(lots for lots, _ in opened)
    for loss, (lots, _) in zip(losses, opened, strict=True):
        assert abs(loss * total - (debt - paid) * lots) < 2 * total
    assert (world.lots(alice), world.account(alice).cash) == (0, 0)
    assert [world.lots(w) for w in winners] == [0] * len(winners)
    assert world.account(flat).tobytes() == untouched


@settings(max_examples=12)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=8), st.integers(1, 6), st.data())
def test_shares_of_lots_are_within_one_of_pro_rata_and_do_not_depend_on_the_chunks(
    held, size, data
):
    """More shorts than the bankrupt account has lots: each closes its part of them."""
    total = sum(held)
    mine = data.draw(st.integers(1, total))
    results = []
    for chunk in (size, 1):
        world = World(**LASTING)
        alice, bob = world.trader("alice", mine * 3_000_000), world.trader("bob", 10 * DEPOSIT)
        winners = [world.trader(f"w{i}", DEPOSIT) for i in range(len(held))]
        left = mine
        for winner, lots in zip(winners, held, strict=True):
            first = min(left, lots)
            for buyer, part in ((alice, first), (bob, lots - first)):
                if part:
                    assert world.apply(world.trade(buyer, winner, part)) == Code.APPLIED
            left -= first
        world.move_price(45_000_000)
        assert begin_auction(world, alice) == Code.APPLIED
        world.wait(FAST)
        Driver(world, alice.account, size=chunk).run()
        after = [-world.lots(w) for w in winners]
        assert sum(after) == total - mine
        for lots, kept in zip(held, after, strict=True):
            assert 0 <= kept <= lots
            assert abs((lots - kept) * total - mine * lots) < total
        results.append([int(world.account(w).cash) for w in winners])
    assert results[0] == results[1]


# --- Socialise -----------------------------------------------------------------------------------


def test_a_debt_is_shared_over_the_unrealised_profit_of_its_market():
    world, alice, (first, second), kate = debtor_world()
    assert (world.account(alice).cash, world.instrument().debt) == (-100_000_000, 100_000_000)
    Driver(world, alice.account).run(Operation.SOCIALISE)
    # Profits at 45: 100 and 150. They pay 40 and 60; Kate bought at 45 and pays nothing.
    assert world.account(first).cash == DEPOSIT + 20 * MARK - 40_000_000
    assert world.account(second).cash == DEPOSIT + 30 * MARK - 60_000_000
    assert world.account(kate).cash == 10 * DEPOSIT - 50 * 45_000_000
    assert (world.account(alice).cash, world.instrument().debt) == (0, 0)
    # What was paid is profit no longer.
    assert world.account(first).positions[0].entry_cost == -20 * MARK + 40_000_000


def test_both_sides_bear_a_socialised_loss():
    world, alice, (first, second), kate = debtor_world()
    world.move_price(47_000_000)
    Driver(world, alice.account, size=2).run(Operation.SOCIALISE)
    # Profits at 47: 60, 90 and Kate's 100.
    assert world.account(first).cash == DEPOSIT + 20 * MARK - 24_000_000
    assert world.account(second).cash == DEPOSIT + 30 * MARK - 36_000_000
    assert world.account(kate).cash == 10 * DEPOSIT - 50 * 45_000_000 - 40_000_000


def test_nobody_pays_more_than_his_profit_and_the_rest_stays_a_debt():
    world, alice, (first, _), _ = debtor_world()
    world.move_price(49_000_000)
    world.account(Trader("kate", 4)).positions[0].entry_cost = 50 * 50_000_000
    Driver(world, alice.account).run(Operation.SOCIALISE)
    # Profits at 49: 20 and 30.
    assert world.account(first).cash == DEPOSIT + 20 * MARK - 20_000_000
    assert (world.account(alice).cash, world.instrument().debt) == (-50_000_000, 50_000_000)
    assert world.totals.status == Status.ACTIVE


@pytest.mark.parametrize(
    ("tolerated", "status"), [(50_000_000, Status.ACTIVE), (49_999_999, Status.HALTED)]
)
def test_a_debt_that_nobody_can_pay_halts_the_law_beyond_the_tolerated(tolerated, status):
    world, alice, _, _ = debtor_world(deficit_tranche=tolerated)
    world.move_price(49_000_000)
    world.account(Trader("kate", 4)).positions[0].entry_cost = 50 * 50_000_000
    Driver(world, alice.account).run(Operation.SOCIALISE)
    assert world.totals.status == status


def test_insurance_that_came_later_pays_a_debt_without_a_sweep():
    world, alice, _, _ = debtor_world()
    world.endow(FundId.INSURANCE, DEPOSIT)
    assert Driver(world, alice.account).open(Operation.SOCIALISE) == Code.APPLIED
    assert world.instrument().operation == Operation.NONE
    assert (world.account(alice).cash, world.instrument().debt) == (0, 0)
    assert world.fund(FundId.INSURANCE) == DEPOSIT - 100_000_000


def test_only_the_market_where_a_debt_was_left_bears_it():
    world, alice, _, _ = debtor_world()
    assert Driver(world, alice.account, 1).open(Operation.SOCIALISE) == Code.WATERFALL_ORDER


def test_who_still_holds_a_position_is_deleveraged_before_others_pay():
    world, alice, _ = bankrupt_world()
    world.instrument().debt = 10**6
    assert Driver(world, alice.account).open(Operation.SOCIALISE) == Code.WATERFALL_ORDER


def test_a_debt_in_a_market_that_nobody_holds_is_closed_at_once():
    world, alice, (first, second), kate = debtor_world()
    for winner, lots in ((first, 20), (second, 30)):
        assert world.apply(world.trade(winner, kate, lots, 45_000_000)) == Code.APPLIED
    driver = Driver(world, alice.account)
    assert driver.open(Operation.SOCIALISE) == Code.APPLIED
    assert world.instrument().phase == Phase.APPLY
    assert driver.close() == Code.APPLIED
    assert world.account(alice).cash == -100_000_000


def test_weights_that_would_leave_64_bits_are_tallied_anew_in_a_coarser_unit():
    world, alice, (first, second), kate = debtor_world()
    for winner in (first, second):
        world.account(winner).positions[0].entry_cost = -(1 << 61)
    driver = Driver(world, alice.account)
    assert driver.open(Operation.SOCIALISE) == Code.APPLIED
    assert driver.tally([kate.account]) == Code.APPLIED
    assert driver.tally([second.account, first.account]) == Code.APPLIED
    market = world.instrument()
    names = ("side", "spare", "counted", "weight", "phase")
    assert [int(getattr(market, name)) for name in names] == [1, 8, 0, 0, Phase.TALLY]
    driver.stack, driver.top = [], EMPTY
    driver.tally_all()
    driver.apply_all()
    assert driver.close() == Code.APPLIED
    assert (world.account(alice).cash, world.instrument().debt) == (0, 0)
    # Their profits differ by too little to show, so each pays half.
    assert abs(int(world.account(first).cash) - DEPOSIT - 20 * MARK + 50_000_000) <= 1


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(-40, 40)), min_size=1, max_size=8),
    st.integers(1, 10**9),
    st.integers(1, 6),
)
def test_a_socialised_loss_sums_exactly_and_takes_no_more_than_profits(shorts, debt, size):
    world = World(**LASTING)
    alice, bob = world.trader("alice", DEPOSIT), world.trader("bob", 10 * DEPOSIT)
    traders = [world.trader(f"w{i}", DEPOSIT) for i in range(len(shorts))]
    for trader, (lots, away) in zip(traders, shorts, strict=True):
        price = MARK + 50_000 * away
        assert world.apply(world.trade(bob, trader, lots, price)) == Code.APPLIED
    everyone = [bob, *traders]
    # Alice lost it all to nobody in particular: dust has it.
    world.account(alice).cash -= DEPOSIT + debt
    world.totals.cash_total -= DEPOSIT + debt
    world.endow(FundId.DUST, DEPOSIT + debt)
    world.totals.custody -= DEPOSIT + debt
    world.instrument().debt = debt
    profits = [
        max(0, world.lots(t) * MARK - int(world.account(t).positions[0].entry_cost))
        for t in everyone
    ]
    before = [int(world.account(t).cash) for t in everyone]
    Driver(world, alice.account, size=size).run(Operation.SOCIALISE)
    paid = [b - int(world.account(t).cash) for b, t in zip(before, everyone, strict=True)]
    assert sum(paid) == min(debt, sum(profits))
    assert world.account(alice).cash == sum(paid) - debt
    assert world.instrument().debt == debt - sum(paid)
    for one, profit in zip(paid, profits, strict=True):
        assert 0 <= one <= profit
        assert abs(one * sum(profits) - sum(paid) * profit) <= sum(profits)


def test_collateral_is_sold_before_others_pay():
    world, alice, _ = bankrupt_world(assets=(GenesisAsset(100_000, 50_000, 1 << 40, 1 << 39),))
    asset = world.state.assets[1]
    asset.price, asset.price_time, asset.stable_price = 10**6, world.time, 10**6
    asset.held = asset.custody = 10_000_000
    row = world.account(alice)
    row.collateral_count = 1
    row.collaterals[0].asset, row.collaterals[0].amount = 1, 10_000_000
    assert Driver(world, alice.account).open() == Code.WATERFALL_ORDER
    # Worth nothing, it is in nobody's way.
    asset.price = 0
    assert Driver(world, alice.account).open() == Code.APPLIED


def test_the_tranche_of_one_window_is_not_exceeded_and_the_next_window_has_its_own():
    tiers = tuple(replace(tier, insurance_cap=60_000_000) for tier in TIERS)
    world, alice, _, _ = debtor_world(tiers=tiers, insurance_window_ms=3_600_000)
    world.endow(FundId.INSURANCE, DEPOSIT)
    driver = Driver(world, alice.account)
    assert driver.open(Operation.SOCIALISE) == Code.APPLIED
    assert world.fund(FundId.INSURANCE) == DEPOSIT - 60_000_000
    world.wait(FAST + 1)
    assert driver.close() == Code.APPLIED
    assert driver.open(Operation.SOCIALISE) == Code.APPLIED
    assert world.fund(FundId.INSURANCE) == DEPOSIT - 60_000_000
    world.wait(3_600_000)
    assert driver.close() == Code.APPLIED
    assert driver.open(Operation.SOCIALISE) == Code.APPLIED
    assert world.fund(FundId.INSURANCE) == DEPOSIT - 100_000_000


def test_holders_are_listed_from_the_highest_id_down():
    world, _, winners = bankrupt_world()
    assert holders(world.state, 0, -1) == [w.account for w in reversed(winners)]
