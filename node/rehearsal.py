"""A world too small to matter, run once, so that every kernel is compiled before anyone waits."""

from __future__ import annotations

import numpy as np

from clearing.compiler import warm_lock
from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.messages import Inbox, InboxMessage
from node.account_risk import risk_message
from node.batcher import BatchPolicy, encode_steps
from node.calls import call_message
from node.duplicates import CAPACITY_MIN
from node.events import Publish
from node.ledger import Ledger
from node.margin_calls import rehearse_watch
from node.margins import what_if
from node.markets import instrument_message
from node.netting import Books, report_of
from node.receipts import HASH_PIECES
from node.records import FrameRecord
from node.sequencer import Limits, Sequencer
from node.v1 import node_pb2
from node.wire import account_message
from prover.engine import Engine
from prover.proofs import account_proof
from prover.signer_cache import SignerCache

_ADDRESS = bytes(19) + b"\x01"
_FRAME_TOKEN = 2


def rehearse() -> None:
    """Compile, or load from the cache, everything that a node runs. Takes the machine's lock."""
    with warm_lock():
        _rehearse()


def _rehearse() -> None:
    genesis = Genesis(
        chain_id=1,
        settlement=_ADDRESS,
        time_ms=1,
        publishers=(_ADDRESS,),
        price_quorum=1,
        tiers=(GenesisTier(100_000, 50_000, 0, 1),),
        instruments=(GenesisInstrument("REHEARSAL", 0, 1, 1, 1, 1),),
    )
    engine = Engine(genesis, 4)
    sequencer = Sequencer(
        engine,
        Limits(8, 8, 8, 8, 8, 1),
        BatchPolicy(8, 1 << 16, 1),
        lambda generation, count, accumulator: bytes(65),
        _FRAME_TOKEN,
    )
    deposit = Inbox(InboxMessage(1, 0, 0, _ADDRESS, 0, 0, 1)).encode()
    blob, offsets = pack([deposit])
    frame = FrameRecord(1, 0, 0, 1, np.diff(offsets), np.zeros((0, 4), np.int64), blob.tobytes())
    outcome = sequencer.restore_frame(_FRAME_TOKEN, frame, None)
    encode_steps(frame, outcome.step_counts)
    # Enough to make the table grow.
    digests = np.arange(CAPACITY_MIN * HASH_PIECES, dtype=np.int64).reshape(-1, HASH_PIECES)
    sequencer.duplicates.claim(digests, np.ones(CAPACITY_MIN, np.int64))
    sequencer.duplicates.find(digests[:1])
    recover_signers(engine.decode(blob, offsets), cache=SignerCache(1))
    engine.opening()
    account_message(engine.state, 0)
    instrument_message(engine.state, 0)
    risk_message(engine.state, 0)
    call_message(engine.state, 0)
    ledger = Ledger(genesis)
    ledger.take(Publish(_FRAME_TOKEN, frame, outcome))
    rehearse_watch(ledger)
    report_of(Books(), (), node_pb2.NettingSummary())
    what_if(engine.state, 0, np.zeros((1, 4), np.int64))
    account_proof(engine, 0)
