"""The package's docstring is a map of it: newcomers read the court in its order."""

import re
import tomllib
from pathlib import Path

import verifier

HOME = Path(verifier.__file__).parent
PROJECT = tomllib.loads((HOME.parent / "pyproject.toml").read_text("utf-8"))


def named() -> list[str]:
    """The modules in the order in which the docstring names them, those not deployed last."""
    lines = [line[4:] for line in (verifier.__doc__ or "").splitlines() if line[:4] == " " * 4]
    columns = [re.split(r" {2,}", line)[0].split(", ") for line in lines]
    return [module for column in columns for module in column] + ["base", "account_proof"]


def test_the_map_names_every_module_once():
    modules = {path.stem for path in HOME.glob("*.py")} - {"__init__"}
    assert sorted(named()) == sorted(modules | {"base", "host"})


def test_the_linter_holds_the_modules_to_the_order_of_the_map():
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one.get("containers") == ["verifier"]]
    place = {module: k for k, layer in enumerate(layers) for module in layer.split(" : ")}
    order = [place[module] for module in named()[:-2]]
    assert order == sorted(order, reverse=True)
