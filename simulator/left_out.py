"""The last thing that an operator can do: acknowledge something, and post a batch without it.

No challenger can say anything against such a batch, for the law confirms it. Whoever holds the
receipt shows it to the court together with the batch, which takes the operator's stake. The twin
posts what was acknowledged, and the same client gets nothing for the same complaint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clearing.codes import Kind
from node.events import GenerationMoved, Submitted
from prover.forge import BatchForge
from simulator.brains import PACE_MS, PROOF_GAS, STRANGER, sequence
from simulator.broken import require
from simulator.frauds import LEFT_OUT, NOTHING
from simulator.market import CLAIMER, KEEPER, OPERATOR, address, asked
from simulator.rogue import POST_GAS
from verifier.base.transactions import Finalise, PostBatch, ProveReceipt, PutStake
from verifier.batch import BatchData
from verifier.receipts import LeftOut, SignedReceipt, roots_of

if TYPE_CHECKING:
    from simulator.world import World

CHANCE = 0.4  # that a world with frauds ends so
TWINS = 0.3  # of these are honest


def check_left_out(world: World) -> bool:
    """I12: a receipt that the next batch breaks costs the stake, one that it keeps nothing.

    Returns whether it was tried: afterwards the node's log lacks what the base layer holds.
    """
    chance = world.chance("left out")
    stakes = world.base.chain.court.stakes
    if LEFT_OUT in world.options.without or world.options.frauds == 0:
        return False
    if chance.random() >= CHANCE:
        return False
    if not stakes.of(address(OPERATOR)).amount:
        # Lost with a batch that was proven wrong, or to a second node; whoever goes on puts one.
        world.base.send(OPERATOR, PutStake())
        world.base.mine_one()
    twin = chance.random() < TWINS
    action = asked(Kind.MARK_TO_MARKET, account=STRANGER)
    receipt = _acknowledge(world, action)
    batch_id, roots = _post(world, action if twin else NOTHING)
    complaint = ProveReceipt(LeftOut(batch_id, receipt, roots).encode())
    encoded = world.base.sign(CLAIMER, complaint, gas=PROOF_GAS)
    would = world.base.layer.dry_run(encoded)
    require("I12", twin == (would.error is not None), f"a left out receipt: {would.text}")
    if not twin:
        world.invariants.frauds[LEFT_OUT] += 1
        world.base.chain.submit(encoded)
        world.base.mine_one()
    left = stakes.of(address(OPERATOR)).amount
    require("I12", twin == (left > 0), f"a stake of {left} after a receipt was left out")
    for _ in range(world.base.chain.config.final_after_blocks + 1):
        world.base.mine_one()
    world.base.send(KEEPER, Finalise(batch_id))
    world.base.mine_one()
    final = world.base.chain.court.heads().finalised_id
    require("L1", final == batch_id, "a lawful batch that breaks a receipt did not become final")
    return True


def _acknowledge(world: World, action: bytes) -> SignedReceipt:
    """Have the node sign for one more action, on a copy of its disks."""
    opened = world.node.open(world.node.disks.twins(), world.base.layer)
    heads = world.base.chain.court.heads()
    sequence(opened, world.now, GenerationMoved(heads.generation))
    request = Submitted(1, action, np.array([len(action)], np.int64), world.now + PACE_MS)
    (receipt,) = sequence(opened, world.now, request)
    return SignedReceipt(receipt.generation, receipt.count, receipt.accumulator, receipt.signature)


def _post(world: World, action: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Post a lawful batch of one action; return its id, and the roots of its steps' actions."""
    heads = world.base.chain.court.heads()
    forge = BatchForge(world.rogue.branch_after(heads.tip_id))
    forge.honest([action], world.now)
    posting = forge.finish(world.rogue.place(heads.tip_id, heads.tip_number + 1))
    header, opening = posting.header, posting.opening.encode()
    body = PostBatch(world.base.chain.config.bond, header.encode(), opening, posting.data)
    world.base.send(OPERATOR, body, gas=POST_GAS)
    world.base.mine_one()
    court, batch_id = world.base.chain.court, header.batch_id()
    require("L1", court.heads().tip_id == batch_id, "the court did not take a lawful batch")
    return batch_id, roots_of(BatchData.decode(posting.data, header.step_count))
