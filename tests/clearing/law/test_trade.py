"""Trade: each rule by its acceptance code, then precedence, then what an applied trade changes."""

from dataclasses import replace

import pytest

from clearing.actions.trade import TRADE_VALUE_MAX
from clearing.codes import Code, InstrumentStatus, OrderFlag, Side
from clearing.codes import Fund as FundId
from clearing.eip712 import bulk_digest, bulk_tree
from clearing.genesis import GenesisInstrument
from clearing.keys import sign
from clearing.messages import Authorisation
from clearing.units import LOTS_MAX, POSITIONS_MAX, PPM, PRICE_MAX, VALUE_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, START_MS, Trader, World, address_of, key_of

LOTS = 10


class Trade(Case):
    """Alice makes a bid for ten lots at the mark; Bob takes it."""

    def prepare(self):
        self.alice, self.bob = self.world.trader("alice"), self.world.trader("bob")
        # Alice may own a second account: a trade between the two is a trade with herself.
        self.other = self.world.trader("alice", subaccount=1)
        self.keys = [self.alice.key, self.bob.key, None]
        self.trade = replace(
            self.world.trade(self.alice, self.bob, LOTS), maker_fee=10, taker_fee=10
        )
        self.maker(limit_price=PRICE_MAX)
        self.taker(limit_price=1)

    def change(self, **changes):
        self.trade = replace(self.trade, **changes)

    def maker(self, **changes):
        self.change(maker=replace(self.trade.maker, **changes))

    def taker(self, **changes):
        self.change(taker=replace(self.trade.taker, **changes))

    def action(self):
        return self.world.sign_trade(self.trade, *self.keys)

    def take_from_self(self):
        self.taker(account=self.other.account)
        self.keys[1] = self.alice.key

    def forge(self):
        self.keys[0] = key_of("mallory")

    def kill_taker(self):
        floor = self.trade.taker.sequence
        assert self.world.apply(self.world.cancel(self.bob, floor)) == Code.APPLIED
        assert self.world.apply(self.world.cancel(self.other, floor)) == Code.APPLIED


def poke_instrument(**values):
    def fault(case):
        for name, value in values.items():
            setattr(case.world.instrument(), name, value)

    return fault


def poor(case):
    case.world.params.tiers[0].initial_ppm = PPM
    case.change(lots=30)
    case.maker(lots=30)


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: lambda c: c.maker(account=99),
    Code.NO_INSTRUMENT: lambda c: c.change(instrument=3),
    Code.EXPIRED: lambda c: c.taker(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: Trade.forge,
    Code.SELF_TRADE: Trade.take_from_self,
    Code.UNKNOWN_FLAGS: lambda c: c.maker(flags=c.trade.maker.flags | 4),
    Code.MAKER_ONLY: lambda c: c.taker(flags=OrderFlag.MAKER_ONLY),
    Code.INSTRUMENT_STATUS: poke_instrument(status=InstrumentStatus.AUCTION),
    Code.PRICE_STALE: poke_instrument(price_time=START_MS - 60_001),
    Code.ORDER_DEAD: Trade.kill_taker,
    Code.OVERFILL: lambda c: c.maker(lots=LOTS - 1),
    Code.OFF_TICK: lambda c: c.change(price=c.trade.price + 1),
    Code.LIMIT_PRICE: lambda c: c.maker(limit_price=1),
    Code.PRICE_BAND: lambda c: c.change(price=MARK * 106 // 100),
    Code.FEE_ABOVE_MAXIMUM: lambda c: c.maker(max_fee=0),
    Code.FEE_NEGATIVE: lambda c: c.change(taker_fee=-11),
    Code.REDUCE_ONLY: lambda c: c.maker(flags=c.trade.maker.flags | OrderFlag.REDUCE_ONLY),
    Code.POSITION_CAP: poke_instrument(position_cap=LOTS - 1),
    Code.OPEN_INTEREST_CAP: poke_instrument(open_interest_cap=LOTS - 1),
    Code.MARGIN: poor,
}


def fault(*codes):
    return outcome(Trade, FAULTS, *codes)


def test_two_signed_orders_trade():
    assert fault() == Code.APPLIED


def test_a_trade_with_a_byte_too_many_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_a_trade_that_the_step_has_no_room_for_is_rejected_clr_act_003():
    assert fault(Code.STEP_FULL) == Code.STEP_FULL


def test_a_trade_in_a_halted_law_is_rejected_clr_act_004():
    assert fault(Code.HALTED) == Code.HALTED


def test_a_trade_for_an_account_that_does_not_exist_is_rejected_clr_act_006():
    assert fault(Code.NO_ACCOUNT) == Code.NO_ACCOUNT


def test_a_trade_in_an_instrument_that_does_not_exist_is_rejected_clr_act_007():
    assert fault(Code.NO_INSTRUMENT) == Code.NO_INSTRUMENT


def test_a_trade_with_an_expired_order_is_rejected_clr_act_009():
    assert fault(Code.EXPIRED) == Code.EXPIRED


def test_a_trade_signed_by_a_stranger_is_rejected_clr_sig_001():
    assert fault(Code.BAD_SIGNATURE) == Code.BAD_SIGNATURE


def test_a_trade_between_two_accounts_of_one_owner_is_rejected_clr_trd_001():
    assert fault(Code.SELF_TRADE) == Code.SELF_TRADE


def test_a_trade_of_an_account_with_itself_is_rejected_clr_trd_001():
    world = World()
    alice = world.trader("alice")
    assert world.apply(world.trade(alice, alice)) == Code.SELF_TRADE


def test_an_order_with_an_unknown_flag_is_rejected_clr_trd_002():
    assert fault(Code.UNKNOWN_FLAGS) == Code.UNKNOWN_FLAGS


def test_a_maker_only_order_that_takes_is_rejected_clr_trd_003():
    assert fault(Code.MAKER_ONLY) == Code.MAKER_ONLY


def test_a_maker_only_order_that_makes_is_filled():
    case = Trade()
    case.maker(flags=OrderFlag.MAKER_ONLY)
    assert case.outcome() == Code.APPLIED


def test_a_trade_in_an_auction_is_rejected_clr_trd_004():
    assert fault(Code.INSTRUMENT_STATUS) == Code.INSTRUMENT_STATUS


def test_a_trade_at_a_stale_mark_is_rejected_clr_trd_005():
    assert fault(Code.PRICE_STALE) == Code.PRICE_STALE


def test_a_mark_exactly_as_old_as_allowed_is_not_stale():
    case = Trade()
    case.world.instrument().price_time = START_MS - 60_000
    assert case.outcome() == Code.APPLIED


def test_a_trade_before_the_first_price_is_rejected_clr_trd_005():
    world = World(prices=(0, 0, 0))
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.PRICE_STALE


def test_a_trade_with_an_order_at_the_floor_is_rejected_clr_trd_006():
    assert fault(Code.ORDER_DEAD) == Code.ORDER_DEAD


def test_a_trade_beyond_the_lots_of_an_order_is_rejected_clr_trd_007():
    assert fault(Code.OVERFILL) == Code.OVERFILL


def test_a_trade_off_the_tick_is_rejected_clr_trd_008():
    assert fault(Code.OFF_TICK) == Code.OFF_TICK


def test_a_trade_above_the_buyers_limit_is_rejected_clr_trd_009():
    assert fault(Code.LIMIT_PRICE) == Code.LIMIT_PRICE


def test_a_trade_below_the_sellers_limit_is_rejected_clr_trd_009():
    case = Trade()
    case.taker(limit_price=MARK + 1)
    assert case.outcome() == Code.LIMIT_PRICE


def test_limits_hold_for_a_selling_maker_too_clr_trd_009():
    for maker_limit, taker_limit, expected in [
        (MARK + 1, PRICE_MAX, Code.LIMIT_PRICE),
        (1, MARK - 1, Code.LIMIT_PRICE),
        (MARK, MARK, Code.APPLIED),
    ]:
        case = Trade()
        case.change(maker_side=Side.SELL)
        case.maker(limit_price=maker_limit)
        case.taker(limit_price=taker_limit)
        assert case.outcome() == expected


def test_a_trade_beyond_the_band_is_rejected_clr_trd_010():
    assert fault(Code.PRICE_BAND) == Code.PRICE_BAND


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (MARK * 105 // 100, Code.APPLIED),
        (MARK * 105 // 100 + 10, Code.PRICE_BAND),
        (MARK * 95 // 100, Code.APPLIED),
        (MARK * 95 // 100 - 10, Code.PRICE_BAND),
    ],
)
def test_the_band_ends_where_it_says_clr_trd_010(price, expected):
    case = Trade()
    case.change(price=price)
    assert case.outcome() == expected


def test_a_fee_above_the_signed_maximum_is_rejected_clr_trd_011():
    assert fault(Code.FEE_ABOVE_MAXIMUM) == Code.FEE_ABOVE_MAXIMUM


def test_fees_that_sum_below_zero_are_rejected_clr_trd_012():
    assert fault(Code.FEE_NEGATIVE) == Code.FEE_NEGATIVE


def test_a_reduce_only_order_that_would_open_is_rejected_clr_trd_013():
    assert fault(Code.REDUCE_ONLY) == Code.REDUCE_ONLY


@pytest.mark.parametrize(
    ("held", "lots", "expected"),
    [
        (5, 5, Code.APPLIED),
        (5, 6, Code.REDUCE_ONLY),
        (-5, 5, Code.REDUCE_ONLY),
        (5, 4, Code.APPLIED),
    ],
)
def test_a_reduce_only_order_neither_grows_nor_flips_clr_trd_013(held, lots, expected):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    side = Side.BUY if held > 0 else Side.SELL
    assert world.apply(world.trade(alice, bob, abs(held), side=side)) == Code.APPLIED
    order = world.order(alice, flags=OrderFlag.REDUCE_ONLY)
    trade = world.trade(alice, bob, lots, side=Side.SELL, maker=order)
    assert world.apply(trade) == expected


def test_a_takers_reduce_only_order_opens_nothing_either_clr_trd_013():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    order = world.order(bob, flags=OrderFlag.REDUCE_ONLY)
    assert world.apply(world.trade(alice, bob, 1, taker=order)) == Code.REDUCE_ONLY


def test_a_position_beyond_the_instruments_cap_is_rejected_clr_trd_014():
    assert fault(Code.POSITION_CAP) == Code.POSITION_CAP


def test_a_position_may_fill_its_cap():
    case = Trade()
    case.world.instrument().position_cap = LOTS
    assert case.outcome() == Code.APPLIED


def test_a_position_above_a_lowered_cap_may_shrink_but_not_grow_clr_trd_014():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 10)) == Code.APPLIED
    world.instrument().position_cap = 5
    assert world.apply(world.trade(alice, bob, 1)) == Code.POSITION_CAP
    assert world.apply(world.trade(alice, bob, 1, side=Side.SELL)) == Code.APPLIED
    # A flip ends within the cap, so it is a growth that fits.
    assert world.apply(world.trade(alice, bob, 14, side=Side.SELL)) == Code.APPLIED
    assert world.lots(alice) == -5


def test_a_position_worth_more_than_the_value_bound_is_rejected_clr_trd_014():
    mark = 1 << 30
    world = World(prices=(mark, 0, 0))
    rich = 1 << 58
    alice, bob = world.trader("alice", rich), world.trader("bob", rich)
    most = VALUE_MAX // mark
    price = mark - mark % 10
    assert world.apply(world.trade(alice, bob, most + 1, price)) == Code.POSITION_CAP
    assert world.apply(world.trade(alice, bob, most, price)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, 1, price)) == Code.POSITION_CAP


def test_positions_that_outgrew_every_bound_are_closed_in_parts_clr_trd_014():
    # Nobody grows, so no cap of a position binds; 64 bits must hold fee and value all the same.
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 1)) == Code.APPLIED
    most = TRADE_VALUE_MAX // MARK
    for trader, held in ((alice, most + 1), (bob, -most - 1)):
        world.account(trader).positions[0].lots = held
    world.instrument().open_interest = most + 1
    closing = world.trade(alice, bob, most + 1, side=Side.SELL)
    assert world.apply(closing) == Code.POSITION_CAP
    # One lot less is within the numbers, and judged by what such positions owe.
    assert world.apply(world.trade(alice, bob, most, side=Side.SELL)) == Code.MARGIN


def test_a_thirty_third_position_is_rejected_clr_trd_014():
    count = POSITIONS_MAX + 1
    market = GenesisInstrument("M", 0, 10, 1, LOTS_MAX, LOTS_MAX)
    world = World(prices=(MARK,) * count, instruments=(market,) * count)
    alice, bob, carol = (world.trader(name, 10 * DEPOSIT) for name in ("alice", "bob", "carol"))
    order = [*range(1, count, 2), *range(0, count, 2)]
    for instrument in order[:-1]:
        trade = world.trade(alice, bob, instrument=instrument)
        assert world.apply(trade) == Code.APPLIED
    last = order[-1]
    assert world.apply(world.trade(alice, carol, instrument=last)) == Code.POSITION_CAP
    assert world.apply(world.trade(carol, alice, instrument=last)) == Code.POSITION_CAP
    row = world.account(alice)
    assert row.positions["instrument"].tolist() == sorted(order[:-1])
    closing = world.trade(alice, bob, instrument=order[0], side=Side.SELL)
    assert world.apply(closing) == Code.APPLIED
    assert world.apply(world.trade(alice, carol, instrument=last)) == Code.APPLIED


def test_open_interest_beyond_its_cap_is_rejected_clr_trd_015():
    assert fault(Code.OPEN_INTEREST_CAP) == Code.OPEN_INTEREST_CAP


def test_at_a_lowered_open_interest_cap_positions_may_change_hands_clr_trd_015():
    world = World()
    alice, bob, carol = (world.trader(name) for name in ("alice", "bob", "carol"))
    assert world.apply(world.trade(alice, bob, 10)) == Code.APPLIED
    world.instrument().open_interest_cap = 5
    assert world.apply(world.trade(carol, alice, 10)) == Code.APPLIED
    assert world.apply(world.trade(carol, bob, 1)) == Code.OPEN_INTEREST_CAP
    assert world.apply(world.trade(carol, bob, 4, side=Side.SELL)) == Code.APPLIED
    assert world.instrument().open_interest == 6


def test_a_trade_without_initial_margin_is_rejected_clr_mrg_001():
    assert fault(Code.MARGIN) == Code.MARGIN


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_in_a_reduce_only_market_no_side_may_grow_clr_trd_004():
    world = World()
    alice, bob, carol = (world.trader(name) for name in ("alice", "bob", "carol"))
    assert world.apply(world.trade(alice, bob, 10)) == Code.APPLIED
    world.instrument().status = InstrumentStatus.REDUCE_ONLY
    assert world.apply(world.trade(carol, alice, 1)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.trade(alice, bob, 1)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.trade(bob, alice, 11)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.trade(bob, alice, 10)) == Code.APPLIED


def test_the_named_venue_must_have_signed_clr_sig_001():
    case = Trade()
    case.change(venue=address_of("venue"))
    case.keys[2] = key_of("mallory")
    assert case.outcome() == Code.BAD_SIGNATURE
    case.keys[2] = key_of("venue")
    assert case.outcome() == Code.APPLIED


def test_the_taker_must_have_signed_clr_sig_001():
    case = Trade()
    case.keys[1] = key_of("mallory")
    assert case.outcome() == Code.BAD_SIGNATURE


def test_nobody_signs_for_the_null_address_clr_sig_001():
    world = World()
    alice, nobody = world.trader("alice"), Trader("nobody", 1)
    deposit = world.deposit(nobody, DEPOSIT, owner=bytes(20))
    assert world.apply(deposit) == Code.APPLIED
    trade = world.trade(alice, nobody)
    unsigned = replace(trade, taker_authorisation=Authorisation(bytes(65)))
    assert world.apply(unsigned) == Code.BAD_SIGNATURE
    assert world.apply(trade) == Code.BAD_SIGNATURE


def test_one_bulk_signature_covers_several_orders():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    orders = [world.order(alice, slot=slot, lots=1) for slot in range(3)]
    trades = [world.trade(alice, bob, maker=order) for order in orders]
    root, paths = bulk_tree([trade.maker_struct_hash() for trade in trades])
    signature = sign(alice.key, bulk_digest(world.domain, root))
    for i, (trade, path) in enumerate(zip(trades, paths, strict=True)):
        proof = Authorisation(signature, i, path)
        elsewhere = Authorisation(signature, i ^ 1, path)
        assert world.apply(replace(trade, maker_authorisation=elsewhere)) == Code.BAD_SIGNATURE
        assert world.apply(replace(trade, maker_authorisation=proof)) == Code.APPLIED


def test_a_trade_moves_lots_and_their_price_between_two_accounts():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 3, MARK + 20)) == Code.APPLIED
    value = 3 * (MARK + 20)
    assert (world.lots(alice), world.lots(bob)) == (3, -3)
    assert world.account(alice).cash == DEPOSIT - value
    assert world.account(bob).cash == DEPOSIT + value
    assert world.account(alice).positions[0].entry_cost == value
    assert world.account(bob).positions[0].entry_cost == -value
    assert world.instrument().open_interest == 3


def test_a_selling_maker_gives_the_lots():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 3, side=Side.SELL)) == Code.APPLIED
    assert (world.lots(alice), world.lots(bob)) == (-3, 3)


@pytest.mark.parametrize(
    ("maker_fee", "taker_fee", "paid_by_maker", "paid_by_taker"),
    [
        # One lot at 50,000,010: a millionth of it is 50.00001, paid as 51, received as 50.
        (1, 1, 51, 51),
        (-1, 1, -50, 51),
        (0, 0, 0, 0),
        (-200, 450, -10_000, 22_501),
        (1_000, 1_000, 50_001, 50_001),
    ],
)
def test_fees_round_up_rebates_round_down_and_the_fund_takes_the_difference(
    maker_fee, taker_fee, paid_by_maker, paid_by_taker
):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    price = MARK + 10
    trade = world.trade(alice, bob, 1, price, maker_fee=maker_fee, taker_fee=taker_fee)
    assert world.apply(trade) == Code.APPLIED
    assert world.account(alice).cash == DEPOSIT - price - paid_by_maker
    assert world.account(bob).cash == DEPOSIT + price - paid_by_taker
    assert world.fund(FundId.FEES) == paid_by_maker + paid_by_taker >= 0


def test_a_fee_counts_in_the_margin_of_its_payer_clr_mrg_001():
    for fee, expected in [(0, Code.APPLIED), (1, Code.MARGIN)]:
        world = World()
        # Exactly the initial margin of ten lots, so that one micro less is too little.
        alice, bob = world.trader("alice", 10 * MARK // 20), world.trader("bob")
        trade = world.trade(alice, bob, 10, maker_fee=fee)
        assert world.apply(trade) == expected


def test_a_closed_position_leaves_no_trace():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 3, instrument=1)) == Code.APPLIED
    before = world.account(alice).positions.tobytes()
    assert world.apply(world.trade(alice, bob, 5, instrument=0)) == Code.APPLIED
    assert world.account(alice).positions["instrument"].tolist()[:2] == [0, 1]
    assert world.apply(world.trade(bob, alice, 5, instrument=0)) == Code.APPLIED
    assert world.account(alice).position_count == 1
    assert world.account(alice).positions.tobytes() == before
