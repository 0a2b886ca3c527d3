"""Actions, orders and steps one at a time: bytes to readable records and back, and what is signed.

This is the reference for clients, tests and the court's callers; ``clearing.decode`` does the same
for whole batches in compiled code. ``encode`` and ``decode`` are exact inverses: each value has one
encoding (docs/protocol.md, sections 4 to 7). Field tables below are the bounds of section 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias, TypeVar, cast

from clearing import eip712
from clearing.codes import Code, InboxKind, Kind, Side, Tag
from clearing.encoding import Field, MalformedBytes, Reader, integers, raw
from clearing.forms import ADDRESS_BYTES, FORMS, ID_MAX
from clearing.keccak import pad, tagged_hash
from clearing.requests import NO_SIGNATURE, SIGNERS, Request, bounded, read_signature
from clearing.units import (
    ACTION_BYTES_MAX,
    ACTIONS_PER_STEP,
    ALL_SLOTS,
    AMOUNT_MAX,
    BULK_DEPTH_MAX,
    FEE_PPM_MAX,
    LOTS_MAX,
    OBSERVATIONS_MAX,
    PRICE_MAX,
    SEQUENCE_MAX,
    SIGNATURE_BYTES,
    SLOTS_MAX,
    TIME_MAX,
)

T = TypeVar("T")

NO_ADDRESS = bytes(ADDRESS_BYTES)
INBOX_MESSAGE_BYTES = 53  # and 89 for each observation of a price


class MalformedAction(MalformedBytes):
    """Bytes that are no action; ``code`` is the outcome that the law gives them."""

    code = Code.MALFORMED


class UnknownKind(MalformedAction):
    """An action whose kind this version of the law does not run."""

    code = Code.UNKNOWN_KIND


class MalformedStep(MalformedBytes):
    """Bytes that are no step."""


_KIND = Field("kind", 1, 0, 255)
_ACCOUNT = Field("account", 8, 0, ID_MAX)
_INSTRUMENT = Field("instrument", 4, 0, (1 << 32) - 1)
_ASSET = Field("asset", 4, 0, (1 << 32) - 1)
_AMOUNT = Field("amount", 8, 1, AMOUNT_MAX)
_LOTS = Field("lots", 8, 1, LOTS_MAX)
_SEQUENCE = Field("sequence", 8, 1, SEQUENCE_MAX)
_EXPIRY = Field("expiry", 8, 0, TIME_MAX)
_TIME = Field("time", 8, 0, TIME_MAX)
_DEPTH = Field("depth", 1, 0, BULK_DEPTH_MAX)
_COUNT = Field("count", 1, 0, ACTIONS_PER_STEP)
_LENGTH = Field("length", 2, 0, ACTION_BYTES_MAX)

_ORDER = (
    _ACCOUNT,
    _LOTS,
    Field("limit_price", 8, 1, PRICE_MAX),
    Field("slot", 2, 0, SLOTS_MAX - 1),
    _SEQUENCE,
    _EXPIRY,
    Field("max_fee", 4, 0, FEE_PPM_MAX),
    Field("flags", 1, 0, 255),
)
_TRADE = (
    _INSTRUMENT,
    _LOTS,
    Field("price", 8, 1, PRICE_MAX),
    Field("maker_fee", 4, -FEE_PPM_MAX, FEE_PPM_MAX),
    Field("taker_fee", 4, -FEE_PPM_MAX, FEE_PPM_MAX),
)
_MAKER_SIDE = Field("maker_side", 1, Side.BUY, Side.SELL)
_CANCEL = (_ACCOUNT, Field("slot", 2, 0, SLOTS_MAX - 1, ALL_SLOTS), _SEQUENCE)
_OBSERVATION = (
    Field("index_price", 8, 1, PRICE_MAX),
    Field("mark_price", 8, 1, PRICE_MAX),
    _TIME,
)
_OBSERVATIONS = Field("observations", 1, 1, OBSERVATIONS_MAX)
_INBOX_HEAD = (_KIND, Field("index", 8, 0, ID_MAX), _ACCOUNT)
_INBOX_TAIL = (Field("subaccount", 4, 0, (1 << 32) - 1), _ASSET, _AMOUNT)


@dataclass(frozen=True)
class Order:
    """The signed half of a trade: all that a trader promises except venue, instrument and side.

    Named by (account, slot, sequence). lots 1 .. 2^48; limit_price 1 .. 2^48 micro-quote per lot;
    slot 0 .. 255; sequence 1 .. 2^62; expiry in ms; max_fee 0 .. 10^6 ppm; flags bits of OrderFlag.
    """

    account: int
    lots: int
    limit_price: int
    slot: int
    sequence: int
    expiry: int
    max_fee: int
    flags: int

    def encode(self) -> bytes:
        """Return the 47 bytes of the order inside a trade. Raises ValueError beyond a bound."""
        return integers(_ORDER, self)

    @classmethod
    def decode(cls, data: bytes) -> Order:
        """Inverse of ``encode``. Raises MalformedAction."""
        return _whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> Order:
        """Read an order at the cursor. Raises MalformedAction."""
        return cls(**reader.integers(_ORDER))

    def struct_hash(self, venue: bytes, instrument: int, side: int) -> bytes:
        """Return the EIP-712 struct hash of the order at ``venue`` (20 bytes), side 1 or 2."""
        return eip712.hash_struct(
            eip712.ORDER_TYPE,
            self.account,
            venue,
            instrument,
            side,
            self.lots,
            self.limit_price,
            self.slot,
            self.sequence,
            self.expiry,
            self.max_fee,
            self.flags,
        )


@dataclass(frozen=True)
class Authorisation:
    """A signature of a struct, or of the root of a bulk tree with the struct's place in it.

    ``signature`` is r || s || v, 65 bytes; ``path`` holds at most 12 siblings of 32 bytes, lowest
    first; ``index`` is 0 .. 2^len(path) - 1, and 0 without a path.
    """

    signature: bytes = NO_SIGNATURE
    index: int = 0
    path: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Return 66 bytes, or 68 + 32 a sibling. Raises ValueError beyond a bound."""
        depth = len(self.path)
        head = raw("signature", self.signature, SIGNATURE_BYTES) + _DEPTH.encode(depth)
        place = _place(depth)
        if depth == 0:
            place.encode(self.index)
            return head
        return (
            head
            + place.encode(self.index)
            + b"".join(raw("sibling", sibling, 32) for sibling in self.path)
        )

    @classmethod
    def decode(cls, data: bytes) -> Authorisation:
        """Inverse of ``encode``. Raises MalformedAction."""
        return _whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> Authorisation:
        """Read an authorisation at the cursor. Raises MalformedAction."""
        signature = reader.raw("signature", SIGNATURE_BYTES)
        depth = reader.integer(_DEPTH)
        index = reader.integer(_place(depth)) if depth else 0
        return cls(signature, index, tuple(reader.raw("sibling", 32) for _ in range(depth)))

    def digest(self, domain: bytes, struct_hash: bytes) -> bytes:
        """Return the 32 bytes that ``signature`` signs if it covers ``struct_hash``."""
        if not self.path:
            return eip712.digest(domain, struct_hash)
        return eip712.bulk_digest(domain, eip712.climb(struct_hash, self.index, self.path))


UNSIGNED = Authorisation()


@dataclass(frozen=True)
class Trade:
    """Two matched orders at one price: lots 1 .. 2^48, fees in ppm of the notional, signed.

    ``venue`` is an address; with the null address anybody may match the orders and there is no
    venue authorisation. The taker's side is the other one than ``maker_side`` (1 buy, 2 sell).
    """

    instrument: int
    lots: int
    price: int
    maker_fee: int
    taker_fee: int
    venue: bytes
    maker_side: int
    maker: Order
    taker: Order
    maker_authorisation: Authorisation = UNSIGNED
    taker_authorisation: Authorisation = UNSIGNED
    venue_authorisation: Authorisation | None = None

    def encode(self) -> bytes:
        """Return the action's bytes. Raises ValueError beyond a bound."""
        venue = raw("venue", self.venue, ADDRESS_BYTES)
        if (self.venue_authorisation is None) != (venue == NO_ADDRESS):
            raise ValueError(
                "expected a venue authorisation if and only if the venue is not the null address, "
                f"was venue {venue.hex()} and {self.venue_authorisation}"
            )
        authorisations = [self.maker_authorisation, self.taker_authorisation]
        if self.venue_authorisation is not None:
            authorisations.append(self.venue_authorisation)
        return (
            bytes([Kind.TRADE])
            + integers(_TRADE, self)
            + venue
            + _MAKER_SIDE.encode(self.maker_side)
            + self.maker.encode()
            + self.taker.encode()
            + b"".join(authorisation.encode() for authorisation in authorisations)
        )

    @classmethod
    def read(cls, reader: Reader) -> Trade:
        """Read the action behind its kind byte. Raises MalformedAction."""
        terms = reader.integers(_TRADE)
        venue = reader.raw("venue", ADDRESS_BYTES)
        return cls(
            **terms,
            venue=venue,
            maker_side=reader.integer(_MAKER_SIDE),
            maker=Order.read(reader),
            taker=Order.read(reader),
            maker_authorisation=Authorisation.read(reader),
            taker_authorisation=Authorisation.read(reader),
            venue_authorisation=None if venue == NO_ADDRESS else Authorisation.read(reader),
        )

    def maker_struct_hash(self) -> bytes:
        """Return the struct hash that the maker's owner signs."""
        return self.maker.struct_hash(self.venue, self.instrument, self.maker_side)

    def taker_struct_hash(self) -> bytes:
        """Return the struct hash that the taker's owner signs."""
        side = Side.BUY + Side.SELL - self.maker_side
        return self.taker.struct_hash(self.venue, self.instrument, side)

    def struct_hash(self) -> bytes:
        """Return the struct hash that the venue signs."""
        return eip712.hash_struct(
            eip712.TRADE_TYPE,
            self.maker_struct_hash(),
            self.taker_struct_hash(),
            self.lots,
            self.price,
            self.maker_fee,
            self.taker_fee,
        )

    def signed(self, domain: bytes) -> list[tuple[bytes, bytes]]:
        """Return (digest, signature) of maker, taker and, if the venue is not null, venue."""
        pairs = [
            (self.maker_authorisation, self.maker_struct_hash()),
            (self.taker_authorisation, self.taker_struct_hash()),
        ]
        if self.venue_authorisation is not None:
            pairs.append((self.venue_authorisation, self.struct_hash()))
        return [(who.digest(domain, what), who.signature) for who, what in pairs]


class _Request:
    """What the requests of one owner share: integers, then the signature of the struct of them."""

    KIND: ClassVar[Kind]
    FIELDS: ClassVar[tuple[Field, ...]]
    TYPE: ClassVar[str]
    signature: bytes

    def encode(self) -> bytes:
        """Return the action's bytes. Raises ValueError beyond a bound."""
        signature = raw("signature", self.signature, SIGNATURE_BYTES)
        return bytes([self.KIND]) + integers(self.FIELDS, self) + signature

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read the action behind its kind byte. Raises MalformedAction."""
        # The constructor is that of the data class below this one.
        make = cast(Callable[..., Self], cls)
        return make(**reader.integers(cls.FIELDS), signature=read_signature(reader))

    def struct_hash(self) -> bytes:
        """Return the struct hash that the requesting account's owner signs."""
        return eip712.hash_struct(self.TYPE, *(getattr(self, f.name) for f in self.FIELDS))

    def signed(self, domain: bytes) -> list[tuple[bytes, bytes]]:
        """Return (digest, signature) of the requesting account's owner."""
        return [(eip712.digest(domain, self.struct_hash()), self.signature)]


@dataclass(frozen=True)
class Withdraw(_Request):
    """The owner takes ``amount`` micro-quote (1 .. 2^61) out of the account."""

    KIND: ClassVar[Kind] = Kind.WITHDRAW
    FIELDS: ClassVar[tuple[Field, ...]] = FORMS[Kind.WITHDRAW].fields
    TYPE: ClassVar[str] = FORMS[Kind.WITHDRAW].type_signature

    account: int
    asset: int
    amount: int
    sequence: int
    expiry: int
    signature: bytes = NO_SIGNATURE


@dataclass(frozen=True)
class Transfer(_Request):
    """The owner of ``sender`` moves ``amount`` micro-quote (1 .. 2^61) to ``recipient``."""

    KIND: ClassVar[Kind] = Kind.TRANSFER
    FIELDS: ClassVar[tuple[Field, ...]] = FORMS[Kind.TRANSFER].fields
    TYPE: ClassVar[str] = FORMS[Kind.TRANSFER].type_signature

    sender: int
    recipient: int
    asset: int
    amount: int
    sequence: int
    expiry: int
    signature: bytes = NO_SIGNATURE


@dataclass(frozen=True)
class Cancel(_Request):
    """The owner kills the orders of ``slot`` (65535: of every slot) below ``sequence``."""

    KIND: ClassVar[Kind] = Kind.CANCEL
    FIELDS: ClassVar[tuple[Field, ...]] = _CANCEL
    TYPE: ClassVar[str] = eip712.CANCEL_TYPE

    account: int
    slot: int
    sequence: int
    signature: bytes = NO_SIGNATURE


@dataclass(frozen=True)
class PriceObservation:
    """One publisher's view: prices 1 .. 2^48 micro-quote per lot, time in ms."""

    index_price: int
    mark_price: int
    time: int
    signature: bytes = NO_SIGNATURE

    def encode(self) -> bytes:
        """Return the 89 bytes of the observation. Raises ValueError beyond a bound."""
        return integers(_OBSERVATION, self) + raw("signature", self.signature, SIGNATURE_BYTES)

    @classmethod
    def decode(cls, data: bytes) -> PriceObservation:
        """Inverse of ``encode``. Raises MalformedAction."""
        return _whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> PriceObservation:
        """Read an observation at the cursor. Raises MalformedAction."""
        return cls(**reader.integers(_OBSERVATION), signature=read_signature(reader))

    def struct_hash(self, instrument: int) -> bytes:
        """Return the struct hash that the publisher signs."""
        return eip712.hash_struct(
            eip712.PRICE_TYPE, instrument, self.index_price, self.mark_price, self.time
        )


@dataclass(frozen=True)
class Price:
    """Signed observations of one instrument; the law takes their medians.

    0 .. 255 observations can be written down, within 2,048 bytes; the law rejects more than 16.
    """

    instrument: int
    observations: tuple[PriceObservation, ...]

    def encode(self) -> bytes:
        """Return the action's bytes. Raises ValueError beyond a bound."""
        return bounded(
            bytes([Kind.PRICE])
            + _INSTRUMENT.encode(self.instrument)
            + SIGNERS.encode(len(self.observations))
            + b"".join(observation.encode() for observation in self.observations)
        )

    @classmethod
    def read(cls, reader: Reader) -> Price:
        """Read the action behind its kind byte. Raises MalformedAction."""
        instrument = reader.integer(_INSTRUMENT)
        count = reader.integer(SIGNERS)
        return cls(instrument, tuple(PriceObservation.read(reader) for _ in range(count)))

    def signed(self, domain: bytes) -> list[tuple[bytes, bytes]]:
        """Return (digest, signature) of each publisher, in order."""
        return [
            (eip712.digest(domain, observation.struct_hash(self.instrument)), observation.signature)
            for observation in self.observations
        ]


@dataclass(frozen=True)
class Funding:
    """Close the funding interval of an instrument; signed by nobody."""

    instrument: int

    def encode(self) -> bytes:
        """Return the action's bytes. Raises ValueError beyond a bound."""
        return bytes([Kind.FUNDING]) + _INSTRUMENT.encode(self.instrument)

    @classmethod
    def read(cls, reader: Reader) -> Funding:
        """Read the action behind its kind byte. Raises MalformedAction."""
        return cls(reader.integer(_INSTRUMENT))

    def signed(self, domain: bytes) -> list[tuple[bytes, bytes]]:
        """Return nothing: the law recomputes funding."""
        return []


@dataclass(frozen=True)
class Liquidate(_Request):
    """The keeper offers to take up to ``lots`` of the account's failing position."""

    KIND: ClassVar[Kind] = Kind.LIQUIDATE
    FIELDS: ClassVar[tuple[Field, ...]] = FORMS[Kind.LIQUIDATE].fields
    TYPE: ClassVar[str] = FORMS[Kind.LIQUIDATE].type_signature

    keeper: int
    account: int
    instrument: int
    lots: int
    sequence: int
    expiry: int
    signature: bytes = NO_SIGNATURE


@dataclass(frozen=True)
class InboxMessage:
    """What the base layer forces in: 53 bytes. Every kind byte decodes, also those of no kind.

    index and account 0 .. 2^62; owner an address; amount 1 .. 2^61 micro-quote. Behind a price
    (kind 5) stand its 1 .. 16 signed ``observations``, whose number is the amount.
    """

    kind: int
    index: int
    account: int
    owner: bytes
    subaccount: int
    asset: int
    amount: int
    observations: tuple[PriceObservation, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes of the message. Raises ValueError beyond a bound."""
        wanted = self.amount if self.kind == InboxKind.PRICE else 0
        if not len(self.observations) == wanted <= OBSERVATIONS_MAX:
            raise ValueError(
                f"expected {_OBSERVATIONS.bound()}, the amount of a price, was "
                f"{len(self.observations)} and {self.amount}"
            )
        owner = raw("owner", self.owner, ADDRESS_BYTES)
        views = b"".join(observation.encode() for observation in self.observations)
        return integers(_INBOX_HEAD, self) + owner + integers(_INBOX_TAIL, self) + views

    @classmethod
    def decode(cls, data: bytes) -> InboxMessage:
        """Inverse of ``encode``. Raises MalformedAction."""
        return _whole(data, cls.read)

    @classmethod
    def read(cls, reader: Reader) -> InboxMessage:
        """Read a message at the cursor. Raises MalformedAction."""
        head = reader.integers(_INBOX_HEAD)
        owner = reader.raw("owner", ADDRESS_BYTES)
        start = reader.offset
        tail = reader.integers(_INBOX_TAIL)
        count = tail["amount"] if head["kind"] == InboxKind.PRICE else 0
        if count > OBSERVATIONS_MAX:
            raise MalformedAction(start, _OBSERVATIONS.bound(), count)
        views = tuple(PriceObservation.read(reader) for _ in range(count))
        return cls(**head, owner=owner, **tail, observations=views)

    def message_hash(self) -> bytes:
        """Return H(15, pad(message)), the hash that the inbox accumulator takes in."""
        return inbox_message_hash(self.encode())


@dataclass(frozen=True)
class Inbox:
    """Consume the next message of the base layer."""

    message: InboxMessage

    def encode(self) -> bytes:
        """Return the action's bytes. Raises ValueError beyond a bound."""
        return bytes([Kind.INBOX]) + self.message.encode()

    @classmethod
    def read(cls, reader: Reader) -> Inbox:
        """Read the action behind its kind byte. Raises MalformedAction."""
        return cls(InboxMessage.read(reader))

    def signed(self, domain: bytes) -> list[tuple[bytes, bytes]]:
        """Return what the publishers of a price signed; the base layer vouches for the rest."""
        return Price(self.message.asset, self.message.observations).signed(domain)


@dataclass(frozen=True)
class Receipt:
    """The sequencer's promise: after ``count`` sequenced actions stands ``accumulator``."""

    generation: int
    count: int
    accumulator: bytes

    def struct_hash(self) -> bytes:
        """Return the struct hash that the sequencer signs."""
        return eip712.hash_struct(
            eip712.RECEIPT_TYPE,
            self.generation,
            self.count,
            raw("accumulator", self.accumulator, 32),
        )


Action: TypeAlias = (
    Inbox | Withdraw | Transfer | Trade | Cancel | Price | Funding | Liquidate | Request
)

_READERS: dict[int, Callable[[Reader], Action]] = {
    Kind.INBOX: Inbox.read,
    Kind.WITHDRAW: Withdraw.read,
    Kind.TRANSFER: Transfer.read,
    Kind.TRADE: Trade.read,
    Kind.CANCEL: Cancel.read,
    Kind.PRICE: Price.read,
    Kind.FUNDING: Funding.read,
    Kind.LIQUIDATE: Liquidate.read,
}
for _kind in FORMS:
    _READERS.setdefault(_kind, Request.reader(_kind))


def decode_action(data: bytes) -> Action:
    """Inverse of every action's ``encode``.

    Raises MalformedAction (its ``code`` is the law's outcome; UnknownKind is one) for bytes that
    are no action or longer than 2,048.
    """
    if not 1 <= len(data) <= ACTION_BYTES_MAX:
        raise MalformedAction(0, f"an action of 1..{ACTION_BYTES_MAX} bytes", f"{len(data)} bytes")
    read = _READERS.get(data[0])
    if read is None:
        raise UnknownKind(0, f"a kind of {sorted(int(kind) for kind in _READERS)}", data[0])
    reader = Reader(data, MalformedAction)
    reader.raw("kind", 1)
    action = read(reader)
    reader.end()
    return action


def action_hash(action: bytes) -> bytes:
    """Return H(17, pad(action)) of any bytes, malformed ones too."""
    return tagged_hash(Tag.ACTION, pad(action))


def encode_step(time: int, actions: Sequence[bytes]) -> bytes:
    """Return ``u64 time || u8 count || count * (u16 length || action)``.

    Raises ValueError for more than 8 actions, an action beyond 2,048 bytes, a time beyond 2^62.
    """
    return (
        _TIME.encode(time)
        + _COUNT.encode(len(actions))
        + b"".join(_LENGTH.encode(len(action)) + action for action in actions)
    )


def decode_step(data: bytes) -> tuple[int, list[bytes]]:
    """Inverse of ``encode_step``: (time, actions). Raises MalformedStep.

    The actions' own bytes are not judged; that is the law's business.
    """
    reader = Reader(data, MalformedStep)
    time, count = reader.integer(_TIME), reader.integer(_COUNT)
    actions = [reader.raw("action", reader.integer(_LENGTH)) for _ in range(count)]
    reader.end()
    return time, actions


def step_hash(time: int, action_hashes: Sequence[bytes]) -> bytes:
    """Return H(11, time || count || action hashes), time and count a piece each."""
    head = time.to_bytes(8, "big") + len(action_hashes).to_bytes(8, "big")
    return tagged_hash(Tag.STEP, head + b"".join(action_hashes))


def sequenced_root(action_hashes: Sequence[bytes]) -> bytes:
    """Return H(1c, hashes), ``action_hashes`` being those of a step's actions but inbox ones."""
    return tagged_hash(Tag.SEQUENCED, b"".join(action_hashes))


def sequenced_accumulator(accumulator: bytes, root: bytes) -> bytes:
    """Return H(18, accumulator || root), the accumulator after a step of ``sequenced_root``."""
    return tagged_hash(Tag.SEQUENCE, accumulator + root)


def inbox_message_hash(message: bytes) -> bytes:
    """Return H(15, pad(message)) of the bytes of a message."""
    return tagged_hash(Tag.INBOX_MESSAGE, pad(message))


def inbox_accumulator(accumulator: bytes, message_hash: bytes) -> bytes:
    """Return H(16, accumulator || message hash); the first accumulator is 32 zero bytes."""
    return tagged_hash(Tag.INBOX, accumulator + message_hash)


def _place(depth: int) -> Field:
    return Field("index", 2, 0, (1 << depth) - 1)


def _whole(data: bytes, read: Callable[[Reader], T]) -> T:
    reader = Reader(data, MalformedAction)
    value = read(reader)
    reader.end()
    return value
