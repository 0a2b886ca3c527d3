"""The world's challenger as a process: it has its own key, no bond, and the base layer alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from node.config import load, load_genesis, load_key
from novatio.feed import stop_on_signals
from prover.challenger import Alert, Effect, Prove, Report
from prover.challenger_process import ChallengerProcess
from prover.replica import Replica, Verdict
from verifier.errors import BaseLayerUnavailable, BlockUnknown
from verifier.remote import RemoteBaseLayer

__all__ = ["ChallengerConfig", "ChallengerSection", "run"]

CURSOR: Final = "cursor.json"


class ChallengerSection(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, and with which key."""

    base: Annotated[str, Meta(description="host:port of the base layer")] = "127.0.0.1:7401"
    genesis: Annotated[str, Meta(description="JSON file of the genesis")] = "genesis.json"
    key_file: Annotated[str, Meta(description="file with the challenger's key")] = "challenger.key"
    data_dir: Annotated[str, Meta(description="directory of the cursor")] = "challenger"
    poll_ms: Annotated[int, Meta(description="pause between two looks", ge=1)] = 100


class ChallengerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The challenger's configuration."""

    challenger: ChallengerSection = ChallengerSection()


def run(config: str | os.PathLike[str]) -> int:
    """Challenge by a TOML file until a signal; return the exit code."""
    section = load(ChallengerConfig, config).config.challenger
    directory = Path(section.data_dir)
    directory.mkdir(parents=True, exist_ok=True)
    base = RemoteBaseLayer(section.base)
    process = ChallengerProcess(
        base,
        Replica(load_genesis(section.genesis)),
        load_key(section.key_file),
        directory / CURSOR,
        _tell,
    )
    stop = stop_on_signals()
    while not stop.wait(section.poll_ms / 1000):
        try:
            process.tick()
        except (BaseLayerUnavailable, BlockUnknown) as error:
            # Both ask for another look; the pause is the loop's own.
            print(f"challenger: {error}", file=sys.stderr, flush=True)
    base.close()
    return 0


def _tell(effect: Effect) -> None:
    """Say what matters on standard error, one line each."""
    match effect:
        case Prove(_, number, evidence):
            text = f"proving batch {number} wrong with {len(evidence)} bytes"
        case Report(judgement) if judgement.verdict is not Verdict.VALID:
            text = f"batch {judgement.number} is {judgement.verdict.value} {judgement.reason}"
        case Alert(alert):
            text = f"alert: {alert}"
        case _:
            return
    print(f"challenger: {text}", file=sys.stderr, flush=True)
