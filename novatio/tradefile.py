"""One trade as JSON in human units: what ``novatio trade submit`` reads.

Sizes and prices are text, so that no reader makes floats of them. Example::

    {"instrument": "BTC-PERP", "size": "0.25", "price": "4000",
     "maker": {"account": 0, "side": "sell", "size": "0.25", "limit_price": "4000",
               "slot": 1, "key_file": "seller.key"},
     "taker": {"account": 1, "side": "buy", "size": "0.5", "limit_price": "4010",
               "slot": 1, "key_file": "buyer.key"}}
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from clearing.messages import Trade
from clearing.units import FEE_PPM_MAX, SEQUENCE_MAX, SLOTS_MAX, TIME_MAX
from novatio.client import Client
from novatio.errors import BadRequest
from novatio.orders import SignedOrder
from novatio.signing import Signer, find_signer

__all__ = ["OrderFile", "TradeFile", "build_trade", "parse_trade", "signed_order"]

Positive = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?$")]
Fee = Annotated[int, Meta(ge=-FEE_PPM_MAX, le=FEE_PPM_MAX)]


class OrderFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side. It is signed with ``key_file``, or the command's key; or ``signature`` is given."""

    account: Annotated[int, Meta(ge=0)]
    side: str
    size: Positive
    limit_price: Positive
    slot: Annotated[int, Meta(ge=0, lt=SLOTS_MAX)] = 0
    sequence: Annotated[int, Meta(ge=1, le=SEQUENCE_MAX)] | None = None
    expiry_ms: Annotated[int, Meta(ge=0, le=TIME_MAX)] | None = None
    max_fee_ppm: Annotated[int, Meta(ge=0, le=FEE_PPM_MAX)] = 500
    reduce_only: bool = False
    maker_only: bool = False
    key_file: str = ""
    signature: Annotated[str, Meta(pattern="^(0x)?[0-9a-fA-F]{130}$")] | None = None


class VenueFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose co-signature the orders ask for."""

    address: Annotated[str, Meta(pattern="^(0x)?[0-9a-fA-F]{40}$")]
    key_file: str = ""


class TradeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trade. Size and price default to the smaller order's and to the maker's limit."""

    instrument: str | int
    maker: OrderFile
    taker: OrderFile
    size: Positive | None = None
    price: Positive | None = None
    maker_fee_ppm: Fee = 0
    taker_fee_ppm: Fee = 0
    venue: VenueFile | None = None


def parse_trade(text: str | bytes) -> TradeFile:
    """Return the trade that the JSON holds. Raises BadRequest with place and expectation."""
    try:
        return msgspec.json.decode(text, type=TradeFile)
    except msgspec.DecodeError as error:
        raise BadRequest(
            f"trade: {error}",
            reason="MALFORMED_JSON",
            next_step="novatio trade submit --help, which shows a whole example",
        ) from error


def build_trade(client: Client, file: TradeFile, signer: Signer | None) -> Trade:
    """Return the signed trade. ``signer`` signs what names no key of its own.

    Raises Inexact, NotFound, KeyUnusable or BadRequest.
    """
    venue = b"" if file.venue is None else bytes.fromhex(file.venue.address.removeprefix("0x"))
    maker = signed_order(client, file.instrument, file.maker, signer, venue)
    taker = signed_order(client, file.instrument, file.taker, signer, venue)
    return client.trade(
        maker,
        taker,
        size=file.size,
        price=file.price,
        maker_fee_ppm=file.maker_fee_ppm,
        taker_fee_ppm=file.taker_fee_ppm,
        venue_signer=_signer(file.venue.key_file, signer) if file.venue else None,
    )


def signed_order(
    client: Client,
    instrument: str | int,
    order: OrderFile,
    signer: Signer | None,
    venue: bytes = b"",
) -> SignedOrder:
    """Return the order of a file with the signature that it carries, or else a key's.

    Raises Inexact, NotFound, KeyUnusable or BadRequest.
    """
    if order.signature is not None and None in (order.sequence, order.expiry_ms):
        raise BadRequest(
            "order: expected sequence and expiry_ms beside a signature, which covers them",
            next_step="write down the values that were signed",
        )
    return client.order(
        order.account,
        instrument,
        order.side,
        order.size,
        order.limit_price,
        slot=order.slot,
        sequence=order.sequence,
        expiry_ms=order.expiry_ms,
        max_fee_ppm=order.max_fee_ppm,
        reduce_only=order.reduce_only,
        maker_only=order.maker_only,
        venue=venue or bytes(20),
        signer=_Given(order.signature) if order.signature else _signer(order.key_file, signer),
    )


def _signer(key_file: str, signer: Signer | None) -> Signer | None:
    return find_signer(key_file) if key_file else signer


class _Given:
    """Stands for whoever made a signature elsewhere."""

    def __init__(self, text: str) -> None:
        self.signature = bytes.fromhex(text.removeprefix("0x"))

    @property
    def address(self) -> bytes:
        """Nobody's: only the node can tell whose signature it is."""
        return bytes(20)

    def sign(self, digest: bytes) -> bytes:
        """Return the signature that was given."""
        return self.signature
