"""Units and bounds of the law (docs/protocol.md, section 1).

Every quantity is an integer in a fixed unit. The bounds leave head-room of 2^8 between where risk
may be opened and where 64-bit arithmetic would end, so that a price move never meets a bound.
"""

LAW_VERSION = 2

PPM = 1_000_000  # parts in one: rates, margin fractions, haircuts
MICRO = 1_000_000  # micro-quote in one unit of the settlement asset

AMOUNT_MAX = 1 << 61  # micro-quote that one action may move, and cash that it may leave behind
CUSTODY_MAX = 1 << 62  # micro-quote that may be in custody, so that no total leaves 64 bits
LOTS_MAX = 1 << 48  # lots of one order or position
PRICE_MAX = 1 << 48  # micro-quote per lot
VALUE_MAX = 1 << 49  # micro-quote of one position when its risk is opened
TIME_MAX = 1 << 62  # milliseconds since 1970
SEQUENCE_MAX = 1 << 62  # order and request sequences
FEE_PPM_MAX = PPM  # magnitude of a fee rate
INDEX_SCALE = 10**12  # funding index units in one micro-quote per lot
FUNDING_PERIOD_MS = 28_800_000  # eight hours: the period that a funding rate is quoted for
FUNDING_ELAPSED_MS_MAX = FUNDING_PERIOD_MS
# How long a forced withdrawal may be late for the time that a gate set it: longer than the base
# layer lets an operator hold up a message, and then the pass is void, or it could be kept for the
# next freeze.
GATE_PASS_MS = 2 * 86_400_000

SETTLEMENT_ASSET = 0
ALL_SLOTS = 0xFFFF  # the slot that means "every order of the account" in a cancel

POSITIONS_MAX = 32
PAGES_MAX = 16  # fill pages of one account
PAGE_SLOTS = 16  # order slots of one page
SLOTS_MAX = PAGES_MAX * PAGE_SLOTS
PUBLISHERS_MAX = 16
OBSERVATIONS_MAX = 16
TIERS_MAX = 8
FUNDS_MAX = 8
ASSETS_MAX = 8  # the settlement asset among them
POOLS_MAX = 4
UNDERLYINGS_MAX = 8
SERIES_MAX = 16  # expiries of one underlying
POINTS_MAX = 33  # of the stress grid: a lattice of 9 x 3 and 6 tails
SCENARIOS_MAX = 500  # joint historical ones
COLLATERALS_MAX = 8
SHARES_BASE = 64  # the collateral number of pool 0's shares
KEYS_MAX = 4  # session keys of one account
SWEEP_ACCOUNTS_MAX = 6  # accounts that one action of a sweep names
GROUP_ACCOUNTS_MAX = 48  # accounts that one owner check names
GROUP_PPM_MAX = 100 * PPM  # of a position cap, for the accounts of one owner
HOLD_MAX_MS = 30 * 86_400_000  # for which one check may hold an account
ACTION_ACCOUNTS_MAX = 8
ACTION_INSTRUMENTS_MAX = 33  # a portfolio's positions, and one more

ACTIONS_PER_STEP = 8  # K
ACTION_BYTES_MAX = 2_048
STEP_WORDS = 8_192  # leaf words that one step may touch
STEP_CELLS = 1_024  # positions that one step may value
STEP_RECOVERIES = 64  # signatures that one step may recover
STEP_LISTED = 48  # accounts that the payloads of one step may name: a full step of sweeps

BULK_DEPTH_MAX = 12
SIGNATURE_BYTES = 65
OBSERVATION_BYTES = 24 + SIGNATURE_BYTES  # two prices, a time and their signature

ACCOUNTS_DEPTH = 12  # quaternary levels: 4^12 accounts
INSTRUMENTS_DEPTH = 5
FUNDS_DEPTH = 3
ASSETS_DEPTH = 3
POOLS_DEPTH = 3
UNDERLYINGS_DEPTH = 3
WITHDRAWALS_DEPTH = 20  # withdrawals of a micro-quote cost nothing: their tree must not fill up
STEPS_DEPTH = 8
