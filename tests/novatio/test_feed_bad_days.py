"""The risk service with what markets quote on bad days, in a house that has seen no rows yet."""

import pytest

from clearing.units import PPM
from tests.novatio.house import House
from tests.novatio.test_feed import MICRO_PER_LOT, PUBLISHERS, STRIKES, declared, service
from tests.support.odd_chains import CHAINS, SPOT, write_chain


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    made = House(tmp_path_factory.mktemp("options"), declared())
    yield made
    made.stop()


@pytest.mark.parametrize("name", CHAINS)
def test_the_law_takes_the_rows_of_what_bad_days_quote(house, tmp_path, name):
    (tmp_path / "feed.keys").write_text("".join(f"{key.hex()}\n" for key in PUBLISHERS))
    chain = write_chain(tmp_path, name, 1)
    report, faults = service(house, tmp_path, chain=chain, strict=False).check()
    assert faults == []
    assert [one["options"] for one in report["series"]] == [2 * len(STRIKES)]
    assert 0 < report["series"][0]["confidence_ppm"] < PPM
    assert abs(report["series"][0]["reference_price_micro"] / MICRO_PER_LOT - SPOT) < SPOT / 500
