"""Signer recovery, in bulk and singly, against eth-account and against malleated signatures."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from coincurve._libsecp256k1 import ffi, lib
from eth_account import Account
from eth_keys.datatypes import Signature
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import keys, recovery
from clearing.keccak import keccak256, pieces, to_bytes
from clearing.recovery import load_symbols

NULL = recovery.NULL_ADDRESS
private_keys = st.integers(1, keys.ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
digest_bytes = st.binary(min_size=32, max_size=32)


def in_bulk(run, signatures, digests):
    rows = np.frombuffer(b"".join(signatures), np.uint8).reshape(-1, 65).copy()
    hashes = np.stack([pieces(digest) for digest in digests])
    signers = np.full((len(rows) + 1, 4), 77, np.int64)
    run(rows, hashes, 0, len(rows), signers)
    assert (signers[-1] == 77).all()
    words = [to_bytes(row) for row in signers[:-1]]
    assert all(word[:12] == bytes(12) for word in words)
    return [word[12:] for word in words]


BULK = [recovery.recover_rows, recovery.recover_one_by_one]


def recovered(signature, digest):
    """Return the one answer that the single and both bulk forms give."""
    answers = {recovery.recover(signature, digest)}
    for run in BULK:
        answers.add(in_bulk(run, [signature], [digest])[0])
    assert len(answers) == 1
    return answers.pop()


def parts(signature):
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    return r, s, signature[64]


def joined(r, s, v):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])


DIGEST = keccak256(b"an order")
KEY = keccak256(b"a trader")
SIGNATURE = recovery.sign(KEY, DIGEST)
ADDRESS = recovery.address_of(KEY)


def test_the_address_is_the_one_that_eth_account_knows():
    assert bytes.fromhex(Account.from_key(KEY).address[2:]) == ADDRESS


@settings(max_examples=40)
@given(private_keys, digest_bytes)
def test_a_signature_recovers_to_its_signer_as_in_eth_account(key, digest):
    signature = recovery.sign(key, digest)
    r, s, v = parts(signature)
    reference = Signature(vrs=(v - 27, r, s))
    public = reference.recover_public_key_from_msg_hash(digest)
    assert recovered(signature, digest) == public.to_canonical_address()
    assert recovered(signature, digest) == recovery.address_of(key)
    assert v in (27, 28) and s <= keys.HALF_ORDER


def test_a_signature_made_by_eth_account_is_the_one_made_here():
    made = Account.unsafe_sign_hash(DIGEST, KEY)
    assert bytes(made.signature) == SIGNATURE


def test_the_other_signature_of_the_same_digest_signs_nothing():
    r, s, v = parts(SIGNATURE)
    assert recovered(joined(r, keys.ORDER - s, 55 - v), DIGEST) == NULL


@pytest.mark.parametrize("v", [0, 1, 26, 29, 30, 255])
def test_another_recovery_byte_signs_nothing(v):
    assert recovered(SIGNATURE[:64] + bytes([v]), DIGEST) == NULL


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, 1),
        (1, 0),
        (0, 0),
        (keys.ORDER, 1),
        (2**256 - 1, 1),
        (1, keys.HALF_ORDER + 1),
        (1, keys.ORDER),
        (1, 2**256 - 1),
        (5, 1),
    ],
)
def test_numbers_out_of_range_or_off_the_curve_sign_nothing(r, s):
    for v in (27, 28):
        assert recovered(joined(r, s, v), DIGEST) == NULL


def test_the_largest_low_s_still_signs():
    assert recovered(joined(1, keys.HALF_ORDER, 27), DIGEST) != NULL


def test_the_other_parity_recovers_another_signer():
    r, s, v = parts(SIGNATURE)
    assert recovered(joined(r, s, 55 - v), DIGEST) not in (NULL, ADDRESS)


@pytest.mark.parametrize(("signature", "digest"), [(64, 32), (66, 32), (65, 31), (65, 33)])
def test_a_wrong_length_signs_nothing(signature, digest):
    assert recovery.recover((SIGNATURE + b"\0")[:signature], (DIGEST + b"\0")[:digest]) == NULL


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 4), st.binary(min_size=65, max_size=65)), max_size=20))
def test_bulk_rows_answer_like_single_recovery_whatever_their_neighbours(choices):
    signatures = [SIGNATURE]
    for kind, noise in choices:
        tail = bytes([27 + noise[64] % 2])
        low = bytes([noise[32] & 0x3F]) + noise[33:64]
        near = noise[:32] + low + tail
        signatures.append([SIGNATURE, noise, near, bytes(65), b"\xff" * 65][kind])
    digests = [keccak256(bytes([i])) for i in range(len(signatures))]
    expected = [recovery.recover(*pair) for pair in zip(signatures, digests, strict=True)]
    for run in BULK:
        assert in_bulk(run, signatures, digests) == expected


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_share_the_rows_without_gap_or_overlap(threads):
    count = 50
    digests = [keccak256(bytes([i])) for i in range(count)]
    rows = b"".join(recovery.sign(KEY, digest) for digest in digests)
    signatures = np.frombuffer(rows, np.uint8).reshape(-1, 65).copy()
    signers = np.full((count + 1, 4), 77, np.int64)
    hashes = np.stack([pieces(digest) for digest in digests])
    with ThreadPoolExecutor(3) as executor:
        recovery.recover_rows_threaded(signatures, hashes, count, signers, executor, threads)
    assert all(to_bytes(row) == bytes(12) + ADDRESS for row in signers[:count])
    assert (signers[count] == 77).all()


def test_a_fault_in_another_thread_reaches_the_caller():
    signatures = np.zeros((8, 65), np.uint8)
    signers = np.zeros((4, 4), np.int64)
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="signers"):
        recovery.recover_rows_threaded(
            signatures, np.zeros((8, 4), np.int64), 8, signers, executor, 2
        )
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="one thread"):
        recovery.recover_rows_threaded(
            signatures, np.zeros((8, 4), np.int64), 8, signers, executor, 0
        )


def test_only_the_asked_rows_are_written():
    signatures = np.frombuffer(SIGNATURE * 5, np.uint8).reshape(5, 65).copy()
    hashes = np.stack([pieces(DIGEST)] * 5)
    signers = np.full((5, 4), 77, np.int64)
    recovery.recover_rows(signatures, hashes, 1, 3, signers)
    assert [to_bytes(row)[12:] == ADDRESS for row in signers] == [False, True, True, False, False]
    assert (signers[[0, 3, 4]] == 77).all()


@pytest.mark.parametrize(
    ("signatures", "digests", "stop", "text"),
    [
        (np.zeros((2, 64), np.uint8), np.zeros((2, 4), np.int64), 2, "signatures"),
        (np.zeros((2, 65), np.int64), np.zeros((2, 4), np.int64), 2, "signatures"),
        (np.zeros((2, 65), np.uint8), np.zeros((2, 8), np.int64)[:, ::2], 2, "digests"),
        (np.zeros((2, 65), np.uint8), np.zeros((2, 4), np.uint8), 2, "digests"),
        (np.zeros((2, 65), np.uint8), np.zeros((2, 4), np.int64), 3, "rows"),
    ],
)
def test_arrays_of_another_shape_type_or_layout_are_refused(signatures, digests, stop, text):
    with pytest.raises(ValueError, match=text):
        recovery.recover_rows(signatures, digests, 0, stop, np.zeros((9, 4), np.int64))


@pytest.mark.parametrize("key", [bytes(32), b"\1" * 31, keys.ORDER.to_bytes(32, "big")])
def test_a_private_key_out_of_range_is_refused(key):
    with pytest.raises(ValueError, match="between 1 and the order"):
        recovery.sign(key, DIGEST)
    with pytest.raises(ValueError, match="between 1 and the order"):
        recovery.address_of(key)


def test_signing_a_message_instead_of_a_digest_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        recovery.sign(KEY, b"an order")


def test_a_library_without_one_of_the_symbols_is_noticed():
    assert load_symbols(ffi, lib)
    assert not load_symbols(ffi, lib, ("secp256k1_ecdsa_recover", "secp256k1_no_such_function"))
