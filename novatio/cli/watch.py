"""``novatio watch``: what a challenger sees, line by line."""

from __future__ import annotations

import click

from novatio.cli._app import App, Command, pass_app

EXIT_UNAVAILABLE = 5
EXIT_INVALID = 6
PAUSE_MS = 200


@click.command("watch", cls=Command)
@click.option(
    "--mode",
    type=click.Choice(("observe", "defend")),
    default="observe",
    show_default=True,
    help="Only look, or also prove what is wrong, with --key.",
)
@click.option("--once", is_flag=True, help="Judge what is posted now, and leave.")
@pass_app
def watch(app: App, mode: str, once: bool) -> int:
    """Judge every batch that is posted, and say so: verdicts, heads and alerts, a line each.

    Replays the chain from the genesis file. Observing needs no key and sends nothing. -o json
    prints an object a line. With --once the exit code is 6 if a batch breaks the law, 5 if one
    cannot be judged because nobody shows its data.
    """
    from node.reach import stop_on_signals
    from novatio.watch import Watch
    from prover.replica import Replica

    base = app.base()
    seen = Watch(
        base,
        Replica(app.genesis()),
        app.private_key() if mode == "defend" else None,
        app.members(base),
        app.form,
        click.echo,
    )
    if once:
        seen.look()
        return EXIT_INVALID if seen.invalid else EXIT_UNAVAILABLE if seen.unavailable else 0
    seen.follow(stop_on_signals(), PAUSE_MS / 1000)
    return 0


COMMANDS: list[click.Command] = [watch]
