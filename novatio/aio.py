"""The client for asyncio: the surface of ``novatio.client`` on ``grpc.aio``.

Example::

    async with AsyncClient("127.0.0.1:7400") as client:
        heads = await client.heads()
        async for event in client.tail(heads.sequenced.token):
            print(event.next_token)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc
from grpc import aio

from clearing.units import PPM
from node.v1 import node_pb2 as pb
from node.v1.node_pb2_grpc import NodeServiceStub
from novatio import _calls
from novatio._flows import (
    DEADLINE_SECONDS,
    STREAM_SECONDS,
    Flow,
    Flows,
    Sleep,
    resume_pause,
    wall_clock_ms,
)
from novatio._wire import API_KEY_HEADER, Tls, channel_options, failure, tls_credentials
from novatio.errors import NovatioError
from novatio.proofs import ReceiptCheck
from novatio.signing import Signer, find_signer
from novatio.statements import margin_request

__all__ = ["AsyncClient"]

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    call: Callable[Concatenate[Flows, P], Flow[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """Return a call as a method that is awaited for its answer."""

    @wraps(call)
    async def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._run(call(client._flows, *args, **kwargs))

    return method


class AsyncClient:
    """A client of one node for asyncio; the same surface as ``novatio.Client``, awaited.

    See ``novatio.Client`` for the arguments. Make it inside a running event loop.
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
            self._channel = aio.insecure_channel(target, options=channel_options())
        else:
            self._channel = aio.secure_channel(
                target, tls_credentials(tls), options=channel_options()
            )
        self._stub = NodeServiceStub(self._channel)
        self._metadata = ((API_KEY_HEADER, api_key),) if api_key else ()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def _run(self, flow: Flow[T]) -> T:
        answer: Any = None
        problem: NovatioError | None = None
        while True:
            try:
                step = flow.send(answer) if problem is None else flow.throw(problem)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            answer, problem = None, None
            if isinstance(step, Sleep):
                await asyncio.sleep(step.seconds)
                continue
            try:
                response = getattr(self._stub, step.method)(
                    step.request, timeout=step.timeout, metadata=self._metadata
                )
                answer = [piece async for piece in response] if step.streams else await response
            except grpc.RpcError as error:
                problem = failure(error, step.method, step.submits)

    # Reads
    info = _awaited(_calls.info)
    heads = _awaited(_calls.heads)
    params = _awaited(_calls.params)
    instruments = _awaited(_calls.instruments)
    instrument = _awaited(_calls.instrument)
    assets = _awaited(_calls.assets)
    pool = _awaited(_calls.pool)
    market = _awaited(_calls.market)
    underlying = _awaited(_calls.underlying)
    account = _awaited(_calls.account)
    account_risk = _awaited(_calls.account_risk)
    statement = _awaited(_calls.statement)
    fills = _awaited(_calls.fills)
    netting = _awaited(_calls.netting)
    explain = _awaited(_calls.explain)
    accounts = _awaited(_calls.accounts)
    what_if = _awaited(_calls.what_if)
    batches = _awaited(_calls.batches)
    batch = _awaited(_calls.batch)
    batch_data = _awaited(_calls.batch_data)
    account_proof = _awaited(_calls.account_proof)
    withdrawal_proof = _awaited(_calls.withdrawal_proof)
    action = _awaited(_calls.action)
    receipt = _awaited(_calls.receipt)

    # Submission
    submit = _awaited(_calls.submit)
    submit_request = _awaited(_calls.submit_request)
    submit_owned = _awaited(_calls.submit_owned)
    grant_key = _awaited(_calls.grant_key)
    revoke_key = _awaited(_calls.revoke_key)
    rotate_key = _awaited(_calls.rotate_key)
    set_mode = _awaited(_calls.set_mode)
    govern = _awaited(_calls.govern)

    # Building and signing
    order = _awaited(_calls.order)
    sign_bulk = _awaited(_calls.sign_bulk)
    trade = _awaited(_calls.trade)
    withdraw = _awaited(_calls.withdraw)
    transfer = _awaited(_calls.transfer)
    cancel = _awaited(_calls.cancel)
    liquidate = _awaited(_calls.liquidate)
    observation = _awaited(_calls.observation)
    price = _awaited(_calls.price)
    funding = _awaited(_calls.funding)

    # Streams, and what was checked

    @property
    def last_receipt(self) -> ReceiptCheck | None:
        """The receipt that reaches furthest of all that were checked; keep its ``record()``."""
        return self._flows.last_receipt

    async def tail(
        self, resume: int = 0, *, heartbeat_ms: int = 1000, omit_actions: bool = False
    ) -> AsyncIterator[pb.TailResponse]:
        """Follow frames, batches and heartbeats from the token ``resume`` on, for ever.

        Interrupted streams are resumed behind the last event. ``next_token`` of an event resumes
        after it. Raises what no resumption can help, for example a token that was never given.
        """

        def request(token: int) -> pb.TailRequest:
            return pb.TailRequest(token=token, heartbeat_ms=heartbeat_ms, omit_actions=omit_actions)

        async for event in self._follow("Tail", request, resume, lambda event: event.next_token):
            yield event

    async def margin_calls(
        self,
        owner: bytes = b"",
        *,
        basis: str = "maintenance",
        multiple_ppm: int = PPM,
        resume: int = 0,
        heartbeat_ms: int = 1000,
    ) -> AsyncIterator[pb.WatchMarginCallsResponse]:
        """Follow the accounts (of one owner) whose equity falls below a multiple of a margin.

        ``basis`` is ``maintenance`` or ``initial``. ``token`` of a message resumes after it; a
        message that says ``restarted`` holds all calls that stand, and any other is met. Messages
        without calls are heartbeats. Interrupted streams are resumed.
        """

        def request(token: int) -> pb.WatchMarginCallsRequest:
            return margin_request(owner, basis, multiple_ppm, token, heartbeat_ms)

        async for message in self._follow(
            "WatchMarginCalls", request, resume, lambda message: message.token
        ):
            yield message

    async def _follow(
        self, name: str, request: Callable[[int], Any], token: int, next_token: Callable[[Any], int]
    ) -> AsyncIterator[Any]:
        """Yield a stream's messages, from `token` on, and resume it wherever it breaks off.

        Raises what no resumption can help, and Unavailable if nobody answers at all.
        """
        begun = False
        while True:
            stream = getattr(self._stub, name)(
                request(token), timeout=STREAM_SECONDS, metadata=self._metadata
            )
            try:
                async for message in stream:
                    begun, token = True, next_token(message)
                    yield message
            except grpc.RpcError as error:
                await asyncio.sleep(resume_pause(failure(error, name, submits=False), begun))
            finally:
                stream.cancel()
