"""Typed structured data (EIP-712): what wallets show, hash and sign (docs/protocol.md, section 5).

``digest = keccak256(0x1901 || domain separator || struct hash)`` and
``struct hash = keccak256(type hash || one word a field)``. Source: EIP-712, "Definition of
hashStruct"; the bulk tree follows the shape that order books of token markets made customary.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_integer

from clearing.keccak import keccak256
from clearing.units import BULK_DEPTH_MAX

NAME = "Novatio"
VERSION = "1"
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"

ORDER_TYPE = (
    "Order(uint64 account,address venue,uint32 instrument,uint8 side,uint64 lots,"
    "uint64 limitPrice,uint16 slot,uint64 sequence,uint64 expiry,uint32 maxFee,uint8 flags)"
)
TRADE_TYPE = (
    "Trade(bytes32 maker,bytes32 taker,uint64 lots,uint64 price,int32 makerFee,int32 takerFee)"
)
CANCEL_TYPE = "Cancel(uint64 account,uint16 slot,uint64 sequence)"
PRICE_TYPE = "Price(uint32 instrument,uint64 indexPrice,uint64 markPrice,uint64 time)"
RECEIPT_TYPE = "Receipt(uint64 generation,uint64 count,bytes32 accumulator)"
BULK_TYPE = "Bulk(bytes32 root)"

_BULK_PADDING = bytes(32)


def type_hash(signature: str) -> bytes:
    """Return the 32 bytes that stand first in every struct of the type ``signature``."""
    return keccak256(signature.encode("ascii"))


def word(value: int | bytes) -> bytes:
    """Return ``value`` as a 32-byte word.

    Integers (-2^255 .. 2^256 - 1) are sign-extended; 20 bytes (an address) are right-aligned; 32
    bytes stand as they are. Raises ValueError for any other length, OverflowError beyond.
    """
    if isinstance(value, bytes):
        if len(value) not in (20, 32):
            raise ValueError(f"a word takes 20 or 32 bytes, was {len(value)} bytes")
        return value.rjust(32, b"\0")
    return as_integer(value).to_bytes(32, "big", signed=value < 0)


def hash_struct(type_signature: str, *values: int | bytes) -> bytes:
    """Return the EIP-712 struct hash of ``values``, one word each, in the order of the type."""
    return keccak256(type_hash(type_signature) + b"".join(map(word, values)))


def domain_separator(chain_id: int, settlement: bytes) -> bytes:
    """Return the domain separator of the settlement contract at the 20 bytes ``settlement``.

    Raises ValueError if the address is not 20 bytes or the chain id not 0 .. 2^64 - 1.
    """
    if len(settlement) != 20:
        raise ValueError(f"settlement: expected 20 bytes, was {len(settlement)} bytes")
    if not 0 <= chain_id < 1 << 64:
        raise ValueError(f"chain id: expected 0 .. 2^64 - 1, was {chain_id}")
    return hash_struct(
        DOMAIN_TYPE, keccak256(NAME.encode()), keccak256(VERSION.encode()), chain_id, settlement
    )


def digest(domain: bytes, struct_hash: bytes) -> bytes:
    """Return the 32 bytes that a key signs for ``struct_hash`` under the separator ``domain``."""
    return keccak256(b"\x19\x01" + domain + struct_hash)


def bulk_digest(domain: bytes, root: bytes) -> bytes:
    """Return the 32 bytes that a key signs for a whole tree of struct hashes."""
    return digest(domain, hash_struct(BULK_TYPE, root))


def bulk_tree(struct_hashes: Sequence[bytes]) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """Return (root, paths) of the binary tree over 1 .. 2^12 struct hashes.

    ``paths[i]`` are the siblings of leaf i from the leaves up. The tree is filled up to a power of
    two with zero words, which hash no struct. A tree of one leaf has depth 0: its path is empty and
    its key signs the struct itself, not a ``Bulk``. Raises ValueError for any other count.
    """
    count = len(struct_hashes)
    if not 1 <= count <= 1 << BULK_DEPTH_MAX:
        raise ValueError(f"a bulk tree has 1 .. {1 << BULK_DEPTH_MAX} leaves, was {count}")
    depth = (count - 1).bit_length()
    level = [*struct_hashes, *[_BULK_PADDING] * ((1 << depth) - count)]
    paths: list[list[bytes]] = [[] for _ in range(count)]
    for height in range(depth):
        for i, path in enumerate(paths):
            path.append(level[i >> height ^ 1])
        level = [keccak256(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0], [tuple(path) for path in paths]


def climb(leaf: bytes, index: int, path: Sequence[bytes]) -> bytes:
    """Return the root that ``leaf`` at ``index`` has under its siblings ``path``, lowest first."""
    for height, sibling in enumerate(path):
        pair = sibling + leaf if index >> height & 1 else leaf + sibling
        leaf = keccak256(pair)
    return leaf
