"""The node's view in the world: the real one, which a loss of power throws back."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from pathlib import Path

from node.log import Log, Record, Tail
from node.records import RecordKind
from node.shell import fold
from node.view import Put, View, open_view
from simulator.standing import check_view


class Index:
    """A view in a directory of its own; `stop` removes it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="novatio-sim-view-"))
        self._directory, self._older = self._folder / "view", self._folder / "older"
        self._view: View | None = None
        self._unindexed: deque[Record] = deque()

    def open(self, log: Log) -> None:
        """Bring the view to the end of a log that is to be served, and compare the two."""
        self._view, _ = open_view(self._directory, log, fold)
        self.check(log)

    def append(self, token: int, kind: RecordKind, payload: bytes) -> None:
        """Take a record that is on its way into the log."""
        self._unindexed.append(Record(token, kind, payload, b"", "", 0))

    def synced(self, tail: Tail) -> None:
        """Fold what became durable."""
        assert self._view is not None
        puts: list[Put] = []
        while self._unindexed and self._unindexed[0].sequence <= tail.sequence:
            puts.extend(fold(self._unindexed.popleft()))
        self._view.apply(puts, tail)

    def check(self, log: Log) -> None:
        """Compare the view with the log."""
        assert self._view is not None
        check_view(self._view.scan(), log)

    def die(self, power_loss: bool) -> None:
        """Close it; what the machine had not written is gone with the power."""
        self._unindexed.clear()
        if self._view is None:
            return
        self._view.close()
        self._view = None
        if power_loss and self._older.exists():
            shutil.rmtree(self._directory)
            shutil.copytree(self._older, self._directory)
        shutil.rmtree(self._older, ignore_errors=True)
        shutil.copytree(self._directory, self._older)

    def stop(self) -> None:
        """Leave nothing behind."""
        if self._view is not None:
            self._view.close()
        shutil.rmtree(self._folder)
