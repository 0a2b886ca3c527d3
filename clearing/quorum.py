"""Publishers: what counts as their joint word, and of what time it may be."""

from clearing.codes import Code
from clearing.compiler import law
from clearing.layout import Grid
from clearing.lookup import signed_by
from clearing.records import Action, State
from clearing.units import OBSERVATIONS_MAX


@law
def check_quorum(state: State, action: Action, signers: Grid) -> int:
    """Return QUORUM if too few (or more than 16) signed, PUBLISHER if one may not or did twice."""
    count = action.signature_count
    if count < state.params[0].price_quorum or count > OBSERVATIONS_MAX or count == 0:
        return Code.QUORUM
    if not are_distinct_publishers(state, signers, action.signature_first, count):
        return Code.PUBLISHER
    return Code.APPLIED


@law
def are_distinct_publishers(state: State, signers: Grid, first: int, count: int) -> bool:
    """Every signer is a publisher and none signs twice."""
    params = state.params[0]
    seen = 0
    for i in range(first, first + count):
        known = False
        for j in range(params.publisher_count):
            if signed_by(signers, i, params.publishers[j].address):
                if seen & (1 << j) != 0:
                    return False
                seen |= 1 << j
                known = True
                break
        if not known:
            return False
    return True


@law
def latest_time(state: State) -> int:
    """Return the latest time in ms that publishers may sign now: the clock and their drift."""
    return state.globals[0].clock + state.params[0].price_drift_ms
