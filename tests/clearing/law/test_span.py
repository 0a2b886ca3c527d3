"""SPAN from plain numbers: scan points, composite delta, requirement, and an account by hand."""

from hypothesis import assume, given
from hypothesis import strategies as st

from clearing.formulas import evaluate
from clearing.units import LOTS_MAX, PPM

small = st.integers(-(1 << 30), 1 << 30)


def one(name, **arguments):
    """The one result of a formula."""
    (value,) = evaluate(name, arguments).values()
    return value


def test_the_sixteen_points_of_span():
    found = evaluate("span_scan_points", {"price_scan": 1_000, "volatility_scan": 40})
    moves = [0, 333, -333, 667, -667, 1_000, -1_000]
    assert found["price_shock"] == [move for move in moves for _ in range(2)] + [3_000, -3_000]
    assert found["volatility_shock"] == [40, -40] * 7 + [0, 0]
    assert found["covered_ppm"] == [PPM] * 14 + [330_000] * 2


def test_composite_delta_is_the_weighted_mean():
    weights = [270_000, 217_000, 217_000, 110_000, 110_000, 37_000, 37_000]
    deltas = [500_000, 600_000, 400_000, 700_000, 300_000, 800_000, 200_000]
    assert one("span_composite_delta", delta_ppm=deltas, weight_ppm=weights) == 500_000
    assert one("span_composite_delta", delta_ppm=[1, 2], weight_ppm=[1, 1]) == 2
    assert one("span_composite_delta", delta_ppm=[-1, -2], weight_ppm=[1, 1]) == -1
    assert one("span_composite_delta", delta_ppm=[7], weight_ppm=[0]) == 0


def test_a_span_account_by_hand():
    future = [300 * step for step in (0, 0, 1, 1, -1, -1, 2, 2, -2, -2, 3, 3, -3, -3)]
    future += [891, -891]
    short_call = [-40, 60, -230, -110, 90, 190, -470, -350, 170, 240, -740, -640, 210, 260]
    short_call += [-800, 90]
    found = evaluate(
        "span_margin",
        {
            "positions": [
                {"lots": 1, "row": future, "composite_delta_ppm": PPM},
                {
                    "lots": -2,
                    "row": [-each for each in short_call],
                    "option_value": 300,
                    "composite_delta_ppm": 450_000,
                    "is_option": 1,
                },
            ],
            "intra_commodity_charge": 50,
            "delivery_charge": 20,
            "inter_commodity_credit": 100,
            "short_option_minimum": 120,
        },
    )
    vector = [f + 2 * c for f, c in zip(future, short_call, strict=True)]
    assert found["vector"] == vector
    assert (found["scan_risk"], found["worst_point"]) == (711, 15)
    assert (found["short_option_minimum"], found["net_option_value"]) == (240, -600)
    assert (found["risk_requirement"], found["margin"]) == (681, 1_281)
    assert found["composite_delta"] == 100_000


def test_the_short_option_minimum_is_spans_floor():
    found = evaluate(
        "span_requirement",
        {
            "scan_risk": 100,
            "inter_commodity_credit": 90,
            "short_option_minimum": 40,
            "net_option_value": 60,
        },
    )
    assert found == {"risk_requirement": 40, "margin": -20}


@given(
    st.lists(
        st.tuples(st.integers(-LOTS_MAX, LOTS_MAX), st.lists(small, min_size=16, max_size=16)),
        max_size=6,
    )
)
def test_a_grid_vector_is_the_sum_of_lots_times_row(rows):
    expected = [sum(lots * row[s] for lots, row in rows) for s in range(16 if rows else 33)]
    gross = sum(abs(lots) * (1 << 30) for lots, row in rows)
    assume(gross < 1 << 53)
    positions = [{"lots": lots, "row": row} for lots, row in rows]
    assert one("grid_vector", positions=positions) == expected
