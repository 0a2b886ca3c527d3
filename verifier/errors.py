"""What the court and its host refuse.

A `Refused` is the caller's fault and carries one of three families of codes; a transaction that is
refused changes nothing but its sender's nonce and fee. Every text says what was expected, what it
was, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeAlias


class TransactionError(IntEnum):
    """Why the base layer does not take, or does not complete, a transaction."""

    MALFORMED = 1
    WRONG_CHAIN = 2
    WRONG_SETTLEMENT = 3
    BAD_SIGNATURE = 4
    STALE_NONCE = 5
    GAS_LIMIT = 6  # below the intrinsic gas, or above what a block holds
    FEE_TOO_LOW = 7
    ALREADY_KNOWN = 8
    MEMPOOL_FULL = 9
    OUT_OF_GAS = 10
    INSUFFICIENT_BALANCE = 11
    NO_FAUCET = 12
    RECEIVER_REFUSES = 13  # a contract that takes no money


class PostError(IntEnum):
    """Why a batch cannot be posted."""

    MALFORMED_HEADER = 101
    WRONG_MAGIC = 102
    WRONG_LAW_VERSION = 103
    WRONG_CHAIN = 104
    WRONG_SETTLEMENT = 105
    WRONG_PROPOSER = 106
    WRONG_BOND = 107
    WRONG_GENERATION = 108
    WRONG_NUMBER = 109
    WRONG_PARENT = 110
    TOO_MANY_UNFINALISED = 111
    BASE_REFERENCE_NOT_CANONICAL = 112
    BASE_REFERENCE_OLD = 113
    WRONG_PRE_ROOT = 114
    UNKNOWN_DATA_KIND = 115
    TOO_MANY_BYTES = 116
    WRONG_DATA_LENGTH = 117
    WRONG_STEP_COUNT = 118
    WRONG_DATA_HASH = 119
    MALFORMED_DATA = 120
    TRAILING_BYTES = 121
    TOO_MANY_ACTIONS = 122
    ACTION_TOO_LONG = 123
    STEP_TIME_OUT_OF_BOUNDS = 124
    WRONG_STEP_HASH = 125
    WRONG_STEPS_ROOT = 126
    WRONG_POST_ROOT = 127
    MALFORMED_OPENING = 128
    WRONG_OPENING = 129
    OPENED_LAW_VERSION = 130
    CLOCK_AHEAD = 131
    INBOX_BEYOND = 132
    WRONG_INBOX_ACCUMULATOR = 133
    INBOX_OVERDUE = 134
    POSTING_FROZEN = 135
    OVERDUE_FIRST = 136  # open posting: the oldest overdue message is not consumed
    LAW_TIMELOCK = 137
    MALFORMED_ATTESTATION = 138
    UNKNOWN_SIGNER = 139
    SHORT_QUORUM = 140
    WRONG_ATTESTATION = 141
    BEHIND_THE_TIP = 142


class CourtError(IntEnum):
    """Why any other call of the court is refused."""

    NO_SUCH_BATCH = 201
    ALREADY_REVERTED = 202
    ALREADY_FINALISED = 203
    EVIDENCE_TOO_LONG = 204
    INVALID_EVIDENCE = 205
    NO_FRAUD = 206
    NOT_NEXT_TO_FINALISE = 207
    CHALLENGE_WINDOW_OPEN = 208
    UNKNOWN_ASSET = 209
    AMOUNT_OUT_OF_BOUNDS = 210
    ACCOUNTS_FULL = 211
    INSUFFICIENT_TOKENS = 212
    NOT_FINALISED = 213
    NO_SUCH_WITHDRAWAL = 214
    ALREADY_CLAIMED = 215
    INVALID_WITHDRAWAL_PROOF = 216
    ESCROW_SHORT = 217
    NO_CREDIT = 218
    UNKNOWN_REQUEST = 219
    NO_SUCH_ACCOUNT = 220
    NOT_OPERATOR = 221
    NOT_SUCCESSOR = 222
    INVALID_ADDRESS = 223
    UNKNOWN_LAW = 224
    LAW_TOO_SOON = 225
    NOT_LAGGING = 226
    STILL_LAGGING = 227
    POSTING_MODE = 228
    FROZEN = 229
    NOT_FROZEN = 230
    BATCHES_OPEN = 231
    EXIT_BEGUN = 232
    NO_EXIT = 233
    INVALID_EXIT_PROOF = 234
    ALREADY_FILED = 235
    CLAIMS_OPEN = 236
    NO_SUCH_CLAIM = 237
    ALREADY_PAID = 238
    POOL_UNPAID = 239
    EXIT_ENDED = 240
    EXIT_NOT_ENDED = 241
    NOT_REFUNDABLE = 242
    NO_SURPLUS = 243
    DATA_ARE_INLINE = 244
    ASK_WINDOW_CLOSED = 245
    INVALID_STEP_PROOF = 246
    ALREADY_ASKED = 247
    NO_OPEN_ASK = 248
    ANSWER_WINDOW_CLOSED = 249
    WRONG_ANSWER = 250
    ANSWER_WINDOW_OPEN = 251
    ASKS_OPEN = 252
    ALREADY_COMMITTED = 261
    NO_OLDER_COMMITMENT = 262
    NO_SUCH_REWARD = 263
    REWARD_WAITS = 264
    REWARD_SETTLED = 265
    NOT_GUARDIAN = 266
    NOTHING_TO_DELAY = 267
    ALREADY_STAKED = 268
    NO_STAKE = 269
    STAKE_LOCKED = 270
    HANDOVER_TOO_SOON = 271


Refusal: TypeAlias = TransactionError | PostError | CourtError

_FAMILIES: tuple[type[TransactionError] | type[PostError] | type[CourtError], ...] = (
    TransactionError,
    PostError,
    CourtError,
)


def refusal_of(code: int) -> Refusal:
    """Return the member with number `code`. Raises ValueError if there is none."""
    for family in _FAMILIES:
        if code in family._value2member_map_:
            return family(code)
    raise ValueError(f"expected the number of a refusal, was {code}")


class VerifierError(Exception):
    """Anything the court, the base layer or its service can fail with."""


class Refused(VerifierError):
    """A call that breaks a rule; `code` says which, `text` carries the operands."""

    def __init__(self, code: Refusal, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(f"{code.name}: {text}")


class ConfigError(VerifierError):
    """A configuration that contradicts itself; `problems` lists all of them at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "court configuration: "
            + "; ".join(self.problems)
            + ". Next: start from a preset (production, devnet, test) and change it consistently."
        )
