"""Each invariant of what stands fails where it is broken, and only there."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from clearing.codes import Code
from node.events import Reply
from node.margins import margin_of
from prover.rebuild import rebuild
from simulator.broken import InvariantBroken
from simulator.keeper import Keeper
from simulator.standing import check_chain, check_variation, check_view, named_by
from simulator.world import Options, World, run
from verifier.base.interface import LIST_MAX
from verifier.base.transactions import PayExit
from verifier.header import Header

CALM = Options(faults=False, frauds=0, seconds=10)


@pytest.fixture(scope="module")
def world() -> World:
    """A world that went well, its positions open."""
    made = World(1, CALM)
    made.run()
    return made


@pytest.fixture
def state(world):
    """A state that a test may spoil."""
    return copy.deepcopy(world.node.sequencer.engine.state)


def broken(name, function, *arguments):
    with pytest.raises(InvariantBroken) as found:
        function(*arguments)
    assert found.value.name == name


def test_gains_without_losses_and_funding_out_of_nothing_are_found(state):
    check_variation(state)
    held = next(row for row in state.accounts if row.position_count)
    held.positions[0].lots += 1
    broken("I3", check_variation, state)
    held.positions[0].lots -= 1
    check_variation(state)
    for change in (-(10**9), 10**9):
        state.instruments[0].pot += change
        broken("I3", check_variation, state)
        state.instruments[0].pot -= change


def views_of(world):
    return world.base.chain.court.batches(0, LIST_MAX)


def with_header(view, **changes):
    header = replace(Header.decode(view.record.header), **changes)
    return view._replace(record=view.record._replace(header=header.encode()))


def test_a_gap_another_parent_a_step_back_and_a_second_sequencer_are_found(world):
    views = views_of(world)
    assert len(views) > 4
    check_chain(views, 0)
    broken("I11", check_chain, views[:2] + views[3:], 0)
    for changes in ({"parent_id": bytes(32)}, {"pre_root": bytes(32)}, {"proposer": bytes(20)}):
        spoiled = [*views[:3], with_header(views[3], **changes), *views[4:]]
        broken("I11", check_chain, spoiled, 0)
    ahead = [*views[:-1], with_header(views[-1], generation=1)]
    check_chain(ahead, 1)
    broken("I11", check_chain, ahead, 0)
    broken("I11", check_chain, [*ahead[:2], with_header(views[2], generation=1), *views[3:]], 1)


def test_an_account_that_fails_and_that_no_keeper_is_after_is_found_out(monkeypatch):
    def failing(state, row):
        found = margin_of(state, row)
        return found._replace(maintenance=found.equity + 1) if row == 2 else found

    # The keeper is blind for this account: it measures as everybody does.
    monkeypatch.setattr("simulator.standing.margin_of", failing)
    monkeypatch.setattr("simulator.standing.GRACE_MS", 4_000)
    monkeypatch.setattr(Keeper, "_look", lambda self: None)
    with pytest.raises(InvariantBroken, match="account 2 fails for") as found:
        run(5, replace(CALM, seconds=20))
    assert found.value.name == "I13"


def test_a_law_that_answers_with_its_own_halt_is_found_out(world):
    codes = np.array([Code.INVARIANT], np.int64)
    reply = Reply(1, codes, np.ones(1, np.int64), np.zeros(1, np.int64), (), None, 0, 0)
    broken("I6", world.invariants.on_reply, (b"never seen",), reply, world.node.log)


def quiet(monkeypatch):
    """Let everybody pause for ten seconds, once all deposits are in."""
    monkeypatch.setattr("simulator.world.QUIET_CHANCE", 1.0)
    monkeypatch.setattr("simulator.world.QUIET_FROM_MS", (12_000, 12_000))
    monkeypatch.setattr("simulator.world.QUIET_MS", (10_000, 10_000))


def test_while_everybody_pauses_a_node_carries_the_clock_on(monkeypatch):
    quiet(monkeypatch)
    report = run(5, replace(CALM, seconds=23))
    assert report["beats"] > 0


def test_a_node_without_a_heartbeat_is_found_out(monkeypatch):
    quiet(monkeypatch)
    monkeypatch.setattr("node.sequencer.Sequencer._beat", lambda self, now_ms: [])
    with pytest.raises(InvariantBroken, match="clock lags") as found:
        run(5, replace(CALM, seconds=23))
    assert found.value.name == "I19"


def test_what_an_attempt_is_after_is_read_from_its_bytes(world):
    attempts = [action for action in world.invariants.acknowledged if named_by(action) is not None]
    assert attempts
    assert {named_by(action) for action in attempts} <= set(
        range(world.node.sequencer.engine.totals.account_count)
    )
    assert named_by(b"") is named_by(b"\xff") is None


@pytest.mark.parametrize(
    "less", [{"frame_actions_max": 2}, {"frame_bytes_max": 100}, {"queue_actions_max": 0}]
)
def test_a_node_that_outgrows_its_limits_is_found_out(less):
    world = World(5, replace(CALM, seconds=6))
    world.node.limits = replace(world.node.limits, **less)
    with pytest.raises(InvariantBroken) as found:
        world.run()
    assert found.value.name == "I14"


def test_a_log_file_that_grows_without_bound_is_found_out():
    world = World(5, replace(CALM, seconds=6))
    world.node.segment_bytes_max = 20_000
    world.node.limits = replace(world.node.limits, frame_bytes_max=1_000)
    with pytest.raises(InvariantBroken, match="log-0000") as found:
        world.run()
    assert found.value.name == "I14"


def test_a_base_layer_that_leads_nowhere_and_a_forgotten_account_are_found_out(monkeypatch):
    def short(base, genesis):
        return rebuild(base, genesis, base.heads().finalised_number - 1)

    monkeypatch.setattr("simulator.exit.rebuild", short)
    with pytest.raises(InvariantBroken, match="another state") as found:
        run(5, replace(CALM, seconds=6))
    assert found.value.name == "I17"
    monkeypatch.undo()
    monkeypatch.setattr("simulator.exit.PayExit", lambda account: PayExit(0))
    with pytest.raises(InvariantBroken, match="paid of") as found:
        run(5, replace(CALM, seconds=6))
    assert found.value.name == "I17"


def test_a_view_that_is_not_what_the_log_folds_to_is_found_out(world, monkeypatch):
    monkeypatch.setattr("simulator.index.fold", lambda record: iter(()))
    with pytest.raises(InvariantBroken, match="not the log's") as found:
        run(5, replace(CALM, seconds=6))
    assert found.value.name == "I18"
    broken("I18", check_view, [(b"more", b"")], world.node.log)
