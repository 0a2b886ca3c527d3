"""The sequencer, effect by effect, on a simulated disk in one thread."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.codes import Code, Tag
from clearing.keccak import tagged_hash
from clearing.keys import address_of, recover
from clearing.messages import Inbox, InboxMessage, PriceObservation, action_hash
from node.batcher import BatchPolicy, batch_data
from node.duplicates import CAPACITY_MIN, Duplicates
from node.errors import DiskFailed
from node.events import (
    Append,
    Failed,
    GenerationMoved,
    InboxArrived,
    Prepare,
    Refuse,
    Stopping,
    Sync,
    Tick,
)
from node.receipts import ReceiptRefused, check_receipt, receipt_digest
from node.records import RecordKind
from node.sequencer import EXPLANATIONS_MAX, Limits
from simulator.disk import SimDisk
from tests.node.scenario import (
    ALICE_KEY,
    DEPOSITS,
    DOMAIN,
    LIMITS,
    PRICE,
    SEQUENCER_KEY,
    START_MS,
    Shell,
    deposit,
    price,
    submission,
    trade,
    withdraw,
)
from verifier.batch import BatchData, Opening, check_steps, steps_root


@pytest.fixture
def shell():
    made = Shell()
    made.fund()
    return made


def test_a_trade_is_durable_before_it_is_applied_and_applied_before_it_is_answered(shell):
    shell.hold = True
    shell.send(submission(1, trade(1)))
    effects = shell.sequencer.handle(shell.now_ms, shell._prepared(shell.held.pop()))
    assert [type(effect) for effect in effects] == [Append, Sync]
    assert effects[0].kind == RecordKind.FRAME
    assert 1 not in shell.replies
    shell.log.append(effects[0].kind, effects[0].payload)
    shell.hold = False
    for effect in effects[1:]:
        for following in shell._perform(effect):
            shell._perform(following)
    assert shell.replies[1].codes.tolist() == [Code.APPLIED]
    assert shell.replies[1].sequences.tolist() == [2]


def test_a_rejected_action_has_a_place_its_operands_and_changes_no_account(shell):
    before = shell.engine.state.accounts[:2].copy()
    reply = shell.submit(1, trade(1, at=PRICE + 1))
    assert reply.codes.tolist() == [Code.OFF_TICK]
    assert reply.sequences.tolist() == [2]
    assert reply.explanations[0].operands == {"price_micro": "50000001", "tick_micro": "1000"}
    assert (shell.engine.state.accounts[:2] == before).all()


def test_resubmitting_returns_the_first_outcome_whether_it_was_applied_or_rejected(shell):
    first = shell.submit(1, trade(1), trade(2, at=PRICE + 1))
    root = shell.engine.root()
    again = shell.submit(2, trade(2, at=PRICE + 1), trade(1))
    assert again.codes.tolist() == first.codes.tolist()[::-1]
    assert again.sequences.tolist() == first.sequences.tolist()[::-1]
    assert again.repeats.tolist() == [0, 1]
    assert again.receipt is None
    assert shell.engine.root() == root


def test_a_repeat_within_one_submission_gets_the_place_of_the_first(shell):
    reply = shell.submit(1, trade(1), trade(1), trade(2), trade(1))
    assert reply.sequences.tolist() == [2, 2, 3, 2]
    assert reply.repeats.tolist() == [1, 3]
    assert reply.codes.tolist() == [0, 0, 0, 0]


def test_a_repeat_of_another_request_in_the_same_frame_is_answered_to_both(shell):
    shell.hold = True
    shell.send(submission(1, trade(1)))
    shell.send(submission(2, trade(2)))
    shell.send(submission(3, trade(2), trade(3)))
    shell.release()
    assert shell.replies[2].sequences.tolist() == [3]
    assert shell.replies[3].sequences.tolist() == [3, 4]
    assert shell.replies[3].repeats.tolist() == [0]
    assert shell.replies[2].receipt is shell.replies[3].receipt


def test_what_waits_while_a_frame_is_prepared_becomes_one_frame(shell):
    shell.hold = True
    for request in range(1, 6):
        shell.send(submission(request, trade(request)))
    assert len(shell.held) == 1
    frames = len(shell.published)
    shell.release()
    assert [each.frame.count for each in shell.published[frames:]] == [1, 4]
    assert [shell.replies[k].sequences.tolist() for k in range(1, 6)] == [[2], [3], [4], [5], [6]]


def test_the_next_frame_is_prepared_before_this_one_is_synced(shell):
    shell.hold = True
    shell.send(submission(1, trade(1)))
    shell.send(submission(2, trade(2)))
    effects = shell.sequencer.handle(shell.now_ms, shell._prepared(shell.held.pop()))
    assert [type(effect) for effect in effects] == [Append, Prepare, Sync]


def test_bytes_that_are_no_action_are_answered_but_never_sequenced(shell):
    junk = (b"", b"\xff", b"\x04short", trade(1)[:-1], trade(1) + b"\0")
    tokens = shell.log.tail
    reply = shell.submit(1, *junk)
    assert reply.codes.tolist() == [1, 2, 1, 1, 1]
    assert reply.sequences.tolist() == [0] * 5
    assert shell.log.tail == tokens
    assert "byte" in reply.explanations[2].message


def test_an_inbox_message_of_a_client_is_never_sequenced(shell):
    forged = Inbox(InboxMessage.decode(deposit(2, 0, ALICE_KEY))).encode()
    reply = shell.submit(1, forged, trade(1))
    assert reply.codes.tolist() == [Code.BAD_SIGNATURE, Code.APPLIED]
    assert reply.sequences.tolist() == [0, 2]
    assert shell.engine.totals.inbox_count == 2


def test_many_rejections_are_all_coded_and_the_first_are_explained(shell):
    count = EXPLANATIONS_MAX + 4
    reply = shell.submit(1, *(trade(k, at=PRICE + 1) for k in range(1, count + 1)))
    assert reply.codes.tolist() == [Code.OFF_TICK] * count
    assert [each.index for each in reply.explanations] == list(range(EXPLANATIONS_MAX))


def test_a_full_queue_sheds_with_a_hint_and_keeps_what_it_has():
    shell = Shell(limits=Limits(4, 100_000, 4, 100_000, 8, 1))
    shell.fund()
    shell.hold = True
    for request in range(1, 6):
        shell.send(submission(request, trade(request)))
    refused = shell.refusals[5]
    assert refused.reason == "QUEUE_FULL"
    assert refused.retry_after_ms > 0
    assert refused.operands == {"queued_actions": "5", "queued_actions_max": "4"}
    shell.release()
    assert sorted(shell.replies) == [1, 2, 3, 4, 10**6]
    assert shell.submit(6, trade(5)).codes.tolist() == [0]


def test_a_request_whose_deadline_passed_is_refused_untouched(shell):
    shell.hold = True
    shell.send(submission(1, trade(1)))
    shell.send(submission(2, trade(2), deadline_ms=START_MS + 5))
    shell.now_ms += 5
    shell.release()
    assert shell.refusals[2].reason == "DEADLINE_EXCEEDED"
    assert 2 not in shell.replies
    assert shell.submit(3, trade(2)).repeats.tolist() == []


def test_after_a_failed_sync_nothing_is_acknowledged_any_more(shell):
    shell.hold = True
    shell.send(submission(1, trade(1)))
    shell.send(submission(2, trade(2)))
    shell.disk.fail_sync_at(1)
    with pytest.raises(DiskFailed):
        shell.release()
    shell.send(submission(3, trade(3)))
    shell.hold = True
    shell.send(Failed("the disk"))
    shell.send(submission(4, trade(4)))
    assert shell.refusals[1].reason == shell.refusals[2].reason == "OUTCOME_UNKNOWN"
    assert shell.refusals[3].reason == shell.refusals[4].reason == "STORAGE_FAILED"
    assert set(shell.replies) == {10**6}


def test_a_stopping_node_answers_what_it_has_and_refuses_the_rest(shell):
    shell.hold = True
    shell.send(submission(1, trade(1)))
    shell.send(Stopping())
    shell.send(submission(2, trade(2)))
    assert not shell.sequencer.idle
    shell.release()
    shell.send(Tick())
    assert shell.replies[1].codes.tolist() == [0]
    assert shell.refusals[2].reason == "SHUTTING_DOWN"
    assert shell.sequencer.idle


def test_while_the_house_is_closed_nothing_is_acknowledged_and_afterwards_it_is(shell):
    shell.hold = True
    shell.send(submission(1, trade(1)))
    shell.send(GenerationMoved(3, "handed over"))
    shell.send(submission(2, trade(2)))
    shell.release()
    shell.send(GenerationMoved(3))
    shell.send(submission(3, trade(2)))
    assert [shell.replies[one].codes.tolist() for one in (1, 3)] == [[0], [0]]
    assert shell.refusals[2].reason == "HOUSE_CLOSED"
    assert shell.refusals[2].message.endswith("handed over")


def test_inbox_messages_come_first_and_in_order_however_often_they_are_read():
    shell = Shell()
    shell.hold = True
    shell.send(submission(1, price(shell.now_ms)))
    shell.send(submission(2, withdraw(1)))
    shell.send(InboxArrived(1, DEPOSITS[1:]))
    shell.send(InboxArrived(0, DEPOSITS[:1]))
    shell.send(InboxArrived(0, DEPOSITS))
    shell.send(InboxArrived(0, DEPOSITS))
    shell.release()
    assert shell.sequencer.inbox_next == 2
    assert shell.engine.totals.inbox_count == 2
    assert shell.published[-1].frame.inbox_count == 2
    assert shell.replies[2].codes.tolist() == [0]


def test_long_inbox_messages_never_make_a_frame_that_no_batch_holds():
    shell = Shell(limits=replace(LIMITS, frame_bytes_max=3_500))
    shell.hold = True
    seen = tuple(PriceObservation(PRICE, PRICE, 7, bytes(65)) for _ in range(16))
    messages = tuple(
        InboxMessage(5, index, 0, bytes(20), 0, 0, 16, seen).encode() for index in range(5)
    )
    shell.send(InboxArrived(0, messages))
    shell.release()
    frames = [published.frame for published in shell.published]
    assert sum(frame.inbox_count for frame in frames) == 5
    assert {frame.inbox_count for frame in frames} <= {1, 2}
    assert shell.engine.totals.inbox_count == 5


def test_a_receipt_leads_from_the_own_actions_to_a_signed_accumulator(shell):
    shell.hold = True
    shell.send(submission(1, price(shell.now_ms + 1)))
    shell.send(submission(2, *(trade(k) for k in range(1, 12))))
    mine = [trade(k) for k in range(12, 17)]
    shell.send(submission(3, *mine))
    shell.release()
    reply = shell.replies[3]
    receipt = reply.receipt
    check_receipt(receipt)
    steps, hashes = receipt.own(reply.own_first, reply.own_count)
    assert receipt.step_counts.tolist() == [8, 8]
    assert steps == range(1, 2)
    assert hashes[3 * 32 :] == b"".join(map(action_hash, mine))
    assert tagged_hash(Tag.SEQUENCED, hashes) == receipt.roots[32:]
    digest = receipt_digest(DOMAIN, 0, receipt.count, receipt.accumulator)
    assert recover(receipt.signature, digest) == address_of(SEQUENCER_KEY)
    assert receipt.count == shell.engine.totals.sequenced_count


def test_a_receipt_that_was_tampered_with_does_not_check(shell):
    from dataclasses import replace

    receipt = shell.submit(1, trade(1)).receipt
    for change in (
        {"count": receipt.count + 1},
        {"roots": bytes(32)},
        {"accumulator_before": bytes(32)},
    ):
        with pytest.raises(ReceiptRefused):
            check_receipt(replace(receipt, **change))


def test_a_batch_is_sealed_after_its_time_and_holds_what_the_court_expects(shell):
    shell.submit(1, *(trade(k) for k in range(1, 20)))
    shell.send(Tick())
    assert shell.seals == []
    shell.now_ms += 1_000
    shell.send(Tick())
    shell.submit(2, trade(30))
    shell.now_ms += 1_000
    shell.send(Tick())
    first, second = shell.seals
    assert (second.pre_root, second.sequence_before) == (first.post_root, first.sequence)
    assert second.post_root == shell.engine.root()
    for seal in shell.seals:
        data = BatchData.decode(batch_data(shell.log, seal), seal.step_count)
        check_steps(data, steps_root(data.pairs))
        assert data.encode() == batch_data(shell.log, seal)
        assert data.pairs[-1].post_root == seal.post_root
        assert Opening.decode(seal.opening).state_root() == seal.post_root


def test_a_batch_is_sealed_before_a_frame_that_might_break_its_caps():
    policy = BatchPolicy(steps_max=12, bytes_max=1 << 20, interval_ms=10**6)
    shell = Shell(policy=policy, limits=Limits(99, 10**6, 8, 10**5, 4, 1))
    shell.fund()
    for k in range(1, 30):
        shell.submit(k, trade(k))
    assert [seal.step_count for seal in shell.seals] == [12, 12]
    bounded = BatchPolicy(steps_max=512, bytes_max=4_000, interval_ms=10**6)
    shell = Shell(policy=bounded, limits=Limits(99, 10**6, 8, 10**5, 4, 1))
    shell.fund()
    for k in range(1, 30):
        shell.submit(k, trade(k))
    assert len(shell.seals) > 1
    assert all(len(batch_data(shell.log, seal)) <= 4_000 for seal in shell.seals)


def test_an_empty_batch_is_never_sealed():
    shell = Shell()
    shell.now_ms += 10**6
    shell.send(Tick())
    assert shell.seals == []
    assert shell.sequencer.idle


def test_time_never_goes_back_in_the_sequence(shell):
    shell.now_ms += 100
    shell.submit(1, trade(1))
    shell.now_ms -= 50
    shell.submit(2, trade(2))
    times = [each.frame.time_ms for each in shell.published]
    assert times == sorted(times)


def test_the_table_finds_every_hash_after_it_has_grown():
    table = Duplicates()
    digests = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, (3 * CAPACITY_MIN, 4))
    everything = np.ones(digests.shape[0], np.int64)
    given = table.claim(digests, everything)
    assert given.tolist() == list(range(1, digests.shape[0] + 1))
    table.settle(5, np.array([7, 8], np.uint8))
    assert table.find(digests[::-1]).tolist() == given.tolist()[::-1]
    assert table.codes(np.array([4, 5, 6, 7])).tolist() == [0, 7, 8, 0]
    assert table.find(digests[:2] + 1).tolist() == [0, 0]


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=5), max_size=8), st.randoms())
def test_however_requests_overlap_each_action_is_sequenced_once(requests, chance):
    shell = Shell(SimDisk(random.Random(chance.random())), limits=LIMITS)
    actions = [trade(k + 1) for k in range(13)]
    shell.hold = True
    for number, picks in enumerate(requests):
        shell.send(submission(number, *(actions[pick] for pick in picks)))
        if chance.random() < 0.5:
            shell.release()
            shell.hold = True
    shell.release()
    places: dict[int, int] = {}
    for number, picks in enumerate(requests):
        for pick, sequence in zip(picks, shell.replies[number].sequences.tolist(), strict=True):
            assert places.setdefault(pick, sequence) == sequence
    assert sorted(places.values()) == list(range(1, len(places) + 1))
    assert shell.engine.totals.sequenced_count == len(places)


def test_a_refusal_names_its_request():
    shell = Shell()
    shell.send(Stopping())
    shell.send(submission(77, trade(1)))
    assert isinstance(shell.refusals[77], Refuse)
