"""Caps: how far a position and a market may grow. They bind only where risk is opened."""

from clearing.compiler import law
from clearing.lookup import lots_of
from clearing.margin import grows
from clearing.records import Account, Instrument
from clearing.units import LOTS_MAX, POSITIONS_MAX, VALUE_MAX
from clearing.wide import mul_div_floor


@law
def position_fits(account: Account, instrument: Instrument, signed_lots: int) -> bool:
    """Tell whether a position that grows stays within the instrument's cap and the value bound."""
    held = lots_of(account, instrument.id)
    after = held + signed_lots
    if held == 0 and account.position_count >= POSITIONS_MAX:
        return False
    if not grows(held, after):
        return True
    if abs(after) > min(instrument.position_cap, LOTS_MAX):
        return False
    value, fits = mul_div_floor(abs(after), instrument.mark_price, 1)
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
