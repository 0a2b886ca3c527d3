"""The law's gates of prices as entries that take and give plain integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from clearing import price_gates, settlement
from clearing.actions import price as prices
from clearing.actions import risk_rows
from clearing.codes import Code
from clearing.compiler import law_entry
from clearing.formulas.columns import column
from clearing.genesis import empty_state
from clearing.layout import Rows, new_rows
from clearing.oracle import Validity
from clearing.records import Action, State, Underlying
from clearing.units import PPM


@law_entry
def stable_price(stable_price: int, price: int, elapsed_ms: int, rate_ppm: int) -> int:
    """Return ``price_gates.stable_after``."""
    return price_gates.stable_after(stable_price, price, elapsed_ms, rate_ppm)


@law_entry
def price_confidence(lowest: int, median: int, highest: int) -> int:
    """Return ``price_gates.confidence_of``."""
    return price_gates.confidence_of(lowest, median, highest)


@law_entry
def price_band_breached(mark_price: int, stable_price: int, band_ppm: int) -> bool:
    """Return ``price_gates.is_beyond_band``."""
    return price_gates.is_beyond_band(mark_price, stable_price, band_ppm)


@law_entry
def action_allowed(validity: int, use: int) -> bool:
    """Return ``price_gates.allows`` of a price with one doubt, or none."""
    doubts = 0 if validity == Validity.VALID else 1 << validity
    if validity == Validity.STALE_MARGIN:
        doubts |= price_gates.STALE_OPEN
    return price_gates.allows(doubts, use)


@law_entry
def _take_price(state: State) -> int:
    clock = state.globals[0].clock
    prices.take_price(state, state.instruments[0], 1, 1, clock)
    return state.instruments[0].grace_until


def restart_grace(
    last_price_time: int, clock: int, grace_until: int, price_stale_ms: int, grace_ms: int
) -> int:
    """Return the grace that ``price.take_price`` leaves in a market that had a price."""
    state: Any = empty_state(0, 1, 0, 0)
    state.globals[0].clock = clock
    params, instrument = state.params[0], state.instruments[0]
    params.price_stale_margin_ms, params.restart_grace_ms, params.band_ppm = (
        price_stale_ms,
        grace_ms,
        PPM,
    )
    instrument.mark_price, instrument.price_time = 1, last_price_time
    instrument.grace_until = grace_until
    return _take_price(cast(State, state))


@law_entry
def _settle(
    underlyings: Rows[Underlying], prices: Rows[int], times: Rows[int], window_ms: int
) -> int:
    for i in range(prices.shape[0]):
        settlement.move_index(underlyings[0], prices[i], times[i], window_ms)
    return underlyings[0].series[0].settle_price


def settlement_price(
    updates: Sequence[dict[str, int]], expiry: int, window_ms: int
) -> tuple[int, bool]:
    """Return (price, whether there is one) after ``settlement.move_index`` of each update."""
    underlyings = cast(Any, new_rows(Underlying, 1))
    underlyings["series"]["expiry"][0, 0] = expiry
    times = column(updates, "time")
    found = _settle(underlyings, column(updates, "price"), times, window_ms)
    return found, found != 0


@law_entry
def _carry(state: State, actions: Rows[Action]) -> int:
    return risk_rows.check_carry(state, state.underlyings[0].series[0], actions[0])


def row_carry(
    reference_price: int,
    forward_price: int,
    discount: int,
    left_ms: int,
    carry_ppm: int,
    active_reference: int,
    active_forward: int,
    active_discount: int,
    parity_ppm: int,
) -> tuple[bool, bool]:
    """Return (within the bound, no jump) as ``risk_rows.check_carry`` finds; no active set: 0."""
    state: Any = empty_state(0, 0, 0, 0)
    series = state.underlyings[0].series[0]
    state.params[0].row_carry_ppm, state.params[0].row_parity_ppm = carry_ppm, parity_ppm
    series.expiry, series.active_number = left_ms, int(active_reference != 0)
    series.reference_price, series.forward_price = active_reference, active_forward
    series.discount_nano = active_discount
    actions = cast(Any, new_rows(Action, 1))
    actions["price"], actions["limit"] = reference_price, forward_price
    actions["long_ppm"] = discount
    code = _carry(cast(State, state), actions)
    return code != Code.ROW_BOUND, code == Code.APPLIED
