"""A keeper in a house where things fail: bids, collateral, pools, and what governance announced."""

import json
import time
from dataclasses import replace

import pytest

from clearing.genesis import GenesisAsset, GenesisPool, GenesisTier
from clearing.units import MICRO, PPM
from tests.novatio.house import BUYER, GOVERNANCE, SELLER, House, genesis
from tests.novatio.test_cli import shown
from tests.novatio.test_collateral import ASSET, price_asset
from tests.novatio.test_keeper_house import KEEPER, RICH_MICRO, deposit, keeper_of, lots, trade

INSURANCE = 1
AUCTION_MS = 1_500


@pytest.fixture
def house_of(tmp_path):
    made = []

    def make(**changes):
        declared = replace(genesis(), price_jump_ppm=PPM, price_stale_margin_ms=3_600_000)
        made.append(House(tmp_path, replace(declared, **changes)))
        made[0].open_accounts()
        deposit(made[0], KEEPER, 0, RICH_MICRO)
        return made[0]

    yield make
    made[0].stop()


def test_a_keeper_of_little_capital_bids_where_insurance_pays_who_takes_a_failure(house_of):
    # Initial margin is so near maintenance that what insurance pays carries the position.
    house = house_of(
        tiers=(GenesisTier(60_000, 50_000, 1 << 60, 1 << 61),),
        auction_fast_ms=AUCTION_MS,
        auction_slow_ms=AUCTION_MS,
    )
    # A large liquidation fills the fund, and its account is closed in time.
    trade(house, 0, 1, "2000")
    house.publish("3650")
    keeper_of(house, 2).look()
    trade(house, 1, 0, str(lots(house, 1)[0] // 1000), "3650", keys=(BUYER, SELLER))
    fund = house.client.params().funds_micro[INSURANCE]
    house.publish("4000")
    deposit(house, BUYER, 1, 10_000 * MICRO)
    deposit(house, KEEPER, 1, 1_500 * MICRO)
    trade(house, 0, 3, "25")
    house.publish("3400")  # equity of account 3: 10,000 less 15,000
    poor = keeper_of(house, 4)
    poor.look()
    assert house.client.account(3).auction_time_ms > 0
    assert lots(house, 4) == {}
    assert poor.outcomes["MARGIN"] == 1
    time.sleep(AUCTION_MS / 1000)
    poor.look()
    # Half the position is still too much to take over at the mark; all of it, paid for, is not.
    assert poor.outcomes["MARGIN"] == 2
    assert lots(house, 3) == {}
    assert lots(house, 4) == {0: 25_000}
    # Five hundredths of 85,000 went to the bidder, and 5,000 paid the debt that was left.
    assert house.client.account(3).margin.equity_micro == 0
    assert house.client.account(4).margin.equity_micro == (1_500 + 4_250) * MICRO
    assert house.client.params().funds_micro[INSURANCE] == fund - 9_250 * MICRO
    assert set(poor.outcomes) == {"APPLIED", "MARGIN"}


def test_a_keeper_buys_the_collateral_of_an_account_that_owes_cash(house_of):
    asset = GenesisAsset(100_000, 50_000, 1 << 50, 1 << 50)
    house = house_of(assets=(asset,))
    price_asset(house, 1_500_000)
    before = house.client.heads().inbox_consumed
    done = house.cli("deposit", "200000", "--asset", ASSET, "--faucet", key=BUYER)
    assert done.exit_code == 0, done.output
    house.until(lambda: house.client.heads().inbox_consumed > before)
    trade(house, 0, 1, "2000")
    house.publish("3360")  # a million less 1,280,000: 10,000 more than collateral counts for
    keeper = keeper_of(house, 2)
    keeper.look()
    assert lots(house, 1) == {}
    sold = 200_000 * MICRO - house.client.account(1).collaterals[0].amount
    # 280,000 at a quote and a half less two hundredths: what was owed is paid, to the unit.
    assert sold == -(-280_000 * MICRO * 100 // 147)
    assert 0 <= house.client.account(1).cash_micro <= 2
    assert [one.amount for one in house.client.account(2).collaterals] == [sold]
    assert set(keeper.outcomes) == {"APPLIED"}


def test_a_keeper_closes_what_it_took_over_against_the_pool_of_the_market(house_of):
    declared = genesis()
    markets = tuple(replace(market, pool=1) for market in declared.instruments)
    house = house_of(instruments=markets, pools=(GenesisPool(),))
    done = house.cli("pool", "deposit", 2, 0, "900000", key=SELLER)
    assert done.exit_code == 0, done.output
    deposit(house, BUYER, 1, 50_000 * MICRO)
    done = house.cli("pool", "trade", 5, 0, "BTC-PERP", "buy", "100", "--limit", "4200", key=BUYER)
    assert done.exit_code == 0, done.output
    assert lots(house, 0) == {0: -100_000}
    house.publish("3650")
    keeper = keeper_of(house, 4, loss_ppm=0)
    keeper.look()
    left = lots(house, 5)[0]
    assert 0 < left < 100_000
    # What was taken over went to the pool at no worse than the mark, in the same look.
    assert lots(house, 4) == {}
    assert lots(house, 0) == {0: -left}
    assert house.client.account(4).cash_micro > RICH_MICRO
    assert keeper.outcomes == {"APPLIED": 2}


def announce(house, tmp_path, band_ppm):
    file = tmp_path / "changes.json"
    file.write_text(json.dumps({"price_band_ppm": band_ppm}))
    done = house.cli("governance", "submit", file, key=GOVERNANCE)
    assert done.exit_code == 0, done.output


def band(house):
    rows = shown(house.cli("governance", "show", "-o", "json"))["parameters"]
    return {row["parameter"]: row["value"] for row in rows}["price_band_ppm"]


def test_a_keeper_enacts_the_last_of_what_governance_announced(house_of, tmp_path):
    house = house_of(timelock_ms=2_000)
    keeper = keeper_of(house, 2)
    announce(house, tmp_path, 60_000)
    keeper.look()
    assert not keeper.outcomes
    announce(house, tmp_path, 55_000)
    # One that begins after the announcement reads it in the log, and one that ran does too.
    late = keeper_of(house, 2)
    late.look()
    time.sleep(2.2)
    house.publish("4000")
    late.look()
    assert late.outcomes == {"APPLIED": 1}
    assert band(house) == 55_000
    keeper.look()
    assert not keeper.outcomes
    announce(house, tmp_path, 52_000)
    time.sleep(2.2)
    house.publish("4000")
    keeper.look()
    assert keeper.outcomes == {"APPLIED": 1}
    assert band(house) == 52_000
