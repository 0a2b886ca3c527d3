"""A court that is frozen at any state that a test wants to leave from.

The state is written, not earned: the court looks at roots, and whether the law made them is the
matter of other tests. `settle` posts it as a batch, lets it become final, and begins the exit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clearing.genesis import GenesisAsset, GenesisInstrument, GenesisPool, GenesisUnderlying
from clearing.keccak import pieces
from clearing.recovery import address_of
from clearing.units import LOTS_MAX
from prover.engine import Engine
from prover.exits import exit_claim, exit_opening
from tests.support.world import START_MS, genesis
from tests.verifier.court_world import BOB, SEQUENCER, World
from verifier.base.transactions import (
    BeginExit,
    ClaimExit,
    Deposit,
    Faucet,
    Finalise,
    Freeze,
    PayExit,
    PostBatch,
)
from verifier.batch import BatchData, Pair, Step, data_hash, steps_root
from verifier.events import ExitPaid

EXPIRY_MS = START_MS + 30 * 86_400_000
PERPETUAL, SECOND, CALL = 0, 1, 2
MARKETS = (
    GenesisInstrument("BTC-PERP", 0, 10, 1_000_000, LOTS_MAX, LOTS_MAX),
    GenesisInstrument("ETH-PERP", 0, 10, 1_000_000, LOTS_MAX, LOTS_MAX),
    GenesisInstrument("BTC-CALL", 0, 10, 1_000_000, LOTS_MAX, LOTS_MAX, kind=3, strike=40),
)
ASSETS = (
    GenesisAsset(50_000, 50_000, 1 << 40, 1 << 40),
    GenesisAsset(10_000, 50_000, 1 << 40, 1 << 40),
)


@dataclass(frozen=True)
class Holder:
    """What an account holds: micro-quote; (market, lots, entry cost); (asset, units)."""

    cash: int = 0
    positions: tuple[tuple[int, int, int], ...] = ()
    units: tuple[tuple[int, int], ...] = ()
    owner: bytes = b""


class ExitWorld(World):
    """Accounts 0 and 1 are the pool's; `holders` follow from account 2 on."""

    def settle(
        self,
        *holders: Holder,
        funds: int = 0,
        prices: tuple[int, ...] = (50, 20),
        change: Callable[[Any], None] | None = None,
    ) -> None:
        """Stand at a final state with these accounts, so late that anyone may freeze.

        `change` may write more into the state.
        """
        self.fund()
        self.engine = Engine(
            genesis(
                instruments=MARKETS,
                assets=ASSETS,
                pools=(GenesisPool(),),
                underlyings=(GenesisUnderlying(expiries=(EXPIRY_MS,)),),
            )
        )
        custody = sum(holder.cash for holder in holders) + funds
        units = {asset: 0 for asset in (1, 2)}
        for holder in holders:
            for asset, amount in holder.units:
                if asset in units:
                    units[asset] += amount
        for asset, amount in ((0, custody), *units.items()):
            if amount:
                self.endow(asset, amount)
        self.engine.edit(lambda state: self.write(state, holders, funds, prices, units))
        if change is not None:
            self.engine.edit(change)
        self.post_state()

    def endow(self, asset: int, amount: int) -> None:
        """Deposit money for whoever: the state says whose it is."""
        self.send(BOB, Faucet(address_of(BOB), 0, amount, asset))
        receipt = self.send(BOB, Deposit(b"\xdd" * 20, 0, asset, amount))
        assert receipt.error is None, receipt.text

    def write(self, state: Any, holders: Any, funds: int, prices: Any, units: Any) -> None:
        """Write the accounts, prices, assets and totals into the state."""
        totals, inbox = state.globals[0], self.court.inbox
        totals.inbox_count = inbox.count
        totals.inbox_accumulator = pieces(inbox.accumulator_at(inbox.count))
        totals.clock = self.now
        totals.custody = sum(holder.cash for holder in holders) + funds
        totals.account_count = 2 + len(holders)
        for market, price in enumerate(prices):
            state.instruments[market].stable_price = price
            state.instruments[market].mark_price = price + 7  # never used beside a stable price
        for asset, (price, amount) in enumerate(((2_000_000, units[1]), (500_000, units[2])), 1):
            row = state.assets[asset]
            row.price, row.stable_price = price * 3, price
            row.custody = row.held = amount
        for account, holder in enumerate(holders, 2):
            row = state.accounts[account]
            row.id, row.cash = account, holder.cash
            row.owner = pieces(bytes(12) + (holder.owner or bytes([account]) * 20))
            row.position_count = len(holder.positions)
            for place, (market, lots, cost) in enumerate(holder.positions):
                held = row.positions[place]
                held.instrument, held.lots, held.entry_cost = market, lots, cost
            row.collateral_count = len(holder.units)
            for place, (asset, amount) in enumerate(holder.units):
                held = row.collaterals[place]
                held.asset, held.amount = asset, amount
            row.page_rows[:] = -1

    def post_state(self) -> None:
        """Post the state as a batch, make it final, and freeze."""
        step = Step(self.now, (b"\x04",))
        root, opening = self.engine.root(), self.engine.opening()
        pairs = (Pair(step.hash(), root),)
        data = BatchData(pairs, (step,)).encode()
        batch = self.build(
            steps=(step,),
            post_root=root,
            steps_root=steps_root(pairs),
            data_hash=data_hash(data),
            data_length=len(data),
        )
        body = PostBatch(self.config.bond, batch.header.encode(), opening.encode(), data)
        receipt = self.send(SEQUENCER, body)
        assert receipt.error is None, receipt.text
        self.opened[batch.id] = opening.globals()
        self.pass_window()
        assert self.send(BOB, Finalise(batch.id)).error is None
        self.now = opening.globals().clock + self.config.freeze_lag_ms + 1

    def begin(self) -> Any:
        """Freeze and begin the exit; return the event."""
        assert self.send(BOB, Freeze()).error is None
        receipt = self.send(BOB, BeginExit(exit_opening(self.engine).encode()))
        assert receipt.error is None, receipt.text
        return receipt.events[0]

    def claim(self, *accounts: int) -> None:
        """File the claims of these accounts."""
        for account in accounts:
            receipt = self.send(BOB, ClaimExit(exit_claim(self.engine, account).encode()))
            assert receipt.error is None, receipt.text

    def close_claims(self) -> None:
        """Let the time for claims pass."""
        self.chain.mine(self.config.exit_claim_blocks)

    def pay(self, *accounts: int) -> dict[int, tuple[int, ...]]:
        """Have these accounts paid; return what each got, by asset."""
        paid = {}
        for account in accounts:
            receipt = self.send(BOB, PayExit(account))
            assert receipt.error is None, receipt.text
            (event,) = receipt.events
            assert isinstance(event, ExitPaid)
            paid[account] = event.amounts
        return paid

    def leave(self, *accounts: int) -> dict[int, tuple[int, ...]]:
        """Begin, file and pay in this order."""
        self.begin()
        self.claim(*accounts)
        self.close_claims()
        return self.pay(*accounts)
