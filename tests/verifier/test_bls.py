"""Signatures of the committee: the binding against its reference, and every hostile encoding."""

from typing import Any

import pytest
from py_ecc.bls.ciphersuites import G2ProofOfPossession
from py_ecc.bls.g2_primitives import (
    G1_to_pubkey,
    pubkey_to_G1,
    signature_to_G2,
    subgroup_check,
)
from py_ecc.optimized_bls12_381.optimized_curve import add, neg

from verifier import bls

# Its types are brands of bytes that nobody else uses.
Reference: Any = G2ProofOfPossession
to_g1: Any = pubkey_to_G1
to_g2: Any = signature_to_G2

# Ethereum's published vectors (ethereum/bls12-381-tests, CC0): a key, a message, its signature.
SECRET = bytes.fromhex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3")
KEY = bytes.fromhex(
    "a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20f"
    "d6e10c1b77654d067c0618f6e5a7f79a"
)
MESSAGE = b"\x56" * 32
SIGNATURE = bytes.fromhex(
    "882730e5d03f6b42c3abc26d3372625034e1d871b65a8a6b900a56dae22da98a"
    "bbe1b68f85e49fe7652a55ec3d0591c2"
    "0767677e33e5cbb1207315c41a9ac03be39c2e7668edc043d6cb1d9fd93033ca"
    "a8a1c5b0e84bedaeb6c64972503a43eb"
)
# The prime of the base field: Python integers reach it from the curve's parameter.
PARAMETER = -0xD201000000010000
FIELD = (PARAMETER - 1) ** 2 * (PARAMETER**4 - PARAMETER**2 + 1) // 3 + PARAMETER
COMPRESSED, INFINITY, SIGN = 0x80, 0x40, 0x20
# On the curves, but not in the subgroups of prime order.
STRAY_KEY = ((COMPRESSED << 376) | 4).to_bytes(48, "big")
STRAY_SIGNATURE = bytes([COMPRESSED]) + bytes(94) + b"\x02"


def secret_of(number):
    return (number * 0x9E3779B97F4A7C15F39CC0605CEDC835).to_bytes(32, "big")


def test_the_published_vector_holds():
    assert bls.public_key(SECRET) == KEY
    assert bls.sign(SECRET, MESSAGE) == SIGNATURE
    assert bls.verify(KEY, MESSAGE, SIGNATURE)
    assert not bls.verify(KEY, b"\x57" * 32, SIGNATURE)
    assert not bls.verify(KEY, MESSAGE, SIGNATURE[:-4] + b"\xff" * 4)


@pytest.mark.parametrize(
    "secret", [secret_of(1), (bls.ORDER - 1).to_bytes(32, "big")], ids=["ordinary", "largest"]
)
def test_keys_signatures_and_proofs_are_those_of_the_reference(secret):
    number = int.from_bytes(secret, "big")
    assert bls.public_key(secret) == Reference.SkToPk(number)
    assert bls.sign(secret, b"novatio") == Reference.Sign(number, b"novatio")
    assert bls.prove_possession(secret) == Reference.PopProve(number)


def test_both_take_the_same_quorum_and_refuse_the_same_shorter_one():
    secrets = [secret_of(number) for number in range(1, 4)]
    keys = [bls.public_key(secret) for secret in secrets]
    total = bls.aggregate([bls.sign(secret, MESSAGE) for secret in secrets])
    for verify in (bls.verify_aggregate, Reference.FastAggregateVerify):
        assert verify(keys, MESSAGE, total)
        assert not verify(keys[:2], MESSAGE, total)


HOSTILE_KEYS = {
    "infinity": bytes([COMPRESSED | INFINITY]) + bytes(47),
    "infinity with a sign": bytes([COMPRESSED | INFINITY | SIGN]) + bytes(47),
    "infinity with a coordinate": bytes([COMPRESSED | INFINITY]) + bytes(46) + b"\1",
    "no flag of compression": bytes(47) + b"\4",
    "a coordinate of the field's size": (FIELD | COMPRESSED << 376).to_bytes(48, "big"),
    "a point off the curve": ((COMPRESSED << 376) | 1).to_bytes(48, "big"),
    "a point outside the subgroup": STRAY_KEY,
    "a byte too few": KEY[:-1],
    "a byte too many": KEY + b"\0",
}


@pytest.mark.parametrize("name", HOSTILE_KEYS)
def test_no_key_is(name):
    hostile = HOSTILE_KEYS[name]
    assert not bls.is_key(hostile)
    assert not Reference.KeyValidate(hostile)
    assert not bls.verify(hostile, MESSAGE, SIGNATURE)
    assert not bls.verify_aggregate([KEY, hostile], MESSAGE, SIGNATURE)


HOSTILE_SIGNATURES = {
    "infinity": bytes([COMPRESSED | INFINITY]) + bytes(95),
    "infinity with a sign": bytes([COMPRESSED | INFINITY | SIGN]) + bytes(95),
    "a coordinate beyond the field": bytes([SIGNATURE[0] | 0x1F]) + SIGNATURE[1:],
    "a point outside the subgroup": STRAY_SIGNATURE,
    "the point's negative": bytes([SIGNATURE[0] ^ SIGN]) + SIGNATURE[1:],
    "a byte too few": SIGNATURE[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE_SIGNATURES)
def test_no_signature_is(name):
    assert not bls.verify(KEY, MESSAGE, HOSTILE_SIGNATURES[name])


def test_stray_points_are_on_the_curves_and_refused_for_their_order_alone():
    assert not subgroup_check(to_g1(STRAY_KEY))
    assert not subgroup_check(to_g2(STRAY_SIGNATURE))
    with pytest.raises(bls.BlsError):
        bls.aggregate([STRAY_SIGNATURE])


def test_a_key_made_from_anothers_signs_for_both_unless_possession_is_proven():
    """The rogue key attack: why a committee takes no key without its proof."""
    honest, forger = secret_of(5), secret_of(6)
    rogue = G1_to_pubkey(add(to_g1(bls.public_key(forger)), neg(to_g1(bls.public_key(honest)))))
    forged = bls.sign(forger, MESSAGE)
    assert bls.verify_aggregate([bls.public_key(honest), rogue], MESSAGE, forged)
    for proof in (bls.prove_possession(forger), bls.prove_possession(honest), forged):
        assert not bls.verify_possession(rogue, proof)


def test_keys_that_cancel_out_sign_nothing():
    secret = secret_of(7)
    opposite = (bls.ORDER - int.from_bytes(secret, "big")).to_bytes(32, "big")
    keys = [bls.public_key(secret), bls.public_key(opposite)]
    total = bls.aggregate([bls.sign(secret, MESSAGE)])
    for signature in (total, *HOSTILE_SIGNATURES.values()):
        assert not bls.verify_aggregate(keys, MESSAGE, signature)
        assert not bls.verify_aggregate([], MESSAGE, signature)


def test_a_proof_of_possession_is_no_signature_and_a_signature_no_proof():
    secret = secret_of(8)
    key = bls.public_key(secret)
    assert bls.verify_possession(key, bls.prove_possession(secret))
    assert not bls.verify(key, key, bls.prove_possession(secret))
    assert not bls.verify_possession(key, bls.sign(secret, key))


@pytest.mark.parametrize(
    "secret",
    [bytes(32), bls.ORDER.to_bytes(32, "big"), b"\1", b"\1" * 33],
    ids=["zero", "the order", "short", "long"],
)
def test_no_secret_is(secret):
    with pytest.raises(bls.BlsError):
        bls.sign(secret, MESSAGE)


def test_fresh_secrets_are_secrets_and_differ():
    assert bls.is_key(bls.public_key(bls.new_secret()))
    assert bls.new_secret() != bls.new_secret()


def test_nothing_adds_up_to_no_signature():
    with pytest.raises(bls.BlsError):
        bls.aggregate([])
