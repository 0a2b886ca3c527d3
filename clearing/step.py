"""A step: a few actions at one law time, within a budget that the law itself counts.

The sequencer asks `fits` before each action and closes the step when it does not; the court runs
the same functions on a witness. `apply_action` is total but for arithmetic overflow, which
raises with nothing committed: the caller then calls `halt` and records INVARIANT.
"""

from typing import Any, cast

from clearing.accumulators import extend_sequence
from clearing.actions.cancel import cancel
from clearing.actions.funding import funding
from clearing.actions.inbox import inbox
from clearing.actions.liquidate import liquidate
from clearing.actions.price import price
from clearing.actions.trade import trade
from clearing.actions.transfer import transfer
from clearing.actions.withdraw import withdraw
from clearing.codes import Code, Kind, Status
from clearing.compiler import law, law_entry
from clearing.layout import Grid, Rows
from clearing.lookup import find_account
from clearing.records import Action, Observation, State
from clearing.units import PAGES_MAX, STEP_CELLS, STEP_RECOVERIES, STEP_WORDS

ACCOUNT_WORDS = 21  # globals and funds, header, and a fill page
INSTRUMENT_WORDS = 7


@law
def begin_step(state: State, time: int) -> None:
    """Open a step: the clock never runs backwards, the budget is fresh, nothing is touched."""
    state.globals[0].clock = max(state.globals[0].clock, time)
    scratch = state.scratch[0]
    scratch.words_left = STEP_WORDS
    scratch.cells_left = STEP_CELLS
    scratch.recoveries_left = STEP_RECOVERIES
    scratch.touched_accounts = 0
    scratch.touched_instruments = 0
    scratch.touched_pages = 0
    scratch.touched_funds = 0


@law
def fits(state: State, action: Action) -> bool:
    """Tell whether the step's budget has room for the action."""
    words, cells = cost(state, action)
    scratch = state.scratch[0]
    return (
        words <= scratch.words_left
        and cells <= scratch.cells_left
        and action.signature_count <= scratch.recoveries_left
    )


@law
def cost(state: State, action: Action) -> tuple[int, int]:
    """Return (leaf words, margin cells) that the action may touch, an upper bound by its names."""
    kind = action.kind
    if action.code != Code.APPLIED and action.code != Code.QUORUM:
        return 0, 0
    words = 0
    cells = 0
    if kind == Kind.TRADE:
        words, cells = account_cost(state, action.maker.account)
        more_words, more_cells = account_cost(state, action.taker.account)
        words += more_words
        cells += more_cells
    elif kind != Kind.PRICE and kind != Kind.FUNDING:
        words, cells = account_cost(state, action.account)
        if kind == Kind.LIQUIDATE or kind == Kind.TRANSFER:
            more_words, more_cells = account_cost(state, action.counterparty)
            words += more_words
            cells += more_cells
    return words + INSTRUMENT_WORDS, cells


@law
def account_cost(state: State, id: int) -> tuple[int, int]:
    """Return (leaf words, margin cells) of one account: its leaf, page and markets."""
    row = find_account(state, id)
    if row < 0:
        return ACCOUNT_WORDS, 1
    account = state.accounts[row]
    pages = 0
    for i in range(PAGES_MAX):
        pages += (account.page_mask >> i) & 1
    return (
        ACCOUNT_WORDS + pages + account.position_count * (1 + INSTRUMENT_WORDS),
        account.position_count + 1,
    )


@law
def apply_action(
    state: State,
    actions: Rows[Action],
    observations: Rows[Observation],
    signers: Grid,
    k: int,
) -> int:
    """Apply action `k` and return its Code. Only APPLIED changes the state (see the module)."""
    scratch = state.scratch[0]
    scratch.cursor = k
    action = actions[k]
    if action.code != Code.APPLIED and action.code != Code.QUORUM:
        return action.code
    if not fits(state, action):
        return Code.STEP_FULL
    words, cells = cost(state, action)
    scratch.words_left -= words
    scratch.cells_left -= cells
    scratch.recoveries_left -= action.signature_count
    kind = action.kind
    halted = state.globals[0].status != Status.ACTIVE
    if halted and kind != Kind.INBOX and kind != Kind.WITHDRAW:
        return Code.HALTED
    code = dispatch(state, action, observations, signers)
    # What a witness lacks is its builder's fault and voids the run; it must not halt the law.
    if code == Code.INVARIANT and scratch.missing_kind == 0:
        halt(state)
    return code


@law
def dispatch(state: State, action: Action, observations: Rows[Observation], signers: Grid) -> int:
    """Call the rule of the action's kind."""
    kind = action.kind
    if kind == Kind.TRADE:
        return trade(state, action, signers)
    if kind == Kind.INBOX:
        return inbox(state, action)
    if kind == Kind.WITHDRAW:
        return withdraw(state, action, signers)
    if kind == Kind.TRANSFER:
        return transfer(state, action, signers)
    if kind == Kind.CANCEL:
        return cancel(state, action, signers)
    if kind == Kind.PRICE:
        return price(state, action, observations, signers)
    if kind == Kind.FUNDING:
        return funding(state, action)
    if kind == Kind.LIQUIDATE:
        return liquidate(state, action, signers)
    return Code.UNKNOWN_KIND


@law
def halt(state: State) -> None:
    """Stop everything but exits: a number or an invariant broke, so nothing may be trusted."""
    state.globals[0].status = Status.HALTED


@law
def end_step(state: State, actions: Rows[Action], first: int, stop: int) -> None:
    """Close the step over actions `first .. stop`: fold their hashes into the accumulator."""
    extend_sequence(state, actions, first, stop)


@law_entry
def run_actions(
    state: State,
    actions: Rows[Action],
    observations: Rows[Observation],
    signers: Grid,
    first: int,
    stop: int,
    codes: Rows[int],
) -> None:
    """Apply actions `first .. stop` within the open step, writing a Code each."""
    for k in range(first, stop):
        codes[k] = apply_action(state, actions, observations, signers, k)


@law_entry
def open_step(state: State, time: int) -> None:
    """`begin_step`, to be called from Python."""
    begin_step(state, time)


@law_entry
def close_step(state: State, actions: Rows[Action], first: int, stop: int) -> None:
    """`end_step`, to be called from Python."""
    end_step(state, actions, first, stop)


def transition(state: State, columns: Any, first: int, stop: int, time: int, codes: Any) -> None:
    """Run exactly one step over actions `first .. stop` of `columns`, writing `codes[first:stop]`.

    Total: an overflow undoes its action, which becomes INVARIANT, halts the law, and the rest of
    the step goes on. `columns` holds actions, observations and recovered signers.
    """
    open_step(state, time)
    opened = first
    while first < stop:
        try:
            run_actions(
                state,
                columns.actions,
                columns.observations,
                columns.signers,
                first,
                stop,
                codes,
            )
            break
        except ArithmeticError:
            culprit = int(cast(Any, state.scratch)[0].cursor)
            codes[culprit] = Code.INVARIANT
            cast(Any, state.globals)[0].status = Status.HALTED
            first = culprit + 1
    close_step(state, columns.actions, opened, stop)
