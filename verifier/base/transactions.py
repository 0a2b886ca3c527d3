"""Transactions of the simulated base layer: one encoding, signed by their sender.

```
"NVTX", u8 kind, u64 chain id, address settlement, u64 nonce, u64 gas limit, u64 fee per gas (gwei),
body of the kind, 65 signature
```
What is signed is Keccak-256 of everything before the signature; the sender is whoever that recovers
to. The transaction's name is Keccak-256 of all its bytes: two senders may sign the same payload.

A body is one class a kind. Its fields are its layout (`verifier.codec`) and, but for the faucet's,
the arguments of the court's call of the same name.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, ClassVar

from clearing.encoding import raw
from clearing.keccak import keccak256
from clearing.recovery import NULL_ADDRESS, recover, sign
from clearing.units import SETTLEMENT_ASSET, SIGNATURE_BYTES, WITHDRAWALS_DEPTH
from verifier.batch import OPENING_BYTES
from verifier.codec import (
    ADDRESS_BYTES,
    HASH_BYTES,
    U32,
    U64,
    Address,
    Canonical,
    Hash,
    Integer,
    Many,
    Nested,
    Raw,
    Rest,
)
from verifier.errors import Refused, TransactionError
from verifier.escrow import LEAF_BYTES
from verifier.header import HEADER_BYTES
from verifier.host.gas import SIBLINGS_PER_LEVEL
from verifier.inbox import ForcedRequest
from verifier.withheld import Wanted

MAGIC = b"NVTX"
SIBLINGS_MAX = SIBLINGS_PER_LEVEL * WITHDRAWALS_DEPTH

_HEAD = struct.Struct(">4sBQ20sQQQ")


class TransactionKind(IntEnum):
    """What a transaction asks for."""

    FAUCET = 1
    DEPOSIT = 2
    POST_BATCH = 3
    PROVE_FRAUD = 4
    FINALISE = 5
    CLAIM_WITHDRAWAL = 6
    CLAIM_CREDIT = 7
    FORCE = 8
    ASK_STEP = 21
    ANSWER_STEP = 22
    SETTLE_ASK = 23
    ROTATE_SEQUENCER = 9
    NAME_SUCCESSOR = 10
    ACCEPT_HANDOVER = 11
    ANNOUNCE_LAW = 12
    OPEN_POSTING = 13
    CLOSE_POSTING = 14
    FREEZE = 15
    BEGIN_EXIT = 16
    CLAIM_EXIT = 17
    PAY_EXIT = 18
    TAKE_SURPLUS = 19
    REFUND_DEPOSIT = 20
    COMMIT = 31
    SETTLE_REWARD = 32
    PROLONG = 33
    PUT_STAKE = 34
    TAKE_STAKE = 35
    PROVE_RECEIPT = 36


@dataclass(frozen=True)
class Body(Canonical):
    """What a transaction asks for; every kind is a subclass of its own."""

    kind: ClassVar[TransactionKind]
    of_kind: ClassVar[dict[int, type[Body]]] = {}

    def __init_subclass__(cls, kind: TransactionKind, **others: Any) -> None:
        super().__init_subclass__(**others)
        cls.kind = kind
        Body.of_kind[kind] = cls


@dataclass(frozen=True)
class Faucet(Body, kind=TransactionKind.FAUCET):
    """Make `native` gwei and `token` units of an asset for `recipient`; free of gas.

    For development only.
    """

    recipient: Address
    native: U64
    token: U64
    asset: U32 = SETTLEMENT_ASSET


@dataclass(frozen=True)
class Deposit(Body, kind=TransactionKind.DEPOSIT):
    """Move an amount of an asset of the sender into escrow for (owner, sub-account)."""

    owner: Address
    subaccount: U32
    asset: U32
    amount: U64


@dataclass(frozen=True)
class Force(Body, kind=TransactionKind.FORCE):
    """Force a message of the sender into the inbox: see `ForcedRequest`."""

    request: Annotated[ForcedRequest, Nested(ForcedRequest)]


@dataclass(frozen=True)
class PostBatch(Body, kind=TransactionKind.POST_BATCH):
    """Post a batch for a bond in gwei: header 384 bytes, opening 480 bytes, data the rest.

    The data of a committee's batch are its pairs, and behind them the attestation.
    """

    bond: U64
    header: Annotated[bytes, Raw(HEADER_BYTES)]
    opening: Annotated[bytes, Raw(OPENING_BYTES)]
    data: Rest


@dataclass(frozen=True)
class ProveFraud(Body, kind=TransactionKind.PROVE_FRAUD):
    """Show that a step of the batch is not what the law makes of it."""

    batch_id: Hash
    evidence: Rest


@dataclass(frozen=True)
class Finalise(Body, kind=TransactionKind.FINALISE):
    """Make the oldest open batch final."""

    batch_id: Hash


@dataclass(frozen=True)
class ClaimWithdrawal(Body, kind=TransactionKind.CLAIM_WITHDRAWAL):
    """Have withdrawal `index` of a finalised batch paid; `leaf` is its 64 bytes."""

    batch_id: Hash
    index: U64
    leaf: Annotated[bytes, Raw(LEAF_BYTES)]
    siblings: Annotated[tuple[bytes, ...], Many(Integer(1, 0, SIBLINGS_MAX), Raw(HASH_BYTES))]


@dataclass(frozen=True)
class ClaimCredit(Body, kind=TransactionKind.CLAIM_CREDIT):
    """Have the sender's credit paid out."""


@dataclass(frozen=True)
class AskStep(Body, kind=TransactionKind.ASK_STEP):
    """Ask for the bytes of a step that a committee holds; see `verifier.withheld`."""

    batch_id: Hash
    wanted: Annotated[Wanted, Nested(Wanted)]


@dataclass(frozen=True)
class AnswerStep(Body, kind=TransactionKind.ANSWER_STEP):
    """Answer an ask with the step's bytes."""

    batch_id: Hash
    step: U32
    step_bytes: Rest


@dataclass(frozen=True)
class SettleAsk(Body, kind=TransactionKind.SETTLE_ASK):
    """End an ask that nobody answered in time."""

    batch_id: Hash
    step: U32


@dataclass(frozen=True)
class RotateSequencer(Body, kind=TransactionKind.ROTATE_SEQUENCER):
    """Let another key of the operator, who signs, post from now on."""

    sequencer: Address


@dataclass(frozen=True)
class NameSuccessor(Body, kind=TransactionKind.NAME_SUCCESSOR):
    """Offer the operator's place to somebody; zeros take the offer back."""

    successor: Address


@dataclass(frozen=True)
class AcceptHandover(Body, kind=TransactionKind.ACCEPT_HANDOVER):
    """Take the operator's place that was offered to the sender."""


@dataclass(frozen=True)
class AnnounceLaw(Body, kind=TransactionKind.ANNOUNCE_LAW):
    """Let another law judge from batch `number` on."""

    version: U32
    number: U64


@dataclass(frozen=True)
class OpenPosting(Body, kind=TransactionKind.OPEN_POSTING):
    """Let everyone post, because the clock lags."""


@dataclass(frozen=True)
class ClosePosting(Body, kind=TransactionKind.CLOSE_POSTING):
    """Let the sequencer, who signs, alone post again."""


@dataclass(frozen=True)
class Freeze(Body, kind=TransactionKind.FREEZE):
    """End all posting for ever, because the clock lags beyond hope."""


@dataclass(frozen=True)
class BeginExit(Body, kind=TransactionKind.BEGIN_EXIT):
    """Fix the terms of the exit: the last final root, opened (`verifier.exit_opening`)."""

    opening: Rest


@dataclass(frozen=True)
class ClaimExit(Body, kind=TransactionKind.CLAIM_EXIT):
    """File an account's claim in an exit (`verifier.exit_claim`)."""

    claim: Rest


@dataclass(frozen=True)
class PayExit(Body, kind=TransactionKind.PAY_EXIT):
    """Have the filed claim of an account paid to its owner."""

    account: U64


@dataclass(frozen=True)
class TakeSurplus(Body, kind=TransactionKind.TAKE_SURPLUS):
    """Have what an exit left of an asset paid to the beneficiary."""

    asset: U32


@dataclass(frozen=True)
class RefundDeposit(Body, kind=TransactionKind.REFUND_DEPOSIT):
    """Have a deposit given back that the exit root has not consumed."""

    index: U64


@dataclass(frozen=True)
class Commit(Body, kind=TransactionKind.COMMIT):
    """Commit to evidence before showing it; see `verifier.rewards.commitment_of`."""

    commitment: Hash


@dataclass(frozen=True)
class SettleReward(Body, kind=TransactionKind.SETTLE_REWARD):
    """Make a reward its winner's credit; see `verifier.rewards` for its name."""

    generation: U64
    subject: Hash


@dataclass(frozen=True)
class Prolong(Body, kind=TransactionKind.PROLONG):
    """Let the open batches wait longer; the guardian's one call."""


@dataclass(frozen=True)
class PutStake(Body, kind=TransactionKind.PUT_STAKE):
    """Lock a stake behind the receipts that the sender signs."""


@dataclass(frozen=True)
class TakeStake(Body, kind=TransactionKind.TAKE_STAKE):
    """Have the sender's stake made a credit, once nothing of his can be proven any more."""


@dataclass(frozen=True)
class ProveReceipt(Body, kind=TransactionKind.PROVE_RECEIPT):
    """Show that a sequencer broke a receipt; the evidence is `verifier.receipts`'."""

    evidence: Rest


@dataclass(frozen=True, slots=True)
class Transaction:
    """A body and who may execute it where, once. Fees are in gwei per gas."""

    chain_id: int
    settlement: bytes
    nonce: int
    gas_limit: int
    fee_per_gas: int
    body: Body

    def encode(self) -> bytes:
        """Return the bytes that are signed. Raises ValueError if a field does not fit."""
        try:
            head = _HEAD.pack(
                MAGIC,
                self.body.kind,
                self.chain_id,
                raw("settlement", self.settlement, ADDRESS_BYTES),
                self.nonce,
                self.gas_limit,
                self.fee_per_gas,
            )
            return head + self.body.encode()
        except struct.error as error:
            raise ValueError(f"expected every field within its width: {error}") from error

    def sign(self, private_key: bytes) -> bytes:
        """Return the signed transaction, ready to be submitted."""
        payload = self.encode()
        return payload + sign(private_key, keccak256(payload))


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction with its sender, its hash and the bytes that came."""

    transaction: Transaction
    sender: bytes
    hash: bytes
    encoded: bytes

    @classmethod
    def decode(cls, encoded: bytes) -> SignedTransaction:
        """Decode and recover. Raises Refused(MALFORMED or BAD_SIGNATURE)."""
        payload, signature = encoded[:-SIGNATURE_BYTES], encoded[-SIGNATURE_BYTES:]
        if len(payload) < _HEAD.size:
            raise _malformed(f"at least {_HEAD.size + SIGNATURE_BYTES} bytes", len(encoded))
        magic, kind, chain_id, settlement, nonce, gas_limit, fee = _HEAD.unpack_from(payload)
        body_type = Body.of_kind.get(kind)
        if magic != MAGIC or body_type is None:
            raise _malformed(f"magic {MAGIC.hex()} and a known kind", f"{magic.hex()}, {kind}")
        try:
            body = body_type.decode(payload[_HEAD.size :])
        except ValueError as error:
            raise _malformed(f"the body of {TransactionKind(kind).name}", error) from error
        digest = keccak256(payload)
        sender = recover(signature, digest)
        if sender == NULL_ADDRESS:
            raise Refused(
                TransactionError.BAD_SIGNATURE,
                f"expected a canonical signature, was {signature.hex()}; sign the payload's hash",
            )
        transaction = Transaction(chain_id, settlement, nonce, gas_limit, fee, body)
        return cls(transaction, sender, keccak256(encoded), encoded)


def _malformed(expected: str, was: object) -> Refused:
    return Refused(
        TransactionError.MALFORMED, f"expected {expected}, was {was}; encode the transaction again"
    )
