"""The one loop of the hot path: many actions, step by step, each step committed to its root.

Roots are made some dozens of steps at a time, because hashing many together costs far less. The
loop stops between two actions only, so that an overflow, which leaves the kernel as an exception,
loses nothing: ``progress`` says where to go on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clearing.codes import Code, Tag
from clearing.compiler import by_reference, kernel, law, law_entry
from clearing.keccak import hash_rows
from clearing.layout import Grid, Rows
from clearing.records import Action, Observation, State
from clearing.step import apply_action, begin_step, end_step
from clearing.units import ACTIONS_PER_STEP
from prover.commit import Book, is_book_full, note_step, settle_steps
from prover.tree import HASH_PIECES, VERSIONS, Pieces, Trees

TAG_STEP = int(Tag.STEP)
STEP_ROW_PIECES = 2 + HASH_PIECES * ACTIONS_PER_STEP

# Places in ``Run.progress``.
NEXT = 0  # the action to apply next
STEPS = 1  # steps that are closed
PHASE = 2
OPENING, APPLYING, CLOSING = 0, 1, 2


@by_reference
class Run(NamedTuple):
    """What one call of ``run_steps`` works on, and fills.

    ``times`` int64[s]: the law time of each step, or one for all. ``bounds`` int64[s + 1]: the
    first action of each step and the end of the last; empty if the run decides where steps end.
    ``hashes`` int64[n, 4]: action hashes. Results: codes int64[n], firsts int64[steps + 1],
    step_hashes and roots int64[steps, 4]. ``rows`` int64[64, ...] and ``lengths`` int64[64] are
    what the hashes of the latest steps are made of.
    """

    times: Pieces
    bounds: Pieces
    hashes: Pieces
    codes: Pieces
    firsts: Pieces
    step_hashes: Pieces
    roots: Pieces
    progress: Pieces
    rows: Pieces
    lengths: Pieces


def new_run(times: Pieces, bounds: Pieces, hashes: Pieces, count: int) -> Run:
    """Return a run over ``count`` actions that has not begun."""
    steps = max(bounds.shape[0] - 1, 0) if bounds.shape[0] else count
    return Run(
        times=times,
        bounds=bounds,
        hashes=hashes,
        codes=np.zeros(count, np.int64),
        firsts=np.zeros(steps + 1, np.int64),
        step_hashes=np.zeros((steps, HASH_PIECES), np.int64),
        roots=np.zeros((steps, HASH_PIECES), np.int64),
        progress=np.array([bounds[0] if bounds.shape[0] else 0, 0, OPENING], np.int64),
        rows=np.zeros((VERSIONS, STEP_ROW_PIECES), np.int64),
        lengths=np.zeros(VERSIONS, np.int64),
    )


@law_entry
def run_steps(
    state: State,
    trees: Trees,
    book: Book,
    run: Run,
    actions: Rows[Action],
    observations: Rows[Observation],
    payload: Rows[int],
    signers: Grid,
) -> None:
    """Run from ``run.progress`` to the end of the actions (of the bounds).

    Raises ArithmeticError out of an action, with nothing of that action committed and
    ``progress[NEXT]`` naming it; calling again goes on there.
    """
    progress = run.progress
    while True:
        step = progress[STEPS]
        if progress[PHASE] == OPENING:
            if is_finished(run, step):
                settle(state, trees, book, run)
                return
            begin_step(state, run.times[min(step, run.times.shape[0] - 1)])
            run.firsts[step] = progress[NEXT]
            progress[PHASE] = APPLYING
        while not is_step_over(run, step):
            k = progress[NEXT]
            run.codes[k] = apply_action(state, actions, observations, payload, signers, k)
            if waits(run, step):
                break
            progress[NEXT] = k + 1
        progress[PHASE] = CLOSING
        first = run.firsts[step]
        stop = progress[NEXT]
        end_step(state, actions, first, stop)
        lay_step(run, book.steps[0], step, first, stop)
        note_step(state, trees, book)
        run.firsts[step + 1] = stop
        progress[STEPS] = step + 1
        progress[PHASE] = OPENING
        if is_book_full(trees, book):
            settle(state, trees, book, run)


@law
def is_finished(run: Run, step: int) -> bool:
    """Tell whether no step is left."""
    if run.bounds.shape[0] > 0:
        return bool(step == run.bounds.shape[0] - 1)
    return bool(run.progress[NEXT] == run.codes.shape[0])


@law
def is_step_over(run: Run, step: int) -> bool:
    """Tell whether the open step ends before the next action, whatever that is."""
    k: int = run.progress[NEXT]
    if run.bounds.shape[0] > 0:
        return bool(k == run.bounds[step + 1])
    return bool(k == run.codes.shape[0] or k - run.firsts[step] == ACTIONS_PER_STEP)


@law
def waits(run: Run, step: int) -> bool:
    """Tell whether the action just judged found the step full and waits for the next one.

    One that does not fit an empty step never will: its rejection stands. So does every one where
    somebody else has said where the steps end.
    """
    k: int = run.progress[NEXT]
    return bool(
        run.codes[k] == Code.STEP_FULL and run.bounds.shape[0] == 0 and k > run.firsts[step]
    )


@law
def lay_step(run: Run, place: int, step: int, first: int, stop: int) -> None:
    """Lay out what the step's hash is made of: H(STEP, time || count || action hashes)."""
    row = run.rows[place]
    row[0] = run.times[min(step, run.times.shape[0] - 1)]
    row[1] = stop - first
    for k in range(first, stop):
        for piece in range(HASH_PIECES):
            row[2 + HASH_PIECES * (k - first) + piece] = run.hashes[k, piece]
    run.lengths[place] = 2 + HASH_PIECES * (stop - first)


@kernel
def settle(state: State, trees: Trees, book: Book, run: Run) -> None:
    """Make the roots and the hashes of the steps that were closed since the last time."""
    stop: int = run.progress[STEPS]
    first = stop - book.steps[0]
    if first == stop:
        return
    settle_steps(state, trees, book)
    hash_rows(run.rows, run.lengths, stop - first, TAG_STEP, run.step_hashes[first:stop])
    for step in range(first, stop):
        for piece in range(HASH_PIECES):
            run.roots[step, piece] = book.step_roots[step - first, piece]
