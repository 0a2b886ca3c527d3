"""An idle house keeps step with the base layer by itself, and nothing else is changed by that."""

from dataclasses import replace

import pytest

from clearing.genesis import Genesis
from node.events import GenerationMoved, Stopping, Tick
from node.replay import recover
from node.runner import BEATS_PER_OPEN_LAG
from node.sequencer import Sequencer
from prover.replica import Replica, Verdict
from tests.node.scenario import (
    ALICE_KEY,
    LIMITS,
    START_MS,
    Shell,
    genesis,
    price,
    trade,
)
from tests.node.test_poster import COURT, POLICY, Setting
from verifier.base.transactions import Freeze, OpenPosting
from verifier.errors import CourtError
from verifier.header import Header

BEATING = replace(POLICY, interval_ms=2_000, beat_ms=COURT.open_lag_ms // BEATS_PER_OPEN_LAG)


def idle(setting: Setting, milliseconds: int) -> int:
    """Let so much time pass without traffic, a block a second; return the largest lag seen."""
    largest = 0
    for _ in range(milliseconds // COURT.block_time_ms):
        setting.shell.now_ms += COURT.block_time_ms
        known = len(setting.shell.seals)
        setting.shell.send(Tick())
        for seal in setting.shell.seals[known:]:
            setting.poster.add(seal)
        setting.chain.mine()
        setting.step()
        largest = max(largest, setting.base.standing().lag_ms)
    return largest


def refusal(setting: Setting, body):
    name = setting.send(ALICE_KEY, body)
    setting.chain.mine()
    receipt = setting.base.receipt(name)
    assert receipt is not None
    return receipt.error


def test_a_house_without_traffic_for_longer_than_the_limits_is_never_open_to_be_opened():
    setting = Setting(policy=BEATING)
    largest = idle(setting, COURT.freeze_lag_ms + COURT.open_lag_ms)
    assert COURT.open_lag_ms // BEATS_PER_OPEN_LAG < largest < COURT.open_lag_ms // 2
    assert refusal(setting, OpenPosting()) == CourtError.NOT_LAGGING
    assert refusal(setting, Freeze()) == CourtError.NOT_LAGGING
    assert setting.poster.failed == 0 and setting.base.heads().generation == 0
    # One batch a beat: keeping step costs no more than it must.
    beats = (COURT.freeze_lag_ms + COURT.open_lag_ms) // BEATING.beat_ms
    assert beats - 2 <= setting.base.heads().tip_number <= beats + 1


def test_without_a_heartbeat_the_same_house_could_be_opened_and_frozen():
    setting = Setting(policy=replace(BEATING, beat_ms=0))
    assert idle(setting, COURT.freeze_lag_ms + COURT.open_lag_ms) > COURT.freeze_lag_ms
    assert refusal(setting, Freeze()) is None


def test_a_house_with_traffic_has_no_beats():
    shell = Shell(policy=BEATING)
    shell.fund()
    for second in range(1, 90):
        shell.now_ms = START_MS + second * 1_000
        if second % 20 == 0:
            shell.submit(second, price(shell.now_ms))
        shell.send(Tick())
    assert all(publish.frame.count for publish in shell.published)


def test_a_beat_moves_the_clock_and_no_receipt_is_touched_by_it():
    shell = Shell(policy=BEATING)
    shell.fund()
    before, accumulator = shell.engine.root(), shell.published[-1].outcome.accumulator
    shell.now_ms += BEATING.beat_ms
    shell.send(Tick())
    shell.send(Tick())
    [beat] = [publish for publish in shell.published if not publish.frame.count]
    assert beat.frame.time_ms == shell.sequencer.clock_ms == shell.now_ms
    assert beat.outcome.step_counts.tolist() == [0] and shell.engine.root() != before
    assert beat.outcome.sequence == 1 and beat.outcome.accumulator == accumulator
    shell.send(Tick())
    assert len(shell.published) == 3
    assert shell.submit(1, trade(1)).codes.tolist() == [0]


@pytest.mark.parametrize(
    "event",
    [GenerationMoved(1, "another posts", away=True), Stopping()],
)
def test_who_posts_no_more_carries_nothing_on(event):
    shell = Shell(policy=BEATING)
    shell.send(event)
    shell.now_ms += 10 * BEATING.beat_ms
    shell.send(Tick())
    assert not shell.published


def test_while_the_house_is_offered_its_clock_goes_on():
    shell = Shell(policy=BEATING)
    shell.send(GenerationMoved(0, "handed over"))
    shell.now_ms += BEATING.beat_ms
    shell.send(Tick())
    assert [publish.frame.count for publish in shell.published] == [0]


def test_a_log_with_beats_replays_to_the_same_state_and_every_batch_is_valid():
    setting = Setting(policy=BEATING)
    idle(setting, 2 * COURT.open_lag_ms)
    recovered = recover(setting.shell.log, genesis(), LIMITS, BEATING, lambda *promise: bytes(65))
    assert isinstance(recovered.sequencer, Sequencer)
    assert recovered.sequencer.engine.root() == setting.shell.engine.root()
    assert recovered.sequencer.clock_ms == setting.shell.sequencer.clock_ms
    verdicts = judged(setting, genesis())
    assert len(verdicts) >= 4 and set(verdicts) == {Verdict.VALID}


def judged(setting: Setting, declared: Genesis) -> list[Verdict]:
    """Return what a replica says of every posted batch."""
    replica = Replica(declared)
    verdicts = []
    for view in setting.base.batches(1, 100):
        data = setting.base.batch_data(view.record.batch_id)
        verdicts.append(replica.judge(Header.decode(view.record.header), data).verdict)
    return verdicts
