"""Statements of account and the reasons of rejections: what the log says when it is read again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast

import grpc

from clearing.codes import ACCEPTANCE, Code
from clearing.keccak import to_bytes
from node.events import Publish
from node.explain import explain
from node.follower import Follower, happenings, seconds_of
from node.gate import Refused, malformed, not_found
from node.ledger import Ledger, LineStore
from node.lines import NONE
from node.shell import Shell
from node.v1 import node_pb2
from prover.engine import Engine

Look = Callable[[Any, Callable[[Engine], Any]], Any]

PAGE_DEFAULT = 100
PAGE_MAX = 1000
UNBOUNDED = 1 << 63
# Looking at the deadline costs more than looking at a line.
LINES_PER_CHECK = 4096


class Statements:
    """Serves ListStatement and ExplainAction. `look` runs a function on the sequencer's thread."""

    def __init__(self, shell: Shell, follower: Follower, look: Look) -> None:
        self._shell = shell
        self._follower = follower
        self._look = look
        self._explaining = threading.Lock()
        self._past: Ledger | None = None

    def list_statement(self, request: Any, context: Any) -> Any:
        """Serve ListStatement."""
        if request.page_size > PAGE_MAX:
            raise malformed(
                "PAGE_TOO_LARGE",
                f"expected a page of at most {PAGE_MAX}, was {request.page_size}; follow "
                "next_page_token",
                page_size=request.page_size,
                page_size_max=PAGE_MAX,
            )
        token = request.page_token
        if token and not (token.isascii() and token.isdecimal() and len(token) <= 18):
            raise _malformed_token(token)
        limit = time.monotonic() + seconds_of(context)
        with self._follower.now(limit - time.monotonic()) as (ledger, store):
            count = int(ledger.engine.totals.account_count)
            if request.account >= count:
                raise not_found(
                    "NO_ACCOUNT",
                    f"expected an account below {count}, was {request.account}; deposit on the "
                    "base layer first",
                    account=request.account,
                    account_count=count,
                )
            first = int(token) if token else int(ledger.memory.newest[request.account])
            if first > store.count or (
                token and (not first or store.read(first - 1).account != request.account)
            ):
                raise _malformed_token(token)
            return _page(store, request, first, ledger.sequence, limit)

    def explain_action(self, request: Any, context: Any) -> Any:
        """Serve ExplainAction."""
        sequence = request.sequence
        known = self._look(context, lambda _: self._shell.sequencer.duplicates.count)
        if not 1 <= sequence <= known:
            raise not_found(
                "NO_SUCH_ACTION",
                f"expected a sequence of 1 to {known}, was {sequence}",
                sequence=sequence,
                newest=known,
            )
        seconds = seconds_of(context)
        limit = time.monotonic() + seconds
        if not self._explaining.acquire(timeout=seconds):
            raise _still_running(sequence, 0)
        try:
            return self._explain(sequence, limit)
        finally:
            self._explaining.release()

    def _explain(self, sequence: int, limit: float) -> Any:
        """Run the law up to the action, on a copy that is kept for what is asked next."""
        past = self._past
        if past is None or past.sequence >= sequence:
            past = Ledger(self._shell.sequencer.engine.genesis)
        self._past = None
        for happening in happenings(self._shell, past.token):
            if not isinstance(happening, Publish):
                continue
            if happening.frame.sequence >= sequence:
                found = _explained(past, happening, sequence)
                self._past = past
                return found
            past.take(happening)
            if time.monotonic() > limit:
                self._past = past
                raise _still_running(sequence, past.sequence)
        # It is sequenced, but not applied yet.
        raise _still_running(sequence, past.sequence)


def _malformed_token(token: str) -> Refused:
    return malformed(
        "MALFORMED_PAGE_TOKEN",
        f"expected a page token of this account's statement, was {token!r}; begin without one",
        page_token=token,
    )


def _still_running(sequence: int, was: int) -> Refused:
    return Refused(
        grpc.StatusCode.UNAVAILABLE,
        "BOOKS_CATCHING_UP",
        f"expected to have run the law up to action {sequence}, was at {was}; ask again, what was "
        "done is kept",
        {"sequence": sequence, "reached": was},
        200,
    )


def _explained(ledger: Ledger, publish: Publish, sequence: int) -> Any:
    """Stop before the action, say what it met, then run the rest of its frame."""
    frame = publish.frame
    place = frame.inbox_count + sequence - frame.sequence_before - 1
    columns, passage = ledger.begin(publish)
    ledger.run_to(publish, columns, passage, place)
    action = cast(Any, columns.actions)[place]
    code = int(publish.outcome.codes[place])
    message = node_pb2.ExplainActionResponse(
        sequence=sequence,
        action_hash=to_bytes(columns.action_digests[place]),
        action_kind=int(action["kind"]),
        time_ms=int(ledger.engine.totals.clock),
    )
    if code != Code.APPLIED:
        offsets = frame.offsets()
        data = frame.blob[offsets[place] : offsets[place + 1]]
        sentence, operands = explain(ledger.state, action, code, data)
        message.rejection.CopyFrom(
            node_pb2.Rejection(
                code=code,
                name=Code(code).name,
                acceptance=ACCEPTANCE[Code(code)],
                message=sentence,
                operands=operands,
            )
        )
    ledger.run_to(publish, columns, passage, frame.count)
    ledger.end(publish, passage)
    return message


def _page(store: LineStore, request: Any, first: int, sequence: int, limit: float) -> Any:
    """Walk an account's chain of lines from `first` (one more than its place) into the past."""
    kinds = frozenset(request.kinds)
    size = request.page_size or PAGE_DEFAULT
    to_sequence = request.to_sequence or UNBOUNDED
    to_time_ms = request.to_time_ms or UNBOUNDED
    message = node_pb2.ListStatementResponse(sequence=sequence)
    closed = bool(request.page_token)
    looked = 0
    while first:
        line = store.read(first - 1)
        later = line.sequence > to_sequence or line.time > to_time_ms
        earlier = line.sequence < request.from_sequence or line.time < request.from_time_ms
        if not later and not closed:
            message.closing_cash_micro = int(line.cash)
            closed = True
        if earlier and not later:
            message.opening_cash_micro = int(line.cash)
            break
        if not later and (not kinds or int(line.kind) in kinds):
            if len(message.lines) == size:
                message.next_page_token = str(first)
                break
            message.lines.append(line_message(line))
        first = int(line.previous)
        looked += 1
        if looked % LINES_PER_CHECK == 0 and time.monotonic() > limit:
            raise Refused(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "DEADLINE_EXCEEDED",
                "expected to pass over the lines outside the bounds within the deadline, was "
                "busy; ask for a later range, or with more time",
            )
    return message


def line_message(line: Any) -> Any:
    """Return the wire form of a row of LINE."""
    message = node_pb2.Line(
        sequence=int(line.sequence),
        time_ms=int(line.time),
        kind=cast(Any, int(line.kind)),
        action_kind=int(line.action_kind),
        lots=int(line.lots),
        price_micro=int(line.price),
        amount_micro=int(line.amount),
        cash_micro=int(line.cash),
        role=cast(Any, int(line.role)),
        reference=int(line.reference),
    )
    if line.instrument != NONE:
        message.instrument = int(line.instrument)
    if line.counterparty != NONE:
        message.counterparty = int(line.counterparty)
    if line.slot != NONE:
        message.order_slot = int(line.slot)
    if line.fund != NONE:
        message.fund = int(line.fund)
    return message
