"""Formulas of linear markets: margin, trades, funding, liquidation, prices."""

from __future__ import annotations

from clearing.formulas.quantities import (
    CASH_MAX,
    INDEX,
    INDEX_CHANGE_MAX,
    LOT,
    MICRO,
    PPMS,
    PRICE,
    SAMPLES_MAX,
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
from clearing.formulas.trading_entries import (
    account_margin,
    band,
    entry_cost_after,
    fee,
    fraction_ppm,
    funding_change,
    funding_payment,
    funding_rate,
    improvement,
    jump,
    legal_transition,
    liquidation_charges,
    liquidation_price,
    liquidation_size,
    lower_median,
    open_interest_after,
    outflow,
    position_margin,
    premium,
)
from clearing.units import (
    FEE_PPM_MAX,
    FUNDING_ELAPSED_MS_MAX,
    OBSERVATIONS_MAX,
    POSITIONS_MAX,
    PPM,
    PRICE_MAX,
)

_MARK = price("mark_price")
_TIER = (
    ppm("initial_ppm", 1),
    Quantity("open_interest_lower", MICRO, 0, CASH_MAX - 1, 0),
    Quantity("open_interest_upper", MICRO, 1, CASH_MAX, CASH_MAX),
)
_HELD = Quantity("open_interest", LOT, 0, CASH_MAX, 0)
_POSITIONS = Table(
    "positions",
    (
        lots("lots"),
        _MARK,
        *_TIER,
        ppm("maintenance_ppm", 1),
        _HELD,
        Quantity("index_change", INDEX, -INDEX_CHANGE_MAX, INDEX_CHANGE_MAX, 0),
    ),
    POSITIONS_MAX,
)
_ACCOUNT = (micro("cash"), _POSITIONS)
_OLD = (micro("old_equity"), micro("old_maintenance", 0))
_SIZES = (lots("old_lots"), lots("new_lots"))

FORMULAS = (
    Formula(
        "initial_fraction_ppm",
        "The initial margin fraction of a tier, scaled by the market's open interest.",
        (*_TIER, Quantity("open_interest", LOT, 0, CASH_MAX), _MARK),
        (ppm("fraction_ppm"),),
        fraction_ppm,
    ),
    Formula(
        "position_value",
        "What a position is worth at the mark: lots * mark, negative for a short.",
        (lots("lots"), _MARK),
        (micro("value"),),
        lambda lots, mark_price: position_margin(lots, mark_price, 0, 0)[0],
    ),
    Formula(
        "initial_margin",
        "The initial margin of a position at a fraction, rounded up.",
        (lots("lots"), _MARK, ppm("fraction_ppm")),
        (micro("initial_margin"),),
        lambda lots, mark_price, fraction_ppm: position_margin(lots, mark_price, fraction_ppm, 0)[
            1
        ],
    ),
    Formula(
        "maintenance_margin",
        "The maintenance margin of a position, rounded up; never scaled.",
        (lots("lots"), _MARK, ppm("maintenance_ppm")),
        (micro("maintenance_margin"),),
        lambda lots, mark_price, maintenance_ppm: position_margin(
            lots, mark_price, 0, maintenance_ppm
        )[2],
    ),
    Formula(
        "equity",
        "Cash and positions at the mark, less the funding they owe.",
        _ACCOUNT,
        (micro("equity"),),
        lambda cash, positions: account_margin(cash, positions, 0)[0],
    ),
    Formula(
        "account_margin",
        "Equity and margins of a cross account; free collateral is equity less initial margin.",
        (*_ACCOUNT, ppm("transfer_margin_ppm")),
        (
            micro("equity"),
            micro("initial_margin"),
            micro("maintenance_margin"),
            micro("gross_notional"),
            micro("free_collateral"),
            micro("withdrawable"),
        ),
        account_margin,
    ),
    Formula(
        "transfer_margin",
        "What an account that hands out cash must keep.",
        (micro("initial_margin", 0), micro("gross_notional", 0), ppm("transfer_margin_ppm")),
        (micro("kept"),),
        outflow,
    ),
    Formula(
        "is_improvement",
        "Whether an account below initial margin became no worse.",
        (*_OLD, micro("new_equity"), micro("new_maintenance", 0)),
        (Quantity("improves", YES_OR_NO),),
        improvement,
    ),
    Formula(
        "legal_transition",
        "Whether a trade may bring an account to its new position in one instrument.",
        (
            *_OLD,
            micro("new_equity"),
            micro("new_initial", 0),
            micro("new_maintenance", 0),
            *_SIZES,
        ),
        (Quantity("legal", YES_OR_NO),),
        legal_transition,
        note="Of one instrument; StarkEx asks of every one that it neither grows nor flips.",
    ),
    Formula(
        "fee",
        "The fee on a value: up if it is paid, down if it is a rebate (a negative rate).",
        (micro("value", 0), ppm("rate_ppm", -FEE_PPM_MAX, FEE_PPM_MAX)),
        (micro("fee"),),
        fee,
    ),
    Formula(
        "entry_cost_after",
        "The entry cost of a position after a fill; a decrease releases it pro rata.",
        (
            lots("held_lots"),
            micro("entry_cost"),
            lots("lots"),
            price("price"),
        ),
        (micro("entry_cost"),),
        entry_cost_after,
    ),
    Formula(
        "open_interest_after",
        "The sum of long lots after lots went from one account to another.",
        (
            Quantity("open_interest", LOT, 0, CASH_MAX),
            lots("receiver_lots"),
            lots("giver_lots"),
            lots("lots"),
        ),
        (Quantity("open_interest", LOT),),
        open_interest_after,
    ),
    Formula(
        "premium_ppm",
        "The premium of mark over index that a price action adds as a sample.",
        (_MARK, price("index_price")),
        (ppm("premium_ppm", -PPM),),
        premium,
    ),
    Formula(
        "funding_rate",
        "The mean premium sample, towards zero, within the cap; per period of eight hours.",
        (
            Quantity("premium_sum", PPMS),
            Quantity("samples", "price actions", 1, SAMPLES_MAX),
            ppm("cap_ppm"),
        ),
        (ppm("rate_ppm", -PPM),),
        funding_rate,
    ),
    Formula(
        "funding_index_change",
        "How far a funding action moves the index, rounded down.",
        (
            ppm("rate_ppm", -PPM),
            _MARK,
            Quantity("elapsed_ms", "milliseconds", 0, FUNDING_ELAPSED_MS_MAX),
        ),
        (Quantity("index_change", INDEX),),
        funding_change,
    ),
    Formula(
        "funding_payment",
        "What a position owes for a change of the index: up if it pays, down if it receives.",
        (
            lots("lots"),
            Quantity("index_change", INDEX, -INDEX_CHANGE_MAX, INDEX_CHANGE_MAX),
        ),
        (micro("owed"),),
        funding_payment,
    ),
    Formula(
        "liquidation_lots",
        "The lots whose sale restores equity to maintenance margin plus the buffer.",
        (
            micro("equity"),
            micro("maintenance", 0),
            _MARK,
            ppm("maintenance_ppm"),
            ppm("buffer_ppm"),
            ppm("cost_ppm", 0, 2 * PPM),
            lots("held_lots", 1),
        ),
        (Quantity("lots", LOT),),
        liquidation_size,
    ),
    Formula(
        "liquidation_price",
        "The mark less the penalty for a long, plus it for a short.",
        (_MARK, ppm("penalty_ppm"), lots("held_lots")),
        (Quantity("price", PRICE),),
        liquidation_price,
    ),
    Formula(
        "liquidation_charges",
        "What closing this value at mark pays the keeper and insurance, out of equity above zero.",
        (micro("equity"), micro("value", 0), ppm("penalty_ppm"), ppm("insurance_fee_ppm")),
        (micro("penalty", 0), micro("insurance_fee", 0)),
        liquidation_charges,
    ),
    Formula(
        "median",
        "The lower median of observations.",
        (Series("values", Quantity("value", "any unit", 0), OBSERVATIONS_MAX),),
        (Quantity("median", "any unit"),),
        lower_median,
    ),
    Formula(
        "price_jump",
        "Whether a price moves further than the bound; last price 0 means none yet.",
        (Quantity("last_price", PRICE, 0, PRICE_MAX), price("price_now"), ppm("jump_ppm")),
        (Quantity("jumps", YES_OR_NO),),
        jump,
    ),
    Formula(
        "price_band",
        "Whether a price lies within the band around the mark.",
        (price("price"), _MARK, ppm("band_ppm")),
        (Quantity("within", YES_OR_NO),),
        band,
    ),
)
