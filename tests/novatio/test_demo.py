"""The parts of the demo, each by itself, and then a whole small one."""

import json
import sys
import threading
import time
from collections import Counter

import pytest
from rich.console import Console

from clearing.codes import Code
from clearing.decode import pack, recover_signers
from clearing.keys import recover
from clearing.messages import Authorisation, Trade, decode_action
from novatio.demo import play, run
from novatio.demo.director import Options
from novatio.demo.flow import FLAW_EVERY, FLAWS, Flaw, flaw_at
from novatio.demo.observer import SeenBatch
from novatio.demo.processes import Children, ProcessFailed, free_ports
from novatio.demo.progress import PHASES, Dispute, Heads, Progress
from novatio.demo.report import Report, books_of, check_trades
from novatio.demo.rogue import FORGERIES
from novatio.demo.view import LineView, LiveView, line_of, sparkline
from novatio.world import MINUTE_MS, load_markets
from prover.replica import Verdict
from tests.novatio.rehearsal import START_MS, Rehearsal
from verifier.evidence import check_bad_step

# What the issue asks of the report, at least.
REPORTED = {
    "trades_submitted",
    "trades_applied",
    "trades_rejected",
    "liquidations",
    "batches_posted",
    "batches_finalised",
    "forgeries_posted",
    "forgeries_proven",
    "honest_batches_reverted",
    "bond_slashed",
    "bond_burned",
    "prover_rewarded",
    "value_conserved",
    "open_interest_zero_sum",
    "withdrawals_claimed",
    "final_state_root",
}


@pytest.fixture(scope="module")
def rehearsal():
    return Rehearsal()


@pytest.fixture(scope="module")
def traded():
    """A world after enough minutes for every flaw, with the law's codes of each minute."""
    minutes = FLAW_EVERY * len(FLAWS)
    world = Rehearsal(minutes=minutes)
    flow, codes = world.flow(), []
    for minute in range(minutes):
        law_ms = START_MS + (minute + 1) * MINUTE_MS
        prices = world.prices(minute) if minute else []
        trades = flow.trades(minute, law_ms)
        columns = world.engine.decode(*pack([*prices, *trades]))
        recover_signers(columns)
        ran = world.engine.advance(columns, law_ms)
        codes.append([Code(code) for code in ran.codes[len(prices) : len(prices) + len(trades)]])
    return world, flow, codes


# The traders.


def trade_of(action):
    trade = decode_action(action)
    assert isinstance(trade, Trade)
    return trade


def test_the_same_seed_gives_the_same_trades(rehearsal):
    one, other = rehearsal.flow(), rehearsal.flow()
    for minute in range(3):
        assert one.trades(minute, START_MS) == other.trades(minute, START_MS)


def test_both_owners_and_the_venue_sign_every_honest_trade(rehearsal):
    actions = rehearsal.flow().trades(0, START_MS)
    assert len(actions) >= 9
    for action in actions:
        trade = trade_of(action)
        maker, taker, venue = (
            recover(signature, digest) for digest, signature in trade.signed(rehearsal.domain)
        )
        assert maker == rehearsal.participants[trade.maker.account].owner
        assert taker == rehearsal.participants[trade.taker.account].owner
        assert venue == trade.venue == rehearsal.world.address("venue")


def test_one_signature_of_the_venue_covers_a_minute(rehearsal):
    trades = [trade_of(action) for action in rehearsal.flow().trades(0, START_MS)]
    signatures = set()
    for trade in trades:
        assert isinstance(trade.venue_authorisation, Authorisation)
        signatures.add(trade.venue_authorisation.signature)
    assert len(signatures) == 1


def test_takers_get_the_best_quote_first(rehearsal):
    for action in rehearsal.flow().trades(0, START_MS):
        trade = trade_of(action)
        close = int(rehearsal.closes[trade.instrument][0])
        assert abs(trade.price - close) <= close // 2_000


def test_the_law_gives_every_flaw_its_code_and_lets_the_rest_pass(traded):
    _, flow, codes = traded
    for minute, found in enumerate(codes):
        flaw = flaw_at(minute)
        wrong = [code for code in found if code != Code.APPLIED]
        assert set(wrong) <= ({flaw.value} if flaw else set())
    counted = Counter(code for found in codes for code in found if code != Code.APPLIED)
    assert counted == flow.flawed
    assert set(counted) == {flaw.value for flaw in Flaw}


def test_minutes_beyond_the_last_trade_at_its_price_or_begin_anew(rehearsal):
    last, anew = rehearsal.flow(), rehearsal.flow(loop=True)
    beyond = len(rehearsal.closes[0]) + 3
    for flow, minute in ((last, -1), (anew, 3)):
        trade = trade_of(flow.trades(beyond, START_MS)[0])
        close = int(rehearsal.closes[trade.instrument][minute])
        assert abs(trade.price - close) <= close // 2_000


# The rogue operator.


@pytest.mark.parametrize("forgery", FORGERIES)
def test_each_forgery_is_fraud_to_replica_and_court(rehearsal, forgery):
    assert rehearsal.first.verdict is Verdict.VALID
    before = rehearsal.engine.root()
    posting = rehearsal.forger().forge(rehearsal.engine, forgery, rehearsal.place())
    assert rehearsal.engine.root() == before
    judgement = rehearsal.replica.judge(posting.header, posting.data)
    assert judgement.verdict is Verdict.INVALID
    assert check_bad_step(posting.header, judgement.evidence)


# The report.


def test_the_books_of_a_traded_world_balance(traded):
    books = books_of(traded[0].engine.state)
    deposited = sum(one.deposit_micro for one in traded[0].participants)
    assert books.conserved and books.zero_sum
    assert books.custody == deposited
    assert all(books.long_lots)


def test_the_books_notice_one_micro_and_one_lot(rehearsal):
    state = rehearsal.engine.state
    state.accounts[1].cash += 1
    assert not books_of(state).conserved
    state.accounts[1].cash -= 1
    assert books_of(state).conserved
    state.accounts[1].position_count += 1
    state.accounts[1].positions[0].lots = 1
    assert not books_of(state).zero_sum
    state.accounts[1].positions[0].lots = 0
    state.accounts[1].position_count -= 1
    assert books_of(state).zero_sum


def test_a_report_is_good_only_if_every_check_holds():
    report = Report()
    assert not report.ok
    report.expect("sums", 1, 1)
    assert report.ok
    report.expect("sums", 1, 2)
    assert not report.ok
    assert [check.actual for check in report.failures] == ["2"]
    assert "expected 1, was 2" in "\n".join(report.lines())


def test_the_json_report_has_what_programs_read():
    report = json.loads(Report(trades_rejected={"MARGIN": 2}).json())
    assert set(report) >= REPORTED
    assert report["trades_rejected"] == {"MARGIN": 2}
    assert report["ok"] is False


def trades_report(**changes):
    report = Report(
        trades_submitted=10, trades_applied=7, trades_rejected={"EXPIRED": 1, "MARGIN": 2}
    )
    report.liquidations = 1
    for name, value in changes.items():
        setattr(report, name, value)
    check_trades(report, {Code.EXPIRED: 1, Code.MARGIN: 1}, frozenset({Code.MARGIN}))
    return report


def test_flawed_trades_are_counted_exactly_and_natural_rejections_at_least():
    assert trades_report().ok


@pytest.mark.parametrize(
    "changes",
    [
        {"liquidations": 0},
        {"trades_applied": 6},
        {"trades_rejected": {"EXPIRED": 1, "OFF_TICK": 2}},
        {"trades_rejected": {"EXPIRED": 2, "MARGIN": 1}},
    ],
)
def test_wrong_counts_of_trades_fail(changes):
    assert not trades_report(**changes).ok


# The screen.


def test_a_sparkline_spans_lowest_to_highest():
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline(list(range(1_000)), 20)) == 20


def picture():
    progress = Progress(100)
    progress.enter(PHASES[2], FORGERIES[0])
    progress.minute, progress.law_ms = 50, START_MS
    progress.trades = Counter({"APPLIED": 1_234, "MARGIN": 5})
    progress.heads = Heads(1_300, 1_200, 1_100, 900, 12, 9, 1, 77)
    progress.batches = [
        SeenBatch(11, b"\xaa" * 32, 5, 40, True),
        SeenBatch(12, b"\xbb" * 32, 1, 1, False),
    ]
    progress.disputes = [
        Dispute(FORGERIES[0], 12, time.monotonic(), time.monotonic() + 1, 10**9),
        Dispute(FORGERIES[1], 13, time.monotonic()),
    ]
    return progress


def test_the_line_says_phase_progress_and_disputes():
    line = line_of(picture())
    assert "rogue operator: minted collateral" in line
    assert "minute 50/100" in line
    assert "forgeries 1 of 2 proven" in line


def test_a_line_is_written_at_each_change_of_phase_and_not_at_each_look():
    lines: list[str] = []
    view, progress = LineView(lines.append), picture()
    view(progress)
    view(progress)
    progress.enter(PHASES[3])
    view(progress)
    assert len(lines) == 2


def test_the_live_picture_shows_prices_heads_batches_and_disputes():
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    view = LiveView(console, load_markets(), 0)
    console.print(view.picture(picture(), 512.0))
    text = console.export_text()
    for shown in ("ETH-PERP", "1,300", "512 trades/s", "FORGED", "bbbbbbbbbb", "at stake"):
        assert shown in text
    assert "3 September 2017" in text
    console.file.close()


# The processes.


def test_a_child_that_ends_is_reported_with_the_end_of_its_log(tmp_path):
    with Children(tmp_path) as children:
        children.start("short", ["novatio.demo.child", "nothing"])
        with pytest.raises(ProcessFailed, match=r"expected short to run(.|\n)*expected one of"):
            wait_for_failure(children)


def test_children_are_gone_when_the_world_ends(tmp_path):
    with Children(tmp_path) as children:
        children.start("server", ["http.server", str(free_ports(1)[0]), "--bind", "127.0.0.1"])
        children.check()
        process = children._children[0].process
    assert process.poll() is not None


def wait_for_failure(children):
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        children.check()
        time.sleep(0.05)


def test_too_few_accounts_are_refused_with_the_next_command(capsys):
    assert run(accounts=3) == 2
    assert "novatio demo --accounts 16" in capsys.readouterr().err


def test_a_small_demo_holds_every_check(capsys):
    """Half a day with the worst of the crash, at about the demo's own pace, by real processes."""
    options = Options(accounts=32, first=1_700, minutes=680, seconds=24.0, limit_seconds=300.0)
    assert threading.current_thread() is threading.main_thread()
    code = play(options, "json")
    captured = capsys.readouterr()
    print(captured.err, file=sys.stderr)
    report = json.loads(captured.out)
    assert [check for check in report["checks"] if not check["holds"]] == []
    assert code == 0 and report["ok"]
    assert set(report) >= REPORTED
    assert report["forgeries_proven"] == report["forgeries_posted"] == len(FORGERIES)
