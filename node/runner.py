"""The node as a process: everything is made here, wired, started, and stopped in order."""

from __future__ import annotations

import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import start_http_server

from clearing.eip712 import domain_separator
from clearing.genesis import Genesis
from clearing.keys import address_of
from clearing.units import ACTION_BYTES_MAX, ACTIONS_PER_STEP, LAW_VERSION
from node.auth import Doorkeeper
from node.batcher import BatchPolicy
from node.clock import Clock, law_clock
from node.committee import connect
from node.config import Config, ConfigInvalid, load_genesis, load_key, split_address
from node.disk import OsDisk
from node.errors import StorageError
from node.intake import Intake
from node.log import Log
from node.metrics import Metrics, watch_base
from node.poster import Poster, PosterThread
from node.reach import court_when_reached, stop_on_signals
from node.reads import Reads
from node.receipts import receipt_signer
from node.records import SealRecord
from node.rehearsal import rehearse
from node.replay import Recovered, recover
from node.sequencer import Limits
from node.service import NodeServer, NodeServicer
from node.shell import Shell, fold
from node.status import BaseStatus
from node.v1 import node_pb2
from node.view import CatchUp, open_view
from node.witness import Witness, require_posted
from prover.member_service import CommitteeClient
from verifier.base.interface import BaseLayer
from verifier.base.remote import RemoteBaseLayer
from verifier.config import CourtConfig

DRAIN_SECONDS = 10.0
# Roughly what one core does of individually signed trades; only the hint to come back uses it.
ACTIONS_PER_MS = 10
# How often an idle house's clock is carried on: the batch lands before half of the lag is used up.
BEATS_PER_OPEN_LAG = 4

_log = structlog.get_logger("node.runner")

# A kernel that ends asks for the interpreter's lock; the default of 5 ms is longer than a frame.
SWITCH_SECONDS = 0.000_5


def limits_of(config: Config, court: CourtConfig | None) -> tuple[Limits, BatchPolicy]:
    """Return the bounds of queue, frame and batch, within the court's caps.

    Raises `ConfigInvalid` when the court's caps leave no room for the largest submission.
    """
    steps_max, bytes_max = config.batch.steps_max, config.batch.bytes_max
    if court is not None:
        steps_max = min(steps_max, court.batch_steps_max)
        bytes_max = min(bytes_max, court.batch_bytes_max)
    beat_ms = 0 if court is None else court.open_lag_ms // BEATS_PER_OPEN_LAG
    policy = BatchPolicy(steps_max, bytes_max, config.batch.interval_ms, beat_ms)
    actions = config.batch.frame_actions_max + config.batch.inbox_per_frame_max
    frame_bytes = policy.frame_bytes_max(actions)
    if actions > steps_max or frame_bytes < config.limits.request_bytes_max:
        raise ConfigInvalid(
            [
                f"limits: expected a frame of {actions} actions and a submission of "
                f"{config.limits.request_bytes_max} bytes to fit the court's caps of {steps_max} "
                f"steps and {bytes_max} bytes; lower batch.frame_actions_max and "
                "limits.request_bytes_max"
            ]
        )
    limits = Limits(
        queue_actions_max=config.limits.queue_actions_max,
        queue_bytes_max=config.limits.queue_bytes_max,
        frame_actions_max=actions,
        frame_bytes_max=frame_bytes,
        inbox_per_frame_max=config.batch.inbox_per_frame_max,
        actions_per_ms=ACTIONS_PER_MS,
    )
    return limits, policy


class Node:
    """One node: opened from its directory, started, stopped. Usable inside any process."""

    def __init__(
        self,
        config: Config,
        genesis: Genesis,
        sequencer_key: bytes,
        base: BaseLayer | None,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Open the log, replay it, bind the port. `base` None posts nothing and reads no inbox.

        Raises `ConfigInvalid`, or what the storage fails with.
        """
        self.config = config
        self.genesis = genesis
        self.metrics = Metrics()
        self._base = base
        court = None if base is None else base.config()
        sequencer = None if base is None else base.standing().sequencer
        _check_court(court, genesis, sequencer, sequencer_key)
        limits, policy = limits_of(config, court)
        # Compiling takes seconds the first time, and must not fall into the first call.
        rehearse()
        directory = Path(config.node.data_dir)
        self.disk, self.witness_disk = OsDisk(directory / "log"), OsDisk(directory / "witness")
        try:
            recovered, caught_up = self._recover(limits, policy, sequencer_key, directory)
        except StorageError:
            self.disk.close()
            self.witness_disk.close()
            raise
        _log.info(
            "recovered",
            frames=recovered.frames,
            actions=recovered.actions,
            batches=len(recovered.seals),
            state_root=recovered.sequencer.engine.root().hex(),
            view_rebuilt_because=caught_up.rebuilt_because,
        )
        self.shell = Shell(
            recovered.sequencer,
            self.log,
            self.view,
            clock or law_clock(config.clock),
            recovery_threads=config.node.recovery_threads,
            ring_size=config.limits.tail_events_max,
        )
        self._members: CommitteeClient | None = None
        self.poster = self._poster(court, sequencer_key, recovered.seals)
        info = _info(genesis, config, sequencer_key, recovered.sequencer.batcher.genesis_root)
        self.reads = Reads(self.shell, config.limits, info, self.base_status, directory)
        doorkeeper = Doorkeeper(config.venues, config.node.threads, time.monotonic)
        self._watch(doorkeeper)
        servicer = NodeServicer(Intake(self.shell, config.limits), self.reads)
        self.server = NodeServer(config, servicer, doorkeeper, self.metrics)
        self.address = self.server.address

    def _recover(
        self, limits: Limits, policy: BatchPolicy, key: bytes, directory: Path
    ) -> tuple[Recovered, CatchUp]:
        """Open log and view, replay, and make sure that nothing which was promised is missing."""
        domain = domain_separator(self.genesis.chain_id, self.genesis.settlement)
        self.log = Log.open(self.disk, witness=Witness.open(self.witness_disk))
        recovered = recover(
            self.log,
            self.genesis,
            limits,
            policy,
            receipt_signer(key, domain),
            accounts_capacity=self.config.node.accounts_capacity,
            progress=lambda done, total: _log.info("replaying", record=done, of=total),
        )
        if self._base is not None:
            require_posted(self._base, recovered.seals)
        self.view, caught_up = open_view(directory / "view", self.log, fold)
        return recovered, caught_up

    def _poster(
        self, court: CourtConfig | None, key: bytes, seals: tuple[SealRecord, ...]
    ) -> PosterThread | None:
        """Return what posts, and reach the members that the configuration names."""
        if self._base is None or court is None:
            return None
        config = self.config
        self._members = connect(config.committee, court.committee)
        fee = config.base.fee_per_gas
        poster = Poster(self._base, court, key, fee, self.log, seals, self._members)
        return PosterThread(poster, self.shell, self.metrics, config.base.poll_ms / 1000)

    def base_status(self) -> BaseStatus:
        """Return what was last seen of the base layer."""
        return BaseStatus() if self.poster is None else self.poster.status

    def start(self) -> None:
        """Serve."""
        self.shell.start()
        if self.poster is not None:
            self.poster.start()
        self.server.serve()
        _log.info("serving", address=self.address)

    def stop(self) -> bool:
        """Drain, sync, close. Returns whether every request got its answer."""
        self.server.not_serving()
        if self.poster is not None:
            self.poster.stop()
        if self._members is not None:
            self._members.close()
        drained = self.shell.stop(DRAIN_SECONDS)
        self.server.stop(1.0)
        self.view.close()
        self.disk.close()
        self.witness_disk.close()
        _log.info("stopped", drained=drained)
        return drained

    def _watch(self, doorkeeper: Doorkeeper) -> None:
        sequencer, shell, watch = self.shell.sequencer, self.shell, self.metrics.watch
        watch("novatio_queued_actions", "Actions unanswered.", lambda: sequencer.queued_actions)
        watch("novatio_frames", "Frames applied since the start.", lambda: shell.frames)
        watch("novatio_actions", "Actions applied since the start.", lambda: shell.actions)
        watch(
            "novatio_sequenced_actions",
            "Actions sequenced since genesis.",
            lambda: sequencer.duplicates.count,
        )
        watch(
            "novatio_log_records",
            "Durable records in the log.",
            lambda: self.log.durable_tail.sequence,
        )
        watch(
            "novatio_sealed_batch",
            "Number of the last sealed batch.",
            lambda: sequencer.batcher.number - 1,
        )
        watch(
            "novatio_failed",
            "1 after the disk or the log failed.",
            lambda: bool(sequencer.failure),
        )
        watch(
            "novatio_in_flight_submissions",
            "Submissions without an answer, of all venues.",
            lambda: sum(quota.in_flight for quota in doorkeeper.quotas.values()),
        )
        watch(
            "novatio_margin_calls",
            "Accounts below maintenance margin; NaN while nobody watches margin calls.",
            self.reads.margin_calls.standing,
        )
        watch(
            "novatio_law_clock_age_ms",
            "For how long the law's clock has not moved, whether it was posted or not.",
            lambda: max(shell.clock() - sequencer.clock_ms, 0),
        )
        watch(
            "novatio_inbox_waiting",
            "Inbox messages of final blocks that are not sequenced.",
            lambda: max(self.base_status().inbox_available - sequencer.inbox_next, 0),
        )
        watch(
            "novatio_unposted_batches",
            "Sealed batches that are not on the base layer.",
            lambda: max(sequencer.batcher.number - 1 - self.base_status().posted, 0),
        )
        if self.poster is not None:
            watch_base(self.metrics, self.poster)


def _check_court(
    court: CourtConfig | None, genesis: Genesis, sequencer: bytes | None, sequencer_key: bytes
) -> None:
    """The node has to be the present sequencer of the chain whose state it keeps."""
    if court is None or sequencer is None:
        return
    problems = [
        f"base layer: expected {name} {ours!r}, was {theirs!r}; check chain.genesis, node.key_file "
        "and base.address"
        for name, ours, theirs in (
            ("chain id", genesis.chain_id, court.chain_id),
            ("settlement", genesis.settlement.hex(), court.settlement.hex()),
            ("sequencer", address_of(sequencer_key).hex(), sequencer.hex()),
        )
        if ours != theirs
    ]
    if problems:
        raise ConfigInvalid(problems)


def node_version() -> str:
    """Return the version of the installed program."""
    try:
        return version("novatio")
    except PackageNotFoundError:
        return "0"


def _info(genesis: Genesis, config: Config, sequencer_key: bytes, genesis_root: bytes) -> Any:
    return node_pb2.GetInfoResponse(
        node_version=node_version(),
        law_version=LAW_VERSION,
        chain_id=genesis.chain_id,
        settlement=genesis.settlement,
        domain_separator=domain_separator(genesis.chain_id, genesis.settlement),
        genesis_root=genesis_root,
        sequencer=address_of(sequencer_key),
        actions_max=config.limits.request_actions_max,
        bytes_max=config.limits.request_bytes_max,
        action_bytes_max=ACTION_BYTES_MAX,
        actions_per_step=ACTIONS_PER_STEP,
    )


def log_to_standard_error(level: str) -> None:
    """Log one JSON object a line, for machines; amounts and keys are never in it."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", key="ts"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def run(config: Config) -> int:
    """Run a node until SIGTERM or SIGINT; return the exit code of the process.

    Raises `ConfigInvalid` or what the storage fails with, before anything is served.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    log_to_standard_error(config.node.log_level)
    genesis = load_genesis(config.chain.genesis)
    if not config.node.key_file:
        raise ConfigInvalid(["node.key_file: expected the file of the sequencer's key, was none"])
    key = load_key(config.node.key_file)
    asked = stop_on_signals()
    base = RemoteBaseLayer(config.base.address) if config.base.address else None
    if base is not None and court_when_reached(base, config.base.address, asked) is None:
        base.close()
        return 0
    node = Node(config, genesis, key, base)
    if config.node.metrics_listen:
        host, port = split_address(config.node.metrics_listen)
        start_http_server(port, host, node.metrics.registry)
    node.start()
    while not asked.wait(1.0) and not node.shell.sequencer.failure:
        pass
    drained = node.stop()
    if base is not None:
        base.close()
    return 0 if drained else 1
