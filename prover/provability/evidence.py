"""Rows for evidence: nothing that a challenger can write convicts, or hides what is wrong.

Each field is changed in the evidence against an honest step and in that against a forged one: both
are the challenger's error, and neither a verdict. The twin sends the same evidence unchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any, get_type_hints

from clearing.messages import Cancel, Funding
from prover.forge import Posting, mint
from prover.provability.house import UNCAUGHT, Caught, House, Outcome
from prover.provability.market import FIRST_TRADER, FULL, PERPETUAL
from prover.provability.states import flip_bytes
from prover.provability.table import Part, Row
from prover.witness import build_evidence
from verifier.batch import BatchData
from verifier.evidence import EVIDENCE_BYTES_MAX, Evidence

LAST = 2  # the step that the evidence is about

ChangeBytes = Callable[[bytes], bytes]


def evidence_rows() -> Iterator[Row]:
    """Yield the rows of all fields, and of the bytes as a whole."""
    types = get_type_hints(Evidence)
    for field in fields(Evidence):
        for mutation, change in _CHANGES[types[field.name]]:
            yield _row(field.name, mutation, partial(_with_field, field.name, change))
    yield _row("end", "a byte more", lambda evidence: evidence + b"\0")
    yield _row("end", "a byte less", lambda evidence: evidence[:-1])
    yield _row(
        "length", "more than the court takes",
        lambda evidence: evidence + bytes(EVIDENCE_BYTES_MAX), "EVIDENCE_TOO_LONG",
    )  # fmt: skip


def _row(name: str, mutation: str, change: ChangeBytes, code: str = "INVALID_EVIDENCE") -> Row:
    return Row(
        Part.EVIDENCE,
        "BAD_STEP",
        name,
        mutation,
        Caught.CHALLENGER,
        code,
        partial(_challenged, change),
        partial(_challenged, None),
    )


def _with_field(name: str, change: Callable[[object], object], evidence: bytes) -> bytes:
    parsed = Evidence.decode(evidence)
    other: dict[str, Any] = {name: change(getattr(parsed, name))}
    return replace(parsed, **other).encode()


def _flip_first(items: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (flip_bytes(items[0]), *items[1:])


_CHANGES: dict[Any, tuple[tuple[str, Callable[..., object]], ...]] = {
    int: (("one less", lambda value: value - 1),),
    bytes: (("a bit flipped", flip_bytes),),
    tuple[bytes, ...]: (
        ("a bit of one flipped", _flip_first),
        ("one missing", lambda items: items[:-1]),
        ("one too many", lambda items: (*items, items[-1])),
    ),
}


def _challenged(change: ChangeBytes | None, house: House) -> Outcome:
    """Send evidence against an honest step and a forged one; both must end alike."""
    outcomes = []
    for cheats in (False, True):
        with house.apart():
            outcomes.append(_sent(change, cheats, house))
    if change is None:
        convicted = Outcome(Caught.BAD_STEP, f"BAD_STEP({LAST})")
        return UNCAUGHT if outcomes == [UNCAUGHT, convicted] else outcomes[1]
    # Of two that differ, the one that is not the challenger's error tells what is wrong.
    return next((one for one in outcomes if one.caught is not Caught.CHALLENGER), outcomes[0])


def _sent(change: ChangeBytes | None, cheats: bool, house: House) -> Outcome:
    posting, evidence = _posted(cheats, house)
    batch_id = posting.header.batch_id()
    return house.prove(batch_id, evidence if change is None else change(evidence))


def _posted(cheats: bool, house: House) -> tuple[Posting, bytes]:
    """Post a batch of three steps, the last forged if `cheats`; return it and evidence on that.

    The step reads leaves of every kind, and appends to the withdrawals.
    """
    market = house.market
    forge = house.forge()
    for _ in range(2):
        forge.forged([market.trade(0, 1)], house.time_ms)
    actions = [
        market.trade(1, 2),
        market.withdraw(0),
        Funding(PERPETUAL).encode(),
        Cancel(FULL, 0, 1).encode(),
    ]
    before = copy.deepcopy(forge.engine)
    forge.forged(actions, house.time_ms, mutate=mint(FIRST_TRADER, 1) if cheats else None)
    posting = forge.finish(house.place())
    house.post(posting)
    data = BatchData.decode(posting.data, posting.header.step_count)
    step = data.steps[LAST].encode()
    return posting, build_evidence(before, posting.header, data.pairs, LAST, step).encode()
