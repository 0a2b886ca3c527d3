"""Submissions: from the wire to the sequencer and back."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import grpc
import numpy as np

from clearing.codes import ACCEPTANCE, Code
from clearing.units import ACTION_BYTES_MAX
from node.auth import OverQuota, Quota
from node.config import LimitsSection
from node.events import Refuse, Reply
from node.gate import REASON_CODES, Refused, caller, malformed
from node.receipts import Receipt
from node.sequencer import Pieces
from node.shell import Answer, Shell
from node.v1 import node_pb2


def lengths_of(submission: Any, limits: LimitsSection) -> Pieces:
    """Return the lengths of a submission's actions. Raises `Refused` unless they describe it."""
    count, size = len(submission.lengths), len(submission.actions)
    if count == 0:
        raise malformed(
            "EMPTY_SUBMISSION",
            "expected at least one action, was none; put actions in, with the length of each",
        )
    for what, was, maximum in (
        ("actions", count, limits.request_actions_max),
        ("bytes", size, limits.request_bytes_max),
    ):
        if was > maximum:
            raise malformed(
                "SUBMISSION_TOO_LARGE",
                f"expected at most {maximum} {what} in a submission, was {was}; split it",
                **{what: was, f"{what}_max": maximum},
            )
    lengths = np.array(submission.lengths, np.int64)
    if int(lengths.sum()) != size:
        raise malformed(
            "LENGTHS_MISMATCH",
            f"expected lengths that add up to the {size} bytes of actions, was "
            f"{int(lengths.sum())}; send each action's length, in order",
            bytes=size,
            lengths_sum=int(lengths.sum()),
        )
    longest = int(lengths.max())
    if longest > ACTION_BYTES_MAX:
        raise malformed(
            "ACTION_TOO_LARGE",
            f"expected actions of at most {ACTION_BYTES_MAX} bytes, was {longest} at index "
            f"{int(lengths.argmax())}; use a bulk signature with fewer levels",
            bytes=longest,
            bytes_max=ACTION_BYTES_MAX,
            index=int(lengths.argmax()),
        )
    return lengths


class _Answers:
    """What goes back on a stream, in the order of completion; ends after `end` and the last one.

    A place is reserved before a message is taken in: reading stops while `room` are on their way,
    so that HTTP/2 holds the client back.
    """

    def __init__(self, room: int) -> None:
        self._room = threading.Semaphore(room)
        self._queue: queue.SimpleQueue[tuple[int, Answer | Refused] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # The reader counts as one, so that the stream cannot end before it.
        self._expected = 1

    def reserve(self) -> bool:
        """Wait up to a second for a place; return whether there was one."""
        if not self._room.acquire(timeout=1):
            return False
        with self._lock:
            self._expected += 1
        return True

    def put(self, number: int, answer: Answer | Refused) -> None:
        """Answer one message."""
        self._queue.put((number, answer))
        self.end()

    def end(self) -> None:
        """One fewer is expected."""
        with self._lock:
            self._expected -= 1
            last = self._expected == 0
        if last:
            self._queue.put(None)

    def __iter__(self) -> Iterator[tuple[int, Answer | Refused]]:
        """Yield the answers until there will be no more."""
        while (item := self._queue.get()) is not None:
            self._room.release()
            yield item


class Intake:
    """Submit and SubmitStream."""

    def __init__(self, shell: Shell, limits: LimitsSection) -> None:
        self._shell = shell
        self._limits = limits
        self._streams = threading.BoundedSemaphore(limits.streams_max)

    def submit(self, request: Any, context: Any) -> Any:
        """Serve Submit."""
        remaining_ms = int(context.time_remaining() * 1000)
        quota = caller.get()
        future = self._start(request.submission, quota, remaining_ms)
        try:
            answer = future.result(remaining_ms / 1000)
        except FutureTimeout as error:
            raise Refused(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "OUTCOME_UNKNOWN",
                f"expected an outcome within {remaining_ms} ms, was none; submit the same bytes "
                "again to learn it: what was sequenced is not repeated",
                {"deadline_ms": remaining_ms},
            ) from error
        return node_pb2.SubmitResponse(outcomes=outcomes_of(_reply(answer)))

    def submit_stream(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        """Serve SubmitStream: one thread reads and submits, this one yields what comes back."""
        quota = caller.get()
        if not self._streams.acquire(blocking=False):
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "TOO_MANY_STREAMS",
                f"expected at most {self._limits.streams_max} submission streams, was one more; "
                "use Submit, or try again later",
                {"streams_max": self._limits.streams_max},
                1000,
            )
        try:
            yield from self._serve_stream(requests, context, quota)
        finally:
            self._streams.release()

    def _serve_stream(self, requests: Iterator[Any], context: Any, quota: Quota) -> Iterator[Any]:
        answers = _Answers(quota.in_flight_max)
        reader = threading.Thread(
            target=self._read_stream,
            args=(requests, context, quota, answers),
            name="submit-stream",
            daemon=True,
        )
        reader.start()
        for number, answer in answers:
            yield _stream_response(number, answer)

    def _read_stream(
        self, requests: Iterator[Any], context: Any, quota: Quota, answers: _Answers
    ) -> None:
        try:
            for request in requests:
                while not answers.reserve():
                    if not context.is_active():
                        return
                if isinstance(request, Refused):
                    # Bytes that do not parse have no number to answer to.
                    answers.put(0, request)
                else:
                    self._submit_one(request, context, quota, answers)
        except grpc.RpcError:
            # The client is gone; its submissions run to their end without it.
            return
        finally:
            answers.end()

    def _submit_one(self, request: Any, context: Any, quota: Quota, answers: _Answers) -> None:
        number = request.client_sequence
        limit_ms = self._limits.deadline_ms_max
        remaining = context.time_remaining()
        if remaining is not None:
            limit_ms = min(limit_ms, int(remaining * 1000))
        try:
            future = self._start(request.submission, quota, limit_ms)
        except Refused as refused:
            answers.put(number, refused)
        else:
            future.add_done_callback(lambda done: answers.put(number, done.result()))

    def _start(self, submission: Any, quota: Quota, remaining_ms: int) -> Future[Answer]:
        lengths = lengths_of(submission, self._limits)
        over = quota.take(lengths.shape[0])
        if isinstance(over, OverQuota):
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                over.reason,
                over.message,
                over.operands,
                over.retry_after_ms,
            )
        deadline_ms = self._shell.clock() + remaining_ms
        future = self._shell.submit(submission.actions, lengths, deadline_ms)
        future.add_done_callback(lambda _: quota.give_back())
        return future


def refused_of(refuse: Refuse) -> Refused:
    """Return the status of what the sequencer refused."""
    return Refused(
        REASON_CODES[refuse.reason],
        refuse.reason,
        refuse.message,
        refuse.operands,
        refuse.retry_after_ms,
    )


def _reply(answer: Answer) -> Reply:
    if isinstance(answer, Refuse):
        raise refused_of(answer)
    return answer


def _stream_response(number: int, answer: Answer | Refused) -> Any:
    if isinstance(answer, Refuse):
        answer = refused_of(answer)
    if isinstance(answer, Refused):
        refusal = node_pb2.Refusal(
            reason=answer.reason,
            message=answer.message,
            operands=answer.operands,
            retry_after_ms=answer.retry_after_ms,
        )
        return node_pb2.SubmitStreamResponse(client_sequence=number, refusal=refusal)
    return node_pb2.SubmitStreamResponse(client_sequence=number, outcomes=outcomes_of(answer))


def outcomes_of(reply: Reply) -> Any:
    """Return the wire form of a reply."""
    outcomes = node_pb2.Outcomes(
        codes=reply.codes.tolist(),
        sequences=reply.sequences.tolist(),
        repeats=reply.repeats.tolist(),
    )
    for explanation in reply.explanations:
        code = Code(explanation.code)
        outcomes.rejections.add(
            index=explanation.index,
            code=int(code),
            name=code.name,
            acceptance=ACCEPTANCE[code],
            message=explanation.message,
            operands=dict(explanation.operands),
        )
    if reply.receipt is not None:
        own = reply.receipt.own(reply.own_first, reply.own_count)
        outcomes.receipt.CopyFrom(receipt_message(reply.receipt, *own))
    return outcomes


def receipt_message(receipt: Receipt, own_steps: range, own_hashes: bytes) -> Any:
    """Return the wire form of a receipt with the path of some actions to it."""
    return node_pb2.FrameReceipt(
        generation=receipt.generation,
        count=receipt.count,
        accumulator=receipt.accumulator,
        signature=receipt.signature,
        count_before=receipt.count_before,
        accumulator_before=receipt.accumulator_before,
        step_counts=receipt.step_counts.tolist(),
        step_roots=receipt.roots,
        own_steps=own_steps,
        own_hashes=own_hashes,
        token=receipt.token,
    )
