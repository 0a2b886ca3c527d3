"""The demo's world after its deposits and first prices: one process, no base layer, no clock."""

import copy

from clearing.eip712 import domain_separator
from clearing.messages import Inbox, InboxMessage
from novatio.demo.flow import Flow
from novatio.demo.rogue import Forger
from novatio.feed import price_action
from novatio.world import MARKETS, PUBLISHERS, World, load_markets, lot_prices
from prover.forge import BatchForge, Place
from prover.replica import Replica

START_MS = 1_504_396_800_000


class Rehearsal:
    """A replica behind one honest batch, and whoever acts in the demo."""

    def __init__(self, accounts=32, minutes=300):
        self.world = World(7, accounts, START_MS, 1)
        self.genesis = self.world.genesis()
        self.domain = domain_separator(self.genesis.chain_id, self.genesis.settlement)
        self.participants = self.world.participants()
        self.replica = Replica(self.genesis, accounts)
        self.closes = [
            lot_prices(market, bars.close[:minutes])
            for market, bars in zip(MARKETS, load_markets(), strict=True)
        ]
        self.first = self.post([*self.deposits(), *self.prices(0)], START_MS)

    @property
    def engine(self):
        """The state behind the honest batches."""
        return self.replica.engine

    def deposits(self):
        """A deposit of each participant, in the order of account ids."""
        return [
            Inbox(InboxMessage(1, index, index, one.owner, 0, 0, one.deposit_micro)).encode()
            for index, one in enumerate(self.participants)
        ]

    def prices(self, minute):
        """The feed's actions of one minute."""
        keys = [self.world.key("publisher", index) for index in range(PUBLISHERS)]
        time_ms = START_MS + 60_000 * minute
        return [
            price_action(
                market, int(close[minute]), int(close[minute]), time_ms, keys, self.domain, 0
            ).encode()
            for market, close in zip(MARKETS, self.closes, strict=True)
        ]

    def place(self):
        """The place of the next batch."""
        number, operator = self.replica.number + 1, self.world.address("operator")
        return Place(0, number, self.replica.batch_id, 1, bytes(32), operator)

    def post(self, actions, time_ms):
        """Run actions as one honest batch, let the replica judge it, and return its judgement."""
        forge = BatchForge(copy.deepcopy(self.engine))
        forge.honest(actions, time_ms)
        posting = forge.finish(self.place())
        return self.replica.judge(posting.header, posting.data)

    def flow(self, **options):
        """The traders."""
        return Flow(
            self.world.seed,
            self.participants,
            range(len(self.participants)),
            MARKETS,
            self.closes,
            self.world.key("venue"),
            self.world.address("venue"),
            self.domain,
            **options,
        )

    def forger(self):
        """The rogue operator, with a maker and the poor taker."""
        roles = [one.role for one in self.participants]
        maker, pauper = roles.index("maker"), roles.index("taker")
        return Forger(
            MARKETS[0],
            self.domain,
            self.world.key("operator"),
            maker,
            self.participants[maker].key,
            pauper,
            self.participants[pauper].key,
        )
