"""What every step of the default waterfall shares: relief, penalties, tranches, freezes."""

from dataclasses import replace

import pytest

from clearing.codes import Code, Fund, Mode
from clearing.compiler import checked
from clearing.drafts import begin_drafts, open_instrument
from clearing.failure import (
    clear_operation,
    commit_failure,
    draw_insurance,
    has_collateral,
    penalty_rate_ppm,
)
from clearing.genesis import GenesisAsset
from node.margins import margin_of
from tests.clearing.law.test_modes import PERPETUAL, PUT, market_world, take, to
from tests.support.world import DEPOSIT, MARK, START_MS, TIERS, World

MARKET = 0


def test_taking_a_hedge_apart_is_no_relief_clr_mrg_001():
    world = market_world(shortfall_weight_ppm=0)
    alice, bob = world.trader("alice", 2 * DEPOSIT), world.trader("bob", 9 * DEPOSIT)
    carol = world.trader("carol", 9 * DEPOSIT)
    assert world.apply(world.trade(alice, bob, 100)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, 60, 2_000_000, instrument=PUT)) == Code.APPLIED
    assert world.apply(to(world, alice, Mode.PORTFOLIO)) == Code.APPLIED
    take(world, alice, margin_of(world.state, alice.account).maintenance - 1)
    # The puts are what keeps the perpetuals' risk down: without them the account is worse off.
    assert world.apply(world.liquidate(carol, alice, instrument=PUT)) == Code.MARGIN
    assert world.lots(alice, PUT) == 60
    assert world.apply(world.liquidate(carol, alice, 10, PERPETUAL)) == Code.APPLIED
    assert world.lots(alice, PERPETUAL) < 100


@pytest.mark.parametrize(
    ("penalty_ppm", "fee_ppm", "expected"),
    # Maintenance is 30,000: penalty and fee together stay one below it.
    [(10_000, 5_000, 10_000), (24_999, 5_000, 24_999), (25_000, 5_000, 24_999), (9, 40_000, 0)],
)
def test_a_penalty_leaves_something_of_the_margin_that_closing_frees(
    penalty_ppm, fee_ppm, expected
):
    world = World()
    world.params.liquidation_penalty_ppm = penalty_ppm
    world.params.insurance_fee_ppm = fee_ppm
    with checked():
        assert penalty_rate_ppm(world.state, world.instrument(MARKET), -7) == expected


@pytest.mark.parametrize(("age_ms", "expected"), [(300_000, True), (300_001, False)])
def test_collateral_without_a_present_price_keeps_nobody_from_being_helped(age_ms, expected):
    world = World(assets=(GenesisAsset(0, 0, 1 << 40, 1 << 40),))
    alice = world.trader("alice")
    world.price_asset(1, MARK)
    assert world.apply(world.deposit(alice, 70, asset=1)) == Code.APPLIED
    world.totals.clock = START_MS + age_ms
    with checked():
        assert has_collateral(world.state, world.account(alice)) == expected


def test_a_market_draws_its_tranche_once_in_a_window():
    tier = replace(TIERS[0], insurance_cap=100)
    world = World(tiers=(tier, *TIERS[1:]), insurance_window_ms=1_000)
    world.endow(Fund.INSURANCE, 1_000)
    state = world.state
    with checked():
        begin_drafts(state)
        market = state.instrument_drafts[open_instrument(state, MARKET)]
        assert [draw_insurance(state, market, 60) for _ in range(3)] == [60, 40, 0]
        assert (market.insurance_used, market.insurance_time) == (100, START_MS)
        world.totals.clock += 999
        assert draw_insurance(state, market, 1) == 0
        world.totals.clock += 1
        assert draw_insurance(state, market, 60) == 60
    assert (market.insurance_used, market.insurance_time) == (60, START_MS + 1_000)
    assert state.fund_drafts[Fund.INSURANCE].balance == 840


def test_only_who_adds_to_a_markets_deficit_freezes_withdrawals():
    world = World(deficit_tranche=100)
    world.instrument(MARKET).debt = 500
    state, freeze_ms = world.state, int(world.params.freeze_ms)
    for debt, frozen_until in ((500, 0), (499, 0), (500, START_MS + freeze_ms)):
        with checked():
            begin_drafts(state)
            state.instrument_drafts[open_instrument(state, MARKET)].debt = debt
            assert commit_failure(state) == Code.APPLIED
        assert world.totals.freeze_until == frozen_until


def test_an_operation_that_is_over_leaves_no_field_of_it():
    market = World().instrument(MARKET)
    names = "operation phase deadline bankrupt total weight running cursor side price counted spare"
    for name in names.split():
        setattr(market, name, 7)
    market.chunks[:] = 7
    with checked():
        clear_operation(market)
    assert [int(getattr(market, name)) for name in names.split()] == [0] * 12
    assert not market.chunks.any()
