"""Trades with a pool: mark and impact, caps and reserve, what the sleeve sells, and borrowing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, InstrumentStatus, Operation, Scope, Side
from clearing.genesis import GenesisPool
from clearing.keccak import pieces
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.pools import OWN, PAID_IN, POOL, SLEEVE, PoolWorld
from tests.support.world import DEPOSIT, MARK, START_MS, Trader, address_of

HOUR = 3_600_000
UNKNOWN = 99


class PoolTrade(Case):
    """Alice, who holds five lots, buys ten more from the pool."""

    def prepare(self):
        self.world = PoolWorld()
        self.signer = self.alice = self.world.trader("alice", 2 * DEPOSIT)
        assert self.world.apply(self.world.pool_trade(self.alice, 5)) == Code.APPLIED
        self.values = {"lots": 10, "limit": MARK * 2}
        self.changes = {"sequence": 1_000}
        self.key = None

    def action(self):
        forged = Trader(self.signer.name, self.alice.account)
        return self.world.pool_trade(forged, **self.values, **self.changes)


def nobody(case):
    case.alice = Trader("alice", UNKNOWN)


def forged(case):
    case.signer = Trader("mallory", 0)


def by_key(case, **bounds):
    """A session key of Alice's, who signs in her place."""
    for account in (OWN, 3):
        row = case.world.state.accounts[account]
        key = row.keys[0]
        if row.key_count == 0:
            row.key_count = 1
            key.address = pieces(bytes(12) + address_of("carol"))
            key.scope, key.limit, key.expiry = int(Scope.TRADE), 1 << 60, START_MS * 2
            key.last_instrument = 1 << 20
        for name, value in bounds.items():
            key[name] = value
    if case.signer.name == "alice":
        case.signer = Trader("carol", 0)


def stale(case):
    for account in (OWN, 3):
        case.world.state.accounts[account].request_sequence = 1_000


def with_itself(case):
    case.world.own.owner = case.world.state.accounts[3].owner
    if case.alice.account != UNKNOWN:
        case.alice = Trader("alice", OWN)


def market(**values):
    def fault(case):
        for name, value in values.items():
            setattr(case.world.instrument(0), name, value)

    return fault


def capped(case):
    """One per cent of the pool is a hundred."""
    case.world.pool.reserve_ppm = 10_000


def poor(case):
    """Alice's five lots stand on 30; fifteen need 37.5."""
    alice = case.world.state.accounts[3]
    taken = int(alice.cash) + 5 * MARK - 30_000_000
    alice.cash -= taken
    case.world.own.cash += taken


def profitable(case):
    """Selling fifteen lots that were entered at nothing takes more profit than the pool's cap."""
    case.values.update(lots=5, side=Side.SELL, limit=min(case.values["limit"], 1))
    case.world.pool.profit_cap_ppm = 1
    case.world.state.accounts[3].positions[0].entry_cost = 0


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: nobody,
    Code.NO_INSTRUMENT: lambda case: case.values.update(instrument=3),
    Code.NO_POOL: lambda case: case.values.update(pool=1),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: forged,
    Code.KEY_SCOPE: lambda case: by_key(case, scope=int(Scope.CANCEL)),
    Code.STALE_SEQUENCE: stale,
    Code.SELF_TRADE: with_itself,
    Code.INSTRUMENT_STATUS: market(status=InstrumentStatus.REDUCE_ONLY),
    Code.PRICE_STALE: market(price_time=START_MS - 60_001),
    Code.OPERATION_OPEN: market(operation=Operation.DELEVERAGE),
    Code.POSITION_CAP: market(position_cap=14),
    Code.OPEN_INTEREST_CAP: market(open_interest_cap=14),
    Code.POOL_CAP: capped,
    Code.SLIPPAGE: lambda case: case.values.update(limit=MARK),
    Code.MARGIN: poor,
    Code.KEY_CAP: lambda case: by_key(case, limit=10 * MARK - 1),
}
ORDER = list(FAULTS)


def fault(*codes):
    return outcome(PoolTrade, FAULTS, *codes)


def test_a_trade_from_balance_costs_the_square_of_the_imbalance():
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    # 100 lots are 5,000: half of the pool. One per cent of the pool times a quarter is 25.
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    assert world.account(alice).cash == 10 * DEPOSIT - 100 * MARK - 25_000_000
    assert world.own.cash == PAID_IN + 100 * MARK + 25_000_000
    assert (world.lots(alice), world.held(OWN)) == (100, -100)
    assert world.pool.impact_pot == 25_000_000
    assert world.instrument().open_interest == 100


def test_going_back_earns_half_and_only_from_the_pot():
    world = PoolWorld()
    alice, bob = world.trader("alice", 10 * DEPOSIT), world.trader("bob", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    assert world.apply(world.pool_trade(bob, 100, Side.SELL)) == Code.APPLIED
    assert world.account(bob).cash == 10 * DEPOSIT + 100 * MARK + 12_500_000
    assert world.held(OWN) == 0
    assert world.own.cash == PAID_IN + 12_500_000


def test_what_balance_left_in_the_pot_is_the_pools_when_it_holds_nothing():
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    assert world.apply(world.pool_trade(alice, 50, Side.SELL)) == Code.APPLIED
    # A half of 25 - 6.25 came back; then a half of 6.25, and the rest is the providers'.
    assert world.pool.impact_pot == 15_625_000
    assert world.apply(world.pool_trade(alice, 50, Side.SELL)) == Code.APPLIED
    assert world.pool.impact_pot == 0
    assert world.own.cash == PAID_IN + 12_500_000


def test_balance_earns_no_more_than_the_pot_holds():
    world = PoolWorld()
    alice, bob = world.trader("alice", 10 * DEPOSIT), world.trader("bob", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    world.pool.impact_pot = 3
    assert world.apply(world.pool_trade(bob, 50, Side.SELL)) == Code.APPLIED
    assert world.pool.impact_pot == 0
    assert world.account(bob).cash == 10 * DEPOSIT + 50 * MARK + 3


def test_crossing_balance_earns_on_the_way_to_it_and_pays_beyond():
    world = PoolWorld()
    alice, bob = world.trader("alice", 10 * DEPOSIT), world.trader("bob", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    assert world.apply(world.pool_trade(bob, 160, Side.SELL)) == Code.APPLIED
    # 12.5 earned for the hundred, 9 paid for the sixty: (3,000 / 10,000)^2 of a hundred.
    assert world.account(bob).cash == 10 * DEPOSIT + 160 * MARK + 12_500_000 - 9_000_000
    assert world.held(OWN) == 60


def test_traders_profit_and_loss_is_the_pools():
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    world.move_price(MARK * 11 // 10)
    assert world.apply(world.pool_trade(alice, 100, Side.SELL)) == Code.APPLIED
    # She paid 25 of impact, and had a half of 26.315789 back: 5,500 of 9,500 now.
    kept = 25_000_000 - 15_921_052
    assert world.own.cash == PAID_IN - 500_000_000 + kept
    assert world.account(alice).cash == 10 * DEPOSIT + 500_000_000 - kept


def test_the_limit_is_kept_to_the_micro_quote():
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    # Impact of ten lots is 250,000: 25,000 a lot.
    refused = world.pool_trade(alice, 10, limit=MARK + 24_999)
    assert world.apply(refused) == Code.SLIPPAGE
    assert world.apply(world.pool_trade(alice, 10, limit=MARK + 25_000)) == Code.APPLIED
    # Closing earns half of it.
    selling = world.pool_trade(alice, 10, Side.SELL, limit=MARK + 12_501)
    assert world.apply(selling) == Code.SLIPPAGE
    selling = world.pool_trade(alice, 10, Side.SELL, limit=MARK + 12_500)
    assert world.apply(selling) == Code.APPLIED


def test_two_orders_do_not_trade_in_a_pools_market():
    world = PoolWorld()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.trade(alice, bob, instrument=1)) == Code.APPLIED


def test_a_pool_trades_neither_in_another_pools_market_nor_without_a_sleeve_in_a_book():
    world = PoolWorld(pools=(POOL, GenesisPool()))
    alice = world.trader("alice")
    assert world.apply(world.pool_trade(alice, 1, pool=1)) == Code.NO_POOL
    assert world.apply(world.pool_trade(alice, 1, instrument=1)) == Code.REDUCE_ONLY


def sleeve_world():
    """The sleeve holds ten lots of market 1, which Bob is short of, on 300 of capital."""
    world = PoolWorld()
    bob = world.trader("bob")
    carol = world.trader("carol")
    assert world.apply(world.trade(carol, bob, 10, instrument=1)) == Code.APPLIED
    row, sleeve = world.account(carol), world.sleeve
    sleeve.positions[0] = row.positions[0]
    sleeve.position_count, row.position_count = 1, 0
    sleeve.cash, row.cash = row.cash - DEPOSIT + 300_000_000, DEPOSIT
    world.own.cash -= 300_000_000
    world.check_conservation()
    return world


def test_the_sleeve_sells_at_the_mark_what_it_holds_and_returns_its_capital():
    world = sleeve_world()
    alice = world.trader("alice")
    assert world.apply(world.pool_trade(alice, 4, instrument=1)) == Code.APPLIED
    assert world.account(alice).cash == DEPOSIT - 4 * MARK
    assert world.held(SLEEVE, 1) == 6
    # Six lots need 30 at ten per cent; the other 270 go home.
    assert world.sleeve.cash + 6 * MARK == 30_000_000
    assert world.own.cash == PAID_IN - 30_000_000
    assert world.apply(world.pool_trade(alice, 6, instrument=1)) == Code.APPLIED
    assert (world.sleeve.cash, world.sleeve.position_count) == (0, 0)
    assert world.own.cash == PAID_IN


@pytest.mark.parametrize(("lots", "side"), [(11, Side.BUY), (1, Side.SELL)])
def test_the_sleeve_takes_nothing_on_clr_trd_013(lots, side):
    world = sleeve_world()
    alice = world.trader("alice")
    refused = world.pool_trade(alice, lots, side, instrument=1)
    assert world.apply(refused) == Code.REDUCE_ONLY


def test_a_trade_of_a_session_key_uses_its_limit_for_what_it_opens_only():
    case = PoolTrade()
    by_key(case, limit=10 * MARK)
    assert case.outcome() == Code.APPLIED
    assert case.world.state.accounts[3].keys[0].limit == 0
    case.values.update(side=Side.SELL, lots=15, limit=1)
    case.changes.update(sequence=1_001)
    assert case.outcome() == Code.APPLIED


def test_in_a_reduce_only_market_a_position_can_be_closed_with_the_pool():
    world = PoolWorld()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.pool_trade(alice, 5)) == Code.APPLIED
    assert world.apply(world.pool_trade(bob, 8, Side.SELL)) == Code.APPLIED
    world.instrument().status = InstrumentStatus.REDUCE_ONLY
    # The pool is long three; closing Alice's five makes it longer, and she may all the same.
    assert world.apply(world.pool_trade(alice, 6, Side.SELL)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.pool_trade(alice, 5, Side.SELL)) == Code.APPLIED


def test_a_close_is_no_matter_of_the_reserve():
    world = PoolWorld()
    alice, bob = world.trader("alice", 10 * DEPOSIT), world.trader("bob", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 150)) == Code.APPLIED
    assert world.apply(world.pool_trade(bob, 150, Side.SELL)) == Code.APPLIED
    world.pool.reserve_ppm = 100_000
    assert world.apply(world.pool_trade(bob, 21, Side.SELL)) == Code.POOL_CAP
    assert world.apply(world.pool_trade(alice, 150, Side.SELL)) == Code.APPLIED
    assert world.held(OWN) == 150


def test_a_bankrupt_pool_opens_nothing_and_pays_nobody_clr_mrg_001():
    world = PoolWorld()
    alice, bob = world.trader("alice", 10 * DEPOSIT), world.trader("bob", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 110)) == Code.APPLIED
    assert world.apply(world.pool_trade(bob, 10, Side.SELL)) == Code.APPLIED
    for mark in (60, 72, 86, 103, 123, 147, 151):
        world.move_price(mark * 1_000_000)
    assert world.apply(world.pool_trade(alice, 1)) == Code.POOL_CAP
    assert world.apply(world.pool_trade(alice, 1, Side.SELL)) == Code.POOL_PROFIT
    # Without profit either, while the pool's equity is below zero its position only waits.
    world.account(alice).positions[0].entry_cost = 110 * 151_000_000
    assert world.apply(world.pool_trade(alice, 1, Side.SELL)) == Code.MARGIN


@pytest.mark.parametrize("code", [Code.MALFORMED, Code.STEP_FULL, Code.HALTED])
def test_what_stops_every_action_stops_a_pool_trade(code):
    assert fault(code) == code


def test_an_unknown_account_trades_with_no_pool_clr_act_006():
    assert fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_a_pool_trades_in_no_unknown_market_clr_act_007():
    assert fault(Code.NO_INSTRUMENT) == Code.NO_INSTRUMENT


def test_nobody_trades_with_an_unknown_pool_clr_act_012():
    assert fault(Code.NO_POOL) == Code.NO_POOL


def test_a_pool_trade_needs_a_signature_in_time_only_once_clr_act_009_clr_sig_001_clr_sig_002():
    for code in (Code.EXPIRED, Code.BAD_SIGNATURE, Code.STALE_SEQUENCE):
        assert fault(code) == code


def test_a_key_trades_with_a_pool_within_its_scope_and_limit_clr_key_001_clr_key_002():
    assert fault(Code.KEY_SCOPE) == Code.KEY_SCOPE
    assert fault(Code.KEY_CAP) == Code.KEY_CAP


def test_a_pool_does_not_trade_with_itself_clr_trd_001():
    assert fault(Code.SELF_TRADE) == Code.SELF_TRADE


def test_a_pool_opens_nothing_in_a_closing_market_clr_trd_004():
    assert fault(Code.INSTRUMENT_STATUS) == Code.INSTRUMENT_STATUS


def test_a_pool_does_not_trade_at_an_old_mark_clr_trd_005():
    assert fault(Code.PRICE_STALE) == Code.PRICE_STALE


def test_not_even_a_close_trades_with_a_pool_at_a_mark_too_old_to_open_at():
    case = PoolTrade()
    market(price_time=START_MS - 60_001)(case)
    case.values.update(lots=5, side=Side.SELL, limit=1)
    assert case.outcome() == Code.PRICE_STALE


def test_a_pool_does_not_trade_in_a_market_that_is_swept_clr_swp_001():
    assert fault(Code.OPERATION_OPEN) == Code.OPERATION_OPEN


def test_positions_and_open_interest_have_caps_with_a_pool_too_clr_trd_014_clr_trd_015():
    for code in (Code.POSITION_CAP, Code.OPEN_INTEREST_CAP):
        assert fault(code) == code


def test_a_pool_opens_no_more_than_its_reserve_clr_pol_002():
    assert fault(Code.POOL_CAP) == Code.POOL_CAP
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    # Four fifths of 10,000 are 160 lots of 50; impact is the pot's, not the pool's.
    assert world.apply(world.pool_trade(alice, 161)) == Code.POOL_CAP
    assert world.apply(world.pool_trade(alice, 160)) == Code.APPLIED


def test_one_action_takes_no_more_profit_than_the_pools_cap_clr_pol_003():
    case = PoolTrade()
    profitable(case)
    assert case.outcome() == Code.POOL_PROFIT


def test_half_of_the_pool_may_be_taken_in_one_action_and_the_rest_in_another():
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    for mark in (60, 70, 80, 90):
        world.move_price(mark * 1_000_000)
    # Alice has won 4,000 of 10,000; half of the 6,000 left are 3,000: 75 lots at 40.
    assert world.apply(world.pool_trade(alice, 76, Side.SELL)) == Code.POOL_PROFIT
    assert world.apply(world.pool_trade(alice, 75, Side.SELL)) == Code.APPLIED
    assert world.apply(world.pool_trade(alice, 25, Side.SELL)) == Code.APPLIED


def test_a_price_worse_than_signed_for_is_refused_clr_pol_004():
    assert fault(Code.SLIPPAGE) == Code.SLIPPAGE


def test_a_trader_needs_margin_against_a_pool_too_clr_mrg_001():
    assert fault(Code.MARGIN) == Code.MARGIN


@pairs(FAULTS, ORDER)
def test_a_pool_trade_is_judged_in_order(first, second):
    assert fault(first, second) == first


# What the pool earns for standing there


def borrowing_world(lots, side=Side.BUY, **changes):
    pool = replace(
        POOL,
        borrow_base_ppm=20_000,
        borrow_optimal_ppm=500_000,
        borrow_slope_ppm=80_000,
        borrow_steep_ppm=900_000,
        impact_ppm=0,
        **changes,
    )
    world = PoolWorld(pools=(pool,))
    alice = world.trader("alice", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, lots, side)) == Code.APPLIED
    world.wait(HOUR)
    world.move_price(MARK)
    return world, alice


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_the_side_that_uses_the_pool_pays_it_for_the_time(side):
    world, alice = borrowing_world(80, side)
    assert world.apply(world.funding()) == Code.APPLIED
    # 4,000 of a reserve of 8,000: 2 % + half of 8 % a year are 60,000 ppm, 55 ppm in eight hours.
    elapsed = HOUR + 1_000
    change = 55 * elapsed * MARK * 10**6 // (28_800_000)
    owed = -(-80 * change // 10**12)
    cash, own = int(world.account(alice).cash), int(world.own.cash)
    assert world.apply(world.pool_trade(alice, 80, 3 - side)) == Code.APPLIED
    back = 80 * MARK * (1 if side == Side.BUY else -1)
    assert abs(cash + back - owed - int(world.account(alice).cash)) <= 1
    assert abs(own - back + owed - int(world.own.cash)) <= 1


def test_use_beyond_the_optimum_costs_the_steep_rate():
    world, _ = borrowing_world(120)
    high = int(world.instrument().funding_low)
    assert world.apply(world.funding()) == Code.APPLIED
    # 6,000 of 8,000: 2 % + 4 % + a quarter of 90 % are 285,000 ppm, 261 ppm in eight hours.
    change = 261 * (HOUR + 1_000) * MARK * 10**6 // 28_800_000
    assert int(world.instrument().funding_low) - high == change


def test_a_balanced_market_borrows_nothing():
    world, _ = borrowing_world(50)
    bob = world.trader("bob", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(bob, 50, Side.SELL)) == Code.APPLIED
    assert world.apply(world.funding()) == Code.APPLIED
    assert world.instrument().funding_low == 0


def test_a_pool_that_is_worth_nothing_charges_the_full_rate():
    world, _ = borrowing_world(80)
    world.state.accounts[2].cash += 2 * PAID_IN
    world.own.cash -= 2 * PAID_IN
    assert world.apply(world.funding()) == Code.APPLIED
    # 2 % + 4 % + half of 90 %: 510,000 ppm, 466 ppm in eight hours.
    change = 466 * (HOUR + 1_000) * MARK * 10**6 // 28_800_000
    assert int(world.instrument().funding_low) == change


trades = st.tuples(
    st.sampled_from(["trade", "trade", "trade", "price", "deposit", "withdraw", "funding"]),
    st.integers(0, 2),
    st.integers(1, 120),
    st.sampled_from([Side.BUY, Side.SELL]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(trades, min_size=4, max_size=24))
def test_whatever_happens_a_pool_creates_no_value(script):
    world = PoolWorld(pools=(replace(POOL, lock_ms=0),))
    traders = [world.trader(name, 10**10) for name in ("alice", "bob", "carol")]
    mark = MARK
    for what, who, size, side in script:
        trader = traders[who]
        if what == "trade":
            code = world.apply(world.pool_trade(trader, size, side))
        elif what == "price":
            mark = max(1, mark + (size - 60) * mark // 600)
            world.wait(HOUR)
            code = world.apply(world.price(0, mark))
        elif what == "deposit":
            code = world.apply(world.pool_deposit(trader, size * 1_000_000))
        elif what == "withdraw":
            code = world.apply(world.pool_withdraw(trader, max(1, world.shares(trader) // 2)))
        else:
            code = world.apply(world.funding())
        # World.apply has checked conservation, shares and the pot; a rule never breaks.
        assert code != Code.INVARIANT
        value = int(world.own.cash) + world.held(OWN) * mark
        assert code != Code.APPLIED or what != "withdraw" or value >= 0
    assert world.totals.custody == 10**11 + 3 * 10**10
