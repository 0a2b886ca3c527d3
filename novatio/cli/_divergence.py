"""A step that breaks the law, as a record for programs and in words for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from novatio.audit import Divergence
    from prover.blame import Value

# Every step moves these; they tell a reader nothing.
_USUAL = frozenset(("sequenced_accumulator", "sequenced_count", "inbox_accumulator"))


def record_of(found: Divergence) -> dict[str, Any]:
    """Return the record of a divergence. Values are text: of integers the digits, of words hex."""
    return {
        "step": found.step,
        "time_ms": found.time_ms,
        "pre_root": found.pre_root,
        "committed_root": found.committed_root,
        "law_root": found.law_root,
        "actions": [{"kind": kind, "outcome": code} for kind, code in found.actions],
        "leaves": [
            {"leaf": leaf.kind, "id": leaf.id, "before": leaf.before} for leaf in found.leaves
        ],
        "differences": [
            {"field": name, "committed": _text(committed), "law": _text(law)}
            for name, committed, law in found.globals_differ
        ],
        "changes": [
            {"leaf": one.kind, "id": one.id, "field": one.field}
            | {"before": _text(one.before), "law": _text(one.law)}
            for one in found.blame.changes
        ],
        "wrong": [
            {"leaf": one.kind, "id": one.id, "field": one.field}
            | {"before": _text(one.before), "committed": _text(one.committed)}
            | {"law": _text(one.law)}
            for one in found.blame.wrong
        ],
        "how": found.blame.how or None,
        "states_tried": found.blame.tried,
        "explanation": list(lines_of(found)),
    }


def lines_of(found: Divergence) -> Iterator[str]:
    """Yield the explanation, a sentence or a field a line."""
    yield (
        f"Step {found.step} of batch {found.number} breaks the law. From the same state and the "
        f"same bytes the law makes root {found.law_root.hex()}, the proposer committed "
        f"{found.committed_root.hex()}."
    )
    ran = ", ".join(f"{kind} ({code})" for kind, code in found.actions) or "no action"
    yield f"The step holds, with the law's outcomes: {ran}."
    blame = found.blame
    if blame.how:
        yield (
            f"The proposer {blame.how}. That state, of {blame.tried} tried, has "
            "exactly the committed root:"
        )
        for one in blame.wrong:
            yield (
                f"  {_leaf(one.kind, one.id)}, {one.field}: before {_text(one.before)}, "
                f"committed {_text(one.committed)}, by the law {_text(one.law)}"
            )
    else:
        yield (
            f"Which leaf is wrong is not known. Only the forged root was posted, its leaves were "
            f"not, and none of {blame.tried} likely states has this root: a rule not applied, a "
            "leaf left as it was, a number one unit off, doubled or of the wrong sign, a unit or a "
            "lot moved, cash exchanged, an owner replaced, fills forgotten, a surplus of custody "
            "in one account. The proof does not need it: the roots differ."
        )
    yield "What the law changes in the step:"
    for change in blame.changes:
        if change.field not in _USUAL:
            yield (
                f"  {_leaf(change.kind, change.id)}, {change.field}: {_text(change.before)} -> "
                f"{_text(change.law)}"
            )
    for name, committed, law in found.globals_differ:
        yield (
            f"At the end of the batch {name} was committed as {_text(committed)}, by the law it is "
            f"{_text(law)}."
        )


def _leaf(kind: str, id: int) -> str:
    return kind if kind in ("globals", "params") else f"{kind} {id}"


def _text(value: Value | None) -> str:
    if value is None:
        return "absent"
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
