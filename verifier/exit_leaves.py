"""The leaves that an exit opens, as far as it reads them: markets, underlyings, assets, pools.

What is read here was committed by a final state, so it is read, not judged: any bytes of the right
length have a meaning. Layouts: docs/protocol.md, section 3.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, cast

from clearing.codes import InstrumentKind, InstrumentStatus
from clearing.grid import CENTRE
from clearing.layout import dtype_of
from clearing.leaves import INSTRUMENT_HEADER_PIECES, ROW_PIECES, UNDERLYING_PIECES
from clearing.records import ASSET, POOL, UNDERLYING, Series
from clearing.units import SERIES_MAX
from verifier.multiproof import ProofError

PIECE_BYTES = 8
UNDERLYING_BYTES = PIECE_BYTES * UNDERLYING_PIECES
_HEADER = struct.Struct(f">BBBBI{INSTRUMENT_HEADER_PIECES - 1}q")
_ROW = struct.Struct(f">{ROW_PIECES}q")
_SERIES = dtype_of(Series)


class Market(NamedTuple):
    """An instrument at the exit: prices in micro-quote per lot, the index in 1e-12 of it.

    `centres` are (number of the set, value of a lot) of an option's two rows of risk.
    """

    id: int
    kind: int
    status: int
    underlying: int
    series: int
    mark_price: int
    stable_price: int
    settle_price: int
    funding_index: int
    centres: tuple[tuple[int, int], ...]

    @property
    def needs_underlying(self) -> bool:
        """Whether the price is that of a living option, so the series must be looked at."""
        return self.kind >= InstrumentKind.CALL and self.status < InstrumentStatus.SETTLING

    def price(self, active_number: int) -> int:
        """Return the one price of a lot: what settles at its settlement price, an option at its
        committed mark (`active_number` is the set its series believes), the rest at the stable
        price, or at the mark before there is one."""
        if self.status >= InstrumentStatus.SETTLING:
            return self.settle_price
        if self.needs_underlying:
            number, centre = self.centres[active_number % 2]
            return centre if active_number > 0 and number == active_number else 0
        return self.stable_price or self.mark_price


class AssetTerms(NamedTuple):
    """A collateral asset at the exit: micro-quote per 10^6 units, ppm, and units in custody."""

    price: int
    haircut_ppm: int
    custody: int


class PoolTerms(NamedTuple):
    """A pool at the exit: its two accounts, and how many shares there are."""

    account: int
    sleeve: int
    shares: int


def decode_market(leaf: bytes) -> Market:
    """Read an instrument leaf. Raises ProofError for a length that no instrument has."""
    sizes = [PIECE_BYTES * INSTRUMENT_HEADER_PIECES, PIECE_BYTES * 2 * ROW_PIECES]
    if len(leaf) < sizes[0]:
        raise ProofError(f"expected an instrument leaf of {sizes[0]} bytes, was {len(leaf)}")
    _, kind, status, _, _, *pieces = _HEADER.unpack_from(leaf)
    centres: tuple[tuple[int, int], ...] = ()
    if kind >= InstrumentKind.CALL:
        if len(leaf) < sum(sizes):
            raise ProofError(f"expected an option leaf of {sum(sizes)} bytes, was {len(leaf)}")
        rows = (_ROW.unpack_from(leaf, sizes[0] + _ROW.size * place) for place in range(2))
        centres = tuple((row[0], row[1 + CENTRE]) for row in rows)
    return Market(
        id=pieces[0],
        kind=kind,
        status=status,
        underlying=pieces[1],
        series=pieces[23],
        mark_price=pieces[7],
        stable_price=pieces[9],
        settle_price=pieces[25],
        funding_index=pieces[11] << 64 | pieces[12] % (1 << 64),
        centres=centres,
    )


def active_number(leaf: bytes, series: int) -> int:
    """Return the active set of rows of a series, read from the leaf of its underlying."""
    if not 0 <= series < SERIES_MAX:
        raise ProofError(f"expected a series of 0 to {SERIES_MAX - 1}, was {series}")
    first = _place(UNDERLYING, "series") + series * (_SERIES.itemsize // PIECE_BYTES)
    return _piece(leaf, first + _place(_SERIES, "active_number"))


def decode_asset(leaf: bytes) -> AssetTerms:
    """Read an asset leaf: the stable price, or the price before there is one."""
    price = _field(leaf, ASSET, "stable_price") or _field(leaf, ASSET, "price")
    return AssetTerms(price, _field(leaf, ASSET, "haircut_ppm"), _field(leaf, ASSET, "custody"))


def decode_pool(leaf: bytes) -> PoolTerms:
    """Read a pool leaf."""
    return PoolTerms(*(_field(leaf, POOL, name) for name in PoolTerms._fields))


def _place(record: Any, name: str) -> int:
    """Return how many pieces of a record stand before a field."""
    return int(cast(Any, record.fields)[name][1]) // PIECE_BYTES


def _field(leaf: bytes, record: Any, name: str) -> int:
    return _piece(leaf, _place(record, name))


def _piece(leaf: bytes, place: int) -> int:
    """Return a field of a leaf that is its record: the version stands before them."""
    start = PIECE_BYTES * (1 + place)
    return int.from_bytes(leaf[start : start + PIECE_BYTES], "big", signed=True)
