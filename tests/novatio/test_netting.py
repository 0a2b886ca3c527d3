"""Netting and compression of a settlement cycle as people and programs get them."""

import asyncio
import csv
import io
import json
from dataclasses import replace

import pytest

from node.v1 import node_pb2 as pb
from novatio import AsyncClient, LocalSigner, NotFound, VerificationFailed
from novatio.netting import check_netting
from tests.novatio.house import BUYER, DEADLINE_SECONDS

# A cycle that holds the whole session, so that trades of other tests do no harm.
LONG_MS = 1 << 42


@pytest.fixture(scope="module")
def found(house):
    """Two trades of 0.05 at 4,000 and back 0.03 at 4,001, with a fee of 500 ppm on the first."""
    client = house.client

    def trade(seller, size, price, slot, fee):
        orders = [
            client.order(
                account,
                "BTC-PERP",
                side,
                size,
                price,
                slot=slot,
                **({"signer": LocalSigner(BUYER)} if account == 1 else {}),
            )
            for account, side in ((seller, "sell"), (1 - seller, "buy"))
        ]
        return client.trade(maker=orders[0], taker=orders[1], taker_fee_ppm=fee)

    before = client.netting(cycle_ms=LONG_MS)
    outcomes = client.submit([trade(0, "0.05", "4000", 230, 500), trade(1, "0.03", "4001", 231, 0)])
    assert [outcome.code for outcome in outcomes] == [0, 0]
    return before, client.netting(cycle_ms=LONG_MS)


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def nets(netting):
    return {leg.party: leg.net_micro for leg in netting.net_legs}


def test_a_cycle_grows_by_the_legs_of_its_trades(found):
    before, after = found
    # 200 one way and 120.03 back; 0.1 is the fee.
    change = {
        party: net - nets(before).get(party, 0)
        for party, net in nets(after).items()
        if net != nets(before).get(party, 0)
    }
    assert change == {
        "account 0": 79_970_000,
        "account 1": -79_970_000 - 100_000,
        "fees fund": 100_000,
    }
    assert after.total.gross_micro - before.total.gross_micro == 320_030_000 + 100_000
    assert sum(nets(after).values()) == 0


def test_the_client_for_asyncio_tells_the_same(house, found):
    async def ask():
        async with AsyncClient(house.node.address, deadline=DEADLINE_SECONDS) as client:
            return await client.netting(cycle_ms=LONG_MS)

    assert asyncio.run(ask()) == house.client.netting(cycle_ms=LONG_MS)


def test_a_cycle_to_come_is_not_found(house):
    with pytest.raises(NotFound, match="began"):
        house.client.netting(time_ms=1 << 60)


def changed(message, **fields):
    copy = type(message)()
    copy.CopyFrom(message)
    for name, value in fields.items():
        setattr(copy, name, value)
    return copy


def test_a_report_whose_sums_are_off_is_caught(found):
    _, after = found
    check_netting(after)
    [*legs] = after.legs
    first = legs[0]
    wrong = {
        "received": replace(after, legs=(changed(first, received_micro=1), *legs[1:])),
        "net legs": replace(
            after,
            legs=(
                changed(
                    first,
                    received_micro=first.received_micro + 1,
                    net_micro=first.net_micro + 1,
                ),
                *legs[1:],
            ),
        ),
        "gross": replace(after, total=changed(after.total, gross_micro=1)),
        "ratio": replace(after, total=changed(after.total, netting_ratio_ppm=1)),
        "instruments with legs": replace(after, instruments=after.instruments[:-1]),
        "compressed lots": replace(after, trades=()),
        "variation": replace(
            after, positions=(changed(after.positions[0], variation_micro=7), *after.positions[1:])
        ),
    }
    for told in wrong.values():
        with pytest.raises(VerificationFailed, match="netting"):
            check_netting(told)
    assert pb.NettingLeg in {type(leg) for leg in legs}


def test_the_netting_report_prints_instruments_or_parties(house, found):
    _, after = found
    options = ("--cycle-ms", LONG_MS)
    shown = json.loads(house.cli("report", "netting", *options, "-o", "json").stdout)
    assert shown["total"]["gross_micro"] == str(after.total.gross_micro)
    assert shown["total"]["netting_ratio_ppm"] == after.total.netting_ratio_ppm
    assert sum(int(row["net_micro"]) for row in shown["parties"]) == 0
    assert "BTC-PERP" in {row["symbol"] for row in shown["instruments"]}
    rows = rows_of(house.cli("report", "netting", *options, "--by", "party", "-o", "csv"))
    assert [row["net_micro"] for row in rows] == [row["net_micro"] for row in shown["parties"]]
    assert {row["party"] for row in rows} >= {"account 0", "account 1", "fees fund"}
    table = house.cli("report", "netting", *options)
    assert table.stdout.splitlines()[0].split() == [
        "SYMBOL", "LINES", "PARTIES", "GROSS_MICRO", "NET_MICRO", "NETTING_RATIO_PPM",
    ]  # fmt: skip
    assert "net legs sum to 0" in table.stderr
    assert "open, as of sequence" in table.stderr


def test_the_compression_report_prints_instruments_positions_or_trades(house, found):
    _, after = found
    options = ("--cycle-ms", LONG_MS)
    shown = json.loads(house.cli("report", "compression", *options, "-o", "json").stdout)
    [row] = [one for one in shown["instruments"] if one["symbol"] == "BTC-PERP"]
    assert row["positions_kept"] is True
    assert row["compressed_trades"] < row["trades"]
    assert int(row["compressed_lots"]) < int(row["gross_lots"])
    trades = rows_of(house.cli("report", "compression", *options, "--by", "trade", "-o", "csv"))
    assert [(row["buyer"], row["seller"], row["lots"]) for row in trades] == [
        (str(one.buyer), str(one.seller), str(one.lots)) for one in after.trades
    ]
    rows = rows_of(house.cli("report", "compression", *options, "--by", "position", "-o", "csv"))
    assert sum(int(row["variation_micro"]) for row in rows) == 0
    assert "every account's net lots stay" in house.cli("report", "compression", *options).stderr


def test_a_cycle_is_chosen_by_a_time_of_the_law(house, found):
    empty = house.cli("report", "netting", "--at", "1990-01-01", "-o", "json")
    shown = json.loads(empty.stdout)
    assert (shown["closed"], shown["parties"]) == (True, [])
    assert house.cli("report", "netting", "--at", "tomorrow").exit_code == 2
    ms = house.cli("report", "netting", "--at", "631152000000", "-o", "json")
    assert json.loads(ms.stdout)["from_time_ms"] == shown["from_time_ms"]
