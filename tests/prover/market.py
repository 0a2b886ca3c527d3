"""A small market for tests: traders with keys, and actions that they sign."""

from clearing import eip712
from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.keys import address_of, sign
from clearing.messages import (
    Authorisation,
    Cancel,
    Funding,
    Inbox,
    InboxMessage,
    Liquidate,
    Order,
    Price,
    PriceObservation,
    Trade,
    Transfer,
    Withdraw,
)

NOBODY = bytes(20)
START_MS = 1_700_000_000_000
NEVER = START_MS * 2
DEPOSIT = 10**10
FIRST_PRICE = 1_000_000
SETTLEMENT = b"\x5e" * 20
PROPOSER = b"\x77" * 20


def key_of(number):
    return (number + 1).to_bytes(32, "big")


PUBLISHER_KEYS = [key_of(900), key_of(901)]


def genesis_of(instruments=3):
    return Genesis(
        chain_id=31_337,
        settlement=SETTLEMENT,
        time_ms=START_MS,
        publishers=tuple(address_of(key) for key in PUBLISHER_KEYS),
        price_quorum=2,
        tiers=(GenesisTier(50_000, 30_000, 10**15, 10**17),),
        instruments=tuple(
            GenesisInstrument(f"M{i}-PERP", 0, 1, 10**6, 10**9, 10**9) for i in range(instruments)
        ),
    )


class Market:
    """Makes signed action bytes; keeps the counters that make each one fresh."""

    def __init__(self, instruments=3):
        self.genesis = genesis_of(instruments)
        self.domain = eip712.domain_separator(self.genesis.chain_id, self.genesis.settlement)
        self.inbox = 0
        self.sequence = 0
        self.time = START_MS

    def fresh(self):
        self.sequence += 1
        return self.sequence

    def deposit(self, account, amount=DEPOSIT, owner=None, asset=0):
        index, self.inbox = self.inbox, self.inbox + 1
        owner = address_of(key_of(account)) if owner is None else owner
        return Inbox(InboxMessage(1, index, account, owner, 0, asset, amount)).encode()

    def signature(self, number, struct_hash):
        return sign(key_of(number), eip712.digest(self.domain, struct_hash))

    def order(self, account, lots, limit, slot=None, **changes):
        sequence = self.fresh()
        slot = sequence % 256 if slot is None else slot
        fields = {"sequence": sequence, "expiry": NEVER, "max_fee": 1000, "flags": 0} | changes
        flags = fields.pop("flags")
        return Order(account, lots, limit, slot, fields["sequence"], fields["expiry"],
                     fields["max_fee"], flags)  # fmt: skip

    def trade(self, maker, taker, instrument=0, lots=5, price=FIRST_PRICE, maker_side=1,
              makers_order=None, takers_order=None, signers=None):  # fmt: skip
        """The maker buys ``lots`` from the taker if ``maker_side`` is 1."""
        first = makers_order or self.order(maker, lots, price)
        second = takers_order or self.order(taker, lots, price)
        keys = signers or (maker, taker)
        hashes = (
            first.struct_hash(NOBODY, instrument, maker_side),
            second.struct_hash(NOBODY, instrument, 3 - maker_side),
        )
        signed = [
            Authorisation(self.signature(key, struct))
            for key, struct in zip(keys, hashes, strict=True)
        ]
        return Trade(instrument, lots, price, 100, 200, NOBODY, maker_side, first, second,
                     *signed).encode()  # fmt: skip

    def price(self, instrument=0, price=FIRST_PRICE, time=None):
        seen = PriceObservation(price, price + price // 1000, self.time if time is None else time)
        digest = eip712.digest(self.domain, seen.struct_hash(instrument))
        signed = tuple(
            PriceObservation(seen.index_price, seen.mark_price, seen.time, sign(key, digest))
            for key in PUBLISHER_KEYS
        )
        return Price(instrument, signed).encode()

    def request(self, kind, signer, *fields):
        unsigned = kind(*fields)
        return kind(*fields, self.signature(signer, unsigned.struct_hash())).encode()

    def withdraw(self, account, amount=10**6, signer=None):
        who = account if signer is None else signer
        return self.request(Withdraw, who, account, 0, amount, self.fresh(), NEVER)

    def transfer(self, sender, recipient, amount=10**6):
        return self.request(Transfer, sender, sender, recipient, 0, amount, self.fresh(), NEVER)

    def cancel(self, account, slot=0):
        return self.request(Cancel, account, account, slot, self.fresh())

    def liquidate(self, keeper, account, instrument=0, lots=10**6):
        return self.request(
            Liquidate, keeper, keeper, account, instrument, lots, self.fresh(), NEVER
        )

    def funding(self, instrument=0):
        return Funding(instrument).encode()

    def opening(self, accounts=6):
        """Deposits of the first accounts, and a price for every instrument."""
        count = len(self.genesis.instruments)
        return [self.deposit(i) for i in range(accounts)] + [self.price(i) for i in range(count)]

    def anything(self, random, accounts):
        """One random action, legal or not; ``accounts`` exist."""
        a, b = random.sample(range(accounts), 2)
        m = random.randrange(len(self.genesis.instruments))
        lots, price = random.randrange(1, 200), FIRST_PRICE + random.randrange(-2000, 2000)
        return random.choice(
            [
                lambda: self.trade(a, b, m, lots, price, random.choice([1, 2])),
                lambda: self.trade(a, b, m, lots, price, random.choice([1, 2])),
                lambda: self.trade(a, b, m, lots, price, signers=(b, a)),
                lambda: self.trade(a, accounts + 50, m, lots, price),
                lambda: self.trade(a, b, 77, lots, price),
                lambda: self.withdraw(a, random.randrange(1, 2 * DEPOSIT)),
                lambda: self.withdraw(a, signer=b),
                lambda: self.transfer(a, b, random.randrange(1, 10**9)),
                lambda: self.cancel(a, random.choice([0, 17, 200, 65_535])),
                lambda: self.price(m, price, self.time + random.randrange(-5, 5000)),
                lambda: self.funding(m),
                lambda: self.liquidate(a, b, m),
                lambda: self.deposit(a, random.randrange(1, 10**9)),
                lambda: self.deposit(a, owner=b"\x0b" * 20),
                lambda: random.randbytes(random.randrange(1, 60)),
            ]
        )()


def columns_of(engine, actions):
    """Decoded columns with their signers."""
    columns = engine.decode(*pack(actions))
    recover_signers(columns)
    return columns
