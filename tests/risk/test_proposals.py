"""Proposals of margin parameters: towards the forecast, within bounds and steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.proposals import FIELDS, Bounds, Market, Policy, Proposal, TierParameters, propose

CURRENT = TierParameters(
    initial_ppm=100_000,
    maintenance_ppm=60_000,
    open_interest_lower=50 * 10**12,
    open_interest_upper=150 * 10**12,
    position_cap=10 * 10**12,
)
FRACTIONS = Bounds(20_000, 500_000, 200_000)
AMOUNTS = Bounds(10**12, 10**15, 500_000)
BOUNDS = {
    "initial_ppm": FRACTIONS,
    "maintenance_ppm": Bounds(10_000, 300_000, 200_000),
    "open_interest_lower": AMOUNTS,
    "open_interest_upper": AMOUNTS,
    "position_cap": AMOUNTS,
}
# 2.5 deviations of 2 % over four days: 10 %, and a usual day's volume of 100 million.
CALM = Market(deviation=0.02, tail_ratio=2.5, open_interest=10**12, daily_volume=100 * 10**12)
POLICY = Policy(initial_days=4.0)


def test_what_fits_the_forecast_already_is_left_alone():
    assert propose(CURRENT, CALM, BOUNDS, POLICY) == []


def test_a_storm_raises_margins_by_one_step():
    storm = Market(0.08, 2.5, 10**12, 100 * 10**12)
    initial, maintenance = propose(CURRENT, storm, BOUNDS, POLICY)
    assert (initial.field, initial.before, initial.after) == ("initial_ppm", 100_000, 120_000)
    assert (maintenance.before, maintenance.after) == (60_000, 72_000)
    assert "shortfall 20.00% a day over 4 days" in initial.reason
    assert "target 400000 is beyond the step" in initial.reason


def test_within_a_step_the_target_itself_is_proposed():
    (initial, maintenance) = propose(CURRENT, Market(0.022, 2.5, 0, 100 * 10**12), BOUNDS, POLICY)
    assert initial == Proposal("initial_ppm", 100_000, 110_000, initial.reason)
    assert "beyond" not in initial.reason
    assert maintenance.after == 66_000


def test_a_market_that_dries_up_loses_its_caps_step_by_step():
    dry = Market(0.02, 2.5, 10**12, 10 * 10**12)
    lower, upper, cap = propose(CURRENT, dry, BOUNDS, POLICY)
    assert (lower.after, upper.after, cap.after) == (25 * 10**12, 75 * 10**12, 5 * 10**12)
    assert "open interest is 1000000000000" in lower.reason


def test_a_bound_holds_what_a_step_would_pass():
    tight = BOUNDS | {"initial_ppm": Bounds(20_000, 105_000, 200_000)}
    initial = propose(CURRENT, Market(0.08, 2.5, 0, 100 * 10**12), tight, POLICY)[0]
    assert initial.after == 105_000
    assert "beyond the bound" in initial.reason


def test_maintenance_never_reaches_initial():
    tight = BOUNDS | {"initial_ppm": Bounds(20_000, 100_000, 0)}
    loose = tight | {"maintenance_ppm": Bounds(10_000, 300_000, 1_000_000)}
    storm = Market(0.08, 2.5, 0, 100 * 10**12)
    assert propose(CURRENT, storm, loose, POLICY) == []


@given(
    deviation=st.floats(1e-6, 5),
    tail=st.floats(0.5, 10),
    volume=st.integers(0, 10**18),
    step=st.integers(0, 1_000_000),
)
def test_no_proposal_leaves_its_bounds_or_its_step(deviation, tail, volume, step):
    bounds = {name: Bounds(one.least, one.greatest, step) for name, one in BOUNDS.items()}
    after = {name: getattr(CURRENT, name) for name in FIELDS}
    for one in propose(CURRENT, Market(deviation, tail, 0, volume), bounds, POLICY):
        assert one.before == getattr(CURRENT, one.field) != one.after
        assert abs(one.after - one.before) * 1_000_000 <= one.before * step
        assert bounds[one.field].least <= one.after <= bounds[one.field].greatest
        assert one.reason
        after[one.field] = one.after
    assert after["maintenance_ppm"] < after["initial_ppm"]
    assert after["open_interest_lower"] < after["open_interest_upper"]


@pytest.mark.parametrize(
    ("market", "bounds", "word"),
    [
        (Market(0.0, 2.5, 0, 0), BOUNDS, "deviation"),
        (Market(0.02, float("nan"), 0, 0), BOUNDS, "tail_ratio"),
        (CALM, {}, "no bounds for initial_ppm"),
        (CALM, BOUNDS | {"position_cap": Bounds(5, 4, 0)}, "empty"),
        (CALM, BOUNDS | {"initial_ppm": Bounds(1, 10, 0)}, "outside"),
    ],
)
def test_what_allows_no_proposal_is_refused(market, bounds, word):
    with pytest.raises(ValueError, match=word):
        propose(CURRENT, market, bounds, POLICY)
