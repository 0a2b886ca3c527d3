"""Fraud proofs of a full step, and a challenger's replay against the node's production."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from bench.load import PRICE_MICRO, TIME_MS, TRADERS, Signing, genesis, populated, trades
from bench.pipeline import FRAME, frames_of, run_pipeline
from bench.table import Row, at_least, at_most, plain, progress, seconds_of
from clearing.codes import Kind
from clearing.forms import CONTEXT, ROW_STRIDE, ROWS_PER_ACTION
from clearing.messages import encode_step
from clearing.requests import NO_SIGNATURE, Request
from prover.engine import Engine
from prover.forge import BatchForge, Place, Posting, mint
from prover.replica import Replica, Verdict
from prover.witness import build_evidence
from verifier.evidence import check_bad_step

POSITIONS = 12
FULL_STEP = 8
BULK_DEPTH = 8  # an order's path in its owner's tree
QUORUM = 3  # publishers who sign risk rows
PAIR_BYTES = 64  # step hash and post root


def place(parent: bytes = bytes(32)) -> Place:
    """Return some place on a base layer; neither the evidence check nor a replica asks more."""
    return Place(0, 1, parent, 1, bytes(32), bytes(20))


def rows() -> list[Row]:
    """Measure proof building, checking and size, what is posted, and replay."""
    return [*proof_rows(), *posting_rows(), *replay_rows()]


def proof_rows() -> list[Row]:
    """Forge a full step of eight trades between sixteen accounts, and prove it wrong."""
    progress(f"fraud proof of a full step, {POSITIONS} positions an account")
    engine = populated(100_000, POSITIONS)
    actions = distinct_step()
    before = populated(100_000, POSITIONS)
    forge = BatchForge(engine)
    codes = forge.forged(actions, TIME_MS + 1, mutate=mint(0, PRICE_MICRO))
    if codes.any():
        raise RuntimeError(f"expected eight applied trades, was {codes.tolist()}")
    posting = forge.finish(place())
    pairs, step = forge.pairs, forge.steps[0].encode()
    evidence = build_evidence(before, posting.header, pairs, 0, step).encode()

    def build() -> None:
        build_evidence(before, posting.header, pairs, 0, step).encode()

    def check() -> None:
        if not check_bad_step(posting.header, evidence):
            raise RuntimeError("expected fraud to be found")

    return [
        at_most("fraud proof of a full step: build", seconds_of(build, 9) * 1e3, "ms", 50),
        at_most("fraud proof of a full step: verify", seconds_of(check, 9) * 1e3, "ms", 10),
        at_most("fraud proof of a full step: size", len(evidence) / 1024, "KiB", 32),
    ]


def posting_rows() -> list[Row]:
    """Count what a full step of trades, or of risk rows, adds to a batch's data."""
    payload = [0] * (CONTEXT + ROWS_PER_ACTION * ROW_STRIDE)
    update = Request.of(
        Kind.RISK_ROWS,
        payload=payload,
        signatures=(NO_SIGNATURE,) * QUORUM,
        underlying=0,
        series=0,
        time=TIME_MS,
        price=PRICE_MICRO,
        forward=PRICE_MICRO,
        discount_nano=10**9,
    ).encode()
    # So many that every trader's tree is full.
    signed = trades(TRADERS << BULK_DEPTH - 1, Signing(BULK_DEPTH, FRAME))[:FULL_STEP]
    bulk = posted_bytes(signed) / FULL_STEP
    updates = posted_bytes([update] * FULL_STEP) / (FULL_STEP * ROWS_PER_ACTION)
    return [
        at_most("posted for a trade", posted_bytes(distinct_step()) / FULL_STEP, "B", 400),
        plain(f"posted for a trade signed by trees of {1 << BULK_DEPTH} orders", bulk, "B"),
        at_most("posted for a risk row", updates, "B", 330),
    ]


def posted_bytes(actions: list[bytes]) -> int:
    """Return how much longer one step of these actions makes a batch's data."""
    return len(encode_step(TIME_MS, actions)) + PAIR_BYTES


def distinct_step() -> list[bytes]:
    """Return eight individually signed trades between sixteen different accounts."""
    chosen: list[bytes] = []
    seen: set[bytes] = set()
    for action in trades(256, Signing(0, 1)):
        maker, taker = action[50:58], action[97:105]
        if not {maker, taker} & seen:
            seen |= {maker, taker}
            chosen.append(action)
        if len(chosen) == FULL_STEP:
            return chosen
    raise RuntimeError("expected eight trades between distinct accounts")


def replay_rows(count: int = 8_192) -> list[Row]:
    """Judge what was posted, signatures and all, on two threads, against producing it."""
    progress("challenger's replay against the node's production")
    ratios = []
    with ThreadPoolExecutor(2) as workers:
        for seed in (1, 2, 3):
            encoded = trades(count, Signing(0, FRAME), seed)
            produced, _ = run_pipeline(populated(10_000, 5), frames_of(encoded))
            challenger = Replica(genesis(), executor=workers)
            posting = post(populated(10_000, 5), encoded, challenger.batch_id)
            challenger.engine = populated(10_000, 5)
            begun = time.perf_counter()
            judgement = challenger.judge(posting.header, posting.data)
            ratios.append(produced / (time.perf_counter() - begun))
            if judgement.verdict is not Verdict.VALID:
                raise RuntimeError(f"expected a valid batch, was {judgement}")
    ratio = statistics.median(ratios[1:])
    return [at_least("challenger's replay against production", ratio, "x", 1)]


def post(engine: Engine, encoded: list[bytes], parent: bytes) -> Posting:
    """Return the batch of these trades, on a parent."""
    forge = BatchForge(engine)
    for start in range(0, len(encoded), FRAME):
        forge.honest(encoded[start : start + FRAME], TIME_MS + start // FRAME)
    return forge.finish(place(parent))
