"""Netting: what a settlement cycle comes down to, and that compressing its trades moves nobody."""

from __future__ import annotations

import random
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearing.codes import Fund
from clearing.formulas import evaluate
from clearing.layout import new_rows
from node.gate import Refused
from node.lines import Line, LineKind
from node.margins import margin_of
from node.netting import GROSS_MAX, POT, Books, Key, Sums, figures, matches, report_of
from node.v1 import node_pb2 as pb
from tests.node.scenario import PRICE, START_MS, TICK, price, trade
from tests.node.service import SECONDS, Client, refused
from tests.node.test_statements import Books as House
from tests.node.test_statements import opened, seeds, wander
from verifier.batch import SUB_ROOTS

MILLION = 1_000_000
PAYMENTS = (LineKind.DEPOSIT, LineKind.WITHDRAWAL, LineKind.TRANSFER)


def netted(house: House, place: int = 0) -> tuple[Books, Any]:
    """The books of all lines of a house from a place on, and their report."""
    books = Books()
    books.add(house.store.read_rows(place, house.store.count - place))
    ticks = house.state.instruments["tick"].tolist()
    return books, report_of(books, ticks, pb.NettingSummary())


def triangle(house: House) -> None:
    """0 sells ten to 1 at 50, 1 sells them to 2 at 52, 2 sells four to 0 at 51."""
    assert house.trade(0, 1, 10, 50 * MILLION, fees=(0, 500)) == [0]
    assert house.trade(1, 2, 10, 52 * MILLION, fees=(0, 0)) == [0]
    assert house.trade(2, 0, 4, 51 * MILLION, fees=(0, 0)) == [0]


def test_three_trades_net_to_one_leg_an_account_and_the_fee_to_the_fund():
    house = opened()
    triangle(house)
    _, report = netted(house)
    legs = {
        (leg.account if leg.HasField("account") else f"fund {leg.fund}"): (
            leg.received_micro,
            leg.paid_micro,
            leg.net_micro,
        )
        for leg in report.legs
    }
    fee = 250_000  # 500 ppm of 500
    assert legs == {
        0: (500 * MILLION, 204 * MILLION, 296 * MILLION),
        1: (520 * MILLION, 500 * MILLION + fee, 20 * MILLION - fee),
        2: (204 * MILLION, 520 * MILLION, -316 * MILLION),
        f"fund {int(Fund.FEES)}": (fee, 0, fee),
    }
    total = report.summary.total
    # Six fills, the fee and the fund that got it.
    assert (total.lines, total.parties) == (8, 4)
    assert (total.gross_micro, total.net_micro) == (1_224 * MILLION + fee, 316 * MILLION)
    assert total.netting_ratio_ppm == 741_882  # 1 - 316 / 1224.25
    [instrument] = report.summary.instruments
    assert (instrument.instrument, instrument.cash) == (0, total)


def test_three_trades_compress_to_one_at_their_mean_price():
    house = opened()
    triangle(house)
    _, report = netted(house)
    [instrument] = report.summary.instruments
    assert instrument.compression == pb.Compression(
        trades=3,
        compressed_trades=1,
        gross_lots=24,
        compressed_lots=6,
        uniform_price_micro=51 * MILLION,  # 1,224 for 24 lots
        positions_kept=True,
    )
    assert report.trades == [
        pb.CompressedTrade(instrument=0, buyer=2, seller=0, lots=6, price_micro=51 * MILLION)
    ]
    # (bought, sold, net, cash, cash beyond six lots at 51)
    assert [
        (one.bought_lots, one.sold_lots, one.net_lots, one.cash_micro, one.variation_micro)
        for one in report.positions
    ] == [
        (4, 10, -6, 296 * MILLION, -10 * MILLION),
        (10, 10, 0, 20 * MILLION, 20 * MILLION),
        (10, 4, 6, -316 * MILLION, -10 * MILLION),
    ]


def test_legs_of_two_instruments_net_across_them_in_the_total_alone():
    house = opened()
    assert house.trade(0, 1, 10, PRICE, fees=(0, 0)) == [0]
    assert house.trade(1, 0, 10, PRICE, instrument=1, fees=(0, 0)) == [0]
    _, report = netted(house)
    assert [one.cash.net_micro for one in report.summary.instruments] == [500 * MILLION] * 2
    assert [one.cash.netting_ratio_ppm for one in report.summary.instruments] == [0, 0]
    total = report.summary.total
    assert (total.gross_micro, total.net_micro, total.netting_ratio_ppm) == (10**9, 0, MILLION)


def test_money_that_comes_goes_or_changes_hands_is_not_netted():
    house = opened()
    house.transfer(0, 1, 7)
    house.withdraw(0, 5)
    books, report = netted(house)
    assert (books.legs, report.legs) == ({}, [])
    assert report.summary.total == pb.NettingFigures()


def test_sums_beyond_64_bits_are_added_exactly_and_refused():
    lines: Any = new_rows(Line, 4)
    lines["fund"] = lines["instrument"] = -1
    lines["kind"] = LineKind.FEE
    lines["account"] = [0, 0, 1, 1]
    most = (1 << 63) - 1
    lines["amount"] = [most, most, -most, -most]
    books = Books()
    books.add(lines)
    assert books.legs[Key(0, -1)] == Sums(2 * most, 0, 2)
    with pytest.raises(Refused, match=str(GROSS_MAX)) as found:
        figures(list(books.legs.values()), [2 * most, -2 * most])
    assert found.value.code == grpc.StatusCode.OUT_OF_RANGE


def test_legs_that_do_not_sum_to_zero_stop_the_report():
    with pytest.raises(AssertionError, match="as much paid"):
        figures([Sums(5, 4, 1)], [1])


@given(st.dictionaries(st.integers(0, 30), st.integers(-(1 << 40), 1 << 40), max_size=12))
def test_matched_trades_give_every_account_its_net_lots_with_the_fewest_that_are_needed(nets):
    nets[31] = -sum(nets.values())
    found = matches(nets)
    after = dict.fromkeys(nets, 0)
    for match in found:
        assert match.lots > 0
        after[match.buyer] += match.lots
        after[match.seller] -= match.lots
    assert after == nets
    assert len(found) <= max(0, sum(1 for lots in nets.values() if lots) - 1)
    rows = [
        [{"account": account, "lots": lots} for account, lots in side.items()]
        for side in (nets, after)
    ]
    result = evaluate("tear_up_check", {"before": rows[0], "after": rows[1]})
    assert result == {"keeps_positions": True}


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(seeds)
def test_over_random_flows_legs_are_the_change_of_cash_funds_and_pots(seed):
    house = opened()
    for _ in wander(house, seed, 80):
        pass
    books, report = netted(house)
    paid_in: dict[int, int] = {}
    for line in house.store.read_rows(0, house.store.count):
        if line.kind in PAYMENTS:
            paid_in[int(line.account)] = paid_in.get(int(line.account), 0) + int(line.amount)
    nets: dict[Any, int] = {}
    for key, sums in books.legs.items():
        party = key if key.party == POT else key.party
        nets[party] = nets.get(party, 0) + sums.net
    for account in range(4):
        cash = int(house.state.accounts[account].cash)
        assert nets.get(account, 0) == cash - paid_in[account]
    for fund in Fund:
        assert nets.get(-2 - fund, 0) == int(house.state.funds[fund].balance)
    for instrument in range(2):
        assert nets.get(Key(POT, instrument), 0) == int(house.state.instruments[instrument].pot)
    assert sum(nets.values()) == 0
    for one in report.summary.instruments:
        kept = [leg for leg in report.legs if leg.instrument == one.instrument]
        assert sum(leg.net_micro for leg in kept) == 0
        assert one.cash.net_micro <= one.cash.gross_micro


@pytest.mark.parametrize("seed", range(4))
def test_the_report_agrees_with_the_formulas_of_the_law(seed):
    house = opened()
    for _ in wander(house, seed, 12):
        pass
    _, report = netted(house)
    lines = [
        line for line in house.store.read_rows(0, house.store.count) if line.kind not in PAYMENTS
    ]
    names: dict[Any, int] = {}

    def number(line):
        key = (
            int(line.account),
            int(line.fund) if line.account < 0 else 0,
            int(line.instrument) if line.account < 0 and line.fund < 0 else 0,
        )
        return names.setdefault(key, len(names))

    legs = [{"account": number(line), "amount": int(line.amount)} for line in lines]
    told: Any = evaluate("netting_report", {"legs": legs})
    total = report.summary.total
    assert told["balanced"]
    assert (told["gross_turnover"], told["net_turnover"], told["netting_ratio_ppm"]) == (
        total.gross_micro, total.net_micro, total.netting_ratio_ppm,
    )  # fmt: skip
    for one in report.summary.instruments:
        if not one.HasField("compression"):
            continue
        fills = [
            line
            for line in lines
            if line.kind == LineKind.FILL and line.instrument == one.instrument and line.lots > 0
        ]
        trades = [
            {
                "buyer": int(line.account),
                "seller": int(line.counterparty),
                "lots": int(line.lots),
                # In ticks: the formula takes prices up to 2^25 only.
                "price": int(line.price) // TICK,
            }
            for line in fills
        ]
        told = evaluate("compress_trades", {"trades": trades})
        assert len(trades) == one.compression.trades
        assert told["gross_lots"] == one.compression.gross_lots
        assert told["compressed_lots"] == one.compression.compressed_lots
        positions = {p.account: p for p in report.positions if p.instrument == one.instrument}
        for account, lots, cash in zip(
            told["accounts"], told["net_lots"], told["net_cash"], strict=True
        ):
            found = positions[account]
            assert (found.net_lots, found.cash_micro) == (lots, cash * TICK)


# Compressed trades through the law, from the same state.


def before_the_cycle() -> House:
    """Positions at several prices, and funding that is pending on them."""
    house = opened()
    for seller, buyer, lots, at in ((0, 1, 20, PRICE), (3, 2, 15, PRICE + 7 * TICK)):
        for instrument in range(2):
            assert house.trade(seller, buyer, lots, at, instrument, (0, 0)) == [0]
    house.time_ms += 1
    for instrument in range(2):
        house.price(instrument, PRICE, PRICE * 100 // 101)
    assert house.funding() == [0]
    for instrument in range(2):
        house.price(instrument, PRICE, PRICE)
    return house


def trade_by_chance(house: House, seed: int, prices: list[int]) -> None:
    chance = random.Random(seed)
    for _ in range(14):
        seller, buyer = chance.sample(range(4), 2)
        at = chance.choice(prices)
        house.trade(seller, buyer, chance.randint(1, 9), at, chance.randrange(2), (0, 0))


def compressed(prices: list[int], seed: int) -> tuple[House, House, Any]:
    """A house after a cycle's trades, one after the compressed ones, and the report."""
    whole, small = before_the_cycle(), before_the_cycle()
    assert whole.sequencer.engine.root() == small.sequencer.engine.root()
    place = whole.store.count
    trade_by_chance(whole, seed, prices)
    _, report = netted(whole, place)
    for one in report.trades:
        codes = small.trade(
            one.seller, one.buyer, one.lots, one.price_micro, one.instrument, (0, 0)
        )
        assert codes == [0]
    return whole, small, report


def lots_by_account(house: House) -> list[dict[int, int]]:
    return [
        {int(p.instrument): int(p.lots) for p in row.positions[: row.position_count]}
        for row in house.state.accounts[:4]
    ]


def differing_sub_roots(whole: House, small: House) -> set[str]:
    openings = [house.sequencer.engine.opening() for house in (whole, small)]
    return {name for name in SUB_ROOTS if len({one.sub_root(name) for one in openings}) > 1}


@pytest.mark.parametrize("seed", range(4))
def test_compressed_trades_lead_to_the_same_positions_and_variation_to_the_same_equity(seed):
    prices = [PRICE + step * TICK for step in (-40, -3, 0, 5, 60)]
    whole, small, report = compressed(prices, seed)
    assert lots_by_account(small) == lots_by_account(whole)
    variation = [0] * 4
    for one in report.positions:
        variation[one.account] += one.variation_micro
    assert sum(variation) == 0
    for row in range(4):
        one, other = margin_of(whole.state, row), margin_of(small.state, row)
        # The variation leg is all that is between them: pending funding counts like paid funding.
        assert one.equity == other.equity + variation[row]
        assert (one.initial, one.maintenance, one.notional) == (
            other.initial, other.maintenance, other.notional,
        )  # fmt: skip
    for each, its in zip(whole.state.instruments, small.state.instruments, strict=True):
        assert (each.open_interest, each.mark_price) == (its.open_interest, its.mark_price)


@pytest.mark.parametrize("seed", range(4))
def test_at_one_price_nothing_of_the_root_differs_but_what_tells_how_it_came_about(seed):
    whole, small, report = compressed([PRICE], seed)
    assert not any(one.variation_micro for one in report.positions)
    assert {one.price_micro for one in report.trades} <= {PRICE}
    for house in (whole, small):
        # Everybody is touched, so that no funding is pending in one and paid in the other.
        for first, second in ((0, 1), (2, 3)):
            for instrument in range(2):
                for seller, buyer in ((first, second), (second, first)):
                    assert house.trade(seller, buyer, 1, PRICE, instrument, (0, 0)) == [0]
    # Markets with open interest and pots, funds, parameters and all else are the same leaves.
    assert differing_sub_roots(whole, small) <= {"accounts"}
    for one, other in zip(whole.state.accounts[:4], small.state.accounts[:4], strict=True):
        same = set(one.dtype.names) - {"positions", "page_mask", "page_rows"}
        assert {name for name in same if np.any(one[name] != other[name])} == set()
        for held, its in zip(one.positions, other.positions, strict=True):
            differs = {name for name in held.dtype.names if held[name] != its[name]}
            # What positions cost depends on the way; it bears on unrealised profit alone.
            assert differs <= {"entry_cost"}
    totals, its = whole.sequencer.engine.totals, small.sequencer.engine.totals
    differs = {name for name in totals.dtype.names if np.any(totals[name] != its[name])}
    assert differs <= {"sequenced_count", "sequenced_accumulator"}


# Over the wire.


def report_over(client, **request):
    pieces = list(client.stub.GetNetting(pb.GetNettingRequest(**request), timeout=SECONDS))
    assert [piece.HasField("summary") for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    return pieces[0].summary, [leg for piece in pieces for leg in piece.legs]


def test_cycles_are_windows_of_the_laws_time_that_close(tmp_path):
    now = [START_MS]
    client = Client(tmp_path, clock=lambda: now[0]).fund()
    minute = 60_000
    first = START_MS // minute * minute
    client.submit(trade(1), trade(2))
    summary, legs = report_over(client, cycle_ms=minute)
    assert (summary.from_time_ms, summary.to_time_ms) == (first, first + minute)
    assert (summary.closed, summary.sequence) == (False, 3)
    assert summary.total.gross_micro == 2 * (500 * MILLION + 250_000)
    now[0] = first + minute
    client.submit(price(now[0]), trade(3))
    closed, same = report_over(client, cycle_ms=minute, time_ms=START_MS)
    assert closed.closed
    assert (closed.total, same) == (summary.total, legs)
    after, _ = report_over(client, cycle_ms=minute)
    assert after.from_time_ms == first + minute
    assert after.total.gross_micro == 500 * MILLION + 250_000
    empty, none = report_over(client, cycle_ms=minute, time_ms=1)
    assert (none, empty.total, empty.closed) == ([], pb.NettingFigures(), True)
    # The law's own cycle of marking to market is eight hours.
    summary, _ = report_over(client)
    assert summary.to_time_ms - summary.from_time_ms == 28_800_000
    client.stop()


@pytest.mark.parametrize(
    ("request_fields", "code", "reason"),
    [
        ({"time_ms": START_MS * 2}, grpc.StatusCode.NOT_FOUND, "NO_SUCH_CYCLE"),
        ({"time_ms": 1 << 63}, grpc.StatusCode.INVALID_ARGUMENT, "OUT_OF_RANGE"),
        ({"cycle_ms": 1 << 63}, grpc.StatusCode.INVALID_ARGUMENT, "OUT_OF_RANGE"),
    ],
)
def test_a_cycle_that_cannot_be_netted_says_why(tmp_path, request_fields, code, reason):
    client = Client(tmp_path).fund()

    def ask(request, **options):
        return list(client.stub.GetNetting(request, **options))

    found, info, _ = refused(ask, pb.GetNettingRequest(**request_fields), timeout=SECONDS)
    assert (found, info.reason) == (code, reason)
    client.stop()
