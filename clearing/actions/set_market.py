"""Set market: governance opens, restricts or closes a market, or moves its tier and caps.

A change is legal if
1. the market exists;
2. governance signed it, with a sequence above the last act's; or the guardian did, and it makes the
   market reduce-only and nothing else;
3. the market is not closed, in an auction or settling, and the new status is one that governance
   may set: active, reduce-only, or closed if nobody holds a position (then from settling too, but
   the market that moves an index only if no market of that underlying waits for an expiry);
4. no sweep is open;
5. the tier is in use, and 0 < position cap <= open-interest cap;
6. while there are positions a tier's fractions are no more than a step away from the last one's,
   and a timelock has passed since the hour in which the tier last changed: governance cannot
   liquidate by surprise.
What a closed market's pot holds goes to dust.
"""

from clearing.actions.listing import caps_legal, is_dated, is_option_kind, tier_exists
from clearing.authority import check_governance, check_guardian
from clearing.codes import Code, Fund, InstrumentStatus
from clearing.compiler import law
from clearing.drafts import (
    begin_drafts,
    commit_drafts,
    draft_underlying,
    open_instrument,
    store_underlying,
)
from clearing.governance import timelock_passed
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_instrument, find_underlying
from clearing.parameter_checks import number_may_move
from clearing.records import Action, Instrument, State, Underlying
from clearing.units import SERIES_MAX

HOUR_MS = 3_600_000
TIER_HOUR_MAX = (1 << 32) - 1  # the leaf has 32 bits for it: until the year 490000


@law
def set_market(state: State, action: Action, signers: Grid) -> int:
    """Judge one change of a market and apply it."""
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    market = state.instruments[row]
    code = check_signer(state, action, signers, market)
    if code != Code.APPLIED:
        return code
    underlying_row = find_underlying(state, market.underlying)
    if underlying_row < 0:
        return Code.INVARIANT
    code = check_status(action.mode, market, state.underlyings[underlying_row])
    if code == Code.APPLIED:
        code = check_terms(state, action, market)
    if code != Code.APPLIED:
        return code
    return change(state, action, row, underlying_row)


@law
def check_signer(state: State, action: Action, signers: Grid, market: Instrument) -> int:
    """Governance signed it; or the guardian, and it restricts the market and changes no term."""
    code = check_governance(state, action, signers)
    if (
        code == Code.BAD_SIGNATURE
        and action.mode == InstrumentStatus.REDUCE_ONLY
        and action.scope == market.tier
        and action.limit == market.open_interest_cap
        and action.lots == market.position_cap
    ):
        return check_guardian(state, action, signers)
    return code


@law
def check_status(status: int, market: Instrument, underlying: Underlying) -> int:
    """The market may leave its status for the new one."""
    if status == InstrumentStatus.CLOSED:
        if (
            market.status == InstrumentStatus.CLOSED
            or market.status == InstrumentStatus.AUCTION
            or market.open_interest != 0
            or (market.id == underlying.reference and awaits_expiry(underlying))
        ):
            return Code.INSTRUMENT_STATUS
    elif status > InstrumentStatus.REDUCE_ONLY or market.status > InstrumentStatus.REDUCE_ONLY:
        return Code.INSTRUMENT_STATUS
    if market.operation != 0:
        return Code.OPERATION_OPEN
    return Code.APPLIED


@law
def awaits_expiry(underlying: Underlying) -> bool:
    """Tell whether a market of the underlying will settle at its index."""
    waiting = 0
    for i in range(SERIES_MAX):
        waiting += underlying.series[i].market_count
    return waiting != 0


@law
def check_terms(state: State, action: Action, market: Instrument) -> int:
    """The tier is in use, the caps in order, and a tier with positions moves a step at a time."""
    if not tier_exists(state, action.scope) or not caps_legal(action.limit, action.lots):
        return Code.PARAMETER_BOUND
    if action.scope == market.tier or market.open_interest == 0:
        return Code.APPLIED
    params = state.params[0]
    changed = (market.tier_hour + 1) * HOUR_MS
    if not timelock_passed(changed, state.globals[0].clock, params.timelock_ms):
        return Code.TIMELOCK
    old = params.tiers[market.tier]
    new = params.tiers[action.scope]
    step_ppm = params.parameter_step_ppm
    if number_may_move(old.initial_ppm, new.initial_ppm, step_ppm) and number_may_move(
        old.maintenance_ppm, new.maintenance_ppm, step_ppm
    ):
        return Code.APPLIED
    return Code.PARAMETER_STEP


@law
def change(state: State, action: Action, row: int, underlying_row: int) -> int:
    """Write the change, and let a market that closes leave its series and its pot."""
    begin_drafts(state)
    market = state.instrument_drafts[open_instrument(state, row)]
    leaves = False
    if action.mode == InstrumentStatus.CLOSED:
        state.fund_drafts[Fund.DUST].balance += market.pot
        market.pot = 0
        # A market that settles has left its series at its expiry.
        leaves = is_dated(market.kind) and market.status != InstrumentStatus.SETTLING
    if action.scope != market.tier:
        market.tier_hour = min(state.globals[0].clock // HOUR_MS, TIER_HOUR_MAX)
    market.status = action.mode
    market.tier = action.scope
    market.open_interest_cap = action.limit
    market.position_cap = action.lots
    code = commit_drafts(state, 0)
    if code != Code.APPLIED:
        return code
    if leaves:
        draft_underlying(state, underlying_row)
        series = state.underlying_drafts[0].series[market.series]
        series.market_count -= 1
        if is_option_kind(market.kind):
            series.option_count -= 1
            series.staged_count = 0
        store_underlying(state, underlying_row)
    state.globals[0].governance_sequence = action.sequence
    return Code.APPLIED
