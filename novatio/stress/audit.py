"""The audit of a stress run: conservation from the leaves, and who paid for a failure.

Nothing here is asked of the law but margins: sums are recomputed from account, market, fund and
asset leaves after every step, and compared with what came in and went out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from clearing.codes import Fund
from clearing.sweep import margins
from clearing.units import POSITIONS_MAX

__all__ = ["STAGES", "Audit", "Snapshot"]

# The steps of the waterfall in their order; what is left behind them is at `halt`.
STAGES: Final = (
    "partial_close",
    "auction",
    "collateral",
    "insurance",
    "sleeve",
    "deleverage",
    "socialise",
    "halt",
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the leaves say between two steps, in Python integers, by account id.

    ``equity`` and both margins in micro-quote are the law's own; ``lots`` by (account, market).
    """

    cash: tuple[int, ...]
    equity: tuple[int, ...]
    initial: tuple[int, ...]
    maintenance: tuple[int, ...]
    lots: dict[tuple[int, int], int]
    insurance: int

    @property
    def deficit(self) -> int:
        """Micro-quote that all accounts below zero lack together."""
        return sum(-equity for equity in self.equity if equity < 0)

    def holds(self, account: int, instrument: int) -> bool:
        """Tell whether an account has a position in a market."""
        return (account, instrument) in self.lots


class Audit:
    """Looks at the state after every step and keeps the worst of what it saw.

    ``residual_micro`` is the largest difference between what is there and what should be, of cash
    or (in units) of any asset; ``residual_lots`` the same of lots. ``paid`` is what each stage took
    off the deficit, negative if it added to it; ``found`` is what everything else (prices first of
    all) added. So ``found = sum of paid + deficit`` always.
    """

    def __init__(self, state: Any) -> None:
        """Begin at a state; it is read in place from now on."""
        self._state = state
        self._deposits: Counter[int] = Counter()
        self.residual_micro = 0
        self.residual_lots = 0
        self.found = 0
        self.paid: Counter[str] = Counter()
        self.flat_touched: set[int] = set()
        self.deleveraged_lots = 0
        self.overshoot_lots = 0
        self._open_sweeps: dict[int, int] = {}
        self.last = self._snapshot()

    def expect_deposit(self, asset: int, amount: int) -> None:
        """Note units that have just come in: custody must hold them."""
        self._deposits[asset] += amount

    def look(self) -> None:
        """Take the state as it is for the beginning of the next step."""
        self.last = self._snapshot()

    def after_step(
        self, stage: str, parties: Sequence[int] = (), instruments: Sequence[int] = ()
    ) -> None:
        """Audit the step that just ran.

        ``stage`` is one of STAGES if it belonged to the waterfall, and then ``parties`` are the
        accounts that it was about and ``instruments`` the markets (empty: those the parties held).
        """
        before, self.last = self.last, self._snapshot()
        self._check_conservation()
        change = before.deficit - self.last.deficit
        if not stage:
            self.found -= change
            return
        insured = max(0, before.insurance - self.last.insurance)
        self.paid["insurance"] += insured
        self.paid[stage] += change - insured
        self._check_flat(before, parties, instruments)

    def open_sweep(self, instrument: int, bankrupt: int) -> None:
        """Note how many lots a deleveraging that was just opened may close at most."""
        self._open_sweeps[instrument] = abs(self.last.lots.get((bankrupt, instrument), 0))

    def close_lots(self, instrument: int, bankrupt: int, before: Snapshot) -> None:
        """Note what one action of an open deleveraging took from the winners."""
        closed = sum(
            abs(lots) - abs(self.last.lots.get((account, market), 0))
            for (account, market), lots in before.lots.items()
            if market == instrument and account != bankrupt
        )
        self.deleveraged_lots += closed
        allowed = self._open_sweeps.get(instrument, 0) - closed
        self._open_sweeps[instrument] = allowed
        if allowed < 0:
            self.overshoot_lots = max(self.overshoot_lots, -allowed)

    def by_step(self) -> dict[str, int]:
        """Micro-quote that each stage took off the deficit; at `halt` what nobody has paid."""
        found = {stage: int(self.paid[stage]) for stage in STAGES}
        found["halt"] += self.last.deficit
        return found

    def _snapshot(self) -> Snapshot:
        state = self._state
        totals = state.globals[0]
        count = int(totals.account_count)
        equity, initial, maintenance, _ = margins(state)
        rows = state.accounts[:count]
        in_use = np.arange(POSITIONS_MAX) < rows["position_count"][:, None]
        holders = np.nonzero(in_use)[0].tolist()
        positions = rows["positions"][in_use]
        held = zip(holders, positions["instrument"].tolist(), strict=True)
        return Snapshot(
            cash=tuple(rows["cash"].tolist()),
            equity=tuple(equity.tolist()),
            initial=tuple(initial.tolist()),
            maintenance=tuple(maintenance.tolist()),
            lots=dict(zip(held, positions["lots"].tolist(), strict=True)),
            insurance=int(state.funds[Fund.INSURANCE].balance),
        )

    def _check_conservation(self) -> None:
        state = self._state
        totals = state.globals[0]
        cash = sum(self.last.cash)
        pots = sum(state.instruments["pot"].tolist())
        funds = sum(state.funds["balance"].tolist())
        left: Counter[int] = Counter()
        for one in state.withdrawals[: totals.withdrawal_count]:
            left[int(one.asset)] += int(one.amount)
        custody = self._deposits[0] - left[0]
        differences = [
            cash + pots + funds - custody,
            int(totals.custody) - custody,
            int(totals.cash_total) - cash,
            int(totals.pot_total) - pots,
            min(0, *state.funds["balance"].tolist()),
        ]
        for asset in state.assets[1 : totals.asset_count]:
            held = self._held(int(asset.id))
            custody = self._deposits[int(asset.id)] - left[int(asset.id)]
            differences += [held - custody, int(asset.custody) - custody, int(asset.held) - held]
        self.residual_micro = max(self.residual_micro, *map(abs, differences))
        self._check_lots()

    def _held(self, asset: int) -> int:
        rows = self._state.accounts[: self._state.globals[0].account_count]
        return sum(
            int(one.amount)
            for row in rows
            for one in row.collaterals[: row.collateral_count]
            if one.asset == asset
        )

    def _check_lots(self) -> None:
        sums: Counter[int] = Counter()
        longs: Counter[int] = Counter()
        for (_, instrument), lots in self.last.lots.items():
            sums[instrument] += lots
            longs[instrument] += max(0, lots)
        for row in self._state.instruments:
            id = int(row.id)
            open_interest = int(row.open_interest)
            self.residual_lots = max(
                self.residual_lots, abs(sums[id]), abs(longs[id] - open_interest)
            )

    def _check_flat(
        self, before: Snapshot, parties: Sequence[int], instruments: Sequence[int]
    ) -> None:
        """Note every account that lost or gained cash and held none of the markets."""
        markets = set(instruments) or {
            market for account, market in before.lots if account in parties
        }
        for account, cash in enumerate(before.cash):
            if cash == self.last.cash[account] or account in parties:
                continue
            if not any(before.holds(account, market) for market in markets):
                self.flat_touched.add(account)
