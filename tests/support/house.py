"""A whole house: every kind of market, account and actor, and what each act did to it.

    house = House()
    house.trade(0, 1, BTC, 20)
    house.price(BTC, -100_000)

Acts take plain integers, so that a property test may choose them as well as a script. Each act is
one step; pictures of what stood before and after it are taken, measured by the margin twin instead
of the law, and `check` is asked about them: by default nobody, in the tests all invariants.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from clearing import step
from clearing.codes import Code, InboxKind, Kind, Operation, Phase, Side
from clearing.codes import Fund as FundId
from clearing.decode import pack, recover_signers
from clearing.genesis import GenesisAsset, GenesisInstrument
from clearing.keccak import pieces
from clearing.units import AMOUNT_MAX, LOTS_MAX, PPM, PRICE_MAX
from prover.engine import Engine
from tests.clearing.law.margin_twin import margin_twin
from tests.support.options import EXPIRY_MS, IN_ORDER, OptionWorld, markets
from tests.support.pictures import Ledger, picture_of
from tests.support.pools import POOL, PoolWorld
from tests.support.sweeps import Driver, holders
from tests.support.world import DEPOSIT, MARK, NEVER_MS, START_MS, TIERS, Trader, address_of, key_of

BTC, FUTURE, CALL, PUT, POOLED, TAIL = 0, 1, 4, 5, 8, 9
LINEAR = (BTC, FUTURE, POOLED, TAIL)
COIN = 1  # the collateral asset
SMALL = DEPOSIT // 4
CAP = 40_000_000  # of a market's insurance tranche
HOUR = 3_600_000
FAST = 200_000
ROOMS = (24, 64, 96)  # accounts, fill pages, withdrawals
NAMES = ("ann", "bea", "cid", "dan", "eve")
PORTFOLIOS = ("pat", "pia")
KEEPER, POLLY, FLAT = 7, 8, 9  # places among the actors, behind names and portfolios
SHOCKS = ((-180_000, 0), (-120_000, 300_000), (-30_000, 100_000), (0, -200_000), (60_000, 0),
          (110_000, 250_000), (180_000, 500_000))  # fmt: skip

SHOCK_COUNT = len(SHOCKS)


class HouseWorld(PoolWorld, OptionWorld):
    """Perpetual, future, six options, a pool's market, a thin one; a collateral; roles."""

    def __init__(self, court_every=1, **changes):
        self.court_every = court_every
        self.history: list[tuple[int, list[bytes]]] = []
        more = (
            GenesisInstrument("POOL-PERP", 0, 10, 10**6, LOTS_MAX, LOTS_MAX, pool=1),
            GenesisInstrument("TAIL-PERP", 2, 10, 10**6, 200, 200),
        )
        defaults: dict[str, Any] = {
            "prices": (MARK, MARK, *[0] * 6, MARK, MARK),
            "rooms": ROOMS,
            "instruments": markets() + more,
            "pools": (POOL,),
            "assets": (GenesisAsset(100_000, 50_000, 1 << 40, 10**9),),
            "tiers": tuple(replace(tier, insurance_cap=CAP) for tier in TIERS),
            "governance": address_of("governance"),
            "guardian": address_of("guardian"),
            "timelock_ms": 60_000,
            "price_stale_open_ms": 1 << 39,
            "price_stale_margin_ms": 1 << 39,
            "row_age_warn_ms": 1 << 37,
            "row_age_reduce_ms": 1 << 38,
            "row_age_fallback_ms": 1 << 39,
            "profit_cap": 2 * MARK,
            "profit_cycle_ms": HOUR,
            "stable_rate_ppm": 300_000,
            "auction_fast_ms": FAST,
            "band_ppm": 350_000,
            "shortfall_count": 3,
            "owner_group_ppm": 100_000,
        }
        super().__init__(**(defaults | changes))
        spare = np.zeros(1, self.state.instruments.dtype).view(np.recarray)
        rows = np.concatenate([self.state.instruments, spare]).view(np.recarray)
        self.state = self.state._replace(instruments=rows)
        self.gift_after = len(self.history)
        give(self.state, START_MS)

    def judge(self, actions):
        """One step, every so many times in the court too; remember it."""
        raws = [one if isinstance(one, bytes) else one.encode() for one in actions]
        self.history.append((self.time, raws))
        if self.court_every and len(self.history) % self.court_every == 0:
            return super().judge(raws)
        columns = self.columns(raws)
        codes = np.zeros(len(raws), np.int64)
        step.transition(self.state, columns, 0, len(raws), self.time, codes)
        return [Code(int(code)) for code in codes]

    def root(self):
        """The state root of what stands."""
        engine = Engine(self.genesis, *ROOMS[:2])

        def load(state):
            for mine, theirs in zip(self.state, state, strict=True):
                rows = min(len(mine), len(theirs))
                theirs[:rows] = mine[:rows]

        engine.edit(load)
        return engine.root()

    def replayed_root(self):
        """The state root after all steps once more, in an engine, from genesis."""
        engine = Engine(self.genesis, *ROOMS[:2])
        for place, (time, raws) in enumerate(self.history):
            if place == self.gift_after:
                engine.edit(lambda state: give(state, START_MS))
            columns = engine.decode(*pack(raws))
            recover_signers(columns)
            engine.replay_step(columns, time, 0, len(raws))
        return engine.root()


def give(state, time):
    """What nobody paid for: money in the insurance fund, and a first price of the collateral."""
    state.funds[FundId.INSURANCE].balance += 2 * CAP
    state.globals[0].custody += 2 * CAP
    coin = state.assets[COIN]
    coin.price = coin.stable_price = MARK
    coin.price_time = time


class House:
    """Five small traders, two portfolios, a keeper, a provider of the pool, one who stays flat."""

    def __init__(self, check=lambda ledger: None, court_every=1, **changes):
        self.world = HouseWorld(court_every, **changes)
        self.actors = [self.world.trader(name, SMALL) for name in (*NAMES, *PORTFOLIOS)]
        self.actors.append(self.world.trader("keeper", 20 * DEPOSIT))
        self.actors.append(self.world.polly)
        self.actors.append(self.world.trader("flat", SMALL))
        self.ledger = Ledger(self.world)
        self.check = check
        self.applied: Counter = Counter()
        self.codes: Counter = Counter()
        self.orders: dict = {}
        self.driver: Any = None

    def actor(self, who):
        return self.actors[who % len(self.actors)]

    def held_by(self, who):
        """The markets in which an actor holds a position."""
        row = self.world.account(self.actor(who))
        return [int(one.instrument) for one in row.positions[: row.position_count]]

    def weakest(self, market, side):
        """Who of those on a side of a market is nearest to failing, or None."""
        found = []
        for who, trader in enumerate(self.actors):
            lots = self.world.lots(trader, market)
            if lots * side > 0:
                equity, _, maintenance, _ = margin_twin(
                    self.world.state, self.world.account(trader)
                )
                found.append((equity - maintenance, who))
        return min(found)[1] if found else None

    # Running

    def act(self, action):
        """Apply an action, and ask about it; return its code."""
        # The clock moves first: what only time changes is nobody's doing.
        step.open_step(self.world.state, self.world.time)
        raw = action.encode()
        self.look()
        (code,) = self.world.judge([raw])
        self.ledger.take((raw, code))
        self.codes[code] += 1
        if code == Code.APPLIED:
            self.applied[Kind(raw[0])] += 1
        self.check(self.ledger)
        return code

    def look(self):
        """Take the picture before an act: the last one, unless time has passed."""
        last = self.ledger.after
        same = last is not None and last.clock == self.world.totals.clock
        self.ledger.before = last if same else picture_of(self.world)

    def replay(self):
        """Take all steps again from genesis, and ask about the two roots."""
        self.ledger.roots = self.world.root(), self.world.replayed_root()
        self.check(self.ledger)
        self.ledger.roots = None

    def request(self, kind, *signers, **values):
        return self.act(self.world.request(kind, *signers, **values))

    def wait(self, milliseconds):
        self.world.wait(milliseconds)

    # Trades

    def order(self, who, slot, lots, side, alive=True):
        """The live order of a slot, or a new one if it lacks room; sides have slots apart."""
        key = who % len(self.actors), 2 * slot + side - 1
        known = self.orders.get(key)
        if known is None or (alive and self.ledger.filled_of(known) + lots > known.lots):
            limit = PRICE_MAX if side == Side.BUY else 1
            known = self.world.order(self.actor(who), slot=key[1], lots=2 * lots, limit_price=limit)
            self.orders[key] = known
        return known

    def trade(self, first, second, market, lots, off_ppm=0, buys=True, fees=(0, 0), alive=True):
        """A trade of two orders; not `alive`: of orders that may have been filled before."""
        return self.act(self.trade_of(first, second, market, lots, off_ppm, buys, fees, alive))

    def trade_of(self, first, second, market, lots, off_ppm=0, buys=True, fees=(0, 0), alive=True):
        side = Side.BUY if buys else Side.SELL
        if second % len(self.actors) == first % len(self.actors):
            second += 1
        mark = self.world.state.instruments[market].mark_price
        if market in IN_ORDER:
            mark = max(10, self.option_mark(market))
        price = max(10, int(mark) * (PPM + off_ppm) // PPM // 10 * 10)
        orders = [
            self.order(who, market, lots, its, alive)
            for who, its in ((first, side), (second, 3 - side))
        ]
        return self.world.trade(
            self.actor(first),
            self.actor(second),
            lots,
            price,
            side,
            market,
            maker=orders[0],
            taker=orders[1],
            maker_fee=fees[0],
            taker_fee=fees[1],
        )

    def option_mark(self, market):
        row = self.world.instrument(market)
        number = int(self.world.series.active_number)
        risk = row.rows[number % 2]
        return int(risk.values[13]) if number and risk.number == number else 0

    def cancel(self, who, slot):
        return self.act(self.world.cancel(self.actor(who), max(1, self.world.sequence), slot))

    def permute(self, first, second):
        """Two actions of other people in other markets, in one step, in both orders."""
        step.open_step(self.world.state, self.world.time)
        other = HouseWorld.__new__(HouseWorld)
        other.__dict__.update(self.world.__dict__)
        state = self.world.state
        other.state = state._make(np.copy(part).view(type(part)) for part in state)
        raws = [first.encode(), second.encode()]
        columns = other.columns(raws[::-1])
        swapped = np.zeros(2, np.int64)
        step.transition(other.state, columns, 0, 2, other.time, swapped)
        self.look()
        codes = self.world.judge(raws)
        self.ledger.take(*zip(raws, codes, strict=True))
        self.ledger.orders = (self.world.state, codes), (other.state, list(swapped[::-1]))
        self.check(self.ledger)
        self.ledger.orders = None

    # Money

    def deposit(self, who, amount, asset=0):
        return self.act(self.world.deposit(self.actor(who), amount, asset=asset))

    def withdraw(self, who, amount, asset=0):
        return self.act(self.world.withdraw(self.actor(who), amount, asset=asset))

    def transfer(self, who, other, amount, asset=0):
        trader, recipient = self.actor(who), self.actor(other)
        return self.act(self.world.transfer(trader, recipient, amount, asset=asset))

    def force(self, who, kind, amount, asset=0, other=0):
        trader = self.actor(who)
        return self.act(self.world.forced(InboxKind(kind), trader, amount, asset, other))

    def convert(self, keeper, who, amount=AMOUNT_MAX):
        keeper, owner = self.actor(keeper), self.actor(who)
        fields = {"keeper": keeper.account, "account": owner.account, "asset": COIN}
        return self.request(Kind.CONVERT, keeper.key, amount=amount, **fields)

    # Prices, funding, rows, expiry

    def price(self, market, move_ppm=0, basis_ppm=0):
        """A second later the publishers agree on another price."""
        self.wait(1_000)
        mark = int(self.world.instrument(market).mark_price) * (PPM + move_ppm) // PPM
        mark = max(1_000_000, min(mark, 400_000_000))
        index = max(1, mark + mark * basis_ppm // PPM)
        return self.act(self.world.price(market, mark, index))

    def crash(self, market, move_ppm, times):
        for _ in range(times):
            self.price(market, move_ppm)

    def price_coin(self, move_ppm):
        self.wait(1_000)
        price = int(self.world.state.assets[COIN].price) * (PPM + move_ppm) // PPM
        return self.act(self.world.price((1 << 31) + COIN, max(1, price)))

    def funding(self, market, elapsed=HOUR):
        self.wait(elapsed)
        return self.act(self.world.funding(market))

    def publish(self, extra=2_000_000):
        """Stage and activate rows of all options at the index of the moment."""
        return self.act(self.world.activation(price=self.stage(extra)))

    def stage(self, extra=2_000_000):
        """Stage rows of all options at the index of the moment; return it."""
        self.wait(1_000)
        world = self.world
        index = int(world.underlying.index_price)
        for action in world.staging(world.rows(index, extra), price=index):
            self.act(action)
        return index

    def call_order(self, who, market, lots, buys=True):
        """An order in a market's call, near half way between its stable price and its mark."""
        row = self.world.instrument(market)
        off = 102 if buys else 98
        price = (int(row.stable_price) + int(row.mark_price)) * off // 2_000 * 10
        side = int(Side.BUY if buys else Side.SELL)
        trader = self.actor(who)
        fields = {"account": trader.account, "instrument": market, "lots": lots}
        return self.request(Kind.CALL_ORDER, trader.key, side=side, price=price, **fields)

    def call_fill(self, buyer, seller, market):
        accounts = {"buyer": self.actor(buyer).account, "seller": self.actor(seller).account}
        return self.request(Kind.CALL_FILL, instrument=market, **accounts)

    def scenarios(self, first=0, count=SHOCK_COUNT, rest=0):
        """Write a part of the list; `rest` parts are to come."""
        part = (SHOCKS * 2)[first : first + count]
        shocks = [(price << 32) | (volatility & 0xFFFFFFFF) for price, volatility in part]
        fields = {"underlying": 0, "first": first, "rest": rest, "time": self.world.time}
        return self.act(self.world.published(Kind.SCENARIOS, shocks, **fields))

    def uncross(self, market, off_ppm):
        mark = int(self.world.instrument(market).mark_price)
        price = mark * (PPM + off_ppm) // PPM // 10 * 10
        fields = {"instrument": market, "price": price, "time": self.world.time}
        return self.act(self.world.published(Kind.UNCROSS, **fields))

    def mark_to_market(self, who):
        return self.request(Kind.MARK_TO_MARKET, account=self.actor(who).account)

    def expire(self):
        """The day of expiry: the index is priced once more, and every dated market expires."""
        self.world.time = max(self.world.time, EXPIRY_MS)
        self.price(BTC)
        for market in (FUTURE, *IN_ORDER):
            self.request(Kind.EXPIRE, instrument=market)

    def settle(self, who, market):
        return self.request(Kind.SETTLE, account=self.actor(who).account, instrument=market)

    # Failing accounts

    def liquidate(self, keeper, who, market, lots=LOTS_MAX):
        keeper, failing = self.actor(keeper), self.actor(who)
        return self.act(self.world.liquidate(keeper, failing, lots, market))

    def auction(self, who):
        return self.request(Kind.AUCTION_START, account=self.actor(who).account)

    def bid(self, bidder, who, fraction_ppm):
        taker, failing = self.actor(bidder), self.actor(who)
        fields = {"bidder": taker.account, "account": failing.account, "limit": AMOUNT_MAX}
        return self.request(Kind.AUCTION_BID, taker.key, fraction_ppm=fraction_ppm, **fields)

    def takeover(self, who, market):
        return self.act(self.world.pool_takeover(self.actor(who), market))

    def open(self, who, market, mode=Operation.DELEVERAGE):
        account = self.actor(who).account
        fields = {"instrument": market, "account": account, "mode": int(mode)}
        code = self.request(Kind.SWEEP_OPEN, **fields)
        if code == Code.APPLIED and self.world.instrument(market).operation:
            self.driver = Driver(self.world, account, market)
        return code

    def swept(self):
        return self.world.instrument(self.driver.instrument) if self.driver else None

    def tally(self, size=6):
        market = self.swept()
        if market is None or market.phase != Phase.TALLY:
            return
        side, cursor = int(market.side), int(market.cursor)
        rest = holders(self.world.state, self.driver.instrument, side)
        chunk = [id for id in rest if id < cursor][:size]
        self.driver.push(chunk, self.act(self.driver.tally_action(chunk)))

    def bear(self):
        market = self.swept()
        if market is not None and market.phase == Phase.APPLY and self.driver.stack:
            previous, chunk = self.driver.stack[-1]
            self.driver.pop(self.act(self.driver.apply_action(chunk, previous)))

    def close(self):
        if self.driver is None:
            return
        fields = {"instrument": self.driver.instrument, "account": self.driver.account}
        if self.request(Kind.SWEEP_CLOSE, **fields) == Code.APPLIED:
            self.driver = None

    def sweep(self, who, market, mode=Operation.DELEVERAGE, size=6):
        """A whole sweep, if the law lets it open."""
        self.open(who, market, mode)
        for _ in range(12):
            self.tally(size)
        for _ in range(12):
            self.bear()
        self.close()

    # Pools

    def pool_deposit(self, who, amount):
        return self.act(self.world.pool_deposit(self.actor(who), amount))

    def pool_withdraw(self, who, share_ppm):
        held = self.world.shares(self.actor(who))
        return self.act(self.world.pool_withdraw(self.actor(who), max(1, held * share_ppm // PPM)))

    def pool_trade(self, who, market, lots, buys=True):
        side = Side.BUY if buys else Side.SELL
        return self.act(self.world.pool_trade(self.actor(who), lots, side, instrument=market))

    # Keys, modes, governance

    def owner_check(self, who, market):
        """Add up what an owner holds in a market, in the one account that he has."""
        accounts = (self.actor(who).account,)
        return self.request(Kind.OWNER_CHECK, payload=accounts, instrument=market)

    def set_mode(self, who, mode):
        trader = self.actor(who)
        return self.request(Kind.SET_MODE, trader.key, account=trader.account, mode=int(mode))

    def grant(self, who, scope=31, limit=AMOUNT_MAX):
        trader = self.actor(who)
        key = int.from_bytes(address_of(f"key of {trader.name}"), "big")
        fields = {"first_instrument": 0, "last_instrument": 9, "key_expiry": NEVER_MS}
        fields |= {"account": trader.account, "key": key, "scope": scope, "limit": limit}
        return self.request(Kind.KEY_GRANT, trader.key, **fields)

    def by_key(self, who, other, amount):
        """A transfer that a session key signs."""
        trader = self.actor(who)
        robot = Trader(f"key of {trader.name}", trader.account)
        return self.act(self.world.transfer(robot, self.actor(other), amount))

    def revoke(self, who):
        trader = self.actor(who)
        key = int.from_bytes(address_of(f"key of {trader.name}"), "big")
        return self.request(Kind.KEY_REVOKE, trader.key, account=trader.account, key=key)

    def rotate(self, who):
        """A new key takes the owner's place; it signs from then on."""
        trader = self.actor(who)
        name = f"{trader.name}+"
        key = int.from_bytes(address_of(name), "big")
        if self.request(Kind.ROTATE_KEY, trader.key, account=trader.account, key=key) == 0:
            self.actors[who % len(self.actors)] = Trader(name, trader.account)

    def govern(self, kind, signer="governance", **values):
        sequence = int(self.world.totals.governance_sequence) + 1
        return self.request(kind, key_of(signer), sequence=sequence, **values)

    def set_params(self, **numbers):
        """Announce parameters with these changes, and enact them when their time has come."""
        params = np.copy(self.world.state.params).view(np.recarray)
        params[0].version += 1
        params[0].pending_time = 0
        params[0].pending_hash = 0
        for name, number in numbers.items():
            params[0][name] = number
        payload = tuple(params.view(np.int64).ravel().tolist())
        self.govern(Kind.SET_PARAMS, payload=payload)
        self.request(Kind.ENACT, payload=payload)
        self.wait(60_000)
        return self.request(Kind.ENACT, payload=payload)

    def set_market(self, market, signer="governance", **terms):
        row = self.world.instrument(market)
        fields = {
            "instrument": market,
            "status": int(row.status),
            "tier": int(row.tier),
            "open_interest_cap": int(row.open_interest_cap),
            "position_cap": int(row.position_cap),
        }
        return self.govern(Kind.SET_MARKET, signer, **(fields | terms))

    def set_asset(self, **terms):
        """Other terms for the collateral, a timelock later."""
        self.wait(60_000)
        row = self.world.state.assets[COIN]
        names = ("status", "haircut_ppm", "initial_haircut_ppm", "scale", "cap", "peg_price",
                 "peg_threshold_ppm", "peg_factor_ppm")  # fmt: skip
        payload = [terms.get(name, int(row[name])) for name in names]
        return self.govern(Kind.SET_ASSET, asset=COIN, payload=payload)

    def set_grid(self, up=600_000):
        """The same grid with volatility that rises further; it voids all rows."""
        row = self.world.underlying
        payload = [int(row.volatility_down_ppm), up, *row.prices.tolist(), *row.damps.tolist()]
        return self.govern(Kind.SET_GRID, underlying=0, payload=payload)

    def enact_grid(self):
        """The announced grid's time has come: its rows are staged, and it begins."""
        self.wait(60_000)
        self.stage()
        return self.request(Kind.ENACT_GRID, underlying=0)

    def listing(self):
        """One more perpetual, in the last row that there is."""
        symbol = pieces(b"NEW-PERP".ljust(32, b"\0")).tolist()
        market = int(self.world.totals.instrument_count)
        payload = [1, 0, 0, 0, 0, 10, 10**6, 10**6, 10**6, 0, *symbol]
        return self.govern(Kind.LIST, instrument=market, underlying=0, payload=payload)

    def halt(self):
        self.govern(Kind.HALT, "guardian")
        self.trade(0, 1, BTC, 1)
        self.govern(Kind.RESUME)
