"""``novatio feed``: publishers' prices, risk rows and scenarios, and proposed parameters."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import App, pass_app
from novatio.cli.process import process_options, setting
from novatio.output import FORMATS


@click.command("feed", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--once", "mode", flag_value="once", help="Publish one round, report it, and end.")
@click.option(
    "--check",
    "mode",
    flag_value="check",
    help="Rehearse one round on a copy of the markets; publish nothing.",
)
@click.option(
    "--propose",
    "mode",
    flag_value="propose",
    help="Print the margin parameters that governance might change; publish nothing.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(FORMATS),
    default=None,
    help="How to print reports: what was posted, with bytes of each expiry and option.",
)
@pass_app
def feed(
    app: App, mode: str | None, output: str | None, config: str | None, sets: tuple[str, ...]
) -> Any:
    """Publish prices, risk rows and scenarios as signed observations.

    Without [[market]] sections in the configuration: the recorded market.
    """
    from novatio.feed import run

    path = config or app.options.get("config")
    return run(path, dict(map(setting, sets)), mode or "serve", output or app.form)


feed.params += process_options()
COMMANDS = [feed]
