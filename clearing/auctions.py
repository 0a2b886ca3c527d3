"""Auctions: a failing account's slice at a falling price, and a market's call at one price.

Dutch auction: a pro-rata slice of the whole account is offered at a discount that grows with law
time; since margin scales with the slice, the slice that heals the account has a closed form. An
account without value is offered with a growing payout from the insurance fund instead. Margins
are signed as the account sees them (negative: short of it), amounts within +-2**60.

Call auction: all orders trade at the one price that executes most lots, found among their limits
or among the levels of a book. Prices are micro-quote per lot; time is law time in milliseconds.
"""

from enum import IntEnum

from clearing.compiler import law
from clearing.layout import Rows
from clearing.shares import largest_remainder, prefix_share, sequential_share
from clearing.units import PPM
from clearing.wide import mul_div_ceil, mul_div_floor


class AuctionStatus(IntEnum):
    """What is to be done with a running auction."""

    OPEN = 0
    TERMINATE = 1  # healed
    CONVERT = 2  # go on as an insolvent auction
    RESTART = 3  # what was already paid in is worth more than the account


# --- Dutch auction of a failing account ----------------------------------------------------------


@law
def discount_ppm(
    elapsed_ms: int, start_ppm: int, cutoff_ppm: int, fast_ms: int, slow_ms: int
) -> int:
    """Return the part of its value that an account is offered at, in ppm.

    From `start_ppm` to `cutoff_ppm` over the fast period, then to zero over the slow one, linear,
    the falls rounded down.
    """
    if elapsed_ms < fast_ms:
        fallen, _ = mul_div_floor(start_ppm - cutoff_ppm, elapsed_ms, fast_ms)
        return start_ppm - fallen
    if elapsed_ms - fast_ms >= slow_ms:
        return 0
    fallen, _ = mul_div_floor(cutoff_ppm, elapsed_ms - fast_ms, slow_ms)
    return cutoff_ppm - fallen


@law
def buffer_margin(maintenance_margin: int, mark_to_market: int, buffer_ppm: int) -> int:
    """Return maintenance margin + buffer * (maintenance margin - value), rounded down.

    The margin here is value less requirement, as the account sees it; so is the result.
    """
    extra, _ = mul_div_floor(maintenance_margin - mark_to_market, buffer_ppm, PPM)
    return maintenance_margin + extra


@law
def auction_fraction(
    buffer: int, mark_to_market: int, reserved: int, discount: int, value_cutoff: int
) -> tuple[int, int, int]:
    """Return (ppm of the account on offer, numerator, denominator of it).

    f = BM / (BM - MtM * d - R * (1 - d)), rounded up: who buys f of it at the discount `discount`
    (ppm) brings its buffer margin to zero. `reserved` R is the cash that earlier bids paid in;
    all of the account if its value is below `value_cutoff`, nothing if it needs no healing.
    """
    if mark_to_market < value_cutoff:
        return PPM, 0, 0
    missing = max(0, -buffer)
    offered, _ = mul_div_floor(mark_to_market - reserved, discount, PPM)
    whole = missing + reserved + offered
    if missing == 0:
        return 0, 0, whole
    if whole <= missing:
        return PPM, missing, whole
    fraction, _ = mul_div_ceil(missing, PPM, whole)
    return fraction, missing, whole


@law
def bid_price(mark_to_market: int, reserved: int, discount: int) -> int:
    """Return what the whole account costs at a discount (ppm), rounded up: (MtM - R) * d."""
    price, _ = mul_div_ceil(max(0, mark_to_market - reserved), discount, PPM)
    return price


@law
def bid_cost(price_of_all: int, fraction_ppm: int) -> int:
    """Return what a bidder pays for a fraction, rounded up."""
    cost, _ = mul_div_ceil(price_of_all, fraction_ppm, PPM)
    return cost


@law
def insolvent_payout(
    elapsed_ms: int, length_ms: int, maintenance_margin: int, mark_to_market: int
) -> int:
    """Return what the insurance fund pays whoever takes all of an insolvent account; >= 0.

    From -MtM to -MM (both negative as the account sees them) over `length_ms`, linear, rounded
    down. Nothing if the account needs no maintenance.
    """
    if maintenance_margin >= 0:
        return 0
    value = min(mark_to_market, 0)
    if elapsed_ms >= length_ms:
        return -maintenance_margin
    grown, _ = mul_div_floor(value - maintenance_margin, elapsed_ms, length_ms)
    return grown - value


@law
def payout_part(payout_of_all: int, fraction_ppm: int) -> int:
    """Return what the insurance fund pays for a fraction, rounded down."""
    payout, _ = mul_div_floor(payout_of_all, fraction_ppm, PPM)
    return payout


@law
def auction_status(
    insolvent: bool,
    elapsed_ms: int,
    length_ms: int,
    mark_to_market: int,
    maintenance_margin: int,
    buffer: int,
    reserved: int,
) -> int:
    """Return the AuctionStatus; `length_ms` is that of the solvent auction, fast and slow.

    An insolvent auction, and a solvent one past its length, end at maintenance margin; a solvent
    one ends at buffer margin, and turns insolvent when the account has no value left.
    """
    if insolvent:
        return AuctionStatus.TERMINATE if maintenance_margin >= 0 else AuctionStatus.OPEN
    if mark_to_market < 0:
        return AuctionStatus.CONVERT
    if elapsed_ms >= length_ms:
        return AuctionStatus.TERMINATE if maintenance_margin >= 0 else AuctionStatus.CONVERT
    if buffer >= 0:
        return AuctionStatus.TERMINATE
    return AuctionStatus.RESTART if reserved >= mark_to_market else AuctionStatus.OPEN


@law
def withdrawals_blocked(insolvent_maintenance: int, fund: int) -> bool:
    """Tell whether insolvent auctions may yet cost more than the insurance fund holds."""
    return insolvent_maintenance > 0 and insolvent_maintenance > fund


# --- Call auction --------------------------------------------------------------------------------


@law
def lots_at_or_better(
    prices: Rows[int], lots: Rows[int], count: int, price: int, buying: bool
) -> int:
    """Return the lots of the orders that trade at `price`: bids not below, asks not above it."""
    total = 0
    for i in range(count):
        if (prices[i] >= price) if buying else (prices[i] <= price):
            total += lots[i]
    return total


@law
def uniform_price(
    bid_prices: Rows[int],
    bid_lots: Rows[int],
    bids: int,
    ask_prices: Rows[int],
    ask_lots: Rows[int],
    asks: int,
    reference: int,
) -> tuple[int, int, int, int]:
    """Return (price, executed lots, lots bid, lots asked at the price) of a call auction.

    Of all limit prices and the reference: the one that executes most, then leaves least
    imbalance, then is nearest to the reference, then is lower. (reference, 0, ...) without a
    cross. Sums of lots are below 2**62.
    """
    best = reference
    best_bid = lots_at_or_better(bid_prices, bid_lots, bids, reference, True)
    best_ask = lots_at_or_better(ask_prices, ask_lots, asks, reference, False)
    for i in range(bids + asks):
        price = bid_prices[i] if i < bids else ask_prices[i - bids]
        bid = lots_at_or_better(bid_prices, bid_lots, bids, price, True)
        ask = lots_at_or_better(ask_prices, ask_lots, asks, price, False)
        if min(bid, ask) > 0:
            rank = (-min(bid, ask), abs(bid - ask), abs(price - reference), price)
            best_rank = (
                -min(best_bid, best_ask),
                abs(best_bid - best_ask),
                abs(best - reference),
                best,
            )
            if rank < best_rank:
                best, best_bid, best_ask = price, bid, ask
    return best, min(best_bid, best_ask), best_bid, best_ask


@law
def auction_fills(
    prices: Rows[int],
    lots: Rows[int],
    sequences: Rows[int],
    count: int,
    buying: bool,
    executed: int,
    by_time: bool,
    fills: Rows[int],
    weights: Rows[int],
    remainders: Rows[int],
) -> int:
    """Write each order's fill of `executed` lots: better prices first; return what was filled.

    Where the lots run out within one price, its orders share pro rata by largest remainder (ties:
    the earlier), or `by_time` fill one after the other. `sequences` are distinct, lower is
    earlier. `weights` and `remainders` are working memory.
    """
    short_by = 0
    for i in range(count):
        available, level, _ = _level(prices, lots, sequences, count, buying, executed, i)
        weights[i] = lots[i] if 0 < available < level else 0
        # Only the last price that trades is short of lots, so one split serves all its orders.
        short_by = available if weights[i] > 0 else short_by
    largest_remainder(short_by, weights, sequences, count, fills, remainders)
    filled = 0
    for i in range(count):
        available, level, earlier = _level(prices, lots, sequences, count, buying, executed, i)
        if available == level:
            fills[i] = lots[i]
        elif by_time:
            fills[i] = sequential_share(available, earlier, lots[i])
        filled += fills[i]
    return filled


@law
def _level(
    prices: Rows[int],
    lots: Rows[int],
    sequences: Rows[int],
    count: int,
    buying: bool,
    executed: int,
    place: int,
) -> tuple[int, int, int]:
    """Return (lots that reach an order's price, lots at that price, lots there before it)."""
    better = 0
    level = 0
    earlier = 0
    for i in range(count):
        if prices[i] == prices[place]:
            level += lots[i]
            earlier += lots[i] if sequences[i] < sequences[place] else 0
        elif (prices[i] > prices[place]) == buying:
            better += lots[i]
    return max(0, min(executed - better, level)), level, earlier


@law
def call_level(
    bids: Rows[int], asks: Rows[int], levels: int, low: int, step: int, reference: int
) -> tuple[int, int, int, int]:
    """Return (level, executed lots, lots bid, lots asked at it) of a call over price levels.

    Level l is the price low + l * step; `bids` and `asks` are lots by the level that they reach.
    Of all levels: the one that executes most, then leaves least imbalance, then is nearest to the
    reference, then is lower. Zeros without a cross. Sums of lots are below 2**62.
    """
    bid = 0
    for level in range(levels):
        bid += bids[level]
    ask = 0
    best = (0, 0, 0, 0)
    best_bid = 0
    best_ask = 0
    for level in range(levels):
        ask += asks[level]
        rank = (-min(bid, ask), abs(bid - ask), abs(low + level * step - reference), level)
        # A level that executes nothing never ranks before the zeros.
        if rank < best:
            best, best_bid, best_ask = rank, bid, ask
        bid -= bids[level]
    return best[3], -best[0], best_bid, best_ask


@law
def call_share(
    lots: Rows[int],
    levels: int,
    buying: bool,
    executed: int,
    level: int,
    before: int,
    ordered: int,
) -> int:
    """Return what an order of `ordered` lots at a level gets of the lots that a side executes.

    Better levels first; the level at which they run out shares by running sums (`prefix_share`):
    `before` are the lots of its orders that came earlier. Over a side the shares sum to `executed`.
    """
    better = 0
    for other in range(levels):
        if (other > level) if buying else (other < level):
            better += lots[other]
    available = max(0, min(executed - better, lots[level]))
    return prefix_share(available, before, before + ordered, lots[level])


# --- Price monitoring ----------------------------------------------------------------------------


@law
def monitor_bounds(
    reference: int, down_ppm: int, up_ppm: int, down: int, up: int
) -> tuple[int, int]:
    """Return the lowest and the highest price within the bounds around a reference price.

    reference * (1 - down fraction) - down, rounded up, and reference * (1 + up fraction) + up,
    rounded down: a model gives fractions or absolute moves.
    """
    low, _ = mul_div_ceil(reference, PPM - down_ppm, PPM)
    high, _ = mul_div_floor(reference, PPM + up_ppm, PPM)
    return low - down, high + up


@law
def monitor_extension(
    price: int,
    lowest: Rows[int],
    highest: Rows[int],
    extensions_ms: Rows[int],
    spent: Rows[int],
    count: int,
    at_once: bool,
) -> tuple[int, int]:
    """Return (milliseconds that an auction starts or goes on for, bounds that the price broke).

    One row a trigger, in the order in which they are asked. Only the first bound that the price
    breaks counts, or all of them `at_once`, and their extensions add up. A bound triggers once in
    an auction: `spent` rows, set here, are passed over until the caller clears them.
    """
    total = 0
    broken = 0
    for i in range(count):
        if spent[i] == 0 and not lowest[i] <= price <= highest[i] and (at_once or broken == 0):
            spent[i] = 1
            total += extensions_ms[i]
            broken += 1
    return total, broken
