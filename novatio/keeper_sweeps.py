"""Driving a sweep over a market: its holders are named in order, and bear their shares in the end.

The law keeps only a hash of who was named, so whoever goes on with a sweep has to know them. They
are read from the log, where all tallies stand: a keeper that was started anew, or comes after
another, goes on where the sweep is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from clearing.codes import Code, Kind, Operation, Phase, Tag
from clearing.encoding import MalformedBytes, Reader
from clearing.keccak import pieces, tagged_hash
from clearing.requests import Request
from clearing.units import SWEEP_ACCOUNTS_MAX
from node.v1 import node_pb2 as pb
from novatio.keeper_duties import View

__all__ = ["EMPTY", "KeptLog", "applies", "chunks_below", "pieces_of", "tallies"]

Pieces = tuple[int, int, int, int]
EMPTY: Final[Pieces] = (0, 0, 0, 0)
_NOTHING: Final = bytes(32)
# Micro-quote of profit from which the law may begin a tally anew, with coarser weights.
_PROFIT_COARSE: Final = 1 << 60


class Tailing(Protocol):
    """The part of a client that follows the log."""

    def tail(self, resume: int = 0) -> Iterable[pb.TailResponse]:
        """Follow frames, batches and heartbeats from a token on."""


class KeptLog:
    """What the law keeps a hash of and the log holds: who was tallied, and announced parameters.

    Tallies are those of each market's latest sweep, chunk by chunk; `announced` is the payload of
    the last announcement, as far as the log was read, and empty before any.
    """

    def __init__(self) -> None:
        self._token = 0
        self._chunks: dict[int, list[tuple[int, ...]]] = {}
        self.announced: tuple[int, ...] = ()

    def chunks(self, instrument: int) -> Sequence[tuple[int, ...]]:
        """Return the chunks of the market's latest sweep in order, as far as the log was read."""
        return self._chunks.get(instrument, [])

    def skip(self, token: int) -> None:
        """Let what stands before a token be: nothing there is still on."""
        self._token = max(self._token, token)
        self._chunks.clear()

    def read(self, client: Tailing, token: int) -> None:
        """Read the log up to and with the frame of a token."""
        if self._token > token:
            return
        for event in client.tail(self._token):
            self._token = event.next_token
            if event.HasField("frame"):
                self._note(event.frame)
            if self._token > token or event.HasField("heartbeat"):
                return

    def _note(self, frame: pb.Frame) -> None:
        place = 0
        for length, code in zip(frame.lengths, frame.codes, strict=True):
            action = frame.actions[place : place + length]
            place += length
            if code == Code.APPLIED and action[0] == Kind.SWEEP_OPEN:
                self._chunks[_read(action).value("instrument")] = []
            elif code == Code.APPLIED and action[0] == Kind.SWEEP_TALLY:
                tally = _read(action)
                self._chunks.setdefault(tally.value("instrument"), []).append(tally.payload)
            elif code == Code.APPLIED and action[0] == Kind.SET_PARAMS:
                self.announced = _read(action).payload


def _read(action: bytes) -> Request:
    return Request.reader(Kind(action[0]))(Reader(action[1:], MalformedBytes))


def tallies(view: View, market: pb.Instrument) -> list[Request]:
    """Return the tallies of the holders that the market's sweep has yet to see.

    Only the next one where the law might begin anew, because what follows then depends on that.
    """
    sweep = market.sweep
    if sweep.phase != Phase.TALLY:
        return []
    socialised = sweep.mode == Operation.SOCIALISE
    found = []
    for side in (1, -1) if socialised and sweep.side > 0 else (sweep.side,):
        cursor = sweep.cursor if side == sweep.side else len(view.accounts)
        holders = [
            account.id
            for account in view.accounts
            if account.id < cursor
            and any(p.instrument == market.id and p.lots * side > 0 for p in account.positions)
        ]
        holders.sort(reverse=True)
        found += [
            Request.of(
                Kind.SWEEP_TALLY,
                payload=holders[first : first + SWEEP_ACCOUNTS_MAX],
                instrument=market.id,
            )
            for first in range(0, len(holders), SWEEP_ACCOUNTS_MAX)
        ]
    return found[:1] if socialised and _profits(view, market.id) >= _PROFIT_COARSE else found


def _profits(view: View, instrument: int) -> int:
    legs = (leg for account in view.accounts for leg in account.positions)
    return sum(
        max(0, leg.value_micro - leg.entry_cost_micro)
        for leg in legs
        if leg.instrument == instrument
    )


def chunks_below(
    chunks: Sequence[tuple[int, ...]], top: Pieces
) -> list[tuple[Pieces, tuple[int, ...]]]:
    """Return the chunks below a top of the hash stack, each with the stack before it.

    ``chunks`` are all that were pushed, of which the first may be void because the law began anew,
    and the last may have borne their shares already. Empty if they do not make the top.
    """
    for first in range(len(chunks)):
        stack: list[tuple[Pieces, tuple[int, ...]]] = []
        before = EMPTY
        for chunk in chunks[first:]:
            stack.append((before, chunk))
            before = _stacked(before, chunk)
            if before == top:
                return stack
    return []


def _stacked(before: Pieces, chunk: Sequence[int]) -> Pieces:
    words = b"".join(piece.to_bytes(8, "big", signed=True) for piece in (*before, *chunk))
    return pieces_of(tagged_hash(Tag.SWEEP, words))


def pieces_of(word: bytes) -> Pieces:
    """Return the four pieces of a hash, as actions carry it."""
    first, second, third, fourth = (int(piece) for piece in pieces(word))
    return first, second, third, fourth


def applies(market: pb.Instrument, chunks: Sequence[tuple[int, ...]]) -> list[Request]:
    """Return what brings a tallied sweep to its end: the chunks from the top down, and the close.

    Empty while holders are tallied, or if ``chunks`` are not those of the market's stack.
    """
    sweep = market.sweep
    if sweep.phase != Phase.APPLY:
        return []
    named: dict[str, Any] = {"instrument": market.id, "account": sweep.account}
    stack = chunks_below(chunks, pieces_of(sweep.top))
    if not stack and sweep.top != _NOTHING:
        return []
    found = [
        Request.of(Kind.SWEEP_APPLY, payload=(*reversed(chunk), *before), **named)
        for before, chunk in reversed(stack)
    ]
    return [*found, Request.of(Kind.SWEEP_CLOSE, **named)]
