"""The whole pipeline against its physical limit, the raw recovery of signatures.

Decode, recover, write-ahead log with one sync a frame, law, leaves, trees, step roots, batch
data. Two worker threads decode and recover frames; one thread logs and applies them in order.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import numpy as np

from bench.load import TIME_MS, Signing, populated, trades
from bench.table import Row, at_least, plain, progress
from clearing.codes import Code
from clearing.decode import Columns, pack, recover_signers
from clearing.recovery import recover_rows_threaded
from node.batcher import encode_steps
from node.disk import OsDisk
from node.log import Log
from node.records import FrameRecord, RecordKind
from prover.engine import Engine, Steps
from prover.signer_cache import SignerCache

FRAME = 512
WORKERS = 2
ROUNDS = 4  # the first is not counted


def frames_of(encoded: list[bytes]) -> list[tuple[Any, Any]]:
    """Return (blob, offsets) of each frame."""
    return [pack(encoded[i : i + FRAME]) for i in range(0, len(encoded), FRAME)]


def run_pipeline(engine: Engine, frames: list[tuple[Any, Any]]) -> tuple[float, int]:
    """Run every frame through the house; return (seconds, trades applied)."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(WORKERS) as workers:
        log = Log.open(OsDisk(directory))
        waiting: deque[Future[tuple[FrameRecord, Columns]]] = deque()
        applied = sent = 0
        signers = SignerCache()
        data: list[Future[bytes]] = []
        begun = time.perf_counter()
        while sent < len(frames) or waiting:
            while sent < len(frames) and len(waiting) < 2 * WORKERS:
                waiting.append(workers.submit(_prepare, engine, sent, frames[sent], signers))
                sent += 1
            record, columns = waiting.popleft().result()
            log.append(RecordKind.FRAME, record.encode())
            syncing = workers.submit(log.sync)
            steps = engine.advance(columns, record.time_ms)
            applied += int((steps.codes == Code.APPLIED).sum())
            data.append(workers.submit(_batch_part, record, steps))
            syncing.result()
        b"".join(part.result() for part in data)
        taken = time.perf_counter() - begun
        log.close()
    return taken, applied


def _prepare(
    engine: Engine, place: int, frame: tuple[Any, Any], signers: SignerCache
) -> tuple[FrameRecord, Columns]:
    blob, offsets = frame
    columns = engine.decode(blob, offsets)
    recover_signers(columns, cache=signers)
    record = FrameRecord(
        time_ms=TIME_MS + place,
        generation=0,
        sequence_before=place * FRAME,
        inbox_count=0,
        lengths=np.diff(offsets),
        signers=columns.signers,
        blob=blob.tobytes(),
    )
    return record, columns


def _batch_part(record: FrameRecord, steps: Steps) -> bytes:
    """Return what the frame adds to its batch's data: pairs, then steps."""
    pairs = np.concatenate([steps.step_hashes, steps.post_roots], axis=1)
    counts = np.diff(steps.firsts).astype(np.uint8)
    return pairs.astype(">i8").tobytes() + encode_steps(record, counts)


def raw_recover_rate(columns: Columns) -> float:
    """Return trades/s if recovering two signatures a trade were the only work, on two threads."""
    rows = np.arange(columns.signature_count) % 3 != 2
    signatures = np.ascontiguousarray(columns.signatures[rows])
    digests = np.ascontiguousarray(columns.digests[rows])
    count = signatures.shape[0]
    signers = np.zeros((count, 4), np.int64)
    with ThreadPoolExecutor(WORKERS) as workers:
        begun = time.perf_counter()
        recover_rows_threaded(signatures, digests, count, signers, cast(Any, workers), WORKERS)
        taken = time.perf_counter() - begun
    return float(count / 2 / taken)


def rows(accounts: int, positions: int, count: int) -> list[Row]:
    """Measure both pipelines; every ratio pairs runs that stood beside each other."""
    progress(f"state of {accounts:,} accounts with {positions} positions")
    engine = populated(accounts, positions)
    progress(f"signing {2 * ROUNDS * count:,} orders one by one")
    single = [
        frames_of(trades(count, Signing(0, FRAME), seed, 1 + seed * count))
        for seed in range(ROUNDS)
    ]
    progress("signing orders by trees of 256")
    bulk_count = 4 * count
    bulk = [
        frames_of(trades(bulk_count, Signing(8, FRAME), seed, 1 + (ROUNDS + seed * 4) * count))
        for seed in range(ROUNDS)
    ]
    warm_columns = engine.decode(*single[0][0])
    raw_recover_rate(warm_columns)
    ratios, rates, recover_rates = [], [], []
    for frames in single:
        progress("pipeline, individually signed")
        sample = engine.decode(*pack(_actions_of(frames)))
        recover_rate = raw_recover_rate(sample)
        taken, applied = run_pipeline(engine, frames)
        _require_applied(applied, count)
        rates.append(count / taken)
        recover_rates.append(recover_rate)
        ratios.append(count / taken / recover_rate)
    bulk_rates = []
    for frames in bulk:
        progress("pipeline, bulk-signed")
        taken, applied = run_pipeline(engine, frames)
        _require_applied(applied, bulk_count)
        bulk_rates.append(bulk_count / taken)
    rate, bulk_rate = statistics.median(rates[1:]), statistics.median(bulk_rates[1:])
    return [
        plain(
            "raw recovery, two signatures a trade", statistics.median(recover_rates[1:]), "trades/s"
        ),
        plain("pipeline, individually signed", rate, "trades/s"),
        at_least("pipeline against raw recovery", statistics.median(ratios[1:]), "x", 0.85),
        at_least("pipeline, bulk-signed", bulk_rate, "trades/s", 100_000),
        at_least("bulk-signed against individually signed", bulk_rate / rate, "x", 5),
    ]


def _actions_of(frames: list[tuple[Any, Any]]) -> list[bytes]:
    return [
        blob[offsets[k] : offsets[k + 1]].tobytes()
        for blob, offsets in frames
        for k in range(offsets.shape[0] - 1)
    ]


def _require_applied(applied: int, expected: int) -> None:
    # A load that the law rejects would be fast and mean nothing.
    if applied != expected:
        raise RuntimeError(f"expected {expected} trades applied, was {applied}")
