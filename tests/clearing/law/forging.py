"""Actions as bytes, spelled out from the protocol, and signatures that nobody had to make.

Bounds are reached only by actions that are signed. `forge` writes the signer that each action needs
straight into the columns, so that any bytes count as signed by whom they name.
"""

from struct import pack

import numpy as np

from clearing.codes import Kind
from clearing.decode import decode
from clearing.decode import pack as pack_actions

SIGNATURE = bytes(65)
ADDRESS = bytes(20)
# Format of every field, in order: docs/protocol.md, section 6.
ORDER = {
    "account": "Q",
    "lots": "Q",
    "limit_price": "Q",
    "slot": "H",
    "sequence": "Q",
    "expiry": "Q",
    "max_fee": "I",
    "flags": "B",
}
REQUESTS = {
    Kind.WITHDRAW: {
        "account": "Q",
        "asset": "I",
        "amount": "Q",
        "sequence": "Q",
        "expiry": "Q",
    },
    Kind.TRANSFER: {
        "sender": "Q",
        "recipient": "Q",
        "asset": "I",
        "amount": "Q",
        "sequence": "Q",
        "expiry": "Q",
    },
    Kind.CONVERT: {
        "keeper": "Q",
        "account": "Q",
        "asset": "I",
        "amount": "Q",
        "sequence": "Q",
        "expiry": "Q",
    },
    Kind.CANCEL: {"account": "Q", "slot": "H", "sequence": "Q"},
    Kind.LIQUIDATE: {
        "keeper": "Q",
        "account": "Q",
        "instrument": "I",
        "lots": "Q",
        "sequence": "Q",
        "expiry": "Q",
    },
}
TERMS = {"instrument": "I", "lots": "Q", "price": "Q", "maker_fee": "i", "taker_fee": "i"}
OBSERVATION = {"index_price": "Q", "mark_price": "Q", "time": "Q"}
INBOX_HEAD = {"message": "B", "index": "Q", "account": "Q"}
INBOX_TAIL = {"subaccount": "I", "asset": "I", "amount": "Q"}

REQUEST_FORMATS = {kind: ">B" + "".join(fields.values()) for kind, fields in REQUESTS.items()}
ORDER_FORMAT = ">" + "".join(ORDER.values())
TERMS_FORMAT = ">B" + "".join(TERMS.values())


def request(kind, *values):
    """A withdraw, transfer, convert, cancel or liquidate of these field values, in order."""
    return pack(REQUEST_FORMATS[kind], kind, *values) + SIGNATURE


def trade(terms, side, maker, taker):
    """A trade without a venue; arguments are the field values, in order."""
    orders = pack(ORDER_FORMAT, *maker) + pack(ORDER_FORMAT, *taker)
    head = pack(TERMS_FORMAT, Kind.TRADE, *terms) + ADDRESS + bytes([side])
    return head + orders + 2 * (SIGNATURE + b"\0")


def price(instrument, observations):
    """A price action of (index, mark, time) observations."""
    head = pack(">BIB", Kind.PRICE, instrument, len(observations))
    return head + b"".join(pack(">QQQ", *seen) + SIGNATURE for seen in observations)


def inbox(message, index, account, owner, subaccount, asset, amount):
    """An inbox message of 53 bytes behind its kind."""
    head = pack(">BBQQ", Kind.INBOX, message, index, account)
    return head + owner + pack(">IIQ", subaccount, asset, amount)


def columns_signed_by_all(state, actions):
    """Decode `actions` and let every signature be by whom it should be."""
    blob, offsets = pack_actions(actions)
    columns = decode(blob, offsets, state.globals[0].domain.copy())
    forge(state, columns)
    return columns


def forge(state, columns):
    """Write the owner of the account that each signature stands for, or the publisher."""
    actions, signers = columns.actions, columns.signers
    count = int(state.globals[0].account_count)
    owners = np.zeros((count + 1, 4), np.int64)
    owners[:count] = state.accounts["owner"][:count]

    def owner(ids):
        return owners[np.where((ids >= 0) & (ids < count), ids, count)]

    first, kinds, signed = actions["signature_first"], actions["kind"], actions["signature_count"]
    trades = (kinds == Kind.TRADE) & (signed >= 2)
    signers[first[trades]] = owner(actions["maker"]["account"][trades])
    signers[first[trades] + 1] = owner(actions["taker"]["account"][trades])
    venues = trades & (signed == 3)
    signers[first[venues] + 2] = actions["address"][venues]
    requests = np.isin(kinds, list(REQUESTS)) & (signed == 1)
    signers[first[requests]] = owner(actions["account"][requests])
    publishers = state.params[0].publishers["address"]
    for k in np.flatnonzero((kinds == Kind.PRICE) & (signed > 0)):
        signers[first[k] : first[k] + signed[k]] = publishers[: signed[k]]
