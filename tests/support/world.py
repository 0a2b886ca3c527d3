"""A small world for the law: three markets, five publishers, traders with keys, signed actions.

    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob, lots=3)) == Code.APPLIED

Every `apply` goes through bytes, decoder, recovery and the compiled step, and then checks what must
hold after any action whatsoever: value and lots are conserved, a rejection changed nothing, and the
court comes to the same state from the step's witness alone.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from clearing import keys, step
from clearing.codes import Code, Kind, Side
from clearing.decode import decode, pack, recover_signers
from clearing.eip712 import digest as eip712_digest
from clearing.forms import FORMS, OWNER
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier, genesis_state
from clearing.keccak import keccak256, to_bytes
from clearing.messages import (
    NO_ADDRESS,
    Authorisation,
    Cancel,
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
)
from clearing.requests import Request
from clearing.units import ALL_SLOTS, LOTS_MAX, SHARES_BASE
from tests.support.court import Witness

START_MS = 1_700_000_000_000
NEVER_MS = START_MS * 2
MARK = 50_000_000
DEPOSIT = 1_000_000_000
# Parts of the state that a rejection, the clock and the count of actions aside, may not touch.
LASTING = (
    "params",
    "accounts",
    "instruments",
    "funds",
    "pages",
    "withdrawals",
    "underlyings",
    "assets",
    "pools",
)
BOOKKEEPING = ("clock", "sequenced_count", "sequenced_accumulator")


@cache
def key_of(name):
    """The private key of whoever has this name."""
    return keccak256(name.encode())


@cache
def address_of(name):
    """The address of whoever has this name."""
    return keys.address_of(key_of(name))


PUBLISHERS = tuple(f"publisher {i}" for i in range(5))
QUORUM = 3
MARKETS = (
    GenesisInstrument("BTC-PERP", 0, 10, 1_000_000, LOTS_MAX, LOTS_MAX),
    GenesisInstrument("ETH-PERP", 1, 10, 1_000_000, LOTS_MAX, LOTS_MAX),
    GenesisInstrument("TAIL-PERP", 2, 10, 1_000_000, 100, 100),
)
TIERS = (
    GenesisTier(50_000, 30_000, 1 << 60, 1 << 61),
    GenesisTier(100_000, 50_000, 1 << 60, 1 << 61),
    GenesisTier(200_000, 100_000, 10 * MARK, 30 * MARK),
)


def genesis(**changes):
    """The declared beginning of the world; `changes` are fields of Genesis."""
    return replace(
        Genesis(
            chain_id=31_337,
            settlement=bytes(range(1, 21)),
            time_ms=START_MS,
            publishers=tuple(address_of(name) for name in PUBLISHERS),
            price_quorum=QUORUM,
            tiers=TIERS,
            instruments=MARKETS,
        ),
        **changes,
    )


@dataclass(frozen=True)
class Trader:
    """Who owns an account, and the account."""

    name: str
    account: int

    @property
    def key(self):
        return key_of(self.name)

    @property
    def address(self):
        return address_of(self.name)


class World:
    """A state, the time, and the actors' next sequences."""

    recorder: Any = None  # while one records the steps of all worlds: tests/support/recorder.py

    def __init__(self, prices=(MARK, MARK, MARK), rooms=(48, 96, 64), **changes):
        self.genesis = genesis(**changes)
        accounts, pages, withdrawals = rooms
        self.state: Any = genesis_state(self.genesis, accounts, pages, withdrawals)
        self.domain = to_bytes(self.totals.domain)
        self.time = START_MS
        self.sequence = 0
        for instrument, mark in enumerate(prices):
            if mark:
                assert self.apply(self.price(instrument, mark)) == Code.APPLIED

    @property
    def totals(self):
        return self.state.globals[0]

    @property
    def params(self):
        return self.state.params[0]

    def account(self, trader):
        return self.state.accounts[trader.account]

    def instrument(self, instrument=0):
        return self.state.instruments[instrument]

    def fund(self, fund):
        return int(self.state.funds[fund].balance)

    def lots(self, trader, instrument=0):
        row = self.account(trader)
        held = {int(p.instrument): int(p.lots) for p in row.positions[: row.position_count]}
        return held.get(instrument, 0)

    def slot(self, trader, slot):
        """(sequence, filled) of an order slot, zeros if its page does not exist."""
        row = self.account(trader)
        if not row.page_mask >> (slot // 16) & 1:
            return 0, 0
        found = self.state.pages[row.page_rows[slot // 16]].slots[slot % 16]
        return int(found.sequence), int(found.filled)

    def endow(self, fund, amount):
        """Put money into a fund, as if it had always been there."""
        self.state.funds[fund].balance += amount
        self.totals.custody += amount

    def next_sequence(self):
        self.sequence += 1
        return self.sequence

    # Running

    def columns(self, actions):
        """Decode actions (objects or bytes) and recover their signers."""
        blob, offsets = pack([a if isinstance(a, bytes) else a.encode() for a in actions])
        columns = decode(blob, offsets, self.totals.domain.copy())
        recover_signers(columns)
        return columns

    def judge(self, actions):
        """Run one step over `actions`; return their codes."""
        columns = self.columns(actions)
        codes = np.zeros(len(actions), np.int64)
        witness = Witness(self.state, columns)
        before = self.recorder.before(self) if self.recorder else None
        step.transition(self.state, columns, 0, len(actions), self.time, codes)
        witness.judge(self.time)
        self.check_used_up(columns, codes)
        outcomes = [Code(int(code)) for code in codes]
        if self.recorder:
            encoded = [a if isinstance(a, bytes) else a.encode() for a in actions]
            self.recorder.after(self, before, encoded, outcomes)
        return outcomes

    def step(self, actions):
        """Run one step over `actions` and check conservation; return their codes."""
        codes = self.judge(actions)
        self.check_conservation()
        return codes

    def starved_step(self, action):
        """Run one step that has no budget left for `action`."""
        columns = self.columns([action])
        codes = np.zeros(1, np.int64)
        step.open_step(self.state, self.time)
        scratch = self.state.scratch[0]
        scratch.words_left = scratch.cells_left = scratch.recoveries_left = 0
        step.run_actions(
            self.state,
            columns.actions,
            columns.observations,
            columns.payload,
            columns.signers,
            0,
            1,
            codes,
        )
        step.close_step(self.state, columns.actions, 0, 1)
        return [Code(int(codes[0]))]

    def apply(self, action, starved=False):
        """Run one step over one action; check that a rejection changed nothing. Return its code."""
        before = self.image()
        (code,) = self.starved_step(action) if starved else self.step([action])
        if code not in (Code.APPLIED, Code.INVARIANT):
            assert self.image() == before, f"{code.name} changed the state"
        return code

    def wait(self, milliseconds):
        """Let time pass; the law notices at the next step."""
        self.time += milliseconds

    # What must hold

    def image(self):
        """The lasting bytes of the state."""
        totals = self.state.globals.copy()
        for name in BOOKKEEPING:
            totals[name] = 0
        rows = (getattr(self.state, name).tobytes() for name in LASTING)
        return b"".join((totals.tobytes(), *rows))

    def check_used_up(self, columns, codes):
        """Whatever was signed and applied used its number up: nobody can bring it a second time."""
        for action, code in zip(columns.actions, codes, strict=False):
            if code != Code.APPLIED:
                continue
            form = FORMS.get(Kind(int(action.kind)))
            # A cancel raises an order's floor or slot, and may come as often as anybody likes.
            if form is None or form.kind == Kind.CANCEL:
                continue
            if form.signed_by != OWNER or not form.names("sequence"):
                continue
            by_account = form.names("account")
            last = (
                self.state.accounts[action.account].request_sequence
                if by_account
                else self.totals.governance_sequence
            )
            assert last >= action.sequence, f"{form.name} may be brought again"

    def check_conservation(self):
        """Recompute the totals from every leaf: cash, pots, funds, custody, lots, open interest."""
        accounts = self.state.accounts[: self.totals.account_count]
        instruments = self.state.instruments[: self.totals.instrument_count]
        cash, pots = sum(accounts["cash"].tolist()), sum(instruments["pot"].tolist())
        funds = self.state.funds["balance"].tolist()
        assert cash == self.totals.cash_total
        assert pots == self.totals.pot_total
        assert cash + pots + sum(funds) == self.totals.custody
        assert min(funds) >= 0
        for asset in self.state.assets[1 : self.totals.asset_count]:
            held = sum(
                int(one.amount)
                for account in accounts
                for one in account.collaterals[: account.collateral_count]
                if one.asset == asset.id
            )
            assert held == asset.held == asset.custody
        for pool in self.state.pools[: self.totals.pool_count]:
            assert pool.impact_pot >= 0
            assert pool.shares == sum(
                int(one.amount)
                for account in accounts
                for one in account.collaterals[: account.collateral_count]
                if one.asset == SHARES_BASE + pool.id
            )
        for instrument in instruments:
            held = accounts["positions"]["lots"]
            in_use = np.arange(held.shape[1]) < accounts["position_count"][:, None]
            mine = in_use & (accounts["positions"]["instrument"] == instrument.id)
            lots = held[mine].tolist()
            # What settlement closed waits for its other side.
            assert sum(lots) + int(instrument.settled_lots) == 0
            assert sum(max(0, each) for each in lots) == instrument.open_interest
            assert all(lots)

    # Actors and their actions

    def trader(self, name, amount=DEPOSIT, subaccount=0):
        """Open an account for `name` with a deposit."""
        trader = Trader(name, int(self.totals.account_count))
        assert self.apply(self.deposit(trader, amount, subaccount)) == Code.APPLIED
        return trader

    def deposit(self, trader, amount, subaccount=0, **changes):
        message = InboxMessage(
            1, int(self.totals.inbox_count), trader.account, trader.address, subaccount, 0, amount
        )
        return Inbox(replace(message, **changes))

    def forced(self, kind, trader, amount=1, asset=0, other=0, **changes):
        """A message that the base layer forces in for a trader; `other` is the failing account."""
        return self.deposit(trader, amount, other, kind=kind, asset=asset, **changes)

    def forced_price(self, price, sender="anyone"):
        """A price action's observations, forced in by somebody who needs no account."""
        count, views = len(price.observations), price.observations
        index = int(self.totals.inbox_count)
        owner = keys.address_of(key_of(sender))
        return Inbox(InboxMessage(5, index, 0, owner, 0, price.instrument, count, views))

    def price_asset(self, asset, price):
        """Let a collateral asset have a price now, stable too, as if it had always been so."""
        row = self.state.assets[asset]
        row.price = row.stable_price = price
        row.price_time = self.time

    def units(self, trader, asset):
        """Units of a collateral asset that a trader holds."""
        row = self.account(trader)
        held = {int(c.asset): int(c.amount) for c in row.collaterals[: row.collateral_count]}
        return held.get(asset, 0)

    def order(self, trader, **changes):
        """An order that agrees to anything, once."""
        order = Order(trader.account, LOTS_MAX, MARK, 0, self.next_sequence(), NEVER_MS, 1_000, 0)
        return replace(order, **changes)

    def trade(self, maker, taker, /, lots=1, price=MARK, side=Side.BUY, instrument=0, **changes):
        """A signed trade in which `maker` stands on `side`; `changes` are fields of Trade."""
        maker_order = self.order(maker, limit_price=price)
        taker_order = self.order(taker, limit_price=price)
        trade = Trade(instrument, lots, price, 0, 0, NO_ADDRESS, side, maker_order, taker_order)
        return self.sign_trade(replace(trade, **changes), maker.key, taker.key)

    def sign_trade(self, trade, maker_key, taker_key, venue_key=None):
        """Put the signatures of both owners, and of the venue if a key is given, to a trade."""

        def authorise(key, struct_hash):
            return Authorisation(keys.sign(key, eip712_digest(self.domain, struct_hash)))

        return replace(
            trade,
            maker_authorisation=authorise(maker_key, trade.maker_struct_hash()),
            taker_authorisation=authorise(taker_key, trade.taker_struct_hash()),
            venue_authorisation=(
                authorise(venue_key, trade.struct_hash()) if venue_key is not None else None
            ),
        )

    def sign(self, request, key):
        """Put an owner's signature to a request."""
        return replace(
            request, signature=keys.sign(key, eip712_digest(self.domain, request.struct_hash()))
        )

    def request(self, kind, *signers, payload=(), **values):
        """An action of a form, signed by these keys; `sequence` and `expiry` are filled in."""
        names = [field.name for field in FORMS[kind].fields]
        if "sequence" in names:
            values.setdefault("sequence", self.next_sequence())
        if "expiry" in names:
            values.setdefault("expiry", NEVER_MS)
        action = Request.of(kind, payload=payload, signatures=(), **values)
        signed = eip712_digest(self.domain, action.struct_hash())
        return replace(action, signatures=tuple(keys.sign(key, signed) for key in signers))

    def published(self, kind, payload=(), publishers=PUBLISHERS[:QUORUM], **values):
        """An action of a form, signed by publishers."""
        return self.request(kind, *map(key_of, publishers), payload=payload, **values)

    def withdraw(self, trader, amount, **changes):
        request = Withdraw(trader.account, 0, amount, self.next_sequence(), NEVER_MS)
        return self.sign(replace(request, **changes), trader.key)

    def transfer(self, sender, recipient, amount, **changes):
        request = Transfer(
            sender.account, recipient.account, 0, amount, self.next_sequence(), NEVER_MS
        )
        return self.sign(replace(request, **changes), sender.key)

    def cancel(self, trader, sequence, slot=ALL_SLOTS):
        return self.sign(Cancel(trader.account, slot, sequence), trader.key)

    def liquidate(self, keeper, failing, lots=LOTS_MAX, instrument=0, **changes):
        request = Liquidate(
            keeper.account, failing.account, instrument, lots, self.next_sequence(), NEVER_MS
        )
        return self.sign(replace(request, **changes), keeper.key)

    def observe(self, publisher, instrument, mark, index=None, time=None):
        """One publisher's signed observation."""
        observation = PriceObservation(
            mark if index is None else index, mark, self.time if time is None else time
        )
        signed = eip712_digest(self.domain, observation.struct_hash(instrument))
        return replace(observation, signature=keys.sign(key_of(publisher), signed))

    def price(self, instrument, mark, index=None, time=None, publishers=PUBLISHERS[:QUORUM]):
        """A price on which a quorum agrees."""
        return Price(
            instrument,
            tuple(self.observe(name, instrument, mark, index, time) for name in publishers),
        )

    def move_price(self, mark, instrument=0, index=None):
        """Let a second pass and the publishers agree on another price."""
        self.wait(1_000)
        assert self.apply(self.price(instrument, mark, index)) == Code.APPLIED

    def funding(self, instrument=0):
        return Funding(instrument)
