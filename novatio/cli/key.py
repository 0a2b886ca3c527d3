"""``novatio key``: files that hold private keys, and the keys that may sign for an account."""

from __future__ import annotations

import time

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.cli._app import address as address_in
from novatio.cli.trade import show_outcomes

key = Noun("key", help="Key files of mode 600, and the keys of an account.")
COMMANDS = [key]

SCOPES = ("trade", "cancel", "transfer", "pool", "keeper")
_ROOT = 128


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


@key.command("list")
@click.argument("account", type=NATURAL)
@pass_app
def list_keys(app: App, account: int) -> None:
    """List the keys that may sign for ACCOUNT beside (or instead of) its owner's."""
    rows = [
        {
            "address": one.address,
            "scope": "owner" if one.scope & _ROOT else _names(one.scope),
            "first_instrument": one.first_instrument,
            "last_instrument": one.last_instrument,
            "limit_micro": one.limit_micro,
            "expiry_ms": one.expiry_ms,
        }
        for one in app.client().account(account).keys
    ]
    columns = (
        "address", "scope", "first_instrument", "last_instrument", "limit_micro", "expiry_ms",
    )  # fmt: skip
    app.show_rows("keys", rows, columns)


def _names(scope: int) -> str:
    return ",".join(name for bit, name in enumerate(SCOPES) if scope >> bit & 1)


@key.command("grant")
@click.argument("account", type=NATURAL)
@click.argument("address")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it may sign; repeat for more.",
)
@click.option(
    "--limit",
    default="0",
    show_default=True,
    help="Notional that it may open and cash that it may pay, in the settlement asset.",
)
@click.option(
    "--first-instrument", type=click.IntRange(0, (1 << 24) - 1), default=0, help="First instrument."
)
@click.option(
    "--last-instrument",
    type=click.IntRange(0, (1 << 24) - 1),
    default=(1 << 24) - 1,
    help="Last instrument.",
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How long it lives."
)
@pass_app
def grant_key(
    app: App, account: int, address: str, scopes: tuple[str, ...], limit: str,
    first_instrument: int, last_instrument: int, days: int,
) -> None:  # fmt: skip
    """Let ADDRESS sign for ACCOUNT, within bounds; signed with the owner's key in use."""
    from novatio._flows import KeyTerms
    from novatio.orders import micro

    scope = sum(1 << SCOPES.index(name) for name in set(scopes))
    expiry_ms = time.time_ns() // 1_000_000 + days * 86_400_000
    terms = KeyTerms(scope, micro(limit), expiry_ms, first_instrument, last_instrument)
    outcome = app.client().grant_key(account, address_in(address), terms, signer=app.signer())
    show_outcomes(app, [outcome])


@key.command("revoke")
@click.argument("account", type=NATURAL)
@click.argument("address")
@pass_app
def revoke_key(app: App, account: int, address: str) -> None:
    """Take the session key ADDRESS of ACCOUNT back; signed with the owner's key in use."""
    outcome = app.client().revoke_key(account, address_in(address), signer=app.signer())
    show_outcomes(app, [outcome])


@key.command("rotate")
@click.argument("account", type=NATURAL)
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask whether somebody holds the new key.")
@pass_app
def rotate_key(app: App, account: int, address: str, yes: bool) -> None:
    """Put ADDRESS in the place of ACCOUNT's owner: the old key signs nothing any more."""
    new = address_in(address)
    if not yes:
        click.confirm(
            f"from now on only 0x{new.hex()} signs and is paid for account {account}; go on?",
            abort=True,
            err=True,
        )
    show_outcomes(app, [app.client().rotate_key(account, new, signer=app.signer())])
