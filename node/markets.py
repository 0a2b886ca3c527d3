"""Markets as messages: what the reads of instruments and underlyings answer."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from clearing.compiler import law_entry
from clearing.keccak import to_bytes
from clearing.layout import Rows
from clearing.marks import is_option, mark_price
from clearing.records import State
from node.calls import opened_message
from node.v1 import node_pb2

_INDEX_LIMB_BITS = 62
_PRICE, _TIME, _ROW = range(3)


@law_entry
def mark_numbers(state: State, id: int, out: Rows[int]) -> None:
    """Set mark price, its time, and the number of an option's active row (0: none) of a market."""
    instrument = state.instruments[id]
    out[_PRICE] = mark_price(state, instrument)
    out[_TIME] = instrument.price_time
    out[_ROW] = 0
    if is_option(instrument):
        series = state.underlyings[instrument.underlying].series[instrument.series]
        number = series.active_number
        if instrument.rows[number % 2].number == number:
            out[_TIME] = series.active_time
            out[_ROW] = number


def mark_of(state: State, id: int) -> tuple[int, int, int]:
    """Return a market's mark price, when it was observed, and an option's active row or 0."""
    out = np.zeros(3, np.int64)
    mark_numbers(state, id, cast(Any, out))
    return int(out[_PRICE]), int(out[_TIME]), int(out[_ROW])


def instrument_message(state: State, id: int) -> Any:
    """Return one instrument."""
    row = cast(Any, state).instruments[id]
    index = (int(row.funding_high) << _INDEX_LIMB_BITS) + int(row.funding_low)
    mark, time, number = mark_of(state, id)
    return node_pb2.Instrument(
        id=id,
        symbol=to_bytes(row.symbol).rstrip(b"\0").decode("ascii"),
        kind=int(row.kind),
        status=int(row.status),
        tier=int(row.tier),
        tick_micro=int(row.tick),
        lot_size_nano=int(row.lot_size),
        open_interest_lots=int(row.open_interest),
        mark_price_micro=mark,
        index_price_micro=int(row.index_price),
        price_time_ms=time,
        funding_index=str(index),
        funding_time_ms=int(row.funding_time),
        pot_micro=int(row.pot),
        open_interest_cap_lots=int(row.open_interest_cap),
        position_cap_lots=int(row.position_cap),
        underlying=int(row.underlying),
        strike_micro=int(row.strike),
        expiry_ms=int(row.expiry),
        series=int(row.series),
        pool=int(row.pool),
        settlement_price_micro=int(row.settle_price),
        stable_price_micro=int(row.stable_price),
        confidence_ppm=int(row.confidence_ppm),
        auction_end_ms=int(row.auction_end),
        row_number=number,
        row_micro=row.rows[number % 2].values.tolist() if number else (),
        debt_micro=int(row.debt),
        **opened_message(state, id),
    )


def underlying_message(state: State, id: int) -> Any:
    """Return what the instruments of an underlying share."""
    row = cast(Any, state).underlyings[id]
    points, scenarios = int(row.point_count), int(row.scenario_count)
    shocks = row.shocks[:scenarios]
    message = node_pb2.Underlying(
        id=id,
        reference_instrument=int(row.reference),
        index_price_micro=int(row.index_price),
        price_time_ms=int(row.price_time),
        volatility_down_ppm=int(row.volatility_down_ppm),
        volatility_up_ppm=int(row.volatility_up_ppm),
        price_shocks_ppm=row.prices[:points].tolist(),
        dampings_ppm=row.damps[:points].tolist(),
        scenario_time_ms=int(row.scenario_time),
        scenario_rest=int(row.scenario_rest),
        scenario_prices_ppm=(shocks >> 32).tolist(),
        # The lower half of a packed shock, with its sign.
        scenario_volatilities_ppm=shocks.astype(np.int32).tolist(),
    )
    if row.next_time:
        message.next_grid_time_ms = int(row.next_time)
        message.next_volatility_down_ppm = int(row.next_volatility_down_ppm)
        message.next_volatility_up_ppm = int(row.next_volatility_up_ppm)
        message.next_price_shocks_ppm.extend(row.next_prices.tolist())
        message.next_dampings_ppm.extend(row.next_damps.tolist())
    for series in row.series:
        message.series.add(
            expiry_ms=int(series.expiry),
            option_count=int(series.option_count),
            active_number=int(series.active_number),
            active_time_ms=int(series.active_time),
            staged_number=int(series.staged_number),
            staged_time_ms=int(series.staged_time),
            staged_count=int(series.staged_count),
            reference_price_micro=int(series.reference_price),
            forward_price_micro=int(series.forward_price),
            discount_nano=int(series.discount_nano),
            discount_long_ppm=int(series.discount_long_ppm),
            discount_short_ppm=int(series.discount_short_ppm),
            confidence_ppm=int(series.confidence_ppm),
            settlement_price_micro=int(series.settle_price),
        )
    while message.series and not message.series[-1].expiry_ms:
        del message.series[-1]
    return message
