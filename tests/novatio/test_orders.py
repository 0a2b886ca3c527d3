"""Human units and the law's integers: exact both ways, or refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing import eip712
from clearing.codes import OrderFlag, Side
from clearing.keys import recover
from clearing.messages import decode_action
from clearing.units import LOTS_MAX, PRICE_MAX
from novatio.errors import BadRequest, Inexact
from novatio.orders import (
    Market,
    from_micro,
    match,
    micro,
    ppm,
    side_of,
    sign_bulk,
    sign_order,
    sign_trade,
)
from novatio.signing import LocalSigner

BTC = Market(0, "BTC-PERP", tick_micro=10, lot_size_nano=1_000_000)
DOMAIN = eip712.domain_separator(31_337, b"\x5e" * 20)
ALICE, BOB, VENUE = (LocalSigner(bytes(31) + bytes([n])) for n in (1, 2, 3))


def order(side="buy", **changes):
    size = changes.pop("size", "0.25")
    terms: dict[str, Any] = {"sequence": 5, "expiry_ms": 10**13} | changes
    return BTC.order(7, side, size, "4000.5", **terms)


def test_a_quarter_of_a_bitcoin_is_250_lots_of_a_thousandth():
    assert BTC.lots("0.25") == 250
    assert BTC.lots(Decimal("3")) == 3000
    assert BTC.size(-250) == Decimal("-0.25")


def test_a_price_of_4000_50_is_so_many_micro_quote_a_lot():
    assert BTC.price_micro("4000.5") == 4_000_500
    assert str(BTC.price(4_000_500)) == "4000.5"
    assert str(BTC.tick) == "0.01"


@pytest.mark.parametrize("size", ["0.0005", "0.2500001", "1e-9"])
def test_a_part_of_a_lot_is_refused_and_never_rounded(size):
    with pytest.raises(Inexact) as caught:
        BTC.lots(size)
    assert caught.value.metadata["size"] == str(Decimal(size))
    assert not caught.value.retryable


def test_a_price_between_two_ticks_is_refused_with_the_nearest_two():
    with pytest.raises(Inexact, match=r"nearest are 4000\.5 and 4000\.51"):
        BTC.price_micro("4000.505")
    # Publishers see prices between ticks.
    assert BTC.price_micro("4000.505", whole_ticks=False) == 4_000_505


@pytest.mark.parametrize("value", [0.1, True, None, "x", "nan", "inf", "1e99"])
def test_what_is_no_exact_number_is_refused(value):
    with pytest.raises(BadRequest):
        BTC.lots(value)


@pytest.mark.parametrize("value", ["0", "-1"])
def test_sizes_and_prices_are_positive(value):
    with pytest.raises(BadRequest):
        BTC.lots(value)
    with pytest.raises(BadRequest):
        BTC.price_micro(value)


def test_numbers_beyond_the_bounds_of_the_law_are_refused():
    with pytest.raises(BadRequest, match="at most"):
        BTC.lots(BTC.size(LOTS_MAX + 1))
    with pytest.raises(BadRequest, match="at most"):
        BTC.price_micro(BTC.price(PRICE_MAX // 10 * 10 + 10))


def test_amounts_and_fractions_convert_exactly():
    assert micro("12.5") == 12_500_000
    assert str(from_micro(-1)) == "-0.000001"
    assert ppm("-0.0005") == -500
    with pytest.raises(Inexact):
        micro("0.0000001")
    with pytest.raises(Inexact):
        ppm("0.0000001")


@given(st.integers(1, LOTS_MAX), st.integers(1, 10**12))
def test_lots_survive_the_way_to_sizes_and_back(lots, lot_size):
    market = Market(0, "X", 1, lot_size)
    assert market.lots(market.size(lots)) == lots


@given(st.integers(1, PRICE_MAX), st.sampled_from([10**k for k in range(13)]))
def test_prices_survive_the_way_to_human_units_and_back(price, lot_size):
    market = Market(0, "X", 1, lot_size)
    assert market.price_micro(market.price(price)) == price


@given(st.integers(-(2**62), 2**62))
def test_money_survives_the_way_to_human_units_and_back(amount):
    shown = from_micro(amount)
    assert "E" not in str(shown)
    assert Decimal(shown).scaleb(6) == amount


@pytest.mark.parametrize("given_side", ["buy", "BUY", 1, Side.BUY])
def test_a_side_has_several_spellings(given_side):
    assert side_of(given_side) is Side.BUY


def test_another_side_is_refused():
    with pytest.raises(BadRequest):
        side_of("hold")


def test_flags_are_those_of_the_law():
    both = order(reduce_only=True, maker_only=True).order.flags
    assert both == OrderFlag.REDUCE_ONLY | OrderFlag.MAKER_ONLY
    assert order().order.flags == 0


def test_a_field_beyond_its_bound_is_refused_when_it_is_signed():
    with pytest.raises(BadRequest, match="slot"):
        sign_order(order(slot=256), ALICE, DOMAIN)


def test_a_trade_carries_three_signatures_that_recover_to_their_signers():
    maker = sign_order(order("sell", venue=VENUE.address), ALICE, DOMAIN)
    taker = sign_order(order("buy", size="0.1", venue=VENUE.address), BOB, DOMAIN)
    trade = sign_trade(match(maker, taker), VENUE, DOMAIN)

    assert (trade.lots, trade.price) == (100, 4_000_500)
    assert decode_action(trade.encode()) == trade
    signers = [recover(signature, digest) for digest, signature in trade.signed(DOMAIN)]
    assert signers == [ALICE.address, BOB.address, VENUE.address]


@pytest.mark.parametrize("count", [1, 2, 3, 8, 17])
def test_one_signature_covers_a_tree_of_orders(count):
    orders = sign_bulk([order("sell", slot=n) for n in range(count)], ALICE, DOMAIN)
    taker = sign_order(order("buy"), BOB, DOMAIN)
    assert len({one.authorisation and one.authorisation.signature for one in orders}) == 1
    for one in orders:
        digest, signature = match(one, taker).signed(DOMAIN)[0]
        assert recover(signature, digest) == ALICE.address


def test_no_orders_need_no_signature():
    assert sign_bulk([], ALICE, DOMAIN) == []


@pytest.mark.parametrize(
    "other",
    [
        order("sell"),
        order("buy", venue=VENUE.address),
        Market(1, "ETH-PERP", 10, 10**6).order(7, "buy", 1, 1, sequence=1, expiry_ms=1),
    ],
)
def test_orders_that_disagree_make_no_trade(other):
    with pytest.raises(BadRequest):
        match(order("sell"), other)


def test_a_venue_signs_only_its_own_trades():
    trade = match(order("sell", venue=VENUE.address), order("buy", venue=VENUE.address))
    with pytest.raises(BadRequest, match="venue"):
        sign_trade(trade, ALICE, DOMAIN)
