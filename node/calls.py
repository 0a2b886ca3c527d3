"""What is open over markets as messages: call auctions with their books, and sweeps."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from clearing.auctions import call_level
from clearing.calls import ASKS, BIDS, lots_left, stands_in
from clearing.codes import Operation, Phase, Side
from clearing.compiler import law_entry
from clearing.keccak import to_bytes
from clearing.layout import Rows
from clearing.records import State
from node.v1 import node_pb2

_LEVEL, _EXECUTED, _BID, _ASK = range(4)


@law_entry
def call_numbers(state: State, id: int, out: Rows[int]) -> None:
    """Set level, executed lots, and lots bid and asked there, of the price that orders so far make.

    The market has a call. All are 0 without a cross.
    """
    market = state.instruments[id]
    level, executed, bid, ask = call_level(
        market.rows[BIDS].values,
        market.rows[ASKS].values,
        market.counted + 1,
        market.rows[BIDS].number,
        market.rows[ASKS].number,
        market.mark_price,
    )
    out[_LEVEL] = level
    out[_EXECUTED] = executed
    out[_BID] = bid
    out[_ASK] = ask


@law_entry
def order_left(state: State, id: int) -> int:
    """Return what is left of the account's order by the price of its call.

    -1 if none of its orders stands; 0 before the call has a price.
    """
    account = state.accounts[id]
    if account.call_lots == 0:
        return -1
    market = state.instruments[account.call_instrument]
    if not stands_in(account, market):
        return -1
    if market.phase != Phase.APPLY:
        return 0
    return lots_left(account, market, Side.BUY if account.call_lots > 0 else Side.SELL)


def call_message(state: State, id: int) -> Any:
    """Return the call over a market that has one."""
    row = cast(Any, state).instruments[id]
    out = np.zeros(4, np.int64)
    call_numbers(state, id, cast(Any, out))
    found = int(row.phase) == Phase.APPLY
    low, step, levels = int(row.rows[BIDS].number), int(row.rows[ASKS].number), int(row.counted) + 1
    executed = int(out[_EXECUTED])
    indicative = low + int(out[_LEVEL]) * step if executed else 0
    level = (int(row.price) - low) // step if found else int(out[_LEVEL])
    bids, asks = (row.rows[book].values[:levels].tolist() for book in (BIDS, ASKS))
    crossed = found or executed > 0
    return node_pb2.Call(
        low_micro=low,
        step_micro=step,
        bid_lots=bids,
        ask_lots=asks,
        found=found,
        price_micro=int(row.price) if found else indicative,
        executed_lots=int(row.total) if found else executed,
        imbalance_lots=sum(bids[level:]) - sum(asks[: level + 1]) if crossed else 0,
        filled_lots=int(row.running),
        opened_ms=int(row.cursor),
        orders_until_ms=int(row.auction_end),
        deadline_ms=int(row.deadline),
    )


def order_message(state: State, id: int) -> Any:
    """Return an account's order in a call, None if none stands."""
    left = int(order_left(state, id))
    if left < 0:
        return None
    row = cast(Any, state).accounts[id]
    return node_pb2.CallOrder(
        instrument=int(row.call_instrument),
        lots=int(row.call_lots),
        level=int(row.call_level),
        filled_lots=int(row.call_filled),
        left_lots=left,
    )


def sweep_message(state: State, id: int) -> Any:
    """Return the sweep over a market that has one."""
    row = cast(Any, state).instruments[id]
    return node_pb2.Sweep(
        mode=int(row.operation),
        phase=int(row.phase),
        account=int(row.bankrupt),
        side=int(row.side),
        cursor=int(row.cursor),
        deadline_ms=int(row.deadline),
        top=to_bytes(row.chunks),
    )


def opened_message(state: State, id: int) -> dict[str, Any]:
    """Return the fields of an instrument's message that tell what is open over it."""
    operation = int(cast(Any, state).instruments[id].operation)
    if operation == Operation.NONE:
        return {}
    if operation == Operation.CALL:
        return {"call": call_message(state, id)}
    return {"sweep": sweep_message(state, id)}
