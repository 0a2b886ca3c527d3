"""The gauges of a running node say how it stands now."""

import math
import re
from pathlib import Path

from clearing.keys import address_of
from tests.novatio.house import SELLER
from verifier.base.transactions import Deposit, Faucet


def gauge(house, name):
    return house.node.metrics.registry.get_sample_value(f"novatio_{name}")


def test_the_gauges_of_the_base_layer_agree_with_the_court(house):
    house.publish("4000")
    house.until(lambda: gauge(house, "unfinalised_batches") > 0)
    bond = house.base.config().bond
    house.until(
        lambda: gauge(house, "bonds_gwei") == bond * gauge(house, "unfinalised_batches") > 0
    )
    court = house.base.config()
    windows = court.challenge_window_blocks + court.reveal_window_blocks
    house.publish("4000")
    house.until(lambda: 0 < gauge(house, "window_blocks_left") <= windows)
    assert gauge(house, "balance_gwei") > 0
    assert gauge(house, "generation") == 0
    assert gauge(house, "posting_error") == 0
    assert gauge(house, "base_unseen_seconds") < 60
    tip = house.base.heads().tip_number
    house.until(lambda: gauge(house, "posted_batch") >= tip)
    house.until(lambda: gauge(house, "finalised_batch") >= tip)
    assert gauge(house, "finalised_batch") <= gauge(house, "safe_batch")
    house.until(lambda: gauge(house, "withdrawable_batch") >= tip)


def test_a_message_that_waits_is_counted_until_it_is_sequenced(house):
    seen = house.client.heads().inbox_consumed
    house.send(SELLER, Faucet(address_of(SELLER), 10**12, 1))
    house.send(SELLER, Deposit(address_of(SELLER), 0, 0, 1))
    house.until(lambda: gauge(house, "inbox_age_ms") > 0)
    house.until(lambda: house.client.heads().inbox_consumed > seen)
    house.until(lambda: gauge(house, "inbox_waiting") == 0)
    house.until(lambda: gauge(house, "inbox_age_ms") == 0)


def test_margin_calls_are_counted_while_somebody_watches_them(house):
    assert math.isnan(gauge(house, "margin_calls"))
    calls = house.client.margin_calls()
    assert list(next(calls).calls) == []
    assert gauge(house, "margin_calls") == 0
    calls.close()


def test_the_handbook_names_no_metric_that_is_not_there(house):
    families = house.node.metrics.registry.collect()
    there = {one.name + ("_total" if one.type == "counter" else "") for one in families}
    handbook = Path(__file__).parents[2] / "docs" / "operations.md"
    named = set(re.findall(r"`(novatio_\w+)`", handbook.read_text("utf-8")))
    assert len(named) > 15
    assert named <= there
