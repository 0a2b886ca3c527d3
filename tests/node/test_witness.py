"""A log that lacks what was promised out of it is refused, whoever remembers the promise."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.errors import DiskFailed, LogBehind, LogCorrupt
from node.log import BLOCK_BYTES, RECORDS_OFFSET, Log, Tail
from node.witness import NAME, Witness, require_posted
from simulator.disk import SimDisk, SimulatedCrash
from tests.node.scenario import price, trade
from tests.node.service import Client
from tests.node.test_poster import ABOUT_FINAL, Setting

SMALL = RECORDS_OFFSET + 1_500


class Node:
    """A log and its witness, each on a disk of its own."""

    def __init__(self, seed: int = 1) -> None:
        self.disk = SimDisk(random.Random(seed))
        self.witness_disk = SimDisk(random.Random(-seed))
        self.log = self.open()

    def open(self, disk: SimDisk | None = None) -> Log:
        witness = Witness.open(self.witness_disk)
        return Log.open(disk or self.disk, segment_bytes_max=SMALL, witness=witness)

    def fill(self, groups: int) -> None:
        for _ in range(groups):
            self.log.append(1, random.Random(self.log.tail.sequence).randbytes(300))
            self.log.sync()


def test_an_emptied_log_is_refused_untouched_and_a_whole_one_goes_on():
    node = Node()
    node.fill(9)
    empty = SimDisk(random.Random(2))
    with pytest.raises(LogBehind, match=r"the witness holds record 9 .* was: no such record"):
        node.open(empty)
    assert empty.names() == []
    assert node.open().durable_tail.sequence == 9


def test_an_older_copy_of_the_log_is_refused_to_the_last_record():
    node = Node()
    node.fill(3)
    copies = []
    for _ in range(8):
        copies.append(node.disk.twin())
        node.fill(1)
    for copy in copies:
        with pytest.raises(LogBehind, match="record 11 "):
            node.open(copy)
    assert node.open(node.disk.twin()).durable_tail.sequence == 11


def test_a_log_of_another_history_of_the_same_length_is_refused():
    node, other = Node(1), Node(2)
    node.fill(2)
    other.log.append(9, b"something else")
    other.fill(1)
    with pytest.raises(LogBehind, match=f"was: hash {other.log.durable_tail.hash.hex()}"):
        node.open(other.disk)


@pytest.mark.parametrize("power_loss", [False, True])
def test_after_a_crash_at_any_write_the_log_is_accepted_and_what_was_synced_with_it_missed(
    power_loss,
):
    reference = Node()
    reference.fill(12)
    operations = reference.disk.operations + reference.witness_disk.operations
    for crash in range(1, operations):
        node = Node(crash)
        crashing = node.witness_disk if crash % 2 else node.disk
        crashing.crash_at(crash // 2 + 1)
        synced = 0
        try:
            for _ in range(6):
                node.fill(2)
                node.log.sync_witness()
                synced = node.log.durable_tail.sequence
        except SimulatedCrash:
            pass
        for disk in (node.disk, node.witness_disk):
            disk.restart(power_loss=power_loss)
        again = node.open()
        assert again.durable_tail.sequence >= synced
        if synced:
            with pytest.raises(LogBehind):
                node.open(SimDisk(random.Random(0)))


def test_one_damaged_note_costs_nothing_and_two_are_said():
    node = Node()
    node.fill(4)
    for slot in range(2):
        node.witness_disk.flip_bit(NAME, slot * BLOCK_BYTES + 9, 3)
        if slot == 0:
            node.open()
            # The opening repaired it; damage it again, for good.
            node.witness_disk.flip_bit(NAME, 9, 3)
    with pytest.raises(LogCorrupt, match="two damaged"):
        Witness.open(node.witness_disk)


def test_a_witness_that_cannot_be_synced_stops_the_node():
    node = Node()
    node.fill(1)
    node.witness_disk.fail_sync_at(1)
    with pytest.raises(DiskFailed):
        node.log.sync_witness()


def test_a_new_log_has_promised_nothing():
    witness = Witness.open(SimDisk(random.Random(1)))
    assert witness.tail is None
    witness.note(Tail(1, bytes(32)))
    witness.sync()


@pytest.fixture(scope="module")
def posted() -> Setting:
    """A node with two batches on the base layer, the first of them final."""
    setting = Setting()
    setting.tick(8)
    setting.seal(price(setting.shell.now_ms), trade(1))
    setting.tick(ABOUT_FINAL)
    setting.seal(price(setting.shell.now_ms), trade(2))
    setting.tick(3)
    heads = setting.base.heads()
    assert (heads.finalised_number, heads.tip_number) == (1, 2)
    return setting


def test_a_log_with_every_posted_batch_and_more_is_accepted(posted: Any):
    require_posted(posted.base, tuple(posted.shell.seals))
    more = replace(posted.shell.seals[-1], number=3)
    require_posted(posted.base, (*posted.shell.seals, more))


@pytest.mark.parametrize("kept", [0, 1])
def test_a_log_without_a_posted_batch_is_refused(posted: Any, kept):
    with pytest.raises(LogBehind, match=rf"the base layer holds batch {kept + 1} .*batch {kept}"):
        require_posted(posted.base, tuple(posted.shell.seals[:kept]))


def test_a_log_of_another_history_than_the_final_one_is_refused(posted: Any):
    first, second = posted.shell.seals
    with pytest.raises(LogBehind, match="holds batch 1 with root"):
        require_posted(posted.base, (replace(first, post_root=bytes(32)), second))


def test_a_node_whose_log_directory_was_emptied_or_restored_does_not_start(tmp_path: Path):
    client = Client(tmp_path).fund()
    client.stop()
    data = tmp_path / "data"
    shutil.copytree(data / "log", tmp_path / "older")
    again = Client(tmp_path)
    again.submit(trade(1))
    again.stop()
    shutil.rmtree(data / "log")
    with pytest.raises(LogBehind, match="the witness"):
        Client(tmp_path)
    shutil.copytree(tmp_path / "older", data / "log", dirs_exist_ok=True)
    with pytest.raises(LogBehind, match="the witness"):
        Client(tmp_path)
    # Without the witness the view remembers, too.
    shutil.rmtree(data / "witness")
    with pytest.raises(LogBehind, match="the view"):
        Client(tmp_path)
