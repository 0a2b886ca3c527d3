"""Records of the state: one class is documentation, mypy type and NumPy dtype at once.

All fields are int64. A hash or an address is four pieces: the big-endian eighths of its word as
bit patterns. Units are those of docs/protocol.md, section 1.
"""

from typing import Annotated, NamedTuple

from clearing.layout import Rows, dtype_of
from clearing.units import (
    PAGE_SLOTS,
    PAGES_MAX,
    POSITIONS_MAX,
    PUBLISHERS_MAX,
    TIERS_MAX,
)

Word = Annotated[Rows[int], 4]


class Globals:
    """What concerns the whole state; its leaf is what the court opens of a claimed root."""

    law_version: int
    status: int
    clock: int
    account_count: int
    instrument_count: int
    fund_count: int
    withdrawal_count: int
    inbox_count: int
    inbox_accumulator: Word
    sequenced_count: int
    custody: int
    cash_total: int
    pot_total: int
    sequenced_accumulator: Word
    withdrawals_root: Word
    domain: Word


class Tier:
    """Margin tier: fractions in ppm, open-interest scale in micro-quote."""

    initial_ppm: int
    maintenance_ppm: int
    open_interest_lower: int
    open_interest_upper: int


class Publisher:
    """An address whose price observations count."""

    address: Word


class Params:
    """Versioned parameters of the law."""

    version: int
    publisher_count: int
    price_quorum: int
    price_band_ppm: int
    price_stale_open_ms: int
    price_stale_margin_ms: int
    price_jump_ppm: int
    funding_interval_ms: int
    funding_cap_ppm: int
    liquidation_buffer_ppm: int
    liquidation_penalty_ppm: int
    insurance_fee_ppm: int
    transfer_margin_ppm: int
    price_drift_ms: int
    tiers: Annotated[Rows[Tier], TIERS_MAX]
    publishers: Annotated[Rows[Publisher], PUBLISHERS_MAX]


class Position:
    """An account's net position in one instrument."""

    instrument: int
    lots: int
    entry_cost: int
    index_high: int
    index_low: int


class Account:
    """A margin account. Positions are dense from zero and sorted by instrument.

    `page_rows[p]` is the row of fill page p in `State.pages`, or -1 if the page does not exist.
    """

    id: int
    mode: int
    subaccount: int
    cash: int
    owner: Word
    order_floor: int
    request_sequence: int
    position_count: int
    page_mask: int
    positions: Annotated[Rows[Position], POSITIONS_MAX]
    page_rows: Annotated[Rows[int], PAGES_MAX]


class Slot:
    """Last order sequence of a slot and the lots filled of it."""

    sequence: int
    filled: int


class Page:
    """Sixteen order slots of one account, and the hash of their leaf.

    `known` is 0 in a witness that carries only the page's hash.
    """

    account: int
    number: int
    known: int
    slots: Annotated[Rows[Slot], PAGE_SLOTS]
    digest: Word


class Instrument:
    """A listed contract and its market-wide indices."""

    id: int
    kind: int
    status: int
    tier: int
    underlying: int
    strike: int
    expiry: int
    tick: int
    lot_size: int
    open_interest: int
    mark_price: int
    index_price: int
    stable_price: int
    price_time: int
    funding_high: int
    funding_low: int
    funding_time: int
    pot: int
    premium_sum: int
    premium_samples: int
    open_interest_cap: int
    position_cap: int
    symbol: Word


class Fund:
    """A fund of the clearing house: dust, insurance, fees."""

    id: int
    asset: int
    balance: int


class Withdrawal:
    """An append-only claim against the base-layer escrow."""

    index: int
    asset: int
    amount: int
    account: int
    recipient: Word


class Order:
    """The signed half of a trade. Side and instrument stand in the trade."""

    account: int
    lots: int
    limit_price: int
    slot: int
    sequence: int
    expiry: int
    max_fee: int
    order_flags: int


class Action:
    """An action after decoding: one wide record for every kind, unused fields zero.

    `code` is MALFORMED or UNKNOWN_KIND if the bytes did not decode. Signatures of the action are
    rows `signature_first .. signature_first + signature_count` of the signature columns: a trade's
    are maker, taker and (if the venue is not zero) venue; a price's stand beside its observations.
    """

    kind: int
    code: int
    signature_first: int
    signature_count: int
    account: int  # requester: owner's account, keeper, sender; the account of an inbox message
    counterparty: int  # recipient, or the account that is liquidated
    instrument: int
    asset: int
    amount: int
    lots: int
    price: int
    maker_fee: int
    taker_fee: int
    maker_side: int
    slot: int
    sequence: int
    expiry: int
    inbox_index: int
    kind_of_message: int
    subaccount: int
    address: Word  # venue of a trade, owner of an inbox message
    maker: Order
    taker: Order
    digest: Word  # action hash; of an inbox message: the message hash


class Observation:
    """One publisher's signed view; stands in the row of its signature."""

    index_price: int
    mark_price: int
    time: int


class Scratch:
    """Working memory of one step; never part of the state."""

    cursor: int  # action being applied: names the culprit after an overflow
    words_left: int
    cells_left: int
    recoveries_left: int
    page_count: int  # rows in use in State.pages
    withdrawal_base: int  # index of the withdrawal in row 0 of State.withdrawals
    spare_account: int  # witness only: the first account row that holds no leaf
    touched_accounts: int
    touched_instruments: int
    touched_pages: int
    touched_funds: int
    missing_kind: int  # 0 none, 1 account, 2 instrument, 3 page: a witness lacks it
    missing_id: int


GLOBALS = dtype_of(Globals)
PARAMS = dtype_of(Params)
ACCOUNT = dtype_of(Account)
PAGE = dtype_of(Page)
INSTRUMENT = dtype_of(Instrument)
FUND = dtype_of(Fund)
WITHDRAWAL = dtype_of(Withdrawal)
ACTION = dtype_of(Action)
OBSERVATION = dtype_of(Observation)
SCRATCH = dtype_of(Scratch)


class State(NamedTuple):
    """Everything that the law reads and writes, as arrays.

    The node holds every account (row = id, `account_ids` empty). The court holds the leaves of a
    witness only: row r is account `account_ids[r]`, sorted, and the same for instruments. Pages
    are rows in no order; accounts point to them.
    """

    globals: Rows[Globals]
    params: Rows[Params]
    accounts: Rows[Account]
    account_ids: Rows[int]
    instruments: Rows[Instrument]
    instrument_ids: Rows[int]
    funds: Rows[Fund]
    pages: Rows[Page]
    withdrawals: Rows[Withdrawal]
    account_drafts: Rows[Account]
    instrument_drafts: Rows[Instrument]
    fund_drafts: Rows[Fund]
    touched_accounts: Rows[int]
    touched_instruments: Rows[int]
    touched_pages: Rows[int]
    hash_row: Rows[int]
    hash_digest: Rows[int]
    scratch: Rows[Scratch]
