"""``novatio instrument``: the listed contracts and their units."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import App, Noun, pass_app

KINDS = {1: "perpetual", 2: "future", 3: "call", 4: "put"}
STATUSES = {0: "active", 1: "reduce-only", 2: "auction", 3: "settling", 4: "closed"}

instrument = Noun("instrument", help="The listed contracts, their units and prices.")
COMMANDS = [instrument]


def record_of(item: Any) -> dict[str, Any]:
    """Return the record of an instrument as the node describes it."""
    from novatio.orders import Market

    market = Market(item.id, item.symbol, item.tick_micro, item.lot_size_nano)
    return {
        "id": item.id,
        "symbol": item.symbol,
        "kind": KINDS.get(item.kind, str(item.kind)),
        "status": STATUSES.get(item.status, str(item.status)),
        "tier": item.tier,
        "lot_size": str(market.lot_size),
        "tick": str(market.tick),
        "tick_micro": item.tick_micro,
        "mark": str(market.price(item.mark_price_micro)) if item.mark_price_micro else None,
        "mark_price_micro": item.mark_price_micro,
        "index_price_micro": item.index_price_micro,
        "price_time_ms": item.price_time_ms,
        "open_interest_lots": item.open_interest_lots,
        "open_interest_cap_lots": item.open_interest_cap_lots,
        "position_cap_lots": item.position_cap_lots,
        "funding_index": item.funding_index,
        "funding_time_ms": item.funding_time_ms,
        "pot_micro": item.pot_micro,
    }


@instrument.command("list")
@pass_app
def list_instruments(app: App) -> None:
    """List all instruments."""
    rows = [record_of(item) for item in app.client().instruments()]
    columns = (
        "id", "symbol", "status", "lot_size", "tick", "mark", "open_interest_lots",
        "price_time_ms",
    )  # fmt: skip
    app.show_rows("instruments", rows, columns)


@instrument.command("show")
@click.argument("instrument")
@pass_app
def show_instrument(app: App, instrument: str) -> None:
    """Show INSTRUMENT, a symbol or a number."""
    named = int(instrument) if instrument.isdecimal() else instrument
    app.show(record_of(app.client().instrument(named)))
