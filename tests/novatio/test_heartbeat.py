"""A running house without traffic: its clock goes on, and everything that reads frames bears it."""

import pytest

from tests.novatio.house import House
from verifier.batch import BatchData
from verifier.header import Header


@pytest.fixture
def house(tmp_path):
    # A quarter of this is what the node lets pass in silence.
    made = House(tmp_path, open_lag_ms=8_000)
    yield made
    made.stop()


def test_an_idle_house_posts_steps_without_actions_and_its_books_and_challenger_agree(house):
    house.open_accounts()
    before = house.client.account(0)

    def beats():
        found = []
        for view in house.base.batches(1, 100):
            header = Header.decode(view.record.header)
            data = house.base.batch_data(view.record.batch_id)
            if not any(step.actions for step in BatchData.decode(data, header.step_count).steps):
                found.append(view)
        return found

    house.until(lambda: len(beats()) >= 2)
    first, second = beats()[:2]
    assert first.record.clock < second.record.clock
    assert first.record.sequenced_count == second.record.sequenced_count
    assert house.base.standing().lag_ms < house.base.config().open_lag_ms
    house.publish("4001")
    assert house.client.account(0).cash_micro == before.cash_micro
    shown = house.cli("account", "statement", "0", "-o", "json")
    assert shown.exit_code == 0, shown.stderr
    called = house.cli("account", "margin-calls", "-o", "json")
    assert called.exit_code == 0, called.stderr
    verified = house.cli("batch", "verify", str(second.record.number), "-o", "json")
    assert verified.exit_code == 0, verified.stderr
    assert not house.base.reverts(0, 1)
