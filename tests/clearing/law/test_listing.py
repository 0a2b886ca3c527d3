"""Markets and assets: listed, restricted, moved and closed by governance, in bounds and time."""

import numpy as np
import pytest

from clearing.codes import Code, Fund, InstrumentKind, InstrumentStatus, Kind, Operation, Status
from clearing.genesis import GenesisAsset, GenesisTier, GenesisUnderlying
from clearing.keccak import pieces, to_bytes
from clearing.layout import pieces_of
from clearing.units import ASSETS_MAX, LOTS_MAX, PPM, PRICE_MAX, SERIES_MAX
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.clearing.law.test_parameters import ROLES, STEP_PPM, TIMELOCK_MS
from tests.support.world import MARK, MARKETS, START_MS, TIERS, World, key_of

FIRST_EXPIRY, SECOND_EXPIRY = START_MS + 10**9, START_MS + 2 * 10**9
UNDERLYINGS = (GenesisUnderlying(expiries=(FIRST_EXPIRY,)), GenesisUnderlying(reference=1))
FOUR_TIERS = (*TIERS, GenesisTier(62_500, 37_500, 1 << 60, 1 << 61))
NEXT = len(MARKETS)
HOUR_MS = 3_600_000
TERMS = {
    "kind": int(InstrumentKind.PERPETUAL),
    "tier": 0,
    "series": 0,
    "expiry": 0,
    "strike": 0,
    "tick": 10,
    "lot_size": 1_000_000,
    "open_interest_cap": LOTS_MAX,
    "position_cap": LOTS_MAX,
    "pool": 0,
}
CALL = {"kind": int(InstrumentKind.CALL), "strike": MARK, "expiry": FIRST_EXPIRY}
FUTURE = {"kind": int(InstrumentKind.FUTURE), "expiry": FIRST_EXPIRY}


class Exchange(World):
    """A world with roles, two underlyings, and room for markets to come."""

    def __init__(self, **changes):
        super().__init__(**(ROLES | {"underlyings": UNDERLYINGS, "tiers": FOUR_TIERS} | changes))
        more = np.zeros(16, self.state.instruments.dtype).view(np.recarray)
        rows = np.concatenate([self.state.instruments, more]).view(np.recarray)
        self.state = self.state._replace(instruments=rows)

    def listing(self, instrument=NEXT, underlying=0, signer="governance", **terms):
        fields = {"instrument": instrument, "underlying": underlying}
        if "sequence" in terms:
            fields["sequence"] = terms.pop("sequence")
        symbol = terms.pop("symbol", "NEW")
        numbers = [*(TERMS | terms).values(), *pieces(symbol.encode().ljust(32, b"\0")).tolist()]
        return self.request(Kind.LIST, key_of(signer), payload=numbers, **fields)

    def change(self, instrument=0, signer="governance", **terms):
        row = self.instrument(instrument)
        fields = {
            "instrument": instrument,
            "status": int(row.status),
            "tier": int(row.tier),
            "open_interest_cap": int(row.open_interest_cap),
            "position_cap": int(row.position_cap),
        }
        return self.request(Kind.SET_MARKET, key_of(signer), **(fields | terms))

    def series(self, place=0, underlying=0):
        return self.state.underlyings[underlying].series[place]


# Listings


class Listing(Case):
    """Governance lists a call of a new expiry."""

    def prepare(self):
        self.world = Exchange()
        self.names = {"sequence": 7, "instrument": NEXT, "underlying": 0, "signer": "governance"}
        self.terms = CALL | {"series": 1, "expiry": SECOND_EXPIRY}

    def action(self):
        return self.world.listing(**self.names, **self.terms)


def stale(case):
    case.world.totals.governance_sequence = 7


FAULTS = COMMON | {
    Code.NO_INSTRUMENT: lambda case: case.names.update(instrument=NEXT + 1),
    Code.BAD_SIGNATURE: lambda case: case.names.update(signer="guardian"),
    Code.STALE_SEQUENCE: stale,
    Code.NO_UNDERLYING: lambda case: case.names.update(underlying=2),
    Code.NO_SERIES: lambda case: case.terms.update(series=SERIES_MAX),
    Code.NO_POOL: lambda case: case.terms.update(pool=1),
    Code.PARAMETER_BOUND: lambda case: case.terms.update(tick=0),
}


@pytest.mark.parametrize("code", FAULTS, ids=lambda code: code.name)
def test_a_listing_that_breaks_one_rule_is_rejected_by_it_clr_act_010_clr_act_011_clr_act_012(code):
    assert outcome(Listing, {}) == Code.APPLIED
    assert outcome(Listing, FAULTS, code) == code


@pairs(FAULTS)
def test_of_two_rules_that_a_listing_breaks_the_first_is_named(first, second):
    assert outcome(Listing, FAULTS, second, first) == first


def test_a_listed_perpetual_trades_once_it_has_a_price():
    world = Exchange()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.listing(tier=1, position_cap=7, symbol="NEW-PERP")) == Code.APPLIED
    row = world.instrument(NEXT)
    assert world.totals.instrument_count == NEXT + 1
    assert (row.id, row.kind, row.status, row.tier) == (NEXT, 1, InstrumentStatus.ACTIVE, 1)
    assert (row.tick, row.lot_size, row.position_cap) == (10, 1_000_000, 7)
    assert (row.open_interest_cap, row.funding_time) == (LOTS_MAX, START_MS)
    assert row.confidence_ppm == PPM
    assert to_bytes(row.symbol).rstrip(b"\0") == b"NEW-PERP"
    trade = world.trade(alice, bob, 7, instrument=NEXT)
    assert world.apply(trade) == Code.PRICE_STALE
    assert world.apply(world.price(NEXT, MARK)) == Code.APPLIED
    assert world.apply(trade) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, 1, instrument=NEXT)) == Code.POSITION_CAP
    assert world.apply(world.listing(instrument=NEXT + 1)) == Code.APPLIED


def test_a_listed_market_is_all_that_was_signed_and_nothing_else():
    world = Exchange()
    terms = CALL | {
        "tier": 1, "series": 1, "expiry": SECOND_EXPIRY, "tick": 20, "lot_size": 30,
        "open_interest_cap": 90, "position_cap": 80,
    }  # fmt: skip
    symbol = "A-SYMBOL-THAT-FILLS-ALL-32-BYTES"
    assert world.apply(world.listing(underlying=1, **terms, symbol=symbol)) == Code.APPLIED
    row = world.instrument(NEXT)
    assert {name: int(row[name]) for name in TERMS} == TERMS | terms
    assert to_bytes(row.symbol) == symbol.encode()
    assert (row.id, row.underlying, row.funding_time) == (NEXT, 1, START_MS)


def test_a_listing_uses_up_its_number_and_all_before_it_clr_sig_002():
    world = Exchange()
    assert world.apply(world.listing(sequence=7)) == Code.APPLIED
    assert world.totals.governance_sequence == 7
    assert world.apply(world.listing(NEXT + 1, sequence=7)) == Code.STALE_SEQUENCE


def test_a_new_expiry_keeps_nothing_of_the_series_that_stood_in_its_place():
    clean, used = Exchange(), Exchange()
    pieces_of(used.state.underlyings[0].series)[1] = 7
    used.series(1).market_count = 0
    for world in (clean, used):
        assert world.apply(world.listing(**CALL | {"series": 1, "expiry": SECOND_EXPIRY})) == 0
    assert used.series(1).tobytes() == clean.series(1).tobytes()


def test_an_option_joins_the_series_of_its_expiry_and_staged_rows_begin_anew():
    world = Exchange()
    world.series().staged_count = 3
    assert world.apply(world.listing(**CALL)) == Code.APPLIED
    series, row = world.series(), world.instrument(NEXT)
    assert (series.market_count, series.option_count, series.staged_count) == (1, 1, 0)
    assert (row.series, row.expiry, row.strike) == (0, FIRST_EXPIRY, MARK)
    series.staged_count = 1
    assert world.apply(world.listing(NEXT + 1, **FUTURE)) == Code.APPLIED
    series = world.series()
    assert (series.market_count, series.option_count, series.staged_count) == (2, 1, 1)


def test_a_new_expiry_opens_a_series_in_a_free_place():
    world = Exchange()
    terms = FUTURE | {"series": 5, "expiry": SECOND_EXPIRY}
    assert world.apply(world.listing(**terms)) == Code.APPLIED
    assert (world.series(5).expiry, world.series(5).market_count) == (SECOND_EXPIRY, 1)


def test_a_place_is_free_again_when_no_market_waits_for_its_expiry_clr_act_011():
    world = Exchange()
    assert world.apply(world.listing(**FUTURE)) == Code.APPLIED
    later = FUTURE | {"expiry": SECOND_EXPIRY}
    assert world.apply(world.listing(NEXT + 1, **later)) == Code.NO_SERIES
    assert world.apply(world.change(NEXT, status=InstrumentStatus.CLOSED)) == Code.APPLIED
    world.series().settle_price = world.series().active_number = 9
    assert world.apply(world.listing(NEXT + 1, **later)) == Code.APPLIED
    series = world.series()
    assert (series.expiry, series.market_count) == (SECOND_EXPIRY, 1)
    assert (series.settle_price, series.active_number) == (0, 0)


@pytest.mark.parametrize(
    "terms",
    [
        FUTURE | {"series": 1},
        FUTURE | {"series": -1},
        FUTURE | {"series": 1 << 62},
    ],
    ids=["the same expiry elsewhere", "below", "beyond"],
)
def test_a_market_needs_its_own_place_among_the_series_clr_act_011(terms):
    world = Exchange()
    assert world.apply(world.listing(**FUTURE)) == Code.APPLIED
    assert world.apply(world.listing(NEXT + 1, **terms)) == Code.NO_SERIES


def test_no_market_joins_a_series_that_has_settled_clr_act_011():
    world = Exchange()
    world.series().settle_price = MARK
    assert world.apply(world.listing(**FUTURE)) == Code.NO_SERIES


@pytest.mark.parametrize(
    "terms",
    [
        {"kind": 0},
        {"kind": 5},
        {"tier": 4},
        {"tier": 8},
        {"tier": -1},
        {"strike": 1},
        {"expiry": FIRST_EXPIRY},
        {"series": 1},
        FUTURE | {"strike": 1},
        FUTURE | {"series": 1, "expiry": START_MS + 1_800_000},
        FUTURE | {"series": 1, "expiry": (1 << 62) + 1},
        CALL | {"strike": 0},
        CALL | {"strike": PRICE_MAX + 1},
        {"tick": PRICE_MAX + 1},
        {"lot_size": 0},
        {"lot_size": (1 << 62) + 1},
        {"position_cap": 0},
        {"open_interest_cap": 5, "position_cap": 6},
        {"open_interest_cap": LOTS_MAX + 1},
        {"symbol": ""},
    ],
)
def test_a_market_with_a_number_out_of_its_bounds_is_refused_clr_gov_003(terms):
    world = Exchange()
    assert world.apply(world.listing(**terms)) == Code.PARAMETER_BOUND


@pytest.mark.parametrize("number", [-(1 << 63), -1, 0, 1, (1 << 63) - 1])
@pytest.mark.parametrize("place", range(14))
def test_no_number_of_a_listing_can_break_the_law(place, number):
    world = Exchange()
    for terms in ({}, CALL):
        action = world.listing(**terms)
        payload = list(action.payload)
        payload[place] = number
        changed = world.request(
            Kind.LIST, key_of("governance"), payload=payload, instrument=NEXT, underlying=0
        )
        codes = (Code.APPLIED, Code.PARAMETER_BOUND, Code.NO_SERIES, Code.NO_POOL)
        if world.totals.instrument_count == NEXT:
            assert world.apply(changed) in codes
    assert world.totals.status == Status.ACTIVE


def test_half_a_listing_is_none_clr_gov_003():
    world = Exchange()
    payload = world.listing().payload[:-1]
    half = world.request(
        Kind.LIST, key_of("governance"), payload=payload, instrument=NEXT, underlying=0
    )
    assert world.apply(half) == Code.PARAMETER_BOUND


# Changes of markets


class Change(Case):
    """Governance moves the first market, in which there are positions, to another tier."""

    def prepare(self):
        self.world = Exchange()
        alice, bob = self.world.trader("alice"), self.world.trader("bob")
        assert self.world.apply(self.world.trade(alice, bob)) == Code.APPLIED
        self.terms = {"sequence": 7, "tier": 3, "instrument": 0}

    def action(self):
        return self.world.request(
            Kind.SET_MARKET,
            key_of(self.terms.pop("signer", "governance")),
            **{
                "status": 0,
                "open_interest_cap": LOTS_MAX,
                "position_cap": LOTS_MAX,
                **self.terms,
            },
        )


def swept(case):
    case.world.instrument().operation = Operation.DELEVERAGE


def hurried(case):
    case.world.instrument().tier_hour = START_MS // HOUR_MS


CHANGE_FAULTS = COMMON | {
    Code.NO_INSTRUMENT: lambda case: case.terms.update(instrument=NEXT),
    Code.BAD_SIGNATURE: lambda case: case.terms.update(signer="guardian"),
    Code.STALE_SEQUENCE: stale,
    Code.INSTRUMENT_STATUS: lambda case: case.terms.update(status=InstrumentStatus.SETTLING),
    Code.OPERATION_OPEN: swept,
    Code.PARAMETER_BOUND: lambda case: case.terms.update(open_interest_cap=LOTS_MAX - 1),
    Code.TIMELOCK: hurried,
    Code.PARAMETER_STEP: lambda case: case.terms.update(tier=1),
}


@pytest.mark.parametrize("code", CHANGE_FAULTS, ids=lambda code: code.name)
def test_a_change_that_breaks_one_rule_is_rejected_by_it_clr_swp_001_clr_trd_004(code):
    assert outcome(Change, {}) == Code.APPLIED
    assert outcome(Change, CHANGE_FAULTS, code) == code


@pairs(CHANGE_FAULTS, list(CHANGE_FAULTS))
def test_of_two_rules_that_a_change_breaks_the_first_is_named(first, second):
    assert outcome(Change, CHANGE_FAULTS, second, first) == first


def test_a_market_with_positions_moves_one_tier_in_a_timelock_clr_gov_001():
    world = Exchange()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    assert world.apply(world.change(tier=3)) == Code.APPLIED
    hour = START_MS // HOUR_MS
    assert (world.instrument().tier, world.instrument().tier_hour) == (3, hour)
    world.wait((hour + 1) * HOUR_MS - START_MS + TIMELOCK_MS - 1)
    assert world.apply(world.change(tier=0)) == Code.TIMELOCK
    assert world.apply(world.change(position_cap=9)) == Code.APPLIED
    world.wait(1)
    assert world.apply(world.change(tier=0)) == Code.APPLIED


def test_an_empty_market_moves_to_any_tier_in_use_clr_gov_003():
    world = Exchange()
    assert world.apply(world.change(tier=2)) == Code.APPLIED
    assert world.apply(world.change(tier=0)) == Code.APPLIED
    assert world.apply(world.change(tier=4)) == Code.PARAMETER_BOUND


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"status": 1}, Code.APPLIED),
        ({"status": 0}, Code.BAD_SIGNATURE),
        ({"status": 4}, Code.BAD_SIGNATURE),
        ({"status": 1, "tier": 1}, Code.BAD_SIGNATURE),
        ({"status": 1, "position_cap": 1}, Code.BAD_SIGNATURE),
        ({"status": 1, "open_interest_cap": LOTS_MAX - 1}, Code.BAD_SIGNATURE),
        ({"status": 1, "sequence": 2}, Code.STALE_SEQUENCE),
    ],
)
def test_the_guardian_may_make_a_market_reduce_only_and_nothing_else_clr_sig_001(terms, expected):
    world = Exchange()
    fields = {"sequence": 1, "position_cap": LOTS_MAX, "open_interest_cap": LOTS_MAX} | terms
    assert world.apply(world.change(signer="guardian", **fields)) == expected
    assert world.instrument().status == (1 if expected == Code.APPLIED else 0)


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        (InstrumentStatus.ACTIVE, InstrumentStatus.REDUCE_ONLY, Code.APPLIED),
        (InstrumentStatus.REDUCE_ONLY, InstrumentStatus.ACTIVE, Code.APPLIED),
        (InstrumentStatus.ACTIVE, InstrumentStatus.AUCTION, Code.INSTRUMENT_STATUS),
        (InstrumentStatus.ACTIVE, InstrumentStatus.SETTLING, Code.INSTRUMENT_STATUS),
        (InstrumentStatus.AUCTION, InstrumentStatus.ACTIVE, Code.INSTRUMENT_STATUS),
        (InstrumentStatus.AUCTION, InstrumentStatus.CLOSED, Code.INSTRUMENT_STATUS),
        (InstrumentStatus.SETTLING, InstrumentStatus.ACTIVE, Code.INSTRUMENT_STATUS),
        (InstrumentStatus.SETTLING, InstrumentStatus.CLOSED, Code.APPLIED),
        (InstrumentStatus.CLOSED, InstrumentStatus.ACTIVE, Code.INSTRUMENT_STATUS),
        (InstrumentStatus.CLOSED, InstrumentStatus.CLOSED, Code.INSTRUMENT_STATUS),
    ],
)
def test_governance_opens_and_closes_but_ends_no_auction_clr_trd_004(held, wanted, expected):
    world = Exchange()
    world.instrument().status = held
    assert world.apply(world.change(status=int(wanted))) == expected


def test_a_market_closes_only_when_nobody_holds_it_clr_trd_004():
    world = Exchange()
    alice, bob = world.trader("alice"), world.trader("bob")
    assert world.apply(world.trade(alice, bob)) == Code.APPLIED
    closing = world.change(status=InstrumentStatus.CLOSED)
    assert world.apply(closing) == Code.INSTRUMENT_STATUS
    assert world.apply(world.trade(bob, alice)) == Code.APPLIED
    assert world.apply(closing) == Code.APPLIED
    assert world.apply(world.trade(alice, bob)) == Code.INSTRUMENT_STATUS


def test_what_a_closed_markets_pot_holds_goes_to_dust():
    world = Exchange()
    world.instrument().pot = 7
    world.totals.pot_total += 7
    world.totals.custody += 7
    assert world.apply(world.change(status=InstrumentStatus.CLOSED)) == Code.APPLIED
    assert (world.instrument().pot, world.fund(Fund.DUST)) == (0, 7)


def test_a_market_that_moves_an_index_closes_after_those_that_settle_at_it_clr_trd_004():
    world = Exchange()
    assert world.apply(world.listing(**CALL)) == Code.APPLIED
    closing = {"status": int(InstrumentStatus.CLOSED)}
    assert world.apply(world.change(0, **closing)) == Code.INSTRUMENT_STATUS
    assert world.apply(world.change(NEXT, **closing)) == Code.APPLIED
    assert (world.series().market_count, world.series().option_count) == (0, 0)
    assert world.apply(world.change(0, **closing)) == Code.APPLIED


def test_a_market_that_settles_has_left_its_series_already():
    world = Exchange()
    assert world.apply(world.listing(**FUTURE)) == Code.APPLIED
    world.instrument(NEXT).status = InstrumentStatus.SETTLING
    world.series().market_count = 0
    assert world.apply(world.change(NEXT, status=InstrumentStatus.CLOSED)) == Code.APPLIED
    assert world.series().market_count == 0


# Assets


ASSET_TERMS = {
    "status": 0,
    "haircut_ppm": 100_000,
    "initial_haircut_ppm": 50_000,
    "scale": 10**9,
    "cap": 10**12,
    "peg_price": 0,
    "peg_threshold_ppm": 0,
    "peg_factor_ppm": 0,
}
FIRST_ASSET = GenesisAsset(100_000, 50_000, 10**12, 10**9, peg_threshold_ppm=0)


class Assets(Exchange):
    """A world with one collateral asset."""

    def __init__(self, **changes):
        super().__init__(assets=(FIRST_ASSET,), **changes)

    def asset(self, asset=1, signer="governance", **terms):
        fields = {"asset": asset}
        if "sequence" in terms:
            fields["sequence"] = terms.pop("sequence")
        payload = tuple((ASSET_TERMS | terms).values())
        return self.request(Kind.SET_ASSET, key_of(signer), payload=payload, **fields)


class AssetChange(Case):
    """Governance raises the haircut of an asset."""

    def prepare(self):
        self.world = Assets()
        self.terms = {"sequence": 7, "haircut_ppm": 120_000}

    def action(self):
        return self.world.asset(**self.terms)


def changed(case):
    case.world.state.assets[1].changed_time = START_MS


ASSET_FAULTS = COMMON | {
    Code.NO_ASSET: lambda case: case.terms.update(asset=3),
    Code.BAD_SIGNATURE: lambda case: case.terms.update(signer="guardian"),
    Code.STALE_SEQUENCE: stale,
    Code.PARAMETER_BOUND: lambda case: case.terms.update(peg_threshold_ppm=PPM + 1),
    Code.TIMELOCK: changed,
    Code.PARAMETER_STEP: lambda case: case.terms.update(scale=2 * 10**9),
}


@pytest.mark.parametrize("code", ASSET_FAULTS, ids=lambda code: code.name)
def test_a_change_of_an_asset_that_breaks_one_rule_is_rejected_by_it_clr_gov_002(code):
    assert outcome(AssetChange, {}) == Code.APPLIED
    assert outcome(AssetChange, ASSET_FAULTS, code) == code


@pairs(ASSET_FAULTS, list(ASSET_FAULTS))
def test_of_two_rules_that_a_change_of_an_asset_breaks_the_first_is_named(first, second):
    assert outcome(AssetChange, ASSET_FAULTS, second, first) == first


def test_assets_are_admitted_in_order_up_to_eight_clr_act_008():
    world = Assets()
    assert world.apply(world.asset(0)) == Code.NO_ASSET
    for id in range(2, ASSETS_MAX):
        assert world.apply(world.asset(id + 1)) == Code.NO_ASSET
        assert world.apply(world.asset(id)) == Code.APPLIED
        row = world.state.assets[id]
        assert (row.id, row.haircut_ppm, row.cap, row.price) == (id, 100_000, 10**12, 0)
        assert world.totals.asset_count == id + 1
    assert world.apply(world.asset(ASSETS_MAX)) == Code.NO_ASSET


def test_an_asset_changes_once_in_a_timelock_but_its_status_at_any_time_clr_gov_001():
    world = Assets()
    assert world.apply(world.asset(haircut_ppm=110_000)) == Code.APPLIED
    world.wait(TIMELOCK_MS - 1)
    assert world.apply(world.asset(haircut_ppm=120_000)) == Code.TIMELOCK
    assert world.apply(world.asset(haircut_ppm=110_000, status=1)) == Code.APPLIED
    assert world.state.assets[1].status == 1
    world.wait(1)
    assert world.apply(world.asset(haircut_ppm=120_000)) == Code.APPLIED


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        # 90 % of the value count: a quarter of that is 22.5 %, and of the 85 % for opening 21.25 %.
        ({"haircut_ppm": 100_000 + 212_500}, Code.APPLIED),
        ({"haircut_ppm": 100_000 + 212_501}, Code.PARAMETER_STEP),
        ({"haircut_ppm": 100_000 + 225_000, "initial_haircut_ppm": 0}, Code.APPLIED),
        ({"haircut_ppm": 100_000 + 225_001, "initial_haircut_ppm": 0}, Code.PARAMETER_STEP),
        ({"haircut_ppm": 0, "initial_haircut_ppm": 0}, Code.APPLIED),
        ({"cap": 750 * 10**9}, Code.APPLIED),
        ({"cap": 750 * 10**9 - 1}, Code.PARAMETER_STEP),
        ({"peg_price": 1_000_000, "peg_threshold_ppm": 20_000, "peg_factor_ppm": 5}, Code.APPLIED),
    ],
)
def test_what_an_asset_counts_for_moves_by_a_quarter_clr_gov_002(terms, expected):
    assert STEP_PPM == 250_000
    world = Assets()
    assert world.apply(world.asset(**terms)) == expected


@pytest.mark.parametrize(
    "terms",
    [
        {"status": 2},
        {"status": -1},
        {"haircut_ppm": -1},
        {"initial_haircut_ppm": -1},
        {"haircut_ppm": 960_000},
        {"haircut_ppm": (1 << 63) - 1, "initial_haircut_ppm": (1 << 63) - 1},
        {"scale": 0},
        {"scale": 10**12 + 1},
        {"cap": (1 << 61) + 1},
        {"peg_price": -1},
        {"peg_price": PRICE_MAX + 1},
        {"peg_factor_ppm": 100 * PPM + 1},
    ],
)
def test_an_asset_with_a_number_out_of_its_bounds_is_refused_clr_gov_003(terms):
    world = Assets()
    for asset in (1, 2):
        assert world.apply(world.asset(asset, **terms)) == Code.PARAMETER_BOUND
    assert world.totals.status == Status.ACTIVE


def test_an_expiry_that_takes_a_series_place_inherits_nothing_of_the_one_before():
    clean, used = Exchange(), Exchange()
    for world in (clean, used):
        series = world.state.underlyings[0].series[3]
        if world is used:
            for name in series.dtype.names:
                series[name] = 7
            series.market_count = 0
        code = world.apply(world.listing(**FUTURE | {"series": 3, "expiry": SECOND_EXPIRY}))
        assert code == Code.APPLIED
    series = [world.state.underlyings[0].series[3] for world in (clean, used)]
    assert series[0].tobytes() == series[1].tobytes()


def test_a_new_asset_keeps_nothing_of_what_stood_in_its_row():
    clean, used = Assets(), Assets()
    for rows in (used.state.assets, used.state.asset_drafts):
        pieces_of(rows)[2] = 7
    for world in (clean, used):
        assert world.apply(world.asset(2)) == Code.APPLIED
    assert used.state.assets[2].tobytes() == clean.state.assets[2].tobytes()
