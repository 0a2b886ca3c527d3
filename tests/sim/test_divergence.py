"""What `novatio batch diff` and `novatio dispute show` say of every kind of forgery."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

import prover.blame
from novatio.audit import Audit
from novatio.cli._divergence import record_of
from prover.replica import Verdict
from simulator.frauds import FORGERIES
from simulator.market import CHALLENGER, OPERATOR, START_MS, address, genesis
from simulator.rogue import POST_GAS
from simulator.world import Options, World
from verifier.base.transactions import Faucet, PostBatch, ProveFraud
from verifier.batches import BatchStatus

RICH = 10**15
PROVE_GAS = 50_000_000
STATES = 4_000  # fewer than people wait for
FEW_STATES = 500  # so few are tried again, to see that the batch's fall changes nothing
# Their roots are those of no state near the law's: one is no state's, two made up a call of which
# nobody is told when it ends, and the last did in one step what takes two.
UNNAMED = {"wrong-post-root", "call-order-without-a-call", "call-fill-invented", "step-overfull"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A market that has traded and withdrawn for a while."""
    made = World(2, Options(faults=False, frauds=0))
    with capture_logs():
        made.begin()
        made.until(START_MS + 22_000)
        made.base.send(OPERATOR, Faucet(address(OPERATOR), RICH, 0))
        made.base.mine_one()
        yield made
    assert made.challenger is not None
    made.challenger.stop()


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forgery_is_taken_apart_before_and_after_it_fell(world: World, monkeypatch, kind):
    monkeypatch.setattr(prover.blame, "STATES_TRIED_MAX", STATES)
    chain = world.base.chain
    heads = chain.court.heads()
    posting = world.rogue.build(kind, "dice", heads, twin=False)
    assert posting is not None
    body = PostBatch(
        chain.config.bond, posting.header.encode(), posting.opening.encode(), posting.data
    )
    world.base.send(OPERATOR, body, gas=POST_GAS)
    chain.mine()
    batch_id = posting.header.batch_id()
    assert chain.court.heads().tip_id == batch_id
    audit = Audit(world.base.layer, genesis())
    judgement = audit.judge(heads.tip_number + 1)
    assert judgement.verdict is Verdict.INVALID
    record = record_of(audit.divergence(judgement))
    assert bool(record["how"]) == bool(record["wrong"]) == (kind not in UNNAMED)
    said = "exactly the committed root" if record["how"] else f"{record['states_tried']} likely"
    assert any(said in line for line in record["explanation"])
    assert record["committed_root"] != record["law_root"]
    world.base.send(CHALLENGER, ProveFraud(batch_id, judgement.evidence), gas=PROVE_GAS)
    chain.mine()
    fallen = world.base.layer.batch(batch_id)
    assert fallen is not None and fallen.status == BatchStatus.REVERTED
    again = audit.judge_reverted(batch_id)
    assert again == judgement
    if record["states_tried"] < FEW_STATES:
        assert record_of(audit.divergence(again)) == record
