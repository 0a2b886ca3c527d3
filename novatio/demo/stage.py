"""A small world's processes, from their files to funded accounts: what demo and devnet play on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from clearing.eip712 import domain_separator
from node.clock import law_clock
from node.config import ClockSection
from novatio.client import Client
from novatio.demo.files import Layout
from novatio.demo.flow import Flow
from novatio.demo.processes import Children, wait_until_serving
from novatio.demo.wallet import Wallet
from novatio.world import (
    MARKETS,
    Participant,
    World,
    deadline_seconds,
    load_markets,
    lot_prices,
)
from verifier.base.remote import RemoteBaseLayer
from verifier.base.transactions import Deposit, Faucet, PutStake

__all__ = ["Stage"]

# The first start on a machine compiles the kernels.
SERVING_SECONDS: Final = 180.0
STEP_SECONDS: Final = 30.0
NATIVE: Final = 10**15  # gwei that everybody who sends transactions begins with

Wait = Callable[[Callable[[], bool], str], None]


@dataclass(slots=True)
class Stage:
    """Base layer, node and challenger, running, with every participant's account open.

    `close` ends the clients; the processes are `children`'s.
    """

    world: World
    clock: Callable[[], int]
    layout: Layout
    children: Children
    base: RemoteBaseLayer
    client: Client
    participants: list[Participant]
    deposited_micro: int

    @classmethod
    def open(
        cls,
        world: World,
        clock: ClockSection,
        layout: Layout,
        children: Children,
        wait: Wait,
        *,
        base_role: str = "fast-base",
    ) -> Stage:
        """Start the processes whose files are in `layout`, and make all deposits.

        `wait(condition, what)` returns once the condition holds. Deposits that an earlier run has
        made in the same directory are not made again. Raises ProcessFailed or TransactionFailed.
        """
        start(children, layout, base_role)
        wait_until_serving(layout.base, children, SERVING_SECONDS)
        for place, address in enumerate(layout.members):
            start(children, layout, "member", f"member-{place}")
            wait_until_serving(address, children, SERVING_SECONDS)
        start(children, layout, "node")
        start(children, layout, "challenger")
        base = RemoteBaseLayer(layout.base)
        participants = world.participants()
        deposited = sum(one.deposit_micro for one in participants)
        if base.account_id(participants[-1].owner, 0) is None:
            _fund(base, world, participants, deposited, len(layout.members))
        wait_until_serving(layout.node, children, SERVING_SECONDS)
        ticking = law_clock(clock)
        deadline = deadline_seconds(clock, STEP_SECONDS)
        client = Client(layout.node, deadline=deadline, clock_ms=ticking)
        wait(
            lambda: client.heads().inbox_consumed >= len(participants),
            f"{len(participants)} deposits credited by the node",
        )
        return cls(world, ticking, layout, children, base, client, participants, deposited)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        self.base.close()

    def flow(self, first: int, bars: int, *, loop: bool = False, first_sequence: int = 0) -> Flow:
        """Return the traders over `bars` recorded bars from `first` on; `loop`: back and forth."""
        closes = []
        for market, recorded in zip(MARKETS, load_markets(), strict=True):
            window = lot_prices(market, recorded.close[first : first + bars])
            closes.append(np.concatenate([window, window[::-1]]) if loop else window)
        genesis = self.world.genesis()
        return Flow(
            self.world.seed,
            self.participants,
            range(len(self.participants)),
            MARKETS,
            closes,
            self.world.key("venue"),
            self.world.address("venue"),
            domain_separator(genesis.chain_id, genesis.settlement),
            loop=loop,
            first_sequence=first_sequence,
        )


def start(
    children: Children, layout: Layout, role: str, name: str = "", *, finite: bool = False
) -> None:
    """Start one role of `novatio.demo.child` on the file of its name, by default the role's."""
    name = name or role
    children.start(name, ["novatio.demo.child", role, layout.config(name)], finite=finite)


def _fund(
    base: RemoteBaseLayer,
    world: World,
    participants: list[Participant],
    deposited: int,
    members: int,
) -> None:
    """Give everybody the base layer's money, and make all deposits, in the order of accounts.

    The operator puts a stake behind its receipts before it gives any, and before its node posts.
    """
    bank = Wallet(base, world.key("bank"))
    bank.execute(
        [
            Faucet(bank.address, NATIVE, deposited),
            Faucet(world.address("operator"), NATIVE, 0),
            Faucet(world.address("challenger"), NATIVE, 0),
            Faucet(participants[-1].owner, NATIVE, 0),
            *(Faucet(world.address("answers", place), NATIVE, 0) for place in range(members)),
        ]
    )
    Wallet(base, world.key("operator")).execute([PutStake()])
    bank.execute([Deposit(one.owner, 0, 0, one.deposit_micro) for one in participants])
    found = [base.account_id(one.owner, 0) for one in participants]
    if found != list(range(len(participants))):
        raise AssertionError(f"expected account ids in the order of the deposits, was {found}")
