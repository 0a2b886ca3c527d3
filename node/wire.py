"""State rows as messages: what the read calls answer. Runs on the sequencer's thread."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from clearing.keccak import to_bytes
from clearing.records import State
from node.calls import order_message
from node.margins import Margin, margin_of, position_numbers
from node.v1 import node_pb2


def margin_message(margin: Margin) -> Any:
    """Return a margin."""
    return node_pb2.Margin(
        equity_micro=margin.equity,
        initial_micro=margin.initial,
        maintenance_micro=margin.maintenance,
        notional_micro=margin.notional,
    )


def account_message(state: State, id: int) -> Any:
    """Return one account with its positions and margin."""
    row = cast(Any, state).accounts[id]
    count = int(row.position_count)
    values, owed = np.zeros(max(count, 1), np.int64), np.zeros(max(count, 1), np.int64)
    position_numbers(state, id, cast(Any, values), cast(Any, owed))
    account = node_pb2.Account(
        id=id,
        owner=to_bytes(row.owner)[12:],
        subaccount=int(row.subaccount),
        cash_micro=int(row.cash),
        order_floor=int(row.order_floor),
        request_sequence=int(row.request_sequence),
        not_before_ms=int(row.not_before),
        hold_until_ms=int(row.hold_until),
        hold_instrument=int(row.hold_instrument),
        auction_time_ms=int(row.auction_time),
        call_order=order_message(state, id),
        margin=margin_message(margin_of(state, id)),
        # The wire counts from 1: its zero says that nothing was set.
        mode=cast(Any, int(row.mode) + 1),
    )
    if int(row.close_lots):
        account.offered_close.CopyFrom(
            node_pb2.OfferedClose(
                instrument=int(row.close_instrument),
                lots=int(row.close_lots),
                time_ms=int(row.close_time),
            )
        )
    for place in range(count):
        position = row.positions[place]
        account.positions.add(
            instrument=int(position.instrument),
            lots=int(position.lots),
            entry_cost_micro=int(position.entry_cost),
            value_micro=int(values[place]),
            funding_micro=-int(owed[place]),
        )
    for key in row["keys"][: int(row.key_count)]:
        account.keys.add(
            address=to_bytes(key.address)[12:],
            scope=int(key.scope),
            first_instrument=int(key.first_instrument),
            last_instrument=int(key.last_instrument),
            limit_micro=int(key.limit),
            expiry_ms=int(key.expiry),
        )
    for entry in row["collaterals"][: int(row.collateral_count)]:
        account.collaterals.add(
            asset=int(entry.asset),
            amount=int(entry.amount),
            unlock_time_ms=int(entry.unlock_time),
        )
    return account


def params_message(state: State) -> Any:
    """Return the parameters in force and the funds' balances."""
    params = cast(Any, state).params[0]
    message = node_pb2.GetParamsResponse(
        version=int(params.version),
        price_quorum=int(params.price_quorum),
        price_band_ppm=int(params.price_band_ppm),
        price_stale_open_ms=int(params.price_stale_open_ms),
        price_stale_margin_ms=int(params.price_stale_margin_ms),
        price_jump_ppm=int(params.price_jump_ppm),
        price_drift_ms=int(params.price_drift_ms),
        funding_interval_ms=int(params.funding_interval_ms),
        funding_cap_ppm=int(params.funding_cap_ppm),
        liquidation_buffer_ppm=int(params.liquidation_buffer_ppm),
        liquidation_penalty_ppm=int(params.liquidation_penalty_ppm),
        insurance_fee_ppm=int(params.insurance_fee_ppm),
        transfer_margin_ppm=int(params.transfer_margin_ppm),
    )
    for tier in params.tiers:
        if int(tier.initial_ppm):
            message.tiers.add(
                initial_ppm=int(tier.initial_ppm),
                maintenance_ppm=int(tier.maintenance_ppm),
                open_interest_lower_micro=int(tier.open_interest_lower),
                open_interest_upper_micro=int(tier.open_interest_upper),
            )
    for place in range(int(params.publisher_count)):
        message.publishers.append(to_bytes(params.publishers[place].address)[12:])
    for fund in range(int(cast(Any, state).globals[0].fund_count)):
        message.funds_micro.append(int(cast(Any, state).funds[fund].balance))
    message.record.extend(cast(Any, state).params_pieces[0].tolist())
    message.governance_sequence = int(cast(Any, state).globals[0].governance_sequence)
    return message
