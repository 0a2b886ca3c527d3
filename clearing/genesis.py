"""Genesis: the state before the first action, as a pure function of a few declared values."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clearing.codes import Fund as FundId
from clearing.codes import InstrumentKind
from clearing.eip712 import domain_separator
from clearing.keccak import pieces
from clearing.records import (
    ACCOUNT,
    FUND,
    GLOBALS,
    INSTRUMENT,
    PAGE,
    PARAMS,
    SCRATCH,
    WITHDRAWAL,
    State,
)
from clearing.units import (
    ACTION_ACCOUNTS_MAX,
    ACTIONS_PER_STEP,
    FUNDS_MAX,
    LAW_VERSION,
    LOTS_MAX,
    PPM,
    PRICE_MAX,
    PUBLISHERS_MAX,
    TIERS_MAX,
)

TOUCHED_MAX = ACTIONS_PER_STEP * ACTION_ACCOUNTS_MAX
HASH_ROW_PIECES = 4 + 4 * ACTIONS_PER_STEP


class GenesisError(ValueError):
    """A declared value is out of its bound; the text names it, its bound and what it was."""


@dataclass(frozen=True)
class GenesisTier:
    """Margin tier: fractions in ppm; initial margin scales between the two open interests."""

    initial_ppm: int
    maintenance_ppm: int
    open_interest_lower: int  # micro-quote
    open_interest_upper: int  # micro-quote


@dataclass(frozen=True)
class GenesisInstrument:
    """A contract listed at genesis. Caps in lots, tick in micro-quote per lot."""

    symbol: str
    tier: int
    tick: int
    lot_size: int  # 1e-9 of the underlying
    open_interest_cap: int
    position_cap: int
    underlying: int = 0


@dataclass(frozen=True)
class Genesis:
    """What a chain begins with. Times in milliseconds, fractions in ppm."""

    chain_id: int
    settlement: bytes  # 20-byte address of the settlement contract
    time_ms: int
    publishers: tuple[bytes, ...]
    price_quorum: int
    tiers: tuple[GenesisTier, ...]
    instruments: tuple[GenesisInstrument, ...]
    price_band_ppm: int = 50_000
    price_stale_open_ms: int = 60_000
    price_stale_margin_ms: int = 300_000
    price_jump_ppm: int = 200_000
    price_drift_ms: int = 10_000
    funding_interval_ms: int = 3_600_000
    funding_cap_ppm: int = 20_000
    liquidation_buffer_ppm: int = 150_000
    liquidation_penalty_ppm: int = 10_000
    insurance_fee_ppm: int = 5_000
    transfer_margin_ppm: int = 100_000
    version: int = 1

    def check(self) -> None:
        """Raise GenesisError naming every value that is out of its bound, all at once."""
        found: list[str] = []

        def expect(holds: bool, text: str) -> None:
            if not holds:
                found.append(text)

        expect(len(self.settlement) == 20, f"settlement: 20 bytes, was {len(self.settlement)}")
        expect(0 < self.chain_id < 1 << 62, f"chain_id: 1 .. 2^62, was {self.chain_id}")
        expect(0 <= self.time_ms < 1 << 62, f"time_ms: 0 .. 2^62, was {self.time_ms}")
        count = len(self.publishers)
        expect(1 <= count <= PUBLISHERS_MAX, f"publishers: 1 .. {PUBLISHERS_MAX}, was {count}")
        expect(len(set(self.publishers)) == count, "publishers: distinct addresses")
        expect(all(len(p) == 20 and any(p) for p in self.publishers), "publishers: 20 bytes each")
        expect(
            1 <= self.price_quorum <= count,
            f"price_quorum: 1 .. {count} publishers, was {self.price_quorum}",
        )
        expect(1 <= len(self.tiers) <= TIERS_MAX, f"tiers: 1 .. {TIERS_MAX}")
        costs = self.liquidation_penalty_ppm + self.insurance_fee_ppm
        for i, tier in enumerate(self.tiers):
            expect(
                0 < tier.maintenance_ppm < tier.initial_ppm <= PPM,
                f"tier {i}: 0 < maintenance < initial <= 10^6, was {tier}",
            )
            expect(
                0 <= tier.open_interest_lower < tier.open_interest_upper < 1 << 62,
                f"tier {i}: 0 <= lower < upper open interest, was {tier}",
            )
            expect(costs < tier.maintenance_ppm, f"tier {i}: liquidation costs below maintenance")
        expect(0 < len(self.instruments) <= 1024, "instruments: 1 .. 1024")
        for i, item in enumerate(self.instruments):
            expect(0 <= item.tier < len(self.tiers), f"instrument {i}: tier {item.tier} unknown")
            expect(1 <= item.tick <= PRICE_MAX, f"instrument {i}: tick {item.tick}")
            expect(item.lot_size > 0, f"instrument {i}: lot size {item.lot_size}")
            expect(
                0 < item.position_cap <= item.open_interest_cap <= LOTS_MAX,
                f"instrument {i}: 0 < position cap <= open-interest cap <= 2^48, was {item}",
            )
            expect(
                0 < len(item.symbol.encode()) <= 32 and item.symbol.isascii(),
                f"instrument {i}: symbol of 1 .. 32 ASCII characters, was {item.symbol!r}",
            )
        for name in (
            "price_band_ppm",
            "price_jump_ppm",
            "funding_cap_ppm",
            "liquidation_buffer_ppm",
            "liquidation_penalty_ppm",
            "insurance_fee_ppm",
            "transfer_margin_ppm",
        ):
            expect(0 <= getattr(self, name) <= PPM, f"{name}: 0 .. 10^6, was {getattr(self, name)}")
        for name in (
            "price_stale_open_ms",
            "price_stale_margin_ms",
            "price_drift_ms",
            "funding_interval_ms",
        ):
            value = getattr(self, name)
            expect(0 < value < 1 << 40, f"{name}: 1 .. 2^40 ms, was {value}")
        if found:
            raise GenesisError("genesis: expected " + "; expected ".join(found))


def word(data: bytes) -> Any:
    """Return the four pieces of `data`, right-aligned in a word. At most 32 bytes."""
    return pieces(data.rjust(32, b"\0"))


def empty_state(accounts: int, instruments: int, pages: int, withdrawals: int) -> State:
    """Return zeroed arrays with this many rows; ids are empty, as in a node."""
    return State(
        globals=_rows(GLOBALS, 1),
        params=_rows(PARAMS, 1),
        accounts=_rows(ACCOUNT, accounts),
        account_ids=_rows(np.dtype(np.int64), 0),
        instruments=_rows(INSTRUMENT, instruments),
        instrument_ids=_rows(np.dtype(np.int64), 0),
        funds=_rows(FUND, FUNDS_MAX),
        pages=_rows(PAGE, pages),
        withdrawals=_rows(WITHDRAWAL, withdrawals),
        account_drafts=_rows(ACCOUNT, 2),
        instrument_drafts=_rows(INSTRUMENT, 1),
        fund_drafts=_rows(FUND, FUNDS_MAX),
        touched_accounts=_rows(np.dtype(np.int64), TOUCHED_MAX),
        touched_instruments=_rows(np.dtype(np.int64), TOUCHED_MAX),
        touched_pages=_rows(np.dtype(np.int64), TOUCHED_MAX),
        hash_row=_rows(np.dtype(np.int64), HASH_ROW_PIECES),
        hash_digest=_rows(np.dtype(np.int64), 4),
        scratch=_rows(SCRATCH, 1),
    )


def genesis_state(
    genesis: Genesis, accounts: int = 1024, pages: int = 1024, withdrawals: int = 256
) -> State:
    """Return the state that `genesis` declares, with room for this many rows of each kind.

    Raises GenesisError if a value is out of its bound.
    """
    genesis.check()
    state = empty_state(accounts, len(genesis.instruments), pages, withdrawals)
    totals = cast(Any, state.globals)[0]
    totals.law_version = LAW_VERSION
    totals.clock = genesis.time_ms
    totals.instrument_count = len(genesis.instruments)
    totals.fund_count = len(FundId)
    totals.domain = word(domain_separator(genesis.chain_id, genesis.settlement))
    _write_params(genesis, cast(Any, state.params)[0])
    for i, item in enumerate(genesis.instruments):
        _write_instrument(genesis, item, i, cast(Any, state.instruments)[i])
    for i in range(len(FundId)):
        cast(Any, state.funds)[i].id = i
    return state


def _rows(dtype: Any, count: int) -> Any:
    return np.zeros(count, dtype)


def _write_params(genesis: Genesis, params: Any) -> None:
    for name in (
        "version",
        "price_quorum",
        "price_band_ppm",
        "price_stale_open_ms",
        "price_stale_margin_ms",
        "price_jump_ppm",
        "funding_interval_ms",
        "funding_cap_ppm",
        "liquidation_buffer_ppm",
        "liquidation_penalty_ppm",
        "insurance_fee_ppm",
        "transfer_margin_ppm",
        "price_drift_ms",
    ):
        params[name] = getattr(genesis, name)
    params.publisher_count = len(genesis.publishers)
    for i, tier in enumerate(genesis.tiers):
        for name in (
            "initial_ppm",
            "maintenance_ppm",
            "open_interest_lower",
            "open_interest_upper",
        ):
            params.tiers[i][name] = getattr(tier, name)
    for i, publisher in enumerate(genesis.publishers):
        params.publishers[i].address = word(publisher)


def _write_instrument(genesis: Genesis, item: GenesisInstrument, id: int, row: Any) -> None:
    row.id = id
    row.kind = int(InstrumentKind.PERPETUAL)
    row.tier = item.tier
    row.underlying = item.underlying
    row.tick = item.tick
    row.lot_size = item.lot_size
    row.open_interest_cap = item.open_interest_cap
    row.position_cap = item.position_cap
    row.funding_time = genesis.time_ms
    row.symbol = pieces(item.symbol.encode().ljust(32, b"\0"))
