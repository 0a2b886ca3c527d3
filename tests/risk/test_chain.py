"""Reading chains: what a file may look like, and the terms that its quotes imply."""

import gzip
import math
from datetime import date

import numpy as np
import pytest

from risk.black76 import price, spot_greeks
from risk.chain import ChainError, read_chain, years_between
from tests.risk.market import SPX_CHAINS

DAY = date(2020, 3, 16)
SPOT, RATE, DIVIDENDS = 2386.0, 0.006, 0.02
HEADER = (
    "#expiry,strike,right,open,high,low,close,volume,open_interest,"
    "implied_volatility,delta,gamma,vega,theta,rho"
)


def quote(expiry, strike, call, spot=SPOT, volatility=0.6):
    years = years_between(DAY, expiry)
    forward, discount = spot * math.exp((RATE - DIVIDENDS) * years), math.exp(-RATE * years)
    value = float(price(forward, strike, years, volatility, discount, call))
    return f"{expiry:%Y%m%d},{strike},{'C' if call else 'P'},,,,{value:.4f},0,,{volatility},,,,,"


def both_sides(expiry, strikes):
    return [quote(expiry, strike, call) for strike in strikes for call in (True, False)]


def written(tmp_path, lines, name="spx_options_2020-03-16.csv", header=HEADER):
    path = tmp_path / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def terms_at(expiry):
    years = years_between(DAY, expiry)
    return SPOT * math.exp((RATE - DIVIDENDS) * years), math.exp(-RATE * years)


def assert_terms(found, forward_error=1e-4, discount_error=2e-4):
    forward, discount = terms_at(found.expiry)
    assert found.forward == pytest.approx(forward, rel=forward_error)
    assert found.discount == pytest.approx(discount, rel=discount_error)


NEAR, FAR = date(2020, 4, 17), date(2020, 12, 18)


def test_forward_discount_and_spot_follow_from_parity(tmp_path):
    strikes = range(1600, 3300, 100)
    chain = read_chain(written(tmp_path, both_sides(NEAR, strikes) + both_sides(FAR, strikes)))
    assert [terms.expiry for terms in chain.terms] == [NEAR, FAR]
    assert {terms.method for terms in chain.terms} == {"parity"}
    for terms in chain.terms:
        assert_terms(terms)
    assert chain.spot == pytest.approx(SPOT, rel=1e-3)
    assert len(chain.price) == 4 * len(strikes) and not chain.dropped


def test_rows_may_come_in_any_order(tmp_path):
    lines = both_sides(NEAR, range(1600, 3300, 100)) + both_sides(FAR, range(1600, 3300, 100))
    mixed = [lines[i] for i in np.random.default_rng(3).permutation(len(lines))]
    one = read_chain(written(tmp_path, lines))
    other = read_chain(written(tmp_path, mixed))
    assert one.terms == other.terms
    assert np.array_equal(one.price, other.price)


def test_one_stale_quote_does_not_move_the_terms(tmp_path):
    lines = both_sides(NEAR, range(1600, 3300, 100))
    lines[0] = lines[0].replace(lines[0].split(",")[6], "900.0")
    (terms,) = read_chain(written(tmp_path, lines)).terms
    assert_terms(terms, 2e-4, 1e-3)


def test_deep_calls_alone_tell_the_forward(tmp_path):
    calls = [quote(NEAR, strike, True, volatility=0.3) for strike in range(800, 1900, 50)]
    (terms,) = read_chain(written(tmp_path, calls)).terms
    assert terms.pairs == 0
    assert_terms(terms, 5e-3, 5e-3)


def test_deep_puts_alone_tell_the_forward(tmp_path):
    puts = [quote(NEAR, strike, False, volatility=0.3) for strike in range(3000, 5000, 100)]
    (terms,) = read_chain(written(tmp_path, puts)).terms
    assert terms.pairs == 0
    assert_terms(terms, 5e-3, 5e-3)


def test_an_expiry_with_one_pair_takes_its_discount_from_the_others(tmp_path):
    lines = both_sides(FAR, range(1600, 3300, 100)) + both_sides(NEAR, [2400])
    near, _ = read_chain(written(tmp_path, lines)).terms
    assert (near.pairs, near.points, near.method) == (1, 1, "interpolated discount")
    assert_terms(near, 2e-3, 1e-3)


def test_an_expiry_without_any_point_carries_the_others_forward(tmp_path):
    lines = [*both_sides(FAR, range(1600, 3300, 100)), quote(NEAR, 2600, True)]
    near, _ = read_chain(written(tmp_path, lines), spot=SPOT).terms
    assert near.method == "carried"
    assert_terms(near, 3e-3, 1e-3)


def test_a_single_pair_in_the_whole_file_uses_the_rate_that_was_given(tmp_path):
    (terms,) = read_chain(written(tmp_path, both_sides(NEAR, [2400])), rate=RATE).terms
    assert terms.method == "assumed discount"
    assert_terms(terms)


def test_a_file_that_tells_no_forward_says_to_pass_the_spot(tmp_path):
    path = written(tmp_path, [quote(NEAR, 2600, True)])
    with pytest.raises(ChainError, match="pass the spot"):
        read_chain(path)
    assert read_chain(path, spot=SPOT).terms[0].forward == pytest.approx(SPOT, rel=1e-3)


def test_where_quotes_tell_no_forward_the_published_greeks_tell_the_spot(tmp_path):
    years = years_between(DAY, NEAR)
    greeks = spot_greeks(SPOT, 2600, years, 0.6, 0.01, 0.0, True)
    cells = quote(NEAR, 2600, True).split(",")[:9]
    cells += ["0.6", "0.4", f"{greeks.gamma:.7f}", f"{greeks.vega / 100:.7f}", "", ""]
    chain = read_chain(written(tmp_path, [",".join(cells)]))
    assert chain.spot == pytest.approx(SPOT, rel=1e-4)
    assert chain.terms[0].method == "carried"


def test_rows_that_cannot_be_used_are_dropped_and_counted(tmp_path):
    good = both_sides(NEAR, range(1600, 3300, 100))
    odd = [
        good[0],
        good[0],
        "20200316,2400,C,,,,12,0,,,,,,,",
        "20200417,2450,C,,,,,0,,,,,,,",
        "20200417,2455,C,,,,0,0,,,,,,,",
        "20200417,2460,C,,,,-3,0,,,,,,,",
        "20200417,2465,C,,,,nan,0,,,,,,,",
        "20200417,-5,C,,,,12,0,,,,,,,",
        "20200417,abc,C,,,,12,0,,,,,,,",
        "20200417,2400,X,,,,12,0,,,,,,,",
        "20200231,2400,C,,,,12,0,,,,,,,",
        "20200417,2475",
        "",
    ]
    chain = read_chain(written(tmp_path, good + odd))
    assert chain.dropped == {
        "it repeats another row": 2,
        "it has expired": 1,
        "it has no price above 0": 4,
        "its strike is not a number above 0": 2,
        "its right is not C or P": 2,
        "its expiry is not a date YYYYMMDD": 1,
    }
    assert len(chain.price) == len(good)


def test_a_strict_reader_names_the_line(tmp_path):
    lines = [*both_sides(NEAR, [2300, 2400]), "20200417,2400,X,,,,12,0,,,,,,,"]
    with pytest.raises(ChainError, match="line 6, column right: its right is not C or P, it is"):
        read_chain(written(tmp_path, lines), strict=True)


def test_of_two_contradicting_quotes_the_busier_is_kept(tmp_path):
    lines = both_sides(NEAR, range(1600, 3300, 100))
    cells = lines[0].split(",")
    stale = [*cells[:6], "1.0", "", *cells[8:]]
    chain = read_chain(written(tmp_path, [*lines, ",".join(stale)]))
    assert chain.dropped == {"it contradicts another row": 1}
    assert chain.price[chain.strike == 1600].max() == pytest.approx(float(cells[6]))


def test_the_underlyings_own_row_is_the_spot(tmp_path):
    lines = [",,,2380,2390,2370,2385.5,0,,,,,,,", *both_sides(NEAR, range(1600, 3300, 100))]
    assert read_chain(written(tmp_path, lines)).spot == 2385.5


def test_columns_may_be_missing_and_named_otherwise(tmp_path):
    lines = [",".join(line.split(",")[i] for i in (6, 2, 1, 0)) for line in both_sides(FAR, [2000])]
    chain = read_chain(written(tmp_path, lines, header="Close,Type,Strike,Expiry"))
    assert np.isnan(chain.columns["delta"]).all()
    assert_terms(chain.terms[0], 0.01, 0.01)


def test_what_is_no_chain_is_refused_with_what_was_expected(tmp_path):
    with pytest.raises(ChainError, match="pass as_of"):
        read_chain(written(tmp_path, [], name="chain.csv"))
    with pytest.raises(ChainError, match="no column close"):
        read_chain(written(tmp_path, [], header="expiry,strike,right"))
    with pytest.raises(ChainError, match="empty"):
        read_chain(written(tmp_path, [], header=""))
    with pytest.raises(ChainError, match="no usable row"):
        read_chain(written(tmp_path, ["20200417,2450,C,,,,,0,,,,,,,"]))


@pytest.mark.parametrize(("path", "spot"), SPX_CHAINS.items(), ids=lambda value: str(value)[-17:])
def test_the_real_chains_imply_the_index_of_the_day(path, spot):
    chain = read_chain(path, strict=True)
    # Lumpy dividends are spread evenly, which costs up to about 0.1 %.
    assert chain.spot == pytest.approx(spot, rel=1e-3)
    # Treasury bills yielded 0.2 to 0.6 % and two-year notes 1 %; funding costs somewhat more.
    assert all(0.005 < terms.rate < 0.02 for terms in chain.terms)
    assert all(0.97 < terms.forward / spot < 1.002 for terms in chain.terms)


def test_a_broken_quote_does_not_carry_the_forward_away(tmp_path):
    lines = [*both_sides(NEAR, [2300, 2400, 2500]), "20200417,1000000000,P,,,,12,0,,,,,,,"]
    lines += ["20200417,1500,C,,,,90000,0,,,,,,,"]
    (terms,) = read_chain(written(tmp_path, lines)).terms
    assert_terms(terms, 1e-3, 1e-2)


@pytest.mark.parametrize("seed", range(4))
def test_thin_parts_of_a_real_chain_still_give_its_forwards(tmp_path, seed):
    path = next(iter(SPX_CHAINS))
    whole = {terms.expiry: terms.forward for terms in read_chain(path).terms}
    with gzip.open(path, "rt") as file:
        header, *rows = file.read().splitlines()
    rng = np.random.default_rng(seed)
    expiry = rng.choice(sorted({row.split(",")[0] for row in rows}))
    rows = [row for row in rows if row.startswith(expiry)]
    part = rng.permutation(rows)[: max(3, len(rows) // 3)].tolist()
    name = f"spx_{path.name[12:22]}.csv"
    (terms,) = read_chain(written(tmp_path, part, name=name, header=header)).terms
    # Without a rate or a neighbour, three years of dividends less interest may be missing.
    assert terms.forward == pytest.approx(whole[terms.expiry], rel=0.04)


QUOTES = "expiration,strike,option_type,bid,ask,close"


def with_quotes(expiry, strike, call, bid, ask, close=""):
    return f"{expiry:%Y%m%d},{strike},{'call' if call else 'put'},{bid},{ask},{close}"


def test_a_row_without_a_close_is_priced_in_the_middle_of_its_quotes(tmp_path):
    lines = []
    for strike in range(1600, 3300, 100):
        for call in (True, False):
            value = float(quote(NEAR, strike, call).split(",")[6])
            lines.append(with_quotes(NEAR, strike, call, 0.98 * value, 1.02 * value))
    for path in (
        written(tmp_path, lines, header=QUOTES),
        written(tmp_path, [line.rsplit(",", 1)[0] for line in lines], header=QUOTES[:-6]),
    ):
        chain = read_chain(path)
        assert chain.dropped == {}
        assert_terms(chain.terms[0])


def test_crossed_and_hopelessly_wide_quotes_tell_no_price_and_are_counted(tmp_path):
    lines = [
        *(with_quotes(NEAR, strike, True, "", "", 2386 - strike + 90) for strike in (1000, 1200)),
        with_quotes(NEAR, 2400, True, 101, 100),
        with_quotes(NEAR, 2500, True, 1, 3.01),
        with_quotes(NEAR, 2600, True, 1, 3),
        with_quotes(NEAR, 2700, True, 0, 3),
        with_quotes(NEAR, 2800, True, 101, 100, 7),
    ]
    path = written(tmp_path, lines, header=QUOTES)
    chain = read_chain(path, spot=SPOT)
    assert chain.dropped == {
        "its bid is above its ask": 1,
        "its quotes are too far apart to tell a price": 1,
        "it has no price above 0": 1,
    }
    assert chain.price.tolist()[-2:] == [2, 7]
    with pytest.raises(
        ChainError, match="line 4, column bid: its bid is above its ask, it is '101'"
    ):
        read_chain(path, spot=SPOT, strict=True)


def test_a_header_without_any_price_says_so(tmp_path):
    with pytest.raises(ChainError, match="no column close, nor bid and ask"):
        read_chain(written(tmp_path, [], header="expiry,strike,right,ask"))


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a_2020-03-16.csv", "expiry,strike,right,close\n\u20ac".encode("cp1252"), "byte 0x80"),
        ("a_2020-03-16.csv", "expiry".encode("utf-16"), "byte 0xff"),
        ("a_2020-03-16.csv", gzip.compress(b"expiry"), "UTF-8"),
        ("a_2020-03-16.csv", f"{HEADER}\n{'1' * 200_000},".encode(), "CSV"),
        ("a_2020-03-16.csv.gz", b"expiry,strike", "packed file"),
        ("a_2020-03-16.csv.gz", gzip.compress(b"expiry" * 99)[:24], "packed file"),
    ],
)
def test_bytes_that_are_no_chain_are_refused_with_the_files_name(tmp_path, name, content, text):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ChainError, match=f"{name}.*{text}"):
        read_chain(tmp_path / name)


def test_a_time_behind_the_expiry_does_not_count_and_the_spot_may_be_quoted(tmp_path):
    lines = [
        ",,,2449.50,2450.50",
        "2020-04-17T20:15:00Z,2450,C,99.5,100.5",
        "2020-04-17T20:15:00Z,2450,P,99.5,100.5",
    ]
    chain = read_chain(written(tmp_path, lines, header="expiry,strike,right,bid,ask"))
    assert [each.expiry for each in chain.terms] == [NEAR]
    assert chain.spot == 2450
