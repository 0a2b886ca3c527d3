"""What work on the base layer costs, and a meter that stops it.

The numbers follow Ethereum's schedule: 16 gas a byte of call data, 30 + 6 a word to hash, 20,000 a
storage slot that is written. They bound a transaction and never decide who is right: one that runs
out of gas fails without a trace, whatever it was about to prove.
"""

from __future__ import annotations

from clearing.units import (
    ACTIONS_PER_STEP,
    OBSERVATION_BYTES,
    STEP_CELLS,
    STEP_RECOVERIES,
    STEP_WORDS,
    STEPS_DEPTH,
)
from verifier.errors import Refused, TransactionError

TRANSACTION_GAS = 21_000
BYTE_GAS = 16
HASH_GAS = 30
HASH_WORD_GAS = 6
STORAGE_GAS = 20_000
RECOVERY_GAS = 3_000
# Running the law on one witness: what its budget of leaf words and margin cells comes to.
LAW_GAS = 400 * (STEP_WORDS + STEP_CELLS)
# A pairing check of two pairs, two maps to G2 and their sum, with room for expanding the message;
# a signer costs four cold slots and an addition.
ATTESTATION_GAS = 160_000
SIGNER_GAS = 8_775

CALL_GAS = 8 * STORAGE_GAS  # a call that writes a few slots
WIDE_CALL_GAS = 16 * STORAGE_GAS  # one that writes a record of a batch, a claim or an exit
SIBLINGS_PER_LEVEL = 3


class GasMeter:
    """Counts what one transaction spends. `limit` and `spent` are gas, 0 <= spent <= limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0

    def spend(self, gas: int) -> None:
        """Spend `gas` >= 0. Raises Refused(OUT_OF_GAS), with all of the limit spent."""
        if self.spent + gas > self.limit:
            wanted = self.spent + gas
            self.spent = self.limit
            raise Refused(
                TransactionError.OUT_OF_GAS,
                f"expected at least {wanted} gas so far, was a limit of {self.limit}; "
                "raise the gas limit",
            )
        self.spent += gas


def hashing(length: int, hashes: int = 1) -> int:
    """Return the gas of `hashes` hashes over `length` bytes together."""
    return HASH_GAS * hashes + HASH_WORD_GAS * (-(-length // 32) + hashes)


def intrinsic(length: int) -> int:
    """Return what a transaction of `length` bytes pays before it does anything."""
    return TRANSACTION_GAS + BYTE_GAS * length


def posting(data_length: int, steps: int, actions: int) -> int:
    """Return the gas of `post_batch` beyond the intrinsic gas.

    The data are hashed whole and action by action; a step has its hash, its record's hash and its
    share of the nodes above, for which one node a record is an upper bound.
    """
    data = hashing(data_length, 1) + hashing(data_length, actions)
    records = hashing(steps * (16 + 72) + 32 * actions, 2 * steps)
    nodes = hashing(128 * (steps + STEPS_DEPTH), steps + STEPS_DEPTH)
    return data + records + nodes + hashing(2_048, 4) + WIDE_CALL_GAS


def posting_max(data_length: int, steps: int) -> int:
    """Return the most that posting this much data can cost, intrinsic gas included."""
    return intrinsic(data_length + 2_048) + posting(data_length, steps, steps * ACTIONS_PER_STEP)


def attesting(signers: int) -> int:
    """Return the gas of checking one signature of so many members together.

    Keys lie in storage uncompressed, four slots each, and are added up; then one pairing check.
    """
    return ATTESTATION_GAS + SIGNER_GAS * signers


def asking() -> int:
    """Return the gas of asking for a step beyond the intrinsic gas: its record and its proof."""
    return CALL_GAS + hashing(128 * (STEPS_DEPTH + 1), STEPS_DEPTH + 1)


def answering(step_length: int) -> int:
    """Return the gas of answering an ask beyond the intrinsic gas: action by action, and a hash."""
    hashes = ACTIONS_PER_STEP + 1
    return CALL_GAS + hashing(step_length + 32 * hashes, hashes)


def answering_max(step_length: int) -> int:
    """Return the most that an answer of this length can cost, intrinsic gas included."""
    return intrinsic(step_length + 512) + answering(step_length)


def forcing(observations: int) -> int:
    """Return the gas of `force` beyond the intrinsic gas: a message and the accumulator."""
    return CALL_GAS + hashing(256 + OBSERVATION_BYTES * observations, 2)


def claiming(length: int) -> int:
    """Return the gas of `claim_exit` beyond the intrinsic gas, by its length alone."""
    return WIDE_CALL_GAS + hashing(4 * length, length // 32 + 1)


def proving(evidence_length: int) -> int:
    """Return the gas of `prove_fraud` beyond the intrinsic gas.

    It depends on the length alone, so what a witness says can neither make a check dearer nor a
    verdict different.
    """
    hashes = evidence_length // 32 + 1
    check = LAW_GAS + STEP_RECOVERIES * RECOVERY_GAS + hashing(4 * evidence_length, hashes)
    return check + CALL_GAS


def proving_receipt(evidence_length: int) -> int:
    """Return the gas of `prove_receipt` beyond the intrinsic gas: a fold over 32-byte roots."""
    hashes = evidence_length // 32 + 4
    return CALL_GAS + 2 * RECOVERY_GAS + hashing(96 * hashes, hashes)


def proving_max(evidence_length: int) -> int:
    """Return the most that a proof of this length can cost, intrinsic gas included."""
    return intrinsic(evidence_length + 512) + proving(evidence_length)
