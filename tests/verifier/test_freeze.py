"""Who may post: handover, rotation, announced laws, posting for everyone, and the freeze."""

from dataclasses import replace

import pytest

from clearing.codes import InboxKind
from clearing.recovery import address_of
from clearing.units import LAW_VERSION
from tests.verifier.court_world import (
    ALICE,
    BOB,
    GENESIS_GLOBALS,
    PROVER,
    SEQUENCER,
    World,
    judge,
    make_config,
    opening_of,
)
from verifier.base.chain import SimulatedChain
from verifier.base.interface import InProcessBaseLayer
from verifier.base.transactions import (
    AcceptHandover,
    AnnounceLaw,
    ClaimCredit,
    ClosePosting,
    Finalise,
    Force,
    Freeze,
    NameSuccessor,
    OpenPosting,
    RotateSequencer,
)
from verifier.config import CourtConfig, time_to_leave_ms
from verifier.errors import ConfigError, CourtError, PostError
from verifier.events import Frozen, LawAnnounced, PostingChanged, SequencerChanged, SuccessorNamed
from verifier.freeze import Mode
from verifier.inbox import ForcedRequest

NEXT_LAW = LAW_VERSION + 1


@pytest.fixture
def world():
    world = World()
    world.fund()
    return world


def standing(world):
    return InProcessBaseLayer(world.chain).standing()


def lag(world, milliseconds):
    """Let the base layer's next block be so much later than the tip's clock."""
    tip = world.court.batch(world.court.heads().tip_id).record
    world.now = tip.clock + milliseconds


def opened(world):
    lag(world, world.config.open_lag_ms + 1)
    assert world.send(BOB, OpenPosting()).error is None
    return world


def frozen(world):
    lag(world, world.config.freeze_lag_ms + 1)
    assert world.send(BOB, Freeze()).error is None
    return world


def hand_over(world):
    """Offer the house to Alice, who accepts as soon as she may."""
    world.send(SEQUENCER, NameSuccessor(address_of(ALICE)))
    world.chain.mine(world.config.reveal_window_blocks - 1)
    return world.send(ALICE, AcceptHandover())


# The registry


def test_a_rotated_key_posts_from_the_next_generation_on(world):
    receipt = world.send(SEQUENCER, RotateSequencer(address_of(ALICE)))
    assert receipt.events == (SequencerChanged(address_of(SEQUENCER), address_of(ALICE), 1),)
    assert world.try_post(world.build()).error == PostError.WRONG_PROPOSER
    batch = world.build(proposer=address_of(ALICE))
    assert batch.header.generation == 1
    assert world.try_post(batch, ALICE).error is None


def test_only_the_operator_rotates_and_only_to_another_key(world):
    assert world.send(ALICE, RotateSequencer(address_of(ALICE))).error == CourtError.NOT_OPERATOR
    for address in (bytes(20), address_of(SEQUENCER)):
        assert world.send(SEQUENCER, RotateSequencer(address)).error == CourtError.INVALID_ADDRESS
    assert world.court.heads().generation == 0


def test_a_rotated_key_is_not_the_operators(world):
    world.send(SEQUENCER, RotateSequencer(address_of(ALICE)))
    assert world.send(ALICE, RotateSequencer(address_of(BOB))).error == CourtError.NOT_OPERATOR
    assert world.send(SEQUENCER, RotateSequencer(address_of(BOB))).error is None


def test_a_house_is_handed_over_only_to_who_was_named_and_accepts(world):
    assert world.send(ALICE, AcceptHandover()).error == CourtError.NOT_SUCCESSOR
    named = world.send(SEQUENCER, NameSuccessor(address_of(ALICE)))
    assert named.events == (SuccessorNamed(address_of(SEQUENCER), address_of(ALICE)),)
    assert world.court.heads().generation == 0
    assert world.send(BOB, AcceptHandover()).error == CourtError.NOT_SUCCESSOR
    early = world.send(ALICE, AcceptHandover())
    opens = named.block_number + world.config.reveal_window_blocks
    assert early.error == CourtError.HANDOVER_TOO_SOON and str(opens) in early.text
    assert standing(world).accepts_block == opens
    world.chain.mine(opens - world.chain.head().number - 2)
    assert world.send(ALICE, AcceptHandover()).error == CourtError.HANDOVER_TOO_SOON
    accepted = world.send(ALICE, AcceptHandover())
    assert accepted.block_number == opens and standing(world).accepts_block == 0
    assert accepted.events == (SequencerChanged(address_of(ALICE), address_of(ALICE), 1),)
    assert world.send(ALICE, AcceptHandover()).error == CourtError.NOT_SUCCESSOR
    assert world.send(SEQUENCER, NameSuccessor(bytes(20))).error == CourtError.NOT_OPERATOR
    assert world.try_post(world.build(proposer=address_of(ALICE)), ALICE).error is None


def test_an_offer_can_be_taken_back(world):
    world.send(SEQUENCER, NameSuccessor(address_of(ALICE)))
    world.send(SEQUENCER, NameSuccessor(bytes(20)))
    assert world.send(ALICE, AcceptHandover()).error == CourtError.NOT_SUCCESSOR


def test_the_bond_of_a_batch_stays_its_proposers_after_a_handover(world):
    batch = world.post()
    hand_over(world)
    world.pass_window()
    assert world.send(BOB, Finalise(batch.id)).error is None
    assert world.court.bonds.credit(address_of(SEQUENCER)) == world.config.bond
    assert world.court.bonds.credit(address_of(ALICE)) == 0


def test_a_handover_ends_a_generation_and_is_no_fall(world):
    batch = world.post()
    hand_over(world)
    fall = world.prove(batch).events[0]
    assert fall.generation == 1
    assert world.court.reverts(0, 10) == [fall]
    assert world.court.heads().generation == 2


def test_a_reorganisation_takes_a_handover_back(world):
    receipt = hand_over(world)
    world.chain.reorg(1, [receipt.transaction_hash])
    assert world.court.registry.operator == address_of(SEQUENCER)
    assert world.court.registry.successor == address_of(ALICE)
    assert world.court.heads().generation == 0


# Laws


def versioned(laws=None):
    """A world whose court has another law, judged like the first unless told."""
    world = World()
    laws = laws or {LAW_VERSION: judge, NEXT_LAW: judge}
    world.chain = SimulatedChain(
        world.config, opening_of(GENESIS_GLOBALS), clock=world.clock, laws=laws
    )
    world.court = world.chain.court
    world.opened = {world.court.heads().tip_id: next(iter(world.opened.values()))}
    world.fund()
    return world


def next_law_batch(world):
    opened_after = world.after(law_version=NEXT_LAW)
    return world.build(opened_after, law_version=NEXT_LAW)


def test_an_announced_law_holds_from_its_batch_on_and_not_before_its_time():
    world = versioned()
    announced = world.send(SEQUENCER, AnnounceLaw(NEXT_LAW, 2))
    ready = world.chain.head().time_ms + world.config.law_delay_ms
    assert announced.events == (LawAnnounced(NEXT_LAW, 2, ready),)
    shown = standing(world)
    assert (shown.law_version, shown.next_law_version, shown.next_law_number) == (
        LAW_VERSION,
        NEXT_LAW,
        2,
    )
    assert world.try_post(next_law_batch(world)).error == PostError.WRONG_LAW_VERSION
    first = world.post()
    assert world.try_post(world.build()).error == PostError.WRONG_LAW_VERSION
    world.now = ready - 1
    assert world.try_post(next_law_batch(world)).error == PostError.LAW_TIMELOCK
    world.now = ready
    second = world.post(next_law_batch(world))
    shown = standing(world)
    assert (shown.law_version, shown.next_law_version) == (NEXT_LAW, 0)
    # Each is judged by its own law for as long as it can fall.
    assert world.prove(second).error is None
    assert world.prove(first).error is None


def test_each_batch_is_judged_by_the_law_that_it_names():
    asked = []

    def recording(version):
        def check(header, evidence):
            asked.append((version, header.law_version))
            return judge(header, evidence)

        return check

    world = versioned({version: recording(version) for version in (LAW_VERSION, NEXT_LAW)})
    world.send(SEQUENCER, AnnounceLaw(NEXT_LAW, 2))
    old = world.post()
    world.now = standing(world).next_law_ms
    new = world.post(next_law_batch(world))
    assert world.prove(new).error is None
    assert world.prove(old).error is None
    assert asked == [(NEXT_LAW, NEXT_LAW), (LAW_VERSION, LAW_VERSION)]


def test_an_announcement_names_a_law_that_the_court_has_and_a_batch_to_come():
    world = versioned()
    world.post()
    assert world.send(ALICE, AnnounceLaw(NEXT_LAW, 9)).error == CourtError.NOT_OPERATOR
    for version in (LAW_VERSION, NEXT_LAW + 1, 0):
        assert world.send(SEQUENCER, AnnounceLaw(version, 9)).error == CourtError.UNKNOWN_LAW
    for number in (1, 2):
        assert world.send(SEQUENCER, AnnounceLaw(NEXT_LAW, number)).error == (
            CourtError.LAW_TOO_SOON
        )


def test_a_new_announcement_replaces_one_that_has_no_batch_and_waits_anew():
    world = versioned()
    world.send(SEQUENCER, AnnounceLaw(NEXT_LAW, 2))
    first = standing(world).next_law_ms
    world.now = first - 1
    world.send(SEQUENCER, AnnounceLaw(NEXT_LAW, 3))
    assert standing(world).next_law_number == 3
    assert standing(world).next_law_ms == first - 1 + world.config.law_delay_ms
    world.post()
    world.post()
    assert world.try_post(world.build()).error == PostError.WRONG_LAW_VERSION


# Open posting


def test_posting_opens_to_everyone_when_the_clock_lags_and_not_a_moment_before(world):
    shown = standing(world)
    lag(world, world.config.open_lag_ms)
    assert world.now == shown.opens_ms - 1
    assert world.send(BOB, OpenPosting()).error == CourtError.NOT_LAGGING
    world.now += 1
    receipt = world.send(BOB, OpenPosting())
    assert receipt.events == (PostingChanged(True, world.config.open_lag_ms + 1, 1),)
    assert standing(world).mode == Mode.OPEN
    assert world.send(BOB, OpenPosting()).error == CourtError.POSTING_MODE


def test_whoever_posts_in_open_posting_bonds_and_owns_his_batch(world):
    opened(world)
    batch = world.build(proposer=address_of(BOB))
    before = world.chain.ledger.account(address_of(BOB)).native
    assert world.try_post(batch, ALICE).error == PostError.WRONG_PROPOSER
    receipt = world.try_post(batch, BOB)
    assert receipt.error is None
    after = world.chain.ledger.account(address_of(BOB)).native
    assert before - after == world.config.bond + receipt.fee
    world.pass_window()
    world.send(ALICE, Finalise(batch.id))
    assert world.court.bonds.credit(address_of(BOB)) == world.config.bond


def test_a_batch_that_leaves_the_oldest_overdue_message_is_refused_in_open_posting(world):
    world.post()
    world.deposit(ALICE)
    world.deposit(BOB)
    opened(world)
    lazy = world.build(world.after(consumed=0, clock=world.court_clock()))
    assert world.try_post(lazy).error == PostError.OVERDUE_FIRST
    one = world.build(world.after(consumed=1, clock=world.court_clock()))
    assert world.try_post(one).error is None


def test_a_message_that_is_not_overdue_may_wait_in_open_posting(world):
    world.post()
    opened(world)
    world.deposit(ALICE)
    lazy = world.build(world.after(consumed=0))
    assert world.try_post(lazy).error is None


def test_a_message_is_overdue_after_the_forced_delay_and_not_at_its_end(world):
    world.post()
    opened(world)
    world.deposit(ALICE)
    due = world.court.inbox.entry(0).time_ms + world.config.forced_delay_ms
    for now, expected in ((due, None), (due + 1, PostError.OVERDUE_FIRST)):
        world.now = now
        lazy = world.build(world.after(consumed=0, clock=due))
        assert world.try_post(lazy).error == expected


def test_a_lagging_clock_never_rejects_a_batch(world):
    clock = world.court_clock()
    opened(world)
    world.now += 10 * world.config.freeze_lag_ms
    world.post(world.build(world.after(clock=clock)))


def test_an_overdue_message_holds_the_clock_back_so_the_lag_tells_of_it(world):
    world.deposit(ALICE)
    came = world.court.inbox.entry(0).time_ms
    world.now += world.config.forced_delay_ms
    world.post(world.build(world.after(consumed=0, clock=came + world.config.forced_delay_ms)))
    world.now = came + world.config.forced_delay_ms + world.config.open_lag_ms + 1
    assert world.send(BOB, OpenPosting()).error is None


def test_the_sequencer_closes_posting_once_the_clock_is_brought_up(world):
    opened(world)
    assert world.send(SEQUENCER, ClosePosting()).error == CourtError.STILL_LAGGING
    world.post()
    assert world.send(BOB, ClosePosting()).error == CourtError.NOT_OPERATOR
    receipt = world.send(SEQUENCER, ClosePosting())
    assert receipt.events[0].generation == 2
    assert standing(world).mode == Mode.SEQUENCER
    assert world.send(SEQUENCER, ClosePosting()).error == CourtError.POSTING_MODE
    foreign = world.build(proposer=address_of(BOB))
    assert world.try_post(foreign, BOB).error == PostError.WRONG_PROPOSER


def test_posting_closes_at_the_last_lag_that_would_not_have_opened_it(world):
    opened(world)
    world.post()
    world.now = standing(world).opens_ms - 1
    assert world.send(SEQUENCER, ClosePosting()).error is None


# The freeze


def test_anyone_may_freeze_when_the_clock_lags_beyond_hope_and_not_a_moment_before(world):
    shown = standing(world)
    lag(world, world.config.freeze_lag_ms)
    assert world.now == shown.freezes_ms - 1
    assert world.send(BOB, Freeze()).error == CourtError.NOT_LAGGING
    world.now += 1
    receipt = world.send(BOB, Freeze())
    assert receipt.events == (Frozen(0, world.config.freeze_lag_ms + 1, 1),)
    assert world.send(BOB, Freeze()).error == CourtError.FROZEN


def test_nobody_sets_the_clock_back_by_a_batch_in_order_to_freeze_the_house_at_once(world):
    opened(world)
    world.post(world.build(world.after(clock=world.now)))
    back = world.build(world.after(clock=0), proposer=address_of(BOB))
    assert world.try_post(back, BOB).error == PostError.BEHIND_THE_TIP
    assert world.send(BOB, Freeze()).error == CourtError.NOT_LAGGING


def test_a_house_can_be_frozen_out_of_open_posting(world):
    opened(world)
    frozen(world)
    assert standing(world).mode == Mode.FROZEN


def test_after_the_freeze_nothing_new_is_posted_deposited_forced_or_handed_over(world):
    world.deposit(ALICE)
    frozen(world)
    assert world.try_post(world.build()).error == PostError.POSTING_FROZEN
    request = ForcedRequest(InboxKind.WITHDRAW, 0, 0, 0, 1)
    assert world.deposit(ALICE).error == CourtError.FROZEN
    for key, body in (
        (ALICE, Force(request)),
        (SEQUENCER, RotateSequencer(address_of(BOB))),
        (SEQUENCER, NameSuccessor(address_of(BOB))),
        (BOB, AcceptHandover()),
        (SEQUENCER, AnnounceLaw(NEXT_LAW, 9)),
        (BOB, OpenPosting()),
        (SEQUENCER, ClosePosting()),
    ):
        assert world.send(key, body).error == CourtError.FROZEN, body


def test_what_was_posted_before_the_freeze_runs_out_its_window_and_can_fall(world):
    first, second = world.post(), world.post()
    frozen(world)
    assert world.prove(second).error is None
    assert world.court.heads().tip_id == first.id
    world.pass_window()
    assert world.send(BOB, Finalise(first.id)).error is None
    assert world.send(SEQUENCER, ClaimCredit()).error is None
    totals = world.court.bonds.totals
    assert totals.paid + totals.burned + totals.held == totals.deposited


def test_a_reorganisation_takes_a_freeze_back(world):
    lag(world, world.config.freeze_lag_ms + 1)
    receipt = world.send(BOB, Freeze())
    world.chain.reorg(1, [receipt.transaction_hash])
    assert standing(world).mode == Mode.SEQUENCER
    world.post()


# The configuration


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"open_lag_ms": 7_000}, "open_lag_ms"),
        ({"freeze_lag_ms": 198_000}, "freeze_lag_ms above 198000"),
        ({"law_delay_ms": 189_999}, "law_delay_ms"),
        ({"exit_claim_blocks": 9}, "exit_claim_blocks"),
        ({"exit_end_blocks": 79}, "exit_end_blocks"),
        ({"drift_ms": 60_001}, "drift_ms"),
        ({"operator": bytes(20)}, "operator"),
        ({"beneficiary": b"short"}, "beneficiary"),
    ],
)
def test_a_configuration_is_refused_in_which_nobody_could_leave_in_time(change, named):
    with pytest.raises(ConfigError, match=f"expected {named}"):
        make_config(**change)


def test_the_presets_leave_time_to_leave_before_another_law():
    for preset in (CourtConfig.production, CourtConfig.devnet, CourtConfig.test):
        config = preset(
            chain_id=1, settlement=b"\x01" * 20, sequencer=b"\x02" * 20, operator=b"\x03" * 20
        )
        assert config.beneficiary == b"\x03" * 20
        assert config.law_delay_ms >= time_to_leave_ms(config)
        least = time_to_leave_ms(config)
        with pytest.raises(ConfigError, match="law_delay_ms"):
            replace(config, law_delay_ms=least - 1)


def test_a_batch_of_open_posting_that_falls_costs_its_poster_the_bond(world):
    opened(world)
    batch = world.build(proposer=address_of(BOB))
    assert world.try_post(batch, BOB).error is None
    fall = world.prove(batch, PROVER).events[0]
    assert (fall.slashed, fall.rewarded) == (world.config.bond, world.config.bond // 2)
