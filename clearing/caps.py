"""Caps: how far a position and a market may grow. They bind only where risk is opened."""

from clearing.codes import Mode
from clearing.compiler import law
from clearing.lookup import find_underlying, lots_of
from clearing.margin import grows
from clearing.marks import is_option
from clearing.records import Account, Instrument, State
from clearing.units import LOTS_MAX, POSITIONS_MAX, VALUE_MAX
from clearing.wide import mul_div_floor


@law
def most_price(state: State, instrument: Instrument) -> int:
    """Return the price that bounds what a lot can be worth: of an option index or strike, the
    higher one, else the mark."""
    if not is_option(instrument):
        return instrument.mark_price
    row = find_underlying(state, instrument.underlying)
    if row < 0:
        return instrument.strike
    return max(instrument.strike, state.underlyings[row].index_price)


@law
def position_fits(state: State, account: Account, instrument: Instrument, signed_lots: int) -> bool:
    """Tell whether a position that grows stays within the instrument's cap and the value bound.

    A new position also needs room: 32 an account, one an isolated account.
    """
    held = lots_of(account, instrument.id)
    after = held + signed_lots
    room = 1 if account.mode == Mode.ISOLATED else POSITIONS_MAX
    if held == 0 and account.position_count >= room:
        return False
    if not grows(held, after):
        return True
    if abs(after) > min(instrument.position_cap, LOTS_MAX):
        return False
    value, fits = mul_div_floor(abs(after), most_price(state, instrument), 1)
    return fits and value <= VALUE_MAX


@law
def open_interest_after(
    instrument: Instrument, receiver: Account, giver: Account, signed_lots: int
) -> int:
    """Return the sum of long lots after `signed_lots` went from one account to the other."""
    receiver_lots = lots_of(receiver, instrument.id)
    giver_lots = lots_of(giver, instrument.id)
    before = max(receiver_lots, 0) + max(giver_lots, 0)
    after = max(receiver_lots + signed_lots, 0) + max(giver_lots - signed_lots, 0)
    return instrument.open_interest - before + after
