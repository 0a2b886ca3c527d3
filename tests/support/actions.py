"""Actions for tests: one example of each kind, Hypothesis strategies, and the decoders compared."""

from dataclasses import fields

import numpy as np
from hypothesis import strategies as st

from clearing.codes import Code, InboxKind
from clearing.decode import decode, pack
from clearing.eip712 import domain_separator
from clearing.forms import QUORUM
from clearing.keccak import pieces, to_bytes
from clearing.layout import pieces_of
from clearing.messages import (
    Action,
    Authorisation,
    Cancel,
    Funding,
    Inbox,
    InboxMessage,
    Liquidate,
    MalformedAction,
    Order,
    Price,
    PriceObservation,
    Trade,
    Transfer,
    Withdraw,
    action_hash,
    decode_action,
)
from clearing.records import ACTION
from clearing.requests import Request
from clearing.units import AMOUNT_MAX, FEE_PPM_MAX, LOTS_MAX, PRICE_MAX, SEQUENCE_MAX, TIME_MAX

DOMAIN = domain_separator(31_337, bytes(range(1, 21)))
VENUE = bytes(range(101, 121))
ID_MAX = 1 << 62
U32_MAX = (1 << 32) - 1

MAKER = Order(3, 40, 1_000_000, 255, 7, 1_900_000_000_000, 500, 2)
TAKER = Order(1 << 40, 50, 1_000_050, 0, 1, 0, 0, 1)
PLAIN = Authorisation(bytes(range(65)))
BULK = Authorisation(bytes(range(100, 165)), 5, (b"\x07" * 32, b"\x00" * 32, b"\xff" * 32))
TRADE = Trade(9, 12, 1_000_025, -10, 45, VENUE, 2, MAKER, TAKER, BULK, PLAIN, PLAIN)
OBSERVATION_EXAMPLE = PriceObservation(99, 101, 1_900_000_000_000, bytes(range(65)))
WITHDRAW = Withdraw(3, 0, 5_000_000, 8, 1_900_000_000_000, bytes(range(65)))
TRANSFER = Transfer(3, 4, 0, 5_000_000, 8, 1_900_000_000_000, bytes(range(65)))
CANCEL = Cancel(3, 17, 8, bytes(range(65)))
LIQUIDATE = Liquidate(3, 4, 9, 5, 8, 1_900_000_000_000, bytes(range(65)))
EXAMPLES: tuple[Action, ...] = (
    TRADE,
    Trade(9, 12, 1_000_025, 0, 0, bytes(20), 1, MAKER, TAKER, PLAIN, BULK),
    WITHDRAW,
    TRANSFER,
    CANCEL,
    Price(9, (OBSERVATION_EXAMPLE,) * 2),
    Funding(9),
    LIQUIDATE,
    Inbox(InboxMessage(1, 6, 4, VENUE, 2, 0, 5_000_000)),
    Inbox(InboxMessage(5, 6, 0, VENUE, 0, 9, 2, (OBSERVATION_EXAMPLE,) * 2)),
)


def within(low, high):
    """Integers low .. high, with a liking for the bounds, where decoders go wrong."""
    return st.sampled_from([low, high]) | st.integers(low, high)


ids = within(0, ID_MAX)
u32s = within(0, U32_MAX)
lots = within(1, LOTS_MAX)
prices = within(1, PRICE_MAX)
amounts = within(1, AMOUNT_MAX)
sequences = within(1, SEQUENCE_MAX)
times = within(0, TIME_MAX)
fees = within(-FEE_PPM_MAX, FEE_PPM_MAX)
signatures = st.binary(min_size=65, max_size=65)
addresses = st.binary(min_size=20, max_size=20)
words = st.binary(min_size=32, max_size=32)

orders = st.builds(
    Order, ids, lots, prices, within(0, 255), sequences, times, within(0, 10**6), within(0, 255)
)


@st.composite
def authorisations(draw):
    path = draw(st.lists(words, max_size=12))
    return Authorisation(draw(signatures), draw(within(0, (1 << len(path)) - 1)), tuple(path))


@st.composite
def trades(draw):
    venue = draw(st.just(bytes(20)) | addresses)
    return Trade(
        draw(u32s),
        draw(lots),
        draw(prices),
        draw(fees),
        draw(fees),
        venue,
        draw(st.sampled_from([1, 2])),
        draw(orders),
        draw(orders),
        draw(authorisations()),
        draw(authorisations()),
        None if venue == bytes(20) else draw(authorisations()),
    )


observations = st.builds(PriceObservation, prices, prices, times, signatures)
kinds = within(0, 255).filter(lambda kind: kind != InboxKind.PRICE)
views = st.lists(observations, min_size=1, max_size=16).map(tuple)


@st.composite
def forced_prices(draw):
    seen = draw(views)
    index, account, owner, number, asset = draw(st.tuples(ids, ids, addresses, u32s, u32s))
    return InboxMessage(5, index, account, owner, number, asset, len(seen), seen)


messages = forced_prices() | st.builds(
    InboxMessage, kinds, ids, ids, addresses, u32s, u32s, amounts
)
actions = st.one_of(
    trades(),
    st.builds(Withdraw, ids, u32s, amounts, sequences, times, signatures),
    st.builds(Transfer, ids, ids, u32s, amounts, sequences, times, signatures),
    st.builds(Cancel, ids, within(0, 255) | st.just(65_535), sequences, signatures),
    st.builds(Price, u32s, st.lists(observations, max_size=22).map(tuple)),
    st.builds(Funding, u32s),
    st.builds(Liquidate, ids, ids, u32s, lots, sequences, times, signatures),
    st.builds(Inbox, messages),
)

RENAMED = {
    Transfer: {"sender": "account", "recipient": "counterparty"},
    Liquidate: {"keeper": "account", "account": "counterparty"},
    InboxMessage: {"kind": "kind_of_message", "index": "inbox_index", "owner": "address"},
    Trade: {"venue": "address"},
    Order: {"flags": "order_flags"},
}


def word_of(address):
    return pieces(bytes(12) + address)


def store(record, action):
    """Write the fields of a message to a zeroed record, by the names that the law uses."""
    names = RENAMED.get(type(action), {})
    for field in fields(action):
        value, name = getattr(action, field.name), names.get(field.name, field.name)
        if isinstance(value, Order):
            store(record[name], value)
        elif isinstance(value, InboxMessage):
            store(record, value)
        elif name == "address":
            record["address"] = word_of(value)
        elif isinstance(value, int):
            record[name] = value


def store_request(record, action, first_piece):
    """The same for an action of a form, whose payload stands in the column from a piece on."""
    for part, value in zip(action.form.parts, action.values, strict=True):
        is_address = part.solidity == "address"
        record[part.record] = word_of(value.to_bytes(20, "big")) if is_address else value
    if action.payload:
        record["payload_first"], record["payload_count"] = first_piece, len(action.payload)


def expected_record(raw, first, first_piece=0):
    """(record, signed pairs, observed values) that the readable decoder says ``raw`` stands for."""
    record = np.zeros(1, ACTION)
    row = record[0]
    row["kind"] = raw[0] if raw else 0
    row["signature_first"] = first
    row["digest"] = pieces(action_hash(raw))
    try:
        action = decode_action(raw)
    except MalformedAction as error:
        row["code"] = error.code
        return record, [], []
    assert action.encode() == raw
    if isinstance(action, Request):
        store_request(row, action, first_piece)
        if action.form.signed_by == QUORUM and not 1 <= len(action.signatures) <= 16:
            row["code"] = Code.QUORUM
            for name in (part.record for part in action.form.parts):
                row[name] = 0
            row["payload_first"] = row["payload_count"] = 0
            return record, [], []
    else:
        store(row, action)
    views = action.observations if isinstance(action, Price) else ()
    if isinstance(action, Inbox):
        message, views = action.message, action.message.observations
        row["digest"] = pieces(message.message_hash())
        if message.kind == InboxKind.LIQUIDATE:
            row["counterparty"] = message.subaccount
            row["lots"] = min(message.amount, LOTS_MAX)
        if message.kind in (InboxKind.LIQUIDATE, InboxKind.PRICE):
            row["instrument"] = message.asset
    if isinstance(action, Price) and not 1 <= len(views) <= 16:
        row["code"] = Code.QUORUM
        return record, [], []
    signed = action.signed(DOMAIN)
    row["signature_count"] = len(signed)
    seen = [(view.index_price, view.mark_price, view.time) for view in views]
    return record, signed, seen or [(0, 0, 0)] * len(signed)


def assert_decoded_alike(raws):
    """Decode ``raws`` in bulk and one at a time; every field, hash and signature must agree."""
    columns = decode(*pack(raws), pieces(DOMAIN))
    assert columns.action_count == len(raws) == columns.actions.shape[0]
    records, observed = pieces_of(columns.actions), pieces_of(columns.observations)
    row = pieces_seen = 0
    for k, raw in enumerate(raws):
        record, signed, seen = expected_record(raw, row, pieces_seen)
        pieces_seen += int(record[0]["payload_count"])
        assert np.array_equal(records[k], pieces_of(record)[0]), (raw, columns.actions[k], record)
        assert to_bytes(columns.action_digests[k]) == action_hash(raw)
        for (digest, signature), view in zip(signed, seen, strict=True):
            assert to_bytes(columns.digests[row]) == digest
            assert columns.signatures[row].tobytes() == signature
            assert tuple(observed[row]) == view
            row += 1
    assert columns.signature_count == row == columns.signatures.shape[0]
