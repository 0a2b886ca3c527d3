"""``novatio trade``: submit trades in human units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import NATURAL, POSITIVE, App, Noun, pass_app

if TYPE_CHECKING:
    from novatio._flows import Outcome

trade = Noun("trade", help="Trades in human units.")
COMMANDS = [trade]


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """Return the record of an outcome."""
    return {
        "sequence": outcome.sequence,
        "applied": outcome.applied,
        "code": int(outcome.code),
        "name": outcome.code.name,
        "acceptance": outcome.acceptance or None,
        "repeated": outcome.repeated,
        "proven": outcome.proven,
        "action_hash": outcome.action_hash,
        "message": outcome.message or None,
        "operands": dict(outcome.operands),
    }


def show_outcomes(app: App, outcomes: list[Outcome]) -> None:
    """Print outcomes, then leave with the first rejection, if there is one."""
    rows = [outcome_record(outcome) for outcome in outcomes]
    columns = ("sequence", "name", "acceptance", "repeated", "proven", "action_hash")
    app.show_rows("outcomes", rows, columns)
    for outcome in outcomes:
        outcome.raise_for_rejection()


@trade.command("submit")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--dry-run", is_flag=True, help="Sign and print the actions' bytes; submit nothing.")
@pass_app
def submit_trades(app: App, files: tuple[str, ...], dry_run: bool) -> None:
    """Sign the trades in FILE..., one JSON object each, and submit them together; - is stdin.

    \b
    {"instrument": "BTC-PERP", "size": "0.25", "price": "4000",
     "maker": {"account": 0, "side": "sell", "size": "0.25",
               "limit_price": "4000", "key_file": "seller.key"},
     "taker": {"account": 1, "side": "buy", "size": "0.25",
               "limit_price": "4000", "key_file": "buyer.key"}}

    Sizes and prices are those of the underlying and must be whole lots and ticks. An order without
    key_file is signed with --key or NOVATIO_KEY, or carries its "signature".
    """
    from clearing.messages import action_hash
    from novatio.signing import find_signer
    from novatio.tradefile import build_trade, parse_trade

    parsed = []
    for name in files:
        try:
            with click.open_file(name, "rb") as file:
                content = file.read()
        except ValueError as error:
            raise click.UsageError(f"expected the name of a file, was {name!r}: {error}") from error
        parsed.append(parse_trade(content))
    signer = find_signer(app.settings.client.key_file or None)
    client = app.client()
    actions = [build_trade(client, trade, signer).encode() for trade in parsed]
    if dry_run:
        rows = [{"action_hash": action_hash(action), "action": action} for action in actions]
        app.show_rows("actions", rows)
        return
    show_outcomes(app, client.submit(actions))


@trade.command("offer")
@click.argument("account", type=NATURAL)
@click.argument("instrument")
@click.argument("side", type=click.Choice(("buy", "sell")))
@click.argument("size")
@click.argument("limit")
@click.option("--slot", type=NATURAL, default=0, help="Order slot of the account.")
@click.option("--reduce-only", is_flag=True, help="The order only reduces a position.")
@click.option("--hours", type=POSITIVE, default=24, help="How long the order lives.")
@pass_app
def offer(
    app: App, account: int, instrument: str, side: str, size: str, limit: str, slot: int,
    reduce_only: bool, hours: int,
) -> None:  # fmt: skip
    """Sign an order of ACCOUNT that whoever has it may fill, and print it; submit nothing.

    With -o json it is what `novatio keeper` reads from its directory of orders (orders_dir).
    """
    from novatio._flows import wall_clock_ms

    client = app.client()
    named = int(instrument) if instrument.isdecimal() else instrument
    signed = client.order(
        account, named, side, size, limit, slot=slot, reduce_only=reduce_only,
        expiry_ms=wall_clock_ms() + hours * 3_600_000, signer=app.signer(),
    )  # fmt: skip
    assert signed.authorisation is not None
    app.show(
        {
            "instrument": named,
            "account": account,
            "side": side,
            "size": size,
            "limit_price": limit,
            "slot": slot,
            "sequence": signed.order.sequence,
            "expiry_ms": signed.order.expiry,
            "max_fee_ppm": signed.order.max_fee,
            "reduce_only": reduce_only,
            "signature": signed.authorisation.signature,
        }
    )
