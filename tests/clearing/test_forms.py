"""The forms of actions: bytes and back, what is signed, and the protocol's text of each."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing import eip712, keys
from clearing.codes import Code, Kind
from clearing.decode import decode, pack, recover_signers
from clearing.forms import FORMS, NOBODY, OWNER, QUORUM, SHAPED
from clearing.keccak import keccak256, pieces
from clearing.layout import pieces_of
from clearing.messages import MalformedAction, decode_action
from clearing.requests import Request
from tests.support.actions import within

PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
DOMAIN = eip712.domain_separator(31_337, bytes(range(1, 21)))
KEYS = [keccak256(bytes([i])) for i in range(3)]


def request_of(data, kind):
    """Any action of the kind, signed by three keys, one or nobody as its form says."""
    form = FORMS[kind]
    values = {field.name: data.draw(within(field.low, field.high)) for field in form.fields}
    payload = ()
    if form.payload:
        piece = st.integers(-(1 << 63), (1 << 63) - 1)
        payload = data.draw(st.lists(piece, min_size=1, max_size=min(form.payload, 20)))
    blank = Request.of(kind, payload=payload, signatures=(), **values)
    digest = eip712.digest(DOMAIN, blank.struct_hash())
    signers = {NOBODY: KEYS[:0], OWNER: KEYS[:1], QUORUM: KEYS}[form.signed_by]
    return Request.of(
        kind, payload=payload, signatures=[keys.sign(key, digest) for key in signers], **values
    ), signers


@pytest.mark.parametrize("kind", FORMS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_columns_hold_the_fields_the_payload_and_the_signers_of_every_form(kind, data):
    request, signers = request_of(data, kind)
    columns = decode(*pack([request.encode()]), pieces(DOMAIN))
    recover_signers(columns)
    action = columns.actions[0]
    assert (action.kind, action.code) == (kind, Code.APPLIED)
    flat = pieces_of(columns.actions)[0]
    for part, value in zip(request.form.parts, request.values, strict=True):
        if part.solidity == "address":
            word = value.to_bytes(32, "big")
            assert (flat[part.piece : part.piece + 4] == pieces(word)).all()
        else:
            assert flat[part.piece] == value
    first = int(action.payload_first)
    assert tuple(columns.payload[first : first + int(action.payload_count)]) == request.payload
    assert int(action.signature_count) == len(signers)
    for row, key in enumerate(signers):
        owner = bytes(12) + keys.address_of(key)
        assert (np.asarray(columns.signers[row]) == pieces(owner)).all()


@pytest.mark.parametrize("kind", FORMS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_any_action_comes_back_from_its_bytes(kind, data):
    request, _ = request_of(data, kind)
    again = decode_action(request.encode())
    assert type(again) is not Request or again == request
    assert again.encode() == request.encode()


@pytest.mark.parametrize("kind", FORMS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_byte_too_few_or_too_many_is_malformed_in_both_decoders(kind, data):
    whole = request_of(data, kind)[0].encode()
    for broken in (whole[:-1], whole + b"\0"):
        columns = decode(*pack([broken]), pieces(DOMAIN))
        assert columns.actions[0].code == Code.MALFORMED
        assert not pieces_of(columns.actions)[0, 2:-20].any() or columns.actions[0].kind == kind
        with pytest.raises(MalformedAction):
            decode_action(broken)


def test_every_kind_has_a_form_or_a_shape_of_its_own():
    assert {*FORMS, *SHAPED} == set(Kind)
    assert not set(FORMS) & set(SHAPED)


@pytest.mark.parametrize("kind", FORMS)
def test_the_protocol_spells_every_form(kind):
    form = FORMS[kind]
    if form.signed_by != NOBODY:
        assert form.type_signature in PROTOCOL
    (row,) = re.findall(rf"^\| {int(kind)} \| [a-z ]+ \| (.*) \| .* \|$", PROTOCOL, re.MULTILINE)
    named = row.partition("u16 n, ")[0].partition(", u8 m, ")[0].removesuffix(", ")
    assert re.findall(r"(?:u\d+|address) ([a-z ]+)", named) == [
        field.name.replace("_", " ") for field in form.fields
    ]
    assert (f"(1 .. {form.payload})" in row) == bool(form.payload)
