"""Bounds of governance that no check of a set judges, because they hold by how the law is built.

Fees come with each trade, not with a set of parameters; the haircut for opening adds to the one for
keeping. What the formula of a set asks of them holds all the same, of every trade and of any asset
that governance can admit.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.codes import Code, Fund
from clearing.compiler import checked
from clearing.formulas import evaluate
from clearing.layout import new_rows
from clearing.records import Asset, Tier
from clearing.units import AMOUNT_MAX, PPM, PRICE_MAX
from clearing.valuation import initial_fraction_ppm, initial_weight_ppm
from tests.support.world import World

GOOD: dict[str, Any] = {
    "initial_ppm": 50_000,
    "maintenance_ppm": 30_000,
    "maker_fees_ppm": [0],
    "taker_fees_ppm": [0],
    "haircuts_ppm": [0],
}
amounts = st.integers(1, AMOUNT_MAX)


def allowed(**changes):
    """What the formula says of a set of parameters with these changes."""
    return evaluate("parameter_set_check", GOOD | changes)["allowed"]


@pytest.mark.parametrize(
    ("maker", "taker"),
    [(-1, 1), (-1, 0), (0, -1), (1, -1), (1, -2), (-200, 450), (-451, 450), (450, -451), (0, 0)],
)
def test_a_trade_is_filled_just_if_its_two_fees_cover_each_other_clr_trd_012(maker, taker):
    world = World()
    alice, bob = world.trader("alice"), world.trader("bob")
    code = world.apply(world.trade(alice, bob, 3, maker_fee=maker, taker_fee=taker))
    covered = allowed(maker_fees_ppm=[maker], taker_fees_ppm=[taker])
    assert code == (Code.APPLIED if covered else Code.FEE_NEGATIVE)
    assert world.fund(Fund.FEES) >= 0


@st.composite
def assets(draw):
    """An asset with numbers that set asset admits, and any price."""
    asset: Any = new_rows(Asset, 1)[0]
    asset.haircut_ppm = draw(st.integers(0, PPM))
    asset.initial_haircut_ppm = draw(st.integers(0, PPM - int(asset.haircut_ppm)))
    asset.cap = draw(amounts)
    asset.scale = draw(st.integers(1, int(asset.cap)))
    asset.peg_price = draw(st.integers(0, PRICE_MAX))
    asset.peg_threshold_ppm = draw(st.integers(0, PPM))
    asset.peg_factor_ppm = draw(st.integers(0, 100 * PPM))
    asset.price = draw(st.integers(1, PRICE_MAX))
    return asset


def opening_haircut(asset, held):
    """The haircut for opening while the house holds so much."""
    asset.held = held
    with checked():
        return PPM - int(initial_weight_ppm(asset))


@given(assets(), st.lists(st.integers(0, AMOUNT_MAX), min_size=2, max_size=5))
def test_haircuts_never_fall_as_the_house_holds_more(asset, sizes):
    haircuts = [opening_haircut(asset, held) for held in sorted(sizes)]
    # The haircut for keeping is that of no size, and the smallest of all.
    assert allowed(haircuts_ppm=[int(asset.haircut_ppm), *haircuts])


@given(assets(), st.integers(0, AMOUNT_MAX), st.integers(1, PRICE_MAX))
def test_haircuts_never_fall_as_an_asset_leaves_its_peg(asset, held, other):
    haircuts = []
    for price in sorted((int(asset.price), other), reverse=True):
        asset.price = price
        haircuts.append(opening_haircut(asset, held))
    assert allowed(haircuts_ppm=haircuts)


@given(
    st.integers(2, PPM).flatmap(lambda first: st.tuples(st.just(first), st.integers(1, first - 1))),
    st.integers(0, 1 << 61),
    st.integers(0, 1 << 40),
    st.integers(1, PRICE_MAX),
)
def test_maintenance_stays_below_initial_however_many_lots_are_open(ppm, lower, interest, price):
    tier: Any = new_rows(Tier, 1)[0]
    tier.initial_ppm, tier.maintenance_ppm = ppm
    tier.open_interest_lower, tier.open_interest_upper = lower, lower + 1 + interest
    with checked():
        initial = int(initial_fraction_ppm(tier, interest, price))
    assert allowed(initial_ppm=initial, maintenance_ppm=int(tier.maintenance_ppm))
