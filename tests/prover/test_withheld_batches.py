"""A challenger and a committee's batches: judged, proven wrong, asked for, and taken back."""

from typing import Any

import pytest

from clearing.keys import address_of
from prover.challenger import (
    FINALISE_AFTER_BLOCKS,
    Alert,
    AskSteps,
    FinaliseBatch,
    Report,
    SettleAsks,
)
from prover.challenger_process import ChallengerProcess
from prover.forge import mint
from prover.gather import asks_of, gather, wanted_of
from prover.pursuit import Prove
from prover.replica import Verdict
from tests.prover.chain_world import PROVER, SEQUENCER, ChainWorld, decode_header
from tests.support.committee import committee_of, held
from verifier.base.mempool import censoring
from verifier.base.transactions import (
    AnswerStep,
    AskStep,
    ClaimCredit,
    PostBatch,
    SignedTransaction,
    TransactionKind,
)
from verifier.batch import BatchData
from verifier.batches import BatchStatus
from verifier.withheld import AskStatus, answer_closes, ask_closes


class HeldWorld(ChainWorld):
    """Every batch is posted without its steps; ``shelf`` is what members could show."""

    def __init__(self):
        super().__init__(committee=committee_of())
        self.shelf = {}
        self.hidden = False
        self.opening_batch()

    def post(self, posting):
        header, posted = held(posting.header, posting.data)
        batch_id = header.batch_id()
        self.shelf[batch_id] = posting.data
        self.send(
            SEQUENCER,
            PostBatch(self.config.bond, header.encode(), posting.opening.encode(), posted),
        )
        return batch_id

    def fetch(self, header, pairs):
        return None if self.hidden else self.shelf.get(header.batch_id())

    def step_bytes(self, batch_id, step):
        header = decode_header(self.base.batch(batch_id))
        return BatchData.decode(self.shelf[batch_id], header.step_count).steps[step].encode()

    def answer(self, batch_id):
        """Let the sequencer answer whatever is asked."""
        for ask in asks_of(self.base, batch_id, None):
            if ask.status == AskStatus.OPEN:
                bytes_ = self.step_bytes(batch_id, ask.step)
                self.send(SEQUENCER, AnswerStep(batch_id, ask.step, bytes_))


class Watch:
    """A challenger process with the world's members, and everything that it said."""

    def __init__(self, world, key=PROVER, asks_max=64):
        self.said: list[Any] = []
        self.world = world
        self.process = ChallengerProcess(
            world.base, world.replica(), key, None, self.said.append, world, asks_max
        )

    def tick(self, blocks=1):
        for _ in range(blocks):
            self.process.tick()
            self.world.mine()

    def of(self, kind):
        return [effect for effect in self.said if isinstance(effect, kind)]

    def verdicts(self):
        return [(r.judgement.number, r.judgement.verdict) for r in self.of(Report)]


@pytest.fixture
def world():
    return HeldWorld()


def status(world, batch_id):
    return world.base.batch(batch_id).status


def test_honest_batches_are_judged_by_what_members_show(world):
    world.honest_batch()
    watch = Watch(world)
    watch.tick(3)
    assert watch.verdicts() == [(1, Verdict.VALID), (2, Verdict.VALID)]
    assert not watch.of(AskSteps) and not watch.of(Prove) and not watch.of(Alert)


def test_fraud_in_a_committees_batch_is_proven_like_any_other(world):
    bad = world.forged_batch(mint(1, 10**9))
    watch = Watch(world)
    watch.tick(2)
    assert status(world, bad) == BatchStatus.REVERTED
    assert watch.verdicts() == [(1, Verdict.VALID), (2, Verdict.INVALID)]
    assert not watch.of(Alert)


def test_what_members_show_is_believed_by_its_hash_alone(world):
    """A lying member brings nobody down and deceives nobody: other bytes are no bytes."""
    batch = world.honest_batch()
    header = decode_header(world.base.batch(batch))
    data = world.shelf[batch]
    replica = world.replica()
    first = world.base.batches(1, 1)[0].record.batch_id
    replica.judge(decode_header(world.base.batch(first)), world.shelf[first])
    for lie in (
        data[:-1] + bytes([data[-1] ^ 1]),
        data[:-1],
        bytes([data[0] ^ 1]) + data[1:],
        b"",
    ):
        assert replica.judge(header, lie).verdict is Verdict.UNAVAILABLE
    assert replica.judge(header, None).verdict is Verdict.UNAVAILABLE
    assert replica.judge(header, data).verdict is Verdict.VALID


def test_withheld_steps_are_asked_for_and_the_batch_falls(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch(trades=10)
    watch.tick()
    assert {ask.step for ask in asks_of(world.base, batch, None)} == {0, 1}
    assert world.base.batch(batch).open_asks == 2
    watch.tick(world.config.challenge_window_blocks)
    assert status(world, batch) == BatchStatus.REVERTED
    assert watch.of(SettleAsks) and (2, Verdict.UNAVAILABLE) in watch.verdicts()
    # Half a bond was won, and every prepayment is back.
    watch.tick(4)
    totals = world.base.bonds()
    assert totals.held == world.base.credit(address_of(SEQUENCER)) + open_bonds(world)
    assert all(ask.status == AskStatus.RETURNED for ask in asks_of(world.base, batch, None))
    assert world.base.credit(address_of(PROVER)) == 0
    assert not watch.of(Alert)


def test_a_batch_is_taken_back_in_the_first_block_in_which_no_answer_can_come_any_more(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch()
    watch.tick()
    posted = world.base.batch(batch).record.posted_block
    closes = answer_closes(world.config.challenge_window_blocks, posted)
    # What is sent now stands in the next block at the earliest.
    while world.base.head().number + 1 <= closes:
        watch.tick()
        assert bool(watch.of(SettleAsks)) is (world.base.head().number > closes)
    watch.tick()
    assert watch.of(SettleAsks)
    assert status(world, batch) == BatchStatus.REVERTED


def open_bonds(world):
    heads = world.base.heads()
    return (heads.tip_number - heads.finalised_number) * world.config.bond


def test_withheld_steps_that_are_answered_let_the_batch_be_judged(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch(trades=10)
    watch.tick()
    world.answer(batch)
    watch.tick()
    assert (2, Verdict.VALID) in watch.verdicts()
    assert status(world, batch) == BatchStatus.POSTED
    gathered = gather(world.base, decode_header(world.base.batch(batch)), None, world)
    assert gathered.data == world.shelf[batch]


def test_fraud_that_was_withheld_is_proven_once_it_is_answered(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    bad = world.forged_batch(mint(1, 10**9), honest=0)
    watch.tick()
    world.answer(bad)
    watch.tick(2)
    assert status(world, bad) == BatchStatus.REVERTED
    assert (2, Verdict.INVALID) in watch.verdicts()


def test_only_so_many_steps_are_asked_for(world):
    watch = Watch(world, asks_max=1)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch(trades=10)
    watch.tick(3)
    assert len(asks_of(world.base, batch, None)) == 1


def test_an_observer_asks_nothing(world):
    watch = Watch(world, key=None)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch()
    watch.tick(3)
    assert watch.of(AskSteps) and asks_of(world.base, batch, None) == []


def test_nothing_is_asked_after_the_first_third(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch()
    world.mine(world.config.challenge_window_blocks // 3)
    watch.tick(2)
    assert not watch.of(AskSteps) and asks_of(world.base, batch, None) == []


def test_an_asker_that_was_restarted_still_takes_the_batch_back(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch()
    watch.tick()
    world.hidden = False
    again = Watch(world)
    again.tick()
    assert (2, Verdict.VALID) in again.verdicts()
    again.tick(world.config.challenge_window_blocks)
    assert status(world, batch) == BatchStatus.REVERTED
    again.tick(3)
    assert world.base.batch(batch).open_asks == 0


def test_whoever_cannot_prepay_says_so(world):
    poor = bytes([77] * 32)
    watch = Watch(world, key=poor)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch()
    watch.tick()
    assert any("expected money to ask" in alert.text for alert in watch.of(Alert))
    assert asks_of(world.base, batch, None) == []


def test_an_ask_that_was_reorganised_away_is_made_again(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch()
    watch.process.tick()
    sent = watch.process._sent
    assert sent is not None
    world.mine()
    world.chain.reorg(1, sent.encoded)
    assert asks_of(world.base, batch, None) == []
    watch.process._sent = None
    watch.tick()
    assert asks_of(world.base, batch, None) != []


def forgetting(world, times):
    """A base layer that says it took the next transactions, and forgets them; returns all sent."""
    sent: list[bytes] = []
    submit = world.base.submit

    def forget(raw):
        sent.append(raw)
        return SignedTransaction.decode(raw).hash if len(sent) <= times else submit(raw)

    world.base.submit = forget
    return sent


@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_ask_that_was_taken_and_forgotten_comes_again_within_its_third(world, times):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch(trades=2)
    sent = forgetting(world, times)
    posted = world.base.batch(batch).record.posted_block
    while world.base.head().number < ask_closes(world.config.challenge_window_blocks, posted):
        watch.tick()
    # As it was: the same bytes can only count once, whoever remembers them after all.
    assert len(sent) == times + 1 and len(set(sent)) == 1
    assert [ask.asker for ask in asks_of(world.base, batch, None)] == [address_of(PROVER)]
    watch.tick(world.config.challenge_window_blocks)
    assert status(world, batch) == BatchStatus.REVERTED


def test_an_ask_waits_for_no_call_that_has_time(world):
    """A builder lets our finalisation lie, whose nonce the ask needs."""
    world.chain.mempool.policy = censoring(kinds={TransactionKind.FINALISE})
    watch = Watch(world)
    watch.tick(world.config.final_after_blocks + FINALISE_AFTER_BLOCKS + 1)
    assert watch.of(FinaliseBatch)
    world.hidden = True
    batch = world.honest_batch(trades=2)
    watch.tick()
    assert world.base.batch(batch).open_asks == 1


def test_money_that_asks_brought_back_can_be_claimed(world):
    watch = Watch(world)
    watch.tick()
    world.hidden = True
    batch = world.honest_batch()
    watch.tick()
    world.answer(batch)
    watch.tick(2)
    assert world.base.credit(address_of(PROVER)) == 0
    world.send(SEQUENCER, ClaimCredit())
    assert world.base.bonds().held == open_bonds(world)


def test_a_proof_of_one_step_is_one_that_the_court_takes(world):
    batch = world.honest_batch(trades=30)
    header = decode_header(world.base.batch(batch))
    world.hidden = True
    gathered = gather(world.base, header, None, world)
    for step in range(3):
        world.send(PROVER, AskStep(batch, wanted_of(gathered.pairs, step)))
    assert [ask.step for ask in asks_of(world.base, batch, None)] == [0, 1, 2]
