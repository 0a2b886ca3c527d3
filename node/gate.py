"""What every call passes: strict parsing, identity, deadlines, and errors with their operands.

Handlers raise `Refused`; whatever else they raise is ours, and is logged. The messages reach the
handlers parsed here, because gRPC would answer bytes that do not parse with a bare INTERNAL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from node.auth import KEY_METADATA, Denied, Doorkeeper, Quota
from node.metrics import Metrics

DOMAIN = "novatio"
SERVICE = "node.v1.NodeService"
# These change something, so a caller that would not wait for the answer must say how long.
MUTATING = frozenset({"Submit", "SubmitStream"})
# Whoever may look may look without a key: everything here is published on the base layer anyway.
REASON_CODES = {
    "QUEUE_FULL": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "SHUTTING_DOWN": grpc.StatusCode.UNAVAILABLE,
    "HOUSE_CLOSED": grpc.StatusCode.FAILED_PRECONDITION,
    "STORAGE_FAILED": grpc.StatusCode.DATA_LOSS,
    "OUTCOME_UNKNOWN": grpc.StatusCode.UNAVAILABLE,
    "DEADLINE_EXCEEDED": grpc.StatusCode.DEADLINE_EXCEEDED,
}

caller: ContextVar[Quota] = ContextVar("caller")
_log = structlog.get_logger("node.gate")


class Refused(Exception):
    """A call that is answered with a status instead of a response."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        operands: Mapping[str, Any] | None = None,
        retry_after_ms: int = 0,
    ) -> None:
        self.code = code
        self.reason = reason
        self.message = message
        self.operands = {name: str(value) for name, value in (operands or {}).items()}
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{reason}: {message}")

    def status(self) -> Any:
        """Return the rich status: one ErrorInfo, and RetryInfo where trying again helps."""
        info = any_pb2.Any()
        info.Pack(
            error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.operands)
        )
        details = [info]
        if self.retry_after_ms:
            retry = any_pb2.Any()
            delay = Duration()
            delay.FromMilliseconds(self.retry_after_ms)
            retry.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            details.append(retry)
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=details)
        return rpc_status.to_status(status)


def malformed(reason: str, message: str, **operands: Any) -> Refused:
    """Return the refusal of a request that cannot mean anything."""
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, reason, message, operands)


def not_found(reason: str, message: str, **operands: Any) -> Refused:
    """Return the refusal of a request for something that is not there."""
    return Refused(grpc.StatusCode.NOT_FOUND, reason, message, operands)


def unknown_field(message: Message, path: str = "") -> str | None:
    """Return where `message` holds a field that this version does not know, or None."""
    unknown = UnknownFieldSet(message)
    if len(unknown):
        return f"{path}#{unknown[0].field_number}"
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        # `ListFields` gives a repeated field as a container, a single one as the message.
        items = [value] if isinstance(value, Message) else value
        for item in items:
            found = unknown_field(item, f"{path}{field.name}.")
            if found is not None:
                return found
    return None


def parse(kind: type[Message], data: bytes) -> Any:
    """Parse a request exactly. Raises `Refused`."""
    try:
        message = kind.FromString(data)
    except DecodeError as error:
        raise malformed(
            "MALFORMED_MESSAGE",
            f"expected the bytes of {kind.DESCRIPTOR.full_name}, was {len(data)} bytes that are "
            "not; generate the client from the node's reflection or proto/node/v1",
            type=kind.DESCRIPTOR.full_name,
            bytes=len(data),
        ) from error
    where = unknown_field(message)
    if where is not None:
        raise malformed(
            "UNKNOWN_FIELD",
            f"expected the fields of {kind.DESCRIPTOR.full_name}, was also {where}; this node "
            "would ignore it, so it refuses: use a client of its version",
            type=kind.DESCRIPTOR.full_name,
            field=where,
        )
    return message


def _parse_or_refusal(kind: type[Message], data: bytes) -> Any:
    """Return the message or its refusal: on a stream one bad message must not end the others."""
    try:
        return parse(kind, data)
    except Refused as refused:
        return refused


class Gate(grpc.ServerInterceptor):  # type: ignore[misc]
    """Stands before every method of `node.v1.NodeService`; lets others (health) through."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        requests: Mapping[str, type[Message]],
        metrics: Metrics,
        deadline_seconds_max: float,
    ) -> None:
        """`requests` maps each method's name to the type of its request."""
        self._doorkeeper = doorkeeper
        self._requests = requests
        self._metrics = metrics
        self._deadline_seconds_max = deadline_seconds_max

    def intercept_service(self, continuation: Any, call: Any) -> Any:
        """Wrap the handler of a method."""
        handler = continuation(call)
        service, _, method = call.method.rpartition("/")
        if handler is None or service.lstrip("/") != SERVICE:
            return handler
        return self._wrap(handler, method)

    def _wrap(self, handler: Any, method: str) -> Any:
        kind = self._requests[method]
        serialize = handler.response_serializer
        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._streaming(
                    method,
                    lambda chunks, context: handler.stream_stream(
                        (_parse_or_refusal(kind, chunk) for chunk in chunks), context
                    ),
                ),
                response_serializer=serialize,
            )
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(
                    method,
                    lambda data, context: handler.unary_stream(parse(kind, data), context),
                ),
                response_serializer=serialize,
            )

        def unary(data: bytes, context: Any) -> Any:
            with self._metrics.calls.labels(method).time():
                try:
                    self._admit(method, context)
                    return handler.unary_unary(parse(kind, data), context)
                except Exception as error:
                    self._abort(method, context, error)

        return grpc.unary_unary_rpc_method_handler(unary, response_serializer=serialize)

    def _streaming(
        self, method: str, serve: Callable[[Any, Any], Iterator[Any]]
    ) -> Callable[[Any, Any], Iterator[Any]]:
        def stream(requests: Any, context: Any) -> Iterator[Any]:
            try:
                self._admit(method, context)
                yield from serve(requests, context)
            except Exception as error:
                self._abort(method, context, error)

        return stream

    def _admit(self, method: str, context: Any) -> None:
        """Identify the caller; require a deadline of those who change something."""
        if method not in MUTATING:
            return
        metadata = dict(context.invocation_metadata())
        names = [name.decode() for name in context.auth_context().get("x509_common_name", ())]
        found = self._doorkeeper.identify(metadata.get(KEY_METADATA), names)
        if isinstance(found, Denied):
            code = (
                grpc.StatusCode.UNAUTHENTICATED
                if found.unauthenticated
                else grpc.StatusCode.PERMISSION_DENIED
            )
            raise Refused(code, found.reason, found.message)
        caller.set(found)
        remaining = context.time_remaining()
        # Without a deadline gRPC answers with centuries, or None.
        if method == "Submit" and (remaining is None or remaining > self._deadline_seconds_max):
            raise malformed(
                "DEADLINE_REQUIRED",
                f"expected a deadline of at most {self._deadline_seconds_max} s, was none or a "
                "later one; a caller that gives up does not learn the outcome, so say when",
                deadline_ms_max=int(self._deadline_seconds_max * 1000),
            )

    def _abort(self, method: str, context: Any, error: Exception) -> NoReturn:
        if isinstance(error, Refused):
            self._metrics.refusals.labels(error.reason).inc()
            context.abort_with_status(error.status())
        if isinstance(error, TimeoutError):
            self._abort(
                method,
                context,
                Refused(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    "DEADLINE_EXCEEDED",
                    "expected to answer within the deadline, was busy; ask again with more time",
                ),
            )
        if not context.is_active():
            # gRPC raises when a client has gone away; there is nobody to answer.
            raise error
        _log.exception("call failed", method=method)
        self._abort(
            method,
            context,
            Refused(
                grpc.StatusCode.INTERNAL,
                "INTERNAL",
                f"expected {method} to be served, was {type(error).__name__}: {error}; "
                "the node's log has the details",
            ),
        )
