"""Set grid: governance gives an underlying another stress grid.

The payload is the volatility shocks down and up, then the price shocks of the 33 points, then their
damping, in ppm. Accepted if
1. the underlying exists;
2. governance signed it, with a sequence above the last of its acts;
3. the points make a grid: see ``clearing.grid.is_ordered``.
Rows are values at the points of a grid, so those of the old one count as too old for everything
until publishers activate new ones, and what was staged can not be activated any more.
"""

from clearing.authority import check_governance
from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import draft_underlying, store_underlying
from clearing.forms import GRID_PAYLOAD
from clearing.grid import POINTS, is_ordered
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_underlying
from clearing.records import Action, State, Underlying
from clearing.scenarios import derive_cells
from clearing.units import SERIES_MAX


@law
def set_grid(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Judge another grid and apply it."""
    row = find_underlying(state, action.underlying)
    if row == ABSENT:
        return Code.NO_UNDERLYING
    if row < 0:
        return Code.INVARIANT
    code = check_governance(state, action, signers)
    if code != Code.APPLIED:
        return code
    if action.payload_count != GRID_PAYLOAD:
        return Code.PARAMETER_BOUND
    draft_underlying(state, row)
    underlying = state.underlying_drafts[0]
    first = action.payload_first
    underlying.point_count = POINTS
    underlying.volatility_down_ppm = payload[first]
    underlying.volatility_up_ppm = payload[first + 1]
    for point in range(POINTS):
        underlying.prices[point] = payload[first + 2 + point]
        underlying.damps[point] = payload[first + 2 + POINTS + point]
    down = underlying.volatility_down_ppm
    up = underlying.volatility_up_ppm
    if not is_ordered(underlying.prices, underlying.damps, down, up):
        return Code.PARAMETER_BOUND
    void_rows(underlying)
    derive_cells(underlying)
    state.globals[0].governance_sequence = action.sequence
    store_underlying(state, row)
    return Code.APPLIED


@law
def void_rows(underlying: Underlying) -> None:
    """Make all active rows too old, and everything staged impossible to activate."""
    for i in range(SERIES_MAX):
        series = underlying.series[i]
        series.active_time = 0
        series.staged_number = series.active_number
        series.staged_count = 0
