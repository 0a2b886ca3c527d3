"""The index of an underlying, and the price that its expiries settle at.

Each price of the reference market moves the index; an index price holds until the next one. What
an expiry settles at is the mean over its window, weighted by time and rounded down:

    (sum at expiry - sum at the first price in the window) / (expiry - time of that price)

The first price at or after expiry completes the window and freezes the mean, so nothing later can
move it. If no price fell into the window, that price settles alone.
"""

from clearing.codes import InstrumentKind
from clearing.compiler import law
from clearing.grid import intrinsic
from clearing.records import Instrument, Series, Underlying
from clearing.units import SERIES_MAX
from clearing.wide import div_wide_floor, wide_add, wide_from, wide_subtract


@law
def move_index(underlying: Underlying, price: int, time: int, window_ms: int) -> None:
    """Take an index price (1 .. 2^48) of a time above the last; freeze or open windows."""
    for i in range(SERIES_MAX):
        series = underlying.series[i]
        if series.expiry != 0 and series.settle_price == 0 and time >= series.expiry:
            series.settle_price = window_mean(underlying, series, price)
    high, low = sum_at(underlying, time)
    for i in range(SERIES_MAX):
        series = underlying.series[i]
        if (
            series.open_time == 0
            and series.settle_price == 0
            and series.expiry - window_ms <= time < series.expiry
        ):
            series.open_high = high
            series.open_low = low
            series.open_time = time
    underlying.price_high = high
    underlying.price_low = low
    underlying.index_price = price
    underlying.price_time = time


@law
def sum_at(underlying: Underlying, time: int) -> tuple[int, int]:
    """Return the sum of index price * ms at a time not before the last price, as limbs."""
    high, low = wide_from(underlying.index_price, max(0, time - underlying.price_time))
    return wide_add(underlying.price_high, underlying.price_low, high, low)


@law
def window_mean(underlying: Underlying, series: Series, next_price: int) -> int:
    """Return what the series settles at, given the first price at or after its expiry."""
    if series.open_time == 0:
        return next_price
    high, low = sum_at(underlying, series.expiry)
    high, low = wide_subtract(high, low, series.open_high, series.open_low)
    _, mean = div_wide_floor(high, low, series.expiry - series.open_time)
    return mean


@law
def payoff(instrument: Instrument, settle_price: int) -> int:
    """Return what one lot is paid at expiry: the settlement price of a future, else intrinsic."""
    if instrument.kind == InstrumentKind.FUTURE:
        return settle_price
    return intrinsic(instrument.kind == InstrumentKind.CALL, instrument.strike, settle_price)
