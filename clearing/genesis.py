"""Genesis: the state before the first action, as a pure function of a few declared values."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from clearing.actions.listing import LOT_SIZE_MAX
from clearing.actions.set_asset import PEG_FACTOR_MAX
from clearing.codes import Fund as FundId
from clearing.codes import InstrumentKind
from clearing.eip712 import domain_separator
from clearing.grid import SHOCK_MAX
from clearing.grid_preset import POINTS, VOLATILITY_DOWN_PPM, VOLATILITY_UP_PPM
from clearing.keccak import keccak256, pieces
from clearing.layout import pieces_of
from clearing.parameter_checks import faults_of
from clearing.portfolio_account import WORKSPACE_PIECES
from clearing.records import (
    ACCOUNT,
    ASSET,
    FUND,
    GLOBALS,
    INSTRUMENT,
    PAGE,
    PARAMS,
    POOL,
    SCRATCH,
    UNDERLYING,
    WITHDRAWAL,
    State,
)
from clearing.units import (
    ACTION_ACCOUNTS_MAX,
    ACTION_INSTRUMENTS_MAX,
    ACTIONS_PER_STEP,
    AMOUNT_MAX,
    ASSETS_MAX,
    FUNDS_MAX,
    GROUP_ACCOUNTS_MAX,
    LAW_VERSION,
    LOTS_MAX,
    POOLS_MAX,
    PPM,
    PRICE_MAX,
    PUBLISHERS_MAX,
    SERIES_MAX,
    STEP_LISTED,
    TIERS_MAX,
    TIME_MAX,
    UNDERLYINGS_MAX,
)

TOUCHED_MAX = ACTIONS_PER_STEP * ACTION_ACCOUNTS_MAX
TOUCHED_INSTRUMENTS_MAX = ACTIONS_PER_STEP * ACTION_INSTRUMENTS_MAX
INSTRUMENTS_MAX = 1_024
BORROW_PPM_MAX = 10**9  # a year
HASH_ROW_PIECES = 4 + max(4 * ACTIONS_PER_STEP, GROUP_ACCOUNTS_MAX)


class GenesisError(ValueError):
    """A declared value is out of its bound; the text names it, its bound and what it was."""


@dataclass(frozen=True)
class GenesisTier:
    """Margin tier: fractions in ppm; initial margin scales between the two open interests.

    The rest: what one market's deficits may take from insurance in a window, the depth at which
    the liquidation penalty is highest, and the charges of portfolio accounts.
    """

    initial_ppm: int
    maintenance_ppm: int
    open_interest_lower: int  # micro-quote
    open_interest_upper: int  # micro-quote
    insurance_cap: int = 1 << 61  # micro-quote
    depth: int = 1 << 61  # micro-quote
    penalty_max_ppm: int = 0  # 0: never above the common penalty
    linear_ppm: int = 5_000
    concentration_lots: int = 0
    concentration_ppm: int = 0


@dataclass(frozen=True)
class GenesisInstrument:
    """A contract listed at genesis. Caps in lots, tick in micro-quote per lot.

    ``kind`` 1 perpetual, 2 future, 3 call, 4 put; ``strike`` in micro-quote per lot; ``series`` is
    the place of its expiry in the underlying's; ``pool`` is 1 + its only counterparty, 0 none.
    """

    symbol: str
    tier: int
    tick: int
    lot_size: int  # 1e-9 of the underlying
    open_interest_cap: int
    position_cap: int
    underlying: int = 0
    kind: int = 1
    strike: int = 0
    series: int = 0
    pool: int = 0


@dataclass(frozen=True)
class GenesisUnderlying:
    """What instruments share: the market whose prices move its index, its expiries (ms), charges.

    The stress grid is the preset of ``clearing.grid_preset``; governance may set another.
    """

    reference: int = 0
    expiries: tuple[int, ...] = ()
    naked_ppm: int = 5_000
    basis_ppm: int = 500_000
    basis_year_ppm: int = 2_000_000
    short_minimum_ppm: int = 2_500


@dataclass(frozen=True)
class GenesisAsset:
    """A collateral asset, id 1 on (0 is the settlement asset). Units are 1e-6 of one."""

    haircut_ppm: int
    initial_haircut_ppm: int
    cap: int  # units
    scale: int  # units from which the weight shrinks
    peg_price: int = 0
    peg_threshold_ppm: int = 20_000
    peg_factor_ppm: int = 0


@dataclass(frozen=True)
class GenesisPool:
    """A pool of liquidity providers. Its two accounts begin with the chain, and nobody owns them.

    Pool ``p`` has account ``2 p`` and, for failing positions that it takes over, ``2 p + 1``.
    """

    lock_ms: int = 86_400_000
    deposit_cap: int = 1 << 61  # micro-quote
    sleeve_cap: int = 1 << 60  # micro-quote of notional
    reserve_ppm: int = 800_000
    impact_ppm: int = 10_000
    borrow_base_ppm: int = 20_000
    borrow_optimal_ppm: int = 850_000
    borrow_slope_ppm: int = 80_000
    borrow_steep_ppm: int = 900_000
    profit_cap_ppm: int = 500_000


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
    governance: bytes = bytes(20)  # the null address: nobody
    guardian: bytes = bytes(20)
    timelock_ms: int = 14 * 86_400_000
    parameter_step_ppm: int = 250_000
    owner_limit: int = 0
    owner_group_ppm: int = 0
    owner_hold_ms: int = 3_600_000
    profit_cap: int = 1 << 61
    profit_cycle_ms: int = 28_800_000
    confidence_floor_ppm: int = 550_000
    confidence_ppm: int = 400_000
    portfolio_initial_ppm: int = 1_000_000
    portfolio_maintenance_ppm: int = 800_000
    portfolio_offset_ppm: int = 500_000
    shortfall_weight_ppm: int = 500_000
    shortfall_count: int = 13
    row_age_warn_ms: int = 60_000
    row_age_reduce_ms: int = 300_000
    row_age_fallback_ms: int = 3_600_000
    row_age_ppm: int = 1_250_000
    row_jump_ppm: int = 200_000
    row_parity_ppm: int = 1_000
    row_carry_ppm: int = 300_000
    option_initial_ppm: int = 150_000
    option_initial_floor_ppm: int = 100_000
    option_maintenance_ppm: int = 75_000
    option_value_ppm: int = 1_050_000
    stable_rate_ppm: int = 1_000_000
    band_ppm: int = 1_000_000
    band_auction_ms: int = 300_000
    restart_grace_ms: int = 60_000
    settlement_window_ms: int = 1_800_000
    auction_start_ppm: int = 950_000
    auction_fast_ppm: int = 700_000
    auction_fast_ms: int = 900_000
    auction_slow_ms: int = 43_200_000
    auction_buffer_ppm: int = 150_000
    insurance_window_ms: int = 3_600_000
    deficit_tranche: int = 1 << 61
    freeze_ms: int = 3_600_000
    gate_ppm: int = 1_000_000
    gate_minimum: int = 1 << 61
    gate_period_ms: int = 86_400_000
    conversion_ppm: int = 20_000
    underlyings: tuple[GenesisUnderlying, ...] = (GenesisUnderlying(),)
    assets: tuple[GenesisAsset, ...] = ()
    pools: tuple[GenesisPool, ...] = ()
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
        for name in ("governance", "guardian"):
            expect(len(getattr(self, name)) == 20, f"{name}: 20 bytes")
        expect(1 <= len(self.tiers) <= TIERS_MAX, f"tiers: 1 .. {TIERS_MAX}")
        found += self._parameter_faults()
        expect(0 < len(self.instruments) <= INSTRUMENTS_MAX, f"instruments: 1 .. {INSTRUMENTS_MAX}")
        self._check_law(expect)
        for i, item in enumerate(self.instruments):
            expect(
                0 <= item.underlying < len(self.underlyings),
                f"instrument {i}: underlying {item.underlying} unknown",
            )
            expect(0 <= item.tier < len(self.tiers), f"instrument {i}: tier {item.tier} unknown")
            expect(1 <= item.tick <= PRICE_MAX, f"instrument {i}: tick {item.tick}")
            expect(
                1 <= item.lot_size <= LOT_SIZE_MAX,
                f"instrument {i}: lot size of 1 .. {LOT_SIZE_MAX}, was {item.lot_size}",
            )
            expect(
                0 < item.position_cap <= item.open_interest_cap <= LOTS_MAX,
                f"instrument {i}: 0 < position cap <= open-interest cap <= 2^48, was {item}",
            )
            expect(
                0 < len(item.symbol.encode()) <= 32 and item.symbol.isascii(),
                f"instrument {i}: symbol of 1 .. 32 ASCII characters, was {item.symbol!r}",
            )
        if found:
            raise GenesisError("genesis: expected " + "; expected ".join(found))

    def _parameter_faults(self) -> list[str]:
        """Return what is wrong with the parameters: a chain begins as governance could leave it."""
        declared = {
            name: value
            for name in PARAMS.names or ()
            if isinstance(value := getattr(self, name, None), int)
        }
        declared["publisher_count"] = len(self.publishers)
        return faults_of(declared, [asdict(tier) for tier in self.tiers])

    def _check_law(self, expect: Callable[[bool, str], None]) -> None:
        """Check what the wider law adds: expiries, assets, pools."""
        count = len(self.underlyings)
        expect(0 < count <= UNDERLYINGS_MAX, f"underlyings: 1 .. {UNDERLYINGS_MAX}, was {count}")
        for i, underlying in enumerate(self.underlyings):
            for name in ("naked_ppm", "basis_ppm", "basis_year_ppm", "short_minimum_ppm"):
                rate = getattr(underlying, name)
                expect(0 <= rate <= SHOCK_MAX, f"underlying {i}: {name} of 0 .. 10^7, was {rate}")
            expiries = underlying.expiries
            expect(len(expiries) <= SERIES_MAX, f"underlying {i}: at most {SERIES_MAX} expiries")
            expect(list(expiries) == sorted(set(expiries)), f"underlying {i}: expiries ascending")
            expect(all(0 < e < TIME_MAX for e in expiries), f"underlying {i}: expiries in ms")
        for i, item in enumerate(self.instruments):
            kind = item.kind
            expect(1 <= kind <= 4, f"instrument {i}: kind 1 .. 4, was {kind}")
            if kind != InstrumentKind.PERPETUAL and 0 <= item.underlying < count:
                known = len(self.underlyings[item.underlying].expiries)
                expect(0 <= item.series < known, f"instrument {i}: series {item.series} unknown")
            expect(
                (0 < item.strike <= PRICE_MAX) == (kind >= InstrumentKind.CALL),
                f"instrument {i}: a strike for options alone, was {item.strike}",
            )
            expect(0 <= item.pool <= len(self.pools), f"instrument {i}: pool {item.pool} unknown")
        expect(len(self.assets) < ASSETS_MAX, f"assets: fewer than {ASSETS_MAX}")
        for i, asset in enumerate(self.assets, 1):
            expect(
                asset.haircut_ppm >= 0
                and asset.initial_haircut_ppm >= 0
                and asset.haircut_ppm + asset.initial_haircut_ppm <= PPM,
                f"asset {i}: haircuts of at most 10^6 in sum, was {asset}",
            )
            expect(
                0 < asset.scale <= asset.cap <= AMOUNT_MAX,
                f"asset {i}: 0 < scale <= cap <= 2^61, was {asset}",
            )
            expect(
                0 <= asset.peg_price <= PRICE_MAX
                and 0 <= asset.peg_threshold_ppm <= PPM
                and 0 <= asset.peg_factor_ppm <= PEG_FACTOR_MAX,
                f"asset {i}: a peg of 0 .. 2^48, threshold 0 .. 10^6, factor 0 .. "
                f"{PEG_FACTOR_MAX}, was {asset}",
            )
        expect(len(self.pools) <= POOLS_MAX, f"pools: at most {POOLS_MAX}")
        for i, pool in enumerate(self.pools):
            for name in ("reserve_ppm", "impact_ppm", "borrow_optimal_ppm", "profit_cap_ppm"):
                share = getattr(pool, name)
                expect(0 <= share <= PPM, f"pool {i}: {name} of 0 .. 10^6, was {share}")
            for name in ("borrow_base_ppm", "borrow_slope_ppm", "borrow_steep_ppm"):
                rate = getattr(pool, name)
                expect(0 <= rate <= BORROW_PPM_MAX, f"pool {i}: {name} of 0 .. 10^9, was {rate}")
            for name in ("deposit_cap", "sleeve_cap"):
                cap = getattr(pool, name)
                expect(0 <= cap <= AMOUNT_MAX, f"pool {i}: {name} of 0 .. 2^61, was {cap}")
            expect(0 <= pool.lock_ms < 1 << 40, f"pool {i}: lock_ms of 0 .. 2^40")


def word(data: bytes) -> Any:
    """Return the four pieces of `data`, right-aligned in a word. At most 32 bytes."""
    return pieces(data.rjust(32, b"\0"))


def empty_state(
    accounts: int, instruments: int, pages: int, withdrawals: int, underlyings: int = 1
) -> State:
    """Return zeroed arrays with this many rows; ids are empty, as in a node."""
    none: Any = np.zeros((0, 0), np.int64)  # until the rows are there to look at
    state = State(
        globals=_rows(GLOBALS, 1),
        params=_rows(PARAMS, 1),
        accounts=_rows(ACCOUNT, accounts),
        account_ids=_rows(np.dtype(np.int64), 0),
        instruments=_rows(INSTRUMENT, instruments),
        instrument_ids=_rows(np.dtype(np.int64), 0),
        funds=_rows(FUND, FUNDS_MAX),
        pages=_rows(PAGE, pages),
        withdrawals=_rows(WITHDRAWAL, withdrawals),
        underlyings=_rows(UNDERLYING, underlyings),
        underlying_ids=_rows(np.dtype(np.int64), 0),
        assets=_rows(ASSET, ASSETS_MAX),
        pools=_rows(POOL, POOLS_MAX),
        account_drafts=_rows(ACCOUNT, ACTION_ACCOUNTS_MAX),
        instrument_drafts=_rows(INSTRUMENT, ACTION_INSTRUMENTS_MAX),
        fund_drafts=_rows(FUND, FUNDS_MAX),
        underlying_drafts=_rows(UNDERLYING, 1),
        asset_drafts=_rows(ASSET, ASSETS_MAX),
        pool_drafts=_rows(POOL, POOLS_MAX),
        params_draft=_rows(PARAMS, 1),
        account_draft_rows=_rows(np.dtype(np.int64), ACTION_ACCOUNTS_MAX),
        instrument_draft_rows=_rows(np.dtype(np.int64), ACTION_INSTRUMENTS_MAX),
        touched_accounts=_rows(np.dtype(np.int64), TOUCHED_MAX + STEP_LISTED),
        touched_instruments=_rows(np.dtype(np.int64), TOUCHED_INSTRUMENTS_MAX),
        touched_pages=_rows(np.dtype(np.int64), TOUCHED_MAX),
        touched_underlyings=_rows(np.dtype(np.int64), ACTIONS_PER_STEP),
        params_pieces=none,
        params_draft_pieces=none,
        underlying_pieces=none,
        asset_pieces=none,
        pool_pieces=none,
        workspace=_rows(np.dtype(np.int64), WORKSPACE_PIECES),
        hash_row=_rows(np.dtype(np.int64), HASH_ROW_PIECES),
        hash_digest=_rows(np.dtype(np.int64), 4),
        scratch=_rows(SCRATCH, 1),
    )
    return with_views(state)


def with_views(state: State) -> State:
    """Return the state with its pieces as views of its own rows, as every state must have them.

    Copying the arrays one by one makes the pieces copies too, which then stand still.
    """
    return state._replace(
        params_pieces=pieces_of(state.params),
        params_draft_pieces=pieces_of(state.params_draft),
        underlying_pieces=pieces_of(state.underlyings),
        asset_pieces=pieces_of(state.assets),
        pool_pieces=pieces_of(state.pools),
    )


def genesis_state(
    genesis: Genesis, accounts: int = 1024, pages: int = 1024, withdrawals: int = 256
) -> State:
    """Return the state that `genesis` declares, with room for this many rows of each kind.

    Raises GenesisError if a value is out of its bound.
    """
    genesis.check()
    owned = 2 * len(genesis.pools)
    state = empty_state(
        max(accounts, owned), len(genesis.instruments), pages, withdrawals, len(genesis.underlyings)
    )
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
    totals.underlying_count = len(genesis.underlyings)
    for i, underlying in enumerate(genesis.underlyings):
        _write_underlying(genesis, underlying, i, cast(Any, state.underlyings)[i])
    totals.asset_count = 1 + len(genesis.assets)
    cast(Any, state.assets)[0].price = PPM
    for i, asset in enumerate(genesis.assets, 1):
        _write_fields(asset, cast(Any, state.assets)[i], id=i)
    totals.pool_count = len(genesis.pools)
    for i, pool in enumerate(genesis.pools):
        _write_fields(pool, cast(Any, state.pools)[i], id=i, account=2 * i, sleeve=2 * i + 1)
    totals.account_count = owned
    for i in range(owned):
        account = cast(Any, state.accounts)[i]
        account.id = i
        account.owner = word(nobodys_address(i))
        account.page_rows[:] = -1
    totals.gate_capacity = genesis.gate_minimum
    totals.gate_time = genesis.time_ms
    return state


def nobodys_address(account: int) -> bytes:
    """Return the address that owns a pool's account: a hash, to which nobody can have a key."""
    return keccak256(b"account of a pool" + account.to_bytes(8, "big"))[12:]


def _rows(dtype: Any, count: int) -> Any:
    return np.zeros(count, dtype)


def _write_fields(declared: Any, row: Any, **more: int) -> None:
    """Copy what the declaration and the record both name, and ``more``."""
    for name in row.dtype.names:
        value = getattr(declared, name, None)
        if isinstance(value, int):
            row[name] = value
    for name, number in more.items():
        row[name] = number


def _write_params(genesis: Genesis, params: Any) -> None:
    _write_fields(
        genesis,
        params,
        tier_count=len(genesis.tiers),
        publisher_count=len(genesis.publishers),
    )
    params.governance = word(genesis.governance)
    params.guardian = word(genesis.guardian)
    for i, tier in enumerate(genesis.tiers):
        _write_fields(tier, params.tiers[i])
    for i, publisher in enumerate(genesis.publishers):
        params.publishers[i].address = word(publisher)


def _write_instrument(genesis: Genesis, item: GenesisInstrument, id: int, row: Any) -> None:
    expiries = genesis.underlyings[item.underlying].expiries
    _write_fields(
        item,
        row,
        id=id,
        funding_time=genesis.time_ms,
        expiry=0 if item.kind == InstrumentKind.PERPETUAL else expiries[item.series],
    )
    row.symbol = pieces(item.symbol.encode().ljust(32, b"\0"))
    row.confidence_ppm = PPM


def _write_underlying(genesis: Genesis, item: GenesisUnderlying, id: int, row: Any) -> None:
    _write_fields(
        item,
        row,
        id=id,
        point_count=len(POINTS),
        volatility_down_ppm=VOLATILITY_DOWN_PPM,
        volatility_up_ppm=VOLATILITY_UP_PPM,
    )
    for i, (price, damp) in enumerate(POINTS):
        row.prices[i] = price
        row.damps[i] = damp
    for i, expiry in enumerate(item.expiries):
        series = row.series[i]
        series.expiry = expiry
        series.market_count = sum(
            other.underlying == id and other.series == i and other.kind != InstrumentKind.PERPETUAL
            for other in genesis.instruments
        )
        series.option_count = sum(
            other.underlying == id and other.series == i and other.kind >= InstrumentKind.CALL
            for other in genesis.instruments
        )
