"""Statements of account: the lines of a range, oldest first, and that they add up.

A line is one change of an account's cash: the price of lots, a fee, funding, a deposit. The node
draws them up from its log; that they add up to the change of cash between two balances is checked
here, and the balances themselves can be checked with ``Client.account_proof``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.v1 import node_pb2 as pb
from novatio.errors import BadRequest, VerificationFailed

if TYPE_CHECKING:
    from novatio._flows import Flow, Flows

__all__ = ["Fill", "Period", "Statement", "fills_of", "margin_request"]

PAGE_SIZE = 1000
LINE_KINDS = tuple(
    name.removeprefix("LINE_KIND_").lower()
    for name in list(pb.LineKind.keys())
    if pb.LineKind.Value(name)
)
FEE_KINDS = ("fee", "insurance_fee", "insurance_cover")
WITH_FEES = ("fill", "liquidation")
MOVES = (*WITH_FEES, "auction", "deleverage", "pool_trade", "pool_takeover")
FILL_KINDS = (*MOVES, *FEE_KINDS)
BASES = {"maintenance": pb.MARGIN_BASIS_MAINTENANCE, "initial": pb.MARGIN_BASIS_INITIAL}


@dataclass(frozen=True, slots=True)
class Period:
    """A range of the sequence, of the law's time in ms, or both; inclusive, 0 leaves it open."""

    from_sequence: int = 0
    to_sequence: int = 0
    from_time_ms: int = 0
    to_time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines of an account, oldest first, between two balances of cash in micro-quote.

    The balances belong to the period, whatever kinds of lines were asked for. ``sequence`` counts
    the actions up to where the statement was drawn up.
    """

    account: int
    opening_cash_micro: int
    closing_cash_micro: int
    sequence: int
    lines: tuple[pb.Line, ...]

    @property
    def amount_micro(self) -> int:
        """Sum of the lines; of a statement of all kinds, the change of cash."""
        return sum(line.amount_micro for line in self.lines)


@dataclass(frozen=True, slots=True)
class Fill:
    """Lots that moved, with the fee of the same action in micro-quote, negative for a rebate."""

    line: pb.Line
    fee_micro: int


def kind_name(kind: int) -> str:
    """Return the name of a line's kind, for example ``insurance_fee``."""
    return pb.LineKind.Name(kind).removeprefix("LINE_KIND_").lower()


def statement(
    flows: Flows, account: int, period: Period, kinds: Iterable[str] = ()
) -> Flow[Statement]:
    """Follow the pages of a statement, and check that its lines add up."""
    wanted = sorted(set(kinds))
    unknown = [kind for kind in wanted if kind not in LINE_KINDS]
    if unknown:
        raise BadRequest(
            f"kinds: expected some of {', '.join(LINE_KINDS)}, was {', '.join(unknown)}"
        )
    request = pb.ListStatementRequest(
        account=account,
        from_sequence=period.from_sequence,
        to_sequence=period.to_sequence,
        from_time_ms=period.from_time_ms,
        to_time_ms=period.to_time_ms,
        kinds=[f"LINE_KIND_{kind.upper()}" for kind in wanted],
        page_size=PAGE_SIZE,
    )
    lines: list[pb.Line] = []
    first: Any = None
    while True:
        page = yield from flows.call("ListStatement", request)
        first = first or page
        lines.extend(page.lines)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    found = Statement(
        account,
        page.opening_cash_micro,
        first.closing_cash_micro,
        first.sequence,
        tuple(reversed(lines)),
    )
    if not wanted:
        check_sum(found)
    return found


def check_sum(found: Statement) -> None:
    """Check a statement of all kinds. Raises VerificationFailed at the first line that is off."""
    cash = found.opening_cash_micro
    for line in found.lines:
        cash += line.amount_micro
        if cash != line.cash_micro:
            raise VerificationFailed(
                f"statement of account {found.account} at sequence {line.sequence}: expected "
                f"{cash} micro-quote of cash, was {line.cash_micro}",
                next_step=f"novatio account proof {found.account}",
            )
    if cash != found.closing_cash_micro:
        raise VerificationFailed(
            f"statement of account {found.account}: expected {cash} micro-quote at its end, was "
            f"{found.closing_cash_micro}",
            next_step=f"novatio account proof {found.account}",
        )


def fills_of(found: Statement) -> list[Fill]:
    """Return the lots that moved, oldest first; asked for with ``FILL_KINDS`` or all kinds.

    A fee belongs to the trade or liquidation of its action. What insurance pays for a slice of an
    auction belongs to no one leg of it, and to no fill.
    """
    fills: list[Fill] = []
    for line in found.lines:
        kind = kind_name(line.kind)
        if kind in MOVES:
            fills.append(Fill(line, 0))
        elif (
            fills
            and kind in FEE_KINDS
            and kind_name(fills[-1].line.kind) in WITH_FEES
            and fills[-1].line.sequence == line.sequence
        ):
            fills[-1] = Fill(fills[-1].line, fills[-1].fee_micro - line.amount_micro)
    return fills


def margin_request(
    owner: bytes, basis: str, multiple_ppm: int, token: int, heartbeat_ms: int
) -> pb.WatchMarginCallsRequest:
    """Return the request of a stream of margin calls. Raises BadRequest for an unknown basis."""
    if basis not in BASES:
        raise BadRequest(f"basis: expected one of {', '.join(BASES)}, was {basis!r}")
    return pb.WatchMarginCallsRequest(
        owner=owner,
        basis=BASES[basis],
        multiple_ppm=multiple_ppm,
        token=token,
        heartbeat_ms=heartbeat_ms,
    )
