"""The presets of stress grids."""

import pytest

from risk.grid import CENTRE, POINTS, STRESS_GRID, GridPoint, span_grid, volatility_shocks_ppm

PRICES = (-180000, -135000, -90000, -45000, 0, 45000, 90000, 135000, 180000)


def test_the_lattice_is_price_level_times_three_plus_volatility_level():
    assert len(STRESS_GRID) == POINTS == 33
    for level, price in enumerate(PRICES):
        for volatility in range(3):
            assert STRESS_GRID[level * 3 + volatility] == GridPoint(price, volatility, 1_000_000)


def test_the_centre_moves_nothing():
    assert CENTRE == 13
    assert STRESS_GRID[CENTRE] == GridPoint(0, 1, 1_000_000)


def test_the_tails_are_damped_and_at_unchanged_volatility():
    assert [(p.price_ppm, p.volatility, p.damping_ppm) for p in STRESS_GRID[27:]] == [
        (-660000, 1, 210000),
        (-330000, 1, 420000),
        (500000, 1, 277200),
        (1000000, 1, 138600),
        (2000000, 1, 69300),
        (4000000, 1, 34650),
    ]


@pytest.mark.parametrize(
    ("days", "shocks"),
    [
        (30, (-275000, 0, 500000)),
        # (30 / 7)^0.3 = 1.547415577..., (30 / 90)^0.13 = 0.866910448...
        (7, (-425539, 0, 773708)),
        (90, (-238400, 0, 433455)),
        (1, (-762903, 0, 1387096)),
    ],
)
def test_volatility_moves_more_the_nearer_the_expiry(days, shocks):
    assert volatility_shocks_ppm(days) == shocks


def test_less_than_a_day_counts_as_one_and_an_expired_option_is_refused():
    assert volatility_shocks_ppm(0) == volatility_shocks_ppm(0.3) == volatility_shocks_ppm(1)
    with pytest.raises(ValueError, match="days"):
        volatility_shocks_ppm(-1)


def test_spans_sixteen_points_are_thirds_of_the_range_and_two_extremes():
    points = span_grid(100_000)
    assert [point.price_ppm for point in points] == [
        0, 0, 33333, 33333, -33333, -33333, 66667, 66667, -66667, -66667,
        100000, 100000, -100000, -100000, 300000, -300000,
    ]  # fmt: skip
    assert [point.volatility for point in points] == [2, 0] * 7 + [1, 1]
    assert [point.damping_ppm for point in points] == [1_000_000] * 14 + [330_000] * 2


@pytest.mark.parametrize("arguments", [(0,), (400_000,), (100_000, 0), (100_000, 3, 0)])
def test_a_scan_range_out_of_bounds_is_refused(arguments):
    with pytest.raises(ValueError, match="ppm"):
        span_grid(*arguments)
