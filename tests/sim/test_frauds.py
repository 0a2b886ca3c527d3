"""Every kind of fraud is one, its twin is none, and the court refuses what it can see."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from prover.provability.house import attestation_of
from simulator.frauds import (
    AHEAD,
    FORGERIES,
    MISPOSTINGS,
    UNASKED,
    WITHHELD,
    held_by_committee,
)
from simulator.market import OPERATOR, START_MS
from simulator.rogue import POST_GAS
from simulator.world import Options, World, run
from verifier.base.transactions import PostBatch
from verifier.errors import PostError

REFUSED_FOR = {
    "wrong-parent": PostError.WRONG_PARENT,
    "wrong-number": PostError.WRONG_NUMBER,
    "wrong-generation": PostError.WRONG_GENERATION,
    "wrong-law-version": PostError.WRONG_LAW_VERSION,
    "wrong-pre-root": PostError.WRONG_PRE_ROOT,
    "unopened-root": PostError.WRONG_OPENING,
    "unknown-reference": PostError.BASE_REFERENCE_NOT_CANONICAL,
    "too-many-steps": PostError.WRONG_STEP_COUNT,
    "data-unlike-commitment": PostError.WRONG_DATA_HASH,
    "data-withheld": PostError.WRONG_DATA_LENGTH,
    "short-bond": PostError.WRONG_BOND,
    "committee-short-quorum": PostError.SHORT_QUORUM,
    "committee-unknown-signer": PostError.UNKNOWN_SIGNER,
    "committee-wrong-aggregate": PostError.WRONG_ATTESTATION,
    "committee-one-member-twice": PostError.WRONG_ATTESTATION,
    "committee-word-of-another-batch": PostError.WRONG_ATTESTATION,
    "committee-point-off-the-subgroup": PostError.WRONG_ATTESTATION,
    AHEAD: PostError.CLOCK_AHEAD,
    UNASKED: PostError.INBOX_BEYOND,
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A market that has traded and withdrawn for a while."""
    made = World(2, Options(faults=False, frauds=0))
    with capture_logs():
        made.begin()
        made.until(START_MS + 22_000)
        yield made
    assert made.challenger is not None
    made.challenger.stop()


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forgery_is_refuted_by_the_law_and_its_twin_is_not(world: World, kind):
    heads = world.base.chain.court.heads()
    assert heads.tip_number > 3
    forged = world.rogue.build(kind, "dice", heads, twin=False)
    twin = world.rogue.build(kind, "dice", heads, twin=True)
    assert forged is not None and twin is not None
    assert world.rogue.first_bad_step(forged) is not None
    assert world.rogue.first_bad_step(twin) is None


@pytest.mark.parametrize("kind", [*MISPOSTINGS, AHEAD, UNASKED])
def test_the_court_refuses_a_misposting_for_the_rule_that_it_breaks(world: World, kind):
    encoded = world.base.sign(OPERATOR, world.rogue.misposting(kind), gas=POST_GAS)
    assert world.base.layer.dry_run(encoded).error == REFUSED_FOR[kind]


def test_a_committees_batch_whose_steps_nobody_shows_falls_in_time(monkeypatch):
    monkeypatch.setattr("simulator.rogue.WITHHOLDS", 1.0)
    report = run(2, Options(faults=False, frauds=1, seconds=40))
    assert report["frauds"][WITHHELD] == report["reverted"][WITHHELD] == 1


def test_a_committee_of_honest_members_is_believed(world: World):
    posting = world.rogue.build("moved-clock", "dice", world.base.chain.court.heads(), twin=True)
    assert posting is not None
    posting = held_by_committee(posting, attestation_of)
    header, opening = posting.header.encode(), posting.opening.encode()
    body = PostBatch(world.base.chain.config.bond, header, opening, posting.data)
    encoded = world.base.sign(OPERATOR, body, gas=POST_GAS)
    assert world.base.layer.dry_run(encoded).error is None
