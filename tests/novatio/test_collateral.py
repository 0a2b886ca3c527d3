"""Collateral from outside: what is held, what to pledge, and what owners force in."""

from dataclasses import replace

import pytest

from clearing.codes import Code, InboxKind, Kind
from clearing.eip712 import digest
from clearing.genesis import GenesisAsset
from clearing.keys import address_of, sign
from clearing.messages import Price, PriceObservation
from clearing.units import AMOUNT_MAX
from node.v1 import node_pb2 as pb
from novatio import LocalSigner
from novatio.collateral import (
    Holding,
    Pledge,
    convert,
    forced_cancel,
    forced_close,
    forced_liquidation,
    forced_withdrawal,
    holdings_of,
    optimise,
)
from novatio.orders import Market
from tests.novatio.house import BUYER, PUBLISHER, SELLER, House, genesis, now_ms
from tests.novatio.test_cli import shown
from verifier.inbox import ForcedRequest

BTC = Market(0, "BTC-PERP", 10, 1_000_000)
ASSET = 1
ASSET_PRICES = 1 << 31  # instruments from here on are the prices of assets


def test_requests_are_in_amounts_of_the_asset():
    values = {"keeper": 5, "account": 3, "asset": 2, "amount": 500_000}
    assert convert(5, 3, 2, "0.5") == (Kind.CONVERT, values)
    assert convert(5, 3, 2).values["amount"] == AMOUNT_MAX


def test_what_is_forced_is_spelled_as_the_base_layer_takes_it():
    assert forced_withdrawal(3, "250", 2) == ForcedRequest(2, 3, 2, 0, 250_000_000)
    assert forced_cancel(3, 77) == ForcedRequest(InboxKind.CANCEL_ALL, 3, 0, 0, 77)
    assert forced_close(BTC, 3, "0.25") == ForcedRequest(InboxKind.CLOSE_POSITION, 3, 0, 0, 250)
    assert forced_liquidation(BTC, 5, 3, 1) == ForcedRequest(InboxKind.LIQUIDATE, 5, 0, 3, 1_000)


def test_holdings_are_cash_and_assets_at_their_price():
    account = pb.Account(
        cash_micro=70,
        collaterals=[
            pb.Collateral(asset=1, amount=2_000_000),
            pb.Collateral(asset=64, amount=9),
        ],
    )
    asset = pb.Asset(id=1, price_micro=3_000_000, haircut_ppm=100_000, initial_haircut_ppm=50_000)
    assert holdings_of(account, [asset]) == [
        Holding(0, 70, 70, 0, 0),
        Holding(1, 2_000_000, 6_000_000, 100_000, 150_000),
    ]
    assert holdings_of(pb.Account(cash_micro=-5), [asset]) == []


def test_the_cheapest_asset_is_pledged_first_and_the_last_one_in_part():
    holdings = [
        Holding(0, 1_000, 1_000, 0, 0),
        Holding(1, 500, 2_000, 100_000, 200_000),
        Holding(2, 900, 900, 0, 100_000),
    ]
    # Per micro-quote that counts asset 1 costs 1.25 %, asset 2 costs 5.6 %, cash 8 %.
    best = optimise(2_000, holdings, {0: 80_000, 1: 10_000, 2: 50_000})
    assert best.pledges == (Pledge(1, 500, 2_000), Pledge(2, 445, 445))
    assert (best.covered, best.sufficient) == (1_600 + 400, True)
    assert best.cost == 20 + 23
    assert optimise(10**6, holdings, {}).sufficient is False
    assert optimise(0, [], {}).sufficient is True


@pytest.fixture(scope="module")
def pledged(tmp_path_factory):
    """A house that takes an asset at a quote and a half a unit; the traders have 0 and 1."""
    asset = GenesisAsset(100_000, 50_000, 1 << 50, 1 << 50)
    declared = replace(genesis(), assets=(asset,), price_stale_margin_ms=3_600_000)
    made = House(tmp_path_factory.mktemp("pledged"), declared)
    made.open_accounts()
    price_asset(made, 1_500_000)
    yield made
    made.stop()


def price_asset(house, price):
    [outcome] = house.client.submit([signed_price(house, price)])
    outcome.raise_for_rejection()


def signed_price(house, price):
    seen = PriceObservation(price, price, now_ms())
    instrument = ASSET_PRICES + ASSET
    signed = digest(house.client.info().domain_separator, seen.struct_hash(instrument))
    observation = replace(seen, signature=sign(PUBLISHER, signed))
    return Price(instrument, (observation,))


def consumed(house):
    return house.client.heads().inbox_consumed


def test_an_asset_is_deposited_shown_optimised_and_withdrawn_from_the_command_line(pledged):
    before = consumed(pledged)
    done = pledged.cli("deposit", "4", "--asset", ASSET, "--faucet", "-o", "json", key=SELLER)
    assert shown(done)["asset"] == ASSET
    pledged.until(lambda: consumed(pledged) == before + 1)
    rows = shown(pledged.cli("asset", "list", "-o", "json"))["assets"]
    assert [(row["id"], row["price_micro"], row["held"]) for row in rows] == [
        (1, "1500000", 4_000_000)
    ]
    rows = shown(pledged.cli("account", "collateral", 0, "-o", "json"))["collateral"]
    assert [(row["asset"], row["value_micro"]) for row in rows] == [
        (0, str(10**12)),
        (1, "6000000"),
    ]
    best = shown(
        pledged.cli("account", "optimise", 0, "--required", "3", "--cost", "0=90000", "-o", "json")
    )
    assert best["sufficient"] is True
    assert [(one["asset"], one["value_micro"]) for one in best["pledges"]] == [(1, "3529412")]
    wrong = pledged.cli("account", "optimise", 0, "--cost", "cash")
    assert wrong.exit_code == 2
    done = pledged.cli("withdraw", "request", 0, "1", "--asset", ASSET, "-o", "json", key=SELLER)
    assert [one["name"] for one in shown(done)["outcomes"]] == ["APPLIED"]
    assert pledged.client.account(0).collaterals[0].amount == 3_000_000


def test_an_owner_forces_a_withdrawal_past_the_operator(pledged):
    before, cash = consumed(pledged), pledged.client.account(1).cash_micro
    done = pledged.cli("inbox", "force", "withdraw", 1, "250", "-o", "json", key=BUYER)
    assert shown(done)["inbox_index"] == before
    pledged.until(lambda: consumed(pledged) == before + 1)
    assert pledged.client.account(1).cash_micro == cash - 250_000_000


def test_strangers_force_nothing(pledged):
    before, cash = consumed(pledged), pledged.client.account(1).cash_micro
    assert pledged.cli("inbox", "force", "withdraw", 1, "250", key=SELLER).exit_code == 0
    pledged.until(lambda: consumed(pledged) == before + 1)
    assert pledged.client.account(1).cash_micro == cash


def test_a_forced_cancel_kills_orders(pledged):
    before = consumed(pledged)
    assert pledged.cli("inbox", "force", "cancel", 1, 77, key=BUYER).exit_code == 0
    pledged.until(lambda: consumed(pledged) == before + 1)
    assert pledged.client.account(1).order_floor == 77


def test_anyone_forces_a_signed_price_in(pledged):
    before, price = consumed(pledged), signed_price(pledged, 1_600_000).encode().hex()
    done = pledged.cli("inbox", "force", "price", "0x" + price, "-o", "json", key=BUYER)
    assert shown(done)["inbox_index"] == before
    pledged.until(lambda: consumed(pledged) == before + 1)
    assert [one.price_micro for one in pledged.client.assets()] == [1_600_000]


@pytest.mark.parametrize("action", ["0x", "zz", "06", "0700000000"])
def test_what_is_no_price_is_not_forced_in(pledged, action):
    assert pledged.cli("inbox", "force", "price", action, key=BUYER).exit_code == 2


def test_a_conversion_that_is_not_needed_is_explained(pledged):
    signer = LocalSigner(BUYER)
    outcome = pledged.client.submit_owned(convert(1, 0, ASSET), signer=signer)
    assert outcome.code == Code.NOT_NEEDED
    outcome = pledged.client.submit_owned(convert(1, 0, 7), signer=signer)
    assert outcome.code == Code.NO_ASSET
    assert outcome.operands["asset_count"] == "2"
    assert address_of(BUYER) == signer.address
