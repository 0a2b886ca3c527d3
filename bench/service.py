"""The whole service: base layer, node and challenger as processes, a client on the same cores."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from bench.load import REQUEST, Floor, Signing, trades
from bench.pipeline import FRAME
from bench.table import Row, at_least, at_most, plain, progress
from clearing.eip712 import digest, domain_separator
from clearing.keys import sign
from clearing.messages import Price, PriceObservation
from node.config import ClockSection
from novatio.client import Client
from novatio.demo.files import Layout, Pace, write_files
from novatio.demo.processes import Children, free_ports
from novatio.demo.stage import Stage
from novatio.world import MARKETS, QUORUM, World

ACCOUNTS = 64
TRADES = 8_192
CLIENTS = 3
BACKGROUND = 32  # trades a request beside the measured single ones
SINGLES = 400
PRICE_MICRO = 4_000_000
DEPOSIT_MICRO_MIN = 1_000_000_000  # whoever has less would trade beyond its margin
WAIT_SECONDS = 120.0


def rows(before: list[Row]) -> list[Row]:
    """Measure throughput and acknowledgement through gRPC; the ratio needs the pipeline's row."""
    progress("service: starting base layer, node and challenger")
    with tempfile.TemporaryDirectory() as directory:
        children = Children(Path(directory))
        try:
            stage = _open(Path(directory), children)
            try:
                return _measure(stage, before)
            finally:
                stage.close()
        finally:
            children.stop()


def _open(directory: Path, children: Children) -> Stage:
    now_ms = time.time_ns() // 1_000_000
    clock = ClockSection(origin_ms=now_ms, rate=1, started_ms=now_ms)
    world = World(seed=1, accounts=ACCOUNTS, start_ms=now_ms, block_ms=1_000)
    base, node = free_ports(2)
    layout = Layout(directory, f"127.0.0.1:{base}", f"127.0.0.1:{node}")
    write_files(layout, world, clock, Pace(rate=1, block_wall_ms=1_000), {})
    return Stage.open(world, clock, layout, children, _wait)


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {what} within {WAIT_SECONDS:.0f} s, was not so")
        time.sleep(0.1)


def _measure(stage: Stage, before: list[Row]) -> list[Row]:
    where = _floor(stage)
    progress(f"service: signing {TRADES:,} trades")
    load = trades(TRADES, Signing(0, FRAME), 1, REQUEST, where)
    progress("service: throughput")
    rate = _throughput(stage, load)
    together = _delays(stage, where, 0, rate / 2)
    stage.children.stop_one("challenger")
    apart = _delays(stage, where, 1, rate / 2)
    result = [plain("through gRPC, individually signed", rate, "trades/s")]
    for row in before:
        if row.name == "pipeline, individually signed":
            result.append(at_least("through gRPC against the pipeline", rate / row.value, "x", 0.6))
    name = "acknowledgement at half load"
    result.append(plain(f"{name}, median", statistics.median(together), "ms"))
    result.append(at_most(f"{name}, p99", _p99(together), "ms", 10))
    result.append(plain(f"{name}, no challenger beside it, p99", _p99(apart), "ms"))
    return result


def _p99(delays: list[float]) -> float:
    return sorted(delays)[int(len(delays) * 0.99) - 1]


def _floor(stage: Stage) -> Floor:
    """Publish a first price and return where the participants trade."""
    world, client = stage.world, stage.client
    for market in MARKETS:
        price = Price(
            market.instrument,
            tuple(_observation(stage, market.instrument, i) for i in range(QUORUM)),
        )
        _applied(client, [price.encode()])
    genesis = world.genesis()
    return Floor(
        keys={
            id: one.key
            for id, one in enumerate(stage.participants)
            if one.deposit_micro >= DEPOSIT_MICRO_MIN
        },
        prices_micro=(PRICE_MICRO,) * len(MARKETS),
        venue_key=world.key("venue"),
        domain=domain_separator(genesis.chain_id, genesis.settlement),
        pages=CLIENTS + 1,
    )


def _observation(stage: Stage, instrument: int, publisher: int) -> PriceObservation:
    seen = PriceObservation(PRICE_MICRO, PRICE_MICRO, stage.clock())
    genesis = stage.world.genesis()
    domain = domain_separator(genesis.chain_id, genesis.settlement)
    message = digest(domain, seen.struct_hash(instrument))
    return replace(seen, signature=sign(stage.world.key("publisher", publisher), message))


def _applied(client: Client, actions: Sequence[bytes]) -> None:
    wrong = [outcome for outcome in client.submit(actions) if outcome.code != 0]
    if wrong:
        raise RuntimeError(f"expected every action applied, {len(wrong)} were not: {wrong[0]}")


def _throughput(stage: Stage, load: list[bytes]) -> float:
    """Return trades/s of requests of 512, a few in flight."""
    requests = [load[i : i + FRAME] for i in range(0, len(load), FRAME)]
    with ThreadPoolExecutor(CLIENTS) as workers:
        list(workers.map(lambda r: _applied(stage.client, r), requests[:CLIENTS]))
        begun = time.perf_counter()
        list(workers.map(lambda r: _applied(stage.client, r), requests[CLIENTS:]))
        taken = time.perf_counter() - begun
    return sum(map(len, requests[CLIENTS:])) / taken


def _delays(stage: Stage, where: Floor, turn: int, rate: float) -> list[float]:
    """Sign a load that no turn had before, and return the delays of single trades beside it."""
    progress(f"service: signing {TRADES:,} trades")
    first = REQUEST + (1 + turn) * TRADES
    load = trades(TRADES, Signing(0, BACKGROUND), 2 + 2 * turn, first, where)
    apart = replace(where, first_page=where.pages, pages=1)
    singles = trades(SINGLES, Signing(0, 1), 3 + 2 * turn, 1 + turn * SINGLES, apart)
    progress("service: single trades at half load")
    return _acknowledgements(stage, load, singles, rate)


def _acknowledgements(
    stage: Stage, background: list[bytes], singles: list[bytes], rate: float
) -> list[float]:
    """Return ms from sending a single trade to its checked receipt, beside a steady load."""
    stop = threading.Event()

    def load() -> None:
        due = time.perf_counter()
        for i in range(0, len(background), BACKGROUND):
            if stop.is_set():
                return
            _applied(stage.client, background[i : i + BACKGROUND])
            due += BACKGROUND / rate
            time.sleep(max(0.0, due - time.perf_counter()))

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    delays = []
    for action in singles:
        if not thread.is_alive():
            break
        begun = time.perf_counter()
        _applied(stage.client, [action])
        delays.append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.002)
    stop.set()
    thread.join()
    return delays
