"""secp256k1 keys, one at a time: signing, recovery and addresses, in Ethereum's conventions.

A signature is 65 bytes r || s || v with v 27 or 28 and s in the lower half of the order, so that
every digest and key have one valid form. Needs no compiler, so clients can import it cheaply.
"""

from __future__ import annotations

from typing import cast

import sha3
from coincurve import PrivateKey, PublicKey

SIGNATURE_BYTES = 65
DIGEST_BYTES = 32
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
HALF_ORDER = ORDER // 2
NULL_ADDRESS = bytes(20)


def sign(private_key: bytes, digest: bytes) -> bytes:
    """Return the 65-byte signature of a 32-byte digest: deterministic (RFC 6979), low s.

    ValueError unless the key is 32 bytes in 1 .. order - 1 and the digest 32 bytes.
    """
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"expected a digest of 32 bytes, was {len(digest)}; hash the message")
    signature = _private(private_key).sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def address_of(private_key: bytes) -> bytes:
    """Return the 20-byte address of a 32-byte private key; ValueError as for ``sign``."""
    return _address(_private(private_key).public_key)


def recover(signature: bytes, digest: bytes) -> bytes:
    """Return the 20-byte address that signed ``digest``, or 20 zero bytes if none can have.

    Null, never an exception: a wrong length, v outside {27, 28}, r or s zero or not below the
    order, high s, or no point of the curve.
    """
    if len(signature) != SIGNATURE_BYTES or len(digest) != DIGEST_BYTES:
        return NULL_ADDRESS
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if signature[64] not in (27, 28) or not 0 < r < ORDER or not 0 < s <= HALF_ORDER:
        return NULL_ADDRESS
    compact = signature[:64] + bytes([signature[64] - 27])
    try:
        key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    except ValueError:
        # libsecp256k1 found no key: r is no abscissa of the curve, or the point is at infinity.
        return NULL_ADDRESS
    return _address(key)


def _private(private_key: bytes) -> PrivateKey:
    if len(private_key) != 32 or not 0 < int.from_bytes(private_key, "big") < ORDER:
        raise ValueError(
            "expected a private key of 32 bytes between 1 and the order of secp256k1, was "
            f"{len(private_key)} bytes or out of range; generate another"
        )
    return PrivateKey(private_key)


def _address(key: PublicKey) -> bytes:
    return cast(bytes, sha3.keccak_256(key.format(compressed=False)[1:]).digest()[12:])
