"""Carry of an expiry: the forward and discount that its rows are held to, and their own bounds."""

import numpy as np
import pytest

from clearing.codes import Code, InstrumentKind
from clearing.genesis import GenesisInstrument, GenesisUnderlying
from clearing.grid import CENTRE, linear_pnl
from clearing.units import LOTS_MAX, PPM
from risk.chain import read_chain
from risk.listed import carry_needed_ppm, grid_points, listed_rows
from risk.rows import option_rows
from risk.surface import fit_surface
from tests.risk.market import SPX_CHAINS
from tests.support.options import CALLS, EXPIRY_MS, IN_ORDER, NOBODY, Neighbours, OptionWorld
from tests.support.world import MARK, START_MS

DAY_MS = 86_400_000
MICRO_PER_LOT = 10_000  # of one quote: a lot is a hundredth of the index
# A year's share of the reference price, for the thirty days to the expiry: 24,658 ppm.
MOST = 24_658


def carried_rows(world, forward=MARK, discount=10**9):
    """Rows of a model at a forward and a discount."""
    strikes = [int(world.instrument(id).strike) for id in IN_ORDER]
    calls = np.array([id in CALLS for id in IN_ORDER])
    made = option_rows(forward, discount, 30 / 365, strikes, calls, np.full(6, 0.6))
    return [(id, made.values[at].tolist()) for at, id in enumerate(IN_ORDER)]


def carried(world, forward=MARK, discount=10**9, **values):
    """The action that stages the rows of a forward and a discount."""
    rows = carried_rows(world, forward, discount)
    return world.row_action(rows, forward=forward, discount_nano=discount, **values)


def later(**changes):
    world = OptionWorld(**changes)
    world.wait(1_000)
    return world


# Real chains


def spx_world(surface, days):
    """Calls and puts of an index with so many days to go, at the default parameters."""
    strikes = [round(surface.spot * share / 25) * 25 for share in (0.8, 0.9, 0.95, 1, 1.05, 1.1)]
    caps = (LOTS_MAX, LOTS_MAX)
    options = [
        GenesisInstrument(
            f"SPX-{strike}-{kind.name}", 0, 10, 10_000_000, *caps,
            kind=kind, strike=strike * MICRO_PER_LOT,
        )
        for strike in strikes
        for kind in (InstrumentKind.CALL, InstrumentKind.PUT)
    ]  # fmt: skip
    reference = round(surface.spot * MICRO_PER_LOT)
    return OptionWorld(
        prices=(reference,),
        instruments=(GenesisInstrument("SPX-PERP", 0, 10, 10_000_000, *caps), *options),
        underlyings=(GenesisUnderlying(expiries=(START_MS + round(days * DAY_MS),)),),
    )


@pytest.mark.parametrize("chain", sorted(SPX_CHAINS), ids=lambda path: path.name[12:22])
def test_real_chains_of_every_expiry_pass_at_the_default_parameters(chain):
    surface = fit_surface(read_chain(chain))
    for one in surface.slices:
        days = one.terms.years * 365
        world = spx_world(surface, days)
        row = world.underlying
        options = range(1, int(world.totals.instrument_count))
        listed = [world.instrument(id) for id in options]
        found = listed_rows(
            surface,
            int(row.index_price),
            (int(world.series.expiry) - world.time) / (365 * DAY_MS),
            [int(one.strike) for one in listed],
            np.array([int(one.kind) == InstrumentKind.CALL for one in listed]),
            points=grid_points(row.prices.tolist(), row.damps.tolist()),
            volatility_shocks=(int(row.volatility_down_ppm), 0, int(row.volatility_up_ppm)),
        )
        left = int(world.series.expiry) - world.time
        needed = carry_needed_ppm(found, left)
        assert 0 < needed <= int(world.state.params[0].row_carry_ppm)
        terms = {
            "price": found.reference,
            "forward": found.rows.forward,
            "discount_nano": found.rows.discount,
        }
        rows = [(id, found.rows.values[at].tolist()) for at, id in enumerate(options)]
        calls = [id for id in options if id % 2]
        for first in (0, 6):
            before = NOBODY
            if first:
                before = Neighbours((calls[2], calls[1]), (calls[2] + 1, calls[1] + 1))
            action = world.row_action(rows[first : first + 6], before, **terms)
            assert world.apply(action) == Code.APPLIED, (one.terms.expiry, first)
        assert world.apply(world.activation(price=found.reference)) == Code.APPLIED
        if days > 20:
            # Against the spot the same rows would not do: that is what the forward is for.
            world = spx_world(surface, days)
            spot = world.row_action(rows[:6], price=found.reference)
            assert world.apply(spot) in (Code.ROW_BOUND, Code.ROW_PARITY), days
    assert len(surface.slices) > 3


def test_rows_with_carry_are_held_to_their_forward_and_not_to_the_index():
    world = later(row_parity_ppm=0)
    forward, discount = MARK + 1_000_000, 990_000_000
    assert world.apply(carried(world, forward, discount)) == Code.APPLIED
    world = later(row_parity_ppm=0)
    honest = carried_rows(world, forward, discount)
    for terms in ({"forward": forward}, {"discount_nano": discount}, {}):
        assert world.apply(world.row_action(honest, **terms)) in (Code.ROW_BOUND, Code.ROW_PARITY)


def test_parity_is_held_at_the_shocked_forward_and_discounted_clr_row_006():
    world = later()
    forward, discount = MARK + 1_000_000, 990_000_000
    rows = carried_rows(world, forward, discount)[:2]
    terms = {"forward": forward, "discount_nano": discount}
    id, values = rows[1]
    gap = rows[0][1][0] - values[0]
    shocked = forward + int(linear_pnl(forward, -180_000))
    # In full: 0.99 of forward less strike, where the price is lowest.
    assert abs(gap - (shocked - int(world.instrument(2).strike)) * 99 // 100) <= 1
    # The tolerance is a thousandth of the reference price, and two roundings.
    for by, expected in ((50_000, Code.APPLIED), (50_004, Code.ROW_PARITY)):
        case = later()
        bent = [rows[0], (id, [values[0] + by, *values[1:]])]
        assert case.apply(case.row_action(bent, **terms)) == expected


def test_a_call_is_worth_no_less_than_discounted_intrinsic_at_the_forward_clr_row_003():
    forward = MARK + 1_000_000
    for below, expected in ((0, Code.APPLIED), (50_002, Code.APPLIED), (50_003, Code.ROW_BOUND)):
        world = later()
        id, values = carried_rows(world, forward)[0]
        values[CENTRE] = forward - int(world.instrument(id).strike) - below
        assert world.apply(world.row_action([(id, values)], forward=forward)) == expected


@pytest.mark.parametrize(("more", "expected"), [(2, Code.APPLIED), (3, Code.ROW_MONOTONE)])
def test_strikes_differ_by_no_more_than_the_discount_allows_clr_row_004(more, expected):
    world = later()
    rows = carried_rows(world, discount=980_000_000)
    (low, below), (high, above) = rows[0], rows[2]
    # At five times the price both are deep in the money: 0.98 of ten million apart, and roundings.
    below[32] = above[32] + 9_800_000 + more
    action = world.row_action([(low, below), (high, above)], discount_nano=980_000_000)
    assert world.apply(action) == expected


# The bounds of carry


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("part", ["forward", "discount_nano"])
def test_carry_is_bounded_by_the_time_to_the_expiry_clr_row_003(part, sign):
    whole = MARK if part == "forward" else 10**9
    most = whole * MOST // PPM
    for by, expected in ((most, Code.APPLIED), (most + 1, Code.ROW_BOUND)):
        world = OptionWorld()
        terms = {"forward": MARK, "discount": 10**9}
        terms["forward" if part == "forward" else "discount"] = whole + sign * by
        assert world.apply(carried(world, **terms)) == expected


def test_on_the_last_day_carry_is_next_to_nothing_clr_row_003():
    for by, expected in ((50, Code.APPLIED), (51, Code.ROW_BOUND)):
        world = OptionWorld(price_stale_margin_ms=1 << 39)
        world.time = EXPIRY_MS - 60_000
        # 300,000 ppm a year are one part in a million for a minute.
        assert world.apply(carried(world, MARK + by)) == expected


def test_a_year_and_more_ahead_carry_is_all_of_the_price_at_most_clr_row_003():
    expiry = START_MS + 1_500 * DAY_MS
    for forward, expected in ((2 * MARK, Code.APPLIED), (2 * MARK + 1, Code.ROW_BOUND)):
        world = OptionWorld(underlyings=(GenesisUnderlying(expiries=(expiry,)),))
        assert world.apply(carried(world, forward)) == expected


@pytest.mark.parametrize("sign", [1, -1])
def test_carry_follows_the_active_set_within_the_parity_parameter_clr_row_007(sign):
    for by, expected in ((50_002, Code.APPLIED), (50_003, Code.ROW_JUMP)):
        world = later()
        world.publish_rows()
        world.wait(1_000)
        assert world.apply(carried(world, MARK + sign * by)) == expected
    for by, expected in ((1_000_002, Code.APPLIED), (1_000_003, Code.ROW_JUMP)):
        world = later()
        world.publish_rows()
        world.wait(1_000)
        assert world.apply(carried(world, discount=10**9 + sign * by)) == expected


def test_what_the_index_moves_is_no_move_of_the_carry():
    world = later()
    forward = MARK + 500_000
    assert world.apply(carried(world, forward)) == Code.APPLIED
    assert world.apply(world.activation()) == Code.APPLIED
    assert (int(world.series.forward_price), int(world.series.discount_nano)) == (forward, 10**9)
    world.wait(1_000)
    # Two parts in a hundred up, and the forward with it.
    world.move_price(MARK + 1_000_000, index=MARK + 1_000_000)
    world.wait(1_000)
    reference = MARK + 1_000_000
    assert world.apply(carried(world, reference, price=reference)) == Code.ROW_JUMP
    assert world.apply(carried(world, forward * 51 // 50, price=reference)) == Code.APPLIED


def test_a_true_move_of_the_carry_passes_once_the_active_rows_are_too_old_for_opening():
    world = later()
    world.publish_rows()
    for wait, expected in ((300_000, Code.ROW_JUMP), (1, Code.APPLIED)):
        world.wait(wait)
        assert world.apply(carried(world, MARK + 1_000_000)) == expected


@pytest.mark.parametrize("terms", [{"forward": MARK + 1}, {"discount_nano": 10**9 - 1}])
def test_a_set_has_one_forward_and_one_discount_clr_row_001(terms):
    world = later()
    rows = carried_rows(world)
    assert world.apply(world.row_action(rows[:1])) == Code.APPLIED
    before = NOBODY.after(IN_ORDER[0])
    assert world.apply(world.row_action(rows[1:2], before, **terms)) == Code.ROW_TIME
    assert world.apply(world.row_action(rows[1:2], before)) == Code.APPLIED


@pytest.mark.parametrize("reference", [1, MARK, 1 << 48])
def test_no_carry_that_has_a_form_overflows(reference):
    for forward in (1, MARK, 1 << 48):
        for discount in (1, 10**9, 2 * 10**9):
            world = later()
            world.publish_rows()
            world.wait(1_000)
            terms = {"price": reference, "forward": forward, "discount_nano": discount}
            code = world.apply(world.row_action(world.rows(), **terms))
            assert code != Code.INVARIANT
