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
    LIQUIDATE = 11


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


class Fund(IntEnum):
    """Index of a fund leaf."""

    DUST = 0
    INSURANCE = 1
    FEES = 2


class InboxKind(IntEnum):
    """Kind of a message that the base layer forces in."""

    DEPOSIT = 1


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
    STATE = 0x10
    STEP = 0x11
    STEP_RECORD = 0x12
    HEADER = 0x13
    DATA = 0x14
    INBOX_MESSAGE = 0x15
    INBOX = 0x16
    ACTION = 0x17
    SEQUENCE = 0x18
    GENESIS = 0x1B
    SEQUENCED = 0x1C
