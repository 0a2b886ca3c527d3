"""The client: reads, signed actions, and answers that are checked before they are returned.

Example, against ``novatio devnet``::

    from novatio import Client

    with Client("127.0.0.1:7400", key="trader.key") as client:
        sell = client.order(0, "BTC-PERP", "sell", "0.25", "4000", slot=1)
        buy = client.order(1, "BTC-PERP", "buy", "0.25", "4000", slot=1, signer=other)
        [outcome] = client.submit([client.trade(maker=sell, taker=buy)])
        print(outcome.raise_for_rejection().sequence)

Every submission's receipt is verified: the sequencer's signature, the path of the accumulator, and
that each action stands in it where the node says. Calls are repeated only with the same bytes,
which is safe: the first outcome stands for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc

from clearing.units import PPM
from node.v1 import node_pb2 as pb
from node.v1.node_pb2_grpc import NodeServiceStub
from novatio import _calls
from novatio._flows import (
    DEADLINE_SECONDS,
    STREAM_SECONDS,
    Flow,
    Flows,
    Outcome,
    Sleep,
    resume_pause,
    wall_clock_ms,
)
from novatio._wire import API_KEY_HEADER, Tls, channel_options, failure, tls_credentials
from novatio.aio import AsyncClient
from novatio.errors import NovatioError
from novatio.proofs import ReceiptCheck
from novatio.signing import Signer, find_signer
from novatio.statements import margin_request

__all__ = ["AsyncClient", "Client", "Outcome", "Tls"]

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    call: Callable[Concatenate[Flows, P], Flow[T]],
) -> Callable[Concatenate[Client, P], T]:
    """Return a call as a method that returns its answer."""

    @wraps(call)
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._run(call(client._flows, *args, **kwargs))

    return method


class Client:
    """A blocking client of one node. Thread-safe for reads; keep one per thread that signs.

    ``target`` is ``host:port``; ``key`` a Signer, 32 bytes, a key file, or None for the environment
    variable NOVATIO_KEY (reads need no key). ``tls`` is needed unless the node listens in clear,
    ``api_key`` where the node knows its venues by keys.
    ``deadline`` seconds hold for a call with all its repetitions. ``sequencer`` (20 bytes) pins the
    address that signs receipts; without it the node's word of the first call is taken.
    ``clock_ms`` gives the time for sequences and expiries. ``channel`` replaces the connection.
    """

    def __init__(
        self,
        target: str,
        *,
        key: Signer | bytes | str | Path | None = None,
        tls: Tls | None = None,
        api_key: str = "",
        deadline: float = DEADLINE_SECONDS,
        sequencer: bytes | None = None,
        clock_ms: Callable[[], int] = wall_clock_ms,
        channel: Any = None,
    ) -> None:
        self.target = target
        self._flows = Flows(find_signer(key), deadline, clock_ms, sequencer)
        if channel is not None:
            self._channel = channel
        elif tls is None:
            self._channel = grpc.insecure_channel(target, options=channel_options())
        else:
            self._channel = grpc.secure_channel(
                target, tls_credentials(tls), options=channel_options()
            )
        self._stub = NodeServiceStub(self._channel)
        self._metadata = ((API_KEY_HEADER, api_key),) if api_key else ()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _run(self, flow: Flow[T]) -> T:
        answer: Any = None
        problem: NovatioError | None = None
        while True:
            try:
                step = flow.send(answer) if problem is None else flow.throw(problem)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            answer, problem = None, None
            if isinstance(step, Sleep):
                time.sleep(step.seconds)
                continue
            try:
                response = getattr(self._stub, step.method)(
                    step.request, timeout=step.timeout, metadata=self._metadata
                )
                answer = list(response) if step.streams else response
            except grpc.RpcError as error:
                problem = failure(error, step.method, step.submits)

    # Reads
    info = _blocking(_calls.info)
    heads = _blocking(_calls.heads)
    params = _blocking(_calls.params)
    instruments = _blocking(_calls.instruments)
    instrument = _blocking(_calls.instrument)
    assets = _blocking(_calls.assets)
    pool = _blocking(_calls.pool)
    market = _blocking(_calls.market)
    underlying = _blocking(_calls.underlying)
    account = _blocking(_calls.account)
    account_risk = _blocking(_calls.account_risk)
    statement = _blocking(_calls.statement)
    fills = _blocking(_calls.fills)
    netting = _blocking(_calls.netting)
    explain = _blocking(_calls.explain)
    accounts = _blocking(_calls.accounts)
    what_if = _blocking(_calls.what_if)
    batches = _blocking(_calls.batches)
    batch = _blocking(_calls.batch)
    batch_data = _blocking(_calls.batch_data)
    account_proof = _blocking(_calls.account_proof)
    withdrawal_proof = _blocking(_calls.withdrawal_proof)
    action = _blocking(_calls.action)
    receipt = _blocking(_calls.receipt)

    # Submission
    submit = _blocking(_calls.submit)
    submit_request = _blocking(_calls.submit_request)
    submit_owned = _blocking(_calls.submit_owned)
    grant_key = _blocking(_calls.grant_key)
    revoke_key = _blocking(_calls.revoke_key)
    rotate_key = _blocking(_calls.rotate_key)
    set_mode = _blocking(_calls.set_mode)
    govern = _blocking(_calls.govern)

    # Building and signing
    order = _blocking(_calls.order)
    sign_bulk = _blocking(_calls.sign_bulk)
    trade = _blocking(_calls.trade)
    withdraw = _blocking(_calls.withdraw)
    transfer = _blocking(_calls.transfer)
    cancel = _blocking(_calls.cancel)
    liquidate = _blocking(_calls.liquidate)
    observation = _blocking(_calls.observation)
    price = _blocking(_calls.price)
    funding = _blocking(_calls.funding)

    # Streams, and what was checked

    @property
    def last_receipt(self) -> ReceiptCheck | None:
        """The receipt that reaches furthest of all that were checked; keep its ``record()``."""
        return self._flows.last_receipt

    def tail(
        self, resume: int = 0, *, heartbeat_ms: int = 1000, omit_actions: bool = False
    ) -> Iterator[pb.TailResponse]:
        """Follow frames, batches and heartbeats from the token ``resume`` on, for ever.

        Interrupted streams are resumed behind the last event. ``next_token`` of an event resumes
        after it. Raises what no resumption can help, for example a token that was never given.
        """

        def request(token: int) -> pb.TailRequest:
            return pb.TailRequest(token=token, heartbeat_ms=heartbeat_ms, omit_actions=omit_actions)

        return self._follow("Tail", request, resume, lambda event: event.next_token)

    def margin_calls(
        self,
        owner: bytes = b"",
        *,
        basis: str = "maintenance",
        multiple_ppm: int = PPM,
        resume: int = 0,
        heartbeat_ms: int = 1000,
    ) -> Iterator[pb.WatchMarginCallsResponse]:
        """Follow the accounts (of one owner) whose equity falls below a multiple of a margin.

        ``basis`` is ``maintenance`` or ``initial``. ``token`` of a message resumes after it; a
        message that says ``restarted`` holds all calls that stand, and any other is met. Messages
        without calls are heartbeats. Interrupted streams are resumed.
        """

        def request(token: int) -> pb.WatchMarginCallsRequest:
            return margin_request(owner, basis, multiple_ppm, token, heartbeat_ms)

        return self._follow("WatchMarginCalls", request, resume, lambda message: message.token)

    def _follow(
        self, name: str, request: Callable[[int], Any], token: int, next_token: Callable[[Any], int]
    ) -> Iterator[Any]:
        """Yield a stream's messages, from `token` on, and resume it wherever it breaks off.

        Raises what no resumption can help, and Unavailable if nobody answers at all.
        """
        begun = False
        while True:
            stream = getattr(self._stub, name)(
                request(token), timeout=STREAM_SECONDS, metadata=self._metadata
            )
            try:
                for message in stream:
                    begun, token = True, next_token(message)
                    yield message
            except grpc.RpcError as error:
                time.sleep(resume_pause(failure(error, name, submits=False), begun))
            finally:
                stream.cancel()
