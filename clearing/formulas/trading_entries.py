"""The law's functions as entries that take and give plain integers, for ``clearing.formulas``.

Where the law reads records, rows of a scratch state are filled with the numbers. Every entry
raises ArithmeticError where the law would have halted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from clearing import caps, margin, orders, positions, valuation
from clearing.actions import funding, liquidate, price, trade
from clearing.codes import Mode
from clearing.compiler import law, law_entry
from clearing.genesis import empty_state
from clearing.layout import Rows, new_rows
from clearing.records import Observation, State
from clearing.units import AMOUNT_MAX, OBSERVATIONS_MAX, TIERS_MAX
from clearing.wide import LIMB, LIMB_BITS

TIER_TERMS = ("initial_ppm", "maintenance_ppm", "open_interest_lower", "open_interest_upper")


@law
def checked(value: int, fits: bool) -> int:
    """Return `value`; OverflowError if it did not fit."""
    if not fits:
        raise OverflowError("expected a result of 64 bits")
    return value


@law_entry
def _fraction(state: State, open_interest: int, mark_price: int) -> int:
    return valuation.initial_fraction_ppm(state.params[0].tiers[0], open_interest, mark_price)


@law_entry
def _terms(state: State, initial_ppm: int, maintenance_ppm: int) -> tuple[int, int, int]:
    worth, initial, maintenance, _, fits = valuation.position_terms(
        state.accounts[0].positions[0], state.instruments[0], initial_ppm, maintenance_ppm
    )
    return checked(worth, fits), initial, maintenance


@law_entry
def _pending(state: State) -> int:
    owed, fits = positions.pending_funding(state.accounts[0].positions[0], state.instruments[0])
    return checked(owed, fits)


@law_entry
def _measure(state: State, transfer_ppm: int) -> tuple[int, int, int, int, int]:
    equity, initial, maintenance, gross, valid = margin.measure(
        state, state.accounts[0], margin.NO_DRAFT
    )
    kept, fits = margin.outflow_margin(initial, gross, transfer_ppm)
    return checked(equity, valid), initial, maintenance, gross, checked(kept, fits)


@law_entry
def _interest(state: State, lots: int) -> int:
    return caps.open_interest_after(
        state.instruments[0], state.accounts[0], state.accounts[1], lots
    )


@law_entry
def outflow(initial_margin: int, gross_notional: int, transfer_margin_ppm: int) -> int:
    """Return ``margin.outflow_margin``."""
    kept, fits = margin.outflow_margin(initial_margin, gross_notional, transfer_margin_ppm)
    return checked(kept, fits)


@law_entry
def improvement(
    old_equity: int, old_maintenance: int, new_equity: int, new_maintenance: int
) -> bool:
    """Return ``margin.is_improvement``."""
    return margin.is_improvement(old_equity, old_maintenance, new_equity, new_maintenance)


@law_entry
def legal_transition(
    old_equity: int,
    old_maintenance: int,
    new_equity: int,
    new_initial: int,
    new_maintenance: int,
    old_lots: int,
    new_lots: int,
) -> bool:
    """Return ``margin.is_legal`` of an account that is no portfolio account."""
    return margin.is_legal(
        Mode.CROSS,
        margin.grows(old_lots, new_lots),
        (old_equity, 0, old_maintenance),
        (new_equity, new_initial, new_maintenance),
    )


@law_entry
def fee(value: int, rate_ppm: int) -> int:
    """Return ``orders.fee_micro``."""
    return orders.fee_micro(value, rate_ppm)


@law_entry
def entry_cost_after(held_lots: int, entry_cost: int, lots: int, price: int) -> int:
    """Return ``positions.entry_cost_after``."""
    return positions.entry_cost_after(held_lots, entry_cost, lots, price)


@law_entry
def premium(mark_price: int, index_price: int) -> int:
    """Return ``price.premium_ppm``."""
    return price.premium_ppm(mark_price, index_price)


@law_entry
def funding_rate(premium_sum: int, samples: int, cap_ppm: int) -> int:
    """Return ``funding.funding_rate_ppm``."""
    return funding.funding_rate_ppm(premium_sum, samples, cap_ppm)


@law_entry
def _index_change(rate_ppm: int, mark_price: int, elapsed_ms: int) -> tuple[int, int]:
    high, low, fits = funding.funding_index_change(rate_ppm, mark_price, elapsed_ms)
    return checked(high, fits), low


@law_entry
def liquidation_size(
    equity: int,
    maintenance: int,
    mark_price: int,
    maintenance_ppm: int,
    buffer_ppm: int,
    cost_ppm: int,
    held_lots: int,
) -> int:
    """Return ``margin.liquidation_lots``."""
    return margin.liquidation_lots(
        equity, maintenance, mark_price, maintenance_ppm, buffer_ppm, cost_ppm, held_lots
    )


@law_entry
def liquidation_price(mark_price: int, penalty_ppm: int, held_lots: int) -> int:
    """Return what one lot goes for by ``liquidate.penalty_and_fee``: at least 1 for a long."""
    penalty, _ = liquidate.penalty_and_fee(LIMB - 1, mark_price, penalty_ppm, 0)
    return max(1, mark_price - penalty) if held_lots > 0 else mark_price + penalty


@law_entry
def liquidation_charges(
    equity: int, value: int, penalty_ppm: int, insurance_fee_ppm: int
) -> tuple[int, int]:
    """Return ``liquidate.penalty_and_fee``."""
    return liquidate.penalty_and_fee(equity, value, penalty_ppm, insurance_fee_ppm)


@law_entry
def _median(observations: Rows[Observation], count: int) -> int:
    return price.median(observations, 0, count, price.MARK)


@law_entry
def jump(last_price: int, price_now: int, jump_ppm: int) -> bool:
    """Return ``price.jumps``."""
    return price.jumps(last_price, price_now, jump_ppm)


@law_entry
def band(price: int, mark_price: int, band_ppm: int, index_price: int) -> bool:
    """Return ``trade.is_near``: a share of the mark, or of an option's index (0: no option)."""
    base = mark_price if index_price == 0 else index_price
    return trade.is_near(price, mark_price, base, band_ppm)


def fraction_ppm(
    initial_ppm: int,
    open_interest_lower: int,
    open_interest_upper: int,
    open_interest: int,
    mark_price: int,
) -> int:
    """Return ``valuation.initial_fraction_ppm`` of one tier."""
    state = _market(mark_price, 0)
    tier = state.params[0].tiers[0]
    tier.initial_ppm = initial_ppm
    tier.open_interest_lower = open_interest_lower
    tier.open_interest_upper = open_interest_upper
    return _fraction(cast(State, state), open_interest, mark_price)


def position_margin(
    lots: int, mark_price: int, initial_ppm: int, maintenance_ppm: int
) -> tuple[int, int, int]:
    """Return (value, initial, maintenance) of ``valuation.position_terms``, no funding pending."""
    state = _market(mark_price, 0)
    _hold(state, 0, lots)
    return _terms(cast(State, state), initial_ppm, maintenance_ppm)


def funding_payment(lots: int, index_change: int) -> int:
    """Return ``positions.pending_funding``."""
    state = _market(1, index_change)
    _hold(state, 0, lots)
    return _pending(cast(State, state))


def funding_change(rate_ppm: int, mark_price: int, elapsed_ms: int) -> int:
    """Return ``funding.funding_index_change``, its limbs joined."""
    high, low = _index_change(rate_ppm, mark_price, elapsed_ms)
    return (int(high) << LIMB_BITS) + int(low)


def open_interest_after(open_interest: int, receiver_lots: int, giver_lots: int, lots: int) -> int:
    """Return ``caps.open_interest_after``."""
    state = _market(1, 0)
    state.instruments[0].open_interest = open_interest
    _hold(state, 0, receiver_lots)
    _hold(state, 1, giver_lots)
    return _interest(cast(State, state), lots)


def lower_median(values: Sequence[int]) -> int:
    """Return ``price.median`` of at most 16 values."""
    observations = cast(Any, new_rows(Observation, OBSERVATIONS_MAX))
    observations["mark_price"][: len(values)] = values
    return _median(observations, len(values))


def account_margin(
    cash: int, positions: Sequence[dict[str, int]], transfer_margin_ppm: int
) -> tuple[int, int, int, int, int, int]:
    """Return (equity, initial, maintenance, gross, free, withdrawable) by ``margin.measure``.

    At most eight different tiers, as in the law's parameters; OverflowError beyond.
    """
    state = house_of_one(cash, positions)
    equity, initial, maintenance, gross, kept = _measure(state, transfer_margin_ppm)
    return equity, initial, maintenance, gross, equity - initial, max(0, equity - kept)


def house_of_one(cash: int, positions: Sequence[dict[str, int]]) -> State:
    """Return a state of one account with these positions, each in a market of its own.

    Raises OverflowError beyond eight different tiers.
    """
    state: Any = empty_state(1, len(positions), 0, 0)
    state.globals[0].instrument_count = len(positions)
    state.accounts[0].cash = cash
    state.params[0].profit_cap = AMOUNT_MAX << 1  # without entry costs no profit is known
    state.accounts[0].position_count = len(positions)
    tiers: list[tuple[int, ...]] = []
    for i, row in enumerate(positions):
        terms = tuple(row[name] for name in TIER_TERMS)
        if terms not in tiers:
            if len(tiers) == TIERS_MAX:
                raise OverflowError(f"expected at most {TIERS_MAX} different tiers")
            tiers.append(terms)
            for name, value in zip(TIER_TERMS, terms, strict=True):
                state.params[0].tiers[len(tiers) - 1][name] = value
        instrument = state.instruments[i]
        instrument.id = i
        instrument.tier = tiers.index(terms)
        instrument.mark_price = row["mark_price"]
        instrument.open_interest = row["open_interest"]
        instrument.funding_high, instrument.funding_low = divmod(row["index_change"], LIMB)
        state.accounts[0].positions[i].instrument = i
        state.accounts[0].positions[i].lots = row["lots"]
    return cast(State, state)


def _market(mark_price: int, index_change: int) -> Any:
    """Return a state of two empty accounts and one instrument."""
    state: Any = empty_state(2, 1, 0, 0)
    instrument = state.instruments[0]
    instrument.mark_price = mark_price
    instrument.funding_high, instrument.funding_low = divmod(index_change, LIMB)
    return state


def _hold(state: Any, row: int, lots: int) -> None:
    state.accounts[row].position_count = np.int64(lots != 0)
    state.accounts[row].positions[0].lots = lots
