"""The stress suite: what every scenario must hold, and that a fault cannot pass for success."""

import json

import pytest
from click.testing import CliRunner

from clearing.codes import Code, Fund
from clearing.units import MICRO, PPM
from novatio.cli import main
from novatio.market import load_bars_csv
from novatio.stress import SCENARIOS, judge, run, ticks_of_bars, ticks_of_prices
from novatio.stress.audit import STAGES
from novatio.stress.scenario import Tick, Verdict, walk
from tests.support.crash_days import write_day

FIELDS = [
    "name",
    "passed",
    "deficit_micro_by_step",
    "adl_overshoot_lots",
    "conservation_residual_micro",
    "flat_accounts_touched",
    "attacker_profit_micro",
    "operands",
]
SMALL = SCENARIOS["gap-50"]


def cli(*arguments):
    return CliRunner().invoke(main, ["stress", *arguments])


@pytest.fixture(scope="module")
def everything():
    """All scenarios, run once by the command."""
    return cli("run", "--all", "-o", "json")


@pytest.fixture(scope="module")
def reports(everything):
    return {record["name"]: record for record in json.loads(everything.stdout)}


def test_the_command_runs_every_scenario_and_prints_a_list(everything, reports):
    assert list(reports) == list(SCENARIOS)
    assert len(everything.stderr.splitlines()) == len(SCENARIOS)
    passed = all(report["passed"] for report in reports.values())
    assert everything.exit_code == (0 if passed else 1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_report_has_exactly_its_fields(reports, name):
    assert list(reports[name]) == FIELDS
    assert list(reports[name]["deficit_micro_by_step"]) == list(STAGES)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_conserves_value_and_lots_and_spares_who_has_no_position(reports, name):
    report = reports[name]
    assert report["conservation_residual_micro"] == 0
    assert report["operands"]["residual_lots"] == 0
    assert report["flat_accounts_touched"] == 0
    assert report["adl_overshoot_lots"] == 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_found_is_what_was_paid_and_what_is_left(reports, name):
    report = reports[name]
    paid = sum(report["deficit_micro_by_step"].values())
    assert report["operands"]["deficit_found_micro"] == paid


def test_a_seed_gives_one_report_and_another_seed_another():
    first, again, other = run(SMALL, 7), run(SMALL, 7), run(SMALL, 8)
    assert first.record() == again.record()
    assert first.record() != other.record()


# A fault must not pass.


def played(tamper=lambda world: None, after=lambda world: None):
    """The report of a small world that was tampered with before the play and after it."""
    world = SMALL.world(1)
    tamper(world)
    SMALL.play(world, [Tick(60_000, PPM)])
    after(world)
    return judge(SMALL, world, Verdict(met=True))


def test_a_world_that_nobody_tampered_with_passes():
    assert played().passed


def test_money_from_nowhere_is_found():
    def mint(world):
        world.actor("forger", MICRO)
        world.state.accounts[0].cash += 1

    report = played(mint)
    assert report.conservation_residual_micro == 1
    assert not report.passed


def test_money_from_nowhere_is_found_even_if_the_totals_agree_with_it():
    def mint(world):
        world.actor("forger", MICRO)
        world.state.accounts[0].cash += 5
        world.totals.cash_total += 5
        world.totals.custody += 5

    report = played(mint)
    assert report.conservation_residual_micro == 5
    assert not report.passed


def test_a_lot_that_nobody_sold_is_found():
    def plant(world):
        world.account(0).positions[0].lots += 1
        world.price(world.mark())

    report = played(after=plant)
    assert report.operands["residual_lots"] == 1
    assert not report.passed


def test_a_saver_who_pays_for_others_is_found():
    def rob(world):
        saver = next(one for one in world.actors if one.name == "saver-0")
        world.account(saver).cash -= 1
        world.account(0).cash += 1
        world.audit.after_step("socialise", (0,), (0,))

    report = played(after=rob)
    assert report.flat_accounts_touched == 1
    assert report.conservation_residual_micro == 0
    assert not report.passed


def test_a_winner_who_pays_for_others_is_not_a_saver():
    def pay(world):
        winner = next(one for one in world.actors if one.name == "short-0")
        world.account(winner).cash -= 1
        world.account(0).cash += 1
        world.audit.after_step("socialise", (0,), (0,))

    assert played(after=pay).flat_accounts_touched == 0


def test_lots_deleveraged_beyond_the_shortfall_are_counted():
    def overshoot(world):
        before = world.now
        short = next(one for one in world.actors if one.name == "short-0")
        world.audit.open_sweep(0, 0)
        world.account(short).positions[0].lots += world.lots(0) + 3
        world.audit.look()
        world.audit.close_lots(0, 0, before)

    report = played(after=overshoot)
    assert report.adl_overshoot_lots == 3
    assert not report.passed


# A run on a pool.


def test_a_pool_that_loses_and_is_run_on_keeps_every_cap(reports):
    found = reports["pool-run"]["operands"]
    assert found["promises_broken"] == ""
    assert found["deposits_beyond_cap"] == 1
    assert 0 < found["reserve_ppm"] - found["utilisation_ppm"] < 10_000
    assert 0 < found["sleeve_cap_micro"] - found["sleeve_micro"] < 10 * MICRO
    assert set(found["withdrawals_refused"]) == {"POOL_LOCKED", "POOL_PROFIT", "POOL_CAP"}
    assert 0 < found["withdrawals_before_traders_closed"] < found["withdrawals"]
    assert found["traders_withdrawn_micro"] >= found["traders_paper_equity_micro"]
    assert reports["pool-run"]["attacker_profit_micro"] <= -found["providers_profit_micro"]


@pytest.mark.parametrize(
    ("tampered", "promises"),
    [
        ({"lock_ms": 0}, {"lock"}),
        ({"deposit_cap": 20_000_000 * MICRO}, {"deposit_cap"}),
        ({"sleeve_cap": 2_000_000 * MICRO}, {"sleeve_cap"}),
        ({"reserve_ppm": PPM}, {"utilisation"}),
        ({"reserve_ppm": 4 * PPM, "profit_cap_ppm": PPM}, {"utilisation", "profit_cap"}),
    ],
)
def test_a_pool_that_keeps_a_cap_no_longer_does_not_pass(tampered, promises):
    scenario = SCENARIOS["pool-run"]
    world = scenario.world(1)
    for name, value in tampered.items():
        world.state.pools[0][name] = value
    report = judge(scenario, world, scenario.play(world, scenario.course()))
    assert promises <= set(report.operands["promises_broken"].split(","))
    assert not report.passed


# The world and the courses.


def test_a_profit_counts_what_left_and_what_is_left_but_no_debt():
    world = SMALL.world(1)
    one, other = world.crowd("trader", [10 * MICRO] * 2)
    assert world.apply(world.withdrawal(one, 4 * MICRO)) == Code.APPLIED
    assert world.profit([one, other]) == 0
    assert world.withdrawn([one]) == 4 * MICRO
    world.account(other).cash -= 13 * MICRO
    world.audit.look()
    assert world.profit([one, other]) == -10 * MICRO


def test_a_fund_that_is_endowed_is_backed():
    world = SMALL.world(1)
    world.endow(Fund.INSURANCE, 3 * MICRO)
    world.actor("trader", MICRO)
    assert world.audit.residual_micro == 0
    assert world.now.insurance == 3 * MICRO


def test_a_walk_reaches_its_targets_in_bounded_steps():
    ticks = [tick.price_ppm for tick in walk([2 * PPM, 500_000], 100_000)]
    assert ticks[:2] == [1_100_000, 1_210_000]
    assert max(ticks) == 2 * PPM
    assert ticks[-1] == 500_000
    pairs = zip([PPM, *ticks], ticks, strict=False)
    assert all(abs(after - before) * PPM <= before * 100_000 for before, after in pairs)


# The command.


def test_the_list_names_every_scenario():
    found = json.loads(cli("list", "-o", "json").stdout)["scenarios"]
    assert [row["name"] for row in found] == list(SCENARIOS)
    assert all(row["expectation"] for row in found)


def test_one_scenario_is_printed_as_one_object_of_numbers():
    done = cli("run", "cover-1", "-o", "json")
    report = json.loads(done.stdout)
    assert report["name"] == "cover-1"
    assert report["conservation_residual_micro"] == 0
    assert done.exit_code == 0


def test_prices_that_the_funds_do_not_cover_end_with_exit_code_one(tmp_path):
    prices = tmp_path / "fall.txt"
    prices.write_text("100\n30.5\n30.5\n")
    done = cli("run", "cover-2", "--prices", str(prices), "-o", "json")
    assert done.exit_code == 1
    assert not json.loads(done.stdout)["passed"]


def test_bars_of_another_day_take_the_place_of_the_course(tmp_path):
    bars = tmp_path / "day.csv"
    bars.write_text(
        "time_utc,open,high,low,close,volume\n"
        "2020-03-12T10:00:00Z,100,101,99,100,1\n"
        "2020-03-12T10:01:00Z,100,100,48,50,1\n"
    )
    done = cli("run", "insurance-zero", "--bars", str(bars), "-o", "json")
    report = json.loads(done.stdout)
    assert report["operands"]["deficit_found_micro"] > 0
    assert report["conservation_residual_micro"] == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run",), 2),
        (("run", "--all", "gap-50"), 2),
        (("run", "--all", "--prices", "x"), 2),
        (("run", "no-such-scenario"), 3),
    ],
)
def test_a_run_that_is_not_one_names_the_next_step(arguments, code):
    done = cli(*arguments)
    assert done.exit_code == code
    assert done.stderr.splitlines()[-1].startswith("next: ")


def test_a_file_without_prices_is_refused_with_its_line(tmp_path):
    prices = tmp_path / "bad.txt"
    prices.write_text("100\n-3\n")
    done = cli("run", "gap-50", "--prices", str(prices))
    assert done.exit_code == 2
    assert "line 2" in done.stderr


@pytest.mark.parametrize("name", ["gap-50", "feed-frozen-1h", "risk-publisher-offline"])
@pytest.mark.parametrize("day", ["gap_and_recovery", "weekend_gap"])
def test_value_and_lots_outlast_a_bad_day(tmp_path, day, name):
    course = ticks_of_bars(load_bars_csv(write_day(tmp_path, day, 1)))
    report = run(SCENARIOS[name], 1, course)
    assert_sound(report)
    assert report.passed


def test_value_and_lots_outlast_a_slow_bleed_whose_swings_become_wild(tmp_path):
    course = ticks_of_bars(load_bars_csv(write_day(tmp_path, "slow_bleed", 2)))
    for name in ("feed-frozen-1h", "jelly-2025"):
        assert_sound(run(SCENARIOS[name], 2, course))


@pytest.mark.parametrize("prices", [[100], [100, 65], [1_000_000, 1], [1, 900]])
@pytest.mark.parametrize("name", ["gap-50", "feed-frozen-1h", "risk-publisher-offline"])
def test_a_course_may_be_as_short_and_as_wild_as_one_likes(name, prices):
    assert_sound(run(SCENARIOS[name], 3, ticks_of_prices(prices)))


def assert_sound(report):
    assert report.conservation_residual_micro == report.operands["residual_lots"] == 0
    assert report.adl_overshoot_lots == report.flat_accounts_touched == 0
    assert not report.operands["law_halted"]


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--prices", b"100\n\xff\n", ("line 2", "byte 0xff")),
        ("--prices", b"1\n1000.5\n", ("line 2", "at most 1000 times")),
        (
            "--bars",
            b"date,open,high,low,close,volume\n2020-03-12,1,1,1,1,0\n2020-03-13,1,2000,1,1,0\n",
            ("line 3", "was 2000 times"),
        ),
        ("--bars", b"time,open,high,low,close,volume\n", ("line 1", "time_utc")),
    ],
)
def test_prices_that_cannot_be_a_course_are_refused_with_their_line(
    tmp_path, option, content, words
):
    path = tmp_path / "day.csv"
    path.write_bytes(content)
    done = cli("run", "gap-50", option, str(path))
    assert done.exit_code == 2
    for word in words:
        assert word in done.stderr
