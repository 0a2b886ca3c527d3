"""Pools of liquidity providers as the wire shows them, valued by the law's own arithmetic."""

from __future__ import annotations

from typing import Any, cast

from clearing.formulas.pool_entries import share_price
from clearing.pool_pricing import POOL_MAX
from clearing.records import State
from node.margins import margin_of
from node.v1 import node_pb2


def pool_message(state: State, id: int) -> Any:
    """Return pool ``id``, which exists, as the wire shows it."""
    pool = cast(Any, state).pools[id]
    own, sleeve = margin_of(state, int(pool.account)), margin_of(state, int(pool.sleeve))
    value = own.equity - int(pool.impact_pot) + max(0, sleeve.equity)
    price = share_price(value, int(pool.shares)) if abs(value) <= POOL_MAX else 0
    return node_pb2.Pool(
        id=id,
        account=int(pool.account),
        sleeve=int(pool.sleeve),
        shares=int(pool.shares),
        value_micro=value,
        share_price_micro=int(price),
        equity_micro=own.equity,
        sleeve_equity_micro=sleeve.equity,
        notional_micro=own.notional,
        impact_pot_micro=int(pool.impact_pot),
        lock_ms=int(pool.lock_ms),
        deposit_cap_micro=int(pool.deposit_cap),
        sleeve_cap_micro=int(pool.sleeve_cap),
        reserve_ppm=int(pool.reserve_ppm),
        impact_ppm=int(pool.impact_ppm),
        profit_cap_ppm=int(pool.profit_cap_ppm),
    )
