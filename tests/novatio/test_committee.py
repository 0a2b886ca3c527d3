"""A data committee as daemons on loopback, and its commands."""

import itertools
import json
import signal
import stat

import pytest

from clearing.keys import address_of
from clearing.messages import decode_step
from node.committee import addresses_of, load_committee
from node.config import ConfigInvalid
from novatio.settings import load_settings
from prover.replica import Verdict
from tests.novatio.house import SELLER, WAIT_SECONDS, House
from tests.novatio.test_processes import cli, free_port, processes, until
from tests.support.committee import committee_of, committee_text, member_of, secret_of
from verifier import bls
from verifier.base.transactions import Faucet
from verifier.batch import Step, decode_pairs
from verifier.committee import Committee, Member
from verifier.header import DATA_COMMITTEE, DATA_INLINE, Header
from verifier.withheld import answer_closes, ask_closes

__all__ = ["processes"]


@pytest.fixture
def ports():
    return [free_port() for _ in range(3)]


@pytest.fixture
def house(tmp_path, ports):
    members = ",".join(f"127.0.0.1:{port}" for port in ports)
    # A third of the window is time enough for a person.
    made = House(
        tmp_path,
        members=members,
        committee=committee_of(),
        challenge_window_blocks=9_000,
        max_unfinalised=9_100,
        freeze_lag_ms=10**7,
        law_delay_ms=10**8,
        exit_claim_blocks=9_000,
        exit_end_blocks=20_000,
    )
    yield made
    made.stop()


def start_member(house, processes, place, port, *sets):
    key = house.directory / f"member-{place}.key"
    key.touch(mode=0o600)
    key.write_text(secret_of(place).hex())
    return processes(
        "committee", "member",
        "--set", f"member.base={house.base_server.address}",
        "--set", f"member.listen=127.0.0.1:{port}",
        "--set", f"member.key_file={key}",
        "--set", f"member.data_dir={house.directory / f'member-{place}'}",
        *(part for one in sets for part in ("--set", one)),
    )  # fmt: skip


def kinds(house):
    views = house.base.batches(1, 100)
    return [Header.decode(view.record.header).data_kind for view in views]


def until_held(house):
    """Go on trading until members hold a batch; return its number."""
    prices = itertools.count(4_001)

    def holds():
        if DATA_COMMITTEE not in kinds(house):
            house.publish(str(next(prices)))
        return DATA_COMMITTEE in kinds(house)

    house.until(holds)
    return 1 + kinds(house).index(DATA_COMMITTEE)


def serving(house):
    shown = json.loads(house.cli("committee", "status", "-o", "json").stdout)
    return [row["state"] for row in shown["members"]]


def test_members_hold_what_the_node_seals_and_the_challenger_judges_it(house, processes, ports):
    house.open_accounts()
    house.until(lambda: len(kinds(house)) > 0)
    # Nobody is there yet, and nobody waits for them.
    assert set(kinds(house)) == {DATA_INLINE}

    # Two of three are a quorum.
    daemons = [start_member(house, processes, place, ports[place]) for place in (0, 2)]
    for daemon in daemons:
        until(lambda: serving(house) == ["serving", "unreachable", "serving"], daemon)
    shown = house.cli("committee", "status")
    assert shown.exit_code == 0 and "unreachable" in shown.stdout

    number = until_held(house)
    header = Header.decode(house.base.batches(number, 1)[0].record.header)
    assert len(house.base.batch_data(header.batch_id())) == 64 * header.step_count

    verified = house.cli("batch", "verify", number, "-o", "json")
    assert json.loads(verified.stdout)["verdict"] == Verdict.VALID.name
    # Without the members it cannot be judged, and says so.
    (house.directory / "alone.toml").write_text(
        f'[client]\nbase = "{house.base_server.address}"\n'
        f'genesis = "{house.directory / "genesis.json"}"\n'
    )
    alone = cli("--config", house.directory / "alone.toml", "batch", "verify", number)
    assert alone.exit_code == 5 and "committee" in alone.stderr

    for daemon in daemons:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(WAIT_SECONDS) == 0
    assert house.cli("committee", "status").exit_code == 5


def test_a_member_takes_up_its_data_after_a_restart(house, processes, ports):
    house.open_accounts()
    daemons = [start_member(house, processes, place, ports[place]) for place in (0, 1)]
    until(lambda: serving(house)[:2] == ["serving", "serving"], daemons[0])
    number = until_held(house)
    for daemon in daemons:
        daemon.kill()
        daemon.wait()
    again = start_member(house, processes, 0, ports[0])
    until(lambda: serving(house)[0] == "serving", again)
    assert house.cli("batch", "verify", number).exit_code == 0


def test_a_person_asks_for_a_step_and_the_node_answers(house, processes, ports):
    house.open_accounts()
    daemons = [start_member(house, processes, place, ports[place]) for place in (0, 1)]
    until(lambda: serving(house)[:2] == ["serving", "serving"], daemons[0])
    asked = house.cli("committee", "ask", until_held(house), 0, "-o", "json", key=SELLER)
    assert asked.exit_code == 0, asked.stderr
    shown = json.loads(asked.stdout)
    assert shown["events"] == "StepAsked"
    name = bytes.fromhex(shown["batch_id"].removeprefix("0x"))

    def states():
        listed = house.cli("committee", "asks", shown["batch_id"], "-o", "json")
        return [row["state"] for row in json.loads(listed.stdout)["asks"]]

    house.until(lambda: states() == ["answered"])
    header = Header.decode(house.base.batch(name).record.header)
    pairs = decode_pairs(house.base.batch_data(name) or b"", header.step_count)
    time_ms, actions = decode_step(house.base.answered(name, 0) or b"")
    assert Step(time_ms, tuple(actions)).hash() == pairs[0].step_hash
    late = house.cli("committee", "settle", shown["batch_id"], 0, key=SELLER)
    assert late.exit_code != 0 and "NO_OPEN_ASK" in late.stderr


def test_anyone_answers_with_what_members_show_while_the_node_is_away(house, processes, ports):
    house.open_accounts()
    daemons = [start_member(house, processes, place, ports[place]) for place in (0, 1)]
    until(lambda: serving(house)[:2] == ["serving", "serving"], daemons[0])
    number = until_held(house)
    house.node.poster.stop()
    assert house.cli("committee", "ask", number, 0, key=SELLER).exit_code == 0
    beyond = house.cli("committee", "answer", number, 10**6, key=SELLER)
    assert beyond.exit_code != 0 and "expected one below" in beyond.stderr
    answered = house.cli("committee", "answer", number, 0, "-o", "json", key=SELLER)
    assert json.loads(answered.stdout)["events"] == "StepAnswered", answered.stderr
    name = house.base.batches(number, 1)[0].record.batch_id
    assert house.base.batch(name).open_asks == 0


def test_members_answer_by_themselves_while_the_node_is_away(house, processes, ports):
    house.open_accounts()
    payers = [bytes([8] * 31 + [place]) for place in (0, 1)]
    for key in payers:
        house.send(key, Faucet(address_of(key), 10**13, 0))
    files = {place: house.key_file(key) for place, key in enumerate(payers)}
    daemons = [
        start_member(
            house, processes, place, ports[place],
            f"member.answer_key_file={files[place]}", "member.poll_ms=20",
        )
        for place in files
    ]  # fmt: skip
    until(lambda: serving(house)[:2] == ["serving", "serving"], daemons[0])
    number = until_held(house)
    house.node.poster.stop()
    name = house.base.batches(number, 1)[0].record.batch_id
    # A member's turn is a share of the time that is left: asked late, it comes soon.
    posted = house.base.batch(name).record.posted_block
    last = ask_closes(house.base.config().challenge_window_blocks, posted)
    house.base.mine(last - house.base.head().number - 20)
    assert house.cli("committee", "ask", number, 0, key=SELLER).exit_code == 0
    closes = answer_closes(house.base.config().challenge_window_blocks, posted)
    house.base.mine((closes - house.base.head().number) // 2)
    house.until(lambda: house.base.batch(name).open_asks == 0)
    assert sum(house.base.credit(address_of(key)) > 0 for key in payers) == 1
    assert house.base.answered(name, 0) is not None


# The commands and files without a house.


def test_a_key_is_made_once_and_kept_from_others(tmp_path):
    file = tmp_path / "member.key"
    made = cli("committee", "keygen", file, "-o", "json")
    assert made.exit_code == 0
    shown = json.loads(made.stdout)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = bytes.fromhex(file.read_text().strip().removeprefix("0x"))
    key, proof = (bytes.fromhex(shown[name][2:]) for name in ("public_key", "proof"))
    assert bls.public_key(secret) == key and bls.verify_possession(key, proof)
    assert cli("committee", "keygen", file).exit_code != 0
    assert secret.hex() not in made.stdout


def test_a_committee_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "committee.json"
    path.write_text(committee_text(committee_of()))
    assert load_committee(path) == committee_of()


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "expected the JSON"),
        ('{"members": []}', "threshold"),
        ('{"threshold": 1, "members": [{"public_key": "0xzz", "proof": ""}]}', "expected the JSON"),
        (committee_text(Committee((Member(member_of(0)[0], member_of(1)[1]),), 1)), "possession"),
        (committee_text(Committee((member_of(0),), 2)), "threshold of 1 to 1"),
    ],
    ids=["nothing", "no threshold", "no hex", "another's proof", "a threshold too high"],
)
def test_a_committee_file_is_refused(tmp_path, text, problem):
    path = tmp_path / "committee.json"
    path.write_text(text)
    with pytest.raises(ConfigInvalid, match=problem):
        load_committee(path)
    result = cli(
        "base", "--set", f"layer.committee={path}", "--set", f"layer.sequencer=0x{'11' * 20}",
        "--set", f"chain.genesis={tmp_path / 'none.json'}",
    )  # fmt: skip
    assert result.exit_code == 2


def test_a_missing_committee_file_is_named(tmp_path):
    with pytest.raises(ConfigInvalid, match="readable file"):
        load_committee(tmp_path / "none.json")


def test_plain_text_to_members_stays_on_the_machine(tmp_path):
    settings = tmp_path / "novatio.toml"
    settings.write_text('[client]\n[committee]\nmembers = "192.0.2.1:7405, nonsense"\n')
    with pytest.raises(ConfigInvalid) as refused:
        addresses_of(load_settings({"config": str(settings)}).committee)
    assert "loopback" in str(refused.value) and "host:port" in str(refused.value)


@pytest.mark.parametrize(
    "sets, problem",
    [
        ((), "key_file"),
        (("member.listen=192.0.2.1:7405", "member.key_file=x"), "loopback"),
        (("member.listen=nonsense", "member.key_file=x"), "host:port"),
    ],
    ids=["no key", "plain text beyond the machine", "no address"],
)
def test_a_member_says_what_is_missing(sets, problem):
    result = cli("committee", "member", *(part for one in sets for part in ("--set", one)))
    assert result.exit_code == 2 and problem in result.stderr
