"""``novatio instrument`` and ``novatio underlying``: the listed contracts and what they share."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import App, Noun, pass_app

KINDS = {1: "perpetual", 2: "future", 3: "call", 4: "put"}
STATUSES = {0: "active", 1: "reduce-only", 2: "auction", 3: "settling", 4: "closed"}

instrument = Noun("instrument", help="The listed contracts, their units and prices.")
underlying = Noun("underlying", help="What contracts share: index, stress grid, expiries.")
COMMANDS = [instrument, underlying]


def record_of(item: Any) -> dict[str, Any]:
    """Return the record of an instrument as the node describes it."""
    from novatio.orders import Market

    market = Market(item.id, item.symbol, item.tick_micro, item.lot_size_nano)
    # An option out of the money may well be worth nothing by its active row.
    marked = item.mark_price_micro or item.row_number
    return {
        "id": item.id,
        "symbol": item.symbol,
        "kind": KINDS.get(item.kind, str(item.kind)),
        "status": STATUSES.get(item.status, str(item.status)),
        "tier": item.tier,
        "lot_size": str(market.lot_size),
        "tick": str(market.tick),
        "tick_micro": item.tick_micro,
        "mark": str(market.price(item.mark_price_micro)) if marked else None,
        "mark_price_micro": item.mark_price_micro,
        "index_price_micro": item.index_price_micro,
        "price_time_ms": item.price_time_ms,
        "open_interest_lots": item.open_interest_lots,
        "open_interest_cap_lots": item.open_interest_cap_lots,
        "position_cap_lots": item.position_cap_lots,
        "funding_index": item.funding_index,
        "funding_time_ms": item.funding_time_ms,
        "pot_micro": item.pot_micro,
        "underlying": item.underlying,
        "strike_micro": item.strike_micro or None,
        "expiry_ms": item.expiry_ms,
        "series": item.series if item.expiry_ms else None,
        "pool": item.pool - 1 if item.pool else None,
        "settlement_price_micro": item.settlement_price_micro,
        "stable_price_micro": item.stable_price_micro,
        "confidence_ppm": item.confidence_ppm,
        "auction_end_ms": item.auction_end_ms,
        "row_number": item.row_number,
    }


def underlying_record(item: Any) -> dict[str, Any]:
    """Return the record of an underlying as the node describes it, without grid and shocks."""
    series = [
        {
            "series": place,
            "expiry_ms": one.expiry_ms,
            "option_count": one.option_count,
            "active_number": one.active_number,
            "active_time_ms": one.active_time_ms,
            "staged_number": one.staged_number,
            "staged_count": one.staged_count,
            "reference_price_micro": one.reference_price_micro,
            "forward_price_micro": one.forward_price_micro,
            "discount_nano": one.discount_nano,
            "discount_long_ppm": one.discount_long_ppm,
            "discount_short_ppm": one.discount_short_ppm,
            "confidence_ppm": one.confidence_ppm,
            "settlement_price_micro": one.settlement_price_micro,
        }
        for place, one in enumerate(item.series)
        if one.expiry_ms
    ]
    return {
        "id": item.id,
        "reference_instrument": item.reference_instrument,
        "index_price_micro": item.index_price_micro,
        "price_time_ms": item.price_time_ms,
        "grid_points": len(item.price_shocks_ppm),
        "volatility_down_ppm": item.volatility_down_ppm,
        "volatility_up_ppm": item.volatility_up_ppm,
        "scenario_count": len(item.scenario_prices_ppm),
        "scenario_time_ms": item.scenario_time_ms,
        "scenario_rest": item.scenario_rest,
        "next_grid_time_ms": item.next_grid_time_ms,
        "series": series,
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


@underlying.command("show")
@click.argument("underlying", type=click.IntRange(0, 2**32 - 1))
@pass_app
def show_underlying(app: App, underlying: int) -> None:
    """Show UNDERLYING, a number."""
    app.show(underlying_record(app.client().underlying(underlying)))
