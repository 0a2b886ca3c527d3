"""The forms of actions: fields, payload and signatures of every kind that follows one grammar.

    kind || fields || (u16 n || n pieces) || signature, or u8 m || m signatures

The brackets stand if the form has a payload. What is signed is the EIP-712 struct of the fields,
and of the payload's hash behind them. One table serves the readable encoder
(``clearing.messages``), the compiled parser (``clearing._parse``), what a step reads and what it
costs, and the protocol's text, so that they cannot disagree. Orders, trades, prices and inbox
messages have shapes of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clearing.codes import Kind
from clearing.encoding import Field
from clearing.grid import DISCOUNT_MAX
from clearing.leaves import PARAMS_FIELDS
from clearing.records import ACTION
from clearing.units import (
    AMOUNT_MAX,
    GROUP_ACCOUNTS_MAX,
    LOTS_MAX,
    POINTS_MAX,
    PPM,
    PRICE_MAX,
    SEQUENCE_MAX,
    SWEEP_ACCOUNTS_MAX,
    TIME_MAX,
)

ID_MAX = 1 << 62  # account ids and inbox indices, so that they fit a signed 64-bit field
WIDE_ID_MAX = (1 << 32) - 1
ADDRESS_BYTES = 20
NOBODY, OWNER, QUORUM = range(3)  # whose signatures stand at the end

ROWS_PER_ACTION = 6
ROW_STRIDE = 1 + POINTS_MAX  # pieces of one instrument's row in the payload
CONTEXT = 4  # pieces before the rows: the neighbours that were staged before
SHOCKS_PER_ACTION = 200
GRID_PAYLOAD = 2 + 2 * POINTS_MAX
MARKET_PAYLOAD = 14
ASSET_PAYLOAD = 8


@dataclass(frozen=True)
class Part:
    """A field of a form: its Solidity type, bounds, and the field of the action that takes it."""

    field: Field
    solidity: str
    record: str

    @property
    def piece(self) -> int:
        """Where in the action's record the (first) piece of the value stands."""
        return int(cast(Any, ACTION.fields)[self.record][1]) // 8


@dataclass(frozen=True)
class Form:
    """What an action of one kind is made of. ``payload`` is the most pieces; 0: none."""

    kind: Kind
    name: str
    parts: tuple[Part, ...]
    signed_by: int
    payload: int = 0

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields in order."""
        return tuple(part.field for part in self.parts)

    @property
    def type_signature(self) -> str:
        """The EIP-712 type."""
        members = [f"{part.solidity} {_camel(part.field.name)}" for part in self.parts]
        if self.payload:
            members.append("bytes32 payload")
        return f"{self.name}({','.join(members)})"

    @property
    def size(self) -> int:
        """Bytes of the kind and the fields."""
        return 1 + sum(part.field.size for part in self.parts)

    def names(self, record: str) -> bool:
        """Tell whether a field of the form goes to this field of the action."""
        return any(part.record == record for part in self.parts)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _integer(name: str, size: int, low: int, high: int, record: str = "") -> Part:
    kind = "int" if low < 0 else "uint"
    return Part(Field(name, size, low, high), f"{kind}{8 * size}", record or name)


def _id(name: str, record: str = "") -> Part:
    return _integer(name, 8, 0, ID_MAX, record)


def _number(name: str, record: str = "") -> Part:
    return _integer(name, 4, 0, WIDE_ID_MAX, record)


ADDRESS = Part(Field("key", ADDRESS_BYTES, 0, (1 << 160) - 1), "address", "address")
ACCOUNT = _id("account")
INSTRUMENT = _number("instrument")
UNDERLYING = _number("underlying")
SERIES = _number("series")
POOL = _number("pool")
ASSET = _number("asset")
LOTS = _integer("lots", 8, 1, LOTS_MAX)
AMOUNT = _integer("amount", 8, 1, AMOUNT_MAX)
LIMIT = _integer("limit", 8, 0, AMOUNT_MAX)
TIME = _integer("time", 8, 0, TIME_MAX)
SEQUENCE = _integer("sequence", 8, 1, SEQUENCE_MAX)
EXPIRY = _integer("expiry", 8, 0, TIME_MAX)
PRICE = _integer("price", 8, 1, PRICE_MAX)
SIDE = _integer("side", 1, 1, 2)
REQUEST = (SEQUENCE, EXPIRY)


def _form(kind: Kind, name: str, *parts: Part, signed_by: int = OWNER, payload: int = 0) -> Form:
    return Form(kind, name, parts, signed_by, payload)


FORMS: dict[Kind, Form] = {
    form.kind: form
    for form in (
        _form(Kind.WITHDRAW, "Withdraw", ACCOUNT, ASSET, AMOUNT, *REQUEST),
        _form(
            Kind.TRANSFER,
            "Transfer",
            _id("sender", "account"),
            _id("recipient", "counterparty"),
            ASSET,
            AMOUNT,
            *REQUEST,
        ),
        _form(Kind.FUNDING, "Funding", INSTRUMENT, signed_by=NOBODY),
        _form(
            Kind.RISK_ROWS,
            "RiskRows",
            UNDERLYING,
            SERIES,
            TIME,
            PRICE,
            _integer("forward", 8, 1, PRICE_MAX, "limit"),
            _integer("discount_nano", 4, 1, DISCOUNT_MAX, "long_ppm"),
            signed_by=QUORUM,
            payload=CONTEXT + ROWS_PER_ACTION * ROW_STRIDE,
        ),
        _form(Kind.MARK_TO_MARKET, "MarkToMarket", ACCOUNT, signed_by=NOBODY),
        _form(Kind.EXPIRE, "Expire", INSTRUMENT, signed_by=NOBODY),
        _form(
            Kind.LIQUIDATE,
            "Liquidate",
            _id("keeper", "account"),
            _id("account", "counterparty"),
            INSTRUMENT,
            LOTS,
            *REQUEST,
        ),
        _form(Kind.AUCTION_START, "AuctionStart", ACCOUNT, signed_by=NOBODY),
        _form(
            Kind.AUCTION_BID,
            "AuctionBid",
            _id("bidder", "account"),
            _id("account", "counterparty"),
            _integer("fraction_ppm", 4, 1, PPM, "long_ppm"),
            LIMIT,
            *REQUEST,
        ),
        _form(Kind.POOL_DEPOSIT, "PoolDeposit", ACCOUNT, POOL, AMOUNT, LIMIT, *REQUEST),
        _form(Kind.POOL_WITHDRAW, "PoolWithdraw", ACCOUNT, POOL, AMOUNT, LIMIT, *REQUEST),
        _form(Kind.POOL_TRADE, "PoolTrade", ACCOUNT, POOL, INSTRUMENT, SIDE, LOTS, PRICE, *REQUEST),
        _form(Kind.POOL_TAKEOVER, "PoolTakeover", ACCOUNT, POOL, INSTRUMENT, signed_by=NOBODY),
        _form(
            Kind.SWEEP_OPEN,
            "SweepOpen",
            INSTRUMENT,
            ACCOUNT,
            _integer("mode", 1, 1, 2),
            signed_by=NOBODY,
        ),
        _form(
            Kind.SWEEP_TALLY,
            "SweepTally",
            INSTRUMENT,
            signed_by=NOBODY,
            payload=SWEEP_ACCOUNTS_MAX,
        ),
        # Behind the accounts stands the hash stack as it was before they were tallied.
        _form(
            Kind.SWEEP_APPLY,
            "SweepApply",
            INSTRUMENT,
            ACCOUNT,
            signed_by=NOBODY,
            payload=SWEEP_ACCOUNTS_MAX + 4,
        ),
        _form(Kind.SWEEP_CLOSE, "SweepClose", INSTRUMENT, ACCOUNT, signed_by=NOBODY),
        _form(
            Kind.KEY_GRANT,
            "KeyGrant",
            ACCOUNT,
            ADDRESS,
            _integer("scope", 1, 1, 31),
            _integer("first_instrument", 3, 0, (1 << 24) - 1, "first"),
            _integer("last_instrument", 3, 0, (1 << 24) - 1, "last"),
            LIMIT,
            _integer("key_expiry", 8, 0, TIME_MAX, "time"),
            *REQUEST,
        ),
        _form(Kind.KEY_REVOKE, "KeyRevoke", ACCOUNT, ADDRESS, *REQUEST),
        _form(Kind.SET_PARAMS, "SetParams", SEQUENCE, payload=PARAMS_FIELDS),
        _form(Kind.HALT, "Halt", SEQUENCE),
        _form(Kind.RESUME, "Resume", SEQUENCE),
        _form(Kind.ENACT, "Enact", signed_by=NOBODY, payload=PARAMS_FIELDS),
        _form(Kind.LIST, "List", INSTRUMENT, UNDERLYING, SEQUENCE, payload=MARKET_PAYLOAD),
        _form(
            Kind.SET_MARKET,
            "SetMarket",
            INSTRUMENT,
            _integer("status", 1, 0, 4, "mode"),
            _integer("tier", 1, 0, 7, "scope"),
            _integer("open_interest_cap", 8, 1, LOTS_MAX, "limit"),
            _integer("position_cap", 8, 1, LOTS_MAX, "lots"),
            SEQUENCE,
        ),
        _form(
            Kind.SCENARIOS,
            "Scenarios",
            UNDERLYING,
            _number("first"),
            _number("rest", "last"),
            TIME,
            signed_by=QUORUM,
            payload=SHOCKS_PER_ACTION,
        ),
        _form(
            Kind.ACTIVATE,
            "Activate",
            UNDERLYING,
            SERIES,
            TIME,
            PRICE,
            _integer("discount_long_ppm", 4, 0, PPM, "long_ppm"),
            _integer("discount_short_ppm", 4, PPM, 2 * PPM, "short_ppm"),
            _integer("confidence_ppm", 4, 0, PPM),
            signed_by=QUORUM,
        ),
        _form(
            Kind.CONVERT,
            "Convert",
            _id("keeper", "account"),
            _id("account", "counterparty"),
            ASSET,
            AMOUNT,
            *REQUEST,
        ),
        _form(Kind.SET_MODE, "SetMode", ACCOUNT, _integer("mode", 1, 0, 2), *REQUEST),
        _form(Kind.ROTATE_KEY, "RotateKey", ACCOUNT, ADDRESS, *REQUEST),
        _form(Kind.SET_GRID, "SetGrid", UNDERLYING, SEQUENCE, payload=GRID_PAYLOAD),
        _form(Kind.SETTLE, "Settle", ACCOUNT, INSTRUMENT, signed_by=NOBODY),
        _form(Kind.UNCROSS, "Uncross", INSTRUMENT, PRICE, TIME, signed_by=QUORUM),
        _form(Kind.SET_ASSET, "SetAsset", ASSET, SEQUENCE, payload=ASSET_PAYLOAD),
        _form(
            Kind.OWNER_CHECK,
            "OwnerCheck",
            INSTRUMENT,
            signed_by=NOBODY,
            payload=GROUP_ACCOUNTS_MAX,
        ),
        _form(Kind.CALL_ORDER, "CallOrder", ACCOUNT, INSTRUMENT, SIDE, LOTS, PRICE, *REQUEST),
        _form(
            Kind.CALL_FILL,
            "CallFill",
            _id("buyer", "account"),
            _id("seller", "counterparty"),
            INSTRUMENT,
            signed_by=NOBODY,
        ),
        _form(Kind.ENACT_GRID, "EnactGrid", UNDERLYING, signed_by=NOBODY),
    )
}
# Kinds with shapes of their own; every other kind of the law has a form.
SHAPED = (Kind.INBOX, Kind.TRADE, Kind.CANCEL, Kind.PRICE)

# What a kind names, as bits, so that the law can count a step's cost and the court its leaves.
NAMES_ACCOUNT, NAMES_COUNTERPARTY, NAMES_INSTRUMENT, NAMES_UNDERLYING = 1, 2, 4, 8
NAMES_POOL, NAMES_PAYLOAD = 16, 32
# These name accounts in their payload.
LISTS = (Kind.SWEEP_TALLY, Kind.SWEEP_APPLY, Kind.OWNER_CHECK)
_SHAPED_NAMES = {
    Kind.INBOX: NAMES_ACCOUNT,  # and what `clearing.step.names_of_action` adds
    Kind.CANCEL: NAMES_ACCOUNT,
    Kind.PRICE: NAMES_INSTRUMENT,
    Kind.TRADE: NAMES_INSTRUMENT,
}


def _names(kind: Kind) -> int:
    if kind in _SHAPED_NAMES:
        return _SHAPED_NAMES[kind]
    form = FORMS[kind]
    bits = (
        ("account", NAMES_ACCOUNT),
        ("counterparty", NAMES_COUNTERPARTY),
        ("instrument", NAMES_INSTRUMENT),
        ("underlying", NAMES_UNDERLYING),
        ("pool", NAMES_POOL),
    )
    named = sum(bit for record, bit in bits if form.names(record))
    return named | (NAMES_PAYLOAD if kind in LISTS else 0)


NAMES_MAX = 64
NAMES = np.zeros(NAMES_MAX, np.int64)
for _kind in Kind:
    NAMES[_kind] = _names(_kind)
