"""Rows for claims on withdrawals: what a claimant can write pays nobody but whom the state owes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from clearing.records import State
from prover.commit import WITHDRAWALS
from prover.provability.house import UNCAUGHT, Caught, House, Outcome
from prover.provability.postings import changed
from prover.provability.states import flip_bytes
from prover.provability.table import Part, Row
from verifier.errors import Refused
from verifier.escrow import WithdrawalLeaf
from verifier.witness_leaves import WITHDRAWAL, leaf_bytes

OWED = 0  # the withdrawal that is claimed


@dataclass(frozen=True)
class Claim:
    """What is sent to be paid a withdrawal."""

    batch_id: bytes
    index: int
    leaf: bytes
    siblings: tuple[bytes, ...]


Change = Callable[[Claim], Claim]


def claim_rows() -> Iterator[Row]:
    """Yield the rows of a claim's fields, of its leaf's, and of when it comes."""
    changes: tuple[tuple[str, str, str, Callable[[Any], Any]], ...] = (
        ("batch_id", "a bit flipped", "NO_SUCH_BATCH", flip_bytes),
        ("index", "that of another", "INVALID_WITHDRAWAL_PROOF", lambda index: index + 1),
        ("index", "beyond the last", "NO_SUCH_WITHDRAWAL", lambda index: index + 1_000),
        ("leaf", "a byte less", "INVALID_WITHDRAWAL_PROOF", lambda leaf: leaf[:-1]),
        ("siblings", "one missing", "INVALID_WITHDRAWAL_PROOF", lambda found: found[:-1]),
    )
    for name, mutation, code, change in changes:
        yield _row("claim", name, mutation, code, partial(_with, name, change))
    for field in fields(WithdrawalLeaf):
        code = "INVALID_WITHDRAWAL_PROOF"
        yield _row("leaf", field.name, "one off", code, partial(_with_leaf, field.name))
    yield Row(
        Part.CLAIM, "claim", "time", "before the batch is final", Caught.CHALLENGER,
        "NOT_FINALISED", partial(_claimed, None, final=False), partial(_claimed, None),
    )  # fmt: skip
    yield Row(
        Part.CLAIM, "claim", "time", "a second time", Caught.CHALLENGER,
        "ALREADY_CLAIMED", partial(_claimed, None, times=2), partial(_claimed, None),
    )  # fmt: skip


def _row(subject: str, field: str, mutation: str, code: str, change: Change) -> Row:
    return Row(
        Part.CLAIM, subject, field, mutation, Caught.CHALLENGER, code,
        partial(_claimed, change), partial(_claimed, None),
    )  # fmt: skip


def _with(name: str, change: Callable[[Any], Any], claim: Claim) -> Claim:
    other: dict[str, Any] = {name: change(getattr(claim, name))}
    return replace(claim, **other)


def _with_leaf(name: str, claim: Claim) -> Claim:
    leaf = WithdrawalLeaf.decode(claim.leaf)
    other: dict[str, Any] = {name: changed(getattr(leaf, name))}
    return replace(claim, leaf=replace(leaf, **other).encode())


def _claimed(change: Change | None, house: House, final: bool = True, times: int = 1) -> Outcome:
    """Claim a withdrawal of the tip, which the state owes, after a change."""
    tip = house.court.heads().tip_id
    if final:
        house.block += house.config.final_after_blocks + 1
        house.court.finalise(house.call(), tip)
    engine = house.replica.engine
    state: State = engine.state
    count = int(engine.totals.withdrawal_count)
    siblings = engine.forest.siblings(WITHDRAWALS, count, [OWED])
    claim = Claim(tip, OWED, leaf_bytes(state, WITHDRAWAL, [OWED])[0], tuple(siblings))
    claim = claim if change is None else change(claim)
    try:
        for _ in range(times):
            house.court.claim_withdrawal(
                house.call(), claim.batch_id, claim.index, claim.leaf, claim.siblings
            )
    except Refused as refused:
        return Outcome(Caught.CHALLENGER, refused.code.name)
    return UNCAUGHT
