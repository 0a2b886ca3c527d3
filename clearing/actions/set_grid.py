"""Set grid: governance announces another stress grid of an underlying; enact grid: it begins.

The payload is the volatility shocks down and up, then the price shocks of the 33 points, then their
damping, in ppm. An announcement is accepted if
1. the underlying exists;
2. governance signed it, with a sequence above the last of its acts;
3. the points make a grid: see ``clearing.grid.is_ordered``.
It waits for the timelock; a later one takes its place. Rows are values at the points of a grid, so
a change of the grid alone would leave every option to the fallback, and its holders to keepers.
Therefore rows of the time from which the grid may begin on are rows of the new grid, staged beside
those that margin still reads, and an enactment, which nobody signs, is accepted if
1. the underlying exists;
2. a grid is announced, and its time has come;
3. every expiry whose rows margin reads is staged for it, none too old. An expiry that is over has
   to be expired first.
It activates all these sets and the grid at once. Discounts and confidence of the expiries stay as
they are until their next activation.
"""

from clearing.authority import check_governance
from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import draft_underlying, store_underlying
from clearing.forms import GRID_PAYLOAD
from clearing.grid import POINTS, is_ordered
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_underlying
from clearing.records import Action, Series, State, Underlying
from clearing.scenarios import derive_cells
from clearing.units import SERIES_MAX


@law
def set_grid(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Judge the announcement of another grid and note it."""
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
    down = payload[first]
    up = payload[first + 1]
    underlying.next_volatility_down_ppm = down
    underlying.next_volatility_up_ppm = up
    for point in range(POINTS):
        underlying.next_prices[point] = payload[first + 2 + point]
        underlying.next_damps[point] = payload[first + 2 + POINTS + point]
    if not is_ordered(underlying.next_prices, underlying.next_damps, down, up):
        return Code.PARAMETER_BOUND
    underlying.next_time = state.globals[0].clock + state.params[0].timelock_ms
    # What is staged may be of the grid that was announced before.
    for i in range(SERIES_MAX):
        void_staged(underlying.series[i])
    state.globals[0].governance_sequence = action.sequence
    store_underlying(state, row)
    return Code.APPLIED


@law
def enact_grid(state: State, action: Action) -> int:
    """Judge one enactment and apply it: grid and rows of all expiries change at once."""
    row = find_underlying(state, action.underlying)
    if row == ABSENT:
        return Code.NO_UNDERLYING
    if row < 0:
        return Code.INVARIANT
    clock = state.globals[0].clock
    underlying = state.underlyings[row]
    if underlying.next_time == 0 or clock < underlying.next_time:
        return Code.TIMELOCK
    oldest = max(underlying.next_time, clock - state.params[0].row_age_reduce_ms)
    for i in range(SERIES_MAX):
        series = underlying.series[i]
        if is_read(series) and not is_staged(series, oldest):
            return Code.ROW_INCOMPLETE
    draft_underlying(state, row)
    begin_grid(state.underlying_drafts[0])
    store_underlying(state, row)
    return Code.APPLIED


@law
def is_read(series: Series) -> bool:
    """Tell whether margin reads rows of the series: it has a set, and options not yet expired."""
    return series.active_number != 0 and series.option_count != 0 and series.market_count != 0


@law
def is_staged(series: Series, oldest: int) -> bool:
    """Tell whether all options of a series are staged, in a set of the time `oldest` or later."""
    return (
        series.staged_number == series.active_number + 1
        and series.staged_count == series.option_count
        and series.staged_time >= oldest
    )


@law
def begin_grid(underlying: Underlying) -> None:
    """Put the announced grid in the place of the old one, and rows of the new one in force."""
    underlying.point_count = POINTS
    underlying.volatility_down_ppm = underlying.next_volatility_down_ppm
    underlying.volatility_up_ppm = underlying.next_volatility_up_ppm
    for point in range(POINTS):
        underlying.prices[point] = underlying.next_prices[point]
        underlying.damps[point] = underlying.next_damps[point]
    underlying.next_time = 0
    for i in range(SERIES_MAX):
        series = underlying.series[i]
        if is_read(series):
            activate_staged(series)
        else:
            void_staged(series)
    derive_cells(underlying)


@law
def activate_staged(series: Series) -> None:
    """Let margin read the staged set."""
    series.active_number = series.staged_number
    series.active_time = series.staged_time
    series.reference_price = series.staged_reference
    series.forward_price = series.staged_forward
    series.discount_nano = series.staged_discount


@law
def void_staged(series: Series) -> None:
    """Make what is staged impossible to activate."""
    series.staged_number = series.active_number
    series.staged_count = 0


@law
def is_of_next_grid(underlying: Underlying, time: int) -> bool:
    """Tell whether rows of a time are values at the points of the announced grid."""
    return underlying.next_time != 0 and time >= underlying.next_time
