"""Between the court's records and the messages of `verifier.v1`.

Most messages carry the fields of a record under the same names, so two generic functions do; a
record and its message that drift apart fail in the first call that uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from clearing.messages import InboxMessage
from verifier import events
from verifier.base.chain import ChangeKind
from verifier.base.errors import BlockUnknown, ReorgTooDeep
from verifier.base.interface import BlockView, HeadChange, InboxEntry, Receipt
from verifier.base.transactions import TransactionKind
from verifier.batches import BatchRecord, BatchStatus, BatchView
from verifier.committee import Committee, Member
from verifier.config import CourtConfig
from verifier.errors import Refused, VerifierError, refusal_of
from verifier.escrow import Solvency
from verifier.exit import ExitTotals, FiledClaim
from verifier.exit_claim import Worth
from verifier.freeze import Mode, Standing
from verifier.v1 import verifier_pb2 as pb
from verifier.withheld import Ask, AskStatus

T = TypeVar("T")
M = TypeVar("M", bound=Message)

ERROR_DOMAIN = "verifier.novatio"
SIGNED_MAX = (1 << 63) - 1
_HOLDINGS = ("home", "seized", "shares")

# An event and its message have one name: BatchPosted is batch_posted.
_EVENTS: dict[str, type[Any]] = {
    name: getattr(events, name.title().replace("_", ""))
    for name in pb.Event.DESCRIPTOR.fields_by_name
}
_EVENT_NAMES = {cls: name for name, cls in _EVENTS.items()}


def to_message(message: type[M], record: object) -> M:
    """Return a message whose every field is the record's attribute of the same name."""
    return message(**{name: getattr(record, name) for name in message.DESCRIPTOR.fields_by_name})


def from_message(record: type[T], message: Message) -> T:
    """Return a record made of all fields of a message; repeated numbers become tuples."""
    return record(**{name: _plain(message, name) for name in message.DESCRIPTOR.fields_by_name})


def _plain(message: Message, name: str) -> Any:
    value = getattr(message, name)
    return (
        tuple(value)
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        else value
    )


def config_to(config: CourtConfig) -> pb.CourtConfig:
    """Return the message of a configuration."""
    names = set(pb.CourtConfig.DESCRIPTOR.fields_by_name) - {"committee"}
    committee = config.committee
    members = [to_message(pb.CommitteeMember, member) for member in committee.members]
    return pb.CourtConfig(
        **{name: getattr(config, name) for name in names},
        committee=pb.Committee(members=members, threshold=committee.threshold),
    )


def config_from(message: pb.CourtConfig) -> CourtConfig:
    """Return the configuration. Raises ConfigError if it contradicts itself."""
    names = set(message.DESCRIPTOR.fields_by_name) - {"committee"}
    members = tuple(from_message(Member, member) for member in message.committee.members)
    return CourtConfig(
        **{name: getattr(message, name) for name in names},
        committee=Committee(members, message.committee.threshold),
    )


def block_from(message: pb.Block) -> BlockView:
    """Return the block."""
    hashes = tuple(message.transaction_hashes)
    return BlockView(
        message.number, message.hash, message.parent, message.time_ms, message.gas_used, hashes
    )


def change_from(message: pb.HeadChange) -> HeadChange:
    """Return the change of the head."""
    return from_message(HeadChange, message)._replace(kind=ChangeKind(message.kind))


def batch_to(view: BatchView) -> pb.Batch:
    """Return the message of a batch."""
    status = pb.BatchStatus.Name(view.status)
    return pb.Batch(
        **view.record._asdict(),
        status=status,
        open_asks=view.open_asks,
        closes_block=view.closes_block,
    )


def batch_from(message: pb.Batch) -> BatchView:
    """Return the batch."""
    record = BatchRecord(*(getattr(message, name) for name in BatchRecord._fields))
    status = BatchStatus(message.status)
    return BatchView(record, status, message.open_asks, message.closes_block)


def ask_to(ask: Ask) -> pb.Ask:
    """Return the message of an ask."""
    return pb.Ask(**ask._asdict() | {"status": pb.AskStatus.Name(ask.status)})


def ask_from(message: pb.Ask) -> Ask:
    """Return the ask."""
    return from_message(Ask, message)._replace(status=AskStatus(message.status))


def inbox_to(entry: InboxEntry) -> pb.InboxEntry:
    """Return the message of an inbox entry."""
    return pb.InboxEntry(**entry._asdict() | {"message": entry.message.encode()})


def inbox_from(message: pb.InboxEntry) -> InboxEntry:
    """Return the inbox entry. Raises MalformedBytes for bytes that are no inbox message."""
    entry = from_message(InboxEntry, message)
    return entry._replace(
        message=InboxMessage.decode(message.message), deposited=tuple(message.deposited)
    )


def solvency_to(solvency: Solvency) -> pb.Solvency:
    """Return the message, saturated: a proposer may have committed to any custody at all."""
    return pb.Solvency(
        **{
            name: max(-SIGNED_MAX, min(SIGNED_MAX, value))
            for name, value in solvency._asdict().items()
        }
    )


def standing_from(message: pb.Standing) -> Standing:
    """Return the standing. Raises ValueError for a mode that does not exist."""
    return from_message(Standing, message)._replace(mode=Mode(message.mode))


def exit_totals_to(totals: ExitTotals) -> pb.ExitTotals:
    """Return the message, its classes saturated: so much is never claimed of a lawful state."""
    senior, junior = min(totals.senior, SIGNED_MAX), min(totals.junior, SIGNED_MAX)
    return to_message(pb.ExitTotals, totals._replace(senior=senior, junior=junior))


def exit_claim_to(claim: FiledClaim) -> pb.ExitClaim:
    """Return the message of a filed claim."""
    worth = claim.worth
    lists = {
        name: [pb.Holding(number=number, amount=amount) for number, amount in getattr(worth, name)]
        for name in _HOLDINGS
    }
    return pb.ExitClaim(**worth._asdict() | lists, late=claim.late, paid=claim.paid)


def exit_claim_from(message: pb.ExitClaim) -> FiledClaim:
    """Return the filed claim."""
    lists = {
        name: tuple((held.number, held.amount) for held in getattr(message, name))
        for name in _HOLDINGS
    }
    fields = {name: getattr(message, name) for name in Worth._fields} | lists
    return FiledClaim(Worth(**fields), message.late, tuple(message.paid))


def receipt_to(receipt: Receipt) -> pb.Receipt:
    """Return the message of a receipt."""
    return pb.Receipt(
        transaction_hash=receipt.transaction_hash,
        sender=receipt.sender,
        kind=receipt.kind,
        block_number=receipt.block_number,
        block_hash=receipt.block_hash,
        index=receipt.index,
        error=receipt.error or 0,
        text=receipt.text,
        gas_used=receipt.gas_used,
        fee=receipt.fee,
        events=[_event_to(event) for event in receipt.events],
    )


def receipt_from(message: pb.Receipt) -> Receipt:
    """Return the receipt. Raises ValueError for a kind or refusal that does not exist."""
    return Receipt(
        message.transaction_hash,
        message.sender,
        TransactionKind(message.kind),
        message.block_number,
        message.block_hash,
        message.index,
        refusal_of(message.error) if message.error else None,
        message.text,
        message.gas_used,
        message.fee,
        tuple(_event_from(event) for event in message.events),
    )


def status_of(error: VerifierError) -> status_pb2.Status:
    """Return the status that carries `error` over the wire, its operands in an ErrorInfo."""
    code = code_pb2.FAILED_PRECONDITION
    if isinstance(error, Refused):
        code = code_pb2.INVALID_ARGUMENT
        reason, operands = error.code.name, {"code": str(int(error.code)), "text": error.text}
    elif isinstance(error, BlockUnknown):
        reason, operands = "BLOCK_UNKNOWN", {"block": error.block, "reason": error.reason}
    elif isinstance(error, ReorgTooDeep):
        reason = "REORG_TOO_DEEP"
        operands = {"depth": str(error.depth), "depth_max": str(error.depth_max)}
    else:
        code, reason, operands = code_pb2.INTERNAL, "VERIFIER_ERROR", {}
    info = error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN, metadata=operands)
    detail = any_pb2.Any()
    detail.Pack(info)
    return status_pb2.Status(code=code, message=str(error), details=[detail])


def error_from(status: status_pb2.Status | None) -> VerifierError | None:
    """Inverse of `status_of`; None if the status carries none of ours."""
    for detail in _details(status):
        operands = detail.metadata
        if detail.domain != ERROR_DOMAIN:
            continue
        if "code" in operands:
            return Refused(refusal_of(int(operands["code"])), operands["text"])
        if detail.reason == "BLOCK_UNKNOWN":
            return BlockUnknown(operands["block"], operands["reason"])
        if detail.reason == "REORG_TOO_DEEP":
            return ReorgTooDeep(int(operands["depth"]), int(operands["depth_max"]))
    return None


def _details(status: status_pb2.Status | None) -> Sequence[error_details_pb2.ErrorInfo]:
    infos = []
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            infos.append(info)
    return infos


def _event_to(event: events.Event) -> pb.Event:
    name = _EVENT_NAMES[type(event)]
    message = type(getattr(pb.Event(), name))
    return pb.Event(**{name: to_message(message, event)})


def _event_from(message: pb.Event) -> events.Event:
    name = message.WhichOneof("event")
    if name is None:
        raise ValueError("expected an event of a known kind, was none; upgrade this client")
    event: events.Event = from_message(_EVENTS[name], getattr(message, name))
    return event


def _same(value: Any) -> Any:
    return value


def _as(message: type[Message]) -> Callable[[Any], Any]:
    return partial(to_message, message)


class Read(NamedTuple):
    """A call of the service that is a method of `BaseLayer`: the method's name, and how what it
    returns becomes the one field of the response (each entry, of a list)."""

    method: str
    write: Callable[[Any], Any]


READS: dict[str, Read] = {
    "Submit": Read("submit", _same),
    "DryRun": Read("dry_run", receipt_to),
    "GetConfig": Read("config", config_to),
    "GetHead": Read("head", _as(pb.Head)),
    "GetBlock": Read("block", _as(pb.Block)),
    "GetReceipt": Read("receipt", receipt_to),
    "ListHeadChanges": Read("changes", _as(pb.HeadChange)),
    "GetAccount": Read("account", _as(pb.Account)),
    "GetHeads": Read("heads", _as(pb.Heads)),
    "GetBatch": Read("batch", batch_to),
    "GetBatchData": Read("batch_data", _same),
    "ListAsks": Read("asks", ask_to),
    "GetAnswer": Read("answered", _same),
    "ListBatches": Read("batches", batch_to),
    "ListInbox": Read("inbox", inbox_to),
    "GetAccountId": Read("account_id", _same),
    "GetWithdrawal": Read("is_claimed", _same),
    "GetCredit": Read("credit", _same),
    "GetBondTotals": Read("bonds", _as(pb.BondTotals)),
    "GetReward": Read("reward", _as(pb.Reward)),
    "ListCommitments": Read("commitments", _as(pb.Commitment)),
    "GetStake": Read("stake", _as(pb.Stake)),
    "GetReceiptSigner": Read("receipt_signer", _same),
    "GetFirstBound": Read("first_bound", _same),
    "GetSolvency": Read("solvency", solvency_to),
    "ListReverts": Read("reverts", _as(pb.BatchReverted)),
    "GetStanding": Read("standing", _as(pb.Standing)),
    "GetExit": Read("exit_totals", exit_totals_to),
    "GetExitClaim": Read("exit_claim", exit_claim_to),
}


def respond(response: type[M], read: Read, found: Any) -> M:
    """Return the response that carries what was found; its field stays unset for None."""
    (field,) = response.DESCRIPTOR.fields_by_name
    if isinstance(found, list):
        return response(**{field: [read.write(one) for one in found]})
    return response(**{field: None if found is None else read.write(found)})
