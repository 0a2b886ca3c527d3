"""Odd chains and odd days: rows are legal whatever was quoted, and a crash is refused with a name.

The chains are made up: a skewed smile over expiries from hours to a year, and then what goes wrong
with quotes. The days are run through the law that holds the options.
"""

import warnings
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

import tests.support.options as support
from clearing.codes import Code, InstrumentKind
from clearing.genesis import GenesisInstrument, GenesisUnderlying
from clearing.units import LOTS_MAX, PPM
from risk import black76
from risk.chain import ChainError, read_chain
from risk.grid import STRESS_GRID
from risk.listed import YEAR_MS, grid_points, listed_rows
from risk.rows import row_faults
from risk.surface import fit_surface
from tests.support.odd_chains import CHAINS, SPOT, write_chain
from tests.support.options import OptionWorld
from tests.support.world import MARK, START_MS

DAY = date(2026, 3, 9)
HOUR_MS = 3_600_000
SHOCKS = (-275_000, 0, 500_000)
REFERENCE = 100_000_000


def smile(strike, forward, years, level):
    """A skewed smile: low strikes dear, steeper the nearer the expiry."""
    x = np.log(strike / forward) / np.sqrt(max(years, 1 / 365))
    return level * np.sqrt(np.maximum(0.05, 1 - 0.4 * x + 0.15 * x * x))


def chain_of(
    path, days=(1, 2, 7, 30, 365), level=0.25, noise=0.0, missing=0.0, broken=0.0, rights="CP",
    width=0.5, tick=0.05,
):  # fmt: skip
    """Write a chain; quotes get noise, are missing, or are off by a factor at these chances."""
    chance = np.random.default_rng(4)
    lines = ["expiry,strike,right,bid,ask"]
    for day in days:
        years = max((day * 24 - 15.25) / 8760, 1e-4)
        forward, discount = 100 * np.exp(0.02 * years), np.exp(-0.03 * years)
        for strike in np.arange(100 * (1 - width), 100 * (1 + width) + 1, 2.5):
            for right in rights:
                sigma = smile(strike, forward, years, level)
                value = float(
                    black76.price(forward, strike, years, sigma, discount, right == "C")
                ) * (1 + noise * chance.standard_normal())
                value *= chance.choice([0.1, 3]) if chance.random() < broken else 1
                if chance.random() >= missing:
                    middle = round(value / tick) * tick
                    bid, ask = middle - tick / 2, middle + tick / 2
                    when = DAY + timedelta(days=day)
                    lines.append(f"{when:%Y%m%d},{strike},{right},{bid:.4f},{ask:.4f}")
    path.write_text("\n".join(lines))
    return path


ODD: dict[str, dict[str, Any]] = {
    "zero days to expiry": {"days": (0, 1, 2)},
    "a calm year": {"level": 0.02},
    "a crash": {"level": 1.2},
    "wide quotes": {"noise": 0.15, "tick": 0.5},
    "missing strikes": {"missing": 0.7},
    "broken quotes": {"broken": 0.2},
    "calls alone": {"rights": "C"},
    "puts alone": {"rights": "P"},
    "deep in the money": {"width": 0.95},
}


@pytest.mark.parametrize("name", ODD)
def test_rows_of_an_odd_chain_are_legal_or_the_chain_is_refused(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            chain = read_chain(chain_of(tmp_path / "made_2026-03-09.csv", **ODD[name]))
        except ChainError as error:
            assert "made_2026-03-09.csv" in str(error)
            return
        surface = fit_surface(chain)
        for years in (1 / 8760, 1 / 365, 0.1, 1.0, 3.0):
            for percent in ([30, 80, 95, 100, 105, 130, 400], range(90, 111)):
                strikes = np.repeat(np.array(percent) * REFERENCE // 100, 2)
                calls = np.tile([True, False], len(percent))
                found = listed_rows(
                    surface, REFERENCE, years, strikes, calls, points=STRESS_GRID,
                    volatility_shocks=SHOCKS,
                )  # fmt: skip
                assert row_faults(found.rows) == []
                untouched = max(0, PPM - int(found.rows.repair.max()) * PPM // REFERENCE)
                assert found.confidence_ppm <= untouched + 1


STRIKES = tuple(MARK * percent // 100 for percent in (20, 70, 90, 100, 110, 200))
CALLS, PUTS = range(2, 8), range(8, 14)


class Skewed:
    """A surface of one level of volatility at a spot of one."""

    spot = 1.0

    def __init__(self, level):
        self.level = level

    def forward(self, years):
        return np.exp(0.02 * np.asarray(years))

    def discount(self, years):
        return np.exp(-0.03 * np.asarray(years))

    def volatility(self, strike, years):
        return smile(np.asarray(strike), 1.0, float(years), self.level)


@pytest.fixture
def listed(monkeypatch):
    """Makes a world with six strikes of an expiry so many hours away."""
    monkeypatch.setattr(support, "CALLS", tuple(CALLS))
    monkeypatch.setattr(support, "PUTS", tuple(PUTS))

    def make(hours):
        options = tuple(
            GenesisInstrument(
                f"B{strike}-{kind.name}", 0, 10, 10**6, LOTS_MAX, LOTS_MAX, kind=kind, strike=strike
            )
            for kind in (InstrumentKind.CALL, InstrumentKind.PUT)
            for strike in STRIKES
        )
        expiry = START_MS + hours * HOUR_MS
        world = OptionWorld(
            instruments=support.markets()[:2] + options,
            underlyings=(GenesisUnderlying(reference=0, expiries=(expiry,)),),
        )
        world.wait(1_000)
        return world

    return make


def publish(world, spot, level):
    """Publish a price and rows of this moment; return what became of each."""
    priced = Code(world.apply(world.price(0, spot)))
    held = world.underlying
    ids = [id for pair in zip(CALLS, PUTS, strict=True) for id in pair]
    markets = [world.instrument(id) for id in ids]
    found = listed_rows(
        Skewed(level),
        spot,
        (int(world.series.expiry) - world.time) / YEAR_MS,
        [int(one.strike) for one in markets],
        [int(one.kind) == InstrumentKind.CALL for one in markets],
        points=grid_points(held.prices.tolist(), held.damps.tolist()),
        volatility_shocks=(int(held.volatility_down_ppm), 0, int(held.volatility_up_ppm)),
    )
    carry = {"forward": found.rows.forward, "discount_nano": found.rows.discount}
    rows = [(id, found.rows.values[k].tolist()) for k, id in enumerate(ids)]
    for action in world.staging(rows, price=spot, **carry):
        code = Code(world.apply(action))
        if code != Code.APPLIED:
            return priced, code
    return priced, Code(world.apply(world.activation(price=spot)))


WELL = (Code.APPLIED, Code.APPLIED)


@pytest.mark.parametrize("hours", [3, 30 * 24, 365 * 24])
def test_after_a_gap_rows_wait_until_the_old_ones_count_for_nothing(listed, hours):
    world = listed(hours)
    assert publish(world, MARK, 0.2) == WELL
    codes = []
    for _ in range(7):
        world.wait(60_000)
        codes.append(publish(world, MARK * 80 // 100, 0.8))
    assert codes == [(Code.APPLIED, Code.ROW_JUMP)] * 5 + [WELL] * 2


def test_a_slide_of_a_fifth_while_volatility_becomes_four_times_passes_step_by_step(listed):
    world = listed(24)
    for minute in range(41):
        spot, level = MARK * (200 - minute) // 200, 0.2 * (1 + 3 * minute / 40)
        assert publish(world, spot, level) == WELL
        world.wait(30_000)


def test_rows_are_legal_to_the_last_minute_before_an_expiry(listed):
    world = listed(1)
    for minute in range(60):
        assert publish(world, MARK + minute * MARK // 1_000, 0.4) == WELL
        left = START_MS + HOUR_MS - 1 - world.time
        world.wait(min(60_000, left))
    assert world.time == START_MS + HOUR_MS - 1
    assert publish(world, MARK, 0.4)[1] in (Code.APPLIED, Code.ROW_JUMP)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", CHAINS)
def test_rows_of_what_bad_days_quote_are_legal_from_hours_to_years(tmp_path, name, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chain = read_chain(write_chain(tmp_path, name, seed))
        surface = fit_surface(chain)
    assert abs(chain.spot - SPOT) < SPOT / 500
    for years in (1 / 8760, 1 / 365, 0.1, 2.0):
        strikes = np.repeat(np.array([10, 50, 90, 98, 100, 102, 110, 200, 800]) * 204_000, 2)
        calls = np.tile([True, False], len(strikes) // 2)
        found = listed_rows(
            surface, 20_400_000, years, strikes, calls, points=STRESS_GRID, volatility_shocks=SHOCKS
        )
        assert row_faults(found.rows) == []
