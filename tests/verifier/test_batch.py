"""The data of a batch have one encoding, and the opening is the preimage of the root."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.keccak import keccak256
from verifier.batch import (
    SUB_ROOTS,
    BatchData,
    OpenedGlobals,
    Opening,
    Pair,
    Step,
    check_steps,
    data_hash,
    step_record_hash,
    steps_root,
)
from verifier.errors import PostError, Refused

HASH = st.binary(min_size=32, max_size=32)
I64 = st.integers(-(2**63), 2**63 - 1)
STEPS = st.builds(
    Step,
    st.integers(0, 2**62),
    st.lists(st.binary(max_size=40), max_size=8).map(tuple),
)
GLOBALS = st.builds(OpenedGlobals, *[I64] * 8, HASH, *[I64] * 4, HASH, HASH, HASH)


def data_of(steps):
    return BatchData(tuple(Pair(step.hash(), bytes(32)) for step in steps), tuple(steps))


def refusal(data, count):
    with pytest.raises(Refused) as refused:
        BatchData.decode(data, count)
    return refused.value.code


def test_data_stand_byte_for_byte_as_the_protocol_says():
    pair = Pair(b"h" * 32, b"r" * 32)
    data = BatchData((pair,), (Step(258, (b"ab", b"")),)).encode()
    step = bytes(6) + b"\x01\x02" + b"\x02" + b"\x00\x02ab" + b"\x00\x00"
    assert data == b"h" * 32 + b"r" * 32 + step
    assert data_hash(data) == keccak256(data + b"\x14")


@given(st.lists(STEPS, min_size=1, max_size=6))
def test_decoding_inverts_encoding(steps):
    data = data_of(steps)
    assert BatchData.decode(data.encode(), len(steps)) == data


@given(st.lists(STEPS, min_size=1, max_size=3), st.data())
def test_data_that_are_cut_anywhere_are_malformed(steps, draw):
    encoded = data_of(steps).encode()
    length = draw.draw(st.integers(0, len(encoded) - 1))
    assert refusal(encoded[:length], len(steps)) == PostError.MALFORMED_DATA


def test_a_byte_too_many_is_refused():
    encoded = data_of([Step(1, (b"a",))]).encode()
    assert refusal(encoded + b"\0", 1) == PostError.TRAILING_BYTES


def test_a_step_holds_eight_actions_and_not_nine():
    def head(count):
        return bytes(64) + bytes(8) + bytes([count]) + b"\x00\x00" * count

    assert len(BatchData.decode(head(8), 1).steps[0].actions) == 8
    assert refusal(head(9), 1) == PostError.TOO_MANY_ACTIONS


def test_an_action_holds_2048_bytes_and_not_one_more():
    def step(length):
        return bytes(64) + bytes(8) + b"\x01" + length.to_bytes(2, "big") + bytes(length)

    assert len(BatchData.decode(step(2_048), 1).steps[0].actions[0]) == 2_048
    assert refusal(step(2_049), 1) == PostError.ACTION_TOO_LONG


def test_a_step_may_have_the_last_time_and_none_after_it():
    def step(time):
        return bytes(64) + time.to_bytes(8, "big") + b"\x00"

    assert BatchData.decode(step(2**62), 1).steps[0].time == 2**62
    assert refusal(step(2**62 + 1), 1) == PostError.STEP_TIME_OUT_OF_BOUNDS


def test_a_record_is_index_step_and_root():
    record = step_record_hash(3, b"h" * 32, b"r" * 32)
    assert record == keccak256(bytes(7) + b"\x03" + b"h" * 32 + b"r" * 32 + b"\x12")


@given(st.lists(STEPS, min_size=1, max_size=6))
def test_the_steps_root_is_that_of_the_data_and_of_no_permutation(steps):
    data = data_of(steps)
    root = steps_root(data.pairs)
    check_steps(data, root)
    turned = tuple(reversed(data.pairs))
    assert (steps_root(turned) == root) == (turned == data.pairs)


def test_a_step_that_was_not_hashed_is_named():
    data = data_of([Step(1, (b"a",)), Step(2, (b"b",))])
    other = BatchData(data.pairs, (data.steps[0], Step(2, (b"c",))))
    with pytest.raises(Refused, match="step 1 ") as refused:
        check_steps(other, steps_root(data.pairs))
    assert refused.value.code == PostError.WRONG_STEP_HASH


@given(GLOBALS, st.lists(HASH, min_size=8, max_size=8).map(tuple))
def test_an_opening_gives_back_what_was_committed(opened, roots):
    opening = Opening.decode(Opening(opened.encode(), roots).encode())
    assert opening.globals() == opened
    assert tuple(opening.sub_root(name) for name in SUB_ROOTS) == roots
    leaf = keccak256(opened.encode() + b"\x01")
    assert opening.state_root() == keccak256(leaf + b"".join(roots) + b"\x10")


@pytest.mark.parametrize("length", [0, 479, 481])
def test_an_opening_of_another_length_is_refused(length):
    with pytest.raises(Refused) as refused:
        Opening.decode(bytes(length))
    assert refused.value.code == PostError.MALFORMED_OPENING


def test_data_with_unequal_counts_cannot_be_encoded():
    with pytest.raises(ValueError, match="1 to 0"):
        BatchData((Pair(bytes(32), bytes(32)),), ()).encode()
