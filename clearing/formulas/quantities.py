"""What the formulas take and give: integers with units and bounds, lists and tables of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeAlias, cast

from clearing.units import LOTS_MAX, PPM, PRICE_MAX

CASH_MAX = 1 << 62
INDEX_CHANGE_MAX = 1 << 78  # 1e-12 micro-quote per lot since a position was last touched
SAMPLES_MAX = 1 << 40
SHOWN_MAX = 60  # characters of a wrong value in an error

Value: TypeAlias = int | Sequence[int] | Sequence[Mapping[str, Any]]
Result: TypeAlias = int | bool | list[int]


class FormulaError(ValueError):
    """A formula that does not exist or cannot be evaluated; the text says what to do."""


@dataclass(frozen=True)
class Quantity:
    """An integer with its unit and bounds; `default` stands in for an argument left out."""

    name: str
    unit: str
    low: int = -CASH_MAX
    high: int = CASH_MAX
    default: int | None = None

    def read(self, value: object) -> int:
        """Return `value` if it is legal. Raises FormulaError."""
        if type(value) is bool and (self.low, self.high) == (0, 1):
            return int(value)
        # bool is an int to Python, and NaN compares with nothing: the type decides.
        if type(value) is not int:
            raise FormulaError(
                f"{self.name}: expected a whole number ({self.unit}), was {short(value)}"
            )
        if not self.low <= value <= self.high:
            raise FormulaError(
                f"{self.name}: expected {self.low} .. {self.high} ({self.unit}), was {value}"
            )
        return value


@dataclass(frozen=True)
class Series:
    """A list of one to `length_max` values of one quantity."""

    name: str
    item: Quantity
    length_max: int
    default: None = None

    @property
    def unit(self) -> str:
        """The unit of each value."""
        return f"list of {self.item.unit}"

    def read(self, value: object) -> list[int]:
        """Return the values. Raises FormulaError."""
        items = _items(self.name, value, 1, self.length_max)
        each = self.item
        return [replace(each, name=f"{self.name}[{i}]").read(item) for i, item in enumerate(items)]


@dataclass(frozen=True)
class Table:
    """A list of at most `length_max` rows, each a mapping of the columns.

    With the default () it may be left out.
    """

    name: str
    columns: tuple[Quantity | Series, ...]
    length_max: int
    default: tuple[()] | None = None

    @property
    def unit(self) -> str:
        """The columns with their units."""
        return "rows of " + ", ".join(f"{c.name} ({c.unit})" for c in self.columns)

    def read(self, value: object) -> list[dict[str, Any]]:
        """Return the rows, every column set. Raises FormulaError."""
        rows = _items(self.name, value, 0, self.length_max)
        return [self._row(f"{self.name}[{i}]", row) for i, row in enumerate(rows)]

    def _row(self, where: str, row: object) -> dict[str, Any]:
        try:
            return bind(where, self.columns, row)
        except FormulaError as error:
            text = str(error)
            raise FormulaError(text if text.startswith(where) else f"{where}.{text}") from error


@dataclass(frozen=True)
class Demand:
    """What arguments must satisfy together, and how to say so: "expected `text`"."""

    text: str
    holds: Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Formula:
    """A named formula: what it takes, what it gives, and where it comes from.

    `law` names the functions of the law that compute it, as module.function in ``clearing``; none
    if it is a peer's. `note` says how it differs from the venue that publishes it, or what it
    leaves to others.
    """

    name: str
    summary: str
    arguments: tuple[Quantity | Series | Table, ...]
    results: tuple[Quantity | Series, ...]
    run: Callable[..., Any]
    demands: tuple[Demand, ...] = ()
    note: str = ""
    law: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Where it comes from: "law", the law runs it, or "peer", it is there to compare with."""
        return "law" if self.law else "peer"


def bind(
    where: str, expected: Sequence[Quantity | Series | Table], given: object
) -> dict[str, Any]:
    """Return every expected argument, read; nothing may be missing or left over."""
    names = [argument.name for argument in expected]
    if not isinstance(given, Mapping):
        raise FormulaError(f"{where}: expected an object of {', '.join(names)}, was {short(given)}")
    unknown = [str(name) + _meant(str(name), names) for name in given if name not in names]
    missing = [a.name for a in expected if a.name not in given and a.default is None]
    if unknown or missing:
        shown = [a.name if a.default is None else f"[{a.name}]" for a in expected]
        raise FormulaError(
            f"{where}: "
            + (f"missing {', '.join(missing)}; " if missing else "")
            + (f"unknown {', '.join(unknown)}; " if unknown else "")
            + f"expected {', '.join(shown)}"
            + (" ([...] may be left out)" if shown != names else "")
        )
    return {a.name: a.read(given[a.name]) if a.name in given else a.default for a in expected}


def short(value: object) -> str:
    """Return a value as text, cut where it would fill a screen."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."


def _meant(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, 1)
    return f" (meant {near[0]}?)" if near else ""


def _items(name: str, value: object, least: int, most: int) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise FormulaError(f"{name}: expected a list, was {short(value)}")
    if not least <= len(value) <= most:
        raise FormulaError(f"{name}: expected a list of {least} .. {most}, was of {len(value)}")
    return cast("Sequence[object]", value)


YES_OR_NO = "yes or no"
MICRO, LOT, PRICE, PPMS = "micro-quote", "lots", "micro-quote per lot", "ppm"
INDEX = "1e-12 micro-quote per lot"


def micro(name: str, low: int = -CASH_MAX, high: int = CASH_MAX) -> Quantity:
    return Quantity(name, MICRO, low, high)


def lots(name: str, low: int = -LOTS_MAX) -> Quantity:
    return Quantity(name, LOT, low, LOTS_MAX)


def price(name: str, high: int = PRICE_MAX) -> Quantity:
    return Quantity(name, PRICE, 1, high)


def ppm(name: str, low: int = 0, high: int = PPM) -> Quantity:
    return Quantity(name, PPMS, low, high)
