"""The law of netting as entries that take and give plain integers, for ``clearing.formulas``."""

from __future__ import annotations

from collections.abc import Sequence

from clearing import netting
from clearing.compiler import law_entry
from clearing.formulas.columns import array, column, empty
from clearing.layout import Rows


@law_entry
def _net(
    accounts: Rows[int], amounts: Rows[int], net_accounts: Rows[int], net_amounts: Rows[int]
) -> int:
    return netting.net_legs(accounts, amounts, net_accounts, net_amounts)


@law_entry
def _terms(amounts: Rows[int], net_amounts: Rows[int]) -> tuple[int, int, int, bool]:
    gross = netting.turnover(amounts)
    net = netting.turnover(net_amounts)
    return gross, net, netting.netting_ratio_ppm(gross, net), netting.is_balanced(amounts)


def _netted(accounts: Rows[int], amounts: Rows[int]) -> tuple[Rows[int], Rows[int]]:
    net_accounts, net_amounts = empty(accounts.shape[0]), empty(accounts.shape[0])
    count = _net(accounts, amounts, net_accounts, net_amounts)
    return net_accounts[:count], net_amounts[:count]


def netting_report(
    legs: Sequence[dict[str, int]],
) -> tuple[Rows[int], Rows[int], int, int, int, bool]:
    """Return the net legs of rows (account, amount) and what netting saved."""
    amounts = column(legs, "amount")
    accounts, nets = _netted(column(legs, "account"), amounts)
    return accounts, nets, *_terms(amounts, nets)


def compress_trades(
    trades: Sequence[dict[str, int]],
) -> tuple[Rows[int], Rows[int], Rows[int], int, int]:
    """Return (accounts, net lots, net cash, gross lots, net lots) of rows (buyer, seller, ...)."""
    accounts = array([row[side] for row in trades for side in ("buyer", "seller")])
    lots = array([sign * row["lots"] for row in trades for sign in (1, -1)])
    cash = array([sign * row["lots"] * row["price"] for row in trades for sign in (-1, 1)])
    owners, net_lots = _netted(accounts, lots)
    _, net_cash = _netted(accounts, cash)
    gross, net, _, _ = _terms(lots, net_lots)
    return owners, net_lots, net_cash, gross, net


@law_entry
def _keeps(
    accounts_before: Rows[int],
    lots_before: Rows[int],
    accounts_after: Rows[int],
    lots_after: Rows[int],
) -> bool:
    return netting.keeps_positions(accounts_before, lots_before, accounts_after, lots_after)


def tear_up_check(before: Sequence[dict[str, int]], after: Sequence[dict[str, int]]) -> bool:
    """Return ``netting.keeps_positions`` of rows (account, lots)."""
    return _keeps(
        column(before, "account"),
        column(before, "lots"),
        column(after, "account"),
        column(after, "lots"),
    )
