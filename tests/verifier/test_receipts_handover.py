"""What binds after a handover: nobody answers for another operator, everybody for himself."""

import pytest

from clearing.recovery import address_of
from tests.verifier.court_world import ALICE, BOB, SEQUENCER, World
from tests.verifier.test_receipts import A, B, C, D, History, left_out, prove, signed, stake_of
from verifier.base.transactions import AcceptHandover, NameSuccessor, PutStake, RotateSequencer
from verifier.errors import CourtError, PostError
from verifier.events import BatchReverted
from verifier.receipts import TwoReceipts


@pytest.fixture
def world():
    made = World()
    made.fund()
    assert made.send(SEQUENCER, PutStake()).error is None
    return made


@pytest.fixture
def history(world):
    return History(world)


def hand_over(world, key):
    """Offer the house to `key`, which accepts as soon as it may."""
    assert world.send(SEQUENCER, NameSuccessor(address_of(key))).error is None
    world.chain.mine(world.config.reveal_window_blocks - 1)
    return world.send(key, AcceptHandover())


def test_who_takes_his_own_house_over_takes_no_word_back(world, history):
    """He only changes the key back: with another name in between he would be another operator."""
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    assert world.send(BOB, PutStake()).error is None
    history.frame(A)
    promised = signed(history.count, history.accumulator, 1, key=BOB)
    assert hand_over(world, SEQUENCER).error is None
    assert world.court.stakes.first_bound(2) == 0
    batch, _ = History(world).post((B,))
    assert prove(world, left_out(batch, promised)).error is None
    assert stake_of(world, BOB) == 0 and stake_of(world) == world.config.receipt_stake


def test_after_a_handover_who_left_answers_for_what_he_posted_himself(world, history):
    history.frame(A)
    promised = history.receipt()
    batch, _ = History(world).post((B,))
    assert hand_over(world, BOB).error is None
    assert prove(world, left_out(batch, promised)).error is None
    assert stake_of(world) == 0


def test_after_a_handover_who_left_answers_for_two_histories(world, history):
    history.frame(A)
    twice = TwoReceipts(history.receipt(), signed(1, b"\x01" * 32))
    assert hand_over(world, BOB).error is None
    assert prove(world, twice).error is None
    assert stake_of(world) == 0


def test_who_posted_all_before_he_handed_over_is_guilty_of_nothing_that_follows(world, history):
    _, (promised,) = history.post((A,))
    assert hand_over(world, BOB).error is None
    batch, _ = history.post((B,), key=BOB)
    assert prove(world, left_out(batch, promised)).error == CourtError.NO_FRAUD
    other = signed(history.count, b"\x01" * 32, 1, key=BOB)
    world.send(BOB, PutStake())
    assert prove(world, left_out(batch, other)).error is None
    assert stake_of(world) == world.config.receipt_stake and stake_of(world, BOB) == 0


def test_nobody_answers_for_what_another_operator_posts_in_place_of_what_he_did_not(world, history):
    _, (kept,) = history.post((A,))
    history.frame(B)
    promised = history.receipt()
    assert hand_over(world, BOB).error is None
    before = History(world)
    before.count, before.accumulator = kept.count, kept.accumulator
    batch, _ = before.post((C,), key=BOB)
    for receipt in (kept, promised):
        assert prove(world, left_out(batch, receipt)).error == CourtError.NO_FRAUD
    # Nor for what a key of that operator posts, nor after another handover.
    assert world.send(BOB, RotateSequencer(address_of(ALICE))).error is None
    batch, _ = before.post((D,), key=ALICE)
    assert prove(world, left_out(batch, promised)).error == CourtError.NO_FRAUD
    assert [world.court.stakes.first_bound(one) for one in range(3)] == [0, 1, 1]
    assert stake_of(world) == world.config.receipt_stake


def test_a_handover_ends_the_word_of_keys_that_were_rotated_away_before(world, history):
    history.frame(A)
    promised = history.receipt()
    assert world.send(SEQUENCER, RotateSequencer(address_of(ALICE))).error is None
    assert hand_over(world, BOB).error is None
    batch, _ = History(world).post((B,), key=BOB)
    assert prove(world, left_out(batch, promised)).error == CourtError.NO_FRAUD


def test_a_handover_that_is_taken_back_by_a_reorganisation_leaves_the_word_as_it_was(
    world, history
):
    history.frame(A)
    promised = history.receipt()
    taken = hand_over(world, BOB)
    world.chain.reorg(1, [taken.transaction_hash])
    assert world.court.heads().generation == 0
    batch, _ = History(world).post((B,))
    assert prove(world, left_out(batch, promised)).error is None


def test_a_successor_cannot_set_the_sequence_back_and_pass_kept_receipts_again(world, history):
    _, [kept] = history.post((A,))
    assert hand_over(world, BOB).error is None
    back = world.build(world.after(sequenced_count=0), proposer=address_of(BOB))
    assert world.try_post(back, BOB).error == PostError.BEHIND_THE_TIP
    other, _ = history.post((B,), key=BOB)
    assert prove(world, left_out(other, kept)).error == CourtError.NO_FRAUD


def test_a_successor_who_posts_what_was_acknowledged_keeps_the_former_ones_receipts(world, history):
    history.frame(A)
    promised = history.receipt()
    assert hand_over(world, BOB).error is None
    batch, _ = History(world).post((A,), (B,), key=BOB)
    assert prove(world, left_out(batch, promised)).error == CourtError.NO_FRAUD


def test_fraud_of_who_took_his_own_house_back_burns_the_stake_of_the_key_before_it():
    world = World()
    world.fund()
    assert world.send(BOB, PutStake()).error is None
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    assert hand_over(world, SEQUENCER).error is None
    event = world.prove(world.post()).events[0]
    assert isinstance(event, BatchReverted)
    assert event.forfeited == world.config.receipt_stake
    assert stake_of(world, BOB) == 0


def test_a_successor_of_another_house_burns_nobodys_stake_but_his_own(world):
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None
    assert hand_over(world, BOB).error is None
    bad = world.build(world.after(), proposer=address_of(BOB))
    assert world.try_post(bad, BOB).error is None
    assert world.prove(bad).events[0].forfeited == 0
    assert stake_of(world) == world.config.receipt_stake
