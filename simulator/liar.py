"""A challenger who accuses the innocent: with true evidence of good steps, and with garbage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prover.witness import build_evidence
from simulator.follower import Follower
from simulator.market import LIAR, genesis
from verifier.base.transactions import ProveFraud
from verifier.batch import BatchData
from verifier.errors import Refused

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 4_000
PROVE_GAS = 20_000_000


class Liar:
    """Only ever pays fees: the court believes nothing that the law does not refute."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("liar")
        self._follower = Follower(genesis(), world.invariants.known, world.decoded)
        self.finished = False

    def start(self) -> None:
        """Begin to accuse."""
        self._world.after(PACE_MS, "liar", "accuse", self._accuse)

    def _accuse(self) -> None:
        if self.finished:
            return
        self._world.after(PACE_MS, "liar", "accuse", self._accuse)
        findings, known = self._world.invariants.findings, self._world.invariants.known
        court = self._world.base.chain.court
        heads = court.heads()
        names = [
            view.record.batch_id
            for view in court.batches(heads.finalised_number + 1, 32)
            if findings[view.record.batch_id].valid
        ]
        if not names:
            return
        batch_id = self._chance.choice(names)
        posted = known[batch_id]
        engine = self._follower.stand_after(posted.header.parent_id)
        data = BatchData.decode(posted.data, posted.header.step_count)
        step = data.steps[0].encode()
        evidence = bytearray(build_evidence(engine, posted.header, data.pairs, 0, step).encode())
        if self._chance.random() < 0.5:
            evidence[self._chance.randrange(len(evidence))] ^= 1 << self._chance.randrange(8)
        try:
            body = ProveFraud(batch_id, bytes(evidence))
            self._world.base.send(LIAR, body, gas=PROVE_GAS)
        except Refused as refused:
            self._world.note("liar", f"refused: {refused.code.name}")
