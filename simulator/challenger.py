"""The challenger of the world: the real one, which forgets everything but its verdicts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from prover.challenger import Alert, Effect
from prover.challenger_process import ChallengerProcess
from prover.pursuit import Prove
from prover.replica import Replica
from simulator.base import Wire
from simulator.broken import require
from simulator.disk import SimulatedCrash
from simulator.market import CHALLENGER, genesis, key_of
from verifier.base.interface import BaseLayer
from verifier.errors import VerifierError

if TYPE_CHECKING:
    from simulator.world import World

TICK_MS = 700
# What an honest challenger never has to say of its own proofs.
SHAMEFUL = ("own evidence", "was found", "a proof would fail", "is final although")


class ChallengerActor:
    """Ticks the process; lets it die and start again from genesis and its cursor."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("challenger")
        self._folder = Path(tempfile.mkdtemp(prefix="novatio-sim-"))
        self._cursor = self._folder / "cursor.json"
        self.process: ChallengerProcess | None = None
        self.lives = 0
        self.proofs = 0

    def start(self) -> None:
        """Start the process."""
        wire = Wire(self._world, self._world.base.layer, "challenger-crash-while-sending")
        try:
            self.process = ChallengerProcess(
                cast(BaseLayer, wire),
                Replica(genesis(), 8),
                key_of(CHALLENGER),
                self._cursor,
                self._on_effect,
            )
        except VerifierError as error:
            self._world.note("challenger", f"did not start: {type(error).__name__}")
            self._world.after(TICK_MS, "challenger", "start", self.start)
            return
        self.lives += 1
        self._world.after(TICK_MS, "challenger", "tick", self._tick)

    def stop(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._folder)

    def _tick(self) -> None:
        assert self.process is not None
        if self._world.faults.happens("challenger-crash", self._world.now):
            self._die()
            return
        try:
            self.process.tick()
        except SimulatedCrash:
            self._die()
            return
        except VerifierError as error:
            self._world.note("challenger", f"tick failed: {type(error).__name__}")
        self._world.after(TICK_MS, "challenger", "tick", self._tick)

    def _die(self) -> None:
        self._world.note("challenger", "crashed")
        if self._world.faults.happens("challenger-cursor-lost", self._world.now):
            self._cursor.unlink(missing_ok=True)
        self.process = None
        wait = self._chance.randint(200, 4_000)
        self._world.after(wait, "challenger", "start", self.start)

    def _on_effect(self, effect: Effect) -> None:
        if isinstance(effect, Prove):
            self.proofs += 1
            self._world.note("challenger", f"wants batch {effect.number} reverted")
        if isinstance(effect, Alert):
            self._world.note("challenger", f"alert: {effect.text}")
            shameful = any(words in effect.text for words in SHAMEFUL)
            require("I12", not shameful, effect.text)
