"""Formulas of multilateral netting: one leg an account, trades compressed, positions kept."""

from __future__ import annotations

from clearing.formulas.netting_entries import compress_trades, netting_report, tear_up_check
from clearing.formulas.quantities import (
    LOT,
    MICRO,
    YES_OR_NO,
    Formula,
    Quantity,
    Series,
    Table,
    lots,
    micro,
    price,
)
from clearing.netting import LEGS_MAX
from clearing.units import VALUE_MAX

ACCOUNT = "account id"
AMOUNT_MAX = 1 << 55
TRADE_LOTS_MAX = 1 << 24
TRADE_PRICE_MAX = VALUE_MAX // TRADE_LOTS_MAX


def _account(name: str) -> Quantity:
    return Quantity(name, ACCOUNT, 0)


_ACCOUNTS = Series("accounts", _account("account"), LEGS_MAX)
_POSITION = (_account("account"), lots("lots"))

FORMULAS = (
    Formula(
        "netting_report",
        "Each account's one net leg, gross and net turnover, and the share that netting saved.",
        (
            Table(
                "legs",
                (_account("account"), micro("amount", -AMOUNT_MAX, AMOUNT_MAX)),
                LEGS_MAX,
            ),
        ),
        (
            _ACCOUNTS,
            Series("net_amounts", Quantity("amount", MICRO), LEGS_MAX),
            micro("gross_turnover"),
            micro("net_turnover"),
            Quantity("netting_ratio_ppm", "ppm"),
            Quantity("balanced", YES_OR_NO),
        ),
        netting_report,
    ),
    Formula(
        "compress_trades",
        "The net lots and the net cash of each account over trades, and the lots before and after.",
        (
            Table(
                "trades",
                (
                    _account("buyer"),
                    _account("seller"),
                    Quantity("lots", LOT, 1, TRADE_LOTS_MAX),
                    price("price", TRADE_PRICE_MAX),
                ),
                LEGS_MAX // 2,
            ),
        ),
        (
            _ACCOUNTS,
            Series("net_lots", Quantity("lots", LOT), LEGS_MAX),
            Series("net_cash", Quantity("cash", MICRO), LEGS_MAX),
            Quantity("gross_lots", LOT),
            Quantity("compressed_lots", LOT),
        ),
        compress_trades,
    ),
    Formula(
        "tear_up_check",
        "Whether a tear-up leaves every account its net lots and creates nothing.",
        (Table("before", _POSITION, LEGS_MAX), Table("after", _POSITION, LEGS_MAX)),
        (Quantity("keeps_positions", YES_OR_NO),),
        tear_up_check,
    ),
)
