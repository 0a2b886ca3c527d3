"""Who is paid for a proof, and what a guardian can do: sentences about rewards and delay."""

from dataclasses import replace

import pytest

from clearing.recovery import address_of
from tests.verifier.court_world import (
    ALICE,
    BOB,
    PROVER,
    SEQUENCER,
    World,
    evidence,
    make_config,
)
from verifier.base.transactions import (
    ClaimCredit,
    Commit,
    Finalise,
    Prolong,
    ProveFraud,
    SettleReward,
)
from verifier.batches import BatchStatus
from verifier.errors import CourtError
from verifier.events import Committed, Revealed, RewardSettled, WindowsProlonged
from verifier.rewards import COMMITMENTS_MAX, PRICE_SHARE, commitment_of

GUARDIAN = ALICE
DELAY = 2


@pytest.fixture
def world():
    made = World()
    made.fund()
    return made


def credit(world, key):
    return world.court.bonds.credit(address_of(key))


# Commit and reveal


def test_without_a_commitment_the_sender_of_the_proof_is_paid(world):
    batch = world.post()
    world.prove(batch)
    reward = world.court.rewards.reward(0, batch.id)
    assert (reward.winner, reward.place) == (address_of(PROVER), 0)
    settled = world.settle_reward(batch)
    amount = world.config.bond // 2
    assert settled.events == (RewardSettled(0, batch.id, address_of(PROVER), amount),)
    assert credit(world, PROVER) == amount


def test_a_copied_proof_reverts_at_once_and_pays_whoever_committed(world):
    batch = world.post()
    committed = world.commit(batch, PROVER)
    price = world.config.bond // PRICE_SHARE
    mine = commitment_of(address_of(PROVER), 0, batch.id, evidence(batch.header))
    assert committed.events == (Committed(address_of(PROVER), mine, 0, price),)
    assert world.prove(batch, key=BOB).error is None
    assert world.court.batch(batch.id).status == BatchStatus.REVERTED
    revealed = world.prove(batch, key=PROVER)
    assert revealed.events == (Revealed(0, batch.id, address_of(PROVER), 0),)
    world.settle_reward(batch)
    assert (credit(world, PROVER), credit(world, BOB)) == (world.config.bond // 2, 0)


def test_whoever_commits_once_he_has_read_the_proof_takes_no_reward(world):
    """Not even with evidence of another step, which he may find as soon as he knows of one."""
    batch = world.post()
    assert world.prove(batch, key=PROVER).error is None
    for step in (0, 1):
        world.commit(batch, BOB, step=step)
        assert world.prove(batch, key=BOB, step=step).error == CourtError.NO_OLDER_COMMITMENT
    world.settle_reward(batch)
    assert (credit(world, PROVER), credit(world, BOB)) == (world.config.bond // 2, 0)


def test_the_oldest_of_several_commitments_wins_in_whatever_order_they_are_shown(world):
    batch = world.post()
    for key in (ALICE, PROVER, BOB):
        world.commit(batch, key)
    assert world.prove(batch, key=BOB).error is None
    assert world.prove(batch, key=ALICE).error is None
    assert world.prove(batch, key=PROVER).error == CourtError.NO_OLDER_COMMITMENT
    world.settle_reward(batch)
    assert [credit(world, key) for key in (ALICE, PROVER, BOB)] == [world.config.bond // 2, 0, 0]


def test_a_commitment_binds_its_committer_batch_and_evidence(world):
    batch, other = world.post(), world.post()
    sent = evidence(batch.header)
    world.commit(other, PROVER)
    world.commit(batch, PROVER, step=1)
    # The same bytes that somebody else committed to.
    world.send(PROVER, Commit(commitment_of(address_of(BOB), 0, batch.id, sent)))
    world.send(PROVER, Commit(commitment_of(address_of(PROVER), 1, batch.id, sent)))
    world.prove(batch, key=ALICE)
    assert world.prove(batch, key=PROVER).error == CourtError.NO_OLDER_COMMITMENT
    assert world.prove(batch, key=PROVER, step=1).error is None


def test_a_commitment_to_garbage_wins_nothing(world):
    batch = world.post()
    garbage = evidence(batch.header, verdict=b"?")
    innocent = evidence(batch.header, verdict=b"N")
    for sent in (garbage, innocent):
        world.send(BOB, Commit(commitment_of(address_of(BOB), 0, batch.id, sent)))
    world.prove(batch)
    sends = [world.send(BOB, ProveFraud(batch.id, sent)).error for sent in (garbage, innocent)]
    assert sends == [CourtError.INVALID_EVIDENCE, CourtError.NO_FRAUD]
    world.settle_reward(batch)
    assert (credit(world, PROVER), credit(world, BOB)) == (world.config.bond // 2, 0)


def test_a_commitment_shown_after_the_reveal_window_is_too_late(world):
    batch = world.post()
    world.commit(batch, ALICE)
    world.prove(batch)
    world.chain.mine(world.config.reveal_window_blocks)
    assert world.prove(batch, key=ALICE).error == CourtError.REWARD_SETTLED
    assert world.send(BOB, SettleReward(0, batch.id)).error is None
    assert credit(world, PROVER) == world.config.bond // 2


def test_the_last_block_of_a_reveal_window_is_for_commitments_and_not_for_the_reward(world):
    batch = world.post()
    world.commit(batch, ALICE)
    world.prove(batch)
    closes = world.court.rewards.reward(0, batch.id).closes_block
    assert closes == world.chain.head().number + world.config.reveal_window_blocks
    # What is sent stands in the next block.
    world.chain.mine(closes - 2 - world.chain.head().number)
    settling = world.send(BOB, SettleReward(0, batch.id))
    assert (settling.error, world.chain.head().number) == (CourtError.REWARD_WAITS, closes - 1)
    assert world.prove(batch, key=ALICE).error is None
    assert world.chain.head().number == closes
    world.chain.reorg(1, drop=_hashes(world, 1))
    world.chain.mine(closes - 1 - world.chain.head().number)
    assert world.send(BOB, SettleReward(0, batch.id)).error == CourtError.REWARD_WAITS
    assert world.chain.head().number == closes
    assert world.send(BOB, SettleReward(0, batch.id)).error is None


def test_a_reward_is_settled_after_its_window_and_once(world):
    batch = world.post()
    assert world.send(BOB, SettleReward(0, batch.id)).error == CourtError.NO_SUCH_REWARD
    world.prove(batch)
    assert world.send(BOB, SettleReward(0, batch.id)).error == CourtError.REWARD_WAITS
    assert world.send(BOB, SettleReward(1, batch.id)).error == CourtError.NO_SUCH_REWARD
    assert world.settle_reward(batch).error is None
    assert world.send(BOB, SettleReward(0, batch.id)).error == CourtError.REWARD_SETTLED
    assert world.send(PROVER, ClaimCredit()).error is None
    assert world.court.bonds.totals.held == 0


def test_a_commitment_moves_no_deadline(world):
    batch = world.post()
    closes = world.court.batch(batch.id).closes_block
    world.commit(batch, PROVER)
    assert world.court.batch(batch.id).closes_block == closes
    world.chain.mine(closes - world.chain.head().number)
    assert world.send(BOB, Finalise(batch.id)).error is None
    assert world.prove(batch).error == CourtError.ALREADY_FINALISED


def test_commitments_cost_a_price_that_is_gone_and_are_bounded(world):
    held = world.court.bonds.totals.held
    before = world.chain.ledger.account(address_of(PROVER)).native
    fees = 0
    for number in range(COMMITMENTS_MAX + 2):
        receipt = world.send(PROVER, Commit(bytes([number]) * 32))
        fees += receipt.fee
    standing = world.court.rewards.commitments(address_of(PROVER))
    assert [one.place for one in standing] == list(range(2, COMMITMENTS_MAX + 2))
    price = world.config.bond // PRICE_SHARE
    spent = before - world.chain.ledger.account(address_of(PROVER)).native - fees
    assert spent == world.court.bonds.totals.burned == (COMMITMENTS_MAX + 2) * price
    assert world.court.bonds.totals.held == held
    repeated = world.send(PROVER, Commit(bytes([5]) * 32))
    assert repeated.error == CourtError.ALREADY_COMMITTED


def test_a_reorganisation_takes_commitments_reveals_and_settlements_back(world):
    batch = world.post()
    world.commit(batch, PROVER)
    world.prove(batch, key=BOB)
    world.prove(batch, key=PROVER)
    shown = world.court.rewards.reward(0, batch.id)
    world.chain.reorg(1, drop=_hashes(world, 1))
    assert world.court.rewards.reward(0, batch.id).winner == address_of(BOB)
    assert world.prove(batch, key=PROVER).error is None
    assert world.court.rewards.reward(0, batch.id) == shown
    world.chain.reorg(3, drop=_hashes(world, 3))
    assert world.court.rewards.reward(0, batch.id) is None
    assert world.court.rewards.commitments(address_of(PROVER)) == []
    assert world.court.bonds.totals.burned == 0


def _hashes(world, depth):
    head = world.chain.head().number
    blocks = (world.chain.block(head - back) for back in range(depth))
    return [receipt.transaction_hash for block in blocks for receipt in block.receipts]


def test_an_earlier_batch_proven_later_has_a_reward_of_its_own(world):
    first, second = world.post(), world.post()
    world.prove(second, key=BOB)
    world.prove(first, key=ALICE)
    for batch in (first, second):
        world.settle_reward(batch)
    half = world.config.bond // 2
    assert (credit(world, ALICE), credit(world, BOB)) == (half, half)
    assert world.court.bonds.totals == (2 * 2 * half, 0, 2 * half, 2 * half)


# The guardian


@pytest.fixture
def guarded():
    config = make_config(guardian=address_of(GUARDIAN), guardian_delay_blocks=DELAY)
    made = World(config=config)
    made.fund()
    return made


def test_the_guardian_prolongs_the_windows_of_open_batches_once(guarded):
    first = guarded.post()
    closes = guarded.court.batch(first.id).closes_block
    receipt = guarded.send(GUARDIAN, Prolong())
    assert receipt.events == (WindowsProlonged(1, DELAY),)
    assert guarded.court.batch(first.id).closes_block == closes + DELAY
    assert guarded.send(GUARDIAN, Prolong()).error == CourtError.NOTHING_TO_DELAY
    second = guarded.post()
    later = guarded.court.batch(second.id)
    assert later.closes_block == later.record.posted_block + guarded.config.final_after_blocks
    assert guarded.send(GUARDIAN, Prolong()).error is None
    assert guarded.court.batch(first.id).closes_block == closes + DELAY
    assert guarded.court.batch(second.id).closes_block == later.closes_block + DELAY
    guarded.chain.mine(closes + DELAY - 1 - guarded.chain.head().number)
    assert guarded.send(BOB, Finalise(first.id)).error == CourtError.CHALLENGE_WINDOW_OPEN
    assert guarded.send(BOB, Finalise(first.id)).error is None


def test_nobody_but_the_guardian_delays_and_by_default_nobody(guarded, world):
    for court in (guarded, world):
        court.post()
        for key in (SEQUENCER, PROVER, BOB):
            assert court.send(key, Prolong()).error == CourtError.NOT_GUARDIAN
    assert world.send(GUARDIAN, Prolong()).error == CourtError.NOT_GUARDIAN


def test_the_guardian_has_nothing_to_delay_where_nothing_is_open(guarded):
    assert guarded.send(GUARDIAN, Prolong()).error == CourtError.NOTHING_TO_DELAY
    batch = guarded.post()
    guarded.pass_window()
    guarded.send(BOB, Finalise(batch.id))
    assert guarded.send(GUARDIAN, Prolong()).error == CourtError.NOTHING_TO_DELAY


def test_a_delay_changes_windows_and_nothing_else(guarded):
    guarded.deposit()
    first, second = guarded.post(), guarded.post()

    def everything():
        court = guarded.court
        batches = [view.record for view in court.batches(0, 9)]
        money = court.bonds.totals, court.solvency(), court.stakes.of(address_of(GUARDIAN))
        return court.heads(), batches, money, court.reverts(0, 9), court.inbox.count

    before = everything()
    assert guarded.send(GUARDIAN, Prolong()).error is None
    assert everything() == before
    assert guarded.prove(second).error is None
    guarded.chain.mine(guarded.config.final_after_blocks + DELAY)
    assert guarded.send(GUARDIAN, Finalise(first.id)).error is None


def test_without_the_guardians_word_a_lie_outlives_nothing(guarded):
    """A proof works before, during and after a delay, and the delay is no pardon."""
    batch = guarded.post()
    guarded.send(GUARDIAN, Prolong())
    assert guarded.prove(batch, key=GUARDIAN).error is None
    assert guarded.court.rewards.reward(0, batch.id).winner == address_of(GUARDIAN)


def test_a_reorganisation_takes_a_delay_back(guarded):
    batch = guarded.post()
    closes = guarded.court.batch(batch.id).closes_block
    guarded.send(GUARDIAN, Prolong())
    guarded.chain.reorg(1, drop=_hashes(guarded, 1))
    assert guarded.court.batch(batch.id).closes_block == closes


def test_a_delay_fits_into_what_may_be_open(guarded):
    config = guarded.config
    room = config.max_unfinalised * config.batch_gap_blocks
    assert config.final_after_blocks + config.guardian_delay_blocks <= room
    assert replace(config, guardian=bytes(20), guardian_delay_blocks=0).guardian == bytes(20)
