"""Receipts, bonds and the inbox at the command line: a client against a sequencer who lied."""

import json

import pytest
from click.testing import CliRunner

from clearing.recovery import address_of
from novatio import LocalSigner
from novatio.cli import main
from novatio.receipts import Verdict, check_kept, read_receipt
from tests.novatio.house import PUBLISHER
from tests.verifier.court_world import ALICE, BOB, SEQUENCER, World
from tests.verifier.test_receipts import A, B, C, History, signed
from verifier.base.interface import InProcessBaseLayer
from verifier.base.service import BaseLayerServer, SteppedClock
from verifier.base.transactions import (
    AcceptHandover,
    NameSuccessor,
    OpenPosting,
    PutStake,
    RotateSequencer,
)


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "-o", "json"])


def shown(result):
    assert result.exit_code in (0, 6), result.stderr
    return json.loads(result.stdout)


def written(path, receipt):
    path.write_text(
        json.dumps(
            {
                "generation": receipt.generation,
                "count": receipt.count,
                "accumulator": "0x" + receipt.accumulator.hex(),
                "signature": receipt.signature.hex(),
            }
        )
    )
    return path


@pytest.fixture
def world():
    made = World()
    made.fund()
    made.send(SEQUENCER, PutStake())
    return made


@pytest.fixture
def served(world):
    """Serve a world whose history is made; from now on blocks come by themselves."""
    servers = []

    def serve():
        clock = SteppedClock(world.clock)
        world.chain.clock = clock
        servers.append(BaseLayerServer(world.chain, clock, block_time_ms=10))
        servers[0].start()
        return servers[0].address

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "alice.key"
    path.touch(mode=0o600)
    path.write_text(ALICE.hex())
    return path


def test_a_kept_receipt_is_told_in_plain_words(world, served, tmp_path):
    batch, (given, _) = History(world).post((A,), (B, C))
    file = written(tmp_path / "receipt.json", given)
    found = run("receipt", "check", file, "--base", served())
    assert found.exit_code == 0
    record = shown(found)
    assert (record["verdict"], record["batch"]) == ("kept", 1)
    assert record["batch_id"] == "0x" + batch.id.hex()
    assert record["stake_gwei"] == str(world.config.receipt_stake)
    assert "holds everything" in record["why"]


def test_a_broken_receipt_is_told_proven_and_paid(world, served, tmp_path, key):
    promised = History(world)
    promised.frame(A)
    History(world).post((B,), (C,))
    file = written(tmp_path / "receipt.json", promised.receipt())
    base = served()
    told = run("receipt", "check", file, "--base", base)
    assert told.exit_code == 6 and shown(told)["verdict"] == "broken"
    assert told.stderr.strip().splitlines()[-1] == f"next: novatio receipt prove {file}"
    proven = shown(run("receipt", "prove", file, "--base", base, "--key", key))
    half = str(world.config.receipt_stake // 2)
    assert proven["reward_gwei"] == half
    assert proven["winner"] == "0x" + address_of(ALICE).hex()
    again = run("receipt", "prove", file, "--base", base, "--key", key)
    # Blocks go on by themselves: the reward may or may not have waited long enough by now.
    told = again.stderr
    assert again.exit_code == 1 and ("NO_OLDER_COMMITMENT" in told or "REWARD_SETTLED" in told)
    listed = shown(run("bond", "list", "--base", base, "--key", key))
    assert [one["reward_gwei"] for one in listed["rewards"]] == [half]
    while world.chain.head().number <= proven["waits_until_block"]:
        pass
    claimed = shown(run("bond", "claim", "--base", base, "--key", key))
    assert (claimed["rewards_settled"], claimed["paid_gwei"]) == (1, half)


def test_two_receipts_that_contradict_each_other_are_proven_without_a_batch(
    world, served, tmp_path, key
):
    one = written(tmp_path / "one.json", signed(1, bytes(32)))
    two = written(tmp_path / "two.json", signed(1, b"\x01" * 32))
    base = served()
    assert shown(run("receipt", "check", one, "--base", base))["verdict"] == "pending"
    same = run("receipt", "prove", one, one, "--base", base, "--key", key)
    assert same.exit_code == 2 and "RECEIPT_NOT_BROKEN" in same.stderr
    proven = shown(run("receipt", "prove", one, two, "--no-commit", "--base", base, "--key", key))
    assert "two histories" in proven["broken"]


def test_a_receipt_of_a_generation_that_ended_is_void_and_a_fallen_batch_can_be_named(
    world, tmp_path
):
    promised = History(world)
    promised.frame(A)
    batch, _ = History(world).post((B,))
    world.prove(batch)
    base = InProcessBaseLayer(world.chain)
    receipt = read_receipt(written(tmp_path / "receipt.json", promised.receipt()))
    assert check_kept(base, receipt).verdict == Verdict.VOID
    named = check_kept(base, receipt, batch.id)
    assert named.verdict == Verdict.BROKEN and named.stake_gwei == 0
    History(world).post((C,))
    assert check_kept(base, receipt).verdict == Verdict.VOID
    # Posted again after the rollback, it is kept although it binds no more.
    world.prove(world.tip())
    promised_again = History(world)
    promised_again.post((A,))
    assert check_kept(base, receipt).verdict == Verdict.KEPT
    assert check_kept(base, signed(1, bytes(32), key=BOB)).verdict == Verdict.VOID


def test_a_rotated_key_is_held_to_its_word_by_what_the_next_one_posts(world, served, tmp_path, key):
    promised = History(world)
    promised.frame(A)
    world.send(SEQUENCER, RotateSequencer(address_of(BOB)))
    base = InProcessBaseLayer(world.chain)
    file = written(tmp_path / "receipt.json", promised.receipt())
    assert check_kept(base, read_receipt(file)).verdict == Verdict.PENDING
    History(world).post((B,), key=BOB)
    address = served()
    assert shown(run("receipt", "check", file, "--base", address))["verdict"] == "broken"
    proven = shown(run("receipt", "prove", file, "--base", address, "--key", key))
    assert proven["signer"] == "0x" + address_of(SEQUENCER).hex()


def test_a_handover_to_another_operator_voids_what_was_not_posted(world, served, tmp_path):
    promised = History(world)
    promised.frame(A)
    world.send(SEQUENCER, NameSuccessor(address_of(BOB)))
    world.chain.mine(world.config.reveal_window_blocks - 1)
    base, address = InProcessBaseLayer(world.chain), served()
    file = written(tmp_path / "receipt.json", promised.receipt())
    assert check_kept(base, read_receipt(file)).verdict == Verdict.PENDING
    assert world.send(BOB, AcceptHandover()).error is None
    assert check_kept(base, read_receipt(file)).verdict == Verdict.VOID
    History(world).post((B,), key=BOB)
    assert shown(run("receipt", "check", file, "--base", address))["verdict"] == "void"


def test_open_posting_after_a_rotation_voids_what_was_not_posted(world, tmp_path):
    promised = History(world)
    promised.frame(A)
    world.send(SEQUENCER, RotateSequencer(address_of(BOB)))
    world.now += world.config.open_lag_ms + 2_000
    world.send(ALICE, OpenPosting())
    base = InProcessBaseLayer(world.chain)
    receipt = read_receipt(written(tmp_path / "receipt.json", promised.receipt()))
    assert check_kept(base, receipt).verdict == Verdict.VOID
    History(world).post((B,), key=BOB)
    assert check_kept(base, receipt).verdict == Verdict.VOID


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"generation": 0, "count": "x"}'])
def test_a_file_that_is_no_receipt_is_a_mistake_of_usage(tmp_path, content):
    path = tmp_path / "receipt.json"
    path.write_text(content)
    found = run("receipt", "check", path, "--base", "127.0.0.1:1")
    assert found.exit_code == 2 and "novatio receipt get" in found.stderr


def test_a_stake_is_put_and_taken_back(world, served, key):
    base = served()
    put = shown(run("bond", "stake", "--base", base, "--key", key))
    assert (put["stake"], put["stake_gwei"]) == (1, str(world.config.receipt_stake))
    back = shown(run("bond", "unstake", "--base", base, "--key", key))
    assert (back["stake_gwei"], back["credit_gwei"]) == ("0", str(world.config.receipt_stake))


def test_the_inbox_tells_what_waits_and_until_when(world, served):
    world.deposit(ALICE, 5)
    world.post()
    world.deposit(BOB, 7)
    base = served()
    rows = shown(run("inbox", "list", "--base", base))["messages"]
    assert [(row["kind"], row["consumed"]) for row in rows] == [
        ("deposit", True), ("deposit", False),
    ]  # fmt: skip
    assert rows[0]["due_time_ms"] - rows[0]["time_ms"] == world.config.forced_delay_ms
    waiting = shown(run("inbox", "list", "--waiting", "--base", base))["messages"]
    assert [row["index"] for row in waiting] == [1]


def test_the_receipts_of_a_running_house_are_kept(house, tmp_path):
    signer = LocalSigner(PUBLISHER)
    seen = house.client.observation("BTC-PERP", "4000", "4000", signer=signer)
    [outcome] = house.client.submit([house.client.price("BTC-PERP", [seen])])
    file = tmp_path / "receipt.json"

    def fetched():
        got = run("receipt", "get", outcome.action_hash.hex(), "--node", house.node.address)
        assert got.exit_code in (0, 3), got.stderr
        file.write_text(got.stdout)
        return got.exit_code == 0

    house.until(fetched)
    assert read_receipt(file).count >= outcome.sequence
    last = house.client.last_receipt
    assert last is not None and last.count >= outcome.sequence and len(last.signature) == 65

    def checked():
        found = run("receipt", "check", file, "--base", house.base_server.address)
        assert found.exit_code == 0
        return shown(found)["verdict"]

    house.until(lambda: checked() == "kept")
