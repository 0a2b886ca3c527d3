"""The feed: publishers that sign what models of the markets say, at the pace of the law's clock.

Without a `[[market]]` in its configuration it replays recorded bars. Each bar becomes one price
action an instrument, signed by every publisher: the mark is the close and the index the mean of
the bar's four prices, each with a little noise of its own. Once an hour it asks for funding.

With `[[market]]` sections it is the risk service of those underlyings: it publishes prices, risk
rows of every listed option and joint scenarios, and proposes parameters; see
`novatio.feed_service`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta

from clearing import eip712
from clearing.keys import sign
from clearing.messages import Funding, Price, PriceObservation
from clearing.units import PPM
from node.clock import law_clock
from node.config import ClockSection, load
from node.reach import stop_on_signals
from novatio.client import Client
from novatio.errors import KeyUnusable, NovatioError, Overloaded, Unavailable
from novatio.market import Bars
from novatio.orders import Market
from novatio.world import (
    HOUR_MS,
    MARKETS,
    MINUTE_MS,
    deadline_seconds,
    load_markets,
    lot_prices,
)

__all__ = ["AssetSection", "FeedConfig", "FeedSection", "MarketSection", "price_action", "run"]

NOISE_PPM: Final = 40
PAUSE_SECONDS: Final = 0.03
DEADLINE_SECONDS: Final = 30.0
MINUTES_PER_SUBMISSION: Final = 60
# The law wants a full interval between two fundings, so that each is asked for a little late.
FUNDING_EVERY_MS: Final = HOUR_MS
FUNDING_LATE_MS: Final = 5 * MINUTE_MS
KEY_BYTES: Final = 32
MODES: Final = ("serve", "once", "check", "propose")


class FeedSection(msgspec.Struct, frozen=True, kw_only=True):
    """What is published where."""

    node: Annotated[str, Meta(description="host:port of the node")] = "127.0.0.1:7400"
    keys: Annotated[str, Meta(description="file with one publisher's key a line")] = "feed.keys"
    start_ms: Annotated[int, Meta(description="law time at which the first bar begins", ge=0)] = 0
    first: Annotated[int, Meta(description="first bar", ge=0, lt=2880)] = 0
    minutes: Annotated[int, Meta(description="bars to replay", ge=1, le=2880)] = 2880
    bar_ms: Annotated[int, Meta(description="law ms that a bar takes", ge=1)] = MINUTE_MS
    loop: Annotated[bool, Meta(description="begin again at the end, back and forth")] = False
    seed: Annotated[int, Meta(description="seed of the publishers' noise", ge=0)] = 1
    rows_ms: Annotated[int, Meta(description="law ms between two sets of risk rows", ge=1)] = 30_000
    proposals: Annotated[
        str, Meta(description="file of proposals for governance, written daily; empty: none")
    ] = ""


Part = Annotated[int, Meta(ge=0, le=PPM)]


class MarketSection(msgspec.Struct, frozen=True, kw_only=True):
    """One underlying: what its prices and volatilities are read from."""

    underlying: Annotated[int, Meta(description="underlying's number", ge=0)]
    bars: Annotated[str, Meta(description="CSV file of bars to replay, or BTC or ETH")] = ""
    chain: Annotated[str, Meta(description="CSV file of an option chain")] = ""
    strict: Annotated[bool, Meta(description="refuse a chain with any unusable row")] = True
    history: Annotated[str, Meta(description="CSV file of daily bars, for scenarios")] = ""
    volatility_ppm: Annotated[
        int, Meta(description="volatility a year without a chain; 0: the history's", ge=0)
    ] = 0
    rate_ppm: Annotated[
        Part, Meta(description="by how much a year interest may be wrong, for discounts")
    ] = 0
    confidence_ppm: Annotated[Part, Meta(description="most confidence in the rows")] = PPM


class AssetSection(msgspec.Struct, frozen=True, kw_only=True):
    """One collateral asset: its price in the settlement asset."""

    asset: Annotated[int, Meta(description="asset's number", ge=1)]
    price_micro: Annotated[int, Meta(description="micro-quote of one unit", ge=0)] = 0
    bars: Annotated[str, Meta(description="CSV file of bars to replay, or BTC or ETH")] = ""


class FeedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The feed's configuration."""

    feed: FeedSection = FeedSection()
    clock: ClockSection = ClockSection()
    market: tuple[MarketSection, ...] = ()
    asset: tuple[AssetSection, ...] = ()


def price_action(
    market: Market,
    index_price: int,
    mark_price: int,
    time_ms: int,
    keys: Sequence[bytes],
    domain: bytes,
    seed: int,
) -> Price:
    """Return one price action, each publisher's prices (micro-quote per lot) with its own noise."""
    rng = np.random.default_rng([seed, market.instrument, time_ms])
    noise = rng.integers(-NOISE_PPM, NOISE_PPM + 1, (len(keys), 2))
    observations = []
    for key, (index_ppm, mark_ppm) in zip(keys, noise, strict=True):
        bare = PriceObservation(
            index_price + index_price * int(index_ppm) // PPM,
            mark_price + mark_price * int(mark_ppm) // PPM,
            time_ms,
        )
        digest = eip712.digest(domain, bare.struct_hash(market.instrument))
        observations.append(replace(bare, signature=sign(key, digest)))
    return Price(market.instrument, tuple(observations))


class Replay:
    """The actions of each bar. Bars are numbered from 0, and in a loop run back and forth."""

    def __init__(
        self, config: FeedSection, bars: Sequence[Bars], keys: Sequence[bytes], domain: bytes
    ) -> None:
        self._config = config
        self._keys = keys
        self._domain = domain
        window = slice(config.first, config.first + config.minutes)
        self._prices = []
        for market, bar in zip(MARKETS, bars, strict=True):
            mean = (bar.open + bar.high + bar.low + bar.close) // 4
            self._prices.append(
                (lot_prices(market, mean[window]), lot_prices(market, bar.close[window]))
            )
        self.bars = len(self._prices[0][0])

    def due(self, law_ms: int) -> int:
        """Return how many bars have ended at the law's time."""
        ended = max(0, (law_ms - self._config.start_ms) // self._config.bar_ms)
        return ended if self._config.loop else min(ended, self.bars)

    def actions(self, minute: int) -> Iterator[bytes]:
        """Yield the encoded actions that the end of a bar calls for."""
        place = minute % (2 * self.bars)
        place = min(place, 2 * self.bars - 1 - place)
        elapsed_ms = (minute + 1) * self._config.bar_ms
        time_ms = self._config.start_ms + elapsed_ms
        hours, rest = divmod(elapsed_ms - FUNDING_LATE_MS, FUNDING_EVERY_MS)
        funding_due = hours > 0 and rest < self._config.bar_ms
        for market, (index, mark) in zip(MARKETS, self._prices, strict=True):
            yield price_action(
                market,
                int(index[place]),
                int(mark[place]),
                time_ms,
                self._keys,
                self._domain,
                self._config.seed,
            ).encode()
            if funding_due:
                yield Funding(market.instrument).encode()


def follow(client: Client, replay: Replay, clock: Callable[[], int], stop: threading.Event) -> int:
    """Submit every bar as it ends, in order, until the last or `stop`; return how many."""
    done = 0
    while not stop.is_set() and (replay.due(clock()) > done or done < replay.bars):
        due = min(replay.due(clock()), done + MINUTES_PER_SUBMISSION)
        if due == done:
            stop.wait(PAUSE_SECONDS)
            continue
        actions = [action for minute in range(done, due) for action in replay.actions(minute)]
        _submit(client, actions, stop)
        done = due
    return done


def _submit(client: Client, actions: Sequence[bytes], stop: threading.Event) -> None:
    """Submit until the node takes it: the same bytes may be sent again and again."""
    while not stop.is_set():
        try:
            client.submit(actions)
            return
        except (Overloaded, Unavailable) as error:
            print(f"feed: {error}", file=sys.stderr, flush=True)
            stop.wait(PAUSE_SECONDS)


def read_keys(path: str | os.PathLike[str]) -> list[bytes]:
    """Return the keys of a file with 64 hex digits a line. Raises KeyUnusable naming the line."""
    try:
        lines = Path(path).read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(
            f"{path}: expected a file of publishers' keys, was: {error}",
            next_step="name it as feed.keys: 64 hex digits a line",
        ) from error
    keys = []
    for number, line in enumerate(lines, 1):
        try:
            key = bytes.fromhex(line.removeprefix("0x"))
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyUnusable(
                f"{path}, key {number}: expected 64 hex digits, was {len(line)} characters",
                next_step="put one publisher's key a line",
            )
        keys.append(key)
    return keys


def run(
    config: str | os.PathLike[str] | None = None,
    flags: Mapping[str, Any] | None = None,
    mode: str = "serve",
    form: str = "table",
) -> int:
    """Run the feed of a TOML file and flags (`section.key`) until its end; return the exit code.

    Args:
        mode: "serve", or with `[[market]]` sections: "once" publishes one round, "check" rehearses
            one, "propose" prints proposed parameters.
        form: how reports are printed, one of novatio.output.FORMATS.
    """
    assert mode in MODES
    loaded = load(FeedConfig, config, flags=flags).config
    stop = stop_on_signals() if mode == "serve" else threading.Event()
    deadline = deadline_seconds(loaded.clock, DEADLINE_SECONDS)
    try:
        with Client(loaded.feed.node, deadline=deadline) as client:
            if loaded.market or mode != "serve":
                # The models are slow to import, and nobody else needs them.
                from novatio.feed_service import Service, work

                service = Service(client, loaded, law_clock(loaded.clock))
                return work(service, stop, mode, form)
            domain = client.info().domain_separator
            keys = read_keys(loaded.feed.keys)
            replay = Replay(loaded.feed, load_markets(), keys, domain)
            done = follow(client, replay, law_clock(loaded.clock), stop)
    except NovatioError as error:
        print(f"feed: {error}; next: {error.next_step}", file=sys.stderr)
        return error.exit_code
    print(f"feed: {done} bars published", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
