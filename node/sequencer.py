"""The sequencer: fixes the order, applies it, and answers. A state machine without any I/O.

A frame is everything that waited at one moment. It walks through three places, each of which holds
one frame at most:

    waiting -> preparing (decode, recover signers) -> committing (log, sync) -> applied, answered

The next frame is being prepared while this one is synced and applied. Only the end of the walk
touches the state, so a frame is in the state exactly if it is in the log, and an answer is given
only when it is in both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clearing.codes import Code, Kind
from clearing.decode import Columns
from clearing.forms import FORMS, NOBODY
from clearing.keccak import to_bytes
from node.batcher import Batcher, BatchPolicy
from node.duplicates import ANEW, NEVER, ONCE, Duplicates
from node.events import (
    Append,
    Effect,
    Event,
    Explanation,
    Failed,
    GenerationMoved,
    InboxArrived,
    Prepare,
    Prepared,
    Publish,
    Refuse,
    Reply,
    Sealed,
    Stopping,
    Submitted,
    Sync,
    Synced,
    Tick,
)
from node.explain import explain
from node.receipts import Receipt, ReceiptSigner, receipt_of
from node.records import (
    FrameRecord,
    OutcomeRecord,
    RecordKind,
    SealRecord,
    offsets_of,
)
from prover.engine import Engine

Pieces = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

EXPLANATIONS_MAX = 16  # of one request: explaining costs Python objects, sequencing does not
_INBOX_KIND = bytes([Kind.INBOX])
_UNSIGNED = [int(kind) for kind, form in FORMS.items() if form.signed_by == NOBODY]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the queue and of a frame. One request has to fit a frame."""

    queue_actions_max: int
    queue_bytes_max: int
    frame_actions_max: int
    frame_bytes_max: int
    inbox_per_frame_max: int
    actions_per_ms: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request's actions stand among the client actions of an assembly."""

    request: int
    first: int
    count: int
    size: int


@dataclass(slots=True)
class _Assembly:
    """A frame before its actions are known: inbox messages first, then the requests."""

    places: list[_Place]
    inbox: list[bytes]
    blob: bytearray
    lengths: Pieces


@dataclass(slots=True)
class _Commit:
    """A frame whose record is appended: `given` and `fresh` speak of the client actions."""

    token: int
    assembly: _Assembly
    frame: FrameRecord
    asked: Columns
    columns: Columns
    given: Pieces
    fresh: Mask


class Sequencer:
    """`handle` is the only mutator; it raises for nothing that a client can send."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        policy: BatchPolicy,
        sign_receipt: ReceiptSigner,
        next_token: int,
    ) -> None:
        """Start on `engine`, which stands at genesis or where a replay left it.

        `next_token` is the sequence that the log will give to its next record.
        """
        self.engine = engine
        self.limits = limits
        self.batcher = Batcher(policy, engine.root())
        self.duplicates = Duplicates()
        self.generation = 0
        self.applied_token = 0
        self.failure = ""
        self.stopping = False
        self.closed = ""
        self.away = False
        self._sign_receipt = sign_receipt
        self._next_token = next_token
        self._synced_token = next_token - 1
        self._time_ms = 0
        self._waiting: deque[Submitted] = deque()
        self._queued_actions = 0
        self._queued_bytes = 0
        self._inbox: deque[bytes] = deque()
        self._inbox_taken = 0
        self._preparing: _Assembly | None = None
        self._ready: Columns | None = None
        self._committing: _Commit | None = None
        self._unreleased: deque[tuple[int, SealRecord]] = deque()

    @property
    def idle(self) -> bool:
        """Whether every request got its answer and everything appended is durable."""
        return (
            not self._waiting
            and self._preparing is None
            and self._committing is None
            and self._synced_token == self._next_token - 1
        )

    @property
    def clock_ms(self) -> int:
        """The law's clock: the time of the newest step."""
        return int(self.engine.totals.clock)

    @property
    def queued_actions(self) -> int:
        """Actions without an answer."""
        return self._queued_actions

    @property
    def inbox_next(self) -> int:
        """Index of the inbox message that is expected next."""
        return self._inbox_taken + len(self._inbox)

    def handle(self, now_ms: int, event: Event) -> list[Effect]:
        """Take one event at the law's time `now_ms` and return what the shell must do, in order."""
        match event:
            case Submitted():
                return self._on_submitted(now_ms, event)
            case Prepared(columns):
                self._ready = columns
                return self._proceed(now_ms)
            case Synced(token):
                return self._on_synced(now_ms, token)
            case InboxArrived(first, messages):
                return self._on_inbox(now_ms, first, messages)
            case GenerationMoved(generation, closed, away):
                self.generation, self.closed, self.away = generation, closed, away
                return []
            case Tick():
                return self._on_tick(now_ms)
            case Stopping():
                self.stopping = True
                return []
            case Failed(reason):
                return self._on_failed(reason)

    # Intake.

    def _on_submitted(self, now_ms: int, event: Submitted) -> list[Effect]:
        refusal = self._why_not(event)
        if refusal is not None:
            return [refusal]
        self._waiting.append(event)
        self._queued_actions += event.lengths.shape[0]
        self._queued_bytes += len(event.blob)
        return self._proceed(now_ms)

    def _why_not(self, event: Submitted) -> Refuse | None:
        """The bounds of the queue are what keeps the time in it bounded."""
        if self.failure:
            return _storage_failed(event.request, self.failure)
        if self.stopping:
            text = "the node is shutting down and did not look at this; submit it to its successor"
            return Refuse(event.request, "SHUTTING_DOWN", text, {}, 1000)
        if self.closed:
            text = f"nothing of this was looked at: {self.closed}"
            return Refuse(event.request, "HOUSE_CLOSED", text)
        count, size = event.lengths.shape[0], len(event.blob)
        for what, was, maximum in (
            ("actions", self._queued_actions + count, self.limits.queue_actions_max),
            ("bytes", self._queued_bytes + size, self.limits.queue_bytes_max),
        ):
            if was > maximum:
                retry_ms = 5 + self._queued_actions // self.limits.actions_per_ms
                return Refuse(
                    event.request,
                    "QUEUE_FULL",
                    f"expected at most {maximum} {what} in the queue, was {was} with these; "
                    f"nothing of this was looked at: submit the same bytes in {retry_ms} ms",
                    {f"queued_{what}": str(was), f"queued_{what}_max": str(maximum)},
                    retry_ms,
                )
        return None

    def _on_inbox(self, now_ms: int, first: int, messages: Sequence[bytes]) -> list[Effect]:
        """Take what is new. A gap means that the reader must begin again at `inbox_next`."""
        known = self.inbox_next - first
        if not self.failure and 0 <= known < len(messages):
            self._inbox.extend(messages[known:])
        return self._proceed(now_ms)

    # The walk of a frame.

    def _proceed(self, now_ms: int) -> list[Effect]:
        """Move every frame that can move."""
        effects: list[Effect] = []
        if self._ready is not None and self._committing is None and not self.failure:
            effects += self._commit(now_ms)
        if self._preparing is None and not self.failure:
            effects += self._assemble(now_ms)
        # Preparing runs beside syncing, so it has to be asked for first.
        effects.sort(key=lambda effect: isinstance(effect, Sync))
        return effects

    def _assemble(self, now_ms: int) -> list[Effect]:
        """Take as much of what waits as a frame holds."""
        effects: list[Effect] = []
        places: list[_Place] = []
        inbox: list[bytes] = []
        room = self.limits.frame_bytes_max
        while self._inbox and len(inbox) < self.limits.inbox_per_frame_max:
            # Prices are long: many of them could make a frame that no batch holds.
            room -= len(_INBOX_KIND) + len(self._inbox[0])
            if room < 0 and inbox:
                break
            inbox.append(_INBOX_KIND + self._inbox.popleft())
        self._inbox_taken += len(inbox)
        parts = [b"".join(inbox)]
        lengths = [np.array([len(action) for action in inbox], np.int64)]
        actions, size, taken = len(inbox), len(parts[0]), 0
        while self._waiting:
            request = self._waiting[0]
            count = request.lengths.shape[0]
            actions += count
            size += len(request.blob)
            full = actions > self.limits.frame_actions_max or size > self.limits.frame_bytes_max
            if full and (places or inbox):
                break
            self._waiting.popleft()
            if request.deadline_ms <= now_ms:
                actions, size = actions - count, size - len(request.blob)
                self._forget(count, len(request.blob))
                effects.append(_too_late(request, now_ms))
                continue
            places.append(_Place(request.request, taken, count, len(request.blob)))
            taken += count
            parts.append(request.blob)
            lengths.append(request.lengths)
        if places or inbox:
            blob = bytearray().join(parts)
            self._preparing = _Assembly(places, inbox, blob, np.concatenate(lengths))
            offsets = offsets_of(self._preparing.lengths)
            effects.append(Prepare(np.frombuffer(blob, np.uint8), offsets))
        return effects

    def _commit(self, now_ms: int) -> list[Effect]:
        """Number what is new, and append it to the log."""
        assembly, asked = self._preparing, self._ready
        if assembly is None or asked is None:
            raise AssertionError("commit: expected a prepared frame, was none")
        self._preparing = self._ready = None
        inbox_count = len(assembly.inbox)
        actions = cast(Any, asked.actions)[inbox_count:]
        eligible = _eligible(actions)
        before = self.duplicates.count
        given = self.duplicates.claim(asked.action_digests[inbox_count:], eligible)
        # A claim that exceeds everything before it is the first of its kind.
        fresh = given > np.maximum.accumulate(np.concatenate(([before], given)))[:-1]
        if assembly.places and not fresh.any() and not inbox_count:
            return self._answer(assembly, asked, given, fresh, None)
        columns, blob, lengths = asked, bytes(assembly.blob), assembly.lengths
        if not fresh.all():
            kept = np.concatenate((np.ones(inbox_count, np.bool_), fresh))
            columns, blob, lengths = self._keep(assembly, asked, kept)
        effects = self._seal_if(
            now_ms,
            self.batcher.is_due(now_ms)
            or self.batcher.must_seal_before(len(blob), max(lengths.shape[0], 1)),
        )
        self._time_ms = max(self._time_ms, now_ms)
        frame = FrameRecord(
            time_ms=self._time_ms,
            generation=self.generation,
            sequence_before=before,
            inbox_count=inbox_count,
            lengths=lengths,
            signers=columns.signers[: columns.signature_count],
            blob=blob,
        )
        append = self._append(RecordKind.FRAME, frame.encode())
        self._committing = _Commit(append.token, assembly, frame, asked, columns, given, fresh)
        return [*effects, append, Sync(append.token)]

    def _keep(
        self, assembly: _Assembly, asked: Columns, kept: Mask
    ) -> tuple[Columns, bytes, Pieces]:
        """Decode again without the actions that are repeats or not to be sequenced.

        Their signers are known already.
        """
        offsets = offsets_of(assembly.lengths)
        rows = np.flatnonzero(kept)
        blob = bytearray().join(assembly.blob[offsets[row] : offsets[row + 1]] for row in rows)
        lengths = assembly.lengths[rows]
        columns = self.engine.decode(np.frombuffer(blob, np.uint8), offsets_of(lengths))
        actions = cast(Any, asked.actions)[rows]
        spans = [
            np.arange(first, first + count)
            for first, count in zip(
                actions["signature_first"], actions["signature_count"], strict=True
            )
        ]
        if columns.signature_count:
            columns.signers[: columns.signature_count] = asked.signers[np.concatenate(spans)]
        return columns, bytes(blob), lengths

    def _on_synced(self, now_ms: int, token: int) -> list[Effect]:
        """What is durable may be applied, answered and handed on."""
        self._synced_token = max(self._synced_token, token)
        effects: list[Effect] = []
        while self._unreleased and self._unreleased[0][0] <= token:
            effects.append(Sealed(*self._unreleased.popleft()))
        commit = self._committing
        if commit is not None and commit.token <= token:
            outcome = self.apply(commit.token, commit.frame, commit.columns)
            receipt = receipt_of(commit.frame, outcome, commit.columns.action_digests)
            effects.append(self._append(RecordKind.OUTCOME, outcome.encode()))
            effects.append(Publish(commit.token, commit.frame, outcome))
            effects += self._answer(
                commit.assembly, commit.asked, commit.given, commit.fresh, receipt
            )
            self._committing = None
        return effects + self._proceed(now_ms)

    def apply(
        self, token: int, frame: FrameRecord, columns: Columns, signature: bytes | None = None
    ) -> OutcomeRecord:
        """Run the law over a frame. `signature` spares signing a receipt that was signed before."""
        accumulator_before = self._accumulator()
        steps = self.engine.advance(columns, frame.time_ms)
        accumulator = self._accumulator()
        if signature is None:
            signature = self._sign_receipt(frame.generation, frame.sequence, accumulator)
        codes = steps.codes[: frame.count].astype(np.uint8)
        pairs = np.concatenate((steps.step_hashes, steps.post_roots), axis=1)
        outcome = OutcomeRecord(
            frame_token=token,
            sequence=frame.sequence,
            codes=codes,
            step_counts=np.diff(steps.firsts).astype(np.uint8),
            pairs=pairs.astype(">i8").tobytes(),
            accumulator_before=accumulator_before,
            accumulator=accumulator,
            signature=signature,
        )
        self.duplicates.settle(frame.sequence_before + 1, codes[frame.inbox_count :])
        self.batcher.add(token, frame, outcome.step_counts.shape[0], frame.time_ms)
        self.applied_token = token
        return outcome

    # Batches.

    def _on_tick(self, now_ms: int) -> list[Effect]:
        effects = self._proceed(now_ms)
        if self.idle and not self.failure:
            effects += self._beat(now_ms)
        if self._committing is None and not self.failure:
            effects += self._seal_if(now_ms, self.batcher.is_due(now_ms))
            if self._synced_token < self._next_token - 1:
                effects.append(Sync(self._next_token - 1))
        return effects

    def _beat(self, now_ms: int) -> list[Effect]:
        """Carry the law's clock on by a step without actions, if nothing else has for long.

        Otherwise the house would lag for want of business, and anyone could open or freeze it.
        """
        beat_ms = self.batcher.policy.beat_ms
        if not beat_ms or self.away or self.stopping or now_ms - self.clock_ms < beat_ms:
            return []
        nothing = np.zeros(0, np.int64)
        self._preparing = _Assembly([], [], bytearray(), nothing)
        return [Prepare(np.zeros(0, np.uint8), offsets_of(nothing))]

    def _seal_if(self, now_ms: int, wanted: bool) -> list[Effect]:
        """End the batch between two frames: only there does the engine know the batch's root."""
        if not wanted:
            return []
        totals = self.engine.totals
        seal = self.batcher.seal(
            self.engine.root(),
            self.engine.opening().encode(),
            int(totals.sequenced_count),
            int(totals.withdrawal_count),
            now_ms,
        )
        append = self._append(RecordKind.SEAL, seal.encode())
        # Whoever posts a batch must find it again after a crash, so it leaves when it is durable.
        self._unreleased.append((append.token, seal))
        return [append]

    # Answers.

    def _answer(
        self,
        assembly: _Assembly,
        asked: Columns,
        given: Pieces,
        fresh: Mask,
        receipt: Receipt | None,
    ) -> list[Effect]:
        inbox_count = len(assembly.inbox)
        actions = cast(Any, asked.actions)[inbox_count:]
        codes = np.where(given > 0, self.duplicates.codes(given), _screened(actions))
        effects: list[Effect] = []
        for place in assembly.places:
            rows = slice(place.first, place.first + place.count)
            new = np.flatnonzero(fresh[rows])
            own_first = 0
            if receipt is not None and new.size:
                own_first = int(given[place.first + new[0]]) - receipt.count_before - 1
            effects.append(
                Reply(
                    request=place.request,
                    codes=codes[rows],
                    sequences=given[rows],
                    repeats=np.flatnonzero((given[rows] > 0) & ~fresh[rows]),
                    explanations=self._explain(assembly, place, codes[rows], actions[rows]),
                    receipt=receipt if new.size else None,
                    own_first=own_first,
                    own_count=int(new.size),
                )
            )
            self._forget(place.count, place.size)
        return effects

    def _explain(
        self, assembly: _Assembly, place: _Place, codes: Pieces, actions: Any
    ) -> tuple[Explanation, ...]:
        rejected = np.flatnonzero(codes)[:EXPLANATIONS_MAX]
        if not rejected.size:
            return ()
        offsets = offsets_of(assembly.lengths)[len(assembly.inbox) + place.first :]
        found = []
        for row in rejected:
            data = bytes(assembly.blob[offsets[row] : offsets[row + 1]])
            why = explain(self.engine.state, actions[row], int(codes[row]), data)
            found.append(Explanation(int(row), int(codes[row]), *why))
        return tuple(found)

    def _forget(self, count: int, size: int) -> None:
        self._queued_actions -= count
        self._queued_bytes -= size

    def _on_failed(self, reason: str) -> list[Effect]:
        """Stop for good. What may be in the log has an outcome that only the next start knows."""
        self.failure = reason
        effects: list[Effect] = [_storage_failed(each.request, reason) for each in self._waiting]
        commit = self._committing.assembly if self._committing is not None else None
        for assembly in (self._preparing, commit):
            effects += [
                _outcome_unknown(place.request, reason)
                for place in (assembly.places if assembly is not None else ())
            ]
        self._waiting.clear()
        self._preparing = self._ready = self._committing = None
        self._queued_actions = self._queued_bytes = 0
        return effects

    # Replay.

    def restore_frame(
        self, token: int, frame: FrameRecord, recorded: OutcomeRecord | None
    ) -> OutcomeRecord:
        """Apply a frame of the log, with its signers as recorded, and return its outcome."""
        blob = np.frombuffer(bytearray(frame.blob), np.uint8)
        columns = self.engine.decode(blob, frame.offsets())
        columns.signers[: columns.signature_count] = frame.signers
        client = columns.action_digests[frame.inbox_count :]
        # Whatever stands in the log was new when it came.
        self.duplicates.claim(client, np.full(client.shape[0], ANEW, np.int64))
        signature = None if recorded is None else recorded.signature
        outcome = self.apply(token, frame, columns, signature)
        self._time_ms = frame.time_ms
        self._inbox_taken += frame.inbox_count
        self.generation = frame.generation
        return outcome

    def restore_seal(self, recorded: SealRecord) -> SealRecord:
        """End the batch where a seal record stands, and return the seal as computed here."""
        totals = self.engine.totals
        return self.batcher.seal(
            self.engine.root(),
            self.engine.opening().encode(),
            int(totals.sequenced_count),
            int(totals.withdrawal_count),
            recorded.time_ms,
        )

    def resume(self, next_token: int) -> None:
        """End a replay: the log will give its next record the sequence `next_token`."""
        self._next_token = next_token
        self._synced_token = next_token - 1

    def _accumulator(self) -> bytes:
        return to_bytes(self.engine.totals.sequenced_accumulator)

    def _append(self, kind: RecordKind, payload: bytes) -> Append:
        token = self._next_token
        self._next_token += 1
        return Append(token, kind, payload)


def _eligible(actions: Any) -> Pieces:
    """Return how each action may claim a sequence.

    What nobody signs has no sequence of its own: its bytes are the same every time, and the law's
    own state keeps it from repeating. Early once must not mean early for ever.
    """
    unsigned = np.isin(actions["kind"], _UNSIGNED)
    out = (actions["code"] != 0) | (actions["kind"] == int(Kind.INBOX))
    eligible: Pieces = np.where(out, NEVER, np.where(unsigned, ANEW, ONCE))
    return eligible


def _screened(actions: Any) -> Pieces:
    """Return the codes of actions that are not sequenced: nobody but the base layer signs inbox
    messages, so a client's is an unsigned one."""
    inbox = actions["kind"] == int(Kind.INBOX)
    codes: Pieces = np.where(inbox, int(Code.BAD_SIGNATURE), actions["code"])
    return codes


def _too_late(request: Submitted, now_ms: int) -> Refuse:
    return Refuse(
        request.request,
        "DEADLINE_EXCEEDED",
        f"expected to begin before the deadline at {request.deadline_ms} ms, was {now_ms} ms; "
        "nothing of this was looked at: submit the same bytes with more time",
        {"deadline_ms": str(request.deadline_ms), "now_ms": str(now_ms)},
    )


def _storage_failed(request: int, reason: str) -> Refuse:
    return Refuse(
        request,
        "STORAGE_FAILED",
        f"expected a working log, was: {reason} Nothing of this was looked at.",
    )


def _outcome_unknown(request: int, reason: str) -> Refuse:
    return Refuse(
        request,
        "OUTCOME_UNKNOWN",
        "expected these actions to become durable, was a failure of the log meanwhile: "
        f"{reason} Next: submit the same bytes after the restart; what was kept is not repeated.",
    )
