"""Formulas of auctions: Dutch auctions of failing accounts, call auctions, price monitoring."""

from __future__ import annotations

from clearing.formulas import auctions_entries as entries
from clearing.formulas.quantities import (
    CASH_MAX,
    LOT,
    PPMS,
    PRICE,
    YES_OR_NO,
    Formula,
    Quantity,
    Series,
    Table,
    lots,
    micro,
    ppm,
    price,
)
from clearing.units import POINTS_MAX, PPM, PRICE_MAX, TIME_MAX

ORDERS_MAX = 256  # of one side
BOUNDS_MAX = 16


def milliseconds(name: str, default: int | None = None) -> Quantity:
    return Quantity(name, "milliseconds", 0, TIME_MAX, default)


def flag(name: str, default: int | None = None) -> Quantity:
    return Quantity(name, "0 or 1", 0, 1, default)


_MARGINS = (micro("maintenance_margin"), micro("mark_to_market"))
_RESERVED = Quantity("reserved_cash", "micro-quote", 0, CASH_MAX, 0)
_ALL = Quantity("fraction_ppm", PPMS, 0, PPM, PPM)
_ORDER = (price("price"), lots("lots", 1), Quantity("id", "order", -1, CASH_MAX, -1))
_REFERENCE = price("reference_price")
_BOUND = (
    _REFERENCE,
    Quantity("down_ppm", PPMS, 0, PPM, 0),
    Quantity("up_ppm", PPMS, 0, 10 * PPM, 0),
    Quantity("down", PRICE, 0, PRICE_MAX, 0),
    Quantity("up", PRICE, 0, PRICE_MAX, 0),
)

FORMULAS = (
    Formula(
        "auction_discount",
        "The part of its value that a failing account is offered at by now.",
        (
            milliseconds("elapsed_ms"),
            Quantity("start_ppm", PPMS, 0, PPM, 950_000),
            Quantity("cutoff_ppm", PPMS, 0, PPM, 700_000),
            milliseconds("fast_ms", 900_000),
            milliseconds("slow_ms", 43_200_000),
        ),
        (ppm("discount_ppm"), Quantity("fast", YES_OR_NO)),
        entries.discount,
        law=("auctions.discount_ppm",),
    ),
    Formula(
        "auction_buffer_margin",
        "MM + buffer * (MM - MtM), rounded down; margins are value less requirement.",
        (*_MARGINS, ppm("buffer_ppm")),
        (micro("buffer_margin"),),
        entries.buffer_margin,
        law=("auctions.buffer_margin",),
    ),
    Formula(
        "auction_fraction",
        "The slice that heals an account: BM / (BM - MtM * d - R * (1 - d)), rounded up.",
        (
            *_MARGINS,
            ppm("buffer_ppm"),
            ppm("discount_ppm"),
            _RESERVED,
            Quantity("value_cutoff", "micro-quote", -CASH_MAX, CASH_MAX, 0),
        ),
        (
            ppm("fraction_ppm"),
            micro("buffer_margin"),
            micro("numerator"),
            micro("denominator"),
        ),
        entries.fraction,
        law=(
            "auctions.auction_fraction",
            "auctions.buffer_margin",
        ),
    ),
    Formula(
        "auction_bid_price",
        "What a slice costs: fraction * (MtM - reserved cash) * discount, each rounded up.",
        (micro("mark_to_market"), _RESERVED, ppm("discount_ppm"), _ALL),
        (micro("bid_price"), micro("price_of_all")),
        entries.bid_price,
        law=(
            "auctions.bid_cost",
            "auctions.bid_price",
        ),
    ),
    Formula(
        "insolvent_auction_payout",
        "What the fund pays a taker: from -MtM to -MM over the auction, rounded down.",
        (milliseconds("elapsed_ms"), milliseconds("length_ms", 3_600_000), *_MARGINS, _ALL),
        (micro("payout"), micro("payout_of_all")),
        entries.insolvent_payout,
        law=(
            "auctions.insolvent_payout",
            "auctions.payout_part",
        ),
    ),
    Formula(
        "auction_status",
        "What to do with an auction: 0 go on, 1 terminate, 2 convert to insolvent, 3 restart.",
        (
            flag("insolvent"),
            milliseconds("elapsed_ms"),
            milliseconds("length_ms", 44_100_000),
            micro("mark_to_market"),
            micro("maintenance_margin"),
            micro("buffer_margin"),
            _RESERVED,
        ),
        (Quantity("status", "code"),),
        entries.status,
    ),
    Formula(
        "auction_withdrawals_blocked",
        "Whether insolvent auctions may cost more than the insurance fund holds.",
        (micro("insolvent_maintenance", 0), micro("fund_balance", 0)),
        (Quantity("blocked", YES_OR_NO),),
        entries.withdrawals_blocked,
    ),
    Formula(
        "uniform_clearing_price",
        "The one price of a call auction, what it executes, and each order's fill.",
        (
            Table("bids", _ORDER, ORDERS_MAX),
            Table("asks", _ORDER, ORDERS_MAX),
            _REFERENCE,
            flag("by_time", 0),
        ),
        (
            Quantity("price", PRICE),
            Quantity("executed_lots", LOT),
            Quantity("bid_lots", LOT),
            Quantity("ask_lots", LOT),
            Series("bid_fills", lots("lots"), ORDERS_MAX),
            Series("ask_fills", lots("lots"), ORDERS_MAX),
        ),
        entries.uniform_price,
        note="Of prices that execute as much: the least imbalance, then the nearest to the "
        "reference. For venues that take the middle of that range, give it as the reference.",
    ),
    Formula(
        "call_auction_price",
        "The level of a call's book that executes most, leaves least imbalance, is nearest, lower.",
        (
            Table("levels", (lots("bid_lots", 0), lots("ask_lots", 0)), POINTS_MAX),
            price("lowest_price"),
            price("step"),
            _REFERENCE,
        ),
        (
            Quantity("price", PRICE),
            Quantity("executed_lots", LOT),
            Quantity("bid_lots", LOT),
            Quantity("ask_lots", LOT),
        ),
        entries.call_price,
        law=("auctions.call_level",),
    ),
    Formula(
        "call_auction_share",
        "What an order gets of what its side executes: better levels first, then running shares.",
        (
            Table("levels", (lots("lots", 0),), POINTS_MAX),
            flag("buying"),
            lots("executed_lots", 0),
            Quantity("level", "level", 0, POINTS_MAX - 1),
            lots("lots_before", 0),
            lots("ordered_lots", 0),
        ),
        (Quantity("lots", LOT),),
        entries.call_share,
        law=("auctions.call_share",),
    ),
    Formula(
        "price_monitor_bounds",
        "The lowest and highest price around a reference, and whether a price breaks them.",
        (*_BOUND[:3], Quantity("price", PRICE, 0, PRICE_MAX, 0), *_BOUND[3:]),
        (Quantity("low", PRICE), Quantity("high", PRICE), Quantity("outside", YES_OR_NO)),
        entries.monitor_bounds,
    ),
    Formula(
        "price_monitor_extension",
        "How long an auction starts or goes on for, given the bounds that a price breaks.",
        (
            price("price"),
            Table(
                "bounds",
                (
                    *_BOUND,
                    Quantity("extension_ms", "milliseconds", 0, TIME_MAX // BOUNDS_MAX),
                    flag("spent", 0),
                ),
                BOUNDS_MAX,
            ),
            flag("at_once", 0),
        ),
        (
            Quantity("extension_ms", "milliseconds"),
            Quantity("broken", "bounds"),
            Series("spent", flag("spent"), BOUNDS_MAX),
        ),
        entries.monitor_extension,
        note="The first unspent bound alone, in the order of the rows, as Vega's engine checks "
        "them; with at_once all add up. A model gives fractions or absolute moves.",
    ),
)
