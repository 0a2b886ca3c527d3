"""Margin modes: who may choose one, what each forbids, and what only a portfolio may do."""

from dataclasses import replace
from typing import Any

import pytest

from clearing.codes import Code, InstrumentKind, Kind, Mode, Scope, Side
from clearing.genesis import (
    GenesisAsset,
    GenesisInstrument,
    GenesisPool,
    GenesisTier,
    GenesisUnderlying,
)
from clearing.units import LOTS_MAX, PPM, VALUE_MAX
from node.margins import margin_of
from tests.support.world import DEPOSIT, MARK, START_MS, World, address_of, key_of

DAY_MS = 86_400_000
TIERS = (GenesisTier(50_000, 30_000, 1 << 60, 1 << 61),)
PERPETUAL, FUTURE, CALL, PUT = range(4)
CAPS = (10, 1_000_000, LOTS_MAX, LOTS_MAX)
MARKETS = (
    GenesisInstrument("PERP", 0, *CAPS),
    GenesisInstrument("FUTURE", 0, *CAPS, kind=InstrumentKind.FUTURE),
    GenesisInstrument("CALL", 0, *CAPS, kind=InstrumentKind.CALL, strike=MARK),
    GenesisInstrument("PUT", 0, *CAPS, kind=InstrumentKind.PUT, strike=MARK),
)


def market_world(**changes):
    """A perpetual, a future and two options with rows that are worth two million at the money."""
    changes = {"tiers": TIERS, "instruments": MARKETS, **changes}
    underlyings = (GenesisUnderlying(expiries=(START_MS + 30 * DAY_MS,)),)
    world = World(prices=(MARK, MARK), underlyings=underlyings, **changes)
    underlying = world.state.underlyings[0]
    series = underlying.series[0]
    series.active_number, series.active_time = 1, world.time
    series.reference_price = underlying.index_price = MARK
    underlying.price_time = world.time
    series.discount_long_ppm = series.discount_short_ppm = series.confidence_ppm = PPM
    for instrument, sign in ((CALL, 1), (PUT, -1)):
        row = world.state.instruments[instrument].rows[1]
        row.number = 1
        row.values[:] = [
            max(0, sign * MARK * int(shock) // PPM) + 2_000_000 for shock in underlying.prices
        ]
    return world


def to(world, trader, mode, *signers, **fields):
    """The request to set a mode, signed by the trader's own key unless others are given."""
    keys = signers or (trader.key,)
    return world.request(Kind.SET_MODE, *keys, account=trader.account, mode=int(mode), **fields)


def test_an_owner_goes_from_mode_to_mode_and_nothing_else_changes():
    world = market_world()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 1)) == Code.APPLIED
    before = world.account(alice).copy()
    for mode in (Mode.ISOLATED, Mode.PORTFOLIO, Mode.CROSS):
        request = to(world, alice, mode)
        assert world.apply(request) == Code.APPLIED
        before.mode, before.request_sequence = mode, world.sequence
        assert world.account(alice) == before


def test_who_asks_for_a_mode_is_checked_like_every_request_clr_act_006_clr_act_009():
    world = market_world()
    alice, bob = world.trader("alice"), world.trader("bob")
    ghost = type(alice)("alice", 77)
    old = to(world, alice, Mode.ISOLATED, sequence=1)
    assert world.apply(to(world, ghost, Mode.ISOLATED)) == Code.NO_ACCOUNT
    assert world.apply(to(world, alice, Mode.ISOLATED, expiry=world.time - 1)) == Code.EXPIRED
    assert world.apply(to(world, alice, Mode.ISOLATED, bob.key)) == Code.BAD_SIGNATURE
    assert world.apply(to(world, alice, Mode.ISOLATED)) == Code.APPLIED
    assert world.apply(old) == Code.STALE_SEQUENCE


def test_no_session_key_may_choose_a_mode_clr_key_001():
    world = market_world()
    alice = world.trader("alice")
    grant = world.request(
        Kind.KEY_GRANT,
        alice.key,
        account=alice.account,
        key=int.from_bytes(address_of("robot"), "big"),
        scope=int(Scope.TRADE | Scope.TRANSFER | Scope.POOL | Scope.KEEPER | Scope.CANCEL),
        first_instrument=0,
        last_instrument=9,
        limit=1,
        key_expiry=world.time + DAY_MS,
    )
    assert world.apply(grant) == Code.APPLIED
    assert world.apply(to(world, alice, Mode.PORTFOLIO, key_of("robot"))) == Code.KEY_SCOPE


def test_a_mode_that_is_no_change_or_not_the_owners_to_choose_is_refused_clr_mrg_004():
    world = market_world(pools=(GenesisPool(0, 1),))
    pool, sleeve, alice = (world.trader(name) for name in ("pool", "sleeve", "alice"))
    assert world.apply(to(world, alice, Mode.CROSS)) == Code.ACCOUNT_MODE
    world.state.pools[0].account, world.state.pools[0].sleeve = pool.account, sleeve.account
    for owned in (pool, sleeve):
        assert world.apply(to(world, owned, Mode.PORTFOLIO)) == Code.ACCOUNT_MODE
    world.account(alice).auction_time = world.time
    assert world.apply(to(world, alice, Mode.PORTFOLIO)) == Code.ACCOUNT_MODE
    world.account(alice).auction_time = 0
    assert world.apply(to(world, alice, Mode.PORTFOLIO)) == Code.APPLIED


def test_an_isolated_account_holds_one_position_and_no_other_clr_trd_014():
    world = market_world()
    alice, bob = world.trader("alice"), world.trader("bob")
    for instrument in (PERPETUAL, FUTURE):
        assert world.apply(world.trade(alice, bob, 1, instrument=instrument)) == Code.APPLIED
    assert world.apply(to(world, alice, Mode.ISOLATED)) == Code.POSITION_CAP
    closing = world.trade(alice, bob, 1, side=Side.SELL, instrument=FUTURE)
    assert world.apply(closing) == Code.APPLIED
    assert world.apply(to(world, alice, Mode.ISOLATED)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, 1, instrument=FUTURE)) == Code.POSITION_CAP
    assert world.apply(world.trade(alice, bob, 1)) == Code.APPLIED
    assert world.lots(alice) == 2


def test_no_mode_is_chosen_at_a_mark_in_doubt_clr_trd_005():
    world = market_world()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 1)) == Code.APPLIED
    world.wait(300_001)
    assert world.apply(to(world, alice, Mode.PORTFOLIO)) == Code.PRICE_STALE
    # Without positions no mark matters.
    assert world.apply(to(world, world.trader("carol"), Mode.PORTFOLIO)) == Code.APPLIED


def test_a_mode_needs_its_own_initial_margin_clr_mrg_001():
    world = market_world(shortfall_weight_ppm=0)
    alice, bob = world.trader("alice"), world.trader("bob")
    # 18 % up and down against 5 %: a lone perpetual needs more in a portfolio.
    assert world.apply(world.trade(alice, bob, 100)) == Code.APPLIED
    held = 100 * MARK
    needed = held * 18 // 100 + 100 + held * 5 // 1_000
    world.account(alice).cash -= DEPOSIT - needed + 1
    assert world.judge([to(world, alice, Mode.PORTFOLIO)]) == [Code.MARGIN]
    world.account(alice).cash += 1
    assert world.judge([to(world, alice, Mode.PORTFOLIO)]) == [Code.APPLIED]
    assert margin_of(world.state, alice.account).initial == needed


def below_margin(mode):
    """Alice is long a hundred perpetuals below initial margin; Bob and Carol are rich."""
    world = market_world(shortfall_weight_ppm=0)
    alice, bob = world.trader("alice", 2 * DEPOSIT), world.trader("bob", 9 * DEPOSIT)
    assert world.apply(world.trade(alice, bob, 100)) == Code.APPLIED
    if mode != Mode.CROSS:
        assert world.apply(to(world, alice, mode)) == Code.APPLIED
    take(world, alice, margin_of(world.state, alice.account).maintenance + 1_000_000)
    return world, alice, bob


def take(world, trader, left):
    """Take all equity but what is left, as if it had never been there."""
    taken = margin_of(world.state, trader.account).equity - left
    world.account(trader).cash -= taken
    world.totals.cash_total -= taken
    world.totals.custody -= taken


def test_a_portfolio_below_margin_may_grow_a_hedge_and_nothing_else_clr_mrg_001():
    world, alice, bob = below_margin(Mode.PORTFOLIO)
    hedge = world.trade(alice, bob, 10, 2_000_000, instrument=PUT)
    more = world.trade(alice, bob, 1, 2_000_000, instrument=CALL)
    assert world.apply(more) == Code.MARGIN
    assert world.apply(world.trade(alice, bob, 1)) == Code.MARGIN
    before = margin_of(world.state, alice.account)
    assert world.apply(hedge) == Code.APPLIED
    after = margin_of(world.state, alice.account)
    assert after.initial < before.initial
    assert after.maintenance < before.maintenance
    assert world.lots(alice, PUT) == 10


def test_a_hedge_whose_fee_outweighs_what_it_saves_is_no_improvement_clr_mrg_001():
    # A lot of the put takes less than one hundredth of the maintenance, and the fee of one
    # hundredth takes 20,000 of an equity of 1,000,000: 2 %.
    for fee, expected in ((10_000, Code.MARGIN), (1_000, Code.APPLIED)):
        world, alice, bob = below_margin(Mode.PORTFOLIO)
        take(world, alice, 1_000_000)
        order = world.order(alice, limit_price=2_000_000, max_fee=fee)
        trade = world.trade(alice, bob, 1, 2_000_000, instrument=PUT)
        trade = replace(trade, maker=order, maker_fee=fee)
        assert world.apply(world.sign_trade(trade, alice.key, bob.key)) == expected


def test_a_cross_account_below_margin_may_not_grow_even_a_hedge_clr_mrg_001():
    world, alice, bob = below_margin(Mode.CROSS)
    hedge = world.trade(alice, bob, 10, 2_000_000, instrument=PUT)
    assert world.apply(hedge) == Code.MARGIN


def test_a_position_that_grows_stays_within_the_owners_limit_clr_trd_016():
    world = market_world(owner_limit=10 * MARK)
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 11)) == Code.OWNER_LIMIT
    assert world.apply(world.trade(alice, bob, 10)) == Code.APPLIED
    more = world.trade(alice, bob, 1, side=Side.SELL, instrument=FUTURE)
    assert world.apply(more) == Code.OWNER_LIMIT
    world.move_price(MARK * 102 // 100)
    less = world.trade(alice, bob, 1, side=Side.SELL, price=MARK)
    # Beyond the limit by a move of the price: it may shrink, and too large a change is judged by
    # margin before.
    assert world.apply(less) == Code.APPLIED
    poor = world.trader("poor", 1)
    assert world.apply(world.trade(poor, bob, 11)) == Code.MARGIN


@pytest.mark.parametrize(("instrument", "index"), [(CALL, MARK), (PUT, MARK)])
def test_the_bound_of_value_holds_for_what_an_option_could_be_worth_clr_trd_014(instrument, index):
    world = market_world()
    alice, bob = world.trader("alice"), world.trader("bob")
    lots = VALUE_MAX // index
    for count, expected in ((lots + 1, Code.POSITION_CAP), (lots, Code.MARGIN)):
        trade = world.trade(alice, bob, count, 2_000_000, instrument=instrument)
        assert world.apply(trade) == expected


def test_no_cash_leaves_on_the_credit_of_collateral_clr_mrg_002():
    world = market_world(assets=(GenesisAsset(0, 0, 1 << 40, 1 << 40),))
    alice = world.trader("alice", 100)
    account: Any = world.account(alice)
    account.collateral_count = 1
    account.collaterals[0].asset, account.collaterals[0].amount = 1, 1_000_000
    asset = world.state.assets[1]
    asset.price, asset.price_time, asset.held, asset.custody = PPM, world.time, 10**6, 10**6
    assert margin_of(world.state, alice.account).equity == 1_000_100
    assert world.apply(world.withdraw(alice, 101)) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, 100)) == Code.APPLIED
