"""Statements, margin calls and explanations as people and programs get them."""

import asyncio
import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from clearing.codes import Code
from clearing.keys import address_of
from node.v1 import node_pb2 as pb
from novatio import AsyncClient, BadRequest, LocalSigner, NotFound, Period, VerificationFailed
from novatio.output import render, render_rows
from novatio.statements import LINE_KINDS, Statement, check_sum, fills_of
from tests.novatio.house import BUYER, DEADLINE_SECONDS, SELLER

SIZE = "0.05"


@pytest.fixture(scope="module")
def traded(house):
    """Three trades, one of which the law rejects, and a transfer; their outcomes."""
    client = house.client

    def trade(size, price, slot):
        sell = client.order(0, "BTC-PERP", "sell", size, price, slot=slot)
        buyer = LocalSigner(BUYER)
        buy = client.order(1, "BTC-PERP", "buy", size, price, slot=slot, signer=buyer)
        return client.trade(maker=sell, taker=buy, taker_fee_ppm=500)

    actions = [
        trade(SIZE, "4000", 201),
        trade(SIZE, "5000", 202),
        trade(SIZE, "3999", 203),
        client.transfer(0, 1, "12.5"),
    ]
    outcomes = client.submit(actions)
    assert [outcome.code for outcome in outcomes] == [0, Code.PRICE_BAND, 0, 0]
    return outcomes


@pytest.fixture
def leveraged(house):
    """The buyer holds 400,000 quote of the market, which the seller takes back afterwards."""
    client, keys = house.client, (SELLER, BUYER)

    def trade(seller, slot):
        sell, buy = (
            client.order(
                account,
                "BTC-PERP",
                side,
                "100",
                "4000",
                slot=slot,
                signer=LocalSigner(keys[account]),
            )
            for account, side in ((seller, "sell"), (1 - seller, "buy"))
        )
        [outcome] = client.submit([client.trade(maker=sell, taker=buy)])
        outcome.raise_for_rejection()

    trade(0, 210)
    yield
    trade(1, 211)


def shown(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_a_statement_adds_up_to_the_cash_of_the_account(house, traded):
    for account in (0, 1):
        found = house.client.statement(account)
        assert found.opening_cash_micro == 0
        assert found.amount_micro == found.closing_cash_micro
        assert found.closing_cash_micro == house.client.account(account).cash_micro
        assert [line.sequence for line in found.lines] == sorted(
            line.sequence for line in found.lines
        )


def test_a_period_of_a_statement_begins_and_ends_inclusively(house, traded):
    first, last = traded[0].sequence, traded[2].sequence
    found = house.client.statement(1, Period(from_sequence=first, to_sequence=last))
    assert {line.sequence for line in found.lines} == {first, last}
    # 0.05 at 4,000 and at 3,999, and 500 ppm of each.
    value = 200_000_000 + 199_950_000
    assert found.amount_micro == -value - value // 2000
    assert found.closing_cash_micro - found.opening_cash_micro == found.amount_micro


def test_fills_carry_the_fee_of_their_trade(house, traded):
    period = Period(traded[0].sequence, traded[0].sequence)
    [fill] = house.client.fills(1, period)
    assert (fill.line.lots, fill.line.price_micro, fill.fee_micro) == (50, 4_000_000, 100_000)
    [fill] = house.client.fills(0, period)
    assert (fill.line.lots, fill.fee_micro) == (-50, 0)


def test_the_client_for_asyncio_tells_the_same(house, traded):
    async def ask():
        async with AsyncClient(house.node.address, deadline=DEADLINE_SECONDS) as client:
            async for message in client.margin_calls(heartbeat_ms=100):
                first = message
                break
            return (
                await client.statement(1, kinds=["fee"]),
                await client.fills(1),
                await client.explain(traded[1].sequence),
                await client.account_risk(1),
                first,
            )

    statement, fills, outcome, risk, first = asyncio.run(ask())
    assert statement == house.client.statement(1, kinds=["fee"])
    assert fills == house.client.fills(1)
    assert outcome.code == Code.PRICE_BAND
    assert risk.account.id == 1
    assert first.restarted


def test_lots_of_auctions_sweeps_and_pools_are_fills_without_a_fee():
    kinds = (
        pb.LINE_KIND_FILL,
        pb.LINE_KIND_FEE,
        pb.LINE_KIND_POOL_TRADE,
        pb.LINE_KIND_POOL_IMPACT,
        pb.LINE_KIND_AUCTION,
        pb.LINE_KIND_INSURANCE_COVER,
        pb.LINE_KIND_DELEVERAGE,
        pb.LINE_KIND_LOSS_SHARE,
    )
    # Each line that moves lots begins an action, which the line after it ends.
    lines = [
        pb.Line(kind=kind, sequence=1 + place // 2, amount_micro=-7)
        for place, kind in enumerate(kinds)
    ]
    found = fills_of(Statement(0, 0, 0, 4, tuple(lines)))
    assert [(fill.line.kind, fill.fee_micro) for fill in found] == [
        (pb.LINE_KIND_FILL, 7),
        (pb.LINE_KIND_POOL_TRADE, 0),
        (pb.LINE_KIND_AUCTION, 0),
        (pb.LINE_KIND_DELEVERAGE, 0),
    ]


def test_a_kind_that_is_none_is_refused_before_anybody_is_asked(house):
    with pytest.raises(BadRequest, match="insurance_fee"):
        house.client.statement(0, kinds=["fees"])
    assert "fee" in LINE_KINDS


def test_lines_that_do_not_add_up_are_caught(house, traded):
    whole = house.client.statement(0)
    check_sum(whole)
    fields = (whole.account, whole.opening_cash_micro, whole.closing_cash_micro, whole.sequence)
    with pytest.raises(VerificationFailed, match="sequence"):
        check_sum(Statement(*fields, whole.lines[1:]))
    with pytest.raises(VerificationFailed, match="at its end"):
        check_sum(Statement(*fields, whole.lines[:-1]))


def test_a_rejection_can_be_explained_by_its_sequence(house, traded):
    found = house.client.explain(traded[1].sequence)
    assert (found.code, found.acceptance) == (Code.PRICE_BAND, "CLR-TRD-010")
    assert found.action_hash == traded[1].action_hash
    assert found.operands == traded[1].operands
    assert house.client.explain(traded[0].sequence).applied
    with pytest.raises(NotFound):
        house.client.explain(1 << 40)


def test_margin_calls_of_a_threshold_far_above_hold_the_accounts_of_the_owner(house, leveraged):
    # A hundred times 40,000 quote of initial margin, against 10^6 of equity.
    calls = house.client.margin_calls(
        address_of(BUYER), basis="initial", multiple_ppm=100_000_000, heartbeat_ms=100
    )
    message = next(calls)
    assert message.restarted
    [call] = message.calls
    assert (call.account, call.owner) == (1, address_of(BUYER))
    assert call.threshold_micro == 100 * call.initial_micro
    assert call.shortfall_micro == call.threshold_micro - call.equity_micro
    beat = next(calls)
    assert (beat.token >= message.token, list(beat.calls)) == (True, [])
    calls.close()
    with pytest.raises(BadRequest):
        next(house.client.margin_calls(basis="none"))


# The command.


def test_the_statement_command_prints_lines_in_json_csv_and_a_table(house, traded):
    found = shown(house.cli("account", "statement", 1, "-o", "json"))
    cash = house.client.account(1).cash_micro
    assert (found["opening_cash_micro"], found["closing_cash_micro"]) == ("0", str(cash))
    assert found["change_micro"] == str(cash)
    assert sum(int(line["amount_micro"]) for line in found["lines"]) == cash
    rows = rows_of(house.cli("account", "statement", 1, "-o", "csv"))
    assert [row["amount_micro"] for row in rows] == [
        line["amount_micro"] for line in found["lines"]
    ]
    until = ("--to", traded[-1].sequence)
    rows = rows_of(house.cli("account", "statement", 1, *until, "-o", "csv"))
    assert rows[-1]["kind"] == "transfer"
    assert (rows[-1]["symbol"], rows[-1]["counterparty"]) == ("", "0")
    # A fill is between accounts, and a fee goes to a fund.
    fill, fee = (next(row for row in rows if row["kind"] == kind) for kind in ("fill", "fee"))
    assert (fill["counterparty"], fill["fund"]) == ("0", "")
    assert (fee["counterparty"], fee["fund"]) == ("", "fees")
    table = house.cli("account", "statement", 1)
    assert table.stdout.splitlines()[0].split() == [
        "SEQUENCE", "TIME", "KIND", "SYMBOL", "SIZE", "PRICE", "AMOUNT_MICRO", "CASH_MICRO",
        "COUNTERPARTY", "FUND",
    ]  # fmt: skip
    assert f"cash 0 -> {cash} micro-quote" in table.stderr


def test_the_statement_command_takes_sequences_and_times(house, traded):
    last = traded[-1].sequence
    found = shown(house.cli("account", "statement", 0, "--from", last, "--to", last, "-o", "json"))
    assert [line["kind"] for line in found["lines"]] == ["transfer"]
    tomorrow = datetime.fromtimestamp(house.client.heads().sequenced.time_ms / 1000 + 86_400, UTC)
    none = shown(house.cli("account", "statement", 0, "--from", tomorrow.isoformat(), "-o", "json"))
    assert none["lines"] == []
    cash = str(house.client.account(0).cash_micro)
    assert none["opening_cash_micro"] == none["closing_cash_micro"] == cash
    assert house.cli("account", "statement", 0, "--to", "yesterday").exit_code == 2


def test_fills_fees_and_funding_have_commands_of_their_own(house, traded):
    bounds = ("--from", traded[0].sequence, "--to", traded[2].sequence, "-o", "json")
    first, second = shown(house.cli("account", "fills", 1, *bounds))["fills"]
    assert (first["side"], first["size"], Decimal(first["price"])) == ("buy", SIZE, 4000)
    assert (first["value_micro"], first["fee_micro"]) == ("200000000", "100000")
    assert (first["role"], first["counterparty"], first["order_slot"]) == ("taker", 0, 201)
    assert second["value_micro"] == "199950000"
    fees = shown(house.cli("account", "fees", 1, *bounds))
    assert fees["total_micro"] == str(-100_000 - 99_975)
    assert [row["symbol"] for row in fees["fees"]] == ["BTC-PERP"] * 2
    funding = shown(house.cli("account", "funding", 1, *bounds))
    assert (funding["payments"], funding["total_micro"]) == ([], "0")
    head = house.cli("account", "funding", 1, "-o", "csv").stdout.splitlines()[0]
    assert "amount_micro" in head


def test_the_account_command_shows_what_would_liquidate_it(house, traded):
    found = shown(house.cli("account", "show", 1, "-o", "json"))
    risk = house.client.account_risk(1).risk
    assert found["free_collateral_micro"] == str(risk.free_collateral_micro)
    assert found["margin_ratio_ppm"] == risk.margin_ratio_ppm
    # 10^6 quote carry so few lots that no fall of this market alone fails the buyer ...
    [held] = found["positions"]
    assert (held["liquidation_price_micro"], held["liquidation_price"]) == (None, None)
    # ... but a rise fails the seller: the mark is given a lot and a unit of the underlying.
    [held] = shown(house.cli("account", "show", 0, "-o", "json"))["positions"]
    [entry] = house.client.account_risk(0).risk.liquidation_prices
    assert held["liquidation_price_micro"] == str(entry.price_micro)
    assert Decimal(held["liquidation_price"]) == Decimal(entry.price_micro) / 1000


CALLS = ("account", "margin-calls", "--basis", "initial", "--multiple-ppm", "100000000")


def test_the_margin_calls_command_lists_what_stands(house, leveraged):
    found = shown(house.cli(*CALLS, "-o", "json"))["margin_calls"]
    assert [call["account"] for call in found] == [0, 1]
    assert {call["status"] for call in found} == {"standing"}
    none = house.cli("account", "margin-calls")
    assert none.exit_code == 0
    assert none.stdout.split()[:2] == ["ACCOUNT", "STATUS"]
    assert len(none.stdout.splitlines()) == 1
    assert house.cli("account", "margin-calls", "--owner", "0x12").exit_code == 2


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_the_margin_calls_command_follows_one_call_a_line(house, leveraged, form):
    code = "from novatio.cli import main; main()"
    command = [sys.executable, "-c", code, "--config", house.settings(), *CALLS, "--follow"]
    with subprocess.Popen([*command, "-o", form], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3 if form == "csv" else 2)]
        process.kill()
    if form == "json":
        assert [json.loads(line)["account"] for line in lines] == [0, 1]
    elif form == "csv":
        assert [row["account"] for row in csv.DictReader(lines)] == ["0", "1"]
    else:
        assert ["standing account 0:" in lines[0], "standing account 1:" in lines[1]] == [True] * 2
        assert "micro-quote" in lines[0]


def test_the_explain_command_takes_a_sequence_or_a_hash(house, traded):
    rejected = traded[1]
    by_sequence = shown(house.cli("trade", "explain", rejected.sequence, "-o", "json"))
    by_hash = shown(house.cli("trade", "explain", "0x" + rejected.action_hash.hex(), "-o", "json"))
    assert by_sequence == by_hash
    assert (by_hash["name"], by_hash["acceptance"]) == ("PRICE_BAND", "CLR-TRD-010")
    assert by_hash["operands"] == rejected.operands
    assert house.cli("trade", "explain", "soon").exit_code == 2
    assert house.cli("trade", "explain", 1 << 40).exit_code == 3


# CSV.


def test_csv_has_a_column_a_key_and_the_values_of_json():
    rows: list[dict[str, object]] = [
        {"cash_micro": 2**62, "time_ms": 1, "root": b"\x01", "text": 'a "b", c', "ok": True},
        {"cash_micro": -1, "time_ms": 0, "root": None, "text": "", "ok": False},
    ]
    found = list(csv.DictReader(io.StringIO(render_rows("rows", rows, "csv"))))
    assert found[0] == {
        "cash_micro": str(2**62),
        "time_ms": "1",
        "root": "0x01",
        "text": 'a "b", c',
        "ok": "true",
        "time": "1970-01-01T00:00:00.001Z",
    }
    assert (found[1]["cash_micro"], found[1]["root"], found[1]["ok"]) == ("-1", "", "false")


def test_csv_without_records_still_has_its_header():
    assert render_rows("rows", [], "csv", ("number", "status")) == "number,status"


def test_csv_of_one_record_keeps_what_it_holds_as_json():
    [row] = csv.DictReader(io.StringIO(render({"a": 1, "margin": {"equity_micro": 7}}, "csv")))
    assert row == {"a": "1", "margin": '{"equity_micro": "7"}'}
