"""A pool under stress: one-sided traders win against it, and then its providers run.

Whatever is asked of the pool is asked at every tick, allowed or not; the law alone says who may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from clearing.codes import Code, Fund, Kind, Side
from clearing.genesis import Genesis, GenesisPool
from clearing.units import MICRO, PPM, PRICE_MAX, SHARES_BASE
from novatio.stress.manipulation import KEEPER, MILLION, THIN
from novatio.stress.scenario import Scenario, Tick, Verdict, declare, perpetual, walk
from novatio.stress.waterfall import Rescue, settle
from novatio.stress.world import MINUTE_MS, Actor, World

__all__ = ["POOLS"]

POOL_MARKET, BOOK = 0, 1
LOT: Final = 10**6
PRICE: Final = 10 * MICRO
TICK_MS: Final = 4 * MINUTE_MS
LOCK_MS: Final = 8 * TICK_MS
DEPOSIT_CAP: Final = 12 * MILLION
SLEEVE_CAP: Final = MILLION
POOL: Final = GenesisPool(lock_ms=LOCK_MS, deposit_cap=DEPOSIT_CAP, sleeve_cap=SLEEVE_CAP)
PROVIDED: Final = 4 * MILLION  # by each provider
TRADED: Final = MILLION  # notional that each trader asks for
# What the market with a book does while nobody trades with the pool yet.
BOOK_FIRST: Final = (*walk([1_180_000], 60_000, TICK_MS), Tick(TICK_MS, 1_180_000))
HALVINGS: Final = 12  # of what is refused
PARTS: Final = (1, 2, 4, 8, 16, 32)  # of his shares that a provider asks for in turn


def genesis(seed: int) -> Genesis:
    """Declare a market of a pool, and one with a book whose failures the pool takes over."""
    markets = [perpetual("POOL-PERP", LOT, pool=1), perpetual("BOOK-PERP", LOT)]
    return declare(seed, markets, THIN, pools=(POOL,), auction_fast_ms=MINUTE_MS)


@dataclass(slots=True)
class Watch:
    """Asks the pool for things and notes what it answered, and every promise that it broke."""

    world: World
    locked: dict[Actor, int] = field(default_factory=dict)  # until when, in milliseconds
    refused: Counter[str] = field(default_factory=Counter)  # withdrawals, by outcome
    opened: int = 0
    left: int = 0
    used_ppm: int = 0  # the most of the pool's value that positions used after anything was let in
    sleeve_micro: int = 0  # the most notional that the sleeve held after it took something over
    broken: list[str] = field(default_factory=list)

    def ask(self, kind: Kind, actor: Actor, **fields: int) -> Code:
        """Apply an action of an actor on pool 0."""
        fields |= {"account": actor.account, "pool": 0}
        return self.world.apply(self.world.request(kind, actor.key, payload=(), **fields))

    def provide(self, provider: Actor, amount: int) -> Code:
        """Deposit into the pool."""
        code = self.ask(Kind.POOL_DEPOSIT, provider, amount=amount, limit=0)
        if code == Code.APPLIED:
            self.locked[provider] = self.world.time + LOCK_MS
            self.expect("deposit_cap", self.value() <= DEPOSIT_CAP)
        return code

    def trade(self, trader: Actor, lots: int, side: Side) -> Code:
        """Trade with the pool at whatever price it makes."""
        price = PRICE_MAX if side == Side.BUY else 1
        code = self.ask(
            Kind.POOL_TRADE, trader, instrument=POOL_MARKET, side=side, lots=lots, price=price
        )
        if code == Code.APPLIED and side == Side.BUY:
            self.opened += lots
            self._reserved()
        return code

    def leave(self, provider: Actor) -> None:
        """Demand all shares of a provider back, and smaller parts of them while it is refused."""
        shares = shares_of(self.world, provider)
        for part in PARTS:
            if shares // part and self._redeem(provider, shares // part) == Code.APPLIED:
                return

    def _redeem(self, provider: Actor, shares: int) -> Code:
        world = self.world
        profit, value, supply = self._profit(), self.value(), int(world.state.pools[0].shares)
        capped = profit > 0 and profit * PPM > max(0, value) * POOL.profit_cap_ppm
        code = self.ask(Kind.POOL_WITHDRAW, provider, amount=shares, limit=0)
        if code != Code.APPLIED:
            self.refused[code.name] += 1
            return code
        self.left += 1
        self.expect("lock", world.time >= self.locked[provider])
        self.expect("profit_cap", not capped)
        rest = int(world.state.pools[0].shares)
        # Prices as the law has them, with its offset of a thousand shares and a micro-quote.
        kept = (self.value() + 1) * (supply + 1_000) >= (value + 1) * (rest + 1_000)
        self.expect("share_price", kept)
        own, _ = world.pool_accounts(0)
        self.expect("margin", world.equity(own) >= world.now.initial[own])
        self._reserved()
        return code

    def look_at_sleeve(self, before: int) -> None:
        """Note what the sleeve holds; only taking over may have made it more lots than before."""
        lots = self.sleeve_lots()
        if lots > before:
            notional = lots * self.world.mark(BOOK)
            self.sleeve_micro = max(self.sleeve_micro, notional)
            self.expect("sleeve_cap", notional <= SLEEVE_CAP)

    def sleeve_lots(self) -> int:
        """Lots that the sleeve holds in the market with a book."""
        return abs(self.world.lots(self.world.pool_accounts(0)[1], BOOK))

    def value(self) -> int:
        """What the shares are worth together, from equities."""
        own, sleeve = self.world.pool_accounts(0)
        pot = int(self.world.state.pools[0].impact_pot)
        return self.world.equity(own) - pot + max(0, self.world.equity(sleeve))

    def expect(self, promise: str, holds: bool) -> None:
        """Note a promise that was broken."""
        if not holds and promise not in self.broken:
            self.broken.append(promise)

    def _profit(self) -> int:
        own, _ = self.world.pool_accounts(0)
        row, mark = self.world.account(own), self.world.mark(POOL_MARKET)
        return sum(
            int(one.entry_cost) - int(one.lots) * mark
            for one in row.positions[: row.position_count]
        )

    def _reserved(self) -> None:
        own, _ = self.world.pool_accounts(0)
        gross = abs(self.world.lots(own, POOL_MARKET)) * self.world.mark(POOL_MARKET)
        used = -(-gross * PPM // max(1, self.value()))
        self.used_ppm = max(self.used_ppm, used)
        self.expect("utilisation", used <= POOL.reserve_ppm)


def shares_of(world: World, actor: Actor) -> int:
    """Shares of pool 0 that an actor holds."""
    row = world.account(actor)
    held = row.collaterals[: row.collateral_count]
    return sum(int(one.amount) for one in held if one.asset == SHARES_BASE)


def play_run(world: World, course: Sequence[Tick]) -> Verdict:
    """Traders buy from the pool all that it sells, the price rises, and everybody wants out.

    Before that a short in the market with a book fails and ends in the pool's sleeve as far as its
    cap goes. Providers ask for their money at every tick; traders close when the course is over.
    """
    savers = world.crowd("saver", [20 * MILLION] * 3)
    world.endow(Fund.INSURANCE, MILLION)
    maker, careless = world.crowd("maker", [20 * MILLION, 700_000 * MICRO])
    keepers = world.crowd("keeper", [KEEPER] * 2)
    providers = world.crowd("provider", [5 * MILLION] * 4)
    traders = world.crowd("trader", [3 * MILLION] * 12)
    for market in (POOL_MARKET, BOOK):
        world.price(PRICE + world.uniform(0, MICRO), market)
    watch = Watch(world)
    beyond = [watch.provide(provider, PROVIDED) for provider in providers].count(Code.POOL_CAP)
    supplied = PROVIDED * (len(providers) - beyond)
    world.trade(maker, careless, 3 * MILLION // world.mark(BOOK), instrument=BOOK)
    start = [world.mark(POOL_MARKET), world.mark(BOOK)]
    rescue = Rescue(keepers, pools=(0,))
    for tick in BOOK_FIRST:
        _move(watch, rescue, tick.wait_ms, [start[POOL_MARKET], _at(start[BOOK], tick)])
        for provider in providers:
            watch.leave(provider)
    for trader in traders:
        _buy_most(watch, trader)
    start[BOOK] = world.mark(BOOK)
    lowest = watch.value()
    for tick in course:
        _move(watch, rescue, tick.wait_ms, [_at(price, tick) for price in start])
        for provider in providers:
            watch.leave(provider)
        lowest = min(lowest, watch.value())
    left = watch.left
    paper = sum(world.equity(trader) for trader in traders)
    _go(watch, rescue, traders, maker, providers)
    saved = sum(world.equity(saver) for saver in savers)
    return Verdict(
        met=(
            not watch.broken
            and beyond > 0
            and watch.opened > 0
            and watch.sleeve_micro > 0
            and saved == 60 * MILLION
            and world.withdrawn(traders) >= paper
            and not world.state.pools[0].shares
        ),
        attackers=traders,
        operands={
            "promises_broken": ",".join(watch.broken),
            "deposits_beyond_cap": beyond,
            "providers_deposited_micro": supplied,
            "providers_profit_micro": world.profit(providers),
            "pool_lowest_micro": lowest,
            "traders_paper_equity_micro": paper,
            "traders_withdrawn_micro": world.withdrawn(traders),
            "utilisation_ppm": watch.used_ppm,
            "reserve_ppm": POOL.reserve_ppm,
            "sleeve_micro": watch.sleeve_micro,
            "sleeve_cap_micro": SLEEVE_CAP,
            "withdrawals_before_traders_closed": left,
            "withdrawals": watch.left,
            "withdrawals_refused": dict(sorted(watch.refused.items())),
            "savers_micro": saved,
        },
    )


def _go(
    watch: Watch, rescue: Rescue, traders: list[Actor], maker: Actor, providers: list[Actor]
) -> None:
    """Close and pay out the traders, empty the sleeve, and let the providers leave at last."""
    world = watch.world
    for trader in traders:
        _close(watch, trader)
    world.withdraw_most(traders)
    _release_sleeve(watch, maker)
    while world.time < max(watch.locked.values()):
        _move(watch, rescue, TICK_MS, [world.mark(POOL_MARKET), world.mark(BOOK)])
    for provider in providers:
        watch.leave(provider)
    settle(world, rescue)


def _at(price: int, tick: Tick) -> int:
    return max(1, price * tick.price_ppm // PPM)


def _move(watch: Watch, rescue: Rescue, wait_ms: int, prices: Sequence[int]) -> None:
    """Let time pass, publish the price of each market, and let the waterfall have its round."""
    watch.world.wait(wait_ms)
    for market, price in enumerate(prices):
        watch.world.price(price, market)
    before = watch.sleeve_lots()
    rescue.round(watch.world)
    watch.look_at_sleeve(before)


def _buy_most(watch: Watch, trader: Actor) -> None:
    """Buy for the wanted notional, or for as much less as the pool sells."""
    lots = TRADED // watch.world.mark(POOL_MARKET)
    for _ in range(HALVINGS):
        if not lots or watch.trade(trader, lots, Side.BUY) == Code.APPLIED:
            return
        lots //= 2


def _close(watch: Watch, trader: Actor) -> None:
    """Sell everything back to the pool, in smaller parts if it is too much profit at once."""
    lots = part = watch.world.lots(trader, POOL_MARKET)
    for _ in range(1 << HALVINGS):
        if lots <= 0 or not part:
            return
        if watch.trade(trader, min(part, lots), Side.SELL) == Code.APPLIED:
            lots = watch.world.lots(trader, POOL_MARKET)
        else:
            part //= 2


def _release_sleeve(watch: Watch, maker: Actor) -> None:
    """Let the other side of what the sleeve holds close against it."""
    lots = min(watch.sleeve_lots(), abs(watch.world.lots(maker, BOOK)))
    if lots:
        watch.ask(Kind.POOL_TRADE, maker, instrument=BOOK, side=Side.SELL, lots=lots, price=1)


POOLS: Final = (
    Scenario(
        "pool-run",
        "a short ends in a pool's sleeve, one-sided traders win up to 70 % against the pool, and "
        "its providers run",
        "traders are paid in full and savers lose nothing; deposits, positions and the sleeve stay "
        "within their caps, nobody leaves while locked or while the profit cap is passed, and who "
        "leaves takes nothing from who stays",
        genesis,
        lambda: walk([1_700_000, 950_000, 1_400_000], 100_000, TICK_MS),
        play_run,
    ),
)
