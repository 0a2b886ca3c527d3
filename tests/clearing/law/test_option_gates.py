"""What an option's mark is good for: it rests on a row, on the set that it is of, and on the index;
and how much of an option anybody may hold."""

import pytest

from clearing.codes import Code
from clearing.compiler import checked
from clearing.price_gates import (
    NON_POSITIVE,
    STALE_MARGIN,
    STALE_OPEN,
    UNCERTAIN,
    price_doubts,
)
from clearing.units import VALUE_MAX
from tests.support.options import CALLS, PUTS, OptionWorld
from tests.support.world import DEPOSIT, MARK

OPTION = CALLS[1]
PREMIUM = 1_000_000
PRICE_OPEN_MS = 60_000  # a price is good to open at up to this age, and to margin by
PRICE_MARGIN_MS = 300_000
ROWS_OPEN_MS = 300_000  # the same of rows
ROWS_MARGIN_MS = 3_600_000


def published(**changes):
    """A world whose options have just got rows, at an index of this moment."""
    world = OptionWorld(**changes)
    world.move_price(MARK)
    world.publish_rows(extra=PREMIUM)
    assert doubts(world) == 0
    return world


def doubts(world, option=OPTION):
    world.totals.clock = world.time
    with checked():
        return int(price_doubts(world.state, world.instrument(option)))


@pytest.mark.parametrize(
    ("index_age_ms", "rows_age_ms", "expected"),
    [
        (PRICE_OPEN_MS, ROWS_OPEN_MS, 0),
        (PRICE_OPEN_MS + 1, 0, STALE_OPEN),
        (PRICE_MARGIN_MS, 0, STALE_OPEN),
        (PRICE_MARGIN_MS + 1, 0, STALE_OPEN | STALE_MARGIN),
        (0, ROWS_OPEN_MS + 1, STALE_OPEN),
        (0, ROWS_MARGIN_MS, STALE_OPEN),
        (0, ROWS_MARGIN_MS + 1, STALE_OPEN | STALE_MARGIN),
    ],
)
def test_an_options_mark_is_as_old_as_its_index_and_as_its_rows(
    index_age_ms, rows_age_ms, expected
):
    world = published()
    world.wait(ROWS_MARGIN_MS + 1)
    world.underlying.price_time = world.time - index_age_ms
    world.series.active_time = world.time - rows_age_ms
    assert doubts(world) == expected


def test_an_option_trades_at_a_fresh_index_alone_however_fresh_its_rows_clr_trd_005():
    world = published()
    maker, taker = world.trader("maker"), world.trader("taker", 10 * DEPOSIT)
    trade = {"price": PREMIUM, "instrument": OPTION}
    world.wait(PRICE_OPEN_MS)
    assert world.apply(world.trade(maker, taker, **trade)) == Code.APPLIED
    world.wait(1)
    assert world.apply(world.trade(maker, taker, **trade)) == Code.PRICE_STALE
    assert world.apply(world.trade(taker, maker, **trade)) == Code.APPLIED


@pytest.mark.parametrize(("floor_ppm", "expected"), [(970_000, 0), (970_001, UNCERTAIN)])
def test_rows_of_publishers_who_disagree_are_uncertain(floor_ppm, expected):
    world = OptionWorld(confidence_floor_ppm=floor_ppm)
    world.move_price(MARK)
    world.stage(world.rows(extra=PREMIUM))
    assert world.apply(world.activation(confidence_ppm=970_000)) == Code.APPLIED
    assert doubts(world) == expected


def test_an_option_without_a_row_in_the_active_set_has_no_price_clr_trd_005():
    world = published()
    maker, taker = world.trader("maker"), world.trader("taker", 10 * DEPOSIT)
    number = int(world.series.active_number)
    # As one that was listed after the set was staged: its place holds the row of an older set.
    world.instrument(OPTION).rows[number % 2].number = number - 1
    assert doubts(world) == NON_POSITIVE
    assert doubts(world, CALLS[0]) == 0
    trade = world.trade(maker, taker, price=PREMIUM, instrument=OPTION)
    assert world.apply(trade) == Code.PRICE_STALE


@pytest.mark.parametrize(
    ("option", "most"),
    # A call is worth an index of 50 million at most, a put its strike of 60 million.
    [(CALLS[1], VALUE_MAX // 50_000_000), (PUTS[2], VALUE_MAX // 60_000_000)],
)
def test_an_option_is_bounded_by_the_higher_of_strike_and_index_clr_trd_014(option, most):
    world = published()
    maker, taker = world.trader("maker"), world.trader("taker")
    price = 10_000_000 + PREMIUM if option == PUTS[2] else PREMIUM
    for lots, expected in ((most + 1, Code.POSITION_CAP), (most, Code.MARGIN)):
        trade = world.trade(maker, taker, lots, price, instrument=option)
        assert world.apply(trade) == expected
