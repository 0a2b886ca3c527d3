"""Entries of ``clearing.waterfall`` and ``clearing.shares`` for ``clearing.formulas``.

They take and give plain integers and lists of them; columns of tables become int64 arrays here.
Every entry raises ArithmeticError where a number leaves 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

from clearing import shares, waterfall
from clearing.compiler import law_entry
from clearing.formulas.columns import array, column, empty
from clearing.formulas.trading_entries import checked
from clearing.layout import Rows
from clearing.units import PPM
from clearing.wide import LIMB_BITS, mul_div_floor

Table = Sequence[dict[str, int]]


def ids_of(table: Table) -> Rows[int]:
    """Return the ids of a table's rows, the row number where none (-1) was given."""
    return array([i if row["id"] < 0 else row["id"] for i, row in enumerate(table)])


@law_entry
def is_liquidatable(equity: int, maintenance: int) -> bool:
    """Return ``waterfall.is_liquidatable``."""
    return waterfall.is_liquidatable(equity, maintenance)


@law_entry
def _order(
    equity: Rows[int], maintenance: Rows[int], ids: Rows[int], count: int, order: Rows[int]
) -> int:
    return waterfall.liquidation_order(equity, maintenance, ids, count, order)


@law_entry
def partial_fraction(
    equity: int, maintenance: int, buffer_ppm: int, close_cost: int, lots: int
) -> tuple[int, int, int, int]:
    """Return (fraction, target, shortfall, lots to close)."""
    fraction, target, shortfall = waterfall.partial_fraction(
        equity, maintenance, buffer_ppm, close_cost
    )
    return fraction, target, shortfall, waterfall.lots_to_close(lots, fraction)


@law_entry
def lots_to_cover(
    margin_shortage: int,
    price: int,
    price_lots: int,
    margin_ratio_ppm: int,
    liquidation_fee_ppm: int,
    insurance_fee_ppm: int,
    held_lots: int,
) -> tuple[int, int, bool]:
    """Return (lots rounded up, rounded down, whether all of it has to go), at most those held."""
    down, up, frees = waterfall.lots_to_cover(
        margin_shortage, price, price_lots, margin_ratio_ppm, liquidation_fee_ppm, insurance_fee_ppm
    )
    if not frees:
        return held_lots, held_lots, True
    return min(up, held_lots), min(down, held_lots), up >= held_lots


@law_entry
def portion_to_liquidate(
    elapsed_ms: int,
    duration_ms: int,
    initial_ppm: int,
    margin_shortage: int,
    margin_freed: int,
    small_shortage: int,
) -> tuple[int, int]:
    """Return ``waterfall.portion_to_liquidate``."""
    return waterfall.portion_to_liquidate(
        elapsed_ms, duration_ms, initial_ppm, margin_shortage, margin_freed, small_shortage
    )


@law_entry
def block_limits(
    held_lots: int,
    mark_price: int,
    min_notional: int,
    max_portion_ppm: int,
    window_used: int,
    window_max: int,
    step_lots: int,
) -> tuple[int, int, int, int]:
    """Return (notional, least, most, lots) of ``waterfall.liquidatable_notional`` and lots."""
    notional, fits = mul_div_floor(held_lots, mark_price, 1)
    least, most = waterfall.liquidatable_notional(
        checked(notional, fits), min_notional, max_portion_ppm, window_used, window_max
    )
    lots = waterfall.liquidatable_lots(held_lots, mark_price, most, step_lots)
    return notional, least, most, lots


@law_entry
def resolution_lots(
    held_lots: int, whole_below_lots: int, fraction_ppm: int, book_lots: int, max_book_ppm: int
) -> int:
    """Return ``waterfall.resolution_lots``."""
    return waterfall.resolution_lots(
        held_lots, whole_below_lots, fraction_ppm, book_lots, max_book_ppm
    )


@law_entry
def dynamic_penalty(notional: int, depth: int, base_ppm: int, max_ppm: int) -> int:
    """Return ``waterfall.dynamic_penalty_ppm``; a most below the least counts as the least."""
    return waterfall.dynamic_penalty_ppm(notional, depth, base_ppm, max(base_ppm, max_ppm))


@law_entry
def bankruptcy_quote(
    value_change: int, equity: int, maintenance_freed: int, maintenance: int
) -> int:
    """Return ``waterfall.bankruptcy_quote``; what is freed is at most all maintenance."""
    checked(0, maintenance_freed <= maintenance)
    return waterfall.bankruptcy_quote(value_change, equity, maintenance_freed, maintenance)


@law_entry
def bankruptcy_price(
    lots: int, mark_price: int, equity: int, maintenance_freed: int, maintenance: int
) -> tuple[int, int]:
    """Return (price, quote) of ``waterfall.bankruptcy_price``; freed is at most all."""
    checked(0, maintenance_freed <= maintenance)
    quote, price, fits = waterfall.bankruptcy_price(
        lots, mark_price, equity, maintenance_freed, maintenance
    )
    return price, checked(quote, fits)


@law_entry
def fillable_price(
    position_value: int,
    position_maintenance: int,
    lots: int,
    equity: int,
    maintenance: int,
    bankruptcy_adjustment_ppm: int,
    spread_to_maintenance_ppm: int,
) -> tuple[int, int, int]:
    """Return (price, spread, quote) of ``waterfall.fillable_price``, ``liquidation_spread``."""
    spread = waterfall.liquidation_spread(
        equity,
        maintenance,
        position_maintenance,
        bankruptcy_adjustment_ppm,
        spread_to_maintenance_ppm,
    )
    checked(0, lots != 0)
    price = waterfall.fillable_price(position_value, lots, spread)
    return price, spread, position_value - spread


@law_entry
def insurance_fund_delta(
    fill_quote: int, bankruptcy_quote: int, max_fee_ppm: int, fund_balance: int
) -> tuple[int, bool, int]:
    """Return (delta, whether the fund covers it, its balance after)."""
    delta = waterfall.insurance_fund_delta(fill_quote, bankruptcy_quote, max_fee_ppm)
    covered = waterfall.fund_covers(fund_balance, delta)
    return delta, covered, fund_balance + delta if covered else fund_balance


@law_entry
def tranche_payment(
    loss: int,
    balance: int,
    window_used: int,
    window_max: int,
    window_opened_ms: int,
    now_ms: int,
    window_ms: int,
) -> tuple[int, int, int, int]:
    """Return (paid, uncovered, balance after, used of the window after)."""
    used, _ = waterfall.window_after(window_used, window_opened_ms, now_ms, window_ms)
    paid = waterfall.tranche_payment(loss, balance, used, window_max)
    return paid, loss - paid, balance - paid, used + paid


@law_entry
def freeze_after_deficit(
    deficit: int,
    tolerated: int,
    now_ms: int,
    frozen_until_ms: int,
    last_freeze_ms: int,
    freeze_ms: int,
    spacing_ms: int,
) -> tuple[int, bool, int]:
    """Return (frozen until, whether frozen now, last freeze)."""
    until, last = waterfall.freeze_after_deficit(
        deficit, tolerated, now_ms, frozen_until_ms, last_freeze_ms, freeze_ms, spacing_ms
    )
    return until, now_ms < until, last


@law_entry
def _euler(
    lots: Rows[int],
    marks: Rows[int],
    worst_values: Rows[int],
    count: int,
    equity: int,
    amounts: Rows[int],
    prices: Rows[int],
) -> None:
    for i in range(count):
        checked(0, lots[i] != 0)
    waterfall.euler_split(lots, marks, worst_values, count, equity, amounts, prices)


@law_entry
def _shrink(old_lots: Rows[int], new_lots: Rows[int], count: int) -> bool:
    return waterfall.holdings_shrink(old_lots, new_lots, count)


@law_entry
def starkex_transition(
    value_before: int,
    risk_before: int,
    value_after: int,
    risk_after: int,
    smaller: int,
    risk_scale: int,
) -> tuple[int, bool]:
    """Return (code, whether legal) of ``waterfall.starkex_transition``."""
    code = waterfall.starkex_transition(
        value_before, risk_before, value_after, risk_after, smaller != 0, risk_scale
    )
    return code, code == waterfall.Transition.LEGAL


@law_entry
def dydx_transition(
    old_equity: int,
    old_initial: int,
    old_maintenance: int,
    new_equity: int,
    new_initial: int,
    new_maintenance: int,
) -> tuple[int, bool]:
    """Return (code, whether legal) of ``waterfall.dydx_transition``."""
    code = waterfall.dydx_transition(
        old_equity, old_initial, old_maintenance, new_equity, new_initial, new_maintenance
    )
    return code, code == waterfall.Collateralisation.LEGAL


@law_entry
def is_deleverage_fair(
    value_before: int, risk_before: int, value_after: int, risk_after: int, unit: int
) -> bool:
    """Return ``waterfall.is_deleverage_fair``."""
    return waterfall.is_deleverage_fair(value_before, risk_before, value_after, risk_after, unit)


@law_entry
def adl_rank(
    mark_price: int, entry_price: int, notional: int, account_value: int, short: int
) -> int:
    """Return ``waterfall.adl_rank``."""
    return waterfall.adl_rank(mark_price, entry_price, notional, account_value, short != 0)


@law_entry
def adl_weight(lots: int, notional: int, equity: int) -> int:
    """Return ``waterfall.adl_weight``."""
    return waterfall.adl_weight(lots, notional, equity)


@law_entry
def is_adl_candidate(failing_lots: int, lots: int, unrealised_profit: int) -> bool:
    """Return ``waterfall.is_adl_candidate``."""
    return waterfall.is_adl_candidate(failing_lots, lots, unrealised_profit)


@law_entry
def _allocation(
    shortfall: int,
    lots: Rows[int],
    weights: Rows[int],
    ids: Rows[int],
    count: int,
    closed: Rows[int],
    remainders: Rows[int],
) -> int:
    return waterfall.adl_allocation(shortfall, lots, weights, ids, count, closed, remainders)


@law_entry
def _sequential(total: int, held: Rows[int], count: int, given: Rows[int]) -> int:
    return shares.sequential_shares(total, held, count, given)


@law_entry
def pool_adl(
    pnl: int,
    pool_value: int,
    pnl_after: int,
    pool_value_after: int,
    max_factor_ppm: int,
    min_factor_after_ppm: int,
) -> tuple[bool, bool, int, int]:
    """Return (due, legal, factor before, factor after)."""
    before, _ = mul_div_floor(pnl, PPM, pool_value)
    after, _ = mul_div_floor(pnl_after, PPM, pool_value_after)
    return (
        waterfall.pnl_factor_exceeds(pnl, pool_value, max_factor_ppm),
        waterfall.pool_adl_legal(
            pnl, pool_value, pnl_after, pool_value_after, max_factor_ppm, min_factor_after_ppm
        ),
        before,
        after,
    )


@law_entry
def prefix_share(total: int, weight_before: int, weight_after: int, weight_total: int) -> int:
    """Return ``shares.prefix_share``; weights out of order count as if they stood in it."""
    after = min(weight_after, weight_total)
    return shares.prefix_share(total, min(weight_before, after), after, weight_total)


@law_entry
def _remainder(
    total: int,
    weights: Rows[int],
    ids: Rows[int],
    count: int,
    given: Rows[int],
    remainders: Rows[int],
) -> int:
    return shares.largest_remainder(total, weights, ids, count, given, remainders)


@law_entry
def _scaled(
    collected: int,
    expected: int,
    dues: Rows[int],
    count: int,
    residue_to: int,
    given: Rows[int],
) -> int:
    return shares.scaled_shares(collected, expected, dues, count, residue_to, given)


@law_entry
def _socialise(
    loss: int,
    profits: Rows[int],
    ids: Rows[int],
    count: int,
    paid: Rows[int],
    weights: Rows[int],
    remainders: Rows[int],
) -> int:
    return waterfall.socialise_loss(loss, profits, ids, count, paid, weights, remainders)


@law_entry
def _loss_index(loss: int, lots: int) -> tuple[int, int]:
    high, low, fits = waterfall.loss_index_change(loss, lots)
    return checked(high, fits), low


@law_entry
def deposit_index_cut(index: int, loss: int, deposits: int) -> tuple[int, int]:
    """Return (index after, cut) of ``waterfall.deposit_index_cut``."""
    cut = waterfall.deposit_index_cut(index, loss, deposits)
    return index - cut, cut


@law_entry
def exit_haircut(
    assets: int, senior_claims: int, junior_claims: int, claim: int
) -> tuple[int, int, int, int, int, int]:
    """Return (seniors ppm, juniors ppm, both paid, and a claim's payment in each class)."""
    senior, junior = waterfall.exit_payouts(assets, senior_claims, junior_claims)
    return (
        shares.portion(PPM, senior, senior_claims),
        shares.portion(PPM, junior, junior_claims),
        senior,
        junior,
        shares.portion(min(claim, senior_claims), senior, senior_claims),
        shares.portion(min(claim, junior_claims), junior, junior_claims),
    )


def holdings_shrink(holdings: Table) -> bool:
    """Return ``waterfall.holdings_shrink``."""
    return _shrink(column(holdings, "old_lots"), column(holdings, "new_lots"), len(holdings))


def liquidation_order(accounts: Table) -> tuple[Rows[int], int]:
    """Return (ids, riskiest first, and how many)."""
    count = len(accounts)
    order = empty(count)
    failing = _order(
        column(accounts, "equity"),
        column(accounts, "maintenance"),
        ids_of(accounts),
        count,
        order,
    )
    return order[:failing], failing


def euler_split(equity: int, legs: Table) -> tuple[Rows[int], Rows[int]]:
    """Return (prices, amounts) of ``waterfall.euler_split``."""
    count = len(legs)
    amounts, prices = empty(count), empty(count)
    lots, marks = column(legs, "lots"), column(legs, "mark_price")
    _euler(lots, marks, column(legs, "worst_value"), count, equity, amounts, prices)
    return prices, amounts


def adl_allocation(shortfall_lots: int, winners: Table) -> tuple[Rows[int], Rows[int], int]:
    """Return (lots closed, weights, lots that nobody could take)."""
    count = len(winners)
    weights = array([adl_weight(row["lots"], row["notional"], row["equity"]) for row in winners])
    closed = empty(count)
    left = _allocation(
        shortfall_lots,
        column(winners, "lots"),
        weights,
        ids_of(winners),
        count,
        closed,
        empty(count),
    )
    return closed, weights, left


def sequential(total: int, held: Sequence[int]) -> tuple[Rows[int], int]:
    """Return (given, left) of ``shares.sequential_shares``."""
    given = empty(len(held))
    return given, _sequential(total, array(held), len(held), given)


def largest_remainder(total: int, weights: Sequence[int]) -> tuple[Rows[int], int]:
    """Return (shares, their sum) of ``shares.largest_remainder``, ties to the earlier row."""
    count = len(weights)
    given = empty(count)
    summed = _remainder(total, array(weights), array(range(count)), count, given, empty(count))
    return given, summed


def scaled(
    collected: int, dues: Sequence[int], residue_to: int, expected: int
) -> tuple[Rows[int], int]:
    """Return (paid, residue) of ``shares.scaled_shares``.

    `residue_to` is a row, the last if beyond; `expected` is the sum of the dues if zero.
    """
    count = len(dues)
    given = empty(count)
    due = expected if expected else checked_sum(dues)
    place = residue_to if 0 <= residue_to < count else count - 1
    return given, _scaled(collected, due, array(dues), count, place, given)


def checked_sum(values: Sequence[int]) -> int:
    """Return the sum. Raises OverflowError beyond 64 bits."""
    total = sum(values)
    if not -(1 << 63) <= total < 1 << 63:
        raise OverflowError("expected a sum of 64 bits")
    return total


def socialise_loss(loss: int, profits: Sequence[int]) -> tuple[Rows[int], int, int]:
    """Return (paid by each, paid in all, left)."""
    count = len(profits)
    paid = empty(count)
    left = _socialise(
        loss,
        array(profits),
        array(range(count)),
        count,
        paid,
        empty(count),
        empty(count),
    )
    return paid, loss - left, left


def loss_index(loss: int, long_lots: int, short_lots: int) -> int:
    """Return ``waterfall.loss_index_change``, its limbs joined."""
    high, low = _loss_index(loss, long_lots + abs(short_lots))
    return (int(high) << LIMB_BITS) + int(low)
