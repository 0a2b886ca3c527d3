"""What the court and its host refuse: every rule that a call can break, with its code and its text.

A `Refused` is the caller's fault and carries one of three families of codes; a transaction that is
refused changes nothing but its sender's nonce and fee. Every text says what was expected, what it
was, and what to do next; in braces stand the operands that the call was judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from string import Formatter
from typing import Self, TypeAlias


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


class Rule(IntEnum):
    """A rule of the court by its number, and the text for whoever breaks it."""

    text: str

    def __new__(cls, number: int, text: str) -> Self:
        """Make the member with this number and text."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.text = text
        return member

    @property
    def operands(self) -> tuple[str, ...]:
        """The names of the operands in the text, in its order."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.text) if name)


class PostError(Rule):
    """Why a batch cannot be posted."""

    MALFORMED_HEADER = 101, "expected {expected}, was {was}; encode it again"
    WRONG_MAGIC = 102, "expected magic {expected}, was {was}; use this protocol's encoder"
    WRONG_LAW_VERSION = 103, "expected law version {expected}, was {was}; upgrade"
    WRONG_CHAIN = (
        104,
        "expected chain id {expected}, was {was}; post to the chain that the batch was made for",
    )
    WRONG_SETTLEMENT = (
        105,
        "expected settlement address {expected}, was {was}; post to the chain that the batch was "
        "made for",
    )
    WRONG_PROPOSER = (
        106,
        "expected {what} {expected}, was {was}; only the registered sequencer posts, in its own "
        "name, unless posting is open",
    )
    WRONG_BOND = 107, "expected a bond in gwei of {expected}, was {was}; send the bond"
    WRONG_GENERATION = 108, "expected generation {expected}, was {was}; build on the court's tip"
    WRONG_NUMBER = 109, "expected number {expected}, was {was}; build on the court's tip"
    WRONG_PARENT = 110, "expected parent {expected}, was {was}; build on the court's tip"
    TOO_MANY_UNFINALISED = (
        111,
        "expected fewer than {most} unfinalised batches, was {was}; finalise what is old enough, "
        "then post",
    )
    BASE_REFERENCE_NOT_CANONICAL = (
        112,
        "expected block {number} to be {expected}, was {was}; build the batch again on this branch",
    )
    BASE_REFERENCE_OLD = (
        113,
        "expected a base reference of at most {most} blocks ago, was {was}; build the batch again "
        "on a newer block",
    )
    WRONG_PRE_ROOT = 114, "expected pre root {expected}, was {was}; build on the court's tip"
    UNKNOWN_DATA_KIND = 115, "expected data kind {expected}, was {was}; post the data inline"
    TOO_MANY_BYTES = (
        116,
        "expected at most {most} bytes of data, was {was}; seal the batch earlier",
    )
    WRONG_DATA_LENGTH = (
        117,
        "expected a data length of {expected}, was {was}; send the data that the header was made "
        "from",
    )
    WRONG_STEP_COUNT = 118, "expected 1 to {most} steps, was {was}; seal the batch earlier"
    WRONG_DATA_HASH = (
        119,
        "expected the data hash {expected}, was {was}; send the data that the header was made from",
    )
    MALFORMED_DATA = 120, "expected {expected}, was {was}; send {wanted}"
    TRAILING_BYTES = 121, "expected {expected}, was {was}; {advice}"
    TOO_MANY_ACTIONS = (
        122,
        "expected at most {most} actions in the step at byte {start}, was {was}; split the step",
    )
    ACTION_TOO_LONG = (
        123,
        "expected the action at byte {start} to have at most {most} bytes, was {was}; leave it out",
    )
    STEP_TIME_OUT_OF_BOUNDS = (
        124,
        "expected the step at byte {start} to have a time of at most {most} ms, was {was}; no law "
        "time is beyond that",
    )
    WRONG_STEP_HASH = (
        125,
        "expected step {step} to hash to {expected}, was {was}; send the bytes that were hashed",
    )
    WRONG_STEPS_ROOT = (
        126,
        "expected the steps root {expected}, was {was}; the header is of other data",
    )
    WRONG_POST_ROOT = (
        127,
        "expected the last root {expected}, was {was}; send the data that the header was made from",
    )
    MALFORMED_OPENING = (
        128,
        "expected an opening of {expected} bytes, was {was}; send the globals leaf and the eight "
        "sub-roots",
    )
    WRONG_OPENING = (
        129,
        "expected the opening of root {expected}, was {was}; open the root after the last step",
    )
    OPENED_LAW_VERSION = (
        130,
        "expected opened law version {expected}, was {was}; open the root after the last step",
    )
    CLOCK_AHEAD = (
        131,
        "expected a clock of at most {most} ms (block time and drift), was {was}; wait {early} ms, "
        "then post",
    )
    INBOX_BEYOND = (
        132,
        "expected at most {most} inbox messages consumed, was {was}; consume only what this branch "
        "holds",
    )
    WRONG_INBOX_ACCUMULATOR = (
        133,
        "expected the inbox accumulator {expected}, was {was}; consume the messages of this branch "
        "in order",
    )
    INBOX_OVERDUE = (
        134,
        "expected inbox message {index} of {time} ms to be consumed before the clock passes {due} "
        "ms, was unconsumed at {was}; consume it",
    )
    POSTING_FROZEN = (
        135,
        "expected a house that goes on, was a frozen one; nothing is posted any more",
    )
    OVERDUE_FIRST = (
        136,
        "expected inbox message {index}, due at {due} ms, to be consumed by whoever posts now, was "
        "left at {was}; begin the batch with it",
    )
    LAW_TIMELOCK = (
        137,
        "expected the first batches of law {version} at {ready} ms or later, was {was}; wait "
        "{early} ms",
    )
    MALFORMED_ATTESTATION = (
        138,
        "expected an attestation of {expected} bytes, was {was}; send the pairs and, behind them, "
        "signers and signature",
    )
    UNKNOWN_SIGNER = (
        139,
        "expected signers among {count} members, was the map {was:#x}; set the bits of members "
        "alone",
    )
    SHORT_QUORUM = (
        140,
        "expected at least {least} signers, was {was}; ask more members, or post the data inline",
    )
    WRONG_ATTESTATION = (
        141,
        "expected the signatures of the members {signers:#x} over {digest}, was {was}; add up "
        "exactly theirs",
    )
    BEHIND_THE_TIP = (
        142,
        "expected {what} of at least {least}, the tip's, was {was}; open the root after the last "
        "step",
    )


class CourtError(Rule):
    """Why any other call of the court is refused."""

    NO_SUCH_BATCH = (
        201,
        "expected the name of a posted batch, was {was}; it may have been reorganised away: read "
        "the heads again",
    )
    ALREADY_REVERTED = (
        202,
        "expected batch {batch} to be open, was reverted with generation {generation} or later; "
        "nothing is left to do",
    )
    ALREADY_FINALISED = (
        203,
        "expected batch {batch} to be open, was finalised; nothing can move it",
    )
    EVIDENCE_TOO_LONG = 204, "expected at most {most} bytes, was {was}; send the read set alone"
    INVALID_EVIDENCE = 205, "{problem}"
    NO_FRAUD = 206, "expected {expected}, was one that {was}; {advice}"
    NOT_NEXT_TO_FINALISE = (
        207,
        "expected batch number {expected}, was {was}; finalise that one first",
    )
    CHALLENGE_WINDOW_OPEN = 208, "expected a block after {closes}, was {was}; wait"
    UNKNOWN_ASSET = 209, "expected an asset of 0 to {most}, was {was}; name one that is listed"
    AMOUNT_OUT_OF_BOUNDS = 210, "expected {expected}, was {was}; {advice}"
    ACCOUNTS_FULL = (
        211,
        "expected fewer than {most} accounts, was {was}; use one that exists",
    )
    INSUFFICIENT_TOKENS = (
        212,
        "expected {amount} of asset {asset} at {address}, was {was}; deposit less",
    )
    NOT_FINALISED = (
        213,
        "expected batch {batch} to be finalised, was {was}; claim against a finalised batch",
    )
    NO_SUCH_WITHDRAWAL = (
        214,
        "expected an index below {count}, was {was}; name a later finalised batch",
    )
    ALREADY_CLAIMED = (
        215,
        "expected withdrawal {index} to be unpaid, was paid; nothing is left to do",
    )
    INVALID_WITHDRAWAL_PROOF = 216, "{problem}"
    ESCROW_SHORT = (
        217,
        "expected an amount of 0 to {escrow} of asset {asset} in escrow, was {was}; stop: a wrong "
        "state was finalised",
    )
    NO_CREDIT = (
        218,
        "expected a credit of {address}, was none; it was pulled already, or what earns it has not "
        "happened yet",
    )
    UNKNOWN_REQUEST = 219, "expected {expected}, was {was}; {advice}"
    NO_SUCH_ACCOUNT = 220, "expected an account below {count}, was {was}; name one that exists"
    NOT_OPERATOR = 221, "expected {expected}, was {was}; {advice}"
    NOT_SUCCESSOR = (
        222,
        "expected whom the operator named ({successor}), was {was}; have him name you first",
    )
    INVALID_ADDRESS = (
        223,
        "expected an address other than {present} and zero, was {was}; name the new key's",
    )
    UNKNOWN_LAW = (
        224,
        "expected a law above {present} that the court has ({known}), was {was}; announce one of "
        "them",
    )
    LAW_TOO_SOON = 225, "expected a batch after {next}, was {was}; announce a later one"
    NOT_LAGGING = (
        226,
        "expected a clock more than {least} ms behind the base layer, was {was}; wait {early} ms",
    )
    STILL_LAGGING = (
        227,
        "expected a clock at most {most} ms behind, was {was}; post batches that bring it up first",
    )
    POSTING_MODE = 228, "expected mode {expected}, was {was}; nothing is left to do"
    FROZEN = (
        229,
        "expected a house that goes on, was a frozen one; what is posted runs out its windows, "
        "then everybody leaves: novatio exit build",
    )
    NOT_FROZEN = 230, "expected a frozen house, was one in mode {was}; withdraw as usual"
    BATCHES_OPEN = (
        231,
        "expected every batch to be final, was {was} open; finalise them, or prove them wrong",
    )
    EXIT_BEGUN = 232, "expected no exit yet, was one; file claims: it is the same"
    NO_EXIT = (
        233,
        "expected an exit that has begun, was none; freeze, finalise what is posted, then begin it",
    )
    INVALID_EXIT_PROOF = 234, "{problem}"
    ALREADY_FILED = (
        235,
        "expected an account without a claim, was {was}; wait for its payment",
    )
    CLAIMS_OPEN = (
        236,
        "expected a block after {closes}, was {was}; until then claims like this one are filed, "
        "then all are paid alike",
    )
    NO_SUCH_CLAIM = (
        237,
        "expected an account whose claim was filed, was {was}; file it first",
    )
    ALREADY_PAID = 238, "expected {what} to be unpaid, was {was}; nothing is left to do"
    POOL_UNPAID = (
        239,
        "expected account {account} of pool {pool} to be paid before its shares, was not; file and "
        "pay it first: anyone may",
    )
    EXIT_ENDED = (
        240,
        "expected a block up to {ends}, was {was}; what was not claimed by then is the "
        "beneficiary's when the exit ends",
    )
    EXIT_NOT_ENDED = (
        241,
        "expected a block after {ends}, was {was}; until then it is there for claims",
    )
    NOT_REFUNDABLE = (
        242,
        "expected a deposit from message {first} on, was {was}; what was consumed before is part "
        "of an account's claim",
    )
    NO_SURPLUS = 243, "expected a rest of asset {asset}, was none; it was taken"
    DATA_ARE_INLINE = (
        244,
        "expected a batch whose steps are with a committee, was {was}; read its data from the base "
        "layer",
    )
    ASK_WINDOW_CLOSED = (
        245,
        "expected a block of at most {closes}, was {was}; ask about later batches",
    )
    INVALID_STEP_PROOF = 246, "{problem}"
    ALREADY_ASKED = (
        247,
        "expected a step that nobody asked for, was {was}; wait for its answer",
    )
    NO_OPEN_ASK = (
        248,
        "expected step {step} of batch {batch} to be asked for, was {was}; nothing is left to do",
    )
    ANSWER_WINDOW_CLOSED = (
        249,
        "expected a block of at most {closes}, was {was}; the batch falls",
    )
    WRONG_ANSWER = 250, "{problem}; send the bytes that were hashed"
    ANSWER_WINDOW_OPEN = 251, "expected a block after {closes}, was {was}; wait for an answer"
    ASKS_OPEN = (
        252,
        "expected a batch without unanswered asks, was one with {was}; answer them in time, or "
        "settle one to take the batch back",
    )
    ALREADY_COMMITTED = (
        261,
        "expected a new commitment, was {was}, which stands; show the evidence",
    )
    NO_OLDER_COMMITMENT = (
        262,
        "expected a commitment of {sender} to this evidence before place {place}, was {was}; it "
        "was proven already, nothing is left to do",
    )
    NO_SUCH_REWARD = (
        263,
        "expected the name of a reward, was {generation}, {subject}; name what a proof took back",
    )
    REWARD_WAITS = (
        264,
        "expected a block after {closes}, was {was}; wait for older commitments",
    )
    REWARD_SETTLED = 265, "expected {expected}, was {was}; {advice}"
    NOT_GUARDIAN = (
        266,
        "expected the guardian {guardian}, was {was}; prove what is wrong instead, anyone may",
    )
    NOTHING_TO_DELAY = (
        267,
        "expected an open batch that was not delayed yet, was none; each waits longer once",
    )
    ALREADY_STAKED = 268, "expected no stake of {owner}, was {was} gwei; one backs all receipts"
    NO_STAKE = (
        269,
        "expected a stake of {signer} put in generation {generation} or before, was none; there "
        "never was one, or it was taken back, or lost already",
    )
    STAKE_LOCKED = (
        270,
        "expected a former sequencer whose last batch {last} is final, after block {until}, was "
        "{who} with {finalised} final in block {block}; hand over first, then wait",
    )
    HANDOVER_TOO_SOON = (
        271,
        "expected block {opens} or a later one, was {was}; until then the former sequencer posts "
        "what he has acknowledged",
    )


Refusal: TypeAlias = TransactionError | PostError | CourtError

_REFUSALS: dict[int, Refusal] = {
    int(code): code for family in (TransactionError, PostError, CourtError) for code in family
}


def refusal_of(code: int) -> Refusal:
    """Return the member with number `code`. Raises ValueError if there is none."""
    if code not in _REFUSALS:
        raise ValueError(f"expected the number of a refusal, was {code}")
    return _REFUSALS[code]


class VerifierError(Exception):
    """Anything the court, the base layer or its service can fail with."""


class Refused(VerifierError):
    """A call that breaks a rule; `code` says which, `text` carries the operands."""

    def __init__(self, code: Refusal, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(f"{code.name}: {text}")


def refused(rule: PostError | CourtError, *operands: object) -> Refused:
    """Return the refusal for a rule that was broken; operands stand in the order of its text."""
    shown = (value.hex() if isinstance(value, bytes) else value for value in operands)
    return Refused(rule, rule.text.format(**dict(zip(rule.operands, shown, strict=True))))


def require(condition: bool, rule: PostError | CourtError, *operands: object) -> None:
    """Raise Refused with the rule's text, and operands in its order, unless the condition holds."""
    if not condition:
        raise refused(rule, *operands)


class ConfigError(VerifierError):
    """A configuration that contradicts itself; `problems` lists all of them at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "court configuration: "
            + "; ".join(self.problems)
            + ". Next: start from a preset (production, devnet, test) and change it consistently."
        )
