"""When an account fails: who is liquidated, how much, at which price, and who bears the loss.

In the order of the default waterfall: partial close, bankruptcy and fillable prices, insurance
fund, auto-deleveraging, socialisation, exit haircut. Pure functions of integers; amounts are
micro-quote within +-2**61, prices micro-quote per lot, fractions ppm. What an account pays rounds
up, what it receives rounds down, and parts of a whole sum to it exactly (``clearing.shares``).
"""

from enum import IntEnum

from clearing.compiler import law
from clearing.layout import Rows
from clearing.margin import grows
from clearing.shares import capped_shares, largest_remainder, portion
from clearing.units import INDEX_SCALE, PPM
from clearing.wide import (
    LIMB,
    div_wide_floor,
    mul_div_ceil,
    mul_div_floor,
    mul_div_floor_wide,
    product_at_least,
)

AMOUNT_END = LIMB - 1  # stands in for every amount and factor that is larger
LEVERAGE_PPM_MAX = 100 * PPM  # beyond this the leverage of a winner weighs no more
_LOSS_MAX = 1 << 57  # of one leg, so that 32 of them stay inside 64 bits
_LOSS_SCALE = 1 << 42


class Transition(IntEnum):
    """Verdict on the new position of an account, the numbers being StarkEx's."""

    LEGAL = 0
    ENLARGES = 1
    NO_RISK_LESS_VALUE = 2
    WORSE_RATIO = 3


class Collateralisation(IntEnum):
    """Verdict on an account's update, the numbers being dYdX's."""

    LEGAL = 0
    NEWLY_UNDERCOLLATERALISED = 1
    STILL_UNDERCOLLATERALISED = 2


# --- Who is liquidated, and how much -------------------------------------------------------------


@law
def is_liquidatable(equity: int, maintenance: int) -> bool:
    """Tell whether an account with a maintenance margin has less equity than that."""
    return maintenance > 0 and maintenance > equity


@law
def compare_risk(equity: int, maintenance: int, other_equity: int, other_maintenance: int) -> int:
    """Return 1 if the first account is riskier than the other, -1 if safer, 0 if neither.

    Riskier is the lower equity / maintenance, compared by cross-multiplication, then the larger
    maintenance. Maintenance margins are above zero.
    """
    if not product_at_least(equity, other_maintenance, other_equity, maintenance):
        return 1
    if not product_at_least(other_equity, maintenance, equity, other_maintenance):
        return -1
    if maintenance == other_maintenance:
        return 0
    return 1 if maintenance > other_maintenance else -1


@law
def liquidation_order(
    equity: Rows[int], maintenance: Rows[int], ids: Rows[int], count: int, order: Rows[int]
) -> int:
    """Write the ids of the liquidatable accounts to `order`, riskiest first, ties by lower id.

    Returns how many there are.
    """
    failing = 0
    for i in range(count):
        if is_liquidatable(equity[i], maintenance[i]):
            failing += 1
            place = 0
            for j in range(count):
                if i != j and is_liquidatable(equity[j], maintenance[j]):
                    risk = compare_risk(equity[j], maintenance[j], equity[i], maintenance[i])
                    place += 1 if risk > 0 or (risk == 0 and ids[j] < ids[i]) else 0
            order[place] = ids[i]
    return failing


@law
def partial_fraction(
    equity: int, maintenance: int, buffer_ppm: int, close_cost: int
) -> tuple[int, int, int]:
    """Return (ppm of every leg to close, target equity, shortfall).

    Target T = maintenance * (1 + buffer). Closing a fraction of all legs frees that fraction of T
    and costs that fraction of `close_cost` c, so the fraction is (T - equity) / (T - c), rounded
    up; everything if closing costs as much as it frees. `buffer_ppm` is at most 10**6.
    """
    target, _ = mul_div_ceil(maintenance, PPM + buffer_ppm, PPM)
    shortfall = max(0, target - equity)
    freed = target - close_cost
    if shortfall == 0:
        return 0, target, 0
    if freed <= shortfall:
        return PPM, target, shortfall
    fraction, _ = mul_div_ceil(shortfall, PPM, freed)
    return fraction, target, shortfall


@law
def lots_to_close(lots: int, fraction_ppm: int) -> int:
    """Return the lots of one leg to close, with its sign: the fraction of it, rounded up."""
    closed, _ = mul_div_ceil(abs(lots), fraction_ppm, PPM)
    return closed if lots > 0 else -closed


@law
def lots_to_cover(
    shortage: int, price: int, price_lots: int, margin_ppm: int, fee_ppm: int, fund_fee_ppm: int
) -> tuple[int, int, bool]:
    """Return (lots rounded down, rounded up, whether closing frees anything) for a shortage.

    Closing notional N frees N * (margin - fee - fund fee), so lots = shortage * price lots /
    (price * (margin - fee - fund fee)); `price` is that of `price_lots` lots. Numbers beyond
    ``AMOUNT_END`` are that. If nothing is freed the whole position has to go.
    """
    freed_ppm = margin_ppm - fee_ppm - fund_fee_ppm
    if freed_ppm <= 0:
        return 0, 0, False
    high, low, fits = mul_div_floor_wide(shortage, price_lots, PPM, price)
    high, low = div_wide_floor(high, low, freed_ppm)
    if not fits or high > 0:
        return AMOUNT_END, AMOUNT_END, True
    # Rounding up is rounding the negative down; its limbs are -1 and the complement.
    high, complement, _ = mul_div_floor_wide(-shortage, price_lots, PPM, price)
    _, complement = div_wide_floor(high, complement, freed_ppm)
    return low, LIMB - complement if complement > 0 else low, True


@law
def portion_to_liquidate(
    elapsed_ms: int, duration_ms: int, first_ppm: int, shortage: int, freed: int, small: int
) -> tuple[int, int]:
    """Return (ppm of the shortage that may be freed now, margin that may be freed now).

    The portion of shortage + what was `freed` already grows from `first_ppm` to all of it over
    `duration_ms`; a shortage below `small` may be freed at once.
    """
    if shortage < small or shortage <= 0:
        return PPM, max(0, shortage)
    grown, fits = mul_div_floor(elapsed_ms, PPM, duration_ms)
    # A duration of zero means at once.
    portion_ppm = min(PPM, grown + first_ppm) if fits else PPM
    freeable, _ = mul_div_floor(shortage + freed, portion_ppm, PPM)
    freeable = max(0, freeable - freed)
    of_shortage, _ = mul_div_floor(freeable, PPM, shortage)
    return of_shortage, freeable


@law
def liquidatable_notional(
    notional: int, least: int, most_ppm: int, window_used: int, window_most: int
) -> tuple[int, int]:
    """Return (least, most) notional of a position that one liquidation may take.

    Least is at most the position; most is the given portion of it (rounded down) but not below
    the least, and in all at most what the window still allows.
    """
    floor = min(least, notional)
    most, _ = mul_div_floor(notional, most_ppm, PPM)
    return floor, min(max(floor, most), max(0, window_most - window_used))


@law
def liquidatable_lots(held: int, price: int, most_notional: int, step: int) -> int:
    """Return the lots (positive) of `held` (positive) that a notional buys, in whole steps.

    All of them if the notional covers the position or that is one step; at least one step.
    """
    notional, fits = mul_div_floor(held, price, 1)
    if (fits and notional <= most_notional) or held <= step:
        return held
    return min(held, max(step, most_notional // price // step * step))


@law
def resolution_lots(
    held: int, whole_below: int, fraction_ppm: int, book_lots: int, book_ppm: int
) -> int:
    """Return the lots of a position taken over (positive) that are traded off in one go.

    All of it up to `whole_below` lots, else the fraction of it, to the nearest lot (half up); at
    most the portion `book_ppm` of the lots that the book holds in the price range, rounded up.
    """
    wanted = held
    if held > whole_below:
        doubled, _ = mul_div_floor(2 * held, fraction_ppm, PPM)
        wanted = (doubled + 1) // 2
    most, _ = mul_div_ceil(book_lots, book_ppm, PPM)
    return min(wanted, most)


@law
def dynamic_penalty_ppm(notional: int, depth: int, least_ppm: int, most_ppm: int) -> int:
    """Return the penalty: least + (most - least) * min(1, notional / depth), rounded up.

    `depth` is the notional that the market absorbs; the larger the close against it, the more a
    keeper has to be paid. Without depth it is the most.
    """
    if depth <= 0 or notional >= depth:
        return most_ppm
    grown, _ = mul_div_ceil(most_ppm - least_ppm, notional, depth)
    return least_ppm + grown


# --- Bankruptcy and fillable prices, insurance fund ----------------------------------------------


@law
def bankruptcy_quote(
    value_change: int, equity: int, maintenance_freed: int, maintenance: int
) -> int:
    """Return the quote at which closing leaves the account exactly its share of nothing.

    -(change of position value) - floor(equity * maintenance freed / maintenance): positive is
    received, negative is paid; rounded so that the insurance fund pays nothing at it.
    """
    return -value_change - portion(equity, maintenance_freed, maintenance)


@law
def bankruptcy_price(
    lots: int, mark_price: int, equity: int, maintenance_freed: int, maintenance: int
) -> tuple[int, int, bool]:
    """Return (quote, price per lot, fits) of closing signed `lots` in bankruptcy.

    A long's price rounds up, a short's down. It may be zero or less: the account then has more
    equity than the position is worth.
    """
    value, fits = mul_div_floor(lots, mark_price, 1)
    if not fits or lots == 0:
        return 0, 0, False
    quote = bankruptcy_quote(-value, equity, maintenance_freed, maintenance)
    price = -(-quote // lots) if lots > 0 else -quote // -lots
    return quote, price, True


@law
def liquidation_spread(
    equity: int,
    maintenance: int,
    position_maintenance: int,
    adjustment_ppm: int,
    spread_ppm: int,
) -> int:
    """Return what a position may be sold below its value: more, the nearer to bankruptcy.

    clamp(adjustment * (1 - equity / maintenance), 0, 1) * spread * position maintenance, one
    rounding down for all of it; at most ``AMOUNT_END``. 0 without maintenance. The adjustment is
    at most 2**32 ppm, the spread 10**7.
    """
    missing = maintenance - equity
    if missing <= 0 or maintenance <= 0:
        return 0
    if product_at_least(missing, adjustment_ppm, maintenance, PPM):
        spread, fits = mul_div_floor(position_maintenance, spread_ppm, PPM)
        return min(spread, AMOUNT_END) if fits else AMOUNT_END
    high, low, _ = mul_div_floor_wide(
        missing, position_maintenance, adjustment_ppm * spread_ppm, maintenance
    )
    # The floor of a floor is the floor of the whole division.
    high, low = div_wide_floor(high, low, PPM * PPM)
    return low if high == 0 else AMOUNT_END


@law
def fillable_price(position_value: int, lots: int, spread: int) -> int:
    """Return (position value - spread) / lots, for a long rounded up, for a short down; >= 0."""
    quote = position_value - spread
    price = -(-quote // lots) if lots > 0 else -quote // -lots
    return max(0, price)


@law
def insurance_fund_delta(fill_quote: int, quote_at_bankruptcy: int, fee_ppm: int) -> int:
    """Return what the fund gains (positive) or pays when a close fills at `fill_quote`.

    What the fill is better than bankruptcy, up to a fee of `fee_ppm` on the fill, rounded down;
    what it is worse, in full. Quotes are signed: received is positive.
    """
    delta = fill_quote - quote_at_bankruptcy
    if delta <= 0:
        return delta
    fee, _ = mul_div_floor(abs(fill_quote), fee_ppm, PPM)
    return min(delta, fee)


@law
def fund_covers(balance: int, delta: int) -> bool:
    """Tell whether the fund gains or can pay all of a loss; it never pays a part of one."""
    return delta >= 0 or balance + delta >= 0


@law
def tranche_payment(loss: int, balance: int, window_used: int, window_most: int) -> int:
    """Return what an insurance tranche pays of a loss: what it has and what the window allows."""
    return max(0, min(loss, balance, window_most - window_used))


@law
def window_after(used: int, opened_ms: int, now_ms: int, length_ms: int) -> tuple[int, int]:
    """Return (used, opened) of a capped window by now: a window past its length starts afresh."""
    if now_ms - opened_ms >= length_ms:
        return 0, now_ms
    return used, opened_ms


@law
def freeze_after_deficit(
    deficit: int,
    tolerated: int,
    now_ms: int,
    frozen_until_ms: int,
    last_freeze_ms: int,
    freeze_ms: int,
    spacing_ms: int,
) -> tuple[int, int]:
    """Return (withdrawals frozen until, time of the last freeze) after an uncovered deficit.

    A deficit beyond `tolerated` freezes withdrawals for `freeze_ms` of law time, but not again
    within `spacing_ms` of the last freeze; last freeze 0 means none yet.
    """
    spaced = last_freeze_ms == 0 or now_ms - last_freeze_ms >= spacing_ms
    if deficit <= tolerated or not spaced:
        return frozen_until_ms, last_freeze_ms
    return max(frozen_until_ms, now_ms + freeze_ms), now_ms


@law
def euler_split(
    lots: Rows[int],
    marks: Rows[int],
    worst_values: Rows[int],
    count: int,
    equity: int,
    amounts: Rows[int],
    prices: Rows[int],
) -> None:
    """Split the equity of an account over its legs by what each loses in the worst scenario.

    `worst_values` are changes of value of one lot in that scenario; share_i = max(0, -lots_i *
    value_i) / sum, and leg i's bankruptcy price is mark_i - equity * share_i / lots_i, a long's
    rounded up, a short's down. `amounts` sum to `equity` exactly: the last leg with a share takes
    the remainder, and all of it if no leg loses. At most 32 legs, by instrument id, lots not 0.
    """
    scale = 1
    for i in range(count):
        loss, fits = _leg_loss(lots[i], worst_values[i], 1)
        if not fits or loss > _LOSS_MAX:
            # Beyond what markets hold: the shares lose digits instead of the law its footing.
            scale = _LOSS_SCALE
    total = 0
    last = count - 1
    for i in range(count):
        loss, _ = _leg_loss(lots[i], worst_values[i], scale)
        total += loss
        if loss > 0 or total == 0:
            last = i
    left = equity
    for i in range(count):
        loss, _ = _leg_loss(lots[i], worst_values[i], scale)
        amounts[i] = portion(equity, loss, total)
        left -= amounts[i]
    if count > 0:
        amounts[last] += left
    for i in range(count):
        if lots[i] > 0:
            prices[i] = marks[i] - amounts[i] // lots[i]
        else:
            prices[i] = marks[i] + amounts[i] // -lots[i]


@law
def _leg_loss(lots: int, worst_value: int, scale: int) -> tuple[int, bool]:
    """Return max(0, -lots * worst value) / scale, rounded down, and whether it fits 64 bits."""
    if (lots > 0) == (worst_value > 0):
        return 0, True
    return mul_div_floor(-lots, worst_value, scale)


# --- Legal transitions and fair deleveraging -----------------------------------------------------


@law
def holdings_shrink(old_lots: Rows[int], new_lots: Rows[int], count: int) -> bool:
    """Tell whether no holding grew or flipped from one side to the other."""
    smaller = True
    for i in range(count):
        smaller = smaller and not grows(old_lots[i], new_lots[i])
    return smaller


@law
def starkex_transition(
    value_before: int,
    risk_before: int,
    value_after: int,
    risk_after: int,
    smaller: bool,
    risk_scale: int,
) -> int:
    """Return the Transition of a position with total value and total risk before and after.

    Legal if the value covers the risk (value * `risk_scale` >= risk), or if no holding grew or
    flipped (`smaller`), value / risk did not fall, and value did not fall where there was no risk.
    """
    if product_at_least(value_after, risk_scale, risk_after, 1):
        return Transition.LEGAL
    if not smaller:
        return Transition.ENLARGES
    if not product_at_least(value_after, risk_before, value_before, risk_after):
        return Transition.WORSE_RATIO
    if risk_before == 0 and value_after < value_before:
        return Transition.NO_RISK_LESS_VALUE
    return Transition.LEGAL


@law
def dydx_transition(
    old_equity: int,
    old_initial: int,
    old_maintenance: int,
    new_equity: int,
    new_initial: int,
    new_maintenance: int,
) -> int:
    """Return the Collateralisation of an account's update.

    Legal with initial margin; below it, if maintenance did not grow and equity / maintenance did
    not fall. Where one of the maintenances is zero, both must be and equity must grow.
    """
    if new_equity >= new_initial:
        return Collateralisation.LEGAL
    refused = Collateralisation.STILL_UNDERCOLLATERALISED
    if old_equity >= old_initial:
        refused = Collateralisation.NEWLY_UNDERCOLLATERALISED
    if new_maintenance > old_maintenance:
        return refused
    if new_maintenance == 0:
        both_zero_and_better = old_maintenance == 0 and new_equity > old_equity
        return Collateralisation.LEGAL if both_zero_and_better else refused
    if product_at_least(new_equity, old_maintenance, old_equity, new_maintenance):
        return Collateralisation.LEGAL
    return refused


@law
def is_deleverage_fair(
    value_before: int, risk_before: int, value_after: int, risk_after: int, unit: int
) -> bool:
    """Tell whether a deleveraged account gives up all that it legally can.

    value before / risk before > (value after - unit) / risk after: one more unit of collateral
    taken from it would worsen its ratio. By cross-multiplication.
    """
    return not product_at_least(value_after - unit, risk_before, value_before, risk_after)


# --- Auto-deleveraging ---------------------------------------------------------------------------


@law
def is_adl_candidate(failing_lots: int, lots: int, unrealised: int) -> bool:
    """Tell whether an account stands opposite to the failing one, and in profit."""
    return unrealised > 0 and ((lots > 0 > failing_lots) or (lots < 0 < failing_lots))


@law
def adl_weight(lots: int, notional: int, equity: int) -> int:
    """Return abs(lots) * max(1, notional / equity), rounded up: leverage pays first.

    Leverage counts up to 100; an account without equity counts as that.
    """
    if equity <= 0:
        leverage_ppm = LEVERAGE_PPM_MAX
    else:
        leverage_ppm, fits = mul_div_floor(notional, PPM, equity)
        leverage_ppm = max(PPM, min(leverage_ppm, LEVERAGE_PPM_MAX)) if fits else LEVERAGE_PPM_MAX
    weight, _ = mul_div_ceil(abs(lots), leverage_ppm, PPM)
    return weight


@law
def adl_rank(mark_price: int, entry_price: int, notional: int, equity: int, short: bool) -> int:
    """Return the place in a queue of winners: (mark / entry) * (notional / equity) in ppm.

    For a short the price ratio is entry / mark, so that profit ranks first on both sides.
    Rounded down; ``AMOUNT_END`` if it is larger or there is no equity.
    """
    if equity <= 0:
        return AMOUNT_END
    above = entry_price if short else mark_price
    below = mark_price if short else entry_price
    high, low, fits = mul_div_floor_wide(notional, above, PPM, equity)
    high, low = div_wide_floor(high, low, below)
    return low if fits and high == 0 else AMOUNT_END


@law
def adl_allocation(
    shortfall: int,
    lots: Rows[int],
    weights: Rows[int],
    ids: Rows[int],
    count: int,
    closed: Rows[int],
    remainders: Rows[int],
) -> int:
    """Split `shortfall` lots over winners by weight, none beyond its `lots` (positive).

    Largest remainder, ties by lower id; never more than the shortfall in all. Returns the lots
    that nobody could take.
    """
    return shortfall - capped_shares(shortfall, weights, lots, ids, count, closed, remainders)


@law
def pnl_factor_exceeds(pnl: int, pool: int, factor_ppm: int) -> bool:
    """Tell whether traders' net profit over the pool's value is above a factor."""
    return pnl > 0 and pool > 0 and not product_at_least(factor_ppm, pool, pnl, PPM)


@law
def pool_adl_legal(
    pnl: int, pool: int, pnl_after: int, pool_after: int, most_ppm: int, least_after_ppm: int
) -> bool:
    """Tell whether a deleveraging against a pool was due and went neither astray nor too far.

    Due: profit / pool above `most_ppm`. Right: the factor falls, and not below `least_after_ppm`.
    Without a pool the factor is zero.
    """
    if not pnl_factor_exceeds(pnl, pool, most_ppm):
        return False
    if pool_after <= 0:
        return False
    falls = not product_at_least(pnl_after, pool, pnl, pool_after)
    return falls and product_at_least(pnl_after, PPM, least_after_ppm, pool_after)


# --- Socialised loss -----------------------------------------------------------------------------


@law
def socialise_loss(
    loss: int,
    profits: Rows[int],
    ids: Rows[int],
    count: int,
    paid: Rows[int],
    weights: Rows[int],
    remainders: Rows[int],
) -> int:
    """Split a loss over unrealised winners pro rata of their profits; return what is left.

    Nobody pays more than its profit, and an account without profit pays nothing. Largest
    remainder, ties by lower id. `weights` and `remainders` are working memory.
    """
    winnings = 0
    for i in range(count):
        weights[i] = max(0, profits[i])
        winnings += weights[i]
    borne = min(loss, winnings)
    largest_remainder(borne, weights, ids, count, paid, remainders)
    return loss - borne


@law
def loss_index_change(loss: int, lots: int) -> tuple[int, int, bool]:
    """Return (high, low, fits), limbs of the loss in 1e-12 micro-quote per lot, rounded up.

    `lots` are long and short lots together: both sides bear an index. Not fits without lots.
    """
    high, low, fits = mul_div_floor_wide(-loss, INDEX_SCALE, 1, lots)
    # Minus a rounded-down negative is the rounded-up positive; limbs negate by complement.
    return -high - (1 if low > 0 else 0), LIMB - low if low > 0 else 0, fits


@law
def deposit_index_cut(index: int, loss: int, deposits: int) -> int:
    """Return how far a deposit index falls for a loss on all deposits: ceil(index * loss / them).

    At most the index less one, so that balances stay divisible by it; 0 without deposits.
    """
    if deposits == 0:
        return 0
    cut, fits = mul_div_ceil(index, loss, deposits)
    return min(cut, index - 1) if fits else index - 1


@law
def exit_payouts(assets: int, seniors: int, juniors: int) -> tuple[int, int]:
    """Return (paid to all seniors, to all juniors) when claims leave a house with `assets`.

    Seniors get min(1, assets / seniors) of their claims; juniors share what is then left, up to
    theirs. Each claim then gets its portion of the class, rounded down.
    """
    senior = max(0, min(assets, seniors))
    return senior, max(0, min(assets - senior, juniors))
