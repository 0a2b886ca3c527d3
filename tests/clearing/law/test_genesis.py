"""Genesis: what a chain begins with, and every declared value out of its bound named at once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clearing.eip712 import domain_separator
from clearing.genesis import (
    GenesisAsset,
    GenesisError,
    GenesisInstrument,
    GenesisPool,
    GenesisTier,
    GenesisUnderlying,
    genesis_state,
)
from clearing.keccak import to_bytes
from clearing.parameter_checks import (
    GREATEST,
    HIGHER,
    LEAST,
    LOWER,
    are_ordered,
    within_bounds,
)
from clearing.records import PARAMS
from clearing.units import FUNDS_MAX, LAW_VERSION, LOTS_MAX, PPM, PRICE_MAX
from tests.support.world import MARKETS, PUBLISHERS, START_MS, TIERS, address_of, genesis


def test_the_state_is_what_was_declared():
    declared = genesis()
    state: Any = genesis_state(declared, accounts=4, pages=5, withdrawals=6)
    totals, params = state.globals[0], state.params[0]
    assert (totals.law_version, totals.clock) == (LAW_VERSION, START_MS)
    assert (totals.instrument_count, totals.fund_count) == (3, 3)
    assert (totals.account_count, totals.custody, totals.status) == (0, 0, 0)
    expected = domain_separator(declared.chain_id, declared.settlement)
    assert to_bytes(totals.domain) == expected
    for name in ("price_quorum", "price_band_ppm", "funding_cap_ppm", "version", "price_drift_ms"):
        assert params[name] == getattr(declared, name)
    assert params.publisher_count == len(PUBLISHERS)
    owners = [to_bytes(p.address)[12:] for p in params.publishers[: len(PUBLISHERS)]]
    assert owners == [address_of(name) for name in PUBLISHERS]
    assert params.tiers[2].open_interest_upper == TIERS[2].open_interest_upper
    second = state.instruments[1]
    assert (second.id, second.tier, second.tick) == (1, 1, 10)
    assert to_bytes(second.symbol) == b"ETH-PERP".ljust(32, b"\0")
    assert second.funding_time == START_MS
    assert second.mark_price == 0
    assert state.funds["id"].tolist() == [0, 1, 2] + [0] * (FUNDS_MAX - 3)
    assert [len(rows) for rows in (state.accounts, state.pages, state.withdrawals)] == [4, 5, 6]


def test_equal_declarations_give_equal_bytes():
    one, two = (genesis_state(genesis(), accounts=4) for _ in range(2))
    for left, right in zip(one, two, strict=True):
        assert np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()


def tier(**changes):
    return {"tiers": (replace(TIERS[0], **changes), *TIERS[1:])}


def asset(**changes):
    declared = GenesisAsset(haircut_ppm=50_000, initial_haircut_ppm=0, cap=1, scale=1)
    return {"assets": (replace(declared, **changes),)}


def market(**changes):
    return {"instruments": (replace(MARKETS[0], **changes),)}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"settlement": bytes(19)}, "settlement"),
        ({"chain_id": 0}, "chain_id"),
        ({"chain_id": 1 << 62}, "chain_id"),
        ({"time_ms": -1}, "time_ms"),
        ({"time_ms": 1 << 62}, "time_ms"),
        ({"publishers": ()}, "publishers: 1"),
        ({"publishers": tuple(bytes([i]) * 20 for i in range(1, 18))}, "publishers: 1"),
        ({"publishers": (bytes([1]) * 20,) * 5}, "distinct"),
        ({"publishers": (bytes(20), b"\1" * 20), "price_quorum": 1}, "20 bytes each"),
        ({"publishers": (bytes([1]) * 32,), "price_quorum": 1}, "20 bytes each"),
        ({"price_quorum": 0}, "price_quorum"),
        ({"price_quorum": 6}, "price_quorum"),
        ({"tiers": ()}, "tiers: 1"),
        ({"tiers": (TIERS[0],) * 9}, "tiers: 1"),
        (tier(maintenance_ppm=0), "tier 0"),
        (tier(maintenance_ppm=50_000), "tier 0"),
        (tier(initial_ppm=PPM + 1), "tier 0"),
        (tier(open_interest_lower=-1), "tier 0"),
        (tier(open_interest_lower=1 << 61), "tier 0"),
        (tier(open_interest_upper=1 << 62), "tier 0"),
        (tier(maintenance_ppm=15_000), "liquidation costs"),
        ({"instruments": ()}, "instruments: 1"),
        ({"instruments": MARKETS[:1] * 1_025}, "instruments: 1"),
        (market(tier=3), "tier 3 unknown"),
        (market(tier=-1), "tier -1 unknown"),
        (market(tick=0), "tick"),
        (market(tick=PRICE_MAX + 1), "tick"),
        (market(lot_size=0), "lot size"),
        (market(position_cap=0), "position cap"),
        (market(open_interest_cap=LOTS_MAX - 1), "position cap"),
        (market(open_interest_cap=LOTS_MAX + 1), "position cap"),
        (market(symbol=""), "symbol"),
        (market(symbol="B" * 33), "symbol"),
        (market(symbol="₿"), "symbol"),
        ({"price_band_ppm": PPM + 1}, "price_band_ppm"),
        ({"transfer_margin_ppm": -1}, "transfer_margin_ppm"),
        ({"liquidation_buffer_ppm": PPM + 1}, "liquidation_buffer_ppm"),
        ({"funding_interval_ms": 0}, "funding_interval_ms"),
        ({"price_stale_open_ms": (1 << 40) + 1}, "price_stale_open_ms"),
        ({"governance": bytes(32)}, "governance: 20 bytes"),
        (market(lot_size=(1 << 62) + 1), "lot size"),
        ({"underlyings": (GenesisUnderlying(naked_ppm=-1),)}, "underlying 0: naked_ppm"),
        ({"underlyings": (GenesisUnderlying(basis_ppm=10**7 + 1),)}, "underlying 0: basis_ppm"),
        (asset(cap=(1 << 61) + 1), "asset 1: 0 < scale"),
        (asset(peg_price=-1), "asset 1: a peg"),
        (asset(peg_factor_ppm=10**9), "asset 1: a peg"),
    ],
)
def test_a_value_out_of_its_bound_is_named(changes, text):
    with pytest.raises(GenesisError, match=text):
        genesis_state(genesis(**changes))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"timelock_ms": 0}, "timelock_ms: 1 .. 1099511627776, was 0"),
        ({"profit_cycle_ms": 0}, "profit_cycle_ms: 1 .. 1099511627776, was 0"),
        ({"profit_cap": -1}, f"profit_cap: 0 .. {1 << 61}, was -1"),
        ({"gate_minimum": (1 << 61) + 1}, f"gate_minimum: 0 .. {1 << 61}, was {(1 << 61) + 1}"),
        ({"row_age_ppm": PPM - 1}, "row_age_ppm: 1000000 .. 4000000, was 999999"),
        ({"row_carry_ppm": PPM + 1}, "row_carry_ppm: 0 .. 1000000, was 1000001"),
        ({"shortfall_count": 0}, "shortfall_count: 1 .. 500, was 0"),
        ({"portfolio_initial_ppm": 0}, "portfolio_initial_ppm: 1 .. 4000000, was 0"),
        ({"version": 0}, "version: 1 .. "),
        ({"price_quorum": 6}, "price_quorum: at most publisher_count, 5, was 6"),
        (
            {"row_age_warn_ms": 300_001},
            "row_age_warn_ms: at most row_age_reduce_ms, 300000, was 300001",
        ),
        (
            {"portfolio_maintenance_ppm": 1_000_001},
            "portfolio_maintenance_ppm: at most portfolio_initial_ppm, 1000000, was 1000001",
        ),
        (
            {"option_maintenance_ppm": 100_001},
            "option_maintenance_ppm: at most option_initial_floor_ppm, 100000, was 100001",
        ),
        (tier(insurance_cap=-1), "tier 0: insurance_cap: 0 .. "),
        (tier(concentration_lots=LOTS_MAX + 1), "tier 0: concentration_lots: 0 .. "),
        (
            tier(penalty_max_ppm=25_000),
            r"tier 0: liquidation costs .* below maintenance_ppm 30000, was 30000",
        ),
        ({"gate_minimum": 1 << 70}, "gate_minimum: 0 .. "),
    ],
)
def test_no_chain_begins_with_parameters_that_governance_could_not_announce(changes, text):
    with pytest.raises(GenesisError, match=text):
        genesis_state(genesis(**changes))


def test_what_genesis_takes_governance_may_announce_and_the_other_way_round():
    """The same table judges both, so each bound of the law's is one of genesis."""
    state: Any = genesis_state(genesis())
    record: Any = PARAMS
    names = [name for name in record.names if isinstance(getattr(genesis(), name, None), int)]
    assert len(names) > 50
    for name in names:
        place = record.fields[name][1] // 8
        for value in (int(LEAST[place]) - 1, int(GREATEST[place]) + 1):
            with pytest.raises(GenesisError, match=f"{name}: "):
                genesis(**{name: value}).check()
    pieces = state.params_pieces[0]
    assert within_bounds(pieces)
    assert are_ordered(pieces)
    for low, high in zip(LOWER, HIGHER, strict=True):
        wrong = pieces.copy()
        wrong[low] = wrong[high] + 1
        assert not are_ordered(wrong)


def test_all_faults_are_named_at_once():
    with pytest.raises(GenesisError) as caught:
        genesis(chain_id=0, price_quorum=9, tiers=(GenesisTier(1, 2, 3, 4),)).check()
    for text in ("chain_id", "price_quorum", "tier 0", "tier 2 unknown"):
        assert text in str(caught.value)


def test_the_bounds_themselves_are_legal():
    widest = GenesisInstrument("B" * 32, 0, PRICE_MAX, 1, LOTS_MAX, LOTS_MAX)
    genesis(
        chain_id=(1 << 62) - 1,
        time_ms=0,
        publishers=tuple(bytes([i]) * 20 for i in range(1, 17)),
        price_quorum=16,
        tiers=(GenesisTier(PPM, PPM - 1, 0, (1 << 62) - 1),) * 8,
        instruments=(widest,) * 1_024,
        price_band_ppm=PPM,
        price_jump_ppm=0,
        price_drift_ms=(1 << 40) - 1,
    ).check()


def test_the_accounts_of_pools_stand_at_the_beginning_and_nobody_owns_them():
    pools = (GenesisPool(), GenesisPool(lock_ms=5))
    state: Any = genesis_state(genesis(pools=pools), accounts=1)
    assert state.globals[0].account_count == 4
    assert [int(state.accounts[i].id) for i in range(4)] == [0, 1, 2, 3]
    assert [(int(p.account), int(p.sleeve)) for p in state.pools[:2]] == [(0, 1), (2, 3)]
    assert state.pools[1].lock_ms == 5
    owners = {bytes(account.owner) for account in state.accounts[:4]}
    assert len(owners) == 4
    assert (state.accounts[:4]["page_rows"] == -1).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"reserve_ppm": 1_000_001},
        {"impact_ppm": -1},
        {"profit_cap_ppm": 1_000_001},
        {"borrow_steep_ppm": 10**9 + 1},
        {"deposit_cap": (1 << 61) + 1},
        {"lock_ms": 1 << 40},
    ],
)
def test_a_pool_beyond_its_bounds_is_no_genesis(changes):
    with pytest.raises(GenesisError, match=f"pool 0: {next(iter(changes))}"):
        genesis_state(genesis(pools=(GenesisPool(**changes),)))
