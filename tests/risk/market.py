"""The real data that the tests of the models stand on."""

from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "market"
SPX_CHAINS = {
    # The index at the quotes, from the exchange's record of these days.
    DATA / "spx_options_2015-12-22.csv.gz": 2038.97,
    DATA / "spx_options_2015-12-23.csv.gz": 2064.29,
}
BTC_DAILY = DATA / "btcusd_1d_2014_2018.csv.gz"
