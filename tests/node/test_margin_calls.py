"""Margin calls: who fell below the threshold, by how much and by which market, and who is back."""

from __future__ import annotations

import time

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearing.keys import address_of
from clearing.layout import new_rows
from clearing.units import PPM
from node.margin_calls import (
    WATCHES_SPARE,
    Basis,
    Market,
    Measures,
    find_crossings,
    measure_moved,
)
from node.margins import margin_of
from node.v1 import node_pb2 as pb
from tests.node.scenario import ALICE_KEY, BOB_KEY, PRICE, START_MS, TICK, price, trade, withdraw
from tests.node.service import SECONDS, Client, refused
from tests.node.test_statements import opened, seeds, wander

LOTS = 180_000
# Bob has 10^6 quote less 500 ppm of 9 * 10^6, and is long 180,000 lots at 50.
CASH_AND_COST = 10**12 - 4_500 * 10**6
LOW = PRICE * 92 // 100 // TICK * TICK


class House:
    """A node whose clock a test moves, with Bob long and Alice short."""

    def __init__(self, directory) -> None:
        self.now = START_MS
        self.directory = directory
        self.client = Client(directory, clock=lambda: self.now).fund()
        assert list(self.client.submit(trade(1, lots=LOTS)).codes) == [0]

    def restart(self) -> None:
        self.client.stop()
        self.client = Client(self.directory, clock=lambda: self.now)

    def mark(self, at: int) -> None:
        self.now += 1
        assert list(self.client.submit(price(self.now, at)).codes) == [0]

    def watch(self, **request):
        request.setdefault("heartbeat_ms", 100)
        return self.client.stub.WatchMarginCalls(
            pb.WatchMarginCallsRequest(**request), timeout=SECONDS
        )


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.client.stop()


def calls_of(stream, count: int):
    """Read the stream until `count` calls are there; return them and the last token."""
    calls = []
    for message in stream:
        calls += message.calls
        if len(calls) >= count:
            stream.cancel()
            return calls, message.token
    raise AssertionError("the stream ended")


def test_a_price_that_takes_equity_below_maintenance_raises_a_call_with_its_operands(house):
    stream = house.watch()
    first = next(stream)
    assert first.restarted
    assert not first.calls
    house.mark(LOW)
    [call], _ = calls_of(stream, 1)
    equity = CASH_AND_COST + LOTS * (LOW - PRICE)
    maintenance = LOTS * LOW // 20
    assert call == pb.MarginCall(
        status=pb.MARGIN_CALL_STATUS_RAISED,
        account=1,
        owner=address_of(BOB_KEY),
        sequence=3,
        time_ms=house.now,
        equity_micro=equity,
        initial_micro=2 * maintenance,
        maintenance_micro=maintenance,
        threshold_micro=maintenance,
        shortfall_micro=maintenance - equity,
        moved_instrument=0,
        mark_before_micro=PRICE,
        mark_micro=LOW,
    )


def test_an_account_that_covers_the_threshold_again_has_met_its_call(house):
    stream = house.watch()
    next(stream)
    house.mark(LOW)
    house.mark(PRICE)
    found, _ = calls_of(stream, 2)
    assert [call.status for call in found] == [
        pb.MARGIN_CALL_STATUS_RAISED,
        pb.MARGIN_CALL_STATUS_MET,
    ]
    assert found[1].shortfall_micro == 0
    assert (found[1].mark_before_micro, found[1].mark_micro) == (LOW, PRICE)


def test_a_stream_that_goes_on_gets_what_it_missed_in_order(house):
    stream = house.watch()
    token = next(stream).token
    stream.cancel()
    house.mark(LOW)
    house.mark(PRICE)
    found, behind = calls_of(house.watch(token=token), 2)
    assert [call.sequence for call in found] == [3, 4]
    house.mark(LOW)
    found, _ = calls_of(house.watch(token=behind), 1)
    assert [call.sequence for call in found] == [5]


def test_a_node_that_does_not_remember_so_far_back_begins_with_what_stands(house):
    stream = house.watch()
    token = next(stream).token
    stream.cancel()
    house.mark(LOW)
    house.restart()
    first = next(house.watch(token=token))
    assert first.restarted
    [call] = first.calls
    assert (call.status, call.account) == (pb.MARGIN_CALL_STATUS_STANDING, 1)
    assert not call.HasField("moved_instrument")


def test_an_owner_hears_of_its_own_accounts_alone(house):
    house.mark(LOW)
    assert not next(house.watch(owner=address_of(ALICE_KEY))).calls
    [call] = next(house.watch(owner=address_of(BOB_KEY))).calls
    assert call.account == 1


def test_the_multiple_and_the_basis_are_chosen_by_who_watches(house):
    initial = LOTS * PRICE // 10
    assert not next(house.watch(basis=pb.MARGIN_BASIS_INITIAL)).calls
    # 995,500 quote of equity against 1.2 * 900,000, and Alice's 10^6 against the same.
    found = next(house.watch(basis=pb.MARGIN_BASIS_INITIAL, multiple_ppm=1_200_000)).calls
    assert [call.account for call in found] == [0, 1]
    assert {call.threshold_micro for call in found} == {initial * 12 // 10}
    found = next(house.watch(basis=pb.MARGIN_BASIS_INITIAL, multiple_ppm=1_107_000)).calls
    assert [call.account for call in found] == [1]


def test_a_call_that_no_market_raised_names_none(house):
    stream = house.watch(basis=pb.MARGIN_BASIS_INITIAL, multiple_ppm=1_110_000)
    assert [call.account for call in next(stream).calls] == [1]
    assert list(house.client.submit(withdraw(1, amount=2_000 * 10**6)).codes) == [0]
    [call], _ = calls_of(stream, 1)
    assert (call.account, call.status) == (0, pb.MARGIN_CALL_STATUS_RAISED)
    assert not call.HasField("moved_instrument")


def test_a_quiet_stream_beats_with_the_token_to_go_on_from(house):
    stream = house.watch()
    token = next(stream).token
    beats = [next(stream), next(stream)]
    assert [(beat.token, len(beat.calls), beat.restarted) for beat in beats] == [
        (token, 0, False)
    ] * 2
    stream.cancel()


@pytest.mark.parametrize(
    ("request_fields", "code", "reason"),
    [
        ({"owner": b"x"}, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_ADDRESS"),
        ({"basis": 7}, grpc.StatusCode.INVALID_ARGUMENT, "OUT_OF_RANGE"),
        ({"multiple_ppm": 100 * PPM + 1}, grpc.StatusCode.INVALID_ARGUMENT, "OUT_OF_RANGE"),
        ({"token": 1 << 40}, grpc.StatusCode.OUT_OF_RANGE, "TOKEN_AHEAD"),
    ],
)
def test_a_request_that_means_nothing_says_why(house, request_fields, code, reason):
    found, info, _ = refused(lambda: house.watch(**request_fields))
    assert (found, info.reason) == (code, reason)


def test_thresholds_that_nobody_asks_for_any_more_are_forgotten_oldest_first(tmp_path):
    client = Client(tmp_path, clock=lambda: START_MS, limits__tails_max=1).fund()

    def first_of(multiple_ppm: int, token: int = 0):
        request = pb.WatchMarginCallsRequest(
            multiple_ppm=multiple_ppm, token=token, heartbeat_ms=100
        )
        while True:
            stream = client.stub.WatchMarginCalls(request, timeout=SECONDS)
            try:
                return next(stream)
            except grpc.RpcError as error:
                # The stream before has been cancelled, but has not noticed yet.
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                time.sleep(0.05)
            finally:
                stream.cancel()

    token = first_of(PPM).token
    for extra in range(1, 1 + WATCHES_SPARE):
        assert first_of(PPM + extra).restarted
    assert first_of(2 * PPM).restarted
    assert list(client.submit(trade(1)).codes) == [0]
    assert not first_of(PPM + WATCHES_SPARE, token).restarted
    assert first_of(PPM, token).restarted
    client.stop()


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seeds,
    st.sampled_from(Basis),
    st.sampled_from([500_000, PPM, 1_500_000, 20 * PPM]),
)
def test_measuring_only_what_moved_finds_who_is_below_as_measuring_everything(
    seed, basis, multiple_ppm
):
    books = opened()
    rows = books.ledger.memory.newest.shape[0]
    measures = Measures(*(np.zeros(rows, np.int64) for _ in range(4)))
    markets = new_rows(Market, 2)
    below, crossed = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    for _ in wander(books, seed, 60):
        memory = books.ledger.memory
        state = books.ledger.state
        count = int(measure_moved(state, memory.dirty, memory.tables, markets, measures))
        find_crossings(measures, count, int(basis), multiple_ppm, below, crossed)
        for row in range(4):
            margin = margin_of(books.state, row)
            requirement = margin.initial if basis == Basis.INITIAL else margin.maintenance
            assert below[row] == (margin.equity * PPM < requirement * multiple_ppm)
