"""Whoever is owed money fetches it as soon as it is final, and then tries again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prover.proofs import withdrawal_proof
from simulator.market import CLAIMER
from verifier.base.transactions import ClaimWithdrawal
from verifier.errors import Refused

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 3_000


class Claimer:
    """Claims at random, paid or not: the court pays each withdrawal once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("claimer")
        self.finished = False

    def start(self) -> None:
        """Begin to claim."""
        self._world.after(PACE_MS, "claimer", "claim", self._claim)

    def _claim(self) -> None:
        if self.finished:
            return
        self._world.after(PACE_MS, "claimer", "claim", self._claim)
        court, sequencer = self._world.base.chain.court, self._world.node.sequencer
        view = court.batch(court.heads().finalised_id)
        if sequencer is None or view is None or view.record.withdrawal_count == 0:
            return
        count = view.record.withdrawal_count
        proof = withdrawal_proof(sequencer.engine, self._chance.randrange(count), count)
        body = ClaimWithdrawal(view.record.batch_id, proof.index, proof.leaf, proof.siblings)
        try:
            self._world.base.send(CLAIMER, body)
        except Refused as refused:
            self._world.note("claimer", f"refused: {refused.code.name}")
