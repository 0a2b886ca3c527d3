"""The rules of the repository that no linter knows, each checked over every file."""

import ast
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("clearing", "verifier", "prover", "node", "risk", "simulator", "novatio")
ROOMS = (*PACKAGES, "tests", "bench", "proto", "docs", ".ci")
TEXT_ENDINGS = {".py", ".pyi", ".proto", ".md", ".toml", ".yaml", ".yml", ".cfg", ".txt", ""}

LINE_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700

# Whatever may differ between two runs or two machines has no place in the law.
LAW_BANS = re.compile(
    "asyncio|concurrent|datetime|fcntl|getpass|glob|hashlib|io|locale|logging|math|multiprocessing"
    "|os|pathlib|pickle|platform|queue|random|secrets|select|selectors|shutil|signal|socket"
    "|sqlite3|ssl|subprocess|tempfile|threading|time|urllib|uuid|zoneinfo"
    "|click|grpc|plyvel|prometheus_client|rich|structlog"
)
# Compiling the law and reaching the C library for signatures happens around the law, not in it.
LAW_ALLOWS = {
    "compiler.py": {"fcntl", "hashlib", "os", "pathlib", "shutil", "time"},
    "recovery.py": {"os", "pathlib", "threading"},
    "keccak.py": {"os", "pathlib"},
    "_references.py": {"hashlib"},
}
LAW_CALL_BANS = {"eval", "exec", "float", "hash", "id", "input", "open", "print"}
FLOAT_NAMES = {"float16", "float32", "float64", "float_", "half", "single", "double", "longdouble"}

# Split, so that this file does not break the rules that it states.
MARKERS = re.compile(
    r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + ")"
)
MACHINE_PATHS = re.compile(r"(?<![\w.~/-])/(?:" + "|".join(["work", "home", "root", "tmp"]) + ")/")


def is_generated(path: Path) -> bool:
    return "_pb2" in path.name


def text_files() -> list[Path]:
    inside = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*"))]
    return [
        path
        for path in [*sorted(ROOT.iterdir()), *inside]
        if path.is_file() and path.suffix in TEXT_ENDINGS and "__pycache__" not in path.parts
    ]


def sources(*rooms: str) -> list[Path]:
    return [
        path
        for path in text_files()
        if path.suffix == ".py"
        and not is_generated(path)
        and (not rooms or path.relative_to(ROOT).parts[0] in rooms)
    ]


def place(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def last_names(nodes: list[ast.expr]) -> set[str]:
    """The last names of decorators or bases: `abc.abstractmethod` and `Rows[T]` count as such."""
    named = {re.split(r"[\[(]", ast.unparse(node))[0].rpartition(".")[2] for node in nodes}
    return named


def law_faults(source: str, allowed: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """What in this source could make two runs of the law differ, as "line: what"."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        for module in modules:
            name = module.partition(".")[0]
            if LAW_BANS.fullmatch(name) and name not in allowed:
                faults.append(f"{line}: imports {module}")
        match node:
            case ast.Constant(value=float() | complex()):
                faults.append(f"{line}: the float {node.value!r}")
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()) if "pathlib" not in allowed:
                faults.append(f"{line}: true division")
            case ast.Call(func=ast.Name(id=name)) if name in LAW_CALL_BANS and not allowed:
                faults.append(f"{line}: calls {name}")
            case ast.Attribute(attr=name) if name in FLOAT_NAMES | {"random"}:
                faults.append(f"{line}: uses {name}")
    return faults


def stubs(source: str) -> list[int]:
    """Lines of the functions without a body that are neither abstract, a protocol's nor typing."""
    tree = ast.parse(source)
    protocols = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "Protocol" in last_names(node.bases)
    ]
    excused = {id(method) for protocol in protocols for method in functions(protocol)}
    lines = []
    for function in functions(tree):
        body = function.body[ast.get_docstring(function) is not None :]
        hollow = bool(body) and all(
            isinstance(line, ast.Pass)
            or (isinstance(line, ast.Expr) and ast.unparse(line) == "...")
            or (isinstance(line, ast.Raise) and "NotImplementedError" in ast.unparse(line))
            for line in body
        )
        declared = last_names(function.decorator_list) & {"abstractmethod", "overload"}
        if hollow and not declared and id(function) not in excused:
            lines.append(function.lineno)
    return lines


def long_functions(source: str) -> list[str]:
    return [
        f"{function.lineno}: {function.name} has {lines} lines"
        for function in functions(ast.parse(source))
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]


def typed_commands(markdown: str) -> list[list[str]]:
    """The `make` and `novatio` commands of fenced blocks and inline code, split into words."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S))
    lines = [line for block in fenced for line in block.replace("\\\n", " ").splitlines()]
    commands = []
    for line in lines + inline:
        words = line.removeprefix("$ ").removeprefix(".venv/bin/")
        if re.match(r"\s*(?:make|novatio)(?:\s|$)", words):
            commands.append(shlex.split(words, comments=True))
    return commands


def make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))


def unknown_word(root: click.Command, words: list[str]) -> str | None:
    """The first word that the tree of commands does not know: a command or an option.

    A placeholder such as `<id>`, `[OPTIONS]` or `...` ends what can be looked up.
    """
    command, context = root, click.Context(root)
    options = {"--help"}
    for parameter in command.params:
        options |= {*parameter.opts, *parameter.secondary_opts}
    for word in words:
        if word[:1] in "<[.":
            break
        if word.startswith("-"):
            option = word.partition("=")[0]
            if option not in options:
                return option
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None:
                return word
            command, context = found, click.Context(found, parent=context)
            for parameter in command.params:
                options |= {*parameter.opts, *parameter.secondary_opts}
    return None


def test_the_law_knows_no_clock_chance_network_or_float():
    faults = [
        f"{place(path)}, line {fault}"
        for path in sources("clearing")
        for fault in law_faults(path.read_text("utf-8"), LAW_ALLOWS.get(path.name, frozenset()))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from os import path",
        "import asyncio.events",
        "x = 1.0",
        "x = 1e6",
        "x = a / b",
        "x /= 2",
        "x = float(a)",
        "x = np.float64(a)",
        "x = np.random.default_rng()",
        "open(a)",
    ],
)
def test_the_check_of_the_law_sees(source):
    assert law_faults(source)


def test_the_check_of_the_law_lets_integers_and_its_own_modules_pass():
    assert not law_faults("from clearing.units import time\nfrom . import os\nx = a // b * 10**6")


def test_lines_functions_and_files_are_short():
    faults = []
    for path in sources():
        source = path.read_text("utf-8")
        lines = source.splitlines()
        faults += [
            f"{place(path, number)} has {len(line)} characters"
            for number, line in enumerate(lines, 1)
            if len(line) > LINE_MAX
        ]
        faults += [f"{place(path)}, line {fault}" for fault in long_functions(source)]
        if len(lines) > FILE_LINES_MAX:
            faults.append(f"{place(path)} has {len(lines)} lines")
    assert not faults, "\n".join(faults)


def test_a_function_may_have_70_lines_and_no_more():
    assert not long_functions("def f():\n" + "    x = 1\n" * 69)
    assert long_functions("def f():\n" + "    x = 1\n" * 70)


def test_no_function_is_a_stub():
    faults = [place(path, line) for path in sources() for line in stubs(path.read_text("utf-8"))]
    assert not faults, "\n".join(faults)


def test_the_check_of_stubs_tells_them_from_declarations():
    assert stubs("def f():\n    pass") == [1]
    assert stubs("def f():\n    'Say.'\n    raise NotImplementedError('later')") == [1]
    assert stubs("class A:\n    def f(self): ...") == [2]
    assert not stubs("class A(Protocol[T]):\n    def f(self): ...")
    assert not stubs("@abc.abstractmethod\ndef f():\n    raise NotImplementedError")
    assert not stubs("def f():\n    'Take it, and do nothing with it on purpose.'")
    assert not stubs("def f():\n    return 1")


def test_no_source_is_empty_but_a_package_marker():
    hollow = [
        place(path)
        for path in sources()
        if path.name != "__init__.py"
        and all(isinstance(node, ast.Expr) for node in ast.parse(path.read_text("utf-8")).body)
    ]
    assert not hollow, "\n".join(hollow)


def test_no_text_holds_a_marker_of_unfinished_work_or_a_path_of_one_machine():
    faults = [
        f"{place(path, number)}: {line.strip()[:80]}"
        for path in text_files()
        if not is_generated(path) and path.name != "LICENSE"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if MARKERS.search(line) or MACHINE_PATHS.search(line)
    ]
    assert not faults, "\n".join(faults)


def test_the_patterns_of_markers_and_paths_see_what_they_should():
    assert MARKERS.search("# TO" + "DO: later")
    assert MACHINE_PATHS.search('open("/' + 'tmp/x")')
    assert not MACHINE_PATHS.search("https://example.org/home/x and docs/work/x")


def test_every_make_command_in_the_documents_is_a_target():
    targets = make_targets((ROOT / "Makefile").read_text("utf-8"))
    unknown = [
        f"{place(path)}: make {word}"
        for path in documents()
        for command, *words in typed_commands(path.read_text("utf-8"))
        if command == "make"
        for word in words
        if re.fullmatch("[a-z-]+", word) and word not in targets
    ]
    assert not unknown, "\n".join(unknown)


def test_every_novatio_command_in_the_documents_exists():
    commands = [
        (path, words)
        for path in documents()
        for command, *words in typed_commands(path.read_text("utf-8"))
        if command == "novatio" and words
    ]
    if commands:
        cli = importlib.import_module("novatio.cli")
        root = next(value for value in vars(cli).values() if isinstance(value, click.Group))
        unknown = [
            f"{place(path)}: novatio {' '.join(words)}: no {word}"
            for path, words in commands
            if (word := unknown_word(root, words)) is not None
        ]
        assert not unknown, "\n".join(unknown)


def test_every_entry_of_what_may_happen_says_all_five_things_in_their_order():
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    (chapter,) = re.findall(r"^## When something happens\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    _, *entries = re.split(r"^### ", chapter, flags=re.M)
    assert len(entries) >= 17
    for entry in entries:
        title, *lines = entry.strip().splitlines()
        labels = [found[1] for line in lines if (found := re.match(r"\*(\w+)\.\* \S", line))]
        assert labels == ["Description", "Risk", "Mitigation", "Detection", "Recovery"], title


def documents() -> list[Path]:
    return [path for path in text_files() if path.suffix == ".md"]


def test_commands_are_found_in_fences_and_inline_but_not_in_prose():
    markdown = (
        "To make it, run `make demo` or `novatio status`.\n"
        "```console\n$ make sim SEED=7  # a world\n$ .venv/bin/novatio order \\\n  place -o json\n"
        "make: done\n```\n"
    )
    assert typed_commands(markdown) == [
        ["make", "sim", "SEED=7"],
        ["novatio", "order", "place", "-o", "json"],
        ["make", "demo"],
        ["novatio", "status"],
    ]


def test_help_knows_every_target_with_an_example():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    explained = re.findall(r"^([a-z]+):.*## .*\(example: make\b.*\)$", makefile, re.MULTILINE)
    assert set(explained) == make_targets(makefile)


def test_targets_are_told_from_variables():
    assert make_targets("demo: setup\nSEED := 1\nx := 2\nlint-all:\n") == {"demo", "lint-all"}


def test_commands_and_options_are_looked_up_in_the_tree():
    leaf = click.Command("place", params=[click.Option(["-o", "--output"])])
    root = click.Group("novatio", commands={"order": click.Group("order", {"place": leaf})})

    assert unknown_word(root, ["order", "place", "-o", "json"]) is None
    assert unknown_word(root, ["order", "--help"]) is None
    assert unknown_word(root, ["order", "drop"]) == "drop"
    assert unknown_word(root, ["order", "place", "--colour=no"]) == "--colour"


def test_the_newest_version_of_the_changelog_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == project["version"]


def test_every_version_of_the_changelog_puts_safety_first():
    _, *versions = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.M)
    for version in versions:
        sections = re.findall(r"^### (\w+)", version, re.MULTILINE)
        assert sections == ["Safety", "Features", "Internals"], version.splitlines()[0]
