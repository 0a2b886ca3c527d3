"""Risk rows: staged in strike order, held to each other, activated for a whole expiry at once."""

import math

import numpy as np
import pytest

from clearing.codes import Code, Kind, Status
from clearing.genesis import GenesisUnderlying
from clearing.grid import CENTRE
from clearing.grid_preset import LEVELS, POINTS, VOLATILITY_DOWN_PPM, VOLATILITY_UP_PPM
from clearing.marks import mark_price
from clearing.units import PPM
from risk.rows import option_rows
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.options import (
    CALLS,
    EXPIRY_MS,
    FUTURE,
    IN_ORDER,
    NOBODY,
    PUTS,
    SHOCKS,
    OptionWorld,
)
from tests.support.world import DEPOSIT, MARK, PUBLISHERS, START_MS, address_of, key_of

LOW_CALL, LOW_PUT, MIDDLE_CALL, MIDDLE_PUT, HIGH_CALL, HIGH_PUT = range(6)  # places in the rows
GOVERNANCE = "governance"
NO_CARRY = {"forward": MARK, "discount_nano": 10**9}


class Staging(Case):
    """One action stages all six options, a second after the prices."""

    def prepare(self):
        self.world = OptionWorld()
        self.world.wait(1_000)
        self.rows = self.world.rows()
        self.publishers = list(PUBLISHERS[:3])
        self.fields = {}

    def action(self):
        return self.world.row_action(self.rows, publishers=self.publishers, **self.fields)


class Activation(Staging):
    """All rows are staged; the publishers activate them."""

    def prepare(self):
        super().prepare()
        self.world.stage(self.rows)

    def action(self):
        return self.world.activation(self.publishers, **self.fields)


def no_underlying(case):
    case.fields["underlying"] = 1


def no_series(case):
    case.fields["series"] = 1


def too_few(case):
    del case.publishers[0]


def foreign(case):
    case.publishers[-1] = "mallory"


def of_the_future(case):
    case.fields["time"] = case.world.time + 10_001


def unknown_option(case):
    case.rows[0] = (99, case.rows[0][1])


def out_of_order(case):
    case.rows[1], case.rows[2] = case.rows[2], case.rows[1]


def change(place, point, by):
    """A fault that moves one value."""

    def apply(case):
        id, values = case.rows[place]
        case.rows[place] = (id, [*values[:point], values[point] + by, *values[point + 1 :]])

    return apply


FAULTS = {
    **COMMON,
    Code.NO_UNDERLYING: no_underlying,
    Code.NO_SERIES: no_series,
    Code.QUORUM: too_few,
    Code.PUBLISHER: foreign,
    Code.ROW_TIME: of_the_future,
}
STAGING_FAULTS = {**FAULTS, Code.ROW_ORDER: out_of_order, Code.NO_INSTRUMENT: unknown_option}
ORDER = [
    Code.MALFORMED,
    Code.STEP_FULL,
    Code.HALTED,
    Code.NO_UNDERLYING,
    Code.NO_SERIES,
    Code.QUORUM,
    Code.PUBLISHER,
    Code.ROW_TIME,
    Code.NO_INSTRUMENT,
    Code.ROW_ORDER,
]


def fault(*codes):
    return outcome(Staging, STAGING_FAULTS, *codes)


@pytest.mark.parametrize("code", [*STAGING_FAULTS])
def test_rows_that_break_one_rule_are_rejected_with_its_code(code):
    assert fault(code) == code


@pairs(STAGING_FAULTS, ORDER)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert fault(second, first) == first


def test_rows_of_an_unknown_underlying_are_rejected_clr_act_010():
    assert fault(Code.NO_UNDERLYING) == Code.NO_UNDERLYING


def test_rows_of_an_unknown_series_are_rejected_clr_act_011():
    assert fault(Code.NO_SERIES) == Code.NO_SERIES
    case = Staging()
    case.fields["series"] = 16
    assert case.outcome() == Code.NO_SERIES


def test_a_payload_that_is_no_whole_row_is_malformed_clr_act_001():
    world = OptionWorld()
    for length in (1, 4, 37, 39):
        payload = [-1] * length
        fields = {"underlying": 0, "series": 0, "time": world.time, "price": MARK, **NO_CARRY}
        assert world.apply(world.published(Kind.RISK_ROWS, payload, **fields)) == Code.MALFORMED


def test_a_set_of_rows_is_staged_and_then_activated_at_once():
    world = OptionWorld()
    world.wait(1_000)
    world.stage(world.rows())
    assert [int(mark_price(world.state, world.instrument(id))) for id in IN_ORDER] == [0] * 6
    discounts = {"discount_long_ppm": 990_000, "discount_short_ppm": 1_010_000}
    assert world.apply(world.activation(**discounts, confidence_ppm=970_000)) == Code.APPLIED
    series = world.series
    assert (series.active_number, series.active_time, series.reference_price) == (
        1,
        START_MS + 1_000,
        MARK,
    )
    assert (series.discount_long_ppm, series.discount_short_ppm, series.confidence_ppm) == (
        990_000,
        1_010_000,
        970_000,
    )
    # Ten million in the money, at, and out of it: intrinsic and 5,000.
    marks = [int(mark_price(world.state, world.instrument(id))) for id in IN_ORDER]
    assert marks == [10_005_000, 5_000, 5_000, 5_000, 5_000, 10_005_000]


def test_a_set_may_come_in_parts_each_behind_the_last():
    world = OptionWorld()
    world.wait(1_000)
    rows = world.rows()
    assert world.apply(world.row_action(rows[:1])) == Code.APPLIED
    held = NOBODY
    for k in range(1, 6):
        held = held.after(rows[k - 1][0])
        assert world.apply(world.row_action(rows[k : k + 1], held)) == Code.APPLIED
    assert world.series.staged_count == 6
    assert world.apply(world.activation()) == Code.APPLIED


@pytest.mark.parametrize(
    ("place", "by", "expected"),
    [
        (HIGH_CALL, 2, Code.ROW_MONOTONE),
        (MIDDLE_PUT, -2, Code.ROW_MONOTONE),
        # The strike between two others, of which the first stands two rows back.
        (MIDDLE_CALL, 5_000_002, Code.ROW_CONVEX),
    ],
)
def test_rows_are_held_to_those_that_came_in_an_earlier_part_clr_row_004(place, by, expected):
    case = Staging()
    case.world = OptionWorld(row_parity_ppm=PPM)
    case.world.wait(1_000)
    change(place, CENTRE, by)(case)
    codes, held = [], NOBODY
    for id, row in case.rows:
        codes.append(case.world.apply(case.world.row_action([(id, row)], held)))
        held = held.after(id)
    # The first row that is refused: those behind it name a neighbour that was not staged.
    assert next(code for code in codes if code != Code.APPLIED) == expected


def test_staging_never_touches_the_rows_that_margin_reads():
    world = OptionWorld()
    for extra in (5_000, 6_000, 7_000):
        world.wait(1_000)
        world.stage(world.rows(extra=extra))
        marks = {int(mark_price(world.state, world.instrument(id))) for id in (3, 6)}
        assert marks == {max(0, extra - 1_000) if extra > 5_000 else 0}
        # A set that was given up and begun again later is another time's.
        world.wait(1_000)
        world.stage(world.rows(extra=extra))
        assert world.apply(world.activation()) == Code.APPLIED
    assert world.series.active_number == 3


# Time


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(10_000, Code.APPLIED), (10_001, Code.ROW_TIME), (-300_000, Code.APPLIED)],
)
def test_a_set_is_neither_of_the_future_nor_too_old_clr_row_001(offset, expected):
    world = OptionWorld()
    world.wait(200_000)
    assert world.apply(world.row_action(world.rows(), time=world.time + offset)) == expected


def test_a_set_that_is_too_old_for_opening_is_not_staged_clr_row_001():
    world = OptionWorld()
    world.wait(300_000)
    action = world.row_action(world.rows(), time=world.time - 300_001)
    assert world.apply(action) == Code.ROW_TIME


def test_an_older_set_than_the_staged_one_is_rejected_clr_row_001():
    world = OptionWorld()
    world.wait(2_000)
    world.stage(world.rows()[:2])
    earlier = world.row_action(world.rows(), time=world.time - 1)
    assert world.apply(earlier) == Code.ROW_TIME


def test_a_set_has_one_reference_price_clr_row_001():
    world = OptionWorld()
    world.wait(1_000)
    world.stage(world.rows()[:1])
    before = NOBODY.after(IN_ORDER[0])
    other = world.row_action(world.rows()[1:2], before, price=MARK + 1)
    assert world.apply(other) == Code.ROW_TIME
    assert world.apply(world.row_action(world.rows()[1:2], before)) == Code.APPLIED


def test_an_active_set_can_neither_be_staged_nor_activated_again_clr_row_001():
    world = OptionWorld()
    world.wait(1_000)
    world.publish_rows()
    assert world.apply(world.activation()) == Code.ROW_TIME
    assert world.apply(world.row_action(world.rows())) == Code.ROW_TIME


def test_after_the_expiry_there_are_no_rows_clr_row_001():
    world = OptionWorld(price_stale_margin_ms=1 << 39)
    world.time = EXPIRY_MS
    assert world.apply(world.row_action(world.rows(), time=EXPIRY_MS)) == Code.ROW_TIME
    assert world.apply(world.row_action(world.rows(), time=EXPIRY_MS - 1)) == Code.APPLIED


# Order


@pytest.mark.parametrize(
    "ids",
    [
        (LOW_PUT, LOW_CALL),
        (LOW_CALL, LOW_CALL),
        (MIDDLE_CALL, LOW_PUT),
        (HIGH_PUT, HIGH_CALL),
        (MIDDLE_CALL, MIDDLE_PUT, LOW_CALL),
    ],
)
def test_rows_that_do_not_rise_are_rejected_clr_row_002(ids):
    world = OptionWorld()
    world.wait(1_000)
    rows = world.rows()
    assert world.apply(world.row_action([rows[id] for id in ids])) == Code.ROW_ORDER


@pytest.mark.parametrize("wrong", range(4))
def test_the_neighbours_named_must_be_those_staged_last_clr_row_002(wrong):
    world = OptionWorld()
    world.wait(1_000)
    rows = world.rows()
    world.stage(rows[:4])
    named = [CALLS[1], CALLS[0], PUTS[1], PUTS[0]]
    named[wrong] = -1
    payload = [*named, rows[4][0], *rows[4][1]]
    fields = {"underlying": 0, "series": 0, "time": world.time, "price": MARK, **NO_CARRY}
    assert world.apply(world.published(Kind.RISK_ROWS, payload, **fields)) == Code.ROW_ORDER


def test_an_option_of_another_series_is_rejected_clr_row_002():
    expiries = (EXPIRY_MS, EXPIRY_MS + 1)
    world = OptionWorld(underlyings=(GenesisUnderlying(expiries=expiries),))
    world.wait(1_000)
    assert world.apply(world.row_action(world.rows(), series=1)) == Code.ROW_ORDER


# Values


@pytest.mark.parametrize(
    ("place", "point", "by", "expected"),
    [
        # A call ten million in the money may lack the parity share of the reference, 50,000 and 2.
        (LOW_CALL, CENTRE, -55_002, Code.ROW_PARITY),
        (LOW_CALL, CENTRE, -55_003, Code.ROW_BOUND),
        # At the most it may be the price, or the strike, and as much more.
        (LOW_CALL, CENTRE, 40_000_000, Code.ROW_PARITY),
        (LOW_CALL, CENTRE, 40_045_004, Code.ROW_BOUND),
        (LOW_PUT, CENTRE, 40_045_004, Code.ROW_BOUND),
        # Never below zero: where a put is worthless it has only the 5,000.
        (LOW_PUT, CENTRE, -5_001, Code.ROW_BOUND),
        (LOW_PUT, 32, -5_001, Code.ROW_BOUND),
    ],
)
def test_a_value_is_within_intrinsic_and_price_clr_row_003(place, point, by, expected):
    case = Staging()
    change(place, point, by)(case)
    assert case.outcome() == expected


def test_a_linear_market_has_no_rows_of_its_own_clr_row_003():
    case = Staging()
    case.rows = [(FUTURE, case.rows[0][1])]
    assert case.outcome() == Code.ROW_BOUND


@pytest.mark.parametrize(
    ("place", "by", "expected"),
    [
        # Between the strikes both ways round: a call may not be dearer, by a rounding at most.
        (MIDDLE_CALL, 10_000_001, Code.ROW_CONVEX),
        (MIDDLE_CALL, 10_000_002, Code.ROW_MONOTONE),
        (HIGH_CALL, 2, Code.ROW_MONOTONE),
        (HIGH_CALL, 1, Code.APPLIED),
        (MIDDLE_PUT, -2, Code.ROW_MONOTONE),
        (MIDDLE_PUT, -1, Code.APPLIED),
    ],
)
def test_calls_fall_and_puts_rise_with_the_strike_clr_row_004(place, by, expected):
    case = Staging()
    # Without a limit to parity and with one strike more to go.
    case.world = OptionWorld(row_parity_ppm=PPM)
    case.world.wait(1_000)
    change(place, CENTRE, by)(case)
    assert case.outcome() == expected


def test_a_put_may_rise_by_no_more_than_the_strike_clr_row_004():
    for by, expected in ((2, Code.APPLIED), (3, Code.ROW_MONOTONE)):
        case = Staging()
        change(HIGH_PUT, CENTRE, by)(case)
        assert case.outcome() == expected


@pytest.mark.parametrize(("by", "expected"), [(1, Code.APPLIED), (2, Code.ROW_CONVEX)])
def test_three_strikes_are_convex_but_for_a_rounding_clr_row_005(by, expected):
    case = Staging()
    case.world = OptionWorld(row_parity_ppm=PPM)
    case.world.wait(1_000)
    # The line between 10,005,000 and 5,000 passes 5,005,000 at the middle strike.
    change(MIDDLE_CALL, CENTRE, 5_000_000 + by)(case)
    assert case.outcome() == expected


@pytest.mark.parametrize(
    ("by", "expected"),
    [(50_002, Code.APPLIED), (50_003, Code.ROW_PARITY), (-5_000, Code.APPLIED)],
)
def test_call_less_put_is_forward_less_strike_clr_row_006(by, expected):
    case = Staging()
    case.rows = case.rows[:2]
    change(LOW_PUT, CENTRE, by)(case)
    assert case.outcome() == expected


def test_a_put_without_a_call_is_held_to_no_parity():
    case = Staging()
    case.rows = [case.rows[LOW_PUT]]
    change(0, CENTRE, 60_000)(case)
    assert case.outcome() == Code.APPLIED


# Jumps


@pytest.mark.parametrize(
    ("by", "expected"), [(10_000_000, Code.APPLIED), (10_000_001, Code.ROW_JUMP)]
)
def test_no_value_near_the_money_jumps_from_the_active_row_clr_row_007(by, expected):
    world = OptionWorld(row_parity_ppm=PPM)
    world.wait(1_000)
    world.publish_rows(extra=5_000)
    world.wait(1_000)
    # A fifth of the reference is 10,000,000.
    assert world.apply(world.row_action(world.rows(extra=5_000 + by))) == expected


def test_a_true_gap_passes_once_the_active_rows_are_too_old_for_opening():
    world = OptionWorld(row_parity_ppm=PPM)
    world.wait(1_000)
    world.publish_rows()
    world.wait(300_001)
    assert world.apply(world.row_action(world.rows(extra=20_000_000))) == Code.APPLIED


@pytest.mark.parametrize(
    ("reference", "expected"), [(MARK + 10_000_000, Code.APPLIED), (MARK + 10_000_001, 55)]
)
def test_the_reference_is_near_the_index_clr_row_007(reference, expected):
    case = Staging()
    case.fields["price"] = reference
    case.rows = case.world.rows(reference)
    assert case.outcome() == expected


# Activation


@pytest.mark.parametrize("code", [*FAULTS])
def test_an_activation_that_breaks_one_rule_is_rejected_with_its_code(code):
    assert outcome(Activation, FAULTS, code) == code


def test_a_set_with_a_hole_is_not_activated_clr_row_008():
    world = OptionWorld()
    world.wait(1_000)
    world.stage([row for row in world.rows() if row[0] != CALLS[1]])
    assert world.apply(world.activation()) == Code.ROW_INCOMPLETE


@pytest.mark.parametrize("field", ["time", "price"])
def test_an_activation_names_what_is_staged_clr_row_001(field):
    case = Activation()
    case.fields[field] = case.world.time - 1 if field == "time" else MARK - 1
    assert case.outcome() == Code.ROW_TIME


def test_a_set_that_waited_too_long_is_not_activated_clr_row_001():
    world = OptionWorld()
    world.stage(world.rows())
    staged = world.time
    world.wait(300_001)
    assert world.apply(world.activation(time=staged)) == Code.ROW_TIME


def test_rows_of_a_model_pass_as_they_are():
    world = OptionWorld(row_parity_ppm=0)
    world.wait(1_000)
    strikes = [int(world.instrument(id).strike) for id in IN_ORDER]
    calls = np.array([id in CALLS for id in IN_ORDER])
    made = option_rows(MARK, 10**9, 30 / 365, strikes, calls, np.full(6, 0.6))
    rows = [(id, [int(v) for v in made.values[i]]) for i, id in enumerate(IN_ORDER)]
    world.stage(rows)
    assert world.apply(world.activation()) == Code.APPLIED
    at_the_money = 0.4 * MARK * 0.6 * math.sqrt(30 / 365)
    assert int(mark_price(world.state, world.instrument(3))) == pytest.approx(
        at_the_money, rel=0.01
    )


# Scenarios


def packed(price_ppm, volatility_ppm):
    """A shock as the payload holds it."""
    return (price_ppm << 32) | (volatility_ppm & 0xFFFF_FFFF)


def scenarios(world, shocks, first=0, publishers=PUBLISHERS[:3], **values):
    fields = {"underlying": 0, "first": first, "rest": 0, "time": world.time, **values}
    return world.published(Kind.SCENARIOS, shocks, publishers, **fields)


def test_scenarios_are_written_a_part_at_a_time():
    world = OptionWorld()
    shocks = [packed(-i, i) for i in range(400)]
    assert world.apply(scenarios(world, shocks[:200])) == Code.APPLIED
    assert world.apply(scenarios(world, shocks[200:399], first=200, rest=1)) == Code.APPLIED
    assert world.underlying.scenario_rest == 1
    assert world.apply(scenarios(world, shocks[399:], first=399)) == Code.APPLIED
    assert world.underlying.scenario_rest == 0
    assert world.underlying.scenario_count == 400
    assert world.underlying.shocks[:400].tolist() == shocks
    world.wait(1_000)
    assert world.apply(scenarios(world, [packed(7, -7)], first=3)) == Code.APPLIED
    assert world.underlying.scenario_count == 400
    assert world.underlying.shocks[3] == packed(7, -7)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"underlying": 1}, Code.NO_UNDERLYING),
        ({"publishers": PUBLISHERS[:2]}, Code.QUORUM),
        ({"publishers": (*PUBLISHERS[:2], "mallory")}, Code.PUBLISHER),
        ({"time": START_MS + 10_001}, Code.ROW_TIME),
        ({"first": 1}, Code.ROW_ORDER),
    ],
)
def test_scenarios_that_break_a_rule_are_rejected(values, expected):
    world = OptionWorld()
    assert world.apply(scenarios(world, [packed(1, 1)], **values)) == expected


def test_older_scenarios_do_not_replace_newer_ones_clr_row_001():
    world = OptionWorld()
    world.wait(1_000)
    assert world.apply(scenarios(world, [packed(1, 1)])) == Code.APPLIED
    assert world.apply(scenarios(world, [packed(2, 2)], time=START_MS)) == Code.ROW_TIME


def test_scenarios_end_at_five_hundred_clr_row_002():
    world = OptionWorld()
    for first in (0, 200):
        assert world.apply(scenarios(world, [packed(1, 1)] * 200, first=first)) == Code.APPLIED
    assert world.apply(scenarios(world, [packed(1, 1)] * 101, first=400)) == Code.ROW_ORDER
    assert world.apply(scenarios(world, [packed(1, 1)] * 100, first=400)) == Code.APPLIED


@pytest.mark.parametrize(
    ("shock", "expected"),
    [
        ((-1_000_000, 0), Code.APPLIED),
        ((-1_000_001, 0), Code.ROW_BOUND),
        ((10_000_000, 10_000_000), Code.APPLIED),
        ((10_000_001, 0), Code.ROW_BOUND),
        ((0, 10_000_001), Code.ROW_BOUND),
        ((0, -1_000_001), Code.ROW_BOUND),
    ],
)
def test_a_shock_is_within_bounds_clr_row_003(shock, expected):
    world = OptionWorld()
    assert world.apply(scenarios(world, [packed(*shock)])) == expected


# The grid


def grid(prices=SHOCKS, damps=None, down=VOLATILITY_DOWN_PPM, up=VOLATILITY_UP_PPM):
    return [down, up, *prices, *(damps or [damp for _, damp in POINTS])]


def governed():
    world = OptionWorld(governance=address_of(GOVERNANCE))
    world.wait(1_000)
    return world


def set_grid(world, payload, signer=GOVERNANCE, **values):
    fields = {"underlying": 0, **values}
    return world.request(Kind.SET_GRID, key_of(signer), payload=payload, **fields)


@pytest.mark.parametrize(
    "payload",
    [
        grid()[:-1],
        grid(down=1),
        grid(up=0),
        grid(prices=[0] * 33),
        grid(damps=[0] * 33),
        grid(prices=[LEVELS[0] - 1, *SHOCKS[1:]]),
    ],
)
def test_points_that_make_no_grid_are_rejected_clr_gov_003(payload):
    world = governed()
    assert world.apply(set_grid(world, payload)) == Code.PARAMETER_BOUND


def test_only_governance_sets_a_grid_and_each_act_once_clr_sig_001_clr_sig_002():
    world = governed()
    assert world.apply(set_grid(world, grid(), "mallory")) == Code.BAD_SIGNATURE
    assert world.apply(set_grid(world, grid(), underlying=1)) == Code.NO_UNDERLYING
    action = set_grid(world, grid())
    assert world.apply(action) == Code.APPLIED
    assert world.apply(action) == Code.STALE_SEQUENCE


# Trading between ticks


def option_traders(world):
    maker, taker = world.trader("maker"), world.trader("taker", 10 * DEPOSIT)
    return maker, taker


def test_options_trade_at_their_rows_within_a_band_of_the_index():
    world = OptionWorld()
    world.wait(1_000)
    maker, taker = option_traders(world)
    early = world.trade(maker, taker, price=10_000, instrument=CALLS[1])
    assert world.apply(early) == Code.PRICE_STALE
    world.publish_rows(extra=1_000_000)
    # Five parts in a hundred of 50,000,000 around 1,000,000.
    for price, expected in ((3_500_010, Code.PRICE_BAND), (3_500_000, Code.APPLIED)):
        trade = world.trade(maker, taker, price=price, instrument=CALLS[1])
        assert world.apply(trade) == expected


@pytest.mark.parametrize(
    ("index", "expected"), [(51_125_000, Code.APPLIED), (51_125_001, Code.PRICE_STALE)]
)
def test_rows_that_the_index_has_left_serve_for_reducing_alone(index, expected):
    world = OptionWorld()
    world.wait(1_000)
    maker, taker = option_traders(world)
    world.publish_rows(extra=1_000_000)
    trade = world.trade(maker, taker, lots=2, price=1_000_000, instrument=CALLS[1])
    assert world.apply(trade) == Code.APPLIED
    world.move_price(MARK, index=index)  # half of 4.5 parts in a hundred
    opening = world.trade(maker, taker, price=1_000_000, instrument=CALLS[1])
    assert world.apply(opening) == expected
    closing = world.trade(taker, maker, price=1_000_000, instrument=CALLS[1])
    assert world.apply(closing) == Code.APPLIED


def test_a_price_of_an_option_is_not_taken_clr_trd_004():
    world = OptionWorld()
    world.wait(1_000)
    assert world.apply(world.price(CALLS[0], MARK)) == Code.INSTRUMENT_STATUS
    assert world.totals.status == Status.ACTIVE
