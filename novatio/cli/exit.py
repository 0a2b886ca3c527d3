"""``novatio exit``: out of a frozen house with the base layer's bytes alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.cli.root import canonical
from novatio.cli.state import FROM_SNAPSHOT, rebuilt
from novatio.cli.withdraw import WAIT
from novatio.errors import NotFound

exit_ = Noun("exit", help="Leave a frozen house: build claims, file them, have them paid.")
COMMANDS = [exit_]


@exit_.command("build", params=[FROM_SNAPSHOT])
@click.option("--account", "accounts", type=NATURAL, multiple=True,
              help="Only of this account; may be repeated.")  # fmt: skip
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Exit file to write.",
)
@pass_app
def build(app: App, accounts: tuple[int, ...], into: Path, snapshot: Path | None) -> None:
    """Rebuild the state from the base layer and build the claims of all accounts in it."""
    from novatio.exits import build_exit

    replica = rebuilt(app, None, snapshot)
    record = canonical(app.base(), replica.number).record
    try:
        built, worths = build_exit(replica.engine, record, accounts or None)
    except KeyError as error:
        raise NotFound(
            f"exit: {error.args[0]}", reason="NO_ACCOUNT", next_step="novatio exit build"
        ) from None
    into.write_text(built.text(), "utf-8")
    app.show_rows(
        "claims",
        [_worth_record(worth) for worth in worths],
        ("account", "recipient", "senior_micro", "junior_micro"),
    )
    app.note(f"{len(worths)} claims against batch {built.number} in {into}")
    app.note(f"next: novatio exit submit {into}")


@exit_.command("submit", params=[WAIT])
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_app
def submit(app: App, file: Path, wait_seconds: float) -> None:
    """Do what of the exit in FILE is due: finalise, begin, file claims, pay; run it again later."""
    from novatio.exits import read_exit, submit_exit

    built = read_exit(file.read_bytes())
    done = submit_exit(app.base(), app.signer(), built, wait_seconds, app.note)
    app.show(done._asdict())
    if done.waits_for_block:
        app.note(f"next: run it again from block {done.waits_for_block} on")


@exit_.command("status")
@click.argument("account", type=NATURAL, required=False)
@pass_app
def status(app: App, account: int | None) -> None:
    """Show what an exit has paid and what is left, or the claim of ACCOUNT."""
    base = app.base()
    if account is None:
        app.show(base.exit_totals()._asdict())
        return
    filed = base.exit_claim(account)
    if filed is None:
        raise NotFound(
            f"account {account}: expected a filed claim, was none",
            reason="NO_SUCH_CLAIM",
            metadata={"account": str(account)},
            next_step="novatio exit build --into <file>",
        )
    paid = {str(asset): str(units) for asset, units in enumerate(filed.paid) if units}
    record = {**_worth_record(filed.worth), "late": filed.late, "paid": bool(filed.paid)}
    app.show({**record, "paid_units": paid})


def _worth_record(worth: Any) -> dict[str, Any]:
    """Return the record of what a claim is worth; units by asset, shares by pool."""
    return {
        "account": worth.account,
        "recipient": worth.recipient,
        "senior_micro": worth.senior,
        "junior_micro": worth.junior,
        "home_units": {str(asset): str(units) for asset, units in worth.home},
        "seized_units": {str(asset): str(units) for asset, units in worth.seized},
        "pool_shares": {str(pool): str(shares) for pool, shares in worth.shares},
    }
