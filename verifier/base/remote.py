"""The base layer behind a gRPC service: the other house of `verifier.base.interface.BaseLayer`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeVar

import grpc
from grpc_status import rpc_status

from verifier.base import wire
from verifier.base.errors import BaseLayerUnavailable
from verifier.base.interface import (
    LIST_MAX,
    AccountView,
    Ask,
    BatchReverted,
    BatchView,
    BlockView,
    BondTotals,
    Commitment,
    ExitTotals,
    FiledClaim,
    Head,
    HeadChange,
    Heads,
    InboxEntry,
    Receipt,
    Reward,
    Solvency,
    Stake,
    Standing,
)
from verifier.config import CourtConfig
from verifier.errors import VerifierError
from verifier.v1 import verifier_pb2 as pb
from verifier.v1 import verifier_pb2_grpc

T = TypeVar("T")

MESSAGE_BYTES_MAX = 64 << 20
# The library's own pause grows to two minutes, in which a base layer that is back goes unseen.
RECONNECT_MS_MAX = 1_000
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
)
DEADLINE_SECONDS_DEFAULT = 10.0


class RemoteBaseLayer:
    """`BaseLayer` as a client of the service at `address` (host:port, loopback, plain text).

    Every call has a deadline of `deadline_seconds`. Safe for threads. Raises what the protocol
    says, BaseLayerUnavailable if the service does not answer, or answers nonsense.
    """

    def __init__(self, address: str, *, deadline_seconds: float = DEADLINE_SECONDS_DEFAULT) -> None:
        self._deadline = deadline_seconds
        options = (*CHANNEL_OPTIONS, ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX))
        self._channel = grpc.insecure_channel(address, options)
        self._stub = verifier_pb2_grpc.BaseLayerServiceStub(self._channel)
        self._simulator = verifier_pb2_grpc.SimulatorServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection; calls after this fail."""
        self._channel.close()

    def submit(self, transaction: bytes) -> bytes:
        """Take a signed transaction into the mempool and return its hash."""
        return self._one("Submit", bytes, transaction=transaction)

    def dry_run(self, transaction: bytes) -> Receipt:
        """Execute a signed transaction as the next block would, without including it."""
        return self._one("DryRun", wire.receipt_from, transaction=transaction)

    def config(self) -> CourtConfig:
        """Return the configuration of court and chain."""
        return self._one("GetConfig", wire.config_from)

    def head(self) -> Head:
        """Return the newest, the justified and the finalised block."""
        return self._one("GetHead", _record(Head))

    def block(self, number: int) -> BlockView | None:
        """Return canonical block `number`, or None."""
        return None if number < 0 else self._maybe("GetBlock", wire.block_from, number=number)

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return what became of a transaction, or None while it is on no block."""
        return self._maybe("GetReceipt", wire.receipt_from, transaction_hash=transaction_hash)

    def changes(self, after: int, limit: int) -> list[HeadChange]:
        """Return how the head moved after change number `after`."""
        return self._list("ListHeadChanges", wire.change_from, after=max(after, 0), limit=limit)

    def account(self, address: bytes, at: bytes | None = None, asset: int = 0) -> AccountView:
        """Return balances and nonce of an address, the token being that of an asset."""
        read = _record(AccountView)
        return self._one("GetAccount", read, address=address, at_block=at, asset=asset)

    def heads(self, at: bytes | None = None) -> Heads:
        """Return tip, last finalised batch and generation of the court."""
        return self._one("GetHeads", _record(Heads), at_block=at)

    def batch(self, batch_id: bytes, at: bytes | None = None) -> BatchView | None:
        """Return a batch by its name, also a reverted one, or None."""
        return self._maybe("GetBatch", wire.batch_from, batch_id=batch_id, at_block=at)

    def batch_data(self, batch_id: bytes, at: bytes | None = None) -> bytes | None:
        """Return the data posted with a batch, or None."""
        return self._maybe("GetBatchData", bytes, batch_id=batch_id, at_block=at)

    def asks(self, batch_id: bytes, first: int, limit: int, at: bytes | None = None) -> list[Ask]:
        """Return the asks about a batch from a place on, in the order of their coming."""
        place: dict[str, Any] = {"batch_id": batch_id, "first": max(first, 0)}
        return self._list("ListAsks", wire.ask_from, **place, limit=limit, at_block=at)

    def answered(self, batch_id: bytes, step: int, at: bytes | None = None) -> bytes | None:
        """Return the bytes of a step that an ask was answered with, or None."""
        return self._maybe("GetAnswer", bytes, batch_id=batch_id, step=step, at_block=at)

    def batches(self, first_number: int, limit: int, at: bytes | None = None) -> list[BatchView]:
        """Return canonical batches from a number on."""
        first = max(first_number, 0)
        return self._list(
            "ListBatches", wire.batch_from, first_number=first, limit=limit, at_block=at
        )

    def inbox(self, first_index: int, limit: int, at: bytes | None = None) -> list[InboxEntry]:
        """Return inbox messages from an index on."""
        first = max(first_index, 0)
        return self._list("ListInbox", wire.inbox_from, first_index=first, limit=limit, at_block=at)

    def account_id(self, owner: bytes, subaccount: int, at: bytes | None = None) -> int | None:
        """Return the account id of an owner's sub-account, or None before its first deposit."""
        return self._maybe("GetAccountId", int, owner=owner, subaccount=subaccount, at_block=at)

    def is_claimed(self, index: int, at: bytes | None = None) -> bool:
        """Say whether withdrawal `index` was paid."""
        return self._one("GetWithdrawal", bool, index=index, at_block=at)

    def credit(self, address: bytes, at: bytes | None = None) -> int:
        """Return the gwei that `address` may pull."""
        return self._one("GetCredit", int, address=address, at_block=at)

    def bonds(self, at: bytes | None = None) -> BondTotals:
        """Return the sums of the court's own money."""
        return self._one("GetBondTotals", _record(BondTotals), at_block=at)

    def reward(self, generation: int, subject: bytes, at: bytes | None = None) -> Reward | None:
        """Return what a proof earned, by its name (`verifier.rewards`), or None."""
        name: dict[str, Any] = {"generation": generation, "subject": subject}
        return self._maybe("GetReward", _record(Reward), **name, at_block=at)

    def commitments(self, address: bytes, at: bytes | None = None) -> list[Commitment]:
        """Return the commitments of an address that stand, oldest first."""
        return self._list("ListCommitments", _record(Commitment), address=address, at_block=at)

    def stake(self, address: bytes, at: bytes | None = None) -> Stake:
        """Return what backs the receipts of an address."""
        return self._one("GetStake", _record(Stake), address=address, at_block=at)

    def receipt_signer(self, generation: int, at: bytes | None = None) -> bytes | None:
        """Return whose receipts bind in a generation: zeros for nobody's, None before it begins."""
        return self._maybe("GetReceiptSigner", bytes, generation=generation, at_block=at)

    def first_bound(self, generation: int, at: bytes | None = None) -> int:
        """Return the first generation whose receipts the batches of `generation` have to keep."""
        return self._one("GetFirstBound", int, generation=generation, at_block=at)

    def solvency(self, at: bytes | None = None, asset: int = 0) -> Solvency:
        """Compare the escrow of an asset with what the last opened state owes."""
        return self._one("GetSolvency", _record(Solvency), at_block=at, asset=asset)

    def reverts(
        self, first_generation: int, limit: int, at: bytes | None = None
    ) -> list[BatchReverted]:
        """Return the falls that ended generations from `first_generation` on."""
        first = max(first_generation, 0)
        return self._list(
            "ListReverts",
            _record(BatchReverted),
            first_generation=first,
            limit=limit,
            at_block=at,
        )

    def standing(self, at: bytes | None = None) -> Standing:
        """Return who runs the house, how late its clock is, and what may happen when."""
        return self._one("GetStanding", wire.standing_from, at_block=at)

    def exit_totals(self, at: bytes | None = None) -> ExitTotals:
        """Return the sums of the exit; zeros before it."""
        return self._one("GetExit", _record(ExitTotals), at_block=at)

    def exit_claim(self, account: int, at: bytes | None = None) -> FiledClaim | None:
        """Return the claim that was filed for an account in the exit, or None."""
        return self._maybe("GetExitClaim", wire.exit_claim_from, account=account, at_block=at)

    def watch(self, after: int, *, seconds: float) -> Generator[HeadChange]:
        """Yield changes of the head after change number `after`, for at most `seconds`."""
        call = self._stub.Watch(pb.WatchRequest(after=after), timeout=seconds)
        try:
            for answer in call:
                yield wire.change_from(answer.change)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                raise _failure("Watch", error) from error
        finally:
            call.cancel()

    def mine(self, count: int = 1) -> Head:
        """Let the simulator build blocks now."""
        return self._call(self._simulator.Mine, pb.MineRequest(count=count), _head)

    def reorg(self, depth: int, dropped: tuple[bytes, ...] = ()) -> Head:
        """Let the simulator drop its newest blocks. Raises ReorgTooDeep."""
        request = pb.ReorgRequest(depth=depth, dropped=dropped)
        return self._call(self._simulator.Reorg, request, _head)

    def advance(self, milliseconds: int) -> int:
        """Move the simulator's clock forward and return what it says."""
        request = pb.AdvanceRequest(milliseconds=milliseconds)
        return self._call(self._simulator.Advance, request, lambda answer: int(answer.time_ms))

    def _one(self, rpc: str, read: Callable[[Any], T], **arguments: Any) -> T:
        """Make a call of the service, and read the one field of its answer."""
        return self._ask(rpc, arguments, lambda answer: read(getattr(answer, _field(answer))))

    def _maybe(self, rpc: str, read: Callable[[Any], T], **arguments: Any) -> T | None:
        """The same for a field that may be unset: None."""
        return self._ask(
            rpc,
            arguments,
            lambda answer: (
                read(getattr(answer, _field(answer))) if answer.HasField(_field(answer)) else None
            ),
        )

    def _list(self, rpc: str, read: Callable[[Any], T], **arguments: Any) -> list[T]:
        """The same for a field that is repeated, of at most LIST_MAX entries."""
        if "limit" in arguments:
            arguments["limit"] = min(max(arguments["limit"], 0), LIST_MAX)
        return self._ask(
            rpc, arguments, lambda answer: [read(one) for one in getattr(answer, _field(answer))]
        )

    def _ask(self, rpc: str, arguments: dict[str, Any], read: Callable[[Any], T]) -> T:
        request = getattr(pb, f"{rpc}Request")(**arguments)
        return self._call(getattr(self._stub, rpc), request, read)

    def _call(self, method: Any, request: Any, read: Callable[[Any], T]) -> T:
        """Call with a deadline; turn every failure into one of ours."""
        name = type(request).__name__.removesuffix("Request")
        try:
            return read(method(request, timeout=self._deadline))
        except grpc.RpcError as error:
            raise _failure(name, error) from error
        except ValueError as error:
            raise BaseLayerUnavailable(name, f"an answer that does not decode: {error}") from error


def _failure(name: str, error: grpc.RpcError) -> VerifierError:
    known = wire.error_from(rpc_status.from_call(error))
    return known or BaseLayerUnavailable(name, f"{error.code().name}: {error.details()}")


def _head(answer: Any) -> Head:
    return wire.from_message(Head, answer.head)


def _record(record: type[T]) -> Callable[[Any], T]:
    return partial(wire.from_message, record)


def _field(answer: Any) -> str:
    """Return the name of the one field that an answer of `wire.READS` has."""
    (name,) = answer.DESCRIPTOR.fields_by_name
    return str(name)
