"""What the court announces: with its transactions, everything about it can be told from these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that a call of the court did."""


@dataclass(frozen=True)
class Deposited(Event):
    """A deposit took place `index` of the inbox and belongs to account `account`."""

    index: int
    account: int
    owner: bytes
    subaccount: int
    asset: int
    amount: int  # units of the asset


@dataclass(frozen=True)
class Forced(Event):
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


@dataclass(frozen=True)
class BatchPosted(Event):
    """A batch is the new tip."""

    batch_id: bytes
    number: int
    generation: int
    proposer: bytes


@dataclass(frozen=True)
class BatchReverted(Event):
    """A batch was proven wrong, or a step of it withheld: it and all its descendants fell.

    With that generation + 1 began.
    `slashed` is every bond that was lost, `rewarded` what waits for the prover, `burned` the rest,
    `forfeited` the stake behind its proposer's receipts, burned too (gwei).
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
    forfeited: int


@dataclass(frozen=True)
class BatchFinalised(Event):
    """A batch outlived its challenge window; its bond (gwei) is the proposer's to claim."""

    batch_id: bytes
    number: int
    proposer: bytes
    bond: int


@dataclass(frozen=True)
class WithdrawalClaimed(Event):
    """Withdrawal `index` was paid to its recipient."""

    batch_id: bytes
    index: int
    recipient: bytes
    amount: int  # units of the asset
    asset: int


@dataclass(frozen=True)
class CreditClaimed(Event):
    """A credit was paid out."""

    address: bytes
    amount: int  # gwei


@dataclass(frozen=True)
class StepAsked(Event):
    """Somebody asked for the bytes of a step, and prepaid (gwei) the dearest answer."""

    batch_id: bytes
    step: int
    asker: bytes
    prepaid: int


@dataclass(frozen=True)
class StepAnswered(Event):
    """The bytes came; `paid` is what they cost the answerer, `returned` the asker's rest (gwei)."""

    batch_id: bytes
    step: int
    answerer: bytes
    paid: int
    returned: int


@dataclass(frozen=True)
class AskReturned(Event):
    """The batch fell, and what was prepaid (gwei) is the asker's again."""

    batch_id: bytes
    step: int
    asker: bytes
    returned: int


@dataclass(frozen=True)
class SequencerChanged(Event):
    """Another key posts from `generation` on; after a handover another operator's."""

    operator: bytes
    sequencer: bytes
    generation: int


@dataclass(frozen=True)
class SuccessorNamed(Event):
    """The operator offered the house to a successor, or with zeros to none any more."""

    operator: bytes
    successor: bytes


@dataclass(frozen=True)
class LawAnnounced(Event):
    """Law `version` judges from batch `number` on, which none may be before `ready_ms`."""

    version: int
    number: int
    ready_ms: int


@dataclass(frozen=True)
class PostingChanged(Event):
    """Posting was opened to everyone, or closed to all but the sequencer, with `generation`."""

    opened: bool
    lag_ms: int
    generation: int


@dataclass(frozen=True)
class Frozen(Event):
    """Nothing is posted after batch `tip_number`."""

    tip_number: int
    lag_ms: int
    generation: int


@dataclass(frozen=True)
class ExitBegun(Event):
    """Claims against a batch may be filed; `escrow` is what is there, in units by asset."""

    batch_id: bytes
    number: int
    escrow: tuple[int, ...]
    claims_close_block: int
    exit_ends_block: int


@dataclass(frozen=True)
class ExitFiled(Event):
    """A claim was filed: micro-quote that comes first, and that comes after."""

    account: int
    recipient: bytes
    senior: int
    junior: int
    late: bool


@dataclass(frozen=True)
class ExitPaid(Event):
    """A claim was paid: `amounts` in units by asset; none to an account of a pool."""

    account: int
    recipient: bytes
    amounts: tuple[int, ...]


@dataclass(frozen=True)
class DepositRefunded(Event):
    """The deposit of inbox message `index` was given back."""

    index: int
    recipient: bytes
    asset: int
    amount: int  # units of the asset


@dataclass(frozen=True)
class SurplusTaken(Event):
    """What an exit left of an asset went to the beneficiary."""

    recipient: bytes
    asset: int
    amount: int  # units of the asset


@dataclass(frozen=True)
class Committed(Event):
    """Somebody committed to evidence, for a price (gwei); `place` counts all commitments."""

    committer: bytes
    commitment: bytes
    place: int
    price: int


@dataclass(frozen=True)
class Revealed(Event):
    """An older commitment to what was proven: the reward waits for `winner` now."""

    generation: int
    subject: bytes
    winner: bytes
    place: int


@dataclass(frozen=True)
class RewardSettled(Event):
    """Nobody came with an older commitment; `amount` (gwei) is the winner's to pull."""

    generation: int
    subject: bytes
    winner: bytes
    amount: int


@dataclass(frozen=True)
class WindowsProlonged(Event):
    """The guardian lets open batches up to `number` wait longer, those that did not already."""

    number: int
    blocks: int


@dataclass(frozen=True)
class Staked(Event):
    """`amount` gwei back the receipts of `owner`: his stake number `serial`."""

    owner: bytes
    serial: int
    amount: int


@dataclass(frozen=True)
class StakeReturned(Event):
    """A former sequencer's stake (gwei) is his to pull."""

    owner: bytes
    amount: int


@dataclass(frozen=True)
class ReceiptBroken(Event):
    """`signer` broke a receipt: `rewarded` waits for the prover, `burned` is gone (gwei)."""

    signer: bytes
    serial: int
    prover: bytes
    rewarded: int
    burned: int
