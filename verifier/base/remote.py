"""The base layer behind a gRPC service: the other house of `verifier.base.interface.BaseLayer`."""

from __future__ import annotations

from collections.abc import Callable, Generator
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
        request = pb.SubmitRequest(transaction=transaction)
        return self._call(self._stub.Submit, request, lambda answer: bytes(answer.transaction_hash))

    def dry_run(self, transaction: bytes) -> Receipt:
        """Execute a signed transaction as the next block would, without including it."""
        request = pb.DryRunRequest(transaction=transaction)
        return self._call(
            self._stub.DryRun, request, lambda answer: wire.receipt_from(answer.receipt)
        )

    def config(self) -> CourtConfig:
        """Return the configuration of court and chain."""
        request = pb.GetConfigRequest()
        return self._call(
            self._stub.GetConfig, request, lambda answer: wire.config_from(answer.config)
        )

    def head(self) -> Head:
        """Return the newest, the justified and the finalised block."""
        return self._call(self._stub.GetHead, pb.GetHeadRequest(), _head)

    def block(self, number: int) -> BlockView | None:
        """Return canonical block `number`, or None."""
        if number < 0:
            return None
        request = pb.GetBlockRequest(number=number)
        return self._call(
            self._stub.GetBlock, request, lambda answer: _maybe(answer, "block", wire.block_from)
        )

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return what became of a transaction, or None while it is on no block."""
        request = pb.GetReceiptRequest(transaction_hash=transaction_hash)
        return self._call(
            self._stub.GetReceipt,
            request,
            lambda answer: _maybe(answer, "receipt", wire.receipt_from),
        )

    def changes(self, after: int, limit: int) -> list[HeadChange]:
        """Return how the head moved after change number `after`."""
        request = pb.ListHeadChangesRequest(after=max(after, 0), limit=_limit(limit))
        return self._call(
            self._stub.ListHeadChanges,
            request,
            lambda answer: [wire.change_from(change) for change in answer.changes],
        )

    def account(self, address: bytes, at: bytes | None = None, asset: int = 0) -> AccountView:
        """Return balances and nonce of an address, the token being that of an asset."""
        request = pb.GetAccountRequest(address=address, at_block=at or b"", asset=asset)
        return self._call(
            self._stub.GetAccount,
            request,
            lambda answer: wire.from_message(AccountView, answer.account),
        )

    def heads(self, at: bytes | None = None) -> Heads:
        """Return tip, last finalised batch and generation of the court."""
        request = pb.GetHeadsRequest(at_block=at or b"")
        return self._call(
            self._stub.GetHeads, request, lambda answer: wire.from_message(Heads, answer.heads)
        )

    def batch(self, batch_id: bytes, at: bytes | None = None) -> BatchView | None:
        """Return a batch by its name, also a reverted one, or None."""
        request = pb.GetBatchRequest(batch_id=batch_id, at_block=at or b"")
        return self._call(
            self._stub.GetBatch, request, lambda answer: _maybe(answer, "batch", wire.batch_from)
        )

    def batch_data(self, batch_id: bytes, at: bytes | None = None) -> bytes | None:
        """Return the data posted with a batch, or None."""
        request = pb.GetBatchDataRequest(batch_id=batch_id, at_block=at or b"")
        return self._call(
            self._stub.GetBatchData, request, lambda answer: _maybe(answer, "data", bytes)
        )

    def asks(self, batch_id: bytes, first: int, limit: int, at: bytes | None = None) -> list[Ask]:
        """Return the asks about a batch from a place on, in the order of their coming."""
        request = pb.ListAsksRequest(
            batch_id=batch_id, first=max(first, 0), limit=_limit(limit), at_block=at or b""
        )
        return self._call(
            self._stub.ListAsks, request, lambda answer: [wire.ask_from(ask) for ask in answer.asks]
        )

    def answered(self, batch_id: bytes, step: int, at: bytes | None = None) -> bytes | None:
        """Return the bytes of a step that an ask was answered with, or None."""
        request = pb.GetAnswerRequest(batch_id=batch_id, step=step, at_block=at or b"")
        return self._call(
            self._stub.GetAnswer, request, lambda answer: _maybe(answer, "step_bytes", bytes)
        )

    def batches(self, first_number: int, limit: int, at: bytes | None = None) -> list[BatchView]:
        """Return canonical batches from a number on."""
        request = pb.ListBatchesRequest(
            first_number=max(first_number, 0), limit=_limit(limit), at_block=at or b""
        )
        return self._call(
            self._stub.ListBatches,
            request,
            lambda answer: [wire.batch_from(batch) for batch in answer.batches],
        )

    def inbox(self, first_index: int, limit: int, at: bytes | None = None) -> list[InboxEntry]:
        """Return inbox messages from an index on."""
        request = pb.ListInboxRequest(
            first_index=max(first_index, 0), limit=_limit(limit), at_block=at or b""
        )
        return self._call(
            self._stub.ListInbox,
            request,
            lambda answer: [wire.inbox_from(entry) for entry in answer.entries],
        )

    def account_id(self, owner: bytes, subaccount: int, at: bytes | None = None) -> int | None:
        """Return the account id of an owner's sub-account, or None before its first deposit."""
        request = pb.GetAccountIdRequest(owner=owner, subaccount=subaccount, at_block=at or b"")
        return self._call(
            self._stub.GetAccountId, request, lambda answer: _maybe(answer, "account_id", int)
        )

    def is_claimed(self, index: int, at: bytes | None = None) -> bool:
        """Say whether withdrawal `index` was paid."""
        request = pb.GetWithdrawalRequest(index=index, at_block=at or b"")
        return self._call(self._stub.GetWithdrawal, request, lambda answer: bool(answer.claimed))

    def credit(self, address: bytes, at: bytes | None = None) -> int:
        """Return the gwei that `address` may pull."""
        request = pb.GetCreditRequest(address=address, at_block=at or b"")
        return self._call(self._stub.GetCredit, request, lambda answer: int(answer.credit))

    def bonds(self, at: bytes | None = None) -> BondTotals:
        """Return the sums of the court's own money."""
        request = pb.GetBondTotalsRequest(at_block=at or b"")
        return self._call(
            self._stub.GetBondTotals,
            request,
            lambda answer: wire.from_message(BondTotals, answer.totals),
        )

    def reward(self, generation: int, subject: bytes, at: bytes | None = None) -> Reward | None:
        """Return what a proof earned, by its name (`verifier.rewards`), or None."""
        request = pb.GetRewardRequest(generation=generation, subject=subject, at_block=at or b"")
        return self._call(
            self._stub.GetReward,
            request,
            lambda answer: _maybe(answer, "reward", lambda one: wire.from_message(Reward, one)),
        )

    def commitments(self, address: bytes, at: bytes | None = None) -> list[Commitment]:
        """Return the commitments of an address that stand, oldest first."""
        request = pb.ListCommitmentsRequest(address=address, at_block=at or b"")
        return self._call(
            self._stub.ListCommitments,
            request,
            lambda answer: [wire.from_message(Commitment, one) for one in answer.commitments],
        )

    def stake(self, address: bytes, at: bytes | None = None) -> Stake:
        """Return what backs the receipts of an address."""
        request = pb.GetStakeRequest(address=address, at_block=at or b"")
        return self._call(
            self._stub.GetStake, request, lambda answer: wire.from_message(Stake, answer.stake)
        )

    def receipt_signer(self, generation: int, at: bytes | None = None) -> bytes | None:
        """Return whose receipts bind in a generation: zeros for nobody's, None before it begins."""
        request = pb.GetReceiptSignerRequest(generation=generation, at_block=at or b"")
        return self._call(
            self._stub.GetReceiptSigner, request, lambda answer: _maybe(answer, "signer", bytes)
        )

    def solvency(self, at: bytes | None = None, asset: int = 0) -> Solvency:
        """Compare the escrow of an asset with what the last opened state owes."""
        request = pb.GetSolvencyRequest(at_block=at or b"", asset=asset)
        return self._call(
            self._stub.GetSolvency,
            request,
            lambda answer: wire.from_message(Solvency, answer.solvency),
        )

    def reverts(
        self, first_generation: int, limit: int, at: bytes | None = None
    ) -> list[BatchReverted]:
        """Return the falls that ended generations from `first_generation` on."""
        request = pb.ListRevertsRequest(
            first_generation=max(first_generation, 0), limit=_limit(limit), at_block=at or b""
        )
        return self._call(
            self._stub.ListReverts,
            request,
            lambda answer: [wire.from_message(BatchReverted, one) for one in answer.reverts],
        )

    def standing(self, at: bytes | None = None) -> Standing:
        """Return who runs the house, how late its clock is, and what may happen when."""
        request = pb.GetStandingRequest(at_block=at or b"")
        return self._call(
            self._stub.GetStanding, request, lambda answer: wire.standing_from(answer.standing)
        )

    def exit_totals(self, at: bytes | None = None) -> ExitTotals:
        """Return the sums of the exit; zeros before it."""
        request = pb.GetExitRequest(at_block=at or b"")
        return self._call(
            self._stub.GetExit, request, lambda answer: wire.from_message(ExitTotals, answer.totals)
        )

    def exit_claim(self, account: int, at: bytes | None = None) -> FiledClaim | None:
        """Return the claim that was filed for an account in the exit, or None."""
        request = pb.GetExitClaimRequest(account=account, at_block=at or b"")
        return self._call(
            self._stub.GetExitClaim,
            request,
            lambda answer: _maybe(answer, "claim", wire.exit_claim_from),
        )

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


def _maybe(answer: Any, field: str, read: Callable[[Any], T]) -> T | None:
    return read(getattr(answer, field)) if answer.HasField(field) else None


def _limit(limit: int) -> int:
    return min(max(limit, 0), LIST_MAX)
