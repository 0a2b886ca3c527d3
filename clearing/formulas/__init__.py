"""The law's formulas from plain numbers, for people and tools that want to check one.

    evaluate("liquidation_price", {"mark_price": 100, "penalty_ppm": 10_000, "held_lots": 5})

    from clearing.formulas import liquidation_price
    liquidation_price(100, 10_000, 5)

A formula of origin "law" calls the functions that the law itself runs, and names them; nothing is
computed a second time here. One of origin "peer" is a published model to compare with, or combines
functions of the law as a peer does. Units, bounds and sources are those of docs/protocol.md,
sections 1 and 8. One module a subject holds its formulas.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast

from clearing.formulas import (
    auctions,
    collateral,
    funding_models,
    governance,
    limits,
    marking,
    netting,
    options,
    oracle,
    pool,
    portfolio,
    prices,
    standard,
    trading,
    waterfall,
)
from clearing.formulas.quantities import (
    YES_OR_NO,
    Formula,
    FormulaError,
    Quantity,
    Result,
    Series,
    Table,
    Value,
    bind,
)

__all__ = [
    "FORMULAS",
    "Formula",
    "FormulaError",
    "Quantity",
    "Series",
    "Table",
    "evaluate",
    "names_like",
]

SUBJECTS = (
    trading,
    marking,
    auctions,
    waterfall,
    collateral,
    funding_models,
    governance,
    limits,
    netting,
    options,
    standard,
    oracle,
    pool,
    portfolio,
    prices,
)
FORMULAS: dict[str, Formula] = {
    formula.name: formula for subject in SUBJECTS for formula in subject.FORMULAS
}


def evaluate(name: str, arguments: Mapping[str, Value]) -> dict[str, Result]:
    """Return the results of formula `name` by name; yes-or-no results are bool,
    lists of results are lists.

    Raises FormulaError for an unknown formula or argument, a missing one, one that is no integer
    or out of its bounds, and a result that leaves 64 bits.
    """
    if name not in FORMULAS:
        raise FormulaError(f"expected {names_like(name)}; was {name}")
    formula = FORMULAS[name]
    bound = bind(name, formula.arguments, arguments)
    for demand in formula.demands:
        if not demand.holds(bound):
            raise FormulaError(f"{name}: expected {demand.text}")
    try:
        outcome = formula.run(**bound)
    except ArithmeticError as error:
        raise FormulaError(
            f"{name}: expected numbers of 64 bits on the way, but one outgrew them; "
            "the law would have stopped here; use smaller arguments"
        ) from error
    values = outcome if isinstance(outcome, tuple) else (outcome,)
    return {
        quantity.name: _plain(quantity, value)
        for quantity, value in zip(formula.results, values, strict=True)
    }


def names_like(name: str) -> str:
    """Return words for what formulas a wrong name may have meant."""
    near = get_close_matches(name, FORMULAS, 5)
    near += [known for known in FORMULAS if name and name in known and known not in near][:5]
    return f"one of the {len(FORMULAS)} formulas" + (f", like {', '.join(near)}" if near else "")


def __getattr__(name: str) -> Callable[..., Any]:
    """Return formula `name` as a function of its arguments, in order or by name.

    It returns its one result, or several as a named tuple, and raises what `evaluate` does.
    """
    if name not in FORMULAS:
        raise AttributeError(f"{__name__}: expected {names_like(name)}, was {name}")
    return _function(FORMULAS[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *FORMULAS})


def _function(formula: Formula) -> Callable[..., Any]:
    names = [argument.name for argument in formula.arguments]
    kind = cast(Any, namedtuple)(formula.name, [result.name for result in formula.results])

    def function(*values: Value, **named: Value) -> Any:
        given = dict(zip(names, values, strict=False))
        twice = sorted(given.keys() & named.keys())
        if len(values) > len(names) or twice:
            raise FormulaError(
                f"{formula.name}: expected at most {len(names)} arguments, each once: "
                f"{', '.join(names)}; was {len(values)} in order"
                + (f" and {', '.join(twice)} again" if twice else "")
            )
        found = evaluate(formula.name, given | named)
        return kind(**found) if len(found) > 1 else next(iter(found.values()))

    function.__name__ = function.__qualname__ = formula.name
    function.__doc__ = formula.summary
    return function


def _plain(quantity: Quantity | Series, value: object) -> Result:
    if isinstance(quantity, Series):
        return [int(item) for item in cast("Sequence[int]", value)]
    number = int(cast(int, value))
    return bool(number) if quantity.unit == YES_OR_NO else number
