"""Which functions of the law lead to which, read from its source: names, nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from inspect import unwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import clearing

ROOT = Path(clearing.__file__).parent
ENTRIES = "clearing.formulas."
ARITHMETIC = "clearing.wide."
DECORATORS = frozenset({"law", "law_inline", "law_entry"})
Graph = Mapping[str, frozenset[str]]


@cache
def sources() -> Mapping[str, ast.Module]:
    """Return the modules of clearing by full name."""
    return {_module(path): ast.parse(path.read_text("utf-8")) for path in ROOT.rglob("*.py")}


@cache
def call_graph() -> Graph:
    """Return the functions and classes of clearing by full name, each with those it names.

    A module's own name stands for what runs when it is imported, outside of any definition.
    """
    defined = {
        f"{module}.{node.name}"
        for module, tree in sources().items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    graph: dict[str, frozenset[str]] = {}
    for module, tree in sources().items():
        own = {
            name.rpartition(".")[2]: name for name in defined if name.rpartition(".")[0] == module
        }
        names = _imported(tree) | own
        loose: frozenset[str] = frozenset()
        for node in tree.body:
            found = frozenset(_named(node, names) & defined)
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                graph[f"{module}.{node.name}"] = found
            else:
                loose |= found
        graph[module] = loose
    return graph


@cache
def law_functions() -> frozenset[str]:
    """Return the functions that are compiled as law; formulas' entries and arithmetic are none."""
    return frozenset(
        f"{module}.{node.name}"
        for module, tree in sources().items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(
            isinstance(name, ast.Name) and name.id in DECORATORS for name in node.decorator_list
        )
        and not f"{module}.".startswith((ENTRIES, ARITHMETIC))
    )


def reachable(roots: Iterable[str], within: str = "clearing.") -> set[str]:
    """Return the roots and all that they lead to, going on from names that begin with `within`."""
    graph = call_graph()
    found: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += graph[name] if name.startswith(within) else ()
    return found


def run_by_the_law() -> set[str]:
    """Return the functions that clearing.step and clearing.sweep lead to."""
    modules = ("clearing.step", "clearing.sweep")
    roots = [name for name in call_graph() if name.startswith(tuple(f"{m}." for m in modules))]
    return reachable([*modules, *roots]) & law_functions()


def called_by(entry: Callable[..., Any]) -> set[str]:
    """Return the functions of the law that a formula's entry calls itself or by other entries."""
    run = unwrap(entry)
    run = getattr(run, "py_func", run)
    roots = [f"{run.__module__}.{run.__qualname__}"]
    if run.__name__ == "<lambda>":
        used = run.__code__.co_names
        values = [run.__globals__.get(name) for name in used]
        values += [vars(v).get(n) for v in values if isinstance(v, ModuleType) for n in used]
        full = (f"{v.__module__}.{v.__name__}" for v in map(unwrap, filter(callable, values)))
        roots = [name for name in full if name in call_graph()]
    return reachable(roots, ENTRIES) & law_functions()


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.AST) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _named(node: ast.AST, names: Mapping[str, str]) -> set[str]:
    """Return the full names in a piece of source: `function`, or `module.function`."""
    parts = list(ast.walk(node))
    # An argument or a variable hides the function of its name.
    hidden = {part.arg for part in parts if isinstance(part, ast.arg)}
    hidden |= {p.id for p in parts if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
    found = set()
    for part in parts:
        if isinstance(part, ast.Name) and part.id in names and part.id not in hidden:
            found.add(names[part.id])
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            name = part.value.id
            found.add("" if name in hidden else f"{names.get(name, '')}.{part.attr}")
    return found
