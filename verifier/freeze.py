"""Posting for everyone and the freeze: what becomes of a house whose operator falls silent.

Lag is the base layer's time less the tip's clock. An inbox message that waits longer than the
forced delay holds the clock back (no later one may be posted before it is consumed), so the one
number also tells how overdue the oldest message is, and never less.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from verifier.config import CourtConfig
from verifier.errors import CourtError, require
from verifier.host.storage import Cell, UndoLog


class Mode(IntEnum):
    """Who may post."""

    SEQUENCER = 1
    OPEN = 2  # everyone
    FROZEN = 3  # nobody, for ever


class Standing(NamedTuple):
    """Who runs the house, how late its clock is, what may happen when, and under which law.

    Times are ms of the base layer. From `opens_ms` on anyone may open posting, from `freezes_ms`
    on freeze the house. `waiting_index` is the oldest message that the tip has not consumed (the
    number of messages if there is none), `waiting_ms` when it came (0). The next batch is judged by
    `law_version`; `next_law_version` (0: none) holds from batch `next_law_number` on, which cannot
    be posted before `next_law_ms`. The blocks of the exit are 0 until it begins; `successor` may
    accept from `accepts_block` on (0 without one).
    """

    mode: Mode
    operator: bytes
    sequencer: bytes
    successor: bytes
    clock_ms: int
    lag_ms: int
    opens_ms: int
    freezes_ms: int
    waiting_index: int
    waiting_ms: int
    law_version: int
    next_law_version: int
    next_law_number: int
    next_law_ms: int
    claims_close_block: int
    exit_ends_block: int
    accepts_block: int


class Emergency:
    """The mode, and when it may change. Every change of it begins a new generation."""

    def __init__(self, log: UndoLog, config: CourtConfig) -> None:
        self._config = config
        self._mode: Cell[Mode] = Cell(log, Mode.SEQUENCER)

    @property
    def mode(self) -> Mode:
        """Who may post."""
        return self._mode.value

    def check_not_frozen(self) -> None:
        """Raise Refused(FROZEN) after the freeze."""
        require(self.mode != Mode.FROZEN, CourtError.FROZEN)

    def open(self, lag_ms: int) -> None:
        """Let everyone post. Raises Refused(FROZEN, POSTING_MODE or NOT_LAGGING)."""
        self.check_not_frozen()
        self._expect(Mode.SEQUENCER)
        _check_lag(lag_ms, self._config.open_lag_ms)
        self._mode.value = Mode.OPEN

    def close(self, lag_ms: int) -> None:
        """Let the sequencer alone post again.

        Raises Refused(FROZEN, POSTING_MODE or STILL_LAGGING).
        """
        self.check_not_frozen()
        self._expect(Mode.OPEN)
        most = self._config.open_lag_ms
        require(lag_ms <= most, CourtError.STILL_LAGGING, most, lag_ms)
        self._mode.value = Mode.SEQUENCER

    def freeze(self, lag_ms: int) -> None:
        """End all posting. Raises Refused(FROZEN or NOT_LAGGING)."""
        self.check_not_frozen()
        _check_lag(lag_ms, self._config.freeze_lag_ms)
        self._mode.value = Mode.FROZEN

    def check_frozen(self) -> None:
        """Raise Refused(NOT_FROZEN) before the freeze."""
        require(self.mode == Mode.FROZEN, CourtError.NOT_FROZEN, self.mode.name)

    def _expect(self, mode: Mode) -> None:
        require(self.mode == mode, CourtError.POSTING_MODE, mode.name, self.mode.name)


def _check_lag(lag_ms: int, lag_min_ms: int) -> None:
    early = lag_min_ms + 1 - lag_ms
    require(lag_ms > lag_min_ms, CourtError.NOT_LAGGING, lag_min_ms, lag_ms, early)
