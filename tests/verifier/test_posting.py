"""What may be posted: every rule by what it refuses, and what it lets through at its edge."""

from dataclasses import replace
from typing import Any

import pytest

from clearing.recovery import address_of
from clearing.units import LAW_VERSION
from tests.verifier.court_world import (
    ALICE,
    BOB,
    CHAIN_ID,
    SEQUENCER,
    START_MS,
    Batch,
    World,
    make_config,
    opening_of,
)
from verifier.base.transactions import (
    Finalise,
    PostBatch,
)
from verifier.batch import BatchData, Step, data_hash, steps_root
from verifier.batches import BatchStatus
from verifier.errors import (
    PostError,
)
from verifier.events import BatchPosted
from verifier.posting import RULES


@pytest.fixture
def world():
    world = World()
    world.fund()
    return world


def test_an_honest_batch_becomes_the_tip(world):
    world.deposit()
    batch = world.build()
    receipt = world.try_post(batch)
    posted = BatchPosted(batch.id, 1, 0, address_of(SEQUENCER))
    assert (receipt.error, receipt.events) == (None, (posted,))
    view = world.court.batch(batch.id)
    assert view.status == BatchStatus.POSTED
    assert view.record.header == batch.header.encode()
    assert view.record.custody == 1_000
    assert view.record.posted_block == receipt.block_number
    assert world.court.heads().tip_id == batch.id
    assert world.court.batch_data(batch.id) == batch.data


HASH = b"\xee" * 32
HEADER_MUTATIONS: dict[str, tuple[dict[str, Any], PostError]] = {
    "a law that the court does not have": (
        {"law_version": LAW_VERSION + 1},
        PostError.WRONG_LAW_VERSION,
    ),
    "another chain": ({"chain_id": CHAIN_ID + 1}, PostError.WRONG_CHAIN),
    "another court": ({"settlement": b"\x06" * 20}, PostError.WRONG_SETTLEMENT),
    "another proposer": ({"proposer": b"\x07" * 20}, PostError.WRONG_PROPOSER),
    "a generation to come": ({"generation": 1}, PostError.WRONG_GENERATION),
    "the tip's number": ({"number": 1}, PostError.WRONG_NUMBER),
    "a number left out": ({"number": 3}, PostError.WRONG_NUMBER),
    "another parent": ({"parent_id": HASH}, PostError.WRONG_PARENT),
    "a base block of another branch": (
        {"base_hash": HASH},
        PostError.BASE_REFERENCE_NOT_CANONICAL,
    ),
    "a base block to come": ({"base_number": 2**64 - 1}, PostError.BASE_REFERENCE_NOT_CANONICAL),
    "a pre root that is not the parent's": ({"pre_root": HASH}, PostError.WRONG_PRE_ROOT),
    "an unknown kind of data": ({"data_kind": 1}, PostError.UNKNOWN_DATA_KIND),
    "a length that is short": ({"data_length": 1}, PostError.WRONG_DATA_LENGTH),
    "no steps": ({"step_count": 0}, PostError.WRONG_STEP_COUNT),
    "more steps than a batch may have": ({"step_count": 4_097}, PostError.WRONG_STEP_COUNT),
    "a step too many": ({"step_count": 2}, PostError.MALFORMED_DATA),
    "another data hash": ({"data_hash": HASH}, PostError.WRONG_DATA_HASH),
    "another steps root": ({"steps_root": HASH}, PostError.WRONG_STEPS_ROOT),
    "a post root that is not opened": ({"post_root": HASH}, PostError.WRONG_OPENING),
}


@pytest.mark.parametrize("name", HEADER_MUTATIONS)
def test_a_header_is_refused_that_names(world, name):
    fields, code = HEADER_MUTATIONS[name]
    world.post()
    before = world.court.heads()
    receipt = world.try_post(world.build(**fields))
    assert receipt.error == code
    assert "expected" in receipt.text and "was" in receipt.text
    assert world.court.heads() == before


def test_the_base_block_of_the_post_itself_is_not_canonical_yet(world):
    number = world.chain.head().number + 1
    receipt = world.try_post(world.build(base_number=number))
    assert receipt.block_number == number
    assert receipt.error == PostError.BASE_REFERENCE_NOT_CANONICAL


def test_a_base_block_may_be_as_old_as_configured_and_no_older(world):
    batch = world.build()
    world.chain.mine(world.config.reference_age_blocks - 1)
    old = world.build(base_number=batch.header.base_number, base_hash=batch.header.base_hash)
    assert world.chain.head().number + 1 - old.header.base_number == 16
    world.chain.mine()
    assert world.try_post(old).error == PostError.BASE_REFERENCE_OLD
    world.chain.reorg(2)
    world.chain.mine()
    assert world.court.heads().tip_id == old.id


def raw_header(world, **bytes_at):
    encoded = bytearray(world.build().header.encode())
    for place, value in bytes_at.items():
        encoded[int(place[1:])] ^= value
    return bytes(encoded)


@pytest.mark.parametrize(
    ("place", "code"), [(0, PostError.WRONG_MAGIC), (383, PostError.MALFORMED_HEADER)]
)
def test_bytes_that_are_no_header_are_refused(world, place, code):
    batch = world.build()
    encoded = raw_header(world, **{f"_{place}": 1})
    body = PostBatch(world.config.bond, encoded, opening_of(batch.opened).encode(), batch.data)
    assert world.send(SEQUENCER, body).error == code


def test_nobody_but_the_sequencer_posts(world):
    assert world.try_post(world.build(), key=ALICE).error == PostError.WRONG_PROPOSER


@pytest.mark.parametrize("difference", [-1, 1])
def test_the_bond_is_exact(world, difference):
    receipt = world.try_post(world.build(), bond=world.config.bond + difference)
    assert receipt.error == PostError.WRONG_BOND


def test_the_backlog_is_bounded_until_something_is_finalised(world):
    batches = [world.post() for _ in range(world.config.max_unfinalised)]
    assert world.try_post(world.build()).error == PostError.TOO_MANY_UNFINALISED
    assert world.send(BOB, Finalise(batches[0].id)).error is None
    world.post()


def test_data_may_be_as_long_as_configured_and_no_longer():
    steps = tuple(Step(START_MS, (bytes(2_048),) * 8) for _ in range(6))
    length = len(World().build(steps=steps).data)
    for length_max, error in ((length, None), (length - 1, PostError.TOO_MANY_BYTES)):
        world = World(config=make_config(batch_bytes_max=length_max))
        world.fund(SEQUENCER)
        assert world.try_post(world.build(steps=steps)).error == error


def with_data(batch, data):
    header = replace(batch.header, data_hash=data_hash(data), data_length=len(data))
    return Batch(header, batch.opened, data)


def test_data_must_frame_their_steps_exactly(world):
    batch = world.build()
    cases = {
        PostError.MALFORMED_DATA: batch.data[:-1],
        PostError.TRAILING_BYTES: batch.data + b"\0",
        PostError.TOO_MANY_ACTIONS: batch.data[:72] + b"\x09" + b"\x00\x00" * 9,
        PostError.ACTION_TOO_LONG: batch.data[:72] + b"\x01\x08\x01" + bytes(2_049),
        PostError.STEP_TIME_OUT_OF_BOUNDS: batch.data[:64] + b"\xff" * 8 + batch.data[72:],
        PostError.WRONG_STEP_HASH: batch.data[:-3] + b"d" + batch.data[-2:],
    }
    for code, data in cases.items():
        assert world.try_post(with_data(batch, data)).error == code


def test_the_last_step_ends_in_the_post_root(world):
    other = opening_of(world.after(status=1)).state_root()
    batch = world.build()
    data = batch.data[:32] + other + batch.data[64:]
    root = steps_root(BatchData.decode(data, 1).pairs)
    wrong = with_data(Batch(replace(batch.header, steps_root=root), batch.opened, data), data)
    assert world.try_post(wrong).error == PostError.WRONG_POST_ROOT


def test_an_opening_that_is_not_of_the_post_root_is_refused(world):
    batch = world.build()
    other = Batch(batch.header, batch.opened._replace(custody=5), batch.data)
    assert world.try_post(other).error == PostError.WRONG_OPENING


def test_the_opened_law_version_is_the_headers(world):
    batch = world.build(world.after(law_version=LAW_VERSION + 1))
    assert world.try_post(batch).error == PostError.OPENED_LAW_VERSION


def test_the_clock_may_lead_by_the_drift_and_no_more(world):
    latest = START_MS + world.config.drift_ms
    world.now += 100  # the block's time, so that it does not depend on how many came before
    world.chain.mine()
    latest = world.now + world.config.drift_ms
    assert world.chain.head().time_ms == world.now
    world.now += 1
    assert world.try_post(world.build(world.after(clock=latest + 2))).error == PostError.CLOCK_AHEAD
    world.now += 1
    assert world.try_post(world.build(world.after(clock=latest + 2))).error is None


@pytest.mark.parametrize("what", ["clock", "inbox_count", "sequenced_count"])
def test_what_only_counts_up_never_falls_behind_the_tip(world, what):
    world.deposit()
    world.now += 5
    tip = world.post(world.build(world.after(sequenced_count=4)))
    least = getattr(tip.opened, what)
    consumed = {"consumed": 0} if what == "inbox_count" else {}
    behind = world.after(**consumed, **({} if consumed else {what: least - 1}))
    receipt = world.try_post(world.build(behind))
    assert receipt.error == PostError.BEHIND_THE_TIP
    assert f"{what} of at least {least}, the tip's, was {least - 1}" in receipt.text
    assert world.try_post(world.build(world.after(clock=tip.opened.clock))).error is None


def test_a_clock_that_lags_is_never_refused(world):
    world.deposit()
    world.now += 365 * 86_400_000
    assert world.try_post(world.build(world.after(consumed=0, clock=START_MS))).error is None


def test_a_batch_consumes_no_message_that_is_not_there(world):
    world.deposit()
    accumulator = world.court.inbox.accumulator_at(1)
    for count in (2, -1, 2**62):
        after = world.after(consumed=1, inbox_count=count, inbox_accumulator=accumulator)
        assert world.try_post(world.build(after)).error == PostError.INBOX_BEYOND


def test_a_batch_consumes_the_messages_of_this_court(world):
    world.deposit()
    world.deposit()
    for count, accumulator in ((1, bytes(32)), (0, HASH), (1, world.court.inbox.accumulator_at(2))):
        after = world.after(consumed=1, inbox_count=count, inbox_accumulator=accumulator)
        assert world.try_post(world.build(after)).error == PostError.WRONG_INBOX_ACCUMULATOR


def test_a_message_waits_for_the_forced_delay_in_the_batchs_own_time(world):
    receipt = world.deposit()
    enqueued = world.chain.block(receipt.block_number).time_ms
    deadline = enqueued + world.config.forced_delay_ms
    world.now = deadline + 10
    late = world.build(world.after(consumed=0, clock=deadline + 1))
    assert world.try_post(late).error == PostError.INBOX_OVERDUE
    assert world.try_post(world.build(world.after(consumed=0, clock=deadline))).error is None
    assert world.try_post(world.build(world.after(consumed=1, clock=deadline + 1))).error is None


def test_a_refused_batch_costs_its_sender_gas_and_nothing_else(world):
    before = world.chain.ledger.account(address_of(SEQUENCER))
    receipt = world.try_post(world.build(chain_id=1))
    after = world.chain.ledger.account(address_of(SEQUENCER))
    assert before.native - after.native == receipt.fee > 0
    assert world.court.bonds.totals == (0, 0, 0, 0)


def test_every_rule_of_posting_says_why_it_is_there():
    assert all(rule.__doc__ for rule in RULES)
