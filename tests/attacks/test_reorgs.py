"""Reorganisations at every point of every life: nothing is lost, made, or paid twice."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest

from tests.attacks.ledger_audit import audit, check_conserved
from tests.attacks.lifecycles import LIFECYCLES
from tests.attacks.stage import (
    Lifecycle,
    Stage,
    begin,
    fixed_of,
    fork,
    memory_of,
    receipts_of,
    state_of,
)
from verifier.base.chain_file import ChainFile
from verifier.base.mempool import Pending, Policy
from verifier.base.transactions import SignedTransaction
from verifier.host.storage import UndoLog

EVERY_LIFE = pytest.mark.parametrize("life", LIFECYCLES, ids=lambda life: life.name)
BLOCKS_MAX = 400


@pytest.fixture(scope="module")
def played() -> dict[str, Stage]:
    """Every life as it goes when nothing disturbs it."""
    stages = {}
    for life in LIFECYCLES:
        stage = begin(life)
        stage.live(life, BLOCKS_MAX)
        audit(stage, life)
        stages[life.name] = stage
    return stages


def test_every_life_does_something_with_the_money_it_is_about(played):
    """A life whose moves were all refused would hold whatever the court did."""
    for life in LIFECYCLES:
        moves = sum(len(group) for group in life.groups if all(move.key for move in group))
        assert sum(len(scene.transactions) for scene in played[life.name].scenes) >= moves - 1
    assert len({life.name for life in LIFECYCLES}) == len(LIFECYCLES)


@EVERY_LIFE
def test_blocks_that_are_dropped_and_come_again_leave_the_same_state(tmp_path, life):
    """For every block and every depth up to finality, in one chain that goes through all of them.

    The chain is then opened from its file, in which every reorganisation stands.
    """
    with ChainFile(tmp_path / "chain") as file:
        stage = begin(life, file)
        stood = [(state_of(stage.chain), receipts_of(stage.chain))]
        while life.wanted(stage):
            stage.act(life)
            stage.tick()
            after = state_of(stage.chain), receipts_of(stage.chain)
            stood.append(after)
            for depth in range(1, stage.depth_max() + 1):
                gone = stage.reorg(depth)
                assert (state_of(stage.chain), receipts_of(stage.chain)) == stood[-depth - 1]
                check_conserved(stage)
                for again in gone:
                    stage.play(again)
                assert (state_of(stage.chain), receipts_of(stage.chain)) == after
        audit(stage, life)
        head = stage.chain.head()
    with ChainFile(tmp_path / "chain") as file:
        opened = Stage(stage.config, versions=stage.versions, file=file, wrong=stage.wrong)
        assert opened.chain.head() == head
        assert state_of(opened.chain) == after[0]


@EVERY_LIFE
def test_a_state_read_at_a_block_is_the_one_that_stood_there(played, life):
    """Reads that are pinned to a block do not see what came behind it, or what was dropped."""
    stage = begin(life, like=played[life.name])
    states = {}
    for scene in played[life.name].scenes:
        stage.play(scene)
        states[stage.chain.head().hash] = state_of(stage.chain)
        for depth in range(stage.depth_max()):
            block = stage.chain.block(stage.chain.head().number - depth)
            assert block is not None
            with stage.chain.at(block.hash):
                assert state_of(stage.chain) == states[block.hash]


def dropped(life: Lifecycle, played: Stage) -> Iterator[tuple[Stage, int]]:
    """Yield a stage at every head, with each depth whose oldest dropped block did something."""
    stage = begin(life, like=played)
    for scene in played.scenes:
        stage.play(scene)
        for depth in range(1, stage.depth_max() + 1):
            if stage.scenes[-depth].transactions:
                yield fork(stage), depth


def finish(stage: Stage, life: Lifecycle) -> None:
    stage.live(life, BLOCKS_MAX)
    audit(stage, life)


def hash_of(encoded: bytes) -> bytes:
    return SignedTransaction.decode(encoded).hash


@EVERY_LIFE
def test_a_transaction_that_a_reorganisation_loses_is_made_good(played, life):
    for stage, depth in dropped(life, played[life.name]):
        for lost in stage.scenes[-depth].transactions:
            other = fork(stage)
            other.reorg(depth, [hash_of(lost)])
            finish(other, life)


@EVERY_LIFE
def test_a_reorganisation_that_loses_everything_is_made_good(played, life):
    for stage, depth in dropped(life, played[life.name]):
        lost = [hash_of(one) for scene in stage.scenes[-depth:] for one in scene.transactions]
        stage.reorg(depth, lost)
        check_conserved(stage)
        finish(stage, life)


@EVERY_LIFE
def test_transactions_that_come_again_all_at_once_do_no_harm(played, life):
    for stage, depth in dropped(life, played[life.name]):
        stage.reorg(depth)
        finish(stage, life)


@EVERY_LIFE
def test_transactions_that_come_again_in_another_order_do_no_harm(played, life):
    for stage, depth in dropped(life, played[life.name]):
        stage.reorg(depth)
        with stage.policy(backwards):
            stage.tick()
            stage.tick()
        finish(stage, life)


@EVERY_LIFE
def test_transactions_that_come_again_late_do_no_harm(played, life):
    for stage, depth in dropped(life, played[life.name]):
        late = [hash_of(one) for one in stage.scenes[-depth].transactions]
        stage.reorg(depth)
        with stage.policy(without(late)):
            for _ in range(min(3, life.patience)):
                stage.act(life)
                stage.tick()
        finish(stage, life)


def backwards(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
    return list(reversed(waiting))


def without(names: Sequence[bytes]) -> Policy:
    """Return a policy that holds these transactions back."""

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        return [pending for pending in waiting if pending.signed.hash not in names]

    return policy


# Whether these tests could fail


def disturbed(stage: Stage, life: Lifecycle) -> bool:
    """Live through a life with a reorganisation at every block; say whether it left a trace."""
    stood = [state_of(stage.chain)]
    for _ in range(BLOCKS_MAX):
        if not life.wanted(stage):
            return False
        stage.act(life)
        stage.tick()
        stood.append(state_of(stage.chain))
        depth = stage.depth_max()
        gone = stage.reorg(depth)
        if state_of(stage.chain) != stood[-depth - 1]:
            return True
        for again in gone:
            stage.play(again)
        if state_of(stage.chain) != stood[-1]:
            return True
    return True


def used(played: Stage, life: Lifecycle) -> set[str]:
    """Return the tables and cells that a life changes."""
    stage, changed = begin(life, like=played), set()
    before = state_of(stage.chain)
    for scene in played.scenes:
        stage.play(scene)
        after = state_of(stage.chain)
        changed |= {where for where in after if before[where] != after[where]}
    return changed


def test_no_table_of_the_court_can_forget_to_be_taken_back(played):
    """Every table and cell that is left out of the undo log shows in one of the lives."""
    by_life = {life.name: used(played[life.name], life) for life in LIFECYCLES}
    everything = set(memory_of(played[LIFECYCLES[0].name].chain))
    assert everything == set().union(*by_life.values())
    for where in sorted(everything):
        life = next(life for life in LIFECYCLES if where in by_life[life.name])
        stage = begin(life)
        memory_of(stage.chain)[where]._log = UndoLog()
        with suppress(KeyError):  # so torn that the next call finds no way through it
            assert disturbed(stage, life), where


@EVERY_LIFE
def test_the_court_remembers_nothing_outside_its_tables(played, life):
    assert fixed_of(begin(life).chain) == fixed_of(played[life.name].chain)
