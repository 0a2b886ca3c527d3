"""``novatio pool``: pools of liquidity providers, and trades with them."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import NATURAL, POSITIVE, App, Noun, pass_app
from novatio.cli.trade import show_outcomes

pool = Noun("pool", help="Pools of liquidity providers: shares of them, and trades with them.")
COMMANDS = [pool]

_ID = click.IntRange(0, 2**32 - 1)
_ACCOUNT = NATURAL


def _submit(app: App, request: Any) -> None:
    show_outcomes(app, [app.client().submit_owned(request, signer=app.signer())])


@pool.command("show")
@click.argument("pool", type=_ID)
@pass_app
def show_pool(app: App, pool: int) -> None:
    """Show what POOL is worth, what it holds, and its limits."""
    found = app.client().pool(pool)
    app.show({field.name: getattr(found, field.name) for field in found.DESCRIPTOR.fields})


@pool.command("deposit")
@click.argument("account", type=_ACCOUNT)
@click.argument("pool", type=_ID)
@click.argument("amount")
@click.option("--min-shares", type=NATURAL, default=0, help="Refuse to get fewer.")
@pass_app
def deposit(app: App, account: int, pool: int, amount: str, min_shares: int) -> None:
    """Buy shares of POOL for AMOUNT of the settlement asset of ACCOUNT. They are locked a while."""
    from novatio import pool as requests

    _submit(app, requests.deposit(account, pool, amount, min_shares))
    app.note(f"next: novatio pool show {pool}")


@pool.command("withdraw")
@click.argument("account", type=_ACCOUNT)
@click.argument("pool", type=_ID)
@click.argument("shares", type=POSITIVE)
@click.option("--min-amount", default="0", help="Refuse to get less of the settlement asset.")
@pass_app
def withdraw(app: App, account: int, pool: int, shares: int, min_amount: str) -> None:
    """Sell SHARES of POOL that ACCOUNT holds, once their lock has passed."""
    from novatio import pool as requests

    least = 0 if min_amount == "0" else min_amount
    _submit(app, requests.withdraw(account, pool, shares, least))


@pool.command("trade")
@click.argument("account", type=_ACCOUNT)
@click.argument("pool", type=_ID)
@click.argument("instrument")
@click.argument("side", type=click.Choice(("buy", "sell")))
@click.argument("size")
@click.option("--limit", help="Worst price with the impact in it; without one, any.")
@pass_app
def trade(
    app: App, account: int, pool: int, instrument: str, side: str, size: str, limit: str | None
) -> None:
    """Buy or sell SIZE of INSTRUMENT from POOL at the mark price and its impact."""
    from novatio import pool as requests

    market = app.client().market(instrument)
    _submit(app, requests.trade(market, account, pool, side, size, limit))
