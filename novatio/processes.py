"""The simulated base layer and the challenger as processes of their own.

Each takes one TOML file, overridden by the environment and by flags, like the node.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta

from node.config import (
    ChainSection,
    ClockSection,
    ConfigInvalid,
    court_config,
    load,
    load_genesis,
    load_key,
)
from prover.challenger import Alert, Effect, Prove, Report
from prover.challenger_process import ChallengerProcess
from prover.engine import Engine
from prover.replica import Replica, Verdict
from verifier.chain import SimulatedChain
from verifier.chain_file import ChainFile
from verifier.errors import BaseLayerUnavailable, BlockUnknown
from verifier.remote import RemoteBaseLayer
from verifier.service import BaseLayerServer, SteppedClock

__all__ = ["BaseConfig", "ChallengerConfig", "run_base", "run_challenger"]

WATCH_SECONDS = 0.2
CURSOR_NAME = "cursor.json"

_log = structlog.get_logger("novatio")


class LayerSection(msgspec.Struct, frozen=True, kw_only=True):
    """The simulated base layer."""

    listen: Annotated[str, Meta(description="host:port of the gRPC server")] = "127.0.0.1:7401"
    journal: Annotated[str, Meta(description="file of the chain; empty: in memory")] = ""
    sequencer: Annotated[
        str, Meta(description="address that may post, 40 hex digits", pattern="^(0x)?[0-9a-f]{40}$")
    ] = "00" * 20
    seed: Annotated[int, Meta(description="makes two chains differ", ge=0)] = 0
    block_ms: Annotated[
        int, Meta(description="wall ms between two blocks; 0: the court's", ge=0, le=10**6)
    ] = 0


class BaseConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a simulated base layer."""

    layer: LayerSection = LayerSection()
    chain: ChainSection = ChainSection()
    clock: ClockSection = ClockSection()


class ChallengerSection(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and with which key."""

    base: Annotated[str, Meta(description="host:port of the base layer")] = "127.0.0.1:7401"
    genesis: Annotated[str, Meta(description="JSON file of the genesis")] = "genesis.json"
    key_file: Annotated[
        str, Meta(description="file with the challenger's key; empty: observe only")
    ] = ""
    data_dir: Annotated[str, Meta(description="directory of the cursor")] = "challenger"
    poll_ms: Annotated[int, Meta(description="pause between two looks", ge=1, le=10**6)] = 200


class ChallengerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a challenger."""

    challenger: ChallengerSection = ChallengerSection()


def run_base(
    config: str | os.PathLike[str] | None = None, flags: Mapping[str, Any] | None = None
) -> int:
    """Serve a simulated base layer until a signal; return the exit code.

    Raises ConfigInvalid, ValueError for an address that is not loopback, or what the journal fails
    with.
    """
    loaded = load(BaseConfig, config, flags=flags).config
    sequencer = bytes.fromhex(loaded.layer.sequencer.removeprefix("0x"))
    if not any(sequencer):
        raise ConfigInvalid(["layer.sequencer: expected the address that may post, was null"])
    genesis = load_genesis(loaded.chain.genesis)
    court = court_config(loaded.chain.court, genesis, sequencer)
    clock = SteppedClock(_clock(loaded.clock))
    chain = SimulatedChain(
        court,
        Engine(genesis).opening(),
        clock=clock,
        seed=loaded.layer.seed,
        file=ChainFile(loaded.layer.journal) if loaded.layer.journal else None,
    )
    server = BaseLayerServer(
        chain,
        clock,
        loaded.layer.listen,
        block_time_ms=loaded.layer.block_ms or court.block_time_ms,
    )
    stop = _stop_on_signals()
    _log_to_standard_error()
    server.start()
    _log.info("serving", address=server.address, block=chain.head().number)
    while server.failure is None and not stop.wait(WATCH_SECONDS):
        pass
    if server.failure is not None:
        _log.error("blocks stopped", reason=str(server.failure))
        return 1
    server.stop()
    return 0


def run_challenger(
    config: str | os.PathLike[str] | None = None, flags: Mapping[str, Any] | None = None
) -> int:
    """Watch a base layer, and prove what is wrong if there is a key, until a signal.

    Raises ConfigInvalid, or CursorError for a cursor of another chain.
    """
    section = load(ChallengerConfig, config, flags=flags).config.challenger
    directory = Path(section.data_dir)
    directory.mkdir(parents=True, exist_ok=True)
    base = RemoteBaseLayer(section.base)
    process = ChallengerProcess(
        base,
        Replica(load_genesis(section.genesis)),
        load_key(section.key_file) if section.key_file else None,
        directory / CURSOR_NAME,
        _tell,
    )
    stop = _stop_on_signals()
    _log_to_standard_error()
    _log.info("watching", base=section.base, proves=bool(section.key_file))
    while not stop.wait(section.poll_ms / 1000):
        try:
            process.tick()
        except (BaseLayerUnavailable, BlockUnknown) as error:
            # Both ask for another look, which the loop takes anyway.
            _log.warning("looked in vain", reason=str(error))
    base.close()
    return 0


def _log_to_standard_error() -> None:
    """Log like the node: standard output is for answers alone."""
    from node.runner import log_to_standard_error

    log_to_standard_error("info")


def _clock(section: ClockSection) -> Any:
    from node.runner import clock_of

    return clock_of(section, lambda: time.time_ns() // 1_000_000)


def _stop_on_signals() -> threading.Event:
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked


def _tell(effect: Effect) -> None:
    match effect:
        case Prove(_, number, evidence):
            _log.warning("proving a batch wrong", number=number, evidence_bytes=len(evidence))
        case Report(judgement) if judgement.verdict is Verdict.VALID:
            _log.info("valid", number=judgement.number)
        case Report(judgement):
            _log.warning(
                judgement.verdict.value,
                number=judgement.number,
                step=judgement.step,
                reason=judgement.reason,
            )
        case Alert(text):
            _log.error("alert", text=text)
