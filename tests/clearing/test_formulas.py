"""The formulas against exact fractions, and the errors that a person gets for a wrong number."""

from fractions import Fraction
from math import ceil, floor, inf, nan, trunc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.formulas import FORMULAS, FormulaError, Quantity, Series, Table, evaluate
from clearing.units import LOTS_MAX, PPM, PRICE_MAX

PERIOD = 28_800_000
cash = st.integers(-(1 << 60), 1 << 60)
margins = st.integers(0, 1 << 60)
lots = st.integers(-(1 << 20), 1 << 20)
prices = st.integers(1, 1 << 30)
ppm = st.integers(0, PPM)


def one(name, **arguments):
    """The one result of a formula."""
    (value,) = evaluate(name, arguments).values()
    return value


@pytest.mark.parametrize(
    ("open_interest", "fraction"),
    [(0, 50_000), (100, 50_000), (200, 525_000), (250, 762_500), (299, 995_250), (300, PPM)],
)
def test_the_initial_fraction_grows_with_open_interest_from_lower_to_upper(open_interest, fraction):
    assert fraction == one(
        "initial_fraction_ppm",
        initial_ppm=50_000,
        open_interest_lower=100,
        open_interest_upper=300,
        open_interest=open_interest,
        mark_price=1,
    )


@given(ppm.filter(bool), st.integers(0, 1 << 61), st.integers(1, 1 << 60), margins, prices)
def test_the_initial_fraction_is_exact_and_clamped(initial, lower, width, interest, mark):
    exact = initial + Fraction((PPM - initial) * (interest * mark - lower), width)
    assert min(PPM, max(initial, floor(exact))) == one(
        "initial_fraction_ppm",
        initial_ppm=initial,
        open_interest_lower=lower,
        open_interest_upper=lower + width,
        open_interest=interest,
        mark_price=mark,
    )


@given(lots, prices, ppm)
def test_margins_round_up_and_values_keep_their_sign(lots, mark, fraction):
    expected = ceil(Fraction(abs(lots) * mark * fraction, PPM))
    assert one("position_value", lots=lots, mark_price=mark) == lots * mark
    common = {"lots": lots, "mark_price": mark}
    assert one("initial_margin", fraction_ppm=fraction, **common) == expected
    assert one("maintenance_margin", maintenance_ppm=fraction, **common) == expected


@given(st.integers(0, 1 << 58), st.integers(-PPM, PPM))
def test_a_fee_rounds_up_and_a_rebate_down(value, rate):
    assert one("fee", value=value, rate_ppm=rate) == ceil(Fraction(value * rate, PPM))


@given(lots, st.integers(-(1 << 77), 1 << 77))
def test_a_payer_of_funding_pays_up_and_a_receiver_gets_down(lots, change):
    owed = ceil(Fraction(lots * change, 10**12))
    assert one("funding_payment", lots=lots, index_change=change) == owed


@given(st.integers(-(1 << 60), 1 << 60), st.integers(1, 1 << 30), ppm)
def test_the_funding_rate_is_the_mean_towards_zero_within_the_cap(total, samples, cap):
    mean = trunc(Fraction(total, samples))
    expected = max(-cap, min(cap, mean))
    assert one("funding_rate", premium_sum=total, samples=samples, cap_ppm=cap) == expected


@given(st.integers(-PPM, PPM), st.integers(1, PRICE_MAX), st.integers(0, PERIOD))
def test_the_funding_index_moves_by_the_floor(rate, mark, elapsed):
    exact = Fraction(rate * mark * elapsed * 10**12, PPM * PERIOD)
    assert floor(exact) == one(
        "funding_index_change", rate_ppm=rate, mark_price=mark, elapsed_ms=elapsed
    )


@given(st.integers(1, PRICE_MAX), st.integers(1, PRICE_MAX))
def test_a_premium_is_towards_zero_and_within_one(mark, index):
    exact = trunc(Fraction((mark - index) * PPM, index))
    assert one("premium_ppm", mark_price=mark, index_price=index) == max(-PPM, min(PPM, exact))


@pytest.mark.parametrize(
    ("held", "cost", "lots", "price", "expected"),
    [
        (0, 0, 5, 100, 500),
        (0, 0, -5, 100, -500),
        (5, 500, 3, 120, 860),
        (-5, -500, -3, 120, -860),
        # Two fifths of 503 are 201.2: 201 are released, whichever the sign.
        (5, 503, -2, 120, 302),
        (-5, -503, 2, 120, -302),
        (5, 503, -5, 120, 0),
        (-5, -503, 5, 120, 0),
        # A flip starts afresh at its own price.
        (5, 503, -8, 120, -360),
        (-5, -503, 8, 120, 360),
        # After roundings and flips a cost may have the other sign; it is released alike.
        (5, -503, -2, 120, -302),
        (5, 0, -2, 120, 0),
    ],
)
def test_entry_cost_is_added_released_pro_rata_and_restarted(held, cost, lots, price, expected):
    assert expected == one(
        "entry_cost_after", held_lots=held, entry_cost=cost, lots=lots, price=price
    )


@given(st.lists(lots, min_size=3, max_size=3), lots)
def test_open_interest_is_the_sum_of_longs(others, moved):
    receiver, giver, _ = others
    rest = -sum(others[:2])
    before = sum(max(0, each) for each in (receiver, giver, rest))
    after = sum(max(0, each) for each in (receiver + moved, giver - moved, rest))
    assert after == one(
        "open_interest_after",
        open_interest=before,
        receiver_lots=receiver,
        giver_lots=giver,
        lots=moved,
    )


@given(margins, margins, ppm)
def test_an_outflow_keeps_the_larger_of_two_margins(initial, gross, fraction):
    expected = max(initial, ceil(Fraction(gross * fraction, PPM)))
    assert expected == one(
        "transfer_margin",
        initial_margin=initial,
        gross_notional=gross,
        transfer_margin_ppm=fraction,
    )


@given(cash, margins, cash, margins)
def test_an_improvement_never_lets_equity_over_maintenance_fall(old, old_margin, new, new_margin):
    if old_margin == 0:
        expected = new_margin == 0 and new > old
    elif new_margin == 0:
        expected = new >= 0
    else:
        ratio_kept = Fraction(new, new_margin) >= Fraction(old, old_margin)
        expected = new_margin <= old_margin and ratio_kept
    assert expected is one(
        "is_improvement",
        old_equity=old,
        old_maintenance=old_margin,
        new_equity=new,
        new_maintenance=new_margin,
    )


LEGAL = {
    "old_equity": 10,
    "old_maintenance": 20,
    "new_equity": 5,
    "new_initial": 20,
    "new_maintenance": 10,
    "old_lots": 4,
    "new_lots": 2,
}


@pytest.mark.parametrize(
    ("changes", "legal"),
    [
        ({}, True),
        ({"new_equity": 4}, False),
        ({"new_equity": 20, "new_maintenance": 99, "new_lots": 9}, True),
        ({"new_equity": 19, "new_lots": 5}, False),
        ({"new_equity": 19, "new_lots": -1}, False),
        ({"old_lots": -4, "new_lots": 1, "new_equity": 19}, False),
        ({"new_maintenance": 21, "new_equity": 19}, False),
        ({"old_equity": -10, "new_equity": -5}, True),
        ({"old_equity": -10, "new_equity": -6}, False),
        ({"old_equity": -10, "new_equity": -1, "new_maintenance": 0, "new_lots": 0}, False),
        ({"old_equity": -10, "new_equity": 0, "new_maintenance": 0, "new_lots": 0}, True),
        ({"old_maintenance": 0, "new_maintenance": 0, "new_equity": 10}, False),
        ({"old_maintenance": 0, "new_maintenance": 0, "new_equity": 11}, True),
    ],
)
def test_a_transition_is_legal_with_margin_or_as_an_improvement(changes, legal):
    assert one("legal_transition", **(LEGAL | changes)) is legal


@given(
    st.integers(-(1 << 40), 1 << 40),
    st.integers(0, 1 << 40),
    prices,
    ppm.filter(bool),
    ppm,
    st.integers(0, PPM),
    st.integers(1, LOTS_MAX),
)
def test_the_lots_to_liquidate_are_the_fewest_that_restore_the_buffer(
    equity, maintenance, mark, fraction, buffer, cost, held
):
    target = ceil(Fraction(maintenance * (PPM + buffer), PPM))
    # The law rounds what a lot frees down to whole ppm.
    freed = floor(Fraction(fraction * (PPM + buffer), PPM)) - cost
    wanted = held
    if freed > 0:
        wanted = max(1, min(held, ceil(Fraction((target - equity) * PPM, mark * freed))))
    assert wanted == one(
        "liquidation_lots",
        equity=equity,
        maintenance=maintenance,
        mark_price=mark,
        maintenance_ppm=fraction,
        buffer_ppm=buffer,
        cost_ppm=cost,
        held_lots=held,
    )


@given(st.integers(1, PRICE_MAX), ppm, st.sampled_from([-1, 1]))
def test_the_liquidation_price_is_against_the_failing_account(mark, penalty, held):
    less = ceil(Fraction(mark * penalty, PPM))
    expected = max(1, mark - less) if held > 0 else mark + less
    assert expected == one(
        "liquidation_price", mark_price=mark, penalty_ppm=penalty, held_lots=held
    )


@given(st.lists(st.integers(0, 9) | st.integers(0, 1 << 62), min_size=1, max_size=16))
def test_the_median_is_the_lower_middle(values):
    assert one("median", values=values) == sorted(values)[(len(values) - 1) // 2]


@given(st.integers(0, PRICE_MAX), st.integers(1, PRICE_MAX), ppm)
def test_a_jump_is_a_move_beyond_the_bound(last, now, bound):
    expected = last != 0 and abs(now - last) > Fraction(last * bound, PPM)
    assert one("price_jump", last_price=last, price_now=now, jump_ppm=bound) is expected


@given(st.integers(1, PRICE_MAX), st.integers(1, PRICE_MAX), ppm)
def test_the_band_is_as_wide_on_both_sides(price, mark, width):
    expected = abs(price - mark) <= floor(Fraction(mark * width, PPM))
    assert one("price_band", price=price, mark_price=mark, band_ppm=width) is expected


position_rows = st.fixed_dictionaries(
    {
        "lots": lots.filter(bool),
        "mark_price": prices,
        "initial_ppm": st.sampled_from([20_000, 100_000]),
        "maintenance_ppm": st.just(12_000),
        "open_interest": st.integers(0, 1 << 20),
        "open_interest_lower": st.just(1 << 40),
        "open_interest_upper": st.just(1 << 41),
        "index_change": st.integers(-(10**20), 10**20),
    }
)


@given(cash, st.lists(position_rows, max_size=32), ppm)
def test_the_margin_of_an_account_is_the_sum_over_its_positions(cash, positions, transfer):
    equity, initial, maintenance, gross = cash, 0, 0, 0
    for row in positions:
        value, mark = row["lots"] * row["mark_price"], row["mark_price"]
        fraction = one(
            "initial_fraction_ppm",
            mark_price=mark,
            **{name: row[name] for name in row if name.startswith(("initial", "open"))},
        )
        equity += value - ceil(Fraction(row["lots"] * row["index_change"], 10**12))
        initial += ceil(Fraction(abs(value) * fraction, PPM))
        maintenance += ceil(Fraction(abs(value) * 12_000, PPM))
        gross += abs(value)
    kept = max(initial, ceil(Fraction(gross * transfer, PPM)))
    arguments = {"cash": cash, "positions": positions}
    assert evaluate("account_margin", arguments | {"transfer_margin_ppm": transfer}) == {
        "equity": equity,
        "initial_margin": initial,
        "maintenance_margin": maintenance,
        "gross_notional": gross,
        "free_collateral": equity - initial,
        "withdrawable": max(0, equity - kept),
    }
    assert evaluate("equity", arguments) == {"equity": equity}


FEE = {"value": 1, "rate_ppm": 1}
ACCOUNT = {"equity": 1, "maintenance": 5}
BANKRUPT = ACCOUNT | {"value_change": 1, "maintenance_freed": 5}
BANKRUPT_LEG = ACCOUNT | {"lots": 1, "mark_price": 9, "maintenance_freed": 5}
FILLED = ACCOUNT | {"position_value": 1, "position_maintenance": 1, "lots": 1}
LEG = {"lots": 1, "mark_price": 3, "worst_value": -1}


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("fees", {}, "expected one of the .* formulas, like fee.*was fees"),
        ("premium", {}, "like .*funding_premium.*was premium"),
        ("fee", {"value": 1}, "missing rate_ppm"),
        ("fee", FEE | {"price": 1}, "unknown price"),
        ("fee", FEE | {"value": -1}, "value: expected 0 .. .*was -1"),
        ("fee", FEE | {"rate_ppm": PPM + 1}, "rate_ppm: expected -1000000 .. 1000000 .ppm"),
        ("fee", FEE | {"value": 1.0}, "whole number .micro-quote., was 1.0"),
        ("fee", FEE | {"value": nan}, "was nan"),
        ("fee", FEE | {"value": inf}, "was inf"),
        ("fee", FEE | {"value": "1"}, "whole number .micro-quote., was '1'"),
        ("fee", FEE | {"value": None}, "was None"),
        ("fee", FEE | {"value": True}, "was True"),
        ("fee", [1, 2], "expected an object"),
        ("median", {"values": 3}, "expected a list"),
        ("median", {"values": "333"}, "expected a list"),
        ("median", {"values": []}, "expected a list of 1 .. 16, was of 0"),
        ("median", {"values": [1] * 17}, "expected a list of 1 .. 16, was of 17"),
        ("median", {"values": [1, nan]}, "was nan"),
        ("equity", {"cash": 0, "positions": [3]}, r"positions\[0\]: expected an object"),
        ("equity", {"cash": 0, "positions": [{"lots": 3}]}, "missing mark_price"),
        ("bankruptcy_quote", BANKRUPT | {"maintenance": 4}, "maintenance_freed of at most maint"),
        ("bankruptcy_price", BANKRUPT_LEG | {"lots": 0}, "expected lots other than 0"),
        ("bankruptcy_price", BANKRUPT_LEG | {"maintenance": 4}, "maintenance_freed of at most"),
        ("fillable_price", FILLED | {"lots": 0}, "expected lots other than 0"),
        ("socialise_loss_index", {"loss": 3, "long_lots": 0, "short_lots": 0}, "lots on a side"),
        ("euler_split", {"equity": 3, "legs": [LEG, LEG | {"lots": 0}]}, "lots of each leg"),
        ("pool_share_mint", {"deposit": 1, "pool_value": -1, "supply": 9}, "pool_value of 0"),
        ("pool_share_redeem", {"shares": 9, "pool_value": 1, "supply": 8}, "at most the supply"),
        (
            "initial_margin",
            {"lots": LOTS_MAX, "mark_price": PRICE_MAX, "fraction_ppm": PPM},
            "smaller arguments",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_what_was_expected(name, arguments, text):
    with pytest.raises(FormulaError, match=text):
        evaluate(name, arguments)


def test_yes_and_no_may_be_written_as_such():
    levels = [{"price": 5, "lots": 2}]
    for number, word in ((0, False), (1, True)):
        arguments: dict[str, Any] = {"levels": levels, "impact_notional": 6}
        found = evaluate("impact_price", arguments | {"is_bid": number})
        assert found == evaluate("impact_price", arguments | {"is_bid": word})


def test_more_tiers_than_the_law_has_are_refused():
    rows = [
        {"lots": 1, "mark_price": 1, "initial_ppm": i, "maintenance_ppm": 1} for i in range(1, 10)
    ]
    with pytest.raises(FormulaError):
        evaluate("equity", {"cash": 0, "positions": rows})
    assert evaluate("equity", {"cash": 0, "positions": rows[:8]}) == {"equity": 8}


def corner(argument, side):
    """The lowest or highest legal value of an argument."""
    if isinstance(argument, Quantity):
        return argument.low if side < 0 else argument.high
    if isinstance(argument, Series):
        return [corner(argument.item, side)] * argument.length_max
    assert isinstance(argument, Table)
    return [{column.name: corner(column, side) for column in argument.columns}] * 2


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("side", [-1, 1])
def test_at_the_corners_of_its_bounds_a_formula_answers_or_says_that_it_cannot(name, side):
    arguments = {a.name: corner(a, side) for a in FORMULAS[name].arguments}
    try:
        results = evaluate(name, arguments)
    except FormulaError as error:
        demands = [demand.text for demand in FORMULAS[name].demands]
        assert any(text in str(error) for text in ("64 bits", *demands))
    else:
        assert list(results) == [result.name for result in FORMULAS[name].results]
        for value in results.values():
            items = value if type(value) is list else [value]
            assert all(type(item) in (int, bool) for item in items)


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=list(FORMULAS))
def test_every_formula_says_what_it_is_and_in_which_units(formula):
    assert formula.summary.endswith(".") and len(formula.summary) < 100
    assert formula.note.endswith(".") == bool(formula.note) and len(formula.note) < 200
    assert all(quantity.unit for quantity in (*formula.arguments, *formula.results))


def test_what_a_liquidation_pays_comes_out_of_equity_the_keeper_first():
    given = {"value": 2_400_000_001, "penalty_ppm": 10_000, "insurance_fee_ppm": 5_000}
    for equity, penalty, fee in [
        (10**9, 24_000_001, 12_000_000),
        (30_000_000, 24_000_001, 5_999_999),
        (20_000_000, 20_000_000, 0),
        (-1, 0, 0),
    ]:
        found = evaluate("liquidation_charges", {"equity": equity, **given})
        assert found == {"penalty": penalty, "insurance_fee": fee}
