"""Leaf encodings: records to words and back, in one form only (docs/protocol.md, section 3).

A row holds pieces (int64 bit patterns of big-endian eighths). Encoders return the length in
pieces. Loaders are the inverse for a witness: they read what they know, and the caller accepts
a leaf only if encoding it again gives the same pieces, so a second form of a leaf cannot exist.
"""

from clearing.compiler import kernel
from clearing.layout import Rows
from clearing.records import (
    Account,
    Fund,
    Globals,
    Instrument,
    Page,
    Params,
    Withdrawal,
)
from clearing.units import PAGE_SLOTS, PAGES_MAX, POSITIONS_MAX, PUBLISHERS_MAX, TIERS_MAX

VERSION = 1
LOW_MASK = (1 << 62) - 1
HALF_MASK = (1 << 32) - 1
HALF_SIGN = 1 << 31

GLOBALS_PIECES = 28
ACCOUNT_HEADER_PIECES = 12
ACCOUNT_PIECES_MAX = ACCOUNT_HEADER_PIECES + 4 * (POSITIONS_MAX + PAGES_MAX)
PAGE_PIECES = 36
INSTRUMENT_PIECES = 28
FUND_PIECES = 4
WITHDRAWAL_PIECES = 8
PARAMS_HEADER_PIECES = 20
PARAMS_PIECES_MAX = PARAMS_HEADER_PIECES + 4 * (TIERS_MAX + PUBLISHERS_MAX)


@kernel
def index_top(high: int) -> int:
    """Return bits 64 and up of the funding index high * 2^62 + low."""
    return high >> 2


@kernel
def index_rest(high: int, low: int) -> int:
    """Return the lowest 64 bits of the funding index, as a bit pattern."""
    return (high << 62) | low


@kernel
def index_high(top: int, rest: int) -> int:
    """Inverse of index_top and index_rest: the high limb. The low one is rest & (2^62 - 1)."""
    return (top << 2) | ((rest >> 62) & 3)


@kernel
def encode_word(row: Rows[int], place: int, word: Rows[int]) -> None:
    """Write a word (four pieces) at `place`."""
    for i in range(4):
        row[place + i] = word[i]


@kernel
def load_word(row: Rows[int], place: int, word: Rows[int]) -> None:
    """Read a word (four pieces) at `place`."""
    for i in range(4):
        word[i] = row[place + i]


@kernel
def clear_row(row: Rows[int], length: int) -> None:
    """Zero the first `length` pieces: what a leaf does not name is zero."""
    for i in range(length):
        row[i] = 0


@kernel
def encode_globals(totals: Globals, row: Rows[int]) -> int:
    """Write the globals leaf; 28 pieces."""
    clear_row(row, GLOBALS_PIECES)
    row[0] = totals.law_version
    row[1] = totals.status
    row[2] = totals.clock
    row[3] = totals.account_count
    row[4] = totals.instrument_count
    row[5] = totals.fund_count
    row[6] = totals.withdrawal_count
    row[7] = totals.inbox_count
    encode_word(row, 8, totals.inbox_accumulator)
    row[12] = totals.sequenced_count
    row[13] = totals.custody
    row[14] = totals.cash_total
    row[15] = totals.pot_total
    encode_word(row, 16, totals.sequenced_accumulator)
    encode_word(row, 20, totals.withdrawals_root)
    encode_word(row, 24, totals.domain)
    return GLOBALS_PIECES


@kernel
def load_globals(row: Rows[int], totals: Globals) -> None:
    """Read the globals leaf."""
    totals.law_version = row[0]
    totals.status = row[1]
    totals.clock = row[2]
    totals.account_count = row[3]
    totals.instrument_count = row[4]
    totals.fund_count = row[5]
    totals.withdrawal_count = row[6]
    totals.inbox_count = row[7]
    load_word(row, 8, totals.inbox_accumulator)
    totals.sequenced_count = row[12]
    totals.custody = row[13]
    totals.cash_total = row[14]
    totals.pot_total = row[15]
    load_word(row, 16, totals.sequenced_accumulator)
    load_word(row, 20, totals.withdrawals_root)
    load_word(row, 24, totals.domain)


@kernel
def encode_account(account: Account, pages: Rows[Page], row: Rows[int]) -> int:
    """Write an account leaf: header, positions, then the hash of each fill page."""
    row[0] = (
        (VERSION << 56)
        | (account.mode << 48)
        | (account.position_count << 40)
        | (account.page_mask << 8)
    )
    row[1] = account.id
    row[2] = account.subaccount
    row[3] = account.cash
    encode_word(row, 4, account.owner)
    row[8] = account.order_floor
    row[9] = account.request_sequence
    row[10] = 0
    row[11] = 0
    place = ACCOUNT_HEADER_PIECES
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
    return place


@kernel
def load_account(
    row: Rows[int], length: int, account: Account, pages: Rows[Page], first_page: int
) -> int:
    """Read an account leaf of `length` pieces; its pages become rows from `first_page`, unknown.

    Returns the number of page rows used, or -1 if the length does not fit the header.
    """
    account.mode = (row[0] >> 48) & 0xFF
    account.position_count = (row[0] >> 40) & 0xFF
    account.page_mask = (row[0] >> 8) & 0xFFFF
    page_count = 0
    for number in range(PAGES_MAX):
        page_count += (account.page_mask >> number) & 1
    if account.position_count > POSITIONS_MAX:
        return -1
    if length != ACCOUNT_HEADER_PIECES + 4 * (account.position_count + page_count):
        return -1
    account.id = row[1]
    account.subaccount = row[2]
    account.cash = row[3]
    load_word(row, 4, account.owner)
    account.order_floor = row[8]
    account.request_sequence = row[9]
    place = ACCOUNT_HEADER_PIECES
    for i in range(account.position_count):
        position = account.positions[i]
        position.instrument = (row[place] >> 32) & HALF_MASK
        top = ((row[place] & HALF_MASK) ^ HALF_SIGN) - HALF_SIGN
        position.index_high = index_high(top, row[place + 1])
        position.index_low = row[place + 1] & LOW_MASK
        position.lots = row[place + 2]
        position.entry_cost = row[place + 3]
        place += 4
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
    return page_count


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


@kernel
def encode_instrument(instrument: Instrument, row: Rows[int]) -> int:
    """Write an instrument leaf; 28 pieces."""
    clear_row(row, INSTRUMENT_PIECES)
    row[0] = (
        (VERSION << 56)
        | (instrument.kind << 48)
        | (instrument.status << 40)
        | (instrument.tier << 32)
    )
    row[1] = instrument.id
    row[2] = instrument.underlying
    row[3] = instrument.strike
    row[4] = instrument.expiry
    row[5] = instrument.tick
    row[6] = instrument.lot_size
    row[7] = instrument.open_interest
    row[8] = instrument.mark_price
    row[9] = instrument.index_price
    row[10] = instrument.stable_price
    row[11] = instrument.price_time
    row[12] = index_top(instrument.funding_high)
    row[13] = index_rest(instrument.funding_high, instrument.funding_low)
    row[14] = instrument.funding_time
    row[15] = instrument.pot
    row[16] = instrument.premium_sum
    row[17] = instrument.premium_samples
    row[18] = instrument.open_interest_cap
    row[19] = instrument.position_cap
    encode_word(row, 20, instrument.symbol)
    return INSTRUMENT_PIECES


@kernel
def load_instrument(row: Rows[int], instrument: Instrument) -> None:
    """Read an instrument leaf."""
    instrument.kind = (row[0] >> 48) & 0xFF
    instrument.status = (row[0] >> 40) & 0xFF
    instrument.tier = (row[0] >> 32) & 0xFF
    instrument.id = row[1]
    instrument.underlying = row[2]
    instrument.strike = row[3]
    instrument.expiry = row[4]
    instrument.tick = row[5]
    instrument.lot_size = row[6]
    instrument.open_interest = row[7]
    instrument.mark_price = row[8]
    instrument.index_price = row[9]
    instrument.stable_price = row[10]
    instrument.price_time = row[11]
    instrument.funding_high = index_high(row[12], row[13])
    instrument.funding_low = row[13] & LOW_MASK
    instrument.funding_time = row[14]
    instrument.pot = row[15]
    instrument.premium_sum = row[16]
    instrument.premium_samples = row[17]
    instrument.open_interest_cap = row[18]
    instrument.position_cap = row[19]
    load_word(row, 20, instrument.symbol)


@kernel
def encode_fund(fund: Fund, row: Rows[int]) -> int:
    """Write a fund leaf; 4 pieces."""
    row[0] = VERSION
    row[1] = fund.id
    row[2] = fund.asset
    row[3] = fund.balance
    return FUND_PIECES


@kernel
def load_fund(row: Rows[int], fund: Fund) -> None:
    """Read a fund leaf."""
    fund.id = row[1]
    fund.asset = row[2]
    fund.balance = row[3]


@kernel
def encode_withdrawal(withdrawal: Withdrawal, row: Rows[int]) -> int:
    """Write a withdrawal leaf; 8 pieces."""
    row[0] = withdrawal.index
    row[1] = withdrawal.asset
    row[2] = withdrawal.amount
    row[3] = withdrawal.account
    encode_word(row, 4, withdrawal.recipient)
    return WITHDRAWAL_PIECES


@kernel
def encode_params(params: Params, row: Rows[int]) -> int:
    """Write the params leaf: header, eight tiers, then one word a publisher."""
    clear_row(row, PARAMS_PIECES_MAX)
    row[0] = VERSION
    row[1] = params.version
    row[2] = params.publisher_count
    row[3] = params.price_quorum
    row[4] = params.price_band_ppm
    row[5] = params.price_stale_open_ms
    row[6] = params.price_stale_margin_ms
    row[7] = params.price_jump_ppm
    row[8] = params.funding_interval_ms
    row[9] = params.funding_cap_ppm
    row[10] = params.liquidation_buffer_ppm
    row[11] = params.liquidation_penalty_ppm
    row[12] = params.insurance_fee_ppm
    row[13] = params.transfer_margin_ppm
    row[14] = params.price_drift_ms
    place = PARAMS_HEADER_PIECES
    for i in range(TIERS_MAX):
        tier = params.tiers[i]
        row[place] = tier.initial_ppm
        row[place + 1] = tier.maintenance_ppm
        row[place + 2] = tier.open_interest_lower
        row[place + 3] = tier.open_interest_upper
        place += 4
    for i in range(params.publisher_count):
        encode_word(row, place, params.publishers[i].address)
        place += 4
    return place


@kernel
def load_params(row: Rows[int], length: int, params: Params) -> bool:
    """Read the params leaf of `length` pieces; False if the length does not fit the header."""
    params.publisher_count = row[2]
    if params.publisher_count < 0 or params.publisher_count > PUBLISHERS_MAX:
        return False
    if length != PARAMS_HEADER_PIECES + 4 * (TIERS_MAX + params.publisher_count):
        return False
    params.version = row[1]
    params.price_quorum = row[3]
    params.price_band_ppm = row[4]
    params.price_stale_open_ms = row[5]
    params.price_stale_margin_ms = row[6]
    params.price_jump_ppm = row[7]
    params.funding_interval_ms = row[8]
    params.funding_cap_ppm = row[9]
    params.liquidation_buffer_ppm = row[10]
    params.liquidation_penalty_ppm = row[11]
    params.insurance_fee_ppm = row[12]
    params.transfer_margin_ppm = row[13]
    params.price_drift_ms = row[14]
    place = PARAMS_HEADER_PIECES
    for i in range(TIERS_MAX):
        tier = params.tiers[i]
        tier.initial_ppm = row[place]
        tier.maintenance_ppm = row[place + 1]
        tier.open_interest_lower = row[place + 2]
        tier.open_interest_upper = row[place + 3]
        place += 4
    for i in range(params.publisher_count):
        load_word(row, place, params.publishers[i].address)
        place += 4
    return True
