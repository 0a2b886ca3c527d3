"""What can go wrong for a caller, as one tree; every error says what to do next.

``reason`` is UPPER_SNAKE and stable, ``metadata`` holds every operand of the text, and
``retryable`` says whether the same bytes may be sent again. Importing this module is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

__all__ = [
    "BadRequest",
    "ConfigInvalid",
    "CorruptData",
    "Inexact",
    "KeyUnusable",
    "NotFound",
    "NotReady",
    "NovatioError",
    "OutcomeUnknown",
    "Overloaded",
    "RefusedByCourt",
    "RejectedByLaw",
    "Unauthenticated",
    "Unavailable",
    "VerificationFailed",
]


class NovatioError(Exception):
    """Anything that this package raises on purpose.

    ``exit_code`` is what the command ends with, and ``next_step`` the command or the act that
    helps; ``str(error)`` is the text without it.
    """

    default_reason: ClassVar[str] = "ERROR"
    default_next: ClassVar[str] = "novatio heads"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        next_step: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason or self.default_reason
        self.metadata: dict[str, str] = dict(metadata or {})
        self.next_step = next_step or self.default_next


class BadRequest(NovatioError):
    """The request cannot be read as it stands; sending it again is useless."""

    exit_code = 2
    default_reason = "INVALID_ARGUMENT"
    default_next = "compare the request with docs/protocol.md, section 6"


class RefusedByCourt(NovatioError):
    """The court or the base layer refused a transaction, for a reason that stands in the text."""

    default_reason = "REFUSED"
    default_next = "novatio heads"


class Inexact(BadRequest, ValueError):
    """A human number that is no whole number of ticks, lots or micro-quote; nothing is rounded."""

    default_reason = "INEXACT"
    default_next = "novatio instrument list"


class ConfigInvalid(NovatioError):
    """A configuration with faults; ``problems`` lists all of them at once."""

    default_reason = "CONFIG_INVALID"
    default_next = "novatio config check"
    exit_code = 2

    def __init__(self, source: str, problems: Sequence[str], *, next_step: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"{source}: " + "; ".join(self.problems),
            metadata={"source": source, "problems": str(len(self.problems))},
            next_step=next_step,
        )


class KeyUnusable(NovatioError):
    """A private key that is missing, malformed or readable by others."""

    default_reason = "KEY_UNUSABLE"
    default_next = "name a file of mode 600 with --key, or set NOVATIO_KEY"
    exit_code = 2


class NotFound(NovatioError):
    """The named thing does not exist, or not yet."""

    default_reason = "NOT_FOUND"
    exit_code = 3


class RejectedByLaw(NovatioError):
    """The law rejected an action; ``code`` and ``acceptance`` are those of docs/protocol.md.

    It was sequenced: sending the same bytes again gives the same outcome for ever.
    """

    exit_code = 4

    def __init__(
        self, message: str, *, code: int, reason: str, acceptance: str, operands: Mapping[str, str]
    ) -> None:
        self.code = code
        self.acceptance = acceptance
        self.operands: dict[str, str] = dict(operands)
        super().__init__(
            f"{reason} ({acceptance}): {message}" if message else f"{reason} ({acceptance})",
            reason=reason,
            metadata=operands,
            next_step=_AFTER_REJECTION.get(reason, "novatio law codes"),
        )


class OutcomeUnknown(NovatioError):
    """A submission may or may not have been sequenced. The same bytes may always be sent again."""

    default_reason = "OUTCOME_UNKNOWN"
    default_next = "submit the same bytes again: the first outcome stands, nothing happens twice"
    exit_code = 5
    retryable = True


class Unavailable(NovatioError):
    """Nobody answered a read in time."""

    default_reason = "UNAVAILABLE"
    default_next = "check that the node runs at this address: novatio heads --node <host:port>"
    exit_code = 5
    retryable = True


class Overloaded(NovatioError):
    """The node shed the request without looking at it; come back after ``retry_after`` seconds."""

    default_reason = "RESOURCE_EXHAUSTED"
    default_next = "send the same bytes again later, or in smaller submissions"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: float = 0.0,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, reason=reason, metadata=metadata)


class NotReady(NovatioError):
    """The node answers, but is halted, catching up or stopping."""

    default_reason = "FAILED_PRECONDITION"


class VerificationFailed(NovatioError):
    """A signature, a hash or a proof does not say what it was given for.

    Somebody is wrong or lying: keep the bytes, they may be evidence.
    """

    default_reason = "VERIFICATION_FAILED"
    default_next = "keep the answer as evidence, then compare: novatio batch list"
    exit_code = 6


class CorruptData(NovatioError):
    """Stored bytes are not what was written."""

    default_reason = "DATA_LOSS"
    default_next = "novatio inspect log <directory>"
    exit_code = 7


class Unauthenticated(NovatioError):
    """The node does not accept this caller."""

    default_reason = "UNAUTHENTICATED"
    default_next = "check the certificates: novatio config show"


_AFTER_REJECTION = {
    "MARGIN": "novatio account margin <account>",
    "TRANSFER_MARGIN": "novatio account margin <account>",
    "NO_ACCOUNT": "deposit on the base layer first, then: novatio account show <account>",
    "OFF_TICK": "novatio instrument list",
    "POSITION_CAP": "novatio instrument list",
    "OPEN_INTEREST_CAP": "novatio instrument list",
    "NO_INSTRUMENT": "novatio instrument list",
    "HALTED": "novatio heads",
}
