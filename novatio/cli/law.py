"""``novatio law``: the formulas and the rejections of the law, without a node."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearing.formulas import Formula

law = Noun("law", help="Formulas and rejections of the law; needs no node.")
COMMANDS = [law]
WIDTH_MAX = 100
NO_BREAK = "\N{NO-BREAK SPACE}"
SHORT_UNITS = {
    "micro-quote per lot": "micro/lot",
    "1e-12 micro-quote per lot": "1e-12 micro/lot",
    "micro-quote": "micro",
    "milliseconds": "ms",
    "yes or no": "0|1",
}


@law.command("list")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@pass_app
def list_law(app: App, words: tuple[str, ...]) -> None:
    """List the formulas that `law eval` computes, of all or with each WORD in name or summary.

    Each with its origin: "law", the law runs its functions, or "peer", a published model to compare
    with; then its arguments with their units, in brackets those that may be left out. The words
    may be an origin too. `law show NAME` tells bounds and results of one; `-o json` those of all.
    """
    from clearing.formulas import FORMULAS

    rows = [
        _record(formula)
        for formula in FORMULAS.values()
        if all(_is_of(formula, word.lower()) for word in words)
    ]
    if not rows:
        raise NotFound(
            f"formula: expected a word of one of the {len(FORMULAS)}, was {' '.join(words)}",
            next_step="novatio law list",
        )
    if app.form != "table":
        app.show_rows("formulas", rows)
        return
    width = min(WIDTH_MAX, shutil.get_terminal_size().columns)
    for row in rows:
        click.echo(_wrapped(f"{row['name']} ({row['origin']}): {row['summary']}", width))
        click.echo(_wrapped(f"    {_taken(FORMULAS[row['name']])}", width))
    app.note("novatio law show NAME: arguments, results, units and bounds of one")


@law.command("show")
@click.argument("name")
@pass_app
def show_law(app: App, name: str) -> None:
    """Show formula NAME: what it says, whose it is, arguments and results with units and bounds."""
    formula = _formula(name)
    if app.form != "table":
        app.show(_record(formula))
        return
    click.echo(f"{formula.name}: {formula.summary}")
    if formula.note:
        click.echo(formula.note)
    for demand in formula.demands:
        click.echo(f"Expects {demand.text}.")
    if formula.law:
        click.echo(f"Origin: law; it calls {', '.join(_record(formula)['law'])}.")
    else:
        click.echo("Origin: peer; the law does not run it, or not so.")
    click.echo(_record(formula)["python"])
    for side in (formula.arguments, formula.results):
        rows = [row for one in side for row in _lines(one)]
        columns = ("name", "unit", "low", "high", "default", "most")
        is_result = side is formula.results
        rows = [{"result" if is_result else "argument": row["name"]} | row for row in rows]
        shown = ("result", "unit") if is_result else ("argument", *columns[1:])
        click.echo("")
        app.show_rows("quantities", rows, shown)


@law.command("eval")
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--json", "document", metavar="OBJECT", help="All arguments as one JSON object.")
@pass_app
def eval_law(app: App, name: str, arguments: tuple[str, ...], document: str | None) -> None:
    """Compute formula NAME; one of origin "law" by the functions that the law itself runs.

    Values are whole numbers in the law's units, or lists as JSON: `law show NAME` tells which.
    They stand as KEY=VALUE or in one object: --json '{"value": 1000000, "rate_ppm": 300}'.
    """
    from clearing.formulas import FormulaError, evaluate
    from clearing.formulas.quantities import short

    formula = _formula(name)
    values = _document(document) | dict(map(_argument, arguments))
    try:
        found = evaluate(name, values)
    except FormulaError as error:
        raise BadRequest(
            str(error),
            reason="FORMULA",
            metadata={key: short(value) for key, value in values.items()},
            next_step=f"novatio law show {name}",
        ) from error
    if app.form == "table":
        rows = [
            {"name": r.name, "value": str(found[r.name]), "unit": r.unit} for r in formula.results
        ]
        app.show_rows("results", rows)
        return
    units = {result.name: result.unit for result in formula.results}
    if app.form == "csv":
        cells: list[dict[str, Any]] = [
            {"name": key, "value": found[key], "unit": unit} for key, unit in units.items()
        ]
        app.show_rows("results", cells)
        return
    # Every result is a number here, lots too: what the same call returns in Python.
    click.echo(json.dumps({"formula": name, "results": found, "units": units}, indent=2))


@law.command("codes")
@pass_app
def list_codes(app: App) -> None:
    """List the outcomes of an action, in order of precedence."""
    from clearing.codes import ACCEPTANCE, Code

    rows = [
        {"code": int(code), "name": code.name, "acceptance": ACCEPTANCE.get(code)} for code in Code
    ]
    app.show_rows("codes", rows)


def _argument(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    try:
        found = json.loads(value.replace("_", "") if value.lstrip("-")[:1].isdecimal() else value)
    except ValueError:
        found = None
    if not key or not isinstance(found, int | list):
        raise click.UsageError(f"expected KEY=VALUE with a whole number or a list, was {text!r}")
    return key, found


def _document(text: str | None) -> dict[str, Any]:
    """Return the arguments of `--json`; the formula judges each value."""
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--json: expected a JSON object, was not JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.UsageError(f"--json: expected a JSON object, was {type(found).__name__}")
    return found


def _formula(name: str) -> Formula:
    from clearing.formulas import FORMULAS, names_like

    if name not in FORMULAS:
        raise NotFound(
            f"formula: expected {names_like(name)}, was {name}",
            metadata={"name": name},
            next_step="novatio law list",
        )
    return FORMULAS[name]


def _is_of(formula: Formula, word: str) -> bool:
    if word in ("law", "peer"):
        return word == formula.origin
    return word in f"{formula.name} {formula.summary}".lower()


def _wrapped(text: str, width: int) -> str:
    lines = textwrap.fill(text, width, subsequent_indent="    ", break_on_hyphens=False)
    return lines.replace(NO_BREAK, " ")


def _taken(formula: Formula) -> str:
    """Return the arguments with short units: `mark_price micro/lot, [elapsed_ms ms]`."""
    return ", ".join(
        text if one.default is None else f"[{text}]"
        for one, text in zip(formula.arguments, map(_with_unit, formula.arguments), strict=True)
    )


def _with_unit(one: Any) -> str:
    unit = _short_unit(one)
    # A name stands in one line with a short unit.
    return f"{one.name} {unit}".replace(" ", NO_BREAK if len(unit) < WIDTH_MAX // 4 else " ")


def _short_unit(one: Any) -> str:
    columns, item = getattr(one, "columns", None), getattr(one, "item", None)
    if columns:
        return f"rows of ({', '.join(map(_with_unit, columns))})"
    if item:
        return f"list of {_short_unit(item)}"
    unit: str = one.unit
    return SHORT_UNITS.get(unit, unit)


def _record(formula: Formula) -> dict[str, Any]:
    return {
        "name": formula.name,
        "origin": formula.origin,
        "summary": formula.summary,
        "note": formula.note or None,
        "law": [f"clearing.{function}" for function in formula.law],
        "python": f"from clearing.formulas import {formula.name}",
        "expects": [demand.text for demand in formula.demands],
        "arguments": [_quantity(one) for one in formula.arguments],
        "results": [_quantity(one) for one in formula.results],
    }


def _quantity(one: Any) -> dict[str, Any]:
    """Return a quantity, with `item` of a list, `columns` of a table, and how many at most."""
    item, columns = getattr(one, "item", None), getattr(one, "columns", ())
    bounded = item or one
    return {
        "name": one.name,
        "unit": one.unit,
        "low": str(bounded.low) if hasattr(bounded, "low") else None,
        "high": str(bounded.high) if hasattr(bounded, "high") else None,
        "default": "[]" if one.default == () else None if one.default is None else str(one.default),
        "most": getattr(one, "length_max", None),
        "columns": [_quantity(column) for column in columns],
    }


def _lines(one: Any, before: str = "") -> Iterator[dict[str, Any]]:
    """Yield the rows of `law show`: a quantity, or the columns of a table under its name."""
    row = _quantity(one)
    columns = getattr(one, "columns", ())
    yield row | {"name": before + row["name"]} | ({"unit": "rows"} if columns else {})
    for column in columns:
        yield from _lines(column, f"{before}{one.name}[].")
