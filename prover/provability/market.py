"""The small market that the table cheats in: its genesis, its keys, and signed actions.

Beside what traders do, the genesis state holds one of every optional part that a leaf can have, so
that no field of any record is out of reach.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from clearing import eip712
from clearing.codes import InstrumentKind, Operation, Phase
from clearing.genesis import (
    Genesis,
    GenesisAsset,
    GenesisInstrument,
    GenesisPool,
    GenesisTier,
    GenesisUnderlying,
    word,
)
from clearing.keys import address_of, sign
from clearing.messages import (
    Authorisation,
    Liquidate,
    Order,
    Price,
    PriceObservation,
    Trade,
    Withdraw,
)
from clearing.records import State

START_MS = 1_700_000_000_000
NEVER = 2 * START_MS
FIRST_PRICE = 1_000_000  # micro-quote per lot
DEPOSIT = 10**10  # micro-quote
LOTS = 5
NOBODY = bytes(20)
FULL = 2  # the account that holds one of everything
FIRST_TRADER = 3
TRADERS = 5
PERPETUAL, AUCTIONED, OPTION, FUTURE = range(4)  # the markets


def key_of(number: int) -> bytes:
    """Return the secret of trader, publisher or whoever has this number."""
    return (number + 1).to_bytes(32, "big")


PUBLISHERS = (key_of(900), key_of(901))
SEQUENCER = key_of(500)
CHALLENGER = key_of(501)
GUARDIAN = key_of(502)
COPYCAT = key_of(503)  # who reads the mempool
GENESIS = Genesis(
    chain_id=31_337,
    settlement=b"\x5e" * 20,
    time_ms=START_MS,
    publishers=tuple(map(address_of, PUBLISHERS)),
    price_quorum=2,
    tiers=(GenesisTier(50_000, 30_000, 10**15, 10**17),),
    instruments=(
        GenesisInstrument("M0-PERP", 0, 1, 10**6, 10**9, 10**9),
        GenesisInstrument("M1-PERP", 0, 1, 10**6, 10**9, 10**9, underlying=1),
        GenesisInstrument("M2-CALL", 0, 1, 10**6, 10**9, 10**9, kind=3, strike=FIRST_PRICE),
        GenesisInstrument("M3-FUT", 0, 1, 10**6, 10**9, 10**9, kind=2),
    ),
    underlyings=(GenesisUnderlying(expiries=(NEVER,)), GenesisUnderlying(reference=1)),
    assets=(GenesisAsset(50_000, 50_000, 10**15, 10**15),),
    pools=(GenesisPool(),),
)


def furnish(state: State) -> None:
    """Give the genesis state one of everything optional: account, page, sweep, call, rows."""
    found = cast(Any, state)
    account = found.accounts[FULL]
    account.id, account.subaccount, account.cash = FULL, 1, DEPOSIT
    account.owner = word(address_of(key_of(FULL)))
    account.order_floor, account.request_sequence = 4, 9
    account.position_count = account.page_mask = account.collateral_count = account.key_count = 1
    account.auction_time = account.hold_until = START_MS
    account.call_instrument, account.call_level, account.call_lots = AUCTIONED, 3, LOTS
    account.collaterals[0].asset, account.collaterals[0].amount = 1, 7
    account.keys[0].address, account.keys[0].scope = word(address_of(key_of(800))), 1
    account.positions[0].instrument, account.positions[0].lots = OPTION, LOTS
    account.page_rows[:] = -1
    account.page_rows[0] = 0
    page = found.pages[0]
    page.account, page.number, page.known = FULL, 0, 1
    page.slots[0].sequence, page.slots[0].filled = 8, 1
    found.scratch[0].page_count = 1
    found.globals[0].account_count = FIRST_TRADER
    auctioned, option = found.instruments[AUCTIONED], found.instruments[OPTION]
    assert option.kind == InstrumentKind.CALL
    auctioned.operation, auctioned.phase = Operation.CALL, Phase.TALLY
    option.operation, option.phase = Operation.DELEVERAGE, Phase.TALLY
    for market in (auctioned, option):
        market.side = market.deadline = market.debt = 1


@dataclass
class Market:
    """Makes signed actions; `sequence` makes each of them fresh. Traders count from 0."""

    sequence: int = 0
    time: int = START_MS
    domain: bytes = eip712.domain_separator(GENESIS.chain_id, GENESIS.settlement)

    def fresh(self) -> int:
        """Return the next sequence."""
        self.sequence += 1
        return self.sequence

    def signature(self, signer: int, struct_hash: bytes) -> bytes:
        """Return trader `signer`'s signature of a struct."""
        return sign(key_of(signer), eip712.digest(self.domain, struct_hash))

    def trade(
        self, maker: int, taker: int, lots: int = LOTS, signers: tuple[int, int] | None = None
    ) -> bytes:
        """The maker buys `lots` of the perpetual from the taker at the first price."""
        first, second = (self._order(trader, lots) for trader in (maker, taker))
        unsigned = Trade(PERPETUAL, lots, FIRST_PRICE, 100, 200, NOBODY, 1, first, second)
        hashes = unsigned.maker_struct_hash(), unsigned.taker_struct_hash()
        bought, sold = (
            Authorisation(self.signature(signer, struct))
            for signer, struct in zip(signers or (maker, taker), hashes, strict=True)
        )
        signed = replace(unsigned, maker_authorisation=bought, taker_authorisation=sold)
        return signed.encode()

    def _order(self, trader: int, lots: int) -> Order:
        sequence = self.fresh()
        account = FIRST_TRADER + trader
        return Order(account, lots, FIRST_PRICE, sequence % 256, sequence, NEVER, 1000, 0)

    def withdraw(self, trader: int, amount: int = 10**6, signer: int | None = None) -> bytes:
        """The trader's owner, or whoever signs, takes micro-quote out."""
        request = Withdraw(FIRST_TRADER + trader, 0, amount, self.fresh(), NEVER)
        signature = self.signature(trader if signer is None else signer, request.struct_hash())
        return replace(request, signature=signature).encode()

    def liquidate(self, keeper: int, trader: int) -> bytes:
        """The keeper offers to take all of the trader's position in the perpetual."""
        accounts = FIRST_TRADER + keeper, FIRST_TRADER + trader
        request = Liquidate(*accounts, PERPETUAL, 10**6, self.fresh(), NEVER)
        signature = self.signature(keeper, request.struct_hash())
        return replace(request, signature=signature).encode()

    def price(
        self,
        price: int = FIRST_PRICE,
        time: int | None = None,
        keys: tuple[bytes, ...] = PUBLISHERS,
    ) -> bytes:
        """The publishers see the perpetual at a price."""
        seen = PriceObservation(price, price, self.time if time is None else time)
        digest = eip712.digest(self.domain, seen.struct_hash(PERPETUAL))
        views = tuple(replace(seen, signature=sign(key, digest)) for key in keys)
        return Price(PERPETUAL, views).encode()
