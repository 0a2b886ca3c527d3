"""What the demo claims, how each claim is checked, and how it is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from clearing.codes import Code
from clearing.records import State
from verifier.base.interface import BondTotals, Solvency

__all__ = ["Books", "Check", "Report", "books_of"]


@dataclass(frozen=True, slots=True)
class Books:
    """Sums over every account, pot and fund of a state, in micro-quote; lots by instrument."""

    cash: int
    pots: int
    funds: int
    custody: int
    lots: tuple[int, ...]
    long_lots: tuple[int, ...]
    open_interest: tuple[int, ...]

    @property
    def conserved(self) -> bool:
        """Whether all money is somewhere."""
        return self.cash + self.pots + self.funds == self.custody

    @property
    def zero_sum(self) -> bool:
        """Whether every long has its short, and open interest is the lots held on one side."""
        return not any(self.lots) and self.long_lots == self.open_interest


def books_of(state: State) -> Books:
    """Add everything up from scratch, from the rows alone, in unbounded integers."""
    rows = cast(Any, state)
    totals = rows.globals[0]
    accounts = rows.accounts[: int(totals.account_count)]
    instruments = rows.instruments[: int(totals.instrument_count)]
    lots = np.zeros(len(instruments), dtype=object)
    longs = np.zeros(len(instruments), dtype=object)
    for account in accounts:
        for position in account.positions[: int(account.position_count)]:
            lots[int(position.instrument)] += int(position.lots)
            longs[int(position.instrument)] += max(int(position.lots), 0)
    return Books(
        cash=sum(map(int, accounts["cash"])),
        pots=sum(map(int, instruments["pot"])),
        funds=sum(map(int, rows.funds[: int(totals.fund_count)]["balance"])),
        custody=int(totals.custody),
        lots=tuple(lots),
        long_lots=tuple(longs),
        open_interest=tuple(map(int, instruments["open_interest"])),
    )


@dataclass(frozen=True, slots=True)
class Check:
    """One claim: what was expected, what was found, and whether they agree."""

    name: str
    expected: str
    actual: str
    holds: bool


@dataclass(slots=True)
class Report:
    """Everything that the demo found out. Money in micro-quote, bonds in gwei."""

    seed: int = 0
    accounts: int = 0
    minutes: int = 0
    wall_seconds: float = 0.0
    trades_submitted: int = 0
    trades_applied: int = 0
    trades_rejected: dict[str, int] = field(default_factory=dict)
    liquidations: int = 0
    batches_posted: int = 0
    batches_finalised: int = 0
    forgeries_posted: int = 0
    forgeries_proven: int = 0
    honest_batches_reverted: int = 0
    bond_slashed: int = 0
    bond_burned: int = 0
    prover_rewarded: int = 0
    stake_burned: int = 0
    value_conserved: bool = False
    open_interest_zero_sum: bool = False
    withdrawals_claimed: int = 0
    final_state_root: str = ""
    checks: list[Check] = field(default_factory=list)

    def expect(self, name: str, expected: object, actual: object) -> None:
        """Check that `actual` equals `expected`."""
        self.checks.append(Check(name, str(expected), str(actual), expected == actual))

    def expect_that(self, name: str, expected: str, actual: object, holds: bool) -> None:
        """Check anything else; `expected` says it in words."""
        self.checks.append(Check(name, expected, str(actual), holds))

    @property
    def failures(self) -> list[Check]:
        """The checks that do not hold."""
        return [check for check in self.checks if not check.holds]

    @property
    def ok(self) -> bool:
        """Whether there were checks and every one of them holds."""
        return bool(self.checks) and not self.failures

    def json(self) -> str:
        """Return the report as one JSON document."""
        return json.dumps({**asdict(self), "ok": self.ok}, indent=2)

    def lines(self) -> Iterator[str]:
        """Yield the report as plain lines: the numbers, then the checks."""
        for name, value in asdict(self).items():
            if name == "checks":
                continue
            shown = _pairs(value) if isinstance(value, dict) else value
            yield f"{name.replace('_', ' '):>24}  {shown}"
        for check in self.checks:
            yield f"{'ok' if check.holds else 'FAILED':>24}  {check.name}"
            if not check.holds:
                yield f"{'':>24}    expected {check.expected}, was {check.actual}"


def check_money(
    report: Report,
    books: Books,
    solvency: Solvency,
    bonds: BondTotals,
    deposited: int,
    paid: int,
    committed: int,
) -> None:
    """Check every sum over money: the law's, the escrow's and the bonds'.

    `deposited` and `paid` are what the demo itself put in and what the base layer paid out,
    `committed` is the price of all commitments to proofs, which is burned.
    """
    report.value_conserved = books.conserved and solvency.holds
    report.open_interest_zero_sum = books.zero_sum
    report.expect(
        "cash, pots and funds add up to custody",
        books.custody,
        books.cash + books.pots + books.funds,
    )
    report.expect("custody is deposits less withdrawals", deposited - paid, books.custody)
    report.expect_that(
        "escrow covers what the last state owes", "equal sums", solvency, solvency.holds
    )
    report.expect("every long has its short", [0] * len(books.lots), list(books.lots))
    report.expect("open interest is the sum of longs", books.open_interest, books.long_lots)
    report.expect(
        "bonds: paid + burned + held = deposited",
        bonds.deposited,
        bonds.paid + bonds.burned + bonds.held,
    )
    report.expect(
        "bonds and stakes burned as disputes and commitments say",
        report.bond_burned + report.stake_burned + committed,
        bonds.burned,
    )
    report.expect(
        "half of what was slashed went to the prover",
        report.bond_slashed // 2,
        report.prover_rewarded,
    )
    report.expect(
        "the other half burned", report.bond_slashed - report.bond_slashed // 2, report.bond_burned
    )


def check_trades(report: Report, flaws: Mapping[Code, int], natural: frozenset[Code]) -> None:
    """Check that every flawed trade was rejected as it had to be, and no other but naturally.

    `flaws` counts the trades that were wrong on purpose; codes in `natural` may also happen to
    honest trades while the market crashes.
    """
    rejected = report.trades_rejected
    for code, count in sorted(flaws.items()):
        found = rejected.get(code.name, 0)
        if code in natural:
            report.expect_that(
                f"{code.name} rejections", f"at least {count}", found, found >= count
            )
        else:
            report.expect(f"{code.name} rejections", count, found)
    allowed = {code.name for code in natural} | {code.name for code in flaws}
    report.expect("no other rejections", [], sorted(set(rejected) - allowed))
    report.expect(
        "every trade was applied or rejected",
        report.trades_submitted,
        report.trades_applied + sum(rejected.values()),
    )
    report.expect_that(
        "trades were applied",
        "most of them",
        report.trades_applied,
        2 * report.trades_applied > report.trades_submitted,
    )
    report.expect_that(
        "the crash liquidated somebody", "more than 0", report.liquidations, report.liquidations > 0
    )


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items())) or "none"
