"""A world with a pool: market 0 is the pool's, market 1 has a book, and providers have paid in."""

from dataclasses import replace

from clearing.codes import Code, Kind, Side
from clearing.genesis import GenesisPool
from clearing.units import SHARES_BASE
from tests.support.world import MARKETS, World

POOL = GenesisPool(
    lock_ms=3_600_000,
    deposit_cap=10**12,
    sleeve_cap=10**10,
    reserve_ppm=800_000,
    impact_ppm=10_000,
    profit_cap_ppm=500_000,
)
OWN, SLEEVE = 0, 1  # the accounts of pool 0
PAID_IN = 10**10


class PoolWorld(World):
    """Polly has paid ten thousand into pool 0; traders may come."""

    def __init__(self, paid_in=PAID_IN, pools=(POOL,), **changes):
        changes.setdefault("instruments", (replace(MARKETS[0], pool=1), *MARKETS[1:]))
        super().__init__(pools=pools, **changes)
        self.polly = self.trader("polly", 10**11)
        if paid_in:
            assert self.apply(self.pool_deposit(self.polly, paid_in)) == Code.APPLIED

    @property
    def pool(self):
        return self.state.pools[0]

    @property
    def own(self):
        return self.state.accounts[OWN]

    @property
    def sleeve(self):
        return self.state.accounts[SLEEVE]

    def held(self, account, instrument=0):
        """The lots of an account by number."""
        row = self.state.accounts[account]
        lots = {int(p.instrument): int(p.lots) for p in row.positions[: row.position_count]}
        return lots.get(instrument, 0)

    def shares(self, trader, pool=0):
        row = self.account(trader)
        held = {int(c.asset): int(c.amount) for c in row.collaterals[: row.collateral_count]}
        return held.get(SHARES_BASE + pool, 0)

    def pool_deposit(self, trader, amount, limit=0, pool=0, **changes):
        values = {"account": trader.account, "pool": pool, "amount": amount, "limit": limit}
        return self.request(Kind.POOL_DEPOSIT, trader.key, **values | changes)

    def pool_withdraw(self, trader, shares, limit=0, pool=0, **changes):
        values = {"account": trader.account, "pool": pool, "amount": shares, "limit": limit}
        return self.request(Kind.POOL_WITHDRAW, trader.key, **values | changes)

    def pool_trade(self, trader, lots, side=Side.BUY, limit=None, instrument=0, pool=0, **changes):
        """A trade with a pool; without a limit at any price."""
        at_any = 1 << 48 if side == Side.BUY else 1
        values = {
            "account": trader.account,
            "pool": pool,
            "instrument": instrument,
            "side": side,
            "lots": lots,
            "price": at_any if limit is None else limit,
        }
        return self.request(Kind.POOL_TRADE, trader.key, **values | changes)

    def pool_takeover(self, trader, instrument=0, pool=0):
        return self.request(
            Kind.POOL_TAKEOVER, account=trader.account, pool=pool, instrument=instrument
        )
