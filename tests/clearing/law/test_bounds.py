"""Bounds: the largest legal value of every field is judged, one beyond it is malformed.

Nothing that a user can write down, signed by whom it should be, may wrap a number or halt the law.
"""

import random

import numpy as np
import pytest

from clearing import step
from clearing._backend import INTERPRETED
from clearing.actions.price import ASSET_PRICES
from clearing.codes import Code, InboxKind, Kind, Side, Status
from clearing.genesis import GenesisAsset, GenesisInstrument, GenesisTier
from clearing.units import (
    ALL_SLOTS,
    AMOUNT_MAX,
    LOTS_MAX,
    PPM,
    PRICE_MAX,
    SEQUENCE_MAX,
    TIME_MAX,
    VALUE_MAX,
)
from tests.clearing.law import forging
from tests.support.world import DEPOSIT, MARK, NEVER_MS, World, address_of

ID_MAX = 1 << 62
U32_MAX = (1 << 32) - 1
BOUNDS = {
    "account": (0, ID_MAX),
    "sender": (0, ID_MAX),
    "recipient": (0, ID_MAX),
    "keeper": (0, ID_MAX),
    "index": (0, ID_MAX),
    "message": (0, 255),
    "instrument": (0, U32_MAX),
    "asset": (0, U32_MAX),
    "subaccount": (0, U32_MAX),
    "amount": (1, AMOUNT_MAX),
    "lots": (1, LOTS_MAX),
    "price": (1, PRICE_MAX),
    "limit_price": (1, PRICE_MAX),
    "index_price": (1, PRICE_MAX),
    "mark_price": (1, PRICE_MAX),
    "maker_fee": (-PPM, PPM),
    "taker_fee": (-PPM, PPM),
    "max_fee": (0, PPM),
    "slot": (0, 255),
    "sequence": (1, SEQUENCE_MAX),
    "expiry": (0, TIME_MAX),
    "time": (0, TIME_MAX),
    "flags": (0, 255),
}
WIDTHS = {
    "B": (0, 255),
    "H": (0, (1 << 16) - 1),
    "I": (0, U32_MAX),
    "Q": (0, (1 << 64) - 1),
    "i": (-(1 << 31), (1 << 31) - 1),
}

ALICE, BOB, FAR = 0, 1, NEVER_MS
ORDER = (ALICE, 10, MARK, 3, 7, FAR, 1_000, 0)
OTHER = (BOB, 10, MARK, 3, 7, FAR, 1_000, 0)
TERMS = (0, 1, MARK, 0, 0)
SEEN = (MARK, MARK, FAR // 2 + 2_000)
REQUESTS = {
    Kind.WITHDRAW: (ALICE, 0, 5, 7, FAR),
    Kind.TRANSFER: (ALICE, BOB, 0, 5, 7, FAR),
    Kind.CONVERT: (ALICE, BOB, 1, 5, 7, FAR),
    Kind.CANCEL: (ALICE, 3, 7),
    Kind.LIQUIDATE: (ALICE, BOB, 0, 5, 7, FAR),
}


def put(values, place, value):
    return (*values[:place], value, *values[place + 1 :])


def cases():
    """(name, field, its format, the action of any value) of every field of every kind."""
    for kind, values in REQUESTS.items():
        for i, (field, width) in enumerate(forging.REQUESTS[kind].items()):
            yield (
                kind.name,
                field,
                width,
                lambda v, kind=kind, values=values, i=i: forging.request(kind, *put(values, i, v)),
            )
    for i, (field, width) in enumerate(forging.TERMS.items()):
        yield (
            "TRADE",
            field,
            width,
            lambda v, i=i: forging.trade(put(TERMS, i, v), 1, ORDER, OTHER),
        )
    for i, (field, width) in enumerate(forging.ORDER.items()):
        yield (
            "MAKER",
            field,
            width,
            lambda v, i=i: forging.trade(TERMS, 1, put(ORDER, i, v), OTHER),
        )
        yield (
            "TAKER",
            field,
            width,
            lambda v, i=i: forging.trade(TERMS, 1, ORDER, put(OTHER, i, v)),
        )
    for i, (field, width) in enumerate(forging.OBSERVATION.items()):
        yield (
            "PRICE",
            field,
            width,
            lambda v, i=i: forging.price(0, [put(SEEN, i, v), SEEN, SEEN]),
        )
    message = (1, 2, 0, address_of("alice"), 0, 0, 5)
    fields = forging.INBOX_HEAD | {"owner": ""} | forging.INBOX_TAIL
    for i, (field, width) in enumerate(fields.items()):
        if width:
            yield "INBOX", field, width, lambda v, i=i: forging.inbox(*put(message, i, v))


def edges():
    """(name, action, value, whether it is legal) at and beyond the bounds of every field."""
    for name, field, width, build in cases():
        low, high = BOUNDS[field]
        least, most = WIDTHS[width]
        beyond = {low - 1, high + 1, least, most, 1 << 63} - {low, high}
        for value in sorted(v for v in {low, high, *beyond} if least <= v <= most):
            legal = low <= value <= high or (
                name == "CANCEL" and field == "slot" and value == ALL_SLOTS
            )
            yield pytest.param(build, value, legal, id=f"{name}-{field}-{value}")


def judge(world, actions, time=None):
    """Codes of a step of actions, each signed by whom it should be."""
    columns = forging.columns_signed_by_all(world.state, actions)
    codes = np.zeros(len(actions), np.int64)
    step.transition(world.state, columns, 0, len(actions), time or world.time, codes)
    world.check_conservation()
    return [Code(int(code)) for code in codes]


@pytest.mark.parametrize(("build", "value", "legal"), list(edges()))
def test_a_field_is_judged_within_its_bound_and_malformed_beyond_clr_act_001(build, value, legal):
    world = World()
    world.trader("alice")
    world.trader("bob")
    world.wait(1_000)
    (code,) = judge(world, [build(value)])
    assert (code != Code.MALFORMED) is legal
    assert code != Code.INVARIANT
    assert world.totals.status == Status.ACTIVE


@pytest.mark.parametrize("side", [0, 3, 255])
def test_a_side_is_buy_or_sell_clr_act_001(side):
    world = World()
    assert judge(world, [forging.trade(TERMS, side, ORDER, OTHER)]) == [Code.MALFORMED]


def test_the_bytes_that_are_spelled_out_here_are_legal_actions():
    world = World()
    world.trader("alice")
    world.trader("bob")
    world.wait(2_000)
    message = (1, 2, 0, address_of("alice"), 0, 0, 5)
    assert (
        judge(
            world,
            [
                forging.trade(TERMS, Side.BUY, ORDER, OTHER),
                forging.request(Kind.WITHDRAW, *REQUESTS[Kind.WITHDRAW]),
                forging.request(Kind.TRANSFER, *put(REQUESTS[Kind.TRANSFER], 4, 8)),
                forging.request(Kind.CANCEL, *REQUESTS[Kind.CANCEL]),
                forging.price(0, [SEEN] * 3),
                forging.inbox(*message),
            ],
        )
        == [Code.APPLIED] * 6
    )


@pytest.mark.parametrize("mark", [1, 1 << 24, 1 << 48])
def test_the_largest_trade_at_the_largest_fees_is_exact(mark):
    lots = min(LOTS_MAX, VALUE_MAX // mark)
    world = whale_world(mark)
    rich = AMOUNT_MAX
    alice, bob = world.trader("alice", rich), world.trader("bob", rich)
    price = min(2 * mark, PRICE_MAX)
    maker = (ALICE, LOTS_MAX, PRICE_MAX, 255, SEQUENCE_MAX, TIME_MAX, PPM, 0)
    taker = (BOB, LOTS_MAX, 1, 255, SEQUENCE_MAX, TIME_MAX, PPM, 0)
    action = forging.trade((0, lots, price, PPM, PPM), Side.BUY, maker, taker)
    assert judge(world, [action]) == [Code.APPLIED]
    value = lots * price
    assert world.account(alice).cash == rich - 2 * value
    assert world.account(bob).cash == rich
    assert world.fund(2) == 2 * value


def whale_world(*marks, **changes):
    """Markets and assets without caps of their own, at any marks, with the widest band and jump."""
    market = GenesisInstrument("X", 0, 1, 1, LOTS_MAX, LOTS_MAX)
    return World(
        prices=marks,
        instruments=(market,) * len(marks),
        tiers=(GenesisTier(20_000, 16_000, 1 << 60, 1 << 61),),
        price_band_ppm=PPM,
        price_jump_ppm=PPM,
        assets=(GenesisAsset(10_000, 0, 1 << 60, 1 << 60), GenesisAsset(100_000, 0, 10**9, 10**6)),
        **changes,
    )


class Fuzz:
    """A seeded stream of actions that keep to the bounds' edges and to what is just legal."""

    MARKS = (1, 1 << 20, 1 << 48)
    ASSET_PRICE = 1 << 20
    NAMES = tuple(f"whale {i}" for i in range(6))

    def __init__(self, seed):
        self.random = random.Random(seed)
        forever = (1 << 40) - 1
        self.world = whale_world(
            *self.MARKS,
            rooms=(8, 512, 100_000),
            price_stale_open_ms=forever,
            price_stale_margin_ms=forever,
            auction_fast_ms=1_000_000,
            gate_minimum=1 << 40,
            gate_ppm=1_000,
        )
        for asset in (1, 2):
            self.world.price_asset(asset, self.ASSET_PRICE)
        self.marks = list(self.MARKS)
        self.sequence = 1
        for i, name in enumerate(self.NAMES):
            # The first two are as rich as the law allows, the next as a person may be.
            self.world.trader(name, [AMOUNT_MAX, AMOUNT_MAX - 9, 1 << 52, 1 << 50, DEPOSIT, 1][i])

    def some(self, *edge_values, low, high):
        """One of some values, or a number of any size, within bounds."""
        value = self.random.choice(
            [*edge_values, self.random.randint(low, high), 1 << self.random.randint(0, 62)]
        )
        return min(high, max(low, value))

    def account(self):
        if self.random.random() < 0.01:
            return self.random.choice([6, 4_000, ID_MAX])
        return self.random.randrange(len(self.NAMES))

    def next_sequence(self):
        self.sequence += 1
        return SEQUENCE_MAX if self.random.random() < 0.0005 else self.sequence

    def held(self, account, instrument):
        """What an account holds, for actions that close exactly."""
        if account >= len(self.NAMES):
            return 1
        row = self.world.state.accounts[account]
        for place in range(row.position_count):
            if row.positions[place].instrument == instrument:
                return abs(int(row.positions[place].lots))
        return 1

    def trade(self):
        maker, taker = self.account(), self.account()
        if maker == taker and self.random.random() < 0.9:
            taker = (maker + 1) % len(self.NAMES)
        instrument = self.random.randrange(3)
        mark = self.marks[instrument]
        most = max(1, min(LOTS_MAX, VALUE_MAX // mark))
        held = self.held(self.random.choice([maker, taker]), instrument)
        lots = self.some(1, most, most // 2, held, held + 1, low=1, high=LOTS_MAX)
        price = self.some(mark, mark, mark - mark // 50, 2 * mark, low=1, high=PRICE_MAX)
        fees = self.random.choices(
            [(0, 0), (-5, 450), (PPM, PPM), (-PPM, PPM), (-PPM, 0)], [60, 30, 1, 1, 1]
        )[0]
        flags = self.random.choices([0, 1, 2, 3, 255], [99, 4, 2, 1, 1], k=2)
        orders = [
            (
                account,
                self.some(LOTS_MAX, lots, low=1, high=LOTS_MAX),
                limit,
                self.random.choice([0, 15, 16, 255, self.random.randrange(256)]),
                self.next_sequence(),
                TIME_MAX,
                PPM,
                flag,
            )
            for account, limit, flag in zip((maker, taker), (PRICE_MAX, 1), flags, strict=True)
        ]
        return forging.trade((instrument, lots, price, *fees), Side.BUY, *orders)

    def amount(self):
        account = self.random.randrange(len(self.NAMES))
        cash = abs(int(self.world.state.accounts[account].cash))
        return self.some(1, AMOUNT_MAX, cash, cash // 2, cash + 1, low=1, high=AMOUNT_MAX)

    def asset(self):
        return self.random.choices([0, 1, 2, 3], [8, 4, 4, 1])[0]

    def convert(self):
        accounts = self.account(), self.account()
        values = (*accounts, self.asset(), self.amount(), self.next_sequence(), TIME_MAX)
        return forging.request(Kind.CONVERT, *values)

    def asset_price(self):
        price = self.random.randint(self.ASSET_PRICE >> 6, self.ASSET_PRICE << 6)
        asset = ASSET_PRICES + self.random.randrange(1, 4)
        return forging.price(asset, [(price, price, self.world.time)] * 3)

    def withdraw(self):
        values = (self.account(), self.asset(), self.amount(), self.next_sequence(), TIME_MAX)
        return forging.request(Kind.WITHDRAW, *values)

    def transfer(self):
        accounts = self.account(), self.account()
        values = (*accounts, self.asset(), self.amount(), self.next_sequence(), TIME_MAX)
        return forging.request(Kind.TRANSFER, *values)

    def cancel(self):
        slot = self.random.choice([0, 15, 16, 255, ALL_SLOTS])
        sequence = self.random.choice([1, self.sequence, max(1, self.sequence - 99)])
        return forging.request(Kind.CANCEL, self.account(), slot, sequence)

    def liquidate(self):
        instrument, failing = self.random.randrange(3), self.account()
        lots = self.some(1, LOTS_MAX, self.held(failing, instrument), low=1, high=LOTS_MAX)
        values = (self.account(), failing, instrument, lots, self.next_sequence(), TIME_MAX)
        return forging.request(Kind.LIQUIDATE, *values)

    def price(self):
        instrument = self.random.randrange(3)
        last, first = self.marks[instrument], self.MARKS[instrument]
        # Within 2^8 of where risk was opened: that is how far the law's head-room reaches.
        low, high = max(1, first >> 7), min(PRICE_MAX, first << 7)
        mark = self.some(last - last // 3, last + last // 3, 2 * last, last + 1, low=low, high=high)
        mark = min(mark, 2 * last)
        self.marks[instrument] = mark
        index = self.random.choice([mark, max(1, mark - mark // 9), last])
        return forging.price(instrument, [(index, mark, self.world.time)] * 3)

    def funding(self):
        return bytes([Kind.FUNDING]) + self.random.randrange(4).to_bytes(4, "big")

    def deposit(self):
        totals = self.world.totals
        account = self.random.randrange(len(self.NAMES))
        message = self.random.choice([1, 1, 1, 2, 3, 4, 6, 6, 9])
        owner = address_of(self.NAMES[account])
        index = int(totals.inbox_count)
        other = self.random.randrange(len(self.NAMES)) if message == InboxKind.LIQUIDATE else 0
        amount = self.sequence if message == InboxKind.CANCEL_ALL else self.amount()
        return forging.inbox(message, index, account, owner, other, self.asset(), amount)

    def step(self):
        """Judge up to eight random actions; return their codes."""
        kinds = [
            self.trade,
            self.withdraw,
            self.transfer,
            self.cancel,
            self.liquidate,
            self.convert,
        ]
        chosen = self.random.choices(kinds, [60, 3, 6, 2, 14, 3], k=7)
        actions = [build() for build in chosen]
        rare = self.random.choice(
            [self.price, self.price, self.funding, self.deposit, self.deposit, self.asset_price]
        )
        self.world.wait(self.random.choice([1, 1_000, 40_000, 900_000]))
        actions.insert(0, rare())
        codes = judge(self.world, actions)
        self.marks = self.world.state.instruments["mark_price"].tolist()
        return codes


@pytest.mark.parametrize("seed", range(4))
def test_no_user_halts_the_law_whatever_legal_numbers_they_sign(seed):
    fuzz = Fuzz(seed)
    seen = set()
    for _ in range(40 if INTERPRETED else 3_000):
        codes = fuzz.step()
        assert Code.INVARIANT not in codes
        seen |= set(codes)
    assert fuzz.world.totals.status == Status.ACTIVE
    assert seen > {Code.APPLIED, Code.MARGIN, Code.POSITION_CAP}
