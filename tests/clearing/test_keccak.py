"""Keccak: the vector kernels against safe-pysha3, byte by byte."""

import numpy as np
import pytest
import sha3
from hypothesis import given
from hypothesis import strategies as st

from clearing import keccak
from clearing.compiler import kernel

WIDTH = 61


def sha(data):
    return sha3.keccak_256(data).digest()


def random_rows(seed, count, width):
    return np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, (count, width), np.int64)


def suffix(tag):
    return b"" if tag == keccak.NO_TAG else bytes([tag])


def test_the_hash_of_nothing_is_the_known_constant():
    known = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak.keccak256(b"").hex() == known
    digests = np.zeros((1, 4), np.int64)
    keccak.hash_rows(np.zeros((1, 1), np.int64), np.zeros(1, np.int64), 1, -1, digests)
    assert keccak.to_bytes(digests[0]).hex() == known


def test_the_tag_is_the_last_byte_of_the_message():
    assert keccak.tagged_hash(7, b"abc") == sha(b"abc\x07")


@pytest.mark.parametrize("tag", [-1, 256])
def test_a_tag_beyond_one_byte_is_refused(tag):
    with pytest.raises(ValueError, match="one byte"):
        keccak.tagged_hash(tag, b"")


def test_padding_states_the_length_and_fills_the_last_piece():
    assert keccak.pad(b"") == bytes(8)
    assert keccak.pad(b"abc") == b"\0\0\0\0\0\0\0\x03abc\0\0\0\0\0"
    assert keccak.pad(b"12345678") == b"\0\0\0\0\0\0\0\x0812345678"


def test_pieces_are_big_endian_and_come_back():
    assert list(keccak.pieces(b"\0" * 7 + b"\x02" + b"\xff" * 8)) == [2, -1]
    assert keccak.to_bytes(np.array([2, -1])) == b"\0" * 7 + b"\x02" + b"\xff" * 8
    with pytest.raises(ValueError, match="multiple of 8"):
        keccak.pieces(b"abc")


@pytest.mark.parametrize("tag", [keccak.NO_TAG, 0, 1, 0x80, 255])
def test_every_length_up_to_sixty_pieces_in_one_call(tag):
    rows = random_rows(1, WIDTH, WIDTH)
    lengths = np.arange(WIDTH, dtype=np.int64)
    digests = np.zeros((WIDTH, 4), np.int64)
    keccak.hash_rows(rows, lengths, WIDTH, tag, digests)
    for row, length, digest in zip(rows, range(WIDTH), digests, strict=True):
        expected = sha(keccak.to_bytes(row[:length]) + suffix(tag))
        assert keccak.to_bytes(digest) == expected, length
        single = np.zeros(4, np.int64)
        keccak.hash_pieces(row, length, tag, single)
        assert keccak.to_bytes(single) == expected, length


@given(
    st.integers(0, 2**32),
    st.lists(st.integers(0, WIDTH), max_size=30),
    st.integers(0, 3),
    st.integers(-1, 255),
)
def test_mixed_lengths_and_any_count_hash_like_the_reference(seed, sizes, spare, tag):
    count = len(sizes)
    rows = random_rows(seed, count + spare, WIDTH)
    lengths = np.array(sizes + [WIDTH] * spare, np.int64)
    digests = np.full((count + spare, 4), 77, np.int64)
    keccak.hash_rows(rows, lengths, count, tag, digests)
    for i in range(count):
        expected = sha(keccak.to_bytes(rows[i, : lengths[i]]) + suffix(tag))
        assert keccak.to_bytes(digests[i]) == expected
    assert (digests[count:] == 77).all()


@given(st.integers(0, 2**32), st.integers(0, 20), st.integers(-1, 255))
def test_nodes_hash_their_four_children(seed, count, tag):
    children = random_rows(seed, count + 1, 16)
    digests = np.full((count + 1, 4), 77, np.int64)
    keccak.hash_nodes(children, count, tag, digests)
    for i in range(count):
        assert keccak.to_bytes(digests[i]) == sha(keccak.to_bytes(children[i]) + suffix(tag))
    assert (digests[count] == 77).all()


@given(st.integers(0, 2**32), st.sets(st.integers(0, 39), max_size=25), st.integers(-1, 255))
def test_scattered_nodes_hash_in_place_and_leave_the_others(seed, chosen, tag):
    children = random_rows(seed, 40, 16)
    digests = np.full((40, 4), 77, np.int64)
    indices = np.array([*chosen, 0], np.int64)
    keccak.hash_nodes_at(children, indices, len(chosen), tag, digests)
    for i in range(40):
        if i in chosen:
            assert keccak.to_bytes(digests[i]) == sha(keccak.to_bytes(children[i]) + suffix(tag))
        else:
            assert (digests[i] == 77).all()


@given(st.integers(0, 2**32), st.integers(0, 20))
def test_eip712_digests_join_prefix_domain_and_struct_hash(seed, count):
    rows = random_rows(seed, count + 2, 4)
    domain, hashes = rows[0].copy(), rows[1:].copy()
    digests = np.full((count + 1, 4), 77, np.int64)
    keccak.eip712_digests(domain, hashes, count, digests)
    for i in range(count):
        message = b"\x19\x01" + keccak.to_bytes(domain) + keccak.to_bytes(hashes[i])
        assert keccak.to_bytes(digests[i]) == sha(message)
    assert (digests[count] == 77).all()


@kernel
def hash_second_half(rows, lengths, digests):
    half = rows.shape[0] // 2
    keccak.hash_rows(rows[half:], lengths[half:], half, 3, digests[half:])
    keccak.hash_pieces(rows[0], lengths[0], 3, digests[0])


def test_kernels_hash_slices_from_compiled_code():
    rows, lengths = random_rows(5, 12, 9), np.full(12, 9, np.int64)
    digests = np.zeros((12, 4), np.int64)
    hash_second_half(rows, lengths, digests)
    for i in [0, *range(6, 12)]:
        assert keccak.to_bytes(digests[i]) == sha(keccak.to_bytes(rows[i]) + b"\x03")
    assert (digests[1:6] == 0).all()


@pytest.mark.parametrize(
    ("count", "length", "tag", "width", "text"),
    [
        (3, 2, 1, 4, "count"),
        (-1, 2, 1, 4, "count"),
        (2, 6, 1, 4, "length"),
        (2, -1, 1, 4, "length"),
        (2, 2, 256, 4, "tag"),
        (2, 2, -2, 4, "tag"),
        (2, 2, 1, 3, "4 pieces"),
    ],
)
def test_arguments_out_of_range_are_refused(count, length, tag, width, text):
    with pytest.raises(ValueError, match=text):
        keccak.hash_rows(
            np.zeros((2, 5), np.int64),
            np.array([0, length], np.int64),
            count,
            tag,
            np.zeros((2, width), np.int64),
        )


def test_an_index_outside_the_level_is_refused():
    children, digests = np.zeros((4, 16), np.int64), np.zeros((4, 4), np.int64)
    for index in (-1, 4):
        with pytest.raises(ValueError, match="index"):
            keccak.hash_nodes_at(children, np.array([index]), 1, 1, digests)
