"""A crash at every write, and a log that does not lead where it led before."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from node.events import InboxArrived, Tick
from node.log import Log
from node.records import (
    FrameRecord,
    GenesisRecord,
    OutcomeRecord,
    RecordKind,
    RecordMalformed,
    SealRecord,
)
from node.replay import ReplayDiffers, recover
from simulator.disk import SimDisk, SimulatedCrash
from tests.node.scenario import (
    DEPOSITS,
    LIMITS,
    POLICY,
    PRICE,
    START_MS,
    Shell,
    genesis,
    price,
    submission,
    trade,
    withdraw,
)

# (time, events): requests are numbered by their place.
SCRIPT = (
    (0, (price(START_MS),)),
    (10, (trade(1), trade(2), trade(3, at=PRICE + 1))),
    (20, (trade(2), b"junk", withdraw(1))),
    (1_100, tuple(trade(k) for k in range(4, 14))),
    (1_200, (withdraw(2), trade(1))),
    (2_500, (trade(20),)),
)


def play(shell: Shell) -> dict[int, tuple[list[int], list[int]]]:
    """Run the script; return (codes, sequences) of every request that was answered."""
    answered = {}
    try:
        shell.send(InboxArrived(0, DEPOSITS))
        for request, (after_ms, actions) in enumerate(SCRIPT):
            shell.now_ms = START_MS + after_ms
            shell.send(Tick())
            shell.send(submission(request, *actions))
            reply = shell.replies[request]
            answered[request] = (reply.codes.tolist(), reply.sequences.tolist())
        shell.now_ms = START_MS + 5_000
        shell.send(Tick())
        shell.send(Tick())
    except SimulatedCrash:
        # A process that died still has what it acknowledged.
        for request, reply in shell.replies.items():
            answered[request] = (reply.codes.tolist(), reply.sequences.tolist())
    return answered


@pytest.fixture(scope="module")
def reference():
    shell = Shell(SimDisk(random.Random(0)), segment_bytes_max=20_000)
    start = shell.disk.operations
    answered = play(shell)
    return shell, answered, shell.disk.operations - start


@pytest.mark.parametrize("power_loss", [False, True])
def test_a_crash_at_any_write_loses_no_acknowledged_action_and_reaches_the_same_root(
    reference, power_loss
):
    whole, expected, operations = reference
    assert operations > 20
    for crash in range(1, operations + 1):
        disk = SimDisk(random.Random(crash))
        shell = Shell(disk, segment_bytes_max=20_000)
        disk.crash_at(crash)
        acknowledged = play(shell)
        sealed = {seal.number: seal for seal in shell.seals}
        disk.restart(power_loss=power_loss)

        again = Shell(disk, segment_bytes_max=20_000)
        answered = play(again)
        assert answered == expected
        assert all(answered[request] == outcome for request, outcome in acknowledged.items())
        assert again.engine.root() == whole.engine.root()
        kept = {seal.number: seal for seal in again.seals}
        assert all(kept[number] == seal for number, seal in sealed.items())


def test_a_log_replays_to_the_same_state_duplicates_and_batches(reference):
    whole, expected, _ = reference
    twin = Shell(whole.disk.copy(), segment_bytes_max=20_000)
    assert twin.engine.root() == whole.engine.root()
    assert twin.seals == whole.seals
    assert twin.sequencer.batcher.number == whole.sequencer.batcher.number
    assert play(twin) == expected
    assert twin.engine.root() == whole.engine.root()


def test_an_interrupted_recovery_can_be_repeated():
    disk = SimDisk(random.Random(3))
    shell = Shell(disk)
    shell.fund()
    # The frame is durable, its outcome is not.
    disk.crash_at(4)
    with pytest.raises(SimulatedCrash):
        for k in range(1, 9):
            shell.send(submission(k, trade(k)))
    disk.restart(power_loss=True)
    disk.crash_at(1)
    with pytest.raises(SimulatedCrash):
        Shell(disk)
    disk.restart(power_loss=True)
    assert Shell(disk).submit(1, trade(1)).codes.tolist() == [0]


def rewritten(shell: Shell, kind: RecordKind, change) -> SimDisk:
    """A disk with the same records, whole and chained, but for the last one of `kind`."""
    records = list(shell.log.records())
    last = max(record.sequence for record in records if record.kind == kind)
    disk = SimDisk(random.Random(4))
    log = Log.open(disk)
    for record in records:
        payload = change(record.payload) if record.sequence == last else record.payload
        log.append(record.kind, payload)
    log.close()
    return disk


def changed_outcome(payload: bytes) -> bytes:
    outcome = OutcomeRecord.decode(payload)
    return replace(outcome, pairs=outcome.pairs[:-1] + b"\0").encode()


def changed_frame(payload: bytes) -> bytes:
    frame = FrameRecord.decode(payload)
    return replace(frame, signers=frame.signers * 0).encode()


def changed_seal(payload: bytes) -> bytes:
    return replace(SealRecord.decode(payload), step_count=99).encode()


def changed_genesis(payload: bytes) -> bytes:
    return replace(GenesisRecord.decode(payload), chain_id=5).encode()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (RecordKind.OUTCOME, changed_outcome),
        (RecordKind.FRAME, changed_frame),
        (RecordKind.SEAL, changed_seal),
        (RecordKind.GENESIS, changed_genesis),
        (RecordKind.OUTCOME, lambda payload: payload[:-1]),
    ],
)
def test_a_whole_record_that_the_law_does_not_confirm_stops_the_node_and_is_named(
    reference, kind, change
):
    disk = rewritten(reference[0], kind, change)
    with pytest.raises(ReplayDiffers, match=r"log-0{19}1 at byte \d+ \(record \d+\): expected"):
        Shell(disk)


def test_the_log_of_another_genesis_is_refused(reference):
    log = Log.open(reference[0].disk.copy(), segment_bytes_max=20_000)
    other = replace(genesis(), price_band_ppm=1)
    with pytest.raises(ReplayDiffers, match="genesis"):
        recover(log, other, LIMITS, POLICY, lambda *_: bytes(65))


def test_records_decode_to_what_was_encoded(reference):
    decoders = {
        RecordKind.GENESIS: GenesisRecord.decode,
        RecordKind.FRAME: FrameRecord.decode,
        RecordKind.OUTCOME: OutcomeRecord.decode,
        RecordKind.SEAL: SealRecord.decode,
    }
    seen = set()
    for record in reference[0].log.records():
        decode: Any = decoders[RecordKind(record.kind)]
        assert decode(record.payload).encode() == record.payload
        with pytest.raises(RecordMalformed):
            decode(record.payload[:10])
        seen.add(record.kind)
    assert seen == set(decoders)
