"""A keeper alone in a house: it drives calls, expiries and the whole waterfall by looking."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from clearing.codes import InstrumentStatus, Kind
from clearing.genesis import GenesisInstrument, GenesisUnderlying
from clearing.keys import address_of
from clearing.requests import Request
from clearing.units import PPM, SWEEP_ACCOUNTS_MAX
from novatio import LocalSigner
from novatio.call import order
from novatio.keeper import Keeper, KeeperSection
from tests.novatio.house import BUYER, GUARDIAN, PUBLISHER, SELLER, House, genesis, now_ms
from tests.novatio.test_cli import shown
from verifier.base.transactions import Deposit, Faucet

KEEPER = GUARDIAN
RICH_MICRO, POOR_MICRO = 10**13, 10**9


def keeper_of(house, account, **section):
    domain = house.client.info().domain_separator
    return Keeper(
        house.client, KEEPER, account, domain, now_ms, KeeperSection(account=account, **section)
    )


def deposit(house, key, place, cash_micro):
    """Open another account of a key's owner; accounts are numbered as they come."""
    before = house.client.heads().inbox_consumed
    house.send(key, Faucet(address_of(key), 10**12, cash_micro))
    house.send(key, Deposit(address_of(key), place, 0, cash_micro))
    house.until(lambda: house.client.heads().inbox_consumed > before)


def trade(house, seller, buyer, size, price="4000", keys=(SELLER, BUYER)):
    signers = [LocalSigner(key) for key in keys]
    sell = house.client.order(seller, "BTC-PERP", "sell", size, price, signer=signers[0])
    buy = house.client.order(buyer, "BTC-PERP", "buy", size, price, signer=signers[1])
    (outcome,) = house.client.submit([house.client.trade(sell, buy)])
    outcome.raise_for_rejection()


def lots(house, account):
    return {one.instrument: one.lots for one in house.client.account(account).positions}


@pytest.fixture
def house_of(tmp_path):
    made = []

    def make(keeper_micro=RICH_MICRO, **changes):
        declared = replace(genesis(), price_jump_ppm=PPM, price_stale_margin_ms=3_600_000)
        made.append(House(tmp_path, replace(declared, **changes)))
        made[0].open_accounts()
        deposit(made[0], KEEPER, 0, keeper_micro)
        return made[0]

    yield make
    made[0].stop()


def test_a_keeper_fills_what_the_price_of_a_call_executes(house_of):
    house = house_of(band_ppm=100_000, stable_rate_ppm=0, band_auction_ms=6_000)
    deposit(house, SELLER, 1, RICH_MICRO)
    house.publish("4600")
    market = house.client.market("BTC-PERP")
    none = house.cli("call", "show", "BTC-PERP")
    assert none.exit_code == 3
    assert "NO_CALL" in none.stderr
    for account, side, size, limit, key in (
        (0, "sell", "0.1", "4200", SELLER),
        (3, "sell", "0.05", "4200", SELLER),
        (1, "buy", "0.12", "4400", BUYER),
    ):
        house.client.submit_owned(
            order(market, account, side, size, limit), signer=LocalSigner(key)
        ).raise_for_rejection()
    seen = shown(house.cli("call", "show", "BTC-PERP", "-o", "json"))
    assert seen["phase"] == "orders"
    assert (seen["executed_lots"], seen["imbalance_lots"]) == ("120", "-30")
    assert 0 < seen["left_ms"] <= 6_000
    assert len(seen["levels"]) <= 33
    assert sum(int(level["ask_lots"]) for level in seen["levels"]) == 150
    assert 4200 <= float(seen["price"]) <= 4400
    keeper = keeper_of(house, 2)
    keeper.look()
    assert not keeper.outcomes
    house.until(lambda: now_ms() >= seen["orders_until_ms"])
    house.publish("4600")
    assert house.client.account(3).call_order.left_lots > 0
    keeper.look()
    assert keeper.outcomes == {"APPLIED": 2}
    assert lots(house, 1) == {0: 120}
    assert lots(house, 0)[0] + lots(house, 3)[0] == -120
    assert not house.client.instrument(0).HasField("call")
    assert house.client.instrument(0).status == InstrumentStatus.ACTIVE


def test_a_keeper_closes_what_it_took_over_against_orders_that_it_is_given(house_of, tmp_path):
    house = house_of()
    orders = tmp_path / "orders"
    orders.mkdir()
    trade(house, 0, 1, "2000")
    house.publish("3650")  # equity 300,000 of 365,000 that maintenance margin asks for
    keeper = keeper_of(house, 2, orders_dir=str(orders), loss_ppm=10_000)
    keeper.look()
    taken = lots(house, 2)[0]
    assert taken > 0
    assert taken + lots(house, 1)[0] == 2_000_000
    (orders / "1.json").write_text("{}")
    for name, size, limit in (("2", "0.5", "3600"), ("3", "0.75", "3640"), ("4", "5000", "3645")):
        offer = house.cli(
            "trade", "offer", 0, "BTC-PERP", "buy", size, limit, "--slot", name, "-o", "json",
            key=SELLER,
        )  # fmt: skip
        (orders / f"{name}.json").write_text(json.dumps(shown(offer)))
    keeper.look()
    # The best order takes all; what is worse than a hundredth below the mark is not looked at.
    assert lots(house, 2) == {}
    assert lots(house, 0)[0] == taken - 2_000_000


def test_a_keeper_drives_a_bankrupt_account_to_deleveraging_and_pays_nothing_itself(house_of):
    house = house_of(keeper_micro=POOR_MICRO, auction_fast_ms=1_000, auction_slow_ms=4_000)
    for place in range(1, SWEEP_ACCOUNTS_MAX + 2):
        deposit(house, SELLER, place, RICH_MICRO)
    shorts = [0, *range(3, 3 + SWEEP_ACCOUNTS_MAX + 1)]
    assert len(shorts) > SWEEP_ACCOUNTS_MAX
    for short in shorts:
        trade(house, short, 1, "250")
    house.publish("3400")  # equity of the long: a million less 1,200,000
    keeper = keeper_of(house, 2)
    end = time.monotonic() + 60
    # A keeper that begins anew goes on with the sweep that it finds.
    while not house.client.instrument(0).HasField("sweep"):
        assert time.monotonic() < end
        keeper.look()
    assert house.client.account(1).margin.equity_micro < 0
    other = keeper_of(house, 2)
    while house.client.account(1).positions or house.client.instrument(0).HasField("sweep"):
        assert time.monotonic() < end
        other.look()
    assert house.client.account(1).margin.equity_micro >= 0
    held = lots(house, 2).get(0, 0)
    assert sum(lots(house, short).get(0, 0) for short in shorts) == -held
    assert other.outcomes["APPLIED"] >= 2 + 2 + 1


def test_a_keeper_lets_a_future_expire_and_settles_everybody(house_of):
    expiry = now_ms() + 15_000
    perpetual = genesis().instruments[0]
    future = GenesisInstrument("BTC-FUT", 0, 10, 1_000_000, 1 << 40, 1 << 40, kind=2)
    house = house_of(
        instruments=(perpetual, future),
        underlyings=(GenesisUnderlying(expiries=(expiry,)),),
        settlement_window_ms=1_000,
    )
    seen = house.client.observation("BTC-FUT", "4000", "4000", signer=LocalSigner(PUBLISHER))
    (outcome,) = house.client.submit([house.client.price("BTC-FUT", [seen])])
    outcome.raise_for_rejection()
    sell = house.client.order(0, "BTC-FUT", "sell", "1", "4000", signer=LocalSigner(SELLER))
    buy = house.client.order(1, "BTC-FUT", "buy", "1", "4000", signer=LocalSigner(BUYER))
    (outcome,) = house.client.submit([house.client.trade(sell, buy)])
    outcome.raise_for_rejection()
    keeper = keeper_of(house, 2)
    house.until(lambda: now_ms() > expiry)
    keeper.look()  # no price since: the window is refused, and not asked for again at once
    assert keeper.outcomes == {"SETTLEMENT_WINDOW": 1}
    keeper.look()
    assert keeper.outcomes == {"SETTLEMENT_WINDOW": 1}
    house.publish("4100")
    end = time.monotonic() + 60
    while house.client.instrument(1).status != InstrumentStatus.CLOSED:
        assert time.monotonic() < end
        keeper.look()
    cash = [house.client.account(id).cash_micro - 10**12 for id in (0, 1)]
    assert cash == [-100_000_000, 100_000_000]
    again = house.client.submit_request(Request.of(Kind.SETTLE, account=0, instrument=1))
    assert again.code.name == "INSTRUMENT_STATUS"


def test_an_order_of_a_directory_that_is_none_is_told_and_left(house_of, tmp_path, capsys):
    house = house_of()
    (tmp_path / "orders").mkdir()
    path = Path(tmp_path / "orders" / "1.json")
    path.write_text('{"instrument": "BTC-PERP", "account": 0, "side": "buy"}')
    trade(house, 0, 2, "1", keys=(SELLER, KEEPER))
    keeper = keeper_of(house, 2, orders_dir=str(path.parent))
    keeper.look()
    assert "missing required field `size`" in capsys.readouterr().err
    keeper.look()
    assert capsys.readouterr().err == ""
