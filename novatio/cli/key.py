"""``novatio key``: files that hold private keys."""

from __future__ import annotations

import click

from novatio.cli._app import App, Noun, pass_app

key = Noun("key", help="Key files of mode 600.")
COMMANDS = [key]


@key.command("new")
@click.argument("file", type=click.Path())
@pass_app
def new_key(app: App, file: str) -> None:
    """Write a fresh key to FILE, which must not exist."""
    from novatio.signing import write_key

    app.show({"file": file, "address": write_key(file).address})


@key.command("address")
@pass_app
def show_address(app: App) -> None:
    """Show the address of the key in use."""
    app.show({"address": app.signer().address})
