"""The real chains' published Greeks against ours.

Tolerances: the distributor prints seven decimals. At its own convention (the index of the day, 1 %
flat, no dividends, quotes of 15:15) every Greek agrees to half of the last printed digit, so the
bound is 5.1e-8 in the published units: delta and gamma per index point, vega and rho per percentage
point, theta per calendar day. Left out: one row of 22 December and three of 23 December, all deep
in the money, whose Greeks were computed from another volatility than the one printed beside them
(their deltas are off by 2.7e-4 to 1.5e-3, all others by at most 5e-8).
"""

import numpy as np
import pytest

from risk.black76 import implied_volatility, spot_greeks
from risk.chain import read_chain
from risk.published import GREEKS, Convention, compare_published, fit_convention
from tests.risk.market import SPX_CHAINS

HALF_A_DIGIT = 5.1e-8
LEFT_OUT = {
    "2015-12-22": [(2450, False)],
    "2015-12-23": [(2550, False), (2650, False), (2800, False)],
}
chains = pytest.mark.parametrize(
    ("path", "spot"), SPX_CHAINS.items(), ids=lambda value: str(value)[-17:]
)


@chains
def test_every_published_greek_is_ours_to_its_last_digit(path, spot):
    chain = read_chain(path)
    found = compare_published(chain, Convention(spot))
    left_out = [(chain.strike[i], bool(chain.is_call[i])) for i in found.inconsistent]
    assert left_out == LEFT_OUT[str(chain.as_of)]
    assert found.incomplete == 0
    assert found.compared == len(chain.price) - len(left_out)
    assert set(found.largest) == set(GREEKS)
    assert max(found.largest.values()) <= HALF_A_DIGIT


@chains
def test_the_convention_is_found_from_the_greeks_alone(path, spot):
    chain = read_chain(path)
    found = fit_convention(chain)
    assert found.spot == pytest.approx(spot, abs=1e-3)
    assert found.rate == pytest.approx(0.01, abs=1e-6)
    assert found.dividend_yield == pytest.approx(0, abs=1e-6)
    assert found.close_hours == pytest.approx(15.25, abs=0.01)
    # Printed digits fix the convention less well than they check it: up to 1.6e-5 in rho.
    assert max(compare_published(chain, found).largest.values()) < 3e-5


@chains
def test_the_published_volatility_is_that_of_the_price_out_of_the_money(path, spot):
    """Quotes out of the money give the published number, to 3e-5 in the median.

    Nine in ten agree to 1e-3 (a tenth of a volatility point), all to 0.02. Quotes in the money, 118
    of 233 and 144 of 272 rows, are left out: both sides of a strike bear one published volatility,
    and under the convention's forward without dividends half of those quotes are below intrinsic.
    """
    chain = read_chain(path)
    forward, discount = spot * np.exp(0.01 * chain.years), np.exp(-0.01 * chain.years)
    ours = implied_volatility(
        chain.price, forward, chain.strike, chain.years, discount, chain.is_call, strict=False
    )
    out = chain.is_call == (chain.strike >= forward)
    assert (~out).sum() == {233: 118, 272: 144}[len(out)]
    difference = np.abs(ours - chain.columns["implied_volatility"])[out]
    assert np.median(difference) < 5e-5
    assert np.quantile(difference, 0.9) < 1e-3
    assert difference.max() < 0.02


def test_a_wrong_convention_is_seen():
    path, spot = next(iter(SPX_CHAINS.items()))
    found = compare_published(read_chain(path), Convention(spot * 1.001))
    assert found.compared < 100


def test_a_planted_convention_with_dividends_is_found_again():
    chain = read_chain(next(iter(SPX_CHAINS)))
    planted = Convention(1900.0, 0.023, 0.017, 12.25)
    years = chain.years + (15.25 - planted.close_hours) / (365 * 24)
    sigma = chain.columns["implied_volatility"]
    theirs = spot_greeks(
        planted.spot, chain.strike, years, sigma, planted.rate, planted.dividend_yield,
        chain.is_call,
    )  # fmt: skip
    columns = {
        **chain.columns,
        "delta": theirs.delta,
        "gamma": theirs.gamma,
        "vega": theirs.vega / 100,
        "theta": theirs.theta / 365,
        "rho": theirs.rho / 100,
    }
    object.__setattr__(chain, "columns", columns)
    found = fit_convention(chain)
    assert found.spot == pytest.approx(1900, rel=1e-6)
    assert found.rate == pytest.approx(0.023, abs=1e-6)
    assert found.dividend_yield == pytest.approx(0.017, abs=1e-6)
    assert found.close_hours == pytest.approx(12.25, abs=0.01)


def test_a_chain_without_greeks_says_how_many_are_needed(tmp_path):
    path = tmp_path / "chain_2020-03-16.csv"
    path.write_text("expiry,strike,right,close\n20200417,100,C,12\n20200417,100,P,10\n")
    with pytest.raises(ValueError, match="at least 5"):
        fit_convention(read_chain(path))
