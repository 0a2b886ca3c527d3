"""Replaying batches from a base layer that goes on, or goes back, meanwhile."""

import pytest

from novatio.audit import Audit
from novatio.errors import Unavailable
from prover.forge import mint
from prover.replica import Verdict
from tests.prover.chain_world import ChainWorld
from verifier.base.interface import InProcessBaseLayer


class Hurried(InProcessBaseLayer):
    """Lets so many blocks pass after a batch's data that no block read at before is kept."""

    def __init__(self, world):
        super().__init__(world.chain)
        self.world = world

    def batch_data(self, batch_id, at=None):
        found = super().batch_data(batch_id, at)
        self.world.mine(5 * self.world.config.epoch_blocks)
        return found


@pytest.fixture
def world():
    made = ChainWorld()
    made.opening_batch()
    made.honest_batch()
    return made


def test_a_replay_goes_on_when_its_block_is_kept_no_longer(world):
    world.honest_batch()
    audit = Audit(Hurried(world), world.market.genesis)
    judgement = audit.judge(3)
    assert (judgement.number, judgement.verdict) == (3, Verdict.VALID)
    assert audit.account(1, 3).id == 1


def test_a_fraud_is_taken_apart_though_its_block_is_kept_no_longer(world):
    world.forged_batch(mint(1, 1_000), honest=0)
    audit = Audit(Hurried(world), world.market.genesis)
    found = audit.divergence(audit.judge(3))
    assert (found.number, found.step) == (3, 0)


def test_a_replay_ends_when_the_base_layer_took_its_batch_back(world):
    audit = Audit(world.base, world.market.genesis)
    assert audit.judge(2).verdict is Verdict.VALID
    [dropped] = [signed.hash for signed in world.chain.block(world.base.head().number).transactions]
    world.chain.reorg(1, {dropped})
    world.mine(2)
    assert world.base.heads().tip_number == 1
    with pytest.raises(Unavailable, match="batch 2: expected"):
        audit.judge(2)
