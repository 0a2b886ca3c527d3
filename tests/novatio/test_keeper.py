"""The keeper's second task: owners who hold more in several accounts than one may in one."""

from dataclasses import replace

import pytest

from clearing.codes import Code, Kind
from clearing.genesis import nobodys_address
from clearing.keys import address_of
from clearing.owner_groups import EVERYWHERE
from clearing.requests import Request
from clearing.units import GROUP_ACCOUNTS_MAX, PPM
from node.v1 import node_pb2 as pb
from novatio import LocalSigner
from novatio.keeper import Keeper, checks
from tests.novatio.house import BUYER, CASH_MICRO, SELLER, House, genesis, now_ms
from verifier.base.transactions import Deposit, Faucet

OWNER, OTHER = bytes([1] * 20), bytes([2] * 20)
CAPS = {0: 10, 1: 10}


def account(id, owner=OWNER, hold=(0, 0), **lots):
    """An account that holds `m0`, `m1` lots of the markets 0 and 1."""
    held = [pb.Position(instrument=int(name[1:]), lots=size) for name, size in lots.items()]
    until, instrument = hold
    return pb.Account(
        id=id, owner=owner, positions=held, hold_until_ms=until, hold_instrument=instrument
    )


def found(accounts, share=PPM, until=1):
    return [
        (request.value("instrument"), request.payload)
        for request in checks(accounts, CAPS, share, until)
    ]


def test_lots_are_added_up_by_owner_and_market_without_sign():
    crowd = [
        account(4, m0=6),
        account(2, m0=-5, m1=9),
        account(3, OTHER, m0=10),
        account(7, m1=1),
    ]
    assert found(crowd) == [(0, (2, 4, 7))]
    assert found(crowd, 2 * PPM) == []
    assert found(crowd, PPM // 2) == [(0, (2, 4, 7)), (1, (2, 4, 7)), (0, (3,))]


def test_the_largest_accounts_are_named_where_there_are_too_many():
    crowd = [account(id, m0=id % 2) for id in range(2 * GROUP_ACCOUNTS_MAX)]
    ((_, named),) = found(crowd)
    assert named == tuple(range(1, 2 * GROUP_ACCOUNTS_MAX, 2))
    assert found([account(id) for id in range(2 * GROUP_ACCOUNTS_MAX)]) == []


def test_a_pool_is_nobodys_owner():
    assert found([account(0, nobodys_address(0), m0=99)]) == []


@pytest.mark.parametrize(
    ("hold", "due"),
    [((99, 0), True), ((100, 0), False), ((100, EVERYWHERE), False), ((100, 1), True)],
)
def test_who_is_held_for_long_enough_is_left_alone(hold, due):
    crowd = [account(1, m0=9, hold=hold), account(2, m0=9, hold=(100, 0))]
    assert bool(found(crowd, until=100)) is due


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """Two owners; the seller has accounts 0 and 2, and a position may be ten lots."""
    market = replace(genesis().instruments[0], position_cap=10)
    declared = replace(genesis(), instruments=(market,), owner_group_ppm=1_500_000)
    made = House(tmp_path_factory.mktemp("limited"), declared)
    made.open_accounts()
    made.send(SELLER, Faucet(address_of(SELLER), 10**12, CASH_MICRO))
    made.send(SELLER, Deposit(address_of(SELLER), 1, 0, CASH_MICRO))
    made.send(BUYER, Faucet(address_of(BUYER), 10**12, CASH_MICRO))
    made.send(BUYER, Deposit(address_of(BUYER), 1, 0, CASH_MICRO))
    made.until(lambda: made.client.heads().inbox_consumed == 4)
    yield made
    made.stop()


def trade(house, seller, buyer, size, buyer_key=BUYER):
    keys = LocalSigner(SELLER if buyer_key == BUYER else BUYER), LocalSigner(buyer_key)
    sell = house.client.order(seller, "BTC-PERP", "sell", size, "4000", signer=keys[0])
    buy = house.client.order(buyer, "BTC-PERP", "buy", size, "4000", signer=keys[1])
    (outcome,) = house.client.submit([house.client.trade(sell, buy)])
    return outcome


def test_the_keeper_has_an_owner_beyond_the_limit_held(limited):
    client = limited.client
    keeper = Keeper(client, BUYER, 1, client.info().domain_separator, now_ms)
    trade(limited, 0, 1, "0.009").raise_for_rejection()
    keeper.look()
    assert not keeper.outcomes
    trade(limited, 2, 3, "0.009").raise_for_rejection()
    keeper.look()
    # Both sides are beyond it.
    assert keeper.outcomes == {"APPLIED": 2}
    keeper.look()
    assert keeper.outcomes == {"APPLIED": 2}
    outcome = trade(limited, 0, 3, "0.001")
    assert outcome.code == Code.OWNER_LIMIT
    assert client.account(0).hold_until_ms > 0
    # Back within the limit, the owner has the same accounts added up again and is free.
    trade(limited, 1, 0, "0.004", buyer_key=SELLER).raise_for_rejection()
    check = Request.of(Kind.OWNER_CHECK, payload=(0, 2), instrument=0)
    client.submit_request(check).raise_for_rejection()
    assert client.account(0).hold_until_ms == 0
    assert client.submit_request(check).code == Code.NOT_NEEDED
