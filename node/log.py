"""The node's record: a hash-chained, checksummed, segmented, append-only log.

A segment is one file: a head block, two mark blocks, then records. A record is a fixed header
(magic, kind, sequence, payload length, hash of the record before it, CRC-32 of all of that and of
the payload) and its payload; its hash is SHA-256 of both, so that one hash fixes everything before
it. The CRC is there to name damage, the chain to prove that nothing was left out, moved or
replaced.

**What was synced, and how we know.** A damaged or missing record is a *torn tail* if it was never
synced, which is normal after a crash and is cut off, or it is *corruption*, which stops the node.
Only a memory of what was synced tells one from the other. After every sync the new durable tail
(sequence, hash) is written into one of the segment's two mark blocks, in turns, without a sync of
its own: the next sync of the same file carries it to the disk, so a frame still costs one sync.

- The process died, the machine did not: the mark is exact; every loss is detected.
- The machine died: the mark is at least as new as the last sync but one. So the window is exactly
  the records of the last sync. If the disk then also damages or loses *these*, against its word,
  they cannot be told from a torn tail. All records before them are covered.
- A roll or a clean close syncs the mark itself: the window is empty.
- A mark block is one of two, at most one of which is ever unsynced, so a torn mark costs nothing;
  it is repaired and reported. If a damaged mark *and* a damaged last sync come together, the
  second is not detected; two damaged marks are corruption.
- A missing segment is detected: the head of each one holds the tail of the one before, and a full
  one is sealed with a mark that says so. A directory that was emptied wholly looks like a new log,
  and an older copy of it like a younger node; both are for the witness to tell (`node.witness`).
"""

from __future__ import annotations

import hashlib
import re
import struct
import threading
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Self

from node.disk import Disk
from node.errors import LogCorrupt

if TYPE_CHECKING:
    from node.witness import Witness

GENESIS_HASH = bytes(32)
PAYLOAD_BYTES_MAX = 64 * 2**20
SEGMENT_BYTES_MAX_DEFAULT = 64 * 2**20

# One block is one page of the cache and one physical sector of today's disks: writing one mark
# can never damage the other.
BLOCK_BYTES = 4096
MARK_OFFSETS = (BLOCK_BYTES, 2 * BLOCK_BYTES)
RECORDS_OFFSET = 3 * BLOCK_BYTES

_HEADER = struct.Struct(">4sBQI32sI")
HEADER_BYTES = _HEADER.size
_HEADER_WITHOUT_CRC = struct.Struct(">4sBQI32s")
_RECORD_MAGIC = b"NovR"
_HEAD = struct.Struct(">4sIQ32s")
_HEAD_MAGIC = b"NovS"
_FORMAT_VERSION = 1
_MARK = struct.Struct(">4sBQ32s")
_MARK_MAGIC = b"NovM"
_SEGMENT_NAME = re.compile(r"log-([0-9]{20})")

_READ_BYTES = 2**20
_WAYPOINT_BYTES = 2**20

_RESTORE = (
    "leave this file as it is, restore it from a copy, and look with novatio inspect log; what was "
    "posted is safe on the base layer; nothing was changed or served"
)
_RESTORE_SEGMENT = (
    "restore the missing or exchanged segment from a backup or a replica; nothing was changed or "
    "served"
)


class Tail(NamedTuple):
    """The last record of a log (or of its synced part): sequence 0 is the empty log."""

    sequence: int
    hash: bytes


EMPTY_TAIL = Tail(0, GENESIS_HASH)


class Record(NamedTuple):
    """One verified record. `offset` is the byte of its header in the file `segment`."""

    sequence: int
    kind: int
    payload: bytes
    hash: bytes
    segment: str
    offset: int


class DamagedMark(NamedTuple):
    """A mark block that did not pass its checksum; its twin did."""

    segment: str
    offset: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `Log.open` found that was not as a clean close leaves it.

    `torn_bytes` bytes from `torn_offset` of `torn_segment` were never synced and have been cut off
    (in a read-only log: were passed over). `unmarked_records` are whole records after the last
    mark, which are kept. None of this concerns an acknowledged record.
    """

    torn_segment: str | None
    torn_offset: int
    torn_bytes: int
    unmarked_records: int
    damaged_marks: tuple[DamagedMark, ...]


class _Damage(Exception):
    """A record that does not parse; whether this is a crash or corruption, the caller knows."""

    def __init__(self, offset: int, expected: str, was: str) -> None:
        self.offset = offset
        self.expected = expected
        self.was = was
        super().__init__(expected, was)


class _Mark(NamedTuple):
    tail: Tail
    sealed: bool
    slot: int


class _Waypoint(NamedTuple):
    """A place from which the chain can be verified: the record at `offset` follows `previous`."""

    segment_index: int
    offset: int
    previous: Tail


@dataclass(slots=True)
class _Segment:
    """One file: `end` is the offset after its last durable record."""

    name: str
    previous: Tail
    mark: _Mark
    end: int


@dataclass(slots=True)
class _Opening:
    """What the verification of a log gathers on its way through the segments."""

    segments: list[_Segment] = field(default_factory=list)
    waypoints: list[_Waypoint] = field(default_factory=list)
    damaged: list[DamagedMark] = field(default_factory=list)
    tail: Tail = EMPTY_TAIL
    torn_bytes: int = 0
    # Where the records after the last segment's mark begin, and how many there are.
    unmarked_offset: int = RECORDS_OFFSET
    unmarked_records: int = 0


class Log:
    """An append-only log of (kind, payload) records. Sequences count from 1 without a gap.

    One thread appends; one thread, the same or another, syncs; any thread may read. What `append`
    returned is not durable, and not readable, before a `sync` that began after it has returned.
    After `DiskFailed` the log takes no more writes: halt.
    """

    def __init__(
        self,
        disk: Disk,
        segment_bytes_max: int,
        read_only: bool,
        opening: _Opening,
        witness: Witness | None,
    ) -> None:
        """Use `Log.open`."""
        self.segment_bytes_max = segment_bytes_max
        self.read_only = read_only
        self.recovery = _recovery_of(opening)
        self._disk = disk
        self._witness = witness
        self._segments = opening.segments
        self._waypoints = opening.waypoints
        self._durable_tail = opening.tail
        self._tail = opening.tail
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._state_lock = threading.Lock()
        self._sync_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        disk: Disk,
        *,
        segment_bytes_max: int = SEGMENT_BYTES_MAX_DEFAULT,
        read_only: bool = False,
        witness: Witness | None = None,
    ) -> Self:
        """Verify every record of the log on `disk`, cut off a torn tail, and return the log.

        An empty disk becomes a new log. `segment_bytes_max` bounds a segment's file, unless the
        records of a single sync exceed it: these stay together. `read_only` repairs nothing.
        The `witness` is told of every durable tail.

        Raises `LogCorrupt` when anything that was synced is damaged or gone, `LogBehind` when the
        log lacks what the witness holds, `DiskFailed` when the disk does.
        """
        if segment_bytes_max <= RECORDS_OFFSET:
            raise ValueError(
                f"segment_bytes_max: expected more than {RECORDS_OFFSET}, was {segment_bytes_max}"
            )
        opening = _verify(disk)
        log = cls(disk, segment_bytes_max, read_only, opening, witness)
        if witness is not None:
            witness.require(log.hash_at)
        if not read_only:
            _repair(disk, opening)
            log.sync_witness()
        return log

    @property
    def tail(self) -> Tail:
        """The last appended record, synced or not."""
        return self._tail

    @property
    def durable_tail(self) -> Tail:
        """The last synced record: everything up to here may be acknowledged."""
        return self._durable_tail

    def append(self, kind: int, payload: bytes) -> int:
        """Chain a record behind the tail, in memory, and return its sequence.

        `kind` is one byte and `payload` at most PAYLOAD_BYTES_MAX bytes; the payload is kept, not
        copied, until the next `sync`.
        """
        if self.read_only:
            raise ValueError("append: expected a writable log, was opened for reading only")
        if not 0 <= kind <= 255:
            raise ValueError(f"kind: expected one byte (0..255), was {kind}")
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ValueError(
                f"payload: expected at most {PAYLOAD_BYTES_MAX} bytes, was {len(payload)}"
            )
        with self._state_lock:
            sequence = self._tail.sequence + 1
            unchecked = _HEADER_WITHOUT_CRC.pack(
                _RECORD_MAGIC, kind, sequence, len(payload), self._tail.hash
            )
            crc = zlib.crc32(payload, zlib.crc32(unchecked))
            header = unchecked + crc.to_bytes(4, "big")
            self._tail = Tail(sequence, _record_hash(header, payload))
            self._pending += (header, payload)
            self._pending_bytes += HEADER_BYTES + len(payload)
        return sequence

    def sync(self) -> Tail:
        """Make everything appended so far durable with one sync, and return the durable tail.

        Raises `DiskFailed`; then the node must halt, and nothing after the previous durable tail
        may be acknowledged.
        """
        with self._sync_lock:
            with self._state_lock:
                buffers, self._pending = self._pending, []
                group_bytes, self._pending_bytes = self._pending_bytes, 0
                tail = self._tail
            if not buffers:
                return self._durable_tail
            end = self._segments[-1].end
            if end > RECORDS_OFFSET and end + group_bytes > self.segment_bytes_max:
                self._roll()
            active = self._segments[-1]
            self._disk.append(active.name, buffers)
            self._disk.sync(active.name)
            with self._state_lock:
                self._note_waypoint(active)
                active.end += group_bytes
                self._durable_tail = tail
            _write_mark(self._disk, active, tail, sealed=False)
            if self._witness is not None:
                self._witness.note(tail)
            return tail

    def sync_witness(self) -> None:
        """Let the witness hold the durable tail for good, whatever happens to the machine."""
        if self._witness is not None:
            self._witness.note(self._durable_tail)
            self._witness.sync()

    def close(self) -> None:
        """Sync what is pending and the last mark, so that no loss at all can go undetected.

        The disk stays open; it belongs to the caller.
        """
        if not self.read_only:
            self.sync()
            self._disk.sync(self._segments[-1].name)
            self.sync_witness()

    def records(self, from_sequence: int = 1) -> Iterator[Record]:
        """Yield the records from `from_sequence` to the durable tail as it is at the first step.

        Every record is verified again on its way. Raises `LogCorrupt` in place of the first one
        that is not what was written.
        """
        if from_sequence < 1:
            raise ValueError(f"from_sequence: expected at least 1, was {from_sequence}")
        with self._state_lock:
            durable = self._durable_tail
            if from_sequence > durable.sequence:
                return
            start = self._waypoints[
                bisect_right(
                    self._waypoints, from_sequence, key=lambda place: place.previous.sequence + 1
                )
                - 1
            ]
            parts = [(part.name, part.end) for part in self._segments[start.segment_index :]]
        offset, previous = start.offset, start.previous
        for name, end in parts:
            try:
                for record in _scan(self._disk, name, offset, end, previous):
                    previous = Tail(record.sequence, record.hash)
                    if record.sequence == durable.sequence and record.hash != durable.hash:
                        raise _Damage(record.offset, durable.hash.hex(), record.hash.hex())
                    if record.sequence >= from_sequence:
                        yield record
            except _Damage as damage:
                raise _corrupt(name, damage) from damage
            offset = RECORDS_OFFSET

    def hash_at(self, sequence: int) -> bytes | None:
        """Return the hash of the durable record `sequence`, or None when there is none.

        Sequence 0 stands for the empty log. Reads up to a mebibyte and the record.
        """
        if sequence == 0:
            return GENESIS_HASH
        if not 0 < sequence <= self._durable_tail.sequence:
            return None
        return next(self.records(sequence)).hash

    def _roll(self) -> None:
        """Begin a new segment, then seal the full one.

        In this order a crash between the two leaves a whole log; and once the seal is there, the
        loss of the new segment is detected.
        """
        self.sync_witness()
        full = self._segments[-1]
        fresh = _create_segment(self._disk, self._durable_tail)
        _seal(self._disk, full, self._durable_tail)
        with self._state_lock:
            self._segments.append(fresh)

    def _note_waypoint(self, active: _Segment) -> None:
        last = self._waypoints[-1] if self._waypoints else None
        index = len(self._segments) - 1
        if (
            last is None
            or last.segment_index != index
            or active.end - last.offset >= _WAYPOINT_BYTES
        ):
            self._waypoints.append(_Waypoint(index, active.end, self._durable_tail))


def _segment_name(first_sequence: int) -> str:
    return f"log-{first_sequence:020d}"


def block(content: bytes) -> bytes:
    """Fill a block with zeros and end it with the CRC-32 of all before."""
    body = content.ljust(BLOCK_BYTES - 4, b"\0")
    return body + zlib.crc32(body).to_bytes(4, "big")


def block_is_whole(data: bytes) -> bool:
    """Tell whether these bytes are a block that `block` made, undamaged."""
    return len(data) == BLOCK_BYTES and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "big")


def _mark_block(tail: Tail, *, sealed: bool) -> bytes:
    return block(_MARK.pack(_MARK_MAGIC, sealed, tail.sequence, tail.hash))


def _create_segment(disk: Disk, previous: Tail) -> _Segment:
    """Make the file whose first record will follow `previous`, durably, all or nothing."""
    name = _segment_name(previous.sequence + 1)
    head = block(_HEAD.pack(_HEAD_MAGIC, _FORMAT_VERSION, previous.sequence + 1, previous.hash))
    disk.replace(name, head + 2 * _mark_block(previous, sealed=False))
    return _Segment(name, previous, _Mark(previous, False, 0), RECORDS_OFFSET)


def _write_mark(disk: Disk, segment: _Segment, tail: Tail, *, sealed: bool) -> None:
    """Write the mark into the block that does not hold the newest one. Does not sync."""
    slot = 1 - segment.mark.slot
    disk.overwrite(segment.name, MARK_OFFSETS[slot], _mark_block(tail, sealed=sealed))
    segment.mark = _Mark(tail, sealed, slot)


def _seal(disk: Disk, segment: _Segment, tail: Tail) -> None:
    """Mark a full segment as sealed, durably. Its last mark is synced before, so that a crash never
    finds both marks on their way."""
    disk.sync(segment.name)
    _write_mark(disk, segment, tail, sealed=True)
    disk.sync(segment.name)


class _Window:
    """A file read in large pieces, from front to back, never past `end`."""

    def __init__(self, disk: Disk, name: str, end: int) -> None:
        self._disk = disk
        self._name = name
        self._end = end
        self._start = 0
        self._data = b""

    def take(self, offset: int, length: int) -> memoryview:
        """Return `length` bytes from `offset`; fewer only when the file ends before."""
        length = min(length, self._end - offset)
        if not (self._start <= offset and offset + length <= self._start + len(self._data)):
            wanted = min(max(length, _READ_BYTES), self._end - offset)
            self._data = self._disk.read(self._name, offset, wanted)
            self._start = offset
        first = offset - self._start
        return memoryview(self._data)[first : first + length]


def _scan(disk: Disk, name: str, offset: int, end: int, previous: Tail) -> Iterator[Record]:
    """Yield the records of one segment in [offset, end), each verified against the one before."""
    window = _Window(disk, name, end)
    while offset < end:
        record = _parse(window, name, offset, previous)
        yield record
        previous = Tail(record.sequence, record.hash)
        offset += HEADER_BYTES + len(record.payload)


def _record_hash(header: bytes, payload: bytes) -> bytes:
    """Return SHA-256(header || payload): no contract reads the log, and processors help with it."""
    digest = hashlib.sha256(header)
    digest.update(payload)
    return digest.digest()


def _parse(window: _Window, name: str, offset: int, previous: Tail) -> Record:
    """Read and verify one record; raise `_Damage` with the first thing that is wrong."""
    header = bytes(window.take(offset, HEADER_BYTES))
    if len(header) < HEADER_BYTES:
        raise _Damage(offset, f"a record header of {HEADER_BYTES} bytes", f"{len(header)} bytes")
    magic, kind, sequence, length, previous_hash, crc = _HEADER.unpack(header)
    if magic != _RECORD_MAGIC:
        raise _Damage(offset, f"record magic {_RECORD_MAGIC.hex()}", magic.hex())
    if sequence != previous.sequence + 1:
        raise _Damage(offset, f"sequence {previous.sequence + 1}", f"sequence {sequence}")
    if length > PAYLOAD_BYTES_MAX:
        raise _Damage(offset, f"a payload of at most {PAYLOAD_BYTES_MAX} bytes", f"{length}")
    if previous_hash != previous.hash:
        raise _Damage(offset, f"previous hash {previous.hash.hex()}", previous_hash.hex())
    payload = bytes(window.take(offset, HEADER_BYTES + length)[HEADER_BYTES:])
    if len(payload) < length:
        raise _Damage(offset, f"a payload of {length} bytes", f"{len(payload)} bytes")
    computed = zlib.crc32(payload, zlib.crc32(header[:-4]))
    if computed != crc:
        raise _Damage(offset, f"CRC {crc:08x}", f"CRC {computed:08x}")
    return Record(sequence, kind, payload, _record_hash(header, payload), name, offset)


def _corrupt(name: str, damage: _Damage) -> LogCorrupt:
    return LogCorrupt(name, damage.offset, damage.expected, damage.was, _RESTORE)


def _verify(disk: Disk) -> _Opening:
    """Read the whole log once, front to back, and raise `LogCorrupt` at the first damage."""
    opening = _Opening()
    for name in disk.names():
        if _SEGMENT_NAME.fullmatch(name):
            opening.segments.append(_read_segment_blocks(disk, name, opening.damaged))
    for index, segment in enumerate(opening.segments):
        if segment.previous != opening.tail:
            raise LogCorrupt(
                segment.name,
                0,
                f"a segment that follows record {opening.tail.sequence} "
                f"with hash {opening.tail.hash.hex()}",
                f"one that follows record {segment.previous.sequence} "
                f"with hash {segment.previous.hash.hex()}",
                _RESTORE_SEGMENT,
            )
        is_last = index + 1 == len(opening.segments)
        successor = None if is_last else opening.segments[index + 1].previous
        _verify_segment(disk, opening, index, successor)
    return opening


def _read_segment_blocks(disk: Disk, name: str, damaged: list[DamagedMark]) -> _Segment:
    """Read the head and the marks of one segment; note at most one damaged mark."""
    size = disk.size(name)
    blocks = disk.read(name, 0, RECORDS_OFFSET)
    if len(blocks) < RECORDS_OFFSET:
        # Segments come into being whole, so no crash explains this.
        expected = f"a segment of at least {RECORDS_OFFSET} bytes"
        raise LogCorrupt(name, len(blocks), expected, "the end of the file", _RESTORE)
    head = blocks[:BLOCK_BYTES]
    if not block_is_whole(head):
        raise LogCorrupt(name, 0, "a segment head with a right CRC", "a damaged one", _RESTORE)
    magic, version, first_sequence, previous_hash = _HEAD.unpack_from(head)
    if (magic, version, _segment_name(first_sequence)) != (_HEAD_MAGIC, _FORMAT_VERSION, name):
        raise LogCorrupt(
            name,
            0,
            f"the head of {name} in format {_FORMAT_VERSION}",
            f"magic {magic.hex()}, format {version}, first sequence {first_sequence}",
            "run the version of the node that wrote this log, or restore the file",
        )
    marks = []
    for slot, offset in enumerate(MARK_OFFSETS):
        found = blocks[offset : offset + BLOCK_BYTES]
        if block_is_whole(found) and found.startswith(_MARK_MAGIC):
            _, sealed, sequence, tail_hash = _MARK.unpack_from(found)
            marks.append(_Mark(Tail(sequence, tail_hash), bool(sealed), slot))
        else:
            damaged.append(DamagedMark(name, offset))
    if not marks:
        raise LogCorrupt(
            name, MARK_OFFSETS[0], "at least one mark with a right CRC", "two damaged", _RESTORE
        )
    newest = max(marks, key=lambda mark: (mark.tail.sequence, mark.sealed))
    return _Segment(name, Tail(first_sequence - 1, previous_hash), newest, size)


def _verify_segment(disk: Disk, opening: _Opening, index: int, successor: Tail | None) -> None:
    """Verify one segment's records and move `opening.tail` behind them.

    `successor` is the tail that the next segment's head claims; the last segment has none, and is
    the only one whose end may be torn.
    """
    segment = opening.segments[index]
    _verify_mark(segment, successor)
    synced = segment.mark.tail if successor is None else successor
    offset, last_waypoint = RECORDS_OFFSET, -_WAYPOINT_BYTES
    opening.unmarked_offset = offset
    _require_hash(segment.name, offset, opening.tail, synced)
    try:
        for record in _scan(disk, segment.name, offset, segment.end, opening.tail):
            if successor is not None and record.sequence > synced.sequence:
                raise _Damage(offset, "the end of a full segment", f"record {record.sequence}")
            if offset - last_waypoint >= _WAYPOINT_BYTES:
                opening.waypoints.append(_Waypoint(index, offset, opening.tail))
                last_waypoint = offset
            opening.tail = Tail(record.sequence, record.hash)
            _require_hash(segment.name, offset, opening.tail, synced)
            offset += HEADER_BYTES + len(record.payload)
            if record.sequence <= synced.sequence:
                opening.unmarked_offset = offset
            else:
                opening.unmarked_records += 1
        if opening.tail.sequence < synced.sequence:
            raise _Damage(offset, f"record {opening.tail.sequence + 1}", "the end of the file")
    except _Damage as damage:
        if successor is not None or opening.tail.sequence < synced.sequence:
            raise _corrupt(segment.name, damage) from damage
        opening.torn_bytes = segment.end - offset
        segment.end = offset


def _verify_mark(segment: _Segment, successor: Tail | None) -> None:
    """A mark lies within its segment, and a sealed one is followed by exactly its successor."""
    mark = segment.mark
    offset = MARK_OFFSETS[mark.slot]
    was = f"record {mark.tail.sequence}"
    if mark.sealed and successor is None:
        raise LogCorrupt(
            segment.name,
            offset,
            f"the file {_segment_name(mark.tail.sequence + 1)} after this sealed segment",
            "no such file",
            _RESTORE_SEGMENT,
        )
    if mark.tail.sequence < segment.previous.sequence:
        expected = f"a mark not before record {segment.previous.sequence}"
        raise LogCorrupt(segment.name, offset, expected, was, _RESTORE)
    if successor is not None and (
        mark.tail.sequence > successor.sequence or (mark.sealed and mark.tail != successor)
    ):
        expected = f"the next segment to follow {was} with hash {mark.tail.hash.hex()}"
        claimed = f"one that follows record {successor.sequence}, hash {successor.hash.hex()}"
        raise LogCorrupt(segment.name, offset, expected, claimed, _RESTORE_SEGMENT)


def _require_hash(name: str, offset: int, tail: Tail, synced: Tail) -> None:
    """The chain must arrive at the hash that was noted when this record was synced."""
    if tail.sequence == synced.sequence and tail.hash != synced.hash:
        expected = f"record {tail.sequence} with hash {synced.hash.hex()}"
        raise LogCorrupt(name, offset, expected, tail.hash.hex(), _RESTORE)


def _repair(disk: Disk, opening: _Opening) -> None:
    """Bring a verified log into the state that a clean close leaves. May be cut short anywhere."""
    if not opening.segments:
        opening.segments.append(_create_segment(disk, opening.tail))
        return
    damaged = {mark.segment for mark in opening.damaged}
    for segment, successor in pairwise(opening.segments):
        if segment.name in damaged or not segment.mark.sealed:
            _seal(disk, segment, successor.previous)
    last = opening.segments[-1]
    if opening.torn_bytes:
        disk.truncate(last.name, last.end)
    _rewrite(disk, last.name, opening.unmarked_offset, last.end)
    disk.sync(last.name)
    if last.name in damaged or last.mark.tail != opening.tail:
        _write_mark(disk, last, opening.tail, sealed=False)
        disk.sync(last.name)


def _rewrite(disk: Disk, name: str, start: int, end: int) -> None:
    """Write the bytes [start, end) over themselves.

    After a failed sync the kernel may hold pages that are marked clean but never reached the disk.
    A restarted node reads them as whole records; syncing alone would then promise what is not so.
    Identical bytes make the pages dirty again, and are harmless if a crash keeps only some.
    """
    for offset in range(start, end, _READ_BYTES):
        disk.overwrite(name, offset, disk.read(name, offset, min(_READ_BYTES, end - offset)))


def _recovery_of(opening: _Opening) -> Recovery:
    last = opening.segments[-1] if opening.segments else None
    torn = last is not None and opening.torn_bytes > 0
    return Recovery(
        torn_segment=last.name if last is not None and torn else None,
        torn_offset=last.end if last is not None and torn else 0,
        torn_bytes=opening.torn_bytes,
        unmarked_records=opening.unmarked_records,
        damaged_marks=tuple(opening.damaged),
    )
