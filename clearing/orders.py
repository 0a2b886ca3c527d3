"""Orders and their fills: an order is (account, slot, sequence).

It is live if its sequence is above the account's order floor and not below the slot's. A slot
remembers the last sequence and its cumulative fill, in a fill page that is allocated on use, so
replay and overfill are impossible and storage is bounded.
"""

from clearing.authority import OWNER_KEY, check_authority, spend_limit
from clearing.codes import Code, OrderFlag, Scope, Side
from clearing.compiler import law
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_page, is_zero, lots_of, signed_by
from clearing.margin import grows
from clearing.records import Account, Action, Order, State
from clearing.units import PAGE_SLOTS, PPM
from clearing.wide import mul_div_ceil, multiply

KNOWN_FLAGS = OrderFlag.REDUCE_ONLY | OrderFlag.MAKER_ONLY
DEAD = -1  # an order that was cancelled, or whose slot a later one has taken
UNKNOWN_FILL = -2  # a witness lacks the order's fill page


@law
def check_authorised(
    state: State,
    action: Action,
    signers: Grid,
    maker: Account,
    taker: Account,
) -> int:
    """Owners or their session keys signed both orders, the venue the trade; none has expired."""
    clock = state.globals[0].clock
    if clock > action.maker.expiry or clock > action.taker.expiry:
        return Code.EXPIRED
    first = action.signature_first
    maker_code, _ = order_key(clock, maker, signers, first, action.instrument)
    taker_code, _ = order_key(clock, taker, signers, first + 1, action.instrument)
    if maker_code == Code.BAD_SIGNATURE or taker_code == Code.BAD_SIGNATURE:
        return Code.BAD_SIGNATURE
    if maker_code != Code.APPLIED or taker_code != Code.APPLIED:
        return Code.KEY_SCOPE
    if not is_zero(action.address) and not signed_by(signers, first + 2, action.address):
        return Code.BAD_SIGNATURE
    return Code.APPLIED


@law
def order_key(
    clock: int, account: Account, signers: Grid, row: int, instrument: int
) -> tuple[int, int]:
    """Return what `check_authority` does for an order. Most accounts have no keys: one branch."""
    if account.key_count == 0:
        if signed_by(signers, row, account.owner):
            return Code.APPLIED, OWNER_KEY
        return Code.BAD_SIGNATURE, OWNER_KEY
    return check_authority(clock, account, signers, row, Scope.TRADE, instrument)


@law
def spend_keys(
    state: State, action: Action, signers: Grid, maker: Account, taker: Account, signed_lots: int
) -> bool:
    """Take what a fill opened from the limits of the session keys that signed its orders.

    `maker` and `taker` are the drafts after the fill, of orders that `check_authorised` passed.
    False if a limit does not suffice.
    """
    return spend_key(state, action, signers, 0, maker, signed_lots) and spend_key(
        state, action, signers, 1, taker, -signed_lots
    )


@law
def spend_key(
    state: State, action: Action, signers: Grid, side: int, account: Account, signed_lots: int
) -> bool:
    """Take what a fill opened from the limit of the key behind one side: 0 maker, 1 taker."""
    if account.key_count == 0:
        return True
    row = action.signature_first + side
    _, place = order_key(state.globals[0].clock, account, signers, row, action.instrument)
    return spend_opened(account, place, action.instrument, signed_lots, action.price)


@law
def spend_opened(
    account: Account, place: int, instrument: int, signed_lots: int, price: int
) -> bool:
    """Take what `signed_lots` opened of a position, at a price, from the limit of a key.

    The account is a draft that holds the lots; False if the limit does not suffice.
    """
    held = lots_of(account, instrument)
    value, fits = multiply(opened_lots(held - signed_lots, held), price)
    return place == OWNER_KEY or (fits and spend_limit(account, place, value))


@law
def opened_lots(old_lots: int, new_lots: int) -> int:
    """Return how many lots a fill opened: none if it reduced, after a flip all that is held."""
    if not grows(old_lots, new_lots):
        return 0
    return min(abs(new_lots - old_lots), abs(new_lots))


@law
def filled_before(state: State, account: Account, order: Order) -> int:
    """Return the lots already filled of a live order, else DEAD or UNKNOWN_FILL."""
    if order.sequence <= account.order_floor:
        return DEAD
    page = find_page(state, account, order.slot)
    if page == ABSENT:
        return 0
    if page < 0:
        return UNKNOWN_FILL
    slot = state.pages[page].slots[order.slot % PAGE_SLOTS]
    if order.sequence < slot.sequence:
        return DEAD
    return slot.filled if order.sequence == slot.sequence else 0


@law
def check_fills(state: State, action: Action, maker: Account, taker: Account) -> int:
    """Both orders are live, and both have room for the trade's lots: life is judged first."""
    maker_filled = filled_before(state, maker, action.maker)
    taker_filled = filled_before(state, taker, action.taker)
    if maker_filled < DEAD or taker_filled < DEAD:
        return Code.INVARIANT
    if maker_filled == DEAD or taker_filled == DEAD:
        return Code.ORDER_DEAD
    if (
        maker_filled + action.lots > action.maker.lots
        or taker_filled + action.lots > action.taker.lots
    ):
        return Code.OVERFILL
    return Code.APPLIED


@law
def within_limit(side: int, limit_price: int, price: int) -> bool:
    """A buyer pays no more, a seller gets no less, than the limit."""
    return price <= limit_price if side == Side.BUY else price >= limit_price


@law
def check_fees(action: Action) -> int:
    """Neither rate exceeds its signed maximum, and the clearing house pays nobody."""
    if action.maker_fee > action.maker.max_fee or action.taker_fee > action.taker.max_fee:
        return Code.FEE_ABOVE_MAXIMUM
    if action.maker_fee + action.taker_fee < 0:
        return Code.FEE_NEGATIVE
    return Code.APPLIED


@law
def check_reduce_only(account: Account, order: Order, instrument: int, signed_lots: int) -> bool:
    """A reduce-only order neither grows nor flips the position."""
    if order.order_flags & OrderFlag.REDUCE_ONLY == 0:
        return True
    held = lots_of(account, instrument)
    return not grows(held, held + signed_lots)


@law
def fee_micro(value: int, rate_ppm: int) -> int:
    """Return the fee on `value` (>= 0 micro-quote): debits round up, rebates round down."""
    fee, _ = mul_div_ceil(value, rate_ppm, PPM)
    return fee


@law
def record_fill(state: State, draft: int, order: Order, lots: int) -> None:
    """Add a fill to the order's slot, allocating its page on first use."""
    slot = open_slot(state, draft, order.slot)
    if slot.sequence != order.sequence:
        slot.sequence = order.sequence
        slot.filled = 0
    slot.filled += lots


@law
def open_slot(state: State, draft: int, slot: int):  # type: ignore[no-untyped-def]
    """Return the slot's row; a new page is zeroed, marked known, and noted in the account draft."""
    account = state.account_drafts[draft]
    scratch = state.scratch[0]
    number = slot // PAGE_SLOTS
    row = account.page_rows[number]
    if row == ABSENT:
        row = scratch.page_count
        scratch.page_count += 1
        account.page_rows[number] = row
        account.page_mask |= 1 << number
        page = state.pages[row]
        page.account = account.id
        page.number = number
        page.known = 1
        for i in range(PAGE_SLOTS):
            page.slots[i].sequence = 0
            page.slots[i].filled = 0
    state.touched_pages[scratch.touched_pages] = row
    scratch.touched_pages += 1
    return state.pages[row].slots[slot % PAGE_SLOTS]
