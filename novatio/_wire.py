"""gRPC on this side: channels, and failures as this package's errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from novatio.errors import (
    BadRequest,
    ConfigInvalid,
    CorruptData,
    NotFound,
    NotReady,
    NovatioError,
    OutcomeUnknown,
    Overloaded,
    Unauthenticated,
    Unavailable,
)

__all__ = ["API_KEY_HEADER", "Tls", "channel_options", "failure", "tls_credentials"]

DETAILS_KEY = "grpc-status-details-bin"
API_KEY_HEADER = "x-novatio-key"
RECEIVE_BYTES_MAX = 64 << 20

_BY_CODE: dict[Any, type[NovatioError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: BadRequest,
    grpc.StatusCode.OUT_OF_RANGE: BadRequest,
    grpc.StatusCode.UNIMPLEMENTED: BadRequest,
    grpc.StatusCode.ALREADY_EXISTS: BadRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: NotReady,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Unauthenticated,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.ABORTED: Unavailable,
    grpc.StatusCode.DATA_LOSS: CorruptData,
}
# Failures of the way there or back: the node may have taken the submission all the same.
_MAYBE_TAKEN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
}


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form: the authority to trust (the system's if None), and our own identity.

    ``certificate`` and ``key`` come together; the node asks for them if it knows its clients.
    """

    authority: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None


def tls_credentials(tls: Tls) -> Any:
    """Return gRPC's credentials. Raises ConfigInvalid if a file is missing or one of a pair is."""
    if (tls.certificate is None) != (tls.key is None):
        raise ConfigInvalid("tls", ["expected certificate and key together, was one of them"])
    problems: list[str] = []

    def read(path: str | Path | None) -> bytes | None:
        if path is None:
            return None
        try:
            return Path(path).read_bytes()
        except OSError as error:
            problems.append(f"expected a readable PEM file {path}, was: {error}")
            return None

    found = read(tls.authority), read(tls.key), read(tls.certificate)
    if problems:
        raise ConfigInvalid("tls", problems)
    return grpc.ssl_channel_credentials(*found)


def channel_options() -> list[tuple[str, int]]:
    """Return the options of every channel; retries are ours alone, with the same bytes."""
    return [
        ("grpc.max_receive_message_length", RECEIVE_BYTES_MAX),
        ("grpc.enable_retries", 0),
    ]


def failure(error: Any, method: str, submits: bool) -> NovatioError:
    """Return the error that a failed call means; ``submits`` if it may change something."""
    code = error.code()
    info, retry_after = _details(error.trailing_metadata() or ())
    text = f"{method}: {error.details() or code.name}"
    reason = info.reason if info is not None else code.name
    metadata = dict(info.metadata) if info is not None else {}
    unknown = reason == "OUTCOME_UNKNOWN" or code == grpc.StatusCode.DEADLINE_EXCEEDED
    if submits and (unknown or (info is None and code in _MAYBE_TAKEN)):
        return OutcomeUnknown(text, reason=reason, metadata=metadata)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED or (
        code == grpc.StatusCode.UNAVAILABLE and retry_after
    ):
        return Overloaded(text, retry_after=retry_after, reason=reason, metadata=metadata)
    kind = _BY_CODE.get(code, NovatioError)
    return kind(text, reason=reason, metadata=metadata)


def _details(trailing: Iterable[tuple[str, Any]]) -> tuple[ErrorInfo | None, float]:
    """Return the ErrorInfo of the node, and the seconds to wait (0 if it names none)."""
    info: ErrorInfo | None = None
    seconds = 0.0
    for key, value in trailing:
        if key != DETAILS_KEY:
            continue
        for detail in Status.FromString(value).details:
            if detail.Is(ErrorInfo.DESCRIPTOR):
                info = ErrorInfo()
                detail.Unpack(info)
            elif detail.Is(RetryInfo.DESCRIPTOR):
                retry = RetryInfo()
                detail.Unpack(retry)
                seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return info, seconds
