"""Everything that the demo compiles, run once on a world too small to matter.

The law's time runs a thousand times faster than the wall's from the first process on, so nothing
may be compiled after that.
"""

from __future__ import annotations

from clearing.eip712 import domain_separator
from clearing.messages import Inbox, InboxMessage
from node.rehearsal import rehearse as rehearse_node
from novatio.demo.rogue import FORGERIES, Forger
from novatio.feed import price_action
from novatio.world import ACCOUNTS_MIN, MARKETS, PUBLISHERS, World
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.replica import Judgement, Replica
from verifier.evidence import check_bad_step
from verifier.header import Header, genesis_batch_id

__all__ = ["Rehearsal", "rehearse"]

START_MS = 1_000_000
PRICE = 4_000_000  # micro-quote per lot


def rehearse() -> None:
    """Compile, or load from the cache, whatever node, challenger, court and operator run."""
    rehearse_node()
    rehearsal = Rehearsal(World(0, ACCOUNTS_MIN, START_MS, 1))
    for forgery in FORGERIES:
        header, judgement = rehearsal.judge(forgery)
        check_bad_step(header, judgement.evidence)


class Rehearsal:
    """A world after its deposits and first prices, in one process and without a base layer."""

    def __init__(self, world: World) -> None:
        genesis = world.genesis()
        self.participants = world.participants()
        self.world = world
        self.replica = Replica(genesis, world.accounts)
        self._domain = domain_separator(genesis.chain_id, genesis.settlement)
        root = Engine(genesis).root()
        parent = genesis_batch_id(genesis.chain_id, genesis.settlement, root)
        forge = BatchForge(Engine(genesis, world.accounts))
        forge.honest(self._opening(), world.start_ms)
        posting = forge.finish(Place(0, 1, parent, 1, bytes(32), world.address("operator")))
        self.first = self.replica.judge(posting.header, posting.data)

    def judge(self, forgery: str) -> tuple[Header, Judgement]:
        """Return the header of a forged second batch, and what the replica says of it."""
        roles = [one.role for one in self.participants]
        maker, pauper = roles.index("maker"), roles.index("taker")
        forger = Forger(
            MARKETS[0],
            self._domain,
            self.world.key("operator"),
            maker,
            self.participants[maker].key,
            pauper,
            self.participants[pauper].key,
        )
        place = Place(0, 2, self.replica.batch_id, 1, bytes(32), self.world.address("operator"))
        posting = forger.forge(self.replica.engine, forgery, place)
        return posting.header, self.replica.judge(posting.header, posting.data)

    def _opening(self) -> list[bytes]:
        """Return the deposits of all participants and a price of each market."""
        deposits = [
            Inbox(InboxMessage(1, index, index, one.owner, 0, 0, one.deposit_micro)).encode()
            for index, one in enumerate(self.participants)
        ]
        keys = [self.world.key("publisher", index) for index in range(PUBLISHERS)]
        prices = [
            price_action(market, PRICE, PRICE, self.world.start_ms, keys, self._domain, 0)
            for market in MARKETS
        ]
        return deposits + [price.encode() for price in prices]
