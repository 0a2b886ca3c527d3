"""When an account fails: sizes, prices and payments, against exact fractions and worked numbers."""

import itertools
from fractions import Fraction
from functools import cmp_to_key
from math import ceil, floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clearing import formulas, waterfall
from clearing.compiler import checked
from clearing.units import LOTS_MAX, PPM, PRICE_MAX
from clearing.waterfall import AMOUNT_END, Collateralisation, Transition

AMOUNT = 1 << 61

small = st.integers(-1000, 1000)
amounts = small | st.integers(-AMOUNT, AMOUNT)
positive = st.integers(0, 1000) | st.integers(0, AMOUNT)
ppm = st.integers(0, PPM)
prices = st.integers(1, 1000) | st.integers(1, PRICE_MAX)
sizes = st.integers(1, 1000) | st.integers(1, 1 << 12)


def evaluate(name, arguments):
    """The results of a formula by name."""
    return formulas.evaluate(name, arguments)


def one(name, **arguments):
    """The first result of a formula."""
    return next(iter(evaluate(name, arguments).values()))


def clamp(value, low, high):
    return max(low, min(value, high))


# --- Who, and how much


@pytest.mark.parametrize(
    ("equity", "maintenance", "expected"),
    [(9, 10, True), (10, 10, False), (-1, 0, False), (0, 0, False), (-1, 1, True)],
)
def test_below_a_maintenance_margin_an_account_is_liquidatable(equity, maintenance, expected):
    assert one("is_liquidatable", equity=equity, maintenance=maintenance) is expected


accounts = st.lists(
    st.tuples(st.integers(-20, 20) | amounts, st.integers(0, 9) | positive),
    min_size=1,
    max_size=12,
)


@given(accounts, st.randoms(use_true_random=False))
def test_the_riskiest_is_liquidated_first_whatever_the_order_of_accounts(rows, chance):
    rows = [{"equity": e, "maintenance": m, "id": i} for i, (e, m) in enumerate(rows)]
    failing = [row for row in rows if 0 < row["maintenance"] > row["equity"]]
    failing.sort(
        key=lambda row: (
            Fraction(row["equity"], row["maintenance"]),
            -row["maintenance"],
            row["id"],
        )
    )
    chance.shuffle(rows)
    result = evaluate("liquidation_priority", {"accounts": rows})
    assert result == {"order": [row["id"] for row in failing], "liquidatable": len(failing)}


@given(st.lists(st.tuples(small, st.integers(1, 9)), min_size=3, max_size=3))
def test_the_comparison_of_risk_orders_any_three(rows):
    def compare(one, other):
        return int(waterfall.compare_risk(*one, *other))

    ranked = sorted(rows, key=cmp_to_key(compare))
    for safer, riskier in itertools.pairwise(ranked):
        assert compare(safer, riskier) <= 0 <= compare(riskier, safer)


def test_a_partial_close_reaches_the_target():
    # Target 115; 15 are missing; closing all frees 115 and costs 15: 15 of 100.
    result = evaluate(
        "partial_liquidation_fraction",
        {
            "equity": 100,
            "maintenance": 100,
            "buffer_ppm": 150_000,
            "close_cost": 15,
            "lots": -70,
        },
    )
    assert result == {
        "fraction_ppm": 150_000,
        "target": 115,
        "shortfall": 15,
        "lots_to_close": -11,
    }


@given(amounts, positive, ppm, positive)
def test_the_fraction_closed_is_the_least_that_heals(equity, maintenance, buffer, cost):
    result = evaluate(
        "partial_liquidation_fraction",
        {"equity": equity, "maintenance": maintenance, "buffer_ppm": buffer, "close_cost": cost},
    )
    target = ceil(Fraction(maintenance * (PPM + buffer), PPM))
    fraction = result["fraction_ppm"]
    assert (result["target"], result["shortfall"]) == (target, max(0, target - equity))
    assert 0 <= fraction <= PPM

    def healed(part):
        return (PPM - part) * target <= equity * PPM - part * cost

    if fraction < PPM:
        assert healed(fraction)
    if fraction > 0 and target > cost:
        assert not healed(fraction - 1)


@given(st.integers(-LOTS_MAX, LOTS_MAX), ppm)
def test_of_every_leg_the_fraction_is_closed_rounded_up(lots, fraction):
    closed = int(waterfall.lots_to_close(lots, fraction))
    assert abs(closed) == ceil(Fraction(abs(lots) * fraction, PPM))
    assert abs(closed) <= abs(lots) and closed * lots >= 0


def test_the_base_to_cover_a_shortage_is_that_of_its_formula():
    # 10 quote short at a price of 100 a unit of 1e9 lots, 20 % margin less 1 % fee: 10 / 19.
    arguments = {
        "margin_shortage": 10_000_000,
        "price": 100_000_000,
        "price_lots": 10**9,
        "margin_ratio_ppm": 200_000,
        "liquidation_fee_ppm": 10_000,
    }
    assert evaluate("liquidation_base_to_cover", arguments) == {
        "lots": 526_315_790,
        "lots_rounded_down": 526_315_789,
        "whole_position": False,
    }
    held = evaluate("liquidation_base_to_cover", arguments | {"held_lots": 5})
    assert held == {"lots": 5, "lots_rounded_down": 5, "whole_position": True}
    free = evaluate(
        "liquidation_base_to_cover",
        arguments | {"liquidation_fee_ppm": 190_000, "insurance_fee_ppm": 10_000, "held_lots": 9},
    )
    assert free == {"lots": 9, "lots_rounded_down": 9, "whole_position": True}


@given(positive, prices, st.integers(1, LOTS_MAX), ppm, ppm, ppm)
def test_lots_to_cover_round_both_ways(shortage, price, price_lots, margin, fee, fund_fee):
    with checked():
        down, up, frees = waterfall.lots_to_cover(
            shortage, price, price_lots, margin, fee, fund_fee
        )
    freed = margin - fee - fund_fee
    assert bool(frees) is (freed > 0)
    if frees:
        exact = Fraction(shortage * price_lots * PPM, price * freed)
        assert int(down) == min(AMOUNT_END, floor(exact))
        assert int(up) == min(AMOUNT_END, ceil(exact))


def test_lots_beyond_64_bits_count_as_the_largest_number():
    with checked():
        assert waterfall.lots_to_cover(AMOUNT, 1, LOTS_MAX, 1, 0, 0)[:2] == (AMOUNT_END,) * 2


@pytest.mark.parametrize(
    ("elapsed", "freed", "portion", "freeable"),
    [
        # 10 % at once, all after 50 s; half of it gone at 20 s: 50 % of 100 + what was freed.
        (0, 0, 100_000, 10),
        (20_000, 0, 500_000, 50),
        (20_000, 60, 200_000, 20),
        (20_000, 200, 0, 0),
        (50_000, 60, PPM, 100),
        (90_000, 0, PPM, 100),
        # 50 % of 117 is 58.5, of which 17 were freed.
        (20_000, 17, 410_000, 41),
    ],
)
def test_the_portion_that_may_be_liquidated_grows_with_time(elapsed, freed, portion, freeable):
    arguments = {
        "elapsed_ms": elapsed,
        "duration_ms": 50_000,
        "initial_ppm": 100_000,
        "margin_shortage": 100,
        "margin_freed": freed,
    }
    name = "liquidation_portion_by_time"
    assert evaluate(name, arguments) == {"portion_ppm": portion, "freeable": freeable}
    at_once = evaluate(name, arguments | {"small_shortage": 101})
    assert at_once == {"portion_ppm": PPM, "freeable": 100}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # A tenth of 1,000 at a price of 10; the lots are whole steps of four.
        ({}, (1_000, 50, 100, 8)),
        ({"min_notional": 300}, (1_000, 300, 300, 28)),
        ({"min_notional": 3_000}, (1_000, 1_000, 1_000, 100)),
        ({"window_max": 90, "window_used": 30}, (1_000, 50, 60, 4)),
        ({"window_max": 30, "window_used": 90}, (1_000, 50, 0, 4)),
        ({"max_portion_ppm": PPM}, (1_000, 50, 1_000, 100)),
        ({"held_lots": 3, "min_notional": 1, "max_portion_ppm": 0}, (30, 1, 1, 3)),
    ],
)
def test_one_liquidation_takes_a_part_of_a_position(changes, expected):
    arguments = {
        "held_lots": 100,
        "mark_price": 10,
        "min_notional": 50,
        "max_portion_ppm": 100_000,
        "step_lots": 4,
    }
    result = evaluate("liquidation_block_limits", arguments | changes)
    assert tuple(result.values()) == expected


@given(positive, positive, ppm, ppm)
def test_the_penalty_grows_with_size_over_depth(notional, depth, base, most):
    most = max(base, most)
    share = min(Fraction(1), Fraction(notional, depth)) if depth else 1
    expected = ceil(base + (most - base) * share)
    found = one("dynamic_penalty", notional=notional, depth=depth, base_ppm=base, max_ppm=most)
    assert found == expected


@pytest.mark.parametrize(
    ("held", "book", "lots"),
    # Whole up to 10, else 35 % to the nearest lot; at most a tenth of the book, rounded up.
    [(10, 1_000, 10), (11, 1_000, 4), (10, 91, 10), (10, 90, 9), (30, 1_000, 11), (30, 0, 0)],
)
def test_a_position_taken_over_is_traded_off_in_parts(held, book, lots):
    found = one(
        "position_resolution_lots",
        held_lots=held,
        whole_below_lots=10,
        fraction_ppm=350_000,
        book_lots=book,
        max_book_ppm=100_000,
    )
    assert found == lots


def test_the_portion_of_a_shortage_rounds_down():
    arguments = {"elapsed_ms": 0, "duration_ms": 1, "initial_ppm": 100_000, "margin_shortage": 19}
    # A tenth of 19 is 1.9, and 1 of 19 is 5.26 %.
    result = evaluate("liquidation_portion_by_time", arguments)
    assert result == {"portion_ppm": 52_631, "freeable": 1}


# --- Prices and funds


def test_a_long_with_equity_left_is_bankrupt_below_the_mark():
    # 100 of equity over 10 lots: each may lose 10. A third of the maintenance: a third of it.
    arguments = {"mark_price": 1_000, "equity": 100, "maintenance": 300}
    long = arguments | {"lots": 10, "maintenance_freed": 300}
    assert evaluate("bankruptcy_price", long) == {"price": 990, "quote": 9_900}
    part = arguments | {"lots": 10, "maintenance_freed": 100}
    assert evaluate("bankruptcy_price", part) == {"price": 997, "quote": 9_967}
    short = arguments | {"lots": -10, "maintenance_freed": 100}
    assert evaluate("bankruptcy_price", short) == {"price": 1_003, "quote": -10_033}


def test_a_long_with_a_deficit_is_bankrupt_above_the_mark():
    arguments = {"mark_price": 1_000, "equity": -5, "maintenance": 9, "maintenance_freed": 9}
    assert evaluate("bankruptcy_price", arguments | {"lots": 10})["price"] == 1_001
    assert evaluate("bankruptcy_price", arguments | {"lots": -10})["price"] == 999


@given(small | st.integers(-AMOUNT // 2, AMOUNT // 2), amounts, positive, positive)
def test_the_bankruptcy_quote_rounds_for_the_fund(change, equity, part, whole):
    whole = max(1, whole)
    part = min(part, whole)
    expected = ceil(-change - Fraction(equity * part, whole))
    assert expected == one(
        "bankruptcy_quote",
        value_change=change,
        equity=equity,
        maintenance_freed=part,
        maintenance=whole,
    )


@given(st.integers(1, 1 << 30), prices, st.integers(-(1 << 50), 1 << 50), st.booleans())
def test_closing_at_the_bankruptcy_price_leaves_no_deficit(lots, mark, equity, short):
    assume(lots * mark < AMOUNT)
    lots = -lots if short else lots
    price = one(
        "bankruptcy_price",
        lots=lots,
        mark_price=mark,
        equity=equity,
        maintenance_freed=7,
        maintenance=7,
    )
    # What is left: equity at the mark and what the price is better or worse than it.
    left = equity + lots * (price - mark)
    assert 0 <= left < abs(lots)


FILLABLE = {
    "position_value": 1_000_000,
    "position_maintenance": 100_000,
    "lots": 100,
    "equity": 50_000,
    "maintenance": 100_000,
    "bankruptcy_adjustment_ppm": PPM,
    "spread_to_maintenance_ppm": 100_000,
}


@pytest.mark.parametrize(
    ("changes", "price", "spread"),
    [
        # Half way to bankruptcy, a tenth of 100,000: 5,000 below the value.
        ({}, 9_950, 5_000),
        ({"equity": 0}, 9_900, 10_000),
        ({"equity": -30_000}, 9_900, 10_000),
        ({"equity": 100_000}, 10_000, 0),
        ({"bankruptcy_adjustment_ppm": 2 * PPM}, 9_900, 10_000),
        ({"lots": -100, "position_value": -1_000_000}, 10_050, 5_000),
        ({"spread_to_maintenance_ppm": 100_001}, 9_950, 5_000),
        ({"lots": 3}, 331_667, 5_000),
        ({"lots": -3, "position_value": -1_000_000}, 335_000, 5_000),
        ({"position_value": 4_000, "position_maintenance": 100_000}, 0, 5_000),
    ],
)
def test_the_fillable_price_falls_towards_bankruptcy(changes, price, spread):
    given = FILLABLE | changes
    quote = given["position_value"] - spread
    assert evaluate("fillable_price", given) == {"price": price, "spread": spread, "quote": quote}


@pytest.mark.parametrize(
    ("cash", "adjustment", "factor", "price"),
    [
        # A tenth of a coin at 50,000 of which 500 are maintenance: a dollar short, then bankrupt.
        (-4_501, PPM, 100_000, "49999"),
        (-4_501, 2 * PPM, 100_000, "49998"),
        (-4_501, PPM, PPM, "49990"),
        (-4_501, PPM, 1, "49999.99999"),
        (-4_501, (1 << 32) - 1, 100_000, "49500"),
        (-5_000, PPM, 100_000, "49500"),
        (-5_500, PPM, 100_000, "49500"),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_the_quote_of_a_fillable_price_is_exact(cash, adjustment, factor, price, side):
    micro = 10**6
    equity = (cash + 5_000) * micro
    found = evaluate(
        "fillable_price",
        {
            "position_value": side * 5_000 * micro,
            "position_maintenance": 500 * micro,
            "lots": side * 10_000_000,
            "equity": equity,
            "maintenance": 500 * micro,
            "bankruptcy_adjustment_ppm": adjustment,
            "spread_to_maintenance_ppm": factor,
        },
    )
    away = 50_000 - Fraction(price)
    assert Fraction(side * found["quote"] * 10, micro) == 50_000 - side * away


@given(
    amounts,
    st.integers(1, AMOUNT),
    positive,
    st.integers(0, 10 * PPM) | st.integers(0, (1 << 32) - 1),
    st.integers(0, 10 * PPM),
)
def test_the_spread_is_rounded_once(equity, maintenance, part, adjustment, factor):
    rating = clamp(Fraction(adjustment, PPM) * (1 - Fraction(equity, maintenance)), 0, 1)
    with checked():
        spread = waterfall.liquidation_spread(equity, maintenance, part, adjustment, factor)
    assert int(spread) == min(AMOUNT_END, floor(Fraction(rating * part * factor, PPM)))


@pytest.mark.parametrize("adjustment", [PPM, PPM - 1])
def test_a_spread_beyond_all_amounts_counts_as_the_largest(adjustment):
    with checked():
        found = waterfall.liquidation_spread(0, AMOUNT, AMOUNT, adjustment, 10 * PPM)
    assert int(found) == AMOUNT_END


@pytest.mark.parametrize(
    ("fill", "bankruptcy", "balance", "expected"),
    [
        # 30 better than bankruptcy, but the fee is capped at 1 % of 1,000.
        (1_000, 970, 0, (10, True, 10)),
        (1_000, 995, 0, (5, True, 5)),
        (-1_000, -1_030, 7, (10, True, 17)),
        (1_000, 1_000, 0, (0, True, 0)),
        (1_000, 1_020, 20, (-20, True, 0)),
        # It pays all or nothing.
        (1_000, 1_020, 19, (-20, False, 19)),
        (-1_000, -980, 19, (-20, False, 19)),
        (1_099, 0, 0, (10, True, 10)),
    ],
)
def test_the_fund_takes_a_capped_fee_and_pays_only_what_it_can(fill, bankruptcy, balance, expected):
    result = evaluate(
        "insurance_fund_delta",
        {
            "fill_quote": fill,
            "bankruptcy_quote": bankruptcy,
            "max_fee_ppm": 10_000,
            "fund_balance": balance,
        },
    )
    assert tuple(result.values()) == expected


@pytest.mark.parametrize(
    ("changes", "paid", "used"),
    [
        ({}, 60, 100),
        ({"loss": 50}, 50, 90),
        ({"balance": 20}, 20, 60),
        ({"window_used": 130}, 0, 130),
        # The window is over: a new one.
        ({"now_ms": 1_000}, 80, 80),
        ({"now_ms": 999}, 60, 100),
    ],
)
def test_a_tranche_pays_within_its_balance_and_window(changes, paid, used):
    arguments = {
        "loss": 80,
        "balance": 90,
        "window_used": 40,
        "window_max": 100,
        "window_ms": 1_000,
    } | changes
    assert evaluate("tranche_payment", arguments) == {
        "paid": paid,
        "uncovered": arguments["loss"] - paid,
        "balance_after": arguments["balance"] - paid,
        "used_after": used,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (1_500, True, 1_000)),
        ({"deficit": 10}, (0, False, 0)),
        ({"last_freeze_ms": 901}, (0, False, 901)),
        ({"last_freeze_ms": 900}, (1_500, True, 1_000)),
        ({"frozen_until_ms": 1_501}, (1_501, True, 1_000)),
        ({"deficit": 0, "frozen_until_ms": 1_001}, (1_001, True, 0)),
    ],
)
def test_a_deficit_freezes_withdrawals_but_not_twice_in_a_row(changes, expected):
    arguments = {
        "deficit": 11,
        "tolerated": 10,
        "now_ms": 1_000,
        "freeze_ms": 500,
        "spacing_ms": 100,
    }
    assert tuple(evaluate("withdrawal_freeze", arguments | changes).values()) == expected


def test_each_leg_is_charged_what_it_loses_in_the_worst_scenario():
    # The long loses 50, the short 60, the hedge gains: 5/11 and 6/11 of 1,100.
    legs = [
        {"lots": 5, "mark_price": 1_000, "worst_value": -10},
        {"lots": -3, "mark_price": 1_000, "worst_value": 20},
        {"lots": -7, "mark_price": 1_000, "worst_value": -9},
    ]
    assert evaluate("euler_split", {"equity": 1_100, "legs": legs}) == {
        "prices": [900, 1_200, 1_000],
        "amounts": [500, 600, 0],
    }
    assert evaluate("euler_split", {"equity": -1_000, "legs": legs}) == {
        # -454.5 rounds down; the last leg with a share takes the rest.
        "prices": [1_091, 818, 1_000],
        "amounts": [-455, -545, 0],
    }


legs = st.lists(
    st.fixed_dictionaries(
        {
            "lots": st.integers(-9, 9).filter(bool) | st.integers(1, LOTS_MAX),
            "mark_price": prices,
            "worst_value": st.integers(-9, 9) | st.integers(-(1 << 50), 1 << 50),
        }
    ),
    min_size=1,
    max_size=32,
)


@given(st.integers(-(1 << 60), 1 << 60), legs)
def test_the_split_of_a_bankruptcy_sums_to_the_equity(equity, legs):
    result = evaluate("euler_split", {"equity": equity, "legs": legs})
    losses = [max(0, -leg["lots"] * leg["worst_value"]) for leg in legs]
    assert sum(result["amounts"]) == equity
    last = max((i for i, loss in enumerate(losses) if loss), default=len(legs) - 1)
    exact_numbers = max(losses) <= 1 << 57
    for i, (leg, amount) in enumerate(zip(legs, result["amounts"], strict=True)):
        if i != last and exact_numbers:
            assert amount == floor(Fraction(equity * losses[i], sum(losses) or 1))
        price = leg["mark_price"] - Fraction(amount, leg["lots"])
        rounded = ceil(price) if leg["lots"] > 0 else floor(price)
        assert result["prices"][i] == rounded


def test_a_split_of_the_largest_legs_is_not_a_fault():
    leg = {"lots": LOTS_MAX, "mark_price": 1, "worst_value": -(1 << 50)}
    result = evaluate("euler_split", {"equity": -(1 << 60), "legs": [leg] * 32})
    assert result["amounts"] == [-(1 << 55)] * 32


# --- Transitions


@pytest.mark.parametrize(
    ("before", "after", "smaller", "code"),
    [
        ((10, 20), (10, 10), 0, Transition.LEGAL),
        ((10, 20), (9, 10), 0, Transition.ENLARGES),
        ((10, 20), (5, 10), 1, Transition.LEGAL),
        ((10, 20), (4, 10), 1, Transition.WORSE_RATIO),
        ((-10, 20), (-5, 10), 1, Transition.LEGAL),
        ((-10, 20), (-6, 10), 1, Transition.WORSE_RATIO),
        ((-10, 0), (-10, 0), 1, Transition.LEGAL),
        ((-10, 0), (-11, 0), 1, Transition.NO_RISK_LESS_VALUE),
        ((-10, 0), (0, 0), 1, Transition.LEGAL),
    ],
)
def test_a_position_below_its_risk_may_only_shrink_and_not_worsen(before, after, smaller, code):
    result = evaluate(
        "legal_transition_starkex",
        {
            "value_before": before[0],
            "risk_before": before[1],
            "value_after": after[0],
            "risk_after": after[1],
            "smaller": smaller,
        },
    )
    assert result == {"code": code, "legal": code == Transition.LEGAL}


@pytest.mark.parametrize(
    ("old", "new", "smaller"),
    [
        ([5, -5], [5, -5], True),
        ([5, -5], [0, -1], True),
        ([5, -5], [6, -5], False),
        ([5, -5], [5, -6], False),
        ([5, -5], [-1, -5], False),
        ([5, -5], [5, 1], False),
        ([0], [1], False),
    ],
)
def test_holdings_shrink_if_none_grows_or_flips(old, new, smaller):
    holdings = [{"old_lots": o, "new_lots": n} for o, n in zip(old, new, strict=True)]
    assert one("holdings_shrink", holdings=holdings) is smaller


def test_the_scale_of_risk_is_that_of_fixed_point_numbers():
    arguments = dict.fromkeys(("value_before", "risk_before", "smaller"), 0)
    for risk, legal in [(3 << 32, True), ((3 << 32) + 1, False)]:
        result = evaluate(
            "legal_transition_starkex",
            arguments | {"value_after": 3, "risk_after": risk, "risk_scale": 1 << 32},
        )
        assert result["legal"] is legal


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ((0, 20, 10), (20, 20, 10), Collateralisation.LEGAL),
        ((20, 20, 10), (19, 20, 11), Collateralisation.NEWLY_UNDERCOLLATERALISED),
        ((19, 20, 10), (18, 20, 11), Collateralisation.STILL_UNDERCOLLATERALISED),
        ((8, 20, 10), (4, 10, 5), Collateralisation.LEGAL),
        ((8, 20, 10), (3, 10, 5), Collateralisation.STILL_UNDERCOLLATERALISED),
        ((-8, 20, 10), (-4, 10, 5), Collateralisation.LEGAL),
        ((-8, 20, 10), (-5, 10, 5), Collateralisation.STILL_UNDERCOLLATERALISED),
        # Closing everything may not leave a deficit.
        ((-8, 20, 10), (-1, 0, 0), Collateralisation.STILL_UNDERCOLLATERALISED),
        ((-8, 0, 0), (-7, 0, 0), Collateralisation.LEGAL),
        ((-8, 0, 0), (-8, 0, 0), Collateralisation.STILL_UNDERCOLLATERALISED),
        ((0, 0, 0), (-1, 0, 0), Collateralisation.NEWLY_UNDERCOLLATERALISED),
    ],
)
def test_an_account_under_water_may_only_rise(old, new, code):
    names = ("equity", "initial", "maintenance")
    arguments = {f"old_{n}": v for n, v in zip(names, old, strict=True)}
    arguments |= {f"new_{n}": v for n, v in zip(names, new, strict=True)}
    assert one("legal_transition_dydx", **arguments) == code


@pytest.mark.parametrize(
    ("after", "fair"),
    # From -100 at a risk of 50 to a risk of 25: -50 is fair, -49 gives one unit away.
    [(-50, True), (-49, False), (-51, True)],
)
def test_a_fair_deleveraging_takes_all_that_is_legal(after, fair):
    arguments = {"value_before": -100, "risk_before": 50, "value_after": after, "risk_after": 25}
    assert one("is_deleverage_fair", **arguments) is fair


@given(amounts, positive, amounts, positive)
def test_fairness_and_legality_meet_in_one_unit(value, risk, after, risk_after):
    assume(risk > 0)
    fair = one(
        "is_deleverage_fair",
        value_before=value,
        risk_before=risk,
        value_after=after,
        risk_after=risk_after,
    )
    assert fair is (value * risk_after > (after - 1) * risk)
