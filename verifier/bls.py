"""BLS signatures on BLS12-381: the one place that knows which library computes them.

Ciphersuite ``BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_`` of draft-irtf-cfrg-bls-signature: public
keys are points of G1 in 48 bytes, signatures points of G2 in 96, both compressed. Every point that
comes from outside is checked to be on the curve, in the subgroup of prime order, not infinity, and
written in its only form. Signatures over one message add up only for keys whose holder has proven
possession of the secret: otherwise a key that is made from others' keys could sign for them.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

SECRET_BYTES = 32
PUBLIC_KEY_BYTES = 48
SIGNATURE_BYTES = 96
KEYS_KEPT = 256  # checked keys that are remembered: the same members sign again and again
ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001

_SIGNATURE_DOMAIN = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
_POSSESSION_DOMAIN = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
_G1 = G1Point()
_INFINITY_G1 = G1Point.identity()
_INFINITY_G2 = G2Point.identity()


class BlsError(ValueError):
    """Bytes that are no key, no secret or no signature."""


def new_secret() -> bytes:
    """Return a fresh secret from the system's randomness."""
    return (secrets.randbelow(ORDER - 1) + 1).to_bytes(SECRET_BYTES, "big")


def public_key(secret: bytes) -> bytes:
    """Return the key of a secret. Raises BlsError unless it is 32 bytes of 1 .. order - 1."""
    return (_G1 * _scalar(secret)).to_compressed_bytes()


def sign(secret: bytes, message: bytes) -> bytes:
    """Sign a message. Raises BlsError for a secret that is none."""
    return _sign(secret, message, _SIGNATURE_DOMAIN)


def prove_possession(secret: bytes) -> bytes:
    """Return the proof that whoever publishes the key of ``secret`` knows it. Raises BlsError."""
    return _sign(secret, public_key(secret), _POSSESSION_DOMAIN)


def is_key(key: bytes) -> bool:
    """Tell whether ``key`` is a public key: a point of the subgroup, not infinity."""
    try:
        _key_point(key)
    except BlsError:
        return False
    return True


def verify_possession(key: bytes, proof: bytes) -> bool:
    """Tell whether ``proof`` shows that the secret of ``key`` is known."""
    return _verify([key], key, proof, _POSSESSION_DOMAIN)


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is the one of ``key`` over ``message``."""
    return _verify([key], message, signature, _SIGNATURE_DOMAIN)


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """Return the sum of at least one signature. Raises BlsError."""
    if not signatures:
        raise BlsError("expected at least one signature to add up, was none")
    first, *others = map(_signature_point, signatures)
    for point in others:
        first = first + point
    return first.to_compressed_bytes()


def verify_aggregate(keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` adds up signatures of exactly these keys over one message.

    Sound only for keys with a proof of possession. False for no keys, for bytes that are no keys
    and for keys that cancel out.
    """
    return _verify(keys, message, signature, _SIGNATURE_DOMAIN)


def _sign(secret: bytes, message: bytes, domain: bytes) -> bytes:
    return (G2Point.hash_to_curve(message, domain) * _scalar(secret)).to_compressed_bytes()


def _verify(keys: Sequence[bytes], message: bytes, signature: bytes, domain: bytes) -> bool:
    try:
        points = [_key_point(key) for key in keys]
        signed = _signature_point(signature)
    except BlsError:
        return False
    # Keys that cancel out, or none, would need infinity as their signature, which is none.
    total = sum(points, _INFINITY_G1)
    return GT.pairing_check([total, -_G1], [G2Point.hash_to_curve(message, domain), signed])


def _scalar(secret: bytes) -> Scalar:
    value = int.from_bytes(secret, "big")
    if len(secret) != SECRET_BYTES or not 0 < value < ORDER:
        raise BlsError(f"expected a secret of {SECRET_BYTES} bytes below the group order, not zero")
    return Scalar.from_be_bytes(secret)


@lru_cache(maxsize=KEYS_KEPT)
def _key_point(data: bytes) -> G1Point:
    if len(data) != PUBLIC_KEY_BYTES:
        raise BlsError(f"expected a key of {PUBLIC_KEY_BYTES} bytes, was {len(data)}")
    try:
        # Checks the curve and the subgroup, but takes several spellings of infinity.
        point = G1Point.from_compressed_bytes(data)
    except ValueError as error:
        raise BlsError(f"expected a point of G1, was {data.hex()}: {error}") from error
    if point == _INFINITY_G1 or point.to_compressed_bytes() != data:
        raise BlsError(f"expected a point of prime order in its only form, was {data.hex()}")
    return point


def _signature_point(data: bytes) -> G2Point:
    if len(data) != SIGNATURE_BYTES:
        raise BlsError(f"expected a signature of {SIGNATURE_BYTES} bytes, was {len(data)}")
    try:
        point = G2Point.from_compressed_bytes(data)
    except ValueError as error:
        raise BlsError(f"expected a point of G2, was {data.hex()}: {error}") from error
    if point == _INFINITY_G2 or point.to_compressed_bytes() != data:
        raise BlsError(f"expected a point of prime order in its only form, was {data.hex()}")
    return point
