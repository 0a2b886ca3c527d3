"""Option chains: reading a file of quotes, and the forward, discount and spot that they imply.

A chain file is CSV with a header. `expiry` (YYYYMMDD or YYYY-MM-DD; a time behind it, after a T,
does not count), `strike`, `right` (C or P) and `close`, or `bid` and `ask`, are needed; volume,
open interest, implied volatility and Greeks are read where they are given. A row without a close is
priced in the middle of its quotes, unless they are crossed or so wide that the middle tells
nothing. A row without expiry, strike and right is the underlying itself. Rows may be in any order.
Rows that cannot be used are dropped and counted by reason, or raise if the reader is strict.
"""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from risk.black76 import Floats
from risk.parity import ExpiryTerms, Quotes, can_imply, imply_spot, imply_terms

__all__ = [
    "CLOSE_HOURS",
    "GAMMA_LEAST",
    "PUBLISHED",
    "Chain",
    "ChainError",
    "read_chain",
    "years_between",
]

# An index option that settles at the open of its expiry ends there, and the quotes are those of
# the close, 15:15 of the exchange's day.
CLOSE_HOURS: Final = 15.25
HOURS_PER_YEAR: Final = 365 * 24

GAMMA_LEAST: Final = 1e-4  # published with seven decimals, so to three digits at least
REQUIRED: Final = ("expiry", "strike", "right")
PRICED: Final = (("close",), ("bid", "ask"))  # one of these has to stand there as well
WIDEST: Final = 3.0  # an ask beyond so many times the bid leaves the price to a guess
PUBLISHED: Final = ("implied_volatility", "delta", "gamma", "vega", "theta", "rho")
OPTIONAL: Final = ("volume", "open_interest", *PUBLISHED)
ALIASES: Final = {
    "type": "right",
    "option_type": "right",
    "expiration": "expiry",
    "iv": "implied_volatility",
    "bid_price": "bid",
    "ask_price": "ask",
}
RIGHTS: Final = {"C": True, "CALL": True, "P": False, "PUT": False}


class ChainError(ValueError):
    """A chain file cannot be used: says where, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The quotes of one day, sorted by (expiry, strike, put before call), one row a contract.

    Attributes:
        as_of: day of the quotes.
        expiry: datetime64[D] of each row.
        years: time to expiry of each row, above 0.
        strike: quote per unit, above 0.
        is_call: boolean.
        price: close, quote per unit, above 0.
        columns: volume, open_interest, implied_volatility and the Greeks as published; NaN where a
            row has none.
        terms: of each expiry in ascending order: forward, discount and how they were found.
        spot: price of the underlying now.
        dropped: rows that were left out, by reason.
    """

    as_of: date
    expiry: NDArray[np.datetime64]
    years: Floats
    strike: Floats
    is_call: NDArray[np.bool_]
    price: Floats
    columns: Mapping[str, Floats]
    terms: tuple[ExpiryTerms, ...]
    spot: float
    dropped: Mapping[str, int]

    def rows_of(self, terms: ExpiryTerms) -> NDArray[np.intp]:
        """Return the indices of an expiry's rows."""
        return np.flatnonzero(self.expiry == np.datetime64(terms.expiry))


@dataclass(slots=True)
class _Rows:
    """What the lines of a file held."""

    contracts: dict[tuple[date, float, bool], dict[str, float]] = field(default_factory=dict)
    underlying: float = math.nan
    dropped: Counter[str] = field(default_factory=Counter)


def years_between(as_of: date, expiry: date, close_hours: float = CLOSE_HOURS) -> float:
    """Return years of 365 days from `close_hours` of a day to the beginning of the expiry day."""
    return ((expiry - as_of).days * 24 - close_hours) / HOURS_PER_YEAR


def read_chain(
    path: str | Path,
    as_of: date | None = None,
    *,
    spot: float | None = None,
    rate: float = 0.0,
    close_hours: float = CLOSE_HOURS,
    strict: bool = False,
) -> Chain:
    """Read a chain file (plain or .gz), and imply forward and discount of every expiry.

    Args:
        as_of: day of the quotes; without it, the last date in the file's name.
        spot: price of the underlying; without it, the file's own row of the underlying, without
            that what put-call parity implies, and where it can imply nothing, the published Greeks.
        rate: continuous rate per year for the expiries whose discount no quotes imply.
        close_hours: hour of the day at which the quotes were made.
        strict: raise at the first row that cannot be used, except exact repeats.

    Raises:
        ChainError: no date, no header, no usable row, or no expiry with a forward.
    """
    path = Path(path)
    day = as_of if as_of is not None else _date_in(path.name)
    rows = _rows_of(path, day, strict, close_hours)
    if not rows.contracts:
        raise ChainError(f"{path.name}: no usable row (dropped: {dict(rows.dropped) or 'none'})")
    keys = sorted(rows.contracts)
    records = [rows.contracts[key] for key in keys]
    expiry = np.array([key[0] for key in keys], dtype="datetime64[D]")
    strike = np.array([key[1] for key in keys])
    is_call = np.array([key[2] for key in keys])
    price = np.array([record["close"] for record in records])
    years = np.array([years_between(day, key[0], close_hours) for key in keys])
    quotes = []
    for when in sorted({key[0] for key in keys}):
        at = expiry == np.datetime64(when)
        quotes.append(Quotes(when, float(years[at][0]), strike[at], is_call[at], price[at]))
    columns = {name: np.array([record[name] for record in records]) for name in OPTIONAL}
    known = spot if spot is not None else rows.underlying
    try:
        published = _published_spot(columns, years)
        if not (math.isfinite(known) or can_imply(quotes)):
            known = published
        terms = imply_terms(quotes, known if math.isfinite(known) else published, rate)
    except ValueError as error:
        raise ChainError(f"{path.name}: {error}") from error
    return Chain(
        as_of=day,
        expiry=expiry,
        years=years,
        strike=strike,
        is_call=is_call,
        price=price,
        columns=columns,
        terms=terms,
        spot=known if math.isfinite(known) else imply_spot(terms),
        dropped=dict(rows.dropped),
    )


def _published_spot(columns: Mapping[str, Floats], years: Floats) -> float:
    """Return the spot that published Greeks were computed with; NaN if there are none.

    In Black-Scholes `vega = gamma * spot^2 * volatility * years`; vega is published per percentage
    point. Only gammas with enough printed digits count.
    """
    gamma, sigma, vega = (columns[name] for name in ("gamma", "implied_volatility", "vega"))
    usable = (gamma >= GAMMA_LEAST) & (sigma > 0) & (vega > 0)
    if not usable.any():
        return math.nan
    squared = vega[usable] * 100 / (gamma[usable] * sigma[usable] * years[usable])
    return math.sqrt(float(np.median(squared)))


def _rows_of(path: Path, as_of: date, strict: bool, close_hours: float) -> _Rows:
    """Read the lines of a file. Raises ChainError for what is no text, CSV or packed file."""
    try:
        with _opened(path) as file:
            return _read(file, path.name, as_of, strict, close_hours)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ChainError(f"{path.name}: expected UTF-8 text, was byte 0x{byte:02x}") from error
    except csv.Error as error:
        raise ChainError(f"{path.name}: expected CSV, was none: {error}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ChainError(f"{path.name}: expected a packed file, was none: {error}") from error


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _date_in(name: str) -> date:
    found = re.findall(r"(?<!\d)(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?!\d)", name)
    for digits in reversed(found):
        try:
            return date(*map(int, digits))
        except ValueError:
            continue
    raise ChainError(f"{name}: no date in the file's name; pass as_of=date(year, month, day)")


def _expiry(text: str) -> date:
    compact = text.strip().partition("T")[0].replace("-", "")
    if not re.fullmatch(r"\d{8}", compact):
        raise ValueError("its expiry is not YYYYMMDD")
    return datetime.strptime(compact, "%Y%m%d").date()


def _number(text: str | None) -> float:
    """Return a finite number, or NaN for an empty or unreadable field."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _lines(file: TextIO, name: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    reader = csv.reader(file)
    header = next((line for line in reader if any(cell.strip() for cell in line)), None)
    if header is None:
        raise ChainError(
            f"{name}: the file is empty; expected a header with {', '.join(REQUIRED)} and close, "
            "or bid and ask"
        )
    names = [cell.strip().lstrip("#").strip().lower().replace(" ", "_") for cell in header]
    names = [ALIASES.get(column, column) for column in names]
    missing = [column for column in REQUIRED if column not in names]
    if not any(set(columns) <= set(names) for columns in PRICED):
        missing.append("close, nor bid and ask")
    if missing:
        raise ChainError(f"{name}: the header has no column {', '.join(missing)}; it has {names}")
    for cells in reader:
        if any(cell.strip() for cell in cells):
            padded: list[str | None] = [*cells, *[None] * (len(names) - len(cells))]
            yield reader.line_num, dict(zip(names, padded, strict=False))


def _read(file: TextIO, name: str, as_of: date, strict: bool, close_hours: float) -> _Rows:
    rows = _Rows()
    for line, cells in _lines(file, name):
        if not any((cells[key] or "").strip() for key in ("expiry", "strike", "right")):
            close = _number(cells.get("close"))
            rows.underlying = close if close > 0 else _middle(cells)[0]
            continue
        key, record, column, fault = _contract(cells, as_of, close_hours)
        if fault:
            if strict:
                found = f"column {column}: {fault}, it is {cells[column] or ''!r}"
                raise ChainError(f"{name}, line {line}, {found}")
            rows.dropped[fault] += 1
        elif key in rows.contracts and _same(rows.contracts[key], record):
            rows.dropped["it repeats another row"] += 1
        elif key in rows.contracts:
            if strict:
                found = "column close: it contradicts an earlier row of the same contract"
                raise ChainError(f"{name}, line {line}, {found}")
            # Which of the two quotes holds cannot be told; the busier contract's is likelier.
            rows.dropped["it contradicts another row"] += 1
            held = rows.contracts[key]
            rows.contracts[key] = max(held, record, key=lambda row: np.nan_to_num(row["volume"]))
        else:
            rows.contracts[key] = record
    return rows


def _same(one: dict[str, float], other: dict[str, float]) -> bool:
    return all(
        value == other[name] or (value != value and other[name] != other[name])
        for name, value in one.items()
    )


def _contract(
    cells: dict[str, str | None], as_of: date, close_hours: float
) -> tuple[tuple[date, float, bool], dict[str, float], str, str]:
    """Return a row's contract and numbers, and the column and fault for which it is unusable."""
    record = {column: _number(cells.get(column)) for column in ("close", *OPTIONAL)}
    strike = _number(cells["strike"])
    right = (cells["right"] or "").strip().upper()
    expiry, column, fault = as_of, "", ""
    try:
        expiry = _expiry(cells["expiry"] or "")
    except ValueError:
        column, fault = "expiry", "its expiry is not a date YYYYMMDD"
    if not fault:
        if not strike > 0:
            column, fault = "strike", "its strike is not a number above 0"
        elif right not in RIGHTS:
            column, fault = "right", "its right is not C or P"
        elif not record["close"] > 0:
            record["close"], column, fault = _middle(cells)
        if not fault and years_between(as_of, expiry, close_hours) <= 0:
            column, fault = "expiry", "it has expired"
    return (expiry, strike, RIGHTS.get(right, True)), record, column, fault


def _middle(cells: Mapping[str, str | None]) -> tuple[float, str, str]:
    """Return the middle of a row's quotes, and the column and fault for which they tell none."""
    bid, ask = _number(cells.get("bid")), _number(cells.get("ask"))
    if not (bid > 0 and ask > 0):
        return math.nan, "close" if "close" in cells else "bid", "it has no price above 0"
    if bid > ask:
        return math.nan, "bid", "its bid is above its ask"
    if ask > WIDEST * bid:
        return math.nan, "ask", "its quotes are too far apart to tell a price"
    return (bid + ask) / 2, "", ""
