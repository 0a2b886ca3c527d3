"""``novatio prove-table``: the table as people and programs read it."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from novatio.cli import main


def cli(*arguments):
    return CliRunner().invoke(main, ["prove-table", "--kind", "opening", *arguments])


def test_the_command_prints_a_row_for_each_change_and_what_caught_it():
    found = cli("-o", "json")
    assert found.exit_code == 0
    (first, *rest) = json.loads(found.stdout)["rows"]
    assert first == {
        "kind": "opening",
        "subject": "opening",
        "field": "globals_leaf",
        "mutation": "a bit flipped",
        "caught_by": "posting",
        "code": "WRONG_OPENING",
        "twin": "nothing",
        "holds": True,
    }
    assert [row["field"] for row in rest] == ["sub_roots", "length"]
    assert "[3/3]" in found.stderr
    assert "all 3 rows hold" in found.stderr


def test_the_same_rows_as_comma_separated_values():
    rows = list(csv.DictReader(io.StringIO(cli("-o", "csv").stdout)))
    assert [row["code"] for row in rows] == ["WRONG_OPENING", "WRONG_OPENING", "MALFORMED_OPENING"]


def test_a_row_that_does_not_hold_is_exit_code_6(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("prover.provability.house.check_bad_step", lambda header, evidence: True)
    found = cli("-o", "json")
    assert found.exit_code == 6
    assert [row["holds"] for row in json.loads(found.stdout)["rows"]] == [False] * 3
    assert "expected 3 rows to hold, was 0" in found.stderr
    assert "novatio prove-table --kind opening" in found.stderr


def test_a_kind_that_is_none_is_a_usage_error():
    found = CliRunner().invoke(main, ["prove-table", "--kind", "weather"])
    assert found.exit_code == 2
