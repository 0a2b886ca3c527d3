"""The leaves of accounts and of their fill pages (docs/protocol.md, section 3)."""

from clearing.compiler import kernel
from clearing.layout import Rows
from clearing.leaves import (
    HALF_MASK,
    HALF_SIGN,
    LOW_MASK,
    VERSION,
    encode_word,
    index_high,
    index_rest,
    index_top,
    load_word,
)
from clearing.records import Account, Page
from clearing.units import COLLATERALS_MAX, KEYS_MAX, PAGE_SLOTS, PAGES_MAX, POSITIONS_MAX

KEY_MASK = (1 << 24) - 1
CLOSE_BITS = 50  # of the lots of a forced close, signed; the instrument stands above them
CLOSE_MASK = (1 << CLOSE_BITS) - 1
CLOSE_SIGN = 1 << (CLOSE_BITS - 1)

ACCOUNT_HEADER_PIECES = 12
KEY_PIECES = 8
CALL_ORDER_PIECES = 8
ACCOUNT_PIECES_MAX = (
    ACCOUNT_HEADER_PIECES
    + 4 * (2 + POSITIONS_MAX + COLLATERALS_MAX + PAGES_MAX)
    + CALL_ORDER_PIECES
    + KEY_PIECES * KEYS_MAX
)
PAGE_PIECES = 36


@kernel
def has_risk_word(account: Account) -> bool:
    """Tell whether the leaf has the word of the account's auction, recent profit and gate."""
    return (
        account.auction_time | account.recent_profit | account.recent_time | account.not_before
    ) != 0


@kernel
def has_hold_word(account: Account) -> bool:
    """Tell whether the leaf has the word of the hold of an owner's group."""
    return (account.hold_until | account.hold_instrument | account.hold_group) != 0


@kernel
def encode_account(account: Account, pages: Rows[Page], row: Rows[int]) -> int:
    """Write an account leaf: header, what words it has, positions, pages, collaterals, keys."""
    risk = has_risk_word(account)
    held = has_hold_word(account)
    row[0] = (
        (VERSION << 56)
        | (account.mode << 48)
        | (account.position_count << 40)
        | (account.collateral_count << 32)
        | (account.key_count << 24)
        | (account.page_mask << 8)
        | ((1 if risk else 0) + (2 if held else 0) + (4 if account.call_lots != 0 else 0))
    )
    row[1] = account.id
    row[2] = account.subaccount
    row[3] = account.cash
    encode_word(row, 4, account.owner)
    row[8] = account.order_floor
    row[9] = account.request_sequence
    row[10] = (account.close_instrument << CLOSE_BITS) | (account.close_lots & CLOSE_MASK)
    row[11] = account.close_time
    place = ACCOUNT_HEADER_PIECES
    if risk:
        row[place] = account.auction_time
        row[place + 1] = account.recent_profit
        row[place + 2] = account.recent_time
        row[place + 3] = account.not_before
        place += 4
    if held:
        row[place] = account.hold_until
        row[place + 1] = account.hold_instrument
        row[place + 2] = account.hold_group
        row[place + 3] = 0
        place += 4
    if account.call_lots != 0:
        encode_call_order(account, row, place)
        place += CALL_ORDER_PIECES
    for i in range(account.position_count):
        position = account.positions[i]
        high = position.index_high
        row[place] = (position.instrument << 32) | (index_top(high) & HALF_MASK)
        row[place + 1] = index_rest(high, position.index_low)
        row[place + 2] = position.lots
        row[place + 3] = position.entry_cost
        place += 4
    for number in range(PAGES_MAX):
        if (account.page_mask >> number) & 1:
            encode_word(row, place, pages[account.page_rows[number]].digest)
            place += 4
    for i in range(account.collateral_count):
        collateral = account.collaterals[i]
        row[place] = collateral.asset
        row[place + 1] = collateral.amount
        row[place + 2] = collateral.unlock_time
        row[place + 3] = 0
        place += 4
    return place + encode_keys(account, row, place)


@kernel
def encode_call_order(account: Account, row: Rows[int], place: int) -> None:
    """Write the order that stands in a call at `place`; 8 pieces."""
    row[place] = (account.call_instrument << 8) | account.call_level
    row[place + 1] = account.call_lots
    row[place + 2] = account.call_before
    row[place + 3] = account.call_filled
    row[place + 4] = account.call_margin
    row[place + 5] = account.call_opened
    row[place + 6] = account.call_until
    row[place + 7] = 0


@kernel
def load_call_order(row: Rows[int], place: int, account: Account) -> None:
    """Read the order that stands in a call at `place`."""
    account.call_instrument = row[place] >> 8
    account.call_level = row[place] & 0xFF
    account.call_lots = row[place + 1]
    account.call_before = row[place + 2]
    account.call_filled = row[place + 3]
    account.call_margin = row[place + 4]
    account.call_opened = row[place + 5]
    account.call_until = row[place + 6]


@kernel
def encode_keys(account: Account, row: Rows[int], place: int) -> int:
    """Write the session keys at `place`, two words each; return how many pieces."""
    for i in range(account.key_count):
        key = account.keys[i]
        encode_word(row, place + KEY_PIECES * i, key.address)
        row[place + KEY_PIECES * i] = (
            (key.scope << 48) | (key.first_instrument << 24) | key.last_instrument
        )
        row[place + KEY_PIECES * i + 4] = key.limit
        row[place + KEY_PIECES * i + 5] = key.expiry
        row[place + KEY_PIECES * i + 6] = 0
        row[place + KEY_PIECES * i + 7] = 0
    return KEY_PIECES * account.key_count


@kernel
def load_account(
    row: Rows[int], length: int, account: Account, pages: Rows[Page], first_page: int
) -> int:
    """Read an account leaf of `length` pieces; its pages become rows from `first_page`, unknown.

    Returns the number of page rows used, or -1 if the length does not fit the header.
    """
    account.mode = (row[0] >> 48) & 0xFF
    account.position_count = (row[0] >> 40) & 0xFF
    account.collateral_count = (row[0] >> 32) & 0xFF
    account.key_count = (row[0] >> 24) & 0xFF
    account.page_mask = (row[0] >> 8) & 0xFFFF
    risk = row[0] & 1
    held = (row[0] >> 1) & 1
    ordered = (row[0] >> 2) & 1
    page_count = 0
    for number in range(PAGES_MAX):
        page_count += (account.page_mask >> number) & 1
    if (
        account.position_count > POSITIONS_MAX
        or account.collateral_count > COLLATERALS_MAX
        or account.key_count > KEYS_MAX
    ):
        return -1
    words = risk + held + account.position_count + page_count + account.collateral_count
    optional = CALL_ORDER_PIECES * ordered + KEY_PIECES * account.key_count
    if length != ACCOUNT_HEADER_PIECES + 4 * words + optional:
        return -1
    account.id = row[1]
    account.subaccount = row[2]
    account.cash = row[3]
    load_word(row, 4, account.owner)
    account.order_floor = row[8]
    account.request_sequence = row[9]
    account.close_instrument = row[10] >> CLOSE_BITS
    account.close_lots = ((row[10] & CLOSE_MASK) ^ CLOSE_SIGN) - CLOSE_SIGN
    account.close_time = row[11]
    place = ACCOUNT_HEADER_PIECES
    if risk:
        account.auction_time = row[place]
        account.recent_profit = row[place + 1]
        account.recent_time = row[place + 2]
        account.not_before = row[place + 3]
        place += 4
    if held:
        account.hold_until = row[place]
        account.hold_instrument = row[place + 1]
        account.hold_group = row[place + 2]
        place += 4
    if ordered:
        load_call_order(row, place, account)
        place += CALL_ORDER_PIECES
    place = load_positions(row, place, account)
    place = load_page_hashes(row, place, account, pages, first_page)
    load_collaterals_and_keys(row, place, account)
    return page_count


@kernel
def load_positions(row: Rows[int], place: int, account: Account) -> int:
    """Read the positions from `place`; return where they end."""
    for i in range(account.position_count):
        position = account.positions[i]
        position.instrument = (row[place] >> 32) & HALF_MASK
        top = ((row[place] & HALF_MASK) ^ HALF_SIGN) - HALF_SIGN
        position.index_high = index_high(top, row[place + 1])
        position.index_low = row[place + 1] & LOW_MASK
        position.lots = row[place + 2]
        position.entry_cost = row[place + 3]
        place += 4
    return place


@kernel
def load_page_hashes(
    row: Rows[int], place: int, account: Account, pages: Rows[Page], first_page: int
) -> int:
    """Make a row, unknown but for its hash, of each fill page; return where they end."""
    used = first_page
    for number in range(PAGES_MAX):
        account.page_rows[number] = -1
        if (account.page_mask >> number) & 1:
            page = pages[used]
            page.account = account.id
            page.number = number
            page.known = 0
            load_word(row, place, page.digest)
            account.page_rows[number] = used
            used += 1
            place += 4
    return place


@kernel
def load_collaterals_and_keys(row: Rows[int], place: int, account: Account) -> None:
    """Read what stands behind the fill pages."""
    for i in range(account.collateral_count):
        collateral = account.collaterals[i]
        collateral.asset = row[place]
        collateral.amount = row[place + 1]
        collateral.unlock_time = row[place + 2]
        place += 4
    for i in range(account.key_count):
        key = account.keys[i]
        load_word(row, place, key.address)
        key.address[0] = 0
        key.scope = (row[place] >> 48) & 0xFF
        key.first_instrument = (row[place] >> 24) & KEY_MASK
        key.last_instrument = row[place] & KEY_MASK
        key.limit = row[place + 4]
        key.expiry = row[place + 5]
        place += KEY_PIECES


@kernel
def encode_page(page: Page, row: Rows[int]) -> int:
    """Write a fill page; 36 pieces."""
    row[0] = VERSION
    row[1] = page.account
    row[2] = page.number
    row[3] = 0
    for i in range(PAGE_SLOTS):
        row[4 + 2 * i] = page.slots[i].sequence
        row[5 + 2 * i] = page.slots[i].filled
    return PAGE_PIECES


@kernel
def load_page(row: Rows[int], page: Page) -> None:
    """Read a fill page's slots; its account, number and digest come from the account leaf."""
    for i in range(PAGE_SLOTS):
        page.slots[i].sequence = row[4 + 2 * i]
        page.slots[i].filled = row[5 + 2 * i]
    page.known = 1
