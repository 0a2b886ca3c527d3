"""Formulas of other venues, written anew in exact fractions from their published text.

Nothing here calls a function of the law but through ``evaluate``; amounts round against the
account, so each comparison says in which direction and by how much a number may leave the exact
one.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import formulas
from clearing.formulas import FormulaError
from clearing.units import PPM

UNIT = 10**9
QUOTE = 10**6
part = st.integers(0, PPM)


def evaluate(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The results of a formula by name."""
    return formulas.evaluate(name, arguments)


def share(value: int, *rates: int) -> Fraction:
    """A value times rates in ppm."""
    product = Fraction(value)
    for rate in rates:
        product *= Fraction(rate, PPM)
    return product


def pays(is_call: int, strike: int, price: int) -> int:
    return max(price - strike if is_call else strike - price, 0)


# ---- SPAN


def span_array(price_scan: int, volatility_gain: int, extreme: int, covered: Fraction):
    """A linear instrument with some vega, from the list of sixteen scenarios."""
    moves = [Fraction(0)] + [sign * Fraction(i, 3) for i in (1, 2, 3) for sign in (1, -1)]
    array = [m * price_scan + v * volatility_gain for m in moves for v in (1, -1)]
    return [*array, extreme * price_scan * covered, -extreme * price_scan * covered]


@given(st.integers(0, 10**12), st.integers(0, 10**9), st.integers(1, 8 * PPM), st.integers(0, PPM))
def test_spans_points_and_the_array_of_a_future(scan, volatility, multiple, covered):
    found = evaluate(
        "span_scan_points",
        {
            "price_scan": scan,
            "volatility_scan": volatility,
            "extreme_move_multiplier_ppm": multiple,
            "extreme_move_covered_fraction_ppm": covered,
        },
    )
    for i, exact in enumerate(span_array(scan, 0, 1, Fraction(1))[:14]):
        assert abs(found["price_shock"][i] - exact) <= Fraction(1, 3)
        assert found["linear_row"][i] == found["price_shock"][i]
        assert found["volatility_shock"][i] == (volatility if i % 2 == 0 else -volatility)
    extreme = ceil(share(scan, multiple))
    assert found["price_shock"][14:] == [extreme, -extreme]
    assert found["covered_ppm"] == [PPM] * 14 + [covered] * 2
    nearest = floor(share(extreme, covered) + Fraction(1, 2))
    assert found["linear_row"][14:] == [nearest, -nearest]


rows = st.lists(st.integers(-(10**9), 10**9), min_size=16, max_size=16)
span_positions = st.lists(
    st.tuples(st.integers(-1000, 1000), rows, st.integers(0, 10**9), st.booleans()),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40)
@given(span_positions, *[st.integers(0, 10**12)] * 3, st.integers(0, 10**6))
def test_span_is_the_worst_scenario_with_charges_and_the_short_option_floor(
    held, month, delivery, credit, minimum
):
    found = evaluate(
        "span_margin",
        {
            "positions": [
                {"lots": lots, "row": row, "option_value": worth, "is_option": int(option)}
                for lots, row, worth, option in held
            ],
            "intra_commodity_charge": month,
            "delivery_charge": delivery,
            "inter_commodity_credit": credit,
            "short_option_minimum": minimum,
        },
    )
    vector = [sum(lots * row[s] for lots, row, _, _ in held) for s in range(16)]
    scan = max(0, -min(vector))
    floor_of_shorts = minimum * sum(max(-lots, 0) for lots, _, _, option in held if option)
    risk = max(scan + month + delivery - credit, floor_of_shorts)
    assert found["vector"] == vector
    assert (found["scan_risk"], found["risk_requirement"]) == (scan, risk)
    assert found["worst_point"] == (vector.index(-scan) if scan else -1)
    assert found["margin"] == risk - sum(lots * worth for lots, _, worth, _ in held)


def test_spreads_between_months_are_charged_by_the_deltas_that_both_sides_have():
    # Ten long and six short months: six spreads at 100 each; what is over is outright.
    found = evaluate(
        "span_intra_commodity_charge",
        {
            "deltas": [10 * QUOTE, -4 * QUOTE, -2 * QUOTE],
            "charge_per_spread": 100 * QUOTE,
        },
    )
    assert found == {
        "intra_commodity_charge": 600 * QUOTE,
        "spreads": 6 * QUOTE,
        "net_delta": 4 * QUOTE,
    }
    # Two months with outright margins of 500 and 750 and a spread rate of 50: 250 + 50.
    assert (
        evaluate("span_requirement", {"scan_risk": 250, "intra_commodity_charge": 50})["margin"]
        == 300
    )


def inter(legs: Sequence[tuple[int, int, int, int]], credit: int) -> dict[str, Any]:
    names = ("scan_risk", "delta", "ratio", "side")
    return evaluate(
        "span_inter_commodity_credit",
        {"legs": [dict(zip(names, leg, strict=True)) for leg in legs], "credit_ppm": credit},
    )


def test_a_spread_between_commodities_gives_credit_on_the_risk_of_the_deltas_it_uses():
    # Two of one at 1,750 against one of the other at 2,500, rate 55 %: 3,300 off 6,000.
    found = inter([(3_500, 2 * QUOTE, 2, 0), (2_500, -QUOTE, 1, 1)], 550_000)
    assert found["inter_commodity_credit"] == 3_300
    assert (found["credits"], found["deltas_left"]) == ([1_925, 1_375], [0, 0])
    # Half of the second leg: half as many spreads.
    found = inter([(3_500, 2 * QUOTE, 2, 0), (1_250, -QUOTE // 2, 1, 1)], 550_000)
    assert found["spreads"] == QUOTE // 2
    assert (found["credits"], found["deltas_left"]) == ([962, 687], [QUOTE, 0])


@pytest.mark.parametrize(
    "legs",
    [
        [(3_500, 2, 1, 0), (2_500, 1, 1, 1)],
        [(3_500, 2, 1, 0), (2_500, -1, 1, 0)],
        [(3_500, 2, 1, 0), (2_500, 0, 1, 1)],
        [(3_500, 0, 1, 0), (2_500, 1, 1, 1)],
        [(3_500, 2, 1, 0)],
        [],
    ],
)
def test_legs_that_do_not_stand_opposite_form_no_spread(legs):
    assert inter(legs, PPM)["inter_commodity_credit"] == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 1 << 60), st.integers(1, 1 << 55), st.integers(1, 1 << 20)),
        min_size=2,
        max_size=4,
    ),
    part,
)
def test_the_credit_of_each_leg_is_exact_and_never_above_its_risk(legs, credit):
    signed = [(r, d if i == 0 else -d, n, int(i > 0)) for i, (r, d, n) in enumerate(legs)]
    if sum(r for r, _, _ in legs) >= 1 << 62:
        return
    spreads = min(d // n for _, d, n in legs)
    exact = [share(r, credit) * spreads * n / d for r, d, n in legs]
    found = inter(signed, credit)
    assert found["credits"] == [floor(each) for each in exact]
    assert all(c <= r for c, (r, _, _) in zip(found["credits"], legs, strict=True))


# ---- PMRM

points = st.lists(
    st.tuples(st.integers(-900_000, 3 * PPM), part, st.booleans()), min_size=1, max_size=5
)


@st.composite
def pmrm_accounts(draw):
    grid = [(0 if skew else k, damp, skew) for k, damp, skew in draw(points)]
    worth = st.integers(0, 10**6)
    options = draw(
        st.lists(
            st.tuples(
                st.integers(-50, 50), worth, st.lists(worth, min_size=5, max_size=5),
                st.integers(0, 1), st.sampled_from([900, 1_000]), worth, worth,
            ),
            max_size=5,
        )
    )  # fmt: skip
    linear = draw(
        st.lists(
            st.tuples(st.integers(-90, 90), st.integers(1, 10**6), st.integers(-(10**6), 10**6)),
            max_size=2,
        )
    )
    collateral = draw(
        st.lists(st.tuples(st.integers(0, 10**8), part, part, st.integers(0, 1)), max_size=2)
    )
    terms = draw(
        st.lists(
            st.tuples(
                st.integers(UNIT // 2, UNIT), st.integers(UNIT, 2 * UNIT), st.integers(0, 3 * PPM)
            ),
            min_size=2,
            max_size=2,
        )
    )
    return grid, options, linear, collateral, terms


RATES = {
    "initial_ppm": 1_250_000,
    "maintenance_ppm": 800_000,
    "naked_initial_ppm": 2_000,
    "naked_maintenance_ppm": 3_000,
    "linear_initial_ppm": 5_000,
    "linear_maintenance_ppm": 15_000,
    "confidence_ppm": 500_000,
    "confidence_rate_ppm": 400_000,
    "peg_ppm": 930_000,
}


def pmrm_exact(account: Any, cash: int, spot: int) -> dict[str, Fraction]:
    """Margins as the published formula has them: no number is rounded on the way."""
    grid, options, linear, collateral, terms = account
    expiries = sorted({option[3] for option in options})
    total = Fraction(0)
    for e in expiries:
        held = [option for option in options if option[3] == e]
        now = sum(q * v for q, v, *_ in held)
        above = sum(option[0] * option[5] for option in held)
        below = sum(option[0] * option[6] for option in held)
        total += share(min(above - now, below - now, 0), terms[e][2])
    worst = min(Fraction(0), total)
    for s, (shock, damp, skew) in enumerate(grid):
        gain = sum((share(q * p, shock) for q, p, _ in linear), Fraction(0))
        gain += sum(share(v, shock) for v, _, _, cancels in collateral if cancels)
        for e in expiries:
            held = [option for option in options if option[3] == e]
            now = sum(q * v for q, v, *_ in held)
            then = sum(option[0] * option[2][s] for option in held)
            change = Fraction(then * terms[e][then < 0], UNIT) - now
            gain += -abs(change) if skew else change
        worst = min(worst, share(1, damp) * gain)
    nets: dict[tuple[int, int], int] = {}
    for q, _, _, e, strike, _, _ in options:
        nets[e, strike] = nets.get((e, strike), 0) + q
    naked = sum(max(-net, 0) for net in nets.values())
    perpetuals = spot * sum(abs(q) for q, _, _ in linear)
    both = share(naked * spot, 3_000) + share(perpetuals, 15_000)
    both += sum(share(v, h) for v, h, _, _ in collateral)
    initial = share(naked * spot, 2_000) + share(perpetuals, 5_000)
    initial += sum(share(v, h) for v, _, h, _ in collateral)
    # The account is doubted by a half, the first expiry more, the first asset below the threshold.
    doubted = 700_000 * sum(abs(o[0]) * spot for o in options if o[3] == 0)
    doubted += 500_000 * (sum(abs(o[0]) * spot for o in options if o[3] == 1) + perpetuals)
    doubted += sum((900_000, 500_000)[i > 0] * row[0] for i, row in enumerate(collateral))
    initial += share(doubted, 1, 400_000)
    own = cash + sum(q * v for q, v, *_ in options) + sum(u for _, _, u in linear)
    own += sum(v for v, _, _, _ in collateral)
    factor = Fraction(125, 100) + Fraction(5, 100) * 2
    return {
        "initial_margin": own + worst * factor - both - initial,
        "maintenance_margin": own + worst * Fraction(8, 10) - both,
        "worst_pnl": worst,
        "basis_contingency": total,
    }


@settings(max_examples=50)
@given(pmrm_accounts(), st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_pmrm_is_its_published_formula_and_rounds_against_the_account(account, cash, spot):
    grid, options, linear, collateral, terms = account
    names = ("lots", "value", "row", "expiry", "strike", "basis_above", "basis_below")
    found = evaluate(
        "pmrm_margin",
        {
            "options": [
                dict(zip(names, (q, v, row[: len(grid)], *rest), strict=True))
                for q, v, row, *rest in options
            ],
            "linear": [{"lots": q, "mark_price": p, "unrealised": u} for q, p, u in linear],
            "collateral": [
                {
                    "value": v,
                    "haircut_ppm": h,
                    "initial_haircut_ppm": more,
                    "cancels_risk": c,
                    "confidence_ppm": (100_000, PPM)[i > 0],
                }
                for i, (v, h, more, c) in enumerate(collateral)
            ],
            "cash": cash,
            "spot_price": spot,
            "price_shock_ppm": [shock for shock, _, _ in grid],
            "damp_ppm": [damp for _, damp, _ in grid],
            "skew": [int(skew) for _, _, skew in grid],
            "expiries": [
                {
                    "long_discount": long,
                    "short_discount": short,
                    "basis_ppm": basis,
                    "confidence_ppm": (300_000, PPM)[e],
                }
                for e, (long, short, basis) in enumerate(terms)
            ],
        }
        | RATES,
    )
    # A linear gain rounds to nearest a lot, everything else against the account by less than one.
    slack = 8 + sum(abs(q) for q, _, _ in linear) + len(options) * 2
    for name, exact in pmrm_exact(account, cash, spot).items():
        assert abs(found[name] - exact) <= 2 * slack, name


# ---- standard margin: the numbers of one unit of an asset in 100 lots


def standard(options=(), linear=(), collateral=(), spot=2_000, forward=None, **changes):
    names = ("lots", "is_call", "strike", "mark_price", "expiry")
    table = [
        dict(zip(names, (q, c, k * QUOTE // 100, m * QUOTE // 100, e), strict=True)) | more
        for q, c, k, m, e, more in options
    ]
    found = evaluate(
        "standard_margin",
        {
            "options": table,
            "linear": list(linear),
            "collateral": list(collateral),
            "spot_price": spot * QUOTE // 100,
            "forward_prices": [(forward or spot) * QUOTE // 100] * 2,
        }
        | changes,
    )
    return Fraction(found["initial_margin"], QUOTE), Fraction(found["maintenance_margin"], QUOTE)


DOUBT: dict[str, int] = {"confidence_ppm": 100_000}
SURE: dict[str, int] = {}


@pytest.mark.parametrize(
    ("options", "initial", "maintenance"),
    [
        # Isolated: in the money 15 % of 2,000, far out of it 10 %; maintenance 7.5 %.
        ([(-100, 1, 1_500, 502, 0, SURE)], -802, -652),
        ([(-200, 0, 3_000, 997, 0, SURE)], -2_594, -2_294),
        ([(-100, 1, 2_500, 1, 0, SURE)], -201, -151),
        # A put loses its strike at most; spreads lose their width if isolated needs more.
        ([(-100, 0, 100, 0, 0, SURE)], -100, -100),
        ([(-100, 1, 1_800, 210, 0, SURE), (100, 1, 2_000, 30, 0, SURE)], -200, -200),
        ([(-100, 1, 2_300, 3, 0, SURE), (100, 1, 4_000, 0, 0, SURE)], -203, -153),
        # Expiries do not net; a hundredth of a call without its pair adds 1.2 of the forward.
        (
            [(-100, 1, 1_800, 210, 0, SURE), (100, 1, 2_000, 30, 0, SURE),
             (-100, 1, 1_800, 220, 1, SURE), (100, 1, 2_000, 90, 1, SURE)],
            -400,
            -400,
        ),
        ([(-101, 1, 1_100, 900, 0, SURE), (100, 1, 1_200, 800, 0, SURE)], -125, -123),
        # Deep in the money: 7.5 % of the put's own value, and 1.05 of that initially.
        ([(-100, 0, 7_400, 5_400, 0, SURE)], Fraction(-609_525, 100), -5_805),
        # What is doubted at 0.1 costs 0.9 * 0.4 of spot, initially, of shorts alone.
        ([(-100, 1, 2_000, 89, 0, DOUBT)], -389 - 720, -239),
        ([(100, 1, 2_000, 89, 0, DOUBT)], 0, 0),
        ([(100, 1, 2_900, 40, 0, SURE), (-100, 1, 3_500, 10, 0, SURE)], 0, 0),
    ],
)  # fmt: skip
def test_margins_of_options_by_the_standard_rules(options, initial, maintenance):
    assert standard(options) == (initial, maintenance)


def test_perpetuals_collateral_and_a_depeg_by_the_standard_rules():
    perpetual = {"lots": 100, "mark_price": 2_000 * QUOTE // 100, "unrealised": -4 * QUOTE}
    assert standard(linear=[perpetual]) == (-134, -104)
    assert standard(linear=[perpetual | DOUBT]) == (-134 - 720, -104)
    assert standard(linear=[perpetual], peg_ppm=100_000) == (-134 - 2_112, -104)
    short_put = [(-100, 0, 2_000, 84, 0, SURE)]
    assert standard(short_put, peg_ppm=100_000) == (-384 - 2_112, -234)
    asset = {"value": 2_000 * QUOTE, "haircut_ppm": 200_000}
    assert standard(collateral=[asset]) == (1_600, 1_600)
    assert standard(collateral=[asset | DOUBT]) == (1_600 - 720, 1_600)
    assert standard(collateral=[asset | {"initial_haircut_ppm": 50_000}]) == (1_500, 1_600)
    assert standard(cash=5 * QUOTE) == (5, 5)


def test_every_expiry_of_a_standard_account_needs_its_forward():
    with pytest.raises(FormulaError, match="a forward price for each expiry"):
        standard([(-100, 1, 1_500, 502, 2, SURE)])


books = st.lists(
    st.tuples(st.integers(-40, 40), st.integers(0, 1), st.integers(0, 3_000), st.integers(0, 900)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=100)
@given(books, st.integers(1, 2_500), st.integers(1, 2_500))
def test_an_expiry_needs_the_less_of_isolated_margins_and_largest_loss(book, spot, forward):
    rows = [{"lots": q, "is_call": c, "strike": k, "mark_price": m} for q, c, k, m in book]
    found = evaluate(
        "standard_margin",
        {
            "options": rows, "linear": [], "collateral": [], "spot_price": spot,
            "forward_prices": [forward],
        },
    )  # fmt: skip
    isolated = Fraction(0)
    for q, is_call, strike, mark in book:
        if q < 0:
            far = Fraction(pays(1 - is_call, strike, spot), spot)
            worst = max(Fraction(1, 10), Fraction(15, 100) - far) * spot
            one = q * (mark + worst)
            if not is_call:
                kept = max(Fraction(75, 1000) * spot, Fraction(75, 1000) * mark)
                one = min(one, Fraction(105, 100) * q * (mark + kept))
            isolated += one
    lowest = min(
        0,
        *(
            sum(q * pays(c, k, at) for q, c, k, _ in book)
            for at in [0, *(k for _, _, k, _ in book)]
        ),
    )
    unpaired = max(0, -sum(q for q, c, _, _ in book if c))
    bounded = lowest - Fraction(12, 10) * unpaired * forward
    exact = max(isolated, bounded)
    assert 0 <= exact - found["initial_margin"] <= 2 * len(book) + 1
    assert found["largest_loss_initial"] == [floor(bounded)]


# ---- open interest


@pytest.mark.parametrize(
    ("notional", "base", "lower", "upper", "interest", "fraction", "margin"),
    [
        (500_000, 200_000, 0, 0, 0, 200_000, 100_000),
        (1, 100_000, 0, 0, 0, 100_000, 1),
        (123_456, 567_243, 0, 0, 0, 567_243, 70_030),
        (500_000, 200_000, 0, 0, 15 * 10**11, 200_000, 100_000),
        (500_000, 200_000, 10**12, 2 * 10**12, 15 * 10**11, 600_000, 300_000),
        (500_000, 200_000, 25 * 10**12, 50 * 10**12, 80 * 10**12, PPM, 500_000),
        (500_000, 200_000, 25 * 10**12, 50 * 10**12, 25 * 10**12, 200_000, 100_000),
        (500_000, 200_000, 25 * 10**12, 6 * 10**13, 28_123_456_789_123, 271_393, 135_697),
        (PPM, 200_000, 10**6, 2 * 10**6, 1_234_567, 387_653, 387_653),
        (PPM, 0, 0, 10, 5, 500_000, 500_000),
    ],
)
def test_initial_margin_scales_with_open_interest(
    notional, base, lower, upper, interest, fraction, margin
):
    found = evaluate(
        "open_interest_scaled_margin",
        {
            "notional": notional,
            "initial_ppm": base,
            "open_interest": interest,
            "open_interest_lower": lower,
            "open_interest_upper": upper,
        },
    )
    assert found == {"fraction_ppm": fraction, "initial_margin": margin}


@pytest.mark.parametrize(
    ("initial", "fraction", "maintenance"),
    [(150_000, 800_000, 120_000), (450_000, 770_000, 346_500), (637_239, 289_284, 184_343)],
)
def test_maintenance_is_a_part_of_the_base_fraction(initial, fraction, maintenance):
    found = evaluate(
        "maintenance_fraction_ppm",
        {"initial_ppm": initial, "maintenance_of_initial_ppm": fraction},
    )
    assert found == {"fraction_ppm": maintenance}


def test_the_clamp_of_funding_is_a_multiple_of_initial_less_maintenance():
    for factor, initial, maintenance, bound in [
        (6 * PPM, 150_000, 120_000, 180_000),
        (423_978_721, 745_345, 421_080, 137_481_459),
        ((1 << 32) - 1, PPM, 0, (1 << 32) - 1),
        (0, PPM, 0, 0),
    ]:
        found = evaluate(
            "funding_rate_dydx",
            {
                "premium_samples": [1 << 48],
                "initial_ppm": initial,
                "maintenance_ppm": maintenance,
                "clamp_factor_ppm": factor,
            },
        )
        assert found == {"rate_ppm": bound}


# ---- price monitoring

TRIGGERS: list[dict[str, int]] = [
    {"reference_price": 123, "down": 1, "up": 2, "extension_ms": 60_000},
    {"reference_price": 123, "down": 3, "up": 4, "extension_ms": 300_000},
]


@pytest.mark.parametrize(
    ("price", "checks"),
    [
        (123, []),
        (125, []),
        (122, []),
        (126, [60_000]),
        (121, [60_000]),
        (127, [60_000]),
        (131, [60_000, 300_000]),
        (117, [60_000, 300_000]),
    ],
)
def test_a_price_that_stays_extends_its_auction_trigger_by_trigger(price, checks):
    bounds = TRIGGERS
    found = []
    for _ in range(4):
        step = evaluate("price_monitor_extension", {"price": price, "bounds": bounds})
        if step["broken"] == 0:
            break
        found.append(step["extension_ms"])
        bounds = [row | {"spent": s} for row, s in zip(bounds, step["spent"], strict=True)]
    assert found == checks
    together = evaluate(
        "price_monitor_extension", {"price": price, "bounds": TRIGGERS, "at_once": 1}
    )
    assert together["extension_ms"] == sum(checks)


@given(st.integers(1, 10**12), part, st.integers(0, 10 * PPM), st.integers(0, 10**13))
def test_a_price_is_outside_beyond_the_exact_bounds_alone(reference, down, up, price):
    found = evaluate(
        "price_monitor_bounds",
        {"reference_price": reference, "down_ppm": down, "up_ppm": up, "price": price},
    )
    low, high = share(reference, PPM - down), share(reference, PPM + up)
    assert (found["low"], found["high"]) == (ceil(low), floor(high))
    assert found["outside"] is not (low <= price <= high)


# ---- legal transitions

SUCCESS, NEWLY, STILL = 0, 1, 2


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ((-1, 0, 0), (-2, 2, 1), STILL),
        ((-1, 0, 0), (-1, 2, 1), STILL),
        ((-1, 0, 0), (100, 101, 1), STILL),
        ((-1, 0, 0), (-1, 0, 0), STILL),
        ((-1, 0, 0), (-2, 0, 0), STILL),
        ((-2, 0, 0), (-1, 0, 0), SUCCESS),
        ((-2, 1, 1), (-1, 0, 0), STILL),
        # Healthy before: the same failures are new ones.
        ((5, 5, 3), (4, 5, 4), NEWLY),
        ((5, 5, 3), (5, 5, 9), SUCCESS),
        # Equity over maintenance may stay or rise while maintenance does not grow.
        ((6, 20, 10), (3, 10, 5), SUCCESS),
        ((6, 20, 10), (2, 10, 5), STILL),
        ((6, 20, 10), (6, 20, 10), SUCCESS),
        ((-6, 20, 10), (-3, 10, 5), SUCCESS),
        ((-6, 20, 10), (-4, 10, 5), STILL),
        ((6, 20, 10), (7, 20, 11), STILL),
    ],
)
def test_transitions_of_an_account_below_its_margin(old, new, code):
    names = ("equity", "initial", "maintenance")
    arguments = {f"old_{n}": v for n, v in zip(names, old, strict=True)}
    arguments |= {f"new_{n}": v for n, v in zip(names, new, strict=True)}
    assert evaluate("legal_transition_dydx", arguments)["code"] == code


small = st.integers(-30, 30)
risks = st.integers(0, 30)


@given(small, risks, small, risks, st.integers(0, 1))
def test_transitions_of_a_position_in_three_inequalities(value, risk, new_value, new_risk, smaller):
    found = evaluate(
        "legal_transition_starkex",
        {
            "value_before": value,
            "risk_before": risk,
            "value_after": new_value,
            "risk_after": new_risk,
            "smaller": smaller,
        },
    )
    if new_risk <= new_value:
        code = 0
    elif not smaller:
        code = 1
    elif new_value * risk < value * new_risk:
        code = 3
    else:
        code = 2 if risk == 0 and new_value < value else 0
    assert found == {"code": code, "legal": code == 0}


# ---- deleveraging


@given(
    st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10**9), st.integers(1, 10**9),
    st.integers(0, 1),
)  # fmt: skip
def test_the_rank_of_a_winner_is_profit_times_leverage(mark, entry, notional, equity, short):
    found = evaluate(
        "adl_rank",
        {
            "mark_price": mark,
            "entry_price": entry,
            "notional": notional,
            "account_value": equity,
            "short": short,
        },
    )
    moved = Fraction(entry, mark) if short else Fraction(mark, entry)
    assert found["rank_ppm"] == min((1 << 62) - 1, floor(PPM * moved * Fraction(notional, equity)))


def apportioned(total: int, weights: Sequence[int]) -> list[int]:
    """Floors first, then one each to the largest remainders, the earlier first."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    shares = [floor(each) for each in exact]
    order = sorted(range(len(weights)), key=lambda i: (shares[i] - exact[i], i))
    for i in order[: total - sum(shares)]:
        shares[i] += 1
    return shares


@given(st.integers(0, 1 << 40), st.lists(st.integers(0, 9) | st.integers(0, 1 << 40), max_size=9))
def test_a_whole_is_split_by_the_largest_remainders(total, weights):
    if not weights:
        weights = [1]
    found = evaluate("largest_remainder", {"total": total, "weights": weights})
    assert found["shares"] == apportioned(total, weights)
    assert found["sum"] == (total if any(weights) else 0)


winners = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 10**6), st.integers(1, 10**6)),
    min_size=1,
    max_size=6,
)


@given(st.integers(0, 200), winners)
def test_winners_give_up_no_more_than_the_shortfall_or_what_they_hold(shortfall, rows):
    found = evaluate(
        "adl_allocation",
        {
            "shortfall_lots": shortfall,
            "winners": [{"lots": q, "notional": n, "equity": e} for q, n, e in rows],
        },
    )
    leverage = [max(PPM, min(n * PPM // e, 100 * PPM)) for _, n, e in rows]
    weights = [ceil(Fraction(q * x, PPM)) for (q, _, _), x in zip(rows, leverage, strict=True)]
    assert found["weights"] == weights
    taken = min(shortfall, sum(q for q, _, _ in rows))
    assert sum(found["closed_lots"]) == taken
    assert found["left_lots"] == shortfall - taken
    assert all(0 <= c <= q for c, (q, _, _) in zip(found["closed_lots"], rows, strict=True))
    first = apportioned(shortfall, weights)
    if all(s <= q for s, (q, _, _) in zip(first, rows, strict=True)):
        assert found["closed_lots"] == first
