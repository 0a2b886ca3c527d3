"""``novatio law``: the formulas and the rejections of the law, without a node."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import App, Noun, pass_app
from novatio.errors import BadRequest, NotFound

law = Noun("law", help="Formulas and rejections of the law; needs no node.")
COMMANDS = [law]


@law.command("list")
@pass_app
def list_law(app: App) -> None:
    """List the formulas that `law eval` computes, with the units of their arguments."""
    from clearing.formulas import list_formulas

    app.show_rows("formulas", [_record(formula) for formula in list_formulas()])


@law.command("eval")
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@pass_app
def eval_law(app: App, name: str, arguments: tuple[str, ...]) -> None:
    """Compute formula NAME exactly as the law does, from whole numbers in the law's units."""
    from clearing.formulas import evaluate, list_formulas

    known = {str(_record(formula)["name"]) for formula in list_formulas()}
    if name not in known:
        raise NotFound(
            f"formula: expected one of {', '.join(sorted(known))}, was {name}",
            metadata={"name": name},
            next_step="novatio law list",
        )
    values = dict(_argument(text) for text in arguments)
    try:
        result = evaluate(name, values)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise BadRequest(
            f"{name}: {error}", metadata={key: str(value) for key, value in values.items()},
            next_step="novatio law list",
        ) from error  # fmt: skip
    app.show(result if isinstance(result, dict) else {"name": name, "result": str(result)})


@law.command("codes")
@pass_app
def list_codes(app: App) -> None:
    """List the outcomes of an action, in order of precedence."""
    from clearing.codes import ACCEPTANCE, Code

    rows = [
        {"code": int(code), "name": code.name, "acceptance": ACCEPTANCE.get(code)} for code in Code
    ]
    app.show_rows("codes", rows)


def _argument(text: str) -> tuple[str, int]:
    key, equals, value = text.partition("=")
    try:
        number = int(value.replace("_", ""))
    except ValueError:
        equals = ""
    if not equals or not key:
        raise click.UsageError(f"expected KEY=VALUE with a whole number, was {text!r}")
    return key, number


def _record(formula: Any) -> dict[str, Any]:
    fields = ("name", "unit", "arguments", "text")
    return {field: getattr(formula, field) for field in fields}
