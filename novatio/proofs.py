"""Checks that need nobody's word: account and withdrawal proofs, and receipts of the sequencer.

All functions are pure: bytes in, a readable record out, or VerificationFailed. Formats are those of
docs/protocol.md, sections 2 to 5.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clearing import eip712
from clearing.codes import Tag
from clearing.keccak import tagged_hash
from clearing.keys import recover
from clearing.messages import Receipt, sequenced_accumulator, sequenced_root
from clearing.units import ACCOUNTS_DEPTH, POSITIONS_MAX, WITHDRAWALS_DEPTH
from node.v1.node_pb2 import (
    FrameReceipt,
    GetAccountProofResponse,
    GetInfoResponse,
    GetWithdrawalProofResponse,
)
from novatio.errors import VerificationFailed
from verifier.batch import Opening
from verifier.errors import Refused
from verifier.multiproof import ProofError, root_from

__all__ = [
    "AccountLeaf",
    "ReceiptCheck",
    "WithdrawalLeaf",
    "check_domain",
    "check_receipt",
    "verify_account_proof",
    "verify_withdrawal_proof",
]

HASH_BYTES = 32
WORD_BYTES = 32
_ACCOUNT_HEAD = struct.Struct(">BBBBBHBQQq12x20sqq16x")
_POSITION = struct.Struct(">IiQqq")
_WITHDRAWAL = struct.Struct(">qqqq12x20s")
_LEAF_VERSION = 1


@dataclass(frozen=True, slots=True)
class LeafPosition:
    """A position as the leaf holds it; the funding index in 1e-12 micro-quote a lot."""

    instrument: int
    lots: int
    entry_cost_micro: int
    funding_index: int


@dataclass(frozen=True, slots=True)
class AccountLeaf:
    """An account as it was committed to: cash without the funding that is still to settle."""

    id: int
    owner: bytes
    subaccount: int
    cash_micro: int
    order_floor: int
    request_sequence: int
    positions: tuple[LeafPosition, ...]
    page_hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class WithdrawalLeaf:
    """A withdrawal as it was committed to."""

    index: int
    asset: int
    amount_micro: int
    account: int
    recipient: bytes


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What a receipt proved: where the caller's actions stand, by hash, counted from 1."""

    generation: int
    count: int
    accumulator: bytes
    places: Mapping[bytes, int]


def verify_account_proof(
    proof: GetAccountProofResponse, root: bytes, account: int | None = None
) -> AccountLeaf:
    """Return the account whose leaf lies under the state root ``root``, 32 bytes.

    Take the root from the base layer, not from whoever made the proof. ``account`` is the id that
    was asked for. Raises VerificationFailed.
    """
    leaf = _account_leaf(proof.leaf)
    if account is not None and leaf.id != account:
        raise _failed("account proof", f"the leaf of account {account}", f"of {leaf.id}")
    opening = _opening(proof.opening, root)
    count = opening.globals().account_count
    if proof.account_count != count:
        raise _failed("account proof", f"{count} accounts", str(proof.account_count))
    found = _root(
        "account proof", ACCOUNTS_DEPTH, count, leaf.id, Tag.ACCOUNT, proof.leaf, proof.siblings
    )
    expected = opening.sub_root("accounts")
    if found != expected:
        raise _failed("account proof", f"accounts root {expected.hex()}", found.hex())
    return leaf


def verify_withdrawal_proof(
    proof: GetWithdrawalProofResponse, withdrawals_root: bytes
) -> WithdrawalLeaf:
    """Return the withdrawal whose leaf lies under the withdrawals root of a batch.

    Take the root from the base layer. Raises VerificationFailed.
    """
    if len(proof.leaf) != _WITHDRAWAL.size:
        raise _failed(
            "withdrawal proof", f"a leaf of {_WITHDRAWAL.size} bytes", f"{len(proof.leaf)}"
        )
    leaf = WithdrawalLeaf(*_WITHDRAWAL.unpack(proof.leaf))
    found = _root(
        "withdrawal proof",
        WITHDRAWALS_DEPTH,
        proof.withdrawal_count,
        leaf.index,
        Tag.WITHDRAWAL,
        proof.leaf,
        proof.siblings,
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
    return ReceiptCheck(receipt.generation, receipt.count, receipt.accumulator, places)


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


def _account_leaf(leaf: bytes) -> AccountLeaf:
    head = _ACCOUNT_HEAD.size
    if len(leaf) < head or len(leaf) % WORD_BYTES:
        raise _failed("account proof", f"whole words, at least {head} bytes", f"{len(leaf)} bytes")
    (version, _mode, positions, collaterals, _keys, mask, _zero, account, subaccount, cash, owner,
     floor, sequence) = _ACCOUNT_HEAD.unpack_from(leaf)  # fmt: skip
    pages = head + positions * WORD_BYTES
    length = pages + (collaterals + mask.bit_count()) * WORD_BYTES
    if version != _LEAF_VERSION or positions > POSITIONS_MAX or length != len(leaf):
        raise _failed(
            "account proof",
            f"an account leaf of version {_LEAF_VERSION} and {length} bytes",
            f"version {version} and {len(leaf)} bytes",
        )
    held = tuple(
        _position(leaf[start : start + WORD_BYTES]) for start in range(head, pages, WORD_BYTES)
    )
    return AccountLeaf(
        account, owner, subaccount, cash, floor, sequence, held, _hashes("pages", leaf[pages:])
    )


def _position(word: bytes) -> LeafPosition:
    instrument, top, rest, lots, entry_cost = _POSITION.unpack(word)
    return LeafPosition(instrument, lots, entry_cost, (top << 64) + rest)


def _opening(data: bytes, root: bytes) -> Opening:
    try:
        opening = Opening.decode(data)
    except Refused as error:
        raise VerificationFailed(f"opening: {error.text}") from error
    found = opening.state_root()
    if found != root:
        raise _failed("opening", f"state root {root.hex()}", found.hex())
    return opening


def _root(
    what: str, depth: int, count: int, index: int, tag: Tag, leaf: bytes, siblings: bytes
) -> bytes:
    try:
        if index >= count:
            raise ProofError(f"expected an index below {count}, was {index}")
        leaves = [tagged_hash(tag, leaf)]
        return root_from(depth, count, [index], leaves, _hashes("siblings", siblings))
    except ProofError as error:
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
