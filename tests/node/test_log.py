"""The log keeps what it synced, names what was damaged, and never serves anything else."""

from __future__ import annotations

import hashlib
import random
import struct
import threading
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import DiskFailed, LogCorrupt
from node.log import (
    BLOCK_BYTES,
    EMPTY_TAIL,
    HEADER_BYTES,
    MARK_OFFSETS,
    RECORDS_OFFSET,
    Log,
    Record,
    Tail,
)
from simulator.disk import SECTOR_BYTES, SimDisk, SimulatedCrash

SMALL = RECORDS_OFFSET + 1500
FIRST = "log-00000000000000000001"


def new_disk(seed: int = 1) -> SimDisk:
    return SimDisk(random.Random(seed))


def open_log(disk: SimDisk, *, read_only: bool = False) -> Log:
    return Log.open(disk, segment_bytes_max=SMALL, read_only=read_only)


def payload_of(sequence: int) -> bytes:
    return random.Random(sequence).randbytes(sequence * 37 % 700)


def fill(log: Log, groups: list[int]) -> None:
    """Append and sync groups of so many records."""
    for count in groups:
        for _ in range(count):
            sequence = log.tail.sequence + 1
            assert log.append(sequence % 256, payload_of(sequence)) == sequence
        log.sync()


def served(log: Log, from_sequence: int = 1) -> list[tuple[int, int, bytes]]:
    return [(record.sequence, record.kind, record.payload) for record in log.records(from_sequence)]


def written(count: int, from_sequence: int = 1) -> list[tuple[int, int, bytes]]:
    return [
        (number, number % 256, payload_of(number)) for number in range(from_sequence, count + 1)
    ]


def closed_log(groups: list[int]) -> SimDisk:
    disk = new_disk()
    log = open_log(disk)
    fill(log, groups)
    log.close()
    return disk


# Appending and reading.


def test_a_new_log_is_empty() -> None:
    log = open_log(new_disk())
    assert log.tail == log.durable_tail == EMPTY_TAIL == Tail(0, bytes(32))
    assert served(log) == []


def test_records_come_back_in_order_with_their_places() -> None:
    log = open_log(new_disk())
    log.append(7, b"novation")
    log.append(8, b"")
    log.sync()
    first, second = log.records()
    assert first[:3] == (1, 7, b"novation")
    assert (first.segment, first.offset) == (FIRST, RECORDS_OFFSET)
    assert second[:3] == (2, 8, b"")
    assert second.offset == RECORDS_OFFSET + HEADER_BYTES + 8
    assert log.tail == Tail(2, second.hash)


def test_a_record_hash_is_the_sha256_of_header_and_payload_and_chains() -> None:
    disk = new_disk()
    log = open_log(disk)
    fill(log, [2])
    first, second = log.records()
    bytes_of_first = disk.read(FIRST, first.offset, second.offset - first.offset)
    assert first.hash == hashlib.sha256(bytes_of_first).digest()
    header_of_second = disk.read(FIRST, second.offset, HEADER_BYTES)
    assert header_of_second[17:49] == first.hash


def test_what_was_appended_is_not_readable_before_it_is_synced() -> None:
    log = open_log(new_disk())
    fill(log, [2])
    log.append(1, b"later")
    assert log.tail.sequence == 3
    assert log.durable_tail.sequence == 2
    assert served(log) == written(2)
    assert log.hash_at(3) is None


def test_one_sync_of_the_disk_makes_a_whole_group_durable() -> None:
    disk = new_disk()
    log = open_log(disk)
    before = disk.syncs
    fill(log, [3])
    assert disk.syncs == before + 1
    log.sync()
    assert disk.syncs == before + 1


@pytest.mark.parametrize("from_sequence", [1, 2, 7, 19, 20, 21])
def test_reading_can_begin_anywhere(from_sequence: int) -> None:
    log = open_log(new_disk())
    fill(log, [1, 2, 3, 4, 5, 5])
    assert served(log, from_sequence) == written(20, from_sequence)


def test_reading_can_begin_far_inside_a_large_segment() -> None:
    disk = new_disk()
    log = Log.open(disk)
    for number in range(60):
        log.append(1, bytes([number]) * 100_000)
        log.sync()
    reopened = Log.open(disk)
    for reader in (log, reopened):
        for start in (1, 11, 12, 35, 60):
            assert [record.payload[0] for record in reader.records(start)] == list(
                range(start - 1, 60)
            )


def test_the_hash_at_a_sequence_is_the_records_own() -> None:
    log = open_log(closed_log([4, 4, 4]))
    hashes = [record.hash for record in log.records()]
    assert [log.hash_at(sequence) for sequence in range(1, 13)] == hashes
    assert log.hash_at(0) == bytes(32)
    assert log.hash_at(13) is None


def test_limits_are_refused_before_anything_is_written() -> None:
    disk = new_disk()
    with pytest.raises(ValueError, match="segment_bytes_max: expected more than"):
        Log.open(disk, segment_bytes_max=RECORDS_OFFSET)
    assert disk.names() == []
    log = open_log(disk)
    with pytest.raises(ValueError, match="payload: expected at most 67108864 bytes"):
        log.append(1, bytes(64 * 2**20 + 1))
    with pytest.raises(ValueError, match="kind: expected one byte"):
        log.append(256, b"")
    with pytest.raises(ValueError, match="from_sequence: expected at least 1"):
        next(log.records(0))
    assert log.tail == EMPTY_TAIL


def test_one_thread_may_append_and_read_while_another_syncs() -> None:
    disk = new_disk()
    log = open_log(disk)
    done = threading.Event()

    def keep_syncing() -> None:
        while not done.is_set():
            log.sync()

    syncer = threading.Thread(target=keep_syncing)
    syncer.start()
    for sequence in range(1, 301):
        log.append(sequence % 256, payload_of(sequence))
        durable = log.durable_tail.sequence
        assert served(log, max(1, durable - 2))[: min(durable, 3)] == written(
            durable, max(1, durable - 2)
        )
    done.set()
    syncer.join()
    log.close()
    assert served(open_log(disk)) == written(300)


# Segments.


def test_a_full_segment_is_followed_by_another_and_the_chain_goes_through() -> None:
    disk = closed_log([1] * 20)
    names = disk.names()
    assert len(names) >= 3
    assert all(disk.size(name) <= SMALL for name in names)
    log = open_log(disk)
    assert served(log) == written(20)
    assert {record.segment for record in log.records()} == set(names)


def test_the_records_of_one_sync_stay_together_even_if_they_exceed_a_segment() -> None:
    disk = closed_log([1, 9, 1])
    by_segment: dict[str, list[int]] = {}
    for record in open_log(disk).records():
        by_segment.setdefault(record.segment, []).append(record.sequence)
    assert list(by_segment.values()) == [[1], list(range(2, 11)), [11]]


def test_reopening_continues_the_chain() -> None:
    disk = new_disk()
    for _ in range(6):
        log = open_log(disk)
        fill(log, [2, 1])
        log.close()
    assert served(open_log(disk)) == written(18)


def test_a_clean_close_leaves_nothing_to_recover() -> None:
    recovery = open_log(closed_log([3, 4])).recovery
    assert recovery.torn_segment is None
    assert (recovery.torn_bytes, recovery.unmarked_records, recovery.damaged_marks) == (0, 0, ())


def test_a_read_only_log_repairs_nothing_and_refuses_to_append() -> None:
    disk = new_disk()
    log = open_log(disk)
    fill(log, [3])
    disk.append(FIRST, [b"half a record"])
    operations = disk.operations
    reader = open_log(disk, read_only=True)
    assert served(reader) == written(3)
    assert reader.recovery.torn_bytes == len(b"half a record")
    with pytest.raises(ValueError, match="append: expected a writable log"):
        reader.append(1, b"")
    reader.close()
    assert disk.operations == operations
    assert served(open_log(new_disk(), read_only=True)) == []


# Torn tails.


@pytest.mark.parametrize("kept", [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 5])
def test_a_torn_tail_is_cut_off_and_reported(kept: int) -> None:
    disk = closed_log([3])
    size = disk.size(FIRST)
    longer = closed_log([3, 1])
    disk.append(FIRST, [longer.read(FIRST, size, kept)])
    log = open_log(disk)
    assert (log.recovery.torn_segment, log.recovery.torn_offset) == (FIRST, size)
    assert log.recovery.torn_bytes == kept
    assert disk.size(FIRST) == size
    fill(log, [2])
    assert served(open_log(disk)) == written(5)


def test_a_record_after_a_lost_one_is_cut_off_with_it() -> None:
    longer = closed_log([1, 2])
    second, third = list(open_log(longer).records())[1:]
    disk = closed_log([1])
    ghost = longer.read(FIRST, third.offset, longer.size(FIRST) - third.offset)
    disk.append(FIRST, [bytes(third.offset - second.offset), ghost])
    log = open_log(disk)
    assert served(log) == written(1)
    assert disk.size(FIRST) == second.offset


def test_whole_records_that_were_never_marked_are_kept_and_counted() -> None:
    disk = closed_log([2])
    longer = closed_log([2, 2])
    size = disk.size(FIRST)
    disk.append(FIRST, [longer.read(FIRST, size, longer.size(FIRST) - size)])
    log = open_log(disk)
    assert log.recovery.unmarked_records == 2
    assert served(log) == written(4)
    assert open_log(disk).recovery.unmarked_records == 0


# Corruption.


def flips_of(disk: SimDisk, name: str) -> list[tuple[int, int]]:
    """Every bit of the records and of all that is used of the blocks; one a byte of the filling."""
    used = set(range(RECORDS_OFFSET, disk.size(name)))
    for start in (0, *MARK_OFFSETS):
        used |= set(range(start, start + 64)) | set(
            range(start + BLOCK_BYTES - 4, start + BLOCK_BYTES)
        )
    filling = set(range(0, RECORDS_OFFSET, 61)) - used
    return [(offset, bit) for offset in sorted(used) for bit in range(8)] + [
        (offset, offset % 8) for offset in sorted(filling)
    ]


def place_of(records: list[Record], name: str, offset: int) -> int:
    """Where the damage at `offset` must be said to be: its block, or the start of its record."""
    if offset < RECORDS_OFFSET:
        return offset // BLOCK_BYTES * BLOCK_BYTES
    return max(
        record.offset for record in records if record.segment == name and record.offset <= offset
    )


def test_every_flipped_bit_of_a_synced_log_is_detected_and_named() -> None:
    disk = closed_log([1, 1, 2, 1, 1, 1, 1])
    records = list(open_log(disk).records())
    assert len(disk.names()) == 2
    for name in disk.names():
        for offset, bit in flips_of(disk, name):
            disk.flip_bit(name, offset, bit)
            place = place_of(records, name, offset)
            if place in MARK_OFFSETS:
                # Its twin still holds, so the log may be served, but the damage is named.
                log = open_log(disk, read_only=True)
                assert log.recovery.damaged_marks == ((name, place),)
                assert log.durable_tail == Tail(records[-1].sequence, records[-1].hash)
            else:
                with pytest.raises(LogCorrupt) as caught:
                    open_log(disk, read_only=True)
                assert (caught.value.segment, caught.value.offset) == (name, place)
            disk.flip_bit(name, offset, bit)
    assert served(open_log(disk)) == written(8)


def test_a_bit_that_flips_under_an_open_log_is_not_served() -> None:
    disk = closed_log([3, 3])
    log = open_log(disk)
    target = list(log.records())[2]
    disk.flip_bit(target.segment, target.offset + HEADER_BYTES, 0)
    seen: list[int] = []
    with pytest.raises(LogCorrupt) as caught:
        seen.extend(record.sequence for record in log.records())
    assert seen == [1, 2]
    reader = log.records()
    assert [next(reader).sequence, next(reader).sequence] == [1, 2]
    with pytest.raises(LogCorrupt, match="expected CRC"):
        next(reader)
    assert (caught.value.segment, caught.value.offset) == (target.segment, target.offset)


def test_the_error_says_where_what_was_expected_what_it_was_and_what_to_do() -> None:
    disk = closed_log([2])
    disk.flip_bit(FIRST, RECORDS_OFFSET, 0)
    with pytest.raises(LogCorrupt) as caught:
        open_log(disk)
    text = str(caught.value)
    assert text.startswith(f"log: {FIRST} at byte {RECORDS_OFFSET}: expected record magic")
    assert "was: " in text
    assert "Next: leave this file as it is, restore it" in text


@pytest.mark.parametrize("name_index", [0, 1, 2])
def test_every_truncation_of_a_closed_log_is_detected(name_index: int) -> None:
    disk = closed_log([1] * 13)
    name = disk.names()[name_index]
    assert len(disk.names()) == 3
    lengths = [*range(0, RECORDS_OFFSET, 97), *range(RECORDS_OFFSET, disk.size(name))]
    for length in lengths:
        twin = disk.copy()
        twin.cut(name, length)
        with pytest.raises(LogCorrupt) as caught:
            open_log(twin)
        assert caught.value.segment == name
        assert caught.value.offset <= length


def test_a_new_segment_that_lost_part_of_its_blocks_is_refused() -> None:
    disk = new_disk()
    open_log(disk).close()
    disk.cut(FIRST, RECORDS_OFFSET - 1)
    with pytest.raises(LogCorrupt, match="a segment of at least 12288 bytes"):
        open_log(disk)


def test_truncation_after_the_process_died_is_detected_without_a_close() -> None:
    disk = new_disk()
    fill(open_log(disk), [1, 1, 1])
    disk.restart(power_loss=False)
    last = list(open_log(disk, read_only=True).records())[-1]
    disk.cut(last.segment, last.offset)
    with pytest.raises(LogCorrupt, match="expected record 3, was: the end of the file"):
        open_log(disk)


def test_after_a_loss_of_power_only_the_last_sync_can_vanish_unseen() -> None:
    for seed in range(30):
        disk = new_disk(seed)
        fill(open_log(disk), [1, 1, 1])
        disk.restart(power_loss=True)
        records = list(open_log(disk, read_only=True).records())
        assert len(records) == 3
        disk.cut(FIRST, records[1].offset)
        with pytest.raises(LogCorrupt):
            open_log(disk)


@pytest.mark.parametrize("name_index", [0, 1, 2])
def test_a_missing_segment_is_detected(name_index: int) -> None:
    disk = closed_log([1] * 13)
    assert len(disk.names()) == 3
    disk.delete(disk.names()[name_index])
    with pytest.raises(LogCorrupt, match="restore the missing"):
        open_log(disk)


def test_the_last_segment_cannot_vanish_even_right_after_it_was_begun() -> None:
    for count in range(8, 17):
        for seed in range(6):
            disk = new_disk(seed)
            fill(open_log(disk), [1] * count)
            assert len(disk.names()) >= 2
            disk.restart(power_loss=True)
            disk.delete(disk.names()[-1])
            with pytest.raises(LogCorrupt, match="after this sealed segment, was: no such file"):
                open_log(disk)


def test_a_record_behind_the_end_of_a_full_segment_is_refused() -> None:
    disk = closed_log([1] * 13)
    size = disk.size(FIRST)
    seventh = list(open_log(disk).records())[6]
    disk.append(FIRST, [record_bytes(8, seventh.hash, b"stray")])
    with pytest.raises(LogCorrupt, match="expected the end of a full segment") as caught:
        open_log(disk)
    assert (caught.value.segment, caught.value.offset) == (FIRST, size)


def test_a_payload_length_beyond_the_limit_is_not_even_read() -> None:
    disk = closed_log([1])
    disk.overwrite(FIRST, RECORDS_OFFSET + 13, b"\xff" * 4)
    with pytest.raises(LogCorrupt, match="expected a payload of at most 67108864 bytes"):
        open_log(disk)


def test_a_segment_of_another_log_is_refused() -> None:
    disk = closed_log([1] * 15)
    other = new_disk()
    log = open_log(other)
    for sequence in range(1, 16):
        log.append(99, payload_of(sequence))
        log.sync()
    log.close()
    assert other.names() == disk.names()
    name = disk.names()[1]
    disk.replace(name, other.read(name, 0, other.size(name)))
    with pytest.raises(LogCorrupt, match="expected the next segment to follow record 7 with hash"):
        open_log(disk)


def test_a_tail_that_was_rewritten_with_right_checksums_is_refused() -> None:
    disk = closed_log([2, 1])
    forger = new_disk()
    log = open_log(forger)
    fill(log, [2])
    log.append(3, payload_of(3)[::-1])
    log.close()
    last = list(log.records())[-1]
    forged = forger.read(FIRST, last.offset, forger.size(FIRST) - last.offset)
    disk.overwrite(FIRST, last.offset, forged)
    with pytest.raises(LogCorrupt, match="expected record 3 with hash") as caught:
        open_log(disk)
    assert caught.value.offset == last.offset


def record_bytes(sequence: int, previous_hash: bytes, payload: bytes) -> bytes:
    """A record with a right CRC, spelled out as docs and log say it, whatever its place."""
    header = struct.pack(">4sBQI32s", b"NovR", 1, sequence, len(payload), previous_hash)
    return header + struct.pack(">I", zlib.crc32(header + payload)) + payload


@pytest.mark.parametrize("wrong", ["nothing", "sequence", "previous hash"])
def test_a_whole_record_that_does_not_follow_is_never_taken_for_the_tail(wrong: str) -> None:
    disk = closed_log([2])
    size = disk.size(FIRST)
    tail = open_log(disk).tail
    sequence = tail.sequence + (2 if wrong == "sequence" else 1)
    previous_hash = bytes(32) if wrong == "previous hash" else tail.hash
    disk.append(FIRST, [record_bytes(sequence, previous_hash, b"stray")])
    assert open_log(disk).tail.sequence == (3 if wrong == "nothing" else 2)
    assert (disk.size(FIRST) == size) == (wrong != "nothing")


def test_a_tail_that_is_exchanged_under_an_open_log_is_not_served() -> None:
    disk = closed_log([2, 1])
    log = open_log(disk)
    second, last = list(log.records())[1:]
    disk.overwrite(FIRST, last.offset, record_bytes(3, second.hash, last.payload[::-1]))
    reader = log.records(3)
    with pytest.raises(LogCorrupt) as caught:
        next(reader)
    assert caught.value.offset == last.offset


def test_marks_of_another_segment_are_refused() -> None:
    disk = closed_log([1] * 13)
    first, second, last = disk.names()
    assert first == FIRST
    old = closed_log([1] * 3).read(FIRST, MARK_OFFSETS[0], 2 * BLOCK_BYTES)
    for name in (second, last):
        twin = disk.copy()
        twin.overwrite(name, MARK_OFFSETS[0], old)
        with pytest.raises(LogCorrupt) as caught:
            open_log(twin)
        assert caught.value.segment == name
        assert caught.value.offset in MARK_OFFSETS


def test_two_damaged_marks_are_corruption() -> None:
    disk = closed_log([2])
    for offset in MARK_OFFSETS:
        disk.flip_bit(FIRST, offset, 0)
    with pytest.raises(LogCorrupt, match="at least one mark"):
        open_log(disk)


def test_a_damaged_mark_is_repaired_and_reported_once() -> None:
    for groups in ([2], [1] * 15):
        for offset in MARK_OFFSETS:
            disk = closed_log(groups)
            disk.flip_bit(FIRST, offset + 9, 3)
            assert open_log(disk).recovery.damaged_marks == ((FIRST, offset),)
            assert open_log(disk).recovery.damaged_marks == ()


# Crashes.


def run_script(disk: SimDisk, seen: list[Tail]) -> None:
    """A fixed life of a log; `seen` gets what was acknowledged, last."""
    for groups in ([2, 1, 3], [1, 4], [1, 1]):
        log = open_log(disk)
        seen.append(log.durable_tail)
        for count in groups:
            for _ in range(count):
                sequence = log.tail.sequence + 1
                log.append(sequence % 256, payload_of(sequence))
            seen.append(log.sync())
        log.close()


def require_recovered(disk: SimDisk, acknowledged: int) -> None:
    """All that was acknowledged is there, and what follows is a prefix of what was written."""
    log = open_log(disk)
    count = log.tail.sequence
    assert count >= acknowledged
    assert served(log) == written(count)
    fill(log, [1, 2])
    log.close()
    assert served(open_log(disk)) == written(count + 3)


@pytest.mark.parametrize("power_loss", [False, True])
def test_a_crash_at_any_operation_loses_nothing_that_was_synced(power_loss: bool) -> None:
    whole = new_disk()
    run_script(whole, [])
    assert len(whole.names()) >= 3
    for operation in range(1, whole.operations + 1):
        for seed in range(40 if power_loss else 2):
            disk = new_disk(seed)
            disk.crash_at(operation)
            seen: list[Tail] = []
            with pytest.raises(SimulatedCrash):
                run_script(disk, seen)
            disk.restart(power_loss=power_loss)
            require_recovered(disk, seen[-1].sequence if seen else 0)


def test_a_second_crash_during_recovery_loses_nothing_either() -> None:
    whole = new_disk()
    run_script(whole, [])
    for operation in range(1, whole.operations + 1):
        for again in range(1, 8):
            disk = new_disk(operation * 100 + again)
            disk.crash_at(operation)
            seen: list[Tail] = []
            with pytest.raises(SimulatedCrash):
                run_script(disk, seen)
            disk.restart(power_loss=again % 2 == 0)
            disk.crash_at(again)
            try:
                seen.append(open_log(disk).durable_tail)
            except SimulatedCrash:
                disk.restart(power_loss=True)
            disk.crash_at(None)
            require_recovered(disk, seen[-1].sequence if seen else 0)


def test_a_failed_sync_stops_the_log_for_good() -> None:
    disk = new_disk()
    log = open_log(disk)
    fill(log, [2])
    disk.fail_sync_at(1)
    log.append(3, payload_of(3))
    with pytest.raises(DiskFailed, match="Input/output error"):
        log.sync()
    syncs = disk.syncs
    log.append(4, b"too late")
    with pytest.raises(DiskFailed):
        log.sync()
    with pytest.raises(DiskFailed):
        log.close()
    assert disk.syncs == syncs
    assert log.durable_tail.sequence == 2


def test_what_a_failed_sync_lost_is_written_again_before_it_is_promised() -> None:
    for seed in range(40):
        disk = new_disk(seed)
        log = open_log(disk)
        fill(log, [2])
        log.append(3, payload_of(3))
        disk.fail_sync_at(1)
        with pytest.raises(DiskFailed):
            log.sync()
        # The cache still shows record 3 whole, though the medium may hold nothing of it.
        disk.restart(power_loss=False)
        assert open_log(disk).durable_tail.sequence == 3
        disk.restart(power_loss=True)
        assert served(open_log(disk)) == written(3)


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    lives=st.lists(
        st.tuples(
            st.lists(st.integers(0, 4), max_size=6),
            st.integers(1, 30),
            st.sampled_from(["process", "power", "sync error", "none"]),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_any_sequence_of_lives_keeps_what_was_acknowledged(
    seed: int, lives: list[tuple[list[int], int, str]]
) -> None:
    disk = new_disk(seed)
    acknowledged = 0
    for groups, when, fault in lives:
        if fault in ("process", "power"):
            disk.crash_at(when)
        elif fault == "sync error":
            disk.fail_sync_at(when)
        try:
            log = open_log(disk)
            acknowledged = max(acknowledged, log.durable_tail.sequence)
            for count in groups:
                fill(log, [count])
                acknowledged = log.durable_tail.sequence
        except (SimulatedCrash, DiskFailed):
            pass
        disk.restart(power_loss=fault != "process")
        assert acknowledged <= open_log(disk, read_only=True).tail.sequence
    require_recovered(disk, acknowledged)


# The simulated disk itself.


def test_the_simulated_disk_keeps_drops_and_tears_unsynced_writes() -> None:
    outcomes: set[int] = set()
    for seed in range(60):
        disk = new_disk(seed)
        disk.replace("file", b"")
        disk.append("file", [b"x" * 4 * SECTOR_BYTES])
        assert disk.size("file") == 4 * SECTOR_BYTES
        disk.restart(power_loss=True)
        outcomes.add(disk.size("file"))
    assert outcomes == {0, 512, 1024, 1536, 2048}


def test_the_simulated_disk_can_keep_a_later_write_without_the_earlier() -> None:
    seen: set[bytes] = set()
    for seed in range(200):
        disk = new_disk(seed)
        disk.replace("file", b"")
        disk.append("file", [b"a" * SECTOR_BYTES])
        disk.append("file", [b"b" * SECTOR_BYTES])
        disk.restart(power_loss=True)
        seen.add(disk.read("file", 0, 2 * SECTOR_BYTES))
    assert bytes(SECTOR_BYTES) + b"b" * SECTOR_BYTES in seen
