"""Formulas of failing accounts: liquidation, bankruptcy, insurance, deleveraging, socialisation."""

from __future__ import annotations

from clearing.formulas import waterfall_entries as entries
from clearing.formulas.auctions import flag, milliseconds
from clearing.formulas.quantities import (
    CASH_MAX,
    LOT,
    MICRO,
    PPMS,
    PRICE,
    YES_OR_NO,
    Demand,
    Formula,
    Quantity,
    Series,
    Table,
    lots,
    micro,
    ppm,
    price,
)
from clearing.units import LOTS_MAX, POSITIONS_MAX, PPM
from clearing.waterfall import LEVERAGE_PPM_MAX

HOLDERS_MAX = 256
FACTOR_PPM_MAX = 10 * PPM
ADJUSTMENT_PPM_MAX = (1 << 32) - 1
WORST_MAX = 1 << 50

_MARK = price("mark_price")
_ID = Quantity("id", "account", -1, CASH_MAX, -1)
_EQUITY, _MAINTENANCE = micro("equity"), micro("maintenance", 0)
_ACCOUNT = (_EQUITY, _MAINTENANCE)
_WEIGHT = Quantity("weight", "any unit", 0, CASH_MAX)
_DUE = micro("due", 0)

_RATIO = (
    Quantity("value_before", "any unit"),
    Quantity("risk_before", "any unit", 0, CASH_MAX),
    Quantity("value_after", "any unit"),
    Quantity("risk_after", "any unit", 0, CASH_MAX),
)


def _yes(name: str) -> Quantity:
    return Quantity(name, YES_OR_NO)


def _amounts(name: str, item: Quantity) -> Series:
    return Series(name, item, HOLDERS_MAX)


LIQUIDATION = (
    Formula(
        "is_liquidatable",
        "Whether maintenance margin is above zero and above equity.",
        _ACCOUNT,
        (_yes("liquidatable"),),
        entries.is_liquidatable,
    ),
    Formula(
        "liquidation_priority",
        "The failing accounts: lowest equity / maintenance first, then larger maintenance.",
        (Table("accounts", (_EQUITY, _MAINTENANCE, _ID), HOLDERS_MAX),),
        (_amounts("order", _ID), Quantity("liquidatable", "accounts")),
        entries.liquidation_order,
    ),
    Formula(
        "partial_liquidation_fraction",
        "The part of every leg to close: (T - equity) / (T - cost), T = maintenance + buffer.",
        (
            *_ACCOUNT,
            ppm("buffer_ppm"),
            micro("close_cost", 0),
            Quantity("lots", LOT, -LOTS_MAX, LOTS_MAX, 0),
        ),
        (
            ppm("fraction_ppm"),
            micro("target"),
            micro("shortfall"),
            Quantity("lots_to_close", LOT),
        ),
        entries.partial_fraction,
        law=(
            "waterfall.lots_to_close",
            "waterfall.partial_fraction",
        ),
    ),
    Formula(
        "liquidation_base_to_cover",
        "Lots whose close frees a shortage: shortage / (price * (margin - fee - fund fee)).",
        (
            micro("margin_shortage", 0),
            price("price"),
            Quantity("price_lots", LOT, 1, LOTS_MAX, 1),
            ppm("margin_ratio_ppm"),
            ppm("liquidation_fee_ppm"),
            Quantity("insurance_fee_ppm", PPMS, 0, PPM, 0),
            Quantity("held_lots", LOT, 0, CASH_MAX, CASH_MAX - 1),
        ),
        (Quantity("lots", LOT), Quantity("lots_rounded_down", LOT), _yes("whole_position")),
        entries.lots_to_cover,
    ),
    Formula(
        "liquidation_portion_by_time",
        "How much of a margin shortage may be freed by now; a small one at once.",
        (
            milliseconds("elapsed_ms"),
            milliseconds("duration_ms"),
            ppm("initial_ppm"),
            micro("margin_shortage", 0),
            Quantity("margin_freed", MICRO, 0, CASH_MAX, 0),
            Quantity("small_shortage", MICRO, 0, CASH_MAX, 0),
        ),
        (ppm("portion_ppm"), micro("freeable")),
        entries.portion_to_liquidate,
    ),
    Formula(
        "liquidation_block_limits",
        "What one liquidation may take of a position: least and most notional, and lots.",
        (
            lots("held_lots", 1),
            _MARK,
            micro("min_notional", 0),
            ppm("max_portion_ppm"),
            Quantity("window_used", MICRO, 0, CASH_MAX, 0),
            Quantity("window_max", MICRO, 0, CASH_MAX, CASH_MAX),
            Quantity("step_lots", LOT, 1, LOTS_MAX, 1),
        ),
        (
            micro("notional"),
            micro("least_notional"),
            micro("most_notional"),
            Quantity("lots", LOT),
        ),
        entries.block_limits,
    ),
    Formula(
        "position_resolution_lots",
        "The lots of a position taken over that are traded off in one go, capped by the book.",
        (
            lots("held_lots", 0),
            lots("whole_below_lots", 0),
            ppm("fraction_ppm"),
            lots("book_lots", 0),
            ppm("max_book_ppm"),
        ),
        (Quantity("lots", LOT),),
        entries.resolution_lots,
    ),
    Formula(
        "dynamic_penalty",
        "The liquidation penalty: base + (max - base) * min(1, notional / depth), rounded up.",
        (micro("notional", 0), micro("depth", 0), ppm("base_ppm"), ppm("max_ppm")),
        (ppm("penalty_ppm"),),
        entries.dynamic_penalty,
        law=("waterfall.dynamic_penalty_ppm",),
    ),
)

_FREED = Demand(
    "maintenance_freed of at most maintenance",
    lambda given: bool(given["maintenance_freed"] <= given["maintenance"]),
)
_HELD = Demand("lots other than 0", lambda given: bool(given["lots"]))
BANKRUPTCY = (
    Formula(
        "bankruptcy_quote",
        "-(change of value) - floor(equity * maintenance freed / maintenance); + is received.",
        (micro("value_change"), _EQUITY, micro("maintenance_freed", 0), _MAINTENANCE),
        (micro("quote"),),
        entries.bankruptcy_quote,
        (_FREED,),
    ),
    Formula(
        "bankruptcy_price",
        "The price at which closing lots leaves the account nothing of their share of equity.",
        (lots("lots"), _MARK, _EQUITY, micro("maintenance_freed", 0), _MAINTENANCE),
        (Quantity("price", PRICE), micro("quote")),
        entries.bankruptcy_price,
        (_FREED, _HELD),
    ),
    Formula(
        "fillable_price",
        "(value - clamp(BA * (1 - equity / maintenance), 0, 1) * SMMR * its maintenance) / lots.",
        (
            micro("position_value"),
            micro("position_maintenance", 0),
            lots("lots"),
            *_ACCOUNT,
            Quantity("bankruptcy_adjustment_ppm", PPMS, 0, ADJUSTMENT_PPM_MAX, PPM),
            Quantity("spread_to_maintenance_ppm", PPMS, 0, FACTOR_PPM_MAX, 100_000),
        ),
        (Quantity("price", PRICE), micro("spread"), micro("quote")),
        entries.fillable_price,
        (_HELD,),
        note="Of whole micro-quote per lot: up for a long, down for a short, 0 at least. The quote "
        "is that of all lots, unrounded: dYdX's price is quote / lots.",
    ),
    Formula(
        "euler_split",
        "Bankruptcy price of each leg by its part in the worst scenario's loss.",
        (
            _EQUITY,
            Table(
                "legs",
                (
                    lots("lots"),
                    _MARK,
                    Quantity("worst_value", PRICE, -WORST_MAX, WORST_MAX),
                ),
                POSITIONS_MAX,
            ),
        ),
        (
            Series("prices", Quantity("price", PRICE), POSITIONS_MAX),
            Series("amounts", micro("amount"), POSITIONS_MAX),
        ),
        entries.euler_split,
        (Demand("lots of each leg other than 0", lambda a: all(leg["lots"] for leg in a["legs"])),),
        note="dYdX shares by maintenance margin, which is the same for linear legs.",
    ),
    Formula(
        "insurance_fund_delta",
        "What the fund gains or pays when a close fills; it pays only if it can pay all.",
        (
            micro("fill_quote"),
            micro("bankruptcy_quote"),
            ppm("max_fee_ppm"),
            Quantity("fund_balance", MICRO, 0, CASH_MAX, 0),
        ),
        (micro("delta"), _yes("covered"), micro("balance_after")),
        entries.insurance_fund_delta,
    ),
    Formula(
        "tranche_payment",
        "What an insurance tranche pays of a loss, capped by its balance and its window.",
        (
            micro("loss", 0),
            micro("balance", 0),
            micro("window_used", 0),
            micro("window_max", 0),
            milliseconds("window_opened_ms", 0),
            milliseconds("now_ms", 0),
            Quantity("window_ms", "milliseconds", 1, 1 << 62, 1 << 62),
        ),
        (micro("paid"), micro("uncovered"), micro("balance_after"), micro("used_after")),
        entries.tranche_payment,
        law=(
            "waterfall.tranche_payment",
            "waterfall.window_after",
        ),
    ),
    Formula(
        "withdrawal_freeze",
        "Until when a deficit freezes withdrawals, given the last freeze.",
        (
            micro("deficit", 0),
            micro("tolerated", 0),
            milliseconds("now_ms"),
            milliseconds("frozen_until_ms", 0),
            milliseconds("last_freeze_ms", 0),
            milliseconds("freeze_ms"),
            milliseconds("spacing_ms", 86_400_000),
        ),
        (
            Quantity("frozen_until_ms", "milliseconds"),
            _yes("frozen"),
            Quantity("last_freeze_ms", "milliseconds"),
        ),
        entries.freeze_after_deficit,
        law=("waterfall.freeze_after_deficit",),
    ),
)

TRANSITIONS = (
    Formula(
        "legal_transition_starkex",
        "0 legal, 1 enlarges, 2 value fell without risk, 3 value / risk fell.",
        (*_RATIO, flag("smaller"), Quantity("risk_scale", "ratio", 1, 1 << 32, 1)),
        (Quantity("code", "code"), _yes("legal")),
        entries.starkex_transition,
        note="StarkEx asks value * 2^32 >= risk: give risk_scale = 4294967296.",
    ),
    Formula(
        "holdings_shrink",
        "Whether no holding grew or flipped.",
        (Table("holdings", (lots("old_lots"), lots("new_lots")), HOLDERS_MAX),),
        (_yes("smaller"),),
        entries.holdings_shrink,
    ),
    Formula(
        "legal_transition_dydx",
        "0 legal, 1 newly and 2 still undercollateralised.",
        (
            micro("old_equity"),
            micro("old_initial", 0),
            micro("old_maintenance", 0),
            micro("new_equity"),
            micro("new_initial", 0),
            micro("new_maintenance", 0),
        ),
        (Quantity("code", "code"), _yes("legal")),
        entries.dydx_transition,
        note="Legal at once with initial margin: dYdX asks this only of accounts without it.",
    ),
    Formula(
        "is_deleverage_fair",
        "Whether value before * risk after > (value after - unit) * risk before.",
        (*_RATIO, Quantity("unit", "any unit", 0, 1 << 32, 1)),
        (_yes("fair"),),
        entries.is_deleverage_fair,
    ),
)

DELEVERAGING = (
    Formula(
        "is_adl_candidate",
        "Whether an account stands opposite to the failing one, and in profit.",
        (lots("failing_lots"), lots("lots"), micro("unrealised_profit")),
        (_yes("candidate"),),
        entries.is_adl_candidate,
    ),
    Formula(
        "adl_rank",
        "The queue rank of a winner: (mark / entry) * (notional / account value), in ppm.",
        (
            _MARK,
            price("entry_price"),
            micro("notional", 0),
            micro("account_value"),
            flag("short", 0),
        ),
        (Quantity("rank_ppm", PPMS),),
        entries.adl_rank,
        note="For a short the price ratio is entry / mark, where Hyperliquid writes mark / entry.",
    ),
    Formula(
        "adl_weight",
        f"lots * max(1, notional / equity), leverage up to {LEVERAGE_PPM_MAX // PPM}, rounded up.",
        (lots("lots"), micro("notional", 0), _EQUITY),
        (Quantity("weight", LOT),),
        entries.adl_weight,
    ),
    Formula(
        "adl_allocation",
        "The lots that each winner gives up of a shortfall, by weight, ties by id.",
        (
            lots("shortfall_lots", 0),
            Table("winners", (lots("lots", 0), micro("notional", 0), _EQUITY, _ID), HOLDERS_MAX),
        ),
        (
            _amounts("closed_lots", lots("lots")),
            _amounts("weights", _WEIGHT),
            Quantity("left_lots", LOT),
        ),
        entries.adl_allocation,
        note="By the largest remainder and not in a queue: never a lot beyond the shortfall.",
    ),
    Formula(
        "adl_in_turn",
        "The lots that each opposite account gives up if they are taken in turn.",
        (lots("shortfall_lots", 0), _amounts("lots", lots("lots", 0))),
        (_amounts("closed_lots", lots("lots")), Quantity("left_lots", LOT)),
        lambda shortfall_lots, lots: entries.sequential(shortfall_lots, lots),
    ),
    Formula(
        "pool_adl",
        "Whether traders' profit / pool calls for deleveraging, and whether one was legal.",
        (
            micro("pnl"),
            micro("pool_value", 0),
            micro("pnl_after"),
            micro("pool_value_after", 0),
            Quantity("max_factor_ppm", PPMS, 0, FACTOR_PPM_MAX),
            Quantity("min_factor_after_ppm", PPMS, 0, FACTOR_PPM_MAX, 0),
        ),
        (
            _yes("due"),
            _yes("legal"),
            Quantity("factor_ppm", PPMS),
            Quantity("factor_after_ppm", PPMS),
        ),
        entries.pool_adl,
    ),
)

SHARING = (
    Formula(
        "prefix_share",
        "floor(S * W_i / W) - floor(S * W_(i-1) / W): a sweep's share, exact in sum.",
        (
            Quantity("total", "any unit", 0, CASH_MAX),
            Quantity("weight_sum_before", "any unit", 0, CASH_MAX),
            Quantity("weight_sum_after", "any unit", 0, CASH_MAX),
            Quantity("weight_total", "any unit", 1, CASH_MAX),
        ),
        (Quantity("share", "any unit"),),
        lambda total, weight_sum_before, weight_sum_after, weight_total: entries.prefix_share(
            total, weight_sum_before, weight_sum_after, weight_total
        ),
        law=("shares.prefix_share",),
    ),
    Formula(
        "largest_remainder",
        "A whole split by weights: floors, then one unit each to the largest remainders.",
        (Quantity("total", "any unit", 0, CASH_MAX), _amounts("weights", _WEIGHT)),
        (_amounts("shares", _WEIGHT), Quantity("sum", "any unit")),
        entries.largest_remainder,
    ),
    Formula(
        "pro_rata_distribution",
        "Everyone owed is paid floor(due * collected / expected); the residue goes to one.",
        (
            micro("collected", 0),
            _amounts("dues", _DUE),
            Quantity("residue_to", "row (-1: the last)", -1, HOLDERS_MAX, -1),
            Quantity("expected", "micro-quote (0: the sum of the dues)", 0, CASH_MAX, 0),
        ),
        (_amounts("paid", _DUE), micro("residue")),
        entries.scaled,
        note="Vega gives the residue to the network if it asked, else to the last, as here.",
    ),
    Formula(
        "socialise_loss",
        "A loss split over unrealised winners by profit; who has none pays nothing.",
        (micro("loss", 0), _amounts("profits", micro("profit"))),
        (_amounts("paid", _DUE), micro("collected"), micro("left")),
        entries.socialise_loss,
    ),
    Formula(
        "socialise_loss_index",
        "The loss per lot that both sides bear, in 1e-12 micro-quote, rounded up.",
        (micro("loss", 0), lots("long_lots", 0), lots("short_lots")),
        (Quantity("index_change", "1e-12 micro-quote per lot"),),
        entries.loss_index,
        (Demand("lots on a side at least", lambda a: bool(a["long_lots"] or a["short_lots"])),),
    ),
    Formula(
        "deposit_index_after_loss",
        "A deposit index after a loss on all deposits: less ceil(index * loss / deposits).",
        (Quantity("index", "ratio", 1, CASH_MAX), micro("loss", 0), micro("deposits", 0)),
        (Quantity("index_after", "ratio"), Quantity("cut", "ratio")),
        entries.deposit_index_cut,
    ),
    Formula(
        "exit_haircut",
        "What seniors, min(1, assets / claims), and juniors get of a house that closes.",
        (
            micro("assets", 0),
            micro("senior_claims", 0),
            Quantity("junior_claims", MICRO, 0, CASH_MAX, 0),
            Quantity("claim", MICRO, 0, CASH_MAX, 0),
        ),
        (
            ppm("senior_ppm"),
            ppm("junior_ppm"),
            micro("senior_paid"),
            micro("junior_paid"),
            micro("claim_paid_as_senior"),
            micro("claim_paid_as_junior"),
        ),
        entries.exit_haircut,
    ),
    Formula(
        "waterfall_payments",
        "What each resource pays of a deficit, in order, and what is left.",
        (micro("deficit", 0), _amounts("resources", micro("resource", 0))),
        (_amounts("paid", _DUE), micro("left")),
        lambda deficit, resources: entries.sequential(deficit, resources),
    ),
)

FORMULAS = (*LIQUIDATION, *BANKRUPTCY, *TRANSITIONS, *DELEVERAGING, *SHARING)
