"""How the demo looks while it runs: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Protocol

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from clearing.codes import Code
from novatio.demo.observer import SeenBatch
from novatio.demo.progress import PHASES, Progress
from novatio.market import Bars

__all__ = ["LineView", "LiveView", "Screen", "screen_for", "sparkline"]

BARS: Final = "▁▂▃▄▅▆▇█"
SPARK_WIDTH: Final = 48
LINE_SECONDS: Final = 4.0
RATE_SECONDS: Final = 3.0
REFRESHES_PER_SECOND: Final = 5


class Screen(Protocol):
    """Where progress is shown. A context; called with the picture a few times a second."""

    def __enter__(self) -> Screen:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""

    def __call__(self, progress: Progress) -> None:
        """Show the picture."""


def sparkline(values: Sequence[int], width: int = SPARK_WIDTH) -> str:
    """Return `width` characters, or one a value if there are fewer, from lowest to highest."""
    if not len(values):
        return ""
    places = np.linspace(0, len(values) - 1, min(width, len(values))).astype(int)
    sampled = [int(values[place]) for place in places]
    low, span = min(sampled), max(max(sampled) - min(sampled), 1)
    return "".join(BARS[(value - low) * (len(BARS) - 1) // span] for value in sampled)


class Rate:
    """Trades a second over the last few seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def of(self, seconds: float, count: int) -> float:
        """Take in a count and return the rate."""
        self._points.append((seconds, count))
        while len(self._points) > 2 and seconds - self._points[0][0] > RATE_SECONDS:
            self._points.popleft()
        first, then = self._points[0]
        return (count - then) / (seconds - first) if seconds > first else 0.0


class LineView:
    """One line on standard error, every few seconds and at each change of phase."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or (lambda text: print(text, file=sys.stderr, flush=True))
        self._last = -LINE_SECONDS
        self._shown = ("", "")

    def __enter__(self) -> LineView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to put right."""

    def __call__(self, progress: Progress) -> None:
        """Show the picture as a line, if it is time."""
        now = (progress.phase, progress.detail)
        if now == self._shown and progress.seconds - self._last < LINE_SECONDS:
            return
        self._last, self._shown = progress.seconds, now
        self._write(line_of(progress))


def line_of(progress: Progress) -> str:
    """Return the picture in one line."""
    heads = progress.heads
    proven = sum(1 for dispute in progress.disputes if dispute.proven_at)
    what = f"{progress.phase}: {progress.detail}" if progress.detail else progress.phase
    return (
        f"[{progress.seconds:5.1f} s] {what}; minute {progress.minute}/{progress.minutes}, "
        f"{progress.trades.total()} trades, {progress.liquidations} liquidations, "
        f"batch {heads.tip} ({heads.final_batch} final), forgeries {proven} of "
        f"{len(progress.disputes)} proven"
    )


class LiveView:
    """A picture that redraws itself: prices, heads, trades, batches, disputes."""

    def __init__(self, console: Console, bars: Sequence[Bars], first: int) -> None:
        """`bars` are the recorded markets; the replay begins at bar `first`."""
        self._bars = bars
        self._first = first
        self._rate = Rate()
        self._live = Live(console=console, refresh_per_second=REFRESHES_PER_SECOND, transient=True)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Draw the picture."""
        rate = self._rate.of(time.monotonic(), progress.trades.total())
        self._live.update(self.picture(progress, rate))

    def picture(self, progress: Progress, rate: float) -> RenderableType:
        """Return everything, top to bottom."""
        middle = Table.grid(expand=True, padding=(0, 1))
        middle.add_column(ratio=1)
        middle.add_column(ratio=1)
        middle.add_row(_heads(progress), _trades(progress, rate))
        middle.add_row(_batches(progress.batches), _disputes(progress))
        return Group(_phases(progress), self._prices(progress), middle)

    def _prices(self, progress: Progress) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for bars in self._bars:
            stop = self._first + max(1, min(progress.minute, progress.minutes))
            seen = bars.close[self._first : stop]
            change = (int(seen[-1]) - int(seen[0])) / int(seen[0]) * 100
            colour = "green" if change >= 0 else "red"
            table.add_row(
                Text(f"{bars.symbol}-PERP", style="bold"),
                f"{int(seen[-1]) / 1e6:,.2f}",
                Text(f"{change:+.1f} %", style=colour),
                Text(sparkline(list(seen)), style=colour),
            )
        moment = datetime.fromtimestamp(progress.law_ms / 1000, UTC)
        title = f"prices, {moment:%-d %B %Y %H:%M} UTC" if progress.law_ms else "prices"
        return Panel(table, title=title, title_align="left", border_style="dim")


def _phases(progress: Progress) -> RenderableType:
    line = Text()
    for phase in PHASES:
        done = PHASES.index(phase) < PHASES.index(progress.phase)
        now = phase == progress.phase
        mark = "✔" if done else "▶" if now else "·"
        line.append(f" {mark} {phase} ", style="bold cyan" if now else "green" if done else "dim")
    line.append(f"  {progress.seconds:.0f} s", style="dim")
    bar = ProgressBar(total=progress.minutes, completed=min(progress.minute, progress.minutes))
    # A bar by itself ends no line.
    return Group(line, Text(f"   {progress.detail}", style="dim"), Padding(bar, 0))


def _heads(progress: Progress) -> RenderableType:
    heads = progress.heads
    table = Table.grid(padding=(0, 2))
    for name in ("sequenced", "posted", "safe", "finalised"):
        table.add_row(name, Text(f"{getattr(heads, name):>8,}", style="bold"))
    table.add_row("base layer", f"block {heads.block}, generation {heads.generation}")
    return Panel(table, title="heads, in actions", title_align="left", border_style="dim")


def _trades(progress: Progress, rate: float) -> RenderableType:
    applied = progress.trades[Code.APPLIED.name]
    rejected = progress.trades.total() - applied
    table = Table.grid(padding=(0, 2))
    table.add_row("applied", Text(f"{applied:>8,}", style="bold"), f"{rate:,.0f} trades/s")
    table.add_row("rejected", f"{rejected:>8,}", _top(progress))
    table.add_row("liquidations", Text(f"{progress.liquidations:>8,}", style="bold yellow"), "")
    return Panel(table, title="trades", title_align="left", border_style="dim")


def _top(progress: Progress) -> str:
    codes = [(name, n) for name, n in progress.trades.most_common() if name != Code.APPLIED.name]
    return ", ".join(f"{name} {count}" for name, count in codes[:2])


def _batches(batches: Sequence[SeenBatch]) -> RenderableType:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("batch", "steps", "actions", "id", "replica says"):
        table.add_column(name)
    for seen in reversed(batches):
        if seen.honest:
            verdict = Text("valid", style="green")
        else:
            verdict = Text("reverted" if seen.reverted else "FORGED", style="bold red")
        table.add_row(
            str(seen.number), str(seen.steps), str(seen.actions), seen.batch_id.hex()[:10], verdict
        )
    return Panel(table, title="batches", title_align="left", border_style="dim")


def _disputes(progress: Progress) -> RenderableType:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("forged", "batch", "stood", "bond"):
        table.add_column(name)
    for dispute in progress.disputes:
        slashed = f"{dispute.slashed:,} gwei lost" if dispute.proven_at else "at stake"
        style = "green" if dispute.proven_at else "bold red"
        table.add_row(
            Text(dispute.forgery, style=style),
            str(dispute.number),
            f"{dispute.seconds:.1f} s",
            slashed,
        )
    return Panel(table, title="disputes", title_align="left", border_style="dim")


def screen_for(console: Console, bars: Sequence[Bars], first: int) -> Screen:
    """Return the live picture if `console` is a terminal, else lines."""
    return LiveView(console, bars, first) if console.is_terminal else LineView()
