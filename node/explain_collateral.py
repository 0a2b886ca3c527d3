"""Why collateral could not move, or a gate held a withdrawal up; see ``node.explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearing.codes import Code, Kind
from clearing.units import COLLATERALS_MAX, VALUE_MAX
from node.explain_markets import Rule
from node.margins import margin_of


def _cap(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    taker = "account" if action["kind"] == int(Kind.CONVERT) else "counterparty"
    id, asset = int(action[taker]), int(action["asset"])
    operands = {
        "account": id,
        "asset": asset,
        "entries": int(state.accounts[id]["collateral_count"]),
        "price_micro": int(state.assets[asset]["price"]),
        "value_max_micro": VALUE_MAX,
    }
    return (
        f"account {id} has {operands['entries']} of {COLLATERALS_MAX} entries, and may hold of "
        f"asset {asset}, at {operands['price_micro']} micro-quote, at most what is worth "
        f"{VALUE_MAX}",
        operands,
    )


def _not_needed(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    if action["kind"] != int(Kind.CONVERT):
        return "nothing is owed that the action could cover", {}
    id, asset = int(action["counterparty"]), int(action["asset"])
    row = state.accounts[id]
    held = {int(one["asset"]): int(one["amount"]) for one in row["collaterals"]}
    operands = {
        "account": id,
        "cash_micro": int(row["cash"]),
        "equity_micro": margin_of(state, id).equity,
        "units": held.get(asset, 0),
    }
    return (
        f"account {id} holds {operands['units']} units of asset {asset}, cash of "
        f"{operands['cash_micro']} and equity, collateral included, of {operands['equity_micro']} "
        "micro-quote: its cash and positions owe nothing, or there is nothing to sell",
        operands,
    )


def _gate(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    totals = state.globals[0]
    operands = {
        "clock_ms": int(totals.clock),
        "freeze_until_ms": int(totals.freeze_until),
        "capacity_micro": int(totals.gate_capacity),
        "capacity_time_ms": int(totals.gate_time),
        "period_ms": int(state.params[0].gate_period_ms),
    }
    if action["kind"] == int(Kind.LIQUIDATE):
        return (
            "a gap of the market's price is being auctioned, or the time to answer after an outage "
            f"is not over; the clock is at {operands['clock_ms']} ms",
            {"clock_ms": operands["clock_ms"], "instrument": int(action["instrument"])},
        )
    return (
        f"accounts with positions take nothing before {operands['freeze_until_ms']} ms, nor more "
        f"than the capacity, {operands['capacity_micro']} micro-quote at "
        f"{operands['capacity_time_ms']} ms and refilled in {operands['period_ms']} ms; close the "
        "positions, take less, or force the withdrawal: novatio inbox force withdraw",
        operands,
    )


RULES: Mapping[Code, Rule] = {
    Code.COLLATERAL_CAP: _cap,
    Code.NOT_NEEDED: _not_needed,
    Code.GATED: _gate,
    Code.RATE_LIMIT: _gate,
}
