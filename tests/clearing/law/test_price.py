"""Price: a quorum of publishers, the true lower median, time that moves on, bounded jumps."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.codes import Code, Status
from clearing.messages import Price as PriceAction
from clearing.units import PRICE_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import MARK, PUBLISHERS, START_MS, World, address_of


class Price(Case):
    """Three publishers agree on a price a little above the last, a second later."""

    def prepare(self):
        self.world.wait(1_000)
        self.instrument, self.mark, self.time = 0, MARK + 1, None
        self.publishers = list(PUBLISHERS[:3])

    def action(self):
        return self.world.price(
            self.instrument, self.mark, time=self.time, publishers=self.publishers
        )


def set_instrument(case):
    case.instrument = 3


def too_few(case):
    del case.publishers[0]


def foreign(case):
    case.publishers[-1] = "mallory"


def in_the_past(case):
    case.time = START_MS


def jumping(case):
    case.mark = MARK * 2


FAULTS = {
    **COMMON,
    Code.NO_INSTRUMENT: set_instrument,
    Code.QUORUM: too_few,
    Code.PUBLISHER: foreign,
    Code.PRICE_TIME: in_the_past,
    Code.PRICE_JUMP: jumping,
}


def fault(*codes):
    return outcome(Price, FAULTS, *codes)


def observed(world, *observations, instrument=0):
    """A price action of (mark, index, time) observations, one a publisher."""
    return PriceAction(
        instrument,
        tuple(
            world.observe(name, instrument, *seen)
            for name, seen in zip(PUBLISHERS, observations, strict=False)
        ),
    )


def fresh_world(count=5, quorum=1):
    names = [f"publisher {i}" for i in range(count)]
    return World(
        prices=(0, 0, 0),
        publishers=tuple(address_of(name) for name in names),
        price_quorum=quorum,
    )


def test_a_price_sets_mark_index_and_time():
    world = World()
    world.wait(5_000)
    assert world.apply(world.price(0, MARK + 7, MARK - 3)) == Code.APPLIED
    row = world.instrument()
    assert (row.mark_price, row.index_price, row.price_time) == (
        MARK + 7,
        MARK - 3,
        START_MS + 5_000,
    )
    # The market is the reference of its underlying, whose index is that of the price.
    underlying = world.state.underlyings[0]
    assert (underlying.index_price, underlying.price_time) == (MARK - 3, START_MS + 5_000)


@pytest.mark.parametrize(
    ("marks", "indices", "confidence"),
    [
        ((1_000, 1_000, 1_000), (1_000, 1_000, 1_000), 1_000_000),
        # Marks 40 apart around 1,000; indices 25 apart: the less certain of the two counts.
        ((980, 1_000, 1_020), (990, 1_000, 1_015), 960_000),
        ((990, 1_000, 1_015), (980, 1_000, 1_020), 960_000),
    ],
)
def test_a_price_is_as_certain_as_its_observations_are_near(marks, indices, confidence):
    world = fresh_world(3)
    time = world.time
    seen = [(mark, index, time) for mark, index in zip(marks, indices, strict=True)]
    assert world.apply(observed(world, *seen)) == Code.APPLIED
    assert world.instrument().confidence_ppm == confidence


def test_a_price_with_a_byte_too_many_is_malformed_clr_act_001():
    assert fault(Code.MALFORMED) == Code.MALFORMED


def test_a_price_in_a_halted_law_is_rejected_clr_act_004():
    assert fault(Code.HALTED) == Code.HALTED


def test_a_price_of_an_unknown_instrument_is_rejected_clr_act_007():
    assert fault(Code.NO_INSTRUMENT) == Code.NO_INSTRUMENT


def test_fewer_observations_than_the_quorum_are_rejected_clr_prc_001():
    assert fault(Code.QUORUM) == Code.QUORUM


def test_no_observation_at_all_is_rejected_clr_prc_001():
    assert World().apply(PriceAction(0, ())) == Code.QUORUM


def test_seventeen_observations_are_rejected_clr_prc_001():
    world = fresh_world(count=16)
    names = [f"publisher {i}" for i in range(16)]
    one_more = world.price(0, MARK, publishers=[*names, names[0]])
    assert world.apply(one_more) == Code.QUORUM
    assert world.apply(world.price(0, MARK, publishers=names)) == Code.APPLIED


def test_a_signer_who_is_no_publisher_is_rejected_clr_prc_002():
    assert fault(Code.PUBLISHER) == Code.PUBLISHER


def test_a_publisher_who_signs_twice_is_rejected_clr_prc_002():
    world = World()
    world.wait(1_000)
    twice = [PUBLISHERS[0], PUBLISHERS[1], PUBLISHERS[0]]
    assert world.apply(world.price(0, MARK, publishers=twice)) == Code.PUBLISHER


def test_an_observation_of_another_market_is_rejected_clr_prc_002():
    world = World()
    world.wait(1_000)
    action = replace(world.price(1, MARK), instrument=0)
    assert world.apply(action) == Code.PUBLISHER


def test_a_time_at_the_last_one_is_rejected_clr_prc_003():
    assert fault(Code.PRICE_TIME) == Code.PRICE_TIME


def test_a_price_cannot_be_replayed_clr_prc_003():
    world = World()
    world.wait(1_000)
    action = world.price(0, MARK)
    assert world.apply(action) == Code.APPLIED
    assert world.apply(action) == Code.PRICE_TIME


@pytest.mark.parametrize(("ahead", "expected"), [(10_000, Code.APPLIED), (10_001, Code.PRICE_TIME)])
def test_one_observation_beyond_the_drift_rejects_all_clr_prc_003(ahead, expected):
    world = World()
    world.wait(1_000)
    now = world.time
    action = observed(world, (MARK, MARK, now), (MARK, MARK, now), (MARK, MARK, now + ahead))
    assert world.apply(action) == expected


def test_the_median_time_must_move_on_clr_prc_003():
    world = World()
    world.wait(1_000)
    old, now = START_MS, world.time
    action = observed(world, (MARK, MARK, old), (MARK, MARK, old), (MARK, MARK, now))
    assert world.apply(action) == Code.PRICE_TIME
    action = observed(world, (MARK, MARK, old), (MARK, MARK, now), (MARK, MARK, now))
    assert world.apply(action) == Code.APPLIED


def test_a_jump_is_rejected_clr_prc_004():
    assert fault(Code.PRICE_JUMP) == Code.PRICE_JUMP


@pytest.mark.parametrize("mark_moves", [True, False])
@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (50_000_000, 60_000_000, Code.APPLIED),
        (50_000_000, 60_000_001, Code.PRICE_JUMP),
        (50_000_000, 40_000_000, Code.APPLIED),
        (50_000_000, 39_999_999, Code.PRICE_JUMP),
        # A fifth of 7 is 1.4: one is within it, two are not.
        (7, 8, Code.APPLIED),
        (7, 9, Code.PRICE_JUMP),
        (4, 5, Code.PRICE_JUMP),
        (1, PRICE_MAX, Code.PRICE_JUMP),
        (PRICE_MAX, 1, Code.PRICE_JUMP),
    ],
)
def test_mark_and_index_may_move_by_the_bound_and_no_more_clr_prc_004(
    last, now, expected, mark_moves
):
    world = World(prices=(last, 0, 0))
    world.wait(1_000)
    action = world.price(0, now, last) if mark_moves else world.price(0, last, now)
    assert world.apply(action) == expected
    assert world.totals.status == Status.ACTIVE


@pytest.mark.parametrize(
    ("age_ms", "expected"), [(0, Code.PRICE_JUMP), (1, Code.APPLIED)], ids=["fresh", "stale"]
)
def test_a_gap_may_follow_a_price_that_no_longer_counts_for_margin(age_ms, expected):
    world = World(prices=(MARK, 0, 0))
    world.wait(world.params.price_stale_margin_ms + age_ms)
    assert world.apply(world.price(0, MARK // 2)) == expected


@pytest.mark.parametrize("mark", [1, PRICE_MAX])
def test_the_first_price_may_be_any(mark):
    world = World(prices=(0, 0, 0))
    assert world.apply(world.price(0, mark)) == Code.APPLIED


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9], 9),
        ([9, 4], 4),
        ([9, 4, 7], 7),
        ([9, 4, 7, 5], 5),
        ([4, 4, 9, 9], 4),
        ([9, 9, 4], 9),
        ([5, 5, 5, 5, 5], 5),
        ([1, PRICE_MAX, 3, 3, 2], 3),
        ([1, 1, 2, 2, 2], 2),
    ],
)
def test_the_lower_median_counts_duplicates(values, expected):
    world = fresh_world()
    action = observed(world, *((value, 1_000, world.time) for value in values))
    assert world.apply(action) == Code.APPLIED
    assert (world.instrument().mark_price, world.instrument().index_price) == (expected, 1_000)


@given(st.lists(st.tuples(*[st.integers(1, 9)] * 3), min_size=1, max_size=5))
def test_each_median_is_the_middle_of_the_sorted_values(observations):
    world = fresh_world()
    times = [(mark, index, world.time + time) for mark, index, time in observations]
    assert world.apply(observed(world, *times)) == Code.APPLIED
    row = world.instrument()
    middle = (len(times) - 1) // 2
    expected = [sorted(column)[middle] for column in zip(*times, strict=True)]
    assert [row.mark_price, row.index_price, row.price_time] == expected


@pytest.mark.parametrize(
    ("mark", "index", "sample"),
    [
        (101, 100, 10_000),
        (99, 100, -10_000),
        (100, 100, 0),
        # 1/3 of a premium is 333,333.3 ppm, towards zero on both sides.
        (4, 3, 333_333),
        (2, 3, -333_333),
        (PRICE_MAX, 1, 1_000_000),
        (1, PRICE_MAX, -999_999),
    ],
)
def test_each_price_adds_its_premium_as_a_sample(mark, index, sample):
    world = World(prices=(0, 0, 0))
    assert world.apply(world.price(0, mark, index)) == Code.APPLIED
    assert world.instrument().premium_sum == sample
    assert world.instrument().premium_samples == 1
