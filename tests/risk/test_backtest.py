"""The back-test as a whole: on the real series, and on files that are not as they should be."""

import gzip
import json

import numpy as np
import pytest

from risk.backtest import LEVELS, MODELS, Series, backtest, main, read_series
from tests.risk.market import BTC_DAILY


@pytest.fixture(scope="module")
def real():
    series = read_series(BTC_DAILY)
    results, forecasts = backtest(series)
    return series, {(one.model, one.level): one for one in results}, forecasts


def test_the_real_series_is_read_whole(real):
    series, *_ = real
    assert (len(series.days), series.dropped) == (1318, 0)
    assert series.days[0] == np.datetime64("2014-12-01")
    assert series.prices[0] == 370


def test_at_99_per_cent_no_test_rejects_garch_or_filtered_simulation(real):
    _, results, _ = real
    assert results["fhs", 0.99].rejected == results["garch", 0.99].rejected == ()
    # 8.2 are expected of 817 days.
    assert results["fhs", 0.99].exceedances == 8


def test_what_the_real_series_rejects_is_reported_as_such(real):
    """EWMA's normal tails are too thin for bitcoin, and a plain window does not see storms."""
    _, results, _ = real
    assert results["fhs", 0.975].rejected == ()
    assert "kupiec" in results["ewma", 0.99].rejected
    assert "shortfall_test" in results["ewma", 0.99].rejected
    assert "independence" in results["historical", 0.99].rejected
    # A Student law fitted to the very tails is too thin nearer to the middle.
    assert "kupiec" in results["garch", 0.975].rejected


def test_every_forecast_is_there_and_shortfall_is_beyond_value_at_risk(real):
    series, results, forecasts = real
    assert set(results) == set(forecasts) == {(m, level) for m in MODELS for level in LEVELS}
    for one in forecasts.values():
        assert len(one.days) == len(series.days) - 501
        assert np.isfinite(one.value_at_risk).all()
        assert (one.shortfall >= one.value_at_risk).all()
        assert (one.value_at_risk > 0).all()


def test_a_forecast_knows_nothing_of_the_days_after():
    series = read_series(BTC_DAILY)
    short = Series(series.days[:150], series.prices[:150].copy(), 0)
    changed = Series(short.days, short.prices.copy(), 0)
    changed.prices[130:] *= 0.5
    _, one = backtest(short, window=100)
    _, other = backtest(changed, window=100)
    for key in one:
        same = one[key].days <= series.days[130]
        assert np.array_equal(one[key].value_at_risk[same], other[key].value_at_risk[same])
        assert not np.array_equal(one[key].value_at_risk, other[key].value_at_risk)


def test_the_command_writes_a_report_and_a_picture(tmp_path, capsys):
    cut = tmp_path / "cut.csv"
    with gzip.open(BTC_DAILY, "rt") as file:
        cut.write_text("".join(file.readlines()[:200]))
    out = tmp_path / "made" / "here"
    assert main([str(cut), "--out", str(out), "--window", "120"]) == 0
    report = json.loads((out / "backtest.json").read_text())
    assert (report["series"], report["prices"], report["window_days"]) == ("cut.csv", 199, 120)
    assert len(report["results"]) == len(MODELS) * len(LEVELS)
    assert {"kupiec", "independence", "conditional_coverage"} <= set(report["results"][0])
    assert (out / "backtest.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.count("\n") == 1 + len(MODELS) * len(LEVELS)


def test_rows_are_sorted_and_bad_ones_dropped(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(
        "Date,Close\n2020-01-03,12\n2020-01-01,10\nsoon,11\n2020-01-02,\n2020-01-04,-1\n"
        "2020-01-05\n2020-01-03,13\n"
    )
    series = read_series(path)
    assert series.dropped == 4
    assert series.days.tolist() == [np.datetime64(f"2020-01-0{day}").item() for day in (1, 3)]
    assert series.prices.tolist() == [10, 13]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a,b\n1,2\n", "expected a column"),
        ("", "expected a column"),
        ("date,close\n2020-01-01,5\n", "fewer than two"),
        ("date,close\n2020-01-01,5\n2020-01-02,6\n", "longer series"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_two_and_says_why(tmp_path, capsys, text, word):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    assert main([str(path), "--out", str(tmp_path)]) == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bad.csv", "bad.csv.gz"])
def test_bytes_that_are_no_text_end_with_two_and_name_the_file(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"date,close\n\xff")
    assert main([str(tmp_path / name), "--out", str(tmp_path)]) == 2
    assert name in capsys.readouterr().err


def test_a_missing_file_ends_with_two(tmp_path, capsys):
    assert main([str(tmp_path / "none.csv"), "--out", str(tmp_path)]) == 2
    assert "none.csv" in capsys.readouterr().err
