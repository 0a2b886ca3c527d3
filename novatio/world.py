"""A small world for demonstrations: who takes part, with which keys, under which law and court.

Everything is a pure function of a seed, so that two runs have the same keys, the same genesis and
the same orders. The keys are public knowledge: use none of this where money is real.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.keccak import keccak256
from clearing.keys import ORDER, address_of
from clearing.units import GATE_PASS_MS, MICRO
from node.config import ClockSection
from novatio.market import SYMBOLS, Bars, Integers, load_bars
from novatio.orders import Market
from verifier.config import CourtConfig

__all__ = [
    "ACCOUNTS_MIN",
    "MARKETS",
    "MINUTE_MS",
    "Participant",
    "World",
    "load_markets",
    "lot_prices",
    "private_key",
]

CHAIN_ID: Final = 31_337
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
ACCOUNTS_MIN: Final = 16
MAKERS: Final = 4
PUBLISHERS: Final = 3
QUORUM: Final = 2
# Of a mark: a world that runs a thousand times faster than its clock must forgive slow minutes.
STALE_MS: Final = 7 * DAY_MS

# One lot is 0.001 BTC or 0.01 ETH; a tick is one cent of the coin's price.
MARKETS: Final = (
    Market(0, "BTC-PERP", tick_micro=10, lot_size_nano=1_000_000),
    Market(1, "ETH-PERP", tick_micro=100, lot_size_nano=10_000_000),
)

KEEPER_DEPOSIT: Final = 20_000_000 * MICRO
MAKER_DEPOSIT: Final = 20_000_000 * MICRO
GUEST_DEPOSIT: Final = 10_000 * MICRO
PAUPER_DEPOSIT: Final = 10 * MICRO


def private_key(seed: int, role: str, index: int = 0) -> bytes:
    """Return the 32-byte key of a role, the same for ever; anybody can compute it."""
    name = f"novatio world {seed} {role} {index}".encode()
    number = int.from_bytes(keccak256(name), "big")
    return (number % (ORDER - 1) + 1).to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class Participant:
    """One owner with one account; the deposit is in micro-quote."""

    role: str
    index: int
    key: bytes
    owner: bytes
    deposit_micro: int


@dataclass(frozen=True, slots=True)
class World:
    """The declared values of one world.

    `seed` names it, `accounts` counts its margin accounts (at least ACCOUNTS_MIN), `start_ms` is
    the law's time at genesis, `block_ms` the base layer's block time in the law's milliseconds.
    """

    seed: int
    accounts: int
    start_ms: int
    block_ms: int

    def __post_init__(self) -> None:
        """Refuse a world too small for its roles. Raises ValueError."""
        if self.accounts < ACCOUNTS_MIN:
            raise ValueError(
                f"expected at least {ACCOUNTS_MIN} accounts (a keeper, {MAKERS} makers and their "
                f"takers), was {self.accounts}; ask for more"
            )
        if self.block_ms < 1:
            raise ValueError(f"expected a block time of at least 1 ms, was {self.block_ms}")

    def key(self, role: str, index: int = 0) -> bytes:
        """Return the key of a role in this world."""
        return private_key(self.seed, role, index)

    def address(self, role: str, index: int = 0) -> bytes:
        """Return the address of a role in this world."""
        return address_of(self.key(role, index))

    def member_secret(self, index: int) -> bytes:
        """Return the BLS secret of a member of the data committee, below that curve's order."""
        return (int.from_bytes(self.key("member", index), "big") >> 2).to_bytes(32, "big")

    def publishers(self) -> tuple[bytes, ...]:
        """Return the addresses whose price observations count."""
        return tuple(self.address("publisher", i) for i in range(PUBLISHERS))

    def participants(self) -> list[Participant]:
        """Return every owner of an account in the order of the deposits, hence of account ids."""
        rng = np.random.default_rng([self.seed, 1])
        takers = self.accounts - 2 - MAKERS
        deposits = [int(d) * 100 * MICRO for d in rng.integers(20, 200, takers)]
        # The first taker is poor on purpose: what it asks for exceeds its margin.
        deposits[0] = PAUPER_DEPOSIT
        roles = [("keeper", 0, KEEPER_DEPOSIT)]
        roles += [("maker", i, MAKER_DEPOSIT) for i in range(MAKERS)]
        roles += [("taker", i, deposit) for i, deposit in enumerate(deposits)]
        # Nobody trades for the guest: its account is for whoever looks on.
        roles.append(("guest", 0, GUEST_DEPOSIT))
        return [
            Participant(role, i, self.key(role, i), self.address(role, i), deposit)
            for role, i, deposit in roles
        ]

    def genesis(self) -> Genesis:
        """Return the law's first state: two perpetuals, one margin tier, three publishers."""
        tier = GenesisTier(100_000, 50_000, 10**15, 10**17)
        return Genesis(
            chain_id=CHAIN_ID,
            settlement=self.address("settlement"),
            time_ms=self.start_ms,
            publishers=self.publishers(),
            price_quorum=QUORUM,
            tiers=(tier,),
            instruments=tuple(
                GenesisInstrument(
                    symbol=market.symbol,
                    tier=0,
                    tick=market.tick_micro,
                    lot_size=market.lot_size_nano,
                    open_interest_cap=1 << 40,
                    position_cap=1 << 38,
                )
                for market in MARKETS
            ),
            price_band_ppm=100_000,
            price_stale_open_ms=STALE_MS,
            price_stale_margin_ms=STALE_MS,
            price_drift_ms=HOUR_MS,
            funding_interval_ms=HOUR_MS,
        )

    def court(self) -> CourtConfig:
        """Return the court: the development preset with windows of a few blocks."""
        preset = CourtConfig.devnet(
            chain_id=CHAIN_ID,
            settlement=self.address("settlement"),
            sequencer=self.address("operator"),
        )
        return replace(
            preset,
            challenge_window_blocks=24,
            epoch_blocks=2,
            max_unfinalised=256,
            reference_age_blocks=64,
            block_time_ms=self.block_ms,
            drift_ms=4 * self.block_ms,
            # A thousand blocks, but no longer than the court lets a forced message wait.
            forced_delay_ms=min(1_000 * self.block_ms, GATE_PASS_MS - 1),
            open_lag_ms=1_000 * self.block_ms,
            freeze_lag_ms=4_000 * self.block_ms,
            law_delay_ms=4_000 * self.block_ms,
        )


def deadline_seconds(clock: ClockSection, seconds: float) -> float:
    """Return the deadline to ask a node for, that it may take `seconds` of wall time.

    A node measures by the law's clock, which runs ahead of the wall's.
    """
    return seconds * max(1, clock.rate)


def load_markets() -> list[Bars]:
    """Return the recorded bars behind MARKETS, in the order of their instruments."""
    return [load_bars(symbol) for symbol in SYMBOLS]


def lot_prices(market: Market, coin_prices: Integers) -> Integers:
    """Return micro-quote per lot, int64[n] on the tick, of prices in micro-quote per coin."""
    # A coin below 10^7 quote times a lot of at most 10^8 nano stays below 2^63.
    lots = coin_prices * np.int64(market.lot_size_nano) // np.int64(10**9)
    return lots // market.tick_micro * market.tick_micro
