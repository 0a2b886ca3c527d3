"""Records of the state: one class is documentation, mypy type and NumPy dtype at once.

All fields are int64. A hash or an address is four pieces: the big-endian eighths of its word as
bit patterns. Units are those of docs/protocol.md, section 1.
"""

from typing import Annotated, NamedTuple

from clearing.compiler import by_reference
from clearing.layout import Grid, Rows, dtype_of
from clearing.units import (
    COLLATERALS_MAX,
    KEYS_MAX,
    PAGE_SLOTS,
    PAGES_MAX,
    POINTS_MAX,
    POSITIONS_MAX,
    PUBLISHERS_MAX,
    SCENARIOS_MAX,
    SERIES_MAX,
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
    asset_count: int
    pool_count: int
    underlying_count: int
    governance_sequence: int  # of the last signed act of governance or guardian
    gate_capacity: int  # micro-quote that may still leave before the rate limit refills
    gate_time: int
    freeze_until: int  # withdrawals of accounts with positions wait until then
    freeze_last: int  # when a freeze last began
    outage_end: int  # when the law last heard prices again after an outage


class Tier:
    """Margin tier: fractions in ppm, open-interest scale in micro-quote."""

    initial_ppm: int
    maintenance_ppm: int
    open_interest_lower: int
    open_interest_upper: int
    insurance_cap: int  # micro-quote of the fund that one market may use in a window
    depth: int  # micro-quote at which the liquidation penalty reaches its maximum
    penalty_max_ppm: int
    linear_ppm: int  # portfolio accounts: charge on linear notional
    concentration_lots: int  # portfolio accounts: lots beyond which the charge begins; 0 never
    concentration_ppm: int


class Publisher:
    """An address whose price observations count."""

    address: Word


class Params:
    """Versioned parameters of the law."""

    version: int
    tier_count: int
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
    governance: Word  # the address that changes parameters
    guardian: Word  # the address that may halt
    timelock_ms: int
    parameter_step_ppm: int  # a number may change by this fraction of itself in one act
    pending_time: int  # when the pending parameters may be enacted; 0 none
    pending_hash: Word
    owner_limit: int  # micro-quote of gross notional of one account, 0 none
    owner_group_ppm: int  # of a position cap: lots of one owner's accounts together, 0 no limit
    owner_hold_ms: int  # for how long the accounts of an owner beyond it may only reduce
    profit_cap: int  # micro-quote of net unrealised profit that counts for initial margin
    profit_cycle_ms: int
    confidence_floor_ppm: int  # below it a price's doubt is charged
    confidence_ppm: int
    # Portfolio margin.
    portfolio_initial_ppm: int
    portfolio_maintenance_ppm: int
    portfolio_offset_ppm: int  # most of the sum of worst points that joint scenarios may offset
    shortfall_weight_ppm: int  # of Expected Shortfall in the blend; 0: worst point alone
    shortfall_count: int  # the k of the k largest losses
    row_age_warn_ms: int
    row_age_reduce_ms: int
    row_age_fallback_ms: int
    row_age_ppm: int  # initial margin is multiplied by this when rows are older than warn
    row_jump_ppm: int  # of the reference price
    row_parity_ppm: int  # of the reference price, that values and carry may be off by
    row_carry_ppm: int  # most that forward and discount leave spot and one in a year
    option_initial_ppm: int  # short options of cross accounts: of the index
    option_initial_floor_ppm: int
    option_maintenance_ppm: int
    option_value_ppm: int  # of the option's own value
    # Stable price, bands, auctions of markets, settlement.
    stable_rate_ppm: int  # most that the stable price moves in an hour
    band_ppm: int  # of the stable price: a price beyond opens an auction
    band_auction_ms: int
    restart_grace_ms: int
    settlement_window_ms: int
    # Failing accounts.
    auction_start_ppm: int  # of value, at once
    auction_fast_ppm: int  # of value, at the end of the fast part
    auction_fast_ms: int
    auction_slow_ms: int
    auction_buffer_ppm: int
    insurance_window_ms: int
    deficit_tranche: int  # micro-quote of deficit in one market's window that starts a freeze
    freeze_ms: int
    # Gates of withdrawals.
    gate_ppm: int  # of custody, refilled in a period
    gate_minimum: int
    gate_period_ms: int
    # Collateral.
    conversion_ppm: int  # discount at which keepers take collateral
    tiers: Annotated[Rows[Tier], TIERS_MAX]
    publishers: Annotated[Rows[Publisher], PUBLISHERS_MAX]


class Position:
    """An account's net position in one instrument."""

    instrument: int
    lots: int
    entry_cost: int
    index_high: int
    index_low: int


class Collateral:
    """Units of an asset that an account holds, or shares of a pool: asset SHARES_BASE + pool."""

    asset: int
    amount: int
    unlock_time: int


class Key:
    """A session key: what it may sign (Scope bits), where, for how much and until when."""

    address: Word
    scope: int
    first_instrument: int
    last_instrument: int
    limit: int  # micro-quote of notional or cash that may still be opened or paid
    expiry: int


class Account:
    """A margin account. Positions are dense from zero and sorted by instrument.

    `page_rows[p]` is the row of fill page p in `State.pages`, or -1 if the page does not exist.
    What every valuation reads stands in the first cache line; positions stand last, so that an
    account is its record up to the last of them.
    """

    id: int
    mode: int
    cash: int
    position_count: int
    collateral_count: int
    recent_profit: int  # profit that mark to market paid within the cycle
    call_margin: int  # micro-quote of initial margin that is kept for an order in a call
    call_until: int  # when that order lapses and nothing is kept any more
    subaccount: int
    owner: Word
    order_floor: int
    request_sequence: int
    page_mask: int
    key_count: int
    auction_time: int  # when the auction of the account began; 0 none
    recent_time: int
    not_before: int  # when a gated forced withdrawal may go
    close_instrument: int  # of the forced close that is on offer
    close_lots: int  # lots of it that anyone may take, signed as the position is; 0 none
    close_time: int  # when the offer began
    hold_until: int  # the account may only reduce before; 0: it never was held
    hold_instrument: int  # in this market, or clearing.owner_groups.EVERYWHERE
    hold_group: int  # which accounts were found beyond the limit together
    # The order that stands in a market's call; without one these, its margin and end are zero.
    call_instrument: int
    call_level: int  # of the call's book, that the order reaches
    call_lots: int  # ordered, signed as they change the position; 0 none
    call_before: int  # lots that stood at the level and side before it
    call_filled: int
    call_opened: int  # when the call took its first order: tells one call from another
    page_rows: Annotated[Rows[int], PAGES_MAX]
    collaterals: Annotated[Rows[Collateral], COLLATERALS_MAX]
    keys: Annotated[Rows[Key], KEYS_MAX]
    positions: Annotated[Rows[Position], POSITIONS_MAX]


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


class RiskRow:
    """The value of one lot at each point of the stress grid, of the set `number` of its series."""

    number: int
    values: Annotated[Rows[int], POINTS_MAX]


class Instrument:
    """A listed contract and its market-wide indices."""

    id: int
    kind: int
    status: int
    tier: int
    tier_hour: int  # hours since 1970 when governance last moved the market to another tier
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
    series: int  # place in the underlying's series; of futures and options
    pool: int  # 1 + the pool that is the only counterparty; 0: an order book
    settle_price: int  # frozen at expiry
    variation_pot: int  # losses that mark to market found, and winners have not had yet
    insurance_used: int  # micro-quote that the market's deficits took in the window
    insurance_time: int  # when the window began
    auction_end: int
    auction_price: int
    stable_time: int
    confidence_ppm: int
    grace_until: int  # no liquidation before, after an outage
    settled_lots: int  # lots that settlement has closed so far: longs less shorts
    debt: int  # micro-quote that accounts left flat here owe, and nobody has paid yet
    operation: int  # Operation of the open sweep
    phase: int
    deadline: int
    bankrupt: int  # the account that the sweep is for
    total: int  # lots or micro-quote to share out; call: lots that its price executes
    weight: int  # sum of weights, tallied
    running: int  # sum of weights, applied; call: lots filled
    cursor: int  # last account id seen; call: when it took its first order
    side: int  # sign of the lots that the sweep goes over
    price: int  # mark when the sweep began; call: the uniform price, 0 until it is found
    counted: int  # lots seen by the tally; call: the highest level of its book
    spare: int  # deleverage: micro-quote that winners pay; socialise: bits left out of weights
    chunks: Word  # hash stack of the accounts tallied
    # An option's two sets. A call's book: lots bid and asked by level, with the price of the lowest
    # level and the distance of two in the places of the numbers.
    rows: Annotated[Rows[RiskRow], 2]


class Series:
    """One expiry of an underlying: which set of risk rows counts, and its settlement."""

    expiry: int
    market_count: int  # listed markets that expiry has not frozen; none: the place is free
    option_count: int
    active_number: int  # set of rows that margin reads; 0 none
    active_time: int
    staged_number: int
    staged_time: int
    staged_count: int
    staged_call: int  # 1 + the call staged last, 0 none: rows come in strike order
    staged_call_before: int  # 1 + the one before it
    staged_put: int
    staged_put_before: int
    reference_price: int  # index price that the active rows were computed at
    staged_reference: int
    forward_price: int  # forward that the active rows were computed at
    staged_forward: int
    discount_nano: int  # value now of 10^9 at expiry, with the forward
    staged_discount: int
    discount_long_ppm: int
    discount_short_ppm: int
    confidence_ppm: int
    open_high: int  # price-time at the start of the settlement window
    open_low: int
    open_time: int
    settle_price: int


class Underlying:
    """What instruments of one underlying share: index, stress grid, series, scenarios.

    Fields up to `cells` are the leaf, in this order. A shock is (price ppm << 32 | volatility ppm).
    """

    id: int
    reference: int  # the instrument whose price action moves the index
    index_price: int
    price_time: int
    price_high: int  # sum of index price * ms
    price_low: int
    point_count: int
    scenario_count: int
    volatility_down_ppm: int
    volatility_up_ppm: int
    naked_ppm: int
    basis_ppm: int
    basis_year_ppm: int
    short_minimum_ppm: int  # of the index, per short option lot
    scenario_time: int
    scenario_rest: int  # parts of the list that are still to come; 0: it is whole
    next_time: int  # when the announced grid may be enacted; 0: none is
    next_volatility_down_ppm: int
    next_volatility_up_ppm: int
    prices: Annotated[Rows[int], POINTS_MAX]  # shocks of the grid, ppm
    damps: Annotated[Rows[int], POINTS_MAX]
    next_prices: Annotated[Rows[int], POINTS_MAX]
    next_damps: Annotated[Rows[int], POINTS_MAX]
    series: Annotated[Rows[Series], SERIES_MAX]
    shocks: Annotated[Rows[int], SCENARIOS_MAX]
    cells: Annotated[Rows[int], SCENARIOS_MAX]  # where each shock lies in the grid; derived


class Asset:
    """A collateral asset. Asset 0 is the settlement asset, whose balance is an account's cash."""

    id: int
    status: int  # 0 active, 1 withdraw-only
    price: int  # micro-quote per 10^6 units
    stable_price: int
    price_time: int
    haircut_ppm: int
    initial_haircut_ppm: int
    scale: int  # units in the house from which the weight shrinks
    cap: int  # units that the house takes
    custody: int  # deposited less withdrawn, units
    held: int  # sum of the accounts' units
    peg_price: int  # 0: no peg
    peg_threshold_ppm: int
    peg_factor_ppm: int
    changed_time: int  # when governance last changed its numbers


class Pool:
    """A pool that is counterparty at the oracle price; its positions live in an account."""

    id: int
    account: int
    sleeve: int  # account that takes over failing positions
    shares: int
    lock_ms: int
    deposit_cap: int  # micro-quote of value
    sleeve_cap: int  # micro-quote of notional
    reserve_ppm: int  # of value, that positions may reserve
    impact_ppm: int  # at an imbalance as large as the pool
    impact_pot: int  # negative impact paid in, positive impact pays out of it
    borrow_base_ppm: int  # a year
    borrow_optimal_ppm: int
    borrow_slope_ppm: int
    borrow_steep_ppm: int
    profit_cap_ppm: int  # net profit of traders against the pool at which withdrawals stop


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
    payload_first: int  # in the payload column
    payload_count: int
    underlying: int
    series: int
    pool: int
    mode: int
    side: int
    scope: int
    first: int
    last: int
    limit: int
    time: int
    long_ppm: int
    short_ppm: int
    confidence_ppm: int


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
    listed_left: int  # accounts that payloads may still name; also of what did not fit
    page_count: int  # rows in use in State.pages
    withdrawal_base: int  # index of the withdrawal in row 0 of State.withdrawals
    spare_account: int  # witness only: the first account row that holds no leaf
    spare_instrument: int  # witness only: the first instrument row that holds no leaf
    touched_accounts: int
    touched_instruments: int
    touched_pages: int
    touched_funds: int
    missing_kind: int  # 0 none, 1 account, 2 instrument, 3 page, 4 underlying: a witness lacks it
    missing_id: int
    touched_underlyings: int
    touched_assets: int
    touched_pools: int
    touched_params: int
    account_draft_count: int
    instrument_draft_count: int


GLOBALS = dtype_of(Globals)
PARAMS = dtype_of(Params)
TIER = dtype_of(Tier)
ACCOUNT = dtype_of(Account)
PAGE = dtype_of(Page)
INSTRUMENT = dtype_of(Instrument)
FUND = dtype_of(Fund)
WITHDRAWAL = dtype_of(Withdrawal)
ACTION = dtype_of(Action)
UNDERLYING = dtype_of(Underlying)
ASSET = dtype_of(Asset)
POOL = dtype_of(Pool)
OBSERVATION = dtype_of(Observation)
SCRATCH = dtype_of(Scratch)


@by_reference
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
    underlyings: Rows[Underlying]
    underlying_ids: Rows[int]
    assets: Rows[Asset]
    pools: Rows[Pool]
    account_drafts: Rows[Account]
    instrument_drafts: Rows[Instrument]
    fund_drafts: Rows[Fund]
    underlying_drafts: Rows[Underlying]
    asset_drafts: Rows[Asset]
    pool_drafts: Rows[Pool]
    params_draft: Rows[Params]
    account_draft_rows: Rows[int]
    instrument_draft_rows: Rows[int]
    touched_accounts: Rows[int]
    touched_instruments: Rows[int]
    touched_pages: Rows[int]
    touched_underlyings: Rows[int]
    params_pieces: Grid
    params_draft_pieces: Grid
    underlying_pieces: Grid
    asset_pieces: Grid
    pool_pieces: Grid
    workspace: Rows[int]
    hash_row: Rows[int]
    hash_digest: Rows[int]
    scratch: Rows[Scratch]
