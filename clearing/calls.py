"""The call of a market: owners' orders in a book of price levels, while a gap is auctioned.

The first order opens the call as an operation over the market (``Operation.CALL``), which keeps
everything else off it. Once the auction's time is over, the next price finds the uniform price by
the law alone (``auctions.call_level``) and its orders are filled, two at a time, until all that
the price executes is filled or the call's deadline comes. Then the market trades again. An order
is binding until the deadline: initial margin is kept for it, so that nobody moves the price with
money that is not there. What the price does not execute lapses.
"""

from clearing.auctions import call_level, call_share
from clearing.codes import Code, InstrumentKind, InstrumentStatus, Operation, Phase, Side
from clearing.compiler import law
from clearing.failure import clear_operation
from clearing.oracle import Use, price_bounds
from clearing.price_gates import VOLATILE, allows, price_doubts
from clearing.records import Account, Instrument, Params, State
from clearing.units import POINTS_MAX, PPM
from clearing.wide import mul_div_ceil, mul_div_floor

BIDS = 0
ASKS = 1
UNREACHED = -1


# --- The market ----------------------------------------------------------------------------------


@law
def check_calling(state: State, instrument: Instrument, opens: bool) -> int:
    """Return INSTRUMENT_STATUS without a call auction of a market with a book, PRICE_STALE if the
    mark is no good for it; `opens`: a side grows. That the mark has left its band is why we call.
    """
    if instrument.status != InstrumentStatus.AUCTION or instrument.pool != 0:
        return Code.INSTRUMENT_STATUS
    if instrument.kind != InstrumentKind.PERPETUAL and state.globals[0].clock >= instrument.expiry:
        return Code.INSTRUMENT_STATUS
    doubts = price_doubts(state, instrument) & ~VOLATILE
    if not allows(doubts, Use.OPEN if opens else Use.REDUCE):
        return Code.PRICE_STALE
    return Code.APPLIED


@law
def book_shape(instrument: Instrument, band_ppm: int) -> tuple[int, int, int]:
    """Return (price of the lowest level, distance of two, highest level) of the market's book.

    At most 33 levels on the tick, evenly between stable price and mark, each widened by the band
    in which trades must be. The first order settles it for the whole call.
    """
    if instrument.operation == Operation.CALL:
        return instrument.rows[BIDS].number, instrument.rows[ASKS].number, instrument.counted
    lowest, _ = price_bounds(min(instrument.stable_price, instrument.mark_price), band_ppm)
    _, highest = price_bounds(max(instrument.stable_price, instrument.mark_price), band_ppm)
    tick = instrument.tick
    low = -(-lowest // tick) * tick
    width = max(0, highest - low)
    step = max(tick, -(-width // ((POINTS_MAX - 1) * tick)) * tick)
    return low, step, width // step


@law
def level_of(side: int, limit_price: int, low: int, step: int, top: int) -> int:
    """Return the level that an order counts at: a buyer's the highest not above its limit, a
    seller's the lowest not below it; UNREACHED if the book has none."""
    if side == Side.BUY:
        return UNREACHED if limit_price < low else min(top, (limit_price - low) // step)
    level = -(-max(0, limit_price - low) // step)
    return UNREACHED if level > top else level


@law
def lots_on_book(instrument: Instrument, book: int) -> int:
    """Return all lots of one side: BIDS or ASKS."""
    total = 0
    if instrument.operation == Operation.CALL:
        for level in range(instrument.counted + 1):
            total += instrument.rows[book].values[level]
    return total


@law
def open_call(params: Params, instrument: Instrument, clock: int) -> None:
    """Open the book on the market's draft. Its deadline leaves as long for fills as for orders."""
    low, step, top = book_shape(instrument, params.price_band_ppm)
    instrument.operation = Operation.CALL
    instrument.phase = Phase.TALLY
    instrument.deadline = instrument.auction_end + params.band_auction_ms
    instrument.cursor = clock
    instrument.counted = top
    instrument.rows[BIDS].number = low
    instrument.rows[ASKS].number = step


@law
def find_price(params: Params, instrument: Instrument) -> bool:
    """Find the uniform price on the market's draft and begin the fills; False without a cross.

    Fills are judged by the stable price that it brings.
    """
    low = instrument.rows[BIDS].number
    step = instrument.rows[ASKS].number
    level, executed, _, _ = call_level(
        instrument.rows[BIDS].values,
        instrument.rows[ASKS].values,
        instrument.counted + 1,
        low,
        step,
        instrument.mark_price,
    )
    if executed == 0:
        return False
    instrument.phase = Phase.APPLY
    instrument.total = executed
    instrument.price = low + level * step
    instrument.stable_price = stable_near(instrument.price, instrument.mark_price, params.band_ppm)
    return True


@law
def close_call(instrument: Instrument) -> None:
    """Let a market's draft forget its call, if it has one; orders in it are lapsed."""
    if instrument.operation != Operation.CALL:
        return
    clear_operation(instrument)
    for book in range(2):
        instrument.rows[book].number = 0
        for level in range(POINTS_MAX):
            instrument.rows[book].values[level] = 0


@law
def reopen(instrument: Instrument, stable_price: int) -> None:
    """Let a market's draft trade again after its auction, with this stable price."""
    close_call(instrument)
    instrument.status = InstrumentStatus.ACTIVE
    instrument.auction_end = 0
    instrument.auction_price = 0
    instrument.stable_price = stable_price


@law
def reopen_called(params: Params, instrument: Instrument) -> None:
    """Let a market's draft trade again after a call that found a price, which becomes the stable
    price as far as the mark's band lets it. The mark stays the publishers'."""
    reopen(instrument, stable_near(instrument.price, instrument.mark_price, params.band_ppm))


@law
def stable_near(price: int, mark_price: int, band_ppm: int) -> int:
    """Return the stable price nearest to `price` whose band holds the mark."""
    low, _ = mul_div_ceil(mark_price, PPM, PPM + band_ppm)
    if band_ppm >= PPM:
        return price
    high, fits = mul_div_floor(mark_price, PPM, PPM - band_ppm)
    return max(low, min(price, high) if fits else price)


@law
def judge_call(params: Params, instrument: Instrument, clock: int) -> bool:
    """Drive the call of a market's draft whose auction time is over, at a price just taken.

    True if the call settles what becomes of the auction: its price was found now or before. False
    without a call, or if nothing crossed in time: then it is closed and the mark decides.
    """
    if instrument.operation != Operation.CALL:
        return False
    found = instrument.phase == Phase.APPLY
    if clock < instrument.deadline:
        if found or find_price(params, instrument):
            return True
    elif found:
        reopen_called(params, instrument)
        return True
    close_call(instrument)
    return False


# --- The order of an account ---------------------------------------------------------------------


@law
def stands_in(account: Account, instrument: Instrument) -> bool:
    """Tell whether the account's order is one of the call that the market has now."""
    return (
        account.call_lots != 0
        and instrument.operation == Operation.CALL
        and account.call_instrument == instrument.id
        and account.call_opened == instrument.cursor
    )


@law
def binds(account: Account, instrument: Instrument, clock: int) -> bool:
    """Tell whether an order keeps the account from giving one to this market.

    It stands in the market's call; or in another's, whose deadline alone tells that it is over.
    """
    if account.call_instrument == instrument.id:
        return stands_in(account, instrument)
    return account.call_until > clock


@law
def clear_call_order(account: Account) -> None:
    """Let an account's draft forget its order in a call."""
    account.call_instrument = 0
    account.call_level = 0
    account.call_lots = 0
    account.call_before = 0
    account.call_filled = 0
    account.call_margin = 0
    account.call_opened = 0
    account.call_until = 0


@law
def lots_left(account: Account, instrument: Instrument, side: int) -> int:
    """Return the lots that the uniform price executes of the account's order and nobody filled.

    0 if it stands on the other side, or not in this call.
    """
    if not stands_in(account, instrument) or (account.call_lots > 0) != (side == Side.BUY):
        return 0
    book = BIDS if side == Side.BUY else ASKS
    share = call_share(
        instrument.rows[book].values,
        instrument.counted + 1,
        side == Side.BUY,
        instrument.total,
        account.call_level,
        account.call_before,
        abs(account.call_lots),
    )
    return share - account.call_filled
