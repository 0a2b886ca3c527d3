"""The risk service's work: rounds of what is due, rehearsals, reports, and proposals."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from clearing.codes import Code
from novatio.client import Client, Outcome
from novatio.errors import NovatioError, RejectedByLaw
from novatio.feed import PAUSE_SECONDS, FeedConfig, MarketSection, read_keys
from novatio.feed_check import Fault, rehearse
from novatio.feed_models import ModelUnusable, load_asset, load_market
from novatio.output import render_rows
from novatio.risk_feed import Post, Publishers, RiskFeed, View, look, report_of

__all__ = ["Service", "work"]

DAY_MS: Final = 86_400_000
RETRY_SECONDS: Final = 0.5
PARTS: Final = ("prices", "rows", "scenarios")
SERIES_COLUMNS: Final = (
    "underlying",
    "series",
    "options",
    "actions",
    "bytes",
    "bytes_per_option",
    "reference_price_micro",
    "confidence_ppm",
)


@dataclass(slots=True)
class _Kept:
    """A market's section, and what its files looked like when they were last read."""

    section: MarketSection
    stamp: tuple[tuple[int, int], ...]


def _stamp(section: MarketSection) -> tuple[tuple[int, int], ...]:
    """Return time of change and size of each of the section's files; zeros for one not there."""
    found = []
    for path in map(Path, (section.bars, section.chain, section.history)):
        status = path.stat() if path.is_file() else None
        found.append((status.st_mtime_ns, status.st_size) if status else (0, 0))
    return tuple(found)


class Service:
    """The risk service against one node: rounds of what is due, and what became of them."""

    def __init__(self, client: Client, config: FeedConfig, clock: Callable[[], int]) -> None:
        """Read models and keys. Raises ModelUnusable, KeyUnusable and what the client raises."""
        self._client = client
        self._config = config.feed
        self._clock = clock
        self._due = dict.fromkeys(PARTS, 0)
        self._markets = [_Kept(section, _stamp(section)) for section in config.market]
        params = client.params()
        keys = read_keys(config.feed.keys)
        self.feed = RiskFeed(
            [load_market(section) for section in config.market],
            [load_asset(section) for section in config.asset],
            Publishers.of(keys, params, client.info().domain_separator),
        )

    def round(self, time_ms: int) -> list[Post]:
        """Return the whole of a round at a law time: prices, rows, scenarios."""
        view = look(self._client)
        return [
            *self.feed.prices(view, self._place(time_ms), time_ms),
            *self.feed.rows(view, self._place(time_ms), time_ms),
            *self.feed.scenarios(view, time_ms),
        ]

    def once(self) -> dict[str, Any]:
        """Publish a round and return its report. Raises RejectedByLaw at the first rejection."""
        time_ms = self._clock()
        posts = self.round(time_ms)
        for _, outcome in self._submit(posts):
            outcome.raise_for_rejection()
        return report_of(posts, time_ms)

    def check(self) -> tuple[dict[str, Any], list[Fault]]:
        """Return the report of a round that is not published, and what the law would reject."""
        time_ms = self._clock()
        view, place = look(self._client), self._place(time_ms)
        others = [
            *self.feed.prices(view, place, time_ms),
            *self.feed.scenarios(view, time_ms),
        ]
        posts = [*others, *self.feed.rows(view, place, time_ms)]
        # One row an action, so that a fault names its option.
        single = [*others, *self.feed.rows(view, place, time_ms, rows_max=1)]
        faults = rehearse(view, self._client.info(), single, time_ms)
        return report_of(posts, time_ms), faults

    def proposals(self) -> list[dict[str, Any]]:
        """Return the parameters that governance might change."""
        return self.feed.proposals(look(self._client))

    def serve(self, stop: threading.Event) -> dict[str, Any]:
        """Publish what is due until the bars end or `stop`; return totals.

        A market whose files change is read again; while they are unusable, nothing of it is
        published and its rows grow old, which the law answers with caution.
        """
        totals = {"rounds": 0, "actions": 0, "rejected": 0, "posted_bytes": 0}
        while not stop.is_set():
            time_ms = self._clock()
            try:
                posts = self._due_posts(time_ms)
                outcomes = self._submit(posts)
            except NovatioError as error:
                if not error.retryable:
                    raise
                # What was due stays due: prices and rows of a moment later are as good.
                print(f"feed: {error}", file=sys.stderr, flush=True)
                self._due = dict.fromkeys(PARTS, 0)
                stop.wait(RETRY_SECONDS)
                continue
            if posts:
                totals["rounds"] += 1
                totals["actions"] += len(outcomes)
                totals["rejected"] += _note_rejections(outcomes)
                totals["posted_bytes"] += sum(post.posted_bytes for post in posts)
            if self._ended(time_ms):
                break
            stop.wait(PAUSE_SECONDS)
        return totals

    def _due_posts(self, time_ms: int) -> list[Post]:
        due = [part for part in PARTS if time_ms >= self._due[part]]
        if not due:
            return []
        if self._refresh():
            due = list(PARTS)
        config, place = self._config, self._place(time_ms)
        view = look(self._client)
        posts: list[Post] = []
        if "prices" in due:
            posts += self.feed.prices(view, place, time_ms)
            self._due["prices"] = time_ms + config.bar_ms
        if "rows" in due:
            posts += self.feed.rows(view, place, time_ms)
            self._due["rows"] = time_ms + config.rows_ms
        if "scenarios" in due:
            posts += self.feed.scenarios(view, time_ms)
            self._due["scenarios"] = time_ms + DAY_MS
            self._write_proposals(view)
        return posts

    def _refresh(self) -> bool:
        """Read the markets again whose files changed; return whether any did."""
        changed = [kept for kept in self._markets if kept.stamp != _stamp(kept.section)]
        models = {model.section.underlying: model for model in self.feed.models}
        for kept in changed:
            kept.stamp = _stamp(kept.section)
            number = kept.section.underlying
            try:
                models[number] = load_market(kept.section)
            except ModelUnusable as error:
                models.pop(number, None)
                text = f"nothing is published of underlying {number}: {error}"
                print(f"feed: {text}; next: {error.next_step}", file=sys.stderr, flush=True)
        self.feed = replace(self.feed, models=list(models.values()))
        return bool(changed)

    def _write_proposals(self, view: View) -> None:
        if self._config.proposals:
            found = {row["parameter"]: row["after"] for row in self.feed.proposals(view)}
            text = json.dumps(found, indent=2)
            Path(self._config.proposals).write_text(f"{text}\n", "utf-8")

    def _submit(self, posts: Sequence[Post]) -> list[tuple[Post, Outcome]]:
        """Submit in order, in as many submissions as the node's limits ask for."""
        info = self._client.info()
        found: list[tuple[Post, Outcome]] = []
        part: list[Post] = []
        size = 0
        for post in posts:
            if part and (
                len(part) == info.actions_max or size + post.posted_bytes > info.bytes_max
            ):
                found += zip(part, self._client.submit([p.action for p in part]), strict=True)
                part, size = [], 0
            part.append(post)
            size += post.posted_bytes
        found += zip(part, self._client.submit([p.action for p in part]), strict=True)
        return found

    def _ended(self, time_ms: int) -> bool:
        config = self._config
        replays = any(model.bars is not None for model in self.feed.models)
        return replays and not config.loop and self._bars_ended(time_ms) >= config.minutes

    def _bars_ended(self, time_ms: int) -> int:
        return max(0, (time_ms - self._config.start_ms) // self._config.bar_ms)

    def _place(self, time_ms: int) -> Callable[[int], int]:
        """Return which of n bars was the last to end, back and forth in a loop."""
        ended = max(1, self._bars_ended(time_ms)) - 1

        def place(bars: int) -> int:
            if not self._config.loop:
                return min(self._config.first + ended, bars - 1)
            at = (self._config.first + ended) % (2 * bars)
            return min(at, 2 * bars - 1 - at)

        return place


def _note_rejections(outcomes: Sequence[tuple[Post, Outcome]]) -> int:
    """Say on standard error what was rejected and why; return how many."""
    rejected = [(post, outcome) for post, outcome in outcomes if not outcome.applied]
    for post, outcome in rejected:
        print(f"feed: {post.part} of {post.what}: {outcome.error()}", file=sys.stderr, flush=True)
    return len(rejected)


def _show(form: str, report: Mapping[str, Any]) -> None:
    """Print a report: all of it as JSON, the expiries as a table."""
    if form == "json":
        print(json.dumps(report))
    elif "series" in report:
        print(render_rows("series", report["series"], form, SERIES_COLUMNS))


def work(service: Service, stop: threading.Event, mode: str, form: str) -> int:
    """Do what the command was asked for, see `novatio.feed.run`; return the exit code."""
    if mode == "propose":
        rows = service.proposals()
        print(json.dumps(rows) if form == "json" else render_rows("proposals", rows, form))
        return 0
    if mode == "check":
        report, faults = service.check()
        _show(form, {**report, "faults": [_fault_record(fault) for fault in faults]})
        for fault in faults:
            print(f"feed: {_fault_text(fault)}", file=sys.stderr)
        print(f"feed: {_summary(report)}, {len(faults)} faults", file=sys.stderr)
        return RejectedByLaw.exit_code if faults else 0
    if mode == "once":
        report = service.once()
        _show(form, report)
        print(f"feed: published {_summary(report)}", file=sys.stderr)
        return 0
    totals = service.serve(stop)
    _show(form, totals)
    print(
        f"feed: {totals['rounds']} rounds, {totals['actions']} actions published, "
        f"{totals['rejected']} rejected, {totals['posted_bytes']} bytes posted",
        file=sys.stderr,
    )
    return 0


def _summary(report: Mapping[str, Any]) -> str:
    options = sum(entry["options"] for entry in report["series"])
    return (
        f"{len(report['prices'])} prices, rows of {options} options in {len(report['series'])} "
        f"expiries, {sum(part['count'] for part in report['scenarios'])} scenarios, "
        f"{report['posted_bytes']} bytes"
    )


def _fault_record(fault: Fault) -> dict[str, Any]:
    return {
        "part": fault.post.part,
        "market": fault.post.what,
        "code": fault.code.name,
        "acceptance": fault.acceptance,
        **fault.post.details,
    }


def _fault_text(fault: Fault) -> str:
    help = ""
    if fault.code == Code.ROW_BOUND and "carry_needed_ppm" in fault.post.details:
        help = (
            "; forward and discount of this expiry need a row_carry_ppm of at least "
            f"{fault.post.details['carry_needed_ppm']}"
        )
    name = f"{fault.code.name} ({fault.acceptance})"
    return f"{fault.post.part} of {fault.post.what}: the law would reject them: {name}{help}"
