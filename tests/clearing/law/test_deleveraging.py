"""Deleveraging and socialised loss: exact in sum, never beyond a winner, order-independent."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clearing import formulas, waterfall
from clearing.compiler import checked
from clearing.units import LOTS_MAX, PPM, PRICE_MAX
from clearing.waterfall import AMOUNT_END

AMOUNT = 1 << 61

positive = st.integers(0, 1000) | st.integers(0, AMOUNT)
prices = st.integers(1, 1000) | st.integers(1, PRICE_MAX)


def evaluate(name, arguments):
    """The results of a formula by name."""
    return formulas.evaluate(name, arguments)


def one(name, **arguments):
    """The first result of a formula."""
    return next(iter(evaluate(name, arguments).values()))


# --- Auto-deleveraging


@pytest.mark.parametrize(
    ("failing", "lots", "profit", "expected"),
    [(-5, 3, 1, True), (5, -3, 1, True), (-5, -3, 1, False), (-5, 3, 0, False), (-5, 0, 9, False)],
)
def test_only_winners_on_the_other_side_are_deleveraged(failing, lots, profit, expected):
    found = one("is_adl_candidate", failing_lots=failing, lots=lots, unrealised_profit=profit)
    assert found is expected


@pytest.mark.parametrize(
    ("equity", "weight"), [(300, 10), (100, 30), (99, 31), (1, 1_000), (0, 1_000), (-5, 1_000)]
)
def test_a_winner_weighs_its_lots_by_its_leverage(equity, weight):
    for lots in (10, -10):
        assert one("adl_weight", lots=lots, notional=300, equity=equity) == weight


def test_the_rank_of_a_winner_is_profit_times_leverage():
    arguments = {"mark_price": 150, "entry_price": 100, "notional": 3_000, "account_value": 1_000}
    assert one("adl_rank", **arguments) == 4_500_000
    assert one("adl_rank", **arguments, short=1) == 2_000_000
    assert one("adl_rank", **arguments | {"account_value": 0}) == AMOUNT_END


@given(prices, prices, positive, st.integers(1, AMOUNT))
def test_the_rank_is_rounded_once(mark, entry, notional, equity):
    exact = Fraction(mark * notional * PPM, entry * equity)
    with checked():
        rank = waterfall.adl_rank(mark, entry, notional, equity, False)
    assert int(rank) == min(AMOUNT_END, floor(exact))


winners = st.lists(
    st.fixed_dictionaries(
        {
            "lots": st.integers(0, 50),
            "notional": st.integers(0, 500),
            "equity": st.integers(-5, 100),
        }
    ),
    min_size=1,
    max_size=10,
)


@given(st.integers(0, 300), winners, st.randoms(use_true_random=False))
def test_deleveraging_closes_the_shortfall_and_never_a_lot_more(shortfall, winners, chance):
    rows = [row | {"id": i} for i, row in enumerate(winners)]
    result = evaluate("adl_allocation", {"shortfall_lots": shortfall, "winners": rows})
    held = sum(row["lots"] for row in rows)
    assert sum(result["closed_lots"]) == min(shortfall, held)
    assert result["left_lots"] == max(0, shortfall - held)
    for row, closed in zip(rows, result["closed_lots"], strict=True):
        assert 0 <= closed <= row["lots"]
    mixed = rows[:]
    chance.shuffle(mixed)
    again = evaluate("adl_allocation", {"shortfall_lots": shortfall, "winners": mixed})
    by_id = dict(zip((row["id"] for row in mixed), again["closed_lots"], strict=True))
    assert [by_id[row["id"]] for row in rows] == result["closed_lots"]


def test_leverage_pays_first_in_a_deleveraging():
    winners = [
        {"lots": 100, "notional": 1_000, "equity": 1_000},
        {"lots": 100, "notional": 1_000, "equity": 250},
    ]
    result = evaluate("adl_allocation", {"shortfall_lots": 51, "winners": winners})
    # 51 * 1/5 and 51 * 4/5: 10.2 and 40.8.
    assert result == {"closed_lots": [10, 41], "weights": [100, 400], "left_lots": 0}


def test_in_turn_the_first_opposite_account_is_closed_first():
    result = evaluate("adl_in_turn", {"shortfall_lots": 12, "lots": [5, 10, 3]})
    assert result == {"closed_lots": [5, 7, 0], "left_lots": 0}


@pytest.mark.parametrize(
    ("changes", "due", "legal"),
    [
        ({}, True, True),
        ({"pnl": 45}, False, False),
        ({"pnl": -46, "pnl_after": -50}, False, False),
        # Too far, at the floor, and the wrong way.
        ({"pnl_after": 34}, True, False),
        ({"pnl_after": 35}, True, True),
        ({"pnl_after": 46}, True, False),
        ({"pnl_after": 45}, True, True),
        ({"pool_value": 0}, False, False),
        ({"pool_value_after": 0}, True, False),
    ],
)
def test_a_pool_is_deleveraged_above_its_factor_and_down_to_another(changes, due, legal):
    arguments = {
        "pnl": 46,
        "pool_value": 100,
        "pnl_after": 40,
        "pool_value_after": 100,
        "max_factor_ppm": 450_000,
        "min_factor_after_ppm": 350_000,
    }
    result = evaluate("pool_adl", arguments | changes)
    assert (result["due"], result["legal"]) == (due, legal)


# --- Socialised loss


def test_winners_bear_a_loss_by_their_profits_and_flat_accounts_nothing():
    result = evaluate("socialise_loss", {"loss": 10, "profits": [30, 0, -50, 15]})
    # 6.67 and 3.33.
    assert result == {"paid": [7, 0, 0, 3], "collected": 10, "left": 0}
    beyond = evaluate("socialise_loss", {"loss": 50, "profits": [30, 0, -50, 15]})
    assert beyond == {"paid": [30, 0, 0, 15], "collected": 45, "left": 5}


@given(positive, st.lists(st.integers(-AMOUNT // 32, AMOUNT // 32), min_size=1, max_size=32))
def test_a_socialised_loss_is_borne_in_full_as_far_as_profits_go(loss, profits):
    result = evaluate("socialise_loss", {"loss": loss, "profits": profits})
    winnings = sum(max(0, profit) for profit in profits)
    assert sum(result["paid"]) == result["collected"] == min(loss, winnings)
    assert result["left"] == loss - result["collected"]
    for paid, profit in zip(result["paid"], profits, strict=True):
        assert 0 <= paid <= max(0, profit)
        if winnings:
            exact = Fraction(min(loss, winnings) * max(0, profit), winnings)
            assert abs(paid - exact) < 1


@given(positive, st.integers(0, LOTS_MAX), st.integers(-LOTS_MAX, 0))
def test_the_loss_per_lot_rounds_up(loss, long, short):
    assume(long - short > 0)
    expected = ceil(Fraction(loss * 10**12, long - short))
    found = one("socialise_loss_index", loss=loss, long_lots=long, short_lots=short)
    assert found == expected


@pytest.mark.parametrize(
    ("loss", "deposits", "after", "cut"),
    [
        (10, 100, 900, 100),
        (1, 3_000, 999, 1),
        (0, 100, 1_000, 0),
        (200, 100, 1, 999),
        (1, 0, 1_000, 0),
    ],
)
def test_a_loss_on_deposits_cuts_their_index(loss, deposits, after, cut):
    result = evaluate(
        "deposit_index_after_loss", {"index": 1_000, "loss": loss, "deposits": deposits}
    )
    assert result == {"index_after": after, "cut": cut}


@pytest.mark.parametrize(
    ("assets", "senior", "junior"),
    [
        (0, 0, 0),
        (60, 600_000, 0),
        (100, PPM, 0),
        (125, PPM, 500_000),
        (150, PPM, PPM),
        (999, PPM, PPM),
    ],
)
def test_seniors_leave_first_and_juniors_share_the_rest(assets, senior, junior):
    result = evaluate(
        "exit_haircut",
        {"assets": assets, "senior_claims": 100, "junior_claims": 50, "claim": 10},
    )
    assert (result["senior_ppm"], result["junior_ppm"]) == (senior, junior)
    assert result["senior_paid"] + result["junior_paid"] == min(assets, 150)
    assert result["claim_paid_as_senior"] == 10 * senior // PPM
    assert result["claim_paid_as_junior"] == 10 * junior // PPM


@given(positive, st.lists(st.integers(0, AMOUNT // 32), min_size=1, max_size=32))
def test_exit_claims_are_never_paid_more_than_there_is(assets, claims):
    paid = [
        evaluate("exit_haircut", {"assets": assets, "senior_claims": sum(claims), "claim": claim})[
            "claim_paid_as_senior"
        ]
        for claim in claims
    ]
    assert sum(paid) <= assets
    assert sum(paid) > min(assets, sum(claims)) - len(claims)
