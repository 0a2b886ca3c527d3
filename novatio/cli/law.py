"""``novatio law``: the formulas and the rejections of the law, without a node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from clearing.formulas import Formula

law = Noun("law", help="Formulas and rejections of the law; needs no node.")
COMMANDS = [law]


@law.command("list")
@pass_app
def list_law(app: App) -> None:
    """List the formulas that `law eval` computes; `law show` tells the units of one."""
    from clearing.formulas import FORMULAS

    rows = [_record(formula) for formula in FORMULAS.values()]
    if app.form == "table":
        rows = [
            row
            | {
                side: ", ".join(one["name"] for one in row[side])
                for side in ("arguments", "results")
            }
            for row in rows
        ]
    app.show_rows("formulas", rows, ("name", "arguments", "results"))


@law.command("show")
@click.argument("name")
@pass_app
def show_law(app: App, name: str) -> None:
    """Show formula NAME: what it says, its arguments and results with units and bounds."""
    app.show(_record(_formula(name)))


@law.command("eval")
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--json", "document", metavar="OBJECT", help="All arguments as one JSON object.")
@pass_app
def eval_law(app: App, name: str, arguments: tuple[str, ...], document: str | None) -> None:
    """Compute formula NAME by the functions that the law itself runs.

    Values are whole numbers in the law's units, or lists as JSON: `law show NAME` tells which.
    They stand as KEY=VALUE or in one object: --json '{"value": 1000000, "rate_ppm": 300}'.
    """
    from clearing.formulas import FormulaError, evaluate

    formula = _formula(name)
    values = _document(document) | dict(map(_argument, arguments))
    try:
        found = evaluate(name, values)
    except FormulaError as error:
        raise BadRequest(
            str(error),
            reason="FORMULA",
            metadata={key: str(value) for key, value in values.items()},
            next_step=f"novatio law show {name}",
        ) from error
    if app.form == "table":
        rows = [
            {"name": r.name, "value": str(found[r.name]), "unit": r.unit} for r in formula.results
        ]
        app.show_rows("results", rows)
    else:
        units = {result.name: result.unit for result in formula.results}
        app.show({"formula": name, "results": found, "units": units})


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


def _record(formula: Formula) -> dict[str, Any]:
    return {
        "name": formula.name,
        "summary": formula.summary,
        "arguments": [_quantity(one) for one in formula.arguments],
        "results": [_quantity(one) for one in formula.results],
    }


def _quantity(one: Any) -> dict[str, Any]:
    bounded = hasattr(one, "low")
    return {
        "name": one.name,
        "unit": one.unit,
        "low": str(one.low) if bounded else None,
        "high": str(one.high) if bounded else None,
        "default": None if one.default is None else str(one.default),
    }
