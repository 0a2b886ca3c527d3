"""The attacks that other rollups fell to or guarded against, and the tests that show each one fail.

The table names an attack as the field does, and the tests by file and name; a test that is renamed
or removed leaves its attack bare, which shows. What no other file tests is tested here.
"""

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import InboxKind, Tag
from clearing.keccak import tagged_hash
from clearing.messages import Inbox, InboxMessage
from clearing.recovery import address_of
from clearing.units import ACTIONS_PER_STEP
from tests.attacks.known_attacks import KNOWN
from tests.attacks.lifecycles import PROVEN
from tests.attacks.stage import LIAR, Stage, begin
from tests.verifier.court_world import (
    ALICE,
    BOB,
    PROVER,
    SEQUENCER,
    World,
    evidence,
    withdrawing,
)
from verifier.base.transactions import (
    Body,
    ClaimCredit,
    Finalise,
    Freeze,
    OpenPosting,
    ProveFraud,
    SettleReward,
)
from verifier.batches import BatchStatus
from verifier.config import CourtConfig
from verifier.errors import CourtError, PostError
from verifier.freeze import Mode
from verifier.host import gas
from verifier.multiproof import ProofError, dense_root, root_from

TESTS = Path(__file__).parent.parent


def test_every_known_attack_has_tests_that_exist():
    assert len(KNOWN) == 47
    for attack, files in KNOWN.items():
        assert files, attack
        for file, names in files.items():
            defined = _names(ast.parse((TESTS / file).read_text("utf-8")))
            assert names and set(names) <= defined, (attack, file, set(names) - defined)


def _names(tree: ast.Module) -> set[str]:
    """Return the tests of a module: its functions, and its machines as test cases."""
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


@pytest.fixture
def world():
    made = World()
    made.fund()
    return made


# The proof itself


def test_no_inner_node_is_a_leaf_of_any_tree():
    """Whatever is hashed, another tag is another hash: the preimage of a node makes no leaf."""
    preimage = bytes(range(128))
    hashes = {tagged_hash(tag, preimage) for tag in Tag}
    assert len(hashes) == len(Tag) and len({int(tag) for tag in Tag}) == len(Tag)


@pytest.mark.parametrize("count", [4, 5, 16, 17])
def test_a_proof_that_ends_a_level_early_proves_nothing(count):
    """The nodes above four leaves, taken for leaves themselves, lead to another root or none."""
    depth = 3
    leaves = [bytes([i + 1]) * 32 for i in range(count)]
    root = dense_root(depth, leaves)
    nodes = [
        tagged_hash(Tag.NODE, b"".join((leaves[i : i + 4] + [bytes(32)] * 3)[:4]))
        for i in range(0, count, 4)
    ]
    for size in (len(nodes), count):
        siblings = nodes[1:4]
        try:
            assert root_from(depth, size, [0], nodes[:1], siblings) != root
        except ProofError:
            continue


def test_a_withdrawal_is_paid_at_no_index_that_wraps_around(world):
    _, claims = withdrawing(world)
    for shift in (2, 4, 1 << 20, 1 << 40, 1 << 63):
        assert world.send(BOB, replace(claims[0], index=shift)).error == (
            CourtError.NO_SUCH_WITHDRAWAL
        )
    assert world.send(BOB, claims[0]).error is None


def test_a_proof_without_enough_gas_leaves_nothing_behind_at_any_limit(world):
    batch = world.post()
    body = ProveFraud(batch.id, evidence(batch.header))
    needed = world.chain.dry_run(world.sign(PROVER, body)).gas_used
    least = gas.intrinsic(len(world.sign(PROVER, body)))
    for limit in range(least, needed, max(1, (needed - least) // 12)):
        assert world.send(PROVER, body, gas=limit).error.name == "OUT_OF_GAS"
        assert world.court.batch(batch.id).status == BatchStatus.POSTED
        assert world.chain.dry_run(world.sign(PROVER, body)).gas_used == needed
    assert world.send(PROVER, body, gas=needed).error is None


def test_a_verdict_is_the_same_whenever_it_is_asked_for(world):
    batch, later = world.post(), []
    guilty = ProveFraud(batch.id, evidence(batch.header))
    innocent = ProveFraud(batch.id, evidence(batch.header, verdict=b"N"))
    for _ in range(world.config.final_after_blocks + 5):
        world.chain.mine()
        asked = [world.chain.dry_run(world.sign(PROVER, one)).error for one in (guilty, innocent)]
        later.append(asked)
    assert later == [[None, CourtError.NO_FRAUD]] * len(later)


# Economics


def test_each_of_many_lies_costs_one_proof_and_pays_for_it():
    """A liar without end pays the honest for every lie; nobody has to outspend him."""
    world = World()
    world.fund()
    before = world.chain.ledger.account(address_of(PROVER)).native
    lies = 8
    for _ in range(lies):
        batch = world.post()
        for _ in range(3):
            world.post()
        assert world.prove(batch).error is None
        world.settle_reward(batch)
    assert world.send(PROVER, ClaimCredit()).error is None
    after = world.chain.ledger.account(address_of(PROVER)).native
    assert after - before > lies * (world.config.bond // 2) * 3 // 4
    assert world.court.heads().tip_number == 0


def test_what_is_refused_at_a_glance_costs_no_walk_over_the_data(world):
    batch = world.build()
    wrong = world.try_post(batch, bond=world.config.bond + 1)
    stranger = world.try_post(batch, BOB)
    assert (wrong.error, stranger.error) == (PostError.WRONG_BOND, PostError.WRONG_PROPOSER)
    taken = world.try_post(batch)
    assert taken.error is None
    floor = gas.intrinsic(len(world.sign(SEQUENCER, batch.body(world.config.bond))))
    assert wrong.gas_used == stranger.gas_used == floor
    assert taken.gas_used > floor


# Time and queues


@pytest.mark.parametrize("preset", ["production", "devnet", "test"])
def test_a_flood_of_forced_messages_fits_into_what_may_be_posted(preset):
    """Blocks that hold nothing else for a whole forced delay fill half of what may be open."""
    config = getattr(CourtConfig, preset)(
        chain_id=1, settlement=b"\x01" * 20, sequencer=b"\x02" * 20
    )
    message = InboxMessage(InboxKind.WITHDRAW, 0, 0, b"\x03" * 20, 0, 0, 1)
    length = len(Inbox(message).encode())
    a_block = config.block_gas_limit // (gas.intrinsic(length) + gas.forcing(0))
    flood = a_block * config.forced_delay_ms // config.block_time_ms
    # A step of eight messages has a pair, a head, and two bytes of length a message.
    step = 64 + 16 + ACTIONS_PER_STEP * (length + 4)
    steps = min(config.batch_steps_max, config.batch_bytes_max // step)
    assert flood <= config.max_unfinalised // 2 * steps * ACTIONS_PER_STEP


PLAYS = st.lists(
    st.sampled_from(["post", "lie", "prove", "deposit", "wait", "lag", "open", "freeze", "final"]),
    max_size=14,
)


def tried(stage: Stage, key: bytes, body: Body) -> bool:
    """Send a call; say whether it did what it asks for."""
    return stage.send(key, body).error is None


def play(stage: Stage, moves: list[str]) -> None:
    """Make these moves, whether or not each of them can be made."""
    for number, move in enumerate(moves):
        tip = stage.court.heads().tip_id
        if move in ("post", "lie"):
            batch = stage.make(f"{move} {number}", lie=move == "lie", proposer=address_of(LIAR))
            stage.try_post(batch, LIAR)
        elif move == "prove":
            prove_all(stage)
        elif move == "deposit":
            stage.deposit(ALICE, 10)
        elif move == "wait":
            stage.chain.mine(5)
        elif move == "lag":
            stage.now += stage.config.open_lag_ms
        elif move == "open":
            stage.send(BOB, OpenPosting())
        elif move == "freeze":
            stage.send(BOB, Freeze())
        else:
            stage.send(BOB, Finalise(tip))


def prove_all(stage: Stage) -> None:
    """Have every wrong batch taken back that stands, the oldest first."""
    heads = stage.court.heads()
    for view in stage.court.batches(heads.finalised_number + 1, 100):
        batch_id = view.record.batch_id
        if batch_id in stage.wrong:
            batch = next(b for all_of in stage.batches.values() for b in all_of if b.id == batch_id)
            assert tried(stage, PROVER, ProveFraud(batch_id, evidence(batch.header)))
            return


@given(PLAYS)
@settings(max_examples=60, deadline=None)
def test_from_wherever_play_leads_anyone_can_end_it(moves):
    """Whatever was played: what is wrong falls, what is right becomes final, money comes out, and
    a house that nobody runs any more can be frozen; nobody's help is needed for any of it."""
    stage = begin(PROVEN)
    stage.now = stage.chain.head().time_ms
    play(stage, moves)
    wrongly_final = any(
        view.record.batch_id in stage.wrong and view.status == BatchStatus.FINALISED
        for view in stage.court.batches(1, 100)
    )
    prove_all(stage)
    stage.pass_window()
    heads = stage.court.heads()
    for view in stage.court.batches(heads.finalised_number + 1, 100):
        assert tried(stage, BOB, Finalise(view.record.batch_id))
    heads = stage.court.heads()
    assert heads.tip_number == heads.finalised_number
    assert wrongly_final or not any(
        view.record.batch_id in stage.wrong for view in stage.court.batches(1, 100)
    )
    for fall in stage.court.reverts(0, 100):
        fallen = stage.court.batch(fall.batch_id)
        assert fallen is not None
        stage.send(BOB, SettleReward(fallen.record.generation, fall.batch_id))
    for key in (LIAR, PROVER):
        if stage.court.bonds.credit(address_of(key)):
            assert tried(stage, key, ClaimCredit())
    assert stage.court.bonds.totals.held == 0
    if stage.court.emergency.mode != Mode.FROZEN:
        stage.now = stage.chain.head().time_ms + stage.config.freeze_lag_ms + 1
        assert tried(stage, BOB, Freeze())
