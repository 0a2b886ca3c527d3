"""Everything that only looks: state, batches, proofs and the tail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
import numpy as np

from clearing.codes import Code, Status
from clearing.units import LOTS_MAX, PRICE_MAX
from node.account_risk import risk_message
from node.assets import asset_message
from node.batcher import batch_data, frames_of
from node.config import LimitsSection
from node.events import Publish
from node.follower import Follower
from node.gate import Refused, malformed, not_found
from node.intake import receipt_message
from node.margin_calls import MarginCalls
from node.margins import FILLS_MAX, what_if
from node.markets import instrument_message, mark_of, underlying_message
from node.netting import Netting
from node.pools import pool_message
from node.receipts import receipt_of
from node.records import FrameRecord, RecordKind, SealRecord
from node.shell import Shell, batch_key, frame_key
from node.statements import Statements
from node.status import BaseStatus
from node.tail import Happening, LogReader, TailLagged
from node.v1 import node_pb2
from node.wire import account_message, margin_message, params_message
from prover.engine import Engine
from prover.proofs import account_proof, withdrawal_proof

T = TypeVar("T")

READ_SECONDS_MAX = 10.0
PIECE_BYTES = 1 << 20
HEARTBEAT_MS_MIN = 100
HEARTBEAT_MS = 1000
POLL_SECONDS = 0.05


class Reads:
    """The read calls. `base_status` tells what the poster last saw."""

    def __init__(
        self,
        shell: Shell,
        limits: LimitsSection,
        info: Any,
        base_status: Callable[[], BaseStatus],
        directory: Path | None = None,
    ) -> None:
        """`info` is the complete answer of GetInfo. `directory` has room for what is derived."""
        self._shell = shell
        self._limits = limits
        self._info = info
        self._base_status = base_status
        self._tails = threading.BoundedSemaphore(limits.tails_max)
        follower = Follower(shell, directory)
        self.statements = Statements(shell, follower, self._look)
        self.netting = Netting(follower)
        self.margin_calls = MarginCalls(shell, follower, self._tails, limits.tails_max)

    # State.

    def get_info(self, request: Any, context: Any) -> Any:
        """Serve GetInfo."""
        return self._info

    def get_params(self, request: Any, context: Any) -> Any:
        """Serve GetParams."""
        return self._look(context, lambda engine: params_message(engine.state))

    def get_instrument(self, request: Any, context: Any) -> Any:
        """Serve GetInstrument."""

        def look(engine: Engine) -> Any:
            _require_instrument(engine, request.id)
            return node_pb2.GetInstrumentResponse(
                instrument=instrument_message(engine.state, request.id), point=self.point()
            )

        return self._look(context, look)

    def list_assets(self, request: Any, context: Any) -> Any:
        """Serve ListAssets."""

        def look(engine: Engine) -> Any:
            count = int(engine.totals.asset_count)
            assets = [asset_message(engine.state, id) for id in range(1, count)]
            return node_pb2.ListAssetsResponse(assets=assets, point=self.point())

        return self._look(context, look)

    def get_pool(self, request: Any, context: Any) -> Any:
        """Serve GetPool."""

        def look(engine: Engine) -> Any:
            count = int(engine.totals.pool_count)
            if request.id >= count:
                raise not_found(
                    "NO_POOL",
                    f"expected a pool below {count}, was {request.id}",
                    pool=request.id,
                    pool_count=count,
                )
            return node_pb2.GetPoolResponse(
                pool=pool_message(engine.state, request.id), point=self.point()
            )

        return self._look(context, look)

    def list_instruments(self, request: Any, context: Any) -> Any:
        """Serve ListInstruments."""
        size = _page_size(request.page_size, 100, 100)
        first = _page_start(request.page_token)

        def look(engine: Engine) -> Any:
            count = int(engine.totals.instrument_count)
            end = min(first + size, count)
            return node_pb2.ListInstrumentsResponse(
                instruments=[instrument_message(engine.state, id) for id in range(first, end)],
                next_page_token=str(end) if end < count else "",
                point=self.point(),
            )

        return self._look(context, look)

    def get_underlying(self, request: Any, context: Any) -> Any:
        """Serve GetUnderlying."""

        def look(engine: Engine) -> Any:
            count = int(engine.totals.underlying_count)
            if request.id >= count:
                raise not_found(
                    "NO_UNDERLYING",
                    f"expected an underlying below {count}, was {request.id}",
                    underlying=request.id,
                    underlying_count=count,
                )
            return node_pb2.GetUnderlyingResponse(
                underlying=underlying_message(engine.state, request.id), point=self.point()
            )

        return self._look(context, look)

    def get_account(self, request: Any, context: Any) -> Any:
        """Serve GetAccount."""

        def look(engine: Engine) -> Any:
            _require_account(engine, request.id)
            return node_pb2.GetAccountResponse(
                account=account_message(engine.state, request.id),
                point=self.point(),
                risk=risk_message(engine.state, request.id),
            )

        return self._look(context, look)

    def list_accounts(self, request: Any, context: Any) -> Any:
        """Serve ListAccounts."""
        size = _page_size(request.page_size, 100, 1000)
        first = _page_start(request.page_token)
        if len(request.owner) not in (0, 20):
            raise malformed(
                "MALFORMED_ADDRESS",
                f"expected an owner of 20 bytes, or none, was {len(request.owner)} bytes",
                bytes=len(request.owner),
            )

        def look(engine: Engine) -> Any:
            count = int(engine.totals.account_count)
            rows = cast(Any, engine.state.accounts)
            found = np.arange(first, max(count, first))
            if request.owner:
                word = np.frombuffer(request.owner.rjust(32, b"\0"), ">i8")
                found = found[(rows["owner"][first:count] == word).all(axis=1)]
            page = found[:size].tolist()
            return node_pb2.ListAccountsResponse(
                accounts=[account_message(engine.state, id) for id in page],
                next_page_token=str(int(found[size])) if len(found) > size else "",
                point=self.point(),
            )

        return self._look(context, look)

    def what_if_margin(self, request: Any, context: Any) -> Any:
        """Serve WhatIfMargin."""
        if len(request.fills) > FILLS_MAX:
            raise malformed(
                "TOO_MANY_FILLS",
                f"expected at most {FILLS_MAX} fills, was {len(request.fills)}; net them first",
                fills=len(request.fills),
                fills_max=FILLS_MAX,
            )
        for fill in request.fills:
            if abs(fill.lots) > LOTS_MAX or fill.price_micro > PRICE_MAX:
                raise malformed(
                    "OUT_OF_RANGE",
                    f"expected lots within {LOTS_MAX} and a price within {PRICE_MAX}, was "
                    f"{fill.lots} at {fill.price_micro}",
                    lots=fill.lots,
                    price_micro=fill.price_micro,
                )

        def look(engine: Engine) -> Any:
            _require_account(engine, request.account)
            fills = np.zeros((len(request.fills), 4), np.int64)
            for row, fill in enumerate(request.fills):
                _require_instrument(engine, fill.instrument)
                mark, _, _ = mark_of(engine.state, fill.instrument)
                fills[row] = (fill.instrument, fill.lots, fill.price_micro or mark, fill.fee_ppm)
            found = what_if(engine.state, request.account, fills)
            if not found.possible:
                raise Refused(
                    grpc.StatusCode.OUT_OF_RANGE,
                    "OUT_OF_RANGE",
                    "expected fills that an account can hold, was more positions or larger sums",
                )
            return node_pb2.WhatIfMarginResponse(
                before=margin_message(found.before),
                after=margin_message(found.after),
                legal=found.legal,
                point=self.point(),
            )

        return self._look(context, look)

    def get_account_proof(self, request: Any, context: Any) -> Any:
        """Serve GetAccountProof."""

        def look(engine: Engine) -> Any:
            _require_account(engine, request.id)
            proof = account_proof(engine, request.id)
            return node_pb2.GetAccountProofResponse(
                leaf=proof.leaf,
                account_count=int(engine.totals.account_count),
                siblings=b"".join(proof.siblings),
                opening=proof.opening.encode(),
                point=self.point(),
            )

        return self._look(context, look)

    def get_withdrawal_proof(self, request: Any, context: Any) -> Any:
        """Serve GetWithdrawalProof."""
        status = self._base_status()
        number = request.batch_number or status.withdrawable
        seal = self._seal(number)
        posted = status.posted_batches.get(number)
        if posted is None or request.index >= seal.withdrawal_count:
            raise not_found(
                "NO_WITHDRAWAL_YET",
                f"expected a withdrawal below {seal.withdrawal_count} and a batch on the base "
                f"layer, was withdrawal {request.index} and batch {number}; wait until the batch "
                "that holds it is withdrawable",
                index=request.index,
                withdrawal_count=seal.withdrawal_count,
                batch_number=number,
            )

        def look(engine: Engine) -> Any:
            proof = withdrawal_proof(engine, request.index, seal.withdrawal_count)
            row = cast(Any, engine.state.withdrawals)[request.index]
            return node_pb2.GetWithdrawalProofResponse(
                leaf=proof.leaf,
                withdrawal_count=seal.withdrawal_count,
                siblings=b"".join(proof.siblings),
                batch_number=number,
                batch_id=posted.batch_id,
                amount_micro=int(row.amount),
                recipient=proof.leaf[-20:],
                account=int(row.account),
            )

        return self._look(context, look)

    def point(self) -> Any:
        """Return where the sequence stands; on the sequencer's thread."""
        engine = self._shell.sequencer.engine
        return node_pb2.Point(
            sequence=int(engine.totals.sequenced_count),
            token=self._shell.sequencer.applied_token,
            time_ms=int(engine.totals.clock),
            state_root=engine.root(),
        )

    # The past.

    def get_action(self, request: Any, context: Any) -> Any:
        """Serve GetAction."""
        if len(request.action_hash) != 32:
            raise malformed(
                "MALFORMED_HASH",
                f"expected a hash of 32 bytes, was {len(request.action_hash)}",
                bytes=len(request.action_hash),
            )
        digest = np.frombuffer(request.action_hash, ">i8").astype(np.int64).reshape(1, 4)

        def look(_: Engine) -> tuple[int, int]:
            known = self._shell.sequencer.duplicates
            sequence = int(known.find(digest)[0])
            return sequence, int(known.codes(np.array([sequence]))[0])

        sequence, code = self._look(context, look)
        if sequence == 0:
            raise not_found(
                "NO_SUCH_ACTION",
                f"expected the hash of a sequenced action, was {request.action_hash.hex()}; "
                "submit it, if it should be",
                action_hash=request.action_hash.hex(),
            )
        token = self._token_of(sequence)
        return node_pb2.GetActionResponse(
            sequence=sequence,
            code=code,
            name=Code(code).name,
            token=token,
            receipt=self._receipt(token, sequence) if token else None,
        )

    def _receipt(self, token: int, sequence: int) -> Any:
        """Return the receipt of the frame at `token`, with the path of action `sequence`."""
        for _, frame, outcome in frames_of(self._shell.log.records(token)):
            blob = np.frombuffer(bytearray(frame.blob), np.uint8)
            columns = self._shell.sequencer.engine.decode(blob, frame.offsets())
            receipt = receipt_of(frame, outcome, columns.action_digests)
            return receipt_message(receipt, *receipt.own(sequence - frame.sequence_before - 1, 1))
        # The outcome follows with the next sync.
        return None

    def _token_of(self, sequence: int) -> int:
        """Return the token of the frame with action `sequence`; 0 while the view lacks it."""
        if self._shell.view is None:
            return 0
        key = frame_key(sequence)
        for _, value in self._shell.view.scan(prefix=key[:1], start=key, limit=1):
            return int.from_bytes(value, "big")
        return 0

    def get_heads(self, request: Any, context: Any) -> Any:
        """Serve GetHeads."""
        sequencer, status = self._shell.sequencer, self._base_status()
        point, halted, sealed = self._look(
            context,
            lambda engine: (
                self.point(),
                int(engine.totals.status) == Status.HALTED,
                sequencer.batcher.number - 1,
            ),
        )
        state = node_pb2.NODE_STATUS_ACTIVE
        if sequencer.failure:
            state = node_pb2.NODE_STATUS_FAILED
        elif sequencer.stopping:
            state = node_pb2.NODE_STATUS_STOPPING
        elif halted:
            state = node_pb2.NODE_STATUS_HALTED
        return node_pb2.GetHeadsResponse(
            status=state,
            sequenced=point,
            sealed=self._head(sealed),
            posted=self._head(status.posted),
            safe=self._head(status.safe),
            finalised=self._head(status.finalised),
            withdrawable=self._head(status.withdrawable),
            generation=status.generation,
            base_block=status.base_block,
            inbox_consumed=int(sequencer.engine.totals.inbox_count),
            inbox_available=status.inbox_available,
            foreign_batch=status.foreign_batch,
            posting_error=status.error,
            posting_mode=node_pb2.PostingMode.Name(status.mode),
            lag_ms=status.lag_ms,
            opens_time_ms=status.opens_ms,
            freezes_time_ms=status.freezes_ms,
        )

    def _head(self, number: int) -> Any:
        if number == 0:
            return node_pb2.Head(state_root=self._info.genesis_root)
        seal = self._seal_or_none(number)
        if seal is None:
            return node_pb2.Head(number=number)
        return node_pb2.Head(number=number, sequence=seal.sequence, state_root=seal.post_root)

    # Batches.

    def list_batches(self, request: Any, context: Any) -> Any:
        """Serve ListBatches, newest first."""
        size = _page_size(request.page_size, 50, 500)
        newest = self._shell.sequencer.batcher.number - 1
        first = _page_start(request.page_token) if request.page_token else newest
        status = self._base_status()
        numbers = range(min(first, newest), max(min(first, newest) - size, 0), -1)
        seals = [self._seal_or_none(number) for number in numbers]
        end = numbers[-1] - 1 if numbers else 0
        return node_pb2.ListBatchesResponse(
            batches=[batch_message(seal, status) for seal in seals if seal is not None],
            next_page_token=str(end) if end > 0 else "",
        )

    def get_batch(self, request: Any, context: Any) -> Any:
        """Serve GetBatch."""
        seal = self._seal(request.number)
        return node_pb2.GetBatchResponse(
            batch=batch_message(seal, self._base_status()), opening=seal.opening
        )

    def get_batch_data(self, request: Any, context: Any) -> Iterator[Any]:
        """Serve GetBatchData."""
        data = batch_data(self._shell.log, self._seal(request.number))
        for start in range(0, len(data), PIECE_BYTES):
            yield node_pb2.GetBatchDataResponse(
                piece=data[start : start + PIECE_BYTES], total_bytes=len(data)
            )

    def _seal(self, number: int) -> SealRecord:
        seal = self._seal_or_none(number)
        if seal is None:
            newest = self._shell.sequencer.batcher.number - 1
            raise not_found(
                "NO_SUCH_BATCH",
                f"expected a batch of 1 to {newest}, was {number}",
                number=number,
                newest=newest,
            )
        return seal

    def _seal_or_none(self, number: int) -> SealRecord | None:
        if self._shell.view is not None:
            payload = self._shell.view.get(batch_key(number))
            return None if payload is None else SealRecord.decode(payload)
        for record in self._shell.log.records():
            if record.kind == RecordKind.SEAL:
                seal = SealRecord.decode(record.payload)
                if seal.number == number:
                    return seal
        return None

    # The tail.

    def tail(self, request: Any, context: Any) -> Iterator[Any]:
        """Serve Tail."""
        heartbeat_ms = max(request.heartbeat_ms or HEARTBEAT_MS, HEARTBEAT_MS_MIN)
        if request.token > self._shell.log.tail.sequence + 1:
            raise Refused(
                grpc.StatusCode.OUT_OF_RANGE,
                "TOKEN_AHEAD",
                f"expected a token up to {self._shell.log.tail.sequence + 1}, was {request.token}; "
                "this is not the node that gave it, or its log was lost",
                {"token": request.token, "newest": self._shell.log.tail.sequence + 1},
            )
        if not self._tails.acquire(blocking=False):
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "TOO_MANY_TAILS",
                f"expected at most {self._limits.tails_max} tails, was one more; try again later",
                {"tails_max": self._limits.tails_max},
                1000,
            )
        try:
            yield from self._follow(request, context, heartbeat_ms)
        finally:
            self._tails.release()

    def _follow(self, request: Any, context: Any, heartbeat_ms: int) -> Iterator[Any]:
        ring, log = self._shell.ring, self._shell.log
        reader = LogReader(log, request.token)
        place = ring.place_of(reader.token, log.tail.sequence + 1)
        token = reader.token
        while place is None and context.is_active() and not ring.closed:
            for happening in reader:
                yield self._event(happening, request.omit_actions)
            token = reader.token
            place = ring.place_of(token, log.tail.sequence + 1)
            if place is None:
                # A frame is durable but not yet applied: it will be in the ring in a moment.
                self._shell.call(lambda: None, READ_SECONDS_MAX)
        while place is not None and context.is_active():
            try:
                happenings, place = ring.read(place, heartbeat_ms / 1000)
            except TailLagged as error:
                raise Refused(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    "TAIL_LAGGED",
                    f"expected to be read within {self._limits.tail_events_max} events, was "
                    f"slower; resume from token {token}",
                    {"token": token, "events_max": self._limits.tail_events_max},
                    100,
                ) from error
            for happening in happenings:
                yield self._event(happening, request.omit_actions)
                token = _after(happening)
            if ring.closed and not happenings:
                raise Refused(
                    grpc.StatusCode.UNAVAILABLE,
                    "SHUTTING_DOWN",
                    f"the node is shutting down; resume from token {token}",
                    {"token": token},
                    1000,
                )
            if not happenings:
                point = self._look(context, lambda _: self.point())
                yield node_pb2.TailResponse(
                    next_token=token, heartbeat=node_pb2.Heartbeat(point=point)
                )

    def _event(self, happening: Happening, omit_actions: bool) -> Any:
        if isinstance(happening, Publish):
            return node_pb2.TailResponse(
                next_token=_after(happening), frame=frame_message(happening, omit_actions)
            )
        return node_pb2.TailResponse(
            next_token=_after(happening),
            batch=batch_message(happening.seal, self._base_status()),
        )

    def _look(self, context: Any, look: Callable[[Engine], T]) -> T:
        """Run `look` on the sequencer's thread, within the caller's deadline."""
        remaining = context.time_remaining()
        seconds = READ_SECONDS_MAX if remaining is None else min(remaining, READ_SECONDS_MAX)
        return self._shell.call(lambda: look(self._shell.sequencer.engine), seconds)


def _after(happening: Happening) -> int:
    return happening.token + 1


def frame_message(happening: Publish, omit_actions: bool) -> Any:
    """Return the wire form of a frame and its outcome."""
    frame: FrameRecord = happening.frame
    return node_pb2.Frame(
        token=happening.token,
        time_ms=frame.time_ms,
        sequence_before=frame.sequence_before,
        inbox_count=frame.inbox_count,
        actions=b"" if omit_actions else frame.blob,
        lengths=frame.lengths.tolist(),
        codes=happening.outcome.codes.tolist(),
        step_counts=happening.outcome.step_counts.tolist(),
        post_roots=happening.outcome.post_roots(),
    )


def batch_message(seal: SealRecord, status: BaseStatus) -> Any:
    """Return the wire form of a batch and where it stands."""
    posted = status.posted_batches.get(seal.number)
    return node_pb2.Batch(
        number=seal.number,
        status=cast(Any, int(status.stage(seal.number))),
        id=posted.batch_id if posted else b"",
        header=posted.header if posted else b"",
        step_count=seal.step_count,
        data_bytes=seal.data_bytes,
        sequence_before=seal.sequence_before,
        sequence=seal.sequence,
        pre_root=seal.pre_root,
        post_root=seal.post_root,
        sealed_time_ms=seal.time_ms,
        postings=posted.postings if posted else 0,
    )


def _page_size(asked: int, default: int, maximum: int) -> int:
    if asked > maximum:
        raise malformed(
            "PAGE_TOO_LARGE",
            f"expected a page of at most {maximum}, was {asked}; follow next_page_token",
            page_size=asked,
            page_size_max=maximum,
        )
    return asked or default


def _page_start(token: str) -> int:
    if token and not (token.isascii() and token.isdecimal() and len(token) <= 18):
        raise malformed(
            "MALFORMED_PAGE_TOKEN",
            f"expected a page token of this node, was {token!r}; begin without one",
            page_token=token,
        )
    return int(token or 0)


def _require_account(engine: Engine, id: int) -> None:
    count = int(engine.totals.account_count)
    if id >= count:
        raise not_found(
            "NO_ACCOUNT",
            f"expected an account below {count}, was {id}; deposit on the base layer first",
            account=id,
            account_count=count,
        )


def _require_instrument(engine: Engine, id: int) -> None:
    count = int(engine.totals.instrument_count)
    if id >= count:
        raise not_found(
            "NO_INSTRUMENT",
            f"expected an instrument below {count}, was {id}; list the instruments",
            instrument=id,
            instrument_count=count,
        )
