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
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

import grpc

from clearing.codes import Kind, Side
from clearing.messages import (
    NO_ADDRESS,
    Cancel,
    Funding,
    Liquidate,
    Price,
    PriceObservation,
    Trade,
    Transfer,
    Withdraw,
)
from clearing.requests import Request
from clearing.units import ALL_SLOTS, PPM, SETTLEMENT_ASSET
from node.v1 import node_pb2 as pb
from node.v1.node_pb2_grpc import NodeServiceStub
from novatio._flows import (
    DEADLINE_SECONDS,
    STREAM_SECONDS,
    Call,
    Encodable,
    Flow,
    Flows,
    KeyTerms,
    OrderTerms,
    Outcome,
    RequestTerms,
    Sleep,
    TradeTerms,
    resume_pause,
    wall_clock_ms,
)
from novatio._wire import API_KEY_HEADER, Tls, channel_options, failure, tls_credentials
from novatio.aio import AsyncClient
from novatio.errors import NovatioError
from novatio.netting import Netting, netting
from novatio.orders import Market, Number, SignedOrder, micro
from novatio.pool import Owned
from novatio.proofs import ReceiptCheck
from novatio.signing import Signer, find_signer
from novatio.statements import (
    FILL_KINDS,
    Fill,
    Period,
    Statement,
    fills_of,
    margin_request,
    statement,
)

__all__ = ["AsyncClient", "Client", "Outcome", "Tls"]

T = TypeVar("T")


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

    def _run(self, flow: Generator[Call | Sleep, Any, T]) -> T:
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

    def _ask(self, method: str, request: Any, response: type[T]) -> T:
        answer = self._run(self._flows.call(method, request))
        return cast(T, answer)

    # -- reads -----------------------------------------------------------------------------------

    def info(self) -> pb.GetInfoResponse:
        """Return chain, law, sequencer and limits; asked once and remembered."""
        return self._run(self._flows.info())

    def heads(self) -> pb.GetHeadsResponse:
        """Return how far sequence, batches and base layer have come."""
        return self._ask("GetHeads", pb.GetHeadsRequest(), pb.GetHeadsResponse)

    def params(self) -> pb.GetParamsResponse:
        """Return the law's parameters and the balances of the funds."""
        return self._ask("GetParams", pb.GetParamsRequest(), pb.GetParamsResponse)

    def instruments(self) -> list[pb.Instrument]:
        """Return all instruments."""
        return self._run(self._flows.instruments())

    def instrument(self, instrument: str | int) -> pb.Instrument:
        """Return one instrument by symbol or number, fresh. Raises NotFound."""
        market = self.market(instrument)
        found = self._ask(
            "GetInstrument", pb.GetInstrumentRequest(id=market.instrument), pb.GetInstrumentResponse
        )
        return found.instrument

    def assets(self) -> list[pb.Asset]:
        """Return the collateral assets by number."""
        found = self._ask("ListAssets", pb.ListAssetsRequest(), pb.ListAssetsResponse)
        return list(found.assets)

    def pool(self, pool: int) -> pb.Pool:
        """Return a pool of liquidity providers with its value. Raises NotFound."""
        found = self._ask("GetPool", pb.GetPoolRequest(id=pool), pb.GetPoolResponse)
        return found.pool

    def market(self, instrument: str | int) -> Market:
        """Return the unit conversions of an instrument, remembered. Raises NotFound."""
        return self._run(self._flows.market(instrument))

    def underlying(self, underlying: int) -> pb.Underlying:
        """Return what an underlying's instruments share: index, grid, expiries, scenarios.

        Raises NotFound.
        """
        request = pb.GetUnderlyingRequest(id=underlying)
        found = self._ask("GetUnderlying", request, pb.GetUnderlyingResponse)
        return found.underlying

    def account(self, account: int) -> pb.Account:
        """Return an account with its positions and margin. Raises NotFound."""
        found = self._ask("GetAccount", pb.GetAccountRequest(id=account), pb.GetAccountResponse)
        return found.account

    def account_risk(self, account: int) -> pb.GetAccountResponse:
        """Return an account with its risk: liquidation prices, margin ratio, free collateral."""
        request = pb.GetAccountRequest(id=account)
        return self._ask("GetAccount", request, pb.GetAccountResponse)

    def statement(
        self, account: int, period: Period | None = None, *, kinds: Iterable[str] = ()
    ) -> Statement:
        """Return what changed an account's cash in a period, oldest first, of some kinds or all.

        Kinds are those of ``LineKind`` in node.proto, for example fill, fee, funding, liquidation,
        auction, loss_share or pool_trade. Lines of all kinds are checked to add up to the change
        of cash. Raises NotFound, VerificationFailed.
        """
        return self._run(statement(self._flows, account, period or Period(), kinds))

    def fills(self, account: int, period: Period | None = None) -> list[Fill]:
        """Return an account's fills in a period, oldest first, each with its fee."""
        return fills_of(self.statement(account, period, kinds=FILL_KINDS))

    def netting(self, *, cycle_ms: int = 0, time_ms: int = 0) -> Netting:
        """Return what a settlement cycle of the law's time nets to, and its trades compressed.

        Cycles of ``cycle_ms`` (0: the law's own cycle of marking to market) follow each other from
        1970 on; the one that holds ``time_ms`` is meant (0: the present one). Checked to sum to
        zero. Raises NotFound, VerificationFailed.
        """
        return self._run(netting(self._flows, cycle_ms, time_ms))

    def explain(self, sequence: int) -> Outcome:
        """Return what became of action ``sequence``, with the operands that the law judged it by.

        The node runs the law up to it, so the cost grows with the sequence. Raises NotFound.
        """
        return self._run(self._flows.explain(sequence))

    def accounts(self, owner: bytes = b"", *, limit: int = 1000) -> list[pb.Account]:
        """Return up to ``limit`` accounts, of one owner (20 bytes) if given."""
        request = pb.ListAccountsRequest(owner=owner)
        return self._run(self._flows.pages("ListAccounts", request, "accounts", limit))

    def what_if(
        self, account: int, fills: Sequence[pb.HypotheticalFill]
    ) -> pb.WhatIfMarginResponse:
        """Return an account's margin as it is and as it would be after up to 64 fills."""
        request = pb.WhatIfMarginRequest(account=account, fills=fills)
        return self._ask("WhatIfMargin", request, pb.WhatIfMarginResponse)

    def batches(self, *, limit: int = 50) -> list[pb.Batch]:
        """Return up to ``limit`` batches, newest first."""
        return self._run(
            self._flows.pages("ListBatches", pb.ListBatchesRequest(), "batches", limit)
        )

    def batch(self, number: int) -> pb.GetBatchResponse:
        """Return one batch with the opening of its post root. Raises NotFound."""
        return self._ask("GetBatch", pb.GetBatchRequest(number=number), pb.GetBatchResponse)

    def batch_data(self, number: int) -> bytes:
        """Return the data of one batch as it is posted. Raises NotFound."""
        return self._run(self._flows.batch_data(number))

    def account_proof(self, account: int) -> pb.GetAccountProofResponse:
        """Return an account's leaf and path to the present root; see ``verify_account_proof``."""
        return self._ask(
            "GetAccountProof", pb.GetAccountProofRequest(id=account), pb.GetAccountProofResponse
        )

    def withdrawal_proof(self, index: int, *, batch: int = 0) -> pb.GetWithdrawalProofResponse:
        """Return a withdrawal's leaf and path under a batch, 0 for the newest claimable one."""
        request = pb.GetWithdrawalProofRequest(index=index, batch_number=batch)
        return self._ask("GetWithdrawalProof", request, pb.GetWithdrawalProofResponse)

    def action(self, action_hash: bytes) -> Outcome:
        """Return the outcome of an earlier action by its hash, proven by its receipt."""
        return self._run(self._flows.action(action_hash))

    @property
    def last_receipt(self) -> ReceiptCheck | None:
        """The receipt that reaches furthest of all that were checked; keep its ``record()``."""
        return self._flows.last_receipt

    def receipt(self, action_hash: bytes) -> ReceiptCheck:
        """Return the checked receipt of the frame that holds an action; keep its ``record()``."""
        return self._run(self._flows.receipt(action_hash))

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

    # -- submission ------------------------------------------------------------------------------

    def submit(self, actions: Iterable[Encodable | bytes]) -> list[Outcome]:
        """Submit actions in order and return one checked outcome each.

        Rejections are outcomes, not exceptions; ``Outcome.raise_for_rejection`` makes them some.
        Raises OutcomeUnknown when nobody answered (submit the same bytes again), Overloaded when
        the node shed the call, VerificationFailed when the receipt does not hold.
        """
        return self._run(self._flows.submit(actions))

    def submit_request(self, request: Request, *, signer: Signer | None = None) -> Outcome:
        """Sign and submit any action of ``clearing.forms``; unsigned kinds go as they are.

        ``Request.of(Kind.SETTLE, account=3, instrument=7)`` makes one. Raises as ``submit`` does.
        """
        return self._run(self._flows.submit_request(request, signer))

    def submit_owned(
        self,
        owned: Owned,
        *,
        sequence: int | None = None,
        expiry_ms: int | None = None,
        signer: Signer | None = None,
    ) -> Outcome:
        """Sign and submit a request of an account's owner, as ``novatio.pool`` makes them."""
        terms = RequestTerms(sequence, expiry_ms, signer)
        request = self._flows.owner_request(owned.kind, terms, **owned.values)
        return self._run(self._flows.submit_request(request, signer))

    def grant_key(
        self,
        account: int,
        key: bytes,
        terms: KeyTerms,
        *,
        sequence: int | None = None,
        signer: Signer | None = None,
    ) -> Outcome:
        """Let the address ``key`` (20 bytes) sign for an account within ``terms``."""
        request = RequestTerms(sequence, None, signer)
        return self._run(self._flows.grant_key(account, key, terms, request))

    def revoke_key(
        self, account: int, key: bytes, *, sequence: int | None = None, signer: Signer | None = None
    ) -> Outcome:
        """Take a session key back."""
        terms = RequestTerms(sequence, None, signer)
        return self._run(self._flows.change_key(Kind.KEY_REVOKE, account, key, terms))

    def rotate_key(
        self, account: int, key: bytes, *, sequence: int | None = None, signer: Signer | None = None
    ) -> Outcome:
        """Put the address ``key`` in the owner's place: no other key signs any more.

        From then on withdrawals go to that address: make sure that somebody holds its key.
        """
        terms = RequestTerms(sequence, None, signer)
        return self._run(self._flows.change_key(Kind.ROTATE_KEY, account, key, terms))

    def govern(
        self,
        kind: Kind,
        *,
        payload: Sequence[int] = (),
        signer: Signer | None = None,
        **values: int,
    ) -> Outcome:
        """Submit an act of governance or guardian with the next sequence, for example a halt.

        ``govern(Kind.HALT)``. The payload of parameters is made by ``novatio.governance``.
        """
        return self._run(self._flows.govern(kind, payload, signer, values))

    # -- building and signing --------------------------------------------------------------------

    def order(
        self,
        account: int,
        instrument: str | int,
        side: Side | str,
        size: Number,
        price: Number,
        *,
        slot: int = 0,
        sequence: int | None = None,
        expiry_ms: int | None = None,
        max_fee_ppm: int = 500,
        reduce_only: bool = False,
        maker_only: bool = False,
        venue: bytes = NO_ADDRESS,
        signer: Signer | None = None,
    ) -> SignedOrder:
        """Return a signed order for ``size`` of the underlying at a limit ``price``.

        The order is named by (account, slot, sequence): a fill by a higher sequence takes the slot
        over. ``sequence`` defaults to the time in ms (always rising), ``expiry_ms`` to a day from
        now. With a ``venue`` (20 bytes) only trades that it co-signs can fill the order. Raises
        Inexact unless size and price are whole lots and ticks.
        """
        terms = OrderTerms(slot, sequence, expiry_ms, max_fee_ppm, reduce_only, maker_only, venue)
        return self._run(self._flows.order(account, instrument, side, size, price, terms, signer))

    def sign_bulk(
        self, orders: Sequence[SignedOrder], *, signer: Signer | None = None
    ) -> list[SignedOrder]:
        """Return 1 .. 4,096 orders of one owner with one signature over them all.

        Make them with ``Market.order``, which signs nothing.
        """
        return self._run(self._flows.orders(orders, signer))

    def trade(
        self,
        maker: SignedOrder,
        taker: SignedOrder,
        *,
        size: Number | None = None,
        price: Number | None = None,
        maker_fee_ppm: int = 0,
        taker_fee_ppm: int = 0,
        venue_signer: Signer | None = None,
    ) -> Trade:
        """Return the trade of two orders, ready to submit.

        ``size`` defaults to that of the smaller order, ``price`` to the maker's limit. If the
        orders name a venue, it co-signs with ``venue_signer`` or the client's key.
        """
        terms = TradeTerms(size, price, maker_fee_ppm, taker_fee_ppm, venue_signer)
        return self._run(self._flows.trade(maker, taker, terms))

    def withdraw(
        self,
        account: int,
        amount: Number,
        *,
        asset: int = SETTLEMENT_ASSET,
        sequence: int | None = None,
        expiry_ms: int | None = None,
        signer: Signer | None = None,
    ) -> Withdraw:
        """Return a signed withdrawal of an amount of an asset to the owner."""
        value = micro(amount)
        return self._request(
            lambda number, expiry: Withdraw(account, asset, value, number, expiry),
            RequestTerms(sequence, expiry_ms, signer),
        )

    def transfer(
        self,
        sender: int,
        recipient: int,
        amount: Number,
        *,
        asset: int = SETTLEMENT_ASSET,
        sequence: int | None = None,
        expiry_ms: int | None = None,
        signer: Signer | None = None,
    ) -> Transfer:
        """Return a signed transfer of an amount of an asset between accounts."""
        value = micro(amount)
        return self._request(
            lambda number, expiry: Transfer(sender, recipient, asset, value, number, expiry),
            RequestTerms(sequence, expiry_ms, signer),
        )

    def cancel(
        self,
        account: int,
        slot: int | None = None,
        *,
        sequence: int | None = None,
        signer: Signer | None = None,
    ) -> Cancel:
        """Return a signed cancel of the orders of a slot, None for all, up to ``sequence``."""
        place = ALL_SLOTS if slot is None else slot
        return self._request(
            lambda number, _: Cancel(account, place, number),
            RequestTerms(sequence, None, signer),
        )

    def liquidate(
        self,
        keeper: int,
        account: int,
        instrument: str | int,
        size: Number,
        *,
        sequence: int | None = None,
        expiry_ms: int | None = None,
        signer: Signer | None = None,
    ) -> Liquidate:
        """Return a keeper's signed offer to take up to ``size`` of a failing position."""
        terms = RequestTerms(sequence, expiry_ms, signer)
        return self._run(self._flows.liquidate(keeper, account, instrument, size, terms))

    def observation(
        self,
        instrument: str | int,
        index_price: Number,
        mark_price: Number,
        *,
        time_ms: int | None = None,
        signer: Signer | None = None,
    ) -> PriceObservation:
        """Return a publisher's signed view of the prices of one unit of the underlying."""
        return self._run(
            self._flows.observation(instrument, index_price, mark_price, time_ms, signer)
        )

    def price(self, instrument: str | int, observations: Iterable[PriceObservation]) -> Price:
        """Return the price action of a quorum of observations."""
        return Price(self.market(instrument).instrument, tuple(observations))

    def funding(self, instrument: str | int) -> Funding:
        """Return the action that closes an instrument's funding interval; nobody signs it."""
        return Funding(self.market(instrument).instrument)

    def _request(self, make: Callable[[int, int], T], terms: RequestTerms) -> T:
        flow: Flow[T] = self._flows.request(make, terms)
        return self._run(flow)
