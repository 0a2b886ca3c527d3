"""Pools from outside: requests in people's units, and the commands on a house that has a pool."""

from dataclasses import replace

import pytest

from clearing.codes import Code, Kind, Side
from clearing.genesis import GenesisPool
from clearing.units import PRICE_MAX
from node.pools import pool_message
from novatio import BadRequest, LocalSigner, NotFound
from novatio.orders import Market
from novatio.pool import deposit, trade, withdraw
from tests.novatio.house import BUYER, SELLER, House, genesis
from tests.novatio.test_cli import shown
from tests.support.pools import PAID_IN, PoolWorld
from tests.support.world import DEPOSIT, MARK

BTC = Market(0, "BTC-PERP", 10, 1_000_000)


def test_a_deposit_is_in_the_settlement_asset():
    assert deposit(3, 1, "250.5", 7) == (
        Kind.POOL_DEPOSIT,
        {"account": 3, "pool": 1, "amount": 250_500_000, "limit": 7},
    )


def test_a_withdrawal_is_in_shares_and_its_limit_in_the_settlement_asset():
    assert withdraw(3, 1, 9, "2").values["limit"] == 2_000_000
    assert withdraw(3, 1, 9) == (
        Kind.POOL_WITHDRAW,
        {"account": 3, "pool": 1, "amount": 9, "limit": 0},
    )


def test_a_trade_is_in_the_underlying_and_without_a_limit_at_any_price():
    made = trade(BTC, 3, 0, "buy", "0.25", "4000.01")
    assert made.kind == Kind.POOL_TRADE
    assert (made.values["lots"], made.values["side"]) == (250, int(Side.BUY))
    assert made.values["price"] == 4_000_010
    assert trade(BTC, 3, 0, "buy", 1).values["price"] == PRICE_MAX
    assert trade(BTC, 3, 0, "sell", 1).values["price"] == 1


def test_a_side_is_buy_or_sell():
    with pytest.raises(BadRequest, match="expected buy or sell, was 'long'"):
        trade(BTC, 3, 0, "long", 1)


def test_a_pool_is_shown_with_what_its_shares_are_worth():
    world = PoolWorld()
    alice = world.trader("alice", 10 * DEPOSIT)
    assert world.apply(world.pool_trade(alice, 100)) == Code.APPLIED
    world.move_price(MARK * 11 // 10)
    found = pool_message(world.state, 0)
    # Alice won 500, and paid 25 of impact.
    assert found.value_micro == PAID_IN - 500_000_000
    assert found.equity_micro == found.value_micro + 25_000_000
    assert found.impact_pot_micro == 25_000_000
    assert found.share_price_micro == 950_000
    assert found.notional_micro == 100 * MARK * 11 // 10
    assert (found.account, found.sleeve, found.reserve_ppm) == (0, 1, 800_000)


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """A house whose only market is its pool's; the traders have accounts 2 and 3."""
    declared = genesis()
    markets = tuple(replace(market, pool=1) for market in declared.instruments)
    declared = replace(declared, instruments=markets, pools=(GenesisPool(),))
    made = House(tmp_path_factory.mktemp("pooled"), declared)
    made.open_accounts()
    yield made
    made.stop()


def test_a_pool_takes_a_deposit_and_trades_from_the_command_line(pooled):
    done = pooled.cli("pool", "deposit", 2, 0, "1000", "-o", "json", key=SELLER)
    assert [one["name"] for one in shown(done)["outcomes"]] == ["APPLIED"]
    done = pooled.cli("pool", "trade", 3, 0, "BTC-PERP", "buy", "0.1", "--limit", "4200", "-o",
                      "json", key=BUYER)  # fmt: skip
    assert [one["name"] for one in shown(done)["outcomes"]] == ["APPLIED"]
    found = shown(pooled.cli("pool", "show", 0, "-o", "json"))
    assert int(found["shares"]) == 10**12
    assert found["notional_micro"] == "400000000"
    locked = pooled.cli("pool", "withdraw", 2, 0, 10**12, "--min-amount", "900", key=SELLER)
    assert locked.exit_code == 4
    assert "POOL_LOCKED" in locked.stderr
    assert "locked until" in locked.stderr


def test_a_client_reads_pools_and_names_those_that_are_not_there(pooled):
    assert pooled.client.pool(0).account == 0
    with pytest.raises(NotFound, match="expected a pool below 1, was 4"):
        pooled.client.pool(4)
    outcome = pooled.client.submit_owned(deposit(2, 4, 1), signer=LocalSigner(SELLER))
    assert outcome.code == Code.NO_POOL
    assert outcome.operands["pool_count"] == "1"
