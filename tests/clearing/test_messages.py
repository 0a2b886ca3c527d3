"""Messages one at a time: exact encodings, errors that name the field, and what wallets sign."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sha3
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from clearing import eip712
from clearing.codes import Code
from clearing.keys import address_of, recover
from clearing.messages import (
    Authorisation,
    Cancel,
    Funding,
    Inbox,
    InboxMessage,
    MalformedAction,
    MalformedStep,
    Order,
    Price,
    PriceObservation,
    Receipt,
    UnknownKind,
    Withdraw,
    action_hash,
    decode_action,
    decode_step,
    encode_step,
    inbox_accumulator,
    inbox_message_hash,
    sequenced_accumulator,
    sequenced_root,
    step_hash,
)
from tests.support.actions import (
    BULK,
    CANCEL,
    DOMAIN,
    LIQUIDATE,
    MAKER,
    OBSERVATION_EXAMPLE,
    PLAIN,
    TAKER,
    TRADE,
    TRANSFER,
    VENUE,
    WITHDRAW,
    actions,
    assert_decoded_alike,
    authorisations,
    messages,
    observations,
    orders,
    times,
)

CHAIN_ID = 31_337
SETTLEMENT = bytes(range(1, 21))
KEY = b"\x11" * 32


def keccak(data):
    return sha3.keccak_256(data).digest()


def hex_of(data):
    return "0x" + data.hex()


def wallet_message(type_signature, values):
    """What a wallet makes of the struct: an implementation of EIP-712 that is not ours."""
    name, members = type_signature[:-1].split("(")
    typed = [tuple(member.split(" ")) for member in members.split(",")]
    message = dict(zip((field for _, field in typed), values, strict=True))
    return encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                name: [{"name": field, "type": kind} for kind, field in typed],
            },
            "primaryType": name,
            "domain": {
                "name": "Novatio",
                "version": "1",
                "chainId": CHAIN_ID,
                "verifyingContract": hex_of(SETTLEMENT),
            },
            "message": {
                field: hex_of(value) if isinstance(value, bytes) else value
                for field, value in message.items()
            },
        }
    )


STRUCTS = [
    (
        eip712.ORDER_TYPE,
        (3, VENUE, 9, 2, 40, 1_000_000, 255, 7, 1_900_000_000_000, 500, 2),
        TRADE.maker_struct_hash(),
    ),
    (
        eip712.ORDER_TYPE,
        (1 << 40, VENUE, 9, 1, 50, 1_000_050, 0, 1, 0, 0, 1),
        TRADE.taker_struct_hash(),
    ),
    (
        eip712.TRADE_TYPE,
        (TRADE.maker_struct_hash(), TRADE.taker_struct_hash(), 12, 1_000_025, -10, 45),
        TRADE.struct_hash(),
    ),
    (
        "Withdraw(uint64 account,uint32 asset,uint64 amount,uint64 sequence,uint64 expiry)",
        (3, 0, 5_000_000, 8, 1_900_000_000_000),
        WITHDRAW.struct_hash(),
    ),
    (
        "Transfer(uint64 sender,uint64 recipient,uint32 asset,uint64 amount,uint64 sequence,"
        "uint64 expiry)",
        (3, 4, 0, 5_000_000, 8, 1_900_000_000_000),
        TRANSFER.struct_hash(),
    ),
    (eip712.CANCEL_TYPE, (3, 17, 8), CANCEL.struct_hash()),
    (eip712.PRICE_TYPE, (9, 99, 101, 1_900_000_000_000), OBSERVATION_EXAMPLE.struct_hash(9)),
    (
        "Liquidate(uint64 keeper,uint64 account,uint32 instrument,uint64 lots,uint64 sequence,"
        "uint64 expiry)",
        (3, 4, 9, 5, 8, 1_900_000_000_000),
        LIQUIDATE.struct_hash(),
    ),
    (eip712.RECEIPT_TYPE, (4, 77, b"\x09" * 32), Receipt(4, 77, b"\x09" * 32).struct_hash()),
    (eip712.BULK_TYPE, (b"\x05" * 32,), eip712.hash_struct(eip712.BULK_TYPE, b"\x05" * 32)),
]


@pytest.mark.parametrize(
    ("type_signature", "values", "struct_hash"), STRUCTS, ids=[s[0].split("(")[0] for s in STRUCTS]
)
def test_wallets_sign_the_digest_that_the_law_recovers_from(type_signature, values, struct_hash):
    message = wallet_message(type_signature, values)
    assert message.header == eip712.domain_separator(CHAIN_ID, SETTLEMENT) == DOMAIN
    assert message.body == struct_hash
    signature = bytes(Account.from_key(KEY).sign_message(message).signature)
    assert recover(signature, eip712.digest(DOMAIN, struct_hash)) == address_of(KEY)


def test_a_wallet_signs_a_whole_tree_of_orders_once():
    hashes = [replace(MAKER, slot=slot).struct_hash(VENUE, 9, 2) for slot in range(6)]
    root, paths = eip712.bulk_tree(hashes)
    signature = bytes(
        Account.from_key(KEY).sign_message(wallet_message(eip712.BULK_TYPE, (root,))).signature
    )
    for i, leaf in enumerate(hashes):
        authorisation = Authorisation(signature, i, paths[i])
        assert recover(signature, authorisation.digest(DOMAIN, leaf)) == address_of(KEY)
    stranger = authorisation.digest(DOMAIN, MAKER.struct_hash(VENUE, 9, 1))
    assert recover(signature, stranger) != address_of(KEY)


def test_a_bulk_tree_of_three_is_hashed_by_hand():
    a, b, c = (bytes([i]) * 32 for i in (1, 2, 3))
    left, right = keccak(a + b), keccak(c + bytes(32))
    root, paths = eip712.bulk_tree([a, b, c])
    assert root == keccak(left + right)
    assert paths == [(b, right), (a, right), (bytes(32), left)]


def test_a_bulk_tree_of_one_is_the_struct_itself():
    leaf = b"\x01" * 32
    assert eip712.bulk_tree([leaf]) == (leaf, [()])
    assert PLAIN.digest(DOMAIN, leaf) == eip712.digest(DOMAIN, leaf)


@given(st.integers(1, 40), st.data())
def test_every_leaf_of_a_bulk_tree_climbs_to_its_root(count, data):
    leaves = [keccak(bytes([i])) for i in range(count)]
    root, paths = eip712.bulk_tree(leaves)
    i = data.draw(st.integers(0, count - 1))
    assert eip712.climb(leaves[i], i, paths[i]) == root
    if paths[i]:
        assert eip712.climb(leaves[i], i ^ 1, paths[i]) != root


@pytest.mark.parametrize("count", [0, 4_097])
def test_a_bulk_tree_has_one_to_4096_leaves(count):
    with pytest.raises(ValueError, match=f"was {count}"):
        eip712.bulk_tree([bytes(32)] * count)


def test_the_largest_bulk_tree_has_the_largest_depth_that_encodes():
    _, paths = eip712.bulk_tree([i.to_bytes(32, "big") for i in range(4_096)])
    authorisation = Authorisation(bytes(65), 4_095, paths[4_095])
    assert len(authorisation.encode()) == 65 + 1 + 2 + 12 * 32
    assert Authorisation.decode(authorisation.encode()) == authorisation


@given(actions)
def test_actions_come_back_from_their_bytes(action):
    assert decode_action(action.encode()) == action


@given(orders, authorisations(), observations, messages)
def test_the_parts_of_actions_come_back_from_their_bytes(order, authorisation, view, message):
    for part in (order, authorisation, view, message):
        assert type(part).decode(part.encode()) == part
        with pytest.raises(MalformedAction, match="expected the end, was 1 more bytes"):
            type(part).decode(part.encode() + b"\0")
        with pytest.raises(MalformedAction):
            type(part).decode(part.encode()[:-1])


@given(st.binary(max_size=120) | actions.map(lambda action: action.encode()), st.data())
def test_bytes_that_decode_are_the_only_encoding(data, draw):
    place = draw.draw(st.integers(0, max(0, len(data) - 1)))
    changed = data[:place] + bytes([draw.draw(st.integers(0, 255))]) + data[place + 1 :]
    try:
        action = decode_action(changed)
    except MalformedAction:
        return
    assert action.encode() == changed


def test_an_order_is_written_as_the_protocol_says():
    order = Order(1, 2, 3, 4, 5, 6, 7, 8)
    widths = (8, 8, 8, 2, 8, 8, 4, 1)
    assert order.encode() == b"".join(
        value.to_bytes(width, "big") for value, width in enumerate(widths, 1)
    )


def test_a_trade_is_written_as_the_protocol_says():
    fixed = (
        b"\x04"
        + (9).to_bytes(4, "big")
        + (12).to_bytes(8, "big")
        + (1_000_025).to_bytes(8, "big")
        + b"\xff\xff\xff\xf6"
        + (45).to_bytes(4, "big")
        + VENUE
        + b"\x02"
    )
    bulk = BULK.signature + b"\x03\x00\x05" + b"".join(BULK.path)
    plain = PLAIN.signature + b"\x00"
    assert TRADE.encode() == fixed + MAKER.encode() + TAKER.encode() + bulk + plain + plain


OUT_OF_BOUNDS: list[tuple[Any, str]] = [
    (replace(MAKER, account=(1 << 62) + 1), "account 0..4611686018427387904, was"),
    (replace(MAKER, lots=0), "lots 1..281474976710656, was 0"),
    (replace(MAKER, limit_price=(1 << 48) + 1), "limit_price 1..281474976710656, was"),
    (replace(MAKER, slot=256), "slot 0..255, was 256"),
    (replace(MAKER, sequence=0), "sequence 1..4611686018427387904, was 0"),
    (replace(MAKER, expiry=-1), "expiry 0..4611686018427387904, was -1"),
    (replace(MAKER, max_fee=1_000_001), "max_fee 0..1000000, was 1000001"),
    (replace(MAKER, flags=256), "flags 0..255, was 256"),
    (replace(TRADE, maker_fee=-1_000_001), "maker_fee -1000000..1000000, was -1000001"),
    (replace(TRADE, maker_side=3), "maker_side 1..2, was 3"),
    (replace(TRADE, venue=bytes(19)), "venue of 20 bytes"),
    (replace(TRADE, venue=bytes(20)), "if and only if the venue is not the null address"),
    (replace(TRADE, venue_authorisation=None), "if and only if the venue is not the null"),
    (replace(BULK, index=8), "index 0..7, was 8"),
    (replace(PLAIN, index=1), "index 0..0, was 1"),
    (replace(BULK, path=(bytes(32),) * 13), "depth 0..12, was 13"),
    (replace(BULK, path=(bytes(31),) * 3), "sibling of 32 bytes"),
    (replace(PLAIN, signature=bytes(64)), "signature of 65 bytes"),
    (Cancel(1, 256, 1), "slot 0..255 or 65535, was 256"),
    (Withdraw(1, 0, 0, 1, 1), "amount 1..2305843009213693952, was 0"),
    (Funding(1 << 32), "instrument 0..4294967295, was 4294967296"),
    (Price(1, (OBSERVATION_EXAMPLE,) * 256), "signatures 0..255, was 256"),
    (Price(1, (OBSERVATION_EXAMPLE,) * 23), "action of 1..2048 bytes, was 2053"),
    (PriceObservation(0, 1, 1), "index_price 1..281474976710656, was 0"),
    (InboxMessage(256, 0, 0, VENUE, 0, 0, 1), "kind 0..255, was 256"),
]


@pytest.mark.parametrize(("record", "problem"), OUT_OF_BOUNDS, ids=[p for _, p in OUT_OF_BOUNDS])
def test_encoding_beyond_a_bound_names_field_bound_and_value(record, problem):
    with pytest.raises(ValueError, match=problem):
        record.encode()


def test_numpy_integers_encode_as_python_ones_and_fractions_do_not():
    lots: Any = np.int64(40)
    assert replace(MAKER, lots=lots).encode() == MAKER.encode()
    fraction: Any = 40.0
    with pytest.raises(TypeError):
        replace(MAKER, lots=fraction).encode()


def test_a_malformed_action_says_where_and_what_was_expected():
    """CLR-ACT-001"""
    raw = TRADE.encode()
    with pytest.raises(MalformedAction) as caught:
        decode_action(raw[:49] + b"\x03" + raw[50:])
    error = caught.value
    assert (error.offset, error.expected, error.was) == (49, "maker_side 1..2", 3)
    assert error.code is Code.MALFORMED
    assert str(error) == "byte 49: expected maker_side 1..2, was 3"


def test_a_kind_of_another_law_version_is_unknown_not_malformed():
    """CLR-ACT-002"""
    with pytest.raises(UnknownKind) as caught:
        decode_action(b"\xc8" + bytes(9))
    assert caught.value.code is Code.UNKNOWN_KIND
    with pytest.raises(MalformedAction) as too_long:
        decode_action(b"\xc8" + bytes(2_048))
    assert too_long.value.code is Code.MALFORMED


@given(times, st.lists(st.binary(max_size=60), max_size=8))
def test_steps_come_back_from_their_bytes(time, raws):
    assert decode_step(encode_step(time, raws)) == (time, raws)


@given(st.binary(max_size=40))
def test_bytes_that_are_a_step_are_its_only_encoding(data):
    try:
        time, raws = decode_step(data)
    except MalformedStep:
        return
    assert encode_step(time, raws) == data


def test_a_step_holds_eight_actions_of_2048_bytes():
    full = [bytes(2_048)] * 8
    assert decode_step(encode_step(5, full)) == (5, full)
    with pytest.raises(ValueError, match=r"count 0\.\.8, was 9"):
        encode_step(5, [b""] * 9)
    with pytest.raises(ValueError, match=r"length 0\.\.2048, was 2049"):
        encode_step(5, [bytes(2_049)])
    with pytest.raises(MalformedStep, match=r"byte 8: expected count 0\.\.8, was 9"):
        decode_step(encode_step(5, [])[:8] + b"\x09")
    with pytest.raises(MalformedStep, match="the end"):
        decode_step(encode_step(5, full) + b"\0")


def test_hashes_of_steps_and_accumulators_are_those_of_the_protocol():
    one, two = b"\x01" * 32, b"\x02" * 32
    assert action_hash(b"abc") == keccak(bytes([0] * 7 + [3]) + b"abc" + bytes(5) + b"\x17")
    assert step_hash(7, [one, two]) == keccak(
        (7).to_bytes(8, "big") + (2).to_bytes(8, "big") + one + two + b"\x11"
    )
    assert sequenced_root([one, two]) == keccak(one + two + b"\x1c")
    assert sequenced_accumulator(one, two) == keccak(one + two + b"\x18")
    assert inbox_accumulator(one, two) == keccak(one + two + b"\x16")
    message = InboxMessage(1, 6, 4, VENUE, 2, 0, 5)
    padded = bytes([0] * 7 + [53]) + message.encode() + bytes(3)
    assert len(message.encode()) == 53
    assert message.message_hash() == inbox_message_hash(message.encode())
    assert message.message_hash() == keccak(padded + b"\x15")


def test_a_forced_price_is_a_message_of_its_observations():
    views = (OBSERVATION_EXAMPLE,) * 16
    message = InboxMessage(5, 6, 0, VENUE, 0, 9, 16, views)
    encoded = message.encode()
    assert encoded[:53] == b"\x05" + (6).to_bytes(8, "big") + bytes(8) + VENUE + bytes(4) + (
        9
    ).to_bytes(4, "big") + (16).to_bytes(8, "big")
    assert encoded[53:] == OBSERVATION_EXAMPLE.encode() * 16
    assert InboxMessage.decode(encoded) == message
    padded = len(encoded).to_bytes(8, "big") + encoded + bytes(-len(encoded) % 8)
    assert message.message_hash() == keccak(padded + b"\x15")


@pytest.mark.parametrize(
    ("kind", "amount", "count"), [(5, 1, 0), (5, 1, 2), (5, 17, 17), (5, 17, 16), (1, 1, 1)]
)
def test_a_message_has_as_many_observations_as_a_prices_amount_says(kind, amount, count):
    views = (OBSERVATION_EXAMPLE,) * count
    with pytest.raises(ValueError, match=r"observations 1\.\.16"):
        InboxMessage(kind, 6, 0, VENUE, 0, 9, amount, views).encode()


def test_observations_that_do_not_fit_their_message_are_malformed():
    raw = Inbox(InboxMessage(5, 6, 0, VENUE, 0, 9, 2, (OBSERVATION_EXAMPLE,) * 2)).encode()
    more = raw[:46] + (17).to_bytes(8, "big") + OBSERVATION_EXAMPLE.encode() * 17
    late = OBSERVATION_EXAMPLE.encode()[:16] + (2**62 + 1).to_bytes(8, "big") + bytes(65)
    forged = raw[: 54 + 89] + late
    cases = [raw[:-1], raw + b"\0", raw[:54], more, forged, b"\x01\x01" + raw[2:]]
    for case in cases:
        with pytest.raises(MalformedAction):
            decode_action(case)
    assert_decoded_alike([raw, *cases, raw])


@pytest.mark.parametrize(
    ("chain_id", "settlement"), [(-1, SETTLEMENT), (1 << 64, SETTLEMENT), (1, bytes(19))]
)
def test_a_domain_outside_its_bounds_is_refused(chain_id, settlement):
    with pytest.raises(ValueError, match="expected"):
        eip712.domain_separator(chain_id, settlement)


def test_a_word_takes_integers_addresses_and_words_only():
    assert eip712.word(-1) == b"\xff" * 32
    assert eip712.word(VENUE) == bytes(12) + VENUE
    with pytest.raises(ValueError, match="21 bytes"):
        eip712.word(bytes(21))
