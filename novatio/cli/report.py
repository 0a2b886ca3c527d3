"""``novatio report``: what a settlement cycle nets to, and its trades compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from novatio.cli._app import NATURAL, App, Noun, number_or_time, pass_app

if TYPE_CHECKING:
    from novatio.client import Client
    from novatio.netting import Netting

report = Noun("report", help="Reports over the settlement cycles of the house.")
COMMANDS = [report]

INSTRUMENT_COLUMNS = (
    "symbol", "lines", "parties", "gross_micro", "net_micro", "netting_ratio_ppm",
)  # fmt: skip
LEG_COLUMNS = ("party", "received_micro", "paid_micro", "net_micro")
COMPRESSION_COLUMNS = (
    "symbol", "trades", "compressed_trades", "gross_lots", "compressed_lots",
    "uniform_price_micro", "positions_kept",
)  # fmt: skip
POSITION_COLUMNS = (
    "symbol", "account", "bought_lots", "sold_lots", "net_lots", "cash_micro", "variation_micro",
)  # fmt: skip
TRADE_COLUMNS = ("symbol", "buyer", "seller", "lots", "price_micro")


def _moment(_context: Any, _parameter: Any, value: str | None) -> int:
    """Return a law time in ms: of digits as they stand, else of a date (UTC)."""
    if value is None:
        return 0
    time_ms = number_or_time(value)[1]
    if time_ms is None:
        raise click.BadParameter(
            f"expected ms since 1970 or a time like 2024-02-29T12:00:00Z (UTC), was {value!r}"
        )
    return time_ms


def _cycle(function: Any) -> Any:
    """Add the options that choose a cycle."""
    function = click.option(
        "--at",
        "time_ms",
        callback=_moment,
        metavar="TIME",
        help="A moment of the cycle, by the law's clock (UTC); the present one without it.",
    )(function)
    return click.option(
        "--cycle-ms",
        type=NATURAL,
        default=0,
        help="Length of a cycle; 0 is the law's own cycle of marking to market.",
    )(function)


def _head(found: Netting) -> dict[str, Any]:
    return {
        "from_time_ms": found.from_time_ms,
        "to_time_ms": found.to_time_ms,
        "closed": found.closed,
        "sequence": found.sequence,
    }


def _figures(figures: Any) -> dict[str, Any]:
    return {
        "lines": figures.lines,
        "parties": figures.parties,
        "gross_micro": figures.gross_micro,
        "net_micro": figures.net_micro,
        "netting_ratio_ppm": figures.netting_ratio_ppm,
    }


def _symbol(client: Client, one: Any) -> str | None:
    return client.market(one.instrument).symbol if one.HasField("instrument") else None


def _show(app: App, whole: dict[str, Any], noun: str, columns: tuple[str, ...], note: str) -> None:
    """Print all in JSON; else the rows of one noun, and what they say together."""
    if app.form == "json":
        app.show(whole)
        return
    app.show_rows(noun, whole[noun], columns)
    from novatio.output import time_text

    end = "closed" if whole["closed"] else f"open, as of sequence {whole['sequence']}"
    app.note(
        f"cycle {time_text(whole['from_time_ms'])} to {time_text(whole['to_time_ms'])} ({end}): "
        f"{note}"
    )


@report.command("netting")
@_cycle
@click.option(
    "--by",
    type=click.Choice(["instrument", "party"]),
    default="instrument",
    help="Rows of a table or CSV; JSON has both.",
)
@pass_app
def show_netting(app: App, cycle_ms: int, time_ms: int, by: str) -> None:
    """Show gross and net of all cash that moved in a settlement cycle, and one net leg a party.

    Parties are accounts, the house's funds and the markets' pots; their net legs sum to zero, which
    is checked. Deposits, withdrawals and transfers are not netted. Amounts are micro-quote.
    """
    client = app.client()
    found = client.netting(cycle_ms=cycle_ms, time_ms=time_ms)
    whole = {
        **_head(found),
        "total": _figures(found.total),
        "instruments": [
            {"symbol": _symbol(client, one), **_figures(one.cash)} for one in found.instruments
        ],
        "parties": [
            {
                "party": leg.party,
                "account": leg.account,
                "received_micro": leg.received_micro,
                "paid_micro": leg.paid_micro,
                "net_micro": leg.net_micro,
            }
            for leg in found.net_legs
        ],
    }
    total = found.total
    note = (
        f"{total.lines} lines, gross {total.gross_micro}, net {total.net_micro} micro-quote, "
        f"{total.netting_ratio_ppm} ppm netted; {total.parties} net legs sum to 0"
    )
    noun, columns = {
        "instrument": ("instruments", INSTRUMENT_COLUMNS),
        "party": ("parties", LEG_COLUMNS),
    }[by]
    _show(app, whole, noun, columns, note)


@report.command("compression")
@_cycle
@click.option(
    "--by",
    type=click.Choice(["instrument", "position", "trade"]),
    default="instrument",
    help="Rows of a table or CSV; JSON has all.",
)
@pass_app
def show_compression(app: App, cycle_ms: int, time_ms: int, by: str) -> None:
    """Show the trades of a settlement cycle compressed: fewer trades, the same positions.

    Compressed trades are all at one price, the mean of the cycle's lots on the tick; what an
    account's own trades moved beyond that is its variation, which sums to zero.
    """
    client = app.client()
    found = client.netting(cycle_ms=cycle_ms, time_ms=time_ms)
    whole = {
        **_head(found),
        "instruments": [
            {
                "symbol": _symbol(client, one),
                "trades": one.compression.trades,
                "compressed_trades": one.compression.compressed_trades,
                "gross_lots": one.compression.gross_lots,
                "compressed_lots": one.compression.compressed_lots,
                "uniform_price_micro": one.compression.uniform_price_micro,
                "positions_kept": one.compression.positions_kept,
            }
            for one in found.instruments
            if one.HasField("compression")
        ],
        "positions": [
            {
                "symbol": client.market(one.instrument).symbol,
                "account": one.account,
                "bought_lots": one.bought_lots,
                "sold_lots": one.sold_lots,
                "net_lots": one.net_lots,
                "cash_micro": one.cash_micro,
                "variation_micro": one.variation_micro,
            }
            for one in found.positions
        ],
        "trades": [
            {
                "symbol": client.market(one.instrument).symbol,
                "buyer": one.buyer,
                "seller": one.seller,
                "lots": one.lots,
                "price_micro": one.price_micro,
            }
            for one in found.trades
        ],
    }
    before = sum(row["trades"] for row in whole["instruments"])
    noun, columns = {
        "instrument": ("instruments", COMPRESSION_COLUMNS),
        "position": ("positions", POSITION_COLUMNS),
        "trade": ("trades", TRADE_COLUMNS),
    }[by]
    note = f"{before} trades become {len(found.trades)}, every account's net lots stay"
    _show(app, whole, noun, columns, note)
