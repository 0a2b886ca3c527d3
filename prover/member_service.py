"""A committee member behind gRPC, and how others reach it.

Nothing here is trusted: `CommitteeClient` checks every signature by the court's keys and all data
by the hashes that were posted. Plain text stays on loopback; beyond it there is TLS.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from clearing.recovery import sign
from prover.member import DataMember, MemberRefused, MemberStatus
from prover.member_store import StoreError
from prover.v1 import committee_pb2 as pb
from prover.v1 import committee_pb2_grpc
from verifier import bls
from verifier.base.errors import BaseLayerUnavailable
from verifier.base.remote import CHANNEL_OPTIONS
from verifier.batch import PAIR_BYTES, BatchData, check_step_hashes, data_hash
from verifier.committee import Attestation, Attested, Committee
from verifier.errors import Refused
from verifier.header import Header

T = TypeVar("T")

ERROR_DOMAIN = "committee.novatio"
WORKERS = 8
# A member that was away is tried again soon; gRPC's own limit is two minutes.
RECONNECT_MS_MAX = 5_000
STOP_SECONDS = 2.0


class MemberUnreachable(RuntimeError):
    """A member did not answer, or its address cannot be used."""


class _Servicer(committee_pb2_grpc.CommitteeServiceServicer):
    """The comments of the calls stand in committee.proto."""

    def __init__(self, member: DataMember) -> None:
        self._member = member

    def Attest(self, request: Any, context: Any) -> Any:
        """Store and sign."""
        fields = (request.generation, request.number, request.step_count, request.data)
        signature = _answer(context, lambda: self._member.attest(*fields, request.signature))
        return pb.AttestResponse(public_key=self._member.public_key, signature=signature)

    def GetData(self, request: Any, context: Any) -> Any:
        """Serve data."""
        fields = (request.generation, request.number, request.data_hash)
        return pb.GetDataResponse(data=_answer(context, lambda: self._member.data(*fields)))

    def GetMember(self, request: Any, context: Any) -> Any:
        """Tell who this is."""
        return pb.GetMemberResponse(**self._member.status()._asdict())


class MemberServer:
    """A member served at `address` (host:port; port 0 takes a free one).

    Without `credentials` it speaks plain text; the caller sees to it that the host is loopback.
    Raises MemberUnreachable if the address is taken.
    """

    def __init__(
        self, member: DataMember, address: str, credentials: grpc.ServerCredentials | None = None
    ) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(WORKERS, thread_name_prefix="member"),
            options=(*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0)),
        )
        committee_pb2_grpc.add_CommitteeServiceServicer_to_server(_Servicer(member), self._server)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        service = pb.DESCRIPTOR.services_by_name["CommitteeService"].full_name
        reflection.enable_server_reflection(
            (service, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise MemberUnreachable(
                f"expected a free address, was {address}: {error}; choose another"
            ) from error
        self.address = f"{address.rpartition(':')[0]}:{port}"

    def start(self) -> None:
        """Serve."""
        self._server.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    def stop(self) -> None:
        """Finish the calls that run, and let go of the port."""
        self._health.enter_graceful_shutdown()
        self._server.stop(STOP_SECONDS).wait()


class CommitteeClient:
    """The members of a court's committee at their addresses. Safe for threads.

    `credentials` of TLS are for all of them; without, they are spoken to in plain text. Each call
    ends after `deadline_seconds`.
    """

    def __init__(
        self,
        committee: Committee,
        addresses: Sequence[str],
        credentials: grpc.ChannelCredentials | None = None,
        *,
        deadline_seconds: float,
    ) -> None:
        self._committee = committee
        self._places = {one.public_key: i for i, one in enumerate(committee.members)}
        self._deadline = deadline_seconds
        self._channels = [_channel(address, credentials) for address in addresses]
        self._stubs = [committee_pb2_grpc.CommitteeServiceStub(one) for one in self._channels]
        self._served_last = 0

    def close(self) -> None:
        """Close all connections; calls after this fail."""
        for channel in self._channels:
            channel.close()

    def attest(
        self, attested: Attested, step_count: int, data: bytes, sequencer_key: bytes
    ) -> Attestation | None:
        """Hand the data to all members and return a quorum's word, or None if it is short."""
        digest = attested.digest()
        request = pb.AttestRequest(
            generation=attested.generation,
            number=attested.number,
            step_count=step_count,
            data=data,
            signature=sign(sequencer_key, digest),
        )
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for stub in self._stubs:
            stub.Attest.future(request, timeout=self._deadline).add_done_callback(answers.put)
        signatures: dict[int, bytes] = {}
        for _ in self._stubs:
            if len(signatures) >= self._committee.threshold:
                # The others go on storing; nobody has to wait for them.
                break
            answer = _result(answers.get())
            place = None if answer is None else self._places.get(answer.public_key)
            if place is None or not bls.verify(answer.public_key, digest, answer.signature):
                continue
            signatures[place] = answer.signature
        if not signatures or len(signatures) < self._committee.threshold:
            return None
        total = bls.aggregate(list(signatures.values()))
        return Attestation(sum(1 << place for place in signatures), total)

    def fetch(self, header: Header, pairs: bytes) -> bytes | None:
        """Return pairs and step bytes of a batch, checked, of the first member that has them.

        Whoever served last is asked first, so that members that hang cost their time but once.
        """
        request = pb.GetDataRequest(
            generation=header.generation, number=header.number, data_hash=header.data_hash
        )
        count, first = len(self._stubs), self._served_last
        for place in (*range(first, count), *range(first)):
            stub = self._stubs[place]
            answer = _result(stub.GetData.future(request, timeout=self._deadline))
            if answer is not None and answer.HasField("data"):
                data = bytes(answer.data)
                if is_data_of(header, pairs, data):
                    self._served_last = place
                    return data
        return None

    def status(self) -> list[MemberStatus | None]:
        """Return what each member says of itself, None where it does not answer."""
        request = pb.GetMemberRequest()
        calls = [stub.GetMember.future(request, timeout=self._deadline) for stub in self._stubs]
        answers = map(_result, calls)
        return [answer and _status_of(answer) for answer in answers]


def is_data_of(header: Header, pairs: bytes, data: bytes) -> bool:
    """Tell whether `data` are the posted `pairs` and the bytes behind their step hashes."""
    if data[: PAIR_BYTES * header.step_count] != pairs or data_hash(pairs) != header.data_hash:
        return False
    try:
        check_step_hashes(BatchData.decode(data, header.step_count))
    except Refused:
        return False
    return True


def _status_of(answer: Any) -> MemberStatus:
    return MemberStatus(*(getattr(answer, name) for name in MemberStatus._fields))


def _channel(address: str, credentials: grpc.ChannelCredentials | None) -> Any:
    options = (*CHANNEL_OPTIONS, ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX))
    if credentials is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, credentials, options)


def _result(call: Any) -> Any:
    """Return a call's answer, or None: what a member does not say another may."""
    try:
        return call.result()
    except (grpc.RpcError, grpc.FutureCancelledError):
        return None


def _answer(context: Any, call: Callable[[], T]) -> T:
    """Run a call; a refusal of the member ends it with its status."""
    try:
        return call()
    except MemberRefused as error:
        _abort(context, code_pb2.FAILED_PRECONDITION, error.reason, error)
        raise
    except StoreError as error:
        _abort(context, code_pb2.DATA_LOSS, "STORE_DAMAGED", error)
        raise
    except BaseLayerUnavailable as error:
        _abort(context, code_pb2.UNAVAILABLE, "BASE_LAYER_UNAVAILABLE", error)
        raise


def _abort(context: Any, code: Any, reason: str, error: Exception) -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN))
    status = status_pb2.Status(code=code, message=str(error), details=[detail])
    context.abort_with_status(rpc_status.to_status(status))
