"""Two nodes of one operator: what they both sign is worth the stake, and nothing else is."""

import pytest

from simulator.brains import Brains
from simulator.brains import check_stake as check
from simulator.broken import InvariantBroken
from simulator.faults import CHANCES
from simulator.frauds import LEFT_OUT, RETIRED
from simulator.world import Options, World, run

SPLIT = Options(frauds=0, seconds=30, without=frozenset(CHANCES) - {"split-brain"})
SEED = 3  # in which it happens


def test_a_second_node_costs_its_operator_the_stake(monkeypatch):
    monkeypatch.setitem(CHANCES, "split-brain", 0.3)
    report = run(SEED, SPLIT)
    assert report["faults"]["split-brain"] > 0
    assert report["receipts_broken"] == 1
    assert report["honest_reverts"] == report["lost_acknowledged"] == 0


def test_an_honest_operator_keeps_it():
    assert run(SEED, Options(faults=False, frauds=0, seconds=15))["receipts_broken"] == 0


@pytest.mark.parametrize(("twins", "broken"), [(0.0, 1), (1.0, 0)])
def test_a_receipt_that_a_lawful_batch_leaves_out_costs_the_stake_and_one_that_it_keeps_nothing(
    monkeypatch, twins, broken
):
    monkeypatch.setattr("simulator.left_out.CHANCE", 1.0)
    monkeypatch.setattr("simulator.left_out.TWINS", twins)
    report = run(SEED, Options(faults=False, seconds=8))
    assert report["receipts_broken"] == report["frauds"].get(LEFT_OUT, 0) == broken
    assert report["honest_reverts"] == report["lost_acknowledged"] == 0


def test_a_key_that_is_rotated_away_posts_nothing_and_its_word_is_kept(monkeypatch):
    monkeypatch.setattr("simulator.rotation.CHANCE", 1.0)
    options = Options(faults=False, seconds=8, without=frozenset({LEFT_OUT}))
    report = run(SEED, options)
    assert report["frauds"][RETIRED] == 1
    assert report["receipts_broken"] == report["lost_acknowledged"] == 0


def test_a_stake_that_stays_and_a_conviction_without_a_contradiction_are_found_out(monkeypatch):
    world = World(SEED, SPLIT)
    monkeypatch.setitem(CHANCES, "split-brain", 0.3)
    # Nobody looks for contradictions, though there are some: the stake goes for no reason known.
    found: list[object] = []
    compare = Brains._contradiction
    monkeypatch.setattr(Brains, "_contradiction", lambda self: found.append(compare(self)))
    world.run()
    assert any(found)
    world.invariants.receipts_broken = 1
    with pytest.raises(InvariantBroken, match="honest operator") as broken:
        check(world)
    assert broken.value.name == "I12"
    world.brains.found = next(one for one in found if one)  # type: ignore[assignment]
    with pytest.raises(InvariantBroken, match="still there"):
        check(world)
