"""A directory of files keeps the contract of `Disk`, and lets only one node in."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
from pathlib import Path
from typing import Any

import pytest

from node.direct import BLOCK_BYTES, DIRECT_BYTES_MIN, STAGE_BYTES
from node.disk import BUFFERS_PER_WRITE_MAX, LOCK_NAME, TEMPORARY_SUFFIX, Disk, OsDisk
from node.errors import DirectoryInUse, DiskFailed, LogCorrupt
from node.log import HEADER_BYTES, RECORDS_OFFSET, Log
from simulator.disk import SimDisk


@pytest.fixture(params=["directory", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    if request.param == "simulated":
        return SimDisk(random.Random(1))
    return OsDisk(tmp_path / "data")


# The contract, on both disks.


def test_what_is_appended_is_read_back(disk: Disk) -> None:
    disk.replace("file", b"head")
    disk.append("file", [b"one", b"", b"two"])
    disk.append("file", [b"three"])
    disk.sync("file")
    assert disk.read("file", 0, 100) == b"headonetwothree"
    assert disk.read("file", 4, 3) == b"one"
    assert disk.read("file", 100, 5) == b""
    assert disk.size("file") == 15


def test_an_append_of_many_buffers_is_complete(disk: Disk) -> None:
    buffers = [bytes([number % 256]) * (number % 7) for number in range(2 * BUFFERS_PER_WRITE_MAX)]
    disk.replace("file", b"")
    disk.append("file", buffers)
    assert disk.read("file", 0, 10**6) == b"".join(buffers)


def test_an_overwrite_changes_bytes_in_place_and_the_next_append_goes_to_the_end(
    disk: Disk,
) -> None:
    disk.replace("file", b"0123456789")
    disk.append("file", [b"a"])
    disk.overwrite("file", 2, b"XY")
    disk.append("file", [b"b"])
    assert disk.read("file", 0, 20) == b"01XY456789ab"
    with pytest.raises(ValueError, match="past its end"):
        disk.overwrite("file", 11, b"12")


@pytest.mark.parametrize("seed", range(6))
def test_appends_of_every_size_give_the_bytes_of_a_plain_file(disk: Disk, seed: int) -> None:
    chance = random.Random(seed)
    expected = bytearray(chance.randbytes(chance.randrange(3 * BLOCK_BYTES)))
    disk.replace("file", bytes(expected))
    for _ in range(12):
        large = chance.choice((0, DIRECT_BYTES_MIN, STAGE_BYTES))
        sizes = [chance.randrange(BLOCK_BYTES), large, chance.randrange(3), BLOCK_BYTES]
        added = [chance.randbytes(size) for size in sizes]
        disk.append("file", added)
        expected += b"".join(added)
        place = chance.randrange(len(expected) - 9)
        disk.overwrite("file", place, b"OVERWRITE")
        expected[place : place + 9] = b"OVERWRITE"
        if chance.random() < 0.2:
            del expected[-chance.randrange(1, 2 * BLOCK_BYTES) :]
            disk.truncate("file", len(expected))
        disk.sync("file")
        assert disk.size("file") == len(expected)
        assert disk.read("file", 0, 2 * len(expected)) == expected


@pytest.mark.parametrize("refusing", ["open", "pwrite"])
def test_a_file_system_without_direct_writes_gets_plain_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    disk = OsDisk(tmp_path)
    disk.replace("file", b"head")
    ours, calls = getattr(os, refusing), []

    def refuse(target: Any, *rest: Any, **named: Any) -> Any:
        direct = rest[0] & os.O_DIRECT if refusing == "open" else isinstance(target, int)
        if not direct:
            return ours(target, *rest, **named)
        calls.append(target)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(f"node.direct.os.{refusing}", refuse)
    disk.append("file", [b"a" * DIRECT_BYTES_MIN, b"b"])
    monkeypatch.undo()
    assert calls
    assert disk.read("file", 0, 2**20) == b"head" + b"a" * DIRECT_BYTES_MIN + b"b"


def test_an_append_after_a_truncation_leaves_no_gap(disk: Disk) -> None:
    disk.replace("file", b"0123456789")
    disk.append("file", [b"more"])
    disk.truncate("file", 3)
    disk.append("file", [b"end"])
    assert disk.read("file", 0, 20) == b"012end"


def test_replacing_and_removing_change_the_list_of_names(disk: Disk) -> None:
    assert disk.names() == []
    disk.replace("b", b"1")
    disk.replace("a", b"2")
    disk.append("b", [b"x"])
    disk.replace("b", b"3")
    disk.append("b", [b"y"])
    assert disk.names() == ["a", "b"]
    assert disk.read("b", 0, 9) == b"3y"
    disk.remove("a")
    assert disk.names() == ["b"]
    with pytest.raises(DiskFailed, match="No such file"):
        disk.read("a", 0, 1)


def test_after_one_failure_every_write_is_refused_but_reading_goes_on(disk: Disk) -> None:
    disk.replace("file", b"kept")
    with pytest.raises(DiskFailed, match="No such file"):
        disk.append("missing", [b"x"])
    if isinstance(disk, SimDisk):
        disk.fail_sync_at(1)
        with pytest.raises(DiskFailed):
            disk.sync("file")
    for write in (
        lambda: disk.append("file", [b"x"]),
        lambda: disk.overwrite("file", 0, b"x"),
        lambda: disk.sync("file"),
        lambda: disk.truncate("file", 0),
        lambda: disk.replace("file", b""),
        lambda: disk.remove("file"),
    ):
        with pytest.raises(DiskFailed):
            write()
    assert disk.read("file", 0, 9) == b"kept"


# The real directory.


def test_a_second_opener_of_a_directory_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    first = OsDisk(tmp_path)
    with pytest.raises(DirectoryInUse, match=f"held by process {os.getpid()}") as caught:
        OsDisk(tmp_path)
    assert "Next: stop that node" in str(caught.value)
    first.close()
    OsDisk(tmp_path).close()


def _hold_and_die(directory: Path) -> None:
    OsDisk(directory)
    os._exit(9)


def test_a_process_that_died_holds_no_directory(tmp_path: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(tmp_path,))
    child.start()
    child.join()
    assert child.exitcode == 9
    OsDisk(tmp_path).close()


def test_a_read_only_disk_needs_no_lock_and_writes_nothing(tmp_path: Path) -> None:
    writer = OsDisk(tmp_path / "data")
    writer.replace("file", b"here")
    reader = OsDisk(tmp_path / "data", read_only=True)
    assert reader.read("file", 0, 9) == b"here"
    with pytest.raises(DiskFailed, match="reading only"):
        reader.append("file", [b"x"])
    OsDisk(tmp_path / "absent", read_only=True)
    assert not (tmp_path / "absent").exists()


def test_a_closed_disk_refuses_to_write(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    disk.replace("file", b"")
    disk.close()
    disk.close()
    with pytest.raises(DiskFailed, match="or closed"):
        disk.append("file", [b"x"])


def test_an_unfinished_replacement_is_cleared_away_and_the_lock_is_no_file_of_ours(
    tmp_path: Path,
) -> None:
    left = tmp_path / f"file{TEMPORARY_SUFFIX}"
    left.write_bytes(b"half")
    reader = OsDisk(tmp_path, read_only=True)
    assert reader.names() == []
    disk = OsDisk(tmp_path)
    assert not left.exists()
    assert disk.names() == []
    assert (tmp_path / LOCK_NAME).exists()


def test_a_failed_sync_is_never_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def refuse(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(5, "Input/output error")

    disk = OsDisk(tmp_path)
    disk.replace("file", b"")
    monkeypatch.setattr(os, "fdatasync", refuse)
    for _ in range(3):
        with pytest.raises(DiskFailed, match=r"expected sync of .file. to succeed, was: .*Errno 5"):
            disk.sync("file")
    assert len(calls) == 1


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_writev, whole_write, whole_pwrite = os.writev, os.write, os.pwrite
    disk = OsDisk(tmp_path)
    disk.replace("file", b"....")
    monkeypatch.setattr(
        os, "writev", lambda file, parts: whole_writev(file, [parts[0], parts[1][:2]])
    )
    monkeypatch.setattr(os, "write", lambda file, part: whole_write(file, part[:3]))
    monkeypatch.setattr(os, "pwrite", lambda file, part, at: whole_pwrite(file, part[:1], at))
    disk.append("file", [b"ab", b"cdefg", b"hijkl"])
    disk.overwrite("file", 1, b"12")
    assert disk.read("file", 0, 50) == b".12.abcdefghijkl"


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskFailed, match="expected open of"):
        OsDisk(tmp_path / "file" / "data")


# The log on the real directory.


def test_a_log_on_a_directory_survives_reopening_and_notices_a_flipped_byte(
    tmp_path: Path,
) -> None:
    disk = OsDisk(tmp_path)
    log = Log.open(disk, segment_bytes_max=RECORDS_OFFSET + 5000)
    for number in range(40):
        log.append(1, bytes([number]) * 400)
        log.sync()
    log.close()
    disk.close()
    disk = OsDisk(tmp_path)
    log = Log.open(disk)
    assert [record.payload[0] for record in log.records()] == list(range(40))
    disk.close()
    name = sorted(path.name for path in tmp_path.glob("log-*"))[1]
    with (tmp_path / name).open("r+b") as file:
        file.seek(RECORDS_OFFSET + HEADER_BYTES)
        file.write(b"\xff")
    with pytest.raises(LogCorrupt) as caught:
        Log.open(OsDisk(tmp_path, read_only=True), read_only=True)
    assert (caught.value.segment, caught.value.offset) == (name, RECORDS_OFFSET)


def _append_until_killed(directory: Path, acknowledged: Path) -> None:
    log = Log.open(OsDisk(directory), segment_bytes_max=RECORDS_OFFSET + 5000)
    with acknowledged.open("wb", buffering=0) as file:
        for number in range(50):
            log.append(1, bytes([number]) * 300)
            if number % 3 == 2:
                file.write(b"%d\n" % log.sync().sequence)
    os._exit(9)


def test_a_process_that_dies_between_append_and_sync_leaves_a_whole_log(tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"
    child = multiprocessing.get_context("spawn").Process(
        target=_append_until_killed, args=(tmp_path / "data", acknowledged)
    )
    child.start()
    child.join()
    log = Log.open(OsDisk(tmp_path / "data"))
    assert log.tail.sequence == int(acknowledged.read_text().split()[-1]) == 48
    assert [record.payload[0] for record in log.records()] == list(range(48))
