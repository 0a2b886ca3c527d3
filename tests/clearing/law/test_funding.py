"""Funding: the rate of the interval, one index, and payments that never exceed what was paid."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, Side
from clearing.messages import Funding as FundingAction
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import DEPOSIT, MARK, World

HOUR = 3_600_000
PERIOD = 8 * HOUR
SCALE = 10**12


class Funding(Case):
    """An hour has passed since genesis."""

    def prepare(self):
        self.instrument = 0
        self.world.wait(HOUR)

    def action(self):
        return FundingAction(self.instrument)


def unknown(case):
    case.instrument = 3


def early(case):
    case.world.time -= 1


FAULTS = {**COMMON, Code.NO_INSTRUMENT: unknown, Code.FUNDING_EARLY: early}


def fault(*codes):
    return outcome(Funding, FAULTS, *codes)


def index_of(row):
    """The funding index of an instrument or position as one integer."""
    return int(row.funding_high) * 2**62 + int(row.funding_low)


def fund(world, elapsed, *premiums):
    """Add samples by setting their sum, let time pass, and apply the funding action."""
    row = world.instrument()
    row.premium_sum, row.premium_samples = sum(premiums), len(premiums)
    world.wait(elapsed)
    return world.apply(FundingAction(0))


def test_funding_resets_the_samples_and_the_clock():
    world = World()
    world.wait(HOUR)
    assert world.apply(FundingAction(0)) == Code.APPLIED
    row = world.instrument()
    assert (row.premium_sum, row.premium_samples, row.funding_time) == (0, 0, world.time)
    assert index_of(row) == 0


def test_funding_with_a_byte_too_many_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_funding_in_a_halted_law_is_rejected_clr_act_004():
    assert fault(Code.HALTED) == Code.HALTED


def test_funding_of_an_unknown_instrument_is_rejected_clr_act_007():
    assert fault(Code.NO_INSTRUMENT) == Code.NO_INSTRUMENT


def test_funding_before_the_interval_has_passed_is_rejected_clr_fnd_001():
    assert fault(Code.FUNDING_EARLY) == Code.FUNDING_EARLY
    assert fault() == Code.APPLIED


def test_funding_without_a_sample_is_rejected_clr_fnd_001():
    world = World(prices=(0, 0, 0))
    world.wait(HOUR)
    assert world.apply(FundingAction(0)) == Code.FUNDING_EARLY


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


@pytest.mark.parametrize(
    ("elapsed", "premiums", "rate", "charged"),
    [
        (HOUR, [800], 800, HOUR),
        (PERIOD, [800, 801], 800, PERIOD),
        (PERIOD, [-800, -801], -800, PERIOD),
        (PERIOD, [300, -100], 100, PERIOD),
        # The cap is 2 % a period, and no more than a period is charged at once.
        (PERIOD, [20_001], 20_000, PERIOD),
        (HOUR, [-900_000], -20_000, HOUR),
        (5 * PERIOD, [800], 800, PERIOD),
        (HOUR + 7, [799], 799, HOUR + 7),
        (HOUR + 7, [-799], -799, HOUR + 7),
    ],
)
def test_the_index_moves_by_rate_times_mark_times_time(elapsed, premiums, rate, charged):
    world = World()
    assert fund(world, elapsed, *premiums) == Code.APPLIED
    assert index_of(world.instrument()) == rate * MARK * charged * SCALE // (10**6 * PERIOD)


def test_moves_of_the_index_add_up_across_the_limbs():
    world = World(prices=(1 << 40, 0, 0))
    expected = 0
    for premium in (20_000, -20_000, -20_000, 20_000, 7):
        assert fund(world, PERIOD, premium) == Code.APPLIED
        expected += floor(Fraction(premium * (1 << 40) * SCALE, 10**6))
        assert index_of(world.instrument()) == expected


def funded_pair(lots, elapsed, premium, side=Side.BUY):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, lots, side=side)) == Code.APPLIED
    assert fund(world, elapsed, premium) == Code.APPLIED
    world.move_price(MARK)
    return world, alice, bob


def close(world, trader, other, lots):
    """Close `lots` of the trader's long (positive) or short against `other`, at the mark."""
    side = Side.SELL if lots > 0 else Side.BUY
    assert world.apply(world.trade(trader, other, abs(lots), side=side)) == Code.APPLIED


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("premium", [800, -800])
def test_the_payer_pays_up_and_the_receiver_gets_down(side, premium):
    world, alice, bob = funded_pair(3, HOUR + 7, premium, side)
    change = index_of(world.instrument())
    assert 3 * change % SCALE
    lots = world.lots(alice)
    close(world, alice, bob, lots)
    owed_alice = ceil(Fraction(lots * change, SCALE))
    owed_bob = ceil(Fraction(-lots * change, SCALE))
    assert world.account(alice).cash == DEPOSIT - owed_alice
    assert world.account(bob).cash == DEPOSIT - owed_bob
    assert world.instrument().pot == owed_alice + owed_bob == 1
    assert world.totals.pot_total == 1


def test_a_pot_lends_to_whoever_settles_first_and_is_made_whole():
    world, alice, bob = funded_pair(3, PERIOD, 800)
    carol = world.trader("carol")
    owed = 3 * 800 * MARK // 10**6
    close(world, bob, carol, -3)
    assert world.instrument().pot == -owed
    assert world.account(bob).cash == DEPOSIT + owed
    close(world, alice, carol, 3)
    assert world.instrument().pot == 0
    assert world.account(alice).cash == DEPOSIT - owed


def test_a_position_owes_nothing_for_the_time_before_it_opened():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert fund(world, PERIOD, 800) == Code.APPLIED
    world.move_price(MARK)
    assert world.apply(world.trade(alice, bob, 3)) == Code.APPLIED
    close(world, alice, bob, 3)
    assert world.account(alice).cash == world.account(bob).cash == DEPOSIT


def test_funding_owed_is_part_of_equity():
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, 3)) == Code.APPLIED
    assert fund(world, PERIOD, 800) == Code.APPLIED
    assert world.apply(world.price(0, MARK)) == Code.APPLIED
    owed, kept = 3 * 800 * MARK // 10**6, 3 * MARK // 10
    over = world.withdraw(alice, DEPOSIT - owed - kept + 1)
    assert world.apply(over) == Code.TRANSFER_MARGIN
    assert world.apply(world.withdraw(alice, DEPOSIT - owed - kept)) == Code.APPLIED
    over = world.withdraw(bob, DEPOSIT + owed - kept + 1)
    assert world.apply(over) == Code.TRANSFER_MARGIN


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 2),
            st.integers(1, 4),
            st.integers(HOUR, PERIOD),
            st.integers(-20_000, 20_000),
        ).filter(lambda move: move[0] != move[1]),
        min_size=1,
        max_size=8,
    )
)
def test_when_all_are_flat_the_pot_holds_the_roundings_and_no_more(moves):
    world = World()
    traders = [world.trader(name) for name in ("alice", "bob", "carol")]
    for buyer, seller, lots, elapsed, premium in moves:
        trade = world.trade(traders[buyer], traders[seller], lots)
        assert world.apply(trade) == Code.APPLIED
        assert fund(world, elapsed, premium) == Code.APPLIED
        world.move_price(MARK)
    settlements = 2 * len(moves)
    while longs := [t for t in traders if world.lots(t) > 0]:
        short = next(t for t in traders if world.lots(t) < 0)
        lots = min(world.lots(longs[0]), -world.lots(short))
        close(world, longs[0], short, lots)
        settlements += 2
    assert 0 <= world.instrument().pot < settlements
