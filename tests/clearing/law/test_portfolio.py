"""Portfolio margin against exact fractions: grid, joint scenarios, blend, charges."""

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import grid, portfolio
from clearing.compiler import checked
from clearing.formulas import FormulaError, evaluate
from clearing.units import LOTS_MAX, PPM

LEVELS = [-180_000, -135_000, -90_000, -45_000, 0, 45_000, 90_000, 135_000, 180_000]
TAILS = [-660_000, -330_000, 500_000, 1_000_000, 2_000_000, 4_000_000]
SHOCKS = [level for level in LEVELS for _ in range(3)] + TAILS
DAMPS = [PPM] * 27 + [210_000, 420_000, 277_200, 138_600, 69_300, 34_650]
GRID = {"price_shock_ppm": SHOCKS, "damp_ppm": DAMPS}
DOWN, UP = -275_000, 500_000
NODES = [-660_000, -330_000, *LEVELS, 500_000, 1_000_000, 2_000_000, 4_000_000]
UNIT = 10**9
CENTRE = 13
SPOT = 1_000_000


def one(name, **arguments):
    """The one result of a formula."""
    (value,) = evaluate(name, arguments).values()
    return value


def gain(mark, shock):
    return floor(Fraction(mark * shock, PPM) + Fraction(1, 2))


def margin(options=(), linear=(), **changes):
    """The results of portfolio margin, without guard or charges unless told."""
    arguments: dict[str, Any] = {
        "options": list(options),
        "linear": list(linear),
        **GRID,
        "expiries": [],
        "scenarios": [],
        "guard": 0,
    }
    return evaluate("portfolio_margin", arguments | changes)


def call_row(strike, spot=SPOT, extra=(2_000, 9_000, 15_000)):
    """Values of a call: intrinsic and something for its volatility, never falling in price."""
    row = []
    for point, shock in enumerate(SHOCKS):
        volatility = point % 3 if point < 27 else 1
        row.append(max(spot + gain(spot, shock) - strike, 0) + extra[volatility])
    return row


def option(lots, strike=SPOT, **changes):
    row = call_row(strike)
    return {
        "lots": lots,
        "value": row[CENTRE],
        "row": row,
        "strike": strike,
        "is_call": 1,
    } | changes


def interpolated(vector, price, volatility, down=DOWN, up=UP):
    """The vector at a scenario in exact fractions, and how far floors may pull it down."""
    shocks = [down, 0, up]
    volatility = min(max(volatility, down), up)
    level = 0 if volatility <= 0 else 1
    weight = Fraction(
        floor(Fraction((volatility - shocks[level]) << 20, shocks[level + 1] - shocks[level])),
        1 << 20,
    )

    def at(node):
        if node < 2 or node > 10:
            return vector[27 + node if node < 2 else node + 18]
        low, high = (vector[(node - 2) * 3 + level + i] for i in (0, 1))
        return floor(low + (high - low) * weight)

    price = min(max(price, NODES[0]), NODES[-1])
    node = max(i for i in range(14) if NODES[i] <= price)
    weight_of_price = Fraction(
        floor(Fraction((price - NODES[node]) << 20, NODES[node + 1] - NODES[node])), 1 << 20
    )
    low, high = at(node), at(node + 1)
    return floor(low + (high - low) * weight_of_price)


# ---- the grid


def test_the_points_are_nine_levels_by_three_volatilities_and_six_tails():
    assert (grid.POINTS, grid.CENTRE, grid.LEVEL_ABOVE, grid.LEVEL_BELOW) == (33, 13, 16, 10)
    assert [SHOCKS[grid.point_of(node)] for node in range(grid.NODES)] == NODES
    assert one("grid_is_legal", **GRID) is True


@pytest.mark.parametrize(
    ("point", "shock", "damp"),
    [
        (13, 1, PPM),
        (12, 1, PPM),
        (27, -330_000, PPM),
        (27, -320_000, 210_000),
        (16, 90_000, PPM),
        (16, 45_000, PPM - 1),
        (29, 180_000, 1),
        (32, 1_999_999, 1),
    ],
)
def test_a_grid_out_of_order_is_not_legal(point, shock, damp):
    shocks, damps = SHOCKS.copy(), DAMPS.copy()
    shocks[point], damps[point] = shock, damp
    assert one("grid_is_legal", price_shock_ppm=shocks, damp_ppm=damps) is False


@pytest.mark.parametrize(("down", "up"), [(0, UP), (DOWN, 0)])
def test_volatilities_of_a_grid_rise_strictly(down, up):
    legal = one("grid_is_legal", **GRID, volatility_down_ppm=down, volatility_up_ppm=up)
    assert legal is False


@given(st.integers(1, 1 << 48), st.lists(st.integers(-PPM, 10 * PPM), min_size=1, max_size=33))
def test_a_linear_row_is_recomputed_to_the_nearest(mark, shocks):
    expected = [gain(mark, shock) for shock in shocks]
    assert one("linear_risk_row", mark_price=mark, price_shock_ppm=shocks) == expected


@given(st.integers(0, 1 << 48), st.integers(0, 1 << 48), st.integers(-PPM, 10 * PPM))
def test_only_the_open_part_of_a_forward_moves(variable, fixed, shock):
    expected = fixed + variable + gain(variable, shock)
    assert expected == one("shocked_forward", variable=variable, fixed=fixed, shock_ppm=shock)


edge = st.sampled_from([-(1 << 61), 1 - (1 << 61), -1, 0, 1, (1 << 61) - 1, 1 << 61])
wide = edge | st.integers(-(1 << 61), 1 << 61)


@settings(max_examples=500)
@given(wide, wide, st.sampled_from([0, 1, (1 << 20) - 1, 1 << 20]) | st.integers(0, 1 << 20))
def test_lerp_is_the_exact_floor_up_to_the_edges_of_61_bits(low, high, weight):
    expected = floor(low + Fraction((high - low) * weight, 1 << 20))
    assert one("lerp", low=low, high=high, weight=weight) == expected


@given(wide, st.integers(0, 2 * UNIT), st.integers(0, 2 * UNIT))
def test_assets_and_debts_are_discounted_down(value, long, short):
    expected = floor(Fraction(value * (short if value < 0 else long), UNIT))
    assert expected == one(
        "discounted_value", value=value, long_discount=long, short_discount=short
    )


@given(
    st.lists(st.integers(-(1 << 50), 1 << 50), min_size=33, max_size=33),
    st.integers(-PPM, 5 * PPM) | st.sampled_from(NODES),
    st.integers(-PPM, PPM) | st.sampled_from([DOWN, 0, UP]),
)
def test_a_scenario_is_interpolated_by_volatility_then_by_price(vector, price, volatility):
    found = evaluate(
        "interpolate_scenario",
        {
            "vector": vector,
            "price_shock_ppm": SHOCKS,
            "volatility_down_ppm": DOWN,
            "volatility_up_ppm": UP,
            "scenario_price_ppm": price,
            "scenario_volatility_ppm": volatility,
        },
    )
    assert found["value"] == interpolated(vector, price, volatility)


def test_a_scenario_on_a_point_is_the_point():
    vector = [7 * point for point in range(33)]
    common = {"vector": vector, "price_shock_ppm": SHOCKS}
    for point, shock in enumerate(SHOCKS):
        volatility = (DOWN, 0, UP)[point % 3] if point < 27 else 0
        found = evaluate(
            "interpolate_scenario",
            common | {"scenario_price_ppm": shock, "scenario_volatility_ppm": volatility},
        )
        assert found["value"] == vector[point]


def test_half_way_between_levels_and_volatilities_is_the_mean_of_four():
    vector = [0] * 33
    vector[13], vector[14], vector[16], vector[17] = 100, 200, 500, 1_000
    found = evaluate(
        "interpolate_scenario",
        {
            "vector": vector,
            "price_shock_ppm": SHOCKS,
            "scenario_price_ppm": 22_500,
            "scenario_volatility_ppm": 250_000,
        },
    )
    assert found == {
        "value": 450,
        "price_node": 6,
        "volatility_level": 1,
        "price_weight": 1 << 19,
        "volatility_weight": 1 << 19,
    }


# ---- worst point


@pytest.mark.parametrize(
    ("pnl", "damps", "basis", "worst", "where"),
    [
        ([5, -3, 7], [PPM] * 3, 0, -3, 1),
        ([5, -3, -10], [PPM, PPM, 300_000], 0, -3, 1),
        ([5, -3, -11], [PPM, PPM, 300_000], 0, -4, 2),
        ([5, 3, 7], [PPM] * 3, 0, 0, -1),
        ([5, -3, 7], [PPM] * 3, -4, -4, 3),
        ([5, -3, -3], [PPM] * 3, -3, -3, 3),
    ],
)
def test_the_worst_is_the_least_damped_point_or_basis(pnl, damps, basis, worst, where):
    found = evaluate("worst_scenario", {"scenario_pnl": pnl, "damp_ppm": damps, "basis": basis})
    assert found == {"worst": worst, "worst_point": where}


def test_the_risk_of_a_linear_position_is_its_worst_damped_move():
    found = margin(linear=[{"lots": 3, "mark_price": SPOT}])
    # Down 18 % costs .18; the damped tail down 66 % costs .21 * .66 = .1386, and 33 % .1386.
    assert (found["worst_loss"], found["worst_point"]) == (3 * 180_000, [0])
    assert (found["initial_margin"], found["maintenance_margin"]) == (540_000, 432_000)
    found = margin(linear=[{"lots": -3, "mark_price": SPOT}])
    assert (found["worst_loss"], found["worst_point"]) == (3 * 180_000, [24])


def test_a_quantum_a_lot_is_kept_for_rounded_rows():
    found = margin(linear=[{"lots": -3, "mark_price": SPOT}], guard=1)
    assert found["worst_loss"] == 3 * 180_000 + 3


def test_a_covered_call_risks_less_than_its_parts():
    short, cover = option(-10), {"lots": 10, "mark_price": SPOT}
    alone = margin([short])["worst_loss"]
    held = margin(linear=[cover])["worst_loss"]
    both = margin([short], [cover])
    # Down 18 %, volatility up: ten lots lose 180,000 each, the calls gain 9,000 - 15,000.
    assert both["worst_loss"] == 10 * (180_000 - 9_000 + 15_000)
    assert (alone, held) == (10 * (180_000 + 15_000 - 9_000), 1_800_000)
    assert both["worst_point"] == [2]


def test_underlyings_do_not_offset_in_the_worst():
    rows = [{"lots": 1, "mark_price": SPOT}, {"lots": -1, "mark_price": SPOT, "underlying": 1}]
    found = margin(linear=rows)
    assert (found["worst_loss"], found["worst"]) == (360_000, [-180_000, -180_000])
    rows[1]["underlying"] = 0
    assert margin(linear=rows)["worst_loss"] == 0


def twin_vector(own, expiries, guard):
    """P and basis of one underlying, exactly as they are defined."""
    options, linear = own
    total = [0] * 33
    basis = 0
    for expiry in {row["expiry"] for row in options}:
        held = [row for row in options if row["expiry"] == expiry]
        terms = expiries[expiry]
        value = [sum(row["lots"] * row["row"][s] for row in held) for s in range(33)]
        now = sum(row["lots"] * row["value"] for row in held)
        for s in range(33):
            factor = terms["short_discount"] if value[s] < 0 else terms["long_discount"]
            total[s] += floor(Fraction(value[s] * factor, UNIT)) - now
        move = min(value[16] - now, value[10] - now, 0)
        basis += floor(Fraction(move * terms["basis_ppm"], PPM))
    for row in linear:
        for s in range(33):
            total[s] += row["lots"] * gain(row["mark_price"], SHOCKS[s])
    lots = sum(abs(row["lots"]) for row in [*options, *linear])
    return [each - guard * lots for each in total], basis


option_rows = st.builds(
    lambda lots, row, expiry, underlying: {
        "lots": lots,
        "value": row[CENTRE],
        "row": row,
        "expiry": expiry,
        "underlying": underlying,
    },
    st.integers(-(1 << 14), 1 << 14),
    st.lists(st.integers(0, 1 << 26), min_size=33, max_size=33),
    st.integers(0, 2),
    st.integers(0, 1),
)
linear_rows = st.fixed_dictionaries(
    {
        "lots": st.integers(-(1 << 14), 1 << 14),
        "mark_price": st.integers(1, 1 << 26),
        "underlying": st.integers(0, 1),
    }
)
expiry_rows = st.fixed_dictionaries(
    {
        "long_discount": st.integers(9 * UNIT // 10, UNIT),
        "short_discount": st.integers(UNIT, 11 * UNIT // 10),
        "basis_ppm": st.integers(0, 2 * PPM),
    }
)
scenario_rows = st.lists(
    st.tuples(*[st.integers(-PPM, 3 * PPM), st.integers(-PPM, PPM)] * 2), min_size=1, max_size=40
)


@settings(max_examples=60)
@given(
    st.lists(option_rows, max_size=5),
    st.lists(linear_rows, max_size=4),
    st.lists(expiry_rows, min_size=3, max_size=3),
    scenario_rows,
    st.integers(0, 1),
    st.integers(1, 13),
    st.integers(0, PPM),
    st.integers(0, PPM),
)
def test_margin_is_the_twin_in_exact_fractions(
    options, linear, expiries, joint, guard, tail, blend, cap
):
    scenarios = [
        {
            "scenario": i,
            "underlying": g,
            "price_shock_ppm": shocks[2 * g],
            "volatility_shock_ppm": shocks[2 * g + 1],
        }
        for i, shocks in enumerate(joint)
        for g in (0, 1)
    ]
    found = margin(
        options,
        linear,
        expiries=expiries,
        scenarios=scenarios,
        guard=guard,
        tail=tail,
        method=2,
        blend_ppm=blend,
        offset_cap_ppm=cap,
    )
    worst, losses = 0, [0] * len(joint)
    for group in (0, 1):
        own = [[row for row in rows if row["underlying"] == group] for rows in (options, linear)]
        if not own[0] and not own[1]:
            continue
        vector, basis = twin_vector(own, expiries, guard)
        damped = [floor(Fraction(v * d, PPM)) for v, d in zip(vector, DAMPS, strict=True)]
        worst -= min(0, basis, *damped)
        for i, shocks in enumerate(joint):
            losses[i] -= interpolated(vector, *shocks[2 * group : 2 * group + 2])
    tail = min(tail, len(joint))
    largest = sorted(losses)[-tail:]
    expected = ceil(Fraction(max(0, sum(largest)), tail))
    risk = max(
        ceil(Fraction(blend * expected + (PPM - blend) * worst, PPM)),
        ceil(Fraction((PPM - cap) * worst, PPM)),
    )
    assert found["losses"] == losses
    assert (found["worst_loss"], found["expected_shortfall"]) == (worst, expected)
    assert (found["value_at_risk"], found["risk"]) == (largest[0], risk)
    assert found["initial_margin"] == risk
    assert found["maintenance_margin"] == ceil(Fraction(risk * 4, 5))


# ---- coherence

books = st.tuples(st.lists(option_rows, max_size=4), st.lists(linear_rows, max_size=3))
expiries_of_tests = [
    {"long_discount": 95 * UNIT // 100, "short_discount": 102 * UNIT // 100, "basis_ppm": 500_000}
] * 3
moves = [
    {"scenario": i, "underlying": g, "price_shock_ppm": shock, "volatility_shock_ppm": shock}
    for i, shock in enumerate([-200_000, -50_000, 10_000, 60_000, 300_000])
    for g in (0, 1)
]


def risk(book, method=0, **changes):
    return margin(*book, method=method, scenarios=moves, tail=2, expiries=[], **changes)


@settings(max_examples=60)
@given(books, books, st.integers(0, 2))
def test_two_accounts_together_risk_no_more_than_apart(first, second, method):
    together = ([*first[0], *second[0]], [*first[1], *second[1]])
    # Each underlying's vector, each scenario and each tail rounds by less than one.
    slack = 8
    apart = risk(first, method)["risk"] + risk(second, method)["risk"]
    assert risk(together, method)["risk"] <= apart + slack


@settings(max_examples=60)
@given(books, st.integers(1, 9), st.integers(0, 2))
def test_risk_grows_in_proportion(book, factor, method):
    def times(rows):
        return [row | {"lots": row["lots"] * factor} for row in rows]

    single = risk(book, method)["risk"]
    larger = risk((times(book[0]), times(book[1])), method)["risk"]
    assert abs(larger - factor * single) <= 8 * factor


@settings(max_examples=60)
@given(st.integers(-(1 << 14), 1 << 14), st.integers(1, 1 << 26), st.integers(PPM, 2 * PPM))
def test_risk_of_a_linear_position_grows_with_the_shocks(lots, mark, factor):
    larger = [shock if shock < -400_000 else shock * factor // PPM for shock in SHOCKS]
    row = [{"lots": lots, "mark_price": mark}]
    assert margin(linear=row, price_shock_ppm=larger)["risk"] >= margin(linear=row)["risk"] - abs(
        lots
    )


@settings(max_examples=60)
@given(books, st.lists(st.sampled_from(range(27)), min_size=1, max_size=30), st.integers(1, 13))
def test_value_at_risk_is_at_most_expected_shortfall_at_most_worst(book, points, tail):
    """When the stress set covers the tail: scenarios here are points of the lattice."""
    scenarios = [
        {
            "scenario": i,
            "underlying": g,
            "price_shock_ppm": SHOCKS[point],
            "volatility_shock_ppm": (DOWN, 0, UP)[point % 3],
        }
        for i, point in enumerate(points)
        for g in (0, 1)
    ]
    found = margin(*book, scenarios=scenarios, tail=tail)
    assert found["value_at_risk"] <= found["expected_shortfall"] <= found["worst_loss"]


# ---- losses


def test_the_tail_is_summed_without_division():
    losses = [5, -9, 40, 12, 12, 3]
    found = evaluate("expected_shortfall", {"losses": losses, "tail": 3})
    assert found == {"tail_sum": 64, "expected_shortfall": 22, "value_at_risk": 12}
    for equity, covered in [(21, False), (22, True)]:
        assert covered is one(
            "expected_shortfall_covered", equity=equity, tail=3, tail_sum=found["tail_sum"]
        )


@given(st.lists(st.integers(-(1 << 56), 1 << 56) | st.integers(-3, 3), max_size=500, min_size=1))
def test_the_largest_losses_are_found_in_any_order(losses):
    for tail in (1, 13, 64):
        used = min(tail, len(losses))
        largest = sorted(losses)[-used:]
        found = evaluate("expected_shortfall", {"losses": losses, "tail": tail})
        total = max(0, sum(largest))
        assert found == {
            "tail_sum": total,
            "expected_shortfall": ceil(Fraction(total, used)),
            "value_at_risk": largest[0],
        }
        assert one("value_at_risk", losses=losses, tail=tail) == largest[0]


def test_gains_in_the_tail_offset_losses_but_risk_is_never_negative():
    found = evaluate("expected_shortfall", {"losses": [10, -4, -4], "tail": 3})
    assert found == {"tail_sum": 2, "expected_shortfall": 1, "value_at_risk": -4}
    assert one("value_at_risk", losses=[-5, -4], tail=1) == -4
    assert evaluate("expected_shortfall", {"losses": [-5, -4], "tail": 2})["tail_sum"] == 0


def test_offsets_are_capped_as_a_share_of_the_worst():
    numbers = {"worst_loss": 1_001, "expected_shortfall": 0, "blend_ppm": PPM}
    assert one("blend_margin", **numbers) == 0
    assert one("blend_margin", **numbers, offset_cap_ppm=700_000) == 301


# ---- width


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("peak", [1 << 30, 1 << 50])
def test_rows_and_lots_at_their_bounds_saturate_towards_more_margin(sign, peak):
    row = [peak if point % 2 else 0 for point in range(33)]
    options = [
        {"lots": sign * LOTS_MAX, "value": min(row[CENTRE], 1 << 48), "row": row, "expiry": i % 32}
        for i in range(32)
    ]
    terms = [{"long_discount": UNIT, "short_discount": 2 * UNIT, "basis_ppm": 10 * PPM}] * 32
    found = margin(options, expiries=terms, scenarios=moves, guard=1, method=2)
    assert found["initial_margin"] == found["maintenance_margin"] == 1 << 62
    assert all(-(1 << 62) <= each <= 1 << 62 for each in found["vectors"])


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(-LOTS_MAX, LOTS_MAX),
            st.lists(st.integers(0, 1 << 50), min_size=33, max_size=33),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_coarse_units_never_ask_for_less_and_hardly_for_more(rows):
    options = [{"lots": lots, "value": min(row[CENTRE], 1 << 48), "row": row} for lots, row in rows]
    exact = 0
    for s in range(33):
        moved = sum(o["lots"] * (o["row"][s] - o["value"]) for o in options)
        exact = max(exact, -floor(Fraction(moved * DAMPS[s], PPM)))
    gross = sum(abs(lots) * (1 + max(row)) for lots, row in rows)
    found = margin(options)["worst_loss"]
    assert found >= min(exact, 1 << 62)
    assert found <= exact + max(0, gross >> 44)


def test_an_account_just_below_the_bound_is_exact():
    lots = (1 << 48) - 1
    row = [60] * 33
    row[0], row[CENTRE] = 1, 60
    found = margin([{"lots": lots, "value": 60, "row": row}])
    assert found["worst_loss"] == 59 * lots


def test_accumulation_traps_nowhere_in_the_interpreted_run():
    """The inner loops carry no traps of their own; here NumPy would notice an overflow."""
    space = portfolio.new_workspace()
    rows = np.full((32, 33), 1 << 52, np.int64)
    zeros = np.zeros(32, np.int64)
    book = portfolio.Book(np.full(32, LOTS_MAX), zeros, zeros - 1, zeros, rows)
    with checked():
        shift = portfolio.unit_shift(book, 32, 33)
        assert 32 * (LOTS_MAX * ((1 << 52) + 1)) >> shift < portfolio.GROSS_MAX
        assert shift == 52
    assert space.losses.shape == (500,)


# ---- requirement and charges


def test_charges_count_on_top_and_the_minimum_is_a_floor_of_the_whole():
    numbers = {"risk": 1_000, "charges": 30, "initial_charges": 7}
    found = evaluate("risk_requirement", numbers)
    assert found == {"initial_margin": 1_037, "maintenance_margin": 830}
    floored = evaluate("risk_requirement", numbers | {"short_option_minimum": 900})
    assert floored == {"initial_margin": 1_037, "maintenance_margin": 900}
    floored = evaluate("risk_requirement", numbers | {"short_option_minimum": 2_000})
    assert floored == {"initial_margin": 2_000, "maintenance_margin": 2_000}


@given(
    st.integers(0, (1 << 62) - 1),
    st.integers(0, 10 * PPM),
    st.integers(0, 10 * PPM),
    st.integers(0, 1 << 62),
    st.integers(0, 1 << 62),
)
def test_initial_is_never_below_maintenance_and_both_saturate(risk, im, mm, both, extra):
    found = evaluate(
        "risk_requirement",
        {
            "risk": risk,
            "initial_ppm": im,
            "maintenance_ppm": mm,
            "charges": both,
            "initial_charges": extra,
        },
    )
    most = 1 << 62
    maintenance = min(most, ceil(Fraction(risk * mm, PPM)) + both)
    initial = min(most, ceil(Fraction(risk * im, PPM)) + both + extra)
    assert found["maintenance_margin"] == maintenance
    assert found["initial_margin"] == max(initial, maintenance)


def test_every_charge_of_a_portfolio_by_hand():
    shorts = option(-10, index_price=SPOT, strike=1_100_000)
    cover = option(4, index_price=SPOT, strike=1_100_000)
    found = margin(
        [shorts, cover],
        [{"lots": -5, "mark_price": SPOT}],
        naked_initial_ppm=2_000,
        naked_maintenance_ppm=3_000,
        linear_initial_ppm=5_000,
        linear_maintenance_ppm=15_000,
        concentration_lots=8,
        concentration_ppm=100_000,
        confidence_ppm=500_000,
        confidence_rate_ppm=10_000,
        short_option_minimum=1_000,
    )
    assert found["naked_short_lots"] == 6
    # Naked 6 * .3 %, linear 5 * 1.5 %, two lots beyond eight at 10 %.
    assert found["charges"] == 18_000 + 75_000 + 200_000
    # Naked 6 * .2 %, linear 5 * .5 %, half of the confidence lacks on 19 lots at 1 %.
    assert found["initial_charges"] == 12_000 + 25_000 + 95_000
    assert found["short_option_minimum"] == 10_000
    assert found["initial_margin"] == found["risk"] + 293_000 + 132_000
    assert found["maintenance_margin"] == ceil(Fraction(found["risk"] * 4, 5)) + 293_000


def test_what_was_measured_without_joint_scenarios_on_a_list_of_points():
    shocks, damps = [-100_000, 0, 100_000, -300_000], [PPM, PPM, PPM, 330_000]
    row = [90_000, 0, -110_000, 280_000]
    found = margin(
        [{"lots": -2, "value": 0, "row": row}],
        [{"lots": 1, "mark_price": SPOT}],
        price_shock_ppm=shocks,
        damp_ppm=damps,
        scenarios=moves,
    )
    # The tail's .33 * (-560,000 - 300,000) is worse than -180,000 - 100,000 undamped.
    assert (found["worst_loss"], found["worst_point"]) == (283_800, [3])
    assert found["losses"] == []
    assert found["vectors"] == [-280_000, 0, 320_000, -860_000]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(FormulaError, match="expected 33 values, one a point; was 2"):
        margin([{"lots": 1, "value": 1, "row": [1, 1]}])
