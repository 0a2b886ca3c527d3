"""Formulas of price gates, withdrawals, marking and sweeps, against the rules as written."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.formulas import evaluate
from clearing.oracle import Use, Validity
from clearing.units import PPM

YEAR = 31_536_000_000
# The table at the top of clearing.price_gates: which doubts forbid a use.
FORBIDDEN = {
    Use.OPEN: {1, 2, 3, 4, 5},
    Use.REDUCE: {2, 5},
    Use.LIQUIDATE: {2, 4, 5},
    Use.FUNDING: {3, 4, 5},
    Use.SETTLE: set(),
    Use.WITHDRAW: {2, 3, 4, 5},
    Use.EXPIRE: set(),
    Use.DELEVERAGE: {2, 4, 5},
    Use.ROW_CHECK: {2, 5},
}
amounts = st.integers(0, 1 << 55)


def one(name, **arguments):
    (value,) = evaluate(name, arguments).values()
    return value


@pytest.mark.parametrize("use", Use)
@pytest.mark.parametrize("doubt", Validity)
def test_each_doubt_forbids_the_uses_of_its_row(doubt, use):
    allowed = one("oracle_action_allowed", validity=int(doubt), use=int(use))
    assert allowed is (doubt not in FORBIDDEN[use])


@pytest.mark.parametrize(
    ("last", "clock", "until", "after"),
    [
        (0, 300_000, 7, 7),
        (0, 300_001, 7, 360_001),
        (900_000, 900_001, 0, 0),
    ],
)
def test_liquidations_wait_after_a_price_that_follows_one_too_old(last, clock, until, after):
    told = {"last_price_time": last, "clock": clock, "grace_until": until}
    assert one("restart_grace", **told) == after


updates = st.lists(st.tuples(st.integers(1, 1 << 40), st.integers(1, 1 << 30)), max_size=8)


@given(updates.map(dict), st.integers(1, 1 << 40), st.integers(1, 1 << 39))
def test_an_expiry_settles_at_the_mean_of_its_window(found, expiry, window):
    prices = sorted(found.items())
    rows = [{"time": time, "price": price} for time, price in prices]
    result = evaluate("settlement_price", {"updates": rows, "expiry": expiry, "window_ms": window})
    inside = [time for time, _ in prices if expiry - window <= time < expiry]
    after = [price for time, price in prices if time >= expiry]
    expected = after[0] if after else 0
    if after and inside:
        ends = [*inside[1:], expiry]
        held = sum(found[a] * (b - a) for a, b in zip(inside, ends, strict=True))
        expected = held // (expiry - inside[0])
    assert result == {"price": expected, "exists": bool(after)}


GATED = {
    "requested": 500,
    "total_value": 1_000,
    "capacity": 40,
    "elapsed_ms": 10,
    "gate_minimum": 0,
    "gate_ppm": 100_000,
    "gate_period_ms": 100,
    "clock": 10,
}


@pytest.mark.parametrize(
    ("changes", "allowed", "whole"),
    [
        # 40, and a tenth of a period's 100.
        ({}, 50, False),
        ({"requested": 50}, 50, True),
        ({"gate_minimum": 600, "elapsed_ms": 100}, 500, True),
        ({"frozen_until": 11}, 0, False),
        ({"frozen_until": 11, "is_flat": 1}, 500, True),
        # From its time on no gate binds a forced withdrawal; it helps no other.
        ({"frozen_until": 11, "not_before": 10}, 500, False),
        ({"frozen_until": 12, "not_before": 11}, 0, False),
    ],
)
def test_a_withdrawal_leaves_as_far_as_the_gates_let_it(changes, allowed, whole):
    found = evaluate("withdrawal_allowed", GATED | changes)
    assert found == {"allowed": allowed, "whole": whole}


@given(st.integers(-1000, 1000), st.integers(-(1 << 40), 1 << 40), amounts, amounts, amounts)
def test_marking_moves_what_is_covered_and_no_more(lots, cost, price, pot, uncovered):
    price %= 1 << 30
    found = evaluate(
        "variation",
        {
            "lots": lots,
            "entry_cost": cost,
            "stable_price": price,
            "variation_pot": pot,
            "uncovered": uncovered,
        },
    )
    gain = lots * price - cost if price else 0
    # Profit as far as the pot goes; a loss as far as the account covers it.
    moved = min(gain, pot) if gain > 0 else min(0, gain + uncovered)
    assert found == {
        "variation": gain,
        "moved": moved,
        "entry_cost": cost + moved,
        "variation_pot": pot - moved,
    }


@given(st.integers(0, 2_000), st.integers(1, 1_000), st.integers(0, PPM), st.integers(1, 1 << 30))
def test_a_forced_close_grows_dearer_up_to_the_maintenance_fraction(elapsed, ramp, most, mark):
    penalty = min(most, ceil(Fraction(most * elapsed, ramp)))
    for held in (5, -5):
        found = evaluate(
            "forced_close_penalty",
            {
                "held_lots": held,
                "mark_price": mark,
                "elapsed_ms": elapsed,
                "ramp_ms": ramp,
                "maintenance_ppm": most,
            },
        )
        part = mark * penalty // PPM
        price = max(1, mark - part) if held > 0 else mark + part
        assert found == {"penalty_ppm": penalty, "price": price}


@given(st.integers(-(1 << 50), 1 << 50), amounts, amounts, st.integers(0, 200))
def test_profit_beyond_the_cap_counts_for_nothing(unrealised, cap, recent, age):
    told = {
        "unrealised": unrealised,
        "profit_cap": cap,
        "recent_profit": recent,
        "recent_age_ms": age,
        "profit_cycle_ms": 100,
    }
    counted = unrealised + (recent if age < 100 else 0)
    assert one("profit_excess", **told) == max(0, counted - cap)


def leg(lots):
    return {"lots": lots, "mark_price": 1_000, "initial_ppm": 100_000, "maintenance_ppm": 50_000}


@pytest.mark.parametrize(
    ("cash", "lots", "position", "debt", "share"),
    [
        (-10_000, (10, -20), 0, 20_000, 6_666),
        (-10_000, (10, -20), 1, 20_000, 13_333),
        (-11_000, (10,), 0, 1_000, 1_000),
        (10_001, (10, -20), 1, 0, 0),
    ],
)
def test_the_debt_of_a_bankrupt_falls_on_his_markets_by_margin(cash, lots, position, debt, share):
    positions = [leg(each) for each in lots]
    told = {"cash": cash, "positions": positions, "position": position}
    assert evaluate("deleverage_debt_share", told) == {"debt": debt, "share": share}


@pytest.mark.parametrize(
    ("changes", "within", "allowed"),
    [
        # A tenth a year, for a tenth of a year: one in a hundred of the reference price.
        ({"forward_price": 1_010_000}, True, True),
        ({"forward_price": 990_000}, True, True),
        ({"forward_price": 1_010_001}, False, False),
        ({"forward_price": 1_000_000, "discount": 990_000_000}, True, True),
        ({"forward_price": 1_000_000, "discount": 989_999_999}, False, False),
        # Beside an active set: a thousandth, and two roundings.
        ({"forward_price": 1_001_002, "active_forward": 2_000_000}, True, True),
        ({"forward_price": 1_001_003, "active_forward": 2_000_000}, True, False),
    ],
)
def test_carry_is_bounded_by_the_year_and_by_the_active_set(changes, within, allowed):
    told = {"reference_price": 1_000_000, "left_ms": YEAR // 10, "carry_ppm": 100_000}
    if "active_forward" in changes:
        told["active_reference"] = 2_000_000
    assert evaluate("row_carry_check", told | changes) == {"within": within, "allowed": allowed}


@pytest.mark.parametrize(
    ("price", "index", "within"), [(105, 0, True), (106, 0, False), (150, 1_000, True)]
)
def test_the_band_of_an_option_is_a_share_of_its_index(price, index, within):
    told = {"price": price, "mark_price": 100, "band_ppm": 50_000, "index_price": index}
    assert one("price_band", **told) is within
