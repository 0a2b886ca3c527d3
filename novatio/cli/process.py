"""The processes: each runs until a signal, or, the demo, until its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from novatio.cli._app import NATURAL, POSITIVE, App, pass_app

_SETTINGS = {"help_option_names": ["-h", "--help"]}


class Process(click.Command):
    """A command that runs one process by a TOML file and single settings over it."""

    def __init__(self, name: str, help: str, run: Callable[[str | None, dict[str, str]], int]):
        def callback(app: App, config: str | None, sets: tuple[str, ...]) -> int:
            return run(config or app.options.get("config"), dict(map(setting, sets)))

        super().__init__(
            name,
            help=help,
            callback=pass_app(callback),
            context_settings=_SETTINGS,
            params=process_options(),
        )


def process_options() -> list[click.Parameter]:
    """Return the options of every process: its file, and single settings over it."""
    return [
        click.Option(
            ["--config"], metavar="FILE", help="TOML file of the process's configuration."
        ),
        click.Option(
            ["--set", "sets"],
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="One setting, over file and environment; may be repeated.",
        ),
    ]


def setting(text: str) -> tuple[str, str]:
    """Return key and value of one --set. Raises UsageError."""
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise click.UsageError(f"--set: expected SECTION.KEY=VALUE, was {text!r}")
    return key, value


def _node(config: str | None, flags: dict[str, str]) -> int:
    from node.config import Config, load
    from node.runner import run

    return run(load(Config, config, flags=flags).config)


def _base(config: str | None, flags: dict[str, str]) -> int:
    from novatio.processes import run_base

    return run_base(config, flags)


def _challenger(config: str | None, flags: dict[str, str]) -> int:
    from novatio.processes import run_challenger

    return run_challenger(config, flags)


def _keeper(config: str | None, flags: dict[str, str]) -> int:
    from novatio.keeper import run

    return run(config, flags)


@click.command("devnet", context_settings=_SETTINGS)
@click.argument("directory", type=click.Path(file_okay=False), default="devnet")
@click.option(
    "--accounts",
    type=POSITIVE,
    default=240,
    show_default=True,
    help="Margin accounts to open.",
)
@click.option("--seed", type=NATURAL, default=1, show_default=True, help="Seed of keys and orders.")
@click.option(
    "--members",
    type=click.IntRange(0, 7),
    default=0,
    show_default=True,
    help="Committee members that hold the batches' data; 0: all of it is posted.",
)
def devnet(directory: str, accounts: int, seed: int, members: int) -> Any:
    """Run base layer, node, challenger, feed and keeper in one terminal, in DIRECTORY."""
    from novatio.devnet import run

    return run(directory, accounts=accounts, seed=seed, members=members)


@click.command("demo", context_settings=_SETTINGS)
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "json")),
    default="table",
    help="How to print the report.",
)
@click.option(
    "--accounts",
    type=POSITIVE,
    default=240,
    show_default=True,
    help="Margin accounts that trade.",
)
@click.option("--seed", type=NATURAL, default=1, show_default=True, help="Seed of keys and orders.")
@click.option(
    "--minutes",
    type=POSITIVE,
    default=10,
    show_default=True,
    help="Give up after this long.",
)
@pass_app
def demo(app: App, output: str, accounts: int, seed: int, minutes: int) -> Any:
    """Run a market through a crash, a fraud and its proof, and report what happened."""
    from novatio.demo import run

    form = app.form if output == "table" else output
    return run(form, accounts, seed, minutes)


COMMANDS: list[click.Command] = [
    devnet,
    Process("node", "Run the clearing node.", _node),
    Process("base", "Run the simulated base layer.", _base),
    Process("challenger", "Watch the base layer, and prove what is wrong.", _challenger),
    Process("keeper", "Liquidate accounts that fail their margin.", _keeper),
    demo,
]
