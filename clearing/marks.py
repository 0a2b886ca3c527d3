"""What one lot of a market is worth now: the one place where the law reads it.

A linear instrument is worth its mark price. An option is worth the centre of its active row of
risk, which its series activates for all strikes at once. Whatever settles is worth what it will be
paid.
"""

from clearing.codes import InstrumentKind, InstrumentStatus
from clearing.compiler import law
from clearing.grid import CENTRE
from clearing.lookup import find_underlying
from clearing.records import Instrument, State


@law
def is_option(instrument: Instrument) -> bool:
    """Tell whether an instrument is a call or a put."""
    return instrument.kind >= InstrumentKind.CALL


@law
def mark_price(state: State, instrument: Instrument) -> int:
    """Return the value of one lot in micro-quote, 0 .. 2^50; 0 also if it has none yet.

    Of an option the underlying is read: a witness without it is void, and the result is 0.
    """
    if instrument.status >= InstrumentStatus.SETTLING:
        return instrument.settle_price
    if not is_option(instrument):
        return instrument.mark_price
    row = find_underlying(state, instrument.underlying)
    if row < 0:
        return 0
    number = state.underlyings[row].series[instrument.series].active_number
    risk = instrument.rows[number % 2]
    # An option that was listed after the rows were staged has none among them.
    return risk.values[CENTRE] if number > 0 and risk.number == number else 0
