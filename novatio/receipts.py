"""Whether a receipt was kept: what a client compares it with, from base-layer bytes alone.

A receipt file is JSON with ``generation``, ``count``, and ``accumulator`` and ``signature`` in hex;
``novatio receipt get`` writes one, and ``ReceiptCheck.record`` of a client's last receipt does too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from clearing import eip712
from clearing.keys import NULL_ADDRESS
from novatio.errors import BadRequest, NotFound, VerificationFailed
from verifier.base.interface import BaseLayer, BatchView
from verifier.batch import BatchData
from verifier.evidence import EvidenceError
from verifier.header import DATA_INLINE, Header
from verifier.receipts import (
    Evidence,
    LeftOut,
    Posted,
    SignedReceipt,
    TwoReceipts,
    accumulators_of,
    roots_of,
    why_both_hold,
    why_kept,
)

__all__ = ["Finding", "Verdict", "check_kept", "contradiction", "read_receipt"]


class Verdict(StrEnum):
    """What became of a receipt."""

    KEPT = "kept"
    BROKEN = "broken"
    PENDING = "pending"  # nothing that was posted says yet
    VOID = "void"  # it binds nobody


@dataclass(frozen=True)
class Finding:
    """A verdict in plain words. ``batch`` is the one that decides, ``evidence`` what proves a
    broken receipt. ``stake_gwei`` is what backs the signer's receipts."""

    verdict: Verdict
    text: str
    signer: bytes
    stake_gwei: int
    batch: BatchView | None = None
    evidence: Evidence | None = None


def read_receipt(path: str | Path) -> SignedReceipt:
    """Return the receipt in a file. Raises BadRequest."""
    try:
        content: Any = json.loads(Path(path).read_text("utf-8"))
        return SignedReceipt(
            int(content["generation"]),
            int(content["count"]),
            _bytes(content["accumulator"], 32),
            _bytes(content["signature"], 65),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"receipt {path}: expected JSON with generation, count, accumulator and signature, "
            f"was: {error!r}",
            next_step="novatio receipt get ACTION_HASH -o json > receipt.json",
        ) from error


def check_kept(base: BaseLayer, receipt: SignedReceipt, batch_id: bytes | None = None) -> Finding:
    """Compare a receipt with what was posted, or with one batch, also one that fell.

    Raises VerificationFailed for a receipt that nobody can have signed, NotFound for a batch that
    was never posted.
    """
    signer = _signer(base, receipt)
    stake = base.stake(signer)
    backed = stake.amount if stake.generation <= receipt.generation else 0
    bound = base.receipt_signer(receipt.generation)
    view = _decisive(base, receipt) if batch_id is None else _named(base, batch_id)
    if bound not in (None, signer):
        text = f"it binds nobody: generation {receipt.generation} is not 0x{signer.hex()}'s alone"
        return Finding(Verdict.VOID, text, signer, backed, view)
    if view is None:
        return _not_posted(base, receipt, signer, backed)
    posted, roots = _posted(base, view), _roots(base, view)
    try:
        reason = why_kept(receipt, posted, roots)
    except EvidenceError as error:
        raise VerificationFailed(
            f"batch {view.record.number}: {error}; its data and its opened states contradict each "
            "other",
            next_step=f"novatio batch verify {view.record.number}",
        ) from error
    if reason is None:
        evidence = LeftOut(view.record.batch_id, receipt, roots)
        text = (
            f"batch {view.record.number} takes the count from {posted.count_before} "
            f"to {posted.count_after} without what the receipt says comes after {receipt.count}"
        )
        return Finding(Verdict.BROKEN, text, signer, backed, view, evidence)
    within = receipt.accumulator in (posted.accumulator_after, *accumulators_of(posted, roots))
    bound_here = posted.first_bound <= receipt.generation <= posted.generation
    if within:
        text = f"batch {view.record.number} holds everything that the receipt was given for"
        return Finding(Verdict.KEPT, text, signer, backed, view)
    verdict = Verdict.PENDING if bound_here else Verdict.VOID
    return Finding(verdict, f"nothing to hold against the signer: {reason}", signer, backed, view)


def contradiction(base: BaseLayer, first: SignedReceipt, second: SignedReceipt) -> Finding:
    """Compare two receipts with each other. Raises VerificationFailed if two keys signed them."""
    signer, other = _signer(base, first), _signer(base, second)
    if signer != other:
        raise VerificationFailed(
            f"receipts: expected two of one signer, was 0x{signer.hex()} and 0x{other.hex()}",
            next_step="novatio receipt check RECEIPT",
        )
    stake = base.stake(signer)
    backed = stake.amount if stake.generation <= first.generation else 0
    reason = why_both_hold(first, second)
    if reason is None and base.receipt_signer(first.generation) != signer:
        reason = f"generation {first.generation} is not the signer's alone"
        return Finding(Verdict.VOID, f"they bind nobody: {reason}", signer, backed)
    if reason is not None:
        return Finding(Verdict.KEPT, f"both may hold: {reason}", signer, backed)
    text = f"two histories of {first.count} actions were signed in generation {first.generation}"
    return Finding(Verdict.BROKEN, text, signer, backed, evidence=TwoReceipts(first, second))


def _signer(base: BaseLayer, receipt: SignedReceipt) -> bytes:
    config = base.config()
    domain = eip712.domain_separator(config.chain_id, config.settlement)
    signer = receipt.signer(domain)
    if signer == NULL_ADDRESS:
        raise VerificationFailed(
            "receipt: expected the signature of a key, was one that no key can have made",
            next_step="novatio receipt get ACTION_HASH",
        )
    return signer


def _decisive(base: BaseLayer, receipt: SignedReceipt) -> BatchView | None:
    """Return the canonical batch that takes the count to the receipt's or past it, or None.

    Counts never fall from batch to batch, so it is found by halving.
    """
    low, high = 1, base.heads().tip_number + 1
    while low < high:
        middle = (low + high) // 2
        found = base.batches(middle, 1)
        if not found or found[0].record.sequenced_count >= receipt.count:
            high = middle
        else:
            low = middle + 1
    return next(iter(base.batches(low, 1)), None)


def _named(base: BaseLayer, batch_id: bytes) -> BatchView:
    view = base.batch(batch_id)
    if view is None or not view.record.header:
        raise NotFound(
            f"batch 0x{batch_id.hex()}: expected one that was posted, was none",
            reason="NO_SUCH_BATCH",
            next_step="novatio dispute list",
        )
    return view


def _not_posted(base: BaseLayer, receipt: SignedReceipt, signer: bytes, backed: int) -> Finding:
    now = base.heads().generation
    if receipt.generation < base.first_bound(now):
        text = (
            f"generation {receipt.generation} ended before {receipt.count} actions were posted, "
            f"and {now} goes on: it binds nobody any more"
        )
        return Finding(Verdict.VOID, text, signer, backed)
    text = f"no batch has come to {receipt.count} actions yet: look again later"
    return Finding(Verdict.PENDING, text, signer, backed)


def _posted(base: BaseLayer, view: BatchView) -> Posted:
    header = Header.decode(view.record.header)
    parent = base.batch(header.parent_id)
    assert parent is not None  # the court took the batch on top of it
    before, after = parent.record, view.record
    return Posted(
        after.generation,
        base.first_bound(after.generation),
        before.sequenced_count,
        before.sequenced_accumulator,
        after.sequenced_count,
        after.sequenced_accumulator,
    )


def _roots(base: BaseLayer, view: BatchView) -> tuple[bytes, ...]:
    header = Header.decode(view.record.header)
    data = base.batch_data(view.record.batch_id)
    if header.data_kind != DATA_INLINE or data is None:
        raise NotFound(
            f"batch {header.number}: expected its steps on the base layer, was a committee's",
            reason="DATA_WITH_COMMITTEE",
            next_step="novatio batch verify with the members in the configuration",
        )
    return roots_of(BatchData.decode(data, header.step_count))


def _bytes(text: str, size: int) -> bytes:
    data = bytes.fromhex(text.removeprefix("0x"))
    if len(data) != size:
        raise ValueError(f"expected {size} bytes, was {len(data)}")
    return data
