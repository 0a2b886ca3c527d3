"""A key is rotated away while something is acknowledged and not yet posted.

The node comes back with the new key and keeps the word of the old one. Whoever still has the old
key, the node's former process or a thief, posts nothing any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clearing.codes import Kind
from node.events import GenerationMoved, Submitted, Tick
from node.poster import Poster
from node.records import SealRecord
from prover.forge import BatchForge
from simulator.brains import PACE_MS, PROOF_GAS, STRANGER, sequence
from simulator.broken import require
from simulator.frauds import NOTHING, RETIRED
from simulator.market import CLAIMER, OPERATOR, SUCCESSOR, address, asked, key_of
from verifier.base.transactions import PostBatch, ProveReceipt, RotateSequencer
from verifier.batch import BatchData
from verifier.header import Header
from verifier.receipts import LeftOut, SignedReceipt, roots_of

if TYPE_CHECKING:
    from simulator.world import World

CHANCE = 0.4  # that a world ends so
PATIENCE_BLOCKS = 20  # beyond a batch's windows


def check_rotation(world: World) -> None:
    """L1, I12: what was acknowledged becomes final by the new key alone, and no stake is lost."""
    if RETIRED in world.options.without or world.options.frauds == 0:
        return
    if world.chance("rotation").random() >= CHANCE:
        return
    base, court = world.base, world.base.chain.court
    opened = world.node.open(world.node.disks.twins(), base.layer)
    sequence(opened, world.now, GenerationMoved(court.heads().generation))
    action = asked(Kind.MARK_TO_MARKET, account=STRANGER + 1)
    request = Submitted(1, action, np.array([len(action)], np.int64), world.now + PACE_MS)
    (receipt,) = sequence(opened, world.now, request)
    seals: list[SealRecord] = []
    sequence(opened, world.now + world.node.policy.interval_ms, Tick(), seals)
    base.send(OPERATOR, RotateSequencer(address(SUCCESSOR)))
    base.mine_one()
    before = court.heads()
    known = [*opened.recovered.seals, *seals]
    posters = [
        Poster(base.layer, base.layer.config(), key_of(name), 1, opened.log, known)
        for name in (OPERATOR, SUCCESSOR)
    ]
    inbox = court.inbox.count
    posters[0].step(inbox)
    _post_with_the_old_key(world)
    base.mine_one()
    require("I11", court.heads().tip_id == before.tip_id, "a key that was rotated away posted")
    for _ in range(base.chain.config.final_after_blocks + PATIENCE_BLOCKS):
        posters[1].step(inbox)
        base.mine_one()
    heads = court.heads()
    text = f"batch {heads.finalised_number} final after {before.tip_number}: {posters[1].status}"
    require(
        "L1", heads.finalised_number == before.tip_number + len(seals) > before.tip_number, text
    )
    signed = SignedReceipt(
        receipt.generation, receipt.count, receipt.accumulator, receipt.signature
    )
    view, data = court.batch(heads.tip_id), court.batch_data(heads.tip_id)
    assert view is not None and data is not None
    steps = Header.decode(view.record.header).step_count
    complaint = LeftOut(heads.tip_id, signed, roots_of(BatchData.decode(data, steps)))
    would = base.layer.dry_run(base.sign(CLAIMER, ProveReceipt(complaint.encode()), gas=PROOF_GAS))
    require("I12", would.error is not None, "a receipt that the new key kept counts as broken")


def _post_with_the_old_key(world: World) -> None:
    """Send a lawful batch that only its poster makes wrong."""
    heads = world.base.chain.court.heads()
    forge = BatchForge(world.rogue.branch_after(heads.tip_id))
    forge.honest([NOTHING], world.now)
    posting = forge.finish(world.rogue.place(heads.tip_id, heads.tip_number + 1))
    header, opening = posting.header.encode(), posting.opening.encode()
    body = PostBatch(world.base.chain.config.bond, header, opening, posting.data)
    world.rogue.mispost(RETIRED, body)
