"""Pictures of a house at a moment, and the ledger of what acts did to it.

Margin is measured by the twin, from the text of the protocol and not by the law, so that a law that
measures wrongly is found out too.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from clearing.codes import Code, InboxKind
from clearing.codes import Fund as FundId
from clearing.messages import Inbox, Order, Trade, decode_action
from tests.clearing.law.margin_twin import exact_owed, margin_twin, mark_of, owed_of
from tests.support.court import hash_pages


class Holder(NamedTuple):
    """An account at a moment, in micro-quote, lots and units."""

    cash: int
    lots: dict[int, int]
    costs: dict[int, int]
    touched: dict[int, tuple[int, int, int]]  # funding index and lots that a position stands at
    owed: dict[int, int]  # of funding
    units: dict[int, int]
    mode: int
    equity: int
    initial: int
    maintenance: int
    recent: int  # profit that mark to market paid within the cycle
    leaf: bytes


class Market(NamedTuple):
    """A market at a moment."""

    mark: int
    interest: int
    settled: int
    settle_price: int
    pot: int
    pending: Fraction  # what its positions owe the pot together, exact
    variation: int
    debt: int
    cost: int  # sum of entry costs


class Picture(NamedTuple):
    """What invariants compare of a house before and after an act."""

    clock: int
    holders: tuple[Holder, ...]
    markets: tuple[Market, ...]
    funds: tuple[int, ...]
    pools: tuple[tuple[int, int], ...]  # (value, shares)
    image: bytes


def holder_of(state, row):
    held = row.positions[: row.position_count]
    owned = row.collaterals[: row.collateral_count]
    equity, initial, maintenance, _ = margin_twin(state, row)
    fresh = state.globals[0].clock - row.recent_time < state.params[0].profit_cycle_ms
    return Holder(
        int(row.cash),
        {int(one.instrument): int(one.lots) for one in held},
        {int(one.instrument): int(one.entry_cost) for one in held},
        {int(o.instrument): (int(o.index_high), int(o.index_low), int(o.lots)) for o in held},
        {int(one.instrument): owed_of(state, one) for one in held},
        {int(one.asset): int(one.amount) for one in owned},
        int(row.mode),
        equity,
        initial,
        maintenance,
        int(row.recent_profit) if fresh else 0,
        row.tobytes(),
    )


def market_of(state, market, accounts):
    positions = [
        one
        for account in accounts
        for one in account.positions[: account.position_count]
        if one.instrument == market.id
    ]
    return Market(
        mark_of(state, market),
        int(market.open_interest),
        int(market.settled_lots),
        int(market.settle_price),
        int(market.pot),
        sum((exact_owed(state, one) for one in positions), Fraction(0)),
        int(market.variation_pot),
        int(market.debt),
        sum(int(one.entry_cost) for one in positions),
    )


def picture_of(world):
    state, totals = world.state, world.totals
    hash_pages(state)
    accounts = state.accounts[: totals.account_count]
    found = tuple(holder_of(state, row) for row in accounts)
    pools = []
    for pool in state.pools[: totals.pool_count]:
        own, sleeve = found[int(pool.account)], found[int(pool.sleeve)]
        value = own.equity - int(pool.impact_pot) + max(0, sleeve.equity)
        pools.append((value, int(pool.shares)))
    markets = state.instruments[: totals.instrument_count]
    return Picture(
        int(totals.clock),
        found,
        tuple(market_of(state, market, accounts) for market in markets),
        tuple(state.funds["balance"].tolist()),
        tuple(pools),
        world.image(),
    )


@dataclass
class Window:
    """What a market drew from insurance since its window opened, counted by the fund's balance."""

    opened: int = 0
    used: int = 0


@dataclass
class Sweep:
    """A sweep that is open: what is to be borne, what holders could bear, what they have borne."""

    mode: int
    price: int
    deficit: int
    profits: dict[int, int]
    borne: int = 0


@dataclass
class Ledger:
    """The last act with the pictures around it, and what has to be remembered of earlier ones."""

    world: Any
    before: Any = None
    after: Any = None
    action: Any = None
    kind: int = 0
    code: int = 0
    acts: list[Any] = field(default_factory=list)  # (action, code) of the step
    deposits: Counter = field(default_factory=Counter)
    fills: Counter = field(default_factory=Counter)
    floors: dict[int, int] = field(default_factory=dict)
    slots: dict[tuple[int, int], int] = field(default_factory=dict)
    windows: dict[int, Window] = field(default_factory=dict)
    sweeps: dict[int, Sweep] = field(default_factory=dict)
    orders: Any = None  # ((state, codes), (state, codes)) of two actions in both orders
    roots: Any = None  # (state root, the root after all steps again from genesis)

    def __post_init__(self):
        totals, assets = self.world.totals, self.world.state.assets
        claims = self.world.state.withdrawals[: totals.withdrawal_count]
        assert len(claims) == 0, "a ledger begins before anything has left"
        self.deposits[0] = int(totals.custody)
        for asset in assets[1 : totals.asset_count]:
            self.deposits[int(asset.id)] = int(asset.custody)

    def take(self, *acts):
        """Note what was judged in one step: (bytes, code) of an act, or of two at once."""
        self.after = picture_of(self.world)
        self.acts = [(decode_action(raw), code) for raw, code in acts]
        (raw, self.code), *more = acts
        self.action, self.kind = self.acts[0][0], raw[0]
        if more:
            # No invariant is about the kind of two acts; they were applied if one was.
            self.action, self.kind = None, 0
            self.code = min(code for _, code in acts)
        for action, code in self.acts:
            if code == Code.APPLIED:
                self.note(action)

    def note(self, action):
        if isinstance(action, Inbox) and action.message.kind == InboxKind.DEPOSIT:
            self.deposits[action.message.asset] += action.message.amount
        if isinstance(action, Trade):
            for order in (action.maker, action.taker):
                self.fills[key_of_order(order)] += action.lots

    def filled_of(self, order: Order):
        return self.fills[key_of_order(order)]

    def grown(self):
        """(id, before, after) of each account that has a larger or a turned position now."""
        for id, (old, new) in enumerate(self.pairs()):
            for market, lots in new.lots.items():
                held = old.lots.get(market, 0)
                if abs(lots) > abs(held) or lots * held < 0:
                    yield id, old, new
                    break

    def pairs(self):
        """Each account before and after; one that was just opened is not among them."""
        return zip(self.before.holders, self.after.holders, strict=False)

    def moved(self, fund: FundId):
        return self.after.funds[fund] - self.before.funds[fund]


def key_of_order(order: Order):
    return order.account, order.slot, order.sequence
