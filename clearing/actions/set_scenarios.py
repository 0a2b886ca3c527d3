"""Scenarios: publishers write joint historical shocks of an underlying, a part at a time.

A shock is one piece, price ppm << 32 | volatility ppm, both signed. Accepted if
1. the underlying exists;
2. enough distinct publishers signed;
3. the time is not of the future and not before that of the last shocks written;
4. the shocks leave no hole behind those there are, and there are at most 500;
5. each is within bounds: a price falls by no more than all of itself.
Each part says how many are still to come. Until none is, old and new shocks stand side by side, and
what an account may lose in them is nobody's history: see `clearing.portfolio_account.margins_of`.
Whoever writes the lists of several underlyings closes the first ones when the last is whole.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import draft_underlying, store_underlying
from clearing.grid import SHOCK_MAX
from clearing.layout import Grid, Rows
from clearing.lookup import ABSENT, find_underlying
from clearing.quorum import check_quorum, latest_time
from clearing.records import Action, State
from clearing.scenarios import derive_cells, price_shock, volatility_shock
from clearing.units import PPM, SCENARIOS_MAX


@law
def set_scenarios(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Judge one part of the scenarios and write it."""
    row = find_underlying(state, action.underlying)
    if row == ABSENT:
        return Code.NO_UNDERLYING
    if row < 0:
        return Code.INVARIANT
    code = check_quorum(state, action, signers)
    if code != Code.APPLIED:
        return code
    draft_underlying(state, row)
    underlying = state.underlying_drafts[0]
    if action.time > latest_time(state) or action.time < underlying.scenario_time:
        return Code.ROW_TIME
    stop = action.first + action.payload_count
    if action.first > underlying.scenario_count or stop > SCENARIOS_MAX:
        return Code.ROW_ORDER
    for i in range(action.payload_count):
        shock = payload[action.payload_first + i]
        if not is_possible(shock):
            return Code.ROW_BOUND
        underlying.shocks[action.first + i] = shock
    underlying.scenario_count = max(underlying.scenario_count, stop)
    underlying.scenario_time = action.time
    underlying.scenario_rest = action.last
    derive_cells(underlying)
    store_underlying(state, row)
    return Code.APPLIED


@law
def is_possible(shock: int) -> bool:
    """Tell whether both halves of a packed shock are within their bounds."""
    return -PPM <= price_shock(shock) <= SHOCK_MAX and -PPM <= volatility_shock(shock) <= SHOCK_MAX
