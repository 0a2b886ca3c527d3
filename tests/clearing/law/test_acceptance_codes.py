"""The protocol's table, the source and the tests name one and the same set of acceptance codes."""

import re
from pathlib import Path

from clearing.codes import ACCEPTANCE, Code

ROOT = Path(__file__).parents[3]
TABLE_ROW = re.compile(r"^\| (\d+) \| ([A-Z_]+) \| (CLR-[A-Z]{3}-\d{3}) \|", re.MULTILINE)
TEST_NAME = re.compile(r"^def test_\w+?((?:_clr_[a-z]{3}_\d{3})+)\(", re.MULTILINE)


def declared():
    """(number, name, acceptance) of every rejection in the source."""
    return [(code.value, code.name, ACCEPTANCE[code]) for code in Code if code != Code.APPLIED]


def test_the_protocol_declares_the_codes_of_the_source_in_their_order():
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    rows = [(int(number), name, code) for number, name, code in TABLE_ROW.findall(text)]
    assert rows == declared()


def test_no_two_codes_share_an_acceptance():
    assert len(set(ACCEPTANCE.values())) == len(ACCEPTANCE) == len(Code) - 1


def test_every_code_is_proven_by_a_test_that_carries_it():
    proven = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for suffix in TEST_NAME.findall(path.read_text("utf-8")):
            proven |= set(re.findall(r"clr_[a-z]{3}_\d{3}", suffix))
    assert {code.upper().replace("_", "-") for code in proven} == set(ACCEPTANCE.values())
