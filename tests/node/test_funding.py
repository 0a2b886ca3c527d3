"""Funding comes again and again as the same bytes: it must be sequenced anew each time."""

import numpy as np

from clearing.codes import Code, Kind
from clearing.messages import Funding
from clearing.requests import Request
from tests.node.scenario import Shell, price

HOUR_MS = 3_600_000


def test_funding_is_applied_every_interval_though_its_bytes_never_change():
    shell = Shell()
    shell.fund()
    funding = Funding(0).encode()
    sequences = []
    for hour in range(1, 4):
        early = shell.submit(10 * hour, funding)
        assert early.codes.tolist() == [Code.FUNDING_EARLY]
        shell.now_ms += HOUR_MS
        due = shell.submit(10 * hour + 1, price(shell.now_ms), funding)
        assert due.codes.tolist() == [Code.APPLIED, Code.APPLIED]
        assert not due.repeats.size
        sequences += [*early.sequences.tolist(), *due.sequences.tolist()]
    assert sequences == sorted(set(sequences))

    again = Shell(shell.disk)
    assert again.engine.root() == shell.engine.root()
    assert again.sequencer.duplicates.count == shell.sequencer.duplicates.count
    assert (
        again.sequencer.duplicates.codes(np.array(sequences)).tolist()
        == [Code.FUNDING_EARLY, 0, 0] * 3
    )


def test_one_request_may_hold_the_same_funding_twice_and_gets_an_answer_for_each():
    shell = Shell()
    shell.fund()
    shell.now_ms += HOUR_MS
    reply = shell.submit(1, price(shell.now_ms), Funding(0).encode(), Funding(0).encode())
    assert reply.codes.tolist() == [Code.APPLIED, Code.APPLIED, Code.FUNDING_EARLY]
    assert len(set(reply.sequences.tolist())) == 3


def test_what_nobody_signs_is_judged_anew_each_time_and_not_as_a_repeat():
    shell = Shell()
    shell.fund()
    early = Request.of(Kind.ENACT, payload=(1,)).encode()
    replies = [shell.submit(1 + i, early) for i in range(2)]
    assert [reply.codes.tolist() for reply in replies] == [[Code.TIMELOCK]] * 2
    assert not any(reply.repeats.size for reply in replies)
    assert replies[0].sequences[0] < replies[1].sequences[0]
