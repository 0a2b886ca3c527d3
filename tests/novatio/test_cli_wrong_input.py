"""Whatever is typed wrongly, a command says what was expected and what to try next.

The cases are made from the commands themselves: a new one is tried without being listed here.
"""

import os

import click
import pytest
from click.testing import CliRunner

from novatio.cli import main

# They run until a signal, or for minutes, once their settings are good: these are tried bad.
LONG = (
    "base", "challenger", "committee member", "demo", "devnet", "feed", "keeper", "node",
    "prove-table", "sim mutants", "sim repro", "sim run", "stress run", "watch",
)  # fmt: skip
NOWHERE = "127.0.0.1:1"
SHARED = {"output", "config", "node", "base", "key"}
TEXTS = (
    "zz",
    "",
    "-1",
    "0x" + "11" * 32,
    "1e400",
    "NaN",
    "0.0000000001",
    "9" * 400,
    "\u00e9\u0000",
)
FILES = ("missing.file", "garbage.bin", "list.json", "object.json", "directory")


def commands(command, path=()):
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from commands(child, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(commands(main))


def wrong(parameter):
    """Return what somebody may give a parameter by mistake; the first one might be meant."""
    kind = parameter.type
    if isinstance(kind, click.IntRange):
        return ("1", "abc", str(kind.max), str(2**70))
    if isinstance(kind, click.FloatRange) or kind is click.FLOAT:
        return ("1", "nan", "-1")
    if isinstance(kind, click.Choice):
        return (str(kind.choices[0]), "nonsense")
    if isinstance(kind, click.Path | click.File):
        return FILES
    return TEXTS


def cases(name, command):
    """Yield arguments with at most one thing wrong, beside that nobody answers."""
    if name in LONG:
        yield ["--no-such"]
        if any(option.name == "sets" for option in command.params):
            yield from (["--config", "missing.file"], ["--set", "nonsense"])
        return
    places = [one for one in command.params if isinstance(one, click.Argument)]
    usual = [wrong(one)[0] for one in places]
    yield []
    yield usual
    yield [*usual, "--config", "garbage.bin"]
    for place, parameter in enumerate(places):
        for value in wrong(parameter)[1:]:
            yield [*usual[:place], value, *usual[place + 1 :]]
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag and option.name not in SHARED:
            for value in wrong(option):
                yield [*usual, option.opts[-1], value]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with files that hold something else than is wanted."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("NOVATIO_")]:
        monkeypatch.delenv(name)
    (tmp_path / "garbage.bin").write_bytes(bytes(range(256)))
    (tmp_path / "list.json").write_text("[1, 2, 3]")
    (tmp_path / "object.json").write_text('{"a": {"b": 1}, "generation": "0x", "claims": 5}')
    (tmp_path / "directory").mkdir()
    # Nobody answers: there is nothing to wait for.
    (tmp_path / "hasty.toml").write_text("[client]\ndeadline_ms = 30\n")
    key = tmp_path / "some.key"
    key.touch(mode=0o600)
    key.write_text("11" * 32)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_mistake_is_answered_with_an_error_and_the_next_step(folder, name):
    command = COMMANDS[name]
    alone = ["--node", NOWHERE, "--base", NOWHERE, "--key", "some.key"]
    hasty = ["--config", "hasty.toml"]
    known = {option for one in command.params for option in one.opts}
    shared = [] if name in LONG or "--node" not in known else alone
    for arguments in cases(name, command):
        given = (
            [*hasty, *name.split(), *arguments, *shared] if shared else [*name.split(), *arguments]
        )
        result = CliRunner().invoke(main, given)
        told = f"novatio {name} {arguments}: {result.exception!r}\n{result.stderr}"
        assert result.exception is None or isinstance(result.exception, SystemExit), told
        if result.exit_code:
            assert "error: " in result.stderr and "\nnext: " in result.stderr, told
            assert "Traceback" not in result.stderr, told


def test_the_cases_hold_mistakes_that_are_refused(folder):
    """So that the test above cannot pass because nothing is ever wrong."""
    refused = 0
    for name in ("account show", "operator rotate", "receipt check", "batch show"):
        for arguments in cases(name, COMMANDS[name]):
            refused += CliRunner().invoke(main, [*name.split(), *arguments]).exit_code != 0
    assert refused > 20
