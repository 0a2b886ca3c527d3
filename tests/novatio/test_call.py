"""Call auctions from outside: requests in people's units, and commands on a house with a gap."""

from dataclasses import replace

import pytest

from clearing.codes import Kind, Side
from clearing.units import PPM
from novatio import BadRequest
from novatio.call import fill, order
from novatio.orders import Market
from tests.novatio.house import BUYER, SELLER, House, genesis
from tests.novatio.test_cli import shown

BTC = Market(0, "BTC-PERP", 10, 1_000_000)


def test_an_order_is_in_the_underlying_and_its_limit_on_the_tick():
    made = order(BTC, 3, "sell", "0.25", "4000.01")
    assert made == (
        Kind.CALL_ORDER,
        {"account": 3, "instrument": 0, "side": Side.SELL, "lots": 250, "price": 4_000_010},
    )
    with pytest.raises(BadRequest, match=r"expected a multiple of 0\.01"):
        order(BTC, 3, "sell", "0.25", "4000.001")
    with pytest.raises(BadRequest, match="expected buy or sell, was 'long'"):
        order(BTC, 3, "long", 1, 1)


def test_a_fill_names_buyer_and_seller():
    made = fill(BTC, 4, 5)
    assert (made.kind, made.values) == (Kind.CALL_FILL, (4, 5, 0))


@pytest.fixture
def gapped(tmp_path):
    """A house whose market has just left its band."""
    banded = replace(genesis(), band_ppm=100_000, stable_rate_ppm=0, price_jump_ppm=PPM)
    made = House(tmp_path, banded)
    made.open_accounts()
    made.publish("4600")
    yield made
    made.stop()


def test_a_call_takes_orders_from_the_command_line_and_is_filled_once_it_has_a_price(gapped):
    for account, side, key in ((0, "sell", SELLER), (1, "buy", BUYER)):
        done = gapped.cli(
            "call", "order", account, "BTC-PERP", side, "0.1", "4300", "-o", "json", key=key
        )
        assert [one["name"] for one in shown(done)["outcomes"]] == ["APPLIED"]
    early = gapped.cli("call", "fill", "BTC-PERP", 1, 0)
    assert early.exit_code == 4
    assert "OPERATION_PHASE" in early.stderr
    assert "takes orders until" in early.stderr
