"""The world's base layer as a process: a simulated chain with the world's court, in memory.

Its blocks come at the pace of the wall clock and carry the law's time, so that batches, which are
stamped by the same clock, are never ahead of it.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from node.clock import law_clock
from node.config import ClockSection, load
from node.reach import stop_on_signals
from novatio.world import ACCOUNTS_MIN, World
from prover.engine import Engine
from verifier.base.chain import SimulatedChain
from verifier.base.service import BaseLayerServer, SteppedClock

__all__ = ["BaseConfig", "WorldSection", "run"]

WATCH_SECONDS: Final = 0.2


class WorldSection(msgspec.Struct, frozen=True, kw_only=True):
    """Which world, and where its base layer listens."""

    listen: Annotated[str, Meta(description="host:port of the gRPC server")] = "127.0.0.1:7401"
    seed: Annotated[int, Meta(description="seed of keys and orders", ge=0)] = 1
    accounts: Annotated[int, Meta(description="margin accounts", ge=ACCOUNTS_MIN)] = 240
    start_ms: Annotated[int, Meta(description="law time of genesis", ge=0)] = 0
    block_ms: Annotated[int, Meta(description="law ms between two blocks", ge=1)] = 1_000
    block_wall_ms: Annotated[int, Meta(description="wall ms between two blocks", ge=1)] = 1_000

    def world(self) -> World:
        """Return the world of this section."""
        return World(self.seed, self.accounts, self.start_ms, self.block_ms)


class BaseConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a world's base layer."""

    world: WorldSection = WorldSection()
    clock: ClockSection = ClockSection()


def run(config: str | os.PathLike[str]) -> int:
    """Serve the base layer of a TOML file until a signal; return the exit code."""
    loaded = load(BaseConfig, config).config
    world = loaded.world.world()
    clock = SteppedClock(law_clock(loaded.clock))
    opening = Engine(world.genesis()).opening()
    chain = SimulatedChain(world.court(), opening, clock=clock, seed=world.seed)
    server = BaseLayerServer(
        chain, clock, loaded.world.listen, block_time_ms=loaded.world.block_wall_ms
    )
    stop = stop_on_signals()
    server.start()
    while not stop.wait(WATCH_SECONDS):
        if server.failure is not None:
            print(f"base: blocks stopped: {server.failure}", file=sys.stderr)
            return 1
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
