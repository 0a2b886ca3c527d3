"""How an account is margined, from outside: what reads say, and the owner's change of it."""

import pytest

from clearing.codes import Code, Mode
from node.v1 import node_pb2 as pb
from node.wire import account_message
from novatio import BadRequest, LocalSigner, NotFound
from tests.novatio.house import BUYER, SELLER
from tests.novatio.test_cli import shown
from tests.support.options import OptionWorld

NAMES = ("cross", "isolated", "portfolio")


@pytest.fixture
def back(house):
    """Account 0 is margined as it was before the test."""
    yield
    if house.client.account(0).mode != pb.MARGIN_MODE_CROSS:
        house.client.set_mode(0, "cross").raise_for_rejection()


def mode_shown(house):
    return shown(house.cli("account", "show", 0, "-o", "json"))["mode"]


@pytest.mark.parametrize("mode", Mode)
def test_an_account_tells_its_mode_by_the_name_that_the_law_gives_it(mode):
    world = OptionWorld()
    alice = world.trader("alice")
    world.account(alice).mode = mode
    found = account_message(world.state, alice.account).mode
    assert pb.MarginMode.Name(found) == f"MARGIN_MODE_{mode.name}"


def test_an_owner_sets_the_mode_by_its_name_or_its_number(house, back):
    assert mode_shown(house) == "cross"
    assert house.client.set_mode(0, "portfolio").applied
    assert mode_shown(house) == "portfolio"
    assert house.client.set_mode(0, Mode.ISOLATED).applied
    assert mode_shown(house) == "isolated"
    [account] = [one for one in house.client.accounts() if one.id == 0]
    assert account.mode == pb.MARGIN_MODE_ISOLATED


def test_the_command_sets_each_mode_and_every_form_of_output_shows_it(house, back):
    for name in ("isolated", "portfolio", "cross"):
        done = house.cli("account", "set-mode", 0, name, "-o", "json", key=SELLER)
        assert [one["name"] for one in shown(done)["outcomes"]] == ["APPLIED"]
        assert done.stderr.strip() == "next: novatio account show 0"
        assert mode_shown(house) == name
        table = house.cli("account", "show", 0).stdout.splitlines()
        assert ["mode", name] in [line.split() for line in table]
        head, row = house.cli("account", "show", 0, "-o", "csv").stdout.splitlines()
        assert row.split(",")[head.split(",").index("mode")] == name


def test_the_mode_that_an_account_has_is_refused_with_the_numbers(house):
    outcome = house.client.set_mode(0, "cross")
    assert outcome.code == Code.ACCOUNT_MODE
    assert (outcome.operands["mode"], outcome.operands["wanted_mode"]) == ("0", "0")
    refused = house.cli("account", "set-mode", 0, "cross", key=SELLER)
    assert refused.exit_code == 4
    assert "account 0 is margined cross" in refused.stderr


def test_only_the_owner_sets_the_mode(house):
    outcome = house.client.set_mode(0, "portfolio", signer=LocalSigner(BUYER))
    assert outcome.code == Code.BAD_SIGNATURE
    assert mode_shown(house) == "cross"


def test_a_word_that_is_no_mode_is_told_from_those_that_are(house):
    with pytest.raises(BadRequest, match="expected one of cross, isolated, portfolio, was 'net'"):
        house.client.set_mode(0, "net")
    wrong = house.cli("account", "set-mode", 0, "net")
    assert wrong.exit_code == 2
    assert all(f"'{name}'" in wrong.stderr for name in NAMES)
    outcome = house.client.set_mode(99, "isolated")
    assert outcome.code == Code.NO_ACCOUNT
    with pytest.raises(NotFound):
        house.client.account(99)
