"""Doubts about prices: the stable price, bands and call auctions, outages, disagreement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.codes import Code, InstrumentStatus, Kind
from clearing.compiler import checked
from clearing.formulas import evaluate
from clearing.genesis import GenesisAsset
from clearing.messages import Price
from clearing.oracle import Use
from clearing.price_gates import (
    NON_POSITIVE,
    STALE_MARGIN,
    STALE_OPEN,
    UNCERTAIN,
    VOLATILE,
    allows,
    confidence_of,
    price_doubts,
    stable_after,
)
from clearing.units import PPM, PRICE_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.calls import AUCTION_MS, banded
from tests.support.world import MARK, PUBLISHERS, START_MS, World

HOUR_MS = 3_600_000
ASSET_PRICES = 1 << 31


def gapped(**changes):
    """A market whose price has just jumped out of its band, by 15 in a hundred."""
    world = banded(**changes)
    world.wait(1_000)
    assert world.apply(world.price(0, 57_500_000)) == Code.APPLIED
    return world


def doubts(world, instrument=0):
    world.totals.clock = world.time
    with checked():
        return int(price_doubts(world.state, world.instrument(instrument)))


# The stable price


@pytest.mark.parametrize(
    ("stable", "price", "elapsed", "rate", "expected"),
    [
        (0, 77, 5, 100, 77),
        (1_000_000, 2_000_000, HOUR_MS, PPM, 2_000_000),
        # A fifth an hour is 1/30 of it in ten minutes, and longer counts as ten minutes.
        (50_000_000, 60_000_000, 600_000, 200_000, 51_666_667),
        (50_000_000, 60_000_000, HOUR_MS, 200_000, 51_666_667),
        (50_000_000, 40_000_000, 600_000, 200_000, 48_333_333),
        (50_000_000, 50_000_010, 1_000, 200_000, 50_000_010),
        (50_000_000, 60_000_000, 0, 200_000, 50_000_000),
        (2, 1, 1, 1, 1),
        (PRICE_MAX, 1, 600_000, 999_999, PRICE_MAX - 46_912_449_205_947),
    ],
)
def test_the_stable_price_follows_the_mark_no_faster_than_its_rate(
    stable, price, elapsed, rate, expected
):
    with checked():
        assert stable_after(stable, price, elapsed, rate) == expected


@given(
    st.integers(1, PRICE_MAX),
    st.integers(1, PRICE_MAX),
    st.integers(0, 1 << 62),
    st.integers(0, PPM - 1),
)
def test_the_stable_price_moves_towards_the_price_and_never_past_it(stable, price, elapsed, rate):
    with checked():
        moved = int(stable_after(stable, price, elapsed, rate))
    assert min(stable, price) <= moved <= max(stable, price)
    reach = -(-stable * rate * min(elapsed, 600_000) // (PPM * HOUR_MS))
    assert abs(moved - stable) == min(reach, abs(price - stable))


def test_without_a_limit_the_stable_price_is_the_mark():
    world = World()
    world.move_price(MARK + 7)
    assert world.instrument().stable_price == MARK + 7


# Confidence


@pytest.mark.parametrize(
    ("lowest", "middle", "highest", "expected"),
    [
        (100, 100, 100, PPM),
        (99, 100, 101, 980_000),
        (1, 3, 2, 666_666),
        (1, 1, PRICE_MAX, 0),
        (50, 100, 150, 0),
    ],
)
def test_confidence_is_what_the_spread_leaves_of_one(lowest, middle, highest, expected):
    with checked():
        assert confidence_of(lowest, middle, highest) == expected


def disagreeing(world, *prices):
    """A price on which the publishers disagree, of (mark, index) pairs."""
    seen = zip(PUBLISHERS, prices, strict=False)
    return Price(0, tuple(world.observe(name, 0, mark, index) for name, (mark, index) in seen))


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([(MARK, MARK)] * 3, PPM),
        ([(MARK - 500_000, MARK), (MARK, MARK), (MARK, MARK)], 990_000),
        ([(MARK - 500_000, MARK), (MARK, MARK + 1_000_000), (MARK, MARK)], 980_000),
    ],
)
def test_the_wider_disagreement_of_index_and_mark_counts(prices, expected):
    world = World()
    world.wait(1_000)
    assert world.apply(disagreeing(world, *prices)) == Code.APPLIED
    assert world.instrument().confidence_ppm == expected


def test_publishers_who_disagree_leave_a_market_to_reduce_and_to_liquidate_clr_trd_005():
    world = World(confidence_floor_ppm=990_000)
    alice, bob = world.trader("alice"), world.trader("bob")
    world.wait(1_000)
    assert world.apply(world.trade(alice, bob, lots=2)) == Code.APPLIED
    wide = [(MARK - 500_001, MARK), (MARK, MARK), (MARK, MARK)]
    assert world.apply(disagreeing(world, *wide)) == Code.APPLIED
    assert doubts(world) == UNCERTAIN
    assert world.apply(world.trade(alice, bob)) == Code.PRICE_STALE
    assert world.apply(world.trade(bob, alice)) == Code.APPLIED
    assert world.apply(world.liquidate(alice, bob)) == Code.HEALTHY


def test_anyone_can_check_the_gates_from_plain_numbers():
    moved = {"stable_price": MARK, "price": 2 * MARK, "elapsed_ms": 600_000, "rate_ppm": 60_000}
    assert evaluate("stable_price", moved) == {"stable_price": MARK + 500_000}
    spread = {"lowest": 99, "median": 100, "highest": 101}
    assert evaluate("price_confidence", spread) == {"confidence_ppm": 980_000}
    for mark, breached in ((110, False), (111, True), (89, True)):
        told = {"mark_price": mark, "stable_price": 100, "band_ppm": 100_000}
        assert evaluate("price_band_breached", told) == {"breached": breached}


# The matrix


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [
        (60_000, 0),
        (60_001, STALE_OPEN),
        (300_000, STALE_OPEN),
        (300_001, STALE_OPEN | STALE_MARGIN),
    ],
)
def test_a_mark_grows_stale_for_opening_and_then_for_margin(age_ms, expected):
    world = World()
    world.wait(age_ms)
    assert doubts(world) == expected


def test_a_market_without_a_price_is_good_for_nothing():
    world = World(prices=(MARK, 0, 0))
    assert doubts(world, 1) == NON_POSITIVE
    assert [use for use in Use if allows(NON_POSITIVE, use)] == [Use.SETTLE, Use.EXPIRE]


def test_what_settles_is_in_no_doubt():
    world = World()
    world.wait(1 << 39)
    world.instrument().status = InstrumentStatus.SETTLING
    assert doubts(world) == 0


@pytest.mark.parametrize("use", list(Use))
def test_a_price_without_doubt_serves_for_everything(use):
    assert allows(0, use)


@pytest.mark.parametrize(
    ("doubt", "forbidden"),
    [
        (STALE_OPEN, {Use.OPEN}),
        (
            STALE_MARGIN,
            {Use.OPEN, Use.REDUCE, Use.LIQUIDATE, Use.WITHDRAW, Use.DELEVERAGE, Use.ROW_CHECK},
        ),
        (UNCERTAIN, {Use.OPEN, Use.FUNDING, Use.WITHDRAW}),
        (VOLATILE, {Use.OPEN, Use.LIQUIDATE, Use.FUNDING, Use.WITHDRAW, Use.DELEVERAGE}),
        (NON_POSITIVE, set(Use) - {Use.SETTLE, Use.EXPIRE}),
    ],
)
def test_each_doubt_forbids_what_the_protocol_says(doubt, forbidden):
    assert {use for use in Use if not allows(doubt, use)} == forbidden


def test_a_stale_price_serves_for_reducing_until_it_is_stale_for_margin_clr_trd_005():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, lots=3)) == Code.APPLIED
    world.wait(300_000)
    assert world.apply(world.trade(alice, bob)) == Code.PRICE_STALE
    assert world.apply(world.trade(bob, alice)) == Code.APPLIED
    world.wait(1)
    assert world.apply(world.trade(bob, alice)) == Code.PRICE_STALE


# Bands and auctions


@pytest.mark.parametrize(
    ("mark", "status"),
    [
        # A second lets the stable price move by 2,778 of the 50,000,000: a tenth of that and it.
        (55_003_055, InstrumentStatus.ACTIVE),
        (55_003_056, InstrumentStatus.AUCTION),
        (44_997_501, InstrumentStatus.ACTIVE),
        (44_997_499, InstrumentStatus.AUCTION),
    ],
)
def test_a_price_beyond_the_band_opens_an_auction(mark, status):
    world = banded()
    world.wait(1_000)
    assert world.apply(world.price(0, mark)) == Code.APPLIED
    row = world.instrument()
    assert (row.status, row.mark_price, row.index_price) == (status, mark, mark)
    assert row.auction_end == (world.time + AUCTION_MS if status else 0)


def test_in_an_auction_nobody_trades_is_liquidated_or_funded_clr_gat_001():
    world = banded()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    world.wait(HOUR_MS)
    samples = int(world.instrument().premium_samples)
    assert world.apply(world.price(0, 57_500_000)) == Code.APPLIED
    assert world.instrument().status == InstrumentStatus.AUCTION
    assert world.instrument().premium_samples == samples
    assert doubts(world) == VOLATILE
    world.instrument().grace_until = 0
    assert world.apply(world.trade(alice, bob)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.liquidate(alice, bob)) == Code.GATED
    assert world.apply(world.funding()) == Code.PRICE_STALE


def test_the_first_price_inside_reopens_once_the_auction_is_over():
    world = gapped()
    world.wait(AUCTION_MS - 1)
    assert world.apply(world.price(0, 52_000_000)) == Code.APPLIED
    assert world.instrument().status == InstrumentStatus.AUCTION
    world.wait(1)
    assert world.apply(world.price(0, 52_000_000)) == Code.APPLIED
    row = world.instrument()
    assert (row.status, row.auction_end, row.auction_price) == (InstrumentStatus.ACTIVE, 0, 0)
    assert row.stable_price < 52_000_000


def test_a_gap_that_stays_extends_its_auction_once_and_then_is_the_price():
    world = gapped(stable_rate_ppm=0)
    assert world.instrument().auction_price == 57_500_000
    world.wait(AUCTION_MS)
    assert world.apply(world.price(0, 58_000_000)) == Code.APPLIED
    row = world.instrument()
    assert (row.status, row.auction_end, row.auction_price) == (
        InstrumentStatus.AUCTION,
        world.time + AUCTION_MS,
        0,
    )
    world.wait(AUCTION_MS)
    assert world.apply(world.price(0, 58_500_000)) == Code.APPLIED
    row = world.instrument()
    assert (row.status, row.stable_price) == (InstrumentStatus.ACTIVE, 58_500_000)


def test_a_market_that_may_only_be_reduced_stays_so_beyond_the_band():
    world = banded()
    world.instrument().status = InstrumentStatus.REDUCE_ONLY
    world.wait(1_000)
    assert world.apply(world.price(0, 57_500_000)) == Code.APPLIED
    assert world.instrument().status == InstrumentStatus.REDUCE_ONLY
    assert doubts(world) == VOLATILE


class Uncrossing(Case):
    """An auction is over; its venues found a price between the stable price and the mark."""

    def prepare(self):
        self.world = gapped()
        self.world.wait(AUCTION_MS)
        self.publishers = list(PUBLISHERS[:3])
        self.fields = {"instrument": 0, "price": 54_000_000, "time": self.world.time}

    def action(self):
        return self.world.published(Kind.UNCROSS, (), self.publishers, **self.fields)


def change(field, value):
    def apply(case):
        case.fields[field] = value

    return apply


def not_in_auction(case):
    case.world.instrument().status = InstrumentStatus.ACTIVE


def too_few(case):
    del case.publishers[0]


def foreign(case):
    case.publishers[-1] = "mallory"


def off_tick(case):
    case.fields["price"] += 1


def outside(case):
    case.fields["price"] += 30_000_000


FAULTS = {
    **COMMON,
    Code.NO_INSTRUMENT: change("instrument", 3),
    Code.INSTRUMENT_STATUS: not_in_auction,
    Code.OFF_TICK: off_tick,
    Code.PRICE_BAND: outside,
    Code.QUORUM: too_few,
    Code.PUBLISHER: foreign,
    Code.PRICE_TIME: change("time", START_MS),
}


@pytest.mark.parametrize("code", [*FAULTS])
def test_an_uncrossing_that_breaks_one_rule_is_rejected_with_its_code(code):
    assert outcome(Uncrossing, FAULTS, code) == code


@pairs(FAULTS)
def test_of_two_broken_rules_of_uncrossing_the_first_is_named(first, second):
    assert outcome(Uncrossing, FAULTS, second, first) == first


def test_the_uniform_price_reopens_the_market():
    case = Uncrossing()
    assert case.outcome() == Code.APPLIED
    row = case.world.instrument()
    assert (row.status, row.mark_price, row.stable_price, row.price_time) == (
        InstrumentStatus.ACTIVE,
        54_000_000,
        54_000_000,
        case.world.time,
    )
    assert case.outcome() == Code.INSTRUMENT_STATUS


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        # Five in a hundred below the stable price of 50,002,778, and above the mark of 57,500,000.
        (47_502_640, Code.APPLIED),
        (47_502_630, Code.PRICE_BAND),
        (60_375_000, Code.APPLIED),
        (60_375_010, Code.PRICE_BAND),
    ],
)
def test_the_uniform_price_lies_between_stable_price_and_mark_clr_trd_010(price, expected):
    case = Uncrossing()
    case.fields["price"] = price
    assert case.outcome() == expected


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(-1, Code.PRICE_TIME), (0, Code.APPLIED), (10_000, Code.APPLIED), (10_001, Code.PRICE_TIME)],
)
def test_the_uniform_price_is_of_a_time_after_the_auction_clr_prc_003(offset, expected):
    case = Uncrossing()
    case.fields["time"] += offset
    assert case.outcome() == expected


def test_the_uniform_price_is_newer_than_the_last_price_clr_prc_003():
    case = Uncrossing()
    # Publishers' clocks lead by up to ten seconds: the last price is of a time after the auction.
    case.world.wait(-5_000)
    late = case.world.time + 8_000
    assert case.world.apply(case.world.price(0, 57_500_000, time=late)) == Code.APPLIED
    assert case.world.instrument().status == InstrumentStatus.AUCTION
    case.world.wait(5_000)
    case.fields["time"] = late
    assert case.outcome() == Code.PRICE_TIME
    case.fields["time"] = late + 1
    assert case.outcome() == Code.APPLIED
    row = case.world.instrument()
    assert (row.price_time, row.stable_time) == (late + 1, late + 1)


# Outages


def test_after_an_outage_people_have_time_before_they_are_liquidated_clr_gat_001():
    world = World(price_jump_ppm=PPM)
    maker, taker, keeper = world.trader("maker"), world.trader("taker"), world.trader("keeper")
    assert world.apply(world.trade(maker, taker, lots=300, side=2)) == Code.APPLIED
    world.wait(300_001)
    assert world.apply(world.price(0, MARK - 3_000_000)) == Code.APPLIED
    assert world.instrument().grace_until == world.time + 60_000
    world.wait(59_999)
    assert world.apply(world.liquidate(keeper, taker)) == Code.GATED
    world.wait(1)
    assert world.apply(world.liquidate(keeper, taker)) == Code.APPLIED


def test_neither_the_first_price_nor_a_timely_one_gives_a_grace():
    world = World()
    world.wait(300_000)
    assert world.apply(world.price(0, MARK)) == Code.APPLIED
    assert world.instrument().grace_until == 0


# Collateral


def with_asset(**changes):
    asset = GenesisAsset(haircut_ppm=50_000, initial_haircut_ppm=0, cap=10**12, scale=10**12)
    return World(**{"assets": (asset,), "stable_rate_ppm": 360_000, **changes})


def test_publishers_price_collateral_under_numbers_of_its_own():
    world = with_asset()
    assert world.apply(world.price(ASSET_PRICES + 1, 7, 1_000_000)) == Code.APPLIED
    world.wait(10_000)
    assert world.apply(world.price(ASSET_PRICES + 1, 7, 1_100_000)) == Code.APPLIED
    asset = world.state.assets[1]
    # 36 % an hour is a thousandth in ten seconds.
    assert (asset.price, asset.stable_price, asset.price_time) == (
        1_100_000,
        1_001_000,
        START_MS + 10_000,
    )


@pytest.mark.parametrize(
    ("number", "index", "wait", "expected"),
    [
        (0, 1_000_000, 1_000, Code.NO_ASSET),
        (2, 1_000_000, 1_000, Code.NO_ASSET),
        (1, 1_000_000, 0, Code.PRICE_TIME),
        (1, 1_200_000, 1_000, Code.APPLIED),
        (1, 1_200_001, 1_000, Code.PRICE_JUMP),
        (1, 5_000_000, 300_001, Code.APPLIED),
    ],
)
def test_prices_of_collateral_are_judged_as_all_prices_clr_act_008(number, index, wait, expected):
    world = with_asset()
    assert world.apply(world.price(ASSET_PRICES + 1, 7, 1_000_000)) == Code.APPLIED
    world.wait(wait)
    assert world.apply(world.price(ASSET_PRICES + number, 7, index)) == expected


def test_prices_of_collateral_need_a_quorum_of_publishers_clr_prc_001_clr_prc_002():
    world = with_asset()
    few = world.price(ASSET_PRICES + 1, 7, publishers=PUBLISHERS[:2])
    foreign_ones = world.price(ASSET_PRICES + 1, 7, publishers=(*PUBLISHERS[:2], "mallory"))
    assert world.apply(few) == Code.QUORUM
    assert world.apply(foreign_ones) == Code.PUBLISHER
