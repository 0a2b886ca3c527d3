"""The keeper: takes over failing positions, and tries healthy ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from clearing.messages import Liquidate
from node.margins import margin_of
from simulator.client import Client
from simulator.market import FAR_MS, signed

if TYPE_CHECKING:
    from simulator.world import World

PACE_MS = 700
LENIENT = 0.95


class Keeper:
    """Reads margins as any client can, and liquidates in its own name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance("keeper")
        self.client = Client(world, "keeper")
        self.finished = False

    def start(self) -> None:
        """Begin to look."""
        self._world.after(PACE_MS, "keeper", "look", self._look)

    def _look(self) -> None:
        if self.finished:
            return
        self._world.after(PACE_MS, "keeper", "look", self._look)
        me, sequencer = self._world.traders.keeper, self._world.node.sequencer
        if me.account is None or sequencer is None or self._world.is_quiet:
            return
        state = cast(Any, sequencer.engine.state)
        # Gamblers are mostly left to `simulator.crash`, which takes the waterfall's later steps.
        spared: set[int | None] = {me.account}
        if self._chance.random() < LENIENT:
            spared |= {one.account for one in self._world.traders.gamblers}
        failing = []
        for row in range(int(sequencer.engine.totals.account_count)):
            margin = margin_of(state, row)
            if row not in spared and margin.valid and margin.equity < margin.maintenance:
                failing.append(row)
        if not failing and self._chance.random() < 0.8:
            return
        target = self._chance.choice(failing) if failing else self._chance.randrange(4)
        row = state.accounts[target]
        held = [int(one.instrument) for one in row.positions[: int(row.position_count)]]
        instrument = self._chance.choice(held or [0])
        fields = (me.account, target, instrument, 10**6, me.next_sequence(), FAR_MS)
        self.client.submit(signed(me.name, Liquidate(*fields)))
