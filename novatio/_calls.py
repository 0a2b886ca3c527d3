"""Every call of the clients, declared once: its arguments, what it answers, and what it asks for.

A call is a flow: it yields what is to be sent and gets the answers, and knows nothing of how they
travel. ``novatio.client`` and ``novatio.aio`` drive the same flows, the one blocking, the other
awaiting, so their surfaces cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from clearing.codes import Kind, Mode, Side
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
from clearing.units import ALL_SLOTS, SETTLEMENT_ASSET
from node.v1 import node_pb2 as pb
from novatio import netting as nettings
from novatio import statements
from novatio._flows import (
    Encodable,
    Flow,
    Flows,
    KeyTerms,
    OrderTerms,
    Outcome,
    RequestTerms,
    TradeTerms,
)
from novatio.errors import BadRequest
from novatio.netting import Netting
from novatio.orders import Market, Number, SignedOrder, micro
from novatio.pool import Owned
from novatio.proofs import ReceiptCheck
from novatio.signing import Signer
from novatio.statements import Fill, Period, Statement

T = TypeVar("T")


def _ask(flows: Flows, method: str, request: Any, response: type[T]) -> Flow[T]:
    return cast(Flow[T], flows.call(method, request))


# Reads


def info(flows: Flows, /) -> Flow[pb.GetInfoResponse]:
    """Return chain, law, sequencer and limits; asked once and remembered."""
    return flows.info()


def heads(flows: Flows, /) -> Flow[pb.GetHeadsResponse]:
    """Return how far sequence, batches and base layer have come."""
    return _ask(flows, "GetHeads", pb.GetHeadsRequest(), pb.GetHeadsResponse)


def params(flows: Flows, /) -> Flow[pb.GetParamsResponse]:
    """Return the law's parameters and the balances of the funds."""
    return _ask(flows, "GetParams", pb.GetParamsRequest(), pb.GetParamsResponse)


def instruments(flows: Flows, /) -> Flow[list[pb.Instrument]]:
    """Return all instruments."""
    return flows.instruments()


def instrument(flows: Flows, /, instrument: str | int) -> Flow[pb.Instrument]:
    """Return one instrument by symbol or number, fresh. Raises NotFound."""
    market = yield from flows.market(instrument)
    found = yield from _ask(
        flows,
        "GetInstrument",
        pb.GetInstrumentRequest(id=market.instrument),
        pb.GetInstrumentResponse,
    )
    return found.instrument


def assets(flows: Flows, /) -> Flow[list[pb.Asset]]:
    """Return the collateral assets by number."""
    found = yield from _ask(flows, "ListAssets", pb.ListAssetsRequest(), pb.ListAssetsResponse)
    return list(found.assets)


def pool(flows: Flows, /, pool: int) -> Flow[pb.Pool]:
    """Return a pool of liquidity providers with its value. Raises NotFound."""
    found = yield from _ask(flows, "GetPool", pb.GetPoolRequest(id=pool), pb.GetPoolResponse)
    return found.pool


def market(flows: Flows, /, instrument: str | int) -> Flow[Market]:
    """Return the unit conversions of an instrument, remembered. Raises NotFound."""
    return flows.market(instrument)


def underlying(flows: Flows, /, underlying: int) -> Flow[pb.Underlying]:
    """Return what an underlying's instruments share: index, grid, expiries, scenarios.

    Raises NotFound.
    """
    request = pb.GetUnderlyingRequest(id=underlying)
    found = yield from _ask(flows, "GetUnderlying", request, pb.GetUnderlyingResponse)
    return found.underlying


def account(flows: Flows, /, account: int) -> Flow[pb.Account]:
    """Return an account with its positions and margin. Raises NotFound."""
    found = yield from _ask(
        flows, "GetAccount", pb.GetAccountRequest(id=account), pb.GetAccountResponse
    )
    return found.account


def account_risk(flows: Flows, /, account: int) -> Flow[pb.GetAccountResponse]:
    """Return an account with its risk: liquidation prices, margin ratio, free collateral, Greeks.

    Of a portfolio also Value at Risk and Expected Shortfall over its historical scenarios. Units
    are those of ``Greeks`` and ``ScenarioTail`` in node.proto. Raises NotFound.
    """
    request = pb.GetAccountRequest(id=account)
    return _ask(flows, "GetAccount", request, pb.GetAccountResponse)


def statement(
    flows: Flows, /, account: int, period: Period | None = None, *, kinds: Iterable[str] = ()
) -> Flow[Statement]:
    """Return what changed an account's cash in a period, oldest first, of some kinds or all.

    Kinds are those of ``LineKind`` in node.proto, for example fill, fee, funding, liquidation,
    auction, loss_share or pool_trade. Lines of all kinds are checked to add up to the change
    of cash. Raises NotFound, VerificationFailed.
    """
    return statements.statement(flows, account, period or Period(), kinds)


def fills(flows: Flows, /, account: int, period: Period | None = None) -> Flow[list[Fill]]:
    """Return an account's fills in a period, oldest first, each with its fee."""
    found = yield from statement(flows, account, period, kinds=statements.FILL_KINDS)
    return statements.fills_of(found)


def netting(flows: Flows, /, *, cycle_ms: int = 0, time_ms: int = 0) -> Flow[Netting]:
    """Return what a settlement cycle of the law's time nets to, and its trades compressed.

    Cycles of ``cycle_ms`` (0: the law's own cycle of marking to market) follow each other from
    1970 on; the one that holds ``time_ms`` is meant (0: the present one). Checked to sum to
    zero. Raises NotFound, VerificationFailed.
    """
    return nettings.netting(flows, cycle_ms, time_ms)


def explain(flows: Flows, /, sequence: int) -> Flow[Outcome]:
    """Return what became of action ``sequence``, with the operands that the law judged it by.

    The node runs the law up to it, so the cost grows with the sequence. Raises NotFound.
    """
    return flows.explain(sequence)


def accounts(flows: Flows, /, owner: bytes = b"", *, limit: int = 1000) -> Flow[list[pb.Account]]:
    """Return up to ``limit`` accounts, of one owner (20 bytes) if given."""
    request = pb.ListAccountsRequest(owner=owner)
    return flows.pages("ListAccounts", request, "accounts", limit)


def what_if(
    flows: Flows, /, account: int, fills: Sequence[pb.HypotheticalFill]
) -> Flow[pb.WhatIfMarginResponse]:
    """Return an account's margin as it is and as it would be after up to 64 fills."""
    request = pb.WhatIfMarginRequest(account=account, fills=fills)
    return _ask(flows, "WhatIfMargin", request, pb.WhatIfMarginResponse)


def batches(flows: Flows, /, *, limit: int = 50) -> Flow[list[pb.Batch]]:
    """Return up to ``limit`` batches, newest first."""
    return flows.pages("ListBatches", pb.ListBatchesRequest(), "batches", limit)


def batch(flows: Flows, /, number: int) -> Flow[pb.GetBatchResponse]:
    """Return one batch with the opening of its post root. Raises NotFound."""
    return _ask(flows, "GetBatch", pb.GetBatchRequest(number=number), pb.GetBatchResponse)


def batch_data(flows: Flows, /, number: int) -> Flow[bytes]:
    """Return the data of one batch as it is posted. Raises NotFound."""
    return flows.batch_data(number)


def account_proof(flows: Flows, /, account: int) -> Flow[pb.GetAccountProofResponse]:
    """Return an account's leaf and path to the present root; see ``verify_account_proof``."""
    return _ask(
        flows, "GetAccountProof", pb.GetAccountProofRequest(id=account), pb.GetAccountProofResponse
    )


def withdrawal_proof(
    flows: Flows, /, index: int, *, batch: int = 0
) -> Flow[pb.GetWithdrawalProofResponse]:
    """Return a withdrawal's leaf and path under a batch, 0 for the newest claimable one."""
    request = pb.GetWithdrawalProofRequest(index=index, batch_number=batch)
    return _ask(flows, "GetWithdrawalProof", request, pb.GetWithdrawalProofResponse)


def action(flows: Flows, /, action_hash: bytes) -> Flow[Outcome]:
    """Return the outcome of an earlier action by its hash, proven by its receipt."""
    return flows.action(action_hash)


def receipt(flows: Flows, /, action_hash: bytes) -> Flow[ReceiptCheck]:
    """Return the checked receipt of the frame that holds an action; keep its ``record()``."""
    return flows.receipt(action_hash)


# Submission


def submit(flows: Flows, /, actions: Iterable[Encodable | bytes]) -> Flow[list[Outcome]]:
    """Submit actions in order and return one checked outcome each.

    Rejections are outcomes, not exceptions; ``Outcome.raise_for_rejection`` makes them some.
    Raises OutcomeUnknown when nobody answered (submit the same bytes again), Overloaded when
    the node shed the call, VerificationFailed when the receipt does not hold.
    """
    return flows.submit(actions)


def submit_request(
    flows: Flows, /, request: Request, *, signer: Signer | None = None
) -> Flow[Outcome]:
    """Sign and submit any action of ``clearing.forms``; unsigned kinds go as they are.

    ``Request.of(Kind.SETTLE, account=3, instrument=7)`` makes one. Raises as ``submit`` does.
    """
    return flows.submit_request(request, signer)


def submit_owned(
    flows: Flows,
    /,
    owned: Owned,
    *,
    sequence: int | None = None,
    expiry_ms: int | None = None,
    signer: Signer | None = None,
) -> Flow[Outcome]:
    """Sign and submit a request of an account's owner, as ``novatio.pool`` makes them."""
    terms = RequestTerms(sequence, expiry_ms, signer)
    request = flows.owner_request(owned.kind, terms, **owned.values)
    return flows.submit_request(request, signer)


def grant_key(
    flows: Flows,
    /,
    account: int,
    key: bytes,
    terms: KeyTerms,
    *,
    sequence: int | None = None,
    signer: Signer | None = None,
) -> Flow[Outcome]:
    """Let the address ``key`` (20 bytes) sign for an account within ``terms``."""
    request = RequestTerms(sequence, None, signer)
    return flows.grant_key(account, key, terms, request)


def revoke_key(
    flows: Flows,
    /,
    account: int,
    key: bytes,
    *,
    sequence: int | None = None,
    signer: Signer | None = None,
) -> Flow[Outcome]:
    """Take a session key back."""
    terms = RequestTerms(sequence, None, signer)
    return flows.change_key(Kind.KEY_REVOKE, account, key, terms)


def rotate_key(
    flows: Flows,
    /,
    account: int,
    key: bytes,
    *,
    sequence: int | None = None,
    signer: Signer | None = None,
) -> Flow[Outcome]:
    """Put the address ``key`` in the owner's place: no other key signs any more.

    From then on withdrawals go to that address: make sure that somebody holds its key.
    """
    terms = RequestTerms(sequence, None, signer)
    return flows.change_key(Kind.ROTATE_KEY, account, key, terms)


def set_mode(
    flows: Flows,
    /,
    account: int,
    mode: Mode | str,
    *,
    sequence: int | None = None,
    expiry_ms: int | None = None,
    signer: Signer | None = None,
) -> Flow[Outcome]:
    """Margin an account as ``cross``, ``isolated`` or ``portfolio`` from now on.

    The law refuses what the account's equity would not cover, an isolated account of several
    positions, and a change to the mode that it has. Raises BadRequest for another word.
    """
    terms = RequestTerms(sequence, expiry_ms, signer)
    request = flows.owner_request(Kind.SET_MODE, terms, account=account, mode=int(_mode(mode)))
    return flows.submit_request(request, signer)


def _mode(mode: Mode | str) -> Mode:
    found = {one.name.lower(): one for one in Mode}
    if isinstance(mode, Mode):
        return mode
    if mode not in found:
        raise BadRequest(f"mode: expected one of {', '.join(found)}, was {mode!r}")
    return found[mode]


def govern(
    flows: Flows,
    /,
    kind: Kind,
    *,
    payload: Sequence[int] = (),
    signer: Signer | None = None,
    **values: int,
) -> Flow[Outcome]:
    """Submit an act of governance or guardian with the next sequence, for example a halt.

    ``govern(Kind.HALT)``. The payload of parameters is made by ``novatio.governance``.
    """
    return flows.govern(kind, payload, signer, values)


# Building and signing


def order(
    flows: Flows,
    /,
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
) -> Flow[SignedOrder]:
    """Return a signed order for ``size`` of the underlying at a limit ``price``.

    The order is named by (account, slot, sequence): a fill by a higher sequence takes the slot
    over. ``sequence`` defaults to the time in ms (always rising), ``expiry_ms`` to a day from
    now. With a ``venue`` (20 bytes) only trades that it co-signs can fill the order. Raises
    Inexact unless size and price are whole lots and ticks.
    """
    terms = OrderTerms(slot, sequence, expiry_ms, max_fee_ppm, reduce_only, maker_only, venue)
    return flows.order(account, instrument, side, size, price, terms, signer)


def sign_bulk(
    flows: Flows, /, orders: Sequence[SignedOrder], *, signer: Signer | None = None
) -> Flow[list[SignedOrder]]:
    """Return 1 .. 4,096 orders of one owner with one signature over them all.

    Make them with ``Market.order``, which signs nothing.
    """
    return flows.orders(orders, signer)


def trade(
    flows: Flows,
    /,
    maker: SignedOrder,
    taker: SignedOrder,
    *,
    size: Number | None = None,
    price: Number | None = None,
    maker_fee_ppm: int = 0,
    taker_fee_ppm: int = 0,
    venue_signer: Signer | None = None,
) -> Flow[Trade]:
    """Return the trade of two orders, ready to submit.

    ``size`` defaults to that of the smaller order, ``price`` to the maker's limit. If the
    orders name a venue, it co-signs with ``venue_signer`` or the client's key.
    """
    terms = TradeTerms(size, price, maker_fee_ppm, taker_fee_ppm, venue_signer)
    return flows.trade(maker, taker, terms)


def withdraw(
    flows: Flows,
    /,
    account: int,
    amount: Number,
    *,
    asset: int = SETTLEMENT_ASSET,
    sequence: int | None = None,
    expiry_ms: int | None = None,
    signer: Signer | None = None,
) -> Flow[Withdraw]:
    """Return a signed withdrawal of an amount of an asset to the owner."""
    value = micro(amount)
    return flows.request(
        lambda number, expiry: Withdraw(account, asset, value, number, expiry),
        RequestTerms(sequence, expiry_ms, signer),
    )


def transfer(
    flows: Flows,
    /,
    sender: int,
    recipient: int,
    amount: Number,
    *,
    asset: int = SETTLEMENT_ASSET,
    sequence: int | None = None,
    expiry_ms: int | None = None,
    signer: Signer | None = None,
) -> Flow[Transfer]:
    """Return a signed transfer of an amount of an asset between accounts."""
    value = micro(amount)
    return flows.request(
        lambda number, expiry: Transfer(sender, recipient, asset, value, number, expiry),
        RequestTerms(sequence, expiry_ms, signer),
    )


def cancel(
    flows: Flows,
    /,
    account: int,
    slot: int | None = None,
    *,
    sequence: int | None = None,
    signer: Signer | None = None,
) -> Flow[Cancel]:
    """Return a signed cancel of the orders of a slot, None for all, up to ``sequence``."""
    place = ALL_SLOTS if slot is None else slot
    return flows.request(
        lambda number, _: Cancel(account, place, number),
        RequestTerms(sequence, None, signer),
    )


def liquidate(
    flows: Flows,
    /,
    keeper: int,
    account: int,
    instrument: str | int,
    size: Number,
    *,
    sequence: int | None = None,
    expiry_ms: int | None = None,
    signer: Signer | None = None,
) -> Flow[Liquidate]:
    """Return a keeper's signed offer to take up to ``size`` of a failing position."""
    terms = RequestTerms(sequence, expiry_ms, signer)
    return flows.liquidate(keeper, account, instrument, size, terms)


def observation(
    flows: Flows,
    /,
    instrument: str | int,
    index_price: Number,
    mark_price: Number,
    *,
    time_ms: int | None = None,
    signer: Signer | None = None,
) -> Flow[PriceObservation]:
    """Return a publisher's signed view of the prices of one unit of the underlying."""
    return flows.observation(instrument, index_price, mark_price, time_ms, signer)


def price(
    flows: Flows, /, instrument: str | int, observations: Iterable[PriceObservation]
) -> Flow[Price]:
    """Return the price action of a quorum of observations."""
    market = yield from flows.market(instrument)
    return Price(market.instrument, tuple(observations))


def funding(flows: Flows, /, instrument: str | int) -> Flow[Funding]:
    """Return the action that closes an instrument's funding interval; nobody signs it."""
    market = yield from flows.market(instrument)
    return Funding(market.instrument)
