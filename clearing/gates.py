"""Gates: how fast value may leave the house, and the freeze after a deficit.

One limiter over the value in custody: what leaves uses it up, what is deposited adds to it, and
law time moves it back to its baseline. Gates bind accounts with positions alone: whoever has closed
everything leaves whenever he wants, though what he takes counts. A forced withdrawal that a gate
holds up gets a time from which no gate binds it (`Account.not_before`), so that no gate can keep
anybody for longer than a freeze lasts.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.holdings import PRICED_UNITS
from clearing.rate_limit import (
    CAPACITY_MAX,
    baseline,
    capacity_after,
    capacity_deposited,
    capacity_withdrawn,
)
from clearing.records import Account, State
from clearing.units import GATE_PASS_MS, SETTLEMENT_ASSET
from clearing.wide import mul_div_ceil, mul_div_floor


@law
def value_of(state: State, asset: int, amount: int) -> int:
    """Return what an amount of an asset is worth at its price, up, at most 2^62 micro-quote."""
    if asset == SETTLEMENT_ASSET:
        return amount
    value, fits = mul_div_ceil(amount, state.assets[asset].price, PRICED_UNITS)
    return min(value, CAPACITY_MAX) if fits else CAPACITY_MAX


@law
def locked_value(state: State) -> int:
    """Return the value of everything in custody, at most 2^62 micro-quote."""
    total = min(state.globals[0].custody, CAPACITY_MAX)
    for i in range(1, state.globals[0].asset_count):
        value = value_of(state, i, state.assets[i].custody)
        total = min(total, CAPACITY_MAX - value) + value
    return total


@law
def capacity_now(state: State) -> int:
    """Return the micro-quote that the rate limit lets out now, 0 .. 2^62."""
    totals = state.globals[0]
    params = state.params[0]
    base = baseline(locked_value(state), params.gate_minimum, params.gate_ppm)
    elapsed = totals.clock - totals.gate_time
    return capacity_after(totals.gate_capacity, base, elapsed, params.gate_period_ms)


@law
def has_pass(clock: int, account: Account) -> bool:
    """Tell whether a forced withdrawal of the account has waited for as long as a gate may ask."""
    return (
        account.not_before > 0 and account.not_before <= clock <= account.not_before + GATE_PASS_MS
    )


@law
def is_gated(account: Account) -> bool:
    """Tell whether gates bind the account at all: it has positions."""
    return account.position_count > 0


@law
def check_gates(state: State, account: Account, value: int) -> int:
    """Return GATED or RATE_LIMIT if `value` micro-quote may not leave the account now."""
    if not is_gated(account):
        return Code.APPLIED
    if state.globals[0].clock < state.globals[0].freeze_until:
        return Code.GATED
    if value > capacity_now(state):
        return Code.RATE_LIMIT
    return Code.APPLIED


@law
def released(state: State, account: Account) -> int:
    """Return the micro-quote that the gates let a forced withdrawal take from the account now."""
    totals = state.globals[0]
    if not is_gated(account) or has_pass(totals.clock, account):
        return CAPACITY_MAX
    return 0 if totals.clock < totals.freeze_until else capacity_now(state)


@law
def units_worth(state: State, asset: int, value: int) -> int:
    """Return the most of an asset that is worth no more than `value` micro-quote, 0 .. 2^62."""
    if asset == SETTLEMENT_ASSET:
        return value
    price = state.assets[asset].price
    if price == 0:
        return CAPACITY_MAX
    units, fits = mul_div_floor(value, PRICED_UNITS, price)
    return min(units, CAPACITY_MAX) if fits else CAPACITY_MAX


@law
def count_outflow(state: State, value: int) -> None:
    """Take what leaves from the rate limit's capacity; before custody changes."""
    capacity, enough = capacity_withdrawn(capacity_now(state), value)
    state.globals[0].gate_capacity = capacity if enough else 0
    state.globals[0].gate_time = state.globals[0].clock


@law
def count_inflow(state: State, value: int) -> None:
    """Add what came in to the rate limit's capacity; before custody changes."""
    state.globals[0].gate_capacity = capacity_deposited(capacity_now(state), value)
    state.globals[0].gate_time = state.globals[0].clock
