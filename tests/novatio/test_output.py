"""What is printed: one set of rules for every command."""

import io
import json

import pytest

from novatio.output import colour_wanted, render, render_rows, time_text

RECORD = {
    "number": 3,
    "post_root": bytes(range(32)),
    "cash_micro": 2**62,
    "lots": -4,
    "fee_ppm": 500,
    "sealed_time_ms": 1_504_526_400_123,
    "ok": True,
    "error": None,
    "margin": {"equity_micro": 7},
    "positions": [{"symbol": "BTC-PERP", "lots": 1}],
}


def test_json_keeps_whole_hashes_and_writes_money_as_text():
    found = json.loads(render(RECORD, "json"))
    assert found["post_root"] == "0x" + bytes(range(32)).hex()
    assert found["cash_micro"] == str(2**62)
    assert found["lots"] == "-4"
    assert found["margin"]["equity_micro"] == "7"
    assert found["positions"] == [{"symbol": "BTC-PERP", "lots": "1"}]
    assert (found["number"], found["fee_ppm"], found["ok"], found["error"]) == (3, 500, True, None)


@pytest.mark.parametrize("value", [0, 7, 2**53, 2**62])
def test_the_type_of_an_amount_does_not_depend_on_its_size(value):
    assert json.loads(render({"equity_micro": value}, "json")) == {"equity_micro": str(value)}


def test_times_get_a_twin_in_rfc_3339():
    found = json.loads(render(RECORD, "json"))
    assert found["sealed_time_ms"] == 1_504_526_400_123
    assert found["sealed_time"] == "2017-09-04T12:00:00.123Z"


def test_the_time_that_is_none_has_no_twin():
    assert json.loads(render({"time_ms": 0}, "json")) == {"time_ms": 0, "time": None}


@pytest.mark.parametrize("time_ms", [-1, 2**62])
def test_a_time_beyond_the_calendar_is_shown_as_it_is(time_ms):
    assert time_text(time_ms) == f"{time_ms} ms"


def test_a_record_is_a_table_of_key_and_value_with_whole_hashes():
    lines = dict(line.split(maxsplit=1) for line in render(RECORD, "table").splitlines())
    assert lines["post_root"] == "0x" + bytes(range(32)).hex()
    assert lines["sealed_time"] == "2017-09-04T12:00:00.123Z"
    assert lines["margin.equity_micro"] == "7"
    assert lines["positions[0].symbol"] == "BTC-PERP"
    assert (lines["ok"], lines["error"]) == ("yes", "-")


def test_rows_align_under_their_headers_and_shorten_hashes():
    rows = [RECORD, RECORD | {"number": 12}]
    text = render_rows("batches", rows, "table", ("number", "post_root", "sealed_time_ms"))
    head, first, second = text.splitlines()
    assert head.split() == ["NUMBER", "POST_ROOT", "SEALED_TIME"]
    assert first == "     3  0x00010203..1d1e1f  2017-09-04T12:00:00.123Z"
    assert second.startswith("    12")


def test_an_empty_table_still_has_its_headers():
    assert render_rows("batches", [], "table", ("number", "post_root")) == "NUMBER  POST_ROOT"
    assert json.loads(render_rows("batches", [], "json")) == {"batches": []}


def test_long_bytes_are_shortened_in_rows_and_short_ones_are_not():
    assert "0x" + "ab" * 20 not in render_rows("x", [{"id": b"\xab" * 32}], "table")
    assert "0x" + "ab" * 10 in render_rows("x", [{"id": b"\xab" * 10}], "table")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colour_needs_a_terminal_and_no_objection():
    assert colour_wanted(Terminal(), {})
    assert not colour_wanted(Terminal(), {"NO_COLOR": "1"})
    assert not colour_wanted(io.StringIO(), {})
