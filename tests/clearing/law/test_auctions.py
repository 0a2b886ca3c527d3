"""Auctions: schedules, slices and uniform prices, against exact fractions and brute force."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing import auctions, formulas
from clearing.auctions import AuctionStatus
from clearing.compiler import checked
from clearing.units import PPM, PRICE_MAX

AMOUNT = 1 << 60
MINUTE = 60_000

ppm = st.integers(0, PPM)
amounts = st.integers(-1000, 1000) | st.integers(-AMOUNT, AMOUNT)
positive = st.integers(0, 1000) | st.integers(0, AMOUNT)
times = st.integers(0, 100) | st.integers(0, 1 << 62)


def evaluate(name, arguments):
    """The results of a formula by name."""
    return formulas.evaluate(name, arguments)


# --- Dutch auction of an account


@pytest.mark.parametrize(
    ("minutes", "discount", "fast"),
    [
        (0, 950_000, True),
        (3, 900_000, True),
        (12, 750_000, True),
        (15, 700_000, False),
        # Twelve hours from 70 % to nothing.
        (15 + 360, 350_000, False),
        (15 + 719, 973, False),
        (15 + 720, 0, False),
        (10_000, 0, False),
    ],
)
def test_the_discount_falls_fast_then_slowly_to_nothing(minutes, discount, fast):
    result = evaluate("auction_discount", {"elapsed_ms": minutes * MINUTE})
    assert result == {"discount_ppm": discount, "fast": fast}


def test_both_falls_of_the_discount_are_cut_in_favour_of_whoever_fails():
    with checked():
        # A third of 10 after one of three milliseconds; a third of 20 after one of three more.
        assert auctions.discount_ppm(1, 30, 20, 3, 3) == 27
        assert auctions.discount_ppm(3, 30, 20, 3, 3) == 20
        assert auctions.discount_ppm(4, 30, 20, 3, 3) == 14
        assert auctions.discount_ppm(6, 30, 20, 3, 3) == 0


@given(times, times, ppm, ppm, st.integers(0, 1 << 60), st.integers(0, 1 << 60))
def test_the_discount_never_rises_and_stays_within_its_ends(early, late, start, end, fast, slow):
    start, end = max(start, end), min(start, end)
    early, late = min(early, late), max(early, late)
    with checked():
        first = auctions.discount_ppm(early, start, end, fast, slow)
        second = auctions.discount_ppm(late, start, end, fast, slow)
    assert 0 <= second <= first <= start


def test_the_slice_on_offer_heals_the_account():
    # Value 1,000, maintenance 200 short, buffer 15 %: BM = -200 - 180. At 70 %: 380 / 1,080.
    arguments = {
        "maintenance_margin": -200,
        "mark_to_market": 1_000,
        "buffer_ppm": 150_000,
        "discount_ppm": 700_000,
    }
    assert evaluate("auction_fraction", arguments) == {
        "fraction_ppm": 351_852,
        "buffer_margin": -380,
        "numerator": 380,
        "denominator": 1_080,
    }
    # Reserved cash of 100 does not shrink with the discount: 380 / (380 + 700 + 30).
    reserved = evaluate("auction_fraction", arguments | {"reserved_cash": 100})
    assert (reserved["fraction_ppm"], reserved["denominator"]) == (342_343, 1_110)
    healthy = evaluate("auction_fraction", arguments | {"maintenance_margin": 500})
    assert healthy["fraction_ppm"] == 0
    worthless = evaluate("auction_fraction", arguments | {"mark_to_market": -1})
    assert worthless["fraction_ppm"] == PPM
    small = evaluate("auction_fraction", arguments | {"value_cutoff": 1_001})
    assert small["fraction_ppm"] == PPM


@given(positive, st.integers(1, AMOUNT), ppm, st.fractions(0, 1))
def test_who_buys_the_slice_brings_the_buffer_margin_to_zero(missing, value, discount, part):
    reserved = floor(value * part)
    with checked():
        fraction, _, _ = auctions.auction_fraction(-missing, value, reserved, discount, 0)
    f, d = Fraction(int(fraction), PPM), Fraction(discount, PPM)

    def after(f):
        # What stays of a margin that scales, the cash that does not, and what the bidder pays.
        return (1 - f) * -missing + f * reserved + f * (value - reserved) * d

    if f < 1:
        assert after(f) >= 0
    if f > 0 and missing > 10**9:
        # Values are whole micro-quote, fractions whole ppm: one less is not enough.
        assert after(f - Fraction(2, PPM)) < 0


@given(amounts, amounts, ppm)
def test_the_buffer_margin_rounds_against_the_account(maintenance, value, buffer):
    expected = maintenance + floor(Fraction((maintenance - value) * buffer, PPM))
    result = evaluate(
        "auction_buffer_margin",
        {"maintenance_margin": maintenance, "mark_to_market": value, "buffer_ppm": buffer},
    )
    assert result == {"buffer_margin": expected}


def test_a_bid_pays_the_fraction_of_the_discounted_value():
    arguments = {"mark_to_market": 1_100, "reserved_cash": 100, "discount_ppm": 900_000}
    assert evaluate("auction_bid_price", arguments) == {"bid_price": 900, "price_of_all": 900}
    part = evaluate("auction_bid_price", arguments | {"fraction_ppm": 333_333})
    assert part == {"bid_price": 300, "price_of_all": 900}
    spent = evaluate("auction_bid_price", arguments | {"reserved_cash": 2_000})
    assert spent["bid_price"] == 0


@pytest.mark.parametrize(
    ("minutes", "maintenance", "value", "payout"),
    [
        (0, -500, -100, 100),
        (15, -500, -100, 200),
        (59, -500, -100, 493),
        (60, -500, -100, 500),
        (99, -500, -100, 500),
        # A value above zero starts at nothing; an account that needs nothing gets nothing.
        (30, -500, 100, 250),
        (30, 0, -100, 0),
    ],
)
def test_the_payout_for_an_insolvent_account_grows_to_its_maintenance(
    minutes, maintenance, value, payout
):
    arguments = {
        "elapsed_ms": minutes * MINUTE,
        "maintenance_margin": maintenance,
        "mark_to_market": value,
    }
    result = evaluate("insolvent_auction_payout", arguments)
    assert result == {"payout": payout, "payout_of_all": payout}
    part = evaluate("insolvent_auction_payout", arguments | {"fraction_ppm": 500_000})
    assert part == {"payout": payout // 2, "payout_of_all": payout}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, AuctionStatus.OPEN),
        ({"buffer_margin": 0}, AuctionStatus.TERMINATE),
        ({"mark_to_market": -1}, AuctionStatus.CONVERT),
        ({"mark_to_market": -1, "buffer_margin": 5}, AuctionStatus.CONVERT),
        ({"reserved_cash": 1_000}, AuctionStatus.RESTART),
        ({"reserved_cash": 999}, AuctionStatus.OPEN),
        ({"elapsed_ms": 44_100_000}, AuctionStatus.CONVERT),
        ({"elapsed_ms": 44_100_000, "maintenance_margin": 0}, AuctionStatus.TERMINATE),
        ({"insolvent": 1, "mark_to_market": -1}, AuctionStatus.OPEN),
        ({"insolvent": 1, "maintenance_margin": 0}, AuctionStatus.TERMINATE),
        # Healed to maintenance only, a solvent auction goes on to its buffer.
        ({"maintenance_margin": 5}, AuctionStatus.OPEN),
    ],
)
def test_an_auction_ends_when_the_account_is_healed(changes, status):
    arguments = {
        "insolvent": 0,
        "elapsed_ms": 0,
        "mark_to_market": 1_000,
        "maintenance_margin": -10,
        "buffer_margin": -20,
    }
    assert evaluate("auction_status", arguments | changes) == {"status": status}


@pytest.mark.parametrize(
    ("maintenance", "fund", "blocked"), [(0, 0, False), (10, 10, False), (11, 10, True)]
)
def test_withdrawals_wait_while_auctions_may_cost_more_than_the_fund(maintenance, fund, blocked):
    result = evaluate(
        "auction_withdrawals_blocked",
        {"insolvent_maintenance": maintenance, "fund_balance": fund},
    )
    assert result == {"blocked": blocked}


@given(amounts, amounts, amounts, positive, ppm, ppm, times)
def test_amounts_at_their_bounds_are_no_fault(
    buffer, maintenance, value, reserved, part, discount, now
):
    with checked():
        auctions.buffer_margin(maintenance, value, part)
        fraction, _, _ = auctions.auction_fraction(buffer, value, reserved, discount, 0)
        cost = auctions.bid_cost(auctions.bid_price(value, reserved, discount), part)
        payout = auctions.insolvent_payout(now, 3_600_000, maintenance, value)
    assert 0 <= fraction <= PPM
    assert 0 <= cost <= max(0, value - reserved)
    assert 0 <= payout <= max(0, -maintenance, -value)


# --- Call auction


def orders(*rows):
    return [{"price": price, "lots": lots} for price, lots in rows]


def auction(bids, asks, reference, **more):
    return evaluate(
        "uniform_clearing_price",
        {"bids": bids, "asks": asks, "reference_price": reference, **more},
    )


def test_all_orders_trade_at_the_price_that_executes_most():
    bids = orders((105, 10), (103, 20), (100, 30))
    asks = orders((98, 15), (102, 10), (104, 40))
    # At 102 and 103: 30 bid, 25 asked.
    assert auction(bids, asks, 103) == {
        "price": 103,
        "executed_lots": 25,
        "bid_lots": 30,
        "ask_lots": 25,
        "bid_fills": [10, 15, 0],
        "ask_fills": [15, 10, 0],
    }
    assert auction(bids, asks, 50)["price"] == 102


def test_between_prices_that_execute_as_much_imbalance_decides_then_the_reference():
    bids, asks = orders((110, 10), (100, 5)), orders((90, 10))
    # Ten execute from 90 to 110; above 100 nothing is left over.
    assert auction(bids, asks, 95)["price"] == 110
    assert auction(bids, asks, 105)["price"] == 105
    assert auction(orders((110, 10)), orders((90, 10)), 100)["price"] == 100
    # Equally far from the reference of 100 on both sides is the lower.
    assert auction(orders((110, 10), (99, 3)), orders((90, 10), (101, 3)), 100)["price"] == 100


def test_books_that_do_not_cross_execute_nothing_at_the_reference():
    result = auction(orders((99, 10)), orders((101, 10)), 100)
    assert (result["price"], result["executed_lots"]) == (100, 0)
    assert result["bid_fills"] == [0] and result["ask_fills"] == [0]
    assert auction([], orders((1, 1)), 7)["executed_lots"] == 0


def test_at_the_last_price_orders_share_pro_rata_or_by_time():
    bids, asks = orders((100, 6), (101, 4), (100, 3), (100, 3)), orders((100, 11))
    # Four at 101, then seven over 6, 3 and 3: 3.5, 1.75, 1.75.
    assert auction(bids, asks, 100)["bid_fills"] == [3, 4, 2, 2]
    assert auction(bids, asks, 100, by_time=1)["bid_fills"] == [6, 4, 1, 0]
    # An order's id is its place in time.
    late = [row | {"id": id} for row, id in zip(bids, (9, 8, 1, 2), strict=True)]
    assert auction(late, asks, 100, by_time=1)["bid_fills"] == [1, 4, 3, 3]


books = st.lists(
    st.fixed_dictionaries({"price": st.integers(95, 105), "lots": st.integers(1, 20)}), max_size=8
)


@given(books, books, st.integers(94, 106), st.integers(0, 1), st.randoms(use_true_random=False))
def test_no_price_executes_more_and_both_sides_fill_the_same(bids, asks, reference, by_time, mix):
    bids = [row | {"id": i} for i, row in enumerate(bids)]
    asks = [row | {"id": i} for i, row in enumerate(asks)]
    result = auction(bids, asks, reference, by_time=by_time)

    def at(price):
        bid = sum(row["lots"] for row in bids if row["price"] >= price)
        ask = sum(row["lots"] for row in asks if row["price"] <= price)
        return min(bid, ask), abs(bid - ask)

    assert result["executed_lots"] == max(at(price)[0] for price in range(90, 110))
    if result["executed_lots"]:
        candidates = {row["price"] for row in bids + asks} | {reference}
        best = min(candidates, key=lambda p: (-at(p)[0], at(p)[1], abs(p - reference), p))
        assert result["price"] == best
    price = result["price"]
    for rows, fills, worse in [
        (bids, result["bid_fills"], lambda row: row["price"] < price),
        (asks, result["ask_fills"], lambda row: row["price"] > price),
    ]:
        assert sum(fills) == result["executed_lots"]
        for row, fill in zip(rows, fills, strict=True):
            assert 0 <= fill <= (0 if worse(row) else row["lots"])
    mixed = bids[:]
    mix.shuffle(mixed)
    again = auction(mixed, asks, reference, by_time=by_time)
    by_id = dict(zip((row["id"] for row in mixed), again["bid_fills"], strict=True))
    assert [by_id[row["id"]] for row in bids] == result["bid_fills"]


@given(books.filter(bool), st.integers(1, 60))
def test_a_better_price_is_filled_before_a_worse_one(bids, lots):
    result = auction(bids, orders((95, lots)), 95)
    for row, fill in zip(bids, result["bid_fills"], strict=True):
        if fill < row["lots"]:
            for other, other_fill in zip(bids, result["bid_fills"], strict=True):
                assert other["price"] >= row["price"] or other_fill == 0


# --- Price monitoring


@given(st.integers(1, PRICE_MAX), ppm, ppm)
def test_the_bounds_of_a_price_lie_inside_their_fractions(reference, down, up):
    result = evaluate(
        "price_monitor_bounds", {"reference_price": reference, "down_ppm": down, "up_ppm": up}
    )
    assert result["low"] == ceil(Fraction(reference * (PPM - down), PPM))
    assert result["high"] == floor(Fraction(reference * (PPM + up), PPM))


@pytest.mark.parametrize(("price", "outside"), [(95, False), (94, True), (110, False), (111, True)])
def test_a_price_on_a_bound_is_within_it(price, outside):
    result = evaluate(
        "price_monitor_bounds",
        {"reference_price": 100, "down_ppm": 50_000, "up_ppm": 100_000, "price": price},
    )
    assert result == {"low": 95, "high": 110, "outside": outside}


def test_a_model_may_give_absolute_moves_instead_of_fractions():
    found = evaluate(
        "price_monitor_bounds", {"reference_price": 123, "down": 3, "up": 4, "price": 127}
    )
    assert found == {"low": 120, "high": 127, "outside": False}


BOUNDS = [
    {"reference_price": 100, "down_ppm": 20_000, "up_ppm": 20_000, "extension_ms": 60_000},
    {"reference_price": 100, "down_ppm": 50_000, "up_ppm": 50_000, "extension_ms": 300_000},
    {"reference_price": 90, "down_ppm": 90_000, "up_ppm": 90_000, "extension_ms": 900_000},
]


def extended(price, spent, **changes):
    """The extension at a price, after these bounds are spent."""
    rows = [row | {"spent": flag} for row, flag in zip(BOUNDS, spent, strict=True)]
    return evaluate("price_monitor_extension", {"price": price, "bounds": rows} | changes)


def test_a_price_triggers_one_bound_a_check_and_each_bound_once():
    assert extended(98, [0] * 3) == {"extension_ms": 0, "broken": 0, "spent": [0, 0, 0]}
    # A price beyond every bound extends the auction at each of its ends, then it is accepted.
    chain = [(60_000, [1, 0, 0]), (300_000, [1, 1, 0]), (900_000, [1, 1, 1])]
    spent = [0] * 3
    for extension, after in chain:
        assert extended(80, spent) == {"extension_ms": extension, "broken": 1, "spent": after}
        spent = after
    assert extended(80, spent)["broken"] == 0


def test_the_extensions_of_all_broken_bounds_may_add_up_at_once():
    found = extended(80, [0] * 3, at_once=1)
    assert found == {"extension_ms": 1_260_000, "broken": 3, "spent": [1, 1, 1]}
    found = extended(94, [1, 0, 0], at_once=1)
    assert found == {"extension_ms": 300_000, "broken": 1, "spent": [1, 1, 0]}
