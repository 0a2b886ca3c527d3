"""Who takes part in the world, and the genesis that they agree on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from random import Random

from clearing import eip712
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.keccak import keccak256
from clearing.keys import address_of, sign
from clearing.messages import (
    Authorisation,
    Cancel,
    Liquidate,
    Order,
    Price,
    PriceObservation,
    Trade,
    Transfer,
    Withdraw,
)
from verifier.config import CourtConfig

CHAIN_ID = 31_337
SETTLEMENT = b"\x5e" * 20
START_MS = 1_700_000_000_000
FAR_MS = START_MS + 10**9
NOBODY = bytes(20)
TICK = 1_000
FIRST_PRICES = (50_000_000, 2_000_000)
INSTRUMENTS = len(FIRST_PRICES)
PUBLISHERS = tuple(f"publisher {i}" for i in range(3))
QUORUM = 2
OPERATOR, CHALLENGER, KEEPER = "operator", "challenger", "keeper"
LIAR, CLAIMER = "liar", "claimer"
TRADERS = tuple(f"trader {i}" for i in range(6))
DOMAIN = eip712.domain_separator(CHAIN_ID, SETTLEMENT)


@cache
def key_of(name: str) -> bytes:
    """Return the private key of whoever has this name."""
    return keccak256(name.encode())


@cache
def address(name: str) -> bytes:
    """Return the address of whoever has this name."""
    return address_of(key_of(name))


def genesis() -> Genesis:
    """Two markets, three publishers, funding every quarter of a minute."""
    return Genesis(
        chain_id=CHAIN_ID,
        settlement=SETTLEMENT,
        time_ms=START_MS,
        publishers=tuple(address(name) for name in PUBLISHERS),
        price_quorum=QUORUM,
        tiers=(GenesisTier(100_000, 50_000, 10**13, 10**15),),
        instruments=tuple(
            GenesisInstrument(f"M{i}-PERP", 0, TICK, 1_000_000, 10**6, 10**5)
            for i in range(INSTRUMENTS)
        ),
        price_stale_open_ms=20_000,
        funding_interval_ms=15_000,
    )


def court() -> CourtConfig:
    """The test preset with a window that outlasts two spells of rough weather."""
    config = CourtConfig.test(chain_id=CHAIN_ID, settlement=SETTLEMENT, sequencer=address(OPERATOR))
    return replace(config, challenge_window_blocks=24, max_unfinalised=32, exit_claim_blocks=24)


def signed(name: str, request: Withdraw | Transfer | Cancel | Liquidate) -> bytes:
    """Return the bytes of an owner's request with his signature."""
    digest = eip712.digest(DOMAIN, request.struct_hash())
    return replace(request, signature=sign(key_of(name), digest)).encode()


@dataclass
class Member:
    """Someone with an account, once the base layer gave it an id."""

    name: str
    account: int | None = None
    sequence: int = 0

    @property
    def id(self) -> int:
        """The account's id, of a member who has one."""
        assert self.account is not None
        return self.account

    def next_sequence(self) -> int:
        """Return a number that this member never signed before."""
        self.sequence += 1
        return self.sequence


def order_of(member: Member, lots: int, limit: int, slot: int, expiry: int = FAR_MS) -> Order:
    """Return a fresh order of a member who has an account."""
    return Order(member.id, lots, limit, slot, member.next_sequence(), expiry, 1_000, 0)


def trade(
    maker: tuple[str, Order],
    taker: tuple[str, Order],
    *,
    instrument: int,
    lots: int,
    price: int,
    maker_side: int,
    fees: tuple[int, int] = (-100, 400),
) -> bytes:
    """Return a trade of two orders, each signed by whoever is named with it."""
    bare = Trade(
        instrument, lots, price, *fees, NOBODY, maker_side, maker[1], taker[1]
    )  # fmt: skip
    hashes = (bare.maker_struct_hash(), bare.taker_struct_hash())
    first, second = (
        Authorisation(sign(key_of(name), eip712.digest(DOMAIN, struct)))
        for name, struct in zip((maker[0], taker[0]), hashes, strict=True)
    )
    return replace(bare, maker_authorisation=first, taker_authorisation=second).encode()


def price_action(
    instrument: int, index: int, marks: list[int], time_ms: int, names: list[str]
) -> bytes:
    """Return a price of which each publisher signed the mark that it saw."""
    seen = []
    for name, mark in zip(names, marks, strict=True):
        bare = PriceObservation(index, mark, time_ms)
        digest = eip712.digest(DOMAIN, bare.struct_hash(instrument))
        seen.append(replace(bare, signature=sign(key_of(name), digest)))
    return Price(instrument, tuple(seen)).encode()


def on_tick(price: int) -> int:
    """Return the nearest price at or below that an order may have."""
    return max(price // TICK, 1) * TICK


def wander(chance: Random, price: int, first: int) -> int:
    """Return the next price of a market that began at `first`: mostly near, sometimes not."""
    width = 120 if chance.random() < 0.1 else 15
    moved = price * (1_000 + chance.randint(-width, width)) // 1_000
    return on_tick(min(max(moved, first // 3), first * 3))
