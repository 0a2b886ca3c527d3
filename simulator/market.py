"""Who takes part in the world, and the genesis that they agree on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from random import Random

from clearing import eip712
from clearing.codes import Kind
from clearing.forms import FORMS
from clearing.forms import NOBODY as NOBODY_SIGNS
from clearing.genesis import (
    Genesis,
    GenesisAsset,
    GenesisInstrument,
    GenesisPool,
    GenesisTier,
    GenesisUnderlying,
)
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
from clearing.requests import Request
from clearing.units import AMOUNT_MAX
from prover.provability.house import member_of
from verifier.committee import Committee
from verifier.config import CourtConfig

_KINDS = frozenset(Kind)
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
MEMBERS = 3  # of the data committee, of whom a quorum has to sign
OPERATOR, CHALLENGER, KEEPER = "operator", "challenger", "keeper"
LIAR, CLAIMER = "liar", "claimer"
SUCCESSOR = "the operator's other key"
TRADERS = tuple(f"trader {i}" for i in range(6))
# Who tries the wider law, on markets of their own, so that everybody else's books stay simple.
GUESTS = tuple(f"guest {i}" for i in range(4))
# Who gamble on a market that leaps, and two who have nearly all that a house may hold.
GAMBLERS = tuple(f"gambler {i}" for i in range(4))
WHALES = tuple(f"whale {i}" for i in range(2))
GOVERNOR = "governor"
WIDE_PRICE = 10_000_000
PERPETUAL, FUTURE, CALL, PUT, POOLED, CALL_2, CALL_3, CRASH = range(INSTRUMENTS, INSTRUMENTS + 8)
WIDE, DATED = 1, 1  # the underlying of the first four, and the series of the options
FUTURE_MS, OPTION_MS = START_MS + 31_000, START_MS + 10**8
GOLD = 1  # an asset that whales have, of which one account may not hold all
GOLD_UNITS = 4 * 10**14
WHALE_CASH = AMOUNT_MAX * 6 // 10
OPEN_LAG_MS = 16_000
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
        )
        + _wide_markets(),
        price_stale_open_ms=20_000,
        funding_interval_ms=15_000,
        governance=address(GOVERNOR),
        gate_ppm=0,
        gate_minimum=5 * 10**6,
        gate_period_ms=10_000,
        band_ppm=400_000,
        band_auction_ms=3_000,
        stable_rate_ppm=900_000,
        auction_fast_ms=3_000,
        auction_slow_ms=20_000,
        insurance_window_ms=20_000,
        deficit_tranche=10**7,
        freeze_ms=6_000,
        owner_limit=2 * 10**10,
        underlyings=(
            GenesisUnderlying(),
            GenesisUnderlying(reference=PERPETUAL, expiries=(FUTURE_MS, OPTION_MS)),
            GenesisUnderlying(reference=POOLED),
            GenesisUnderlying(reference=CRASH),
        ),
        assets=(GenesisAsset(50_000, 50_000, 10**15, 10**15),),
        pools=(GenesisPool(lock_ms=8_000, deposit_cap=10**9, profit_cap_ppm=1_000),),
    )


def _wide_markets() -> tuple[GenesisInstrument, ...]:
    """A perpetual with small caps, a future that ends soon, four options, the market of a pool, and
    one whose price leaps."""
    terms = (
        ("W-PERP", 1, 0, 0, WIDE, 0, 60),
        ("W-FUT", 2, 0, 0, WIDE, 0, 10**6),
        ("W-CALL", 3, WIDE_PRICE, DATED, WIDE, 0, 10**6),
        ("W-PUT", 4, WIDE_PRICE, DATED, WIDE, 0, 10**6),
        ("P-PERP", 1, 0, 0, 2, 1, 10**6),
        ("W-CALL-2", 3, WIDE_PRICE * 11 // 10, DATED, WIDE, 0, 10**6),
        ("W-CALL-3", 3, WIDE_PRICE * 12 // 10, DATED, WIDE, 0, 10**6),
    )
    wide = (
        GenesisInstrument(
            symbol, 0, TICK, 1_000_000, cap, min(cap, 50), underlying, kind, strike, series, pool
        )
        for symbol, kind, strike, series, underlying, pool, cap in terms
    )
    return (*wide, GenesisInstrument("C-PERP", 0, TICK, 1_000_000, 10**6, 10**5, 3))


def court() -> CourtConfig:
    """The test preset with a window whose third, in which steps are asked for, outlasts a spell of
    rough weather and the calm after it."""
    config = CourtConfig.test(chain_id=CHAIN_ID, settlement=SETTLEMENT, sequencer=address(OPERATOR))
    committee = Committee(tuple(map(member_of, range(MEMBERS))), QUORUM)
    return replace(
        config,
        challenge_window_blocks=48,
        max_unfinalised=80,
        exit_claim_blocks=48,
        committee=committee,
        open_lag_ms=OPEN_LAG_MS,
    )


def asked(kind: Kind, *names: str, payload: tuple[int, ...] = (), **fields: int) -> bytes:
    """Return an action of a form with the signatures of whoever is named."""
    bare = Request.of(kind, payload=payload, signatures=(), **fields)
    digest = eip712.digest(DOMAIN, bare.struct_hash())
    return replace(bare, signatures=tuple(sign(key_of(name), digest) for name in names)).encode()


def is_unsigned(action: bytes) -> bool:
    """Tell whether nobody signs such an action, so that its bytes may come again."""
    form = FORMS.get(Kind(action[0])) if action and action[0] in _KINDS else None
    return form is not None and form.signed_by == NOBODY_SIGNS


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
