"""Transactions of the simulated base layer: one encoding, signed by their sender.

```
"NVTX", u8 kind, u64 chain id, address settlement, u64 nonce, u64 gas limit, u64 fee per gas (gwei),
body of the kind, 65 signature
```
What is signed is Keccak-256 of everything before the signature; the sender is whoever that recovers
to. The transaction's name is Keccak-256 of all its bytes: two senders may sign the same payload.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import ClassVar, Self, TypeAlias

from clearing.keccak import keccak256
from clearing.messages import PriceObservation
from clearing.recovery import NULL_ADDRESS, recover, sign
from clearing.units import (
    OBSERVATION_BYTES,
    SETTLEMENT_ASSET,
    SIGNATURE_BYTES,
    WITHDRAWALS_DEPTH,
)
from verifier.batch import OPENING_BYTES
from verifier.errors import Refused, TransactionError
from verifier.exits import LEAF_BYTES
from verifier.header import HEADER_BYTES
from verifier.host.gas import SIBLINGS_PER_LEVEL
from verifier.inbox import ForcedRequest
from verifier.withheld import Wanted

MAGIC = b"NVTX"
HASH_BYTES = 32
ADDRESS_BYTES = 20
SIBLINGS_MAX = SIBLINGS_PER_LEVEL * WITHDRAWALS_DEPTH

_HEAD = struct.Struct(">4sBQ20sQQQ")
_FAUCET = struct.Struct(">20sQQI")
_DEPOSIT = struct.Struct(">20sIIQ")
_FORCE = struct.Struct(">BQIIQ")
_BOND = struct.Struct(">Q")
_ASK = struct.Struct(">32sI32s32sB")
_STEP = struct.Struct(">32sI")
_CLAIM = struct.Struct(f">32sQ{LEAF_BYTES}sB")


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


@dataclass(frozen=True, slots=True)
class Faucet:
    """Make `native` gwei and `token` units of an asset for `recipient`; free of gas.

    For development only.
    """

    kind: ClassVar = TransactionKind.FAUCET
    recipient: bytes
    native: int
    token: int
    asset: int = SETTLEMENT_ASSET

    def encode(self) -> bytes:
        """Return the body's bytes."""
        recipient = _exact(self.recipient, ADDRESS_BYTES)
        return _FAUCET.pack(recipient, self.native, self.token, self.asset)

    @classmethod
    def decode(cls, body: bytes) -> Faucet:
        """Inverse of `encode`."""
        return cls(*_FAUCET.unpack(body))


@dataclass(frozen=True, slots=True)
class Deposit:
    """Move an amount of an asset of the sender into escrow for (owner, sub-account)."""

    kind: ClassVar = TransactionKind.DEPOSIT
    owner: bytes
    subaccount: int
    asset: int
    amount: int

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return _DEPOSIT.pack(
            _exact(self.owner, ADDRESS_BYTES), self.subaccount, self.asset, self.amount
        )

    @classmethod
    def decode(cls, body: bytes) -> Deposit:
        """Inverse of `encode`."""
        return cls(*_DEPOSIT.unpack(body))


@dataclass(frozen=True, slots=True)
class Force:
    """Force a message of the sender into the inbox: see `ForcedRequest`."""

    kind: ClassVar = TransactionKind.FORCE
    request: ForcedRequest

    def encode(self) -> bytes:
        """Return the body's bytes."""
        *numbers, observations = self.request
        return _FORCE.pack(*numbers) + b"".join(one.encode() for one in observations)

    @classmethod
    def decode(cls, body: bytes) -> Force:
        """Inverse of `encode`."""
        kind, account, number, other, amount = _FORCE.unpack_from(body)
        starts = range(_FORCE.size, len(body), OBSERVATION_BYTES)
        views = [PriceObservation.decode(body[at : at + OBSERVATION_BYTES]) for at in starts]
        return cls(ForcedRequest(kind, account, number, other, amount, tuple(views)))


@dataclass(frozen=True, slots=True)
class PostBatch:
    """Post a batch for a bond in gwei: header 384 bytes, opening 480 bytes, data the rest.

    The data of a committee's batch are its pairs, and behind them the attestation.
    """

    kind: ClassVar = TransactionKind.POST_BATCH
    bond: int
    header: bytes
    opening: bytes
    data: bytes

    def encode(self) -> bytes:
        """Return the body's bytes. Raises ValueError for a header or opening of another length."""
        header, opening = _exact(self.header, HEADER_BYTES), _exact(self.opening, OPENING_BYTES)
        return _BOND.pack(self.bond) + header + opening + self.data

    @classmethod
    def decode(cls, body: bytes) -> PostBatch:
        """Inverse of `encode`."""
        (bond,) = _BOND.unpack_from(body)
        opening = _BOND.size + HEADER_BYTES
        data = opening + OPENING_BYTES
        if len(body) < data:
            raise ValueError(f"expected at least {data} bytes")
        return cls(bond, body[_BOND.size : opening], body[opening:data], body[data:])


@dataclass(frozen=True, slots=True)
class ProveFraud:
    """Show that a step of the batch is not what the law makes of it."""

    kind: ClassVar = TransactionKind.PROVE_FRAUD
    batch_id: bytes
    evidence: bytes

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return _exact(self.batch_id) + self.evidence

    @classmethod
    def decode(cls, body: bytes) -> ProveFraud:
        """Inverse of `encode`."""
        return cls(_exact(body[:HASH_BYTES]), body[HASH_BYTES:])


@dataclass(frozen=True, slots=True)
class Finalise:
    """Make the oldest open batch final."""

    kind: ClassVar = TransactionKind.FINALISE
    batch_id: bytes

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return _exact(self.batch_id)

    @classmethod
    def decode(cls, body: bytes) -> Finalise:
        """Inverse of `encode`."""
        return cls(_exact(body))


@dataclass(frozen=True, slots=True)
class ClaimWithdrawal:
    """Have withdrawal `index` of a finalised batch paid; `leaf` is its 64 bytes."""

    kind: ClassVar = TransactionKind.CLAIM_WITHDRAWAL
    batch_id: bytes
    index: int
    leaf: bytes
    siblings: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the body's bytes."""
        names = _exact(self.batch_id), self.index, _exact(self.leaf, LEAF_BYTES)
        siblings = b"".join(_exact(sibling) for sibling in self.siblings)
        return _CLAIM.pack(*names, len(self.siblings)) + siblings

    @classmethod
    def decode(cls, body: bytes) -> ClaimWithdrawal:
        """Inverse of `encode`."""
        batch_id, index, leaf, count = _CLAIM.unpack_from(body)
        if count > SIBLINGS_MAX or len(body) != _CLAIM.size + HASH_BYTES * count:
            raise ValueError(f"expected {count} (at most {SIBLINGS_MAX}) siblings to end the body")
        starts = range(_CLAIM.size, len(body), HASH_BYTES)
        siblings = tuple(body[start : start + HASH_BYTES] for start in starts)
        return cls(batch_id, index, leaf, siblings)


@dataclass(frozen=True, slots=True)
class ClaimCredit:
    """Have the sender's credit paid out."""

    kind: ClassVar = TransactionKind.CLAIM_CREDIT

    def encode(self) -> bytes:
        """Return the body's bytes: none."""
        return b""

    @classmethod
    def decode(cls, body: bytes) -> ClaimCredit:
        """Inverse of `encode`."""
        if body:
            raise ValueError("expected an empty body")
        return cls()


@dataclass(frozen=True, slots=True)
class AskStep:
    """Ask for the bytes of a step that a committee holds; see `verifier.withheld`."""

    kind: ClassVar = TransactionKind.ASK_STEP
    batch_id: bytes
    wanted: Wanted

    def encode(self) -> bytes:
        """Return the body's bytes."""
        step, hashed, post_root, siblings = self.wanted
        head = _ASK.pack(
            _exact(self.batch_id), step, _exact(hashed), _exact(post_root), len(siblings)
        )
        return head + b"".join(map(_exact, siblings))

    @classmethod
    def decode(cls, body: bytes) -> AskStep:
        """Inverse of `encode`."""
        batch_id, step, hashed, post_root, count = _ASK.unpack_from(body)
        if len(body) != _ASK.size + HASH_BYTES * count:
            raise ValueError(f"expected {count} siblings to end the body")
        starts = range(_ASK.size, len(body), HASH_BYTES)
        siblings = tuple(body[start : start + HASH_BYTES] for start in starts)
        return cls(batch_id, Wanted(step, hashed, post_root, siblings))


@dataclass(frozen=True, slots=True)
class AnswerStep:
    """Answer an ask with the step's bytes."""

    kind: ClassVar = TransactionKind.ANSWER_STEP
    batch_id: bytes
    step: int
    step_bytes: bytes

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return _STEP.pack(_exact(self.batch_id), self.step) + self.step_bytes

    @classmethod
    def decode(cls, body: bytes) -> AnswerStep:
        """Inverse of `encode`."""
        batch_id, step = _STEP.unpack_from(body)
        return cls(batch_id, step, body[_STEP.size :])


@dataclass(frozen=True, slots=True)
class SettleAsk:
    """End an ask that nobody answered in time."""

    kind: ClassVar = TransactionKind.SETTLE_ASK
    batch_id: bytes
    step: int

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return _STEP.pack(_exact(self.batch_id), self.step)

    @classmethod
    def decode(cls, body: bytes) -> SettleAsk:
        """Inverse of `encode`."""
        return cls(*_STEP.unpack(body))


class _Packed:
    """A body of fixed fields: `layout` packs them in their order."""

    layout: ClassVar[struct.Struct]

    def encode(self) -> bytes:
        """Return the body's bytes. Raises ValueError if a field does not fit its place exactly."""
        values = astuple(self)  # type: ignore[call-overload]
        encoded = self.layout.pack(*values)
        # struct pads short bytes and cuts long ones without a word.
        if self.layout.unpack(encoded) != values:
            raise ValueError(f"expected addresses of {ADDRESS_BYTES} bytes, was {values}")
        return encoded

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Inverse of `encode`."""
        return cls(*cls.layout.unpack(body))


@dataclass(frozen=True)
class RotateSequencer(_Packed):
    """Let another key of the operator, who signs, post from now on."""

    kind: ClassVar = TransactionKind.ROTATE_SEQUENCER
    layout: ClassVar = struct.Struct(">20s")
    sequencer: bytes


@dataclass(frozen=True)
class NameSuccessor(_Packed):
    """Offer the operator's place to somebody; zeros take the offer back."""

    kind: ClassVar = TransactionKind.NAME_SUCCESSOR
    layout: ClassVar = struct.Struct(">20s")
    successor: bytes


@dataclass(frozen=True)
class AcceptHandover(_Packed):
    """Take the operator's place that was offered to the sender."""

    kind: ClassVar = TransactionKind.ACCEPT_HANDOVER
    layout: ClassVar = struct.Struct(">")


@dataclass(frozen=True)
class AnnounceLaw(_Packed):
    """Let another law judge from batch `number` on."""

    kind: ClassVar = TransactionKind.ANNOUNCE_LAW
    layout: ClassVar = struct.Struct(">IQ")
    version: int
    number: int


@dataclass(frozen=True)
class OpenPosting(_Packed):
    """Let everyone post, because the clock lags."""

    kind: ClassVar = TransactionKind.OPEN_POSTING
    layout: ClassVar = struct.Struct(">")


@dataclass(frozen=True)
class ClosePosting(_Packed):
    """Let the sequencer, who signs, alone post again."""

    kind: ClassVar = TransactionKind.CLOSE_POSTING
    layout: ClassVar = struct.Struct(">")


@dataclass(frozen=True)
class Freeze(_Packed):
    """End all posting for ever, because the clock lags beyond hope."""

    kind: ClassVar = TransactionKind.FREEZE
    layout: ClassVar = struct.Struct(">")


@dataclass(frozen=True, slots=True)
class BeginExit:
    """Fix the terms of the exit: the last final root, opened (`verifier.exit_opening`)."""

    kind: ClassVar = TransactionKind.BEGIN_EXIT
    opening: bytes

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return self.opening

    @classmethod
    def decode(cls, body: bytes) -> BeginExit:
        """Inverse of `encode`."""
        return cls(body)


@dataclass(frozen=True, slots=True)
class ClaimExit:
    """File an account's claim in an exit (`verifier.exit_claim`)."""

    kind: ClassVar = TransactionKind.CLAIM_EXIT
    claim: bytes

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return self.claim

    @classmethod
    def decode(cls, body: bytes) -> ClaimExit:
        """Inverse of `encode`."""
        return cls(body)


@dataclass(frozen=True)
class PayExit(_Packed):
    """Have the filed claim of an account paid to its owner."""

    kind: ClassVar = TransactionKind.PAY_EXIT
    layout: ClassVar = struct.Struct(">Q")
    account: int


@dataclass(frozen=True)
class TakeSurplus(_Packed):
    """Have what an exit left of an asset paid to the beneficiary."""

    kind: ClassVar = TransactionKind.TAKE_SURPLUS
    layout: ClassVar = struct.Struct(">I")
    asset: int


@dataclass(frozen=True)
class RefundDeposit(_Packed):
    """Have a deposit given back that the exit root has not consumed."""

    kind: ClassVar = TransactionKind.REFUND_DEPOSIT
    layout: ClassVar = struct.Struct(">Q")
    index: int


@dataclass(frozen=True)
class Commit(_Packed):
    """Commit to evidence before showing it; see `verifier.rewards.commitment_of`."""

    kind: ClassVar = TransactionKind.COMMIT
    layout: ClassVar = struct.Struct(">32s")
    commitment: bytes


@dataclass(frozen=True)
class SettleReward(_Packed):
    """Make a reward its winner's credit; see `verifier.rewards` for its name."""

    kind: ClassVar = TransactionKind.SETTLE_REWARD
    layout: ClassVar = struct.Struct(">Q32s")
    generation: int
    subject: bytes


@dataclass(frozen=True)
class Prolong(_Packed):
    """Let the open batches wait longer; the guardian's one call."""

    kind: ClassVar = TransactionKind.PROLONG
    layout: ClassVar = struct.Struct(">")


@dataclass(frozen=True)
class PutStake(_Packed):
    """Lock a stake behind the receipts that the sender signs."""

    kind: ClassVar = TransactionKind.PUT_STAKE
    layout: ClassVar = struct.Struct(">")


@dataclass(frozen=True)
class TakeStake(_Packed):
    """Have the sender's stake made a credit, once nothing of his can be proven any more."""

    kind: ClassVar = TransactionKind.TAKE_STAKE
    layout: ClassVar = struct.Struct(">")


@dataclass(frozen=True, slots=True)
class ProveReceipt:
    """Show that a sequencer broke a receipt; the evidence is `verifier.receipts`'."""

    kind: ClassVar = TransactionKind.PROVE_RECEIPT
    evidence: bytes

    def encode(self) -> bytes:
        """Return the body's bytes."""
        return self.evidence

    @classmethod
    def decode(cls, body: bytes) -> ProveReceipt:
        """Inverse of `encode`."""
        return cls(body)


CourtBody: TypeAlias = (
    Deposit
    | PostBatch
    | ProveFraud
    | Finalise
    | ClaimWithdrawal
    | ClaimCredit
    | Force
    | AskStep
    | AnswerStep
    | RotateSequencer
    | NameSuccessor
    | AcceptHandover
    | AnnounceLaw
    | OpenPosting
    | ClosePosting
    | Freeze
    | BeginExit
    | ClaimExit
    | PayExit
    | TakeSurplus
    | RefundDeposit
    | Commit
    | SettleReward
    | Prolong
    | PutStake
    | TakeStake
    | ProveReceipt
)
Body: TypeAlias = Faucet | SettleAsk | CourtBody

_BODIES: dict[int, type[Body]] = {
    body.kind: body
    for body in (
        Faucet,
        Deposit,
        PostBatch,
        ProveFraud,
        Finalise,
        ClaimWithdrawal,
        ClaimCredit,
        Force,
        AskStep,
        AnswerStep,
        SettleAsk,
        RotateSequencer,
        NameSuccessor,
        AcceptHandover,
        AnnounceLaw,
        OpenPosting,
        ClosePosting,
        Freeze,
        BeginExit,
        ClaimExit,
        PayExit,
        TakeSurplus,
        RefundDeposit,
        Commit,
        SettleReward,
        Prolong,
        PutStake,
        TakeStake,
        ProveReceipt,
    )
}


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
                _exact(self.settlement, ADDRESS_BYTES),
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
        body_type = _BODIES.get(kind)
        if magic != MAGIC or body_type is None:
            raise _malformed(f"magic {MAGIC.hex()} and a known kind", f"{magic.hex()}, {kind}")
        try:
            body = body_type.decode(payload[_HEAD.size :])
        except (ValueError, struct.error) as error:
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


def _exact(data: bytes, size: int = HASH_BYTES) -> bytes:
    """Return `data` if it has `size` bytes; struct would pad or cut it without a word."""
    if len(data) != size:
        raise ValueError(f"expected {size} bytes, was {len(data)}")
    return data


def _malformed(expected: str, was: object) -> Refused:
    return Refused(
        TransactionError.MALFORMED, f"expected {expected}, was {was}; encode the transaction again"
    )
