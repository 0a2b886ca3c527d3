"""Kinds, outcome codes and hash tags of the law (docs/protocol.md, sections 2 and 6)."""

from enum import IntEnum


class Kind(IntEnum):
    """First byte of an action."""

    INBOX = 1
    WITHDRAW = 2
    TRANSFER = 3
    TRADE = 4
    CANCEL = 5
    PRICE = 6
    FUNDING = 7
    RISK_ROWS = 8
    MARK_TO_MARKET = 9
    EXPIRE = 10
    LIQUIDATE = 11
    AUCTION_START = 12
    AUCTION_BID = 13
    POOL_DEPOSIT = 14
    POOL_WITHDRAW = 15
    POOL_TRADE = 16
    POOL_TAKEOVER = 17
    SWEEP_OPEN = 18
    SWEEP_TALLY = 19
    SWEEP_APPLY = 20
    SWEEP_CLOSE = 21
    KEY_GRANT = 22
    KEY_REVOKE = 23
    SET_PARAMS = 24
    HALT = 25
    RESUME = 26
    ENACT = 27
    LIST = 28
    SET_MARKET = 29
    SCENARIOS = 30
    ACTIVATE = 31
    CONVERT = 32
    SET_MODE = 33
    ROTATE_KEY = 34
    SET_GRID = 35
    SETTLE = 36
    UNCROSS = 37
    SET_ASSET = 38
    OWNER_CHECK = 39
    CALL_ORDER = 40
    CALL_FILL = 41
    ENACT_GRID = 42


class Code(IntEnum):
    """Outcome of an action, in order of precedence. Zero is success; the rest are rejections."""

    APPLIED = 0
    MALFORMED = 1
    UNKNOWN_KIND = 2
    STEP_FULL = 3
    HALTED = 4
    INVARIANT = 5
    NO_ACCOUNT = 6
    NO_INSTRUMENT = 7
    NO_ASSET = 8
    EXPIRED = 9
    BAD_SIGNATURE = 10
    STALE_SEQUENCE = 11
    INBOX_ORDER = 12
    SELF_TRADE = 13
    UNKNOWN_FLAGS = 14
    MAKER_ONLY = 15
    INSTRUMENT_STATUS = 16
    PRICE_STALE = 17
    ORDER_DEAD = 18
    OVERFILL = 19
    OFF_TICK = 20
    LIMIT_PRICE = 21
    PRICE_BAND = 22
    FEE_ABOVE_MAXIMUM = 23
    FEE_NEGATIVE = 24
    REDUCE_ONLY = 25
    POSITION_CAP = 26
    OPEN_INTEREST_CAP = 27
    MARGIN = 28
    TRANSFER_MARGIN = 29
    CASH_BOUND = 30
    QUORUM = 31
    PUBLISHER = 32
    PRICE_TIME = 33
    PRICE_JUMP = 34
    FUNDING_EARLY = 35
    NO_POSITION = 36
    HEALTHY = 37
    NO_UNDERLYING = 38
    NO_SERIES = 39
    NO_POOL = 40
    OPERATION_OPEN = 41
    NO_OPERATION = 42
    OPERATION_PHASE = 43
    OPERATION_ORDER = 44
    ACCOUNT_MODE = 45
    KEY_SCOPE = 46
    KEY_CAP = 47
    KEY_SLOTS = 48
    ROW_TIME = 49
    ROW_ORDER = 50
    ROW_BOUND = 51
    ROW_MONOTONE = 52
    ROW_CONVEX = 53
    ROW_PARITY = 54
    ROW_JUMP = 55
    ROW_INCOMPLETE = 56
    NOT_EXPIRED = 57
    SETTLEMENT_WINDOW = 58
    NOT_BANKRUPT = 59
    AUCTION_CLOSED = 60
    UNDERPRICED = 61
    WATERFALL_ORDER = 62
    POOL_LOCKED = 63
    POOL_CAP = 64
    POOL_PROFIT = 65
    SLIPPAGE = 66
    COLLATERAL_CAP = 67
    NOT_NEEDED = 68
    GATED = 69
    RATE_LIMIT = 70
    TIMELOCK = 71
    PARAMETER_STEP = 72
    PARAMETER_BOUND = 73
    OWNER_LIMIT = 74
    OTHER_OWNER = 75
    ORDER_STANDS = 76


# Acceptance codes: the same strings stand in docs/protocol.md and in the tests that prove them.
ACCEPTANCE = {
    Code.MALFORMED: "CLR-ACT-001",
    Code.UNKNOWN_KIND: "CLR-ACT-002",
    Code.STEP_FULL: "CLR-ACT-003",
    Code.HALTED: "CLR-ACT-004",
    Code.INVARIANT: "CLR-ACT-005",
    Code.NO_ACCOUNT: "CLR-ACT-006",
    Code.NO_INSTRUMENT: "CLR-ACT-007",
    Code.NO_ASSET: "CLR-ACT-008",
    Code.EXPIRED: "CLR-ACT-009",
    Code.BAD_SIGNATURE: "CLR-SIG-001",
    Code.STALE_SEQUENCE: "CLR-SIG-002",
    Code.INBOX_ORDER: "CLR-INB-001",
    Code.SELF_TRADE: "CLR-TRD-001",
    Code.UNKNOWN_FLAGS: "CLR-TRD-002",
    Code.MAKER_ONLY: "CLR-TRD-003",
    Code.INSTRUMENT_STATUS: "CLR-TRD-004",
    Code.PRICE_STALE: "CLR-TRD-005",
    Code.ORDER_DEAD: "CLR-TRD-006",
    Code.OVERFILL: "CLR-TRD-007",
    Code.OFF_TICK: "CLR-TRD-008",
    Code.LIMIT_PRICE: "CLR-TRD-009",
    Code.PRICE_BAND: "CLR-TRD-010",
    Code.FEE_ABOVE_MAXIMUM: "CLR-TRD-011",
    Code.FEE_NEGATIVE: "CLR-TRD-012",
    Code.REDUCE_ONLY: "CLR-TRD-013",
    Code.POSITION_CAP: "CLR-TRD-014",
    Code.OPEN_INTEREST_CAP: "CLR-TRD-015",
    Code.MARGIN: "CLR-MRG-001",
    Code.TRANSFER_MARGIN: "CLR-MRG-002",
    Code.CASH_BOUND: "CLR-MRG-003",
    Code.QUORUM: "CLR-PRC-001",
    Code.PUBLISHER: "CLR-PRC-002",
    Code.PRICE_TIME: "CLR-PRC-003",
    Code.PRICE_JUMP: "CLR-PRC-004",
    Code.FUNDING_EARLY: "CLR-FND-001",
    Code.NO_POSITION: "CLR-LIQ-001",
    Code.HEALTHY: "CLR-LIQ-002",
    Code.NO_UNDERLYING: "CLR-ACT-010",
    Code.NO_SERIES: "CLR-ACT-011",
    Code.NO_POOL: "CLR-ACT-012",
    Code.OPERATION_OPEN: "CLR-SWP-001",
    Code.NO_OPERATION: "CLR-SWP-002",
    Code.OPERATION_PHASE: "CLR-SWP-003",
    Code.OPERATION_ORDER: "CLR-SWP-004",
    Code.ACCOUNT_MODE: "CLR-MRG-004",
    Code.KEY_SCOPE: "CLR-KEY-001",
    Code.KEY_CAP: "CLR-KEY-002",
    Code.KEY_SLOTS: "CLR-KEY-003",
    Code.ROW_TIME: "CLR-ROW-001",
    Code.ROW_ORDER: "CLR-ROW-002",
    Code.ROW_BOUND: "CLR-ROW-003",
    Code.ROW_MONOTONE: "CLR-ROW-004",
    Code.ROW_CONVEX: "CLR-ROW-005",
    Code.ROW_PARITY: "CLR-ROW-006",
    Code.ROW_JUMP: "CLR-ROW-007",
    Code.ROW_INCOMPLETE: "CLR-ROW-008",
    Code.NOT_EXPIRED: "CLR-EXP-001",
    Code.SETTLEMENT_WINDOW: "CLR-EXP-002",
    Code.NOT_BANKRUPT: "CLR-WTF-001",
    Code.AUCTION_CLOSED: "CLR-AUC-001",
    Code.UNDERPRICED: "CLR-AUC-002",
    Code.WATERFALL_ORDER: "CLR-WTF-002",
    Code.POOL_LOCKED: "CLR-POL-001",
    Code.POOL_CAP: "CLR-POL-002",
    Code.POOL_PROFIT: "CLR-POL-003",
    Code.SLIPPAGE: "CLR-POL-004",
    Code.COLLATERAL_CAP: "CLR-COL-001",
    Code.NOT_NEEDED: "CLR-COL-002",
    Code.GATED: "CLR-GAT-001",
    Code.RATE_LIMIT: "CLR-GAT-002",
    Code.TIMELOCK: "CLR-GOV-001",
    Code.PARAMETER_STEP: "CLR-GOV-002",
    Code.PARAMETER_BOUND: "CLR-GOV-003",
    Code.OWNER_LIMIT: "CLR-TRD-016",
    Code.OTHER_OWNER: "CLR-GRP-001",
    Code.ORDER_STANDS: "CLR-AUC-003",
}


class Status(IntEnum):
    """Status of the whole law."""

    ACTIVE = 0
    HALTED = 1


class InstrumentKind(IntEnum):
    """What an instrument is."""

    PERPETUAL = 1
    FUTURE = 2
    CALL = 3
    PUT = 4


class InstrumentStatus(IntEnum):
    """What may be done with an instrument."""

    ACTIVE = 0
    REDUCE_ONLY = 1
    AUCTION = 2
    SETTLING = 3
    CLOSED = 4


class Mode(IntEnum):
    """How an account is margined."""

    CROSS = 0
    ISOLATED = 1
    PORTFOLIO = 2


class Scope(IntEnum):
    """Bits of what a session key may sign; ROOT stands in for the owner's own key."""

    TRADE = 1
    CANCEL = 2
    TRANSFER = 4
    POOL = 8
    KEEPER = 16
    ROOT = 128


class Operation(IntEnum):
    """What a sweep over a market does; a call is one over the orders of its auction."""

    NONE = 0
    DELEVERAGE = 1
    SOCIALISE = 2
    CALL = 3


class Phase(IntEnum):
    """Where a sweep stands: a call takes orders first, and then they are filled."""

    TALLY = 1
    APPLY = 2


class Fund(IntEnum):
    """Index of a fund leaf."""

    DUST = 0
    INSURANCE = 1
    FEES = 2


class InboxKind(IntEnum):
    """Kind of a message that the base layer forces in."""

    DEPOSIT = 1
    WITHDRAW = 2
    CANCEL_ALL = 3
    CLOSE_POSITION = 4
    PRICE = 5
    LIQUIDATE = 6


class Side(IntEnum):
    """Side of an order."""

    BUY = 1
    SELL = 2


class OrderFlag(IntEnum):
    """Bits of an order's flags."""

    REDUCE_ONLY = 1
    MAKER_ONLY = 2


class Tag(IntEnum):
    """Suffix byte that separates the hashed things: H(tag, m) = keccak256(m || tag)."""

    NODE = 0x00
    GLOBALS = 0x01
    ACCOUNT = 0x02
    INSTRUMENT = 0x03
    FUND = 0x04
    PARAMS = 0x05
    WITHDRAWAL = 0x06
    PAGE = 0x07
    UNDERLYING = 0x08
    ASSET = 0x09
    POOL = 0x0A
    SWEEP = 0x0B
    OWNER_GROUP = 0x0C
    STATE = 0x10
    STEP = 0x11
    STEP_RECORD = 0x12
    HEADER = 0x13
    DATA = 0x14
    INBOX_MESSAGE = 0x15
    INBOX = 0x16
    ACTION = 0x17
    SEQUENCE = 0x18
    COMMITMENT = 0x1A
    GENESIS = 0x1B
    SEQUENCED = 0x1C
    ATTESTATION = 0x1D
