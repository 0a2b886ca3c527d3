"""What the court announces: with its transactions, everything about it can be told from these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Deposited:
    """A deposit took place `index` of the inbox and belongs to account `account`."""

    index: int
    account: int
    owner: bytes
    subaccount: int
    asset: int
    amount: int  # units of the asset


@dataclass(frozen=True, slots=True)
class Forced:
    """What an owner asks of the law took place `index` of the inbox.

    Kinds are those of inbox messages; `number` is an asset or an instrument, `other` the account
    that a liquidation is of, `amount` units, lots or a sequence.
    """

    index: int
    kind: int
    sender: bytes
    account: int
    number: int
    other: int
    amount: int


@dataclass(frozen=True, slots=True)
class BatchPosted:
    """A batch is the new tip."""

    batch_id: bytes
    number: int
    generation: int
    proposer: bytes


@dataclass(frozen=True, slots=True)
class BatchReverted:
    """A batch was proven wrong, or a step of it withheld: it and all its descendants fell.

    With that generation + 1 began.
    `slashed` is every bond that was lost, `rewarded` the prover's share, `burned` the rest (gwei).
    """

    batch_id: bytes
    number: int
    generation: int
    step: int
    prover: bytes
    slashed: int
    rewarded: int
    burned: int
    block: int


@dataclass(frozen=True, slots=True)
class BatchFinalised:
    """A batch outlived its challenge window; its bond (gwei) is the proposer's to claim."""

    batch_id: bytes
    number: int
    proposer: bytes
    bond: int


@dataclass(frozen=True, slots=True)
class WithdrawalClaimed:
    """Withdrawal `index` was paid to its recipient."""

    batch_id: bytes
    index: int
    recipient: bytes
    amount: int  # units of the asset
    asset: int


@dataclass(frozen=True, slots=True)
class CreditClaimed:
    """A credit was paid out."""

    address: bytes
    amount: int  # gwei


@dataclass(frozen=True, slots=True)
class StepAsked:
    """Somebody asked for the bytes of a step, and prepaid (gwei) the dearest answer."""

    batch_id: bytes
    step: int
    asker: bytes
    prepaid: int


@dataclass(frozen=True, slots=True)
class StepAnswered:
    """The bytes came; `paid` is what they cost the answerer, `returned` the asker's rest (gwei)."""

    batch_id: bytes
    step: int
    answerer: bytes
    paid: int
    returned: int


@dataclass(frozen=True, slots=True)
class AskReturned:
    """The batch fell, and what was prepaid (gwei) is the asker's again."""

    batch_id: bytes
    step: int
    asker: bytes
    returned: int


Event: TypeAlias = (
    Deposited
    | Forced
    | BatchPosted
    | BatchReverted
    | BatchFinalised
    | WithdrawalClaimed
    | CreditClaimed
    | StepAsked
    | StepAnswered
    | AskReturned
)
