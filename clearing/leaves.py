"""Leaf encodings: records to words and back, in one form only (docs/protocol.md, section 3).

A row holds pieces (int64 bit patterns of big-endian eighths). Encoders return the length in
pieces. Loaders are the inverse for a witness: they read what they know, and the caller accepts
a leaf only if encoding it again gives the same pieces, so a second form of a leaf cannot exist.
"""

from typing import Any, cast

from clearing.codes import InstrumentKind, Operation
from clearing.compiler import kernel
from clearing.layout import Rows
from clearing.records import (
    ASSET,
    PARAMS,
    POOL,
    TIER,
    UNDERLYING,
    Fund,
    Globals,
    Instrument,
    Withdrawal,
)
from clearing.units import (
    POINTS_MAX,
    PUBLISHERS_MAX,
    SCENARIOS_MAX,
    TIERS_MAX,
)

VERSION = 1
CALL = int(InstrumentKind.CALL)
PUT = int(InstrumentKind.PUT)
CALL_AUCTION = int(Operation.CALL)
LOW_MASK = (1 << 62) - 1
HALF_MASK = (1 << 32) - 1
HALF_SIGN = 1 << 31

GLOBALS_PIECES = 40
WITHDRAWALS_ROOT_PIECE = 20
INSTRUMENT_HEADER_PIECES = 36
ROW_PIECES = 1 + POINTS_MAX
OPERATION_PIECES = 16
INSTRUMENT_PIECES_MAX = INSTRUMENT_HEADER_PIECES + 2 * ROW_PIECES + OPERATION_PIECES
FUND_PIECES = 4
WITHDRAWAL_PIECES = 8


def _word_aligned(pieces: int) -> int:
    return -(-pieces // 4) * 4


# Leaves that are their record, field by field behind the version, up to whole words. Of params
# only the tiers and publishers in use.
PARAMS_FIELDS = PARAMS.itemsize // 8
PUBLISHER_FIELDS = 4
TIER_FIELDS = TIER.itemsize // 8
PARAMS_PUBLISHERS = PARAMS_FIELDS - PUBLISHER_FIELDS * PUBLISHERS_MAX  # where they begin
PARAMS_TIERS = PARAMS_PUBLISHERS - TIER_FIELDS * TIERS_MAX
TIER_COUNT = cast(Any, PARAMS.fields)["tier_count"][1] // 8
PUBLISHER_COUNT = cast(Any, PARAMS.fields)["publisher_count"][1] // 8
ASSET_FIELDS = ASSET.itemsize // 8
POOL_FIELDS = POOL.itemsize // 8
UNDERLYING_FIELDS = UNDERLYING.itemsize // 8 - SCENARIOS_MAX  # all but the derived cells
PARAMS_PIECES = _word_aligned(1 + PARAMS_FIELDS)
ASSET_PIECES = _word_aligned(1 + ASSET_FIELDS)
POOL_PIECES = _word_aligned(1 + POOL_FIELDS)
UNDERLYING_PIECES = _word_aligned(1 + UNDERLYING_FIELDS)


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
    """Write the globals leaf; 40 pieces."""
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
    encode_word(row, WITHDRAWALS_ROOT_PIECE, totals.withdrawals_root)
    encode_word(row, 24, totals.domain)
    row[28] = totals.asset_count
    row[29] = totals.pool_count
    row[30] = totals.underlying_count
    row[31] = totals.governance_sequence
    row[32] = totals.gate_capacity
    row[33] = totals.gate_time
    row[34] = totals.freeze_until
    row[35] = totals.freeze_last
    row[36] = totals.outage_end
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
    load_word(row, WITHDRAWALS_ROOT_PIECE, totals.withdrawals_root)
    load_word(row, 24, totals.domain)
    totals.asset_count = row[28]
    totals.pool_count = row[29]
    totals.underlying_count = row[30]
    totals.governance_sequence = row[31]
    totals.gate_capacity = row[32]
    totals.gate_time = row[33]
    totals.freeze_until = row[34]
    totals.freeze_last = row[35]
    totals.outage_end = row[36]


@kernel
def encode_instrument(instrument: Instrument, row: Rows[int]) -> int:
    """Write an instrument leaf: header, an option's rows, open sweep or debt, a call's book."""
    clear_row(row, INSTRUMENT_HEADER_PIECES)
    row[0] = (
        (VERSION << 56)
        | (instrument.kind << 48)
        | (instrument.status << 40)
        | (instrument.tier << 32)
        | instrument.tier_hour
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
    row[24] = instrument.series
    row[25] = instrument.pool
    row[26] = instrument.settle_price
    row[27] = instrument.variation_pot
    row[28] = instrument.insurance_used
    row[29] = instrument.insurance_time
    row[30] = instrument.auction_end
    row[31] = instrument.auction_price
    row[32] = instrument.stable_time
    row[33] = instrument.confidence_ppm
    row[34] = instrument.grace_until
    row[35] = instrument.settled_lots
    place = INSTRUMENT_HEADER_PIECES
    if is_option(instrument):
        encode_rows(instrument, row, place)
        place += 2 * ROW_PIECES
    if instrument.operation != 0 or instrument.debt != 0:
        encode_operation(instrument, row, place)
        place += OPERATION_PIECES
    if instrument.operation == CALL_AUCTION:
        encode_rows(instrument, row, place)
        place += 2 * ROW_PIECES
    return place


@kernel
def encode_rows(instrument: Instrument, row: Rows[int], place: int) -> None:
    """Write an option's two risk rows, or the book of a market's call, at `place`; 68 pieces."""
    for set in range(2):
        row[place] = instrument.rows[set].number
        for point in range(POINTS_MAX):
            row[place + 1 + point] = instrument.rows[set].values[point]
        place += ROW_PIECES


@kernel
def load_rows(row: Rows[int], place: int, instrument: Instrument) -> None:
    """Read an option's two risk rows, or the book of a market's call, at `place`."""
    for set in range(2):
        instrument.rows[set].number = row[place]
        for point in range(POINTS_MAX):
            instrument.rows[set].values[point] = row[place + 1 + point]
        place += ROW_PIECES


@kernel
def is_option(instrument: Instrument) -> bool:
    """Tell whether the instrument is an option, and so has risk rows."""
    return instrument.kind == CALL or instrument.kind == PUT


@kernel
def encode_operation(instrument: Instrument, row: Rows[int], place: int) -> None:
    """Write the open sweep and the debt of the market at `place`; 16 pieces."""
    row[place] = (
        (instrument.operation << 16) | (instrument.phase << 8) | (1 if instrument.side < 0 else 0)
    )
    row[place + 1] = instrument.deadline
    row[place + 2] = instrument.bankrupt
    row[place + 3] = instrument.total
    row[place + 4] = instrument.weight
    row[place + 5] = instrument.running
    row[place + 6] = instrument.cursor
    row[place + 7] = instrument.price
    row[place + 8] = instrument.counted
    row[place + 9] = instrument.spare
    row[place + 10] = instrument.debt
    row[place + 11] = 0
    encode_word(row, place + 12, instrument.chunks)


@kernel
def load_operation(row: Rows[int], place: int, instrument: Instrument) -> None:
    """Read the open sweep and the debt of the market at `place`."""
    instrument.operation = row[place] >> 16
    instrument.phase = (row[place] >> 8) & 0xFF
    side = -1 if row[place] & 1 else 1
    instrument.side = side if instrument.operation != 0 else 0
    instrument.deadline = row[place + 1]
    instrument.bankrupt = row[place + 2]
    instrument.total = row[place + 3]
    instrument.weight = row[place + 4]
    instrument.running = row[place + 5]
    instrument.cursor = row[place + 6]
    instrument.price = row[place + 7]
    instrument.counted = row[place + 8]
    instrument.spare = row[place + 9]
    instrument.debt = row[place + 10]
    load_word(row, place + 12, instrument.chunks)


@kernel
def load_instrument(row: Rows[int], length: int, instrument: Instrument) -> bool:
    """Read an instrument leaf of `length` pieces; False if the length fits no instrument."""
    instrument.kind = (row[0] >> 48) & 0xFF
    instrument.status = (row[0] >> 40) & 0xFF
    instrument.tier = (row[0] >> 32) & 0xFF
    instrument.tier_hour = row[0] & HALF_MASK
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
    instrument.series = row[24]
    instrument.pool = row[25]
    instrument.settle_price = row[26]
    instrument.variation_pot = row[27]
    instrument.insurance_used = row[28]
    instrument.insurance_time = row[29]
    instrument.auction_end = row[30]
    instrument.auction_price = row[31]
    instrument.stable_time = row[32]
    instrument.confidence_ppm = row[33]
    instrument.grace_until = row[34]
    instrument.settled_lots = row[35]
    place = INSTRUMENT_HEADER_PIECES
    if is_option(instrument):
        if length < place + 2 * ROW_PIECES:
            return False
        load_rows(row, place, instrument)
        place += 2 * ROW_PIECES
    if length >= place + OPERATION_PIECES:
        load_operation(row, place, instrument)
        place += OPERATION_PIECES
    if length == place + 2 * ROW_PIECES:
        load_rows(row, place, instrument)
        place += 2 * ROW_PIECES
    return bool(length == place)


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
def encode_fields(fields: Rows[int], count: int, row: Rows[int]) -> int:
    """Write a leaf that is its record: the version, `count` fields, zeros up to a whole word."""
    row[0] = VERSION
    for i in range(count):
        row[1 + i] = fields[i]
    length = 4 * ((count + 4) // 4)
    for i in range(1 + count, length):
        row[i] = 0
    return length


@kernel
def load_fields(row: Rows[int], count: int, fields: Rows[int]) -> None:
    """Read a leaf that is its record."""
    for i in range(count):
        fields[i] = row[1 + i]


@kernel
def encode_params(fields: Rows[int], tiers: int, publishers: int, row: Rows[int]) -> int:
    """Write the params leaf: the version, the plain fields, the tiers and publishers in use.

    The counts must be within their bounds; they are the fields TIER_COUNT and PUBLISHER_COUNT.
    """
    row[0] = VERSION
    for i in range(PARAMS_TIERS + TIER_FIELDS * tiers):
        row[1 + i] = fields[i]
    place = 1 + PARAMS_TIERS + TIER_FIELDS * tiers
    for i in range(PUBLISHER_FIELDS * publishers):
        row[place + i] = fields[PARAMS_PUBLISHERS + i]
    place += PUBLISHER_FIELDS * publishers
    length = 4 * ((place + 3) // 4)
    for i in range(place, length):
        row[i] = 0
    return length


@kernel
def load_params(row: Rows[int], fields: Rows[int]) -> bool:
    """Read the params leaf; False if it claims more tiers or publishers than there may be."""
    tiers = row[1 + TIER_COUNT]
    publishers = row[1 + PUBLISHER_COUNT]
    if tiers < 0 or tiers > TIERS_MAX or publishers < 0 or publishers > PUBLISHERS_MAX:
        return False
    for i in range(PARAMS_TIERS + TIER_FIELDS * tiers):
        fields[i] = row[1 + i]
    place = 1 + PARAMS_TIERS + TIER_FIELDS * tiers
    for i in range(PUBLISHER_FIELDS * publishers):
        fields[PARAMS_PUBLISHERS + i] = row[place + i]
    return True
