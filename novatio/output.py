"""What commands print: tables for people, JSON and CSV for programs, from the same records.

A record is a mapping whose keys carry the units: ``cash_micro``, ``price_micro``, ``lots``,
``max_fee_ppm``, ``time_ms``. In JSON

* bytes are ``0x`` and all their hexadecimal digits,
* money, lots and places in a sequence (keys that end in ``micro``, ``gwei``, ``lots``,
  ``sequence``, ``token``, ``floor`` or ``funding_index``) are text of digits, always: they have 64
  bits or more, and a type that changed with the size of the number would be a trap,
* every other number is a number, and a time ``..._ms`` gets a twin in RFC 3339, UTC, with ms.

CSV has the values of JSON, a row a record and a column a key; nothing is an empty cell.
Tables shorten hashes and show the twin alone. Nothing here colours or spins unless it is asked to.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any

__all__ = ["FORMATS", "colour_wanted", "plain", "render", "render_rows", "time_text"]

FORMATS = ("table", "json", "csv")
_TEXT_NUMBERS = re.compile(r"(?:.*_)?(?:micro|gwei|lots|sequence|token|floor|funding_index)")
_TIME = re.compile(r"(?:(.*)_)?time_ms|(clock)_ms")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NONE = "-"
_HASH_DIGITS_MAX = 20
_TIME_MS_MAX = 253_402_300_799_999

Record = Mapping[str, Any]


def time_text(time_ms: int) -> str:
    """Return ``2017-09-04T12:00:00.000Z`` for milliseconds since 1970, up to the year 9999."""
    if not 0 <= time_ms <= _TIME_MS_MAX:
        return f"{time_ms} ms"
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z"


def plain(record: Record) -> dict[str, Any]:
    """Return the record as JSON has it; see the rules at the top."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        found[key] = _plain(key, value)
        if _TIME.fullmatch(key) and isinstance(value, int):
            found[key.removesuffix("_ms")] = time_text(value) if value else None
    return found


def render(record: Record, form: str) -> str:
    """Return one record as text: ``json``, ``csv``, or a table of key and value."""
    if form == "json":
        return json.dumps(plain(record), indent=2)
    if form == "csv":
        return _csv([record], ())
    flat = list(_flat(record))
    width = max((len(key) for key, _ in flat), default=0)
    return "\n".join(f"{key:<{width}}  {value}".rstrip() for key, value in flat)


def render_rows(noun: str, rows: Sequence[Record], form: str, columns: Sequence[str] = ()) -> str:
    """Return many records as text: ``{noun: [...]}``, or a table with ``columns`` (all if empty).

    CSV has all keys of the first record. Without records, both still have their headers.
    """
    if form == "json":
        return json.dumps({noun: [plain(row) for row in rows]}, indent=2)
    if form == "csv":
        return _csv(rows, columns)
    names = list(columns) or list(rows[0] if rows else ())
    cells = [[_cell(name, row.get(name)) for name in names] for row in rows]
    heads = [_head(name).upper() for name in names]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    right = [bool(rows) and all(_is_number(name, row.get(name)) for row in rows) for name in names]
    return "\n".join(
        "  ".join(
            text.rjust(width) if numeric else text.ljust(width)
            for text, width, numeric in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [heads, *cells]
    )


def colour_wanted(stream: IO[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether colour may go to ``stream``: a terminal, and NO_COLOR is not set."""
    return not environ.get("NO_COLOR") and stream.isatty()


def _csv(rows: Sequence[Record], columns: Sequence[str]) -> str:
    """Return a header and a line a record; what a record holds in turn is JSON in its cell."""
    cells = [plain(row) for row in rows]
    names = list(cells[0]) if cells else list(columns)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in cells:
        values = [row.get(name) for name in names]
        writer.writerow(
            json.dumps(value) if isinstance(value, dict | list | bool) else value
            for value in values
        )
    return text.getvalue().removesuffix("\n")


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(key, item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and _TEXT_NUMBERS.fullmatch(key):
        return str(value)
    return value


def _head(name: str) -> str:
    return name.removesuffix("_ms") if _TIME.fullmatch(name) else name


def _is_number(name: str, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and not _TIME.fullmatch(name)


def _cell(key: str, value: Any) -> str:
    if value is None or value == "":
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and _TIME.fullmatch(key):
        return time_text(value) if value else _NONE
    if isinstance(value, bytes):
        digits = value.hex()
        return (
            f"0x{digits}" if len(digits) <= _HASH_DIGITS_MAX else f"0x{digits[:8]}..{digits[-6:]}"
        )
    return str(value)


def _flat(record: Record, before: str = "") -> list[tuple[str, str]]:
    """Return (key, text) of a record and what it holds, nested keys behind their parents'."""
    lines: list[tuple[str, str]] = []
    for key, value in record.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            lines += _flat(value, f"{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            for place, item in enumerate(value):
                if isinstance(item, Mapping):
                    lines += _flat(item, f"{name}[{place}].")
                else:
                    lines.append((f"{name}[{place}]", _whole(key, item)))
        else:
            shown = _head(key) if isinstance(value, int) else key
            lines.append((f"{before}{shown}", _whole(key, value)))
    return lines


def _whole(key: str, value: Any) -> str:
    """Like a cell, with room for all of a hash."""
    return "0x" + value.hex() if isinstance(value, bytes) else _cell(key, value)
