"""Statements: every change of cash is a line, and the lines of an account are its cash."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clearing import eip712
from clearing.codes import Code, Fund, Kind, Side
from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.keys import address_of, sign
from clearing.messages import (
    Authorisation,
    Funding,
    Inbox,
    InboxMessage,
    Liquidate,
    Order,
    Price,
    PriceObservation,
    Trade,
    Transfer,
    Withdraw,
    action_hash,
)
from clearing.requests import Request
from node.account_risk import risk_message
from node.batcher import BatchPolicy
from node.events import Publish
from node.ledger import Ledger, LineStore
from node.lines import LineKind, Role
from node.margins import margin_of
from node.records import FrameRecord
from node.sequencer import Limits, Sequencer
from node.v1 import node_pb2 as pb
from prover.engine import Engine
from tests.node.scenario import (
    CHAIN_ID,
    DOMAIN,
    FAR,
    PRICE,
    PUBLISHER_KEY,
    SETTLEMENT,
    START_MS,
    TICK,
    price,
    trade,
    withdraw,
)
from tests.node.service import SECONDS, Client, refused

HOUR_MS = 3_600_000
KEYS = tuple(bytes([3] * 31 + [n]) for n in range(1, 5))
RICH, SMALL = 10**12, 3 * 10**8
MARKETS = 2


def two_markets() -> Genesis:
    return Genesis(
        chain_id=CHAIN_ID,
        settlement=SETTLEMENT,
        time_ms=START_MS,
        publishers=(address_of(PUBLISHER_KEY),),
        price_quorum=1,
        tiers=(GenesisTier(100_000, 50_000, 1 << 60, 1 << 61),),
        instruments=tuple(
            GenesisInstrument(symbol, 0, TICK, 1_000_000, 1 << 30, 1 << 30)
            for symbol in ("BTC-PERP", "ETH-PERP")
        ),
        price_jump_ppm=900_000,
        price_band_ppm=500_000,
    )


def signed(message, key):
    (digest, _) = message.signed(DOMAIN)[0]
    return replace(message, signature=sign(key, digest)).encode()


class Books:
    """A sequencer in one thread, and the ledger that follows it."""

    def __init__(self, **changes: Any) -> None:
        self.genesis = replace(two_markets(), **changes)
        self.sequencer = Sequencer(
            Engine(self.genesis, 2),
            Limits(99, 1 << 20, 99, 1 << 20, 99, 1),
            BatchPolicy(512, 1 << 20, 1000),
            lambda generation, count, accumulator: bytes(65),
            2,
        )
        self.store = LineStore(None)
        self.ledger = Ledger(self.genesis, self.store)
        self.token = 2
        self.time_ms = START_MS
        self.numbers = 0
        self.inbox = 0

    @property
    def state(self):
        return self.sequencer.engine.state

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def run(self, *actions: bytes, inbox: int = 0) -> list[int]:
        blob, offsets = pack(list(actions))
        columns = self.sequencer.engine.decode(blob, offsets)
        recover_signers(columns)
        frame = FrameRecord(
            self.time_ms,
            0,
            self.sequencer.duplicates.count,
            inbox,
            np.diff(offsets),
            columns.signers,
            blob.tobytes(),
        )
        outcome = self.sequencer.restore_frame(self.token, frame, None)
        self.ledger.take(Publish(self.token, frame, outcome))
        self.token += 2
        codes: list[int] = outcome.codes.tolist()
        return codes

    def deposit(self, account: int, amount: int) -> list[int]:
        message = InboxMessage(1, self.inbox, account, address_of(KEYS[account]), 0, 0, amount)
        self.inbox += 1
        return self.run(Inbox(message).encode(), inbox=1)

    def price(self, instrument: int, mark: int, index: int) -> list[int]:
        struct = eip712.hash_struct(eip712.PRICE_TYPE, instrument, index, mark, self.time_ms)
        signature = sign(PUBLISHER_KEY, eip712.digest(DOMAIN, struct))
        seen = PriceObservation(index, mark, self.time_ms, signature)
        return self.run(Price(instrument, (seen,)).encode())

    def trade(self, seller, buyer, lots, at, instrument=0, fees=(0, 500)) -> list[int]:
        number = self.number()
        orders = [
            Order(account, lots, at, slot, number, FAR, 1_000, 0)
            for account, slot in ((seller, 3), (buyer, 17))
        ]
        bare = Trade(instrument, lots, at, fees[0], fees[1], bytes(20), 2, orders[0], orders[1])
        maker, taker = (
            Authorisation(sign(KEYS[account], digest))
            for account, (digest, _) in zip((seller, buyer), bare.signed(DOMAIN), strict=True)
        )
        return self.run(
            replace(bare, maker_authorisation=maker, taker_authorisation=taker).encode()
        )

    def transfer(self, sender, recipient, amount) -> list[int]:
        message = Transfer(sender, recipient, 0, amount, self.number(), FAR)
        return self.run(signed(message, KEYS[sender]))

    def withdraw(self, account, amount) -> list[int]:
        return self.run(signed(Withdraw(account, 0, amount, self.number(), FAR), KEYS[account]))

    def liquidate(self, keeper, account, instrument=0, lots=1 << 40) -> list[int]:
        message = Liquidate(keeper, account, instrument, lots, self.number(), FAR)
        return self.run(signed(message, KEYS[keeper]))

    def funding(self, instrument=0) -> list[int]:
        self.time_ms += HOUR_MS
        return self.run(Funding(instrument).encode())

    def lines(self, account: int) -> list:
        """The account's lines, oldest first."""
        found, place = [], int(self.ledger.memory.newest[account])
        while place:
            found.append(self.store.read(place - 1))
            place = int(found[-1].previous)
        return found[::-1]

    def told(self, account: int) -> list[tuple[LineKind, int]]:
        return [(LineKind(int(line.kind)), int(line.amount)) for line in self.lines(account)]


def opened(**changes: Any) -> Books:
    """A rich account, two small ones and a fourth, with prices of both markets."""
    books = Books(**changes)
    for account, amount in enumerate((RICH, SMALL, SMALL, RICH)):
        assert books.deposit(account, amount) == [0]
    for instrument in range(MARKETS):
        assert books.price(instrument, PRICE, PRICE) == [0]
    return books


# What the lines say, by hand.


def test_a_trade_is_a_fill_for_both_and_a_fee_for_who_pays_one():
    books = opened()
    assert books.trade(0, 1, 10, PRICE, fees=(-100, 500)) == [0]
    # 10 lots at 50 quote are 500 quote: 500 ppm of it are 0.25, the rebate of 100 ppm is 0.05.
    assert books.told(0)[1:] == [(LineKind.FILL, 500_000_000), (LineKind.FEE, 50_000)]
    assert books.told(1)[1:] == [(LineKind.FILL, -500_000_000), (LineKind.FEE, -250_000)]
    maker, taker = books.lines(0)[1], books.lines(1)[1]
    assert (maker.lots, maker.price, maker.role, maker.slot, maker.counterparty) == (
        -10, PRICE, Role.MAKER, 3, 1,
    )  # fmt: skip
    assert (taker.lots, taker.price, taker.role, taker.slot, taker.counterparty) == (
        10, PRICE, Role.TAKER, 17, 0,
    )  # fmt: skip
    assert taker.reference == maker.reference == 1
    assert taker.sequence == books.sequencer.duplicates.count


def test_funding_is_a_line_when_the_position_is_touched_and_not_before():
    books = opened()
    books.trade(0, 1, 10, PRICE)
    books.time_ms += 1
    # The mark stands 1 % above the index, and stood there in one sample of two: longs pay half a
    # per cent a period of 8 h, an eighth of it an hour.
    assert books.price(0, PRICE, PRICE * 100 // 101) == [0]
    assert books.funding() == [0]
    assert [kind for kind, _ in books.told(1)] == [LineKind.DEPOSIT, LineKind.FILL, LineKind.FEE]
    books.time_ms += 1
    books.price(0, PRICE, PRICE)
    assert books.trade(1, 0, 4, PRICE, fees=(0, 0)) == [0]
    rate = (PRICE - PRICE * 100 // 101) * 10**6 // (PRICE * 100 // 101) // 2
    elapsed = HOUR_MS + 1
    index = rate * PRICE * elapsed * 10**6 // (8 * HOUR_MS)
    owed = -(-10 * index // 10**12)
    assert books.told(1)[3:] == [(LineKind.FUNDING, -owed), (LineKind.FILL, 4 * PRICE)]
    received = 10 * index // 10**12
    assert books.told(0)[2:] == [(LineKind.FUNDING, received), (LineKind.FILL, -4 * PRICE)]


def test_a_liquidation_names_price_fee_and_who_took_over():
    books = opened()
    assert books.trade(0, 1, 30, PRICE, fees=(0, 0)) == [0]
    books.time_ms += 1
    # Equity is 300 quote less 30 * 8.5; maintenance 5 % of 30 * 41.5.
    mark = 41_500_000
    assert books.price(0, mark, mark) == [0]
    assert books.liquidate(3, 1) == [0]
    at = mark - mark // 100
    taken = int(books.state.accounts[3].positions[0].lots)
    fee = taken * mark * 5_000 // 10**6
    assert books.told(1)[2:] == [
        (LineKind.LIQUIDATION, taken * at),
        (LineKind.INSURANCE_FEE, -min(fee, 300_000_000 - 30 * 8_500_000)),
    ]
    assert books.told(3)[1:] == [(LineKind.LIQUIDATION, -taken * at)]
    keeper, failing = books.lines(3)[-1], books.lines(1)[2]
    assert (keeper.role, keeper.counterparty, keeper.lots, keeper.price) == (
        Role.KEEPER, 1, taken, at,
    )  # fmt: skip
    assert (failing.role, failing.counterparty, failing.lots, failing.price) == (
        Role.LIQUIDATED, 3, -taken, at,
    )  # fmt: skip


def test_a_fill_of_a_call_names_its_price_and_the_other_side():
    books = opened(band_ppm=100_000, stable_rate_ppm=0, band_auction_ms=1_000)
    books.time_ms += 1
    books.price(0, 60_000_000, 60_000_000)
    for account, side, limit in ((3, Side.BUY, 55_000_000), (0, Side.SELL, 52_000_000)):
        fields: dict[str, Any] = {
            "account": account,
            "instrument": 0,
            "side": side,
            "lots": 4,
            "price": limit,
        }
        fields |= {"sequence": books.number(), "expiry": FAR}
        order = Request.of(Kind.CALL_ORDER, **fields)
        signature = sign(KEYS[account], eip712.digest(DOMAIN, order.struct_hash()))
        assert books.run(replace(order, signatures=(signature,)).encode()) == [0]
    books.time_ms += 1_000
    books.price(0, 60_000_000, 60_000_000)
    at = int(books.state.instruments[0].price)
    assert 52_000_000 <= at <= 55_000_000
    assert books.run(Request.of(Kind.CALL_FILL, buyer=3, seller=0, instrument=0).encode()) == [0]
    assert books.told(3)[1:] == [(LineKind.FILL, -4 * at)]
    assert books.told(0)[1:] == [(LineKind.FILL, 4 * at)]
    bought, sold = books.lines(3)[1], books.lines(0)[1]
    assert (bought.lots, bought.price, bought.counterparty) == (4, at, 0)
    assert (sold.lots, sold.price, sold.counterparty) == (-4, at, 3)


def test_what_insurance_pays_for_a_bankrupt_account_is_a_line_of_its_own():
    books = opened()
    books.trade(0, 2, 10, PRICE, fees=(0, 0))
    books.trade(0, 1, 30, PRICE, fees=(0, 0))
    books.time_ms += 1
    books.price(0, 41_500_000, 41_500_000)
    assert books.liquidate(3, 1) == [0]
    insurance = int(books.state.funds[Fund.INSURANCE].balance)
    assert insurance > 0
    books.time_ms += 1
    # Account 2 has 300 quote and loses 10 * 35 before the penalty.
    books.price(0, 15_000_000, 15_000_000)
    assert books.liquidate(3, 2) == [0]
    assert books.told(2)[-1] == (LineKind.INSURANCE_COVER, insurance)


def test_money_in_and_out_and_across_has_its_own_kinds():
    books = opened()
    assert books.transfer(0, 1, 7) == [0]
    assert books.withdraw(0, 5) == [0]
    assert books.told(0) == [
        (LineKind.DEPOSIT, RICH),
        (LineKind.TRANSFER, -7),
        (LineKind.WITHDRAWAL, -5),
    ]
    assert books.told(1) == [(LineKind.DEPOSIT, SMALL), (LineKind.TRANSFER, 7)]
    assert books.lines(1)[-1].counterparty == 0
    assert books.lines(0)[0].action_kind == Kind.INBOX


def test_what_was_rejected_leaves_no_line():
    books = opened()
    assert books.trade(0, 1, 10, PRICE + 1) == [Code.OFF_TICK]
    assert books.withdraw(1, 2 * SMALL) == [Code.TRANSFER_MARGIN]
    assert books.told(0) == [(LineKind.DEPOSIT, RICH)]


def test_an_overflow_halts_the_copy_as_it_halted_the_state():
    books = opened()
    books.trade(0, 1, 10, PRICE)
    engines = (books.sequencer.engine, books.ledger.engine)
    for engine in engines:
        # A number that only a defect could leave behind.
        engine.totals.cash_total = (1 << 63) - 1
    assert books.deposit(1, 5) == [Code.INVARIANT]
    assert books.withdraw(0, 5) == [0]
    assert books.told(1)[-1][0] != LineKind.DEPOSIT
    assert [int(engine.totals.status) for engine in engines] == [1, 1]


# Over random flows.


def wander(books: Books, seed: int, count: int) -> Iterator[None]:
    """Do `count` things by chance, as a busy market does them; what is illegal is rejected."""
    chance = random.Random(seed)

    def pair() -> tuple[int, int]:
        first, second = chance.sample(range(4), 2)
        return first, second

    def trade_now() -> None:
        instrument, (seller, buyer) = chance.randrange(MARKETS), pair()
        at = int(books.state.instruments[instrument].mark_price) + chance.randint(-99, 99) * TICK
        fees = (chance.randint(-200, 500), chance.randint(0, 900))
        books.trade(seller, buyer, chance.randint(1, 70), at // TICK * TICK, instrument, fees)

    def price_moves() -> None:
        books.time_ms += 1_000
        instrument = chance.randrange(MARKETS)
        mark = int(books.state.instruments[instrument].mark_price)
        mark = min(max(mark * chance.randint(80, 125) // 100, 100 * TICK), 1_000 * PRICE)
        books.price(instrument, mark, mark * chance.randint(98, 102) // 100)

    def funding_comes() -> None:
        instrument = chance.randrange(MARKETS)
        books.funding(instrument)
        for market in range(MARKETS):
            mark = int(books.state.instruments[market].mark_price)
            books.price(market, mark, mark)

    doings: list[tuple[int, Callable[[], object]]] = [
        (8, trade_now),
        (4, price_moves),
        (1, funding_comes),
        (1, lambda: books.transfer(*pair(), chance.randint(1, SMALL))),
        (1, lambda: books.withdraw(chance.randrange(4), chance.randint(1, SMALL))),
        (1, lambda: books.deposit(chance.randrange(4), chance.randint(1, SMALL // 4))),
        (4, lambda: books.liquidate(*pair(), chance.randrange(MARKETS))),
    ]
    for _ in range(count):
        chance.choices([do for _, do in doings], [weight for weight, _ in doings])[0]()
        yield


seeds = st.integers(0, 1 << 32)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seeds)
@example(20)
def test_the_lines_of_every_account_are_its_cash_and_its_positions(seed):
    books = opened()
    for _ in wander(books, seed, 80):
        pass
    state = books.state
    totals: dict[LineKind, int] = defaultdict(int)
    for id in range(4):
        account, cash = state.accounts[id], 0
        lots: dict[int, int] = defaultdict(int)
        for line in books.lines(id):
            assert (line.account, line.cash) == (id, cash + line.amount)
            cash += int(line.amount)
            totals[LineKind(int(line.kind))] += int(line.amount)
            if line.kind in (LineKind.FILL, LineKind.LIQUIDATION):
                # The penalty of a liquidation is one for all lots, so its price is a floor.
                assert line.price == -line.amount // line.lots
                assert line.kind != LineKind.FILL or line.amount == -line.lots * line.price
                lots[int(line.instrument)] += int(line.lots)
        assert cash == account.cash
        held = account.positions[: account.position_count]
        assert {k: n for k, n in lots.items() if n} == {
            int(position.instrument): int(position.lots) for position in held
        }
    funds = [int(fund.balance) for fund in state.funds]
    assert totals[LineKind.FEE] == -funds[Fund.FEES]
    insured = totals[LineKind.INSURANCE_FEE] + totals[LineKind.INSURANCE_COVER]
    assert insured == -funds[Fund.INSURANCE]
    pots = sum(int(instrument.pot) for instrument in state.instruments)
    assert totals[LineKind.FUNDING] == -pots - funds[Fund.DUST]
    assert totals[LineKind.FILL] + totals[LineKind.LIQUIDATION] == 0
    assert totals[LineKind.TRANSFER] == 0
    moved = totals[LineKind.DEPOSIT] + totals[LineKind.WITHDRAWAL]
    assert moved == int(books.sequencer.engine.totals.custody)
    assert totals[LineKind.SETTLEMENT] == 0


# Liquidation prices.


def fails(state, row: int, instrument: int, mark: int) -> bool:
    kept = int(state.instruments[instrument].mark_price)
    state.instruments[instrument].mark_price = mark
    margin = margin_of(state, row)
    state.instruments[instrument].mark_price = kept
    return margin.equity < margin.maintenance


def test_the_liquidation_price_is_that_of_the_closed_form():
    books = opened()
    books.trade(0, 1, 30, PRICE, fees=(0, 0))
    # 300 + 30 * (mark - 50) < 0.05 * 30 * mark, so mark < 1200 / 28.5 = 42.10526...
    risk = risk_message(books.state, 1)
    assert [entry.price_micro for entry in risk.liquidation_prices] == [42_105_263]
    assert risk.free_collateral_micro == 300_000_000 - 150_000_000
    assert risk.margin_ratio_ppm == 4_000_000
    # The short has 10^6 quote: 10^6 + 1500 - 30 * mark < 1.5 * mark, so mark > 1001500 / 31.5.
    risk = risk_message(books.state, 0)
    assert [entry.price_micro for entry in risk.liquidation_prices] == [
        1_001_500 * 10**6 * 10 // 315 + 1
    ]


def test_an_account_that_one_market_cannot_fail_has_no_liquidation_price():
    books = opened()
    books.trade(1, 0, 30, PRICE, fees=(0, 0))
    [entry] = risk_message(books.state, 0).liquidation_prices
    assert not entry.HasField("price_micro")
    risk = risk_message(books.state, 3)
    assert not risk.liquidation_prices
    assert not risk.HasField("margin_ratio_ppm")


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seeds)
def test_at_the_liquidation_price_the_law_liquidates_and_one_step_to_safety_not(seed):
    books = opened()
    for _ in wander(books, seed, 40):
        pass
    for row in range(4):
        account = books.state.accounts[row]
        entries = risk_message(books.state, row).liquidation_prices
        for place, entry in enumerate(entries):
            safety = 1 if account.positions[place].lots > 0 else -1
            if entry.HasField("price_micro"):
                assert fails(books.state, row, entry.instrument, entry.price_micro)
                safe = entry.price_micro + safety
                assert safe == 0 or not fails(books.state, row, entry.instrument, safe)
            else:
                far = 1 if safety > 0 else 1 << 45
                assert not fails(books.state, row, entry.instrument, far)


# Over the wire.


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    client = Client(tmp_path_factory.mktemp("node")).fund()
    client.submit(*(trade(k) for k in range(1, 8)), withdraw(1), trade(9, at=PRICE + 1))
    yield client
    client.stop()


def listed(client, **request):
    return client.stub.ListStatement(pb.ListStatementRequest(**request), timeout=SECONDS)


def test_a_statement_ends_with_the_cash_of_the_account(busy):
    cash = busy.stub.GetAccount(pb.GetAccountRequest(id=1)).account.cash_micro
    found = listed(busy, account=1)
    assert (found.opening_cash_micro, found.closing_cash_micro) == (0, cash)
    assert sum(line.amount_micro for line in found.lines) == cash
    assert len(found.lines) == 1 + 2 * 7
    assert [line.sequence for line in found.lines] == sorted(
        (line.sequence for line in found.lines), reverse=True
    )


def test_the_pages_of_a_statement_are_the_statement(busy):
    whole = listed(busy, account=1)
    lines, token, pages = [], "", 0
    while True:
        page = listed(busy, account=1, page_size=4, page_token=token)
        assert len(page.lines) <= 4
        lines += page.lines
        token, pages = page.next_page_token, pages + 1
        if not token:
            break
    assert lines == list(whole.lines)
    assert pages == 4
    assert page.opening_cash_micro == 0


@pytest.mark.parametrize(("first", "last"), [(3, 5), (1, 1), (4, 0), (0, 4), (8, 8), (99, 0)])
def test_a_range_begins_and_ends_with_the_balances_around_it(busy, first, last):
    whole = [line for line in reversed(listed(busy, account=1).lines)]
    inside = [line for line in whole if first <= line.sequence <= (last or 1 << 60)]
    before = [line for line in whole if line.sequence < first]
    found = listed(busy, account=1, from_sequence=first, to_sequence=last)
    assert list(reversed(found.lines)) == inside
    opening = before[-1].cash_micro if before else 0
    assert found.opening_cash_micro == opening
    assert found.closing_cash_micro == opening + sum(line.amount_micro for line in inside)


def test_a_range_of_time_and_kinds_are_kept_to(busy):
    fees = listed(busy, account=1, kinds=[pb.LINE_KIND_FEE])
    assert {line.kind for line in fees.lines} == {pb.LINE_KIND_FEE}
    assert len(fees.lines) == 7
    assert not listed(busy, account=1, to_time_ms=START_MS - 1).lines
    assert len(listed(busy, account=1, from_time_ms=START_MS).lines) == 15


def test_a_statement_asked_for_again_has_what_happened_since(tmp_path):
    client = Client(tmp_path).fund()
    assert len(listed(client, account=0).lines) == 1
    client.submit(trade(1))
    assert len(listed(client, account=0).lines) == 2
    client.stop()
    again = Client(tmp_path)
    assert len(listed(again, account=0).lines) == 2
    again.stop()


@pytest.mark.parametrize(
    ("request_fields", "code", "reason"),
    [
        ({"account": 9}, grpc.StatusCode.NOT_FOUND, "NO_ACCOUNT"),
        ({"page_size": 1001}, grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOO_LARGE"),
        ({"page_token": "x"}, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_PAGE_TOKEN"),
        ({"page_token": "0"}, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_PAGE_TOKEN"),
        ({"page_token": "2"}, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_PAGE_TOKEN"),
        ({"page_token": "999999"}, grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_PAGE_TOKEN"),
    ],
)
def test_a_statement_that_cannot_be_drawn_up_says_why(busy, request_fields, code, reason):
    found, info, _ = refused(
        busy.stub.ListStatement, pb.ListStatementRequest(**request_fields), timeout=SECONDS
    )
    assert (found, info.reason) == (code, reason)


def explained(client, sequence):
    return client.stub.ExplainAction(pb.ExplainActionRequest(sequence=sequence), timeout=SECONDS)


def test_a_rejection_is_explained_long_after_it_was_answered(busy):
    found = explained(busy, 10)
    assert found.action_hash == action_hash(trade(9, at=PRICE + 1))
    assert (found.rejection.name, found.rejection.acceptance) == ("OFF_TICK", "CLR-TRD-008")
    assert found.rejection.operands == {"price_micro": str(PRICE + 1), "tick_micro": str(TICK)}
    applied = explained(busy, 3)
    assert not applied.HasField("rejection")
    assert applied.action_kind == Kind.TRADE
    code, info, _ = refused(
        busy.stub.ExplainAction, pb.ExplainActionRequest(sequence=11), timeout=SECONDS
    )
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "NO_SUCH_ACTION")


def test_an_explanation_has_the_operands_that_the_action_met_and_not_those_of_later(tmp_path):
    now = [START_MS]
    client = Client(tmp_path, clock=lambda: now[0]).fund()
    band = PRICE * 106 // 100 // TICK * TICK
    assert list(client.submit(trade(1), trade(2, at=band), trade(3)).codes) == [
        0, Code.PRICE_BAND, 0,
    ]  # fmt: skip
    now[0] += 1
    client.submit(price(now[0], PRICE * 11 // 10))
    found = explained(client, 3).rejection
    assert (found.name, found.operands["mark_micro"]) == ("PRICE_BAND", str(PRICE))
    assert not explained(client, 2).HasField("rejection")
    client.stop()


def test_the_copy_gives_accounts_that_come_later_a_row_of_their_own():
    books = Books()
    ledger = books.ledger
    rows = ledger.memory.newest.shape[0]
    messages = [
        Inbox(InboxMessage(1, k, k, address_of(KEYS[0]), k, 0, 5 + k)).encode()
        for k in range(rows + 3)
    ]
    for first in range(0, len(messages), 64):
        part = messages[first : first + 64]
        assert set(books.run(*part, inbox=len(part))) == {0}
    assert books.told(rows + 2) == [(LineKind.DEPOSIT, 5 + rows + 2)]
