"""What an account's leaf says: read by the court in an exit, and by clients in a proof."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from clearing.account_leaves import CALL_ORDER_PIECES
from clearing.codes import Scope
from verifier.codec import HASH_BYTES
from verifier.multiproof import ProofError

_HEADER = struct.Struct(">BBBBBHBqqq12s20sqqqq")
# What may stand behind the header: the risk word, a hold, an order in a call, by their bits.
_OPTIONAL = (HASH_BYTES, HASH_BYTES, 8 * CALL_ORDER_PIECES)
_POSITION = struct.Struct(">IiQqq")
_COLLATERAL = struct.Struct(">qqqq")
_KEY = struct.Struct(">q4x20sqq16x")
_SCOPE_BITS = 48  # below the scope in a key's first piece
_LEAF_VERSION = 1


@dataclass(frozen=True)
class ProvenPosition:
    """A position of a proven account: signed lots, cost in micro-quote, index in 1e-12 of it."""

    instrument: int
    funding_index: int
    lots: int
    entry_cost: int


@dataclass(frozen=True)
class ProvenCollateral:
    """Units of an asset that a proven account holds, or shares of pool ``asset - 64``."""

    asset: int
    amount: int
    unlock_time: int


@dataclass(frozen=True)
class ProvenAccount:
    """An account as its leaf says. Cash in micro-quote; ``pages`` maps page number to page hash.

    ``keys`` are the addresses of its session keys, and first of the key in the owner's place.
    ``recipient`` is who its withdrawals go to: that key's address if there is one, else the owner.
    """

    id: int
    owner: bytes
    subaccount: int
    mode: int
    cash: int
    order_floor: int
    request_sequence: int
    positions: tuple[ProvenPosition, ...]
    pages: dict[int, bytes]
    collaterals: tuple[ProvenCollateral, ...] = ()
    keys: tuple[bytes, ...] = ()
    recipient: bytes = b""


def decode_account_leaf(leaf: bytes) -> ProvenAccount:
    """Return the fields of an account leaf (docs/protocol.md, section 3). Raises ProofError."""
    if len(leaf) < _HEADER.size:
        raise ProofError(f"expected at least {_HEADER.size} bytes of leaf, was {len(leaf)}")
    (version, mode, positions, collaterals, keys, mask, parts, id, subaccount, cash, left, owner,
     floor, sequence, *_) = _HEADER.unpack_from(leaf)  # fmt: skip
    numbers = [number for number in range(16) if mask >> number & 1]
    optional = (size for bit, size in enumerate(_OPTIONAL) if parts >> bit & 1)
    positions_at = _HEADER.size + sum(optional)
    pages_at = positions_at + _POSITION.size * positions
    collaterals_at = pages_at + HASH_BYTES * len(numbers)
    keys_at = collaterals_at + _COLLATERAL.size * collaterals
    size = keys_at + _KEY.size * keys
    if version != _LEAF_VERSION or len(leaf) != size or parts >> len(_OPTIONAL) or any(left):
        raise ProofError(
            f"expected an account leaf of version {_LEAF_VERSION} and {size} bytes with reserved "
            f"fields zero, was version {version}, {len(leaf)} bytes: {leaf.hex()}"
        )
    return ProvenAccount(
        id=id,
        owner=owner,
        subaccount=subaccount,
        mode=mode,
        cash=cash,
        order_floor=floor,
        request_sequence=sequence,
        positions=tuple(
            _position(leaf, start) for start in range(positions_at, pages_at, _POSITION.size)
        ),
        pages={
            number: leaf[start : start + HASH_BYTES]
            for number, start in zip(
                numbers, range(pages_at, collaterals_at, HASH_BYTES), strict=True
            )
        },
        collaterals=tuple(
            ProvenCollateral(*_COLLATERAL.unpack_from(leaf, start)[:3])
            for start in range(collaterals_at, keys_at, _COLLATERAL.size)
        ),
        keys=tuple(_KEY.unpack_from(leaf, start)[1] for start in range(keys_at, size, _KEY.size)),
        recipient=_recipient(leaf, owner, keys_at, keys),
    )


def _recipient(leaf: bytes, owner: bytes, keys_at: int, keys: int) -> bytes:
    """Return the key that took the owner's place, or the owner."""
    if keys:
        terms, address, *_ = _KEY.unpack_from(leaf, keys_at)
        if terms >> _SCOPE_BITS == Scope.ROOT:
            return bytes(address)
    return owner


def _position(leaf: bytes, start: int) -> ProvenPosition:
    instrument, top, rest, lots, cost = _POSITION.unpack_from(leaf, start)
    return ProvenPosition(instrument, top << 64 | rest, lots, cost)
