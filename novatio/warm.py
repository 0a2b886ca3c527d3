"""``python -m novatio.warm``: compile every kernel now, so that no first call waits for it.

A tiny world runs once: a node's frame, a forged batch, a replica's verdict on it, the court's on
the evidence. What is compiled stays in the cache directory (``clearing.compiler.cache_home``) until
a source, the compiler or the processor changes; a second run only loads it.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from clearing._backend import INTERPRETED, numba
from clearing.compiler import cache_home, warm, warm_lock
from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis, GenesisInstrument, GenesisTier, genesis_state
from clearing.keccak import eip712_digests, hash_nodes, hash_nodes_at, hash_pieces, hash_rows
from clearing.layout import new_rows
from clearing.messages import Funding, Inbox, InboxMessage
from clearing.sweep import MarketTerms, margin_sweep
from node.rehearsal import rehearse
from prover.engine import Engine
from prover.forge import BatchForge, Place, Posting, mint
from prover.proofs import account_proof
from prover.replica import Replica, Verdict
from prover.signer_cache import SignerCache
from verifier.evidence import check_bad_step

__all__ = ["main", "uncompiled"]

PACKAGES = ("clearing", "verifier", "prover", "node")
_ADDRESS = bytes(19) + b"\x01"
_FORGED_MICRO = 1_000


@dataclass(slots=True)
class _World:
    """What one stage leaves to the next."""

    genesis: Genesis
    posting: Posting | None = None
    evidence: bytes = b""


class _Stage(NamedTuple):
    """What is said and done, how long that takes where nothing is cached yet, and whether the lock
    of the cache is taken here (it cannot be twice)."""

    what: str
    first_run: str
    run: Callable[[_World], None]
    locked: bool


class _Teller(numba.core.event.Listener):  # type: ignore[misc]
    """Says which kernel the compiler begins with, but not what that one calls."""

    def __init__(self) -> None:
        self.depth = 0

    def on_start(self, event: Any) -> None:
        """Name the kernel. The compiler's own lock lets one thread in at a time."""
        if self.depth == 0:
            function = event.data["dispatcher"].py_func
            _say(f"      compiling {function.__module__}.{function.__qualname__}")
        self.depth += 1

    def on_end(self, event: Any) -> None:
        """Leave one kernel."""
        self.depth -= 1


def main() -> int:
    """Compile or load everything, and say on standard error what is being done; return 0."""
    if INTERPRETED:
        _say("[warm] NUMBA_DISABLE_JIT is set: nothing is compiled, and everything is slow")
        return 0
    began = time.monotonic()
    world = _World(_genesis())
    _say("[warm] kernels that are not cached yet are compiled: minutes at first, then seconds")
    with numba.core.event.install_listener("numba:compile", _Teller()):
        for number, stage in enumerate(_STAGES, 1):
            _say(f"[warm {number}/{len(_STAGES)}] {stage.what} ({stage.first_run} at first) ...")
            with warm_lock() if stage.locked else contextlib.nullcontext():
                stage.run(world)
    _say(f"[warm] ready in {time.monotonic() - began:.1f} s, cached in {cache_home()}")
    return 0


def uncompiled() -> list[str]:
    """Return the names of the kernel entries that have no machine code in this process yet."""
    return sorted(name for name, entry in _entries() if not entry.overloads)


def _entries() -> Iterator[tuple[str, Any]]:
    """Yield the dispatchers of all packages that are kept on disk, by their full names."""
    for package in PACKAGES:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if "_pb2" in module.name:
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                dispatcher = isinstance(value, numba.core.registry.CPUDispatcher)
                own = dispatcher and value.py_func.__module__ == module.name
                if own and not isinstance(value._cache, numba.core.caching.NullCache):
                    yield f"{module.name}.{name}", value


def _hashes(world: _World) -> None:
    rows, digests = np.zeros((1, 16), np.int64), np.zeros((1, 4), np.int64)
    lengths, row = np.zeros(1, np.int64), np.zeros(16, np.int64)
    digest = np.zeros(4, np.int64)
    hash_rows(rows, lengths, 1, 0, digests)
    hash_nodes(rows, 1, 0, digests)
    hash_nodes_at(rows, lengths, 1, 0, digests)
    hash_pieces(row, 4, 0, digest)
    eip712_digests(digest, digests, 1, digests.copy())


def _node(world: _World) -> None:
    rehearse()


def _sweep(world: _World) -> None:
    state = genesis_state(world.genesis, 1, 1, 1)
    cells = np.zeros(1, np.int64)
    warm([(margin_sweep, (state, 0, 0, new_rows(MarketTerms, 1), cells, cells, cells))])


def _prover(world: _World) -> None:
    """Post a deposit and then a theft."""
    engine = Engine(world.genesis, 4)
    forge = BatchForge(engine)
    deposit = Inbox(InboxMessage(1, 0, 0, _ADDRESS, 0, 0, _FORGED_MICRO)).encode()
    # Funding names a market, and so brings its underlying into the evidence.
    funding = Funding(0).encode()
    forge.honest([deposit], world.genesis.time_ms)
    forge.forged([funding], world.genesis.time_ms, mutate=mint(0, _FORGED_MICRO))
    account_proof(engine, 0)
    recover_signers(engine.decode(*pack([deposit])), cache=SignerCache(1))
    genesis_id = Replica(world.genesis, 4).genesis_id
    world.posting = forge.finish(Place(0, 1, genesis_id, 0, bytes(32), _ADDRESS))


def _replica(world: _World) -> None:
    posting = _made(world.posting)
    judgement = Replica(world.genesis, 4).judge(posting.header, posting.data)
    if judgement.verdict is not Verdict.INVALID:
        raise RuntimeError(
            f"warm: expected the forged batch to be INVALID, was {judgement.verdict.name}; "
            "do not run this installation, its law is not the one that was tested"
        )
    world.evidence = judgement.evidence


def _court(world: _World) -> None:
    if not check_bad_step(_made(world.posting).header, world.evidence):
        raise RuntimeError(
            "warm: expected the court to find the forged step, found none; do not run this "
            "installation, its law is not the one that was tested"
        )


def _made(posting: Posting | None) -> Posting:
    assert posting is not None, "the stages run in their order"
    return posting


def _genesis() -> Genesis:
    return Genesis(
        chain_id=1,
        settlement=_ADDRESS,
        time_ms=1,
        publishers=(_ADDRESS,),
        price_quorum=1,
        tiers=(GenesisTier(100_000, 50_000, 0, 1),),
        instruments=(GenesisInstrument("WARM", 0, 1, 1, 1, 1),),
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


_STAGES = (
    _Stage("hashes", "seconds", _hashes, True),
    _Stage("the law and the node", "minutes", _node, False),
    _Stage("the margin sweep", "up to a minute", _sweep, False),
    _Stage("the prover", "up to a minute", _prover, True),
    _Stage("a replica and its evidence", "up to minutes", _replica, True),
    _Stage("the court", "up to minutes", _court, True),
)

if __name__ == "__main__":
    sys.exit(main())
