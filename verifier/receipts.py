"""Evidence BROKEN_RECEIPT: bytes that prove that a sequencer broke its word, and their check.

A receipt says: after `count` sequenced actions the accumulator is this one. It binds what is posted
in its generation and in those that follow it while nothing ends but which key of the operator
posts, and nothing else. It is broken by a second one that says otherwise for the same count, or by
a batch that takes the count to or past its own without its accumulator.
An accumulator stands for everything sequenced up to it, in order; so a batch that has it among
those after its steps has what the receipt was given for. The check is a pure function of the bytes
and of what the batch opened. Layout: docs/protocol.md, section 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeAlias

from clearing import eip712
from clearing.codes import Kind
from clearing.encoding import Field, MalformedBytes, Reader
from clearing.keys import NULL_ADDRESS, recover
from clearing.messages import Receipt, action_hash, sequenced_accumulator, sequenced_root
from clearing.units import SIGNATURE_BYTES, STEPS_DEPTH
from verifier.batch import BatchData
from verifier.codec import (
    HASH_BYTES,
    U64,
    Canonical,
    Hash,
    Integer,
    Many,
    Nested,
    Raw,
    encode_parts,
    read_parts,
)
from verifier.evidence import EvidenceError

TWO_RECEIPTS = 1
LEFT_OUT = 2

_FORM = Field("form", 1, TWO_RECEIPTS, LEFT_OUT)
_INBOX = bytes([Kind.INBOX])


@dataclass(frozen=True)
class SignedReceipt(Canonical):
    """What a sequencer signed at the end of a frame."""

    generation: U64
    count: U64
    accumulator: Hash
    signature: Annotated[bytes, Raw(SIGNATURE_BYTES)]

    def signer(self, domain: bytes) -> bytes:
        """Return who signed it under a domain separator; the null address if nobody can have."""
        promise = Receipt(self.generation, self.count, self.accumulator)
        return recover(self.signature, eip712.digest(domain, promise.struct_hash()))


_RECEIPT = Nested(SignedReceipt)


@dataclass(frozen=True)
class TwoReceipts:
    """Two receipts of one signer that cannot both be true."""

    first: Annotated[SignedReceipt, _RECEIPT]
    second: Annotated[SignedReceipt, _RECEIPT]

    def encode(self) -> bytes:
        """Return `u8 1 || receipt || receipt`."""
        return _FORM.encode(TWO_RECEIPTS) + encode_parts(self)


@dataclass(frozen=True)
class LeftOut:
    """A receipt and the batch that should hold what it was given for.

    `roots` are H(1c) of all steps of the batch that have sequenced actions, in order. None are
    needed if the receipt's count is the one that the batch ends with.
    """

    batch_id: Hash
    receipt: Annotated[SignedReceipt, _RECEIPT]
    roots: Annotated[
        tuple[bytes, ...], Many(Integer(2, 0, 4**STEPS_DEPTH - 1), Raw(HASH_BYTES))
    ] = ()

    def encode(self) -> bytes:
        """Return `u8 2 || batch id || receipt || u16 n || n roots`."""
        return _FORM.encode(LEFT_OUT) + encode_parts(self)


Evidence: TypeAlias = TwoReceipts | LeftOut


class Posted(NamedTuple):
    """What a batch that was posted says of the sequence: its generation, the first one whose
    receipts it has to keep, and count and accumulator before it and after it."""

    generation: int
    first_bound: int
    count_before: int
    accumulator_before: bytes
    count_after: int
    accumulator_after: bytes


def decode_evidence(data: bytes) -> Evidence:
    """Return the evidence. Raises EvidenceError unless the bytes are used up exactly."""
    reader = Reader(data, MalformedBytes)
    try:
        evidence: Evidence
        if reader.integer(_FORM) == TWO_RECEIPTS:
            evidence = read_parts(TwoReceipts, reader)
        else:
            evidence = read_parts(LeftOut, reader)
        reader.end()
    except MalformedBytes as error:
        raise EvidenceError(f"evidence, {error}; encode it canonically") from error
    return evidence


def signer_of(evidence: Evidence, domain: bytes) -> bytes:
    """Return who signed everything in the evidence. Raises EvidenceError if nobody did."""
    receipts = (
        (evidence.first, evidence.second)
        if isinstance(evidence, TwoReceipts)
        else (evidence.receipt,)
    )
    signers = {receipt.signer(domain) for receipt in receipts}
    if len(signers) != 1 or NULL_ADDRESS in signers:
        was = ", ".join(sorted(signer.hex() for signer in signers))
        raise EvidenceError(
            f"expected receipts that one key signed, was {was}; send them unchanged"
        )
    return signers.pop()


def why_both_hold(first: SignedReceipt, second: SignedReceipt) -> str | None:
    """Return why two receipts of one signer can both be true, or None if they cannot."""
    if first.generation != second.generation:
        return f"they are of generations {first.generation} and {second.generation}"
    if first.count != second.count:
        return f"they are for counts {first.count} and {second.count}"
    if first.accumulator == second.accumulator:
        return "they say the same"
    return None


def why_kept(receipt: SignedReceipt, posted: Posted, roots: tuple[bytes, ...]) -> str | None:
    """Return why a batch does not break a receipt, or None if it does.

    Raises EvidenceError for roots that do not lead from one end of the batch to the other.
    """
    reason = why_not_bound(receipt, posted)
    if reason is not None:
        return reason
    if receipt.count == posted.count_after:
        kept = receipt.accumulator == posted.accumulator_after
    else:
        accumulators = accumulators_of(posted, roots)
        kept = receipt.accumulator in accumulators
    return f"the accumulator after {receipt.count} actions is in the batch" if kept else None


def why_not_bound(receipt: SignedReceipt, posted: Posted) -> str | None:
    """Return why a batch says nothing about a receipt of whom its generation binds, or None."""
    if not posted.first_bound <= receipt.generation <= posted.generation:
        return (
            f"the batch of generation {posted.generation} keeps receipts from "
            f"{posted.first_bound} on, this one is of {receipt.generation}"
        )
    if not posted.count_before < receipt.count <= posted.count_after:
        return (
            f"the batch takes the count from {posted.count_before} to {posted.count_after}, which "
            f"{receipt.count} is not within"
        )
    return None


def accumulators_of(posted: Posted, roots: tuple[bytes, ...]) -> list[bytes]:
    """Return the accumulator after each root. Raises EvidenceError if they end elsewhere.

    No other roots can lead there: that would be a collision of the hash.
    """
    accumulators, accumulator = [], posted.accumulator_before
    for root in roots:
        accumulator = sequenced_accumulator(accumulator, root)
        accumulators.append(accumulator)
    if accumulator != posted.accumulator_after:
        raise EvidenceError(
            f"expected roots that lead to accumulator {posted.accumulator_after.hex()}, was "
            f"{accumulator.hex()}; send the root of every step with sequenced actions"
        )
    return accumulators


def roots_of(data: BatchData) -> tuple[bytes, ...]:
    """Return H(1c) of every step of a batch that has sequenced actions, in order."""
    sequenced = (
        [action_hash(action) for action in step.actions if action[:1] != _INBOX]
        for step in data.steps
    )
    return tuple(sequenced_root(hashes) for hashes in sequenced if hashes)
