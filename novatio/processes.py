"""The simulated base layer, the challenger and a committee member as processes of their own.

Each takes one TOML file, overridden by the environment and by flags, like the node.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta

from node.clock import law_clock
from node.committee import connect, load_committee
from node.config import (
    ChainSection,
    ClockSection,
    CommitteeSection,
    ConfigInvalid,
    TlsSection,
    court_config,
    is_loopback,
    load,
    load_genesis,
    load_key,
    split_address,
)
from node.reach import court_when_reached, stop_on_signals
from node.service import server_credentials
from prover.challenger import ASKS_MAX, Alert, AskSteps, Effect, Report, SettleAsks
from prover.challenger_process import ChallengerProcess
from prover.engine import Engine
from prover.member import DataMember
from prover.member_answers import Answers
from prover.member_service import MemberServer
from prover.member_store import MemberStore
from prover.pursuit import Prove
from prover.replica import Replica, Verdict
from verifier.base.chain import SimulatedChain
from verifier.base.chain_file import ChainFile
from verifier.base.errors import BaseLayerUnavailable, BlockUnknown
from verifier.base.remote import RemoteBaseLayer
from verifier.base.service import BaseLayerServer, SteppedClock
from verifier.bls import BlsError, public_key

__all__ = [
    "BaseConfig",
    "ChallengerConfig",
    "MemberConfig",
    "look_again",
    "run_base",
    "run_challenger",
    "run_member",
]

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
    committee: Annotated[
        str, Meta(description="JSON file of the data committee; empty: inline data alone")
    ] = ""
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
    asks_max: Annotated[
        int, Meta(description="steps of a withheld batch that are asked for", ge=0, le=4096)
    ] = ASKS_MAX
    commits: Annotated[
        bool, Meta(description="commit to a proof before it is shown, so that no copy is paid")
    ] = True


class ChallengerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a challenger."""

    challenger: ChallengerSection = ChallengerSection()
    committee: CommitteeSection = CommitteeSection()


class MemberSection(msgspec.Struct, frozen=True, kw_only=True):
    """A member of the data committee."""

    base: Annotated[str, Meta(description="host:port of the base layer")] = "127.0.0.1:7401"
    listen: Annotated[str, Meta(description="host:port of the gRPC server")] = "127.0.0.1:7405"
    key_file: Annotated[
        str, Meta(description="file of the BLS secret; novatio committee keygen makes one")
    ] = ""
    data_dir: Annotated[str, Meta(description="directory of the data", min_length=1)] = "member"
    answer_key_file: Annotated[
        str, Meta(description="key that pays for answers on the base layer; empty: none are given")
    ] = ""
    poll_ms: Annotated[
        int, Meta(description="pause between two looks for asks", ge=1, le=10**6)
    ] = 1_000


class MemberConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a committee member."""

    member: MemberSection = MemberSection()
    tls: TlsSection = TlsSection()


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
    if loaded.layer.committee:
        court = replace(court, committee=load_committee(loaded.layer.committee))
    clock = SteppedClock(law_clock(loaded.clock))
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
    stop = stop_on_signals()
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
    loaded = load(ChallengerConfig, config, flags=flags).config
    section = loaded.challenger
    directory = Path(section.data_dir)
    directory.mkdir(parents=True, exist_ok=True)
    stop = stop_on_signals()
    _log_to_standard_error()
    base = RemoteBaseLayer(section.base)
    court = court_when_reached(base, section.base, stop)
    if court is None:
        base.close()
        return 0
    members = connect(loaded.committee, court.committee)
    process = ChallengerProcess(
        base,
        Replica(load_genesis(section.genesis)),
        load_key(section.key_file) if section.key_file else None,
        directory / CURSOR_NAME,
        _tell,
        members,
        section.asks_max,
        commits=section.commits,
    )
    _log.info("watching", base=section.base, proves=bool(section.key_file))
    look_again(
        process.tick,
        stop,
        section.poll_ms / 1000,
        _lost,
    )
    if members is not None:
        members.close()
    base.close()
    return 0


def look_again(
    look: Callable[[], None], stop: Event, pause_seconds: float, lost: Callable[[str], None]
) -> None:
    """Look again and again until ``stop``; ``lost`` is told why a look was in vain."""
    while not stop.wait(pause_seconds):
        try:
            look()
        except (BaseLayerUnavailable, BlockUnknown) as error:
            # Both ask for another look, which the loop takes anyway.
            lost(str(error))


def _lost(reason: str) -> None:
    _log.warning("looked in vain", reason=reason)


def run_member(
    config: str | os.PathLike[str] | None = None, flags: Mapping[str, Any] | None = None
) -> int:
    """Hold data for a committee, and answer asks about them, until a signal; return the exit code.

    Raises ConfigInvalid, StoreError for a directory that cannot be used, MemberUnreachable if the
    address is taken, or BaseLayerUnavailable.
    """
    loaded = load(MemberConfig, config, flags=flags).config
    section, tls = loaded.member, loaded.tls
    if not section.key_file:
        raise ConfigInvalid(["member.key_file: expected the file of the BLS secret, was none"])
    try:
        host, _ = split_address(section.listen)
    except ValueError as error:
        raise ConfigInvalid([f"member.listen: {error}"]) from error
    if not tls.certificate and not is_loopback(host):
        raise ConfigInvalid(
            [f"member.listen: expected TLS or a loopback address, was plain text on {host}"]
        )
    stop = stop_on_signals()
    _log_to_standard_error()
    base = RemoteBaseLayer(section.base)
    court = court_when_reached(base, section.base, stop)
    if court is None:
        base.close()
        return 0
    secret = load_key(section.key_file)
    try:
        public_key(secret)
    except BlsError as error:
        raise ConfigInvalid([f"member.key_file: {error}"]) from error
    chain = f"chain {court.chain_id}, court 0x{court.settlement.hex()}"
    store = MemberStore(Path(section.data_dir), chain)
    member = DataMember(court, store, secret, lambda: base.standing().sequencer)
    credentials = server_credentials(tls) if tls.certificate else None
    server = MemberServer(member, section.listen, credentials)
    answers = None
    if section.answer_key_file:
        key = load_key(section.answer_key_file)
        answers = Answers(base, member, key, lambda reason: _log.warning("ask", reason=reason))
    server.start()
    status = member.status()
    _log.info("holding data", address=server.address, batches=status.batch_count)
    if not status.registered:
        _log.warning("not on the committee", public_key=status.public_key.hex())
    if answers is None:
        _log.warning("asks are left to others", reason="member.answer_key_file names no key")
        stop.wait()
    else:
        look_again(answers.step, stop, section.poll_ms / 1000, _lost)
    server.stop()
    store.close()
    base.close()
    return 0


def _log_to_standard_error() -> None:
    """Log like the node: standard output is for answers alone."""
    from node.runner import log_to_standard_error

    log_to_standard_error("info")


def _tell(effect: Effect) -> None:
    match effect:
        case Prove(_, number, evidence):
            _log.warning("proving a batch wrong", number=number, evidence_bytes=len(evidence))
        case AskSteps(_, number, steps):
            _log.warning("asking for withheld steps", number=number, steps=len(steps))
        case SettleAsks(_, number):
            _log.warning("taking a withheld batch back", number=number)
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
