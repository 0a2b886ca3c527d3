"""Novation and netting: lots move between two accounts' net positions at a price.

Cash is the signed quote balance: a fill moves lots * price between the two balances, so that a
position is worth lots * mark and nothing is ever "realised". Funding is settled on the position
that moves; on the others it stays pending and is part of equity.
"""

from typing import Protocol

from clearing.compiler import law
from clearing.layout import Rows
from clearing.lookup import find_position
from clearing.records import Account, Instrument, Position
from clearing.units import INDEX_SCALE, POSITIONS_MAX
from clearing.wide import mul_div_floor, mul_div_wide_ceil, wide_subtract


class LinearMarket(Protocol):
    """What a linear position is valued by: an `Instrument`, or a sweep's excerpt of one."""

    mark_price: int
    funding_high: int
    funding_low: int


@law
def pending_funding(position: Position, instrument: LinearMarket) -> tuple[int, bool]:
    """Return what the position owes in micro-quote (negative: is owed), and whether it fits.

    lots * (index now - index at last touch) / 10^12, rounded up: a payer pays more, a receiver
    gets less, and the pot keeps the difference.
    """
    if (
        position.index_high == instrument.funding_high
        and position.index_low == instrument.funding_low
    ):
        return 0, True
    high, low = wide_subtract(
        instrument.funding_high, instrument.funding_low, position.index_high, position.index_low
    )
    return mul_div_wide_ceil(position.lots, high, low, INDEX_SCALE)


@law
def move_lots(account: Account, instrument: Instrument, lots: int, price: int) -> bool:
    """Add signed `lots` at `price` to the account's position, settling its funding first.

    Both rows are drafts. Returns False if the funding owed does not fit 64 bits or there is no
    room for another position; the caller has bounded lots * price.
    """
    place = find_position(account, instrument.id)
    if place < 0:
        place = -1 - place
        if account.position_count >= POSITIONS_MAX:
            return False
        insert_position(account, instrument, place)
    position = account.positions[place]
    owed, fits = pending_funding(position, instrument)
    if not fits:
        return False
    account.cash -= owed + lots * price
    instrument.pot += owed
    position.index_high = instrument.funding_high
    position.index_low = instrument.funding_low
    position.entry_cost = entry_cost_after(position.lots, position.entry_cost, lots, price)
    position.lots += lots
    if position.lots == 0:
        remove_position(account, place)
    return True


@law
def entry_cost_after(held: int, cost: int, lots: int, price: int) -> int:
    """Return the signed entry cost after adding `lots` at `price` to `held` lots that cost `cost`.

    A decrease releases cost pro rata, rounded towards zero; a flip starts afresh.
    """
    if held == 0 or (held > 0) == (lots > 0):
        return cost + lots * price
    if abs(lots) > abs(held):
        return (held + lots) * price
    released, _ = mul_div_floor(abs(cost), abs(lots), abs(held))
    return cost - released if cost > 0 else cost + released


@law
def insert_position(account: Account, instrument: Instrument, place: int) -> None:
    """Open an empty position at `place`, keeping the order by instrument."""
    for i in range(account.position_count, place, -1):
        account.positions[i] = account.positions[i - 1]
    position = account.positions[place]
    position.instrument = instrument.id
    position.lots = 0
    position.entry_cost = 0
    position.index_high = instrument.funding_high
    position.index_low = instrument.funding_low
    account.position_count += 1


@law
def remove_position(account: Account, place: int) -> None:
    """Close the gap at `place`; the freed row is zeroed, so that equal states are equal bytes."""
    last = account.position_count - 1
    for i in range(place, last):
        account.positions[i] = account.positions[i + 1]
    clear_position(account.positions, last)
    account.position_count = last


@law
def clear_position(positions: Rows[Position], place: int) -> None:
    """Zero one row."""
    position = positions[place]
    position.instrument = 0
    position.lots = 0
    position.entry_cost = 0
    position.index_high = 0
    position.index_low = 0
