"""The risk service against a house: what it publishes, rehearses, refuses and proposes."""

import asyncio
import gzip
import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from clearing.codes import Code, InstrumentKind
from clearing.genesis import GenesisAsset, GenesisInstrument, GenesisUnderlying
from clearing.grid import CENTRE
from clearing.keys import address_of
from clearing.units import PPM
from node.v1 import node_pb2 as pb
from novatio import AsyncClient
from novatio.errors import KeyUnusable, NotFound, RejectedByLaw
from novatio.feed import FeedConfig, FeedSection, MarketSection, run
from novatio.feed_check import rehearse
from novatio.feed_models import ModelUnusable, load_market, shocks_of
from novatio.feed_service import Service
from novatio.governance import changed_params, params_record, payload_of
from novatio.market import load_bars_csv
from novatio.risk_feed import Publishers, RiskFeed, View, look
from risk import black76
from risk.chain import read_chain
from risk.listed import YEAR_MS, FlatSurface, carry_needed_ppm, grid_points, listed_rows
from risk.surface import fit_surface
from tests.novatio.house import CASH_MICRO, PUBLISHER, House, genesis, now_ms
from tests.risk.market import BTC_DAILY, SPX_CHAINS

SPX = str(min(SPX_CHAINS))
PUBLISHERS = (PUBLISHER, bytes([7] * 31 + [9]))
DAY_MS = 86_400_000
NEAREST_DAYS = 23.4  # from the close of the chain's day to its nearest expiry
STRIKES = (1_700, 1_800, 1_900, 1_950, 2_000, 2_025, 2_050, 2_075, 2_100, 2_150, 2_200, 2_300)
LOT_NANO = 10_000_000  # a lot is a hundredth of the index
MICRO_PER_LOT = 10_000  # of one quote


def declared(**changes):
    """A perpetual and a future on an index, and a dozen strikes of its nearest expiry."""
    caps = (1 << 40, 1 << 40)
    options = [
        GenesisInstrument(
            f"SPX-{strike}-{kind.name[0]}",
            0,
            10,
            LOT_NANO,
            *caps,
            kind=kind,
            strike=strike * MICRO_PER_LOT,
        )
        for strike in STRIKES
        for kind in (InstrumentKind.PUT, InstrumentKind.CALL)
    ]
    expiry = now_ms() + round(NEAREST_DAYS * DAY_MS)
    return replace(
        genesis(),
        publishers=tuple(address_of(key) for key in PUBLISHERS),
        price_quorum=2,
        instruments=(
            GenesisInstrument("SPX-PERP", 0, 10, LOT_NANO, *caps),
            GenesisInstrument("SPX-FUT", 0, 10, LOT_NANO, *caps, kind=InstrumentKind.FUTURE),
            *options,
        ),
        underlyings=(GenesisUnderlying(expiries=(expiry,)),),
        assets=(GenesisAsset(50_000, 20_000, CASH_MICRO, CASH_MICRO),),
        **changes,
    )


@pytest.fixture(scope="module")
def options_house(tmp_path_factory):
    made = House(tmp_path_factory.mktemp("options"), declared())
    yield made
    made.stop()


@pytest.fixture
def files(tmp_path):
    """Keys of the publishers, and daily bars of an index made of a coin's closes."""
    (tmp_path / "feed.keys").write_text("".join(f"{key.hex()}\n" for key in PUBLISHERS))
    lines = unpacked(BTC_DAILY)[1:701]
    rows = [line.replace(",", "T00:00:00Z,", 1) for line in lines]
    history = "\n".join(["time_utc,open,high,low,close,volume", *map(rounded, rows)])
    (tmp_path / "history.csv").write_text(f"{history}\n")
    return tmp_path


def unpacked(path):
    """The lines of a packed file."""
    return gzip.decompress(Path(path).read_bytes()).decode().splitlines()


def rounded(row):
    """The row with no more decimals than bars may have, the high and low around the others."""
    time, *prices, volume = row.split(",")
    numbers = [round(float(price), 6) for price in prices]
    first, _, _, last = numbers
    numbers[1:3] = max(numbers), min(numbers)
    assert numbers[2] <= min(first, last)
    return ",".join([time, *(f"{number:.6f}" for number in numbers), f"{float(volume):.8f}"])


def config(house, files, **market):
    market = {"underlying": 0, "chain": SPX, **market}
    section = FeedSection(node=house.node.address, keys=str(files / "feed.keys"))
    return FeedConfig(feed=section, market=(MarketSection(**market),))


def service(house, files, **market):
    return Service(house.client, config(house, files, **market), now_ms)


def toml_file(house, files, **market):
    """The same configuration as a file, with an asset at half a quote."""
    market = {"underlying": 0, "chain": SPX, **market}
    lines = ["[feed]", f'node = "{house.node.address}"', f'keys = "{files / "feed.keys"}"']
    lines += ["[[market]]", *(f"{name} = {json.dumps(value)}" for name, value in market.items())]
    lines += ["[[asset]]", "asset = 1", "price_micro = 500000"]
    path = files / "feed.toml"
    path.write_text("\n".join(lines))
    return str(path)


def spx():
    return fit_surface(read_chain(SPX))


# Publishing.


def test_a_real_chain_is_staged_and_activated_and_the_marks_are_the_models(options_house, files):
    report = service(options_house, files).once()
    [series] = report["series"]
    assert (series["options"], series["actions"]) == (24, 5)
    view = options_house.client.underlying(0)
    held = view.series[0]
    assert (held.active_number, held.staged_count) == (series_number(held), 24)
    assert held.active_time_ms == report["law_time_ms"]
    assert held.reference_price_micro == series["reference_price_micro"] == view.index_price_micro
    surface = spx()
    assert abs(view.index_price_micro - surface.spot * MICRO_PER_LOT) <= 1
    years = (held.expiry_ms - report["law_time_ms"]) / YEAR_MS
    forward, discount = surface.forward(years), surface.discount(years)
    options = [one for one in options_house.client.instruments() if one.strike_micro]
    assert len(options) == 24
    for one in options:
        strike = one.strike_micro / MICRO_PER_LOT
        sigma = surface.volatility(strike, years)
        is_call = one.kind == InstrumentKind.CALL
        model = black76.price(forward, strike, years, sigma, discount, is_call)
        # Half a micro-quote of rounding, and what the smile's own arbitrage costs.
        assert (
            abs(one.mark_price_micro - float(model) * MICRO_PER_LOT) <= series["repair_micro"] + 1
        )
        assert one.mark_price_micro == one.row_micro[CENTRE]
        assert one.price_time_ms == report["law_time_ms"]


def series_number(series):
    assert series.active_number == series.staged_number > 0
    return series.active_number


def test_a_report_counts_the_bytes_that_each_refresh_posts(options_house, files):
    report = service(options_house, files).once()
    [series] = report["series"]
    # 24 rows of 34 pieces; each of 4 actions: kind and fields, neighbours, two counts, quorum, and
    # its length in the step; an activation without payload.
    rows = 24 * 272 + 4 * (37 + 2 + 32 + 1 + 2 * 65 + 2)
    activation = 25 + 12 + 1 + 2 * 65 + 2
    assert series["bytes"] == rows + activation
    assert series["bytes_per_option"] == math.ceil((rows + activation) / 24)
    prices = sum(one["bytes"] for one in report["prices"])
    assert report["posted_bytes"] == prices + series["bytes"]


def test_linear_markets_get_the_spot_and_futures_the_forward(options_house, files):
    service(options_house, files).once()
    surface = spx()
    perpetual, future = options_house.client.instruments()[:2]
    assert perpetual.mark_price_micro == int(round(surface.spot * PPM) // 100) // 10 * 10
    years = (future.expiry_ms - future.price_time_ms) / YEAR_MS
    forward = float(surface.forward(years)) * MICRO_PER_LOT
    assert abs(future.mark_price_micro - forward) <= 11
    assert future.index_price_micro == perpetual.index_price_micro


def test_each_refresh_is_a_set_of_its_own(options_house, files):
    feed = service(options_house, files)
    feed.once()
    before = options_house.client.underlying(0).series[0].active_number
    feed.once()
    assert options_house.client.underlying(0).series[0].active_number == before + 1


def test_discounts_and_confidence_go_with_the_rows(options_house, files):
    service(options_house, files, rate_ppm=20_000, confidence_ppm=700_000).once()
    series = options_house.client.underlying(0).series[0]
    years = (series.expiry_ms - series.active_time_ms) / YEAR_MS
    assert series.discount_long_ppm == math.floor(math.exp(-0.02 * years) * PPM)
    assert series.discount_short_ppm == math.ceil(math.exp(0.02 * years) * PPM)
    assert series.confidence_ppm == 700_000


def test_the_service_goes_on_until_it_is_stopped(options_house, files):
    feed, stop = service(options_house, files), threading.Event()
    before = options_house.client.underlying(0).series[0].active_number
    totals = {}
    thread = threading.Thread(target=lambda: totals.update(feed.serve(stop)))
    thread.start()
    options_house.until(lambda: options_house.client.underlying(0).series[0].active_number > before)
    stop.set()
    thread.join()
    assert totals["rejected"] == 0
    assert totals["actions"] >= 2 + 5


def test_a_chain_that_breaks_stops_its_market_until_it_is_right_again(
    options_house, files, capsys, monkeypatch
):
    chain = files / "spx_2015-12-22.csv"
    good = "\n".join(unpacked(SPX))
    chain.write_text(good)
    feed, now = service(options_house, files, chain=str(chain)), now_ms()
    assert {post.part for post in feed._due_posts(now)} == {"prices", "rows", "activation"}
    assert feed._due_posts(now + 1) == []
    chain.write_text(f"{good}\n20160115,broken,C,1,1,1,1,0\n")
    assert feed._due_posts(now + 30_000) == []
    told = capsys.readouterr().err
    assert "nothing is published of underlying 0" in told and "column strike" in told
    assert feed._due_posts(now + 60_000) == []
    assert capsys.readouterr().err == ""
    chain.write_text(good)
    assert feed._due_posts(now + 90_000)[0].part == "prices"


def test_a_replayed_market_moves_prices_and_rows_back_and_forth(options_house, files):
    bars = str(files / "history.csv")
    market = MarketSection(underlying=0, bars=bars, volatility_ppm=800_000)
    start, keys = now_ms(), str(files / "feed.keys")
    section = FeedSection(start_ms=start, bar_ms=1_000, first=5, loop=True, keys=keys)
    feed = Service(options_house.client, FeedConfig(feed=section, market=(market,)), now_ms)
    closes = load_bars_csv(bars).close.tolist()
    for bars_ended, place in ((1, 5), (3, 7), (695, 699), (696, 699), (697, 698)):
        posts = feed.round(start + 1_000 * bars_ended)
        [price] = [post for post in posts if post.what == "SPX-PERP"]
        assert price.details["mark_price_micro"] == closes[place] // 100 // 10 * 10
        [activation] = [post for post in posts if post.part == "activation"]
        reference = activation.details["reference_price_micro"]
        assert (
            reference == price.details["index_price_micro"] == activation.details["forward_micro"]
        )
        assert activation.details["confidence_ppm"] == PPM


def test_the_other_client_tells_of_underlyings_too(options_house):
    async def asked():
        async with AsyncClient(options_house.node.address) as client:
            return await client.underlying(0)

    assert asyncio.run(asked()) == options_house.client.underlying(0)
    with pytest.raises(NotFound):
        options_house.client.underlying(7)


# Scenarios.


def test_scenarios_are_written_whole_and_then_a_slot_a_day(options_house, files):
    history = files / "history.csv"
    lines = history.read_text().splitlines()
    history.write_text("\n".join(lines[:-1]) + "\n")
    feed = service(options_house, files, history=str(history))
    posts = [post for post in feed.round(now_ms()) if post.part == "scenarios"]
    assert [post.details["count"] for post in posts] == [200, 200, 100]
    feed.once()
    first = options_house.client.underlying(0)
    assert len(first.scenario_prices_ppm) == 500
    model = shocks_of(
        [load_market(config(options_house, files, history=str(history)).market[0])], 500
    )
    for shock in model[0]:
        assert first.scenario_prices_ppm[shock.slot] == shock.price_ppm
        assert first.scenario_volatilities_ppm[shock.slot] == shock.volatility_ppm
    assert not [post for post in feed.round(now_ms()) if post.part == "scenarios"]
    history.write_text("\n".join(lines) + "\n")
    grown = service(options_house, files, history=str(history))
    [post] = [post for post in grown.round(now_ms()) if post.part == "scenarios"]
    assert post.details["count"] == 1
    oldest = min(model[0], key=model[0].index)
    assert post.details["first"] == oldest.slot
    grown.once()
    second = options_house.client.underlying(0)
    changed = [
        k for k in range(500) if first.scenario_prices_ppm[k] != second.scenario_prices_ppm[k]
    ]
    assert changed == [oldest.slot]


def test_rows_are_of_the_announced_grid_from_its_time_on_and_begin_with_it(options_house, files):
    feed = service(options_house, files).feed
    seen = look(options_house.client)
    grid = seen.underlyings[0]
    time_ms = now_ms()
    grid.next_grid_time_ms = time_ms + 1
    grid.next_price_shocks_ppm.extend([*grid.price_shocks_ppm[:-1], 5_000_000])
    grid.next_dampings_ppm.extend(grid.dampings_ppm)
    grid.next_volatility_down_ppm, grid.next_volatility_up_ppm = -100_000, 100_000

    def posted(time_ms):
        posts = list(feed.rows(seen, lambda _bars: 0, time_ms))
        staged: list[Any] = [post.action for post in posts if post.part == "rows"]
        # The last option staged is the call of the highest strike, or its put: five times up.
        return [post.part for post in posts], staged[-1].payload

    parts, before = posted(time_ms)
    assert parts[-1] == "activation"
    parts, after = posted(time_ms + 1)
    assert parts == [*["rows"] * (len(parts) - 1), "grid"]
    assert before != after
    posts = list(feed.rows(seen, lambda _bars: 0, time_ms + 1))
    info = options_house.client.info()
    assert rehearse(seen, info, posts, time_ms + 1) == []


def test_a_short_history_fills_slots_from_zero(files):
    path = files / "history.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:62]) + "\n")
    model = load_market(MarketSection(underlying=3, bars=str(path), history=str(path)))
    found = shocks_of([model], 500)[3]
    # 61 days are 60 returns, of which the first 25 teach the forecast.
    assert [shock.slot for shock in found] == list(range(35))


# Rehearsals.


def test_a_check_finds_nothing_wrong_and_publishes_nothing(options_house, files, capsys):
    path = toml_file(options_house, files, history=str(files / "history.csv"))
    before = options_house.client.heads().sequenced.sequence
    assert run(path, mode="check", form="json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["faults"] == []
    assert report["series"][0]["options"] == 24
    assert options_house.client.heads().sequenced.sequence == before


def test_a_check_names_the_option_the_rule_and_the_parameter(options_house, files, monkeypatch):
    feed = service(options_house, files)
    params = options_house.client.params()

    def allow(ppm):
        record = changed_params(params_record(params.record), {"row_carry_ppm": ppm})
        params.record[:] = payload_of(record)

    monkeypatch.setattr(options_house.client, "params", lambda: params)
    allow(0)
    _, [fault] = feed.check()
    assert fault.code == Code.ROW_BOUND
    assert fault.post.what.startswith("SPX-")
    assert 1_000 < fault.post.details["carry_needed_ppm"] <= 100_000


def test_the_carry_that_is_said_to_be_needed_is_the_least_with_which_the_law_takes_the_rows():
    surface, reference, left = spx(), 20_404_000, round(0.06 * YEAR_MS)
    strikes = np.repeat(np.array(STRIKES) * MICRO_PER_LOT, 2)
    is_call = np.tile([True, False], len(STRIKES))
    points = grid_points([0, 4_000_000], [PPM, PPM])

    def needed(smiles):
        found = listed_rows(
            smiles,
            reference,
            left / YEAR_MS,
            strikes,
            is_call,
            points=points,
            volatility_shocks=(-275_000, 0, 500_000),
        )
        return found, carry_needed_ppm(found, left)

    found, least = needed(surface)
    for ppm, expected in ((least, True), (least - 1, False)):
        most = -(-ppm * left // YEAR_MS)
        forward = abs(found.rows.forward - reference) * PPM <= reference * most
        discount = abs(found.rows.discount - 10**9) * PPM <= 10**9 * most
        assert (forward and discount) == expected
    assert needed(FlatSurface(1.0, 0.2))[1] == 0


def test_the_command_publishes_a_round_with_its_asset(options_house, files, capsys):
    assert run(toml_file(options_house, files), mode="once", form="json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["prices"][-1]["market"] == "asset 1"
    assert report["prices"][-1]["index_price_micro"] == 500_000
    shown = options_house.cli("underlying", "show", "0", "-o", "json")
    record = json.loads(shown.stdout)
    assert record["series"][0]["active_number"] == record["series"][0]["staged_number"]
    option = json.loads(options_house.cli("instrument", "show", "2", "-o", "json").stdout)
    assert (option["kind"], int(option["strike_micro"])) == ("put", 1_700 * MICRO_PER_LOT)


# Refusals.


@pytest.mark.parametrize(
    ("line", "column", "wrong"),
    [("20160115,-5,C,1,1,1,1,0", "strike", "-5"), ("20160115,5,X,1,1,1,1,0", "right", "X")],
)
def test_a_broken_chain_is_refused_with_its_line_and_column(
    options_house, files, capsys, line, column, wrong
):
    chain = files / "spx_2015-12-22.csv"
    text = unpacked(SPX)
    chain.write_text("\n".join([*text[:9], line, *text[9:]]))
    assert run(toml_file(options_house, files, chain=str(chain)), mode="check") == 2
    told = capsys.readouterr().err
    assert f"spx_2015-12-22.csv, line 10, column {column}" in told
    assert repr(wrong) in told and "strict = false" in told
    assert run(toml_file(options_house, files, chain=str(chain), strict=False), mode="check") == 0


def test_daily_bars_are_a_history_as_they_come(options_house, files):
    (files / "daily.csv").write_bytes(gzip.decompress(Path(BTC_DAILY).read_bytes()))
    sections = [
        MarketSection(underlying=0, bars="BTC", history=str(path))
        for path in (files / "daily.csv", BTC_DAILY)
    ]
    found = [shocks_of([load_market(section)], 30) for section in sections]
    assert found[0] == found[1] and len(found[0][0]) == 30


def test_what_gives_no_model_is_refused_before_anything_is_published(files):
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "neither"),
        ({"chain": str(files / "none_2015-12-22.csv")}, "readable file"),
        ({"bars": str(files / "feed.keys")}, "line 1, column time_utc"),
    )
    for market, text in cases:
        with pytest.raises(ModelUnusable, match=text) as caught:
            load_market(MarketSection(underlying=0, **market))
        assert caught.value.next_step


def test_options_without_any_volatility_are_an_error_with_a_next_step(options_house, files):
    bars = str(files / "history.csv")
    feed = Service(
        options_house.client,
        replace_market(config(options_house, files), MarketSection(underlying=0, bars=bars)),
        now_ms,
    )
    with pytest.raises(ModelUnusable, match="volatility") as caught:
        feed.round(now_ms())
    assert "volatility_ppm" in caught.value.next_step


def replace_market(found, section):
    return FeedConfig(feed=found.feed, market=(section,))


def test_foreign_and_unreadable_keys_are_refused(options_house, files):
    keys = files / "feed.keys"
    keys.write_text(f"{PUBLISHER.hex()}\n{bytes([9] * 32).hex()}\n")
    with pytest.raises(KeyUnusable, match="at least 2 of the law's 2 publishers, was 1 of 2"):
        service(options_house, files)
    keys.write_text("zz\n")
    with pytest.raises(KeyUnusable, match="key 1: expected 64 hex digits"):
        service(options_house, files)


def test_a_round_of_the_past_is_rejected_and_says_why(options_house, files):
    feed = service(options_house, files)
    feed.once()
    late = Service(options_house.client, config(options_house, files), lambda: now_ms() - DAY_MS)
    with pytest.raises(RejectedByLaw, match="CLR-PRC-003"):
        late.once()


# Proposals.


def test_proposals_stay_within_steps_and_bounds_and_change_nothing(options_house, files, capsys):
    path = toml_file(options_house, files, history=str(files / "history.csv"))
    run(path, mode="once")
    capsys.readouterr()
    before = options_house.client.params()
    assert run(path, mode="propose", form="json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {"tiers.0.initial_ppm", "tiers.0.maintenance_ppm"} <= {one["parameter"] for one in found}
    step_ppm = int(params_record(before.record).parameter_step_ppm)
    for one in found:
        assert one["reason"]
        assert abs(one["after"] - one["before"]) <= one["before"] * step_ppm // PPM
        if one["parameter"].endswith("_ppm"):
            assert 0 < one["after"] <= PPM
    # A coin's history asks for far more than 5 %: as far as one act may go.
    [maintenance] = [one for one in found if one["parameter"] == "tiers.0.maintenance_ppm"]
    assert (maintenance["before"], maintenance["after"]) == (50_000, 62_500)
    assert "beyond the step" in maintenance["reason"]
    assert options_house.client.params() == before


def test_the_service_writes_proposals_that_governance_can_submit(options_house, files):
    declared = config(options_house, files, history=str(files / "history.csv"))
    path = files / "proposals.json"
    section = msgspec.structs.replace(declared.feed, proposals=str(path))
    feed = Service(options_house.client, msgspec.structs.replace(declared, feed=section), now_ms)
    feed._due_posts(now_ms())
    record = params_record(options_house.client.params().record)
    changed = changed_params(record, json.loads(path.read_text()))
    assert int(changed.tiers[0].maintenance_ppm) == 62_500


# Several underlyings share their days.


def test_lists_of_two_underlyings_are_whole_only_together(files):
    path = str(files / "history.csv")
    models = [load_market(MarketSection(underlying=n, bars=path, history=path)) for n in (0, 1)]
    view = View((), {n: pb.Underlying(id=n) for n in (0, 1)}, pb.GetParamsResponse())
    feed = RiskFeed(models, (), Publishers(PUBLISHERS, 2, bytes(32)))

    def written(view):
        posts: list[Any] = [post.action for post in feed.scenarios(view, 1)]
        return [
            (one.value("underlying"), one.value("first"), len(one.payload), one.value("rest"))
            for one in posts
        ]

    first = [(0, 0, 200, 3), (0, 200, 200, 2), (0, 400, 100, 1)]
    second = [(1, 0, 200, 2), (1, 200, 200, 1), (1, 400, 100, 0)]
    # The first list ends, by its last shock once more, when the second is whole.
    assert written(view) == [*first, *second, (0, 499, 1, 0)]
    for shock in sorted(shocks_of(models, 500)[0], key=lambda one: one.slot):
        for one in view.underlyings.values():
            one.scenario_prices_ppm.append(shock.price_ppm)
            one.scenario_volatilities_ppm.append(shock.volatility_ppm)
    assert written(view) == []
    # A list that somebody left unfinished is ended.
    view.underlyings[1].scenario_rest = 4
    newest = shocks_of(models, 500)[1][-1].slot
    assert written(view) == [(1, newest, 1, 0)]


def test_scenarios_of_two_underlyings_are_aligned_by_day(files):
    whole = (files / "history.csv").read_text().splitlines()
    gaps = [line for k, line in enumerate(whole) if k % 7]
    (files / "gaps.csv").write_text("\n".join([whole[0], *gaps]) + "\n")
    models = [
        load_market(MarketSection(underlying=n, bars=str(files / name), history=str(files / name)))
        for n, name in enumerate(("history.csv", "gaps.csv"))
    ]
    found = shocks_of(models, 500)
    assert [one.slot for one in found[0]] == [one.slot for one in found[1]]
    # The same prices on the same days are the same shocks.
    assert [one.price_ppm for one in found[0]] == [one.price_ppm for one in found[1]]
