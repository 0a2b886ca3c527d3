"""Rows for receipts: a sequencer's word that it breaks, and what a challenger can get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeAlias

from clearing import eip712
from clearing.keys import sign
from clearing.messages import Receipt
from prover.provability.house import UNCAUGHT, Caught, House, Outcome
from prover.provability.market import SEQUENCER, key_of
from prover.provability.postings import changed
from prover.provability.states import flip_bytes
from prover.provability.table import Part, Row
from verifier.batch import BatchData
from verifier.errors import CourtError, Refused
from verifier.events import ReceiptBroken
from verifier.receipts import LeftOut, SignedReceipt, TwoReceipts, roots_of

ChangeLeftOut: TypeAlias = Callable[[LeftOut], LeftOut]
# What a receipt with one field changed is: its signature is then somebody else's, or nobody's.
_NOT_SIGNED = {"signature": "INVALID_EVIDENCE"}


def receipt_rows() -> Iterator[Row]:
    """Yield the rows of broken receipts and of the fields of their evidence."""
    for mutation, attack in (
        ("an acknowledged trade left out", partial(_posted, _omit)),
        ("acknowledged trades exchanged", partial(_posted, _exchange)),
    ):
        yield Row(
            Part.FRAUD, "receipt", "sequence", mutation, Caught.BROKEN_RECEIPT, "LEFT_OUT",
            attack, partial(_posted, list),
        )  # fmt: skip
    yield Row(
        Part.FRAUD, "receipt", "accumulator", "two for one count",
        Caught.BROKEN_RECEIPT, "TWO_RECEIPTS",
        partial(_two, _other_accumulator), partial(_two, _same_twice),
    )  # fmt: skip
    for field in fields(SignedReceipt):
        name, code = field.name, _NOT_SIGNED.get(field.name, "NO_FRAUD")
        yield _left_out_row(f"receipt.{name}", "one off", code, partial(_with_receipt, name))
    for name, mutation, code, change in (
        ("batch_id", "a bit flipped", "NO_SUCH_BATCH",
         lambda found: replace(found, batch_id=flip_bytes(found.batch_id))),
        ("roots", "a bit flipped", "INVALID_EVIDENCE",
         lambda found: replace(found, roots=(flip_bytes(found.roots[0]), *found.roots[1:]))),
        ("roots", "one missing", "INVALID_EVIDENCE",
         lambda found: replace(found, roots=found.roots[:-1])),
    ):  # fmt: skip
        yield _left_out_row(name, mutation, code, change)
    for name in ("first", "second"):
        yield Row(
            Part.EVIDENCE, "TWO_RECEIPTS", name, "signed by another",
            Caught.CHALLENGER, "INVALID_EVIDENCE",
            partial(_two, partial(_signed_by_another, name)), partial(_two, _same_twice),
        )  # fmt: skip


def _left_out_row(name: str, mutation: str, code: str, change: ChangeLeftOut) -> Row:
    return Row(
        Part.EVIDENCE, "LEFT_OUT", name, mutation, Caught.CHALLENGER, code,
        partial(_challenged, change), partial(_challenged, None),
    )  # fmt: skip


def _with_receipt(name: str, found: LeftOut) -> LeftOut:
    receipt = found.receipt
    return replace(found, receipt=replace(receipt, **{name: changed(getattr(receipt, name))}))


def signed(house: House, count: int, accumulator: bytes, key: bytes = SEQUENCER) -> SignedReceipt:
    """Return a receipt that the sequencer, or another key, signed in this generation."""
    generation = house.court.heads().generation
    promise = Receipt(generation, count, accumulator)
    digest = eip712.digest(house.market.domain, promise.struct_hash())
    return SignedReceipt(generation, count, accumulator, sign(key, digest))


def _shown(house: House, evidence: TwoReceipts | LeftOut, kind: str) -> Outcome:
    """Show evidence of a broken receipt to the court."""
    try:
        broken = house.court.prove_receipt(house.call(), evidence.encode())
    except Refused as refused:
        if refused.code is CourtError.NO_FRAUD:
            return UNCAUGHT
        return Outcome(Caught.CHALLENGER, refused.code.name)
    assert isinstance(broken, ReceiptBroken)
    return Outcome(Caught.BROKEN_RECEIPT, kind)


def _omit(steps: list[bytes]) -> list[bytes]:
    return [steps[1], *steps[1:]]


def _exchange(steps: list[bytes]) -> list[bytes]:
    return [steps[1], steps[0], *steps[2:]]


def _evidence(rearrange: Callable[[list[bytes]], Sequence[bytes]], house: House) -> LeftOut:
    """Acknowledge three trades, the second last; post what was made of them; show the receipt."""
    trades = [house.market.trade(0, 1) for _ in range(3)]
    promised = house.forge()
    for trade in trades[:2]:
        promised.forged([trade], house.time_ms)
    totals = promised.engine.opening().globals()
    receipt = signed(house, totals.sequenced_count, totals.sequenced_accumulator)
    forge = house.forge()
    for trade in rearrange(trades):
        forge.forged([trade], house.time_ms)
    posting = forge.finish(house.place())
    house.post(posting)
    data = BatchData.decode(posting.data, posting.header.step_count)
    return LeftOut(posting.header.batch_id(), receipt, roots_of(data))


def _posted(rearrange: Callable[[list[bytes]], Sequence[bytes]], house: House) -> Outcome:
    return _shown(house, _evidence(rearrange, house), "LEFT_OUT")


def _challenged(change: ChangeLeftOut | None, house: House) -> Outcome:
    """Show evidence that would convict, after a change that must not."""
    evidence = _evidence(_omit, house)
    outcome = _shown(house, evidence if change is None else change(evidence), "LEFT_OUT")
    if change is None:
        return UNCAUGHT if outcome.caught is Caught.BROKEN_RECEIPT else outcome
    # Evidence that convicts nobody is refused like any other mistake.
    return Outcome(Caught.CHALLENGER, "NO_FRAUD") if outcome == UNCAUGHT else outcome


def _two(change: Callable[[House, SignedReceipt], TwoReceipts], house: House) -> Outcome:
    totals: Any = house.replica.engine.totals
    first = signed(house, int(totals.sequenced_count) + 1, b"\x01" * 32)
    return _shown(house, change(house, first), "TWO_RECEIPTS")


def _same_twice(house: House, first: SignedReceipt) -> TwoReceipts:
    return TwoReceipts(first, first)


def _other_accumulator(house: House, first: SignedReceipt) -> TwoReceipts:
    return TwoReceipts(first, signed(house, first.count, b"\x02" * 32))


def _signed_by_another(name: str, house: House, first: SignedReceipt) -> TwoReceipts:
    two = _other_accumulator(house, first)
    was = getattr(two, name)
    other = signed(house, was.count, was.accumulator, key_of(0))
    return replace(two, **{name: other})
