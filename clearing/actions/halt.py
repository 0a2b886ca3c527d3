"""Halt and resume: governance or the guardian stops everything but exits; governance alone goes on.

Governance's sequence is above that of the last act, the guardian's is the next one. In a halted
law only inbox messages, withdrawals and the resumption run.
"""

from clearing.authority import check_governance, check_guardian
from clearing.codes import Code, Status
from clearing.compiler import law
from clearing.layout import Grid
from clearing.records import Action, State


@law
def halt_by_hand(state: State, action: Action, signers: Grid) -> int:
    """Judge one halt and apply it."""
    code = check_governance(state, action, signers)
    if code == Code.BAD_SIGNATURE:
        code = check_guardian(state, action, signers)
    if code != Code.APPLIED:
        return code
    state.globals[0].governance_sequence = action.sequence
    state.globals[0].status = Status.HALTED
    return Code.APPLIED


@law
def resume(state: State, action: Action, signers: Grid) -> int:
    """Judge one resumption and apply it. In an active law it does no more than take a sequence."""
    code = check_governance(state, action, signers)
    if code != Code.APPLIED:
        return code
    state.globals[0].governance_sequence = action.sequence
    state.globals[0].status = Status.ACTIVE
    return Code.APPLIED
