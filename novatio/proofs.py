"""Checks that need nobody's word: account and withdrawal proofs, and receipts of the sequencer.

All functions are pure: bytes in, a readable record out, or VerificationFailed. The court's own
checks do the work (docs/protocol.md, sections 2 to 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from clearing import eip712
from clearing.keys import recover
from clearing.messages import Receipt, sequenced_accumulator, sequenced_root
from clearing.units import WITHDRAWALS_DEPTH
from node.v1.node_pb2 import (
    FrameReceipt,
    GetAccountProofResponse,
    GetInfoResponse,
    GetWithdrawalProofResponse,
)
from novatio.errors import VerificationFailed
from verifier.account_leaf import ProvenAccount, ProvenPosition
from verifier.account_proof import AccountProof
from verifier.account_proof import verify_account_proof as prove
from verifier.batch import Opening
from verifier.errors import Refused
from verifier.escrow import WithdrawalLeaf
from verifier.multiproof import ProofError, root_from

__all__ = [
    "ProvenAccount",
    "ProvenPosition",
    "ReceiptCheck",
    "WithdrawalLeaf",
    "check_domain",
    "check_receipt",
    "verify_account_proof",
    "verify_withdrawal_proof",
]

HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What a receipt proved: where the caller's actions stand, by hash, counted from 1.

    With the signature it is all that a broken promise is proven with: keep ``record()``.
    """

    generation: int
    count: int
    accumulator: bytes
    places: Mapping[bytes, int]
    signature: bytes

    def record(self) -> dict[str, int | bytes]:
        """Return what a receipt file holds (``novatio.receipts``)."""
        return {
            "generation": self.generation,
            "count": self.count,
            "accumulator": self.accumulator,
            "signature": self.signature,
        }


def verify_account_proof(
    proof: GetAccountProofResponse, root: bytes, account: int | None = None
) -> ProvenAccount:
    """Return the account whose leaf lies under the state root ``root``, 32 bytes.

    Take the root from the base layer, not from whoever made the proof. ``account`` is the id that
    was asked for. Raises VerificationFailed.
    """
    with _checking("account proof"):
        opening = Opening.decode(proof.opening)
        proven = prove(AccountProof(proof.leaf, _hashes("siblings", proof.siblings), opening), root)
    if account is not None and proven.id != account:
        raise _failed("account proof", f"the leaf of account {account}", f"of {proven.id}")
    return proven


def verify_withdrawal_proof(
    proof: GetWithdrawalProofResponse, withdrawals_root: bytes
) -> WithdrawalLeaf:
    """Return the withdrawal whose leaf lies under the withdrawals root of a batch.

    Take the root from the base layer. Raises VerificationFailed.
    """
    with _checking("withdrawal proof"):
        leaf = WithdrawalLeaf.decode(proof.leaf)
        if leaf.index >= proof.withdrawal_count:
            raise ProofError(f"expected an index below {proof.withdrawal_count}, was {leaf.index}")
        found = root_from(
            WITHDRAWALS_DEPTH,
            proof.withdrawal_count,
            [leaf.index],
            [leaf.hash()],
            _hashes("siblings", proof.siblings),
        )
    if found != withdrawals_root:
        raise _failed("withdrawal proof", f"withdrawals root {withdrawals_root.hex()}", found.hex())
    return leaf


def check_domain(info: GetInfoResponse) -> None:
    """Check that the node's domain separator is that of its chain and settlement contract."""
    expected = eip712.domain_separator(info.chain_id, info.settlement)
    if info.domain_separator != expected:
        raise _failed("domain separator", expected.hex(), info.domain_separator.hex())


def check_receipt(receipt: FrameReceipt, domain: bytes, sequencer: bytes) -> ReceiptCheck:
    """Check a receipt's signature and its path, and find the actions that it lists.

    ``sequencer`` is the 20-byte address that must have signed. Raises VerificationFailed.
    """
    promise = Receipt(receipt.generation, receipt.count, _hash(receipt.accumulator))
    signer = recover(receipt.signature, eip712.digest(domain, promise.struct_hash()))
    if signer != sequencer:
        raise _failed("receipt", f"the signature of 0x{sequencer.hex()}", f"of 0x{signer.hex()}")
    roots = _hashes("step roots", receipt.step_roots)
    counts = list(receipt.step_counts)
    if len(roots) != len(counts) or any(count < 1 for count in counts):
        raise _failed("receipt", f"{len(counts)} step roots, none of no action", f"{len(roots)}")
    accumulator = _hash(receipt.accumulator_before)
    for root in roots:
        accumulator = sequenced_accumulator(accumulator, root)
    ends = receipt.count_before + sum(counts)
    if accumulator != receipt.accumulator or ends != receipt.count:
        raise _failed(
            "receipt",
            f"count {ends} and accumulator {accumulator.hex()}",
            f"{receipt.count} and {receipt.accumulator.hex()}",
        )
    places = _places(receipt, counts, roots)
    return ReceiptCheck(
        receipt.generation, receipt.count, receipt.accumulator, places, receipt.signature
    )


def _places(
    receipt: FrameReceipt, counts: Sequence[int], roots: Sequence[bytes]
) -> dict[bytes, int]:
    """Return sequence by hash of the actions in the asker's steps, whose roots are recomputed."""
    hashes = _hashes("action hashes", receipt.own_hashes)
    places: dict[bytes, int] = {}
    taken = 0
    for step in receipt.own_steps:
        if step >= len(counts):
            raise _failed("receipt", f"one of {len(counts)} steps", str(step))
        own = hashes[taken : taken + counts[step]]
        taken += counts[step]
        found = sequenced_root(own)
        if found != roots[step]:
            raise _failed("receipt", f"step root {roots[step].hex()}", found.hex())
        first = receipt.count_before + sum(counts[:step]) + 1
        places.update((action, first + offset) for offset, action in enumerate(own))
    if taken != len(hashes):
        raise _failed("receipt", f"{taken} action hashes", str(len(hashes)))
    return places


@contextmanager
def _checking(what: str) -> Iterator[None]:
    """Turn what the court's checks raise into this package's error."""
    try:
        yield
    except (ProofError, Refused) as error:
        raise VerificationFailed(f"{what}: {error}") from error


def _hashes(what: str, data: bytes) -> tuple[bytes, ...]:
    if len(data) % HASH_BYTES:
        raise _failed(what, f"whole hashes of {HASH_BYTES} bytes", f"{len(data)} bytes")
    return tuple(data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES))


def _hash(data: bytes) -> bytes:
    if len(data) != HASH_BYTES:
        raise _failed("hash", f"{HASH_BYTES} bytes", f"{len(data)} bytes")
    return data


def _failed(what: str, expected: str, was: str) -> VerificationFailed:
    return VerificationFailed(
        f"{what}: expected {expected}, was {was}", metadata={"expected": expected, "was": was}
    )
