"""Packaged and user-supplied bars: exact, ordered, and refused with a place when wrong."""

import gzip
import hashlib
from decimal import Decimal
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from novatio.market import SYMBOLS, MarketDataError, load_bars, load_bars_csv

HEADER = "time_utc,open,high,low,close,volume"
MINUTE_MS = 60_000
SEPTEMBER_3_MS = 1_504_396_800_000
SEPTEMBER_4_MS = 1_504_483_200_000


@pytest.fixture
def write(tmp_path):
    def write_lines(*lines):
        path = tmp_path / "mine.csv"
        path.write_bytes("\n".join([*lines, ""]).encode())
        return path

    return write_lines


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_packaged_bars_cover_every_minute_of_both_days(symbol):
    bars = load_bars(symbol)

    assert bars.symbol == symbol
    assert len(bars) == 2 * 24 * 60
    assert bars.time_ms[0] == SEPTEMBER_3_MS
    assert np.all(np.diff(bars.time_ms) == MINUTE_MS)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_packaged_bars_are_read_only_int64_and_low_and_high_enclose_the_rest(symbol):
    bars = load_bars(symbol)

    for column in (bars.time_ms, bars.open, bars.high, bars.low, bars.close, bars.volume):
        assert column.dtype == np.int64
        assert column.shape == (len(bars),)
        assert not column.flags.writeable
    assert np.all(bars.low > 0)
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    assert np.all(bars.volume > 0)


def test_ether_falls_from_353_to_285_on_4_september():
    bars = load_bars("ETH")
    day = bars.time_ms >= SEPTEMBER_4_MS
    lowest = int(np.argmin(np.where(day, bars.low, np.iinfo(np.int64).max)))

    assert bars.open[day][0] == 353_060_000
    assert bars.low[lowest] == 285_000_000
    assert bars.time_ms[lowest] == SEPTEMBER_4_MS + (15 * 60 + 29) * MINUTE_MS


def test_bitcoin_falls_with_it_but_by_less():
    bars = load_bars("BTC")
    day = bars.time_ms >= SEPTEMBER_4_MS

    assert bars.open[day][0] == 4_626_050_000
    assert bars.low[day].min() == 4_234_160_000


def test_the_first_packaged_bars_are_the_source_to_the_last_digit():
    bitcoin, ether = load_bars("BTC"), load_bars("ETH")

    assert [int(column[0]) for column in (bitcoin.open, bitcoin.high, bitcoin.low)] == [
        4_642_390_000,
        4_652_710_000,
        4_642_390_000,
    ]
    assert (bitcoin.close[0], bitcoin.volume[0]) == (4_652_690_000, 663_487_803)
    assert (ether.open[0], ether.close[0], ether.volume[0]) == (
        354_880_000,
        354_840_000,
        5_029_017_734,
    )


def test_the_packaged_text_has_the_digest_and_attribution_of_its_notice():
    data = resources.files("novatio") / "data"
    packed = (data / "btc_eth_1m_2017-09-03_04.csv.gz").read_bytes()
    notice = (data / "NOTICE").read_text("utf-8")

    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() in notice
    assert "Data: Coinbase / QuantConnect LEAN, Apache-2.0" in notice


def test_an_unknown_symbol_names_the_known_ones():
    with pytest.raises(ValueError, match="BTC, ETH, was 'DOGE'"):
        load_bars("DOGE")


def test_a_file_of_ones_own_may_order_its_columns_freely_skip_minutes_and_hold_more(write):
    path = write(
        "volume,time_utc,close,low,high,open,note",
        "0,2024-01-01T00:00:00Z,1.000001,1,2,1.5,a",
        "0.00000001,2024-01-01T00:05:00Z,7,7,7.0,7.00,b",
    )

    bars = load_bars_csv(path)

    assert bars.symbol == "mine"
    assert bars.time_ms.tolist() == [1_704_067_200_000, 1_704_067_500_000]
    assert bars.open.tolist() == [1_500_000, 7_000_000]
    assert bars.high.tolist() == [2_000_000, 7_000_000]
    assert bars.low.tolist() == [1_000_000, 7_000_000]
    assert bars.close.tolist() == [1_000_001, 7_000_000]
    assert bars.volume.tolist() == [0, 1]


GOOD = "2024-01-01T00:00:00Z,2,3,1,2,5"


@pytest.mark.parametrize(
    ("lines", "line", "column"),
    [
        ([], 1, "time_utc"),
        (["time_utc,open,high,low,volume", "2024-01-01T00:00:00Z,2,3,1,5"], 1, "close"),
        ([HEADER + ",low", GOOD + ",1"], 1, "low"),
        ([HEADER], 2, "(any)"),
        ([HEADER, GOOD + ",9"], 2, "(any)"),
        ([HEADER, GOOD, ""], 3, "(any)"),
        ([HEADER, GOOD, '"2024-01-01T00:01:00Z'], 3, "(any)"),
        ([HEADER, "2024-01-01 00:00:00,2,3,1,2,5"], 2, "time_utc"),
        ([HEADER, "2024-02-30T00:00:00Z,2,3,1,2,5"], 2, "time_utc"),
        ([HEADER, "2024-01-01T00:00:00Z,nan,3,1,2,5"], 2, "open"),
        ([HEADER, "2024-01-01T00:00:00Z,2,Infinity,1,2,5"], 2, "high"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,0,2,5"], 2, "low"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,-1,2,5"], 2, "low"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,1,,5"], 2, "close"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,1,2e0,5"], 2, "close"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,1,1.0000001,5"], 2, "close"),
        ([HEADER, "2024-01-01T00:00:00Z,2,10000000000,1,2,5"], 2, "high"),
        ([HEADER, "2024-01-01T00:00:00Z,2,9000000000.00000000000000000001,1,2,5"], 2, "high"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,1,2,0.000000001"], 2, "volume"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,1,2,\u0665"], 2, "volume"),
        ([HEADER, "2024-01-01T00:00:00Z,2,1.9,1,2,5"], 2, "high"),
        ([HEADER, "2024-01-01T00:00:00Z,2,3,2.1,2,5"], 2, "low"),
        ([HEADER, GOOD, GOOD], 3, "time_utc"),
        ([HEADER, GOOD, "2023-12-31T23:59:00Z,2,3,1,2,5"], 3, "time_utc"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_column(write, lines, line, column):
    with pytest.raises(MarketDataError) as caught:
        load_bars_csv(write(*lines))

    assert (caught.value.line, caught.value.column) == (line, column)
    assert f"mine.csv, line {line}, column {column}: " in str(caught.value)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(HEADER.encode() + b"\n" + GOOD.encode() + b"\n\xff")

    with pytest.raises(MarketDataError, match=r"line 3, .* was byte 0xff"):
        load_bars_csv(path)


@given(
    price=st.integers(1, 10**16 - 1),
    volume=st.integers(0, 10**18 - 1),
)
def test_every_price_and_volume_within_bounds_comes_back_exact(tmp_path_factory, price, volume):
    quote, coins = Decimal(price).scaleb(-6), Decimal(volume).scaleb(-8)
    path = tmp_path_factory.mktemp("bars") / "mine.csv"
    path.write_text(
        f"{HEADER}\n2024-01-01T00:00:00Z,{quote:f},{quote:f},{quote:f},{quote:f},{coins:f}\n"
    )

    bars = load_bars_csv(path)

    assert (bars.open[0], bars.close[0], bars.volume[0]) == (price, price, volume)


def test_daily_bars_have_a_date_in_the_place_of_the_time_and_may_be_packed(tmp_path):
    text = "date,open,high,low,close,volume\n2014-12-01,300,370,300,370,0.05655554\n"
    text += "2014-12-03,378,379,370,371,4\n"
    (tmp_path / "btc.csv").write_text(text)
    (tmp_path / "btc.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("btc.csv", "btc.csv.gz"):
        bars = load_bars_csv(tmp_path / name)
        assert bars.symbol == "btc"
        assert bars.time_ms.tolist() == [1_417_392_000_000, 1_417_564_800_000]
        assert bars.close.tolist() == [370_000_000, 371_000_000]


@pytest.mark.parametrize("day", ["2014-12-32", "2014-12-01T00:00:00Z", "01.12.2014", ""])
def test_a_date_that_is_none_is_named_with_an_example(write, day):
    path = write(HEADER.replace("time_utc", "date"), f"{day},3,3,3,3,1")
    with pytest.raises(MarketDataError, match=r"line 2, column date: .*2017-09-04, was"):
        load_bars_csv(path)


@pytest.mark.parametrize("content", [b"no packed file", gzip.compress(b"a" * 999)[:20]])
def test_a_packed_file_that_is_none_says_so(tmp_path, content):
    (tmp_path / "mine.csv.gz").write_bytes(content)
    with pytest.raises(MarketDataError, match=r"mine\.csv\.gz.*packed file"):
        load_bars_csv(tmp_path / "mine.csv.gz")
