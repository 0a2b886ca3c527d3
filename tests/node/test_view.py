"""The view answers what the log says, and admits it when it cannot."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import plyvel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DiskFailed, LogBehind, ViewCorrupt
from node.log import EMPTY_TAIL, Log, Record, Tail
from node.view import KEY_BYTES_MAX, CatchUp, View, catch_up, destroy_view, open_view
from simulator.disk import SimDisk

MARK = Tail(7, bytes(range(32)))


@pytest.fixture
def view(tmp_path: Path) -> Iterator[View]:
    view = View(tmp_path / "view")
    yield view
    view.close()


def new_log(count: int, kind: int = 1) -> Log:
    log = Log.open(SimDisk(random.Random(1)))
    for number in range(count):
        log.append(kind, b"account %d has %d" % (number % 5, number))
    log.sync()
    return log


def fold(record: Record) -> list[tuple[bytes, bytes]]:
    words = record.payload.split()
    return [(words[1], words[3]), (b"kind", bytes([record.kind]))]


def content(view: View) -> dict[bytes, bytes]:
    return dict(view.scan())


# Putting and getting.


def test_an_empty_view_stands_before_the_first_record(view: View) -> None:
    assert view.watermark() == EMPTY_TAIL
    assert view.get(b"key") is None
    assert content(view) == {}


def test_puts_and_watermark_are_applied_together(view: View) -> None:
    view.apply([(b"a", b"1"), (b"b", b""), (b"a", b"2")], MARK)
    assert (view.get(b"a"), view.get(b"b"), view.get(b"c")) == (b"2", b"", None)
    assert view.watermark() == MARK


def test_a_key_named_like_the_watermark_is_an_ordinary_key(view: View) -> None:
    view.apply([(b"watermark", b"mine"), (b"", b"empty")], MARK)
    assert view.watermark() == MARK
    assert content(view) == {b"": b"empty", b"watermark": b"mine"}


def test_the_view_survives_reopening(tmp_path: Path) -> None:
    view = View(tmp_path / "deep" / "view")
    view.apply([(b"a", b"1")], MARK)
    view.close()
    view.close()
    view = View(tmp_path / "deep" / "view")
    assert (view.get(b"a"), view.watermark()) == (b"1", MARK)
    view.close()


def test_a_scan_yields_a_prefix_in_order_from_a_start_up_to_a_limit(view: View) -> None:
    pairs = [(key, b"v" + key) for key in (b"a", b"b", b"b1", b"b2", b"b\xff\xff", b"c")]
    view.apply(pairs, MARK)
    assert list(view.scan(b"b")) == pairs[1:5]
    assert list(view.scan(b"b", start=b"b2")) == pairs[3:5]
    assert list(view.scan(b"b", start=b"a")) == pairs[1:5]
    assert list(view.scan(b"b", start=b"c")) == []
    assert list(view.scan(b"b\xff")) == pairs[4:5]
    assert list(view.scan(start=b"b2", limit=2)) == pairs[3:5]
    assert list(view.scan(limit=0)) == []
    with pytest.raises(ValueError, match="limit: expected at least 0"):
        next(view.scan(limit=-1))


@given(
    keys=st.dictionaries(st.binary(max_size=3), st.binary(max_size=9), max_size=20),
    prefix=st.binary(max_size=2),
    start=st.binary(max_size=3),
    limit=st.none() | st.integers(0, 5),
)
def test_a_scan_equals_the_sorted_filtered_map(
    tmp_path_factory: pytest.TempPathFactory,
    keys: dict[bytes, bytes],
    prefix: bytes,
    start: bytes,
    limit: int | None,
) -> None:
    view = View(tmp_path_factory.mktemp("scan") / "view")
    view.apply(keys.items(), MARK)
    expected = [(key, keys[key]) for key in sorted(keys) if key.startswith(prefix) and key >= start]
    assert list(view.scan(prefix, start, limit)) == expected[:limit]
    view.close()


def test_a_key_or_value_beyond_its_limit_is_refused_and_nothing_is_applied(view: View) -> None:
    for pair in ((bytes(KEY_BYTES_MAX + 1), b""), (b"key", bytes(16 * 2**20 + 1))):
        with pytest.raises(ValueError, match="put: expected a key of at most 1024"):
            view.apply([(b"before", b"1"), pair], MARK)
    assert content(view) == {}
    assert view.watermark() == EMPTY_TAIL


def test_destroying_leaves_an_empty_view_and_the_files_of_others(tmp_path: Path) -> None:
    view = View(tmp_path)
    (tmp_path / "notes").write_text("mine")
    view.apply([(b"a", b"1")], MARK)
    view.destroy_and_recreate()
    assert (content(view), view.watermark()) == ({}, EMPTY_TAIL)
    assert (tmp_path / "notes").read_text() == "mine"
    view.close()


# Catching up with the log and rebuilding.


def test_a_view_that_lags_is_caught_up_from_its_watermark(tmp_path: Path) -> None:
    log = new_log(10)
    view, found = open_view(tmp_path / "view", log, fold)
    assert found == CatchUp(None, 10)
    log.append(2, b"account 0 has 99")
    log.sync()
    assert catch_up(view, log, fold) == CatchUp(None, 1)
    assert view.watermark() == log.durable_tail
    assert view.get(b"0") == b"99"
    assert catch_up(view, log, fold) == CatchUp(None, 0)
    view.close()


def test_a_rebuilt_view_equals_the_original(tmp_path: Path) -> None:
    log = new_log(40)
    view, _ = open_view(tmp_path / "view", log, fold)
    original = content(view)
    assert original == {
        **{b"%d" % number: b"%d" % (35 + number) for number in range(5)},
        b"kind": b"\x01",
    }
    view.destroy_and_recreate()
    assert catch_up(view, log, fold) == CatchUp(None, 40)
    assert content(view) == original
    view.close()


def test_a_view_of_another_log_is_rebuilt(tmp_path: Path) -> None:
    view, _ = open_view(tmp_path / "view", new_log(10, kind=2), fold)
    view.apply([(b"foreign", b"1")], view.watermark())
    log = new_log(12)
    found = catch_up(view, log, fold)
    assert found.records == 12
    assert "the view is of another log" in str(found.rebuilt_because)
    assert view.get(b"foreign") is None
    assert view.get(b"kind") == b"\x01"
    view.close()


def test_a_log_that_lacks_what_its_view_has_seen_is_refused(tmp_path: Path) -> None:
    view, _ = open_view(tmp_path / "view", new_log(12), fold)
    view.close()
    with pytest.raises(LogBehind, match=r"the view holds record 12 .* ends with record 10"):
        open_view(tmp_path / "view", new_log(10), fold)
    # Nothing was thrown away, and the store was let go of.
    view, found = open_view(tmp_path / "view", new_log(12), fold)
    assert found == CatchUp(None, 0)
    view.close()


# Damage.


def store_raw(directory: Path, key: bytes, value: bytes) -> None:
    store = plyvel.DB(str(directory))
    store.put(key, value)
    store.close()


def read_raw(directory: Path, key: bytes) -> bytes:
    store = plyvel.DB(str(directory))
    value = store.get(key)
    store.close()
    return bytes(value)


def test_every_flipped_bit_of_a_stored_value_is_found_on_reading(tmp_path: Path) -> None:
    view = View(tmp_path)
    view.apply([(b"key", b"value")], MARK)
    view.close()
    sealed = read_raw(tmp_path, b"vkey")
    assert len(sealed) == 4 + len(b"value")
    for position in range(len(sealed) * 8):
        damaged = bytearray(sealed)
        damaged[position // 8] ^= 1 << position % 8
        store_raw(tmp_path, b"vkey", bytes(damaged))
        view = View(tmp_path)
        with pytest.raises(ViewCorrupt, match=r"key 6b6579: expected CRC .* was: CRC") as caught:
            view.get(b"key")
        assert caught.value.key == b"key"
        with pytest.raises(ViewCorrupt):
            list(view.scan())
        view.close()


def test_a_value_that_ended_up_under_another_key_is_found(tmp_path: Path) -> None:
    view = View(tmp_path)
    view.apply([(b"key", b"value")], MARK)
    view.close()
    store_raw(tmp_path, b"vother", read_raw(tmp_path, b"vkey"))
    store_raw(tmp_path, b"vshort", b"\0")
    view = View(tmp_path)
    for key in (b"other", b"short"):
        with pytest.raises(ViewCorrupt):
            view.get(key)
    assert view.get(b"key") == b"value"
    view.close()


def test_a_damaged_watermark_is_a_reason_to_rebuild(tmp_path: Path) -> None:
    log = new_log(6)
    view, _ = open_view(tmp_path, log, fold)
    view.close()
    store_raw(tmp_path, b"watermark", bytes(44))
    view, found = open_view(tmp_path, log, fold)
    assert "expected CRC" in str(found.rebuilt_because)
    assert found.records == 6
    view.close()


def served_or_refused(directory: Path) -> dict[bytes, bytes] | None:
    """What a view serves, by scan and by get; None when it admits to be damaged."""
    try:
        view = View(directory)
        try:
            pairs = content(view)
            assert {key: view.get(key) for key in pairs} == pairs
            view.watermark()
            return pairs
        finally:
            view.close()
    except ViewCorrupt:
        return None


@pytest.mark.parametrize("kind", ["*.log", "*.ldb"])
def test_no_flipped_byte_in_the_files_of_the_store_makes_it_serve_a_wrong_value(
    tmp_path: Path, kind: str
) -> None:
    log = new_log(60)
    view, _ = open_view(tmp_path / "view", log, fold)
    original = content(view)
    view.close()
    if kind == "*.ldb":
        store = plyvel.DB(str(tmp_path / "view"))
        store.compact_range()
        store.close()
    name = max((tmp_path / "view").glob(kind), key=lambda path: path.stat().st_size).name
    data = (tmp_path / "view" / name).read_bytes()
    refused = 0
    for offset in range(0, len(data), max(1, len(data) // 60)):
        twin = tmp_path / "twin"
        shutil.copytree(tmp_path / "view", twin)
        damaged = bytearray(data)
        damaged[offset] ^= 1
        (twin / name).write_bytes(damaged)
        found = served_or_refused(twin)
        refused += found is None
        rebuilt, _ = open_view(twin, log, fold)
        if found is None:
            rebuilt.destroy_and_recreate()
            catch_up(rebuilt, log, fold)
        assert content(rebuilt) == original
        rebuilt.close()
        shutil.rmtree(twin)
    assert refused > 0


def test_a_store_that_cannot_be_opened_is_rebuilt(tmp_path: Path) -> None:
    log = new_log(6)
    view, _ = open_view(tmp_path, log, fold)
    original = content(view)
    view.close()
    (tmp_path / "CURRENT").write_bytes(b"garbage")
    with pytest.raises(ViewCorrupt, match="the store itself"):
        View(tmp_path)
    view, found = open_view(tmp_path, log, fold)
    assert found.records == 6
    assert "makes the view anew from the log" in str(found.rebuilt_because)
    assert content(view) == original
    view.close()


def test_a_view_that_is_open_already_is_refused(view: View) -> None:
    with pytest.raises(DiskFailed, match=r"(?i)lock"):
        View(view.directory)
    with pytest.raises(DiskFailed, match=r"(?i)lock"):
        destroy_view(view.directory)
