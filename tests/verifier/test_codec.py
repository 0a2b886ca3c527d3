"""A record's annotated fields are its one encoding."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import pytest

from clearing.encoding import MalformedBytes
from verifier.codec import U8, U32, Canonical, Hash, Integer, Many, Nested, Raw, Rest, Words


class Inner(NamedTuple):
    """A record within a record."""

    number: U8
    pairs: Annotated[tuple[bytes, ...], Many(Integer(1, 1, 3), Raw(2))]


@dataclass(frozen=True)
class Outer(Canonical):
    """One field of every kind."""

    step: U32
    inner: Annotated[Inner, Nested(Inner)]
    words: Annotated[bytes, Words(Integer(1, 0, 2), 4)]
    rest: Rest


GOOD = Outer(7, Inner(1, (b"ab", b"cd")), b"12345678", b"tail")
BYTES = bytes.fromhex("00000007 01 02") + b"abcd" + b"\2" + b"12345678" + b"tail"


def test_fields_stand_side_by_side_in_their_order():
    assert GOOD.encode() == BYTES
    assert Outer.decode(BYTES) == GOOD


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"step": -1}, "step"),
        ({"step": 1 << 32}, "step"),
        ({"inner": Inner(256, (b"ab",))}, "number"),
        ({"inner": Inner(1, ())}, "pairs"),
        ({"inner": Inner(1, (b"ab",) * 4)}, "pairs"),
        ({"inner": Inner(1, (b"abc",))}, "pairs of 2 bytes"),
        ({"words": b"123"}, "whole words of 4 bytes"),
        ({"words": b"1234" * 3}, "words"),
        ({"rest": "text"}, "rest"),
    ],
)
def test_what_does_not_fit_its_place_has_no_encoding(changed, expected):
    with pytest.raises(ValueError, match=expected):
        Outer(**{**vars(GOOD), **changed}).encode()


@pytest.mark.parametrize(
    ("place", "byte", "expected"), [(5, 0, "pairs"), (5, 4, "pairs"), (10, 3, "words")]
)
def test_a_count_beyond_its_bounds_is_malformed(place, byte, expected):
    data = bytearray(BYTES)
    data[place] = byte
    with pytest.raises(MalformedBytes, match=expected):
        Outer.decode(bytes(data))


def test_bytes_are_used_up_exactly():
    @dataclass(frozen=True)
    class Named(Canonical):
        """A record that ends."""

        name: Hash

    Named.decode(bytes(32))
    for length in (31, 33):
        with pytest.raises(MalformedBytes):
            Named.decode(bytes(length))


def test_a_field_that_does_not_say_how_it_is_written_is_refused():
    @dataclass(frozen=True)
    class Vague(Canonical):
        """A record with a bare field."""

        number: int

    with pytest.raises(TypeError, match=r"Vague\.number"):
        Vague(1).encode()
