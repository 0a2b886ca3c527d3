"""Snapshots under reorganisations: what a newcomer was right to believe once, it stays right in."""

import copy

from prover.rebuild import check_snapshot, rebuild
from prover.snapshot import SnapshotError, take_snapshot
from tests.prover.chain_world import PROVER, ChainWorld
from verifier.base.interface import InProcessBaseLayer
from verifier.base.transactions import Finalise
from verifier.config import FINALITY_EPOCHS
from verifier.host import storage


def believed(chain, genesis, snapshots):
    """Return which of the snapshots a newcomer believes that reads this chain."""
    found = set()
    for number, data in snapshots.items():
        try:
            found.add(check_snapshot(InProcessBaseLayer(chain), genesis, data).number)
        except SnapshotError:
            continue
        assert number in found
    return found


def test_a_snapshot_that_was_believed_is_believed_after_every_reorganisation():
    """Blocks are dropped with all that they held, at every head and to every depth."""
    world = ChainWorld()
    genesis = world.market.genesis
    world.opening_batch()
    world.honest_batch(2)
    snapshots = {}
    for number in (1, 2):
        replica = rebuild(world.base, genesis, number)
        snapshots[number] = take_snapshot(replica.engine, number, replica.batch_id)
    world.mine(world.config.final_after_blocks)
    moves = [view.record.batch_id for view in world.base.batches(1, 2)]
    seen = []
    for place in range(2 + FINALITY_EPOCHS * world.config.epoch_blocks):
        if place < len(moves):
            world.send(PROVER, Finalise(moves[place]))
        else:
            world.mine()
        now = believed(world.chain, genesis, snapshots)
        seen.append(now)
        head = world.chain.head()
        for depth in range(1, head.number - head.finalised_number + 1):
            other = copy.deepcopy(world.chain, {id(storage._MISSING): storage._MISSING})
            dropped = [other.block(head.number - back) for back in range(depth)]
            lost = [one.hash for block in dropped if block for one in block.transactions]
            other.reorg(depth, lost)
            other.mine(depth)
            assert now <= believed(other, genesis, snapshots)
    assert seen[0] == set() and seen[-1] == {1, 2}
    assert seen == sorted(seen, key=len)
