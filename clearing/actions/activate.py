"""Activate: a staged set of risk rows becomes the one that margin reads, for a whole expiry.

It is accepted if
1. underlying and series exist;
2. enough distinct publishers signed;
3. it names the time and the reference price of what is staged, and that is not too old, and of the
   grid in force: rows of an announced one begin with it (``clearing.actions.set_grid``);
4. every option of the series is staged.
It also sets the discounts that margin uses for what is held long and short, and how confident the
publishers are of the rows.
"""

from clearing.actions.risk_rows import has_series
from clearing.actions.set_grid import activate_staged, is_of_next_grid
from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import draft_underlying, store_underlying
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_underlying
from clearing.quorum import check_quorum
from clearing.records import Action, State


@law
def activate(state: State, action: Action, signers: Grid) -> int:
    """Judge one activation and apply it."""
    row = find_underlying(state, action.underlying)
    if row == ABSENT:
        return Code.NO_UNDERLYING
    if row < 0:
        return Code.INVARIANT
    if not has_series(state.underlyings[row], action.series):
        return Code.NO_SERIES
    code = check_quorum(state, action, signers)
    if code != Code.APPLIED:
        return code
    draft_underlying(state, row)
    underlying = state.underlying_drafts[0]
    series = underlying.series[action.series]
    age = state.globals[0].clock - action.time
    if (
        series.staged_number != series.active_number + 1
        or action.time != series.staged_time
        or action.price != series.staged_reference
        or age > state.params[0].row_age_reduce_ms
        or is_of_next_grid(underlying, action.time)
    ):
        return Code.ROW_TIME
    if series.staged_count != series.option_count:
        return Code.ROW_INCOMPLETE
    activate_staged(series)
    series.discount_long_ppm = action.long_ppm
    series.discount_short_ppm = action.short_ppm
    series.confidence_ppm = action.confidence_ppm
    store_underlying(state, row)
    return Code.APPLIED
