"""Entries of ``clearing.auctions`` for ``clearing.formulas``: plain integers and lists of them."""

from __future__ import annotations

from clearing import auctions
from clearing.compiler import law_entry
from clearing.formulas.columns import array, column, empty
from clearing.formulas.waterfall_entries import Table, ids_of
from clearing.layout import Rows


@law_entry
def discount(
    elapsed_ms: int, start_ppm: int, cutoff_ppm: int, fast_ms: int, slow_ms: int
) -> tuple[int, bool]:
    """Return (discount ppm, whether still in the fast period)."""
    ppm = auctions.discount_ppm(elapsed_ms, start_ppm, min(start_ppm, cutoff_ppm), fast_ms, slow_ms)
    return ppm, elapsed_ms < fast_ms


@law_entry
def buffer_margin(maintenance_margin: int, mark_to_market: int, buffer_ppm: int) -> int:
    """Return ``auctions.buffer_margin``."""
    return auctions.buffer_margin(maintenance_margin, mark_to_market, buffer_ppm)


@law_entry
def fraction(
    maintenance_margin: int,
    mark_to_market: int,
    buffer_ppm: int,
    discount_ppm: int,
    reserved_cash: int,
    value_cutoff: int,
) -> tuple[int, int, int, int]:
    """Return (fraction ppm, buffer margin, numerator, denominator)."""
    buffer = auctions.buffer_margin(maintenance_margin, mark_to_market, buffer_ppm)
    ppm, numerator, denominator = auctions.auction_fraction(
        buffer, mark_to_market, reserved_cash, discount_ppm, value_cutoff
    )
    return ppm, buffer, numerator, denominator


@law_entry
def bid_price(
    mark_to_market: int, reserved_cash: int, discount_ppm: int, fraction_ppm: int
) -> tuple[int, int]:
    """Return (cost of the fraction, price of the whole account)."""
    whole = auctions.bid_price(mark_to_market, reserved_cash, discount_ppm)
    return auctions.bid_cost(whole, fraction_ppm), whole


@law_entry
def insolvent_payout(
    elapsed_ms: int,
    length_ms: int,
    maintenance_margin: int,
    mark_to_market: int,
    fraction_ppm: int,
) -> tuple[int, int]:
    """Return (payout for the fraction, for the whole account)."""
    whole = auctions.insolvent_payout(elapsed_ms, length_ms, maintenance_margin, mark_to_market)
    return auctions.payout_part(whole, fraction_ppm), whole


@law_entry
def status(
    insolvent: int,
    elapsed_ms: int,
    length_ms: int,
    mark_to_market: int,
    maintenance_margin: int,
    buffer_margin: int,
    reserved_cash: int,
) -> int:
    """Return ``auctions.auction_status``."""
    return auctions.auction_status(
        insolvent != 0,
        elapsed_ms,
        length_ms,
        mark_to_market,
        maintenance_margin,
        buffer_margin,
        reserved_cash,
    )


@law_entry
def withdrawals_blocked(insolvent_maintenance: int, fund_balance: int) -> bool:
    """Return ``auctions.withdrawals_blocked``."""
    return auctions.withdrawals_blocked(insolvent_maintenance, fund_balance)


@law_entry
def _uniform(
    bid_prices: Rows[int],
    bid_lots: Rows[int],
    bids: int,
    ask_prices: Rows[int],
    ask_lots: Rows[int],
    asks: int,
    reference: int,
) -> tuple[int, int, int, int]:
    return auctions.uniform_price(bid_prices, bid_lots, bids, ask_prices, ask_lots, asks, reference)


@law_entry
def _fills(
    prices: Rows[int],
    lots: Rows[int],
    sequences: Rows[int],
    count: int,
    buying: int,
    executed: int,
    by_time: int,
    fills: Rows[int],
    weights: Rows[int],
    remainders: Rows[int],
) -> int:
    return auctions.auction_fills(
        prices,
        lots,
        sequences,
        count,
        buying != 0,
        executed,
        by_time != 0,
        fills,
        weights,
        remainders,
    )


@law_entry
def monitor_bounds(
    reference_price: int, down_ppm: int, up_ppm: int, price: int, down: int, up: int
) -> tuple[int, int, bool]:
    """Return (lowest price, highest price, whether `price` lies outside)."""
    low, high = auctions.monitor_bounds(reference_price, down_ppm, up_ppm, down, up)
    return low, high, not low <= price <= high


@law_entry
def _extension(
    price: int,
    lowest: Rows[int],
    highest: Rows[int],
    extensions_ms: Rows[int],
    spent: Rows[int],
    count: int,
    at_once: int,
) -> tuple[int, int]:
    return auctions.monitor_extension(
        price, lowest, highest, extensions_ms, spent, count, at_once != 0
    )


@law_entry
def _call_level(
    bids: Rows[int], asks: Rows[int], levels: int, low: int, step: int, reference: int
) -> tuple[int, int, int, int]:
    return auctions.call_level(bids, asks, levels, low, step, reference)


@law_entry
def _call_share(
    lots: Rows[int],
    levels: int,
    buying: int,
    executed: int,
    level: int,
    before: int,
    ordered: int,
) -> int:
    return auctions.call_share(lots, levels, buying != 0, executed, level, before, ordered)


def call_price(
    levels: Table, lowest_price: int, step: int, reference_price: int
) -> tuple[int, int, int, int]:
    """Return (price, executed, lots bid, lots asked); the lowest level's price without a cross."""
    level, executed, bid, ask = _call_level(
        column(levels, "bid_lots"),
        column(levels, "ask_lots"),
        len(levels),
        lowest_price,
        step,
        reference_price,
    )
    return lowest_price + level * step, executed, bid, ask


def call_share(
    levels: Table,
    buying: int,
    executed_lots: int,
    level: int,
    lots_before: int,
    ordered_lots: int,
) -> int:
    """Return ``auctions.call_share``; nothing at a level that the table has not."""
    if level >= len(levels):
        return 0
    lots = column(levels, "lots")
    return _call_share(lots, len(levels), buying, executed_lots, level, lots_before, ordered_lots)


def uniform_price(
    bids: Table, asks: Table, reference_price: int, by_time: int
) -> tuple[int, int, int, int, Rows[int], Rows[int]]:
    """Return (price, executed, lots bid, lots asked, fills of bids, fills of asks)."""
    price, executed, bid, ask = _uniform(
        column(bids, "price"),
        column(bids, "lots"),
        len(bids),
        column(asks, "price"),
        column(asks, "lots"),
        len(asks),
        reference_price,
    )
    return (
        price,
        executed,
        bid,
        ask,
        _filled(bids, 1, executed, by_time),
        _filled(asks, 0, executed, by_time),
    )


def _filled(orders: Table, buying: int, executed: int, by_time: int) -> Rows[int]:
    count = len(orders)
    fills = empty(count)
    _fills(
        column(orders, "price"),
        column(orders, "lots"),
        ids_of(orders),
        count,
        buying,
        executed,
        by_time,
        fills,
        empty(count),
        empty(count),
    )
    return fills


def monitor_extension(price: int, bounds: Table, at_once: int) -> tuple[int, int, Rows[int]]:
    """Return (milliseconds, bounds broken, which are spent after)."""
    spent = column(bounds, "spent")
    limits = [
        monitor_bounds(
            row["reference_price"], row["down_ppm"], row["up_ppm"], price, row["down"], row["up"]
        )
        for row in bounds
    ]
    total, broken = _extension(
        price,
        array([low for low, _, _ in limits]),
        array([high for _, high, _ in limits]),
        column(bounds, "extension_ms"),
        spent,
        len(bounds),
        at_once,
    )
    return total, broken, spent
