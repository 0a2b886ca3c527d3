"""What both clients do, once: generators that ask for calls and pauses and know no I/O.

A flow yields ``Call`` and is sent the response, or the NovatioError that the call failed with; it
yields ``Sleep`` to wait. ``Client`` and ``AsyncClient`` drive the same flows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, TypeVar

from clearing import eip712
from clearing.codes import ACCEPTANCE, Code, Kind, Side
from clearing.forms import OWNER
from clearing.messages import NO_ADDRESS, Liquidate, PriceObservation, Trade, action_hash
from clearing.requests import Request
from node.v1 import node_pb2 as pb
from novatio.errors import (
    BadRequest,
    KeyUnusable,
    NotFound,
    NovatioError,
    OutcomeUnknown,
    Overloaded,
    RejectedByLaw,
    Unavailable,
    VerificationFailed,
)
from novatio.orders import (
    Market,
    Number,
    SignedOrder,
    match,
    sign_bulk,
    sign_order,
    sign_trade,
)
from novatio.proofs import ReceiptCheck, check_domain, check_receipt
from novatio.signing import Signer

T = TypeVar("T")

ATTEMPTS_UNPROMPTED = 4
PAUSE_SECONDS = 0.1
PAGE_SIZE = 100
DEADLINE_SECONDS = 5.0
# A stream is begun anew this often, so that a dead peer cannot keep a reader waiting for ever.
STREAM_SECONDS = 60.0
RESUME_SECONDS = 0.2
ORDER_LIFE_MS = 86_400_000
REQUEST_LIFE_MS = 600_000


@dataclass(frozen=True, slots=True)
class Call:
    """Call ``method`` of the node service; ``streams`` asks for the list of all responses."""

    method: str
    request: Any
    timeout: float
    submits: bool = False
    streams: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


Flow: TypeAlias = Generator[Call | Sleep, Any, T]


class Encodable(Protocol):
    """Any action of ``clearing.messages``."""

    def encode(self) -> bytes:
        """Return the action's bytes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action, as the node told it and its receipt proved it.

    ``sequence`` is its place among all sequenced actions, counted from 1. ``repeated`` says that it
    had been sequenced before: code and sequence are the first ones. ``proven`` says that a receipt
    was checked which covers it: always of a new action; of an earlier one not before its outcome
    reached the node's disk, which the next batch sees to (ask again with ``Client.action``).
    ``message`` and ``operands`` say why it was rejected; the node spells them out for the first
    rejections of a submission.
    """

    code: Code
    sequence: int
    action_hash: bytes
    repeated: bool = False
    proven: bool = True
    message: str = ""
    operands: Mapping[str, str] = field(default_factory=dict)

    @property
    def applied(self) -> bool:
        """Whether the law applied it."""
        return self.code == Code.APPLIED

    @property
    def acceptance(self) -> str:
        """Acceptance code of the rule that rejected it, for example CLR-TRD-008; else empty."""
        return ACCEPTANCE.get(self.code, "")

    def error(self) -> RejectedByLaw | None:
        """Return the rejection as an error, None if it was applied."""
        if self.applied:
            return None
        return RejectedByLaw(
            self.message,
            code=int(self.code),
            reason=self.code.name,
            acceptance=self.acceptance,
            operands=self.operands,
        )

    def raise_for_rejection(self) -> Outcome:
        """Return itself if applied. Raises RejectedByLaw."""
        error = self.error()
        if error is not None:
            raise error
        return self


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What an order may leave to its defaults; see ``Client.order``."""

    slot: int = 0
    sequence: int | None = None
    expiry_ms: int | None = None
    max_fee_ppm: int = 500
    reduce_only: bool = False
    maker_only: bool = False
    venue: bytes = NO_ADDRESS


@dataclass(frozen=True, slots=True)
class TradeTerms:
    """What a trade may leave to its defaults; see ``Client.trade``."""

    size: Number | None = None
    price: Number | None = None
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    venue_signer: Signer | None = None


@dataclass(frozen=True, slots=True)
class RequestTerms:
    """What a request may leave to its defaults: sequence, expiry and signer."""

    sequence: int | None = None
    expiry_ms: int | None = None
    signer: Signer | None = None


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a session key may do: ``clearing.codes.Scope`` bits, where, for how much, until when.

    ``limit_micro`` is the micro-quote that it may still open or transfer.
    """

    scope: int
    limit_micro: int
    expiry_ms: int
    first_instrument: int = 0
    last_instrument: int = (1 << 24) - 1


class Flows:
    """The operations, with what they remember: node, markets and the last receipt."""

    def __init__(
        self,
        signer: Signer | None,
        deadline: float,
        clock_ms: Callable[[], int],
        sequencer: bytes | None,
    ) -> None:
        self.signer = signer
        self.deadline = deadline
        self.clock_ms = clock_ms
        self.sequencer = sequencer
        self.known: pb.GetInfoResponse | None = None
        self.markets: dict[str, Market] = {}
        self.last_receipt: ReceiptCheck | None = None
        self.last_sequence = 0

    # -- calls -----------------------------------------------------------------------------------

    def call(
        self, method: str, request: Any, *, submits: bool = False, streams: bool = False
    ) -> Flow[Any]:
        """Call within the deadline; send the same bytes again where the node may come back."""
        end = time.monotonic() + self.deadline
        pause, attempts = PAUSE_SECONDS, 0
        unknown: OutcomeUnknown | None = None
        while True:
            left = max(end - time.monotonic(), 0.001)
            try:
                return (yield Call(method, request, left, submits, streams))
            except NovatioError as error:
                attempts += 1
                if isinstance(error, OutcomeUnknown):
                    unknown = error
                asked = error.retry_after if isinstance(error, Overloaded) else 0.0
                wait = asked or pause
                tired = not asked and attempts >= ATTEMPTS_UNPROMPTED
                if not error.retryable or tired or time.monotonic() + wait >= end:
                    # A later refusal says nothing about an attempt that may have got through.
                    raise (unknown or error) from error.__cause__
            yield Sleep(wait)
            pause *= 2

    def info(self) -> Flow[pb.GetInfoResponse]:
        """Which node this is, asked once; its domain and sequencer are checked."""
        if self.known is None:
            info = yield from self.call("GetInfo", pb.GetInfoRequest())
            check_domain(info)
            if self.sequencer is not None and info.sequencer != self.sequencer:
                raise VerificationFailed(
                    f"sequencer: expected 0x{self.sequencer.hex()}, was 0x{info.sequencer.hex()}"
                )
            self.known = info
        return self.known

    def domain(self) -> Flow[bytes]:
        """Return the EIP-712 domain separator that everything is signed under."""
        info = yield from self.info()
        return bytes(info.domain_separator)

    # -- reads -----------------------------------------------------------------------------------

    def pages(self, method: str, request: Any, field_name: str, limit: int) -> Flow[list[Any]]:
        """Follow the pages of a list until ``limit`` entries are there."""
        found: list[Any] = []
        while len(found) < limit:
            request.page_size = min(limit - len(found), PAGE_SIZE)
            response = yield from self.call(method, request)
            found.extend(getattr(response, field_name))
            request.page_token = response.next_page_token
            if not response.next_page_token:
                break
        return found[:limit]

    def instruments(self) -> Flow[list[pb.Instrument]]:
        """Return all instruments, and remember how to convert their units."""
        found = yield from self.pages(
            "ListInstruments", pb.ListInstrumentsRequest(), "instruments", 1 << 20
        )
        self.markets = {
            item.symbol: Market(item.id, item.symbol, item.tick_micro, item.lot_size_nano)
            for item in found
        }
        return found

    def market(self, instrument: str | int) -> Flow[Market]:
        """Return the market of a symbol or an instrument's number. Raises NotFound."""
        for last in (False, True):
            for market in self.markets.values():
                if instrument in (market.symbol, market.instrument):
                    return market
            if not last:
                yield from self.instruments()
        raise NotFound(
            f"instrument: expected one of {', '.join(sorted(self.markets))}, was {instrument}",
            reason="NO_INSTRUMENT",
            metadata={"instrument": str(instrument)},
            next_step="novatio instrument list",
        )

    def batch_data(self, number: int) -> Flow[bytes]:
        """Return the data of a batch, checked for its length."""
        pieces = yield from self.call(
            "GetBatchData", pb.GetBatchDataRequest(number=number), streams=True
        )
        data = b"".join(piece.piece for piece in pieces)
        total = pieces[0].total_bytes if pieces else 0
        if len(data) != total:
            raise VerificationFailed(
                f"data of batch {number}: expected {total} bytes, was {len(data)}",
                next_step=f"novatio batch verify {number}",
            )
        return data

    def action(self, digest: bytes) -> Flow[Outcome]:
        """Return the outcome of an earlier submission, proven if the node has a receipt for it."""
        response = yield from self.call("GetAction", pb.GetActionRequest(action_hash=digest))
        proven = response.HasField("receipt")
        if proven:
            check = yield from self.checked(response.receipt)
            _check_place(check, digest, response.sequence)
        return Outcome(Code(response.code), response.sequence, digest, repeated=True, proven=proven)

    def receipt(self, digest: bytes) -> Flow[ReceiptCheck]:
        """Return the checked receipt of the frame that holds an action. Raises NotFound."""
        response = yield from self.call("GetAction", pb.GetActionRequest(action_hash=digest))
        if not response.HasField("receipt"):
            raise NotFound(
                f"action 0x{digest.hex()}: expected a receipt of its frame, was none yet",
                next_step="the same call a moment later",
            )
        check = yield from self.checked(response.receipt)
        _check_place(check, digest, response.sequence)
        return check

    def explain(self, sequence: int) -> Flow[Outcome]:
        """Return what became of a sequenced action, and why."""
        found = yield from self.call("ExplainAction", pb.ExplainActionRequest(sequence=sequence))
        why = found.rejection
        return Outcome(
            Code(why.code),
            found.sequence,
            found.action_hash,
            repeated=True,
            proven=False,
            message=why.message,
            operands=dict(why.operands),
        )

    # -- submission ------------------------------------------------------------------------------

    def submit(self, actions: Iterable[Encodable | bytes]) -> Flow[list[Outcome]]:
        """Submit, and check that the receipt covers every action where the node says it stands."""
        blobs = [_encoded(action) for action in actions]
        if not blobs:
            return []
        # Asked for before anything is sequenced, so that no failure of it leaves doubts.
        yield from self.info()
        request = pb.SubmitRequest(
            submission=pb.Submission(actions=b"".join(blobs), lengths=[len(blob) for blob in blobs])
        )
        response = yield from self.call("Submit", request, submits=True)
        return (yield from self.proven(blobs, response.outcomes))

    def proven(self, blobs: Sequence[bytes], outcomes: pb.Outcomes) -> Flow[list[Outcome]]:
        """Return the outcomes of ``blobs`` once the receipts behind them are checked."""
        if len(outcomes.codes) != len(blobs) or len(outcomes.sequences) != len(blobs):
            raise VerificationFailed(
                f"outcomes: expected {len(blobs)}, was {len(outcomes.codes)} codes and "
                f"{len(outcomes.sequences)} sequences"
            )
        digests = [action_hash(blob) for blob in blobs]
        repeats = set(outcomes.repeats)
        reasons = {item.index: item for item in outcomes.rejections}
        check: ReceiptCheck | None = None
        if len(repeats) < len(blobs):
            check = yield from self.checked(outcomes.receipt)
        found = []
        for k, digest in enumerate(digests):
            sequence, code = outcomes.sequences[k], Code(outcomes.codes[k])
            proven = True
            if check is not None and (k not in repeats or digest in check.places):
                _check_place(check, digest, sequence)
            else:
                proven = yield from self._check_repeat(digest, sequence, code)
            why = reasons.get(k)
            found.append(
                Outcome(
                    code,
                    sequence,
                    digest,
                    k in repeats,
                    proven,
                    why.message if why else "",
                    dict(why.operands) if why else {},
                )
            )
        return found

    def _check_repeat(self, digest: bytes, sequence: int, code: Code) -> Flow[bool]:
        """Return whether a receipt covers an action that the node calls a repeat."""
        first = yield from self.action(digest)
        if (first.sequence, first.code) != (sequence, code):
            raise VerificationFailed(
                f"repeat of 0x{digest.hex()}: expected sequence {first.sequence} and code "
                f"{first.code.name}, was {sequence} and {code.name}"
            )
        return first.proven

    def checked(self, receipt: pb.FrameReceipt) -> Flow[ReceiptCheck]:
        """Check a receipt by itself and against the last one of the same generation."""
        info = yield from self.info()
        check = check_receipt(receipt, info.domain_separator, info.sequencer)
        last = self.last_receipt
        if last is not None and last.generation == check.generation:
            for count, accumulator in (
                (check.count, check.accumulator),
                (receipt.count_before, receipt.accumulator_before),
            ):
                if count == last.count and accumulator != last.accumulator:
                    raise VerificationFailed(
                        f"receipt: expected accumulator {last.accumulator.hex()} after "
                        f"{count} actions, as signed before, was {accumulator.hex()}: the "
                        "sequencer signed two histories"
                    )
        if last is None or check.generation > last.generation or check.count > last.count:
            self.last_receipt = check
        return check

    # -- signing ---------------------------------------------------------------------------------

    def sequence(self) -> int:
        """Return a number above all earlier ones: the time in ms, or one more than the last."""
        self.last_sequence = max(self.last_sequence + 1, self.clock_ms())
        return self.last_sequence

    def signer_or(self, signer: Signer | None) -> Signer:
        """Return ``signer`` or the client's. Raises KeyUnusable without both."""
        chosen = signer or self.signer
        if chosen is None:
            raise KeyUnusable("expected a key to sign with, was none")
        return chosen

    def order(
        self,
        account: int,
        instrument: str | int,
        side: Side | str,
        size: Number,
        price: Number,
        terms: OrderTerms,
        signer: Signer | None,
    ) -> Flow[SignedOrder]:
        """Return an order in the law's units, signed."""
        market = yield from self.market(instrument)
        domain = yield from self.domain()
        now = self.clock_ms()
        order = market.order(
            account,
            side,
            size,
            price,
            slot=terms.slot,
            sequence=self.sequence() if terms.sequence is None else terms.sequence,
            expiry_ms=now + ORDER_LIFE_MS if terms.expiry_ms is None else terms.expiry_ms,
            max_fee_ppm=terms.max_fee_ppm,
            reduce_only=terms.reduce_only,
            maker_only=terms.maker_only,
            venue=terms.venue,
        )
        return sign_order(order, self.signer_or(signer), domain)

    def orders(
        self, orders: Sequence[SignedOrder], signer: Signer | None
    ) -> Flow[list[SignedOrder]]:
        """Return the orders with one signature over all of them."""
        domain = yield from self.domain()
        return sign_bulk(orders, self.signer_or(signer), domain)

    def trade(self, maker: SignedOrder, taker: SignedOrder, terms: TradeTerms) -> Flow[Trade]:
        """Return the trade of two orders, co-signed if they name a venue."""
        market = yield from self.market(maker.instrument)
        trade = match(
            maker,
            taker,
            lots=None if terms.size is None else market.lots(terms.size),
            price_micro=None if terms.price is None else market.price_micro(terms.price),
            maker_fee_ppm=terms.maker_fee_ppm,
            taker_fee_ppm=terms.taker_fee_ppm,
        )
        if trade.venue_authorisation is None:
            return trade
        domain = yield from self.domain()
        return sign_trade(trade, self.signer_or(terms.venue_signer), domain)

    def request(self, make: Callable[[int, int], Any], terms: RequestTerms) -> Flow[Any]:
        """Return ``make(sequence, expiry in ms)``, signed."""
        sequence = self.sequence() if terms.sequence is None else terms.sequence
        expiry = terms.expiry_ms
        if expiry is None:
            expiry = self.clock_ms() + REQUEST_LIFE_MS
        return (yield from self.signed(make(sequence, expiry), terms.signer))

    def liquidate(
        self, keeper: int, account: int, instrument: str | int, size: Number, terms: RequestTerms
    ) -> Flow[Liquidate]:
        """Return a keeper's offer, signed."""
        market = yield from self.market(instrument)
        lots = market.lots(size)

        def make(sequence: int, expiry: int) -> Liquidate:
            return Liquidate(keeper, account, market.instrument, lots, sequence, expiry)

        offer: Liquidate = yield from self.request(make, terms)
        return offer

    def observation(
        self,
        instrument: str | int,
        index_price: Number,
        mark_price: Number,
        time_ms: int | None,
        signer: Signer | None,
    ) -> Flow[PriceObservation]:
        """Return a publisher's view, signed."""
        market = yield from self.market(instrument)
        domain = yield from self.domain()
        view = PriceObservation(
            market.price_micro(index_price, whole_ticks=False),
            market.price_micro(mark_price, whole_ticks=False),
            self.clock_ms() if time_ms is None else time_ms,
        )
        digest = eip712.digest(domain, view.struct_hash(market.instrument))
        return replace(view, signature=self.signer_or(signer).sign(digest))

    def submit_request(self, request: Request, signer: Signer | None) -> Flow[Outcome]:
        """Sign an action of a form, unless nobody signs it, and submit it alone."""
        if request.form.signed_by == OWNER:
            domain = yield from self.domain()
            digest = eip712.digest(domain, request.struct_hash())
            request = replace(request, signatures=(self.signer_or(signer).sign(digest),))
        (outcome,) = yield from self.submit([request])
        return outcome

    def owner_request(self, kind: Kind, terms: RequestTerms, **values: Any) -> Request:
        """Return an unsigned request of an account's owner, with its sequence and expiry."""
        sequence = self.sequence() if terms.sequence is None else terms.sequence
        expiry = terms.expiry_ms
        if expiry is None:
            expiry = self.clock_ms() + REQUEST_LIFE_MS
        return Request.of(kind, sequence=sequence, expiry=expiry, **values)

    def grant_key(
        self, account: int, key: bytes, terms: KeyTerms, request: RequestTerms
    ) -> Flow[Outcome]:
        """Grant a session key, or replace the terms of one."""
        grant = self.owner_request(
            Kind.KEY_GRANT,
            request,
            account=account,
            key=int.from_bytes(key, "big"),
            scope=terms.scope,
            first_instrument=terms.first_instrument,
            last_instrument=terms.last_instrument,
            limit=terms.limit_micro,
            key_expiry=terms.expiry_ms,
        )
        return (yield from self.submit_request(grant, request.signer))

    def change_key(
        self, kind: Kind, account: int, key: bytes, terms: RequestTerms
    ) -> Flow[Outcome]:
        """Revoke a session key (KEY_REVOKE), or put a key in the owner's place (ROTATE_KEY)."""
        number = int.from_bytes(key, "big")
        change = self.owner_request(kind, terms, account=account, key=number)
        return (yield from self.submit_request(change, terms.signer))

    def governance_sequence(self) -> Flow[int]:
        """Return the sequence of the next act of governance or guardian."""
        params = yield from self.call("GetParams", pb.GetParamsRequest())
        return int(params.governance_sequence) + 1

    def govern(
        self, kind: Kind, payload: Sequence[int], signer: Signer | None, values: Mapping[str, Any]
    ) -> Flow[Outcome]:
        """Submit an act of governance or guardian, with the next sequence."""
        sequence = yield from self.governance_sequence()
        act = Request.of(kind, payload=payload, sequence=sequence, **values)
        return (yield from self.submit_request(act, signer))

    def signed(self, request: Any, signer: Signer | None) -> Flow[Any]:
        """Return the request of one owner with its signature."""
        domain = yield from self.domain()
        digest = eip712.digest(domain, request.struct_hash())
        signed = replace(request, signature=self.signer_or(signer).sign(digest))
        _encoded(signed)
        return signed


def _encoded(action: Encodable | bytes) -> bytes:
    if isinstance(action, bytes):
        return action
    try:
        return action.encode()
    except ValueError as error:
        raise BadRequest(f"action: {error}") from error


def _check_place(check: ReceiptCheck, digest: bytes, sequence: int) -> None:
    place = check.places.get(digest)
    if place != sequence:
        raise VerificationFailed(
            f"receipt: expected action 0x{digest.hex()} at sequence {sequence}, was "
            f"{'nowhere' if place is None else place}",
            metadata={"action_hash": digest.hex(), "sequence": str(sequence)},
        )


def wall_clock_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def resume_pause(error: NovatioError, begun: bool = True) -> float:
    """Return the seconds to wait before a stream is resumed. Raises the error if that is useless.

    A stream that ended only because of its age is resumed at once; one that has not begun because
    nobody answers is not.
    """
    if not begun and error.reason == Unavailable.default_reason:
        raise error
    if isinstance(error, Overloaded):
        return error.retry_after or RESUME_SECONDS
    if isinstance(error, Unavailable):
        return 0.0 if error.reason == "DEADLINE_EXCEEDED" else RESUME_SECONDS
    raise error
