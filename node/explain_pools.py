"""Why an action on a pool was rejected; see ``node.explain``."""

from __future__ import annotations

from typing import Any

from clearing.codes import Code, Kind
from clearing.units import SHARES_BASE
from node.explain_markets import Rule
from node.margins import margin_of


def _pool(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    count, id = int(state.globals[0].pool_count), int(action["pool"])
    operands: dict[str, Any] = {"pool": id, "pool_count": count}
    if id >= count:
        return f"pool {id} does not exist, there are {count}", operands
    pool = state.pools[id]
    own = margin_of(state, int(pool.account))
    operands |= {
        "equity_micro": own.equity,
        "notional_micro": own.notional,
        "shares": int(pool.shares),
        "deposit_cap_micro": int(pool.deposit_cap),
        "sleeve_cap_micro": int(pool.sleeve_cap),
        "reserve_ppm": int(pool.reserve_ppm),
        "profit_cap_ppm": int(pool.profit_cap_ppm),
    }
    return (
        f"pool {id} has equity {own.equity} and positions of {own.notional} micro-quote; it "
        f"reserves {operands['reserve_ppm']} ppm, takes deposits to {operands['deposit_cap_micro']}"
        f" and pays profits of {operands['profit_cap_ppm']} ppm of its value in one action",
        operands,
    )


def _pool_locked(state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    asset, wanted = SHARES_BASE + int(action["pool"]), int(action["amount"])
    account = state.accounts[int(action["account"])]
    held = unlock = 0
    for entry in account["collaterals"][: int(account["collateral_count"])]:
        if int(entry["asset"]) == asset:
            held, unlock = int(entry["amount"]), int(entry["unlock_time"])
    return (
        f"{wanted} shares were asked for, the account holds {held}, locked until {unlock} ms",
        {
            "shares": wanted,
            "shares_held": held,
            "unlock_time_ms": unlock,
            "clock_ms": int(state.globals[0].clock),
        },
    )


def _slippage(_state: Any, action: Any) -> tuple[str, dict[str, Any]]:
    if action["kind"] == int(Kind.POOL_TRADE):
        limit = int(action["price"])
        return (
            f"the mark and the price impact are worse than the limit {limit} a lot",
            {"limit_micro": limit},
        )
    limit = int(action["limit"])
    return f"the pool would give less than the limit {limit}", {"limit": limit}


RULES: dict[Code, Rule] = {
    Code.NO_POOL: _pool,
    Code.POOL_CAP: _pool,
    Code.POOL_PROFIT: _pool,
    Code.POOL_LOCKED: _pool_locked,
    Code.SLIPPAGE: _slippage,
}
