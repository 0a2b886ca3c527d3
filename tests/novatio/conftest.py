"""The house that the tests of the client and of the command share."""

import pytest

from tests.novatio.house import House


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    made = House(tmp_path_factory.mktemp("house"))
    try:
        made.open_accounts()
        yield made
    finally:
        made.stop()
