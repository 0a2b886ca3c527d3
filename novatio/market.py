"""Recorded market data: bars of minutes or days as exact integers.

Two days of real prices come with the package (3 and 4 September 2017, the second with a crash of
ETH by a fifth), so that a demonstration or a simulation needs no network. `load_bars` reads them,
`load_bars_csv` reads a file of your own. Attribution and licence: `novatio/data/NOTICE`.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["SYMBOLS", "Bars", "MarketDataError", "load_bars", "load_bars_csv"]

SYMBOLS: Final = ("BTC", "ETH")
COLUMNS: Final = ("time_utc", "open", "high", "low", "close", "volume")
DAY_COLUMN: Final = "date"  # of daily bars, in the place of the time

PRICE_DECIMALS: Final = 6
VOLUME_DECIMALS: Final = 8
# Far above any market, and 10^3 times below the end of int64 in micro-quote.
PRICE_LIMIT: Final = 10**10
VOLUME_LIMIT: Final = 10**10

_PACKAGED: Final = "btc_eth_1m_2017-09-03_04.csv.gz"
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Integers = npt.NDArray[np.int64]


class MarketDataError(ValueError):
    """A file of bars does not hold what it should; the text names its line and column."""

    def __init__(self, source: str, line: int, column: str, problem: str) -> None:
        """`line` counts from 1, the header included; `problem` says expected, was and next."""
        super().__init__(f"{source}, line {line}, column {column}: {problem}")
        self.source = source
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of one symbol, oldest first: read-only int64 arrays of one shape, (n,) with n >= 1.

    `time_ms` is the start of the bar in milliseconds since 1970-01-01 UTC, strictly increasing; a
    minute without trades may be missing. `open`, `high`, `low` and `close` are in micro-quote
    (price * 10^6), with 0 < low <= open, close <= high < 10^16. `volume` is in 10^-8 coins, with
    0 <= volume < 10^18. All are exact: no price was rounded.
    """

    symbol: str
    time_ms: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers

    def __len__(self) -> int:
        """The number of bars."""
        return len(self.time_ms)


def load_bars(symbol: str) -> Bars:
    """The packaged one-minute bars of "BTC" or "ETH" in USD: 2880 bars, no minute missing.

    They cover 2017-09-03 00:00 to 2017-09-04 23:59 UTC. Raises ValueError for any other symbol.
    """
    if symbol not in SYMBOLS:
        raise ValueError(
            f"expected one of the packaged symbols {', '.join(SYMBOLS)}, was {symbol!r}; "
            "load other markets from a file with load_bars_csv"
        )
    packed = resources.files("novatio").joinpath("data", _PACKAGED).read_bytes()
    text = gzip.decompress(packed).decode("ascii")
    prefix = symbol.lower()
    names = (COLUMNS[0], *(f"{prefix}_{column}" for column in COLUMNS[1:]))
    return _read_bars(text, _PACKAGED, symbol, names)


def load_bars_csv(path: str | Path) -> Bars:
    """Bars from a CSV file (UTF-8) of the columns time_utc, open, high, low, close and volume.

    The first line names the columns; their order is free and other columns are ignored. A file
    ending in .gz is unpacked. Times read `2017-09-04T15:29:00Z`, or a column `date` in their place
    `2017-09-04`, which is the day's beginning; prices have at most 6 decimals, volumes (in coins)
    at most 8. The symbol of the bars is the name of the file without its ending.

    Raises MarketDataError, with line and column, for a missing column, a malformed time or number
    (NaN, infinity, signs and exponents are no numbers here), a time that does not follow the one
    before, or a bar whose low and high do not enclose its open and close. Raises OSError when the
    file cannot be read.
    """
    path = Path(path)
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise MarketDataError(
                path.name, 1, "(any)", f"expected a packed file, was none: {error}"
            ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MarketDataError(
            path.name, line, "(any)", f"expected UTF-8 text, was byte 0x{content[error.start]:02x}"
        ) from error
    symbol = Path(path.name.removesuffix(".gz")).stem
    return _read_bars(text, path.name, symbol, COLUMNS)


def _read_bars(text: str, source: str, symbol: str, names: Sequence[str]) -> Bars:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, ...]] = []
    try:
        header = next(reader, [])
        if names[0] not in header and DAY_COLUMN in header:
            names = (DAY_COLUMN, *names[1:])
        places = _places(header, source, names)
        for fields in reader:
            line = reader.line_num
            if len(fields) != len(header):
                raise MarketDataError(
                    source, line, "(any)", f"expected {len(header)} fields, was {len(fields)}"
                )
            row = _row([fields[place] for place in places], source, line, names)
            if rows and row[0] <= rows[-1][0]:
                raise MarketDataError(
                    source,
                    line,
                    names[0],
                    f"expected a time after that of the bar before, was {fields[places[0]]!r}; "
                    "sort the file by time and drop repeated bars",
                )
            rows.append(row)
    except csv.Error as error:
        raise MarketDataError(source, reader.line_num, "(any)", f"not CSV: {error}") from error
    if not rows:
        raise MarketDataError(source, 2, "(any)", "expected at least one bar, was the end of file")
    return Bars(symbol, *_columns(rows))


def _places(header: Sequence[str], source: str, names: Iterable[str]) -> list[int]:
    for name in names:
        if header.count(name) != 1:
            raise MarketDataError(
                source,
                1,
                name,
                f"expected this column once, was {header.count(name)} times in {','.join(header)!r}"
                "; the first line of the file names its columns",
            )
    return [header.index(name) for name in names]


def _row(fields: Sequence[str], source: str, line: int, names: Sequence[str]) -> tuple[int, ...]:
    def fault(place: int, problem: str) -> MarketDataError:
        return MarketDataError(source, line, names[place], problem)

    daily = names[0] == DAY_COLUMN
    time_ms = _milliseconds(fields[0], daily)
    if time_ms is None:
        like = "day like 2017-09-04" if daily else "time like 2017-09-04T15:29:00Z"
        raise fault(0, f"expected a {like}, was {fields[0]!r}")
    prices: list[int] = []
    for place in range(1, 5):
        price = _scaled(fields[place], PRICE_DECIMALS, PRICE_LIMIT)
        if not price:
            raise fault(
                place,
                f"expected a price above 0 and below {PRICE_LIMIT} with at most {PRICE_DECIMALS} "
                f"decimals, was {fields[place]!r}",
            )
        prices.append(price)
    volume = _scaled(fields[5], VOLUME_DECIMALS, VOLUME_LIMIT)
    if volume is None:
        raise fault(
            5,
            f"expected a volume from 0 and below {VOLUME_LIMIT} with at most {VOLUME_DECIMALS} "
            f"decimals, was {fields[5]!r}",
        )
    opened, high, low, close = prices
    if high < max(opened, close):
        raise fault(2, f"expected at least open and close, was {fields[2]!r}")
    if low > min(opened, close):
        raise fault(3, f"expected at most open and close, was {fields[3]!r}")
    return time_ms, opened, high, low, close, volume


def _milliseconds(text: str, daily: bool) -> int | None:
    if (_DAY if daily else _TIME).fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(f"{text}T00:00:00Z" if daily else text)
    except ValueError:  # A calendar without such a day or hour.
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _scaled(text: str, decimals: int, limit: int) -> int | None:
    """The number times 10^decimals as an exact integer; None if it is none or out of bounds.

    By its digits, because a Decimal of the default context rounds after 28 of them.
    """
    if _NUMBER.fullmatch(text) is None:
        return None
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > decimals:
        return None
    scaled = int(whole + fraction.ljust(decimals, "0"))
    return scaled if scaled < limit * 10**decimals else None


def _columns(rows: Sequence[tuple[int, ...]]) -> list[Integers]:
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    for column in columns:
        column.flags.writeable = False
    return columns
