"""Collateral other than cash: what it counts for, what to pledge, and requests about it.

    holdings = holdings_of(client.account(3), client.assets())
    best = optimise(micro("250"), holdings, {1: 40_000, 2: 15_000})
    client.submit_owned(convert(keeper=5, account=3, asset=2, amount="0.5"))

Amounts are of an asset; the law counts its units, 1e-6 of one. What an owner forces past an
operator goes to the base layer: ``send(base, signer, Force(forced_withdrawal(3, "250")))``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from clearing.codes import InboxKind, Kind
from clearing.units import AMOUNT_MAX, MICRO, PPM, SETTLEMENT_ASSET
from node.v1 import node_pb2 as pb
from novatio.orders import Market, Number, micro
from novatio.pool import Owned
from verifier.inbox import ForcedRequest, forced_price

__all__ = [
    "Holding",
    "Optimum",
    "Pledge",
    "convert",
    "forced_cancel",
    "forced_close",
    "forced_liquidation",
    "forced_price",
    "forced_withdrawal",
    "holdings_of",
    "optimise",
]


@dataclass(frozen=True, slots=True)
class Holding:
    """Units of an asset, their value in micro-quote, and what margin takes off it (ppm).

    ``haircut_ppm`` is what equity takes off, ``initial_haircut_ppm`` what initial margin does,
    concentration, a lost peg and stale prices aside.
    """

    asset: int
    units: int
    value: int
    haircut_ppm: int
    initial_haircut_ppm: int


@dataclass(frozen=True, slots=True)
class Pledge:
    """What of an asset to pledge: units, and their value in micro-quote before the haircut."""

    asset: int
    units: int
    value: int


@dataclass(frozen=True, slots=True)
class Optimum:
    """The cheapest pledges, what they count for and cost in micro-quote, and if that is enough."""

    pledges: tuple[Pledge, ...]
    covered: int
    cost: int
    sufficient: bool


def holdings_of(account: pb.Account, assets: Iterable[pb.Asset]) -> list[Holding]:
    """Return an account's cash, if it has any, and its collateral, but for shares of pools."""
    known = {asset.id: asset for asset in assets}
    found = []
    if account.cash_micro > 0:
        cash = account.cash_micro
        found.append(Holding(SETTLEMENT_ASSET, cash, cash, 0, 0))
    for held in account.collaterals:
        asset = known.get(held.asset)
        if asset is not None:
            value = held.amount * asset.price_micro // MICRO
            deep = min(PPM, asset.haircut_ppm + asset.initial_haircut_ppm)
            found.append(Holding(asset.id, held.amount, value, asset.haircut_ppm, deep))
    return found


def optimise(required: int, holdings: Iterable[Holding], costs_ppm: Mapping[int, int]) -> Optimum:
    """Return the cheapest pledge that counts for ``required`` micro-quote of initial margin.

    ``costs_ppm`` is what pledging an asset costs its owner, of its value; assets that it does not
    name cost nothing. The law's own formula, optimise_collateral.
    """
    from clearing.formulas.collateral_entries import optimise as cheapest

    rows = list(holdings)
    if not rows:
        return Optimum((), 0, 0, required <= 0)
    terms = [
        {
            "value": one.value,
            "haircut_ppm": one.initial_haircut_ppm,
            "cost_ppm": costs_ppm.get(one.asset, 0),
        }
        for one in rows
    ]
    pledged, covered, cost, sufficient = cheapest(required, terms)
    pledges = tuple(
        Pledge(one.asset, -(-one.units * int(value) // one.value), int(value))
        for one, value in zip(rows, cast(Any, pledged), strict=True)
        if value
    )
    return Optimum(pledges, int(covered), int(cost), bool(sufficient))


def convert(keeper: int, account: int, asset: int, amount: Number | None = None) -> Owned:
    """Buy collateral of an account that owes cash: at most ``amount``, None for all it needs."""
    units = AMOUNT_MAX if amount is None else micro(amount)
    values = {"keeper": keeper, "account": account, "asset": asset, "amount": units}
    return Owned(Kind.CONVERT, values)


def forced_withdrawal(account: int, amount: Number, asset: int = SETTLEMENT_ASSET) -> ForcedRequest:
    """Have up to ``amount`` of an asset paid to the owner whatever the operator does."""
    return ForcedRequest(InboxKind.WITHDRAW, account, asset, 0, micro(amount))


def forced_cancel(account: int, sequence: int) -> ForcedRequest:
    """Kill every order up to ``sequence``, and end a forced close."""
    return ForcedRequest(InboxKind.CANCEL_ALL, account, 0, 0, sequence)


def forced_close(market: Market, account: int, size: Number) -> ForcedRequest:
    """Offer ``size`` of a position to keepers, at a penalty that rises from nothing."""
    lots = market.lots(size)
    return ForcedRequest(InboxKind.CLOSE_POSITION, account, market.instrument, 0, lots)


def forced_liquidation(market: Market, keeper: int, account: int, size: Number) -> ForcedRequest:
    """Take up to ``size`` of a failing account's position whatever the operator does."""
    lots = market.lots(size)
    return ForcedRequest(InboxKind.LIQUIDATE, keeper, market.instrument, account, lots)
