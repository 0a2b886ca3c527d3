"""The gRPC service: one thin method a call, and the server around it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from node.auth import Doorkeeper
from node.config import Config, ConfigInvalid, TlsSection, is_loopback, split_address
from node.gate import SERVICE, Gate
from node.intake import Intake
from node.metrics import Metrics
from node.reads import Reads
from node.v1 import node_pb2, node_pb2_grpc

# Room for the fields around the largest submission.
MESSAGE_OVERHEAD_BYTES = 64 * 1024
CALLS_PER_THREAD_MAX = 8


class NodeServicer(node_pb2_grpc.NodeServiceServicer):
    """`node.v1.NodeService`. What every call has in common is the gate's business."""

    def __init__(self, intake: Intake, reads: Reads) -> None:
        self._intake = intake
        self._reads = reads

    def Submit(self, request: Any, context: Any) -> Any:
        """Sequence actions."""
        return self._intake.submit(request, context)

    def SubmitStream(self, requests: Any, context: Any) -> Iterator[Any]:
        """Sequence a stream of submissions."""
        return self._intake.submit_stream(requests, context)

    def GetAction(self, request: Any, context: Any) -> Any:
        """Look up an earlier outcome."""
        return self._reads.get_action(request, context)

    def GetInfo(self, request: Any, context: Any) -> Any:
        """Tell chain, law, sequencer and limits."""
        return self._reads.get_info(request, context)

    def GetHeads(self, request: Any, context: Any) -> Any:
        """Tell how far everything has come."""
        return self._reads.get_heads(request, context)

    def GetParams(self, request: Any, context: Any) -> Any:
        """Return the parameters in force."""
        return self._reads.get_params(request, context)

    def GetInstrument(self, request: Any, context: Any) -> Any:
        """Return one instrument."""
        return self._reads.get_instrument(request, context)

    def ListInstruments(self, request: Any, context: Any) -> Any:
        """Return a page of instruments."""
        return self._reads.list_instruments(request, context)

    def GetUnderlying(self, request: Any, context: Any) -> Any:
        """Return what an underlying's instruments share."""
        return self._reads.get_underlying(request, context)

    def GetPool(self, request: Any, context: Any) -> Any:
        """Return one pool."""
        return self._reads.get_pool(request, context)

    def ListAssets(self, request: Any, context: Any) -> Any:
        """Return the collateral assets."""
        return self._reads.list_assets(request, context)

    def GetAccount(self, request: Any, context: Any) -> Any:
        """Return one account."""
        return self._reads.get_account(request, context)

    def ListAccounts(self, request: Any, context: Any) -> Any:
        """Return a page of accounts."""
        return self._reads.list_accounts(request, context)

    def ListStatement(self, request: Any, context: Any) -> Any:
        """Return a page of an account's statement."""
        return self._reads.statements.list_statement(request, context)

    def GetNetting(self, request: Any, context: Any) -> Iterator[Any]:
        """Net a settlement cycle."""
        return self._reads.netting.get_netting(request, context)

    def ExplainAction(self, request: Any, context: Any) -> Any:
        """Tell why an action was rejected."""
        return self._reads.statements.explain_action(request, context)

    def WatchMarginCalls(self, request: Any, context: Any) -> Iterator[Any]:
        """Follow margin calls."""
        return self._reads.margin_calls.watch(request, context)

    def WhatIfMargin(self, request: Any, context: Any) -> Any:
        """Compute a margin that could be."""
        return self._reads.what_if_margin(request, context)

    def ListBatches(self, request: Any, context: Any) -> Any:
        """Return a page of batches."""
        return self._reads.list_batches(request, context)

    def GetBatch(self, request: Any, context: Any) -> Any:
        """Return one batch."""
        return self._reads.get_batch(request, context)

    def GetBatchData(self, request: Any, context: Any) -> Iterator[Any]:
        """Stream a batch's data."""
        return self._reads.get_batch_data(request, context)

    def GetAccountProof(self, request: Any, context: Any) -> Any:
        """Prove an account."""
        return self._reads.get_account_proof(request, context)

    def GetWithdrawalProof(self, request: Any, context: Any) -> Any:
        """Prove a withdrawal."""
        return self._reads.get_withdrawal_proof(request, context)

    def Tail(self, request: Any, context: Any) -> Iterator[Any]:
        """Follow what happens."""
        return self._reads.tail(request, context)


def request_types() -> dict[str, type[Message]]:
    """Return the request type of each method."""
    service = node_pb2.DESCRIPTOR.services_by_name["NodeService"]
    return {method.name: GetMessageClass(method.input_type) for method in service.methods}


class NodeServer:
    """The server on its port. Not serving, in the words of health checks, before `serve`."""

    def __init__(
        self, config: Config, servicer: NodeServicer, doorkeeper: Doorkeeper, metrics: Metrics
    ) -> None:
        """Bind the port. Raises `ConfigInvalid` when that, or reading a certificate, fails."""
        gate = Gate(doorkeeper, request_types(), metrics, config.limits.deadline_ms_max / 1000)
        size = config.limits.request_bytes_max + MESSAGE_OVERHEAD_BYTES
        self._server = grpc.server(
            ThreadPoolExecutor(config.node.threads, "grpc"),
            interceptors=(gate,),
            # Beyond this gRPC itself answers RESOURCE_EXHAUSTED: its queue of calls has no end.
            maximum_concurrent_rpcs=CALLS_PER_THREAD_MAX * config.node.threads,
            options=(
                ("grpc.max_receive_message_length", size + 4 * config.limits.request_actions_max),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ),
        )
        node_pb2_grpc.add_NodeServiceServicer_to_server(servicer, self._server)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        host, _ = split_address(config.node.listen)
        self.address = f"{host}:{self._bind(config)}"

    def serve(self) -> None:
        """Accept calls, and say so."""
        self._server.start()
        self._set_health(health_pb2.HealthCheckResponse.SERVING)

    def not_serving(self) -> None:
        """Tell balancers to go elsewhere; calls are still answered."""
        self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)

    def stop(self, grace_seconds: float) -> None:
        """Take no new calls, and give those under way some time to end."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_seconds).wait()

    def _bind(self, config: Config) -> int:
        tls = config.tls
        host, _ = split_address(config.node.listen)
        if not tls.certificate and not is_loopback(host):
            raise ConfigInvalid(
                [f"node.listen: expected TLS or a loopback address, was plain text on {host}"]
            )
        try:
            if tls.certificate:
                return int(
                    self._server.add_secure_port(config.node.listen, server_credentials(tls))
                )
            return int(self._server.add_insecure_port(config.node.listen))
        except RuntimeError as error:
            raise ConfigInvalid(
                [f"node.listen: expected a free address, was {config.node.listen}: {error}"]
            ) from error

    def _set_health(self, status: Any) -> None:
        for service in ("", SERVICE):
            self._health.set(service, status)


def server_credentials(tls: TlsSection) -> Any:
    """Return the credentials of TLS, or of mutual TLS when there is an authority for clients."""
    chain, key = (
        _read("tls.certificate", tls.certificate),
        _read("tls.private_key", tls.private_key),
    )
    if not tls.client_ca:
        return grpc.ssl_server_credentials([(key, chain)])
    return grpc.ssl_server_credentials(
        [(key, chain)],
        root_certificates=_read("tls.client_ca", tls.client_ca),
        require_client_auth=True,
    )


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigInvalid([f"{name}: expected a readable file, was: {error}"]) from error
