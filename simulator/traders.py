"""Traders: they deposit, trade, move and withdraw money, and try what they should not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from clearing.messages import Cancel, Funding, Transfer, Withdraw
from clearing.units import ALL_SLOTS
from simulator.client import Client
from simulator.market import (
    FAR_MS,
    GAMBLERS,
    GOLD,
    GOLD_UNITS,
    GUESTS,
    KEEPER,
    START_MS,
    TRADERS,
    WHALE_CASH,
    WHALES,
    Member,
    address,
    on_tick,
    order_of,
    signed,
    trade,
)
from verifier.base.transactions import Deposit
from verifier.errors import Refused

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 150
DEPOSITS = (10**8, 10**9, 10**10)
DEPOSIT_POLL_MS = 2_000
RESEND_BLOCKS = 3
BURST = 24
WEIGHTS = {
    "trade": 30,
    "match": 12,
    "big_trade": 6,
    "transfer": 4,
    "withdraw": 5,
    "cancel": 3,
    "several": 6,
    "repeat": 6,
    "garbage": 3,
    "altered": 4,
    "stranger": 4,
    "odd_trade": 8,
    "odd_request": 5,
}


@dataclass
class PendingDeposit:
    """A deposit that is not yet in a final block."""

    encoded: bytes
    hash: bytes
    at_block: int


class Traders:
    """All traders as one actor; they know each other's orders, as a venue does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("traders")
        self.client = Client(world, "traders")
        self.members = [Member(name) for name in TRADERS]
        self.keeper = Member(KEEPER)
        self.guests = [Member(name) for name in GUESTS]
        self.gamblers = [Member(name) for name in GAMBLERS]
        self.whales = [Member(name) for name in WHALES]
        self._deposits: dict[str, PendingDeposit] = {}
        self.sent: list[tuple[bytes, ...]] = []
        self.finished = False

    def start(self) -> None:
        """Deposit, and begin to trade."""
        for member in self._everyone():
            amount = 10**12 if member is self.keeper else self._chance.choice(DEPOSITS)
            amount = WHALE_CASH if member in self.whales else amount
            self._bring(self._chance.randint(10, 5_000), member, amount)
        for whale in self.whales:
            self._bring(self._chance.randint(15_000, 20_000), whale, GOLD_UNITS, GOLD)
        self._world.after(PACE_MS, "traders", "act", self._act)
        self._world.after(DEPOSIT_POLL_MS, "traders", "deposits", self._follow_deposits)

    def _everyone(self) -> list[Member]:
        return [*self.members, self.keeper, *self.guests, *self.gamblers, *self.whales]

    def _bring(self, delay_ms: int, member: Member, amount: int, asset: int = 0) -> None:
        deposit = partial(self.deposit, member, amount, asset)
        self._world.after(delay_ms, "traders", "deposit", deposit)

    def deposits_done(self) -> bool:
        """Whether every deposit is in a final block."""
        return not self._deposits

    def here(self) -> list[Member]:
        """Return the traders who have an account."""
        return [member for member in self.members if member.account is not None]

    # Deposits go to the base layer.

    def deposit(self, member: Member, amount: int, asset: int = 0) -> None:
        """Bring money to the base layer, unless some of it is on its way."""
        if member.name in self._deposits or self.finished:
            return
        base = self._world.base
        encoded = base.sign(member.name, Deposit(address(member.name), 0, asset, amount))
        self._deposits[member.name] = PendingDeposit(encoded, b"", 0)
        self._send_deposit(member.name)

    def _send_deposit(self, name: str) -> None:
        chain, pending = self._world.base.chain, self._deposits[name]
        pending.at_block = chain.head().number
        try:
            pending.hash = chain.submit(pending.encoded)
        except Refused as refused:
            self._world.note("traders", f"deposit: {refused.code.name}")

    def _follow_deposits(self) -> None:
        self._world.after(DEPOSIT_POLL_MS, "traders", "deposits", self._follow_deposits)
        layer = self._world.base.layer
        head = layer.head()
        for name, pending in list(self._deposits.items()):
            receipt = layer.receipt(pending.hash) if pending.hash else None
            if receipt is None and head.number - pending.at_block >= RESEND_BLOCKS:
                self._send_deposit(name)
            elif receipt is not None and receipt.block_number <= head.finalised_number:
                del self._deposits[name]
        for member in self._everyone():
            if member.account is None:
                owner = address(member.name)
                member.account = layer.account_id(owner, 0, head.finalised_hash)

    # Everything else goes to the node.

    def _act(self) -> None:
        if self.finished:
            return
        self._world.after(self._chance.randint(1, 2 * PACE_MS), "traders", "act", self._act)
        if len(self.here()) < 2 or self._world.is_quiet:
            return
        if self._chance.random() < 0.01:
            self.deposit(self._chance.choice(self.members), self._chance.randint(1, 10**9))
        if self._world.faults.happens("overload", self._world.now):
            self._burst()
        (what,) = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        actions = getattr(self, f"_{what}")()
        if actions:
            self.sent.append(actions)
            self.client.submit(*actions)

    def _pair(self) -> tuple[Member, Member]:
        first, second = self._chance.sample(self.here(), 2)
        return first, second

    def _price(self, instrument: int) -> int:
        return self._world.feed.prices[instrument]

    def _trade(self, lots_max: int = 20) -> tuple[bytes, ...]:
        """Two fresh orders, filled at once, at the mark or near it."""
        maker, taker = self._pair()
        instrument = self._chance.randrange(len(self._world.feed.prices))
        lots = self._chance.randint(1, lots_max)
        mark = self._price(instrument)
        price = on_tick(mark * self._chance.randint(990, 1_010) // 1_000)
        side = self._chance.choice([1, 2])
        slots = [self._chance.randrange(256) for _ in range(2)]
        return (
            trade(
                (maker.name, order_of(maker, lots, price, slots[0])),
                (taker.name, order_of(taker, lots, price, slots[1])),
                instrument=instrument,
                lots=lots,
                price=price,
                maker_side=side,
            ),
        )

    def _big_trade(self) -> tuple[bytes, ...]:
        """More than most margins bear."""
        return self._trade(2_000)

    def _match(self) -> tuple[bytes, ...]:
        """Fill one resting order again and again, and in the end beyond its size."""
        maker, taker = self._pair()
        instrument = self._chance.randrange(len(self._world.feed.prices))
        price = on_tick(self._price(instrument))
        resting = order_of(maker, 10, price, 50)
        fills = self._chance.randint(2, 4)
        return tuple(
            trade(
                (maker.name, resting),
                (taker.name, order_of(taker, 4, price, 60 + i)),
                instrument=instrument,
                lots=4,
                price=price,
                maker_side=1,
            )
            for i in range(fills)
        )

    def _transfer(self) -> tuple[bytes, ...]:
        sender, recipient = self._pair()
        amount = self._chance.choice([1, 10**6, 10**8, 10**11])
        fields = (sender.id, recipient.id, 0, amount, sender.next_sequence(), FAR_MS)
        return (signed(sender.name, Transfer(*fields)),)

    def _withdraw(self) -> tuple[bytes, ...]:
        who = self._chance.choice(self.here())
        amount = self._chance.choice([1, 10**5, 10**7, 10**11])
        return (signed(who.name, Withdraw(who.id, 0, amount, who.next_sequence(), FAR_MS)),)

    def _cancel(self) -> tuple[bytes, ...]:
        who = self._chance.choice(self.here())
        slot = self._chance.choice([ALL_SLOTS, self._chance.randrange(64)])
        return (signed(who.name, Cancel(who.id, slot, max(who.sequence, 1))),)

    def _several(self) -> tuple[bytes, ...]:
        """A basket: more than one step holds."""
        count = self._chance.randint(2, 14)
        return tuple(action for _ in range(count) for action in self._trade())

    def _burst(self) -> None:
        """More at once than the queue holds."""
        for _ in range(BURST):
            self.client.submit(*self._several())

    def _repeat(self) -> tuple[bytes, ...]:
        """What was sent before, byte by byte: the answer must be the same, the effect none."""
        return self._chance.choice(self.sent) if self.sent else ()

    def _garbage(self) -> tuple[bytes, ...]:
        return (self._chance.randbytes(self._chance.randint(1, 80)),)

    def _altered(self) -> tuple[bytes, ...]:
        """A good action with one byte changed."""
        data = bytearray(self._trade()[0])
        data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        return (bytes(data),)

    def _stranger(self) -> tuple[bytes, ...]:
        """Someone signs for someone else, or for an account that nobody has."""
        who, thief = self._pair()
        victim = self._chance.choice([who.id, 10**6])
        return (signed(thief.name, Withdraw(victim, 0, 10**6, who.next_sequence(), FAR_MS)),)

    def _odd_trade(self) -> tuple[bytes, ...]:
        """A trade that breaks exactly one rule."""
        maker, taker = self._pair()
        price = on_tick(self._price(0))
        orders = [order_of(maker, 2, price, 3), order_of(taker, 2, price, 3)]
        terms = {"instrument": 0, "lots": 2, "price": price, "maker_side": 1, "fees": (-100, 400)}
        odd = self._chance.randrange(11)
        change: dict[str, object] = {}
        match odd:
            case 0:
                change = {"instrument": 77}
            case 1:
                change = {"price": price + 1}
            case 2:
                change = {"price": on_tick(price * 2)}
            case 3:
                change = {"fees": (-500, 400)}
            case 4:
                change = {"fees": (0, 5_000)}
            case 5:
                orders[1] = replace(orders[1], flags=8)
            case 6:
                orders[1] = replace(orders[1], flags=2)
            case 7:
                orders[0] = replace(orders[0], flags=1)
            case 8:
                orders[0] = replace(orders[0], expiry=START_MS)
            case 9:
                orders[0] = replace(orders[0], limit_price=on_tick(price // 2))
            case 10:
                orders[1] = order_of(maker, 2, price, 4)
                taker = maker
        if odd == 2:
            orders = [replace(order, limit_price=on_tick(price * 2)) for order in orders]
        signed_by = ((maker.name, orders[0]), (taker.name, orders[1]))
        return (trade(*signed_by, **(terms | change)),)  # type: ignore[arg-type]

    def _odd_request(self) -> tuple[bytes, ...]:
        """A request that breaks exactly one rule, or funding that nobody asked for."""
        who, other = self._pair()
        sequence = who.next_sequence()
        request = Transfer(who.id, other.id, 0, 1, sequence, FAR_MS)
        match self._chance.randrange(5):
            case 0:
                request = replace(request, sequence=1)
            case 1:
                request = replace(request, expiry=START_MS)
            case 2:
                request = replace(request, asset=5)
            case 3:
                request = replace(request, recipient=who.id)
            case _:
                return (Funding(self._chance.randrange(3)).encode(),)
        return (signed(who.name, request),)
