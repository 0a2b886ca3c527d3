"""Historical scenarios of an underlying, and where each lies in its stress grid.

A shock is one number: price ppm in the upper half, volatility ppm in the lower, both signed.
"""

from clearing.compiler import law
from clearing.grid import cell_at, is_ordered
from clearing.records import Underlying
from clearing.units import SCENARIOS_MAX

HALF_MASK = (1 << 32) - 1
HALF_SIGN = 1 << 31


@law
def price_shock(shock: int) -> int:
    """Return the price shock in ppm, -2^31 .. 2^31 - 1."""
    return shock >> 32


@law
def volatility_shock(shock: int) -> int:
    """Return the volatility shock in ppm, -2^31 .. 2^31 - 1."""
    return ((shock & HALF_MASK) ^ HALF_SIGN) - HALF_SIGN


@law
def derive_cells(underlying: Underlying) -> None:
    """Fill `cells` from shocks and grid, so that margin need not search. Not in the leaf.

    Whoever changes shocks or grid calls it, and whoever loads a leaf. On a grid that no rule of the
    law would have accepted all cells are zero. Cells beyond the count are zero too, so that equal
    leaves make equal records.
    """
    down = underlying.volatility_down_ppm
    up = underlying.volatility_up_ppm
    count = min(max(underlying.scenario_count, 0), SCENARIOS_MAX)
    if not is_ordered(underlying.prices, underlying.damps, down, up):
        count = 0
    for i in range(count):
        shock = underlying.shocks[i]
        underlying.cells[i] = cell_at(
            price_shock(shock), volatility_shock(shock), underlying.prices, down, up
        )
    for i in range(count, SCENARIOS_MAX):
        underlying.cells[i] = 0
