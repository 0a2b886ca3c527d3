"""Guests who try the wider law: options, pools, keys, modes, sweeps, calls, governance.

Each `probe` is one thing to ask for: some of it is granted, most is refused for a rule of its own.
What they do stays on their markets, so the books of the other traders need to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from clearing.actions.price import ASSET_PRICES
from clearing.codes import Kind, Mode, Scope
from clearing.forms import GRID_PAYLOAD
from clearing.grid import linear_pnl
from clearing.grid_preset import POINTS
from clearing.leaves import PARAMS_FIELDS
from clearing.messages import Inbox, InboxMessage
from clearing.records import PARAMS
from clearing.units import PPM
from simulator.client import Client
from simulator.market import (
    CALL,
    CALL_2,
    CALL_3,
    DATED,
    FAR_MS,
    FUTURE,
    FUTURE_MS,
    GOLD,
    GOLD_UNITS,
    GOVERNOR,
    PERPETUAL,
    POOLED,
    PUBLISHERS,
    PUT,
    QUORUM,
    START_MS,
    WHALE_CASH,
    WIDE,
    WIDE_PRICE,
    Member,
    address,
    asked,
    order_of,
    price_action,
    trade,
)

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 250
PRICE_EVERY_MS = 2_000
POOLED_PRICES = (WIDE_PRICE * 9 // 10, WIDE_PRICE, WIDE_PRICE * 11 // 10)
ROW_EXTRA = 50_000
VERSION_PLACE = int(cast(Any, PARAMS.fields)["version"][1]) // 8
JUMP_PPM = 200_000  # a parameter of this value may not double at once
GOLD_PRICE = 10**6  # of a unit's million
EXPIRING_MS = (100, 300, 600)
NONE = -1
STRIKES_PERCENT = {CALL: 100, PUT: 100, CALL_2: 110, CALL_3: 120}
Actions = tuple[bytes, ...]
Fields = dict[str, int]


class Explorer:
    """Sends a probe every quarter of a second, and prices of its markets."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("explorer")
        self.client = Client(world, "explorer")
        self.finished = False
        self._governed = 0
        self._keys = 0
        self._staged = 0

    def start(self) -> None:
        """Begin to publish and to try."""
        self._world.after(30, "explorer", "publish", self._publish)
        self._world.after(PACE_MS, "explorer", "try", self._try)
        for late_ms in EXPIRING_MS:
            self._world.after(FUTURE_MS - START_MS + late_ms, "explorer", "expire", self._expire)

    def _expire(self) -> None:
        """Ask for the end of the future before there is a price of its end."""
        if not self.finished:
            self.client.submit(asked(Kind.EXPIRE, instrument=FUTURE))

    def _publish(self) -> None:
        if self.finished:
            return
        self._world.after(PRICE_EVERY_MS, "explorer", "publish", self._publish)
        if self._world.is_quiet:
            return
        self.client.submit(self._price(ASSET_PRICES + GOLD, GOLD_PRICE))
        self.client.submit(self._price(PERPETUAL, WIDE_PRICE))
        self.client.submit(self._price(POOLED, self._chance.choice(POOLED_PRICES)))

    def _try(self) -> None:
        if self.finished:
            return
        self._world.after(self._chance.randint(1, 2 * PACE_MS), "explorer", "try", self._try)
        if any(guest.account is None for guest in self._world.traders.guests):
            return
        if self._world.is_quiet:
            return
        actions = self._chance.choice(PROBES)(self)
        if actions:
            self.client.submit(*actions)

    # How anything is asked for.

    def _guest(self) -> Member:
        return self._chance.choice(self._world.traders.guests)

    def _price(self, market: int, price: int) -> bytes:
        names = list(PUBLISHERS[:QUORUM])
        return price_action(market, price, [price] * QUORUM, self._world.now, names)

    def _of(
        self, guest: Member, kind: Kind, fields: Fields, signer: str = "", field: str = "account"
    ) -> bytes:
        """A request of a guest, signed by him unless told."""
        common = {field: guest.id, "sequence": guest.next_sequence(), "expiry": FAR_MS}
        return asked(kind, signer or guest.name, payload=(), **common | fields)

    def _govern(self, kind: Kind, fields: Fields, payload: tuple[int, ...] = ()) -> bytes:
        self._governed += 1
        return asked(kind, GOVERNOR, payload=payload, **fields | {"sequence": self._governed})

    def _quorum(self, kind: Kind, fields: Fields, payload: tuple[int, ...] = ()) -> bytes:
        return asked(kind, *PUBLISHERS[:QUORUM], payload=payload, **fields)

    # Governance.

    def halted(self) -> Actions:
        """A halt, something in it, and its end, in one frame."""
        halt = self._govern(Kind.HALT, {})
        inside = self._of(self._guest(), Kind.SET_MODE, {"mode": Mode.PORTFOLIO})
        return halt, inside, self._govern(Kind.RESUME, {})

    def parameters(self) -> Actions:
        """Parameters that are none, that move too far, or whose time has not come."""
        sequencer = self._world.node.sequencer
        if sequencer is None:
            return ()
        now = cast(Any, sequencer.engine.state).params_pieces[0][:PARAMS_FIELDS].tolist()
        now[VERSION_PLACE] += 1
        far = list(now)
        far[now.index(JUMP_PPM)] *= 2
        payload = tuple(self._chance.choice([[0] * PARAMS_FIELDS, now, far]))
        if self._chance.random() < 0.3:
            return (asked(Kind.ENACT, payload=payload),)
        return (self._govern(Kind.SET_PARAMS, {}, payload),)

    def other_governance(self) -> Actions:
        """Listings, terms, assets and grids that there are not, or not like this."""
        dice = self._chance.randrange(6)
        if dice < 2:
            terms = {"status": 4 * dice, "open_interest_cap": 60, "position_cap": 61 - dice}
            fields = {"instrument": PERPETUAL, "tier": 0} | terms
            return (self._govern(Kind.SET_MARKET, fields),)
        if dice == 2:
            return (self._govern(Kind.LIST, {"instrument": 7, "underlying": WIDE}, (0,) * 14),)
        if dice == 3:
            return (self._govern(Kind.SET_ASSET, {"asset": 1}, (PPM,) * 8),)
        if dice == 4:
            return (self._govern(Kind.SET_GRID, {"underlying": 9}, (0,) * GRID_PAYLOAD),)
        return (asked(Kind.ENACT_GRID, underlying=WIDE),)

    # Keys and modes.

    def _key(self, name: str) -> int:
        return int.from_bytes(address(name), "big")

    def _grant(self, guest: Member, name: str, scope: int, limit: int = 1) -> bytes:
        fields = {
            "key": self._key(name), "scope": scope, "first_instrument": 0, "last_instrument": 99,
            "limit": limit, "key_expiry": FAR_MS,
        }  # fmt: skip
        return self._of(guest, Kind.KEY_GRANT, fields)

    def keys(self) -> Actions:
        """Session keys: one more, one that may not, one whose limit is spent, one that is none."""
        guest = self._guest()
        deposit = {"pool": 0, "amount": 100, "limit": 0}
        match self._chance.randrange(5):
            case 0:
                self._keys += 1
                return (self._grant(guest, f"robot {self._keys}", Scope.CANCEL),)
            case 1:
                grant = self._grant(guest, "canceller", Scope.CANCEL)
                return grant, self._of(guest, Kind.POOL_DEPOSIT, deposit, "canceller")
            case 2:
                grant = self._grant(guest, "investor", Scope.POOL)
                return grant, self._of(guest, Kind.POOL_DEPOSIT, deposit, "investor")
            case 3:
                return (self._of(guest, Kind.KEY_REVOKE, {"key": self._key("nobody's")}),)
            case _:
                return (self._of(guest, Kind.KEY_REVOKE, {"key": 0}),)

    def modes(self) -> Actions:
        """A mode that the account has, or another one."""
        return (self._of(self._guest(), Kind.SET_MODE, {"mode": self._chance.randrange(3)}),)

    # Markets.

    def trades(self) -> Actions:
        """Trades up to the caps, and beyond them."""
        maker, taker = self._chance.sample(self._world.traders.guests, 2)
        market = self._chance.choice([PERPETUAL, PERPETUAL, FUTURE, CALL, PUT, POOLED])
        price = WIDE_PRICE if market in (PERPETUAL, FUTURE, POOLED) else ROW_EXTRA
        lots = self._chance.choice([1, 5, 20, 45, 51])
        orders = [order_of(one, lots, price, 7) for one in (maker, taker)]
        sides = (maker.name, orders[0]), (taker.name, orders[1])
        return (trade(*sides, instrument=market, lots=lots, price=price, maker_side=1),)

    def pool(self) -> Actions:
        """Into the pool, out of it too early, too much, too dear."""
        guest = self._guest()
        match self._chance.randrange(7):
            case 0:
                return (self._of(guest, Kind.POOL_DEPOSIT, _share(0, 10**7, 0)),)
            case 1:
                return (self._of(guest, Kind.POOL_DEPOSIT, _share(0, 2 * 10**9, 0)),)
            case 2:
                return (self._of(guest, Kind.POOL_DEPOSIT, _share(0, 10, 10**12)),)
            case 3:
                deposit = self._of(guest, Kind.POOL_DEPOSIT, _share(0, 10**6, 0))
                return deposit, self._of(guest, Kind.POOL_WITHDRAW, _share(0, 10, 0))
            case 4:
                return (self._of(guest, Kind.POOL_DEPOSIT, _share(9, 10**7, 0)),)
            case _:
                return (self._pool_trade(guest),)

    def _pool_trade(self, guest: Member) -> bytes:
        market = self._chance.choice([POOLED, POOLED, POOLED, PERPETUAL])
        price = self._chance.choice([WIDE_PRICE, WIDE_PRICE * 2, WIDE_PRICE // 2])
        lots, side = self._chance.choice([1, 1, 20]), self._chance.choice([1, 2])
        fields = {"pool": 0, "instrument": market, "side": side, "lots": lots, "price": price}
        return self._of(guest, Kind.POOL_TRADE, fields)

    def calls(self) -> Actions:
        """Orders for a call auction that there is not, and its end."""
        guest = self._guest()
        if self._chance.random() < 0.5:
            fields = {"instrument": PERPETUAL, "side": 1, "lots": 1, "price": WIDE_PRICE}
            return (self._of(guest, Kind.CALL_ORDER, fields),)
        if self._chance.random() < 0.5:
            time = self._world.now
            fields = {"instrument": PERPETUAL, "price": WIDE_PRICE, "time": time}
            return (self._quorum(Kind.UNCROSS, fields),)
        buyer, seller = (one.id for one in self._world.traders.guests[:2])
        return (asked(Kind.CALL_FILL, buyer=buyer, seller=seller, instrument=PERPETUAL),)

    # What nobody signs.

    def chores(self) -> Actions:
        """What anyone may ask for, mostly where it is not due."""
        guests = self._world.traders.guests
        account, market = self._guest().id, self._chance.choice([PERPETUAL, FUTURE, CALL, PUT])
        ids = [guest.id for guest in guests]
        choices = (
            asked(Kind.EXPIRE, instrument=market),
            asked(Kind.SETTLE, account=account, instrument=FUTURE),
            asked(Kind.MARK_TO_MARKET, account=account),
            asked(Kind.AUCTION_START, account=account),
            asked(Kind.POOL_TAKEOVER, account=account, pool=0, instrument=POOLED),
            asked(Kind.SWEEP_OPEN, instrument=market, account=account, mode=1),
            asked(Kind.SWEEP_OPEN, instrument=market, account=account, mode=2),
            asked(Kind.SWEEP_TALLY, instrument=market, payload=(account,)),
            asked(Kind.SWEEP_CLOSE, instrument=market, account=account),
            asked(Kind.OWNER_CHECK, instrument=market, payload=(account,)),
            asked(Kind.OWNER_CHECK, instrument=market, payload=(*sorted(ids),)),
            asked(Kind.OWNER_CHECK, instrument=market, payload=(ids[0], ids[0])),
            asked(Kind.OWNER_CHECK, instrument=market, payload=(0,)),
        )
        return (self._chance.choice(choices),)

    def failures(self) -> Actions:
        """Bids, conversions and liquidations of those who do not fail."""
        guest, other = self._chance.sample(self._world.traders.guests, 2)
        match self._chance.randrange(3):
            case 0:
                fields = {"account": other.id, "fraction_ppm": PPM, "limit": 0}
                return (self._of(guest, Kind.AUCTION_BID, fields, field="bidder"),)
            case 1:
                fields = {"account": other.id, "asset": 1, "amount": 1}
                return (self._of(guest, Kind.CONVERT, fields, field="keeper"),)
            case _:
                fields = {"account": other.id, "instrument": PUT, "lots": 1}
                return (self._of(guest, Kind.LIQUIDATE, fields, field="keeper"),)

    def uninvited(self) -> Actions:
        """A message of the base layer that the base layer never sent."""
        guest = self._guest()
        message = InboxMessage(1, 10**6, guest.id, address(guest.name), 0, 0, 10**9)
        return (Inbox(message).encode(),)

    def riches(self) -> Actions:
        """More cash, or gold, than one account may hold."""
        poor, rich = self._world.traders.whales
        if poor.account is None or rich.account is None:
            return ()
        asset, amount = self._chance.choice([(0, WHALE_CASH), (GOLD, GOLD_UNITS)])
        fields = {"recipient": rich.id, "asset": asset, "amount": amount}
        return (self._of(poor, Kind.TRANSFER, fields, field="sender"),)

    # Risk rows.

    def rows(self) -> Actions:
        """A set of rows that is right, or breaks one rule, and its activation."""
        odd = self._chance.choice(["", "", *ODD_ROWS])
        rows = {market: row_of(market) for market in (CALL, PUT, CALL_2, CALL_3)}
        fields = rows_fields(self._world.now)
        before = [NONE] * 4
        if odd:
            ODD_ROWS[odd](fields, before, rows)
        payload = before + [piece for market, row in rows.items() for piece in (market, *row)]
        staged = self._quorum(Kind.RISK_ROWS, fields, tuple(payload))
        return staged, self._activation(fields["time"])

    def _activation(self, time: int) -> bytes:
        fields = {
            "underlying": WIDE, "series": DATED, "time": time, "price": WIDE_PRICE,
            "discount_long_ppm": PPM, "discount_short_ppm": PPM, "confidence_ppm": PPM,
        }  # fmt: skip
        return self._quorum(Kind.ACTIVATE, fields)


def _share(pool: int, amount: int, limit: int) -> Fields:
    return {"pool": pool, "amount": amount, "limit": limit}


def rows_fields(now_ms: int) -> Fields:
    """Return what goes with a set of rows of the options."""
    return {
        "underlying": WIDE, "series": DATED, "time": now_ms, "price": WIDE_PRICE,
        "forward": WIDE_PRICE, "discount_nano": 10**9,
    }  # fmt: skip


def row_of(market: int) -> list[int]:
    """Return an option's values over the grid: intrinsic, and something more."""
    sign = -1 if market == PUT else 1
    strike = WIDE_PRICE * STRIKES_PERCENT[market] // 100
    shocked = (WIDE_PRICE + int(linear_pnl(WIDE_PRICE, shock)) for shock, _ in POINTS)
    return [max(sign * (price - strike), 0) + ROW_EXTRA for price in shocked]


# What can be wrong with a set of rows: changes its fields, its neighbours and its rows.
Odd = Callable[[Fields, list[int], dict[int, list[int]]], None]


def _fields(**changes: int) -> Odd:
    def change(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
        fields.update(changes)

    return change


def _late(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    fields["time"] += 10**6


def _order(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    before[0] = PUT


def _incomplete(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    del rows[CALL_3]


def _negative(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    rows[CALL][0] = -1


def _parity(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    rows[PUT] = [value + 400_000 for value in rows[PUT]]


def _jump(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    for market, row in rows.items():
        rows[market] = [value + 2_500_000 for value in row]


def _monotone(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    rows[CALL_2] = [value + 1_000 for value in rows[CALL]]


def _convex(fields: Fields, before: list[int], rows: dict[int, list[int]]) -> None:
    # As dear as the strike below, wherever the strike above is not too far off for that.
    gap = WIDE_PRICE // 10
    columns = zip(rows[CALL], rows[CALL_2], rows[CALL_3], strict=True)
    rows[CALL_2] = [low if low - high <= gap else middle for low, middle, high in columns]


ODD_ROWS: dict[str, Odd] = {
    "late": _late,
    "unknown": _fields(underlying=9),
    "no-series": _fields(series=9),
    "far": _fields(price=2 * WIDE_PRICE, forward=2 * WIDE_PRICE),
    "order": _order,
    "incomplete": _incomplete,
    "negative": _negative,
    "parity": _parity,
    "jump": _jump,
    "monotone": _monotone,
    "convex": _convex,
}

PROBES: tuple[Callable[[Explorer], Actions], ...] = (
    Explorer.halted,
    Explorer.parameters,
    Explorer.other_governance,
    Explorer.keys,
    Explorer.keys,
    Explorer.modes,
    Explorer.trades,
    Explorer.trades,
    Explorer.trades,
    Explorer.pool,
    Explorer.pool,
    Explorer.calls,
    Explorer.chores,
    Explorer.chores,
    Explorer.failures,
    Explorer.uninvited,
    Explorer.riches,
    Explorer.rows,
    Explorer.rows,
)
