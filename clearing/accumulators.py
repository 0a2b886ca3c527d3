"""Running hashes in the globals: of the inbox messages consumed and of the actions sequenced.

They bind what was done to what was posted and to what was promised: the court compares the inbox
accumulator with its own, and a receipt signs the sequence accumulator.
"""

from clearing.codes import Kind, Tag
from clearing.compiler import law
from clearing.keccak import hash_pieces
from clearing.layout import Rows
from clearing.records import Action, State


@law
def extend_inbox(state: State, message_hash: Rows[int]) -> None:
    """accumulator' = H(INBOX, accumulator || message hash)."""
    row = state.hash_row
    accumulator = state.globals[0].inbox_accumulator
    for i in range(4):
        row[i] = accumulator[i]
        row[4 + i] = message_hash[i]
    hash_pieces(row, 8, Tag.INBOX, accumulator)


@law
def extend_sequence(state: State, actions: Rows[Action], first: int, stop: int) -> None:
    """Count the step's actions other than inbox messages and fold their hashes in.

    accumulator' = H(SEQUENCE, accumulator || H(SEQUENCED, action hashes)). Hashes of inputs, never
    of outcomes: a receipt must not depend on how the law judged.
    """
    row = state.hash_row
    count = 0
    for k in range(first, stop):
        if actions[k].kind != Kind.INBOX:
            for i in range(4):
                row[4 + 4 * count + i] = actions[k].digest[i]
            count += 1
    if count == 0:
        return
    totals = state.globals[0]
    totals.sequenced_count += count
    hash_pieces(row[4:], 4 * count, Tag.SEQUENCED, state.hash_digest)
    for i in range(4):
        row[i] = totals.sequenced_accumulator[i]
        row[4 + i] = state.hash_digest[i]
    hash_pieces(row, 8, Tag.SEQUENCE, totals.sequenced_accumulator)
