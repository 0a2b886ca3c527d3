"""The law of marking, forced closes and deleverage as entries that take and give plain integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from clearing import margin, valuation
from clearing.actions import close_position, mark_to_market, sweep_open
from clearing.compiler import law_entry
from clearing.formulas.trading_entries import checked, house_of_one
from clearing.genesis import empty_state
from clearing.records import State


@law_entry
def _mark(state: State, uncovered: int) -> tuple[int, int]:
    instrument = state.instruments[0]
    position = state.accounts[0].positions[0]
    gain, fits = mark_to_market.variation(instrument, position)
    gain = checked(gain, fits)
    if gain < 0:
        lost = min(-gain, uncovered)
        return gain, -mark_to_market.take_loss(instrument, position, -gain - lost)
    return gain, mark_to_market.pay_profit(instrument, position, gain)


def variation(
    lots: int, entry_cost: int, stable_price: int, variation_pot: int, uncovered: int
) -> tuple[int, int, int, int]:
    """Return (``mark_to_market.variation``, what of it moves, entry cost and pot after)."""
    state: Any = empty_state(1, 1, 0, 0)
    instrument, position = state.instruments[0], state.accounts[0].positions[0]
    instrument.stable_price, instrument.variation_pot = stable_price, variation_pot
    position.lots, position.entry_cost = lots, entry_cost
    gain, moved = _mark(cast(State, state), uncovered)
    return gain, moved, int(position.entry_cost), int(instrument.variation_pot)


@law_entry
def forced_close(
    held_lots: int, mark_price: int, elapsed_ms: int, ramp_ms: int, maintenance_ppm: int
) -> tuple[int, int]:
    """Return (``close_position.close_penalty_ppm``, ``close_position.close_price`` at it)."""
    penalty = close_position.close_penalty_ppm(elapsed_ms, ramp_ms, maintenance_ppm)
    return penalty, close_position.close_price(mark_price, penalty, held_lots)


@law_entry
def _excess(state: State, unrealised: int) -> int:
    clock = state.globals[0].clock
    return valuation.profit_excess(state.params[0], clock, state.accounts[0], unrealised)


def profit_excess(
    unrealised: int, profit_cap: int, recent_profit: int, recent_age_ms: int, profit_cycle_ms: int
) -> int:
    """Return ``valuation.profit_excess``."""
    state: Any = empty_state(1, 0, 0, 0)
    state.globals[0].clock = recent_age_ms
    state.accounts[0].recent_profit = recent_profit
    state.params[0].profit_cap, state.params[0].profit_cycle_ms = profit_cap, profit_cycle_ms
    return _excess(cast(State, state), unrealised)


@law_entry
def _debt_share(state: State, row: int) -> tuple[int, int]:
    account = state.accounts[0]
    equity, _, maintenance, _, valid = margin.measure(state, account, margin.NO_DRAFT)
    checked(0, valid)
    debt = max(0, -equity)
    if debt == 0:
        return 0, 0
    share = sweep_open.share_of_debt(state, 0, row, equity, maintenance)
    return debt, checked(share, share >= 0)


def debt_share(cash: int, positions: Sequence[dict[str, int]], position: int) -> tuple[int, int]:
    """Return (debt, ``sweep_open.share_of_debt`` of the market of one position)."""
    return _debt_share(house_of_one(cash, positions), position)
