"""Changes of parameters: bounded steps, timelocks, sets that agree, tiers and proposals."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clearing.formulas import evaluate
from clearing.governance import ParameterFault
from clearing.units import AMOUNT_MAX, PPM

ppm = st.integers(0, PPM)


@pytest.mark.parametrize(
    ("old", "new", "clock", "fault"),
    [
        (1_000, 1_100, 500, ParameterFault.NONE),
        (1_000, 900, 500, ParameterFault.NONE),
        (1_000, 1_101, 500, ParameterFault.STEP),
        (1_000, 899, 500, ParameterFault.STEP),
        # From zero there is no share to take.
        (0, 77, 500, ParameterFault.NONE),
        (1_000, 1_100, 499, ParameterFault.TIMELOCK),
        (1_000, 9_999, 499, ParameterFault.TIMELOCK),
    ],
)
def test_a_parameter_moves_by_a_tenth_after_its_timelock(old, new, clock, fault):
    arguments = {"old_value": old, "new_value": new, "step_ppm": 100_000}
    times = {"announced": 100, "clock": clock, "timelock_ms": 400}
    result = evaluate("parameter_step_check", arguments | times)
    assert result == {"allowed": fault == ParameterFault.NONE, "fault": fault}


@given(st.integers(0, 1 << 62), st.integers(0, 1 << 62), ppm)
@example(5, 6, 100_000)
@example(5, 7, 100_000)
@example(AMOUNT_MAX, 0, 100_000)
def test_a_step_is_a_share_of_the_old_value_or_one(old, new, step):
    arguments = {"old_value": old, "new_value": new, "step_ppm": step}
    expected = old in (0, AMOUNT_MAX) or abs(new - old) <= max(1, Fraction(old * step, PPM))
    assert evaluate("parameter_step_check", arguments)["allowed"] is expected


GOOD = {
    "initial_ppm": 50_000,
    "maintenance_ppm": 30_000,
    "maker_fees_ppm": [100, -50],
    "taker_fees_ppm": [300, 50],
    "haircuts_ppm": [10_000, 10_000, 50_000],
}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ParameterFault.NONE),
        ({"maintenance_ppm": 50_000}, ParameterFault.MARGIN_ORDER),
        ({"maintenance_ppm": 0}, ParameterFault.MARGIN_ORDER),
        # The best maker meets the best taker, whatever their tiers.
        ({"maker_fees_ppm": [-51, 100]}, ParameterFault.FEE_SUM),
        ({"taker_fees_ppm": [300, 49]}, ParameterFault.FEE_SUM),
        ({"haircuts_ppm": [10_000, 9_999]}, ParameterFault.HAIRCUT_ORDER),
        ({"haircuts_ppm": [9_999, 10_000], "initial_ppm": 1}, ParameterFault.MARGIN_ORDER),
    ],
)
def test_a_set_of_parameters_must_agree(changes, fault):
    result = evaluate("parameter_set_check", GOOD | changes)
    assert result == {"allowed": fault == ParameterFault.NONE, "fault": fault}


@pytest.mark.parametrize(
    ("volume", "tier"), [(0, 0), (99, 0), (100, 1), (999, 1), (1_000, 2), (1 << 62, 2)]
)
def test_the_fee_tier_is_the_last_one_reached(volume, tier):
    result = evaluate("fee_tier", {"volume": volume, "thresholds": [0, 100, 1_000]})
    assert result == {"tier": tier}


@pytest.mark.parametrize(
    ("changes", "target", "proposed"),
    [
        # 2 % * 2.5 * (1 + 1 / 4) is 6.25 %; a tenth of 5 % at a time.
        ({}, 62_500, 55_000),
        ({"current_ppm": 60_000}, 62_500, 62_500),
        ({"current_ppm": 80_000}, 62_500, 72_000),
        ({"volatility_ppm": 1_000}, 20_000, 45_000),
        ({"open_interest": 1 << 60}, 200_000, 55_000),
        ({"current_ppm": 0}, 62_500, 62_500),
        # One ppm at one and a half, up, is two; a quarter of that is one more.
        (
            {"current_ppm": 0, "volatility_ppm": 1, "multiplier_ppm": 1_500_000, "low_ppm": 0},
            3,
            3,
        ),
    ],
)
def test_the_proposed_margin_steps_towards_what_volatility_and_crowding_ask(
    changes, target, proposed
):
    arguments = {
        "current_ppm": 50_000,
        "volatility_ppm": 20_000,
        "multiplier_ppm": 2_500_000,
        "open_interest": 1_000_000,
        "depth": 4_000_000,
        "low_ppm": 20_000,
        "high_ppm": 200_000,
        "step_ppm": 100_000,
    }
    result = evaluate("initial_margin_proposal", arguments | changes)
    assert result == {"target_ppm": target, "proposed_ppm": proposed}


@given(st.integers(1, PPM), ppm, st.integers(0, 1 << 40), st.integers(1, 1 << 40), ppm, ppm, ppm)
def test_a_proposal_keeps_its_bounds_and_its_step(current, vol, interest, depth, one, two, step):
    low, high = min(one, two), max(one, two)
    result = evaluate(
        "initial_margin_proposal",
        {
            "current_ppm": current,
            "volatility_ppm": vol,
            "multiplier_ppm": PPM,
            "open_interest": interest,
            "depth": depth,
            "low_ppm": low,
            "high_ppm": high,
            "step_ppm": step,
        },
    )
    exact = vol + ceil(Fraction(vol * interest, depth))
    assert result["target_ppm"] == max(low, min(high, exact))
    assert abs(result["proposed_ppm"] - current) <= floor(Fraction(current * step, PPM))
    step_check = {"old_value": current, "new_value": result["proposed_ppm"], "step_ppm": step}
    assert evaluate("parameter_step_check", step_check)["allowed"]
