"""The law's formulas from plain numbers, for people and tools that want to check one.

    evaluate("liquidation_price", {"mark_price": 100, "penalty_ppm": 10_000, "held_lots": 5})

Each entry calls the functions that the law itself runs; nothing is computed a second time here.
Units, bounds and sources are those of docs/protocol.md, sections 1 and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from clearing._formula_entries import (
    account_margin,
    band,
    entry_cost_after,
    fee,
    fraction_ppm,
    funding_change,
    funding_payment,
    funding_rate,
    improvement,
    jump,
    legal_transition,
    liquidation_price,
    liquidation_size,
    lower_median,
    open_interest_after,
    outflow,
    position_margin,
    premium,
)
from clearing.units import (
    FEE_PPM_MAX,
    FUNDING_ELAPSED_MS_MAX,
    LOTS_MAX,
    OBSERVATIONS_MAX,
    POSITIONS_MAX,
    PPM,
    PRICE_MAX,
)

CASH_MAX = 1 << 62
INDEX_CHANGE_MAX = 1 << 78  # 1e-12 micro-quote per lot since a position was last touched
SAMPLES_MAX = 1 << 40

Value: TypeAlias = int | Sequence[int] | Sequence[Mapping[str, int]]


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
        # bool is an int to Python, and NaN compares with nothing: the type decides.
        if type(value) is not int:
            raise FormulaError(f"{self.name}: expected a whole number of {self.unit}, was {value}")
        if not self.low <= value <= self.high:
            raise FormulaError(
                f"{self.name}: expected {self.low} .. {self.high} {self.unit}, was {value}"
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
        return [self.item.read(item) for item in items]


@dataclass(frozen=True)
class Table:
    """A list of at most `length_max` rows, each a mapping of the columns."""

    name: str
    columns: tuple[Quantity, ...]
    length_max: int
    default: None = None

    @property
    def unit(self) -> str:
        """The columns with their units."""
        return "rows of " + ", ".join(f"{c.name} ({c.unit})" for c in self.columns)

    def read(self, value: object) -> list[dict[str, Any]]:
        """Return the rows, every column set. Raises FormulaError."""
        rows = _items(self.name, value, 0, self.length_max)
        return [_bind(f"{self.name}[{i}]", self.columns, row) for i, row in enumerate(rows)]


@dataclass(frozen=True)
class Formula:
    """A named formula: what it takes, what it gives, and the law's function behind it."""

    name: str
    summary: str
    arguments: tuple[Quantity | Series | Table, ...]
    results: tuple[Quantity, ...]
    run: Callable[..., Any]


def evaluate(name: str, arguments: Mapping[str, Value]) -> dict[str, int | bool]:
    """Return the results of formula `name` by name; yes-or-no results are bool.

    Raises FormulaError for an unknown formula or argument, a missing one, one that is no integer
    or out of its bounds, and a result that leaves 64 bits.
    """
    if name not in FORMULAS:
        raise FormulaError(f"expected a formula of {', '.join(FORMULAS)}; was {name}")
    formula = FORMULAS[name]
    bound = _bind(name, formula.arguments, arguments)
    try:
        outcome = formula.run(**bound)
    except ArithmeticError as error:
        raise FormulaError(
            f"{name}: expected numbers of 64 bits on the way, but one outgrew them; "
            "the law would have stopped here; use smaller arguments"
        ) from error
    values = outcome if isinstance(outcome, tuple) else (outcome,)
    return {
        quantity.name: bool(value) if quantity.unit == YES_OR_NO else int(value)
        for quantity, value in zip(formula.results, values, strict=True)
    }


def _bind(
    where: str, expected: Sequence[Quantity | Series | Table], given: object
) -> dict[str, Any]:
    """Return every expected argument, read; nothing may be missing or left over."""
    names = [argument.name for argument in expected]
    if not isinstance(given, Mapping):
        raise FormulaError(f"{where}: expected a mapping of {', '.join(names)}, was {given}")
    unknown = [str(name) for name in given if name not in names]
    missing = [a.name for a in expected if a.name not in given and a.default is None]
    if unknown or missing:
        raise FormulaError(
            f"{where}: expected {', '.join(names)}"
            + (f"; missing {', '.join(missing)}" if missing else "")
            + (f"; unknown {', '.join(unknown)}" if unknown else "")
        )
    return {a.name: a.read(given[a.name]) if a.name in given else a.default for a in expected}


def _items(name: str, value: object, least: int, most: int) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise FormulaError(f"{name}: expected a list, was {value}")
    if not least <= len(value) <= most:
        raise FormulaError(f"{name}: expected {least} .. {most} values, was {len(value)}")
    return cast("Sequence[object]", value)


YES_OR_NO = "yes or no"
MICRO, LOT, PRICE, PPMS = "micro-quote", "lots", "micro-quote per lot", "ppm"
INDEX = "1e-12 micro-quote per lot"


def _micro(name: str, low: int = -CASH_MAX, high: int = CASH_MAX) -> Quantity:
    return Quantity(name, MICRO, low, high)


def _lots(name: str, low: int = -LOTS_MAX) -> Quantity:
    return Quantity(name, LOT, low, LOTS_MAX)


def _price(name: str, high: int = PRICE_MAX) -> Quantity:
    return Quantity(name, PRICE, 1, high)


def _ppm(name: str, low: int = 0, high: int = PPM) -> Quantity:
    return Quantity(name, PPMS, low, high)


_MARK = _price("mark_price")
_TIER = (
    _ppm("initial_ppm", 1),
    Quantity("open_interest_lower", MICRO, 0, CASH_MAX - 1, 0),
    Quantity("open_interest_upper", MICRO, 1, CASH_MAX, CASH_MAX),
)
_HELD = Quantity("open_interest", LOT, 0, CASH_MAX, 0)
_POSITIONS = Table(
    "positions",
    (
        _lots("lots"),
        _MARK,
        *_TIER,
        _ppm("maintenance_ppm", 1),
        _HELD,
        Quantity("index_change", INDEX, -INDEX_CHANGE_MAX, INDEX_CHANGE_MAX, 0),
    ),
    POSITIONS_MAX,
)
_ACCOUNT = (_micro("cash"), _POSITIONS)
_OLD = (_micro("old_equity"), _micro("old_maintenance", 0))
_SIZES = (_lots("old_lots"), _lots("new_lots"))

_ALL = (
    Formula(
        "initial_fraction_ppm",
        "The initial margin fraction of a tier, scaled by the market's open interest.",
        (*_TIER, Quantity("open_interest", LOT, 0, CASH_MAX), _MARK),
        (_ppm("fraction_ppm"),),
        fraction_ppm,
    ),
    Formula(
        "position_value",
        "What a position is worth at the mark: lots * mark, negative for a short.",
        (_lots("lots"), _MARK),
        (_micro("value"),),
        lambda lots, mark_price: position_margin(lots, mark_price, 0, 0)[0],
    ),
    Formula(
        "initial_margin",
        "The initial margin of a position at a fraction, rounded up.",
        (_lots("lots"), _MARK, _ppm("fraction_ppm")),
        (_micro("initial_margin"),),
        lambda lots, mark_price, fraction_ppm: position_margin(lots, mark_price, fraction_ppm, 0)[
            1
        ],
    ),
    Formula(
        "maintenance_margin",
        "The maintenance margin of a position, rounded up; never scaled.",
        (_lots("lots"), _MARK, _ppm("maintenance_ppm")),
        (_micro("maintenance_margin"),),
        lambda lots, mark_price, maintenance_ppm: position_margin(
            lots, mark_price, 0, maintenance_ppm
        )[2],
    ),
    Formula(
        "equity",
        "Cash and positions at the mark, less the funding they owe.",
        _ACCOUNT,
        (_micro("equity"),),
        lambda cash, positions: account_margin(cash, positions, 0)[0],
    ),
    Formula(
        "account_margin",
        "Equity and margins of a cross account; free collateral is equity less initial margin.",
        (*_ACCOUNT, _ppm("transfer_margin_ppm")),
        (
            _micro("equity"),
            _micro("initial_margin"),
            _micro("maintenance_margin"),
            _micro("gross_notional"),
            _micro("free_collateral"),
            _micro("withdrawable"),
        ),
        account_margin,
    ),
    Formula(
        "transfer_margin",
        "What an account that hands out cash must keep.",
        (_micro("initial_margin", 0), _micro("gross_notional", 0), _ppm("transfer_margin_ppm")),
        (_micro("kept"),),
        outflow,
    ),
    Formula(
        "is_improvement",
        "Whether an account below initial margin became no worse.",
        (*_OLD, _micro("new_equity"), _micro("new_maintenance", 0)),
        (Quantity("improves", YES_OR_NO),),
        improvement,
    ),
    Formula(
        "legal_transition",
        "Whether a trade may bring an account to its new position in one instrument.",
        (
            *_OLD,
            _micro("new_equity"),
            _micro("new_initial", 0),
            _micro("new_maintenance", 0),
            *_SIZES,
        ),
        (Quantity("legal", YES_OR_NO),),
        legal_transition,
    ),
    Formula(
        "fee",
        "The fee on a value: up if it is paid, down if it is a rebate (a negative rate).",
        (_micro("value", 0), _ppm("rate_ppm", -FEE_PPM_MAX, FEE_PPM_MAX)),
        (_micro("fee"),),
        fee,
    ),
    Formula(
        "entry_cost_after",
        "The entry cost of a position after a fill; a decrease releases it pro rata.",
        (
            _lots("held_lots"),
            _micro("entry_cost"),
            _lots("lots"),
            _price("price"),
        ),
        (_micro("entry_cost"),),
        entry_cost_after,
    ),
    Formula(
        "open_interest_after",
        "The sum of long lots after lots went from one account to another.",
        (
            Quantity("open_interest", LOT, 0, CASH_MAX),
            _lots("receiver_lots"),
            _lots("giver_lots"),
            _lots("lots"),
        ),
        (Quantity("open_interest", LOT),),
        open_interest_after,
    ),
    Formula(
        "premium_ppm",
        "The premium of mark over index that a price action adds as a sample.",
        (_MARK, _price("index_price")),
        (_ppm("premium_ppm", -PPM),),
        premium,
    ),
    Formula(
        "funding_rate",
        "The mean premium sample, towards zero, within the cap; per period of eight hours.",
        (
            Quantity("premium_sum", PPMS),
            Quantity("samples", "price actions", 1, SAMPLES_MAX),
            _ppm("cap_ppm"),
        ),
        (_ppm("rate_ppm", -PPM),),
        funding_rate,
    ),
    Formula(
        "funding_index_change",
        "How far a funding action moves the index, rounded down.",
        (
            _ppm("rate_ppm", -PPM),
            _MARK,
            Quantity("elapsed_ms", "milliseconds", 0, FUNDING_ELAPSED_MS_MAX),
        ),
        (Quantity("index_change", INDEX),),
        funding_change,
    ),
    Formula(
        "funding_payment",
        "What a position owes for a change of the index: up if it pays, down if it receives.",
        (
            _lots("lots"),
            Quantity("index_change", INDEX, -INDEX_CHANGE_MAX, INDEX_CHANGE_MAX),
        ),
        (_micro("owed"),),
        funding_payment,
    ),
    Formula(
        "liquidation_lots",
        "The lots whose sale restores equity to maintenance margin plus the buffer.",
        (
            _micro("equity"),
            _micro("maintenance", 0),
            _MARK,
            _ppm("maintenance_ppm"),
            _ppm("buffer_ppm"),
            _ppm("cost_ppm", 0, 2 * PPM),
            _lots("held_lots", 1),
        ),
        (Quantity("lots", LOT),),
        liquidation_size,
    ),
    Formula(
        "liquidation_price",
        "The mark less the penalty for a long, plus it for a short.",
        (_MARK, _ppm("penalty_ppm"), _lots("held_lots")),
        (Quantity("price", PRICE),),
        liquidation_price,
    ),
    Formula(
        "median",
        "The lower median of observations.",
        (Series("values", Quantity("value", "any unit", 0), OBSERVATIONS_MAX),),
        (Quantity("median", "any unit"),),
        lower_median,
    ),
    Formula(
        "price_jump",
        "Whether a price moves further than the bound; last price 0 means none yet.",
        (Quantity("last_price", PRICE, 0, PRICE_MAX), _price("price_now"), _ppm("jump_ppm")),
        (Quantity("jumps", YES_OR_NO),),
        jump,
    ),
    Formula(
        "price_band",
        "Whether a price lies within the band around the mark.",
        (_price("price"), _MARK, _ppm("band_ppm")),
        (Quantity("within", YES_OR_NO),),
        band,
    ),
)

FORMULAS: dict[str, Formula] = {formula.name: formula for formula in _ALL}
