"""Recovery: the log is run through the law again, and has to lead where it led before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clearing.genesis import Genesis
from node.batcher import BatchPolicy
from node.errors import StorageError
from node.log import Log, Record
from node.receipts import ReceiptSigner
from node.records import (
    FrameRecord,
    GenesisRecord,
    OutcomeRecord,
    RecordKind,
    RecordMalformed,
    SealRecord,
)
from node.sequencer import Limits, Sequencer
from prover.engine import Engine


class ReplayDiffers(StorageError):
    """A whole, undamaged record says something else than the law says today."""

    def __init__(self, record: Record, expected: str, was: str) -> None:
        self.segment = record.segment
        self.offset = record.offset
        super().__init__(
            f"log: {record.segment} at byte {record.offset} (record {record.sequence}): expected "
            f"{expected}, was: {was}. Next: run the version of the node that wrote this log, or "
            "restore it from a copy; nothing was changed or served"
        )


@dataclass(frozen=True, slots=True)
class Recovered:
    """A sequencer that stands at the end of its log, and how it came there."""

    sequencer: Sequencer
    frames: int
    actions: int
    seals: tuple[SealRecord, ...]


def recover(
    log: Log,
    genesis: Genesis,
    limits: Limits,
    policy: BatchPolicy,
    sign_receipt: ReceiptSigner,
    *,
    accounts_capacity: int = 1024,
    progress: Callable[[int, int], None] | None = None,
) -> Recovered:
    """Replay `log` from genesis and return the sequencer at its end; begins an empty log.

    An outcome that a crash kept from the log is appended again. `progress` is told (record, of how
    many) now and then. Raises `ReplayDiffers`, `RecordMalformed`, `LogCorrupt` or `DiskFailed`;
    none of them leaves a sequencer behind.
    """
    engine = Engine(genesis, accounts_capacity)
    ours = GenesisRecord(genesis.chain_id, genesis.settlement, engine.root())
    if log.tail.sequence == 0:
        log.append(RecordKind.GENESIS, ours.encode())
        log.sync()
    sequencer = Sequencer(engine, limits, policy, sign_receipt, log.tail.sequence + 1)
    replay = _Replay(sequencer, ours)
    total = log.durable_tail.sequence
    for record in log.records():
        replay.take(record)
        if progress is not None and record.sequence % 1024 == 0:
            progress(record.sequence, total)
    pending = replay.finish()
    if pending is not None:
        log.append(RecordKind.OUTCOME, pending.encode())
        log.sync()
    sequencer.resume(log.tail.sequence + 1)
    return Recovered(sequencer, replay.frames, replay.actions, tuple(replay.seals))


class _Replay:
    """Takes the records in order and compares what they say with what the law says."""

    def __init__(self, sequencer: Sequencer, genesis: GenesisRecord) -> None:
        self.frames = 0
        self.actions = 0
        self.seals: list[SealRecord] = []
        self._sequencer = sequencer
        self._genesis = genesis
        self._pending: tuple[Record, FrameRecord] | None = None

    def take(self, record: Record) -> None:
        if self._pending is not None and record.kind != RecordKind.OUTCOME:
            raise ReplayDiffers(record, "the outcome of the frame before", f"kind {record.kind}")
        if (record.kind == RecordKind.GENESIS) != (record.sequence == 1):
            raise ReplayDiffers(record, "the genesis record first", f"kind {record.kind}")
        try:
            self._take(record)
        except RecordMalformed as error:
            raise ReplayDiffers(record, "a payload of this format", str(error)) from error

    def finish(self) -> OutcomeRecord | None:
        """Return the outcome of a last frame that the log has no outcome of."""
        if self._pending is None:
            return None
        record, frame = self._pending
        return self._apply(record, frame, None)

    def _take(self, record: Record) -> None:
        match record.kind:
            case RecordKind.GENESIS:
                found = GenesisRecord.decode(record.payload)
                _compare(record, "genesis", self._genesis, found)
            case RecordKind.FRAME:
                frame = FrameRecord.decode(record.payload)
                before = self._sequencer.duplicates.count
                _compare(record, "actions before", before, frame.sequence_before)
                self._pending = (record, frame)
            case RecordKind.OUTCOME if self._pending is not None:
                recorded = OutcomeRecord.decode(record.payload)
                outcome = self._apply(*self._pending, recorded)
                if outcome.encode() != recorded.encode():
                    _compare(
                        record, "state root", outcome.post_root.hex(), recorded.post_root.hex()
                    )
                    _compare(record, "outcome", outcome, recorded)
            case RecordKind.SEAL:
                recorded_seal = SealRecord.decode(record.payload)
                seal = self._sequencer.restore_seal(recorded_seal)
                _compare(record, "root", seal.post_root.hex(), recorded_seal.post_root.hex())
                _compare(record, "seal", seal, recorded_seal)
                self.seals.append(seal)
            case _:
                raise ReplayDiffers(record, "a kind of record of this format", str(record.kind))

    def _apply(
        self, record: Record, frame: FrameRecord, recorded: OutcomeRecord | None
    ) -> OutcomeRecord:
        self._pending = None
        self.frames += 1
        self.actions += frame.count
        return self._sequencer.restore_frame(record.sequence, frame, recorded)


def _compare(record: Record, what: str, expected: object, was: object) -> None:
    if expected != was:
        raise ReplayDiffers(record, f"{what} {expected}", str(was))
