"""Parsing of action bytes in compiled code: fields into records, signed words into hashing rows.

Every field is narrowed to its declared bound here, so that the law's arithmetic meets none beyond.
An action that does not decode exactly leaves its record zero but for ``kind`` and ``code`` and
adds no signature. ``clearing.messages`` is the readable twin; tests hold the two together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clearing import eip712
from clearing.byte_runs import copy_bytes, load_integer, load_piece
from clearing.codes import Code, InboxKind, Kind
from clearing.compiler import kernel
from clearing.forms import ADDRESS_BYTES, FORMS, ID_MAX, NOBODY, QUORUM, Form
from clearing.keccak import NO_TAG, hash_pieces, pieces
from clearing.layout import Rows
from clearing.records import ACTION, Action, Observation, Order
from clearing.units import (
    ACTION_BYTES_MAX,
    ALL_SLOTS,
    AMOUNT_MAX,
    BULK_DEPTH_MAX,
    FEE_PPM_MAX,
    LOTS_MAX,
    OBSERVATION_BYTES,
    OBSERVATIONS_MAX,
    PRICE_MAX,
    SEQUENCE_MAX,
    SIGNATURE_BYTES,
    SLOTS_MAX,
    TIME_MAX,
)

Bytes = npt.NDArray[np.uint8]
Pieces = npt.NDArray[np.int64]

# Plain integers, because numba joins no enumeration with the codes that helpers return.
_APPLIED = int(Code.APPLIED)
_MALFORMED = int(Code.MALFORMED)
_UNKNOWN_KIND = int(Code.UNKNOWN_KIND)
_QUORUM = int(Code.QUORUM)

CHUNK = 64  # actions that are parsed and hashed together: their rows stay in the second cache
LONG_PIECES = 48  # an order's struct: its type and eleven words
SHORT_PIECES = 44  # the longest other struct: its type and ten words
PAYLOAD_PIECES = 256  # the longest payload, up to whole words
ACTION_PIECES = 1 + ACTION_BYTES_MAX // 8
MESSAGE_PIECES = 186  # the longest message, a price of 16 observations, behind its length

_FORMS = tuple(FORMS.values())
_TYPES = np.stack(
    [
        pieces(eip712.type_hash(name))
        for name in (
            eip712.ORDER_TYPE,
            eip712.TRADE_TYPE,
            eip712.CANCEL_TYPE,
            eip712.PRICE_TYPE,
            eip712.BULK_TYPE,
            *(form.type_signature for form in _FORMS),
        )
    ]
)
_ORDER, TRADE_STRUCT, _CANCEL, _PRICE, BULK_STRUCT, _FIRST_FORM = range(6)


def _form_rows(form: Form) -> list[int]:
    """What the parser asks of a form: parts, first part, bytes, signatures, payload."""
    first = sum(len(other.parts) for other in _FORMS[: _FORMS.index(form)])
    return [len(form.parts), first, form.size, form.signed_by, form.payload]


# By number of the form; by kind, the number or -1; by number of the part.
_FORM_TABLE = np.array([_form_rows(form) for form in _FORMS], np.int64)
FORM_OF = np.full(256, -1, np.int64)
for _number, _form in enumerate(_FORMS):
    FORM_OF[_form.kind] = _number
_PART_TABLE = np.array(
    [
        [part.piece, part.field.size, part.field.low, min(part.field.high, TIME_MAX)]
        for form in _FORMS
        for part in form.parts
    ],
    np.int64,
)
_PARTS, _FIRST_PART, _SIZE, _SIGNED_BY, _PAYLOAD = range(5)
_PIECE, _BYTES, _LOW, _HIGH = range(4)
ACTION_RECORD_PIECES = ACTION.itemsize // 8

_INBOX_BYTES = 54
_CANCEL_BYTES = 19 + SIGNATURE_BYTES
_PRICE_HEAD_BYTES = 6
_ORDER_BYTES = 47
_MAKER = 50  # where a trade's maker order stands
_TAKER = _MAKER + _ORDER_BYTES
_AUTHORISATIONS = _TAKER + _ORDER_BYTES


class Columns(NamedTuple):
    """Decoded actions side by side; n actions, m signatures, all arrays contiguous.

    A price's observation stands in the row of its signature; other signatures' rows are zero.
    ``signers`` are zero until recovered.
    """

    actions: Rows[Action]
    action_pieces: Pieces  # the same memory, (n, int64 fields of an action)
    payload: Pieces  # numbers behind the fields of some actions, one action's behind another's
    action_digests: Pieces  # (n, 4) H(17, pad(action)) of every action, inbox ones too
    observations: Rows[Observation]  # (m,)
    signatures: Bytes  # (m, 65)
    digests: Pieces  # (m, 4): what each signature signs
    signers: Pieces  # (m, 4): addresses as words
    action_count: int
    signature_count: int


class Workspace(NamedTuple):
    """Rows of one chunk on their way through the hash, and how many of each are in use."""

    long_rows: Pieces  # orders
    long_owners: Pieces  # signature of each row, from the chunk's first
    short_rows: Pieces  # every other struct; later the nodes of bulk trees
    short_owners: Pieces
    short_types: Pieces
    short_lengths: Pieces
    lengths: Pieces
    structs: Pieces  # struct hash of each signature of the chunk
    places: Pieces  # of each signature: bulk depth, index, offset of the path in the blob
    hashes: Pieces
    action_rows: Pieces
    action_lengths: Pieces
    message_rows: Pieces
    message_lengths: Pieces
    message_owners: Pieces  # action of each row
    payload_row: Pieces  # one payload on its way through the hash
    payload_hash: Pieces
    pairs: Pieces  # pairs of nodes that were hashed before, or wait for it: see `decode`
    pair_hashes: Pieces
    pair_states: Pieces
    answers: Pieces  # where the hash of each short row is found
    waiting: Pieces  # where those that are not known yet go
    used: Pieces  # see the indices below


PAIRS_MAX = 4096  # pairs remembered: about what a frame of 512 trades has
LONG, SHORT, MESSAGES, SIGNATURES, FIRST, PAYLOAD = range(6)


def new_workspace(actions: int, signatures: int) -> Workspace:
    """Return room for a chunk of a batch that has at most so many actions and signatures."""
    chunk = min(CHUNK, actions)
    wide = min(CHUNK * OBSERVATIONS_MAX, signatures)
    # Behind the remembered pairs there is a place for each pair that finds none.
    remembered = min(PAIRS_MAX, 1 << (4 * actions).bit_length())

    def rows(*shape: int) -> Pieces:
        return np.zeros(shape, np.int64)

    return Workspace(
        long_rows=rows(chunk * 2, LONG_PIECES),
        long_owners=rows(chunk * 2),
        short_rows=rows(wide, SHORT_PIECES),
        short_owners=rows(wide),
        short_types=rows(wide),
        short_lengths=rows(wide),
        lengths=rows(max(chunk, wide)),
        structs=rows(wide, 4),
        places=rows(wide, 3),
        hashes=rows(max(chunk, wide), 4),
        action_rows=rows(chunk, ACTION_PIECES),
        action_lengths=rows(chunk),
        message_rows=rows(chunk, MESSAGE_PIECES),
        message_lengths=rows(chunk),
        message_owners=rows(chunk),
        payload_row=rows(PAYLOAD_PIECES),
        payload_hash=rows(4),
        pairs=np.empty((remembered + wide, 8), np.int64),
        pair_hashes=np.empty((remembered + wide, 4), np.int64),
        pair_states=rows(remembered + wide),
        answers=rows(wide),
        waiting=rows(wide),
        used=rows(6),
    )


@kernel
def parse_action(
    blob: Bytes, start: int, end: int, k: int, columns: Columns, work: Workspace
) -> int:
    """Parse blob[start:end] into action k; return its code, APPLIED if the law may judge it."""
    size = end - start
    if size < 1:
        return _MALFORMED
    kind = load_integer(blob, start, 1)
    columns.actions[k].kind = kind
    if size > ACTION_BYTES_MAX:
        return _MALFORMED
    if kind == Kind.TRADE:
        return _parse_trade(blob, start, end, k, columns, work)
    if kind == Kind.PRICE:
        return _parse_price(blob, start, size, k, columns, work)
    if FORM_OF[kind] >= 0:
        return _parse_form(blob, start, size, k, FORM_OF[kind], columns, work)
    if kind == Kind.INBOX:
        valid = size >= _INBOX_BYTES and _parse_inbox(blob, start, size, k, columns, work)
    elif kind == Kind.CANCEL:
        valid = size == _CANCEL_BYTES and _parse_cancel(blob, start, k, columns, work)
    else:
        return _UNKNOWN_KIND
    return _APPLIED if valid else _MALFORMED


@kernel
def is_quorum(form: int) -> bool:
    """Tell whether actions of the form carry several signatures."""
    return bool(_FORM_TABLE[form, _SIGNED_BY] == QUORUM)


@kernel
def has_payload(form: int) -> bool:
    """Tell whether actions of the form carry a payload."""
    return bool(_FORM_TABLE[form, _PAYLOAD] > 0)


@kernel
def put_type(row: Pieces, number: int) -> None:
    """Begin a struct's row with the type hash of this number."""
    for i in range(4):
        row[i] = _TYPES[number, i]


@kernel
def load_pieces(blob: Bytes, start: int, size: int, row: Pieces) -> int:
    """Write ``pad(blob[start:start + size])`` to ``row`` as pieces; return how many."""
    row[0] = size
    whole = size // 8
    for i in range(whole):
        row[1 + i] = load_piece(blob, start + 8 * i)
    left = size - 8 * whole
    if left == 0:
        return 1 + whole
    row[1 + whole] = load_integer(blob, start + 8 * whole, left) << (64 - 8 * left)
    return 2 + whole


@kernel
def load_word(blob: Bytes, offset: int, row: Pieces, place: int) -> None:
    """Write the word of ``blob`` at ``offset`` to four pieces of ``row`` from ``place``."""
    for i in range(4):
        row[place + i] = load_piece(blob, offset + 8 * i)


@kernel
def _put(row: Pieces, word: int, value: int) -> None:
    """Write a sign-extended integer as the word of this number."""
    sign = value >> 63
    row[4 * word] = sign
    row[4 * word + 1] = sign
    row[4 * word + 2] = sign
    row[4 * word + 3] = value


@kernel
def _put_address(row: Rows[int], word: int, blob: Bytes, offset: int) -> None:
    row[4 * word] = 0
    row[4 * word + 1] = load_integer(blob, offset, 4)
    row[4 * word + 2] = load_piece(blob, offset + 4)
    row[4 * word + 3] = load_piece(blob, offset + 12)


@kernel
def _within(value: int, low: int, high: int) -> bool:
    # An unsigned field of 2^63 or more has been read as negative, which is below every bound.
    return low <= value <= high


@kernel
def _add_signature(blob: Bytes, offset: int, columns: Columns, work: Workspace) -> int:
    """Copy the signature at ``offset``; return its row, counted from the chunk's first."""
    owner: int = work.used[SIGNATURES]
    work.used[SIGNATURES] = owner + 1
    row = work.used[FIRST] + owner
    copy_bytes(columns.signatures[row], 0, blob, offset, SIGNATURE_BYTES)
    work.places[owner, 0] = 0
    return owner


@kernel
def _add_struct(work: Workspace, owner: int, number: int, words: int) -> int:
    """Begin a short row for the struct that signature ``owner`` signs; return which."""
    short: int = work.used[SHORT]
    work.used[SHORT] = short + 1
    work.short_owners[short] = owner
    work.short_types[short] = number
    work.short_lengths[short] = 4 * words
    put_type(work.short_rows[short], number)
    return short


@kernel
def _parse_inbox(
    blob: Bytes, start: int, size: int, k: int, columns: Columns, work: Workspace
) -> bool:
    kind = load_integer(blob, start + 1, 1)
    index, account = load_piece(blob, start + 2), load_piece(blob, start + 10)
    amount = load_piece(blob, start + 46)
    if not (
        _within(index, 0, ID_MAX) and _within(account, 0, ID_MAX) and _within(amount, 1, AMOUNT_MAX)
    ):
        return False
    # The amount of a price is how many observations stand behind it; nothing stands behind others.
    views = amount if kind == InboxKind.PRICE else 0
    if views > OBSERVATIONS_MAX or size != _INBOX_BYTES + views * OBSERVATION_BYTES:
        return False
    if not _observations_valid(blob, start + _INBOX_BYTES, views):
        return False
    action = columns.actions[k]
    action.kind_of_message = kind
    action.inbox_index = index
    action.account = account
    _put_address(action.address, 0, blob, start + 18)
    action.subaccount = load_integer(blob, start + 38, 4)
    action.asset = load_integer(blob, start + 42, 4)
    action.amount = amount
    if action.kind_of_message == InboxKind.LIQUIDATE:
        # The failing account stands where a depositor's sub-account does, the lots as amount.
        action.counterparty = action.subaccount
        action.instrument = action.asset
        action.lots = min(amount, LOTS_MAX)
    elif kind == InboxKind.PRICE:
        action.instrument = action.asset
        _add_observations(blob, start + _INBOX_BYTES, views, action.instrument, columns, work)
    message = work.used[MESSAGES]
    work.used[MESSAGES] = message + 1
    work.message_owners[message] = k
    work.message_lengths[message] = load_pieces(
        blob, start + 1, size - 1, work.message_rows[message]
    )
    return True


@kernel
def _parse_cancel(blob: Bytes, start: int, k: int, columns: Columns, work: Workspace) -> bool:
    account, slot = load_piece(blob, start + 1), load_integer(blob, start + 9, 2)
    sequence = load_piece(blob, start + 11)
    if not (
        _within(account, 0, ID_MAX)
        and (slot < SLOTS_MAX or slot == ALL_SLOTS)
        and _within(sequence, 1, SEQUENCE_MAX)
    ):
        return False
    action = columns.actions[k]
    action.account = account
    action.slot = slot
    action.sequence = sequence
    owner = _add_signature(blob, start + 19, columns, work)
    row = work.short_rows[_add_struct(work, owner, _CANCEL, 4)]
    _put(row, 1, account)
    _put(row, 2, slot)
    _put(row, 3, sequence)
    return True


@kernel
def _parse_form(
    blob: Bytes, start: int, size: int, k: int, number: int, columns: Columns, work: Workspace
) -> int:
    """Parse an action of a form: check the whole of it first, then write it down."""
    payload_at = start + _FORM_TABLE[number, _SIZE]
    signed_by = _FORM_TABLE[number, _SIGNED_BY]
    if size < _FORM_TABLE[number, _SIZE] or not _parts_valid(blob, start + 1, number):
        return _MALFORMED
    count = 0
    place = payload_at
    if _FORM_TABLE[number, _PAYLOAD] > 0:
        if start + size < place + 2:
            return _MALFORMED
        count = load_integer(blob, place, 2)
        if count < 1 or count > _FORM_TABLE[number, _PAYLOAD]:
            return _MALFORMED
        place += 2 + 8 * count
    signatures = 0
    if signed_by != NOBODY:
        signatures = 1
    if signed_by == QUORUM:
        if start + size < place + 1:
            return _MALFORMED
        signatures = load_integer(blob, place, 1)
        place += 1
    if start + size != place + SIGNATURE_BYTES * signatures:
        return _MALFORMED
    if signed_by == QUORUM and (signatures < 1 or signatures > OBSERVATIONS_MAX):
        return _QUORUM
    if count > 0:
        _load_payload(blob, payload_at + 2, count, k, columns, work)
    _load_parts(blob, start + 1, number, columns.action_pieces[k])
    for i in range(signatures):
        owner = _add_signature(blob, place + SIGNATURE_BYTES * i, columns, work)
        _add_form(blob, start + 1, number, owner, work)
    return _APPLIED


@kernel
def _parts_valid(blob: Bytes, place: int, number: int) -> bool:
    """Tell whether every field is within its bounds. An address has none."""
    first = _FORM_TABLE[number, _FIRST_PART]
    for part in range(first, first + _FORM_TABLE[number, _PARTS]):
        width = _PART_TABLE[part, _BYTES]
        if width != ADDRESS_BYTES:
            value = load_piece(blob, place) if width == 8 else load_integer(blob, place, width)
            if not _within(value, _PART_TABLE[part, _LOW], _PART_TABLE[part, _HIGH]):
                return False
        place += width
    return True


@kernel
def _load_parts(blob: Bytes, place: int, number: int, record: Pieces) -> None:
    """Write every field where the action's record has it."""
    first = _FORM_TABLE[number, _FIRST_PART]
    for part in range(first, first + _FORM_TABLE[number, _PARTS]):
        width = _PART_TABLE[part, _BYTES]
        piece = _PART_TABLE[part, _PIECE]
        if width == ADDRESS_BYTES:
            _put_address(record[piece : piece + 4], 0, blob, place)
        elif width == 8:
            record[piece] = load_piece(blob, place)
        else:
            record[piece] = load_integer(blob, place, width)
        place += width


@kernel
def _load_payload(
    blob: Bytes, place: int, count: int, k: int, columns: Columns, work: Workspace
) -> None:
    """Append the payload to the column, and hash it for the struct that is signed."""
    first: int = work.used[PAYLOAD]
    work.used[PAYLOAD] = first + count
    columns.actions[k].payload_first = first
    columns.actions[k].payload_count = count
    for i in range(count):
        piece = load_piece(blob, place + 8 * i)
        columns.payload[first + i] = piece
        work.payload_row[i] = piece
    hash_pieces(work.payload_row, count, NO_TAG, work.payload_hash)


@kernel
def _add_form(blob: Bytes, place: int, number: int, owner: int, work: Workspace) -> None:
    """Write the struct that signature ``owner`` signs: one word a field, then the payload's."""
    parts = _FORM_TABLE[number, _PARTS]
    words = 1 + parts + (1 if _FORM_TABLE[number, _PAYLOAD] > 0 else 0)
    row = work.short_rows[_add_struct(work, owner, _FIRST_FORM + number, words)]
    first = _FORM_TABLE[number, _FIRST_PART]
    for i in range(parts):
        width = _PART_TABLE[first + i, _BYTES]
        if width == ADDRESS_BYTES:
            _put_address(row, 1 + i, blob, place)
        elif width == 8:
            _put(row, 1 + i, load_piece(blob, place))
        else:
            _put(row, 1 + i, load_integer(blob, place, width))
        place += width
    if words > 1 + parts:
        for i in range(4):
            row[4 * (1 + parts) + i] = work.payload_hash[i]


@kernel
def _parse_price(
    blob: Bytes, start: int, size: int, k: int, columns: Columns, work: Workspace
) -> int:
    if size < _PRICE_HEAD_BYTES:
        return _MALFORMED
    count = load_integer(blob, start + 5, 1)
    if size != _PRICE_HEAD_BYTES + count * OBSERVATION_BYTES:
        return _MALFORMED
    first = start + _PRICE_HEAD_BYTES
    if not _observations_valid(blob, first, count):
        return _MALFORMED
    instrument = load_integer(blob, start + 1, 4)
    columns.actions[k].instrument = instrument
    if count < 1 or count > OBSERVATIONS_MAX:
        return _QUORUM
    _add_observations(blob, first, count, instrument, columns, work)
    return _APPLIED


@kernel
def _observations_valid(blob: Bytes, first: int, count: int) -> bool:
    """Tell whether the signed observations from ``first`` on are within their bounds."""
    for i in range(count):
        place = first + i * OBSERVATION_BYTES
        if not (
            _within(load_piece(blob, place), 1, PRICE_MAX)
            and _within(load_piece(blob, place + 8), 1, PRICE_MAX)
            and _within(load_piece(blob, place + 16), 0, TIME_MAX)
        ):
            return False
    return True


@kernel
def _add_observations(
    blob: Bytes, first: int, count: int, instrument: int, columns: Columns, work: Workspace
) -> None:
    """Write observations beside their signatures, and the structs that are signed."""
    for i in range(count):
        place = first + i * OBSERVATION_BYTES
        owner = _add_signature(blob, place + 24, columns, work)
        observation = columns.observations[work.used[FIRST] + owner]
        observation.index_price = load_piece(blob, place)
        observation.mark_price = load_piece(blob, place + 8)
        observation.time = load_piece(blob, place + 16)
        row = work.short_rows[_add_struct(work, owner, _PRICE, 5)]
        _put(row, 1, instrument)
        _put(row, 2, observation.index_price)
        _put(row, 3, observation.mark_price)
        _put(row, 4, observation.time)


@kernel
def _authorisation_end(blob: Bytes, offset: int, end: int) -> int:
    """Return where the authorisation at ``offset`` ends, or -1 if it is malformed."""
    body = offset + SIGNATURE_BYTES + 1
    if offset < 0 or body > end:
        return -1
    depth = load_integer(blob, body - 1, 1)
    if depth == 0:
        return body
    if depth > BULK_DEPTH_MAX or body + 2 + 32 * depth > end:
        return -1
    if load_integer(blob, body, 2) >> depth != 0:
        return -1
    return body + 2 + 32 * depth


@kernel
def _add_authorisation(blob: Bytes, offset: int, columns: Columns, work: Workspace) -> int:
    """Copy the well-formed authorisation at ``offset``; return its signature's row."""
    owner = _add_signature(blob, offset, columns, work)
    body = offset + SIGNATURE_BYTES + 1
    depth = load_integer(blob, body - 1, 1)
    if depth > 0:
        work.places[owner, 0] = depth
        work.places[owner, 1] = load_integer(blob, body, 2)
        work.places[owner, 2] = body + 2
    return owner


@kernel
def _order_valid(blob: Bytes, place: int) -> bool:
    return (
        _within(load_piece(blob, place), 0, ID_MAX)
        and _within(load_piece(blob, place + 8), 1, LOTS_MAX)
        and _within(load_piece(blob, place + 16), 1, PRICE_MAX)
        and load_integer(blob, place + 24, 2) < SLOTS_MAX
        and _within(load_piece(blob, place + 26), 1, SEQUENCE_MAX)
        and _within(load_piece(blob, place + 34), 0, TIME_MAX)
        and load_integer(blob, place + 42, 4) <= FEE_PPM_MAX
    )


@kernel
def _load_order(blob: Bytes, place: int, order: Order) -> None:
    order.account = load_piece(blob, place)
    order.lots = load_piece(blob, place + 8)
    order.limit_price = load_piece(blob, place + 16)
    order.slot = load_integer(blob, place + 24, 2)
    order.sequence = load_piece(blob, place + 26)
    order.expiry = load_piece(blob, place + 34)
    order.max_fee = load_integer(blob, place + 42, 4)
    order.order_flags = load_integer(blob, place + 46, 1)


@kernel
def _add_order(order: Order, action: Action, side: int, owner: int, work: Workspace) -> None:
    """Write the order's struct, which signature ``owner`` signs, to a long row."""
    long = work.used[LONG]
    work.used[LONG] = long + 1
    work.long_owners[long] = owner
    row = work.long_rows[long]
    put_type(row, _ORDER)
    _put(row, 1, order.account)
    for i in range(4):
        row[8 + i] = action.address[i]
    _put(row, 3, action.instrument)
    _put(row, 4, side)
    _put(row, 5, order.lots)
    _put(row, 6, order.limit_price)
    _put(row, 7, order.slot)
    _put(row, 8, order.sequence)
    _put(row, 9, order.expiry)
    _put(row, 10, order.max_fee)
    _put(row, 11, order.order_flags)


@kernel
def _load_fee(blob: Bytes, offset: int) -> int:
    value = load_integer(blob, offset, 4)
    return value - (value >> 31 << 32)


@kernel
def _terms_valid(blob: Bytes, start: int) -> bool:
    return (
        _within(load_piece(blob, start + 5), 1, LOTS_MAX)
        and _within(load_piece(blob, start + 13), 1, PRICE_MAX)
        and _within(_load_fee(blob, start + 21), -FEE_PPM_MAX, FEE_PPM_MAX)
        and _within(_load_fee(blob, start + 25), -FEE_PPM_MAX, FEE_PPM_MAX)
        and _within(load_integer(blob, start + 49, 1), 1, 2)
        and _order_valid(blob, start + _MAKER)
        and _order_valid(blob, start + _TAKER)
    )


@kernel
def _has_venue(blob: Bytes, offset: int) -> bool:
    first = load_integer(blob, offset, 4)
    return first | load_piece(blob, offset + 4) | load_piece(blob, offset + 12) != 0


@kernel
def _parse_trade(
    blob: Bytes, start: int, end: int, k: int, columns: Columns, work: Workspace
) -> int:
    if end - start < _AUTHORISATIONS or not _terms_valid(blob, start):
        return _MALFORMED
    venue = _has_venue(blob, start + 29)
    maker = start + _AUTHORISATIONS
    taker = _authorisation_end(blob, maker, end)
    third = _authorisation_end(blob, taker, end)
    last = _authorisation_end(blob, third, end) if venue else third
    if last != end:
        return _MALFORMED
    action = columns.actions[k]
    action.instrument = load_integer(blob, start + 1, 4)
    action.lots = load_piece(blob, start + 5)
    action.price = load_piece(blob, start + 13)
    action.maker_fee = _load_fee(blob, start + 21)
    action.taker_fee = _load_fee(blob, start + 25)
    _put_address(action.address, 0, blob, start + 29)
    action.maker_side = load_integer(blob, start + 49, 1)
    _load_order(blob, start + _MAKER, action.maker)
    _load_order(blob, start + _TAKER, action.taker)
    side = action.maker_side
    _add_order(action.maker, action, side, _add_authorisation(blob, maker, columns, work), work)
    _add_order(action.taker, action, 3 - side, _add_authorisation(blob, taker, columns, work), work)
    if venue:
        owner = _add_authorisation(blob, third, columns, work)
        # Words one and two are the orders' struct hashes, which are not known yet.
        row = work.short_rows[_add_struct(work, owner, TRADE_STRUCT, 7)]
        _put(row, 3, action.lots)
        _put(row, 4, action.price)
        _put(row, 5, action.maker_fee)
        _put(row, 6, action.taker_fee)
    return _APPLIED
