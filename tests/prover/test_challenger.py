"""The challenger on a simulated base layer: what it proves, finalises, claims, and remembers."""

import json
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any, cast

import pytest

from clearing.keys import address_of
from prover.challenger import (
    FINALISE_AFTER_BLOCKS,
    Alert,
    Challenger,
    ClaimReward,
    DataFetched,
    FetchData,
    FinaliseBatch,
    Report,
)
from prover.challenger_process import (
    RETRY_BLOCKS,
    ChallengerProcess,
    CursorError,
    load_cursor,
)
from prover.forge import mint
from prover.pursuit import PATIENCE_BLOCKS, CommitTo, Prove
from prover.replica import Replica, Verdict
from tests.prover.chain_world import PROVER, SEQUENCER, ChainWorld
from tests.prover.market import genesis_of, key_of
from verifier.base.errors import BaseLayerUnavailable
from verifier.base.mempool import censoring, delayed
from verifier.base.transactions import (
    Faucet,
    Finalise,
    ProveFraud,
    SignedTransaction,
    TransactionKind,
)
from verifier.batches import BatchStatus
from verifier.events import RewardSettled

BOB = key_of(502)


@pytest.fixture
def world():
    made = ChainWorld()
    made.opening_batch()
    return made


class Watch:
    """A challenger process and everything that it said."""

    def __init__(self, world, key=PROVER, cursor=None, commits=True):
        self.said: list[Any] = []
        self.process = ChallengerProcess(
            world.base, world.replica(), key, cursor, self.said.append, commits=commits
        )
        self.world = world

    def tick(self, blocks=1):
        for _ in range(blocks):
            self.process.tick()
            self.world.mine()

    def of(self, kind):
        return [effect for effect in self.said if isinstance(effect, kind)]

    def verdicts(self):
        return [(r.judgement.number, r.judgement.verdict) for r in self.of(Report)]


def status(world, batch_id):
    return world.base.batch(batch_id).status


def submissions(world):
    """Every transaction that is sent to the base layer from now on."""
    sent: list[bytes] = []
    submit = world.base.submit

    def listed(raw):
        sent.append(raw)
        return submit(raw)

    world.base.submit = listed
    return sent


def test_honest_batches_are_found_valid_and_nothing_is_sent(world):
    world.honest_batch()
    watch = Watch(world)
    watch.tick(3)
    assert watch.verdicts() == [(1, Verdict.VALID), (2, Verdict.VALID)]
    assert not watch.of(Prove) and not watch.of(Alert)


def test_a_forged_batch_is_reverted_and_the_reward_is_claimed(world):
    bad = world.forged_batch(mint(1, 10**9))
    before = world.base.account(address_of(PROVER)).native
    watch = Watch(world)
    watch.tick()
    assert status(world, bad) == BatchStatus.POSTED and len(watch.of(CommitTo)) == 1
    watch.tick()
    assert status(world, bad) == BatchStatus.REVERTED
    watch.tick(world.config.reveal_window_blocks)
    assert not watch.of(ClaimReward)
    watch.tick(3)
    assert world.base.credit(address_of(PROVER)) == 0
    assert world.base.account(address_of(PROVER)).native > before
    assert watch.verdicts() == [(1, Verdict.VALID), (2, Verdict.INVALID)]
    assert not watch.of(Alert)


def test_descendants_of_a_forged_batch_fall_with_it_and_the_next_generation_is_followed(world):
    world.forged_batch(mint(1, 10**9))
    child = world.honest_batch()
    watch = Watch(world)
    watch.tick(3)
    assert status(world, child) == BatchStatus.REVERTED
    world.rewind()
    again = world.honest_batch()
    watch.tick(2)
    assert watch.process.challenger.replica.batch_id == again
    assert not watch.of(Alert)


def test_without_a_key_it_observes_and_reports(world):
    bad = world.forged_batch(mint(1, 10**9))
    watch = Watch(world, key=None)
    watch.tick(3)
    assert status(world, bad) == BatchStatus.POSTED
    assert (2, Verdict.INVALID) in watch.verdicts()


def test_a_proof_that_another_made_first_is_success(world):
    bad = world.forged_batch(mint(1, 10**9))
    first, second = Watch(world), Watch(world)
    first.tick(2)
    assert status(world, bad) == BatchStatus.REVERTED
    second.tick(2)
    assert not second.of(Alert)


def test_two_challengers_in_one_block_are_no_error(world):
    bad = world.forged_batch(mint(1, 10**9))
    first, second = Watch(world), Watch(world)
    for _ in range(2):
        first.process.tick()
        second.process.tick()
        world.mine()
    assert status(world, bad) == BatchStatus.REVERTED
    first.tick(2)
    second.tick(2)
    assert not first.of(Alert) and not second.of(Alert)


def test_valid_batches_that_nobody_finalises_are_finalised_after_their_window(world):
    batch = world.honest_batch()
    watch = Watch(world)
    watch.tick(world.config.final_after_blocks + FINALISE_AFTER_BLOCKS + 3)
    assert status(world, batch) == BatchStatus.FINALISED
    assert not watch.of(Alert)


def test_whoever_posts_has_some_blocks_to_finalise_himself(world):
    watch = Watch(world)
    first = world.base.batches(1, 1)[0].record
    ours = first.posted_block + world.config.final_after_blocks + FINALISE_AFTER_BLOCKS
    while world.base.head().number < ours:
        assert not watch.of(FinaliseBatch)
        watch.tick()
    watch.process.tick()
    assert [effect.batch_id for effect in watch.of(FinaliseBatch)] == [first.batch_id]


def test_what_its_poster_finalised_is_nobody_elses_to_finalise(world):
    watch = Watch(world)
    first = world.base.batches(1, 1)[0].record
    watch.tick(world.config.final_after_blocks + 1)
    world.send(SEQUENCER, Finalise(first.batch_id))
    sent = submissions(world)
    watch.tick(2 * FINALISE_AFTER_BLOCKS)
    assert status(world, first.batch_id) == BatchStatus.FINALISED
    assert not watch.of(FinaliseBatch) and sent == []


def test_a_reorganisation_takes_a_batch_back_and_the_replica_follows(world):
    watch = Watch(world)
    watch.tick()
    kept = watch.process.challenger.replica.batch_id
    watch_root = watch.process.challenger.replica.engine.root()
    lost = world.honest_batch()
    watch.process.tick()
    assert watch.process.challenger.replica.batch_id == lost
    transactions = world.chain.block(world.base.head().number).transactions
    world.chain.reorg(1, drop=[signed.hash for signed in transactions])
    watch.process.tick()
    assert watch.process.challenger.replica.batch_id == kept
    assert watch.process.challenger.replica.engine.root() == watch_root


def test_a_proof_lost_in_a_reorganisation_is_sent_again(world):
    bad = world.forged_batch(mint(1, 10**9))
    watch = Watch(world)
    watch.tick(2)
    transactions = world.chain.block(world.base.head().number).transactions
    assert status(world, bad) == BatchStatus.REVERTED
    world.chain.reorg(1, drop=[signed.hash for signed in transactions])
    assert status(world, bad) == BatchStatus.POSTED
    watch.tick(10)
    assert status(world, bad) == BatchStatus.REVERTED


def test_a_proof_overtakes_the_calls_that_a_builder_holds_back(world):
    # The builder takes proofs, but lets our finalisation lie, which holds the nonce a proof needs.
    world.chain.mempool.policy = censoring(kinds={TransactionKind.FINALISE})
    watch = Watch(world)
    watch.tick(world.config.final_after_blocks + FINALISE_AFTER_BLOCKS + 1)
    held_back = watch.of(FinaliseBatch)
    assert held_back and not watch.of(Prove)
    bad = world.forged_batch(mint(1, 10**9))
    posted = world.base.head().number
    watch.tick(2)
    assert status(world, bad) == BatchStatus.REVERTED
    assert world.base.head().number - posted < RETRY_BLOCKS


def test_other_calls_do_not_overtake_each_other(world):
    world.chain.mempool.policy = censoring(kinds={TransactionKind.FINALISE})
    sent = submissions(world)
    watch = Watch(world)
    watch.tick(world.config.final_after_blocks + FINALISE_AFTER_BLOCKS + RETRY_BLOCKS // 2)
    assert len(watch.of(FinaliseBatch)) > 1
    assert len(sent) > len(set(sent)) == 1


def test_a_call_whose_answer_was_lost_gets_dearer_like_any_other(world):
    bad = world.forged_batch(mint(1, 10**9))
    submit = world.base.submit
    lost: list[bytes] = []

    def lose_the_first_answer(raw):
        answer = submit(raw)
        if not lost:
            lost.append(raw)
            raise BaseLayerUnavailable("Submit", "the answer was lost")
        return answer

    def greedy(waiting, number):
        fee = world.config.fee_per_gas_min
        return [one for one in waiting if one.signed.transaction.fee_per_gas > fee]

    world.base.submit = lose_the_first_answer
    world.chain.mempool.policy = greedy
    watch = Watch(world, commits=False)
    with pytest.raises(BaseLayerUnavailable):
        watch.process.tick()
    watch.tick(RETRY_BLOCKS)
    assert status(world, bad) == BatchStatus.POSTED
    watch.tick(2)
    assert status(world, bad) == BatchStatus.REVERTED
    assert not watch.of(Alert)


def test_a_proof_does_not_overtake_itself(world):
    bad = world.forged_batch(mint(1, 10**9))
    world.chain.mempool.policy = delayed(RETRY_BLOCKS // 2)
    sent = submissions(world)
    watch = Watch(world, commits=False)
    watch.tick(RETRY_BLOCKS // 2)
    assert status(world, bad) == BatchStatus.POSTED
    assert len(set(sent)) == 1
    watch.tick(2)
    assert status(world, bad) == BatchStatus.REVERTED


def test_a_restart_reaches_the_same_verdicts_and_reports_them_once(world, tmp_path):
    bad = world.forged_batch(mint(1, 10**9))
    cursor = tmp_path / "challenger.json"
    first = Watch(world, key=None, cursor=cursor)
    first.tick()
    known = load_cursor(cursor, world.replica().genesis_id)
    assert known.verdicts[bad] is Verdict.INVALID
    again = Watch(world, cursor=cursor)
    again.tick(2)
    assert again.verdicts() == []
    assert not again.of(Alert)
    assert status(world, bad) == BatchStatus.REVERTED


def copying(world, thief):
    """A builder who sends every proof himself, before its author."""

    def policy(waiting, number):
        copies = []
        for pending in waiting:
            transaction = pending.signed.transaction
            if isinstance(transaction.body, ProveFraud) and pending.signed.sender != thief[0]:
                nonce = world.base.account(thief[0]).nonce
                copy = replace(transaction, nonce=nonce).sign(thief[1])
                signed = SignedTransaction.decode(copy)
                if signed.hash not in world.chain.mempool:
                    world.chain.mempool.add(signed, number)
                copies.append(replace(pending, signed=signed))
        return [*copies, *waiting]

    return policy


@pytest.fixture
def copied(world):
    world.send(BOB, Faucet(address_of(BOB), 10**14, 0))
    world.chain.mempool.policy = copying(world, (address_of(BOB), BOB))
    return world


def rewarded(world):
    return [e.winner for r in all_receipts(world) for e in r.events if isinstance(e, RewardSettled)]


def all_receipts(world):
    blocks = (world.chain.block(number) for number in range(world.base.head().number + 1))
    return [receipt for block in blocks for receipt in block.receipts]


@pytest.mark.parametrize(("commits", "paid"), [(True, PROVER), (False, BOB)])
def test_a_copied_proof_pays_its_author_if_he_committed(copied, commits, paid):
    bad = copied.forged_batch(mint(1, 10**9))
    watch = Watch(copied, commits=commits)
    watch.tick(2)
    assert status(copied, bad) == BatchStatus.REVERTED
    assert copied.base.reverts(0, 1)[0].prover == address_of(BOB)
    watch.tick(copied.config.reveal_window_blocks + 2)
    reward = copied.base.reward(0, bad)
    assert (reward.sender, reward.winner) == (address_of(BOB), address_of(paid))
    assert rewarded(copied) == ([address_of(PROVER)] if commits else [])
    assert not watch.of(Alert)


def test_a_restart_after_a_copy_still_shows_the_older_commitment(copied, tmp_path):
    bad = copied.forged_batch(mint(1, 10**9))
    cursor = tmp_path / "challenger.json"
    first = Watch(copied, cursor=cursor)
    first.tick()
    # The proof is sent and copied; a crash before the author's own comes on a block.
    first.process.tick()
    assert first.process._sent is not None
    own = list(first.process._sent.encoded)
    copied.mine()
    copied.chain.reorg(1)
    for one in own:
        copied.chain.mempool.remove(one)
    copied.mine()
    assert copied.base.reward(0, bad).winner == address_of(BOB)
    again = Watch(copied, cursor=cursor)
    again.tick(copied.config.reveal_window_blocks + 2)
    assert copied.base.reward(0, bad).winner == address_of(PROVER)
    assert rewarded(copied) == [address_of(PROVER)]
    copied.mine(4 * copied.config.epoch_blocks)
    again.tick(2)
    assert load_cursor(cursor, copied.replica().genesis_id).accused == {}


def test_a_proof_does_not_wait_for_a_commitment_that_no_block_takes(world):
    bad = world.forged_batch(mint(1, 10**9))
    world.chain.mempool.policy = censoring(kinds={TransactionKind.COMMIT})
    watch = Watch(world)
    watch.tick(PATIENCE_BLOCKS)
    assert status(world, bad) == BatchStatus.POSTED and not watch.of(Prove)
    watch.tick()
    assert status(world, bad) == BatchStatus.REVERTED


def test_a_proof_does_not_wait_when_the_window_leaves_no_time(world):
    bad = world.forged_batch(mint(1, 10**9))
    world.mine(world.config.final_after_blocks - PATIENCE_BLOCKS)
    watch = Watch(world)
    watch.tick()
    assert status(world, bad) == BatchStatus.REVERTED and not watch.of(CommitTo)


def test_another_verdict_than_remembered_raises_an_alert(world):
    batch = world.honest_batch()
    watch = Watch(world)
    watch.process.challenger = Challenger(
        world.replica(), world.config.challenge_window_blocks, {batch: Verdict.INVALID}
    )
    watch.tick()
    assert [alert.text for alert in watch.of(Alert)] == [
        "batch 2 was found invalid before and valid now; the law must not change under a chain: "
        "compare the versions"
    ]


def test_a_final_batch_that_breaks_the_law_raises_an_alert_and_no_proof(world):
    world.forged_batch(mint(1, 10**9))
    watch = Watch(world)
    machine = watch.process.challenger
    seen = watch.process._look(world.base.head())
    final = tuple(view._replace(status=BatchStatus.FINALISED) for view in seen.batches)
    effects = machine.handle(replace(seen, batches=final))
    while isinstance(effects[-1], FetchData):
        wanted = effects[-1].batch_id
        effects = machine.handle(DataFetched(wanted, world.base.batch_data(wanted)))
    report, alert = cast(Any, effects)
    assert report.judgement.verdict is Verdict.INVALID
    assert "nothing can take it back" in alert.text


class Idle(Executor):
    """Threads that say that they are done and have done nothing: no signer is ever recovered."""

    def submit(self, fn, /, *args, **kwargs):
        done: Future[Any] = Future()
        done.set_result(None)
        return done


def test_a_proof_that_the_courts_own_check_does_not_confirm_is_not_sent(world):
    world.honest_batch()
    watch = Watch(world)
    wrong = Replica(world.market.genesis, 8, Idle())
    watch.process.challenger = Challenger(wrong, world.config.challenge_window_blocks)
    sent = submissions(world)
    watch.tick(3)
    assert watch.verdicts()[-1][1] is Verdict.INVALID
    assert "engine and court disagree" in watch.of(Alert)[0].text
    assert not watch.of(Prove) and not sent


def test_the_machine_asks_for_data_once_and_ignores_an_answer_out_of_turn(world):
    world.honest_batch()
    watch = Watch(world)
    machine = watch.process.challenger
    seen = watch.process._look(world.base.head())
    first, second = (view.record.batch_id for view in seen.batches)
    assert machine.handle(seen) == [FetchData(first)]
    assert machine.handle(DataFetched(second, world.base.batch_data(second))) == []
    effects = machine.handle(DataFetched(first, world.base.batch_data(first)))
    assert [type(effect) for effect in effects] == [Report, FetchData]


def test_unavailable_data_are_asked_for_again(world):
    watch = Watch(world)
    machine = watch.process.challenger
    seen = watch.process._look(world.base.head())
    (wanted,) = cast(Any, machine.handle(seen))
    (report,) = cast(Any, machine.handle(DataFetched(wanted.batch_id, None)))
    assert report.judgement.verdict is Verdict.UNAVAILABLE
    assert machine.handle(seen) == [wanted]


def test_a_base_layer_of_another_genesis_is_refused(world):
    other = Replica(genesis_of(instruments=2))
    with pytest.raises(ValueError, match="expected a base layer with genesis batch"):
        ChallengerProcess(world.base, other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON"),
        ("[]", "expected version 1"),
        (json.dumps({"version": 1, "genesis": "00"}), "expected genesis"),
        (json.dumps({"version": 1, "genesis": "11" * 32, "verdicts": {"zz": "valid"}}), "by batch"),
        (json.dumps({"version": 1, "genesis": "11" * 32, "verdicts": {"00": "odd"}}), "by batch"),
        (
            json.dumps({"version": 1, "genesis": "11" * 32, "verdicts": {}, "accused": [{}]}),
            "accusations",
        ),
    ],
)
def test_a_damaged_or_foreign_cursor_is_refused(tmp_path, content, message):
    path = tmp_path / "cursor.json"
    path.write_text(content)
    with pytest.raises(CursorError, match=message):
        load_cursor(path, b"\x11" * 32)
