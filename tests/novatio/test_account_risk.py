"""The Greeks and the tail of an account as SDK and command line show them."""

import csv
import io
import json

import pytest

from clearing.codes import Kind
from clearing.requests import Request
from clearing.units import PPM
from novatio import LocalSigner
from novatio.risk_feed import Publishers
from tests.novatio.house import BUYER, PUBLISHER, House, now_ms
from tests.novatio.test_cli import shown

# The seller is short 10 units at 4,000: 40,000 quote.
VALUE_MICRO = 40_000 * PPM
RISES_PPM = (100_000, 50_000, 30_000, -20_000, 10_000)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A house whose account 0 is a short portfolio with five scenarios, and 1 its counterparty."""
    made = House(tmp_path_factory.mktemp("short"))
    made.open_accounts()
    client = made.client
    sell = client.order(0, "BTC-PERP", "sell", "10", "4000", slot=1)
    buyer = LocalSigner(BUYER)
    buy = client.order(1, "BTC-PERP", "buy", "10", "4000", slot=1, signer=buyer)
    request = Request.of(
        Kind.SCENARIOS,
        payload=[rise << 32 for rise in RISES_PPM],
        underlying=0,
        first=0,
        rest=0,
        time=now_ms(),
    )
    publishers = Publishers((PUBLISHER,), 1, client.info().domain_separator)
    for outcome in (
        *client.submit([client.trade(maker=sell, taker=buy), publishers.signed(request)]),
        client.set_mode(0, "portfolio"),
    ):
        outcome.raise_for_rejection()
    yield made
    made.stop()


def test_the_sdk_tells_greeks_and_tail_of_a_portfolio(short):
    risk = short.client.account_risk(0).risk
    [greeks] = risk.greeks
    assert (greeks.underlying, greeks.delta_micro) == (0, -VALUE_MICRO // 100)
    assert (greeks.gamma_micro, greeks.vega_micro, greeks.theta_micro) == (0, 0, 0)
    assert (risk.tail.scenarios, risk.tail.losses) == (5, 5)
    # Losses are 10, 5, 3, 1 and -2 per cent of the value, within rounding of the grid.
    near = VALUE_MICRO // 10**5
    assert risk.tail.value_at_risk_micro == pytest.approx(-VALUE_MICRO * 0.02, abs=near)
    assert risk.tail.expected_shortfall_micro == pytest.approx(VALUE_MICRO * 0.17 / 5, abs=near)
    other = short.client.account_risk(1).risk
    assert other.greeks[0].delta_micro == VALUE_MICRO // 100
    assert not other.HasField("tail")


def test_the_command_shows_greeks_and_tail_in_every_form(short):
    risk = short.client.account_risk(0).risk
    greeks = {
        "underlying": 0,
        "delta_micro": str(-VALUE_MICRO // 100),
        "gamma_micro": "0",
        "vega_micro": "0",
        "theta_micro": "0",
    }
    tail = {
        "scenarios": 5,
        "losses": 5,
        "value_at_risk_micro": str(risk.tail.value_at_risk_micro),
        "expected_shortfall_micro": str(risk.tail.expected_shortfall_micro),
    }
    found = shown(short.cli("account", "show", 0, "-o", "json"))
    assert (found["greeks"], found["scenario_tail"]) == ([greeks], tail)
    [row] = csv.DictReader(io.StringIO(short.cli("account", "show", 0, "-o", "csv").stdout))
    assert json.loads(row["greeks"]) == [greeks]
    assert json.loads(row["scenario_tail"]) == tail
    lines = [line.split() for line in short.cli("account", "show", 0).stdout.splitlines()]
    assert ["greeks[0].delta_micro", greeks["delta_micro"]] in lines
    assert ["scenario_tail.value_at_risk_micro", tail["value_at_risk_micro"]] in lines


def test_an_account_that_is_no_portfolio_is_shown_without_a_tail(short):
    assert shown(short.cli("account", "show", 1, "-o", "json"))["scenario_tail"] is None
    lines = [line.split() for line in short.cli("account", "show", 1).stdout.splitlines()]
    assert ["scenario_tail", "-"] in lines
