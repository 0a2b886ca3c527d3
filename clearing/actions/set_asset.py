"""Set asset: governance admits a collateral asset, or changes the numbers of one.

A change is legal if
1. the asset is no settlement asset, and exists or is the next one of at most eight;
2. governance signed it, with a sequence above the last act's;
3. both haircuts sum to at most one, and scale, cap and peg are within their bounds;
4. for an asset that exists, unless only its status changes: a timelock has passed since the last
   change, and no number (of a haircut: what it leaves of the value) moves by more than a step.
A new asset counts for nothing before the publishers' first price.

Payload: status (0 active, 1 withdraw-only), haircut, initial haircut, scale, cap, peg price, peg
threshold, peg factor.
"""

from clearing.authority import check_governance
from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import draft_assets, store_assets
from clearing.governance import timelock_passed
from clearing.layout import Grid, Rows
from clearing.parameter_checks import number_may_move
from clearing.records import Action, Asset, State
from clearing.units import AMOUNT_MAX, ASSETS_MAX, PPM, PRICE_MAX, SETTLEMENT_ASSET

STATUS, HAIRCUT, INITIAL_HAIRCUT, SCALE, CAP, PEG_PRICE, PEG_THRESHOLD, PEG_FACTOR = range(8)
PIECES = 8
WITHDRAW_ONLY = 1
PEG_FACTOR_MAX = 100 * PPM


@law
def set_asset(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Judge one change of an asset and apply it."""
    totals = state.globals[0]
    id = action.asset
    if id == SETTLEMENT_ASSET or id > totals.asset_count or id >= ASSETS_MAX:
        return Code.NO_ASSET
    code = check_governance(state, action, signers)
    if code != Code.APPLIED:
        return code
    if action.payload_count != PIECES or not within_bounds(payload, action.payload_first):
        return Code.PARAMETER_BOUND
    draft_assets(state)
    asset = state.asset_drafts[id]
    if id == totals.asset_count:
        clear_asset(asset, id)
    else:
        code = check_change(state, asset, payload, action.payload_first)
        if code != Code.APPLIED:
            return code
    fill_in(asset, payload, action.payload_first, totals.clock)
    totals.asset_count = max(totals.asset_count, id + 1)
    totals.governance_sequence = action.sequence
    store_assets(state)
    return Code.APPLIED


@law
def within_bounds(payload: Rows[int], first: int) -> bool:
    """Tell whether the numbers are such that the law can live with them."""
    haircut = payload[first + HAIRCUT]
    initial = payload[first + INITIAL_HAIRCUT]
    return (
        0 <= payload[first + STATUS] <= WITHDRAW_ONLY
        and 0 <= haircut <= PPM
        and 0 <= initial <= PPM
        and haircut + initial <= PPM
        and 0 < payload[first + SCALE] <= payload[first + CAP] <= AMOUNT_MAX
        and 0 <= payload[first + PEG_PRICE] <= PRICE_MAX
        and 0 <= payload[first + PEG_THRESHOLD] <= PPM
        and 0 <= payload[first + PEG_FACTOR] <= PEG_FACTOR_MAX
    )


@law
def check_change(state: State, asset: Asset, payload: Rows[int], first: int) -> int:
    """A change of numbers comes a timelock after the last one, and by steps."""
    if is_same(asset, payload, first):
        return Code.APPLIED
    params = state.params[0]
    if not timelock_passed(asset.changed_time, state.globals[0].clock, params.timelock_ms):
        return Code.TIMELOCK
    step_ppm = params.parameter_step_ppm
    haircut = payload[first + HAIRCUT]
    old_initial = PPM - asset.haircut_ppm - asset.initial_haircut_ppm
    new_initial = PPM - haircut - payload[first + INITIAL_HAIRCUT]
    if (
        number_may_move(PPM - asset.haircut_ppm, PPM - haircut, step_ppm)
        and number_may_move(old_initial, new_initial, step_ppm)
        and number_may_move(asset.scale, payload[first + SCALE], step_ppm)
        and number_may_move(asset.cap, payload[first + CAP], step_ppm)
        and number_may_move(asset.peg_price, payload[first + PEG_PRICE], step_ppm)
        and number_may_move(asset.peg_threshold_ppm, payload[first + PEG_THRESHOLD], step_ppm)
        and number_may_move(asset.peg_factor_ppm, payload[first + PEG_FACTOR], step_ppm)
    ):
        return Code.APPLIED
    return Code.PARAMETER_STEP


@law
def is_same(asset: Asset, payload: Rows[int], first: int) -> bool:
    """Tell whether the asset has these numbers already; its status aside."""
    return bool(
        asset.haircut_ppm == payload[first + HAIRCUT]
        and asset.initial_haircut_ppm == payload[first + INITIAL_HAIRCUT]
        and asset.scale == payload[first + SCALE]
        and asset.cap == payload[first + CAP]
        and asset.peg_price == payload[first + PEG_PRICE]
        and asset.peg_threshold_ppm == payload[first + PEG_THRESHOLD]
        and asset.peg_factor_ppm == payload[first + PEG_FACTOR]
    )


@law
def clear_asset(asset: Asset, id: int) -> None:
    """Begin an asset that nobody holds and nobody has priced."""
    asset.id = id
    asset.price = 0
    asset.stable_price = 0
    asset.price_time = 0
    asset.custody = 0
    asset.held = 0


@law
def fill_in(asset: Asset, payload: Rows[int], first: int, clock: int) -> None:
    """Write the numbers to the asset's draft, and when they changed."""
    if not is_same(asset, payload, first):
        asset.changed_time = clock
    asset.status = payload[first + STATUS]
    asset.haircut_ppm = payload[first + HAIRCUT]
    asset.initial_haircut_ppm = payload[first + INITIAL_HAIRCUT]
    asset.scale = payload[first + SCALE]
    asset.cap = payload[first + CAP]
    asset.peg_price = payload[first + PEG_PRICE]
    asset.peg_threshold_ppm = payload[first + PEG_THRESHOLD]
    asset.peg_factor_ppm = payload[first + PEG_FACTOR]
