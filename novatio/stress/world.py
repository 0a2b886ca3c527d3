"""A small market under the real law: actors with keys, signed actions, prices, and an audit.

Everything passes as bytes through decoder, signer recovery and the law's own step, in this process,
and every step is audited from the leaves. Keys and deposits are functions of a seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from clearing import eip712, keys, step
from clearing.codes import Code, Fund, InboxKind, Kind, Side, Status
from clearing.decode import decode, pack, recover_signers
from clearing.forms import FORMS
from clearing.genesis import Genesis, genesis_state
from clearing.keccak import to_bytes
from clearing.messages import (
    NO_ADDRESS,
    Authorisation,
    Inbox,
    InboxMessage,
    Order,
    Price,
    PriceObservation,
    Trade,
)
from clearing.requests import Request
from clearing.units import ACTIONS_PER_STEP, TIME_MAX
from novatio.stress.audit import Audit, Snapshot
from novatio.world import private_key

__all__ = ["MINUTE_MS", "START_MS", "Actor", "World", "publisher_addresses"]

MINUTE_MS: Final = 60_000
START_MS: Final = 1_700_000_000_000
PUBLISHERS: Final = 3
QUORUM: Final = 2
ASSET_PRICES: Final = 1 << 31  # the instrument number whose price is that of an asset
ACCOUNT_ROOM: Final = 256
WITHDRAWAL_ROOM: Final = 1 << 14
WITHDRAWAL_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Actor:
    """Who owns an account: a role, a key, and the account's id."""

    name: str
    key: bytes
    account: int

    @property
    def address(self) -> bytes:
        """The owner's address."""
        return keys.address_of(self.key)


def publisher_addresses(seed: int) -> tuple[bytes, ...]:
    """Return the addresses whose prices count in the world of this seed."""
    return tuple(
        keys.address_of(private_key(seed, "stress publisher", i)) for i in range(PUBLISHERS)
    )


class World:
    """A state of the law, its time, who is in it, and what the audit found so far."""

    def __init__(self, genesis: Genesis, seed: int) -> None:
        """Stand at ``genesis``, whose publishers must be `publisher_addresses(seed)`."""
        self.genesis = genesis
        self.seed = seed
        self.random = np.random.default_rng(seed)
        self.state: Any = genesis_state(genesis, ACCOUNT_ROOM, ACCOUNT_ROOM, WITHDRAWAL_ROOM)
        self.domain = to_bytes(self.totals.domain)
        self.time = genesis.time_ms
        self.actors: list[Actor] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.deposited: Counter[int] = Counter()  # micro-quote by account
        self.steps = 0
        self._sequence = 0
        self._publishers = [private_key(seed, "stress publisher", i) for i in range(QUORUM)]
        self.audit = Audit(self.state)

    # Reading

    @property
    def totals(self) -> Any:
        """The globals record."""
        return self.state.globals[0]

    @property
    def halted(self) -> bool:
        """Whether the law has halted."""
        return int(self.totals.status) != Status.ACTIVE

    @property
    def now(self) -> Snapshot:
        """What the audit saw after the last step."""
        return self.audit.last

    def account(self, actor: Actor | int) -> Any:
        """The record of an actor's account, or of the account of that id."""
        return self.state.accounts[actor if isinstance(actor, int) else actor.account]

    def instrument(self, instrument: int = 0) -> Any:
        """The record of a market."""
        return self.state.instruments[instrument]

    def mark(self, instrument: int = 0) -> int:
        """The mark price of a market in micro-quote per lot."""
        return int(self.state.instruments[instrument].mark_price)

    def lots(self, actor: Actor | int, instrument: int = 0) -> int:
        """The signed lots of an account in a market."""
        id = actor if isinstance(actor, int) else actor.account
        return self.now.lots.get((id, instrument), 0)

    def equity(self, actor: Actor | int) -> int:
        """The equity of an account in micro-quote."""
        return self.now.equity[actor if isinstance(actor, int) else actor.account]

    def is_failing(self, account: int) -> bool:
        """Tell whether an account's equity is below its maintenance margin, or below zero."""
        equity = self.now.equity[account]
        return equity < self.now.maintenance[account] or equity < 0

    def markets_of(self, account: int) -> list[int]:
        """The markets in which an account has positions, the largest value first."""
        held = [(m, lots) for (a, m), lots in self.now.lots.items() if a == account]
        held.sort(key=lambda one: (-abs(one[1]) * self.mark(one[0]), one[0]))
        return [market for market, _ in held]

    def owing(self) -> list[int]:
        """Ids of the accounts with collateral that fail, or that owe cash without positions."""
        rows = self.state.accounts[: self.totals.account_count]
        return [
            id
            for id in np.flatnonzero(rows["collateral_count"]).tolist()
            if self.is_failing(id) or (rows[id].cash < 0 and not rows[id].position_count)
        ]

    def pool_accounts(self, pool: int) -> tuple[int, int]:
        """The account of a pool and that of its sleeve."""
        row = self.state.pools[pool]
        return int(row.account), int(row.sleeve)

    def failing(self) -> list[int]:
        """Ids of the accounts whose equity is below maintenance margin, the deepest first."""
        now = self.now
        ids = filter(self.is_failing, range(len(now.equity)))
        return sorted(ids, key=lambda i: (now.equity[i] - now.maintenance[i], i))

    def withdrawn(self, actors: Sequence[Actor]) -> int:
        """Micro-quote that these actors' accounts have withdrawn so far."""
        ids = {actor.account for actor in actors}
        rows = self.state.withdrawals[: self.totals.withdrawal_count]
        return sum(int(one.amount) for one in rows if one.account in ids and one.asset == 0)

    def profit(self, actors: Sequence[Actor]) -> int:
        """Micro-quote gained by these actors: what left, and what is left, less what came in.

        Nobody pays into an account below zero, so such an account counts as nothing.
        """
        left = sum(max(0, self.equity(actor)) for actor in actors)
        return self.withdrawn(actors) + left - sum(self.deposited[a.account] for a in actors)

    # Running

    def apply(
        self,
        action: Any,
        stage: str = "",
        parties: Sequence[int] = (),
        instruments: Sequence[int] = (),
    ) -> Code:
        """Run a step of one action and audit it; return its outcome.

        ``stage`` names the step of the waterfall that the action belongs to, ``parties`` the
        accounts that it is about: they alone may lose or gain cash without holding one of the
        ``instruments`` (empty: those that the parties hold).
        """
        return self.apply_all([action], stage, parties, instruments)[0]

    def apply_all(
        self,
        actions: Sequence[Any],
        stage: str = "",
        parties: Sequence[int] = (),
        instruments: Sequence[int] = (),
    ) -> list[Code]:
        """Run steps of at most K actions, each audited; return the outcomes."""
        outcomes: list[Code] = []
        for first in range(0, len(actions), ACTIONS_PER_STEP):
            chunk = actions[first : first + ACTIONS_PER_STEP]
            codes = self._step([action.encode() for action in chunk])
            for action, code in zip(chunk, codes, strict=True):
                self.outcomes[_kind_of(action).name, code.name] += 1
                if isinstance(action, Inbox) and code == Code.APPLIED:
                    self.audit.expect_deposit(action.message.asset, action.message.amount)
            self.steps += 1
            self.audit.after_step(stage, parties, instruments)
            outcomes += codes
        return outcomes

    def _step(self, actions: Sequence[bytes]) -> list[Code]:
        blob, offsets = pack(actions)
        columns = decode(blob, offsets, self.totals.domain.copy())
        recover_signers(columns)
        codes = np.zeros(len(actions), np.int64)
        step.transition(self.state, columns, 0, len(actions), self.time, codes)
        return [Code(int(code)) for code in codes]

    def wait(self, milliseconds: int) -> None:
        """Let time pass; the law notices at the next step."""
        self.time += milliseconds

    # Actors

    def actor(self, role: str, deposit_micro: int, index: int = 0) -> Actor:
        """Open an account with a deposit for the role's key in this world."""
        (found,) = self.crowd(role, [deposit_micro], index)
        return found

    def crowd(self, role: str, deposits_micro: Sequence[int], first: int = 0) -> list[Actor]:
        """Open an account for each deposit, owners numbered from ``first``."""
        start = int(self.totals.account_count)
        found = [
            Actor(f"{role}-{first + i}", private_key(self.seed, role, first + i), start + i)
            for i in range(len(deposits_micro))
        ]
        index = int(self.totals.inbox_count)
        messages = [
            self._message(actor, index + i, amount)
            for i, (actor, amount) in enumerate(zip(found, deposits_micro, strict=True))
        ]
        codes = self.apply_all(messages)
        if any(code != Code.APPLIED for code in codes):
            raise RuntimeError(f"{role}: expected every deposit APPLIED, was {codes}")
        for actor, amount in zip(found, deposits_micro, strict=True):
            self.deposited[actor.account] += amount
        self.actors += found
        return found

    def deposit(self, actor: Actor, amount: int, asset: int = 0) -> Code:
        """Deposit micro-quote, or units of a collateral asset, into an actor's account."""
        code = self.apply(self._message(actor, int(self.totals.inbox_count), amount, asset))
        if asset == 0 and code == Code.APPLIED:
            self.deposited[actor.account] += amount
        return code

    def _message(self, actor: Actor, index: int, amount: int, asset: int = 0) -> Inbox:
        kind = InboxKind.DEPOSIT
        return Inbox(InboxMessage(kind, index, actor.account, actor.address, 0, asset, amount))

    def endow(self, fund: Fund, amount: int) -> None:
        """Begin with money in a fund, as if fees of an earlier time had filled it."""
        self.state.funds[fund].balance += amount
        self.totals.custody += amount
        self.audit.expect_deposit(0, amount)
        self.audit.look()

    # Actions

    def next_sequence(self) -> int:
        """A sequence above all used so far."""
        self._sequence += 1
        return self._sequence

    def request(
        self, kind: Kind, *signers: bytes, payload: Sequence[int] = (), **values: int
    ) -> Request:
        """An action of a form, signed by these keys; sequence and expiry are filled in."""
        names = [field.name for field in FORMS[kind].fields]
        if "sequence" in names:
            values.setdefault("sequence", self.next_sequence())
        if "expiry" in names:
            values.setdefault("expiry", TIME_MAX)
        action = Request.of(kind, payload=payload, signatures=(), **values)
        digest = eip712.digest(self.domain, action.struct_hash())
        return replace(action, signatures=tuple(keys.sign(key, digest) for key in signers))

    def published(self, kind: Kind, payload: Sequence[int] = (), **values: int) -> Request:
        """An action of a form, signed by a quorum of the publishers."""
        return self.request(kind, *self._publishers, payload=payload, **values)

    def trade(
        self, buyer: Actor, seller: Actor, lots: int, price: int = 0, instrument: int = 0
    ) -> Code:
        """Let two actors trade at a price (0: the mark, down to the tick); return the outcome."""
        tick = int(self.instrument(instrument).tick)
        price = price or self.mark(instrument) // tick * tick
        bare = Trade(
            instrument,
            lots,
            price,
            0,
            0,
            NO_ADDRESS,
            Side.BUY,
            self._order(buyer, lots, price),
            self._order(seller, lots, price),
        )
        return self.apply(
            replace(
                bare,
                maker_authorisation=self._authorise(buyer, bare.maker_struct_hash()),
                taker_authorisation=self._authorise(seller, bare.taker_struct_hash()),
            )
        )

    def _order(self, actor: Actor, lots: int, price: int) -> Order:
        return Order(actor.account, lots, price, 0, self.next_sequence(), TIME_MAX, 0, 0)

    def _authorise(self, actor: Actor, struct_hash: bytes) -> Authorisation:
        return Authorisation(keys.sign(actor.key, eip712.digest(self.domain, struct_hash)))

    def price(self, mark: int, instrument: int = 0, index: int = 0) -> Code:
        """Publish a mark (and index, if it differs) that a quorum agrees on."""
        bare = PriceObservation(index or mark, mark, self.time)
        digest = eip712.digest(self.domain, bare.struct_hash(instrument))
        return self.apply(
            Price(
                instrument,
                tuple(replace(bare, signature=keys.sign(key, digest)) for key in self._publishers),
            )
        )

    def asset_price(self, asset: int, price: int) -> Code:
        """Publish the price of a collateral asset in micro-quote per 10^6 units."""
        return self.price(price, ASSET_PRICES + asset)

    def withdrawal(self, actor: Actor, amount: int, asset: int = 0) -> Request:
        """A signed demand for cash, or for units of an asset, to leave."""
        return self.request(
            Kind.WITHDRAW, actor.key, account=actor.account, asset=asset, amount=amount
        )

    def transfer(self, sender: Actor, recipient: Actor, amount: int) -> Code:
        """Move cash between two accounts."""
        return self.apply(
            self.request(
                Kind.TRANSFER,
                sender.key,
                sender=sender.account,
                recipient=recipient.account,
                asset=0,
                amount=amount,
            )
        )

    def withdraw_most(self, actors: Sequence[Actor]) -> None:
        """Let each actor take out all that its margin leaves free, halving what is refused."""
        now = self.now
        wanted = {a: now.equity[a.account] - now.initial[a.account] for a in actors}
        for _ in range(WITHDRAWAL_TRIES):
            wanted = {actor: amount for actor, amount in wanted.items() if amount > 0}
            codes = self.apply_all([self.withdrawal(*one) for one in wanted.items()])
            wanted = {
                actor: amount // 2
                for (actor, amount), code in zip(wanted.items(), codes, strict=True)
                if code != Code.APPLIED
            }

    def uniform(self, low: int, high: int) -> int:
        """A whole number of low .. high from the world's seed."""
        return int(self.random.integers(low, high + 1))


def _kind_of(action: Any) -> Kind:
    if isinstance(action, Request):
        return action.kind
    return {Inbox: Kind.INBOX, Trade: Kind.TRADE, Price: Kind.PRICE}[type(action)]
