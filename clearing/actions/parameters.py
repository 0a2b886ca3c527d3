"""Parameters: governance announces a whole new set, and anyone enacts it after the timelock.

Set params: governance signed it, with a sequence above the last act's; the set is one that the law
can live with, of the next version and nothing pending in it (PARAMETER_BOUND); and no number moves
by more than the step (PARAMETER_STEP). Its hash then waits in the parameters for as long as their
timelock says; a later announcement takes the place of an earlier one.

Enact: the payload is the set that waits, and its time has come (TIMELOCK).
"""

from clearing.authority import check_governance
from clearing.codes import Code, Tag
from clearing.compiler import law
from clearing.drafts import store_params
from clearing.keccak import hash_pieces
from clearing.layout import Grid, Rows
from clearing.leaves import PARAMS_FIELDS, encode_params
from clearing.lookup import same_word
from clearing.parameter_checks import (
    are_unused_tiers_zero,
    is_consistent,
    within_bounds,
    within_steps,
)
from clearing.records import Action, State


@law
def set_params(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Judge one announcement and apply it."""
    params = state.params[0]
    code = check_governance(state, action, signers)
    if code != Code.APPLIED:
        return code
    if not load_draft(state, action, payload):
        return Code.PARAMETER_BOUND
    announced = state.params_draft_pieces[0]
    if not is_consistent(state.params_draft[0], announced, params):
        return Code.PARAMETER_BOUND
    if not are_unused_tiers_zero(announced, state.params_draft[0].tier_count):
        return Code.PARAMETER_BOUND
    if not within_steps(state.params_pieces[0], announced, params.parameter_step_ppm):
        return Code.PARAMETER_STEP
    hash_draft(state)
    state.params_draft[0] = state.params[0]
    draft = state.params_draft[0]
    for i in range(4):
        draft.pending_hash[i] = state.hash_digest[i]
    draft.pending_time = state.globals[0].clock + params.timelock_ms
    store_params(state)
    state.globals[0].governance_sequence = action.sequence
    return Code.APPLIED


@law
def enact(state: State, action: Action, payload: Rows[int]) -> int:
    """Judge one enactment and apply it: the announced set replaces the parameters."""
    params = state.params[0]
    if params.pending_time == 0 or state.globals[0].clock < params.pending_time:
        return Code.TIMELOCK
    if not load_draft(state, action, payload):
        return Code.TIMELOCK
    hash_draft(state)
    if not same_word(state.hash_digest, params.pending_hash):
        return Code.TIMELOCK
    store_params(state)
    return Code.APPLIED


@law
def load_draft(state: State, action: Action, payload: Rows[int]) -> bool:
    """Copy the payload into the params draft; False if it is no set within its bounds."""
    if action.payload_count != PARAMS_FIELDS:
        return False
    draft = state.params_draft_pieces[0]
    for i in range(PARAMS_FIELDS):
        draft[i] = payload[action.payload_first + i]
    return within_bounds(draft)


@law
def hash_draft(state: State) -> None:
    """Write the hash of the leaf that the params draft would be to the hash digest."""
    draft = state.params_draft[0]
    length = encode_params(
        state.params_draft_pieces[0], draft.tier_count, draft.publisher_count, state.workspace
    )
    hash_pieces(state.workspace, length, Tag.PARAMS, state.hash_digest)
