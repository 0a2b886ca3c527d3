"""The header has one encoding, and every bit of it is in the batch's name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.keccak import keccak256
from verifier.errors import PostError, Refused
from verifier.header import HEADER_BYTES, Header, genesis_batch_id

HASH = st.binary(min_size=32, max_size=32)
ADDRESS = st.binary(min_size=20, max_size=20)
U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
HEADERS = st.builds(
    Header,
    law_version=U32,
    chain_id=U64,
    settlement=ADDRESS,
    generation=U64,
    number=U64,
    parent_id=HASH,
    base_number=U64,
    base_hash=HASH,
    pre_root=HASH,
    post_root=HASH,
    steps_root=HASH,
    step_count=U32,
    data_kind=st.integers(0, 255),
    data_hash=HASH,
    data_length=U32,
    proposer=ADDRESS,
)
EXAMPLE = Header(
    1, 2, b"s" * 20, 3, 4, b"p" * 32, 5, b"b" * 32, b"0" * 32, b"1" * 32, b"t" * 32, 6, 0,
    b"d" * 32, 7, b"q" * 20,
)  # fmt: skip


def test_a_header_stands_byte_for_byte_as_the_protocol_says():
    words = (
        b"NVT1" + bytes([0, 0, 0, 1]) + bytes(7) + b"\x02" + b"s" * 20,
        bytes(7) + b"\x03" + bytes(7) + b"\x04" + b"p" * 32 + bytes(7) + b"\x05" + b"b" * 32,
        b"0" * 32 + b"1" * 32 + b"t" * 32 + bytes([0, 0, 0, 6]),
        b"\x00" + b"d" * 32 + bytes([0, 0, 0, 7]) + b"q" * 20,
    )
    assert EXAMPLE.encode() == b"".join(words).ljust(HEADER_BYTES, b"\0")
    assert EXAMPLE.batch_id() == keccak256(EXAMPLE.encode() + b"\x13")


@given(HEADERS)
def test_decoding_inverts_encoding(header):
    assert Header.decode(header.encode()) == header


@given(HEADERS, st.integers(0, HEADER_BYTES - 1), st.integers(1, 255))
def test_any_other_byte_is_another_header_or_none(header, place, change):
    encoded = bytearray(header.encode())
    encoded[place] ^= change
    try:
        assert Header.decode(bytes(encoded)) != header
    except Refused as refused:
        expected = PostError.WRONG_MAGIC if place < 4 else PostError.MALFORMED_HEADER
        assert refused.code == expected


@pytest.mark.parametrize("length", [0, 383, 385])
def test_a_header_of_another_length_is_refused(length):
    with pytest.raises(Refused) as refused:
        Header.decode(EXAMPLE.encode().ljust(400, b"\0")[:length])
    assert refused.value.code == PostError.MALFORMED_HEADER


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2**64},
        {"number": -1},
        {"law_version": 2**32},
        {"data_kind": 256},
        {"parent_id": b"short"},
        {"proposer": b"p" * 21},
    ],
)
def test_a_field_that_does_not_fit_is_not_cut_to_size(change):
    with pytest.raises(ValueError, match="header"):
        replace(EXAMPLE, **change).encode()


def test_genesis_is_named_by_chain_court_and_root():
    name = genesis_batch_id(1, b"s" * 20, b"r" * 32)
    assert name == keccak256(bytes(7) + b"\x01" + b"s" * 20 + b"r" * 32 + b"\x1b")
    others = {
        genesis_batch_id(2, b"s" * 20, b"r" * 32),
        genesis_batch_id(1, b"t" * 20, b"r" * 32),
        genesis_batch_id(1, b"s" * 20, b"q" * 32),
    }
    assert name not in others and len(others) == 3
